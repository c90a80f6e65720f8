//! How a command ends when it cannot do what was asked.

use std::fmt::Display;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use crate::log;

/// The exit code of a process that ends because another one of its cluster did.
pub const DESERTED: u8 = 3;

/// Why a command failed, by exit code.
#[derive(Debug)]
pub enum Failure {
    /// 1: a file, a disk, a broker.
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
                ExitCode::from(1)
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

/// Threads in which a panic ends one task, and nobody waits for that task: pages and senders, which are watched, and what
/// is asked of the casebook.
const TASKS: [&str; 2] = ["services", "casebook"];

/// From now on a panic of any other thread ends the process with exit code 1, once it is said: the workers would wait for
/// the one that is gone for ever, and so would whoever waits for a thread that writes.
pub fn end_with_panics(say: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        let thread = std::thread::current();
        if thread.name().is_none_or(|name| !TASKS.contains(&name)) {
            end(1);
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
