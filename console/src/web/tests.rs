//! The router as a browser sees it, without a socket. What a test of the security list proves is in its name: `s10_…` is
//! item S10.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use alerting::life::Standing;
use alerting::{AlertIdentity, EpochBatch, Routing, Store};
use axum::http::{Method, StatusCode, header};
use domain::{Money, RegionCode, Severity};
use jiff::{SignedDuration, Timestamp};
use rules::Policy;

use super::browsing::{Browser, PASSWORD, Site, casebook_in, desk_of, without_second_factor};
use super::{App, ROUTES};
use crate::casebook::audit::{self, Kind, Verified};
use crate::casebook::{cases, decisions, follow, people};
use crate::config::ConsoleConfig;
use crate::rights::{Regions, Right, Role};
use crate::test_kit::{arrears, at_stake, batch, paid_after_death, update};

/// A console over a store with a few alerts, and people of every role.
pub struct Stage {
    pub site: Site,
    now: Arc<Mutex<Timestamp>>,
    store: Mutex<Store>,
}

impl Deref for Stage {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Stage {
    pub fn new() -> Stage {
        Stage::with(without_second_factor())
    }

    pub fn with(config: ConsoleConfig) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = "2024-04-01T02:00:00Z".parse().unwrap();
        let now = Arc::new(Mutex::new(now));
        let desk = desk_of(&Arc::new(Policy::huangshan()), {
            let now = Arc::clone(&now);
            move || *now.lock().unwrap()
        });
        let path = folder.path().join("fundwatch.sqlite");
        let store = Store::open(&path, &AlertIdentity::default()).unwrap();
        let casebook = casebook_in(folder.path(), &config);
        let provider = config.oidc.as_ref().map(|oidc| oidc.provider().unwrap());
        let app = App::new(config, casebook, path, desk.clone());
        let app = match provider {
            Some(provider) => app.with_provider(provider),
            None => app,
        };
        Stage {
            site: Site::new(app, desk, folder),
            now,
            store: Mutex::new(store),
        }
    }

    /// With two alerts in 屯溪区 and one in 歙县, and everybody enrolled.
    pub async fn peopled() -> Stage {
        let stage = Stage::new();
        stage.tell(batch(
            1,
            [
                update(arrears(1, 200_000, "341002")),
                update(paid_after_death(1, 24_000, "341002")),
                update(arrears(2, 500, "341021")),
            ],
        ));
        let hash = people::hash_password(PASSWORD).unwrap();
        for role in Role::ALL {
            stage.add(role.as_str(), role, &Regions::All, &hash);
        }
        stage.add("reviewer2", Role::Reviewer, &Regions::All, &hash);
        stage.add("supervisor2", Role::Supervisor, &Regions::All, &hash);
        let she = RegionCode::parse(b"341021").unwrap();
        for role in [
            Role::Viewer,
            Role::Reviewer,
            Role::Supervisor,
            Role::Auditor,
        ] {
            let login = format!("she-{}", role.as_str());
            stage.add(&login, role, &Regions::Only(vec![she]), &hash);
        }
        stage
    }

    pub fn time(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    pub fn pass(&self, time: SignedDuration) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(time).unwrap();
    }

    /// Commits an epoch to the alerts' store, and lets the casebook follow.
    pub fn tell(&self, batch: EpochBatch) {
        let routing = Routing::none();
        self.store
            .lock()
            .unwrap()
            .commit(&batch, &routing, self.time())
            .unwrap();
        follow::take(&self.app.casebook, &self.app.store, &self.desk).unwrap();
    }

    /// The ids of the alerts: of 屯溪区's enterprise, 屯溪区's person, 歙县's enterprise.
    pub fn ids(&self) -> [String; 3] {
        self.app
            .casebook
            .read_blocking(|connection| {
                let mut select = connection.prepare("SELECT alert FROM cases ORDER BY n")?;
                let ids = select.query_map([], |row| row.get(0))?;
                Ok(ids.collect::<Result<Vec<String>, _>>()?)
            })
            .unwrap()
            .try_into()
            .unwrap()
    }

    pub fn case(&self, alert: &str) -> cases::Case {
        self.app
            .casebook
            .read_blocking(|connection| cases::case(connection, alert, &Regions::All))
            .unwrap()
    }
}

/// A path of the table with an alert put in.
pub fn path_with(path: &str, alert: &str) -> String {
    path.replace("{id}", alert)
        .replace("{n}", "1")
        .replace("{name}", "console.css")
}

/// The matrix: each role on each route of the table, and whoever has no session.
#[tokio::test]
async fn g26_every_route_asks_for_its_right() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let mut nobody = Browser::default();
    stage.get(&mut nobody, "/login").await;
    let mut tried = 0;
    for route in ROUTES {
        let path = path_with(route.path, &alert);
        let got = match route.method {
            Method::GET => stage.get(&mut nobody.clone(), &path).await,
            _ => stage.post(&mut nobody.clone(), &path, &[]).await,
        };
        let is_turned_away = if route.method == Method::GET {
            got.status == StatusCode::SEE_OTHER
                && got.headers[header::LOCATION]
                    .to_str()
                    .unwrap()
                    .starts_with("/login?next=")
        } else {
            // A wrong login is a page that says so.
            got.status == StatusCode::UNAUTHORIZED && got.text.is_empty()
        };
        assert_eq!(
            is_turned_away,
            route.right != Right::Open,
            "nobody on {} {path}",
            route.method
        );
    }
    for role in Role::ALL {
        let browser = stage.log_in(role.as_str()).await;
        for route in ROUTES {
            let path = path_with(route.path, &alert);
            // Ends the session that the others need.
            if path == "/logout" {
                continue;
            }
            let denied = stage.trail(Kind::Denied).len();
            let mut browser = browser.clone();
            let got = match route.method {
                Method::GET => stage.get(&mut browser, &path).await,
                _ => stage.post(&mut browser, &path, &[]).await,
            };
            let may = role.may(route.right);
            let what = format!("{role:?} on {} {path}: {}", route.method, got.status);
            assert_eq!(got.status == StatusCode::FORBIDDEN, !may, "{what}");
            assert_ne!(got.status, StatusCode::INTERNAL_SERVER_ERROR, "{what}");
            let recorded = stage.trail(Kind::Denied).len() - denied;
            // There is no letter yet, which is recorded, too.
            let is_missing = path.starts_with("/letters/");
            assert_eq!(recorded, usize::from(!may || is_missing), "{what}");
            tried += 1;
        }
    }
    assert_eq!(tried, Role::ALL.len() * (ROUTES.len() - 1));
}

