//! Who may come in: a handshake before anything else is said on a connection.
//!
//! | from | bytes |
//! |---|---|
//! | who comes | `FWMESH1\n`, 16 random bytes |
//! | the door | `FWMESH1\n`, 16 random bytes, HMAC-SHA256 of both under the cluster's secret |
//! | who comes | its [`Hello`], and the HMAC of the random bytes and the hello |
//! | the door | its [`Answer`] |
//!
//! timely's own start takes any eight bytes for the number of a process, and panics if there is none such; it is given
//! connections that have come through here. A stranger holds up nobody: each connection has a thread and seconds, and
//! there are only so many.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use rustix::net::sockopt;
use serde::{Deserialize, Serialize};

use super::config::{Credentials, Trait};
use super::wire::{receive_up_to, send};

const MAGIC: &[u8; 8] = b"FWMESH1\n";
const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 32;
/// A hello is shorter.
const HELLO_BYTES_MAX: usize = 64 << 10;
/// Each step of the handshake.
const STEP_WITHIN: Duration = Duration::from_secs(5);
/// Connections that are at the door at the same time.
const AT_THE_DOOR_MAX: usize = 64;
/// The other end of a connection that stays is lost if it cannot be reached for so long, or does not read what it is sent.
/// The kernel sees to that between any two processes; of one that hangs and is sent nothing it knows nothing, and the
/// leader's links do.
const UNREACHABLE_MAX: Duration = Duration::from_secs(15);
/// The same before all work: who puts its state together on a slow disk does not read meanwhile.
const UNREACHABLE_AT_START_MAX: Duration = Duration::from_secs(300);
/// An idle connection is tried so often.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Between looks whether somebody came.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What whoever comes says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Which process.
    pub process: usize,
    /// What for.
    pub errand: Errand,
    /// What must be the same everywhere.
    pub traits: Vec<Trait>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// To the leader: to hear of the run, hand over what was found, and show that it lives.
    Link,
    /// timely's, of the run of this number.
    Mesh(u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct Proof {
    hello: Vec<u8>,
    tag: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Welcome,
    /// The door's process is not so far yet.
    Later,
    Refused(String),
}

/// Why one did not come in.
#[derive(Debug, thiserror::Error)]
pub enum Turned {
    /// Nobody is there, or it does not answer: later perhaps.
    #[error("{0}")]
    Away(#[from] io::Error),
    /// It is there, and says: later.
    #[error("it is not so far yet")]
    Later,
    /// It says no.
    #[error("{0}")]
    Refused(String),
}

/// Comes to the door of another process.
pub fn knock(
    address: SocketAddr,
    credentials: &Credentials,
    errand: Errand,
) -> Result<TcpStream, Turned> {
    let mut stream = TcpStream::connect_timeout(&address, STEP_WITHIN)?;
    limit(&stream, Some(STEP_WITHIN))?;
    let ours = nonce()?;
    stream.write_all(&[&MAGIC[..], &ours].concat())?;
    let theirs = read_nonce(&mut stream)?;
    let mut tag = [0; TAG_BYTES];
    stream.read_exact(&mut tag)?;
    let nonces = [ours, theirs].concat();
    if hmac::verify(&credentials.key, &said("door", &nonces, &[]), &tag).is_err() {
        return Err(Turned::Refused(format!(
            "{address} has another secret (cluster.secret_file), or is no process of this cluster"
        )));
    }
    let hello = Hello {
        process: credentials.process,
        errand,
        traits: credentials.traits.clone(),
    };
    let hello = postcard::to_allocvec(&hello).map_err(io::Error::other)?;
    let tag = hmac::sign(&credentials.key, &said("comer", &nonces, &hello));
    let tag = tag.as_ref().to_vec();
    send(&mut stream, &Proof { hello, tag })?;
    match receive_up_to(&mut stream, HELLO_BYTES_MAX)? {
        Answer::Welcome => {
            stay(&stream)?;
            Ok(stream)
        }
        Answer::Later => Err(Turned::Later),
        Answer::Refused(words) => Err(Turned::Refused(words)),
    }
}

/// One who was let in.
#[derive(Debug)]
pub struct Arrival {
    /// Which process.
    pub process: usize,
    /// What for.
    pub errand: Errand,
    /// The connection.
    pub stream: TcpStream,
}

/// Lets processes in; closed when it is dropped.
#[derive(Debug)]
pub struct Door {
    arrivals: Receiver<Arrival>,
    is_closed: Arc<AtomicBool>,
}

impl Door {
    /// Listens. `run` is the number of the run, once it is known; before it is 0.
    pub fn open(credentials: Arc<Credentials>, run: Arc<AtomicU64>) -> io::Result<Door> {
        let listener = TcpListener::bind(credentials.addresses[credentials.process])?;
        listener.set_nonblocking(true)?;
        let (sender, arrivals) = mpsc::sync_channel(AT_THE_DOOR_MAX);
        let is_closed = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&is_closed);
        std::thread::Builder::new()
            .name("door".to_owned())
            .spawn(move || keep(&listener, &credentials, &run, &sender, &closed))?;
        Ok(Door {
            arrivals,
            is_closed,
        })
    }

    /// Waits for the next one who is let in.
    pub fn next(&self, wait: Duration) -> Option<Arrival> {
        self.arrivals.recv_timeout(wait).ok()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
    }
}

fn keep(
    listener: &TcpListener,
    credentials: &Arc<Credentials>,
    run: &Arc<AtomicU64>,
    arrivals: &SyncSender<Arrival>,
    is_closed: &AtomicBool,
) {
    let at_the_door = Arc::new(AtomicUsize::new(0));
    while !is_closed.load(Ordering::Acquire) {
        let Ok((stream, from)) = listener.accept() else {
            // Nobody there; or one who has gone again, or no descriptor for one: all of it passes.
            std::thread::sleep(LOOK_AGAIN);
            continue;
        };
        if at_the_door.load(Ordering::Acquire) >= AT_THE_DOOR_MAX {
            continue;
        }
        at_the_door.fetch_add(1, Ordering::AcqRel);
        let (credentials, run) = (Arc::clone(credentials), Arc::clone(run));
        let arrivals = arrivals.clone();
        let place = PlaceAtTheDoor(Arc::clone(&at_the_door));
        // Without a thread for it, one that comes is turned away.
        let _ = std::thread::Builder::new()
            .name("handshake".to_owned())
            .spawn(move || {
                let _place = place;
                match meet(stream, &credentials, &run) {
                    Ok(Some(arrival)) => {
                        // The door may be closed meanwhile.
                        let _ = arrivals.try_send(arrival);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%from, %error, "a connection to the cluster's port was turned away");
                    }
                }
            });
    }
}

