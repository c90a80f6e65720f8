//! The API as a program sees it, without a socket. What a test of the security list proves is in its name.

use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{API_ROUTES, description};
use crate::casebook::audit::Kind;
use crate::casebook::{Actor, api_tokens, people};
use crate::rights::{Right, Role, Scope};
use crate::test_kit::person;
use crate::web::browsing::{Browser, Got, PASSWORD};
use crate::web::tests::{Stage, path_with};

/// Writes the description anew.
const REWRITE: &str = "FUNDWATCH_REWRITE_GOLDEN";

/// A request with a token, and a body if it is to have one.
fn request(token: Option<&str>, method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Browser::default().request(method, path, String::new());
    let headers = request.headers_mut();
    headers.remove(header::COOKIE);
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    headers.insert(header::ACCEPT_LANGUAGE, "en".parse().unwrap());
    if let Some(token) = token {
        headers.insert(
            header::AUTHORIZATION,
            format!("Bearer {token}").parse().unwrap(),
        );
    }
    *request.body_mut() = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    request
}

impl Stage {
    /// A token of somebody.
    fn token(&self, login: &str, scope: Scope) -> String {
        let (actor, login) = (self.actor(), login.to_owned());
        self.app
            .casebook
            .write_blocking(move |transaction| {
                let accounts = people::accounts(transaction)?;
                let account = accounts.into_iter().find(|of| of.person.login == login);
                let actor = Actor {
                    person: account.map(|account| account.person),
                    ..actor
                };
                api_tokens::make(transaction, &actor, "ERP", scope, 30)
            })
            .unwrap()
    }

    async fn read(&self, token: &str, path: &str) -> (StatusCode, Value) {
        answer(
            self.send(request(Some(token), Method::GET, path, None))
                .await,
        )
    }

    async fn act(&self, token: &str, path: &str, body: Value) -> (StatusCode, Value) {
        answer(
            self.send(request(Some(token), Method::POST, path, Some(body)))
                .await,
        )
    }
}

/// The answer, which is JSON whatever it says.
fn answer(got: Got) -> (StatusCode, Value) {
    let kind = got.headers[header::CONTENT_TYPE].to_str().unwrap();
    let is_good = got.status.is_success();
    assert_eq!(
        kind,
        if is_good {
            "application/json"
        } else {
            "application/problem+json"
        }
    );
    let value: Value = serde_json::from_str(&got.text).unwrap();
    assert!(is_good || value["status"] == got.status.as_u16(), "{value}");
    (got.status, value)
}

/// A body that the act of a path understands.
fn body_of(path: &str) -> Value {
    match path.rsplit('/').next().unwrap() {
        "assign" => json!({"version": 1, "to": null}),
        "note" | "return" | "reopen" | "advance" => json!({"version": 1, "note": "x"}),
        "snooze" => json!({"version": 1, "until": "2024-04-08", "reason": "x"}),
        "propose" => json!({"version": 1, "reason": "S2", "note": "x"}),
        "letters" => json!({"version": 1, "kind": "reminder", "to": "x"}),
        "search" => json!({"q": "9134"}),
        _ => json!({"version": 1}),
    }
}

/// The description is that of the code, and kept beside the documentation.
#[test]
fn the_description_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/console/openapi.json");
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&path, description::text()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == description::text(),
        "docs/console/openapi.json is not what the code says: {REWRITE}=1 cargo test -p console --lib api writes it \
         anew; look at the difference"
    );
}

/// No route without its description, and none described that is not there.
#[test]
fn every_route_is_described() {
    let all: Value = serde_json::from_str(description::text()).unwrap();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, item) in all["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.push((method.to_uppercase(), path.clone()));
        }
    }
    let mut routes: Vec<(String, String)> = API_ROUTES
        .iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    described.sort();
    routes.sort();
    assert_eq!(described, routes);
}

