//! `fundwatch run` from outside: started, asked over HTTP, stopped or killed.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::binary;
use crate::peer::{Process, StartError};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(45);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A running daemon; it ends when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    http_port: u16,
    log: PathBuf,
}

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// What follows the headers.
    pub body: String,
}

impl Daemon {
    /// Starts it, and waits until its pages answer on `http_port`. Its words go to the end of the file `log`.
    pub fn start(config: &Path, http_port: u16, log: &Path) -> Result<Self, StartError> {
        Self::start_with(config, &[], http_port, log)
    }

    /// The same, with more arguments.
    pub fn start_with(
        config: &Path,
        arguments: &[&str],
        http_port: u16,
        log: &Path,
    ) -> Result<Self, StartError> {
        let mut command = Command::new(binary::fundwatch());
        command
            .args(["run", "--config"])
            .arg(config)
            .args(arguments);
        command
            .env("FUNDWATCH_ID_KEY", binary::ID_KEY)
            .env("RUST_BACKTRACE", "1");
        let mut process = Process::start(&command, log)?;
        process.wait_until(START_LIMIT, || {
            get(http_port, "/healthz").is_ok_and(|answer| answer.code == 200)
        })?;
        Ok(Self {
            process,
            http_port,
            log: log.to_owned(),
        })
    }

    /// The port of 127.0.0.1 that its pages are on.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// Asks for a page.
    pub fn get(&self, page: &str) -> io::Result<Answer> {
        get(self.http_port, page)
    }

    /// Its metrics as they are now.
    pub fn metrics(&self) -> io::Result<Metrics> {
        let answer = self.get("/metrics")?;
        match answer.code {
            200 => Ok(Metrics::parse(&answer.body)),
            code => Err(io::Error::other(format!("/metrics: {code}"))),
        }
    }

    /// Waits until its metrics are as they should be.
    ///
    /// # Panics
    /// If they are not after `limit`, or it ends meanwhile.
    pub fn wait_until(&mut self, what: &str, limit: Duration, holds: impl Fn(&Metrics) -> bool) {
        let port = self.http_port;
        let fetched = || {
            get(port, "/metrics")
                .ok()
                .map(|answer| Metrics::parse(&answer.body))
        };
        let waited = self
            .process
            .wait_until(limit, || fetched().is_some_and(|metrics| holds(&metrics)));
        if let Err(error) = waited {
            panic!("waiting until {what}: {error}\nmetrics: {:#?}", fetched());
        }
    }

    /// Waits until something is the case that others than its metrics tell.
    ///
    /// # Panics
    /// If it is not after `limit`, or the daemon ends meanwhile.
    pub fn wait_for(&mut self, what: &str, limit: Duration, holds: impl FnMut() -> bool) {
        if let Err(error) = self.process.wait_until(limit, holds) {
            panic!("waiting until {what}: {error}");
        }
    }

    /// Asks it to end as the system does, and says its exit code; `None` if it had to be killed.
    pub fn stop(&mut self) -> Option<i32> {
        self.process.stop(STOP_LIMIT)
    }

    /// Waits until it ends by itself, and says its exit code; `None` if it has not after `limit`.
    pub fn ended_within(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(code) = self.process.ended() {
                return Some(code);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// All that it has said, and those before it that had the same log.
    pub fn words(&self) -> io::Result<String> {
        std::fs::read_to_string(&self.log)
    }
}

/// Values of metrics that are whole numbers, by name with labels as they are printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics(BTreeMap<String, u64>);

impl Metrics {
    /// Of the text of a page of metrics.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(values.collect())
    }

    /// The sum of the metric over all its series that have all these labels, each `name="value"`.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[&str]) -> u64 {
        let series = self.0.iter().filter(|(series, _)| {
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            found == name && labels.iter().all(|label| rest.contains(label))
        });
        series.map(|(_, value)| value).sum()
    }
}

/// Asks for a page of 127.0.0.1.
pub fn get(port: u16, page: &str) -> io::Result<Answer> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(format!("GET {page} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if deadline < Instant::now() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    parse_answer(&text).ok_or_else(|| io::Error::other(format!("no answer of HTTP: {text}")))
}

fn parse_answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        code,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_by_label() {
        let metrics = Metrics::parse(
            "# TYPE a counter\na{topic=\"x\",result=\"accepted\"} 3\na{topic=\"y\",result=\"accepted\"} 4\na{topic=\"x\",result=\"rejected\"} 1\nab 9\nc 0.5\n",
        );
        assert_eq!(metrics.sum("a", &[]), 8);
        assert_eq!(metrics.sum("a", &["result=\"accepted\""]), 7);
        assert_eq!(metrics.sum("a", &["result=\"accepted\"", "topic=\"x\""]), 3);
        assert_eq!((metrics.sum("ab", &[]), metrics.sum("c", &[])), (9, 0));
    }

    #[test]
    fn an_answer_has_a_code_and_a_body() {
        let answer =
            parse_answer("HTTP/1.0 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}")
                .unwrap();
        assert_eq!((answer.code, answer.body.as_str()), (503, "{}"));
        assert_eq!(parse_answer("nonsense"), None);
    }
}
