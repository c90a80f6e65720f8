//! A frame: some facts, and exactly which records of which partitions they were made from.
//!
//! | bytes | |
//! |---|---|
//! | 4 | checksum (CRC-32) of all that follows in the frame |
//! | 4 | length of the ranges and closes |
//! | 4 | length of the facts |
//! | | ranges and closes, in postcard's format |
//! | | packed facts (`detectors::store::packed`) |
//!
//! Everything little-endian. Topics and reasons stand as their numbers: their order is part of the
//! format, and what is new comes last.

use detectors::dataflow::times::Close;
use detectors::store::packed::count_checked;
use domain::{BusinessDate, Topic};
use ingest::{Reason, Tally};
use serde::{Deserialize, Serialize};

/// Checksum and two lengths.
pub(crate) const HEADER_BYTES: usize = 12;
/// Anything longer is no frame of ours.
pub(crate) const PART_BYTES_MAX: usize = 32 << 20;

/// What a worker read in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The records read, by partition.
    pub ranges: Vec<Range>,
    /// The day closes among them.
    pub closes: Vec<Close>,
    /// All other facts, packed.
    pub facts: Vec<u8>,
}

/// Records of a partition: all of those from one offset on, and before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset after the last; what lies between and is no record is not there, or is gone.
    pub to: i64,
    /// What became of the records when they were decoded.
    pub tally: Tally,
    /// The first of them, to know the topic by.
    pub witness: Option<Witness>,
}

/// A record by which a topic is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Its offset.
    pub offset: i64,
    /// The checksum of its bytes.
    pub checksum: u32,
}

impl Witness {
    /// Of a record.
    pub fn of(offset: i64, record: &[u8]) -> Witness {
        Witness {
            offset,
            checksum: crc32fast::hash(record),
        }
    }
}

/// How far a partition is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The first offset that is not.
    pub next: i64,
    /// What became of the records before it when they were decoded.
    pub tally: Tally,
    /// A record near the end.
    pub witness: Option<Witness>,
}

impl Position {
    pub(crate) fn take(&mut self, range: &Range) {
        self.next = range.to;
        self.tally.add(&range.tally);
        self.witness = range.witness.or(self.witness);
    }
}

#[derive(Serialize, Deserialize)]
struct WireMeta {
    ranges: Vec<WireRange>,
    closes: Vec<Close>,
}

#[derive(Serialize, Deserialize)]
struct WireRange {
    topic: u8,
    partition: u32,
    from: u64,
    length: u64,
    read: u64,
    /// Number of the reason, and how many.
    rejected: Vec<(u8, u64)>,
    /// Offset after the first, and checksum.
    witness: Option<(u64, u32)>,
}

impl WireRange {
    fn of(range: &Range) -> WireRange {
        let number = |offset: i64| u64::try_from(offset).expect("an offset is not negative");
        let rejected = (0u8..).zip(range.tally.rejected);
        WireRange {
            topic: range.topic.index() as u8,
            partition: u32::try_from(range.partition).expect("a partition is not negative"),
            from: number(range.from),
            length: number(range.to - range.from),
            read: range.tally.read,
            rejected: rejected.filter(|(_, count)| *count > 0).collect(),
            witness: range
                .witness
                .map(|witness| (number(witness.offset - range.from), witness.checksum)),
        }
    }

    fn range(&self) -> Option<Range> {
        let from = i64::try_from(self.from).ok()?;
        let mut tally = Tally {
            read: self.read,
            ..Tally::default()
        };
        for (reason, count) in &self.rejected {
            *tally.rejected.get_mut(usize::from(*reason))? = *count;
        }
        let rejected = tally
            .rejected
            .iter()
            .try_fold(0u64, |sum, count| sum.checked_add(*count))?;
        tally.accepted = self.read.checked_sub(rejected)?;
        // Each record has an offset of its own, and offsets leave 16 bits for the partition.
        let to = self.from.checked_add(self.length)?;
        (self.read <= self.length && to < 1 << 48 && self.partition < 1 << 16).then_some(())?;
        let witness = match self.witness {
            Some((after, checksum)) => Some(Witness {
                offset: from.checked_add(i64::try_from(after).ok()?)?,
                checksum,
            }),
            None => None,
        };
        Some(Range {
            topic: *Topic::ALL.get(usize::from(self.topic))?,
            partition: i32::try_from(self.partition).ok()?,
            from,
            to: i64::try_from(to).ok()?,
            tally,
            witness,
        })
    }
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the frame does, or are no frame at all.
    #[error("it is cut off or overwritten")]
    Torn,
    /// The checksum is right, and the content impossible: another program wrote it.
    #[error("its content is none that this program writes")]
    Foreign,
}

/// A frame as it was read, its facts where they were.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    pub ranges: Vec<Range>,
    pub closes: Vec<Close>,
    pub facts: &'a [u8],
    /// How many bytes the frame has.
    pub length: usize,
}

