//! 欠费 (`arrears`): did the enterprise pay what it declared?
//!
//! Law: Social Insurance Law (社会保险法) art. 60 (to be paid on time and in full), art. 63 and 86
//! (ordered to pay, with a surcharge by the day).
//! Key: enterprise, period. Reads: declarations, payments and their reversals of `tax.collection`.
//! Holds from the day after due date and grace on, while less is paid than the latest declaration
//! owes. Wakes on that day, and daily while a debt that has an alert grows its surcharge.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::ops::Range;

use domain::{
    AlertKey, BusinessDate, Detector, Episode, Finding, Money, Period, PolicyEntry, Rate, Subject,
};
use rules::{Contribution, Due, Policy};

use crate::book::{Declaration, EnterpriseBook, Payment, PaymentReversal};
use crate::episodes::fold;
use crate::evidence::{Evidence, details, severity_of};
use crate::net::Net;
use crate::periods::ByPeriod;
use crate::surcharge::Surcharge;
use crate::verdict::Verdict;

/// Judges every period that the enterprise declared.
pub fn judge(
    book: &EnterpriseBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
    verdict: &mut Verdict,
) {
    let declarations = ByPeriod::new(&book.declarations);
    let payments = ByPeriod::new(&book.payments);
    let net = LazyCell::new(|| Net::new(&book.payments, &book.payment_reversals));
    let tolerance = policy.detector(Detector::Arrears).tolerance;
    let mut declared = declarations.cursor();
    let mut paid = payments.cursor();
    while let Some((period, of_declarations)) = declared.next_group() {
        let (Some(entry), Some(due)) =
            (policy.contribution(period), policy.contribution_due(period))
        else {
            continue;
        };
        let of_payments = paid.seek(period);
        let is_settled = {
            let owed = declarations
                .records(of_declarations.clone())
                .map(|declaration| declaration.base)
                .max();
            let in_time: Money = payments
                .records(of_payments.clone())
                .take_while(|payment| payment.date <= due.deadline.next())
                .map(|payment| payment.amount)
                .sum();
            owed.is_none_or(|base| owes_at_most(entry, base, in_time + tolerance))
                && (book.payment_reversals.is_empty()
                    || !of_payments
                        .clone()
                        .any(|place| net.is_reversed(payments.index(place))))
        };
        if is_settled {
            // Paid in time, whatever was declared and when, and nothing taken back: it never holds.
            continue;
        }
        let key = Key {
            book,
            policy,
            period,
            entry,
            due,
            tolerance,
            declarations: &declarations,
            of_declarations,
            payments: &payments,
            of_payments,
            net: &net,
        };
        key.judge(as_of, verdict);
    }
}

/// What is owed and paid for a period, whether there is an alert or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodAccount {
    /// The period.
    pub period: Period,
    /// What the latest declaration owes; `None` if none is there, or the policy has no entry.
    pub owed: Option<Money>,
    /// The net payments.
    pub paid: Money,
    /// The surcharge of every day after the due date.
    pub surcharge: Money,
    /// The debt from a day on, as it changes; of days after the due date. Below zero is none.
    pub debts: Vec<(BusinessDate, Money)>,
}

/// The accounts of all periods that were declared or paid for by `as_of`, by period.
pub fn accounts(
    book: &EnterpriseBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
) -> Vec<PeriodAccount> {
    let declarations = ByPeriod::new(&book.declarations);
    let payments = ByPeriod::new(&book.payments);
    let net = LazyCell::new(|| Net::new(&book.payments, &book.payment_reversals));
    let declared = book.declarations.iter().map(|of| (of.date, of.period));
    let paid = book.payments.iter().map(|of| (of.date, of.period));
    let periods: BTreeSet<Period> = declared
        .chain(paid)
        .filter(|(date, _)| *date <= as_of)
        .map(|(_, period)| period)
        .collect();
    let account_of = |period| {
        let of_payments = payments.places(period);
        let rules = policy
            .contribution(period)
            .zip(policy.contribution_due(period));
        let Some((entry, due)) = rules else {
            let steps = of_payments.flat_map(|place| net.steps(payments.index(place)));
            let paid = steps
                .filter(|(day, _)| *day <= as_of)
                .map(|(_, change)| change);
            return PeriodAccount {
                period,
                owed: None,
                paid: paid.sum(),
                surcharge: Money::ZERO,
                debts: Vec::new(),
            };
        };
        let key = Key {
            book,
            policy,
            period,
            entry,
            due,
            tolerance: Money::ZERO,
            declarations: &declarations,
            of_declarations: declarations.places(period),
            payments: &payments,
            of_payments,
            net: &net,
        };
        key.account(as_of)
    };
    periods.into_iter().map(account_of).collect()
}

