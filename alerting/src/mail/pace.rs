//! The `[mail.pace]` table of the configuration: how soon mails go out, and how many.
//!
//! ```toml
//! [mail.pace]                          # this shows the defaults
//! red = "at-once"                      # or "grouped", or "digest"
//! orange = "grouped"                   # with others of its region and detector
//! yellow = "digest"
//! blue = "digest"
//! group_wait_seconds = 30              # a group's first mail waits so long for more
//! group_interval_seconds = 300         # between two mails on news of one group
//! group_repeat_seconds = 14400         # no news for so long: those still open are told again; 0: never
//! group_repeats_max = 3                # so often, until there is news
//! digest_at = "08:30"                  # on business days, in the pool's time zone
//! life_on = "monday"                   # a sign of life a week, then or on the next business day; or "never"
//! batch_max = 20                       # single mails at one time; if there are more, one of all
//! per_hour_max = 30                    # mails to one recipient; what is more becomes one
//! # Open alerts of a region and month are one matter from so many on, if they are so many in a hundred of those owed.
//! region_wide = { missed-payout = { alerts = 50, percent = 5 } }
//! respond_within_business_days = { red = 0, orange = 3, yellow = 10 }
//!
//! [[mail.pace.rules]]                  # exceptions; the first that fits decides
//! detectors = ["silent-feed"]          # default: all; so are regions and severities
//! pace = "at-once"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Detector, RegionCode, Severity};
use jiff::SignedDuration;
use jiff::civil::Time;
use rules::Policy;
use serde::Deserialize;

use crate::routing::{Pace, PaceRule, Pacing, RegionWide};
use crate::timetable::Timetable;

/// The days of the week, as the configuration has them.
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const NEVER: &str = "never";
/// Alerts of one region and month from which on they are one matter: a payroll that did not go out, or a bank's part of it.
const REGION_WIDE: (Detector, RegionWide) = (
    Detector::MissedPayout,
    RegionWide {
        alerts: 50,
        percent: 5,
    },
);

/// The `[mail.pace]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaceConfig {
    /// How soon red is told.
    pub red: Pace,
    /// How soon orange is told.
    pub orange: Pace,
    /// How soon yellow is told.
    pub yellow: Pace,
    /// How soon blue is told.
    pub blue: Pace,
    /// A group's first mail waits so long for more.
    pub group_wait_seconds: u32,
    /// Between two mails on news of one group.
    pub group_interval_seconds: u32,
    /// After so long without news those still open are told again; 0: never.
    pub group_repeat_seconds: u32,
    /// So often at most, until there is news.
    pub group_repeats_max: u32,
    /// The time of digests and signs of life, `HH:MM`.
    pub digest_at: String,
    /// The weekday of signs of life, or `never`.
    pub life_on: String,
    /// Single mails to one recipient at one time; if there are more, one mail of all.
    pub batch_max: u64,
    /// Mails to one recipient within an hour; what is more becomes one mail.
    pub per_hour_max: u64,
    /// By detector: from when on alerts of one region and month are one matter.
    pub region_wide: BTreeMap<String, RegionWide>,
    /// By severity: within how many business days something is to be done.
    pub respond_within_business_days: BTreeMap<Severity, u32>,
    /// Exceptions from the paces by severity.
    pub rules: Vec<RuleConfig>,
}

/// One of `[[mail.pace.rules]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Of these detectors, by name; empty: of all.
    #[serde(default)]
    pub detectors: Vec<String>,
    /// Of these regions; empty: of all.
    #[serde(default)]
    pub regions: Vec<RegionCode>,
    /// Of these severities; empty: of all.
    #[serde(default)]
    pub severities: BTreeSet<Severity>,
    /// How soon.
    pub pace: Pace,
}

