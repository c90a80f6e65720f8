//! What the detectors' tests share: a policy, books from short lines, findings as lines.
//!
//! Regions are written as their place in the policy's list: `@1` is 341002, the default.

use domain::{
    BusinessDate, CreditCode, EnterpriseStatus, Finding, Money, Nature, Period, PersonId, RegionId,
    RosterStatus,
};
use rules::Policy;

use crate::Verdict;
use crate::book::{
    Beneficiary, Death, DeathCancelled, Declaration, EnterpriseBook, Payment, PaymentReversal,
    Payout, PayoutReversal, Payroll, PersonBook, StatusRecord,
};

const POLICY: &str = r#"
[pool]
code = "341000"
name = "黄山市"
time_zone = "Asia/Shanghai"
regions = [
  { code = "341000", name = "市本级", remits = false },
  { code = "341002", name = "屯溪区" },
  { code = "341021", name = "歙县" },
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

[[surcharge]]
from = "2011-07-01"
daily = "0.0005"

[[benefit]]
from = "2019-05"
items = ["basic_pension", "transitional_pension"]
survivor_items = ["funeral_grant", "survivor_pension"]
payout_day = 20
grace_days = 3

[[remittance]]
from = "2019-05"
remit_day = 10
grace_days = 0
release_business_days = 10

[calendar]
holidays = []
workdays = []
"#;

/// The policy of the worked cases, with texts replaced and others appended.
pub(crate) fn policy(replaced: &[(&str, &str)], appended: &str) -> Policy {
    let mut text = POLICY.to_owned();
    for (old, new) in replaced {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    text.push_str(appended);
    Policy::parse("policy.toml", &text).unwrap()
}

pub(crate) fn day(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).unwrap()
}

pub(crate) fn month(text: &str) -> Period {
    Period::parse(text.as_bytes()).unwrap()
}

pub(crate) fn yuan(text: &str) -> Money {
    Money::parse(text.as_bytes()).unwrap()
}

/// The words of a line and the region at its end.
fn words(line: &'static str) -> (Vec<&'static str>, RegionId) {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let region = match words.last().and_then(|last| last.strip_prefix('@')) {
        Some(place) => {
            words.pop();
            RegionId(place.parse().unwrap())
        }
        None => RegionId(1),
    };
    (words, region)
}

/// Lines `status|declared|payroll|paid|back ID DATE ...`.
pub(crate) fn enterprise(lines: &'static str) -> EnterpriseBook<'static> {
    let mut book = EnterpriseBook {
        enterprise: CreditCode::parse(b"91341002MA2TEXT08E").unwrap(),
        statuses: Vec::new(),
        declarations: Vec::new(),
        payrolls: Vec::new(),
        payments: Vec::new(),
        payment_reversals: Vec::new(),
    };
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let (words, region) = words(line);
        let (id, date) = (words[1], day(words[2]));
        match (words[0], &words[3..]) {
            ("status", &[status]) => book.statuses.push(StatusRecord {
                id,
                region,
                date,
                status: EnterpriseStatus::parse(status.as_bytes()).unwrap(),
            }),
            ("declared", &[period, headcount, base]) => book.declarations.push(Declaration {
                id,
                region,
                date,
                period: month(period),
                headcount: headcount.parse().unwrap(),
                base: yuan(base),
            }),
            ("payroll", &[period, headcount, wages]) => book.payrolls.push(Payroll {
                id,
                region,
                date,
                period: month(period),
                headcount: headcount.parse().unwrap(),
                wages: yuan(wages),
            }),
            ("paid", &[period, amount]) => book.payments.push(Payment {
                id,
                region,
                date,
                period: month(period),
                amount: yuan(amount),
            }),
            ("back", &[period, reverses, amount]) => {
                book.payment_reversals.push(PaymentReversal {
                    id,
                    region,
                    date,
                    period: month(period),
                    reverses,
                    amount: yuan(amount),
                });
            }
            _ => panic!("no record of an enterprise: {line}"),
        }
    }
    sort_enterprise(&mut book);
    book
}

pub(crate) fn sort_enterprise(book: &mut EnterpriseBook<'_>) {
    book.statuses.sort_by_key(|record| (record.date, record.id));
    book.declarations
        .sort_by_key(|record| (record.date, record.id));
    book.payrolls.sort_by_key(|record| (record.date, record.id));
    book.payments.sort_by_key(|record| (record.date, record.id));
    book.payment_reversals
        .sort_by_key(|record| (record.date, record.id));
}

/// Lines `payout|back|roster|death|cancelled ID DATE ...`; `-` is an absent value.
pub(crate) fn person(lines: &'static str) -> PersonBook<'static> {
    let mut book = PersonBook {
        person: PersonId::parse(b"341002195203100007").unwrap(),
        payouts: Vec::new(),
        payout_reversals: Vec::new(),
        beneficiaries: Vec::new(),
        deaths: Vec::new(),
        cancellations: Vec::new(),
    };
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let (words, region) = words(line);
        let (id, date) = (words[1], day(words[2]));
        match (words[0], &words[3..]) {
            ("payout", &[period, item, nature, amount]) => book.payouts.push(Payout {
                id,
                region,
                date,
                period: month(period),
                item,
                nature: Nature::parse(nature.as_bytes()).unwrap(),
                amount: yuan(amount),
            }),
            ("back", &[period, item, reverses, amount]) => {
                book.payout_reversals.push(PayoutReversal {
                    id,
                    region,
                    date,
                    period: month(period),
                    item,
                    reverses,
                    amount: yuan(amount),
                });
            }
            ("roster", &[status, amount, name]) => book.beneficiaries.push(Beneficiary {
                id,
                region,
                date,
                status: RosterStatus::parse(status.as_bytes()).unwrap(),
                amount: (amount != "-").then(|| yuan(amount)),
                name: (name != "-").then_some(name),
            }),
            ("death", &[died_on, source, name]) => book.deaths.push(Death {
                id,
                region,
                date,
                died_on: day(died_on),
                source,
                name: (name != "-").then_some(name),
            }),
            ("cancelled", &[reverses]) => book.cancellations.push(DeathCancelled {
                id,
                region,
                date,
                reverses,
            }),
            _ => panic!("no record of a person: {line}"),
        }
    }
    sort_person(&mut book);
    book
}

pub(crate) fn sort_person(book: &mut PersonBook<'_>) {
    book.payouts.sort_by_key(|record| (record.date, record.id));
    book.payout_reversals
        .sort_by_key(|record| (record.date, record.id));
    book.beneficiaries
        .sort_by_key(|record| (record.date, record.id));
    book.deaths.sort_by_key(|record| (record.date, record.id));
    book.cancellations
        .sort_by_key(|record| (record.date, record.id));
}

/// A finding as one line: key, state, days, amount, peak, episodes, severity, region, policy,
/// evidence, details.
pub(crate) fn shown(finding: &Finding) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let key = &finding.key;
    let episode = &finding.episode;
    let evidence: Vec<String> = finding.evidence.iter().map(ToString::to_string).collect();
    format!(
        "{} {} {}..{} {} peak {} x{} {} {} {} [{}] {}",
        or_dash(key.period.map(|period| period.to_string())),
        or_dash(key.item.clone()),
        episode.opened_on,
        episode
            .cleared_on
            .map_or(String::new(), |day| day.to_string()),
        episode.amount,
        episode.peak,
        episode.count,
        finding.severity.as_str(),
        finding.region,
        or_dash(finding.policy.map(|entry| entry.to_string())),
        evidence.join(" "),
        serde_json::Value::Object(finding.details.clone()),
    )
}

/// Judges a book and compares all that is found.
#[track_caller]
pub(crate) fn check<B>(
    judge: fn(&B, &Policy, BusinessDate, &mut Verdict),
    book: &B,
    policy: &Policy,
    as_of: &str,
    expected: &[&str],
) -> Option<BusinessDate> {
    let mut verdict = Verdict::default();
    judge(book, policy, day(as_of), &mut verdict);
    let found: Vec<String> = verdict.findings.iter().map(shown).collect();
    assert_eq!(found, expected);
    verdict.wake
}
