//! The books of enterprises and persons, and each transfer by itself: settled and judged when an
//! epoch is complete.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::{
    AlertKey, BusinessDate, EvidenceId, Finding, Money, Period, RegionCode, RegionId, Topic,
    TransferKind,
};
use rules::{Policy, PolicyText};

use super::posting::Poster;
use super::times::{Close, Closing, Times};
use super::totals::{Delta, DeltaBody, ItemKey, ItemPart};
use super::{Empties, Load, Outcome, Parcel, Plan, Received, owner};
use crate::book::{EnterpriseBook, PersonBook};
use crate::store::gather::{
    empty_enterprise_book, empty_person_book, fill_enterprise, fill_person, recycled_enterprise,
    recycled_person,
};
use crate::store::packed::{Envelopes, Kind, Packed, Shelf, fingerprint};
use crate::store::{Books, Newcomer};
use crate::verdict::Verdict;
use crate::{registry, unauthorised_item};

/// The feeds whose completeness an enterprise's detectors of absence wait for.
const ENTERPRISE_FEEDS: [Topic; 1] = [Topic::TaxCollection];
/// The feeds whose completeness a person's detectors of absence wait for.
const PERSON_FEEDS: [Topic; 3] = [Topic::AgencyPayout, Topic::AgencyRoster, Topic::CivilDeath];

/// One worker's books.
pub(super) struct Subjects {
    policy: Arc<Policy>,
    times: Times,
    books: Books,
    empties: Empties,
    closes: Vec<Close>,
    clock: Option<BusinessDate>,
    /// Came in this epoch.
    new_policy: Option<Box<PolicyText>>,
    /// The policy is another than in the epoch before: every book is due.
    is_policy_new: bool,
    peers: usize,
    /// One worker tells what all of them know.
    is_speaker: bool,
    /// `None` in a replay, where each finding is told once.
    live: Option<Live>,
    /// Whether the ledger is told.
    posts: bool,
    /// What postings were made by: what was posted is taken back as it was posted.
    posting_policy: Arc<Policy>,
}

/// What a replay does not need: what was said before, and whom to wake when.
#[derive(Default)]
struct Live {
    /// What was last said of a book.
    said: HashMap<(Shelf, u32), Vec<Finding>>,
    /// The items that a person last had a part in.
    parts: HashMap<u32, Vec<ItemKey>>,
    /// Books to judge again, by what their day is compared with, and day.
    wakes: BTreeMap<Alarm, BTreeMap<BusinessDate, BTreeSet<u32>>>,
    /// Positions of the accepted closes, by topic, region and partition, ascending.
    closed_at: HashMap<(Topic, RegionId, u16), Vec<u64>>,
}

/// Which as-of must reach a day before the books of a shelf are woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// The present.
    Present(Shelf),
    /// The closes, in the region, of the feeds that the shelf's detectors of absence wait for.
    Closed(Shelf, RegionId),
}

impl Alarm {
    const fn shelf(self) -> Shelf {
        match self {
            Alarm::Present(shelf) | Alarm::Closed(shelf, _) => shelf,
        }
    }

    fn as_of(self, times: &Times) -> Option<BusinessDate> {
        match self {
            Alarm::Present(_) => times.present(),
            Alarm::Closed(Shelf::Enterprise, region) => times.closed(&ENTERPRISE_FEEDS, region),
            Alarm::Closed(Shelf::Person | Shelf::Transfer, region) => {
                times.closed(&PERSON_FEEDS, region)
            }
        }
    }
}

/// A part of what was received: feed, region, partition, how many closes came before, and date.
type Part = (Topic, RegionId, u16, u32, BusinessDate);

/// What an epoch's settling brings, summed up.
#[derive(Default)]
struct Settling {
    redelivered: BTreeMap<(Topic, u16), i64>,
    receipts: HashMap<(RegionId, BusinessDate), (i64, Money, i64, Money)>,
    received: BTreeMap<Part, (i64, Money)>,
    cause: Option<(u64, EvidenceId)>,
    /// `None` if the ledger is not told.
    poster: Option<Poster>,
}

impl Subjects {
    pub(super) fn new(plan: &Plan, index: usize, peers: usize, empties: Empties) -> Subjects {
        Subjects {
            policy: Arc::clone(&plan.policy),
            times: plan.times(),
            books: Books::default(),
            empties,
            closes: Vec::new(),
            clock: None,
            new_policy: None,
            is_policy_new: false,
            peers,
            is_speaker: index == 0,
            live: plan.is_live().then(Live::default),
            posts: plan.posts,
            posting_policy: Arc::clone(&plan.policy),
        }
    }

