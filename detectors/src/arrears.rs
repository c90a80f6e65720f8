//! 欠费 (`arrears`): did the enterprise pay what it declared?
//!
//! Law: Social Insurance Law (社会保险法) art. 60 (to be paid on time and in full), art. 63 and 86
//! (ordered to pay, with a surcharge by the day).
//! Key: enterprise, period. Reads: declarations, payments and their reversals of `tax.collection`.
//! Holds from the day after due date and grace on, while less is paid than the latest declaration
//! owes. Wakes on that day, and daily while a debt that has an alert grows its surcharge.

use std::cell::LazyCell;
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

/// What is owed on a base: the one rounding.
pub(crate) fn owed(entry: &Contribution, base: Money) -> Money {
    Rate::round(entry.both_rates().times(base), Rate::SCALE)
}

/// Whether [`owed`] is at most `limit`, without the division.
fn owes_at_most(entry: &Contribution, base: Money, limit: Money) -> bool {
    2 * entry.both_rates().times(base) < (2 * limit.fen() + 1) * Rate::SCALE
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
            |account, event| match event {
                Event::DeadlinePassed => {}
                Event::Declared(owed) => account.declared = Some(*owed),
                Event::Paid(change) => account.paid += *change,
            },
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
        let surcharge = account.surcharge.up_to(as_of);
        verdict
            .findings
            .push(self.finding(episode, surcharge, as_of));
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

    fn finding(&self, episode: Episode, surcharge: Money, as_of: BusinessDate) -> Finding {
        let evidence = self.evidence(as_of);
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
            details: details! { "surcharge": surcharge.to_string() },
        }
    }

    /// The latest declaration, the payments and the reversals that name them.
    fn evidence(&self, as_of: BusinessDate) -> Evidence<'b> {
        let mut evidence = Evidence::default();
        let latest = self
            .declarations
            .records(self.of_declarations.clone())
            .rfind(|declaration| declaration.date <= as_of);
        evidence.add_all(latest);
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
    /// What is owed less what is paid; nothing while nothing is declared.
    fn amount(&self) -> Money {
        self.declared.map_or(Money::ZERO, |owed| owed - self.paid)
    }
}
