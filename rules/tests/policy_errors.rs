//! What a wrong policy is told: for each kind of error the file, the line, the key, what is wrong and
//! what is allowed.
//!
//! Each case is one edit of a good policy and the errors that it makes, all of them and no others.

use rules::Policy;

/// A good policy; the cases count its lines.
const GOOD: &str = r#"[pool]
code = "341000"
name = "黄山市"
time_zone = "Asia/Shanghai"
regions = [
  { code = "341000", name = "市本级", remits = false },
  { code = "341002", name = "屯溪区" },
]

[[contribution]]
from = "2019-05"
employer_rate = "0.16"
employee_rate = "0.08"
reference_wage = "6000.00"
floor_ratio = "0.60"
ceiling_ratio = "3.00"
due_day = 15
grace_days = 0

[[contribution]]
from = "2005-01"
employer_rate = "0.20"
employee_rate = "0.08"
reference_wage = "1080.00"
floor_ratio = "0.60"
ceiling_ratio = "3.00"
due_day = 31
grace_days = 2

[[surcharge]]
from = "2011-07-01"
daily = "0.0005"

[[benefit]]
from = "2019-05"
items = ["basic_pension", "transitional_pension"]
survivor_items = ["funeral_grant"]
payout_day = 20
grace_days = 3

[[remittance]]
from = "2019-05"
remit_day = 10
grace_days = 0
release_business_days = 10

[calendar]
holidays = ["2024-02-12", "2024-02-13"]
workdays = [
  "2024-02-04",
  "2024-02-18",
]

[detectors.arrears]
yellow = "100.00"
orange = "200.00"

[detectors.under-declared-base]
tolerance_ratio = "0.01"
"#;

/// Replaces `before`, which is in the good policy once at least, by `after` where it is first, and
/// compares: each expected error is the beginning of a line and words that come later in it.
#[track_caller]
fn check(before: &str, after: &str, expected: &[(&str, &[&str])]) {
    assert!(GOOD.contains(before), "no `{before}` in the good policy");
    check_text(&GOOD.replacen(before, after, 1), expected);
}

#[track_caller]
fn check_text(text: &str, expected: &[(&str, &[&str])]) {
    let told = match Policy::parse("policy.toml", text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(errors) => errors.to_string(),
    };
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{told}");
    for (line, (start, words)) in lines.iter().zip(expected) {
        let rest = line
            .strip_prefix(start)
            .unwrap_or_else(|| panic!("`{start}` does not begin\n{told}"));
        for word in *words {
            assert!(rest.contains(word), "no `{word}` in `{rest}`\n{told}");
        }
    }
}

#[test]
fn the_good_policy_is_good() {
    let policy = Policy::parse("policy.toml", GOOD).unwrap();
    assert_eq!(policy.contributions().len(), 2);
}

#[test]
fn unknown_keys_are_told_with_what_was_meant() {
    check(
        "due_day = 15",
        "due_dya = 15\ndue_day = 15",
        &[(
            "policy.toml:17: contribution.due_dya: unknown key; did you mean `due_day`? allowed: ",
            &["`from`", "`grace_days`"],
        )],
    );
    check(
        "[calendar]",
        "[calender]",
        &[(
            "policy.toml:47: calender: unknown key; did you mean `calendar`?",
            &["`detectors`"],
        )],
    );
    check(
        "[detectors.arrears]",
        "[detectors.arears]",
        &[(
            "policy.toml:54: detectors.arears: unknown key; did you mean `arrears`?",
            &["`under-declared-base`", "`silent-feed`"],
        )],
    );
    check(
        "{ code = \"341002\", name",
        "{ code = \"341002\", remit = true, name",
        &[(
            "policy.toml:7: pool.regions.remit: unknown key; did you mean `remits`?",
            &[],
        )],
    );
    check(
        "daily = ",
        "colour = \"blue\"\ndaily = ",
        &[(
            "policy.toml:32: surcharge.colour: unknown key; allowed: `from`, `daily`",
            &[],
        )],
    );
    check(
        "yellow = \"100.00\"",
        "tolerance_ratio = \"0.05\"",
        &[(
            "policy.toml:55: detectors.arrears.tolerance_ratio: unknown key",
            &["`tolerance`"],
        )],
    );
}