/// S11: the alert of a foreign region is as missing as one that is not there, on every route and in every list.
#[tokio::test]
async fn s11_a_foreign_region_is_missing() {
    let stage = Stage::peopled().await;
    let [foreign, person, ours] = stage.ids();
    let version = "1";
    let fields = [
        ("version", version),
        ("note", "x"),
        ("reason", "x"),
        ("answer", "approve"),
        ("to", "me"),
        ("kind", "reminder"),
        ("until", "2024-05-06"),
    ];
    for role in [
        Role::Viewer,
        Role::Reviewer,
        Role::Supervisor,
        Role::Auditor,
    ] {
        let mut browser = stage.log_in(&format!("she-{}", role.as_str())).await;
        for route in ROUTES.iter().filter(|route| route.path.contains("{id}")) {
            if !role.may(route.right) {
                continue;
            }
            let names = fields_of(route.path);
            let sent: Vec<_> = fields
                .iter()
                .copied()
                .filter(|(name, _)| names.contains(name))
                .collect();
            let mut answers = Vec::new();
            for (alert, note) in [
                (foreign.as_str(), "of another region"),
                ("00000000000000000000000000000000", "there is none"),
            ] {
                let path = path_with(route.path, alert);
                let got = match route.method {
                    Method::GET => stage.get(&mut browser, &path).await,
                    _ => stage.post(&mut browser, &path, &sent).await,
                };
                assert_eq!(got.status, StatusCode::NOT_FOUND, "{role:?} {path}");
                // The trail alone tells them apart.
                let row = &stage.trail(Kind::Denied)[0];
                assert_eq!((row.target.as_str(), row.note.as_str()), (&*path, note));
                answers.push(got.text.replace(alert, "ALERT"));
            }
            assert_eq!(answers[0], answers[1], "{role:?} {}", route.path);
        }
        let queue = stage.get(&mut browser, "/alerts").await.text;
        assert!(queue.contains(&ours) && !queue.contains(&foreign) && !queue.contains(&person));
        let asked = stage.get(&mut browser, "/alerts?region=341002").await.text;
        assert!(!asked.contains(&foreign));
    }
    assert_eq!(stage.case(&foreign).version, 1);
}

/// The fields that the form of a route has.
fn fields_of(path: &str) -> &'static [&'static str] {
    match path.rsplit('/').next().unwrap() {
        "reveal" => &["reason"],
        "assign" => &["version", "to"],
        "note" | "reopen" | "advance" => &["version", "note"],
        "snooze" => &["version", "until", "reason"],
        "resume" => &["version"],
        "decide" => &["version", "reason", "note"],
        "letter" => &["version", "kind", "to"],
        "answer" => &["version", "answer", "note"],
        _ => &[],
    }
}

/// S10: no act without the session's own token, or from elsewhere; and none by GET.
#[tokio::test]
async fn s10_every_act_needs_its_token() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let other = stage.log_in("reviewer2").await;
    for route in ROUTES.iter().filter(|route| route.method == Method::POST) {
        let role = Role::ALL
            .into_iter()
            .rev()
            .find(|role| role.may(route.right))
            .unwrap();
        let browser = stage.log_in(role.as_str()).await;
        let path = path_with(route.path, &alert);
        for csrf in ["", "0123456789abcdef0123456789abcdef", other.csrf.as_str()] {
            let mut forged = Browser {
                csrf: csrf.to_owned(),
                ..browser.clone()
            };
            let got = stage.post(&mut forged, &path, &[]).await;
            assert_eq!(got.status, StatusCode::FORBIDDEN, "{path} with `{csrf}`");
            let row = &stage.trail(Kind::Denied)[0];
            assert_eq!(
                (row.target.as_str(), row.login.as_str()),
                (&*path, role.as_str())
            );
            assert_eq!(row.note, "not the session's form");
        }
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let body = super::form::query([("csrf", browser.csrf.as_str())]);
            let mut request = browser.request(Method::POST, &path, body);
            request.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(
                stage.send(request).await.status,
                StatusCode::FORBIDDEN,
                "{path} {name}"
            );
        }
        // The same path by GET is a page, or nothing at all.
        let by_get = stage.get(&mut browser.clone(), &path).await;
        let is_page = ROUTES
            .iter()
            .any(|other| other.method == Method::GET && other.path == route.path);
        assert!(
            is_page || by_get.status == StatusCode::METHOD_NOT_ALLOWED,
            "{path}"
        );
    }
    assert_eq!(stage.case(&alert).version, 1);
}

