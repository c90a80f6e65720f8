//! Writes one epoch within a transaction: alerts, their history, the outboxes, the feeds' positions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::{Alert, Detector, Finding, RegionCode, Severity, State};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{PRESENT, StoreError, Tallies, region_of, saturated, set_meta, word};
use crate::batch::{DeadLetter, Duty, EpochBatch, PartitionOffset, Update};
use crate::identity::AlertIdentity;
use crate::life::{self, EventKind};
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
    /// Alerts of which somebody is to be told by mail, each as often as there are recipients.
    pub notices: u64,
    /// Tellings that wait for a program, each as often as there are programs.
    pub to_hooks: u64,
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
    told: BTreeSet<i64>,
}

/// A telling that is to be written down.
struct Tell<'a> {
    n: i64,
    revision: u64,
    kind: EventKind,
    detector: Detector,
    alert: &'a Alert,
    /// The severity before, if it was told before.
    severity_before: Option<Severity>,
    json: &'a str,
    cause: Option<&'a str>,
    /// Who was told of the alert up to now.
    told: &'a BTreeSet<i64>,
}

/// A telling that somebody is to get by mail.
struct Item {
    history: i64,
    alert: i64,
    detector: Detector,
    region: RegionCode,
    period: Option<String>,
    /// The graver of what it was and what it is.
    severity: Severity,
    is_open: bool,
    kind: EventKind,
    told: BTreeSet<i64>,
    audience: BTreeSet<i64>,
}

/// A detector's alerts of one region and month.
type MonthKey = (Detector, RegionCode, String);