#[test]
fn missing_keys_are_told_at_their_table() {
    check(
        "employer_rate = \"0.20\"\n",
        "",
        &[(
            "policy.toml:20: contribution.employer_rate: is missing",
            &[],
        )],
    );
    check(
        "code = \"341002\", ",
        "",
        &[("policy.toml:7: pool.regions.code: is missing", &[])],
    );
    check(
        "release_business_days = 10\n",
        "",
        &[(
            "policy.toml:41: remittance.release_business_days: is missing",
            &[],
        )],
    );
    check(
        "[[surcharge]]\nfrom = \"2011-07-01\"\ndaily = \"0.0005\"\n",
        "",
        &[(
            "policy.toml:1: surcharge: is missing; needed: at least one entry, `[[surcharge]]`",
            &[],
        )],
    );
    check_text(
        "",
        &[
            ("policy.toml:1: pool: is missing", &[]),
            ("policy.toml:1: contribution: is missing", &[]),
            ("policy.toml:1: surcharge: is missing", &[]),
            ("policy.toml:1: benefit: is missing", &[]),
            ("policy.toml:1: remittance: is missing", &[]),
        ],
    );
}

#[test]
fn tables_of_another_form_are_told() {
    check(
        "[[surcharge]]",
        "[surcharge]",
        &[(
            "policy.toml:30: surcharge: is a table; allowed: at least one entry, `[[surcharge]]`",
            &[],
        )],
    );
    check(
        "[calendar]",
        "[[calendar]]",
        &[(
            "policy.toml:47: calendar: is a list; allowed: one table, `[calendar]`",
            &[],
        )],
    );
    check(
        "[pool]",
        "benefits = []\n[pool]",
        &[(
            "policy.toml:1: benefits: unknown key; did you mean `benefit`?",
            &[],
        )],
    );
    let without_regions = GOOD
        .lines()
        .filter(|line| !line.starts_with("  { code"))
        .collect::<Vec<_>>()
        .join("\n");
    check_text(
        &without_regions,
        &[("policy.toml:5: pool.regions: is empty", &[])],
    );
}

#[test]
fn months_and_days_are_told_apart() {
    check(
        "from = \"2005-01\"",
        "from = \"2005-01-01\"",
        &[(
            "policy.toml:21: contribution.from: `2005-01-01` is a day where a month belongs",
            &["YYYY-MM", "\"2005-01\""],
        )],
    );
    check(
        "from = \"2011-07-01\"",
        "from = \"2011-07\"",
        &[(
            "policy.toml:31: surcharge.from: `2011-07` is a month where a day belongs",
            &["YYYY-MM-DD", "\"2011-07-01\""],
        )],
    );
    check(
        "from = \"2011-07-01\"",
        "from = 2011-07-01",
        &[(
            "policy.toml:31: surcharge.from: `2011-07-01` is not in quotes",
            &[],
        )],
    );
    for wrong in ["2011-02-29", "1899-12-31", "2200-01-01", "2011-7-1", ""] {
        check(
            "from = \"2011-07-01\"",
            &format!("from = \"{wrong}\""),
            &[(
                &format!(
                    "policy.toml:31: surcharge.from: `{wrong}` is not valid; allowed: a calendar day of 1900 to 2199"
                ),
                &[],
            )],
        );
    }
}

