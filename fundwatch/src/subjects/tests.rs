//! Each source finds the same facts of a subject, and nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use casework::{FactSource, Place, Unanswered};
use detectors::dataflow::Desk;
use detectors::dataflow::desk::NoAnswer;
use detectors::store::packed::{key, pack};
use domain::{
    Body, BusinessDate, CreditCode, EvidenceId, Fact, Money, Period, PersonId, RegionId,
    RosterStatus, Subject, Topic,
};
use ingest::Tally;
use ingest::kafka::Connection;
use rules::Policy;
use state::{Expected, Frame, Lock, Log, Range, Writer};

use super::{InFiles, OnDisk, Running, UntilClosed};

fn code() -> CreditCode {
    CreditCode::parse(b"91341002MA2TEXT08E").unwrap()
}

fn other() -> PersonId {
    PersonId::parse(b"341002195203100007").unwrap()
}

fn declared(id: &'static str, yuan: i64) -> Fact<'static> {
    Fact {
        id,
        region: RegionId(1),
        date: BusinessDate::parse(b"2024-03-05").unwrap(),
        body: Body::Declaration {
            enterprise: code(),
            period: Period::from_ym(2024, 2).unwrap(),
            headcount: 10,
            base: Money::from_yuan(yuan),
        },
    }
}

fn of_roster() -> Fact<'static> {
    Fact {
        id: "D1",
        region: RegionId(1),
        date: BusinessDate::parse(b"2024-03-05").unwrap(),
        body: Body::Beneficiary {
            person: other(),
            status: RosterStatus::Receiving,
            amount: None,
            name: None,
        },
    }
}

fn named(topic: Topic, id: &str) -> EvidenceId {
    EvidenceId {
        topic,
        id: id.to_owned(),
    }
}

/// Appends a frame of facts of a topic's partition, from an offset on.
fn append(writer: &mut Writer, topic: Topic, from: i64, facts: &[Fact<'_>]) {
    let mut frame = Frame::default();
    let mut offset = from;
    for fact in facts {
        let position = u64::try_from(offset).unwrap();
        pack(key(fact).unwrap(), fact, position, &mut frame.facts);
        offset += 1;
    }
    let count = u64::try_from(facts.len()).unwrap();
    frame.ranges.push(Range {
        topic,
        partition: 0,
        from,
        to: offset,
        tally: Tally {
            read: count,
            accepted: count,
            ..Tally::default()
        },
        witness: None,
    });
    writer.append(&frame).unwrap();
}

#[test]
fn on_disk_is_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let regions: Vec<_> = Policy::huangshan()
        .pool
        .regions
        .iter()
        .map(|region| region.code)
        .collect();
    let (tax, roster) = ((Topic::TaxCollection, 0), (Topic::AgencyRoster, 0));
    let expected = |committed: &[((Topic, i32), i64)]| Expected {
        store: "00112233445566778899aabbccddeeff".to_owned(),
        regions: regions.clone(),
        committed: committed.iter().copied().collect::<BTreeMap<_, _>>(),
        elsewhere: BTreeSet::new(),
    };
    let empty = Log::read(folder.path(), expected(&[])).unwrap();
    let mut writer = Writer::open(&empty, Lock::of(folder.path()).unwrap()).unwrap();
    append(
        &mut writer,
        tax.0,
        0,
        &[declared("D1", 100), declared("D1", 100)],
    );
    append(&mut writer, roster.0, 0, &[of_roster()]);
    append(&mut writer, tax.0, 2, &[declared("D2", 200)]);
    writer.sync().unwrap();

    let log = Log::read(folder.path(), expected(&[(tax, 2), (roster, 1)])).unwrap();
    let connection = Connection {
        bootstrap: "localhost:1".to_owned(),
        options: Vec::new(),
        prefix: String::new(),
    };
    let disk = OnDisk::of(log, connection);
    assert_eq!(disk.damage(), None);
    // The second record of D1 is a redelivery, D2 was not committed.
    let records = disk.facts(&Subject::Enterprise(code())).unwrap().records();
    let found: Vec<_> = records
        .iter()
        .map(|record| (record.id.as_str(), record.place.to_string()))
        .collect();
    assert_eq!(found, [("D1", "tax.collection:0:0".to_owned())]);
    // One id on two topics is two records.
    let both = [
        named(tax.0, "D1"),
        named(roster.0, "D1"),
        named(tax.0, "D2"),
    ];
    let records = disk.records(&both).unwrap();
    let found: Vec<_> = records.iter().map(casework::Record::evidence_id).collect();
    assert_eq!(found, ["tax.collection/D1", "agency.roster/D1"]);
    let nobody = Subject::Transfer("T1".to_owned());
    assert!(disk.facts(&nobody).unwrap().records().is_empty());
}

