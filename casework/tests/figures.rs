//! What dossiers say of money, against a slow and obvious reading of the contract: net amounts, debts and surcharges by
//! going through every day, bases by their definition.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own lines has failed"
)]

use std::sync::Arc;

use casework::{AsOf, Place, SubjectFacts, enterprise, person};
use detectors::store::packed::{key, pack};
use domain::{
    Body, BusinessDate, CreditCode, Detector, Fact, Money, Nature, Period, PersonId, Rate,
    RegionId, RosterStatus, State, Subject,
};
use proptest::prelude::*;
use rules::Policy;

const POLICY: &str = r#"
[pool]
code = "341000"
name = "黄山市"
time_zone = "Asia/Shanghai"
regions = [
  { code = "341000", name = "市本级", remits = false },
  { code = "341002", name = "屯溪区" },
]

[[contribution]]
from = "2024-01"
employer_rate = "0.16"
employee_rate = "0.08"
reference_wage = "6000.00"
floor_ratio = "0.60"
ceiling_ratio = "3.00"
due_day = 15
grace_days = 3

[[surcharge]]
from = "2024-01-01"
daily = "0.002"

[[surcharge]]
from = "2024-05-20"
daily = "0.0005"

[[benefit]]
from = "2024-01"
items = ["basic_pension"]
survivor_items = ["funeral_grant"]
payout_day = 20
grace_days = 3

[[remittance]]
from = "2024-01"
remit_day = 10
grace_days = 0
release_business_days = 10
"#;

fn policy() -> Policy {
    Policy::parse("policy.toml", POLICY).unwrap()
}

fn day(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).unwrap()
}

fn code() -> CreditCode {
    CreditCode::parse(b"91341002MA2TEXT08E").unwrap()
}

fn pensioner() -> PersonId {
    PersonId::parse(b"341002195203100007").unwrap()
}

/// The months of the tests: one before the policy's first entry, and six after it.
fn period(n: u8) -> Period {
    let mut period = Period::from_ym(2023, 12).unwrap();
    for _ in 0..n {
        period = period.next();
    }
    period
}

fn date(n: u16) -> BusinessDate {
    day("2024-01-05").plus_days(u32::from(n))
}

/// Days of the tests.
const DAYS: u16 = 240;

/// What a source may send about one enterprise.
#[derive(Clone, Debug)]
enum Sent {
    Declared(u16, u8, i128),
    Withheld(u16, u8, u32, i128),
    Paid(u16, u8, i128),
    /// Takes back of the n-th payment, naming the month given.
    Back(u16, u8, usize, i128),
}

fn sent() -> impl Strategy<Value = Sent> {
    let amount = || 0_i128..5_000_000;
    prop_oneof![
        (0..DAYS, 0_u8..7, 0_i128..20_000_000)
            .prop_map(|(at, of, fen)| Sent::Declared(at, of, fen)),
        (0..DAYS, 0_u8..7, 0_u32..30, 0_i128..20_000_000)
            .prop_map(|(at, of, heads, fen)| Sent::Withheld(at, of, heads, fen)),
        (0..DAYS, 0_u8..7, amount()).prop_map(|(at, of, fen)| Sent::Paid(at, of, fen)),
        (0..DAYS, 0_u8..7, 0_usize..8, amount())
            .prop_map(|(at, of, nth, fen)| Sent::Back(at, of, nth, fen)),
    ]
}

fn packed(bodies: Vec<(BusinessDate, Body<'_>)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, (date, body)) in bodies.into_iter().enumerate() {
        let id = format!("R{at}");
        let fact = Fact {
            id: &id,
            region: RegionId(1),
            date,
            body,
        };
        let position = at as u64;
        pack(key(&fact).unwrap(), &fact, position, &mut out);
        if at % 3 == 0 {
            // What is sent again does not count.
            pack(key(&fact).unwrap(), &fact, position + 1000, &mut out);
        }
    }
    out
}

fn facts_of(subject: Subject, packed: &[u8]) -> SubjectFacts {
    SubjectFacts::new(subject, packed, Arc::new(Place::of_position))
}

