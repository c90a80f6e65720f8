//! The whole product from outside: feeds on a real Apache Kafka, alerts in the store, on their topic and in mails.
//!
//! Each test has a broker and a mail server of its own, and says loudly when one of them is not to be had.

mod cluster;
mod feeds;
mod recovery;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use acceptance::binary::{self, Replayed};
use acceptance::daemon::Daemon;
use acceptance::reference::intake::DeadLetter;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use feeds::Feeds;
use stage::{
    ALERTS, Broker, DEAD_LETTER, IN_CHINESE, IN_ENGLISH, Mail, PARTITIONS, SOON, Stage, TOPICS,
    assert_hides, fundwatch, latest,
};

/// A small city in which much goes wrong, whose feeds all end with the same day.
const CITY: [&str; 14] = [
    "--seed",
    "7",
    "--months",
    "3",
    "--retirees",
    "800",
    "--enterprises",
    "120",
    "--contributors",
    "2500",
    "--irregularities",
    "300",
    "--no-silences",
    "--out",
];

/// The city's feeds as files, and what `replay` says of them.
struct City {
    /// The day that the feeds end with.
    as_of: String,
    replayed: Replayed,
    /// Every resident ID number in the feeds, as it stands there and in 18 characters.
    numbers: BTreeSet<String>,
}

impl City {
    fn build(stage: &Stage) -> City {
        let feeds = stage.path("feeds");
        let words = ["simulate"].iter().chain(&CITY).map(AsRef::as_ref);
        fundwatch(words.chain([feeds.as_os_str()]));
        let truth = fs::read_to_string(feeds.join("truth.jsonl")).expect("a truth is written");
        let run: Value = serde_json::from_str(truth.lines().next().unwrap_or_default())
            .expect("it says what was run");
        let as_of = run["as_of"].as_str().expect("and up to which day");
        let out = stage.path("replayed");
        let replayed =
            binary::replay(&feeds, &huangshan(), as_of, &out, 2).expect("it is replayed");
        assert!(replayed.alerts.len() > 20, "much goes wrong in the city");
        let numbers = numbers(&feeds, &replayed);
        City {
            as_of: as_of.to_owned(),
            replayed,
            numbers,
        }
    }
}

fn huangshan() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/policies/huangshan.toml")
}

/// `simulate --to kafka`, of the same city.
fn to_kafka(stage: &Stage, rate: Option<u32>) -> Command {
    let mut command = Command::new(binary::fundwatch());
    command.arg("simulate").args(CITY).arg(stage.path("truth"));
    command.args(["--to", "kafka", "--bootstrap"]);
    command.arg(stage.broker.bootstrap());
    command.args(["--topic-prefix", &stage.prefix]);
    if let Some(rate) = rate {
        command.args(["--rate", &rate.to_string()]);
    }
    command
}

