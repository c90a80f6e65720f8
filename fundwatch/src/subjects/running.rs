//! The books of this process's workers, while they run.

use std::sync::Arc;
use std::time::Duration;

use casework::{FactSource, Place, Record, SubjectFacts, Unanswered};
use detectors::dataflow::Desk;
use domain::{EvidenceId, Subject, Topic};

/// Whoever asks waits at most so long.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Reads the bytes at a partition's offset.
pub type ReadRaw = Box<dyn Fn(Topic, i32, i64) -> anyhow::Result<Option<Vec<u8>>> + Send + Sync>;

/// The books, asked at their desk.
pub struct Running {
    desk: Desk,
    locate: fn(Topic, u64) -> Place,
    read: ReadRaw,
}

impl Running {
    /// Books at a desk; `locate` says where a position is, `read` reads what is at a partition's offset there.
    pub fn new(desk: Desk, locate: fn(Topic, u64) -> Place, read: ReadRaw) -> Running {
        Running { desk, locate, read }
    }
}

impl FactSource for Running {
    fn facts(&self, subject: &Subject) -> Result<SubjectFacts, Unanswered> {
        let packed = self.desk.ask(subject, ANSWERS_WITHIN)?;
        Ok(SubjectFacts::new(
            subject.clone(),
            &packed,
            Arc::new(self.locate),
        ))
    }

    /// Transfers alone: they are in books under their ids, all else is under its subject.
    fn records(&self, wanted: &[EvidenceId]) -> Result<Vec<Record>, Unanswered> {
        let mut records = Vec::new();
        for of in wanted {
            if of.topic == Topic::TreasuryTransfer {
                let mut facts = self.facts(&Subject::Transfer(of.id.clone()))?;
                // Two ids may share a book.
                records.extend(
                    facts
                        .records()
                        .into_iter()
                        .filter(|record| record.id == of.id),
                );
            }
        }
        Ok(records)
    }

    fn raw(&self, place: &Place) -> Result<Option<Vec<u8>>, Unanswered> {
        let (topic, partition, offset) = match place {
            Place::Partition {
                topic,
                partition,
                offset,
            } => (*topic, *partition, *offset),
            Place::Byte { topic, byte, .. } => (*topic, 0, *byte),
            Place::Line { .. } => return Ok(None),
        };
        (self.read)(topic, partition, offset).map_err(super::unreadable)
    }
}
