//! A part of a report as rows and columns, and the four ways in which it is written.
//!
//! Knows nothing of funds: what is in the cells is the reports' business.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use comfy_table::{CellAlignment, Table, presets};
use domain::{BusinessDate, Money};
use rust_xlsxwriter::{Format, Workbook, XlsxError};
use serde_json::{Map, Value, json};

use crate::cli::Lang;

/// A word in both languages.
pub type Words = (&'static str, &'static str);

/// The word of a language.
pub const fn word(lang: Lang, words: Words) -> &'static str {
    match lang {
        Lang::Zh => words.0,
        Lang::En => words.1,
    }
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Heading {
    /// Its name for programs.
    pub key: &'static str,
    /// Its name for people.
    pub words: Words,
    /// Whether a terminal has room for it.
    pub is_main: bool,
}

/// A column that is always shown.
pub const fn heading(key: &'static str, zh: &'static str, en: &'static str) -> Heading {
    Heading {
        key,
        words: (zh, en),
        is_main: true,
    }
}

/// What is in a place. Zero, unknown and not applicable are three different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A word or a name.
    Text(String),
    /// An identifier: never a number, though it may be digits.
    Code(String),
    /// Yuan.
    Money(Money),
    /// A decimal number that is written out.
    Decimal(String),
    /// A number of things.
    Count(i64),
    /// A day.
    Date(BusinessDate),
    /// All of the rows above.
    Total,
    /// Nobody said anything of it, or it cannot be known.
    Unknown,
    /// There is no such thing here.
    NotApplicable,
}

impl Cell {
    fn is_number(&self) -> bool {
        matches!(self, Cell::Money(_) | Cell::Decimal(_) | Cell::Count(_))
    }

    /// For people.
    fn shown(&self, lang: Lang) -> String {
        match self {
            Cell::Text(text) | Cell::Code(text) | Cell::Decimal(text) => text.clone(),
            Cell::Money(amount) => amount.grouped(),
            Cell::Count(count) => count.to_string(),
            Cell::Date(day) => day.to_string(),
            Cell::Total => word(lang, ("合计", "total")).to_owned(),
            Cell::Unknown => word(lang, ("未知", "unknown")).to_owned(),
            Cell::NotApplicable => word(lang, ("不适用", "n/a")).to_owned(),
        }
    }

    /// For spreadsheets.
    fn plain(&self, lang: Lang) -> String {
        match self {
            Cell::Money(amount) => amount.to_string(),
            Cell::Text(text) | Cell::Code(text) => harmless(text),
            other => other.shown(lang),
        }
    }

    /// For programs; unknown and not applicable are told apart by the column beside, or by what the report says.
    fn json(&self) -> Value {
        match self {
            Cell::Text(text) | Cell::Code(text) | Cell::Decimal(text) => json!(text),
            Cell::Money(amount) => json!(amount),
            Cell::Count(count) => json!(count),
            Cell::Date(day) => json!(day),
            Cell::Total => json!("total"),
            Cell::Unknown | Cell::NotApplicable => Value::Null,
        }
    }
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// A part of a report.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Its name for programs.
    pub key: &'static str,
    /// Its name for people.
    pub words: Words,
    /// Its columns.
    pub headings: Vec<Heading>,
    /// Its rows, a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// For a terminal.
    pub fn table(&self, lang: Lang) -> String {
        let mut table = Table::new();
        let shown: Vec<usize> = (0..self.headings.len())
            .filter(|at| self.headings[*at].is_main)
            .collect();
        table
            .load_style(presets::UTF8_HORIZONTAL_ONLY)
            .set_header(shown.iter().map(|at| word(lang, self.headings[*at].words)));
        for row in &self.rows {
            table.add_row(shown.iter().map(|at| row[*at].shown(lang)));
        }
        for (place, at) in shown.iter().enumerate() {
            let is_number = self.rows.iter().any(|row| row[*at].is_number());
            if let Some(column) = table.column_mut(place)
                && is_number
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!("{}\n{table}\n", word(lang, self.words))
    }

    /// Comma-separated values. Begins with a byte order mark: a spreadsheet takes it for UTF-8 then.
    pub fn csv(&self, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
        out.write_all("\u{feff}".as_bytes())?;
        let mut csv = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        csv.write_record(
            self.headings
                .iter()
                .map(|heading| word(lang, heading.words)),
        )?;
        for row in &self.rows {
            csv.write_record(row.iter().map(|cell| cell.plain(lang)))?;
        }
        csv.flush()
    }

    /// A list of objects.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let members = self.headings.iter().zip(row);
            let members = members.map(|(heading, cell)| (heading.key.to_owned(), cell.json()));
            Value::Object(members.collect::<Map<_, _>>())
        });
        Value::Array(rows.collect())
    }
}

/// Writes a workbook, a sheet for each part.
///
/// # Errors
/// More rows than a sheet has.
pub fn workbook(sheets: &[Sheet], lang: Lang) -> Result<Vec<u8>> {
    written(sheets, lang)
        .map_err(|error| anyhow!(error))
        .context("cannot make the workbook; fewer rows, e.g. --by year, may help")
}

