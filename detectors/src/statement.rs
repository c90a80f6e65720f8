//! What a book adds to the ledger beyond the money that moved: who has to pay, who is to be paid, and who was in time.
//!
//! A pure function from a book and the policy: as-of does not enter. Every posting says from which day or month on it
//! holds, so that the ledger can be asked as of any date.

use std::collections::BTreeMap;

use domain::{BusinessDate, Money, Nature, Period, Rate, RegionId, RosterStatus};
use ledger::{Entry, Postings, Sum};
use rules::Policy;

use crate::arrears::owed;
use crate::book::{EnterpriseBook, PersonBook};
use crate::deaths::KnownDeaths;
use crate::net::Net;
use crate::periods::{ByPeriod, dated_up_to};
use crate::under_declared_base::expected;

/// What an enterprise owes for a month, as it is known on a day.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Account {
    /// Of the latest declaration.
    declared: Option<Declared>,
    /// The base that the latest payroll makes due.
    base_due: Option<Money>,
    paid: Money,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Declared {
    region: RegionId,
    heads: i64,
    base: Money,
    owed: Money,
}

enum Event {
    Declared(Declared),
    Withheld(Money),
    Paid(Money),
}

/// Posts what an enterprise declared and paid of it, and what it should have declared by its payrolls, month by month; `sign` is -1 to take it back.
/// What is paid beyond the due is nobody else's payment: it is left out.
pub fn post_enterprise(
    book: &EnterpriseBook<'_>,
    policy: &Policy,
    sign: i64,
    postings: &mut Postings,
) {
    let declarations = ByPeriod::new(&book.declarations);
    let payments = ByPeriod::new(&book.payments);
    let payrolls = ByPeriod::new(&book.payrolls);
    let net = Net::new(&book.payments, &book.payment_reversals);
    let mut declared = declarations.cursor();
    let mut paid = payments.cursor();
    let mut withheld = payrolls.cursor();
    while let Some((period, of_declarations)) = declared.next_group() {
        let Some(entry) = policy.contribution(period) else {
            continue;
        };
        let mut days: BTreeMap<BusinessDate, Vec<Event>> = BTreeMap::new();
        for declaration in declarations.records(of_declarations) {
            let event = Event::Declared(Declared {
                region: declaration.region,
                heads: i64::from(declaration.headcount),
                base: declaration.base,
                owed: owed(entry, declaration.base),
            });
            days.entry(declaration.date).or_default().push(event);
        }
        for payroll in payrolls.records(withheld.seek(period)) {
            let base_due = Rate::round(expected(entry, payroll), Rate::SCALE);
            let event = Event::Withheld(base_due);
            days.entry(payroll.date).or_default().push(event);
        }
        for place in paid.seek(period) {
            for (day, change) in net.steps(payments.index(place)) {
                days.entry(day).or_default().push(Event::Paid(change));
            }
        }
        let mut account = Account::default();
        for (day, events) in days {
            let before = account;
            for event in events {
                match event {
                    Event::Declared(declared) => account.declared = Some(declared),
                    Event::Withheld(base_due) => account.base_due = Some(base_due),
                    Event::Paid(change) => account.paid += change,
                }
            }
            if account != before {
                before.post(period, day, -sign, postings);
                account.post(period, day, sign, postings);
            }
        }
    }
}

impl Account {
    fn post(&self, period: Period, day: BusinessDate, sign: i64, postings: &mut Postings) {
        let Some(Declared {
            region,
            heads,
            base,
            owed: due,
        }) = self.declared
        else {
            return;
        };
        let signed = |amount: Money| if sign < 0 { -amount } else { amount };
        let owed = Sum {
            count: sign * heads,
            amount: signed(due),
        };
        postings.post(region, Entry::Due(period, day), owed);
        let paid = Sum {
            count: 0,
            amount: signed(self.paid.at_least_zero().min(due)),
        };
        postings.post(region, Entry::PaidOfDue(period, day), paid);
        if let Some(base_due) = self.base_due {
            for (entry, amount) in [
                (Entry::BaseDue(period, day), base_due),
                (Entry::BaseDeclared(period, day), base.min(base_due)),
            ] {
                let change = Sum {
                    count: 0,
                    amount: signed(amount),
                };
                postings.post(region, entry, change);
            }
        }
    }
}

