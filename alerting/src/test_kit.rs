//! Findings, batches and stores for the tests of this crate.

use domain::{
    AlertKey, BusinessDate, CreditCode, Detector, Episode, EvidenceId, Finding, Money, Period,
    RegionCode, Severity, Subject, Topic,
};
use jiff::Timestamp;

use crate::batch::{EpochBatch, Update};
use crate::routing::{Language, Recipient, Routing};

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
        regions: [].into(),
        detectors: [].into(),
        min_severity: Severity::Blue,
    }
}

pub fn routing(recipients: impl IntoIterator<Item = Recipient>) -> Routing {
    Routing {
        topics: true,
        recipients: recipients.into_iter().collect(),
        batch_max: 20,
        message_host: "fund.example.org".to_owned(),
    }
}
