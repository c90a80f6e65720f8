//! What the database itself refuses, whatever the code above it does; and the figures of the queue.

use std::collections::BTreeMap;
use std::time::Instant;

use alerting::AlertIdentity;
use domain::Money;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use super::audit::{self, Kind, Verified};
use super::queue::{self, Asker, Filter, Sort, Tab};
use super::{Actor, Casebook, CasebookError, Refusal, people};
use crate::rights::{Regions, Role};

fn casebook() -> (tempfile::TempDir, Casebook) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.sqlite");
    let casebook = Casebook::open(&path, Money::from_yuan(100_000)).unwrap();
    (folder, casebook)
}

fn actor() -> Actor {
    Actor::of_command("2024-04-01T02:00:00Z".parse::<Timestamp>().unwrap())
}

/// Two people and a case of 200,000 yuan, written by hand.
fn seeded(casebook: &Casebook) {
    casebook
        .write_blocking(|transaction| {
            for login in ["li", "wang"] {
                people::add(transaction, &actor(), login, login, Role::Supervisor, &Regions::All)?;
            }
            transaction.execute_batch(
                "INSERT INTO cases (alert, detector, subject, subject_key, region, standing, severity, weight_fen, revision,
                     news, first_told, last_told, state, rank)
                 VALUES ('A', 'arrears', 'S', 'K', '341002', 'open', 2, 20000000, 1, 'raised', 0, 0, 'working', 6)",
            )?;
            Ok(())
        })
        .unwrap();
}

fn refused(casebook: &Casebook, sql: &'static str) -> String {
    casebook
        .write_blocking(move |transaction| {
            transaction.execute_batch(sql)?;
            Ok(())
        })
        .expect_err(sql)
        .to_string()
}

const PROPOSED: &str = "INSERT INTO decisions (\"case\", outcome, reason, codes, verdict, rectify, note, proposer, proposed_at,
         bulk, revision, severity, weight_fen, state)
     VALUES (1, 'substantiated', 'S2', 'v', 'hit', 0, 'n', 1, 0, 0, 1, 2, 20000000, 'proposed')";

#[test]
fn a_panic_in_what_is_written_ends_that_alone() {
    let (_folder, casebook) = casebook();
    let li = |transaction: &Transaction<'_>| {
        let (role, regions) = (Role::Supervisor, &Regions::All);
        people::add(transaction, &actor(), "li", "li", role, regions)
    };
    let answered = casebook.write_blocking(move |transaction| -> Result<(), CasebookError> {
        li(transaction)?;
        panic!("as a fault of the program would");
    });
    assert!(matches!(answered, Err(CasebookError::Closed)));
    // Nothing of it is there, and the next goes on.
    casebook.write_blocking(li).unwrap();
}

#[test]
fn the_database_insists_on_four_eyes() {
    let (_folder, casebook) = casebook();
    seeded(&casebook);
    assert!(refused(&casebook, "UPDATE cases SET state = 'closed'").contains("decision in force"));
    // Over the threshold, and in bulk, nothing is in force at once.
    let alone = "INSERT INTO decisions (\"case\", outcome, reason, codes, verdict, rectify, note, proposer, proposed_at,
             bulk, revision, severity, weight_fen, state)
         VALUES (1, 'o', 'r', 'v', 'hit', 0, 'n', 1, 0, 0, 1, 2, 10000000, 'in-force')";
    assert!(refused(&casebook, alone).contains("four eyes"));
    let bulk = "INSERT INTO decisions (\"case\", outcome, reason, codes, verdict, rectify, note, proposer, proposed_at,
             bulk, revision, severity, weight_fen, state)
         VALUES (1, 'o', 'r', 'v', 'hit', 0, 'n', 1, 0, 1, 1, 2, 1, 'in-force')";
    assert!(refused(&casebook, bulk).contains("four eyes"));
    // What is red, by the decision or by its case, whatever its amount; and whatever is being mended.
    for (case, severity) in [
        ("severity = 2", 3),
        ("severity = 3", 0),
        ("severity = 2, stage = 'issued'", 2),
    ] {
        let alone = format!(
            "UPDATE cases SET {case};
             INSERT INTO decisions (\"case\", outcome, reason, codes, verdict, rectify, note, proposer, proposed_at, bulk,
                 revision, severity, weight_fen, state)
             VALUES (1, 'o', 'r', 'v', 'hit', 0, 'n', 1, 0, 0, 1, {severity}, 1, 'in-force')"
        );
        assert!(refused(&casebook, alone.leak()).contains("four eyes"));
    }
    casebook
        .write_blocking(|transaction| Ok(transaction.execute_batch(PROPOSED)?))
        .unwrap();
    for sql in [
        "UPDATE decisions SET state = 'in-force'",
        "UPDATE decisions SET state = 'in-force', approver = 1",
        "UPDATE decisions SET state = 'returned', approver = 1",
    ] {
        assert!(refused(&casebook, sql).contains("four eyes"), "{sql}");
    }
    for sql in [
        "UPDATE decisions SET proposer = 2",
        "UPDATE decisions SET note = 'another', state = 'in-force', approver = 2",
        "UPDATE decisions SET weight_fen = 1",
        "UPDATE decisions SET severity = 0",
    ] {
        assert!(refused(&casebook, sql).contains("never changed"), "{sql}");
    }
    assert!(refused(&casebook, "DELETE FROM decisions").contains("never deleted"));
    casebook
        .write_blocking(|transaction| {
            transaction.execute_batch(
                "UPDATE decisions SET state = 'in-force', approver = 2; UPDATE cases SET state = 'closed'",
            )?;
            Ok(())
        })
        .unwrap();
    assert!(refused(&casebook, "UPDATE decisions SET answer = 'x'").contains("never changed"));
}

