//! 未申报 (`undeclared`): is the enterprise in business and declares nothing?
//!
//! Law: Social Insurance Law (社会保险法) art. 60 (to declare on its own, on time), art. 62 (who does
//! not declare owes 110% of the month before); declarations are monthly (社会保险费申报缴纳管理规定 art. 4).
//! Key: enterprise, period. Reads: status records, declarations and payrolls of `tax.collection`.
//! Holds from the day after due date and grace on until the period is declared, if the enterprise
//! was active on the period's last day. Wakes when the next deadline has passed.

use std::cell::LazyCell;
use std::ops::Range;

use domain::{
    AlertKey, BusinessDate, Detector, EnterpriseStatus, Episode, Finding, Money, Period,
    PolicyEntry, Rate, Subject,
};
use rules::{Contribution, Policy};

use crate::arrears::owed;
use crate::book::{Declaration, EnterpriseBook, Payroll, StatusRecord};
use crate::episodes::{Folded, fold};
use crate::evidence::{Evidence, details, severity_of};
use crate::periods::{ByPeriod, first_after};
use crate::under_declared_base::{contribution_of, expected};
use crate::verdict::Verdict;

/// Judges every period on whose last day the enterprise was active.
pub fn judge(
    book: &EnterpriseBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
    verdict: &mut Verdict,
) {
    let Some(first_entry) = policy.contributions().first().map(|entry| entry.from) else {
        return;
    };
    let declarations = ByPeriod::new(&book.declarations);
    let payrolls = LazyCell::new(|| ByPeriod::new(&book.payrolls));
    let mut declared = declarations.cursor();
    let this_month = as_of.period();
    verdict.wake_on_any(first_after(&book.statuses, |status| status.date, as_of));
    for (at, status) in book.statuses.iter().enumerate() {
        if status.status != EnterpriseStatus::Active {
            continue;
        }
        let until = book.statuses.get(at + 1).map(|later| later.date);
        let mut period = status.date.period().max(first_entry);
        while period <= this_month && until.is_none_or(|until| period.last_day() < until) {
            if let Some(due) = policy.contribution_due(period) {
                let start = due.deadline.next();
                let of_key = declared.seek(period);
                let in_time = !of_key.is_empty() && declarations.get(of_key.start).date <= start;
                if !in_time && as_of < start {
                    verdict.wake_on(start);
                } else if !in_time && let Some(entry) = policy.contribution(period) {
                    let key = Key {
                        book,
                        policy,
                        period,
                        entry,
                        start,
                        status,
                        declarations: &declarations,
                        of_key,
                        payrolls: &payrolls,
                    };
                    key.judge(as_of, verdict);
                }
            }
            period = period.next();
        }
        if this_month < period {
            // The periods from here on are due in the month after next at the earliest.
            let first_deadline = this_month.next().next().first_day();
            verdict.wake_on(first_deadline.next());
        }
    }
}

/// A period that the enterprise did not declare in time, with what applies to it.
struct Key<'k, 'b, 'a> {
    book: &'b EnterpriseBook<'a>,
    policy: &'b Policy,
    period: Period,
    entry: &'b Contribution,
    /// The day after the deadline.
    start: BusinessDate,
    /// The status in force on the period's last day.
    status: &'b StatusRecord<'a>,
    declarations: &'k ByPeriod<'b, Declaration<'a>>,
    of_key: Range<usize>,
    payrolls: &'k ByPeriod<'b, Payroll<'a>>,
}

/// What is known on a day.
#[derive(Default)]
struct Known<'b, 'a> {
    is_declared: bool,
    /// The latest declaration of the latest earlier period that has one and an entry.
    earlier: Option<&'b Declaration<'a>>,
    payroll: Option<&'b Payroll<'a>>,
}

enum Event<'b, 'a> {
    DeadlinePassed,
    Declared,
    DeclaredEarlier(&'b Declaration<'a>),
    Withheld(&'b Payroll<'a>),
}

