//! The books of one worker: which facts belong to which subject, each accepted fact once.
//!
//! Facts are appended as they come ([`Books::put`]); redeliveries and conflicts are found when a
//! book is settled ([`Books::settle`]), which is before it is judged and at the latest when its
//! epoch ends. Of records with one kind and id the one with the least position is the first.

use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::log::{Address, FactLog};
use super::packed::{Envelope, ItemId, Kind, Packed, Shelf};

/// The books of all shelves.
#[derive(Debug, Default)]
pub struct Books {
    log: FactLog,
    items: Items,
    enterprises: Index<u128>,
    persons: Index<u64>,
    transfers: Index<u64>,
    bench: Bench,
}

/// Numbers for the names of items, in the order in which they came.
#[derive(Debug, Default)]
struct Items {
    numbers: HashMap<Box<str>, u32, FixedState>,
    names: Vec<Box<str>>,
    /// Most payouts are of the item that the last one was.
    last: u32,
}

impl Items {
    #[inline]
    fn number(&mut self, name: &str) -> ItemId {
        if let Some(last) = self.names.get(self.last as usize)
            && **last == *name
        {
            return ItemId(self.last);
        }
        self.last = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.names.len()).expect("fewer than 2^32 items");
                self.names.push(name.into());
                self.numbers.insert(name.into(), number);
                number
            }
        };
        ItemId(self.last)
    }
}

/// The books of one shelf by key. A book's number is its place in order of arrival.
#[derive(Debug)]
struct Index<K> {
    numbers: HashMap<K, u32, FixedState>,
    keys: Vec<K>,
    heads: Vec<Head>,
    /// Books with facts that are not settled.
    dirty: Vec<u32>,
    /// Of the books that have some: the last of the facts that were taken out, each with the address of the one before.
    dropped: HashMap<u32, Address, FixedState>,
}

/// Where a book begins: side by side, for both are touched by each fact.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// The fact that came last.
    last: Address,
    is_dirty: bool,
}

impl<K> Default for Index<K> {
    fn default() -> Index<K> {
        Index {
            numbers: HashMap::default(),
            keys: Vec::new(),
            heads: Vec::new(),
            dirty: Vec::new(),
            dropped: HashMap::default(),
        }
    }
}

impl<K: Copy + Eq + Hash> Index<K> {
    #[inline]
    fn number(&mut self, key: K) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            let number = u32::try_from(self.keys.len()).expect("fewer than 2^32 books");
            self.keys.push(key);
            self.heads.push(Head::default());
            number
        })
    }
}