fn write_feeds(folder: &Path) {
    let declaration = |id: &str, base: &str| {
        format!(
            r#"{{"id":"{id}","type":"declaration","region":"341002","date":"2024-03-05","enterprise":"91341002MA2TEXT08E","period":"2024-02","headcount":10,"base":"{base}"}}"#
        )
    };
    let lines = [
        declaration("D1", "100"),
        String::new(),
        "rubbish".to_owned(),
        declaration("D1", "300"),
        declaration("D2", "200"),
    ];
    std::fs::write(folder.join("tax.collection.jsonl"), lines.join("\n")).unwrap();
    let roster = r#"{"id":"D1","type":"beneficiary","region":"341002","date":"2024-03-05","person":"341002195203100007","status":"receiving"}"#;
    std::fs::write(folder.join("agency.roster.jsonl"), roster).unwrap();
}

#[test]
fn in_files_each_record_is_at_its_line() {
    let folder = tempfile::tempdir().unwrap();
    write_feeds(folder.path());
    let files = InFiles::new(folder.path().to_owned(), Arc::new(Policy::huangshan()));
    let records = files.facts(&Subject::Enterprise(code())).unwrap().records();
    let found: Vec<_> = records
        .iter()
        .map(|record| (record.id.as_str(), record.amount, record.place.to_string()))
        .collect();
    // The second D1 says something else than the first: it does not count.
    let yuan = |yuan| Some(Money::from_yuan(yuan));
    assert_eq!(
        found,
        [
            ("D1", yuan(100), "tax.collection.jsonl:1".to_owned()),
            ("D2", yuan(200), "tax.collection.jsonl:5".to_owned()),
        ]
    );
    let raw = files.raw(&records[1].place).unwrap().unwrap();
    assert!(String::from_utf8(raw).unwrap().contains(r#""id":"D2""#));
    let records = files.records(&[named(Topic::AgencyRoster, "D1")]).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].place.to_string(), "agency.roster.jsonl:1");
    let gone = InFiles::new(folder.path().join("nowhere"), Arc::new(Policy::huangshan()));
    assert!(matches!(
        gone.facts(&Subject::Enterprise(code())),
        Err(Unanswered::Unreadable(_))
    ));
}

#[test]
fn closed_books_leave_the_files() {
    let folder = tempfile::tempdir().unwrap();
    write_feeds(folder.path());
    let desk = Desk::new(1, 0);
    let byte = |topic, byte| Place::Byte {
        topic,
        file: format!("{topic}.jsonl"),
        byte: i64::try_from(byte).unwrap(),
    };
    let source = UntilClosed {
        books: Running::new(
            desk.clone(),
            byte,
            Box::new(|_, _, offset| Ok(Some(offset.to_string().into_bytes()))),
        ),
        files: InFiles::new(folder.path().to_owned(), Arc::new(Policy::huangshan())),
    };
    let subject = Subject::Enterprise(code());
    // No worker has come yet.
    assert_eq!(
        source.facts(&subject).map(|_| ()),
        Err(Unanswered::Books(NoAnswer::Loading))
    );
    close(&desk);
    let records = source.facts(&subject).unwrap().records();
    assert_eq!(records[1].place.to_string(), "tax.collection.jsonl:5");
    assert!(source.raw(&records[1].place).unwrap().is_some());
    assert_eq!(
        source.raw(&byte(Topic::TaxCollection, 7)).unwrap(),
        Some(b"7".to_vec())
    );
}

/// Lets a worker come and go.
fn close(desk: &Desk) {
    use detectors::dataflow::{self, Advance, Clockwork, Feed, Outlet, Plan, Results};
    struct Nothing;
    impl Feed for Nothing {
        fn advance(&mut self, _outlet: &mut Outlet) -> Advance {
            Advance::Finished
        }
    }
    let plan = Plan {
        policy: Arc::new(Policy::huangshan()),
        clockwork: Clockwork::Fixed(BusinessDate::LAST),
        posts: false,
        desk: Some(desk.clone()),
    };
    let guards = timely::execute(timely::Config::process(1), move |worker| {
        dataflow::build(worker, &plan, Nothing, &Results::default());
        while worker.step() {}
    });
    for done in guards.unwrap().join() {
        done.unwrap();
    }
}
