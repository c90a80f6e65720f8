//! The wall clock: the one place where the program asks what time it is.

use std::sync::Arc;

use alerting::mail::Clock;
use jiff::Timestamp;

/// The present moment.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The clock for those who must be given one.
pub fn clock() -> Clock {
    Arc::new(now)
}
