//! Tax bureau: who is registered, what is declared and withheld, what is paid.

use std::io;

use domain::{BusinessDate, Detector, EnterpriseStatus, Period, Topic};
use rules::{Contribution, Due};

use crate::city::{MonthIndex, contribution, expected_base, shortfall};
use crate::dice::Purpose;
use crate::plan::EnterpriseShape;
use crate::post::Delivery;
use crate::record::Id;
use crate::simulation::{Event, Simulation};
use crate::truth::Planted;

const TOPIC: Topic = Topic::TaxCollection;

/// What one enterprise files for one month, if all is well.
struct Filing {
    enterprise: u32,
    /// The month in which it is due; its period is the month before.
    month: MonthIndex,
    period: Period,
    due: Due,
    heads: u32,
    wages: i64,
    base: i64,
    declared_on: BusinessDate,
    paid_on: BusinessDate,
    withheld_on: BusinessDate,
}

impl Simulation<'_> {
    /// Puts the month's registrations and filings on the agenda.
    pub(crate) fn plan_taxes(&mut self, month: MonthIndex) {
        self.plan_registry(month);
        let period = self.city.period(month - 1);
        let (Some(entry), Some(due)) = (
            self.policy.contribution(period),
            self.policy.contribution_due(period),
        ) else {
            return;
        };
        let days = self.business_days(self.today, due.date);
        for enterprise in 0..self.city.enterprises.len() as u32 {
            let firm = &self.city.enterprises[enterprise as usize];
            if firm.is_active_at_end_of(month - 1) {
                let filing = self.filing(enterprise, month, entry, due, &days);
                self.plan_filing(&filing, entry, &days);
            }
        }
    }

    fn filing(
        &self,
        enterprise: u32,
        month: MonthIndex,
        entry: &Contribution,
        due: Due,
        days: &[BusinessDate],
    ) -> Filing {
        let draw = self
            .city
            .dice
            .roll2(Purpose::Filing, u64::from(enterprise), month as u64);
        let declared = draw.place((days.len() * 2 / 3).max(1));
        let paid = declared + draw.next().place(days.len() - declared);
        let withheld = draw.next().next().place(days.len());
        Filing {
            enterprise,
            month,
            period: self.city.period(month - 1),
            due,
            heads: self.city.enterprises[enterprise as usize].heads,
            wages: self.city.wages(enterprise, month),
            base: self.ordinary_base(enterprise, month, entry),
            declared_on: days[declared],
            paid_on: days[paid],
            withheld_on: days[withheld],
        }
    }

    /// The base that is declared if all is well: what the law expects, or a little less than that in
    /// one case of seven, by at most half of what is tolerated.
    fn ordinary_base(&self, enterprise: u32, month: MonthIndex, entry: &Contribution) -> i64 {
        let heads = self.city.enterprises[enterprise as usize].heads;
        let expected = expected_base(entry, heads, self.city.wages(enterprise, month));
        let draw = self
            .city
            .dice
            .roll2(Purpose::Base, u64::from(enterprise), month as u64);
        if draw.below(7) > 0 {
            return expected;
        }
        let tolerance = self
            .policy
            .detector(Detector::UnderDeclaredBase)
            .tolerance_ratio;
        let tolerated = (tolerance.scaled(i128::from(expected)) / domain::Rate::SCALE) as i64;
        expected - tolerated * draw.next().below(51) as i64 / 100
    }

    fn plan_filing(&mut self, filing: &Filing, entry: &Contribution, days: &[BusinessDate]) {
        let plan = self.plans.enterprise(filing.enterprise).copied();
        let shape = plan.filter(|plan| {
            let last = match plan.shape {
                EnterpriseShape::UnderGross => plan.month + 2,
                EnterpriseShape::UndeclaredVanished => MonthIndex::MAX,
                _ => plan.month,
            };
            (plan.month..=last).contains(&filing.month)
        });
        match (shape, plan) {
            (Some(plan), _) => self.plan_wrong_filing(filing, entry, plan.shape, plan.month),
            // Nothing out of the ordinary befalls them beside, so that the truth stays plain.
            (None, Some(_)) => self.plan_plain_filing(filing, entry),
            (None, None) => self.plan_ordinary_filing(filing, entry, days),
        }
    }

    fn plan_plain_filing(&mut self, filing: &Filing, entry: &Contribution) {
        self.withhold(filing, filing.wages);
        self.declare(filing, filing.declared_on, b'A', filing.base);
        self.pay(
            filing,
            filing.paid_on,
            b'A',
            contribution(entry, filing.base),
        );
    }

    /// With the corrections, instalments and rebookings of ordinary life, all before the due date.
    fn plan_ordinary_filing(
        &mut self,
        filing: &Filing,
        entry: &Contribution,
        days: &[BusinessDate],
    ) {
        let number = u64::from(filing.enterprise);
        let draw = self
            .city
            .dice
            .roll2(Purpose::Correction, number, filing.month as u64);
        if draw.chance(15_000) && filing.declared_on < filing.paid_on {
            self.plan_corrected_filing(filing, entry, draw.next().below(2) == 0);
            return;
        }
        self.withhold(filing, filing.wages);
        self.declare(filing, filing.declared_on, b'A', filing.base);
        let amount = contribution(entry, filing.base);
        let shape = self
            .city
            .dice
            .roll2(Purpose::PaymentShape, number, filing.month as u64);
        match shape.below(100) {
            0..6 if amount > 2 => {
                // In two parts, the second at the latest on the due date.
                let last = days[days.len() - 1];
                self.pay(filing, filing.paid_on, b'A', amount / 3);
                self.pay(filing, last, b'B', amount - amount / 3);
            }
            6..8 => {
                // Booked wrongly, taken back, and booked again on the same day.
                self.pay(filing, filing.paid_on, b'A', amount);
                self.take_back(filing, filing.paid_on, b'A', amount);
                self.pay(filing, filing.paid_on, b'B', amount);
            }
            _ => self.pay(filing, filing.paid_on, b'A', amount),
        }
    }

    /// A first declaration that is too high; or too low, and corrected before wages are known.
    fn plan_corrected_filing(&mut self, filing: &Filing, entry: &Contribution, is_low: bool) {
        let draft = filing.base * if is_low { 80 } else { 107 } / 100;
        let withheld_on = if is_low {
            filing.withheld_on.max(filing.paid_on)
        } else {
            filing.withheld_on
        };
        self.declare(filing, filing.declared_on, b'A', draft);
        self.declare(filing, filing.paid_on, b'B', filing.base);
        self.at(
            withheld_on,
            Event::Payroll {
                enterprise: filing.enterprise,
                period: filing.period,
                wages: filing.wages,
            },
        );
        self.pay(
            filing,
            filing.paid_on,
            b'A',
            contribution(entry, filing.base),
        );
    }

    fn plan_wrong_filing(
        &mut self,
        filing: &Filing,
        entry: &Contribution,
        shape: EnterpriseShape,
        since: MonthIndex,
    ) {
        use EnterpriseShape as E;
        match shape {
            E::UnderMild | E::UnderGross | E::UnderCorrected | E::UnderFloor => {
                self.plan_low_base(filing, entry, shape);
            }
            E::ArrearsNever
            | E::ArrearsPartial
            | E::ArrearsLate
            | E::ArrearsReversed
            | E::ArrearsRepaid => self.plan_arrears(filing, entry, shape),
            E::UndeclaredMonth | E::UndeclaredLate | E::UndeclaredVanished => {
                self.plan_silence_of(filing, entry, shape, since);
            }
            E::Conflict | E::LatePayment | E::LostPayment => {
                self.plan_delivery(filing, entry, shape);
            }
        }
    }

    fn plan_low_base(&mut self, filing: &Filing, entry: &Contribution, shape: EnterpriseShape) {
        use EnterpriseShape as E;
        let expected = expected_base(entry, filing.heads, filing.wages);
        let floor = expected_base(entry, filing.heads, 0);
        let (kind, wages, base, why) = match shape {
            E::UnderMild => (
                "under-declared-mild",
                filing.wages,
                expected * 88 / 100,
                "declared 88% of the wages that tax was withheld on",
            ),
            E::UnderGross => (
                "under-declared-gross",
                filing.wages,
                expected * 45 / 100,
                "declared less than half of the wages, for three months",
            ),
            E::UnderCorrected => (
                "under-declared-corrected",
                filing.wages,
                expected * 60 / 100,
                "declared 60% of the wages, then corrected and paid the rest",
            ),
            _ => (
                "under-declared-floor",
                floor * 70 / 100,
                floor * 70 / 100,
                "declared the wages, which are below the floor",
            ),
        };
        self.withhold(filing, wages);
        self.declare(filing, filing.declared_on, b'A', base);
        self.pay(filing, filing.paid_on, b'A', contribution(entry, base));
        let corrected_on =
            (shape == E::UnderCorrected).then(|| self.business_day_after(filing.due.deadline, 12));
        if let Some(day) = corrected_on {
            let rest = contribution(entry, expected) - contribution(entry, base);
            self.declare(filing, day, b'B', expected);
            self.pay(filing, day, b'B', rest);
        }
        let tolerance = self
            .policy
            .detector(Detector::UnderDeclaredBase)
            .tolerance_ratio;
        let amount = shortfall(entry, tolerance, filing.heads, wages, base);
        let planted = Planted {
            planted_on: filing.declared_on,
            opened_on: Some(filing.declared_on.max(filing.withheld_on)),
            cleared_on: corrected_on,
            ..self.planted_of(filing, kind, Detector::UnderDeclaredBase, amount, why)
        };
        if amount > 0 {
            self.plant(planted);
        }
    }

    fn plan_arrears(&mut self, filing: &Filing, entry: &Contribution, shape: EnterpriseShape) {
        use EnterpriseShape as E;
        let owed = contribution(entry, filing.base);
        self.withhold(filing, filing.wages);
        self.declare(filing, filing.declared_on, b'A', filing.base);
        let after_deadline = filing.due.deadline.next();
        let draw = self
            .city
            .dice
            .roll(Purpose::PaymentShape, u64::from(filing.enterprise));
        let reversed_on = self.business_day_after(filing.due.deadline, 9);
        let (kind, opened_on, cleared_on, amount, why) = match shape {
            E::ArrearsNever => (
                "arrears-never",
                after_deadline,
                None,
                owed,
                "declared, and paid nothing",
            ),
            E::ArrearsPartial => {
                let paid = owed * (40 + draw.below(41) as i64) / 100;
                self.pay(filing, filing.paid_on, b'A', paid);
                (
                    "arrears-partial",
                    after_deadline,
                    None,
                    owed - paid,
                    "declared, and paid a part",
                )
            }
            E::ArrearsLate => {
                let day = self.business_day_after(filing.due.deadline, 5 + draw.below(25) as u32);
                self.pay(filing, day, b'A', owed);
                (
                    "arrears-late",
                    after_deadline,
                    Some(day),
                    owed,
                    "declared, and paid late",
                )
            }
            E::ArrearsReversed => {
                self.pay(filing, filing.paid_on, b'A', owed);
                self.take_back(filing, reversed_on, b'A', owed);
                (
                    "arrears-reversed",
                    reversed_on,
                    None,
                    owed,
                    "paid in time, and the payment was taken back",
                )
            }
            _ => {
                let day = self.business_day_after(reversed_on, 7);
                self.pay(filing, filing.paid_on, b'A', owed);
                self.take_back(filing, reversed_on, b'A', owed);
                self.pay(filing, day, b'B', owed);
                (
                    "arrears-repaid",
                    reversed_on,
                    Some(day),
                    owed,
                    "paid in time, taken back after the due date, and paid again",
                )
            }
        };
        let planted = Planted {
            planted_on: filing.declared_on,
            opened_on: Some(opened_on),
            cleared_on: cleared_on.filter(|day| opened_on < *day),
            ..self.planted_of(filing, kind, Detector::Arrears, amount, why)
        };
        self.plant(planted);
    }

    fn plan_silence_of(
        &mut self,
        filing: &Filing,
        entry: &Contribution,
        shape: EnterpriseShape,
        since: MonthIndex,
    ) {
        use EnterpriseShape as E;
        self.withhold(filing, filing.wages);
        let declared_on =
            (shape == E::UndeclaredLate).then(|| self.business_day_after(filing.due.deadline, 8));
        if let Some(day) = declared_on {
            self.declare(filing, day, b'A', filing.base);
            self.pay(filing, day, b'A', contribution(entry, filing.base));
        }
        let (kind, why) = match shape {
            E::UndeclaredMonth => ("undeclared-month", "did not declare one month"),
            E::UndeclaredLate => ("undeclared-late", "declared and paid one month late"),
            _ => ("undeclared-vanished", "declares no more"),
        };
        let planted = Planted {
            planted_on: filing.due.date,
            opened_on: Some(filing.due.deadline.next()),
            cleared_on: declared_on,
            ..self.planted_of(
                filing,
                kind,
                Detector::Undeclared,
                self.presumed(filing.enterprise, since, filing, entry),
                why,
            )
        };
        self.plant(planted);
    }

    /// What is presumed of an enterprise that has not declared since a month: 1.10 of its last
    /// declaration or, if it never declared, what the wages of the month give.
    fn presumed(
        &self,
        enterprise: u32,
        since: MonthIndex,
        filing: &Filing,
        entry: &Contribution,
    ) -> i64 {
        let last = since - 1;
        let firm = &self.city.enterprises[enterprise as usize];
        let earlier = self.policy.contribution(self.city.period(last - 1));
        match earlier {
            Some(earlier) if 0 <= last && firm.is_active_at_end_of(last - 1) => {
                let base = self.ordinary_base(enterprise, last, earlier);
                (contribution(earlier, base) * 110 + 50) / 100
            }
            _ => shortfall(entry, domain::Rate::ZERO, filing.heads, filing.wages, 0),
        }
    }

    /// A payment in time, of which the record comes late, is lost for days, or has another under its
    /// id. On a day that has a late or lost record already, it comes in time like any other.
    fn plan_delivery(&mut self, filing: &Filing, entry: &Contribution, shape: EnterpriseShape) {
        let amount = contribution(entry, filing.base);
        let region = self.city.enterprises[filing.enterprise as usize].region;
        self.withhold(filing, filing.wages);
        self.declare(filing, filing.declared_on, b'A', filing.base);
        let late_on = self.business_day_after(filing.due.deadline, 4);
        let found_on = self.policy.calendar().plus_business_days(filing.paid_on, 3);
        let delivery = match shape {
            EnterpriseShape::LatePayment if self.reserve(TOPIC, region, &[late_on]) => {
                let why = "paid in time, and the record was sent after the due date";
                self.plant_delivery(filing, "late-fact", late_on, amount, why);
                Delivery::Late(late_on)
            }
            EnterpriseShape::LostPayment
                if self.reserve(TOPIC, region, &[filing.paid_on, found_on]) =>
            {
                self.plant_lost(TOPIC, region, amount, filing.paid_on, found_on);
                Delivery::Lost(found_on)
            }
            _ => Delivery::AtOnce,
        };
        if shape == EnterpriseShape::Conflict {
            let event = Event::ConflictingPayment {
                enterprise: filing.enterprise,
                period: filing.period,
                letter: b'A',
                amount: amount + 10_000,
                date: filing.paid_on,
            };
            let next = filing.paid_on.next();
            let why = "another payment was sent under the id of the first";
            self.plant_delivery(filing, "conflicting-id", next, amount, why);
            self.at(next, event);
        }
        let payment = Event::Payment {
            enterprise: filing.enterprise,
            period: filing.period,
            letter: b'A',
            amount,
            delivery,
        };
        self.at(filing.paid_on, payment);
    }

    fn plant_delivery(
        &mut self,
        filing: &Filing,
        kind: &'static str,
        shows_on: BusinessDate,
        amount: i64,
        why: &'static str,
    ) {
        let firm = &self.city.enterprises[filing.enterprise as usize];
        let code = firm.code.to_string();
        let planted = Planted {
            period: Some(filing.period),
            topic: Some(TOPIC),
            reason: (kind == "conflicting-id").then_some(kind),
            planted_on: filing.paid_on,
            opened_on: Some(shows_on),
            ..self.planted(kind, None, code, firm.region, amount, why)
        };
        self.plant(planted);
    }

    fn planted_of(
        &self,
        filing: &Filing,
        kind: &'static str,
        detector: Detector,
        amount: i64,
        why: &'static str,
    ) -> Planted {
        let firm = &self.city.enterprises[filing.enterprise as usize];
        let subject = firm.code.to_string();
        Planted {
            period: Some(filing.period),
            ..self.planted(kind, Some(detector), subject, firm.region, amount, why)
        }
    }

    fn withhold(&mut self, filing: &Filing, wages: i64) {
        let event = Event::Payroll {
            enterprise: filing.enterprise,
            period: filing.period,
            wages,
        };
        self.at(filing.withheld_on, event);
    }

    fn declare(&mut self, filing: &Filing, day: BusinessDate, letter: u8, base: i64) {
        let event = Event::Declaration {
            enterprise: filing.enterprise,
            period: filing.period,
            letter,
            base,
        };
        self.at(day, event);
    }

    fn pay(&mut self, filing: &Filing, day: BusinessDate, letter: u8, amount: i64) {
        let event = Event::Payment {
            enterprise: filing.enterprise,
            period: filing.period,
            letter,
            amount,
            delivery: Delivery::AtOnce,
        };
        self.at(day, event);
    }

    fn take_back(&mut self, filing: &Filing, day: BusinessDate, letter: u8, amount: i64) {
        let event = Event::PaymentReversal {
            enterprise: filing.enterprise,
            period: filing.period,
            letter,
            amount,
        };
        self.at(day, event);
    }

    /// Registrations, suspensions, resumptions and closures of a month.
    fn plan_registry(&mut self, month: MonthIndex) {
        use EnterpriseStatus::{Active, Deregistered, Suspended};
        let last = self.today.period().last_day();
        let days = self.business_days(self.today, last);
        if days.is_empty() {
            return;
        }
        for enterprise in 0..self.city.enterprises.len() as u32 {
            let firm = &self.city.enterprises[enterprise as usize];
            let status = match (firm.suspension, firm.end) {
                _ if firm.start == month => Active,
                (Some((from, _)), _) if from == month => Suspended,
                (Some((_, to)), _) if to == month => Active,
                (_, Some(end)) if end == month => Deregistered,
                _ => continue,
            };
            let draw = self
                .city
                .dice
                .roll2(Purpose::LifeDay, u64::from(enterprise), month as u64);
            let day = days[draw.place(days.len())];
            self.at(day, Event::Status { enterprise, status });
        }
    }

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
