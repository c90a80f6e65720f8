//! What is summed over subjects: a region's month (collected and remitted), the payouts of a
//! region's unlisted items, and subsidies with their releases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{BusinessDate, EvidenceId, Finding, Money, Period, RegionId, Topic};
use rules::{Policy, PolicyText};
use serde::{Deserialize, Serialize};

use super::subjects::differences;
use super::times::{Close, Times};
use super::{Outcome, Plan, owner};
use crate::book::{DayReceipts, ItemBook, Moved, RemittanceBook, SubsidyBook};
use crate::registry;
use crate::store::packed::fingerprint;
use crate::unauthorised_item::Contribution;
use crate::verdict::Verdict;

/// The feeds that late remittance waits for.
const REMITTANCE_FEEDS: [Topic; 2] = [Topic::TaxCollection, Topic::TreasuryTransfer];
/// The feed that a stalled subsidy waits for.
const SUBSIDY_FEEDS: [Topic; 1] = [Topic::TreasuryTransfer];

/// Something that a total has to take in. Days count from 1900-01-01, months from 1900-01, money is fen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Delta {
    pub(super) target: u32,
    pub(super) body: DeltaBody,
}

/// What there is to take in; `add` is false where it is taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum DeltaBody {
    /// Contributions collected in a region on a day, and taken back.
    Receipts {
        region: u16,
        day: u32,
        payments: i64,
        paid: i128,
        reversals: i64,
        reversed: i128,
    },
    /// A remittance of a region for a month.
    Remitted {
        region: u16,
        period: u16,
        id: String,
        day: u32,
        fen: i128,
        add: bool,
    },
    /// A subsidy arrived.
    Subsidy {
        region: u16,
        id: String,
        day: u32,
        fen: i128,
        add: bool,
    },
    /// Money released of a subsidy.
    Released {
        source: String,
        id: String,
        day: u32,
        fen: i128,
        add: bool,
    },
    /// A person's part in the payouts of an unlisted item, in place of what it was.
    Item(ItemKey, u64, Option<ItemPart>),
    /// A day close was accepted.
    Close(Close),
    /// The present moved.
    Present(u32),
    /// What is judged by from now on.
    Policy(Box<PolicyText>),
}

/// A region's payouts of an item for a month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ItemKey {
    pub(super) region: u16,
    pub(super) period: u16,
    pub(super) item: String,
}

impl ItemKey {
    /// The worker that owns the key.
    pub(super) fn owner(&self, peers: usize) -> u32 {
        let key = u128::from(fingerprint(&self.item)) << 32
            | u128::from(self.region) << 16
            | u128::from(self.period);
        owner(key, peers) as u32
    }
}

/// One person's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ItemPart {
    /// Day and change of the net, in fen.
    steps: Vec<(u32, i128)>,
    /// Day and id of payouts and reversals.
    records: Vec<(u32, String)>,
}

impl ItemPart {
    /// Takes in what one payout adds.
    pub(super) fn add(&mut self, contribution: &Contribution<'_>) {
        self.steps.extend(
            contribution
                .steps
                .iter()
                .map(|(date, change)| (date.days(), change.fen())),
        );
        self.records.extend(
            contribution
                .records
                .iter()
                .map(|(date, id)| (date.days(), (*id).to_owned())),
        );
    }
}

/// One worker's totals.
pub(super) struct Totals {
    policy: Arc<Policy>,
    times: Times,
    times_moved: bool,
    is_live: bool,
    remittances: BTreeMap<(u16, u16), Total<Remittance>>,
    items: BTreeMap<ItemKey, Total<Item>>,
    subsidies: BTreeMap<String, Total<Subsidy>>,
    /// Subsidies that have arrived, by id: a release may come first.
    dirty: BTreeSet<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Remittance(u16, u16),
    Item(ItemKey),
    Subsidy(String),
}

/// A total, what was last said of it, and when it must be judged again.
#[derive(Debug, Default)]
struct Total<T> {
    sums: T,
    said: Vec<Finding>,
    wake: Option<BusinessDate>,
    cause: Option<EvidenceId>,
}

#[derive(Debug, Default)]
struct Remittance {
    /// By day: payments, paid, reversals, reversed.
    receipts: BTreeMap<u32, (i64, i128, i64, i128)>,
    /// By day and id.
    remitted: BTreeMap<(u32, String), i128>,
}

#[derive(Debug, Default)]
struct Item {
    parts: BTreeMap<u64, ItemPart>,
}

#[derive(Debug, Default)]
struct Subsidy {
    /// Region, day and amount, once it has arrived.
    arrived: Option<(u16, u32, i128)>,
    /// By day and id.
    released: BTreeMap<(u32, String), i128>,
}