#[test]
fn the_database_insists_on_two_in_the_mending_of_a_fault() {
    let (_folder, casebook) = casebook();
    seeded(&casebook);
    casebook
        .write_blocking(|transaction| {
            transaction.execute_batch(PROPOSED)?;
            Ok(transaction.execute_batch(
                "UPDATE decisions SET state = 'in-force', approver = 2; UPDATE cases SET stage = 'verified'",
            )?)
        })
        .unwrap();
    // Not before it was reported mended, and not by nobody.
    for sql in [
        "UPDATE cases SET state = 'closed', stage = NULL, closed_by = 2",
        "UPDATE cases SET stage = NULL, state = 'closed'",
        "UPDATE cases SET stage = 'rectified'",
    ] {
        let said = refused(&casebook, sql);
        assert!(
            said.contains("four eyes") || said.contains("somebody"),
            "{said}"
        );
    }
    let mended = "UPDATE cases SET stage = 'rectified', mended_by = 1";
    casebook
        .write_blocking(|transaction| Ok(transaction.execute_batch(mended)?))
        .unwrap();
    for (sql, why) in [
        (
            "UPDATE cases SET state = 'closed', stage = NULL",
            "four eyes",
        ),
        (
            "UPDATE cases SET state = 'closed', stage = NULL, closed_by = 1",
            "four eyes",
        ),
        ("UPDATE cases SET mended_by = 2", "by the same"),
        ("UPDATE cases SET state = 'snoozed'", "until a day"),
    ] {
        assert!(refused(&casebook, sql).contains(why), "{sql}");
    }
    casebook
        .write_blocking(|transaction| {
            Ok(transaction
                .execute_batch("UPDATE cases SET state = 'closed', stage = NULL, closed_by = 2")?)
        })
        .unwrap();
}

/// What an earlier version wrote is brought under the rules of this one.
#[test]
fn a_casebook_of_the_first_version_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.sqlite");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("schema.sql")).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO people (login, name, role, regions, since) VALUES ('li', 'li', 'supervisor', '*', 0);
         INSERT INTO cases (alert, detector, subject, subject_key, region, standing, severity, weight_fen, revision,
             news, first_told, last_told, state, stage, snooze_worse, rank)
         VALUES ('A', 'arrears', 'S', 'K', '341002', 'open', 2, 1, 1, 'raised', 0, 0, 'working', 'rectified', 0, 6),
             ('B', 'arrears', 'S', 'K', '341002', 'open', 2, 1, 1, 'raised', 0, 0, 'snoozed', NULL, 1, 6);
         INSERT INTO steps (\"case\", version, at, person, kind, note)
         VALUES (1, 1, 0, 1, 'rectified', 'n'), (2, 1, 1711929600000, 1, 'snoozed', 'n')",
    )
    .unwrap();
    drop(old);
    let casebook = Casebook::open(&path, Money::from_yuan(100_000)).unwrap();
    let found = casebook.read_blocking(|connection| {
        let mut select =
            connection.prepare("SELECT mended_by, awaits, snoozed_until FROM cases ORDER BY n")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<Vec<(Option<i64>, Option<i64>, Option<String>)>, _>>()?)
    });
    // Put aside on 2024-04-01.
    let expected = [
        (Some(1), Some(1), None),
        (None, None, Some("2024-04-29".to_owned())),
    ];
    assert_eq!(found.unwrap(), expected);
}

