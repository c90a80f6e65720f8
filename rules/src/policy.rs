//! The policy once it has been read: entries by date, due dates, settings of the detectors.
//!
//! Everything here is total: what could be wrong was refused in reading.

use std::path::Path;

use domain::{
    BusinessDate, Detector, Indicator, Money, Period, Rate, RegionCode, RegionId, Severity,
};

use crate::calendar::Calendar;
use crate::dated::{ByMonth, Due, Entries};
use crate::error::PolicyErrors;
use crate::read;

/// The rules of one pool, for every date.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose rules they are.
    pub pool: Pool,
    pub(crate) contribution: ByMonth<Contribution>,
    /// By `from`, ascending.
    pub(crate) surcharge: Vec<Surcharge>,
    pub(crate) benefit: ByMonth<Benefit>,
    pub(crate) remittance: ByMonth<Remittance>,
    pub(crate) advance: Entries<Advance>,
    pub(crate) health: Entries<Health>,
    pub(crate) opening_balance: Option<OpeningBalance>,
    pub(crate) calendar: Calendar,
    /// By [`Detector::index`].
    pub(crate) detectors: [DetectorSettings; Detector::ALL.len()],
    pub(crate) region_ids: RegionIds,
}

/// The city whose fund is pooled (统筹区).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// GB/T 2260 code of the city.
    pub code: RegionCode,
    /// Its name, as officials write it.
    pub name: String,
    /// IANA name of the time zone that its business dates are of.
    pub time_zone: String,
    /// Its units of account, in the file's order, which is that of [`RegionId`].
    pub regions: Vec<Region>,
}

/// A unit of account of the pool: a district, a county, or the city level itself (市本级).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The code that records name it by.
    pub code: RegionCode,
    /// Its name, as officials write it.
    pub name: String,
    /// Whether it has the duty to remit to the city what it collects (上划).
    pub remits: bool,
}

/// Contributions of the months from `from` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The first period it applies to.
    pub from: Period,
    /// The enterprise's part of the base, 0 to 1.
    pub employer_rate: Rate,
    /// The employees' part of the base, 0 to 1.
    pub employee_rate: Rate,
    /// Average wage of a month, by which the base is bounded.
    pub reference_wage: Money,
    /// The least base of a head, in reference wages.
    pub floor_ratio: Rate,
    /// The greatest base of a head, in reference wages.
    pub ceiling_ratio: Rate,
    /// Day of the month after the period.
    pub due_day: u32,
    /// Calendar days after the due date.
    pub grace_days: u32,
}

impl Contribution {
    /// Both rates together, as they are applied.
    pub fn both_rates(&self) -> Rate {
        self.employer_rate + self.employee_rate
    }
}

/// The late-payment surcharge (滞纳金) of the days from `from` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surcharge {
    /// The first day it applies to.
    pub from: BusinessDate,
    /// The part of the amount owed that each day adds.
    pub daily: Rate,
}

/// Benefits of the months from `from` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Benefit {
    /// The first period it applies to.
    pub from: Period,
    /// What the fund may pay to the insured.
    pub items: Vec<String>,
    /// What the fund may pay to survivors, after a death.
    pub survivor_items: Vec<String>,
    /// Day of the period's own month.
    pub payout_day: u32,
    /// Calendar days after the payout date.
    pub grace_days: u32,
}

impl Benefit {
    /// Whether the fund may pay the item at all: it is in either list.
    pub fn is_listed(&self, item: &str) -> bool {
        self.items.iter().any(|listed| listed == item) || self.is_survivor_item(item)
    }

    /// Whether the item is paid to survivors, so that a death does not end it.
    pub fn is_survivor_item(&self, item: &str) -> bool {
        self.survivor_items.iter().any(|listed| listed == item)
    }
}

/// Remitting of what is collected in the months from `from` on; of subsidies dated in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remittance {
    /// The first month it applies to.
    pub from: Period,
    /// Day of the month after the one collected in.
    pub remit_day: u32,
    /// Calendar days after the due date.
    pub grace_days: u32,
    /// Business days within which a subsidy has to leave the treasury.
    pub release_business_days: u32,
}

/// Which allocations of the months from `from` on are advances before the subsidies arrive (补助到位前调剂).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The first month it applies to.
    pub from: Period,
    /// What the ids of their records begin with.
    pub id_prefixes: Vec<String>,
}

/// How the fund's health is graded in the months from `from` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The first month it applies to.
    pub from: Period,
    /// How far back over a threshold an indicator has to go before its alert is over, as a part of the threshold.
    pub hysteresis: Rate,
    /// So many month ends in a row before yellow or orange alerts; red does at once.
    pub confirm_months: u32,
    /// A feed that has not closed within so many business days is silent: what it feeds is unknown.
    pub close_within_business_days: u32,
    /// Months ahead that the runway looks at.
    pub runway_months: u32,
    /// By [`Indicator::index`].
    pub(crate) thresholds: [Thresholds; Indicator::COUNT],
}

