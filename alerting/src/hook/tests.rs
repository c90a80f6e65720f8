//! Webhooks and Alertmanager, against servers that do as they are told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use domain::{Detector, Severity, Subject};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::webhook::body;
use super::*;
use crate::identity::AlertIdentity;
use crate::mail::{Clock, MailConfig};
use crate::metrics::Metrics;
use crate::routing::Routing;
use crate::store::{Channel, HookQueue, Store, Telling};
use crate::test_kit::{
    arrears, batch, cleared, evidence, finding, gone, now, person, routing, update,
};

const SECRET: &str = "0123456789abcdef";

/// What a server answers, in order, then 204; and what it got.
#[derive(Clone, Default)]
struct Peer {
    script: Arc<Mutex<VecDeque<u16>>>,
    seen: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Peer {
    async fn start(path: &str, script: &[u16]) -> (Peer, String) {
        let peer = Peer {
            script: Arc::new(Mutex::new(script.iter().copied().collect())),
            ..Peer::default()
        };
        let pages = Router::new()
            .route(path, post(answer))
            .with_state(peer.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, pages).await });
        (peer, format!("http://{at}"))
    }

    fn seen(&self) -> Vec<(HeaderMap, String)> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(State(peer): State<Peer>, headers: HeaderMap, body: String) -> StatusCode {
    peer.seen.lock().unwrap().push((headers, body));
    let next = peer.script.lock().unwrap().pop_front().unwrap_or(204);
    StatusCode::from_u16(next).unwrap()
}

fn config(text: &str) -> WebhookConfig {
    toml::from_str(text).unwrap()
}

fn store(folder: &TempDir) -> Store {
    Store::open(&folder.path().join("fund.db"), &AlertIdentity::default()).unwrap()
}

/// Ten minutes pass in a second.
fn fast_clock() -> Clock {
    let start = Instant::now();
    Arc::new(move || -> Timestamp { now() + start.elapsed() * 600 })
}

