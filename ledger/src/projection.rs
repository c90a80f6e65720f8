//! The projection: what is to be expected of collections, payouts and the reserve, twelve months ahead.
//!
//! A projection, not a promise: the cash-flow identity (what there is + collections + subsidies - payouts) over base
//! lines that anyone can check by hand. Which base line is used is decided for each series by a rolling back-test: it is
//! let project from every past month that had enough before it, and the one that erred least is taken. The interval is
//! as wide as nine of ten of those errors. Everything is whole fen: there is no float here; averages are rounded.
//! Subsidies are assumed to come as in the same month a year before; of months without such a month, not at all.

use std::collections::BTreeMap;

use domain::{BusinessDate, Money, Period};

use crate::book::{Days, Ledger, Unit};
use crate::health::{Value, last_complete_month};
use crate::quotient::Quotient;
use crate::report::FlowSums;

/// Months that are projected.
pub const MONTHS_AHEAD: usize = 12;
/// So many months must have been before one may be projected from.
const MONTHS_MIN: usize = 6;
/// So many past projections make an error known.
const TRIALS_MIN: usize = 3;

/// A base line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// As the mean of the last three months.
    Level,
    /// On along the line from the first to the last month.
    Drift,
    /// As in the same month a year before.
    SeasonalNaive,
    /// As in the same month a year before, and the mean growth of the months that have such a month.
    SeasonalDrift,
}

impl Method {
    /// All of them; of two that err alike the first is taken.
    pub const ALL: [Method; 4] = [
        Method::Level,
        Method::Drift,
        Method::SeasonalNaive,
        Method::SeasonalDrift,
    ];

    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Level => "level",
            Method::Drift => "drift",
            Method::SeasonalNaive => "seasonal-naive",
            Method::SeasonalDrift => "seasonal-drift",
        }
    }

    /// Projects a series, the oldest month first; `None` if it is too short.
    pub fn project(self, past: &[i128]) -> Option<[i128; MONTHS_AHEAD]> {
        let count = past.len();
        if count < MONTHS_MIN {
            return None;
        }
        let year_before = |ahead: usize| past.get((count + ahead).checked_sub(12)?).copied();
        let mut projected = [0; MONTHS_AHEAD];
        for (ahead, month) in projected.iter_mut().enumerate() {
            *month = match self {
                Method::Level => mean(past[count - 3..].iter().sum(), 3),
                Method::Drift => {
                    let step = past[count - 1] - past[0];
                    past[count - 1] + mean(step * (ahead as i128 + 1), count as i128 - 1)
                }
                Method::SeasonalNaive => year_before(ahead)?,
                Method::SeasonalDrift => {
                    if count < 13 {
                        return None;
                    }
                    // Of each month less the one a year before only the last and the first are left in the sum.
                    let at_each_end = (count - 12).min(12);
                    let last: i128 = past[count - at_each_end..].iter().sum();
                    let first: i128 = past[..at_each_end].iter().sum();
                    year_before(ahead)? + mean(last - first, count as i128 - 12)
                }
            };
        }
        Some(projected)
    }
}

/// A mean, half away from zero.
fn mean(sum: i128, count: i128) -> i128 {
    let magnitude = (2 * sum.abs() + count) / (2 * count);
    if sum < 0 { -magnitude } else { magnitude }
}

/// How a method did on past months.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which.
    pub method: Method,
    /// Mean absolute error over all months projected from where every method could be tried; `None` if it could be
    /// tried too seldom.
    pub error: Option<Money>,
    /// Errors (what came less what was projected) by months ahead.
    errors: Vec<Vec<i128>>,
}

impl Trial {
    fn of(method: Method, series: &[i128]) -> Trial {
        Trial {
            method,
            error: None,
            errors: errors_from(method, series, MONTHS_MIN),
        }
    }

    /// Whether it was tried often enough to be known.
    fn is_known(&self) -> bool {
        self.errors[0].len() >= TRIALS_MIN
    }
}

/// What a method is off by, by months ahead, when it projects from each month from `first` on.
fn errors_from(method: Method, series: &[i128], first: usize) -> Vec<Vec<i128>> {
    let mut errors = vec![Vec::new(); MONTHS_AHEAD];
    for end in first..series.len() {
        let Some(projected) = method.project(&series[..end]) else {
            continue;
        };
        for (ahead, (real, projected)) in series[end..].iter().zip(projected).enumerate() {
            errors[ahead].push(real - projected);
        }
    }
    errors
}

