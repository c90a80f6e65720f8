//! Findings to people: the life of an alert, store, outbox, mail, topic, metrics.
//!
//! An epoch's [`EpochBatch`] goes into the [`Store`], which decides what is told (`life`), and puts
//! it into the outboxes together with everything else; `mail` and `publish` empty them in their own
//! time. May know `domain` and `rules`; knows neither Kafka's consumer side nor timely, and no clock:
//! whoever needs the time is given it.

pub mod batch;
mod blocking;
pub mod http;
pub mod identity;
pub mod life;
pub mod mail;
pub mod metrics;
pub mod publish;
pub mod routing;
pub mod store;
#[cfg(test)]
mod test_kit;

pub use batch::{DeadLetter, EpochBatch, FeedAsOf, FeedTotals, PartitionOffset, Update};
pub use identity::AlertIdentity;
pub use routing::{Language, Recipient, Routing};
pub use store::{Reader, Store, StoreError};
