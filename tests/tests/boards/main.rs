//! Boards and rules on a real Prometheus that watches a real run of a simulated city: whatever they ask is answered, with
//! values that can be, and numbers with one name agree with each other and with the store.
//!
//! `FUNDWATCH_BOARD_PICTURES=docs/boards` draws each board from the answers that were judged, for the README.

#![expect(
    clippy::float_arithmetic,
    reason = "what Prometheus answers are floats"
)]

mod picture;
mod stage;

use std::path::Path;
use std::process::Command;

use acceptance::peer::{StartError, started_or_skipped};
use acceptance::prometheus::{REQUIRED_BY, Series, tool, tool_on};
use serde_json::Value;

use stage::{Answered, Stage, list, repository, text};

/// Panels that have no answer on the stage, with the reason.
const NOT_ANSWERED: [(&str, &str); 2] = [
    (
        "积压（条）/ Lag",
        "a lag is behind a broker; the demo reads files that grow",
    ),
    (
        "落盘耗时（秒）/ State made durable",
        "the demo begins anew each time, and keeps no state",
    ),
];

/// Ages of money and time limits are days by law, and are shown as such: no seconds are known of them.
const IN_DAYS: &str = "use base unit \"seconds\" instead of \"days\"";

/// Money that may go either way.
const FLOWS: [&str; 4] = [
    "fundwatch_flow_year_yuan",
    "fundwatch_fund_balance_yuan",
    "fundwatch_ledger_difference_yuan",
    "fundwatch_projection_",
];

/// Alerts on the program that the demo may wake, with the reason.
const MAY_WAKE: [(&str, &str); 3] = [
    (
        "FundwatchFeedBehind",
        "one of the planted irregularities is a feed that falls silent",
    ),
    ("FundwatchDiskFull", "the disk is the machine's"),
    ("FundwatchDiskFilling", "the disk is the machine's"),
];

/// What rules read and the demo has not, and why.
const RARE: [(&str, &str); 2] = [
    (
        "fundwatch_feed_lag_records",
        "the demo reads from files, which nobody is behind of",
    ),
    (
        "fundwatch_http_requests_total{code=\"429\"",
        "nobody asks for more than an hour allows",
    ),
];

#[test]
fn every_question_of_the_boards_and_rules_is_answered() {
    let Some(stage) = started_or_skipped("a real Prometheus", Stage::play(), REQUIRED_BY) else {
        return;
    };
    let boards: Vec<Answered> = stage.boards();
    assert!(4 <= boards.len());
    let mut faults: Vec<String> = boards.iter().flat_map(Answered::faults).collect();
    faults.extend(faults_of_rules(&stage));
    faults.extend(faults_of_agreement(&stage, &boards));
    faults.extend(faults_of_the_scrape(&stage));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    if let Some(folder) = std::env::var_os("FUNDWATCH_BOARD_PICTURES") {
        picture::draw(&boards, &repository().join(folder)).expect("the boards are drawn");
    }
}

impl Answered {
    /// What is wrong with the answers, in words.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for panel in list(&self.board["panels"]) {
            let title = text(&panel["title"]);
            let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
            let reason = NOT_ANSWERED.iter().find(|(name, _)| *name == title);
            for (target, series) in self.answers(panel) {
                let name = format!("{}: {title}: {}", self.name, text(&target["expr"]));
                let series = match series {
                    Ok(series) => series.iter().filter(|series| has_number(series)),
                    Err(error) => {
                        faults.push(format!("{name}: {error}"));
                        continue;
                    }
                };
                let is_answered = series.clone().next().is_some();
                if is_answered == reason.is_some() {
                    let listed = reason.map_or("not listed", |_| "listed");
                    faults.push(format!(
                        "{name}: answered: {is_answered}, and {listed} as having no answer"
                    ));
                }
                let unit = column_unit(panel, target).unwrap_or(unit);
                faults.extend(
                    series
                        .filter_map(|series| out_of_bounds(series, unit, text(&target["expr"])))
                        .map(|fault| format!("{name}: {fault}")),
                );
            }
        }
        for variable in list(&self.board["templating"]["list"]) {
            if variable["type"] == "query" {
                faults.extend(self.faults_of_choice(variable));
            }
        }
        faults
    }

    /// Each region can be chosen by its name, and stands for its code.
    fn faults_of_choice(&self, variable: &Value) -> Option<String> {
        // Grafana matches the series as they are written: labels in order, so `name` comes before `region`.
        assert_eq!(
            variable["regex"],
            r#"/name="(?<text>[^"]+)".*region="(?<value>[^"]+)"/"#
        );
        let chosen: Vec<(String, String)> = self
            .choices
            .iter()
            .map(|series| {
                (
                    text(&series.labels["name"]).to_owned(),
                    text(&series.labels["region"]).to_owned(),
                )
            })
            .collect();
        let are_regions = chosen.iter().all(|(name, code)| {
            !name.is_empty() && code.len() == 6 && code.chars().all(|c| c.is_ascii_digit())
        });
        (chosen.len() < 2 || !are_regions)
            .then(|| format!("{}: regions to choose from: {chosen:?}", self.name))
    }
}

