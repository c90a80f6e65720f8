//! From the text of a policy to a [`Policy`], or to everything that is wrong with it.
//!
//! The walk follows the order of contract section 3. A value that cannot be read is reported and
//! left out, and reading goes on; only what is complete and free of contradiction becomes a policy.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use domain::{Detector, Indicator, Period, Rate};
use toml::de::DeValue;

use crate::dated::{ByMonth, Entries};
use crate::error::{PolicyError, PolicyErrors, Report};
use crate::holidays::{OpenFile, calendar};
use crate::policy::{
    Advance, Benefit, Contribution, DetectorSettings, Health, OpeningBalance, Policy, Pool, Region,
    RegionIds, Remittance, Surcharge, Thresholds, contribution_due, payout_due, remittance_due,
};
use crate::section::{Placed, Section, parse_toml};
use crate::value;

/// Keys of the file, and of each of its tables.
const TABLES: [&str; 10] = [
    "pool",
    "contribution",
    "surcharge",
    "benefit",
    "remittance",
    "advance",
    "health",
    "opening_balance",
    "calendar",
    "detectors",
];
const POOL: [&str; 4] = ["code", "name", "time_zone", "regions"];
const REGION: [&str; 3] = ["code", "name", "remits"];
const CONTRIBUTION: [&str; 8] = [
    "from",
    "employer_rate",
    "employee_rate",
    "reference_wage",
    "floor_ratio",
    "ceiling_ratio",
    "due_day",
    "grace_days",
];
const SURCHARGE: [&str; 2] = ["from", "daily"];
const BENEFIT: [&str; 5] = [
    "from",
    "items",
    "survivor_items",
    "payout_day",
    "grace_days",
];
const REMITTANCE: [&str; 4] = ["from", "remit_day", "grace_days", "release_business_days"];
const ADVANCE: [&str; 2] = ["from", "id_prefixes"];
const OPENING_BALANCE: [&str; 2] = ["from", "amount"];
/// Of an entry of `[[health]]`; beside them the names of the indicators.
const HEALTH: [&str; 5] = [
    "from",
    "hysteresis",
    "confirm_months",
    "close_within_business_days",
    "runway_months",
];
const THRESHOLDS: [&str; 3] = ["yellow", "orange", "red"];
const DETECTOR: [&str; 5] = ["enabled", "tolerance", "yellow", "orange", "red"];
const DETECTOR_WITH_RATIO: [&str; 6] = [
    "enabled",
    "tolerance",
    "yellow",
    "orange",
    "red",
    "tolerance_ratio",
];
/// The greatest number of grace days, and of business days for a release: decades.
const DAYS_MAX: u32 = 9_999;
/// The greatest rate: the whole of what it is taken of.
const RATE_MAX: u32 = 1;
/// The greatest ratio to the reference wage. With [`value::wage`], what keeps products of money
/// and rates within 128 bits.
const RATIO_MAX: u32 = 1_000;
/// The greatest number of regions: what a `RegionId` can tell apart.
const REGIONS_MAX: usize = 1 << 16;

/// See [`Policy::load`].
pub(crate) fn load(path: &Path) -> Result<Policy, PolicyErrors> {
    load_with(path, &|_, _, _| {}).map(|(_, _, policy)| policy)
}

/// The file's name and text, and the policy. `heed` hears of each file that the policy names: as what, what errors
/// call it, and its text.
pub(crate) fn load_with(
    path: &Path,
    heed: &dyn Fn(&str, &str, &str),
) -> Result<(String, String, Policy), PolicyErrors> {
    let file_name = path.display().to_string();
    let text = read_text(path).map_err(|fault| fault.of_file(&file_name))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let open = |named: &str| {
        let path = folder.join(named);
        let name = path.display().to_string();
        let text = read_text(&path).map_err(|fault| fault.to_string());
        if let Ok(text) = &text {
            heed(named, &name, text);
        }
        (name, text)
    };
    let policy = parse_with(&file_name, &text, &open)?;
    Ok((file_name, text, policy))
}

/// See [`Policy::parse`].
pub(crate) fn parse(file_name: &str, text: &str) -> Result<Policy, PolicyErrors> {
    let refuse = |named: &str| {
        let why = "only a policy that is read from a file can name further files";
        (named.to_owned(), Err(why.to_owned()))
    };
    parse_with(file_name, text, &refuse)
}

/// Reads a policy whose calendar files come from `open`.
pub(crate) fn parse_with(
    file_name: &str,
    text: &str,
    open: OpenFile<'_>,
) -> Result<Policy, PolicyErrors> {
    let report = Report::new(file_name, text);
    let mut errors = Vec::new();
    let policy = parse_toml(&report).and_then(|table| {
        let root = Section::root(&report, &table, &TABLES);
        policy(&root, open, &mut errors)
    });
    let mut all = report.into_errors();
    all.append(&mut errors);
    match policy {
        Some(policy) if all.is_empty() => Ok(policy),
        _ => Err(PolicyErrors { errors: all }),
    }
}

