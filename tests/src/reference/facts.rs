//! Facts as the detectors see them: typed, and only those that a day may know.

use std::fmt;

use jiff::civil::Date;

use super::money::Fen;
use super::period::Period;

/// A feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// `agency.payout`
    AgencyPayout,
    /// `agency.roster`
    AgencyRoster,
    /// `civil.death`
    CivilDeath,
    /// `tax.collection`
    TaxCollection,
    /// `treasury.transfer`
    TreasuryTransfer,
}

impl Topic {
    /// All five, in the order of their names.
    pub const ALL: [Self; 5] = [
        Self::AgencyPayout,
        Self::AgencyRoster,
        Self::CivilDeath,
        Self::TaxCollection,
        Self::TreasuryTransfer,
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AgencyPayout => "agency.payout",
            Self::AgencyRoster => "agency.roster",
            Self::CivilDeath => "civil.death",
            Self::TaxCollection => "tax.collection",
            Self::TreasuryTransfer => "treasury.transfer",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An accepted record: what all types share, and the fields of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact<B> {
    /// Its name within its topic.
    pub id: String,
    /// The region that it belongs to.
    pub region: String,
    /// The business date on which it took effect.
    pub date: Date,
    /// The fields of its type.
    pub body: B,
}

/// The fields of any type, in canonical form: two records say the same if these are equal.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum Body {
    Enterprise(EnterpriseStatus),
    Declaration(Declaration),
    Payroll(Payroll),
    Payment(Payment),
    PaymentReversal(PaymentReversal),
    Payout(Payout),
    PayoutReversal(PayoutReversal),
    Beneficiary(Beneficiary),
    Death(Death),
    DeathCancelled(DeathCancelled),
    Transfer(Transfer),
    DayClose { records: u64, amount: Fen },
}

/// `enterprise`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct EnterpriseStatus {
    pub enterprise: String,
    pub name: String,
    pub status: String,
}

/// `declaration`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Declaration {
    pub enterprise: String,
    pub period: Period,
    pub headcount: u64,
    pub base: Fen,
}

/// `payroll`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Payroll {
    pub enterprise: String,
    pub period: Period,
    pub headcount: u64,
    pub wages: Fen,
}

/// `payment`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Payment {
    pub enterprise: String,
    pub period: Period,
    pub amount: Fen,
}

/// `payment_reversal`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct PaymentReversal {
    pub enterprise: String,
    pub period: Period,
    pub reverses: String,
    pub amount: Fen,
}

/// `payout`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Payout {
    pub person: String,
    pub period: Period,
    pub item: String,
    pub nature: String,
    pub amount: Fen,
    pub account: Option<String>,
}

/// `payout_reversal`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct PayoutReversal {
    pub person: String,
    pub period: Period,
    pub item: String,
    pub reverses: String,
    pub amount: Fen,
}

/// `beneficiary`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Beneficiary {
    pub person: String,
    pub status: String,
    pub amount: Option<Fen>,
    pub name: Option<String>,
}

/// `death`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Death {
    pub person: String,
    pub died_on: Date,
    pub source: String,
    pub name: Option<String>,
}

/// `death_cancelled`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct DeathCancelled {
    pub person: String,
    pub reverses: String,
}

/// `transfer`
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Transfer {
    pub kind: String,
    pub amount: Fen,
    pub period: Option<Period>,
    pub source: Option<String>,
}

/// Says in which topic a type travels.
pub trait Kind {
    /// The topic.
    const TOPIC: Topic;
}

macro_rules! kinds {
    ($($kind:ty => $topic:ident),* $(,)?) => {
        $(impl Kind for $kind { const TOPIC: Topic = Topic::$topic; })*
    };
}

kinds! {
    EnterpriseStatus => TaxCollection,
    Declaration => TaxCollection,
    Payroll => TaxCollection,
    Payment => TaxCollection,
    PaymentReversal => TaxCollection,
    Payout => AgencyPayout,
    PayoutReversal => AgencyPayout,
    Beneficiary => AgencyRoster,
    Death => CivilDeath,
    DeathCancelled => CivilDeath,
    Transfer => TreasuryTransfer,
}

/// All facts, by type.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "one list a type")]
pub struct Facts {
    pub statuses: Vec<Fact<EnterpriseStatus>>,
    pub declarations: Vec<Fact<Declaration>>,
    pub payrolls: Vec<Fact<Payroll>>,
    pub payments: Vec<Fact<Payment>>,
    pub payment_reversals: Vec<Fact<PaymentReversal>>,
    pub payouts: Vec<Fact<Payout>>,
    pub payout_reversals: Vec<Fact<PayoutReversal>>,
    pub beneficiaries: Vec<Fact<Beneficiary>>,
    pub deaths: Vec<Fact<Death>>,
    pub cancellations: Vec<Fact<DeathCancelled>>,
    pub transfers: Vec<Fact<Transfer>>,
}