    /// Takes what was sent to this worker.
    pub(super) fn take(&mut self, parcel: Parcel) {
        match parcel.load {
            Load::Facts(bytes) => {
                self.books.put_all(Envelopes::new(&bytes));
                self.empties.put_back(bytes);
            }
            Load::Close(close) => self.closes.push(close),
            Load::Policy(policy) => self.new_policy = Some(policy),
            Load::Present(days) => self.clock = self.clock.max(Some(BusinessDate::from_days(days))),
        }
    }

    /// The facts of a subject so far, packed.
    pub(super) fn facts_of(&self, shelf: Shelf, key: u128) -> Vec<u8> {
        self.books.copy(shelf, key)
    }

    /// Ends an epoch: settles and judges every book that has new facts or whose day has come.
    pub(super) fn judge(&mut self, outcomes: &mut Vec<Outcome>, send: &mut dyn FnMut(Delta)) {
        let mut settling = Settling {
            poster: self.posts.then(|| Poster::new(&self.posting_policy)),
            ..Settling::default()
        };
        self.move_times(&mut settling, outcomes, send);
        self.take_policy(send);
        if self.is_policy_new {
            self.post_anew(&mut settling);
        }
        self.settle_transfers(&mut settling, outcomes, send);
        self.judge_enterprises(&mut settling, outcomes);
        self.judge_persons(&mut settling, outcomes, send);
        self.tell(settling, outcomes, send);
    }

    fn move_times(
        &mut self,
        settling: &mut Settling,
        outcomes: &mut Vec<Outcome>,
        send: &mut dyn FnMut(Delta),
    ) {
        let before = self.times.present();
        let mut closes = std::mem::take(&mut self.closes);
        closes.sort_by_key(|close| (close.topic, close.position));
        for close in closes {
            let closing = self.times.close(&close);
            if closing == Closing::Accepted
                && self.is_speaker
                && let Some(poster) = &mut settling.poster
            {
                poster.post_close(&close);
            }
            if closing == Closing::Accepted
                && let Some(live) = &mut self.live
            {
                live.closed_at
                    .entry((close.topic(), close.region(), lane(close.position)))
                    .or_default()
                    .push(close.position);
                if self.is_speaker {
                    for target in 0..self.peers {
                        send(Delta {
                            target: target as u32,
                            body: DeltaBody::Close(close.clone()),
                        });
                    }
                }
            }
            if self.is_speaker {
                let (topic, position) = (close.topic(), close.position);
                match closing {
                    Closing::Accepted if self.live.is_some() => {
                        outcomes.push(Outcome::Closed(close))
                    }
                    Closing::Accepted => {}
                    Closing::Redelivered => {
                        outcomes.push(Outcome::Redelivered {
                            topic,
                            lane: lane(position),
                            count: 1,
                        });
                    }
                    Closing::Conflicting => outcomes.push(Outcome::Conflicting { topic, position }),
                }
            }
        }
        if let Some(date) = self.clock.take() {
            self.times.clock(date);
        }
        let present = self.times.present();
        if self.live.is_some()
            && self.is_speaker
            && present != before
            && let Some(date) = present
        {
            outcomes.push(Outcome::Present(date));
            for target in 0..self.peers {
                send(Delta {
                    target: target as u32,
                    body: DeltaBody::Present(date.days()),
                });
            }
        }
    }

    fn take_policy(&mut self, send: &mut dyn FnMut(Delta)) {
        let policy = self.new_policy.take();
        self.is_policy_new = policy.is_some();
        let Some(text) = policy else { return };
        let policy = text.policy();
        let codes = |policy: &Policy| -> Vec<RegionCode> {
            policy
                .pool
                .regions
                .iter()
                .map(|region| region.code)
                .collect()
        };
        assert_eq!(
            codes(&self.policy),
            codes(&policy),
            "facts name regions by their place in the policy"
        );
        self.policy = Arc::new(policy);
        if self.is_speaker {
            for target in 0..self.peers {
                send(Delta {
                    target: target as u32,
                    body: DeltaBody::Policy(text.clone()),
                });
            }
        }
    }

