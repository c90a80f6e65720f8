//! What is known of an enterprise: month by month what it declared, what wages it withheld tax on, what it owed, paid
//! and lacks, with the surcharge to date.
//!
//! Nothing is calculated here that a detector calculates: debts and surcharges are those of `arrears`, bases those of
//! `under-declared-base`, and what a month is presumed to owe is what `undeclared` finds.

use std::collections::BTreeMap;

use detectors::arrears::{self, PeriodAccount};
use detectors::book::{Declaration, EnterpriseBook, Payroll};
use detectors::under_declared_base::base_gap;
use detectors::{Verdict, registry};
use domain::{
    BusinessDate, CreditCode, Detector, EnterpriseStatus, Finding, Money, Period, Rate, RegionCode,
    RegionId,
};
use rules::Policy;

use crate::{AsOf, Record};

/// The dossier of an enterprise.
#[derive(Clone, Debug, PartialEq)]
pub struct EnterpriseDossier {
    /// Whose it is.
    pub enterprise: CreditCode,
    /// Its name by the latest status record.
    pub name: Option<String>,
    /// Other names that it had, the latest first.
    pub former_names: Vec<String>,
    /// The region of its latest fact.
    pub region: Option<RegionCode>,
    /// Its status, and from when on.
    pub status: Option<(EnterpriseStatus, BusinessDate)>,
    /// Up to when it is known.
    pub as_of: AsOf,
    /// By period, the latest last.
    pub months: Vec<Month>,
    /// The sums of the months.
    pub totals: Totals,
    /// What the detectors find.
    pub findings: Vec<Finding>,
}

/// What concerns one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    /// The period.
    pub period: Period,
    /// When its contributions are due; `None` where the policy has no entry.
    pub due: Option<BusinessDate>,
    /// The latest declaration.
    pub declared: Option<Filed>,
    /// The latest payroll.
    pub payroll: Option<Filed>,
    /// What the base should have been by the payroll.
    pub expected_base: Option<Money>,
    /// The contributions on what the declared base lacks of it, tolerated or not.
    pub base_gap: Option<Money>,
    /// What the declaration owes.
    pub owed: Option<Money>,
    /// What is paid, less what was taken back.
    pub paid: Money,
    /// Owed less paid, once the due date has passed; below zero more was paid than owed.
    pub shortfall: Option<Money>,
    /// The late-payment surcharge of every day after the due date.
    pub surcharge: Money,
    /// The debt from a day on, as it changed.
    pub debts: Vec<(BusinessDate, Money)>,
    /// What is presumed to be owed, if the period is not declared and should be.
    pub undeclared: Option<Money>,
}

/// A declaration or a payroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filed {
    /// The base, or the wages.
    pub amount: Money,
    /// People.
    pub headcount: u32,
    /// When it was filed.
    pub date: BusinessDate,
    /// The how-manieth of the period.
    pub times: u32,
}

/// The sums of all months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// What the declarations owe.
    pub owed: Money,
    /// What is paid.
    pub paid: Money,
    /// What is overdue; a month that was overpaid makes no other one good.
    pub arrears: Money,
    /// The surcharge of all months.
    pub surcharge: Money,
    /// The contributions on what bases lack, as far as alerts speak of it.
    pub base_gap: Money,
    /// What is presumed to be owed of months not declared.
    pub undeclared: Money,
}

/// The dossier of an enterprise, from its facts. `records` are the book's, by date.
pub fn dossier(
    book: &EnterpriseBook<'_>,
    records: &[Record],
    policy: &Policy,
    as_of: AsOf,
) -> EnterpriseDossier {
    let findings = findings(book, policy, as_of);
    let months = months(book, policy, as_of, &findings);
    let names: Vec<&str> = records
        .iter()
        .rev()
        .filter(|record| record.date <= as_of.present)
        .filter_map(|record| record.name.as_deref())
        .filter(|name| !name.is_empty())
        .collect();
    let mut former_names: Vec<String> = Vec::new();
    for name in names.iter().skip(1) {
        if Some(name) != names.first() && !former_names.iter().any(|known| known == name) {
            former_names.push((*name).to_owned());
        }
    }
    let status = book
        .statuses
        .iter()
        .rfind(|status| status.date <= as_of.present)
        .map(|status| (status.status, status.date));
    EnterpriseDossier {
        enterprise: book.enterprise,
        name: names.first().map(|name| (*name).to_owned()),
        former_names,
        region: latest_region(records, as_of.present).map(|region| policy.region(region).code),
        status,
        as_of,
        totals: totals(&months, &findings),
        months,
        findings,
    }
}

/// The region of the latest fact: greatest date, then topic, then id.
pub(crate) fn latest_region(records: &[Record], present: BusinessDate) -> Option<RegionId> {
    let known = records.iter().rfind(|record| record.date <= present);
    known.or(records.last()).map(|record| record.region)
}

fn findings(book: &EnterpriseBook<'_>, policy: &Policy, as_of: AsOf) -> Vec<Finding> {
    let mut verdict = Verdict::default();
    registry::judge_enterprise(
        book,
        policy,
        as_of.complete.unwrap_or(BusinessDate::FIRST),
        as_of.present,
        &mut verdict,
    );
    verdict.findings
}

