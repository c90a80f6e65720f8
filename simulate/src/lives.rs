//! Lives as they should be: awards, pauses, deaths that are reported, and the payout day.

use std::io;

use domain::{BusinessDate, Nature, RosterStatus};
use rules::Due;

use crate::city::{Life, MonthIndex};
use crate::dice::Purpose;
use crate::plan::PersonShape;
use crate::post::Delivery;
use crate::simulation::{Event, Item, Payout, ReportedName, SOURCES, Simulation};

impl Simulation<'_> {
    /// Puts the month's awards, pauses, deaths and payouts on the agenda.
    pub(crate) fn plan_people(&mut self, month: MonthIndex) {
        let period = self.city.period(month);
        let Some(due) = self.policy.payout_due(period) else {
            return;
        };
        if period.month() == 7 {
            let days = self.business_days(self.today, due.date);
            let day = days.get(2).copied().unwrap_or(due.date);
            self.at(day, Event::AdjustRoster(month));
        }
        self.at(due.date, Event::PayPensions(month));
        self.plan_lives(month, due);
        for at in 0..self.plans.people.len() {
            if self.plans.people[at].month == month {
                self.plan_misfortune(at, due);
            }
        }
        self.plan_items(month, due);
    }

    fn plan_lives(&mut self, month: MonthIndex, due: Due) {
        let last = self.today.period().last_day();
        // Whatever changes the roster is dated after the first of the month: what holds on the first
        // day is what the month before left.
        let after_first = self.business_days(self.today.next(), last);
        let before_payout = self.business_days(self.today.next(), due.date);
        for person in 0..self.city.people() {
            let life = self.city.life(person);
            let is_eventful = life.start == month
                || life.death.is_some_and(|(at, _)| at == month)
                || life
                    .pause
                    .is_some_and(|(from, to)| from == month || to == month);
            if !is_eventful || self.plans.person(person).is_some() {
                continue;
            }
            let draw = self
                .city
                .dice
                .roll2(Purpose::LifeDay, u64::from(person), month as u64);
            let pick = |days: &[BusinessDate]| {
                if days.is_empty() {
                    due.date
                } else {
                    days[draw.place(days.len())]
                }
            };
            if life.start == month {
                self.change(
                    pick(&after_first),
                    person,
                    month,
                    b'N',
                    RosterStatus::Receiving,
                );
            }
            if let Some((from, to)) = life.pause {
                if from == month {
                    let day = pick(&before_payout);
                    self.change(day, person, month, b'P', RosterStatus::Suspended);
                }
                if to == month {
                    let day = pick(&before_payout);
                    self.change(day, person, month, b'Q', RosterStatus::Receiving);
                }
            }
            if let Some((at, day)) = life.death
                && at == month
            {
                self.plan_death(person, month, self.today.period().day(day));
            }
        }
    }

    /// A death as it should be: reported within days, the roster ended before the next payout, the
    /// funeral paid for.
    fn plan_death(&mut self, person: u32, month: MonthIndex, died_on: BusinessDate) {
        let draw = self.city.dice.roll(Purpose::DeathReport, u64::from(person));
        let reported_on = self.business_day_after(died_on, 1 + draw.below(5) as u32);
        let source = SOURCES[draw.next().place(2)];
        let named = if draw.next().next().below(10) == 0 {
            ReportedName::Absent
        } else {
            ReportedName::Right
        };
        self.report(reported_on, person, died_on, source, named, b'A');
        if draw.bits().is_multiple_of(2) {
            let again_on = self.business_day_after(reported_on, 2);
            self.report(again_on, person, died_on, "police", named, b'B');
        }
        let next = self.city.period(month + 1);
        let next_payout = self.policy.payout_due(next).map(|due| due.date);
        let first = self.policy.calendar().on_or_after(next.first_day());
        let ended_on = self.business_day_after(reported_on, 1).max(first);
        let ended_on = next_payout.map_or(ended_on, |day| ended_on.min(day));
        self.change(ended_on, person, month + 1, b'E', RosterStatus::Ended);
        if self.items.funeral.is_some() && self.policy.benefit(next).is_some() {
            let paid_on = self.business_day_after(ended_on, 3 + draw.below(7) as u32);
            let amount = 1_000_000 + draw.below(200) as i64 * 10_000;
            let payout = Payout {
                series: b'F',
                nature: Nature::LumpSum,
                item: Item::Funeral,
                ..self.pension_of(person, month + 1, amount)
            };
            self.at(paid_on, Event::Payout(payout));
        }
    }

    pub(crate) fn report(
        &mut self,
        day: BusinessDate,
        person: u32,
        died_on: BusinessDate,
        source: &'static str,
        name: ReportedName,
        letter: u8,
    ) {
        let event = Event::Death {
            person,
            died_on,
            source,
            name,
            letter,
        };
        self.at(day, event);
    }

    pub(crate) fn change(
        &mut self,
        day: BusinessDate,
        person: u32,
        month: MonthIndex,
        letter: u8,
        status: RosterStatus,
    ) {
        let amount = (status == RosterStatus::Receiving).then(|| self.city.pension(person, month));
        let event = Event::Roster {
            person,
            status,
            month,
            letter,
            amount,
        };
        self.at(day, event);
    }

    /// The regular pension of a month.
    pub(crate) fn pension_of(&self, person: u32, month: MonthIndex, amount: i64) -> Payout {
        Payout {
            person,
            month,
            series: b'P',
            region: self.city.region_of(person),
            nature: Nature::Regular,
            item: Item::Pension,
            amount,
            is_short: false,
            delivery: Delivery::AtOnce,
        }
    }

    pub(crate) fn open_roster(&mut self) -> io::Result<()> {
        for person in 0..self.city.size.retirees {
            let amount = self.city.pension(person, -1);
            self.roster(person, RosterStatus::Receiving, -1, b'O', Some(amount))?;
        }
        Ok(())
    }

    /// Records the raised pensions of those who are on the roster and neither new nor paused.
    pub(crate) fn adjust_roster(&mut self, month: MonthIndex) -> io::Result<()> {
        for person in 0..self.city.people() {
            let is_on_roster = match self.plans.person(person) {
                Some(at) => {
                    let plan = self.plans.people[at];
                    plan.death.is_none_or(|death| month <= death.last_paid)
                }
                None => {
                    let life = self.city.life(person);
                    life.start < month
                        && life.death.is_none_or(|(died, _)| month <= died)
                        && life
                            .pause
                            .is_none_or(|(from, to)| month < from || to < month)
                }
            };
            if is_on_roster {
                let amount = self.city.pension(person, month);
                self.roster(person, RosterStatus::Receiving, month, b'J', Some(amount))?;
            }
        }
        Ok(())
    }

    /// The payout day: everybody's pension, with what ordinary life does to some.
    pub(crate) fn pay_pensions(&mut self, month: MonthIndex) -> io::Result<()> {
        let Some(due) = self.policy.payout_due(self.city.period(month)) else {
            return Ok(());
        };
        let grace_days = self.business_days(due.date.next(), due.deadline);
        let is_july = self.city.period(month).month() == 7;
        let mut plans = 0;
        for person in 0..self.city.people() {
            if self.plans.people.get(plans).map(|plan| plan.person) == Some(person) {
                self.pay_victim(plans, month)?;
                plans += 1;
                continue;
            }
            let life = self.city.life(person);
            if life.death.is_some_and(|(died, _)| died < month) {
                self.pay_survivor(person, month)?;
                continue;
            }
            let is_paused = life
                .pause
                .is_some_and(|(from, to)| from <= month && month < to);
            if month <= life.start || is_paused {
                continue;
            }
            self.pay_missed_months(person, month, &life)?;
            self.pay_pension(person, month, &grace_days)?;
            if is_july && life.start < 0 {
                self.pay_raise(person, month)?;
            }
        }
        Ok(())
    }

    fn pay_victim(&mut self, at: usize, month: MonthIndex) -> io::Result<()> {
        use PersonShape as P;
        let plan = self.plans.people[at];
        let is_left_out = match plan.shape {
            P::MissedLate | P::MissedNever | P::LatePayout | P::LostPayout => month == plan.month,
            _ => plan.death.is_some_and(|death| death.last_paid < month),
        };
        if is_left_out {
            return Ok(());
        }
        let amount = self.city.pension(plan.person, month);
        if let Some(death) = &mut self.plans.people[at].death
            && plan.month < month
        {
            death.first_paid_on.get_or_insert(self.today);
            if death.closes_on.is_none_or(|day| self.today < day) {
                death.at_stake += amount;
            }
        }
        self.payout(&self.pension_of(plan.person, month, amount))
    }

    /// A quarter of the dead leave somebody whom the fund pays on.
    fn pay_survivor(&mut self, person: u32, month: MonthIndex) -> io::Result<()> {
        let has_survivor = self
            .city
            .dice
            .roll(Purpose::DeathDay, u64::from(person))
            .next()
            .below(4)
            == 0;
        if !has_survivor || self.items.survivor.is_none() {
            return Ok(());
        }
        let payout = Payout {
            series: b'S',
            item: Item::Survivor,
            ..self.pension_of(person, month, 98_000)
        };
        self.payout(&payout)
    }

    /// Back pay of the month of the award, or of the months without a certificate.
    fn pay_missed_months(&mut self, person: u32, month: MonthIndex, life: &Life) -> io::Result<()> {
        let missed = match life.pause {
            _ if 0 <= life.start && life.start + 1 == month => life.start..month,
            Some((from, to)) if to == month => from..month,
            _ => return Ok(()),
        };
        for missed_month in missed {
            let amount = self.city.pension(person, missed_month);
            let payout = Payout {
                series: b'B',
                nature: Nature::BackPay,
                ..self.pension_of(person, missed_month, amount)
            };
            self.payout(&payout)?;
        }
        Ok(())
    }

    fn pay_pension(
        &mut self,
        person: u32,
        month: MonthIndex,
        grace_days: &[BusinessDate],
    ) -> io::Result<()> {
        let amount = self.city.pension(person, month);
        let payout = self.pension_of(person, month, amount);
        let draw = self
            .city
            .dice
            .roll2(Purpose::Payout, u64::from(person), month as u64);
        match draw.below(1_000) {
            0..2 => {
                // Sent back by the bank, and issued again on the same day.
                self.payout(&payout)?;
                self.payout_reversal(&payout)?;
                self.payout(&Payout {
                    series: b'R',
                    ..payout
                })
            }
            2..5 if !grace_days.is_empty() => {
                let back_pay = Payout {
                    series: b'G',
                    nature: Nature::BackPay,
                    ..payout
                };
                let day = grace_days[draw.next().place(grace_days.len())];
                self.at(day, Event::Payout(back_pay));
                Ok(())
            }
            _ => self.payout(&payout),
        }
    }

    /// What a raise makes good for January to June, in one sum.
    fn pay_raise(&mut self, person: u32, month: MonthIndex) -> io::Result<()> {
        let raise = self.city.pension(person, month) - self.city.pension(person, month - 1);
        let payout = Payout {
            series: b'L',
            nature: Nature::LumpSum,
            ..self.pension_of(person, month, raise * 6)
        };
        self.payout(&payout)
    }
}
