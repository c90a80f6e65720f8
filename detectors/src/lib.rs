//! Facts to findings.
//!
//! A detector is a pure function from a book (the facts of one subject), the policy and as-of to
//! findings; one file a detector. This crate knows no Kafka, no SQLite, no HTTP, no clock and no
//! randomness; only `dataflow/` knows timely.

pub mod arrears;
pub mod book;
pub mod dataflow;
mod deaths;
pub mod deceased_recipient;
pub mod duplicate_payout;
mod episodes;
mod evidence;
pub mod feeds;
pub mod late_remittance;
pub mod missed_payout;
mod net;
mod periods;
pub mod registry;
pub mod stalled_subsidy;
pub mod statement;
pub mod store;
mod surcharge;
#[cfg(test)]
mod testing;
pub mod unauthorised_item;
pub mod undeclared;
pub mod under_declared_base;
pub mod verdict;

pub use net::payouts_left;
pub use verdict::Verdict;
