//! Single values of a policy: from TOML to a word of the domain, or what is wrong and what is allowed.

use domain::{BusinessDate, Money, Period, Rate, RegionCode};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use toml::de::DeValue;

/// A value read, or what is wrong with it.
pub(crate) type Read<T> = Result<T, String>;

/// The greatest length of an item's name.
const ITEM_LENGTH_MAX: usize = 64;

/// `true` or `false`.
pub(crate) fn boolean(value: &DeValue<'_>) -> Read<bool> {
    value
        .as_bool()
        .ok_or_else(|| wrong_kind(value, "`true` or `false`, without quotes"))
}

/// A whole number within bounds.
pub(crate) fn whole(value: &DeValue<'_>, least: u32, greatest: u32) -> Read<u32> {
    let allowed = format!("a whole number from {least} to {greatest}, without quotes");
    let Some(integer) = value.as_integer() else {
        return Err(wrong_kind(value, &allowed));
    };
    u32::from_str_radix(integer.as_str(), integer.radix())
        .ok()
        .filter(|number| (least..=greatest).contains(number))
        .ok_or_else(|| format!("`{integer}` is out of range; allowed: {allowed}"))
}

/// A text that says something.
pub(crate) fn name(value: &DeValue<'_>) -> Read<String> {
    let allowed = "a text in quotes that is not empty";
    let text = text(value, allowed)?;
    if text.trim().is_empty() {
        return Err(format!("is empty; allowed: {allowed}"));
    }
    Ok(text.to_owned())
}

/// The path of a file.
pub(crate) fn file(value: &DeValue<'_>) -> Read<String> {
    name(value)
}

/// The name of an IANA time zone that there is.
pub(crate) fn time_zone(value: &DeValue<'_>) -> Read<String> {
    let allowed = "the IANA name of a time zone in quotes, e.g. \"Asia/Shanghai\"";
    let text = text(value, allowed)?;
    match jiff::tz::TimeZone::get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(wrong_text(text, allowed)),
    }
}

/// A six-digit code.
pub(crate) fn region_code(value: &DeValue<'_>) -> Read<RegionCode> {
    let allowed = "six digits in quotes, e.g. \"341000\"";
    let text = text(value, allowed)?;
    RegionCode::parse(text.as_bytes()).ok_or_else(|| wrong_text(text, allowed))
}

/// A benefit item, as records name it.
pub(crate) fn item(value: &DeValue<'_>) -> Read<String> {
    let allowed = "1 to 64 characters of A-Z a-z 0-9 _ . - in quotes";
    let text = text(value, allowed)?;
    let is_item = (1..=ITEM_LENGTH_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if is_item {
        Ok(text.to_owned())
    } else {
        Err(wrong_text(text, allowed))
    }
}

/// What the id of a record may begin with.
pub(crate) fn id_prefix(value: &DeValue<'_>) -> Read<String> {
    let allowed = "1 to 64 characters of A-Z a-z 0-9 _ . : - in quotes";
    let text = text(value, allowed)?;
    let is_prefix = (1..=ITEM_LENGTH_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'));
    if is_prefix {
        Ok(text.to_owned())
    } else {
        Err(wrong_text(text, allowed))
    }
}

/// A month, as text.
pub(crate) fn month(value: &DeValue<'_>) -> Read<Period> {
    let allowed = "a month of 1900 to 2199 in quotes, \"YYYY-MM\"";
    let text = dated_text(value, allowed)?;
    if let Some(month) = Period::parse(text.as_bytes()) {
        return Ok(month);
    }
    Err(match BusinessDate::parse(text.as_bytes()) {
        Some(day) => format!(
            "`{text}` is a day where a month belongs; allowed: {allowed}, e.g. \"{}\"",
            day.period()
        ),
        None => wrong_text(&text, allowed),
    })
}

/// A day, as text.
pub(crate) fn day(value: &DeValue<'_>) -> Read<BusinessDate> {
    let allowed = "a calendar day of 1900 to 2199 in quotes, \"YYYY-MM-DD\"";
    let text = dated_text(value, allowed)?;
    if let Some(day) = BusinessDate::parse(text.as_bytes()) {
        return Ok(day);
    }
    Err(match Period::parse(text.as_bytes()) {
        Some(month) => format!(
            "`{text}` is a month where a day belongs; allowed: {allowed}, e.g. \"{}\"",
            month.first_day()
        ),
        None => wrong_text(&text, allowed),
    })
}

/// An amount of yuan, as text.
pub(crate) fn amount(value: &DeValue<'_>) -> Read<Money> {
    let allowed = "yuan with at most 12 digits and 2 decimals in quotes, e.g. \"6000.00\"";
    let text = decimal_text(value, allowed)?;
    Money::parse(text.as_bytes()).ok_or_else(|| wrong_text(text, allowed))
}

/// An amount that is more than nothing and less than 10^8 yuan: what products with rates may hold.
pub(crate) fn wage(value: &DeValue<'_>) -> Read<Money> {
    let wage = amount(value)?;
    if Money::ZERO < wage && wage < Money::from_yuan(100_000_000) {
        Ok(wage)
    } else {
        Err(format!(
            "`{wage}` is out of range; allowed: more than 0.00 and less than 100000000.00 yuan a month"
        ))
    }
}

/// A rate or ratio from 0 to `greatest`, as text.
pub(crate) fn rate(value: &DeValue<'_>, greatest: u32) -> Read<Rate> {
    let allowed =
        format!("a number from 0 to {greatest} with at most 8 decimals in quotes, e.g. \"0.16\"");
    let text = decimal_text(value, &allowed)?;
    exact_decimal(text)
        .filter(|number| *number <= Decimal::from(greatest))
        .and_then(|number| number.checked_mul(Decimal::from(Rate::SCALE)))
        .filter(|units| units.fract().is_zero())
        .and_then(|units| units.to_i64())
        .map(Rate::from_units)
        .ok_or_else(|| wrong_text(text, &allowed))
}

/// Digits, with or without a point and further digits; neither sign nor exponent nor separators.
fn exact_decimal(text: &str) -> Option<Decimal> {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_plain = match text.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(text),
    };
    is_plain.then(|| Decimal::from_str_exact(text).ok())?
}

fn text<'v>(value: &'v DeValue<'_>, allowed: &str) -> Read<&'v str> {
    value.as_str().ok_or_else(|| wrong_kind(value, allowed))
}

/// A text that has to be quoted so that it passes through no binary floating point.
fn decimal_text<'v>(value: &'v DeValue<'_>, allowed: &str) -> Read<&'v str> {
    let bare = match value {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        other => return text(other, allowed),
    };
    Err(format!(
        "is a bare number; write it in quotes, \"{bare}\", so that it stays exact; allowed: {allowed}"
    ))
}

/// A text that has to be quoted although TOML has dates of its own.
fn dated_text(value: &DeValue<'_>, allowed: &str) -> Read<String> {
    match value {
        DeValue::Datetime(bare) => Err(format!("`{bare}` is not in quotes; allowed: {allowed}")),
        other => text(other, allowed).map(str::to_owned),
    }
}

fn wrong_text(text: &str, allowed: &str) -> String {
    format!("`{}` is not valid; allowed: {allowed}", text.escape_debug())
}

/// `value` is of another kind than is allowed.
pub(crate) fn wrong_kind(value: &DeValue<'_>, allowed: &str) -> String {
    let kind = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("is {kind}; allowed: {allowed}")
}
