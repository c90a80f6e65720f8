//! How processes find together at a start: the followers come to the leader, say what they have on disk, and are told
//! what they read; then each connects with each.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use alerting::batch::{Holder, PartitionOffset};
use alerting::http::Health;
use anyhow::{Context, Result, bail, ensure};
use domain::Topic;
use serde::{Deserialize, Serialize};
use state::NamedPosition;

use super::assign::Holding;
use super::config::Credentials;
use super::door::{Door, Errand, Turned, knock};
use super::link::{FollowerLink, LeaderLinks, be_lost, leave};
use super::mesh::Mesh;
use super::wire::{ToFollower, ToLeader, WireShare, receive, send};
use crate::live::{Harvest, Others, Pace, Share};

/// Between attempts to reach another process.
const KNOCK_AGAIN: Duration = Duration::from_millis(200);
/// Between two times that it is said for whom one waits.
const SAY_AGAIN: Duration = Duration::from_secs(30);
/// Once all know what to read, all are connected within this.
const CONNECTED_WITHIN: Duration = Duration::from_secs(60);
/// What waits for another process objects to being ready under this name.
const PART: &str = "cluster";

/// What a run begins with: what the store says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The number of the run.
    pub run: u64,
    /// The store's name among all.
    pub store: String,
    /// The first offset not committed, by the topic's number and partition.
    committed: Vec<(u8, i32, i64)>,
    /// The process that has a partition on disk, by the topic's number and partition.
    holders: Vec<(u8, i32, u32)>,
}

impl Start {
    /// Of what the store says.
    pub fn new(
        run: u64,
        store: String,
        committed: &[PartitionOffset],
        holders: &[Holder],
    ) -> Start {
        Start {
            run,
            store,
            committed: committed
                .iter()
                .map(|of| (of.topic.index() as u8, of.partition, of.next_offset))
                .collect(),
            holders: holders
                .iter()
                .map(|of| (of.topic.index() as u8, of.partition, of.process))
                .collect(),
        }
    }

    /// The first offsets not committed; `None` if there are no such topics.
    pub fn committed(&self) -> Option<Vec<PartitionOffset>> {
        let committed = self.committed.iter().map(|(topic, partition, next)| {
            Some(PartitionOffset {
                topic: *Topic::ALL.get(usize::from(*topic))?,
                partition: *partition,
                next_offset: *next,
            })
        });
        committed.collect()
    }

    /// Who has which partition on disk; `None` if there are no such topics.
    pub fn holders(&self) -> Option<Vec<Holder>> {
        let holders = self.holders.iter().map(|(topic, partition, process)| {
            Some(Holder {
                topic: *Topic::ALL.get(usize::from(*topic))?,
                partition: *partition,
                process: *process,
            })
        });
        holders.collect()
    }
}

/// The process that writes the store.
pub struct Leader {
    credentials: Arc<Credentials>,
    door: Door,
    run: u64,
    followers: Vec<TcpStream>,
}

impl Leader {
    /// Opens the door, for a run of this number.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn open(credentials: Credentials, run: u64) -> Result<Leader> {
        let credentials = Arc::new(credentials);
        Ok(Leader {
            door: open_door(&credentials, &Arc::new(AtomicU64::new(run)))?,
            credentials,
            run,
            followers: Vec::new(),
        })
    }

    /// Waits until all followers have come and said what they have on disk, by process; `None` if the program is to stop
    /// meanwhile.
    pub fn gather(
        &mut self,
        start: &Start,
        pace: &Arc<Pace>,
        health: &Health,
    ) -> Option<Vec<Holding>> {
        let wanted = 1..self.credentials.addresses.len();
        let (answers, answered) = mpsc::channel();
        let mut come: BTreeMap<usize, (TcpStream, Holding)> = BTreeMap::new();
        let mut said_at: Option<Instant> = None;
        while !wanted.clone().all(|process| come.contains_key(&process)) {
            if pace.is_stopping() {
                return None;
            }
            let missing: Vec<String> = wanted
                .clone()
                .filter(|process| !come.contains_key(process))
                .map(|process| format!("{process} ({})", self.credentials.addresses[process]))
                .collect();
            health.beat();
            health.object(PART, format!("waits for process {}", missing.join(", ")));
            if said_at.is_none_or(|at| SAY_AGAIN <= at.elapsed()) {
                said_at = Some(Instant::now());
                tracing::info!(
                    missing = missing.join(", "),
                    "waiting for the other processes"
                );
            }
            if let Some(arrival) = self.door.next(KNOCK_AGAIN) {
                ask(arrival.process, arrival.stream, start, &answers, pace);
            }
            take_answers(&answered, &mut come);
        }
        health.agree(PART);
        let (streams, holdings) = come.into_values().unzip();
        self.followers = streams;
        Some(holdings)
    }

    /// Tells the followers what they read, and connects with them. `shares` name the process of each partition.
    ///
    /// # Errors
    /// One of them cannot be reached.
    pub fn begin(
        mut self,
        shares: &[(usize, Share)],
        pace: &Arc<Pace>,
        harvest: &Harvest,
        others: &Others,
    ) -> Result<(Mesh, LeaderLinks)> {
        for (at, stream) in self.followers.iter_mut().enumerate() {
            let process = at + 1;
            let theirs = shares
                .iter()
                .filter(|(of, _)| *of == process)
                .map(|(_, share)| WireShare::of(share))
                .collect();
            if let Err(error) = send(stream, &ToFollower::Shares(theirs)) {
                if pace.was_asked() {
                    leave(process);
                }
                be_lost(&format!("process {process} is gone again ({error})"));
            }
        }
        let links = LeaderLinks::begin(self.followers, pace, harvest, others)?;
        let mesh = connect(&self.credentials, &self.door, self.run)?;
        Ok((mesh, links))
    }
}

