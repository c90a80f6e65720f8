//! What the program is built of: the same parts as its tests, so that `cargo test --workspace` builds none of them twice.

use std::collections::BTreeSet;

/// Packages with the features that they are built with.
fn parts(arguments: &[&str]) -> BTreeSet<String> {
    let output = acceptance::cargo::command()
        .args([
            "tree",
            "--locked",
            "--prefix",
            "none",
            "--format",
            "{p} [{f}]",
        ])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).expect("names of packages");
    lines
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

#[test]
fn the_program_is_built_of_the_parts_of_its_tests() {
    let of_tests = parts(&["--workspace"]);
    let of_program = parts(&["--package", "fundwatch", "--edges", "no-dev"]);
    let others: Vec<&String> = of_program.difference(&of_tests).collect();
    assert!(
        others.is_empty(),
        "with other features than in the tests (name them in fundwatch/Cargo.toml): {others:?}"
    );
}
