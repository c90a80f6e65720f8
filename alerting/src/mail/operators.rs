//! Mails to whoever runs the program, on the program itself: what became of a changed configuration.
//!
//! They wait in memory, not in the store: a start reads the configuration anew, and says itself what is wrong with it.
//! They are few; of more than fit the oldest are left out, which the log says. Knows nothing of alerts.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use lettre::message::{Mailbox, SinglePart};
use lettre::{Address, Message, address::Envelope};
use tokio::sync::{mpsc, watch};

use super::config::{MailConfig, MailConfigErrors, OperatorConfig, mailbox};
use super::letter::{Mail, date, header};
use super::message_id;
use super::sender::{Clock, made, panic_is_a_failure};
use super::text::{clean, scrub};
use super::transport::{Failure, Transport};
use crate::back_off;
use crate::routing::Language;

/// Mails that may wait.
const WAITING_MAX: usize = 32;
/// Faults that one mail names.
const FAULTS_MAX: usize = 40;

/// What became of a changed configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It was taken; the policy is another, or not.
    Taken {
        /// Alerts are judged by another policy.
        is_policy_new: bool,
    },
    /// It has these faults, a line each, and all stays as it was.
    Refused {
        /// As `fundwatch check` says them.
        faults: String,
    },
}

/// News, and who is to have it.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// What happened.
    pub news: News,
    /// To these.
    pub to: Vec<OperatorConfig>,
    /// The pool's name.
    pub pool: String,
}

/// Sends mails to operators.
pub struct Operators {
    transport: Transport,
    from: Mailbox,
    host: String,
    clock: Clock,
}

struct Waiting {
    mail: Mail,
    id: String,
    attempts: u32,
}

impl Operators {
    /// By a configuration; `None` if no mail goes anywhere. Reads the password.
    ///
    /// # Errors
    /// What is wrong with the table.
    pub fn new(config: &MailConfig, clock: Clock) -> Result<Option<Operators>, MailConfigErrors> {
        let Some(transport) = Transport::new(config)? else {
            return Ok(None);
        };
        let from = mailbox(&config.from)
            .map_err(|error| MailConfigErrors(vec![format!("mail.from: {error}")]))?;
        let host = config.message_host.as_deref();
        Ok(Some(Operators {
            host: host.unwrap_or_else(|| from.email.domain()).to_owned(),
            transport,
            from,
            clock,
        }))
    }

    /// Sends what comes, again and again until it is taken or refused for good, until `stop` turns true.
    pub async fn run(self, mut news: mpsc::Receiver<Dispatch>, mut stop: watch::Receiver<bool>) {
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        let mut line = self.transport.line();
        let mut pause = Duration::ZERO;
        while !*stop.borrow_and_update() {
            tokio::select! {
                _ = stop.changed() => break,
                dispatch = news.recv() => match dispatch {
                    None => break,
                    Some(dispatch) => self.take(&dispatch, &mut waiting),
                },
                () = tokio::time::sleep(pause), if !waiting.is_empty() => {
                    pause = Duration::ZERO;
                    let Some(mut first) = waiting.pop_front() else { continue };
                    match panic_is_a_failure(line.send(&first.mail, &first.id)).await {
                        Ok(()) => {}
                        Err(Failure::Permanent(error)) => {
                            tracing::error!(message_id = ?first.id, ?error, "a mail to an operator was refused for good");
                        }
                        Err(Failure::Transient(error)) => {
                            let wait = back_off::pause(&first.id, first.attempts);
                            tracing::warn!(message_id = ?first.id, ?error, retry_in = %wait, "a mail to an operator could not be sent");
                            pause = wait.unsigned_abs();
                            first.attempts += 1;
                            // Another's server may take it meanwhile.
                            waiting.push_back(first);
                        }
                    }
                }
            }
        }
        line.close().await;
    }

    fn take(&self, dispatch: &Dispatch, waiting: &mut VecDeque<Waiting>) {
        let now = (self.clock)();
        for operator in &dispatch.to {
            let id = message_id::of_news(now.as_millisecond(), &operator.address, &self.host);
            let mail = match made(|| self.compose(dispatch, operator, &id, now)) {
                Ok(mail) => mail,
                Err(error) => {
                    tracing::error!(error, "a mail to an operator cannot be made");
                    continue;
                }
            };
            if waiting.len() == WAITING_MAX {
                waiting.pop_front();
                tracing::warn!("too many mails to operators wait: the oldest is left out");
            }
            waiting.push_back(Waiting {
                mail,
                id,
                attempts: 0,
            });
        }
    }

    fn compose(
        &self,
        dispatch: &Dispatch,
        operator: &OperatorConfig,
        id: &str,
        now: Timestamp,
    ) -> Result<Mail, super::letter::LetterError> {
        // The library panics on a line end in a name.
        let name = clean(&operator.name);
        let to = Mailbox::new(
            (!name.is_empty()).then_some(name),
            operator.address.parse::<Address>()?,
        );
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()])?;
        let (subject, text) = words(dispatch, operator.language);
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .message_id(Some(format!("<{id}>")))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .date(date(now))
            .subject(subject)
            .singlepart(SinglePart::plain(text))?;
        Ok(Mail {
            envelope,
            bytes: message.formatted(),
        })
    }
}

/// Subject and text.
fn words(dispatch: &Dispatch, language: Language) -> (String, String) {
    let pool = clean(&dispatch.pool);
    match (&dispatch.news, language) {
        (News::Taken { is_policy_new }, Language::Zh) => (
            format!("[基金监测] {pool}：新配置已生效"),
            format!(
                "收到 SIGHUP 后，配置和政策已重新读取并生效。{}\n",
                if *is_policy_new {
                    "政策有改动：所涉预警按新政策重新判定，如同其自始有效；变化随后照常通知。"
                } else {
                    "政策没有改动。"
                }
            ),
        ),
        (News::Taken { is_policy_new }, Language::En) => (
            format!("[fund monitor] {pool}: the changed configuration is in force"),
            format!(
                "After SIGHUP, configuration and policy were read anew and taken. {}\n",
                if *is_policy_new {
                    "The policy is another: the alerts that it touches are judged as if it had always been so, and \
                     changes are told as usual."
                } else {
                    "The policy is the same."
                }
            ),
        ),
        (News::Refused { faults }, Language::Zh) => (
            format!("[基金监测] {pool}：新配置有误，未生效，一切照旧"),
            format!(
                "收到 SIGHUP 后读取的配置或政策有下列错误，因此没有生效，系统按原配置继续运行：\n\n{}\n\
                 请改正后用 fundwatch check 检查，再发 SIGHUP。改正之前请勿重启：以有误的配置无法启动。\n",
                listed(faults)
            ),
        ),
        (News::Refused { faults }, Language::En) => (
            format!(
                "[fund monitor] {pool}: the changed configuration is refused, all stays as it was"
            ),
            format!(
                "The configuration or policy that was read after SIGHUP has these faults. It was not taken, and the \
                 program goes on by the one before:\n\n{}\nMend them, try with `fundwatch check`, and send SIGHUP again. \
                 Until then do not restart the program: it does not start with these faults.\n",
                listed(faults)
            ),
        ),
    }
}

fn listed(faults: &str) -> String {
    let lines: Vec<&str> = faults.lines().collect();
    let mut text = String::new();
    for line in lines.iter().take(FAULTS_MAX) {
        text.push_str("  ");
        text.push_str(&scrub(line));
        text.push('\n');
    }
    if FAULTS_MAX < lines.len() {
        text.push_str(&format!("  … +{}\n", lines.len() - FAULTS_MAX));
    }
    text
}
