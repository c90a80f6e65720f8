//! The way out: lines in sending order, control totals, and the ways in which sending goes wrong.

use std::collections::BTreeMap;
use std::io;

use domain::{BusinessDate, RegionCode, Topic};

use crate::dice::{Dice, Purpose};
use crate::record::{Id, Line, Record};
use crate::truth::Truth;

/// One line of this many is sent twice.
const REDELIVERED_OF: u64 = 4_000;

/// How a record gets from the source to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// On its day.
    AtOnce,
    /// Only on that later day; the close of that day counts it.
    Late(BusinessDate),
    /// Lost on the way and there only on that later day; the close of its own day counted it.
    Lost(BusinessDate),
}

/// A feed of a region that goes quiet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    pub(crate) topic: Topic,
    pub(crate) region: usize,
    /// The first day without a close.
    pub(crate) from: BusinessDate,
    /// The day on which it sends everything that was held back; `None`: it never speaks again.
    pub(crate) until: Option<BusinessDate>,
}

/// What a region has sent on a topic since its last close.
#[derive(Clone, Copy, Debug, Default)]
struct Control {
    records: u64,
    fen: i128,
}

/// A line that waits for its day.
#[derive(Debug)]
struct Held {
    topic: Topic,
    region: usize,
    json: Vec<u8>,
    /// What it adds to the control totals when it is sent: nothing if it was counted before.
    counts: Option<Option<i64>>,
}

/// What was sent, by topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sent {
    /// All lines.
    lines: u64,
    /// Of them, those that repeat an earlier one.
    redelivered: u64,
}

/// Where the lines go, and the accounts of what went.
pub(crate) struct Post<'a> {
    sink: &'a mut dyn FnMut(Line<'_>) -> io::Result<()>,
    dice: &'a Dice,
    regions: Vec<RegionCode>,
    today: BusinessDate,
    control: Vec<[Control; Topic::ALL.len()]>,
    held: BTreeMap<BusinessDate, Vec<Held>>,
    again: Vec<(Topic, usize, Vec<u8>)>,
    again_from: usize,
    silences: Vec<Silence>,
    sent: [Sent; Topic::ALL.len()],
    /// Records sent on their day so far.
    normal: u64,
    redelivers: bool,
}

/// The id of a region's close of a day, on each topic.
pub(crate) fn close_id(region: RegionCode, day: BusinessDate) -> Id {
    Id::new("C").word(region.as_str()).letter(b'-').day(day)
}

