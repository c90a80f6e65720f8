//! The city's pooled fund of 2005 to 2007, whose flows add up to the published tables.
//!
//! Source: the tables on city-level pooling of the enterprise pension fund of Huangshan, 2004 to 2007. By calendar
//! year of the records' dates, to the fen:
//!
//! - table 2: `remit_up` of the districts and counties, `central_subsidy` with `provincial_subsidy`,
//!   and `allocate_down` are the columns of that name; what is left is the column retained;
//! - table 3: the `allocate_down` whose ids begin with `ADJ-` are what was advanced to each region
//!   before the subsidies arrived; they are part of the allocations of table 2;
//! - table 1: payments of 2006 and 2007 are the contributions collected in these years.
//!
//! What the tables do not say is filled in, as an assumption: how a year spreads over months and regions; that
//! what was collected and not remitted up was the city level's own; total payouts, of which only those of
//! 屯溪区 in 2007 are published. Each enterprise and retiree stands for about ten.

use std::collections::BTreeMap;
use std::io;

use domain::{BusinessDate, Nature, Period, Topic, TransferKind};
use rules::Policy;

use crate::Options;
use crate::city::{City, Size, credit_code};
use crate::dice::Purpose;
use crate::post::{Delivery, Post};
use crate::record::{Id, Line, Record};
use crate::truth::Truth;

const FIRST_YEAR: u32 = 2005;
const YEARS: usize = 3;
/// Districts and counties remit up, and the city allocates, from this month on.
const POOLED_FROM: (u32, u32) = (2005, 9);

/// Table 2, in 万元: remitted up, by year.
const REMITTED: [i64; YEARS] = [3_574, 12_725, 17_749];
/// Table 2, in 万元: central and provincial subsidies, by year.
const SUBSIDIES: [i64; YEARS] = [2_338, 6_773, 6_930];
/// Table 2, in 万元: allocated to districts and counties, by year.
const ALLOCATED: [i64; YEARS] = [2_630, 17_000, 21_603];
/// Table 3, in 万元: advanced before subsidies arrived, by region and year.
const ADVANCED: [(&str, [i64; YEARS]); 6] = [
    ("341002", [0, 417, 650]),
    ("341004", [0, 0, 94]),
    ("341003", [0, 342, 377]),
    ("341021", [0, 578, 0]),
    ("341022", [0, 0, 66]),
    ("341024", [0, 0, 122]),
];
/// Collected beyond what was remitted up, in 万元, by year: table 1's 42,615 of 2006 and 2007 less
/// 30,474 remitted. That it was the city level's own, its split by year, and 2005 are assumptions.
const COLLECTED_BESIDE: [i64; YEARS] = [1_424, 5_070, 7_071];
/// Paid out, in 万元, by year: an assumption, by the published income of 2007 less its surplus, and by
/// the growth that the source names.
const PAID_OUT: [i64; YEARS] = [19_100, 25_000, 29_000];
/// Paid out by 屯溪区, in 万元: 2007 is published; the years before lie on the line from 2,540 in 2004.
const PAID_OUT_TUNXI: [i64; YEARS] = [3_331, 4_123, 4_914];

const CITY_LEVEL: &str = "341000";
const TUNXI: &str = "341002";
/// How money spreads over the regions, in parts of a thousand: an assumption.
const WEIGHTS: [(&str, u64); 8] = [
    (CITY_LEVEL, 170),
    (TUNXI, 200),
    ("341003", 90),
    ("341004", 90),
    ("341021", 190),
    ("341022", 110),
    ("341023", 50),
    ("341024", 100),
];

/// 10,000 yuan in fen.
const WAN: i64 = 1_000_000;
const RETIREES: u32 = 2_700;
const ENTERPRISES_A_REGION: u64 = 25;

/// Money that moves on a day; amounts in fen.
enum Flow {
    Payment {
        region: usize,
        enterprise: u64,
        period: Period,
        amount: i64,
    },
    Payout {
        person: u32,
        region: usize,
        period: Period,
        amount: i64,
    },
    Transfer {
        region: usize,
        kind: TransferKind,
        id: Id,
        amount: i64,
        period: Option<Period>,
        source: Option<Id>,
    },
}

struct History<'a> {
    city: &'a City,
    policy: &'a Policy,
    /// The weight of each of the city's regions.
    weights: Vec<u64>,
    agenda: BTreeMap<BusinessDate, Vec<Flow>>,
}

