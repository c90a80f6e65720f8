//! The indicators of the fund's health, of a region or the pool, as of a date.
//!
//! Formulas: reference of the field, section on indicators (`docs/ledger.md` has them with sources and thresholds).
//! *Year*: the twelve months that end with the last complete month. A value that is not known since a feed is silent
//! is [`Value::Unknown`], and one that there cannot be (a division by nothing, a duty that a region does not have) is
//! [`Value::NotApplicable`]; neither is zero, and neither is ever green.

use std::cmp::Ordering;

use domain::{BusinessDate, Indicator, Measure, Money, Period, Rate, RegionId, Severity, Topic};
use rules::Thresholds;

use crate::book::{Days, Ledger, Unit};
use crate::flow::Flow;
use crate::posting::{Entry, Sum};
use crate::quotient::Quotient;
use crate::report::FlowSums;
use crate::transit::{Matched, Step};

/// Feeds that an indicator reads.
pub const fn topics(indicator: Indicator) -> &'static [Topic] {
    use Topic::{AgencyPayout, AgencyRoster, CivilDeath, TaxCollection, TreasuryTransfer};
    match indicator {
        Indicator::ReserveMonths
        | Indicator::Runway
        | Indicator::LiquidityDays
        | Indicator::SurplusRatio => &[AgencyPayout, TaxCollection, TreasuryTransfer],
        Indicator::GapRatio => &[AgencyPayout, TaxCollection],
        Indicator::SubsidyDependence => &[AgencyPayout, TreasuryTransfer],
        Indicator::DependencyRatio => &[AgencyRoster, TaxCollection],
        Indicator::CollectionRate
        | Indicator::BaseConsolidation
        | Indicator::ArrearsRatio
        | Indicator::ArrearsAge
        | Indicator::ArrearsRecovery => &[TaxCollection],
        Indicator::RemittanceTimelinessAmount
        | Indicator::RemittanceTimelinessCount
        | Indicator::DwellDays => &[TaxCollection, TreasuryTransfer],
        Indicator::SubsidyDwellDays => &[TreasuryTransfer],
        Indicator::PayoutTimeliness => &[AgencyPayout, AgencyRoster, CivilDeath],
        Indicator::ControlTotalDifference => &Topic::ALL,
    }
}

/// What an indicator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number; zero is one.
    Known(Quotient),
    /// A feed that it reads is silent, or the history is too short.
    Unknown,
    /// There is no such thing: nothing to divide by, no duty.
    NotApplicable,
}

impl Value {
    fn of(numerator: i128, denominator: i128) -> Value {
        Quotient::new(numerator, denominator).map_or(Value::NotApplicable, Value::Known)
    }
}

/// How complete what an indicator reads is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completeness {
    /// Feeds of regions that are closed up to the date, or lately enough.
    pub complete: usize,
    /// Feeds of regions that are read.
    pub of: usize,
    /// Those that are silent.
    pub silent: Vec<(RegionId, Topic)>,
}

/// How a reading is graded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// The policy says nothing of it.
    Ungraded,
    /// There is no such thing.
    NotApplicable,
    /// Not known.
    Unknown,
    /// Within all thresholds.
    Green,
    /// Beyond a threshold.
    Beyond(Severity),
}

impl Grade {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Grade::Ungraded => "ungraded",
            Grade::NotApplicable => "not_applicable",
            Grade::Unknown => "unknown",
            Grade::Green => "green",
            Grade::Beyond(severity) => severity.as_str(),
        }
    }
}

/// An indicator of a unit as of a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which.
    pub indicator: Indicator,
    /// Whose.
    pub unit: Unit,
    /// As of when.
    pub as_of: BusinessDate,
    /// What it says.
    pub value: Value,
    /// If numerator and denominator are fen: how many denominators one unit of value is worth (the reserve is told
    /// in months, of which a year's payouts are twelve).
    pub money_parts: Option<i128>,
    /// How complete what it reads is.
    pub completeness: Completeness,
    /// By the policy's thresholds.
    pub grade: Grade,
}

impl Reading {
    /// The value in the indicator's measure, rounded to be shown.
    pub fn shown(&self) -> Option<String> {
        let Value::Known(quotient) = self.value else {
            return None;
        };
        let decimals = match self.indicator.measure() {
            Measure::Ratio => 4,
            Measure::Months => 1,
            Measure::BusinessDays | Measure::Days => 1,
        };
        Some(quotient.shown(decimals))
    }

