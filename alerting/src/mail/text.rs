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
        if let Some((_, places)) = grouped_number_at(&chars[at..]) {
            for place in &places[6..14] {
                chars[at + place] = '*';
            }
            at += places[17] + 1;
            continue;
        }
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

/// The first resident ID number in a text, however it is written.
pub fn person_in(text: &str) -> Option<PersonId> {
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).find_map(|at| Some(grouped_number_at(&chars[at..])?.0))
}

/// The text of lines, each scrubbed.
pub fn scrub_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(scrub).collect();
    lines.join("\n")
}

/// The 18 characters that begin here, with their places: in groups or not, of full width or not.
fn grouped_number_at(chars: &[char]) -> Option<(PersonId, Vec<usize>)> {
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
