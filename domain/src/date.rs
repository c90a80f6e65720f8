//! Business dates and periods, as small integers.
//!
//! Days and months are counted from January 1900, the first of the years that the contract allows:
//! a date needs 17 bits and a period 12, comparisons are those of integers, and the difference of
//! two dates is a subtraction. The calendar is the proleptic Gregorian one, without time of day.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The first year of the contract.
const FIRST_YEAR: u32 = 1900;
/// The last year that a record may name.
const LAST_YEAR: u32 = 2199;
/// Days from 0000-03-01 to 1900-01-01 in the proleptic Gregorian calendar.
const DAYS_TO_1900: u32 = 693_901;

/// A business date in the pool's time zone: days since 1900-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessDate(u32);

impl BusinessDate {
    /// 1900-01-01.
    pub const FIRST: BusinessDate = BusinessDate(0);
    /// 2199-12-31, the last date that a record may name. Arithmetic may pass it.
    pub const LAST: BusinessDate = BusinessDate(109_572);

    /// The date of a calendar day, if there is such a day in 1900 to 2199.
    pub fn from_ymd(year: u32, month: u32, day: u32) -> Option<BusinessDate> {
        let valid = (FIRST_YEAR..=LAST_YEAR).contains(&year)
            && (1..=12).contains(&month)
            && 1 <= day
            && day <= days_in_month(year, month);
        valid.then(|| BusinessDate::of(year, month, day))
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &[u8]) -> Option<BusinessDate> {
        let [a, b, c, d, b'-', e, f, b'-', g, h] = *text else {
            return None;
        };
        BusinessDate::from_ymd(number(&[a, b, c, d])?, number(&[e, f])?, number(&[g, h])?)
    }

    /// From the number of days since 1900-01-01.
    pub const fn from_days(days: u32) -> BusinessDate {
        BusinessDate(days)
    }

    /// The number of days since 1900-01-01.
    pub const fn days(self) -> u32 {
        self.0
    }

    /// Year, month and day.
    pub fn ymd(self) -> (u32, u32, u32) {
        // Days are counted from a 1 March, so that the leap day is the last of its year.
        let days = self.0 + DAYS_TO_1900;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = era * 400 + year_of_era + u32::from(month <= 2);
        (year, month, day)
    }

    /// The month that the day is in.
    pub fn period(self) -> Period {
        let (year, month, _) = self.ymd();
        Period::of(year, month)
    }

    /// The day after.
    pub const fn next(self) -> BusinessDate {
        BusinessDate(self.0 + 1)
    }

    /// The day before; 1900-01-01 has none and stays.
    pub const fn previous(self) -> BusinessDate {
        BusinessDate(self.0.saturating_sub(1))
    }

    /// The day `days` calendar days later.
    pub const fn plus_days(self, days: u32) -> BusinessDate {
        BusinessDate(self.0 + days)
    }

    /// Calendar days from `earlier` to this day; 0 if it is not earlier.
    pub const fn days_since(self, earlier: BusinessDate) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// Monday is 0, Sunday 6.
    pub const fn weekday(self) -> u32 {
        // 1900-01-01 was a Monday.
        self.0 % 7
    }

    fn of(year: u32, month: u32, day: u32) -> BusinessDate {
        let shifted_year = if month <= 2 { year - 1 } else { year };
        let era = shifted_year / 400;
        let year_of_era = shifted_year % 400;
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        BusinessDate(era * 146_097 + day_of_era - DAYS_TO_1900)
    }
}

/// `YYYY-MM-DD`.
impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        f.pad(&format!("{year:04}-{month:02}-{day:02}"))
    }
}

impl fmt::Debug for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A month: the one that a contribution or a benefit belongs to. Months since 1900-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u16);

impl Period {
    /// 1900-01.
    pub const FIRST: Period = Period(0);
    /// 2199-12.
    pub const LAST: Period = Period(3_599);

    /// The month of a year, if it is one of 1900-01 to 2199-12.
    pub fn from_ym(year: u32, month: u32) -> Option<Period> {
        ((FIRST_YEAR..=LAST_YEAR).contains(&year) && (1..=12).contains(&month))
            .then(|| Period::of(year, month))
    }

    /// Reads `YYYY-MM`.
    pub fn parse(text: &[u8]) -> Option<Period> {
        let [a, b, c, d, b'-', e, f] = *text else {
            return None;
        };
        Period::from_ym(number(&[a, b, c, d])?, number(&[e, f])?)
    }

    /// From the number of months since 1900-01.
    pub const fn from_months(months: u16) -> Period {
        Period(months)
    }

    /// The number of months since 1900-01.
    pub const fn months(self) -> u16 {
        self.0
    }

