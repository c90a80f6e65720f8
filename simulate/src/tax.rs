//! Records of the tax bureau: registrations, declarations, payrolls, payments.

use std::io;

use domain::{BusinessDate, EnterpriseStatus, Period, Topic};

use crate::post::Delivery;
use crate::record::Id;
use crate::simulation::Simulation;

const TOPIC: Topic = Topic::TaxCollection;

impl Simulation<'_> {
    pub(crate) fn open_enterprises(&mut self) -> io::Result<()> {
        for enterprise in 0..self.city.enterprises.len() as u32 {
            if self.city.enterprises[enterprise as usize].start < 0 {
                self.status(enterprise, EnterpriseStatus::Active)?;
            }
        }
        Ok(())
    }

    pub(crate) fn status(&mut self, enterprise: u32, status: EnterpriseStatus) -> io::Result<()> {
        let firm = &self.city.enterprises[enterprise as usize];
        let id = self.id("E", firm.region, self.today.period(), enterprise);
        let name = self.city.enterprise_name(enterprise);
        let region = self.city.regions[firm.region].code;
        self.record
            .begin(&id, "enterprise", region, self.today)
            .text("enterprise", firm.code.as_str().as_bytes())
            .text("name", name.as_bytes())
            .text("status", status.as_str().as_bytes());
        self.post
            .send(TOPIC, firm.region, &mut self.record, Delivery::AtOnce)
    }

    pub(crate) fn declaration(
        &mut self,
        enterprise: u32,
        period: Period,
        letter: u8,
        base: i64,
    ) -> io::Result<()> {
        let heads = self.city.enterprises[enterprise as usize].heads;
        let id = self.tax_id("D", enterprise, period, letter);
        self.begin(&id, "declaration", enterprise, period, self.today);
        self.record
            .count("headcount", u64::from(heads))
            .money("base", base);
        self.send(enterprise, Delivery::AtOnce)
    }

    pub(crate) fn payroll(
        &mut self,
        enterprise: u32,
        period: Period,
        wages: i64,
    ) -> io::Result<()> {
        let heads = self.city.enterprises[enterprise as usize].heads;
        let id = self.tax_id("W", enterprise, period, b'A');
        self.begin(&id, "payroll", enterprise, period, self.today);
        self.record
            .count("headcount", u64::from(heads))
            .money("wages", wages);
        self.send(enterprise, Delivery::AtOnce)
    }

    pub(crate) fn payment(
        &mut self,
        enterprise: u32,
        period: Period,
        letter: u8,
        amount: i64,
        delivery: Delivery,
    ) -> io::Result<()> {
        self.collect(enterprise, amount);
        let id = self.tax_id("Y", enterprise, period, letter);
        self.begin(&id, "payment", enterprise, period, self.today);
        self.record.amount(amount);
        self.send(enterprise, delivery)
    }

    pub(crate) fn payment_reversal(
        &mut self,
        enterprise: u32,
        period: Period,
        letter: u8,
        amount: i64,
    ) -> io::Result<()> {
        self.collect(enterprise, -amount);
        let id = self.tax_id("V", enterprise, period, letter);
        let reverses = self.tax_id("Y", enterprise, period, letter);
        self.begin(&id, "payment_reversal", enterprise, period, self.today);
        self.record
            .text("reverses", reverses.bytes())
            .amount(amount);
        self.send(enterprise, Delivery::AtOnce)
    }

    pub(crate) fn conflicting_payment(
        &mut self,
        enterprise: u32,
        period: Period,
        letter: u8,
        amount: i64,
        date: BusinessDate,
    ) -> io::Result<()> {
        let id = self.tax_id("Y", enterprise, period, letter);
        self.begin(&id, "payment", enterprise, period, date);
        let (json, _) = self.record.amount(amount).end();
        let region = self.city.enterprises[enterprise as usize].region;
        *self.rejected.entry((TOPIC, "conflicting-id")).or_default() += 1;
        self.post.send_junk(TOPIC, region, json)
    }

    fn collect(&mut self, enterprise: u32, amount: i64) {
        let region = self.city.enterprises[enterprise as usize].region;
        let month = self.city.month_of(self.today.period());
        self.collected[month as usize][region] += amount;
    }

    fn tax_id(&self, start: &str, enterprise: u32, period: Period, letter: u8) -> Id {
        let region = self.city.enterprises[enterprise as usize].region;
        self.id(start, region, period, enterprise).letter(letter)
    }

    fn begin(&mut self, id: &Id, kind: &str, enterprise: u32, period: Period, date: BusinessDate) {
        let firm = &self.city.enterprises[enterprise as usize];
        let region = self.city.regions[firm.region].code;
        self.record
            .begin(id, kind, region, date)
            .text("enterprise", firm.code.as_str().as_bytes())
            .period("period", period);
    }

    fn send(&mut self, enterprise: u32, delivery: Delivery) -> io::Result<()> {
        let region = self.city.enterprises[enterprise as usize].region;
        self.post.send(TOPIC, region, &mut self.record, delivery)
    }
}
