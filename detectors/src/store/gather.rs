//! The facts of a settled book, unpacked into the lists that detectors read.

use domain::{CreditCode, PersonId};

use super::books::Settled;
use super::packed::{Kind, Packed, enterprise, person};
use crate::book::{
    Beneficiary, Death, DeathCancelled, Declaration, EnterpriseBook, Payment, PaymentReversal,
    Payout, PayoutReversal, Payroll, PersonBook, StatusRecord,
};

/// An empty book of nobody, to be filled over and over.
pub fn empty_person_book() -> PersonBook<'static> {
    PersonBook {
        person: PersonId::from_number(0),
        payouts: Vec::new(),
        payout_reversals: Vec::new(),
        beneficiaries: Vec::new(),
        deaths: Vec::new(),
        cancellations: Vec::new(),
    }
}

/// An empty book of nobody, to be filled over and over.
pub fn empty_enterprise_book() -> EnterpriseBook<'static> {
    EnterpriseBook {
        enterprise: CreditCode::from_number(0),
        statuses: Vec::new(),
        declarations: Vec::new(),
        payrolls: Vec::new(),
        payments: Vec::new(),
        payment_reversals: Vec::new(),
    }
}

/// The list's memory for a list of other lifetime.
fn emptied<A, B>(mut list: Vec<A>) -> Vec<B> {
    list.clear();
    list.into_iter()
        .map(|_| unreachable!("the list is empty"))
        .collect()
}

/// The same book for facts that live otherwise, empty.
pub fn recycled_person<'b>(book: PersonBook<'_>) -> PersonBook<'b> {
    PersonBook {
        person: book.person,
        payouts: emptied(book.payouts),
        payout_reversals: emptied(book.payout_reversals),
        beneficiaries: emptied(book.beneficiaries),
        deaths: emptied(book.deaths),
        cancellations: emptied(book.cancellations),
    }
}

/// The same book for facts that live otherwise, empty.
pub fn recycled_enterprise<'b>(book: EnterpriseBook<'_>) -> EnterpriseBook<'b> {
    EnterpriseBook {
        enterprise: book.enterprise,
        statuses: emptied(book.statuses),
        declarations: emptied(book.declarations),
        payrolls: emptied(book.payrolls),
        payments: emptied(book.payments),
        payment_reversals: emptied(book.payment_reversals),
    }
}

macro_rules! sort {
    ($($list:expr),+) => { $(
        // Facts mostly come in the order of their dates: a stable sort sees that.
        $list.sort_by(|a, b| (a.date, a.id).cmp(&(b.date, b.id)));
    )+ };
}

/// Fills a person's book.
pub fn fill_person<'a>(settled: &Settled<'a>, book: &mut PersonBook<'a>) {
    book.person = person(settled.key as u64);
    for fact in settled.facts() {
        put_person(settled, fact, book);
    }
    sort!(
        book.payouts,
        book.payout_reversals,
        book.beneficiaries,
        book.deaths,
        book.cancellations
    );
}

#[inline]
fn put_person<'a>(settled: &Settled<'a>, fact: Packed<'a>, book: &mut PersonBook<'a>) {
    let (id, region, date) = (fact.id(), fact.region(), fact.date());
    match fact.kind() {
        Kind::Payout => book.payouts.push(Payout {
            id,
            region,
            date,
            period: fact.period(),
            item: settled.item(fact),
            nature: fact.nature(),
            amount: fact.amount(),
        }),
        Kind::PayoutReversal => book.payout_reversals.push(PayoutReversal {
            id,
            region,
            date,
            period: fact.period(),
            item: settled.item(fact),
            reverses: fact.reverses(),
            amount: fact.amount(),
        }),
        Kind::Beneficiary => book.beneficiaries.push(Beneficiary {
            id,
            region,
            date,
            status: fact.roster_status(),
            amount: fact.beneficiary_amount(),
            name: fact.beneficiary_name(),
        }),
        Kind::Death => {
            let (died_on, source, name) = fact.death();
            book.deaths.push(Death {
                id,
                region,
                date,
                died_on,
                source,
                name,
            });
        }
        Kind::DeathCancelled => {
            book.cancellations.push(DeathCancelled {
                id,
                region,
                date,
                reverses: fact.reverses(),
            });
        }
        other => unreachable!("{other:?} is in no person's book"),
    }
}

/// Fills an enterprise's book.
pub fn fill_enterprise<'a>(settled: &Settled<'a>, book: &mut EnterpriseBook<'a>) {
    book.enterprise = enterprise(settled.key);
    for fact in settled.facts() {
        let (id, region, date) = (fact.id(), fact.region(), fact.date());
        match fact.kind() {
            Kind::Payment => {
                book.payments.push(Payment {
                    id,
                    region,
                    date,
                    period: fact.period(),
                    amount: fact.amount(),
                });
            }
            Kind::Declaration => book.declarations.push(Declaration {
                id,
                region,
                date,
                period: fact.period(),
                headcount: fact.headcount(),
                base: fact.amount(),
            }),
            Kind::Payroll => book.payrolls.push(Payroll {
                id,
                region,
                date,
                period: fact.period(),
                headcount: fact.headcount(),
                wages: fact.amount(),
            }),
            Kind::Enterprise => {
                book.statuses.push(StatusRecord {
                    id,
                    region,
                    date,
                    status: fact.enterprise_status(),
                });
            }
            Kind::PaymentReversal => book.payment_reversals.push(PaymentReversal {
                id,
                region,
                date,
                period: fact.period(),
                reverses: fact.reverses(),
                amount: fact.amount(),
            }),
            other => unreachable!("{other:?} is in no enterprise's book"),
        }
    }
    sort!(
        book.statuses,
        book.declarations,
        book.payrolls,
        book.payments,
        book.payment_reversals
    );
}
