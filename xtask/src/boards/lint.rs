//! What every board and every rule keeps to, beside what `promtool`, Grafana's schema and a real Prometheus say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::{boards, designed, names, repository};

/// Labels that Prometheus gives, and that our metrics do not have.
const OF_PROMETHEUS: [&str; 8] = [
    "le",
    "job",
    "instance",
    "alertname",
    "alertstate",
    "team",
    "scrape_job",
    "rule_group",
];

/// Metrics that no board and no rule asks for, with the reason.
const NOT_USED: [(&str, &str); 3] = [
    (
        "fundwatch_console_decisions",
        "the console has a page of it, where the cases behind a number are at hand",
    ),
    (
        "process_virtual_memory_bytes",
        "address space that is reserved says nothing of memory that is short",
    ),
    (
        "fundwatch_log_lines_left_out_total",
        "for whoever wonders where lines of the log are; detection goes on all the same",
    ),
];

/// Series that are Prometheus' own.
const OWN_OF_PROMETHEUS: [&str; 6] = [
    "up",
    "ALERTS",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_notifications_alertmanagers_discovered",
];

/// A panel as it is written, and the board that it is on; those, too, that wait for their metrics.
fn panels() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for board in designed() {
        let json = board.json(super::CONSOLE);
        let panels = json["panels"].as_array().cloned().unwrap_or_default();
        all.extend(panels.into_iter().map(|panel| (board.uid, panel)));
    }
    all
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Fails with all panels that a rule does not hold for.
fn check_panels(holds: impl Fn(&Value) -> bool) {
    let broken: Vec<String> = panels()
        .iter()
        .filter(|(_, panel)| panel["type"] != "row" && !holds(panel))
        .map(|(board, panel)| format!("{board}: {}", panel["title"]))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

fn is_english(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| word.len() > 2)
}

/// Every query on the boards, and in the rules that are committed.
fn queries() -> Vec<String> {
    let mut all: Vec<String> = panels()
        .iter()
        .flat_map(|(_, panel)| list(&panel["targets"]).to_vec())
        .map(|target| text(&target["expr"]).to_owned())
        .collect();
    all.extend(rule_exprs().into_iter().map(|(_, expr)| expr));
    all
}

/// The rules' expressions, by name.
fn rule_exprs() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in ["recording.yml", "alerts.yml"] {
        let path = repository().join("ops/prometheus/rules").join(file);
        let yaml = fs::read_to_string(&path).unwrap();
        let rules: Value = serde_saphyr::from_str(&yaml).unwrap();
        for group in list(&rules["groups"]) {
            for rule in list(&group["rules"]) {
                let name = rule.get("record").or_else(|| rule.get("alert"));
                found.push((
                    text(name.unwrap()).to_owned(),
                    text(&rule["expr"]).to_owned(),
                ));
            }
        }
    }
    assert!(found.len() > 20);
    found
}

#[test]
fn every_panel_says_what_it_shows_in_both_languages() {
    check_panels(|panel| {
        let (title, description) = (text(&panel["title"]), text(&panel["description"]));
        is_chinese(title) && is_english(title) && is_chinese(description) && is_english(description)
    });
}

/// Whoever reads a number must know what it counts: money in 元, 万元 or 亿元, and the word stands where the number does.
#[test]
fn every_amount_states_its_unit() {
    check_panels(|panel| {
        let asks_for_money = list(&panel["targets"]).iter().any(|target| {
            text(&target["expr"]).contains("_yuan") && !text(&target["expr"]).contains("scalar(")
        });
        let defaults = &panel["fieldConfig"]["defaults"];
        let stated = text(&panel["title"]).contains('元') || panel.to_string().contains("（元）");
        !asks_for_money || (stated && !defaults["unit"].is_null())
    });
}

#[test]
fn every_panel_is_asked_of_the_data_source_that_was_chosen() {
    check_panels(|panel| {
        let is_chosen =
            |source: &Value| source["uid"] == "${datasource}" && source["type"] == "prometheus";
        let targets = list(&panel["targets"]);
        is_chosen(&panel["datasource"])
            && !targets.is_empty()
            && targets
                .iter()
                .all(|target| is_chosen(&target["datasource"]))
    });
}

#[test]
fn every_panel_says_when_it_has_no_data_and_has_a_unit() {
    check_panels(|panel| {
        let defaults = &panel["fieldConfig"]["defaults"];
        !text(&defaults["noValue"]).is_empty()
            && !text(&defaults["unit"]).is_empty()
            && !list(&defaults["thresholds"]["steps"]).is_empty()
    });
}

/// One line needs no name; several do.
#[test]
fn every_line_has_a_legend() {
    check_panels(|panel| {
        let several = list(&panel["targets"]).len() > 1 || panel["type"] != "stat";
        panel["type"] == "table"
            || !several
            || list(&panel["targets"])
                .iter()
                .all(|target| !text(&target["legendFormat"]).is_empty())
    });
}

/// A rate over a fixed time shows nothing, or too much, when the reader zooms.
#[test]
fn rates_follow_the_resolution() {
    check_panels(|panel| {
        list(&panel["targets"]).iter().all(|target| {
            text(&target["expr"]).matches('[').count()
                == text(&target["expr"]).matches("[$__rate_interval]").count()
        })
    });
}

