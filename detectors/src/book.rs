//! Books: the facts of one subject, as a detector reads them.
//!
//! A book holds each accepted fact once: redeliveries and conflicts are gone before it is made. It
//! may hold facts dated after as-of; a detector leaves those out. Every list is sorted by date, then
//! id, so that the *latest* of the contract is the last one dated up to a day. Texts are borrowed
//! from where the facts are kept.

use domain::{
    BusinessDate, CreditCode, EnterpriseStatus, Money, Nature, Period, PersonId, RegionCode,
    RegionId, RosterStatus,
};

/// The facts of one enterprise, all of the topic `tax.collection`.
#[derive(Clone, Debug)]
pub struct EnterpriseBook<'a> {
    /// Whose book it is.
    pub enterprise: CreditCode,
    /// Its status records.
    pub statuses: Vec<StatusRecord<'a>>,
    /// Its declarations.
    pub declarations: Vec<Declaration<'a>>,
    /// The payrolls that tax was withheld on.
    pub payrolls: Vec<Payroll<'a>>,
    /// Its payments.
    pub payments: Vec<Payment<'a>>,
    /// The reversals of payments.
    pub payment_reversals: Vec<PaymentReversal<'a>>,
}

/// An enterprise's status from `date` on.
#[derive(Clone, Debug)]
pub struct StatusRecord<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// From when on.
    pub date: BusinessDate,
    /// The status.
    pub status: EnterpriseStatus,
}

/// A declaration of a period's base.
#[derive(Clone, Debug)]
pub struct Declaration<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was filed.
    pub date: BusinessDate,
    /// The month declared.
    pub period: Period,
    /// People declared.
    pub headcount: u32,
    /// The wage total that contributions are computed on.
    pub base: Money,
}

/// The wages of a period that individual income tax was withheld on.
#[derive(Clone, Debug)]
pub struct Payroll<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was filed.
    pub date: BusinessDate,
    /// The month paid for.
    pub period: Period,
    /// People paid.
    pub headcount: u32,
    /// Wages.
    pub wages: Money,
}

/// A contribution paid.
#[derive(Clone, Debug)]
pub struct Payment<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was paid.
    pub date: BusinessDate,
    /// The month paid for.
    pub period: Period,
    /// How much.
    pub amount: Money,
}

/// A payment taken back.
#[derive(Clone, Debug)]
pub struct PaymentReversal<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was taken back.
    pub date: BusinessDate,
    /// The month of the payment.
    pub period: Period,
    /// The payment's id.
    pub reverses: &'a str,
    /// How much of it.
    pub amount: Money,
}

/// The facts of one person, of the topics `agency.payout`, `agency.roster` and `civil.death`.
#[derive(Clone, Debug)]
pub struct PersonBook<'a> {
    /// Whose book it is.
    pub person: PersonId,
    /// Benefits paid out, of every nature.
    pub payouts: Vec<Payout<'a>>,
    /// The reversals of payouts.
    pub payout_reversals: Vec<PayoutReversal<'a>>,
    /// Roster records.
    pub beneficiaries: Vec<Beneficiary<'a>>,
    /// Reports of the person's death.
    pub deaths: Vec<Death<'a>>,
    /// Withdrawals of such reports.
    pub cancellations: Vec<DeathCancelled<'a>>,
}

/// A benefit paid out.
#[derive(Clone, Debug)]
pub struct Payout<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was paid.
    pub date: BusinessDate,
    /// The month that it is for.
    pub period: Period,
    /// The benefit item.
    pub item: &'a str,
    /// Regular, back pay or lump sum.
    pub nature: Nature,
    /// How much.
    pub amount: Money,
}

/// A payout taken back.
#[derive(Clone, Debug)]
pub struct PayoutReversal<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was taken back.
    pub date: BusinessDate,
    /// The month of the payout.
    pub period: Period,
    /// The item of the payout.
    pub item: &'a str,
    /// The payout's id.
    pub reverses: &'a str,
    /// How much of it.
    pub amount: Money,
}

/// A roster record.
#[derive(Clone, Debug)]
pub struct Beneficiary<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// From when on.
    pub date: BusinessDate,
    /// The status.
    pub status: RosterStatus,
    /// What is to be paid a month, if the record says.
    pub amount: Option<Money>,
    /// The beneficiary's name, if the record says.
    pub name: Option<&'a str>,
}

/// A report of a death.
#[derive(Clone, Debug)]
pub struct Death<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was registered.
    pub date: BusinessDate,
    /// The day of death.
    pub died_on: BusinessDate,
    /// Who reports it, e.g. `crematorium`.
    pub source: &'a str,
    /// The name of the deceased, if the record says.
    pub name: Option<&'a str>,
}

/// A report of a death withdrawn.
#[derive(Clone, Debug)]
pub struct DeathCancelled<'a> {
    /// The record's id.
    pub id: &'a str,
    /// The record's region.
    pub region: RegionId,
    /// When it was withdrawn.
    pub date: BusinessDate,
    /// The death record's id.
    pub reverses: &'a str,
}

/// What a region collected in one month and remitted for it.
#[derive(Clone, Debug)]
pub struct RemittanceBook<'a> {
    /// The region.
    pub region: RegionCode,
    /// Whether it has the duty to remit.
    pub remits: bool,
    /// The month collected in.
    pub period: Period,
    /// Contributions collected and taken back, by day of the month, sorted; each day at most once.
    pub receipts: Vec<DayReceipts>,
    /// The `remit_up` of the region for the period, sorted by date, then id.
    pub remittances: Vec<Moved<'a>>,
}

/// What a region's enterprises paid on one day, whatever period for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayReceipts {
    /// The day.
    pub date: BusinessDate,
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    pub paid: Money,
    /// How many payment reversals.
    pub reversals: u64,
    /// Their sum, each in full.
    pub reversed: Money,
}

/// A transfer, as one that it counts for sees it.
#[derive(Clone, Debug)]
pub struct Moved<'a> {
    /// The record's id.
    pub id: &'a str,
    /// When.
    pub date: BusinessDate,
    /// How much.
    pub amount: Money,
}

/// A subsidy and what was released of it.
#[derive(Clone, Debug)]
pub struct SubsidyBook<'a> {
    /// The subsidy's record id.
    pub id: &'a str,
    /// The subsidy's region.
    pub region: RegionCode,
    /// When it arrived in the region's treasury.
    pub date: BusinessDate,
    /// How much.
    pub amount: Money,
    /// The releases that name it, of whichever region, sorted by date, then id.
    pub releases: Vec<Moved<'a>>,
}

/// The payouts of one region, period and item.
#[derive(Clone, Debug)]
pub struct ItemBook<'a> {
    /// The region of the payouts.
    pub region: RegionCode,
    /// The month that they are for.
    pub period: Period,
    /// The item.
    pub item: &'a str,
    /// Change of the sum of net(d), by day, sorted; each day at most once.
    pub steps: Vec<(BusinessDate, Money)>,
    /// Date and id of every payout and of the reversals that act on one (of whichever region),
    /// sorted by id, none twice.
    pub records: Vec<(BusinessDate, &'a str)>,
}