    /// The money between the value and a threshold, where both are of money: what is missing, or too much.
    pub fn money_to(&self, threshold: Rate) -> Money {
        let (Value::Known(quotient), Some(parts)) = (self.value, self.money_parts) else {
            return Money::ZERO;
        };
        let missing = quotient.missing_to(i128::from(threshold.units()));
        let missing = if self.indicator.is_worse_below() {
            missing
        } else {
            -missing
        };
        Rate::round(missing, Rate::SCALE * parts).at_least_zero()
    }
}

/// Grades a value; the gravest threshold that it is beyond counts.
pub fn grade(indicator: Indicator, value: Value, thresholds: &Thresholds) -> Grade {
    let all = [
        (Severity::Red, thresholds.red),
        (Severity::Orange, thresholds.orange),
        (Severity::Yellow, thresholds.yellow),
    ];
    if all.iter().all(|(_, threshold)| threshold.is_none()) {
        return Grade::Ungraded;
    }
    let quotient = match value {
        Value::Unknown => return Grade::Unknown,
        Value::NotApplicable => return Grade::NotApplicable,
        Value::Known(quotient) => quotient,
    };
    let worse = if indicator.is_worse_below() {
        Ordering::Less
    } else {
        Ordering::Greater
    };
    all.into_iter()
        .find(|(_, threshold)| {
            threshold.is_some_and(|rate| quotient.compare(i128::from(rate.units())) == worse)
        })
        .map_or(Grade::Green, |(severity, _)| Grade::Beyond(severity))
}

/// The last month that is complete on a day.
pub fn last_complete_month(as_of: BusinessDate) -> Period {
    let month = as_of.period();
    if as_of == month.last_day() {
        month
    } else {
        month.previous()
    }
}

impl Ledger {
    /// All indicators of all units as of a date.
    pub fn health(&self, as_of: BusinessDate) -> Vec<Reading> {
        self.units()
            .flat_map(|unit| Indicator::ALL.map(|indicator| self.reading(indicator, unit, as_of)))
            .collect()
    }

    /// One indicator of a unit as of a date.
    pub fn reading(&self, indicator: Indicator, unit: Unit, as_of: BusinessDate) -> Reading {
        let completeness = self.completeness(indicator, unit, as_of);
        let (value, money_parts) = if completeness.silent.is_empty() {
            self.value(indicator, unit, as_of)
        } else {
            (Value::Unknown, None)
        };
        let is_graded = unit == Unit::Pool || !indicator.is_graded_for_pool_alone();
        let grade = match self.policy().health(as_of.period()) {
            Some(entry) if is_graded => grade(indicator, value, entry.thresholds(indicator)),
            _ => Grade::Ungraded,
        };
        Reading {
            indicator,
            unit,
            as_of,
            value,
            money_parts,
            completeness,
            grade,
        }
    }

    /// Which of the feeds that an indicator reads are complete up to a date, or were closed lately.
    pub fn completeness(
        &self,
        indicator: Indicator,
        unit: Unit,
        as_of: BusinessDate,
    ) -> Completeness {
        let within = self
            .policy()
            .health(as_of.period())
            .map_or(0, |entry| entry.close_within_business_days);
        let calendar = self.policy().calendar();
        let mut completeness = Completeness {
            complete: 0,
            of: 0,
            silent: Vec::new(),
        };
        for region in self.regions_of(unit) {
            for topic in topics(indicator) {
                completeness.of += 1;
                let closed = self.closed(region, *topic, BusinessDate::LAST);
                if closed.is_some_and(|day| as_of <= calendar.plus_business_days(day, within)) {
                    completeness.complete += 1;
                } else {
                    completeness.silent.push((region, *topic));
                }
            }
        }
        completeness
    }

