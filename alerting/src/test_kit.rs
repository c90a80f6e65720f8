//! Findings, batches and stores for the tests of this crate.

use domain::{
    AlertKey, BusinessDate, CreditCode, Detector, Episode, EvidenceId, Finding, Money, Period,
    RegionCode, Severity, Subject, Topic,
};
use jiff::Timestamp;

use crate::batch::{EpochBatch, Update};
use crate::mail::PaceConfig;
use crate::routing::{Interest, Language, Pace, Pacing, Recipient, Routing};

pub fn day(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).unwrap()
}

pub fn region(code: &str) -> RegionCode {
    RegionCode::parse(code.as_bytes()).unwrap()
}

pub fn now() -> Timestamp {
    "2024-04-01T08:00:00Z".parse().unwrap()
}

/// A finding of `arrears` on the n-th enterprise: open, yuan, blue.
pub fn arrears(n: u32, yuan: i64) -> Finding {
    let subject = Subject::Enterprise(enterprise(n));
    finding(Detector::Arrears, subject, yuan)
}

/// The n-th of many credit codes.
pub fn enterprise(n: u32) -> CreditCode {
    // The check character is one of 31: one of these texts is a code.
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .find_map(|check| CreditCode::parse(format!("91341002{n:09}{check}").as_bytes()))
        .unwrap()
}

/// The n-th of many resident ID numbers, of a place that does not exist.
pub fn person(n: u32) -> domain::PersonId {
    "0123456789X"
        .chars()
        .find_map(|check| {
            let (day, number) = (n / 900 % 28 + 1, n % 900 + 100);
            let text = format!("341099195001{day:02}{number}{check}");
            domain::PersonId::parse(text.as_bytes())
        })
        .unwrap()
}

pub fn finding(detector: Detector, subject: Subject, yuan: i64) -> Finding {
    Finding {
        key: AlertKey {
            detector,
            subject,
            period: Period::from_ym(2024, 2),
            item: None,
        },
        region: region("341002"),
        episode: Episode {
            opened_on: day("2024-03-16"),
            cleared_on: None,
            amount: Money::from_yuan(yuan),
            peak: Money::from_yuan(yuan),
            count: 1,
        },
        severity: Severity::Blue,
        evidence: vec![evidence("D1")],
        policy: None,
        details: serde_json::Map::new(),
    }
}

pub fn cleared(mut finding: Finding) -> Finding {
    finding.episode.cleared_on = Some(day("2024-03-20"));
    finding.episode.amount = Money::ZERO;
    finding
}

pub fn evidence(id: &str) -> EvidenceId {
    EvidenceId {
        topic: Topic::TaxCollection,
        id: id.to_owned(),
    }
}

pub fn update(finding: Finding) -> Update {
    Update {
        key: finding.key.clone(),
        finding: Some(finding),
        cause: Some(evidence("D1")),
    }
}

pub fn gone(finding: &Finding) -> Update {
    Update {
        key: finding.key.clone(),
        finding: None,
        cause: Some(evidence("P9")),
    }
}

pub fn batch(epoch: u64, updates: impl IntoIterator<Item = Update>) -> EpochBatch {
    EpochBatch {
        epoch,
        updates: updates.into_iter().collect(),
        ..EpochBatch::default()
    }
}

pub fn recipient(address: &str) -> Recipient {
    Recipient {
        address: address.to_owned(),
        name: String::new(),
        language: Language::Zh,
        interest: Interest::in_all(),
    }
}

pub fn routing(recipients: impl IntoIterator<Item = Recipient>) -> Routing {
    Routing {
        topics: true,
        recipients: recipients.into_iter().collect(),
        ..Routing::none()
    }
}

/// The paces of a configuration that says nothing of them.
pub fn pacing() -> Pacing {
    let policy = std::sync::Arc::new(rules::Policy::huangshan());
    PaceConfig::default()
        .pacing(policy, "fund.example.org".to_owned(), [].into())
        .unwrap()
}

/// Everything is told at once.
pub fn at_once() -> Pacing {
    Pacing {
        by_severity: [Pace::AtOnce; 4],
        ..pacing()
    }
}
