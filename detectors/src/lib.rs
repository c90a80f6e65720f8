//! Facts to findings.
//!
//! A detector is a pure function from a book (the facts of one subject), the policy and as-of to
//! findings; one file a detector. This crate knows no Kafka, no SQLite, no HTTP, no clock and no
//! randomness; only `dataflow/` knows timely.

pub mod book;
pub mod verdict;

pub use verdict::Verdict;
