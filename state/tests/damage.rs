//! Whatever happens to the files: it is seen, it is named, nothing panics, and what is left is an
//! exact beginning of the topics on which the rest follows.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot write its files has failed"
)]

mod kit;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use domain::Topic;
use kit::{assert_is_a_beginning, expected, files, frame};
use state::{Key, Lock, Log, Writer};
use tempfile::TempDir;

const A: Key = (Topic::TaxCollection, 0);
const B: Key = (Topic::TaxCollection, 1);
const C: Key = (Topic::CivilDeath, 0);
const SEGMENT_BYTES: u64 = 900;

fn writer(folder: &Path, committed: &BTreeMap<Key, i64>) -> Writer {
    let log = Log::read(folder, expected(committed)).unwrap();
    Writer::with_segments_of(&log, Lock::of(folder).unwrap(), SEGMENT_BYTES).unwrap()
}

/// A log of several segments, all of it committed.
fn small_log(folder: &Path) -> BTreeMap<Key, i64> {
    let mut writer = writer(folder, &BTreeMap::new());
    for at in 0..4 {
        let from = at * 3;
        writer.append(&frame(&[(A, from, from + 3)])).unwrap();
        writer
            .append(&frame(&[(B, from, from + 3), (C, at, at + 1)]))
            .unwrap();
    }
    writer.sync().unwrap();
    BTreeMap::from([(A, 12), (B, 12), (C, 4)])
}

/// Reads a log of which the file `name` is not as it was, then goes on with it as a restart does.
fn assert_seen(folder: &Path, committed: &BTreeMap<Key, i64>, name: &str, what: &str, go_on: bool) {
    let log = Log::read(folder, expected(committed)).unwrap();
    assert_is_a_beginning(&log, committed);
    let damage = log.damage().unwrap_or_else(|| panic!("{what} is not seen"));
    assert_eq!(damage.file, folder.join(name), "{what}: {damage}");
    if !go_on {
        return;
    }
    let lock = Lock::of(folder).unwrap();
    let mut writer = Writer::with_segments_of(&log, lock, SEGMENT_BYTES).unwrap();
    let rest: Vec<_> = log
        .unread()
        .into_iter()
        .map(|(key, (from, to))| (key, from, to))
        .collect();
    writer.append(&frame(&rest)).unwrap();
    writer.sync().unwrap();
    drop(writer);
    let log = Log::read(folder, expected(committed)).unwrap();
    assert_is_a_beginning(&log, committed);
    assert_eq!(log.damage(), None, "{what}");
    assert!(
        folder.join(format!("{name}.aside")).is_file(),
        "{what}: the file is kept for whoever wants to look"
    );
}

/// Puts the log back as it was.
fn put_back(files: &BTreeMap<String, Vec<u8>>, folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn a_whole_log_is_whole() {
    let folder = TempDir::new().unwrap();
    let committed = small_log(folder.path());
    assert!(files(folder.path()).len() >= 3);
    let log = Log::read(folder.path(), expected(&committed)).unwrap();
    assert_is_a_beginning(&log, &committed);
    assert_eq!(log.damage(), None);
    let of_segments: u64 = log.segments().last().unwrap().facts;
    assert_eq!(of_segments, log.facts());
}

#[test]
fn every_truncation_is_seen() {
    let folder = TempDir::new().unwrap();
    let committed = small_log(folder.path());
    let files = files(folder.path());
    for (name, bytes) in &files {
        for length in 0..bytes.len() {
            fs::write(folder.path().join(name), &bytes[..length]).unwrap();
            let what = format!("{name} cut to {length} bytes");
            let go_on = length % 64 == 0;
            assert_seen_somewhere(folder.path(), &committed, name, &what, go_on);
            if go_on {
                put_back(&files, folder.path());
            }
        }
        put_back(&files, folder.path());
    }
}

/// As [`assert_seen`]; a segment that ends with a whole frame is found to be short by the next one.
fn assert_seen_somewhere(
    folder: &Path,
    committed: &BTreeMap<Key, i64>,
    name: &str,
    what: &str,
    go_on: bool,
) {
    let log = Log::read(folder, expected(committed)).unwrap();
    let file = log.damage().map(|damage| damage.file.clone());
    let number = |name: &str| name[6..14].parse::<u64>().unwrap();
    let next = format!("facts-{:08}.log", number(name) + 1);
    if file == Some(folder.join(&next)) {
        assert_is_a_beginning(&log, committed);
        assert_seen(folder, committed, &next, what, go_on);
    } else {
        assert_seen(folder, committed, name, what, go_on);
    }
}

#[test]
fn every_flipped_bit_is_seen() {
    let folder = TempDir::new().unwrap();
    let committed = small_log(folder.path());
    let files = files(folder.path());
    let mut flips = 0;
    for (name, bytes) in &files {
        let mut bytes = bytes.clone();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                fs::write(folder.path().join(name), &bytes).unwrap();
                let what = format!("bit {bit} of byte {at} of {name}");
                flips += 1;
                let go_on = flips % 499 == 0;
                assert_seen(folder.path(), &committed, name, &what, go_on);
                if go_on {
                    put_back(&files, folder.path());
                }
                bytes[at] ^= 1 << bit;
            }
        }
        put_back(&files, folder.path());
    }
    assert!(flips > 10_000, "{flips}");
}

