//! The feeds as an independent reader sees them: read back with `serde_json`, counted and added up anew.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its feed has failed"
)]

use std::collections::{BTreeMap, BTreeSet};

use domain::{CreditCode, Money, Period, PersonId, Topic};
use rules::Policy;
use serde_json::Value;
use simulate::{FeedFiles, Irregularities, Options, Truth, generate};

/// One line, read back.
struct Sent {
    topic: Topic,
    region: String,
    json: Value,
}

impl Sent {
    fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }

    fn amount(&self) -> Money {
        match &self.json["amount"] {
            Value::Null => Money::ZERO,
            amount => Money::parse(amount.as_str().unwrap().as_bytes()).unwrap(),
        }
    }
}

fn town(irregularities: Irregularities) -> Options {
    Options {
        retirees: 600,
        enterprises: 90,
        contributors: 2_000,
        months: 8,
        irregularities,
        ..Options::default()
    }
}

/// Raw lines with their topics.
fn lines(options: &Options) -> (Vec<(Topic, String, Vec<u8>)>, Truth) {
    let mut lines = Vec::new();
    let mut day = None;
    let truth = generate(options, &Policy::huangshan(), &mut |line| {
        assert!(day <= Some(line.date), "days come in order");
        day = Some(line.date);
        lines.push((
            line.topic,
            line.region.as_str().to_owned(),
            line.json.to_vec(),
        ));
        Ok(())
    })
    .unwrap();
    (lines, truth)
}

fn read(options: &Options) -> (Vec<Sent>, Truth) {
    let (lines, truth) = lines(options);
    let sent = lines
        .into_iter()
        .map(|(topic, region, bytes)| Sent {
            topic,
            region,
            json: serde_json::from_slice(&bytes).unwrap(),
        })
        .collect();
    (sent, truth)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let options = town(Irregularities::USUAL);
    let (first, truth) = lines(&options);
    let (second, again) = lines(&options);
    assert!(first == second);
    let text = |truth: &Truth| {
        let mut out = Vec::new();
        truth.write(&mut out).unwrap();
        out
    };
    assert_eq!(text(&truth), text(&again));
    let (other, _) = lines(&Options { seed: 2, ..options });
    assert!(first != other);
}

#[test]
fn a_close_counts_what_was_sent_since_the_last() {
    let (sent, truth) = read(&town(Irregularities::NONE));
    let mut seen = BTreeSet::new();
    let mut since: BTreeMap<(Topic, String), (u64, Money)> = BTreeMap::new();
    let (mut closes, mut redelivered) = (0, BTreeMap::<Topic, u64>::new());
    for line in &sent {
        let key = (line.topic, line.region.clone());
        assert_eq!(line.text("region"), line.region);
        if line.text("type") == "day_close" {
            let (records, amount) = since.remove(&key).unwrap_or_default();
            assert_eq!(line.json["records"].as_u64(), Some(records), "{key:?}");
            assert_eq!(line.text("amount"), amount.to_string(), "{key:?}");
            closes += 1;
        } else if seen.insert((line.topic, line.json.to_string())) {
            let count = since.entry(key).or_default();
            count.0 += 1;
            count.1 += line.amount();
        } else {
            *redelivered.entry(line.topic).or_default() += 1;
        }
    }
    // 165 business days in the first eight months of 2024, by the holidays of that year.
    assert_eq!(closes % (8 * 5), 0);
    assert!((160..170).contains(&(closes / 40)), "{}", closes / 40);
    redelivered.retain(|_, count| *count > 0);
    let told: BTreeMap<_, _> = truth
        .redelivered
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .collect();
    assert_eq!(redelivered, told);
    assert!(!told.is_empty());
    assert_eq!(truth.records.values().sum::<u64>(), sent.len() as u64);
    assert!(truth.planted.is_empty() && truth.rejected.is_empty());
}

#[test]
fn a_close_differs_from_what_came_only_where_a_record_is_lost() {
    let options = Options {
        retirees: 6_000,
        enterprises: 900,
        ..town(Irregularities {
            deliveries: 6_000,
            ..Irregularities::USUAL
        })
    };
    let (lines, truth) = lines(&options);
    let mut seen: BTreeMap<(Topic, String, String), Value> = BTreeMap::new();
    let mut since: BTreeMap<(Topic, String), (i64, Money)> = BTreeMap::new();
    let mut missing = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (topic, region, bytes) in lines {
        // Whoever reads this accepts what was sent as it should be.
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        let line = Sent {
            topic,
            region,
            json,
        };
        if line.text("id").is_empty() || line.text("id").starts_with('X') {
            continue;
        }
        let key = (topic, line.region.clone());
        let count = since.entry(key.clone()).or_default();
        if line.text("type") != "day_close" {
            let id = (
                topic,
                line.text("type").to_owned(),
                line.text("id").to_owned(),
            );
            if seen.insert(id, line.json.clone()).is_none() {
                count.0 += 1;
                count.1 += line.amount();
            }
            continue;
        }
        let records = line.json["records"].as_i64().unwrap() - count.0;
        let amount = line.amount() - count.1;
        if records == 1 {
            let item = format!("{topic}:{}", line.text("id"));
            missing.insert((line.region.clone(), item), amount);
        } else if records == -1 {
            found.insert((topic, line.region.clone(), line.text("date").to_owned()));
        } else {
            assert_eq!((records, amount), (0, Money::ZERO), "{key:?}");
        }
        since.remove(&key);
    }
    let told: Vec<_> = truth
        .planted
        .iter()
        .filter(|planted| planted.kind == "incomplete-feed")
        .collect();
    let told_missing = told.iter().map(|planted| {
        let key = (planted.subject.clone(), planted.item.clone().unwrap());
        (key, planted.amount)
    });
    assert_eq!(missing, told_missing.collect());
    let told_found = told.iter().map(|planted| {
        let day = planted.cleared_on.unwrap().to_string();
        (planted.topic.unwrap(), planted.subject.clone(), day)
    });
    assert_eq!(found, told_found.collect());
    assert!(told.len() > 3);
}