impl Frame {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.closes.is_empty() && self.facts.is_empty()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        let meta = WireMeta {
            ranges: self.ranges.iter().map(WireRange::of).collect(),
            closes: self.closes.clone(),
        };
        let meta =
            postcard::to_allocvec(&meta).expect("numbers and texts can be written to memory");
        out.extend_from_slice(&meta);
        out.extend_from_slice(&self.facts);
        let length = |part: &[u8]| {
            let length =
                u32::try_from(part.len()).expect("frames are cut before they grow so large");
            length.to_le_bytes()
        };
        out[start + 4..start + 8].copy_from_slice(&length(&meta));
        out[start + 8..start + 12].copy_from_slice(&length(&self.facts));
        let checksum = crc32fast::hash(&out[start + 4..]);
        out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// The lengths in a frame's header; `None` if it is none.
pub(crate) fn lengths(header: &[u8; HEADER_BYTES]) -> Option<(usize, usize)> {
    let part = |at: usize| {
        let bytes = header[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes) as usize
    };
    let (meta, facts) = (part(4), part(8));
    (meta <= PART_BYTES_MAX && facts <= PART_BYTES_MAX).then_some((meta, facts))
}

/// Reads the frame that `bytes` begin with; facts are of a pool with so many regions.
pub(crate) fn read(bytes: &[u8], regions: usize) -> Result<Read<'_>, FrameError> {
    let header = bytes.first_chunk().ok_or(FrameError::Torn)?;
    let (meta, facts) = lengths(header).ok_or(FrameError::Torn)?;
    let length = HEADER_BYTES + meta + facts;
    let frame = bytes.get(..length).ok_or(FrameError::Torn)?;
    let checksum = u32::from_le_bytes(frame[..4].try_into().expect("four bytes"));
    if crc32fast::hash(&frame[4..]) != checksum {
        return Err(FrameError::Torn);
    }
    let (meta, facts) = frame[HEADER_BYTES..].split_at(meta);
    let meta: WireMeta = postcard::from_bytes(meta).map_err(|_| FrameError::Foreign)?;
    let ranges: Option<Vec<Range>> = meta.ranges.iter().map(WireRange::range).collect();
    let ranges = ranges.ok_or(FrameError::Foreign)?;
    if !meta.closes.iter().all(|close| is_close(close, regions)) {
        return Err(FrameError::Foreign);
    }
    let facts_counted = count_checked(facts, regions).ok_or(FrameError::Foreign)?;
    // INVARIANT 1: every record that was accepted is there.
    let accepted = ranges
        .iter()
        .try_fold(0u64, |sum, range| sum.checked_add(range.tally.accepted));
    if accepted != Some(facts_counted + meta.closes.len() as u64) {
        return Err(FrameError::Foreign);
    }
    Ok(Read {
        ranges,
        closes: meta.closes,
        facts,
        length,
    })
}

fn is_close(close: &Close, regions: usize) -> bool {
    usize::from(close.topic) < Topic::ALL.len()
        && usize::from(close.region) < regions
        && close.date <= BusinessDate::LAST.days()
        && (1..=64).contains(&close.id.len())
        && close.id.is_ascii()
}

/// How far a partition is known, as the head of a segment and one process to another says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedPosition {
    topic: String,
    partition: i32,
    next: i64,
    read: u64,
    rejected: std::collections::BTreeMap<String, u64>,
    witness: Option<Witness>,
}

impl NamedPosition {
    /// Of a partition.
    pub fn of((topic, partition): (Topic, i32), position: &Position) -> NamedPosition {
        let tally = &position.tally;
        NamedPosition {
            topic: topic.to_string(),
            partition,
            next: position.next,
            read: tally.read,
            rejected: Reason::ALL
                .iter()
                .map(|reason| (reason.to_string(), tally.rejected[reason.index()]))
                .filter(|(_, count)| *count > 0)
                .collect(),
            witness: position.witness,
        }
    }

    /// The partition, and how far it is known; `None` if there can be no such position.
    pub fn position(&self) -> Option<((Topic, i32), Position)> {
        let mut tally = Tally {
            read: self.read,
            ..Tally::default()
        };
        let mut accepted = self.read;
        for (name, count) in &self.rejected {
            let reason = Reason::ALL.iter().find(|reason| reason.as_str() == name)?;
            tally.rejected[reason.index()] = *count;
            accepted = accepted.checked_sub(*count)?;
        }
        tally.accepted = accepted;
        let position = Position {
            next: self.next,
            tally,
            witness: self.witness,
        };
        // Each record has an offset of its own, and offsets leave 16 bits for the partition.
        (0..1 << 16).contains(&self.partition).then_some(())?;
        (0..1 << 48).contains(&self.next).then_some(())?;
        (i64::try_from(self.read).ok()? <= self.next).then_some(())?;
        Some(((Topic::parse(&self.topic)?, self.partition), position))
    }
}
