//! The policy of a pool, read from its TOML file. Good files only: what the product says of bad ones is not judged by
//! this module.

use std::collections::BTreeMap;

use bigdecimal::{BigDecimal, Zero};
use jiff::civil::Date;
use serde::Deserialize;

use super::calendar::Calendar;
use super::money::{Fen, amount};
use super::period::{self, Period};

/// Everything that a policy file says.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The regions of the pool, and whether each has the duty to remit up.
    pub regions: BTreeMap<String, bool>,
    /// `[[contribution]]`, by period.
    pub contribution: Table<Period, Contribution>,
    /// `[[surcharge]]`, by day: the rate of a day.
    pub surcharge: Table<Date, BigDecimal>,
    /// `[[benefit]]`, by period.
    pub benefit: Table<Period, Benefit>,
    /// `[[remittance]]`, by month.
    pub remittance: Table<Period, Remittance>,
    /// `[calendar]`
    pub calendar: Calendar,
    detectors: BTreeMap<String, Settings>,
}

/// The entries of one dated table.
#[derive(Clone, Debug)]
pub struct Table<D, E>(Vec<(D, E)>);

/// An entry of `[[contribution]]`.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// Employer's and employee's rate, added.
    pub both_rates: BigDecimal,
    /// The least base a head, in yuan.
    pub floor: BigDecimal,
    /// The greatest base a head, in yuan.
    pub ceiling: BigDecimal,
    /// The due day of the month after.
    pub due_day: u8,
    /// Calendar days after the due date.
    pub grace_days: u32,
}

/// An entry of `[[benefit]]`.
#[derive(Clone, Debug)]
pub struct Benefit {
    /// What may be paid to the living.
    pub items: Vec<String>,
    /// What may be paid after a death.
    pub survivor_items: Vec<String>,
    /// The payout day of the period's own month.
    pub payout_day: u8,
    /// Calendar days after the payout date.
    pub grace_days: u32,
}

/// An entry of `[[remittance]]`.
#[derive(Clone, Debug)]
pub struct Remittance {
    /// The due day of the month after.
    pub remit_day: u8,
    /// Calendar days after the due date.
    pub grace_days: u32,
    /// Within how many business days a subsidy leaves the treasury.
    pub release_business_days: u32,
}

/// The settings of a detector.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether it takes part.
    pub enabled: bool,
    /// An amount has to be above this.
    pub tolerance: Fen,
    /// Severity `yellow` from here on.
    pub yellow: Fen,
    /// Severity `orange` from here on.
    pub orange: Fen,
    /// Severity `red` from here on.
    pub red: Fen,
    /// Of `under-declared-base` alone.
    pub tolerance_ratio: BigDecimal,
}

impl<D: Copy + Ord, E> Table<D, E> {
    /// The entry with the latest `from` not after `when`, and that `from`.
    #[must_use]
    pub fn at(&self, when: D) -> Option<(D, &E)> {
        self.0
            .iter()
            .filter(|(from, _)| *from <= when)
            .max_by_key(|(from, _)| *from)
            .map(|(from, entry)| (*from, entry))
    }

    /// The entry of `when` alone.
    #[must_use]
    pub fn entry(&self, when: D) -> Option<&E> {
        self.at(when).map(|(_, entry)| entry)
    }
}

impl<D: Copy + Ord + std::fmt::Display, E> Table<D, E> {
    /// The entry of `when` as alerts name it, e.g. `contribution@2019-05`.
    #[must_use]
    pub fn name(&self, table: &str, when: D) -> Option<String> {
        self.at(when).map(|(from, _)| format!("{table}@{from}"))
    }
}

