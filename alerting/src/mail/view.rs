//! A telling as a reader sees it: every text in the reader's language, cleaned, and without a full
//! resident ID number.

use domain::{Alert, Detector, Indicator, Money, PersonId, Severity, State};
use serde_json::Value;

use super::arithmetic;
use super::office::Office;
use super::text::{clean, scrub};
use super::words::{self, Detail, Labels, Put, Topic};
use crate::life::{self, EventKind, Standing, Trend};
use crate::plan::MailKind;
use crate::routing::Language;
use crate::store::{Digest, LifeSign, Telling};

/// Facts that are shown at most.
const EVIDENCE_MAX: usize = 10;
/// Characters of a subject line at most.
const SUBJECT_MAX: usize = 70;
/// Fen in ten thousand yuan (万元), and in a hundred million (亿元).
const WAN: i128 = 1_000_000;
const YI: i128 = 10_000 * WAN;

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
    /// The word of the severity in the coloured field, of what is open.
    pub badge: Option<&'static str>,
    /// What is or was at stake; none of the feeds themselves, nor of what was never due.
    pub amount: Option<String>,
    /// Label and value: how much, since when.
    pub facts: Vec<Fact>,
    /// None of an alert that was never due: no rule was broken.
    pub rule: Option<&'static str>,
    pub policy: Option<String>,
    pub action: &'static str,
    /// By when.
    pub respond_by: Option<String>,
    /// What changed since the reader was last told.
    pub changes: Vec<Change>,
    pub cause_label: &'static str,
    pub cause: Option<String>,
    pub arithmetic: Option<String>,
    pub details_label: &'static str,
    pub details: Vec<Fact>,
    pub evidence_label: &'static str,
    pub evidence: Vec<String>,
    /// Facts that are not shown.
    pub evidence_more: Option<String>,
    pub id: String,
    pub told_at: String,
    pub link: Option<String>,
}

/// A label and a value.
pub struct Fact {
    pub label: String,
    pub value: String,
    /// A number among numbers, which stands on the right.
    pub is_number: bool,
}

impl Fact {
    fn text(label: &str, value: String) -> Fact {
        Fact {
            label: label.to_owned(),
            value,
            is_number: false,
        }
    }

    fn number(label: &str, value: String) -> Fact {
        Fact {
            is_number: true,
            ..Fact::text(label, value)
        }
    }
}

/// Something that is another than it was.
pub struct Change {
    pub label: &'static str,
    pub was: String,
    pub is: String,
}

/// A mail on many.
pub struct Many {
    pub labels: &'static Labels,
    pub subject: String,
    pub pool: String,
    /// The severity of the gravest that is open.
    pub severity_class: &'static str,
    /// Why they are in one mail, and how many there are.
    pub summary: String,
    /// Three numbers that say the most.
    pub numbers: Vec<Fact>,
    pub sections: Vec<Section>,
    /// How many are not shown.
    pub more: Option<String>,
    /// What is to be done, and by which rule; of groups and failures of a region, which are one matter.
    pub action: Option<&'static str>,
    pub rule: Option<&'static str>,
    pub respond_by: Option<String>,
    pub link: Option<String>,
}

/// Rows of a kind.
pub struct Section {
    pub title: &'static str,
    pub rows: Vec<Line>,
}

/// A row of a mail on many.
pub struct Line {
    pub severity_class: &'static str,
    pub severity: String,
    pub place: String,
    pub name: &'static str,
    pub who: String,
    pub amount: String,
    pub id: String,
    pub link: Option<String>,
}

/// A sign of life.
pub struct Life {
    pub labels: &'static Labels,
    pub subject: String,
    pub pool: String,
    pub summary: String,
    pub numbers: Vec<Fact>,
    pub feeds_label: &'static str,
    pub feeds: Vec<Fact>,
    pub link: Option<String>,
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
    item: Option<String>,
    details: Vec<Detail>,
}

