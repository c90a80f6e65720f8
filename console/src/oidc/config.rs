//! The table `[console.oidc]` of the configuration.
//!
//! ```toml
//! [console.oidc]
//! issuer = "https://login.example.org/realms/pension"  # as the provider itself writes it
//! client_id = "fundwatch"
//! client_secret_file = "/etc/fundwatch/oidc-secret"    # or client_secret_env; neither: a public client
//! ca_file = "/etc/fundwatch/ca.pem"                    # a private authority, trusted besides the system's
//! scope = "openid profile"                             # what the provider is asked to say
//! login_claim = "preferred_username"                   # what must be the account's login when it is enrolled
//! second_factor = "local"                              # or "provider": by `acr` or `amr`
//! acr = ["gold"]                                       # any of these says that there was a second factor
//! amr = ["mfa", "otp"]                                 # the same
//! button = { zh = "统一身份登录", en = "Log in with the city's account" }
//! timeout_seconds = 5
//! ```

use std::path::PathBuf;
use std::time::Duration;

use alerting::Language;
use alerting::client::{Client, is_private};
use alerting::mail::text::is_plain;
use alerting::secret;
use axum::http::Uri;
use serde::Deserialize;

use super::Provider;

/// The table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// The provider, by the address that it calls itself.
    pub issuer: String,
    /// What the provider calls the console.
    pub client_id: String,
    /// The file with the console's secret at the provider; a line end at its end is not part of it.
    pub client_secret_file: Option<PathBuf>,
    /// The environment variable with the secret. Neither: a public client.
    pub client_secret_env: Option<String>,
    /// A PEM file with the certificate of a private authority, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// What the provider is asked to say.
    #[serde(default = "openid_profile")]
    pub scope: String,
    /// The claim that must be the account's login when it is enrolled.
    #[serde(default = "preferred_username")]
    pub login_claim: String,
    /// Whose second factor counts, where one is needed to log in.
    #[serde(default)]
    pub second_factor: SecondFactor,
    /// Any of these values of the claim `acr` says that the provider asked for a second factor.
    #[serde(default)]
    pub acr: Vec<String>,
    /// Any of these in the claim `amr` says the same.
    #[serde(default)]
    pub amr: Vec<String>,
    /// What stands on the button.
    #[serde(default)]
    pub button: Button,
    /// The longest wait for an answer of the provider, in seconds.
    #[serde(default = "five")]
    pub timeout_seconds: u64,
}

/// Whose second factor counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// The console's own, after the provider has said who it is.
    #[default]
    Local,
    /// The provider's: it has to say that there was one.
    Provider,
}

/// What stands on the button; what is not there are the console's own words.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Button {
    /// In Chinese.
    pub zh: Option<String>,
    /// In English.
    pub en: Option<String>,
}

impl Button {
    /// What was chosen in a language.
    pub fn text(&self, language: Language) -> Option<&str> {
        match language {
            Language::Zh => self.zh.as_deref(),
            Language::En => self.en.as_deref(),
        }
    }
}

fn openid_profile() -> String {
    "openid profile".to_owned()
}

fn preferred_username() -> String {
    "preferred_username".to_owned()
}

const fn five() -> u64 {
    5
}