impl<'b, 'a> Key<'_, 'b, 'a> {
    fn judge(&self, as_of: BusinessDate, verdict: &mut Verdict) {
        let mut known = Known::default();
        let folded = self.fold(&mut known, as_of);
        verdict.wake_on_any(folded.next);
        if let Some(episode) = folded.episode {
            verdict.findings.push(self.finding(episode, &known, as_of));
        }
    }

    fn fold(&self, known: &mut Known<'b, 'a>, as_of: BusinessDate) -> Folded {
        fold(
            self.events(),
            as_of,
            known,
            |known, event| match event {
                Event::DeadlinePassed => {}
                Event::Declared => known.is_declared = true,
                Event::DeclaredEarlier(declaration) => {
                    let is_later = |best: &Declaration<'_>| best.period <= declaration.period;
                    if known.earlier.is_none_or(is_later) {
                        known.earlier = Some(declaration);
                    }
                }
                Event::Withheld(payroll) => known.payroll = Some(payroll),
            },
            |known, day| (self.start <= day && !known.is_declared).then(|| self.amount(known)),
        )
    }

    fn amount(&self, known: &Known<'_, '_>) -> Money {
        let earlier = known.earlier.and_then(|declaration| {
            let entry = self.policy.contribution(declaration.period)?;
            Some(Rate::round(owed(entry, declaration.base).fen() * 110, 100))
        });
        let withheld = || {
            let payroll = known.payroll?;
            Some(contribution_of(
                expected(self.entry, payroll),
                self.entry.both_rates(),
            ))
        };
        earlier.or_else(withheld).unwrap_or(Money::ZERO)
    }

    fn events(&self) -> Vec<(BusinessDate, Event<'b, 'a>)> {
        let mut events = vec![(self.start, Event::DeadlinePassed)];
        let of_key = self.declarations.records(self.of_key.clone());
        events.extend(of_key.map(|declaration| (declaration.date, Event::Declared)));
        let earlier = self.earlier_declarations().into_iter().rev();
        events.extend(earlier.map(|record| (record.date, Event::DeclaredEarlier(record))));
        let payrolls = self.payrolls.records(self.payrolls.places(self.period));
        events.extend(payrolls.map(|payroll| (payroll.date, Event::Withheld(payroll))));
        events
    }

    /// The declarations of earlier periods that may decide the amount, the latest period first:
    /// back to the one that decides on the first day. Those before it never come to bear.
    fn earlier_declarations(&self) -> Vec<&'b Declaration<'a>> {
        let mut found = Vec::new();
        for declaration in self.declarations.records(0..self.of_key.start).rev() {
            if self.policy.contribution(declaration.period).is_none() {
                break;
            }
            found.push(declaration);
            if declaration.date <= self.start {
                break;
            }
        }
        found
    }

    fn finding(&self, episode: Episode, known: &Known<'b, 'a>, as_of: BusinessDate) -> Finding {
        let mut evidence = Evidence::default();
        evidence.add(self.status);
        let of_key = self.declarations.records(self.of_key.clone());
        let of_key = of_key.take_while(|declaration| declaration.date <= as_of);
        evidence.add_all(of_key);
        let (basis, basis_period, base) = match (known.earlier, known.payroll) {
            (Some(declaration), _) => {
                evidence.add(declaration);
                let period = declaration.period.to_string();
                ("declaration", Some(period), Some(declaration.base))
            }
            (None, Some(payroll)) => {
                evidence.add(payroll);
                // To the fen for the reader; the amount comes from the exact base.
                let base = Rate::round(expected(self.entry, payroll), Rate::SCALE);
                ("payroll", Some(payroll.period.to_string()), Some(base))
            }
            (None, None) => ("none", None, None),
        };
        Finding {
            key: AlertKey {
                detector: Detector::Undeclared,
                subject: Subject::Enterprise(self.book.enterprise),
                period: Some(self.period),
                item: None,
            },
            region: evidence.region(self.policy),
            severity: severity_of(self.policy, Detector::Undeclared, &episode),
            episode,
            evidence: evidence.ids(),
            policy: Some(PolicyEntry {
                table: "contribution",
                from: self.entry.from,
            }),
            details: details! {
                "base": base.map(|base| base.to_string()),
                "basis": basis,
                "basis_period": basis_period,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, day, enterprise, policy};

    /// Contributions from 2024-01 on.
    fn from_2024() -> Policy {
        policy(
            &[(
                "[[contribution]]\nfrom = \"2019-05\"",
                "[[contribution]]\nfrom = \"2024-01\"",
            )],
            "",
        )
    }

    #[test]
    fn the_amount_is_of_the_latest_earlier_period() {
        let book = enterprise(
            "status S1 2024-01-03 active
             declared D1 2024-02-05 2024-01 10 50000
             declared D2 2024-04-18 2024-02 9 40000",
        );
        let first = "2024-02 - 2024-03-16..2024-04-18 0.00 peak 13200.00 x1 yellow 341002 \
            contribution@2024-01 [tax.collection/D1 tax.collection/D2 tax.collection/S1] \
            {\"base\":\"50000.00\",\"basis\":\"declaration\",\"basis_period\":\"2024-01\"}";
        // 13200 until 2024-02 is declared, then 1.10 x 9600.
        let second = "2024-03 - 2024-04-16.. 10560.00 peak 13200.00 x1 yellow 341002 \
            contribution@2024-01 [tax.collection/D2 tax.collection/S1] \
            {\"base\":\"40000.00\",\"basis\":\"declaration\",\"basis_period\":\"2024-02\"}";
        let wake = check(judge, &book, &from_2024(), "2024-04-20", &[first, second]);
        // 2024-04 is due 2024-05-15.
        assert_eq!(wake, Some(day("2024-05-16")));
    }

    #[test]
    fn wakes_when_the_next_deadline_has_passed() {
        let book = enterprise("status S1 2024-01-03 active");
        let wake = check(judge, &book, &from_2024(), "2024-02-15", &[]);
        assert_eq!(wake, Some(day("2024-02-16")));
        let declared = enterprise(
            "status S1 2024-01-03 active
             declared D1 2024-02-05 2024-01 10 50000",
        );
        let wake = check(judge, &declared, &from_2024(), "2024-02-10", &[]);
        assert_eq!(wake, Some(day("2024-03-16")));
        let gone = enterprise(
            "status S1 2024-01-03 active
             status S2 2024-01-30 deregistered",
        );
        assert_eq!(check(judge, &gone, &from_2024(), "2024-02-10", &[]), None);
    }

    #[test]
    fn only_the_status_on_the_last_day_counts() {
        let none = "{\"base\":null,\"basis\":\"none\",\"basis_period\":null}";
        let suspended = enterprise(
            "status S1 2023-05-01 active
             status S2 2024-01-31 suspended",
        );
        check(judge, &suspended, &from_2024(), "2024-04-10", &[]);
        let a_day_later = enterprise(
            "status S1 2024-01-10 active
             status S2 2024-02-01 suspended",
        );
        let open = format!(
            "2024-01 - 2024-02-16.. 0.00 peak 0.00 x1 blue 341002 \
             contribution@2024-01 [tax.collection/S1] {none}"
        );
        check(judge, &a_day_later, &from_2024(), "2024-04-10", &[&open]);
        // Of one date: S2 is later than S10.
        let same_day = enterprise(
            "status S2 2024-01-15 active
             status S10 2024-01-15 suspended
             status S3 2024-02-29 deregistered",
        );
        let open = format!(
            "2024-01 - 2024-02-16.. 0.00 peak 0.00 x1 blue 341002 \
             contribution@2024-01 [tax.collection/S2] {none}"
        );
        check(judge, &same_day, &from_2024(), "2024-04-10", &[&open]);
        let later = enterprise("status S1 2024-03-01 active");
        check(judge, &later, &from_2024(), "2024-04-10", &[]);
        let never = enterprise("payroll W1 2024-02-05 2024-01 5 50000");
        assert_eq!(check(judge, &never, &from_2024(), "2024-04-10", &[]), None);
    }

    #[test]
    fn without_a_declaration_the_payroll_of_the_key() {
        let book = enterprise(
            "status S1 2024-01-10 active
             status S2 2024-02-01 suspended
             declared D0 2024-01-10 2023-12 5 70000
             payroll W1 2024-02-20 2024-01 5 50000",
        );
        // 2023-12 has no entry. 50000 x 0.24 from 20 February on, nothing before.
        let open = "2024-01 - 2024-02-16.. 12000.00 peak 12000.00 x1 yellow 341002 \
            contribution@2024-01 [tax.collection/S1 tax.collection/W1] \
            {\"base\":\"50000.00\",\"basis\":\"payroll\",\"basis_period\":\"2024-01\"}";
        check(judge, &book, &from_2024(), "2024-04-10", &[open]);
    }

    #[test]
    fn a_superseded_declaration_of_the_earlier_period_counts_until_it_is() {
        let book = enterprise(
            "status S1 2024-02-01 active
             status S2 2024-03-01 suspended
             declared D1 2024-02-05 2024-01 10 50000
             declared D3 2024-03-20 2024-01 10 30000
             declared D2 2024-04-01 2024-01 10 40000",
        );
        // 13200, from 20 March 7920, from 1 April 10560.
        let open = "2024-02 - 2024-03-16.. 10560.00 peak 13200.00 x1 yellow 341002 \
            contribution@2024-01 [tax.collection/D2 tax.collection/S1] \
            {\"base\":\"40000.00\",\"basis\":\"declaration\",\"basis_period\":\"2024-01\"}";
        check(judge, &book, &from_2024(), "2024-04-10", &[open]);
    }

    #[test]
    fn three_centuries_of_silence_end() {
        let book = enterprise("status S1 1900-01-01 active");
        let mut verdict = Verdict::default();
        judge(&book, &from_2024(), day("2199-12-31"), &mut verdict);
        // 2024-01 to 2199-11: the last is due 2199-12-16, a Monday.
        assert_eq!(verdict.findings.len(), 176 * 12 - 1);
    }
}
