//! The queue: cases under tabs, by filter, in order. Filters stand in the address, so that a link says what it shows.

use std::sync::Arc;

use alerting::life::Standing;
use alerting::mail::text::person_in;
use alerting::{Language, explain};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use domain::{CreditCode, Detector, Indicator, Money, PersonId, RegionCode, Severity};

use super::App;
use super::answer::{Answer, Failure, page as show, see};
use super::form::{Fields, query};
use super::frame::Frame;
use super::gate::Visit;
use crate::casebook::cases::{self, Case, CaseState};
use crate::casebook::codes::Codes;
use crate::casebook::people;
use crate::casebook::queue::{self, Asker, Filter, PAGES_MAX, Search, Sort, Tab};
use crate::rights::{Person, Right};
use crate::words;

/// Characters that are searched for at most.
pub const SEARCH_MAX: usize = 64;

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    p: Frame,
    /// Address, word, number, whether it is here.
    tabs: Vec<(String, &'static str, Option<u64>, bool)>,
    tab: &'static str,
    q: String,
    /// The key of the subject that was searched for.
    subject: String,
    states: Vec<Choice>,
    standings: Vec<Choice>,
    severities: Vec<Choice>,
    detectors: Vec<Choice>,
    regions: Vec<Choice>,
    sorts: Vec<Choice>,
    /// Name and address.
    views: Vec<(String, String)>,
    rows: Vec<Row>,
    total: u64,
    amount: String,
    page: u32,
    pages: u64,
    previous: Option<String>,
    next: Option<String>,
    query: String,
    may_work: bool,
    may_export: bool,
    export_max: u32,
    /// Number and name.
    workers: Vec<(i64, String)>,
    reasons: Vec<(String, String)>,
}

/// An option of a list.
pub struct Choice {
    /// Its word in the address.
    pub value: String,
    /// For people.
    pub word: String,
    /// Whether it is the one.
    pub chosen: bool,
}

/// A row of the queue, in words.
pub struct Row {
    /// The alert.
    pub alert: String,
    /// The version, for forms.
    pub version: i64,
    /// The class of its colour.
    pub severity: &'static str,
    /// The word of its severity.
    pub severity_word: &'static str,
    /// Whom it is about, masked.
    pub subject: String,
    /// Detector and month.
    pub what: String,
    /// The month and the item.
    pub period: String,
    /// The region's name.
    pub region: String,
    /// What is at stake, grouped; empty where it is no money.
    pub amount: String,
    /// Business days since it was first told.
    pub age: u32,
    /// By when.
    pub due: String,
    /// Whether that is past.
    pub overdue: bool,
    /// The word of the state.
    pub state: &'static str,
    /// Its class.
    pub state_class: &'static str,
    /// The stage of mending, or until when it was put aside.
    pub stage: String,
    /// Who works on it.
    pub assignee: String,
    /// As what it was last told.
    pub news: &'static str,
    /// When.
    pub news_on: String,
    /// Whether that was since yesterday.
    pub is_new: bool,
    /// Whether there is evidence newer than the decision.
    pub fresh: bool,
    /// How the alert stands.
    pub standing: &'static str,
    /// Whether it holds.
    pub is_open: bool,
}

