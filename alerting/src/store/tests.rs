use std::collections::BTreeMap;
use std::time::Instant;

use domain::{Detector, Money, Severity, State, Topic};
use tempfile::TempDir;

use super::*;
use crate::batch::DeadLetter;
use crate::life::EventKind;
use crate::test_kit::{
    arrears, batch, cleared, day, gone, now, recipient, region, routing, update,
};

fn store() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    (folder, store)
}

fn open(folder: &TempDir) -> Store {
    Store::open(
        &folder.path().join("data/fund.db"),
        &AlertIdentity::default(),
    )
    .unwrap()
}

fn kinds(committed: &Committed) -> Vec<EventKind> {
    committed.told.iter().map(|told| told.kind).collect()
}

fn letters(store: &Store) -> Vec<Letter> {
    MailQueue::open(store.path())
        .unwrap()
        .claim(now(), 100)
        .unwrap()
}

fn dead_letter(position: &str) -> DeadLetter {
    DeadLetter {
        topic: Topic::TaxCollection,
        position: position.to_owned(),
        reason: "bad-date".to_owned(),
        field: Some("date".to_owned()),
        raw: b"{\"date\":1}".to_vec(),
    }
}

#[test]
fn a_life_from_raised_to_withdrawn() {
    let (_folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    let first = arrears(1, 100);
    let mut more = arrears(1, 120);
    more.details.insert("surcharge".into(), "1.00".into());
    let mut silent = more.clone();
    silent.details.insert("surcharge".into(), "2.00".into());
    let mut again = silent.clone();
    again.episode.count = 2;
    use EventKind::{Changed, Cleared, Raised, Reopened, Withdrawn};
    for (epoch, (step, expected)) in [
        (update(first.clone()), vec![Raised]),
        (update(first.clone()), vec![]),
        (update(more.clone()), vec![Changed]),
        (update(silent.clone()), vec![]),
        (update(cleared(silent)), vec![Cleared]),
        (update(again), vec![Reopened]),
        (gone(&first), vec![Withdrawn]),
        (gone(&first), vec![]),
        (update(first.clone()), vec![Raised]),
    ]
    .into_iter()
    .enumerate()
    {
        let batch = batch(epoch as u64, [step]);
        let committed = store.commit(&batch, &routing, now()).unwrap();
        assert_eq!(kinds(&committed), expected, "epoch {epoch}");
        assert_eq!(committed.mails, expected.len() as u64);
        assert_eq!(committed.to_topic, expected.len() as u64);
    }
    let id = AlertIdentity::default().id(&first.key);
    let reader = store.reader().unwrap();
    let tellings = reader.tellings(&id).unwrap();
    let told: Vec<_> = tellings.iter().map(|t| (t.revision, t.kind)).collect();
    assert_eq!(
        told,
        [
            (1, Raised),
            (2, Changed),
            (3, Cleared),
            (4, Reopened),
            (5, Withdrawn),
            (6, Raised)
        ]
    );
    assert_eq!(
        tellings[1].before.as_ref().unwrap().0.amount,
        Money::from_yuan(100)
    );
    assert_eq!(tellings[4].cause.as_deref(), Some("tax.collection/P9"));
    // What was stored silently is there all the same.
    assert_eq!(tellings[2].alert.details["surcharge"], "2.00");
    assert_eq!(reader.alert(&id).unwrap().unwrap().revision, 6);
    let mut tallies = store.tallies().clone();
    tallies.alerts.retain(|_, count| *count > 0);
    assert_eq!(tallies, Tallies::load(&store.connection).unwrap());
}

#[test]
fn the_same_findings_after_a_restart_tell_nothing() {
    let (folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    let all: Vec<_> = (1..=5).map(|n| update(arrears(n, 100))).collect();
    store
        .commit(&batch(1, all.clone()), &routing, now())
        .unwrap();
    drop(store);
    let mut store = open(&folder);
    let before = store.tallies().clone();
    // One of five is no longer found: withdrawn. The others are known.
    let committed = store
        .reconcile(&batch(0, all[..4].to_vec()), &routing, now())
        .unwrap();
    assert_eq!(kinds(&committed), [EventKind::Withdrawn]);
    assert_eq!(committed.told[0].revision, 2);
    let committed = store
        .reconcile(&batch(0, all[..4].to_vec()), &routing, now())
        .unwrap();
    assert_eq!((committed.told.len(), committed.silent), (0, 0));
    let open = (
        Detector::Arrears,
        region("341002"),
        Severity::Blue,
        State::Open,
    );
    assert_eq!(
        (before.alerts[&open], store.tallies().alerts[&open]),
        (5, 4)
    );
    assert_eq!(
        store.tallies().open_fen[&(Detector::Arrears, region("341002"))],
        40_000
    );
}

#[test]
fn an_error_in_the_middle_leaves_nothing() {
    let (_folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    store
        .connection
        .execute_batch(
            "CREATE TRIGGER fault BEFORE INSERT ON offsets BEGIN SELECT raise(ABORT, 'fault'); END",
        )
        .unwrap();
    let mut batch = batch(1, [update(arrears(1, 100))]);
    batch.dead_letters.push(dead_letter("0:1"));
    batch.offsets.push(PartitionOffset {
        topic: Topic::TaxCollection,
        partition: 0,
        next_offset: 7,
    });
    let before = store.tallies().clone();
    store.commit(&batch, &routing, now()).unwrap_err();
    assert_eq!(store.tallies(), &before);
    let reader = store.reader().unwrap();
    assert_eq!(reader.alerts(&AlertFilter::default()).unwrap(), []);
    assert_eq!(reader.dead_letters().unwrap(), 0);
    assert_eq!(reader.outbox(Channel::Mail).unwrap(), Outbox::default());
    // The same batch goes through once the fault is gone.
    store
        .connection
        .execute_batch("DROP TRIGGER fault")
        .unwrap();
    let committed = store.commit(&batch, &routing, now()).unwrap();
    assert_eq!(kinds(&committed), [EventKind::Raised]);
    assert_eq!(store.offsets().unwrap(), batch.offsets);
}

#[test]
fn a_full_disk_is_told_apart_and_can_be_retried() {
    let (_folder, mut store) = store();
    store
        .connection
        .pragma_update(None, "max_page_count", 40)
        .unwrap();
    let full = batch(1, (1..=2_000).map(|n| update(arrears(n, 100))));
    let error = store.commit(&full, &Routing::none(), now()).unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(error.is_retryable());
    store
        .connection
        .pragma_update(None, "max_page_count", 1_000_000)
        .unwrap();
    let committed = store.commit(&full, &Routing::none(), now()).unwrap();
    assert_eq!(committed.told.len(), 2_000);
}

#[test]
fn one_owner_and_one_secret() {
    let (folder, store) = store();
    let path = store.path().to_owned();
    let other = AlertIdentity::new(b"another");
    assert!(matches!(
        Store::open(&path, &AlertIdentity::default()),
        Err(StoreError::InUse(_))
    ));
    let instance = store.instance().unwrap();
    assert_eq!(instance.len(), 32);
    drop(store);
    assert!(matches!(
        Store::open(&path, &other),
        Err(StoreError::ForeignIdentity)
    ));
    assert_eq!(open(&folder).instance().unwrap(), instance);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, mut store) = store();
    store
        .commit(&batch(1, []), &Routing::none(), now())
        .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("fund.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let error = Store::open(&path, &AlertIdentity::default()).err().unwrap();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

/// The disk failed, the process ended, and what was written last is not what was meant.
#[test]
fn a_store_with_a_damaged_page_is_refused_at_the_start() {
    let (folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    let updates = (0..300).map(|n| update(arrears(n, 100)));
    store.commit(&batch(0, updates), &routing, now()).unwrap();
    drop(store);
    let path = folder.path().join("data/fund.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let page = 4096;
    let pages = bytes.len() / page;
    assert!(pages > 20);
    // The upper half of the pages: those of tables and indices that hold something.
    for at in pages / 2..pages {
        bytes[at * page..at * page + 64].fill(0xff);
    }
    std::fs::write(&path, bytes).unwrap();
    let error = Store::open(&path, &AlertIdentity::default())
        .err()
        .expect("it is refused");
    assert!(
        error
            .to_string()
            .starts_with("the store is damaged: restore it"),
        "{error}"
    );
    assert!(!error.is_retryable());
}

#[test]
fn a_newer_schema_is_refused() {
    let (folder, store) = store();
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(store);
    let path = folder.path().join("data/fund.db");
    let error = Store::open(&path, &AlertIdentity::default()).err().unwrap();
    assert!(matches!(error, StoreError::Schema(_)), "{error:?}");
}

#[test]
fn mails_go_to_whom_they_concern() {
    let (_folder, mut store) = store();
    let mut picky = recipient("picky@example.org");
    picky.min_severity = Severity::Orange;
    let mut elsewhere = recipient("elsewhere@example.org");
    elsewhere.regions.insert(region("341021"));
    let routing = routing([recipient("all@example.org"), picky, elsewhere]);

    let mut grave = arrears(1, 100);
    grave.severity = Severity::Red;
    store
        .commit(
            &batch(1, [update(grave.clone()), update(arrears(2, 5))]),
            &routing,
            now(),
        )
        .unwrap();
    let addresses: Vec<_> = letters(&store).into_iter().map(|l| l.address).collect();
    assert_eq!(
        addresses,
        ["all@example.org", "all@example.org", "picky@example.org"]
    );
    // No longer grave: whoever was told hears of it, and of the withdrawal.
    let mut queue = MailQueue::open(store.path()).unwrap();
    for (epoch, step) in [(2, update(arrears(1, 50))), (3, gone(&grave))] {
        queue.recover().unwrap();
        let sent: Vec<_> = queue
            .claim(now(), 100)
            .unwrap()
            .iter()
            .map(|letter| (letter.seq, Outcome::Sent))
            .collect();
        queue.settle(&sent, now()).unwrap();
        store
            .commit(&batch(epoch, [step]), &routing, now())
            .unwrap();
        let addresses: Vec<_> = letters(&store).into_iter().map(|l| l.address).collect();
        assert_eq!(addresses, ["all@example.org", "picky@example.org"]);
    }
}

#[test]
fn a_withdrawal_reaches_those_who_left_the_configuration() {
    let (_folder, mut store) = store();
    let old = routing([recipient("old@example.org")]);
    let new = routing([recipient("new@example.org")]);
    let finding = arrears(1, 100);
    store
        .commit(&batch(1, [update(finding.clone())]), &old, now())
        .unwrap();
    let changed = batch(2, [update(arrears(1, 200))]);
    assert_eq!(store.commit(&changed, &new, now()).unwrap().mails, 1);
    assert_eq!(
        store
            .commit(&batch(3, [gone(&finding)]), &new, now())
            .unwrap()
            .mails,
        2
    );
    // Never told: nothing to take back.
    store
        .commit(&batch(4, [update(arrears(2, 1))]), &Routing::none(), now())
        .unwrap();
    let withdrawn = store
        .commit(&batch(5, [gone(&arrears(2, 1))]), &new, now())
        .unwrap();
    assert_eq!(
        (kinds(&withdrawn), withdrawn.mails),
        (vec![EventKind::Withdrawn], 0)
    );
}

#[test]
fn mails_on_one_alert_keep_their_order_and_their_id() {
    let (_folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    let finding = arrears(1, 100);
    store
        .commit(&batch(1, [update(finding.clone())]), &routing, now())
        .unwrap();
    store
        .commit(&batch(2, [update(cleared(finding))]), &routing, now())
        .unwrap();
    let mut queue = MailQueue::open(store.path()).unwrap();
    let first = queue.claim(now(), 10).unwrap();
    assert_eq!(first.len(), 1, "the second waits for the first");
    assert_eq!(queue.claim(now(), 10).unwrap(), []);
    // As if the process had ended here.
    assert_eq!(queue.recover().unwrap(), 1);
    let again = queue.claim(now(), 10).unwrap();
    assert_eq!(again[0].message_id, first[0].message_id);
    assert_eq!(again[0].attempts, 1);
    let due = now() + Duration::from_secs(60);
    let retry = Outcome::Retry {
        due,
        error: "451".into(),
    };
    queue.settle(&[(again[0].seq, retry)], now()).unwrap();
    assert_eq!(queue.claim(now(), 10).unwrap(), []);
    assert_eq!(queue.claim(due, 10).unwrap().len(), 1);
    queue
        .settle(&[(again[0].seq, Outcome::Failed("550".into()))], due)
        .unwrap();
    assert_eq!(queue.outbox().unwrap().failed, 1);
    assert_eq!(
        queue.claim(due, 10).unwrap().len(),
        1,
        "a failed one holds nobody up"
    );
}

#[test]
fn many_at_once_are_one_digest() {
    let (_folder, mut store) = store();
    let routing = routing([recipient("li@example.org"), recipient("wu@example.org")]);
    let updates = (1..=60).map(|n| {
        let mut finding = arrears(n, i64::from(n));
        if n == 7 {
            finding.severity = Severity::Red;
        }
        update(finding)
    });
    let committed = store.commit(&batch(1, updates), &routing, now()).unwrap();
    assert_eq!((committed.told.len(), committed.mails), (60, 2));
    let letters = letters(&store);
    let Content::Digest(digest) = &letters[0].content else {
        panic!("no digest");
    };
    assert_eq!(digest.counts, [(Severity::Red, 1), (Severity::Blue, 59)]);
    assert_eq!(digest.shown.len(), 50);
    assert_eq!(digest.shown[0].alert.amount, Money::from_yuan(7));
    assert_eq!(digest.shown[1].alert.amount, Money::from_yuan(60));
    // Twenty are no crowd.
    let few = (1..=20).map(|n| update(arrears(n, 1_000)));
    let committed = store.commit(&batch(2, few), &routing, now()).unwrap();
    assert_eq!(committed.mails, 40);
}

#[test]
fn positions_and_dead_letters() {
    let (folder, mut store) = store();
    let mut batch = batch(1, []);
    batch.dead_letters = vec![dead_letter("0:1"), dead_letter("0:2")];
    batch.feeds.push(FeedTotals {
        topic: Topic::TaxCollection,
        partition: 0,
        read: 5,
        accepted: 2,
        redelivered: 1,
        rejected: BTreeMap::from([("bad-date".to_owned(), 2)]),
    });
    batch.as_of.push(FeedAsOf {
        topic: Topic::TaxCollection,
        region: region("341002"),
        closed: day("2024-03-31"),
    });
    batch.present = Some(day("2024-04-01"));
    let routing = routing([]);
    assert_eq!(store.commit(&batch, &routing, now()).unwrap().to_topic, 2);
    // Read once more from the start: the same positions.
    let again = store.commit(&batch, &routing, now()).unwrap();
    assert_eq!((again.dead_letters, again.to_topic), (0, 0));
    drop(store);
    let store = open(&folder);
    assert_eq!(store.feed_totals().unwrap(), batch.feeds);
    assert_eq!(store.feed_as_of().unwrap(), batch.as_of);
    assert_eq!(store.present().unwrap(), batch.present);
    let mut queue = TopicQueue::open(store.path()).unwrap();
    let pending = queue.dead_letters(10).unwrap();
    assert_eq!(pending[0].letter, batch.dead_letters[0]);
    queue.acknowledge(&[], &[pending[0].n]).unwrap();
    assert_eq!(queue.dead_letters(10).unwrap(), pending[1..]);
    let outbox = store
        .reader()
        .unwrap()
        .outbox(Channel::DeadLetterTopic)
        .unwrap();
    assert_eq!((outbox.pending, outbox.oldest), (1, Some(now())));
}

#[test]
#[should_panic(expected = "counts that do not add up")]
fn a_record_that_is_not_accounted_for() {
    let (_folder, mut store) = store();
    let mut batch = batch(1, []);
    batch.feeds.push(FeedTotals {
        topic: Topic::TaxCollection,
        partition: 0,
        read: 5,
        accepted: 4,
        redelivered: 0,
        rejected: BTreeMap::new(),
    });
    let _ = store.commit(&batch, &Routing::none(), now());
}

#[test]
fn the_topic_gets_one_telling_of_an_alert_at_a_time() {
    let (_folder, mut store) = store();
    let routing = routing([]);
    let finding = arrears(1, 100);
    let steps = [update(finding.clone()), update(arrears(2, 1))];
    store.commit(&batch(1, steps), &routing, now()).unwrap();
    store
        .commit(&batch(2, [gone(&finding)]), &routing, now())
        .unwrap();
    let mut queue = TopicQueue::open(store.path()).unwrap();
    let revisions = |queue: &TopicQueue| -> Vec<u64> {
        let pending = queue.tellings(10).unwrap();
        pending.iter().map(|p| p.telling.revision).collect()
    };
    assert_eq!(revisions(&queue), [1, 1]);
    let first = queue.tellings(1).unwrap()[0].telling.seq;
    queue.acknowledge(&[first], &[]).unwrap();
    assert_eq!(revisions(&queue), [1, 2]);
}

/// Not a bound of the machine: far above what is measured, so that a lost index is noticed.
#[test]
fn ten_thousand_updates_commit_quickly() {
    let (_folder, mut store) = store();
    let routing = routing([recipient("a@example.org"), recipient("b@example.org")]);
    let updates: Vec<_> = (0..10_000).map(|n| update(arrears(n, 100))).collect();
    let start = Instant::now();
    store
        .commit(&batch(1, updates.clone()), &routing, now())
        .unwrap();
    let raised = start.elapsed();
    let start = Instant::now();
    let committed = store
        .reconcile(&batch(2, updates), &routing, now())
        .unwrap();
    println!("raised in {raised:?}, known again in {:?}", start.elapsed());
    assert!(committed.told.is_empty());
    assert!(raised < Duration::from_secs(3));
}
