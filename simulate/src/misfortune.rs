//! What goes wrong with benefits: paid twice, paid to the dead, not paid, not payable; told late.

use domain::{BusinessDate, Detector, Nature, RosterStatus, Topic};
use rules::Due;

use crate::city::{Life, MonthIndex};
use crate::dice::Purpose;
use crate::plan::{DeathPlan, ItemShape, PersonPlan, PersonShape};
use crate::post::Delivery;
use crate::simulation::{Event, Item, Payout, ReportedName, SOURCES, Simulation};
use crate::truth::Planted;

impl Simulation<'_> {
    pub(crate) fn plan_misfortune(&mut self, at: usize, due: Due) {
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
    pub(crate) fn plan_items(&mut self, month: MonthIndex, due: Due) {
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
}
