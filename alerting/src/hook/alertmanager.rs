//! Pushes what is open to Prometheus' Alertmanager, API v2, for those who route and silence there.
//!
//! One alert of Alertmanager's for each detector, region and severity that has open ones of ours: its
//! labels are of closed lists, and nothing ever names a person or an enterprise. How many there are,
//! and what is at stake, stands in annotations. What is over is said once, and else ends by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use domain::{Detector, Money, RegionCode, Severity};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::config::AlertmanagerConfig;
use crate::blocking::Blocking;
use crate::client::Client;
use crate::mail::{Clock, Office};
use crate::metrics::{Metrics, PostResult};
use crate::renewable::Renewable;
use crate::store::{OpenByPlace, Reader, StoreError};

/// Alerts in one post at most.
const POST_MAX: usize = 500;
/// An alert that is not pushed again ends after so many times.
const ENDS_AFTER: i32 = 3;
/// After a change, before the next push: an epoch rarely comes alone.
const SETTLE: Duration = Duration::from_secs(1);

type Key = (Detector, RegionCode, Severity);

/// Tells Alertmanager what is open.
pub struct Alertmanager {
    urls: Vec<Uri>,
    client: Client,
    every: Duration,
    min_severity: Severity,
    office: Renewable<Office>,
    pool: String,
    reader: Blocking<Reader>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Alertmanager {
    /// By its configuration; `None` if no server is named. `pool` is the pool's code.
    ///
    /// # Errors
    /// What is wrong, with its key.
    pub fn new(
        config: &AlertmanagerConfig,
        pool: &str,
        office: Office,
        reader: Reader,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Option<Alertmanager>, String> {
        if config.urls.is_empty() {
            return Ok(None);
        }
        let mut urls = Vec::new();
        for url in &config.urls {
            let url = format!("{}/api/v2/alerts", url.trim_end_matches('/'));
            let url = url
                .parse()
                .map_err(|_| format!("alertmanager.urls: `{url}` is no address"))?;
            urls.push(url);
        }
        let patience = Duration::from_secs(config.timeout_seconds);
        let client = Client::new(config.ca_file.as_deref(), patience)
            .map_err(|error| format!("alertmanager.{error}"))?;
        Ok(Some(Alertmanager {
            urls,
            client,
            every: Duration::from_secs(config.every_seconds),
            min_severity: config.min_severity,
            office: Renewable::new(office),
            pool: pool.to_owned(),
            reader: Blocking::new(reader),
            metrics,
            clock,
        }))
    }

    /// Where names of places are from: another may take its place while it runs.
    pub fn office(&self) -> Renewable<Office> {
        self.office.clone()
    }

    /// Pushes at once, after changes and every so often, until `stop` turns true. `wake` is rung by
    /// the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn run(
        self,
        wake: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let mut firing = BTreeSet::new();
        while !*stop.borrow_and_update() {
            let woken = wake.notified();
            let open = self.reader.call(|reader| reader.open_by_place()).await?;
            self.push(open, &mut firing).await;
            tokio::select! {
                () = async { woken.await; tokio::time::sleep(SETTLE).await } => {}
                () = tokio::time::sleep(self.every) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// Says what is open, and what of `firing` no longer is.
    async fn push(&self, mut open: OpenByPlace, firing: &mut BTreeSet<Key>) {
        open.retain(|(_, _, severity), _| self.min_severity <= *severity);
        let now = (self.clock)();
        let every = SignedDuration::try_from(self.every).unwrap_or(SignedDuration::from_secs(60));
        let ends = now
            .checked_add(every * ENDS_AFTER)
            .unwrap_or(Timestamp::MAX);
        let over = firing.iter().filter(|key| !open.contains_key(key));
        let over = over.map(|key| self.alert(key, (0, Money::ZERO), now));
        let alerts: Vec<Value> = open
            .iter()
            .map(|(key, sum)| self.alert(key, *sum, ends))
            .chain(over)
            .collect();
        if alerts.is_empty() {
            return;
        }
        let mut all_taken = true;
        for url in &self.urls {
            for part in alerts.chunks(POST_MAX) {
                let body = Value::from(part).to_string().into_bytes();
                let answer = self.client.post(url, &[], body).await;
                let taken = match answer {
                    Ok(answer) if answer.status.is_success() => Ok(()),
                    Ok(answer) => Err(format!("{} {}", answer.status.as_u16(), answer.words)),
                    Err(error) => Err(error),
                };
                if let Err(error) = &taken {
                    tracing::warn!(?error, "Alertmanager could not be told; it is told again");
                }
                all_taken &= taken.is_ok();
                self.metrics.pushed(match taken {
                    Ok(()) => PostResult::Taken,
                    Err(_) => PostResult::Retried,
                });
            }
        }
        // That something is over is said until all have heard it.
        if all_taken {
            firing.clear();
        }
        firing.extend(open.into_keys());
    }

    fn alert(&self, key: &Key, (count, amount): (u64, Money), ends: Timestamp) -> Value {
        let (detector, region, severity) = key;
        let office = self.office.now();
        let name = office.region(region.as_str());
        let mut alert = json!({
            "labels": {
                "alertname": detector.as_str(),
                "job": "fundwatch",
                "pool": self.pool,
                "region": region.as_str(),
                "severity": severity.as_str(),
            },
            "annotations": {
                "summary": format!("{name} {detector}: {count}"),
                "region_name": name,
                "open": count.to_string(),
                "amount_yuan": amount.to_string(),
            },
            "endsAt": ends.to_string(),
        });
        if let Some(link) = office.link_to_all() {
            alert["generatorURL"] = link.into();
        }
        alert
    }
}
