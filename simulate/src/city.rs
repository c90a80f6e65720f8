//! Who lives and works in the city: regions, retirees and enterprises, as functions of the seed.
//!
//! A retiree is nothing but a number, from which everything else is drawn when it is needed; only
//! the enterprises, few by comparison, are kept.

use domain::{BusinessDate, CreditCode, Money, Period, PersonId, Rate, RegionCode};
use rules::{Contribution, Policy};

use crate::dice::{Dice, Draw, Purpose};
use crate::names;

/// How the city's people and enterprises spread over its regions, in parts of a thousand. Larger
/// counties have more; the weights follow the order of size, and are no published figure.
const WEIGHTS: [(&str, u64); 8] = [
    ("341000", 170),
    ("341002", 200),
    ("341003", 90),
    ("341004", 90),
    ("341021", 190),
    ("341022", 110),
    ("341023", 50),
    ("341024", 100),
];
/// The weight of a region that is not listed above.
const OTHER_WEIGHT: u64 = 100;

/// Area codes that were never assigned, so that no simulated number can be a living person's. Half
/// carry the prefix of the former prefecture (徽州地区), as most of the city's retirees do.
const AREAS: [u64; 8] = [
    342_791, 342_792, 342_793, 342_794, 341_091, 341_092, 341_093, 341_094,
];
/// Sequence numbers 996 to 999 mark the centenarians of old and are left out, as is 000.
const SEQUENCES: u64 = 995;
/// A prime, and greater than any factor of the count of numbers, so that no two people share one: spreads
/// neighbours over birth dates and areas.
const STRIDE: u64 = 61_803_419;

/// Retirees leave the roster by death, parts of a million a month: about 2.8% a year.
const DEATHS: u32 = 2_300;
/// Retirees whose certification lapses for a while, parts of a million a month.
const PAUSES: u32 = 900;
/// Enterprises that suspend business, and that are struck off, parts of a million a month.
const SUSPENSIONS: u32 = 2_500;
const CLOSURES: u32 = 2_500;
/// New retirees and new enterprises a month, per thousand of those at the start.
const NEW_RETIREES: u64 = 3;
const NEW_ENTERPRISES: u64 = 4;

/// A month's place in the simulation: 0 is the first; -1 stands for the time before.
pub(crate) type MonthIndex = i32;

/// A region of the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub(crate) code: RegionCode,
    pub(crate) remits: bool,
}

/// What a retiree lives through while the simulation runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Life {
    /// The month of the award; -1: was on the roster before.
    pub(crate) start: MonthIndex,
    /// The month and day of death.
    pub(crate) death: Option<(MonthIndex, u32)>,
    /// Not certified from within the first month to within the second.
    pub(crate) pause: Option<(MonthIndex, MonthIndex)>,
}

/// An enterprise.
#[derive(Clone, Debug)]
pub(crate) struct Enterprise {
    pub(crate) code: CreditCode,
    pub(crate) region: usize,
    pub(crate) heads: u32,
    /// Mean wage a month and head, in fen.
    wage: i64,
    /// The month of registration; -1: existed before.
    pub(crate) start: MonthIndex,
    /// Suspended from within the first month to within the second.
    pub(crate) suspension: Option<(MonthIndex, MonthIndex)>,
    /// The month in which it is struck off.
    pub(crate) end: Option<MonthIndex>,
}

impl Enterprise {
    /// Lets nothing happen to it: it was there before, and stays.
    pub(crate) fn settle(&mut self) {
        self.start = -1;
        self.suspension = None;
        self.end = None;
    }

    /// Whether it is active on the last day of the month.
    pub(crate) fn is_active_at_end_of(&self, month: MonthIndex) -> bool {
        let suspended = self
            .suspension
            .is_some_and(|(from, to)| from <= month && month < to);
        self.start <= month && !suspended && self.end.is_none_or(|end| month < end)
    }
}

/// Sizes of the city.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) months: MonthIndex,
    pub(crate) retirees: u32,
    pub(crate) enterprises: u32,
    pub(crate) contributors: u32,
}

/// The city.
pub(crate) struct City {
    pub(crate) dice: Dice,
    pub(crate) size: Size,
    pub(crate) from: Period,
    pub(crate) regions: Vec<Region>,
    /// Region by thousandth-like draw: each region stands here as often as its weight.
    region_table: Vec<u8>,
    pub(crate) enterprises: Vec<Enterprise>,
    /// Birth days of retirees: the first, and how many.
    births: (BusinessDate, u64),
}