/// The method that erred least, and all that were tried. They are compared on the same months: a method does not win
/// by easy ones that another could not be tried on.
fn best(series: &[i128]) -> (Option<Method>, Vec<Trial>) {
    let mut trials: Vec<Trial> = Method::ALL.map(|method| Trial::of(method, series)).to_vec();
    let seldom = trials
        .iter()
        .filter(|trial| trial.is_known())
        .map(|trial| trial.errors[0].len())
        .min();
    let Some(seldom) = seldom else {
        return (None, trials);
    };
    for trial in trials.iter_mut().filter(|trial| trial.is_known()) {
        let errors = errors_from(trial.method, series, series.len() - seldom);
        let sizes: Vec<i128> = errors.into_iter().flatten().map(i128::abs).collect();
        trial.error = Some(Money::from_fen(mean(
            sizes.iter().sum(),
            sizes.len() as i128,
        )));
    }
    let best = trials
        .iter()
        .filter_map(|trial| Some((trial.error?, trial.method)))
        .min();
    (best.map(|(_, method)| method), trials)
}

/// Half the width of the interval, by months ahead: nine of ten absolute errors are within it. It never narrows with
/// time; where too few errors are known it is as wide as the month before.
fn widths(errors: &[Vec<i128>]) -> [i128; MONTHS_AHEAD] {
    let mut widths = [0; MONTHS_AHEAD];
    let mut widest = 0;
    for (width, errors) in widths.iter_mut().zip(errors) {
        if errors.len() >= TRIALS_MIN {
            let mut sizes: Vec<i128> = errors.iter().map(|error| error.abs()).collect();
            sizes.sort_unstable();
            widest = widest.max(sizes[(sizes.len() * 9).div_ceil(10) - 1]);
        }
        *width = widest;
    }
    widths
}

/// Low, median and high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band<T> {
    /// Nine of ten past errors would leave it above this.
    pub low: T,
    /// What is expected.
    pub median: T,
    /// Nine of ten past errors would leave it below this.
    pub high: T,
}

/// A month that is projected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectedMonth {
    /// Which.
    pub month: Period,
    /// Collections.
    pub collected: Band<Money>,
    /// Payouts.
    pub paid_out: Band<Money>,
    /// Subsidies that are assumed.
    pub subsidies: Money,
    /// What is left at its end.
    pub balance: Band<Money>,
    /// That, in months of the payouts of the twelve months that end with it; `None` if nothing is paid out.
    pub reserve_months: Option<Band<Quotient>>,
}

/// What was projected a month before, and what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastMonth {
    /// Which.
    pub month: Period,
    /// Collections projected.
    pub collected_projected: Money,
    /// Collections.
    pub collected: Money,
    /// Payouts projected.
    pub paid_out_projected: Money,
    /// Payouts.
    pub paid_out: Money,
}

/// The projection of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// The last month that is known.
    pub from: Period,
    /// How collections are projected, and how the methods did.
    pub collected_by: (Method, Vec<Trial>),
    /// How payouts are.
    pub paid_out_by: (Method, Vec<Trial>),
    /// The months ahead.
    pub months: Vec<ProjectedMonth>,
    /// The last months that are known, as they were projected a month before by the same methods.
    pub past: Vec<PastMonth>,
}

/// The known months of a unit.
struct Series {
    first: Period,
    collected: Vec<i128>,
    paid_out: Vec<i128>,
    subsidies: Vec<i128>,
}

impl Ledger {
    /// The projection of a unit from the last month that is complete as of a date; `None` if too few months are known.
    pub fn projection(&self, unit: Unit, as_of: BusinessDate) -> Option<Projection> {
        let from = last_complete_month(as_of);
        let series = self.series(unit, from)?;
        let (collected_by, collected_trials) = best(&series.collected);
        let (paid_by, paid_trials) = best(&series.paid_out);
        let (collected_by, paid_by) = (collected_by?, paid_by?);
        let balance = self.held(unit, from.last_day()).fen();
        let months = months_ahead(
            &series,
            from,
            balance,
            collected_by,
            paid_by,
            &collected_trials,
            &paid_trials,
        )?;
        let past = past(&series, collected_by, paid_by);
        Some(Projection {
            from,
            collected_by: (collected_by, collected_trials),
            paid_out_by: (paid_by, paid_trials),
            months,
            past,
        })
    }

    /// The least of the coming months' median reserve, of as many months as the policy says.
    pub(crate) fn runway(&self, unit: Unit, as_of: BusinessDate) -> (Value, Option<i128>) {
        let ahead = self
            .policy()
            .health(as_of.period())
            .map_or(3, |entry| entry.runway_months);
        let Some(projection) = self.projection(unit, as_of) else {
            return (Value::Unknown, None);
        };
        let reserves: Option<Vec<Quotient>> = projection
            .months
            .iter()
            .take(ahead as usize)
            .map(|month| month.reserve_months.map(|band| band.median))
            .collect();
        let Some(reserves) = reserves else {
            return (Value::NotApplicable, None);
        };
        let least = reserves.into_iter().min_by(|a, b| {
            (a.numerator() * b.denominator()).cmp(&(b.numerator() * a.denominator()))
        });
        least.map_or((Value::Unknown, None), |least| (Value::Known(least), None))
    }

