//! What the fuzz targets do with bytes that anyone may send: none of them may stop the program, hang it, or mean one
//! thing to the program and another to the reference.
//!
//! `cargo xtask fuzz` runs the targets. The inputs in `corpus/` go through them with every `cargo test`, too: a fault
//! that was found is kept there, under a name that says what it is. A further target is a function here, a file in
//! `fuzz_targets/`, a `[[bin]]` in the manifest and a folder in `corpus/`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use acceptance::reference;
use acceptance::reference::facts as expected;
use domain::{BusinessDate, CreditCode, Detector, Fact, Money, PersonId, RegionId};
use fundwatch::config::Config;
use ingest::{Decoder, Regions};
use rules::Policy;
use state::{Expected, Lock, Log, Writer};
use tempfile::TempDir;

const POLICY: &str = include_str!("../../tests/cases/01-under-declared/policy.toml");

/// The pool that records are of, as the program and as the reference know it.
static POOL: LazyLock<(Policy, reference::policy::Policy)> = LazyLock::new(|| {
    let ours = Policy::parse("policy.toml", POLICY).expect("the policy of a case is good");
    let theirs = reference::policy::Policy::parse(POLICY).expect("the policy of a case is good");
    (ours, theirs)
});

thread_local! {
    /// Reused from record to record, as the program does.
    static DECODER: RefCell<Decoder> =
        RefCell::new(Decoder::new(Regions::new(POOL.0.pool.regions.iter().map(|region| region.code))));
}

/// A record: its first byte says on which topic it came. The program and the reference accept the same, as the same,
/// and reject the rest for the same reason and field.
///
/// # Panics
/// If they differ.
pub fn decode(bytes: &[u8]) {
    let Some((topic, record)) = bytes.split_first() else {
        return;
    };
    let at = usize::from(*topic) % domain::Topic::ALL.len();
    let (topic, topic_of_reference) = (domain::Topic::ALL[at], expected::Topic::ALL[at]);
    assert_eq!(topic.as_str(), topic_of_reference.name());
    let theirs = reference::decode::decode(topic_of_reference, record, &POOL.1);
    DECODER.with_borrow_mut(|decoder| {
        let ours = decoder.decode(topic, record);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(said(ours), said_to_reference(theirs)),
            (Err(ours), Err(theirs)) => {
                assert_eq!(
                    (ours.reason.as_str(), ours.field),
                    (theirs.reason, theirs.field)
                );
            }
            (ours, theirs) => panic!("accepted by one alone: {} {}", ours.is_ok(), theirs.is_ok()),
        }
    });
}

/// A policy file: it is refused with the places of its faults, or answers for every day of the calendar.
///
/// # Panics
/// If it does neither.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let policy = match Policy::parse("policy.toml", text) {
        Ok(policy) => policy,
        Err(faults) => {
            let faults = faults.to_string();
            assert!(
                faults.lines().all(|fault| fault.starts_with("policy.toml")),
                "{faults}"
            );
            return;
        }
    };
    let days = [
        "1900-01-01",
        "1999-12-31",
        "2019-05-15",
        "2024-02-29",
        "2199-12-31",
    ];
    for day in days.map(|day| BusinessDate::parse(day.as_bytes()).expect("a date")) {
        let period = day.period();
        let _ = (
            policy.contribution_due(period),
            policy.payout_due(period),
            policy.remittance_due(period),
        );
        let _ = (
            policy.release_deadline(day),
            policy.surcharge_units(BusinessDate::FIRST, day),
        );
        let _ = policy
            .contribution(period)
            .map(rules::Contribution::both_rates);
    }
    for detector in Detector::ALL {
        for fen in [0, 1, 99_999_999_999_999] {
            let _ = policy.severity(detector, Money::from_fen(fen));
        }
    }
    for (at, region) in (0..).zip(&policy.pool.regions) {
        assert_eq!(
            policy.region_id(region.code.as_str().as_bytes()),
            Some(RegionId(at))
        );
    }
}

/// A configuration file: it is read, or refused with the places of its faults.
///
/// # Panics
/// If a fault has no words.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(faults) = Config::parse("fundwatch.toml", text) {
        let faults = faults.to_string();
        assert!(
            faults
                .lines()
                .all(|fault| fault.starts_with("fundwatch.toml")),
            "{faults}"
        );
    }
}

