//! 指标越限 (`indicator-breach`): is an indicator beyond its threshold, and has it stayed there?
//!
//! Judged at the ends of months, each of which is asked once all feeds that the indicator reads are closed up to it; a
//! silent feed holds its month back, and a value that is not known or not applicable neither raises nor clears.
//! Raised at once by red, else by so many month ends in a row (`confirm_months`); cleared when the value is back over
//! the least grave threshold by `hysteresis` of it, of parts of a whole by that much of what the threshold leaves to 1.
//! A function of ledger and date, like every detector: what late facts change is judged anew.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use domain::{
    AlertKey, BusinessDate, Detector, Episode, Finding, Indicator, Money, Period, PolicyEntry,
    Rate, Severity, Subject,
};
use rules::{Health, Thresholds};
use serde_json::{Map, Value as Json, json};

use crate::book::{Ledger, Unit};
use crate::health::{Grade, Reading, Value, topics};
use crate::posting::{Entry, Posting};

/// Judges indicators, and keeps what it read of months that nothing has changed since.
#[derive(Debug, Default)]
pub struct BreachWatch {
    /// By month end.
    readings: BTreeMap<Period, Vec<Reading>>,
}

impl BreachWatch {
    /// Forgets what the postings change: the months from the earliest of them on.
    pub fn forget<'p>(&mut self, postings: impl IntoIterator<Item = &'p Posting>) {
        let earliest = postings
            .into_iter()
            .map(|posting| month_of(&posting.entry))
            .min();
        if let Some(month) = earliest {
            self.readings.split_off(&month);
        }
    }

    /// Forgets all: the ledger goes by another policy.
    pub fn forget_all(&mut self) {
        self.readings.clear();
    }

    /// What is to be said of all indicators as of a date.
    pub fn findings(&mut self, ledger: &Ledger, as_of: BusinessDate) -> Vec<Finding> {
        if !ledger.policy().detector(Detector::IndicatorBreach).enabled {
            return Vec::new();
        }
        let Some(first) = ledger.first_flow(Unit::Pool) else {
            return Vec::new();
        };
        let mut tracks: BTreeMap<(Unit, Indicator), Vec<Reading>> = BTreeMap::new();
        let mut month = first.period();
        while month.last_day() <= as_of {
            for reading in self.of_month(ledger, month) {
                tracks
                    .entry((reading.unit, reading.indicator))
                    .or_default()
                    .push(reading.clone());
            }
            month = month.next();
        }
        tracks
            .into_iter()
            .filter_map(|((unit, indicator), track)| judge(ledger, unit, indicator, &track))
            .collect()
    }

    /// The readings at a month's end, of the indicators whose feeds are closed up to it.
    fn of_month(&mut self, ledger: &Ledger, month: Period) -> &[Reading] {
        let day = month.last_day();
        let known = self.readings.entry(month).or_default();
        if known.len() == ledger.units().count() * Indicator::COUNT {
            return known;
        }
        for unit in ledger.units() {
            for indicator in Indicator::ALL {
                let is_known = known
                    .iter()
                    .any(|reading| reading.unit == unit && reading.indicator == indicator);
                let is_closed = || {
                    ledger.regions_of(unit).into_iter().all(|region| {
                        topics(indicator).iter().all(|topic| {
                            ledger.closed(region, *topic, BusinessDate::LAST) >= Some(day)
                        })
                    })
                };
                if !is_known && is_closed() {
                    known.push(ledger.reading(indicator, unit, day));
                }
            }
        }
        known
    }
}

/// The first month whose end a sum may change.
fn month_of(entry: &Entry) -> Period {
    match entry {
        Entry::Flow(_, day)
        | Entry::RemittedFor(_, day)
        | Entry::Subsidy(_, day)
        | Entry::ReleasedOf(_, day)
        | Entry::Received(_, day)
        | Entry::Closed(_, day)
        | Entry::Close(_, day)
        | Entry::Due(_, day)
        | Entry::PaidOfDue(_, day)
        | Entry::BaseDue(_, day)
        | Entry::BaseDeclared(_, day) => day.period(),
        // A payout date may be moved back into the month before.
        Entry::PayoutDueFrom(month) | Entry::PaidInTime(month) => month.previous(),
    }
}

/// The least grave threshold that there is.
fn outermost(thresholds: &Thresholds) -> Option<Rate> {
    thresholds.yellow.or(thresholds.orange).or(thresholds.red)
}