/// `GET /alerts`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let person = visit.person()?.clone();
    let filter = filter(&app, &visit.query)?;
    let asker = asker(&person);
    let (asked, by) = (filter.clone(), asker.clone());
    let counts = app
        .casebook
        .read(move |connection| queue::counts(connection, &by));
    let found = app.casebook.read(move |connection| {
        let page = queue::page(connection, &asker, &asked)?;
        let workers = people::workers(connection, None)?;
        Ok((page, workers, queue::views(connection, asker.n)?))
    });
    let (counts, found) = tokio::join!(counts, found);
    let (counts, (found, workers, views)) = (counts?, found?);
    let language = visit.language;
    let query_of = |change: &dyn Fn(&mut Filter)| {
        let mut changed = filter.clone();
        changed.page = 0;
        change(&mut changed);
        format!("/alerts?{}", query_text(&changed))
    };
    let pages = found.pages();
    let today = app.desk.day(visit.at);
    let may_work = person.may(Right::Work);
    show(&QueuePage {
        p: Frame::new(&app, &visit),
        tabs: Tab::ALL
            .into_iter()
            .filter(|tab| may_work || !matches!(tab, Tab::Mine | Tab::Approval))
            .filter(|tab| person.may(Right::Approve) || *tab != Tab::Approval)
            .map(|tab| {
                let there = query_of(&|filter| filter.tab = tab);
                (
                    there,
                    words::tab(tab, language),
                    counts.of(tab),
                    tab == filter.tab,
                )
            })
            .collect(),
        tab: filter.tab.as_str(),
        q: match &filter.search {
            Some(Search::Beginning(text)) => text.clone(),
            _ => String::new(),
        },
        subject: match &filter.search {
            Some(Search::Subject(key)) => key.clone(),
            _ => String::new(),
        },
        states: choices(CaseState::ALL, filter.state, CaseState::as_str, |state| {
            words::state(state, language).to_owned()
        }),
        standings: choices(
            Standing::ALL,
            filter.standing,
            Standing::as_str,
            |standing| words::standing(standing, language).to_owned(),
        ),
        severities: choices(
            Severity::ALL.into_iter().rev(),
            filter.severity,
            Severity::as_str,
            |severity| words::severity(severity, language).to_owned(),
        ),
        detectors: choices(
            Detector::ALL,
            filter.detector,
            Detector::as_str,
            |detector| detector_name(detector, language),
        ),
        regions: app
            .desk
            .policy()
            .pool
            .regions
            .iter()
            .filter(|region| person.regions.cover(region.code.as_str()))
            .map(|region| Choice {
                value: region.code.to_string(),
                word: region.name.clone(),
                chosen: filter.region == Some(region.code),
            })
            .collect(),
        sorts: choices(Sort::ALL, Some(filter.sort), Sort::as_str, |sort| {
            words::sort(sort, language).to_owned()
        }),
        views: views
            .into_iter()
            .map(|(name, query)| (name, format!("/alerts?{query}")))
            .collect(),
        rows: found
            .cases
            .iter()
            .map(|case| row(&app, case, language, today))
            .collect(),
        total: found.total,
        amount: Money::from_fen(found.weight_fen).grouped(),
        page: filter.page + 1,
        pages,
        previous: (filter.page > 0).then(|| query_of(&|changed| changed.page = filter.page - 1)),
        next: (u64::from(filter.page) + 1 < pages)
            .then(|| query_of(&|changed| changed.page = filter.page + 1)),
        query: query_text(&filter),
        may_work,
        may_export: person.may(Right::Export),
        export_max: app.config.export_rows_max,
        workers: workers
            .into_iter()
            .map(|worker| (worker.n, worker.name))
            .collect(),
        reasons: reasons(language),
    })
}

/// `POST /alerts/search`: sent in the body, as it may be a person's number.
pub async fn search_for(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["q"])?;
    let text = typed(visit.fields.one("q")?);
    let found = Filter {
        search: (!text.is_empty()).then(|| search(&app, &text)),
        ..Filter::default()
    };
    Ok(see(&format!("/alerts?{}", query_text(&found))))
}

/// `POST /views/save`
pub async fn save_view(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["name", "query"])?;
    let asked = Fields::parse(visit.fields.one("query")?.as_bytes())?;
    // Written anew from what was understood: nothing else can be kept.
    let query = query_text(&filter(&app, &asked)?);
    let (person, name) = (
        visit.person()?.n,
        visit.fields.one("name")?.trim().to_owned(),
    );
    let kept = query.clone();
    app.casebook
        .write(move |transaction| queue::save_view(transaction, person, &name, Some(&kept)))
        .await?;
    Ok(see(&format!("/alerts?{query}")))
}

/// `POST /views/forget`
pub async fn forget_view(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["name"])?;
    let (person, name) = (visit.person()?.n, visit.fields.one("name")?.to_owned());
    app.casebook
        .write(move |transaction| queue::save_view(transaction, person, &name, None))
        .await?;
    Ok(see("/alerts"))
}

