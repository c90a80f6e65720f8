//! Whom irregularities befall: every kind of them in several shapes, spread over the city.

use std::collections::BTreeMap;

use domain::BusinessDate;

use crate::city::{City, MonthIndex};
use crate::dice::{Dice, Purpose};

/// How often irregularities are planted.
///
/// Rates are in parts of a million of the population a year. A kind whose rate is not zero is
/// planted at least once in each of its shapes, as long as it befalls no more than a quarter of the
/// population.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Irregularities {
    /// Enterprises that declare too low a base.
    pub under_declared: u32,
    /// Enterprises that pay late, in part, or not.
    pub arrears: u32,
    /// Enterprises that do not declare.
    pub undeclared: u32,
    /// Retirees who are paid twice.
    pub duplicates: u32,
    /// Retirees who are paid after their death.
    pub deceased: u32,
    /// Retirees who are not paid.
    pub missed: u32,
    /// Items paid that the fund may not pay; the population is regions times months.
    pub unauthorised: u32,
    /// Remittances that are late or short; the population is regions times months.
    pub remittances: u32,
    /// Subsidies that stay in the treasury; the population is subsidies.
    pub subsidies: u32,
    /// Records that come late, are lost for days or reuse an id; the population is retirees and
    /// enterprises.
    pub deliveries: u32,
    /// Bad records of each reason a year.
    pub faults: u32,
    /// Whether, in the second half of the time, one region's feed of deaths falls silent for good and
    /// another's roster for six business days. A live run holds back what it cannot know because of a
    /// silent feed, where a replay takes all feeds to be complete: without silences the two end alike.
    pub silences: bool,
}

impl Irregularities {
    /// Nothing is wrong in the city.
    pub const NONE: Irregularities = Irregularities {
        under_declared: 0,
        arrears: 0,
        undeclared: 0,
        duplicates: 0,
        deceased: 0,
        missed: 0,
        unauthorised: 0,
        remittances: 0,
        subsidies: 0,
        deliveries: 0,
        faults: 0,
        silences: false,
    };

    /// As many as a supervisor may find in an ordinary year.
    pub const USUAL: Irregularities = Irregularities {
        under_declared: 20_000,
        arrears: 25_000,
        undeclared: 12_000,
        duplicates: 800,
        deceased: 1_000,
        missed: 800,
        unauthorised: 80_000,
        remittances: 80_000,
        subsidies: 120_000,
        deliveries: 300,
        faults: 6,
        silences: true,
    };

    /// The usual ones, `percent` hundredths as often.
    pub fn usual_times(percent: u32) -> Irregularities {
        let usual = Irregularities::USUAL;
        let times = |rate: u32| (u64::from(rate) * u64::from(percent)).div_ceil(100) as u32;
        Irregularities {
            under_declared: times(usual.under_declared),
            arrears: times(usual.arrears),
            undeclared: times(usual.undeclared),
            duplicates: times(usual.duplicates),
            deceased: times(usual.deceased),
            missed: times(usual.missed),
            unauthorised: times(usual.unauthorised),
            remittances: times(usual.remittances),
            subsidies: times(usual.subsidies),
            deliveries: times(usual.deliveries),
            faults: times(usual.faults),
            silences: usual.silences && 0 < percent,
        }
    }
}

/// What befalls an enterprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnterpriseShape {
    UnderMild,
    UnderGross,
    UnderCorrected,
    UnderFloor,
    ArrearsNever,
    ArrearsPartial,
    ArrearsLate,
    ArrearsReversed,
    ArrearsRepaid,
    UndeclaredMonth,
    UndeclaredLate,
    UndeclaredVanished,
    Conflict,
    LatePayment,
    LostPayment,
}

/// What befalls a retiree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PersonShape {
    TwiceSameRegion,
    TwiceAcrossRegions,
    TwiceReversed,
    TwiceShortNumber,
    DeadTwoSources,
    DeadOneSource,
    DeadNumberOnly,
    DeadOtherName,
    DeadReportedLate,
    DeadStopped,
    DeadRecovered,
    DeadCancelled,
    MissedLate,
    MissedNever,
    MissedReversed,
    LatePayout,
    LostPayout,
}

/// What befalls a subsidy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubsidyShape {
    Never,
    Partial,
    Late,
    RestLate,
}

/// What befalls a remittance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemittanceShape {
    Late,
    Partial,
    Never,
    ReportedLate,
}

/// What befalls an item that the fund may not pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemShape {
    Batch,
    Single,
    Reversed,
    Months,
}

use EnterpriseShape as E;
use PersonShape as P;