fn wired(hook: &WebhookConfig) -> Routing {
    let mut routing = routing([]);
    routing.hooks.push(hook.hook());
    routing
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn each_fault_of_the_tables_is_named() {
    let hooks = [
        config("name = \"a\"\nurl = \"https://h.example/x\"\nsecret_env = \"X\""),
        config(
            "name = \"a\"\nurl = \"http://h.example/\"\nsecret_env = \"X\"\nsecret_file = \"y\"",
        ),
        config(
            "name = \"b c\"\nurl = \"https://u:p@h.example/\"\ndetectors = [\"arrear\"]\ntimeout_seconds = 0",
        ),
        config("name = \"d\"\nurl = \"http://127.0.0.1:8080/\"\nsecret_env = \"X\""),
    ];
    let mut errors = Vec::new();
    WebhookConfig::check_all(&hooks, &mut errors);
    let all = errors.join("\n");
    for words in [
        "webhooks[1].name: is there already",
        "webhooks[1].url: `http` sends alerts in clear text",
        "webhooks[1].secret_env: contradicts",
        "webhooks[2].name: must be",
        "webhooks[2].url: a name or password",
        "webhooks[2].secret_file: missing",
        "did you mean `arrears`?",
        "webhooks[2].timeout_seconds",
    ] {
        assert!(all.contains(words), "{words} in\n{all}");
    }
    assert_eq!(errors.len(), 8, "{all}");
    let short = config("name = \"a\"\nurl = \"https://h.example/\"\nsecret_env = \"PATH_OF_NONE\"");
    assert!(short.secret().is_err());
}

#[test]
fn a_post_holds_no_number_of_a_person() {
    let who = person(5);
    let mut one = finding(Detector::DuplicatePayout, Subject::Person(who), 500);
    let number = one.key.subject.reveal();
    one.key.item = Some(format!("item_{number}"));
    one.evidence = vec![evidence(&format!("P.{number}.1"))];
    one.details
        .insert("note".into(), vec![format!("x {number}")].into());
    let telling = Telling {
        seq: 1,
        alert: domain::Alert::new("id1".to_owned(), &one),
        revision: 2,
        kind: crate::life::EventKind::Changed,
        cause: Some(format!("agency.payout/P.{number}.1")),
        before: None,
        told_at: now(),
    };
    let text = body(&telling).to_string();
    assert!(!text.contains(&number), "{text}");
    assert!(text.contains("********"), "{text}");
}

/// Computed with another implementation.
const SIGNED: &str = "57c66284568f9c5b77a84daf0870338c861ff877fda94460a5751125c11a1110";

#[test]
fn what_is_signed_is_timestamp_and_body() {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    assert_eq!(
        super::webhook::sign(&key, "1711958400", b"{\"a\":1}"),
        SIGNED
    );
}

#[tokio::test]
async fn tellings_go_out_in_order_until_they_are_taken_or_refused() {
    let (peer, url) = Peer::start("/told", &[503, 401, 204, 422]).await;
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let hook = config(&format!(
        "name = \"casework\"\nurl = \"{url}/told\"\nsecret_file = {:?}",
        secret.display().to_string()
    ));
    let mut store = store(&folder);
    let routing = wired(&hook);
    let queue = HookQueue::open(store.path()).unwrap();
    let metrics = Arc::new(Metrics::new("0", "0"));
    let webhook = Webhook::new(&hook, queue, Arc::clone(&metrics), fast_clock()).unwrap();
    let (stop, stopped) = watch::channel(false);
    let wake = store.wakers().hooks;
    let task = tokio::spawn(webhook.run(wake, stopped));
    let steps = [
        update(arrears(1, 100)),
        update(cleared(arrears(1, 100))),
        gone(&arrears(1, 100)),
    ];
    for (epoch, step) in steps.into_iter().enumerate() {
        store
            .commit(&batch(epoch as u64, [step]), &routing, now())
            .unwrap();
    }
    let reader = store.reader().unwrap();
    until("all are settled", || {
        // It sleeps by the real clock, which is slower than that of the test.
        store.wakers().hooks.notify_waiters();
        reader.outbox(Channel::Webhook).unwrap().pending == 0
    })
    .await;
    let seen = peer.seen();
    let events: Vec<_> = seen
        .iter()
        .map(|(headers, body)| {
            let body: Value = serde_json::from_str(body).unwrap();
            let key = headers["idempotency-key"].to_str().unwrap();
            let revision = key.rsplit_once('.').unwrap().1;
            format!("{revision} {}", body["event"].as_str().unwrap())
        })
        .collect();
    // Two answers that somebody has to mend, one that takes it, one that never will, and the last.
    assert_eq!(
        events,
        [
            "1 raised",
            "1 raised",
            "1 raised",
            "2 cleared",
            "3 withdrawn"
        ]
    );
    assert_eq!(reader.refused().unwrap().len(), 1);
    let state: Value = serde_json::from_str(&seen[4].1).unwrap();
    assert_eq!(state["alert"]["state"], "withdrawn");
    for (headers, body) in &seen {
        let timestamp = headers[TIMESTAMP_HEADER].to_str().unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let expected = format!(
            "sha256={}",
            super::webhook::sign(&key, timestamp, body.as_bytes())
        );
        assert_eq!(headers[SIGNATURE_HEADER], expected);
        assert_eq!(headers["content-type"], "application/json");
    }
    let text = metrics.encode().unwrap();
    for line in [
        "fundwatch_webhook_posts_total{result=\"taken\"} 2",
        "fundwatch_webhook_posts_total{result=\"retried\"} 2",
        "fundwatch_webhook_posts_total{result=\"refused\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn alertmanager_hears_what_is_open_and_what_is_over() {
    let (peer, url) = Peer::start("/api/v2/alerts", &[500]).await;
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let routing = routing([]);
    let mut grave = arrears(1, 100);
    grave.severity = Severity::Red;
    let steps = [grave.clone(), arrears(2, 20), arrears(3, 5)].map(update);
    store.commit(&batch(1, steps), &routing, now()).unwrap();
    let config = AlertmanagerConfig {
        urls: vec![url],
        every_seconds: 1,
        ..AlertmanagerConfig::default()
    };
    let policy = Arc::new(rules::Policy::huangshan());
    let office = MailConfig::default().office(policy).unwrap();
    let metrics = Arc::new(Metrics::new("0", "0"));
    let clock: Clock = Arc::new(now);
    let pusher = Alertmanager::new(
        &config,
        "341000",
        office,
        store.reader().unwrap(),
        metrics,
        clock,
    );
    let pusher = pusher.unwrap().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(pusher.run(store.wakers().hooks, stopped));
    until("it was told twice", || peer.seen().len() >= 2).await;
    store
        .commit(&batch(2, [update(cleared(grave))]), &routing, now())
        .unwrap();
    let over = "\"endsAt\":\"2024-04-01T08:00:00Z\"";
    until("it was told what is over", || {
        peer.seen().iter().any(|(_, body)| body.contains(over))
    })
    .await;
    let first: Value = serde_json::from_str(&peer.seen()[0].1).unwrap();
    let labels: Vec<String> = first
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| {
            format!(
                "{} {}",
                alert["labels"], alert["annotations"]["amount_yuan"]
            )
        })
        .collect();
    let label = |severity: &str| {
        format!(
            "{{\"alertname\":\"arrears\",\"job\":\"fundwatch\",\"pool\":\"341000\",\"region\":\"341002\",\"severity\":\"{severity}\"}}"
        )
    };
    assert_eq!(
        labels,
        [
            format!("{} \"25.00\"", label("blue")),
            format!("{} \"100.00\"", label("red"))
        ]
    );
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
