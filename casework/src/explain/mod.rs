//! Why an alert is due: the sentence, its rule step by step, the evidence with the place of each record, what was told
//! of it to whom, and what else there is on the same subject. For pages and the command line alike.

pub mod steps;

use std::sync::Arc;

use alerting::explain::{explain_telling, name, who};
use alerting::life::Standing;
use alerting::mail::Office;
use alerting::mail::text::scrub;
use alerting::store::{AlertRow, Mailed, StoreError, Telling};
use alerting::{Language, Reader};
use domain::{Alert, Detector, EvidenceId, Severity, Subject, Topic};
use domain::{CreditCode, PersonId, RegionCode};
use rules::Policy;
use serde::Serialize;

use crate::{Dossier, FactSource, Place, Record, Unanswered, words};
use steps::{Working, working};

/// An alert explained, in a reader's language and without a full resident ID number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The alert's id.
    pub id: String,
    /// The detector's name in the contract.
    pub detector: String,
    /// What the alert is called.
    pub name: String,
    /// Whom it is about.
    pub subject: String,
    /// The region's code and name.
    pub region: String,
    /// The month.
    pub period: Option<String>,
    /// The benefit item.
    pub item: Option<String>,
    /// `open`, `cleared` or `withdrawn`.
    pub state: &'static str,
    /// How grave.
    pub severity: Severity,
    /// What is, or was, the case.
    pub sentence: String,
    /// The clause of law; none of an alert that was never due.
    pub law: Option<String>,
    /// What is to be done.
    pub action: String,
    /// Label and value: how much, since when.
    pub facts: Vec<(String, String)>,
    /// The rule, step by step.
    pub rule: Working,
    /// Whether the facts, judged again, come to the same.
    pub recheck: Recheck,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Why records could not be looked up, if they could not.
    pub unanswered: Option<String>,
    /// What was told, the latest last.
    pub history: Vec<Told>,
    /// Other alerts of the same subject, the latest first.
    pub related: Vec<Related>,
}

/// What the same facts come to when they are judged once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recheck {
    /// The same in state, amount and evidence.
    Same,
    /// Something else: facts or policy have changed, and the alert will follow or has just done so.
    Different,
    /// Nothing is found any more.
    Gone,
    /// It was not judged again: the facts of many subjects would be needed, or are not to be had.
    NotDone,
}

/// A record that an alert rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// `topic/id`.
    pub id: String,
    /// What kind of record, if it was found.
    pub kind: Option<&'static str>,
    /// When it took effect.
    pub date: Option<String>,
    /// What it says.
    pub says: Option<String>,
    /// Where it stands.
    pub place: Option<Place>,
    /// The feed, for reading the record.
    #[serde(skip)]
    pub topic: Option<Topic>,
}

/// A telling, and who was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The how-manieth.
    pub revision: u64,
    /// When, by the pool's clock.
    pub at: String,
    /// As what.
    pub event: String,
    /// What was the case.
    pub sentence: String,
    /// What changed since the telling before: label, was, is.
    pub changes: Vec<(String, String, String)>,
    /// The record that did it.
    pub cause: Option<String>,
    /// Mails on it.
    pub mails: Vec<ToldTo>,
}

/// A mail on a telling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldTo {
    /// The name and address.
    pub to: String,
    /// `pending`, `sending`, `sent` or `failed`.
    pub state: String,
    /// When it was sent, or given up.
    pub at: Option<String>,
}

/// Another alert of the same subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Related {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The month.
    pub period: Option<String>,
    /// The benefit item.
    pub item: Option<String>,
    /// `open`, `cleared` or `withdrawn`.
    pub state: Standing,
    /// How grave.
    pub severity: Severity,
    /// What is or was at stake.
    pub amount: domain::Money,
    /// The first day of its latest episode.
    pub opened_on: domain::BusinessDate,
}

/// What an explanation is made of.
pub struct Case {
    /// The alert.
    pub row: AlertRow,
    /// What was told of it, the first telling first.
    pub tellings: Vec<Telling>,
    /// Who was told by mail.
    pub mailed: Vec<Mailed>,
    /// All alerts of its subject, itself included.
    pub of_subject: Vec<AlertRow>,
    /// What is known of the subject.
    pub known: Known,
}

