//! Agencies and civil affairs: who is on the roster, who is paid, who has died.

use std::io;

use domain::{BusinessDate, Detector, Nature, RosterStatus, Topic};
use rules::Due;

use crate::city::{Life, MonthIndex};
use crate::dice::Purpose;
use crate::names;
use crate::plan::{DeathPlan, ItemShape, PersonPlan, PersonShape};
use crate::post::Delivery;
use crate::record::Id;
use crate::simulation::{Event, Item, Payout, ReportedName, Simulation};
use crate::truth::Planted;

const SOURCES: [&str; 3] = ["crematorium", "hospital", "police"];

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

    fn report(
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

    fn change(
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
    fn pension_of(&self, person: u32, month: MonthIndex, amount: i64) -> Payout {
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

    fn plan_misfortune(&mut self, at: usize, due: Due) {
        use PersonShape as P;
        let plan = self.plans.people[at];
        match plan.shape {
            P::TwiceSameRegion | P::TwiceAcrossRegions | P::TwiceReversed | P::TwiceShortNumber => {
                self.plan_duplicate(plan, due);
            }
            P::MissedLate | P::MissedNever | P::MissedReversed => self.plan_missed(plan, due),
            P::LatePayout | P::LostPayout => self.plan_delayed_payout(plan, due),
            _ => self.plans.people[at].death = self.plan_unnoticed_death(plan),
        }
    }

    fn plan_duplicate(&mut self, plan: PersonPlan, due: Due) {
        use PersonShape as P;
        let amount = self.city.pension(plan.person, plan.month);
        let first = self.pension_of(plan.person, plan.month, amount);
        let days = if plan.person.is_multiple_of(3) { 0 } else { 1 };
        let twice_on = self.policy.calendar().plus_business_days(due.date, days);
        let reversed_on = self.policy.calendar().plus_business_days(twice_on, 6);
        let (kind, second, why) = match plan.shape {
            P::TwiceAcrossRegions => (
                "duplicate-across-regions",
                Payout {
                    region: (first.region + 1) % self.city.regions.len(),
                    amount: amount * 9 / 10,
                    ..first
                },
                "paid by two regions for the same month",
            ),
            P::TwiceShortNumber => (
                "duplicate-short-number",
                Payout {
                    series: b'Q',
                    is_short: true,
                    ..first
                },
                "paid twice, the second time under the number's 15 digits",
            ),
            P::TwiceReversed => (
                "duplicate-reversed",
                Payout {
                    series: b'Q',
                    ..first
                },
                "paid twice, and the second payout taken back",
            ),
            _ => (
                "duplicate-same-region",
                Payout {
                    series: b'Q',
                    ..first
                },
                "paid twice by one region",
            ),
        };
        // In a pool of one region, the region paid under its own series before.
        let second = if second.region == first.region {
            Payout {
                series: b'Q',
                ..second
            }
        } else {
            second
        };
        self.at(twice_on, Event::Payout(second));
        let is_reversed = plan.shape == P::TwiceReversed;
        if is_reversed {
            self.at(reversed_on, Event::PayoutReversal(second));
        }
        let latest = [
            (due.date, self.payout_id(&first), first.region),
            (twice_on, self.payout_id(&second), second.region),
        ]
        .into_iter()
        .max_by_key(|(day, id, _)| (*day, *id))
        .map_or(first.region, |(_, _, region)| region);
        let planted = Planted {
            item: Some(self.items.pension.clone()),
            planted_on: twice_on,
            opened_on: Some(twice_on),
            cleared_on: is_reversed.then_some(reversed_on),
            ..self.planted_month(plan, kind, Detector::DuplicatePayout, second.amount, why)
        };
        self.plant(Planted {
            region: self.city.regions[latest].code,
            ..planted
        });
    }

    fn plan_missed(&mut self, plan: PersonPlan, due: Due) {
        use PersonShape as P;
        let amount = self.city.pension(plan.person, plan.month);
        let payout = self.pension_of(plan.person, plan.month, amount);
        let made_good_on = self.business_day_after(due.deadline, 4 + plan.person % 9);
        let reversed_on = self.policy.calendar().plus_business_days(due.date, 1);
        let (kind, opened_on, cleared_on, why) = match plan.shape {
            P::MissedLate => {
                let nature = if plan.person.is_multiple_of(2) {
                    Nature::BackPay
                } else {
                    Nature::Regular
                };
                let late = Payout {
                    series: b'B',
                    nature,
                    ..payout
                };
                self.at(made_good_on, Event::Payout(late));
                let why = "left out, and paid after the grace";
                ("missed-late", due.deadline.next(), Some(made_good_on), why)
            }
            P::MissedReversed => {
                self.at(reversed_on, Event::PayoutReversal(payout));
                let opened_on = reversed_on.max(due.deadline.next());
                let why = "paid, taken back by the bank, and not paid again";
                ("missed-reversed", opened_on, None, why)
            }
            _ => {
                let why = "on the roster, and not paid";
                ("missed-never", due.deadline.next(), None, why)
            }
        };
        let planted = Planted {
            planted_on: due.date,
            opened_on: Some(opened_on),
            cleared_on,
            ..self.planted_month(plan, kind, Detector::MissedPayout, amount, why)
        };
        self.plant(planted);
    }

    /// A payout in time, of which the record comes late or is lost for days; on a day that has such a
    /// record already, it comes in time like any other.
    fn plan_delayed_payout(&mut self, plan: PersonPlan, due: Due) {
        const TOPIC: Topic = Topic::AgencyPayout;
        let amount = self.city.pension(plan.person, plan.month);
        let payout = self.pension_of(plan.person, plan.month, amount);
        let region = payout.region;
        let late_on = self.business_day_after(due.deadline, 3);
        let found_on = self.policy.calendar().plus_business_days(due.date, 3);
        let is_late = plan.shape == PersonShape::LatePayout;
        let delivery = if is_late && self.reserve(TOPIC, region, &[late_on]) {
            self.plant_late_payout(plan, region, due.date, late_on);
            Delivery::Late(late_on)
        } else if !is_late && self.reserve(TOPIC, region, &[due.date, found_on]) {
            self.plant_lost(TOPIC, region, amount, due.date, found_on);
            Delivery::Lost(found_on)
        } else {
            Delivery::AtOnce
        };
        self.at(due.date, Event::Payout(Payout { delivery, ..payout }));
    }

    fn plant_late_payout(
        &mut self,
        plan: PersonPlan,
        region: usize,
        paid_on: BusinessDate,
        sent_on: BusinessDate,
    ) {
        let planted = Planted {
            period: Some(self.city.period(plan.month)),
            topic: Some(Topic::AgencyPayout),
            planted_on: paid_on,
            opened_on: Some(sent_on),
            ..self.planted(
                "late-fact",
                None,
                self.reveal(plan.person),
                region,
                self.city.pension(plan.person, plan.month),
                "paid in time, and the record was sent after the grace",
            )
        };
        self.plant(planted);
    }

    /// A death that is reported, and that the agency does not act on. What comes of it shows as it is
    /// paid; see `Simulation::judge_deaths`.
    fn plan_unnoticed_death(&mut self, plan: PersonPlan) -> Option<DeathPlan> {
        use PersonShape as P;
        let draw = self
            .city
            .dice
            .roll(Purpose::DeathReport, u64::from(plan.person));
        let died_on = self.city.period(plan.month).day(3 + draw.below(18) as u32);
        let delay = if plan.shape == P::DeadReportedLate {
            70
        } else {
            1 + draw.next().below(4) as u32
        };
        let reported_on = self.business_day_after(died_on, delay);
        if self.is_silent(Topic::CivilDeath, plan.person, reported_on) {
            return None;
        }
        let source = SOURCES[draw.next().next().place(2)];
        let name = match plan.shape {
            P::DeadNumberOnly => ReportedName::Absent,
            P::DeadOtherName => ReportedName::Other,
            _ => ReportedName::Right,
        };
        self.report(reported_on, plan.person, died_on, source, name, b'A');
        if matches!(plan.shape, P::DeadTwoSources | P::DeadStopped) {
            let again_on = self.business_day_after(reported_on, 3);
            self.report(again_on, plan.person, died_on, "police", name, b'B');
        }
        let last_paid = match plan.shape {
            P::DeadStopped => plan.month + 3,
            P::DeadRecovered => plan.month + 1,
            _ => MonthIndex::MAX,
        };
        if last_paid < MonthIndex::MAX {
            let last_payout = self.policy.payout_due(self.city.period(last_paid));
            let ended_on = self.business_day_after(last_payout?.date, 2);
            self.change(ended_on, plan.person, last_paid, b'E', RosterStatus::Ended);
        }
        let closes_on = match plan.shape {
            P::DeadRecovered => {
                let amount = self.city.pension(plan.person, last_paid);
                let paid = self.pension_of(plan.person, last_paid, amount);
                let last_payout = self.policy.payout_due(self.city.period(last_paid));
                let day = self.business_day_after(last_payout?.date, 16);
                self.at(day, Event::PayoutReversal(paid));
                Some(day)
            }
            P::DeadCancelled => {
                let after = self.city.period(plan.month + 2).day(8);
                let day = self.business_day_after(after, 0);
                self.at(
                    day,
                    Event::DeathCancelled {
                        person: plan.person,
                        reported_on,
                    },
                );
                Some(day)
            }
            _ => None,
        };
        Some(DeathPlan {
            reported_on,
            last_paid,
            closes_on,
            first_paid_on: None,
            at_stake: 0,
        })
    }

    fn is_silent(&self, topic: Topic, person: u32, day: BusinessDate) -> bool {
        let region = self.city.region_of(person);
        self.silences.iter().any(|silence| {
            silence.topic == topic && silence.region == region && silence.from <= day
        })
    }

    fn planted_month(
        &self,
        plan: PersonPlan,
        kind: &'static str,
        detector: Detector,
        amount: i64,
        why: &'static str,
    ) -> Planted {
        let region = self.city.region_of(plan.person);
        let subject = self.reveal(plan.person);
        Planted {
            period: Some(self.city.period(plan.month)),
            ..self.planted(kind, Some(detector), subject, region, amount, why)
        }
    }

    /// Items that the fund may not pay, to people of the region whose lives are uneventful.
    fn plan_items(&mut self, month: MonthIndex, due: Due) {
        let of_month: Vec<_> = self
            .plans
            .items
            .iter()
            .filter_map(|(&(since, region, item), &shape)| {
                let last = since + if shape == ItemShape::Months { 2 } else { 0 };
                (since..=last)
                    .contains(&month)
                    .then_some((region, item, shape))
            })
            .collect();
        for (region, item, shape) in of_month {
            self.plan_item(month, region, item, shape, due);
        }
    }

    fn plan_item(
        &mut self,
        month: MonthIndex,
        region: usize,
        item: usize,
        shape: ItemShape,
        due: Due,
    ) {
        let (kind, people, amount, why) = match shape {
            ItemShape::Batch => (
                "unauthorised-batch",
                40,
                20_000,
                "an item that the fund may not pay, to many",
            ),
            ItemShape::Single => (
                "unauthorised-single",
                1,
                1_250_000,
                "an item that the fund may not pay, once",
            ),
            ItemShape::Reversed => (
                "unauthorised-reversed",
                6,
                30_000,
                "an item that the fund may not pay, taken back later",
            ),
            ItemShape::Months => (
                "unauthorised-months",
                12,
                12_000,
                "an item that the fund may not pay, for three months",
            ),
        };
        let paid_on = self.policy.calendar().plus_business_days(due.date, 1);
        let reversed_on = self.policy.calendar().plus_business_days(paid_on, 7);
        let mut sum = 0;
        for person in self.uneventful_people(region, month, people) {
            let payout = Payout {
                series: b'U',
                item: Item::Unauthorised(item),
                nature: if person % 2 == 0 {
                    Nature::LumpSum
                } else {
                    Nature::Regular
                },
                ..self.pension_of(person, month, amount)
            };
            sum += amount;
            self.at(paid_on, Event::Payout(payout));
            if shape == ItemShape::Reversed {
                self.at(reversed_on, Event::PayoutReversal(payout));
            }
        }
        let planted = Planted {
            period: Some(self.city.period(month)),
            item: Some(self.items.unauthorised[item].clone()),
            planted_on: paid_on,
            opened_on: Some(paid_on),
            cleared_on: (shape == ItemShape::Reversed).then_some(reversed_on),
            ..self.planted(
                kind,
                Some(Detector::UnauthorisedItem),
                self.city.regions[region].code.to_string(),
                region,
                sum,
                why,
            )
        };
        if sum > 0 {
            self.plant(planted);
        }
    }

    fn uneventful_people(&self, region: usize, month: MonthIndex, count: usize) -> Vec<u32> {
        let people = self.city.size.retirees;
        let start = self
            .city
            .dice
            .roll2(Purpose::Victim, region as u64, month as u64)
            .below(u64::from(people)) as u32;
        let uneventful = Life {
            start: -1,
            ..Life::default()
        };
        (0..people)
            .map(|step| ((u64::from(start) + u64::from(step)) % u64::from(people)) as u32)
            .filter(|&person| {
                self.city.region_of(person) == region
                    && self.city.life(person) == uneventful
                    && self.plans.person(person).is_none()
            })
            .take(count)
            .collect()
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

    fn payout_id(&self, payout: &Payout) -> Id {
        let period = self.city.period(payout.month);
        let series = [payout.series];
        let start = std::str::from_utf8(&series).expect("series are ASCII letters");
        self.id(start, payout.region, period, payout.person)
    }

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
