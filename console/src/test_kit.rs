//! Findings for the tests of this crate.

use alerting::{EpochBatch, Update};
use domain::{
    AlertKey, BusinessDate, CreditCode, Detector, Episode, EvidenceId, Finding, Money, Period,
    PersonId, RegionCode, Severity, Subject, Topic,
};

/// The n-th of many credit codes.
pub fn enterprise(n: u32) -> CreditCode {
    // The check character is one of 31: one of these texts is a code.
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .find_map(|check| CreditCode::parse(format!("91341002{n:09}{check}").as_bytes()))
        .unwrap()
}

/// The n-th of many resident ID numbers, of a place that does not exist.
pub fn person(n: u32) -> PersonId {
    "0123456789X"
        .chars()
        .find_map(|check| {
            let (day, number) = (n / 900 % 28 + 1, n % 900 + 100);
            PersonId::parse(format!("341099195001{day:02}{number}{check}").as_bytes())
        })
        .unwrap()
}

fn finding(detector: Detector, subject: Subject, yuan: i64, region: &str) -> Finding {
    let amount = Money::from_yuan(yuan);
    Finding {
        key: AlertKey {
            detector,
            subject,
            period: Period::from_ym(2024, 2),
            item: None,
        },
        region: RegionCode::parse(region.as_bytes()).unwrap(),
        episode: Episode {
            opened_on: BusinessDate::parse(b"2024-03-16").unwrap(),
            cleared_on: None,
            amount,
            peak: amount,
            count: 1,
        },
        severity: if yuan >= 100_000 {
            Severity::Orange
        } else {
            Severity::Blue
        },
        evidence: vec![EvidenceId {
            topic: Topic::TaxCollection,
            id: "D1".to_owned(),
        }],
        policy: None,
        details: serde_json::Map::new(),
    }
}

/// Arrears of the n-th enterprise.
pub fn arrears(n: u32, yuan: i64, region: &str) -> Finding {
    let subject = Subject::Enterprise(enterprise(n));
    finding(Detector::Arrears, subject, yuan, region)
}

/// Payouts to the n-th person after a death.
pub fn paid_after_death(n: u32, yuan: i64, region: &str) -> Finding {
    let subject = Subject::Person(person(n));
    finding(Detector::DeceasedRecipient, subject, yuan, region)
}

/// The same with another amount.
pub fn at_stake(mut finding: Finding, yuan: i64, severity: Severity) -> Finding {
    finding.episode.amount = Money::from_yuan(yuan);
    finding.episode.peak = Money::from_yuan(yuan);
    finding.severity = severity;
    finding
}

/// A finding as an epoch brings it.
pub fn update(finding: Finding) -> Update {
    Update {
        key: finding.key.clone(),
        finding: Some(finding),
        cause: None,
    }
}

/// An epoch.
pub fn batch(epoch: u64, updates: impl IntoIterator<Item = Update>) -> EpochBatch {
    EpochBatch {
        epoch,
        updates: updates.into_iter().collect(),
        ..EpochBatch::default()
    }
}