/// Tells a follower what the run begins with, and waits for its answer aside: it reads its disk meanwhile.
fn ask(
    process: usize,
    mut stream: TcpStream,
    start: &Start,
    answers: &Sender<(usize, TcpStream, Holding)>,
    pace: &Arc<Pace>,
) {
    let (start, answers, pace) = (start.clone(), answers.clone(), Arc::clone(pace));
    let asking = move || -> Result<()> {
        send(&mut stream, &ToFollower::Start(start))?;
        if !has_come(&stream, &pace)? {
            return Ok(());
        }
        let ToLeader::Holding { positions, damage } = receive(&mut stream)? else {
            bail!("it says something else");
        };
        let holding = Holding::named(&positions, damage).context("it has what nobody can have")?;
        // Nobody listens only when the program stops.
        let _ = answers.send((process, stream, holding));
        Ok(())
    };
    let asked = std::thread::Builder::new()
        .name(format!("ask-{process}"))
        .spawn(move || {
            if let Err(error) = asking() {
                tracing::warn!(process, %error, "a process that had come is gone again");
            }
        });
    if let Err(error) = asked {
        tracing::warn!(process, %error, "a process that has come cannot be asked");
    }
}

/// A process that comes again was started again: what it says now counts.
fn take_answers(
    answered: &Receiver<(usize, TcpStream, Holding)>,
    come: &mut BTreeMap<usize, (TcpStream, Holding)>,
) {
    while let Ok((process, stream, holding)) = answered.try_recv() {
        tracing::info!(process, "a process has come");
        come.insert(process, (stream, holding));
    }
}

/// A process that reads and works, and writes no store.
pub struct Follower {
    credentials: Arc<Credentials>,
    door: Door,
    /// To the leader.
    stream: TcpStream,
    run: u64,
}

impl Follower {
    /// Opens the door, and comes to the leader; `None` if the program is to stop meanwhile.
    ///
    /// # Errors
    /// The leader refuses this process, or says what it cannot.
    pub fn join(
        credentials: Credentials,
        pace: &Pace,
        health: &Health,
    ) -> Result<Option<(Follower, Start)>> {
        let credentials = Arc::new(credentials);
        let run = Arc::new(AtomicU64::new(0));
        let door = open_door(&credentials, &run)?;
        let leader = credentials.addresses[0];
        let mut said_at: Option<Instant> = None;
        let mut stream = loop {
            if pace.is_stopping() {
                return Ok(None);
            }
            health.beat();
            match knock(leader, &credentials, Errand::Link) {
                Ok(stream) => break stream,
                Err(Turned::Refused(words)) => bail!("process 0 refuses this process: {words}"),
                Err(away) => {
                    health.object(PART, format!("waits for process 0 ({leader}): {away}"));
                    if said_at.is_none_or(|at| SAY_AGAIN <= at.elapsed()) {
                        said_at = Some(Instant::now());
                        tracing::info!(%leader, reason = %away, "waiting for process 0");
                    }
                    std::thread::sleep(KNOCK_AGAIN);
                }
            }
        };
        health.object(PART, "waits for the other processes");
        let Some(message) = hear(&mut stream, pace) else {
            return Ok(None);
        };
        let ToFollower::Start(start) = message else {
            bail!("process 0 says what cannot be understood");
        };
        run.store(start.run, Ordering::Release);
        let follower = Follower {
            credentials,
            door,
            stream,
            run: start.run,
        };
        Ok(Some((follower, start)))
    }