    /// The calendar year.
    pub fn year(self) -> u32 {
        FIRST_YEAR + u32::from(self.0) / 12
    }

    /// The month of the year, 1 to 12.
    pub fn month(self) -> u32 {
        u32::from(self.0) % 12 + 1
    }

    /// The month after.
    pub const fn next(self) -> Period {
        Period(self.0 + 1)
    }

    /// The month before; 1900-01 has none and stays.
    pub const fn previous(self) -> Period {
        Period(self.0.saturating_sub(1))
    }

    /// The month's first day.
    pub fn first_day(self) -> BusinessDate {
        BusinessDate::of(self.year(), self.month(), 1)
    }

    /// The month's last day.
    pub fn last_day(self) -> BusinessDate {
        BusinessDate(self.next().first_day().0 - 1)
    }

    /// The month's day `day`, or its last one if the month is shorter. `day` counts from 1.
    pub fn day(self, day: u32) -> BusinessDate {
        self.first_day()
            .plus_days(day.saturating_sub(1))
            .min(self.last_day())
    }

    fn of(year: u32, month: u32) -> Period {
        Period(
            u16::try_from((year - FIRST_YEAR) * 12 + month - 1)
                .expect("a month up to 5461 fits 16 bits"),
        )
    }
}

/// `YYYY-MM`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.year(), self.month()))
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0'))
    })
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Whether the eight digits `YYYYMMDD` are a calendar date of any year from 0000 on.
pub(crate) fn is_calendar_date(digits: &[u8]) -> bool {
    let [a, b, c, d, e, f, g, h] = *digits else {
        return false;
    };
    match (number(&[a, b, c, d]), number(&[e, f]), number(&[g, h])) {
        (Some(year), Some(month), Some(day)) => {
            (1..=12).contains(&month) && 1 <= day && day <= days_in_month(year, month)
        }
        _ => false,
    }
}

macro_rules! serde_as_text {
    ($type:ty, $what:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let text = String::deserialize(deserializer)?;
                <$type>::parse(text.as_bytes()).ok_or_else(|| {
                    serde::de::Error::custom(format!(
                        concat!("`{}` is no ", $what, " of the years 1900 to 2199"),
                        text
                    ))
                })
            }
        }
    };
}
serde_as_text!(BusinessDate, "date YYYY-MM-DD");
serde_as_text!(Period, "month YYYY-MM");

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks every day of the contract's years with the obvious rules of the calendar.
    #[test]
    fn every_day_of_three_centuries() {
        let mut days = 0;
        for year in 1900..=2199 {
            for month in 1..=12 {
                let period = Period::from_ym(year, month).unwrap();
                assert_eq!((period.year(), period.month()), (year, month));
                let mut last = None;
                for day in 1..=31 {
                    let Some(date) = BusinessDate::from_ymd(year, month, day) else {
                        continue;
                    };
                    assert_eq!(date.days(), days);
                    assert_eq!(date.ymd(), (year, month, day));
                    assert_eq!(date.period(), period);
                    assert_eq!(BusinessDate::parse(date.to_string().as_bytes()), Some(date));
                    assert_eq!(period.day(day), date);
                    last = Some(date);
                    days += 1;
                }
                assert_eq!(Some(period.last_day()), last);
                assert_eq!(Some(period.day(31)), last);
            }
        }
        assert_eq!(BusinessDate::LAST.days() + 1, days);
        assert_eq!(BusinessDate::LAST.next().to_string(), "2200-01-01");
    }

    #[test]
    fn weekdays_of_known_days() {
        // The worked cases: 2024-03-15 is a Friday, 2024-03-10 a Sunday.
        assert_eq!(BusinessDate::parse(b"2024-03-15").unwrap().weekday(), 4);
        assert_eq!(BusinessDate::parse(b"2024-03-10").unwrap().weekday(), 6);
    }

    #[test]
    fn only_the_contracts_spelling_is_read() {
        for text in [
            "2024-02-30",
            "2023-02-29",
            "1900-02-29",
            "2024-3-05",
            "20240305",
            "2024-00-01",
            "2024-01-00",
            "1899-12-31",
            "2200-01-01",
            " 2024-01-01",
            "2024-01-01 ",
            "",
        ] {
            assert_eq!(BusinessDate::parse(text.as_bytes()), None, "{text}");
        }
        assert!(BusinessDate::parse(b"2000-02-29").is_some());
        for text in [
            "2024-13", "2024-00", "202402", "2024/03", "2024-3", "1899-12", "2200-01", "",
        ] {
            assert_eq!(Period::parse(text.as_bytes()), None, "{text}");
        }
    }
}
