//! Brings a mail to a server, or into a folder.
//!
//! What a failure means depends on where in the conversation it happens, so the conversation is held
//! here, command by command: only a refusal of the recipient or of the message itself is for good.
//! A server that refuses us altogether (greeting, login, sender) is somebody's mistake to be
//! mended, and the mails wait. That a connection ends after the message was sent leaves unknown
//! whether it was taken; it is sent again under the same Message-ID.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

use super::config::{MailConfig, MailConfigErrors, Tls, TransportKind};
use super::letter::Mail;
use super::text::clean;
use crate::secret;

/// The longest text of an error that is kept.
const ERROR_MAX: usize = 300;

/// Where mails go. One [`Line`] is opened by each of the sender's workers.
#[derive(Clone)]
pub enum Transport {
    /// To a server.
    Smtp(Box<Server>),
    /// Into a folder, named by Message-ID: the same mail again is the same file again.
    Folder(PathBuf),
}

/// How to reach the server.
#[derive(Clone)]
pub struct Server {
    host: String,
    port: u16,
    tls: Tls,
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
    patience: Duration,
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Refused for good.
    Permanent(String),
    /// To be tried again.
    Transient(String),
}

impl Transport {
    /// The transport of a configuration; `None` if no mail goes anywhere. Reads the password.
    pub fn new(config: &MailConfig) -> Result<Option<Transport>, MailConfigErrors> {
        config.check()?;
        match config.transport {
            TransportKind::None => Ok(None),
            TransportKind::EmlFolder => Ok(config.folder.clone().map(Transport::Folder)),
            TransportKind::Smtp => Ok(Some(Transport::Smtp(Box::new(server(config)?)))),
        }
    }

    /// A line to send mails over, not yet connected.
    pub(super) const fn line(&self) -> Line<'_> {
        Line {
            transport: self,
            connection: None,
        }
    }
}

fn server(config: &MailConfig) -> Result<Server, MailConfigErrors> {
    let wrong = |key: &str, error: &dyn std::fmt::Display| {
        MailConfigErrors(vec![format!("mail.{key}: {error}")])
    };
    let parameters = match config.tls {
        Tls::None => None,
        Tls::Required | Tls::Implicit => {
            let mut builder = TlsParameters::builder(config.host.clone());
            if let Some(path) = &config.ca_file {
                let wrong =
                    |error: &dyn std::fmt::Display| wrong("ca_file", &named(path.display(), error));
                let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
                let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(&error))?;
                builder = builder.add_root_certificate(certificate);
            }
            Some(builder.build().map_err(|error| wrong("tls", &error))?)
        }
    };
    let password = secret::read(
        "password",
        config.password_file.as_deref(),
        config.password_env.as_deref(),
    )
    .map_err(|error| MailConfigErrors(vec![format!("mail.{error}")]))?;
    Ok(Server {
        host: config.host.clone(),
        port: config.port.unwrap_or(match config.tls {
            Tls::Required => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        }),
        tls: config.tls,
        parameters,
        credentials: config
            .username
            .clone()
            .zip(password)
            .map(|(name, password)| Credentials::new(name, password)),
        hello: ClientId::default(),
        patience: config.timeout(),
    })
}

/// What is wrong with a file or a variable.
fn named(name: impl std::fmt::Display, error: &dyn std::fmt::Display) -> String {
    format!("`{name}`: {error}")
}

/// One worker's way to the transport. Keeps a connection from mail to mail.
pub(super) struct Line<'a> {
    transport: &'a Transport,
    connection: Option<AsyncSmtpConnection>,
}

impl Line<'_> {
    /// Sends one mail; `name` is its Message-ID.
    pub(super) async fn send(&mut self, mail: &Mail, name: &str) -> Result<(), Failure> {
        match self.transport {
            Transport::Folder(folder) => {
                let (folder, name, bytes) = (folder.clone(), name.to_owned(), mail.bytes.clone());
                tokio::task::spawn_blocking(move || put(&folder, &name, &bytes))
                    .await
                    .map_err(|error| Failure::Transient(error.to_string()))?
                    .map_err(|error| Failure::Transient(error.to_string()))
            }
            Transport::Smtp(server) => self.submit(server, mail).await,
        }
    }

    async fn submit(&mut self, server: &Server, mail: &Mail) -> Result<(), Failure> {
        // A kept connection may have been closed by the server in the meantime.
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && !in_time(server, connection.test_connected())
                .await
                .unwrap_or(false)
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => server.connect().await?,
        };
        let outcome = server.converse(&mut connection, mail).await;
        if outcome.is_ok() {
            self.connection = Some(connection);
        } else {
            // Its state is unknown; a farewell is polite, not needed.
            let _ = timeout(Duration::from_secs(1), connection.abort()).await;
        }
        outcome
    }

    /// Ends the connection.
    pub(super) async fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            let _ = timeout(Duration::from_secs(1), connection.quit()).await;
        }
    }
}