    fn value(
        &self,
        indicator: Indicator,
        unit: Unit,
        as_of: BusinessDate,
    ) -> (Value, Option<i128>) {
        let month = last_complete_month(as_of);
        let ratio = |(numerator, denominator): (Money, Money)| {
            (Value::of(numerator.fen(), denominator.fen()), Some(1))
        };
        match indicator {
            Indicator::ReserveMonths => self.reserve_months(unit, as_of, month),
            Indicator::Runway => self.runway(unit, as_of),
            Indicator::LiquidityDays => self.liquidity_days(unit, as_of, month),
            Indicator::SurplusRatio => {
                let year = self.flow_sums(unit, Days::year_to(month));
                let income = year.income();
                ratio((income - year.paid_net(), income))
            }
            Indicator::GapRatio => {
                let year = self.flow_sums(unit, Days::year_to(month));
                ratio((year.paid_net() - year.collected_net(), year.paid_net()))
            }
            Indicator::SubsidyDependence => {
                let year = self.flow_sums(unit, Days::year_to(month));
                ratio((year.income() - year.collected_net(), year.paid_net()))
            }
            Indicator::DependencyRatio => (self.dependency(unit, as_of), None),
            Indicator::CollectionRate => match self.due_months(unit, as_of).last() {
                Some((_, due, paid)) => ratio((*paid, due.amount)),
                None => (Value::NotApplicable, None),
            },
            Indicator::ArrearsRatio => {
                let months = self.due_months(unit, as_of);
                let owed: Money = months.iter().map(|(_, due, paid)| due.amount - *paid).sum();
                let year: Money = months
                    .iter()
                    .rev()
                    .take(12)
                    .map(|(_, due, _)| due.amount)
                    .sum();
                ratio((owed, year))
            }
            Indicator::BaseConsolidation => (self.base_consolidation(unit, as_of), None),
            Indicator::ArrearsAge => (self.arrears_age(unit, as_of), None),
            Indicator::ArrearsRecovery => ratio(self.recovered(unit, as_of, month)),
            Indicator::RemittanceTimelinessAmount => {
                let months = self.remittance_months(unit, as_of);
                ratio((
                    months.iter().map(|(_, in_time)| *in_time).sum(),
                    months.iter().map(|(due, _)| *due).sum(),
                ))
            }
            Indicator::RemittanceTimelinessCount => {
                let months = self.remittance_months(unit, as_of);
                let in_time = months
                    .iter()
                    .filter(|(due, in_time)| due == in_time)
                    .count();
                (Value::of(in_time as i128, months.len() as i128), None)
            }
            Indicator::DwellDays => (self.dwell(unit, as_of), None),
            Indicator::SubsidyDwellDays => (self.subsidy_dwell(unit, as_of, month), None),
            Indicator::PayoutTimeliness => (self.payout_timeliness(unit, as_of), None),
            Indicator::ControlTotalDifference => (self.missing_of_closes(unit, as_of), None),
        }
    }

    /// What a unit has (累计结余): all that is left in its places; of the pool, in the special account, too. Never
    /// negative: what was paid beyond it is a difference of the identities, and nobody's reserve.
    pub fn held(&self, unit: Unit, as_of: BusinessDate) -> Money {
        let on_its_way: Money = self
            .transit(unit, as_of)
            .iter()
            .map(|transit| transit.amount)
            .sum();
        let special_account = match unit {
            Unit::Region(_) => Money::ZERO,
            Unit::Pool => self.special_account(as_of),
        };
        on_its_way + special_account
    }

    /// What is in the pool's special account (财政专户).
    fn special_account(&self, as_of: BusinessDate) -> Money {
        let sums = self.flow_sums(Unit::Pool, Days::up_to(as_of));
        let came = sums.amount(Flow::RemittedUp) + sums.amount(Flow::Released);
        (self.opening(as_of) + came - sums.amount(Flow::AllocatedDown)).at_least_zero()
    }

    /// What a unit has brought in beyond what it has paid out: its part in the fund, which others carry if it is
    /// negative.
    pub fn position(&self, unit: Unit, as_of: BusinessDate) -> Money {
        let sums = self.flow_sums(unit, Days::up_to(as_of));
        let opening = match unit {
            Unit::Pool => self.opening(as_of),
            Unit::Region(_) => Money::ZERO,
        };
        opening + sums.income() - sums.paid_net()
    }