/// S14: the headers are on every answer, whatever it is.
#[tokio::test]
async fn s14_headers_are_on_every_answer() {
    let stage = Stage::peopled().await;
    let mut viewer = stage.log_in("viewer").await;
    let mut all = vec![
        (StatusCode::OK, stage.get(&mut viewer, "/alerts").await),
        (
            StatusCode::OK,
            stage.get(&mut viewer, "/static/console.css").await,
        ),
        (
            StatusCode::NOT_FOUND,
            stage.get(&mut viewer, "/nowhere").await,
        ),
        (
            StatusCode::NOT_FOUND,
            stage.get(&mut viewer, "/metrics").await,
        ),
        (
            StatusCode::FORBIDDEN,
            stage.get(&mut viewer, "/people").await,
        ),
        (
            StatusCode::SEE_OTHER,
            stage.get(&mut Browser::default(), "/alerts").await,
        ),
        (
            StatusCode::UNAUTHORIZED,
            stage.post(&mut Browser::default(), "/logout", &[]).await,
        ),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            stage
                .send(viewer.request(Method::TRACE, "/alerts", String::new()))
                .await,
        ),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            stage
                .send(viewer.request(Method::DELETE, "/alerts", String::new()))
                .await,
        ),
    ];
    let large = "a".repeat(70_000);
    all.push((
        StatusCode::PAYLOAD_TOO_LARGE,
        stage
            .post(&mut viewer, "/alerts/search", &[("q", &large)])
            .await,
    ));
    for (status, got) in all {
        assert_eq!(got.status, status);
        let policy = got.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part));
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(got.headers["x-content-type-options"], "nosniff");
        assert!(got.headers.contains_key("referrer-policy"));
        assert!(got.headers.contains_key("cross-origin-opener-policy"));
        assert!(got.headers.contains_key(header::CACHE_CONTROL));
        assert!(!got.headers.contains_key(header::SERVER));
    }
    let https = Stage::with(ConsoleConfig {
        public_url: Some("https://fund.example.org".to_owned()),
        behind_tls_proxy: true,
        ..ConsoleConfig::default()
    });
    let got = https.get(&mut Browser::default(), "/login").await;
    assert_eq!(
        got.headers["strict-transport-security"],
        "max-age=31536000; includeSubDomains"
    );
    // S9: the cookie's flags.
    let cookie = got.headers[header::SET_COOKIE].to_str().unwrap();
    for part in [
        "__Host-form=",
        "Path=/",
        "HttpOnly",
        "SameSite=Lax",
        "Secure",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

/// S17: another host, a long address, too many fields.
#[tokio::test]
async fn s17_requests_have_limits() {
    let stage = Stage::peopled().await;
    let mut viewer = stage.log_in("viewer").await;
    let mut request = viewer.request(Method::GET, "/alerts", String::new());
    request
        .headers_mut()
        .insert(header::HOST, "evil.example".parse().unwrap());
    assert_eq!(
        stage.send(request).await.status,
        StatusCode::MISDIRECTED_REQUEST
    );
    let long = format!("/alerts?q={}", "a".repeat(5_000));
    assert_eq!(
        stage.get(&mut viewer, &long).await.status,
        StatusCode::URI_TOO_LONG
    );
    let many = format!("/alerts?{}", "a=1&".repeat(500));
    assert_eq!(
        stage.get(&mut viewer, &many).await.status,
        StatusCode::BAD_REQUEST
    );
    // S13: doubled, and one that nobody asked for.
    let doubled = stage.get(&mut viewer, "/alerts?tab=all&tab=mine").await;
    assert_eq!(doubled.status, StatusCode::BAD_REQUEST);
    let mut admin = stage.log_in("administrator").await;
    let fields = [("login", "viewer"), ("role", "viewer"), ("n", "1")];
    let got = stage.post(&mut admin, "/people/change", &fields).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
}

/// S5, S6, S7, S8: nobody is there at first; a wrong login says nothing; a session is known by a hash, ends by itself,
/// by logging out, and when the rights change.
#[tokio::test]
async fn s5_to_s8_logins_and_sessions() {
    let empty = Stage::new();
    let mut browser = Browser::default();
    empty.get(&mut browser, "/login").await;
    for login in ["admin", "administrator", "root"] {
        let fields = [
            ("login", login),
            ("password", login),
            ("code", ""),
            ("next", ""),
        ];
        let got = empty.post(&mut browser, "/login", &fields).await;
        assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    }

    let stage = Stage::peopled().await;
    let mut browser = Browser::default();
    stage.get(&mut browser, "/login").await;
    let mut bodies = Vec::new();
    for login in ["viewer", "nobody"] {
        let fields = [
            ("login", login),
            ("password", "wrong"),
            ("code", ""),
            ("next", ""),
        ];
        let got = stage.post(&mut browser, "/login", &fields).await;
        assert_eq!(got.status, StatusCode::UNAUTHORIZED);
        bodies.push(got.text.replace(login, "LOGIN"));
    }
    assert_eq!(bodies[0], bodies[1]);

    let mut viewer = stage.log_in("viewer").await;
    assert!(
        !viewer.cookies.contains_key("form"),
        "the cookie from before the login is gone"
    );
    let token = viewer.cookies["session"].clone();
    assert_eq!(token.len(), 32);
    let dump = std::fs::read(stage.app.store.with_file_name("console.sqlite-wal")).unwrap();
    assert!(!dump.windows(32).any(|window| window == token.as_bytes()));

    // Idle, with the clock going on and going back.
    assert_eq!(
        stage.get(&mut viewer, "/alerts").await.status,
        StatusCode::OK
    );
    stage.pass(SignedDuration::from_mins(31));
    assert_eq!(
        stage.get(&mut viewer, "/alerts").await.status,
        StatusCode::SEE_OTHER
    );
    stage.pass(SignedDuration::from_mins(-120));
    assert_eq!(
        stage.get(&mut viewer, "/alerts").await.status,
        StatusCode::SEE_OTHER
    );
    stage.pass(SignedDuration::from_mins(120));
    // Absolute: used all the time, and over all the same.
    let mut viewer = stage.log_in("viewer").await;
    for _ in 0..29 {
        stage.pass(SignedDuration::from_mins(20));
        assert_eq!(
            stage.get(&mut viewer, "/alerts").await.status,
            StatusCode::OK
        );
    }
    stage.pass(SignedDuration::from_mins(21));
    assert_eq!(
        stage.get(&mut viewer, "/alerts").await.status,
        StatusCode::SEE_OTHER
    );
    // Logged out: the old cookie is good no more.
    let mut viewer = stage.log_in("viewer").await;
    let old = viewer.clone();
    assert_eq!(
        stage.post(&mut viewer, "/logout", &[]).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        stage.get(&mut old.clone(), "/alerts").await.status,
        StatusCode::SEE_OTHER
    );
    // Closed, and another role: at once.
    let mut viewer = stage.log_in("viewer").await;
    let mut admin = stage.log_in("administrator").await;
    let fields = [("login", "viewer"), ("role", "viewer"), ("disabled", "1")];
    assert_eq!(
        stage
            .post(&mut admin, "/people/change", &fields)
            .await
            .status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        stage.get(&mut viewer, "/alerts").await.status,
        StatusCode::SEE_OTHER
    );
    // S12: nobody changes his own role.
    let fields = [("login", "administrator"), ("role", "supervisor")];
    let got = stage.post(&mut admin, "/people/change", &fields).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// S3, S6: a one-time token, a second factor that counts once.
#[tokio::test]
async fn s3_and_s6_enrolling_with_a_second_factor() {
    let stage = Stage::with(ConsoleConfig::default());
    let actor = stage.actor();
    let token = stage
        .app
        .casebook
        .write_blocking(move |transaction| {
            people::add(
                transaction,
                &actor,
                "chen",
                "陈",
                Role::Administrator,
                &Regions::All,
            )
        })
        .unwrap();
    let mut browser = Browser::default();
    stage.get(&mut browser, "/enrol").await;
    let wrong = stage
        .post(&mut browser, "/enrol", &[("token", "0000")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = stage
        .post(&mut browser, "/enrol", &[("token", &token)])
        .await;
    assert!(form.text.contains("<svg"));
    let secret = form.text.split("name=\"secret\" value=\"").nth(1).unwrap();
    let secret = secret.split('"').next().unwrap().to_owned();
    let code = |at| people::totp_code(&secret, at).unwrap();
    let finish = |password: &'static str, code: String| {
        let (token, secret) = (token.clone(), secret.clone());
        let mut browser = browser.clone();
        let stage = &stage;
        async move {
            let fields = [
                ("token", token.as_str()),
                ("secret", &secret),
                ("password", password),
                ("again", password),
                ("code", &code),
            ];
            stage
                .post(&mut browser, "/enrol/finish", &fields)
                .await
                .status
        }
    };
    let step = SignedDuration::from_secs(30);
    assert_eq!(
        finish("short", code(stage.time())).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let too_old = stage.time().checked_sub(step * 2).unwrap();
    assert_eq!(
        finish(PASSWORD, code(too_old)).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        finish(PASSWORD, code(stage.time())).await,
        StatusCode::SEE_OTHER
    );
    // The token is used up.
    stage.pass(step);
    assert_eq!(
        finish(PASSWORD, code(stage.time())).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );

    let log_in = |code: String| {
        let mut browser = browser.clone();
        let stage = &stage;
        async move {
            let fields = [
                ("login", "chen"),
                ("password", PASSWORD),
                ("code", &code),
                ("next", ""),
            ];
            stage.post(&mut browser, "/login", &fields).await.status
        }
    };
    assert_eq!(log_in(String::new()).await, StatusCode::UNAUTHORIZED);
    let now = code(stage.time());
    assert_eq!(log_in(now.clone()).await, StatusCode::SEE_OTHER);
    // A code counts once; the one of the next step, which a fast clock shows, is good.
    assert_eq!(log_in(now).await, StatusCode::UNAUTHORIZED);
    let next = stage.time().checked_add(step).unwrap();
    assert_eq!(log_in(code(next)).await, StatusCode::SEE_OTHER);
    let older = stage.time();
    assert_eq!(log_in(code(older)).await, StatusCode::UNAUTHORIZED);
}

/// S11, S21, S22: a person's number is on no page but the one that a reason was given for, and so often an hour.
#[tokio::test]
async fn s21_and_s22_numbers_are_masked_and_revealed_with_a_reason() {
    let stage = Stage::peopled().await;
    let [_, person, _] = stage.ids();
    let number = crate::test_kit::person(1).reveal();
    let masked = crate::test_kit::person(1).masked();
    let mut reviewer = stage.log_in("reviewer").await;
    for path in ["/alerts", &format!("/alerts/{person}")] {
        let got = stage.get(&mut reviewer, path).await;
        assert!(
            got.text.contains(&masked) && !got.text.contains(&number),
            "{path}"
        );
    }
    assert_eq!(stage.trail(Kind::Read).len(), 1);
    // Found by the number in full; neither page nor address repeat it.
    let got = stage
        .post(&mut reviewer, "/alerts/search", &[("q", &number)])
        .await;
    let found = got.headers[header::LOCATION].to_str().unwrap().to_owned();
    assert!(!found.contains(&number));
    let got = stage.get(&mut reviewer, &found).await;
    assert!(got.text.contains(&person) && !got.text.contains(&number));
    assert!(got.text.contains(&masked));

    let path = format!("/alerts/{person}/reveal");
    let got = stage.post(&mut reviewer, &path, &[("reason", " ")]).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    let got = stage
        .post(&mut reviewer, &path, &[("reason", "核对户籍")])
        .await;
    assert!(got.text.contains(&number));
    let row = &stage.trail(Kind::Revealed)[0];
    assert_eq!(
        (row.login.as_str(), row.target.as_str(), row.note.as_str()),
        ("reviewer", person.as_str(), "核对户籍")
    );
    for _ in 1..50 {
        let got = stage.post(&mut reviewer, &path, &[("reason", "x")]).await;
        assert_eq!(got.status, StatusCode::OK);
    }
    let got = stage.post(&mut reviewer, &path, &[("reason", "x")]).await;
    assert_eq!(got.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!got.text.contains(&number));
    assert!(!stage.trail(Kind::Revealed)[0].ok);
    // S31, S26: the casebook itself holds no number in full.
    for name in ["console.sqlite", "console.sqlite-wal"] {
        let bytes = std::fs::read(stage.app.store.with_file_name(name)).unwrap();
        assert!(
            !bytes.windows(18).any(|window| window == number.as_bytes()),
            "{name}"
        );
    }
}

/// Whatever people type, the casebook keeps no number in full, nor does an address.
#[tokio::test]
async fn s22_no_number_that_is_typed_is_kept() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let number = crate::test_kit::person(1).reveal();
    let grouped = format!("{} {} {}", &number[..6], &number[6..14], &number[14..]);
    let wide: String = number
        .chars()
        .map(|c| match c.to_digit(10) {
            Some(_) => char::from_u32(u32::from(c) + 0xFEE0).unwrap(),
            None => c,
        })
        .collect();
    let mut reviewer = stage.log_in("reviewer").await;
    let mut viewer = stage.log_in("viewer").await;
    for typed in [&number, &grouped, &wide] {
        let version = stage.case(&alert).version.to_string();
        let text = format!("证件\n{typed}。");
        let fields = [("version", version.as_str()), ("note", text.as_str())];
        let path = format!("/alerts/{alert}/note");
        let got = stage.post(&mut reviewer, &path, &fields).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER);
        let view = [("name", typed.as_str()), ("query", "tab=all")];
        stage.post(&mut reviewer, "/views/save", &view).await;
        let got = stage.get(&mut viewer, &format!("/alerts/{alert}")).await;
        assert!(!got.text.contains(typed.as_str()), "{typed}");
        // A place that is not allowed is a row of the trail, too.
        let path = format!("/alerts/{number}/reveal");
        stage.post(&mut viewer, &path, &[("reason", "x")]).await;

        let mistyped = format!("证{}7", &number[..17]);
        for asked in [format!("证{typed}"), format!("“{typed}”"), mistyped] {
            let got = stage
                .post(&mut reviewer, "/alerts/search", &[("q", &asked)])
                .await;
            let place = got.headers[header::LOCATION].to_str().unwrap();
            assert!(!place.contains(&number[6..14]), "{place}");
        }
    }
    let kept = stage
        .app
        .casebook
        .read_blocking(|connection| {
            let mut texts: Vec<String> = Vec::new();
            for select in [
                "SELECT note FROM steps",
                "SELECT name FROM views",
                "SELECT target || ' ' || note FROM audit",
            ] {
                let mut rows = connection.prepare(select)?;
                let found = rows.query_map([], |row| row.get(0))?;
                texts.extend(found.collect::<Result<Vec<String>, _>>()?);
            }
            Ok(texts)
        })
        .unwrap();
    assert!(kept.iter().any(|text| text.contains("证件")));
    for text in kept {
        let digits: String = text.chars().filter(|c| c.is_numeric()).collect();
        for birth in [&number[6..14], &wide[18..42]] {
            assert!(!digits.contains(birth), "{text}");
        }
    }
}

/// S15, S16: what a source wrote is text, and what is searched for is a value.
#[tokio::test]
async fn s15_and_s16_texts_are_texts() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let mut reviewer = stage.log_in("reviewer").await;
    for foul in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'; DROP TABLE cases; --",
        "javascript:alert(1)",
        "</textarea><svg onload=alert(1)>",
        "{{7*7}}",
        "\u{202e}evil",
    ] {
        let version = stage.case(&alert).version.to_string();
        let fields = [("version", version.as_str()), ("note", foul)];
        let got = stage
            .post(&mut reviewer, &format!("/alerts/{alert}/note"), &fields)
            .await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{foul}");
        let got = stage.get(&mut reviewer, &format!("/alerts/{alert}")).await;
        for raw in ["<script>alert", "<img src=x", "<svg onload", "\u{202e}"] {
            assert!(!got.text.contains(raw), "{foul}");
        }
        let there = stage
            .post(&mut reviewer, "/alerts/search", &[("q", foul)])
            .await;
        let place = there.headers[header::LOCATION].to_str().unwrap().to_owned();
        let got = stage.get(&mut reviewer, &place).await;
        assert_eq!(got.status, StatusCode::OK);
        assert!(
            !got.text.contains("<script>alert") && !got.text.contains(&alert),
            "{foul}"
        );
    }
    // Wildcards are what they are.
    let got = stage.get(&mut reviewer, "/alerts?q=%25").await;
    assert!(!got.text.contains(&alert));
    let got = stage.get(&mut reviewer, "/alerts?q=9134").await;
    assert!(got.text.contains(&alert));
}

