//! Entries that apply from a month on, and what is computed of them once for every month.

use domain::{BusinessDate, Period};

/// A due or payout date of a month, and how long it may be overrun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The day itself, after the move to a business day.
    pub date: BusinessDate,
    /// With the grace days: the last day that is still in time.
    pub deadline: BusinessDate,
}

/// The months that a record may name.
const MONTHS: u16 = Period::LAST.months() + 1;

/// A dated table of the policy by month, with the due dates of three centuries of months: the
/// detectors ask for them once a subject and month, millions of times.
#[derive(Clone, Debug)]
pub(crate) struct ByMonth<T> {
    /// By `from`, ascending; not empty, no two alike.
    entries: Vec<T>,
    /// The `from` of each entry.
    from: Vec<Period>,
    /// For each month since 1900-01, what `due` said; `None` before the first entry.
    due: Box<[Option<Due>]>,
}

impl<T> ByMonth<T> {
    /// The table of these entries, in any order. `due` says when a month is due under an entry.
    pub(crate) fn new(
        mut entries: Vec<T>,
        from: impl Fn(&T) -> Period,
        due: impl Fn(&T, Period) -> Due,
    ) -> ByMonth<T> {
        entries.sort_by_key(&from);
        let mut table = ByMonth {
            from: entries.iter().map(&from).collect(),
            entries,
            due: Box::default(),
        };
        table.due = (0..MONTHS)
            .map(Period::from_months)
            .map(|month| Some(due(table.at(month)?, month)))
            .collect();
        table
    }

    /// The entry that applies to a month.
    pub(crate) fn at(&self, month: Period) -> Option<&T> {
        let count = self.from.partition_point(|&from| from <= month);
        self.entries.get(count.checked_sub(1)?)
    }

    /// When a month is due. `None` before the first entry and after 2199-12.
    pub(crate) fn due(&self, month: Period) -> Option<Due> {
        *self.due.get(usize::from(month.months()))?
    }

    /// All entries, the earliest first.
    pub(crate) fn entries(&self) -> &[T] {
        &self.entries
    }
}

/// The entries of a dated table that may be empty, by month.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries<T>(Vec<(Period, T)>);

impl<T> Entries<T> {
    /// The table of these entries, in any order, no two of one month.
    pub(crate) fn new(entries: Vec<T>, from: impl Fn(&T) -> Period) -> Entries<T> {
        let mut entries: Vec<_> = entries
            .into_iter()
            .map(|entry| (from(&entry), entry))
            .collect();
        entries.sort_by_key(|(from, _)| *from);
        Entries(entries)
    }

    /// The entry that applies to a month.
    pub(crate) fn at(&self, month: Period) -> Option<&T> {
        let count = self.0.partition_point(|(from, _)| *from <= month);
        self.0.get(count.checked_sub(1)?).map(|(_, entry)| entry)
    }
}
