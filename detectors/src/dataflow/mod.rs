//! The dataflow: the only place that knows timely.
//!
//! ```text
//! feed ──pack──► exchange by subject ──► subjects ──► exchange by key ──► totals ──► probe
//!                                        (enterprise, person,            (region and month,
//!                                         transfer books)                 item, subsidy)
//! ```
//!
//! timely's time is the *epoch*: a numbered batch in which something was learned. Business dates are
//! data and never a timestamp. When an epoch is complete its books are settled and judged, and what
//! changed is left in the [`Results`]; it may be taken once the probe has passed the epoch.

mod bytes;
pub mod desk;
mod posting;
mod subjects;
pub mod times;
mod totals;
pub mod wire;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{AlertKey, Body, BusinessDate, EvidenceId, Fact, Finding, Money, RegionId, Topic};
use ledger::Posting;
use rules::{Policy, PolicyText};
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::ProbeHandle;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::{Operator, Probe};
use timely::worker::Worker;

use crate::store::packed::{key, mix, origin, pack, pieces};
pub use desk::Desk;
pub use subjects::differences;
use times::{Close, Times};

/// Packed facts are sent on in loads of about this size.
const LOAD_BYTES: usize = 64 * 1024;

/// How far the source of facts has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// There is more at once.
    More,
    /// Nothing at present; ask again after the time.
    Idle(Duration),
    /// The epoch is complete: what follows belongs to this later one.
    Epoch(u64),
    /// There will be no more, ever.
    Finished,
}

/// Where one worker's facts come from.
pub trait Feed: 'static {
    /// Reads a little, and hands it out.
    fn advance(&mut self, outlet: &mut Outlet) -> Advance;
}

/// What a worker sends another.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parcel {
    target: u32,
    load: Load,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Load {
    /// As they are within a process; between processes as bytes.
    Facts(#[serde(with = "bytes")] Vec<u8>),
    Close(Close),
    /// Days since 1900.
    Present(u32),
    /// What is judged by from now on.
    Policy(Box<PolicyText>),
}

/// What an [`Outlet`] sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent<'a> {
    /// Packed facts.
    Facts(&'a [u8]),
    /// A day close.
    Close(Close),
}

/// Emptied loads of a worker, to be filled again: fresh memory costs more than what is done with it.
#[derive(Clone, Debug, Default)]
struct Empties(Rc<RefCell<Vec<Vec<u8>>>>);

impl Empties {
    /// Loads kept at most; as many come in as go out, but not at the same time.
    const KEPT_MAX: usize = 64;

    fn take(&self) -> Vec<u8> {
        self.0
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(LOAD_BYTES * 2))
    }

    fn put_back(&self, mut load: Vec<u8>) {
        let mut empties = self.0.borrow_mut();
        if empties.len() < Empties::KEPT_MAX && load.capacity() <= LOAD_BYTES * 4 {
            load.clear();
            empties.push(load);
        }
    }
}

/// Takes facts and sends each to the worker that owns its subject.
#[derive(Debug)]
pub struct Outlet {
    epoch: u64,
    loads: Vec<Vec<u8>>,
    empties: Empties,
    parcels: Vec<Parcel>,
}

impl Outlet {
    fn new(peers: usize, empties: Empties) -> Outlet {
        Outlet {
            epoch: 0,
            loads: (0..peers).map(|_| empties.take()).collect(),
            empties,
            parcels: Vec::new(),
        }
    }

