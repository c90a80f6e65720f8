//! What others may ask the store: alerts by filter, their tellings, outboxes, positions of the feeds.

use std::collections::BTreeMap;
use std::path::Path;

use domain::{Alert, BusinessDate, Detector, Money, RegionCode, Severity, State, Topic};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{StoreError, connect, region_of, time_of, word};
use crate::batch::{FeedAsOf, FeedTotals, Holder, PartitionOffset};
use crate::life::{EventKind, Standing};

/// A connection that only reads. It sees each epoch whole or not at all, and delays nobody.
pub struct Reader {
    connection: Connection,
}

/// Which alerts; `None`, `false` and empty say nothing.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Of this detector.
    pub detector: Option<Detector>,
    /// In this state.
    pub state: Option<State>,
    /// Of this severity or a graver one.
    pub min_severity: Option<Severity>,
    /// Of this region.
    pub region: Option<RegionCode>,
    /// Withdrawn ones, too.
    pub withdrawn: bool,
    /// At most so many; 0: all.
    pub limit: u32,
}

/// An alert as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    /// The alert.
    pub alert: Alert,
    /// How often it was told.
    pub revision: u64,
    /// Whether it was withdrawn; then the alert is as it last was.
    pub withdrawn: bool,
    /// When it was first told.
    pub first_told: Timestamp,
    /// When it was last told.
    pub last_told: Timestamp,
}

impl AlertRow {
    /// How it stands.
    pub const fn standing(&self) -> Standing {
        Standing::of(&self.alert, self.withdrawn)
    }
}

/// One telling of an alert: what a line on the topic, and a mail, is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Telling {
    /// Place in the order of all tellings.
    pub seq: i64,
    /// The alert as it then was; of a withdrawn one, as it last was.
    pub alert: Alert,
    /// The how-manieth telling of the alert.
    pub revision: u64,
    /// As what.
    pub kind: EventKind,
    /// The fact that did it, `topic/id`, where one is known.
    pub cause: Option<String>,
    /// The telling before, if there was one: what the alert was, and as what it was told.
    pub before: Option<(Alert, EventKind)>,
    /// When it was committed.
    pub told_at: Timestamp,
}

/// What leads out of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Mails.
    Mail,
    /// The topic of alerts.
    AlertsTopic,
    /// The topic of dead letters.
    DeadLetterTopic,
    /// Programs that are told.
    Webhook,
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 4] = [
        Channel::Mail,
        Channel::AlertsTopic,
        Channel::DeadLetterTopic,
        Channel::Webhook,
    ];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Channel::Mail => "mail",
            Channel::AlertsTopic => "alerts_topic",
            Channel::DeadLetterTopic => "dead_letter_topic",
            Channel::Webhook => "webhook",
        }
    }
}

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// How much.
    pub pending: u64,
    /// Since when the oldest of it.
    pub oldest: Option<Timestamp>,
    /// How much was given up, since the receiving side refused it for good.
    pub failed: u64,
}

/// Something that the receiving side refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The address, or the program's name.
    pub to: String,
    /// What kind of mail, or `webhook`.
    pub kind: String,
    /// Its Message-ID or idempotency key.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What the receiving side said.
    pub reason: String,
}

/// A mail to one recipient on one telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailed {
    /// The telling, by its `seq`.
    pub telling: i64,
    /// The recipient's name; may be empty.
    pub name: String,
    /// The recipient's address.
    pub address: String,
    /// `pending`, `sending`, `sent` or `failed`.
    pub state: String,
    /// When it was sent, or given up.
    pub settled: Option<Timestamp>,
}

/// Number and sum of open alerts.
pub type OpenByPlace = BTreeMap<(Detector, RegionCode, Severity), (u64, Money)>;

