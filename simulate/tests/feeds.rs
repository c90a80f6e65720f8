//! The feeds as an independent reader sees them: read back with `serde_json`, counted and added up anew.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its feed has failed"
)]

use std::collections::{BTreeMap, BTreeSet};

use domain::{CreditCode, Money, Period, PersonId, Topic};
use rules::Policy;
use serde_json::Value;
use simulate::{Irregularities, Options, Truth, generate};

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
