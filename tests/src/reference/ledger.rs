//! The ledger, slowly: each cell is a sum over all accepted facts, made anew.
//!
//! What moved is added up by region and days. What is left is what came beyond all that went, taken from the oldest on:
//! of what came on a day, as much is left as the sum of what had come up to it exceeds the sum of what went.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::facts::{Body, Fact, Topic};
use super::money::Fen;
use super::period::Period;
use super::policy::Policy;

/// The facts of a pool and what they are asked by.
#[derive(Clone, Copy)]
pub struct Ledger<'a> {
    /// Every accepted record.
    pub facts: &'a [Fact<Body>],
    /// The policy.
    pub policy: &'a Policy,
    /// Facts dated up to it count.
    pub as_of: Date,
}

/// A column of flows: its name, its feeds, and what a fact adds to it.
pub type Column = (
    &'static str,
    &'static [Topic],
    fn(&Fact<Body>, &Policy) -> Fen,
);

/// What is left at a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// How much.
    pub amount: Fen,
    /// The first day of what is left.
    pub oldest: Option<Date>,
    /// The mean age in days, weighted by value, half up.
    pub age_days: Option<i64>,
    /// What went although it had not come.
    pub excess: Fen,
}

/// All columns that the report has.
pub const COLUMNS: [Column; 19] = {
    use Topic::{AgencyPayout as Pay, TaxCollection as Tax, TreasuryTransfer as Move};
    [
        ("collected", &[Tax], |fact, _| collected(fact)),
        ("collection_reversed", &[Tax], |fact, _| {
            collection_reversed(fact)
        }),
        ("collected_net", &[Tax], |fact, _| {
            collected(fact) - collection_reversed(fact)
        }),
        ("remitted_up", &[Move], |fact, _| moved(fact, "remit_up")),
        ("central_subsidy", &[Move], |fact, _| {
            moved(fact, "central_subsidy")
        }),
        ("provincial_subsidy", &[Move], |fact, _| {
            moved(fact, "provincial_subsidy")
        }),
        ("subsidies", &[Move], |fact, _| subsidy(fact)),
        ("county_subsidy", &[Move], |fact, _| {
            moved(fact, "county_subsidy")
        }),
        ("released", &[Move], |fact, _| {
            moved(fact, "treasury_release")
        }),
        ("allocated_down", &[Move], |fact, _| {
            moved(fact, "allocate_down")
        }),
        ("paid_regular", &[Pay], |fact, _| {
            paid_of_nature(fact, "regular")
        }),
        ("paid_back_pay", &[Pay], |fact, _| {
            paid_of_nature(fact, "back_pay")
        }),
        ("paid_lump_sum", &[Pay], |fact, _| {
            paid_of_nature(fact, "lump_sum")
        }),
        ("paid_survivor", &[Pay], |fact, policy| {
            paid_of_class(fact, policy, true)
        }),
        ("paid_unlisted", &[Pay], |fact, policy| {
            paid_of_class(fact, policy, false)
        }),
        ("payout_reversed", &[Pay], |fact, _| payout_reversed(fact)),
        ("paid_net", &[Pay], |fact, _| {
            paid(fact) - payout_reversed(fact)
        }),
        ("gap", &[Pay, Tax], |fact, _| {
            paid(fact) - payout_reversed(fact) - collected(fact) + collection_reversed(fact)
        }),
        ("retained", &[Move], |fact, _| {
            moved(fact, "remit_up") + subsidy(fact) - moved(fact, "allocate_down")
        }),
    ]
};

fn collected(fact: &Fact<Body>) -> Fen {
    match &fact.body {
        Body::Payment(body) => body.amount,
        _ => 0,
    }
}

fn collection_reversed(fact: &Fact<Body>) -> Fen {
    match &fact.body {
        Body::PaymentReversal(body) => body.amount,
        _ => 0,
    }
}

fn moved(fact: &Fact<Body>, kind: &str) -> Fen {
    match &fact.body {
        Body::Transfer(body) if body.kind == kind => body.amount,
        _ => 0,
    }
}

fn subsidy(fact: &Fact<Body>) -> Fen {
    moved(fact, "central_subsidy") + moved(fact, "provincial_subsidy")
}

