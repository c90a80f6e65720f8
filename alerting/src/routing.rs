//! Who is told of what, and over which channels.

use std::collections::BTreeSet;

use domain::{Alert, Detector, RegionCode, Severity};
use serde::{Deserialize, Serialize};

/// The language of a mail.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// 中文
    #[default]
    Zh,
    /// English
    En,
}

impl Language {
    /// The word in configuration and store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Language::Zh => "zh",
            Language::En => "en",
        }
    }

    /// The language of a word.
    pub fn parse(word: &str) -> Option<Language> {
        [Language::Zh, Language::En]
            .into_iter()
            .find(|language| language.as_str() == word)
    }
}

/// Somebody who gets mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The mail address.
    pub address: String,
    /// The name shown with it; may be empty.
    pub name: String,
    /// The language of the mails.
    pub language: Language,
    /// Of these regions only; empty: of all.
    pub regions: BTreeSet<RegionCode>,
    /// Of these detectors only; empty: of all.
    pub detectors: BTreeSet<Detector>,
    /// From this severity on.
    pub min_severity: Severity,
}

impl Recipient {
    /// Whether an alert is theirs. Whoever was told once hears of the alert's further life anyway.
    pub fn wants(&self, detector: Detector, region: RegionCode, alert: &Alert) -> bool {
        self.min_severity <= alert.severity
            && (self.regions.is_empty() || self.regions.contains(&region))
            && (self.detectors.is_empty() || self.detectors.contains(&detector))
    }
}

/// What a commit puts into the outboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Whether alerts and dead letters go to their Kafka topics.
    pub topics: bool,
    /// Who gets mails. No address twice.
    pub recipients: Vec<Recipient>,
    /// The most single mails that one recipient gets of one epoch; if there are more, one digest.
    pub batch_max: usize,
    /// The host in Message-IDs, the same in every run.
    pub message_host: String,
}

impl Routing {
    /// Nobody is told: alerts are stored only.
    pub fn none() -> Routing {
        Routing {
            topics: false,
            recipients: Vec::new(),
            batch_max: 20,
            message_host: "localhost".to_owned(),
        }
    }
}
