//! A console as browsers see it, without a socket: what the tests of its pages have in common.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use alerting::mail::MailConfig;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::Timestamp;
use rules::Policy;
use tower::ServiceExt;

use super::{App, router};
use crate::casebook::audit::{self, Kind, Wanted};
use crate::casebook::{Actor, Casebook, people};
use crate::config::ConsoleConfig;
use crate::desk::Desk;
use crate::rights::{Regions, Role};

/// Everybody's.
pub const PASSWORD: &str = "correct horse battery";
/// Where browsers think that the console is.
const HERE: &str = "127.0.0.1:9465";

/// Whoever has no second factor at hand may log in.
pub fn without_second_factor() -> ConsoleConfig {
    ConsoleConfig {
        second_factor: false,
        ..ConsoleConfig::default()
    }
}

/// The desk of Huangshan under this clock.
pub fn desk_of(
    policy: &Arc<Policy>,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Desk {
    let office = MailConfig::default().office(Arc::clone(policy)).unwrap();
    Desk::new(office, Arc::new(clock))
}

/// The casebook in a folder.
pub fn casebook_in(folder: &Path, config: &ConsoleConfig) -> Casebook {
    Casebook::open(&folder.join("console.sqlite"), config.four_eyes_from).unwrap()
}

/// The pages of a console.
pub struct Site {
    pub app: Arc<App>,
    pub router: Router,
    pub desk: Desk,
    _folder: tempfile::TempDir,
}

/// What came back.
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// Somebody's browser.
#[derive(Clone, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
    pub csrf: String,
}

impl Site {
    /// Of an app whose files are in the folder.
    pub fn new(app: App, desk: Desk, folder: tempfile::TempDir) -> Site {
        let app = Arc::new(app);
        Site {
            router: router(&app),
            app,
            desk,
            _folder: folder,
        }
    }

    /// Enrols somebody, with the hash of a password.
    pub fn add(&self, login: &str, role: Role, regions: &Regions, hash: &str) {
        let (login, regions, hash) = (login.to_owned(), regions.clone(), hash.to_owned());
        let actor = self.actor();
        self.app
            .casebook
            .write_blocking(move |transaction| {
                let token = people::add(transaction, &actor, &login, &login, role, &regions)?;
                people::enrol(transaction, &actor, &token, &hash, None)
            })
            .unwrap();
    }

    pub fn actor(&self) -> Actor {
        Actor::of_command(self.desk.now())
    }

    pub fn trail(&self, kind: Kind) -> Vec<audit::Entry> {
        let wanted = Wanted {
            kind: Some(kind.as_str().to_owned()),
            limit: 1_000,
            ..Wanted::default()
        };
        self.app
            .casebook
            .read_blocking(|connection| audit::entries(connection, &wanted))
            .unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 10_000_000).await.unwrap();
        Got {
            status,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub async fn get(&self, browser: &mut Browser, path: &str) -> Got {
        let got = self
            .send(browser.request(Method::GET, path, String::new()))
            .await;
        browser.learn(&got);
        got
    }

    /// Sends a form with the browser's token.
    pub async fn post(&self, browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Got {
        let csrf = browser.csrf.clone();
        let fields = fields.iter().copied().chain([("csrf", csrf.as_str())]);
        let body = super::form::query(fields);
        let got = self.send(browser.request(Method::POST, path, body)).await;
        browser.learn(&got);
        got
    }

    pub async fn log_in(&self, login: &str) -> Browser {
        self.log_in_with(Browser::default(), login).await
    }

    pub async fn log_in_with(&self, mut browser: Browser, login: &str) -> Browser {
        self.get(&mut browser, "/login").await;
        let fields = [
            ("login", login),
            ("password", PASSWORD),
            ("code", ""),
            ("next", ""),
        ];
        let got = self.post(&mut browser, "/login", &fields).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{login}: {}", got.text);
        self.get(&mut browser, "/account").await;
        browser
    }
}

impl Browser {
    pub fn request(&self, method: Method, path: &str, body: String) -> Request<Body> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HERE)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap()
    }

    pub fn learn(&mut self, got: &Got) {
        for cookie in got.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some((_, rest)) = got.text.split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split('"').next().unwrap().to_owned();
        }
    }
}
