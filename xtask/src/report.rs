//! What all measurements print: tables in Markdown on standard output, what goes on meanwhile on standard error.

#![expect(clippy::float_arithmetic, reason = "measurements, not money")]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::figures::Runs;

/// Prints a part of the report.
#[expect(clippy::print_stdout, reason = "the report")]
pub fn say(part: &str) {
    println!("{part}");
}

/// Says what is going on.
#[expect(clippy::print_stderr, reason = "talk, beside the report")]
pub fn progress(what: &str) {
    eprintln!("bench: {what}");
}

/// What was measured, and on what.
pub fn machine(root: &Path) -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "Commit {}, {}, {cores} cores of {processor}.\n",
        words(root, "git", &["rev-parse", "--short", "HEAD"]),
        words(root, "rustc", &["--version"]),
    )
}

fn words(root: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// The slowest and the fastest run.
pub fn range(runs: &Runs) -> String {
    let (least, most) = runs.range();
    format!("{} to {}", millions(least), millions(most))
}

/// A rate in millions a second.
pub fn millions(rate: f64) -> String {
    format!("{:.2} M", rate / 1e6)
}

/// `1234567` as `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(5_012_345), "5,012,345");
    }
}
