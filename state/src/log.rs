//! The log as it was found: which of its frames count, how far they go, and what is wrong with it.
//!
//! A frame counts if it goes on where its partitions stand, and everything in it was committed: of
//! what was read and not committed the rejected records are nowhere, so it is read again. A frame
//! that a process wrote before it ended, and that was not committed, stays in its segment without
//! counting: the head of the next segment says from where that process's successor read on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use detectors::dataflow::times::Close;
use domain::RegionCode;

use crate::segment::{Frames, ReadError, Segment, goes_on};
use crate::{Key, Positions};

/// What a log must agree with to be used.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The name of the store that it belongs to.
    pub store: String,
    /// The policy's regions: facts name theirs by its place in this list.
    pub regions: Vec<RegionCode>,
    /// The first offset not committed, by partition.
    pub committed: BTreeMap<Key, i64>,
    /// Partitions that another process has: what is missing of them here is not missed.
    pub elsewhere: BTreeSet<Key>,
}

/// Something of the log that cannot be used, and with it whatever comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// From this byte on.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Damage { file, offset, what } = self;
        write!(f, "`{}` at byte {offset}: {what}", file.display())
    }
}

/// A log that was looked through.
#[derive(Debug)]
pub struct Log {
    pub(crate) folder: PathBuf,
    pub(crate) expected: Expected,
    pub(crate) segments: Vec<Used>,
    /// Numbers of all segment files that there are.
    pub(crate) found: Vec<u64>,
    /// Of these, those that a newer one has replaced.
    pub(crate) replaced: Vec<u64>,
    positions: Positions,
    damage: Option<Damage>,
}

/// A segment that is used, at least its beginning.
#[derive(Debug)]
pub(crate) struct Used {
    pub segment: Segment,
    /// How far partitions were known before it, by what counts.
    pub before: Positions,
    pub scan: Scan,
}

/// What of a segment counts.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// How far partitions are known at its end, by what counts.
    live: Positions,
    /// And by all that stands in it.
    seen: Positions,
    pub chunks: Vec<Chunk>,
    pub frames: u64,
    /// Frames that do not count.
    pub void_frames: u64,
    pub live_bytes: u64,
    damage: Option<(u64, String)>,
}

/// Some frames, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub file: Arc<File>,
    pub from: u64,
    pub to: u64,
}

/// Chunks are about as large, so that they can be shared among workers.
const CHUNK_BYTES: u64 = 1 << 20;

/// A segment, for whoever wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentView {
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes of the frames that count.
    pub live_bytes: u64,
    /// Frames in it.
    pub frames: u64,
    /// Of these, how many do not count: they were not committed.
    pub void_frames: u64,
    /// The facts and day closes before its end, since the beginning of the feeds.
    pub facts: u64,
}

impl Log {
    /// Looks through the log in the folder, which need not be there. Changes nothing.
    ///
    /// # Errors
    /// The folder cannot be read. What is wrong with files is no error: see [`Log::damage`].
    pub fn read(folder: &Path, expected: Expected) -> io::Result<Log> {
        let found = numbers(folder)?;
        let mut log = Log {
            folder: folder.to_owned(),
            expected,
            segments: Vec::new(),
            found: found.clone(),
            replaced: Vec::new(),
            positions: Positions::new(),
            damage: None,
        };
        let segments = log.open(&found);
        let scans = scan_all(&segments, &log.expected);
        log.fold(segments, scans);
        log.look_for_what_is_missing();
        faults::point!("state.looked-through");
        Ok(log)
    }

    /// The log of a program that keeps none.
    pub fn none(expected: Expected) -> Log {
        Log {
            folder: PathBuf::new(),
            expected: Expected {
                committed: BTreeMap::new(),
                ..expected
            },
            segments: Vec::new(),
            found: Vec::new(),
            replaced: Vec::new(),
            positions: Positions::new(),
            damage: None,
        }
    }

