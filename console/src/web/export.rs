//! The queue as a file: with a reason, a row of the audit trail, and a limit. No cell is taken for a formula.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::Money;
use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::App;
use super::alert::reason;
use super::answer::{Answer, Failure, file};
use super::form::Fields;
use super::gate::Visit;
use super::queue::{self as pages, Row};
use crate::casebook::audit::{self, Kind};
use crate::casebook::{cases, queue};
use crate::words::words;

const CSV: &str = "text/csv; charset=utf-8";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const COLUMNS: usize = 12;
/// The amount's column.
const AMOUNT: usize = 6;

/// `POST /alerts/export`
pub async fn export(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    let fields = &visit.fields;
    fields.only(&["query", "reason", "format"])?;
    let reason = reason(fields.one("reason")?)?;
    let is_csv = match fields.one("format")? {
        "csv" => true,
        "xlsx" => false,
        _ => return Err(Failure::Bad),
    };
    let asked = Fields::parse(fields.one("query")?.as_bytes())?;
    let filter = pages::filter(&app, &asked)?;
    let asker = pages::asker(visit.person()?);
    let (wanted, limit) = (filter.clone(), app.config.export_rows_max);
    let cases = app
        .casebook
        .read(move |connection| queue::all(connection, &asker, &wanted, limit))
        .await?;
    let (actor, query, count) = (visit.actor(), pages::query_text(&filter), cases.len());
    app.casebook
        .write(move |transaction| {
            let note = format!("{count}: {reason}");
            audit::append(transaction, &actor, Kind::Exported, true, &query, &note)
        })
        .await?;
    let language = visit.language;
    let today = app.desk.day(visit.at);
    let maker = Arc::clone(&app);
    let made = tokio::task::spawn_blocking(move || {
        let w = words(language);
        let headings: [&str; COLUMNS] = [
            w.alert_id, w.severity, w.detector, w.subject, w.period, w.region, w.amount, w.age,
            w.due, w.state, w.assignee, w.standing,
        ];
        let rows = cases.iter().map(|case| {
            let row = pages::row(&maker, case, language, today);
            let amount =
                cases::is_of_money(&case.detector).then(|| Money::from_fen(case.weight_fen.into()));
            (row, amount)
        });
        let rows: Vec<(Row, Option<Money>)> = rows.collect();
        if is_csv {
            csv(&headings, &rows).map_err(|error| error.to_string())
        } else {
            xlsx(&headings, &rows).map_err(|error| error.to_string())
        }
    });
    let bytes = made.await.map_err(|_| Failure::Broken)?.map_err(|error| {
        tracing::error!(error, "an export cannot be made");
        Failure::Broken
    })?;
    let day = today.to_string();
    if is_csv {
        file(&format!("alerts-{day}.csv"), CSV, bytes)
    } else {
        file(&format!("alerts-{day}.xlsx"), XLSX, bytes)
    }
}

fn cells(row: &Row, amount: Option<Money>) -> [String; COLUMNS] {
    [
        row.alert.clone(),
        row.severity_word.to_owned(),
        row.what.clone(),
        row.subject.clone(),
        row.period.clone(),
        row.region.clone(),
        amount.map_or(String::new(), |amount| amount.to_string()),
        row.age.to_string(),
        row.due.clone(),
        row.state.to_owned(),
        row.assignee.clone(),
        row.standing.to_owned(),
    ]
}

/// With a byte order mark, by which a spreadsheet knows UTF-8.
fn csv(headings: &[&str], rows: &[(Row, Option<Money>)]) -> Result<Vec<u8>, csv::Error> {
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(&mut bytes);
    writer.write_record(headings)?;
    for (row, amount) in rows {
        let cells = cells(row, *amount);
        let cells = cells.iter().enumerate().map(|(at, cell)| {
            // An amount may be negative and is a number all the same.
            if at == AMOUNT {
                cell.clone()
            } else {
                harmless(cell)
            }
        });
        writer.write_record(cells)?;
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

/// A text that no spreadsheet takes for a formula (OWASP, CWE-1236).
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        _ => text.to_owned(),
    }
}

fn xlsx(headings: &[&str], rows: &[(Row, Option<Money>)]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let (bold, money, text) = (
        Format::new().set_bold(),
        Format::new().set_num_format("#,##0.00"),
        Format::new().set_num_format("@"),
    );
    let sheet = workbook.add_worksheet();
    sheet.set_freeze_panes(1, 0)?;
    for (at, heading) in (0_u16..).zip(headings) {
        sheet.write_with_format(0, at, *heading, &bold)?;
    }
    for (line, (row, amount)) in (1_u32..).zip(rows) {
        for (at, cell) in (0_u16..).zip(cells(row, *amount)) {
            match amount {
                // A cell is a binary number whatever is done; up to 90 trillion yuan the two decimals are right.
                Some(_) if usize::from(at) == AMOUNT => {
                    let number: f64 = cell.parse().unwrap_or_default();
                    sheet.write_with_format(line, at, number, &money)?;
                }
                // Text, whatever it begins with.
                _ => {
                    sheet.write_string_with_format(line, at, cell, &text)?;
                }
            }
        }
    }
    sheet.autofit();
    workbook.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S27: no cell is a formula, and what is no formula stays as it is.
    #[test]
    fn s27_no_cell_is_a_formula() {
        for cell in [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1", "＝1",
        ] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["91341002MA2TEXT08E", "341099********0008", "", "欠费"] {
            assert_eq!(harmless(cell), cell);
        }
    }
}