#[test]
fn numbers_out_of_bounds_are_told() {
    for (before, after, start, word) in [
        (
            "due_day = 31",
            "due_day = 32",
            "policy.toml:27: contribution.due_day: `32` is out of range",
            "1 to 31",
        ),
        (
            "due_day = 15",
            "due_day = 0",
            "policy.toml:17: contribution.due_day: `0`",
            "1 to 31",
        ),
        (
            "payout_day = 20",
            "payout_day = \"20\"",
            "policy.toml:38: benefit.payout_day: is a text",
            "without quotes",
        ),
        (
            "remit_day = 10",
            "remit_day = 10.0",
            "policy.toml:43: remittance.remit_day: is a number with a point",
            "1 to 31",
        ),
        (
            "grace_days = 3",
            "grace_days = -1",
            "policy.toml:39: benefit.grace_days: `-1`",
            "0 to 9999",
        ),
        (
            "grace_days = 3",
            "grace_days = 99999999999999",
            "policy.toml:39: benefit.grace_days: `99999999999999`",
            "0 to 9999",
        ),
        (
            "\"0.16\"",
            "0.16",
            "policy.toml:12: contribution.employer_rate: is a bare number; write it in quotes, \"0.16\"",
            "0 to 1",
        ),
        (
            "\"0.16\"",
            "\"16%\"",
            "policy.toml:12: contribution.employer_rate: `16%` is not valid",
            "0 to 1",
        ),
        (
            "\"0.16\"",
            "\"1.01\"",
            "policy.toml:12: contribution.employer_rate: `1.01`",
            "0 to 1",
        ),
        (
            "\"0.16\"",
            "\"0.160000001\"",
            "policy.toml:12: contribution.employer_rate: `0.160000001`",
            "8 decimals",
        ),
        (
            "\"0.16\"",
            "\"-0.16\"",
            "policy.toml:12: contribution.employer_rate: `-0.16`",
            "0 to 1",
        ),
        (
            "\"0.16\"",
            "\".16\"",
            "policy.toml:12: contribution.employer_rate: `.16`",
            "0 to 1",
        ),
        (
            "\"0.16\"",
            "\"1e-1\"",
            "policy.toml:12: contribution.employer_rate: `1e-1`",
            "0 to 1",
        ),
        (
            "\"6000.00\"",
            "6000",
            "policy.toml:14: contribution.reference_wage: is a bare number; write it in quotes, \"6000\"",
            "yuan",
        ),
        (
            "\"6000.00\"",
            "\"6,000.00\"",
            "policy.toml:14: contribution.reference_wage: `6,000.00`",
            "yuan",
        ),
        (
            "\"6000.00\"",
            "\"0.00\"",
            "policy.toml:14: contribution.reference_wage: `0.00` is out of range",
            "more than 0.00",
        ),
        (
            "\"6000.00\"",
            "\"100000000.00\"",
            "policy.toml:14: contribution.reference_wage: `100000000.00`",
            "less than",
        ),
        (
            "\"3.00\"",
            "\"1000.5\"",
            "policy.toml:16: contribution.ceiling_ratio: `1000.5`",
            "0 to 1000",
        ),
        (
            "yellow = \"100.00\"",
            "enabled = \"true\"",
            "policy.toml:55: detectors.arrears.enabled: is a text",
            "`true` or `false`",
        ),
        (
            "tolerance_ratio = \"0.01\"",
            "tolerance_ratio = \"2\"",
            "policy.toml:59: detectors.under-declared-base.tolerance_ratio: `2`",
            "0 to 1",
        ),
    ] {
        check(before, after, &[(start, &[word])]);
    }
}

#[test]
fn names_and_codes_are_told() {
    for (before, after, start) in [
        (
            "code = \"341000\"",
            "code = \"34100\"",
            "policy.toml:2: pool.code: `34100` is not valid; allowed: six digits",
        ),
        (
            "code = \"341000\"",
            "code = 341000",
            "policy.toml:2: pool.code: is a whole number; allowed: six digits in quotes",
        ),
        (
            "name = \"黄山市\"",
            "name = \" \"",
            "policy.toml:3: pool.name: is empty",
        ),
        (
            "Asia/Shanghai",
            "Shanghai time",
            "policy.toml:4: pool.time_zone: `Shanghai time` is not valid",
        ),
        (
            "Asia/Shanghai",
            "+08:00",
            "policy.toml:4: pool.time_zone: `+08:00` is not valid",
        ),
        (
            "code = \"341002\"",
            "code = \"3410AB\"",
            "policy.toml:7: pool.regions.code: `3410AB` is not valid",
        ),
        (
            "\"basic_pension\"",
            "\"basic pension\"",
            "policy.toml:36: benefit.items: `basic pension` is not valid; allowed: 1 to 64",
        ),
        (
            "\"funeral_grant\"",
            "\"\"",
            "policy.toml:37: benefit.survivor_items: `` is not valid",
        ),
        (
            "[\"funeral_grant\"]",
            "\"funeral_grant\"",
            "policy.toml:37: benefit.survivor_items: is a text; allowed: a list",
        ),
    ] {
        check(before, after, &[(start, &[])]);
    }
}

