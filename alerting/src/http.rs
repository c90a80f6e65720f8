//! `/metrics`, `/healthz` and `/readyz`, for a listener of their own: they need no login.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::metrics::Exporter;

/// Whether the program is alive, and what keeps it from its work.
pub struct Health {
    silence_max: Duration,
    inner: Mutex<Inner>,
}

struct Inner {
    last_beat: Instant,
    /// Reasons not to be ready, by the part that has them.
    reasons: BTreeMap<&'static str, String>,
}

impl Health {
    /// Alive as long as a heartbeat comes at least every `silence_max`; ready, until a part objects.
    pub fn new(silence_max: Duration) -> Health {
        Health {
            silence_max,
            inner: Mutex::new(Inner {
                last_beat: Instant::now(),
                reasons: BTreeMap::new(),
            }),
        }
    }

    /// The work goes on.
    pub fn beat(&self) {
        self.lock().last_beat = Instant::now();
    }

    /// A part, e.g. `kafka` or `store`, cannot work, for this reason.
    pub fn object(&self, part: &'static str, reason: impl Into<String>) {
        self.lock().reasons.insert(part, reason.into());
    }

    /// The part can work again.
    pub fn agree(&self, part: &'static str) {
        self.lock().reasons.remove(part);
    }

    /// How long there was no heartbeat, if that is too long.
    pub fn silence(&self) -> Option<Duration> {
        let silence = self.lock().last_beat.elapsed();
        (silence > self.silence_max).then_some(silence)
    }

    /// What keeps the program from its work.
    pub fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.lock().reasons.clone()
    }

    /// Whether nothing keeps the program from its work.
    pub fn is_ready(&self) -> bool {
        self.silence().is_none() && self.lock().reasons.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Shared {
    exporter: Arc<Exporter>,
    health: Arc<Health>,
}

/// The three pages.
pub fn router(exporter: Arc<Exporter>, health: Arc<Health>) -> Router {
    let shared = Shared { exporter, health };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .layer(map_response(with_safe_headers))
        .layer(from_fn_with_state(shared.clone(), counted))
        .with_state(shared)
}

/// What no page's template stands for: whoever asks for a million addresses makes one series.
const NO_PAGE: &str = "other";

/// Counts the answer by the page's template, and how long it took.
async fn counted(
    State(shared): State<Shared>,
    page: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let response = next.run(request).await;
    let route = page.as_ref().map_or(NO_PAGE, MatchedPath::as_str);
    let code = response.status().as_u16();
    let metrics = shared.exporter.metrics();
    metrics.answered(route, code, began.elapsed());
    response
}

/// Serves the pages until `stop` turns true.
pub async fn serve(
    listener: TcpListener,
    exporter: Arc<Exporter>,
    health: Arc<Health>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    axum::serve(listener, router(exporter, health))
        .with_graceful_shutdown(async move {
            // An error means that nobody is left who could ask to stop.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let is_ready = shared.health.is_ready();
    let scrape = tokio::task::spawn_blocking(move || shared.exporter.scrape(is_ready)).await;
    match scrape {
        Ok(Ok(text)) => {
            faults::point!("http.scraped");
            let format = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, format)], text).into_response()
        }
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a scrape failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn healthz(State(shared): State<Shared>) -> Response {
    match shared.health.silence() {
        None => "ok\n".into_response(),
        Some(silence) => {
            let text = format!("no heartbeat for {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn readyz(State(shared): State<Shared>) -> Response {
    #[derive(Serialize)]
    struct Readiness {
        ready: bool,
        reasons: BTreeMap<&'static str, String>,
    }
    let mut reasons = shared.health.reasons();
    if let Some(silence) = shared.health.silence() {
        let text = format!("no heartbeat for {} s", silence.as_secs());
        reasons.insert("heartbeat", text);
    }
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::to_string(&Readiness { ready, reasons }).unwrap_or_default();
    let format = "application/json";
    (status, [(header::CONTENT_TYPE, format)], body).into_response()
}

/// No browser is to make anything of these pages.
async fn with_safe_headers(mut response: Response) -> Response {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::AlertIdentity;
    use crate::metrics::Metrics;
    use crate::store::Store;
    use crate::test_kit::now;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn get(at: std::net::SocketAddr, page: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = format!("GET {page} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_three_pages() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("fund.db"), &AlertIdentity::default()).unwrap();
        let metrics = Arc::new(Metrics::new("0.1.0", "abc"));
        let exporter = Exporter::new(Arc::clone(&metrics), store.path(), now).unwrap();
        let health = Arc::new(Health::new(Duration::from_millis(300)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(serve(
            listener,
            Arc::new(exporter),
            Arc::clone(&health),
            stopped,
        ));

        health.beat();
        assert!(get(at, "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(get(at, "/metrics").await.contains("fundwatch_build_info{"));
        assert!(get(at, "/other").await.starts_with("HTTP/1.1 404"));
        assert!(
            get(at, "/metrics/34100219")
                .await
                .starts_with("HTTP/1.1 404")
        );
        health.beat();
        health.object("kafka", "no broker \"a\" is there");
        let answer = get(at, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("nosniff"), "{answer}");
        let body = r#"{"ready":false,"reasons":{"kafka":"no broker \"a\" is there"}}"#;
        assert!(answer.ends_with(body), "{answer}");
        health.agree("kafka");
        health.beat();
        assert!(get(at, "/readyz").await.contains(r#"{"ready":true"#));

        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(get(at, "/healthz").await.starts_with("HTTP/1.1 503"));
        assert!(get(at, "/readyz").await.contains("heartbeat"));
        // By template and code; an address that is none of ours is in no label.
        let text = metrics.encode().unwrap();
        for line in [
            "fundwatch_http_requests_total{code=\"200\",route=\"/healthz\"} 1",
            "fundwatch_http_requests_total{code=\"503\",route=\"/readyz\"} 2",
            "fundwatch_http_requests_total{code=\"404\",route=\"other\"} 2",
            "fundwatch_http_request_seconds_count 8",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(!text.contains("34100219"), "{text}");
        stop.send(true).unwrap();
        server.await.unwrap().unwrap();
    }
}
