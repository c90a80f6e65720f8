//! Feeds in files: which files there are, in which order their records come, and reading them by
//! several workers at once.
//!
//! Plain files are cut into chunks that workers take one after the other; a compressed file is one
//! chunk. A record's [`Position`] orders it among all records of its topic whichever worker reads
//! it; the line number that people see is worked out from it when one is needed.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use domain::{Fact, Topic};

use crate::decode::{Decoder, Regions};
use crate::lines::{Line, Lines, is_blank};
use crate::reason::{Reason, Reject};
use crate::tally::Tally;

/// Bytes of a plain file that a worker takes at a time.
const CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// Bits of a position that count lines within a chunk.
const LINE_BITS: u32 = 40;

/// A feed file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("feed file `{}`: {what}: {source}", path.display())]
pub struct FileError {
    path: PathBuf,
    what: &'static str,
    source: io::Error,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

const ENCODINGS: [(&str, Encoding); 3] = [
    (".jsonl", Encoding::Plain),
    (".jsonl.gz", Encoding::Gzip),
    (".jsonl.zst", Encoding::Zstd),
];

/// One feed file.
#[derive(Clone, Debug)]
struct FeedFile {
    topic: Topic,
    path: PathBuf,
    /// Relative to the feeds folder: what positions show.
    name: String,
    encoding: Encoding,
    bytes: u64,
}

/// Where a record is: greater positions come later in their topic, in the order of contract section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    fn new(chunk: usize, line: u64) -> Position {
        Position((chunk as u64) << LINE_BITS | line)
    }

    fn chunk(self) -> usize {
        (self.0 >> LINE_BITS) as usize
    }

    fn line(self) -> u64 {
        self.0 & ((1 << LINE_BITS) - 1)
    }
}

/// A part of a file that one worker reads.
#[derive(Debug)]
struct Chunk {
    file: usize,
    start: u64,
    /// Lines that start before this offset belong to the chunk.
    end: u64,
    /// How many lines it had, blank ones included; known once it is read.
    lines: AtomicU64,
}

/// All feed files of a folder, cut into chunks.
#[derive(Debug)]
pub struct FeedFiles {
    files: Vec<FeedFile>,
    ignored: Vec<String>,
    chunks: Vec<Chunk>,
    next_chunk: AtomicUsize,
    bytes_read: AtomicU64,
}

impl FeedFiles {
    /// Finds the feed files in `folder`. Files of other names are none.
    ///
    /// # Errors
    /// The folder, or a topic's folder, cannot be listed.
    pub fn find(folder: &Path) -> Result<FeedFiles, FileError> {
        let mut files = Vec::new();
        let names = list(folder)?;
        for topic in Topic::ALL {
            for (suffix, encoding) in ENCODINGS {
                let name = format!("{topic}{suffix}");
                add(&mut files, folder, topic, name, encoding)?;
            }
            let topic_folder = folder.join(topic.as_str());
            if topic_folder.is_dir() {
                for name in list(&topic_folder)? {
                    let encoding = ENCODINGS.iter().find(|(suffix, _)| name.ends_with(suffix));
                    if let Some((_, encoding)) = encoding {
                        add(
                            &mut files,
                            folder,
                            topic,
                            format!("{topic}/{name}"),
                            *encoding,
                        )?;
                    }
                }
            }
        }
        let chunks = files
            .iter()
            .enumerate()
            .flat_map(|(at, file)| cut(at, file))
            .collect();
        let ignored = names
            .into_iter()
            .filter(|name| !is_feed(folder, name))
            .collect();
        Ok(FeedFiles {
            files,
            ignored,
            chunks,
            next_chunk: AtomicUsize::new(0),
            bytes_read: AtomicU64::new(0),
        })
    }

    /// Names in the folder that are no feed's.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Bytes of all files, as they are on disk.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Bytes read so far (of compressed files, counted once a file is done).
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// The topic and place of a record: `FILE:LINE`, lines counted from 1. All chunks of its file
    /// before it must have been read.
    pub fn locate(&self, position: Position) -> String {
        let chunk = position.chunk();
        let file = self.chunks[chunk].file;
        let before: u64 = self.chunks[..chunk]
            .iter()
            .rev()
            .take_while(|chunk| chunk.file == file)
            .map(|chunk| chunk.lines.load(Ordering::Relaxed))
            .sum();
        format!("{}:{}", self.files[file].name, before + position.line() + 1)
    }

