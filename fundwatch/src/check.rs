//! `fundwatch check`: what is wrong with a policy, a configuration or feed files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use alerting::hook::WebhookConfig;
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
                let loaded = Arc::new(loaded);
                let checked = business_clock(&loaded)
                    .map(drop)
                    .and_then(|()| config.connection())
                    .and_then(|connection| options(&connection))
                    .and_then(|()| config.identity());
                let told = [
                    match &config.cluster {
                        Some(cluster) => cluster
                            .credentials(Vec::new())
                            .map(drop)
                            .map_err(|errors| errors.0),
                        None => Ok(()),
                    },
                    WebhookConfig::read_secrets(&config.webhooks),
                    match config
                        .console
                        .as_ref()
                        .and_then(|console| console.oidc.as_ref())
                    {
                        Some(oidc) => oidc.provider().map(drop).map_err(|fault| vec![fault]),
                        None => Ok(()),
                    },
                    config
                        .mail
                        .try_mails(&loaded)
                        .map(drop)
                        .map_err(|errors| errors.0),
                ];
                let said = faults.len();
                faults.extend(told.into_iter().filter_map(Result::err).flatten());
                match checked {
                    Ok(identity) if faults.len() == said => say_config(path, &identity)?,
                    Ok(_) => {}
                    Err(errors) => faults.push(errors.to_string()),
                }
                policy = policy.or_else(|| Arc::into_inner(loaded));
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What `check` says of a configuration with this at its end.
    fn check(more: &str) -> Result<(), Failure> {
        let folder = tempfile::tempdir().unwrap();
        let policy = include_str!("../../tests/cases/01-under-declared/policy.toml");
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        fs::write(folder.path().join("short"), "too short\n").unwrap();
        fs::write(folder.path().join("long"), "f".repeat(64)).unwrap();
        let least = "policy = \"policy.toml\"\nstore = \"fundwatch.sqlite\"\n\
                     [kafka]\nbootstrap = \"localhost:9092\"\n";
        let path = folder.path().join("fundwatch.toml");
        fs::write(&path, format!("{least}{more}")).unwrap();
        run(&cli::Check {
            policy: None,
            config: Some(path),
            feeds: None,
        })
    }

    fn hook(name: &str, secret: &str) -> String {
        format!("[[webhooks]]\nname = \"{name}\"\nurl = \"https://example.org/\"\n{secret}\n")
    }

    const MAIL: &str = "[mail]\ntransport = \"smtp\"\nhost = \"127.0.0.1\"\ntls = \"none\"\n\
                        from = \"fund@example.org\"\n";

    #[test]
    fn secrets_are_read_and_what_is_not_there_is_named() {
        assert!(check(&hook("a", "secret_file = \"long\"")).is_ok());
        let hooks = [
            hook("a", "secret_file = \"nowhere\""),
            hook("b", "secret_env = \"FUNDWATCH_NO_SUCH_VARIABLE\""),
            hook("c", "secret_file = \"short\""),
        ];
        let password = format!("{MAIL}username = \"u\"\npassword_file = \"nowhere\"\n");
        let Err(Failure::Usage(words)) = check(&format!("{}{password}", hooks.concat())) else {
            panic!("nothing is said");
        };
        for (key, what) in [
            ("webhooks[0].secret_file: `", "nowhere`: No such file"),
            (
                "webhooks[1].secret_env: `FUNDWATCH_NO_SUCH_VARIABLE`: ",
                "not found",
            ),
            ("webhooks[2].secret_file: ", "fewer than"),
            ("mail.password_file: `", "nowhere`: No such file"),
        ] {
            let line = words.lines().find(|line| line.starts_with(key));
            assert!(
                line.is_some_and(|line| line.contains(what)),
                "{key} in\n{words}"
            );
        }
        assert_eq!(words.lines().count(), 4, "{words}");
    }

    #[test]
    fn what_a_start_would_refuse_is_refused() {
        let cluster = |addresses: &str, secret: &str| {
            check(&format!("[cluster]\naddresses = [{addresses}]\n{secret}"))
        };
        let (here, private) = (
            "\"127.0.0.1:7460\", \"127.0.0.1:7461\"",
            "\"10.0.0.1:7460\", \"10.0.0.2:7460\"",
        );
        assert!(cluster(here, "").is_ok());
        assert!(cluster(private, "secret_file = \"long\"").is_ok());
        let console = |more: &str| check(&format!("[console]\n{more}"));
        assert!(console("").is_ok());
        let provider =
            "[console.oidc]\nissuer = \"https://login.example.org\"\nclient_id = \"fundwatch\"\n";
        let oidc = |more: &str| console(&format!("{provider}{more}"));
        // Nobody is asked: there is no such provider.
        assert!(oidc("client_secret_file = \"long\"").is_ok());
        for (said, key) in [
            (cluster(private, ""), "cluster.secret_file: "),
            (
                cluster(private, "secret_file = \"nowhere\""),
                "cluster.secret_file: ",
            ),
            (
                cluster(private, "secret_file = \".\""),
                "cluster.secret_file: ",
            ),
            (
                console("listen = \"127.0.0.1:9464\"\n[http]\nlisten = \"127.0.0.1:9464\""),
                "console.listen: 127.0.0.1:9464 is the address of http.listen, too",
            ),
            (
                console("casebook = \"fundwatch.sqlite\""),
                "console.casebook: ",
            ),
            (
                oidc("client_secret_file = \"nowhere\""),
                "nowhere`: No such file",
            ),
            (oidc("ca_file = \"nowhere\""), "console.oidc.ca_file: `"),
            (oidc("scope = \"\""), "console.oidc.scope: "),
        ] {
            let Err(Failure::Usage(words)) = said else {
                panic!("nothing is said of {key}");
            };
            assert!(words.contains(key), "{key} in\n{words}");
            assert_eq!(words.lines().count(), 1, "{words}");
        }
    }

    /// A recipient without a language is written to in Chinese; one whose address holds a line end is none.
    #[test]
    fn mails_are_tried_on_every_recipient() {
        let recipient =
            |address: &str| format!("{MAIL}[[mail.recipients]]\naddress = \"{address}\"\n");
        assert!(check(&recipient("li@example.org")).is_ok());
        let forged = recipient("li@example.org\\r\\nBcc: thief@example.net");
        let Err(Failure::Usage(words)) = check(&forged) else {
            panic!("nothing is said");
        };
        assert!(
            words.contains("mail.recipients[0].address: is no mail address"),
            "{words}"
        );
    }
}