/// The unit of a table's column, which stands in an override of its header.
fn column_unit<'a>(panel: &'a Value, target: &Value) -> Option<&'a str> {
    let field = format!("Value #{}", text(&target["refId"]));
    let header = &panel["transformations"][1]["options"]["renameByName"][&field];
    let override_of = list(&panel["fieldConfig"]["overrides"])
        .iter()
        .find(|properties| header.is_string() && properties["matcher"]["options"] == *header)?;
    list(&override_of["properties"])
        .iter()
        .find(|property| property["id"] == "unit")
        .map(|property| text(&property["value"]))
}

/// A quantile of nothing is no number, and Grafana draws nothing.
fn has_number(series: &Series) -> bool {
    series.points.iter().any(|(_, value)| !value.is_nan())
}

/// Values that cannot be, by unit.
fn out_of_bounds(series: &Series, unit: &str, expr: &str) -> Option<String> {
    let (least, most) = match unit {
        // A surplus may be a deficit, a gap more than what came in; a retiree a payer is 100%.
        "percentunit" if expr.contains("fundwatch_indicator_ratio") => (-5.0, 5.0),
        "suffix: 个月" => (-120.0, 600.0),
        "locale" | "suffix: 亿元" if FLOWS.iter().any(|name| expr.contains(name)) => {
            (-1e12, 1e12)
        }
        // From unknown to red.
        "locale" if expr.contains("fundwatch_indicator_grade") => (-1.0, 3.0),
        "percentunit" => (0.0, 1.0),
        // The years that policy and feeds may speak of, and the date of the test.
        "time:YYYY-MM-DD" | "time:YYYY-MM-DD HH:mm:ss" => {
            (1_072_915_200_000.0, 4_102_444_800_000.0)
        }
        // How long money lasts, and how old debts are, may be years.
        "suffix: 天" if expr.contains("fundwatch_indicator_days") => (0.0, 4_000.0),
        "suffix: 天" => (0.0, 400.0),
        "suffix: 万元" => (0.0, 1e7),
        "s" => (0.0, 600.0),
        "bytes" => (1.0, 1e15),
        _ => (0.0, 1e12),
    };
    let mut numbers = series.points.iter().map(|(_, value)| *value);
    let wrong = numbers.find(|value| !value.is_nan() && !(least..=most).contains(value));
    wrong.map(|value| {
        format!(
            "{value} is not between {least} and {most} ({})",
            series.labels
        )
    })
}

/// Every rule is evaluated; what is recorded has values; what alerts reads data that are there, and is at rest.
fn faults_of_rules(stage: &Stage) -> Vec<String> {
    let mut faults = Vec::new();
    let rules = stage.prometheus.rules().expect("the rules are listed");
    let mut count = 0;
    for rule in list(&rules["groups"])
        .iter()
        .flat_map(|group| list(&group["rules"]))
    {
        count += 1;
        let name = text(&rule["name"]);
        if rule["health"] != "ok" {
            faults.push(format!("{name}: {}: {}", rule["health"], rule["lastError"]));
        }
        let is_recording = rule["type"] == "recording";
        if is_recording && stage.now(name).is_ok_and(|series| series.is_empty()) {
            faults.push(format!("{name} is recorded, and has no value"));
        }
        if !is_recording {
            for selector in stage::selectors(text(&rule["query"])) {
                let is_rare = RARE.iter().any(|(rare, _)| selector.starts_with(rare));
                match stage.now(&selector) {
                    Ok(series) if series.is_empty() && !is_rare => {
                        faults.push(format!("{name}: no data for {selector}"))
                    }
                    Err(error) => faults.push(format!("{name}: {selector}: {error}")),
                    Ok(_) => {}
                }
            }
            let state = text(&rule["state"]);
            let is_right = match name {
                "FundwatchWatchdog" => state == "firing",
                _ => state == "inactive" || MAY_WAKE.iter().any(|(may, _)| *may == name),
            };
            if !is_right {
                faults.push(format!("{name} is {state}: {}", rule["alerts"]));
            }
        }
    }
    assert!(25 < count, "{count} rules");
    faults
}