    /// Reads records again by their positions, which must be sorted and of whole records.
    ///
    /// # Errors
    /// A file cannot be read any more, or has become shorter.
    pub fn read_again(self: &Arc<Self>, positions: &[Position]) -> Result<Vec<Vec<u8>>, FileError> {
        let mut records = Vec::with_capacity(positions.len());
        for same_chunk in positions.chunk_by(|a, b| a.chunk() == b.chunk()) {
            let index = same_chunk[0].chunk();
            let mut reader = ChunkReader::open(self, index)?;
            for position in same_chunk {
                loop {
                    let line = reader.line;
                    match reader.next()? {
                        Some(Line::Whole(bytes)) if line == position.line() => {
                            records.push(bytes.to_vec());
                            break;
                        }
                        Some(_) => {}
                        None => {
                            return Err(reader
                                .error("has become shorter", io::ErrorKind::UnexpectedEof.into()));
                        }
                    }
                }
            }
        }
        Ok(records)
    }
}

/// Whether an entry of the feeds folder is read.
fn is_feed(folder: &Path, name: &str) -> bool {
    Topic::ALL
        .iter()
        .any(|topic| match name.strip_prefix(topic.as_str()) {
            Some("") => folder.join(name).is_dir(),
            Some(suffix) => ENCODINGS.iter().any(|(known, _)| *known == suffix),
            None => false,
        })
}

/// The names in a folder, sorted byte by byte.
fn list(folder: &Path) -> Result<Vec<String>, FileError> {
    let failed = |source| FileError {
        path: folder.to_owned(),
        what: "cannot list the folder",
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // A position is written as text, and a name that is none cannot be.
        let name = name.into_string().map_err(|name| FileError {
            path: folder.join(name),
            what: "has a name that is not UTF-8: rename it",
            source: io::ErrorKind::InvalidFilename.into(),
        })?;
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

fn add(
    files: &mut Vec<FeedFile>,
    folder: &Path,
    topic: Topic,
    name: String,
    encoding: Encoding,
) -> Result<(), FileError> {
    let path = folder.join(&name);
    let wrong = |what, kind: io::ErrorKind| FileError {
        path: path.clone(),
        what,
        source: kind.into(),
    };
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {
            files.push(FeedFile {
                topic,
                name,
                encoding,
                bytes: metadata.len(),
                path,
            });
            Ok(())
        }
        Ok(metadata) if metadata.is_dir() => Err(wrong(
            "a feed is a file, or a folder without `.jsonl` in its name",
            io::ErrorKind::IsADirectory,
        )),
        Ok(_) => Err(wrong("is no plain file", io::ErrorKind::Unsupported)),
        // A link to nothing is a feed that is missing, not one that is empty.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() =>
        {
            Ok(())
        }
        Err(source) => Err(FileError {
            path,
            what: "cannot be read",
            source,
        }),
    }
}

fn cut(file: usize, feed: &FeedFile) -> Vec<Chunk> {
    let chunk = |start, end| Chunk {
        file,
        start,
        end,
        lines: AtomicU64::new(0),
    };
    match feed.encoding {
        Encoding::Plain => (0..feed.bytes.div_ceil(CHUNK_BYTES))
            .map(|at| chunk(at * CHUNK_BYTES, ((at + 1) * CHUNK_BYTES).min(feed.bytes)))
            .collect(),
        Encoding::Gzip | Encoding::Zstd => vec![chunk(0, u64::MAX)],
    }
}

/// Reads the lines of one chunk.
struct ChunkReader {
    files: Arc<FeedFiles>,
    index: usize,
    lines: Lines<Box<dyn Read + Send>>,
    /// Number of the next line within the chunk, from 0.
    line: u64,
}

impl ChunkReader {
    fn open(files: &Arc<FeedFiles>, index: usize) -> Result<ChunkReader, FileError> {
        let chunk = &files.chunks[index];
        let feed = &files.files[chunk.file];
        let failed = |source| FileError {
            path: feed.path.clone(),
            what: "cannot open",
            source,
        };
        let mut file = File::open(&feed.path).map_err(failed)?;
        // Begin one byte early: if that byte ends a line, skipping to the end of a line skips just it.
        let offset = chunk.start.saturating_sub(1);
        let stream: Box<dyn Read + Send> = match feed.encoding {
            Encoding::Plain => {
                file.seek(SeekFrom::Start(offset)).map_err(failed)?;
                Box::new(file)
            }
            Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))),
            Encoding::Zstd => Box::new(zstd::Decoder::new(file).map_err(failed)?),
        };
        let mut reader = ChunkReader {
            files: Arc::clone(files),
            index,
            lines: Lines::new(stream, offset),
            line: 0,
        };
        if chunk.start > 0 {
            reader
                .lines
                .skip_line()
                .map_err(|source| reader.error("cannot read", source))?;
        }
        Ok(reader)
    }

    fn next(&mut self) -> Result<Option<Line<'_>>, FileError> {
        if self.lines.offset() >= self.files.chunks[self.index].end {
            return Ok(None);
        }
        let line = self
            .lines
            .next()
            .map_err(|source| read_error(&self.files, self.index, source))?;
        self.line += u64::from(line.is_some());
        Ok(line)
    }

    fn error(&self, what: &'static str, source: io::Error) -> FileError {
        FileError {
            path: self.files.files[self.files.chunks[self.index].file]
                .path
                .clone(),
            what,
            source,
        }
    }
}