impl Totals {
    pub(super) fn new(plan: &Plan) -> Totals {
        Totals {
            policy: Arc::clone(&plan.policy),
            times: plan.times(),
            times_moved: false,
            is_live: plan.is_live(),
            remittances: BTreeMap::new(),
            items: BTreeMap::new(),
            subsidies: BTreeMap::new(),
            dirty: BTreeSet::new(),
        }
    }

    /// Takes something in; it is judged when the epoch is complete.
    pub(super) fn take(&mut self, delta: Delta) {
        match delta.body {
            DeltaBody::Receipts {
                region,
                day,
                payments,
                paid,
                reversals,
                reversed,
            } => {
                let month = BusinessDate::from_days(day).period().months();
                let total = self.remittances.entry((region, month)).or_default();
                let sums = total.sums.receipts.entry(day).or_default();
                *sums = (
                    sums.0 + payments,
                    sums.1 + paid,
                    sums.2 + reversals,
                    sums.3 + reversed,
                );
                self.dirty.insert(Key::Remittance(region, month));
            }
            DeltaBody::Remitted {
                region,
                period,
                id,
                day,
                fen,
                add,
            } => {
                let total = self.remittances.entry((region, period)).or_default();
                total.cause = Some(EvidenceId {
                    topic: Topic::TreasuryTransfer,
                    id: id.clone(),
                });
                put(&mut total.sums.remitted, (day, id), fen, add);
                self.dirty.insert(Key::Remittance(region, period));
            }
            DeltaBody::Subsidy {
                region,
                id,
                day,
                fen,
                add,
            } => {
                let total = self.subsidies.entry(id.clone()).or_default();
                total.cause = Some(EvidenceId {
                    topic: Topic::TreasuryTransfer,
                    id: id.clone(),
                });
                let this = Some((region, day, fen));
                if add {
                    total.sums.arrived = this;
                } else if total.sums.arrived == this {
                    total.sums.arrived = None;
                }
                self.dirty.insert(Key::Subsidy(id));
            }
            DeltaBody::Released {
                source,
                id,
                day,
                fen,
                add,
            } => {
                let total = self.subsidies.entry(source.clone()).or_default();
                total.cause = Some(EvidenceId {
                    topic: Topic::TreasuryTransfer,
                    id: id.clone(),
                });
                put(&mut total.sums.released, (day, id), fen, add);
                self.dirty.insert(Key::Subsidy(source));
            }
            DeltaBody::Item(key, person, part) => {
                let total = self.items.entry(key.clone()).or_default();
                let changed = match part {
                    Some(part) => total.sums.parts.insert(person, part.clone()) != Some(part),
                    None => total.sums.parts.remove(&person).is_some(),
                };
                if changed {
                    self.dirty.insert(Key::Item(key));
                }
            }
            DeltaBody::Close(close) => {
                self.times.close(&close);
                self.times_moved = true;
            }
            DeltaBody::Policy(policy) => {
                self.policy = Arc::new(policy.policy());
                let Totals {
                    remittances,
                    items,
                    subsidies,
                    dirty,
                    ..
                } = self;
                dirty.extend(
                    remittances
                        .keys()
                        .map(|(region, month)| Key::Remittance(*region, *month)),
                );
                dirty.extend(items.keys().cloned().map(Key::Item));
                dirty.extend(subsidies.keys().cloned().map(Key::Subsidy));
            }
            DeltaBody::Present(days) => {
                self.times.clock(BusinessDate::from_days(days));
                self.times_moved = true;
            }
        }
    }

    /// Ends an epoch: judges what has changed or whose day has come.
    pub(super) fn judge(&mut self, outcomes: &mut Vec<Outcome>) {
        if std::mem::take(&mut self.times_moved) {
            self.wake();
        }
        for key in std::mem::take(&mut self.dirty) {
            let mut verdict = Verdict::default();
            let (policy, times) = (&self.policy, &self.times);
            match key {
                Key::Remittance(region, month) => {
                    let Some(total) = self.remittances.get_mut(&(region, month)) else {
                        continue;
                    };
                    judge_remittance(region, month, &total.sums, policy, times, &mut verdict);
                    total.say(verdict, self.is_live, outcomes);
                }
                Key::Item(key) => {
                    let Some(total) = self.items.get_mut(&key) else {
                        continue;
                    };
                    judge_item(&key, &total.sums, policy, times, &mut verdict);
                    total.say(verdict, self.is_live, outcomes);
                }
                Key::Subsidy(id) => {
                    let Some(total) = self.subsidies.get_mut(&id) else {
                        continue;
                    };
                    judge_subsidy(&id, &total.sums, policy, times, &mut verdict);
                    total.say(verdict, self.is_live, outcomes);
                }
            }
        }
    }

