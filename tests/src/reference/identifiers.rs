//! Who a record is about: resident ID numbers (GB 11643-1999) and unified social credit codes (GB 32100-2015).

/// The canonical 18 characters of a person, or `None` if `text` names nobody.
#[must_use]
pub fn person(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let body: String = match bytes.len() {
        18 => text.get(..17)?.to_owned(),
        15 => format!("{}19{}", text.get(..6)?, text.get(6..)?),
        _ => return None,
    };
    if !body.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (&body[6..10], &body[10..12], &body[12..14]);
    if !is_calendar_date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?) {
        return None;
    }
    let check = person_check(&body);
    match bytes.get(17) {
        Some(written) if written.to_ascii_uppercase() != check => None,
        _ => Some(format!("{body}{}", char::from(check))),
    }
}

/// The check character of seventeen digits.
#[must_use]
pub fn person_check(body: &str) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    b"10X98765432"[(sum % 11) as usize]
}

/// "A calendar date of any year", the year 0000 included: leap years by the rule of today.
fn is_calendar_date(year: u32, month: u32, day: u32) -> bool {
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    1 <= day && day <= days
}

const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// The canonical 18 characters of an enterprise, or `None` if `text` names none.
#[must_use]
pub fn enterprise(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    if upper.len() != 18 {
        return None;
    }
    // Of bytes: character 17 and 18 may be one that takes two.
    let check = enterprise_check(&upper.as_bytes()[..17])?;
    (upper.as_bytes()[17] == check).then_some(upper)
}

/// The check character of seventeen characters, or `None` if one is not of the alphabet.
#[must_use]
pub fn enterprise_check(body: &[u8]) -> Option<u8> {
    let mut sum = 0;
    let mut weight = 1;
    for byte in body {
        let value = ALPHABET.iter().position(|letter| letter == byte)?;
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    Some(ALPHABET[(31 - sum % 31) % 31])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons() {
        for good in [
            "341099194001010008",
            "341002190001010000",
            "34109919480707000X",
            "341099193207070001",
            "341099194802290003",
            "342799193506150000",
        ] {
            assert_eq!(person(good).as_deref(), Some(good));
        }
        assert_eq!(
            person("34109919480707000x").as_deref(),
            Some("34109919480707000X")
        );
        assert_eq!(
            person("341099400101000").as_deref(),
            Some("341099194001010008")
        );
        for bad in [
            "341099190401010008",
            "34109919500229000X",
            "341099194001010009",
            " 341099194001010008",
            "34109919400101000",
            "3410994001010008",
            "34109９194001010",
            "x41099194001010008",
            "",
        ] {
            assert_eq!(person(bad), None, "{bad}");
        }
    }

    #[test]
    fn enterprises() {
        for good in [
            "91341099XXXX00019J",
            "92341099XXXX00019F",
            "91341099XXXX00051X",
            "91341099XXXX002970",
            "91350100M000100Y43",
        ] {
            assert_eq!(enterprise(good).as_deref(), Some(good));
            assert_eq!(enterprise(&good.to_lowercase()).as_deref(), Some(good));
        }
        for bad in [
            "91341099XXXX00019L",
            "91350100M000100Y4Z",
            "91341099XXXX0001",
            "91341099OXXX00019J",
            "91341002MA2TEXT0Ú",
        ] {
            assert_eq!(enterprise(bad), None, "{bad}");
        }
    }
}
