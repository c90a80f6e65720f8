//! An OpenID provider that says who somebody is: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).
//!
//! | module | is |
//! |---|---|
//! | `config` | the table `[console.oidc]` |
//! | `id_token` | whether what the provider says is the answer to what was asked |
//! | `signature` | signatures, by `ring` |
//!
//! Knows neither the casebook nor pages. The provider is asked when somebody logs in and at no other time: where it is, and
//! which keys are its own, anew each time, so that nothing here is older than the login.

mod config;
mod id_token;
mod signature;

use alerting::Language;
use alerting::client::{Client, is_private};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::casebook::{hex, random};

pub use config::{OidcConfig, SecondFactor};
use id_token::{Claims, Expected};

/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The provider of the configuration.
pub struct Provider {
    config: OidcConfig,
    secret: Option<String>,
    client: Client,
}

/// What the provider says of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Endpoints {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// What is asked of the provider for one login, and what its answer is held against. Drawn anew for each.
#[derive(Clone)]
pub struct Question {
    /// Comes back in the token.
    nonce: String,
    /// Shown with the code: whoever saw the code alone has nothing.
    verifier: String,
    /// Where the browser comes back to.
    redirect: String,
    endpoints: Endpoints,
}

/// Who somebody is, by the provider.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The provider and its name for somebody, which never changes and is nobody else's.
    pub name: String,
    /// What the claim says that an account is enrolled by: changes, and is no key.
    pub login: Option<String>,
    /// Whether a second factor was asked for there.
    pub has_second_factor: bool,
}

/// Why the provider said nothing that counts.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It does not answer, or not as a provider does. What it was is for the log.
    #[error("{0}")]
    Away(String),
    /// It said no, or something that does not hold: in a word for the audit trail.
    #[error("refused: {0}")]
    Refused(&'static str),
}

#[derive(Default, Deserialize)]
struct No {
    error: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    fn new(config: OidcConfig, secret: Option<String>, client: Client) -> Provider {
        Provider {
            config,
            secret,
            client,
        }
    }

    /// The table that it was made from.
    pub const fn config(&self) -> &OidcConfig {
        &self.config
    }

    /// Looks up where the provider is asked, and draws what this login is known by.
    ///
    /// # Errors
    /// It does not say.
    pub async fn question(&self, redirect: String) -> Result<Question, Fault> {
        let base = self.config.issuer.trim_end_matches('/');
        let place = format!("{base}/.well-known/openid-configuration");
        let endpoints: Endpoints = self.look_up(&place).await?;
        if endpoints.issuer != self.config.issuer {
            return Err(Fault::Away(format!(
                "`{place}` is of the issuer `{}`, not `{}`",
                endpoints.issuer, self.config.issuer
            )));
        }
        // Sent to a browser: known to be an address, of nothing that a header or a page could be broken with.
        address(&endpoints.authorization_endpoint)?;
        Ok(Question {
            nonce: hex(&random::<16>()),
            verifier: hex(&random::<32>()),
            redirect,
            endpoints,
        })
    }

