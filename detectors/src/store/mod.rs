//! Where facts are kept: packed, in the order in which they came, with a chain for each book.
//!
//! A payout fact costs 28 bytes, its id, and 8 for an account. This module knows nothing of
//! detectors; it turns facts into bytes and the bytes of one book back into a [`crate::book`].

pub mod books;
pub mod gather;
pub mod log;
pub mod packed;

pub use books::{Books, Newcomer, Settled};
pub use packed::{Packed, pack};
