//! The queue: cases by filter, in order, a page at a time, and how many there are under each tab.

use alerting::life::Standing;
use domain::{Detector, RegionCode, Severity};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::CasebookError;
use super::cases::{self, Case, CaseState};
use crate::rights::Regions;

/// Rows of a page.
pub const PAGE_ROWS: u32 = 50;
/// Pages that can be leafed through; whoever looks further filters.
pub const PAGES_MAX: u32 = 400;

/// Characters of a view's name, and views of a person.
const VIEW_NAME_MAX: usize = 30;
const VIEWS_MAX: u32 = 20;

/// Under which tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// All that is not closed.
    #[default]
    All,
    /// Mine.
    Mine,
    /// Nobody's.
    Unassigned,
    /// What waits for somebody else's eyes than those of whoever proposed it, or reported it mended.
    Approval,
    /// What should have been done before today.
    Overdue,
    /// What is closed.
    Closed,
}

impl Tab {
    /// All of them, in their order on the page.
    pub const ALL: [Tab; 6] = [
        Tab::Mine,
        Tab::Unassigned,
        Tab::Approval,
        Tab::Overdue,
        Tab::All,
        Tab::Closed,
    ];

    /// The word in the address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tab::All => "all",
            Tab::Mine => "mine",
            Tab::Unassigned => "unassigned",
            Tab::Approval => "approval",
            Tab::Overdue => "overdue",
            Tab::Closed => "closed",
        }
    }

    /// The tab of a word.
    pub fn parse(word: &str) -> Option<Tab> {
        Tab::ALL.into_iter().find(|tab| tab.as_str() == word)
    }
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Overdue, then what holds, then severity, then amount.
    #[default]
    Urgency,
    /// The greatest amount first.
    Amount,
    /// The latest news first.
    News,
    /// The nearest deadline first.
    Due,
}

impl Sort {
    /// All of them.
    pub const ALL: [Sort; 4] = [Sort::Urgency, Sort::Amount, Sort::News, Sort::Due];

    /// The word in the address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Sort::Urgency => "urgency",
            Sort::Amount => "amount",
            Sort::News => "news",
            Sort::Due => "due",
        }
    }

    /// The order of a word.
    pub fn parse(word: &str) -> Option<Sort> {
        Sort::ALL.into_iter().find(|sort| sort.as_str() == word)
    }

    const fn sql(self) -> &'static str {
        match self {
            Sort::Urgency => "c.rank DESC, c.weight_fen DESC, c.n",
            Sort::Amount => "c.weight_fen DESC, c.n",
            Sort::News => "c.last_told DESC, c.n DESC",
            Sort::Due => "c.due IS NULL, c.due, c.rank DESC, c.n",
        }
    }
}

/// Which cases; what is `None` says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the address")]
pub struct Filter {
    pub tab: Tab,
    pub state: Option<CaseState>,
    pub severity: Option<Severity>,
    pub detector: Option<Detector>,
    pub region: Option<RegionCode>,
    pub standing: Option<Standing>,
    pub search: Option<Search>,
    pub sort: Sort,
    /// From 0 on.
    pub page: u32,
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// A subject in full, by the key that it is found by.
    Subject(String),
    /// The beginning of an alert's id or of an enterprise's code.
    Beginning(String),
}

/// Who asks: what may be seen, and whose `mine` is.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The person's number.
    pub n: i64,
    /// The regions that the person sees.
    pub regions: Regions,
}

/// How many there are under each tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the tabs")]
pub struct Counts {
    pub all: u64,
    pub mine: u64,
    pub unassigned: u64,
    pub approval: u64,
    pub overdue: u64,
}

impl Counts {
    /// Of a tab; closed ones are not counted.
    pub const fn of(&self, tab: Tab) -> Option<u64> {
        match tab {
            Tab::All => Some(self.all),
            Tab::Mine => Some(self.mine),
            Tab::Unassigned => Some(self.unassigned),
            Tab::Approval => Some(self.approval),
            Tab::Overdue => Some(self.overdue),
            Tab::Closed => None,
        }
    }
}

