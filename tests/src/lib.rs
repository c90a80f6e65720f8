//! The project judged from outside.
//!
//! Everything here is written from `contract.md` alone and knows none of the project's crates: a slow, obvious
//! reference implementation ([`reference`]), the program as a black box ([`binary`]), and what compares the two
//! ([`compare`]) over worked cases ([`cases`]) and random histories ([`history`]).

pub mod alertmanager;
pub mod binary;
pub mod cargo;
pub mod cases;
pub mod compare;
pub mod daemon;
pub mod history;
pub mod hook;
pub mod kafka;
pub mod peer;
pub mod prometheus;
pub mod reference;
pub mod smtp;