    /// Says what is on disk here, and waits to be told what to read; `None` if the program is to stop meanwhile.
    ///
    /// # Errors
    /// The leader says what it cannot.
    pub fn offer(&mut self, holding: &Holding, pace: &Pace) -> Result<Option<Vec<Share>>> {
        let message = ToLeader::Holding {
            positions: holding
                .positions
                .iter()
                .map(|(key, position)| NamedPosition::of(*key, position))
                .collect(),
            damage: holding.damage.clone(),
        };
        if let Err(error) = send(&mut self.stream, &message) {
            be_lost(&format!("process 0 is gone again ({error})"));
        }
        let Some(message) = hear(&mut self.stream, pace) else {
            return Ok(None);
        };
        let shares = match &message {
            ToFollower::Shares(shares) => shares.iter().map(WireShare::share).collect(),
            _ => None,
        };
        let shares: Option<Vec<Share>> = shares;
        shares
            .map(Some)
            .context("process 0 says what cannot be understood")
    }

    /// Connects with all others.
    ///
    /// # Errors
    /// One of them cannot be reached.
    pub fn begin(self, pace: &Arc<Pace>, health: &Health) -> Result<(Mesh, FollowerLink)> {
        let link = FollowerLink::begin(self.stream, pace)?;
        let mesh = connect(&self.credentials, &self.door, self.run)?;
        health.agree(PART);
        Ok((mesh, link))
    }
}

fn open_door(credentials: &Arc<Credentials>, run: &Arc<AtomicU64>) -> Result<Door> {
    Door::open(Arc::clone(credentials), Arc::clone(run)).with_context(|| {
        format!(
            "cluster.addresses[{}]: cannot listen on {}",
            credentials.process, credentials.addresses[credentials.process]
        )
    })
}

/// The next that the leader says; `None` if the program is to stop meanwhile.
fn hear(stream: &mut TcpStream, pace: &Pace) -> Option<ToFollower> {
    let heard = has_come(stream, pace).and_then(|has_come| match has_come {
        true => receive(stream).map(Some),
        false => Ok(None),
    });
    match heard {
        Ok(message) => message,
        Err(_) if pace.is_stopping() => None,
        Err(error) => be_lost(&format!(
            "process 0 has ended while the processes gathered ({error})"
        )),
    }
}

/// Waits until there is something to read, however long; `false` if the program is to stop meanwhile.
fn has_come(stream: &TcpStream, pace: &Pace) -> io::Result<bool> {
    stream.set_read_timeout(Some(KNOCK_AGAIN))?;
    let has_come = loop {
        match stream.peek(&mut [0]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => break true,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if pace.is_stopping() {
                    break false;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    stream.set_read_timeout(Some(CONNECTED_WITHIN))?;
    Ok(has_come)
}

/// A connection with each of the others: this process goes to those before it, and those after it come.
fn connect(credentials: &Credentials, door: &Door, run: u64) -> Result<Mesh> {
    let us = credentials.process;
    let mut sockets: Vec<Option<TcpStream>> = credentials.addresses.iter().map(|_| None).collect();
    let deadline = Instant::now() + CONNECTED_WITHIN;
    for (process, address) in credentials.addresses.iter().enumerate().take(us) {
        sockets[process] = Some(loop {
            match knock(*address, credentials, Errand::Mesh(run)) {
                Ok(stream) => break stream,
                Err(Turned::Refused(words)) => bail!("process {process} refuses: {words}"),
                Err(away) => ensure!(
                    Instant::now() < deadline,
                    "process {process} cannot be reached at {address}: {away}"
                ),
            }
            std::thread::sleep(KNOCK_AGAIN);
        });
    }
    while let Some(missing) = (us + 1..sockets.len()).find(|process| sockets[*process].is_none()) {
        ensure!(
            Instant::now() < deadline,
            "process {missing} does not connect, though it knows what to read"
        );
        if let Some(arrival) = door.next(KNOCK_AGAIN)
            && arrival.errand == Errand::Mesh(run)
        {
            sockets[arrival.process] = Some(arrival.stream);
        }
    }
    Ok(Mesh::new(us, sockets))
}