    /// The ledger follows the policy: what was posted by the one before is taken back, and posted by the new one.
    fn post_anew(&mut self, settling: &mut Settling) {
        self.posting_policy = Arc::clone(&self.policy);
        let Some(mut before) = settling.poster.take() else {
            return;
        };
        let mut after = Poster::new(&self.posting_policy);
        for shelf in [Shelf::Transfer, Shelf::Enterprise, Shelf::Person] {
            let count =
                u32::try_from(self.books.count(shelf)).expect("books are numbered in 32 bits");
            for number in 0..count {
                let book = self.books.counted(shelf, number);
                for fact in book.facts() {
                    before.post(fact, book.item_if_any(fact), -1);
                    after.post(fact, book.item_if_any(fact), 1);
                }
                match shelf {
                    Shelf::Enterprise => {
                        let mut filled = empty_enterprise_book();
                        fill_enterprise(&book, &mut filled);
                        before.post_enterprise(&filled, -1);
                        after.post_enterprise(&filled, 1);
                    }
                    Shelf::Person => {
                        let mut filled = empty_person_book();
                        fill_person(&book, &mut filled);
                        before.post_person(&filled, -1);
                        after.post_person(&filled, 1);
                    }
                    Shelf::Transfer => {}
                }
            }
        }
        after.absorb(before);
        settling.poster = Some(after);
    }

    /// A transfer is passed on to the region or subsidy that it counts for as soon as it is settled.
    fn settle_transfers(
        &mut self,
        settling: &mut Settling,
        outcomes: &mut Vec<Outcome>,
        send: &mut dyn FnMut(Delta),
    ) {
        let Subjects {
            books, live, peers, ..
        } = self;
        for number in books.take_dirty(Shelf::Transfer) {
            books.settle(Shelf::Transfer, number, |newcomer, item| {
                match newcomer {
                    Newcomer::Accepted(fact) => pass_on(fact, true, *peers, send),
                    Newcomer::Retracted(fact) => pass_on(fact, false, *peers, send),
                    Newcomer::Redelivered(_)
                    | Newcomer::Conflicting(_)
                    | Newcomer::NoRedelivery(_)
                    | Newcomer::NoConflict(_) => {}
                }
                settling.take(newcomer, item, live.as_ref(), outcomes);
            });
        }
    }

    fn judge_enterprises(&mut self, settling: &mut Settling, outcomes: &mut Vec<Outcome>) {
        let mut book = empty_enterprise_book();
        let mut verdict;
        for number in self.due(Shelf::Enterprise) {
            let Subjects {
                books,
                live,
                policy,
                times,
                ..
            } = self;
            settling.cause = None;
            let mut has_news = false;
            if let Some(poster) = &mut settling.poster
                && let Some(before) = books.before_news(Shelf::Enterprise, number)
            {
                has_news = true;
                let mut filled = recycled_enterprise(book);
                fill_enterprise(&before, &mut filled);
                poster.post_enterprise(&filled, -1);
                book = recycled_enterprise(filled);
            }
            let settled = books.settle(Shelf::Enterprise, number, |newcomer, item| {
                settling.take(newcomer, item, live.as_ref(), outcomes);
            });
            let mut filled = recycled_enterprise(book);
            fill_enterprise(&settled, &mut filled);
            if has_news && let Some(poster) = &mut settling.poster {
                poster.post_enterprise(&filled, 1);
            }
            verdict = Verdict::default();
            let region = region_of_enterprise(&filled, times.present());
            if let (Some(present), Some(region)) = (times.present(), region) {
                let absence = times
                    .closed(&ENTERPRISE_FEEDS, region)
                    .unwrap_or(BusinessDate::FIRST);
                registry::judge_enterprise(&filled, policy, absence, present, &mut verdict);
            }
            book = recycled_enterprise(filled);
            say(
                live,
                (Shelf::Enterprise, number),
                region,
                &mut verdict,
                settling,
                outcomes,
            );
        }
    }

