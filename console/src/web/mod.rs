//! The web side: the router made of the table of routes, the gate before it, and the pages.
//!
//! Knows no SQL: what is asked and done is the casebook's business.

mod account;
mod alert;
mod answer;
mod api;
mod assets;
mod attempts;
mod audit;
mod export;
mod form;
mod frame;
mod gate;
mod help;
mod letters;
mod login;
mod oidc;
mod people;
mod precision;
mod queue;
mod refused;
mod routes;
mod subject;
mod throttle;
mod work;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use alerting::Reader;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::any;
use casework::FactSource;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::casebook::cases::SnoozeWithin;
use crate::casebook::people::Limits;
use crate::casebook::{Casebook, CasebookError};
use crate::config::ConsoleConfig;
use crate::desk::Desk;
use crate::oidc::Provider;
use crate::rights::Right;

pub use api::API_ROUTES;
pub use routes::{ROUTES, Route};

/// Passwords hashed at one time; each takes 19 MiB.
const HASHES: usize = 2;
/// Requests to the provider at one time, however long it takes: it holds nobody else up.
const QUESTIONS: usize = 8;

/// What all handlers share.
pub struct App {
    /// People and cases.
    pub casebook: Casebook,
    /// Where the alerts are.
    pub store: PathBuf,
    /// The pool.
    pub desk: Desk,
    /// The table of the configuration.
    pub config: ConsoleConfig,
    /// How long sessions last.
    pub limits: Limits,
    /// Whether a proxy may say where requests come from.
    pub behind_proxy: bool,
    /// Where the facts of subjects can be asked for; without, pages show what the alerts' store has.
    facts: Option<Arc<dyn FactSource>>,
    /// A provider that people may log in by.
    provider: Option<Provider>,
    attempts: attempts::Attempts,
    asking: Semaphore,
    /// `scheme://host`, as a browser sends it.
    origin: String,
    hosts: Vec<String>,
    is_https: bool,
    throttle: throttle::Throttle,
    refusals: refused::Bound,
    hashing: Semaphore,
    readers: Mutex<Vec<Reader>>,
}

impl App {
    /// The pages over a casebook and a store.
    pub fn new(config: ConsoleConfig, casebook: Casebook, store: PathBuf, desk: Desk) -> App {
        let origin = config.public_url();
        let host = origin.split("://").nth(1).unwrap_or("").to_owned();
        App {
            limits: config.limits(),
            behind_proxy: config.behind_tls_proxy,
            is_https: origin.starts_with("https://"),
            hosts: vec![
                host,
                config.listen.to_string(),
                format!("localhost:{}", config.listen.port()),
            ],
            origin,
            casebook,
            store,
            desk,
            config,
            facts: None,
            provider: None,
            attempts: attempts::Attempts::default(),
            asking: Semaphore::new(QUESTIONS),
            throttle: throttle::Throttle::default(),
            refusals: refused::Bound::default(),
            hashing: Semaphore::new(HASHES),
            readers: Mutex::new(Vec::new()),
        }
    }

    /// The same, with somebody who can be asked for the facts of subjects.
    #[must_use]
    pub fn with_facts(self, facts: Arc<dyn FactSource>) -> App {
        App {
            facts: Some(facts),
            ..self
        }
    }

    /// The same, with a provider that people may log in by.
    #[must_use]
    pub fn with_provider(self, provider: Provider) -> App {
        App {
            provider: Some(provider),
            ..self
        }
    }

    /// Asks the alerts' store, on a thread that may block.
    async fn alerts<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Reader) -> Result<T, alerting::StoreError> + Send + 'static,
    ) -> Result<T, CasebookError> {
        let app = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let idle = || app.readers.lock().unwrap_or_else(PoisonError::into_inner);
            let known = idle().pop();
            let reader = match known {
                Some(reader) => reader,
                None => Reader::open(&app.store)?,
            };
            let found = look(&reader);
            idle().push(reader);
            found
        });
        Ok(read.await.map_err(|_| CasebookError::Closed)??)
    }

    /// How long a case may be put aside.
    fn snooze_within(&self, at: Timestamp) -> SnoozeWithin {
        let today = self.desk.day(at);
        let days = self.config.snooze_business_days_max;
        SnoozeWithin {
            today,
            latest: self.desk.business_days_after(today, days),
        }
    }

    fn is_our_host(&self, headers: &HeaderMap) -> bool {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        host.is_some_and(|host| {
            self.hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(host))
        })
    }

    /// Whether a form was sent from a page of ours, as far as the browser says.
    fn is_our_origin(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let from_here = |origin: &str| {
            let host = origin.split("://").nth(1);
            origin == self.origin
                || (!self.is_https
                    && host.is_some_and(|host| self.hosts.iter().any(|known| known == host)))
        };
        text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"))
            && text("origin").is_none_or(from_here)
    }

    /// The name of the cookie of a session. With the prefix, a browser takes it over TLS alone, for this host alone.
    const fn session_cookie(&self) -> &'static str {
        if self.is_https {
            "__Host-session"
        } else {
            "session"
        }
    }

    /// The name of the cookie that the forms of those without a session are signed over.
    const fn form_cookie(&self) -> &'static str {
        if self.is_https { "__Host-form" } else { "form" }
    }

    /// The name of the cookie that a login by the provider belongs to.
    const fn attempt_cookie(&self) -> &'static str {
        if self.is_https {
            "__Host-attempt"
        } else {
            "attempt"
        }
    }

    /// A cookie for the browser; `None` seconds: until it is closed, 0: gone.
    fn cookie(&self, name: &str, value: &str, seconds: Option<u32>) -> String {
        let secure = if self.is_https { "; Secure" } else { "" };
        let age = seconds.map_or(String::new(), |seconds| format!("; Max-Age={seconds}"));
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")
    }
}

/// The router of the tables of routes.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let gate = from_fn_with_state((Arc::clone(app), route.right), gate::pass);
        router = router.route(route.path, (route.make)().route_layer(gate));
    }
    router = api::add_to(router, app);
    let gate = from_fn_with_state((Arc::clone(app), Right::Open), gate::pass);
    let nothing = any(async || -> answer::Answer { Err(answer::Failure::Missing) });
    let is_https = app.is_https;
    router
        .fallback_service(nothing.layer(gate).with_state::<()>(Arc::clone(app)))
        .with_state(Arc::clone(app))
        .layer(map_response(move |response: Response| async move {
            secured(response, is_https)
        }))
}

/// Nothing but what is ours, nowhere but here: on every answer, whatever it is.
fn secured(mut response: Response, is_https: bool) -> Response {
    const HEADERS: [(&str, &str); 6] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod browsing;
#[cfg(test)]
mod oidc_tests;
#[cfg(test)]
mod subject_tests;
#[cfg(test)]
mod tests;
