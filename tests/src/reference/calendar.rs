//! Business days and due dates (contract section 3).

use jiff::civil::{Date, Weekday};

use super::period::{Period, plus_days};

/// What a policy adds to Saturday and Sunday.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// Weekdays that are free.
    pub holidays: Vec<Date>,
    /// Weekend days that are worked.
    pub workdays: Vec<Date>,
}

impl Calendar {
    /// "A day is a business day if it is a worked weekend day, or a weekday that is no holiday."
    #[must_use]
    pub fn is_business_day(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        if weekend {
            self.workdays.contains(&day)
        } else {
            !self.holidays.contains(&day)
        }
    }

    /// The due date for a period: day `due_day` of the month after, moved forward.
    #[must_use]
    pub fn due_date(&self, period: Period, due_day: u8) -> Date {
        let mut day = period.next().day_or_last(due_day);
        while !self.is_business_day(day) {
            day = plus_days(day, 1);
        }
        day
    }

    /// The payout date of a period: day `payout_day` of its own month, moved back.
    #[must_use]
    pub fn payout_date(&self, period: Period, payout_day: u8) -> Date {
        let mut day = period.day_or_last(payout_day);
        while !self.is_business_day(day) {
            day = plus_days(day, -1);
        }
        day
    }

    /// The `n`-th business day later than `date`; for 0 the date itself.
    #[must_use]
    pub fn business_days_after(&self, date: Date, n: u32) -> Date {
        let mut day = date;
        let mut counted = 0;
        while counted < n {
            day = plus_days(day, 1);
            if self.is_business_day(day) {
                counted += 1;
            }
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::period::date;

    fn day(text: &str) -> Date {
        date(text).expect("a date")
    }

    fn check_due(period: &str, due_day: u8, expected: &str) {
        let calendar = Calendar {
            holidays: vec![day("2024-06-17")],
            workdays: vec![day("2024-09-15")],
        };
        let period = Period::parse(period).expect("a period");
        assert_eq!(calendar.due_date(period, due_day), day(expected));
    }

    #[test]
    fn due_dates_move_forward() {
        check_due("2024-05", 15, "2024-06-18");
        check_due("2024-08", 15, "2024-09-15");
        check_due("2024-01", 30, "2024-02-29");
        // The last day of June 2024 is a Sunday: the move leaves the month.
        check_due("2024-05", 31, "2024-07-01");
    }

    #[test]
    fn payout_dates_move_back() {
        let period = Period::parse("2024-06").expect("a period");
        let calendar = Calendar::default();
        assert_eq!(calendar.payout_date(period, 1), day("2024-05-31"));
    }

    #[test]
    fn business_days_are_counted_from_the_day_after() {
        let calendar = Calendar::default();
        let saturday = day("2024-03-02");
        assert_eq!(calendar.business_days_after(saturday, 0), saturday);
        assert_eq!(calendar.business_days_after(saturday, 1), day("2024-03-04"));
        assert_eq!(
            calendar.business_days_after(saturday, 10),
            day("2024-03-15")
        );
    }
}
