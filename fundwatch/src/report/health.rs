//! The report on the fund's health: each indicator with its value, grade, thresholds and how complete its inputs are; and
//! those that no feed carries, with the reason.

use domain::{Indicator, Measure, Severity};
use ledger::{Grade, Ledger, MISSING, Reading, Value};

use super::flows::unit_cells;
use super::sheet::{Cell, Heading, Sheet, Words, heading, word};
use crate::cli::{Lang, ReportCommon};

/// The parts of the report.
pub fn sheets(ledger: &Ledger, arguments: &ReportCommon) -> Vec<Sheet> {
    let lang = arguments.lang;
    let hidden = |key, zh, en| Heading {
        key,
        words: (zh, en),
        is_main: false,
    };
    let rows = ledger.health(arguments.as_of);
    let indicators = Sheet {
        key: "indicators",
        words: ("运行指标", "indicators"),
        headings: vec![
            heading("unit", "单位", "unit"),
            heading("code", "代码", "code"),
            heading("name", "名称", "name"),
            hidden("indicator", "指标代号", "indicator"),
            heading("title", "指标", "title"),
            heading("value", "数值", "value"),
            heading("measure", "计量", "measure"),
            hidden("state", "状态代号", "state"),
            heading("grade", "等级", "grade"),
            heading("yellow", "黄线", "yellow"),
            heading("orange", "橙线", "orange"),
            heading("red", "红线", "red"),
            heading("complete", "数据完整", "inputs complete"),
            heading("silent", "中断数据", "silent feeds"),
            hidden("numerator", "分子", "numerator"),
            hidden("denominator", "分母", "denominator"),
        ],
        rows: rows
            .iter()
            .map(|reading| row(ledger, reading, lang))
            .collect(),
    };
    vec![indicators, not_available(lang)]
}

/// Indicators that no feed carries, each with the reason: what is not there is said to be not there.
fn not_available(lang: Lang) -> Sheet {
    let hidden = |key, zh, en| Heading {
        key,
        words: (zh, en),
        is_main: false,
    };
    let text = |words| Cell::Text(word(lang, words).to_owned());
    Sheet {
        key: "not_available",
        words: ("无法取得的指标", "indicators that are not available"),
        headings: vec![
            hidden("indicator", "指标代号", "indicator"),
            heading("title", "指标", "title"),
            heading("reason", "原因", "reason"),
        ],
        rows: MISSING
            .iter()
            .map(|missing| {
                vec![
                    Cell::Text(missing.name.to_owned()),
                    text((missing.name_zh, missing.name_en)),
                    text((missing.reason_zh, missing.reason_en)),
                ]
            })
            .collect(),
    }
}

fn row(ledger: &Ledger, reading: &Reading, lang: Lang) -> Vec<Cell> {
    let indicator = reading.indicator;
    let mut cells = unit_cells(ledger, reading.unit).to_vec();
    cells.push(Cell::Text(indicator.as_str().to_owned()));
    cells.push(Cell::Text(title(indicator, lang).to_owned()));
    cells.push(match (reading.value, reading.shown()) {
        (Value::Known(_), Some(shown)) => Cell::Decimal(shown),
        (Value::NotApplicable, _) => Cell::NotApplicable,
        _ => Cell::Unknown,
    });
    cells.push(Cell::Text(
        word(lang, measure(indicator.measure())).to_owned(),
    ));
    cells.push(Cell::Text(reading.grade.as_str().to_owned()));
    cells.push(Cell::Text(grade(reading.grade, lang).to_owned()));
    let thresholds = ledger
        .policy()
        .health(reading.as_of.period())
        .map(|entry| *entry.thresholds(indicator))
        .unwrap_or_default();
    let sign = if indicator.is_worse_below() { "<" } else { ">" };
    for threshold in [thresholds.yellow, thresholds.orange, thresholds.red] {
        cells.push(threshold.map_or(Cell::NotApplicable, |rate| {
            Cell::Text(format!("{sign} {rate}"))
        }));
    }
    let completeness = &reading.completeness;
    cells.push(Cell::Text(format!(
        "{}/{}",
        completeness.complete, completeness.of
    )));
    let silent: Vec<String> = completeness
        .silent
        .iter()
        .map(|(region, topic)| format!("{} {topic}", ledger.policy().region(*region).code))
        .collect();
    cells.push(if silent.is_empty() {
        Cell::NotApplicable
    } else {
        Cell::Text(silent.join("; "))
    });
    for part in match reading.value {
        Value::Known(quotient) => [Some(quotient.numerator()), Some(quotient.denominator())],
        _ => [None, None],
    } {
        cells.push(part.map_or(Cell::NotApplicable, |part| Cell::Code(part.to_string())));
    }
    cells
}

/// The name of an indicator.
pub const fn title(indicator: Indicator, lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => indicator.name_zh(),
        Lang::En => indicator.name_en(),
    }
}

const fn measure(measure: Measure) -> Words {
    match measure {
        Measure::Months => ("月", "months"),
        Measure::Ratio => ("比率", "ratio"),
        Measure::BusinessDays => ("工作日", "business days"),
        Measure::Days => ("天", "days"),
    }
}

fn grade(grade: Grade, lang: Lang) -> &'static str {
    match grade {
        Grade::Ungraded => word(lang, ("不分级", "not graded")),
        Grade::NotApplicable => word(lang, ("不适用", "n/a")),
        Grade::Unknown => word(lang, ("未知", "unknown")),
        Grade::Green => word(lang, ("正常", "green")),
        Grade::Beyond(Severity::Yellow) => word(lang, ("黄", "yellow")),
        Grade::Beyond(Severity::Orange) => word(lang, ("橙", "orange")),
        Grade::Beyond(Severity::Red) => word(lang, ("红", "red")),
        Grade::Beyond(Severity::Blue) => word(lang, ("蓝", "blue")),
    }
}
