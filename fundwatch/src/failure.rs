//! How a command ends when it cannot do what was asked.

use std::fmt::Display;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use crate::log;

/// The exit code of the daemon when it cannot go on; of any command that cannot do what was asked.
pub const FAILED: u8 = 1;
/// The exit code of any other command that has a fault itself, as Rust has it.
pub const PANICKED: u8 = 101;
/// The exit code of a process that ends because another one of its cluster did.
pub const DESERTED: u8 = 3;

/// Why a command failed, by exit code.
#[derive(Debug)]
pub enum Failure {
    /// 1: a file, a disk, a broker; of the daemon a panic, too.
    Undone(anyhow::Error),
    /// 2: policy, configuration or usage; the text has a line for each fault.
    Usage(String),
    /// 3: another process of the cluster ended, hung or was asked to stop, and took this one with it.
    Deserted(String),
    /// 0: whoever read the answer has read enough, and closed the pipe.
    Unheard,
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
                ExitCode::from(FAILED)
            }
            Failure::Deserted(what) => {
                eprintln!("fundwatch: {what}");
                ExitCode::from(DESERTED)
            }
            Failure::Unheard => ExitCode::SUCCESS,
            Failure::Usage(text) => {
                eprintln!("{text}");
                ExitCode::from(2)
            }
        }
    }
}

/// Threads in which a panic ends one task, and nobody waits for that task: pages and senders, which are watched, what is
/// asked of the casebook, and a stranger at the cluster's port.
const TASKS: [&str; 3] = ["services", "casebook", "handshake"];

/// From now on a panic of any other thread ends the process with the exit code, once it is said, but for threads that are
/// `spared`: the workers would wait for the one that is gone for ever, and so would whoever waits for a thread that writes.
pub fn end_with_panics(
    code: u8,
    spared: &'static [&'static str],
    say: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static,
) {
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        let thread = std::thread::current();
        let is_spared = |name| TASKS.contains(&name) || spared.contains(&name);
        if !thread.name().is_some_and(is_spared) {
            end(code);
        }
    }));
}

/// Ends the process at once, with whatever the log still has to say.
pub fn end(code: u8) -> ! {
    log::finish();
    std::process::exit(i32::from(code))
}

/// A line of a command's answer, on standard output.
///
/// # Errors
/// It cannot be written; a pipe that is closed ends the command quietly.
pub fn say(line: impl Display) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::Unheard),
        Err(error) => Err(anyhow::Error::from(error)
            .context("cannot write the answer")
            .into()),
        Ok(()) => Ok(()),
    }
}

/// Something that whoever asked should know of the answer, on standard error.
#[expect(
    clippy::print_stderr,
    reason = "the place where a command says what else there is"
)]
pub fn warn(line: impl Display) {
    eprintln!("fundwatch: warning: {line}");
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Undone(error.into())
    }
}
