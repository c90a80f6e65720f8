//! Writes one epoch within a transaction: alerts, their history, the outboxes, the feeds' positions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::{Alert, Detector, Finding, RegionCode};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{PRESENT, StoreError, Tallies, region_of, saturated, set_meta, word};
use crate::batch::{DeadLetter, EpochBatch, Update};
use crate::identity::AlertIdentity;
use crate::life::{self, EventKind};
use crate::mail::message_id;
use crate::routing::Routing;

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The number of the epoch.
    pub epoch: u64,
    /// What was told, in the order of telling.
    pub told: Vec<Told>,
    /// Alerts that were stored otherwise than before and told to nobody.
    pub silent: u64,
    /// Mails that wait to be sent, of this epoch; a digest is one.
    pub mails: u64,
    /// Tellings and dead letters that wait for their topic, of this epoch.
    pub to_topic: u64,
    /// Dead letters not known before.
    pub dead_letters: u64,
}

/// One telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The alert.
    pub id: String,
    /// Its detector.
    pub detector: Detector,
    /// Its how-manieth telling, from 1.
    pub revision: u64,
    /// As what.
    pub kind: EventKind,
}

/// Whether a batch's updates are the keys that changed, or all that have a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Changes,
    Everything,
}

/// The row of an alert before the epoch.
struct Row {
    n: i64,
    json: String,
    revision: u64,
    withdrawn: bool,
}

/// A telling that somebody is to get by mail.
struct Item {
    history: i64,
    alert: i64,
    id: String,
    revision: u64,
}

