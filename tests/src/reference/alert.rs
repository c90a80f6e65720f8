//! Episodes and what an alert shows of them (contract section 4).

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::Totals;
use super::facts::{Fact, Kind, Topic, View};
use super::money::{Fen, show};
use super::period::{Period, days, plus_days};
use super::policy::{Policy, Settings};

/// A row of the contract's table in section 5.
pub trait Detector {
    /// The name.
    fn name(&self) -> &'static str;

    /// Every key for which the condition could hold on any day up to `as_of`; too many do no harm.
    fn keys(&self, facts: &View<'_>, policy: &Policy, as_of: Date) -> BTreeSet<Key>;

    /// The facts that can matter to a key. Leaves out nothing that the row reads.
    fn about<'a>(&self, key: &Key, facts: &View<'a>) -> View<'a>;

    /// Whether the condition holds on `day`, and the amount at stake if so. `seen` is dated up to `day`.
    fn holds(&self, key: &Key, seen: &View<'_>, day: Date, policy: &Policy) -> Option<Fen>;

    /// The evidence. `seen` is dated up to as-of.
    fn evidence(&self, key: &Key, seen: &View<'_>, policy: &Policy) -> Vec<Source>;

    /// How many names the evidence has at most.
    fn evidence_max(&self) -> usize {
        usize::MAX
    }

    /// The policy entry applied. `seen` is dated up to as-of.
    fn policy_entry(&self, key: &Key, seen: &View<'_>, policy: &Policy) -> Option<String>;

    /// What the contract wants to see in `details`. `seen` is dated up to `as_of`.
    fn details(
        &self,
        _key: &Key,
        _seen: &View<'_>,
        _as_of: Date,
        _policy: &Policy,
    ) -> Map<String, Value> {
        Map::new()
    }

    /// The severity shown, given the one by amount.
    fn severity(&self, by_amount: &'static str, _details: &Map<String, Value>) -> &'static str {
        by_amount
    }
}

/// What a detector states something about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Enterprise, person, region or transfer id.
    pub subject: String,
    /// The region, where the key has one.
    pub region: Option<String>,
    /// The period, where the key has one.
    pub period: Option<Period>,
    /// The item, where the key has one.
    pub item: Option<String>,
}

impl Key {
    /// A key of a subject alone.
    #[must_use]
    pub fn of_subject(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            region: None,
            period: None,
            item: None,
        }
    }

    /// A key of a subject and a period.
    #[must_use]
    pub fn of_period(subject: &str, period: Period) -> Self {
        Self {
            period: Some(period),
            ..Self::of_subject(subject)
        }
    }

    /// The period of a key that has one.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn month(&self) -> Period {
        self.period.expect("the detector's keys have a period")
    }
}

/// A fact as evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    date: Date,
    topic: Topic,
    id: String,
    region: String,
}

impl Source {
    /// The evidence that a fact is.
    #[must_use]
    pub fn of<B: Kind>(fact: &Fact<B>) -> Self {
        Self {
            date: fact.date,
            topic: B::TOPIC,
            id: fact.id.clone(),
            region: fact.region.clone(),
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.topic, self.id)
    }
}

/// A maximal run of days on which a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Episode {
    first_day: Date,
    last_day: Date,
    /// The amount on the last day.
    amount: Fen,
    peak: Fen,
}

/// An alert, without its `id`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Alert {
    pub detector: &'static str,
    pub subject: String,
    pub region: String,
    pub period: Option<String>,
    pub item: Option<String>,
    pub open: bool,
    pub opened_on: Date,
    pub cleared_on: Option<Date>,
    pub amount: Fen,
    pub peak: Fen,
    pub episodes: usize,
    pub severity: &'static str,
    pub evidence: Vec<String>,
    pub policy: Option<String>,
    pub details: Map<String, Value>,
}

/// The alerts of a detector: of every key that has an episode, the latest one.
#[must_use]
pub fn alerts_of(
    detector: &dyn Detector,
    facts: &View<'_>,
    policy: &Policy,
    as_of: Date,
) -> Vec<Alert> {
    let facts = facts.up_to(as_of);
    let keys = detector.keys(&facts, policy, as_of);
    keys.iter()
        .filter_map(|key| alert(detector, key, &facts, policy, as_of))
        .collect()
}