/// What is owed on a base: the one rounding.
pub(crate) fn owed(entry: &Contribution, base: Money) -> Money {
    Rate::round(entry.both_rates().times(base), Rate::SCALE)
}

/// Whether [`owed`] is at most `limit`, without the division; `false` if that is not plain because
/// an amount is beyond 64 bits, whose products need no check.
fn owes_at_most(entry: &Contribution, base: Money, limit: Money) -> bool {
    let (Ok(base), Ok(limit)) = (i64::try_from(base.fen()), i64::try_from(limit.fen())) else {
        return false;
    };
    let exact = i128::from(base) * i128::from(entry.both_rates().units());
    2 * exact < (2 * i128::from(limit) + 1) * Rate::SCALE
}

/// A declared period of an enterprise with what applies to it.
struct Key<'k, 'b, 'a> {
    book: &'b EnterpriseBook<'a>,
    policy: &'b Policy,
    period: Period,
    entry: &'b Contribution,
    due: Due,
    tolerance: Money,
    declarations: &'k ByPeriod<'b, Declaration<'a>>,
    of_declarations: Range<usize>,
    payments: &'k ByPeriod<'b, Payment<'a>>,
    of_payments: Range<usize>,
    net: &'k Net<'b, Payment<'a>, PaymentReversal<'a>>,
}

/// What is declared and paid on a day.
struct Account<'b> {
    declared: Option<Money>,
    paid: Money,
    surcharge: Surcharge<'b>,
}

enum Event {
    DeadlinePassed,
    Declared(Money),
    Paid(Money),
}

impl<'b> Key<'_, 'b, '_> {
    fn judge(&self, as_of: BusinessDate, verdict: &mut Verdict) {
        let start = self.due.deadline.next();
        let mut account = Account {
            declared: None,
            paid: Money::ZERO,
            surcharge: Surcharge::after(self.due.date, self.policy),
        };
        let folded = fold(
            self.events(start),
            as_of,
            &mut account,
            Account::apply,
            |account, day| {
                let amount = account.amount();
                account.surcharge.owed_from(day, amount);
                (start <= day && self.tolerance < amount).then_some(amount)
            },
        );
        verdict.wake_on_any(folded.next);
        let Some(episode) = folded.episode else {
            return;
        };
        if account.amount().is_positive() {
            verdict.wake_on(as_of.next());
        }
        let paid = account.paid;
        let surcharge = account.surcharge.up_to(as_of);
        verdict
            .findings
            .push(self.finding(episode, paid, surcharge, as_of));
    }

    fn account(&self, as_of: BusinessDate) -> PeriodAccount {
        let mut account = Account {
            declared: None,
            paid: Money::ZERO,
            surcharge: Surcharge::after(self.due.date, self.policy),
        };
        let first = self.due.date.next();
        let mut debts: Vec<(BusinessDate, Money)> = Vec::new();
        fold(
            self.events(first),
            as_of,
            &mut account,
            Account::apply,
            |account, day| {
                let amount = account.amount();
                account.surcharge.owed_from(day, amount);
                if first <= day && debts.last().is_none_or(|(_, before)| *before != amount) {
                    debts.push((day, amount));
                }
                None
            },
        );
        PeriodAccount {
            period: self.period,
            owed: account.declared,
            paid: account.paid,
            surcharge: account.surcharge.up_to(as_of),
            debts,
        }
    }

