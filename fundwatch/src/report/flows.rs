//! The ledger's report: flows, money on its way, identities.

use domain::{Money, Topic};
use ledger::{Balance, By, Column, Identity, Ledger, Owner, Row, Step, Transit, Unit};

use super::sheet::{Cell, Heading, Sheet, Words, heading, word};
use crate::cli::{Lang, ReportLedger, Span};

/// The parts of the report.
pub fn sheets(ledger: &Ledger, arguments: &ReportLedger) -> Vec<Sheet> {
    let by = match arguments.by {
        Span::Day => By::Day,
        Span::Month => By::Month,
        Span::Year => By::Year,
    };
    let lang = arguments.common.lang;
    let report = ledger.report(by, arguments.common.as_of);
    let flows = Sheet {
        key: "flows",
        words: ("收支流水", "flows"),
        headings: flow_headings(),
        rows: report
            .rows
            .iter()
            .map(|row| flow_row(ledger, row))
            .collect(),
    };
    let transit = Sheet {
        key: "transit",
        words: ("在途资金", "money on its way"),
        headings: vec![
            heading("unit", "单位", "unit"),
            heading("code", "代码", "code"),
            heading("name", "名称", "name"),
            Heading {
                key: "step",
                words: ("环节代码", "step"),
                is_main: false,
            },
            heading("place", "环节", "place"),
            heading("amount", "金额", "amount"),
            heading("oldest", "最早日期", "oldest"),
            heading("age_days", "加权账龄（天）", "mean age (days)"),
        ],
        rows: report
            .transit
            .iter()
            .map(|(unit, transit)| transit_row(ledger, *unit, transit, lang))
            .collect(),
    };
    let identities = Sheet {
        key: "identities",
        words: ("勾稽关系", "identities"),
        headings: vec![
            heading("unit", "单位", "unit"),
            heading("code", "代码", "code"),
            heading("name", "名称", "name"),
            Heading {
                key: "identity",
                words: ("代号", "identity"),
                is_main: false,
            },
            heading("equation", "关系", "equation"),
            heading("came", "应有", "came"),
            heading("went", "已转出", "went"),
            heading("left", "留存", "left"),
            heading("difference", "差额", "difference"),
            heading("records", "差数（条）", "records"),
            heading("closes", "是否平衡", "closes"),
            heading("owner", "责任方", "owner"),
        ],
        rows: report
            .balances
            .iter()
            .map(|(unit, balance)| balance_row(ledger, *unit, balance, lang))
            .collect(),
    };
    vec![flows, transit, identities]
}

/// Whose, as three cells.
pub fn unit_cells(ledger: &Ledger, unit: Unit) -> [Cell; 3] {
    let kind = match unit {
        Unit::Region(_) => "region",
        Unit::Pool => "pool",
    };
    [
        Cell::Text(kind.to_owned()),
        Cell::Code(ledger.code(unit).to_string()),
        Cell::Text(ledger.name(unit).to_owned()),
    ]
}

fn flow_headings() -> Vec<Heading> {
    let mut headings = vec![
        heading("span", "期间", "span"),
        heading("unit", "单位", "unit"),
        heading("code", "代码", "code"),
        heading("name", "名称", "name"),
    ];
    for (key, words) in [
        (
            "reporting_agency_payout",
            ("发放数据区县数", "regions reporting payouts"),
        ),
        (
            "reporting_tax_collection",
            ("征缴数据区县数", "regions reporting collections"),
        ),
        (
            "reporting_treasury_transfer",
            ("划转数据区县数", "regions reporting transfers"),
        ),
    ] {
        headings.push(Heading {
            key,
            words,
            is_main: false,
        });
    }
    headings.extend(Column::ALL.map(|column| Heading {
        key: column.as_str(),
        words: column_words(column),
        is_main: Column::MAIN.contains(&column),
    }));
    headings
}

fn flow_row(ledger: &Ledger, row: &Row) -> Vec<Cell> {
    let mut cells = vec![row.span.clone().map_or(Cell::Total, Cell::Text)];
    cells.extend(unit_cells(ledger, row.unit));
    for topic in [
        Topic::AgencyPayout,
        Topic::TaxCollection,
        Topic::TreasuryTransfer,
    ] {
        let count = i64::try_from(row.reporting[topic.index()]).unwrap_or(i64::MAX);
        cells.push(Cell::Count(count));
    }
    cells.extend(
        row.cells
            .iter()
            .map(|cell| cell.map_or(Cell::Unknown, Cell::Money)),
    );
    cells
}

fn transit_row(ledger: &Ledger, unit: Unit, transit: &Transit, lang: Lang) -> Vec<Cell> {
    let mut cells = unit_cells(ledger, unit).to_vec();
    cells.push(Cell::Text(transit.step.as_str().to_owned()));
    cells.push(Cell::Text(word(lang, step_words(transit.step)).to_owned()));
    cells.push(Cell::Money(transit.amount));
    cells.push(transit.oldest.map_or(Cell::NotApplicable, Cell::Date));
    cells.push(
        transit
            .age_days
            .map_or(Cell::NotApplicable, |days| Cell::Count(i64::from(days))),
    );
    cells
}

