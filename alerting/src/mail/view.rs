//! A telling as a reader sees it: every text in the reader's language, cleaned, and without a full
//! resident ID number.

use std::collections::BTreeMap;

use domain::{Alert, Detector, Money, PersonId, RegionCode, Severity, State};
use serde_json::Value;

use super::text::{clean, scrub};
use super::words::{self, Labels, Standing, Topic};
use crate::life::{self, EventKind, Trend};
use crate::routing::Language;
use crate::store::{Digest, Telling};

/// Facts that are shown at most.
const EVIDENCE_MAX: usize = 10;
/// Characters of a subject line at most.
const SUBJECT_MAX: usize = 70;
/// Fen in ten thousand yuan (万元), and in a hundred million (亿元).
const WAN: i128 = 1_000_000;
const YI: i128 = 10_000 * WAN;

/// The names of the pool and its regions, from the policy.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pool: String,
    regions: BTreeMap<RegionCode, String>,
}

impl Places {
    /// The pool's name, and its regions by code.
    pub fn new(pool: &str, regions: impl IntoIterator<Item = (RegionCode, String)>) -> Places {
        Places {
            pool: clean(pool),
            regions: regions
                .into_iter()
                .map(|(code, name)| (code, clean(&name)))
                .collect(),
        }
    }

    /// The pool's name.
    pub fn pool(&self) -> &str {
        &self.pool
    }

    fn region<'a>(&'a self, code: &'a str) -> &'a str {
        RegionCode::parse(code.as_bytes())
            .and_then(|code| self.regions.get(&code))
            .map_or(code, String::as_str)
    }
}

/// A mail on one telling.
pub struct Single {
    pub labels: &'static Labels,
    pub subject: String,
    pub pool: String,
    /// What kind of notice.
    pub event: &'static str,
    /// The sentence that says what is the case.
    pub sentence: String,
    /// The severity of what is open; empty of what is over or was never due.
    pub severity_class: &'static str,
    /// Label and value: how much, since when.
    pub facts: Vec<(&'static str, String)>,
    /// None of an alert that was never due: no rule was broken.
    pub rule: Option<&'static str>,
    pub policy: Option<String>,
    pub action: &'static str,
    /// What changed since the last telling.
    pub changes: Vec<String>,
    pub cause: Option<String>,
    pub details_label: &'static str,
    pub details: Vec<(String, String)>,
    pub evidence_label: &'static str,
    pub evidence: Vec<String>,
    /// Facts that are not shown.
    pub evidence_more: Option<String>,
    pub id: String,
    pub told_at: String,
}

/// A mail on many.
pub struct Many {
    pub labels: &'static Labels,
    pub subject: String,
    pub pool: String,
    /// How many there are, by severity.
    pub summary: String,
    pub rows: Vec<Line>,
    /// How many are not shown.
    pub more: Option<String>,
    pub columns: [&'static str; 8],
}

/// A row of a digest.
pub struct Line {
    pub severity_class: &'static str,
    pub cells: [String; 8],
}

/// The parts of a telling that several texts need.
struct Told<'a> {
    alert: &'a Alert,
    kind: EventKind,
    topic: Topic,
    language: Language,
    worse: bool,
    told_open: bool,
    standing: Standing,
    cause: Option<&'a str>,
    region: &'a str,
}

impl<'a> Told<'a> {
    fn new(telling: &'a Telling, places: &'a Places, language: Language) -> Told<'a> {
        let alert = &telling.alert;
        let before = telling
            .before
            .as_ref()
            .filter(|(_, kind)| *kind != EventKind::Withdrawn)
            .map(|(alert, _)| alert);
        Told {
            alert,
            kind: telling.kind,
            topic: topic(alert),
            language,
            worse: before.is_none_or(|before| life::trend(before, alert) == Trend::Worse),
            told_open: before.is_some_and(|before| {
                before.state == State::Open && before.episodes == alert.episodes
            }),
            standing: match (telling.kind, alert.state) {
                (EventKind::Withdrawn, _) => Standing::Withdrawn,
                (_, State::Open) => Standing::Open,
                (_, State::Cleared) => Standing::Cleared,
            },
            cause: telling.cause.as_deref(),
            region: places.region(&alert.region),
        }
    }

