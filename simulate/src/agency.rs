//! Records of the agencies and of civil affairs: payouts, the roster, deaths.

use std::io;

use domain::{BusinessDate, RosterStatus, Topic};

use crate::city::MonthIndex;
use crate::dice::Purpose;
use crate::names;
use crate::post::Delivery;
use crate::record::Id;
use crate::simulation::{Payout, ReportedName, Simulation};

impl Simulation<'_> {
    pub(crate) fn payout(&mut self, payout: &Payout) -> io::Result<()> {
        let id = self.payout_id(payout);
        self.begin_payout(&id, "payout", payout);
        self.record
            .text("nature", payout.nature.as_str().as_bytes())
            .amount(payout.amount);
        if let Some(account) = self.city.account(payout.person) {
            self.record.digits("account", account);
        }
        let (region, delivery) = (payout.region, payout.delivery);
        self.post
            .send(Topic::AgencyPayout, region, &mut self.record, delivery)
    }

    pub(crate) fn payout_reversal(&mut self, payout: &Payout) -> io::Result<()> {
        let reverses = self.payout_id(payout);
        let period = self.city.period(payout.month);
        let id = self
            .id("V", payout.region, period, payout.person)
            .letter(payout.series);
        self.begin_payout(&id, "payout_reversal", payout);
        self.record
            .text("reverses", reverses.bytes())
            .amount(payout.amount);
        self.post.send(
            Topic::AgencyPayout,
            payout.region,
            &mut self.record,
            Delivery::AtOnce,
        )
    }

    pub(crate) fn payout_id(&self, payout: &Payout) -> Id {
        let period = self.city.period(payout.month);
        let series = [payout.series];
        let start = std::str::from_utf8(&series).expect("series are ASCII letters");
        self.id(start, payout.region, period, payout.person)
    }

    fn begin_payout(&mut self, id: &Id, kind: &str, payout: &Payout) {
        let number = self.city.person_digits(payout.person);
        let mut short = [0; 15];
        short[..6].copy_from_slice(&number[..6]);
        short[6..].copy_from_slice(&number[8..17]);
        let person: &[u8] = if payout.is_short { &short } else { &number };
        self.record
            .begin(id, kind, self.city.regions[payout.region].code, self.today)
            .text("person", person)
            .period("period", self.city.period(payout.month))
            .text("item", self.items.name(payout.item).as_bytes());
    }

    pub(crate) fn roster(
        &mut self,
        person: u32,
        status: RosterStatus,
        month: MonthIndex,
        letter: u8,
        amount: Option<i64>,
    ) -> io::Result<()> {
        let region = self.city.region_of(person);
        let id = self
            .id("R", region, self.city.period(month), person)
            .letter(letter);
        let number = self.city.person_digits(person);
        self.record
            .begin(
                &id,
                "beneficiary",
                self.city.regions[region].code,
                self.today,
            )
            .text("person", &number)
            .text("status", status.as_str().as_bytes());
        if let Some(amount) = amount {
            self.record.amount(amount);
        }
        if status == RosterStatus::Receiving {
            self.record.text("name", self.city.name(person).as_bytes());
        }
        self.post.send(
            Topic::AgencyRoster,
            region,
            &mut self.record,
            Delivery::AtOnce,
        )
    }

    pub(crate) fn death(
        &mut self,
        person: u32,
        died_on: BusinessDate,
        source: &'static str,
        name: ReportedName,
        letter: u8,
    ) -> io::Result<()> {
        let id = self.death_id(person, self.today, letter);
        self.begin_death(&id, "death", person);
        self.record
            .date("died_on", died_on)
            .text("source", source.as_bytes());
        let draw = self.city.dice.roll(Purpose::PersonName, u64::from(person));
        match name {
            ReportedName::Right => {
                self.record.text("name", self.city.name(person).as_bytes());
            }
            ReportedName::Other => {
                // Another name for certain: one character is not in any.
                let other = format!("{}某", names::person(draw));
                self.record.text("name", other.as_bytes());
            }
            ReportedName::Absent => {}
        }
        self.send_death(person)
    }

    pub(crate) fn death_cancelled(
        &mut self,
        person: u32,
        reported_on: BusinessDate,
    ) -> io::Result<()> {
        let reverses = self.death_id(person, reported_on, b'A');
        let id = self.death_id(person, self.today, b'K');
        self.begin_death(&id, "death_cancelled", person);
        self.record.text("reverses", reverses.bytes());
        self.send_death(person)
    }

    fn death_id(&self, person: u32, reported_on: BusinessDate, letter: u8) -> Id {
        let region = self.city.region_of(person);
        Id::new("D")
            .word(self.city.regions[region].code.as_str())
            .letter(b'-')
            .day(reported_on)
            .letter(b'-')
            .number(u64::from(person), 7)
            .letter(letter)
    }

    fn begin_death(&mut self, id: &Id, kind: &str, person: u32) {
        let region = self.city.regions[self.city.region_of(person)].code;
        let number = self.city.person_digits(person);
        self.record
            .begin(id, kind, region, self.today)
            .text("person", &number);
    }

    fn send_death(&mut self, person: u32) -> io::Result<()> {
        let region = self.city.region_of(person);
        self.post.send(
            Topic::CivilDeath,
            region,
            &mut self.record,
            Delivery::AtOnce,
        )
    }
}
