//! The configuration of the daemon: one TOML file; unknown keys are refused.
//!
//! It says where things are. What is due, and from when on, says the policy. Secrets are in files
//! or in the environment, never here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use alerting::hook::{AlertmanagerConfig, WebhookConfig};
use alerting::mail::MailConfig;
use alerting::mail::text::clean;
use alerting::{AlertIdentity, Routing};
use console::ConsoleConfig;
use domain::{BusinessDate, Topic};
use ingest::kafka::Connection;
use rules::Policy;
use serde::Deserialize;

use crate::cluster::ClusterConfig;

/// The environment variable with the secret that alert ids are made with.
pub const ID_KEY_VARIABLE: &str = "FUNDWATCH_ID_KEY";

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The pool's policy; relative to the configuration file.
    pub policy: PathBuf,
    /// The SQLite database; relative to the configuration file.
    pub store: PathBuf,
    /// The folder of the state on disk; relative to the configuration file. Default: beside the
    /// store, under its name with the ending `.state`.
    pub state: Option<PathBuf>,
    /// Whether facts are kept on disk. If not, each start reads the topics from their beginning.
    #[serde(default = "default_keep_state")]
    pub keep_state: bool,
    /// The file with the secret that alert ids are made with; else the environment variable
    /// `FUNDWATCH_ID_KEY`, else a published default.
    pub id_key_file: Option<PathBuf>,
    /// Where the present comes from.
    #[serde(default)]
    pub clock: ClockSource,
    /// Worker threads; default: one for each processor.
    pub workers: Option<u16>,
    /// How long facts are gathered before they are judged, in milliseconds.
    #[serde(default = "default_epoch")]
    pub epoch_ms: u64,
    /// The broker.
    pub kafka: KafkaConfig,
    /// Several processes that share the partitions.
    pub cluster: Option<ClusterConfig>,
    /// The pages.
    #[serde(default)]
    pub http: HttpConfig,
    /// The feeds themselves.
    #[serde(default)]
    pub feeds: FeedsConfig,
    /// Mail.
    #[serde(default)]
    pub mail: MailConfig,
    /// Programs that are told of alerts.
    #[serde(default)]
    pub webhooks: Vec<WebhookConfig>,
    /// Prometheus' Alertmanager.
    #[serde(default)]
    pub alertmanager: AlertmanagerConfig,
    /// The review console; none: it is not served.
    pub console: Option<ConsoleConfig>,
}

fn default_keep_state() -> bool {
    true
}

fn default_epoch() -> u64 {
    50
}

/// Where the present business date comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSource {
    /// The clock, in the pool's time zone.
    #[default]
    System,
    /// The greatest date closed so far: history run as if live.
    Feeds,
}

/// `[kafka]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`, separated by commas.
    pub bootstrap: String,
    /// Put before the name of each topic.
    #[serde(default)]
    pub topic_prefix: String,
    /// Go on although the broker no longer has the beginning of a feed.
    #[serde(default)]
    pub accept_gap: bool,
    /// Options of librdkafka for the connection, e.g. `"security.protocol" = "SASL_SSL"`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Options whose values are secrets, by name, each with the file that holds it.
    #[serde(default)]
    pub secret_files: BTreeMap<String, PathBuf>,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port of `/metrics`, `/healthz` and `/readyz`.
    pub listen: SocketAddr,
}

impl Default for HttpConfig {
    fn default() -> HttpConfig {
        HttpConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
        }
    }
}

/// `[feeds]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeedsConfig {
    /// Business days within which a topic must close again, by topic; default 1.
    pub close_within_business_days: BTreeMap<String, u32>,
}

/// Options of librdkafka on which nothing lost and nothing twice rests.
const OURS: [&str; 9] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "check.crcs",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "isolation.level",
];

/// What is wrong with a configuration, a line for each fault.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigErrors(pub Vec<String>);