/// The whole life of a case with four eyes, from the alert to the closed letter.
#[tokio::test]
async fn a_case_from_alert_to_closed_letter() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let at = |what: &str| format!("/alerts/{alert}/{what}");
    let version = || stage.case(&alert).version.to_string();
    let mut reviewer = stage.log_in("reviewer").await;
    let mut supervisor = stage.log_in("supervisor").await;
    let done = StatusCode::SEE_OTHER;

    let fields = [("version", &*version()), ("to", "me")];
    assert_eq!(
        stage
            .post(&mut reviewer, &at("assign"), &fields)
            .await
            .status,
        done
    );
    assert_eq!(stage.case(&alert).state, cases::CaseState::Working);
    // Without a note nothing is decided.
    let fields = [("version", &*version()), ("reason", "S1"), ("note", " ")];
    let got = stage.post(&mut reviewer, &at("decide"), &fields).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [
        ("version", &*version()),
        ("reason", "S1"),
        ("note", "账目已核"),
    ];
    assert_eq!(
        stage
            .post(&mut reviewer, &at("decide"), &fields)
            .await
            .status,
        done
    );
    assert_eq!(stage.case(&alert).state, cases::CaseState::Review);
    // A reviewer has no right to approve; a supervisor who proposes cannot approve it either (below).
    let fields = [
        ("version", &*version()),
        ("answer", "approve"),
        ("note", ""),
    ];
    assert_eq!(
        stage
            .post(&mut reviewer, &at("answer"), &fields)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    // Returned with a word, proposed again, approved.
    let fields = [
        ("version", &*version()),
        ("answer", "return"),
        ("note", "请补充银行流水"),
    ];
    assert_eq!(
        stage
            .post(&mut supervisor, &at("answer"), &fields)
            .await
            .status,
        done
    );
    let fields = [
        ("version", &*version()),
        ("reason", "S1"),
        ("note", "流水已补充"),
    ];
    assert_eq!(
        stage
            .post(&mut reviewer, &at("decide"), &fields)
            .await
            .status,
        done
    );
    let fields = [
        ("version", &*version()),
        ("answer", "approve"),
        ("note", "同意"),
    ];
    assert_eq!(
        stage
            .post(&mut supervisor, &at("answer"), &fields)
            .await
            .status,
        done
    );
    let case = stage.case(&alert);
    assert_eq!(
        (case.state, case.stage),
        (cases::CaseState::Working, Some(cases::Stage::ToIssue))
    );
    // 2024-04-01 is a Monday; from Thursday 4 to Saturday 6 April nobody works, Sunday 7 April everybody does.
    assert_eq!(case.due.unwrap().to_string(), "2024-04-07");

    let fields = [
        ("version", &*version()),
        ("kind", "rectification"),
        ("to", "屯溪区税务局"),
    ];
    let got = stage.post(&mut reviewer, &at("letter"), &fields).await;
    let letter = got.headers[header::LOCATION].to_str().unwrap().to_owned();
    let page = stage.get(&mut reviewer, &letter).await.text;
    for part in [
        "改〔2024〕1号",
        "整改通知",
        "屯溪区税务局：",
        "2024年4月1日",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for _ in 0..3 {
        let fields = [("version", &*version()), ("note", "回执在卷")];
        assert_eq!(
            stage
                .post(&mut reviewer, &at("advance"), &fields)
                .await
                .status,
            done
        );
    }
    // Whoever reported it mended checks nothing; somebody else is shown it among what waits for him.
    let fields = [("version", &*version()), ("note", "已核实")];
    let page = stage.get(&mut reviewer, &format!("/alerts/{alert}")).await;
    assert!(page.text.contains("须由他人核实") && !page.text.contains("stage-note"));
    let got = stage.post(&mut reviewer, &at("advance"), &fields).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stage.case(&alert).stage, Some(cases::Stage::Rectified));
    for (browser, is_shown) in [(&mut reviewer, false), (&mut supervisor, true)] {
        let waiting = stage.get(browser, "/alerts?tab=approval").await.text;
        assert_eq!(waiting.contains(&alert), is_shown);
    }
    let got = stage.post(&mut supervisor, &at("advance"), &fields).await;
    assert_eq!(got.status, done);
    assert_eq!(stage.case(&alert).state, cases::CaseState::Closed);
    let precision = stage
        .app
        .casebook
        .read_blocking(|connection| decisions::precision(connection, &Regions::All))
        .unwrap();
    assert_eq!(precision["arrears"].hundredths(), Some(10_000));
    let closed = stage.get(&mut reviewer, "/alerts?tab=closed").await.text;
    assert!(closed.contains(&alert));
}

