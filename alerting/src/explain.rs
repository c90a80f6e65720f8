//! An alert in words, for whoever shows it otherwise than by mail: the sentence, the rule with its numbers, what it
//! rests on. The words are those of the mails, cleaned and without a full resident ID number.

use crate::mail::{Office, view, words::Topic};
use crate::routing::Language;
use crate::store::{AlertRow, Telling};

/// An alert as a reader sees it, in the reader's language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// What kind of notice the last telling was.
    pub event: String,
    /// What is, or was, the case.
    pub sentence: String,
    /// The rule and its source; none of an alert that was never due.
    pub rule: Option<String>,
    /// The entry of the policy that was applied.
    pub policy: Option<String>,
    /// What is to be done, and what to rule out first.
    pub action: String,
    /// By when, if something is still to be done.
    pub respond_by: Option<String>,
    /// How the amount comes about, with its numbers.
    pub arithmetic: Option<String>,
    /// How much, since when: label, value, and whether it is a number.
    pub facts: Vec<(String, String, bool)>,
    /// The detector's own figures, likewise.
    pub details: Vec<(String, String, bool)>,
    /// What is another than at the telling before: label, was, is.
    pub changes: Vec<(String, String, String)>,
    /// The record that did it.
    pub cause: Option<String>,
}

/// The alert as it is stored, in the light of its last telling: a change that was told to nobody is in it, too.
pub fn explain(row: &AlertRow, last: &Telling, office: &Office, language: Language) -> Explanation {
    let now = Telling {
        alert: row.alert.clone(),
        ..last.clone()
    };
    explain_telling(&now, office, language)
}

/// One telling, as it was told.
pub fn explain_telling(telling: &Telling, office: &Office, language: Language) -> Explanation {
    let view = view::single(telling, office, language);
    let facts = |facts: Vec<view::Fact>| {
        facts
            .into_iter()
            .map(|fact| (fact.label, fact.value, fact.is_number))
            .collect()
    };
    Explanation {
        event: view.event.to_owned(),
        sentence: view.sentence,
        rule: view.rule.map(str::to_owned),
        policy: view.policy,
        action: view.action.to_owned(),
        respond_by: view.respond_by,
        arithmetic: view.arithmetic,
        facts: facts(view.facts),
        details: facts(view.details),
        changes: view
            .changes
            .into_iter()
            .map(|change| (change.label.to_owned(), change.was, change.is))
            .collect(),
        cause: view.cause,
    }
}

/// What an alert is called, in a language: a match of numbers alone is not called a death.
pub fn name(alert: &domain::Alert, language: Language) -> &'static str {
    view::topic(alert).name(language)
}

/// Whether it is a match of numbers alone, which nobody may be called dead for.
pub fn is_number_match(alert: &domain::Alert) -> bool {
    view::topic(alert) == Topic::NumberMatch
}

/// What a match of numbers alone is called.
pub fn number_match(language: Language) -> &'static str {
    Topic::NumberMatch.name(language)
}

/// Whom it is about, a person's number masked.
pub fn who(alert: &domain::Alert) -> String {
    view::who(alert)
}