    /// What is or was at stake.
    fn weight(&self) -> Money {
        match self.alert.state {
            State::Open => self.alert.amount,
            State::Cleared => self.alert.peak,
        }
    }

    fn sentence(&self) -> String {
        let alert = self.alert;
        let until = alert
            .cleared_on
            .map_or("—".to_owned(), |day| day.to_string());
        let by = words::taken_back_by(self.cause.map(scrub).as_deref(), self.language);
        self.topic
            .sentence(self.standing, self.language)
            .replace("{by}", &by)
            .replace("{what}", &self.what())
            .replace("{name}", self.topic.name(self.language))
            .replace("{until}", &until)
            .replace("{who}", &who(alert))
            .replace("{region}", self.region)
            .replace("{period}", alert.period.as_deref().unwrap_or(""))
            .replace("{item}", &scrub(alert.item.as_deref().unwrap_or("")))
            .replace("{amount}", &money(self.weight(), self.language))
    }

    /// Subject, region, period and item, and nothing of what was said of them.
    fn what(&self) -> String {
        let alert = self.alert;
        let mut parts = vec![self.region.to_owned()];
        parts.extend(alert.period.as_deref().map(clean));
        parts.extend(alert.item.as_deref().map(scrub));
        match self.language {
            Language::Zh => format!(" {}（{}）", who(alert), parts.join("，")),
            Language::En => format!("{} ({})", who(alert), parts.join(", ")),
        }
    }

    /// `[红·加重][屯溪区] 欠费 24,000.00元 · #1a2b3c4d`. Mail programs that group by subject see the
    /// same end in all mails on one alert. Of an alert that was never due nothing is at stake.
    fn subject(&self) -> String {
        let severity = severity(self.alert.severity, self.language);
        let tag = words::tag(self.kind, self.worse, self.language);
        let head = match self.kind {
            EventKind::Cleared | EventKind::Withdrawn => tag.to_owned(),
            _ if tag.is_empty() => severity.to_owned(),
            _ => format!("{severity}·{tag}"),
        };
        let name = self.topic.name(self.language);
        let short_id: String = self.alert.id.chars().take(8).collect();
        let at_stake = self.speaks_of_money() && self.standing != Standing::Withdrawn;
        let amount = match (at_stake, self.language) {
            (false, _) => String::new(),
            (true, Language::Zh) => format!(" {}元", self.weight().grouped()),
            (true, Language::En) => format!(" CNY {}", self.weight().grouped()),
        };
        fit(
            |region, amount| format!("[{head}][{region}] {name}{amount} · #{short_id}"),
            self.region,
            &amount,
        )
    }

    fn speaks_of_money(&self) -> bool {
        !matches!(
            self.topic,
            Topic::Plain(
                Detector::SilentFeed | Detector::IncompleteFeed | Detector::IndicatorBreach
            )
        )
    }

    fn state(&self) -> &'static str {
        let labels = words::labels(self.language);
        match self.standing {
            Standing::Open => labels.open,
            Standing::Cleared => labels.cleared,
            Standing::Withdrawn => labels.withdrawn,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (alert, labels) = (self.alert, words::labels(self.language));
        let withdrawn = self.standing == Standing::Withdrawn;
        let mut facts = Vec::new();
        if !withdrawn {
            let level = severity(alert.severity, self.language).to_owned();
            facts.push((labels.severity, level));
        }
        let region = match self.language {
            Language::Zh => format!("{}（{}）", self.region, alert.region),
            Language::En => format!("{} ({})", self.region, alert.region),
        };
        facts.push((labels.state, self.state().to_owned()));
        facts.push((labels.region, region));
        facts.push((labels.subject, who(alert)));
        if let Some(period) = &alert.period {
            facts.push((labels.period, clean(period)));
        }
        if let Some(item) = &alert.item {
            facts.push((labels.item, scrub(item)));
        }
        if withdrawn {
            if self.speaks_of_money() {
                facts.push((labels.was_told, money(self.weight(), self.language)));
            }
            return facts;
        }
        if self.speaks_of_money() {
            if self.standing == Standing::Open {
                facts.push((labels.amount, money(alert.amount, self.language)));
            }
            facts.push((labels.peak, money(alert.peak, self.language)));
        }
        facts.push((labels.since, alert.opened_on.to_string()));
        if let Some(date) = alert.cleared_on {
            facts.push((labels.until, date.to_string()));
        }
        if alert.episodes > 1 {
            facts.push((labels.episodes, alert.episodes.to_string()));
        }
        facts
    }