/// Nobody approves what he proposed: said by the page, and by the database to whoever gets past it.
#[tokio::test]
async fn four_eyes() {
    let stage = Stage::peopled().await;
    let [alert, _, small] = stage.ids();
    let mut supervisor = stage.log_in("supervisor").await;
    let version = stage.case(&alert).version.to_string();
    let fields = [("version", &*version), ("reason", "F1"), ("note", "x")];
    stage
        .post(&mut supervisor, &format!("/alerts/{alert}/decide"), &fields)
        .await;
    let page = stage
        .get(&mut supervisor, &format!("/alerts/{alert}"))
        .await
        .text;
    assert!(!page.contains("value=\"approve\""));
    let version = stage.case(&alert).version.to_string();
    let fields = [("version", &*version), ("answer", "approve"), ("note", "")];
    let got = stage
        .post(&mut supervisor, &format!("/alerts/{alert}/answer"), &fields)
        .await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stage.case(&alert).state, cases::CaseState::Review);
    let mut other = stage.log_in("supervisor2").await;
    let got = stage
        .post(&mut other, &format!("/alerts/{alert}/answer"), &fields)
        .await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.case(&alert).state, cases::CaseState::Closed);

    // Small ones are decided by one; in bulk never.
    let pair = format!("{small}:{}", stage.case(&small).version);
    let fields = [
        ("alert", &*pair),
        ("what", "close"),
        ("reason", "F2"),
        ("note", "x"),
    ];
    let got = stage.post(&mut supervisor, "/alerts/bulk", &fields).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(stage.case(&small).state, cases::CaseState::Review);
}

