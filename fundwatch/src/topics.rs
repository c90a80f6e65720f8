//! `fundwatch topics create`: the topics of the feeds, of alerts and of dead letters.

use std::time::Duration;

use alerting::publish::TopicNames;
use anyhow::{Context, anyhow};
use domain::Topic;
use ingest::kafka::Connection;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, say};

/// A record may have 1 MiB; a larger one must still arrive, so that it is counted and shown.
pub const MESSAGE_BYTES_MAX: &str = "4194304";

/// Runs the command.
pub fn create(arguments: &cli::TopicsCreate) -> Result<(), Failure> {
    let connection = match (&arguments.config, &arguments.bootstrap) {
        (Some(path), _) => Config::load(path)
            .and_then(|(config, _)| config.connection())
            .map_err(Failure::usage)?,
        (None, bootstrap) => Connection {
            bootstrap: bootstrap.clone().unwrap_or_default(),
            options: Vec::new(),
            prefix: arguments.topic_prefix.clone(),
        },
    };
    let client: AdminClient<DefaultClientContext> = connection
        .client()
        .create()
        .context("cannot make a client")?;
    let names = topic_names(&connection);
    let feeds: Vec<String> = Topic::ALL
        .iter()
        .map(|topic| connection.topic_name(*topic))
        .collect();
    // History is what an auditor replays: nothing is deleted by age.
    let topic = |name, partitions| {
        NewTopic::new(
            name,
            partitions,
            TopicReplication::Fixed(arguments.replication),
        )
        .set("cleanup.policy", "delete")
        .set("retention.ms", "-1")
        .set("max.message.bytes", MESSAGE_BYTES_MAX)
    };
    let mut topics: Vec<NewTopic<'_>> = feeds
        .iter()
        .map(|name| topic(name, arguments.partitions))
        .collect();
    topics.push(topic(&names.alerts, arguments.partitions));
    topics.push(topic(&names.dead_letter, 1));
    let options = AdminOptions::new()
        .request_timeout(Some(Duration::from_secs(30)))
        .operation_timeout(Some(Duration::from_secs(30)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let created = runtime
        .block_on(client.create_topics(&topics, &options))
        .with_context(|| format!("the broker at `{}` does not answer", connection.bootstrap))?;
    for result in created {
        match result {
            Ok(name) => say(format_args!("{name}: made"))?,
            Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => {
                say(format_args!("{name}: is there already"))?
            }
            Err((name, code)) => {
                return Err(anyhow!("topic `{name}` cannot be made: {code}").into());
            }
        }
    }
    Ok(())
}

/// The names of the topics that the daemon writes.
pub fn topic_names(connection: &Connection) -> TopicNames {
    let default = TopicNames::default();
    TopicNames {
        alerts: format!("{}{}", connection.prefix, default.alerts),
        dead_letter: format!("{}{}", connection.prefix, default.dead_letter),
    }
}
