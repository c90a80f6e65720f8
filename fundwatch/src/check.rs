//! `fundwatch check`: what is wrong with a policy, a configuration or feed files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use alerting::identity::AlertIdentity;
use domain::Topic;
use ingest::kafka::Connection;
use ingest::{FeedFiles, FileReader, Reason, Regions};
use rdkafka::consumer::BaseConsumer;
use rules::Policy;

use crate::cli;
use crate::config::{Config, ConfigErrors, business_clock};
use crate::failure::{Failure, say};
use crate::progress;

/// How many rejected records are shown of each topic and reason.
const SHOWN_MAX: usize = 3;

/// Runs the command: exit code 0 if nothing is wrong, 2 if something is; rejected records are told
/// and are no error, as in a replay.
pub fn run(arguments: &cli::Check) -> Result<(), Failure> {
    let mut policy = None;
    let mut faults = Vec::new();
    if let Some(path) = &arguments.policy {
        match Policy::load(path) {
            Ok(loaded) => {
                say_policy(path, &loaded)?;
                policy = Some(loaded);
            }
            Err(errors) => faults.push(errors.to_string()),
        }
    }
    if let Some(path) = &arguments.config {
        match Config::load(path) {
            Ok((config, loaded)) => {
                say_policy(&config.policy, &loaded)?;
                let checked = business_clock(&loaded)
                    .map(drop)
                    .and_then(|()| config.connection())
                    .and_then(|connection| options(&connection))
                    .and_then(|()| config.identity());
                match checked {
                    Ok(identity) => say_config(path, &identity)?,
                    Err(errors) => faults.push(errors.to_string()),
                }
                policy = policy.or(Some(loaded));
            }
            Err(errors) => faults.push(errors.to_string()),
        }
    }
    if !faults.is_empty() {
        return Err(Failure::Usage(faults.join("\n")));
    }
    if let (Some(folder), Some(policy)) = (&arguments.feeds, policy) {
        if !folder.is_dir() {
            return Err(Failure::usage(format!(
                "--feeds: `{}` is no folder",
                folder.display()
            )));
        }
        feeds(folder, &policy)?;
        return say("policy and configuration are right; what is said of the feeds, see above");
    }
    say("nothing wrong with policy or configuration")
}

fn say_policy(path: &Path, policy: &Policy) -> Result<(), Failure> {
    let until = policy.calendar().covered_until();
    say(format_args!(
        "{}: {} ({}), {} regions; holidays known until {}",
        path.display(),
        policy.pool.name,
        policy.pool.code,
        policy.pool.regions.len(),
        until.map_or("never".to_owned(), |date| date.to_string())
    ))
}

fn say_config(path: &Path, identity: &AlertIdentity) -> Result<(), Failure> {
    say(format_args!("{}: can be run", path.display()))?;
    if identity.is_default() {
        say(format_args!(
            "{}: warning: no id_key_file and no FUNDWATCH_ID_KEY: alert ids are made with a published default",
            path.display()
        ))?;
    }
    Ok(())
}

/// Options of the library that it does not know, or whose values it refuses.
fn options(connection: &Connection) -> Result<(), ConfigErrors> {
    let client: Result<BaseConsumer, _> = connection.client().create();
    client
        .map(drop)
        .map_err(|error| ConfigErrors(vec![format!("kafka.options: {error}")]))
}

/// Decodes every record; redeliveries and conflicts are not looked for.
fn feeds(folder: &Path, policy: &Policy) -> Result<(), Failure> {
    let files = Arc::new(FeedFiles::find(folder)?);
    for name in files.ignored() {
        say(format_args!("{name}: ignored, its name is no feed's"))?;
    }
    let regions = Regions::new(policy.pool.regions.iter().map(|region| region.code));
    let mut reader = FileReader::new(Arc::clone(&files), regions);
    let bar = progress::bytes(files.bytes());
    while reader.advance(|_, _| ())? {
        bar.set_position(files.bytes_read());
    }
    bar.finish_and_clear();
    let mut examples: BTreeMap<(Topic, Reason, Option<&str>), Vec<String>> = BTreeMap::new();
    for rejected in &reader.rejected {
        let key = (
            rejected.topic,
            rejected.reject.reason,
            rejected.reject.field,
        );
        examples
            .entry(key)
            .or_default()
            .push(files.locate(rejected.position));
    }
    for topic in Topic::ALL {
        let tally = &reader.tallies[topic.index()];
        assert!(
            tally.is_whole(),
            "every record of {topic} is accounted for: {tally:?}"
        );
        say(format_args!(
            "{topic}: {} records, {} would be rejected",
            tally.read,
            tally.rejected_total()
        ))?;
        for ((_, reason, field), places) in examples.iter().filter(|((of, ..), _)| *of == topic) {
            let field = field.map_or(String::new(), |field| format!(" `{field}`"));
            let shown = places[..places.len().min(SHOWN_MAX)].join(", ");
            let more = if places.len() > SHOWN_MAX {
                ", ..."
            } else {
                ""
            };
            say(format_args!(
                "  {reason}{field}: {} ({shown}{more})",
                places.len()
            ))?;
        }
    }
    Ok(())
}