/// Hands out the three years, day by day.
pub(crate) fn run(
    options: &Options,
    policy: &Policy,
    sink: &mut dyn FnMut(Line<'_>) -> io::Result<()>,
) -> io::Result<Truth> {
    let from = month(FIRST_YEAR, 1);
    let size = Size {
        months: 12 * YEARS as i32,
        retirees: RETIREES,
        enterprises: 1,
        contributors: 1,
    };
    let city = City::new(options.seed, from, size, policy);
    let weights = weights(&city)?;
    let mut history = History {
        city: &city,
        policy,
        weights,
        agenda: BTreeMap::new(),
    };
    for year in 0..YEARS {
        history.plan_collection(year);
        history.plan_subsidies(year);
        history.plan_allocations(year);
        history.plan_payouts(year);
    }
    history.send(options.seed, sink)
}

fn weights(city: &City) -> io::Result<Vec<u64>> {
    let known = |code: &str| WEIGHTS.iter().find(|(known, _)| *known == code);
    let weights: Option<Vec<u64>> = city
        .regions
        .iter()
        .map(|region| known(region.code.as_str()).map(|(_, weight)| *weight))
        .collect();
    weights
        .filter(|weights| weights.len() == WEIGHTS.len())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the scenario of 2005 to 2007 needs a policy of Huangshan's eight regions",
            )
        })
}

fn month(year: u32, month: u32) -> Period {
    Period::from_ym(year, month).expect("a month of 2005 to 2007")
}

/// Splits an amount by weights, to the fen: the parts add up to it.
fn split(amount: i64, weights: &[u64]) -> Vec<i64> {
    let whole: u64 = weights.iter().sum();
    let share = |part: u64| {
        let share = i128::from(amount) * i128::from(part) / i128::from(whole);
        i64::try_from(share).expect("a share is no more than the whole")
    };
    let mut before = 0;
    weights
        .iter()
        .map(|weight| {
            let after = before + weight;
            let part = share(after) - share(before);
            before = after;
            part
        })
        .collect()
}