/// Whether a value is back over the threshold by the margin.
fn is_back(indicator: Indicator, value: Value, threshold: Rate, hysteresis: Rate) -> bool {
    let Value::Known(quotient) = value else {
        return false;
    };
    let threshold = i128::from(threshold.units());
    let base = if indicator.is_part_of_due() {
        Rate::SCALE - threshold
    } else {
        threshold
    };
    let margin = base.max(0) * i128::from(hysteresis.units()) / Rate::SCALE;
    if indicator.is_worse_below() {
        quotient.compare(threshold + margin) != Ordering::Less
    } else {
        quotient.compare(threshold - margin) != Ordering::Greater
    }
}

/// An episode in the making.
struct Open {
    since: BusinessDate,
    peak: Money,
    gravest: Severity,
}

/// Walks the month ends of one indicator of a unit.
fn judge(ledger: &Ledger, unit: Unit, indicator: Indicator, track: &[Reading]) -> Option<Finding> {
    let policy = ledger.policy();
    let mut open: Option<Open> = None;
    let mut in_a_row = 0;
    let mut last: Option<(Episode, Severity, Reading, Rate)> = None;
    let mut count = 0;
    for reading in track {
        let Some((entry, threshold)) = rules_of(policy, reading) else {
            continue;
        };
        let severity = match reading.grade {
            Grade::Beyond(severity) => severity,
            Grade::Green => Severity::Blue,
            Grade::Unknown | Grade::NotApplicable | Grade::Ungraded => continue,
        };
        in_a_row = if severity > Severity::Blue {
            in_a_row + 1
        } else {
            0
        };
        let amount = reading.money_to(threshold);
        if let Some(episode) = &mut open {
            episode.peak = episode.peak.max(amount);
            episode.gravest = episode.gravest.max(severity);
            if is_back(indicator, reading.value, threshold, entry.hysteresis) {
                let cleared = Episode {
                    opened_on: episode.since,
                    cleared_on: Some(reading.as_of),
                    amount: Money::ZERO,
                    peak: episode.peak,
                    count,
                };
                last = Some((cleared, episode.gravest, reading.clone(), threshold));
                open = None;
                continue;
            }
        } else if severity == Severity::Red
            || (severity > Severity::Blue && in_a_row >= entry.confirm_months)
        {
            count += 1;
            open = Some(Open {
                since: reading.as_of,
                peak: amount,
                gravest: severity,
            });
        }
        if let Some(episode) = &open {
            let now = Episode {
                opened_on: episode.since,
                cleared_on: None,
                amount,
                peak: episode.peak,
                count,
            };
            // Not far enough back to be over: the mildest of alerts.
            last = Some((
                now,
                severity.max(Severity::Yellow),
                reading.clone(),
                threshold,
            ));
        }
    }
    let (episode, severity, reading, threshold) = last?;
    Some(finding(
        ledger, unit, episode, severity, &reading, threshold,
    ))
}

/// The policy's entry and least grave threshold for a reading.
fn rules_of<'p>(policy: &'p rules::Policy, reading: &Reading) -> Option<(&'p Health, Rate)> {
    let entry = policy.health(reading.as_of.period())?;
    Some((entry, outermost(entry.thresholds(reading.indicator))?))
}

fn finding(
    ledger: &Ledger,
    unit: Unit,
    episode: Episode,
    severity: Severity,
    reading: &Reading,
    threshold: Rate,
) -> Finding {
    let indicator = reading.indicator;
    // The pool's code may be that of a region, too.
    let item = match unit {
        Unit::Region(_) => indicator.as_str().to_owned(),
        Unit::Pool => format!("pool.{indicator}"),
    };
    let mut details = Map::new();
    let mut note = |key: &str, value: Json| details.insert(key.to_owned(), value);
    note("indicator", json!(indicator.as_str()));
    note("name_zh", json!(indicator.name_zh()));
    note("name_en", json!(indicator.name_en()));
    note("measure", json!(indicator.measure().as_str()));
    note("value", json!(reading.shown()));
    note("threshold", json!(threshold.to_string()));
    note(
        "worse",
        json!(if indicator.is_worse_below() {
            "below"
        } else {
            "above"
        }),
    );
    note("month", json!(reading.as_of.period()));
    let entry = ledger.policy().health(reading.as_of.period());
    Finding {
        key: AlertKey {
            detector: Detector::IndicatorBreach,
            subject: Subject::Region(ledger.code(unit)),
            period: None,
            item: Some(item),
        },
        region: ledger.code(unit),
        episode,
        severity,
        evidence: Vec::new(),
        policy: entry.map(|entry| PolicyEntry {
            table: "health",
            from: entry.from,
        }),
        details,
    }
}