/// Of how many subjects the alerts of a month are a part.
fn subjects_of(duty: &Duty) -> (MonthKey, u64) {
    let month = (duty.detector, duty.region, duty.period.to_string());
    (month, duty.subjects)
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
    /// In the order of telling.
    items: Vec<Item>,
    /// How many have the duty of a month, where that is known.
    subjects: BTreeMap<MonthKey, u64>,
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
            items: Vec::new(),
            subjects: BTreeMap::new(),
        })
    }

    pub(super) fn batch(&mut self, batch: &EpochBatch, extent: Extent) -> Result<(), StoreError> {
        self.subjects = batch.duties.iter().map(subjects_of).collect();
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
        faults::point!("store.alerts-written");
        for letter in &batch.dead_letters {
            self.dead_letter(letter)?;
        }
        self.positions(batch)
    }

    /// Queues the mails, and returns what was done and the counts as they will be.
    pub(super) fn finish(mut self) -> Result<(Committed, Tallies), StoreError> {
        let mut items = std::mem::take(&mut self.items);
        let wide = self.failures(&items)?;
        for item in &mut items {
            let month = item.month().filter(|month| wide.contains(month));
            if month.is_some() && item.is_open {
                self.widen(item)?;
            }
            self.notices(item, month.as_ref().map(|(_, _, period)| period.as_str()))?;
        }
        Ok((self.committed, self.tallies))
    }

    fn update(&mut self, id: &str, update: &Update) -> Result<(), StoreError> {
        let row = self.row(id)?;
        let cause = update.cause.as_ref().map(ToString::to_string);
        match (row, &update.finding) {
            (None, None) => Ok(()),
            (Some(row), None) if row.withdrawn => Ok(()),
            (Some(row), None) => self.withdraw(update.key.detector, &row, cause.as_deref()),
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
            self.tallies.add(detector, finding.region, &current);
            let audience = self.wanted_by(finding, &current);
            let n = self.insert(&current, &json, &audience)?;
            let kind = match current.state {
                State::Open => EventKind::Raised,
                State::Cleared => EventKind::Cleared,
            };
            debug_assert_eq!(life::event(None, Some(&current)), Some(kind));
            return self.tell(
                &Tell {
                    n,
                    revision: 1,
                    kind,
                    detector,
                    alert: &current,
                    severity_before: None,
                    json: &json,
                    cause,
                    told: &audience,
                },
                &audience,
            );
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
        let Some(kind) = kind else {
            self.committed.silent += 1;
            return self.replace(&current, &json, &row, false);
        };
        // Whoever left the configuration is owed nothing but the withdrawal.
        let mut audience = self.wanted_by(finding, &current);
        let known = row.told.iter().filter(|n| self.recipients.contains(n));
        audience.extend(known);
        let row = Row {
            revision: row.revision + 1,
            told: &row.told | &audience,
            ..row
        };
        self.replace(&current, &json, &row, true)?;
        self.tell(
            &Tell {
                n: row.n,
                revision: row.revision,
                kind,
                detector,
                alert: &current,
                severity_before: stored.map(|stored| stored.severity),
                json: &json,
                cause,
                told: &row.told,
            },
            &audience,
        )
    }

    fn withdraw(
        &mut self,
        detector: Detector,
        row: &Row,
        cause: Option<&str>,
    ) -> Result<(), StoreError> {
        let last: Alert = serde_json::from_str(&row.json)?;
        self.tallies.remove(detector, &last)?;
        let revision = row.revision + 1;
        self.transaction
            .prepare_cached(
                "UPDATE alerts SET withdrawn = 1, revision = ?2, last_told = ?3 WHERE n = ?1",
            )?
            .execute(params![row.n, revision, self.now])?;
        self.tell(
            &Tell {
                n: row.n,
                revision,
                kind: EventKind::Withdrawn,
                detector,
                alert: &last,
                severity_before: Some(last.severity),
                json: &row.json,
                cause,
                told: &row.told,
            },
            &row.told,
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
                self.withdraw(detector, &row, None)?;
            }
        }
        Ok(())
    }

    fn row(&self, id: &str) -> Result<Option<Row>, StoreError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT n, json, revision, withdrawn, told FROM alerts WHERE id = ?1",
        )?;
        let mut rows = select.query([id])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let told: String = row.get(4)?;
        Ok(Some(Row {
            n: row.get(0)?,
            json: row.get(1)?,
            revision: row.get(2)?,
            withdrawn: row.get(3)?,
            told: serde_json::from_str(&told)?,
        }))
    }

    fn insert(&self, alert: &Alert, json: &str, told: &BTreeSet<i64>) -> Result<i64, StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO alerts (id, detector, subject, region, period, item, state, severity,
                     amount, amount_fen, peak, peak_fen, opened_on, cleared_on, json, revision,
                     withdrawn, told, first_told, last_told)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1, 0,
                     ?16, ?17, ?17)",
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
                serde_json::to_string(told)?,
                self.now,
            ])?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// The alert is now `alert`; `row` has the number of tellings and who was told as they now are.
    fn replace(
        &self,
        alert: &Alert,
        json: &str,
        row: &Row,
        is_told: bool,
    ) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "UPDATE alerts SET region = ?2, state = ?3, severity = ?4, amount = ?5,
                     amount_fen = ?6, peak = ?7, peak_fen = ?8, opened_on = ?9, cleared_on = ?10,
                     json = ?11, revision = ?12, withdrawn = 0, told = ?13,
                     last_told = CASE WHEN ?14 THEN ?15 ELSE last_told END
                 WHERE n = ?1",
            )?
            .execute(params![
                row.n,
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
                row.revision,
                serde_json::to_string(&row.told)?,
                is_told,
                self.now,
            ])?;
        Ok(())
    }

    /// Writes a telling into the history, and into the outboxes of whoever is to get it.
    fn tell(&mut self, tell: &Tell<'_>, audience: &BTreeSet<i64>) -> Result<(), StoreError> {
        let alert = tell.alert;
        self.transaction
            .prepare_cached(
                "INSERT INTO alert_history
                     (alert, revision, epoch, kind, cause, severity, weight_fen, json, told_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                tell.n,
                tell.revision,
                // Epochs number the batches of a run: the sign bit is out of reach.
                i64::try_from(self.epoch).unwrap_or(i64::MAX),
                tell.kind.as_str(),
                tell.cause,
                alert.severity as u8,
                saturated(alert.weight()),
                tell.json,
                self.now,
            ])?;
        let history = self.transaction.last_insert_rowid();
        faults::point!("store.history-written");
        if self.routing.topics && faults::planted!("outbox-outside-transaction") {
            self.committed.to_topic += 1;
        } else if self.routing.topics {
            self.transaction
                .prepare_cached("INSERT INTO topic_outbox (history, since) VALUES (?1, ?2)")?
                .execute(params![history, self.now])?;
            self.committed.to_topic += 1;
            faults::point!("store.outbox-written");
        }
        let region = region_of(Ok(&alert.region))?;
        self.hooks(tell, history, region)?;
        self.items.push(Item {
            history,
            alert: tell.n,
            detector: tell.detector,
            region,
            period: alert.period.clone(),
            severity: alert
                .severity
                .max(tell.severity_before.unwrap_or(alert.severity)),
            is_open: alert.state == State::Open && tell.kind != EventKind::Withdrawn,
            kind: tell.kind,
            told: tell.told.clone(),
            audience: audience.clone(),
        });
        *self.tallies.events.entry(tell.kind).or_default() += 1;
        self.committed.told.push(Told {
            id: alert.id.clone(),
            detector: tell.detector,
            revision: tell.revision,
            kind: tell.kind,
        });
        Ok(())
    }

    /// The recipients of the routing whose alert it is.
    fn wanted_by(&self, finding: &Finding, alert: &Alert) -> BTreeSet<i64> {
        let detector = finding.key.detector;
        self.routing
            .recipients
            .iter()
            .zip(&self.recipients)
            .filter(|(recipient, _)| recipient.interest.covers(detector, finding.region, alert))
            .map(|(_, &n)| n)
            .collect()
    }

    /// The months that are failures of a whole region: so many alerts are open, or are told of now,
    /// that they are one matter. What was told as one goes on as one: payrolls are made good in parts.
    fn failures(&self, items: &[Item]) -> Result<BTreeSet<MonthKey>, StoreError> {
        let mut counts: BTreeMap<MonthKey, u64> = BTreeMap::new();
        for month in items.iter().filter_map(Item::month) {
            if self.routing.region_wide.contains_key(&month.0) {
                *counts.entry(month).or_default() += 1;
            }
        }
        let mut failures = BTreeSet::new();
        let mut open = self.transaction.prepare_cached(
            "SELECT count(*) FROM alerts WHERE detector = ?1 AND region = ?2 AND period = ?3
                 AND state = 'open' AND withdrawn = 0",
        )?;
        let mut was_told = self.transaction.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM mail_group WHERE detector = ?1 AND region = ?2 AND wide = ?3)",
        )?;
        for (month, told) in counts {
            let (detector, region, period) = &month;
            let key = params![detector.as_str(), region.as_str(), period];
            let open: u64 = open.query_row(key, |row| row.get(0))?;
            let from = self.routing.region_wide[detector];
            let is_reached = from.is_reached(told.max(open), self.subjects.get(&month).copied());
            if is_reached || was_told.query_row(key, |row| row.get(0))? {
                failures.insert(month);
            }
        }
        Ok(failures)
    }

    /// A failure of a region concerns whoever looks after the region, however small each alert is.
    fn widen(&self, item: &mut Item) -> Result<(), StoreError> {
        let (detector, region) = (item.detector, item.region);
        let all = self.routing.recipients.iter().zip(&self.recipients);
        let concerned = all
            .filter(|(recipient, _)| recipient.interest.covers_place(detector, region))
            .map(|(_, &n)| n);
        item.audience.extend(concerned);
        if item.audience.is_subset(&item.told) {
            return Ok(());
        }
        let told = &item.told | &item.audience;
        self.transaction
            .prepare_cached("UPDATE alerts SET told = ?2 WHERE n = ?1")?
            .execute(params![item.alert, serde_json::to_string(&told)?])?;
        Ok(())
    }

    /// What waits for each of the audience: one row an alert, with the latest telling.
    fn notices(&mut self, item: &Item, wide: Option<&str>) -> Result<(), StoreError> {
        for &recipient in &item.audience {
            if item.kind == EventKind::Withdrawn && !self.is_mailed(recipient, item.alert)? {
                // Of what was in no mail yet there is nothing to take back.
                self.transaction
                    .prepare_cached("DELETE FROM notice WHERE recipient = ?1 AND alert = ?2")?
                    .execute([recipient, item.alert])?;
                continue;
            }
            self.transaction
                .prepare_cached(
                    "INSERT INTO notice
                         (recipient, alert, history, detector, region, severity, open, wide, since)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                     ON CONFLICT (recipient, alert) DO UPDATE SET history = excluded.history,
                         region = excluded.region, severity = max(severity, excluded.severity),
                         open = excluded.open, wide = coalesce(excluded.wide, wide)",
                )?
                .execute(params![
                    recipient,
                    item.alert,
                    item.history,
                    item.detector.as_str(),
                    item.region.as_str(),
                    item.severity as u8,
                    item.is_open,
                    wide,
                    self.now,
                ])?;
            self.committed.notices += 1;
        }
        Ok(())
    }

    fn is_mailed(&self, recipient: i64, alert: i64) -> Result<bool, StoreError> {
        Ok(self
            .transaction
            .prepare_cached("SELECT 1 FROM mailed WHERE recipient = ?1 AND alert = ?2")?
            .exists([recipient, alert])?)
    }

    /// Puts a telling into the outbox of each program that it concerns, or that was told before.
    fn hooks(
        &mut self,
        tell: &Tell<'_>,
        history: i64,
        region: RegionCode,
    ) -> Result<(), StoreError> {
        for hook in &self.routing.hooks {
            let wanted = hook.interest.covers(tell.detector, region, tell.alert);
            // Of severities before this one it may have been told: better once more than left untold.
            let was_told = tell.severity_before.is_some_and(|before| {
                hook.interest.min_severity <= before
                    && hook.interest.covers_place(tell.detector, region)
            });
            if !wanted && !was_told {
                continue;
            }
            self.transaction
                .prepare_cached(
                    "INSERT INTO hook_outbox (hook, history, alert, state, attempts, due, since)
                     VALUES (?1, ?2, ?3, 'pending', 0, ?4, ?4)",
                )?
                .execute(params![hook.name, history, tell.n, self.now])?;
            self.committed.to_hooks += 1;
        }
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
        faults::point!("store.dead-letter-written");
        if faults::planted!("dead-letter-each-start") {
            self.transaction.execute(
                "UPDATE dead_letter SET pending = 1 WHERE position = ?1",
                [&letter.position],
            )?;
        }
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
        offsets(tx, &batch.offsets)?;
        faults::point!("store.offsets-written");
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
        for holder in &batch.holders {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO holder (topic, partition, process) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                holder.topic.as_str(),
                holder.partition,
                holder.process
            ])?;
        }
        match batch.present {
            Some(present) => Ok(set_meta(tx, PRESENT, &present.to_string())?),
            None => Ok(()),
        }
    }
}

/// Up to where each partition was read.
pub(super) fn offsets(
    connection: &Connection,
    offsets: &[PartitionOffset],
) -> Result<(), StoreError> {
    for offset in offsets {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO offsets (topic, partition, next_offset) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                offset.topic.as_str(),
                offset.partition,
                offset.next_offset
            ])?;
    }
    Ok(())
}

/// The planted bug `outbox-outside-transaction`: the last tellings get into the outbox by themselves.
pub(super) fn fill_topic_outbox_late(
    connection: &Connection,
    tellings: usize,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO topic_outbox (history, since)
         SELECT seq, told_at FROM alert_history ORDER BY seq DESC LIMIT ?1",
        [tellings],
    )?;
    Ok(())
}

impl Item {
    fn month(&self) -> Option<MonthKey> {
        let period = self.period.clone()?;
        Some((self.detector, self.region, period))
    }
}