/// A page of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its rows.
    pub cases: Vec<Case>,
    /// How many the filter lets through.
    pub total: u64,
    /// What they weigh together, in fen.
    pub weight_fen: i128,
}

impl Page {
    /// How many pages can be leafed through.
    pub fn pages(&self) -> u64 {
        self.total
            .div_ceil(u64::from(PAGE_ROWS))
            .clamp(1, u64::from(PAGES_MAX))
    }
}

/// How many there are under each tab, for whoever asks.
///
/// # Errors
/// They cannot be read.
pub fn counts(connection: &Connection, asker: &Asker) -> Result<Counts, CasebookError> {
    let mut values = vec![Value::from(asker.n)];
    let place = covered(&asker.regions, &mut values);
    let sum = |condition: &str| format!("coalesce(sum(c.cases) FILTER (WHERE {condition}), 0)");
    let mut select = connection.prepare_cached(&format!(
        "SELECT {}, {}, {}, {}, {} FROM tallies c WHERE c.active = 1{place}",
        sum("1"),
        sum("c.assignee = ?1"),
        sum("c.assignee IS NULL"),
        sum("c.awaits <> ?1"),
        sum("c.overdue = 1"),
    ))?;
    Ok(select.query_row(params_from_iter(values), |row| {
        Ok(Counts {
            all: row.get(0)?,
            mine: row.get(1)?,
            unassigned: row.get(2)?,
            approval: row.get(3)?,
            overdue: row.get(4)?,
        })
    })?)
}

