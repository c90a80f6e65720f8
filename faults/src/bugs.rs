//! Bugs that can be planted, each of which the harness must see: the proof that it can fail.

/// A planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its name in `FUNDWATCH_PLANTED_BUG`.
    pub name: &'static str,
    /// What it breaks.
    pub breaks: &'static str,
}

const fn bug(name: &'static str, breaks: &'static str) -> Bug {
    Bug { name, breaks }
}

/// Every planted bug.
pub const BUGS: &[Bug] = &[
    bug(
        "offset-before-state",
        "offsets are committed before what was read up to them",
    ),
    bug(
        "outbox-outside-transaction",
        "tellings get into the outbox after the epoch is committed",
    ),
    bug(
        "mail-marked-before-sent",
        "a mail counts as sent when it is claimed",
    ),
    bug(
        "topic-marked-before-delivered",
        "a telling leaves the outbox before the broker has it",
    ),
    bug(
        "withdrawal-forgotten",
        "a start does not withdraw what is stored and no longer found",
    ),
    bug(
        "start-on-half-the-facts",
        "the first epoch ends before everything that was there is read",
    ),
    bug(
        "sending-forgotten",
        "a start leaves alone mails that were under way",
    ),
    bug(
        "message-id-of-attempt",
        "each further attempt at a mail has a Message-ID of its own",
    ),
    bug(
        "dead-letter-each-start",
        "a dead letter that is known is sent again at each start",
    ),
    bug(
        "conflict-unheard",
        "a record whose id was used before is in no dead letter",
    ),
    bug(
        "redelivery-counted-as-accepted",
        "a redelivered record counts as accepted",
    ),
    bug(
        "order-of-arrival",
        "alerts.jsonl is in the order in which workers found them",
    ),
    bug(
        "disk-error-ignored",
        "a commit whose fsync failed is tried again as if nothing were",
    ),
    bug(
        "full-disk-skips-epoch",
        "an epoch that finds no room on the disk is left out",
    ),
    bug(
        "output-in-place",
        "an output file has its name before it is whole",
    ),
    bug(
        "refusal-is-for-good",
        "a mail that the server puts off is given up",
    ),
    bug(
        "lost-answer-is-success",
        "a mail counts as sent when the server hangs up without an answer",
    ),
    bug(
        "rejected-elsewhere-unheard",
        "what another process cannot decode is not handed over",
    ),
    bug(
        "hung-process-waited-for",
        "a process that says nothing any more is waited for without end",
    ),
];