impl Health {
    /// The thresholds of an indicator.
    pub const fn thresholds(&self, indicator: Indicator) -> &Thresholds {
        &self.thresholds[indicator.index()]
    }
}

/// From where on an indicator is of a severity; which way is worse is the indicator's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// Yellow.
    pub yellow: Option<Rate>,
    /// Orange.
    pub orange: Option<Rate>,
    /// Red.
    pub red: Option<Rate>,
}

/// What the fund had when the feeds begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningBalance {
    /// At the start of this day.
    pub from: BusinessDate,
    /// In the special account.
    pub amount: Money,
}

/// How a detector grades what it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorSettings {
    /// Whether it alerts at all.
    pub enabled: bool,
    /// An amount has to be greater than this.
    pub tolerance: Money,
    /// Yellow from this amount on.
    pub yellow: Money,
    /// Orange from this amount on.
    pub orange: Money,
    /// Red from this amount on.
    pub red: Money,
    /// The part of the expected base that may be missing; of `under-declared-base` alone.
    pub tolerance_ratio: Rate,
}

/// The contract's defaults.
impl Default for DetectorSettings {
    fn default() -> DetectorSettings {
        DetectorSettings {
            enabled: true,
            tolerance: Money::ZERO,
            yellow: Money::from_yuan(10_000),
            orange: Money::from_yuan(100_000),
            red: Money::from_yuan(500_000),
            tolerance_ratio: Rate::from_units(5_000_000),
        }
    }
}

impl Policy {
    /// Reads the policy file at `path`, and the calendar files that it names, relative to it.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(path: &Path) -> Result<Policy, PolicyErrors> {
        read::load(path)
    }

    /// Reads a policy from its text. `file_name` is what errors call it. No file is opened, so
    /// that a policy which names calendar files is refused: see [`Policy::load`].
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file_name: &str, text: &str) -> Result<Policy, PolicyErrors> {
        read::parse(file_name, text)
    }

    /// The contribution entry of a period.
    pub fn contribution(&self, period: Period) -> Option<&Contribution> {
        self.contribution.at(period)
    }

    /// The surcharge entry of a day.
    pub fn surcharge(&self, day: BusinessDate) -> Option<&Surcharge> {
        let count = self.surcharge.partition_point(|entry| entry.from <= day);
        self.surcharge.get(count.checked_sub(1)?)
    }

    /// The benefit entry of a period.
    pub fn benefit(&self, period: Period) -> Option<&Benefit> {
        self.benefit.at(period)
    }

    /// The remittance entry of a month collected in, or of the month of a subsidy's date.
    pub fn remittance(&self, month: Period) -> Option<&Remittance> {
        self.remittance.at(month)
    }

    /// What says which allocations of a month are advances; most policies do not.
    pub fn advance(&self, month: Period) -> Option<&Advance> {
        self.advance.at(month)
    }

    /// How the fund's health is graded in a month; without, indicators are told and not graded.
    pub fn health(&self, month: Period) -> Option<&Health> {
        self.health.at(month)
    }

    /// What the fund had when the feeds begin, if that is before a day.
    pub fn opening_balance(&self, as_of: BusinessDate) -> Option<&OpeningBalance> {
        self.opening_balance
            .as_ref()
            .filter(|entry| entry.from <= as_of)
    }

    /// All contribution entries, the earliest first; at least one.
    pub fn contributions(&self) -> &[Contribution] {
        self.contribution.entries()
    }

    /// All surcharge entries, the earliest first; at least one.
    pub fn surcharges(&self) -> &[Surcharge] {
        &self.surcharge
    }

    /// All benefit entries, the earliest first; at least one.
    pub fn benefits(&self) -> &[Benefit] {
        self.benefit.entries()
    }

    /// All remittance entries, the earliest first; at least one.
    pub fn remittances(&self) -> &[Remittance] {
        self.remittance.entries()
    }

    /// The first period with a contribution entry.
    pub fn first_period_with_contribution(&self) -> Option<Period> {
        self.contributions().first().map(|entry| entry.from)
    }

    /// The first period with a benefit entry.
    pub fn first_benefit_period(&self) -> Option<Period> {
        self.benefits().first().map(|entry| entry.from)
    }

    /// The first month with a remittance entry.
    pub fn first_remittance_month(&self) -> Option<Period> {
        self.remittances().first().map(|entry| entry.from)
    }

    /// When the contributions of a period are due: `due_day` of the month after, moved forward.
    pub fn contribution_due(&self, period: Period) -> Option<Due> {
        self.contribution.due(period)
    }

    /// When the benefits of a period are paid: `payout_day` of the month itself, moved back.
    pub fn payout_due(&self, period: Period) -> Option<Due> {
        self.benefit.due(period)
    }

    /// When what was collected in a month is remitted: `remit_day` of the month after, moved forward.
    pub fn remittance_due(&self, month: Period) -> Option<Due> {
        self.remittance.due(month)
    }

    /// The last good day for a subsidy that arrived on a day to leave the treasury.
    pub fn release_deadline(&self, arrived: BusinessDate) -> Option<BusinessDate> {
        let entry = self.remittance(arrived.period())?;
        Some(
            self.calendar
                .plus_business_days(arrived, entry.release_business_days),
        )
    }

    /// The sum of the daily surcharge over every day from `from` to `to_inclusive`, in units of
    /// [`Rate`]. A day before the first entry adds nothing, and so does an empty span.
    pub fn surcharge_units(&self, from: BusinessDate, to_inclusive: BusinessDate) -> i128 {
        let end = to_inclusive.next();
        let mut units = 0;
        for (at, entry) in self.surcharge.iter().enumerate() {
            let entry_end = self.surcharge.get(at + 1).map_or(end, |next| next.from);
            let days = entry_end.min(end).days_since(entry.from.max(from));
            units += i128::from(days) * i128::from(entry.daily.units());
        }
        units
    }

    /// The settings of a detector.
    pub const fn detector(&self, detector: Detector) -> &DetectorSettings {
        &self.detectors[detector.index()]
    }

    /// How grave an amount is to a detector.
    pub fn severity(&self, detector: Detector, amount: Money) -> Severity {
        let settings = self.detector(detector);
        if settings.red <= amount {
            Severity::Red
        } else if settings.orange <= amount {
            Severity::Orange
        } else if settings.yellow <= amount {
            Severity::Yellow
        } else {
            Severity::Blue
        }
    }

    /// The region of a code, exactly as a record has it. Asked once a record.
    pub fn region_id(&self, code: &[u8]) -> Option<RegionId> {
        self.region_ids.get(code)
    }

    /// A region of the pool's list.
    ///
    /// # Panics
    /// If the id is not from this policy.
    pub fn region(&self, id: RegionId) -> &Region {
        &self.pool.regions[id.index()]
    }

    /// The business calendar.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}

