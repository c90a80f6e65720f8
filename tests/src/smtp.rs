//! A real mail server for as long as a test runs: aiosmtpd, which keeps every message that it is given.
//!
//! It comes from PyPI, once, into the folder `smtp` of the build folder (or the one that `FUNDWATCH_SMTP_CACHE`
//! names). Without Python the peer is `Unavailable`; `FUNDWATCH_REQUIRE_SMTP=1` makes that a failure.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tempfile::TempDir;

use crate::peer::{self, Process, StartError};

const AIOSMTPD: &str = "aiosmtpd==1.4.6";
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running mail server; it ends, and what it kept with it, when this is dropped.
#[derive(Debug)]
pub struct SmtpPeer {
    process: Process,
    python: PathBuf,
    port: u16,
    /// What it received, and how it is told to refuse.
    folder: TempDir,
}

/// A message as the server received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who the envelope says it is from.
    pub from: String,
    /// Whom the envelope says it is for.
    pub to: Vec<String>,
    /// Headers and body, byte for byte.
    pub data: String,
    /// Whether the sender got an answer.
    pub is_answered: bool,
}

/// How a server that means no good treats messages, in per cent; the rest are taken and answered.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Hostility {
    /// What is drawn for a message and its attempts follows from this.
    pub seed: u64,
    /// Put off (451).
    pub delay: u32,
    /// Refused for ever (554).
    pub refuse: u32,
    /// Kept, and the connection closed without an answer.
    pub lose_answer: u32,
    /// Not kept, and the connection closed without an answer.
    pub lose_message: u32,
    /// Kept, and answered late.
    pub dawdle: u32,
}

/// A message in the file that the server keeps it in.
#[derive(Deserialize)]
struct Kept {
    from: String,
    to: Vec<String>,
    data: String,
    answered: bool,
}

impl Received {
    /// The value of a header, unfolded, as it was sent (encoded words stay encoded).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let (headers, _) = self.data.split_once("\r\n\r\n")?;
        let unfolded = headers.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

impl SmtpPeer {
    /// Fetches the server if it is not there yet, and starts it on a free port with no messages.
    pub fn start() -> Result<Self, StartError> {
        let python = python()?;
        let folder = TempDir::with_prefix("fundwatch-smtp-")?;
        let (process, port) = launch(&python, folder.path(), None)?;
        Ok(Self {
            process,
            python,
            port,
            folder,
        })
    }

    /// The server, or `None` after saying loudly that a test is left out for want of it.
    ///
    /// # Panics
    /// If it does not start, or is required and not available.
    pub fn start_or_skip() -> Option<Self> {
        peer::started_or_skipped(
            "a real mail server",
            Self::start(),
            "FUNDWATCH_REQUIRE_SMTP",
        )
    }

    /// The port of 127.0.0.1 that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has received so far, in order.
    pub fn received(&self) -> io::Result<Vec<Received>> {
        self.received_after(0)
    }

    /// What it has received so far but for the first `known`, in order.
    pub fn received_after(&self, known: usize) -> io::Result<Vec<Received>> {
        // By their numbers: a folder that is read while messages come may show a later one and not an earlier.
        (known + 1..)
            .map(|number| self.folder.path().join(format!("{number:08}.json")))
            .take_while(|file| file.exists())
            .map(|file| read(&file))
            .collect()
    }

    /// From now on messages are treated like this.
    pub fn be_hostile(&self, hostility: &Hostility) -> io::Result<()> {
        let half = self.folder.path().join("hostility.half");
        fs::write(&half, serde_json::to_vec(hostility)?)?;
        fs::rename(half, self.folder.path().join("hostility"))
    }

    /// From now on every recipient whose address begins with `prefix` is refused for ever (550).
    pub fn refuse(&self, prefix: &str) -> io::Result<()> {
        fs::write(self.folder.path().join("refuse"), prefix)
    }

    /// From now on every recipient whose address begins with `prefix` is refused for the time being (451).
    pub fn delay(&self, prefix: &str) -> io::Result<()> {
        fs::write(self.folder.path().join("delay"), prefix)
    }