    fn events(&self, start: BusinessDate) -> Vec<(BusinessDate, Event)> {
        let mut events = vec![(start, Event::DeadlinePassed)];
        for declaration in self.declarations.records(self.of_declarations.clone()) {
            let owed = owed(self.entry, declaration.base);
            events.push((declaration.date, Event::Declared(owed)));
        }
        for place in self.of_payments.clone() {
            let steps = self.net.steps(self.payments.index(place));
            events.extend(steps.map(|(day, change)| (day, Event::Paid(change))));
        }
        events
    }

    fn finding(
        &self,
        episode: Episode,
        paid: Money,
        surcharge: Money,
        as_of: BusinessDate,
    ) -> Finding {
        let evidence = self.evidence(as_of);
        let base = self.latest(as_of).map(|declaration| declaration.base);
        Finding {
            key: AlertKey {
                detector: Detector::Arrears,
                subject: Subject::Enterprise(self.book.enterprise),
                period: Some(self.period),
                item: None,
            },
            region: evidence.region(self.policy),
            severity: severity_of(self.policy, Detector::Arrears, &episode),
            episode,
            evidence: evidence.ids(),
            policy: Some(PolicyEntry {
                table: "contribution",
                from: self.entry.from,
            }),
            details: details! {
                "base": base.map(|base| base.to_string()),
                "paid": paid.to_string(),
                "surcharge": surcharge.to_string(),
            },
        }
    }

    fn latest(&self, as_of: BusinessDate) -> Option<&'b Declaration<'b>> {
        self.declarations
            .records(self.of_declarations.clone())
            .rfind(|declaration| declaration.date <= as_of)
    }

    /// The latest declaration, the payments and the reversals that name them.
    fn evidence(&self, as_of: BusinessDate) -> Evidence<'b> {
        let mut evidence = Evidence::default();
        evidence.add_all(self.latest(as_of));
        for place in self.of_payments.clone() {
            let payment = self.payments.get(place);
            if payment.date > as_of {
                break;
            }
            evidence.add(payment);
            let acting = self
                .net
                .reversals_of(self.payments.index(place))
                .filter(|(day, _)| *day <= as_of)
                .map(|(_, reversal)| reversal);
            evidence.add_all(acting);
        }
        evidence
    }
}

