//! The desk: what a subject's book answers while the worker waits for more.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own lines has failed"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use detectors::dataflow::desk::NoAnswer;
use detectors::dataflow::{self, Advance, Clockwork, Desk, Feed, Outlet, Plan, Results};
use detectors::store::packed::{Packed, Shelf};
use detectors::store::{Books, Newcomer};
use domain::{
    Body, BusinessDate, CreditCode, EnterpriseStatus, Fact, Money, Nature, Period, PersonId,
    RegionId, Subject,
};
use rules::Policy;

const SOON: Duration = Duration::from_secs(20);

fn day(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).unwrap()
}

fn person() -> PersonId {
    PersonId::parse(b"341002195203100007").unwrap()
}

fn enterprise() -> CreditCode {
    CreditCode::parse(b"91341002MA2TEXT08E").unwrap()
}

fn payout(id: &'static str, item: &'static str, yuan: i64) -> Fact<'static> {
    Fact {
        id,
        region: RegionId(1),
        date: day("2024-02-20"),
        body: Body::Payout {
            person: person(),
            period: Period::from_ym(2024, 2).unwrap(),
            item,
            nature: Nature::Regular,
            amount: Money::from_yuan(yuan),
            account: Some("6217000000000000000"),
        },
    }
}

/// A payout, the same again, another under the same id, a second item, and an enterprise.
fn facts() -> Vec<(Fact<'static>, u64)> {
    let status = Fact {
        id: "E1",
        region: RegionId(2),
        date: day("2024-01-03"),
        body: Body::Enterprise {
            enterprise: enterprise(),
            name: "歙县一厂",
            status: EnterpriseStatus::Active,
        },
    };
    vec![
        (payout("B1", "basic_pension", 3000), 7),
        (payout("B1", "basic_pension", 3000), 9),
        (payout("B1", "basic_pension", 4000), 11),
        (payout("B2", "heating_allowance", 50), 12),
        (status, 3),
    ]
}

/// Sends the facts, in an epoch each, and then nothing until it is told to stop.
struct Waiting {
    facts: std::vec::IntoIter<(Fact<'static>, u64)>,
    at: u64,
    stop: Arc<AtomicBool>,
}

impl Feed for Waiting {
    fn advance(&mut self, outlet: &mut Outlet) -> Advance {
        if self.stop.load(Ordering::Acquire) {
            return Advance::Finished;
        }
        self.at += 1;
        match self.facts.next() {
            Some((fact, position)) => {
                outlet.fact(&fact, position);
                Advance::Epoch(self.at)
            }
            None if self.at < 100 => {
                self.at = 100;
                Advance::Epoch(100)
            }
            None => Advance::Idle(Duration::from_millis(1)),
        }
    }
}

/// Asks until the books are whole.
fn ask(desk: &Desk, subject: &Subject) -> Vec<u8> {
    loop {
        match desk.ask(subject, SOON) {
            Ok(facts) => return facts,
            Err(NoAnswer::Loading) => std::thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    }
}

/// What is left when the facts are put into books of one's own.
fn settled<T>(facts: &[u8], shelf: Shelf, show: impl Fn(Packed<'_>, &str) -> T) -> Vec<T> {
    let mut books = Books::default();
    books.put_all(detectors::store::packed::Envelopes::new(facts));
    if books.count(shelf) == 0 {
        return Vec::new();
    }
    let settled = books.settle(shelf, 0, |newcomer, _| {
        assert!(matches!(
            newcomer,
            Newcomer::Accepted(_) | Newcomer::Redelivered(_) | Newcomer::Conflicting(_)
        ));
    });
    let items = settled.facts().map(|fact| {
        let item = match shelf {
            Shelf::Person => settled.item(fact),
            _ => "",
        };
        show(fact, item)
    });
    items.collect()
}

#[test]
fn the_books_answer_while_they_wait_for_more() {
    for workers in [1, 3] {
        let desk = Desk::new(workers, 100);
        let plan = Plan {
            policy: Arc::new(Policy::huangshan()),
            clockwork: Clockwork::Live {
                present_from_feeds: true,
            },
            posts: false,
            desk: Some(desk.clone()),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let guards = {
            let (stop, results) = (Arc::clone(&stop), Results::default());
            timely::execute(timely::Config::process(workers), move |worker| {
                let facts = if worker.index() == 0 {
                    facts()
                } else {
                    Vec::new()
                };
                let feed = Waiting {
                    facts: facts.into_iter(),
                    at: 0,
                    stop: Arc::clone(&stop),
                };
                dataflow::build(worker, &plan, feed, &results);
                while worker.step_or_park(Some(Duration::from_millis(1))) {}
            })
        };
        let of_person = ask(&desk, &Subject::Person(person()));
        let payouts = settled(&of_person, Shelf::Person, |fact, item| {
            (
                fact.id().to_owned(),
                fact.position(),
                item.to_owned(),
                fact.amount(),
            )
        });
        let expected = [
            ("B1", 7, "basic_pension", 3000),
            ("B2", 12, "heating_allowance", 50),
        ];
        let expected = expected.map(|(id, position, item, yuan)| {
            (
                id.to_owned(),
                position,
                item.to_owned(),
                Money::from_yuan(yuan),
            )
        });
        assert_eq!(payouts, expected, "{workers} workers");

        let of_enterprise = ask(&desk, &Subject::Enterprise(enterprise()));
        let names = settled(&of_enterprise, Shelf::Enterprise, |fact, _| {
            (fact.id().to_owned(), fact.enterprise_name().to_owned())
        });
        assert_eq!(names, [("E1".to_owned(), "歙县一厂".to_owned())]);

        let stranger = PersonId::parse(b"341099194001010008").unwrap();
        assert_eq!(ask(&desk, &Subject::Person(stranger)), Vec::<u8>::new());

        stop.store(true, Ordering::Release);
        for done in guards.unwrap().join() {
            done.unwrap();
        }
        let closed = desk.ask(&Subject::Person(person()), SOON);
        assert_eq!(closed, Err(NoAnswer::Closed));
    }
}