fn numbers(feeds: &Path, replayed: &Replayed) -> BTreeSet<String> {
    let lines = TOPICS.into_iter().flat_map(|topic| {
        let bytes = fs::read(feeds.join(format!("{topic}.jsonl"))).expect("a feed is written");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let people = lines.filter_map(|line| {
        let record: Value = serde_json::from_str(&line).ok()?;
        Some(record["person"].as_str()?.to_uppercase())
    });
    let subjects = replayed
        .alerts
        .iter()
        .filter(|alert| is_of_person(alert))
        .filter_map(|alert| Some(alert["subject"].as_str()?.to_owned()));
    let numbers: BTreeSet<String> = people
        .chain(subjects)
        .filter(|number| matches!(number.len(), 15 | 18))
        .collect();
    assert!(numbers.len() > 800);
    numbers
}

fn is_of_person(alert: &Value) -> bool {
    let detector = alert["detector"].as_str().unwrap_or_default();
    ["deceased-recipient", "duplicate-payout", "missed-payout"].contains(&detector)
}

#[test]
fn a_backlog_ends_as_a_replay_does_and_a_restart_tells_nobody_anything() {
    let Some(stage) = Stage::set("backlog", Broker::Shared, &huangshan(), 1) else {
        return;
    };
    let city = City::build(&stage);
    stage.create_topics();
    for topic in TOPICS.into_iter().chain([ALERTS]) {
        assert_eq!(stage.ends(topic).len(), PARTITIONS, "{topic}");
    }
    assert_eq!(stage.ends(DEAD_LETTER).len(), 1);
    acceptance::peer::run(&mut to_kafka(&stage, None)).expect("the city is sent");

    let mut daemon = stage.start_daemon();
    stage.wait_until_settled(&mut daemon);
    stage.wait_until_ready(&mut daemon);
    assert_same_store(&stage, &city);
    assert_same_counts(&mut daemon, &city);
    assert_same_dead_letters(&stage, &city);
    assert_whole_topic(&stage);
    let mails = assert_mails(&stage, &city, Repeats::No);
    // So much at once is told in one mail to each.
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(mails.iter().all(|mail| mail.telling.is_none()));
    let metrics = daemon.get("/metrics").expect("metrics are served").body;
    assert_hides(&city.numbers, "the metrics", &metrics);
    assert_same_ledger(&stage, &city);

    let before = stage.seen();
    assert_eq!(daemon.stop(), Some(0), "{:?}", daemon.words());
    assert_eq!(stage.seen(), before);
    let mut daemon = assert_nothing_new_after_start(&stage, &before);
    daemon.kill();
    stage.verify_state().expect("the state is whole");
    stage.set_workers(3);
    let mut daemon = assert_nothing_new_after_start(&stage, &before);
    assert_loaded(&mut daemon, &city, 0);
    daemon.kill();

    // A damage costs time and nothing else as long as the topics have everything.
    let file = stage.damage_state();
    let words = stage.verify_state().expect_err("it is seen");
    assert!(words.contains(&file.display().to_string()), "{words}");
    stage.set_workers(1);
    let mut daemon = assert_nothing_new_after_start(&stage, &before);
    daemon.wait_until("the damage is counted", SOON, |metrics| {
        metrics.sum("fundwatch_state_damaged", &[]) == 1
    });
    assert_eq!(daemon.stop(), Some(0), "{:?}", daemon.words());
    stage.verify_state().expect("it is whole again");
    let words = daemon.words().expect("it keeps a log");
    assert!(words.contains("the state on disk is not whole"), "{words}");
    assert_hides(&city.numbers, "the log", &words);
}

/// Beside the daemon, and without disturbing it: the ledger of the topics is that of the files.
fn assert_same_ledger(stage: &Stage, city: &City) {
    let report = |from: &[&str]| {
        let mut command = Command::new(binary::fundwatch());
        command.args(["report", "ledger", "--as-of", &city.as_of]);
        command
            .args(["--by", "month", "--format", "json"])
            .args(from);
        let output = command.output().expect("the program can be started");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{from:?}: {words}");
        String::from_utf8(output.stdout).expect("a report is UTF-8")
    };
    let (config, feeds, policy) = (
        stage.path("fundwatch.toml"),
        stage.path("feeds"),
        huangshan(),
    );
    let [config, feeds, policy] = [&config, &feeds, &policy].map(|path| path.to_string_lossy());
    let of_topics = report(&["--config", &config, "--workers", "3"]);
    let of_files = report(&["--feeds", &feeds, "--policy", &policy]);
    assert!(of_files.contains("\"collected\""), "{of_files}");
    assert_eq!(of_topics, of_files);
}

/// All facts came from disk, and of the state so many segments were damaged.
fn assert_loaded(daemon: &mut Daemon, city: &City, damaged: u64) {
    let feeds = city.replayed.summary["feeds"].as_object();
    let feeds = feeds.expect("there are feeds").values();
    let facts: u64 = feeds
        .map(|feed| {
            let of = |name: &str| feed[name].as_u64().unwrap_or(0);
            let conflicting = feed["rejected"]["conflicting-id"].as_u64().unwrap_or(0);
            of("accepted") + of("redelivered") + conflicting
        })
        .sum();
    daemon.wait_until("all facts came from disk", SOON, |metrics| {
        metrics.sum("fundwatch_state_loaded_facts", &[]) == facts
            && metrics.sum("fundwatch_state_damaged", &[]) == damaged
    });
}

/// A start judges everything again, and changes nothing.
fn assert_nothing_new_after_start(stage: &Stage, before: &stage::Seen) -> Daemon {
    let mut daemon = stage.start_daemon();
    stage.wait_until_ready(&mut daemon);
    stage.wait_until_settled(&mut daemon);
    assert_eq!(stage.seen(), *before);
    daemon
}

#[test]
fn feeds_that_flow_end_as_a_replay_does_though_the_daemon_is_killed() {
    let Some(stage) = Stage::set("flow", Broker::Shared, &huangshan(), 1) else {
        return;
    };
    let city = City::build(&stage);
    stage.create_topics();
    let mut daemon = stage.start_daemon();
    stage.wait_until_ready(&mut daemon);
    let mut simulation = to_kafka(&stage, Some(1_500))
        .stdout(Stdio::null())
        .spawn()
        .expect("the program can be started");
    let tellings = "SELECT count(*) FROM alert_history";
    let mails = "SELECT count(*) FROM mail WHERE state = 'sent'";
    daemon.wait_for("something was told", SOON, || {
        let store = stage.store();
        store.count(tellings) >= 5 && store.count(mails) >= 1
    });
    daemon.kill();
    let mut daemon = stage.start_daemon();
    let status = simulation.wait().expect("the simulation ends");
    assert!(status.success());
    stage.wait_until_settled(&mut daemon);
    assert_same_store(&stage, &city);
    assert_same_counts(&mut daemon, &city);
    assert_same_dead_letters(&stage, &city);
    assert_topic_tells_history(&stage);
    assert_mails(&stage, &city, Repeats::OfThoseUnderWay);
    let before = stage.seen();
    assert_eq!(daemon.stop(), Some(0), "{:?}", daemon.words());
    let daemon = assert_nothing_new_after_start(&stage, &before);
    assert_hides(
        &city.numbers,
        "the log",
        &daemon.words().expect("it keeps a log"),
    );
}

/// What stands in the store is what `replay` wrote, byte for byte.
fn assert_same_store(stage: &Stage, city: &City) {
    let standing = stage.store().standing();
    let replayed = String::from_utf8_lossy(&city.replayed.alert_bytes);
    let replayed: Vec<&str> = replayed.lines().collect();
    for alert in &standing {
        assert!(replayed.contains(&alert.as_str()), "only live: {alert}");
    }
    for alert in &replayed {
        assert!(
            standing.iter().any(|standing| standing == alert),
            "only replayed: {alert}"
        );
    }
    assert_eq!(standing, replayed, "in the same order");
}

fn assert_same_counts(daemon: &mut Daemon, city: &City) {
    let feeds = &city.replayed.summary["feeds"];
    daemon.wait_until("its counts are those of the replay", SOON, |metrics| {
        TOPICS.iter().all(|topic| {
            let of = |result: &str| {
                let labels = [format!("topic=\"{topic}\""), format!("result=\"{result}\"")];
                metrics.sum(
                    "fundwatch_feed_records_total",
                    &labels.each_ref().map(String::as_str),
                )
            };
            let rejected = feeds[topic]["rejected"]
                .as_object()
                .expect("reasons are counted");
            let rejected: u64 = rejected.values().filter_map(Value::as_u64).sum();
            Some(of("accepted")) == feeds[topic]["accepted"].as_u64()
                && Some(of("redelivered")) == feeds[topic]["redelivered"].as_u64()
                && of("rejected") == rejected
        })
    });
}

/// The same but for the position, each once.
fn assert_same_dead_letters(stage: &Stage, city: &City) {
    type Letter = (String, String, Option<String>, Vec<u8>);
    let of_replay = |letter: &DeadLetter| -> Letter {
        let letter = letter.clone();
        (letter.topic, letter.reason, letter.field, letter.raw)
    };
    let mut expected: Vec<Letter> = city.replayed.dead_letters.iter().map(of_replay).collect();
    let mut positions = BTreeSet::new();
    let mut published = Vec::new();
    for letter in stage.published_dead_letters() {
        let text = |name: &str| letter[name].as_str().map(str::to_owned);
        let position = text("position").expect("it says where it was");
        let (partition, offset) = position.split_once(':').expect("by partition and offset");
        assert!(
            partition
                .parse::<usize>()
                .is_ok_and(|partition| partition < PARTITIONS)
        );
        assert!(offset.parse::<i64>().is_ok());
        let topic = text("topic").expect("it names its topic");
        if !positions.insert((topic.clone(), position)) {
            continue;
        }
        let raw = BASE64_STANDARD
            .decode(text("raw").expect("it has its bytes"))
            .expect("in base64");
        let reason = text("reason").expect("it says why");
        published.push((topic, reason, text("field"), raw));
    }
    expected.sort();
    published.sort();
    assert_eq!(published, expected);
}

/// After one epoch the topic's last records are the stored alerts, with what belongs to the telling besides.
fn assert_whole_topic(stage: &Stage) {
    let published = stage.published();
    let stored: BTreeMap<String, Value> = stage
        .store()
        .alerts()
        .into_iter()
        .map(|(json, _)| {
            let alert: Value = serde_json::from_str(&json).expect("an alert is JSON");
            (
                alert["id"].as_str().expect("it has an id").to_owned(),
                alert,
            )
        })
        .collect();
    let told: BTreeMap<String, Value> = latest(&published)
        .into_iter()
        .map(|(key, record)| {
            let mut alert = record.value;
            let members = alert.as_object_mut().expect("it is an object");
            for of_telling in ["event", "revision", "cause"] {
                assert!(members.remove(of_telling).is_some(), "{of_telling}");
            }
            assert_eq!(alert["id"], json!(key));
            (key, alert)
        })
        .collect();
    assert_eq!(told, stored);
    assert_eq!(published.len(), stored.len(), "each is told once");
}

/// Every telling of the store is on the topic, and the last one of each alert says what stands. (That `details` or
/// `evidence` alone change is told to nobody.)
fn assert_topic_tells_history(stage: &Stage) {
    let store = stage.store();
    let published = stage.published();
    let told: BTreeSet<(&str, u64)> = published
        .iter()
        .map(|record| (record.key.as_str(), record.revision))
        .collect();
    assert_eq!(told.len(), store.history().len());
    let latest = latest(&published);
    let alerts = store.alerts();
    assert_eq!(latest.len(), alerts.len());
    for (json, withdrawn) in alerts {
        let alert: Value = serde_json::from_str(&json).expect("an alert is JSON");
        let told = &latest[alert["id"].as_str().expect("it has an id")].value;
        if withdrawn {
            assert_eq!(told["state"], "withdrawn", "{told}");
            continue;
        }
        for field in [
            "id", "detector", "subject", "period", "item", "state", "amount", "severity",
        ] {
            assert_eq!(told[field], alert[field], "{field} of {told} and {alert}");
        }
    }
}

/// Whether the server may have got a mail more than once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeats {
    No,
    /// Those whose fate nobody knew when the daemon was killed; a reader's program sees that they are one.
    OfThoseUnderWay,
}

/// Each recipient got each mail that the store says was sent, and none gives a number away. Returns them, each once.
fn assert_mails(stage: &Stage, city: &City, repeats: Repeats) -> Vec<Mail> {
    let mut known: BTreeMap<String, Mail> = BTreeMap::new();
    let mut mails = Vec::new();
    for mail in stage.mails() {
        if let Some(before) = known.insert(mail.message_id.clone(), mail.clone()) {
            assert!(repeats != Repeats::No, "it came twice: {mail:#?}");
            assert_eq!(before, mail, "a repeat says the same");
        } else {
            mails.push(mail);
        }
    }
    let store = stage.store();
    let sent = store.count("SELECT count(*) FROM mail WHERE state = 'sent'");
    assert_eq!(mails.len() as u64, sent);
    assert_eq!(store.count("SELECT count(*) FROM mail"), sent);
    for recipient in [IN_CHINESE, IN_ENGLISH] {
        let theirs = mails.iter().filter(|mail| mail.to == recipient).count();
        assert_eq!(theirs * 2, mails.len(), "both are told the same");
    }
    for mail in &mails {
        let all = format!("{}\n{}", mail.subject, mail.text);
        assert_hides(&city.numbers, "a mail", &all);
        assert_hides(&city.numbers, "a mail's source", &mail.data);
    }
    mails
}

const TAX: &str = "tax.collection";
const PAYOUT: &str = "agency.payout";
/// Two regions of the policy of the worked cases, and enterprises and a person of them.
const HERE: &str = "341002";
const THERE: &str = "341021";
const DEBTOR: &str = "91341002MA2TEXT08E";
const PAYER: &str = "91341002MA2TEXT169";
const DEBTOR_THERE: &str = "91341002MA2TEXT244";
const RETIREE: &str = "341002195203100007";

/// Contributions are due on the 15th of the next month, both rates together are 24%, and yellow begins at 10,000 yuan.
fn policy_of_cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/06-arrears/policy.toml")
}

