//! The format on disk: a file that a program of format 1 wrote stays readable, and is what is written
//! today, byte for byte. If this fails, the format needs a new number; the old file stays here and must
//! be read, or refused by its number, ever after.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot write its files has failed"
)]

mod kit;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use detectors::dataflow::times::Close;
use detectors::store::packed::{Envelopes, Kind, key, pack};
use domain::{
    Body, BusinessDate, CreditCode, EnterpriseStatus, Fact, Money, Nature, Period, PersonId,
    RegionId, RosterStatus, Topic, TransferKind,
};
use ingest::{Reason, Tally};
use kit::expected;
use state::{Frame, Key, Lock, Log, Range, Witness, Writer};
use tempfile::TempDir;

const NAME: &str = "facts-00000001.log";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/format-1")
        .join(NAME)
}

/// A record of each type, with and without what is optional.
fn facts() -> Vec<Fact<'static>> {
    let enterprise = CreditCode::parse(b"91341002MA2TEXT08E").expect("a code");
    let person = PersonId::parse(b"341002195203100007").expect("a number");
    let (period, amount) = (
        Period::parse(b"2024-02").expect("a month"),
        Money::from_fen(123_456_789),
    );
    let bodies = vec![
        Body::Enterprise {
            enterprise,
            name: "黄山一厂",
            status: EnterpriseStatus::Suspended,
        },
        Body::Declaration {
            enterprise,
            period,
            headcount: 12,
            base: amount,
        },
        Body::Payroll {
            enterprise,
            period,
            headcount: 999_999_999,
            wages: amount,
        },
        Body::Payment {
            enterprise,
            period,
            amount,
        },
        Body::PaymentReversal {
            enterprise,
            period,
            reverses: "T4",
            amount,
        },
        Body::Payout {
            person,
            period,
            item: "basic_pension",
            nature: Nature::BackPay,
            amount,
            account: Some("6217000000000000000"),
        },
        Body::Payout {
            person,
            period,
            item: "x",
            nature: Nature::Regular,
            amount,
            account: None,
        },
        Body::PayoutReversal {
            person,
            period,
            item: "x",
            reverses: "P6",
            amount,
        },
        Body::Beneficiary {
            person,
            status: RosterStatus::Receiving,
            amount: Some(amount),
            name: Some("程建国"),
        },
        Body::Beneficiary {
            person,
            status: RosterStatus::Ended,
            amount: None,
            name: None,
        },
        Body::Death {
            person,
            died_on: BusinessDate::parse(b"2024-02-29").expect("a date"),
            source: "crematorium",
            name: Some("程建国"),
        },
        Body::Death {
            person,
            died_on: BusinessDate::LAST,
            source: "",
            name: None,
        },
        Body::DeathCancelled {
            person,
            reverses: "D10",
        },
        Body::Transfer {
            kind: TransferKind::TreasuryRelease,
            amount,
            period: None,
            source: Some("S1"),
        },
        Body::Transfer {
            kind: TransferKind::RemitUp,
            amount,
            period: Some(period),
            source: None,
        },
    ];
    const IDS: [&str; 15] = [
        "E0", "T1", "T2", "T3", "T4", "P5", "P6", "P7", "B8", "B9", "D10", "D11", "D12", "S13",
        "S14",
    ];
    bodies
        .into_iter()
        .zip(IDS)
        .map(|(body, id)| Fact {
            id,
            region: RegionId(2),
            date: BusinessDate::parse(b"2024-03-15").expect("a date"),
            body,
        })
        .collect()
}

fn close() -> Close {
    Close {
        topic: Topic::TreasuryTransfer.index() as u8,
        region: 1,
        position: 9,
        id: "C1".to_owned(),
        date: 45_000,
        records: 7,
        fen: 98_765_432_109_876_543_210,
    }
}

