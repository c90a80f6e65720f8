//! How long to wait before the next attempt.

use jiff::SignedDuration;

/// Before the second attempt; doubled before each further one up to the maximum.
const FIRST_SECONDS: i64 = 15;
const MAX_SECONDS: i64 = 15 * 60;

/// The pause after so many attempts before: doubled each time up to the maximum, less up to a
/// quarter that depends on the name, so that what failed together does not return together.
pub fn pause(name: &str, attempts: u32) -> SignedDuration {
    let doubled = FIRST_SECONDS.saturating_mul(1 << attempts.min(20));
    let full = faults::patience(doubled.min(MAX_SECONDS) * 1_000);
    let hash = blake3::hash(format!("{attempts} {name}").as_bytes());
    let share = i64::from(hash.as_bytes()[0]);
    SignedDuration::from_millis(full - full / 4 * share / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_quarter_of_an_hour() {
        for (attempts, seconds) in [(0, 15), (1, 30), (2, 60), (5, 480), (6, 900), (4_000, 900)] {
            let pause = pause("a.1.b@c", attempts).as_millis();
            assert!(
                (seconds * 750..=seconds * 1_000).contains(&pause),
                "{attempts}: {pause}"
            );
        }
        assert_ne!(pause("a.1.b@c", 3), pause("a.2.b@c", 3));
    }
}
