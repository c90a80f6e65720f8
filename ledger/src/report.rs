//! The ledger as people read it: columns of flows by day, month or year, of each region and the pool.

use std::collections::{BTreeMap, BTreeSet};

use domain::{BusinessDate, Money, Nature, Topic};

use crate::book::{Days, Ledger, Unit};
use crate::flow::{Flow, ItemClass};
use crate::identity::Balance;
use crate::posting::Sum;
use crate::transit::Transit;

/// How days are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each by itself.
    Day,
    /// By calendar month.
    Month,
    /// By calendar year.
    Year,
}

/// A column of the ledger, in yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// 征缴: contributions paid.
    Collected,
    /// 退缴: contributions taken back.
    CollectionReversed,
    /// 征缴净额: the one less the other.
    CollectedNet,
    /// 上划: remitted up by regions.
    RemittedUp,
    /// 中央补助.
    CentralSubsidy,
    /// 省补助.
    ProvincialSubsidy,
    /// 中央和省补助: both.
    Subsidies,
    /// 同级财政补助.
    CountySubsidy,
    /// 国库划出: released to the special account.
    Released,
    /// 拨付: allocated down.
    AllocatedDown,
    /// 其中补助到位前调剂: of what was allocated, advanced before the subsidies.
    Advanced,
    /// 当期发放: the month's benefits.
    PaidRegular,
    /// 补发: months made good later.
    PaidBackPay,
    /// 一次性待遇.
    PaidLumpSum,
    /// 其中遗属待遇: of the three, to survivors.
    PaidSurvivor,
    /// 其中清单外项目: of the three, items that the policy does not list.
    PaidUnlisted,
    /// 退回: benefits taken back.
    PayoutReversed,
    /// 发放净额: benefits less what was taken back.
    PaidNet,
    /// 征缴缺口: benefits less contributions, both net and before subsidies; negative where more came in.
    Gap,
    /// 专户留存: remitted up + central and provincial subsidies - allocated down, as table 2 of the source has it.
    Retained,
}

impl Column {
    /// All of them, in the order of the report.
    pub const ALL: [Column; 20] = [
        Column::Collected,
        Column::CollectionReversed,
        Column::CollectedNet,
        Column::RemittedUp,
        Column::CentralSubsidy,
        Column::ProvincialSubsidy,
        Column::Subsidies,
        Column::CountySubsidy,
        Column::Released,
        Column::AllocatedDown,
        Column::Advanced,
        Column::PaidRegular,
        Column::PaidBackPay,
        Column::PaidLumpSum,
        Column::PaidSurvivor,
        Column::PaidUnlisted,
        Column::PayoutReversed,
        Column::PaidNet,
        Column::Gap,
        Column::Retained,
    ];

    /// Those that a terminal has room for.
    pub const MAIN: [Column; 9] = [
        Column::CollectedNet,
        Column::RemittedUp,
        Column::Subsidies,
        Column::CountySubsidy,
        Column::Released,
        Column::AllocatedDown,
        Column::PaidNet,
        Column::Gap,
        Column::Retained,
    ];

    /// The word in files and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Column::Collected => "collected",
            Column::CollectionReversed => "collection_reversed",
            Column::CollectedNet => "collected_net",
            Column::RemittedUp => "remitted_up",
            Column::CentralSubsidy => "central_subsidy",
            Column::ProvincialSubsidy => "provincial_subsidy",
            Column::Subsidies => "subsidies",
            Column::CountySubsidy => "county_subsidy",
            Column::Released => "released",
            Column::AllocatedDown => "allocated_down",
            Column::Advanced => "advanced",
            Column::PaidRegular => "paid_regular",
            Column::PaidBackPay => "paid_back_pay",
            Column::PaidLumpSum => "paid_lump_sum",
            Column::PaidSurvivor => "paid_survivor",
            Column::PaidUnlisted => "paid_unlisted",
            Column::PayoutReversed => "payout_reversed",
            Column::PaidNet => "paid_net",
            Column::Gap => "gap",
            Column::Retained => "retained",
        }
    }

    /// The feeds that it is made from.
    pub const fn topics(self) -> &'static [Topic] {
        match self {
            Column::Collected | Column::CollectionReversed | Column::CollectedNet => {
                &[Topic::TaxCollection]
            }
            Column::RemittedUp
            | Column::CentralSubsidy
            | Column::ProvincialSubsidy
            | Column::Subsidies
            | Column::CountySubsidy
            | Column::Released
            | Column::AllocatedDown
            | Column::Advanced
            | Column::Retained => &[Topic::TreasuryTransfer],
            Column::PaidRegular
            | Column::PaidBackPay
            | Column::PaidLumpSum
            | Column::PaidSurvivor
            | Column::PaidUnlisted
            | Column::PayoutReversed
            | Column::PaidNet => &[Topic::AgencyPayout],
            Column::Gap => &[Topic::AgencyPayout, Topic::TaxCollection],
        }
    }
}

