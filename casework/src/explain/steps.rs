//! The rule of an alert, step by step, with the numbers put in: the policy entry that applies to its period, the days
//! that follow from it, what was counted, what comes out, and how grave that is.
//!
//! The figures are those that the detector gave as details, the rates and days those of the policy as it is loaded now:
//! where the result is another than the alert's amount, the working says so in place of pretending.

use alerting::Language;
use alerting::mail::text::scrub;
use detectors::book::{Declaration, Payroll};
use detectors::under_declared_base::base_gap;
use domain::{Alert, BusinessDate, Detector, Money, Period, Rate, RegionId, State};
use rules::{Contribution, Policy};
use serde::Serialize;

use crate::Dossier;
use crate::words;

/// One step: what is found, from what, and what comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is about.
    pub what: String,
    /// What it comes from; may be empty.
    pub how: String,
    /// What comes out.
    pub result: String,
}

/// The steps of an alert's rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Working {
    /// The policy entry that applies, `<table>@<from>`.
    pub entry: Option<String>,
    /// Whether the alert was made under another entry: the policy has changed since.
    pub entry_is_another: bool,
    /// In their order.
    pub steps: Vec<Step>,
    /// Whether the steps come out at the alert's amount; `None` where nothing is calculated, or it is over.
    pub comes_out: Option<bool>,
}

/// The steps of an alert, with what is known of its subject if anything is.
pub fn working(
    alert: &Alert,
    policy: &Policy,
    dossier: Option<&Dossier>,
    language: Language,
) -> Working {
    let mut writer = Writer {
        alert,
        policy,
        dossier,
        language,
        period: alert
            .period
            .as_deref()
            .and_then(|period| Period::parse(period.as_bytes())),
        steps: Vec::new(),
        entry: None,
    };
    let Some(detector) = Detector::parse(&alert.detector) else {
        return Working::default();
    };
    let result = writer.write(detector);
    if let Some(result) = result {
        writer.grade(detector, result);
    }
    if detector == Detector::Arrears {
        writer.surcharge();
    }
    let comes_out = result
        .filter(|_| alert.state == State::Open)
        .map(|result| result == alert.amount);
    Working {
        entry_is_another: alert.policy.is_some() && alert.policy != writer.entry,
        entry: writer.entry,
        steps: writer.steps,
        comes_out,
    }
}

struct Writer<'a> {
    alert: &'a Alert,
    policy: &'a Policy,
    dossier: Option<&'a Dossier>,
    language: Language,
    period: Option<Period>,
    steps: Vec<Step>,
    entry: Option<String>,
}

