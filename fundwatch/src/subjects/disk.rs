//! The state on disk, looked through for one subject. The daemon may run: what it has committed is there.

use std::sync::Arc;
use std::time::Duration;

use alerting::Reader;
use anyhow::{Context, Result};
use casework::{FactSource, Place, Record, SubjectFacts, Unanswered};
use domain::{EvidenceId, Subject};
use ingest::kafka::{self, Connection};
use rules::Policy;
use state::Log;

use super::{Found, Wanted, unreadable};
use crate::config::Config;
use crate::disk;

/// The broker may take so long to hand out a record.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// The facts that a configuration's state has.
pub struct OnDisk {
    log: Log,
    connection: Connection,
    /// Which part of the facts is kept elsewhere, or nowhere.
    elsewhere: Option<String>,
}

impl OnDisk {
    /// Looks through the state that belongs to the store.
    ///
    /// # Errors
    /// Store or state cannot be read.
    pub fn open(config: &Config, policy: &Policy, store: &Reader) -> Result<OnDisk> {
        // The offsets first: a daemon that runs writes the state before it commits them.
        let offsets = store.offsets()?;
        let holders = store.holders()?;
        let log = disk::read(config, policy, store.instance()?, &offsets, &holders)?;
        if let Some(damage) = log.damage() {
            tracing::warn!(file = %damage.file.display(), byte = damage.offset, what = damage.what,
                "the state on disk is not whole: facts may be missing");
        }
        let connection = config.connection().context("the broker's options")?;
        let elsewhere = holders.iter().find(|holder| 0 < holder.process);
        let elsewhere = elsewhere.map(|holder| {
            format!(
                "process {} of the cluster has topic `{}` partition {}, and its state is not looked through",
                holder.process, holder.topic, holder.partition
            )
        });
        let nowhere = "keep_state = false: nothing is kept on disk";
        Ok(OnDisk {
            elsewhere: match config.keep_state {
                true => elsewhere,
                false => Some(nowhere.to_owned()),
            },
            ..OnDisk::of(log, connection)
        })
    }

    /// Of a log that was looked through, and the broker that its records came from.
    pub fn of(log: Log, connection: Connection) -> OnDisk {
        OnDisk {
            log,
            connection,
            elsewhere: None,
        }
    }

    /// What of the facts is missing, if they are not whole.
    pub fn damage(&self) -> Option<String> {
        let damage = self.log.damage().map(ToString::to_string);
        damage.or_else(|| self.elsewhere.clone())
    }

    fn look_for(&self, wanted: &Wanted<'_>) -> Result<Found, Unanswered> {
        let loader = self.log.loader();
        let mut found = Found::default();
        while loader
            .load(|loaded| wanted.take(loaded.facts, &mut found))
            .map_err(unreadable)?
        {}
        Ok(found)
    }
}

impl FactSource for OnDisk {
    fn facts(&self, subject: &Subject) -> Result<SubjectFacts, Unanswered> {
        let found = self.look_for(&Wanted::Of(subject))?;
        let locate = Arc::new(Place::of_position);
        Ok(SubjectFacts::new(subject.clone(), &found.packed, locate))
    }

    fn records(&self, wanted: &[EvidenceId]) -> Result<Vec<Record>, Unanswered> {
        let found = self.look_for(&Wanted::Named(wanted.iter().collect()))?;
        Ok(found.records(&(Arc::new(Place::of_position) as _)))
    }

    fn raw(&self, place: &Place) -> Result<Option<Vec<u8>>, Unanswered> {
        let Place::Partition {
            topic,
            partition,
            offset,
        } = place
        else {
            return Ok(None);
        };
        let record = (*topic, *partition, *offset);
        kafka::read_again(&self.connection, record, READ_WITHIN).map_err(unreadable)
    }
}
