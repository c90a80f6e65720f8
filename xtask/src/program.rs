//! The program as it is shipped: built, and where the build leaves it.

use std::path::{Path, PathBuf};

use acceptance::cargo;
use anyhow::{Context, Result, ensure};

/// The project's folder.
pub fn root() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?)
}

/// Where builds go.
pub fn target_folder(root: &Path) -> Result<PathBuf> {
    let output = cargo::command()
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let folder = metadata["target_directory"]
        .as_str()
        .context("cargo names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// `given`, or else the release build, made now.
pub fn release(root: &Path, given: Option<&Path>) -> Result<PathBuf> {
    if let Some(program) = given {
        return Ok(program.canonicalize()?);
    }
    build(root, &["--release"])?;
    Ok(target_folder(root)?.join("release/fundwatch"))
}

/// Builds it.
pub fn build(root: &Path, arguments: &[&str]) -> Result<()> {
    let status = cargo::command()
        .args(["build", "--locked", "--package", "fundwatch"])
        .args(arguments)
        .current_dir(root)
        .status()?;
    ensure!(
        status.success(),
        "`cargo build --package fundwatch {}` failed",
        arguments.join(" ")
    );
    Ok(())
}
