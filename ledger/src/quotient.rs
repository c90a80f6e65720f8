//! Exact quotients of sums: compared without division, rounded only where they are shown.

use std::cmp::Ordering;

use domain::Rate;

/// A quotient with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotient {
    numerator: i128,
    denominator: i128,
}

impl Quotient {
    /// The quotient, if there is one: nothing is divided by nothing, nor by less.
    pub const fn new(numerator: i128, denominator: i128) -> Option<Quotient> {
        if denominator > 0 {
            Some(Quotient {
                numerator,
                denominator,
            })
        } else {
            None
        }
    }

    /// What is divided.
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// By what.
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// Compares with a number in units of [`Rate`].
    pub fn compare(self, units: i128) -> Ordering {
        let mine = product(self.numerator, Rate::SCALE);
        mine.cmp(&product(units, self.denominator))
    }

    /// `units x denominator - numerator`, in units of [`Rate`]: what is missing to a number.
    pub fn missing_to(self, units: i128) -> i128 {
        product(units, self.denominator)
            .checked_sub(product(self.numerator, Rate::SCALE))
            .expect("sums of money times a rate fit 128 bits")
    }

    /// With so many decimals, half away from zero.
    pub fn shown(self, decimals: u32) -> String {
        let scale = 10_i128.pow(decimals);
        let doubled = product(2 * self.numerator.abs(), scale) + self.denominator;
        let units = doubled / (2 * self.denominator);
        let sign = if self.numerator < 0 && units > 0 {
            "-"
        } else {
            ""
        };
        if decimals == 0 {
            return format!("{sign}{units}");
        }
        let width = decimals as usize;
        format!("{sign}{}.{:0width$}", units / scale, units % scale)
    }
}

fn product(a: i128, b: i128) -> i128 {
    a.checked_mul(b)
        .expect("sums of money times a rate fit 128 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!(Quotient::new(1, 0), None);
        assert_eq!(Quotient::new(0, -5), None);
        assert_eq!(
            Quotient::new(0, 5).map(|zero| zero.shown(2)),
            Some("0.00".to_owned())
        );
    }

    #[test]
    fn shown_half_away_from_zero() {
        let shown = |numerator, denominator, decimals| {
            Quotient::new(numerator, denominator)
                .unwrap()
                .shown(decimals)
        };
        assert_eq!(shown(1, 8, 2), "0.13");
        assert_eq!(shown(-1, 8, 2), "-0.13");
        assert_eq!(shown(-1, 1_000, 2), "0.00");
        assert_eq!(shown(8_856 * 12, 21_603, 1), "4.9");
        assert_eq!(shown(7, 2, 0), "4");
    }

    #[test]
    fn compared_exactly() {
        let third = Quotient::new(1, 3).unwrap();
        assert_eq!(third.compare(33_333_333), Ordering::Greater);
        assert_eq!(third.compare(33_333_334), Ordering::Less);
        assert_eq!(
            Quotient::new(1, 2).unwrap().compare(50_000_000),
            Ordering::Equal
        );
    }
}