impl<'a> Told<'a> {
    fn new(telling: &'a Telling, office: &'a Office, language: Language) -> Told<'a> {
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
            standing: Standing::of(alert, telling.kind == EventKind::Withdrawn),
            cause: telling.cause.as_deref(),
            region: match is_of_pool(alert) {
                true => office.pool(),
                false => office.region(&alert.region),
            },
            item: alert
                .item
                .as_deref()
                .map(|item| self::item(alert, item, language)),
            details: details(alert, office, language),
        }
    }

    /// The subject, where it is not the region itself, which is named anyway.
    fn who(&self) -> Option<String> {
        (self.alert.subject != self.alert.region).then(|| who(self.alert))
    }

    /// The figure of an indicator that is beyond its threshold.
    fn figure(&self) -> Option<String> {
        let is_open = self.standing == Standing::Open;
        is_open.then(|| figure(self.alert, self.language)).flatten()
    }

    fn sentence(&self) -> String {
        let alert = self.alert;
        let until = alert
            .cleared_on
            .map_or("—".to_owned(), |day| day.to_string());
        let by = words::taken_back_by(self.cause.map(scrub).as_deref(), self.language);
        let put = Put {
            who: &who(alert),
            region: self.region,
            period: &clean(alert.period.as_deref().unwrap_or("")),
            item: self.item.as_deref().unwrap_or(""),
            amount: &money(self.alert.weight(), self.language),
            until: &until,
            what: &self.what(),
            by: &by,
            details: &self.details,
        };
        self.topic.sentence(self.standing, &put, self.language)
    }

    /// Subject, region, period and item, and nothing of what was said of them.
    fn what(&self) -> String {
        let alert = self.alert;
        let mut parts = Vec::new();
        let about = match self.who() {
            Some(who) => {
                parts.push(self.region.to_owned());
                match self.language {
                    Language::Zh => format!(" {who}"),
                    Language::En => who,
                }
            }
            None => self.region.to_owned(),
        };
        parts.extend(alert.period.as_deref().map(clean));
        parts.extend(self.item.clone());
        match self.language {
            _ if parts.is_empty() => about,
            Language::Zh => format!("{about}（{}）", parts.join("，")),
            Language::En => format!("{about} ({})", parts.join(", ")),
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
        let figure = self
            .figure()
            .map_or(String::new(), |figure| format!(" {figure}"));
        let amount = match (self.amount(), &self.item) {
            // Of an indicator: which, and its value.
            (_, Some(item)) if !figure.is_empty() => format!(" {item}{figure}"),
            (Some(amount), _) => format!(" {}", short_money(amount, self.language)),
            // Of a feed: which.
            (None, Some(item)) if self.standing != Standing::Withdrawn => format!(" {item}"),
            (None, _) => String::new(),
        };
        fit(
            |region, amount| format!("[{head}][{region}] {name}{amount} · #{short_id}"),
            self.region,
            [&amount, &figure],
        )
    }

    /// What is or was at stake, if it is money and was ever due.
    fn amount(&self) -> Option<Money> {
        let is_told = self.speaks_of_money() && self.standing != Standing::Withdrawn;
        is_told.then(|| self.alert.weight())
    }

    fn speaks_of_money(&self) -> bool {
        match self.topic {
            Topic::Plain(Detector::SilentFeed | Detector::IncompleteFeed) => false,
            // Of some indicators there is money between value and threshold.
            Topic::Plain(Detector::IndicatorBreach) => self.alert.weight().is_positive(),
            _ => true,
        }
    }

    fn state(&self) -> &'static str {
        let labels = words::labels(self.language);
        match self.standing {
            Standing::Open => labels.open,
            Standing::Cleared => labels.cleared,
            Standing::Withdrawn => labels.withdrawn,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let (alert, labels) = (self.alert, words::labels(self.language));
        let withdrawn = self.standing == Standing::Withdrawn;
        let mut facts = Vec::new();
        if !withdrawn {
            let level = severity(alert.severity, self.language).to_owned();
            facts.push(Fact::text(labels.severity, level));
        }
        let region = match self.language {
            _ if is_of_pool(alert) => self.region.to_owned(),
            Language::Zh => format!("{}（{}）", self.region, clean(&alert.region)),
            Language::En => format!("{} ({})", self.region, clean(&alert.region)),
        };
        facts.push(Fact::text(labels.state, self.state().to_owned()));
        facts.push(Fact::text(labels.region, region));
        if let Some(who) = self.who() {
            facts.push(Fact::text(labels.subject, who));
        }
        if let Some(period) = &alert.period {
            facts.push(Fact::text(labels.period, clean(period)));
        }
        if let Some(item) = &self.item {
            facts.push(Fact::text(labels.item, item.clone()));
        }
        if withdrawn {
            if self.speaks_of_money() {
                let told = money(self.alert.weight(), self.language);
                facts.push(Fact::text(labels.was_told, told));
            }
            return facts;
        }
        if self.speaks_of_money() {
            let is_open = self.standing == Standing::Open;
            if is_open {
                let amount = money(alert.amount, self.language);
                facts.push(Fact::text(labels.amount, amount));
            }
            if !is_open || alert.peak != alert.amount {
                facts.push(Fact::text(labels.peak, money(alert.peak, self.language)));
            }
        }
        facts.push(Fact::text(labels.since, alert.opened_on.to_string()));
        if let Some(date) = alert.cleared_on {
            facts.push(Fact::text(labels.until, date.to_string()));
        }
        if alert.episodes > 1 {
            facts.push(Fact::text(labels.episodes, alert.episodes.to_string()));
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

    fn badge(&self) -> Option<&'static str> {
        let is_open = self.standing == Standing::Open;
        is_open.then(|| severity_word(self.alert.severity, self.language))
    }

    /// Each figure that is another than when the reader was last told.
    fn changes(&self, telling: &Telling) -> Vec<Change> {
        let Some((before, kind)) = &telling.before else {
            return Vec::new();
        };
        let labels = words::labels(self.language);
        let state = |alert: &Alert| match alert.state {
            State::Open => labels.open,
            State::Cleared => labels.cleared,
        };
        let mut changes = Vec::new();
        let mut add = |label, was: String, is: String| {
            if was != is {
                changes.push(Change { label, was, is });
            }
        };
        let now = self.alert;
        let was = if *kind == EventKind::Withdrawn {
            labels.withdrawn
        } else {
            state(before)
        };
        add(labels.state, was.to_owned(), self.state().to_owned());
        if self.standing != Standing::Withdrawn {
            let level = |alert: &Alert| severity(alert.severity, self.language).to_owned();
            add(labels.severity, level(before), level(now));
            let value = |alert: &Alert| figure(alert, self.language).unwrap_or_default();
            add(
                words::detail("value", self.language),
                value(before),
                value(now),
            );
            let amount = |alert: &Alert| money(alert.amount, self.language);
            let label = match self.topic {
                Topic::Plain(Detector::IncompleteFeed) => labels.difference,
                _ => labels.amount,
            };
            add(label, amount(before), amount(now));
            let episodes = |alert: &Alert| alert.episodes.to_string();
            add(labels.episodes, episodes(before), episodes(now));
        }
        changes
    }

    fn respond_by(&self, telling: &Telling, office: &Office) -> Option<String> {
        if self.standing != Standing::Open {
            return None;
        }
        respond_by(self.alert.severity, telling, office, self.language)
    }
}

fn respond_by(
    severity: Severity,
    telling: &Telling,
    office: &Office,
    language: Language,
) -> Option<String> {
    let (day, days) = office.respond_by(severity, telling.told_at)?;
    Some(match (days, language) {
        (0, Language::Zh) => format!("{day} 当日"),
        (0, Language::En) => format!("{day}, the same day"),
        (_, Language::Zh) => format!("{day} 前（{days} 个工作日内）"),
        (1, Language::En) => format!("{day} (within 1 business day)"),
        (_, Language::En) => format!("{day} (within {days} business days)"),
    })
}

/// The mail on one telling.
pub fn single(telling: &Telling, office: &Office, language: Language) -> Single {
    let told = Told::new(telling, office, language);
    let alert = &telling.alert;
    let hidden = alert.evidence.len().saturating_sub(EVIDENCE_MAX);
    let labels = words::labels(language);
    let withdrawn = told.standing == Standing::Withdrawn;
    Single {
        labels,
        subject: told.subject(),
        pool: office.pool().to_owned(),
        event: words::event(telling.kind, told.worse, told.told_open, language),
        sentence: told.sentence(),
        severity_class: told.severity_class(),
        badge: told.badge(),
        amount: match told.figure() {
            Some(figure) => Some(figure),
            None => told.amount().map(|amount| short_money(amount, language)),
        },
        facts: told.facts(),
        rule: (!withdrawn).then(|| told.topic.rule(language)),
        policy: alert.policy.as_deref().filter(|_| !withdrawn).map(clean),
        action: told.topic.action(told.standing, language),
        respond_by: told.respond_by(telling, office),
        changes: told.changes(telling),
        cause_label: match telling.kind {
            EventKind::Raised => labels.raised_by,
            _ => labels.cause,
        },
        cause: telling.cause.as_deref().map(scrub),
        arithmetic: (!withdrawn)
            .then(|| arithmetic::line(alert, office, language))
            .flatten(),
        details_label: if withdrawn {
            labels.told_details
        } else {
            labels.details
        },
        details: told
            .details
            .iter()
            .map(|detail| Fact::text(&detail.label, detail.value.clone()))
            .collect(),
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
        told_at: office.clock_text(telling.told_at),
        link: office.link(&alert.id),
    }
}

/// The mail on many.
pub fn many(digest: &Digest, office: &Office, language: Language) -> Many {
    let labels = words::labels(language);
    let first = digest.shown.first();
    let told = first.map(|telling| Told::new(telling, office, language));
    let hidden = digest.total().saturating_sub(digest.shown.len() as u64);
    let gravest = digest.shown.iter().find(|telling| is_open(telling));
    let is_one_matter = matches!(
        digest.kind,
        MailKind::Group | MailKind::Wide | MailKind::Reminder
    );
    let (subject, summary) = headline(digest, told.as_ref(), language);
    // However small each is: together they are what a supervisor must see first.
    let is_failure = digest.kind == MailKind::Wide && digest.open.0 > 0;
    let gravity = |telling: &Telling| {
        if is_failure {
            Severity::Red
        } else {
            telling.alert.severity
        }
    };
    Many {
        labels,
        subject: cut(&subject, SUBJECT_MAX),
        pool: office.pool().to_owned(),
        severity_class: gravest.map_or("", |telling| gravity(telling).as_str()),
        summary,
        numbers: numbers(digest, language),
        sections: sections(digest, office, language),
        more: (hidden > 0).then(|| match language {
            Language::Zh => format!("另有 {hidden} 条未列出，请在系统中查看。"),
            Language::En => format!("{hidden} more are not listed here: see the system."),
        }),
        action: told
            .as_ref()
            .filter(|told| is_one_matter && told.standing == Standing::Open)
            .map(|told| told.topic.action(told.standing, language)),
        rule: told
            .as_ref()
            .filter(|_| is_one_matter)
            .map(|told| told.topic.rule(language)),
        respond_by: gravest
            .filter(|_| is_one_matter)
            .and_then(|telling| respond_by(gravity(telling), telling, office, language)),
        link: office.link_to_all(),
    }
}

/// Subject, and the sentence that says why these are in one mail.
fn headline(digest: &Digest, told: Option<&Told<'_>>, language: Language) -> (String, String) {
    let total = digest.total();
    let counts = by_severity(&digest.counts, language);
    let (region, name) = told.map_or(("", ""), |told| (told.region, told.topic.name(language)));
    let month = told
        .and_then(|told| told.alert.period.as_deref())
        .map(clean)
        .unwrap_or_default();
    let level = digest
        .counts
        .first()
        .map_or("", |(level, _)| severity(*level, language));
    let amount = match told {
        Some(told) if told.speaks_of_money() && digest.open.0 > 0 => match language {
            Language::Zh => format!("，{}", short_money(digest.open.1, language)),
            Language::En => format!(", {}", short_money(digest.open.1, language)),
        },
        _ => String::new(),
    };
    let open = digest.open.0;
    match (digest.kind, language) {
        (MailKind::Group, Language::Zh) => (
            format!("[{level}][{region}] {name} {total} 条{amount}"),
            format!("{region}“{name}”有 {total} 条新情况，合并为本邮件。"),
        ),
        (MailKind::Group, Language::En) => (
            format!("[{level}][{region}] {name}: {total} notices{amount}"),
            format!("{total} notices on \"{name}\" in {region}, told together."),
        ),
        (MailKind::Reminder, Language::Zh) => (
            format!("[{level}·提醒][{region}] {name} {total} 条仍未解除{amount}"),
            format!("提醒：{region}“{name}”仍有 {total} 条未解除，此前均已通知，其间没有新情况。"),
        ),
        (MailKind::Reminder, Language::En) => (
            format!("[{level}·reminder][{region}] {name}: {total} still open{amount}"),
            format!(
                "A reminder: {total} alerts on \"{name}\" in {region} are still open. All were told before; nothing \
                 is new since."
            ),
        ),
        (MailKind::Wide, Language::Zh) if open == 0 => (
            format!("[已解除][{region}] {month} {name} 区县性情况 · {total} 条"),
            format!(
                "{region} {month} 的“{name}”涉及面较大，按一件事通知：其中 {total} 条已解除或撤回。"
            ),
        ),
        (MailKind::Wide, Language::En) if open == 0 => (
            format!("[cleared][{region}] {month} {name}, region-wide · {total}"),
            format!(
                "\"{name}\" of {month} concerned much of {region} and is told as one matter: {total} of it are over or \
                 taken back."
            ),
        ),
        (MailKind::Wide, Language::Zh) => (
            format!("[红·全区县][{region}] {month} {name} {open} 起{amount}"),
            format!(
                "{region} {month} 的“{name}”同时有 {open} 起，很可能是区县整体的问题，按一件事通知，不逐起发信。"
            ),
        ),
        (MailKind::Wide, Language::En) => (
            format!("[RED·region-wide][{region}] {month} {name}: {open}{amount}"),
            format!(
                "\"{name}\" of {month} has {open} cases in {region} at once. That is most likely one failure of the \
                 region: it is told as one matter, not case by case."
            ),
        ),
        (MailKind::Batch, Language::Zh) => (
            format!("[汇总] {total} 条预警通知：{counts}"),
            format!("同一时间产生了 {total} 条通知（{counts}），合并为本邮件，按等级和金额排列。"),
        ),
        (MailKind::Batch, Language::En) => (
            format!("[digest] {total} notices: {counts}"),
            format!(
                "{total} notices at one time ({counts}), told in this one mail, by severity and amount."
            ),
        ),
        (MailKind::Overflow, Language::Zh) => (
            format!("[限量汇总] {total} 条预警通知：{counts}"),
            format!(
                "一小时内发给您的邮件已达上限，其余 {total} 条通知（{counts}）合并为本邮件，没有遗漏。"
            ),
        ),
        (MailKind::Overflow, Language::En) => (
            format!("[hourly limit] {total} notices: {counts}"),
            format!(
                "The limit of mails to you within an hour is reached: the other {total} notices ({counts}) are told in \
                 this one mail. Nothing is left out."
            ),
        ),
        (_, Language::Zh) => (
            format!("[每日汇总] {total} 条：{counts}"),
            format!("自上次汇总以来有 {total} 条通知（{counts}），按等级和金额排列。"),
        ),
        (_, Language::En) => (
            format!("[daily digest] {total} notices: {counts}"),
            format!("{total} notices since the last digest ({counts}), by severity and amount."),
        ),
    }
}

fn by_severity(counts: &[(Severity, u64)], language: Language) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|(level, count)| format!("{} {count}", severity(*level, language)))
        .collect();
    counts.join(match language {
        Language::Zh => "、",
        Language::En => ", ",
    })
}

