//! The tables `[[webhooks]]` and `[alertmanager]` of the configuration.
//!
//! ```toml
//! [[webhooks]]
//! name = "casework"                    # in the store and the log
//! url = "https://cases.example.org/fundwatch"
//! secret_file = "/etc/fundwatch/casework-secret"   # or secret_env = "FUNDWATCH_CASEWORK_SECRET"
//! ca_file = "/etc/fundwatch/ca.pem"    # a private authority, trusted besides the system's
//! detectors = ["arrears"]              # default: all; so are regions
//! min_severity = "yellow"              # default: blue
//! timeout_seconds = 10
//!
//! [alertmanager]
//! urls = ["https://alertmanager.example.org"]
//! every_seconds = 60
//! min_severity = "orange"              # default: blue
//! ```
//!
//! Clear text is refused unless the server is this very machine or `allow_plaintext` says so.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::http::Uri;
use domain::{RegionCode, Severity};
use serde::Deserialize;

use crate::mail::config::is_loopback;
use crate::mail::pace::{check_detectors, detectors};
use crate::routing::{Hook, Interest};
use crate::secret;

/// The shortest secret that is taken: half of what the hash holds.
const SECRET_BYTES_MIN: usize = 16;

/// One of `[[webhooks]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Its name: changing it makes it another program, which is owed nothing.
    pub name: String,
    /// Where alerts are posted to.
    pub url: String,
    /// The file with the secret that posts are signed with; a line end at its end is not part of it.
    pub secret_file: Option<PathBuf>,
    /// The environment variable with the secret.
    pub secret_env: Option<String>,
    /// A PEM file with the certificate of a private authority, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Clear text to another machine is meant.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Of these regions only; empty: of all.
    #[serde(default)]
    pub regions: Vec<RegionCode>,
    /// Of these detectors only, by name; empty: of all.
    #[serde(default)]
    pub detectors: Vec<String>,
    /// From this severity on.
    #[serde(default = "least")]
    pub min_severity: Severity,
    /// The longest wait for an answer, in seconds.
    #[serde(default = "ten")]
    pub timeout_seconds: u64,
}

/// `[alertmanager]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertmanagerConfig {
    /// The servers, each without `/api/v2`; all of a cluster are told.
    pub urls: Vec<String>,
    /// A PEM file with the certificate of a private authority, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Clear text to another machine is meant.
    pub allow_plaintext: bool,
    /// How often they are told what is open, in seconds. Three times as long after the last time it
    /// counts as over.
    pub every_seconds: u64,
    /// From this severity on.
    pub min_severity: Severity,
    /// The longest wait for an answer, in seconds.
    pub timeout_seconds: u64,
}

impl Default for AlertmanagerConfig {
    fn default() -> AlertmanagerConfig {
        AlertmanagerConfig {
            urls: Vec::new(),
            ca_file: None,
            allow_plaintext: false,
            every_seconds: 60,
            min_severity: least(),
            timeout_seconds: ten(),
        }
    }
}

const fn least() -> Severity {
    Severity::Blue
}

const fn ten() -> u64 {
    10
}

impl WebhookConfig {
    /// Adds what is wrong with the tables, each with its key.
    pub fn check_all(all: &[WebhookConfig], errors: &mut Vec<String>) {
        let mut names = BTreeSet::new();
        for (at, one) in all.iter().enumerate() {
            let key = format!("webhooks[{at}]");
            let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            if one.name.is_empty() || one.name.len() > 64 || !one.name.bytes().all(is_name) {
                errors.push(format!("{key}.name: must be 1 to 64 of A-Z a-z 0-9 . _ -"));
            }
            if !names.insert(&one.name) {
                errors.push(format!("{key}.name: is there already"));
            }
            check_url(&format!("{key}.url"), &one.url, one.allow_plaintext, errors);
            match (&one.secret_file, &one.secret_env) {
                (None, None) => errors.push(format!(
                    "{key}.secret_file: missing; posts are signed (or `secret_env`)"
                )),
                (Some(_), Some(_)) => errors.push(format!(
                    "{key}.secret_env: contradicts `secret_file`; one of them is enough"
                )),
                _ => {}
            }
            check_detectors(&format!("{key}.detectors"), &one.detectors, errors);
            if one.timeout_seconds == 0 {
                errors.push(format!("{key}.timeout_seconds: must be 1 or more"));
            }
        }
    }

    /// Which alerts it is told of.
    pub fn hook(&self) -> Hook {
        Hook {
            name: self.name.clone(),
            interest: Interest {
                regions: self.regions.iter().copied().collect(),
                detectors: detectors(&self.detectors),
                min_severity: self.min_severity,
            },
        }
    }

    /// Reads every secret, as the daemon does when it starts.
    ///
    /// # Errors
    /// What is wrong with them, each with its key.
    pub fn read_secrets(all: &[WebhookConfig]) -> Result<(), Vec<String>> {
        let read = |(at, one): (usize, &WebhookConfig)| {
            let error = one.secret().err()?;
            Some(format!("webhooks[{at}].{error}"))
        };
        let errors: Vec<String> = all.iter().enumerate().filter_map(read).collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// It cannot be read, or is too short to keep anything safe.
    pub(super) fn secret(&self) -> Result<Vec<u8>, String> {
        let secret = secret::read(
            "secret",
            self.secret_file.as_deref(),
            self.secret_env.as_deref(),
        )?
        .ok_or("secret_file: missing")?;
        if secret.len() < SECRET_BYTES_MIN {
            let key = if self.secret_file.is_some() {
                "secret_file"
            } else {
                "secret_env"
            };
            return Err(format!(
                "{key}: the secret has fewer than {SECRET_BYTES_MIN} bytes: make one with `openssl rand -hex 32`"
            ));
        }
        Ok(secret.into_bytes())
    }
}

impl AlertmanagerConfig {
    /// Adds what is wrong with the table, each with its key.
    pub fn check(&self, errors: &mut Vec<String>) {
        for (at, url) in self.urls.iter().enumerate() {
            let key = format!("alertmanager.urls[{at}]");
            check_url(&key, url, self.allow_plaintext, errors);
        }
        for (key, value) in [
            ("every_seconds", self.every_seconds),
            ("timeout_seconds", self.timeout_seconds),
        ] {
            if value == 0 || value > 86_400 {
                errors.push(format!("alertmanager.{key}: must be 1 to 86400"));
            }
        }
    }
}

fn check_url(key: &str, url: &str, allow_plaintext: bool, errors: &mut Vec<String>) {
    let Ok(uri) = url.parse::<Uri>() else {
        errors.push(format!("{key}: is no address `https://HOST/PATH`"));
        return;
    };
    match (uri.scheme_str(), uri.authority()) {
        (_, Some(authority)) if authority.as_str().contains('@') => errors.push(format!(
            "{key}: a name or password does not belong into the address"
        )),
        (Some("https"), Some(_)) => {}
        (Some("http"), Some(_)) => {
            if !allow_plaintext && !uri.host().is_some_and(is_loopback) {
                errors.push(format!(
                    "{key}: `http` sends alerts in clear text over the network; use `https`, or \
                     `allow_plaintext = true` if that is meant"
                ));
            }
        }
        _ => errors.push(format!("{key}: is no address `https://HOST/PATH`")),
    }
}
