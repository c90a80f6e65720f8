//! Grafana's boards, written from here so that no name of a metric can drift.
//!
//! `cargo xtask boards` writes them below `ops/grafana/dashboards`; a test says when they are stale. Names come from the
//! catalogue that the program registers its metrics from.

mod alerts;
mod fund;
mod fund_health;
mod grafana;
#[cfg(test)]
mod lint;
mod names;
mod pipeline;
mod region;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use grafana::{Board, Panel};

/// Where the boards of the repository lead to: what `fundwatch run` of the compose file serves.
const CONSOLE: &str = "http://127.0.0.1:9464";

/// `cargo xtask boards`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write nothing; fail if a board is not as it would be written.
    #[arg(long)]
    check: bool,
    /// The address that links to the console begin with.
    #[arg(long, value_name = "URL", default_value = CONSOLE)]
    console: String,
    /// Where the boards are written; default: the repository's own.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = arguments.out.clone().unwrap_or_else(committed);
    if arguments.check {
        return check(&folder, &arguments.console);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for (file, text) in files(&arguments.console)? {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

fn check(folder: &Path, console: &str) -> Result<()> {
    let mut stale = Vec::new();
    for (file, text) in files(console)? {
        if fs::read_to_string(folder.join(&file)).ok() != Some(text) {
            stale.push(file);
        }
    }
    if !stale.is_empty() {
        bail!(
            "stale in `{}`: {}; run `cargo xtask boards`",
            folder.display(),
            stale.join(", ")
        );
    }
    Ok(())
}

/// The repository's boards; the folder's name is that of Grafana's folder.
fn committed() -> PathBuf {
    repository().join("ops/grafana/dashboards/fundwatch")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Name and content of each board's file.
fn files(console: &str) -> Result<Vec<(String, String)>> {
    boards()
        .iter()
        .map(|board| {
            let name = board.uid.trim_start_matches("fundwatch-");
            let mut text = serde_json::to_string_pretty(&sorted(board.json(console)))?;
            text.push('\n');
            Ok((format!("{name}.json"), text))
        })
        .collect()
}

/// All boards, without what asks for metrics that are not exported yet.
fn boards() -> Vec<Board> {
    let mut boards = designed();
    for board in &mut boards {
        for row in &mut board.rows {
            row.panels.retain(is_answered);
        }
        board.rows.retain(|row| !row.panels.is_empty());
    }
    boards
}

fn designed() -> Vec<Board> {
    vec![
        fund_health::board(),
        region::board(),
        alerts::board(),
        pipeline::board(),
    ]
}

/// Whether every metric that it asks for is exported.
fn is_answered(panel: &Panel) -> bool {
    let awaited = |name: &str| catalogue::AWAITED.iter().any(|metric| metric.name == name);
    !panel
        .exprs()
        .flat_map(names::metrics)
        .any(|name| awaited(&name))
}

/// With keys in order, whatever features of the JSON library other crates have switched on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(
                members
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boards_of_the_repository_are_those_of_this_code() {
        check(&committed(), CONSOLE).unwrap();
        let files: Vec<_> = fs::read_dir(committed()).unwrap().collect();
        assert_eq!(files.len(), designed().len(), "a board that nobody writes");
    }

    #[test]
    fn a_panel_without_its_metric_is_left_out() {
        let stat = |metric: &catalogue::Metric| {
            Panel::stat("", "", (1, 1)).now(format!("sum({metric}) / 1e4"), "")
        };
        assert!(is_answered(&stat(&catalogue::ALERTS_OPEN_YUAN)));
        assert!(
            !catalogue::AWAITED
                .iter()
                .any(|metric| is_answered(&stat(metric)))
        );
    }
}