const UNDER_DECLARED: [E; 4] = [
    E::UnderMild,
    E::UnderGross,
    E::UnderCorrected,
    E::UnderFloor,
];
const ARREARS: [E; 5] = [
    E::ArrearsNever,
    E::ArrearsPartial,
    E::ArrearsLate,
    E::ArrearsReversed,
    E::ArrearsRepaid,
];
const UNDECLARED: [E; 3] = [E::UndeclaredMonth, E::UndeclaredLate, E::UndeclaredVanished];
const ENTERPRISE_DELIVERIES: [E; 3] = [E::Conflict, E::LatePayment, E::LostPayment];
const DUPLICATES: [P; 4] = [
    P::TwiceSameRegion,
    P::TwiceAcrossRegions,
    P::TwiceReversed,
    P::TwiceShortNumber,
];
const DECEASED: [P; 8] = [
    P::DeadTwoSources,
    P::DeadOneSource,
    P::DeadNumberOnly,
    P::DeadOtherName,
    P::DeadReportedLate,
    P::DeadStopped,
    P::DeadRecovered,
    P::DeadCancelled,
];
const MISSED: [P; 3] = [P::MissedLate, P::MissedNever, P::MissedReversed];
const PERSON_DELIVERIES: [P; 2] = [P::LatePayout, P::LostPayout];

/// An enterprise to which something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnterprisePlan {
    pub(crate) enterprise: u32,
    /// The month in which the declaration is due.
    pub(crate) month: MonthIndex,
    pub(crate) shape: EnterpriseShape,
}

/// A retiree to whom something happens, and what has come of it so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PersonPlan {
    pub(crate) person: u32,
    pub(crate) month: MonthIndex,
    pub(crate) shape: PersonShape,
    /// Of the dead: how it stands.
    pub(crate) death: Option<DeathPlan>,
}

/// A death that the agency does not act on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeathPlan {
    pub(crate) reported_on: BusinessDate,
    /// The last month that is paid.
    pub(crate) last_paid: MonthIndex,
    /// The day on which the death is cancelled or the money is back.
    pub(crate) closes_on: Option<BusinessDate>,
    /// The first payout of a later month than that of the death.
    pub(crate) first_paid_on: Option<BusinessDate>,
    /// The sum of these payouts, of those before it closes.
    pub(crate) at_stake: i64,
}

/// All that will go wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plans {
    /// By enterprise.
    pub(crate) enterprises: Vec<EnterprisePlan>,
    /// By person.
    pub(crate) people: Vec<PersonPlan>,
    /// By month collected in and region.
    pub(crate) remittances: BTreeMap<(MonthIndex, usize), RemittanceShape>,
    /// By month, region and whether it is the central one.
    pub(crate) subsidies: BTreeMap<(MonthIndex, usize, bool), SubsidyShape>,
    /// By month, region and number of the item.
    pub(crate) items: BTreeMap<(MonthIndex, usize, usize), ItemShape>,
}

/// How many unauthorised items there are to choose from.
pub(crate) const ITEMS: usize = 5;

impl Plans {
    pub(crate) fn new(city: &City, rates: &Irregularities) -> Plans {
        let months = city.size.months;
        let dice = &city.dice;
        Plans {
            enterprises: enterprises(city, rates),
            people: people(city, rates),
            remittances: remittances(city, rates.remittances, months),
            subsidies: subsidies(city, rates.subsidies, months),
            items: items(dice, city.regions.len(), rates.unauthorised, months),
        }
    }

    /// The plan for an enterprise, if there is one.
    pub(crate) fn enterprise(&self, enterprise: u32) -> Option<&EnterprisePlan> {
        let at = self
            .enterprises
            .binary_search_by_key(&enterprise, |plan| plan.enterprise);
        at.ok().map(|at| &self.enterprises[at])
    }

    /// The place of a person's plan, if there is one.
    pub(crate) fn person(&self, person: u32) -> Option<usize> {
        self.people
            .binary_search_by_key(&person, |plan| plan.person)
            .ok()
    }
}

fn enterprises(city: &City, rates: &Irregularities) -> Vec<EnterprisePlan> {
    let groups: [(u32, &[E]); 4] = [
        (rates.under_declared, &UNDER_DECLARED),
        (rates.arrears, &ARREARS),
        (rates.undeclared, &UNDECLARED),
        (rates.deliveries, &ENTERPRISE_DELIVERIES),
    ];
    let months = city.size.months;
    // Not the first month: an earlier declaration is needed to go by. Not the last: its due date
    // leaves no time for what follows.
    let choices = (months - 2).max(1) as u64;
    victims(&city.dice, 0, city.size.enterprises, months, &groups)
        .into_iter()
        .map(|(enterprise, shape)| {
            let draw = city
                .dice
                .roll2(Purpose::VictimMonth, u64::from(enterprise), 0);
            EnterprisePlan {
                enterprise,
                month: (1 + draw.below(choices) as MonthIndex).min(months - 1),
                shape,
            }
        })
        .collect()
}

