//! The program `fundwatch`: the only place where all crates meet.
//!
//! Commands, configuration, wiring and shutdown; no law, no detection, no storage of its own.

mod check;
mod cli;
mod clock;
mod config;
mod demo;
mod failure;
mod live;
mod output;
mod progress;
mod replay;
mod run;
mod simulate;
mod topics;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let done = match cli.command {
        cli::Command::Demo(arguments) => demo::run(&arguments),
        cli::Command::Replay(arguments) => replay::run(&arguments),
        cli::Command::Check(arguments) => check::run(&arguments),
        cli::Command::Run(arguments) => run::run(&arguments),
        cli::Command::Simulate(arguments) => simulate::run(&arguments),
        cli::Command::Topics(cli::Topics::Create(arguments)) => topics::create(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
