//! The values that the answers are made of, with what the description says of each: amounts, days, moments, and the words
//! of the closed lists, which are those of the casebook.

use std::borrow::Cow;

use alerting::life::Standing;
use domain::{BusinessDate, Detector, Money, Severity};
use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::casebook::cases::{CaseState, Stage};
use crate::casebook::letters::LetterKind;
use crate::rights::{Role, Scope};

/// An amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fen(pub i64);

impl From<Money> for Fen {
    /// What does not fit is as much as fits, as in the casebook: 92 quadrillion yuan.
    fn from(amount: Money) -> Fen {
        let limit = if amount.fen() < 0 { i64::MIN } else { i64::MAX };
        Fen(i64::try_from(amount.fen()).unwrap_or(limit))
    }
}

impl PartialSchema for Fen {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .description(Some(
                "An amount in fen (分), the hundredth of a yuan (CNY).",
            ))
            .into()
    }
}

impl ToSchema for Fen {
    fn name() -> Cow<'static, str> {
        "Fen".into()
    }
}

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub BusinessDate);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        text(Some(KnownFormat::Date), "A day of the pool, YYYY-MM-DD.").into()
    }
}

impl ToSchema for Day {
    fn name() -> Cow<'static, str> {
        "Day".into()
    }
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        text(Some(KnownFormat::DateTime), "A moment in UTC, RFC 3339.").into()
    }
}

impl ToSchema for Moment {
    fn name() -> Cow<'static, str> {
        "Moment".into()
    }
}

/// A whole number, also as some programs write it: to JSON Schema 4.0 is one.
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let text = number.to_string();
    let text = text.strip_suffix(".0").unwrap_or(&text);
    text.parse()
        .map_err(|_| D::Error::custom("no whole number"))
}

/// The same, or null; what is not there is neither.
pub fn whole_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole")] i64);

    let number = Option::<Whole>::deserialize(deserializer)?;
    Ok(number.map(|Whole(number)| number))
}

fn text(format: Option<KnownFormat>, says: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(format.map(SchemaFormat::KnownFormat))
        .description(Some(says))
}

macro_rules! word_of {
    ($name:ident, $of:ty, $says:literal) => {
        #[doc = $says]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $of);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let word = String::deserialize(deserializer)?;
                let known = <$of>::ALL.into_iter().find(|known| known.as_str() == word);
                known
                    .map($name)
                    .ok_or_else(|| D::Error::custom("no word of the list"))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = <$of>::ALL.map(|known| known.as_str());
                text(None, $says).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

word_of!(StateWord, CaseState, "Where a case is.");
word_of!(
    StageWord,
    Stage,
    "How far the mending of a fault has come: what it waits for."
);
word_of!(StandingWord, Standing, "How an alert stands.");
word_of!(SeverityWord, Severity, "How grave an alert is.");
word_of!(LetterWord, LetterKind, "What a letter asks for.");
word_of!(RoleWord, Role, "What a person is at the console.");
word_of!(
    ScopeWord,
    Scope,
    "What a token may be used for: to read, or to read and act."
);
word_of!(DetectorWord, Detector, "A detector.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_whole_number_of_fen_and_never_wraps() {
        assert_eq!(
            serde_json::to_string(&Fen::from(Money::from_fen(-12_345))).unwrap(),
            "-12345"
        );
        assert_eq!(
            Fen::from(Money::from_fen(i128::from(i64::MAX) + 1)),
            Fen(i64::MAX)
        );
        assert_eq!(
            Fen::from(Money::from_fen(i128::from(i64::MIN) - 1)),
            Fen(i64::MIN)
        );
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_zero_behind_the_point() {
        for (text, expected) in [
            ("4", Some(4)),
            ("4.0", Some(4)),
            ("-1.0", Some(-1)),
            ("4.5", None),
            ("1e30", None),
            ("\"4\"", None),
            ("null", None),
        ] {
            let mut reader = serde_json::Deserializer::from_str(text);
            assert_eq!(whole(&mut reader).ok(), expected, "{text}");
        }
        let mut reader = serde_json::Deserializer::from_str("null");
        assert_eq!(whole_or_null(&mut reader).unwrap(), None);
    }

    #[test]
    fn a_word_is_one_of_its_list() {
        let state: StateWord = serde_json::from_str("\"review\"").unwrap();
        assert_eq!(state, StateWord(CaseState::Review));
        assert!(serde_json::from_str::<StateWord>("\"Review\"").is_err());
    }
}