/// The state on disk: whatever its segments are, it is read as far as it is whole, loaded, and continued; and what was
/// continued from one segment is as far as what was read.
///
/// The first byte says how many segments there are, whether checksums are made right, so that not only they are tried,
/// and whether it ends with loading: to continue takes the kernel many times as long. Then come the lengths of all
/// segments but the last, in two bytes each, and the segments.
///
/// # Panics
/// If it is not.
pub fn snapshot(bytes: &[u8]) {
    let Some((flags, mut rest)) = bytes.split_first() else {
        return;
    };
    let count = usize::from(flags & 3) + 1;
    let mut lengths = Vec::new();
    for _ in 1..count {
        let Some((length, after)) = rest.split_first_chunk() else {
            return;
        };
        lengths.push(usize::from(u16::from_le_bytes(*length)));
        rest = after;
    }
    STATE.with_borrow(|folder| {
        let folder = folder.path();
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            fs::remove_file(path).expect("its files are ours");
        }
        for number in 1..=count {
            let length = lengths
                .get(number - 1)
                .map_or(rest.len(), |length| rest.len().min(*length));
            let (segment, after) = rest.split_at(length);
            rest = after;
            let mut segment = segment.to_vec();
            if flags & 4 != 0 {
                set_checksums(&mut segment);
            }
            let path = folder.join(format!("facts-{number:08}.log"));
            fs::write(path, segment).expect("the folder can be written");
        }
        let log = read(folder);
        let loaded = load(&log);
        if flags & 8 == 0 {
            continued(folder, log, loaded);
        }
    });
}

thread_local! {
    /// In memory where there is such a place: an input is not to take long because a disk does.
    static STATE: RefCell<TempDir> = RefCell::new(
        tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a folder can be made"),
    );
}

/// A store and pool as the segments of the corpus have them.
static EXPECTED: LazyLock<Expected> = LazyLock::new(|| Expected {
    store: "00112233445566778899aabbccddeeff".to_owned(),
    regions: ["341000", "341002", "341021"]
        .iter()
        .filter_map(|code| domain::RegionCode::parse(code.as_bytes()))
        .collect(),
    // More than there can be: everything that is there may count.
    committed: domain::Topic::ALL
        .iter()
        .flat_map(|topic| (0..4).map(move |partition| ((*topic, partition), 1 << 47)))
        .collect::<BTreeMap<_, _>>(),
    elsewhere: BTreeSet::new(),
});

fn read(folder: &Path) -> Log {
    Log::read(folder, EXPECTED.clone()).expect("the folder can be read")
}

/// How many bytes and closes it hands out.
fn load(log: &Log) -> usize {
    let loader = log.loader();
    let mut loaded = 0;
    while loader
        .load(|part| loaded += part.facts.len() + part.closes.len())
        .expect("what was looked through can be loaded")
    {}
    loaded
}

fn continued(folder: &Path, log: Log, loaded: usize) {
    let is_one_whole = log.segments().len() == 1;
    let lock = Lock::of(folder).expect("nobody else is there");
    let writer = Writer::open(&log, lock).expect("the folder can be written");
    let (positions, facts) = (log.positions().clone(), log.facts());
    drop((writer, log));
    let log = read(folder);
    let again = load(&log);
    // Several segments with right checksums may contradict each other as no program writes them.
    if is_one_whole {
        assert_eq!((log.positions(), log.facts()), (&positions, facts));
        assert_eq!(again, loaded);
    }
}

/// Makes the checksums right of whatever has the form of a head or a frame.
fn set_checksums(segment: &mut [u8]) {
    let word = |bytes: &[u8], at: usize| -> Option<usize> {
        let word = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(word)).ok()
    };
    let Some(mut at) = word(segment, 12).and_then(|length| length.checked_add(20)) else {
        return;
    };
    let Some(head) = segment.get(20..at) else {
        return;
    };
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&segment[8..16]);
    checksum.update(head);
    let checksum = checksum.finalize().to_le_bytes();
    segment[16..20].copy_from_slice(&checksum);
    while let (Some(meta), Some(facts)) = (word(segment, at + 4), word(segment, at + 8)) {
        let Some(frame) = segment.get(at + 4..at.saturating_add(12 + meta).saturating_add(facts))
        else {
            return;
        };
        let length = frame.len();
        let checksum = crc32fast::hash(frame).to_le_bytes();
        segment[at..at + 4].copy_from_slice(&checksum);
        at += 4 + length;
    }
}

