//! Progress of long work, on a terminal only.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `bytes` with rate and remaining time; nothing where standard error is no terminal.
pub fn bytes(bytes: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}",
    )
    .expect("the template is right");
    ProgressBar::new(bytes).with_style(style)
}

/// A count of things whose number is not known beforehand, with its rate.
pub fn count(what: &'static str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} {msg}  {per_sec}")
        .expect("the template is right");
    ProgressBar::new_spinner()
        .with_style(style)
        .with_message(what)
}