/// What is known of a subject.
#[derive(Default)]
pub struct Known {
    /// The dossier, if the subject has one.
    pub dossier: Option<Dossier>,
    /// The subject's records, and others that the alert rests on.
    pub records: Vec<Record>,
    /// Why they are not to be had.
    pub unanswered: Option<Unanswered>,
}

impl Case {
    /// Reads all of it; `None` if there is no such alert.
    ///
    /// # Errors
    /// The store cannot be read. That facts are not to be had is none: the explanation says so.
    pub fn read(
        id: &str,
        store: &Reader,
        source: &dyn FactSource,
        policy: &Policy,
    ) -> Result<Option<Case>, StoreError> {
        let Some(row) = store.alert(id)? else {
            return Ok(None);
        };
        Ok(Some(Case {
            tellings: store.tellings(id)?,
            mailed: store.mailed(id)?,
            of_subject: store.alerts_of(&row.alert.subject)?,
            known: Known::of_alert(&row.alert, store, source, policy)?,
            row,
        }))
    }
}

impl Known {
    /// Of an alert's subject.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn of_alert(
        alert: &Alert,
        store: &Reader,
        source: &dyn FactSource,
        policy: &Policy,
    ) -> Result<Known, StoreError> {
        let mut known = match subject_of(alert) {
            Some(subject @ (Subject::Enterprise(_) | Subject::Person(_))) => {
                Known::of(&subject, store, source, policy)?
            }
            _ => Known::default(),
        };
        let wanted: Vec<EvidenceId> = alert
            .evidence
            .iter()
            .filter(|id| !known.records.iter().any(|of| of.evidence_id() == **id))
            .filter_map(|id| {
                let (topic, id) = id.split_once('/')?;
                Some(EvidenceId {
                    topic: Topic::parse(topic)?,
                    id: id.to_owned(),
                })
            })
            .collect();
        if !wanted.is_empty() && known.unanswered.is_none() {
            match source.records(&wanted) {
                Ok(records) => known.records.extend(records),
                Err(why) => known.unanswered = Some(why),
            }
        }
        Ok(known)
    }

    /// Of a subject, as of what the store says.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn of(
        subject: &Subject,
        store: &Reader,
        source: &dyn FactSource,
        policy: &Policy,
    ) -> Result<Known, StoreError> {
        let closed = store.feed_as_of()?;
        let present = store.present()?;
        Ok(match source.facts(subject) {
            Err(why) => Known {
                unanswered: Some(why),
                ..Known::default()
            },
            Ok(mut facts) => Known {
                records: facts.records(),
                dossier: present
                    .and_then(|present| Dossier::of(&mut facts, policy, &closed, present)),
                unanswered: None,
            },
        })
    }
}

/// Whom an alert is about, by its detector.
pub fn subject_of(alert: &Alert) -> Option<Subject> {
    let text = alert.subject.as_bytes();
    match Detector::parse(&alert.detector)? {
        Detector::Arrears | Detector::Undeclared | Detector::UnderDeclaredBase => {
            CreditCode::parse(text).map(Subject::Enterprise)
        }
        Detector::DeceasedRecipient | Detector::DuplicatePayout | Detector::MissedPayout => {
            PersonId::parse(text).map(Subject::Person)
        }
        Detector::StalledSubsidy => Some(Subject::Transfer(alert.subject.clone())),
        Detector::LateRemittance
        | Detector::UnauthorisedItem
        | Detector::SilentFeed
        | Detector::IncompleteFeed
        | Detector::IndicatorBreach => RegionCode::parse(text).map(Subject::Region),
    }
}