    /// What is held over the mean of the year's monthly payouts; of a shorter history over the months that it has.
    fn reserve_months(
        &self,
        unit: Unit,
        as_of: BusinessDate,
        month: Period,
    ) -> (Value, Option<i128>) {
        let year = Days::year_to(month);
        let paid = self.flow_sums(unit, year).paid_net();
        let months = match self.first_flow(unit) {
            Some(first) if year.first.period() < first.period() => i128::from(
                month
                    .next()
                    .months()
                    .saturating_sub(first.period().months()),
            ),
            _ => 12,
        };
        let held = self.held(unit, as_of);
        (Value::of(held.fen() * months, paid.fen()), Some(months))
    }

    /// Days of the year's mean payouts that the money lasts which can be paid out at once: what is with the agencies and, of
    /// the pool, in the special account. What is still to be remitted or released is none of it.
    fn liquidity_days(
        &self,
        unit: Unit,
        as_of: BusinessDate,
        month: Period,
    ) -> (Value, Option<i128>) {
        let mut year = Days::year_to(month);
        if let Some(first) = self.first_flow(unit) {
            year.first = year.first.max(first.period().first_day());
        }
        let days = i128::from(year.last.days_since(year.first)) + 1;
        let with_the_agency: Money = self
            .transit(unit, as_of)
            .iter()
            .filter(|transit| transit.step == Step::Payout)
            .map(|transit| transit.amount)
            .sum();
        let at_once = match unit {
            Unit::Region(_) => with_the_agency,
            Unit::Pool => with_the_agency + self.special_account(as_of),
        };
        let paid = self.flow_sums(unit, year).paid_net();
        (Value::of(at_once.fen() * days, paid.fen()), Some(days))
    }

    /// The first day on which a unit's money moved.
    pub(crate) fn first_flow(&self, unit: Unit) -> Option<BusinessDate> {
        self.regions_of(unit)
            .into_iter()
            .flat_map(|region| self.flows(region))
            .map(|(_, day, _)| day)
            .min()
    }

    /// Persons to be paid for the latest month whose payout date has come, to heads declared for the latest that was
    /// due.
    fn dependency(&self, unit: Unit, as_of: BusinessDate) -> Value {
        let paid_for = self.latest(as_of, |month| {
            self.policy().payout_due(month).map(|due| due.date)
        });
        let (Some(paid_for), Some((_, due, _))) = (paid_for, self.due_months(unit, as_of).pop())
        else {
            return Value::NotApplicable;
        };
        Value::of(
            i128::from(self.to_be_paid(unit, paid_for)),
            i128::from(due.count),
        )
    }

    /// The latest month whose day, by `day_of`, has come.
    fn latest(
        &self,
        as_of: BusinessDate,
        day_of: impl Fn(Period) -> Option<BusinessDate>,
    ) -> Option<Period> {
        // Days are at most some months off their month, but for grace periods that no pool has.
        let newest = as_of.period().next();
        let mut month = newest;
        while month > Period::FIRST && newest.months() - month.months() < 600 {
            if day_of(month).is_some_and(|day| day <= as_of) {
                return Some(month);
            }
            month = month.previous();
        }
        None
    }

    /// How many persons are to be paid for a month.
    pub fn to_be_paid(&self, unit: Unit, month: Period) -> i64 {
        let mut count = 0;
        for region in self.regions_of(unit) {
            let first = Entry::PayoutDueFrom(Period::FIRST);
            for (_, sum) in self.range(region, first, Entry::PayoutDueFrom(month)) {
                count += sum.count;
            }
        }
        count
    }

    /// Of the months whose contributions are due before a day, in order: the month, what is due (and heads), and what
    /// is paid of it. Of those that anything was declared for.
    fn due_months(&self, unit: Unit, as_of: BusinessDate) -> Vec<(Period, Sum, Money)> {
        let mut months = std::collections::BTreeMap::<Period, (Sum, Money)>::new();
        for region in self.regions_of(unit) {
            let first = Entry::Due(Period::FIRST, BusinessDate::FIRST);
            let last = Entry::PaidOfDue(Period::LAST, BusinessDate::LAST);
            for (entry, sum) in self.range(region, first, last) {
                match entry {
                    Entry::Due(month, day) if *day <= as_of => {
                        months.entry(*month).or_default().0.add(sum)
                    }
                    Entry::PaidOfDue(month, day) if *day <= as_of => {
                        months.entry(*month).or_default().1 += sum.amount;
                    }
                    _ => {}
                }
            }
        }
        let is_due = |month: Period| {
            self.policy()
                .contribution_due(month)
                .is_some_and(|due| due.deadline < as_of)
        };
        months
            .into_iter()
            .filter(|(month, (due, _))| {
                is_due(*month) && due.count + i64::from(due.amount.is_positive()) > 0
            })
            .map(|(month, (due, paid))| (month, due, paid))
            .collect()
    }

