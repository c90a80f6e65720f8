//! The life of an alert: which differences between what was stored and what is now the case are
//! told to people, and as what (contract sections 4 and 6).
//!
//! Pure: two alerts in, an event or none out. What an alert rests on (details, evidence, peak,
//! dates of the same episode) may change without anybody being told.

use domain::{Alert, State};
use serde::{Deserialize, Serialize};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// There was no alert, and there is one that is open.
    Raised,
    /// A further episode, and it is open.
    Reopened,
    /// State, severity or amount is another, within the same episode.
    Changed,
    /// The condition holds no more. May be the first that is told of the alert, or of its episode.
    Cleared,
    /// It was told, and was never due.
    Withdrawn,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 5] = [
        EventKind::Raised,
        EventKind::Reopened,
        EventKind::Changed,
        EventKind::Cleared,
        EventKind::Withdrawn,
    ];

    /// The word in the topic, the store and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Raised => "raised",
            EventKind::Reopened => "reopened",
            EventKind::Changed => "changed",
            EventKind::Cleared => "cleared",
            EventKind::Withdrawn => "withdrawn",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<EventKind> {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// How an alert stands: whether one speaks of now, of the past, or takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The condition holds.
    Open,
    /// It held, and holds no more.
    Cleared,
    /// The alert was never due.
    Withdrawn,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 3] = [Standing::Open, Standing::Cleared, Standing::Withdrawn];

    /// Of an alert that was withdrawn or not; a withdrawn one is as it last was.
    pub const fn of(alert: &Alert, is_withdrawn: bool) -> Standing {
        match (is_withdrawn, alert.state) {
            (true, _) => Standing::Withdrawn,
            (false, State::Open) => Standing::Open,
            (false, State::Cleared) => Standing::Cleared,
        }
    }

    /// The word in stores, addresses and output for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Standing::Open => "open",
            Standing::Cleared => "cleared",
            Standing::Withdrawn => "withdrawn",
        }
    }

    /// The standing of a word.
    pub fn parse(word: &str) -> Option<Standing> {
        Standing::ALL
            .into_iter()
            .find(|standing| standing.as_str() == word)
    }
}

/// Which way an alert changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// Graver, or more money, or open again.
    Worse,
    /// Less grave, or less money.
    Better,
}

/// What is to be told, if anything, now that an alert that was `stored` (and not withdrawn) is
/// `current`.
pub fn event(stored: Option<&Alert>, current: Option<&Alert>) -> Option<EventKind> {
    match (stored, current) {
        (None, None) => None,
        (Some(_), None) => Some(EventKind::Withdrawn),
        (None, Some(current)) => Some(match current.state {
            State::Open => EventKind::Raised,
            State::Cleared => EventKind::Cleared,
        }),
        (Some(stored), Some(current)) => between(stored, current),
    }
}

fn between(stored: &Alert, current: &Alert) -> Option<EventKind> {
    let new_episode = current.episodes > stored.episodes;
    match (stored.state, current.state) {
        (_, State::Open) if new_episode => Some(EventKind::Reopened),
        (State::Open, State::Cleared) => Some(EventKind::Cleared),
        // A further episode came and went unseen.
        (State::Cleared, State::Cleared) if new_episode => Some(EventKind::Cleared),
        // A late fact shows that the episode is not over.
        (State::Cleared, State::Open) => Some(EventKind::Changed),
        _ => {
            let same = stored.severity == current.severity && stored.amount == current.amount;
            (!same).then_some(EventKind::Changed)
        }
    }
}

