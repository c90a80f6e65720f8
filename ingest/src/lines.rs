//! Lines of a byte stream, without holding more of it than one line.

use std::io::{self, Read};

use crate::decode::RECORD_BYTES_MAX;

/// How much is asked of the stream at a time: small enough to stay in the second-level cache.
const READ_BYTES: usize = 256 * 1024;
/// What is kept of a line that is too large: what its dead letter shows.
pub(crate) const OVERSIZE_KEPT_BYTES: usize = 1024;

/// A line, without its end.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    /// A line of at most the greatest size of a record.
    Whole(&'a [u8]),
    /// The beginning of a line that is larger.
    Oversize(&'a [u8]),
}

/// Splits a stream into lines that end with LF or CR LF; the last may lack its end.
pub(crate) struct Lines<R> {
    stream: R,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are read and not consumed.
    start: usize,
    end: usize,
    /// Offset in the stream of `buffer[start]`.
    offset: u64,
    ended: bool,
    /// The beginning of an oversize line, while the rest of it is skipped.
    oversize: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// The lines of `stream`, whose first byte is at `offset` of its file.
    pub(crate) fn new(stream: R, offset: u64) -> Lines<R> {
        Lines {
            stream,
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            offset,
            ended: false,
            oversize: Vec::new(),
        }
    }

    /// The offset in the file at which the next line starts.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes at hand; none means that the next line needs a read.
    pub(crate) fn buffered(&self) -> usize {
        self.end - self.start
    }

    /// The next line, or `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = 0;
        loop {
            let ready = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &ready[searched..]) {
                let length = searched + at;
                let line = self.start..self.start + length;
                self.start += length + 1;
                self.offset += length as u64 + 1;
                let line = &self.buffer[line];
                return Ok(Some(sized(line.strip_suffix(b"\r").unwrap_or(line))));
            }
            searched = ready.len();
            if self.ended {
                if searched == 0 {
                    return Ok(None);
                }
                let line = self.start..self.end;
                self.start = self.end;
                self.offset += searched as u64;
                // A CR at the end of the stream ends no line: it is the record's.
                return Ok(Some(sized(&self.buffer[line])));
            }
            // One more byte than the greatest record: a CR before the end is none of its bytes.
            if searched > RECORD_BYTES_MAX + 1 {
                return self.skip_oversize().map(Some);
            }
            self.fill()?;
        }
    }

    /// Skips bytes up to and with the next LF.
    pub(crate) fn skip_line(&mut self) -> io::Result<()> {
        self.next().map(drop)
    }

    fn skip_oversize(&mut self) -> io::Result<Line<'_>> {
        self.oversize.clear();
        self.oversize
            .extend_from_slice(&self.buffer[self.start..self.start + OVERSIZE_KEPT_BYTES]);
        let mut blank = true;
        loop {
            let ready = &self.buffer[self.start..self.end];
            let found = memchr::memchr(b'\n', ready);
            let consumed = found.map_or(ready.len(), |at| at + 1);
            blank = blank && is_blank(&ready[..found.unwrap_or(ready.len())]);
            self.start += consumed;
            self.offset += consumed as u64;
            if found.is_some() || self.ended {
                return Ok(if blank {
                    Line::Whole(&[])
                } else {
                    Line::Oversize(&self.oversize)
                });
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ_BYTES / 2 {
            self.buffer.resize(self.buffer.len() + READ_BYTES, 0);
        }
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(());
                }
                Ok(count) => {
                    self.end += count;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether there is nothing but spaces, tabs and CR: no record, however long.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'))
}

fn sized(line: &[u8]) -> Line<'_> {
    match line.len() {
        0..=RECORD_BYTES_MAX => Line::Whole(line),
        _ if is_blank(line) => Line::Whole(&[]),
        _ => Line::Oversize(&line[..OVERSIZE_KEPT_BYTES]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time, so that every boundary falls inside a line once.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(text: &[u8], drip: usize) -> Vec<(bool, Vec<u8>)> {
        let mut lines = Lines::new(Drip(text, drip), 0);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                Line::Whole(line) => (true, line.to_vec()),
                Line::Oversize(line) => (false, line.to_vec()),
            });
        }
        assert_eq!(lines.offset(), text.len() as u64);
        found
    }

    #[test]
    fn ends_of_lines() {
        for drip in [1, 2, 3, 100] {
            let expected: Vec<_> = [&b"a"[..], b"", b"b\rc", b"d"]
                .map(|line| (true, line.to_vec()))
                .into();
            assert_eq!(all(b"a\r\n\nb\rc\nd", drip), expected);
            assert_eq!(all(b"a\r\n\nb\rc\nd\r\n", drip), expected);
            assert_eq!(all(b"", drip), []);
            assert_eq!(all(b"a\r", drip), [(true, b"a\r".to_vec())]);
        }
    }

    #[test]
    fn the_greatest_record_and_one_byte_more() {
        for (length, whole) in [
            (RECORD_BYTES_MAX, true),
            (RECORD_BYTES_MAX + 1, false),
            (RECORD_BYTES_MAX * 3, false),
        ] {
            for end in ["\n", "\r\n"] {
                let text = ["x".repeat(length).as_bytes(), end.as_bytes(), b"next\n"].concat();
                let lines = all(&text, 100_000);
                assert_eq!(lines.len(), 2, "{length}");
                assert_eq!(lines[0].0, whole, "{length} {end:?}");
                assert_eq!(
                    lines[0].1.len(),
                    if whole { length } else { OVERSIZE_KEPT_BYTES }
                );
                assert_eq!(lines[1], (true, b"next".to_vec()));
            }
            let blank = [" ".repeat(length).as_bytes(), b"\nnext"].concat();
            let lines = all(&blank, 100_000);
            assert!(
                lines[0].0 && is_blank(&lines[0].1) && lines[1].1 == b"next",
                "blank, however long"
            );
            let lines = all(&vec![b'x'; length], 100_000);
            assert_eq!((lines.len(), lines[0].0), (1, whole), "without an end");
        }
    }
}
