//! What processes tell each other beside timely's mesh, and how it stands on the wire: a length, then postcard.

use std::io::{self, ErrorKind, Read, Write};

use detectors::dataflow::Outcome;
use domain::Topic;
use ingest::{Reason, Tally};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use state::{NamedPosition, Position};

use crate::live::{Note, PartitionNote, RejectedRecord};

/// Longer is no message of ours.
const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// So many outcomes go into one message.
pub const OUTCOMES_MAX: usize = 4_096;

/// What a follower tells the leader.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToLeader {
    /// It lives.
    Alive,
    /// What it has on disk, and what of it is damaged.
    Holding {
        /// How far it knows partitions.
        positions: Vec<NamedPosition>,
        /// In words.
        damage: Option<String>,
    },
    /// What came of an epoch, as `detectors::dataflow::wire` writes it.
    Outcomes(u64, Vec<u8>),
    /// What was read in an epoch.
    Note(u64, WireNote),
    /// Everything that belongs to epochs below is said, and durable on its disk.
    Complete(u64),
    /// It stops; because of a failure, if there are words.
    Stops(Option<String>),
}

/// What the leader tells a follower.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToFollower {
    /// What the run begins with.
    Start(super::Start),
    /// What it is to read.
    Shares(Vec<WireShare>),
    /// The epoch that is to be open, and the first that is not committed.
    Pace(u64, u64),
    /// It is to stop, for this reason.
    Stop(String),
    /// Everything is committed: it may go.
    Farewell,
}

/// A [`Note`], but for what only the leader's own have.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireNote {
    partitions: Vec<WirePartition>,
    rejected: Vec<WireRejected>,
    /// How long ago the first record was read.
    age: Option<std::time::Duration>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WirePartition {
    topic: u8,
    partition: i32,
    next_offset: i64,
    read: u64,
    accepted: u64,
    redelivered: u64,
    rejected: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireRejected {
    topic: u8,
    partition: i32,
    offset: i64,
    reason: u8,
    field: Option<String>,
    raw: Vec<u8>,
}

/// A [`crate::live::Share`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireShare {
    /// Partition, and how far it is known.
    pub known: NamedPosition,
    /// See [`crate::live::Share::from`].
    pub from: i64,
    /// See [`crate::live::Share::until`].
    pub until: i64,
}

impl WireShare {
    /// As it goes to a follower.
    pub fn of(share: &crate::live::Share) -> WireShare {
        WireShare {
            known: NamedPosition::of((share.topic, share.partition), &share.known),
            from: share.from,
            until: share.until,
        }
    }

    /// As it was; `None` if it is none.
    pub fn share(&self) -> Option<crate::live::Share> {
        let ((topic, partition), known): (_, Position) = self.known.position()?;
        Some(crate::live::Share {
            topic,
            partition,
            known,
            from: self.from,
            until: self.until,
        })
    }
}

impl WireNote {
    /// As it goes to the leader.
    pub fn of(mut note: Note) -> WireNote {
        if faults::planted!("rejected-elsewhere-unheard") {
            note.rejected.clear();
        }
        WireNote {
            partitions: note
                .partitions
                .iter()
                .map(|of| WirePartition {
                    topic: of.topic.index() as u8,
                    partition: of.partition,
                    next_offset: of.next_offset,
                    read: of.tally.read,
                    accepted: of.tally.accepted,
                    redelivered: of.tally.redelivered,
                    rejected: of.tally.rejected.to_vec(),
                })
                .collect(),
            rejected: note
                .rejected
                .into_iter()
                .map(|of| WireRejected {
                    topic: of.topic.index() as u8,
                    partition: of.partition,
                    offset: of.offset,
                    reason: of.reason.index() as u8,
                    field: of.field,
                    raw: of.raw,
                })
                .collect(),
            age: note.first_read.map(|first| first.elapsed()),
        }
    }

