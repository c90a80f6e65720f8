//! Records as bytes: the same thing in many spellings, and spellings that are none.

use super::Dice;
use super::record::{Record, Value};

/// One of the many lines that say what the record says.
pub(super) fn line(dice: &mut Dice, record: &Record) -> Vec<u8> {
    let mut members = Vec::new();
    for (name, value) in &record.fields {
        if dice.chance(2) {
            // Of a repeated key the last counts.
            members.push(format!(
                "{}:{}",
                key(dice, name),
                dice.pick(&["null", "7", "\"?\"", "[{}]"])
            ));
        }
        if let Some(value) = spell(dice, value) {
            members.push(format!("{}:{value}", key(dice, name)));
        }
    }
    if dice.chance(20) {
        reorder(dice, &mut members);
    }
    if dice.chance(10) {
        let memo = dice.pick(&[
            r#""memo":"\ud83d\ude00""#,
            r#""memo":[[{"amount":-1e999}],null]"#,
            r#""":0.5E-3"#,
            r#""Amount":"x""#,
        ]);
        members.insert(dice.below(members.len() + 1), memo.to_owned());
    }
    let (comma, open, close) =
        dice.pick(&[(",", "{", "}"), (", ", "{", "}"), (" ,\t", " { ", " } ")]);
    format!("{open}{}{close}", members.join(comma)).into_bytes()
}

/// Shuffles members, but repeated keys stay in their order.
fn reorder(dice: &mut Dice, members: &mut [String]) {
    let name = |member: &String| {
        member
            .split(':')
            .next()
            .unwrap_or_default()
            .replace("\\u0061", "a")
            .replace("\\u0065", "e")
    };
    let names: Vec<String> = members.iter().map(name).collect();
    let repeated = names
        .iter()
        .any(|name| names.iter().filter(|other| *other == name).count() > 1);
    if !repeated {
        dice.shuffle(members);
    }
}

fn key(dice: &mut Dice, name: &str) -> String {
    match dice.below(100) {
        0 => format!("\"{}\"", name.replace('a', "\\u0061")),
        1 => format!("\"{}\"", name.replace('e', "\\u0065")),
        _ => format!("\"{name}\""),
    }
}

fn spell(dice: &mut Dice, value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => quoted(dice, text),
        Value::Person(person) => {
            let legacy = person.get(6..8) == Some("19") && dice.chance(20);
            let spelt = match legacy {
                true => format!("{}{}", &person[..6], &person[8..17]),
                false if dice.chance(30) => person.to_lowercase(),
                false => person.clone(),
            };
            quoted(dice, &spelt)
        }
        Value::Enterprise(enterprise) => {
            let spelt = if dice.chance(15) {
                enterprise.to_lowercase()
            } else {
                enterprise.clone()
            };
            quoted(dice, &spelt)
        }
        Value::Amount(fen) => {
            let (yuan, cents) = (fen / 100, fen % 100);
            let number = match cents {
                0 if dice.chance(50) => yuan.to_string(),
                _ if cents % 10 == 0 && dice.chance(40) => format!("{yuan}.{}", cents / 10),
                _ => format!("{yuan}.{cents:02}"),
            };
            match dice.below(10) {
                0..=2 => number,
                3 if yuan < 1_000_000 => format!("\"00{number}\""),
                _ => format!("\"{number}\""),
            }
        }
        Value::Count(count) => count.to_string(),
        Value::Nothing if dice.chance(30) => "null".to_owned(),
        Value::Nothing => return None,
    })
}

/// A JSON string, now and then with escapes where none are needed.
fn quoted(dice: &mut Dice, text: &str) -> String {
    let escape_all = dice.chance(3);
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if escape_all => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    quoted.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

/// A line that looks like the record and has to be rejected, mostly.
pub(super) fn bad_line(dice: &mut Dice, record: &Record) -> Vec<u8> {
    let good = line(dice, record);
    match dice.below(12) {
        0 => good[..dice.below(good.len() - 1) + 1].to_vec(),
        1 => [b"\xef\xbb\xbf", good.as_slice()].concat(),
        2 => with_member(&good, br#""memo":"\ud800""#),
        3 => with_member(&good, b"\"memo\":\"\xbb\xc6\""),
        4 => {
            let depth = 62 + dice.below(4);
            with_member(
                &good,
                format!("\"memo\":{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes(),
            )
        }
        5 => with_member(&good, b"\"memo\":NaN"),
        _ => bad_field(dice, record),
    }
}

fn with_member(good: &[u8], member: &[u8]) -> Vec<u8> {
    let brace = good
        .iter()
        .rposition(|byte| *byte == b'}')
        .expect("an object");
    [&good[..brace], b",", member, &good[brace..]].concat()
}

/// The record with one field missing or of no sense.
fn bad_field(dice: &mut Dice, record: &Record) -> Vec<u8> {
    let spoilt = dice.below(record.fields.len());
    let mut members = Vec::new();
    for (index, (name, value)) in record.fields.iter().enumerate() {
        let spelt = match index == spoilt {
            true => dice
                .pick(&[
                    None,
                    Some("null"),
                    Some("[]"),
                    Some("-1"),
                    Some("1.005"),
                    Some("1e2"),
                    Some("\"\""),
                    Some("\" \""),
                    Some("\"2024-02-30\""),
                    Some("\"2200-01-01\""),
                    Some("\"2024-13\""),
                    Some("\"341024\""),
                    Some("\"payout\""),
                    Some("\"91341002MA2TEXT080\""),
                    Some("\"341002195203100000\""),
                    Some("true"),
                ])
                .map(str::to_owned),
            false => spell(dice, value),
        };
        members.extend(spelt.map(|spelt| format!("\"{name}\":{spelt}")));
    }
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// A line that is no record.
pub(super) fn blank_line(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&["", " ", "\t \t", "\r"]).into()
}
