//! The law on a date: the policy of a pool, the business calendar, due dates.
//!
//! A policy is one TOML file of effective-dated tables (contract section 3). [`Policy::load`] reads
//! it and says everything that is wrong with it; what it returns answers by month or day, and
//! cannot fail. This crate knows `domain` and files of its own; no feeds, no detectors, no clock.

mod calendar;
mod dated;
mod error;
mod holidays;
mod likeness;
mod policy;
mod read;
mod ready;
mod section;
mod text;
mod value;

pub use calendar::Calendar;
pub use dated::Due;
pub use error::{PolicyError, PolicyErrors};
pub use likeness::nearest;
pub use policy::{
    Advance, Benefit, Contribution, DetectorSettings, Health, OpeningBalance, Policy, Pool, Region,
    Remittance, Surcharge, Thresholds,
};
pub use ready::HUANGSHAN;
pub use text::PolicyText;