impl Facts {
    /// Sorts accepted records by type. `day_close` says nothing to a detector.
    #[must_use]
    pub fn of(records: Vec<Fact<Body>>) -> Self {
        let mut facts = Self::default();
        for Fact {
            id,
            region,
            date,
            body,
        } in records
        {
            macro_rules! push {
                ($list:ident, $body:expr) => {
                    facts.$list.push(Fact {
                        id,
                        region,
                        date,
                        body: $body,
                    })
                };
            }
            match body {
                Body::Enterprise(body) => push!(statuses, body),
                Body::Declaration(body) => push!(declarations, body),
                Body::Payroll(body) => push!(payrolls, body),
                Body::Payment(body) => push!(payments, body),
                Body::PaymentReversal(body) => push!(payment_reversals, body),
                Body::Payout(body) => push!(payouts, body),
                Body::PayoutReversal(body) => push!(payout_reversals, body),
                Body::Beneficiary(body) => push!(beneficiaries, body),
                Body::Death(body) => push!(deaths, body),
                Body::DeathCancelled(body) => push!(cancellations, body),
                Body::Transfer(body) => push!(transfers, body),
                Body::DayClose { .. } => {}
            }
        }
        facts
    }
}

/// Some of the facts: what a detector is shown.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "one list a type")]
pub struct View<'a> {
    pub statuses: Vec<&'a Fact<EnterpriseStatus>>,
    pub declarations: Vec<&'a Fact<Declaration>>,
    pub payrolls: Vec<&'a Fact<Payroll>>,
    pub payments: Vec<&'a Fact<Payment>>,
    pub payment_reversals: Vec<&'a Fact<PaymentReversal>>,
    pub payouts: Vec<&'a Fact<Payout>>,
    pub payout_reversals: Vec<&'a Fact<PayoutReversal>>,
    pub beneficiaries: Vec<&'a Fact<Beneficiary>>,
    pub deaths: Vec<&'a Fact<Death>>,
    pub cancellations: Vec<&'a Fact<DeathCancelled>>,
    pub transfers: Vec<&'a Fact<Transfer>>,
}

/// Applies one operation to each list of a [`View`].
macro_rules! each_list {
    ($lists:ident => $operation:expr) => {
        View {
            statuses: $operation(&$lists.statuses),
            declarations: $operation(&$lists.declarations),
            payrolls: $operation(&$lists.payrolls),
            payments: $operation(&$lists.payments),
            payment_reversals: $operation(&$lists.payment_reversals),
            payouts: $operation(&$lists.payouts),
            payout_reversals: $operation(&$lists.payout_reversals),
            beneficiaries: $operation(&$lists.beneficiaries),
            deaths: $operation(&$lists.deaths),
            cancellations: $operation(&$lists.cancellations),
            transfers: $operation(&$lists.transfers),
        }
    };
}

impl<'a> View<'a> {
    /// Everything.
    #[must_use]
    pub fn all(facts: &'a Facts) -> Self {
        fn refer<B>(list: &[Fact<B>]) -> Vec<&Fact<B>> {
            list.iter().collect()
        }
        each_list!(facts => refer)
    }