impl Config {
    /// Reads a file and looks through it, the policy and the files that it names included.
    ///
    /// # Errors
    /// All faults that were found.
    pub fn load(path: &Path) -> Result<(Config, Policy), ConfigErrors> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigErrors(vec![format!("{name}: cannot read the file: {error}")])
        })?;
        let mut config = read(&text)
            .map_err(|(line, fault)| ConfigErrors(vec![format!("{name}:{line}: {fault}")]))?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        let mut faults = config.faults();
        config.link_to_console();
        let policy = Policy::load(&config.policy).map_err(|errors| faults.push(errors.to_string()));
        if let Ok(policy) = &policy {
            faults.extend(config.unknown_regions(policy));
        }
        match policy {
            Ok(policy) if faults.is_empty() => Ok((config, policy)),
            _ => Err(ConfigErrors(
                faults
                    .into_iter()
                    .map(|fault| prefixed(&fault, path))
                    .collect(),
            )),
        }
    }

    /// Reads the text of a file, and looks through it without the files that it names.
    ///
    /// # Errors
    /// All faults that were found, each with the file's name.
    pub fn parse(name: &str, text: &str) -> Result<Config, ConfigErrors> {
        let config = read(text)
            .map_err(|(line, fault)| ConfigErrors(vec![format!("{name}:{line}: {fault}")]))?;
        let faults = config.faults();
        if faults.is_empty() {
            return Ok(config);
        }
        let path = Path::new(name);
        Err(ConfigErrors(
            faults.iter().map(|fault| prefixed(fault, path)).collect(),
        ))
    }

    /// Paths in the file are relative to it.
    fn resolve(&mut self, folder: &Path) {
        let paths = [
            Some(&mut self.policy),
            Some(&mut self.store),
            self.state.as_mut(),
            self.id_key_file.as_mut(),
            self.cluster
                .as_mut()
                .and_then(|cluster| cluster.secret_file.as_mut()),
        ];
        let mail = [
            &mut self.mail.ca_file,
            &mut self.mail.password_file,
            &mut self.mail.folder,
        ];
        let hooks = self.webhooks.iter_mut();
        let hooks = hooks.flat_map(|hook| [&mut hook.secret_file, &mut hook.ca_file]);
        let hooks = hooks.flat_map(Option::as_mut);
        let console = self.console.iter_mut().flat_map(|console| {
            let oidc = console.oidc.iter_mut();
            let oidc = oidc.flat_map(|oidc| [&mut oidc.client_secret_file, &mut oidc.ca_file]);
            oidc.chain([&mut console.casebook])
        });
        let paths = paths
            .into_iter()
            .flatten()
            .chain(mail.into_iter().flat_map(Option::as_mut))
            .chain(hooks)
            .chain(self.alertmanager.ca_file.as_mut())
            .chain(console.flat_map(Option::as_mut))
            .chain(self.kafka.secret_files.values_mut());
        for path in paths {
            *path = folder.join(&*path);
        }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.kafka.bootstrap.trim().is_empty() {
            faults.push("kafka.bootstrap: at least one `host:port` is needed".to_owned());
        }
        if !(10..=10_000).contains(&self.epoch_ms) {
            faults.push(format!(
                "epoch_ms: {} is not between 10 and 10000",
                self.epoch_ms
            ));
        }
        if self
            .workers
            .is_some_and(|workers| !(1..=256).contains(&workers))
        {
            faults.push("workers: a number from 1 to 256 is needed".to_owned());
        }
        for topic in self.feeds.close_within_business_days.keys() {
            if Topic::parse(topic).is_none() {
                let known = Topic::ALL.map(Topic::as_str).join("`, `");
                faults.push(format!(
                    "feeds.close_within_business_days.{topic}: no such topic; there are `{known}`"
                ));
            }
        }
        let prefix = &self.kafka.topic_prefix;
        if !prefix
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            || prefix.len() > 200
        {
            faults.push(format!(
                "kafka.topic_prefix: `{prefix}` is not of A-Z a-z 0-9 . _ -"
            ));
        }
        for option in self
            .kafka
            .options
            .keys()
            .chain(self.kafka.secret_files.keys())
        {
            if OURS.contains(&option.as_str()) {
                faults.push(format!(
                    "kafka.options.{option}: is set by the program, on purpose"
                ));
            }
        }
        for option in self.kafka.options.keys() {
            if option.contains("password") || option.contains("secret") || option == "ssl.key.pem" {
                faults.push(format!("kafka.options.{option}: a secret belongs into a file named in [kafka.secret_files]"));
            }
        }
        if let Some(cluster) = &self.cluster {
            cluster.check(&mut faults);
        }
        if let Err(errors) = self.mail.check() {
            faults.extend(errors.0);
        }
        WebhookConfig::check_all(&self.webhooks, &mut faults);
        self.alertmanager.check(&mut faults);
        if let Some(console) = &self.console {
            console.check(&mut faults);
        }
        self.check_places(&mut faults);
        // A key in quotes may be anything: none begins a line of its own.
        faults.iter().map(|fault| clean(fault)).collect()
    }

    /// No two parts may listen on one address, or write one file.
    fn check_places(&self, faults: &mut Vec<String>) {
        let console = self.console.as_ref();
        let cluster = self.cluster.as_ref();
        let listening = [
            ("http.listen", Some(self.http.listen)),
            ("console.listen", console.map(|console| console.listen)),
            (
                "cluster.addresses",
                cluster.and_then(|cluster| cluster.addresses.get(cluster.process).copied()),
            ),
        ];
        for (at, (key, address)) in listening.iter().enumerate() {
            let earlier = listening[..at]
                .iter()
                .find(|(_, other)| address.is_some() && other == address);
            if let (Some((other, _)), Some(address)) = (earlier, address) {
                faults.push(format!(
                    "{key}: {address} is the address of {other}, too; each needs a port of its own"
                ));
            }
        }
        if console.is_some() && self.casebook() == self.store {
            faults.push(
                "console.casebook: is the file of the alerts' store, too; name another".to_owned(),
            );
        }
    }

    /// Mails point to the console, unless they are told to point elsewhere.
    fn link_to_console(&mut self) {
        if let (None, Some(console)) = (&self.mail.link, &self.console) {
            self.mail.link = Some(console.public_url());
        }
    }

    /// The file of the console's people, cases and audit trail.
    pub fn casebook(&self) -> PathBuf {
        let named = self
            .console
            .as_ref()
            .and_then(|console| console.casebook.clone());
        named.unwrap_or_else(|| self.store.with_file_name("console.sqlite"))
    }

    /// The folder of the state on disk; of process 1 and those after it with the number at its end, so that one
    /// configuration serves them all.
    pub fn state(&self) -> PathBuf {
        let beside = || self.store.with_extension("state");
        let folder = self.state.clone().unwrap_or_else(beside);
        match self.process() {
            0 => folder,
            process => {
                let mut folder = folder.into_os_string();
                folder.push(format!(".{process}"));
                folder.into()
            }
        }
    }

    /// Which of the processes this is; 0 if it is the only one.
    pub fn process(&self) -> usize {
        self.cluster.as_ref().map_or(0, |cluster| cluster.process)
    }

    /// This is another process than the file says.
    ///
    /// # Errors
    /// There is no such process.
    pub fn be_process(&mut self, process: usize) -> Result<(), ConfigErrors> {
        let Some(cluster) = &mut self.cluster else {
            return Err(ConfigErrors(vec![
                "--process: the configuration has no [cluster]".to_owned(),
            ]));
        };
        cluster.process = process;
        let mut faults = Vec::new();
        cluster.check(&mut faults);
        match faults.is_empty() {
            true => Ok(()),
            false => Err(ConfigErrors(faults)),
        }
    }

    /// Regions that are not the policy's: whoever is to hear of them alone would hear nothing.
    fn unknown_regions(&self, policy: &Policy) -> Vec<String> {
        let hooks = self.webhooks.iter().enumerate().flat_map(|(at, hook)| {
            let key = format!("webhooks[{at}].regions");
            hook.regions
                .iter()
                .map(move |region| (key.clone(), *region))
        });
        let known: Vec<&str> = policy
            .pool
            .regions
            .iter()
            .map(|region| region.code.as_str())
            .collect();
        self.mail
            .regions()
            .chain(hooks)
            .filter(|(_, region)| !known.contains(&region.as_str()))
            .map(|(key, region)| {
                let hint = match rules::nearest(region.as_str(), &known) {
                    Some(meant) => format!(" did you mean `{meant}`?"),
                    None => String::new(),
                };
                format!(
                    "{key}: the policy has no region `{region}`;{hint} it has: {}",
                    known.join(", ")
                )
            })
            .collect()
    }

    /// Who is told what.
    ///
    /// # Errors
    /// What is wrong with the tables, each with its key.
    pub fn routing(&self) -> Result<Routing, ConfigErrors> {
        let routing = self.mail.routing(true);
        let mut routing = routing.map_err(|errors| ConfigErrors(errors.0))?;
        routing.hooks = self.webhooks.iter().map(WebhookConfig::hook).collect();
        Ok(routing)
    }

    /// Business days within which each topic must close again.
    pub fn close_within(&self) -> [u32; Topic::ALL.len()] {
        Topic::ALL.map(|topic| {
            self.feeds
                .close_within_business_days
                .get(topic.as_str())
                .copied()
                .unwrap_or(1)
        })
    }

    /// How to reach the broker.
    ///
    /// # Errors
    /// A secret's file cannot be read.
    pub fn connection(&self) -> Result<Connection, ConfigErrors> {
        let mut options: Vec<(String, String)> = self
            .kafka
            .options
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for (name, path) in &self.kafka.secret_files {
            options.push((
                name.clone(),
                secret(&format!("kafka.secret_files.{name}"), path)?,
            ));
        }
        Ok(Connection {
            bootstrap: self.kafka.bootstrap.clone(),
            options,
            prefix: self.kafka.topic_prefix.clone(),
        })
    }

    /// What alert ids are made with.
    ///
    /// # Errors
    /// The secret's file cannot be read, or is empty.
    pub fn identity(&self) -> Result<AlertIdentity, ConfigErrors> {
        match &self.id_key_file {
            Some(path) => Ok(AlertIdentity::new(secret("id_key_file", path)?.as_bytes())),
            None => Ok(identity_of_environment()),
        }
    }
}

