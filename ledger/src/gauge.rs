//! What of the ledger is shown as metrics. What registers and serves them is elsewhere.
//!
//! Labels are of closed lists (regions, and words of this crate), so that the number of series depends on the pool's
//! regions alone. What is unknown or not applicable has no sample: a gauge is never zero for want of a value.

use catalogue::Metric;
use domain::{BusinessDate, Indicator, Measure};

use crate::book::{Days, Ledger, Unit};
use crate::health::{Grade, Reading, last_complete_month};
use crate::projection::{MONTHS_AHEAD, Projection};
use crate::quotient::Quotient;
use crate::report::Column;
use crate::transit::Step;

/// The metrics that samples are of.
pub const METRICS: [&Metric; 13] = [
    &catalogue::LEDGER_AS_OF,
    &catalogue::FUND_BALANCE_YUAN,
    &catalogue::FLOW_YEAR_YUAN,
    &catalogue::IN_TRANSIT_YUAN,
    &catalogue::IN_TRANSIT_DAYS,
    &catalogue::DIFFERENCE_YUAN,
    &catalogue::INDICATOR_MONTHS,
    &catalogue::INDICATOR_RATIO,
    &catalogue::INDICATOR_DAYS,
    &catalogue::INDICATOR_GRADE,
    &catalogue::INDICATOR_COMPLETE_RATIO,
    &catalogue::PROJECTION_YUAN,
    &catalogue::PROJECTION_RESERVE_MONTHS,
];

/// Days from 1900-01-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 25_567;

/// A value of a metric, as a decimal number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which.
    pub metric: &'static Metric,
    /// The values of its labels, in their order.
    pub labels: Vec<String>,
    /// The value.
    pub value: String,
}

/// Samples in the making.
#[derive(Default)]
struct Samples(Vec<Sample>);

impl Samples {
    fn add(&mut self, metric: &'static Metric, labels: &[&str], value: impl ToString) {
        self.0.push(Sample {
            metric,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            value: value.to_string(),
        });
    }
}

impl Ledger {
    /// Everything that is shown as metrics, as of a date, with the indicators as they were read.
    pub fn samples(&self, as_of: BusinessDate, readings: &[Reading]) -> Vec<Sample> {
        let mut samples = Samples::default();
        let seconds = (i64::from(as_of.days()) - DAYS_TO_1970) * 86_400;
        samples.add(&catalogue::LEDGER_AS_OF, &[], seconds);
        samples.add(
            &catalogue::FUND_BALANCE_YUAN,
            &[],
            self.held(Unit::Pool, as_of),
        );
        for unit in self.units() {
            self.sample_unit(unit, as_of, &mut samples);
        }
        for reading in readings {
            self.sample_reading(reading, &mut samples);
        }
        if let Some(projection) = self.projection(Unit::Pool, as_of) {
            sample_projection(&projection, &mut samples);
        }
        samples.0
    }

    fn sample_unit(&self, unit: Unit, as_of: BusinessDate, samples: &mut Samples) {
        let label = self.label(unit);
        let year = Days::year_to(last_complete_month(as_of));
        let sums = self.flow_sums(unit, year);
        for column in Column::ALL {
            let is_reported = column.topics().iter().all(|topic| {
                let mut regions = self.regions_of(unit).into_iter();
                regions.any(|region| self.is_reported(region, *topic, year, as_of))
            });
            if is_reported {
                let labels = [column.as_str(), label.as_str()];
                samples.add(&catalogue::FLOW_YEAR_YUAN, &labels, sums.column(column));
            }
        }
        for transit in self.transit(unit, as_of) {
            let labels = [transit.step.as_str(), label.as_str()];
            samples.add(&catalogue::IN_TRANSIT_YUAN, &labels, transit.amount);
            if let Some(oldest) = transit.oldest {
                let days = as_of.days_since(oldest);
                samples.add(&catalogue::IN_TRANSIT_DAYS, &labels, days);
            }
        }
        for balance in self.balances(unit, as_of) {
            let labels = [balance.identity.as_str(), label.as_str()];
            samples.add(&catalogue::DIFFERENCE_YUAN, &labels, balance.difference);
        }
    }

    fn sample_reading(&self, reading: &Reading, samples: &mut Samples) {
        let label = self.label(reading.unit);
        let labels = [reading.indicator.as_str(), label.as_str()];
        let metric = match reading.indicator.measure() {
            Measure::Months => &catalogue::INDICATOR_MONTHS,
            Measure::Ratio => &catalogue::INDICATOR_RATIO,
            Measure::Days | Measure::BusinessDays => &catalogue::INDICATOR_DAYS,
        };
        if let Some(value) = reading.shown() {
            samples.add(metric, &labels, value);
        }
        let grade = match reading.grade {
            Grade::Ungraded | Grade::NotApplicable => None,
            Grade::Unknown => Some(-1),
            Grade::Green => Some(0),
            Grade::Beyond(severity) => Some(severity as i8),
        };
        if let Some(grade) = grade {
            samples.add(&catalogue::INDICATOR_GRADE, &labels, grade);
        }
        let completeness = &reading.completeness;
        let complete = Quotient::new(completeness.complete as i128, completeness.of as i128);
        if let Some(ratio) = complete {
            let metric = &catalogue::INDICATOR_COMPLETE_RATIO;
            samples.add(metric, &labels, ratio.shown(4));
        }
    }

    /// A unit as a label: a region's code, or `pool`, whose code may be that of a region.
    fn label(&self, unit: Unit) -> String {
        match unit {
            Unit::Region(_) => self.code(unit).to_string(),
            Unit::Pool => "pool".to_owned(),
        }
    }
}

fn sample_projection(projection: &Projection, samples: &mut Samples) {
    for (ahead, month) in (1..).zip(&projection.months) {
        let ahead: i32 = ahead;
        // Labels are sorted as text, and 10 is not to come before 2.
        let ahead = format!("{ahead:02}");
        for (series, band) in [
            ("collected", month.collected),
            ("paid_out", month.paid_out),
            ("balance", month.balance),
        ] {
            for (bound, amount) in [
                ("low", band.low),
                ("median", band.median),
                ("high", band.high),
            ] {
                let labels = [series, ahead.as_str(), bound];
                samples.add(&catalogue::PROJECTION_YUAN, &labels, amount);
            }
        }
        if let Some(band) = month.reserve_months {
            for (bound, months) in [
                ("low", band.low),
                ("median", band.median),
                ("high", band.high),
            ] {
                let labels = [ahead.as_str(), bound];
                let metric = &catalogue::PROJECTION_RESERVE_MONTHS;
                samples.add(metric, &labels, months.shown(2));
            }
        }
    }
}

/// How many series there are at most, of a pool of so many regions.
pub const fn series_max(regions: usize) -> usize {
    let identities = 10;
    let of_unit = Column::ALL.len() + 2 * Step::ALL.len() + identities + 3 * Indicator::COUNT;
    2 + (regions + 1) * of_unit + MONTHS_AHEAD * (3 * 3 + 3)
}
