//! What an operator does to the console's casebook from the command line.

use std::path::Path;
use std::process::{Command, Output};

use acceptance::binary;

fn run(arguments: &[&str], config: &Path) -> Output {
    Command::new(binary::fundwatch())
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .expect("the program starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// S6: there is no administrator but by a token; S33: a trail that was changed is found.
#[test]
fn the_first_administrator_and_the_audit_trail() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("fundwatch.toml");
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/01-under-declared/policy.toml");
    let least = format!(
        "policy = {policy:?}\nstore = \"fundwatch.sqlite\"\n[kafka]\nbootstrap = \"localhost:1\"\n"
    );
    std::fs::write(&config, &least).expect("the configuration is written");
    let add = ["console", "token", "--login", "chen", "--name", "陈"];
    let without = run(&add, &config);
    assert_eq!(without.status.code(), Some(2), "{}", said(&without));
    assert!(said(&without).contains("[console]"));
    let missing = run(&["audit", "verify"], &config);
    assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));

    std::fs::write(&config, least + "[console]\n").expect("the configuration is written");
    let made = run(&add, &config);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let text = said(&made);
    let token = text.lines().next().expect("a line");
    assert!(
        token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()),
        "{text}"
    );
    assert!(text.contains("http://127.0.0.1:9465/enrol"), "{text}");
    // A second one, and the first is good no more.
    assert_eq!(run(&add, &config).status.code(), Some(0));
    let bad = run(&["console", "token", "--login", "C H"], &config);
    assert_eq!(bad.status.code(), Some(2), "{}", said(&bad));

    let whole = run(&["audit", "verify"], &config);
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    assert!(said(&whole).contains("3 rows"), "{}", said(&whole));
    let casebook = folder.path().join("console.sqlite");
    let bytes = std::fs::read(&casebook).expect("the casebook is there");
    assert!(!bytes.windows(32).any(|window| window == token.as_bytes()));
    #[cfg(unix)]
    {
        // S41: its owner's alone.
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&casebook)
            .expect("the casebook is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0);
    }
    let tamper = rusqlite::Connection::open(&casebook).expect("it is SQLite");
    tamper
        .execute_batch("DROP TRIGGER audit_stays; UPDATE audit SET login = 'nobody' WHERE n = 2")
        .expect("whoever has the file can change it");
    drop(tamper);
    let broken = run(&["audit", "verify"], &config);
    assert_eq!(broken.status.code(), Some(1), "{}", said(&broken));
    assert!(said(&broken).contains("row 2"), "{}", said(&broken));
}