impl Reader {
    /// Opens a store that is there.
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        Ok(Reader {
            connection: connect(path, false)?,
        })
    }

    /// The alerts of a filter, the gravest first, then by amount (of cleared ones: peak) and key.
    pub fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertRow>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT json, revision, withdrawn, first_told, last_told FROM alerts
             WHERE (?1 IS NULL OR detector = ?1) AND (?2 IS NULL OR state = ?2)
               AND (?3 IS NULL OR severity >= ?3) AND (?4 IS NULL OR region = ?4)
               AND (?5 OR withdrawn = 0)
             ORDER BY state = 'open' DESC, severity DESC, max(amount_fen, peak_fen) DESC,
                 detector, subject, period, item
             LIMIT ?6",
        )?;
        let mut rows = select.query(params![
            filter.detector.map(Detector::as_str),
            filter.state.map(State::as_str),
            filter.min_severity.map(|severity| severity as u8),
            filter.region.map(|region| region.to_string()),
            filter.withdrawn,
            if filter.limit == 0 {
                -1
            } else {
                i64::from(filter.limit)
            },
        ])?;
        let mut alerts = Vec::new();
        while let Some(row) = rows.next()? {
            alerts.push(alert_row(row)?);
        }
        Ok(alerts)
    }

    /// The alert of an id.
    pub fn alert(&self, id: &str) -> Result<Option<AlertRow>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT json, revision, withdrawn, first_told, last_told FROM alerts WHERE id = ?1",
        )?;
        let mut rows = select.query([id])?;
        rows.next()?.map(alert_row).transpose()
    }

    /// The ids of alerts that begin with a text, at most so many.
    pub fn ids_beginning_with(&self, text: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        // Ids are hexadecimal: `g` comes after all that any can go on with.
        let mut select = self.connection.prepare_cached(
            "SELECT id FROM alerts WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT ?2",
        )?;
        let ids = select.query_map(params![text, limit], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Everything that was told of an alert, the first telling first.
    pub fn tellings(&self, id: &str) -> Result<Vec<Telling>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT h.seq, h.json, h.revision, h.kind, h.cause, h.told_at, b.json, b.kind
             FROM alerts a JOIN alert_history h ON h.alert = a.n
             LEFT JOIN alert_history b ON b.alert = h.alert AND b.revision = h.revision - 1
             WHERE a.id = ?1 ORDER BY h.revision",
        )?;
        let mut rows = select.query([id])?;
        let mut tellings = Vec::new();
        while let Some(row) = rows.next()? {
            tellings.push(telling(row)?);
        }
        Ok(tellings)
    }

    /// Tellings of all alerts in their order, from after `seq` on, at most `limit`: for whoever follows the store.
    pub fn tellings_after(&self, seq: i64, limit: u32) -> Result<Vec<Telling>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT h.seq, h.json, h.revision, h.kind, h.cause, h.told_at, b.json, b.kind
             FROM alert_history h
             LEFT JOIN alert_history b ON b.alert = h.alert AND b.revision = h.revision - 1
             WHERE h.seq > ?1 ORDER BY h.seq LIMIT ?2",
        )?;
        let mut rows = select.query(params![seq, limit])?;
        let mut tellings = Vec::new();
        while let Some(row) = rows.next()? {
            tellings.push(telling(row)?);
        }
        Ok(tellings)
    }

    /// Who was told of an alert by mail: each address with the telling's `seq`, when, and what became of it.
    pub fn mailed(&self, id: &str) -> Result<Vec<Mailed>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT i.history, r.name, r.address, m.state, m.settled
             FROM alerts a JOIN mail_item i ON i.alert = a.n JOIN mail m ON m.seq = i.mail
             JOIN recipients r ON r.n = m.recipient WHERE a.id = ?1 ORDER BY i.history, r.address",
        )?;
        let mut rows = select.query([id])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(Mailed {
                telling: row.get(0)?,
                name: row.get(1)?,
                address: row.get(2)?,
                state: row.get(3)?,
                settled: row.get::<_, Option<i64>>(4)?.map(time_of),
            });
        }
        Ok(all)
    }

    /// All alerts of a subject, withdrawn ones, too, in the order of their keys. The subject is as the alerts have it.
    pub fn alerts_of(&self, subject: &str) -> Result<Vec<AlertRow>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT json, revision, withdrawn, first_told, last_told FROM alerts
             WHERE subject = ?1 ORDER BY detector, period, item",
        )?;
        let mut rows = select.query([subject])?;
        let mut alerts = Vec::new();
        while let Some(row) = rows.next()? {
            alerts.push(alert_row(row)?);
        }
        Ok(alerts)
    }

    /// How many alerts there are by state, withdrawn ones left out.
    pub fn count(&self, state: State) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM alerts WHERE withdrawn = 0 AND state = ?1")?
            .query_row([state.as_str()], |row| row.get(0))?)
    }

    /// Alerts of which somebody is still to be told by mail, each as often as there are recipients:
    /// they wait for their group, their digest, or the end of a silence.
    pub fn notices(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM notice")?
            .query_row([], |row| row.get(0))?)
    }

    /// What the receiving side refused for good, the latest first: mails, then what programs were to
    /// be told.
    pub fn refused(&self) -> Result<Vec<Refused>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT r.address, m.kind, m.message_id, m.settled, m.last_error
             FROM mail m JOIN recipients r ON r.n = m.recipient WHERE m.state = 'failed'
             ORDER BY m.seq DESC",
        )?;
        let mut all = Vec::new();
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            all.push(refused(row)?);
        }
        let mut select = self.connection.prepare_cached(
            "SELECT o.hook, 'webhook', a.id || '.' || h.revision, o.since, o.last_error
             FROM hook_outbox o JOIN alert_history h ON h.seq = o.history
             JOIN alerts a ON a.n = o.alert WHERE o.state = 'refused' ORDER BY o.history DESC",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            all.push(refused(row)?);
        }
        Ok(all)
    }

    /// How many open alerts there are of each detector, region and severity, and what is at stake.
    pub fn open_by_place(&self) -> Result<OpenByPlace, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT detector, region, severity, amount FROM alerts WHERE withdrawn = 0 AND state = 'open'",
        )?;
        let mut rows = select.query([])?;
        let mut open = OpenByPlace::new();
        while let Some(row) = rows.next()? {
            let detector = word(row.get_ref(0)?.as_str(), Detector::parse)?;
            let region = region_of(row.get_ref(1)?.as_str())?;
            let amount = word(row.get_ref(3)?.as_str(), |text| {
                serde_json::from_value::<Money>(text.into()).ok()
            })?;
            let sum = open
                .entry((detector, region, super::severity_of(row.get(2)?)?))
                .or_insert((0, Money::ZERO));
            sum.0 += 1;
            sum.1 += amount;
        }
        Ok(open)
    }

    /// How many dead letters there are.
    pub fn dead_letters(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM dead_letter")?
            .query_row([], |row| row.get(0))?)
    }

    /// What waits in an outbox.
    pub fn outbox(&self, channel: Channel) -> Result<Outbox, StoreError> {
        outbox(&self.connection, channel)
    }

    /// The store's name among all.
    pub fn instance(&self) -> Result<String, StoreError> {
        super::instance(&self.connection)
    }

    /// Where each partition is to be read on, by topic and partition.
    pub fn offsets(&self) -> Result<Vec<PartitionOffset>, StoreError> {
        offsets(&self.connection)
    }

    /// Which process has each partition on disk, as the last run left it.
    pub fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        holders(&self.connection)
    }

    /// How far each feed is complete, by topic and region.
    pub fn feed_as_of(&self) -> Result<Vec<FeedAsOf>, StoreError> {
        feed_as_of(&self.connection)
    }

    /// The present business date of the last epoch that had one.
    pub fn present(&self) -> Result<Option<BusinessDate>, StoreError> {
        super::present(&self.connection)
    }

    /// The counts of each partition.
    pub fn feed_totals(&self) -> Result<Vec<FeedTotals>, StoreError> {
        feed_totals(&self.connection)
    }
}