/// S33: rows are appended, and nothing else; whoever changes the file all the same is found.
#[test]
fn s33_the_audit_trail_is_a_chain() {
    let (folder, casebook) = casebook();
    let head = casebook
        .write_blocking(|transaction| {
            for n in 0..10 {
                let (target, note) = (format!("alert {n}"), "核对");
                audit::append(transaction, &actor(), Kind::Read, true, &target, note)?;
            }
            match audit::verify(transaction, None)? {
                Verified::Whole { rows: 10, head } => {
                    assert_eq!(audit::head(transaction)?, Some((10, head.clone())));
                    Ok(head)
                }
                other => Err(CasebookError::Value(format!("{other:?}"))),
            }
        })
        .unwrap();
    assert!(refused(&casebook, "UPDATE audit SET note = ''").contains("never changed"));
    assert!(refused(&casebook, "DELETE FROM audit WHERE n = 10").contains("never deleted"));
    let forged = "INSERT INTO audit SELECT 11, at, login, role, address, kind, ok, target, note, 'x', 'y' FROM audit WHERE n = 1";
    assert!(refused(&casebook, forged).contains("chain"));

    let path = folder.path().join("console.sqlite");
    let verify = || audit::verify_file(&path, Some(&head)).unwrap();
    assert!(matches!(verify(), Verified::Whole { rows: 10, .. }));
    // Whoever owns the file can take the triggers away, and is found by the hashes.
    let tamper = Connection::open(&path).unwrap();
    tamper
        .execute_batch("DROP TRIGGER audit_stays; DROP TRIGGER audit_remains; UPDATE audit SET note = '另一' WHERE n = 4")
        .unwrap();
    assert_eq!(verify(), Verified::Broken { n: 4 });
    tamper
        .execute_batch("UPDATE audit SET note = '核对' WHERE n = 4; DELETE FROM audit WHERE n = 10")
        .unwrap();
    // A tail that is cut off shows by the hash that was written down.
    assert_eq!(verify(), Verified::Unknown { rows: 9 });
    tamper
        .execute_batch("DELETE FROM audit WHERE n = 5")
        .unwrap();
    assert_eq!(verify(), Verified::Broken { n: 5 });
}

/// S23: whoever adds a column says in docs/data.md whether it is personal or secret.
#[test]
fn s23_every_column_is_listed() {
    let columns = |path: &std::path::Path| {
        let connection = Connection::open(path).unwrap();
        let mut select = connection
            .prepare(
                "SELECT t.name, group_concat(c.name ORDER BY c.name) FROM sqlite_schema t, pragma_table_xinfo(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!' GROUP BY t.name",
            )
            .unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap()
            .collect::<Result<BTreeMap<String, String>, _>>()
            .unwrap()
    };
    let (folder, _casebook) = casebook();
    let store = folder.path().join("fundwatch.sqlite");
    drop(alerting::Store::open(&store, &AlertIdentity::default()).unwrap());
    let inventory = include_str!("../../../docs/data.md");
    let (of_store, of_casebook) = inventory.split_once("## The casebook").unwrap();
    for (words, path) in [
        (of_store, store),
        (of_casebook, folder.path().join("console.sqlite")),
    ] {
        let listed: BTreeMap<String, String> = words
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| {
                let mut names = line.split('`').skip(1).step_by(2);
                let table = names.next().unwrap().to_owned();
                let mut columns: Vec<&str> = names.collect();
                columns.sort_unstable();
                (table, columns.join(","))
            })
            .collect();
        assert_eq!(columns(&path), listed);
    }
}

