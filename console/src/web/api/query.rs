//! What a query may say: read from one table, by the description and by the check. A page takes a word that it does not
//! know for nothing said, as a link may be old; a program is told.

use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::problem::{Fault, Trouble};
use crate::web::form::Fields;

/// A parameter.
pub struct Asked {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub says: &'static str,
    /// What it may be.
    pub takes: Takes,
}

/// What a parameter may be.
pub enum Takes {
    /// One of these.
    Words(Vec<&'static str>),
    /// A whole number within these.
    Number(i64, i64),
    /// So many hexadecimal digits.
    Hex(usize),
    /// So many digits.
    Digits(usize),
    /// So many characters at most.
    Text(usize),
}

impl Takes {
    fn allows(&self, value: &str) -> bool {
        match self {
            Takes::Words(words) => words.contains(&value),
            Takes::Number(least, most) => value
                .parse()
                .is_ok_and(|number: i64| (*least..=*most).contains(&number)),
            Takes::Hex(length) => {
                value.len() == *length
                    && value
                        .bytes()
                        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
            Takes::Digits(length) => {
                value.len() == *length && value.bytes().all(|b| b.is_ascii_digit())
            }
            Takes::Text(most) => (1..=*most).contains(&value.chars().count()),
        }
    }

    fn schema(&self) -> ObjectBuilder {
        let schema = ObjectBuilder::new();
        match self {
            Takes::Words(words) => schema
                .schema_type(Type::String)
                .enum_values(Some(words.clone())),
            Takes::Number(least, most) => schema
                .schema_type(Type::Integer)
                .minimum(Some(*least))
                .maximum(Some(*most)),
            Takes::Hex(length) => schema
                .schema_type(Type::String)
                .pattern(Some(format!("^[0-9a-f]{{{length}}}$"))),
            Takes::Digits(length) => schema
                .schema_type(Type::String)
                .pattern(Some(format!("^[0-9]{{{length}}}$"))),
            Takes::Text(most) => schema
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(*most)),
        }
    }
}

/// The part of an address that names a case, for the description.
pub struct CaseId;

impl IntoParams for CaseId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let id = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The id of the case's alert."))
            .schema(Some(Takes::Hex(32).schema()));
        vec![id.build()]
    }
}

/// The parameters for the description.
pub fn described(all: Vec<Asked>) -> Vec<Parameter> {
    all.into_iter()
        .map(|asked| {
            ParameterBuilder::new()
                .name(asked.name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(asked.says))
                .schema(Some(asked.takes.schema()))
                .build()
        })
        .collect()
}

/// Refuses a query that says what is not in the table, or says it twice.
///
/// # Errors
/// The parameter at fault.
pub fn check(query: &Fields, all: &[Asked]) -> Result<(), Fault> {
    let mut seen = Vec::new();
    for (name, value) in query.pairs() {
        let Some(asked) = all.iter().find(|asked| asked.name == name) else {
            // What nobody knows may be anything: its name is not repeated.
            return Err(Fault::from(Trouble::Malformed)
                .saying("The query has a parameter that is not known here."));
        };
        if seen.contains(&name) {
            return Err(Fault::at(Trouble::Malformed, name, "is there twice"));
        }
        if !asked.takes.allows(value) {
            return Err(Fault::at(Trouble::Malformed, name, "is not as described"));
        }
        seen.push(name);
    }
    Ok(())
}