impl Policy {
    /// Reads a policy that is known to be good.
    ///
    /// # Errors
    /// Text for a person who debugs a test.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        file.into_policy()
            .ok_or_else(|| "a value of the policy cannot be read".to_owned())
    }

    /// The settings of a detector, defaults where the file says nothing.
    #[must_use]
    pub fn detector(&self, name: &str) -> Settings {
        self.detectors.get(name).cloned().unwrap_or_default()
    }

    /// Whether `region` has the duty to remit up.
    #[must_use]
    pub fn remits(&self, region: &str) -> bool {
        self.regions.get(region).copied().unwrap_or(false)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            tolerance: 0,
            yellow: 1_000_000,
            orange: 10_000_000,
            red: 50_000_000,
            tolerance_ratio: BigDecimal::new(5.into(), 2),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    pool: PoolText,
    contribution: Vec<ContributionText>,
    surcharge: Vec<SurchargeText>,
    benefit: Vec<BenefitText>,
    remittance: Vec<RemittanceText>,
    #[serde(default)]
    calendar: CalendarText,
    #[serde(default)]
    detectors: BTreeMap<String, SettingsText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolText {
    #[serde(rename = "code")]
    _code: String,
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "time_zone")]
    _time_zone: String,
    regions: Vec<RegionText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionText {
    code: String,
    #[serde(rename = "name")]
    _name: String,
    remits: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContributionText {
    from: String,
    employer_rate: String,
    employee_rate: String,
    reference_wage: String,
    floor_ratio: String,
    ceiling_ratio: String,
    due_day: u8,
    grace_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SurchargeText {
    from: String,
    daily: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BenefitText {
    from: String,
    items: Vec<String>,
    survivor_items: Vec<String>,
    payout_day: u8,
    grace_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemittanceText {
    from: String,
    remit_day: u8,
    grace_days: u32,
    release_business_days: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CalendarText {
    holidays: Vec<String>,
    workdays: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsText {
    enabled: Option<bool>,
    tolerance: Option<String>,
    yellow: Option<String>,
    orange: Option<String>,
    red: Option<String>,
    tolerance_ratio: Option<String>,
}

impl File {
    fn into_policy(self) -> Option<Policy> {
        let regions = self.pool.regions.into_iter();
        Some(Policy {
            regions: regions
                .map(|region| (region.code, region.remits.unwrap_or(true)))
                .collect(),
            contribution: table(self.contribution, ContributionText::entry)?,
            surcharge: table(self.surcharge, SurchargeText::entry)?,
            benefit: table(self.benefit, BenefitText::entry)?,
            remittance: table(self.remittance, RemittanceText::entry)?,
            calendar: Calendar {
                holidays: dates(&self.calendar.holidays)?,
                workdays: dates(&self.calendar.workdays)?,
            },
            detectors: self
                .detectors
                .into_iter()
                .map(|(name, text)| Some((name, text.settings()?)))
                .collect::<Option<_>>()?,
        })
    }
}

fn table<T, D, E>(entries: Vec<T>, read: fn(T) -> Option<(D, E)>) -> Option<Table<D, E>> {
    entries
        .into_iter()
        .map(read)
        .collect::<Option<_>>()
        .map(Table)
}

fn dates(texts: &[String]) -> Option<Vec<Date>> {
    texts.iter().map(|text| period::date(text)).collect()
}

fn decimal(text: &str) -> Option<BigDecimal> {
    text.parse()
        .ok()
        .filter(|value: &BigDecimal| *value >= BigDecimal::zero())
}

impl ContributionText {
    fn entry(self) -> Option<(Period, Contribution)> {
        let reference_wage = decimal(&self.reference_wage)?;
        let entry = Contribution {
            both_rates: decimal(&self.employer_rate)? + decimal(&self.employee_rate)?,
            floor: &reference_wage * decimal(&self.floor_ratio)?,
            ceiling: &reference_wage * decimal(&self.ceiling_ratio)?,
            due_day: self.due_day,
            grace_days: self.grace_days,
        };
        Some((Period::parse(&self.from)?, entry))
    }
}

impl SurchargeText {
    fn entry(self) -> Option<(Date, BigDecimal)> {
        Some((period::date(&self.from)?, decimal(&self.daily)?))
    }
}

impl BenefitText {
    fn entry(self) -> Option<(Period, Benefit)> {
        let entry = Benefit {
            items: self.items,
            survivor_items: self.survivor_items,
            payout_day: self.payout_day,
            grace_days: self.grace_days,
        };
        Some((Period::parse(&self.from)?, entry))
    }
}

impl RemittanceText {
    fn entry(self) -> Option<(Period, Remittance)> {
        let entry = Remittance {
            remit_day: self.remit_day,
            grace_days: self.grace_days,
            release_business_days: self.release_business_days,
        };
        Some((Period::parse(&self.from)?, entry))
    }
}

impl SettingsText {
    fn settings(self) -> Option<Settings> {
        let default = Settings::default();
        let fen = |text: Option<String>, otherwise: Fen| match text {
            Some(text) => amount(&text),
            None => Some(otherwise),
        };
        Some(Settings {
            enabled: self.enabled.unwrap_or(default.enabled),
            tolerance: fen(self.tolerance, default.tolerance)?,
            yellow: fen(self.yellow, default.yellow)?,
            orange: fen(self.orange, default.orange)?,
            red: fen(self.red, default.red)?,
            tolerance_ratio: match self.tolerance_ratio {
                Some(text) => decimal(&text)?,
                None => default.tolerance_ratio,
            },
        })
    }
}