fn alert(
    detector: &dyn Detector,
    key: &Key,
    facts: &View<'_>,
    policy: &Policy,
    as_of: Date,
) -> Option<Alert> {
    let facts = detector.about(key, facts);
    let episodes = episodes(detector, key, &facts, policy, as_of);
    let latest = episodes.last()?;
    let open = latest.last_day == as_of;
    let amount = if open { latest.amount } else { 0 };
    let details = detector.details(key, &facts, as_of, policy);
    let sources = detector.evidence(key, &facts, policy);
    let by_amount = severity(
        if open { amount } else { latest.peak },
        &policy.detector(detector.name()),
    );
    Some(Alert {
        detector: detector.name(),
        subject: key.subject.clone(),
        region: match &key.region {
            Some(region) => region.clone(),
            None => region_of_latest(&sources),
        },
        period: key.period.map(|period| period.to_string()),
        item: key.item.clone(),
        open,
        opened_on: latest.first_day,
        cleared_on: if open {
            None
        } else {
            Some(plus_days(latest.last_day, 1))
        },
        amount,
        peak: latest.peak,
        episodes: episodes.len(),
        severity: detector.severity(by_amount, &details),
        evidence: names(&sources)
            .into_iter()
            .take(detector.evidence_max())
            .collect(),
        policy: detector.policy_entry(key, &facts, policy),
        details,
    })
}

/// Asks the detector on every calendar day from the first fact on, each time from the facts dated up to that day.
fn episodes(
    detector: &dyn Detector,
    key: &Key,
    facts: &View<'_>,
    policy: &Policy,
    as_of: Date,
) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    let Some(first_date) = facts.first_date() else {
        return episodes;
    };
    for day in days(first_date, as_of) {
        let Some(amount) = detector.holds(key, &facts.up_to(day), day, policy) else {
            continue;
        };
        match episodes.last_mut() {
            Some(episode) if plus_days(episode.last_day, 1) == day => {
                episode.last_day = day;
                episode.amount = amount;
                episode.peak = episode.peak.max(amount);
            }
            _ => episodes.push(Episode {
                first_day: day,
                last_day: day,
                amount,
                peak: amount,
            }),
        }
    }
    episodes
}

fn severity(amount: Fen, settings: &Settings) -> &'static str {
    if amount >= settings.red {
        "red"
    } else if amount >= settings.orange {
        "orange"
    } else if amount >= settings.yellow {
        "yellow"
    } else {
        "blue"
    }
}

/// "That of the evidence's latest fact (greatest date, then topic, then id)."
fn region_of_latest(sources: &[Source]) -> String {
    let latest = sources
        .iter()
        .max_by_key(|source| (source.date, source.topic, source.id.as_bytes()));
    latest
        .expect("an alert of a key without a region rests on facts")
        .region
        .clone()
}

/// `topic/id`, sorted, none twice.
fn names(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().map(Source::name).collect()
}

impl Alert {
    /// "Sorted by detector, subject, period, item, byte by byte, null first."
    #[must_use]
    pub fn sort_key(&self) -> (String, String, Option<String>, Option<String>) {
        (
            self.detector.to_owned(),
            self.subject.clone(),
            self.period.clone(),
            self.item.clone(),
        )
    }

    /// The line of `alerts.jsonl`, without `id`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "detector": self.detector,
            "subject": self.subject,
            "region": self.region,
            "period": self.period,
            "item": self.item,
            "state": if self.open { "open" } else { "cleared" },
            "opened_on": self.opened_on.to_string(),
            "cleared_on": self.cleared_on.map(|day| day.to_string()),
            "amount": show(self.amount),
            "peak": show(self.peak),
            "episodes": self.episodes,
            "severity": self.severity,
            "evidence": self.evidence,
            "policy": self.policy,
            "details": self.details,
        })
    }
}

/// What `summary.json` says of a detector with these alerts.
#[must_use]
pub fn totals(alerts: &[Alert]) -> Totals {
    let mut totals = Totals::default();
    for alert in alerts {
        if alert.open {
            totals.open += 1;
        } else {
            totals.cleared += 1;
        }
        totals.amount_open += alert.amount;
    }
    totals
}
