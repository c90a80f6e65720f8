//! A policy as text, on its way to others who are to judge by it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::PolicyErrors;
use crate::policy::Policy;
use crate::read::{self, parse_with};

/// The text of a policy file and of the calendar files that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    file_name: String,
    text: String,
    /// By the name in the policy: what errors call the file, and its text.
    named: BTreeMap<String, (String, String)>,
}

impl PolicyText {
    /// Reads the policy file at `path` and those that it names, and the policy that they are.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(path: &Path) -> Result<(PolicyText, Policy), PolicyErrors> {
        let named = RefCell::new(BTreeMap::new());
        let (file_name, text, policy) = read::load_with(path, &|asked, name, text| {
            named
                .borrow_mut()
                .insert(asked.to_owned(), (name.to_owned(), text.to_owned()));
        })?;
        let text = PolicyText {
            file_name,
            text,
            named: named.into_inner(),
        };
        Ok((text, policy))
    }

    /// The policy once more.
    ///
    /// # Panics
    /// If it is none, which [`PolicyText::load`] has ruled out.
    pub fn policy(&self) -> Policy {
        let open = |asked: &str| match self.named.get(asked) {
            Some((name, text)) => (name.clone(), Ok(text.clone())),
            None => (asked.to_owned(), Err("was not read".to_owned())),
        };
        parse_with(&self.file_name, &self.text, &open).expect("a policy that was read once is good")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BusinessDate;

    #[test]
    fn a_policy_travels_with_its_calendars() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/huangshan.toml");
        let (text, policy) = PolicyText::load(&path).unwrap();
        assert!(!text.named.is_empty(), "it names calendars");
        let again = text.policy();
        let mut day = BusinessDate::parse(b"2024-01-01").unwrap();
        for _ in 0..400 {
            assert_eq!(policy.release_deadline(day), again.release_deadline(day));
            day = day.next();
        }
        assert_eq!(policy.pool, again.pool);
    }
}