/// What moved of a unit on some days, by flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowSums(BTreeMap<Flow, Sum>);

impl FlowSums {
    pub(crate) fn add(&mut self, flow: Flow, sum: Sum) {
        self.0.entry(flow).or_default().add(sum);
    }

    /// How much.
    pub fn amount(&self, flow: Flow) -> Money {
        self.0.get(&flow).map_or(Money::ZERO, |sum| sum.amount)
    }

    /// Contributions less those taken back.
    pub fn collected_net(&self) -> Money {
        self.amount(Flow::Collected) - self.amount(Flow::CollectionReversed)
    }

    /// Central and provincial subsidies.
    pub fn subsidies(&self) -> Money {
        self.amount(Flow::CentralSubsidy) + self.amount(Flow::ProvincialSubsidy)
    }

    fn paid(&self, is_wanted: impl Fn(Nature, ItemClass) -> bool) -> Money {
        let (first, last) = Flow::PAID_OUT;
        self.0
            .range(first..=last)
            .filter_map(|(flow, sum)| match flow {
                Flow::PaidOut(nature, class) if is_wanted(*nature, *class) => Some(sum.amount),
                _ => None,
            })
            .sum()
    }

    fn payouts_reversed(&self) -> Money {
        ItemClass::ALL
            .into_iter()
            .map(|class| self.amount(Flow::PayoutReversed(class)))
            .sum()
    }

    /// Benefits less those taken back.
    pub fn paid_net(&self) -> Money {
        self.paid(|_, _| true) - self.payouts_reversed()
    }

    /// The amount of a column.
    pub fn column(&self, column: Column) -> Money {
        match column {
            Column::Collected => self.amount(Flow::Collected),
            Column::CollectionReversed => self.amount(Flow::CollectionReversed),
            Column::CollectedNet => self.collected_net(),
            Column::RemittedUp => self.amount(Flow::RemittedUp),
            Column::CentralSubsidy => self.amount(Flow::CentralSubsidy),
            Column::ProvincialSubsidy => self.amount(Flow::ProvincialSubsidy),
            Column::Subsidies => self.subsidies(),
            Column::CountySubsidy => self.amount(Flow::CountySubsidy),
            Column::Released => self.amount(Flow::Released),
            Column::AllocatedDown => self.amount(Flow::AllocatedDown),
            Column::Advanced => self.amount(Flow::Advanced),
            Column::PaidRegular => self.paid(|nature, _| nature == Nature::Regular),
            Column::PaidBackPay => self.paid(|nature, _| nature == Nature::BackPay),
            Column::PaidLumpSum => self.paid(|nature, _| nature == Nature::LumpSum),
            Column::PaidSurvivor => self.paid(|_, class| class == ItemClass::Survivor),
            Column::PaidUnlisted => self.paid(|_, class| class == ItemClass::Unlisted),
            Column::PayoutReversed => self.payouts_reversed(),
            Column::PaidNet => self.paid_net(),
            Column::Gap => self.paid_net() - self.collected_net(),
            Column::Retained => {
                self.amount(Flow::RemittedUp) + self.subsidies() - self.amount(Flow::AllocatedDown)
            }
        }
    }
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `2006`, `2006-03` or `2006-03-31`; `None`: all of them.
    pub span: Option<String>,
    /// Whose.
    pub unit: Unit,
    /// How many of its regions said something of the span, by [`Topic::index`].
    pub reporting: [usize; Topic::ALL.len()],
    /// By [`Column::ALL`]; `None` where no region said anything: not zero, but not reported.
    pub cells: Vec<Option<Money>>,
}

impl Row {
    /// The cell of a column.
    pub fn cell(&self, column: Column) -> Option<Money> {
        self.cells[column as usize]
    }
}

