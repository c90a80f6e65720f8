//! Somebody at the review console, without a browser: a connection that is kept, cookies, and the token of its forms.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// A page of the console is there within seconds, or never.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Somebody at the console.
pub struct Visitor {
    port: u16,
    connection: Option<BufReader<TcpStream>>,
    cookies: BTreeMap<String, String>,
    csrf: String,
}

/// What came back.
pub struct Answer {
    pub code: u16,
    pub body: String,
}

impl Visitor {
    /// Somebody who has not logged in, at a console on this port of 127.0.0.1.
    pub fn new(port: u16) -> Visitor {
        Visitor {
            port,
            connection: None,
            cookies: BTreeMap::new(),
            csrf: String::new(),
        }
    }

    /// The same person, session and all, with a connection of its own to where the console is now.
    pub fn again(&self, port: u16) -> Visitor {
        Visitor {
            port,
            connection: None,
            cookies: self.cookies.clone(),
            csrf: self.csrf.clone(),
        }
    }

    /// Sets a password with a one-time token.
    pub fn enrol(&mut self, token: &str, password: &str) -> Result<()> {
        self.get("/enrol")?;
        let fields = [
            ("token", token),
            ("password", password),
            ("again", password),
        ];
        let answer = self.post("/enrol/finish", &fields)?;
        ensure!(
            answer.code == 303,
            "enrolling is answered with {}",
            answer.code
        );
        Ok(())
    }

    /// Logs in.
    pub fn log_in(&mut self, login: &str, password: &str) -> Result<()> {
        self.get("/login")?;
        let fields = [
            ("login", login),
            ("password", password),
            ("code", ""),
            ("next", ""),
        ];
        let answer = self.post("/login", &fields)?;
        ensure!(
            answer.code == 303,
            "a login is answered with {}",
            answer.code
        );
        self.get("/account")?;
        Ok(())
    }

    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.ask("GET", path, "")
    }

    /// Sends a form. Names and values are plain: letters, digits, points and dashes.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let csrf = self.csrf.clone();
        let fields = fields.iter().copied().chain([("csrf", csrf.as_str())]);
        let pairs: Vec<String> = fields
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.ask("POST", path, &pairs.join("&"))
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            cookies.join("; "),
            body.len()
        );
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER_WITHIN))?;
                none.insert(BufReader::new(stream))
            }
        };
        connection.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let code = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.with_context(|| format!("no answer to {path}: {line:?}"))?;
        let mut length = 0;
        loop {
            line.clear();
            connection.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let value = value.trim();
            match name {
                "content-length" => length = value.parse()?,
                "transfer-encoding" => bail!("{path} is answered in pieces"),
                "set-cookie" => {
                    let pair = value
                        .split(';')
                        .next()
                        .and_then(|pair| pair.split_once('='));
                    let (name, value) = pair.context("a cookie is none")?;
                    if value.is_empty() {
                        self.cookies.remove(name);
                    } else {
                        self.cookies.insert(name.to_owned(), value.to_owned());
                    }
                }
                _ => {}
            }
        }
        let mut bytes = vec![0; length];
        connection.read_exact(&mut bytes)?;
        let body = String::from_utf8(bytes)?;
        if let Some((_, rest)) = body.split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split('"').next().unwrap_or_default().to_owned();
        }
        Ok(Answer { code, body })
    }
}