/// Posts from when to when a person is to be paid, and the months that were paid in time; `sign` is -1 to take it
/// back. To be paid: as `missed-payout` has it, by what was known on the deadline.
pub fn post_person(book: &PersonBook<'_>, policy: &Policy, sign: i64, postings: &mut Postings) {
    let (Some(first_record), Some(first_entry)) =
        (book.beneficiaries.first(), policy.benefits().first())
    else {
        return;
    };
    let deaths = KnownDeaths::of(book);
    let payouts = ByPeriod::new(&book.payouts);
    let net = Net::new(&book.payouts, &book.payout_reversals);
    let mut paid = payouts.cursor();
    let mut before: Option<RegionId> = None;
    let mut period = first_record.date.period().max(first_entry.from);
    let last = last_change(book);
    while period <= last {
        let Some(due) = policy.payout_due(period) else {
            break;
        };
        let known_death = deaths
            .changes()
            .iter()
            .take_while(|(day, _)| *day <= due.deadline)
            .last()
            .and_then(|(_, died_on)| *died_on);
        let is_dead = known_death.is_some_and(|died_on| died_on < period.first_day());
        let region = receiving(book, due.date)
            .filter(|_| receiving(book, period.first_day()).is_some() && !is_dead);
        if region != before {
            for (region, change) in [(before, -sign), (region, sign)] {
                if let Some(region) = region {
                    let change = Sum {
                        count: change,
                        amount: Money::ZERO,
                    };
                    postings.post(region, Entry::PayoutDueFrom(period), change);
                }
            }
            before = region;
        }
        let in_time = paid.seek(period).any(|place| {
            let payout = payouts.get(place);
            let makes_good = matches!(payout.nature, Nature::Regular | Nature::BackPay);
            let left: Money = net
                .steps(payouts.index(place))
                .filter(|(day, _)| *day <= due.deadline)
                .map(|(_, change)| change)
                .sum();
            makes_good && left.is_positive()
        });
        if in_time && let Some(region) = region {
            let one = Sum {
                count: sign,
                amount: Money::ZERO,
            };
            postings.post(region, Entry::PaidInTime(period), one);
        }
        period = period.next();
    }
}

/// The region of the roster record in force on a day, if it says that the person receives.
fn receiving(book: &PersonBook<'_>, day: BusinessDate) -> Option<RegionId> {
    let records = dated_up_to(&book.beneficiaries, |record| record.date, day);
    book.beneficiaries[..records]
        .last()
        .filter(|record| record.status == RosterStatus::Receiving)
        .map(|record| record.region)
}

