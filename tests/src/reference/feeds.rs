//! The files of a feed, in the contract's order.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::facts::Topic;

/// One record of a file, not yet looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `FILE:LINE`, the file relative to the folder of feeds, the line from 1.
    pub position: String,
    /// The bytes without line end.
    pub bytes: Vec<u8>,
}

/// All records of a topic: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, then the folder by name.
///
/// # Errors
/// A file that cannot be read or unpacked.
pub fn lines_of_topic(feeds: &Path, topic: Topic) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for file in files_of_topic(feeds, topic)? {
        let bytes = unpack(&feeds.join(&file))?;
        lines.extend(lines_of(&file.to_string_lossy(), &bytes));
    }
    Ok(lines)
}

/// The files of a topic that exist, relative to the folder of feeds.
fn files_of_topic(feeds: &Path, topic: Topic) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for ending in ["jsonl", "jsonl.gz", "jsonl.zst"] {
        let file = PathBuf::from(format!("{topic}.{ending}"));
        if feeds.join(&file).exists() {
            files.push(file);
        }
    }
    let folder = Path::new(topic.name());
    if feeds.join(folder).is_dir() {
        let mut names = Vec::new();
        for entry in fs::read_dir(feeds.join(folder))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| {
            [".jsonl", ".jsonl.gz", ".jsonl.zst"]
                .iter()
                .any(|ending| name.ends_with(ending))
        });
        names.sort();
        files.extend(names.into_iter().map(|name| folder.join(name)));
    }
    Ok(files)
}

fn unpack(path: &Path) -> io::Result<Vec<u8>> {
    let packed = fs::read(path)?;
    let mut bytes = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut bytes)?;
        }
        Some("zst") => bytes = zstd::decode_all(packed.as_slice())?,
        _ => bytes = packed,
    }
    Ok(bytes)
}

/// Splits a file. Lines end with LF or CR LF, the last may lack it, or be cut between the two; blank lines count in
/// positions alone.
fn lines_of(file: &str, bytes: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // A CR at the end of the file ends no line: it is the record's.
        let content = match line.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        if content
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        {
            continue;
        }
        lines.push(Line {
            position: format!("{file}:{}", index + 1),
            bytes: content.to_vec(),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_the_contract_says() {
        let lines = lines_of("f", b"a\r\n\n \t\r\nb\rc\n\r\r\nd");
        let shown: Vec<(&str, &[u8])> = lines
            .iter()
            .map(|line| (line.position.as_str(), line.bytes.as_slice()))
            .collect();
        let expected: [(&str, &[u8]); 3] = [("f:1", b"a"), ("f:4", b"b\rc"), ("f:6", b"d")];
        assert_eq!(shown, expected);
    }
}
