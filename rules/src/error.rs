//! What is wrong with a policy, and where.
//!
//! An error of a policy is a value: all of them are collected in one reading, so that a clerk can
//! mend the file in one go. Each names the file as it was given, the line and the key.

use std::cell::RefCell;
use std::fmt;

/// How many characters of a line that is no TOML are shown.
const SHOWN_MAX: usize = 80;

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The file, as it was named by whoever asked for it.
    pub file: String,
    /// The line, from 1. `None` where the file as a whole is at fault (it cannot be read).
    pub line: Option<usize>,
    /// Table and key, e.g. `contribution.due_day`. `None` where the text is no TOML.
    pub key: Option<String>,
    /// What is wrong and what is allowed, in one line.
    pub message: String,
}

/// `policy.toml:19: contribution.due_dya: unknown key; …`
impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for PolicyError {}

/// Everything that is wrong with a policy: at least one error, by file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyErrors {
    /// The errors: those of the policy file first, then those of its calendar files; by line.
    pub errors: Vec<PolicyError>,
}

/// One line an error.
impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}

impl From<PolicyError> for PolicyErrors {
    fn from(error: PolicyError) -> PolicyErrors {
        PolicyErrors {
            errors: vec![error],
        }
    }
}

/// The errors found so far in one text, and the way from a place in it to its line.
pub(crate) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    /// Where each line but the first begins.
    line_starts: Vec<usize>,
    errors: RefCell<Vec<PolicyError>>,
}

impl<'t> Report<'t> {
    /// An empty report on the text of a file.
    pub(crate) fn new(file: &'t str, text: &'t str) -> Report<'t> {
        Report {
            file,
            text,
            line_starts: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
            errors: RefCell::new(Vec::new()),
        }
    }

    /// The line, from 1, that the byte at `offset` is in.
    pub(crate) fn line(&self, offset: usize) -> usize {
        1 + self.line_starts.partition_point(|&start| start <= offset)
    }

    /// The text itself.
    pub(crate) const fn text(&self) -> &'t str {
        self.text
    }

    /// The file's name.
    pub(crate) const fn file(&self) -> &'t str {
        self.file
    }

    /// Notes that `key` is wrong in `line`.
    pub(crate) fn add(&self, line: usize, key: &str, message: impl Into<String>) {
        self.errors.borrow_mut().push(PolicyError {
            file: self.file.to_owned(),
            line: Some(line),
            key: Some(key.to_owned()),
            message: message.into(),
        });
    }

    /// Notes that the text itself is no TOML at `offset`; shows the line, and so the key.
    pub(crate) fn add_syntax(&self, offset: usize, message: &str) {
        let line = self.line(offset);
        let shown = self.text.lines().nth(line - 1).unwrap_or_default().trim();
        let shown: String = shown.chars().take(SHOWN_MAX).collect();
        self.errors.borrow_mut().push(PolicyError {
            file: self.file.to_owned(),
            line: Some(line),
            key: None,
            message: format!("{message} in `{}`", shown.escape_debug()),
        });
    }

    /// What was found, by line.
    pub(crate) fn into_errors(self) -> Vec<PolicyError> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|error| error.line);
        errors
    }
}
