//! A slow and obvious reading of contract section 5 over the lines that were sent: each condition is
//! judged on every day on which it can change.

use std::collections::{BTreeMap, BTreeSet};

use domain::{BusinessDate, Detector, Money, Period, PersonId, Rate};
use rules::Policy;
use serde_json::Value;
use simulate::{Options, Truth, generate};

/// An accepted record.
pub struct Fact {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Its date.
    pub date: BusinessDate,
    json: Value,
}

impl Fact {
    /// The field of that name.
    pub fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }

    fn money(&self, key: &str) -> Money {
        Money::parse(self.text(key).as_bytes()).unwrap()
    }

    /// The field of that name.
    pub fn amount(&self) -> Money {
        self.money("amount")
    }

    /// The field of that name.
    pub fn period(&self) -> Option<Period> {
        Period::parse(self.text("period").as_bytes())
    }

    /// The field of that name.
    pub fn person(&self) -> String {
        let person = PersonId::parse(self.text("person").as_bytes());
        person.map_or_else(String::new, PersonId::reveal)
    }
}

/// Detector, subject, period and item.
pub type Key = (Detector, String, Option<Period>, Option<String>);

/// An alert's latest episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its first day.
    pub opened_on: BusinessDate,
    /// The day after its last.
    pub cleared_on: Option<BusinessDate>,
    /// The highest amount.
    pub peak: Money,
}

struct Judge<'a> {
    policy: &'a Policy,
    end: BusinessDate,
    alerts: BTreeMap<Key, Alert>,
}

/// Which of a key's facts, or of the days that matter to it, there are.
struct Days(BTreeSet<BusinessDate>);

impl Judge<'_> {
    /// Notes the latest of the episodes that a condition makes up over the days on which it can change.
    fn note(&mut self, key: Key, days: Days, amount_on: impl Fn(BusinessDate) -> Option<Money>) {
        let mut alert: Option<Alert> = None;
        for day in days.0.into_iter().filter(|day| *day <= self.end) {
            let open = alert
                .as_mut()
                .filter(|episode| episode.cleared_on.is_none());
            match (amount_on(day), open) {
                (Some(amount), Some(episode)) => episode.peak = episode.peak.max(amount),
                (Some(amount), None) => {
                    alert = Some(Alert {
                        opened_on: day,
                        cleared_on: None,
                        peak: amount,
                    });
                }
                (None, Some(episode)) => episode.cleared_on = Some(day),
                (None, None) => {}
            }
        }
        if let Some(alert) = alert {
            self.alerts.insert(key, alert);
        }
    }
}

fn days<'a>(facts: impl IntoIterator<Item = &'a Fact>, more: &[BusinessDate]) -> Days {
    let dates = facts.into_iter().map(|fact| fact.date);
    Days(dates.chain(more.iter().copied()).collect())
}

fn latest<'a>(
    facts: impl IntoIterator<Item = &'a &'a Fact>,
    day: BusinessDate,
) -> Option<&'a Fact> {
    facts
        .into_iter()
        .copied()
        .filter(|fact| fact.date <= day)
        .max_by_key(|fact| (fact.date, fact.id.clone()))
}

/// The amount less the reversals among `facts` that name it.
fn net(of: &Fact, facts: &[&Fact], day: BusinessDate) -> Money {
    if day < of.date {
        return Money::ZERO;
    }
    let reversed: Money = facts
        .iter()
        .filter(|fact| {
            fact.kind.ends_with("_reversal")
                && fact.text("reverses") == of.id
                && fact.date <= day
                && fact.period() == of.period()
                && fact.text("item") == of.text("item")
        })
        .map(|fact| fact.amount())
        .sum();
    (of.amount() - reversed).at_least_zero()
}

fn of_kind<'a>(facts: &[&'a Fact], kind: &str) -> Vec<&'a Fact> {
    let facts = facts.iter().copied();
    facts.filter(|fact| fact.kind == kind).collect()
}

fn by<'a>(
    facts: &'a [Fact],
    kinds: &[&str],
    subject: impl Fn(&Fact) -> String,
) -> BTreeMap<String, Vec<&'a Fact>> {
    let mut groups: BTreeMap<String, Vec<&Fact>> = BTreeMap::new();
    for fact in facts.iter().filter(|f| kinds.contains(&f.kind.as_str())) {
        groups.entry(subject(fact)).or_default().push(fact);
    }
    groups
}

fn rounded(scaled: i128, scale: i128) -> Money {
    Rate::round(scaled, scale)
}

