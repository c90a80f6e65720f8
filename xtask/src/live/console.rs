//! The review console of a daemon at work: what an office at it costs detection, how soon the queue is there when it is
//! long, and what hundreds of clients cost that send byte after byte.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, params};

use super::Took;
use super::stage::{Running, Stage};
use super::visitor::Visitor;
use crate::figures::Runs;
use crate::report;

const PREFIX: &str = "console.";
/// Cases that the queue is filled up to.
const CASES: u32 = 100_000;
/// People at the console at one time.
const USERS: usize = 20;
/// Each looks at a page for so long before asking for the next.
const READS: Duration = Duration::from_secs(1);
/// The casebook has everything that was told so soon.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(60);
/// How long the queue is asked for.
const ASKS: Duration = Duration::from_secs(30);
/// Clients that send a byte a second.
const SLOW: usize = 500;
const PASSWORD: &str = "five.dull.otters.knit.umbrellas";
/// What an office asks for: tabs, filters, orders, and pages far down.
const PAGES: [&str; 8] = [
    "/alerts",
    "/alerts?tab=mine",
    "/alerts?tab=unassigned",
    "/alerts?tab=overdue",
    "/alerts?severity=yellow&page=20",
    "/alerts?detector=duplicate-payout&sort=amount",
    "/alerts?sort=news",
    "/alerts?region=341002&sort=due",
];

/// What was found.
pub struct Measured {
    /// Of the backlog.
    pub records: u64,
    /// With nobody at the console.
    pub quiet: Runs,
    /// With an office at it.
    pub visited: Runs,
    /// The queue.
    pub queue: Took,
    /// The queue with slow clients beside.
    pub queue_beside_slow: Took,
    /// Resident memory before the slow clients, and with them.
    pub resident_bytes: (u64, u64),
}

/// An office: people who have logged in, and the casebook that knows them.
struct Office {
    /// Holds the casebook.
    _folder: tempfile::TempDir,
    casebook: PathBuf,
    people: Vec<Visitor>,
}

/// Reads a backlog so often with and without an office at the console, then looks at the queue.
pub fn measure(stage: &Stage, records: u64, runs: u16) -> Result<Measured> {
    stage.create_topics(PREFIX)?;
    let office = Office::open(stage)?;
    report::progress(&format!("sending {records} records"));
    let status = stage.simulate(PREFIX, records, None)?.wait()?;
    ensure!(status.success(), "the simulation ended with {status}");
    let records = stage.records(PREFIX)?;
    let (mut quiet, mut visited) = (Runs::default(), Runs::default());
    for run in 1..=runs {
        report::progress(&format!("console, run {run} of {runs}"));
        for is_visited in [false, true] {
            let (daemon, seconds) = office.read_backlog(stage, records, is_visited)?;
            daemon.stop()?;
            if is_visited { &mut visited } else { &mut quiet }.add(records, seconds);
        }
    }
    report::progress(&format!("{CASES} cases, {USERS} people"));
    let (daemon, _) = office.read_backlog(stage, records, false)?;
    fill(daemon.folder())?;
    // The pages that were never asked for are read from the disk once.
    office.ask(daemon.console_port(), READS * 3)?;
    let queue = office.ask(daemon.console_port(), ASKS)?;
    report::progress(&format!("{SLOW} slow clients"));
    let before = daemon.resident_bytes()?;
    let going = AtomicBool::new(true);
    let (beside, with) = thread::scope(|scope| {
        let slow = scope.spawn(|| drip(daemon.console_port(), &going));
        let beside = office.ask(daemon.console_port(), ASKS);
        let with = daemon.resident_bytes();
        going.store(false, Ordering::Release);
        slow.join().expect("slow clients do not panic")?;
        Ok::<_, anyhow::Error>((beside?, with?))
    })?;
    daemon.stop()?;
    Ok(Measured {
        records,
        quiet,
        visited,
        queue,
        queue_beside_slow: beside,
        resident_bytes: (before, with),
    })
}

impl Office {
    /// Makes an administrator by a token of the command, who adds the others.
    fn open(stage: &Stage) -> Result<Office> {
        report::progress("enrolling an office");
        let place = stage.place_with_console(PREFIX)?;
        let token = stage.token(&place, "chief")?;
        let daemon = stage.run_again(place)?;
        daemon.wait_until_open()?;
        let port = daemon.console_port();
        let mut chief = Visitor::new(port);
        chief.enrol(&token, PASSWORD)?;
        chief.log_in("chief", PASSWORD)?;
        let mut people = Vec::new();
        for n in 0..USERS {
            let login = format!("person{n}");
            let fields = [
                ("login", &*login),
                ("name", &*login),
                ("role", "supervisor"),
            ];
            let page = chief.post("/people/add", &fields)?.body;
            let token = page
                .split("<code>")
                .nth(1)
                .and_then(|rest| rest.split('<').next());
            let mut person = Visitor::new(port);
            person.enrol(token.context("no token on the page")?, PASSWORD)?;
            person.log_in(&login, PASSWORD)?;
            people.push(person);
        }
        let folder = tempfile::TempDir::with_prefix("fundwatch-office-")?;
        let casebook = folder.path().join("console.sqlite");
        let place = daemon.stop()?;
        // With what is still in its log.
        Connection::open(place.folder().join("console.sqlite"))?
            .execute("VACUUM INTO ?1", [casebook.to_string_lossy()])?;
        Ok(Office {
            _folder: folder,
            casebook,
            people,
        })
    }

