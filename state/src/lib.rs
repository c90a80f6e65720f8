//! The state on disk: which facts were accepted, and up to which offsets.
//!
//! All that the program knows follows from the accepted facts, so nothing else is kept: a log of
//! packed facts, a compact and decoded beginning of the topics. The topics and the store are the
//! truth, the log spares reading: log and rest of the topics together are the topics. Whatever of
//! the log is not whole is left aside, and read from the topics again.
//!
//! ```text
//! folder/lock                     held by the one process that writes
//!        facts-00000001.log       segments, in order; a new one is begun at each start and every 64 MiB
//!        facts-00000002.log
//! ```
//!
//! Knows files; knows no Kafka, no SQLite, no timely, no clock, and not what facts mean.

pub mod frame;
pub mod log;
pub mod recorder;
pub mod segment;
pub mod writer;

pub use frame::{Frame, NamedPosition, Position, Range, Witness};
pub use log::{Damage, Expected, Loader, Log};
pub use recorder::{Recorder, Watcher};
pub use writer::{Lock, Writer};

use std::collections::BTreeMap;

use domain::Topic;

/// A partition of a feed.
pub type Key = (Topic, i32);
/// How far partitions are known.
pub type Positions = BTreeMap<Key, Position>;