/// A page of what the filter lets through.
///
/// # Errors
/// It cannot be read.
pub fn page(
    connection: &Connection,
    asker: &Asker,
    filter: &Filter,
) -> Result<Page, CasebookError> {
    let (condition, values) = condition(asker, filter);
    // Whatever is not searched for is tallied.
    let mut select = connection.prepare_cached(&match &filter.search {
        None => format!(
            "SELECT coalesce(sum(c.cases), 0), coalesce(sum(c.weight_e9), 0), coalesce(sum(c.weight_fen), 0)
             FROM tallies c WHERE {condition}"
        ),
        Some(_) => format!(
            "SELECT count(*), coalesce(sum(c.weight_fen / 1000000000), 0), coalesce(sum(c.weight_fen % 1000000000), 0)
             FROM cases c WHERE {condition}"
        ),
    })?;
    // In two parts: no sum of what is saturated can leave what SQLite counts with.
    let (total, high, low) = select.query_row(params_from_iter(values.iter()), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let offset = u64::from(filter.page.min(PAGES_MAX)) * u64::from(PAGE_ROWS);
    let cases = if offset < total {
        rows(
            connection,
            &condition,
            values,
            filter.sort,
            PAGE_ROWS,
            offset,
        )?
    } else {
        Vec::new()
    };
    Ok(Page {
        cases,
        total,
        weight_fen: i128::from(high) * 1_000_000_000 + i128::from(low),
    })
}

/// All that the filter lets through, up to a number: for an export.
///
/// # Errors
/// They cannot be read.
pub fn all(
    connection: &Connection,
    asker: &Asker,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Case>, CasebookError> {
    let (condition, values) = condition(asker, filter);
    rows(connection, &condition, values, filter.sort, limit, 0)
}

fn rows(
    connection: &Connection,
    condition: &str,
    mut values: Vec<Value>,
    sort: Sort,
    limit: u32,
    offset: u64,
) -> Result<Vec<Case>, CasebookError> {
    values.push(Value::from(i64::from(limit)));
    values.push(Value::from(i64::try_from(offset).unwrap_or(i64::MAX)));
    let (columns, tables, order) = (cases::COLUMNS, cases::TABLES, sort.sql());
    // Only numbers are sorted; the rows of a page are read afterwards.
    let mut select = connection.prepare_cached(&format!(
        "SELECT {columns} FROM {tables} WHERE c.n IN
             (SELECT c.n FROM cases c WHERE {condition} ORDER BY {order} LIMIT ?{} OFFSET ?{})
         ORDER BY {order}",
        values.len() - 1,
        values.len()
    ))?;
    let rows = select.query_map(params_from_iter(values), cases::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The conditions, made of fixed parts; whatever was typed is a value.
fn condition(asker: &Asker, filter: &Filter) -> (String, Vec<Value>) {
    let mut values = vec![Value::from(asker.n)];
    // Every value has its place in the statement, whatever the tab: the first one, too.
    let mut sql = String::from("?1 IS NOT NULL AND ");
    sql.push_str(match filter.tab {
        Tab::All => "c.active = 1",
        Tab::Mine => "c.active = 1 AND c.assignee = ?1",
        Tab::Unassigned => "c.active = 1 AND c.assignee IS NULL",
        Tab::Approval => "c.active = 1 AND c.awaits <> ?1",
        Tab::Overdue => "c.active = 1 AND c.overdue = 1",
        Tab::Closed => "c.active = 0",
    });
    let mut and = |column: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND c.{column} = ?{}", values.len()));
    };
    if let Some(state) = filter.state {
        and("state", state.as_str().to_owned().into());
    }
    if let Some(severity) = filter.severity {
        and("severity", i64::from(severity as u8).into());
    }
    if let Some(detector) = filter.detector {
        and("detector", detector.as_str().to_owned().into());
    }
    if let Some(region) = filter.region {
        and("region", region.to_string().into());
    }
    if let Some(standing) = filter.standing {
        and("standing", standing.as_str().to_owned().into());
    }
    match &filter.search {
        None => {}
        Some(Search::Subject(key)) => {
            values.push(key.clone().into());
            sql.push_str(&format!(" AND c.subject_key = ?{}", values.len()));
        }
        Some(Search::Beginning(text)) => {
            // A range is looked up in an index, as a pattern is not.
            let end = format!("{text}{}", char::MAX);
            values.push(text.clone().into());
            values.push(end.clone().into());
            values.push(text.to_ascii_lowercase().into());
            values.push(end.to_ascii_lowercase().into());
            let n = values.len();
            sql.push_str(&format!(
                " AND (c.subject >= ?{} COLLATE NOCASE AND c.subject < ?{} COLLATE NOCASE OR c.alert >= ?{} AND c.alert < ?{n})",
                n - 3,
                n - 2,
                n - 1,
            ));
        }
    }
    sql.push_str(&covered(&asker.regions, &mut values));
    (sql, values)
}

fn covered(regions: &Regions, values: &mut Vec<Value>) -> String {
    let Regions::Only(codes) = regions else {
        return String::new();
    };
    let places: Vec<String> = codes
        .iter()
        .map(|code| {
            values.push(code.to_string().into());
            format!("?{}", values.len())
        })
        .collect();
    format!(" AND c.region IN ({})", places.join(", "))
}

/// Filters that a person gave a name: name and query.
///
/// # Errors
/// They cannot be read.
pub fn views(connection: &Connection, person: i64) -> Result<Vec<(String, String)>, CasebookError> {
    let mut select = connection
        .prepare_cached("SELECT name, query FROM views WHERE person = ?1 ORDER BY name")?;
    let rows = select.query_map([person], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives a filter a name, or with no query takes the name away.
///
/// # Errors
/// The name is empty or too long, there are too many, or it cannot be written.
pub fn save_view(
    transaction: &rusqlite::Transaction<'_>,
    person: i64,
    name: &str,
    query: Option<&str>,
) -> Result<(), CasebookError> {
    let name = &alerting::mail::text::scrub(name);
    let Some(query) = query else {
        transaction.execute(
            "DELETE FROM views WHERE person = ?1 AND name = ?2",
            rusqlite::params![person, name],
        )?;
        return Ok(());
    };
    let known: u32 = transaction.query_row(
        "SELECT count(*) FROM views WHERE person = ?1 AND name <> ?2",
        rusqlite::params![person, name],
        |row| row.get(0),
    )?;
    let is_good = (1..=VIEW_NAME_MAX).contains(&name.chars().count())
        && alerting::mail::text::is_plain(name)
        && known < VIEWS_MAX;
    if !is_good {
        return Err(super::Refusal::BadChoice.into());
    }
    transaction.execute(
        "INSERT OR REPLACE INTO views (person, name, query) VALUES (?1, ?2, ?3)",
        rusqlite::params![person, name, query],
    )?;
    Ok(())
}