fn numbers(digest: &Digest, language: Language) -> Vec<Fact> {
    let (notices, open, amount) = match language {
        Language::Zh => ("通知", "其中持续中", "持续中涉及金额"),
        Language::En => ("Notices", "Still open", "At stake in what is open"),
    };
    vec![
        Fact::number(notices, digest.total().to_string()),
        Fact::number(open, digest.open.0.to_string()),
        Fact::number(amount, short_money(digest.open.1, language)),
    ]
}

fn is_open(telling: &Telling) -> bool {
    telling.kind != EventKind::Withdrawn && telling.alert.state == State::Open
}

/// The rows by what is new of them: new ones, then worse, better, over, taken back.
fn sections(digest: &Digest, office: &Office, language: Language) -> Vec<Section> {
    let labels = words::labels(language);
    let mut sections: Vec<Section> = words::section_titles(language)
        .map(|title| Section {
            title,
            rows: Vec::new(),
        })
        .into();
    for telling in &digest.shown {
        let told = Told::new(telling, office, language);
        let place = match telling.kind {
            _ if digest.kind == MailKind::Reminder => 5,
            EventKind::Raised | EventKind::Reopened => 0,
            EventKind::Changed if told.worse => 1,
            EventKind::Changed => 2,
            EventKind::Cleared => 3,
            EventKind::Withdrawn => 4,
        };
        sections[place]
            .rows
            .push(line(&told, telling, office, labels));
    }
    sections.retain(|section| !section.rows.is_empty());
    sections
}

