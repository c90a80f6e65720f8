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
/// run of digits, too, and as people write them, in groups or with digits of full width; 15 digits and a card's only by
/// themselves, their check being weak.
pub fn scrub(text: &str) -> String {
    let mut chars: Vec<char> = clean(text).chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let begins_run = at == 0 || !chars[at - 1].is_ascii_digit();
        let places = match person_at(&chars[at..]) {
            Some((_, places)) => places,
            None if begins_run => run_at(&chars[at..]),
            None => Vec::new(),
        };
        // As a masked person: the first six and the last four stay.
        if let [_, _, _, _, _, _, hidden @ .., _, _, _, last] = &*places {
            hidden.iter().for_each(|place| chars[at + place] = '*');
            at += last;
        }
        at += 1;
    }
    chars.into_iter().collect()
}

/// The first resident ID number in a text, however it is written.
pub fn person_in(text: &str) -> Option<PersonId> {
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).find_map(|at| Some(person_at(&chars[at..])?.0))
}

/// The text of lines, each scrubbed.
pub fn scrub_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(scrub).collect();
    lines.join("\n")
}

/// The 18 characters that begin here, with their places: in groups or not, of full width or not.
fn person_at(chars: &[char]) -> Option<(PersonId, Vec<usize>)> {
    const GAP_MAX: usize = 2;
    let (mut number, mut places, mut gap) = (Vec::new(), Vec::new(), 0);
    for (at, c) in chars.iter().enumerate() {
        match plain(*c) {
            Some(digit) if digit.is_ascii_digit() || number.len() == 17 => {
                number.push(digit);
                places.push(at);
                gap = 0;
            }
            None if is_gap(*c) && !number.is_empty() && gap < GAP_MAX => gap += 1,
            _ => return None,
        }
        if number.len() == 18 {
            return Some((PersonId::parse(&number)?, places));
        }
    }
    None
}

/// A digit or an X as it is in a number; those of full width lie 0xFEE0 above the others.
fn plain(c: char) -> Option<u8> {
    let narrow = match c {
        '０'..='９' | 'Ｘ' | 'ｘ' => char::from_u32(u32::from(c) - 0xFEE0)?,
        c => c,
    };
    match narrow {
        '0'..='9' | 'X' | 'x' => u8::try_from(narrow.to_ascii_uppercase()).ok(),
        _ => None,
    }
}

/// What people put between groups of digits.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '－' | '–' | '—' | '.' | '·' | '_' | '/')
}

/// The places of the run of digits that begins here, if it is a number of 15 digits or a card's.
fn run_at(chars: &[char]) -> Vec<usize> {
    let digits = chars.iter().take_while(|c| c.is_ascii_digit());
    let digits: Vec<u8> = digits.map(|&c| c as u8).collect();
    let is_hidden = match digits.len() {
        15 => PersonId::parse(&digits).is_some(),
        16..=19 => passes_luhn(&digits),
        _ => false,
    };
    match is_hidden {
        true => (0..digits.len()).collect(),
        false => Vec::new(),
    }
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
            ("证341099 19400101 0008。", "证341099 ******** 0008。"),
            ("341099-1940-0101-0008", "341099-****-****-0008"),
            (
                "３４１０９９１９４００１０１０００８",
                "３４１０９９********０００８",
            ),
            ("341099 19480707 000Ｘ", "341099 ******** 000Ｘ"),
            ("341099 19400101 0007", "341099 19400101 0007"),
            ("2024-01 2024-02 2024-03", "2024-01 2024-02 2024-03"),
            ("341099400101000", "341099*****1000"),
            ("00341099194001010008", "00341099********0008"),
            ("6222021234567890128", "622202*********0128"),
            ("20240305123456", "20240305123456"),
            ("341099194001010007", "341099194001010007"),
            ("91341002MA2TEXT08E", "91341002MA2TEXT08E"),
        ] {
            assert_eq!(scrub(text), expected);
            assert_eq!(
                person_in(text).is_some(),
                expected != text && !text.starts_with("6222") && text.len() != 15
            );
        }
        assert_eq!(
            scrub_lines("a\n341099194001010008\nb"),
            "a\n341099********0008\nb"
        );
    }
}