    fn judge_persons(
        &mut self,
        settling: &mut Settling,
        outcomes: &mut Vec<Outcome>,
        send: &mut dyn FnMut(Delta),
    ) {
        let mut book = empty_person_book();
        let mut verdict;
        for number in self.due(Shelf::Person) {
            let Subjects {
                books,
                live,
                policy,
                times,
                peers,
                ..
            } = self;
            settling.cause = None;
            let mut has_news = false;
            if let Some(poster) = &mut settling.poster
                && let Some(before) = books.before_news(Shelf::Person, number)
            {
                has_news = true;
                let mut filled = recycled_person(book);
                fill_person(&before, &mut filled);
                poster.post_person(&filled, -1);
                book = recycled_person(filled);
            }
            let settled = books.settle(Shelf::Person, number, |newcomer, item| {
                settling.take(newcomer, item, live.as_ref(), outcomes);
            });
            let mut filled = recycled_person(book);
            fill_person(&settled, &mut filled);
            if has_news && let Some(poster) = &mut settling.poster {
                poster.post_person(&filled, 1);
            }
            verdict = Verdict::default();
            let region = region_of_person(&filled, times.present());
            if let (Some(present), Some(region)) = (times.present(), region) {
                let absence = times
                    .closed(&PERSON_FEEDS, region)
                    .unwrap_or(BusinessDate::FIRST);
                registry::judge_person(&filled, policy, absence, present, &mut verdict);
            }
            let parts = parts_of(&filled, policy);
            let keys: Vec<ItemKey> = parts.keys().cloned().collect();
            for (key, part) in parts {
                let target = key.owner(*peers);
                send(Delta {
                    target,
                    body: DeltaBody::Item(key, filled.person.number(), Some(part)),
                });
            }
            if let Some(live) = live {
                let gone = live.parts.remove(&number).unwrap_or_default();
                for gone in gone.into_iter().filter(|key| !keys.contains(key)) {
                    let target = gone.owner(*peers);
                    send(Delta {
                        target,
                        body: DeltaBody::Item(gone, filled.person.number(), None),
                    });
                }
                if !keys.is_empty() {
                    live.parts.insert(number, keys);
                }
            }
            book = recycled_person(filled);
            say(
                live,
                (Shelf::Person, number),
                region,
                &mut verdict,
                settling,
                outcomes,
            );
        }
    }

    /// Books with new facts, then those whose day has come.
    fn due(&mut self, shelf: Shelf) -> Vec<u32> {
        let mut due = self.books.take_dirty(shelf);
        let Some(live) = &mut self.live else {
            return due;
        };
        let mut woken = BTreeSet::new();
        if self.is_policy_new {
            let count =
                u32::try_from(self.books.count(shelf)).expect("books are numbered in 32 bits");
            woken.extend(0..count);
        }
        for (alarm, days) in live
            .wakes
            .iter_mut()
            .filter(|(alarm, _)| alarm.shelf() == shelf)
        {
            let Some(as_of) = alarm.as_of(&self.times) else {
                continue;
            };
            let later = days.split_off(&as_of.next());
            woken.extend(std::mem::replace(days, later).into_values().flatten());
        }
        let fresh: BTreeSet<u32> = due.iter().copied().collect();
        due.extend(woken.difference(&fresh));
        due
    }

    fn tell(&self, settling: Settling, outcomes: &mut Vec<Outcome>, send: &mut dyn FnMut(Delta)) {
        for ((topic, lane), count) in settling.redelivered {
            outcomes.push(Outcome::Redelivered { topic, lane, count });
        }
        for ((topic, region, lane, interval, date), (records, amount)) in settling.received {
            outcomes.push(Outcome::Received(Received {
                topic,
                region,
                lane,
                interval,
                date,
                records,
                amount,
            }));
        }
        let posted = settling.poster.map(Poster::into_list).unwrap_or_default();
        if !posted.is_empty() {
            outcomes.push(Outcome::Posted(posted));
        }
        for ((region, date), (payments, paid, reversals, reversed)) in settling.receipts {
            let target = remittance_owner(region, date.period(), self.peers);
            let body = DeltaBody::Receipts {
                region: region.0,
                day: date.days(),
                payments,
                paid: paid.fen(),
                reversals,
                reversed: reversed.fen(),
            };
            send(Delta { target, body });
        }
    }
}

impl Settling {
    /// Notes what became of a record.
    #[inline]
    fn take(
        &mut self,
        newcomer: Newcomer<'_>,
        item: &str,
        live: Option<&Live>,
        outcomes: &mut Vec<Outcome>,
    ) {
        match newcomer {
            Newcomer::Accepted(fact) => self.accept(fact, item, 1, live),
            Newcomer::Retracted(fact) => self.accept(fact, item, -1, live),
            Newcomer::Redelivered(fact) => *self.redelivered_of(fact) += 1,
            Newcomer::NoRedelivery(fact) => *self.redelivered_of(fact) -= 1,
            Newcomer::NoConflict(fact) => {
                outcomes.push(Outcome::NoConflict {
                    topic: fact.kind().topic(),
                    position: fact.position(),
                });
            }
            Newcomer::Conflicting(fact) => {
                outcomes.push(Outcome::Conflicting {
                    topic: fact.kind().topic(),
                    position: fact.position(),
                });
            }
        }
    }