#[test]
fn charts_stand_beside_tables_and_colours_beside_words() {
    for board in boards() {
        let json = board.json(super::CONSOLE);
        let of = |kind: &str| {
            list(&json["panels"])
                .iter()
                .filter(|panel| panel["type"] == kind)
                .count()
        };
        assert!(of("table") >= 2 && of("timeseries") >= 1, "{}", board.uid);
        assert!(of("graph") + of("singlestat") == 0, "{}", board.uid);
    }
    check_panels(|panel| {
        let words = panel.to_string();
        words.matches("\"type\":\"value\"").count() == 0 || words.contains("\"text\":")
    });
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    for board in boards() {
        let json = board.json(super::CONSOLE);
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeMap::new());
        for panel in list(&json["panels"]) {
            let number = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{}",
                panel["title"]
            );
            for x in number("x")..number("x") + number("w") {
                for y in number("y")..number("y") + number("h") {
                    assert!(x < 24, "{} leaves the board", panel["title"]);
                    let other = taken.insert((x, y), text(&panel["title"]).to_owned());
                    assert_eq!(other, None, "{} lies on it", panel["title"]);
                }
            }
        }
    }
}

#[test]
fn a_board_is_found_refreshed_and_not_edited() {
    for board in boards() {
        let json = board.json(super::CONSOLE);
        assert!(board.uid.starts_with("fundwatch-") && board.uid.len() <= 40);
        assert_eq!(json["schemaVersion"], 42);
        assert_eq!(json["editable"], false);
        assert_eq!(json["timezone"], "Asia/Shanghai");
        assert_eq!(json["refresh"], "30s");
        assert!(json.get("id").is_none() && text(&json["description"]).len() > 20);
        let asks_as_of = |panel: &Value| text(&panel["title"]).contains("Data as of");
        assert!(
            list(&json["panels"]).iter().any(asks_as_of),
            "{} does not say as of when",
            board.uid
        );
    }
}

/// Links lead to a board that there is, or into the console at its configured address.
#[test]
fn every_link_resolves() {
    let uids: Vec<_> = boards().iter().map(|board| board.uid).collect();
    for (board, panel) in panels() {
        for url in urls(&panel) {
            let resolves = url.starts_with("${console}/alerts")
                || uids.iter().any(|uid| url.starts_with(&format!("/d/{uid}")));
            assert!(resolves, "{board}: {url}");
        }
    }
}

fn urls(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value.as_str() {
                Some(url) if key == "url" => vec![url.to_owned()],
                _ => urls(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(urls).collect(),
        _ => Vec::new(),
    }
}

fn known_metrics() -> impl Iterator<Item = &'static catalogue::Metric> {
    catalogue::EXPORTED
        .iter()
        .chain(catalogue::PROCESS)
        .chain(catalogue::AWAITED)
}

/// No name of a metric but those that are exported or recorded, and every one of these is of use.
#[test]
fn every_metric_is_known_and_used_or_listed_as_not() {
    let recorded: Vec<String> = rule_exprs()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.contains(':'))
        .collect();
    let mut used = BTreeSet::new();
    for query in queries() {
        for name in names::metrics(&query) {
            let known = known_metrics().any(|metric| metric.name == name)
                || recorded.contains(&name)
                || OWN_OF_PROMETHEUS.contains(&name.as_str());
            assert!(known, "nobody exports `{name}`: {query}");
            used.insert(name);
        }
    }
    for metric in known_metrics() {
        let listed = NOT_USED.iter().any(|(name, _)| *name == metric.name);
        assert_eq!(
            listed,
            !used.contains(metric.name),
            "{metric}: used, or listed as not used?"
        );
    }
    for name in recorded {
        assert!(
            used.contains(&name),
            "nobody asks for the recorded `{name}`"
        );
    }
}

/// Only labels of the catalogue: none is of a person or an enterprise.
#[test]
fn every_label_is_of_the_catalogue() {
    let of_catalogue: BTreeSet<&str> = known_metrics()
        .flat_map(|metric| metric.labels)
        .map(|label| label.as_str())
        .collect();
    for query in queries() {
        for label in names::labels(&query) {
            let known =
                of_catalogue.contains(label.as_str()) || OF_PROMETHEUS.contains(&label.as_str());
            assert!(known, "no label `{label}`: {query}");
        }
    }
    for never in [
        "enterprise",
        "person",
        "subject",
        "id",
        "account",
        "file",
        "error",
    ] {
        assert!(!of_catalogue.contains(never));
    }
}

/// An alert on the program says who is to act, what is wrong and what to do, and its page is there.
#[test]
fn every_platform_alert_has_a_page() {
    let runbook = fs::read_to_string(repository().join("docs/runbook.md")).unwrap();
    let yaml = fs::read_to_string(repository().join("ops/prometheus/rules/alerts.yml")).unwrap();
    let rules: Value = serde_saphyr::from_str(&yaml).unwrap();
    for rule in list(&rules["groups"])
        .iter()
        .flat_map(|group| list(&group["rules"]))
    {
        let name = text(&rule["alert"]);
        assert!(
            name.starts_with("Fundwatch") || name.starts_with("Prometheus"),
            "{name}"
        );
        assert_eq!(rule["labels"]["team"], "platform", "{name}");
        assert!(
            ["critical", "warning", "none"].contains(&text(&rule["labels"]["severity"])),
            "{name}"
        );
        assert!(
            !rule["for"].is_null() || name == "FundwatchWatchdog",
            "{name} has no `for`"
        );
        for annotation in ["summary", "description", "runbook_url", "dashboard_url"] {
            assert!(
                !text(&rule["annotations"][annotation]).is_empty(),
                "{name} has no {annotation}"
            );
        }
        let page = format!("docs/runbook.md#{}", name.to_lowercase());
        assert!(
            text(&rule["annotations"]["runbook_url"]).ends_with(&page),
            "{name}"
        );
        assert!(
            runbook.contains(&format!("\n### {name}\n")),
            "docs/runbook.md says nothing of {name}"
        );
    }
}