/// Expected base by a payroll, in fen scaled by 10^8.
fn expected(policy: &Policy, payroll: &Fact) -> i128 {
    let entry = policy.contribution(payroll.period().unwrap()).unwrap();
    let heads = i128::from(payroll.json["headcount"].as_u64().unwrap());
    let limit = |ratio: Rate| ratio.times(entry.reference_wage) * heads;
    (payroll.money("wages").fen() * Rate::SCALE)
        .max(limit(entry.floor_ratio))
        .min(limit(entry.ceiling_ratio))
}

fn owed(policy: &Policy, declaration: &Fact) -> Money {
    let entry = policy.contribution(declaration.period().unwrap()).unwrap();
    let scaled = entry.both_rates().times(declaration.money("base"));
    rounded(scaled, Rate::SCALE)
}

fn judge_enterprises(judge: &mut Judge<'_>, facts: &[Fact]) {
    let kinds = [
        "enterprise",
        "declaration",
        "payroll",
        "payment",
        "payment_reversal",
    ];
    for (code, mine) in by(facts, &kinds, |fact| fact.text("enterprise").to_owned()) {
        let statuses = of_kind(&mine, "enterprise");
        let opened = statuses.iter().map(|fact| fact.date.period()).min();
        let declared = of_kind(&mine, "declaration");
        let declared = declared.iter().filter_map(|fact| fact.period()).min();
        let Some(mut period) = opened.into_iter().chain(declared).min() else {
            continue;
        };
        while let Some(due) = judge.policy.contribution_due(period)
            && due.deadline < judge.end
        {
            judge_filing(judge, &code, &mine, period, due.deadline);
            period = period.next();
        }
    }
}

fn judge_filing(
    judge: &mut Judge<'_>,
    code: &str,
    mine: &[&Fact],
    period: Period,
    deadline: BusinessDate,
) {
    let policy = judge.policy;
    let rates = policy.contribution(period).unwrap().both_rates();
    let of_period: Vec<&Fact> = mine
        .iter()
        .copied()
        .filter(|fact| fact.period() == Some(period))
        .collect();
    let declarations = of_kind(&of_period, "declaration");
    let payrolls = of_kind(&of_period, "payroll");
    let payments = of_kind(&of_period, "payment");
    let key = |detector| (detector, code.to_owned(), Some(period), None);

    let tolerance = policy.detector(Detector::UnderDeclaredBase).tolerance_ratio;
    judge.note(
        key(Detector::UnderDeclaredBase),
        days(of_period.iter().copied(), &[]),
        |day| {
            let declaration = latest(&declarations, day)?;
            let expected = expected(policy, latest(&payrolls, day)?);
            let missing = expected - declaration.money("base").fen() * Rate::SCALE;
            let amount = rounded(rates.scaled(missing), Rate::SCALE * Rate::SCALE);
            (missing * Rate::SCALE > tolerance.scaled(expected) && amount.is_positive())
                .then_some(amount)
        },
    );
    let all_days = || days(mine.iter().copied(), &[deadline.next()]);
    judge.note(key(Detector::Arrears), all_days(), |day| {
        let declaration = latest(&declarations, day)?;
        let paid: Money = payments.iter().map(|fact| net(fact, &of_period, day)).sum();
        let amount = owed(policy, declaration) - paid;
        (deadline < day && amount.is_positive()).then_some(amount)
    });
    let statuses = of_kind(mine, "enterprise");
    let earlier: Vec<&Fact> = of_kind(mine, "declaration")
        .into_iter()
        .filter(|fact| fact.period() < Some(period))
        .collect();
    judge.note(key(Detector::Undeclared), all_days(), |day| {
        let status = latest(&statuses, day.min(period.last_day()))?;
        if day <= deadline
            || status.text("status") != "active"
            || latest(&declarations, day).is_some()
        {
            return None;
        }
        let last_period = earlier
            .iter()
            .filter(|fact| fact.date <= day)
            .filter_map(|fact| fact.period())
            .max();
        let of_last: Vec<&Fact> = earlier
            .iter()
            .copied()
            .filter(|fact| fact.period() == last_period)
            .collect();
        if let Some(last) = latest(&of_last, day) {
            return Some(rounded(owed(policy, last).fen() * 110, 100));
        }
        let presumed = latest(&payrolls, day).map(|payroll| {
            rounded(
                rates.scaled(expected(policy, payroll)),
                Rate::SCALE * Rate::SCALE,
            )
        });
        Some(presumed.unwrap_or_default())
    });
}

fn judge_people(judge: &mut Judge<'_>, facts: &[Fact]) {
    let kinds = [
        "payout",
        "payout_reversal",
        "beneficiary",
        "death",
        "death_cancelled",
    ];
    for (person, mine) in by(facts, &kinds, Fact::person) {
        judge_duplicates(judge, &person, &mine);
        judge_deceased(judge, &person, &mine);
        judge_missed(judge, &person, &mine);
    }
}