impl Default for PaceConfig {
    fn default() -> PaceConfig {
        PaceConfig {
            red: Pace::AtOnce,
            orange: Pace::Grouped,
            yellow: Pace::Digest,
            blue: Pace::Digest,
            group_wait_seconds: 30,
            group_interval_seconds: 5 * 60,
            group_repeat_seconds: 4 * 60 * 60,
            group_repeats_max: 3,
            digest_at: "08:30".to_owned(),
            life_on: "monday".to_owned(),
            batch_max: 20,
            per_hour_max: 30,
            region_wide: [(REGION_WIDE.0.as_str().to_owned(), REGION_WIDE.1)].into(),
            respond_within_business_days: [
                (Severity::Red, 0),
                (Severity::Orange, 3),
                (Severity::Yellow, 10),
            ]
            .into(),
            rules: Vec::new(),
        }
    }
}

impl PaceConfig {
    /// Adds what is wrong, each with its key.
    pub(super) fn check(&self, errors: &mut Vec<String>) {
        if self.time().is_none() {
            errors.push("mail.pace.digest_at: must be a time `HH:MM`, e.g. `08:30`".to_owned());
        }
        if self.life_on != NEVER && self.weekday().is_none() {
            let days = [&WEEKDAYS[..], &[NEVER]].concat();
            errors.push(format!(
                "mail.pace.life_on: {}",
                unknown(&self.life_on, "day", &days)
            ));
        }
        for (key, value) in [
            ("batch_max", self.batch_max),
            ("per_hour_max", self.per_hour_max),
        ] {
            if value == 0 {
                errors.push(format!("mail.pace.{key}: must be 1 or more"));
            }
        }
        for (name, from) in &self.region_wide {
            check_detectors("mail.pace.region_wide", [name], errors);
            if from.alerts < 2 {
                errors.push(format!(
                    "mail.pace.region_wide.{name}.alerts: must be 2 or more: one alert is no failure of a region"
                ));
            }
            if 100 < from.percent {
                errors.push(format!(
                    "mail.pace.region_wide.{name}.percent: must be 0 (the number decides alone) to 100"
                ));
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let key = format!("mail.pace.rules[{at}].detectors");
            check_detectors(&key, &rule.detectors, errors);
        }
    }

    fn time(&self) -> Option<Time> {
        let (hour, minute) = self.digest_at.split_once(':')?;
        let number = |text: &str| -> Option<i8> {
            let is_two_digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            is_two_digits.then(|| text.parse().ok()).flatten()
        };
        Time::new(number(hour)?, number(minute)?, 0, 0).ok()
    }

    fn weekday(&self) -> Option<u32> {
        let at = WEEKDAYS.iter().position(|day| *day == self.life_on)?;
        u32::try_from(at).ok()
    }

    /// By detector: from when on alerts of one region and month are one matter.
    pub(super) fn region_wide(&self) -> BTreeMap<Detector, RegionWide> {
        let known = |(name, from): (&String, &RegionWide)| Some((Detector::parse(name)?, *from));
        self.region_wide.iter().filter_map(known).collect()
    }

    pub(super) fn timetable(&self, policy: Arc<Policy>) -> Result<Timetable, String> {
        Timetable::new(policy, self.time().unwrap_or_default(), self.weekday())
            .map_err(|error| format!("pool.time_zone: {error}"))
    }

    /// When mails go out, and how many.
    ///
    /// # Errors
    /// What is wrong with the policy's time zone.
    pub(crate) fn pacing(
        &self,
        policy: Arc<Policy>,
        message_host: String,
        addresses: BTreeSet<String>,
    ) -> Result<Pacing, String> {
        let seconds = |number: u32| SignedDuration::from_secs(i64::from(number));
        let timetable = self.timetable(policy)?;
        Ok(Pacing {
            message_host,
            by_severity: [self.blue, self.yellow, self.orange, self.red],
            rules: self.rules.iter().map(rule).collect(),
            group_wait: seconds(self.group_wait_seconds),
            group_interval: seconds(self.group_interval_seconds),
            group_repeat: (self.group_repeat_seconds > 0)
                .then(|| seconds(self.group_repeat_seconds)),
            group_repeats_max: self.group_repeats_max,
            batch_max: self.batch_max,
            per_hour_max: self.per_hour_max,
            timetable,
            addresses,
        })
    }
}

fn rule(config: &RuleConfig) -> PaceRule {
    PaceRule {
        detectors: detectors(&config.detectors),
        regions: config.regions.iter().copied().collect(),
        severities: config.severities.clone(),
        pace: config.pace,
    }
}

/// The detectors of names that were checked.
pub(crate) fn detectors(names: &[String]) -> BTreeSet<Detector> {
    names
        .iter()
        .filter_map(|name| Detector::parse(name))
        .collect()
}

/// Adds an error for each name that is no detector's.
pub(crate) fn check_detectors<'n>(
    key: &str,
    names: impl IntoIterator<Item = &'n String>,
    errors: &mut Vec<String>,
) {
    for name in names {
        if Detector::parse(name).is_none() {
            let all = Detector::ALL.map(Detector::as_str);
            errors.push(format!("{key}: {}", unknown(name, "detector", &all)));
        }
    }
}

