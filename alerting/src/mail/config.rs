//! The `[mail]` table of the configuration.
//!
//! ```toml
//! [mail]
//! transport = "smtp"                   # or "eml-folder" (with `folder`), or "none"
//! host = "mail.example.org"
//! port = 587                           # default: 587 with STARTTLS, 465 with implicit TLS, 25 with none
//! tls = "required"                     # STARTTLS or nothing; or "implicit", or "none"
//! username = "fundwatch"
//! password_file = "/etc/fundwatch/smtp-password"   # or password_env = "FUNDWATCH_SMTP_PASSWORD"
//! from = "基金监测 <fundwatch@example.org>"
//! link = "https://fundwatch.example.org"   # where the pages are; default: mails hold no link
//!
//! [[mail.recipients]]
//! address = "li@example.org"
//! name = "李"
//! language = "zh"                      # or "en"
//! regions = ["341002"]                 # default: all
//! detectors = ["arrears"]              # default: all
//! min_severity = "blue"
//!
//! [[mail.operators]]                   # are told of the program itself: what became of a changed configuration
//! address = "ops@example.org"
//! name = "值班"
//! language = "zh"
//! ```
//!
//! How soon each is told stands in `[mail.pace]` (`pace.rs`).
//!
//! A password never stands in the file itself. Clear text is refused unless the server is this very
//! machine or `allow_plaintext` says so.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{RegionCode, Severity};
use lettre::Address;
use lettre::message::Mailbox;
use rules::Policy;
use serde::Deserialize;

use super::office::Office;
use super::pace::{PaceConfig, check_detectors, detectors};
use super::text::is_plain;
use crate::routing::{Interest, Language, Pacing, Recipient, Routing};

/// Where mails go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportKind {
    /// Nowhere.
    #[default]
    None,
    /// To a server.
    Smtp,
    /// Into a folder, a file each.
    EmlFolder,
}

/// How the connection to the server is kept private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// STARTTLS, and nothing is sent if the server has none.
    #[default]
    Required,
    /// TLS from the first byte.
    Implicit,
    /// Clear text.
    None,
}

/// The `[mail]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// Where mails go.
    pub transport: TransportKind,
    /// The server.
    pub host: String,
    /// Its port; by `tls` if not given.
    pub port: Option<u16>,
    /// How the connection is kept private.
    pub tls: Tls,
    /// Clear text to another machine is meant.
    pub allow_plaintext: bool,
    /// A PEM file with the certificate of a private authority, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The name to log in with; none: no login.
    pub username: Option<String>,
    /// The file with the password; a line end at its end is not part of it.
    pub password_file: Option<PathBuf>,
    /// The environment variable with the password.
    pub password_env: Option<String>,
    /// The folder of `eml-folder`.
    pub folder: Option<PathBuf>,
    /// The sender, `Name <address>` or an address alone.
    pub from: String,
    /// The host in Message-IDs; default: that of `from`. Changing it breaks threads.
    pub message_host: Option<String>,
    /// Who gets mails.
    pub recipients: Vec<RecipientConfig>,
    /// Who is told of the program itself.
    pub operators: Vec<OperatorConfig>,
    /// The address of the pages that mails point to; none: mails hold no link.
    pub link: Option<String>,
    /// How soon mails go out, and how many.
    pub pace: PaceConfig,
    /// Connections to the server at most. Default: 4.
    pub max_connections: Option<usize>,
    /// The longest wait for each answer of the server, in seconds. Default: 60.
    pub timeout_seconds: Option<u64>,
}

/// One of `[[mail.recipients]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientConfig {
    /// The mail address.
    pub address: String,
    /// The name shown with it.
    #[serde(default)]
    pub name: String,
    /// The language of the mails.
    #[serde(default)]
    pub language: Language,
    /// Of these regions only; empty: of all.
    #[serde(default)]
    pub regions: Vec<RegionCode>,
    /// Of these detectors only, by name; empty: of all.
    #[serde(default)]
    pub detectors: Vec<String>,
    /// From this severity on.
    #[serde(default = "least")]
    pub min_severity: Severity,
}