/// Of whoever is met at the door; free again when it is dropped.
struct PlaceAtTheDoor(Arc<AtomicUsize>);

impl Drop for PlaceAtTheDoor {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The door's side of the handshake; `None` if it is one of ours who has to come again, or was refused with words.
fn meet(
    mut stream: TcpStream,
    credentials: &Credentials,
    run: &AtomicU64,
) -> io::Result<Option<Arrival>> {
    stream.set_nonblocking(false)?;
    limit(&stream, Some(STEP_WITHIN))?;
    let theirs = read_nonce(&mut stream)?;
    let ours = nonce()?;
    let nonces = [theirs, ours].concat();
    let tag = hmac::sign(&credentials.key, &said("door", &nonces, &[]));
    stream.write_all(&[&MAGIC[..], &ours, tag.as_ref()].concat())?;
    let proof: Proof = receive_up_to(&mut stream, HELLO_BYTES_MAX)?;
    let said = said("comer", &nonces, &proof.hello);
    if hmac::verify(&credentials.key, &said, &proof.tag).is_err() {
        return Err(io::Error::other("it has another secret"));
    }
    let hello: Hello =
        postcard::from_bytes(&proof.hello).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
    let answer = judge(&hello, credentials, run.load(Ordering::Acquire));
    send(&mut stream, &answer)?;
    match answer {
        Answer::Welcome => {
            stay(&stream)?;
            Ok(Some(Arrival {
                process: hello.process,
                errand: hello.errand,
                stream,
            }))
        }
        Answer::Later => Ok(None),
        Answer::Refused(words) => {
            tracing::error!(process = hello.process, words, "a process is refused");
            Ok(None)
        }
    }
}

fn judge(hello: &Hello, credentials: &Credentials, run: u64) -> Answer {
    let (process, us) = (hello.process, credentials.process);
    if let Some(words) = credentials.difference(process, &hello.traits) {
        return Answer::Refused(words);
    }
    if process >= credentials.addresses.len() || process <= us {
        return Answer::Refused(format!(
            "process {us} was told to expect those after it, and not process {process}: two processes have one number"
        ));
    }
    match hello.errand {
        Errand::Link if us != 0 => Answer::Refused(format!("process {us} does not lead")),
        Errand::Link => Answer::Welcome,
        Errand::Mesh(theirs) if theirs == run => Answer::Welcome,
        Errand::Mesh(theirs) if theirs > run => Answer::Later,
        Errand::Mesh(theirs) => Answer::Refused(format!("run {theirs} is over, this is run {run}")),
    }
}

/// Time limits of a connection, on which small messages go at once.
fn limit(stream: &TcpStream, step: Option<Duration>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(step)?;
    stream.set_write_timeout(step)
}

/// A connection of which nothing is known but that it is to last.
fn stay(stream: &TcpStream) -> io::Result<()> {
    limit(stream, None)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE)?;
    give_up_after(stream, UNREACHABLE_AT_START_MAX)
}

/// Both ends of a connection work from now on: neither stops reading.
pub(super) fn works(stream: &TcpStream) -> io::Result<()> {
    give_up_after(stream, UNREACHABLE_MAX)
}

