//! Records of a book by period.
//!
//! A book's lists are sorted by date, and most subjects' records come month after month: then the
//! list is in order of period as well, and nothing is sorted or allocated.

use std::ops::Range;

use domain::{BusinessDate, Period};

use crate::book::{Declaration, Payment, Payout, Payroll};

/// A record that belongs to a period.
pub(crate) trait OfPeriod {
    /// The month that it belongs to.
    fn period(&self) -> Period;
}

macro_rules! of_period {
    ($($record:ident)+) => {
        $(impl OfPeriod for $record<'_> {
            fn period(&self) -> Period {
                self.period
            }
        })+
    };
}
of_period!(Declaration Payroll Payment Payout);

/// A list of records in the order of period, then date, then id. A *place* is a position in this
/// order, an *index* one in the book's list.
#[derive(Debug)]
pub(crate) struct ByPeriod<'b, T> {
    records: &'b [T],
    /// The index at each place; empty if the list is in order as it is.
    order: Vec<usize>,
}

impl<'b, T: OfPeriod> ByPeriod<'b, T> {
    /// Orders a list that is sorted by date, then id.
    pub fn new(records: &'b [T]) -> Self {
        let mut order = Vec::new();
        if !records.is_sorted_by_key(T::period) {
            order.extend(0..records.len());
            order.sort_by_key(|&index| records[index].period());
        }
        ByPeriod { records, order }
    }

    /// The index of the record at a place.
    pub fn index(&self, place: usize) -> usize {
        if self.order.is_empty() {
            place
        } else {
            self.order[place]
        }
    }

    /// The record at a place.
    pub fn get(&self, place: usize) -> &'b T {
        &self.records[self.index(place)]
    }

    /// The records of some places, by date, then id if they are of one period.
    pub fn records(&self, places: Range<usize>) -> impl DoubleEndedIterator<Item = &'b T> {
        places.map(|place| self.get(place))
    }

    /// A cursor before the first period.
    pub fn cursor(&self) -> Cursor<'_, 'b, T> {
        Cursor { list: self, at: 0 }
    }

    /// The places of a period.
    pub fn places(&self, period: Period) -> Range<usize> {
        let before = |bound: &dyn Fn(Period) -> bool| {
            let (mut low, mut high) = (0, self.records.len());
            while low < high {
                let middle = low.midpoint(high);
                if bound(self.get(middle).period()) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            low
        };
        before(&|of| of < period)..before(&|of| of <= period)
    }
}

/// Walks a list from period to period, forwards.
#[derive(Debug)]
pub(crate) struct Cursor<'l, 'b, T> {
    list: &'l ByPeriod<'b, T>,
    at: usize,
}

impl<T: OfPeriod> Cursor<'_, '_, T> {
    /// The places of a period that is after the last one asked for.
    pub fn seek(&mut self, period: Period) -> Range<usize> {
        while self.of_next().is_some_and(|of| of < period) {
            self.at += 1;
        }
        self.take(period)
    }

    /// The places of the next period that has records.
    pub fn next_group(&mut self) -> Option<(Period, Range<usize>)> {
        let period = self.of_next()?;
        Some((period, self.take(period)))
    }

    fn take(&mut self, period: Period) -> Range<usize> {
        let start = self.at;
        while self.of_next() == Some(period) {
            self.at += 1;
        }
        start..self.at
    }

    fn of_next(&self) -> Option<Period> {
        if self.list.order.is_empty() {
            return self.list.records.get(self.at).map(T::period);
        }
        let index = *self.list.order.get(self.at)?;
        Some(self.list.records[index].period())
    }
}

/// The place up to which the records of a list sorted by date are dated up to a day.
pub(crate) fn dated_up_to<T>(
    records: &[T],
    date: impl Fn(&T) -> BusinessDate,
    day: BusinessDate,
) -> usize {
    match records.last() {
        Some(last) if date(last) > day => records.partition_point(|record| date(record) <= day),
        _ => records.len(),
    }
}

/// The first date after a day in a list sorted by date.
pub(crate) fn first_after<T>(
    records: &[T],
    date: impl Fn(&T) -> BusinessDate,
    day: BusinessDate,
) -> Option<BusinessDate> {
    records.get(dated_up_to(records, &date, day)).map(date)
}
