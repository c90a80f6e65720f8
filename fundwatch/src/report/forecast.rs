//! The report on what is projected, with how far off past projections were.

use domain::Money;
use ledger::{Band, Ledger, Method, Projection, Quotient, Trial, Unit};

use super::flows::unit_cells;
use super::sheet::{Cell, Heading, Sheet, heading, word};
use crate::cli::{Lang, ReportCommon};

/// The parts of the report.
pub fn sheets(ledger: &Ledger, arguments: &ReportCommon) -> Vec<Sheet> {
    let lang = arguments.lang;
    let projections: Vec<(Unit, Option<Projection>)> = ledger
        .units()
        .map(|unit| (unit, ledger.projection(unit, arguments.as_of)))
        .collect();
    let of_unit = || {
        vec![
            heading("unit", "单位", "unit"),
            heading("code", "代码", "code"),
            heading("name", "名称", "name"),
        ]
    };
    let hidden = |key, zh, en| Heading {
        key,
        words: (zh, en),
        is_main: false,
    };

    let mut months = of_unit();
    months.push(heading("month", "月份", "month"));
    for (low, median, high) in [
        (
            hidden("collected_low", "征缴下限", "collected, low"),
            heading("collected", "征缴（预测）", "collected (projected)"),
            hidden("collected_high", "征缴上限", "collected, high"),
        ),
        (
            hidden("paid_out_low", "发放下限", "paid out, low"),
            heading("paid_out", "发放（预测）", "paid out (projected)"),
            hidden("paid_out_high", "发放上限", "paid out, high"),
        ),
    ] {
        months.extend([low, median, high]);
    }
    months.push(heading(
        "subsidies",
        "补助（假定同上年）",
        "subsidies (assumed as last year)",
    ));
    months.extend([
        heading("balance_low", "结余下限", "balance, low"),
        heading("balance", "结余（预测）", "balance (projected)"),
        heading("balance_high", "结余上限", "balance, high"),
        heading(
            "reserve_months_low",
            "可支付月数下限",
            "reserve months, low",
        ),
        heading(
            "reserve_months",
            "可支付月数（预测）",
            "reserve months (projected)",
        ),
        heading(
            "reserve_months_high",
            "可支付月数上限",
            "reserve months, high",
        ),
    ]);
    let mut trials = of_unit();
    trials.extend([
        heading("series", "序列", "series"),
        heading("method", "方法", "method"),
        heading("mean_absolute_error", "平均绝对误差", "mean absolute error"),
        heading("is_used", "采用", "used"),
    ]);
    let mut past = of_unit();
    past.extend([
        heading("month", "月份", "month"),
        heading(
            "collected_projected",
            "征缴（上月预测）",
            "collected, projected a month before",
        ),
        heading("collected", "征缴（实际）", "collected"),
        heading("collected_error", "误差", "error"),
        heading(
            "paid_out_projected",
            "发放（上月预测）",
            "paid out, projected a month before",
        ),
        heading("paid_out", "发放（实际）", "paid out"),
        heading("paid_out_error", "误差", "error"),
    ]);
    vec![
        Sheet {
            key: "months",
            words: ("十二个月预测", "projection"),
            headings: months,
            rows: projections
                .iter()
                .flat_map(|(unit, projection)| month_rows(ledger, *unit, projection.as_ref()))
                .collect(),
        },
        Sheet {
            key: "past",
            words: ("以往预测误差", "past months"),
            headings: past,
            rows: projections
                .iter()
                .filter_map(|(unit, projection)| Some((*unit, projection.as_ref()?)))
                .flat_map(|(unit, projection)| past_rows(ledger, unit, projection))
                .collect(),
        },
        Sheet {
            key: "methods",
            words: ("方法回测", "back-test"),
            headings: trials,
            rows: projections
                .iter()
                .filter_map(|(unit, projection)| Some((*unit, projection.as_ref()?)))
                .flat_map(|(unit, projection)| trial_rows(ledger, unit, projection, lang))
                .collect(),
        },
    ]
}

/// The months ahead; of a unit whose history is too short one row that says so.
fn month_rows(ledger: &Ledger, unit: Unit, projection: Option<&Projection>) -> Vec<Vec<Cell>> {
    let Some(projection) = projection else {
        let mut row = unit_cells(ledger, unit).to_vec();
        row.resize(17, Cell::Unknown);
        return vec![row];
    };
    projection
        .months
        .iter()
        .map(|month| {
            let mut row = unit_cells(ledger, unit).to_vec();
            row.push(Cell::Text(month.month.to_string()));
            row.extend(money(month.collected));
            row.extend(money(month.paid_out));
            row.push(Cell::Money(whole_yuan(month.subsidies)));
            row.extend(money(month.balance));
            row.extend(months(month.reserve_months));
            row
        })
        .collect()
}

fn money(band: Band<Money>) -> [Cell; 3] {
    [band.low, band.median, band.high].map(|amount| Cell::Money(whole_yuan(amount)))
}

fn months(band: Option<Band<Quotient>>) -> [Cell; 3] {
    match band {
        Some(band) => {
            [band.low, band.median, band.high].map(|months| Cell::Decimal(months.shown(1)))
        }
        None => [
            Cell::NotApplicable,
            Cell::NotApplicable,
            Cell::NotApplicable,
        ],
    }
}

/// A projection is told in whole yuan: it knows no fen.
fn whole_yuan(amount: Money) -> Money {
    let fen = amount.fen();
    let half = if fen < 0 { -50 } else { 50 };
    Money::from_fen((fen + half) / 100 * 100)
}

fn past_rows(ledger: &Ledger, unit: Unit, projection: &Projection) -> Vec<Vec<Cell>> {
    projection
        .past
        .iter()
        .map(|month| {
            let mut row = unit_cells(ledger, unit).to_vec();
            row.push(Cell::Text(month.month.to_string()));
            for (projected, real) in [
                (month.collected_projected, month.collected),
                (month.paid_out_projected, month.paid_out),
            ] {
                row.push(Cell::Money(whole_yuan(projected)));
                row.push(Cell::Money(real));
                row.push(Cell::Money(whole_yuan(projected) - real));
            }
            row
        })
        .collect()
}

fn trial_rows(ledger: &Ledger, unit: Unit, projection: &Projection, lang: Lang) -> Vec<Vec<Cell>> {
    let series = [
        (("征缴", "collected"), &projection.collected_by),
        (("发放", "paid out"), &projection.paid_out_by),
    ];
    let mut rows = Vec::new();
    for (words, (used, trials)) in series {
        for trial in trials {
            let mut row = unit_cells(ledger, unit).to_vec();
            row.push(Cell::Text(word(lang, words).to_owned()));
            row.push(Cell::Text(method(trial.method, lang).to_owned()));
            row.push(error(trial));
            let is_used = if trial.method == *used {
                ("是", "yes")
            } else {
                ("否", "no")
            };
            row.push(Cell::Text(word(lang, is_used).to_owned()));
            rows.push(row);
        }
    }
    rows
}

fn error(trial: &Trial) -> Cell {
    trial
        .error
        .map_or(Cell::Unknown, |error| Cell::Money(whole_yuan(error)))
}

const fn method(method: Method, lang: Lang) -> &'static str {
    word(
        lang,
        match method {
            Method::Level => ("近三月均值", "level"),
            Method::Drift => ("趋势", "drift"),
            Method::SeasonalNaive => ("同期", "seasonal-naive"),
            Method::SeasonalDrift => ("同期加增长", "seasonal-drift"),
        },
    )
}
