//! The daemon's log: lines of JSON on standard error, written by a thread of its own.
//!
//! Whoever reads standard error may hang, and holds up nobody but that thread. What finds no room meanwhile is left out and
//! counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::{self, FAILED};

/// Lines that may wait to be written.
const WAITING_MAX: usize = 4_096;
/// What waits is written within this when the program ends, or not at all.
const FINISHES_WITHIN: Duration = Duration::from_secs(2);

/// Takes lines from whoever logs, without ever waiting.
#[derive(Clone)]
pub struct Lines {
    sender: Sender<Vec<u8>>,
    left_out: Arc<AtomicU64>,
}

/// Ends the writing of the log when it is dropped, once what waits is written.
pub struct Ending(Sender<Sender<()>>);

/// Where the log is told to end, and whom to answer then: for whoever ends the process at once.
static ENDS: OnceLock<Sender<Sender<()>>> = OnceLock::new();

/// Sets up the log of the process. It is written for as long as what this returns lives.
///
/// # Errors
/// There can be no more threads.
pub fn start() -> io::Result<(Lines, Ending)> {
    let (lines, ending) = lines_to(io::stderr())?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("FUNDWATCH_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,librdkafka=off,rdkafka=off"));
    // JSON escapes line ends: no text of a source can forge a line.
    tracing_subscriber::fmt()
        .json()
        .with_writer(lines.clone())
        .with_env_filter(filter)
        .init();
    // A panic would be said on standard error, by a thread that then waits for whoever reads it.
    failure::end_with_panics(
        FAILED,
        &[],
        |panic| tracing::error!(%panic, "a part of the program failed"),
    );
    ENDS.get_or_init(|| ending.0.clone());
    Ok((lines, ending))
}

/// Writes what was said, before the process is ended at once.
pub fn finish() {
    ENDS.get().into_iter().for_each(end);
}

fn end(ends: &Sender<Sender<()>>) {
    let (answer, answered) = bounded(1);
    // Another may wait before; nobody takes it if the log has ended; the thread may hang for ever with whoever reads.
    let _ = ends.send_timeout(answer, FINISHES_WITHIN);
    let _ = answered.recv_timeout(FINISHES_WITHIN);
}

fn lines_to(output: impl Write + Send + 'static) -> io::Result<(Lines, Ending)> {
    let (sender, waiting) = bounded(WAITING_MAX);
    let (ends, ended) = bounded(1);
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(output, &waiting, &ended))?;
    let lines = Lines {
        sender,
        left_out: Arc::default(),
    };
    Ok((lines, Ending(ends)))
}

fn write_all(mut output: impl Write, waiting: &Receiver<Vec<u8>>, ended: &Receiver<Sender<()>>) {
    // Where nothing can be written there is nobody to tell.
    let mut write = |line: Vec<u8>| drop(output.write_all(&line));
    loop {
        crossbeam_channel::select! {
            recv(waiting) -> line => match line {
                Ok(line) => write(line),
                Err(_) => return,
            },
            recv(ended) -> answer => {
                waiting.try_iter().for_each(write);
                for answer in answer.into_iter().chain(ended.try_iter()) {
                    // Whoever asked may not wait any more.
                    let _ = answer.try_send(());
                }
                return;
            }
        }
    }
}

impl Lines {
    /// How many lines found no room.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        end(&self.0);
    }
}

/// One line.
pub struct Line<'a> {
    lines: &'a Lines,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: self,
            bytes: Vec::new(),
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if let Err(TrySendError::Full(_)) = self.lines.sender.try_send(bytes) {
            self.lines.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Instant;

    use super::*;

    fn say(lines: &Lines, what: &str) {
        lines.make_writer().write_all(what.as_bytes()).unwrap();
    }

    #[test]
    fn whoever_reads_the_log_and_hangs_holds_up_nobody() {
        let (mut reading, writing) = io::pipe().unwrap();
        let (lines, ending) = lines_to(writing).unwrap();
        let line = format!("{}\n", "x".repeat(999));
        let started = Instant::now();
        let count = 3 * WAITING_MAX;
        for _ in 0..count {
            say(&lines, &line);
        }
        // A pipe holds 64 KiB, if the thread came to fill it at all; the rest waits or is left out.
        let left_out = usize::try_from(lines.left_out()).unwrap();
        assert!(
            (WAITING_MAX..=2 * WAITING_MAX).contains(&left_out),
            "{left_out}"
        );
        drop(ending);
        assert!(started.elapsed() < Duration::from_secs(30));
        // Whoever reads on gets every line that was not left out, whole.
        drop(lines);
        let mut read = String::new();
        reading.read_to_string(&mut read).unwrap();
        assert_eq!(read.lines().count(), count - left_out);
        assert!(read.lines().all(|line| line.len() == 999));
    }

    #[test]
    fn what_was_said_is_written_at_the_end() {
        let (mut reading, writing) = io::pipe().unwrap();
        let (lines, ending) = lines_to(writing).unwrap();
        for n in 0..100 {
            say(&lines, &format!("{n}\n"));
        }
        drop(ending);
        let mut read = String::new();
        drop(lines);
        reading.read_to_string(&mut read).unwrap();
        let expected: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(read, expected);
    }
}