    /// As it was; `None` if it is none.
    pub fn note(self) -> Option<Note> {
        let topic = |number: u8| Topic::ALL.get(usize::from(number)).copied();
        let partitions = self.partitions.into_iter().map(|of| {
            Some(PartitionNote {
                topic: topic(of.topic)?,
                partition: of.partition,
                next_offset: of.next_offset,
                tally: Tally {
                    read: of.read,
                    accepted: of.accepted,
                    redelivered: of.redelivered,
                    rejected: of.rejected.try_into().ok()?,
                },
            })
        });
        let rejected = self.rejected.into_iter().map(|of| {
            Some(RejectedRecord {
                topic: topic(of.topic)?,
                partition: of.partition,
                offset: of.offset,
                reason: *Reason::ALL.get(usize::from(of.reason))?,
                field: of.field,
                raw: of.raw,
            })
        });
        Some(Note {
            partitions: partitions.collect::<Option<_>>()?,
            rejected: rejected.collect::<Option<_>>()?,
            first_read: self
                .age
                .and_then(|age| std::time::Instant::now().checked_sub(age)),
            reload: None,
        })
    }
}

/// Outcomes as messages, none of which is too long.
pub fn outcomes(epoch: u64, outcomes: &[Outcome]) -> impl Iterator<Item = ToLeader> {
    outcomes
        .chunks(OUTCOMES_MAX)
        .map(move |part| ToLeader::Outcomes(epoch, detectors::dataflow::wire::write(part)))
}

/// Writes a message.
///
/// # Errors
/// It cannot be sent.
pub fn send(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let body = postcard::to_allocvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&body);
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Reads a message.
///
/// # Errors
/// The connection is lost, nothing comes within its time limit, or what comes is no message.
pub fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<T> {
    receive_up_to(stream, MESSAGE_BYTES_MAX)
}

/// The same, of whom it is not known yet who they are.
///
/// # Errors
/// As [`receive`]; or it would be longer than `most` bytes.
pub fn receive_up_to<T: DeserializeOwned>(stream: &mut impl Read, most: usize) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > most {
        return Err(ErrorKind::InvalidData.into());
    }
    // Memory is taken for what comes, not for what is said to come.
    let mut body = Vec::new();
    stream.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    postcard::from_bytes(&body).map_err(|_| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_arrives_as_it_was_sent() {
        let mut tally = Tally {
            read: 5,
            accepted: 3,
            redelivered: 1,
            ..Tally::default()
        };
        tally.rejected[Reason::BadDate.index()] = 1;
        let note = Note {
            partitions: vec![PartitionNote {
                topic: Topic::AgencyRoster,
                partition: 65_535,
                next_offset: 1 << 47,
                tally,
            }],
            rejected: vec![RejectedRecord {
                topic: Topic::CivilDeath,
                partition: 0,
                offset: 7,
                reason: Reason::ConflictingId,
                field: Some("id".to_owned()),
                raw: vec![0, 255],
            }],
            first_read: Some(std::time::Instant::now()),
            reload: None,
        };
        let mut bytes = Vec::new();
        send(&mut bytes, &ToLeader::Note(9, WireNote::of(note.clone()))).unwrap();
        let ToLeader::Note(9, arrived) = receive(&mut bytes.as_slice()).unwrap() else {
            panic!("another message")
        };
        let arrived = arrived.note().unwrap();
        assert_eq!(arrived.partitions, note.partitions);
        assert_eq!(arrived.rejected, note.rejected);
        assert!(
            arrived.first_read
                >= note
                    .first_read
                    .and_then(|at| at.checked_sub(std::time::Duration::from_secs(1)))
        );
    }

    #[test]
    fn garbage_is_an_error_and_takes_no_memory() {
        for bytes in [
            &b""[..],
            b"GET",
            b"GET / HTTP/1.1\r\n\r\n",
            &[255; 64],
            &[4, 0, 0, 0, 255, 255, 255, 255],
            &[255, 255, 255, 15, 1],
        ] {
            assert!(receive::<ToLeader>(&mut &bytes[..]).is_err(), "{bytes:?}");
        }
    }
}
