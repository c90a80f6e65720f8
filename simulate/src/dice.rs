//! Seeded draws that need no order: each is a function of the seed, a purpose and a number.
//!
//! A city is thus the same whichever of its people is looked at first, nobody's fate depends on how
//! many others there are, and nothing has to be kept between months. `ChaCha8` turns the seed into
//! one key for each purpose; a draw mixes that key with the number.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a draw decides. The number of a variant is part of what a seed means: append, never reorder.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Purpose {
    PersonNumber,
    PersonRegion,
    PersonName,
    Pension,
    Account,
    Start,
    Death,
    DeathDay,
    DeathReport,
    Pause,
    Payout,
    EnterpriseRegion,
    EnterpriseName,
    Size,
    Wage,
    Life,
    LifeDay,
    Wages,
    Base,
    Filing,
    Correction,
    PaymentShape,
    Transfers,
    Victim,
    VictimMonth,
    Shape,
    Redelivery,
    Fault,
}

const PURPOSES: usize = Purpose::Fault as usize + 1;

/// The keys of all purposes.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    keys: [u64; PURPOSES],
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Dice {
            keys: std::array::from_fn(|_| rng.next_u64()),
        }
    }

    /// The draw of a purpose for a number.
    pub(crate) fn roll(&self, purpose: Purpose, number: u64) -> Draw {
        let key = self.keys[purpose as usize];
        Draw(mix(key ^ mix(number ^ 0x9E37_79B9_7F4A_7C15)))
    }

    /// The draw of a purpose for a pair of numbers.
    pub(crate) fn roll2(&self, purpose: Purpose, first: u64, second: u64) -> Draw {
        Draw(mix(self.roll(purpose, first).0 ^ second))
    }
}

/// One draw: 64 bits that look random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    /// A number below `bound`, which is positive, all equally likely for bounds far below 2^64.
    pub(crate) fn below(self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw below zero");
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }

    /// Like [`Draw::below`], for places in lists.
    pub(crate) fn place(self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// True in `parts` of a million cases.
    pub(crate) fn chance(self, parts: u32) -> bool {
        self.below(1_000_000) < u64::from(parts)
    }

    /// Another draw that follows from this one.
    pub(crate) fn next(self) -> Draw {
        Draw(mix(self.0))
    }

    /// The bits.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

/// The finaliser of `splitmix64`, with its increment.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_purpose_and_number_alone() {
        let (one, two) = (Dice::new(1), Dice::new(2));
        let draw = |dice: &Dice, purpose, number| dice.roll(purpose, number).bits();
        assert_eq!(
            draw(&one, Purpose::Death, 7),
            draw(&Dice::new(1), Purpose::Death, 7)
        );
        assert_ne!(draw(&one, Purpose::Death, 7), draw(&two, Purpose::Death, 7));
        assert_ne!(draw(&one, Purpose::Death, 7), draw(&one, Purpose::Death, 8));
        assert_ne!(draw(&one, Purpose::Death, 7), draw(&one, Purpose::Pause, 7));
    }

    #[test]
    fn chances_are_about_right() {
        let dice = Dice::new(3);
        let hits = (0..100_000)
            .filter(|&n| dice.roll(Purpose::Death, n).chance(250_000))
            .count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!((0..1000).all(|n| dice.roll(Purpose::Pause, n).below(3) < 3));
    }
}
