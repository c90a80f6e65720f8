//! What is done with each record: accepted, a redelivery, or rejected (contract section 2).

use std::collections::BTreeMap;

use super::decode::{self, Rejection};
use super::facts::{Body, Fact, Topic};
use super::policy::Policy;

/// The counts of a topic. Read = accepted + redelivered + rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records read; blank lines are none.
    pub read: u64,
    /// Facts.
    pub accepted: u64,
    /// Ignored, because the same was accepted before.
    pub redelivered: u64,
    /// Dead letters by reason.
    pub rejected: BTreeMap<&'static str, u64>,
}

/// A line of `dead-letter.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLetter {
    /// The topic's name.
    pub topic: String,
    /// `FILE:LINE`
    pub position: String,
    /// The contract's reason.
    pub reason: String,
    /// The field at fault, if the fault is of one.
    pub field: Option<String>,
    /// The bytes, or the first 1024 of a `too-large` one.
    pub raw: Vec<u8>,
}

/// Everything taken in so far.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The facts, in the order in which they came.
    pub accepted: Vec<Fact<Body>>,
    /// The rejected, in the order in which they came.
    pub dead_letters: Vec<DeadLetter>,
    /// All five topics, zeros too.
    pub counts: BTreeMap<&'static str, Counts>,
    /// The first record of each name, by topic, type, subject and id.
    first: BTreeMap<(Topic, &'static str, String, String), Fact<Body>>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            accepted: Vec::new(),
            dead_letters: Vec::new(),
            counts: Topic::ALL
                .map(|topic| (topic.name(), Counts::default()))
                .into(),
            first: BTreeMap::new(),
        }
    }
}

impl Intake {
    /// Takes one record.
    pub fn take(&mut self, topic: Topic, position: &str, bytes: &[u8], policy: &Policy) {
        self.count(topic).read += 1;
        let fact = match decode::decode(topic, bytes, policy) {
            Ok(fact) => fact,
            Err(rejection) => return self.reject(topic, position, bytes, &rejection),
        };
        let (kind, subject) = kind_and_subject(&fact);
        let name = (topic, kind, subject, fact.id.clone());
        match self.first.get(&name) {
            None => {
                self.first.insert(name, fact.clone());
                self.accepted.push(fact);
                self.count(topic).accepted += 1;
            }
            Some(first) if *first == fact => self.count(topic).redelivered += 1,
            Some(_) => {
                // The id is a good one: the fault is that the whole says something else.
                let conflict = Rejection {
                    reason: "conflicting-id",
                    field: None,
                };
                self.reject(topic, position, bytes, &conflict);
            }
        }
    }

    fn reject(&mut self, topic: Topic, position: &str, bytes: &[u8], rejection: &Rejection) {
        let shown = match rejection.reason {
            "too-large" => &bytes[..1024],
            _ => bytes,
        };
        self.dead_letters.push(DeadLetter {
            topic: topic.name().to_owned(),
            position: position.to_owned(),
            reason: rejection.reason.to_owned(),
            field: rejection.field.map(str::to_owned),
            raw: shown.to_vec(),
        });
        *self
            .count(topic)
            .rejected
            .entry(rejection.reason)
            .or_default() += 1;
    }

    fn count(&mut self, topic: Topic) -> &mut Counts {
        self.counts
            .get_mut(topic.name())
            .expect("all topics are counted")
    }
}

/// "Its enterprise or person made canonical; a transfer's id; a `day_close`'s region."
fn kind_and_subject(fact: &Fact<Body>) -> (&'static str, String) {
    match &fact.body {
        Body::Enterprise(body) => ("enterprise", body.enterprise.clone()),
        Body::Declaration(body) => ("declaration", body.enterprise.clone()),
        Body::Payroll(body) => ("payroll", body.enterprise.clone()),
        Body::Payment(body) => ("payment", body.enterprise.clone()),
        Body::PaymentReversal(body) => ("payment_reversal", body.enterprise.clone()),
        Body::Payout(body) => ("payout", body.person.clone()),
        Body::PayoutReversal(body) => ("payout_reversal", body.person.clone()),
        Body::Beneficiary(body) => ("beneficiary", body.person.clone()),
        Body::Death(body) => ("death", body.person.clone()),
        Body::DeathCancelled(body) => ("death_cancelled", body.person.clone()),
        Body::Transfer(_) => ("transfer", fact.id.clone()),
        Body::DayClose { .. } => ("day_close", fact.region.clone()),
    }
}
