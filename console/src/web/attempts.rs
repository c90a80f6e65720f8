//! Logins by the provider that have begun and not ended: each belongs to one browser, counts once, and is over soon.
//!
//! A browser is known by its cookie, and the state that goes to the provider and back is the hash of it: whoever has seen
//! the state alone has no attempt. They are in memory, bounded, and forgotten at a restart. Knows no clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::casebook::{hash, token};
use crate::oidc::Question;

/// How long one is good for.
pub const MINUTES: u32 = 10;
/// Open ones of one address: an office has one.
const OF_ONE_MAX: usize = 200;
/// Open ones of all together.
const OF_ALL_MAX: usize = 2_000;

/// Logins that have begun.
#[derive(Default)]
pub struct Attempts {
    open: Mutex<HashMap<String, Attempt>>,
}

struct Attempt {
    step: Step,
    next: String,
    address: String,
    until: Timestamp,
}

/// How far one has come.
#[derive(Clone)]
pub enum Step {
    /// The provider was asked; and whom its answer enrols, if it is to.
    Asked(Question, Option<Enrolment>),
    /// The provider has answered: the code of the second factor is waited for.
    Known {
        /// The identity's name for the casebook.
        identity: String,
        /// The login of its account.
        login: String,
    },
}

/// An enrolment that waits for the provider's answer.
#[derive(Clone)]
pub struct Enrolment {
    /// The one-time token.
    pub token: String,
    /// The second factor: its secret, and the step of the code that was shown.
    pub factor: Option<(String, u64)>,
}

impl Attempts {
    /// Begins one: what its browser has to keep. `None` if there are too many.
    pub fn begin(&self, step: Step, next: &str, address: &str, now: Timestamp) -> Option<String> {
        let until = now.checked_add(SignedDuration::from_mins(MINUTES.into()));
        let until = until.ok()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, attempt| attempt.until > now);
        let of_one = open.values().filter(|attempt| attempt.address == address);
        if of_one.count() >= OF_ONE_MAX || open.len() >= OF_ALL_MAX {
            return None;
        }
        let browser = token();
        let attempt = Attempt {
            step,
            next: next.to_owned(),
            address: address.to_owned(),
            until,
        };
        open.insert(state(&browser), attempt);
        Some(browser)
    }

    /// Where a browser stands, and where it goes afterwards.
    pub fn of(&self, browser: &str, now: Timestamp) -> Option<(Step, String)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = open.get(&state(browser))?;
        (attempt.until > now).then(|| (attempt.step.clone(), attempt.next.clone()))
    }

    /// The same, and it is over: whoever comes second finds nothing.
    pub fn end(&self, browser: &str, now: Timestamp) -> Option<(Step, String)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = open.remove(&state(browser))?;
        (attempt.until > now).then_some((attempt.step, attempt.next))
    }
}

/// What goes to the provider and back.
pub fn state(browser: &str) -> String {
    hash(browser)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_fills_the_memory_or_keeps_others_out() {
        let attempts = Attempts::default();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let step = || Step::Known {
            identity: String::new(),
            login: String::new(),
        };
        let begin = |address: &str, now| attempts.begin(step(), "", address, now);
        let of_one = (0..1_000).filter(|_| begin("10.0.0.9", now).is_some());
        assert_eq!(of_one.count(), OF_ONE_MAX);
        assert!(begin("10.0.0.1", now).is_some());
        let of_all = (0..5_000).filter(|n| begin(&n.to_string(), now).is_some());
        assert_eq!(of_all.count(), OF_ALL_MAX - OF_ONE_MAX - 1);
        let later = now + SignedDuration::from_mins(MINUTES.into());
        let browser = begin("10.0.0.9", later).unwrap();
        assert!(attempts.of(&browser, later).is_some());
        assert!(attempts.end(&browser, later).is_some());
        assert!(attempts.end(&browser, later).is_none());
    }
}
