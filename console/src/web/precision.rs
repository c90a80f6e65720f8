//! How often it was right to ask, by detector.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use domain::Detector;

use super::App;
use super::answer::{Answer, page as show};
use super::frame::Frame;
use super::gate::Visit;
use super::queue::detector_name;
use crate::casebook::decisions::{self, Precision};

#[derive(Template)]
#[template(path = "precision.html")]
struct PrecisionPage {
    p: Frame,
    rows: Vec<Row>,
    total: Row,
}

struct Row {
    name: String,
    of: Precision,
    rate: String,
}

/// `GET /precision`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let regions = visit.person()?.regions.clone();
    let all = app
        .casebook
        .read(move |connection| decisions::precision(connection, &regions))
        .await?;
    let p = Frame::new(&app, &visit);
    let row = |name: String, of: Precision| Row {
        name,
        of,
        rate: of.hundredths().map_or(p.w.rate_none.to_owned(), |rate| {
            format!("{}.{}%", rate / 100, rate / 10 % 10)
        }),
    };
    let mut total = Precision::default();
    let mut rows = Vec::new();
    for detector in Detector::ALL {
        let of = all.get(detector.as_str()).copied().unwrap_or_default();
        total.hits += of.hits;
        total.misses += of.misses;
        total.neither += of.neither;
        rows.push(row(detector_name(detector, visit.language), of));
    }
    let total = row(p.w.total.to_owned(), total);
    show(&PrecisionPage { rows, total, p })
}