fn facts_of_enterprise(all: &[Sent]) -> SubjectFacts {
    let ids: Vec<String> = (0..all.len()).map(|at| format!("R{at}")).collect();
    let paid: Vec<usize> = (0..all.len())
        .filter(|at| matches!(all[*at], Sent::Paid(..)))
        .collect();
    let enterprise = code();
    let bodies = all
        .iter()
        .map(|sent| match *sent {
            Sent::Declared(at, of, fen) => (
                date(at),
                Body::Declaration {
                    enterprise,
                    period: period(of),
                    headcount: 10,
                    base: Money::from_fen(fen),
                },
            ),
            Sent::Withheld(at, of, headcount, fen) => (
                date(at),
                Body::Payroll {
                    enterprise,
                    period: period(of),
                    headcount,
                    wages: Money::from_fen(fen),
                },
            ),
            Sent::Paid(at, of, fen) => (
                date(at),
                Body::Payment {
                    enterprise,
                    period: period(of),
                    amount: Money::from_fen(fen),
                },
            ),
            Sent::Back(at, of, nth, fen) => (
                date(at),
                Body::PaymentReversal {
                    enterprise,
                    period: period(of),
                    reverses: paid.get(nth).map_or("nothing", |at| &ids[*at]),
                    amount: Money::from_fen(fen),
                },
            ),
        })
        .collect();
    facts_of(Subject::Enterprise(enterprise), &packed(bodies))
}

/// The slow reading of the same.
struct Slow<'a>(&'a [Sent]);

