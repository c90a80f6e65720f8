//! A raw record for eyes that need not see whom it is about.

use alerting::mail::text::{clean, scrub};
use domain::{PersonId, Topic};

/// The record's text as its source wrote it, with the person's number starred in the middle, the name but for its first
/// character, and the account but for its last four. The name of an enterprise is public, and stays.
pub fn masked(topic: Topic, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    let mut key = String::new();
    while let Some(at) = rest.find('"') {
        out.push_str(&scrub(&rest[..at]));
        let literal = literal_at(&rest[at..]);
        rest = &rest[at + literal.len()..];
        // What cannot be read as text is masked as a whole.
        let value = serde_json::from_str::<String>(literal).ok();
        if rest.trim_start().starts_with(':') {
            key = value.unwrap_or_default();
            out.push_str(&scrub(literal));
            continue;
        }
        let shown = value.map_or("\"*\"".to_owned(), |value| {
            serde_json::Value::String(masked_value(topic, &key, &value)).to_string()
        });
        out.push_str(&shown);
    }
    out.push_str(&scrub(rest));
    out
}

/// A JSON text with its quotes, as far as it goes.
fn literal_at(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[..=at],
            _ => {}
        }
    }
    text
}

fn masked_value(topic: Topic, key: &str, value: &str) -> String {
    match key {
        "person" => match PersonId::parse(value.as_bytes()) {
            Some(person) => person.masked(),
            None => scrub(value),
        },
        "name" if topic != Topic::TaxCollection => all_but(value, 1, 0),
        "account" => all_but(value, 0, 4),
        _ => scrub(&clean(value)),
    }
}

/// The first and the last characters, the others starred; all of them if there are hardly more.
fn all_but(text: &str, first: usize, last: usize) -> String {
    let text = clean(text);
    let length = text.chars().count();
    let is_shown = |at: usize| length > first + last && (at < first || length - last <= at);
    text.chars()
        .enumerate()
        .map(|(at, c)| if is_shown(at) { c } else { '*' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_named() {
        let raw = r#"{"id":"D-1","type":"death","person":"341002195203100007","name":"王\u5c0f明","n\u0061me":"李","source":"crematorium"}"#;
        let shown = masked(Topic::CivilDeath, raw.as_bytes());
        assert_eq!(
            shown,
            r#"{"id":"D-1","type":"death","person":"341002********0007","name":"王**","n\u0061me":"*","source":"crematorium"}"#
        );
        let raw = r#"{"person": "341002520310000" , "account":"6217000000000000123", "amount": 3000.5, "note":"of 341002195203100007"}"#;
        let shown = masked(Topic::AgencyPayout, raw.as_bytes());
        assert!(
            shown.contains(r#""account":"***************0123""#),
            "{shown}"
        );
        assert!(
            !shown.contains("19520310") && !shown.contains("520310000"),
            "{shown}"
        );
        assert!(shown.contains(r#""amount": 3000.5"#), "{shown}");
    }

    #[test]
    fn an_enterprise_keeps_its_name_and_what_is_no_json_its_stars() {
        let raw = r#"{"enterprise":"91341002MA2TEXT08E","name":"歙县一厂"}"#;
        assert_eq!(masked(Topic::TaxCollection, raw.as_bytes()), raw);
        for broken in [
            r#"{"name":"王小明"#,
            r#"{"name":"王小明\"#,
            "\"name\":\"王小\\x明\"",
        ] {
            let shown = masked(Topic::CivilDeath, broken.as_bytes());
            assert!(!shown.contains('小'), "{shown}");
        }
        assert_eq!(
            masked(Topic::CivilDeath, b"341002195203100007"),
            "341002********0007"
        );
    }
}
