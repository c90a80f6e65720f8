//! A verdict: what the detectors say of one book, and when time alone will change it.

use domain::{BusinessDate, Finding};

/// Collects what the detectors find in a book.
#[derive(Debug, Default)]
pub struct Verdict {
    /// One for each key that has had an episode.
    pub findings: Vec<Finding>,
    /// The first day after as-of on which the verdict may differ though no fact arrives; `None` if
    /// time alone changes nothing. May be early, never late.
    pub wake: Option<BusinessDate>,
}

impl Verdict {
    /// The book must be judged again on `date` at the latest.
    pub fn wake_on(&mut self, date: BusinessDate) {
        self.wake = Some(self.wake.map_or(date, |known| known.min(date)));
    }
}
