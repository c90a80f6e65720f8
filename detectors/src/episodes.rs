//! The fold of a timeline into its latest episode.
//!
//! What a detector says changes on few days only: when a fact takes effect, and when a deadline has
//! passed. So a key is not judged day by day: its events are sorted, those of a day are applied
//! together, and the condition is asked for once, as it stands from that day to the next event.

use domain::{BusinessDate, Episode, Money};

/// A key's timeline, folded up to as-of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    /// The latest episode; `None` if the condition never held.
    pub episode: Option<Episode>,
    /// The first event after as-of: until then nothing changes by itself.
    pub next: Option<BusinessDate>,
}

/// Folds events into the latest episode up to `as_of`.
///
/// Events of one day are applied in the order given. `held` is asked at the end of each day that has
/// events: the amount at stake from that day on, or `None` if the condition does not hold.
pub(crate) fn fold<S, E>(
    mut events: Vec<(BusinessDate, E)>,
    as_of: BusinessDate,
    state: &mut S,
    mut apply: impl FnMut(&mut S, &E),
    mut held: impl FnMut(&mut S, BusinessDate) -> Option<Money>,
) -> Folded {
    events.sort_by_key(|(day, _)| *day);
    let mut runs = Runs::default();
    let mut next = None;
    for of_day in events.chunk_by(|(a, _), (b, _)| a == b) {
        let day = of_day[0].0;
        if day > as_of {
            next = Some(day);
            break;
        }
        for (_, event) in of_day {
            apply(state, event);
        }
        runs.from(day, held(state, day));
    }
    Folded {
        episode: runs.latest,
        next,
    }
}

/// The maximal runs of days on which a condition holds: their number and the latest.
#[derive(Debug, Default)]
struct Runs {
    latest: Option<Episode>,
}

impl Runs {
    /// From `day` on the condition holds with an amount, or not. Days ascend.
    fn from(&mut self, day: BusinessDate, held: Option<Money>) {
        match (&mut self.latest, held) {
            (Some(open), Some(amount)) if open.cleared_on.is_none() => {
                open.amount = amount;
                open.peak = open.peak.max(amount);
            }
            (Some(open), None) if open.cleared_on.is_none() => {
                debug_assert!(open.opened_on < day);
                open.cleared_on = Some(day);
                open.amount = Money::ZERO;
            }
            (before, Some(amount)) => {
                let count = before.as_ref().map_or(0, |episode| episode.count) + 1;
                self.latest = Some(Episode {
                    opened_on: day,
                    cleared_on: None,
                    amount,
                    peak: amount,
                    count,
                });
            }
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: u32) -> BusinessDate {
        BusinessDate::from_days(n)
    }

    /// Events are changes of a sum; the condition: the sum is positive.
    fn folded(changes: &[(u32, i128)], as_of: u32) -> Folded {
        let events = changes
            .iter()
            .map(|&(at, change)| (day(at), Money::from_fen(change)))
            .collect();
        fold(
            events,
            day(as_of),
            &mut Money::default(),
            |sum, change| *sum += *change,
            |sum, _| sum.is_positive().then_some(*sum),
        )
    }

    #[test]
    fn nothing_held() {
        for changes in [&[][..], &[(3, 0)], &[(3, 5), (3, -5)]] {
            let never = Folded {
                episode: None,
                next: None,
            };
            assert_eq!(folded(changes, 9), never);
        }
    }

    #[test]
    fn the_latest_of_two_episodes_with_its_own_peak() {
        let changes = [(10, 90), (20, -90), (30, 50), (31, 20), (40, -40), (99, 1)];
        let episode = folded(&changes, 50).episode.unwrap();
        assert_eq!(
            (episode.opened_on, episode.cleared_on, episode.count),
            (day(30), None, 2)
        );
        assert_eq!(
            (episode.amount, episode.peak),
            (Money::from_fen(30), Money::from_fen(70))
        );
        assert_eq!(folded(&changes, 50).next, Some(day(99)));
    }

    #[test]
    fn cleared_keeps_its_peak_and_no_amount() {
        let episode = folded(&[(20, -90), (10, 90)], 25).episode.unwrap();
        assert_eq!(episode.cleared_on, Some(day(20)));
        assert_eq!(
            (episode.amount, episode.peak),
            (Money::ZERO, Money::from_fen(90))
        );
    }

    #[test]
    fn events_after_as_of_do_not_count() {
        let open = folded(&[(10, 90), (20, -90)], 19);
        assert_eq!(open.episode.unwrap().cleared_on, None);
        assert_eq!(open.next, Some(day(20)));
        assert_eq!(folded(&[(10, 90)], 9).episode, None);
    }
}
