//! Random histories: small alphabets, so that everything collides with everything.
//!
//! A history is a policy, an as-of date and a heap of records: facts around due dates, late, superseded, reversed
//! (before they happen, too), redelivered in other spellings, conflicting, after as-of, and rejected ones in between. It
//! is a function of its seed. How its records are laid out in files is a function of a second one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::civil::{Date, Weekday};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::reference::facts::Topic;
use crate::reference::period::{Period, plus_days};

mod policy;
mod record;
mod spelling;

use record::Record;

/// Policy, as-of and records.
#[derive(Clone, Debug)]
pub struct History {
    /// What it is made from.
    pub seed: u64,
    /// The policy file.
    pub policy: String,
    /// The as-of date.
    pub as_of: String,
    /// The records as lines without line end, blank ones too.
    pub lines: Vec<(Topic, Vec<u8>)>,
}

/// A source of choices.
struct Dice(ChaCha8Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// True in `percent` of a hundred cases.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// The months and days that a history plays in.
struct Stage {
    /// The months that most records are of.
    periods: Vec<Period>,
    /// Days worth choosing: due dates, payout dates, first and last days, and those beside them.
    days: Vec<Date>,
    as_of: Date,
}

impl Stage {
    fn random(dice: &mut Dice) -> Self {
        let year = dice.pick(&[2023, 2024]);
        let month = i8::try_from(dice.between(1, 12)).expect("a month");
        let mut periods = vec![Period::of(jiff::civil::date(year, month, 1))];
        for _ in 0..dice.pick(&[0, 1, 1, 2, 3]) {
            let last = periods[periods.len() - 1];
            periods.push(last.next());
        }
        let last = periods[periods.len() - 1];
        let mut days = Vec::new();
        for period in periods
            .iter()
            .copied()
            .chain([last.next(), last.next().next()])
        {
            for day in [1, 10, 15, 20, 31] {
                for offset in -2..=4 {
                    days.push(plus_days(period.day_or_last(day), offset));
                }
            }
        }
        let late = dice.pick(&days).max(dice.pick(&days));
        let as_of = plus_days(late, dice.between(0, 30));
        Self {
            periods,
            days,
            as_of,
        }
    }

    fn day(&self, dice: &mut Dice) -> Date {
        if dice.chance(1) {
            // Rarely long ago, for then the reference has many days to ask for.
            let year = if dice.chance(3) { 1900 } else { 2199 };
            return jiff::civil::date(year, 12, 31);
        }
        match dice.below(40) {
            0 => plus_days(self.as_of, dice.between(1, 40)),
            1 => plus_days(self.periods[0].first_day(), -dice.between(1, 300)),
            2 | 3 => self.as_of,
            _ => dice.pick(&self.days),
        }
    }

    fn period(&self, dice: &mut Dice) -> Period {
        match dice.below(30) {
            0 => Period::of(plus_days(self.periods[0].first_day(), -1)),
            1 => self.periods[self.periods.len() - 1].next(),
            2 if dice.chance(20) => Period::of(jiff::civil::date(dice.pick(&[1900, 2199]), 12, 1)),
            _ => dice.pick(&self.periods),
        }
    }
}

impl History {
    /// The history of a seed.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dice = &mut dice;
        let stage = Stage::random(dice);
        let policy = policy::random(dice, &stage);
        let records = record::random(dice, &stage);
        let mut lines: Vec<(Topic, Vec<u8>)> = Vec::new();
        for record in &records {
            lines.extend(
                deliveries(dice, record)
                    .into_iter()
                    .map(|line| (record.topic, line)),
            );
        }
        if dice.chance(80) {
            dice.shuffle(&mut lines);
        }
        Self {
            seed,
            policy,
            as_of: stage.as_of.to_string(),
            lines,
        }
    }

    /// Writes `policy.toml` and `feeds/` into `folder`. Layout 0 keeps the order of the lines within a topic as far as
    /// the files allow; others shuffle it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path, layout: u64) -> io::Result<()> {
        let mut dice = Dice::new(self.seed ^ (layout << 32));
        let feeds = folder.join("feeds");
        fs::create_dir_all(&feeds)?;
        fs::write(folder.join("policy.toml"), &self.policy)?;
        fs::write(feeds.join("README.txt"), "no feed")?;
        let mut by_topic: BTreeMap<Topic, Vec<&[u8]>> = BTreeMap::new();
        for (topic, line) in &self.lines {
            by_topic.entry(*topic).or_default().push(line);
        }
        for (topic, mut lines) in by_topic {
            if layout != 0 {
                dice.shuffle(&mut lines);
            }
            write_topic(&mut dice, &feeds, topic, &lines)?;
        }
        Ok(())
    }
}

/// The lines that arrive for a record: itself, and what else goes by its name.
fn deliveries(dice: &mut Dice, record: &Record) -> Vec<Vec<u8>> {
    let mut lines = vec![spelling::line(dice, record)];
    match dice.below(20) {
        0..=2 => lines.push(spelling::line(dice, record)),
        3 | 4 => lines.insert(0, spelling::bad_line(dice, record)),
        5 => lines.push(spelling::bad_line(dice, record)),
        6 => lines.push(spelling::blank_line(dice)),
        _ => {}
    }
    lines
}

/// Deals the lines of a topic out to one or several files.
fn write_topic(dice: &mut Dice, feeds: &Path, topic: Topic, lines: &[&[u8]]) -> io::Result<()> {
    let names = [
        "{}.jsonl",
        "{}.jsonl.gz",
        "{}.jsonl.zst",
        "{}/a.jsonl",
        "{}/b.jsonl.gz",
        "{}/B.jsonl.zst",
    ];
    let count = if dice.chance(60) {
        1
    } else {
        1 + dice.below(4)
    };
    let mut names = names.to_vec();
    dice.shuffle(&mut names);
    names.truncate(count);
    let mut contents = vec![Vec::new(); count];
    for line in lines {
        contents[dice.below(count)].push(*line);
    }
    for (name, lines) in names.into_iter().zip(contents) {
        let path = feeds.join(name.replace("{}", topic.name()));
        fs::create_dir_all(path.parent().expect("a file has a folder"))?;
        let bytes = join(dice, &lines);
        fs::write(&path, pack(dice, name, &bytes)?)?;
    }
    Ok(())
}

/// Ends lines with LF or CR LF, the last one sometimes with nothing.
fn join(dice: &mut Dice, lines: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(if dice.chance(10) { b"\r\n" } else { b"\n" });
    }
    if dice.chance(20) && bytes.ends_with(b"\n") && !bytes.ends_with(b"\r\n") {
        bytes.pop();
    }
    bytes
}

/// Packs a file as its name says, now and then in two members or frames.
fn pack(dice: &mut Dice, name: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let cut = if dice.chance(30) {
        dice.below(bytes.len() + 1)
    } else {
        0
    };
    let mut packed = Vec::new();
    for part in [&bytes[..cut], &bytes[cut..]] {
        if name.ends_with(".gz") {
            let mut encoder =
                flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
            encoder.write_all(part)?;
            encoder.finish()?;
        } else if name.ends_with(".zst") {
            packed.extend(zstd::encode_all(part, 1)?);
        } else {
            packed.extend_from_slice(part);
        }
    }
    Ok(packed)
}

/// Whether a day is a Saturday or a Sunday.
fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}