/// A month after which nothing that the book knows changes who is to be paid, and that no payout is after. A payout
/// date may be moved back into the month before its own: so two months more than the facts.
fn last_change(book: &PersonBook<'_>) -> Period {
    let facts = (book.beneficiaries.iter().map(|record| record.date))
        .chain(
            book.deaths
                .iter()
                .flat_map(|death| [death.date, death.died_on]),
        )
        .chain(
            book.cancellations
                .iter()
                .map(|cancellation| cancellation.date),
        )
        .map(|date| date.period().next().next());
    let payouts = book.payouts.iter().map(|payout| payout.period);
    facts
        .chain(payouts)
        .max()
        .unwrap_or(Period::FIRST)
        .min(Period::LAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{day, enterprise, month, person, policy};

    fn lines(postings: Postings) -> Vec<String> {
        let lines = postings.into_list().into_iter().map(|posting| {
            let (entry, change) = (posting.entry, posting.change);
            format!(
                "@{} {entry:?} {} {}",
                posting.region.0, change.count, change.amount
            )
        });
        lines.collect()
    }

    /// 100,000 x 0.24 = 24,000 due; 20,000 paid, then 10,000, of which 4,000 count.
    #[test]
    fn an_enterprise_pays_no_more_than_it_owes() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 15 100000
             paid P1 2024-03-10 2024-02 20000
             paid P2 2024-03-20 2024-02 10000",
        );
        let mut postings = Postings::default();
        post_enterprise(&book, &policy(&[], ""), 1, &mut postings);
        assert_eq!(
            lines(postings.clone()),
            [
                "@1 Due(2024-02, 2024-03-05) 15 24000.00",
                "@1 PaidOfDue(2024-02, 2024-03-10) 0 20000.00",
                "@1 PaidOfDue(2024-02, 2024-03-20) 0 4000.00",
            ]
        );
        post_enterprise(&book, &policy(&[], ""), -1, &mut postings);
        assert_eq!(lines(postings), Vec::<String>::new());
    }

    /// 10 heads: the floor is 36,000, the wages 90,000. Declared at 100,000 counts no more than those; then at 60,000. A payroll of
    /// a month that nothing was declared for is no base of anybody.
    #[test]
    fn an_enterprise_declares_no_more_than_its_wages_make_due() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 10 100000
             payroll W1 2024-03-08 2024-02 10 90000
             declared D2 2024-03-12 2024-02 10 60000
             payroll W2 2024-04-08 2024-03 10 90000",
        );
        let mut postings = Postings::default();
        post_enterprise(&book, &policy(&[], ""), 1, &mut postings);
        let lines = lines(postings.clone());
        let of_bases: Vec<_> = lines.iter().filter(|line| line.contains("Base")).collect();
        assert_eq!(
            of_bases,
            [
                "@1 BaseDue(2024-02, 2024-03-08) 0 90000.00",
                "@1 BaseDeclared(2024-02, 2024-03-08) 0 90000.00",
                "@1 BaseDeclared(2024-02, 2024-03-12) 0 -30000.00",
            ]
        );
        post_enterprise(&book, &policy(&[], ""), -1, &mut postings);
        assert!(postings.into_list().is_empty());
    }

    /// Declared anew and lower, in another region: the old due and what was paid of it move.
    #[test]
    fn a_later_declaration_takes_the_place_of_the_earlier() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 15 100000
             paid P1 2024-03-10 2024-02 24000
             declared D2 2024-04-01 2024-02 10 50000 @2",
        );
        let mut postings = Postings::default();
        post_enterprise(&book, &policy(&[], ""), 1, &mut postings);
        assert_eq!(
            lines(postings),
            [
                "@1 Due(2024-02, 2024-03-05) 15 24000.00",
                "@1 Due(2024-02, 2024-04-01) -15 -24000.00",
                "@1 PaidOfDue(2024-02, 2024-03-10) 0 24000.00",
                "@1 PaidOfDue(2024-02, 2024-04-01) 0 -24000.00",
                "@2 Due(2024-02, 2024-04-01) 10 12000.00",
                "@2 PaidOfDue(2024-02, 2024-04-01) 0 12000.00",
            ]
        );
    }

    /// Receives from January on, dies in March (reported in May): to be paid until April by what is known then.
    #[test]
    fn a_person_is_due_while_receiving_and_not_known_to_be_dead() {
        let book = person(
            "roster R1 2023-12-20 receiving 3000 -
             payout A1 2024-01-19 2024-01 basic_pension regular 3000
             payout A2 2024-02-29 2024-02 basic_pension regular 3000
             death X1 2024-05-06 2024-03-31 crematorium -",
        );
        let mut postings = Postings::default();
        post_person(&book, &policy(&[], ""), 1, &mut postings);
        // 2024-05: the payout date is the 20th, a Monday; the report of the 6th is known.
        // Paid for February on the 29th: after the deadline of the 23rd.
        assert_eq!(
            lines(postings),
            [
                "@1 PayoutDueFrom(2024-01) 1 0.00",
                "@1 PayoutDueFrom(2024-05) -1 0.00",
                "@1 PaidInTime(2024-01) 1 0.00",
            ]
        );
        assert_eq!(last_change(&book), month("2024-07"));
        assert_eq!(receiving(&book, day("2023-12-19")), None);
    }
}