fn refused(row: &Row<'_>) -> Result<Refused, StoreError> {
    Ok(Refused {
        to: row.get(0)?,
        kind: row.get(1)?,
        id: row.get(2)?,
        at: time_of(row.get::<_, Option<i64>>(3)?.unwrap_or_default()),
        reason: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
    })
}

fn alert_row(row: &Row<'_>) -> Result<AlertRow, StoreError> {
    Ok(AlertRow {
        alert: alert_of(row, 0)?,
        revision: row.get(1)?,
        withdrawn: row.get(2)?,
        first_told: time_of(row.get(3)?),
        last_told: time_of(row.get(4)?),
    })
}

fn alert_of(row: &Row<'_>, column: usize) -> Result<Alert, StoreError> {
    Ok(serde_json::from_str(&row.get::<_, String>(column)?)?)
}

/// Of a row `seq, json, revision, kind, cause, told_at, json before, kind before`.
pub(super) fn telling(row: &Row<'_>) -> Result<Telling, StoreError> {
    let before = match row.get::<_, Option<String>>(6)? {
        Some(json) => Some((
            serde_json::from_str(&json)?,
            word(row.get_ref(7)?.as_str(), EventKind::parse)?,
        )),
        None => None,
    };
    Ok(Telling {
        seq: row.get(0)?,
        alert: alert_of(row, 1)?,
        revision: row.get(2)?,
        kind: word(row.get_ref(3)?.as_str(), EventKind::parse)?,
        cause: row.get(4)?,
        told_at: time_of(row.get(5)?),
        before,
    })
}

