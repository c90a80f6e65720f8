//! Several processes that share the partitions, and one that writes the store.
//!
//! ```text
//! process 1 ─┐ timely's mesh: facts and deltas, from worker to worker          ┌─ process 1: state/ of its own
//! process 0 ─┴─ links: what came of epochs, durable there ──► process 0 ──► store
//!                      how far all may read, heartbeats  ◄──
//! ```
//! Process 0, the leader, has the store, the senders and the clock. The others, its followers, read partitions, keep what
//! they read in a state of their own, and work. Whoever connects is let in by a handshake (`door.rs`); then the leader
//! asks everybody what is on disk, and says who reads what (`assign.rs`). An epoch of a follower is handed over when it is
//! complete and durable there (`link.rs`); the leader commits what all have handed over. Nobody goes on without the
//! others: a process that is lost ends all, and all start again from what is committed.
//!
//! Knows no SQLite and no Kafka.

pub mod assign;
mod config;
mod door;
mod gathering;
mod link;
mod mesh;
mod wire;

pub use assign::Holding;
pub use config::{ClusterConfig, Credentials};
pub use gathering::{Follower, Leader, Start};
pub use link::LeaderLinks;
pub use mesh::{Ends, Mesh};
