//! Goes on with a log: a new segment at each start and whenever one is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::frame::Frame;
use crate::log::Log;
use crate::segment::{Head, Segment};
use crate::{Position, Positions};

/// A segment is full with so many bytes.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Appends frames. One a folder: a second is refused.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    head: Head,
    number: u64,
    file: File,
    /// Bytes of whole frames in the file.
    length: u64,
    segment_bytes: u64,
    positions: Positions,
    buffer: Vec<u8>,
    /// Locked for as long as the writer lives.
    _lock: Lock,
}

/// Keeps a second process out of a folder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// The folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes there.
    #[error("the state in `{0}` is in use by another process")]
    InUse(PathBuf),
    /// A file or folder cannot be made.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Lock {
    /// Makes the folder if it is not there, and locks it.
    ///
    /// # Errors
    /// It is locked already, or cannot be made.
    pub fn of(folder: &Path) -> Result<Lock, OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed(folder))?;
        let path = folder.join("lock");
        let file = private().append(true).open(&path).map_err(failed(&path))?;
        match file.try_lock() {
            Ok(()) => {
                faults::point!("state.locked");
                Ok(Lock(file))
            }
            Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
            Err(fs::TryLockError::Error(source)) => Err(failed(&path)(source)),
        }
    }
}

/// Files that their owner alone may read: names and numbers of people are in them.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