impl OidcConfig {
    /// What is wrong with the table, each with its key.
    pub(crate) fn check(&self, faults: &mut Vec<String>) {
        let mut wrong = |key: &str, what: &str| faults.push(format!("console.oidc.{key}: {what}"));
        let issuer = self.issuer.parse::<Uri>();
        if !issuer.is_ok_and(|url| is_private(&url)) || self.issuer.contains(['?', '#']) {
            wrong(
                "issuer",
                "is no address `https://HOST/PATH` (`http` on this machine alone), without name, query and fragment",
            );
        }
        for (key, text) in [
            ("client_id", &self.client_id),
            ("login_claim", &self.login_claim),
        ] {
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
                wrong(key, "must be of visible ASCII characters, without spaces");
            }
        }
        if !self.scope.split(' ').any(|word| word == "openid") {
            wrong(
                "scope",
                "has the word `openid` in it, and spaces between words",
            );
        }
        if self.client_secret_file.is_some() && self.client_secret_env.is_some() {
            wrong(
                "client_secret_env",
                "contradicts `client_secret_file`; one of them is enough",
            );
        }
        let names_values = !self.acr.is_empty() || !self.amr.is_empty();
        if names_values != (self.second_factor == SecondFactor::Provider) {
            wrong(
                "second_factor",
                "`provider` goes with values of `acr` or `amr` that say so, `local` without",
            );
        }
        if [&self.button.zh, &self.button.en]
            .into_iter()
            .flatten()
            .any(|text| text.trim().is_empty() || text.chars().count() > 40 || !is_plain(text))
        {
            wrong("button", "a text has 1 to 40 characters");
        }
        // Two answers are waited for while a browser waits.
        if !(1..=15).contains(&self.timeout_seconds) {
            wrong("timeout_seconds", "must be 1 to 15");
        }
    }

    /// Reads secret and authorities, and asks nobody: the provider may be away when the console starts.
    ///
    /// # Errors
    /// What cannot be read, with its key.
    pub fn provider(&self) -> Result<Provider, String> {
        let key = |error: String| format!("console.oidc.{error}");
        let secret = secret::read(
            "client_secret",
            self.client_secret_file.as_deref(),
            self.client_secret_env.as_deref(),
        )
        .map_err(key)?;
        if secret.as_ref().is_some_and(String::is_empty) {
            return Err(key(
                "client_secret_file: is empty; without a secret leave the key out".to_owned(),
            ));
        }
        let patience = Duration::from_secs(self.timeout_seconds);
        let client = Client::new(self.ca_file.as_deref(), patience).map_err(key)?;
        Ok(Provider::new(self.clone(), secret, client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(more: &str) -> String {
        let text = format!("client_id = \"fundwatch\"\n{more}");
        let config: OidcConfig = toml::from_str(&text).unwrap();
        let mut faults = Vec::new();
        config.check(&mut faults);
        faults.join("\n")
    }

    #[test]
    fn each_fault_of_the_table_is_named() {
        let issuer = "issuer = \"https://login.example.org/realms/pension\"\n";
        assert_eq!(faults(issuer), "");
        assert_eq!(faults("issuer = \"http://127.0.0.1:8080/\""), "");
        let provider = format!("{issuer}second_factor = \"provider\"\namr = [\"otp\"]");
        assert_eq!(faults(&provider), "");
        for (more, key) in [
            ("issuer = \"http://login.example.org\"".to_owned(), "issuer"),
            (
                "issuer = \"https://a:b@login.example.org\"".to_owned(),
                "issuer",
            ),
            (
                "issuer = \"https://login.example.org/?a=b\"".to_owned(),
                "issuer",
            ),
            ("issuer = \"login.example.org\"".to_owned(), "issuer"),
            (format!("{issuer}login_claim = \"\""), "login_claim"),
            (format!("{issuer}scope = \"profile\""), "scope"),
            (
                format!("{issuer}client_secret_file = \"a\"\nclient_secret_env = \"B\""),
                "client_secret_env",
            ),
            (
                format!("{issuer}second_factor = \"provider\""),
                "second_factor",
            ),
            (format!("{issuer}acr = [\"gold\"]"), "second_factor"),
            (format!("{issuer}button = {{ zh = \" \" }}"), "button"),
            (format!("{issuer}timeout_seconds = 0"), "timeout_seconds"),
        ] {
            let said = faults(&more);
            let is_named = said.starts_with(&format!("console.oidc.{key}: "));
            assert!(is_named && said.lines().count() == 1, "{more}: {said}");
        }
        for unknown in ["client_secret = \"x\"", "second_factor = \"none\""] {
            let text = format!("{issuer}client_id = \"x\"\n{unknown}");
            assert!(toml::from_str::<OidcConfig>(&text).is_err(), "{unknown}");
        }
    }
}