fn written(sheets: &[Sheet], lang: Lang) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let (bold, money, text) = (
        Format::new().set_bold(),
        Format::new().set_num_format("#,##0.00"),
        Format::new().set_num_format("@"),
    );
    for sheet in sheets {
        let page = workbook.add_worksheet();
        page.set_name(word(lang, sheet.words))?;
        page.set_freeze_panes(1, 0)?;
        for (column, heading) in (0..).zip(&sheet.headings) {
            page.write_string_with_format(0, column, word(lang, heading.words), &bold)?;
            page.set_column_width(column, 18)?;
        }
        for (row, cells) in (1..).zip(&sheet.rows) {
            for (column, cell) in (0..).zip(cells) {
                match cell {
                    Cell::Money(amount) if let Some(number) = exact_number(*amount) => {
                        page.write_number_with_format(row, column, number, &money)?;
                    }
                    Cell::Count(count) if let Ok(count) = i32::try_from(*count) => {
                        page.write_number(row, column, f64::from(count))?;
                    }
                    Cell::Decimal(number) if let Ok(number) = number.parse::<f64>() => {
                        page.write_number(row, column, number)?;
                    }
                    Cell::Money(amount) => {
                        page.write_string_with_format(row, column, amount.to_string(), &text)?;
                    }
                    // A string cell is never taken for a formula.
                    other => {
                        page.write_string_with_format(row, column, other.shown(lang), &text)?;
                    }
                }
            }
        }
    }
    workbook.save_to_buffer()
}

/// The number of a spreadsheet, which is a float: `None` beyond fifteen digits, where it is not the amount any more.
fn exact_number(amount: Money) -> Option<f64> {
    const FIFTEEN_DIGITS: u128 = 999_999_999_999_999;
    (amount.fen().unsigned_abs() <= FIFTEEN_DIGITS)
        .then(|| amount.to_string().parse().ok())
        .flatten()
}

/// Where a report goes: a file that is whole or not there, or standard output.
///
/// # Errors
/// It cannot be written; a closed pipe is none.
pub fn deliver(bytes: &[u8], out: Option<&Path>) -> Result<()> {
    let Some(path) = out else {
        return match io::stdout()
            .write_all(bytes)
            .and_then(|()| io::stdout().flush())
        {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context("cannot write the report")
            }
            _ => Ok(()),
        };
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("--out: `{}` is no name of a file", path.display()))?;
    let mut outputs = crate::output::Outputs::in_folder(folder.unwrap_or(Path::new(".")))?;
    outputs.write(name, |file| file.write_all(bytes))?;
    outputs.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        Sheet {
            key: "flows",
            words: ("流水", "flows"),
            headings: vec![
                heading("name", "名称", "name"),
                heading("code", "代码", "code"),
                heading("amount", "金额", "amount"),
                heading("rate", "比率", "rate"),
            ],
            rows: vec![
                vec![
                    Cell::Text("=HYPERLINK(\"x\")".to_owned()),
                    Cell::Code("-341002".to_owned()),
                    Cell::Money(Money::from_fen(-123_456_789)),
                    Cell::Unknown,
                ],
                vec![
                    Cell::Text("屯溪区, \"城\"".to_owned()),
                    Cell::Code("@1".to_owned()),
                    Cell::Money(Money::ZERO),
                    Cell::NotApplicable,
                ],
            ],
        }
    }

    #[test]
    fn no_cell_of_a_csv_is_a_formula() {
        let mut bytes = Vec::new();
        sheet().csv(Lang::Zh, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "\u{feff}名称,代码,金额,比率\r\n\
             \"'=HYPERLINK(\"\"x\"\")\",'-341002,-1234567.89,未知\r\n\
             \"屯溪区, \"\"城\"\"\",'@1,0.00,不适用\r\n"
        );
    }

    #[test]
    fn zero_unknown_and_not_applicable_are_three_things() {
        let table = sheet().table(Lang::En);
        assert!(
            table.contains("-1,234,567.89") && table.contains("unknown") && table.contains("n/a"),
            "{table}"
        );
        let json = sheet().json();
        assert_eq!(json[0]["amount"], "-1234567.89");
        assert_eq!(json[1]["amount"], "0.00");
        assert_eq!(json[0]["rate"], Value::Null);
    }

    #[test]
    fn a_workbook_holds_numbers_as_long_as_they_are_exact() {
        assert_eq!(exact_number(Money::from_fen(-105)), Some(-1.05));
        assert_eq!(
            exact_number(Money::from_fen(999_999_999_999_999)),
            Some(9_999_999_999_999.99)
        );
        assert_eq!(exact_number(Money::from_fen(1_000_000_000_000_000)), None);
        let bytes = workbook(&[sheet()], Lang::Zh).unwrap();
        assert!(bytes.starts_with(b"PK"));
    }
}