/// What to say of a word that is not among those allowed.
pub(crate) fn unknown(word: &str, what: &str, allowed: &[&str]) -> String {
    let hint = match rules::nearest(word, allowed) {
        Some(meant) => format!(" did you mean `{meant}`?"),
        None => String::new(),
    };
    format!(
        "there is no {what} `{}`;{hint} allowed: {}",
        super::text::clean(word),
        allowed.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_named_with_its_key() {
        let config: PaceConfig = toml::from_str(
            r#"
            digest_at = "8:30"
            life_on = "mondag"
            batch_max = 0
            per_hour_max = 0
            region_wide = { missed-payouts = { alerts = 1, percent = 101 } }
            [[rules]]
            detectors = ["arrear"]
            pace = "digest"
            "#,
        )
        .unwrap();
        let mut errors = Vec::new();
        config.check(&mut errors);
        let all = errors.join("\n");
        for words in [
            "mail.pace.digest_at: must be a time",
            "mail.pace.life_on: there is no day `mondag`; did you mean `monday`?",
            "mail.pace.batch_max: must be",
            "mail.pace.per_hour_max: must be",
            "mail.pace.region_wide: there is no detector `missed-payouts`; did you mean `missed-payout`?",
            "mail.pace.region_wide.missed-payouts.alerts: must be 2 or more",
            "mail.pace.region_wide.missed-payouts.percent: must be 0",
            "mail.pace.rules[0].detectors: there is no detector `arrear`; did you mean `arrears`?",
        ] {
            assert!(all.contains(words), "{words} in\n{all}");
        }
        assert_eq!(errors.len(), 8, "{all}");
        assert!(toml::from_str::<PaceConfig>("red = \"soon\"").is_err());
        assert!(toml::from_str::<PaceConfig>("rad = \"at-once\"").is_err());
        let share = "region_wide = { missed-payout = { alerts = 50, share = 5 } }";
        assert!(toml::from_str::<PaceConfig>(share).is_err());
    }

    #[test]
    fn rules_come_before_severities() {
        let config: PaceConfig = toml::from_str(
            r#"
            blue = "grouped"
            [[rules]]
            detectors = ["silent-feed"]
            regions = ["341002"]
            severities = ["blue", "yellow"]
            pace = "at-once"
            "#,
        )
        .unwrap();
        let policy = Arc::new(Policy::huangshan());
        let pacing = config
            .pacing(policy, "h".to_owned(), BTreeSet::new())
            .unwrap();
        let pace = |detector, region: &[u8], severity| {
            pacing.pace(detector, RegionCode::parse(region).unwrap(), severity)
        };
        let silent = Detector::SilentFeed;
        assert_eq!(pace(silent, b"341002", Severity::Blue), Pace::AtOnce);
        assert_eq!(pace(silent, b"341002", Severity::Orange), Pace::Grouped);
        assert_eq!(pace(silent, b"341021", Severity::Blue), Pace::Grouped);
        assert_eq!(
            pace(Detector::Arrears, b"341002", Severity::Yellow),
            Pace::Digest
        );
    }
}