fn declaration(enterprise: &str, base: &str) -> Value {
    json!({"type": "declaration", "date": "2024-02-05", "enterprise": enterprise, "period": "2024-01",
        "headcount": 5, "base": base})
}

fn payment(enterprise: &str, date: &str) -> Value {
    json!({"type": "payment", "date": date, "enterprise": enterprise, "period": "2024-01"})
}

fn payout(person: &str, date: &str) -> Value {
    json!({"type": "payout", "date": date, "person": person, "period": "2024-02", "item": "basic_pension",
        "nature": "regular"})
}

/// Waits until all that was sent is told, and compares what is new on the alerts topic: event, detector, subject,
/// item, amount, severity, first day.
fn assert_told(stage: &Stage, daemon: &mut Daemon, told: &mut usize, expected: &[&str]) {
    stage.wait_until_settled(daemon);
    let history = stage.store().history();
    let new: BTreeSet<String> = history[*told..]
        .iter()
        .map(|telling| telling.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    *told = history.len();
    let mut lines: Vec<String> = stage
        .published()
        .iter()
        .filter(|record| new.contains(&format!("{} {}", record.key, record.revision)))
        .map(|record| {
            let text = |name: &str| record.value[name].as_str().unwrap_or("-").to_owned();
            let names = [
                "event",
                "detector",
                "subject",
                "item",
                "amount",
                "severity",
                "opened_on",
            ];
            names.map(text).join(" ")
        })
        .collect();
    lines.sort();
    assert_eq!(lines, expected, "in the alphabet's order");
}

#[test]
fn what_comes_late_is_told_in_order_and_a_silent_feed_holds_back_its_own_region_alone() {
    let Some(stage) = Stage::set("late", Broker::Shared, &policy_of_cases(), 3) else {
        return;
    };
    stage.create_topics();
    let mut daemon = stage.start_daemon();
    stage.wait_until_ready(&mut daemon);
    let mut feeds = Feeds::default();
    let mut told = 0;
    let regions = [HERE, THERE];

    // Nothing is due yet. From here on the tax feed of the other region is silent.
    feeds.close_all_but(&[], &regions, "2024-02-14");
    feeds.send(&stage);
    assert_told(&stage, &mut daemon, &mut told, &[]);

    let silent = [(TAX, THERE)];
    let declared = feeds.record(TAX, HERE, None, declaration(DEBTOR, "50000.00"));
    feeds.record(TAX, HERE, None, declaration(PAYER, "25000.00"));
    feeds.record(TAX, THERE, None, declaration(DEBTOR_THERE, "50000.00"));
    feeds.close_all_but(&silent, &regions, "2024-02-19");
    feeds.send(&stage);
    assert_told(
        &stage,
        &mut daemon,
        &mut told,
        &[
            "raised arrears 91341002MA2TEXT08E - 12000.00 yellow 2024-02-16",
            "raised arrears 91341002MA2TEXT169 - 6000.00 blue 2024-02-16",
        ],
    );

    // Of the silent region everything is told that does not speak of absence.
    feeds.record(TAX, HERE, Some(400_000), payment(DEBTOR, "2024-02-20"));
    feeds.record(PAYOUT, THERE, Some(300_000), payout(RETIREE, "2024-02-20"));
    feeds.record(PAYOUT, THERE, Some(300_000), payout(RETIREE, "2024-02-20"));
    feeds.close_all_but(&silent, &regions, "2024-02-20");
    feeds.send(&stage);
    assert_told(
        &stage,
        &mut daemon,
        &mut told,
        &[
            "changed arrears 91341002MA2TEXT08E - 8000.00 blue 2024-02-16",
            "raised duplicate-payout 341002195203100007 basic_pension 3000.00 blue 2024-02-20",
            "raised silent-feed 341021 tax.collection 0.00 blue 2024-02-20",
        ],
    );

    // One pays what is left; of the other it turns out that it paid in time.
    let paid = feeds.record(TAX, HERE, Some(800_000), payment(DEBTOR, "2024-02-21"));
    let late = feeds.record(TAX, HERE, Some(600_000), payment(PAYER, "2024-02-14"));
    feeds.close_all_but(&silent, &regions, "2024-02-21");
    feeds.send(&stage);
    assert_told(
        &stage,
        &mut daemon,
        &mut told,
        &[
            "cleared arrears 91341002MA2TEXT08E - 0.00 yellow 2024-02-16",
            "withdrawn arrears 91341002MA2TEXT169 - 0.00 blue 2024-02-16",
        ],
    );

    let reversal = json!({"type": "payment_reversal", "date": "2024-02-22", "enterprise": DEBTOR,
        "period": "2024-01", "reverses": paid});
    feeds.record(TAX, HERE, Some(800_000), reversal);
    feeds.close_all_but(&silent, &regions, "2024-02-22");
    feeds.send(&stage);
    assert_told(
        &stage,
        &mut daemon,
        &mut told,
        &["reopened arrears 91341002MA2TEXT08E - 8000.00 blue 2024-02-22"],
    );

    // The silent feed speaks again, and what it held back is told.
    feeds.close(TAX, THERE, "2024-02-22");
    feeds.send(&stage);
    assert_told(
        &stage,
        &mut daemon,
        &mut told,
        &[
            "cleared silent-feed 341021 tax.collection 0.00 blue 2024-02-20",
            "raised arrears 91341002MA2TEXT244 - 12000.00 yellow 2024-02-16",
        ],
    );
    assert_late_facts_are_missed(&stage, &mut daemon, &mut feeds, &mut told);
    assert_rejects_are_shown(&stage, &mut daemon, &mut feeds, &declared);
    assert_told_to_people(&stage, &late);

    let before = stage.seen();
    daemon.kill();
    assert_nothing_new_after_start(&stage, &before);
}

/// A close that counts a record which is not there yet.
fn assert_late_facts_are_missed(
    stage: &Stage,
    daemon: &mut Daemon,
    feeds: &mut Feeds,
    told: &mut usize,
) {
    let close = json!({"type": "day_close", "id": "T1", "region": THERE, "date": "2024-02-23", "records": 1,
        "amount": "250.00"});
    feeds.raw(PAYOUT, THERE, close.to_string().as_bytes());
    feeds.send(stage);
    let raised = "raised incomplete-feed 341021 agency.payout:T1 250.00 blue 2024-02-23";
    assert_told(stage, daemon, told, &[raised]);
    let other = "341002195203110010";
    feeds.record(PAYOUT, THERE, Some(25_000), payout(other, "2024-02-23"));
    feeds.send(stage);
    let cleared = "cleared incomplete-feed 341021 agency.payout:T1 0.00 blue 2024-02-23";
    assert_told(stage, daemon, told, &[cleared]);
}

/// The greatest record that is not too large, one that is, one that is no JSON, and an id that was used before.
fn assert_rejects_are_shown(stage: &Stage, daemon: &mut Daemon, feeds: &mut Feeds, declared: &str) {
    let largest = vec![b'x'; 1 << 20];
    let too_large = vec![b'y'; (1 << 20) + 1];
    let mut other = declaration(DEBTOR, "1.00");
    other["id"] = json!(declared);
    other["region"] = json!(HERE);
    feeds.raw(TAX, HERE, &largest);
    feeds.raw(TAX, HERE, &too_large);
    feeds.raw(TAX, HERE, b"{");
    feeds.raw(TAX, HERE, other.to_string().as_bytes());
    let known = stage.store().history().len();
    feeds.send(stage);
    stage.wait_until_settled(daemon);
    assert_eq!(
        stage.store().history().len(),
        known,
        "no alert rests on them"
    );
    let letters = stage.published_dead_letters();
    let shown: BTreeSet<(String, usize)> = letters
        .iter()
        .map(|letter| {
            let reason = letter["reason"].as_str().expect("it says why");
            let raw = letter["raw"].as_str().expect("it has its bytes");
            let raw = BASE64_STANDARD.decode(raw).expect("in base64");
            (reason.to_owned(), raw.len())
        })
        .collect();
    let expected = [
        ("conflicting-id", other.to_string().len()),
        ("not-json", 1),
        ("not-json", 1 << 20),
        ("too-large", 1024),
    ];
    let expected = expected.map(|(reason, length)| (reason.to_owned(), length));
    assert_eq!(shown, BTreeSet::from(expected));
    assert_eq!(letters.len(), 4);
}

/// Each telling came to both, in its order, in their language; and the withdrawal names what did it.
fn assert_told_to_people(stage: &Stage, late: &str) {
    let (mails, published) = (stage.mails(), stage.published());
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!(ids.len(), mails.len());
    let mut expected: Vec<(String, String, u64)> = published
        .iter()
        .map(|record| (record.key.clone(), record.event.clone(), record.revision))
        .collect();
    expected.sort_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
    for recipient in [IN_CHINESE, IN_ENGLISH] {
        let mut got: Vec<(String, String, u64)> = mails
            .iter()
            .filter(|mail| mail.to == recipient)
            .map(|mail| mail.telling.clone().expect("so few are told one by one"))
            .collect();
        // Stable: of one alert the order is that of arrival.
        got.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(got, expected);
    }
    latest(&published);
    let number = BTreeSet::from([RETIREE.to_owned()]);
    for mail in &mails {
        assert_hides(
            &number,
            "a mail",
            &format!("{}\n{}\n{}", mail.subject, mail.text, mail.data),
        );
    }

    let of = |event: &str, subject: &str| {
        let found = published
            .iter()
            .find(|record| record.event == event && record.value["subject"] == subject);
        found.expect("it was told").clone()
    };
    let withdrawn = of("withdrawn", PAYER);
    assert_eq!(withdrawn.value["cause"], json!(format!("{TAX}/{late}")));
    assert_eq!(withdrawn.value["state"], "withdrawn");
    let mail_on = |telling: &stage::Published, recipient: &str| {
        let name = (telling.key.clone(), telling.event.clone(), telling.revision);
        let found = mails
            .iter()
            .find(|mail| mail.to == recipient && mail.telling.as_ref() == Some(&name));
        found.expect("it was mailed").clone()
    };
    let raised = of("raised", DEBTOR);
    for (telling, recipient, words) in [
        (
            &raised,
            IN_ENGLISH,
            [DEBTOR, "CNY 12,000.00", "屯溪区", "2024-02-16"],
        ),
        (
            &raised,
            IN_CHINESE,
            [DEBTOR, "12,000.00元", "欠费", "2024-02-16"],
        ),
        (
            &withdrawn,
            IN_ENGLISH,
            [PAYER, "withdrawn", late, "CNY 6,000.00"],
        ),
        (
            &withdrawn,
            IN_CHINESE,
            [PAYER, "预警撤回", late, "6,000.00元"],
        ),
    ] {
        let mail = mail_on(telling, recipient);
        for word in words {
            assert!(mail.text.contains(word), "{word} in {}", mail.text);
        }
    }
}

#[test]
fn a_broker_or_mail_server_that_is_away_is_waited_for() {
    let Some(mut stage) = Stage::set("away", Broker::Own, &policy_of_cases(), 3) else {
        return;
    };
    stage.own_broker().stop();
    let mut daemon = stage.start_daemon();
    assert_not_ready(&mut daemon, "the broker cannot be asked");
    assert_eq!(daemon.get("/healthz").expect("it lives").code, 200);
    stage.own_broker().restart().expect("the broker starts");
    assert_not_ready(
        &mut daemon,
        "create the topics with `fundwatch topics create`",
    );
    stage.create_topics();
    stage.wait_until_ready(&mut daemon);

    stage.mail.kill();
    let mut feeds = Feeds::default();
    feeds.record(TAX, HERE, None, declaration(DEBTOR, "50000.00"));
    feeds.close_all_but(&[], &[HERE], "2024-02-19");
    feeds.send(&stage);
    assert_on_topic(&stage, &mut daemon, &["raised 12000.00"]);
    daemon.wait_for("the mails were tried", SOON, || {
        stage
            .store()
            .count("SELECT count(*) FROM mail WHERE last_error IS NOT NULL")
            == 2
    });
    let ready = daemon.get("/readyz").expect("it answers");
    assert_eq!(ready.code, 200, "mail holds nothing up: {}", ready.body);
    stage.mail.restart().expect("the mail server starts");

    // The broker goes and comes back, too: what is sent then is read.
    stage.own_broker().stop();
    assert_not_ready(&mut daemon, "the broker cannot be asked");
    stage.own_broker().restart().expect("the broker starts");
    stage.wait_until_ready(&mut daemon);
    feeds.record(TAX, HERE, Some(400_000), payment(DEBTOR, "2024-02-20"));
    feeds.close_all_but(&[], &[HERE], "2024-02-20");
    feeds.send(&stage);
    assert_on_topic(&stage, &mut daemon, &["raised 12000.00", "changed 8000.00"]);
    stage.wait_until_settled(&mut daemon);
    let mails = stage.mails();
    for recipient in [IN_CHINESE, IN_ENGLISH] {
        let theirs = mails.iter().filter(|mail| mail.to == recipient);
        let events: Vec<&str> = theirs
            .map(|mail| mail.telling.as_ref().expect("told one by one").1.as_str())
            .collect();
        assert_eq!(events, ["raised", "changed"]);
    }
    assert_eq!(daemon.stop(), Some(0), "{:?}", daemon.words());
}

/// Waits until it says that it is not ready, and why.
fn assert_not_ready(daemon: &mut Daemon, why: &str) {
    let port = daemon.http_port();
    daemon.wait_for(why, SOON, || {
        acceptance::daemon::get(port, "/readyz")
            .is_ok_and(|answer| answer.code == 503 && answer.body.contains(why))
    });
}

/// Waits until the tellings of the only alert are on the topic: event and amount.
fn assert_on_topic(stage: &Stage, daemon: &mut Daemon, expected: &[&str]) {
    daemon.wait_for("it is on the topic", SOON, || {
        let count: i64 = stage.ends(ALERTS).iter().sum();
        usize::try_from(count).is_ok_and(|count| count == expected.len())
    });
    let told: Vec<String> = stage
        .published()
        .iter()
        .map(|record| {
            format!(
                "{} {}",
                record.event,
                record.value["amount"].as_str().unwrap_or("-")
            )
        })
        .collect();
    assert_eq!(told, expected);
}

/// A policy whose names try to be more than names.
fn policy_with_foul_names(stage_name: &str) -> PathBuf {
    let policy = fs::read_to_string(policy_of_cases()).expect("a policy");
    let foul = policy.replace("黄山市", "黄山市\\r\\nX-Forged: 1").replace(
        "屯溪区",
        "屯溪\\u202e区\\r\\nBcc: thief@example.net\\r\\n\\r\\n<b>{{ 7 * 7 }}{who}</b>",
    );
    assert_ne!(policy, foul);
    let path = std::env::temp_dir().join(format!(
        "fundwatch-{stage_name}-{}.toml",
        std::process::id()
    ));
    fs::write(&path, foul).expect("a file can be written");
    path
}

#[test]
fn a_mail_server_that_misbehaves_loses_nothing_and_no_name_forges_anything() {
    let policy = policy_with_foul_names("foul");
    let Some(stage) = Stage::set("foul", Broker::Shared, &policy, 3) else {
        return;
    };
    stage.configure("[[mail.recipients]]\naddress = \"gone@fund.example.org\"");
    stage.create_topics();
    stage.mail.refuse("gone@").expect("it can be told");
    stage.mail.drop_after_data().expect("it can be told");
    stage.mail.slow_down(1).expect("it can be told");
    let mut daemon = stage.start_daemon();
    stage.wait_until_ready(&mut daemon);
    let mut feeds = Feeds::default();
    feeds.record(TAX, HERE, None, declaration(DEBTOR, "50000.00"));
    feeds.close_all_but(&[], &[HERE], "2024-02-19");
    feeds.send(&stage);
    daemon.wait_for("two were dropped", SOON, || stage.mails().len() == 2);
    stage.mail.accept_all().expect("it can be told");
    stage.mail.refuse("gone@").expect("it can be told");
    stage.wait_until_settled(&mut daemon);

    // Twice to each of the two, as one mail; the third is on the list of the operator.
    let mails = stage.mails();
    let ids: BTreeSet<_> = mails
        .iter()
        .map(|mail| (&mail.to, &mail.message_id))
        .collect();
    assert_eq!((mails.len(), ids.len()), (4, 2), "{ids:?}");
    daemon.wait_until("a refusal shows", SOON, |metrics| {
        metrics.sum("fundwatch_mails_refused", &[]) == 1
    });
    let listed = Command::new(binary::fundwatch())
        .args(["refused", "--config"])
        .arg(stage.path("fundwatch.toml"))
        .output()
        .expect("the program can be started");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("gone@fund.example.org") && listed.contains("550"),
        "{listed}"
    );

    for mail in &mails {
        assert!(mail.data.is_ascii(), "every server takes it");
        let (head, _) = mail.data.split_once("\r\n\r\n").expect("a head and a body");
        for line in head.split("\r\n") {
            assert!(
                !line.starts_with("Bcc") && !line.starts_with("X-Forged"),
                "{head}"
            );
            assert!(!line.contains('\n') && line.len() < 998, "{head}");
        }
        assert!(
            !mail.subject.contains(['\r', '\n', '\u{202e}']),
            "{}",
            mail.subject
        );
        assert!(!mail.text.contains('\u{202e}'), "{}", mail.text);
        let (_, html) = mail
            .text
            .split_once("<!DOCTYPE html>")
            .expect("a mail has both forms");
        assert!(!html.contains("<b>"), "what is text stays text: {html}");
        assert!(
            mail.text.contains("{{ 7 * 7 }}{who}"),
            "and is no template: {}",
            mail.text
        );
    }
    fs::remove_file(policy).expect("it is there");
}

