use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::{Detector, Finding, Money, Period, Severity, State, Subject, Topic};
use tempfile::TempDir;

use super::*;
use crate::batch::{DeadLetter, Duty};
use crate::life::EventKind;
use crate::plan::MailKind;
use crate::routing::{Pacing, RegionWide};
use crate::test_kit::{
    arrears, at_once, batch, cleared, day, finding, gone, now, pacing, person, recipient, region,
    routing, update,
};

/// What the tests take for a failure of a region.
const WIDE: RegionWide = RegionWide {
    alerts: 50,
    percent: 5,
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

/// The mails that are made of what waits, claimed and sent.
fn told_by(store: &Store, pacing: &Pacing, now: Timestamp) -> Vec<Letter> {
    let mut queue = MailQueue::open(store.path()).unwrap();
    queue.plan(pacing, now).unwrap();
    let mut all = Vec::new();
    loop {
        let letters = queue.claim(now, 100).unwrap();
        if letters.is_empty() {
            return all;
        }
        let sent: Vec<_> = letters
            .iter()
            .map(|letter| (letter.seq, Outcome::Sent))
            .collect();
        queue.settle(&sent, now).unwrap();
        all.extend(letters);
    }
}

fn told(store: &Store) -> Vec<Letter> {
    told_by(store, &at_once(), now())
}

/// What a mail is about, and of how many tellings.
fn shape(letter: &Letter) -> (MailKind, u64) {
    match &letter.content {
        Content::Single(_) => (MailKind::Single, 1),
        Content::Digest(digest) => (digest.kind, digest.total()),
        Content::Life(_) => (MailKind::Life, 0),
    }
}

fn shapes(letters: &[Letter]) -> Vec<(MailKind, u64)> {
    letters.iter().map(shape).collect()
}

fn seconds_later(seconds: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_secs(seconds)
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
        assert_eq!(committed.notices, expected.len() as u64);
        assert_eq!(told(&store).len(), expected.len());
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

#[test]
fn whoever_slept_through_a_takeover_writes_nothing() {
    let (folder, mut sleeper) = store();
    let commit = |store: &mut Store, number| {
        let batch = batch(number, [update(arrears(number as u32, 100))]);
        store.commit(&batch, &Routing::none(), now())
    };
    commit(&mut sleeper, 1).unwrap();
    // On a file system without locks, or after the lock was lost: the file beside it is another one now.
    std::fs::remove_file(folder.path().join("data/fund.db.lock")).unwrap();
    let mut successor = open(&folder);
    assert!(sleeper.run() < successor.run());
    let error = commit(&mut sleeper, 2).unwrap_err();
    assert!(
        matches!(error, StoreError::Fenced) && !error.is_retryable(),
        "{error:?}"
    );
    commit(&mut successor, 3).unwrap();
    let told: u64 = successor.tallies().events.values().sum();
    assert_eq!(told, 2);
}

#[test]
fn holders_are_those_of_the_last_run() {
    let (folder, mut store) = store();
    let holder = |partition, process| Holder {
        topic: Topic::TaxCollection,
        partition,
        process,
    };
    let mut first = batch(1, []);
    first.holders = vec![holder(0, 0), holder(1, 1)];
    store.commit(&first, &Routing::none(), now()).unwrap();
    let mut second = batch(2, []);
    second.holders = vec![holder(0, 1)];
    store.commit(&second, &Routing::none(), now()).unwrap();
    drop(store);
    assert_eq!(
        open(&folder).holders().unwrap(),
        [holder(0, 1), holder(1, 1)]
    );
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
    picky.interest.min_severity = Severity::Orange;
    let mut elsewhere = recipient("elsewhere@example.org");
    elsewhere.interest.regions.insert(region("341021"));
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
    let addresses = |letters: Vec<Letter>| -> Vec<String> {
        letters.into_iter().map(|letter| letter.address).collect()
    };
    assert_eq!(
        addresses(told(&store)),
        ["all@example.org", "all@example.org", "picky@example.org"]
    );
    // No longer grave: whoever was told hears of it, and of the withdrawal.
    for (epoch, step) in [(2, update(arrears(1, 50))), (3, gone(&grave))] {
        store
            .commit(&batch(epoch, [step]), &routing, now())
            .unwrap();
        assert_eq!(
            addresses(told(&store)),
            ["all@example.org", "picky@example.org"]
        );
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
    assert_eq!(told(&store).len(), 1);
    let changed = batch(2, [update(arrears(1, 200))]);
    assert_eq!(store.commit(&changed, &new, now()).unwrap().notices, 1);
    assert_eq!(told(&store).len(), 1);
    store
        .commit(&batch(3, [gone(&finding)]), &new, now())
        .unwrap();
    assert_eq!(told(&store).len(), 2);
    // Never told: nothing to take back.
    store
        .commit(&batch(4, [update(arrears(2, 1))]), &Routing::none(), now())
        .unwrap();
    let withdrawn = store
        .commit(&batch(5, [gone(&arrears(2, 1))]), &new, now())
        .unwrap();
    assert_eq!(
        (kinds(&withdrawn), withdrawn.notices),
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
    let mut queue = MailQueue::open(store.path()).unwrap();
    assert_eq!(queue.plan(&at_once(), now()).unwrap().0, 1);
    store
        .commit(&batch(2, [update(cleared(finding))]), &routing, now())
        .unwrap();
    assert_eq!(queue.plan(&at_once(), now()).unwrap().0, 1);
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
    assert_eq!((committed.told.len(), committed.notices), (60, 120));
    let letters = told(&store);
    assert_eq!(shapes(&letters), [(MailKind::Batch, 60); 2]);
    let Content::Digest(digest) = &letters[0].content else {
        panic!("no digest");
    };
    assert_eq!(digest.counts, [(Severity::Red, 1), (Severity::Blue, 59)]);
    assert_eq!(digest.shown.len(), 50);
    assert_eq!(digest.shown[0].alert.amount, Money::from_yuan(7));
    assert_eq!(digest.shown[1].alert.amount, Money::from_yuan(60));
    // 1 + 2 + … + 60.
    assert_eq!(digest.open, (60, Money::from_yuan(1_830)));
    // Twenty are no crowd.
    let few = (1..=20).map(|n| update(arrears(n, 1_000)));
    store.commit(&batch(2, few), &routing, now()).unwrap();
    assert_eq!(told(&store).len(), 40);
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

fn orange(n: u32, yuan: i64) -> Finding {
    let mut finding = arrears(n, yuan);
    finding.severity = Severity::Orange;
    finding
}

#[test]
fn orange_is_grouped_and_a_restart_changes_nothing() {
    let (folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    let three = [1, 2, 3].map(|n| update(orange(n, 100)));
    store.commit(&batch(1, three), &routing, now()).unwrap();
    assert_eq!(told_by(&store, &pacing(), seconds_later(29)), []);
    drop(store);
    let mut store = open(&folder);
    let mails = told_by(&store, &pacing(), seconds_later(30));
    assert_eq!(shapes(&mails), [(MailKind::Group, 3)]);
    // News within the interval waits for its end, and one alone is told in full.
    let news = batch(2, [update(orange(1, 200))]);
    store.commit(&news, &routing, seconds_later(60)).unwrap();
    assert_eq!(told_by(&store, &pacing(), seconds_later(329)), []);
    drop(store);
    let mut store = open(&folder);
    let mails = told_by(&store, &pacing(), seconds_later(330));
    assert_eq!(shapes(&mails), [(MailKind::Single, 1)]);
    assert_eq!(told_by(&store, &pacing(), seconds_later(331)), []);
    // It goes under the mail in which it was first told.
    let group = "group.";
    assert!(
        mails[0].threads.iter().all(|id| id.starts_with(group)),
        "{:?}",
        mails[0].threads
    );
    assert_eq!(mails[0].threads.len(), 1);
    // Four hours without news: a reminder of what is open; and no more than three.
    let four_hours = 4 * 3_600;
    let over = batch(3, [update(cleared(orange(2, 100)))]);
    store.commit(&over, &routing, seconds_later(400)).unwrap();
    assert_eq!(told_by(&store, &pacing(), seconds_later(630)).len(), 1);
    let mut at = 630;
    for _ in 0..3 {
        assert_eq!(
            told_by(&store, &pacing(), seconds_later(at + four_hours - 1)),
            []
        );
        at += four_hours;
        let mails = told_by(&store, &pacing(), seconds_later(at));
        assert_eq!(shapes(&mails), [(MailKind::Reminder, 2)]);
    }
    assert_eq!(
        told_by(&store, &pacing(), seconds_later(at + 2 * four_hours)),
        []
    );
}

#[test]
fn a_digest_tells_what_came_of_it_and_nothing_that_came_to_nothing() {
    let (_folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    let first = [1, 2, 3, 4].map(|n| update(arrears(n, 100)));
    store.commit(&batch(1, first), &routing, now()).unwrap();
    let second = [
        update(cleared(arrears(1, 100))),
        gone(&arrears(2, 100)),
        update(arrears(3, 300)),
    ];
    store.commit(&batch(2, second), &routing, now()).unwrap();
    assert_eq!(told_by(&store, &pacing(), now()), []);
    // Tuesday, 08:30 in the pool.
    let morning = "2024-04-02T00:30:00Z".parse().unwrap();
    let mails = told_by(&store, &pacing(), morning);
    assert_eq!(shapes(&mails), [(MailKind::Digest, 3)]);
    let Content::Digest(digest) = &mails[0].content else {
        panic!("no digest");
    };
    let mut kinds: Vec<_> = digest.shown.iter().map(|telling| telling.kind).collect();
    kinds.sort();
    use EventKind::{Cleared, Raised};
    assert_eq!(kinds, [Raised, Raised, Cleared]);
    assert!(digest.shown.iter().all(|telling| telling.before.is_none()));
    // There and back again before the next digest.
    for (epoch, yuan) in [(3, 400), (4, 300)] {
        let step = batch(epoch, [update(arrears(3, yuan))]);
        store.commit(&step, &routing, morning).unwrap();
    }
    let next = "2024-04-03T00:30:00Z".parse().unwrap();
    assert_eq!(told_by(&store, &pacing(), next), []);
    assert_eq!(store.reader().unwrap().notices().unwrap(), 0);
    // What was told is taken back.
    store
        .commit(&batch(5, [gone(&arrears(3, 300))]), &routing, next)
        .unwrap();
    let later = "2024-04-08T00:30:00Z".parse().unwrap();
    assert_eq!(
        shapes(&told_by(&store, &pacing(), later)),
        [(MailKind::Digest, 1)]
    );
}

#[test]
fn a_failure_of_a_region_is_one_mail_to_all_who_look_after_it() {
    let (_folder, mut store) = store();
    let mut chief = recipient("chief@example.org");
    chief.interest.min_severity = Severity::Red;
    let mut elsewhere = recipient("elsewhere@example.org");
    elsewhere.interest.regions.insert(region("341021"));
    let mut routing = routing([chief, elsewhere]);
    routing.region_wide.insert(Detector::MissedPayout, WIDE);
    let missed = |n| finding(Detector::MissedPayout, Subject::Person(person(n)), 3_000);
    let few = (0..49).map(|n| update(missed(n)));
    let committed = store.commit(&batch(1, few), &routing, now()).unwrap();
    assert_eq!(committed.notices, 0, "49 blue alerts are 49 blue alerts");
    let more = (49..4_000).map(|n| update(missed(n)));
    let committed = store.commit(&batch(2, more), &routing, now()).unwrap();
    assert_eq!(committed.notices, 3_951);
    let mails = told_by(&store, &pacing(), seconds_later(30));
    assert_eq!(shapes(&mails), [(MailKind::Wide, 3_951)]);
    assert_eq!(mails[0].address, "chief@example.org");
    // The money goes out, and that is one mail, too.
    let paid = (0..4_000).map(|n| update(cleared(missed(n))));
    store
        .commit(&batch(3, paid), &routing, seconds_later(600))
        .unwrap();
    let mails = told_by(&store, &pacing(), seconds_later(630));
    assert_eq!(shapes(&mails), [(MailKind::Wide, 3_951)]);
}

/// So many of those to be paid in a region for February.
fn to_be_paid(region_code: &str, subjects: u64) -> Duty {
    Duty {
        detector: Detector::MissedPayout,
        region: region(region_code),
        period: Period::from_ym(2024, 2).unwrap(),
        subjects,
    }
}

#[test]
fn a_failure_of_a_region_is_a_share_of_those_to_be_paid() {
    let missed = |n| finding(Detector::MissedPayout, Subject::Person(person(n)), 3_000);
    let of = |subjects: Option<u64>, alerts: u32| {
        let (_folder, mut store) = store();
        let mut routing = routing([recipient("chief@example.org")]);
        routing.region_wide.insert(Detector::MissedPayout, WIDE);
        let mut all = batch(1, (0..alerts).map(|n| update(missed(n))));
        all.duties.push(to_be_paid("341021", 1));
        all.duties
            .extend(subjects.map(|subjects| to_be_paid("341002", subjects)));
        store.commit(&all, &routing, now()).unwrap();
        let mails = told_by(&store, &pacing(), seconds_later(30));
        shapes(&mails)
            .iter()
            .any(|(kind, _)| *kind == MailKind::Wide)
    };
    // 5 in a hundred of 1,001 are 50.05.
    assert!(of(Some(1_000), 50) && !of(Some(1_001), 50) && of(Some(1_001), 51));
    assert!(!of(Some(60), 49), "few are few, whatever their part");
    assert!(of(None, 50), "nobody knows of how many");
}

#[test]
fn a_failure_of_a_region_goes_on_as_one_while_it_is_made_good_in_parts() {
    let (_folder, mut store) = store();
    let mut routing = routing([recipient("chief@example.org")]);
    routing.region_wide.insert(Detector::MissedPayout, WIDE);
    let missed = |n| finding(Detector::MissedPayout, Subject::Person(person(n)), 3_000);
    let all = batch(1, (0..60).map(|n| update(missed(n))));
    store.commit(&all, &routing, now()).unwrap();
    let mails = told_by(&store, &pacing(), seconds_later(30));
    assert_eq!(shapes(&mails), [(MailKind::Wide, 60)]);
    for (epoch, part) in [(2, 0..20), (3, 20..40), (4, 40..60)] {
        let paid = batch(epoch, part.map(|n| update(cleared(missed(n)))));
        let at = 600 * i64::try_from(epoch).unwrap();
        store.commit(&paid, &routing, seconds_later(at)).unwrap();
        let mails = told_by(&store, &pacing(), seconds_later(at + 30));
        assert_eq!(shapes(&mails), [(MailKind::Wide, 20)], "{epoch}");
    }
}

#[test]
fn a_silence_delays_and_drops_nothing() {
    let (_folder, mut store) = store();
    let routing = routing([recipient("li@example.org")]);
    let mut silences = Silences::open(store.path()).unwrap();
    let all_here = Matcher {
        region: Some(region("341002")),
        ..Matcher::default()
    };
    let until = seconds_later(3_600);
    let n = silences.add(&all_here, "moves", now(), until).unwrap();
    store
        .commit(&batch(1, [update(arrears(1, 100))]), &routing, now())
        .unwrap();
    assert_eq!(told(&store), []);
    let mut queue = MailQueue::open(store.path()).unwrap();
    assert_eq!(queue.plan(&at_once(), now()).unwrap(), (0, Some(until)));
    assert!(silences.end(n, seconds_later(60)).unwrap());
    assert!(!silences.end(n, seconds_later(61)).unwrap(), "it has ended");
    assert_eq!(told_by(&store, &at_once(), seconds_later(60)).len(), 1);
    // One alert alone, until its time is over.
    let one = Matcher {
        alert: Some(AlertIdentity::default().id(&arrears(2, 1).key)),
        ..Matcher::default()
    };
    silences.add(&one, "known", now(), until).unwrap();
    let both = [2, 3].map(|n| update(arrears(n, 100)));
    store.commit(&batch(2, both), &routing, now()).unwrap();
    assert_eq!(told_by(&store, &at_once(), seconds_later(61)).len(), 1);
    assert_eq!(told_by(&store, &at_once(), until).len(), 1);
    assert_eq!(silences.list().unwrap().len(), 2);
}

#[test]
fn a_silent_feed_holds_back_what_waits_for_it_in_its_region() {
    let (_folder, mut store) = store();
    let mut routing = routing([recipient("li@example.org")]);
    routing.recipients[0]
        .interest
        .detectors
        .extend([Detector::Arrears, Detector::UnderDeclaredBase]);
    let mut silent = finding(Detector::SilentFeed, Subject::Region(region("341002")), 0);
    silent.key.period = None;
    silent.key.item = Some("tax.collection".to_owned());
    let mut elsewhere = arrears(2, 100);
    elsewhere.region = region("341021");
    let mut presence = arrears(3, 100);
    presence.key.detector = Detector::UnderDeclaredBase;
    let steps = [silent.clone(), arrears(1, 100), elsewhere, presence].map(update);
    store.commit(&batch(1, steps), &routing, now()).unwrap();
    assert_eq!(told(&store).len(), 2);
    store
        .commit(&batch(2, [update(cleared(silent))]), &routing, now())
        .unwrap();
    assert_eq!(told(&store).len(), 1, "the feed speaks again");
}

#[test]
fn a_sign_of_life_a_week_and_one_for_all_that_were_missed() {
    let (folder, mut store) = store();
    let routing = routing([recipient("li@example.org"), recipient("gone@example.org")]);
    let mut pacing = pacing();
    pacing.addresses.insert("li@example.org".to_owned());
    let mut batch = batch(1, [update(arrears(1, 120))]);
    batch.as_of.push(FeedAsOf {
        topic: Topic::TaxCollection,
        region: region("341002"),
        closed: day("2024-03-31"),
    });
    store.commit(&batch, &routing, now()).unwrap();
    assert_eq!(told_by(&store, &pacing, now()), [], "not at the start");
    let morning = "2024-04-02T00:30:00Z".parse().unwrap();
    assert_eq!(told_by(&store, &pacing, morning).len(), 2);
    // Monday, 8 April.
    let monday: Timestamp = "2024-04-08T00:30:00Z".parse().unwrap();
    let early = monday - jiff::SignedDuration::from_secs(1);
    assert_eq!(told_by(&store, &pacing, early), []);
    let mails = told_by(&store, &pacing, monday);
    assert_eq!(mails.len(), 1);
    let Content::Life(sign) = &mails[0].content else {
        panic!("no sign of life");
    };
    assert_eq!((sign.since, sign.until, sign.told), (now(), monday, 1));
    assert_eq!(sign.open, [(Severity::Blue, 1)]);
    assert_eq!(sign.open_amount, Money::from_yuan(120));
    assert_eq!(
        sign.feeds,
        [(
            "tax.collection".to_owned(),
            region("341002"),
            day("2024-03-31")
        )]
    );
    assert_eq!(told_by(&store, &pacing, monday), []);
    drop(store);
    let store = open(&folder);
    // Three Mondays later.
    let late = "2024-04-30T12:00:00Z".parse().unwrap();
    let mails = told_by(&store, &pacing, late);
    assert_eq!(shapes(&mails), [(MailKind::Life, 0)]);
    let Content::Life(sign) = &mails[0].content else {
        panic!("no sign of life");
    };
    assert_eq!(
        sign.until,
        "2024-04-29T00:30:00Z".parse::<Timestamp>().unwrap()
    );
}

/// 5,000 alerts of all severities in one epoch: three mails to each recipient, and bounded work.
#[test]
fn five_thousand_at_once_are_a_mail_for_each_pace() {
    let (_folder, mut store) = store();
    let addresses: Vec<_> = (0..10).map(|n| format!("r{n}@example.org")).collect();
    let routing = routing(addresses.iter().map(|address| recipient(address)));
    let updates = (0..5_000).map(|n| {
        let mut finding = arrears(n, i64::from(n));
        finding.severity = Severity::ALL[n as usize % 4];
        update(finding)
    });
    let start = Instant::now();
    store.commit(&batch(1, updates), &routing, now()).unwrap();
    let committed = start.elapsed();
    let start = Instant::now();
    let mut pacing = pacing();
    pacing.group_repeat = None;
    let mut mails = told_by(&store, &pacing, seconds_later(30));
    let morning = "2024-04-02T00:30:00Z".parse().unwrap();
    mails.extend(told_by(&store, &pacing, morning));
    println!(
        "committed in {committed:?}, planned and claimed in {:?}",
        start.elapsed()
    );
    let kinds = |kind| mails.iter().filter(|mail| shape(mail) == kind).count();
    assert_eq!(mails.len(), 30);
    assert_eq!(kinds((MailKind::Batch, 1_250)), 10);
    assert_eq!(kinds((MailKind::Group, 1_250)), 10);
    assert_eq!(kinds((MailKind::Digest, 2_500)), 10);
    // Far above what is measured, so that a lost index is noticed.
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn programs_are_told_each_telling_in_order() {
    let (_folder, mut store) = store();
    let mut routing = routing([]);
    let mut interest = crate::routing::Interest::in_all();
    interest.min_severity = Severity::Orange;
    routing.hooks.push(crate::routing::Hook {
        name: "casework".to_owned(),
        interest,
    });
    for (epoch, step) in [
        update(orange(1, 100)),
        // No longer grave enough, but it was told.
        update(arrears(1, 50)),
        update(arrears(2, 50)),
    ]
    .into_iter()
    .enumerate()
    {
        store
            .commit(&batch(epoch as u64, [step]), &routing, now())
            .unwrap();
    }
    let mut queue = HookQueue::open(store.path()).unwrap();
    let revisions = |queue: &HookQueue| -> Vec<u64> {
        let due = queue.due("casework", now(), 10).unwrap();
        due.iter().map(|pending| pending.telling.revision).collect()
    };
    assert_eq!(revisions(&queue), [1]);
    let seq = queue.due("casework", now(), 1).unwrap()[0].telling.seq;
    let retry = HookResult::Retry {
        due: seconds_later(15),
        error: "503".to_owned(),
    };
    queue.settle("casework", &[(seq, retry)]).unwrap();
    assert_eq!(
        revisions(&queue),
        [] as [u64; 0],
        "the second does not overtake the first"
    );
    queue
        .settle("casework", &[(seq, HookResult::Refused("400".to_owned()))])
        .unwrap();
    assert_eq!(revisions(&queue), [2]);
    let next = queue.due("casework", now(), 1).unwrap()[0].telling.seq;
    queue
        .settle("casework", &[(next, HookResult::Taken)])
        .unwrap();
    let reader = store.reader().unwrap();
    let outbox = reader.outbox(Channel::Webhook).unwrap();
    assert_eq!((outbox.pending, outbox.failed), (0, 1));
    let refused = reader.refused().unwrap();
    assert_eq!(
        (refused[0].to.as_str(), refused[0].reason.as_str()),
        ("casework", "400")
    );
}

/// A store as the version before mails were planned left it.
#[test]
fn an_older_store_goes_on_where_it_was() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data/fund.db");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let finding = arrears(1, 100);
    let id = AlertIdentity::default().id(&finding.key);
    let json = serde_json::to_string(&domain::Alert::new(id.clone(), &finding)).unwrap();
    {
        let mut old = Connection::open(&path).unwrap();
        Migrations::from_slice(&MIGRATIONS[..1])
            .to_latest(&mut old)
            .unwrap();
        old.execute(
            "INSERT INTO alerts VALUES (1, ?1, 'arrears', 's', '341002', '2024-02', NULL, 'open', 0,
                 '100.00', 10000, '100.00', 10000, '2024-03-16', NULL, ?2, 1, 0, '[1]', 1, 1)",
            [&id, &json],
        )
        .unwrap();
        old.execute(
            "INSERT INTO alert_history VALUES (7, 1, 1, 0, 'raised', NULL, 0, 10000, ?1, 1)",
            [&json],
        )
        .unwrap();
        old.execute_batch(
            "INSERT INTO recipients VALUES (1, 'li@example.org', '', 'zh');
             INSERT INTO mail VALUES (3, 1, 1, '[7]', 'first@h', 'pending', 0, 0, 0, NULL, NULL);",
        )
        .unwrap();
    }
    let mut store = open(&folder);
    let mails = told(&store);
    assert_eq!(shapes(&mails), [(MailKind::Single, 1)]);
    assert_eq!(mails[0].message_id, "first@h");
    let routing = routing([recipient("li@example.org")]);
    store
        .commit(&batch(1, [update(arrears(1, 200))]), &routing, now())
        .unwrap();
    let mails = told(&store);
    assert_eq!(mails[0].threads, ["first@h"], "under the first mail");
}

/// A shell, a backup, a report that hangs: whoever reads for ever makes the log grow, but not for ever.
#[test]
fn a_reader_that_never_ends_stops_the_commits_before_the_disk_is_full() {
    let folder = TempDir::new().unwrap();
    let mut store = open(&folder);
    store.bound_log_for_test(40, 400);
    let reader = rusqlite::Connection::open(store.path()).unwrap();
    let begin = || {
        reader.execute_batch("BEGIN").unwrap();
        let _: i64 = reader
            .query_row("SELECT count(*) FROM alerts", [], |row| row.get(0))
            .unwrap();
    };
    let path = store.path().to_owned();
    let log_bytes = || {
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(log).unwrap().len()
    };
    begin();
    let routing = routing(Vec::new());
    let mut n = 0;
    let held = loop {
        n += 1;
        assert!(n < 2_000, "the log has no bound");
        match store.commit(&batch(n, [update(arrears(n as u32, 100))]), &routing, now()) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(held, StoreError::LogHeld) && held.is_retryable(),
        "{held}"
    );
    assert!(log_bytes() < 420 * 4_200, "{}", log_bytes());
    // The reader ends, and it goes on by itself: the same epoch, and the file is short again.
    reader.execute_batch("COMMIT").unwrap();
    let again = batch(n, [update(arrears(n as u32, 100))]);
    assert_eq!(store.commit(&again, &routing, now()).unwrap().told.len(), 1);
    assert!(log_bytes() < 60 * 4_200, "{}", log_bytes());
}

#[test]
fn alerts_are_found_by_their_subject_and_by_the_beginning_of_an_id() {
    let (_folder, mut store) = store();
    let other_detector = Finding {
        key: AlertKey {
            detector: Detector::Undeclared,
            ..arrears(1, 5).key
        },
        ..arrears(1, 5)
    };
    let withdrawn = Finding {
        key: AlertKey {
            period: Period::from_ym(2024, 3),
            ..arrears(1, 5).key
        },
        ..arrears(1, 5)
    };
    let all = [
        arrears(1, 100),
        arrears(2, 7),
        other_detector,
        withdrawn.clone(),
    ];
    let mut first = batch(1, all.map(update));
    first.present = Some(day("2024-04-01"));
    let routing = routing(Vec::new());
    store.commit(&first, &routing, now()).unwrap();
    store
        .commit(&batch(2, [gone(&withdrawn)]), &routing, now())
        .unwrap();

    let reader = store.reader().unwrap();
    assert_eq!(reader.present().unwrap(), Some(day("2024-04-01")));
    let subject = crate::test_kit::enterprise(1).to_string();
    let found = reader.alerts_of(&subject).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|row| {
            (
                row.alert.detector.as_str(),
                row.alert.period.as_deref(),
                row.withdrawn,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("arrears", Some("2024-02"), false),
            ("arrears", Some("2024-03"), true),
            ("undeclared", Some("2024-02"), false),
        ]
    );
    assert!(reader.alerts_of("").unwrap().is_empty());

    let ids = reader.ids_beginning_with("", 99).unwrap();
    assert_eq!(ids.len(), 4);
    for id in &ids {
        for end in [12, id.len()] {
            assert_eq!(
                reader.ids_beginning_with(&id[..end], 2).unwrap(),
                std::slice::from_ref(id)
            );
        }
    }
    assert_eq!(reader.ids_beginning_with("", 2).unwrap().len(), 2);
    assert!(reader.ids_beginning_with("zz", 2).unwrap().is_empty());
    // What is asked is a text, not a pattern.
    assert!(reader.ids_beginning_with("%", 2).unwrap().is_empty());
}
