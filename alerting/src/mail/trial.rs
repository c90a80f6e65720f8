//! Every kind of mail made once, of made-up alerts: a fault of a template, of a name or of an address is to be seen by
//! `fundwatch check`, and not when somebody was to be told something.

use std::sync::Arc;

use domain::{Alert, BusinessDate, Detector, Money, RegionCode, Severity, State, Topic};
use jiff::Timestamp;
use lettre::message::Mailbox;
use rules::Policy;
use serde_json::{Map, Value};

use super::config::{MailConfig, MailConfigErrors, mailbox};
use super::letter::compose;
use super::office::Office;
use super::transport::Transport;
use crate::life::EventKind;
use crate::plan::MailKind;
use crate::routing::Language;
use crate::store::{Content, Digest, Letter, LifeSign, Telling};

/// A match that a name confirms, and one of numbers alone: they have words of their own.
const GRADES: [&str; 2] = ["A", "C"];

impl MailConfig {
    /// Makes each kind of mail in both languages, and one to each recipient, as the daemon would make it; how many were
    /// made. Sends none. Without a way to send mails, none are made.
    ///
    /// # Errors
    /// The configuration is wrong, a file or variable that it names cannot be read, or mails cannot be made, each named.
    pub fn try_mails(&self, policy: &Arc<Policy>) -> Result<usize, MailConfigErrors> {
        if Transport::new(self)?.is_none() {
            return Ok(0);
        }
        let from = mailbox(&self.from)
            .map_err(|error| MailConfigErrors(vec![format!("mail.from: {error}")]))?;
        let office = self.office(Arc::clone(policy))?;
        let mut letters = trial_letters(policy);
        for (at, recipient) in self.recipients.iter().enumerate() {
            let letter = Letter {
                address: recipient.address.clone(),
                name: recipient.name.clone(),
                ..letter(recipient.language, life(policy))
            };
            letters.push((format!("mail.recipients[{at}]"), letter));
        }
        let faults = faults(&letters, &from, &office);
        if faults.is_empty() {
            Ok(letters.len())
        } else {
            Err(MailConfigErrors(faults))
        }
    }
}

/// The letters that no mail can be made of, with the reason.
fn faults(letters: &[(String, Letter)], from: &Mailbox, office: &Office) -> Vec<String> {
    let fault = |(name, letter): &(String, Letter)| {
        let error = compose(letter, from, office).err()?;
        let cause = std::error::Error::source(&error)
            .map_or_else(String::new, |cause| format!(": {cause}"));
        Some(format!("{name}: no mail can be made: {error}{cause}"))
    };
    letters.iter().filter_map(fault).collect()
}

/// One letter of each kind, with its name.
fn trial_letters(policy: &Policy) -> Vec<(String, Letter)> {
    let mut letters = Vec::new();
    for language in [Language::Zh, Language::En] {
        let mut add = |name: &str, content| {
            let name = format!("the mail `{name}` in `{}`", language.as_str());
            letters.push((name, letter(language, content)));
        };
        for detector in Detector::ALL {
            for grade in GRADES {
                for kind in EventKind::ALL {
                    let telling = telling(policy, detector, grade, kind);
                    let name = format!("{detector}.{}", kind.as_str());
                    add(&name, Content::Single(Box::new(telling)));
                }
            }
        }
        for kind in MailKind::ALL {
            match kind {
                MailKind::Single => {}
                MailKind::Life => add(kind.as_str(), life(policy)),
                _ => add(kind.as_str(), digest(policy, kind)),
            }
        }
    }
    letters
}

fn letter(language: Language, content: Content) -> Letter {
    Letter {
        seq: 1,
        address: "check@example.org".to_owned(),
        name: String::new(),
        language,
        message_id: "check@example.org".to_owned(),
        attempts: 0,
        since: Timestamp::UNIX_EPOCH,
        threads: vec!["first@example.org".to_owned()],
        content,
    }
}

fn life(policy: &Policy) -> Content {
    let feeds = Topic::ALL.map(|topic| (topic.to_string(), region(policy), BusinessDate::FIRST));
    Content::Life(Box::new(LifeSign {
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::UNIX_EPOCH,
        told: 1,
        open: vec![(Severity::Red, 1)],
        open_amount: Money::from_yuan(1),
        refused: 1,
        feeds: feeds.to_vec(),
    }))
}