/// Who asks, for the queue.
pub fn asker(person: &Person) -> Asker {
    Asker {
        n: person.n,
        regions: person.regions.clone(),
    }
}

/// The filter of a query: a word that is none says nothing, as a link may be older than the program.
pub fn filter(app: &App, asked: &Fields) -> Result<Filter, Failure> {
    let word = |name| asked.some(name);
    let page: u32 = asked.one("page")?.parse().unwrap_or(1);
    let text = word("q")?.map(typed);
    Ok(Filter {
        tab: word("tab")?.and_then(Tab::parse).unwrap_or_default(),
        state: word("state")?.and_then(CaseState::parse),
        severity: word("severity")?.and_then(|word| {
            Severity::ALL
                .into_iter()
                .find(|known| known.as_str() == word)
        }),
        detector: word("detector")?.and_then(Detector::parse),
        region: word("region")?.and_then(|code| RegionCode::parse(code.as_bytes())),
        standing: word("standing")?.and_then(Standing::parse),
        search: match word("subject")?.filter(|key| is_key(key)) {
            Some(key) => Some(Search::Subject(key.to_owned())),
            None => text.map(|text| search(app, &text)),
        },
        sort: word("sort")?.and_then(Sort::parse).unwrap_or_default(),
        page: page.clamp(1, PAGES_MAX) - 1,
    })
}

/// What somebody typed to search for, without what cannot be read, and not endless.
pub fn typed(text: &str) -> String {
    alerting::mail::text::clean(text.trim())
        .chars()
        .take(SEARCH_MAX)
        .collect()
}

/// The person whose number is, or is in, what somebody typed.
pub fn person_of(text: &str) -> Option<PersonId> {
    PersonId::parse(text.as_bytes()).or_else(|| person_in(text))
}

/// A number or code in full is found by its key; anything else by how it begins.
pub fn search(app: &App, text: &str) -> Search {
    let canonical = match person_of(text) {
        Some(person) => Some(person.reveal()),
        None => CreditCode::parse(text.as_bytes()).map(|code| code.to_string()),
    };
    match canonical {
        // The number itself goes no further: neither onto the page nor into an address.
        Some(subject) => Search::Subject(app.casebook.subject_key(&subject)),
        None => Search::Beginning(starred(text)),
    }
}

/// What is searched for, with long numbers that are none, mistyped ones of persons among them, starred: they find nothing
/// either way.
fn starred(text: &str) -> String {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let is_id = text.chars().all(|c| c.is_ascii_hexdigit()) && text.len() <= 32;
    // No person's number begins with a 9, as credit codes do.
    let is_code = text.starts_with('9');
    if digits < 15 || is_code || (is_id && !text.chars().all(char::is_numeric)) {
        return text.to_owned();
    }
    let mut kept = 0;
    text.chars()
        .map(|c| {
            kept += usize::from(c.is_numeric());
            if c.is_numeric() && kept > 6 { '*' } else { c }
        })
        .collect()
}

/// Whether a text may be the key of a subject.
pub fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The query of a filter. What was searched for by a number in full stands there by its key: addresses are kept in
/// too many places.
pub fn query_text(filter: &Filter) -> String {
    let page = (filter.page + 1).to_string();
    let region = filter.region.map(|region| region.to_string());
    let all = [
        (
            "tab",
            Some(filter.tab.as_str()).filter(|_| filter.tab != Tab::default()),
        ),
        ("state", filter.state.map(CaseState::as_str)),
        ("severity", filter.severity.map(Severity::as_str)),
        ("detector", filter.detector.map(Detector::as_str)),
        ("region", region.as_deref()),
        ("standing", filter.standing.map(Standing::as_str)),
        (
            "q",
            match &filter.search {
                Some(Search::Beginning(text)) => Some(text.as_str()),
                _ => None,
            },
        ),
        (
            "subject",
            match &filter.search {
                Some(Search::Subject(key)) => Some(key.as_str()),
                _ => None,
            },
        ),
        (
            "sort",
            Some(filter.sort.as_str()).filter(|_| filter.sort != Sort::default()),
        ),
        ("page", Some(page.as_str()).filter(|_| filter.page > 0)),
    ];
    query(
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    )
}

