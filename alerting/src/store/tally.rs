//! Counts over the committed rows, kept along with them so that a scrape costs no query.

use std::collections::BTreeMap;

use domain::{Alert, Detector, RegionCode, Severity, State, Topic};
use rusqlite::Connection;

use super::{StoreError, severity_of, word};
use crate::life::EventKind;

/// How much there is of what. Entries may be zero; a withdrawn alert is in none of the first two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Alerts by detector, region, severity and state.
    pub alerts: BTreeMap<(Detector, RegionCode, Severity, State), u64>,
    /// Fen at stake in open alerts, by detector and region.
    pub open_fen: BTreeMap<(Detector, RegionCode), i128>,
    /// Tellings ever, by kind.
    pub events: BTreeMap<EventKind, u64>,
    /// Dead letters by topic and reason.
    pub dead_letters: BTreeMap<(Topic, String), u64>,
}

impl Tallies {
    /// Counts what is stored.
    pub(super) fn load(connection: &Connection) -> Result<Tallies, StoreError> {
        let mut tallies = Tallies::default();
        let mut alerts = connection.prepare(
            "SELECT detector, region, severity, state, count(*) FROM alerts WHERE withdrawn = 0
             GROUP BY detector, region, severity, state",
        )?;
        let mut rows = alerts.query([])?;
        while let Some(row) = rows.next()? {
            let detector = word(row.get_ref(0)?.as_str(), Detector::parse)?;
            let region = word(row.get_ref(1)?.as_str(), |r| {
                RegionCode::parse(r.as_bytes())
            })?;
            let state = word(row.get_ref(3)?.as_str(), state_of)?;
            let key = (detector, region, severity_of(row.get(2)?)?, state);
            tallies.alerts.insert(key, row.get(4)?);
        }
        // Sums of fen may exceed what SQLite adds without loss.
        let mut open = connection.prepare(
            "SELECT detector, region, json FROM alerts WHERE withdrawn = 0 AND state = 'open'",
        )?;
        let mut rows = open.query([])?;
        while let Some(row) = rows.next()? {
            let detector = word(row.get_ref(0)?.as_str(), Detector::parse)?;
            let region = word(row.get_ref(1)?.as_str(), |r| {
                RegionCode::parse(r.as_bytes())
            })?;
            let alert: Alert = serde_json::from_slice(row.get_ref(2)?.as_bytes().unwrap_or(b""))?;
            *tallies.open_fen.entry((detector, region)).or_default() += alert.amount.fen();
        }
        let mut events =
            connection.prepare("SELECT kind, count(*) FROM alert_history GROUP BY kind")?;
        let mut rows = events.query([])?;
        while let Some(row) = rows.next()? {
            let kind = word(row.get_ref(0)?.as_str(), EventKind::parse)?;
            tallies.events.insert(kind, row.get(1)?);
        }
        let mut letters = connection
            .prepare("SELECT topic, reason, count(*) FROM dead_letter GROUP BY topic, reason")?;
        let mut rows = letters.query([])?;
        while let Some(row) = rows.next()? {
            let topic = word(row.get_ref(0)?.as_str(), Topic::parse)?;
            tallies
                .dead_letters
                .insert((topic, row.get(1)?), row.get(2)?);
        }
        Ok(tallies)
    }

    /// Counts an alert in.
    pub(super) fn add(&mut self, detector: Detector, region: RegionCode, alert: &Alert) {
        *self.alerts.entry(key(detector, region, alert)).or_default() += 1;
        *self.open_fen.entry((detector, region)).or_default() += alert.amount.fen();
    }

    /// Counts an alert out that was counted in.
    pub(super) fn remove(&mut self, detector: Detector, alert: &Alert) -> Result<(), StoreError> {
        let region = word(Ok(&alert.region), |r| RegionCode::parse(r.as_bytes()))?;
        if let Some(count) = self.alerts.get_mut(&key(detector, region, alert)) {
            *count = count.saturating_sub(1);
        }
        *self.open_fen.entry((detector, region)).or_default() -= alert.amount.fen();
        Ok(())
    }
}

/// A cleared alert's amount is zero, so that only open ones weigh.
const fn key(
    detector: Detector,
    region: RegionCode,
    alert: &Alert,
) -> (Detector, RegionCode, Severity, State) {
    (detector, region, alert.severity, alert.state)
}

fn state_of(word: &str) -> Option<State> {
    [State::Open, State::Cleared]
        .into_iter()
        .find(|state| state.as_str() == word)
}