    /// The class of the colour: what is over or was never due has none.
    fn severity_class(&self) -> &'static str {
        match self.standing {
            Standing::Open => self.alert.severity.as_str(),
            Standing::Cleared | Standing::Withdrawn => "",
        }
    }

    /// Each figure that is another than when the alert was last told.
    fn changes(&self, telling: &Telling) -> Vec<String> {
        let Some((before, kind)) = &telling.before else {
            return Vec::new();
        };
        let labels = words::labels(self.language);
        let state = |alert: &Alert| match alert.state {
            State::Open => labels.open,
            State::Cleared => labels.cleared,
        };
        let mut pairs = Vec::new();
        let now = self.alert;
        let was = if *kind == EventKind::Withdrawn {
            labels.withdrawn
        } else {
            state(before)
        };
        if was != self.state() {
            pairs.push((labels.state, was.to_owned(), self.state().to_owned()));
        }
        if self.standing == Standing::Withdrawn {
            return lines(&pairs);
        }
        let level = |alert: &Alert| severity(alert.severity, self.language).to_owned();
        if before.severity != now.severity {
            pairs.push((labels.severity, level(before), level(now)));
        }
        if before.amount != now.amount {
            let amount = |alert: &Alert| money(alert.amount, self.language);
            pairs.push((labels.amount, amount(before), amount(now)));
        }
        if before.episodes != now.episodes {
            let (was, is) = (before.episodes.to_string(), now.episodes.to_string());
            pairs.push((labels.episodes, was, is));
        }
        lines(&pairs)
    }
}

/// The mail on one telling.
pub fn single(telling: &Telling, places: &Places, language: Language) -> Single {
    let told = Told::new(telling, places, language);
    let alert = &telling.alert;
    let hidden = alert.evidence.len().saturating_sub(EVIDENCE_MAX);
    let labels = words::labels(language);
    let withdrawn = told.standing == Standing::Withdrawn;
    Single {
        labels,
        subject: told.subject(),
        pool: places.pool().to_owned(),
        event: words::event(telling.kind, told.worse, told.told_open, language),
        sentence: told.sentence(),
        severity_class: told.severity_class(),
        facts: told.facts(),
        rule: (!withdrawn).then(|| told.topic.rule(language)),
        policy: alert.policy.as_deref().filter(|_| !withdrawn).map(clean),
        action: told.topic.action(told.standing, language),
        changes: told.changes(telling),
        cause: telling.cause.as_deref().map(scrub),
        details_label: if withdrawn {
            labels.told_details
        } else {
            labels.details
        },
        details: details(alert, places, language),
        evidence_label: if withdrawn {
            labels.told_evidence
        } else {
            labels.evidence
        },
        evidence: alert
            .evidence
            .iter()
            .take(EVIDENCE_MAX)
            .map(|id| scrub(id))
            .collect(),
        evidence_more: (hidden > 0).then(|| match language {
            Language::Zh => format!("另有 {hidden} 条未列出"),
            Language::En => format!("and {hidden} more"),
        }),
        id: clean(&alert.id),
        told_at: telling.told_at.to_string(),
    }
}

