//! The list of all points, and what must hold if the program ends there.

/// A place in the program at which it can be made to end.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// `part.what-has-just-happened`
    pub name: &'static str,
    /// What must hold if the program ends there.
    pub holds: &'static str,
}

const fn point(name: &'static str, holds: &'static str) -> Point {
    Point { name, holds }
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
    point("start.listening", "nothing has been read or told"),
    point(
        "start.offsets-checked",
        "what was committed is still there to be read again",
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
