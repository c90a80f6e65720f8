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
    /// Of [`Verdict::wake`], the part of the detectors of absence, which count by their own as-of.
    /// Set by [`crate::registry`] for books that detectors of both kinds read.
    pub wake_absence: Option<BusinessDate>,
    /// Of [`Verdict::wake`], the part of the detectors that go by the present.
    pub wake_present: Option<BusinessDate>,
}

impl Verdict {
    /// The book must be judged again on `date` at the latest.
    pub fn wake_on(&mut self, date: BusinessDate) {
        self.wake = Some(self.wake.map_or(date, |known| known.min(date)));
    }

    /// As [`Verdict::wake_on`], if there is a date.
    pub fn wake_on_any(&mut self, date: Option<BusinessDate>) {
        if let Some(date) = date {
            self.wake_on(date);
        }
    }
}
