//! Pictures of the boards, drawn by a headless browser from the answers that the test has judged. They show what is asked and
//! where it stands; Grafana's own drawing differs in detail.
//!
//! A developer's tool: needs Debian's `chromium` and `fonts-wqy-microhei`, and uPlot from npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use acceptance::peer::{self, StartError, cache_folder, fill_once};
use acceptance::prometheus::Series;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::stage::{Answered, list};

const UPLOT: &str = "uplot@1.6.32";
/// A board is as wide as a page of the README, twice as sharp.
const WIDTH: u64 = 1280;
/// A unit of height of Grafana's grid with its gap.
const UNIT: u64 = 38;
/// Title and choices above the grid.
const HEAD: u64 = 76;

/// Writes a picture of each board into `folder`.
pub fn draw(boards: &[Answered], folder: &Path) -> Result<(), StartError> {
    fs::create_dir_all(folder)?;
    let uplot = uplot()?;
    let page = include_str!("../../harness/board.html");
    for board in boards {
        let scratch = TempDir::new()?;
        let html = scratch.path().join("board.html");
        let data = data(board).to_string().replace("</", "<\\/");
        let text = page
            .replace(
                "/*uplot.css*/",
                &fs::read_to_string(uplot.join("uPlot.min.css"))?,
            )
            .replace(
                "/*uplot.js*/",
                &fs::read_to_string(uplot.join("uPlot.iife.min.js"))?,
            )
            .replace("/*data*/null", &data);
        fs::write(&html, text)?;
        let picture = folder.join(format!("{}.png", board.name));
        let mut chromium = Command::new("chromium");
        chromium
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--virtual-time-budget=5000",
            ])
            .arg(format!(
                "--user-data-dir={}",
                scratch.path().join("browser").display()
            ))
            .arg(format!("--window-size={WIDTH},{}", height(&board.board)))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", html.display()));
        peer::run(&mut chromium)?;
    }
    Ok(())
}

fn height(board: &Value) -> u64 {
    let number = |panel: &Value, key: &str| panel["gridPos"][key].as_u64().unwrap_or(0);
    let ends = list(&board["panels"])
        .iter()
        .map(|panel| number(panel, "y") + number(panel, "h"));
    HEAD + UNIT * ends.max().unwrap_or(0)
}

fn data(board: &Answered) -> Value {
    let mut answers = serde_json::Map::new();
    for panel in list(&board.board["panels"]) {
        let of_panel: Vec<Value> = board
            .answers(panel)
            .map(|(target, series)| {
                let series: Vec<Value> = series.iter().flatten().map(written).collect();
                json!({ "refId": target["refId"], "legend": target["legendFormat"], "series": series })
            })
            .collect();
        answers.insert(panel["id"].to_string(), Value::Array(of_panel));
    }
    json!({ "board": board.board, "answers": answers, "from": board.from, "to": board.to })
}

fn written(series: &Series) -> Value {
    // A number that is none has no place in JSON.
    let points: Vec<Value> = series
        .points
        .iter()
        .map(|(time, value)| json!([time, value.is_finite().then_some(value)]))
        .collect();
    json!({ "labels": series.labels, "points": points })
}

/// The folder of uPlot's files.
fn uplot() -> Result<std::path::PathBuf, StartError> {
    let folder = cache_folder("pictures", "FUNDWATCH_PICTURES_CACHE")?.join(UPLOT);
    fill_once(&folder, |half| {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(half)
        .arg(UPLOT);
        peer::fetch(&mut npm)
    })?;
    Ok(folder.join("node_modules/uplot/dist"))
}