/// The mail on many.
pub fn many(digest: &Digest, places: &Places, language: Language) -> Many {
    let labels = words::labels(language);
    let total = digest.total();
    let counts: Vec<String> = digest
        .counts
        .iter()
        .map(|(level, count)| format!("{} {count}", severity(*level, language)))
        .collect();
    let hidden = total.saturating_sub(digest.shown.len() as u64);
    let (subject, summary, more) = match language {
        Language::Zh => (
            format!("[汇总] {total} 条预警通知：{}", counts.join("、")),
            format!(
                "同一批次产生了 {total} 条通知（{}），合并为本邮件，按等级和金额排列。",
                counts.join("、")
            ),
            format!("另有 {hidden} 条未列出，请在系统中查看。"),
        ),
        Language::En => (
            format!("[digest] {total} notices: {}", counts.join(", ")),
            format!(
                "One batch made {total} notices ({}), told in this one mail, by severity and amount.",
                counts.join(", ")
            ),
            format!("{hidden} more are not listed here: see the system."),
        ),
    };
    Many {
        labels,
        subject: cut(&subject, SUBJECT_MAX),
        pool: places.pool().to_owned(),
        summary,
        rows: digest
            .shown
            .iter()
            .map(|telling| line(telling, places, language))
            .collect(),
        more: (hidden > 0).then_some(more),
        columns: [
            labels.severity,
            labels.event,
            labels.region,
            match language {
                Language::Zh => "类别",
                Language::En => "Kind",
            },
            labels.subject,
            labels.period,
            labels.amount,
            labels.id,
        ],
    }
}

fn line(telling: &Telling, places: &Places, language: Language) -> Line {
    let told = Told::new(telling, places, language);
    let alert = &telling.alert;
    let tag = words::tag(telling.kind, told.worse, language);
    let withdrawn = told.standing == Standing::Withdrawn;
    Line {
        severity_class: told.severity_class(),
        cells: [
            if withdrawn {
                "—".to_owned()
            } else {
                severity(alert.severity, language).to_owned()
            },
            if tag.is_empty() {
                words::event(telling.kind, told.worse, told.told_open, language).to_owned()
            } else {
                tag.to_owned()
            },
            told.region.to_owned(),
            told.topic.name(language).to_owned(),
            who(alert),
            clean(alert.period.as_deref().unwrap_or("—")),
            if told.speaks_of_money() && !withdrawn {
                told.weight().grouped()
            } else {
                "—".to_owned()
            },
            alert.id.chars().take(8).collect(),
        ],
    }
}

/// Whom the alert is about, a person masked.
fn who(alert: &Alert) -> String {
    match PersonId::parse(alert.subject.as_bytes()) {
        Some(person) if is_of_person(alert) => person.masked(),
        // A credit code may be all digits, and is no person's number.
        _ if is_of_enterprise(alert) => clean(&alert.subject),
        _ => scrub(&alert.subject),
    }
}

fn is_of_person(alert: &Alert) -> bool {
    matches!(
        Detector::parse(&alert.detector),
        Some(Detector::DeceasedRecipient | Detector::DuplicatePayout | Detector::MissedPayout)
    )
}

fn is_of_enterprise(alert: &Alert) -> bool {
    matches!(
        Detector::parse(&alert.detector),
        Some(Detector::Arrears | Detector::Undeclared | Detector::UnderDeclaredBase)
    )
}

/// What the alert is called. Whatever is not known to be confirmed by a name is a match of numbers.
fn topic(alert: &Alert) -> Topic {
    let detector = Detector::parse(&alert.detector).unwrap_or(Detector::IncompleteFeed);
    let confirmed = matches!(
        alert.details.get("match").and_then(Value::as_str),
        Some("A" | "B")
    );
    if detector == Detector::DeceasedRecipient && !confirmed {
        Topic::NumberMatch
    } else {
        Topic::Plain(detector)
    }
}

fn severity(severity: Severity, language: Language) -> &'static str {
    match (language, severity) {
        (Language::Zh, severity) => severity.name_zh(),
        (Language::En, Severity::Blue) => "BLUE",
        (Language::En, Severity::Yellow) => "YELLOW",
        (Language::En, Severity::Orange) => "ORANGE",
        (Language::En, Severity::Red) => "RED",
    }
}

