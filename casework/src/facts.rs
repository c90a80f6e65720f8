//! The facts of one subject, put into books of our own.
//!
//! However they were found, they come packed, and may hold a record twice: what settles the books of the program settles
//! these, so that both hold the same facts.

use std::fmt;
use std::sync::Arc;

use detectors::book::{EnterpriseBook, PersonBook};
use detectors::dataflow::desk::book_of;
use detectors::store::gather::{
    empty_enterprise_book, empty_person_book, fill_enterprise, fill_person, recycled_enterprise,
    recycled_person,
};
use detectors::store::packed::{Envelopes, Kind, Packed};
use detectors::store::{Books, books::Settled};
use domain::{BusinessDate, Money, Period, RegionId, Subject, Topic};

use crate::source::{Locate, Place};

/// The facts of one subject.
pub struct SubjectFacts {
    subject: Subject,
    books: Books,
    locate: Locate,
}

impl SubjectFacts {
    /// Of packed facts, which are the subject's; `locate` says where each of them stands.
    pub fn new(subject: Subject, packed: &[u8], locate: Locate) -> SubjectFacts {
        let mut books = Books::default();
        books.put_all(Envelopes::new(packed));
        SubjectFacts {
            subject,
            books,
            locate,
        }
    }

    /// Whose facts they are.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    fn settled(&mut self) -> Option<Settled<'_>> {
        let (shelf, key) = book_of(&self.subject)?;
        let number = self.books.number(shelf, key)?;
        Some(self.books.settle(shelf, number, |_, _| {}))
    }

    /// The book of an enterprise; empty if there are no facts, or the subject is none.
    pub fn enterprise(&mut self) -> EnterpriseBook<'_> {
        let Subject::Enterprise(code) = self.subject else {
            return empty_enterprise_book();
        };
        let mut book = recycled_enterprise(empty_enterprise_book());
        book.enterprise = code;
        if let Some(settled) = self.settled() {
            fill_enterprise(&settled, &mut book);
        }
        book
    }

    /// The book of a person; empty if there are no facts, or the subject is none.
    pub fn person(&mut self) -> PersonBook<'_> {
        let Subject::Person(person) = self.subject else {
            return empty_person_book();
        };
        let mut book = recycled_person(empty_person_book());
        book.person = person;
        if let Some(settled) = self.settled() {
            fill_person(&settled, &mut book);
        }
        book
    }

    /// Every fact by itself, by date, then topic, then id.
    pub fn records(&mut self) -> Vec<Record> {
        let locate = Arc::clone(&self.locate);
        let Some(settled) = self.settled() else {
            return Vec::new();
        };
        let mut records: Vec<Record> = settled
            .facts()
            .map(|fact| Record::of(fact, item_of(&settled, fact), &locate))
            .collect();
        records.sort_by(|a, b| a.place_in_time().cmp(&b.place_in_time()));
        records
    }
}

/// Whose facts they are is seen masked at most.
impl fmt::Debug for SubjectFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectFacts")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

fn item_of<'a>(settled: &Settled<'a>, fact: Packed<'a>) -> &'a str {
    match fact.kind() {
        Kind::Payout | Kind::PayoutReversal => settled.item(fact),
        _ => "",
    }
}

/// One fact as a line of a timeline: what of its kind there is.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What kind of record.
    pub kind: Kind,
    /// Its id within its topic.
    pub id: String,
    /// The region that it belongs to.
    pub region: RegionId,
    /// When it took effect.
    pub date: BusinessDate,
    /// Where it stands.
    pub place: Place,
    /// The month that it is for.
    pub period: Option<Period>,
    /// The benefit item.
    pub item: Option<String>,
    /// Amount, base or wages.
    pub amount: Option<Money>,
    /// People declared or paid.
    pub headcount: Option<u32>,
    /// The contract's word for its status, nature or kind.
    pub word: Option<&'static str>,
    /// The record that it takes back, or the subsidy that it releases.
    pub refers_to: Option<String>,
    /// The day of death that it reports.
    pub died_on: Option<BusinessDate>,
    /// Who reports the death.
    pub reported_by: Option<String>,
    /// The name in it: of an enterprise, or of a person.
    pub name: Option<String>,
}

impl Record {
    /// Of a packed fact and its item's name.
    pub fn of(fact: Packed<'_>, item: &str, locate: &Locate) -> Record {
        let kind = fact.kind();
        let has_period = matches!(
            kind,
            Kind::Declaration
                | Kind::Payroll
                | Kind::Payment
                | Kind::PaymentReversal
                | Kind::Payout
                | Kind::PayoutReversal
        );
        let mut record = Record {
            kind,
            id: fact.id().to_owned(),
            region: fact.region(),
            date: fact.date(),
            place: locate(kind.topic(), fact.position()),
            period: has_period.then(|| fact.period()),
            item: (!item.is_empty()).then(|| item.to_owned()),
            amount: fact.amount_field(),
            headcount: None,
            word: None,
            refers_to: None,
            died_on: None,
            reported_by: None,
            name: None,
        };
        match kind {
            Kind::Enterprise => {
                record.word = Some(fact.enterprise_status().as_str());
                record.name = Some(fact.enterprise_name().to_owned());
            }
            Kind::Declaration | Kind::Payroll => {
                record.amount = Some(fact.amount());
                record.headcount = Some(fact.headcount());
            }
            Kind::Payment => {}
            Kind::PaymentReversal | Kind::PayoutReversal | Kind::DeathCancelled => {
                record.refers_to = Some(fact.reverses().to_owned());
            }
            Kind::Payout => record.word = Some(fact.nature().as_str()),
            Kind::Beneficiary => {
                record.word = Some(fact.roster_status().as_str());
                record.name = fact.beneficiary_name().map(str::to_owned);
            }
            Kind::Death => {
                let (died_on, source, name) = fact.death();
                record.died_on = Some(died_on);
                record.reported_by = Some(source.to_owned());
                record.name = name.map(str::to_owned);
            }
            Kind::Transfer => {
                record.word = Some(fact.transfer_kind().as_str());
                record.period = fact.transfer_period();
                record.refers_to = fact.transfer_source().map(str::to_owned);
            }
        }
        record
    }

    /// The feed that it came by.
    pub const fn topic(&self) -> Topic {
        self.kind.topic()
    }

    /// `topic/id`, as evidence names it.
    pub fn evidence_id(&self) -> String {
        format!("{}/{}", self.topic(), self.id)
    }

    fn place_in_time(&self) -> (BusinessDate, Topic, &str, Kind) {
        (self.date, self.topic(), &self.id, self.kind)
    }
}

/// A name may be a person's, and an id what a source has put into it: neither is shown.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("kind", &self.kind)
            .field("date", &self.date)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