    /// Of the latest twelve months due, of enterprises with a declaration and a payroll of the month: the bases declared over
    /// those that the wages make due, no enterprise more than its due.
    fn base_consolidation(&self, unit: Unit, as_of: BusinessDate) -> Value {
        let months = self.due_months(unit, as_of);
        let Some((newest, ..)) = months.last() else {
            return Value::NotApplicable;
        };
        let oldest = Period::from_months(newest.months().saturating_sub(11));
        let (mut declared, mut due) = (Money::ZERO, Money::ZERO);
        for region in self.regions_of(unit) {
            let first = Entry::BaseDue(oldest, BusinessDate::FIRST);
            let last = Entry::BaseDeclared(*newest, BusinessDate::LAST);
            for (entry, sum) in self.range(region, first, last) {
                match entry {
                    Entry::BaseDue(month, day) if month <= newest && *day <= as_of => {
                        due += sum.amount;
                    }
                    Entry::BaseDeclared(month, day) if oldest <= *month && *day <= as_of => {
                        declared += sum.amount;
                    }
                    _ => {}
                }
            }
        }
        Value::of(declared.fen(), due.fen())
    }

    /// Of what was owed when the year began: what was paid since, and the whole.
    fn recovered(&self, unit: Unit, as_of: BusinessDate, month: Period) -> (Money, Money) {
        let opening = Days::year_to(month).first.period().previous().last_day();
        let now: std::collections::BTreeMap<Period, Money> = self
            .due_months(unit, as_of)
            .into_iter()
            .map(|(month, _, paid)| (month, paid))
            .collect();
        let (mut recovered, mut owed) = (Money::ZERO, Money::ZERO);
        for (month, due, paid) in self.due_months(unit, opening) {
            let open = due.amount - paid;
            let since = now.get(&month).map_or(Money::ZERO, |now| *now - paid);
            owed += open;
            // What was declared anew and higher was not owed then.
            recovered += since.at_least_zero().min(open);
        }
        (recovered, owed)
    }

    /// Days since each debt's deadline, weighted by what is owed.
    fn arrears_age(&self, unit: Unit, as_of: BusinessDate) -> Value {
        let (mut weighted, mut owed) = (0_i128, 0_i128);
        for (month, due, paid) in self.due_months(unit, as_of) {
            let Some(deadline) = self.policy().contribution_due(month) else {
                continue;
            };
            let fen = (due.amount - paid).fen();
            weighted += fen * i128::from(as_of.days_since(deadline.deadline));
            owed += fen;
        }
        Value::of(weighted, owed)
    }

    /// Of the latest twelve months whose remittance was due before a day, region by region: what was due, and what of
    /// it was remitted in time. Months with nothing to remit are none.
    fn remittance_months(&self, unit: Unit, as_of: BusinessDate) -> Vec<(Money, Money)> {
        let mut months = Vec::new();
        for (_, month, matched) in self.recent_remittances(unit, as_of) {
            let Some(due) = self.policy().remittance_due(month) else {
                continue;
            };
            let moved: Money = matched.moved.iter().map(|moved| moved.amount).sum();
            let whole = moved + matched.left();
            let in_time: Money = matched
                .moved
                .iter()
                .filter(|moved| moved.until <= due.deadline)
                .map(|moved| moved.amount)
                .sum();
            if whole.is_positive() {
                months.push((whole, in_time));
            }
        }
        months
    }

    fn recent_remittances(
        &self,
        unit: Unit,
        as_of: BusinessDate,
    ) -> Vec<(RegionId, Period, Matched)> {
        let is_due = |month: Period| {
            self.policy()
                .remittance_due(month)
                .is_some_and(|due| due.deadline < as_of)
        };
        let newest = self.latest(as_of, |month| {
            self.policy()
                .remittance_due(month)
                .map(|due| due.deadline.next())
        });
        let Some(newest) = newest else {
            return Vec::new();
        };
        let oldest = Period::from_months(newest.months().saturating_sub(11));
        let mut recent = Vec::new();
        for region in self.regions_of(unit) {
            if !self.policy().region(region).remits {
                continue;
            }
            for (month, matched) in self.remittances(region, as_of) {
                if oldest <= month && month <= newest && is_due(month) {
                    recent.push((region, month, matched));
                }
            }
        }
        recent
    }