pub(super) fn outbox(connection: &Connection, channel: Channel) -> Result<Outbox, StoreError> {
    let sql = match channel {
        Channel::Mail => {
            "SELECT count(*), min(since), (SELECT count(*) FROM mail WHERE state = 'failed')
             FROM mail WHERE state IN ('pending', 'sending')"
        }
        Channel::AlertsTopic => "SELECT count(*), min(since), 0 FROM topic_outbox",
        Channel::DeadLetterTopic => {
            "SELECT count(*), min(since), 0 FROM dead_letter WHERE pending = 1"
        }
        Channel::Webhook => {
            "SELECT count(*) FILTER (WHERE state = 'pending'),
                 min(since) FILTER (WHERE state = 'pending'),
                 count(*) FILTER (WHERE state = 'refused') FROM hook_outbox"
        }
    };
    Ok(connection.prepare_cached(sql)?.query_row([], |row| {
        Ok(Outbox {
            pending: row.get(0)?,
            oldest: row.get::<_, Option<i64>>(1)?.map(time_of),
            failed: row.get(2)?,
        })
    })?)
}

pub(super) fn offsets(connection: &Connection) -> Result<Vec<PartitionOffset>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT topic, partition, next_offset FROM offsets ORDER BY topic, partition",
    )?;
    let mut rows = select.query([])?;
    let mut offsets = Vec::new();
    while let Some(row) = rows.next()? {
        offsets.push(PartitionOffset {
            topic: word(row.get_ref(0)?.as_str(), Topic::parse)?,
            partition: row.get(1)?,
            next_offset: row.get(2)?,
        });
    }
    Ok(offsets)
}

pub(super) fn holders(connection: &Connection) -> Result<Vec<Holder>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT topic, partition, process FROM holder ORDER BY topic, partition")?;
    let mut rows = select.query([])?;
    let mut holders = Vec::new();
    while let Some(row) = rows.next()? {
        holders.push(Holder {
            topic: word(row.get_ref(0)?.as_str(), Topic::parse)?,
            partition: row.get(1)?,
            process: row.get(2)?,
        });
    }
    Ok(holders)
}

pub(super) fn feed_as_of(connection: &Connection) -> Result<Vec<FeedAsOf>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT topic, region, closed FROM feed_as_of ORDER BY topic, region")?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(FeedAsOf {
            topic: word(row.get_ref(0)?.as_str(), Topic::parse)?,
            region: region_of(row.get_ref(1)?.as_str())?,
            closed: word(row.get_ref(2)?.as_str(), |date| {
                BusinessDate::parse(date.as_bytes())
            })?,
        });
    }
    Ok(all)
}

pub(super) fn feed_totals(connection: &Connection) -> Result<Vec<FeedTotals>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT topic, partition, read, accepted, redelivered, rejected FROM feed_totals
         ORDER BY topic, partition",
    )?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let rejected: BTreeMap<String, u64> = serde_json::from_str(&row.get::<_, String>(5)?)?;
        let totals = FeedTotals {
            topic: word(row.get_ref(0)?.as_str(), Topic::parse)?,
            partition: row.get(1)?,
            read: row.get(2)?,
            accepted: row.get(3)?,
            redelivered: row.get(4)?,
            rejected,
        };
        assert!(totals.balances(), "counts that do not add up: {totals:?}");
        all.push(totals);
    }
    Ok(all)
}