/// Reads the text; what is wrong comes with its line, and with its key where it has one.
fn read(text: &str) -> Result<Config, (usize, String)> {
    let fault = |key: String, error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        let message = with_hint(&error.message().replace('\n', "; "));
        let words = match key.as_str() {
            "" | "." => message,
            key => format!("{key}: {message}"),
        };
        (line, clean(&words))
    };
    let table = toml::Deserializer::parse(text).map_err(|error| fault(String::new(), error))?;
    serde_path_to_error::deserialize(table)
        .map_err(|error| fault(error.path().to_string(), error.into_inner()))
}

/// Says of an unknown key or word which of those that are allowed is probably meant.
fn with_hint(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let is_unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    match names.split_first() {
        Some((name, allowed)) if is_unknown => match rules::nearest(name, allowed) {
            Some(meant) => format!("{message}; did you mean `{meant}`?"),
            None => message.to_owned(),
        },
        _ => message.to_owned(),
    }
}

/// What alert ids are made with where no file says.
pub fn identity_of_environment() -> AlertIdentity {
    match std::env::var(ID_KEY_VARIABLE) {
        Ok(secret) if !secret.is_empty() => AlertIdentity::new(secret.as_bytes()),
        _ => AlertIdentity::new(alerting::identity::DEFAULT_SECRET),
    }
}

