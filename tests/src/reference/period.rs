//! Months and dates as the contract writes them.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;

/// A month, `YYYY-MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    year: i16,
    month: i8,
}

impl Period {
    /// `YYYY-MM` of the years 1900 to 2199.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        date(&format!("{text}-01")).map(Self::of)
    }

    /// The month that `date` lies in.
    #[must_use]
    pub fn of(date: Date) -> Self {
        Self {
            year: date.year(),
            month: date.month(),
        }
    }

    /// The month after.
    #[must_use]
    pub fn next(self) -> Self {
        Self::of(plus_days(self.last_day(), 1))
    }

    /// The first day.
    #[must_use]
    pub fn first_day(self) -> Date {
        jiff::civil::date(self.year, self.month, 1)
    }

    /// The last day.
    #[must_use]
    pub fn last_day(self) -> Date {
        self.first_day().last_of_month()
    }

    /// Day `day` of the month, or the last one if the month is shorter.
    #[must_use]
    pub fn day_or_last(self, day: u8) -> Date {
        let days = self.first_day().days_in_month();
        let day = i8::try_from(day).map_or(days, |day| day.min(days));
        jiff::civil::date(self.year, self.month, day)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// `YYYY-MM-DD`, a calendar date of the years 1900 to 2199.
#[must_use]
pub fn date(text: &str) -> Option<Date> {
    let digits = |range: std::ops::Range<usize>| -> Option<i16> {
        let part = text.get(range)?;
        let all_digits = part.bytes().all(|byte| byte.is_ascii_digit());
        if all_digits { part.parse().ok() } else { None }
    };
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    if !(1900..=2199).contains(&year) {
        return None;
    }
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The date `days` calendar days later.
#[must_use]
pub fn plus_days(date: Date, days: i64) -> Date {
    date.saturating_add(days.days())
}

/// Every calendar day from `first` to `last`, both included.
pub fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(1.day()).take_while(move |day| *day <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for good in ["1900-01-01", "2199-12-31", "2024-02-29"] {
            assert_eq!(date(good).map(|day| day.to_string()).as_deref(), Some(good));
        }
        for bad in [
            "1899-12-31",
            "2200-01-01",
            "2023-02-29",
            "2024-3-05",
            "20240305",
            "2024-03-05 ",
            "+024-03-05",
            "",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn periods() {
        for bad in [
            "2024-13",
            "2024-00",
            "202402",
            "2024-1",
            "1899-12",
            "2200-01",
            "2024-01-01",
            "+024-01",
        ] {
            assert_eq!(Period::parse(bad), None, "{bad}");
        }
        let december = Period::parse("2023-12").expect("a period");
        assert_eq!(december.next().to_string(), "2024-01");
        assert_eq!(
            december.next().next().day_or_last(31).to_string(),
            "2024-02-29"
        );
        assert_eq!(december.last_day().to_string(), "2023-12-31");
    }
}
