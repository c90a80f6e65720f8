//! A TOML table in reading: takes the keys that are allowed, and reports every one that is wrong.
//!
//! Knows TOML and places in it, and nothing of policies. Nothing here stops at the first error.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Report;
use crate::likeness::nearest;
use crate::value::{Read, wrong_kind};

/// The text as TOML. `None` if it is none; all its faults are reported.
pub(crate) fn parse_toml<'t>(report: &Report<'t>) -> Option<DeTable<'t>> {
    let (table, faults) = DeTable::parse_recoverable(report.text());
    for fault in &faults {
        let offset = fault.span().map_or(0, |span| span.start);
        report.add_syntax(offset, fault.message());
    }
    faults.is_empty().then(|| table.into_inner())
}

/// One table of the text.
pub(crate) struct Section<'a, 't> {
    report: &'a Report<'t>,
    table: &'a DeTable<'t>,
    /// Its place in the file, for errors: `contribution`. Empty for the file itself.
    path: String,
    /// The line of its header.
    line: usize,
}

/// A value and the line that it, or its key, is in.
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) line: usize,
}

impl<'a, 't> Section<'a, 't> {
    /// The whole text.
    pub(crate) fn root(
        report: &'a Report<'t>,
        table: &'a DeTable<'t>,
        allowed: &[&str],
    ) -> Section<'a, 't> {
        Section::open(report, table, String::new(), 1, allowed)
    }

    /// A table, of whose keys those that are not allowed are reported.
    fn open(
        report: &'a Report<'t>,
        table: &'a DeTable<'t>,
        path: String,
        line: usize,
        allowed: &[&str],
    ) -> Section<'a, 't> {
        let section = Section {
            report,
            table,
            path,
            line,
        };
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !allowed.contains(&name) {
                section.add(section.line_of(&key.span()), name, unknown(name, allowed));
            }
        }
        section
    }

    /// The file's name.
    pub(crate) const fn file(&self) -> &'t str {
        self.report.file()
    }

    /// The line of its header.
    pub(crate) const fn line(&self) -> usize {
        self.line
    }

    /// Reports what is wrong with a key in a line.
    pub(crate) fn add(&self, line: usize, key: &str, message: impl Into<String>) {
        self.report.add(line, &self.path_of(key), message);
    }

    /// The line of a key, if it is there.
    pub(crate) fn line_of_key(&self, key: &str) -> Option<usize> {
        self.entry(key).map(|(line, _)| line)
    }

    /// A key that has to be there. `None` if it is not, or wrong: reported either way.
    pub(crate) fn required<T>(
        &self,
        key: &str,
        read: impl Fn(&DeValue<'t>) -> Read<T>,
    ) -> Option<T> {
        if self.entry(key).is_none() {
            self.add_missing(key);
        }
        self.optional(key, read)
    }

    /// A key that may be left out. `None` if it is, or is wrong, which is reported.
    pub(crate) fn optional<T>(
        &self,
        key: &str,
        read: impl Fn(&DeValue<'t>) -> Read<T>,
    ) -> Option<T> {
        let (line, value) = self.entry(key)?;
        read(value.get_ref())
            .map_err(|message| self.add(line, key, message))
            .ok()
    }

    /// A list that has to be there; what is wrong in it is reported and left out.
    pub(crate) fn required_list<T>(
        &self,
        key: &str,
        read: impl Fn(&DeValue<'t>) -> Read<T>,
    ) -> Option<Vec<Placed<T>>> {
        if self.entry(key).is_none() {
            self.add_missing(key);
        }
        self.optional_list(key, read)
    }

    /// A list that may be left out; what is wrong in it is reported and left out.
    pub(crate) fn optional_list<T>(
        &self,
        key: &str,
        read: impl Fn(&DeValue<'t>) -> Read<T>,
    ) -> Option<Vec<Placed<T>>> {
        let (line, value) = self.entry(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.add(line, key, wrong_kind(value.get_ref(), "a list, `[…]`"));
            return None;
        };
        let read_element = |element: &Spanned<DeValue<'t>>| {
            let line = self.line_of(&element.span());
            read(element.get_ref())
                .map_err(|message| self.add(line, key, message))
                .ok()
                .map(|value| Placed { value, line })
        };
        Some(list.iter().filter_map(read_element).collect())
    }

    /// A table that has to be there.
    pub(crate) fn required_table(&self, key: &str, allowed: &[&str]) -> Option<Section<'a, 't>> {
        if self.entry(key).is_none() {
            self.add_missing(key);
        }
        self.optional_table(key, allowed)
    }

    /// A table that may be left out.
    pub(crate) fn optional_table(&self, key: &str, allowed: &[&str]) -> Option<Section<'a, 't>> {
        let (line, value) = self.entry(key)?;
        let path = self.path_of(key);
        let Some(table) = value.get_ref().as_table() else {
            let form = format!("one table, `[{path}]`");
            self.add(line, key, wrong_kind(value.get_ref(), &form));
            return None;
        };
        let line = self.line_of(&value.span());
        Some(Section::open(self.report, table, path, line, allowed))
    }

    /// A list of tables with at least one entry. `None` if there is none, which is reported.
    pub(crate) fn entries(&self, key: &str, allowed: &[&str]) -> Option<Vec<Section<'a, 't>>> {
        let path = self.path_of(key);
        let form = format!("at least one entry, `[[{path}]]`");
        if self.entry(key).is_none() {
            self.add(self.line, key, format!("is missing; needed: {form}"));
            return None;
        }
        self.optional_entries(key, allowed)
    }

    /// A list of tables that may be left out; if it is there, with at least one entry.
    pub(crate) fn optional_entries(
        &self,
        key: &str,
        allowed: &[&str],
    ) -> Option<Vec<Section<'a, 't>>> {
        let path = self.path_of(key);
        let form = format!("at least one entry, `[[{path}]]`");
        let (line, value) = self.entry(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.add(line, key, wrong_kind(value.get_ref(), &form));
            return None;
        };
        if list.is_empty() {
            self.add(line, key, format!("is empty; needed: {form}"));
            return None;
        }
        let open_element = |element: &'a Spanned<DeValue<'t>>| {
            let line = self.line_of(&element.span());
            let Some(table) = element.get_ref().as_table() else {
                self.add(line, key, wrong_kind(element.get_ref(), "a table"));
                return None;
            };
            Some(Section::open(
                self.report,
                table,
                path.clone(),
                line,
                allowed,
            ))
        };
        Some(list.iter().filter_map(open_element).collect())
    }

    fn add_missing(&self, key: &str) {
        self.add(self.line, key, "is missing, and has no default");
    }

    fn entry(&self, key: &str) -> Option<(usize, &'a Spanned<DeValue<'t>>)> {
        let (key, value) = self.table.get_key_value(key)?;
        Some((self.line_of(&key.span()), value))
    }

    fn line_of(&self, span: &Range<usize>) -> usize {
        self.report.line(span.start)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// What to say of a name that is not among those allowed.
fn unknown(name: &str, allowed: &[&str]) -> String {
    let hint = match nearest(name, allowed) {
        Some(meant) => format!(" did you mean `{meant}`?"),
        None => String::new(),
    };
    let allowed: Vec<_> = allowed.iter().map(|name| format!("`{name}`")).collect();
    format!("unknown key;{hint} allowed: {}", allowed.join(", "))
}
