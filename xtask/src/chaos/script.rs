//! What a run is about, as a function of its seed: a policy, and batches of records that end with the closes of a day.

use acceptance::history::History;
use acceptance::reference::decode;
use acceptance::reference::facts::{Body, Topic};
use acceptance::reference::period;
use acceptance::reference::policy::Policy;
use anyhow::{Result, anyhow};
use jiff::ToSpan;
use jiff::civil::Date;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A source of choices.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The same choices for the same seed and purpose.
    pub fn new(seed: u64, purpose: u64) -> Dice {
        Dice(ChaCha8Rng::seed_from_u64(
            seed.wrapping_mul(1_000_003) ^ purpose,
        ))
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.random_range(0..choices.len())]
    }
}

/// A record on its way.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its feed.
    pub topic: Topic,
    /// Its partition.
    pub partition: i32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a run is about.
pub struct Script {
    /// What it is made from.
    pub seed: u64,
    /// The policy file.
    pub policy: String,
    /// The last day closed.
    pub as_of: Date,
    /// Of each feed.
    pub partitions: i32,
    /// Of the daemon.
    pub workers: u32,
    /// What is sent at once.
    pub batches: Vec<Vec<Sent>>,
}

impl Script {
    /// The script of a seed, in so many batches.
    pub fn of(seed: u64, batch_count: usize) -> Result<Script> {
        let history = History::random(seed);
        let policy =
            Policy::parse(&history.policy).map_err(|error| anyhow!("a random policy: {error}"))?;
        let as_of = period::date(&history.as_of).ok_or_else(|| anyhow!("as-of is no date"))?;
        let mut dice = Dice::new(seed, 1);
        let mut script = Script {
            seed,
            policy: history.policy,
            as_of,
            partitions: dice.pick(&[1, 2, 3]),
            workers: dice.pick(&[1, 2, 4]),
            batches: vec![Vec::new(); batch_count],
        };
        let lines: Vec<(Topic, Vec<u8>)> = history
            .lines
            .into_iter()
            .map(|(topic, line)| (topic, line.trim_ascii_end().to_vec()))
            .filter(|(topic, line)| !line.is_empty() && !closes_later(*topic, line, &policy, as_of))
            .collect();
        let size = lines.len().div_ceil(batch_count).max(1);
        for (at, (topic, bytes)) in lines.into_iter().enumerate() {
            let region = decode::decode(topic, &bytes, &policy).map(|fact| fact.region);
            let partition = match region {
                Ok(region) => script.partition_of(&region),
                Err(_) => dice.pick(&[0, 1, 2]) % script.partitions,
            };
            script.batches[at / size].push(Sent {
                topic,
                partition,
                bytes,
            });
        }
        for at in 0..batch_count {
            script.end_batch(at, &policy, &mut dice);
        }
        Ok(script)
    }

    /// What a region sends on a topic stays in one partition, in order.
    fn partition_of(&self, region: &str) -> i32 {
        let sum: u32 = region.bytes().map(u32::from).sum();
        i32::try_from(sum).unwrap_or(0) % self.partitions
    }

    /// A record that is none, one that says something else than another of its id, one that comes again; and the closes.
    fn end_batch(&mut self, at: usize, policy: &Policy, dice: &mut Dice) {
        let days = i64::try_from(self.batches.len() - 1 - at).unwrap_or(0);
        let date = self.as_of.checked_sub(days.days()).unwrap_or(self.as_of);
        let regions: Vec<&String> = policy.regions.keys().collect();
        let region = regions[0];
        for (id, amount) in [("same", 1), ("same", 2), ("again", 3), ("again", 3)] {
            let record = format!(
                r#"{{"type":"transfer","id":"chaos-{id}-{at}","region":"{region}","date":"{date}","kind":"county_subsidy","amount":"{amount}"}}"#
            );
            let partition = self.partition_of(region);
            self.batches[at].push(Sent {
                topic: Topic::TreasuryTransfer,
                partition,
                bytes: record.into_bytes(),
            });
        }
        let partition = dice.pick(&[0, 1, 2]) % self.partitions;
        self.batches[at].push(Sent {
            topic: Topic::CivilDeath,
            partition,
            bytes: b"{".to_vec(),
        });
        for topic in Topic::ALL {
            for region in &regions {
                let record = format!(
                    r#"{{"type":"day_close","id":"chaos-{at}","region":"{region}","date":"{date}","records":{},"amount":"0"}}"#,
                    dice.below(3)
                );
                let partition = self.partition_of(region);
                self.batches[at].push(Sent {
                    topic,
                    partition,
                    bytes: record.into_bytes(),
                });
            }
        }
    }
}

/// A close of a later day would move the present past as-of.
fn closes_later(topic: Topic, line: &[u8], policy: &Policy, as_of: Date) -> bool {
    decode::decode(topic, line, policy)
        .is_ok_and(|fact| matches!(fact.body, Body::DayClose { .. }) && as_of < fact.date)
}