    /// Where a browser is sent to.
    pub fn way_there(&self, question: &Question, state: &str, language: Language) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, question.verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        let acr = self.config.acr.join(" ");
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", &self.config.client_id),
            ("redirect_uri", &question.redirect),
            ("scope", &self.config.scope),
            ("state", state),
            ("nonce", &question.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("ui_locales", crate::words::words(language).lang),
        ];
        if !acr.is_empty() {
            fields.push(("acr_values", &acr));
        }
        let place = &question.endpoints.authorization_endpoint;
        let sign = if place.contains('?') { '&' } else { '?' };
        format!("{place}{sign}{}", form(&fields))
    }

    /// Who came back with a code.
    ///
    /// # Errors
    /// The provider does not answer, or what it says does not hold.
    pub async fn identity(
        &self,
        question: &Question,
        code: &str,
        now: Timestamp,
    ) -> Result<Identity, Fault> {
        let request = self.token_request(question, code)?;
        let (status, answer) = self.ask(request).await?;
        let place = &question.endpoints.token_endpoint;
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            let No { error } = serde_json::from_slice(&answer).unwrap_or_default();
            let is_word =
                error.len() <= 40 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let error = if is_word { &error } else { "?" };
            tracing::warn!(place, %status, error, "the OpenID provider takes no code or no secret of ours");
            return Err(Fault::Refused("code"));
        }
        let tokens: Tokens = read(place, status, &answer)?;
        let keys: JwkSet = self.look_up(&question.endpoints.jwks_uri).await?;
        let expected = Expected {
            issuer: &self.config.issuer,
            client_id: &self.config.client_id,
            nonce: &question.nonce,
            now,
        };
        let claims =
            id_token::verify(&tokens.id_token, &keys, &expected).map_err(Fault::Refused)?;
        Ok(self.identity_of(&claims))
    }

    fn identity_of(&self, claims: &Claims) -> Identity {
        let by_acr = claims
            .acr
            .as_ref()
            .is_some_and(|acr| self.config.acr.contains(acr));
        let by_amr = claims.amr.iter().any(|amr| self.config.amr.contains(amr));
        Identity {
            // No address has a space: the two cannot run into one another.
            name: format!("{} {}", self.config.issuer, claims.subject),
            login: claims.text(&self.config.login_claim).map(str::to_owned),
            has_second_factor: by_acr || by_amr,
        }
    }

    /// The code with its verifier, and the console's secret as the provider takes it: in a header, unless it wants it
    /// in the form.
    fn token_request(&self, question: &Question, code: &str) -> Result<Request<Body>, Fault> {
        let Question {
            verifier,
            redirect,
            endpoints,
            ..
        } = question;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let methods = &endpoints.token_endpoint_auth_methods_supported;
        let in_header =
            methods.is_empty() || methods.iter().any(|one| one == "client_secret_basic");
        let mut authorization = None;
        match &self.secret {
            Some(secret) if in_header => {
                let pair = [&self.config.client_id, secret].map(|text| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                });
                authorization = Some(format!("Basic {}", STANDARD.encode(pair.join(":"))));
            }
            Some(secret) => fields.extend([
                ("client_id", self.config.client_id.as_str()),
                ("client_secret", secret),
            ]),
            None => fields.push(("client_id", &self.config.client_id)),
        }
        let mut request = Request::post(address(&endpoints.token_endpoint)?)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Body::from(form(&fields)))
            .map_err(|error| Fault::Away(error.to_string()))?;
        if let Some(text) = authorization {
            let mut value = HeaderValue::from_str(&text).map_err(|_| Fault::Refused("code"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn look_up<T: DeserializeOwned>(&self, place: &str) -> Result<T, Fault> {
        let request = Request::get(address(place)?)
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| Fault::Away(error.to_string()))?;
        let (status, answer) = self.ask(request).await?;
        read(place, status, &answer)
    }

    async fn ask(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), Fault> {
        let place = request.uri().clone();
        let away = |what: &str| Fault::Away(format!("`{place}`: {what}"));
        let answered = self.client.ask(request, ANSWER_BYTES_MAX).await;
        let (status, answer) = answered.map_err(|error| away(&error))?;
        Ok((status, answer.ok_or_else(|| away("the answer has no end"))?))
    }
}

/// An address of the provider's that secrets may be sent to.
fn address(place: &str) -> Result<Uri, Fault> {
    let known = place.parse::<Uri>().ok().filter(is_private);
    known.ok_or_else(|| Fault::Away(format!("`{place}` is no address `https://HOST/PATH`")))
}

/// What the error of JSON quotes is left out: it may be of a token.
fn read<T: DeserializeOwned>(place: &str, status: StatusCode, answer: &[u8]) -> Result<T, Fault> {
    let read = serde_json::from_slice(answer)
        .ok()
        .filter(|_| status == StatusCode::OK);
    read.ok_or_else(|| {
        Fault::Away(format!(
            "`{place}` answers {status}, and not as a provider does"
        ))
    })
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}
