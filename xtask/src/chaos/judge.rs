//! The judge: the reference implementation, and the accounts.
//!
//! The alerts and dead letters in the store are the reference's on what was sent. Every record is counted once. Every
//! telling in the store is on the topic, in order, and a repeat says the same. Each mail came once, but for those of
//! which the answer was lost.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::compare;
use acceptance::reference::decode;
use acceptance::reference::facts::{Facts, Topic};
use acceptance::reference::intake::Intake;
use acceptance::reference::live::{self, Closes};
use acceptance::reference::policy::Policy;
use acceptance::reference::{self, Outcome};
use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rdkafka::message::{Headers as _, Message as _};
use serde_json::Value;

use super::run::{ALERTS, DEAD_LETTER, Run, Store};

/// What must not change while nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    alerts: Vec<(String, bool)>,
    history: i64,
    dead_letters: i64,
    published: Vec<i64>,
    mails: usize,
}

impl Run<'_> {
    /// Judges a run whose daemon has settled.
    pub fn judge(&self) -> Result<()> {
        let store = self.store()?;
        let expected = self.expected()?;
        same_alerts(&expected.alerts, &store).context("the alerts in the store")?;
        self.same_dead_letters(&expected, &store)
            .context("the dead letters in the store")?;
        same_counts(&expected, &store).context("the counts")?;
        self.told_on_topic(&store).context("the alerts topic")?;
        self.dead_letters_on_topic(&store)
            .context("the dead-letter topic")?;
        self.told_by_mail(&store).context("the mails")
    }

    fn policy(&self) -> Result<Policy> {
        Policy::parse(&self.script.policy).map_err(|error| anyhow!("the policy: {error}"))
    }

    /// What the reference says of all that was sent.
    fn expected(&self) -> Result<Outcome> {
        let policy = self.policy()?;
        let mut intake = Intake::default();
        for topic in Topic::ALL {
            for partition in 0..self.script.partitions {
                let of_partition = self
                    .sent
                    .iter()
                    .filter(|sent| sent.topic == topic && sent.partition == partition);
                for (offset, sent) in of_partition.enumerate() {
                    intake.take(
                        topic,
                        &format!("{partition}:{offset}"),
                        &sent.bytes,
                        &policy,
                    );
                }
            }
        }
        Ok(reference::judge(intake, &policy, self.script.as_of))
    }

    /// Judges the store that a daemon left when it ended: what stands is the reference's on the records up to the offsets
    /// in the store, whatever they are.
    pub fn judge_left_behind(&self, store: &Store) -> Result<()> {
        let offsets = store.offsets()?;
        let policy = self.policy()?;
        let (mut intake, mut closes) = (Intake::default(), Closes::default());
        for topic in Topic::ALL {
            for partition in 0..self.script.partitions {
                let end = offsets
                    .get(&(topic.name().to_owned(), partition))
                    .copied()
                    .unwrap_or(0);
                let of_partition = self
                    .sent
                    .iter()
                    .filter(|sent| sent.topic == topic && sent.partition == partition);
                for (offset, sent) in of_partition.enumerate().take(usize::try_from(end)?) {
                    intake.take(
                        topic,
                        &format!("{partition}:{offset}"),
                        &sent.bytes,
                        &policy,
                    );
                    if let Ok(fact) = decode::decode(topic, &sent.bytes, &policy) {
                        closes.take(topic, &fact);
                    }
                }
            }
        }
        let expected = live::alerts(&Facts::of(intake.accepted), &closes, &policy);
        same_alerts(&expected, store).context("the alerts that it left behind")
    }

    /// All that must stay as it is.
    pub fn seen(&self) -> Result<Seen> {
        let store = self.store()?;
        Ok(Seen {
            alerts: store.rows("SELECT json, withdrawn FROM alerts ORDER BY id", |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?,
            history: store.count("SELECT count(*) FROM alert_history")?,
            dead_letters: store.count("SELECT count(*) FROM dead_letter")?,
            published: [ALERTS, DEAD_LETTER]
                .iter()
                .map(|topic| self.world.broker().ends(&self.topic(topic)))
                .collect::<Result<Vec<_>, _>>()?
                .concat(),
            mails: self.world.mails_to(&self.recipient)?.len(),
        })
    }

    fn told_on_topic(&self, store: &Store) -> Result<()> {
        let history: Vec<(String, u64, String, String)> = store.rows(
            "SELECT a.id, h.revision, h.kind, h.json FROM alert_history h JOIN alerts a ON a.n = h.alert ORDER BY h.seq",
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        let mut said: BTreeMap<(String, u64), (String, String)> = BTreeMap::new();
        let mut last: BTreeMap<String, (u64, String, String)> = BTreeMap::new();
        for (id, revision, kind, json) in history {
            let before = last.insert(id.clone(), (revision, kind.clone(), json.clone()));
            let known = before.as_ref().map_or(0, |before| before.0);
            ensure!(
                revision == known + 1,
                "telling {revision} of {id} follows {known}"
            );
            ensure!(
                before.is_none_or(|(_, before, was)| (before.as_str(), was.as_str())
                    != (kind.as_str(), json.as_str())),
                "{id} is told twice: {kind} {json}"
            );
            said.insert((id, revision), (kind, json));
        }
        let mut seen: BTreeMap<(String, u64), Vec<u8>> = BTreeMap::new();
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        for message in self.world.broker().read_all(&self.topic(ALERTS))? {
            let bytes = message
                .payload()
                .context("a telling without a value")?
                .to_vec();
            let value: Value = serde_json::from_slice(&bytes)?;
            let id = value["id"]
                .as_str()
                .context("a telling without an id")?
                .to_owned();
            let revision = value["revision"]
                .as_u64()
                .context("a telling without a number")?;
            ensure!(
                message.key() == Some(id.as_bytes()),
                "the key of {id} is another"
            );
            ensure!(
                message
                    .headers()
                    .is_some_and(|headers| headers.count() == 2),
                "{id} without headers"
            );
            let (kind, json) = said
                .get(&(id.clone(), revision))
                .with_context(|| format!("{id} {revision} is told and not stored"))?;
            ensure!(
                value["event"] == kind.as_str(),
                "{id} {revision} is told as another event"
            );
            same_content(&value, json).with_context(|| format!("{id} {revision}"))?;
            if let Some(before) = seen.get(&(id.clone(), revision)) {
                ensure!(
                    *before == bytes,
                    "a repeat of {id} {revision} says something else"
                );
                continue;
            }
            let expected = next.entry(id.clone()).or_insert(1);
            ensure!(
                *expected == revision,
                "{id}: telling {revision} comes where {expected} is due"
            );
            *expected += 1;
            seen.insert((id, revision), bytes);
        }
        match said.keys().find(|name| !seen.contains_key(*name)) {
            Some((id, revision)) => bail!("{id} {revision} is stored and not told"),
            None => Ok(()),
        }
    }

    fn same_dead_letters(&self, expected: &Outcome, store: &Store) -> Result<()> {
        let expected: BTreeSet<Letter> = expected
            .dead_letters
            .iter()
            .cloned()
            .map(|letter| {
                (
                    letter.topic,
                    letter.position,
                    letter.reason,
                    letter.field,
                    letter.raw,
                )
            })
            .collect();
        let got: BTreeSet<Letter> = store
            .rows(
                "SELECT topic, position, reason, field, raw FROM dead_letter",
                |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                    ))
                },
            )?
            .into_iter()
            .collect();
        let show = |letter: Option<&Letter>| {
            letter.map(|(topic, position, reason, _, raw)| {
                format!(
                    "{topic} {position} {reason} {}",
                    BASE64_STANDARD.encode(raw)
                )
            })
        };
        let policy = self.policy()?;
        let (missing, unexpected) = (
            show(expected.difference(&got).next()),
            show(
                got.difference(&expected)
                    .find(|letter| !self.was_conflict(&policy, letter)),
            ),
        );
        ensure!(
            missing.is_none() && unexpected.is_none(),
            "missing {missing:?}, unexpected {unexpected:?}"
        );
        Ok(())
    }

    /// Whether a record may have conflicted with the first of its id until one came in a partition before.
    fn was_conflict(&self, policy: &Policy, (topic, position, reason, _, raw): &Letter) -> bool {
        let id = |topic, bytes: &[u8]| {
            let fact = decode::decode(topic, bytes, policy);
            fact.ok().map(|fact| fact.id)
        };
        let partition = position.split_once(':');
        let partition = partition.and_then(|(partition, _)| partition.parse::<i32>().ok());
        reason == "conflicting-id"
            && self.sent.iter().any(|sent| {
                sent.topic.name() == topic
                    && Some(sent.partition) < partition
                    && id(sent.topic, raw)
                        .is_some_and(|own| id(sent.topic, &sent.bytes) == Some(own))
            })
    }

    fn dead_letters_on_topic(&self, store: &Store) -> Result<()> {
        let stored: BTreeSet<String> = store
            .rows("SELECT topic || '/' || position FROM dead_letter", |row| {
                row.get(0)
            })?
            .into_iter()
            .collect();
        let mut told: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for message in self.world.broker().read_all(&self.topic(DEAD_LETTER))? {
            let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
            let bytes = message
                .payload()
                .context("a dead letter without a value")?
                .to_vec();
            let before = told.insert(key.clone(), bytes.clone());
            ensure!(
                before.is_none_or(|before| before == bytes),
                "a repeat of {key} says something else"
            );
        }
        let told: BTreeSet<String> = told.into_keys().collect();
        ensure!(told == stored, "stored {stored:?}, told {told:?}");
        Ok(())
    }

    fn told_by_mail(&self, store: &Store) -> Result<()> {
        let sent: BTreeSet<String> = store.mails("sent")?.into_iter().collect();
        let failed: BTreeSet<String> = store.mails("failed")?.into_iter().collect();
        let all = store.count("SELECT count(*) FROM mail")?;
        ensure!(
            i64::try_from(sent.len() + failed.len()) == Ok(all),
            "a mail is neither sent nor given up"
        );
        let mut came: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for mail in self.world.mails_to(&self.recipient)? {
            let id = mail
                .header("message-id")
                .context("a mail without a Message-ID")?;
            let id = id.trim_matches(['<', '>']).to_owned();
            ensure!(
                sent.contains(&id) || failed.contains(&id),
                "a mail that nobody sent: {id}"
            );
            let (times, unanswered) = came.entry(id).or_default();
            *times += 1;
            *unanswered += usize::from(!mail.is_answered);
        }
        // What came of a mail in whose sending something panicked nobody knows.
        let words = self.words();
        let panicked: Vec<&str> = words
            .lines()
            .filter(|line| line.contains("failed while the mail was under way"))
            .collect();
        for id in &sent {
            let (times, unanswered) = came.get(id).copied().unwrap_or_default();
            ensure!(times > 0, "a mail counts as sent and never came: {id}");
            let excused = 1
                + unanswered
                + self.under_way_at_ends.get(id).copied().unwrap_or(0)
                + panicked.iter().filter(|line| line.contains(id)).count();
            ensure!(
                times <= excused,
                "a mail came {times} times, and {excused} can be excused: {id}"
            );
        }
        // There is one recipient, who gets all: every alert as it stands was told, none of it twice, and nothing waits.
        for (fault, query) in [
            (
                "alerts that nobody was told of",
                "SELECT count(*) FROM alerts a WHERE withdrawn = 0
                     AND NOT EXISTS (SELECT 1 FROM mailed m WHERE m.alert = a.n)",
            ),
            (
                "alerts whose withdrawal was not told",
                "SELECT count(*) FROM mailed m JOIN alerts a ON a.n = m.alert
                     JOIN alert_history h ON h.seq = m.history
                 WHERE a.withdrawn = 1 AND h.kind <> 'withdrawn'",
            ),
            (
                "tellings that are in two mails",
                "SELECT count(*) - count(DISTINCT history) FROM mail_item",
            ),
            ("notices that still wait", "SELECT count(*) FROM notice"),
        ] {
            let count = store.count(query)?;
            ensure!(count == 0, "{count} {fault}");
        }
        ensure!(
            self.may_be_refused || failed.is_empty(),
            "given up: {failed:?}"
        );
        Ok(())
    }
}