/// A fact that was accepted, or is no longer: told once each.
#[derive(Clone, Copy, Debug)]
pub enum Newcomer<'a> {
    /// The first record of its id.
    Accepted(Packed<'a>),
    /// It had been accepted, and an earlier record of the same id says something else.
    Retracted(Packed<'a>),
    /// An id that was accepted with the same content.
    Redelivered(Packed<'a>),
    /// An id that was accepted with another content.
    Conflicting(Packed<'a>),
    /// It had been a redelivery, and an earlier record of the same id says something else: it conflicts from now on.
    NoRedelivery(Packed<'a>),
    /// It had been a conflict, and an earlier record of the same id says the same: it is a redelivery from now on.
    NoConflict(Packed<'a>),
}

/// What settling needs, kept so that it is not allocated for each book.
#[derive(Debug, Default)]
struct Bench {
    chain: Vec<Address>,
    seen: Vec<u64>,
    order: Vec<u32>,
}

/// The facts of a settled book, oldest arrival first.
#[derive(Debug)]
pub struct Settled<'a> {
    /// The key of the book.
    pub key: u128,
    chain: &'a [Address],
    log: &'a FactLog,
    items: &'a Items,
}

impl<'a> Settled<'a> {
    /// The facts.
    pub fn facts(
        &self,
    ) -> impl DoubleEndedIterator<Item = Packed<'a>> + ExactSizeIterator + use<'a> {
        let log = self.log;
        self.chain.iter().map(move |address| log.get(*address))
    }

    /// The name of a fact's item; nothing if it is of none.
    pub fn item_if_any(&self, fact: Packed<'a>) -> &'a str {
        match fact.kind() {
            Kind::Payout | Kind::PayoutReversal => self.item(fact),
            _ => "",
        }
    }

    /// The name of a fact's item.
    #[inline]
    pub fn item(&self, fact: Packed<'a>) -> &'a str {
        &self.items.names[fact.item().0 as usize]
    }
}

impl Books {
    /// Puts facts into their books.
    pub fn put_all<'a>(&mut self, envelopes: impl Iterator<Item = Envelope<'a>>) {
        // The books of several facts are looked up before the first is put: the look-ups do not
        // depend on each other, so that the processor waits for memory once and not for each.
        let mut lot: [Option<(Envelope<'a>, Shelf, u32)>; LOT] = [None; LOT];
        let mut filled = 0;
        for envelope in envelopes {
            let shelf = envelope.packed.kind().shelf();
            let number = match shelf {
                Shelf::Person => self.persons.number(envelope.key as u64),
                Shelf::Enterprise => self.enterprises.number(envelope.key),
                Shelf::Transfer => self.transfers.number(envelope.key as u64),
            };
            lot[filled] = Some((envelope, shelf, number));
            filled += 1;
            if filled == LOT {
                self.put_lot(&lot);
                filled = 0;
            }
        }
        self.put_lot(&lot[..filled]);
    }

    fn put_lot(&mut self, lot: &[Option<(Envelope<'_>, Shelf, u32)>]) {
        for (envelope, shelf, number) in lot.iter().flatten() {
            let item = match envelope.packed.kind() {
                Kind::Payout | Kind::PayoutReversal => self.items.number(envelope.item),
                _ => ItemId(0),
            };
            let (log, packed) = (&mut self.log, envelope.packed);
            match shelf {
                Shelf::Person => put(log, &mut self.persons, *number, packed, item),
                Shelf::Enterprise => put(log, &mut self.enterprises, *number, packed, item),
                Shelf::Transfer => put(log, &mut self.transfers, *number, packed, item),
            }
        }
    }

    /// Takes the numbers of the books of a shelf that have new facts, in the order in which they
    /// first got one.
    pub fn take_dirty(&mut self, shelf: Shelf) -> Vec<u32> {
        fn take<K>(index: &mut Index<K>) -> Vec<u32> {
            let dirty = std::mem::take(&mut index.dirty);
            for number in &dirty {
                index.heads[*number as usize].is_dirty = false;
            }
            dirty
        }
        match shelf {
            Shelf::Person => take(&mut self.persons),
            Shelf::Enterprise => take(&mut self.enterprises),
            Shelf::Transfer => take(&mut self.transfers),
        }
    }

    /// How many books a shelf has; they are numbered from 0.
    pub fn count(&self, shelf: Shelf) -> usize {
        match shelf {
            Shelf::Person => self.persons.heads.len(),
            Shelf::Enterprise => self.enterprises.heads.len(),
            Shelf::Transfer => self.transfers.heads.len(),
        }
    }

    /// The number of a book; `None` if there is no fact of its subject.
    pub fn number(&self, shelf: Shelf, key: u128) -> Option<u32> {
        let narrow = || u64::try_from(key).ok();
        match shelf {
            Shelf::Person => self.persons.numbers.get(&narrow()?).copied(),
            Shelf::Enterprise => self.enterprises.numbers.get(&key).copied(),
            Shelf::Transfer => self.transfers.numbers.get(&narrow()?).copied(),
        }
    }

    /// The facts of a book as [`super::pack`] wrote them, settled or not, oldest arrival first: for books elsewhere.
    pub fn copy(&self, shelf: Shelf, key: u128) -> Vec<u8> {
        let mut copy = Vec::new();
        let Some(number) = self.number(shelf, key) else {
            return copy;
        };
        let head = match shelf {
            Shelf::Person => self.persons.heads[number as usize],
            Shelf::Enterprise => self.enterprises.heads[number as usize],
            Shelf::Transfer => self.transfers.heads[number as usize],
        };
        let mut chain = Vec::new();
        let mut address = head.last;
        while !address.is_none() {
            chain.push(address);
            address = self.log.before(address);
        }
        for address in chain.into_iter().rev() {
            let fact = self.log.get(address);
            fact.seal_again(key, item_name(&self.items, fact), &mut copy);
        }
        copy
    }

    /// The facts that a book had when it was last settled; `None` if nothing came since then.
    pub fn before_news(&mut self, shelf: Shelf, number: u32) -> Option<Settled<'_>> {
        let (_, head) = self.head(shelf, number);
        // What is new is at the end of the chain.
        if head.is_none() || self.log.get(head).is_counted() {
            return None;
        }
        Some(self.counted(shelf, number))
    }

    /// The facts that count of a book that is settled, or was before news came.
    pub fn counted(&mut self, shelf: Shelf, number: u32) -> Settled<'_> {
        let (key, head) = self.head(shelf, number);
        let chain = &mut self.bench.chain;
        chain.clear();
        let mut address = head;
        while !address.is_none() {
            if self.log.get(address).is_counted() {
                chain.push(address);
            }
            address = self.log.before(address);
        }
        chain.reverse();
        Settled {
            key,
            chain,
            log: &self.log,
            items: &self.items,
        }
    }

    /// The key of a book, and the fact that came last.
    fn head(&self, shelf: Shelf, number: u32) -> (u128, Address) {
        let at = number as usize;
        match shelf {
            Shelf::Person => (
                u128::from(self.persons.keys[at]),
                self.persons.heads[at].last,
            ),
            Shelf::Enterprise => (self.enterprises.keys[at], self.enterprises.heads[at].last),
            Shelf::Transfer => (
                u128::from(self.transfers.keys[at]),
                self.transfers.heads[at].last,
            ),
        }
    }

    /// Settles a book: tells `newcomer` what became of each fact that was put since the last time,
    /// takes redeliveries and conflicts out of the book, and returns what is left.
    pub fn settle(
        &mut self,
        shelf: Shelf,
        number: u32,
        mut newcomer: impl FnMut(Newcomer<'_>, &str),
    ) -> Settled<'_> {
        let at = number as usize;
        let (key, head, dropped) = match shelf {
            Shelf::Person => (
                u128::from(self.persons.keys[at]),
                &mut self.persons.heads[at].last,
                &mut self.persons.dropped,
            ),
            Shelf::Enterprise => (
                self.enterprises.keys[at],
                &mut self.enterprises.heads[at].last,
                &mut self.enterprises.dropped,
            ),
            Shelf::Transfer => (
                u128::from(self.transfers.keys[at]),
                &mut self.transfers.heads[at].last,
                &mut self.transfers.dropped,
            ),
        };
        let bench = &mut self.bench;
        bench.chain.clear();
        let mut address = *head;
        while !address.is_none() {
            bench.chain.push(address);
            address = self.log.before(address);
        }
        bench.chain.reverse();
        if may_repeat(&self.log, &bench.chain, &mut bench.seen) {
            let mut last = dropped.get(&number).copied().unwrap_or_default();
            drop_repeated(
                &mut self.log,
                &self.items,
                bench,
                head,
                &mut last,
                &mut newcomer,
            );
            if !last.is_none() {
                dropped.insert(number, last);
            }
        }
        // What is not counted came since the last time; accepted facts are told oldest first.
        for at in 0..bench.chain.len() {
            let address = bench.chain[at];
            let fact = self.log.get(address);
            if !fact.is_counted() {
                newcomer(Newcomer::Accepted(fact), item_name(&self.items, fact));
                self.log.set_counted(address);
            }
        }
        Settled {
            key,
            chain: &bench.chain,
            log: &self.log,
            items: &self.items,
        }
    }
}

#[inline]
fn put<K: Copy + Eq + Hash>(
    log: &mut FactLog,
    index: &mut Index<K>,
    number: u32,
    packed: Packed<'_>,
    item: ItemId,
) {
    let head = &mut index.heads[number as usize];
    head.last = log.append(head.last, packed, item);
    if !head.is_dirty {
        head.is_dirty = true;
        index.dirty.push(number);
    }
}

fn item_name<'a>(items: &'a Items, fact: Packed<'_>) -> &'a str {
    match fact.kind() {
        Kind::Payout | Kind::PayoutReversal => &items.names[fact.item().0 as usize],
        _ => "",
    }
}

/// Facts whose books are looked up together.
const LOT: usize = 16;

/// Bits of the filter: small books leave most of them clear, so that hardly one is sorted in vain.
const FILTER_BITS: u64 = 8192;

/// Whether two facts may be of one kind and id. `false` is certain.
fn may_repeat(log: &FactLog, chain: &[Address], seen: &mut Vec<u64>) -> bool {
    if chain.len() < 2 {
        return false;
    }
    if chain.len() > 256 {
        return true;
    }
    seen.clear();
    seen.resize((FILTER_BITS / 64) as usize, 0);
    chain.iter().any(|address| {
        let fact = log.get(*address);
        let bit = id_hash(fact) % FILTER_BITS;
        let word = &mut seen[(bit / 64) as usize];
        let repeated = *word >> (bit % 64) & 1 == 1;
        *word |= 1 << (bit % 64);
        repeated
    })
}

/// Mixes kind and id, eight bytes at a time.
#[inline]
fn id_hash(fact: Packed<'_>) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = (fact.kind() as u64 + 1).wrapping_mul(K);
    let mut chunks = fact.id_bytes().chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        hash = (hash ^ word).wrapping_mul(K).rotate_left(29);
    }
    for b in chunks.remainder() {
        hash = (hash ^ u64::from(*b)).wrapping_mul(K).rotate_left(29);
    }
    hash ^ hash >> 32
}

/// Leaves of each kind and id the record with the least position, and tells of the others. Those are remembered: what
/// they are follows from the first, and a record of another partition may come to be that later.
#[cold]
fn drop_repeated(
    log: &mut FactLog,
    items: &Items,
    bench: &mut Bench,
    head: &mut Address,
    dropped: &mut Address,
    newcomer: &mut impl FnMut(Newcomer<'_>, &str),
) {
    let chain = &mut bench.chain;
    bench.order.clear();
    bench
        .order
        .extend(0..u32::try_from(chain.len()).expect("fewer than 2^32 facts"));
    bench.order.sort_unstable_by_key(|at| {
        let fact = log.get(chain[*at as usize]);
        (fact.kind(), fact.id_bytes(), fact.position())
    });
    let same = |log: &FactLog, a: u32, b: u32| {
        let (a, b) = (log.get(chain[a as usize]), log.get(chain[b as usize]));
        a.kind() == b.kind() && a.id_bytes() == b.id_bytes()
    };
    let mut groups: Vec<&[u32]> = bench.order.chunk_by(|a, b| same(log, *a, *b)).collect();
    groups.retain(|group| group.len() > 1);
    let mut gone = vec![false; chain.len()];
    let mut counted = Vec::new();
    for group in groups {
        let first = log.get(chain[group[0] as usize]);
        let later = group[1..].iter().map(|at| log.get(chain[*at as usize]));
        // The first until now; what it says decided about those that came after it.
        if let Some(before) = later.into_iter().find(|fact| fact.is_counted())
            && !before.says_the_same(first)
        {
            let mut address = *dropped;
            while !address.is_none() {
                let fact = log.get(address);
                address = log.before(address);
                if (fact.kind(), fact.id_bytes()) != (first.kind(), first.id_bytes()) {
                    continue;
                }
                let item = item_name(items, fact);
                if fact.says_the_same(before) {
                    newcomer(Newcomer::NoRedelivery(fact), item);
                    newcomer(Newcomer::Conflicting(fact), item);
                } else if fact.says_the_same(first) {
                    newcomer(Newcomer::NoConflict(fact), item);
                    newcomer(Newcomer::Redelivered(fact), item);
                }
            }
        }
        for at in &group[1..] {
            let fact = log.get(chain[*at as usize]);
            let item = item_name(items, fact);
            let same = fact.says_the_same(first);
            // A counted fact that loses to an uncounted one: its acceptance passes on to the earlier
            // record, so that what is counted where does not depend on which of them came first.
            match (fact.is_counted(), same) {
                (false, true) => newcomer(Newcomer::Redelivered(fact), item),
                (false, false) => newcomer(Newcomer::Conflicting(fact), item),
                (true, true) => {
                    newcomer(Newcomer::Retracted(fact), item);
                    newcomer(Newcomer::Redelivered(fact), item);
                    newcomer(Newcomer::Accepted(first), item);
                    counted.push(chain[group[0] as usize]);
                }
                (true, false) => {
                    newcomer(Newcomer::Retracted(fact), item);
                    newcomer(Newcomer::Conflicting(fact), item);
                }
            }
            gone[*at as usize] = true;
        }
    }
    for address in counted {
        log.set_counted(address);
    }
    if gone.contains(&true) {
        let mut at = 0;
        chain.retain(|address| {
            at += 1;
            if gone[at - 1] {
                log.relink(*address, *dropped);
                *dropped = *address;
            }
            !gone[at - 1]
        });
        let mut before = Address::NONE;
        for address in chain.iter() {
            log.relink(*address, before);
            before = *address;
        }
        *head = before;
    }
}
