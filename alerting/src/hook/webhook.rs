//! Tells one program of alerts: each telling a signed post, until it is acknowledged.
//!
//! Promise: each telling at least once, of one alert in order, every attempt under the same
//! idempotency key. What is signed is the timestamp of the attempt, a full stop, and the body.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, Uri};
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::config::WebhookConfig;
use crate::back_off;
use crate::blocking::Blocking;
use crate::client::{Answer, Client};
use crate::life::EventKind;
use crate::mail::text::scrub;
use crate::mail::{Clock, who};
use crate::metrics::{Metrics, PostResult};
use crate::store::{HookQueue, HookResult, PendingHook, StoreError, Telling};

/// When the attempt was made, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "x-fundwatch-timestamp";
/// `sha256=` and the HMAC-SHA256 in hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-fundwatch-signature";
const KEY_HEADER: &str = "idempotency-key";
/// Posts that are under way at once.
const BATCH: usize = 8;
/// Looked for rows at least so often, should a wake-up be missed.
const POLL: Duration = Duration::from_secs(5);
/// Facts named in a post at most.
const EVIDENCE_MAX: usize = 100;

/// One program that is told.
pub struct Webhook {
    name: String,
    url: Uri,
    key: Arc<hmac::Key>,
    client: Client,
    queue: Blocking<HookQueue>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Webhook {
    /// A webhook by its configuration. Reads the secret.
    ///
    /// # Errors
    /// What is wrong, with its key.
    pub fn new(
        config: &WebhookConfig,
        queue: HookQueue,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Webhook, String> {
        let wrong = |error: String| format!("webhooks `{}`: {error}", config.name);
        let secret = config.secret().map_err(wrong)?;
        let url = config
            .url
            .parse()
            .map_err(|_| wrong("url: is no address".to_owned()))?;
        let patience = Duration::from_secs(config.timeout_seconds);
        Ok(Webhook {
            name: config.name.clone(),
            url,
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
            client: Client::new(config.ca_file.as_deref(), patience).map_err(wrong)?,
            queue: Blocking::new(queue),
            metrics,
            clock,
        })
    }

    /// Posts what is committed, until `stop` turns true. `wake` is rung by the store.
    ///
    /// # Errors
    /// If the store fails in a way that trying again does not mend.
    pub async fn run(
        self,
        wake: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let mut failures = 0;
        // It is away, or its doors are closed: no use to try one telling after the other.
        let mut closed_until = None;
        while !*stop.borrow_and_update() {
            let woken = wake.notified();
            let now = (self.clock)();
            if closed_until.is_none_or(|until| until <= now) {
                match self.round(now).await {
                    Ok(Round::Went) => {
                        failures = 0;
                        continue;
                    }
                    Ok(Round::Failed) => {
                        let pause = back_off::pause(&self.name, failures);
                        closed_until = now.checked_add(pause).ok();
                        failures += 1;
                    }
                    Ok(Round::Idle) => {}
                    Err(error) if error.is_retryable() => {}
                    Err(error) => return Err(error),
                }
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// One batch.
    async fn round(&self, now: Timestamp) -> Result<Round, StoreError> {
        let name = self.name.clone();
        let due = self
            .queue
            .call(move |queue| queue.due(&name, now, BATCH))
            .await?;
        if due.is_empty() {
            return Ok(Round::Idle);
        }
        let mut posts = JoinSet::new();
        for pending in due {
            posts.spawn(self.post(&pending, now));
        }
        let mut results = Vec::new();
        while let Some(result) = posts.join_next().await {
            // A post that panicked is tried again: its row is as it was.
            if let Ok(result) = result {
                results.push(result);
            }
        }
        let failed = results
            .iter()
            .all(|(_, result)| matches!(result, HookResult::Retry { .. }));
        for (seq, result) in &results {
            self.note(*seq, result);
        }
        let name = self.name.clone();
        self.queue
            .call(move |queue| queue.settle(&name, &results))
            .await?;
        Ok(if failed { Round::Failed } else { Round::Went })
    }

    fn note(&self, seq: i64, result: &HookResult) {
        let hook = self.name.as_str();
        self.metrics.posted(match result {
            HookResult::Taken => PostResult::Taken,
            HookResult::Refused(error) => {
                tracing::error!(hook, seq, ?error, "a webhook refused a telling for good");
                PostResult::Refused
            }
            HookResult::Retry { due, error } => {
                tracing::warn!(hook, seq, ?error, retry_at = %due, "a webhook could not be told");
                PostResult::Retried
            }
        });
    }

    /// One attempt at one telling.
    fn post(
        &self,
        pending: &PendingHook,
        now: Timestamp,
    ) -> impl Future<Output = (i64, HookResult)> + Send + use<> {
        let telling = &pending.telling;
        let (seq, attempts) = (telling.seq, pending.attempts);
        let key = format!("{}.{}", telling.alert.id, telling.revision);
        let body = body(telling).to_string().into_bytes();
        let timestamp = now.as_second().to_string();
        let signature = format!("sha256={}", sign(&self.key, &timestamp, &body));
        let (client, url) = (self.client.clone(), self.url.clone());
        async move {
            let headers = [
                (TIMESTAMP_HEADER, timestamp.as_str()),
                (SIGNATURE_HEADER, signature.as_str()),
                (KEY_HEADER, key.as_str()),
            ];
            let answer = client.post(&url, &headers, body).await;
            let due = now
                .checked_add(back_off::pause(&key, attempts))
                .unwrap_or(now);
            let result = match answer {
                Err(error) => HookResult::Retry { due, error },
                Ok(answer) if answer.status.is_success() => HookResult::Taken,
                Ok(answer) if is_of_this_telling(answer.status) => {
                    HookResult::Refused(said(&answer))
                }
                // It does not know us, or is overloaded: somebody mends that, and the tellings wait.
                Ok(answer) => HookResult::Retry {
                    due,
                    error: said(&answer),
                },
            };
            (seq, result)
        }
    }
}

/// What came of a batch.
enum Round {
    /// Nothing was due.
    Idle,
    /// Something was settled.
    Went,
    /// All are to be tried again.
    Failed,
}

/// Whether a status says that this telling will never be taken, whoever sends it and when.
fn is_of_this_telling(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    )
}

fn said(answer: &Answer) -> String {
    format!("{} {}", answer.status.as_u16(), answer.words)
}

/// The signature in hexadecimal digits.
pub(super) fn sign(key: &hmac::Key, timestamp: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    let tag = context.sign();
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A telling as programs outside see it: as on the alerts topic, but without a person's number.
pub(super) fn body(telling: &Telling) -> Value {
    let alert = &telling.alert;
    let state = match telling.kind {
        EventKind::Withdrawn => "withdrawn",
        _ => alert.state.as_str(),
    };
    let evidence: Vec<String> = alert
        .evidence
        .iter()
        .take(EVIDENCE_MAX)
        .map(|id| scrub(id))
        .collect();
    json!({
        "version": 1,
        "event": telling.kind.as_str(),
        "revision": telling.revision,
        "told_at": telling.told_at.to_string(),
        "cause": telling.cause.as_deref().map(scrub),
        "alert": {
            "id": alert.id,
            "detector": alert.detector,
            "subject": who(alert),
            "region": alert.region,
            "period": alert.period,
            "item": alert.item.as_deref().map(scrub),
            "state": state,
            "opened_on": alert.opened_on,
            "cleared_on": alert.cleared_on,
            "amount": alert.amount,
            "peak": alert.peak,
            "episodes": alert.episodes,
            "severity": alert.severity,
            "evidence": evidence,
            "evidence_count": alert.evidence.len(),
            "policy": alert.policy,
            "details": scrubbed(&Value::Object(alert.details.clone())),
        },
    })
}

fn scrubbed(value: &Value) -> Value {
    match value {
        Value::String(text) => scrub(text).into(),
        Value::Array(values) => values.iter().map(scrubbed).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (scrub(key), scrubbed(value)))
            .collect(),
        other => other.clone(),
    }
}