impl Server {
    /// Until mails may be handed over. No failure here is the fault of a mail.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let address = (self.host.as_str(), self.port);
        let implicit = match self.tls {
            Tls::Implicit => self.parameters.clone(),
            Tls::Required | Tls::None => None,
        };
        let connecting = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(self.patience),
            &self.hello,
            implicit,
            None,
        );
        let mut connection = self.step(connecting).await.map_err(to_be_mended)?;
        if self.tls == Tls::Required
            && let Some(parameters) = &self.parameters
        {
            let upgrade = connection.starttls(parameters.clone(), &self.hello);
            self.step(upgrade).await.map_err(to_be_mended)?;
        }
        if let Some(credentials) = &self.credentials {
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials);
            self.step(login).await.map_err(to_be_mended)?;
        }
        Ok(connection)
    }

    /// One mail to one recipient, over a connection that is ready.
    async fn converse(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &Mail,
    ) -> Result<(), Failure> {
        faults::point!("mail.connected");
        let from = MailFrom::new(mail.envelope.from().cloned(), Vec::new());
        self.step(connection.command(from))
            .await
            .map_err(to_be_mended)?;
        for to in mail.envelope.to() {
            self.step(connection.command(Rcpt::new(to.clone(), Vec::new())))
                .await?;
        }
        self.step(connection.command(Data)).await?;
        faults::point!("mail.data");
        let answer = self.step(connection.message(&mail.bytes)).await;
        if answer.is_err() && faults::planted!("lost-answer-is-success") {
            return Ok(());
        }
        answer?;
        faults::point!("mail.accepted");
        Ok(())
    }

    /// One step, within the time allowed for it.
    async fn step<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        match in_time(self, step).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) if error.is_permanent() => Err(Failure::Permanent(text_of(&error))),
            Some(Err(error)) => Err(Failure::Transient(text_of(&error))),
            None => Err(Failure::Transient(format!(
                "no answer within {} s",
                self.patience.as_secs()
            ))),
        }
    }
}

/// A refusal that is not about this mail.
fn to_be_mended(failure: Failure) -> Failure {
    match failure {
        Failure::Permanent(error) | Failure::Transient(error) => Failure::Transient(error),
    }
}

async fn in_time<T>(server: &Server, step: impl Future<Output = T>) -> Option<T> {
    timeout(server.patience, step).await.ok()
}

/// The error with its causes, fit for the store and the log.
fn text_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    clean(&text).chars().take(ERROR_MAX).collect()
}

/// Writes a file whole or not at all.
fn put(folder: &Path, message_id: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let safe: String = message_id
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '@' => c,
            _ => '_',
        })
        .collect();
    let part = folder.join(format!(".{safe}.part"));
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, folder.join(format!("{safe}.eml")))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;

    /// S36: whoever offers no encryption hears who we are, and nothing else: no password, no address, no mail.
    #[tokio::test]
    async fn s36_a_server_without_starttls_is_told_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            tls: Tls::Required,
            parameters: Some(TlsParameters::new("localhost".to_owned()).unwrap()),
            credentials: Some(Credentials::new("watch".to_owned(), "secret".to_owned())),
            hello: ClientId::default(),
            patience: Duration::from_secs(10),
        };
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"220 here\r\n").unwrap();
            let mut heard = Vec::new();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let Ok(line) = line else { break };
                let answer: &[u8] = match line.get(..4) {
                    Some("EHLO") => b"250-here\r\n250 AUTH PLAIN LOGIN\r\n",
                    _ => b"250 all right\r\n",
                };
                heard.push(line);
                if stream.write_all(answer).is_err() {
                    break;
                }
            }
            heard
        });
        let failure = server.connect().await.err();
        assert!(
            matches!(failure, Some(Failure::Transient(_))),
            "{failure:?}"
        );
        let heard = peer.join().unwrap();
        let is_harmless = |line: &String| line.starts_with("EHLO ") || line == "QUIT";
        assert!(
            !heard.is_empty() && heard.iter().all(is_harmless),
            "{heard:?}"
        );
    }
}