    /// Opens the segments that count; the first that cannot be opened ends the log.
    fn open(&mut self, found: &[u64]) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut replaced_from = u64::MAX;
        // The newest first: it says which of the older ones it has replaced.
        for number in found.iter().rev() {
            if *number >= replaced_from {
                self.replaced.push(*number);
                continue;
            }
            let file = self.folder.join(Segment::name(*number));
            match Segment::open(&file, *number) {
                Ok(segment) => {
                    if let Some(what) = self.foreign(&segment) {
                        self.note(file, 0, what);
                        segments.clear();
                        continue;
                    }
                    replaced_from = segment.head.replaces.min(*number);
                    segments.push(segment);
                }
                Err(error) => {
                    self.note(file, 0, error.to_string());
                    segments.clear();
                }
            }
        }
        segments.reverse();
        segments
    }

    /// Why a segment is none of this store and policy.
    fn foreign(&self, segment: &Segment) -> Option<String> {
        if segment.head.store != self.expected.store {
            return Some("it belongs to another store".to_owned());
        }
        // A region that was added at the end changes no other's place.
        if !self.expected.regions.starts_with(&segment.head.regions) {
            return Some("its facts are of other regions than the policy's".to_owned());
        }
        None
    }

    fn note(&mut self, file: PathBuf, offset: u64, what: String) {
        // What is nearest to the beginning decides how far the log goes.
        self.damage = Some(Damage { file, offset, what });
    }

    /// Puts the segments one behind the other, as far as each begins where the one before ends.
    fn fold(&mut self, segments: Vec<Segment>, scans: Vec<Scan>) {
        let mut seen = Positions::new();
        // What is wrong with the end of a segment does not matter if the next one takes up before it.
        let mut at_end = None;
        for (segment, scan) in segments.into_iter().zip(scans) {
            let file = self.folder.join(Segment::name(segment.number));
            let begins = &segment.head.begins;
            let is_next = begins.keys().chain(self.positions.keys()).all(|key| {
                let at = |positions: &Positions| positions.get(key).map_or(0, |known| known.next);
                at(begins) == at(&self.positions) || at(begins) == at(&seen)
            });
            if !is_next {
                let what = "it does not begin where the one before ends".to_owned();
                let (file, offset, what) = at_end.unwrap_or((file, 0, what));
                self.note(file, offset, what);
                return;
            }
            let before = self.positions.clone();
            for (key, position) in &scan.live {
                let begun = begins.get(key).map_or(0, |known| known.next);
                let known = self.positions.get(key).map_or(0, |known| known.next);
                // Where uncommitted records lie between, nothing later was committed either.
                if begun == known {
                    self.positions.insert(*key, *position);
                }
            }
            seen.clone_from(&scan.seen);
            at_end = scan
                .damage
                .clone()
                .map(|(offset, what)| (file, offset, what));
            self.segments.push(Used {
                segment,
                before,
                scan,
            });
        }
        if let Some((file, offset, what)) = at_end {
            self.note(file, offset, what);
        }
    }

    /// A log that has everything committed is whole, whatever else stands behind it.
    fn look_for_what_is_missing(&mut self) {
        if self.unread().is_empty() {
            self.damage = None;
        } else if self.found.is_empty() {
            self.note(self.folder.clone(), 0, "there is no state yet".to_owned());
        } else if self.damage.is_none() {
            let file = self.segments.last().map_or_else(
                || self.folder.clone(),
                |used| self.folder.join(Segment::name(used.segment.number)),
            );
            let offset = self.segments.last().map_or(0, |used| used.segment.bytes);
            self.note(
                file,
                offset,
                "what was committed after it is not there".to_owned(),
            );
        }
    }

    /// How far each partition is known.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// What was committed and is not in the log, by partition: from, to.
    pub fn unread(&self) -> BTreeMap<Key, (i64, i64)> {
        self.expected
            .committed
            .iter()
            .filter(|(key, _)| !self.expected.elsewhere.contains(key))
            .map(|(key, committed)| {
                let known = self.positions.get(key).map_or(0, |known| known.next);
                (*key, (known, *committed))
            })
            .filter(|(_, (known, committed))| known < committed)
            .collect()
    }

    /// What keeps it from being whole: everything from there on is read from the topics again.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Facts and day closes in it.
    pub fn facts(&self) -> u64 {
        facts_of(&self.positions)
    }

    /// Bytes of the segments in use.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|used| used.segment.bytes).sum()
    }

    /// The segments in use.
    pub fn segments(&self) -> Vec<SegmentView> {
        let ends = self.segments.iter().skip(1).map(|next| &next.before);
        self.segments
            .iter()
            .zip(ends.chain([&self.positions]))
            .map(|(used, end)| SegmentView {
                name: Segment::name(used.segment.number),
                bytes: used.segment.bytes,
                live_bytes: used.scan.live_bytes,
                frames: used.scan.frames,
                void_frames: used.scan.void_frames,
                facts: facts_of(end),
            })
            .collect()
    }

    /// Hands its facts out, to any number of workers.
    pub fn loader(&self) -> Loader {
        let chunks: Vec<Chunk> = self
            .segments
            .iter()
            .flat_map(|used| used.scan.chunks.iter().cloned())
            .collect();
        Loader {
            left: Mutex::new(chunks.into_iter()),
            regions: self.expected.regions.len(),
        }
    }
}

fn facts_of(positions: &Positions) -> u64 {
    let accepted = positions.values().map(|known| known.tally.accepted);
    accepted.fold(0, u64::saturating_add)
}

fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
        Err(error) => return Err(error),
    };
    for entry in entries {
        numbers.extend(entry?.file_name().to_str().and_then(Segment::number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Below so many bytes one thread is as fast.
const SMALL_BYTES: u64 = 4 << 20;

/// Scans segments, on as many threads as there are processors.
fn scan_all(segments: &[Segment], expected: &Expected) -> Vec<Scan> {
    let limits = limits(segments, expected);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut scans = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(segment) = segments.get(at) else {
                return scans;
            };
            scans.push((at, scan(segment, &limits[at])));
        }
    };
    let bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut scans: Vec<(usize, Scan)> = if bytes < SMALL_BYTES {
        work()
    } else {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        std::thread::scope(|scope| {
            let scanning: Vec<_> = (0..threads.min(segments.len()))
                .map(|_| scope.spawn(work))
                .collect();
            scanning
                .into_iter()
                .flat_map(|thread| {
                    thread
                        .join()
                        .expect("looking through a file does not panic")
                })
                .collect()
        })
    };
    scans.sort_unstable_by_key(|(at, _)| *at);
    scans.into_iter().map(|(_, scan)| scan).collect()
}

/// Up to where the records of each segment count: they are committed, and no later process has read
/// them again. Not the next segment alone says that: it may be of the same process, which read on from
/// what it never committed.
fn limits(segments: &[Segment], expected: &Expected) -> Vec<BTreeMap<Key, i64>> {
    let mut limit = expected.committed.clone();
    let mut limits = Vec::with_capacity(segments.len());
    for segment in segments.iter().rev() {
        limits.push(limit.clone());
        for (key, limit) in &mut limit {
            let begun = segment.head.begins.get(key).map_or(0, |known| known.next);
            *limit = begun.min(*limit);
        }
    }
    limits.reverse();
    limits
}

fn scan(segment: &Segment, limits: &BTreeMap<Key, i64>) -> Scan {
    let mut scan = Scan {
        live: segment.head.begins.clone(),
        seen: segment.head.begins.clone(),
        ..Scan::default()
    };
    let limit = |key: &Key| limits.get(key).copied().unwrap_or(0);
    let regions = segment.head.regions.len();
    let mut frames = Frames::new(&segment.file, segment.frames_at, segment.bytes, regions);
    loop {
        let from = frames.offset();
        let read = match frames.next() {
            Ok(Some(read)) => read,
            Ok(None) => break,
            Err(error) => {
                scan.damage = Some((from, error.to_string()));
                break;
            }
        };
        if !goes_on(&scan.seen, &read) {
            scan.damage = Some((
                from,
                "it does not go on where the frame before ends".to_owned(),
            ));
            break;
        }
        let counts = read
            .ranges
            .iter()
            .all(|range| range.to <= limit(&(range.topic, range.partition)))
            && goes_on(&scan.live, &read);
        for range in &read.ranges {
            let key = (range.topic, range.partition);
            scan.seen.entry(key).or_default().take(range);
            if counts {
                scan.live.entry(key).or_default().take(range);
            }
        }
        scan.frames += 1;
        let to = from + read.length as u64;
        if !counts {
            scan.void_frames += 1;
            continue;
        }
        scan.live_bytes += to - from;
        match scan.chunks.last_mut() {
            Some(last) if last.to == from && to - last.from <= CHUNK_BYTES => last.to = to,
            _ => scan.chunks.push(Chunk {
                file: Arc::clone(&segment.file),
                from,
                to,
            }),
        }
    }
    scan
}

/// Hands out the facts of a log. Whoever comes takes the next part: any number of workers of any
/// number of processes load any log. A file is closed when the last of it was handed out.
#[derive(Debug)]
pub struct Loader {
    left: Mutex<std::vec::IntoIter<Chunk>>,
    regions: usize,
}

impl Loader {
    /// Hands out the next part; `false` if there is none left.
    ///
    /// # Errors
    /// What was whole when the log was looked through no longer is.
    pub fn load(&self, mut facts: impl FnMut(Loaded<'_>)) -> Result<bool, LoadError> {
        let next = self
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next();
        let Some(chunk) = next else {
            return Ok(false);
        };
        let mut frames = Frames::new(&chunk.file, chunk.from, chunk.to, self.regions);
        loop {
            let at = frames.offset();
            match frames.next() {
                Ok(Some(read)) => facts(Loaded {
                    facts: read.facts,
                    closes: read.closes,
                }),
                Ok(None) => {
                    faults::point!("state.part-loaded");
                    return Ok(true);
                }
                Err(source) => return Err(LoadError { at, source }),
            }
        }
    }
}

/// A part of what was accepted.
#[derive(Debug)]
pub struct Loaded<'a> {
    /// Packed facts.
    pub facts: &'a [u8],
    /// Day closes.
    pub closes: Vec<Close>,
}

/// A file changed while it was loaded.
#[derive(Debug, thiserror::Error)]
#[error("the state on disk changed while it was loaded, at byte {at} of a segment: {source}")]
pub struct LoadError {
    at: u64,
    source: ReadError,
}