impl Slow<'_> {
    fn paid(&self, of: u8, on: BusinessDate) -> i128 {
        let mut sum = 0;
        let payments = self
            .0
            .iter()
            .filter(|sent| matches!(sent, Sent::Paid(..)))
            .enumerate();
        for (nth, payment) in payments {
            let Sent::Paid(at, its, mut left) = *payment else {
                continue;
            };
            if its != of || on < date(at) {
                continue;
            }
            for back in self.0 {
                if let Sent::Back(at, its, names, fen) = *back
                    && names == nth
                    && its == of
                    && date(at) <= on
                {
                    left = (left - fen).max(0);
                }
            }
            sum += left;
        }
        sum
    }

    /// Of the latest declaration: by date, then by id as text.
    fn owed(&self, of: u8, on: BusinessDate) -> Option<i128> {
        let declared = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(id, sent)| match *sent {
                Sent::Declared(at, its, fen) if its == of && date(at) <= on => {
                    Some((date(at), format!("R{id}"), fen))
                }
                _ => None,
            });
        let (_, _, base) = declared.max()?;
        // 24%, half away from zero.
        Some((base * 24 + 50) / 100)
    }

    fn surcharge(&self, of: u8, due: BusinessDate, until: BusinessDate) -> i128 {
        let mut ten_thousandths = 0;
        let mut on = due.next();
        while on <= until {
            if let Some(owed) = self.owed(of, on) {
                let debt = (owed - self.paid(of, on)).max(0);
                ten_thousandths += debt * if on < day("2024-05-20") { 20 } else { 5 };
            }
            on = on.next();
        }
        (ten_thousandths + 5000) / 10_000
    }

    fn payroll(&self, of: u8, on: BusinessDate) -> Option<(u32, i128)> {
        let withheld = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(id, sent)| match *sent {
                Sent::Withheld(at, its, heads, fen) if its == of && date(at) <= on => {
                    Some((date(at), format!("R{id}"), heads, fen))
                }
                _ => None,
            });
        withheld.max().map(|(_, _, heads, fen)| (heads, fen))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_enterprise_owes_what_every_day_by_itself_says(
        all in prop::collection::vec(sent(), 0..24),
        until in 20..DAYS,
    ) {
        let policy = policy();
        let until = date(until);
        let slow = Slow(&all);
        let mut facts = facts_of_enterprise(&all);
        let records = facts.records();
        prop_assert_eq!(records.len(), all.len());
        let dossier = enterprise::dossier(&facts.enterprise(), &records, &policy, AsOf::on(until));
        let (mut arrears, mut surcharges) = (0, 0);
        for of in 0..7 {
            let Some(month) = dossier.months.iter().find(|month| month.period == period(of)) else {
                let any = all.iter().any(|sent| match *sent {
                    Sent::Declared(at, its, _) | Sent::Withheld(at, its, ..) | Sent::Paid(at, its, _) =>
                        its == of && date(at) <= until,
                    Sent::Back(..) => false,
                });
                prop_assert!(!any, "month {} has facts and no row", of);
                continue;
            };
            prop_assert_eq!(month.paid.fen(), slow.paid(of, until));
            let due = policy.contribution_due(period(of));
            let owed = due.and_then(|_| slow.owed(of, until));
            prop_assert_eq!(month.owed.map(Money::fen), owed);
            let surcharge = due.map_or(0, |due| slow.surcharge(of, due.date, until));
            prop_assert_eq!(month.surcharge.fen(), surcharge);
            let spans = month.surcharge_spans(&policy, until);
            let scaled: i128 = spans.iter().map(|span| span.scaled()).sum();
            prop_assert_eq!(Rate::round(scaled, Rate::SCALE), month.surcharge);
            let is_overdue = due.is_some_and(|due| due.date.plus_days(3) < until);
            let shortfall = owed.filter(|_| is_overdue).map(|owed| owed - month.paid.fen());
            prop_assert_eq!(month.shortfall.map(Money::fen), shortfall);
            arrears += shortfall.unwrap_or_default().max(0);
            surcharges += surcharge;
            if let (Some((heads, wages)), Some(_)) = (slow.payroll(of, until), due) {
                let (floor, ceiling) = (360_000 * i128::from(heads), 1_800_000 * i128::from(heads));
                prop_assert_eq!(month.expected_base.map(Money::fen), Some(wages.max(floor).min(ceiling)));
            } else {
                prop_assert_eq!(month.expected_base, None);
            }
        }
        prop_assert_eq!(dossier.totals.arrears.fen(), arrears);
        prop_assert_eq!(dossier.totals.surcharge.fen(), surcharges);
        prop_assert!(dossier.months.is_sorted_by_key(|month| month.period));
        // Where there is an alert, page and alert say the same.
        for finding in dossier.findings.iter().filter(|of| of.key.detector == Detector::Arrears) {
            let month = dossier.months.iter().find(|of| Some(of.period) == finding.key.period).unwrap();
            prop_assert_eq!(&finding.details["surcharge"], &month.surcharge.to_string());
            prop_assert_eq!(&finding.details["paid"], &month.paid.to_string());
            if finding.state() == State::Open {
                prop_assert_eq!(Some(finding.episode.amount), month.shortfall);
            }
        }
        let open = dossier.findings.iter().filter(|of| of.key.detector == Detector::Arrears && of.state() == State::Open);
        let in_debt = dossier.months.iter().filter(|of| of.shortfall.is_some_and(Money::is_positive));
        prop_assert_eq!(open.count(), in_debt.count());
    }

    #[test]
    fn a_person_was_paid_what_is_left_of_each_payout(
        payouts in prop::collection::vec((0..DAYS, 0_u8..7, 0..3_usize, 0..3_usize, 1_i128..400_000), 0..12),
        backs in prop::collection::vec((0..DAYS, 0..12_usize, 1_i128..400_000), 0..6),
        died in proptest::option::of((0..DAYS, 0..DAYS)),
        until in 20..DAYS,
    ) {
        const ITEMS: [&str; 3] = ["basic_pension", "funeral_grant", "heating_allowance"];
        let (policy, until, person) = (policy(), date(until), pensioner());
        let ids: Vec<String> = (0..payouts.len()).map(|at| format!("R{at}")).collect();
        let mut bodies = Vec::new();
        for &(at, of, item, nature, fen) in &payouts {
            bodies.push((date(at), Body::Payout {
                person, period: period(of), item: ITEMS[item], nature: Nature::ALL[nature],
                amount: Money::from_fen(fen), account: None,
            }));
        }
        for &(at, nth, fen) in &backs {
            if let Some(&(_, of, item, ..)) = payouts.get(nth) {
                bodies.push((date(at), Body::PayoutReversal {
                    person, period: period(of), item: ITEMS[item], reverses: &ids[nth],
                    amount: Money::from_fen(fen),
                }));
            }
        }
        if let Some((at, died_on)) = died {
            bodies.push((date(at), Body::Death {
                person, died_on: date(died_on), source: "crematorium", name: None,
            }));
        }
        let mut facts = facts_of(Subject::Person(person), &packed(bodies));
        let records = facts.records();
        let dossier = person::dossier(&facts.person(), &records, &policy, AsOf::on(until));

        let net = |nth: usize| {
            let (at, _, _, _, fen) = payouts[nth];
            if until < date(at) {
                return 0;
            }
            let taken: i128 = backs.iter().filter(|back| back.1 == nth && date(back.0) <= until).map(|back| back.2).sum();
            (fen - taken).max(0)
        };
        let all = 0..payouts.len();
        prop_assert_eq!(dossier.totals.paid.fen(), all.clone().map(net).sum::<i128>());
        // After the month of a death that is known; nothing of survivors, nor of months without an entry.
        let died_in = died.filter(|(at, _)| date(*at) <= until).map(|(_, on)| date(on).period());
        let after: i128 = all.clone()
            .filter(|nth| payouts[*nth].2 != 1 && payouts[*nth].1 != 0)
            .filter(|nth| died_in.is_some_and(|died_in| died_in < period(payouts[*nth].1)))
            .map(net).sum();
        prop_assert_eq!(dossier.totals.after_death.fen(), after);
        let mut twice = 0;
        for of in 0..7 {
            for item in 0..3 {
                let mut same: Vec<i128> = all.clone()
                    .filter(|nth| (payouts[*nth].1, payouts[*nth].2) == (of, item))
                    .filter(|nth| Nature::ALL[payouts[*nth].3] == Nature::Regular)
                    .map(net).filter(|net| *net > 0).collect();
                same.sort_unstable();
                same.pop();
                twice += same.iter().sum::<i128>();
            }
        }
        prop_assert_eq!(dossier.totals.duplicate.fen(), twice);
    }
}

