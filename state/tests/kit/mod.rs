//! Feeds that are a function of partition and offset, so that whatever is loaded can be told to be
//! right or wrong: some records are rejected, some offsets have none, some are day closes.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use detectors::dataflow::times::Close;
use detectors::store::packed::{Envelopes, key, pack};
use domain::{Body, BusinessDate, CreditCode, Fact, Money, Period, RegionCode, RegionId, Topic};
use ingest::{Reason, Tally};
use state::{Expected, Frame, Key, Log, Range, Witness};

pub const STORE: &str = "00112233445566778899aabbccddeeff";

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Fact,
    Close,
    Rejected,
    /// The mark of a transaction.
    Nothing,
}

pub fn at((topic, partition): Key, offset: i64) -> At {
    let n = offset * 7 + i64::from(partition) * 3 + topic.index() as i64;
    match (n % 11, n % 7) {
        (0, _) => At::Nothing,
        (1, _) => At::Rejected,
        (_, 0) => At::Close,
        _ => At::Fact,
    }
}

pub fn position((_, partition): Key, offset: i64) -> u64 {
    u64::try_from(partition).unwrap() << 48 | u64::try_from(offset).unwrap()
}

pub fn regions() -> Vec<RegionCode> {
    [&b"341000"[..], b"341002", b"341021"]
        .map(|code| RegionCode::parse(code).unwrap())
        .to_vec()
}

pub fn expected(committed: &BTreeMap<Key, i64>) -> Expected {
    Expected {
        elsewhere: BTreeSet::new(),
        store: STORE.to_owned(),
        regions: regions(),
        committed: committed.clone(),
    }
}

/// The frame of what stands between the offsets.
pub fn frame(ranges: &[(Key, i64, i64)]) -> Frame {
    let mut frame = Frame::default();
    for &(key, from, to) in ranges {
        let mut tally = Tally::default();
        let mut witness = None;
        for offset in from..to {
            let what = at(key, offset);
            if what == At::Nothing {
                continue;
            }
            tally.read += 1;
            witness = witness.or(Some(Witness::of(offset, &offset.to_le_bytes())));
            match what {
                At::Fact => {
                    tally.accepted += 1;
                    put(key, offset, &mut frame.facts);
                }
                At::Close => {
                    tally.accepted += 1;
                    frame.closes.push(close(key, offset));
                }
                At::Rejected => tally.rejected[Reason::BadAmount.index()] += 1,
                At::Nothing => {}
            }
        }
        frame.ranges.push(Range {
            topic: key.0,
            partition: key.1,
            from,
            to,
            tally,
            witness,
        });
    }
    frame
}

fn put(of: Key, offset: i64, out: &mut Vec<u8>) {
    let id = format!("{}-{}-{offset}", of.0.index(), of.1);
    let fact = Fact {
        id: &id,
        region: RegionId(u16::try_from(offset % 3).unwrap()),
        date: BusinessDate::FIRST,
        body: Body::Payment {
            enterprise: CreditCode::parse(b"91341002MA2TEXT08E").unwrap(),
            period: Period::FIRST,
            amount: Money::from_fen(i128::from(offset)),
        },
    };
    pack(key(&fact).unwrap(), &fact, position(of, offset), out);
}

fn close(of: Key, offset: i64) -> Close {
    Close {
        topic: of.0.index() as u8,
        region: 1,
        position: position(of, offset),
        id: format!("C{offset}"),
        date: 3,
        records: u32::try_from(offset).unwrap(),
        fen: 12_345_678_901_234_567_890,
    }
}

/// What a log hands out: of each partition the offsets of facts and closes.
pub fn load(log: &Log) -> BTreeMap<Key, BTreeSet<i64>> {
    let mut loaded: BTreeMap<Key, BTreeSet<i64>> = BTreeMap::new();
    let mut take = |key: Key, position: u64, what: At| {
        let offset = i64::try_from(position & ((1 << 48) - 1)).unwrap();
        assert_eq!(at(key, offset), what, "{key:?} {offset}");
        assert!(
            loaded.entry(key).or_default().insert(offset),
            "{key:?} {offset} twice"
        );
    };
    let loader = log.loader();
    while loader
        .load(|loaded| {
            for envelope in Envelopes::new(loaded.facts) {
                // A payment could be of one topic only: the id says which one it stands for.
                let id = envelope.packed.id();
                let topic = Topic::ALL[id[..1].parse::<usize>().unwrap()];
                let position = envelope.packed.position();
                let partition = i32::try_from(position >> 48).unwrap();
                take((topic, partition), position, At::Fact);
            }
            for close in loaded.closes {
                let partition = i32::try_from(close.position >> 48).unwrap();
                take((close.topic(), partition), close.position, At::Close);
            }
        })
        .unwrap()
    {}
    loaded
}

/// What a log says and hands out is exactly the beginning of each partition, and none of it uncommitted.
pub fn assert_is_a_beginning(log: &Log, committed: &BTreeMap<Key, i64>) {
    let mut loaded = load(log);
    for (key, position) in log.positions() {
        let limit = committed.get(key).copied().unwrap_or(0);
        assert!(position.next <= limit, "{key:?}: {position:?} of {limit}");
        let accepted: BTreeSet<i64> = (0..position.next)
            .filter(|offset| matches!(at(*key, *offset), At::Fact | At::Close))
            .collect();
        assert_eq!(loaded.remove(key).unwrap_or_default(), accepted, "{key:?}");
        let whole = &frame(&[(*key, 0, position.next)]).ranges[0];
        assert_eq!(position.tally, whole.tally, "{key:?}");
    }
    assert!(loaded.is_empty(), "{loaded:?}");
    assert_eq!(log.damage().is_none(), log.unread().is_empty());
}

/// The log's files, by name.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_str().unwrap().ends_with(".log"))
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}
