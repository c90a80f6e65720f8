//! `fundwatch report`: the fund's ledger, its health and what is projected, from feed files or from Kafka.
//!
//! The feeds are read and judged as in a replay, so that exactly what detection accepts is counted.

mod flows;
mod forecast;
mod health;
mod sheet;
mod topics;

use std::sync::Arc;

use detectors::dataflow::{Clockwork, Outcome, Plan};
use ingest::FeedFiles;
use ledger::Ledger;
use rules::Policy;
use serde_json::{Map, Value, json};

use crate::cli;
use crate::failure::Failure;
use crate::replay::{judge, workers};
use sheet::Sheet;

/// Runs the command.
pub fn run(report: &cli::Report) -> Result<(), Failure> {
    match report {
        cli::Report::Ledger(arguments) => {
            let ledger = read(&arguments.common)?;
            let sheets = flows::sheets(&ledger, arguments);
            write("ledger", &ledger, sheets, &arguments.common)
        }
        cli::Report::Health(arguments) => {
            let ledger = read(arguments)?;
            write(
                "health",
                &ledger,
                health::sheets(&ledger, arguments),
                arguments,
            )
        }
        cli::Report::Forecast(arguments) => {
            let ledger = read(arguments)?;
            write(
                "forecast",
                &ledger,
                forecast::sheets(&ledger, arguments),
                arguments,
            )
        }
    }
}

/// The ledger of everything in the feeds that is accepted.
fn read(arguments: &cli::ReportCommon) -> Result<Ledger, Failure> {
    let plan_of = |policy: Policy| Plan {
        policy: Arc::new(policy),
        clockwork: Clockwork::Fixed(arguments.as_of),
        posts: true,
        desk: None,
    };
    let workers = workers(arguments.workers);
    let (policy, outcomes) = match (&arguments.config, &arguments.feeds, &arguments.policy) {
        (Some(config), ..) => {
            let (connection, policy) = topics::sources(config)?;
            let plan = plan_of(policy);
            let outcomes = topics::judge(&connection, &plan, workers)?;
            (plan.policy, outcomes)
        }
        (None, Some(feeds), Some(policy)) => {
            let policy = Policy::load(policy).map_err(Failure::usage)?;
            if !feeds.is_dir() {
                return Err(Failure::usage(format!(
                    "--feeds: `{}` is no folder",
                    feeds.display()
                )));
            }
            let files = Arc::new(FeedFiles::find(feeds)?);
            let plan = plan_of(policy);
            let judged = judge(&files, &plan, workers)?;
            (plan.policy, judged.outcomes)
        }
        // clap has asked for them already.
        _ => {
            return Err(Failure::usage(
                "--config FILE, or --feeds DIR and --policy FILE, are needed",
            ));
        }
    };
    let mut ledger = Ledger::new(policy);
    for outcome in outcomes {
        if let Outcome::Posted(postings) = outcome {
            ledger.post(postings);
        }
    }
    Ok(ledger)
}

/// Writes the parts that are wanted, in the form that is.
fn write(
    name: &str,
    ledger: &Ledger,
    mut sheets: Vec<Sheet>,
    arguments: &cli::ReportCommon,
) -> Result<(), Failure> {
    if let Some(part) = &arguments.part {
        let known: Vec<&str> = sheets.iter().map(|sheet| sheet.key).collect();
        if !known.contains(&part.as_str()) {
            return Err(Failure::usage(format!(
                "--part: there is no `{part}`; there are: {}",
                known.join(", ")
            )));
        }
        sheets.retain(|sheet| sheet.key == part);
    }
    let (pool, lang) = (&ledger.policy().pool, arguments.lang);
    let bytes = match arguments.format {
        cli::Format::Table => {
            let mut text = match lang {
                cli::Lang::Zh => format!(
                    "{} · 截至 {} · 金额单位：元\n\n",
                    pool.name, arguments.as_of
                ),
                cli::Lang::En => format!(
                    "{} · as of {} · amounts in yuan\n\n",
                    pool.name, arguments.as_of
                ),
            };
            for sheet in &sheets {
                text.push_str(&sheet.table(lang));
                text.push('\n');
            }
            text.into_bytes()
        }
        cli::Format::Csv => {
            let mut bytes = Vec::new();
            if let Some(sheet) = sheets.first() {
                sheet.csv(lang, &mut bytes)?;
            }
            bytes
        }
        cli::Format::Xlsx => sheet::workbook(&sheets, lang)?,
        cli::Format::Json => {
            let mut report = Map::new();
            report.insert("report".to_owned(), json!(name));
            report.insert("as_of".to_owned(), json!(arguments.as_of));
            report.insert(
                "pool".to_owned(),
                json!({"code": pool.code, "name": pool.name}),
            );
            for sheet in &sheets {
                report.insert(sheet.key.to_owned(), sheet.json());
            }
            let mut bytes = serde_json::to_vec_pretty(&Value::Object(report))?;
            bytes.push(b'\n');
            bytes
        }
    };
    Ok(sheet::deliver(&bytes, arguments.out.as_deref())?)
}