    /// The epoch that is open.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Sends a fact; a day close goes to every worker. `position` orders it within its topic.
    /// Returns what was sent, for whoever keeps it to send it again.
    #[inline]
    pub fn fact(&mut self, fact: &Fact<'_>, position: u64) -> Sent<'_> {
        let Some(key) = key(fact) else {
            return Sent::Close(self.close(fact, position));
        };
        let target = owner(key, self.loads.len());
        if self.loads[target].len() >= LOAD_BYTES {
            self.ship(target);
        }
        let load = &mut self.loads[target];
        let start = load.len();
        pack(key, fact, position, load);
        Sent::Facts(&load[start..])
    }

    /// Sends facts again that were sent before, by whatever worker and in whatever order.
    pub fn facts_again(&mut self, facts: &[u8]) {
        for (key, fact) in pieces(facts) {
            self.again(key, fact);
        }
    }

    /// The same, but only those of the feeds and lanes (positions divided by 2^48) that `wanted` names.
    pub fn facts_again_of(&mut self, facts: &[u8], wanted: impl Fn(Topic, u16) -> bool) {
        for (key, fact) in pieces(facts) {
            let (topic, position) = origin(fact);
            if wanted(topic, (position >> 48) as u16) {
                self.again(key, fact);
            }
        }
    }

    #[inline]
    fn again(&mut self, key: u128, fact: &[u8]) {
        let target = owner(key, self.loads.len());
        if self.loads[target].len() >= LOAD_BYTES {
            self.ship(target);
        }
        self.loads[target].extend_from_slice(fact);
    }

    /// Sends a day close again.
    pub fn close_again(&mut self, close: Close) {
        self.broadcast(&Load::Close(close));
    }

    /// The clock says that it is this date.
    pub fn present(&mut self, date: BusinessDate) {
        self.broadcast(&Load::Present(date.days()));
    }

    /// From this epoch on everything is judged by another policy, as if it had always been so: every book is due.
    /// Its regions are those of the policy before, in the same order.
    pub fn policy(&mut self, policy: &PolicyText) {
        self.broadcast(&Load::Policy(Box::new(policy.clone())));
    }

    fn close(&mut self, fact: &Fact<'_>, position: u64) -> Close {
        let Body::DayClose {
            topic,
            records,
            amount,
        } = fact.body
        else {
            unreachable!("only a day close has no book")
        };
        let close = Close {
            topic: topic.index() as u8,
            region: fact.region.0,
            position,
            id: fact.id.to_owned(),
            date: fact.date.days(),
            records,
            fen: amount.fen(),
        };
        self.broadcast(&Load::Close(close.clone()));
        close
    }

    fn broadcast(&mut self, load: &Load) {
        for target in 0..self.loads.len() {
            self.parcels.push(Parcel {
                target: target as u32,
                load: load.clone(),
            });
        }
    }

    fn ship(&mut self, target: usize) {
        let load = std::mem::replace(&mut self.loads[target], self.empties.take());
        self.parcels.push(Parcel {
            target: target as u32,
            load: Load::Facts(load),
        });
    }

    fn ship_all(&mut self) {
        for target in 0..self.loads.len() {
            if !self.loads[target].is_empty() {
                self.ship(target);
            }
        }
    }
}

/// The worker that owns a key.
fn owner(key: u128, peers: usize) -> usize {
    // The upper half: hash tables use the lower bits.
    ((mix(key) >> 32) as usize) % peers
}

/// What the dataflow is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The policy to judge by.
    pub policy: Arc<Policy>,
    /// How as-of is known.
    pub clockwork: Clockwork,
    /// Whether what is accepted is posted to the ledger ([`Outcome::Posted`]).
    pub posts: bool,
    /// Where the books can be asked for the facts of one subject, while they grow.
    pub desk: Option<Desk>,
}

/// How as-of is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clockwork {
    /// One date everywhere; there is one epoch, and each finding is told once.
    Fixed(BusinessDate),
    /// By day closes and the clock, or the closes alone.
    Live {
        /// The present is the greatest date closed.
        present_from_feeds: bool,
    },
}

impl Plan {
    fn times(&self) -> Times {
        match self.clockwork {
            Clockwork::Fixed(date) => Times::fixed(date),
            Clockwork::Live { present_from_feeds } => {
                Times::live(self.policy.pool.regions.len(), present_from_feeds)
            }
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.clockwork, Clockwork::Live { .. })
    }
}

