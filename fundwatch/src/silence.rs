//! `fundwatch silence`: mails on some alerts are held back for a time, in the store of a daemon that
//! may be running.

use alerting::store::{Matcher, Silence, Silences};
use anyhow::{Context, anyhow};
use comfy_table::{Table, presets};
use jiff::SignedDuration;

use crate::cli;
use crate::clock;
use crate::config::Config;
use crate::failure::{Failure, say};
use crate::stored::existing;

/// Characters of a reason at most.
const REASON_MAX: usize = 200;

/// Runs the command.
pub fn run(command: &cli::Silence) -> Result<(), Failure> {
    match command {
        cli::Silence::Add(arguments) => add(arguments),
        cli::Silence::List(arguments) => list(arguments),
        cli::Silence::End(arguments) => end(arguments),
    }
}

fn add(arguments: &cli::SilenceAdd) -> Result<(), Failure> {
    let (config, policy) = Config::load(&arguments.config).map_err(Failure::usage)?;
    let reason = arguments.reason.trim();
    let is_plain = alerting::mail::text::is_plain(reason);
    if reason.is_empty() || reason.chars().count() > REASON_MAX || !is_plain {
        return Err(Failure::usage(format!(
            "--reason: must be 1 to {REASON_MAX} characters without control or direction characters"
        )));
    }
    let region = match &arguments.region {
        None => None,
        Some(code) => {
            let id = policy.region_id(code.as_bytes()).ok_or_else(|| {
                let known = policy.pool.regions.iter();
                let known: Vec<&str> = known.map(|region| region.code.as_str()).collect();
                Failure::usage(format!(
                    "--region: the policy has no region `{code}`; it has: {}",
                    known.join(", ")
                ))
            })?;
            Some(policy.region(id).code)
        }
    };
    let mut silences = Silences::open(existing(&config)?).context("cannot open the store")?;
    if let Some(id) = &arguments.alert {
        let reader = alerting::Reader::open(&config.store).context("cannot open the store")?;
        let known = reader.alert(id).context("cannot read the store")?;
        if known.is_none() {
            return Err(Failure::usage(format!(
                "--alert: the store has no alert `{id}`"
            )));
        }
    }
    let matcher = Matcher {
        detector: arguments.detector,
        region,
        alert: arguments.alert.clone(),
    };
    let now = clock::now();
    let until = now
        .checked_add(SignedDuration::from_hours(i64::from(arguments.hours)))
        .map_err(|error| anyhow!(error))?;
    let n = silences
        .add(&matcher, reason, now, until)
        .context("cannot write the store")?;
    say(format_args!(
        "silence {n}: mails on {} are held back until {until}, unless it is ended before: fundwatch silence end --config {} {n}",
        matched(&matcher),
        arguments.config.display()
    ))
}

fn list(arguments: &cli::Stored) -> Result<(), Failure> {
    let (config, _) = Config::load(&arguments.config).map_err(Failure::usage)?;
    let silences = Silences::open(existing(&config)?).context("cannot open the store")?;
    let all = silences.list().context("cannot read the store")?;
    if all.is_empty() {
        return say("there are no silences");
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["N", "State", "Alerts", "From", "Until", "Reason"]);
    for silence in &all {
        table.add_row([
            silence.n.to_string(),
            state(silence).to_owned(),
            matched(&silence.matcher),
            silence.since.to_string(),
            silence.ended.unwrap_or(silence.until).to_string(),
            silence.reason.clone(),
        ]);
    }
    say(table)
}

fn end(arguments: &cli::SilenceEnd) -> Result<(), Failure> {
    let (config, _) = Config::load(&arguments.config).map_err(Failure::usage)?;
    let mut silences = Silences::open(existing(&config)?).context("cannot open the store")?;
    let ended = silences
        .end(arguments.n, clock::now())
        .context("cannot write the store")?;
    if ended {
        return say(format_args!(
            "silence {} has ended; what it held back is told now",
            arguments.n
        ));
    }
    Err(Failure::usage(format!(
        "there is no silence {} in force; `fundwatch silence list` shows which there are",
        arguments.n
    )))
}

fn state(silence: &Silence) -> &'static str {
    if silence.is_in_force(clock::now()) {
        "in force"
    } else if silence.ended.is_some() {
        "ended"
    } else {
        "over"
    }
}

fn matched(matcher: &Matcher) -> String {
    let parts = [
        matcher.detector.map(|detector| detector.to_string()),
        matcher.region.map(|region| format!("region {region}")),
        matcher.alert.as_ref().map(|id| format!("alert {id}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}
