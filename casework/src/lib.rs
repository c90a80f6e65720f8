//! What is known of one subject, and why an alert on it is due.
//!
//! A *dossier* ([`enterprise`], [`person`]) is a pure function from the facts of a subject, the policy and the dates up
//! to which something is known. An *explanation* ([`explain`]) is the alert with the numbers put into its rule, its
//! evidence with the place where each record stands, and what was told of it. The facts come through a
//! [`FactSource`]: from the books of the running program, from its state on disk, or from feed files.
//! Knows no Kafka, no HTTP, no timely, no clock; the store it knows through `alerting`.

pub mod enterprise;
pub mod explain;
pub mod facts;
pub mod person;
pub mod raw;
pub mod source;
pub mod words;

pub use facts::{Record, SubjectFacts};
pub use source::{FactSource, Locate, Place, Unanswered};

use alerting::FeedAsOf;
use domain::{BusinessDate, Detector, RegionCode, RegionId, Subject};
use enterprise::EnterpriseDossier;
use person::PersonDossier;
use rules::Policy;

/// What is known of a subject that has a dossier.
#[derive(Clone, Debug, PartialEq)]
pub enum Dossier {
    /// Of an enterprise.
    Enterprise(EnterpriseDossier),
    /// Of a person.
    Person(PersonDossier),
}

impl Dossier {
    /// The dossier of a subject from its facts; `None` if subjects of its kind have none.
    ///
    /// `closed` says of each feed and region up to when it is complete: the subject's region decides, as for its alerts.
    pub fn of(
        facts: &mut SubjectFacts,
        policy: &Policy,
        closed: &[FeedAsOf],
        present: BusinessDate,
    ) -> Option<Dossier> {
        let records = facts.records();
        let complete = region_of(&records, present).and_then(|region| {
            let code = policy.region(region).code;
            complete(facts.subject(), code, closed)
        });
        let as_of = AsOf { complete, present };
        match facts.subject() {
            Subject::Enterprise(_) => {
                let book = facts.enterprise();
                let dossier = enterprise::dossier(&book, &records, policy, as_of);
                Some(Dossier::Enterprise(dossier))
            }
            Subject::Person(_) => {
                let book = facts.person();
                Some(Dossier::Person(person::dossier(
                    &book, &records, policy, as_of,
                )))
            }
            Subject::Region(_) | Subject::Transfer(_) => None,
        }
    }

    /// If it is an enterprise's.
    pub const fn as_enterprise(&self) -> Option<&EnterpriseDossier> {
        match self {
            Dossier::Enterprise(dossier) => Some(dossier),
            Dossier::Person(_) => None,
        }
    }

    /// If it is a person's.
    pub const fn as_person(&self) -> Option<&PersonDossier> {
        match self {
            Dossier::Person(dossier) => Some(dossier),
            Dossier::Enterprise(_) => None,
        }
    }

    /// What the detectors find.
    pub fn findings(&self) -> &[domain::Finding] {
        match self {
            Dossier::Enterprise(dossier) => &dossier.findings,
            Dossier::Person(dossier) => &dossier.findings,
        }
    }

    /// Up to when it is known.
    pub const fn as_of(&self) -> AsOf {
        match self {
            Dossier::Enterprise(dossier) => dossier.as_of,
            Dossier::Person(dossier) => dossier.as_of,
        }
    }
}

/// The region that a subject is counted to: of the latest roster record, or else of the latest fact.
fn region_of(records: &[Record], present: BusinessDate) -> Option<RegionId> {
    let is_roster = |record: &&Record| record.kind == detectors::store::packed::Kind::Beneficiary;
    let roster: Vec<Record> = records.iter().filter(is_roster).cloned().collect();
    if roster.is_empty() {
        enterprise::latest_region(records, present)
    } else {
        enterprise::latest_region(&roster, present)
    }
}

/// The least date up to which a region's feeds that the subject's detectors of absence wait for are complete.
fn complete(subject: &Subject, region: RegionCode, closed: &[FeedAsOf]) -> Option<BusinessDate> {
    let feeds = match subject {
        Subject::Enterprise(_) => Detector::Arrears.waits_for(),
        Subject::Person(_) => Detector::MissedPayout.waits_for(),
        Subject::Region(_) | Subject::Transfer(_) => &[],
    };
    let of_feed = |topic| {
        closed
            .iter()
            .find(|close| close.topic == topic && close.region == region)
            .map(|close| close.closed)
    };
    // One that was never closed holds back all.
    let dates: Option<Vec<BusinessDate>> = feeds.iter().map(|topic| of_feed(*topic)).collect();
    dates?.into_iter().min()
}

/// Up to when something is known of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// The date up to which the subject's feeds are complete: what did not happen by then did not happen. `None` where
    /// no feed has been closed yet.
    pub complete: Option<BusinessDate>,
    /// The present business date.
    pub present: BusinessDate,
}

impl AsOf {
    /// One date for all.
    pub const fn on(date: BusinessDate) -> AsOf {
        AsOf {
            complete: Some(date),
            present: date,
        }
    }
}