/// A resident ID number: the program and the reference know the same ones, and the masked form hides it.
///
/// # Panics
/// If they differ, or it does not.
pub fn person(bytes: &[u8]) {
    let theirs = std::str::from_utf8(bytes)
        .ok()
        .and_then(reference::identifiers::person);
    let ours = PersonId::parse(bytes);
    assert_eq!(ours.map(PersonId::reveal), theirs);
    if let Some(person) = ours {
        let whole = person.reveal();
        assert_eq!(
            PersonId::parse(whole.as_bytes()),
            Some(person),
            "canonical is canonical"
        );
        for shown in [person.masked(), format!("{person:?}")] {
            assert!(!shown.contains(&whole[6..17]), "{shown} shows it");
        }
    }
}

/// A unified social credit code: the program and the reference know the same ones, and it is packed without loss.
///
/// # Panics
/// If they differ, or something is lost.
pub fn enterprise(bytes: &[u8]) {
    let theirs = std::str::from_utf8(bytes)
        .ok()
        .and_then(reference::identifiers::enterprise);
    let ours = CreditCode::parse(bytes);
    assert_eq!(ours.as_ref().map(CreditCode::as_str), theirs.as_deref());
    if let Some(code) = ours {
        assert_eq!(CreditCode::from_number(code.number()), code);
    }
}

/// All that a fact says, as the program understood it.
fn said(fact: &Fact<'_>) -> Vec<String> {
    use domain::Body;
    let mut all = vec![
        fact.id.to_owned(),
        POOL.0.region(fact.region).code.as_str().to_owned(),
        fact.date.to_string(),
    ];
    let money = |money: &Money| money.fen().to_string();
    let optional = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let text = |text: &Option<&str>| text.map_or("-".to_owned(), |text| format!("={text}"));
    let further: Vec<String> = match &fact.body {
        Body::Enterprise {
            enterprise,
            name,
            status,
        } => {
            vec![
                enterprise.to_string(),
                (*name).to_owned(),
                status.as_str().to_owned(),
            ]
        }
        Body::Declaration {
            enterprise,
            period,
            headcount,
            base,
        } => {
            vec![
                enterprise.to_string(),
                period.to_string(),
                headcount.to_string(),
                money(base),
            ]
        }
        Body::Payroll {
            enterprise,
            period,
            headcount,
            wages,
        } => {
            vec![
                enterprise.to_string(),
                period.to_string(),
                headcount.to_string(),
                money(wages),
            ]
        }
        Body::Payment {
            enterprise,
            period,
            amount,
        } => {
            vec![enterprise.to_string(), period.to_string(), money(amount)]
        }
        Body::PaymentReversal {
            enterprise,
            period,
            reverses,
            amount,
        } => {
            vec![
                enterprise.to_string(),
                period.to_string(),
                (*reverses).to_owned(),
                money(amount),
            ]
        }
        Body::Payout {
            person,
            period,
            item,
            nature,
            amount,
            account,
        } => vec![
            person.reveal(),
            period.to_string(),
            (*item).to_owned(),
            nature.as_str().to_owned(),
            money(amount),
            text(account),
        ],
        Body::PayoutReversal {
            person,
            period,
            item,
            reverses,
            amount,
        } => vec![
            person.reveal(),
            period.to_string(),
            (*item).to_owned(),
            (*reverses).to_owned(),
            money(amount),
        ],
        Body::Beneficiary {
            person,
            status,
            amount,
            name,
        } => vec![
            person.reveal(),
            status.as_str().to_owned(),
            optional(amount.as_ref().map(money)),
            text(name),
        ],
        Body::Death {
            person,
            died_on,
            source,
            name,
        } => {
            vec![
                person.reveal(),
                died_on.to_string(),
                (*source).to_owned(),
                text(name),
            ]
        }
        Body::DeathCancelled { person, reverses } => vec![person.reveal(), (*reverses).to_owned()],
        Body::Transfer {
            kind,
            amount,
            period,
            source,
        } => vec![
            kind.as_str().to_owned(),
            money(amount),
            optional(period.map(|period| period.to_string())),
            text(source),
        ],
        Body::DayClose {
            records, amount, ..
        } => vec![records.to_string(), money(amount)],
    };
    all.extend(further);
    all
}

