//! Asks other programs over HTTP, TLS by rustls. Follows no redirection, keeps no cookie, and waits for nobody for long.

use std::path::Path;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::mail::config::is_loopback;
use crate::mail::text::scrub;

/// The longest text of an answer or an error that is kept.
const TEXT_MAX: usize = 200;
/// Bytes of an answer that are read at most.
const ANSWER_BYTES_MAX: usize = 4_096;

/// Keeps connections from request to request.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Body>,
    patience: Duration,
}

/// What the other side said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: StatusCode,
    /// Its first words, cleaned.
    pub words: String,
}

impl Client {
    /// A client that trusts the system's authorities, and those of a PEM file.
    ///
    /// # Errors
    /// The file cannot be read, or no authority is to be had.
    pub fn new(ca_file: Option<&Path>, patience: Duration) -> Result<Client, String> {
        let mut roots = RootCertStore::empty();
        // One that cannot be read is one less to trust.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            let wrong =
                |error: &dyn std::fmt::Display| format!("ca_file: `{}`: {error}", path.display());
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Client {
            pool: Pool::builder(TokioExecutor::new()).build(connector),
            patience,
        })
    }

    /// Posts JSON with some headers more.
    ///
    /// # Errors
    /// There was no answer: trying again may help.
    pub(crate) async fn post(
        &self,
        url: &Uri,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let mut request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        let (status, answer) = self.ask(request, ANSWER_BYTES_MAX).await?;
        // A long answer, or one that breaks off, is an answer all the same.
        let words = scrub(&String::from_utf8_lossy(&answer.unwrap_or_default()));
        Ok(Answer {
            status,
            words: words.chars().take(TEXT_MAX).collect(),
        })
    }

    /// Sends a request, and reads what is answered; `None` if that is longer than so many bytes, or breaks off.
    ///
    /// # Errors
    /// There was no answer: trying again may help.
    pub async fn ask(
        &self,
        mut request: Request<Body>,
        bytes_max: usize,
    ) -> Result<(StatusCode, Option<Bytes>), String> {
        let us = HeaderValue::from_static(concat!("fundwatch/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, us);
        let exchange = async {
            let response = self.pool.request(request).await.map_err(|e| text_of(&e))?;
            let status = response.status();
            let answer = to_bytes(Body::new(response.into_body()), bytes_max).await;
            Ok((status, answer.ok()))
        };
        match tokio::time::timeout(self.patience, exchange).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", self.patience.as_secs())),
        }
    }
}

/// Whether nobody on the way reads what is sent to an address: it is `https`, or this very machine's; and it holds no password.
pub fn is_private(url: &Uri) -> bool {
    let is_plain = url
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@'));
    is_plain
        && match url.scheme_str() {
            Some("https") => true,
            Some("http") => url.host().is_some_and(is_loopback),
            _ => false,
        }
}

/// The error with its causes, fit for the store and the log.
fn text_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    scrub(&text).chars().take(TEXT_MAX).collect()
}
