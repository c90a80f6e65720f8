//! Treasuries: what goes up to the city, what comes down, what subsidies arrive and leave.

use std::io;

use domain::{BusinessDate, Detector, Period, Topic, TransferKind};

use crate::city::MonthIndex;
use crate::dice::{Draw, Purpose};
use crate::plan::{RemittanceShape, SubsidyShape};
use crate::post::Delivery;
use crate::record::Id;
use crate::simulation::{Event, Simulation, Transfer};
use crate::truth::Planted;

const TOPIC: Topic = Topic::TreasuryTransfer;

impl Simulation<'_> {
    /// Puts the month's transfers on the agenda.
    pub(crate) fn plan_treasury(&mut self, month: MonthIndex) {
        for region in 0..self.city.regions.len() {
            if self.city.regions[region].remits {
                self.plan_advance(month, region);
                if 0 < month {
                    self.plan_remittance(month - 1, region);
                }
            }
            self.plan_allocation(month, region);
            if let Some(is_central) = self.city.subsidy_of(month) {
                self.plan_subsidy(month, region, is_central);
            }
        }
    }

    fn draw(&self, month: MonthIndex, region: usize) -> Draw {
        self.city
            .dice
            .roll2(Purpose::Transfers, region as u64, month as u64)
    }

    /// Most of what was collected goes up at the end of the month itself.
    fn plan_advance(&mut self, month: MonthIndex, region: usize) {
        let never = Some(&RemittanceShape::Never);
        let last = self.today.period().last_day();
        let day = self.policy.calendar().on_or_before(last);
        if self.plans.remittances.get(&(month, region)) != never && self.today <= day {
            let event = Event::Remit {
                month,
                region,
                percent: 60,
                tag: "RU1",
                delivery: Delivery::AtOnce,
            };
            self.at(day, event);
        }
    }

    /// The rest, on one of the last business days up to the due date.
    fn plan_remittance(&mut self, month: MonthIndex, region: usize) {
        let Some(due) = self.policy.remittance_due(self.city.period(month)) else {
            return;
        };
        let days = self.business_days(self.today, due.date);
        let draw = self.draw(month, region);
        let day = days[days.len() - 1 - draw.place(days.len().min(3))];
        let late = self.business_day_after(due.deadline, 3 + draw.next().below(12) as u32);
        let shape = self.plans.remittances.get(&(month, region)).copied();
        // Told late only if nothing else is on that day; else it is told in time after all.
        let shape = shape.filter(|shape| {
            *shape != RemittanceShape::ReportedLate || self.reserve(TOPIC, region, &[late])
        });
        let (day, percent, delivery) = match shape {
            None => (day, 100, Delivery::AtOnce),
            Some(RemittanceShape::Late) => (late, 100, Delivery::AtOnce),
            Some(RemittanceShape::Partial) => (day, 50, Delivery::AtOnce),
            Some(RemittanceShape::ReportedLate) => (day, 100, Delivery::Late(late)),
            Some(RemittanceShape::Never) => (BusinessDate::LAST, 0, Delivery::AtOnce),
        };
        let event = Event::Remit {
            month,
            region,
            percent,
            tag: "RU2",
            delivery,
        };
        self.at(day, event);
        let Some(shape) = shape else { return };
        if shape == RemittanceShape::ReportedLate {
            self.plant_late_report(month, region, day, late);
        } else {
            let event = Event::JudgeRemittance { month, region };
            self.at(due.deadline.next(), event);
        }
    }

    fn plant_late_report(
        &mut self,
        month: MonthIndex,
        region: usize,
        day: BusinessDate,
        sent_on: BusinessDate,
    ) {
        let planted = Planted {
            period: Some(self.city.period(month)),
            topic: Some(TOPIC),
            planted_on: day,
            opened_on: Some(sent_on),
            ..self.planted(
                "late-fact",
                None,
                self.city.regions[region].code.to_string(),
                region,
                0,
                "remitted in time, and the record was sent after the due date",
            )
        };
        self.plant(planted);
    }

    /// The day after the deadline of a remittance that is late or short.
    pub(crate) fn judge_remittance(&mut self, month: MonthIndex, region: usize) {
        let short = self.collected[month as usize][region] - self.remitted[month as usize][region];
        let shape = self.plans.remittances.get(&(month, region));
        let (kind, is_made_good, why) = match shape {
            Some(RemittanceShape::Late) => {
                ("late-remittance", true, "the rest was remitted days late")
            }
            Some(RemittanceShape::Never) => {
                ("late-remittance-never", false, "nothing was remitted")
            }
            _ => (
                "late-remittance-partial",
                false,
                "a part of the month's collection was kept back",
            ),
        };
        // The agenda holds the late one by now, if it is to come before the end.
        let made_good_on = is_made_good
            .then(|| self.remittance_on_agenda(month, region))
            .flatten();
        let planted = Planted {
            period: Some(self.city.period(month)),
            cleared_on: made_good_on,
            ..self.planted(
                kind,
                Some(Detector::LateRemittance),
                self.city.regions[region].code.to_string(),
                region,
                short,
                why,
            )
        };
        if short > 0 {
            self.plant(planted);
        }
    }

    pub(crate) fn remit(
        &mut self,
        month: MonthIndex,
        region: usize,
        percent: i64,
        tag: &'static str,
        delivery: Delivery,
    ) -> io::Result<()> {
        let rest = self.collected[month as usize][region] - self.remitted[month as usize][region];
        let amount = rest * percent / 100;
        if amount <= 0 {
            return Ok(());
        }
        self.remitted[month as usize][region] += amount;
        let period = self.city.period(month);
        let id = self.transfer_id(region, period, tag);
        self.begin_transfer(&id, region, TransferKind::RemitUp, amount);
        self.record.period("period", period);
        self.post.send(TOPIC, region, &mut self.record, delivery)
    }

    /// What the city sends down for the month's pensions, three business days before they are paid.
    fn plan_allocation(&mut self, month: MonthIndex, region: usize) {
        let Some(due) = self.policy.payout_due(self.city.period(month)) else {
            return;
        };
        let days = self.business_days(self.today, due.date);
        let day = days[days.len().saturating_sub(4)];
        let yuan = 400_000 + self.draw(month, region).next().next().below(600_000);
        self.plan_transfer(
            day,
            region,
            TransferKind::AllocateDown,
            "AD",
            yuan as i64 * 100,
            None,
        );
        if matches!(self.city.period(month).month(), 6 | 12) && self.city.regions[region].remits {
            self.plan_transfer(
                day,
                region,
                TransferKind::CountySubsidy,
                "CB",
                yuan as i64 * 40,
                None,
            );
        }
    }

    fn plan_subsidy(&mut self, month: MonthIndex, region: usize, is_central: bool) {
        let days = self.business_days(self.today, self.today.period().last_day());
        let draw = self.draw(month, region).next();
        let day = days[draw.place(days.len().min(15))];
        let Some(deadline) = self.policy.release_deadline(day) else {
            return;
        };
        let (kind, tag) = if is_central {
            (TransferKind::CentralSubsidy, "CS")
        } else {
            (TransferKind::ProvincialSubsidy, "PS")
        };
        let amount = (1_000_000 + draw.next().below(3_000_000)) as i64 * 100;
        self.plan_transfer(day, region, kind, tag, amount, None);
        let good = self.business_days(day, deadline);
        let release_on = good[draw.next().next().place(good.len())];
        let shape = self
            .plans
            .subsidies
            .get(&(month, region, is_central))
            .copied();
        let late = self.business_day_after(deadline, 4 + draw.below(20) as u32);
        let mut release = |on: BusinessDate, part: &'static str, amount: i64| {
            let kind = TransferKind::TreasuryRelease;
            self.plan_transfer(on, region, kind, part, amount, Some(tag));
        };
        let (one, two) = if is_central {
            ("CR1", "CR2")
        } else {
            ("PR1", "PR2")
        };
        let (kind, at_stake, cleared_on, why) = match shape {
            None if draw.bits().is_multiple_of(3) => {
                release(day, one, amount / 2);
                release(release_on, two, amount - amount / 2);
                return;
            }
            None => {
                release(release_on, one, amount);
                return;
            }
            Some(SubsidyShape::Never) => (
                "stalled-never",
                amount,
                None,
                "the treasury kept the subsidy",
            ),
            Some(SubsidyShape::Partial) => {
                release(release_on, one, amount * 2 / 5);
                let rest = amount - amount * 2 / 5;
                (
                    "stalled-partial",
                    rest,
                    None,
                    "the treasury kept three fifths",
                )
            }
            Some(SubsidyShape::Late) => {
                release(late, one, amount);
                let why = "the subsidy left the treasury days late";
                ("stalled-late", amount, Some(late), why)
            }
            Some(SubsidyShape::RestLate) => {
                release(release_on, one, amount / 4);
                release(late, two, amount - amount / 4);
                let why = "a quarter left the treasury in time, the rest days late";
                ("stalled-rest-late", amount - amount / 4, Some(late), why)
            }
        };
        let id = self.transfer_id(region, self.today.period(), tag);
        let subject = String::from_utf8_lossy(id.bytes()).into_owned();
        let planted = Planted {
            planted_on: day,
            opened_on: Some(deadline.next()),
            cleared_on,
            ..self.planted(
                kind,
                Some(Detector::StalledSubsidy),
                subject,
                region,
                at_stake,
                why,
            )
        };
        self.plant(planted);
    }

    fn plan_transfer(
        &mut self,
        day: BusinessDate,
        region: usize,
        kind: TransferKind,
        tag: &'static str,
        amount: i64,
        source: Option<&'static str>,
    ) {
        let transfer = Transfer {
            region,
            kind,
            month: self.today.period(),
            tag,
            amount,
            source,
        };
        self.at(day, Event::Transfer(transfer));
    }

    pub(crate) fn transfer(&mut self, transfer: &Transfer) -> io::Result<()> {
        let Transfer { region, month, .. } = *transfer;
        let id = self.transfer_id(region, month, transfer.tag);
        self.begin_transfer(&id, region, transfer.kind, transfer.amount);
        if let Some(source) = transfer.source {
            let source = self.transfer_id(region, month, source);
            self.record.text("source", source.bytes());
        }
        self.post
            .send(TOPIC, region, &mut self.record, Delivery::AtOnce)
    }

    fn begin_transfer(&mut self, id: &Id, region: usize, kind: TransferKind, amount: i64) {
        let code = self.city.regions[region].code;
        self.record
            .begin(id, "transfer", code, self.today)
            .text("kind", kind.as_str().as_bytes())
            .amount(amount);
    }

    fn transfer_id(&self, region: usize, month: Period, tag: &str) -> Id {
        Id::new("T")
            .word(self.city.regions[region].code.as_str())
            .letter(b'-')
            .month(month)
            .letter(b'-')
            .word(tag)
    }
}
