//! What a browser sends: queries and forms, with limits. A field that comes twice, or that nobody asked for, is refused.

use super::answer::Failure;

/// Fields of a form or a query at most.
const FIELDS_MAX: usize = 400;

/// Names and values, in their order.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `a=1&b=2`.
    ///
    /// # Errors
    /// There are too many.
    pub fn parse(text: &[u8]) -> Result<Fields, Failure> {
        let fields: Vec<(String, String)> = form_urlencoded::parse(text)
            .take(FIELDS_MAX + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if fields.len() > FIELDS_MAX {
            return Err(Failure::Bad);
        }
        Ok(Fields(fields))
    }

    /// The value of a field; empty if it is not there.
    ///
    /// # Errors
    /// It is there twice.
    pub fn one<'a>(&'a self, name: &str) -> Result<&'a str, Failure> {
        let mut values = self
            .0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str());
        let first = values.next().unwrap_or("");
        values.next().is_none().then_some(first).ok_or(Failure::Bad)
    }

    /// As [`Fields::one`], but an empty value is none.
    ///
    /// # Errors
    /// As there.
    pub fn some<'a>(&'a self, name: &str) -> Result<Option<&'a str>, Failure> {
        Ok(Some(self.one(name)?.trim()).filter(|value| !value.is_empty()))
    }

    /// A whole number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self, name: &str) -> Result<i64, Failure> {
        self.one(name)?.parse().map_err(|_| Failure::Bad)
    }

    /// All values of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Names and values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Refuses fields that nobody asked for: whatever they are to set, it is not set here.
    ///
    /// # Errors
    /// There is one.
    pub fn only(&self, names: &[&str]) -> Result<(), Failure> {
        let is_known = |name: &str| name == "csrf" || names.contains(&name);
        let all_known = self.0.iter().all(|(name, _)| is_known(name));
        all_known.then_some(()).ok_or(Failure::Bad)
    }
}

/// `a=1&b=2` of names and values.
pub fn query<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        query.append_pair(name, value);
    }
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S13: no parameter twice, none that was not asked for.
    #[test]
    fn s13_doubled_and_foreign_fields_are_refused() {
        let fields = Fields::parse("a=1&b=%E4%B8%AD&a=2&role=administrator".as_bytes()).unwrap();
        assert!(fields.one("a").is_err());
        assert_eq!(fields.one("b").unwrap(), "中");
        assert_eq!(fields.one("c").unwrap(), "");
        assert!(fields.only(&["a", "b"]).is_err());
        assert!(fields.only(&["a", "b", "role"]).is_ok());
        assert!(Fields::parse("a=1&".repeat(FIELDS_MAX + 1).as_bytes()).is_err());
    }
}