fn judge_duplicates(judge: &mut Judge<'_>, person: &str, mine: &[&Fact]) {
    let mut keys: BTreeMap<(Option<Period>, String), Vec<&Fact>> = BTreeMap::new();
    for fact in of_kind(mine, "payout") {
        if fact.text("nature") == "regular" {
            let key = (fact.period(), fact.text("item").to_owned());
            keys.entry(key).or_default().push(fact);
        }
    }
    for ((period, item), payouts) in keys {
        let key = (
            Detector::DuplicatePayout,
            person.to_owned(),
            period,
            Some(item),
        );
        judge.note(key, days(mine.iter().copied(), &[]), |day| {
            let nets: Vec<Money> = payouts
                .iter()
                .map(|payout| net(payout, mine, day))
                .filter(|net| net.is_positive())
                .collect();
            let most = nets.iter().copied().max()?;
            let amount = nets.iter().copied().sum::<Money>() - most;
            (nets.len() > 1 && amount.is_positive()).then_some(amount)
        });
    }
}

/// The day of the earliest death that is not cancelled.
fn died_on(mine: &[&Fact], day: BusinessDate) -> Option<BusinessDate> {
    let cancellations = of_kind(mine, "death_cancelled");
    of_kind(mine, "death")
        .iter()
        .filter(|death| {
            let is_cancelled = cancellations
                .iter()
                .any(|fact| fact.text("reverses") == death.id && fact.date <= day);
            death.date <= day && !is_cancelled
        })
        .filter_map(|death| BusinessDate::parse(death.text("died_on").as_bytes()))
        .min()
}

fn judge_deceased(judge: &mut Judge<'_>, person: &str, mine: &[&Fact]) {
    let policy = judge.policy;
    let key = (Detector::DeceasedRecipient, person.to_owned(), None, None);
    judge.note(key, days(mine.iter().copied(), &[]), |day| {
        let died_on = died_on(mine, day)?;
        let amount: Money = of_kind(mine, "payout")
            .iter()
            .filter(|payout| {
                let period = payout.period().unwrap();
                let entry = policy.benefit(period).unwrap();
                died_on.period() < period && !entry.is_survivor_item(payout.text("item"))
            })
            .map(|payout| net(payout, mine, day))
            .sum();
        amount.is_positive().then_some(amount)
    });
}

fn judge_missed(judge: &mut Judge<'_>, person: &str, mine: &[&Fact]) {
    let roster = of_kind(mine, "beneficiary");
    let Some(mut period) = roster.iter().map(|fact| fact.date.period()).min() else {
        return;
    };
    while let Some(due) = judge.policy.payout_due(period)
        && due.deadline < judge.end
    {
        let payouts: Vec<&Fact> = of_kind(mine, "payout")
            .into_iter()
            .filter(|payout| payout.period() == Some(period) && payout.text("nature") != "lump_sum")
            .collect();
        let key = (
            Detector::MissedPayout,
            person.to_owned(),
            Some(period),
            None,
        );
        let when = days(mine.iter().copied(), &[due.deadline.next()]);
        judge.note(key, when, |day| {
            let is_receiving = |on: BusinessDate| {
                latest(&roster, on.min(day))
                    .is_some_and(|status| status.text("status") == "receiving")
            };
            let has_died = died_on(mine, day).is_some_and(|died| died < period.first_day());
            let is_paid = payouts
                .iter()
                .any(|payout| net(payout, mine, day).is_positive());
            if day <= due.deadline
                || !is_receiving(period.first_day())
                || !is_receiving(due.date)
                || has_died
                || is_paid
            {
                return None;
            }
            let with_amount: Vec<&Fact> = roster
                .iter()
                .copied()
                .filter(|fact| !fact.json["amount"].is_null())
                .collect();
            Some(latest(&with_amount, due.date.min(day)).unwrap().amount())
        });
        period = period.next();
    }
}

