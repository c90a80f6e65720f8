//! Cities that do not exist, with their truth: the five feeds of contract section 2, seeded, with
//! irregularities planted and written down.
//!
//! [`generate`] hands out lines in sending order, day by day, and returns the [`Truth`]. The same
//! options and policy give the same bytes. With [`Irregularities::NONE`] the feeds raise no alert on
//! their last day: what is owed is paid, in time, with the corrections, bank returns, back pay and
//! redelivered lines of ordinary life in between.
//!
//! Nobody in it exists: area codes of people and enterprises were never assigned. A record has about
//! 200 bytes; of the default city's, two thirds are payouts.
//!
//! The crate knows `domain` and `rules`. Where the lines go is its caller's affair: [`FeedFiles`]
//! writes files, and a closure may do anything else.

mod agency;
mod city;
mod dice;
mod evasion;
mod faults;
mod files;
mod filings;
mod history;
mod lives;
mod misfortune;
mod names;
mod plan;
mod post;
mod record;
mod simulation;
mod tax;
mod treasury;
mod truth;

use std::io;

use domain::{Period, Topic};
use rules::Policy;

pub use files::FeedFiles;
pub use plan::Irregularities;
pub use record::Line;
pub use truth::{Expected, Planted, Truth};

use city::{City, Size};
use plan::Plans;

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A city like Huangshan, of any size and time.
    City,
    /// Huangshan's pooled fund of 2005 to 2007, whose flows add up to the published tables. Time and
    /// sizes are given, and nothing is planted: of the options only the seed counts.
    Huangshan2005To2007,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 2] = [Scenario::City, Scenario::Huangshan2005To2007];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scenario::City => "city",
            Scenario::Huangshan2005To2007 => "huangshan-2005-2007",
        }
    }

    /// The scenario of a name.
    pub fn parse(name: &str) -> Option<Scenario> {
        Scenario::ALL
            .into_iter()
            .find(|scenario| scenario.as_str() == name)
    }
}

/// How large, how long, how wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// What to simulate.
    pub scenario: Scenario,
    /// The first month. Registry and roster as they stand are sent on the day before it.
    pub from: Period,
    /// How many months; 1 to 1200.
    pub months: u16,
    /// Retirees at the start.
    pub retirees: u32,
    /// Enterprises at the start.
    pub enterprises: u32,
    /// Contributors of all enterprises at the start.
    pub contributors: u32,
    /// What goes wrong, and how often.
    pub irregularities: Irregularities,
}

/// The city of 2024, with the usual irregularities: 27,000 retirees, 67,000 contributors.
impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            scenario: Scenario::City,
            from: Period::from_ym(2024, 1).expect("a month of 1900 to 2199"),
            months: 12,
            retirees: 27_000,
            enterprises: 3_000,
            contributors: 67_000,
            irregularities: Irregularities::USUAL,
        }
    }
}

impl Options {
    /// The city grown or shrunk so that about `records` lines come out: within a few hundredths, if
    /// there are more than the closes of the days alone (about 40 for each business day of the
    /// eight regions).
    #[must_use]
    pub fn with_records(mut self, records: u64) -> Options {
        let months = u64::from(self.months);
        let closes = months * 21 * 8 * Topic::ALL.len() as u64;
        let julys = (0..self.months)
            .filter(|month| Period::from_months(self.from.months() + month).month() == 7)
            .count() as u64;
        // In thousandths: one opening, a payout a month, and a raise with its roster entry; the
        // comings and goings add a little.
        let a_retiree = 1_000 + months * 1_012 + julys * 2_000;
        let an_enterprise = 1_000 + months * 3_080;
        let now = (u64::from(self.retirees) * a_retiree
            + u64::from(self.enterprises) * an_enterprise)
            / 1_000;
        let wanted = records.saturating_sub(closes).max(1);
        let scale = |count: u32| {
            let scaled = u128::from(count) * u128::from(wanted) / u128::from(now.max(1));
            u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
        };
        self.retirees = scale(self.retirees);
        self.enterprises = scale(self.enterprises);
        self.contributors = scale(self.contributors);
        self
    }

    fn check(&self, policy: &Policy) -> io::Result<()> {
        let wrong = if !(1..=1_200).contains(&self.months) {
            "a simulation has 1 to 1200 months"
        } else if !(1_200..=3_599 - self.months).contains(&self.from.months()) {
            "a simulation lies in the years 2000 to 2199"
        } else if self.retirees == 0 || self.retirees > 50_000_000 {
            "a simulated city has 1 to 50,000,000 retirees"
        } else if self.enterprises == 0 || self.enterprises > 10_000_000 {
            "a simulated city has 1 to 10,000,000 enterprises"
        } else if policy.pool.regions.is_empty() || policy.pool.regions.len() > 255 {
            "a simulated city has 1 to 255 regions"
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, wrong))
    }
}

/// Simulates, and hands each line to `sink` in the order in which it is sent: day by day; within a day,
/// a region's records of a topic before its close.
///
/// # Errors
/// What the sink says, and `InvalidInput` for options out of range.
pub fn generate(
    options: &Options,
    policy: &Policy,
    sink: &mut dyn FnMut(Line<'_>) -> io::Result<()>,
) -> io::Result<Truth> {
    options.check(policy)?;
    match options.scenario {
        Scenario::City => {
            let size = Size {
                months: i32::from(options.months),
                retirees: options.retirees,
                enterprises: options.enterprises,
                contributors: options.contributors,
            };
            let mut city = City::new(options.seed, options.from, size, policy);
            let plans = Plans::new(&city, &options.irregularities);
            for plan in &plans.enterprises {
                city.enterprises[plan.enterprise as usize].settle();
            }
            simulation::run(&city, policy, plans, options, sink)
        }
        Scenario::Huangshan2005To2007 => history::run(options, policy, sink),
    }
}
