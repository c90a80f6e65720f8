//! The fund's ledger: what accepted facts come to, by region and day.
//!
//! Facts come in as [`Posting`]s, made where it is known which facts are accepted; a posting can be taken back by its
//! opposite. From the sums follow the report ([`Report`]), money on its way ([`Transit`]) and the identities that must
//! close ([`Balance`]), the indicators of the fund's health ([`Reading`]), the detector of their breaches
//! ([`BreachWatch`]) and the projection ([`Projection`]). Money is fen and exact. This crate knows `domain`, `rules` and the
//! catalogue of metrics; no feeds, no I/O, no clock.

mod book;
mod breach;
mod flow;
mod gauge;
mod health;
mod identity;
mod missing;
mod posting;
mod projection;
mod quotient;
mod report;
mod transit;

pub use book::{Days, Ledger, Unit};
pub use breach::BreachWatch;
pub use flow::{Flow, ItemClass, is_advance};
pub use gauge::{METRICS, Sample, series_max};
pub use health::{Completeness, Grade, Reading, Value, grade, last_complete_month, topics};
pub use identity::{Balance, Identity, Owner};
pub use missing::{MISSING, Missing};
pub use posting::{Entry, Posting, Postings, Sum};
pub use projection::{Band, MONTHS_AHEAD, Method, PastMonth, ProjectedMonth, Projection, Trial};
pub use quotient::Quotient;
pub use report::{By, Column, FlowSums, Report, Row};
pub use transit::{Lot, Matched, Moved, Step, Transit, match_oldest_first};