fn months(
    book: &EnterpriseBook<'_>,
    policy: &Policy,
    as_of: AsOf,
    findings: &[Finding],
) -> Vec<Month> {
    let mut months: BTreeMap<Period, Month> = BTreeMap::new();
    let accounts = arrears::accounts(book, policy, as_of.complete.unwrap_or(as_of.present));
    for account in accounts {
        let period = account.period;
        month_of(&mut months, period, policy).take_account(account, policy, as_of);
    }
    // The lists are in the order of date, then id: the last of a period is the latest.
    for declaration in book
        .declarations
        .iter()
        .filter(|of| of.date <= as_of.present)
    {
        let month = month_of(&mut months, declaration.period, policy);
        month.declared = Some(Filed::of_declaration(declaration, month.declared));
    }
    for payroll in book.payrolls.iter().filter(|of| of.date <= as_of.present) {
        let month = month_of(&mut months, payroll.period, policy);
        month.payroll = Some(Filed::of_payroll(payroll, month.payroll));
    }
    for finding in findings {
        if let (Detector::Undeclared, Some(period), None) = (
            finding.key.detector,
            finding.key.period,
            finding.episode.cleared_on,
        ) {
            month_of(&mut months, period, policy).undeclared = Some(finding.episode.amount);
        }
    }
    for month in months.values_mut() {
        month.compare_bases(book, policy, as_of.present);
    }
    months.into_values().collect()
}

fn month_of<'m>(
    months: &'m mut BTreeMap<Period, Month>,
    period: Period,
    policy: &Policy,
) -> &'m mut Month {
    months.entry(period).or_insert_with(|| Month {
        period,
        due: policy.contribution_due(period).map(|due| due.date),
        declared: None,
        payroll: None,
        expected_base: None,
        base_gap: None,
        owed: None,
        paid: Money::ZERO,
        shortfall: None,
        surcharge: Money::ZERO,
        debts: Vec::new(),
        undeclared: None,
    })
}

impl Month {
    fn take_account(&mut self, account: PeriodAccount, policy: &Policy, as_of: AsOf) {
        let is_overdue = policy
            .contribution_due(self.period)
            .zip(as_of.complete)
            .is_some_and(|(due, complete)| due.deadline < complete);
        self.owed = account.owed;
        self.paid = account.paid;
        self.shortfall = account
            .owed
            .filter(|_| is_overdue)
            .map(|owed| owed - account.paid);
        self.surcharge = account.surcharge;
        self.debts = account.debts;
    }

    fn compare_bases(&mut self, book: &EnterpriseBook<'_>, policy: &Policy, present: BusinessDate) {
        let latest_payroll = book
            .payrolls
            .iter()
            .rfind(|of| of.period == self.period && of.date <= present);
        let (Some(entry), Some(payroll)) = (policy.contribution(self.period), latest_payroll)
        else {
            return;
        };
        let latest_declaration = book
            .declarations
            .iter()
            .rfind(|of| of.period == self.period && of.date <= present);
        let nothing = Declaration {
            id: "",
            region: payroll.region,
            date: payroll.date,
            period: self.period,
            headcount: 0,
            base: Money::ZERO,
        };
        let gap = base_gap(entry, latest_declaration.unwrap_or(&nothing), payroll);
        self.expected_base = Some(gap.expected);
        self.base_gap = latest_declaration.map(|_| gap.contribution);
    }
}

/// Days on which a debt bears a surcharge at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurchargeSpan {
    /// The first of the days.
    pub from: BusinessDate,
    /// The last of the days.
    pub to: BusinessDate,
    /// The debt on each of them.
    pub debt: Money,
    /// The part of it that each day adds.
    pub daily: Rate,
}

impl SurchargeSpan {
    /// How many days.
    pub const fn days(&self) -> u32 {
        self.to.next().days_since(self.from)
    }

    /// What the days add, in fen scaled by [`Rate::SCALE`].
    pub fn scaled(&self) -> i128 {
        self.daily.times(self.debt) * i128::from(self.days())
    }
}

impl Month {
    /// The days up to `until` that bear a surcharge, by debt and rate: their sum, rounded once, is the surcharge.
    pub fn surcharge_spans(&self, policy: &Policy, until: BusinessDate) -> Vec<SurchargeSpan> {
        let mut spans = Vec::new();
        for (at, (from, debt)) in self.debts.iter().enumerate() {
            let next = self.debts.get(at + 1).map_or(until.next(), |next| next.0);
            if !debt.is_positive() {
                continue;
            }
            for (at, entry) in policy.surcharges().iter().enumerate() {
                let entry_ends = policy.surcharges().get(at + 1).map_or(next, |of| of.from);
                let (from, end) = (entry.from.max(*from), entry_ends.min(next));
                if from < end {
                    spans.push(SurchargeSpan {
                        from,
                        to: end.previous(),
                        debt: *debt,
                        daily: entry.daily,
                    });
                }
            }
        }
        spans
    }
}

impl Filed {
    fn of_declaration(declaration: &Declaration<'_>, before: Option<Filed>) -> Filed {
        Filed {
            amount: declaration.base,
            headcount: declaration.headcount,
            date: declaration.date,
            times: before.map_or(1, |before| before.times + 1),
        }
    }

    fn of_payroll(payroll: &Payroll<'_>, before: Option<Filed>) -> Filed {
        Filed {
            amount: payroll.wages,
            headcount: payroll.headcount,
            date: payroll.date,
            times: before.map_or(1, |before| before.times + 1),
        }
    }
}

fn totals(months: &[Month], findings: &[Finding]) -> Totals {
    let open_of = |detector| {
        findings
            .iter()
            .filter(move |finding| finding.key.detector == detector)
            .map(|finding| finding.episode.amount)
            .sum()
    };
    Totals {
        owed: months.iter().filter_map(|month| month.owed).sum(),
        paid: months.iter().map(|month| month.paid).sum(),
        arrears: months
            .iter()
            .filter_map(|month| month.shortfall)
            .map(Money::at_least_zero)
            .sum(),
        surcharge: months.iter().map(|month| month.surcharge).sum(),
        base_gap: open_of(Detector::UnderDeclaredBase),
        undeclared: open_of(Detector::Undeclared),
    }
}