    fn series(&self, unit: Unit, last: Period) -> Option<Series> {
        let first = self.first_flow(unit)?.period();
        let mut by_month: BTreeMap<Period, FlowSums> = BTreeMap::new();
        let days = Days {
            first: first.first_day(),
            last: last.last_day(),
        };
        for region in self.regions_of(unit) {
            for (flow, day, sum) in self.flows(region) {
                if day <= days.last {
                    by_month.entry(day.period()).or_default().add(flow, sum);
                }
            }
        }
        let mut series = Series {
            first,
            collected: Vec::new(),
            paid_out: Vec::new(),
            subsidies: Vec::new(),
        };
        let none = FlowSums::default();
        let mut month = first;
        while month <= last {
            let sums = by_month.get(&month).unwrap_or(&none);
            series.collected.push(sums.collected_net().fen());
            series.paid_out.push(sums.paid_net().fen());
            series
                .subsidies
                .push((sums.income() - sums.collected_net()).fen());
            month = month.next();
        }
        (series.collected.len() >= MONTHS_MIN).then_some(series)
    }
}

/// Subsidies as in the same month a year before, or none.
fn assumed_subsidies(past: &[i128]) -> [i128; MONTHS_AHEAD] {
    std::array::from_fn(|ahead| {
        (past.len() + ahead)
            .checked_sub(12)
            .and_then(|at| past.get(at).copied())
            .unwrap_or(0)
    })
}

/// The balance at the end of each month ahead, by the identity.
fn balances(
    start: i128,
    collected: &[i128; MONTHS_AHEAD],
    subsidies: &[i128; MONTHS_AHEAD],
    paid_out: &[i128; MONTHS_AHEAD],
) -> [i128; MONTHS_AHEAD] {
    let mut balance = start;
    std::array::from_fn(|ahead| {
        balance += collected[ahead] + subsidies[ahead] - paid_out[ahead];
        balance
    })
}

fn months_ahead(
    series: &Series,
    from: Period,
    balance: i128,
    collected_by: Method,
    paid_by: Method,
    collected_trials: &[Trial],
    paid_trials: &[Trial],
) -> Option<Vec<ProjectedMonth>> {
    let collected = collected_by.project(&series.collected)?;
    let paid_out = paid_by.project(&series.paid_out)?;
    let subsidies = assumed_subsidies(&series.subsidies);
    let width_of = |trials: &[Trial], method| {
        trials
            .iter()
            .find(|trial| trial.method == method)
            .map(|trial| widths(&trial.errors))
    };
    let collected_widths = width_of(collected_trials, collected_by)?;
    let paid_widths = width_of(paid_trials, paid_by)?;
    let balance_widths = widths(&balance_errors(series, collected_by, paid_by));
    let path = balances(balance, &collected, &subsidies, &paid_out);
    let mut year: Vec<i128> = series.paid_out.clone();
    let mut month = from;
    let mut months = Vec::new();
    for ahead in 0..MONTHS_AHEAD {
        month = month.next();
        year.push(paid_out[ahead]);
        let known = &year[year.len().saturating_sub(12)..];
        let of_year: i128 = known.iter().sum();
        let parts = known.len() as i128;
        let reserve = |balance: i128| Quotient::new(balance * parts, of_year);
        let (low, high) = (
            path[ahead] - balance_widths[ahead],
            path[ahead] + balance_widths[ahead],
        );
        let reserve_months = match (reserve(low), reserve(path[ahead]), reserve(high)) {
            (Some(low), Some(median), Some(high)) => Some(Band { low, median, high }),
            _ => None,
        };
        months.push(ProjectedMonth {
            month,
            collected: band(collected[ahead], collected_widths[ahead]),
            paid_out: band(paid_out[ahead], paid_widths[ahead]),
            subsidies: Money::from_fen(subsidies[ahead]),
            balance: band(path[ahead], balance_widths[ahead]),
            reserve_months,
        });
    }
    Some(months)
}

fn band(median: i128, width: i128) -> Band<Money> {
    Band {
        low: Money::from_fen(median - width),
        median: Money::from_fen(median),
        high: Money::from_fen(median + width),
    }
}