    /// Starts a daemon that knows the office, and waits until the backlog is committed.
    fn read_backlog(
        &self,
        stage: &Stage,
        records: u64,
        is_visited: bool,
    ) -> Result<(Running, f64)> {
        let place = stage.place_with_console(PREFIX)?;
        fs::copy(&self.casebook, place.folder().join("console.sqlite"))?;
        let mut daemon = stage.run_again(place)?;
        let (port, going) = (daemon.console_port(), AtomicBool::new(is_visited));
        let seconds = thread::scope(|scope| {
            // Both wait for the console, so that both begin alike.
            daemon.wait_until_open()?;
            let visits = is_visited
                .then(|| scope.spawn(|| self.visit(port, &|_| going.load(Ordering::Acquire))));
            let waited = daemon.wait_until_committed(records);
            going.store(false, Ordering::Release);
            if let Some(visits) = visits {
                let took = visits.join().expect("visitors do not panic")?;
                ensure!(took.count() > 0, "nobody has seen a page");
            }
            waited
        })?;
        Ok((daemon, seconds))
    }

    /// All of them ask for the queue for so long.
    fn ask(&self, port: u16, time: Duration) -> Result<Took> {
        self.visit(port, &|since: Instant| since.elapsed() < time)
    }

    /// All of them ask for pages, one after the other, as long as it goes on.
    fn visit(&self, port: u16, goes_on: &(dyn Fn(Instant) -> bool + Sync)) -> Result<Took> {
        let since = Instant::now();
        let took = thread::scope(|scope| {
            let each: Vec<_> = (0..)
                .zip(&self.people)
                .map(|(n, person)| {
                    scope.spawn(move || {
                        // Nobody begins at the same moment as another.
                        thread::sleep(READS / u32::try_from(USERS)? * n);
                        let mut person = person.again(port);
                        let (mut took, mut page) = (Vec::new(), usize::try_from(n)?);
                        while goes_on(since) {
                            let asked = Instant::now();
                            let path = PAGES[page % PAGES.len()];
                            let answer = person.get(path)?;
                            took.push(asked.elapsed());
                            let is_queue = answer.code == 200
                                && answer.body.contains("<table class=\"queue\"");
                            ensure!(is_queue, "{path} is answered with {}", answer.code);
                            page += 1;
                            thread::sleep(READS.saturating_sub(asked.elapsed()));
                        }
                        Ok(took)
                    })
                })
                .collect();
            let each = each
                .into_iter()
                .map(|person| person.join().expect("visitors do not panic"));
            each.collect::<Result<Vec<_>>>()
        })?;
        Ok(Took::of(took.into_iter().flatten().collect()))
    }
}

/// Fills the queue up with copies of what is in it, once everything that was told is.
fn fill(folder: &Path) -> Result<()> {
    let connection = Connection::open(folder.join("console.sqlite"))?;
    connection.busy_timeout(FOLLOWS_WITHIN)?;
    connection.execute(
        "ATTACH ?1 AS store",
        [folder.join("fundwatch.sqlite").to_string_lossy()],
    )?;
    let deadline = Instant::now() + FOLLOWS_WITHIN;
    let is_followed = "SELECT (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'followed_seq')
        = (SELECT max(seq) FROM store.alert_history)";
    while connection.query_row(is_followed, [], |row| row.get::<_, Option<bool>>(0))? != Some(true)
    {
        ensure!(
            Instant::now() < deadline,
            "the casebook does not follow the store"
        );
        thread::sleep(Duration::from_millis(100));
    }
    let there: u32 = connection.query_row("SELECT count(*) FROM cases", [], |row| row.get(0))?;
    ensure!(there > 0, "the backlog raised no alert");
    connection.execute(
        "WITH RECURSIVE more (n) AS (SELECT ?1 + 1 UNION ALL SELECT n + 1 FROM more WHERE n < ?2)
         INSERT INTO cases (alert, detector, subject, subject_key, region, period, item, standing, severity, weight_fen,
             number_match, revision, news, first_told, last_told, due, state, assignee, overdue, rank)
         SELECT printf('%032x', more.n), c.detector, c.subject, printf('%064x', more.n), c.region, c.period, c.item, c.standing,
             c.severity, c.weight_fen + more.n, c.number_match, c.revision, c.news, c.first_told + more.n, c.last_told + more.n,
             c.due, CASE WHEN more.n % 10 = 0 THEN 'working' ELSE 'pending' END,
             CASE WHEN more.n % 10 = 0 THEN 2 + more.n / 10 % ?3 END, c.overdue, c.rank
         FROM more JOIN cases c ON c.n = 1 + more.n % ?1",
        params![there, CASES, u32::try_from(USERS)?],
    )?;
    Ok(())
}

/// Clients that send a byte a second, and never a whole request.
fn drip(port: u16, going: &AtomicBool) -> Result<()> {
    let mut clients = Vec::new();
    for _ in 0..SLOW {
        clients.push(TcpStream::connect(("127.0.0.1", port))?);
    }
    let mut bytes = b"GET /alerts HTTP/1.1\r\nX-Slow: "
        .iter()
        .copied()
        .chain(std::iter::repeat(b'x'));
    while going.load(Ordering::Acquire) {
        let byte = [bytes.next().unwrap_or(b'x')];
        for client in &mut clients {
            // One that was turned away for being slow comes again.
            if client.write_all(&byte).is_err() {
                *client = TcpStream::connect(("127.0.0.1", port))?;
            }
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}
