//! The fund's ledger while the program runs: postings in, breaches of indicators and figures for metrics out.
//!
//! Indicators are judged when the present moves on, which is once a day; the figures are made anew now and then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use detectors::dataflow::{Outcome, differences};
use domain::{BusinessDate, Finding, Period, RegionCode};
use ledger::{BreachWatch, Ledger, Sample, Unit};
use rules::Policy;

/// Between two makings of the figures at least, and as many times as long as the last one took.
const FIGURES_EVERY: Duration = Duration::from_secs(2);
const FIGURES_REST: u32 = 20;

/// Watches the fund.
pub struct FundWatch {
    ledger: Ledger,
    breaches: BreachWatch,
    said: Vec<Finding>,
    present: Option<BusinessDate>,
    judged: Option<BusinessDate>,
    /// When figures may be made again; `None`: at once.
    rests_until: Option<Instant>,
    has_news: bool,
}

impl FundWatch {
    /// Watches the fund of a policy's pool.
    pub fn new(policy: Arc<Policy>) -> FundWatch {
        FundWatch {
            ledger: Ledger::new(policy),
            breaches: BreachWatch::default(),
            said: Vec::new(),
            present: None,
            judged: None,
            rests_until: None,
            has_news: false,
        }
    }

    /// From now on the ledger goes by another policy, and everything is judged anew.
    pub fn renew(&mut self, policy: Arc<Policy>) {
        self.ledger.renew(policy);
        self.breaches.forget_all();
        self.judged = None;
        self.has_news = true;
    }

    /// Takes the postings out of what came of an epoch, and adds what is to be said of indicators.
    pub fn watch(&mut self, outcomes: &mut Vec<Outcome>) {
        outcomes.retain_mut(|outcome| match outcome {
            Outcome::Posted(postings) => {
                let postings = std::mem::take(postings);
                self.breaches.forget(&postings);
                self.ledger.post(postings);
                self.has_news = true;
                false
            }
            Outcome::Present(present) => {
                self.present = self.present.max(Some(*present));
                true
            }
            _ => true,
        });
        let Some(present) = self.present.filter(|present| self.judged < Some(*present)) else {
            return;
        };
        self.judged = Some(present);
        let findings = self.breaches.findings(&self.ledger, present);
        let before = std::mem::replace(&mut self.said, findings.clone());
        differences(before, findings, None, outcomes);
    }

    /// How many persons are to be paid for a month, of the regions of which that is known.
    pub fn to_be_paid(&self, month: Period) -> impl Iterator<Item = (RegionCode, u64)> {
        self.ledger.regions().filter_map(move |region| {
            let unit = Unit::Region(region);
            let count = u64::try_from(self.ledger.to_be_paid(unit, month)).ok()?;
            (0 < count).then(|| (self.ledger.code(unit), count))
        })
    }

    /// The figures, if there is news and the last ones are old enough; at the end at once.
    pub fn figures(&mut self, is_end: bool) -> Option<Vec<Sample>> {
        let present = self.present?;
        let rests = self.rests_until.is_some_and(|until| Instant::now() < until);
        if !self.has_news || (rests && !is_end) {
            return None;
        }
        self.has_news = false;
        let started = Instant::now();
        let readings = self.ledger.health(present);
        let samples = self.ledger.samples(present, &readings);
        let rest = FIGURES_EVERY.max(started.elapsed() * FIGURES_REST);
        self.rests_until = Some(Instant::now() + rest);
        Some(samples)
    }
}
