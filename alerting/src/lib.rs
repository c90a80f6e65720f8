//! Findings to people: the life of an alert, store, outbox, mail, topic, metrics.
//!
//! May know `domain` and `rules`; knows neither Kafka's consumer side nor timely.

pub mod identity;

pub use identity::AlertIdentity;
