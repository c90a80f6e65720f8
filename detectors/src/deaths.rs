//! What is known of a person's death on a day.
//!
//! A report counts from its date on, until a cancellation of the same person that names it is there
//! too. Of several reports the earliest day of death decides.

use std::collections::BTreeMap;

use domain::BusinessDate;

use crate::book::{Death, PersonBook};

/// How the day of death changes, as it is known.
#[derive(Debug)]
pub(crate) struct KnownDeaths {
    /// From a day on: the earliest day of death of the reports not cancelled. Sorted by day.
    changes: Vec<(BusinessDate, Option<BusinessDate>)>,
}

impl KnownDeaths {
    /// From the reports and cancellations of a book.
    pub fn of(book: &PersonBook<'_>) -> KnownDeaths {
        let cancelled = cancelled_on(book);
        let mut events: Vec<(BusinessDate, BusinessDate, bool)> = Vec::new();
        for (death, cancelled_on) in book.deaths.iter().zip(cancelled) {
            events.push((death.date, death.died_on, true));
            events.extend(cancelled_on.map(|day| (day, death.died_on, false)));
        }
        events.sort_unstable_by_key(|&(day, ..)| day);

        let mut reports: BTreeMap<BusinessDate, i64> = BTreeMap::new();
        let mut changes: Vec<(BusinessDate, Option<BusinessDate>)> = Vec::new();
        for of_day in events.chunk_by(|a, b| a.0 == b.0) {
            for &(_, died_on, reported) in of_day {
                let count = reports.entry(died_on).or_default();
                *count += if reported { 1 } else { -1 };
                if *count == 0 {
                    reports.remove(&died_on);
                }
            }
            let earliest = reports.keys().next().copied();
            if changes.last().and_then(|&(_, before)| before) != earliest {
                changes.push((of_day[0].0, earliest));
            }
        }
        KnownDeaths { changes }
    }

    /// The days on which it changes, with what holds from then on.
    pub fn changes(&self) -> &[(BusinessDate, Option<BusinessDate>)] {
        &self.changes
    }
}

/// The reports that are there on a day and not cancelled on it.
pub(crate) fn uncancelled<'b, 'a>(
    book: &'b PersonBook<'a>,
    day: BusinessDate,
) -> impl Iterator<Item = &'b Death<'a>> {
    book.deaths
        .iter()
        .zip(cancelled_on(book))
        .filter(move |(death, cancelled_on)| {
            death.date <= day && cancelled_on.is_none_or(|cancelled| cancelled > day)
        })
        .map(|(death, _)| death)
}

/// For each report the day from which it is cancelled, not before its own.
fn cancelled_on(book: &PersonBook<'_>) -> Vec<Option<BusinessDate>> {
    let mut first: BTreeMap<&str, BusinessDate> = BTreeMap::new();
    for cancellation in &book.cancellations {
        // They come by date: the first is the one that counts.
        first
            .entry(cancellation.reverses)
            .or_insert(cancellation.date);
    }
    book.deaths
        .iter()
        .map(|death| Some(*first.get(death.id)?.max(&death.date)))
        .collect()
}
