//! Real servers that the tests talk to: what is common to all of them.
//!
//! A peer is fetched with the ordinary client of its registry into a cache below the build folder, started on free
//! ports of the loopback address, and ends with the test that started it, however that ends.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// Why a peer could not be started.
#[derive(Debug)]
pub enum StartError {
    /// What it is made of cannot be had on this machine: a test may be left out, loudly.
    Unavailable(String),
    /// It is there and does not start: a test fails.
    Failed(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "not available: {reason}"),
            Self::Failed(reason) => write!(f, "does not start: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The peer, or `None` where it is not to be had and the environment variable `required_by` is not `1`.
///
/// Leaving a test out is said on the terminal itself, past the test runner, which keeps what a passing test prints.
///
/// # Panics
/// If the peer does not start, or is required and not available.
pub fn started_or_skipped<P>(
    what: &str,
    started: Result<P, StartError>,
    required_by: &str,
) -> Option<P> {
    match started {
        Ok(peer) => Some(peer),
        Err(StartError::Unavailable(reason)) if !is_required(required_by) => {
            let line = format!(
                "\nSKIPPED: a test against {what}: {reason} (set {required_by}=1 to make this a failure)\n"
            );
            // A terminal that is gone is no reason to fail.
            let _ = io::stderr().write_all(line.as_bytes());
            None
        }
        Err(error) => panic!("{what} {error}"),
    }
}

fn is_required(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value == "1")
}

/// A port of the loopback address that nobody uses now, and that the system gives to nobody who asks for any port: a
/// client's connection cannot take it before the peer listens on it.
///
/// Test programs that run at the same time begin at different places of the range.
///
/// # Errors
/// If the system's own range cannot be read, or no port below it is free.
pub fn free_port() -> io::Result<u16> {
    const FIRST: u32 = 10_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);

    let count = first_ephemeral_port()?.saturating_sub(FIRST).max(1);
    // A prime step spreads programs that are started one after another.
    let start = std::process::id().wrapping_mul(101);
    for _ in 0..count {
        let place = start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + place % count).map_err(io::Error::other)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other(
        "no port below the system's own range is free",
    ))
}

/// Where the ports begin that the system gives to outgoing connections.
fn first_ephemeral_port() -> io::Result<u32> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let first = range.split_whitespace().next().unwrap_or_default();
    first.parse().map_err(io::Error::other)
}

/// The folder below the build folder in which `name` is kept from one run to the next; `variable` may name another.
pub fn cache_folder(name: &str, variable: &str) -> io::Result<PathBuf> {
    let folder = match std::env::var_os(variable) {
        Some(folder) => PathBuf::from(folder),
        None => build_folder()?.join(name),
    };
    fs::create_dir_all(&folder)?;
    folder.canonicalize()
}

/// Cargo marks the build folder that this program lies in with a file.
fn build_folder() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let marked = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    Ok(marked.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        Path::to_path_buf,
    ))
}

/// Makes `folder` by `fill`, once for all test programs that may want it at the same time, and whole or not at all.
pub fn fill_once(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), StartError>,
) -> Result<(), StartError> {
    if folder.exists() {
        return Ok(());
    }
    let lock = File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    if folder.exists() {
        return Ok(());
    }
    let half = folder.with_extension("half");
    if half.exists() {
        fs::remove_dir_all(&half)?;
    }
    fs::create_dir_all(&half)?;
    fill(&half)?;
    Ok(fs::rename(&half, folder)?)
}

/// Runs a command to its end; its words are in the error if it fails, and a program that is missing is `Unavailable`.
pub fn run(command: &mut Command) -> Result<String, StartError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StartError::Unavailable(format!(
                "`{program}` is not installed"
            )));
        }
        Err(error) => return Err(StartError::Failed(format!("`{program}`: {error}"))),
    };
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    if output.status.success() {
        Ok(words)
    } else {
        Err(StartError::Failed(format!(
            "`{program}` ended with {}: {words}",
            output.status
        )))
    }
}

/// A failure to fetch something says nothing against the project: the peer is not available.
pub fn fetch(command: &mut Command) -> Result<(), StartError> {
    match run(command) {
        Ok(_) => Ok(()),
        Err(StartError::Failed(reason)) => Err(StartError::Unavailable(reason)),
        Err(unavailable) => Err(unavailable),
    }
}