impl<'a> Post<'a> {
    pub(crate) fn new(
        sink: &'a mut dyn FnMut(Line<'_>) -> io::Result<()>,
        dice: &'a Dice,
        regions: Vec<RegionCode>,
        silences: Vec<Silence>,
    ) -> Post<'a> {
        Post {
            sink,
            dice,
            control: vec![Default::default(); regions.len()],
            regions,
            today: BusinessDate::FIRST,
            held: BTreeMap::new(),
            again: Vec::new(),
            again_from: 0,
            silences,
            sent: Default::default(),
            normal: 0,
            redelivers: true,
        }
    }

    /// Every line is sent once, on its day.
    pub(crate) fn without_redelivery(
        sink: &'a mut dyn FnMut(Line<'_>) -> io::Result<()>,
        dice: &'a Dice,
        regions: Vec<RegionCode>,
    ) -> Post<'a> {
        Post {
            redelivers: false,
            ..Post::new(sink, dice, regions, Vec::new())
        }
    }

    /// The counts of what was sent, as a truth of which nothing was planted so far.
    pub(crate) fn into_truth(self, seed: u64, as_of: BusinessDate) -> Truth {
        let of = |count: fn(&Sent) -> u64| {
            Topic::ALL
                .into_iter()
                .map(|topic| (topic, count(&self.sent[topic.index()])))
                .collect()
        };
        Truth {
            seed,
            as_of,
            records: of(|sent| sent.lines),
            redelivered: of(|sent| sent.redelivered),
            rejected: BTreeMap::new(),
            planted: Vec::new(),
        }
    }

    /// A new day begins.
    pub(crate) fn begin_day(&mut self, today: BusinessDate) {
        self.today = today;
        // What is to be repeated was sent before this day.
        self.again_from = self.again.len();
    }

    /// Sends a record of today.
    pub(crate) fn send(
        &mut self,
        topic: Topic,
        region: usize,
        record: &mut Record,
        delivery: Delivery,
    ) -> io::Result<()> {
        let (json, fen) = record.end();
        let delivery = match self.silence(topic, region) {
            None => delivery,
            Some(Silence { until: None, .. }) => return Ok(()),
            Some(Silence {
                until: Some(day), ..
            }) => Delivery::Late(day),
        };
        let (day, counts) = match delivery {
            Delivery::AtOnce => {
                self.count(topic, region, fen);
                self.remember(topic, region, json);
                return self.line(topic, region, json);
            }
            Delivery::Late(day) => (day, Some(fen)),
            Delivery::Lost(day) => {
                self.count(topic, region, fen);
                (day, None)
            }
        };
        self.held.entry(day).or_default().push(Held {
            topic,
            region,
            json: json.to_vec(),
            counts,
        });
        Ok(())
    }

    /// Sends bytes that no control total counts, because they are no record that counts.
    pub(crate) fn send_junk(
        &mut self,
        topic: Topic,
        region: usize,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.line(topic, region, bytes)
    }

    /// Ends a day: late and repeated lines, then, on a business day, the closes.
    pub(crate) fn end_day(&mut self, is_business_day: bool, record: &mut Record) -> io::Result<()> {
        for held in self.held.remove(&self.today).unwrap_or_default() {
            if let Some(fen) = held.counts {
                self.count(held.topic, held.region, fen);
            }
            self.line(held.topic, held.region, &held.json)?;
        }
        if !is_business_day {
            return Ok(());
        }
        let again: Vec<_> = self.again.drain(..self.again_from).collect();
        self.again_from = 0;
        for (topic, region, json) in again {
            if self.silence(topic, region).is_none() {
                self.sent[topic.index()].redelivered += 1;
                self.line(topic, region, &json)?;
            }
        }
        for topic in Topic::ALL {
            for region in 0..self.regions.len() {
                self.close(topic, region, record)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, topic: Topic, region: usize, record: &mut Record) -> io::Result<()> {
        if self.silence(topic, region).is_some() {
            return Ok(());
        }
        let control = std::mem::take(&mut self.control[region][topic.index()]);
        let id = close_id(self.regions[region], self.today);
        let (json, _) = record
            .begin(&id, "day_close", self.regions[region], self.today)
            .count("records", control.records)
            .large_money("amount", control.fen)
            .end();
        self.line(topic, region, json)
    }

    fn count(&mut self, topic: Topic, region: usize, fen: Option<i64>) {
        let control = &mut self.control[region][topic.index()];
        control.records += 1;
        control.fen += i128::from(fen.unwrap_or(0));
    }

    fn line(&mut self, topic: Topic, region: usize, json: &[u8]) -> io::Result<()> {
        self.sent[topic.index()].lines += 1;
        (self.sink)(Line {
            topic,
            region: self.regions[region],
            date: self.today,
            json,
        })
    }

    /// Keeps one line in thousands, to be sent once more on the next business day.
    fn remember(&mut self, topic: Topic, region: usize, json: &[u8]) {
        self.normal += 1;
        let draw = self.dice.roll(Purpose::Redelivery, self.normal);
        if self.redelivers && draw.below(REDELIVERED_OF) == 0 {
            self.again.push((topic, region, json.to_vec()));
        }
    }

    fn silence(&self, topic: Topic, region: usize) -> Option<Silence> {
        self.silences.iter().copied().find(|silence| {
            silence.topic == topic
                && silence.region == region
                && silence.from <= self.today
                && silence.until.is_none_or(|day| self.today < day)
        })
    }
}
