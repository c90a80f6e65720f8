//! A program that is told of alerts, for as long as a test runs: it takes posts over TLS, checks their signatures with
//! another implementation than ours (Python's), and keeps them.
//!
//! Without Python or OpenSSL the peer is `Unavailable`; `FUNDWATCH_REQUIRE_SMTP=1` makes that a failure, as it stands for
//! Python.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::peer::{self, Process, StartError};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running program; it ends, and what it kept with it, when this is dropped.
#[derive(Debug)]
pub struct HookPeer {
    _process: Process,
    port: u16,
    folder: TempDir,
}

/// A post as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Post {
    /// The path of the address.
    pub path: String,
    /// The idempotency key.
    pub key: String,
    /// Whether it was signed with the secret.
    pub is_signed: bool,
    /// What it was answered with.
    pub code: u16,
    /// The body.
    pub body: String,
}

impl HookPeer {
    /// Starts it on a free port. Posts are to be signed with `secret`.
    pub fn start(secret: &str) -> Result<Self, StartError> {
        let folder = TempDir::with_prefix("fundwatch-hook-")?;
        certificates(folder.path())?;
        let mut command = Command::new("python3");
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/hook_peer.py"))
            .arg(folder.path())
            .arg(secret)
            .arg(folder.path().join("leaf.pem"))
            .arg(folder.path().join("leaf.key"));
        let mut process = Process::start(&command, &folder.path().join("peer.log"))?;
        let mut port = 0;
        process.wait_until(START_LIMIT, || {
            port = fs::read_to_string(folder.path().join("port"))
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            port != 0
        })?;
        Ok(Self {
            _process: process,
            port,
            folder,
        })
    }

    /// It, or `None` after saying loudly that a test is left out for want of it.
    ///
    /// # Panics
    /// If it does not start, or is required and not available.
    pub fn start_or_skip(secret: &str) -> Option<Self> {
        peer::started_or_skipped("a webhook", Self::start(secret), "FUNDWATCH_REQUIRE_SMTP")
    }

    /// Where to post to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/told", self.port)
    }

    /// The authority that its certificate is of.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// From now on posts are answered with this status.
    pub fn answer(&self, status: u16) -> io::Result<()> {
        fs::write(self.folder.path().join("status"), status.to_string())
    }

    /// What it has received so far, in order.
    pub fn posts(&self) -> io::Result<Vec<Post>> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.folder.path())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|found| found == "json"));
        files.sort();
        let read =
            |file: PathBuf| -> io::Result<Post> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
        files.into_iter().map(read).collect()
    }
}

/// An authority, and a certificate of it for this machine.
fn certificates(folder: &Path) -> Result<(), StartError> {
    let openssl = |words: &str| -> Result<(), StartError> {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(words.split(' '));
        peer::run(&mut command).map(drop)
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test",
    )?;
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.csr -subj /CN=127.0.0.1",
    )?;
    fs::write(folder.join("leaf.ext"), "subjectAltName=IP:127.0.0.1\n")?;
    openssl(
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 2 -extfile leaf.ext",
    )
}