/// The same, as the reference understood it.
fn said_to_reference(fact: &expected::Fact<expected::Body>) -> Vec<String> {
    use expected::Body;
    let mut all = vec![fact.id.clone(), fact.region.clone(), fact.date.to_string()];
    let optional = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let text = |text: &Option<String>| {
        text.as_ref()
            .map_or("-".to_owned(), |text| format!("={text}"))
    };
    let further: Vec<String> = match &fact.body {
        Body::Enterprise(body) => {
            vec![
                body.enterprise.clone(),
                body.name.clone(),
                body.status.clone(),
            ]
        }
        Body::Declaration(body) => vec![
            body.enterprise.clone(),
            body.period.to_string(),
            body.headcount.to_string(),
            body.base.to_string(),
        ],
        Body::Payroll(body) => vec![
            body.enterprise.clone(),
            body.period.to_string(),
            body.headcount.to_string(),
            body.wages.to_string(),
        ],
        Body::Payment(body) => {
            vec![
                body.enterprise.clone(),
                body.period.to_string(),
                body.amount.to_string(),
            ]
        }
        Body::PaymentReversal(body) => vec![
            body.enterprise.clone(),
            body.period.to_string(),
            body.reverses.clone(),
            body.amount.to_string(),
        ],
        Body::Payout(body) => vec![
            body.person.clone(),
            body.period.to_string(),
            body.item.clone(),
            body.nature.clone(),
            body.amount.to_string(),
            text(&body.account),
        ],
        Body::PayoutReversal(body) => vec![
            body.person.clone(),
            body.period.to_string(),
            body.item.clone(),
            body.reverses.clone(),
            body.amount.to_string(),
        ],
        Body::Beneficiary(body) => vec![
            body.person.clone(),
            body.status.clone(),
            optional(body.amount.map(|amount| amount.to_string())),
            text(&body.name),
        ],
        Body::Death(body) => vec![
            body.person.clone(),
            body.died_on.to_string(),
            body.source.clone(),
            text(&body.name),
        ],
        Body::DeathCancelled(body) => vec![body.person.clone(), body.reverses.clone()],
        Body::Transfer(body) => vec![
            body.kind.clone(),
            body.amount.to_string(),
            optional(body.period.map(|period| period.to_string())),
            text(&body.source),
        ],
        Body::DayClose { records, amount } => vec![records.to_string(), amount.to_string()],
    };
    all.extend(further);
    all
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 6] = [
        ("decode", super::decode),
        ("policy", super::policy),
        ("configuration", super::configuration),
        ("person", super::person),
        ("enterprise", super::enterprise),
        ("snapshot", super::snapshot),
    ];

    #[test]
    fn the_corpus_goes_through() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, target) in TARGETS {
            let mut count = 0;
            for entry in fs::read_dir(folder.join("corpus").join(name)).unwrap() {
                let path = entry.unwrap().path();
                // If this panics, the last line names the file.
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
                count += 1;
            }
            assert!(count > 0, "{name} has a corpus");
            assert!(
                folder
                    .join("fuzz_targets")
                    .join(format!("{name}.rs"))
                    .exists()
            );
        }
    }

    /// The corpus would not be worth much if nothing in it were accepted.
    #[test]
    fn the_corpus_has_good_records_of_every_topic() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/decode");
        let mut accepted = [0; 5];
        for entry in fs::read_dir(folder).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            let at = usize::from(bytes[0]) % 5;
            let topic = acceptance::reference::facts::Topic::ALL[at];
            let decoded = acceptance::reference::decode::decode(topic, &bytes[1..], &super::POOL.1);
            accepted[at] += usize::from(decoded.is_ok());
        }
        assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
    }
}
