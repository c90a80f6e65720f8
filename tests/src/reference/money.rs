//! Money in fen, and exact decimals where rates come in.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive};

/// An amount in fen (a hundredth of a yuan). May be negative on the way.
pub type Fen = i128;

/// `[0-9]{1,12}(\.[0-9]{1,2})?` in yuan, as fen.
#[must_use]
pub fn amount(text: &str) -> Option<Fen> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if (1..=2).contains(&fraction.len()) => (whole, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    if !(1..=12).contains(&whole.len()) {
        return None;
    }
    let digits = format!("{whole}{fraction:0<2}");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Fen as yuan, exactly.
#[must_use]
pub fn yuan(fen: Fen) -> BigDecimal {
    BigDecimal::new(BigInt::from(fen), 2)
}

/// The contract's *round*: half away from zero to 0.01.
#[must_use]
pub fn round(yuan: &BigDecimal) -> Fen {
    let cents = yuan.with_scale_round(2, RoundingMode::HalfUp);
    let (fen, _) = cents.into_bigint_and_scale();
    fen.to_i128().expect("amounts of a pool fit into 128 bits")
}

/// Two decimals, as alerts show money.
#[must_use]
pub fn show(fen: Fen) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, fen) in [
            ("0", 0),
            ("007", 700),
            ("1.5", 150),
            ("999999999999.99", 99_999_999_999_999),
        ] {
            assert_eq!(amount(text), Some(fen), "{text}");
        }
        for bad in [
            "",
            ".5",
            "1.",
            "1.005",
            "-1",
            "+1",
            "1e2",
            "1,000",
            "1234567890123",
            " 1",
            "１",
        ] {
            assert_eq!(amount(bad), None, "{bad}");
        }
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        for (text, fen) in [
            ("0.005", 1),
            ("0.0049", 0),
            ("-0.005", -1),
            ("24.0024", 2400),
            ("2.675", 268),
        ] {
            assert_eq!(round(&text.parse().expect("a decimal")), fen, "{text}");
        }
        assert_eq!(show(-1205), "-12.05");
        assert_eq!(yuan(5), "0.05".parse::<BigDecimal>().expect("a decimal"));
    }
}