fn judge_regions(judge: &mut Judge<'_>, facts: &[Fact]) {
    let policy = judge.policy;
    let regions = by(
        facts,
        &["payment", "payment_reversal", "transfer"],
        |fact| fact.region.clone(),
    );
    for (region, mine) in regions {
        let code = policy
            .pool
            .regions
            .iter()
            .find(|r| r.code.as_str() == region);
        let months: BTreeSet<Period> = mine.iter().map(|fact| fact.date.period()).collect();
        for month in months {
            let Some(due) = policy.remittance_due(month) else {
                continue;
            };
            if !code.unwrap().remits || judge.end <= due.deadline {
                continue;
            }
            let key = (Detector::LateRemittance, region.clone(), Some(month), None);
            // What was collected in the month is there; from now on only remitting changes it.
            let remitted = mine
                .iter()
                .copied()
                .filter(|fact| fact.text("kind") == "remit_up" && fact.period() == Some(month));
            let when = days(remitted, &[due.deadline.next()]);
            judge.note(key, when, |day| {
                let sum = |kind: &str, is_it: &dyn Fn(&Fact) -> bool| -> Money {
                    of_kind(&mine, kind)
                        .iter()
                        .filter(|fact| fact.date <= day && is_it(fact))
                        .map(|fact| fact.amount())
                        .sum()
                };
                let in_month = |fact: &Fact| fact.date.period() == month;
                let amount = sum("payment", &in_month)
                    - sum("payment_reversal", &in_month)
                    - sum("transfer", &|fact| {
                        fact.text("kind") == "remit_up" && fact.period() == Some(month)
                    });
                (due.deadline < day && amount.is_positive()).then_some(amount)
            });
        }
    }
}

fn judge_items(judge: &mut Judge<'_>, facts: &[Fact]) {
    let mut keys: BTreeMap<(String, Option<Period>, String), Vec<&Fact>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.kind == "payout") {
        let item = fact.text("item");
        let entry = judge.policy.benefit(fact.period().unwrap()).unwrap();
        if !entry.is_listed(item) {
            let key = (fact.region.clone(), fact.period(), item.to_owned());
            keys.entry(key).or_default().push(fact);
        }
    }
    let reversals: Vec<&Fact> = facts
        .iter()
        .filter(|fact| fact.kind == "payout_reversal")
        .collect();
    for ((region, period, item), payouts) in keys {
        let key = (Detector::UnauthorisedItem, region, period, Some(item));
        let when = days(payouts.iter().chain(&reversals).copied(), &[]);
        judge.note(key, when, |day| {
            let amount: Money = payouts
                .iter()
                .map(|payout| {
                    let mine: Vec<&Fact> = reversals
                        .iter()
                        .copied()
                        .filter(|fact| fact.person() == payout.person())
                        .collect();
                    net(payout, &mine, day)
                })
                .sum();
            amount.is_positive().then_some(amount)
        });
    }
}

fn judge_subsidies(judge: &mut Judge<'_>, facts: &[Fact]) {
    let transfers: Vec<&Fact> = facts.iter().filter(|f| f.kind == "transfer").collect();
    for subsidy in &transfers {
        if !subsidy.text("kind").ends_with("_subsidy") || subsidy.text("kind").starts_with("county")
        {
            continue;
        }
        let deadline = judge.policy.release_deadline(subsidy.date).unwrap();
        let releases: Vec<&Fact> = transfers
            .iter()
            .copied()
            .filter(|fact| {
                fact.text("kind") == "treasury_release" && fact.text("source") == subsidy.id
            })
            .collect();
        let key = (Detector::StalledSubsidy, subsidy.id.clone(), None, None);
        let when = days(releases.iter().copied(), &[deadline.next()]);
        judge.note(key, when, |day| {
            let released: Money = releases
                .iter()
                .filter(|fact| fact.date <= day)
                .map(|fact| fact.amount())
                .sum();
            let amount = subsidy.amount() - released;
            (deadline < day && amount.is_positive()).then_some(amount)
        });
    }
}

/// The facts among the lines: what is no JSON or was made bad on purpose is none, and of two records
/// under one id the first counts.
pub fn facts(options: &Options) -> (Vec<Fact>, Truth) {
    let mut facts = Vec::new();
    let mut ids = BTreeSet::new();
    let truth = generate(options, &Policy::huangshan(), &mut |line| {
        let Ok(json) = serde_json::from_slice::<Value>(line.json) else {
            return Ok(());
        };
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let (kind, id) = (text("type"), text("id"));
        let is_bad = id.starts_with('X') || kind == "day_close";
        let subject = text("enterprise") + &text("person");
        if !is_bad && ids.insert((line.topic, kind.clone(), subject, id.clone())) {
            facts.push(Fact {
                kind,
                id,
                region: text("region"),
                date: BusinessDate::parse(text("date").as_bytes()).unwrap(),
                json,
            });
        }
        Ok(())
    })
    .unwrap();
    (facts, truth)
}

/// The alerts of the last day.
pub fn judged(options: &Options) -> (BTreeMap<Key, Alert>, Truth) {
    let (facts, truth) = facts(options);
    let policy = Policy::huangshan();
    let mut judge = Judge {
        policy: &policy,
        end: truth.as_of,
        alerts: BTreeMap::new(),
    };
    judge_enterprises(&mut judge, &facts);
    judge_people(&mut judge, &facts);
    judge_regions(&mut judge, &facts);
    judge_items(&mut judge, &facts);
    judge_subsidies(&mut judge, &facts);
    (judge.alerts, truth)
}