/// When the contributions of a period are due under an entry.
pub(crate) fn contribution_due(calendar: &Calendar, entry: &Contribution, period: Period) -> Due {
    let date = calendar.on_or_after(period.next().day(entry.due_day));
    with_grace(date, entry.grace_days)
}

/// When the benefits of a period are paid under an entry.
pub(crate) fn payout_due(calendar: &Calendar, entry: &Benefit, period: Period) -> Due {
    let date = calendar.on_or_before(period.day(entry.payout_day));
    with_grace(date, entry.grace_days)
}

/// When what was collected in a month is remitted under an entry.
pub(crate) fn remittance_due(calendar: &Calendar, entry: &Remittance, month: Period) -> Due {
    let date = calendar.on_or_after(month.next().day(entry.remit_day));
    with_grace(date, entry.grace_days)
}

/// Grace days are calendar days, and move nothing again.
const fn with_grace(date: BusinessDate, grace_days: u32) -> Due {
    Due {
        date,
        deadline: date.plus_days(grace_days),
    }
}

/// From codes to places in the pool's list: the six digits as one number, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegionIds {
    codes: Vec<u64>,
    ids: Vec<RegionId>,
}

impl RegionIds {
    /// The index of a list of regions with distinct codes, at most 65,536 of them.
    pub(crate) fn new(regions: &[Region]) -> RegionIds {
        let mut pairs: Vec<_> = (0..=u16::MAX)
            .zip(regions)
            .filter_map(|(at, region)| {
                Some((number(region.code.as_str().as_bytes())?, RegionId(at)))
            })
            .collect();
        pairs.sort_unstable();
        let (codes, ids) = pairs.into_iter().unzip();
        RegionIds { codes, ids }
    }

    fn get(&self, code: &[u8]) -> Option<RegionId> {
        let code = number(code)?;
        // A pool has some ten regions: comparing them all is cheaper than to branch.
        if self.codes.len() <= 16 {
            let at = self.codes.iter().position(|&known| known == code)?;
            return Some(self.ids[at]);
        }
        self.codes.binary_search(&code).ok().map(|at| self.ids[at])
    }
}

/// Six bytes as a number that orders like them.
fn number(code: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e, f] = code else {
        return None;
    };
    Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}