impl Writer<'_> {
    /// Writes the steps, and gives what they come out at, as far as that is money.
    fn write(&mut self, detector: Detector) -> Option<Money> {
        match detector {
            Detector::Arrears => self.arrears(),
            Detector::Undeclared => self.undeclared(),
            Detector::UnderDeclaredBase => self.under_declared(),
            Detector::DuplicatePayout => self.duplicate(),
            Detector::DeceasedRecipient => self.deceased(),
            Detector::MissedPayout => self.missed(),
            Detector::LateRemittance => self.late_remittance(),
            Detector::StalledSubsidy => self.stalled_subsidy(),
            Detector::UnauthorisedItem => self.unauthorised(),
            Detector::SilentFeed | Detector::IncompleteFeed | Detector::IndicatorBreach => {
                self.entry.clone_from(&self.alert.policy);
                self.feed_or_indicator(detector);
                None
            }
        }
    }

    fn arrears(&mut self) -> Option<Money> {
        let period = self.period?;
        let entry = self.contribution(period)?.clone();
        self.due_of_contribution(period, &entry);
        let (base, paid) = (self.money("base")?, self.money("paid")?);
        let owed = self.owed(
            &entry,
            base,
            (self.text("申报基数", "declared base"), String::new()),
        );
        self.step(
            ("已缴", "paid"),
            self.text("各笔缴费减去冲正", "payments less reversals"),
            self.yuan(paid),
        );
        let amount = owed - paid;
        self.step(
            ("欠缴", "in arrears"),
            format!("{} − {}", owed.grouped(), paid.grouped()),
            self.yuan(amount),
        );
        Some(amount)
    }

    /// Base times both rates.
    fn owed(&mut self, entry: &Contribution, base: Money, (name, _): (String, String)) -> Money {
        let rate = entry.both_rates();
        let owed = applied(rate, base);
        self.step(
            ("应缴", "owed"),
            format!("{name} {} × {}", base.grouped(), percent(rate)),
            self.yuan(owed),
        );
        owed
    }

    fn contribution(&mut self, period: Period) -> Option<Contribution> {
        let entry = self.policy.contribution(period)?.clone();
        self.entry = Some(format!("contribution@{}", entry.from));
        let how = match self.language {
            Language::Zh => format!(
                "单位 {} + 个人 {}",
                percent(entry.employer_rate),
                percent(entry.employee_rate)
            ),
            Language::En => format!(
                "employer {} + employee {}",
                percent(entry.employer_rate),
                percent(entry.employee_rate)
            ),
        };
        self.step(("费率", "rate"), how, percent(entry.both_rates()));
        Some(entry)
    }

    fn due_of_contribution(&mut self, period: Period, entry: &Contribution) {
        let Some(due) = self.policy.contribution_due(period) else {
            return;
        };
        let how = match self.language {
            Language::Zh => format!("{period} 的次月 {} 日，遇非工作日顺延", entry.due_day),
            Language::En => format!(
                "day {} of the month after {period}, moved on to a business day",
                entry.due_day
            ),
        };
        self.due(how, due.date, due.deadline, entry.grace_days);
    }

    /// The due date, and from when on it is late.
    fn due(&mut self, how: String, date: BusinessDate, deadline: BusinessDate, grace: u32) {
        self.step(("到期日", "due"), how, date.to_string());
        let how = match (self.language, grace) {
            (Language::Zh, 0) => "到期日的次日".to_owned(),
            (Language::Zh, days) => format!("到期日加宽限 {days} 天的次日"),
            (Language::En, 0) => "the day after the due date".to_owned(),
            (Language::En, days) => format!("the day after the due date and {days} days of grace"),
        };
        self.step(("逾期自", "late from"), how, deadline.next().to_string());
    }

    fn undeclared(&mut self) -> Option<Money> {
        let period = self.period?;
        let entry = self.policy.contribution(period)?.clone();
        self.entry = Some(format!("contribution@{}", entry.from));
        self.due_of_contribution(period, &entry);
        let last_day = period.last_day();
        self.step(
            ("参保状态", "status"),
            match self.language {
                Language::Zh => format!("{last_day} 有效的状态记录"),
                Language::En => format!("the status record in force on {last_day}"),
            },
            self.text("正常参保", "active"),
        );
        let basis = self.alert.details.get("basis")?.as_str()?.to_owned();
        if basis == "none" {
            let how = self.text(
                "此前无申报，当期无个税工资",
                "no earlier declaration, no payroll",
            );
            self.step(("推定金额", "presumed"), how, self.yuan(Money::ZERO));
            return Some(Money::ZERO);
        }
        let basis_period = self.alert.details.get("basis_period")?.as_str()?.to_owned();
        let of_basis = Period::parse(basis_period.as_bytes())?;
        let rate = self.policy.contribution(of_basis)?.both_rates();
        let base = self.money("base")?;
        let owed = applied(rate, base);
        let name = match (basis.as_str(), self.language) {
            ("declaration", Language::Zh) => format!("{basis_period} 申报基数"),
            ("declaration", Language::En) => format!("declared base of {basis_period}"),
            (_, Language::Zh) => "按当期个税工资测算的基数".to_owned(),
            (_, Language::En) => "base by the period's payroll".to_owned(),
        };
        self.step(
            ("依据", "taken from"),
            format!("{name} {} × {}", base.grouped(), percent(rate)),
            self.yuan(owed),
        );
        if basis != "declaration" {
            return Some(owed);
        }
        let raised = Rate::round(owed.fen() * 110, 100);
        self.step(
            ("推定金额", "presumed"),
            format!("{} × 110%", owed.grouped()),
            self.yuan(raised),
        );
        Some(raised)
    }

    fn under_declared(&mut self) -> Option<Money> {
        let period = self.period?;
        let entry = self.contribution(period)?;
        let heads = i128::from(self.alert.details.get("headcount")?.as_u64()?);
        let (wages, base) = (self.money("wages")?, self.money("base")?);
        let expected = self.money("expected")?;
        self.step(
            ("工资总额", "wages"),
            match self.language {
                Language::Zh => format!("{period} 代扣个税的工资，{heads} 人"),
                Language::En => format!("taxed wages of {period}, {heads} people"),
            },
            self.yuan(wages),
        );
        let wage = entry.reference_wage;
        for (names, ratio) in [
            (("下限", "floor"), entry.floor_ratio),
            (("上限", "ceiling"), entry.ceiling_ratio),
        ] {
            let bound = Rate::round(ratio.times(wage) * heads, Rate::SCALE);
            self.step(
                names,
                format!("{} × {} × {heads}", wage.grouped(), percent(ratio)),
                self.yuan(bound),
            );
        }
        self.step(
            ("应申报基数", "expected base"),
            self.text(
                "工资总额，不低于下限，不高于上限",
                "wages, not below the floor, not above the ceiling",
            ),
            self.yuan(expected),
        );
        let short = expected - base;
        self.step(
            ("少报基数", "base missing"),
            format!("{} − {}", expected.grouped(), base.grouped()),
            self.yuan(short),
        );
        let tolerated = self
            .policy
            .detector(Detector::UnderDeclaredBase)
            .tolerance_ratio;
        self.step(
            ("容许比例", "tolerated share"),
            format!("{} × {}", expected.grouped(), percent(tolerated)),
            self.yuan(applied(tolerated, expected)),
        );
        let rate = entry.both_rates();
        let amount = exact_gap(&entry, wages, heads, base);
        self.step(
            ("少缴", "contributions missing"),
            format!("{} × {}", short.grouped(), percent(rate)),
            self.yuan(amount),
        );
        Some(amount)
    }

    fn duplicate(&mut self) -> Option<Money> {
        let (sum, largest) = (self.money("paid_out")?, self.money("largest")?);
        let item = self.alert.item.clone().unwrap_or_default();
        let of_item = self
            .dossier
            .and_then(Dossier::as_person)
            .and_then(|person| {
                let month = person
                    .months
                    .iter()
                    .find(|month| Some(month.period) == self.period)?;
                let of_item = month
                    .items
                    .iter()
                    .find(|of| of.item == item && of.nature == domain::Nature::Regular)?;
                let dates: Vec<String> = of_item.dates.iter().map(ToString::to_string).collect();
                Some(dates.join(", "))
            });
        let count = self.alert.details.get("payouts")?.as_u64()?;
        let how = match (self.language, of_item) {
            (Language::Zh, Some(dates)) => format!("{count} 笔正常发放，减去冲销：{dates}"),
            (Language::Zh, None) => format!("{count} 笔正常发放，减去冲销"),
            (Language::En, Some(dates)) => {
                format!("{count} regular payouts less reversals: {dates}")
            }
            (Language::En, None) => format!("{count} regular payouts less reversals"),
        };
        self.step(("发放合计", "paid out"), how, self.yuan(sum));
        let amount = sum - largest;
        let how = match self.language {
            Language::Zh => format!("{} − 其中最大一笔 {}", sum.grouped(), largest.grouped()),
            Language::En => format!("{} − the largest, {}", sum.grouped(), largest.grouped()),
        };
        self.step(("多发", "paid twice"), how, self.yuan(amount));
        Some(amount)
    }

    fn deceased(&mut self) -> Option<Money> {
        let person = self.dossier.and_then(Dossier::as_person);
        let grade = self.alert.details.get("match")?.as_str()?.to_owned();
        for report in person
            .map(|person| person.deaths.as_slice())
            .unwrap_or_default()
        {
            let how = match self.language {
                Language::Zh => format!("{} 登记，来源 {}", report.date, scrub(&report.source)),
                Language::En => format!(
                    "registered on {}, reported by {}",
                    report.date,
                    scrub(&report.source)
                ),
            };
            let result = match (report.cancelled_on, self.language) {
                (None, _) => report.died_on.to_string(),
                (Some(day), Language::Zh) => format!("{}（{day} 撤销）", report.died_on),
                (Some(day), Language::En) => format!("{} (cancelled on {day})", report.died_on),
            };
            self.step(("登记所载日期", "day that the record names"), how, result);
        }
        let after = self.alert.details.get("after")?.as_str()?.to_owned();
        if grade == "C" {
            // A match of numbers says of nobody that he is dead, and ends no benefit.
            let how = self.text(
                "未撤销登记中最早的月份；身份核实之前不作其他认定",
                "the earliest month of records not cancelled; nothing is concluded before identity is verified",
            );
            self.step(("登记月份", "month of the record"), how, after);
        } else {
            let how = self.text(
                "未撤销登记中最早的死亡月份；当月仍应发放",
                "the earliest month of reports not cancelled; that month is still due",
            );
            self.step(("最后应发月份", "last month due"), how, after);
        }
        let mut known = Money::ZERO;
        let months: Vec<(Period, Money)> = person
            .map(|person| {
                let months = person.months.iter();
                months
                    .filter(|month| month.after_death.is_positive())
                    .map(|month| (month.period, month.after_death))
                    .collect()
            })
            .unwrap_or_default();
        for (period, paid) in &months {
            known += *paid;
            let how = self.text("发放减去冲销", "payouts less reversals");
            self.steps.push(Step {
                what: period.to_string(),
                how,
                result: self.yuan(*paid),
            });
        }
        let how = match self.language {
            Language::Zh => "此后各月发放合计，遗属待遇除外".to_owned(),
            Language::En => "paid for later months, survivors' benefits left out".to_owned(),
        };
        let amount = if months.is_empty() {
            self.alert.amount
        } else {
            known
        };
        self.step(("涉及金额", "at stake"), how, self.yuan(amount));
        let how = match (grade.as_str(), self.language) {
            ("A", Language::Zh) => "两个以上来源，姓名一致",
            ("A", Language::En) => "two or more sources, names agree",
            ("B", Language::Zh) => "单一来源，姓名一致",
            ("B", Language::En) => "one source, names agree",
            (_, Language::Zh) => "仅号码相同：不足以认定身份，等级不高于黄色",
            (_, Language::En) => "numbers alone: no proof of identity, and no graver than yellow",
        };
        self.step(("印证等级", "grade of the match"), how.to_owned(), grade);
        (!months.is_empty()).then_some(amount)
    }

    fn missed(&mut self) -> Option<Money> {
        let period = self.period?;
        let entry = self.policy.benefit(period)?;
        self.entry = Some(format!("benefit@{}", entry.from));
        let (payout_day, grace) = (entry.payout_day, entry.grace_days);
        let due = self.policy.payout_due(period)?;
        let how = match self.language {
            Language::Zh => format!("{period} 的 {payout_day} 日，遇非工作日提前"),
            Language::En => format!("day {payout_day} of {period}, moved back to a business day"),
        };
        self.due(how, due.date, due.deadline, grace);
        let how = match self.language {
            Language::Zh => format!("{} 和 {} 均为领取中", period.first_day(), due.date),
            Language::En => format!("receiving on {} and {}", period.first_day(), due.date),
        };
        self.step(("领取资格", "entitled"), how, self.text("是", "yes"));
        let how = self.text(
            "该月正常发放和补发的净额",
            "regular and back payouts of the period, net",
        );
        self.step(("已发", "paid"), how, self.yuan(Money::ZERO));
        let basis = self.alert.details.get("basis")?.as_str()?;
        let how = match (basis, self.language) {
            ("roster", Language::Zh) => "待遇名册所载月待遇",
            ("roster", Language::En) => "what the roster says is paid a month",
            ("payout", Language::Zh) => "此前最近一次正常发放",
            ("payout", Language::En) => "the latest earlier regular payout",
            (_, Language::Zh) => "无从得知",
            (_, Language::En) => "nothing is known",
        };
        let amount = self.alert.weight();
        self.step(("应发约", "due, about"), how.to_owned(), self.yuan(amount));
        None
    }

    fn late_remittance(&mut self) -> Option<Money> {
        let period = self.period?;
        let entry = self.policy.remittance(period)?;
        self.entry = Some(format!("remittance@{}", entry.from));
        let (remit_day, grace) = (entry.remit_day, entry.grace_days);
        let due = self.policy.remittance_due(period)?;
        let how = match self.language {
            Language::Zh => format!("{period} 的次月 {remit_day} 日，遇非工作日顺延"),
            Language::En => {
                format!("day {remit_day} of the month after {period}, moved on to a business day")
            }
        };
        self.due(how, due.date, due.deadline, grace);
        let (paid, reversed) = (self.money("paid")?, self.money("reversed")?);
        let remitted = self.money("remitted")?;
        let count = |key: &str| self.alert.details.get(key).and_then(|of| of.as_u64());
        let (payments, reversals) = (count("payments")?, count("reversals")?);
        let of_month = |count: u64| match self.language {
            Language::Zh => format!("当月 {count} 笔"),
            Language::En => format!("{count} in the month"),
        };
        self.step(("征收", "collected"), of_month(payments), self.yuan(paid));
        let how = match self.language {
            Language::Zh => format!("当月 {reversals} 笔"),
            Language::En => format!("{reversals} in the month"),
        };
        self.step(("冲正", "reversed"), how, self.yuan(reversed));
        let how = self.text("上划至市财政专户", "moved to the city's special account");
        self.step(("已上划", "remitted"), how, self.yuan(remitted));
        let amount = paid - reversed - remitted;
        let how = format!(
            "{} − {} − {}",
            paid.grouped(),
            reversed.grouped(),
            remitted.grouped()
        );
        self.step(("未上划", "not remitted"), how, self.yuan(amount));
        Some(amount)
    }

    fn stalled_subsidy(&mut self) -> Option<Money> {
        let (arrived, released) = (self.money("arrived")?, self.money("released")?);
        let release_by = self.alert.details.get("release_by")?.as_str()?.to_owned();
        // The entry is that of the month of the subsidy's date, which the alert names.
        self.entry.clone_from(&self.alert.policy);
        let days = self.alert.policy.as_deref().and_then(|entry| {
            let from = Period::parse(entry.split_once('@')?.1.as_bytes())?;
            Some(self.policy.remittance(from)?.release_business_days)
        });
        let how = match (self.language, days) {
            (Language::Zh, Some(days)) => format!("到账后 {days} 个工作日内划出"),
            (Language::Zh, None) => "到账后限期划出".to_owned(),
            (Language::En, Some(days)) => format!("within {days} business days of its arrival"),
            (Language::En, None) => "within the days that the policy allows".to_owned(),
        };
        self.step(("应划出日", "to be released by"), how, release_by);
        let amount = arrived - released;
        let how = match self.language {
            Language::Zh => format!("到账 {} − 已划出 {}", arrived.grouped(), released.grouped()),
            Language::En => format!(
                "arrived {} − released {}",
                arrived.grouped(),
                released.grouped()
            ),
        };
        self.step(("滞留", "held back"), how, self.yuan(amount));
        Some(amount)
    }

    fn unauthorised(&mut self) -> Option<Money> {
        let entry = self.policy.benefit(self.period?)?;
        self.entry = Some(format!("benefit@{}", entry.from));
        let item = scrub(self.alert.item.as_deref()?);
        let is_listed = entry.is_listed(self.alert.item.as_deref()?);
        let listed: Vec<String> = entry
            .items
            .iter()
            .chain(&entry.survivor_items)
            .map(|of| scrub(of))
            .collect();
        let result = match (is_listed, self.language) {
            (false, Language::Zh) => format!("{item} 不在其中"),
            (false, Language::En) => format!("{item} is not among them"),
            (true, Language::Zh) => format!("{item} 在其中"),
            (true, Language::En) => format!("{item} is among them"),
        };
        self.step(("政策所列项目", "items listed"), listed.join(", "), result);
        let count = self.alert.details.get("records")?.as_u64()?;
        let how = match self.language {
            Language::Zh => format!("{count} 条发放及冲销记录的净额"),
            Language::En => format!("net of {count} payouts and reversals"),
        };
        let amount = self.alert.weight();
        self.step(("支出", "paid"), how, self.yuan(amount));
        None
    }

    fn feed_or_indicator(&mut self, detector: Detector) {
        let shown = |key: &str| match self.alert.details.get(key) {
            Some(serde_json::Value::String(text)) => scrub(text),
            Some(other) => other.to_string(),
            None => "—".to_owned(),
        };
        let pairs: &[(&str, (&str, &str))] = match detector {
            Detector::SilentFeed => &[
                ("last_close", ("最近一次日结", "last close")),
                (
                    "close_within_business_days",
                    ("日结时限（工作日）", "close due within business days"),
                ),
            ],
            Detector::IncompleteFeed => &[
                ("records_sent", ("日结笔数", "records by the day close")),
                ("records_received", ("收到笔数", "records received")),
                ("amount_sent", ("日结金额", "amount by the day close")),
                ("amount_received", ("收到金额", "amount received")),
            ],
            _ => &[
                ("month", ("月份", "month")),
                ("value", ("数值", "value")),
                ("threshold", ("警戒线", "threshold")),
            ],
        };
        let found: Vec<_> = pairs
            .iter()
            .map(|(key, names)| (*names, shown(key)))
            .collect();
        for (names, result) in found {
            self.step(names, String::new(), result);
        }
    }

    /// Tolerance and severity.
    fn grade(&mut self, detector: Detector, result: Money) {
        let settings = self.policy.detector(detector);
        let (tolerance, yellow, orange, red) = (
            settings.tolerance,
            settings.yellow,
            settings.orange,
            settings.red,
        );
        if detector != Detector::Undeclared {
            let is_more = tolerance < result;
            self.step(
                ("超过容差", "beyond tolerance"),
                format!(
                    "{} {} {}",
                    result.grouped(),
                    if is_more { ">" } else { "≤" },
                    tolerance.grouped()
                ),
                if is_more {
                    self.text("是", "yes")
                } else {
                    self.text("否", "no")
                },
            );
        }
        let how = match self.language {
            Language::Zh => format!(
                "{} 起黄色，{} 起橙色，{} 起红色；{}",
                yellow.grouped(),
                orange.grouped(),
                red.grouped(),
                match self.alert.state {
                    State::Open => "按现额",
                    State::Cleared => "已解除，按最高额",
                }
            ),
            Language::En => format!(
                "yellow from {}, orange from {}, red from {}; {}",
                yellow.grouped(),
                orange.grouped(),
                red.grouped(),
                match self.alert.state {
                    State::Open => "by the present amount",
                    State::Cleared => "cleared: by the highest amount",
                }
            ),
        };
        let severity = match (self.language, self.alert.severity) {
            (Language::Zh, severity) => severity.name_zh().to_owned(),
            (Language::En, severity) => severity.as_str().to_owned(),
        };
        self.step(("等级", "severity"), how, severity);
    }

    /// The late-payment surcharge, span by span; only as the alert has it.
    fn surcharge(&mut self) {
        let Some(surcharge) = self.money("surcharge") else {
            return;
        };
        let spans = self
            .dossier
            .and_then(Dossier::as_enterprise)
            .and_then(|of| {
                let month = of
                    .months
                    .iter()
                    .find(|month| Some(month.period) == self.period)?;
                let until = of.as_of.complete.unwrap_or(of.as_of.present);
                (month.surcharge == surcharge).then(|| month.surcharge_spans(self.policy, until))
            });
        for span in spans.unwrap_or_default() {
            let how = match self.language {
                Language::Zh => format!(
                    "{} × {} × {} 天",
                    span.debt.grouped(),
                    percent(span.daily),
                    span.days()
                ),
                Language::En => format!(
                    "{} × {} × {} days",
                    span.debt.grouped(),
                    percent(span.daily),
                    span.days()
                ),
            };
            self.steps.push(Step {
                what: format!("{} – {}", span.from, span.to),
                how,
                result: self.yuan(Rate::round(span.scaled(), Rate::SCALE)),
            });
        }
        let how = self.text(
            "到期日次日起逐日计算，合计后四舍五入到分",
            "by the day from the day after the due date, rounded once",
        );
        self.step(
            ("滞纳金", "late-payment surcharge"),
            how,
            self.yuan(surcharge),
        );
    }

    fn step(&mut self, what: (&str, &str), how: String, result: String) {
        let what = self.text(what.0, what.1);
        self.steps.push(Step { what, how, result });
    }

    fn text(&self, zh: &str, en: &str) -> String {
        match self.language {
            Language::Zh => zh.to_owned(),
            Language::En => en.to_owned(),
        }
    }

    fn yuan(&self, amount: Money) -> String {
        words::money(amount, self.language)
    }

    fn money(&self, key: &str) -> Option<Money> {
        serde_json::from_value(self.alert.details.get(key)?.clone()).ok()
    }
}

/// Rounded once, as the detector does: floor and ceiling times people need not be whole fen.
fn exact_gap(entry: &Contribution, wages: Money, heads: i128, base: Money) -> Money {
    let (date, period) = (BusinessDate::FIRST, entry.from);
    let declaration = Declaration {
        id: "",
        region: RegionId(0),
        date,
        period,
        headcount: 0,
        base,
    };
    let payroll = Payroll {
        id: "",
        region: RegionId(0),
        date,
        period,
        headcount: u32::try_from(heads).unwrap_or(u32::MAX),
        wages,
    };
    base_gap(entry, &declaration, &payroll).contribution
}

fn applied(rate: Rate, base: Money) -> Money {
    Rate::round(rate.times(base), Rate::SCALE)
}

/// `24%`, `0.05%`, `300%`.
pub(crate) fn percent(rate: Rate) -> String {
    format!("{}%", Rate::from_units(rate.units() * 100))
}