/// One of `[[mail.operators]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorConfig {
    /// The mail address.
    pub address: String,
    /// The name shown with it.
    #[serde(default)]
    pub name: String,
    /// The language of the mails.
    #[serde(default)]
    pub language: Language,
}

const fn least() -> Severity {
    Severity::Blue
}

/// Everything that is wrong with the table: key and reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct MailConfigErrors(pub Vec<String>);

/// One a line.
impl fmt::Display for MailConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl MailConfig {
    /// Looks through the whole table, without reading the files that it names.
    pub fn check(&self) -> Result<(), MailConfigErrors> {
        let mut errors = Vec::new();
        if self.transport != TransportKind::None {
            if let Err(error) = mailbox(&self.from) {
                errors.push(format!("mail.from: {error}"));
            }
            self.check_recipients(&mut errors);
        }
        match self.transport {
            TransportKind::Smtp => self.check_smtp(&mut errors),
            TransportKind::EmlFolder if self.folder.is_none() => {
                errors.push("mail.folder: missing; `eml-folder` writes into a folder".to_owned());
            }
            TransportKind::EmlFolder | TransportKind::None => {}
        }
        for (key, is_zero) in [
            ("max_connections", self.max_connections == Some(0)),
            ("timeout_seconds", self.timeout_seconds == Some(0)),
        ] {
            if is_zero {
                errors.push(format!("mail.{key}: must be 1 or more"));
            }
        }
        if self.link.as_deref().is_some_and(|link| !is_link(link)) {
            errors.push(
                "mail.link: must be `https://HOST` or `https://HOST/PATH`, of printing ASCII characters"
                    .to_owned(),
            );
        }
        self.pace.check(&mut errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(MailConfigErrors(errors))
        }
    }

    fn check_smtp(&self, errors: &mut Vec<String>) {
        if self.host.is_empty() || !self.host.chars().all(is_host_char) {
            errors.push("mail.host: must be the name or address of a server".to_owned());
        }
        if self.tls == Tls::None && !self.allow_plaintext && !is_loopback(&self.host) {
            errors.push(
                "mail.tls: `none` sends alerts in clear text over the network; allowed: \
                 `required`, `implicit`, or `allow_plaintext = true` if that is meant"
                    .to_owned(),
            );
        }
        match (&self.username, &self.password_file, &self.password_env) {
            (Some(_), None, None) => errors
                .push("mail.username: needs `password_file` or `password_env` with it".to_owned()),
            (_, Some(_), Some(_)) => errors.push(
                "mail.password_env: contradicts `password_file`; one of them is enough".to_owned(),
            ),
            (None, Some(_), _) | (None, _, Some(_)) => {
                errors.push("mail.username: missing, although there is a password".to_owned());
            }
            _ => {}
        }
    }

    fn check_recipients(&self, errors: &mut Vec<String>) {
        let mut seen = BTreeSet::new();
        for (at, recipient) in self.recipients.iter().enumerate() {
            let key = format!("mail.recipients[{at}]");
            if !is_address(&recipient.address) {
                errors.push(format!("{key}.address: is no mail address"));
            }
            if !seen.insert(recipient.address.to_lowercase()) {
                errors.push(format!("{key}.address: is there already"));
            }
            if !is_plain(&recipient.name) {
                errors.push(format!(
                    "{key}.name: holds a control or direction character"
                ));
            }
            check_detectors(&format!("{key}.detectors"), &recipient.detectors, errors);
        }
        for (at, operator) in self.operators.iter().enumerate() {
            let key = format!("mail.operators[{at}]");
            if !is_address(&operator.address) {
                errors.push(format!("{key}.address: is no mail address"));
            }
            if !is_plain(&operator.name) {
                errors.push(format!(
                    "{key}.name: holds a control or direction character"
                ));
            }
        }
    }

