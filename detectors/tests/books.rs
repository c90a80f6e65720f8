//! Books, against a walk over all records: whatever order they come in, each is in the end what its place among those of
//! its id makes of it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot make its own records has failed"
)]

use std::collections::BTreeMap;

use detectors::store::packed::{Envelopes, Shelf};
use detectors::store::{Books, Newcomer, pack};
use domain::{Body, BusinessDate, Fact, Money, RegionId, TransferKind};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Accepted,
    Redelivered,
    Conflicting,
}

fn transfer(yuan: i64) -> Fact<'static> {
    Fact {
        id: "x7",
        region: RegionId(1),
        date: BusinessDate::parse(b"2024-08-20").unwrap(),
        body: Body::Transfer {
            kind: TransferKind::CountySubsidy,
            amount: Money::from_yuan(yuan),
            period: None,
            source: None,
        },
    }
}

proptest! {
    /// Records of one id come over three partitions, each in the order of its offsets.
    #[test]
    fn what_a_record_is_depends_on_its_place_alone(
        records in prop::collection::vec((0..3_u64, 1..3_i64, any::<bool>()), 1..16)
    ) {
        let mut books = Books::default();
        let mut ends = [0; 3];
        let mut all: BTreeMap<u64, i64> = BTreeMap::new();
        let mut verdicts: BTreeMap<u64, Verdict> = BTreeMap::new();
        let last = records.len() - 1;
        for (at, (partition, yuan, settles)) in records.into_iter().enumerate() {
            let position = partition << 48 | ends[usize::try_from(partition).unwrap()];
            ends[usize::try_from(partition).unwrap()] += 1;
            all.insert(position, yuan);
            let mut bytes = Vec::new();
            pack(7, &transfer(yuan), position, &mut bytes);
            books.put_all(Envelopes::new(&bytes));
            if !settles && at < last {
                continue;
            }
            for number in books.take_dirty(Shelf::Transfer) {
                let settled = books.settle(Shelf::Transfer, number, |newcomer, _| {
                    let (fact, was, is) = match newcomer {
                        Newcomer::Accepted(fact) => (fact, None, Some(Verdict::Accepted)),
                        Newcomer::Redelivered(fact) => (fact, None, Some(Verdict::Redelivered)),
                        Newcomer::Conflicting(fact) => (fact, None, Some(Verdict::Conflicting)),
                        Newcomer::Retracted(fact) => (fact, Some(Verdict::Accepted), None),
                        Newcomer::NoRedelivery(fact) => (fact, Some(Verdict::Redelivered), None),
                        Newcomer::NoConflict(fact) => (fact, Some(Verdict::Conflicting), None),
                    };
                    assert_eq!(verdicts.remove(&fact.position()), was);
                    verdicts.extend(is.map(|is| (fact.position(), is)));
                });
                let left: Vec<u64> = settled.facts().map(|fact| fact.position()).collect();
                prop_assert_eq!(left, [*all.keys().next().unwrap()]);
            }
        }
        let first = *all.values().next().unwrap();
        let expected: BTreeMap<u64, Verdict> = all
            .iter()
            .enumerate()
            .map(|(at, (position, yuan))| {
                let verdict = match (at, *yuan == first) {
                    (0, _) => Verdict::Accepted,
                    (_, true) => Verdict::Redelivered,
                    (_, false) => Verdict::Conflicting,
                };
                (*position, verdict)
            })
            .collect();
        prop_assert_eq!(verdicts, expected);
    }
}
