//! Findings and alerts: what a detector says of a key, and how it is written (contract section 4).

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{BusinessDate, CreditCode, Detector, Money, Period, PersonId, RegionCode, Topic};

/// Whom an alert is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// An enterprise, by its credit code.
    Enterprise(CreditCode),
    /// A person, by the resident ID number.
    Person(PersonId),
    /// A region.
    Region(RegionCode),
    /// A transfer, by its record's id.
    Transfer(String),
}

impl Subject {
    /// As the alert has it, a person's number in full: for the store, the alerts topic and files only.
    pub fn reveal(&self) -> String {
        match self {
            Subject::Enterprise(code) => code.to_string(),
            Subject::Person(person) => person.reveal(),
            Subject::Region(code) => code.to_string(),
            Subject::Transfer(id) => id.clone(),
        }
    }

    /// For people: as [`Subject::reveal`], but a person's number masked.
    pub fn masked(&self) -> String {
        match self {
            Subject::Person(person) => person.masked(),
            other => other.reveal(),
        }
    }
}

/// What an alert is kept under: one alert a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AlertKey {
    /// The detector.
    pub detector: Detector,
    /// Whom it is about.
    pub subject: Subject,
    /// The month, where the key has one.
    pub period: Option<Period>,
    /// The benefit item (for the feed detectors: the topic, or topic and close), where the key has one.
    pub item: Option<String>,
}

/// The latest maximal run of days on which a condition held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Its first day.
    pub opened_on: BusinessDate,
    /// The day after its last day; `None` while it holds.
    pub cleared_on: Option<BusinessDate>,
    /// At stake on as-of; zero once cleared.
    pub amount: Money,
    /// The highest amount within the episode.
    pub peak: Money,
    /// How many episodes the key has had, this one included.
    pub count: u32,
}

/// Whether the condition holds on as-of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds.
    Open,
    /// It held, and holds no more.
    Cleared,
}

impl State {
    /// The word in the alert.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Cleared => "cleared",
        }
    }
}

/// How grave, by the policy's thresholds. Ordered: blue is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 蓝
    Blue,
    /// 黄
    Yellow,
    /// 橙
    Orange,
    /// 红
    Red,
}

impl Severity {
    /// All four, the least first.
    pub const ALL: [Severity; 4] = [
        Severity::Blue,
        Severity::Yellow,
        Severity::Orange,
        Severity::Red,
    ];

    /// The word in alert, metric and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Blue => "blue",
            Severity::Yellow => "yellow",
            Severity::Orange => "orange",
            Severity::Red => "red",
        }
    }

    /// The word in Chinese.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Severity::Blue => "蓝",
            Severity::Yellow => "黄",
            Severity::Orange => "橙",
            Severity::Red => "红",
        }
    }
}

/// A fact that an alert rests on. Ordered as `topic/id` byte by byte: topics first, then ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceId {
    /// The feed.
    pub topic: Topic,
    /// The record's id.
    pub id: String,
}

/// `topic/id`.
impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.id)
    }
}

/// The policy entry that was applied, `<table>@<from>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyEntry {
    /// The table: `contribution`, `benefit`, `remittance`.
    pub table: &'static str,
    /// The month it applies from.
    pub from: Period,
}

impl fmt::Display for PolicyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.table, self.from)
    }
}

/// What a detector says of one key: its alert, but for the id.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The key.
    pub key: AlertKey,
    /// The region it is counted to.
    pub region: RegionCode,
    /// The latest episode.
    pub episode: Episode,
    /// How grave.
    pub severity: Severity,
    /// The facts it rests on, sorted, none twice.
    pub evidence: Vec<EvidenceId>,
    /// The entry applied.
    pub policy: Option<PolicyEntry>,
    /// The detector's own.
    pub details: Map<String, Value>,
}

impl Finding {
    /// Open while the latest episode lasts.
    pub const fn state(&self) -> State {
        if self.episode.cleared_on.is_some() {
            State::Cleared
        } else {
            State::Open
        }
    }
}

/// An alert as it is written: fields and their order are those of contract section 4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The same for the key in every run with the same secret.
    pub id: String,
    /// The detector's name.
    pub detector: String,
    /// The subject; a person's number in full.
    pub subject: String,
    /// The region's code.
    pub region: String,
    /// `YYYY-MM`.
    pub period: Option<String>,
    /// The benefit item.
    pub item: Option<String>,
    /// Open or cleared.
    pub state: State,
    /// First day of the latest episode.
    pub opened_on: BusinessDate,
    /// The day after its last day.
    pub cleared_on: Option<BusinessDate>,
    /// At stake on as-of.
    pub amount: Money,
    /// Highest amount in the episode.
    pub peak: Money,
    /// How many episodes there were.
    pub episodes: u32,
    /// How grave.
    pub severity: Severity,
    /// `topic/id`, sorted.
    pub evidence: Vec<String>,
    /// `<table>@<from>`.
    pub policy: Option<String>,
    /// The detector's own.
    pub details: Map<String, Value>,
}

impl Alert {
    /// What is at stake, or was: the amount while it is open, then the highest of its episode.
    pub const fn weight(&self) -> Money {
        match self.state {
            State::Open => self.amount,
            State::Cleared => self.peak,
        }
    }

    /// The finding of a key under its id.
    pub fn new(id: String, finding: &Finding) -> Alert {
        Alert {
            id,
            detector: finding.key.detector.as_str().to_owned(),
            subject: finding.key.subject.reveal(),
            region: finding.region.to_string(),
            period: finding.key.period.map(|period| period.to_string()),
            item: finding.key.item.clone(),
            state: finding.state(),
            opened_on: finding.episode.opened_on,
            cleared_on: finding.episode.cleared_on,
            amount: finding.episode.amount,
            peak: finding.episode.peak,
            episodes: finding.episode.count,
            severity: finding.severity,
            evidence: finding.evidence.iter().map(EvidenceId::to_string).collect(),
            policy: finding.policy.map(|entry| entry.to_string()),
            details: finding.details.clone(),
        }
    }

    /// The order of alerts: detector, subject, period, item, byte by byte, null first.
    pub fn sort_key(&self) -> (&str, &str, Option<&str>, Option<&str>) {
        (
            &self.detector,
            &self.subject,
            self.period.as_deref(),
            self.item.as_deref(),
        )
    }
}

/// As `topic/id`.
impl Serialize for EvidenceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