/// Something that came of an epoch.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all outcomes are updates: boxing them would only cost"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// What is now to be said of a key: a finding that is new or has changed, or none any more.
    Update {
        /// The key.
        key: AlertKey,
        /// What is found; `None` if the key has no episode (any more).
        finding: Option<Finding>,
        /// The newest fact of the book, if one came in this epoch.
        cause: Option<EvidenceId>,
    },
    /// So many records of a lane (position divided by 2^48) were accepted before, and ignored.
    Redelivered {
        /// The feed.
        topic: Topic,
        /// The records' positions divided by 2^48: on Kafka the partition.
        lane: u16,
        /// How many; less than none if some of those before turned out to conflict with an earlier record.
        count: i64,
    },
    /// An id that was accepted with another content: goes to the dead letter.
    Conflicting {
        /// The feed.
        topic: Topic,
        /// Where the record came.
        position: u64,
    },
    /// It had been told as conflicting, and says the same as an earlier record that came since: a redelivery, which is
    /// counted as such besides.
    NoConflict {
        /// The feed.
        topic: Topic,
        /// Where the record came.
        position: u64,
    },
    /// So much was accepted of a feed, by the close before which it was received (live only).
    Received(Received),
    /// A day close was accepted (live only; told by one worker).
    Closed(Close),
    /// The present moved (live only; told by one worker).
    Present(BusinessDate),
    /// By how much what was accepted, or taken back, changes the ledger.
    Posted(Vec<Posting>),
}

/// What was accepted of one feed, region and date between two closes; negative if retracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The feed.
    pub topic: Topic,
    /// The region.
    pub region: RegionId,
    /// The partition that it came from: between partitions there is no order.
    pub lane: u16,
    /// How many closes of the feed and region came before from there.
    pub interval: u32,
    /// The records' date.
    pub date: BusinessDate,
    /// How many records.
    pub records: i64,
    /// The sum of their fields named `amount`.
    pub amount: Money,
}

/// Where workers leave what came of epochs: `(epoch, outcomes)`, each worker's in order.
#[derive(Clone, Debug, Default)]
pub struct Results(Arc<Mutex<Vec<OfEpoch>>>);

/// The number of an epoch, and what came of it on one worker.
type OfEpoch = (u64, Vec<Outcome>);

impl Results {
    /// Leaves what came of an epoch; of another process, what it has handed over.
    pub fn leave(&self, epoch: u64, outcomes: Vec<Outcome>) {
        if !outcomes.is_empty() {
            self.0
                .lock()
                .expect("no worker panics while leaving results")
                .push((epoch, outcomes));
        }
    }

    /// Takes what came of the epochs before `end`, whose number the probe has passed.
    pub fn take_before(&self, end: u64) -> Vec<OfEpoch> {
        let mut results = self
            .0
            .lock()
            .expect("no worker panics while leaving results");
        let (taken, left) = std::mem::take(&mut *results)
            .into_iter()
            .partition(|(epoch, _)| *epoch < end);
        *results = left;
        taken
    }

    /// Takes all.
    pub fn take(&self) -> Vec<Outcome> {
        let results = std::mem::take(
            &mut *self
                .0
                .lock()
                .expect("no worker panics while leaving results"),
        );
        results
            .into_iter()
            .flat_map(|(_, outcomes)| outcomes)
            .collect()
    }
}

