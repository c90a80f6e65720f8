//! Lets `augurs`' models and the ledger's base lines project the past of a pool, and prints by how much each was off.
//!
//! Reads `fundwatch report ledger --by month --format csv --lang en` on standard input. From each month with at least three
//! years before it every method projects twelve; the same months for all of them, so that none wins by easy ones.
//! The mean absolute error over all months projected, in yuan, as the ledger's own back-test has it.

use std::error::Error;
use std::io;

use augurs::ets::AutoETS;
use augurs::mstl::MSTLModel;
use augurs::{Fit, Predict};
use ledger::{MONTHS_AHEAD, Method};

/// Months that are known before the first projection: MSTL wants two whole years, and some of a third.
const KNOWN_MIN: usize = 36;
/// Months in a year, which is the season.
const SEASON: usize = 12;

/// A way to project; `None` where it fails.
type Project = fn(&[f64]) -> Option<Vec<f64>>;

fn main() -> Result<(), Box<dyn Error>> {
    let (collected, paid_out) = series()?;
    println!("| series | method | mean absolute error (yuan) | failed |");
    println!("|---|---|---:|---:|");
    for (name, series) in [("collected", &collected), ("paid out", &paid_out)] {
        let lines = Method::ALL.map(|method| {
            let project = |past: &[f64]| {
                let fen: Vec<i128> = past.iter().map(|fen| *fen as i128).collect();
                Some(method.project(&fen)?.map(|fen| fen as f64).to_vec())
            };
            (method.as_str(), trial(series, project))
        });
        let models: [(&str, Project); 3] = [
            ("augurs AutoETS", ets),
            ("augurs MSTL, naive trend", mstl),
            ("augurs MSTL, ETS trend", mstl_ets),
        ];
        let models = models.map(|(name, project)| (name, trial(series, project)));
        let mut all: Vec<_> = lines.into_iter().chain(models).collect();
        all.sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
        for (method, (error, failed)) in all {
            println!("| {name} | {method} | {:.0} | {failed} |", error / 100.0);
        }
    }
    Ok(())
}

/// What a method is off by in the mean, and how often it did not project at all.
fn trial(series: &[f64], project: impl Fn(&[f64]) -> Option<Vec<f64>>) -> (f64, usize) {
    let (mut sum, mut count, mut failed) = (0.0, 0, 0);
    for end in KNOWN_MIN..series.len() {
        let Some(projected) = project(&series[..end]) else {
            failed += 1;
            continue;
        };
        for (real, projected) in series[end..].iter().zip(projected) {
            sum += (real - projected).abs();
            count += 1;
        }
    }
    (sum / f64::from(count.max(1)), failed)
}

fn ets(past: &[f64]) -> Option<Vec<f64>> {
    let fitted = AutoETS::non_seasonal().fit(past).ok()?;
    Some(fitted.predict(MONTHS_AHEAD, None).ok()?.point)
}

fn mstl(past: &[f64]) -> Option<Vec<f64>> {
    let fitted = MSTLModel::naive(vec![SEASON]).fit(past).ok()?;
    Some(fitted.predict(MONTHS_AHEAD, None).ok()?.point)
}

fn mstl_ets(past: &[f64]) -> Option<Vec<f64>> {
    let trend = AutoETS::non_seasonal().into_trend_model();
    let fitted = MSTLModel::new(vec![SEASON], trend).fit(past).ok()?;
    Some(fitted.predict(MONTHS_AHEAD, None).ok()?.point)
}

/// The pool's collections and payouts by month, in fen.
fn series() -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    let mut reader = csv::Reader::from_reader(io::stdin());
    let headers = reader.headers()?.clone();
    let place = |name: &str| {
        let found = headers
            .iter()
            .position(|header| header.trim_start_matches('\u{feff}') == name);
        found.ok_or_else(|| format!("no column `{name}` among {headers:?}"))
    };
    let (span, unit, collected, paid) = (
        place("span")?,
        place("unit")?,
        place("collected, net")?,
        place("paid out, net")?,
    );
    let fen = |text: &str| text.replace([',', '.'], "").parse::<f64>();
    let mut both = (Vec::new(), Vec::new());
    for row in reader.records() {
        let row = row?;
        // Not the sum of all months, which is the last row.
        if row[unit] == *"pool" && row[span].starts_with(|c: char| c.is_ascii_digit()) {
            both.0.push(fen(&row[collected])?);
            both.1.push(fen(&row[paid])?);
        }
    }
    Ok(both)
}
