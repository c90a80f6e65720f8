//! `/metrics`, `/healthz` and `/readyz`, for a listener of their own: they need no login.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

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

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at one time; others wait until there is room.
    pub connections: usize,
    /// A request has to be there so soon after the connection, or after the answer before it.
    pub request_within: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// A connection is closed when it is so old: whoever wants more makes another.
    pub life: Duration,
}

const LIMITS: Limits = Limits {
    connections: 64,
    // A scraper may come every minute over one connection.
    request_within: Duration::from_secs(75),
    head_bytes: 16 * 1024,
    life: Duration::from_secs(300),
};
/// Answers that are under way are finished within this.
const FINISHES_WITHIN: Duration = Duration::from_secs(2);
/// After the system could not hand out a connection, e.g. because there are too many files open.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves the pages until `stop` turns true.
///
/// # Errors
/// None as it stands: what clients do wrong is theirs.
pub async fn serve(
    listener: TcpListener,
    exporter: Arc<Exporter>,
    health: Arc<Health>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    serve_within(LIMITS, listener, router(exporter, health), stop).await;
    Ok(())
}

/// Serves pages within limits until `stop` turns true. Each request knows its peer, as [`ConnectInfo`].
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    pages: Router,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request_within)
        .max_buf_size(limits.head_bytes);
    let mut open = JoinSet::new();
    loop {
        // Nobody is let in for whom there is no room: the system keeps those that wait, and refuses when they are many.
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let served = connection(
                    builder.clone(),
                    stream,
                    peer,
                    pages.clone(),
                    limits.life,
                    stop.clone(),
                );
                open.spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the pages could not be taken");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn connection(
    builder: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    pages: Router,
    life: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let pages = TowerToHyperService::new(pages);
    // Not as a layer of the pages: that would make all of them anew for each connection.
    let pages = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        pages.call(request)
    });
    let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), pages));
    // What goes wrong with a connection is its client's affair.
    tokio::select! {
        _ = served.as_mut() => return,
        () = stopped(&mut stop) => {}
        () = tokio::time::sleep(life) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(FINISHES_WITHIN, served).await;
}

/// Returns when `stop` turns true; an error means that nobody is left who could ask to.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
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

    /// Pages with small limits.
    async fn narrow() -> (
        std::net::SocketAddr,
        watch::Sender<bool>,
        tokio::task::JoinHandle<()>,
    ) {
        let limits = Limits {
            connections: 2,
            request_within: Duration::from_millis(400),
            head_bytes: 8 * 1024,
            life: Duration::from_millis(900),
        };
        let pages = Router::new().route("/", axum::routing::get(|| async { "here\n" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        (
            at,
            stop,
            tokio::spawn(serve_within(limits, listener, pages, stopped)),
        )
    }

    /// Reads until the server closes the connection.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        // A connection that is reset is closed, too.
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .expect("the server closes the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn slow_clients_take_nobody_elses_place_for_long() {
        let (at, stop, server) = narrow().await;
        // All the room there is, taken by two that never finish their request.
        let mut slow = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
            slow.push(stream);
        }
        let started = Instant::now();
        assert!(get(at, "/").await.ends_with("here\n"));
        assert!(
            Duration::from_millis(300) < started.elapsed(),
            "there was room"
        );
        for stream in &mut slow {
            assert!(!rest(stream).await.contains("here"));
        }
        // One that asks again and again has its time, too.
        let mut stream = TcpStream::connect(at).await.unwrap();
        let asks = async {
            while stream
                .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                .await
                .is_ok()
            {
                let mut part = [0; 512];
                if !matches!(stream.read(&mut part).await, Ok(1..)) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), asks)
            .await
            .expect("its time ends");
        stop.send(true).unwrap();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_long_head_is_refused() {
        let (at, stop, server) = narrow().await;
        let mut stream = TcpStream::connect(at).await.unwrap();
        let head = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
            "x".repeat(20_000)
        );
        // The server may have closed before all of it is written.
        let _ = stream.write_all(head.as_bytes()).await;
        assert!(!rest(&mut stream).await.contains("200 OK"));
        assert!(get(at, "/").await.ends_with("here\n"));
        // Whoever is there and says nothing does not hold up the end.
        let _idle = TcpStream::connect(at).await.unwrap();
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), server)
            .await
            .unwrap()
            .unwrap();
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