/// Two numbers with one name agree, and both with the store.
fn faults_of_agreement(stage: &Stage, boards: &[Answered]) -> Vec<String> {
    let mut faults = Vec::new();
    let stored = stage.yuan_at_stake();
    let total = |expr: &str| -> f64 {
        let series = stage.now(expr).expect("the query is answered");
        series
            .iter()
            .flat_map(|series| &series.points)
            .map(|(_, value)| value)
            .sum()
    };
    for board in boards {
        for panel in list(&board.board["panels"]) {
            for target in list(&panel["targets"]) {
                let expr = stage::substituted(text(&target["expr"]));
                let is_whole = expr.contains("fundwatch_alerts_open_yuan")
                    && target["instant"] == true
                    && panel["fieldConfig"]["defaults"]["unit"] != "percentunit";
                if is_whole {
                    let factor = if expr.contains("1e4") { 1e4 } else { 1.0 };
                    let shown = total(&expr) * factor;
                    if (shown - stored).abs() > 0.005 {
                        faults.push(format!(
                            "{}: {}: {shown} yuan, and {stored} in the store",
                            board.name, panel["title"]
                        ));
                    }
                }
            }
        }
    }
    faults
}

/// The scrape by Prometheus' own judgement, its size, and nobody's number in it.
fn faults_of_the_scrape(stage: &Stage) -> Vec<String> {
    let mut faults = Vec::new();
    let mut promtool = Command::new("promtool");
    if let Err(error) = tool_on(promtool.args(["check", "metrics"]), &stage.scrape) {
        let words = error.to_string();
        faults.extend(
            words
                .lines()
                .filter(|line| !line.ends_with(IN_DAYS))
                .map(|line| format!("promtool check metrics: {line}")),
        );
    }
    let lines: Vec<&str> = stage
        .scrape
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let regions = lines
        .iter()
        .filter(|line| line.starts_with("fundwatch_region_info{"))
        .count();
    // Of each region 61 and the ledger's 81; once more these for the pool, and its projection.
    let budget = 480 + 142 * regions;
    if regions < 2 || budget < lines.len() {
        faults.push(format!(
            "{} series of {regions} regions; {budget} may be",
            lines.len()
        ));
    }
    for line in lines {
        let labels = line.split_once('{').map_or("", |(_, rest)| {
            rest.rsplit_once('}').map_or("", |(labels, _)| labels)
        });
        let longest = labels
            .split(|c: char| !c.is_ascii_digit())
            .map(str::len)
            .max();
        if longest.is_some_and(|digits| digits > 6) {
            faults.push(format!("a long number in a label: {line}"));
        }
    }
    faults
}

#[test]
fn rules_say_what_they_are_to_say() {
    let rules = |folder: &str| stage::files(&repository().join("ops/prometheus").join(folder));
    let checked = tool(
        Command::new("promtool")
            .args(["check", "rules"])
            .args(rules("rules")),
    )
    .and_then(|_| {
        tool(
            Command::new("promtool")
                .args(["test", "rules"])
                .args(rules("tests")),
        )
    })
    .and_then(|_| {
        let config = repository().join("ops/prometheus/prometheus.yml");
        tool(
            Command::new("promtool")
                .args(["check", "config", "--syntax-only"])
                .arg(config),
        )
    });
    started_or_skipped("promtool", checked, REQUIRED_BY);
}

/// Operators are told of the program; nobody is told of the fund from here.
#[test]
fn alerts_go_where_they_belong() {
    let config = repository().join("ops/alertmanager/alertmanager.yml");
    let routes = [
        (
            "watchdog",
            &[
                "alertname=FundwatchWatchdog",
                "team=platform",
                "severity=none",
            ][..],
        ),
        (
            "operators",
            &[
                "alertname=FundwatchDown",
                "team=platform",
                "severity=critical",
            ],
        ),
        (
            "operators",
            &[
                "alertname=FundwatchSlow",
                "team=platform",
                "severity=warning",
            ],
        ),
        (
            "shown-only",
            &[
                "alertname=arrears",
                "detector=arrears",
                "region=341002",
                "severity=red",
            ],
        ),
        ("shown-only", &["alertname=arrears", "severity=critical"]),
    ];
    let checked = tool(Command::new("amtool").arg("check-config").arg(&config)).and_then(|_| {
        for (receiver, labels) in routes {
            let found = route(&config, labels)?;
            assert_eq!(found, receiver, "{labels:?}");
        }
        Ok(())
    });
    started_or_skipped("amtool", checked, REQUIRED_BY);
}

fn route(config: &Path, labels: &[&str]) -> Result<String, StartError> {
    let mut amtool = Command::new("amtool");
    amtool
        .args(["config", "routes", "test"])
        .arg(format!("--config.file={}", config.display()))
        .args(labels);
    let words = tool(&mut amtool)?;
    let receiver = words
        .lines()
        .find(|line| !line.starts_with("Warning"))
        .unwrap_or_default();
    Ok(receiver.trim().to_owned())
}
