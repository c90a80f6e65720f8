//! What goes wrong with contributions: too little declared, too little paid, nothing declared; told late.

use domain::{BusinessDate, Detector, Topic};
use rules::Contribution;

use crate::city::{MonthIndex, contribution, expected_base, shortfall};
use crate::dice::Purpose;
use crate::filings::Filing;
use crate::plan::EnterpriseShape;
use crate::post::Delivery;
use crate::simulation::{Event, Simulation};
use crate::truth::Planted;

const TOPIC: Topic = Topic::TaxCollection;

impl Simulation<'_> {
    pub(crate) fn plan_wrong_filing(
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
}
