//! How often it was right to ask, by detector.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::Detector;
use serde::Serialize;
use utoipa::ToSchema;

use super::gate::Call;
use super::problem::Problems;
use super::query::check;
use super::scalars::DetectorWord;
use super::{Answer, json};
use crate::casebook::decisions;
use crate::web::App;

/// What the decisions in force say of the detectors.
#[derive(Serialize, ToSchema)]
pub struct PrecisionView {
    detectors: Vec<DetectorPrecision>,
}

/// What they say of one.
#[derive(Serialize, ToSchema)]
pub struct DetectorPrecision {
    detector: DetectorWord,
    /// It was right to ask.
    hits: u64,
    /// It was not.
    misses: u64,
    /// The question stays open, or is somebody else's.
    neither: u64,
    /// Hits of hits and misses, in hundredths of a percent; none before the first.
    rate_hundredths_percent: Option<u64>,
}

/// Precision by detector, of the cases of the owner's regions.
#[utoipa::path(get, path = "/api/v1/precision", tag = "cases",
    responses((status = 200, description = "Every detector", body = PrecisionView), Problems))]
pub async fn precision(
    State(app): State<Arc<App>>,
    Extension(call): Extension<Arc<Call>>,
) -> Answer {
    check(&call.query, &[])?;
    let regions = call.person()?.regions.clone();
    let all = app
        .casebook
        .read(move |connection| decisions::precision(connection, &regions))
        .await?;
    let detectors = Detector::ALL.into_iter().map(|detector| {
        let of = all.get(detector.as_str()).copied().unwrap_or_default();
        DetectorPrecision {
            detector: DetectorWord(detector),
            hits: of.hits,
            misses: of.misses,
            neither: of.neither,
            rate_hundredths_percent: of.hundredths(),
        }
    });
    Ok(json(&PrecisionView {
        detectors: detectors.collect(),
    }))
}