impl History<'_> {
    fn at(&mut self, day: BusinessDate, flow: Flow) {
        self.agenda.entry(day).or_default().push(flow);
    }

    /// The months of a year in which the pool operates.
    fn pooled_months(year: usize) -> Vec<Period> {
        let pooled_from = month(POOLED_FROM.0, POOLED_FROM.1);
        months_of(year)
            .into_iter()
            .filter(|period| pooled_from <= *period)
            .collect()
    }

    /// Splits a year's amount over months and the regions that `takes_part` says.
    fn spread(
        &self,
        amount: i64,
        months: &[Period],
        takes_part: impl Fn(&str) -> bool,
    ) -> Vec<(Period, usize, i64)> {
        let keys: Vec<(Period, usize)> = months
            .iter()
            .flat_map(|period| (0..self.weights.len()).map(move |region| (*period, region)))
            .filter(|(_, region)| takes_part(self.code(*region)))
            .collect();
        let weights: Vec<u64> = keys
            .iter()
            .map(|(period, region)| {
                let draw = self.city.dice.roll2(
                    Purpose::Transfers,
                    u64::from(period.months()),
                    *region as u64,
                );
                self.weights[*region] * (90 + draw.below(21))
            })
            .collect();
        keys.into_iter()
            .zip(split(amount, &weights))
            .map(|((period, region), part)| (period, region, part))
            .collect()
    }

    fn code(&self, region: usize) -> &str {
        self.city.regions[region].code.as_str()
    }

    fn business_days(&self, from: BusinessDate, to: BusinessDate) -> Vec<BusinessDate> {
        (from.days()..=to.days())
            .map(BusinessDate::from_days)
            .filter(|&day| self.policy.calendar().is_business_day(day))
            .collect()
    }

    /// Payments, and on the month's last business day the remittance of all of them.
    fn plan_collection(&mut self, year: usize) {
        let months = History::pooled_months(year);
        let remitted = self.spread(REMITTED[year] * WAN, &months, |code| code != CITY_LEVEL);
        let beside = self.spread(COLLECTED_BESIDE[year] * WAN, &months, |code| {
            code == CITY_LEVEL
        });
        for (period, region, amount) in remitted {
            self.plan_payments(period, region, amount);
            let day = self.policy.calendar().on_or_before(period.last_day());
            let id = self.transfer_id("RU-", region, period);
            self.at(
                day,
                Flow::Transfer {
                    region,
                    kind: TransferKind::RemitUp,
                    id,
                    amount,
                    period: Some(period),
                    source: None,
                },
            );
        }
        for (period, region, amount) in beside {
            self.plan_payments(period, region, amount);
        }
    }

    fn plan_payments(&mut self, period: Period, region: usize, amount: i64) {
        let days = self.business_days(period.first_day(), period.day(20));
        let weights: Vec<u64> = (0..ENTERPRISES_A_REGION).map(|at| 20 + at * at).collect();
        for (part, at) in split(amount, &weights).into_iter().zip(0_u64..) {
            let draw = self
                .city
                .dice
                .roll2(Purpose::Filing, u64::from(period.months()), at);
            let flow = Flow::Payment {
                region,
                enterprise: region as u64 * ENTERPRISES_A_REGION + at,
                period: period.previous(),
                amount: part,
            };
            self.at(days[draw.place(days.len())], flow);
        }
    }

    /// The central one in June and September, the provincial one in October; in 2005, after pooling
    /// had begun, in September and November.
    fn plan_subsidies(&mut self, year: usize) {
        use TransferKind::{CentralSubsidy, ProvincialSubsidy};
        let of_year: &[(u32, TransferKind, u64)] = if year == 0 {
            &[(9, CentralSubsidy, 60), (11, ProvincialSubsidy, 40)]
        } else {
            &[
                (6, CentralSubsidy, 50),
                (9, CentralSubsidy, 20),
                (10, ProvincialSubsidy, 30),
            ]
        };
        let parts: Vec<u64> = of_year.iter().map(|(_, _, part)| *part).collect();
        let amounts = split(SUBSIDIES[year] * WAN, &parts);
        for ((at, kind, _), amount) in of_year.iter().zip(amounts) {
            let period = month(FIRST_YEAR + year as u32, *at);
            let arrived = self.policy.calendar().on_or_after(period.day(8));
            for (_, region, part) in self.spread(amount, &[period], |_| true) {
                self.plan_subsidy(arrived, region, *kind, part);
            }
        }
    }

    /// A subsidy, and its release within the time that the policy gives.
    fn plan_subsidy(
        &mut self,
        arrived: BusinessDate,
        region: usize,
        kind: TransferKind,
        amount: i64,
    ) {
        let start = if kind == TransferKind::CentralSubsidy {
            "CS-"
        } else {
            "PS-"
        };
        let id = self.transfer_id(start, region, arrived.period());
        let flow = |kind, id, source| Flow::Transfer {
            region,
            kind,
            id,
            amount,
            period: None,
            source,
        };
        self.at(arrived, flow(kind, id, None));
        let deadline = self.policy.release_deadline(arrived).unwrap_or(arrived);
        let released = self
            .policy
            .calendar()
            .plus_business_days(arrived, 3)
            .min(deadline);
        self.at(
            released,
            flow(TransferKind::TreasuryRelease, id.word("-R"), Some(id)),
        );
    }

    /// Allocations each month, and in spring what bridges the time until the subsidies arrive.
    fn plan_allocations(&mut self, year: usize) {
        let mut advanced = 0;
        for (code, by_year) in ADVANCED {
            let amount = by_year[year] * WAN;
            advanced += amount;
            let region = (0..self.weights.len()).find(|&region| self.code(region) == code);
            if let Some(region) = region
                && 0 < amount
            {
                let parts = split(amount, &[3, 4, 3]);
                for (part, at) in parts.into_iter().zip(3..) {
                    let period = month(FIRST_YEAR + year as u32, at);
                    self.plan_allocation("ADJ-", period, region, part, period.day(6));
                }
            }
        }
        let months = History::pooled_months(year);
        let rest = ALLOCATED[year] * WAN - advanced;
        for (period, region, amount) in self.spread(rest, &months, |code| code != CITY_LEVEL) {
            self.plan_allocation("AD-", period, region, amount, period.day(14));
        }
    }

    fn plan_allocation(
        &mut self,
        start: &str,
        period: Period,
        region: usize,
        amount: i64,
        day: BusinessDate,
    ) {
        let flow = Flow::Transfer {
            region,
            kind: TransferKind::AllocateDown,
            id: self.transfer_id(start, region, period),
            amount,
            period: None,
            source: None,
        };
        self.at(self.policy.calendar().on_or_after(day), flow);
    }

    /// Pensions, each month on its payout date.
    fn plan_payouts(&mut self, year: usize) {
        let is_tunxi = |code: &str| code == TUNXI;
        let tunxi = PAID_OUT_TUNXI[year] * WAN;
        let rest = PAID_OUT[year] * WAN - tunxi;
        let months = months_of(year);
        let mut parts = self.spread(tunxi, &months, is_tunxi);
        parts.extend(self.spread(rest, &months, |code| !is_tunxi(code)));
        for (period, region, amount) in parts {
            let day = self.policy.payout_due(period).map_or_else(
                || self.policy.calendar().on_or_before(period.day(20)),
                |due| due.date,
            );
            let people: Vec<u32> = (0..RETIREES)
                .filter(|&person| self.city.region_of(person) == region)
                .collect();
            let equally = vec![1; people.len()];
            for (person, amount) in people.into_iter().zip(split(amount, &equally)) {
                self.at(
                    day,
                    Flow::Payout {
                        person,
                        region,
                        period,
                        amount,
                    },
                );
            }
        }
    }

    fn transfer_id(&self, start: &str, region: usize, period: Period) -> Id {
        Id::new(start)
            .word(self.code(region))
            .letter(b'-')
            .month(period)
    }

    fn send(
        mut self,
        seed: u64,
        sink: &mut dyn FnMut(Line<'_>) -> io::Result<()>,
    ) -> io::Result<Truth> {
        let codes = self.city.regions.iter().map(|region| region.code).collect();
        let mut post = Post::without_redelivery(sink, &self.city.dice, codes);
        let mut record = Record::default();
        let mut day = month(FIRST_YEAR, 1).first_day();
        let last = month(FIRST_YEAR + YEARS as u32 - 1, 12).last_day();
        let end = self.policy.calendar().on_or_before(last);
        while day <= end {
            post.begin_day(day);
            for flow in self.agenda.remove(&day).unwrap_or_default() {
                let (topic, region) = self.write(&mut record, day, &flow);
                post.send(topic, region, &mut record, Delivery::AtOnce)?;
            }
            post.end_day(self.policy.calendar().is_business_day(day), &mut record)?;
            day = day.next();
        }
        assert!(self.agenda.is_empty(), "a flow outside the three years");
        Ok(post.into_truth(seed, end))
    }

    fn write(&self, record: &mut Record, day: BusinessDate, flow: &Flow) -> (Topic, usize) {
        match flow {
            Flow::Payment {
                region,
                enterprise,
                period,
                amount,
            } => {
                let id = self
                    .transfer_id("Y", *region, *period)
                    .letter(b'-')
                    .number(*enterprise, 4);
                record
                    .begin(&id, "payment", self.city.regions[*region].code, day)
                    .text("enterprise", credit_code(*enterprise).as_str().as_bytes())
                    .period("period", *period)
                    .amount(*amount);
                (Topic::TaxCollection, *region)
            }
            Flow::Payout {
                person,
                region,
                period,
                amount,
            } => {
                let id = self
                    .transfer_id("P", *region, *period)
                    .letter(b'-')
                    .number(u64::from(*person), 4);
                record
                    .begin(&id, "payout", self.city.regions[*region].code, day)
                    .text("person", &self.city.person_digits(*person))
                    .period("period", *period)
                    .text("item", b"basic_pension")
                    .text("nature", Nature::Regular.as_str().as_bytes())
                    .amount(*amount);
                (Topic::AgencyPayout, *region)
            }
            Flow::Transfer {
                region,
                kind,
                id,
                amount,
                period,
                source,
            } => {
                record
                    .begin(id, "transfer", self.city.regions[*region].code, day)
                    .text("kind", kind.as_str().as_bytes())
                    .amount(*amount);
                if let Some(period) = period {
                    record.period("period", *period);
                }
                if let Some(source) = source {
                    record.text("source", source.bytes());
                }
                (Topic::TreasuryTransfer, *region)
            }
        }
    }
}

fn months_of(year: usize) -> Vec<Period> {
    (1..=12)
        .map(|at| month(FIRST_YEAR + year as u32, at))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        assert_eq!(split(100, &[1, 1, 1]), [33, 33, 34]);
        assert_eq!(split(7, &[0, 5, 2]), [0, 5, 2]);
        let weights: Vec<u64> = (1..100).collect();
        assert_eq!(
            split(35_740_000_001, &weights).iter().sum::<i64>(),
            35_740_000_001
        );
    }

    #[test]
    fn the_tables_foot() {
        let sum = |column: &[i64]| column.iter().sum::<i64>();
        assert_eq!(sum(&REMITTED), 34_048);
        assert_eq!(sum(&SUBSIDIES), 16_041);
        assert_eq!(sum(&ALLOCATED), 41_233);
        assert_eq!(
            REMITTED[1] + REMITTED[2] + COLLECTED_BESIDE[1] + COLLECTED_BESIDE[2],
            42_615
        );
        let advanced = |year: usize| ADVANCED.iter().map(|(_, by)| by[year]).sum::<i64>();
        assert_eq!([advanced(0), advanced(1), advanced(2)], [0, 1_337, 1_309]);
    }
}