impl City {
    pub(crate) fn new(seed: u64, from: Period, size: Size, policy: &Policy) -> City {
        let regions: Vec<Region> = policy
            .pool
            .regions
            .iter()
            .map(|region| Region {
                code: region.code,
                remits: region.remits,
            })
            .collect();
        let mut city = City {
            dice: Dice::new(seed),
            size,
            from,
            region_table: region_table(&regions),
            regions,
            enterprises: Vec::new(),
            births: births(from),
        };
        city.found_enterprises(policy);
        city
    }

    /// The period of a month.
    pub(crate) fn period(&self, month: MonthIndex) -> Period {
        let months = i32::from(self.from.months()) + month;
        Period::from_months(u16::try_from(months).expect("simulated months are after 1900"))
    }

    /// The month of a period; negative before the simulation.
    pub(crate) fn month_of(&self, period: Period) -> MonthIndex {
        i32::from(period.months()) - i32::from(self.from.months())
    }

    /// How many people are retired at the end, counting those who died.
    pub(crate) fn people(&self) -> u32 {
        let new = u64::from(self.size.retirees) * self.size.months as u64 * NEW_RETIREES / 1_000;
        self.size.retirees + new as u32
    }

    /// The subsidy that arrives in a month: the central one (true) in the first month of each quarter,
    /// the provincial one in the second.
    pub(crate) fn subsidy_of(&self, month: MonthIndex) -> Option<bool> {
        match self.period(month).month() % 3 {
            1 => Some(true),
            2 => Some(false),
            _ => None,
        }
    }

    /// The number of a retiree: the same for no two.
    pub(crate) fn person(&self, person: u32) -> PersonId {
        let (first, days) = self.births;
        let numbers = AREAS.len() as u64 * days * SEQUENCES;
        let offset = self.dice.roll(Purpose::PersonNumber, 0).below(numbers);
        let place = (u64::from(person) * STRIDE + offset) % numbers;
        let (area, rest) = (place % AREAS.len() as u64, place / AREAS.len() as u64);
        let (day, sequence) = (rest % days, rest / days + 1);
        let (year, month, day) = first.plus_days(day as u32).ymd();
        let birth = u64::from(year * 10_000 + month * 100 + day);
        PersonId::from_number((AREAS[area as usize] * 100_000_000 + birth) * 1_000 + sequence)
    }

    /// The eighteen characters of a retiree's number.
    pub(crate) fn person_digits(&self, person: u32) -> [u8; 18] {
        const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let mut rest = self.person(person).number();
        let mut digits = [0; 18];
        let mut sum = 0;
        for (at, weight) in WEIGHTS.into_iter().enumerate().rev() {
            let value = (rest % 10) as u8;
            digits[at] = b'0' + value;
            sum += u32::from(value) * weight;
            rest /= 10;
        }
        digits[17] = b"10X98765432"[(sum % 11) as usize];
        digits
    }

    /// The region that pays a retiree.
    pub(crate) fn region_of(&self, person: u32) -> usize {
        let draw = self.dice.roll(Purpose::PersonRegion, u64::from(person));
        self.draw_region(draw)
    }

    /// A retiree's name.
    pub(crate) fn name(&self, person: u32) -> String {
        names::person(self.dice.roll(Purpose::PersonName, u64::from(person)))
    }

    /// A retiree's bank account, if the agency says it: in one payout of three.
    pub(crate) fn account(&self, person: u32) -> Option<u64> {
        let draw = self.dice.roll(Purpose::Account, u64::from(person));
        (draw.below(3) == 0).then(|| 621_799_000_000_000 + draw.next().below(1_000_000_000))
    }

    /// A retiree's pension of a month, in fen: 3% more after each July from the first on.
    pub(crate) fn pension(&self, person: u32, month: MonthIndex) -> i64 {
        let draw = self.dice.roll(Purpose::Pension, u64::from(person));
        // Between 1,800 and 5,200 yuan, more often low than high.
        let spread = draw.below(1_700) + draw.next().below(1_700);
        let mut fen = (180_000 + spread * 100 + draw.next().next().below(100)) as i64;
        for _ in 0..self.raises(month) {
            fen += fen * 3 / 100;
        }
        fen
    }

    /// How many Julys there were from the first month up to this one.
    fn raises(&self, month: MonthIndex) -> usize {
        (0..=month)
            .filter(|&at| self.period(at).month() == 7)
            .count()
    }