#[test]
fn a_person_who_was_not_paid_and_whose_name_is_kept() {
    let person = pensioner();
    let bodies = vec![
        (
            day("2024-01-02"),
            Body::Beneficiary {
                person,
                status: RosterStatus::Receiving,
                amount: Some(Money::from_yuan(3000)),
                name: Some("王小明"),
            },
        ),
        (
            day("2024-02-20"),
            Body::Payout {
                person,
                period: period(2),
                item: "basic_pension",
                nature: Nature::Regular,
                amount: Money::from_yuan(3000),
                account: None,
            },
        ),
    ];
    let mut facts = facts_of(Subject::Person(person), &packed(bodies));
    let records = facts.records();
    let dossier = person::dossier(
        &facts.person(),
        &records,
        &policy(),
        AsOf::on(day("2024-03-25")),
    );
    // January's first day is before the roster's record; March was due on the 20th, with three days of grace.
    assert_eq!(dossier.totals.missed, Money::from_yuan(3000));
    assert_eq!(dossier.months.len(), 2);
    assert_eq!(dossier.months[1].missed, Some(Money::from_yuan(3000)));
    assert_eq!(
        dossier.status,
        Some((RosterStatus::Receiving, day("2024-01-02")))
    );
    assert_eq!(dossier.monthly, Some(Money::from_yuan(3000)));
    let name = dossier.name.as_ref().unwrap();
    assert_eq!((name.reveal(), name.masked().as_str()), ("王小明", "王**"));
    let shown = format!("{dossier:?} {records:?} {facts:?}");
    assert!(
        !shown.contains("小明") && !shown.contains("195203100007"),
        "{shown}"
    );
}

#[test]
fn nothing_is_said_of_a_stranger() {
    let mut facts = facts_of(Subject::Enterprise(code()), &[]);
    let dossier = enterprise::dossier(&facts.enterprise(), &[], &policy(), AsOf::on(date(100)));
    assert_eq!((dossier.months.len(), dossier.region), (0, None));
    assert_eq!(dossier.totals, enterprise::Totals::default());
    assert_eq!(dossier.enterprise, code());
}
