//! *net(d)*: an amount less the reversals that name its record (contract section 5).
//!
//! A reversal acts if it names a payment or payout of the same enterprise or person, period and
//! item (the region may differ), from the day on which both are there. Net is never below zero.

use std::ops::Range;

use domain::{BusinessDate, Money, Period};

use crate::book::{Payment, PaymentReversal, Payout, PayoutReversal, PersonBook};

/// A payment or a payout.
pub(crate) trait Entry {
    /// Its id.
    fn id(&self) -> &str;
    /// When it was paid.
    fn date(&self) -> BusinessDate;
    /// The month and, of payouts, the item: what a reversal must have in common with it.
    fn purpose(&self) -> (Period, &str);
    /// How much.
    fn amount(&self) -> Money;
}

/// A reversal of such an entry.
pub(crate) trait Reversal {
    /// The entry that it names.
    fn reverses(&self) -> &str;
    /// When it was taken back.
    fn date(&self) -> BusinessDate;
    /// As of [`Entry::purpose`].
    fn purpose(&self) -> (Period, &str);
    /// How much.
    fn amount(&self) -> Money;
}

/// Which reversals of a book act on which of its entries.
#[derive(Debug)]
pub(crate) struct Net<'b, E, R> {
    entries: &'b [E],
    reversals: &'b [R],
    /// Pairs of entry and reversal that acts on it, sorted: of one entry by date, then id.
    acting: Vec<(usize, usize)>,
}

impl<'b, E: Entry, R: Reversal> Net<'b, E, R> {
    /// Matches the reversals with the entries, both sorted by date, then id.
    pub fn new(entries: &'b [E], reversals: &'b [R]) -> Self {
        let mut acting = Vec::new();
        if !reversals.is_empty() {
            let mut named: Vec<usize> = (0..reversals.len()).collect();
            named.sort_by_key(|&at| reversals[at].reverses());
            for (entry_at, entry) in entries.iter().enumerate() {
                let from = named.partition_point(|&at| reversals[at].reverses() < entry.id());
                acting.extend(
                    named[from..]
                        .iter()
                        .take_while(|&&at| reversals[at].reverses() == entry.id())
                        .filter(|&&at| reversals[at].purpose() == entry.purpose())
                        .map(|&at| (entry_at, at)),
                );
            }
        }
        Net {
            entries,
            reversals,
            acting,
        }
    }

    /// The entry of an index.
    pub fn entry(&self, index: usize) -> &'b E {
        &self.entries[index]
    }

    /// Whether a reversal acts on the entry, now or later.
    pub fn is_reversed(&self, entry: usize) -> bool {
        !self.acting.is_empty() && !self.pairs(entry).is_empty()
    }

    /// The reversals that act on the entry, each with the day from which it does.
    pub fn reversals_of(&self, entry: usize) -> impl Iterator<Item = (BusinessDate, &'b R)> {
        let paid_on = self.entries[entry].date();
        self.acting[self.pairs(entry)].iter().map(move |&(_, at)| {
            let reversal = &self.reversals[at];
            (paid_on.max(reversal.date()), reversal)
        })
    }

    /// The changes of the entry's net, by day: the entry itself, then what is taken back of it.
    pub fn steps(&self, entry: usize) -> impl Iterator<Item = (BusinessDate, Money)> {
        let record = &self.entries[entry];
        let mut left = record.amount();
        let back = self.reversals_of(entry).map(move |(day, reversal)| {
            let taken = reversal.amount().min(left);
            left -= taken;
            (day, -taken)
        });
        std::iter::once((record.date(), record.amount())).chain(back)
    }

    fn pairs(&self, entry: usize) -> Range<usize> {
        let from = self.acting.partition_point(|&(of, _)| of < entry);
        let length = self.acting[from..].partition_point(|&(of, _)| of == entry);
        from..from + length
    }
}

/// What is left of each of a person's payouts on a day, in the order of the book's list.
pub fn payouts_left(book: &PersonBook<'_>, day: BusinessDate) -> Vec<Money> {
    let net = Net::new(&book.payouts, &book.payout_reversals);
    (0..book.payouts.len())
        .map(|at| {
            let steps = net.steps(at).filter(|(from, _)| *from <= day);
            steps.map(|(_, change)| change).sum()
        })
        .collect()
}

impl Entry for Payment<'_> {
    fn id(&self) -> &str {
        self.id
    }
    fn date(&self) -> BusinessDate {
        self.date
    }
    fn purpose(&self) -> (Period, &str) {
        (self.period, "")
    }
    fn amount(&self) -> Money {
        self.amount
    }
}

impl Entry for Payout<'_> {
    fn id(&self) -> &str {
        self.id
    }
    fn date(&self) -> BusinessDate {
        self.date
    }
    fn purpose(&self) -> (Period, &str) {
        (self.period, self.item)
    }
    fn amount(&self) -> Money {
        self.amount
    }
}

impl Reversal for PaymentReversal<'_> {
    fn reverses(&self) -> &str {
        self.reverses
    }
    fn date(&self) -> BusinessDate {
        self.date
    }
    fn purpose(&self) -> (Period, &str) {
        (self.period, "")
    }
    fn amount(&self) -> Money {
        self.amount
    }
}

impl Reversal for PayoutReversal<'_> {
    fn reverses(&self) -> &str {
        self.reverses
    }
    fn date(&self) -> BusinessDate {
        self.date
    }
    fn purpose(&self) -> (Period, &str) {
        (self.period, self.item)
    }
    fn amount(&self) -> Money {
        self.amount
    }
}
