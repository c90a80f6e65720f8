//! The yardstick: the same files, read and parsed into typed records with `serde_json`, and nothing else.
//!
//! Texts are borrowed from the line, and no value is looked at: what any program that uses `serde_json` has to do at
//! the least. Threads take chunks of the files in turn, as `replay` does.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, anyhow};
use serde::Deserialize;

use super::feeds;

const CHUNK_BYTES: u64 = 4 << 20;

/// Contributions (contract section 2).
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed, not read")]
struct Collection<'a> {
    id: &'a str,
    r#type: &'a str,
    region: &'a str,
    date: &'a str,
    enterprise: Option<&'a str>,
    name: Option<&'a str>,
    status: Option<&'a str>,
    period: Option<&'a str>,
    headcount: Option<u32>,
    base: Option<&'a str>,
    wages: Option<&'a str>,
    reverses: Option<&'a str>,
    amount: Option<&'a str>,
    records: Option<u32>,
}

/// Payouts.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed, not read")]
struct Payout<'a> {
    id: &'a str,
    r#type: &'a str,
    region: &'a str,
    date: &'a str,
    person: Option<&'a str>,
    period: Option<&'a str>,
    item: Option<&'a str>,
    nature: Option<&'a str>,
    reverses: Option<&'a str>,
    amount: Option<&'a str>,
    account: Option<&'a str>,
    records: Option<u32>,
}

/// Roster and deaths.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed, not read")]
struct Person<'a> {
    id: &'a str,
    r#type: &'a str,
    region: &'a str,
    date: &'a str,
    person: Option<&'a str>,
    status: Option<&'a str>,
    amount: Option<&'a str>,
    name: Option<&'a str>,
    died_on: Option<&'a str>,
    source: Option<&'a str>,
    reverses: Option<&'a str>,
    records: Option<u32>,
}

/// Transfers.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed, not read")]
struct Transfer<'a> {
    id: &'a str,
    r#type: &'a str,
    region: &'a str,
    date: &'a str,
    kind: Option<&'a str>,
    amount: Option<&'a str>,
    period: Option<&'a str>,
    source: Option<&'a str>,
    records: Option<u32>,
}

/// What a pass over the files took.
#[derive(Clone, Copy, Debug)]
pub struct Parsed {
    /// Lines that are records.
    pub records: u64,
    /// From the first byte to the last, by the clock on the wall.
    pub seconds: f64,
}

/// Parses a line, and says whether it is a record.
type Parse = fn(&[u8]) -> bool;

/// A part of a file: the lines that begin in it.
#[derive(Debug)]
struct Chunk {
    file: PathBuf,
    start: u64,
    end: u64,
    parse: Parse,
}

/// Reads and parses the feed files of a folder with as many threads.
pub fn parse(folder: &Path, threads: usize) -> Result<Parsed> {
    let chunks = chunks(folder)?;
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let counts = std::thread::scope(|scope| {
        let work = || -> Result<u64> {
            let mut records = 0;
            while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                records += chunk.parse()?;
            }
            Ok(records)
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
            })
            .collect::<Result<Vec<u64>>>()
    })?;
    Ok(Parsed {
        records: counts.iter().sum(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn chunks(folder: &Path) -> Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    for file in feeds::files(folder)? {
        let length = file.metadata()?.len();
        let parse = parser(&file);
        let starts = (0..length).step_by(CHUNK_BYTES as usize);
        chunks.extend(starts.map(|start| Chunk {
            file: file.clone(),
            start,
            end: length.min(start + CHUNK_BYTES),
            parse,
        }));
    }
    Ok(chunks)
}

fn parser(file: &Path) -> Parse {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    match name.split('.').next() {
        Some("tax") => |line| is_record::<Collection<'_>>(line),
        Some("treasury") => |line| is_record::<Transfer<'_>>(line),
        Some("agency") if name.starts_with("agency.payout") => |line| is_record::<Payout<'_>>(line),
        _ => |line| is_record::<Person<'_>>(line),
    }
}

fn is_record<'a, T: Deserialize<'a>>(line: &'a [u8]) -> bool {
    black_box(serde_json::from_slice::<T>(line)).is_ok()
}

impl Chunk {
    /// How many records begin in it.
    fn parse(&self) -> Result<u64> {
        let mut file = File::open(&self.file)?;
        // A line that begins at the very start of the chunk follows a line end just before it.
        file.seek(SeekFrom::Start(self.start.saturating_sub(1)))?;
        let mut reader = BufReader::with_capacity(256 << 10, file);
        let mut line = Vec::with_capacity(1 << 10);
        let mut at = self.start;
        if 0 < self.start {
            at = self.start - 1 + reader.read_until(b'\n', &mut line)? as u64;
        }
        let mut records = 0;
        while at < self.end {
            line.clear();
            at += reader.read_until(b'\n', &mut line)? as u64;
            records += u64::from((self.parse)(&line));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_parsed_once_wherever_the_chunks_are_cut() {
        let folder = tempfile::tempdir().unwrap();
        let line =
            r#"{"id":"p-1","type":"payout","region":"341002","date":"2024-01-20","amount":"1.00"}"#;
        let text = format!("{line}\nnot json\n{line}\n{line}");
        let file = folder.path().join("agency.payout.jsonl");
        std::fs::write(&file, &text).unwrap();
        assert_eq!(parse(folder.path(), 2).unwrap().records, 3);
        let length = text.len() as u64;
        for cut in 0..=length {
            let part = |start, end| Chunk {
                file: file.clone(),
                start,
                end,
                parse: parser(&file),
            };
            let records = part(0, cut).parse().unwrap() + part(cut, length).parse().unwrap();
            assert_eq!(records, 3, "cut at {cut}");
        }
    }
}
