//! Text that is fit to be mailed: without characters that could forge a header or turn a line
//! around, and without numbers that name a person or an account.

use domain::PersonId;

/// Whether a text has neither control nor direction characters.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(is_foul)
}

/// The text without control and direction characters; line ends and tabs become spaces.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\r' | '\n' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}' => Some(' '),
            c if is_foul(c) => None,
            c => Some(c),
        })
        .collect()
}

/// [`clean`], and whatever reads like a resident ID number or a bank card's starred in the middle.
///
/// For what a source may have written into ids and details. The 18 characters are found in a longer
/// run of digits, too; 15 digits and a card's only by themselves, their check being weak.
pub fn scrub(text: &str) -> String {
    let mut chars: Vec<char> = clean(text).chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let begins_run = at == 0 || !chars[at - 1].is_ascii_digit();
        match number_at(&chars[at..], begins_run) {
            Some(length) => {
                // As a masked person: the first six and the last four stay.
                chars[at + 6..at + length - 4].fill('*');
                at += length;
            }
            None => at += 1,
        }
    }
    chars.into_iter().collect()
}

/// The length of the number to be hidden that begins here.
fn number_at(chars: &[char], begins_run: bool) -> Option<usize> {
    let run = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    if run < 15 {
        return None;
    }
    let ascii = |length: usize| -> Option<Vec<u8>> {
        let slice = chars.get(..length)?;
        slice.iter().map(|&c| u8::try_from(c).ok()).collect()
    };
    if ascii(18).is_some_and(|text| PersonId::parse(&text).is_some()) {
        return Some(18);
    }
    let hidden = match run {
        15 => ascii(15).is_some_and(|text| PersonId::parse(&text).is_some()),
        16..=19 => ascii(run).is_some_and(|digits| passes_luhn(&digits)),
        _ => false,
    };
    (begins_run && hidden).then_some(run)
}

/// The check digit of bank cards, ISO/IEC 7812-1.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit - b'0') * if at % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Control characters, and those that change the direction of text or cannot be seen.
fn is_foul(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foul_stays() {
        assert_eq!(clean("a\r\nBcc: b\0\u{202e}c\u{7f}d"), "a  Bcc: bcd");
        assert!(is_plain("李 o'Neill") && !is_plain("a\nb") && !is_plain("\u{202e}"));
    }

    #[test]
    fn numbers_of_persons_and_cards_are_starred() {
        for (text, expected) in [
            ("P-341099194001010008-1", "P-341099********0008-1"),
            ("34109919480707000x", "341099********000x"),
            ("341099400101000", "341099*****1000"),
            ("00341099194001010008", "00341099********0008"),
            ("6222021234567890128", "622202*********0128"),
            ("20240305123456", "20240305123456"),
            ("341099194001010007", "341099194001010007"),
            ("91341002MA2TEXT08E", "91341002MA2TEXT08E"),
        ] {
            assert_eq!(scrub(text), expected);
        }
    }
}