impl Account<'_> {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::DeadlinePassed => {}
            Event::Declared(owed) => self.declared = Some(*owed),
            Event::Paid(change) => self.paid += *change,
        }
    }

    /// What is owed less what is paid; nothing while nothing is declared.
    fn amount(&self) -> Money {
        self.declared.map_or(Money::ZERO, |owed| owed - self.paid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, day, enterprise, policy};

    #[test]
    fn holds_from_the_day_after_the_due_date() {
        let book = enterprise("declared D1 2024-03-05 2024-02 15 100000");
        let plain = policy(&[], "");
        let wake = check(judge, &book, &plain, "2024-03-15", &[]);
        assert_eq!(wake, Some(day("2024-03-16")));
        // 16 to 20 March: 5 days of 24000 at 0.0005. It grows by the day.
        let open = "2024-02 - 2024-03-16.. 24000.00 peak 24000.00 x1 yellow 341002 \
            contribution@2019-05 [tax.collection/D1] {\"base\":\"100000.00\",\"paid\":\"0.00\",\"surcharge\":\"60.00\"}";
        let wake = check(judge, &book, &plain, "2024-03-20", &[open]);
        assert_eq!(wake, Some(day("2024-03-21")));
    }

    #[test]
    fn paid_in_time_is_dull() {
        let plain = policy(&[], "");
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 15 100000
             declared D2 2024-04-05 2024-02 15 99999
             paid P1 2024-03-14 2024-02 20000
             paid P2 2024-03-16 2024-02 4000",
        );
        for as_of in ["2024-03-13", "2024-03-16", "2024-12-31"] {
            assert_eq!(check(judge, &book, &plain, as_of, &[]), None);
        }
    }

    #[test]
    fn episodes_of_parts_and_a_reversal() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 15 100000
             paid P1 2024-03-14 2024-02 10000
             paid P2 2024-03-20 2024-02 14000
             back V1 2024-03-25 2024-02 P2 14000 @2
             paid P3 2024-03-28 2024-02 4000",
        );
        // 14000 on 16..19 and 25..27 March, 10000 on 28..31: 138000 x 0.0005.
        let open = "2024-02 - 2024-03-25.. 10000.00 peak 14000.00 x2 yellow 341002 \
            contribution@2019-05 [tax.collection/D1 tax.collection/P1 tax.collection/P2 \
            tax.collection/P3 tax.collection/V1] {\"base\":\"100000.00\",\"paid\":\"14000.00\",\"surcharge\":\"69.00\"}";
        check(judge, &book, &policy(&[], ""), "2024-03-31", &[open]);
        // On 03-27 the reversal is the latest fact: its region.
        let latest_reversal = "2024-02 - 2024-03-25.. 14000.00 peak 14000.00 x2 yellow 341021 \
            contribution@2019-05 [tax.collection/D1 tax.collection/P1 tax.collection/P2 \
            tax.collection/V1] {\"base\":\"100000.00\",\"paid\":\"10000.00\",\"surcharge\":\"49.00\"}";
        check(
            judge,
            &book,
            &policy(&[], ""),
            "2024-03-27",
            &[latest_reversal],
        );
    }

    #[test]
    fn a_reversal_works_from_its_payment_on_and_for_its_key_only() {
        let book = enterprise(
            "back V1 2024-03-10 2024-02 P1 5000
             paid P1 2024-03-12 2024-02 24000
             declared D1 2024-03-05 2024-02 15 100000
             back V2 2024-03-13 2024-02 NOPE 24000
             back V3 2024-03-13 2024-01 P1 24000",
        );
        let open = "2024-02 - 2024-03-16.. 5000.00 peak 5000.00 x1 blue 341002 \
            contribution@2019-05 [tax.collection/D1 tax.collection/P1 tax.collection/V1] \
            {\"base\":\"100000.00\",\"paid\":\"19000.00\",\"surcharge\":\"7.50\"}";
        check(judge, &book, &policy(&[], ""), "2024-03-18", &[open]);
    }

    #[test]
    fn no_more_is_taken_back_than_was_paid() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 1 1000
             paid P1 2024-03-10 2024-02 100
             paid P2 2024-03-11 2024-02 40
             back P1 2024-03-12 2024-02 P1 70
             back V2 2024-03-12 2024-02 P1 70",
        );
        // The reversal P1 and the payment P1 are one line of evidence. 240 - 0 - 40.
        let open = "2024-02 - 2024-03-16.. 200.00 peak 200.00 x1 blue 341002 \
            contribution@2019-05 [tax.collection/D1 tax.collection/P1 tax.collection/P2 \
            tax.collection/V2] {\"base\":\"1000.00\",\"paid\":\"40.00\",\"surcharge\":\"0.10\"}";
        check(judge, &book, &policy(&[], ""), "2024-03-16", &[open]);
    }

    #[test]
    fn a_late_declaration_owes_from_its_date_on() {
        let book = enterprise("declared D1 2024-04-02 2024-02 8 50000");
        let open = "2024-02 - 2024-04-02.. 12000.00 peak 12000.00 x1 yellow 341002 \
            contribution@2019-05 [tax.collection/D1] {\"base\":\"50000.00\",\"paid\":\"0.00\",\"surcharge\":\"24.00\"}";
        check(judge, &book, &policy(&[], ""), "2024-04-05", &[open]);
    }

    #[test]
    fn the_due_date_moves_and_the_grace_does_not() {
        let calendar = policy(
            &[
                ("holidays = []", "holidays = [\"2024-06-17\"]"),
                (
                    "due_day = 15\ngrace_days = 0",
                    "due_day = 15\ngrace_days = 1",
                ),
            ],
            "",
        );
        let book = enterprise("declared D1 2024-06-03 2024-05 1 1000");
        // 06-15 is a Saturday, 06-17 a holiday: due 06-18, grace to 06-19, surcharge from 06-19.
        let open = "2024-05 - 2024-06-20.. 240.00 peak 240.00 x1 blue 341002 \
            contribution@2019-05 [tax.collection/D1] {\"base\":\"1000.00\",\"paid\":\"0.00\",\"surcharge\":\"18.60\"}";
        check(judge, &book, &calendar, "2024-11-20", &[open]);
    }

    #[test]
    fn the_surcharge_is_that_of_each_day() {
        let old = policy(
            &[
                (
                    "[[contribution]]\nfrom = \"2019-05\"",
                    "[[contribution]]\nfrom = \"2005-01\"",
                ),
                ("due_day = 15", "due_day = 31"),
            ],
            "[[surcharge]]\nfrom = \"1999-01-22\"\ndaily = \"0.002\"\n",
        );
        let book = enterprise(
            "declared D1 2011-05-10 2011-04 100 416666.67
             paid P1 2011-08-01 2011-04 100000",
        );
        // Due 31 May 2011: 30 days of June at 200, 31 of July at 50.
        let cleared = "2011-04 - 2011-06-01..2011-08-01 0.00 peak 100000.00 x1 orange 341002 \
            contribution@2005-01 [tax.collection/D1 tax.collection/P1] {\"base\":\"416666.67\",\"paid\":\"100000.00\",\"surcharge\":\"7550.00\"}";
        let wake = check(judge, &book, &old, "2011-08-05", &[cleared]);
        assert_eq!(wake, None);
    }

    #[test]
    fn rounding_is_half_away_from_zero_of_both_rates_together() {
        let rates = policy(
            &[
                ("employer_rate = \"0.16\"", "employer_rate = \"0.165\""),
                ("employee_rate = \"0.08\"", "employee_rate = \"0.085\""),
            ],
            "",
        );
        let entry = rates
            .contribution(crate::testing::month("2024-02"))
            .unwrap();
        for (base, amount) in [
            ("1", "0.25"),
            ("0.02", "0.01"),
            ("0.01", "0.00"),
            ("999999999999.98", "250000000000.00"),
        ] {
            let (base, amount) = (crate::testing::yuan(base), crate::testing::yuan(amount));
            assert_eq!(owed(entry, base), amount);
            assert!(owes_at_most(entry, base, amount));
            assert!(!owes_at_most(entry, base, amount - Money::from_fen(1)));
        }
    }

    #[test]
    fn amounts_up_to_the_tolerance_do_not_hold_but_bear_surcharge() {
        let tolerant = policy(&[], "[detectors.arrears]\ntolerance = \"100.00\"\n");
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 1 1000
             paid P1 2024-03-18 2024-02 140",
        );
        // 240 on 16 and 17 March, 100 on 18 and 19: 680 x 0.0005.
        let cleared = "2024-02 - 2024-03-16..2024-03-18 0.00 peak 240.00 x1 blue 341002 \
            contribution@2019-05 [tax.collection/D1 tax.collection/P1] {\"base\":\"1000.00\",\"paid\":\"140.00\",\"surcharge\":\"0.34\"}";
        let wake = check(judge, &book, &tolerant, "2024-03-19", &[cleared]);
        assert_eq!(wake, Some(day("2024-03-20")));
    }

    #[test]
    fn facts_after_as_of_do_not_count() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 15 100000
             paid P1 2024-03-10 2024-02 10000
             paid P2 2024-03-21 2024-02 14000
             declared D2 2024-04-01 2024-02 15 1
             back V1 2024-03-21 2024-02 P1 10000",
        );
        let open = "2024-02 - 2024-03-16.. 14000.00 peak 14000.00 x1 yellow 341002 \
            contribution@2019-05 [tax.collection/D1 tax.collection/P1] {\"base\":\"100000.00\",\"paid\":\"10000.00\",\"surcharge\":\"35.00\"}";
        let wake = check(judge, &book, &policy(&[], ""), "2024-03-20", &[open]);
        assert_eq!(wake, Some(day("2024-03-21")));
    }
}