/// The date of the clock in the pool's time zone.
///
/// # Errors
/// There is no such time zone.
pub fn business_clock(
    policy: &Policy,
) -> Result<impl Fn() -> BusinessDate + Send + Sync + Clone + 'static, ConfigErrors> {
    let name = &policy.pool.time_zone;
    let zone = jiff::tz::TimeZone::get(name).map_err(|_| {
        ConfigErrors(vec![format!(
            "pool.time_zone: there is no time zone `{name}`"
        )])
    })?;
    Ok(move || {
        let today = jiff::Timestamp::now()
            .to_zoned_datetime(zone.clone())
            .date();
        BusinessDate::parse(today.to_string().as_bytes()).unwrap_or(BusinessDate::FIRST)
    })
}

/// The content of a secret's file, without line end.
pub(crate) fn secret(key: &str, path: &Path) -> Result<String, ConfigErrors> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigErrors(vec![format!(
            "{key}: cannot read `{}`: {error}",
            path.display()
        )])
    })?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(ConfigErrors(vec![format!(
            "{key}: `{}` is empty",
            path.display()
        )]));
    }
    Ok(text.to_owned())
}

/// A fault of the configuration names its file; one of the policy does so already.
fn prefixed(fault: &str, path: &Path) -> String {
    let is_of_policy = fault
        .lines()
        .next()
        .is_some_and(|line| line.contains(".toml:") || line.contains(".toml`"));
    if is_of_policy {
        fault.to_owned()
    } else {
        format!("{}: {fault}", path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(Config, Policy), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fundwatch.toml");
        std::fs::write(
            folder.path().join("policy.toml"),
            include_str!("../../tests/cases/01-under-declared/policy.toml"),
        )
        .unwrap();
        std::fs::write(&path, text).unwrap();
        Config::load(&path).map_err(|errors| errors.to_string())
    }

    const LEAST: &str = "policy = \"policy.toml\"\nstore = \"fundwatch.sqlite\"\n[kafka]\nbootstrap = \"localhost:9092\"\n";

    #[test]
    fn the_least_configuration_has_defaults() {
        let (config, policy) = check(LEAST).unwrap();
        assert_eq!(config.clock, ClockSource::System);
        assert_eq!(config.close_within(), [1; 5]);
        assert_eq!(policy.pool.regions.len(), 4);
        assert!(config.store.is_absolute());
    }

    #[test]
    fn faults_name_file_line_and_key() {
        for (text, words) in [
            (
                LEAST.replace("bootstrap", "bootstap"),
                ["fundwatch.toml:4", "bootstap"],
            ),
            (
                LEAST.replace("store", "clock = \"sun\"\nstore"),
                ["fundwatch.toml:2", "sun"],
            ),
            (
                format!("{LEAST}[feeds.close_within_business_days]\n\"tax\" = 1\n"),
                ["fundwatch.toml", "no such topic"],
            ),
            (
                format!("{LEAST}[kafka.options]\n\"sasl.password\" = \"x\"\n"),
                ["kafka.options.sasl.password", "secret_files"],
            ),
            (
                LEAST.replace("policy.toml", "none.toml"),
                ["none.toml", "cannot"],
            ),
            ("policy = 1".to_owned(), ["fundwatch.toml:1", "policy"]),
            (
                format!("{LEAST}[mail.pace]\ngroup_wait_second = 3\n"),
                ["fundwatch.toml:6", "did you mean `group_wait_seconds`?"],
            ),
            (
                format!("{LEAST}[mail.pace]\nred = \"atonce\"\n"),
                ["mail.pace.red", "did you mean `at-once`?"],
            ),
            (
                format!("{LEAST}[[mail.pace.rules]]\nregions = [\"341004\"]\npace = \"digest\"\n"),
                ["mail.pace.rules[0].regions", "did you mean `34100"],
            ),
            (
                format!(
                    "{LEAST}[[webhooks]]\nname = \"a b\"\nurl = \"http://example.org/\"\nsecret_env = \"X\"\n"
                ),
                [
                    "webhooks[0].name",
                    "webhooks[0].url: `http` sends alerts in clear text",
                ],
            ),
            (
                format!("{LEAST}[alertmanager]\nurls = [\"example.org\"]\n"),
                ["alertmanager.urls[0]", "https://HOST/PATH"],
            ),
        ] {
            let error = check(&text).map(|_| ()).unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }

    #[test]
    fn mails_point_to_the_console() {
        assert_eq!(check(LEAST).unwrap().0.mail.link, None);
        let (config, _) = check(&format!("{LEAST}[console]\n")).unwrap();
        assert_eq!(config.mail.link.as_deref(), Some("http://127.0.0.1:9465"));
        assert!(config.casebook().ends_with("console.sqlite"));
        let link = "[mail]\nlink = \"https://elsewhere.example.org\"\n[console]\n";
        let (config, _) = check(&format!("{LEAST}{link}")).unwrap();
        assert_eq!(
            config.mail.link.as_deref(),
            Some("https://elsewhere.example.org")
        );
        let error = check(&format!("{LEAST}[console]\nlisten = \"0.0.0.0:80\"\n")).unwrap_err();
        assert!(error.contains("console.listen"), "{error}");
    }

    #[test]
    fn no_secret_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "\n").unwrap();
        assert!(
            secret("id_key_file", &path)
                .unwrap_err()
                .to_string()
                .contains("is empty")
        );
    }
}