    /// What a retiree lives through, if nothing is planted.
    pub(crate) fn life(&self, person: u32) -> Life {
        let number = u64::from(person);
        let months = self.size.months;
        let start = if person < self.size.retirees {
            -1
        } else {
            let draw = self.dice.roll(Purpose::Start, number);
            draw.below(months as u64) as MonthIndex
        };
        let death = self.fate(Purpose::Death, number, DEATHS).map(|month| {
            let draw = self.dice.roll(Purpose::DeathDay, number);
            (month, 1 + draw.below(28) as u32)
        });
        // Whoever has just been awarded a pension lives at least to draw it.
        let death = death.filter(|&(month, _)| start + 1 < month);
        let pause = self
            .fate(Purpose::Pause, number, PAUSES)
            .filter(|&month| start < month && death.is_none())
            .map(|month| {
                let draw = self.dice.roll(Purpose::Pause, number).next();
                (month, month + 1 + draw.below(2) as MonthIndex)
            });
        Life {
            start,
            death,
            pause,
        }
    }

    /// The month in which something happens that has a chance of `parts` in a million each month.
    fn fate(&self, purpose: Purpose, number: u64, parts: u32) -> Option<MonthIndex> {
        let draw = self.dice.roll(purpose, number).below(1_000_000);
        let month = draw / u64::from(parts);
        (month < self.size.months as u64).then_some(month as MonthIndex)
    }

    fn draw_region(&self, draw: Draw) -> usize {
        usize::from(self.region_table[draw.place(self.region_table.len())])
    }

    fn found_enterprises(&mut self, policy: &Policy) {
        let at_start = self.size.enterprises;
        let new = u64::from(at_start) * self.size.months as u64 * NEW_ENTERPRISES / 1_000;
        let wage = policy
            .contribution(self.from)
            .map_or(600_000, |entry| entry.reference_wage.fen() as i64);
        let raw: u64 = (0..at_start).map(|at| self.raw_size(at)).sum();
        self.enterprises = (0..at_start + new as u32)
            .map(|at| {
                let number = u64::from(at);
                let heads =
                    (self.raw_size(at) * u64::from(self.size.contributors) / raw.max(1)).max(1);
                let is_new = at >= at_start;
                self.found(number, is_new, heads as u32, wage)
            })
            .collect();
    }

    fn found(&self, number: u64, is_new: bool, heads: u32, reference_wage: i64) -> Enterprise {
        let months = self.size.months as u64;
        let life = self.dice.roll(Purpose::Life, number);
        let start = if is_new {
            life.below(months) as MonthIndex
        } else {
            -1
        };
        let fate = life.next();
        let month = (fate.next().below(months)) as MonthIndex;
        let chance = |parts: u32| (u64::from(parts) * months).min(500_000) as u32;
        let (suspension, end) = if month <= start {
            (None, None)
        } else if fate.chance(chance(SUSPENSIONS)) {
            let lasts = 1 + life.next().next().next().below(4) as MonthIndex;
            (Some((month, month + lasts)), None)
        } else if fate.next().next().chance(chance(CLOSURES)) {
            (None, Some(month))
        } else {
            (None, None)
        };
        // Wages between 0.70 and 1.60 of the reference wage.
        let percent = 70 + self.dice.roll(Purpose::Wage, number).below(91) as i64;
        Enterprise {
            code: credit_code(number),
            region: self.draw_region(self.dice.roll(Purpose::EnterpriseRegion, number)),
            heads,
            wage: reference_wage * percent / 100,
            start,
            suspension,
            end,
        }
    }

    /// Size before scaling: half are tiny, a few in a thousand have hundreds.
    fn raw_size(&self, enterprise: u32) -> u64 {
        let draw = self.dice.roll(Purpose::Size, u64::from(enterprise));
        let (least, most) = match draw.next().below(1_000) {
            0..550 => (1, 8),
            550..850 => (9, 30),
            850..970 => (31, 120),
            970..997 => (121, 400),
            _ => (401, 1_500),
        };
        least + draw.below(most - least + 1)
    }

    /// The name of an enterprise.
    pub(crate) fn enterprise_name(&self, enterprise: u32) -> String {
        names::enterprise(
            self.dice
                .roll(Purpose::EnterpriseName, u64::from(enterprise)),
        )
    }

    /// The wages that tax was withheld on in a month, in fen: the mean wage, give or take 3%.
    pub(crate) fn wages(&self, enterprise: u32, month: MonthIndex) -> i64 {
        let firm = &self.enterprises[enterprise as usize];
        let draw = self
            .dice
            .roll2(Purpose::Wages, u64::from(enterprise), month as u64);
        let parts = 9_700 + draw.below(601) as i64;
        i64::from(firm.heads) * firm.wage * parts / 10_000
    }
}