#[test]
fn letters_and_steps_stay_as_they_are() {
    let (_folder, casebook) = casebook();
    seeded(&casebook);
    casebook
        .write_blocking(|transaction| {
            transaction.execute_batch(
                "INSERT INTO letters (\"case\", kind, year, serial, html, hash, issuer, issued_at, due)
                     VALUES (1, 'reminder', 2024, 1, 'h', 'x', 1, 0, '2024-05-06');
                 INSERT INTO steps (\"case\", version, at, kind, note) VALUES (1, 1, 0, 'noted', 'n')",
            )?;
            Ok(())
        })
        .unwrap();
    for sql in [
        "UPDATE letters SET html = 'other'",
        "DELETE FROM letters",
        "UPDATE steps SET note = ''",
        "DELETE FROM steps",
    ] {
        assert!(refused(&casebook, sql).contains("never"), "{sql}");
    }
}

/// S1, S2: argon2id with its parameters in the text; old ones are hashed anew; what everybody tries is refused.
#[test]
fn s1_and_s2_passwords() {
    let hash = people::hash_password("correct horse battery").unwrap();
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    assert_eq!(
        people::verify_password("correct horse battery", &hash),
        (true, false)
    );
    assert_eq!(
        people::verify_password("correct horse battery ", &hash),
        (false, false)
    );
    let long = "长".repeat(20) + &"x".repeat(45);
    let hash = people::hash_password(&long).unwrap();
    let other = long[..long.len() - 1].to_owned() + "y";
    assert!(people::verify_password(&long, &hash).0 && !people::verify_password(&other, &hash).0);
    assert_eq!(people::verify_password("x", "no hash"), (false, false));
    for (weak, why) in [
        ("short", Refusal::PasswordLength),
        ("长长长长长长长长长长长", Refusal::PasswordLength),
        ("Zhao.Chenwei 19", Refusal::PasswordNames),
        ("陈晓明 屯溪 桂花 九月", Refusal::PasswordNames),
        // Of the lists themselves, alone or together.
        ("unbelievable", Refusal::PasswordCommon),
        ("trustno1trustno1", Refusal::PasswordCommon),
        ("password1234", Refusal::PasswordCommon),
        ("P@ssw0rd2024!", Refusal::PasswordCommon),
        ("iloveyou2024!", Refusal::PasswordCommon),
        ("woaini1314520", Refusal::PasswordCommon),
        ("sunshine princess", Refusal::PasswordCommon),
        ("my fundwatch 1", Refusal::PasswordCommon),
        ("社会保险社会保险社会保险", Refusal::PasswordCommon),
        // Rows of keys, repetitions, sequences, dates.
        ("1qaz2wsx3edc4rfv", Refusal::PasswordCommon),
        ("qwertyuiop12", Refusal::PasswordCommon),
        ("aaaaaaaaaaaaaaaa", Refusal::PasswordCommon),
        ("123456789012", Refusal::PasswordCommon),
        ("abcdefghijkl", Refusal::PasswordCommon),
        ("1988-08-08 1988", Refusal::PasswordCommon),
    ] {
        let refused = people::check_password(weak, "chenwei", "陈晓明");
        assert_eq!(refused, Err(why), "{weak}");
    }
    for good in [
        "桂花 开在 九月 的 屯溪",
        "correct horse battery",
        "0f3a9b1c2d4e5f60718293a4b5c6d7e8",
    ] {
        assert_eq!(people::check_password(good, "chen", "陈"), Ok(()), "{good}");
    }
    // However long it is.
    let long = "aB3$".repeat(64);
    assert!(people::check_password(&long, "chen", "陈").is_err());
}

/// The queue at 100,000 cases. Not a benchmark: far above what it takes (docs/benchmarks.md), and far below what would be
/// felt.
#[test]
fn the_queue_is_fast_at_100_000_cases() {
    let (_folder, casebook) = casebook();
    seeded(&casebook);
    casebook
        .write_blocking(|transaction| {
            transaction.execute_batch(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
                 INSERT INTO cases (alert, detector, subject, subject_key, region, period, standing, severity, weight_fen,
                     revision, news, first_told, last_told, due, state, assignee, overdue, rank)
                 SELECT printf('%032x', n), CASE n % 3 WHEN 0 THEN 'arrears' WHEN 1 THEN 'undeclared' ELSE 'missed-payout' END,
                     printf('91341002%09dX', n), printf('%064x', n), CASE n % 2 WHEN 0 THEN '341002' ELSE '341021' END,
                     '2024-02', 'open', n % 4, n * 7919 % 10000000, 1, 'raised', n, n, '2024-05-06',
                     CASE n % 10 WHEN 0 THEN 'closed' WHEN 1 THEN 'working' ELSE 'pending' END,
                     CASE n % 10 WHEN 1 THEN 1 END, n % 5 = 0, (n % 5 = 0) * 8 + 4 + n % 4
                 FROM n",
            )?;
            transaction.execute_batch("ANALYZE")?;
            Ok(())
        })
        .unwrap();
    let she = Regions::parse("341021");
    let filters = [
        Filter::default(),
        Filter {
            tab: Tab::Mine,
            ..Filter::default()
        },
        Filter {
            severity: Some(domain::Severity::Red),
            page: 100,
            ..Filter::default()
        },
        Filter {
            sort: Sort::News,
            ..Filter::default()
        },
        Filter {
            detector: Some(domain::Detector::Arrears),
            sort: Sort::Amount,
            ..Filter::default()
        },
    ];
    for regions in [Regions::All, she] {
        let asker = Asker { n: 1, regions };
        for filter in &filters {
            let look = || {
                casebook
                    .read_blocking(|connection| {
                        let counts = queue::counts(connection, &asker)?;
                        Ok((counts, queue::page(connection, &asker, filter)?))
                    })
                    .unwrap()
            };
            look();
            let started = Instant::now();
            let (counts, page) = look();
            let took = started.elapsed();
            assert!(took.as_millis() < 500, "{filter:?}: {took:?}");
            println!("{took:?} {filter:?}");
            assert!(counts.all > 40_000 && page.total > 0 && page.cases.len() == 50);
            assert!(
                filter.sort != Sort::Urgency
                    || page.cases.is_sorted_by_key(|case| {
                        std::cmp::Reverse((case.rank(), case.weight_fen))
                    })
            );
        }
    }
}

/// What the tallies are to be, by walking every case.
const COUNTED: &str = "SELECT region, detector, severity, standing, state, assignee, awaits, overdue, active, count(*),
         sum(weight_fen / 1000000000), sum(weight_fen % 1000000000)
     FROM cases GROUP BY region, detector, severity, standing, state, assignee, awaits, overdue";
const TALLIED: &str = "SELECT region, detector, severity, standing, state, assignee, awaits, overdue, active, cases, weight_e9, weight_fen
     FROM tallies";

fn table(connection: &Connection, sql: &str) -> Vec<Vec<rusqlite::types::Value>> {
    let mut select = connection.prepare(sql).unwrap();
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|n| row.get(n)).collect());
    let mut rows: Vec<Vec<_>> = rows.unwrap().collect::<Result<_, _>>().unwrap();
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}

