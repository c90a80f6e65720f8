//! Makes the mail that is sent: headers, text and HTML, in bytes. The same row of the outbox gives
//! the same bytes at every attempt.

use std::time::{Duration, SystemTime};

use askama::Template;
use jiff::Timestamp;
use lettre::address::{AddressError, Envelope};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::message_id::of_thread;
use super::office::Office;
use super::text::clean;
use super::view::{self, Life, Many, Single};
use crate::store::{Content, Letter, Telling};

/// A mail ready to be sent: to one recipient.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Who sends it and who gets it, for the server.
    pub envelope: Envelope,
    /// Headers and body.
    pub bytes: Vec<u8>,
}

/// Why a row of the outbox cannot be made a mail. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// The recipient's address.
    #[error("the address is no mail address")]
    Address(#[from] AddressError),
    /// The library refuses the parts.
    #[error("the parts make no mail")]
    Message(#[from] lettre::error::Error),
    /// A template failed.
    #[error("the text could not be written")]
    Text(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "alert.txt", escape = "none")]
struct SingleText<'a> {
    v: &'a Single,
}

#[derive(Template)]
#[template(path = "alert.html")]
struct SingleHtml<'a> {
    v: &'a Single,
}

#[derive(Template)]
#[template(path = "digest.txt", escape = "none")]
struct ManyText<'a> {
    v: &'a Many,
}

#[derive(Template)]
#[template(path = "digest.html")]
struct ManyHtml<'a> {
    v: &'a Many,
}

#[derive(Template)]
#[template(path = "life.txt", escape = "none")]
struct LifeText<'a> {
    v: &'a Life,
}

#[derive(Template)]
#[template(path = "life.html")]
struct LifeHtml<'a> {
    v: &'a Life,
}

/// Composes the mail of a row.
pub fn compose(letter: &Letter, from: &Mailbox, office: &Office) -> Result<Mail, LetterError> {
    // The library panics on a line end in a name, and encodes everything else.
    let name = clean(&letter.name);
    let to = Mailbox::new(
        (!name.is_empty()).then_some(name),
        letter.address.parse::<Address>()?,
    );
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.email.clone()])?;
    let builder = Message::builder()
        .from(from.clone())
        .to(to)
        .message_id(Some(format!("<{}>", letter.message_id)))
        // Answered by no out-of-office machine.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        // When it was made, not when it is sent: the same at every attempt.
        .date(date(letter.since));
    let message = match &letter.content {
        Content::Single(telling) => single(letter, telling, office, builder)?,
        Content::Digest(digest) => {
            let view = view::many(digest, office, letter.language);
            let builder = builder.subject(&view.subject);
            let builder = threaded(builder, letter, None).raw_header(header("Precedence", "bulk"));
            let text = ManyText { v: &view }.render()?;
            let html = ManyHtml { v: &view }.render()?;
            builder.multipart(body(&letter.message_id, text, html))?
        }
        Content::Life(sign) => {
            let view = view::life(sign, office, letter.language);
            let builder = builder
                .subject(&view.subject)
                .raw_header(header("Precedence", "bulk"));
            let text = LifeText { v: &view }.render()?;
            let html = LifeHtml { v: &view }.render()?;
            builder.multipart(body(&letter.message_id, text, html))?
        }
    };
    Ok(Mail {
        envelope,
        bytes: message.formatted(),
    })
}

fn single(
    letter: &Letter,
    telling: &Telling,
    office: &Office,
    builder: MessageBuilder,
) -> Result<Message, LetterError> {
    let view = view::single(telling, office, letter.language);
    let alert = &telling.alert;
    let root = of_thread(&alert.id, &letter.message_id);
    let revision = telling.revision.to_string();
    let builder = builder.subject(&view.subject);
    let mut builder = threaded(builder, letter, Some(root));
    // For rules of the reader's mail program. The detector's name is left to the words of the mail.
    for (name, value) in [
        ("X-Fundwatch-Alert-Id", alert.id.as_str()),
        ("X-Fundwatch-Event", telling.kind.as_str()),
        ("X-Fundwatch-Revision", revision.as_str()),
        ("X-Fundwatch-Severity", alert.severity.as_str()),
        ("X-Fundwatch-Region", alert.region.as_str()),
    ] {
        builder = builder.raw_header(header(name, value));
    }
    let text = SingleText { v: &view }.render()?;
    let html = SingleHtml { v: &view }.render()?;
    Ok(builder.multipart(body(&letter.message_id, text, html))?)
}

/// Puts a mail under the earlier ones on what it tells: a mail on one alert under the alert's root,
/// which is never sent, so that there is one thread also for whoever is told of it first by another
/// mail; and under the first that this reader got.
fn threaded(builder: MessageBuilder, letter: &Letter, root: Option<String>) -> MessageBuilder {
    let first = letter.threads.first().cloned();
    let above: Vec<String> = root
        .iter()
        .chain(&letter.threads)
        .map(|id| format!("<{}>", clean(id)))
        .collect();
    match first.or(root) {
        None => builder,
        Some(parent) => builder
            .in_reply_to(format!("<{}>", clean(&parent)))
            .references(above.join(" ")),
    }
}

/// Both forms of the text, the plain one first. The boundary is the mail's own, and no line of a
/// body that is encoded can equal it.
fn body(message_id: &str, text: String, html: String) -> MultiPart {
    let mut boundary = blake3::hash(message_id.as_bytes()).to_hex().to_string();
    boundary.truncate(40);
    MultiPart::alternative()
        .boundary(boundary)
        .singlepart(SinglePart::plain(text))
        .singlepart(SinglePart::html(html))
}

pub(super) fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), clean(value))
}

pub(super) fn date(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The colours of a severity: of the edge, and of the field behind its word with the word itself,
/// which can be read on it. Grey where nothing is at stake any more. Always beside the word.
pub fn colours(severity: &str) -> (&'static str, &'static str, &'static str) {
    match severity {
        "red" => ("#c62828", "#fdecea", "#8e1616"),
        "orange" => ("#e65100", "#fff3e6", "#8a3600"),
        "yellow" => ("#f9a825", "#fff9e1", "#6b4e00"),
        "blue" => ("#1565c0", "#e8f1fb", "#0d4583"),
        _ => ("#757575", "#f1f1f1", "#424242"),
    }
}
