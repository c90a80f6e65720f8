//! When digests and signs of life go out: by the pool's business calendar and time zone.
//!
//! Pure: whoever asks says from when on. A time that the zone skips is taken as the zone has it next.

use std::sync::Arc;

use domain::BusinessDate;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use rules::{Calendar, Policy};

/// Days that are looked through for a business day: more than any row of holidays.
const DAYS_MAX: u32 = 400;
const DAYS_IN_WEEK: u32 = 7;

/// The times of one pool.
#[derive(Clone)]
pub struct Timetable {
    policy: Arc<Policy>,
    zone: TimeZone,
    digest_at: Time,
    life_on: Option<u32>,
}

impl Timetable {
    /// Digests go out at `digest_at` on business days; signs of life at that time on the weekday
    /// `life_on` (0: Monday), or on the next business day.
    ///
    /// # Errors
    /// There is no such time zone as the policy names.
    pub fn new(
        policy: Arc<Policy>,
        digest_at: Time,
        life_on: Option<u32>,
    ) -> Result<Timetable, jiff::Error> {
        Ok(Timetable {
            zone: TimeZone::get(&policy.pool.time_zone)?,
            policy,
            digest_at,
            life_on,
        })
    }

    /// The pool's calendar.
    pub fn calendar(&self) -> &Calendar {
        self.policy.calendar()
    }

    /// The day of a moment in the pool.
    pub fn day(&self, at: Timestamp) -> BusinessDate {
        let date = at.to_zoned_datetime(self.zone.clone()).date();
        let part = |number: i8| u32::try_from(number).unwrap_or(1);
        let year = u32::try_from(date.year()).unwrap_or_default();
        BusinessDate::from_ymd(year, part(date.month()), part(date.day()))
            .unwrap_or(BusinessDate::FIRST)
    }

    /// A moment as a reader's clock shows it, with its distance from UTC: `2024-04-01 16:00 UTC+08`.
    pub fn clock_text(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone())
            .strftime("%Y-%m-%d %H:%M UTC%:::z")
            .to_string()
    }

    /// The first time for a digest after a moment.
    pub fn digest_after(&self, since: Timestamp) -> Timestamp {
        let today = self.day(since);
        (0..DAYS_MAX)
            .map(|days| today.plus_days(days))
            .filter(|day| self.calendar().is_business_day(*day))
            .map(|day| self.on(day))
            .find(|slot| since < *slot)
            .unwrap_or(Timestamp::MAX)
    }

    /// The first time for a sign of life after a moment; `None` if there are none.
    pub fn life_after(&self, since: Timestamp) -> Option<Timestamp> {
        let weekday = self.life_on?;
        let today = self.day(since);
        let back = (today.weekday() + DAYS_IN_WEEK - weekday) % DAYS_IN_WEEK;
        // From a week earlier on: that week's may have been moved past today.
        let first = today.days().saturating_sub(back + DAYS_IN_WEEK);
        (0..DAYS_MAX / DAYS_IN_WEEK)
            .map(|weeks| BusinessDate::from_days(first + weeks * DAYS_IN_WEEK))
            .map(|day| self.on(self.calendar().on_or_after(day)))
            .find(|slot| since < *slot)
    }

    /// The time of digests on a day.
    fn on(&self, day: BusinessDate) -> Timestamp {
        let (year, month, day) = day.ymd();
        let part = |number: u32| i8::try_from(number).unwrap_or(1);
        let year = i16::try_from(year).unwrap_or(i16::MAX);
        Date::new(year, part(month), part(day))
            .and_then(|date| {
                date.to_datetime(self.digest_at)
                    .to_zoned_datetime(self.zone.clone())
            })
            .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }
}

/// The zone and the times; the policy is long.
impl std::fmt::Debug for Timetable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timetable")
            .field("zone", &self.policy.pool.time_zone)
            .field("digest_at", &self.digest_at)
            .field("life_on", &self.life_on)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn huangshan(life_on: Option<u32>) -> Timetable {
        let policy = Arc::new(Policy::huangshan());
        Timetable::new(policy, jiff::civil::time(8, 30, 0, 0), life_on).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// 08:30 in Shanghai is 00:30 UTC. National Day 2024: off from Tuesday 1 to Monday 7 October;
    /// Sunday 29 September and Saturday 12 October worked.
    #[test]
    fn digests_go_out_on_business_days() {
        let table = huangshan(None);
        for (since, expected) in [
            ("2024-09-25T00:29:59Z", "2024-09-25T00:30:00Z"),
            ("2024-09-25T00:30:00Z", "2024-09-26T00:30:00Z"),
            ("2024-09-27T12:00:00Z", "2024-09-29T00:30:00Z"),
            ("2024-09-30T01:00:00Z", "2024-10-08T00:30:00Z"),
            ("2024-10-11T01:00:00Z", "2024-10-12T00:30:00Z"),
            // Still Thursday in UTC, already Friday in Shanghai.
            ("2024-09-26T16:30:00Z", "2024-09-27T00:30:00Z"),
        ] {
            assert_eq!(table.digest_after(at(since)), at(expected), "{since}");
        }
    }

    #[test]
    fn a_sign_of_life_a_week_moved_past_holidays() {
        let table = huangshan(Some(0));
        for (since, expected) in [
            // Monday 23 September, and the Monday after it.
            ("2024-09-22T00:00:00Z", "2024-09-23T00:30:00Z"),
            ("2024-09-23T00:30:00Z", "2024-09-30T00:30:00Z"),
            // Monday 7 October is off: Tuesday.
            ("2024-09-30T00:30:00Z", "2024-10-08T00:30:00Z"),
            ("2024-10-07T12:00:00Z", "2024-10-08T00:30:00Z"),
            ("2024-10-08T00:30:00Z", "2024-10-14T00:30:00Z"),
        ] {
            assert_eq!(table.life_after(at(since)), Some(at(expected)), "{since}");
        }
        assert_eq!(huangshan(None).life_after(at("2024-09-22T00:00:00Z")), None);
    }

    #[test]
    fn clocks_show_the_zone() {
        let text = huangshan(None).clock_text(at("2024-04-01T08:00:00Z"));
        assert_eq!(text, "2024-04-01 16:00 UTC+08");
    }
}