#[test]
fn contradictions_are_told() {
    check(
        "\"2024-02-13\"]",
        "\"2024-02-18\"]",
        &[(
            "policy.toml:51: calendar.workdays: `2024-02-18` is a holiday too",
            &["calendar.holidays, policy.toml:48"],
        )],
    );
    check(
        "\"2024-02-18\"",
        "\"2024-02-19\"",
        &[(
            "policy.toml:51: calendar.workdays: `2024-02-19` is no Saturday or Sunday",
            &[],
        )],
    );
    check(
        "from = \"2005-01\"",
        "from = \"2019-05\"",
        &[(
            "policy.toml:21: contribution.from: `2019-05` is the `from` of another entry already (line 11)",
            &[],
        )],
    );
    check(
        "code = \"341002\"",
        "code = \"341000\"",
        &[(
            "policy.toml:7: pool.regions.code: `341000` is a region already (line 6)",
            &[],
        )],
    );
    check(
        "floor_ratio = \"0.60\"",
        "floor_ratio = \"3.01\"",
        &[(
            "policy.toml:15: contribution.floor_ratio: `3.01` is greater than ceiling_ratio `3`",
            &[],
        )],
    );
    check(
        "\"funeral_grant\"",
        "\"basic_pension\"",
        &[(
            "policy.toml:37: benefit.survivor_items: `basic_pension` is in `items` too",
            &["line 36"],
        )],
    );
    check(
        "orange = \"200.00\"",
        "orange = \"99.99\"",
        &[(
            "policy.toml:55: detectors.arrears.yellow: `100.00` is greater than orange `99.99`",
            &[],
        )],
    );
}

#[test]
fn text_that_is_no_toml_is_told_with_its_line() {
    check(
        "due_day = 15\n",
        "due_day = 15\ndue_day = 16\n",
        &[("policy.toml:18: duplicate key in `due_day = 16`", &[])],
    );
    check(
        "from = \"2005-01\"",
        "from = 2005-01",
        &[("policy.toml:21: ", &[])],
    );
    check("[calendar]", "[calendar", &[("policy.toml:47: ", &[])]);
    check(
        "[calendar]",
        "[pool]",
        &[("policy.toml:47: duplicate key", &[])],
    );
}

#[test]
fn everything_wrong_is_told_at_once_by_line() {
    let text = GOOD
        .replace("\"0.16\"", "0.16")
        .replace("due_day = 31", "due_day = 32")
        .replace("[calendar]", "[calender]")
        .replace("[\"basic_pension\"", "[7");
    check_text(
        &text,
        &[
            ("policy.toml:12: contribution.employer_rate: ", &[]),
            ("policy.toml:27: contribution.due_day: ", &[]),
            ("policy.toml:36: benefit.items: is a whole number", &[]),
            ("policy.toml:47: calender: ", &[]),
        ],
    );
}

#[test]
fn a_policy_without_a_file_names_no_files() {
    check(
        "[calendar]",
        "[calendar]\nfiles = [\"cn-2024.toml\"]",
        &[(
            "policy.toml:48: calendar.files: `cn-2024.toml`: only a policy that is read from a file",
            &[],
        )],
    );
}

/// Writes a policy and one calendar file beside it, and tells what is wrong with them, the folder
/// left out.
fn load(calendar: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.toml");
    let text = GOOD.replace("[calendar]", "[calendar]\nfiles = [\"2025.toml\"]");
    std::fs::write(&path, text).expect("written");
    std::fs::write(folder.path().join("2025.toml"), calendar).expect("written");
    let prefix = format!("{}/", folder.path().display());
    match Policy::load(&path) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string().replace(&prefix, ""),
    }
}

