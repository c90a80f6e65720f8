//! What all runs share: the programs, one broker, one mail server.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use acceptance::kafka::KafkaBroker;
use acceptance::smtp::{Received, SmtpPeer};
use anyhow::{Context, Result, anyhow};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::program;

/// How long the broker may take to have what it is sent.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// The programs, and the peers that the daemon talks to.
pub struct World {
    /// With fail points and planted bugs.
    pub armed: PathBuf,
    /// As it is shipped, but for optimisation.
    pub plain: PathBuf,
    broker: RwLock<KafkaBroker>,
    /// The mail server of all runs, each of which has recipients of its own.
    pub mail: SmtpPeer,
    received: Mutex<Vec<Received>>,
    producer: Mutex<Option<BaseProducer>>,
    runs: AtomicU32,
}

impl World {
    /// Starts the peers.
    pub fn of(programs: Programs) -> Result<World> {
        let Programs { armed, plain } = programs;
        Ok(World {
            armed,
            plain,
            broker: RwLock::new(
                KafkaBroker::start().map_err(|error| anyhow!("the broker {error}"))?,
            ),
            mail: SmtpPeer::start().map_err(|error| anyhow!("the mail server {error}"))?,
            received: Mutex::default(),
            producer: Mutex::default(),
            runs: AtomicU32::new(0),
        })
    }

    /// A number that no other run has.
    pub fn next_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The broker of all runs, each of which has a prefix of its own.
    pub fn broker(&self) -> RwLockReadGuard<'_, KafkaBroker> {
        self.broker.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To stop it, and to start it again.
    pub fn broker_mut(&self) -> RwLockWriteGuard<'_, KafkaBroker> {
        self.broker.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends records: topic, partition, value. They are on the broker, in order, when this returns.
    pub fn send(&self, records: &[(String, i32, &[u8])]) -> Result<()> {
        let mut kept = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let producer = match kept.take() {
            Some(producer) => producer,
            None => self
                .broker()
                .client()
                .set("acks", "all")
                .set("enable.idempotence", "true")
                .set("linger.ms", "2")
                .create()?,
        };
        for (topic, partition, value) in records {
            let record = BaseRecord::<(), [u8]>::to(topic)
                .partition(*partition)
                .payload(*value);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer
            .flush(SEND_LIMIT)
            .context("the broker does not take records")?;
        *kept = Some(producer);
        Ok(())
    }

    /// The mails to an address, in the order of their arrival.
    pub fn mails_to(&self, address: &str) -> Result<Vec<Received>> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let new = self.mail.received_after(received.len())?;
        received.extend(new);
        let theirs = received.iter().filter(|mail| mail.to == [address]);
        Ok(theirs.cloned().collect())
    }
}

/// The programs that are broken.
pub struct Programs {
    /// With fail points and planted bugs.
    pub armed: PathBuf,
    /// As it is shipped, but for optimisation.
    pub plain: PathBuf,
}

impl Programs {
    /// Both, of a folder, or built as tests are.
    pub fn all(built: Option<&Path>) -> Result<Programs> {
        let mut programs = Programs::plain(built)?;
        programs.armed.set_file_name("fundwatch-chaos");
        if built.is_none() {
            let armed = [
                "--quiet",
                "--features",
                "failpoints",
                "--bin",
                "fundwatch-chaos",
            ];
            program::build(&program::root()?, &armed)?;
        }
        Ok(programs)
    }

    /// The one as it is shipped in place of both, which is built sooner.
    pub fn plain(built: Option<&Path>) -> Result<Programs> {
        let folder = match built {
            Some(folder) => folder.canonicalize()?,
            None => {
                let root = program::root()?;
                program::build(&root, &["--quiet", "--bin", "fundwatch"])?;
                program::target_folder(&root)?.join("debug")
            }
        };
        let plain = folder.join("fundwatch");
        Ok(Programs {
            armed: plain.clone(),
            plain,
        })
    }
}
