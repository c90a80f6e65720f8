//! What an alert rests on, and the region that follows from it.

use domain::{BusinessDate, Detector, Episode, EvidenceId, RegionCode, RegionId, Severity, Topic};
use rules::Policy;

use crate::book::{
    Beneficiary, Death, DeathCancelled, Declaration, Payment, PaymentReversal, Payout,
    PayoutReversal, Payroll, StatusRecord,
};
use crate::net::Net;

/// A record that evidence can name.
pub(crate) trait Record<'a> {
    /// The feed that it came by.
    const TOPIC: Topic;
    /// Its id, its date and its region.
    fn named(&self) -> (&'a str, BusinessDate, RegionId);
}

macro_rules! records {
    ($($topic:ident: $($record:ident)+;)+) => {
        $($(impl<'a> Record<'a> for $record<'a> {
            const TOPIC: Topic = Topic::$topic;
            fn named(&self) -> (&'a str, BusinessDate, RegionId) {
                (self.id, self.date, self.region)
            }
        })+)+
    };
}
records! {
    AgencyPayout: Payout PayoutReversal;
    AgencyRoster: Beneficiary;
    CivilDeath: Death DeathCancelled;
    TaxCollection: StatusRecord Declaration Payroll Payment PaymentReversal;
}

/// The facts that a finding rests on.
#[derive(Debug, Default)]
pub(crate) struct Evidence<'a> {
    /// In the order in which the latest is sought: date, topic, id, and region, lest two records
    /// of one topic, id and date leave it open.
    facts: Vec<(BusinessDate, Topic, &'a str, RegionId)>,
}

impl<'a> Evidence<'a> {
    /// Adds a fact.
    pub fn add<R: Record<'a>>(&mut self, record: &R) {
        let (id, date, region) = record.named();
        self.facts.push((date, R::TOPIC, id, region));
    }

    /// Adds facts of one type.
    pub fn add_all<'b, R: Record<'a> + 'b>(&mut self, records: impl IntoIterator<Item = &'b R>) {
        for record in records {
            self.add(record);
        }
    }

    /// Adds a payout, by index, and the reversals that act on it, as far as they are there by
    /// `as_of`.
    pub fn add_payout(
        &mut self,
        net: &Net<'_, Payout<'a>, PayoutReversal<'a>>,
        index: usize,
        as_of: BusinessDate,
    ) {
        let payout = net.entry(index);
        if payout.date > as_of {
            return;
        }
        self.add(payout);
        let acting = net.reversals_of(index).take_while(|(day, _)| *day <= as_of);
        self.add_all(acting.map(|(_, reversal)| reversal));
    }

    /// The region of the latest fact: greatest date, then topic, then id.
    ///
    /// # Panics
    /// If there is no fact: every key without a region rests on at least one.
    pub fn region(&self, policy: &Policy) -> RegionCode {
        let latest = self.facts.iter().max();
        let (.., region) = latest.expect("a finding of a key without region has evidence");
        policy.region(*region).code
    }

    /// `topic/id`, sorted, none twice.
    pub fn ids(&self) -> Vec<EvidenceId> {
        let mut named: Vec<(Topic, &str)> = self
            .facts
            .iter()
            .map(|&(_, topic, id, _)| (topic, id))
            .collect();
        named.sort_unstable();
        named.dedup();
        named
            .into_iter()
            .map(|(topic, id)| EvidenceId {
                topic,
                id: id.to_owned(),
            })
            .collect()
    }
}

/// How grave an episode is: by its amount while it lasts, by its peak afterwards.
pub(crate) fn severity_of(policy: &Policy, detector: Detector, episode: &Episode) -> Severity {
    let decisive = match episode.cleared_on {
        None => episode.amount,
        Some(_) => episode.peak,
    };
    policy.severity(detector, decisive)
}

/// The details of a finding, from pairs of key and value.
macro_rules! details {
    ($($key:literal: $value:expr),* $(,)?) => {{
        let mut details = serde_json::Map::new();
        $(details.insert($key.to_owned(), serde_json::Value::from($value));)*
        details
    }};
}
pub(crate) use details;