/// The whole file. Errors of calendar files go to `errors`, those of the policy to its report.
fn policy(
    root: &Section<'_, '_>,
    open: OpenFile<'_>,
    errors: &mut Vec<PolicyError>,
) -> Option<Policy> {
    // Everything is read before anything is given up, so that everything wrong is reported.
    let pool = pool(root);
    let contribution = dated(root, "contribution", &CONTRIBUTION, contribution, |entry| {
        entry.from
    });
    let surcharge = dated(root, "surcharge", &SURCHARGE, surcharge, |entry| entry.from);
    let benefit = dated(root, "benefit", &BENEFIT, benefit, |entry| entry.from);
    let remittance = dated(root, "remittance", &REMITTANCE, remittance, |entry| {
        entry.from
    });
    let advance = optional_dated(root, "advance", &ADVANCE, advance, |entry| entry.from);
    let health_keys: Vec<&str> = HEALTH
        .into_iter()
        .chain(Indicator::ALL.map(Indicator::as_str))
        .collect();
    let health = optional_dated(root, "health", &health_keys, health, |entry| entry.from);
    let opening_balance = root
        .optional_table("opening_balance", &OPENING_BALANCE)
        .and_then(|section| opening_balance(&section));
    let calendar = calendar(root, open, errors);
    let detectors = detectors(root);

    let (pool, mut surcharge) = (pool?, surcharge?);
    surcharge.sort_by_key(|entry| entry.from);
    let contribution = ByMonth::new(
        contribution?,
        |entry| entry.from,
        |entry, period| contribution_due(&calendar, entry, period),
    );
    let benefit = ByMonth::new(
        benefit?,
        |entry| entry.from,
        |entry, period| payout_due(&calendar, entry, period),
    );
    let remittance = ByMonth::new(
        remittance?,
        |entry| entry.from,
        |entry, month| remittance_due(&calendar, entry, month),
    );
    Some(Policy {
        region_ids: RegionIds::new(&pool.regions),
        pool,
        contribution,
        surcharge,
        benefit,
        remittance,
        advance,
        health,
        opening_balance,
        calendar,
        detectors,
    })
}

fn pool(root: &Section<'_, '_>) -> Option<Pool> {
    let section = root.required_table("pool", &POOL)?;
    let code = section.required("code", value::region_code);
    let name = section.required("name", value::name);
    let time_zone = section.required("time_zone", value::time_zone);
    let regions = regions(&section);
    Some(Pool {
        code: code?,
        name: name?,
        time_zone: time_zone?,
        regions: regions?,
    })
}

fn regions(pool: &Section<'_, '_>) -> Option<Vec<Region>> {
    let sections = pool.entries("regions", &REGION)?;
    if REGIONS_MAX < sections.len() {
        let message = format!("{} regions; allowed: at most {REGIONS_MAX}", sections.len());
        pool.add(pool.line(), "regions", message);
        return None;
    }
    let mut lines = BTreeMap::new();
    let regions = sections.iter().map(|section| {
        let code = section.required("code", value::region_code);
        let name = section.required("name", value::name);
        let remits = section.optional("remits", value::boolean).unwrap_or(true);
        let code = code?;
        let line = section.line_of_key("code").unwrap_or(section.line());
        if let Some(first) = lines.insert(code, line) {
            let message =
                format!("`{code}` is a region already (line {first}); allowed: one entry a code");
            section.add(line, "code", message);
        }
        Some(Region {
            code,
            name: name?,
            remits,
        })
    });
    complete(regions)
}

/// The entries of a dated table, in the file's order: at least one, no two with one `from`.
fn dated<T, F: Ord + Copy + fmt::Display>(
    root: &Section<'_, '_>,
    key: &str,
    allowed: &[&str],
    read: impl Fn(&Section<'_, '_>) -> Option<T>,
    from: impl Fn(&T) -> F,
) -> Option<Vec<T>> {
    distinct(&root.entries(key, allowed)?, read, from)
}

/// A dated table by month that may be left out; what is wrong in it is reported.
fn optional_dated<T>(
    root: &Section<'_, '_>,
    key: &str,
    allowed: &[&str],
    read: impl Fn(&Section<'_, '_>) -> Option<T>,
    from: impl Fn(&T) -> Period,
) -> Entries<T> {
    let entries = root
        .optional_entries(key, allowed)
        .and_then(|sections| distinct(&sections, read, &from));
    Entries::new(entries.unwrap_or_default(), from)
}