/// Starts its arguments, says their process id, and ends them when its own standard input is closed: by the owner
/// of the pipe, or by the system when that owner is gone. What the server says goes to the error channel.
const KEEPER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- >&2 &
server=$!
echo $server
exec >/dev/null
{ cat <&3; kill -KILL $server; } 2>/dev/null &
watch=$!
wait $server
code=$?
kill $watch 2>/dev/null
exit $code
"#;

/// A process that was killed is gone within this, whatever memory it had.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A server's process, which does not outlive the program that started it.
#[derive(Debug)]
pub struct Process {
    /// The shell that watches over the server, leader of a process group.
    keeper: Child,
    /// While this is open the server may live.
    _lifeline: ChildStdin,
    /// The server itself.
    server: Pid,
    /// What it said.
    log: PathBuf,
}

impl Process {
    /// Starts `command`, of which program, arguments and environment count; what it says goes to the end of the
    /// file `log`.
    pub fn start(command: &Command, log: &Path) -> Result<Self, StartError> {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(log)?)
            .spawn()?;
        let lifeline = keeper.stdin.take().ok_or_else(no_pipe)?;
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().ok_or_else(no_pipe)?).read_line(&mut line)?;
        let server = line.trim().parse().ok().and_then(Pid::from_raw);
        let server = server.ok_or_else(|| StartError::Failed("no process id".to_owned()))?;
        Ok(Self {
            keeper,
            _lifeline: lifeline,
            server,
            log: log.to_owned(),
        })
    }

    /// Waits until `ready` says so.
    pub fn wait_until(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), StartError> {
        let deadline = Instant::now() + limit;
        while !ready() {
            if let Some(status) = self.keeper.try_wait()? {
                return Err(self.failure(&format!("ended with {status}")));
            }
            if deadline < Instant::now() {
                return Err(self.failure(&format!("not ready after {} s", limit.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Tells the server that its configuration has changed (SIGHUP).
    pub fn hang_up(&self) {
        // A server that is gone is found out by whoever waits for it.
        let _ = rustix::process::kill_process(self.server, Signal::HUP);
    }

    /// Asks the server to end, and waits for nothing.
    pub fn ask_to_stop(&self) {
        let _ = rustix::process::kill_process(self.server, Signal::TERM);
    }

    /// Stops the server as if it hung (SIGSTOP).
    pub fn pause(&self) {
        let _ = rustix::process::kill_process(self.server, Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn go_on(&self) {
        let _ = rustix::process::kill_process(self.server, Signal::CONT);
    }

    /// Memory that the server holds.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        let pid = self.server.as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.parse::<u64>().ok());
        kib.map(|kib| kib * 1_024)
            .ok_or_else(|| io::Error::other("the system does not say how much memory it holds"))
    }

    /// How it ended, if it has: as a shell says it, 128 more than the signal that ended it.
    pub fn ended(&mut self) -> Option<i32> {
        match self.keeper.try_wait() {
            Ok(Some(status)) => Some(status.code().unwrap_or(-1)),
            Ok(None) | Err(_) => None,
        }
    }

    /// Asks the server to end, and says its exit code; ends it if it has not after `limit`, and says `None`.
    pub fn stop(&mut self, limit: Duration) -> Option<i32> {
        // A server that is gone already is what we want.
        let _ = rustix::process::kill_process(self.server, Signal::TERM);
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            match self.keeper.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(status)) => return status.code(),
                Err(_) => break,
            }
        }
        self.kill();
        None
    }

    /// Ends the server at once, as a loss of power would. When this returns it is gone: its keeper waits for it, so
    /// that no lock of it is found by the next one.
    pub fn kill(&mut self) {
        if let (Ok(None), Ok(group)) = (self.keeper.try_wait(), i32::try_from(self.keeper.id())) {
            let _ = rustix::process::kill_process(self.server, Signal::KILL);
            let deadline = Instant::now() + ENDS_WITHIN;
            while Instant::now() < deadline {
                match self.keeper.try_wait() {
                    Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                    Ok(Some(_)) | Err(_) => return,
                }
            }
            if let Some(group) = Pid::from_raw(group) {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            let _ = self.keeper.wait();
        }
    }

    fn failure(&self, what: &str) -> StartError {
        let said = fs::read(&self.log).unwrap_or_default();
        let tail = said.len().saturating_sub(4_000);
        StartError::Failed(format!(
            "{what}; it said last:\n{}",
            String::from_utf8_lossy(&said[tail..])
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn no_pipe() -> StartError {
    StartError::Failed("no pipe to the process".to_owned())
}