/// Explains a case.
pub fn explain(
    case: &Case,
    policy: &Arc<Policy>,
    office: &Office,
    language: Language,
) -> Explanation {
    let alert = &case.row.alert;
    let standing = case.row.standing();
    let said = case.tellings.last().map(|last| {
        let now = Telling {
            alert: alert.clone(),
            ..last.clone()
        };
        explain_telling(&now, office, language)
    });
    let said = said.unwrap_or_default();
    let rule = match standing {
        Standing::Withdrawn => Working::default(),
        Standing::Open | Standing::Cleared => {
            working(alert, policy, case.known.dossier.as_ref(), language)
        }
    };
    Explanation {
        id: alert.id.clone(),
        detector: alert.detector.clone(),
        name: name(alert, language).to_owned(),
        subject: who(alert),
        region: format!("{} {}", alert.region, office.region(&alert.region)),
        period: alert.period.clone(),
        item: alert.item.as_deref().map(scrub),
        state: standing.as_str(),
        severity: alert.severity,
        sentence: said.sentence,
        law: said.rule,
        action: said.action,
        facts: pairs(said.facts),
        rule,
        recheck: recheck(&case.row, case.known.dossier.as_ref()),
        evidence: evidence(alert, &case.known.records, language),
        unanswered: case
            .known
            .unanswered
            .as_ref()
            .map(|why| words::unanswered(why, language)),
        history: case
            .tellings
            .iter()
            .map(|telling| told(telling, &case.mailed, office, language))
            .collect(),
        related: related(case, language),
    }
}

fn pairs(facts: Vec<(String, String, bool)>) -> Vec<(String, String)> {
    facts
        .into_iter()
        .map(|(label, value, _)| (label, value))
        .collect()
}

/// Compares an alert with what its subject's facts come to now.
pub fn recheck(row: &AlertRow, dossier: Option<&Dossier>) -> Recheck {
    let Some(dossier) = dossier else {
        return Recheck::NotDone;
    };
    let alert = &row.alert;
    let found = dossier
        .findings()
        .iter()
        .map(|finding| Alert::new(alert.id.clone(), finding))
        .find(|found| found.sort_key() == alert.sort_key());
    match (found, row.withdrawn) {
        (None, true) => Recheck::Same,
        (None, false) => Recheck::Gone,
        (Some(found), false)
            if (found.state, found.amount, &found.evidence)
                == (alert.state, alert.amount, &alert.evidence) =>
        {
            Recheck::Same
        }
        (Some(_), _) => Recheck::Different,
    }
}

/// The records that an alert names, with what is known of each; one id may name several.
pub fn evidence(alert: &Alert, records: &[Record], language: Language) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for id in &alert.evidence {
        let before = evidence.len();
        for record in records.iter().filter(|of| of.evidence_id() == *id) {
            evidence.push(Evidence {
                id: scrub(id),
                kind: Some(words::kind(record.kind, language)),
                date: Some(record.date.to_string()),
                says: Some(words::record(record, language)),
                place: Some(record.place.clone()),
                topic: Some(record.topic()),
            });
        }
        if evidence.len() == before {
            evidence.push(Evidence {
                id: scrub(id),
                kind: None,
                date: None,
                says: None,
                place: None,
                topic: None,
            });
        }
    }
    evidence
}

fn told(telling: &Telling, mailed: &[Mailed], office: &Office, language: Language) -> Told {
    let said = explain_telling(telling, office, language);
    let mails = mailed.iter().filter(|mail| mail.telling == telling.seq);
    Told {
        revision: telling.revision,
        at: office.clock_text(telling.told_at),
        event: said.event,
        sentence: said.sentence,
        changes: said.changes,
        cause: said.cause,
        mails: mails
            .map(|mail| ToldTo {
                to: match mail.name.as_str() {
                    "" => mail.address.clone(),
                    name => format!("{name} <{}>", mail.address),
                },
                state: mail.state.clone(),
                at: mail.settled.map(|at| office.clock_text(at)),
            })
            .collect(),
    }
}

fn related(case: &Case, language: Language) -> Vec<Related> {
    let mut others: Vec<&AlertRow> = case
        .of_subject
        .iter()
        .filter(|row| row.alert.id != case.row.alert.id)
        .collect();
    others.sort_by(|a, b| {
        let order = |row: &AlertRow| (row.alert.opened_on, row.alert.id.clone());
        order(b).cmp(&order(a))
    });
    others
        .into_iter()
        .map(|row| Related::of(row, language))
        .collect()
}

impl Related {
    /// An alert in a list.
    pub fn of(row: &AlertRow, language: Language) -> Related {
        let alert = &row.alert;
        Related {
            id: alert.id.clone(),
            name: name(alert, language).to_owned(),
            period: alert.period.clone(),
            item: alert.item.as_deref().map(scrub),
            state: row.standing(),
            severity: alert.severity,
            amount: alert.weight(),
            opened_on: alert.opened_on,
        }
    }
}
