//! What the documents promise about the repository: links lead somewhere, and the README has its two commands.

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "ops/secrets/README.md",
];

#[test]
fn every_link_into_the_repository_leads_somewhere() {
    let mut broken = Vec::new();
    for document in DOCUMENTS {
        let path = root().join(document);
        let text = fs::read_to_string(&path).expect(document);
        let folder = path.parent().expect("a file is in a folder");
        for link in links(&text) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                broken.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// `.ci/run` runs these two lines in a fresh clone.
#[test]
fn the_readme_marks_its_two_commands() {
    let text = fs::read_to_string(root().join("README.md")).expect("README.md");
    let commands: Vec<&str> = text
        .split("<!-- command -->\n```sh\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect();
    assert_eq!(commands, ["cargo run -- demo", "cargo test --workspace"]);
}

#[test]
fn every_crate_is_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Value = toml::from_str(&manifest).expect("Cargo.toml is TOML");
    let members = manifest["workspace"]["members"]
        .as_array()
        .expect("members");
    for member in members {
        let row = format!("| `{}/` |", member.as_str().expect("a folder"));
        assert!(map.contains(&row), "no row {row}");
    }
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
