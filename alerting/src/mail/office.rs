//! What a mail needs to know besides the alert: names of places, the calendar and clock of the pool,
//! the rates that were applied, where the reader can see more.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{BusinessDate, Period, Rate, RegionCode, Severity};
use jiff::Timestamp;
use rules::Policy;

use super::text::clean;
use crate::timetable::Timetable;

/// The office in whose name mails are written.
#[derive(Clone, Debug)]
pub struct Office {
    pool: String,
    regions: BTreeMap<RegionCode, String>,
    policy: Arc<Policy>,
    timetable: Timetable,
    /// The address of the pages, without a slash at its end.
    link: Option<String>,
    respond_within: BTreeMap<Severity, u32>,
}

impl Office {
    /// The office of a policy's pool.
    pub fn new(
        policy: Arc<Policy>,
        timetable: Timetable,
        link: Option<&str>,
        respond_within: BTreeMap<Severity, u32>,
    ) -> Office {
        let names = policy.pool.regions.iter();
        Office {
            pool: clean(&policy.pool.name),
            regions: names
                .map(|region| (region.code, clean(&region.name)))
                .collect(),
            policy,
            timetable,
            link: link.map(|link| link.trim_end_matches('/').to_owned()),
            respond_within,
        }
    }

    /// The policy of the pool.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The pool's name.
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// A region's name; of an unknown one the code.
    pub fn region<'a>(&'a self, code: &'a str) -> &'a str {
        RegionCode::parse(code.as_bytes())
            .and_then(|code| self.regions.get(&code))
            .map_or(code, String::as_str)
    }

    /// Both rates of a month together.
    pub fn both_rates(&self, period: Period) -> Option<Rate> {
        Some(self.policy.contribution(period)?.both_rates())
    }

    /// A moment as the pool's clock shows it.
    pub fn clock_text(&self, at: Timestamp) -> String {
        self.timetable.clock_text(at)
    }

    /// The day of a moment.
    pub fn day(&self, at: Timestamp) -> BusinessDate {
        self.timetable.day(at)
    }

    /// By when something is to be done about what was told at a moment, and within how many business
    /// days that is: from the first business day on which it could be read.
    pub fn respond_by(
        &self,
        severity: Severity,
        told_at: Timestamp,
    ) -> Option<(BusinessDate, u32)> {
        let days = *self.respond_within.get(&severity)?;
        let calendar = self.timetable.calendar();
        let from = calendar.on_or_after(self.day(told_at));
        Some((calendar.plus_business_days(from, days), days))
    }

    /// Where an alert can be seen.
    pub fn link(&self, alert_id: &str) -> Option<String> {
        let link = self.link.as_ref()?;
        let id: String = alert_id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        Some(format!("{link}/alerts/{id}?from=mail"))
    }

    /// Where all alerts can be seen.
    pub fn link_to_all(&self) -> Option<String> {
        Some(format!("{}/alerts?from=mail", self.link.as_ref()?))
    }
}