/// What is red is closed by two, whatever its amount.
#[tokio::test]
async fn four_eyes_on_what_is_red() {
    let stage = Stage::peopled().await;
    let [_, _, small] = stage.ids();
    let red = at_stake(arrears(2, 500, "341021"), 500, Severity::Red);
    stage.tell(batch(2, [update(red)]));
    let mut reviewer = stage.log_in("reviewer").await;
    let path = format!("/alerts/{small}");
    let page = stage.get(&mut reviewer, &path).await.text;
    assert!(page.contains("提交后须由他人复核"));
    let version = stage.case(&small).version.to_string();
    let fields = [("version", &*version), ("reason", "F1"), ("note", "x")];
    let decide = format!("{path}/decide");
    stage.post(&mut reviewer, &decide, &fields).await;
    assert_eq!(stage.case(&small).state, cases::CaseState::Review);
}

/// In the mending of a fault no decision of one alone ends it: not by a form that no page offers either.
#[tokio::test]
async fn mending_is_ended_by_two() {
    let stage = Stage::peopled().await;
    let [_, _, small] = stage.ids();
    let mut reviewer = stage.log_in("reviewer").await;
    let decide = format!("/alerts/{small}/decide");
    for (reason, state) in [
        ("S1", cases::CaseState::Working),
        ("F1", cases::CaseState::Review),
    ] {
        let version = stage.case(&small).version.to_string();
        let fields = [("version", &*version), ("reason", reason), ("note", "x")];
        let got = stage.post(&mut reviewer, &decide, &fields).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER);
        assert_eq!(stage.case(&small).state, state);
    }
}

/// No case is put aside for longer than the configuration says, and none without a day.
#[tokio::test]
async fn a_snooze_ends() {
    let stage = Stage::peopled().await;
    let [alert, _, small] = stage.ids();
    let mut reviewer = stage.log_in("reviewer").await;
    // Twenty business days after Monday 2024-04-01: Qingming is from the 4th to the 6th, and on Sundays 7 and 28 April
    // everybody works.
    let page = stage.get(&mut reviewer, &format!("/alerts/{alert}")).await;
    assert!(page.text.contains("max=\"2024-04-29\""));
    let path = format!("/alerts/{alert}/snooze");
    for (until, worse, expected) in [
        ("2024-04-01", "", StatusCode::UNPROCESSABLE_ENTITY),
        ("2024-04-30", "1", StatusCode::UNPROCESSABLE_ENTITY),
        ("", "", StatusCode::UNPROCESSABLE_ENTITY),
        ("", "1", StatusCode::SEE_OTHER),
    ] {
        let version = stage.case(&alert).version.to_string();
        let fields = [
            ("version", &*version),
            ("until", until),
            ("worse", worse),
            ("reason", "x"),
        ];
        let got = stage.post(&mut reviewer, &path, &fields).await;
        assert_eq!(got.status, expected, "{until}");
    }
    let case = stage.case(&alert);
    assert_eq!(case.snoozed_until.unwrap().to_string(), "2024-04-29");
    // Given back to nobody, it still comes back on its day.
    let version = case.version.to_string();
    let fields = [("version", &*version), ("to", "")];
    stage
        .post(&mut reviewer, &format!("/alerts/{alert}/assign"), &fields)
        .await;
    assert_eq!(stage.case(&alert).state, cases::CaseState::Snoozed);
    // On its day it comes back, worse or not.
    let now = stage.time();
    for (day, state) in [
        (b"2024-04-28", cases::CaseState::Snoozed),
        (b"2024-04-29", cases::CaseState::Pending),
    ] {
        let today = domain::BusinessDate::parse(day).unwrap();
        stage
            .app
            .casebook
            .write_blocking(move |transaction| follow::new_day(transaction, today, now))
            .unwrap();
        assert_eq!(stage.case(&alert).state, state);
    }
    // Worse before its day: at once.
    let version = stage.case(&small).version.to_string();
    let fields = [
        ("version", &*version),
        ("until", ""),
        ("worse", "1"),
        ("reason", "x"),
    ];
    stage
        .post(&mut reviewer, &format!("/alerts/{small}/snooze"), &fields)
        .await;
    assert_eq!(stage.case(&small).state, cases::CaseState::Snoozed);
    let worse = at_stake(arrears(2, 500, "341021"), 600, Severity::Blue);
    stage.tell(batch(2, [update(worse)]));
    assert_eq!(stage.case(&small).state, cases::CaseState::Pending);
}

/// Whoever was slower is shown who did what, and nothing of what he sent is done.
#[tokio::test]
async fn a_stale_form_shows_what_happened() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let mut one = stage.log_in("reviewer").await;
    let mut other = stage.log_in("reviewer2").await;
    let version = stage.case(&alert).version.to_string();
    let fields = [("version", &*version), ("note", "已电话联系")];
    stage
        .post(&mut one, &format!("/alerts/{alert}/note"), &fields)
        .await;
    let fields = [("version", &*version), ("to", "me")];
    let got = stage
        .post(&mut other, &format!("/alerts/{alert}/assign"), &fields)
        .await;
    assert_eq!(got.status, StatusCode::CONFLICT);
    assert!(got.text.contains("reviewer") && got.text.contains("已电话联系"));
    assert_eq!(stage.case(&alert).assignee, None);
}