    /// Who is told by mail, and whether the topics are told, too.
    ///
    /// # Errors
    /// As [`MailConfig::check`].
    pub fn routing(&self, topics: bool) -> Result<Routing, MailConfigErrors> {
        self.check()?;
        if self.transport == TransportKind::None {
            return Ok(Routing {
                topics,
                ..Routing::none()
            });
        }
        Ok(Routing {
            topics,
            recipients: self.recipients.iter().map(recipient).collect(),
            hooks: Vec::new(),
            region_wide: self.pace.region_wide(),
        })
    }

    /// When mails go out, and how many.
    ///
    /// # Errors
    /// The sender or the policy's time zone is wrong.
    pub fn pacing(&self, policy: Arc<Policy>) -> Result<Pacing, MailConfigErrors> {
        let wrong = |error| MailConfigErrors(vec![error]);
        let from = mailbox(&self.from).map_err(|error| wrong(format!("mail.from: {error}")))?;
        let host = self.message_host.as_deref();
        let host = host.unwrap_or_else(|| from.email.domain()).to_owned();
        let addresses = self.recipients.iter();
        let addresses = addresses.map(|recipient| recipient.address.clone());
        self.pace
            .pacing(policy, host, addresses.collect())
            .map_err(wrong)
    }

    /// What mails need to know of the pool.
    ///
    /// # Errors
    /// The policy's time zone is wrong.
    pub fn office(&self, policy: Arc<Policy>) -> Result<Office, MailConfigErrors> {
        let timetable = self.pace.timetable(Arc::clone(&policy));
        Ok(Office::new(
            policy,
            timetable.map_err(|error| MailConfigErrors(vec![error]))?,
            self.link.as_deref(),
            self.pace.respond_within_business_days.clone(),
        ))
    }

    /// The regions that the table names, each with its key.
    pub fn regions(&self) -> impl Iterator<Item = (String, RegionCode)> {
        let recipients = self.recipients.iter().enumerate().flat_map(|(at, of)| {
            let key = format!("mail.recipients[{at}].regions");
            of.regions.iter().map(move |region| (key.clone(), *region))
        });
        let rules = self.pace.rules.iter().enumerate().flat_map(|(at, of)| {
            let key = format!("mail.pace.rules[{at}].regions");
            of.regions.iter().map(move |region| (key.clone(), *region))
        });
        recipients.chain(rules)
    }

    /// The longest wait for each answer of the server.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(60))
    }

    /// Connections to the server, or writers of files, at most.
    pub fn connections(&self) -> usize {
        self.max_connections.unwrap_or(4)
    }
}

fn recipient(config: &RecipientConfig) -> Recipient {
    Recipient {
        address: config.address.clone(),
        name: config.name.clone(),
        language: config.language,
        interest: Interest {
            regions: config.regions.iter().copied().collect(),
            detectors: detectors(&config.detectors),
            min_severity: config.min_severity,
        },
    }
}

/// An address that can be put into a mail as it is, and to which something can be added.
fn is_link(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && rest
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"\"'<>?#\\^`{|}".contains(&b))
    })
}

/// Reads `Name <address>`. The library that builds mails panics on a line end in a name.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    if !is_plain(text) {
        return Err("holds a control or direction character".to_owned());
    }
    let mailbox: Mailbox = text
        .parse()
        .map_err(|_| "must be `Name <address>` or an address".to_owned())?;
    if is_address(mailbox.email.as_ref()) {
        Ok(mailbox)
    } else {
        Err("the address must be of ASCII characters".to_owned())
    }
}

/// ASCII only, so that every server takes it.
fn is_address(text: &str) -> bool {
    text.is_ascii() && text.parse::<Address>().is_ok()
}

const fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_')
}

