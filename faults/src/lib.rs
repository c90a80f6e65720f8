//! Named places at which the harness makes the program fail, and bugs that it plants to prove that it sees them.
//!
//! Without the feature `failpoints` nothing of this is in the program: the macros expand to nothing, and the feature cannot
//! be had in a release. With it, the environment variable `FAILPOINTS` says what happens where, in the language of the
//! crate `fail`, e.g. `store.committed=2*off->return(kill)`: the third time it ends the process as a loss of power would.
//! `FUNDWATCH_PLANTED_BUG` names the bug that is planted. A name that is not listed here does not compile.

mod bugs;
mod points;

pub use bugs::{BUGS, Bug};
pub use points::{After, POINTS, Point};

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("the feature `failpoints` is for the harness: it is no part of a release");

/// The harness may make the program fail here.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! point {
    ($name:literal) => {{
        const _: () = assert!(
            $crate::is_point($name),
            "a point is listed with what must hold there"
        );
        $crate::reach($name)
    }};
}

/// The harness may make the program fail here.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! point {
    ($name:literal) => {{
        const _: () = assert!(
            $crate::is_point($name),
            "a point is listed with what must hold there"
        );
    }};
}

/// Whether the harness has planted this bug.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {{
        const _: () = assert!(
            $crate::is_bug($name),
            "a planted bug is listed with what it breaks"
        );
        $crate::is_planted($name)
    }};
}

/// Whether the harness has planted this bug.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {{
        const _: () = assert!(
            $crate::is_bug($name),
            "a planted bug is listed with what it breaks"
        );
        false
    }};
}

/// Does what `FAILPOINTS` says of a point.
#[cfg(feature = "failpoints")]
pub fn reach(name: &str) {
    fail::fail_point!(name, |argument: Option<String>| match argument.as_deref() {
        Some("kill") => end(),
        other => panic!("FAILPOINTS: {name}: `{other:?}` is nothing that can happen"),
    });
}

/// Ends the process as a loss of power would: nothing is flushed, closed or said.
#[cfg(feature = "failpoints")]
fn end() {
    let itself = rustix::process::getpid();
    rustix::process::kill_process(itself, rustix::process::Signal::KILL)
        .expect("a process may end itself");
}

/// Whether `FUNDWATCH_PLANTED_BUG` names the bug.
#[cfg(feature = "failpoints")]
pub fn is_planted(name: &str) -> bool {
    static PLANTED: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("FUNDWATCH_PLANTED_BUG").ok());
    PLANTED.as_deref() == Some(name)
}

/// How often something is tried again, made short by `FUNDWATCH_PATIENCE_MS` so that the harness need not wait for hours.
pub fn patience(usual_ms: i64) -> i64 {
    #[cfg(feature = "failpoints")]
    if let Some(short) = std::env::var("FUNDWATCH_PATIENCE_MS")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return usual_ms.min(short);
    }
    usual_ms
}

/// How long a part of the state may grow, made short by `FUNDWATCH_SEGMENT_BYTES` so that a few records fill many.
pub fn segment_bytes(usual: u64) -> u64 {
    #[cfg(feature = "failpoints")]
    if let Some(short) = std::env::var("FUNDWATCH_SEGMENT_BYTES")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return usual.min(short);
    }
    usual
}

/// Whether the disk is to be full now, with half of a frame written: `FAILPOINTS` says so of [`TEAR`].
pub fn tears() -> bool {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(TEAR, |_| true);
    false
}

/// The name by which [`tears`] is told to. The program does not end there: it is no [`Point`].
pub const TEAR: &str = "state.tear";

/// Reads `FAILPOINTS`; they act for as long as what this returns lives.
#[cfg(feature = "failpoints")]
pub fn arm() -> impl Sized {
    fail::FailScenario::setup()
}

#[doc(hidden)]
pub const fn is_point(name: &str) -> bool {
    let mut at = 0;
    while at < POINTS.len() {
        if same(POINTS[at].name, name) {
            return true;
        }
        at += 1;
    }
    false
}

#[doc(hidden)]
pub const fn is_bug(name: &str) -> bool {
    let mut at = 0;
    while at < BUGS.len() {
        if same(BUGS[at].name, name) {
            return true;
        }
        at += 1;
    }
    false
}

/// `==` for the compiler.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_there_once() {
        let points: BTreeSet<&str> = POINTS.iter().map(|point| point.name).collect();
        let bugs: BTreeSet<&str> = BUGS.iter().map(|bug| bug.name).collect();
        assert_eq!((points.len(), bugs.len()), (POINTS.len(), BUGS.len()));
        assert!(is_point("store.committed") && !is_point("store.commit"));
    }
}