/// The page as it is found by walking every case: which, how many, and what they weigh.
fn walked(connection: &Connection, condition: &str, order: &str) -> (Vec<i64>, u64, i128) {
    let mut select = connection
        .prepare(&format!(
            "SELECT n, weight_fen FROM cases c WHERE {condition} ORDER BY {order}"
        ))
        .unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)));
    let rows: Vec<(i64, i64)> = rows.unwrap().collect::<Result<_, _>>().unwrap();
    let weight = rows.iter().map(|(_, fen)| i128::from(*fen)).sum();
    let page = rows.iter().take(50).map(|(n, _)| *n).collect();
    (page, rows.len() as u64, weight)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    /// However cases come and change, the tallies and the pages are those of a walk over all of them.
    #[test]
    fn tallies_are_what_a_walk_counts(
        changes in proptest::collection::vec((0..80_u8, 0..12_u8, 0..i64::MAX), 1..200)
    ) {
        let (_folder, casebook) = casebook();
        seeded(&casebook);
        // What may be closed is not what is looked at here.
        refused(&casebook, "DELETE FROM cases");
        casebook.write_blocking(move |transaction| {
            transaction.execute_batch("DROP TRIGGER closing_needs_a_decision")?;
            for (case, what, n) in changes {
                transaction.execute(
                    "INSERT OR IGNORE INTO cases (alert, detector, subject, subject_key, region, standing, severity, weight_fen,
                         revision, news, first_told, last_told, state, rank)
                     VALUES (printf('%032x', ?1), 'arrears', printf('91341002Ma%02d', ?1), 'K', '341002', 'open', 2, ?2, 1, 'raised', ?1, ?1,
                         'pending', 6)",
                    rusqlite::params![case, n],
                )?;
                let set = [
                    "region = '341021'", "severity = ?2 % 4", "standing = 'cleared'", "state = 'closed'", "state = 'working'",
                    "assignee = 1 + ?2 % 2", "assignee = NULL", "state = 'review', proposer = 1 + ?2 % 2", "overdue = ?2 % 2",
                    "weight_fen = ?2", "due = date(?2 % 20000, 'unixepoch')", "last_told = ?2 % 7",
                ][usize::from(what)];
                transaction.execute(
                    &format!("UPDATE cases SET {set} WHERE alert = printf('%032x', ?1) AND ?2 = ?2"),
                    rusqlite::params![case, n],
                )?;
            }
            Ok(())
        }).unwrap();
        casebook.read_blocking(|connection| {
            assert_eq!(table(connection, TALLIED), table(connection, COUNTED));
            let asker = Asker { n: 1, regions: Regions::parse("341002,341021") };
            let orders = [
                (Sort::Urgency, "rank DESC, weight_fen DESC, n"), (Sort::Amount, "weight_fen DESC, n"),
                (Sort::News, "last_told DESC, n DESC"), (Sort::Due, "due IS NULL, due, rank DESC, n"),
            ];
            let tabs = [
                (Tab::All, "state <> 'closed'"), (Tab::Mine, "state <> 'closed' AND assignee = 1"),
                (Tab::Unassigned, "state <> 'closed' AND assignee IS NULL"), (Tab::Closed, "state = 'closed'"),
                (Tab::Approval, "state = 'review' AND proposer <> 1"), (Tab::Overdue, "state <> 'closed' AND overdue = 1"),
            ];
            let searches = [(None, "1"), (Some("91341002mA0"), "subject LIKE '91341002MA0%'"), (Some("0000000000000000000000000000000A"), "alert LIKE '%0a'")];
            let counts = queue::counts(connection, &asker).unwrap();
            for (tab, condition) in tabs {
                let (.., total, _) = walked(connection, condition, "n");
                assert_eq!(counts.of(tab).unwrap_or(total), total);
                for (sort, order) in orders {
                    for (search, found) in &searches {
                        let filter = Filter {
                            tab,
                            sort,
                            search: search.map(|text| queue::Search::Beginning(text.to_owned())),
                            ..Filter::default()
                        };
                        let expected = walked(connection, &format!("{condition} AND {found}"), order);
                        let page = queue::page(connection, &asker, &filter).unwrap();
                        let rows = page.cases.iter().map(|case| case.n).collect();
                        assert_eq!((rows, page.total, page.weight_fen), expected);
                    }
                }
            }
            Ok(())
        }).unwrap();
    }
}

