//! timely's connections between processes.

use std::io;
use std::net::TcpStream;

use timely::communication::allocator::AllocatorBuilder;
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::{Hooks, WorkerGuards};
use timely::worker::Worker;

use super::door::works;
use super::link::be_lost;

/// A connection to each of the other processes.
#[derive(Debug)]
pub struct Mesh {
    process: usize,
    /// By number; `None` for this one.
    sockets: Vec<Option<TcpStream>>,
}

impl Mesh {
    /// Of connections that have come through the door.
    pub(super) fn new(process: usize, sockets: Vec<Option<TcpStream>>) -> Mesh {
        Mesh { process, sockets }
    }

    /// Its ends here, for when all work.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub fn ends(&self) -> io::Result<Ends> {
        let sockets = self.sockets.iter().flatten().map(TcpStream::try_clone);
        Ok(Ends(sockets.collect::<io::Result<_>>()?))
    }

    /// Runs so many workers here, and as many in each of the others.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn execute<W>(self, workers: usize, work: W) -> Result<WorkerGuards<()>, String>
    where
        W: Fn(&mut Worker) + Send + Sync + 'static,
    {
        say_who_is_lost();
        let hooks = Hooks::default();
        // Between the workers of a process facts go as they are.
        let here = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), None);
        let (builders, threads) =
            initialize_networking_from_sockets(here, self.sockets, self.process, workers, hooks)
                .map_err(|error| error.to_string())?;
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        timely::execute::execute_from(
            builders,
            Box::new(threads),
            timely::WorkerConfig::default(),
            work,
        )
    }
}

/// The ends of a mesh in this process.
#[derive(Debug)]
pub struct Ends(Vec<TcpStream>);

impl Ends {
    /// All processes work, and read what they are sent: one that cannot be reached is given up soon.
    ///
    /// # Errors
    /// The system does not know how.
    pub fn all_work(self) -> io::Result<()> {
        self.0.iter().try_for_each(works)
    }
}

/// A panic of a thread of timely's connections is how timely says that a process is gone.
fn say_who_is_lost() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        match thread.name() {
            Some(name) if name.starts_with("timely:send") || name.starts_with("timely:recv") => {
                be_lost(&format!(
                    "the connection to process {} is lost: it ended, or it hangs",
                    name.rsplit('-').next().unwrap_or_default()
                ));
            }
            _ => before(panic),
        }
    }));
}
