//! SIGHUP: reads the configuration once more, and takes what may change while the program runs.
//!
//! That is the policy with its calendar, the recipients of mails, and the times within which feeds must close. It is all
//! checked aside first: what is wrong leaves everything as it was, and is said in the log and a metric. What is good is
//! left for the edge of an epoch. Anything else in the file takes a start, the names of places in mails, too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerting::metrics::Metrics;
use domain::RegionCode;
use rules::{Policy, PolicyText};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, ConfigErrors};
use crate::live::{Pace, Reload, Reloads};
use crate::run::measure_pool;

/// SIGHUP changes nothing in a process that does not lead: it goes by what the leader takes.
pub async fn leave_to_the_leader(pace: Arc<Pace>) {
    let Ok(mut hang_up) = signal(SignalKind::hangup()) else {
        return;
    };
    while !pace.is_stopping() && hang_up.recv().await.is_some() {
        tracing::info!(
            "SIGHUP: a changed configuration is taken by process 0, and goes to all; the files here count at the next start"
        );
    }
}

/// Waits for SIGHUP.
pub struct Reloader {
    path: PathBuf,
    /// The policy that was last taken.
    text: PolicyText,
    policy: Policy,
    /// Where the feeds find what was read.
    pub reloads: Reloads,
}

impl Reloader {
    /// For the file that the program was started with.
    ///
    /// # Errors
    /// The policy cannot be read.
    pub fn new(path: &Path, config: &Config) -> Result<Reloader, ConfigErrors> {
        let (text, policy) = load(config)?;
        Ok(Reloader {
            path: path.to_owned(),
            text,
            policy,
            reloads: Reloads::default(),
        })
    }

    /// Reads anew at each SIGHUP, until the program stops.
    pub async fn run(mut self, pace: Arc<Pace>, metrics: Arc<Metrics>) {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => {
                tracing::error!(%error, "cannot wait for SIGHUP: a changed configuration takes a start");
                return;
            }
        };
        while !pace.is_stopping() && hang_up.recv().await.is_some() {
            let read = tokio::task::spawn_blocking(move || {
                let read = self.read();
                (self, read)
            });
            let Ok((again, read)) = read.await else {
                return;
            };
            self = again;
            metrics.reloaded(read.is_ok());
            measure_pool(&metrics, &self.policy);
            match read {
                Ok(is_policy_new) => {
                    tracing::info!(is_policy_new, "the configuration was read anew")
                }
                Err(errors) => tracing::error!(
                    faults = %errors,
                    "the changed configuration is refused, and all stays as it was"
                ),
            }
        }
    }

    /// Checks everything, and leaves it for the feeds; whether the policy is another.
    fn read(&mut self) -> Result<bool, ConfigErrors> {
        let (config, _) = Config::load(&self.path)?;
        let (text, policy) = load(&config)?;
        if places(&policy) != places(&self.policy) {
            return Err(ConfigErrors(vec![format!(
                "{}: pool, time zone or regions are others than at the start: stop the program and start it again",
                config.policy.display()
            )]));
        }
        let routing = config.routing()?;
        let is_new = text != self.text;
        self.reloads.leave(Reload {
            policy: Arc::new(policy.clone()),
            text: is_new.then(|| text.clone()),
            routing,
            close_within: config.close_within(),
        });
        (self.text, self.policy) = (text, policy);
        Ok(is_new)
    }
}

fn load(config: &Config) -> Result<(PolicyText, Policy), ConfigErrors> {
    PolicyText::load(&config.policy).map_err(|errors| ConfigErrors(vec![errors.to_string()]))
}

/// What facts that are kept refer to.
fn places(policy: &Policy) -> (RegionCode, &str, Vec<RegionCode>) {
    let regions = policy.pool.regions.iter().map(|region| region.code);
    (policy.pool.code, &policy.pool.time_zone, regions.collect())
}
