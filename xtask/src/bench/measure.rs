//! One run of a program: how long it took and how much memory it held at most.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How often the memory is looked at; its mark only rises, so that only what happens after the last look is missed.
const LOOK: Duration = Duration::from_millis(5);

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// From start to end, by the clock on the wall.
    pub seconds: f64,
    /// The most memory that was resident at once.
    pub peak_bytes: u64,
}

/// Runs the program to its end, which has to be a good one.
pub fn run(command: &mut Command) -> Result<Measured> {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut peak_bytes = 0;
    let status = loop {
        peak_bytes = resident_peak(&child).unwrap_or(0).max(peak_bytes);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Measured {
        seconds,
        peak_bytes,
    })
}

/// The kernel's own high-water mark; `None` once the process has ended.
fn resident_peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_holds_memory_is_seen_to_hold_it() {
        let held = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); sleep 0.2; : \"$x\"";
        let measured = run(Command::new("sh").args(["-c", held])).unwrap();
        assert!(measured.peak_bytes > 30_000_000, "{measured:?}");
        assert!(measured.seconds > 0.2, "{measured:?}");
    }

    #[test]
    fn a_run_that_fails_is_no_measurement() {
        assert!(run(Command::new("sh").args(["-c", "exit 3"])).is_err());
    }
}
