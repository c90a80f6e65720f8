//! The `[console]` table of the configuration.
//!
//! ```toml
//! [console]
//! listen = "127.0.0.1:9465"            # loopback, or behind a proxy that speaks TLS
//! public_url = "https://fundwatch.example.org"   # what people type; default: http://LISTEN
//! behind_tls_proxy = true              # a proxy in front speaks TLS, and sets X-Forwarded-For
//! casebook = "console.sqlite"          # default: beside the store
//! office = "黄山市社会保险基金监督办公室"  # in whose name letters go out; default: the pool's 社会保险基金监督机构
//! second_factor = true                 # off: passwords alone
//! four_eyes_from = "100000.00"         # yuan: from here on somebody else approves
//! snooze_business_days_max = 20         # no case is put aside for longer
//! idle_minutes = 30
//! session_hours = 10
//! reveals_per_hour = 50
//! export_rows_max = 10000
//! ```
//!
//! and, where people log in by an OpenID provider, `[console.oidc]`: [`OidcConfig`].

use std::net::SocketAddr;
use std::path::PathBuf;

use domain::Money;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::casebook::people::Limits;
use crate::oidc::OidcConfig;

/// The table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// Address and port of the pages.
    pub listen: SocketAddr,
    /// The address that people type, without a path; none: `http://LISTEN`.
    pub public_url: Option<String>,
    /// A proxy in front speaks TLS.
    pub behind_tls_proxy: bool,
    /// The file of people, cases and audit trail; relative to the configuration. None: beside the store.
    pub casebook: Option<PathBuf>,
    /// In whose name letters go out; none: the pool's 社会保险基金监督机构.
    pub office: Option<String>,
    /// Whether a second factor is needed to log in.
    pub second_factor: bool,
    /// From this amount on somebody else approves a decision.
    pub four_eyes_from: Money,
    /// Business days that a case may be put aside for.
    pub snooze_business_days_max: u32,
    /// A session ends without a request for so long.
    pub idle_minutes: u32,
    /// A session ends after so long.
    pub session_hours: u32,
    /// Numbers that a person may see in full in an hour.
    pub reveals_per_hour: u32,
    /// Rows of an export.
    pub export_rows_max: u32,
    /// A provider that people may log in by.
    pub oidc: Option<OidcConfig>,
}

impl Default for ConsoleConfig {
    fn default() -> ConsoleConfig {
        ConsoleConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 9465)),
            public_url: None,
            behind_tls_proxy: false,
            casebook: None,
            office: None,
            second_factor: true,
            four_eyes_from: Money::from_yuan(100_000),
            snooze_business_days_max: 20,
            idle_minutes: 30,
            session_hours: 10,
            reveals_per_hour: 50,
            export_rows_max: 10_000,
            oidc: None,
        }
    }
}

impl ConsoleConfig {
    /// What is wrong with the table, each with its key.
    pub fn check(&self, faults: &mut Vec<String>) {
        if let Some(url) = &self.public_url
            && !is_origin(url)
        {
            faults.push(format!(
                "console.public_url: `{url}` is not `https://HOST` or `http://HOST:PORT`, without a path"
            ));
        }
        let is_https = self.public_url().starts_with("https://");
        let is_private = self.behind_tls_proxy && is_https || self.listen.ip().is_loopback();
        if !is_private {
            faults.push(format!(
                "console.listen: {} can be reached from other machines, and the console speaks no TLS: listen on 127.0.0.1, or set `behind_tls_proxy = true` and a `public_url` of https",
                self.listen
            ));
        }
        if self.behind_tls_proxy && !is_https {
            faults.push(
                "console.public_url: behind a proxy with TLS it begins with `https://`".to_owned(),
            );
        }
        for (key, value, range) in [
            (
                "snooze_business_days_max",
                self.snooze_business_days_max,
                1..=250,
            ),
            ("idle_minutes", self.idle_minutes, 1..=480),
            ("session_hours", self.session_hours, 1..=24),
            ("reveals_per_hour", self.reveals_per_hour, 0..=1_000),
            ("export_rows_max", self.export_rows_max, 1..=100_000),
        ] {
            if !range.contains(&value) {
                let (least, most) = (range.start(), range.end());
                faults.push(format!(
                    "console.{key}: {value} is not from {least} to {most}"
                ));
            }
        }
        if let Some(oidc) = &self.oidc {
            oidc.check(faults);
        }
    }

    /// The address that people type, without a slash at its end.
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    /// How long sessions last.
    pub fn limits(&self) -> Limits {
        Limits {
            idle: SignedDuration::from_mins(self.idle_minutes.into()),
            absolute: SignedDuration::from_hours(self.session_hours.into()),
        }
    }
}

fn is_origin(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|host| {
        let host = host.strip_suffix('/').unwrap_or(host);
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let config: ConsoleConfig = toml::from_str(text).unwrap();
        let mut faults = Vec::new();
        config.check(&mut faults);
        faults
    }

    /// S37: no plain HTTP on an address that others reach.
    #[test]
    fn s37_other_machines_are_served_behind_tls_alone() {
        assert_eq!(faults(""), Vec::<String>::new());
        for (text, key) in [
            ("listen = \"0.0.0.0:9465\"", "console.listen"),
            (
                "listen = \"0.0.0.0:9465\"\nbehind_tls_proxy = true",
                "console.listen",
            ),
            (
                "listen = \"0.0.0.0:9465\"\npublic_url = \"https://fund.example.org\"",
                "console.listen",
            ),
            (
                "public_url = \"https://fund.example.org/x?\"",
                "console.public_url",
            ),
            (
                "public_url = \"ftp://fund.example.org\"",
                "console.public_url",
            ),
            (
                "idle_minutes = 0",
                "console.idle_minutes: 0 is not from 1 to 480",
            ),
            (
                "snooze_business_days_max = 251",
                "console.snooze_business_days_max: 251 is not from 1 to 250",
            ),
        ] {
            assert!(
                faults(text)[0].starts_with(key),
                "{text}: {:?}",
                faults(text)
            );
        }
        let good = "listen = \"0.0.0.0:9465\"\nbehind_tls_proxy = true\npublic_url = \"https://fund.example.org\"";
        assert_eq!(faults(good), Vec::<String>::new());
        assert!(toml::from_str::<ConsoleConfig>("port = 1").is_err());
    }
}