fn details(alert: &Alert, places: &Places, language: Language) -> Vec<(String, String)> {
    alert
        .details
        .iter()
        .map(|(key, value)| {
            let label = scrub(words::detail(key, language));
            (label, detail(key, value, places, language))
        })
        .collect()
}

fn detail(key: &str, value: &Value, places: &Places, language: Language) -> String {
    match value {
        Value::Null => words::labels(language).none.to_owned(),
        Value::String(text) => match serde_json::from_value::<Money>(value.clone()) {
            Ok(amount) => money(amount, language),
            Err(_) if key == "regions" => clean(places.region(text)),
            Err(_) => scrub(words::detail_word(key, text, language)),
        },
        Value::Array(values) => {
            let values: Vec<String> = values
                .iter()
                .map(|value| detail(key, value, places, language))
                .collect();
            values.join(match language {
                Language::Zh => "、",
                Language::En => ", ",
            })
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => scrub(&value.to_string()),
    }
}

/// `24,000.00元（2.40万元）`, `CNY 24,000.00`.
fn money(amount: Money, language: Language) -> String {
    match language {
        Language::En => format!("CNY {}", amount.grouped()),
        Language::Zh => {
            let plain = format!("{}元", amount.grouped());
            let (unit, word) = match amount.fen().abs() {
                fen if fen >= YI => (YI, "亿元"),
                fen if fen >= WAN => (WAN, "万元"),
                _ => return plain,
            };
            // Half away from zero to two decimals, as the exact amount stands beside it.
            let hundredths = domain::Rate::round(amount.fen() * 100, unit);
            format!("{plain}（{}{word}）", hundredths.grouped())
        }
    }
}

fn lines(pairs: &[(&str, String, String)]) -> Vec<String> {
    pairs
        .iter()
        .map(|(label, was, is)| format!("{label}: {was} → {is}"))
        .collect()
}

/// A subject line that fits: the region's name is cut first, then the amount goes.
fn fit(line: impl Fn(&str, &str) -> String, region: &str, amount: &str) -> String {
    let length = |text: &str| text.chars().count();
    for amount in [amount, ""] {
        let over = length(&line(region, amount)).saturating_sub(SUBJECT_MAX);
        let room = length(region).saturating_sub(over);
        if over == 0 || room >= 4 {
            return line(&cut(region, room), amount);
        }
    }
    cut(&line(&cut(region, 4), ""), SUBJECT_MAX)
}

/// At most so many characters, an ellipsis in place of the rest.
fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(length.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_as_it_is_read() {
        for (fen, zh, en) in [
            (480_000, "4,800.00元", "CNY 4,800.00"),
            (2_400_000, "24,000.00元（2.40万元）", "CNY 24,000.00"),
            (
                123_456_789,
                "1,234,567.89元（123.46万元）",
                "CNY 1,234,567.89",
            ),
            (
                1_050_000_000_000,
                "10,500,000,000.00元（105.00亿元）",
                "CNY 10,500,000,000.00",
            ),
        ] {
            let amount = Money::from_fen(fen);
            assert_eq!(money(amount, Language::Zh), zh);
            assert_eq!(money(amount, Language::En), en);
        }
    }

    #[test]
    fn a_long_subject_loses_the_region_first() {
        let line =
            |region: &str, amount: &str| format!("[RED][{region}] arrears{amount} · #1a2b3c4d");
        let long = "乡".repeat(80);
        let subject = fit(line, &long, " CNY 24,000.00");
        assert_eq!(subject.chars().count(), SUBJECT_MAX);
        assert!(subject.ends_with("乡…] arrears CNY 24,000.00 · #1a2b3c4d"));
        let huge = format!(" CNY {}", "9".repeat(60));
        assert!(fit(line, "屯溪区", &huge).ends_with("[屯溪区] arrears · #1a2b3c4d"));
        assert_eq!(fit(line, "屯溪区", ""), "[RED][屯溪区] arrears · #1a2b3c4d");
    }
}