/// An alert that changes or is withdrawn after a decision comes back to whoever decided.
#[tokio::test]
async fn news_bring_a_case_back() {
    let stage = Stage::peopled().await;
    let [_, _, small] = stage.ids();
    let mut reviewer = stage.log_in("reviewer").await;
    let version = stage.case(&small).version.to_string();
    let fields = [("version", &*version), ("reason", "F1"), ("note", "x")];
    stage
        .post(&mut reviewer, &format!("/alerts/{small}/decide"), &fields)
        .await;
    assert_eq!(stage.case(&small).state, cases::CaseState::Closed);
    stage.tell(batch(
        2,
        [update(at_stake(
            arrears(2, 500, "341021"),
            90_000,
            Severity::Yellow,
        ))],
    ));
    let case = stage.case(&small);
    assert_eq!((case.state, case.fresh), (cases::CaseState::Working, true));
    assert_eq!(case.weight_fen, 9_000_000);
    assert_eq!(case.assignee_name.as_deref(), Some("reviewer"));
    let page = stage.get(&mut reviewer, "/alerts?tab=mine").await.text;
    assert!(page.contains(&small) && page.contains("有新证据"));
    // Withdrawn: again, and it may only be closed by deciding anew.
    let gone = alerting::Update {
        finding: None,
        ..update(arrears(2, 500, "341021"))
    };
    stage.tell(batch(3, [gone]));
    let case = stage.case(&small);
    assert_eq!(
        (case.state, case.standing),
        (cases::CaseState::Working, Standing::Withdrawn)
    );
    assert!(
        stage
            .get(&mut reviewer, &format!("/alerts/{small}"))
            .await
            .text
            .contains("本预警已撤回")
    );
    // What nobody worked on goes by itself.
    let [first, _, _] = stage.ids();
    let gone = alerting::Update {
        finding: None,
        ..update(arrears(1, 200_000, "341002"))
    };
    stage.tell(batch(4, [gone]));
    assert_eq!(stage.case(&first).state, cases::CaseState::Closed);
}

/// S28, S33: an export has a reason and a row of the trail; each act has exactly one row.
#[tokio::test]
async fn s28_and_s33_exports_and_acts_are_recorded() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let mut reviewer = stage.log_in("reviewer").await;
    let fields = [("query", "tab=all"), ("reason", ""), ("format", "csv")];
    let got = stage.post(&mut reviewer, "/alerts/export", &fields).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stage.trail(Kind::Exported).len(), 0);
    for format in ["csv", "xlsx"] {
        let fields = [
            ("query", "tab=all"),
            ("reason", "季度核查"),
            ("format", format),
        ];
        let got = stage.post(&mut reviewer, "/alerts/export", &fields).await;
        assert_eq!(got.status, StatusCode::OK);
        let name = got.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert_eq!(
            name,
            format!("attachment; filename=\"alerts-2024-04-01.{format}\"")
        );
        if format == "csv" {
            assert!(got.text.contains(&alert) && got.text.contains("200000.00"));
            assert!(got.text.contains(&crate::test_kit::person(1).masked()));
            assert!(!got.text.contains(&crate::test_kit::person(1).reveal()));
        }
    }
    assert_eq!(stage.trail(Kind::Exported).len(), 2);
    assert!(stage.trail(Kind::Exported)[0].note.ends_with("季度核查"));
    let version = stage.case(&alert).version.to_string();
    let fields = [("version", &*version), ("to", "me")];
    stage
        .post(&mut reviewer, &format!("/alerts/{alert}/assign"), &fields)
        .await;
    assert_eq!(stage.trail(Kind::Worked).len(), 1);
    assert_eq!(
        stage
            .trail(Kind::Login)
            .iter()
            .filter(|row| row.login == "reviewer")
            .count(),
        1
    );
    let whole = stage
        .app
        .casebook
        .read_blocking(|connection| audit::verify(connection, None));
    assert!(matches!(whole.unwrap(), Verified::Whole { rows, .. } if rows > 20));
    let mut auditor = stage.log_in("auditor").await;
    let page = stage
        .get(&mut auditor, "/audit?verify=1&kind=exported")
        .await
        .text;
    assert!(page.contains("季度核查") && page.contains("哈希链完整"));
}

/// What no number can be read from is a page that is not there, in the reader's language.
#[tokio::test]
async fn an_address_that_names_nothing_is_a_page_of_ours() {
    let stage = Stage::peopled().await;
    let mut viewer = stage.log_in("viewer").await;
    for path in [
        "/letters/abc",
        "/letters/99999999999999999999",
        "/alerts/%FF",
    ] {
        let got = stage.get(&mut viewer, path).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND, "{path}");
        assert!(got.text.contains("没有此页"), "{path}");
    }
}

/// S6: nobody enrols in another's name and is not seen: whoever the account belongs to is shown it.
#[tokio::test]
async fn s6_what_happens_to_an_account_is_shown_to_its_owner() {
    let stage = Stage::peopled().await;
    let mut administrator = stage.log_in("administrator").await;
    let got = stage
        .post(&mut administrator, "/people/token", &[("login", "viewer")])
        .await;
    let token = got.text.split("<code>").nth(1).unwrap();
    let token = token.split('<').next().unwrap().to_owned();
    let mut other = Browser::default();
    stage.get(&mut other, "/enrol").await;
    let password = "另一个 桂花 密码 九月";
    let fields = [
        ("token", token.as_str()),
        ("password", password),
        ("again", password),
    ];
    let got = stage.post(&mut other, "/enrol/finish", &fields).await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    let fields = [
        ("login", "viewer"),
        ("password", PASSWORD),
        ("code", ""),
        ("next", ""),
    ];
    let got = stage.post(&mut other, "/login", &fields).await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    let events = stage
        .app
        .casebook
        .read_blocking(|connection| {
            audit::of_account(connection, "viewer", Timestamp::UNIX_EPOCH, 5)
        })
        .unwrap();
    let events: Vec<_> = events
        .iter()
        .map(|event| (event.kind.as_str(), event.login.as_str(), event.ok))
        .collect();
    let expected = [
        ("login", "", false),
        ("enrolled", "viewer", true),
        ("token-made", "administrator", true),
    ];
    assert_eq!(events[..3], expected);
    let mut administrator = stage.log_in("administrator").await;
    let page = stage.get(&mut administrator, "/account").await.text;
    assert!(page.contains("账户近况") && page.contains("发放口令"));
}