#[test]
fn calendar_files_are_named_in_their_errors() {
    assert_eq!(load("year = 2025\nsource = \"a notice\"\n"), "");
    assert_eq!(
        load("year = 2025\nsource = \"a notice\"\nholidays = [\n\"2024-12-31\"]\n"),
        "2025.toml:4: holidays: `2024-12-31` is not of the file's year 2025"
    );
    let told = load("year = 2025\nsource = \"a notice\"\nworkday = []\n");
    assert!(
        told.starts_with("2025.toml:3: workday: unknown key; did you mean `workdays`?"),
        "{told}"
    );
    // A contradiction between two files names both.
    assert_eq!(
        load("year = 2024\nsource = \"a notice\"\nholidays = [\"2024-02-04\"]\n"),
        "policy.toml:51: calendar.workdays: `2024-02-04` is a holiday too (holidays, 2025.toml:3); \
         allowed: in one of the two lists"
    );
    assert_eq!(
        load("year = 2024\nsource = \"a notice\"\nworkdays = [\"2024-02-12\"]\n"),
        "2025.toml:3: workdays: `2024-02-12` is a holiday too (calendar.holidays, policy.toml:49); \
         allowed: in one of the two lists"
    );
    // Errors of a file come by line, contradictions among them.
    let told = load(
        "year = 2024\nsource = \"a notice\"\nworkdays = [\n\"2024-02-12\",\n\"2025-02-15\",\n\"2024-02-14\"]\n",
    );
    let places: Vec<_> = told.lines().map(|line| &line[..12]).collect();
    assert_eq!(places, ["2025.toml:4:", "2025.toml:5:", "2025.toml:6:"]);
    let told = load("year = \n");
    assert!(told.starts_with("2025.toml:1: "), "{told}");
    let told = load("");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.toml");
    let told = Policy::load(&missing).unwrap_err().to_string();
    assert!(
        told.starts_with(&format!("{}: cannot be read: ", missing.display())),
        "{told}"
    );
    let told = Policy::load(folder.path()).unwrap_err().to_string();
    assert!(told.contains(": cannot be read: "), "{told}");

    let path = folder.path().join("policy.toml");
    std::fs::write(&path, b"[pool]\nname = \"\xbb\xc6\xc9\xbd\"\n").unwrap();
    let told = Policy::load(&path).unwrap_err().to_string();
    assert_eq!(told, format!("{}:2: is not UTF-8", path.display()));

    std::fs::write(
        &path,
        GOOD.replace("[calendar]", "[calendar]\nfiles = [\"no.toml\"]"),
    )
    .unwrap();
    let told = Policy::load(&path).unwrap_err().to_string();
    assert!(
        told.contains("policy.toml:48: calendar.files: `")
            && told.contains("no.toml`: cannot be read"),
        "{told}"
    );
}

/// The tables of the ledger may be left out; what is wrong in them is told like the rest.
#[test]
fn the_tables_of_the_ledger_are_checked() {
    let with = |tables: &str| GOOD.replacen("[calendar]", &format!("{tables}\n[calendar]"), 1);
    let good = with(
        "[[advance]]
from = \"2005-09\"
id_prefixes = [\"ADJ-\"]
[[health]]
from = \"2005-01\"
reserve-months = { yellow = \"6\", orange = \"3\", red = \"1\" }
gap-ratio = { yellow = \"0.3\", red = \"0.5\" }
[opening_balance]
from = \"2005-01-01\"
amount = \"1000.00\"",
    );
    assert!(Policy::parse("policy.toml", &good).is_ok());
    check_text(
        &with("[[health]]\nfrom = \"2005-01\"\nreserve-month = { yellow = \"6\" }"),
        &[(
            "policy.toml:49: health.reserve-month: unknown key; did you mean `reserve-months`?",
            &["`confirm_months`", "`payout-timeliness`"],
        )],
    );
    check_text(
        &with("[[health]]\nfrom = \"2005-01\"\nrunway = { yelow = \"6\" }"),
        &[(
            "policy.toml:49: health.runway.yelow: unknown key; did you mean `yellow`?",
            &["`red`"],
        )],
    );
    // Which way is worse is the indicator's own.
    check_text(
        &with(
            "[[health]]\nfrom = \"2005-01\"\nreserve-months = { yellow = \"3\", orange = \"6\" }",
        ),
        &[(
            "policy.toml:49: health.reserve-months.yellow: `3` is less than orange `6`",
            &["at least"],
        )],
    );
    check_text(
        &with("[[health]]\nfrom = \"2005-01\"\ngap-ratio = { yellow = \"0.5\", red = \"0.3\" }"),
        &[(
            "policy.toml:49: health.gap-ratio.yellow: `0.5` is greater than red `0.3`",
            &["at most"],
        )],
    );
    check_text(
        &with("[[health]]\nfrom = \"2005-01\"\n[[health]]\nfrom = \"2005-01\""),
        &[(
            "policy.toml:50: health.from: `2005-01` is the `from` of another entry already",
            &["line 48"],
        )],
    );
    check_text(
        &with("[[advance]]\nfrom = \"2005-09-01\"\nid_prefixes = [\"A J\"]"),
        &[
            (
                "policy.toml:48: advance.from: `2005-09-01` is a day where a month belongs",
                &[],
            ),
            (
                "policy.toml:49: advance.id_prefixes: `A J` is not valid",
                &["A-Z a-z"],
            ),
        ],
    );
    check_text(
        &with("[opening_balance]\nfrom = \"2005-01-01\""),
        &[("policy.toml:47: opening_balance.amount: is missing", &[])],
    );
}
