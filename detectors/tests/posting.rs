//! What is posted to the ledger: the same for any order, batching and number of workers, with redeliveries and
//! conflicting ids in between, and what is taken back is as if it had never been.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own lines has failed"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use detectors::dataflow::{self, Advance, Clockwork, Feed, Outcome, Outlet, Plan, Results};
use domain::{
    Body, BusinessDate, CreditCode, Fact, Money, Nature, Period, PersonId, RegionId, RosterStatus,
    Topic, TransferKind,
};
use ledger::{Entry, Flow, ItemClass, Sum};
use proptest::prelude::*;
use rules::{Policy, PolicyText};

type Sums = BTreeMap<(RegionId, Entry), Sum>;

fn day(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).unwrap()
}

fn month(text: &str) -> Period {
    Period::parse(text.as_bytes()).unwrap()
}

fn fact(id: &'static str, date: &str, body: Body<'static>) -> Fact<'static> {
    Fact {
        id,
        region: RegionId(1),
        date: day(date),
        body,
    }
}

/// Facts and the places at which they came: the lesser one of an id is the one that counts.
fn facts() -> Vec<(Fact<'static>, u64)> {
    let enterprise = CreditCode::parse(b"91341002MA2TEXT08E").unwrap();
    let person = PersonId::parse(b"341002195203100007").unwrap();
    let period = month("2024-02");
    let yuan = Money::from_yuan;
    let payment = |amount| Body::Payment {
        enterprise,
        period,
        amount: yuan(amount),
    };
    let payout = |amount| Body::Payout {
        person,
        period,
        item: "basic_pension",
        nature: Nature::Regular,
        amount: yuan(amount),
        account: None,
    };
    let transfer = |kind, amount, period, source| Body::Transfer {
        kind,
        amount: yuan(amount),
        period,
        source,
    };
    let list = vec![
        fact(
            "D1",
            "2024-03-05",
            Body::Declaration {
                enterprise,
                period,
                headcount: 15,
                base: yuan(100_000),
            },
        ),
        fact("Y1", "2024-03-08", payment(20_000)),
        // Told again, and with another amount: neither counts.
        fact("Y1", "2024-03-08", payment(20_000)),
        fact("Y1", "2024-03-08", payment(9_999)),
        fact("Y2", "2024-03-12", payment(4_000)),
        fact(
            "V1",
            "2024-03-13",
            Body::PaymentReversal {
                enterprise,
                period,
                reverses: "Y2",
                amount: yuan(1_000),
            },
        ),
        fact(
            "R1",
            "2024-01-02",
            Body::Beneficiary {
                person,
                status: RosterStatus::Receiving,
                amount: Some(yuan(3_000)),
                name: None,
            },
        ),
        fact("P1", "2024-02-20", payout(3_000)),
        // The same id for another sum, later: the first one stands.
        fact("P1", "2024-02-20", payout(3_500)),
        fact(
            "P2",
            "2024-02-21",
            Body::Payout {
                person,
                period,
                item: "heating_allowance",
                nature: Nature::LumpSum,
                amount: yuan(200),
                account: None,
            },
        ),
        fact(
            "S1",
            "2024-03-01",
            transfer(TransferKind::CentralSubsidy, 500, None, None),
        ),
        fact(
            "S2",
            "2024-03-04",
            transfer(TransferKind::TreasuryRelease, 500, None, Some("S1")),
        ),
        fact(
            "S3",
            "2024-03-05",
            transfer(TransferKind::RemitUp, 70, Some(month("2024-02")), None),
        ),
        fact(
            "C1",
            "2024-03-31",
            Body::DayClose {
                topic: Topic::TaxCollection,
                records: 4,
                amount: yuan(25_000),
            },
        ),
    ];
    list.into_iter().zip(10..).collect()
}

