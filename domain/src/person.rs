//! The resident ID number (公民身份号码), GB 11643-1999.
//!
//! The number says where it was first issued and when its holder was born. Neither is ever compared
//! with anything: the area code is not the residence, and many numbers carry former counties.

use std::fmt;

use crate::date::is_calendar_date;

/// GB 11643-1999: weight of each of the first seventeen digits.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// GB 11643-1999: check character by the weighted sum modulo 11.
const CHECKS: &[u8; 11] = b"10X98765432";

/// A person, named by the canonical 18-digit number: its first seventeen digits as an integer, from
/// which the check character follows.
///
/// It has no `Display`, and its `Debug` is masked, so that it cannot slip into a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(u64);

impl PersonId {
    /// Reads 18 characters (`x` is `X`), or the 15 digits of a number from before 1999, which stand
    /// for the 18-digit one with `19` before the year.
    pub fn parse(text: &[u8]) -> Option<PersonId> {
        match text.len() {
            18 => {
                let (digits, check) = (&text[..17], text[17].to_ascii_uppercase());
                let id = PersonId::of_digits(digits)?;
                (id.check() == check && is_calendar_date(&digits[6..14])).then_some(id)
            }
            15 => {
                let mut digits = [0; 17];
                digits[..6].copy_from_slice(&text[..6]);
                digits[6..8].copy_from_slice(b"19");
                digits[8..].copy_from_slice(&text[6..]);
                let id = PersonId::of_digits(&digits)?;
                is_calendar_date(&digits[6..14]).then_some(id)
            }
            _ => None,
        }
    }

    /// From the first seventeen digits as a number, as [`PersonId::number`] gives it.
    pub const fn from_number(number: u64) -> PersonId {
        PersonId(number)
    }

    /// The first seventeen digits as a number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The full number. Only for the store, the alerts topic and an audited reveal.
    pub fn reveal(self) -> String {
        format!("{:017}{}", self.0, char::from(self.check()))
    }

    /// For people: the first six and the last four characters, the rest starred.
    pub fn masked(self) -> String {
        let full = self.reveal();
        format!("{}********{}", &full[..6], &full[14..])
    }

    fn of_digits(digits: &[u8]) -> Option<PersonId> {
        digits
            .iter()
            .try_fold(0_u64, |sum, b| {
                b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0'))
            })
            .map(PersonId)
    }

    fn check(self) -> u8 {
        let mut rest = self.0;
        let mut sum = 0;
        for weight in WEIGHTS.iter().rev() {
            sum += weight * (rest % 10) as u32;
            rest /= 10;
        }
        CHECKS[(sum % 11) as usize]
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_and_synthetic_vectors() {
        // The standard's own example, and numbers of the unassigned area 341099.
        for text in [
            "11010519491231002X",
            "341099194001010008",
            "341002190001010000",
            "34109919480707000X",
            "341099193207070001",
            "341099194802290003",
            "342799193506150000",
        ] {
            assert_eq!(PersonId::parse(text.as_bytes()).unwrap().reveal(), text);
        }
        assert_eq!(
            PersonId::parse(b"11010519491231002x"),
            PersonId::parse(b"11010519491231002X")
        );
        assert_eq!(
            PersonId::parse(b"341099400101000").unwrap().reveal(),
            "341099194001010008"
        );
        assert_eq!(
            PersonId::parse(b"110105491231002").unwrap().reveal(),
            "11010519491231002X"
        );
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "341099190401010008", // digits transposed
            "34109919500229000X", // 1950 was no leap year
            "341002195203100000", // wrong check character
            "110105490231002",    // 31 February
            " 341099194001010008",
            "34109919400101000",
            "3410991940010100088",
            "X41099194001010008",
            "３41099194001010",
            "",
        ] {
            assert_eq!(PersonId::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn nothing_prints_it_in_full() {
        let id = PersonId::parse(b"341099194001010008").unwrap();
        assert_eq!(format!("{id:?}"), "341099********0008");
    }
}
