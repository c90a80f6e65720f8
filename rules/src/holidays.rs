//! Holidays and worked weekend days, as a policy and the calendar files that it names list them.
//!
//! A calendar file has one year, and says where its days come from: so that the years are data that
//! every pool can share, and next year's notice is one file more.

use std::collections::BTreeMap;

use domain::BusinessDate;

use crate::calendar::{Calendar, is_weekday};
use crate::error::{PolicyError, Report};
use crate::section::{Placed, Section, parse_toml};
use crate::value;

/// Keys of the policy's table.
const CALENDAR: [&str; 3] = ["holidays", "workdays", "files"];
/// Keys of a calendar file.
const CALENDAR_FILE: [&str; 4] = ["year", "source", "holidays", "workdays"];
/// Years that a date may be of.
const YEARS: (u32, u32) = (1900, 2199);

/// Opens a file that a policy names: its name for errors and its text, or why not.
pub(crate) type OpenFile<'f> = &'f dyn Fn(&str) -> (String, Result<String, String>);

/// The calendar of a policy. Errors of its calendar files go to `errors`, its own to its report.
pub(crate) fn calendar(
    root: &Section<'_, '_>,
    open: OpenFile<'_>,
    errors: &mut Vec<PolicyError>,
) -> Calendar {
    let mut lists = Lists::default();
    lists.files.push(root.file().to_owned());
    if let Some(section) = root.optional_table("calendar", &CALENDAR) {
        lists.take(&section, "calendar.holidays", "calendar.workdays");
        let files = section.optional_list("files", value::file);
        for Placed { value: file, line } in files.unwrap_or_default() {
            match open(&file) {
                (name, Ok(text)) => calendar_file(name, &text, &mut lists, errors),
                (name, Err(why)) => section.add(line, "files", format!("`{name}`: {why}")),
            }
        }
    }
    lists.check(root, errors);
    errors.sort_by_key(|error| {
        (
            lists.files.iter().position(|file| *file == error.file),
            error.line,
        )
    });
    let days = |listed: &[Listed]| listed.iter().map(|listed| listed.day).collect::<Vec<_>>();
    Calendar::new(&days(&lists.holidays), &days(&lists.workdays))
}

/// A day that a list names, and where.
struct Listed {
    day: BusinessDate,
    /// In the order of reading: the policy itself is 0.
    file: usize,
    line: usize,
    key: &'static str,
}

/// The lists of all calendars: of the policy and of the files that it names.
#[derive(Default)]
struct Lists {
    /// Names of the files, the policy's first.
    files: Vec<String>,
    holidays: Vec<Listed>,
    workdays: Vec<Listed>,
}

/// Reads the file of one year.
fn calendar_file(name: String, text: &str, lists: &mut Lists, errors: &mut Vec<PolicyError>) {
    let report = Report::new(&name, text);
    lists.files.push(name.clone());
    if let Some(table) = parse_toml(&report) {
        let root = Section::root(&report, &table, &CALENDAR_FILE);
        let year = root.required("year", |value| value::whole(value, YEARS.0, YEARS.1));
        root.required("source", value::name);
        let (holidays, workdays) = lists.take(&root, "holidays", "workdays");
        if let Some(year) = year {
            let listed = lists.holidays[holidays..].iter();
            for day in listed.chain(&lists.workdays[workdays..]) {
                if day.day.period().year() != year {
                    let message = format!("`{}` is not of the file's year {year}", day.day);
                    root.add(day.line, day.key, message);
                }
            }
        }
    }
    errors.append(&mut report.into_errors());
}

impl Lists {
    /// Takes over the lists of the file last named. Returns where they begin.
    fn take(
        &mut self,
        section: &Section<'_, '_>,
        holidays_key: &'static str,
        workdays_key: &'static str,
    ) -> (usize, usize) {
        let file = self.files.len() - 1;
        let listed = |list: &str, key: &'static str| {
            let days = section.optional_list(list, value::day).unwrap_or_default();
            days.into_iter().map(move |placed| Listed {
                day: placed.value,
                file,
                line: placed.line,
                key,
            })
        };
        let starts = (self.holidays.len(), self.workdays.len());
        self.holidays.extend(listed("holidays", holidays_key));
        self.workdays.extend(listed("workdays", workdays_key));
        starts
    }

    /// Reports worked days that are holidays too, and those that are no weekend days.
    fn check(&self, root: &Section<'_, '_>, errors: &mut Vec<PolicyError>) {
        let holidays: BTreeMap<_, _> = self.holidays.iter().map(|day| (day.day, day)).collect();
        for workday in &self.workdays {
            let day = workday.day;
            let message = if let Some(holiday) = holidays.get(&day) {
                format!(
                    "`{day}` is a holiday too ({}, {}:{}); allowed: in one of the two lists",
                    holiday.key, self.files[holiday.file], holiday.line
                )
            } else if is_weekday(day) {
                format!("`{day}` is no Saturday or Sunday; allowed: weekend days that are worked")
            } else {
                continue;
            };
            if workday.file == 0 {
                root.add(workday.line, workday.key, message);
            } else {
                errors.push(PolicyError {
                    file: self.files[workday.file].clone(),
                    line: Some(workday.line),
                    key: Some(workday.key.to_owned()),
                    message,
                });
            }
        }
    }
}