fn choices<T: Copy + PartialEq>(
    all: impl IntoIterator<Item = T>,
    chosen: Option<T>,
    value: impl Fn(T) -> &'static str,
    word: impl Fn(T) -> String,
) -> Vec<Choice> {
    all.into_iter()
        .map(|one| Choice {
            value: value(one).to_owned(),
            word: word(one),
            chosen: chosen == Some(one),
        })
        .collect()
}

/// The reasons that may be chosen, with their codes.
pub fn reasons(language: Language) -> Vec<(String, String)> {
    let codes = Codes::of_program();
    codes
        .reasons
        .iter()
        .filter(|reason| !reason.retired)
        .map(|reason| {
            let words = codes.words(&reason.outcome, &reason.code, language);
            (reason.code.clone(), words)
        })
        .collect()
}

/// The name of a detector.
pub fn detector_name(detector: Detector, language: Language) -> String {
    match language {
        Language::Zh => detector.name_zh().to_owned(),
        Language::En => detector.as_str().replace('-', " "),
    }
}

/// What a case is called: a match of numbers alone is not called a death.
pub fn case_name(case: &Case, language: Language) -> String {
    match Detector::parse(&case.detector) {
        _ if case.number_match => explain::number_match(language).to_owned(),
        Some(detector) => detector_name(detector, language),
        None => case.detector.clone(),
    }
}

/// The name of an item: an indicator's is known.
fn item_name(item: &str, language: Language) -> String {
    match (
        Indicator::parse(item.strip_prefix("pool.").unwrap_or(item)),
        language,
    ) {
        (Some(indicator), Language::Zh) => indicator.name_zh().to_owned(),
        (Some(indicator), Language::En) => indicator.name_en().to_owned(),
        (None, _) => alerting::mail::text::scrub(item),
    }
}

/// Whom a case is about: a region by its name.
fn subject(app: &App, case: &Case) -> String {
    match RegionCode::parse(case.subject.as_bytes()) {
        Some(_) => app.desk.office().region(&case.subject).to_owned(),
        None => case.subject.clone(),
    }
}

/// A case in words.
pub fn row(app: &App, case: &Case, language: Language, today: domain::BusinessDate) -> Row {
    let stage = case
        .stage
        .map(|stage| words::stage(stage, language).to_owned());
    let parts: Vec<String> = case
        .period
        .iter()
        .cloned()
        .chain(case.item.as_deref().map(|item| item_name(item, language)))
        .collect();
    Row {
        alert: case.alert.clone(),
        version: case.version,
        severity: case.severity.as_str(),
        severity_word: words::severity(case.severity, language),
        subject: subject(app, case),
        what: case_name(case, language),
        period: parts.join(" · "),
        region: app.desk.office().region(&case.region).to_owned(),
        amount: if cases::is_of_money(&case.detector) {
            Money::from_fen(case.weight_fen.into()).grouped()
        } else {
            String::new()
        },
        age: app.desk.age(case.first_told, today),
        due: case.due.map_or(String::new(), |day| day.to_string()),
        overdue: case.overdue,
        state: words::state(case.state, language),
        state_class: case.state.as_str(),
        stage: match (case.state, stage) {
            (CaseState::Snoozed, _) => case
                .snoozed_until
                .map_or(String::new(), |day| day.to_string()),
            (_, stage) => stage.unwrap_or_default(),
        },
        assignee: case.assignee_name.clone().unwrap_or_default(),
        news: words::step(&case.news, language),
        news_on: app.desk.day(case.last_told).to_string(),
        is_new: today.days_since(app.desk.day(case.last_told)) <= 1,
        fresh: case.fresh,
        standing: words::standing(case.standing, language),
        is_open: case.standing == Standing::Open,
    }
}