    fn redelivered_of(&mut self, fact: Packed<'_>) -> &mut i64 {
        let key = (fact.kind().topic(), lane(fact.position()));
        self.redelivered.entry(key).or_default()
    }

    #[inline]
    fn accept(&mut self, fact: Packed<'_>, item: &str, sign: i64, live: Option<&Live>) {
        if let Some(poster) = &mut self.poster {
            poster.post(fact, item, sign);
        }
        let amount = |money: Money| if sign < 0 { -money } else { money };
        match fact.kind() {
            Kind::Payment => {
                let receipts = self
                    .receipts
                    .entry((fact.region(), fact.date()))
                    .or_default();
                receipts.0 += sign;
                receipts.1 += amount(fact.amount());
            }
            Kind::PaymentReversal => {
                let receipts = self
                    .receipts
                    .entry((fact.region(), fact.date()))
                    .or_default();
                receipts.2 += sign;
                receipts.3 += amount(fact.amount());
            }
            _ => {}
        }
        if let Some(live) = live {
            let (topic, lane) = (fact.kind().topic(), lane(fact.position()));
            let interval = live
                .closed_at
                .get(&(topic, fact.region(), lane))
                .map_or(0, |closes| {
                    u32::try_from(closes.partition_point(|close| *close < fact.position()))
                        .expect("fewer than 2^32 closes")
                });
            let received = self
                .received
                .entry((topic, fact.region(), lane, interval, fact.date()))
                .or_default();
            received.0 += sign;
            received.1 += amount(fact.amount_field().unwrap_or_default());
            if self
                .cause
                .as_ref()
                .is_none_or(|(position, _)| *position < fact.position())
            {
                self.cause = Some((
                    fact.position(),
                    EvidenceId {
                        topic,
                        id: fact.id().to_owned(),
                    },
                ));
            }
        }
    }
}

/// A person's parts in the payouts of unlisted items.
fn parts_of(book: &PersonBook<'_>, policy: &Policy) -> BTreeMap<ItemKey, ItemPart> {
    let mut parts: BTreeMap<ItemKey, ItemPart> = BTreeMap::new();
    for contribution in unauthorised_item::contributions(book, policy) {
        let key = ItemKey {
            region: contribution.region.0,
            period: contribution.period.months(),
            item: contribution.item.to_owned(),
        };
        parts.entry(key).or_default().add(&contribution);
    }
    parts
}

/// On Kafka the partition.
fn lane(position: u64) -> u16 {
    (position >> 48) as u16
}

/// Tells what of a book is to be said anew, and sets its alarm clock.
fn say(
    live: &mut Option<Live>,
    book: (Shelf, u32),
    region: Option<RegionId>,
    verdict: &mut Verdict,
    settling: &mut Settling,
    outcomes: &mut Vec<Outcome>,
) {
    let cause = settling.cause.take().map(|(_, cause)| cause);
    let Some(live) = live else {
        outcomes.extend(verdict.findings.drain(..).map(|finding| Outcome::Update {
            key: finding.key.clone(),
            finding: Some(finding),
            cause: cause.clone(),
        }));
        return;
    };
    let closed = region.map(|region| Alarm::Closed(book.0, region));
    for (alarm, day) in [
        (closed, verdict.wake_absence),
        (Some(Alarm::Present(book.0)), verdict.wake_present),
    ] {
        if let (Some(alarm), Some(day)) = (alarm, day) {
            live.wakes
                .entry(alarm)
                .or_default()
                .entry(day)
                .or_default()
                .insert(book.1);
        }
    }
    let before = match (verdict.findings.is_empty(), live.said.contains_key(&book)) {
        (true, false) => return,
        (true, true) => live.said.remove(&book),
        (false, _) => live.said.insert(book, verdict.findings.clone()),
    };
    differences(
        before.unwrap_or_default(),
        std::mem::take(&mut verdict.findings),
        cause.as_ref(),
        outcomes,
    );
}