fn digest(policy: &Policy, kind: MailKind) -> Content {
    let told = |detector| EventKind::ALL.map(|event| telling(policy, detector, "A", event));
    let shown: Vec<Telling> = Detector::ALL.into_iter().flat_map(told).collect();
    Content::Digest(Digest {
        kind,
        counts: vec![(Severity::Red, shown.len() as u64 + 1)],
        open: (1, Money::from_yuan(1)),
        shown,
    })
}

/// A telling with everything that a mail may show.
fn telling(policy: &Policy, detector: Detector, grade: &str, kind: EventKind) -> Telling {
    let alert = |state, yuan| Alert {
        id: "0".repeat(32),
        detector: detector.as_str().to_owned(),
        subject: "91341099XXXX00019J".to_owned(),
        region: region(policy).to_string(),
        period: Some("2024-02".to_owned()),
        item: Some("basic_pension".to_owned()),
        state,
        opened_on: BusinessDate::FIRST,
        cleared_on: (state == State::Cleared).then_some(BusinessDate::FIRST),
        amount: Money::from_yuan(yuan),
        peak: Money::from_yuan(yuan),
        episodes: 2,
        severity: Severity::Red,
        evidence: vec!["tax.collection/R-1".to_owned(); 11],
        policy: Some("contribution@2019-05".to_owned()),
        details: details(grade),
    };
    let is_over = matches!(kind, EventKind::Cleared | EventKind::Withdrawn);
    let state = if is_over { State::Cleared } else { State::Open };
    Telling {
        seq: 1,
        alert: alert(state, 2),
        revision: 2,
        kind,
        cause: Some("tax.collection/R-1".to_owned()),
        before: (kind != EventKind::Raised).then(|| (alert(State::Open, 1), EventKind::Raised)),
        told_at: Timestamp::UNIX_EPOCH,
    }
}

fn details(grade: &str) -> Map<String, Value> {
    let mut details = Map::new();
    let mut add = |key: &str, value: Value| details.insert(key.to_owned(), value);
    add("match", grade.into());
    add("base", "1.00".into());
    add("payouts", 2.into());
    add("regions", vec!["341002"].into());
    add("none", Value::Null);
    details
}

/// A region of the pool.
fn region(policy: &Policy) -> RegionCode {
    let first = policy.pool.regions.first();
    first.map_or(policy.pool.code, |region| region.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(recipients: &str) -> MailConfig {
        let head =
            "transport = \"eml-folder\"\nfolder = \"mails\"\nfrom = \"fund <f@example.org>\"\n";
        toml::from_str(&format!("{head}{recipients}")).unwrap()
    }

    #[test]
    fn every_mail_can_be_made() {
        let policy = Arc::new(Policy::huangshan());
        let recipient = "[[recipients]]\naddress = \"li@example.org\"\nname = \"李\"\n";
        // Twelve detectors of two grades with five events, seven on many, in two languages; and the recipient's.
        let made = config(recipient).try_mails(&policy).unwrap();
        assert_eq!(made, 2 * (12 * 2 * 5 + 7) + 1);
    }

    #[test]
    fn a_mail_that_cannot_be_made_is_named() {
        let policy = Arc::new(Policy::huangshan());
        let office = config("").office(Arc::clone(&policy)).unwrap();
        let from = mailbox("f@example.org").unwrap();
        let wrong = Letter {
            address: "li at example".to_owned(),
            ..letter(Language::Zh, life(&policy))
        };
        let letters = [("the mail `life` in `zh`".to_owned(), wrong)];
        assert_eq!(
            faults(&letters, &from, &office),
            [
                "the mail `life` in `zh`: no mail can be made: the address is no mail address: Missing domain or user"
            ]
        );
    }

    #[test]
    fn a_password_that_is_not_there_is_named() {
        let policy = Arc::new(Policy::huangshan());
        let text = "transport = \"smtp\"\nhost = \"127.0.0.1\"\ntls = \"none\"\nfrom = \"f@example.org\"\n\
                    username = \"fund\"\npassword_env = \"FUNDWATCH_NO_SUCH_VARIABLE\"\n";
        let config: MailConfig = toml::from_str(text).unwrap();
        let words = config.try_mails(&policy).unwrap_err().to_string();
        assert_eq!(
            words,
            "mail.password_env: `FUNDWATCH_NO_SUCH_VARIABLE`: environment variable not found"
        );
    }
}
