//! The program as it is shipped has no fail points: their names, and how they are armed, are not in it.

use std::fs;

use acceptance::binary;

#[test]
fn fail_points_are_compiled_out() {
    let program = fs::read(binary::fundwatch()).expect("the program can be read");
    let has = |text: &str| {
        program
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(
        has("the store cannot be written; trying again"),
        "texts can be found in it"
    );
    for text in [
        "FAILPOINTS",
        "FUNDWATCH_PLANTED_BUG",
        "FUNDWATCH_PATIENCE_MS",
        "store.committed",
        "mail.accepted",
    ] {
        assert!(!has(text), "`{text}` is in the program");
    }
}