#[test]
fn a_missing_segment_is_seen() {
    let folder = TempDir::new().unwrap();
    let committed = small_log(folder.path());
    let names: Vec<String> = files(folder.path()).into_keys().collect();
    fs::remove_file(folder.path().join(&names[1])).unwrap();
    assert_seen(folder.path(), &committed, &names[2], "a missing file", true);
}

#[test]
fn what_follows_the_committed_frames_is_no_damage() {
    let folder = TempDir::new().unwrap();
    let committed = small_log(folder.path());
    let last = files(folder.path()).into_keys().next_back().unwrap();
    let mut bytes = fs::read(folder.path().join(&last)).unwrap();
    // Half a frame, and what a file system may leave after the power went.
    bytes.extend_from_slice(&[0; 4096]);
    fs::write(folder.path().join(&last), bytes).unwrap();
    let log = Log::read(folder.path(), expected(&committed)).unwrap();
    assert_is_a_beginning(&log, &committed);
    assert_eq!(log.damage(), None);
}

#[test]
fn another_format_is_refused_by_its_number() {
    let folder = TempDir::new().unwrap();
    let committed = small_log(folder.path());
    let name = "facts-00000001.log";
    let mut bytes = fs::read(folder.path().join(name)).unwrap();
    let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
    let checksum = {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[8..16]);
        hasher.update(&bytes[20..20 + length]);
        hasher.finalize()
    };
    bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
    fs::write(folder.path().join(name), bytes).unwrap();
    let log = Log::read(folder.path(), expected(&committed)).unwrap();
    assert_eq!(
        log.damage().unwrap().what,
        "it has format 2, and this program knows format 1"
    );
    assert_seen(folder.path(), &committed, name, "another format", true);
}

#[test]
fn a_log_of_another_store_or_of_other_regions_is_left_aside() {
    let folder = TempDir::new().unwrap();
    let committed = small_log(folder.path());
    let mut other = expected(&committed);
    other.store = "another".to_owned();
    let log = Log::read(folder.path(), other).unwrap();
    assert!(log.positions().is_empty());
    assert!(log.damage().unwrap().what.contains("another store"));

    let mut other = expected(&committed);
    other.regions.swap(0, 1);
    let log = Log::read(folder.path(), other).unwrap();
    assert!(log.positions().is_empty());
    assert!(log.damage().unwrap().what.contains("other regions"));

    // A region that is new at the end moves none of the others.
    let mut more = expected(&committed);
    more.regions
        .push(domain::RegionCode::parse(b"341022").unwrap());
    let log = Log::read(folder.path(), more).unwrap();
    assert_eq!(log.damage(), None);
    assert_is_a_beginning(&log, &committed);
}

#[test]
fn a_store_from_a_copy_is_behind_and_takes_what_it_knows() {
    let folder = TempDir::new().unwrap();
    small_log(folder.path());
    let committed = BTreeMap::from([(A, 6), (B, 6), (C, 2)]);
    let log = Log::read(folder.path(), expected(&committed)).unwrap();
    assert_is_a_beginning(&log, &committed);
    assert_eq!(log.damage(), None);
    assert_eq!(log.positions()[&A].next, 6);
}

#[test]
fn a_second_writer_is_kept_out() {
    let folder = TempDir::new().unwrap();
    let _first = Lock::of(folder.path()).unwrap();
    let second = Lock::of(folder.path()).unwrap_err().to_string();
    assert!(second.contains("in use"), "{second}");
}
