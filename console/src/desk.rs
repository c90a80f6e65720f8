//! What those who work at the console need to know of the pool: names of regions, the calendar, the clock.

use std::sync::Arc;

use alerting::Renewable;
use alerting::mail::{Clock, Office};
use domain::{BusinessDate, Severity};
use jiff::Timestamp;
use rules::Policy;

/// The pool as the console sees it; what a changed configuration renews is asked for anew each time.
#[derive(Clone)]
pub struct Desk {
    office: Renewable<Office>,
    /// The one way to the time.
    clock: Clock,
}

impl Desk {
    /// Of an office, which knows its policy.
    pub fn new(office: Office, clock: Clock) -> Desk {
        Desk {
            office: Renewable::new(office),
            clock,
        }
    }

    /// What a changed configuration renews.
    pub fn renewable(&self) -> Renewable<Office> {
        self.office.clone()
    }

    /// Words, names and times of the mails, which are those of the pages.
    pub fn office(&self) -> Arc<Office> {
        self.office.now()
    }

    /// The policy that is applied.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(self.office.now().policy())
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The day of a moment in the pool.
    pub fn day(&self, at: Timestamp) -> BusinessDate {
        self.office().day(at)
    }

    /// The n-th business day after a day.
    pub fn business_days_after(&self, day: BusinessDate, n: u32) -> BusinessDate {
        self.policy().calendar().plus_business_days(day, n)
    }

    /// How old something is, in business days.
    pub fn age(&self, since: Timestamp, today: BusinessDate) -> u32 {
        self.policy()
            .calendar()
            .business_days_between(self.day(since), today)
    }

    /// By when something is to be done about an alert.
    pub fn respond_by(&self, severity: Severity, told_at: Timestamp) -> Option<BusinessDate> {
        self.office()
            .respond_by(severity, told_at)
            .map(|(day, _)| day)
    }

    /// A moment as the pool's clock shows it, to the minute.
    pub fn clock_text(&self, at: Timestamp) -> String {
        let text = self.office().clock_text(at);
        // The zone stands once at the foot of the page, not beside every time.
        text.get(..16).unwrap_or(&text).to_owned()
    }
}