/// Entries of which no two have one `from`.
fn distinct<T, F: Ord + Copy + fmt::Display>(
    sections: &[Section<'_, '_>],
    read: impl Fn(&Section<'_, '_>) -> Option<T>,
    from: impl Fn(&T) -> F,
) -> Option<Vec<T>> {
    let mut lines = BTreeMap::new();
    let entries = sections.iter().map(|section| {
        let entry = read(section)?;
        let line = section.line_of_key("from").unwrap_or(section.line());
        if let Some(first) = lines.insert(from(&entry), line) {
            let message = format!(
                "`{}` is the `from` of another entry already (line {first}); allowed: one entry a date",
                from(&entry)
            );
            section.add(line, "from", message);
        }
        Some(entry)
    });
    complete(entries)
}

fn contribution(section: &Section<'_, '_>) -> Option<Contribution> {
    let from = section.required("from", value::month);
    let employer_rate = section.required("employer_rate", rate);
    let employee_rate = section.required("employee_rate", rate);
    let reference_wage = section.required("reference_wage", value::wage);
    let floor_ratio = section.required("floor_ratio", ratio);
    let ceiling_ratio = section.required("ceiling_ratio", ratio);
    let due_day = section.required("due_day", day_of_month);
    let grace_days = section.required("grace_days", days);
    if let (Some(floor), Some(ceiling)) = (floor_ratio, ceiling_ratio)
        && ceiling < floor
    {
        let line = section.line_of_key("floor_ratio").unwrap_or(section.line());
        let message =
            format!("`{floor}` is greater than ceiling_ratio `{ceiling}`; allowed: at most that");
        section.add(line, "floor_ratio", message);
    }
    Some(Contribution {
        from: from?,
        employer_rate: employer_rate?,
        employee_rate: employee_rate?,
        reference_wage: reference_wage?,
        floor_ratio: floor_ratio?,
        ceiling_ratio: ceiling_ratio?,
        due_day: due_day?,
        grace_days: grace_days?,
    })
}

fn surcharge(section: &Section<'_, '_>) -> Option<Surcharge> {
    let from = section.required("from", value::day);
    let daily = section.required("daily", rate);
    Some(Surcharge {
        from: from?,
        daily: daily?,
    })
}

fn benefit(section: &Section<'_, '_>) -> Option<Benefit> {
    let from = section.required("from", value::month);
    let items = section.required_list("items", value::item);
    let survivor_items = section.required_list("survivor_items", value::item);
    let payout_day = section.required("payout_day", day_of_month);
    let grace_days = section.required("grace_days", days);
    let (items, survivor_items) = (items?, survivor_items?);
    for survivor_item in &survivor_items {
        if let Some(item) = items.iter().find(|item| item.value == survivor_item.value) {
            let message = format!(
                "`{}` is in `items` too (line {}); allowed: in one of the two lists",
                item.value, item.line
            );
            section.add(survivor_item.line, "survivor_items", message);
        }
    }
    Some(Benefit {
        from: from?,
        items: values(items),
        survivor_items: values(survivor_items),
        payout_day: payout_day?,
        grace_days: grace_days?,
    })
}

fn remittance(section: &Section<'_, '_>) -> Option<Remittance> {
    let from = section.required("from", value::month);
    let remit_day = section.required("remit_day", day_of_month);
    let grace_days = section.required("grace_days", days);
    let release_business_days = section.required("release_business_days", days);
    Some(Remittance {
        from: from?,
        remit_day: remit_day?,
        grace_days: grace_days?,
        release_business_days: release_business_days?,
    })
}

fn advance(section: &Section<'_, '_>) -> Option<Advance> {
    let from = section.required("from", value::month);
    let id_prefixes = section.required_list("id_prefixes", value::id_prefix);
    Some(Advance {
        from: from?,
        id_prefixes: values(id_prefixes?),
    })
}

fn opening_balance(section: &Section<'_, '_>) -> Option<OpeningBalance> {
    let from = section.required("from", value::day);
    let amount = section.required("amount", value::amount);
    Some(OpeningBalance {
        from: from?,
        amount: amount?,
    })
}

fn health(section: &Section<'_, '_>) -> Option<Health> {
    let from = section.required("from", value::month);
    let hysteresis = section.optional("hysteresis", rate);
    let confirm_months = section.optional("confirm_months", |value| value::whole(value, 1, 12));
    let close_within = section.optional("close_within_business_days", days);
    let runway_months = section.optional("runway_months", |value| value::whole(value, 1, 12));
    let thresholds = Indicator::ALL.map(|indicator| {
        section
            .optional_table(indicator.as_str(), &THRESHOLDS)
            .map_or_else(Thresholds::default, |table| thresholds(&table, indicator))
    });
    Some(Health {
        from: from?,
        hysteresis: hysteresis.unwrap_or(Rate::from_units(10_000_000)),
        confirm_months: confirm_months.unwrap_or(2),
        close_within_business_days: close_within.unwrap_or(3),
        runway_months: runway_months.unwrap_or(3),
        thresholds,
    })
}