/// Two of one name are told apart where their decisions stand.
#[tokio::test]
async fn two_of_one_name_are_told_apart() {
    let stage = Stage::peopled().await;
    let [_, _, small] = stage.ids();
    stage
        .app
        .casebook
        .write_blocking(|transaction| {
            Ok(transaction
                .execute_batch("UPDATE people SET name = '王伟' WHERE login LIKE 'reviewer%'")?)
        })
        .unwrap();
    let mut reviewer = stage.log_in("reviewer").await;
    let path = format!("/alerts/{small}");
    let version = stage.case(&small).version.to_string();
    let fields = [("version", &*version), ("reason", "F1"), ("note", "x")];
    stage
        .post(&mut reviewer, &format!("{path}/decide"), &fields)
        .await;
    let page = stage.get(&mut reviewer, &path).await.text;
    // Who decided, what became of the case.
    assert!(page.matches("王伟 (reviewer)").count() >= 2);
    let mut supervisor = stage.log_in("supervisor").await;
    let page = stage.get(&mut supervisor, &path).await.text;
    assert!(!page.contains("supervisor (supervisor)"));
}

/// S26: sessions and tokens go when they have long been over; the trail does not.
#[tokio::test]
async fn s26_what_is_long_over_is_taken_away() {
    let stage = Stage::peopled().await;
    stage.log_in("viewer").await;
    let left = |days: i64| {
        let now = stage.time() + SignedDuration::from_hours(24 * days);
        let today = stage.desk.day(now);
        stage
            .app
            .casebook
            .write_blocking(move |transaction| {
                follow::new_day(transaction, today, now)?;
                let count = |table: &str| {
                    let sql = format!("SELECT count(*) FROM {table}");
                    transaction.query_row(&sql, [], |row| row.get::<_, i64>(0))
                };
                Ok((count("sessions")?, count("tokens")?, count("audit")?))
            })
            .unwrap()
    };
    let (sessions, tokens, rows) = left(29);
    assert!(sessions == 1 && tokens > 5 && rows > 10);
    assert_eq!(left(32), (0, 0, rows));
}

/// What SIGHUP brings is on the next page.
#[tokio::test]
async fn a_renewed_office_is_on_the_next_page() {
    let stage = Stage::peopled().await;
    let mut viewer = stage.log_in("viewer").await;
    let mut policy = Policy::huangshan();
    policy.pool.name = "歙州".to_owned();
    let office = alerting::mail::MailConfig::default();
    let office = office.office(Arc::new(policy)).unwrap();
    stage.desk.renewable().renew(office);
    let page = stage.get(&mut viewer, "/alerts").await.text;
    assert!(page.contains("歙州") && !page.contains("黄山市"));
}

/// S1: the number of passwords that are hashed at one time is small; the next is told to come again.
#[tokio::test]
async fn s1_only_a_few_are_hashed_at_once() {
    let stage = Stage::peopled().await;
    let mut browser = Browser::default();
    stage.get(&mut browser, "/login").await;
    let held = stage.app.hashing.acquire_many(2).await.unwrap();
    let fields = [
        ("login", "viewer"),
        ("password", PASSWORD),
        ("code", ""),
        ("next", ""),
    ];
    let got = stage.post(&mut browser, "/login", &fields).await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(got.headers.contains_key(header::RETRY_AFTER));
    drop(held);
    assert_eq!(
        stage.post(&mut browser, "/login", &fields).await.status,
        StatusCode::SEE_OTHER
    );
}

/// Pages in both languages; what is chosen is kept.
#[tokio::test]
async fn pages_are_in_the_readers_language() {
    let stage = Stage::peopled().await;
    let mut viewer = stage.log_in("viewer").await;
    assert!(
        stage
            .get(&mut viewer, "/alerts")
            .await
            .text
            .contains("<html lang=\"zh-CN\"")
    );
    let fields = [("lang", "en"), ("back", "/alerts")];
    let got = stage.post(&mut viewer, "/preferences", &fields).await;
    assert_eq!(got.headers[header::LOCATION], "/alerts");
    let text = stage.get(&mut viewer, "/alerts").await.text;
    assert!(text.contains("<html lang=\"en\"") && text.contains("Alert queue"));
    assert!(text.contains(&Money::from_yuan(200_000).grouped()));
}

/// S18: what two readers could understand in two ways is refused; hundreds of slow clients keep nobody out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s18_smuggled_requests_and_slow_clients() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stage = Stage::with(ConsoleConfig {
        listen: address,
        ..ConsoleConfig::default()
    });
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let pages = stage.router.clone();
    let served = tokio::spawn(alerting::http::serve_within(
        crate::LIMITS,
        listener,
        pages,
        stopping,
    ));
    let ask = async |head: String| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /login HTTP/1.1\r\nHost: ")
            .await
            .unwrap();
        slow.push(stream);
    }
    let host = format!("Host: {address}\r\nConnection: close\r\n");
    let answer = ask(format!("GET /login HTTP/1.1\r\n{host}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for twice in [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length: +4\r\n",
    ] {
        let answer = ask(format!("POST /login HTTP/1.1\r\n{host}{twice}\r\nabcd")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{twice:?}: {answer}");
    }
    // Of both, the chunks count, and the connection is not used again.
    let both = format!(
        "POST /login HTTP/1.1\r\nHost: {address}\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /enrol HTTP/1.1\r\n{host}\r\n"
    );
    let answer = ask(both).await;
    assert!(
        answer.matches("HTTP/1.1 ").count() <= 2 && answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    drop(slow);
    stop.send(true).unwrap();
    served.await.unwrap();
}

/// S18: where a request came from says the proxy, and only where there is one, and only what it saw itself.
#[tokio::test]
async fn s18_forwarded_addresses_are_the_proxys_word() {
    for (behind_tls_proxy, expected) in [(false, "unknown"), (true, "10.0.0.7")] {
        let stage = Stage::with(ConsoleConfig {
            second_factor: false,
            public_url: behind_tls_proxy.then(|| "https://fund.example.org".to_owned()),
            behind_tls_proxy,
            ..ConsoleConfig::default()
        });
        let mut browser = Browser::default();
        stage.get(&mut browser, "/login").await;
        let body = super::form::query([
            ("csrf", browser.csrf.as_str()),
            ("login", "nobody"),
            ("password", "x"),
            ("code", ""),
            ("next", ""),
        ]);
        let mut request = browser.request(Method::POST, "/login", body);
        let forged = "192.0.2.1, 10.0.0.7".parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", forged);
        assert_eq!(stage.send(request).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(stage.trail(Kind::Login)[0].address, expected);
    }
}
