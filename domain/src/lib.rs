//! The words of the field: money, business dates and periods, identifiers, facts, findings, alerts.
//!
//! Everything else is built from these. This crate knows no I/O, no async, no clock, no float, no
//! Kafka and no timely; it cannot fail but by saying that a text is not what it should be.

pub mod alert;
pub mod date;
pub mod detector;
pub mod enterprise;
pub mod fact;
pub mod indicator;
pub mod money;
pub mod person;
pub mod region;
pub mod topic;

pub use alert::{
    Alert, AlertKey, Episode, EvidenceId, Finding, PolicyEntry, Severity, State, Subject,
};
pub use date::{BusinessDate, Period};
pub use detector::Detector;
pub use enterprise::CreditCode;
pub use fact::{Body, EnterpriseStatus, Fact, Nature, RosterStatus, TransferKind};
pub use indicator::{Indicator, Measure};
pub use money::{Money, Rate};
pub use person::PersonId;
pub use region::{RegionCode, RegionId};
pub use topic::Topic;