fn give_up_after(stream: &TcpStream, unreachable: Duration) -> io::Result<()> {
    let unreachable = u32::try_from(unreachable.as_millis()).map_err(io::Error::other)?;
    sockopt::set_tcp_user_timeout(stream, unreachable)?;
    Ok(())
}

fn nonce() -> io::Result<[u8; NONCE_BYTES]> {
    let mut nonce = [0; NONCE_BYTES];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| io::Error::other("the system has no random bytes"))?;
    Ok(nonce)
}

fn read_nonce(stream: &mut TcpStream) -> io::Result<[u8; NONCE_BYTES]> {
    let mut magic = [0; MAGIC.len()];
    stream.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(io::Error::other("it is no fundwatch of this version"));
    }
    let mut nonce = [0; NONCE_BYTES];
    stream.read_exact(&mut nonce)?;
    Ok(nonce)
}

/// What is signed: whose words, in which handshake, and the words.
fn said(who: &str, nonces: &[u8], words: &[u8]) -> Vec<u8> {
    [who.as_bytes(), &[0], nonces, words].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterConfig;

    /// Two processes; the first listens.
    fn pair(workers: [&str; 2]) -> [Arc<Credentials>; 2] {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let addresses = vec![free(), free()];
        [0, 1].map(|process| {
            let config = ClusterConfig {
                addresses: addresses.clone(),
                process,
                secret_file: None,
            };
            let traits = vec![("workers".to_owned(), workers[process].to_owned())];
            Arc::new(config.credentials(traits).unwrap())
        })
    }

    fn open(credentials: &Arc<Credentials>, run: u64) -> Door {
        Door::open(Arc::clone(credentials), Arc::new(AtomicU64::new(run))).unwrap()
    }

    #[test]
    fn one_of_ours_comes_in_whatever_strangers_do() {
        let [leader, follower] = pair(["2", "2"]);
        let door = open(&leader, 7);
        let address = leader.addresses[0];
        let connect = || TcpStream::connect(address).unwrap();
        // Nothing at all, while the connection stays open.
        let silent = connect();
        // Random bytes, those that timely would take for a process, and half a handshake.
        let mut garbage = connect();
        garbage.write_all(&[0x5a; 4_096]).unwrap();
        let mut number = connect();
        number.write_all(&77u64.to_be_bytes()).unwrap();
        let mut half = connect();
        half.write_all(&[&MAGIC[..], &[1; NONCE_BYTES]].concat())
            .unwrap();
        let mut answer = [0; 8 + NONCE_BYTES + TAG_BYTES];
        half.read_exact(&mut answer).unwrap();
        half.write_all(&[9, 0, 0, 0, 1]).unwrap();
        // One that has gone again.
        drop(connect());

        let stream = knock(address, &follower, Errand::Link).unwrap();
        let arrival = door.next(STEP_WITHIN).unwrap();
        assert_eq!((arrival.process, arrival.errand), (1, Errand::Link));
        drop((stream, silent, garbage, number, half));
        assert!(
            door.next(Duration::from_millis(1)).is_none(),
            "and nobody else"
        );
    }

    #[test]
    fn who_differs_is_refused_with_words() {
        let [leader, follower] = pair(["2", "4"]);
        let _door = open(&leader, 7);
        let address = leader.addresses[0];
        let turned = knock(address, &follower, Errand::Link).unwrap_err();
        let words = turned.to_string();
        assert!(
            matches!(turned, Turned::Refused(_)) && words.contains("workers is 4"),
            "{words}"
        );

        let stranger = Credentials {
            key: hmac::Key::new(hmac::HMAC_SHA256, b"another"),
            ..(*follower).clone()
        };
        let words = knock(address, &stranger, Errand::Link)
            .unwrap_err()
            .to_string();
        assert!(words.contains("another secret"), "{words}");
    }

    #[test]
    fn a_mesh_is_of_one_run_and_each_process_is_there_once() {
        let [leader, follower] = pair(["2", "2"]);
        let door = open(&leader, 7);
        let address = leader.addresses[0];
        let knock = |who: &Credentials, run| knock(address, who, Errand::Mesh(run));
        assert!(matches!(knock(&follower, 8), Err(Turned::Later)));
        let words = knock(&follower, 6).unwrap_err().to_string();
        assert!(words.contains("run 6 is over"), "{words}");
        let words = knock(&leader, 7).unwrap_err().to_string();
        assert!(words.contains("two processes have one number"), "{words}");
        assert!(door.next(Duration::from_millis(1)).is_none());
        let comes = knock(&follower, 7).unwrap();
        let arrival = door.next(STEP_WITHIN).unwrap();
        assert_eq!(arrival.errand, Errand::Mesh(7));
        // Neither of two that follow hears the other's silence: `xtask chaos cut`.
        for end in [comes, arrival.stream] {
            assert!(sockopt::socket_keepalive(&end).unwrap());
            assert_eq!(sockopt::tcp_user_timeout(&end).unwrap(), 300_000);
            works(&end).unwrap();
            assert_eq!(sockopt::tcp_user_timeout(&end).unwrap(), 15_000);
        }
    }
}
