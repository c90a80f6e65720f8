//! Bytes to facts.
//!
//! Decodes records, says why one cannot be accepted, and reads feeds from files and from Kafka.
//! This crate knows no timely, no SQLite and no HTTP, and nothing of what facts mean to detectors.

pub mod decode;
mod fields;
pub mod files;
mod json;
pub mod kafka;
mod lines;
pub mod reason;
pub mod tally;

pub use decode::{Decoder, Regions};
pub use files::{FeedFiles, FileReader, Position, Rejected};
pub use reason::{Reason, Reject};
pub use tally::Tally;
