//! Cargo called from a program that cargo runs itself.

use std::process::Command;

/// What cargo tells of the package whose program it runs. A build script that looks at these of its own package, as that
/// of `ring` does, would be run again, and everything that rests on it built again, each time another program asks.
const OF_THE_PACKAGE: [&str; 6] = [
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
];

/// The cargo that runs this program, as if somebody had typed it.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let is_of_the_package = name
            .to_str()
            .is_some_and(|name| OF_THE_PACKAGE.iter().any(|part| name.starts_with(part)));
        if is_of_the_package {
            command.env_remove(name);
        }
    }
    command
}