    /// From now on the connection ends after each message was taken, without an answer.
    pub fn drop_after_data(&self) -> io::Result<()> {
        fs::write(self.folder.path().join("drop"), "")
    }

    /// From now on so many seconds pass before a message is acknowledged.
    pub fn slow_down(&self, seconds: u32) -> io::Result<()> {
        fs::write(self.folder.path().join("slow"), seconds.to_string())
    }

    /// From now on nobody is refused, and nothing goes wrong.
    pub fn accept_all(&self) -> io::Result<()> {
        for rule in ["refuse", "delay", "hostility", "drop", "slow"] {
            match fs::remove_file(self.folder.path().join(rule)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends it at once; what it received stays readable.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it if it runs, and starts it on the same port with what it has received.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.kill();
        (self.process, _) = launch(&self.python, self.folder.path(), Some(self.port))?;
        Ok(())
    }
}

fn launch(python: &Path, folder: &Path, port: Option<u16>) -> Result<(Process, u16), StartError> {
    let mut command = Command::new(python);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/smtp_peer.py"))
        .arg(folder)
        .args(port.map(|port| port.to_string()));
    let mut process = Process::start(&command, &folder.join("peer.log"))?;
    let mut found = 0;
    process.wait_until(START_LIMIT, || {
        found = fs::read_to_string(folder.join("port"))
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        found != 0 && TcpStream::connect(("127.0.0.1", found)).is_ok()
    })?;
    Ok((process, found))
}

fn read(file: &Path) -> io::Result<Received> {
    let kept: Kept = serde_json::from_slice(&fs::read(file)?)?;
    let data = STANDARD.decode(kept.data).map_err(io::Error::other)?;
    Ok(Received {
        from: kept.from,
        to: kept.to,
        data: String::from_utf8(data).map_err(io::Error::other)?,
        is_answered: kept.answered,
    })
}

/// The Python that has the server. Not filled half and renamed: a virtual environment knows its own place.
fn python() -> Result<PathBuf, StartError> {
    let cache = peer::cache_folder("smtp", "FUNDWATCH_SMTP_CACHE")?;
    let environment = cache.join("venv");
    peer::fill_once(&cache.join(AIOSMTPD), |_| {
        peer::fetch(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        )?;
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            AIOSMTPD,
        ]);
        peer::fetch(&mut pip)
    })?;
    Ok(environment.join("bin/python"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};

    #[test]
    fn what_is_sent_is_received_and_who_is_refused_is_not() {
        let Some(peer) = SmtpPeer::start_or_skip() else {
            return;
        };
        peer.refuse("nobody@").unwrap();
        peer.delay("later@").unwrap();
        let codes = say(
            peer.port(),
            &[
                "EHLO test",
                "MAIL FROM:<fundwatch@example.org>",
                "RCPT TO:<nobody@example.org>",
                "RCPT TO:<later@example.org>",
                "RCPT TO:<office@example.org>",
                "DATA",
                "Subject: one\r\n two\r\n\r\nbody\r\n.",
                "QUIT",
            ],
        );
        assert_eq!(
            codes,
            [
                "220", "250", "250", "550", "451", "250", "354", "250", "221"
            ]
        );
        let received = peer.received().unwrap();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].from, "fundwatch@example.org");
        assert_eq!(received[0].to, ["office@example.org"]);
        assert_eq!(received[0].header("subject").as_deref(), Some("one two"));
    }

    /// The codes of the greeting and of the answers to the lines.
    fn say(port: u16, lines: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        let mut codes = vec![answer(&mut answers)];
        for line in lines {
            stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
            codes.push(answer(&mut answers));
        }
        codes
    }

    /// An answer's last line has a space after its code.
    fn answer(answers: &mut impl BufRead) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                answers.read_line(&mut line).unwrap(),
                0,
                "the server hung up"
            );
            if line.as_bytes().get(3) == Some(&b' ') {
                return line[..3].to_owned();
            }
        }
    }
}