fn people(city: &City, rates: &Irregularities) -> Vec<PersonPlan> {
    let groups: [(u32, &[P]); 4] = [
        (rates.duplicates, &DUPLICATES),
        (rates.deceased, &DECEASED),
        (rates.missed, &MISSED),
        (rates.deliveries, &PERSON_DELIVERIES),
    ];
    let months = city.size.months;
    let choices = (months - 1).max(1) as u64;
    victims(&city.dice, 1, city.size.retirees, months, &groups)
        .into_iter()
        .map(|(person, shape)| {
            let draw = city.dice.roll2(Purpose::VictimMonth, u64::from(person), 1);
            PersonPlan {
                person,
                month: draw.below(choices) as MonthIndex,
                shape,
                death: None,
            }
        })
        .collect()
}

/// Draws the victims of all groups of shapes, no two the same, in ascending order.
fn victims<S: Copy>(
    dice: &Dice,
    stream: u64,
    population: u32,
    months: MonthIndex,
    groups: &[(u32, &[S])],
) -> Vec<(u32, S)> {
    let mut shapes: Vec<S> = Vec::new();
    for (rate, of_group) in groups {
        let count = planned(*rate, u64::from(population), months, of_group.len());
        shapes.extend(of_group.iter().copied().cycle().take(count));
    }
    shuffle(dice, stream, &mut shapes);
    shapes.truncate(population as usize / 4);
    let count = shapes.len() as u64;
    // One from each of as many strips: distinct, and spread over the whole city.
    shapes
        .into_iter()
        .zip(0_u64..)
        .map(|(shape, strip)| {
            let first = u64::from(population) * strip / count;
            let width = u64::from(population) * (strip + 1) / count - first;
            let draw = dice.roll2(Purpose::Victim, strip, stream);
            ((first + draw.below(width)) as u32, shape)
        })
        .collect()
}

/// How many of a kind to plant.
fn planned(rate: u32, population: u64, months: MonthIndex, shapes: usize) -> usize {
    if rate == 0 {
        return 0;
    }
    let count = u128::from(rate) * u128::from(population) * months as u128 / 12_000_000;
    usize::try_from(count).unwrap_or(usize::MAX).max(shapes)
}

fn shuffle<S>(dice: &Dice, stream: u64, list: &mut [S]) {
    for at in (1..list.len()).rev() {
        let draw = dice.roll2(Purpose::Shape, at as u64, stream);
        list.swap(at, draw.place(at + 1));
    }
}

/// Chooses keys out of a list for the shapes, as many as the rate says, but at most half.
fn choose<K: Ord + Copy, S: Copy>(
    dice: &Dice,
    stream: u64,
    mut keys: Vec<K>,
    count: usize,
    shapes: &[S],
) -> BTreeMap<K, S> {
    shuffle(dice, stream, &mut keys);
    let most = keys.len().div_ceil(2);
    keys.into_iter()
        .take(count.min(most))
        .zip(shapes.iter().copied().cycle())
        .collect()
}

fn remittances(
    city: &City,
    rate: u32,
    months: MonthIndex,
) -> BTreeMap<(MonthIndex, usize), RemittanceShape> {
    let remitting = (0..city.regions.len()).filter(|&region| city.regions[region].remits);
    let keys: Vec<_> = remitting
        .flat_map(|region| (0..months - 1).map(move |month| (month, region)))
        .collect();
    let shapes = [
        RemittanceShape::Late,
        RemittanceShape::Partial,
        RemittanceShape::Never,
        RemittanceShape::ReportedLate,
    ];
    // The keys are those of all months already: the rate is not one of a year any more.
    let count = planned(rate, keys.len() as u64, 12, shapes.len());
    choose(&city.dice, 2, keys, count, &shapes)
}

fn subsidies(
    city: &City,
    rate: u32,
    months: MonthIndex,
) -> BTreeMap<(MonthIndex, usize, bool), SubsidyShape> {
    let keys: Vec<_> = (0..months)
        .filter_map(|month| city.subsidy_of(month).map(|central| (month, central)))
        .flat_map(|(month, central)| {
            (0..city.regions.len()).map(move |region| (month, region, central))
        })
        .collect();
    let shapes = [
        SubsidyShape::Never,
        SubsidyShape::Partial,
        SubsidyShape::Late,
        SubsidyShape::RestLate,
    ];
    let count = planned(rate, keys.len() as u64, 12, shapes.len());
    choose(&city.dice, 3, keys, count, &shapes)
}

fn items(
    dice: &Dice,
    regions: usize,
    rate: u32,
    months: MonthIndex,
) -> BTreeMap<(MonthIndex, usize, usize), ItemShape> {
    let shapes = [
        ItemShape::Batch,
        ItemShape::Single,
        ItemShape::Reversed,
        ItemShape::Months,
    ];
    // One item a region, so that the three months of one plan never meet another plan.
    let keys: Vec<_> = (0..regions)
        .flat_map(|region| {
            (0..months)
                .step_by(3)
                .map(move |month| (month, region, (region + month as usize / 3) % ITEMS))
        })
        .collect();
    let count = planned(rate, (regions * months as usize) as u64, 12, shapes.len());
    choose(dice, 4, keys, count, &shapes)
}