fn balance_row(ledger: &Ledger, unit: Unit, balance: &Balance, lang: Lang) -> Vec<Cell> {
    let closes = if balance.closes() {
        ("是", "yes")
    } else {
        ("否", "no")
    };
    let owner = if balance.closes() {
        Cell::NotApplicable
    } else {
        Cell::Text(owner_words(balance.owner, ledger.name(unit), lang))
    };
    let is_of_records = matches!(balance.identity, Identity::Sent(_));
    let mut cells = unit_cells(ledger, unit).to_vec();
    cells.extend([
        Cell::Text(balance.identity.as_str().to_owned()),
        Cell::Text(word(lang, identity_words(balance.identity)).to_owned()),
        Cell::Money(balance.came),
        Cell::Money(balance.went),
        if is_of_records {
            Cell::NotApplicable
        } else {
            Cell::Money(balance.left)
        },
        Cell::Money(balance.difference),
        if is_of_records {
            Cell::Count(balance.records)
        } else {
            Cell::NotApplicable
        },
        Cell::Text(word(lang, closes).to_owned()),
        owner,
    ]);
    debug_assert!(balance.identity != Identity::Whole || balance.difference == Money::ZERO);
    cells
}

const fn column_words(column: Column) -> Words {
    match column {
        Column::Collected => ("征缴", "collected"),
        Column::CollectionReversed => ("退缴", "collections reversed"),
        Column::CollectedNet => ("征缴净额", "collected, net"),
        Column::RemittedUp => ("上划", "remitted up"),
        Column::CentralSubsidy => ("中央补助", "central subsidy"),
        Column::ProvincialSubsidy => ("省补助", "provincial subsidy"),
        Column::Subsidies => ("中央和省补助", "central and provincial subsidies"),
        Column::CountySubsidy => ("同级财政补助", "county subsidy"),
        Column::Released => ("国库划出", "released"),
        Column::AllocatedDown => ("拨付", "allocated down"),
        Column::Advanced => ("其中：补助到位前调剂", "of which advanced"),
        Column::PaidRegular => ("当期待遇", "regular benefits"),
        Column::PaidBackPay => ("补发待遇", "back pay"),
        Column::PaidLumpSum => ("一次性待遇", "lump sums"),
        Column::PaidSurvivor => ("其中：遗属待遇", "of which to survivors"),
        Column::PaidUnlisted => ("其中：清单外项目", "of which unlisted items"),
        Column::PayoutReversed => ("待遇退回", "payouts reversed"),
        Column::PaidNet => ("发放净额", "paid out, net"),
        Column::Gap => ("征缴缺口", "gap"),
        Column::Retained => ("专户留存", "retained"),
    }
}

const fn step_words(step: Step) -> Words {
    match step {
        Step::Remittance => ("已征未上划", "collected, not remitted"),
        Step::Release => ("补助在国库", "subsidy in the treasury"),
        Step::Payout => ("已拨未发放", "allocated, not paid out"),
    }
}

const fn identity_words(identity: Identity) -> Words {
    match identity {
        Identity::Collection => (
            "征缴 = 上划 + 区县留存",
            "collected = remitted + in the region",
        ),
        Identity::Subsidy => (
            "补助 = 划出 + 国库留存",
            "subsidies = released + in the treasury",
        ),
        Identity::Payout => (
            "拨付与自有 = 发放 + 经办留存",
            "allocated and own = paid out + with the agency",
        ),
        Identity::SpecialAccount => (
            "期初 + 上划 + 划出 = 拨付 + 专户余额",
            "opening + remitted + released = allocated + special account",
        ),
        Identity::Whole => (
            "收入 = 支出 + 各处留存 + 差额",
            "income = outlay + all that is left + differences",
        ),
        Identity::Sent(Topic::AgencyPayout) => (
            "agency.payout 日结 = 收到",
            "agency.payout closed = accepted",
        ),
        Identity::Sent(Topic::AgencyRoster) => (
            "agency.roster 日结 = 收到",
            "agency.roster closed = accepted",
        ),
        Identity::Sent(Topic::CivilDeath) => {
            ("civil.death 日结 = 收到", "civil.death closed = accepted")
        }
        Identity::Sent(Topic::TaxCollection) => (
            "tax.collection 日结 = 收到",
            "tax.collection closed = accepted",
        ),
        Identity::Sent(Topic::TreasuryTransfer) => (
            "treasury.transfer 日结 = 收到",
            "treasury.transfer closed = accepted",
        ),
    }
}

fn owner_words(owner: Owner, name: &str, lang: Lang) -> String {
    let of = |words: Words| match lang {
        Lang::Zh => format!("{name}{}", words.0),
        Lang::En => format!("{name}: {}", words.1),
    };
    match owner {
        Owner::Treasury => of(("税务和国库", "tax bureau and treasury")),
        Owner::Agency => of(("经办机构", "agency")),
        Owner::City => of(("财政局", "finance bureau")),
        Owner::Sender(topic) => match lang {
            Lang::Zh => format!("{name}报送方 {topic}"),
            Lang::En => format!("{name}: sender of {topic}"),
        },
        Owner::Program => of(("程序", "the program")),
    }
}