fn same_alerts(expected: &[Value], store: &Store) -> Result<()> {
    let standing: Vec<String> = store.rows(
        "SELECT json FROM alerts
         WHERE withdrawn = 0 AND detector NOT IN ('silent-feed', 'incomplete-feed')
         ORDER BY detector, subject, period NULLS FIRST, item NULLS FIRST",
        |row| row.get(0),
    )?;
    let standing: Vec<Value> = standing
        .iter()
        .map(|json| serde_json::from_str(json))
        .collect::<Result<_, _>>()?;
    let standing = compare::comparable_alerts(&standing);
    for alert in expected {
        ensure!(standing.contains(alert), "missing: {alert}");
    }
    for alert in &standing {
        ensure!(expected.contains(alert), "unexpected: {alert}");
    }
    ensure!(standing == expected, "in another order");
    Ok(())
}

type Letter = (String, String, String, Option<String>, Vec<u8>);

/// Read, accepted, redelivered and rejected of each topic.
fn same_counts(expected: &Outcome, store: &Store) -> Result<()> {
    let mut got: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for (topic, counts, rejected) in store.rows(
        "SELECT topic, read, accepted, redelivered, rejected FROM feed_totals",
        |row| {
            let topic: String = row.get(0)?;
            let counts: [u64; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
            let rejected: String = row.get(4)?;
            Ok((topic, counts, rejected))
        },
    )? {
        let rejected: BTreeMap<String, u64> = serde_json::from_str(&rejected)?;
        let all = got.entry(topic).or_default();
        for (sum, count) in all
            .iter_mut()
            .zip(counts.into_iter().chain([rejected.values().sum()]))
        {
            *sum += count;
        }
    }
    let expected: BTreeMap<String, [u64; 4]> = expected
        .feeds
        .iter()
        .map(|(topic, counts)| {
            let rejected = counts.rejected.values().sum();
            (
                (*topic).to_owned(),
                [counts.read, counts.accepted, counts.redelivered, rejected],
            )
        })
        .collect();
    ensure!(got == expected, "expected {expected:?}, got {got:?}");
    Ok(())
}

/// A record of the topic says what the history says; a withdrawal says it of the alert as it last was.
fn same_content(value: &Value, json: &str) -> Result<()> {
    let stored: Value = serde_json::from_str(json)?;
    let stored = stored.as_object().context("an alert is an object")?;
    let is_withdrawn = value["event"] == "withdrawn";
    for (field, content) in stored {
        if is_withdrawn && (field == "state" || field == "amount") {
            continue;
        }
        ensure!(
            value[field] == *content,
            "{field} is {} on the topic and {content} in the store",
            value[field]
        );
    }
    Ok(())
}