fn frame() -> Frame {
    let mut frame = Frame {
        closes: vec![close()],
        ..Frame::default()
    };
    let mut ranges: BTreeMap<Topic, Range> = BTreeMap::new();
    let range = |topic| Range {
        topic,
        partition: 3,
        from: 0,
        to: 300,
        tally: Tally::default(),
        witness: Some(Witness::of(5, b"{}")),
    };
    for (position, fact) in (0..).zip(facts()) {
        let topic = fact.body.topic();
        let tally = &mut ranges.entry(topic).or_insert_with(|| range(topic)).tally;
        (tally.read, tally.accepted) = (tally.read + 1, tally.accepted + 1);
        pack(
            key(&fact).expect("it has a book"),
            &fact,
            3 << 48 | position,
            &mut frame.facts,
        );
    }
    let transfers = ranges
        .get_mut(&Topic::TreasuryTransfer)
        .expect("there are some");
    (transfers.tally.read, transfers.tally.accepted) = (3, 3);
    let taxes = ranges
        .get_mut(&Topic::TaxCollection)
        .expect("there are some");
    for (count, reason) in (1..).zip(Reason::ALL) {
        taxes.tally.rejected[reason.index()] = count;
        taxes.tally.read += count;
    }
    frame.ranges = ranges.into_values().collect();
    frame
}

fn committed() -> BTreeMap<Key, i64> {
    Topic::ALL.map(|topic| ((topic, 3), 300)).into()
}

#[test]
fn today_is_written_what_was_written_then() {
    let folder = TempDir::new().expect("a folder");
    let log = Log::read(folder.path(), expected(&BTreeMap::new())).expect("it can be read");
    let lock = Lock::of(folder.path()).expect("nobody has it");
    let mut writer = Writer::open(&log, lock).expect("it can be written");
    writer.append(&frame()).expect("it can be written");
    writer.sync().expect("it can be written");
    let now = fs::read(folder.path().join(NAME)).expect("it is there");
    if fs::read(golden()).ok().as_ref() != Some(&now) {
        let kept = folder.keep();
        panic!(
            "{} is another than `{NAME}` in {}",
            golden().display(),
            kept.display()
        );
    }
}

#[test]
fn what_was_written_then_is_read_today() {
    let folder = TempDir::new().expect("a folder");
    fs::copy(golden(), folder.path().join(NAME)).expect("it can be copied");
    let log = Log::read(folder.path(), expected(&committed())).expect("it can be read");
    assert_eq!(log.damage(), None);
    assert_eq!(log.facts(), 16);
    let taxes = log.positions()[&(Topic::TaxCollection, 3)];
    assert_eq!(taxes.next, 300);
    assert_eq!(taxes.witness, Some(Witness::of(5, b"{}")));
    assert_eq!(
        taxes.tally.rejected,
        std::array::from_fn(|at| at as u64 + 1)
    );
    let loader = log.loader();
    let mut kinds = Vec::new();
    let mut closes = Vec::new();
    while loader
        .load(|loaded| {
            for (position, envelope) in (0..).zip(Envelopes::new(loaded.facts)) {
                let mut again = Vec::new();
                let fact = &facts()[position];
                pack(envelope.key, fact, 3 << 48 | position as u64, &mut again);
                let again = Envelopes::new(&again).next().expect("one was packed");
                assert_eq!(
                    envelope.key,
                    key(fact).expect("it has a book"),
                    "{}",
                    fact.id
                );
                assert_eq!(envelope.packed.bytes(), again.packed.bytes(), "{}", fact.id);
                assert_eq!(envelope.item, again.item);
                kinds.push(envelope.packed.kind());
            }
            closes.extend(loaded.closes);
        })
        .expect("it can be read")
    {}
    kinds.dedup();
    let of_all = [
        Kind::Enterprise,
        Kind::Declaration,
        Kind::Payroll,
        Kind::Payment,
        Kind::PaymentReversal,
        Kind::Payout,
        Kind::PayoutReversal,
        Kind::Beneficiary,
        Kind::Death,
        Kind::DeathCancelled,
        Kind::Transfer,
    ];
    assert_eq!(kinds, of_all);
    assert_eq!(closes, [close()]);
}