/// Which way `current` differs from `stored`: by state, then severity, then amount.
pub fn trend(stored: &Alert, current: &Alert) -> Trend {
    let open = |alert: &Alert| alert.state == State::Open;
    let weight = |alert: &Alert| (open(alert), alert.severity, alert.amount);
    if weight(current) > weight(stored) {
        Trend::Worse
    } else {
        Trend::Better
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{BusinessDate, Money, Severity};

    /// `open 2 red 5.00`: state, episodes, severity, yuan.
    fn alert(text: &str) -> Option<Alert> {
        let mut words = text.split(' ');
        let state = match words.next()? {
            "open" => State::Open,
            "cleared" => State::Cleared,
            _ => return None,
        };
        let episodes = words.next().unwrap().parse().unwrap();
        let severity = words.next().unwrap();
        let amount = Money::parse(words.next().unwrap().as_bytes()).unwrap();
        let day = BusinessDate::from_ymd(2024, 3, 1).unwrap();
        Some(Alert {
            id: "id".into(),
            detector: "arrears".into(),
            subject: "s".into(),
            region: "341002".into(),
            period: None,
            item: None,
            state,
            opened_on: day,
            cleared_on: (state == State::Cleared).then(|| day.next()),
            amount,
            peak: amount,
            episodes,
            severity: Severity::ALL
                .into_iter()
                .find(|s| s.as_str() == severity)
                .unwrap(),
            evidence: Vec::new(),
            policy: None,
            details: serde_json::Map::new(),
        })
    }

    #[test]
    fn timetable() {
        use EventKind::{Changed, Cleared, Raised, Reopened, Withdrawn};
        for (stored, current, expected) in [
            ("-", "-", None),
            ("-", "open 1 blue 5", Some(Raised)),
            ("-", "open 3 blue 5", Some(Raised)),
            ("-", "cleared 1 blue 0", Some(Cleared)),
            ("open 1 blue 5", "-", Some(Withdrawn)),
            ("cleared 1 blue 0", "-", Some(Withdrawn)),
            ("open 1 blue 5", "open 1 blue 5", None),
            ("open 1 blue 5", "open 1 blue 6", Some(Changed)),
            ("open 1 blue 5", "open 1 yellow 5", Some(Changed)),
            ("open 1 blue 5", "cleared 1 blue 0", Some(Cleared)),
            ("open 1 blue 5", "cleared 2 blue 0", Some(Cleared)),
            ("open 1 blue 5", "open 2 blue 5", Some(Reopened)),
            ("cleared 1 blue 0", "open 2 blue 5", Some(Reopened)),
            ("cleared 1 blue 0", "open 1 blue 5", Some(Changed)),
            ("cleared 1 blue 0", "cleared 1 blue 0", None),
            ("cleared 1 blue 0", "cleared 2 blue 0", Some(Cleared)),
            ("cleared 2 blue 0", "cleared 1 blue 0", None),
            ("cleared 1 blue 0", "cleared 1 red 0", Some(Changed)),
            ("open 2 blue 5", "open 1 blue 5", None),
        ] {
            let (before, after) = (alert(stored), alert(current));
            assert_eq!(
                event(before.as_ref(), after.as_ref()),
                expected,
                "{stored} -> {current}"
            );
        }
    }

    #[test]
    fn details_evidence_and_peak_alone_are_silent() {
        let stored = alert("open 1 blue 5").unwrap();
        let mut current = stored.clone();
        current.details.insert("surcharge".into(), "14.40".into());
        current.evidence.push("tax.collection/D1".into());
        current.peak = Money::from_yuan(9);
        assert_eq!(event(Some(&stored), Some(&current)), None);
    }

    #[test]
    fn worse_and_better() {
        for (stored, current, expected) in [
            ("open 1 blue 5", "open 1 yellow 4", Trend::Worse),
            ("open 1 blue 5", "open 1 blue 6", Trend::Worse),
            ("open 1 blue 5", "open 1 blue 4", Trend::Better),
            ("open 1 red 5", "open 1 yellow 9", Trend::Better),
            ("cleared 1 red 0", "open 1 blue 4", Trend::Worse),
        ] {
            let (before, after) = (alert(stored).unwrap(), alert(current).unwrap());
            assert_eq!(trend(&before, &after), expected, "{stored} -> {current}");
        }
    }
}