impl Writer {
    /// Goes on where the log ends. Small segments at its end are put together into the new one, and
    /// what cannot be used is set aside under a name that ends with `.aside`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn open(log: &Log, lock: Lock) -> io::Result<Writer> {
        Writer::with_segments_of(log, lock, faults::segment_bytes(SEGMENT_BYTES))
    }

    /// As [`Writer::open`], with segments of another size.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn with_segments_of(log: &Log, lock: Lock, segment_bytes: u64) -> io::Result<Writer> {
        let kept = kept(log, segment_bytes);
        let copied = &log.segments[kept..];
        let number = log.found.last().map_or(1, |last| last + 1);
        let head = Head {
            store: log.expected.store.clone(),
            regions: log.expected.regions.clone(),
            replaces: copied.first().map_or(number, |first| first.segment.number),
            begins: copied
                .first()
                .map_or_else(|| log.positions().clone(), |first| first.before.clone()),
        };
        let mut writer = Writer::begin(
            log.folder.clone(),
            head,
            number,
            lock,
            segment_bytes,
            |file| {
                for chunk in copied.iter().flat_map(|used| &used.scan.chunks) {
                    let bytes = chunk.to - chunk.from;
                    let mut source = io::Read::take(Offset(&chunk.file, chunk.from), bytes);
                    if io::copy(&mut source, file)? != bytes {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Ok(())
            },
        )?;
        writer.positions = log.positions().clone();
        writer.tidy(log, kept)?;
        Ok(writer)
    }

    /// Makes a segment: whole under its name, or not there.
    fn begin(
        folder: PathBuf,
        head: Head,
        number: u64,
        lock: Lock,
        segment_bytes: u64,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<Writer> {
        let (file, length) = make(&folder, &head, number, fill)?;
        Ok(Writer {
            folder,
            positions: head.begins.clone(),
            head,
            number,
            file,
            length,
            segment_bytes,
            buffer: Vec::new(),
            _lock: lock,
        })
    }

    /// Takes away what the new segment has replaced, and puts aside what is not used.
    fn tidy(&self, log: &Log, kept: usize) -> io::Result<()> {
        let damaged = log.damage().map(|damage| damage.file.clone());
        for number in &log.found {
            let used = log
                .segments
                .iter()
                .position(|used| used.segment.number == *number);
            let path = self.folder.join(Segment::name(*number));
            let is_good = log.replaced.contains(number) || used.is_some();
            match used {
                Some(at) if at < kept => {}
                _ if is_good && damaged.as_ref() != Some(&path) => {
                    fs::remove_file(&path)?;
                    faults::point!("state.replaced-removed");
                }
                _ => {
                    let mut aside = path.clone().into_os_string();
                    aside.push(".aside");
                    fs::rename(&path, &aside)?;
                    tracing::warn!(file = %path.display(), "a segment of the state is not used, and set aside");
                    faults::point!("state.set-aside");
                }
            }
        }
        sync_folder(&self.folder)?;
        faults::point!("state.tidied");
        Ok(())
    }

    /// Appends a frame. After an error nothing of it is there, and it may be tried again.
    ///
    /// # Errors
    /// It cannot be written, e.g. because the disk is full.
    ///
    /// # Panics
    /// If the frame does not go on where its partitions stand.
    pub fn append(&mut self, frame: &Frame) -> io::Result<()> {
        if self.length >= self.segment_bytes {
            self.next_segment()?;
        }
        self.buffer.clear();
        frame.write(&mut self.buffer);
        faults::point!("state.appending");
        if let Err(error) = self.write_buffer() {
            // Half a frame may be there: the next one must not come after it.
            self.file.set_len(self.length)?;
            faults::point!("state.cut-back");
            return Err(error);
        }
        faults::point!("state.appended");
        self.length += self.buffer.len() as u64;
        for range in &frame.ranges {
            let position: &mut Position = self
                .positions
                .entry((range.topic, range.partition))
                .or_default();
            assert_eq!(position.next, range.from, "nothing is left out");
            position.take(range);
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if faults::tears() {
            self.file.write_all(&self.buffer[..self.buffer.len() / 2])?;
            faults::point!("state.half-appended");
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all(&self.buffer)
    }

    /// Makes everything that was appended durable.
    ///
    /// # Errors
    /// It is not known what is durable: nothing may be appended any more.
    pub fn sync(&mut self) -> io::Result<()> {
        faults::point!("state.syncing");
        self.file.sync_data()?;
        faults::point!("state.synced");
        Ok(())
    }

    /// Writes from now on where there is never room.
    #[cfg(test)]
    pub(crate) fn on_a_full_disk(mut self) -> io::Result<Writer> {
        self.file = OpenOptions::new().write(true).open("/dev/full")?;
        Ok(self)
    }

    /// Bytes of the segment that is being written.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn next_segment(&mut self) -> io::Result<()> {
        self.sync()?;
        faults::point!("state.segment-full");
        let number = self.number + 1;
        let head = Head {
            replaces: number,
            begins: self.positions.clone(),
            ..self.head.clone()
        };
        let (file, length) = make(&self.folder, &head, number, |_| Ok(()))?;
        (self.file, self.length, self.number, self.head) = (file, length, number, head);
        Ok(())
    }
}

/// How many segments at the beginning stay as they are: those before a tail that fits into one.
fn kept(log: &Log, segment_bytes: u64) -> usize {
    let mut bytes = 0;
    let mut kept = log.segments.len();
    for used in log.segments.iter().rev() {
        bytes += used.scan.live_bytes;
        if bytes >= segment_bytes {
            break;
        }
        kept -= 1;
    }
    // One with a damage is not left as it is.
    let damaged = log.segments.iter().position(|used| {
        log.damage().is_some_and(|damage| {
            damage.file == log.folder.join(Segment::name(used.segment.number))
        })
    });
    damaged.map_or(kept, |damaged| kept.min(damaged))
}

/// Writes a segment beside its place, makes it durable, and puts it there.
fn make(
    folder: &Path,
    head: &Head,
    number: u64,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<(File, u64)> {
    let path = folder.join(Segment::name(number));
    let mut half = path.clone().into_os_string();
    half.push(".half");
    // Left by a process that was killed while it wrote.
    match fs::remove_file(&half) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().append(true).open(&half)?;
    faults::point!("state.half-made");
    file.write_all(&head.bytes())?;
    faults::point!("state.head-written");
    fill(&mut file)?;
    faults::point!("state.half-filled");
    file.sync_all()?;
    faults::point!("state.half-durable");
    fs::rename(&half, &path)?;
    faults::point!("state.renamed");
    sync_folder(folder)?;
    faults::point!("state.folder-durable");
    let length = file.metadata()?.len();
    Ok((file, length))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads a file from an offset on.
struct Offset<'a>(&'a File, u64);

impl io::Read for Offset<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(self.0, buffer, self.1)?;
        self.1 += read as u64;
        Ok(read)
    }
}