/// What the law expects as base for a headcount and wages (contract section 5), in fen, rounded up
/// where it is no whole number: a base of it is never short.
pub(crate) fn expected_base(entry: &Contribution, heads: u32, wages: i64) -> i64 {
    let limit =
        |ratio: Rate| i128::from(heads) * ratio.times(Money::from_fen(entry.reference_wage.fen()));
    let scaled = (i128::from(wages) * Rate::SCALE)
        .max(limit(entry.floor_ratio))
        .min(limit(entry.ceiling_ratio));
    ((scaled + Rate::SCALE - 1) / Rate::SCALE) as i64
}

/// The contribution on what a base falls short by, in fen; zero if that is within the tolerance.
pub(crate) fn shortfall(
    entry: &Contribution,
    tolerance: Rate,
    heads: u32,
    wages: i64,
    base: i64,
) -> i64 {
    let limit =
        |ratio: Rate| i128::from(heads) * ratio.times(Money::from_fen(entry.reference_wage.fen()));
    let expected = (i128::from(wages) * Rate::SCALE)
        .max(limit(entry.floor_ratio))
        .min(limit(entry.ceiling_ratio));
    let missing = expected - i128::from(base) * Rate::SCALE;
    if missing * Rate::SCALE <= tolerance.scaled(expected) {
        return 0;
    }
    let scaled = entry.both_rates().scaled(missing);
    Rate::round(scaled, Rate::SCALE * Rate::SCALE).fen() as i64
}

/// The contribution on a base, in fen.
pub(crate) fn contribution(entry: &Contribution, base: i64) -> i64 {
    let scaled = entry.both_rates().scaled(i128::from(base));
    Rate::round(scaled, Rate::SCALE).fen() as i64
}

/// A code of an enterprise that does not exist: authority 9, type 1, the unassigned area 341099, and an
/// organisation code from the range of the examples in the standards' test vectors.
pub(crate) fn credit_code(number: u64) -> CreditCode {
    const LETTERS: &[u8; 21] = b"ABCDEFGHJKLMNPQRTUWXY";
    let letters = number / 1_000_000;
    let organisation = [
        b'X',
        LETTERS[(letters % 21) as usize],
        digit(number, 100_000),
        digit(number, 10_000),
        digit(number, 1_000),
        digit(number, 100),
        digit(number, 10),
        digit(number, 1),
    ];
    let mut text = *b"9134109900000000000";
    text[8..16].copy_from_slice(&organisation);
    text[16] = organisation_check(&organisation);
    let value = |b: u8| -> u128 {
        let alphabet = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
        let at = alphabet.iter().position(|&c| c == b);
        at.expect("a character of the standard's alphabet") as u128
    };
    let number = text[..17].iter().fold(0, |sum, &b| sum * 31 + value(b));
    CreditCode::from_number(number)
}

fn digit(number: u64, unit: u64) -> u8 {
    b'0' + (number / unit % 10) as u8
}

/// GB 11714: the check character of an organisation code.
fn organisation_check(code: &[u8; 8]) -> u8 {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let value = |b: u8| {
        u32::from(if b.is_ascii_digit() {
            b - b'0'
        } else {
            b - b'A' + 10
        })
    };
    let sum: u32 = code.iter().zip(WEIGHTS).map(|(&b, w)| value(b) * w).sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        check => b'0' + check as u8,
    }
}

/// Retirees are born in the 35 years that end 60 years before the simulation starts.
fn births(from: Period) -> (BusinessDate, u64) {
    let months = from.months().saturating_sub(95 * 12);
    let first = Period::from_months(months).first_day();
    let last = Period::from_months(months + 35 * 12).first_day();
    (first, u64::from(last.days_since(first)))
}

fn region_table(regions: &[Region]) -> Vec<u8> {
    let weight = |code: RegionCode| {
        WEIGHTS
            .iter()
            .find(|(known, _)| *known == code.as_str())
            .map_or(OTHER_WEIGHT, |(_, weight)| *weight)
    };
    regions
        .iter()
        .enumerate()
        .flat_map(|(at, region)| std::iter::repeat_n(at as u8, weight(region.code) as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisation_codes_check() {
        for (code, check) in [
            (b"XXXX0001", b'9'),
            (b"XXXX0006", b'X'),
            (b"XXXX0019", b'0'),
        ] {
            assert_eq!(organisation_check(code), check);
        }
    }

    #[test]
    fn credit_codes_are_valid_and_differ() {
        let codes: std::collections::BTreeSet<CreditCode> =
            [0, 1, 12, 999_999, 1_000_000, 3_456_789]
                .into_iter()
                .map(credit_code)
                .collect();
        assert_eq!(codes.len(), 6);
        for code in codes {
            assert_eq!(CreditCode::parse(code.as_str().as_bytes()), Some(code));
        }
    }
}
