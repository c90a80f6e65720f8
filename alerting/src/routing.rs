//! Who is told of what over which channel, and how soon by mail.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Alert, Detector, RegionCode, Severity};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::timetable::Timetable;

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

/// Which alerts somebody wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Of these regions only; empty: of all.
    pub regions: BTreeSet<RegionCode>,
    /// Of these detectors only; empty: of all.
    pub detectors: BTreeSet<Detector>,
    /// From this severity on.
    pub min_severity: Severity,
}

impl Interest {
    /// In everything.
    pub const fn in_all() -> Interest {
        Interest {
            regions: BTreeSet::new(),
            detectors: BTreeSet::new(),
            min_severity: Severity::Blue,
        }
    }

    /// Whether an alert is theirs. Whoever was told once hears of the alert's further life anyway.
    pub fn covers(&self, detector: Detector, region: RegionCode, alert: &Alert) -> bool {
        self.min_severity <= alert.severity && self.covers_place(detector, region)
    }

    /// Whether alerts of the detector in the region are theirs, whatever their severity.
    pub fn covers_place(&self, detector: Detector, region: RegionCode) -> bool {
        (self.regions.is_empty() || self.regions.contains(&region))
            && (self.detectors.is_empty() || self.detectors.contains(&detector))
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
    /// Of what.
    pub interest: Interest,
}

/// A program that is told of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name in configuration, store and metrics.
    pub name: String,
    /// Of what.
    pub interest: Interest,
}

/// What a commit puts into the outboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// Whether alerts and dead letters go to their Kafka topics.
    pub topics: bool,
    /// Who gets mails. No address twice.
    pub recipients: Vec<Recipient>,
    /// Which programs are told. No name twice.
    pub hooks: Vec<Hook>,
    /// When alerts of one region and month are one matter: a failure of the region, told as such and to
    /// everyone who looks after it, whatever the severity of each.
    pub region_wide: BTreeMap<Detector, RegionWide>,
}

/// From when on alerts of one region and month are a failure of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionWide {
    /// From so many alerts on.
    pub alerts: u64,
    /// And from so many in a hundred of those on whom the duty is, or who are owed it. Where nobody knows how many
    /// those are, the number decides alone.
    #[serde(default)]
    pub percent: u32,
}

impl RegionWide {
    /// Whether so many alerts, of so many subjects if that is known, are a failure of the region.
    pub fn is_reached(self, alerts: u64, subjects: Option<u64>) -> bool {
        let share_is_reached = subjects.is_none_or(|subjects| {
            u128::from(subjects) * u128::from(self.percent) <= u128::from(alerts) * 100
        });
        self.alerts <= alerts && share_is_reached
    }
}

impl Routing {
    /// Nobody is told: alerts are stored only.
    pub fn none() -> Routing {
        Routing::default()
    }
}

/// How soon a mail goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// By itself and at once.
    AtOnce,
    /// With others of its region and detector, after a short wait.
    Grouped,
    /// In the next digest.
    Digest,
}

/// An exception from the paces by severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaceRule {
    /// Of these detectors; empty: of all.
    pub detectors: BTreeSet<Detector>,
    /// Of these regions; empty: of all.
    pub regions: BTreeSet<RegionCode>,
    /// Of these severities; empty: of all.
    pub severities: BTreeSet<Severity>,
    /// How soon.
    pub pace: Pace,
}

/// When mails go out, and how many.
#[derive(Clone, Debug)]
pub struct Pacing {
    /// The host in Message-IDs, the same in every run.
    pub message_host: String,
    /// By severity, blue first.
    pub by_severity: [Pace; Severity::ALL.len()],
    /// The first that fits decides; none: the severity does.
    pub rules: Vec<PaceRule>,
    /// A group's first mail waits so long for more.
    pub group_wait: SignedDuration,
    /// Between two mails on news of one group.
    pub group_interval: SignedDuration,
    /// After so long without news, those still open are told once more; `None`: never.
    pub group_repeat: Option<SignedDuration>,
    /// So often at most, until there is news.
    pub group_repeats_max: u32,
    /// The most single mails to one recipient at one time; if there are more, one mail of all.
    pub batch_max: u64,
    /// The most mails to one recipient within an hour; what is more becomes one mail.
    pub per_hour_max: u64,
    /// When digests and signs of life go out.
    pub timetable: Timetable,
    /// The addresses that get signs of life.
    pub addresses: BTreeSet<String>,
}

impl Pacing {
    /// How soon a mail on such an alert goes out.
    pub fn pace(&self, detector: Detector, region: RegionCode, severity: Severity) -> Pace {
        let fits = |rule: &&PaceRule| {
            (rule.detectors.is_empty() || rule.detectors.contains(&detector))
                && (rule.regions.is_empty() || rule.regions.contains(&region))
                && (rule.severities.is_empty() || rule.severities.contains(&severity))
        };
        self.rules
            .iter()
            .find(fits)
            .map_or(self.by_severity[severity as usize], |rule| rule.pace)
    }
}