#[test]
fn a_webhook_and_the_real_alertmanager_are_told() {
    let secret = "0123456789abcdef0123456789abcdef";
    let (Some(alertmanager), Some(hook)) = (
        acceptance::alertmanager::Alertmanager::start_or_skip(),
        acceptance::hook::HookPeer::start_or_skip(secret),
    ) else {
        return;
    };
    let Some(stage) = Stage::set("hook", Broker::Shared, &policy_of_cases(), 3) else {
        return;
    };
    fs::write(stage.path("secret"), format!("{secret}\n")).expect("a file can be written");
    stage.configure(&format!(
        "[[webhooks]]\nname = \"casework\"\nurl = \"{}\"\nsecret_file = \"secret\"\nca_file = {:?}\n\
         [alertmanager]\nurls = [\"{}\"]\nevery_seconds = 2\n",
        hook.url(),
        hook.authority().display().to_string(),
        alertmanager.url()
    ));
    hook.answer(503).expect("it can be told");
    stage.create_topics();
    let mut daemon = stage.start_daemon();
    stage.wait_until_ready(&mut daemon);
    let mut feeds = Feeds::default();
    feeds.record(TAX, HERE, None, declaration(DEBTOR, "50000.00"));
    feeds.record(PAYOUT, HERE, Some(300_000), payout(RETIREE, "2024-02-19"));
    feeds.record(PAYOUT, HERE, Some(300_000), payout(RETIREE, "2024-02-19"));
    feeds.close_all_but(&[], &[HERE], "2024-02-19");
    feeds.send(&stage);
    daemon.wait_for("the webhook was tried", SOON, || {
        hook.posts().is_ok_and(|posts| posts.len() >= 2)
    });
    hook.answer(204).expect("it can be told");
    stage.wait_until_settled(&mut daemon);
    let posts = hook.posts().expect("posts are kept");
    assert!(
        posts
            .iter()
            .all(|post| post.is_signed && post.path == "/told"),
        "{posts:#?}"
    );
    let number = BTreeSet::from([RETIREE.to_owned()]);
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    for post in &posts {
        assert_hides(&number, "a post", &post.body);
        let first = bodies.entry(&post.key).or_insert(&post.body);
        assert_eq!(*first, post.body, "a repeat says the same");
    }
    let taken: Vec<Value> = posts
        .iter()
        .filter(|post| post.code == 204)
        .map(|post| serde_json::from_str(&post.body).expect("it is JSON"))
        .collect();
    let mut told: Vec<String> = taken
        .iter()
        .map(|post| {
            format!(
                "{} {} {}",
                post["event"], post["alert"]["detector"], post["alert"]["amount"]
            )
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "\"raised\" \"arrears\" \"12000.00\"",
            "\"raised\" \"duplicate-payout\" \"3000.00\"",
        ]
    );

    daemon.wait_for("Alertmanager knows", SOON, || {
        alertmanager.firing().is_ok_and(|firing| firing.len() == 2)
    });
    let firing = alertmanager.firing().expect("it answers");
    let text = Value::from(firing.clone()).to_string();
    assert_hides(&number, "Alertmanager", &text);
    assert!(!text.contains(DEBTOR), "{text}");
    let labels: Vec<&Value> = firing.iter().map(|alert| &alert["labels"]).collect();
    let arrears = json!({"alertname": "arrears", "job": "fundwatch", "pool": "341000", "region": HERE,
        "severity": "yellow"});
    assert!(labels.contains(&&arrears), "{labels:?}");

    feeds.record(TAX, HERE, Some(1_200_000), payment(DEBTOR, "2024-02-20"));
    feeds.close_all_but(&[], &[HERE], "2024-02-20");
    feeds.send(&stage);
    daemon.wait_for("what is over is over there, too", SOON, || {
        alertmanager.firing().is_ok_and(|firing| firing.len() == 1)
    });
    stage.wait_until_settled(&mut daemon);
    let last = hook
        .posts()
        .expect("posts are kept")
        .pop()
        .expect("one at least");
    assert!(last.body.contains("\"event\":\"cleared\""), "{}", last.body);
    assert_eq!(daemon.stop(), Some(0), "{:?}", daemon.words());
}