fn thresholds(section: &Section<'_, '_>, indicator: Indicator) -> Thresholds {
    let [yellow, orange, red] = THRESHOLDS.map(|key| (key, section.optional(key, ratio)));
    // Yellow comes first on the way to the worse, which is up for some indicators and down for others.
    for ((lesser_key, lesser), (graver_key, graver)) in
        [(yellow, orange), (orange, red), (yellow, red)]
    {
        let (Some(lesser), Some(graver)) = (lesser, graver) else {
            continue;
        };
        let (is_wrong, is, allowed) = if indicator.is_worse_below() {
            (lesser < graver, "less", "at least")
        } else {
            (graver < lesser, "greater", "at most")
        };
        if is_wrong {
            let line = section.line_of_key(lesser_key).unwrap_or(section.line());
            let message =
                format!("`{lesser}` is {is} than {graver_key} `{graver}`; allowed: {allowed} that");
            section.add(line, lesser_key, message);
        }
    }
    Thresholds {
        yellow: yellow.1,
        orange: orange.1,
        red: red.1,
    }
}

fn detectors(root: &Section<'_, '_>) -> [DetectorSettings; Detector::ALL.len()] {
    let names = Detector::ALL.map(Detector::as_str);
    let tables = root.optional_table("detectors", &names);
    Detector::ALL.map(|detector| {
        tables
            .as_ref()
            .and_then(|tables| tables.optional_table(detector.as_str(), detector_keys(detector)))
            .map_or_else(DetectorSettings::default, |section| settings(&section))
    })
}

const fn detector_keys(detector: Detector) -> &'static [&'static str] {
    match detector {
        Detector::UnderDeclaredBase => &DETECTOR_WITH_RATIO,
        _ => &DETECTOR,
    }
}

fn settings(section: &Section<'_, '_>) -> DetectorSettings {
    let default = DetectorSettings::default();
    let [yellow, orange, red] =
        ["yellow", "orange", "red"].map(|key| (key, section.optional(key, value::amount)));
    // Only what the file says can contradict itself: an amount that is set below the default of a
    // graver one is meant, and means what the contract says.
    for ((lesser_key, lesser), (graver_key, graver)) in
        [(yellow, orange), (orange, red), (yellow, red)]
    {
        if let (Some(lesser), Some(graver)) = (lesser, graver)
            && graver < lesser
        {
            let line = section.line_of_key(lesser_key).unwrap_or(section.line());
            let message = format!(
                "`{lesser}` is greater than {graver_key} `{graver}`; allowed: at most that"
            );
            section.add(line, lesser_key, message);
        }
    }
    DetectorSettings {
        enabled: section
            .optional("enabled", value::boolean)
            .unwrap_or(default.enabled),
        tolerance: section
            .optional("tolerance", value::amount)
            .unwrap_or(default.tolerance),
        yellow: yellow.1.unwrap_or(default.yellow),
        orange: orange.1.unwrap_or(default.orange),
        red: red.1.unwrap_or(default.red),
        tolerance_ratio: section
            .optional("tolerance_ratio", rate)
            .unwrap_or(default.tolerance_ratio),
    }
}

fn rate(value: &DeValue<'_>) -> value::Read<Rate> {
    value::rate(value, RATE_MAX)
}

fn ratio(value: &DeValue<'_>) -> value::Read<Rate> {
    value::rate(value, RATIO_MAX)
}

fn day_of_month(value: &DeValue<'_>) -> value::Read<u32> {
    value::whole(value, 1, 31)
}

fn days(value: &DeValue<'_>) -> value::Read<u32> {
    value::whole(value, 0, DAYS_MAX)
}

fn values<T>(placed: Vec<Placed<T>>) -> Vec<T> {
    placed.into_iter().map(|placed| placed.value).collect()
}

/// All of them, once every one has been read (and reported if wrong); `None` if one is missing.
fn complete<T>(entries: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let entries: Vec<_> = entries.collect();
    entries.into_iter().collect()
}

/// Why a file is no text.
#[derive(Debug, thiserror::Error)]
enum TextFault {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("is not UTF-8")]
    NotUtf8 { line: usize },
}

impl TextFault {
    fn of_file(&self, file: &str) -> PolicyError {
        PolicyError {
            file: file.to_owned(),
            line: match self {
                TextFault::Io(_) => None,
                TextFault::NotUtf8 { line } => Some(*line),
            },
            key: None,
            message: self.to_string(),
        }
    }
}

fn read_text(path: &Path) -> Result<String, TextFault> {
    let bytes = std::fs::read(path)?;
    String::from_utf8(bytes).map_err(|fault| {
        let valid = &fault.as_bytes()[..fault.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        TextFault::NotUtf8 { line }
    })
}
