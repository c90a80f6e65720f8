//! Findings to people: the life of an alert, store, outbox, mail, topic, webhook, metrics.
//!
//! An epoch's [`EpochBatch`] goes into the [`Store`], which decides what is told (`life`), and puts
//! it into the outboxes together with everything else; `mail`, `publish` and `hook` empty them in
//! their own time. May know `domain` and `rules`; knows neither Kafka's consumer side nor timely, and no clock:
//! whoever needs the time is given it.

mod back_off;
pub mod batch;
mod blocking;
pub mod client;
pub mod explain;
pub mod hook;
pub mod http;
pub mod identity;
pub mod life;
pub mod mail;
pub mod metrics;
pub mod plan;
pub mod publish;
pub mod renewable;
pub mod routing;
pub mod secret;
pub mod sqlite;
pub mod store;
#[cfg(test)]
mod test_kit;
pub mod timetable;

pub use batch::{DeadLetter, EpochBatch, FeedAsOf, FeedTotals, PartitionOffset, Update};
pub use identity::AlertIdentity;
pub use renewable::Renewable;
pub use routing::{Interest, Language, Pacing, Recipient, Routing};
pub use store::{Reader, Store, StoreError};
