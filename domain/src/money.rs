//! Money in integer fen, and the exact decimals that rates and ratios are.
//!
//! No float anywhere, no silent wrap: sums are `i128`, and one rounding happens where the contract
//! writes an amount ([`Rate::round`]).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of yuan, held as integer fen (0.01 yuan).
///
/// A record's amount has at most twelve digits before the point (below 10^14 fen); an `i128` holds
/// 10^24 such amounts, so that adding facts cannot overflow. Operators panic rather than wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// No money.
    pub const ZERO: Money = Money(0);

    /// From fen.
    pub const fn from_fen(fen: i128) -> Money {
        Money(fen)
    }

    /// From whole yuan.
    pub const fn from_yuan(yuan: i64) -> Money {
        Money(yuan as i128 * 100)
    }

    /// In fen.
    pub const fn fen(self) -> i128 {
        self.0
    }

    /// Reads what the contract calls an amount: `[0-9]{1,12}(\.[0-9]{1,2})?`, and nothing else.
    pub fn parse(text: &[u8]) -> Option<Money> {
        let point = text.iter().position(|&b| b == b'.');
        let (whole, fraction) = match point {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        if whole.is_empty() || whole.len() > 12 {
            return None;
        }
        let mut fen: i64 = 0;
        for &b in whole {
            fen = fen * 10 + digit(b)?;
        }
        fen = match fraction {
            None => fen * 100,
            Some([a]) => fen * 100 + digit(*a)? * 10,
            Some([a, b]) => fen * 100 + digit(*a)? * 10 + digit(*b)?,
            Some(_) => return None,
        };
        Some(Money(i128::from(fen)))
    }

    /// Whether it is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// This amount, or zero if it is negative.
    pub fn at_least_zero(self) -> Money {
        Money(self.0.max(0))
    }

    /// Grouped in thousands, as officials read it: `1,234,567.80`.
    pub fn grouped(self) -> String {
        let plain = self.to_string();
        let (sign, digits) = match plain.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", plain.as_str()),
        };
        let (whole, fraction) = digits.split_at(digits.len() - 3);
        let mut grouped = String::with_capacity(plain.len() + whole.len() / 3);
        grouped.push_str(sign);
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped + fraction
    }
}

fn digit(b: u8) -> Option<i64> {
    b.is_ascii_digit().then(|| i64::from(b - b'0'))
}

/// Two decimals, always: `4800.00`, `-0.05`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        let text = format!("{sign}{}.{:02}", fen / 100, fen % 100);
        f.pad(&text)
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(
            self.0
                .checked_add(other.0)
                .expect("a sum of money fits 128 bits"),
        )
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(
            self.0
                .checked_sub(other.0)
                .expect("a difference of money fits 128 bits"),
        )
    }
}

impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money::ZERO - self
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The reverse of the display: two decimals, an optional sign, sums of any size.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fen = text
            .split_once('.')
            .filter(|(whole, fraction)| !whole.is_empty() && fraction.len() == 2)
            .and_then(|(whole, fraction)| format!("{whole}{fraction}").parse::<i128>().ok());
        fen.map(Money).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no amount with two decimals"))
        })
    }
}

/// A rate or ratio, exact to eight decimals: 0.16 is 16,000,000 units.
///
/// Eight decimals are more than any published rate has; the policy refuses more. With the policy's
/// bounds (a reference wage below 10^8 yuan, ratios up to 1000, rates up to 1) every product that a
/// detector forms stays below 10^37 and so within an `i128`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(i64);

impl Rate {
    /// Units in one: the scale of every product with one rate in it.
    pub const SCALE: i128 = 100_000_000;

    /// Nothing.
    pub const ZERO: Rate = Rate(0);

    /// From units of 10^-8.
    pub const fn from_units(units: i64) -> Rate {
        Rate(units)
    }

    /// In units of 10^-8.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The exact product, in fen scaled by [`Rate::SCALE`].
    pub fn times(self, money: Money) -> i128 {
        self.scaled(money.fen())
    }

    /// The exact product with a number that may be scaled already; the scale grows by [`Rate::SCALE`].
    pub fn scaled(self, number: i128) -> i128 {
        number
            .checked_mul(i128::from(self.0))
            .expect("the policy's bounds keep products within 128 bits")
    }

    /// *round* of the contract: half away from zero to 0.01, of fen scaled by `scale`.
    pub fn round(scaled: i128, scale: i128) -> Money {
        let half = scale / 2;
        let magnitude = (scaled.abs() + half) / scale;
        Money(if scaled < 0 { -magnitude } else { magnitude })
    }
}

impl Add for Rate {
    type Output = Rate;
    fn add(self, other: Rate) -> Rate {
        Rate(
            self.0
                .checked_add(other.0)
                .expect("a sum of rates fits 64 bits"),
        )
    }
}

/// Without trailing zeros: `0.16`, `3`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!(
            "{}.{:08}",
            i128::from(self.0) / Rate::SCALE,
            i128::from(self.0) % Rate::SCALE
        );
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_what_the_contract_says() {
        for (text, fen) in [
            ("0", 0),
            ("1", 100),
            ("1.5", 150),
            ("10000.0", 1_000_000),
            ("007.05", 705),
            ("999999999999.99", 99_999_999_999_999),
        ] {
            assert_eq!(
                Money::parse(text.as_bytes()),
                Some(Money::from_fen(fen)),
                "{text}"
            );
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "1.005",
            "-1",
            "+1",
            "1e2",
            "1,000",
            " 1",
            "1 ",
            "1000000000000",
            "１",
            "1.0x",
        ] {
            assert_eq!(Money::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn display_groups_and_signs() {
        assert_eq!(Money::from_fen(-5).to_string(), "-0.05");
        assert_eq!(Money::from_fen(480_000).to_string(), "4800.00");
        assert_eq!(Money::from_fen(123_456_780).grouped(), "1,234,567.80");
        assert_eq!(Money::from_fen(-100_000).grouped(), "-1,000.00");
        assert_eq!(Money::from_fen(99_999).grouped(), "999.99");
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        let rate = Rate::from_units(25_000_000);
        assert_eq!(
            Rate::round(rate.times(Money::from_fen(2)), Rate::SCALE),
            Money::from_fen(1)
        );
        assert_eq!(
            Rate::round(rate.times(Money::from_fen(1)), Rate::SCALE),
            Money::from_fen(0)
        );
        assert_eq!(
            Rate::round(rate.times(Money::from_fen(-2)), Rate::SCALE),
            Money::from_fen(-1)
        );
        assert_eq!(
            Rate::round(rate.times(Money::from_fen(99_999_999_999_998)), Rate::SCALE).to_string(),
            "250000000000.00"
        );
    }

    #[test]
    fn rates_display_shortest() {
        assert_eq!(Rate::from_units(16_000_000).to_string(), "0.16");
        assert_eq!(Rate::from_units(300_000_000).to_string(), "3");
        assert_eq!(Rate::from_units(50_000).to_string(), "0.0005");
    }

    #[test]
    fn money_survives_json() {
        for fen in [0, 1, -1, 12_345, -99, 123_456_789_012_345_678_901_234_567] {
            let json = serde_json::to_string(&Money::from_fen(fen)).unwrap();
            assert_eq!(
                serde_json::from_str::<Money>(&json).unwrap(),
                Money::from_fen(fen),
                "{json}"
            );
        }
        assert!(serde_json::from_str::<Money>("\"1.5\"").is_err());
    }
}
