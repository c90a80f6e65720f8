//! The business calendar: which days are worked, and how due dates move.
//!
//! Three centuries of days are a bitmap of 14 KB, so that asking for a day is one look-up. Knows
//! dates only; where holidays come from is the policy's business.

use std::fmt;

use domain::BusinessDate;

/// Days in the bitmap: all that a record may name.
const DAYS: usize = BusinessDate::LAST.days() as usize + 1;

/// Business days: weekdays that are no holiday, and weekend days that are worked (调休).
///
/// Arithmetic may pass 2199-12-31; the days beyond go by the week alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Calendar {
    /// One bit a day from 1900-01-01 on: set if it is a business day.
    worked: Box<[u64]>,
    covered_until: Option<BusinessDate>,
}

impl Calendar {
    /// The calendar with these exceptions from the week. Both lists may name a day twice, but no
    /// day may be in both.
    pub fn new(holidays: &[BusinessDate], workdays: &[BusinessDate]) -> Calendar {
        let mut calendar = Calendar {
            worked: vec![0; DAYS.div_ceil(64)].into_boxed_slice(),
            covered_until: holidays.iter().chain(workdays).max().copied(),
        };
        let mut day = BusinessDate::FIRST;
        while day <= BusinessDate::LAST {
            calendar.set(day, is_weekday(day));
            day = day.next();
        }
        for &day in holidays {
            calendar.set(day, false);
        }
        for &day in workdays {
            calendar.set(day, true);
        }
        calendar
    }

    /// Whether the day is worked.
    pub fn is_business_day(&self, day: BusinessDate) -> bool {
        if BusinessDate::LAST < day {
            return is_weekday(day);
        }
        let at = day.days() as usize;
        self.worked[at / 64] >> (at % 64) & 1 == 1
    }

    /// The day, or the next business day if it is none: how a due date moves.
    pub fn on_or_after(&self, mut day: BusinessDate) -> BusinessDate {
        while !self.is_business_day(day) {
            day = day.next();
        }
        day
    }

    /// The day, or the previous business day if it is none: how a payout date moves. Stops at
    /// 1900-01-01, before which there is no day.
    pub fn on_or_before(&self, mut day: BusinessDate) -> BusinessDate {
        while BusinessDate::FIRST < day && !self.is_business_day(day) {
            day = day.previous();
        }
        day
    }

    /// The `n`-th business day later than `day`; for 0 the day itself, worked or not.
    pub fn plus_business_days(&self, mut day: BusinessDate, n: u32) -> BusinessDate {
        for _ in 0..n {
            day = self.on_or_after(day.next());
        }
        day
    }

    /// How many business days are later than `earlier` and not later than `day`: the age of
    /// something in business days. 0 if `day` is not the later one.
    pub fn business_days_between(&self, earlier: BusinessDate, day: BusinessDate) -> u32 {
        (1..=day.days_since(earlier))
            .map(|days| u32::from(self.is_business_day(earlier.plus_days(days))))
            .sum()
    }

    /// The last day that the lists of holidays and worked days name: up to the end of its year the
    /// calendar can be taken to know the exceptions. `None` if it knows none at all.
    pub const fn covered_until(&self) -> Option<BusinessDate> {
        self.covered_until
    }

    fn set(&mut self, day: BusinessDate, is_worked: bool) {
        let at = day.days() as usize;
        let bit = 1 << (at % 64);
        if is_worked {
            self.worked[at / 64] |= bit;
        } else {
            self.worked[at / 64] &= !bit;
        }
    }
}

/// The bitmap says nothing to a reader.
impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calendar")
            .field("covered_until", &self.covered_until)
            .finish_non_exhaustive()
    }
}

/// Monday to Friday.
pub(crate) const fn is_weekday(day: BusinessDate) -> bool {
    day.weekday() < 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> BusinessDate {
        BusinessDate::parse(text.as_bytes()).unwrap()
    }

    /// Spring Festival 2024: off from Saturday 10 to Saturday 17 February; Sundays 4 and 18 worked.
    fn spring_2024() -> Calendar {
        let off: Vec<_> = (10..=17)
            .map(|day| BusinessDate::from_ymd(2024, 2, day).unwrap())
            .collect();
        Calendar::new(&off, &[date("2024-02-04"), date("2024-02-18")])
    }

    #[test]
    fn days_move_over_a_festival() {
        let calendar = spring_2024();
        for (day, after, before) in [
            ("2024-02-09", "2024-02-09", "2024-02-09"),
            ("2024-02-10", "2024-02-18", "2024-02-09"),
            ("2024-02-15", "2024-02-18", "2024-02-09"),
            ("2024-02-04", "2024-02-04", "2024-02-04"),
            ("2024-02-03", "2024-02-04", "2024-02-02"),
            ("2024-02-24", "2024-02-26", "2024-02-23"),
        ] {
            assert_eq!(calendar.on_or_after(date(day)), date(after), "after {day}");
            assert_eq!(
                calendar.on_or_before(date(day)),
                date(before),
                "before {day}"
            );
        }
    }

    #[test]
    fn business_days_are_counted_from_the_day_after() {
        let calendar = spring_2024();
        for (day, n, later) in [
            ("2024-02-10", 0, "2024-02-10"),
            ("2024-02-02", 1, "2024-02-04"),
            ("2024-02-03", 1, "2024-02-04"),
            ("2024-02-08", 1, "2024-02-09"),
            ("2024-02-08", 2, "2024-02-18"),
            ("2024-02-08", 7, "2024-02-23"),
        ] {
            let found = calendar.plus_business_days(date(day), n);
            assert_eq!(found, date(later), "{day} + {n}");
            let is_start_worked = n > 0;
            assert!(!is_start_worked || calendar.business_days_between(date(day), found) == n);
        }
        assert_eq!(
            calendar.business_days_between(date("2024-02-09"), date("2024-02-09")),
            0
        );
        assert_eq!(
            calendar.business_days_between(date("2024-02-09"), date("2024-02-17")),
            0
        );
    }

    #[test]
    fn the_ends_of_the_contracts_years() {
        let calendar = Calendar::new(&[BusinessDate::FIRST, BusinessDate::LAST], &[]);
        assert!(!calendar.is_business_day(BusinessDate::FIRST));
        assert_eq!(
            calendar.on_or_before(BusinessDate::FIRST),
            BusinessDate::FIRST
        );
        // 2199-12-31 is a Tuesday.
        assert_eq!(
            calendar.on_or_after(BusinessDate::LAST),
            BusinessDate::LAST.next()
        );
        assert_eq!(
            calendar.plus_business_days(BusinessDate::LAST, 4).weekday(),
            0
        );
        assert_eq!(calendar.covered_until(), Some(BusinessDate::LAST));
        assert_eq!(Calendar::new(&[], &[]).covered_until(), None);
    }
}
