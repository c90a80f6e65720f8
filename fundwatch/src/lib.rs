//! The program `fundwatch`: the only place where all crates meet.
//!
//! Commands, configuration, wiring and shutdown; no law, no detection, no storage of its own. A library for the sake of those
//! who build it in another way: the program itself (`main.rs`), the one that the harness drives, and the fuzz targets.

mod check;
mod cli;
mod clock;
mod cluster;
pub mod config;
mod demo;
mod desk;
mod disk;
mod explain;
mod failure;
mod live;
mod log;
mod output;
mod progress;
mod reload;
mod replay;
mod report;
mod run;
mod silence;
mod simulate;
mod stored;
mod subjects;
mod topics;

use std::process::ExitCode;

use clap::Parser;

/// Does what the command line says.
pub fn main() -> ExitCode {
    // What the first thread has begun, it takes away itself.
    failure::end_with_panics(failure::PANICKED, &["main"], std::panic::take_hook());
    let cli = cli::Cli::parse();
    let done = match cli.command {
        cli::Command::Demo(arguments) => demo::run(&arguments),
        cli::Command::Replay(arguments) => replay::run(&arguments),
        cli::Command::Report(report) => report::run(&report),
        cli::Command::Check(arguments) => check::run(&arguments),
        cli::Command::Run(arguments) => run::run(&arguments),
        cli::Command::Simulate(arguments) => simulate::run(&arguments),
        cli::Command::Topics(cli::Topics::Create(arguments)) => topics::create(&arguments),
        cli::Command::State(cli::State::Inspect(arguments)) => disk::inspect(&arguments),
        cli::Command::State(cli::State::Verify(arguments)) => disk::verify(&arguments),
        cli::Command::Explain(arguments) => explain::run(&arguments),
        cli::Command::Silence(command) => silence::run(&command),
        cli::Command::Refused(arguments) => stored::refused(&arguments),
        cli::Command::Console(cli::Console::Token(arguments)) => desk::token(&arguments),
        cli::Command::Audit(cli::Audit::Verify(arguments)) => desk::verify(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
