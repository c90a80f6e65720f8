//! The list of all points, and what must hold if the program ends there.

/// A place in the program at which it can be made to end.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// `part.what-has-just-happened`
    pub name: &'static str,
    /// What must hold if the program ends there.
    pub holds: &'static str,
    /// What must have happened before, for the program to come there.
    pub after: After,
}

/// What happens before a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// An earlier run has left facts on disk.
    EarlierRun,
    /// Half of a frame is written when the disk is full.
    TornFrame,
    /// The program finds its state damaged.
    DamagedState,
}

const fn point(name: &'static str, holds: &'static str) -> Point {
    after(After::Nothing, name, holds)
}

const fn after(after: After, name: &'static str, holds: &'static str) -> Point {
    Point { name, holds, after }
}

/// Every point, in the order of a record's way.
pub const POINTS: &[Point] = &[
    // Start.
    point("open.locked", "an empty file is a new store"),
    point(
        "open.tables-made",
        "tables without a secret bound to them are bound at the next start",
    ),
    point("open.bound", "a store without an epoch is a new one"),
    point("state.locked", "an empty folder is a state without facts"),
    point("start.listening", "nothing has been read or told"),
    point(
        "state.looked-through",
        "to look through the state changes nothing",
    ),
    point(
        "start.offsets-checked",
        "what was committed is still there to be read again",
    ),
    // The state's segments are put together at a start, and a new one is begun when one is full.
    point("state.half-made", "half a segment counts for nothing"),
    point("state.head-written", "half a segment counts for nothing"),
    point("state.half-filled", "half a segment counts for nothing"),
    point("state.half-durable", "half a segment counts for nothing"),
    point(
        "state.renamed",
        "the new segment counts, or the ones that it replaces do",
    ),
    point(
        "state.folder-durable",
        "the new segment counts, and what it replaces no more",
    ),
    after(
        After::EarlierRun,
        "state.replaced-removed",
        "what is left of what was replaced counts no more",
    ),
    after(
        After::DamagedState,
        "state.set-aside",
        "what is left of what is damaged does not count",
    ),
    point("state.tidied", "the state is as before, in other segments"),
    after(
        After::EarlierRun,
        "state.part-loaded",
        "half of the facts prove nothing: the next start loads them again",
    ),
    point(
        "start.caught-up",
        "everything is judged and nothing is told: the next start does it again",
    ),
    point(
        "start.reconciled",
        "nothing that was told before is told again",
    ),
    // Reading.
    point(
        "feed.polled",
        "what was polled is not committed: it is read again",
    ),
    point(
        "feed.rejected",
        "a reject that is not committed is found again, and is one dead letter",
    ),
    point(
        "feed.noted",
        "counts that were noted and not committed are counted once",
    ),
    // Recording.
    point(
        "state.appending",
        "what is not on disk is not committed: it is read again",
    ),
    after(
        After::TornFrame,
        "state.half-appended",
        "half a frame counts for nothing: its records are read again",
    ),
    after(
        After::TornFrame,
        "state.cut-back",
        "a frame that found no room is not there: its records are read again",
    ),
    point(
        "state.appended",
        "a frame that is not committed does not count: its records are read again",
    ),
    point(
        "state.syncing",
        "a frame that is not committed does not count: its records are read again",
    ),
    point(
        "state.synced",
        "a frame that is not committed does not count: its records are read again",
    ),
    point(
        "state.segment-full",
        "a full segment is the last one until the next is there",
    ),
    // Judging.
    point(
        "epoch.complete",
        "a verdict that is not committed is reached again",
    ),
    point(
        "epoch.handed-over",
        "a verdict that is not committed is reached again",
    ),
    // Committing.
    point("commit.gathered", "nothing of the epoch is in the store"),
    point("commit.read-again", "nothing of the epoch is in the store"),
    point("store.begun", "nothing of the epoch is in the store"),
    point(
        "store.history-written",
        "nothing of the epoch is in the store",
    ),
    point(
        "store.outbox-written",
        "nothing of the epoch is in the store",
    ),
    point(
        "store.alerts-written",
        "nothing of the epoch is in the store",
    ),
    point(
        "store.dead-letter-written",
        "nothing of the epoch is in the store",
    ),
    point(
        "store.offsets-written",
        "nothing of the epoch is in the store",
    ),
    point(
        "store.mails-written",
        "nothing of the epoch is in the store",
    ),
    point(
        "store.committed",
        "the whole epoch is in the store, and is told after the next start",
    ),
    point(
        "commit.acknowledged",
        "the whole epoch is in the store, and is told once",
    ),
    // Telling on topics.
    point("publish.taken", "what was not sent stays in the outbox"),
    point(
        "publish.queued",
        "what was queued and not acknowledged is sent again, the same bytes",
    ),
    point(
        "publish.delivered",
        "what was delivered and not marked is sent again, the same bytes",
    ),
    point("publish.marked", "what is marked is not sent again"),
    point(
        "publish.letters-delivered",
        "a dead letter that was delivered and not marked is sent again",
    ),
    // Telling by mail.
    point(
        "mail.recovered",
        "mails that were under way are pending, and are sent",
    ),
    point(
        "mail.claimed",
        "a mail that was claimed and not sent is sent after the next start",
    ),
    point(
        "mail.connected",
        "a mail that was not handed over is sent after the next start",
    ),
    point(
        "mail.data",
        "a mail of which the server has no text is sent after the next start",
    ),
    point(
        "mail.accepted",
        "the answer is lost: the mail is sent again under the same Message-ID",
    ),
    point(
        "mail.settling",
        "the answer is lost: the mail is sent again under the same Message-ID",
    ),
    point("mail.settled", "what is settled is not sent again"),
    // Being looked at, and stopping.
    point("http.scraped", "being looked at changes nothing"),
    point(
        "stop.asked",
        "what was read and not committed is read again",
    ),
    point(
        "stop.committed",
        "what the senders had in hand stays in the outboxes",
    ),
];