#[test]
fn files_appear_whole_or_grow() {
    let folder = tempfile::tempdir().unwrap();
    let options = town(Irregularities::USUAL);
    let policy = Policy::huangshan();
    let read = |name: &str| std::fs::read(folder.path().join(name));

    let mut growing = FeedFiles::grow(folder.path()).unwrap();
    let mut lines = 0;
    let mut day = None;
    let truth = generate(&options, &policy, &mut |line| {
        if day.replace(line.date) != Some(line.date) {
            growing.flush()?;
            let roster = read("agency.roster.jsonl")?;
            assert!(roster.is_empty() || roster.ends_with(b"\n"));
        }
        lines += 1;
        growing.write(line)
    })
    .unwrap();
    growing.finish(&truth).unwrap();
    let grown: Vec<Vec<u8>> = Topic::ALL
        .iter()
        .map(|topic| read(&format!("{topic}.jsonl")).unwrap())
        .collect();
    let line_ends = |bytes: &Vec<u8>| bytes.iter().filter(|&&b| b == b'\n').count();
    assert_eq!(grown.iter().map(line_ends).sum::<usize>(), lines);
    let told = String::from_utf8(read("truth.jsonl").unwrap()).unwrap();
    assert_eq!(told.lines().count(), 1 + truth.planted.len());
    for line in told.lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["kind"].is_string());
    }

    let other = tempfile::tempdir().unwrap();
    let mut whole = FeedFiles::create(other.path()).unwrap();
    let truth = generate(&options, &policy, &mut |line| whole.write(line)).unwrap();
    assert!(!other.path().join("agency.payout.jsonl").exists());
    whole.finish(&truth).unwrap();
    let names: BTreeSet<String> = std::fs::read_dir(other.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 6);
    for (topic, grown) in Topic::ALL.iter().zip(grown) {
        let path = other.path().join(format!("{topic}.jsonl"));
        assert_eq!(std::fs::read(path).unwrap(), grown);
    }
}

#[test]
fn ids_and_subjects_are_valid_and_ids_unique() {
    let (sent, _) = read(&town(Irregularities::NONE));
    let mut ids = BTreeMap::new();
    for line in &sent {
        let id = line.text("id");
        assert!((1..=64).contains(&id.len()));
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b)),
            "{id}"
        );
        if let Some(person) = line.json["person"].as_str() {
            let parsed = PersonId::parse(person.as_bytes()).unwrap();
            assert_eq!(parsed.reveal(), person);
        }
        if let Some(enterprise) = line.json["enterprise"].as_str() {
            assert!(CreditCode::parse(enterprise.as_bytes()).is_some());
        }
        let text = line.json.to_string();
        let first = ids
            .entry((line.topic, line.text("type").to_owned(), id.to_owned()))
            .or_insert_with(|| text.clone());
        assert_eq!(*first, text, "an id for two records");
    }
}

#[test]
fn a_month_is_remitted_to_the_fen() {
    let (sent, _) = read(&town(Irregularities::NONE));
    let mut collected: BTreeMap<(String, String), Money> = BTreeMap::new();
    let mut remitted = collected.clone();
    let mut seen = BTreeSet::new();
    for line in &sent {
        if !seen.insert(line.json.to_string()) {
            continue;
        }
        let month = || (line.region.clone(), line.text("date")[..7].to_owned());
        match line.text("type") {
            "payment" => *collected.entry(month()).or_default() += line.amount(),
            "payment_reversal" => *collected.entry(month()).or_default() -= line.amount(),
            "transfer" if line.text("kind") == "remit_up" => {
                let key = (line.region.clone(), line.text("period").to_owned());
                *remitted.entry(key).or_default() += line.amount();
            }
            _ => {}
        }
    }
    // 市本级 does not remit; August is due in September, when the simulation is over.
    collected.retain(|(region, month), _| region != "341000" && month != "2024-08");
    remitted.retain(|(_, month), _| month != "2024-08");
    assert_eq!(collected, remitted);
    assert_eq!(collected.len(), 7 * 7);
}

#[test]
fn the_city_grows_to_the_records_asked_for() {
    for (records, months) in [(40_000, 6), (120_000, 12)] {
        let options = Options {
            months,
            // Not with the one bad record of a megabyte.
            irregularities: Irregularities::NONE,
            ..Options::default()
        }
        .with_records(records);
        let mut count = 0_u64;
        let mut bytes = 0;
        generate(&options, &Policy::huangshan(), &mut |line| {
            count += 1;
            bytes += line.json.len() + 1;
            Ok(())
        })
        .unwrap();
        assert!(count.abs_diff(records) * 100 < records * 3, "{count}");
        let average = bytes as u64 / count;
        assert!((180..210).contains(&average), "{average}");
    }
}

#[test]
fn options_out_of_range_are_refused() {
    let refused = |options: Options| {
        generate(&options, &Policy::huangshan(), &mut |_| Ok(()))
            .unwrap_err()
            .kind()
    };
    let good = Options::default();
    for options in [
        Options {
            months: 0,
            ..good.clone()
        },
        Options {
            retirees: 0,
            ..good.clone()
        },
        Options {
            from: Period::FIRST,
            ..good
        },
    ] {
        assert_eq!(refused(options), std::io::ErrorKind::InvalidInput);
    }
}
