//! Where the facts of a subject come from, and where each record stands.

use std::fmt;
use std::sync::Arc;

use detectors::dataflow::desk::NoAnswer;
use domain::{EvidenceId, Subject, Topic};
use serde::{Serialize, Serializer};

use crate::facts::{Record, SubjectFacts};

/// Whoever can be asked for the facts of a subject. An answer may take a while, and is waited for: never ask from where
/// something else has to go on.
pub trait FactSource: Send + Sync {
    /// The facts of an enterprise, a person or a transfer; of nobody known there are none.
    ///
    /// # Errors
    /// Why there is no answer.
    fn facts(&self, subject: &Subject) -> Result<SubjectFacts, Unanswered>;

    /// Records by topic and id, whoever's they are; those that cannot be found without their subject are left out.
    ///
    /// # Errors
    /// Why there is no answer.
    fn records(&self, wanted: &[EvidenceId]) -> Result<Vec<Record>, Unanswered>;

    /// The bytes of the record that stands somewhere; `None` if its feed does not have it any more.
    ///
    /// # Errors
    /// The feed cannot be read.
    fn raw(&self, place: &Place) -> Result<Option<Vec<u8>>, Unanswered>;
}

/// Says where the record of a position stands.
pub type Locate = Arc<dyn Fn(Topic, u64) -> Place + Send + Sync>;

/// Why a source did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The books of the running program.
    #[error(transparent)]
    Books(#[from] NoAnswer),
    /// A file, a disk or a broker.
    #[error("{0}")]
    Unreadable(String),
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// On a topic of the broker.
    Partition {
        /// The feed.
        #[serde(serialize_with = "name_of")]
        topic: Topic,
        /// The partition.
        partition: i32,
        /// The offset in it.
        offset: i64,
    },
    /// A line of a file.
    Line {
        /// The file, relative to the folder of the feeds.
        file: String,
        /// From 1.
        line: u64,
        /// The same for the reader of the files.
        #[serde(skip)]
        position: u64,
    },
    /// In a file that grows, by the byte at which the record begins.
    Byte {
        /// The feed.
        #[serde(skip)]
        topic: Topic,
        /// The file, relative to the folder of the feeds.
        file: String,
        /// From 0.
        byte: i64,
    },
}

impl Place {
    /// On the broker, where partition and offset are put together into one number.
    pub const fn of_position(topic: Topic, position: u64) -> Place {
        Place::Partition {
            topic,
            partition: (position >> 48) as i32,
            offset: (position & ((1 << 48) - 1)) as i64,
        }
    }
}

fn name_of<S: Serializer>(topic: &Topic, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(topic.as_str())
}

/// `tax.collection:3:1207` (topic, partition, offset), `tax.collection.jsonl:12` (line), `tax.collection.jsonl@4711`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Partition {
                topic,
                partition,
                offset,
            } => write!(f, "{topic}:{partition}:{offset}"),
            Place::Line { file, line, .. } => write!(f, "{file}:{line}"),
            Place::Byte { file, byte, .. } => write!(f, "{file}@{byte}"),
        }
    }
}