fn read_error(files: &FeedFiles, index: usize, source: io::Error) -> FileError {
    let feed = &files.files[files.chunks[index].file];
    let what = match feed.encoding {
        Encoding::Plain => "cannot read",
        Encoding::Gzip => "is no whole gzip file",
        Encoding::Zstd => "is no whole zstd file",
    };
    FileError {
        path: feed.path.clone(),
        what,
        source,
    }
}

/// A record that was not accepted, as it goes to the dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The feed it came on.
    pub topic: Topic,
    /// Where it is.
    pub position: Position,
    /// Why it was not accepted.
    pub reject: Reject,
    /// Its bytes without line end; of a `too-large` one the first 1024.
    pub raw: Vec<u8>,
}

/// Reads chunks of feed files, one worker's share.
pub struct FileReader {
    files: Arc<FeedFiles>,
    decoder: Decoder,
    chunk: Option<ChunkReader>,
    /// Counts by [`Topic::index`]; every decoded record is taken as accepted.
    pub tallies: [Tally; Topic::ALL.len()],
    /// What could not be decoded.
    pub rejected: Vec<Rejected>,
}

impl FileReader {
    /// A reader that takes its share of the chunks of `files`.
    pub fn new(files: Arc<FeedFiles>, regions: Regions) -> FileReader {
        FileReader {
            files,
            decoder: Decoder::new(regions),
            chunk: None,
            tallies: [Tally::default(); Topic::ALL.len()],
            rejected: Vec::new(),
        }
    }

    /// Decodes what one read brings, and hands each fact to `accept`. `false` once nothing is left
    /// for this reader.
    ///
    /// # Errors
    /// A file cannot be read or decompressed to its end.
    pub fn advance(
        &mut self,
        mut accept: impl FnMut(Fact<'_>, Position),
    ) -> Result<bool, FileError> {
        let reader = match &mut self.chunk {
            Some(reader) => reader,
            None => {
                let index = self.files.next_chunk.fetch_add(1, Ordering::Relaxed);
                if index >= self.files.chunks.len() {
                    return Ok(false);
                }
                self.chunk.insert(ChunkReader::open(&self.files, index)?)
            }
        };
        let index = reader.index;
        let topic = self.files.files[self.files.chunks[index].file].topic;
        let tally = &mut self.tallies[topic.index()];
        let mut records = 0;
        loop {
            let position = Position::new(index, reader.line);
            let Some(line) = reader.next()? else { break };
            let (record, oversize) = match line {
                Line::Whole(record) => (record, false),
                Line::Oversize(start) => (start, true),
            };
            let decoded = match record {
                _ if oversize => Err(Reason::TooLarge.into()),
                [b'{', ..] => self.decoder.decode(topic, record),
                _ if is_blank(record) => continue,
                _ => self.decoder.decode(topic, record),
            };
            tally.read += 1;
            match decoded {
                Ok(fact) => {
                    tally.accepted += 1;
                    accept(fact, position);
                }
                Err(reject) => {
                    tally.rejected[reject.reason.index()] += 1;
                    self.rejected.push(Rejected {
                        topic,
                        position,
                        reject,
                        raw: record.to_vec(),
                    });
                }
            }
            records += 1;
            if records >= RECORDS_PER_ADVANCE && reader.lines.buffered() == 0
                || records >= 4 * RECORDS_PER_ADVANCE
            {
                return Ok(true);
            }
        }
        let chunk = &self.files.chunks[index];
        chunk.lines.store(reader.line, Ordering::Relaxed);
        let bytes = match chunk.end {
            u64::MAX => self.files.files[chunk.file].bytes,
            end => end - chunk.start,
        };
        self.files.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        self.chunk = None;
        Ok(true)
    }
}

/// After about so many records a worker turns to its other work.
const RECORDS_PER_ADVANCE: usize = 1024;
