//! SIGHUP: reads the configuration once more, and takes what may change while the program runs.
//!
//! That is the policy with its calendar and names of places, the recipients of mails and their pace, and the times within
//! which feeds must close. It is all checked aside first: what is wrong leaves everything as it was. What is good is left for
//! the edge of an epoch. Either way it is said in the log, a metric, and a mail to the operators. Anything else in the file
//! takes a start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerting::mail::config::TransportKind;
use alerting::mail::{Dispatch, News, Office, OperatorConfig};
use alerting::metrics::Metrics;
use alerting::{Pacing, Renewable};
use domain::RegionCode;
use rules::{Policy, PolicyText};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

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
#[derive(Clone)]
pub struct Reloader {
    path: PathBuf,
    /// The policy that was last taken.
    text: PolicyText,
    policy: Policy,
    /// Who is told what became of it, as it was last taken.
    operators: Vec<OperatorConfig>,
    /// Where the feeds find what was read.
    pub reloads: Reloads,
}

/// What goes by the configuration beside detection, and is renewed with it.
#[derive(Default)]
pub struct Renewals {
    /// In whose name mails are written and pages shown, and where names of places are from.
    pub offices: Vec<Renewable<Office>>,
    /// When mails go out.
    pub pacing: Option<Renewable<Pacing>>,
    /// To the operators.
    pub news: Option<mpsc::Sender<Dispatch>>,
}

impl Renewals {
    fn renew(&self, office: &Office, pacing: Option<Pacing>) {
        for held in &self.offices {
            held.renew(office.clone());
        }
        if let Some((held, pacing)) = self.pacing.as_ref().zip(pacing) {
            held.renew(pacing);
        }
    }

    fn tell(&self, dispatch: Dispatch) {
        if let Some(news) = &self.news
            && news.try_send(dispatch).is_err()
        {
            tracing::warn!(
                "the operators are not told of the changed configuration: too much waits"
            );
        }
    }
}

/// What was read, and is good.
struct Read {
    is_policy_new: bool,
    office: Office,
    /// `None` where no mail goes.
    pacing: Option<Pacing>,
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
            operators: config.mail.operators.clone(),
            reloads: Reloads::default(),
        })
    }

    /// Reads anew at each SIGHUP, until the program stops.
    pub async fn run(mut self, pace: Arc<Pace>, metrics: Arc<Metrics>, renewals: Renewals) {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => {
                tracing::error!(%error, "cannot wait for SIGHUP: a changed configuration takes a start");
                return;
            }
        };
        while !pace.is_stopping() && hang_up.recv().await.is_some() {
            let mut next = self.clone();
            let read = tokio::task::spawn_blocking(move || {
                let read = next.read();
                (next, read)
            });
            let read = match read.await {
                Ok((next, read)) => {
                    self = next;
                    read
                }
                // A panic; what it says is for the log alone.
                Err(_) => Err(ConfigErrors(vec![format!(
                    "{}: a part of the program failed while it was read; the log says which",
                    self.path.display()
                )])),
            };
            metrics.reloaded(read.is_ok());
            measure_pool(&metrics, &self.policy);
            let news = match read {
                Ok(Read {
                    is_policy_new,
                    office,
                    pacing,
                }) => {
                    renewals.renew(&office, pacing);
                    tracing::info!(is_policy_new, "the configuration was read anew");
                    News::Taken { is_policy_new }
                }
                Err(errors) => {
                    tracing::error!(
                        faults = %errors,
                        "the changed configuration is refused, and all stays as it was"
                    );
                    News::Refused {
                        faults: errors.to_string(),
                    }
                }
            };
            renewals.tell(Dispatch {
                news,
                to: self.operators.clone(),
                pool: self.policy.pool.name.clone(),
            });
        }
    }

    /// Checks everything, and leaves for the feeds what concerns them.
    fn read(&mut self) -> Result<Read, ConfigErrors> {
        let (config, _) = Config::load(&self.path)?;
        let (text, policy) = load(&config)?;
        if places(&policy) != places(&self.policy) {
            return Err(ConfigErrors(vec![format!(
                "{}: pool, time zone or regions are others than at the start: stop the program and start it again",
                config.policy.display()
            )]));
        }
        let routing = config.routing()?;
        let shared = Arc::new(policy.clone());
        let of_mail = |errors: alerting::mail::MailConfigErrors| ConfigErrors(errors.0);
        let office = config.mail.office(Arc::clone(&shared)).map_err(of_mail)?;
        let pacing = match config.mail.transport {
            TransportKind::None => None,
            _ => Some(config.mail.pacing(Arc::clone(&shared)).map_err(of_mail)?),
        };
        let is_new = text != self.text;
        self.reloads.leave(Reload {
            policy: shared,
            text: is_new.then(|| text.clone()),
            routing,
            close_within: config.close_within(),
        });
        (self.text, self.policy) = (text, policy);
        self.operators = config.mail.operators;
        Ok(Read {
            is_policy_new: is_new,
            office,
            pacing,
        })
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