/// How far the balance was off, by months ahead, when projected from each past month by these methods.
fn balance_errors(series: &Series, collected_by: Method, paid_by: Method) -> Vec<Vec<i128>> {
    let mut errors = vec![Vec::new(); MONTHS_AHEAD];
    let count = series.collected.len();
    for end in MONTHS_MIN..count {
        let (Some(collected), Some(paid_out)) = (
            collected_by.project(&series.collected[..end]),
            paid_by.project(&series.paid_out[..end]),
        ) else {
            continue;
        };
        let subsidies = assumed_subsidies(&series.subsidies[..end]);
        let path = balances(0, &collected, &subsidies, &paid_out);
        let mut real = 0;
        for ahead in 0..MONTHS_AHEAD.min(count - end) {
            let at = end + ahead;
            real += series.collected[at] + series.subsidies[at] - series.paid_out[at];
            errors[ahead].push(real - path[ahead]);
        }
    }
    errors
}

/// The last twelve known months as they were projected a month before.
fn past(series: &Series, collected_by: Method, paid_by: Method) -> Vec<PastMonth> {
    let count = series.collected.len();
    (MONTHS_MIN.max(count.saturating_sub(12))..count)
        .filter_map(|at| {
            let collected = collected_by.project(&series.collected[..at])?[0];
            let paid_out = paid_by.project(&series.paid_out[..at])?[0];
            let months = series.first.months() + u16::try_from(at).ok()?;
            Some(PastMonth {
                month: Period::from_months(months),
                collected_projected: Money::from_fen(collected),
                collected: Money::from_fen(series.collected[at]),
                paid_out_projected: Money::from_fen(paid_out),
                paid_out: Money::from_fen(series.paid_out[at]),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two years of 100, but for 160 each December.
    fn seasonal() -> Vec<i128> {
        (1..=24)
            .map(|month| if month % 12 == 0 { 160 } else { 100 })
            .collect()
    }

    #[test]
    fn methods_on_series_by_hand() {
        let rising: Vec<i128> = (1..=6).map(|month| month * 10).collect();
        assert_eq!(Method::Drift.project(&rising).unwrap()[..3], [70, 80, 90]);
        assert_eq!(Method::Level.project(&rising).unwrap()[0], 50);
        assert_eq!(Method::SeasonalNaive.project(&rising), None);
        assert_eq!(Method::Level.project(&rising[..5]), None);
        let naive = Method::SeasonalNaive.project(&seasonal()).unwrap();
        assert_eq!((naive[0], naive[10], naive[11]), (100, 100, 160));
        // The second year is 12 higher each month: and so is the third.
        let grown: Vec<i128> = (0..24).map(|month| 100 + month / 12 * 12).collect();
        assert_eq!(
            Method::SeasonalDrift.project(&grown).unwrap(),
            [124; MONTHS_AHEAD]
        );
    }

    /// The growth, summed month by month, as the method is defined.
    #[test]
    fn the_seasonal_drift_is_the_mean_of_what_each_month_grew_in_a_year() {
        let series: Vec<i128> = (0..60).map(|month| month * month * 7919 % 1_013).collect();
        for count in 13..=series.len() {
            let past = &series[..count];
            let growth = past[12..]
                .iter()
                .zip(past)
                .map(|(now, before)| now - before);
            let expected = past[count - 12] + mean(growth.sum(), count as i128 - 12);
            let projected = Method::SeasonalDrift.project(past).unwrap();
            assert_eq!(projected[0], expected, "{count} months");
        }
    }

    #[test]
    fn the_method_that_erred_least_is_taken() {
        assert_eq!(best(&seasonal()).0, Some(Method::SeasonalNaive));
        let rising: Vec<i128> = (1..=24).map(|month| month * 10).collect();
        assert_eq!(best(&rising).0, Some(Method::Drift));
        // Too short for three trials.
        assert_eq!(best(&rising[..8]).0, None);
    }

    #[test]
    fn intervals_hold_nine_of_ten_errors_and_never_narrow() {
        let errors = vec![
            vec![1, -2, 3, -4, 5, -6, 7, -8, 9, -100],
            vec![1, 1, 1],
            vec![1000],
        ];
        let mut padded = errors;
        padded.resize(MONTHS_AHEAD, Vec::new());
        assert_eq!(widths(&padded), [9; MONTHS_AHEAD]);
    }

    #[test]
    fn means_are_half_away_from_zero() {
        assert_eq!(
            (mean(5, 2), mean(-5, 2), mean(4, 3), mean(0, 7)),
            (3, -3, 1, 0)
        );
    }

    #[test]
    fn balances_follow_the_identity() {
        let path = balances(100, &[10; 12], &[1; 12], &[15; 12]);
        assert_eq!((path[0], path[11]), (96, 52));
    }
}
