//! Makes mails of what waits: reads the lots, asks [`plan`](crate::plan), and writes the mails that
//! are due, in one transaction. What a mail tells, and against which earlier telling, is in its rows,
//! so that it is the same at every attempt.

use std::collections::BTreeMap;

use domain::{Alert, BusinessDate, Detector, Money, Period, RegionCode, Severity, Topic};
use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::read::feed_as_of;
use super::{StoreError, region_of, severity_of, time_of, word};
use crate::life::{self, EventKind};
use crate::mail::message_id;
use crate::plan::{self, CAP_WINDOW, Due, GroupKey, GroupState, Hold, Known, Lot, MailKind, Sent};
use crate::routing::{Pace, Pacing};

/// What a sign of life says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeSign {
    /// The last sign, or when the recipient was first known.
    #[serde(with = "milliseconds")]
    pub since: Timestamp,
    /// The time that this one is of.
    #[serde(with = "milliseconds")]
    pub until: Timestamp,
    /// Tellings to this recipient in between.
    pub told: u64,
    /// Open alerts that this recipient was told of, the gravest first.
    pub open: Vec<(Severity, u64)>,
    /// What is at stake in them, in yuan.
    pub open_amount: Money,
    /// Mails that were refused for good, to whomever.
    pub refused: u64,
    /// Of each feed that ever closed: the region that is furthest behind, and how far it is.
    pub feeds: Vec<(String, RegionCode, BusinessDate)>,
}

/// An alert that is to be told in a mail.
struct Notice {
    alert: i64,
    history: i64,
    id: String,
    revision: u64,
    kind: EventKind,
    before: Option<i64>,
    first_id: Option<String>,
}

/// Writes the mails that are due, and says how many and when to come again.
pub(super) fn write(
    transaction: &Transaction<'_>,
    pacing: &Pacing,
    now: Timestamp,
) -> Result<(u64, Option<Timestamp>), StoreError> {
    let mut planner = Planner {
        transaction,
        pacing,
        now,
        instance: super::meta(transaction, super::INSTANCE)?.unwrap_or_default(),
        addresses: BTreeMap::new(),
        written: 0,
    };
    let next_life = planner.recipients()?;
    let lots = planner.lots()?;
    let known = planner.known()?;
    let plan = plan::plan(&lots, &known, pacing, now);
    for due in &plan.due {
        planner.make(due, &lots)?;
    }
    for group in &plan.reminders {
        planner.remind(group)?;
    }
    let silenced_until = planner.alert_silences_end()?;
    // What was made now may be asked for again: a group's pause, a cap's end.
    let next = [plan.next, next_life, silenced_until].into_iter().flatten();
    Ok((planner.written, next.min()))
}

struct Planner<'a> {
    transaction: &'a Transaction<'a>,
    pacing: &'a Pacing,
    now: Timestamp,
    instance: String,
    addresses: BTreeMap<i64, String>,
    written: u64,
}

