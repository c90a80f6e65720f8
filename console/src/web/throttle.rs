//! Logins that fail are slowed down: by account and by address, more and more, and never for ever.
//!
//! What is counted is in memory: bounded, and forgotten at a restart, which nobody outside can bring about. Knows no
//! clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Failures of an account before it has to wait.
const FREE_OF_ACCOUNT: u32 = 5;
/// Failures of an address before it has to wait: an office has one address.
const FREE_OF_ADDRESS: u32 = 20;
const WAIT_MAX_SECONDS: i64 = 900;
/// What is older counts no more.
const FORGET_SECONDS: i64 = 3_600;
/// Accounts and addresses that are remembered; beyond, the oldest are forgotten first.
const KNOWN_MAX: usize = 20_000;

/// Counts of failures.
#[derive(Default)]
pub struct Throttle {
    known: Mutex<HashMap<String, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Throttle {
    /// Whether a login may be tried now.
    pub fn may_try(&self, login: &str, address: &str, now: Timestamp) -> bool {
        self.may(&parts(login, address), now)
    }

    /// Whether a token that nobody knows may be shown from an address now.
    pub fn may_show_token(&self, address: &str, now: Timestamp) -> bool {
        self.may(&[of_tokens(address)], now)
    }

    /// Whether somebody may come back from the provider to an address now.
    pub fn may_return(&self, address: &str, now: Timestamp) -> bool {
        self.may(&[of_returns(address)], now)
    }

    fn may(&self, parts: &[(String, u32)], now: Timestamp) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().all(|(key, free)| {
            known.get(key).is_none_or(|failures| {
                now.duration_since(failures.last) >= wait(failures.count, *free)
            })
        })
    }

    /// A login failed.
    pub fn failed(&self, login: &str, address: &str, now: Timestamp) {
        self.count(&parts(login, address), now);
    }

    /// A token was shown that nobody knows.
    pub fn failed_token(&self, address: &str, now: Timestamp) {
        self.count(&[of_tokens(address)], now);
    }

    /// Somebody came back from the provider with nothing that counts.
    pub fn failed_return(&self, address: &str, now: Timestamp) {
        self.count(&[of_returns(address)], now);
    }

    fn count(&self, parts: &[(String, u32)], now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            let forget = SignedDuration::from_secs(FORGET_SECONDS);
            known.retain(|_, failures| now.duration_since(failures.last) < forget);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
        }
        for (key, _) in parts {
            let failures = known.entry(key.clone()).or_insert(Failures {
                count: 0,
                last: now,
            });
            let is_old = now.duration_since(failures.last).as_secs() > FORGET_SECONDS;
            failures.count = if is_old {
                1
            } else {
                failures.count.saturating_add(1)
            };
            failures.last = now;
        }
    }

    /// A login succeeded: what others tried from elsewhere still counts against them.
    pub fn succeeded(&self, login: &str, address: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in parts(login, address) {
            known.remove(&key);
        }
    }
}

fn parts(login: &str, address: &str) -> [(String, u32); 2] {
    let login: String = login.chars().take(64).collect();
    [
        (format!("account {}", login.to_lowercase()), FREE_OF_ACCOUNT),
        (format!("address {address}"), FREE_OF_ADDRESS),
    ]
}

/// Apart from the logins of the address: a program with an old token locks nobody out.
fn of_tokens(address: &str) -> (String, u32) {
    (format!("tokens {address}"), FREE_OF_ADDRESS)
}

/// Apart from the logins of the address: a provider that is set up wrong locks nobody with a password out.
fn of_returns(address: &str) -> (String, u32) {
    (format!("returns {address}"), FREE_OF_ADDRESS)
}

/// How long to wait after so many failures: twice as long each time.
fn wait(count: u32, free: u32) -> SignedDuration {
    if count < free {
        return SignedDuration::ZERO;
    }
    let doublings = (count - free + 4).min(20);
    SignedDuration::from_secs((1_i64 << doublings).min(WAIT_MAX_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// S4: of 100 wrong ones within 5 minutes at most 10 reach the hash; and nobody is locked out for ever.
    #[test]
    fn s4_failures_are_slowed_down() {
        let throttle = Throttle::default();
        let mut reached = 0;
        for attempt in 0..100 {
            let now = after(attempt * 3);
            if throttle.may_try("li", "10.0.0.9", now) {
                reached += 1;
                throttle.failed("li", "10.0.0.9", now);
            }
        }
        assert!((6..=10).contains(&reached), "{reached}");
        // The owner, from another address, once the delay is over; somebody else at once.
        assert!(!throttle.may_try("li", "10.0.0.1", after(300)));
        assert!(throttle.may_try("li", "10.0.0.1", after(300 + WAIT_MAX_SECONDS)));
        assert!(throttle.may_try("wang", "10.0.0.9", after(300)));
        throttle.succeeded("li", "10.0.0.1");
        assert!(throttle.may_try("LI", "10.0.0.1", after(301)));
    }

    #[test]
    fn many_accounts_from_one_address_are_slowed_down_too() {
        let throttle = Throttle::default();
        let tried = (0..100)
            .filter(|n| {
                let login = format!("person{n}");
                let may = throttle.may_try(&login, "10.0.0.9", after(*n));
                throttle.failed(&login, "10.0.0.9", after(*n));
                may
            })
            .count();
        assert!(tried <= 21, "{tried}");
    }
}