/// The whole report.
#[derive(Clone, Debug)]
pub struct Report {
    /// Facts dated up to it count.
    pub as_of: BusinessDate,
    /// By span, the regions in the policy's order, then the pool; the totals last.
    pub rows: Vec<Row>,
    /// Money on its way, of each unit.
    pub transit: Vec<(Unit, Transit)>,
    /// The identities, of each unit.
    pub balances: Vec<(Unit, Balance)>,
}

impl Ledger {
    /// What moved of a unit on some days.
    pub fn flow_sums(&self, unit: Unit, days: Days) -> FlowSums {
        let mut sums = FlowSums::default();
        for region in self.regions_of(unit) {
            for (flow, day, sum) in self.flows(region) {
                if days.first <= day && day <= days.last {
                    sums.add(flow, sum);
                }
            }
        }
        sums
    }

    /// The report as of a date: of days, those on which anything moved; of months and years, all from the first
    /// with a movement to that of as-of.
    pub fn report(&self, by: By, as_of: BusinessDate) -> Report {
        let days = self.days_with_flows(as_of);
        let spans = spans(by, &days, as_of);
        let mut table: BTreeMap<(usize, Unit), FlowSums> = BTreeMap::new();
        for region in self.regions() {
            for (flow, day, sum) in self.flows(region) {
                if as_of < day {
                    continue;
                }
                let at = spans.partition_point(|(_, span)| span.last < day);
                for unit in [Unit::Region(region), Unit::Pool] {
                    table.entry((at, unit)).or_default().add(flow, sum);
                    table.entry((spans.len(), unit)).or_default().add(flow, sum);
                }
            }
        }
        let mut rows = Vec::new();
        let none = FlowSums::default();
        for (at, (label, span)) in spans.iter().enumerate() {
            for unit in self.units() {
                let sums = table.get(&(at, unit)).unwrap_or(&none);
                rows.push(self.row(Some(label.clone()), unit, *span, as_of, sums));
            }
        }
        for unit in self.units() {
            let sums = table.get(&(spans.len(), unit)).unwrap_or(&none);
            rows.push(self.row(None, unit, Days::up_to(as_of), as_of, sums));
        }
        let of_units = |unit| (unit, self.transit(unit, as_of));
        Report {
            as_of,
            rows,
            transit: self
                .units()
                .map(of_units)
                .flat_map(|(unit, list)| list.into_iter().map(move |transit| (unit, transit)))
                .collect(),
            balances: self
                .units()
                .flat_map(|unit| {
                    self.balances(unit, as_of)
                        .into_iter()
                        .map(move |balance| (unit, balance))
                })
                .collect(),
        }
    }

    fn row(
        &self,
        span: Option<String>,
        unit: Unit,
        days: Days,
        as_of: BusinessDate,
        sums: &FlowSums,
    ) -> Row {
        let regions = self.regions_of(unit);
        let reporting = Topic::ALL.map(|topic| {
            regions
                .iter()
                .filter(|region| self.is_reported(**region, topic, days, as_of))
                .count()
        });
        let is_reported = |column: Column| {
            column
                .topics()
                .iter()
                .all(|topic| reporting[topic.index()] > 0)
        };
        Row {
            span,
            unit,
            reporting,
            cells: Column::ALL
                .into_iter()
                .map(|column| is_reported(column).then(|| sums.column(column)))
                .collect(),
        }
    }
}

/// Labels and days of the spans, in order.
fn spans(by: By, days: &BTreeSet<BusinessDate>, as_of: BusinessDate) -> Vec<(String, Days)> {
    let Some(first) = days.first().copied() else {
        return Vec::new();
    };
    match by {
        By::Day => days
            .iter()
            .map(|day| {
                (
                    day.to_string(),
                    Days {
                        first: *day,
                        last: *day,
                    },
                )
            })
            .collect(),
        By::Month => {
            let (mut month, last) = (first.period(), as_of.period());
            let mut spans = Vec::new();
            while month <= last {
                spans.push((month.to_string(), Days::of_month(month)));
                month = month.next();
            }
            spans
        }
        By::Year => {
            let years = first.period().year()..=as_of.period().year();
            years
                .filter_map(|year| {
                    let days = Days {
                        first: BusinessDate::from_ymd(year, 1, 1)?,
                        last: BusinessDate::from_ymd(year, 12, 31)?,
                    };
                    Some((year.to_string(), days))
                })
                .collect()
        }
    }
}
