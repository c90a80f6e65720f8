//! The unified social credit code (统一社会信用代码), GB 32100-2015.

use std::fmt;

/// GB 32100-2015: the 31 characters and their values by position (no I, O, S, V, Z).
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// GB 32100-2015: 3^(i-1) mod 31.
const WEIGHTS: [u32; 17] = [
    1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28,
];
/// Value of each byte, or `NO_VALUE`.
const VALUES: [u8; 256] = values();
const NO_VALUE: u8 = 0xFF;

const fn values() -> [u8; 256] {
    let mut table = [NO_VALUE; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        table[ALPHABET[at] as usize] = at as u8;
        table[ALPHABET[at].to_ascii_lowercase() as usize] = at as u8;
        at += 1;
    }
    table
}

/// An enterprise (参保单位): its eighteen characters, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditCode([u8; 18]);

impl CreditCode {
    /// Reads eighteen characters of the standard's alphabet in either case with the right check
    /// character. The organisation code inside is not checked: codes were issued without it.
    pub fn parse(text: &[u8]) -> Option<CreditCode> {
        let text: &[u8; 18] = text.try_into().ok()?;
        let mut sum = 0;
        for (b, weight) in text.iter().zip(WEIGHTS) {
            let value = VALUES[usize::from(*b)];
            if value == NO_VALUE {
                return None;
            }
            sum += u32::from(value) * weight;
        }
        let check = VALUES[usize::from(text[17])];
        let right = u32::from(check) == (31 - sum % 31) % 31;
        right.then(|| CreditCode(text.map(|b| b.to_ascii_uppercase())))
    }

    /// The eighteen characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }

    /// The seventeen characters before the check as one number in base 31: equal and ordered as the
    /// codes are, in 85 bits.
    pub fn number(&self) -> u128 {
        self.0[..17]
            .iter()
            .fold(0, |sum, &b| sum * 31 + u128::from(VALUES[usize::from(b)]))
    }

    /// The reverse of [`CreditCode::number`].
    pub fn from_number(mut number: u128) -> CreditCode {
        let mut code = [b'0'; 18];
        let mut sum = 0;
        for (at, weight) in WEIGHTS.iter().enumerate().rev() {
            let value = (number % 31) as usize;
            code[at] = ALPHABET[value];
            sum += value as u32 * weight;
            number /= 31;
        }
        code[17] = ALPHABET[((31 - sum % 31) % 31) as usize];
        CreditCode(code)
    }
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        for text in [
            "91341099XXXX00019J",
            "92341099XXXX00019F",
            "91341099XXXX00051X",
            "91341099XXXX002970",
            "91350100M000100Y43", // the standard's worked example
            "91341002MA2TEXT08E",
        ] {
            let code = CreditCode::parse(text.as_bytes()).unwrap();
            assert_eq!(code.as_str(), text);
            assert_eq!(
                CreditCode::parse(text.to_lowercase().as_bytes()),
                Some(code)
            );
            assert_eq!(CreditCode::from_number(code.number()), code);
        }
        for text in [
            "91341099XXXX00019L",
            "91350100M000100Y4Z",
            "91341002MA2TEXT08",
            "91341002MA2TEXT080",
            "9134100ZMA2TEXT08E",
            "",
        ] {
            assert_eq!(CreditCode::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn numbers_order_as_codes_do() {
        let low = CreditCode::parse(b"91341002MA2TEXT08E").unwrap();
        let high = CreditCode::parse(b"91341002MA2TEXT169").unwrap();
        assert!(low < high && low.number() < high.number());
    }
}