impl Planner<'_> {
    /// Learns who there is, and writes the signs of life that are due. Says when the next one is.
    fn recipients(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.transaction
            .prepare_cached("UPDATE recipients SET since = ?1 WHERE since IS NULL")?
            .execute([self.now.as_millisecond()])?;
        let mut next: Option<Timestamp> = None;
        let mut lives = Vec::new();
        {
            let mut select = self.transaction.prepare_cached(
                "SELECT n, address, since,
                     (SELECT max(since) FROM mail WHERE recipient = n AND kind = 'life')
                 FROM recipients",
            )?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let (n, address): (i64, String) = (row.get(0)?, row.get(1)?);
                let last: Option<i64> = row.get(3)?;
                let since = time_of(last.unwrap_or(row.get(2)?));
                if self.pacing.addresses.contains(&address) {
                    lives.push((n, since));
                }
                self.addresses.insert(n, address);
            }
        }
        for (recipient, since) in lives {
            let Some(mut slot) = self.pacing.timetable.life_after(since) else {
                continue;
            };
            if slot <= self.now {
                // One for all that were missed while the program did not run.
                while let Some(later) = self.pacing.timetable.life_after(slot)
                    && later <= self.now
                {
                    slot = later;
                }
                self.life(recipient, since, slot)?;
                slot = self
                    .pacing
                    .timetable
                    .life_after(self.now)
                    .unwrap_or(Timestamp::MAX);
            }
            next = Some(next.map_or(slot, |next| next.min(slot)));
        }
        Ok(next)
    }

    fn life(
        &mut self,
        recipient: i64,
        since: Timestamp,
        slot: Timestamp,
    ) -> Result<(), StoreError> {
        let told = self
            .transaction
            .prepare_cached(
                "SELECT count(*) FROM mail m JOIN mail_item i ON i.mail = m.seq
                 WHERE m.recipient = ?1 AND m.since >= ?2 AND m.kind <> 'reminder'",
            )?
            .query_row([recipient, since.as_millisecond()], |row| row.get(0))?;
        let mut by_severity: BTreeMap<Severity, u64> = BTreeMap::new();
        let mut open_amount = Money::ZERO;
        let mut open = self.transaction.prepare_cached(
            "SELECT a.severity, a.amount FROM mailed m JOIN alerts a ON a.n = m.alert
             WHERE m.recipient = ?1 AND a.state = 'open' AND a.withdrawn = 0",
        )?;
        let mut rows = open.query([recipient])?;
        while let Some(row) = rows.next()? {
            *by_severity.entry(severity_of(row.get(0)?)?).or_default() += 1;
            open_amount += word(row.get_ref(1)?.as_str(), |text| {
                // An amount of the store has no sign and any number of digits.
                serde_json::from_value::<Money>(text.into()).ok()
            })?;
        }
        let refused = self
            .transaction
            .prepare_cached("SELECT count(*) FROM mail WHERE state = 'failed'")?
            .query_row([], |row| row.get(0))?;
        let mut feeds: BTreeMap<Topic, (BusinessDate, RegionCode)> = BTreeMap::new();
        for feed in feed_as_of(self.transaction)? {
            let behind = feeds
                .entry(feed.topic)
                .or_insert((feed.closed, feed.region));
            *behind = (*behind).min((feed.closed, feed.region));
        }
        let sign = LifeSign {
            since,
            until: slot,
            told,
            open: by_severity.into_iter().rev().collect(),
            open_amount,
            refused,
            feeds: feeds
                .into_iter()
                .map(|(topic, (closed, region))| (topic.to_string(), region, closed))
                .collect(),
        };
        let id = self.bundle_id(MailKind::Life, slot.as_second(), recipient);
        let note = serde_json::to_string(&sign)?;
        self.mail(recipient, MailKind::Life, None, &id, Some(&note))?;
        Ok(())
    }

    /// What waits, alike alerts together; those whose own id is silenced left out.
    fn lots(&self) -> Result<Vec<Lot>, StoreError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT recipient, detector, region, severity, open, wide, count(*), min(since)
             FROM notice n WHERE NOT EXISTS (
                 SELECT 1 FROM silence s JOIN alerts a ON a.id = s.alert
                 WHERE a.n = n.alert AND s.ended IS NULL AND s.since <= ?1 AND s.until > ?1)
             GROUP BY recipient, detector, region, severity, open, wide
             ORDER BY recipient, detector, region, severity, open, wide",
        )?;
        let mut rows = select.query([self.now.as_millisecond()])?;
        let mut lots = Vec::new();
        while let Some(row) = rows.next()? {
            lots.push(Lot {
                recipient: row.get(0)?,
                detector: word(row.get_ref(1)?.as_str(), Detector::parse)?,
                region: region_of(row.get_ref(2)?.as_str())?,
                severity: severity_of(row.get(3)?)?,
                is_open: row.get(4)?,
                wide: period_of(row.get(5)?)?,
                count: row.get(6)?,
                since: time_of(row.get(7)?),
            });
        }
        Ok(lots)
    }

    fn known(&self) -> Result<Known, StoreError> {
        let silences = super::silences::list(self.transaction)?;
        let in_force = silences
            .into_iter()
            .filter(|silence| silence.matcher.alert.is_none() && silence.is_in_force(self.now));
        Ok(Known {
            groups: self.groups()?,
            sent: self.sent()?,
            holds: in_force
                .map(|silence| Hold {
                    detector: silence.matcher.detector,
                    region: silence.matcher.region,
                    until: silence.until,
                })
                .collect(),
            blind: self.blind()?,
        })
    }

    fn groups(&self) -> Result<BTreeMap<GroupKey, GroupState>, StoreError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT recipient, detector, region, wide, last, repeats FROM mail_group",
        )?;
        let mut rows = select.query([])?;
        let mut groups = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let wide: String = row.get(3)?;
            let key = GroupKey {
                recipient: row.get(0)?,
                detector: word(row.get_ref(1)?.as_str(), Detector::parse)?,
                region: region_of(row.get_ref(2)?.as_str())?,
                wide: period_of((!wide.is_empty()).then_some(wide))?,
            };
            let state = GroupState {
                last: time_of(row.get(4)?),
                repeats: row.get(5)?,
            };
            groups.insert(key, state);
        }
        Ok(groups)
    }

    fn sent(&self) -> Result<BTreeMap<i64, Sent>, StoreError> {
        let since = self.now.checked_sub(CAP_WINDOW).unwrap_or(Timestamp::MIN);
        let mut select = self.transaction.prepare_cached(
            "SELECT recipient, count(*), min(since) FROM mail
             WHERE since > ?1 AND kind <> 'life' GROUP BY recipient",
        )?;
        let mut rows = select.query([since.as_millisecond()])?;
        let mut sent = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let to = Sent {
                count: row.get(1)?,
                oldest: time_of(row.get(2)?),
            };
            sent.insert(row.get(0)?, to);
        }
        Ok(sent)
    }

    /// The regions in which a feed is silent, with the detectors that wait for it.
    fn blind(&self) -> Result<Vec<(Detector, RegionCode)>, StoreError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT region, item FROM alerts
             WHERE detector = 'silent-feed' AND state = 'open' AND withdrawn = 0",
        )?;
        let mut rows = select.query([])?;
        let mut blind = Vec::new();
        while let Some(row) = rows.next()? {
            let region = region_of(row.get_ref(0)?.as_str())?;
            let topic: Option<String> = row.get(1)?;
            let Some(topic) = topic.as_deref().and_then(Topic::parse) else {
                continue;
            };
            for detector in Detector::ALL {
                if detector.waits_for().contains(&topic) {
                    blind.push((detector, region));
                }
            }
        }
        Ok(blind)
    }

    fn alert_silences_end(&self) -> Result<Option<Timestamp>, StoreError> {
        let end: Option<i64> = self
            .transaction
            .prepare_cached(
                "SELECT min(until) FROM silence WHERE ended IS NULL AND alert IS NOT NULL AND until > ?1",
            )?
            .query_row([self.now.as_millisecond()], |row| row.get(0))?;
        Ok(end.map(time_of))
    }

    /// Writes what is due.
    fn make(&mut self, due: &Due, lots: &[Lot]) -> Result<(), StoreError> {
        let mut notices = Vec::new();
        for &lot in &due.lots {
            self.take(&lots[lot], &mut notices)?;
        }
        notices.sort_by_key(|notice| notice.history);
        let one_by_one = match due.kind {
            MailKind::Single => true,
            // A group of one is told in full.
            MailKind::Group | MailKind::Wide => notices.len() == 1,
            _ => false,
        };
        if one_by_one {
            for notice in &notices {
                let id = self.telling_id(notice, due.recipient);
                self.put(
                    due.recipient,
                    MailKind::Single,
                    Some(notice.alert),
                    &id,
                    std::slice::from_ref(notice),
                )?;
            }
        } else if let Some(first) = notices.first() {
            let id = self.bundle_id(due.kind, first.history, due.recipient);
            self.put(due.recipient, due.kind, None, &id, &notices)?;
        }
        match &due.group {
            Some(group) if !notices.is_empty() => self.told_group(group, 0),
            _ => Ok(()),
        }
    }

    /// Takes the notices of a lot out of those that wait. What comes to nothing is told to nobody: an
    /// alert that is again as it was last told.
    fn take(&self, lot: &Lot, notices: &mut Vec<Notice>) -> Result<(), StoreError> {
        let key = params![
            lot.recipient,
            lot.detector.as_str(),
            lot.region.as_str(),
            lot.severity as u8,
            lot.is_open,
            lot.wide.map(|period| period.to_string()),
            self.now.as_millisecond(),
        ];
        const SILENCED: &str = "SELECT 1 FROM silence s JOIN alerts q ON q.id = s.alert
            WHERE q.n = n.alert AND s.ended IS NULL AND s.since <= ?7 AND s.until > ?7";
        let matching = format!(
            "n.recipient = ?1 AND n.detector = ?2 AND n.region = ?3 AND n.severity = ?4
             AND n.open = ?5 AND n.wide IS ?6 AND NOT EXISTS ({SILENCED})"
        );
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT n.alert, n.history, a.id, h.revision, h.kind, h.json, m.history, m.first_id,
                 b.json, b.kind
             FROM notice n JOIN alerts a ON a.n = n.alert
             JOIN alert_history h ON h.seq = n.history
             LEFT JOIN mailed m ON m.recipient = n.recipient AND m.alert = n.alert
             LEFT JOIN alert_history b ON b.seq = m.history
             WHERE {matching}"
        ))?;
        let mut rows = select.query(key)?;
        while let Some(row) = rows.next()? {
            let kind = word(row.get_ref(4)?.as_str(), EventKind::parse)?;
            let now: Alert = serde_json::from_str(row.get_ref(5)?.as_str().unwrap_or_default())?;
            let before = match row.get::<_, Option<String>>(8)? {
                None => None,
                Some(json) => {
                    let alert: Alert = serde_json::from_str(&json)?;
                    Some((alert, word(row.get_ref(9)?.as_str(), EventKind::parse)?))
                }
            };
            let Some(kind) = since_told(before.as_ref(), &now, kind) else {
                continue;
            };
            notices.push(Notice {
                alert: row.get(0)?,
                history: row.get(1)?,
                id: row.get(2)?,
                revision: row.get(3)?,
                kind,
                before: row.get(6)?,
                first_id: row.get(7)?,
            });
        }
        self.transaction
            .prepare_cached(&format!("DELETE FROM notice AS n WHERE {matching}"))?
            .execute(key)?;
        Ok(())
    }

    /// Writes one mail, and that its recipient knows thereby.
    fn put(
        &mut self,
        recipient: i64,
        kind: MailKind,
        alert: Option<i64>,
        id: &str,
        notices: &[Notice],
    ) -> Result<(), StoreError> {
        let mail = self.mail(recipient, kind, alert, id, None)?;
        for notice in notices {
            self.item(mail, notice)?;
            self.transaction
                .prepare_cached(
                    "INSERT INTO mailed (recipient, alert, history, first_id) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (recipient, alert) DO UPDATE SET history = excluded.history",
                )?
                .execute(params![
                    recipient,
                    notice.alert,
                    notice.history,
                    notice.first_id.as_deref().unwrap_or(id)
                ])?;
        }
        Ok(())
    }

    fn item(&self, mail: i64, notice: &Notice) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO mail_item (mail, history, alert, before, kind) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                mail,
                notice.history,
                notice.alert,
                notice.before,
                notice.kind.as_str()
            ])?;
        Ok(())
    }

    fn mail(
        &mut self,
        recipient: i64,
        kind: MailKind,
        alert: Option<i64>,
        id: &str,
        note: Option<&str>,
    ) -> Result<i64, StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO mail
                     (recipient, kind, alert, note, message_id, state, attempts, due, since)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'pending', 0, ?6, ?6)",
            )?
            .execute(params![
                recipient,
                kind.as_str(),
                alert,
                note,
                id,
                self.now.as_millisecond()
            ])?;
        self.written += 1;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Reminds of the alerts of a group that are open and were told; if there is none, the group rests.
    fn remind(&mut self, group: &GroupKey) -> Result<(), StoreError> {
        let grouped: Vec<u8> = Severity::ALL
            .into_iter()
            .filter(|severity| {
                self.pacing.pace(group.detector, group.region, *severity) == Pace::Grouped
            })
            .map(|severity| severity as u8)
            .collect();
        let mut open = Vec::new();
        {
            let mut select = self.transaction.prepare_cached(
                "SELECT a.n, m.history, a.id, h.revision, h.kind, m.first_id
                 FROM alerts a JOIN mailed m ON m.alert = a.n AND m.recipient = ?1
                 JOIN alert_history h ON h.seq = m.history
                 WHERE a.detector = ?2 AND a.state = 'open' AND a.withdrawn = 0 AND a.region = ?3
                   AND a.severity IN (SELECT value FROM json_each(?4)) ORDER BY m.history",
            )?;
            let mut rows = select.query(params![
                group.recipient,
                group.detector.as_str(),
                group.region.as_str(),
                serde_json::to_string(&grouped)?
            ])?;
            while let Some(row) = rows.next()? {
                let history = row.get(1)?;
                open.push(Notice {
                    alert: row.get(0)?,
                    history,
                    id: row.get(2)?,
                    revision: row.get(3)?,
                    kind: word(row.get_ref(4)?.as_str(), EventKind::parse)?,
                    before: Some(history),
                    first_id: row.get(5)?,
                });
            }
        }
        if open.is_empty() {
            return self.told_group(group, self.pacing.group_repeats_max);
        }
        // Not by the detector's name: under grade C not even a header may say what it is called. An
        // alert is in one group, and a group is reminded of once at a time.
        let first = open.first().map_or(0, |notice| notice.history);
        let id = self.bundle_id(MailKind::Reminder, first, group.recipient);
        let id = format!("{}.{id}", self.now.as_millisecond());
        let mail = self.mail(group.recipient, MailKind::Reminder, None, &id, None)?;
        for notice in &open {
            self.item(mail, notice)?;
        }
        self.transaction
            .prepare_cached(
                "UPDATE mail_group SET last = ?4, repeats = repeats + 1
                 WHERE recipient = ?1 AND detector = ?2 AND region = ?3 AND wide = ''",
            )?
            .execute(params![
                group.recipient,
                group.detector.as_str(),
                group.region.as_str(),
                self.now.as_millisecond()
            ])?;
        Ok(())
    }

    fn told_group(&self, group: &GroupKey, repeats: u32) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO mail_group (recipient, detector, region, wide, last, repeats)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                group.recipient,
                group.detector.as_str(),
                group.region.as_str(),
                group.wide.map_or(String::new(), |period| period.to_string()),
                self.now.as_millisecond(),
                repeats
            ])?;
        Ok(())
    }

    fn telling_id(&self, notice: &Notice, recipient: i64) -> String {
        let address = self.addresses.get(&recipient).map_or("", String::as_str);
        let host = &self.pacing.message_host;
        message_id::of_telling(&notice.id, notice.revision, address, host)
    }

    /// `number` tells apart the mails of a kind: a telling is in one only.
    fn bundle_id(&self, kind: MailKind, number: i64, recipient: i64) -> String {
        let address = self.addresses.get(&recipient).map_or("", String::as_str);
        let host = &self.pacing.message_host;
        message_id::of_bundle(kind.as_str(), &self.instance, number, address, host)
    }
}

/// What is to be told to somebody who was last told `before`; `None` if it comes to nothing.
fn since_told(
    before: Option<&(Alert, EventKind)>,
    now: &Alert,
    kind: EventKind,
) -> Option<EventKind> {
    let before = before
        .filter(|(_, kind)| *kind != EventKind::Withdrawn)
        .map(|(alert, _)| alert);
    match kind {
        EventKind::Withdrawn => before.map(|_| EventKind::Withdrawn),
        _ => life::event(before, Some(now)),
    }
}

fn period_of(text: Option<String>) -> Result<Option<Period>, StoreError> {
    text.map(|text| word(Ok(&text), |text| Period::parse(text.as_bytes())))
        .transpose()
}

/// Times as the store has them.
mod milliseconds {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_millisecond())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Ok(super::time_of(i64::deserialize(deserializer)?))
    }
}
