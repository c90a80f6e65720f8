//! A segment: one file, a head and then frames.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `FWFACTS\n` |
//! | 4 | number of the format |
//! | 4 | length of the head |
//! | 4 | checksum (CRC-32) of format, length and head |
//! | | the head, JSON |
//! | | frames |
//!
//! The head says where every partition stood when the segment was begun, so that a segment can be
//! read without those before it, and whatever is missing between two is seen.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use domain::RegionCode;
use serde::{Deserialize, Serialize};

use crate::frame::{self, FrameError, HEADER_BYTES, NamedPosition, PART_BYTES_MAX, Read};
use crate::{Key, Positions};

/// The number of the format that this program writes. Any change of the head, of frames, of packed
/// facts, or of what is accepted as a fact, is a new one.
pub const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"FWFACTS\n";
/// Before the head.
const PREFIX_BYTES: usize = 20;

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The store that it belongs to.
    pub store: String,
    /// The regions by whose places facts name theirs.
    pub regions: Vec<RegionCode>,
    /// Segments from this number on, and before its own, count no more: what was of use in them is here.
    pub replaces: u64,
    /// How far partitions were known when it was begun.
    pub begins: Positions,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHead {
    store: String,
    regions: Vec<RegionCode>,
    replaces: u64,
    begins: Vec<NamedPosition>,
}

/// Why a file is no segment that can be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is shorter than a head, or something else stands there.
    #[error("its head is cut off or overwritten")]
    Torn,
    /// Another version of the program wrote it.
    #[error("it has format {0}, and this program knows format {FORMAT}")]
    Format(u32),
}

impl Head {
    /// The bytes that a segment begins with.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let head = WireHead {
            store: self.store.clone(),
            regions: self.regions.clone(),
            replaces: self.replaces,
            begins: self
                .begins
                .iter()
                .map(|(key, position)| NamedPosition::of(*key, position))
                .collect(),
        };
        let head = serde_json::to_vec(&head).expect("texts and numbers can be written");
        let length = u32::try_from(head.len()).expect("a head is small");
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&bytes[MAGIC.len()..]);
        checksum.update(&head);
        bytes.extend_from_slice(&checksum.finalize().to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes
    }
}

/// A segment whose head was read.
#[derive(Debug)]
pub(crate) struct Segment {
    pub number: u64,
    pub head: Head,
    /// Where its frames begin.
    pub frames_at: u64,
    /// How long it was when it was opened.
    pub bytes: u64,
    pub file: Arc<File>,
}

impl Segment {
    pub(crate) fn open(path: &Path, number: u64) -> Result<Segment, HeadError> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut prefix = [0; PREFIX_BYTES];
        read_at(&file, &mut prefix, 0)?.ok_or(HeadError::Torn)?;
        let word =
            |at: usize| u32::from_le_bytes(prefix[at..at + 4].try_into().expect("four bytes"));
        let (format, length, checksum) = (word(8), word(12) as usize, word(16));
        let is_there = (PREFIX_BYTES + length) as u64 <= bytes;
        if prefix[..8] != *MAGIC || length > PART_BYTES_MAX || !is_there {
            return Err(HeadError::Torn);
        }
        let mut head = vec![0; length];
        read_at(&file, &mut head, PREFIX_BYTES as u64)?.ok_or(HeadError::Torn)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&prefix[8..16]);
        hasher.update(&head);
        if hasher.finalize() != checksum {
            return Err(HeadError::Torn);
        }
        if format != FORMAT {
            return Err(HeadError::Format(format));
        }
        let head: WireHead = serde_json::from_slice(&head).map_err(|_| HeadError::Torn)?;
        let begins: Option<Positions> = head.begins.iter().map(NamedPosition::position).collect();
        Ok(Segment {
            number,
            head: Head {
                store: head.store,
                regions: head.regions,
                replaces: head.replaces,
                begins: begins.ok_or(HeadError::Torn)?,
            },
            frames_at: (PREFIX_BYTES + length) as u64,
            bytes,
            file: Arc::new(file),
        })
    }

    pub(crate) fn name(number: u64) -> String {
        format!("facts-{number:08}.log")
    }

    pub(crate) fn number_of(name: &str) -> Option<u64> {
        let digits = name.strip_prefix("facts-")?.strip_suffix(".log")?;
        (digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok())
            .flatten()
    }
}

/// Fills the buffer from the offset on; `None` if the file ends before.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<Option<()>> {
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads frames of a part of a segment one after the other, in large pieces.
pub(crate) struct Frames<'a> {
    file: &'a File,
    regions: usize,
    /// Where the buffer's first byte stands in the file.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    used: usize,
}

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// How much is read at a time.
const PIECE_BYTES: usize = 1 << 20;

impl<'a> Frames<'a> {
    pub(crate) fn new(file: &'a File, from: u64, end: u64, regions: usize) -> Frames<'a> {
        Frames {
            file,
            regions,
            at: from,
            end,
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// Where the next frame begins.
    pub(crate) fn offset(&self) -> u64 {
        self.at + self.used as u64
    }

    /// The next frame; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Read<'_>>, ReadError> {
        if self.offset() >= self.end {
            return Ok(None);
        }
        self.have(HEADER_BYTES)?;
        let header = self.buffer[self.used..]
            .first_chunk()
            .ok_or(FrameError::Torn)?;
        let (meta, facts) = frame::lengths(header).ok_or(FrameError::Torn)?;
        self.have(HEADER_BYTES + meta + facts)?;
        let read = frame::read(&self.buffer[self.used..], self.regions)?;
        self.used += read.length;
        Ok(Some(read))
    }

    /// Has so many bytes in the buffer, if the file has them.
    fn have(&mut self, wanted: usize) -> io::Result<()> {
        let there = self.buffer.len() - self.used;
        if wanted <= there {
            return Ok(());
        }
        self.buffer.drain(..self.used);
        self.at += self.used as u64;
        self.used = 0;
        let left = self.end - self.at - there as u64;
        let more =
            (wanted.max(PIECE_BYTES) - there).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.buffer.resize(there + more, 0);
        self.file
            .read_exact_at(&mut self.buffer[there..], self.at + there as u64)
    }
}

/// Adds what a frame says to where partitions stand, if it goes on where each of them stands.
pub(crate) fn goes_on(positions: &Positions, read: &Read<'_>) -> bool {
    read.ranges.iter().all(|range| {
        let key: Key = (range.topic, range.partition);
        let stands_at = positions.get(&key).map_or(0, |position| position.next);
        range.from == stands_at && range.from <= range.to
    })
}