/// The matrix of the API: nobody, a browser's session, and each role with a token of each scope, on each route.
#[tokio::test]
async fn g26_every_route_of_the_api_asks_for_its_right() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let supervisor = stage.log_in("supervisor").await;
    for route in API_ROUTES {
        let path = path_with(route.path, &alert);
        let body = (route.method == Method::POST).then(|| body_of(&path));
        let mut with_cookies = request(None, route.method.clone(), &path, body.clone());
        let cookies = supervisor.request(Method::GET, &path, String::new());
        let cookies = cookies.headers()[header::COOKIE].clone();
        with_cookies.headers_mut().insert(header::COOKIE, cookies);
        for asked in [
            request(None, route.method.clone(), &path, body),
            with_cookies,
        ] {
            let got = stage.send(asked).await;
            let is_open = route.right == Right::Open;
            assert_eq!(got.status == StatusCode::OK, is_open, "{path}");
            assert_eq!(got.status == StatusCode::UNAUTHORIZED, !is_open, "{path}");
            assert_eq!(got.headers.contains_key(header::WWW_AUTHENTICATE), !is_open);
        }
    }
    let mut tried = 0;
    for role in Role::ALL {
        for scope in Scope::ALL {
            let token = stage.token(role.as_str(), scope);
            for route in API_ROUTES {
                let path = path_with(route.path, &alert);
                let body = (route.method == Method::POST).then(|| body_of(&path));
                let denied = stage.trail(Kind::Denied).len();
                let asked = request(Some(&token), route.method.clone(), &path, body);
                let (status, problem) = answer(stage.send(asked).await);
                let may = role.may(route.right) && scope.may(route.right);
                let what = format!(
                    "{role:?} {scope:?} on {} {path}: {status} {problem}",
                    route.method
                );
                assert_eq!(status == StatusCode::FORBIDDEN, !may, "{what}");
                assert!(!status.is_server_error(), "{what}");
                let recorded = stage.trail(Kind::Denied).len() - denied;
                // There is no letter yet, which is recorded, too.
                let is_missing = path == "/api/v1/letters/1" && status == StatusCode::NOT_FOUND;
                assert_eq!(recorded, usize::from(!may || is_missing), "{what}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, Role::ALL.len() * Scope::ALL.len() * API_ROUTES.len());
}

/// S11: the case of a foreign region is as missing as one that is not there, on every route and in every list.
#[tokio::test]
async fn s11_a_foreign_region_is_missing_at_the_api() {
    let stage = Stage::peopled().await;
    let [foreign, person, ours] = stage.ids();
    for role in [
        Role::Viewer,
        Role::Reviewer,
        Role::Supervisor,
        Role::Auditor,
    ] {
        let token = stage.token(&format!("she-{}", role.as_str()), Scope::Work);
        for route in API_ROUTES
            .iter()
            .filter(|route| route.path.contains("{id}"))
        {
            if !role.may(route.right) {
                continue;
            }
            let mut answers = Vec::new();
            for (alert, note) in [
                (foreign.as_str(), "of another region"),
                ("00000000000000000000000000000000", "there is none"),
            ] {
                let path = path_with(route.path, alert);
                let body = (route.method == Method::POST).then(|| body_of(&path));
                let asked = request(Some(&token), route.method.clone(), &path, body);
                answers.push(answer(stage.send(asked).await));
                // The trail alone tells them apart.
                let row = &stage.trail(Kind::Denied)[0];
                assert_eq!((row.target.as_str(), row.note.as_str()), (&*path, note));
            }
            assert_eq!(
                answers[0].0,
                StatusCode::NOT_FOUND,
                "{role:?} {}",
                route.path
            );
            assert_eq!(answers[0], answers[1], "{role:?} {}", route.path);
        }
        for query in ["", "?region=341002"] {
            let (_, queue) = stage.read(&token, &format!("/api/v1/cases{query}")).await;
            let text = queue.to_string();
            assert_eq!(text.contains(&ours), query.is_empty());
            assert!(!text.contains(&foreign) && !text.contains(&person));
        }
    }
    assert_eq!(stage.case(&foreign).version, 1);
}

/// S10: no act by GET, none without JSON, none that is too large; the router's own refusals are problems, too.
#[tokio::test]
async fn s10_requests_are_as_described() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let token = stage.token("reviewer", Scope::Work);
    for route in API_ROUTES
        .iter()
        .filter(|route| route.method == Method::POST)
    {
        let path = path_with(route.path, &alert);
        let got = stage
            .send(request(Some(&token), Method::GET, &path, None))
            .await;
        assert_eq!(got.headers[header::ALLOW], "POST", "{path}");
        assert_eq!(answer(got).0, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    let path = format!("/api/v1/cases/{alert}/note");
    let mut form = request(Some(&token), Method::POST, &path, None);
    let kind = "application/x-www-form-urlencoded".parse().unwrap();
    form.headers_mut().insert(header::CONTENT_TYPE, kind);
    assert_eq!(
        answer(stage.send(form).await).0,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let large = json!({"version": 1, "note": "a".repeat(70_000)});
    assert_eq!(
        stage.act(&token, &path, large).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let long = format!("/api/v1/cases?q={}", "a".repeat(5_000));
    assert_eq!(stage.read(&token, &long).await.0, StatusCode::URI_TOO_LONG);
    assert_eq!(
        stage.read(&token, "/api/v1/letters/one").await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        stage.read(&token, "/api/v1/nothing").await.0,
        StatusCode::NOT_FOUND
    );
    let mut elsewhere = request(Some(&token), Method::GET, "/api/v1/me", None);
    let host = "evil.example".parse().unwrap();
    elsewhere.headers_mut().insert(header::HOST, host);
    assert_eq!(
        answer(stage.send(elsewhere).await).0,
        StatusCode::MISDIRECTED_REQUEST
    );
    assert_eq!(stage.case(&alert).version, 1);
}

/// S13: what is not described is refused, and the field at fault is named; what was sent is not repeated.
#[tokio::test]
async fn s13_the_field_at_fault_is_named() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let token = stage.token("reviewer", Scope::Work);
    let path = |act: &str| format!("/api/v1/cases/{alert}/{act}");
    for (act, body, code, field) in [
        ("note", json!({"version": 1}), 400, "note"),
        ("note", json!({"version": "341002"}), 400, "version"),
        (
            "note",
            json!({"version": 1, "note": "x", "role": "supervisor"}),
            400,
            "role",
        ),
        ("assign", json!({"version": 1}), 400, "to"),
        ("assign", json!({"version": 1, "to": 4_711}), 422, "to"),
        (
            "snooze",
            json!({"version": 1, "until": "tomorrow", "reason": "x"}),
            422,
            "until",
        ),
        (
            "snooze",
            json!({"version": 1, "until": "2024-03-01", "reason": "x"}),
            422,
            "until",
        ),
        (
            "snooze",
            json!({"version": 1, "until": "2024-05-06", "reason": "x"}),
            422,
            "until",
        ),
        (
            "snooze",
            json!({"version": 1, "until": "2024-04-08", "reason": " "}),
            422,
            "reason",
        ),
        (
            "propose",
            json!({"version": 1, "reason": "Q9", "note": "x"}),
            422,
            "reason",
        ),
        (
            "propose",
            json!({"version": 1, "reason": "S2", "note": " "}),
            422,
            "note",
        ),
        (
            "letters",
            json!({"version": 1, "kind": "threat", "to": "x"}),
            400,
            "kind",
        ),
        (
            "letters",
            json!({"version": 1, "kind": "reminder", "to": " "}),
            422,
            "to",
        ),
    ] {
        let (status, problem) = stage.act(&token, &path(act), body).await;
        assert_eq!(status.as_u16(), code, "{act} {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{act} {problem}");
        assert!(!problem.to_string().contains("341002"), "{problem}");
    }
    for (query, field) in [
        ("tab=none", "tab"),
        ("page=0", "page"),
        ("page=401", "page"),
        ("region=1", "region"),
        ("sort=urgency&sort=urgency", "sort"),
        ("subject=AB", "subject"),
    ] {
        let (status, problem) = stage.read(&token, &format!("/api/v1/cases?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    for path in [
        "/api/v1/cases?role=x",
        "/api/v1/me?tab=all",
        "/api/v1/audit/verification?x",
    ] {
        let token = stage.token("auditor", Scope::Read);
        assert_eq!(
            stage.read(&token, path).await.0,
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
    let mut broken = request(Some(&token), Method::POST, &path("note"), None);
    *broken.body_mut() = Body::from("{\"version\": 1,");
    let (status, problem) = answer(stage.send(broken).await);
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        problem["detail"].as_str().unwrap().contains("line 1"),
        "{problem}"
    );
    assert_eq!(stage.case(&alert).version, 1);
}

/// A token is shown once, kept by its hash, listed and revoked by its owner alone, and ends by itself; every way it ends
/// is the end at the next request, and each of its uses after that is a row.
#[tokio::test]
async fn s6_tokens_begin_and_end() {
    let stage = Stage::peopled().await;
    let mut reviewer = stage.log_in("reviewer").await;
    let fields = |days: &'static str, password: &'static str| {
        [
            ("name", "ERP"),
            ("scope", "read"),
            ("days", days),
            ("password", password),
        ]
    };
    let make = "/account/tokens/make";
    for (days, password) in [
        ("366", PASSWORD),
        ("0", PASSWORD),
        ("x", PASSWORD),
        ("365", "wrong"),
    ] {
        let got = stage
            .post(&mut reviewer, make, &fields(days, password))
            .await;
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY, "{days}");
    }
    let got = stage
        .post(&mut reviewer, make, &fields("365", PASSWORD))
        .await;
    let token = got.text.split_once("<code>").unwrap().1;
    let token = token.split('<').next().unwrap().to_owned();
    assert!(
        token.starts_with("fundwatch_") && token.len() == 42,
        "{token}"
    );
    let (_, me) = stage.read(&token, "/api/v1/me").await;
    assert_eq!(me["login"], "reviewer");
    assert_eq!(me["token"]["scope"], "read");
    let page = stage.get(&mut reviewer, "/account").await.text;
    assert!(page.contains("ERP") && !page.contains(&token));
    let dump = std::fs::read(stage.app.store.with_file_name("console.sqlite-wal")).unwrap();
    assert!(
        !dump
            .windows(token.len())
            .any(|window| window == token.as_bytes())
    );
    assert_eq!(stage.trail(Kind::ApiTokenMade).len(), 1);

    // Somebody else's is missing; the owner's ends at once.
    let mut other = stage.log_in("reviewer2").await;
    let revoke = "/account/tokens/revoke";
    let got = stage.post(&mut other, revoke, &[("n", "1")]).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.read(&token, "/api/v1/me").await.0, StatusCode::OK);
    let got = stage.post(&mut reviewer, revoke, &[("n", "1")]).await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    assert_eq!(
        stage.read(&token, "/api/v1/me").await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(stage.trail(Kind::ApiTokenRevoked).len(), 1);
    let denied = &stage.trail(Kind::Denied)[0];
    assert_eq!(
        (denied.login.as_str(), denied.note.as_str()),
        ("reviewer", "token 1: revoked")
    );

    // By itself, after its days; a clock that goes back prolongs nothing that was not made by then.
    let token = stage.token("viewer", Scope::Read);
    stage.pass(SignedDuration::from_hours(30 * 24 - 1));
    assert_eq!(stage.read(&token, "/api/v1/me").await.0, StatusCode::OK);
    stage.pass(SignedDuration::from_hours(1));
    assert_eq!(
        stage.read(&token, "/api/v1/me").await.0,
        StatusCode::UNAUTHORIZED
    );
    stage.pass(SignedDuration::from_hours(-31 * 24));
    assert_eq!(
        stage.read(&token, "/api/v1/me").await.0,
        StatusCode::UNAUTHORIZED
    );
    stage.pass(SignedDuration::from_hours(31 * 24));

    // Rights are those of now; an account that is closed has no token, and has none when it is opened again.
    let token = stage.token("viewer", Scope::Work);
    let mut admin = stage.log_in("administrator").await;
    let change = "/people/change";
    let fields = [
        ("login", "viewer"),
        ("role", "viewer"),
        ("region", "341021"),
    ];
    stage.post(&mut admin, change, &fields).await;
    let (_, queue) = stage.read(&token, "/api/v1/cases").await;
    assert_eq!(queue["total"], 1);
    let fields = [("login", "viewer"), ("role", "viewer"), ("disabled", "1")];
    stage.post(&mut admin, change, &fields).await;
    assert_eq!(
        stage.read(&token, "/api/v1/me").await.0,
        StatusCode::UNAUTHORIZED
    );
    stage.post(&mut admin, change, &fields[..2]).await;
    assert_eq!(
        stage.read(&token, "/api/v1/me").await.0,
        StatusCode::UNAUTHORIZED
    );
    // So has one whose sessions were ended: the machine with the token may be lost.
    let token = stage.token("auditor", Scope::Read);
    let fields = [("login", "auditor")];
    stage.post(&mut admin, "/people/sessions", &fields).await;
    assert_eq!(
        stage.read(&token, "/api/v1/me").await.0,
        StatusCode::UNAUTHORIZED
    );
}

/// S4: of many guesses few are looked at and recorded; a token that is right is held up by none of them.
#[tokio::test]
async fn s4_guessed_tokens_are_slowed_down() {
    let stage = Stage::peopled().await;
    let token = stage.token("viewer", Scope::Read);
    let mut looked_at = 0;
    for n in 0..100 {
        let (status, _) = stage
            .read(&format!("fundwatch_{n:032}"), "/api/v1/me")
            .await;
        looked_at += usize::from(status == StatusCode::UNAUTHORIZED);
        stage.pass(SignedDuration::from_secs(1));
    }
    assert!((20..=24).contains(&looked_at), "{looked_at}");
    assert_eq!(stage.trail(Kind::Denied).len(), looked_at);
    assert_eq!(stage.read(&token, "/api/v1/me").await.0, StatusCode::OK);
    // Nor is anybody's login.
    stage.log_in("viewer").await;
}

/// Whoever is slower is told what the other did; two who take turns bring a case to its end, and nobody approves his own,
/// whichever way he comes.
#[tokio::test]
async fn a_case_is_worked_on_by_version_and_four_eyes() {
    let stage = Stage::peopled().await;
    let [alert, _, _] = stage.ids();
    let path = |act: &str| format!("/api/v1/cases/{alert}/{act}");
    let supervisor = stage.token("supervisor", Scope::Work);
    let other = stage.token("supervisor2", Scope::Work);
    let (status, case) = stage
        .act(&supervisor, &path("take"), json!({"version": 1}))
        .await;
    assert_eq!(
        (status, &case["version"]),
        (StatusCode::OK, &json!(2)),
        "{case}"
    );
    assert_eq!(case["assignee"]["name"], "supervisor");
    assert_eq!(case["at_stake_fen"], 20_000_000);

    let (status, problem) = stage
        .act(&other, &path("take"), json!({"version": 1}))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    let since = &problem["since"][0];
    assert_eq!(
        (&since["who"], &since["kind"], &since["version"]),
        (&json!("supervisor"), &json!("assigned"), &json!(2))
    );

    let proposal = json!({"version": 2, "reason": "S2", "note": "x"});
    let (_, case) = stage.act(&supervisor, &path("propose"), proposal).await;
    assert_eq!(case["state"], "review");
    let (status, problem) = stage
        .act(&supervisor, &path("approve"), json!({"version": 3}))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let mut page = stage.log_in("supervisor").await;
    let fields = [("version", "3"), ("answer", "approve"), ("note", "")];
    let got = stage
        .post(&mut page, &format!("/alerts/{alert}/answer"), &fields)
        .await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, shown) = stage
        .read(&supervisor, &format!("/api/v1/cases/{alert}"))
        .await;
    assert!(!shown["may"].as_array().unwrap().contains(&json!("approve")));
    let (_, shown) = stage.read(&other, &format!("/api/v1/cases/{alert}")).await;
    assert!(shown["may"].as_array().unwrap().contains(&json!("approve")));
    let (status, case) = stage
        .act(&other, &path("approve"), json!({"version": 3}))
        .await;
    assert_eq!(
        (status, &case["state"]),
        (StatusCode::OK, &json!("closed")),
        "{case}"
    );

    let (_, case) = stage
        .act(&other, &path("reopen"), json!({"version": 4, "note": "x"}))
        .await;
    assert_eq!(case["state"], "working");
    let letter = json!({"version": 5, "kind": "reminder", "to": "区税务局"});
    let asked = request(Some(&other), Method::POST, &path("letters"), Some(letter));
    let got = stage.send(asked).await;
    let place = got.headers[header::LOCATION].to_str().unwrap().to_owned();
    let (status, letter) = answer(got);
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(stage.read(&supervisor, &place).await.1, letter);
    assert_eq!(letter["number"], "提〔2024〕1号");

    // The trail says who, and with which token.
    let auditor = stage.token("auditor", Scope::Read);
    let (_, trail) = stage.read(&auditor, "/api/v1/audit?kind=decided").await;
    let rows = trail["rows"].as_array().unwrap();
    let who: Vec<&str> = rows
        .iter()
        .map(|row| row["login"].as_str().unwrap())
        .collect();
    assert_eq!(who, ["supervisor2", "supervisor2", "supervisor"]);
    assert!(rows[0]["address"].as_str().unwrap().ends_with("(token 2)"));
    let (_, verified) = stage.read(&auditor, "/api/v1/audit/verification").await;
    assert_eq!(verified["is_whole"], true);
}

/// A person's number is starred wherever it appears, each look is recorded, and no address carries one.
#[tokio::test]
async fn persons_are_masked_and_looks_recorded() {
    let stage = Stage::peopled().await;
    let [_, alert, _] = stage.ids();
    let number = person(1).reveal();
    let token = stage.token("viewer", Scope::Read);
    for (path, note) in [("", ""), ("/subject", "subject")] {
        let path = format!("/api/v1/cases/{alert}{path}");
        let (status, shown) = stage.read(&token, &path).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!shown.to_string().contains(&number) && shown.to_string().contains("****"));
        let row = &stage.trail(Kind::Read)[0];
        assert_eq!(
            (row.target.as_str(), row.note.as_str()),
            (alert.as_str(), note)
        );
    }
    assert_eq!(stage.trail(Kind::Read).len(), 2);

    let (status, problem) = stage
        .read(&token, &format!("/api/v1/cases?q={number}"))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!problem.to_string().contains(&number));
    let (_, found) = stage
        .act(&token, "/api/v1/search", json!({"q": number}))
        .await;
    let key = found["subject"].as_str().unwrap();
    let (_, queue) = stage
        .read(&token, &format!("/api/v1/cases?subject={key}"))
        .await;
    assert_eq!(queue["cases"][0]["alert"], alert.as_str());
    assert_eq!(queue["total"], 1);
}
