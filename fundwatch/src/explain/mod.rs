//! `fundwatch explain`: why an alert is due, from the store and the facts that are there. The daemon may run: nothing is
//! written.

mod text;

use std::path::Path;
use std::sync::Arc;

use alerting::mail::{MailConfig, Office};
use alerting::{Language, Reader};
use anyhow::Context;
use casework::explain::{Case, Explanation, Recheck, explain};
use casework::{FactSource, raw};
use rules::Policy;
use serde::Serialize;

use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, say};
use crate::stored::existing;
use crate::subjects::{InFiles, OnDisk};

/// Records that are read again at most: each is a question to the broker.
const RAW_MAX: usize = 100;

/// What is asked.
struct Sources {
    policy: Arc<Policy>,
    office: Office,
    store: Reader,
    facts: Box<dyn FactSource>,
    /// What is missing of the facts.
    damage: Option<String>,
}

/// What is written as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    /// By the place of the evidence in its list: the record, masked; or why it is not to be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a [Raw]>,
    /// What is missing of the state on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<&'a str>,
}

/// A raw record, with nobody named in it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Raw {
    /// The record.
    Record(String),
    /// Its feed does not have it any more.
    Gone,
    /// It could not be read.
    Unreadable(String),
    /// It is not known where it stands.
    Unknown,
}

/// Runs the command.
pub fn run(arguments: &cli::Explain) -> Result<(), Failure> {
    let sources = match (&arguments.config, &arguments.data) {
        (Some(config), _) => of_daemon(config)?,
        (None, Some(folder)) => of_demo(folder, arguments.policy.as_deref())?,
        (None, None) => return Err(Failure::usage("--config or --data: one of them is needed")),
    };
    let language = match arguments.lang {
        cli::Lang::Zh => Language::Zh,
        cli::Lang::En => Language::En,
    };
    let id = full_id(&sources.store, &arguments.alert)?;
    let case = Case::read(&id, &sources.store, &*sources.facts, &sources.policy)
        .context("cannot read the store")?;
    let Some(case) = case else {
        return Err(no_such_alert(&arguments.alert));
    };
    let mut explanation = explain(&case, &sources.policy, &sources.office, language);
    if sources.damage.is_some() {
        // A verdict on a part of the facts is none.
        explanation.recheck = Recheck::NotDone;
    }
    let raw = arguments
        .raw
        .then(|| raw_records(&explanation, &*sources.facts));
    match arguments.format {
        cli::ExplainFormat::Text => {
            let damage = sources.damage.as_deref();
            text::print(&explanation, raw.as_deref(), damage, language)
        }
        cli::ExplainFormat::Json => {
            let answer = Answer {
                explanation: &explanation,
                raw: raw.as_deref(),
                damage: sources.damage.as_deref(),
            };
            say(serde_json::to_string_pretty(&answer).context("cannot write the answer")?)
        }
    }
}

/// The store and the state of a daemon.
fn of_daemon(path: &Path) -> Result<Sources, Failure> {
    let (config, policy) = Config::load(path).map_err(Failure::usage)?;
    let policy = Arc::new(policy);
    let store = Reader::open(existing(&config)?).context("cannot open the store")?;
    let facts = OnDisk::open(&config, &policy, &store)?;
    let office = config.mail.office(Arc::clone(&policy));
    Ok(Sources {
        office: office.map_err(Failure::usage)?,
        damage: facts.damage(),
        facts: Box::new(facts),
        policy,
        store,
    })
}

/// The store and the feed files that a demo has left.
fn of_demo(folder: &Path, policy: Option<&Path>) -> Result<Sources, Failure> {
    let policy = match policy {
        Some(path) => Policy::load(path).map_err(Failure::usage)?,
        None => Policy::huangshan(),
    };
    let policy = Arc::new(policy);
    let path = folder.join("fundwatch.sqlite");
    if !path.is_file() {
        return Err(Failure::usage(format!(
            "--data: `{}` is not there; a folder that `fundwatch demo --out` has filled is needed",
            path.display()
        )));
    }
    let store = Reader::open(&path).with_context(|| format!("cannot open `{}`", path.display()))?;
    let office = MailConfig::default().office(Arc::clone(&policy));
    Ok(Sources {
        office: office.map_err(Failure::usage)?,
        facts: Box::new(InFiles::new(folder.join("feeds"), Arc::clone(&policy))),
        damage: None,
        policy,
        store,
    })
}

/// An id in full: mails show the beginning of some.
fn full_id(store: &Reader, asked: &str) -> Result<String, Failure> {
    let asked = asked.trim_start_matches('#');
    let mut found = store
        .ids_beginning_with(asked, 2)
        .context("cannot read the store")?;
    match (found.pop(), found.pop()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "ALERT: more than one alert's id begins with `{asked}`; write more of it"
        ))),
        (None, _) => Err(no_such_alert(asked)),
    }
}

fn no_such_alert(asked: &str) -> Failure {
    Failure::usage(format!(
        "ALERT: there is no alert whose id is, or begins with, `{asked}` in this store"
    ))
}

/// The records of the evidence, as they stand in their feeds, with nobody named in them.
fn raw_records(explanation: &Explanation, facts: &dyn FactSource) -> Vec<Raw> {
    let evidence = explanation.evidence.iter().take(RAW_MAX);
    evidence
        .map(|record| match (&record.place, record.topic) {
            (Some(place), Some(topic)) => match facts.raw(place) {
                Ok(Some(bytes)) => Raw::Record(raw::masked(topic, &bytes)),
                Ok(None) => Raw::Gone,
                Err(why) => Raw::Unreadable(why.to_string()),
            },
            _ => Raw::Unknown,
        })
        .collect()
}