    /// What is dated up to `day`.
    #[must_use]
    pub fn up_to(&self, day: Date) -> Self {
        fn up_to<'a, B>(list: &[&'a Fact<B>], day: Date) -> Vec<&'a Fact<B>> {
            list.iter()
                .copied()
                .filter(|fact| fact.date <= day)
                .collect()
        }
        macro_rules! dated {
            ($list:expr) => {
                up_to($list, day)
            };
        }
        View {
            statuses: dated!(&self.statuses),
            declarations: dated!(&self.declarations),
            payrolls: dated!(&self.payrolls),
            payments: dated!(&self.payments),
            payment_reversals: dated!(&self.payment_reversals),
            payouts: dated!(&self.payouts),
            payout_reversals: dated!(&self.payout_reversals),
            beneficiaries: dated!(&self.beneficiaries),
            deaths: dated!(&self.deaths),
            cancellations: dated!(&self.cancellations),
            transfers: dated!(&self.transfers),
        }
    }

    /// The date of the earliest fact.
    #[must_use]
    pub fn first_date(&self) -> Option<Date> {
        fn first<B>(list: &[&Fact<B>]) -> Option<Date> {
            list.iter().map(|fact| fact.date).min()
        }
        [
            first(&self.statuses),
            first(&self.declarations),
            first(&self.payrolls),
            first(&self.payments),
            first(&self.payment_reversals),
            first(&self.payouts),
            first(&self.payout_reversals),
            first(&self.beneficiaries),
            first(&self.deaths),
            first(&self.cancellations),
            first(&self.transfers),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What the feeds say of one enterprise.
    #[must_use]
    pub fn of_enterprise(&self, enterprise: &str) -> Self {
        Self {
            statuses: pick(&self.statuses, |body| body.enterprise == enterprise),
            declarations: pick(&self.declarations, |body| body.enterprise == enterprise),
            payrolls: pick(&self.payrolls, |body| body.enterprise == enterprise),
            payments: pick(&self.payments, |body| body.enterprise == enterprise),
            payment_reversals: pick(&self.payment_reversals, |body| {
                body.enterprise == enterprise
            }),
            ..Self::default()
        }
    }

    /// What the feeds say of one person.
    #[must_use]
    pub fn of_person(&self, person: &str) -> Self {
        Self {
            payouts: pick(&self.payouts, |body| body.person == person),
            payout_reversals: pick(&self.payout_reversals, |body| body.person == person),
            beneficiaries: pick(&self.beneficiaries, |body| body.person == person),
            deaths: pick(&self.deaths, |body| body.person == person),
            cancellations: pick(&self.cancellations, |body| body.person == person),
            ..Self::default()
        }
    }

    /// The reversals of a payment: those that name it and have the same enterprise and period.
    pub fn reversals_of_payment(
        &self,
        payment: &Fact<Payment>,
    ) -> impl Iterator<Item = &'a Fact<PaymentReversal>> {
        self.payment_reversals
            .iter()
            .copied()
            .filter(move |reversal| {
                reversal.body.reverses == payment.id
                    && reversal.body.enterprise == payment.body.enterprise
                    && reversal.body.period == payment.body.period
            })
    }

    /// The reversals of a payout: those that name it and have the same person, period and item.
    pub fn reversals_of_payout(
        &self,
        payout: &Fact<Payout>,
    ) -> impl Iterator<Item = &'a Fact<PayoutReversal>> {
        self.payout_reversals
            .iter()
            .copied()
            .filter(move |reversal| {
                reversal.body.reverses == payout.id
                    && reversal.body.person == payout.body.person
                    && reversal.body.period == payout.body.period
                    && reversal.body.item == payout.body.item
            })
    }

    /// *net* of a payment, from what this view shows.
    #[must_use]
    pub fn net_payment(&self, payment: &Fact<Payment>) -> Fen {
        let reversed: Fen = self
            .reversals_of_payment(payment)
            .map(|reversal| reversal.body.amount)
            .sum();
        (payment.body.amount - reversed).max(0)
    }

    /// *net* of a payout, from what this view shows.
    #[must_use]
    pub fn net_payout(&self, payout: &Fact<Payout>) -> Fen {
        let reversed: Fen = self
            .reversals_of_payout(payout)
            .map(|reversal| reversal.body.amount)
            .sum();
        (payout.body.amount - reversed).max(0)
    }

    /// The deaths that no cancellation of the same person names.
    pub fn uncancelled_deaths(&self) -> impl Iterator<Item = &'a Fact<Death>> {
        self.deaths.iter().copied().filter(|death| {
            !self.cancellations.iter().any(|cancellation| {
                cancellation.body.person == death.body.person
                    && cancellation.body.reverses == death.id
            })
        })
    }
}

fn pick<'a, B>(list: &[&'a Fact<B>], keep: impl Fn(&B) -> bool) -> Vec<&'a Fact<B>> {
    list.iter()
        .copied()
        .filter(|fact| keep(&fact.body))
        .collect()
}

/// *Latest*: the greatest date, then id.
#[must_use]
pub fn latest<'a, B>(list: impl IntoIterator<Item = &'a Fact<B>>) -> Option<&'a Fact<B>> {
    list.into_iter()
        .max_by_key(|fact| (fact.date, fact.id.as_bytes()))
}

/// The status record in force on `day`: the latest dated on or before it.
#[must_use]
pub fn in_force<'a, B>(list: &[&'a Fact<B>], day: Date) -> Option<&'a Fact<B>> {
    latest(list.iter().copied().filter(|fact| fact.date <= day))
}
