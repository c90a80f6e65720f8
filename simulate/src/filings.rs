//! Enterprises as they should be: registered, declaring, paying in time, with ordinary corrections.

use domain::{BusinessDate, Detector, EnterpriseStatus, Period};
use rules::{Contribution, Due};

use crate::city::{MonthIndex, contribution, expected_base};
use crate::dice::Purpose;
use crate::plan::EnterpriseShape;
use crate::post::Delivery;
use crate::simulation::{Event, Simulation};

/// What one enterprise files for one month, if all is well.
pub(crate) struct Filing {
    pub(crate) enterprise: u32,
    /// The month in which it is due; its period is the month before.
    pub(crate) month: MonthIndex,
    pub(crate) period: Period,
    pub(crate) due: Due,
    pub(crate) heads: u32,
    pub(crate) wages: i64,
    pub(crate) base: i64,
    pub(crate) declared_on: BusinessDate,
    pub(crate) paid_on: BusinessDate,
    pub(crate) withheld_on: BusinessDate,
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
    pub(crate) fn ordinary_base(
        &self,
        enterprise: u32,
        month: MonthIndex,
        entry: &Contribution,
    ) -> i64 {
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

    pub(crate) fn withhold(&mut self, filing: &Filing, wages: i64) {
        let event = Event::Payroll {
            enterprise: filing.enterprise,
            period: filing.period,
            wages,
        };
        self.at(filing.withheld_on, event);
    }

    pub(crate) fn declare(&mut self, filing: &Filing, day: BusinessDate, letter: u8, base: i64) {
        let event = Event::Declaration {
            enterprise: filing.enterprise,
            period: filing.period,
            letter,
            base,
        };
        self.at(day, event);
    }

    pub(crate) fn pay(&mut self, filing: &Filing, day: BusinessDate, letter: u8, amount: i64) {
        let event = Event::Payment {
            enterprise: filing.enterprise,
            period: filing.period,
            letter,
            amount,
            delivery: Delivery::AtOnce,
        };
        self.at(day, event);
    }

    pub(crate) fn take_back(
        &mut self,
        filing: &Filing,
        day: BusinessDate,
        letter: u8,
        amount: i64,
    ) {
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
}
