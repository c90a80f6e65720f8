//! Outcomes and reasons of decisions, from a file that has a version: `console/data/reasons.toml`.

use std::sync::OnceLock;

use alerting::Language;
use serde::Deserialize;

/// The file that is in the program.
const TEXT: &str = include_str!("../../data/reasons.toml");

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// Stands in each decision.
    pub version: String,
    /// What a decision may say.
    #[serde(rename = "outcome")]
    pub outcomes: Vec<Outcome>,
    /// Why, each of one outcome.
    #[serde(rename = "reason")]
    pub reasons: Vec<Reason>,
}

/// What a decision says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Its word in the store.
    pub code: String,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
    /// What it says of the detector.
    pub verdict: Verdict,
}

/// Why it says so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Its word in the store.
    pub code: String,
    /// The outcome that it is of.
    pub outcome: String,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
    /// Whether the fault has to be mended before the case closes.
    #[serde(default)]
    pub rectify: bool,
    /// Whether it is offered no more.
    #[serde(default)]
    pub retired: bool,
}

/// What a decision says of the detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was right to ask.
    Hit,
    /// It was not.
    Miss,
    /// That is not known.
    Neither,
}

impl Verdict {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Hit => "hit",
            Verdict::Miss => "miss",
            Verdict::Neither => "neither",
        }
    }
}

impl Codes {
    /// Those of the program.
    pub fn of_program() -> &'static Codes {
        static CODES: OnceLock<Codes> = OnceLock::new();
        CODES.get_or_init(|| toml::from_str(TEXT).expect("the file of codes is tested"))
    }

    /// The outcome of a reason that may be chosen.
    pub fn choice(&self, reason: &str) -> Option<(&Outcome, &Reason)> {
        let reason = self
            .reasons
            .iter()
            .find(|known| known.code == reason && !known.retired)?;
        Some((self.outcome(&reason.outcome)?, reason))
    }

    /// The outcome of a code.
    pub fn outcome(&self, code: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|known| known.code == code)
    }

    /// Outcome and reason in words; of what is not known the codes.
    pub fn words(&self, outcome: &str, reason: &str, language: Language) -> String {
        let outcome = self
            .outcome(outcome)
            .map_or(outcome, |known| pick(language, &known.zh, &known.en));
        let reason = self
            .reasons
            .iter()
            .find(|known| known.code == reason)
            .map_or(reason, |known| pick(language, &known.zh, &known.en));
        match language {
            Language::Zh => format!("{outcome}：{reason}"),
            Language::En => format!("{outcome}: {reason}"),
        }
    }
}

/// The text of a language.
pub const fn pick<'a>(language: Language, zh: &'a str, en: &'a str) -> &'a str {
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_an_outcome_and_every_code_is_there_once() {
        let codes = Codes::of_program();
        for reason in &codes.reasons {
            assert!(codes.outcome(&reason.outcome).is_some(), "{}", reason.code);
        }
        for outcome in &codes.outcomes {
            let reasons = codes.reasons.iter();
            assert!(reasons.clone().any(|reason| reason.outcome == outcome.code));
        }
        let mut all: Vec<&str> = codes.reasons.iter().map(|r| r.code.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), codes.reasons.len());
    }
}