pub(super) struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    identity: &'a AlertIdentity,
    routing: &'a Routing,
    epoch: u64,
    now: i64,
    tallies: Tallies,
    committed: Committed,
    /// By place in the routing.
    recipients: Vec<i64>,
    /// By recipient.
    letters: BTreeMap<i64, Vec<Item>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        transaction: &'a Transaction<'a>,
        identity: &'a AlertIdentity,
        routing: &'a Routing,
        epoch: u64,
        now: Timestamp,
        tallies: Tallies,
    ) -> Result<Writer<'a>, StoreError> {
        let mut recipients = Vec::with_capacity(routing.recipients.len());
        for recipient in &routing.recipients {
            let n = transaction
                .prepare_cached(
                    "INSERT INTO recipients (address, name, language) VALUES (?1, ?2, ?3)
                     ON CONFLICT (address) DO UPDATE SET name = ?2, language = ?3
                     RETURNING n",
                )?
                .query_row(
                    params![
                        recipient.address,
                        recipient.name,
                        recipient.language.as_str()
                    ],
                    |row| row.get(0),
                )?;
            recipients.push(n);
        }
        Ok(Writer {
            transaction,
            identity,
            routing,
            epoch,
            now: now.as_millisecond(),
            tallies,
            committed: Committed {
                epoch,
                ..Committed::default()
            },
            recipients,
            letters: BTreeMap::new(),
        })
    }

    pub(super) fn batch(&mut self, batch: &EpochBatch, extent: Extent) -> Result<(), StoreError> {
        let mut present = HashSet::new();
        for update in &batch.updates {
            let id = self.identity.id(&update.key);
            self.update(&id, update)?;
            if extent == Extent::Everything && update.finding.is_some() {
                present.insert(id);
            }
        }
        if extent == Extent::Everything {
            self.withdraw_all_but(&present)?;
        }
        for letter in &batch.dead_letters {
            self.dead_letter(letter)?;
        }
        self.positions(batch)
    }

    /// Queues the mails, and returns what was done and the counts as they will be.
    pub(super) fn finish(mut self) -> Result<(Committed, Tallies), StoreError> {
        for (recipient, items) in std::mem::take(&mut self.letters) {
            self.mails(recipient, &items)?;
        }
        Ok((self.committed, self.tallies))
    }

    fn update(&mut self, id: &str, update: &Update) -> Result<(), StoreError> {
        let row = self.row(id)?;
        let cause = update.cause.as_ref().map(ToString::to_string);
        match (row, &update.finding) {
            (None, None) => Ok(()),
            (Some(row), None) if row.withdrawn => Ok(()),
            (Some(row), None) => self.withdraw(id, update.key.detector, row, cause.as_deref()),
            (row, Some(finding)) => self.state(id, row, finding, cause.as_deref()),
        }
    }

    /// The key has this finding.
    fn state(
        &mut self,
        id: &str,
        row: Option<Row>,
        finding: &Finding,
        cause: Option<&str>,
    ) -> Result<(), StoreError> {
        let detector = finding.key.detector;
        let current = Alert::new(id.to_owned(), finding);
        let json = serde_json::to_string(&current)?;
        let Some(row) = row else {
            let n = self.insert(&current, &json)?;
            self.tallies.add(detector, finding.region, &current);
            let kind = life::event(None, Some(&current));
            return self.tell_if(kind, n, 1, detector, finding.region, &current, &json, cause);
        };
        if row.json == json && !row.withdrawn {
            return Ok(());
        }
        let before: Alert = serde_json::from_str(&row.json)?;
        let stored = (!row.withdrawn).then_some(&before);
        let kind = life::event(stored, Some(&current));
        if let Some(stored) = stored {
            self.tallies.remove(detector, stored)?;
        }
        self.tallies.add(detector, finding.region, &current);
        let revision = row.revision + u64::from(kind.is_some());
        self.replace(row.n, &current, &json, revision, kind.is_some())?;
        if kind.is_none() {
            self.committed.silent += 1;
        }
        self.tell_if(
            kind,
            row.n,
            revision,
            detector,
            finding.region,
            &current,
            &json,
            cause,
        )
    }

    fn withdraw(
        &mut self,
        id: &str,
        detector: Detector,
        row: Row,
        cause: Option<&str>,
    ) -> Result<(), StoreError> {
        let last: Alert = serde_json::from_str(&row.json)?;
        debug_assert_eq!(last.id, id);
        self.tallies.remove(detector, &last)?;
        let revision = row.revision + 1;
        self.transaction
            .prepare_cached(
                "UPDATE alerts SET withdrawn = 1, revision = ?2, last_told = ?3 WHERE n = ?1",
            )?
            .execute(params![row.n, revision, self.now])?;
        let region = region_of(Ok(&last.region))?;
        self.tell_if(
            Some(EventKind::Withdrawn),
            row.n,
            revision,
            detector,
            region,
            &last,
            &row.json,
            cause,
        )
    }

    fn withdraw_all_but(&mut self, present: &HashSet<String>) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        let mut select = self
            .transaction
            .prepare_cached("SELECT id, detector FROM alerts WHERE withdrawn = 0 ORDER BY id")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            if !present.contains(&id) {
                gone.push((id, word(row.get_ref(1)?.as_str(), Detector::parse)?));
            }
        }
        for (id, detector) in gone {
            if let Some(row) = self.row(&id)?.filter(|row| !row.withdrawn) {
                self.withdraw(&id, detector, row, None)?;
            }
        }
        Ok(())
    }

    fn row(&self, id: &str) -> Result<Option<Row>, StoreError> {
        Ok(self
            .transaction
            .prepare_cached("SELECT n, json, revision, withdrawn FROM alerts WHERE id = ?1")?
            .query_row([id], |row| {
                Ok(Row {
                    n: row.get(0)?,
                    json: row.get(1)?,
                    revision: row.get(2)?,
                    withdrawn: row.get(3)?,
                })
            })
            .optional()?)
    }

    fn insert(&self, alert: &Alert, json: &str) -> Result<i64, StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO alerts (id, detector, subject, region, period, item, state, severity,
                     amount, amount_fen, peak, peak_fen, opened_on, cleared_on, json, revision,
                     withdrawn, first_told, last_told)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1, 0,
                     ?16, ?16)",
            )?
            .execute(params![
                alert.id,
                alert.detector,
                alert.subject,
                alert.region,
                alert.period,
                alert.item,
                alert.state.as_str(),
                alert.severity as u8,
                alert.amount.to_string(),
                saturated(alert.amount),
                alert.peak.to_string(),
                saturated(alert.peak),
                alert.opened_on.to_string(),
                alert.cleared_on.map(|date| date.to_string()),
                json,
                self.now,
            ])?;
        Ok(self.transaction.last_insert_rowid())
    }

    fn replace(
        &self,
        n: i64,
        alert: &Alert,
        json: &str,
        revision: u64,
        told: bool,
    ) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "UPDATE alerts SET region = ?2, state = ?3, severity = ?4, amount = ?5,
                     amount_fen = ?6, peak = ?7, peak_fen = ?8, opened_on = ?9, cleared_on = ?10,
                     json = ?11, revision = ?12, withdrawn = 0,
                     last_told = CASE WHEN ?13 THEN ?14 ELSE last_told END
                 WHERE n = ?1",
            )?
            .execute(params![
                n,
                alert.region,
                alert.state.as_str(),
                alert.severity as u8,
                alert.amount.to_string(),
                saturated(alert.amount),
                alert.peak.to_string(),
                saturated(alert.peak),
                alert.opened_on.to_string(),
                alert.cleared_on.map(|date| date.to_string()),
                json,
                revision,
                told,
                self.now,
            ])?;
        Ok(())
    }

    /// Writes a telling into the history, and into the outboxes of whoever is to get it.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of one telling, called in three places"
    )]
    fn tell_if(
        &mut self,
        kind: Option<EventKind>,
        n: i64,
        revision: u64,
        detector: Detector,
        region: RegionCode,
        alert: &Alert,
        json: &str,
        cause: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(kind) = kind else {
            return Ok(());
        };
        let weight = if alert.cleared_on.is_none() {
            alert.amount
        } else {
            alert.peak
        };
        self.transaction
            .prepare_cached(
                "INSERT INTO alert_history
                     (alert, revision, epoch, kind, cause, severity, weight_fen, json, told_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                n,
                revision,
                // Epochs number the batches of a run: the sign bit is out of reach.
                i64::try_from(self.epoch).unwrap_or(i64::MAX),
                kind.as_str(),
                cause,
                alert.severity as u8,
                saturated(weight),
                json,
                self.now,
            ])?;
        let history = self.transaction.last_insert_rowid();
        if self.routing.topics {
            self.transaction
                .prepare_cached("INSERT INTO topic_outbox (history, since) VALUES (?1, ?2)")?
                .execute(params![history, self.now])?;
            self.committed.to_topic += 1;
        }
        for recipient in self.audience(n, revision, kind, detector, region, alert)? {
            self.letters.entry(recipient).or_default().push(Item {
                history,
                alert: n,
                id: alert.id.clone(),
                revision,
            });
        }
        *self.tallies.events.entry(kind).or_default() += 1;
        self.committed.told.push(Told {
            id: alert.id.clone(),
            detector,
            revision,
            kind,
        });
        Ok(())
    }

    /// Whoever wants the alert, and whoever was told of it before; a withdrawal is for the latter.
    fn audience(
        &self,
        n: i64,
        revision: u64,
        kind: EventKind,
        detector: Detector,
        region: RegionCode,
        alert: &Alert,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let mut audience = BTreeSet::new();
        if revision > 1 {
            let mut select = self
                .transaction
                .prepare_cached("SELECT recipient FROM told WHERE alert = ?1")?;
            for recipient in select.query_map([n], |row| row.get(0))? {
                audience.insert(recipient?);
            }
        }
        // Somebody who left the configuration is owed nothing but the withdrawal.
        if kind == EventKind::Withdrawn {
            return Ok(audience);
        }
        audience.retain(|recipient| self.recipients.contains(recipient));
        for (recipient, &recipient_n) in self.routing.recipients.iter().zip(&self.recipients) {
            if recipient.wants(detector, region, alert) && audience.insert(recipient_n) {
                self.transaction
                    .prepare_cached("INSERT INTO told (alert, recipient) VALUES (?1, ?2)")?
                    .execute(params![n, recipient_n])?;
            }
        }
        Ok(audience)
    }

    /// One mail each, or one digest of all.
    fn mails(&mut self, recipient: i64, items: &[Item]) -> Result<(), StoreError> {
        let address: String = self
            .transaction
            .prepare_cached("SELECT address FROM recipients WHERE n = ?1")?
            .query_row([recipient], |row| row.get(0))?;
        let host = &self.routing.message_host;
        if items.len() > self.routing.batch_max {
            let instance = super::meta(self.transaction, super::INSTANCE)?.unwrap_or_default();
            let first = items.first().map_or(0, |item| item.history);
            let id = message_id::of_digest(&instance, first, &address, host);
            let mail = self.mail(recipient, None, &id)?;
            for item in items {
                self.mail_content(mail, item.history)?;
            }
            return Ok(());
        }
        for item in items {
            let id = message_id::of_telling(&item.id, item.revision, &address, host);
            let mail = self.mail(recipient, Some(item.alert), &id)?;
            self.mail_content(mail, item.history)?;
        }
        Ok(())
    }

    fn mail(
        &mut self,
        recipient: i64,
        alert: Option<i64>,
        message_id: &str,
    ) -> Result<i64, StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO mail (recipient, alert, message_id, state, attempts, due, since)
                 VALUES (?1, ?2, ?3, 'pending', 0, ?4, ?4)",
            )?
            .execute(params![recipient, alert, message_id, self.now])?;
        self.committed.mails += 1;
        Ok(self.transaction.last_insert_rowid())
    }

    fn mail_content(&self, mail: i64, history: i64) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached("INSERT INTO mail_content (mail, history) VALUES (?1, ?2)")?
            .execute([mail, history])?;
        Ok(())
    }

    /// A record that is read again, e.g. after a restart, is at the same position: known already.
    fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), StoreError> {
        let new = self
            .transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO dead_letter
                     (topic, position, reason, field, raw, epoch, since, pending)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                letter.topic.as_str(),
                letter.position,
                letter.reason,
                letter.field,
                letter.raw,
                i64::try_from(self.epoch).unwrap_or(i64::MAX),
                self.now,
                self.routing.topics,
            ])?;
        if new > 0 {
            self.committed.dead_letters += 1;
            self.committed.to_topic += u64::from(self.routing.topics);
            let key = (letter.topic, letter.reason.clone());
            *self.tallies.dead_letters.entry(key).or_default() += 1;
        }
        Ok(())
    }

    fn positions(&self, batch: &EpochBatch) -> Result<(), StoreError> {
        let tx = self.transaction;
        for offset in &batch.offsets {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO offsets (topic, partition, next_offset) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                offset.topic.as_str(),
                offset.partition,
                offset.next_offset
            ])?;
        }
        for totals in &batch.feeds {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO feed_totals
                     (topic, partition, read, accepted, redelivered, rejected)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                totals.topic.as_str(),
                totals.partition,
                totals.read,
                totals.accepted,
                totals.redelivered,
                serde_json::to_string(&totals.rejected)?,
            ])?;
        }
        for as_of in &batch.as_of {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO feed_as_of (topic, region, closed) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                as_of.topic.as_str(),
                as_of.region.as_str(),
                as_of.closed.to_string(),
            ])?;
        }
        match batch.present {
            Some(present) => set_meta(tx, PRESENT, &present.to_string()),
            None => Ok(()),
        }
    }
}