#[test]
fn a_token_of_the_api_is_revoked_and_never_changed() {
    let (_folder, casebook) = casebook();
    seeded(&casebook);
    let insert = |until: &str| {
        format!(
            "INSERT INTO api_tokens (hash, person, name, scope, since, until) VALUES ('H', 1, 'n', 'read', 0, {until})"
        )
    };
    // A millisecond more than 365 days.
    let refusal = casebook.write_blocking({
        let sql = insert("31536000001");
        move |transaction| Ok(transaction.execute_batch(&sql)?)
    });
    assert!(refusal.unwrap_err().to_string().contains("CHECK"));
    casebook
        .write_blocking({
            let sql = insert("31536000000");
            move |transaction| Ok(transaction.execute_batch(&sql)?)
        })
        .unwrap();
    for sql in [
        "UPDATE api_tokens SET until = 1",
        "UPDATE api_tokens SET scope = 'work'",
        "UPDATE api_tokens SET person = 2",
        "UPDATE api_tokens SET hash = 'J'",
    ] {
        assert!(refused(&casebook, sql).contains("never changed"), "{sql}");
    }
    casebook
        .write_blocking(|transaction| {
            Ok(transaction.execute_batch("UPDATE api_tokens SET used = 5, revoked = 6")?)
        })
        .unwrap();
    assert!(refused(&casebook, "UPDATE api_tokens SET revoked = NULL").contains("never changed"));
    assert!(refused(&casebook, "DELETE FROM api_tokens").contains("never deleted"));
}
