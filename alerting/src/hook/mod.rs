//! Programs that are told of alerts: signed webhooks, and Prometheus' Alertmanager.
//!
//! A webhook is told each telling once it is committed, from an outbox in the store, until it
//! acknowledges or refuses for good. Alertmanager is told again and again what is open now, as it
//! expects; nothing of that needs to be kept. Neither is ever told a resident ID number.

mod alertmanager;
mod config;
mod webhook;

pub use alertmanager::Alertmanager;
pub use config::{AlertmanagerConfig, WebhookConfig};
pub use webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhook};

#[cfg(test)]
mod tests;
