//! What was planted, and what is to be found.

use std::collections::BTreeMap;

use domain::{BusinessDate, Detector, Money, Period, RegionCode, Topic};
use serde::Serialize;

/// What the alert of a planted irregularity is to be on the last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// An open alert.
    Open,
    /// An alert that has cleared.
    Cleared,
    /// No alert of a detector of facts: it is for the feeds' own detectors, the dead letter or nobody.
    None,
}

/// One irregularity.
#[derive(Clone, Debug, Serialize)]
pub struct Planted {
    /// Its shape, e.g. `arrears-partial`.
    pub kind: &'static str,
    /// The detector that has to find it; `null` for faults of feeds that have none.
    #[serde(serialize_with = "detector_name")]
    pub detector: Option<Detector>,
    /// The enterprise, person (in full: nobody has this number), region, transfer or topic.
    pub subject: String,
    /// The period of the alert's key.
    pub period: Option<Period>,
    /// The item of the alert's key; of the feeds' own detectors, the topic, or topic and close.
    pub item: Option<String>,
    /// The region of the alert.
    pub region: RegionCode,
    /// The topic, where the irregularity is one of a feed.
    #[serde(serialize_with = "topic_name")]
    pub topic: Option<Topic>,
    /// The reason, where records are to be rejected.
    pub reason: Option<&'static str>,
    /// How well the deaths of a `deceased-recipient` match (`details.match`): `A`, `B` or `C`.
    pub grade: Option<&'static str>,
    /// The date of the first record that is wrong or missing.
    pub planted_on: BusinessDate,
    /// The first day on which the condition holds. Of `silent-feed`, which the configuration gives some
    /// time, the first day without a close.
    pub opened_on: Option<BusinessDate>,
    /// The day on which it holds no more.
    pub cleared_on: Option<BusinessDate>,
    /// What the alert is to be on the last day.
    pub expected: Expected,
    /// The highest amount at stake: the alert's `peak`.
    pub amount: Money,
    /// What was done, in a sentence.
    pub why: &'static str,
}

/// Everything that is known about a simulated city's feeds.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The seed.
    pub seed: u64,
    /// The last day: the as-of that the expectations are of.
    pub as_of: BusinessDate,
    /// Lines sent, by topic.
    pub records: BTreeMap<Topic, u64>,
    /// Of them, exact repetitions of earlier ones, by topic.
    pub redelivered: BTreeMap<Topic, u64>,
    /// Of them, those to be rejected, by topic and reason.
    pub rejected: BTreeMap<(Topic, &'static str), u64>,
    /// The irregularities, sorted by detector, subject, period and item.
    pub planted: Vec<Planted>,
}

/// The first line of `truth.jsonl`.
#[derive(Serialize)]
struct Head<'a> {
    kind: &'static str,
    seed: u64,
    as_of: BusinessDate,
    records: BTreeMap<&'static str, u64>,
    redelivered: BTreeMap<&'static str, u64>,
    rejected: BTreeMap<&'static str, BTreeMap<&'a str, u64>>,
}

impl Truth {
    /// All lines sent.
    pub fn lines(&self) -> u64 {
        self.records.values().sum()
    }

    /// `truth.jsonl`: a first line of kind `run` with seed, as-of and counts, then one line for each
    /// irregularity.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let mut rejected: BTreeMap<&'static str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((topic, reason), count) in &self.rejected {
            let of_topic = rejected.entry(topic.as_str()).or_default();
            of_topic.insert(reason, *count);
        }
        let head = Head {
            kind: "run",
            seed: self.seed,
            as_of: self.as_of,
            records: by_name(&self.records),
            redelivered: by_name(&self.redelivered),
            rejected,
        };
        line(out, &head)?;
        self.planted
            .iter()
            .try_for_each(|planted| line(out, planted))
    }

    pub(crate) fn sort(&mut self) {
        self.planted.sort_by(|a, b| {
            let key = |p: &Planted| {
                (
                    p.detector.map(Detector::as_str),
                    p.subject.clone(),
                    p.period,
                    p.item.clone(),
                    p.kind,
                    p.planted_on,
                )
            };
            key(a).cmp(&key(b))
        });
    }
}

fn by_name(counts: &BTreeMap<Topic, u64>) -> BTreeMap<&'static str, u64> {
    counts
        .iter()
        .map(|(topic, count)| (topic.as_str(), *count))
        .collect()
}

fn line(out: &mut dyn std::io::Write, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
fn detector_name<S: serde::Serializer>(
    detector: &Option<Detector>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    detector.map(Detector::as_str).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
fn topic_name<S: serde::Serializer>(
    topic: &Option<Topic>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    topic.map(Topic::as_str).serialize(serializer)
}
