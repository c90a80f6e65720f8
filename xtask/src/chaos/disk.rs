//! `chaos disk`: the disk with the store is full, and has room again. Needs the right to mount.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use acceptance::daemon;
use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::kill::tail;
use super::run::{Arms, Run, SOON, Waited};
use super::script::Script;
use super::world::World;

const BATCHES: usize = 4;
/// Once there is room, everything is committed and told within this.
const RESUMES_WITHIN: Duration = Duration::from_secs(30);

/// Runs so many histories, each on a small disk of its own.
pub fn all(world: &World, seeds: std::ops::Range<u64>) -> Result<String> {
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let history = 300_000 + seed;
        let folder = TempDir::with_prefix("fundwatch-chaos-")?;
        let Some(disk) = Disk::mount(&folder.path().join("disk"))? else {
            return Ok("LEFT OUT: nothing may be mounted here".to_owned());
        };
        let store = disk.0.join("fundwatch.sqlite");
        let mut run = Run::set_with_store(world, Script::of(history, BATCHES)?, folder, store)?;
        let done = once(&mut run, &disk);
        done.with_context(|| {
            format!(
                "seed {seed}, history {history}; the daemon said last:\n{}",
                tail(&run.words())
            )
        })?;
        drop(disk);
    }
    Ok(format!(
        "{count} full disks: nothing read meanwhile, resumed within 30 s, 0 differences"
    ))
}

fn once(run: &mut Run<'_>, disk: &Disk) -> Result<()> {
    run.send(0)?;
    let mut daemon = run.start(&Arms::default())?;
    ensure!(
        run.settle(&mut daemon, SOON)? == Waited::Settled,
        "it ended"
    );
    let filler = disk.fill()?;
    let before = run.store()?.offsets()?;
    run.send(1)?;
    let deadline = Instant::now() + SOON;
    loop {
        let ready = daemon::get(run.http_port(), "/readyz");
        if ready.is_ok_and(|answer| answer.code == 503 && answer.body.contains("is full")) {
            break;
        }
        ensure!(daemon.ended().is_none(), "it ended");
        ensure!(
            Instant::now() < deadline,
            "it does not say that the disk is full"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    run.send(2)?;
    // Time enough to read everything, if it read.
    std::thread::sleep(Duration::from_secs(1));
    ensure!(
        run.store()?.offsets()? == before,
        "an offset moved on a full disk"
    );
    ensure!(daemon.ended().is_none(), "it ended");
    fs::remove_file(filler)?;
    ensure!(
        run.settle(&mut daemon, RESUMES_WITHIN)? == Waited::Settled,
        "it ended"
    );
    run.send(3)?;
    ensure!(
        run.settle(&mut daemon, SOON)? == Waited::Settled,
        "it ended"
    );
    run.judge()?;
    ensure!(daemon.stop(SOON) == Some(0), "asked to stop, it did not");
    Ok(())
}

/// A small file system in memory; it goes when this is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where mounting is not allowed.
    fn mount(at: &Path) -> Result<Option<Disk>> {
        fs::create_dir(at)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(at)
            .output()?;
        Ok(mounted.status.success().then(|| Disk(at.to_owned())))
    }

    /// A file that takes all the room that is left.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path)?;
        for size in [65_536, 4_096] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the daemon may have it open still.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
