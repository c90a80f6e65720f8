//! `[cluster]`, and what all processes must have in common.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ring::hmac;
use serde::Deserialize;

use crate::config::{ConfigErrors, secret};

/// The environment variable with the secret of the cluster.
pub const KEY_VARIABLE: &str = "FUNDWATCH_CLUSTER_KEY";
/// For processes on one machine that were given no secret: keeps out what connects by mistake, and nobody else.
const DEFAULT_KEY: &str = "fundwatch: a published default, keeps nobody out";
/// More are not worth their heartbeats.
const PROCESSES_MAX: usize = 64;

/// `[cluster]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Address and port of each process, the same list everywhere. The first one writes the store.
    pub addresses: Vec<SocketAddr>,
    /// Which of them this one is, from 0.
    #[serde(default)]
    pub process: usize,
    /// The file with the secret that lets a process in; else the environment variable `FUNDWATCH_CLUSTER_KEY`.
    pub secret_file: Option<PathBuf>,
}

impl ClusterConfig {
    /// Looks through it without the file that it names.
    pub fn check(&self, faults: &mut Vec<String>) {
        let count = self.addresses.len();
        if !(2..=PROCESSES_MAX).contains(&count) {
            faults.push(format!(
                "cluster.addresses: from 2 to {PROCESSES_MAX} processes are needed, and there are {count}; one process alone needs no [cluster]"
            ));
        }
        if self.process >= count {
            faults.push(format!(
                "cluster.process: there is no process {} of {count}; they are numbered from 0",
                self.process
            ));
        }
        let mut seen = BTreeSet::new();
        for (at, address) in self.addresses.iter().enumerate() {
            if !is_private(address.ip()) {
                faults.push(format!(
                    "cluster.addresses[{at}]: {address} is no loopback and no private address: what processes tell each other is not encrypted"
                ));
            }
            if address.port() == 0 {
                faults.push(format!("cluster.addresses[{at}]: {address} needs a port"));
            }
            if !seen.insert(address) {
                faults.push(format!("cluster.addresses[{at}]: {address} is there twice"));
            }
        }
    }

    /// What a process shows that it belongs here.
    ///
    /// # Errors
    /// The secret cannot be read, or there is none where one is needed.
    pub fn credentials(&self, traits: Vec<Trait>) -> Result<Credentials, ConfigErrors> {
        let key = match (&self.secret_file, std::env::var(KEY_VARIABLE)) {
            (Some(path), _) => secret("cluster.secret_file", path)?,
            (None, Ok(key)) if !key.is_empty() => key,
            (None, _)
                if self
                    .addresses
                    .iter()
                    .all(|address| address.ip().is_loopback()) =>
            {
                DEFAULT_KEY.to_owned()
            }
            (None, _) => {
                return Err(ConfigErrors(vec![format!(
                    "cluster.secret_file: processes on several machines need a secret, the same everywhere: a file named here, or {KEY_VARIABLE}"
                )]));
            }
        };
        Ok(Credentials {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()),
            process: self.process,
            addresses: self.addresses.clone(),
            traits,
        })
    }
}

/// Something that must be the same in all processes: its name, and what it is here.
pub type Trait = (String, String);

/// What a process shows to be let in, and lets others in by.
#[derive(Clone)]
pub struct Credentials {
    /// Of the secret.
    pub key: hmac::Key,
    /// Which process this is.
    pub process: usize,
    /// Of all processes.
    pub addresses: Vec<SocketAddr>,
    /// What must be the same everywhere.
    pub traits: Vec<Trait>,
}

impl Credentials {
    /// Says in which ways another process differs; `None` if it does not.
    pub fn difference(&self, process: usize, theirs: &[Trait]) -> Option<String> {
        let mut differences = Vec::new();
        for (name, ours) in &self.traits {
            let of_theirs = theirs.iter().find(|(other, _)| other == name);
            match of_theirs {
                Some((_, value)) if value == ours => {}
                Some((_, value)) => differences.push(format!(
                    "{name} is {value} in process {process} and {ours} in process {}",
                    self.process
                )),
                None => differences.push(format!("process {process} does not say its {name}")),
            }
        }
        (!differences.is_empty()).then(|| differences.join("; "))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

/// Whether an address can be reached from this machine or its own network alone.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(addresses: &[&str], process: usize) -> String {
        let config = ClusterConfig {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            process,
            secret_file: None,
        };
        let mut faults = Vec::new();
        config.check(&mut faults);
        faults.join("\n")
    }

    #[test]
    fn what_is_private_is_taken() {
        for addresses in [
            ["127.0.0.1:1", "127.0.0.1:2"],
            ["10.0.0.1:7460", "192.168.0.2:7460"],
            ["172.16.9.9:7460", "[fd00::1]:7460"],
            ["[::1]:1", "[::ffff:10.1.1.1]:1"],
        ] {
            assert_eq!(faults(&addresses, 1), "");
        }
    }

    #[test]
    fn faults_name_the_key_and_what_is_wrong() {
        for (addresses, process, words) in [
            (&["127.0.0.1:1"][..], 0, "addresses: from 2"),
            (&["127.0.0.1:1", "127.0.0.1:2"], 2, "no process 2 of 2"),
            (&["0.0.0.0:1", "127.0.0.1:2"], 0, "addresses[0]: 0.0.0.0:1"),
            (&["127.0.0.1:1", "8.8.8.8:2"], 0, "addresses[1]: 8.8.8.8:2"),
            (&["[2001:db8::1]:1", "[::1]:2"], 0, "addresses[0]"),
            (
                &["127.0.0.1:1", "127.0.0.1:1"],
                0,
                "addresses[1]: 127.0.0.1:1 is there twice",
            ),
            (&["127.0.0.1:1", "127.0.0.1:0"], 0, "needs a port"),
        ] {
            let faults = faults(addresses, process);
            assert!(faults.contains(words), "{faults}");
        }
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let config = ClusterConfig {
            addresses: ["127.0.0.1:1", "127.0.0.1:2"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            process: 0,
            secret_file: None,
        };
        let of = |workers: &str, policy: &str| -> Vec<Trait> {
            vec![
                ("workers".to_owned(), workers.to_owned()),
                ("policy".to_owned(), policy.to_owned()),
            ]
        };
        let ours = config.credentials(of("2", "aa")).unwrap();
        assert_eq!(ours.difference(1, &of("2", "aa")), None);
        let words = ours.difference(1, &of("4", "aa")).unwrap();
        assert_eq!(words, "workers is 4 in process 1 and 2 in process 0");
        let words = ours.difference(1, &of("2", "ab")[1..]).unwrap();
        assert!(
            words.contains("does not say its workers; policy is ab"),
            "{words}"
        );
    }
}
