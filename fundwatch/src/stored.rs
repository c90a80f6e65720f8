//! What an operator asks of the store of a daemon that may be running.

use std::path::Path;

use alerting::Reader;
use anyhow::Context;
use comfy_table::{Table, presets};

use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, say};

/// The store that a configuration names, if it is there.
pub fn existing(config: &Config) -> Result<&Path, Failure> {
    if config.store.is_file() {
        return Ok(&config.store);
    }
    Err(Failure::usage(format!(
        "store: `{}` is not there; the daemon makes it when it first runs",
        config.store.display()
    )))
}

/// `fundwatch refused`: what the receiving side refused for good.
pub fn refused(arguments: &cli::Stored) -> Result<(), Failure> {
    let (config, _) = Config::load(&arguments.config).map_err(Failure::usage)?;
    let reader = Reader::open(existing(&config)?).context("cannot open the store")?;
    let all = reader.refused().context("cannot read the store")?;
    if all.is_empty() {
        return say("nothing was refused for good");
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["When", "To", "What", "Id", "Why"]);
    for refused in &all {
        table.add_row([
            refused.at.to_string(),
            refused.to.clone(),
            refused.kind.clone(),
            refused.id.clone(),
            refused.reason.clone(),
        ]);
    }
    say(table)?;
    say(
        "whoever is named here was not told: correct the address or the webhook, and tell them by other means",
    )
}