/// Builds the dataflow on a worker. The probe passes an epoch when all its outcomes are left.
pub fn build(
    worker: &mut Worker,
    plan: &Plan,
    mut feed: impl Feed,
    results: &Results,
) -> ProbeHandle<u64> {
    let peers = worker.peers();
    let index = worker.index();
    let probe = ProbeHandle::new();
    let empties = Empties::default();
    // Between its steps a worker answers for its books.
    let subjects = subjects::Subjects::new(plan, index, peers, empties.clone());
    let subjects = Rc::new(RefCell::new(subjects));
    let seat = plan.desk.as_ref().and_then(|desk| desk.seat(index, peers));
    let (asked_of, passed) = (Rc::clone(&subjects), probe.clone());
    worker.dataflow::<u64, _, _>(|scope| {
        let filled_again = empties;
        let parcels = source::<_, CapacityContainerBuilder<Vec<Parcel>>, _, _>(
            scope,
            "feed",
            |capability, info| {
                let mut capability = Some(capability);
                let mut outlet = Outlet::new(peers, filled_again);
                let activator = scope.activator_for(info.address);
                move |output| {
                    if let Some(seat) = &seat {
                        seat.answer(
                            |first| !passed.less_than(&first),
                            |shelf, key| asked_of.borrow().facts_of(shelf, key),
                        );
                    }
                    let Some(open) = &mut capability else { return };
                    let advance = feed.advance(&mut outlet);
                    if matches!(advance, Advance::Epoch(_) | Advance::Finished) {
                        outlet.ship_all();
                    }
                    if !outlet.parcels.is_empty() {
                        let mut session = output.session(open);
                        session.give_iterator(outlet.parcels.drain(..));
                    }
                    match advance {
                        Advance::More => activator.activate(),
                        Advance::Idle(pause) => activator.activate_after(pause),
                        Advance::Epoch(next) => {
                            assert!(outlet.epoch < next, "epochs ascend");
                            outlet.epoch = next;
                            open.downgrade(&outlet.epoch);
                            activator.activate();
                        }
                        Advance::Finished => capability = None,
                    }
                }
            },
        );

        let by_target = Exchange::new(|parcel: &Parcel| u64::from(parcel.target));
        let left = results.clone();
        let deltas = parcels
            .unary_frontier::<CapacityContainerBuilder<Vec<totals::Delta>>, _, _, _>(
                by_target,
                "subjects",
                |initial, _info| {
                    let mut epochs = Epochs::new(initial);
                    move |(input, frontier), output| {
                        let mut subjects = subjects.borrow_mut();
                        input.for_each_stamp(|capability, loads| {
                            if let Some(capability) = capability.retain_least(output.output_index())
                            {
                                epochs.stash(capability, loads.flat_map(std::mem::take));
                            }
                        });
                        while let Some((capability, rest)) =
                            epochs.pop_complete(|time| !frontier.less_equal(time))
                        {
                            for parcel in rest {
                                subjects.take(parcel);
                            }
                            let mut outcomes = Vec::new();
                            let mut session = output.session(&capability);
                            subjects.judge(&mut outcomes, &mut |delta| session.give(delta));
                            left.leave(*capability.time(), outcomes);
                            drop(session);
                        }
                        // What belongs to the first open epoch need not wait for its end.
                        epochs.drain(frontier.frontier().first(), |parcel| subjects.take(parcel));
                    }
                },
            );

        let by_key = Exchange::new(|delta: &totals::Delta| u64::from(delta.target));
        let mut totals = totals::Totals::new(plan);
        let left = results.clone();
        deltas
            .unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                by_key,
                "totals",
                |initial, _info| {
                    let mut epochs = Epochs::new(initial);
                    move |(input, frontier), output| {
                        input.for_each_stamp(|capability, deltas| {
                            if let Some(capability) = capability.retain_least(output.output_index())
                            {
                                epochs.stash(capability, deltas.flat_map(std::mem::take));
                            }
                        });
                        while let Some((capability, deltas)) =
                            epochs.pop_complete(|time| !frontier.less_equal(time))
                        {
                            for delta in deltas {
                                totals.take(delta);
                            }
                            let mut outcomes = Vec::new();
                            totals.judge(&mut outcomes);
                            left.leave(*capability.time(), outcomes);
                        }
                    }
                },
            )
            .probe_with(&probe);
    });
    probe
}

type Capability = timely::dataflow::operators::Capability<u64>;

/// What came for epochs that are not complete.
struct Epochs<D> {
    stashed: std::collections::BTreeMap<u64, (Capability, Vec<D>)>,
}

impl<D> Epochs<D> {
    fn new(initial: Capability) -> Epochs<D> {
        drop(initial);
        Epochs {
            stashed: std::collections::BTreeMap::new(),
        }
    }

    fn stash(&mut self, capability: Capability, items: impl Iterator<Item = D>) {
        let time = *capability.time();
        self.stashed
            .entry(time)
            .or_insert_with(|| (capability, Vec::new()))
            .1
            .extend(items);
    }

    /// Hands out what came for the epoch `first`, the first that is not complete; it stays open.
    fn drain(&mut self, first: Option<&u64>, take: impl FnMut(D)) {
        if let Some((_, items)) = first.and_then(|first| self.stashed.get_mut(first)) {
            items.drain(..).for_each(take);
        }
    }

    fn pop_complete(&mut self, is_complete: impl Fn(&u64) -> bool) -> Option<(Capability, Vec<D>)> {
        let first = self.stashed.first_entry()?;
        is_complete(first.key()).then(|| first.remove())
    }
}