/// What has to be said to those who know `before`.
pub fn differences(
    before: Vec<Finding>,
    now: Vec<Finding>,
    cause: Option<&EvidenceId>,
    outcomes: &mut Vec<Outcome>,
) {
    let mut before: BTreeMap<AlertKey, Finding> = before
        .into_iter()
        .map(|finding| (finding.key.clone(), finding))
        .collect();
    for finding in now {
        if before.remove(&finding.key).as_ref() != Some(&finding) {
            outcomes.push(Outcome::Update {
                key: finding.key.clone(),
                finding: Some(finding),
                cause: cause.cloned(),
            });
        }
    }
    for key in before.into_keys() {
        outcomes.push(Outcome::Update {
            key,
            finding: None,
            cause: cause.cloned(),
        });
    }
}

/// Of an enterprise, the region of its latest fact.
fn region_of_enterprise(
    book: &EnterpriseBook<'_>,
    present: Option<BusinessDate>,
) -> Option<RegionId> {
    let facts = book
        .statuses
        .iter()
        .map(|fact| (fact.date, fact.id, fact.region))
        .chain(
            book.declarations
                .iter()
                .map(|fact| (fact.date, fact.id, fact.region)),
        )
        .chain(
            book.payrolls
                .iter()
                .map(|fact| (fact.date, fact.id, fact.region)),
        )
        .chain(
            book.payments
                .iter()
                .map(|fact| (fact.date, fact.id, fact.region)),
        )
        .chain(
            book.payment_reversals
                .iter()
                .map(|fact| (fact.date, fact.id, fact.region)),
        );
    latest_region(facts, present)
}

/// Of a person, the region of the latest roster record; without one, of the latest fact, by which
/// nothing of absence is judged.
fn region_of_person(book: &PersonBook<'_>, present: Option<BusinessDate>) -> Option<RegionId> {
    let roster = book
        .beneficiaries
        .iter()
        .map(|fact| (fact.date, fact.id, fact.region));
    latest_region(roster, present).or_else(|| {
        let facts = book
            .payouts
            .iter()
            .map(|fact| (fact.date, fact.id, fact.region))
            .chain(
                book.payout_reversals
                    .iter()
                    .map(|fact| (fact.date, fact.id, fact.region)),
            )
            .chain(
                book.deaths
                    .iter()
                    .map(|fact| (fact.date, fact.id, fact.region)),
            )
            .chain(
                book.cancellations
                    .iter()
                    .map(|fact| (fact.date, fact.id, fact.region)),
            );
        latest_region(facts, present)
    })
}

/// The region of the latest fact dated up to the present, or of the latest at all.
fn latest_region<'a>(
    facts: impl Iterator<Item = (BusinessDate, &'a str, RegionId)> + Clone,
    present: Option<BusinessDate>,
) -> Option<RegionId> {
    let known = facts
        .clone()
        .filter(|(date, ..)| Some(*date) <= present)
        .max();
    known.or_else(|| facts.max()).map(|(.., region)| region)
}

/// The worker that owns a region's month.
pub(super) fn remittance_owner(region: RegionId, month: Period, peers: usize) -> u32 {
    owner(
        u128::from(region.0) << 16 | u128::from(month.months()),
        peers,
    ) as u32
}

/// The worker that owns a subsidy.
fn subsidy_owner(id: &str, peers: usize) -> u32 {
    owner(u128::from(fingerprint(id)), peers) as u32
}

/// Passes a transfer on to the region's month or the subsidy that it counts for.
fn pass_on(fact: Packed<'_>, add: bool, peers: usize, send: &mut dyn FnMut(Delta)) {
    let (id, region, day, fen) = (
        fact.id().to_owned(),
        fact.region(),
        fact.date().days(),
        fact.amount().fen(),
    );
    match (
        fact.transfer_kind(),
        fact.transfer_period(),
        fact.transfer_source(),
    ) {
        (TransferKind::RemitUp, Some(period), _) => send(Delta {
            target: remittance_owner(region, period, peers),
            body: DeltaBody::Remitted {
                region: region.0,
                period: period.months(),
                id,
                day,
                fen,
                add,
            },
        }),
        (TransferKind::CentralSubsidy | TransferKind::ProvincialSubsidy, ..) => send(Delta {
            target: subsidy_owner(&id, peers),
            body: DeltaBody::Subsidy {
                region: region.0,
                id,
                day,
                fen,
                add,
            },
        }),
        (TransferKind::TreasuryRelease, _, Some(source)) => send(Delta {
            target: subsidy_owner(source, peers),
            body: DeltaBody::Released {
                source: source.to_owned(),
                id,
                day,
                fen,
                add,
            },
        }),
        _ => {}
    }
}