fn line(told: &Told<'_>, telling: &Telling, office: &Office, labels: &Labels) -> Line {
    let alert = &telling.alert;
    // A region's own alerts name it once.
    let parts = [
        told.who(),
        alert.period.as_deref().map(clean),
        told.item.clone(),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Line {
        severity_class: told.severity_class(),
        severity: match told.standing {
            Standing::Withdrawn => labels.withdrawn.to_owned(),
            _ => severity(alert.severity, told.language).to_owned(),
        },
        place: told.region.to_owned(),
        name: told.topic.name(told.language),
        who: parts.join(" · "),
        amount: match (told.figure(), told.amount()) {
            (Some(figure), _) => figure,
            (None, Some(amount)) => short_money(amount, told.language),
            (None, None) => "—".to_owned(),
        },
        id: alert.id.chars().take(8).collect(),
        link: office.link(&alert.id),
    }
}

/// The sign of life.
pub fn life(sign: &LifeSign, office: &Office, language: Language) -> Life {
    let labels = words::labels(language);
    let open: u64 = sign.open.iter().map(|(_, count)| count).sum();
    let (since, until) = (office.day(sign.since), office.day(sign.until));
    let by_level = by_severity(&sign.open, language);
    let amount = short_money(sign.open_amount, language);
    let (subject, summary, names, feeds_label) = match language {
        Language::Zh => (
            format!(
                "[监测正常] {} {until}：通知 {} 条，未解除 {open} 条",
                office.pool(),
                sign.told
            ),
            format!(
                "基金监测系统运行正常。{since} 至 {until} 向您发出通知 {} 条。若本邮件在每周约定时间没有到达，请联系系统管理员。",
                sign.told
            ),
            [
                "通知条数",
                "未解除预警",
                "未解除涉及金额",
                "被永久拒收的通知",
            ],
            "各类数据的完整截止日（进度最慢的区县）",
        ),
        Language::En => (
            format!(
                "[monitoring is alive] {} {until}: {} notices, {open} open",
                office.pool(),
                sign.told
            ),
            format!(
                "The fund monitor is running. From {since} to {until} it sent you {} notices. Should this weekly mail ever \
                 fail to come, ask whoever runs the system.",
                sign.told
            ),
            [
                "Notices",
                "Open alerts",
                "At stake in them",
                "Notices refused for good",
            ],
            "How far each feed is complete (the region that is furthest behind)",
        ),
    };
    let open = if by_level.is_empty() {
        open.to_string()
    } else {
        match language {
            Language::Zh => format!("{open}（{by_level}）"),
            Language::En => format!("{open} ({by_level})"),
        }
    };
    let values = [
        sign.told.to_string(),
        open,
        amount,
        sign.refused.to_string(),
    ];
    Life {
        labels,
        subject: cut(&subject, SUBJECT_MAX),
        pool: office.pool().to_owned(),
        summary,
        numbers: names
            .into_iter()
            .zip(values)
            .map(|(name, value)| Fact::number(name, value))
            .collect(),
        feeds_label,
        feeds: sign
            .feeds
            .iter()
            .map(|(topic, region, closed)| {
                let region = office.region(region.as_str());
                Fact::number(&feed(topic, language), format!("{closed} · {region}"))
            })
            .collect(),
        link: office.link_to_all(),
    }
}

/// The item of an alert in words: a feed, a day close of one, an indicator, or a benefit's item.
fn item(alert: &Alert, item: &str, language: Language) -> String {
    match Detector::parse(&alert.detector) {
        Some(Detector::SilentFeed) => feed(item, language),
        Some(Detector::IncompleteFeed) => match (item.split_once(':'), language) {
            (Some((topic, close)), Language::Zh) => {
                format!("{} 日结 {}", feed(topic, language), scrub(close))
            }
            (Some((topic, close)), Language::En) => {
                format!("day close {} of {}", scrub(close), feed(topic, language))
            }
            (None, _) => scrub(item),
        },
        Some(Detector::IndicatorBreach) => {
            let name = item.strip_prefix(OF_POOL).unwrap_or(item);
            match (Indicator::parse(name), language) {
                (Some(indicator), Language::Zh) => indicator.name_zh().to_owned(),
                (Some(indicator), Language::En) => indicator.name_en().to_owned(),
                (None, _) => scrub(item),
            }
        }
        _ => match (words::item_zh(item), language) {
            (Some(name), Language::Zh) => format!("{name} {}", scrub(item)),
            _ => scrub(item),
        },
    }
}

/// What comes before the name of an indicator of the pool, whose code may be that of a region, too.
const OF_POOL: &str = "pool.";

/// Whether it is the pool that the alert is about.
fn is_of_pool(alert: &Alert) -> bool {
    let item = alert.item.as_deref().unwrap_or_default();
    alert.detector == Detector::IndicatorBreach.as_str() && item.starts_with(OF_POOL)
}

/// A feed in words.
fn feed(topic: &str, language: Language) -> String {
    match (domain::Topic::parse(topic), language) {
        (Some(known), Language::Zh) => format!("{} {topic}", known.name_zh()),
        _ => scrub(topic),
    }
}

/// Whom the alert is about, a person masked.
pub(crate) fn who(alert: &Alert) -> String {
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
pub(crate) fn topic(alert: &Alert) -> Topic {
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

/// The word in the coloured field, which stands alone.
fn severity_word(severity: Severity, language: Language) -> &'static str {
    match (language, severity) {
        (Language::Zh, Severity::Blue) => "蓝色预警",
        (Language::Zh, Severity::Yellow) => "黄色预警",
        (Language::Zh, Severity::Orange) => "橙色预警",
        (Language::Zh, Severity::Red) => "红色预警",
        (Language::En, severity) => self::severity(severity, language),
    }
}

fn details(alert: &Alert, office: &Office, language: Language) -> Vec<Detail> {
    let told = alert
        .details
        .iter()
        .filter(|(key, _)| !words::UNTOLD_DETAILS.contains(&key.as_str()));
    told.map(|(key, value)| Detail {
        key: key.clone(),
        label: scrub(words::detail(key, language)),
        value: measured(alert, key, language)
            .unwrap_or_else(|| detail(key, value, office, language)),
    })
    .collect()
}

/// The value of an indicator, in its measure.
fn figure(alert: &Alert, language: Language) -> Option<String> {
    measured(alert, "value", language)
}

/// A detail that is told in the measure of the alert's indicator.
fn measured(alert: &Alert, key: &str, language: Language) -> Option<String> {
    let text = |key: &str| alert.details.get(key).and_then(Value::as_str);
    let number = text(key).filter(|_| matches!(key, "value" | "threshold"))?;
    Some(words::measured(&scrub(number), text("measure")?, language))
}

/// An amount is text with two decimals; other numbers are numbers.
fn amount_of(value: &Value) -> Option<Money> {
    let is_written_out = |text: &&str| text.rsplit_once('.').is_some_and(|(_, fen)| fen.len() == 2);
    value.as_str().filter(is_written_out)?;
    serde_json::from_value(value.clone()).ok()
}

fn detail(key: &str, value: &Value, office: &Office, language: Language) -> String {
    match value {
        Value::Null => words::labels(language).none.to_owned(),
        Value::String(text) => match amount_of(value) {
            Some(amount) => money(amount, language),
            None if key == "regions" => clean(office.region(text)),
            None => scrub(words::detail_word(key, text, language)),
        },
        Value::Array(values) => {
            let values: Vec<String> = values
                .iter()
                .map(|value| detail(key, value, office, language))
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
        Language::En => short_money(amount, language),
        Language::Zh => {
            let plain = short_money(amount, language);
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

/// `24,000.00元`, `CNY 24,000.00`.
fn short_money(amount: Money, language: Language) -> String {
    match language {
        Language::Zh => format!("{}元", amount.grouped()),
        Language::En => format!("CNY {}", amount.grouped()),
    }
}

/// A subject line that fits: the region's name is cut first, then the amount is the shorter one, then it goes.
fn fit(line: impl Fn(&str, &str) -> String, region: &str, amounts: [&str; 2]) -> String {
    let length = |text: &str| text.chars().count();
    for amount in amounts.into_iter().chain([""]) {
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
        let subject = fit(line, &long, [" CNY 24,000.00", ""]);
        assert_eq!(subject.chars().count(), SUBJECT_MAX);
        assert!(subject.ends_with("乡…] arrears CNY 24,000.00 · #1a2b3c4d"));
        let huge = format!(" CNY {}", "9".repeat(60));
        assert!(fit(line, "屯溪区", [&huge, ""]).ends_with("[屯溪区] arrears · #1a2b3c4d"));
        assert!(fit(line, "屯溪区", [&huge, " 2.9"]).ends_with("arrears 2.9 · #1a2b3c4d"));
        assert_eq!(
            fit(line, "屯溪区", ["", ""]),
            "[RED][屯溪区] arrears · #1a2b3c4d"
        );
    }
}
