//! As-of: up to which business date the facts are known to be complete (contract section 6).

use std::collections::HashMap;

use domain::{BusinessDate, Money, RegionId, Topic};
use serde::{Deserialize, Serialize};

/// An accepted `day_close`, as it travels to every worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// [`Topic::index`].
    pub topic: u8,
    /// [`RegionId`]
    pub region: u16,
    /// Where the record came: greater is later.
    pub position: u64,
    /// The record's id.
    pub id: String,
    /// Days since 1900: everything dated up to it has been sent.
    pub date: u32,
    /// Records said to have been sent since the previous close.
    pub records: u32,
    /// Fen said to have been in them.
    pub fen: i128,
}

impl Close {
    /// The feed.
    pub fn topic(&self) -> Topic {
        Topic::ALL[usize::from(self.topic)]
    }

    /// The region.
    pub fn region(&self) -> RegionId {
        RegionId(self.region)
    }

    /// The day closed.
    pub fn date(&self) -> BusinessDate {
        BusinessDate::from_days(self.date)
    }

    /// The sum said to have been sent.
    pub fn amount(&self) -> Money {
        Money::from_fen(self.fen)
    }

    /// Whether both say the same, position aside.
    fn says_the_same(&self, other: &Close) -> bool {
        (self.date, self.records, self.fen) == (other.date, other.records, other.fen)
    }
}

/// What became of a day close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The first of its id.
    Accepted,
    /// Its id was accepted with the same content.
    Redelivered,
    /// Its id was accepted with another content.
    Conflicting,
}

/// The present, and the last close of each feed.
#[derive(Clone, Debug)]
pub struct Times {
    /// In a replay as-of is one date everywhere.
    fixed: Option<BusinessDate>,
    /// The present follows from the closes, not from the clock.
    present_from_feeds: bool,
    present: Option<BusinessDate>,
    /// By region, then [`Topic::index`].
    closed: Vec<[Option<BusinessDate>; Topic::ALL.len()]>,
    /// Accepted closes by topic, region and id, to tell redeliveries.
    closes: HashMap<(u8, u16, String), Close>,
}

impl Times {
    /// As-of is `date`, whatever the feeds say.
    pub fn fixed(date: BusinessDate) -> Times {
        Times {
            fixed: Some(date),
            present_from_feeds: false,
            present: Some(date),
            closed: Vec::new(),
            closes: HashMap::new(),
        }
    }

    /// As-of follows the closes of `regions` regions; the present the clock, or with
    /// `present_from_feeds` the greatest date closed.
    pub fn live(regions: usize, present_from_feeds: bool) -> Times {
        Times {
            fixed: None,
            present_from_feeds,
            present: None,
            closed: vec![[None; Topic::ALL.len()]; regions],
            closes: HashMap::new(),
        }
    }

    /// Takes a close; as-of never moves back.
    pub fn close(&mut self, close: &Close) -> Closing {
        let key = (close.topic, close.region, close.id.clone());
        if let Some(known) = self.closes.get(&key) {
            return if known.says_the_same(close) {
                Closing::Redelivered
            } else {
                Closing::Conflicting
            };
        }
        self.closes.insert(key, close.clone());
        if let Some(closed) = self.closed.get_mut(usize::from(close.region)) {
            let closed = &mut closed[usize::from(close.topic)];
            *closed = (*closed).max(Some(close.date()));
        }
        if self.present_from_feeds {
            self.present = self.present.max(Some(close.date()));
        }
        Closing::Accepted
    }

    /// The clock says that it is `date`; ignored where the feeds say, and never moves back.
    pub fn clock(&mut self, date: BusinessDate) {
        if !self.present_from_feeds && self.fixed.is_none() {
            self.present = self.present.max(Some(date));
        }
    }

    /// The present business date; `None` while nobody said.
    pub fn present(&self) -> Option<BusinessDate> {
        self.present
    }

    /// The date up to which all of the topics are closed in the region;
    /// `None` while one of them never closed.
    pub fn closed(&self, topics: &[Topic], region: RegionId) -> Option<BusinessDate> {
        if self.fixed.is_some() {
            return self.fixed;
        }
        let closed = self.closed.get(region.index())?;
        topics
            .iter()
            .map(|topic| closed[topic.index()])
            .min()
            .flatten()
    }
}