/// Whether a host is this very machine, without asking anybody.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> MailConfig {
        toml::from_str(text).unwrap()
    }

    fn errors(text: &str) -> String {
        config(text).check().unwrap_err().to_string()
    }

    const GOOD: &str = r#"
        transport = "smtp"
        host = "mail.example.org"
        from = "基金监测 <watch@fund.example.org>"
        [[recipients]]
        address = "li@example.org"
        language = "en"
        regions = ["341002"]
        detectors = ["arrears"]
        min_severity = "yellow"
        [[recipients]]
        address = "wu@example.org"
        name = "吴"
    "#;

    #[test]
    fn a_good_table() {
        let config = config(GOOD);
        let routing = config.routing(true).unwrap();
        let pacing = config.pacing(Arc::new(Policy::huangshan())).unwrap();
        assert_eq!(pacing.message_host, "fund.example.org");
        assert_eq!((pacing.batch_max, config.connections()), (20, 4));
        assert_eq!(pacing.addresses.len(), 2);
        assert_eq!(routing.recipients[0].language, Language::En);
        assert_eq!(
            routing.recipients[0].interest.min_severity,
            Severity::Yellow
        );
        assert_eq!(routing.recipients[1].language, Language::Zh);
        assert!(routing.recipients[1].interest.regions.is_empty());
    }

    #[test]
    fn nothing_is_needed_where_no_mail_goes() {
        assert_eq!(config("").routing(false).unwrap(), Routing::none());
    }

    #[test]
    fn unknown_keys_and_inline_passwords_are_refused() {
        assert!(toml::from_str::<MailConfig>("password = \"secret\"").is_err());
        assert!(toml::from_str::<MailConfig>("hosts = \"a\"").is_err());
    }

    #[test]
    fn clear_text_is_for_this_machine_only() {
        for (host, refused) in [
            ("mail.example.org", true),
            ("10.0.0.1", true),
            ("localhost.example.org", true),
            ("localhost", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            let text =
                format!("transport=\"smtp\"\nhost=\"{host}\"\ntls=\"none\"\nfrom=\"a@b.example\"");
            let checked = config(&text).check();
            assert_eq!(checked.is_err(), refused, "{host}: {checked:?}");
            let meant = format!("{text}\nallow_plaintext = true");
            assert_eq!(config(&meant).check(), Ok(()));
        }
    }

    #[test]
    fn links_are_addresses_of_pages() {
        for (link, is_good) in [
            ("https://watch.example.org", true),
            ("http://127.0.0.1:8080/fund/", true),
            ("https://", false),
            ("https:///x", false),
            ("https://a.example/?x=1", false),
            ("https://a.example/\"onclick=", false),
            ("https://a.example\r\nBcc: x@y.example", false),
        ] {
            assert_eq!(is_link(link), is_good, "{link}");
        }
    }

    #[test]
    fn each_fault_is_named_with_its_key() {
        let text = r#"
            transport = "smtp"
            host = ""
            from = "a\r\nBcc: x@y.example <a@b.example>"
            username = "u"
            max_connections = 0
            link = "javascript:alert(1)"
            [pace]
            batch_max = 0
            [[recipients]]
            address = "no address"
            name = "a\nb"
            detectors = ["arrear"]
            [[recipients]]
            address = "a@b.example"
            [[recipients]]
            address = "A@b.example"
            [[operators]]
            address = "nobody"
        "#;
        let errors = errors(text);
        for key in [
            "mail.host:",
            "mail.from:",
            "mail.username:",
            "mail.max_connections:",
            "mail.link:",
            "mail.pace.batch_max:",
            "mail.recipients[0].address:",
            "mail.recipients[0].name:",
            "mail.recipients[0].detectors:",
            "mail.recipients[2].address:",
            "mail.operators[0].address:",
        ] {
            assert!(errors.contains(key), "{key} in\n{errors}");
        }
        assert!(errors.lines().count() == 11, "{errors}");
    }
}
