//! How a command ends when it cannot do what was asked.

use std::fmt::Display;
use std::process::ExitCode;

/// Why a command failed, by exit code.
#[derive(Debug)]
pub enum Failure {
    /// 1: a file, a disk, a broker.
    Undone(anyhow::Error),
    /// 2: policy, configuration or usage; the text has a line for each fault.
    Usage(String),
}

impl Failure {
    /// An error of policy, configuration or usage.
    pub fn usage(what: impl Display) -> Failure {
        Failure::Usage(what.to_string())
    }

    /// Says what is wrong on standard error, and gives the exit code.
    #[expect(
        clippy::print_stderr,
        reason = "the place where a command says why it failed"
    )]
    pub fn tell(self) -> ExitCode {
        match self {
            Failure::Undone(error) => {
                eprintln!("fundwatch: {error:#}");
                ExitCode::from(1)
            }
            Failure::Usage(text) => {
                eprintln!("{text}");
                ExitCode::from(2)
            }
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Undone(error.into())
    }
}