    /// Marks what the day alone may have changed.
    fn wake(&mut self) {
        let Totals {
            times,
            remittances,
            items,
            subsidies,
            dirty,
            ..
        } = self;
        let is_due = |wake: Option<BusinessDate>, as_of: Option<BusinessDate>| {
            wake.is_some_and(|day| Some(day) <= as_of)
        };
        dirty.extend(
            remittances
                .iter()
                .filter(|((region, _), total)| {
                    is_due(
                        total.wake,
                        times.closed(&REMITTANCE_FEEDS, RegionId(*region)),
                    )
                })
                .map(|((region, month), _)| Key::Remittance(*region, *month)),
        );
        dirty.extend(
            items
                .iter()
                .filter(|(_, total)| is_due(total.wake, times.present()))
                .map(|(key, _)| Key::Item(key.clone())),
        );
        dirty.extend(
            subsidies
                .iter()
                .filter(|(_, total)| {
                    let region = total.sums.arrived.map(|(region, ..)| RegionId(region));
                    is_due(
                        total.wake,
                        region.and_then(|region| times.closed(&SUBSIDY_FEEDS, region)),
                    )
                })
                .map(|(id, _)| Key::Subsidy(id.clone())),
        );
    }
}

impl<T> Total<T> {
    fn say(&mut self, verdict: Verdict, is_live: bool, outcomes: &mut Vec<Outcome>) {
        let before = if is_live {
            self.wake = verdict.wake;
            std::mem::replace(&mut self.said, verdict.findings.clone())
        } else {
            Vec::new()
        };
        differences(
            before,
            verdict.findings,
            self.cause.take().as_ref(),
            outcomes,
        );
    }
}

fn put(moved: &mut BTreeMap<(u32, String), i128>, key: (u32, String), fen: i128, add: bool) {
    if add {
        moved.insert(key, fen);
    } else if moved.get(&key) == Some(&fen) {
        moved.remove(&key);
    }
}

fn moved(moved: &BTreeMap<(u32, String), i128>) -> Vec<Moved<'_>> {
    moved
        .iter()
        .map(|((day, id), fen)| Moved {
            id,
            date: BusinessDate::from_days(*day),
            amount: Money::from_fen(*fen),
        })
        .collect()
}

fn judge_remittance(
    region: u16,
    month: u16,
    sums: &Remittance,
    policy: &Policy,
    times: &Times,
    verdict: &mut Verdict,
) {
    let known = policy.region(RegionId(region));
    let count = |count: i64| u64::try_from(count).expect("what is taken back was there before");
    let book = RemittanceBook {
        region: known.code,
        remits: known.remits,
        period: Period::from_months(month),
        receipts: sums
            .receipts
            .iter()
            .map(|(day, (payments, paid, reversals, reversed))| DayReceipts {
                date: BusinessDate::from_days(*day),
                payments: count(*payments),
                paid: Money::from_fen(*paid),
                reversals: count(*reversals),
                reversed: Money::from_fen(*reversed),
            })
            .filter(|day| day.payments + day.reversals > 0)
            .collect(),
        remittances: moved(&sums.remitted),
    };
    let as_of = times
        .closed(&REMITTANCE_FEEDS, RegionId(region))
        .unwrap_or(BusinessDate::FIRST);
    registry::judge_remittance(&book, policy, as_of, verdict);
}

fn judge_item(key: &ItemKey, sums: &Item, policy: &Policy, times: &Times, verdict: &mut Verdict) {
    let mut steps: BTreeMap<u32, i128> = BTreeMap::new();
    let mut records = BTreeSet::new();
    for part in sums.parts.values() {
        for (day, change) in &part.steps {
            *steps.entry(*day).or_default() += change;
        }
        records.extend(part.records.iter().map(|(day, id)| (id.as_str(), *day)));
    }
    let mut records: Vec<_> = records
        .into_iter()
        .map(|(id, day)| (BusinessDate::from_days(day), id))
        .collect();
    // Two persons may have a record of one id: the alert names it once, from the earlier day on.
    records.dedup_by(|later, earlier| later.1 == earlier.1);
    let book = ItemBook {
        region: policy.region(RegionId(key.region)).code,
        period: Period::from_months(key.period),
        item: &key.item,
        steps: steps
            .into_iter()
            .filter(|(_, change)| *change != 0)
            .map(|(day, change)| (BusinessDate::from_days(day), Money::from_fen(change)))
            .collect(),
        records,
    };
    let present = times.present().unwrap_or(BusinessDate::FIRST);
    registry::judge_item(&book, policy, present, verdict);
}

fn judge_subsidy(id: &str, sums: &Subsidy, policy: &Policy, times: &Times, verdict: &mut Verdict) {
    let Some((region, day, fen)) = sums.arrived else {
        return;
    };
    let book = SubsidyBook {
        id,
        region: policy.region(RegionId(region)).code,
        date: BusinessDate::from_days(day),
        amount: Money::from_fen(fen),
        releases: moved(&sums.released),
    };
    let as_of = times
        .closed(&SUBSIDY_FEEDS, RegionId(region))
        .unwrap_or(BusinessDate::FIRST);
    registry::judge_subsidy(&book, policy, as_of, verdict);
}
