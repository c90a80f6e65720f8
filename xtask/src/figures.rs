//! Runs of one variant, and what is made of them.

#![expect(clippy::float_arithmetic, reason = "measurements, not money")]

/// Runs of one variant.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Records a second, in the order of the runs.
    rates: Vec<f64>,
}

impl Runs {
    /// Adds a run.
    pub fn add(&mut self, records: u64, seconds: f64) {
        self.rates.push(ratio(records, 1) / seconds);
    }

    /// Records a second in the middle run; of an even number of runs the slower one.
    pub fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates
            .get(rates.len().saturating_sub(1) / 2)
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// The slowest and the fastest.
    pub fn range(&self) -> (f64, f64) {
        let least = self.rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.rates.iter().copied().fold(0.0, f64::max);
        (least, most)
    }
}

/// A quotient of counts.
pub fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_run_and_the_slower_of_two() {
        let mut runs = Runs::default();
        runs.add(100, 1.0);
        runs.add(100, 4.0);
        assert_eq!(runs.median(), 25.0);
        runs.add(100, 2.0);
        assert_eq!(runs.median(), 50.0);
        assert_eq!(runs.range(), (25.0, 100.0));
    }
}