    fn dwell(&self, unit: Unit, as_of: BusinessDate) -> Value {
        let recent = self.recent_remittances(unit, as_of);
        self.mean_business_days(recent.iter().map(|(.., matched)| matched), as_of)
    }

    /// Of the subsidies that arrived within the year.
    fn subsidy_dwell(&self, unit: Unit, as_of: BusinessDate, month: Period) -> Value {
        let since = Days::year_to(month).first;
        let mut subsidies = Vec::new();
        for region in self.regions_of(unit) {
            subsidies.extend(
                self.subsidies(region, as_of)
                    .into_values()
                    .filter(|matched| {
                        let arrived = matched.moved.iter().map(|moved| moved.since);
                        arrived
                            .chain(matched.lots.iter().map(|lot| lot.since))
                            .min()
                            >= Some(since)
                    }),
            );
        }
        self.mean_business_days(subsidies.iter(), as_of)
    }

    /// Business days from coming to moving on, or up to a day, weighted by value.
    fn mean_business_days<'m>(
        &self,
        matched: impl Iterator<Item = &'m Matched>,
        as_of: BusinessDate,
    ) -> Value {
        let calendar = self.policy().calendar();
        let (mut weighted, mut whole) = (0_i128, 0_i128);
        for of_month in matched {
            let moved = of_month
                .moved
                .iter()
                .map(|moved| (moved.since, moved.until, moved.amount));
            let left = of_month
                .lots
                .iter()
                .map(|lot| (lot.since, as_of, lot.amount));
            for (since, until, amount) in moved.chain(left) {
                let days = calendar.business_days_between(since, until);
                weighted += amount.fen() * i128::from(days);
                whole += amount.fen();
            }
        }
        Value::of(weighted, whole)
    }

    /// Of the persons to be paid for the latest month whose last day in time is over: those who were.
    fn payout_timeliness(&self, unit: Unit, as_of: BusinessDate) -> Value {
        let month = self.latest(as_of, |month| {
            self.policy().payout_due(month).map(|due| due.deadline)
        });
        let Some(month) = month else {
            return Value::NotApplicable;
        };
        let mut in_time = 0;
        for region in self.regions_of(unit) {
            for (_, sum) in self.range(region, Entry::PaidInTime(month), Entry::PaidInTime(month)) {
                in_time += sum.count;
            }
        }
        Value::of(
            i128::from(in_time),
            i128::from(self.to_be_paid(unit, month)),
        )
    }

    /// What closes say was sent and was not accepted, by amount or by records, whichever is the greater part.
    fn missing_of_closes(&self, unit: Unit, as_of: BusinessDate) -> Value {
        let (mut missing, mut sent) = ([0_i128; 2], [0_i128; 2]);
        for region in self.regions_of(unit) {
            for topic in Topic::ALL {
                let Some(closed) = self.closed(region, topic, as_of) else {
                    continue;
                };
                let (received, said) = self.control(region, topic, closed);
                let pairs = [
                    (said.amount.fen(), received.amount.fen()),
                    (i128::from(said.count), i128::from(received.count)),
                ];
                for (at, (said, received)) in pairs.into_iter().enumerate() {
                    sent[at] += said;
                    missing[at] += (said - received).max(0);
                }
            }
        }
        let [amounts, records] = [0, 1].map(|at: usize| Quotient::new(missing[at], sent[at]));
        match (amounts, records) {
            (Some(amounts), Some(records)) => {
                // Compared in hundred-millionths, which is finer than any threshold.
                let units = records.numerator() * Rate::SCALE / records.denominator();
                Value::Known(if amounts.compare(units) == Ordering::Less {
                    records
                } else {
                    amounts
                })
            }
            (Some(one), None) | (None, Some(one)) => Value::Known(one),
            (None, None) => Value::NotApplicable,
        }
    }
}

impl FlowSums {
    /// Contributions and subsidies of every kind.
    pub fn income(&self) -> Money {
        self.collected_net() + self.subsidies() + self.amount(Flow::CountySubsidy)
    }
}
