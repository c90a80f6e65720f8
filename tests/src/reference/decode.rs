//! One line of a feed to a fact, or the reason why not (contract section 2).

use jiff::civil::Date;

use super::facts::{
    Beneficiary, Body, Death, DeathCancelled, Declaration, EnterpriseStatus, Fact, Payment,
    PaymentReversal, Payout, PayoutReversal, Payroll, Topic, Transfer,
};
use super::identifiers;
use super::json::{self, Json};
use super::money::{self, Fen};
use super::period::{self, Period};
use super::policy::Policy;

/// Over this many bytes a record is `too-large`.
pub const BYTES_MAX: usize = 1_048_576;

/// Why a record was rejected, and for which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The contract's reason.
    pub reason: &'static str,
    /// The field at fault, or `None` where it is of no field.
    pub field: Option<&'static str>,
}

/// Decodes the bytes of one record, line end removed.
///
/// # Errors
/// The first reason that applies, in the contract's order.
pub fn decode(topic: Topic, bytes: &[u8], policy: &Policy) -> Result<Fact<Body>, Rejection> {
    let of_no_field = |reason| Rejection {
        reason,
        field: None,
    };
    if bytes.len() > BYTES_MAX {
        return Err(of_no_field("too-large"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| of_no_field("not-utf8"))?;
    let Ok(Json::Object(members)) = json::parse(text) else {
        return Err(of_no_field("not-json"));
    };
    let record = Members(members);

    // From here on the order of the statements is the order of the fields.
    let kind = record.required("type", "unknown-type", string)?;
    if !types(topic).contains(&kind.as_str()) {
        return Err(rejection("unknown-type", "type"));
    }
    let id = record.required("id", "bad-id", id)?;
    let known_region =
        |value: &Json| string(value).filter(|code| policy.regions.contains_key(code));
    let region = record.required("region", "unknown-region", known_region)?;
    let date = record.required("date", "bad-date", date)?;
    let body = body(&kind, &record)?;
    Ok(Fact {
        id,
        region,
        date,
        body,
    })
}

fn types(topic: Topic) -> &'static [&'static str] {
    match topic {
        Topic::TaxCollection => &[
            "enterprise",
            "declaration",
            "payroll",
            "payment",
            "payment_reversal",
            "day_close",
        ],
        Topic::AgencyPayout => &["payout", "payout_reversal", "day_close"],
        Topic::AgencyRoster => &["beneficiary", "day_close"],
        Topic::CivilDeath => &["death", "death_cancelled", "day_close"],
        Topic::TreasuryTransfer => &["transfer", "day_close"],
    }
}

/// The further fields of a type, each read in the contract's order.
fn body(kind: &str, record: &Members) -> Result<Body, Rejection> {
    Ok(match kind {
        "enterprise" => Body::Enterprise(EnterpriseStatus {
            enterprise: record.enterprise()?,
            name: record.required("name", "bad-value", string)?,
            status: record.one_of("status", &["active", "suspended", "deregistered"])?,
        }),
        "declaration" => Body::Declaration(Declaration {
            enterprise: record.enterprise()?,
            period: record.period()?,
            headcount: record.count("headcount")?,
            base: record.amount("base")?,
        }),
        "payroll" => Body::Payroll(Payroll {
            enterprise: record.enterprise()?,
            period: record.period()?,
            headcount: record.count("headcount")?,
            wages: record.amount("wages")?,
        }),
        "payment" => Body::Payment(Payment {
            enterprise: record.enterprise()?,
            period: record.period()?,
            amount: record.amount("amount")?,
        }),
        "payment_reversal" => Body::PaymentReversal(PaymentReversal {
            enterprise: record.enterprise()?,
            period: record.period()?,
            reverses: record.required("reverses", "bad-id", id)?,
            amount: record.amount("amount")?,
        }),
        "payout" => Body::Payout(Payout {
            person: record.person()?,
            period: record.period()?,
            item: record.required("item", "bad-value", item)?,
            nature: record.one_of("nature", &["regular", "back_pay", "lump_sum"])?,
            amount: record.amount("amount")?,
            account: record.optional("account", "bad-value", string)?,
        }),
        "payout_reversal" => Body::PayoutReversal(PayoutReversal {
            person: record.person()?,
            period: record.period()?,
            item: record.required("item", "bad-value", item)?,
            reverses: record.required("reverses", "bad-id", id)?,
            amount: record.amount("amount")?,
        }),
        "beneficiary" => Body::Beneficiary(Beneficiary {
            person: record.person()?,
            status: record.one_of("status", &["receiving", "suspended", "ended"])?,
            amount: record.optional("amount", "bad-amount", amount)?,
            name: record.optional("name", "bad-value", string)?,
        }),
        "death" => Body::Death(Death {
            person: record.person()?,
            died_on: record.required("died_on", "bad-date", date)?,
            source: record.required("source", "bad-value", string)?,
            name: record.optional("name", "bad-value", string)?,
        }),
        "death_cancelled" => Body::DeathCancelled(DeathCancelled {
            person: record.person()?,
            reverses: record.required("reverses", "bad-id", id)?,
        }),
        "transfer" => transfer(record)?,
        "day_close" => Body::DayClose {
            records: record.count("records")?,
            amount: record.amount("amount")?,
        },
        other => unreachable!("`{other}` is a type of no topic"),
    })
}

fn transfer(record: &Members) -> Result<Body, Rejection> {
    let kinds = [
        "remit_up",
        "allocate_down",
        "central_subsidy",
        "provincial_subsidy",
        "treasury_release",
        "county_subsidy",
    ];
    let kind = record.one_of("kind", &kinds)?;
    let amount = record.amount("amount")?;
    let period = match kind.as_str() {
        "remit_up" => Some(record.period()?),
        _ => record.optional("period", "bad-period", period)?,
    };
    let source = match kind.as_str() {
        "treasury_release" => Some(record.required("source", "bad-id", id)?),
        _ => record.optional("source", "bad-id", id)?,
    };
    Ok(Body::Transfer(Transfer {
        kind,
        amount,
        period,
        source,
    }))
}

struct Members(Vec<(String, Json)>);

impl Members {
    /// The last value of a key; `null` is the same as absent.
    fn get(&self, field: &str) -> Option<&Json> {
        let (_, last) = self.0.iter().rfind(|(key, _)| key == field)?;
        if *last == Json::Null {
            None
        } else {
            Some(last)
        }
    }

    fn optional<T>(
        &self,
        field: &'static str,
        reason: &'static str,
        read: impl Fn(&Json) -> Option<T>,
    ) -> Result<Option<T>, Rejection> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(rejection(reason, field)),
        }
    }

    fn required<T>(
        &self,
        field: &'static str,
        reason: &'static str,
        read: impl Fn(&Json) -> Option<T>,
    ) -> Result<T, Rejection> {
        self.optional(field, reason, read)?
            .ok_or(rejection("missing-field", field))
    }

    fn enterprise(&self) -> Result<String, Rejection> {
        self.required("enterprise", "bad-enterprise", |value| {
            identifiers::enterprise(&string(value)?)
        })
    }

    fn person(&self) -> Result<String, Rejection> {
        self.required("person", "bad-person", |value| {
            identifiers::person(&string(value)?)
        })
    }

    fn period(&self) -> Result<Period, Rejection> {
        self.required("period", "bad-period", period)
    }

    fn amount(&self, field: &'static str) -> Result<Fen, Rejection> {
        self.required(field, "bad-amount", amount)
    }

    fn count(&self, field: &'static str) -> Result<u64, Rejection> {
        self.required(field, "bad-count", count)
    }

    fn one_of(&self, field: &'static str, words: &[&str]) -> Result<String, Rejection> {
        self.required(field, "bad-value", |value| {
            string(value).filter(|text| words.contains(&text.as_str()))
        })
    }
}

fn rejection(reason: &'static str, field: &'static str) -> Rejection {
    Rejection {
        reason,
        field: Some(field),
    }
}

fn string(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
fn id(value: &Json) -> Option<String> {
    word(value, b"._:-")
}

/// 1 to 64 characters of `A-Z a-z 0-9 _ . -`.
fn item(value: &Json) -> Option<String> {
    word(value, b"_.-")
}

fn word(value: &Json, further: &[u8]) -> Option<String> {
    string(value).filter(|text| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || further.contains(&byte))
    })
}

fn date(value: &Json) -> Option<Date> {
    period::date(&string(value)?)
}

fn period(value: &Json) -> Option<Period> {
    Period::parse(&string(value)?)
}

/// A string, or the literal text of a number.
fn amount(value: &Json) -> Option<Fen> {
    match value {
        Json::String(text) | Json::Number(text) => money::amount(text),
        _ => None,
    }
}

/// A number of 1 to 9 digits.
fn count(value: &Json) -> Option<u64> {
    match value {
        Json::Number(text) if text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        _ => None,
    }
}