/// Hands out epoch after epoch, all of it on the first worker.
struct Script {
    epochs: std::vec::IntoIter<Vec<(Fact<'static>, u64)>>,
    at: u64,
    /// From the epoch of this number on another policy holds.
    renewed: Option<(u64, PolicyText)>,
}

impl Feed for Script {
    fn advance(&mut self, outlet: &mut Outlet) -> Advance {
        match self.epochs.next() {
            Some(epoch) => {
                if let Some((_, policy)) = self.renewed.take_if(|(at, _)| *at == self.at) {
                    outlet.policy(&policy);
                }
                for (fact, position) in epoch {
                    outlet.fact(&fact, position);
                }
                self.at += 1;
                Advance::Epoch(self.at)
            }
            None => Advance::Finished,
        }
    }
}

fn posted(epochs: Vec<Vec<(Fact<'static>, u64)>>, clockwork: Clockwork, workers: usize) -> Sums {
    posted_by(Policy::huangshan(), None, epochs, clockwork, workers)
}

fn posted_by(
    policy: Policy,
    renewed: Option<(u64, PolicyText)>,
    epochs: Vec<Vec<(Fact<'static>, u64)>>,
    clockwork: Clockwork,
    workers: usize,
) -> Sums {
    let plan = Plan {
        policy: Arc::new(policy),
        clockwork,
        posts: true,
        desk: None,
    };
    let results = Results::default();
    let left = results.clone();
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
        let mine = if worker.index() == 0 {
            epochs.clone()
        } else {
            Vec::new()
        };
        let feed = Script {
            epochs: mine.into_iter(),
            at: 0,
            renewed: renewed.clone().filter(|_| worker.index() == 0),
        };
        dataflow::build(worker, &plan, feed, &left);
        while worker.step() {}
    });
    for done in guards.unwrap().join() {
        done.unwrap();
    }
    let mut sums = Sums::new();
    for outcome in results.take() {
        if let Outcome::Posted(postings) = outcome {
            for posting in postings {
                sums.entry((posting.region, posting.entry))
                    .or_default()
                    .add(posting.change);
            }
        }
    }
    sums.retain(|_, sum| !sum.is_zero());
    sums
}

const FIXED: Clockwork = Clockwork::Fixed(BusinessDate::LAST);
const LIVE: Clockwork = Clockwork::Live {
    present_from_feeds: true,
};

#[test]
fn each_accepted_fact_counts_once() {
    let sums = posted(vec![facts()], FIXED, 2);
    let sum = |entry| sums.get(&(RegionId(1), entry)).copied();
    let yuan = |count, amount| {
        Some(Sum {
            count,
            amount: Money::from_yuan(amount),
        })
    };
    assert_eq!(
        sum(Entry::Flow(Flow::Collected, day("2024-03-08"))),
        yuan(1, 20_000)
    );
    assert_eq!(
        sum(Entry::Flow(Flow::CollectionReversed, day("2024-03-13"))),
        yuan(1, 1_000)
    );
    // 100,000 x 0.24 are due; 20,000 + 4,000 - 1,000 are paid of it.
    assert_eq!(
        sum(Entry::Due(month("2024-02"), day("2024-03-05"))),
        yuan(15, 24_000)
    );
    assert_eq!(
        sum(Entry::PaidOfDue(month("2024-02"), day("2024-03-12"))),
        yuan(0, 4_000)
    );
    assert_eq!(
        sum(Entry::PaidOfDue(month("2024-02"), day("2024-03-13"))),
        yuan(0, -1_000)
    );
    let regular = Flow::PaidOut(Nature::Regular, ItemClass::Listed);
    assert_eq!(sum(Entry::Flow(regular, day("2024-02-20"))), yuan(1, 3_000));
    let unlisted = Flow::PaidOut(Nature::LumpSum, ItemClass::Unlisted);
    assert_eq!(sum(Entry::Flow(unlisted, day("2024-02-21"))), yuan(1, 200));
    assert_eq!(sum(Entry::PaidInTime(month("2024-02"))), yuan(1, 0));
    assert_eq!(
        sum(Entry::Subsidy("S1".to_owned(), day("2024-03-01"))),
        yuan(1, 500)
    );
    assert_eq!(
        sum(Entry::ReleasedOf("S1".to_owned(), day("2024-03-04"))),
        yuan(1, 500)
    );
    assert_eq!(
        sum(Entry::RemittedFor(month("2024-02"), day("2024-03-05"))),
        yuan(1, 70)
    );
    assert_eq!(
        sum(Entry::Closed(Topic::TaxCollection, day("2024-03-31"))),
        yuan(4, 25_000)
    );
    assert_eq!(
        sum(Entry::Received(Topic::TaxCollection, day("2024-03-08"))),
        yuan(1, 20_000)
    );
}

/// Huangshan's policy with another rate, and with an item listed that was not.
fn other_policy() -> (PolicyText, Policy) {
    let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(rules.join("policies/huangshan.toml")).unwrap();
    let other = text
        .replace("employer_rate = \"0.16\"", "employer_rate = \"0.20\"")
        .replace("\nitems = [\n", "\nitems = [\n  \"heating_allowance\",\n");
    assert_ne!(text, other);
    let path = folder.path().join("policies/huangshan.toml");
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::os::unix::fs::symlink(rules.join("calendars"), folder.path().join("calendars")).unwrap();
    std::fs::write(&path, other).unwrap();
    PolicyText::load(&path).unwrap()
}

#[test]
fn the_ledger_follows_a_changed_policy() {
    let (text, other) = other_policy();
    let whole = posted_by(other, None, vec![facts()], FIXED, 1);
    assert_ne!(whole, posted(vec![facts()], FIXED, 1));
    for workers in [1, 3] {
        for before in 0..=facts().len() {
            // Before: by the old policy; what comes in the epoch of the change, and later: by the new one.
            let mut first = facts();
            let mut second = first.split_off(before);
            let third = second.split_off(second.len() / 2);
            let renewed = Some((1, text.clone()));
            let epochs = vec![first, second, third];
            let sums = posted_by(Policy::huangshan(), renewed, epochs, LIVE, workers);
            assert_eq!(sums, whole, "{before} facts before, {workers} workers");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever comes when: late, first the wrong one of an id, in one epoch or in many.
    #[test]
    fn order_and_batches_change_nothing(
        order in Just((0..facts().len()).collect::<Vec<_>>()).prop_shuffle(),
        cuts in prop::collection::vec(1_usize..5, 14),
        workers in 1_usize..4,
    ) {
        let all = facts();
        let mut shuffled = order.into_iter().map(|at| all[at].clone());
        let mut epochs = Vec::new();
        for cut in cuts {
            epochs.push(shuffled.by_ref().take(cut).collect());
        }
        prop_assert_eq!(posted(epochs, LIVE, workers), posted(vec![all], FIXED, 1));
    }
}