fn paid(fact: &Fact<Body>) -> Fen {
    match &fact.body {
        Body::Payout(body) => body.amount,
        _ => 0,
    }
}

fn payout_reversed(fact: &Fact<Body>) -> Fen {
    match &fact.body {
        Body::PayoutReversal(body) => body.amount,
        _ => 0,
    }
}

fn paid_of_nature(fact: &Fact<Body>, nature: &str) -> Fen {
    match &fact.body {
        Body::Payout(body) if body.nature == nature => body.amount,
        _ => 0,
    }
}

/// Paid of survivors' items, or of items in neither list.
fn paid_of_class(fact: &Fact<Body>, policy: &Policy, to_survivors: bool) -> Fen {
    let Body::Payout(body) = &fact.body else {
        return 0;
    };
    let Some(entry) = policy.benefit.entry(body.period) else {
        return 0;
    };
    let is_survivors = entry.survivor_items.contains(&body.item);
    let is_unlisted = !is_survivors && !entry.items.contains(&body.item);
    let is_wanted = if to_survivors {
        is_survivors
    } else {
        is_unlisted
    };
    if is_wanted { body.amount } else { 0 }
}

fn topic(body: &Body) -> Option<Topic> {
    Some(match body {
        Body::Payout(_) | Body::PayoutReversal(_) => Topic::AgencyPayout,
        Body::Transfer(_) => Topic::TreasuryTransfer,
        Body::Enterprise(_)
        | Body::Declaration(_)
        | Body::Payroll(_)
        | Body::Payment(_)
        | Body::PaymentReversal(_) => Topic::TaxCollection,
        Body::Beneficiary(_) => Topic::AgencyRoster,
        Body::Death(_) | Body::DeathCancelled(_) => Topic::CivilDeath,
        Body::DayClose { .. } => return None,
    })
}

impl Ledger<'_> {
    fn of_region<'s>(&'s self, region: &'s str) -> impl Iterator<Item = &'s Fact<Body>> + 's {
        self.facts
            .iter()
            .filter(move |fact| fact.region == region && fact.date <= self.as_of)
    }

    /// The days on which money moved.
    #[must_use]
    pub fn days(&self) -> BTreeSet<Date> {
        let is_money = |fact: &&Fact<Body>| {
            matches!(
                fact.body,
                Body::Payment(_)
                    | Body::PaymentReversal(_)
                    | Body::Payout(_)
                    | Body::PayoutReversal(_)
                    | Body::Transfer(_)
            )
        };
        let facts = self.facts.iter().filter(|fact| fact.date <= self.as_of);
        // A movement of nothing is one, too.
        facts.filter(is_money).map(|fact| fact.date).collect()
    }

    /// Whether a region said anything of a feed in these days. The closes of a topic have its facts' region alone:
    /// `closes` are those of the topic, `(region, day closed)`.
    fn is_reported(
        &self,
        region: &str,
        of: Topic,
        first: Date,
        last: Date,
        closes: &Closes,
    ) -> bool {
        let has_facts = self
            .of_region(region)
            .any(|fact| topic(&fact.body) == Some(of) && first <= fact.date && fact.date <= last);
        let is_closed = closes.iter().any(|(topic, by, day)| {
            *topic == of && by == region && first <= *day && *day <= self.as_of
        });
        has_facts || is_closed
    }

    /// A cell of some regions; `None` if none of them said anything.
    #[must_use]
    pub fn cell(
        &self,
        column: &Column,
        regions: &[String],
        first: Date,
        last: Date,
        closes: &Closes,
    ) -> Option<Fen> {
        let (_, feeds, amount) = column;
        let is_reported = feeds.iter().all(|feed| {
            regions
                .iter()
                .any(|region| self.is_reported(region, *feed, first, last, closes))
        });
        let of_region = |region: &String| {
            self.of_region(region)
                .filter(|fact| first <= fact.date && fact.date <= last)
                .map(|fact| amount(fact, self.policy))
                .sum::<Fen>()
        };
        is_reported.then(|| regions.iter().map(of_region).sum())
    }

    /// What of a region waits to be remitted, month by month.
    #[must_use]
    pub fn not_remitted(&self, region: &str) -> Vec<Stock> {
        if !self.policy.remits(region) {
            return Vec::new();
        }
        let mut months: BTreeMap<Period, Stock> = BTreeMap::new();
        for fact in self.of_region(region) {
            let net = collected(fact) - collection_reversed(fact);
            if net != 0 {
                months
                    .entry(Period::of(fact.date))
                    .or_default()
                    .came(fact.date, net);
            }
            if let Body::Transfer(body) = &fact.body
                && body.kind == "remit_up"
                && let Some(month) = body.period
            {
                months.entry(month).or_default().went += body.amount;
            }
        }
        months.into_values().collect()
    }

    /// What of the region's subsidies waits in its treasury.
    #[must_use]
    pub fn not_released(&self, region: &str) -> Vec<Stock> {
        let mut subsidies = Vec::new();
        for fact in self.of_region(region).filter(|fact| subsidy(fact) > 0) {
            let mut stock = Stock::default();
            stock.came(fact.date, subsidy(fact));
            let all = self
                .facts
                .iter()
                .filter(|release| release.date <= self.as_of);
            for release in all {
                if let Body::Transfer(body) = &release.body
                    && body.kind == "treasury_release"
                    && body.source.as_ref() == Some(&fact.id)
                {
                    stock.went += body.amount;
                }
            }
            subsidies.push(stock);
        }
        subsidies
    }

    /// What the region's agency has left to pay with.
    #[must_use]
    pub fn not_paid_out(&self, region: &str) -> Vec<Stock> {
        let mut stock = Stock::default();
        let mut paid_by_day: BTreeMap<Date, Fen> = BTreeMap::new();
        for fact in self.of_region(region) {
            let mut came = moved(fact, "allocate_down") + moved(fact, "county_subsidy");
            if !self.policy.remits(region) {
                came += collected(fact) - collection_reversed(fact);
                stock.went += moved(fact, "remit_up");
            }
            stock.came(fact.date, came);
            *paid_by_day.entry(fact.date).or_default() += paid(fact) - payout_reversed(fact);
        }
        for (day, paid) in paid_by_day {
            if paid < 0 {
                stock.returned(day, -paid);
            } else {
                stock.went += paid;
            }
        }
        vec![stock]
    }
}

/// Closes: topic, region, day closed.
pub type Closes = Vec<(Topic, String, Date)>;

/// What came by day, and what went.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    came: BTreeMap<Date, Fen>,
    returned: BTreeMap<Date, Fen>,
    went: Fen,
}

impl Stock {
    fn came(&mut self, day: Date, amount: Fen) {
        *self.came.entry(day).or_default() += amount;
    }

    fn returned(&mut self, day: Date, amount: Fen) {
        *self.returned.entry(day).or_default() += amount;
    }
}

/// What is left of several stocks together.
#[must_use]
pub fn left(stocks: &[Stock], as_of: Date) -> Left {
    let mut left = Left::default();
    let mut weighted = 0;
    for stock in stocks {
        // What was taken back on a day went, too; and what came back came.
        let taken_back: Fen = stock.came.values().filter(|amount| **amount < 0).sum();
        let mut came: BTreeMap<Date, Fen> = BTreeMap::new();
        for (day, amount) in stock
            .came
            .iter()
            .filter(|(_, amount)| **amount > 0)
            .chain(&stock.returned)
        {
            *came.entry(*day).or_default() += amount;
        }
        let went = stock.went - taken_back;
        let mut sum = 0;
        for (day, amount) in came {
            sum += amount;
            let of_day = (sum - went).clamp(0, amount);
            if of_day > 0 {
                let days = i128::from((as_of - day).get_days());
                left.amount += of_day;
                weighted += days * of_day;
                left.oldest = Some(left.oldest.map_or(day, |oldest| oldest.min(day)));
            }
        }
        left.excess += (went - sum).max(0);
    }
    left.age_days = (left.amount > 0).then(|| {
        i64::try_from((2 * weighted + left.amount) / (2 * left.amount)).expect("an age in days")
    });
    left
}

/// The closes of a topic.
#[must_use]
pub fn closes_of(topic: Topic, facts: &[Fact<Body>]) -> Closes {
    facts
        .iter()
        .filter(|fact| matches!(fact.body, Body::DayClose { .. }))
        .map(|fact| (topic, fact.region.clone(), fact.date))
        .collect()
}
