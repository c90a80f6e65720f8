//! What came of an epoch, as bytes for another process.
//!
//! Within a process outcomes stay as they are, and a person's number prints masked; here they are numbers and texts in
//! postcard's format, for the process that writes the store. Both processes are of one version: the handshake before
//! sees to it.

use domain::{
    AlertKey, BusinessDate, CreditCode, Detector, Episode, EvidenceId, Finding, Money, Nature,
    Period, PersonId, PolicyEntry, RegionCode, RegionId, Severity, Subject, Topic,
};
use ledger::{Entry, Flow, ItemClass, Posting, Sum};
use serde::{Deserialize, Serialize};

use super::times::Close;
use super::{Outcome, Received};

/// The policy's dated tables: one of them is what an alert names.
const TABLES: [&str; 6] = [
    "advance",
    "benefit",
    "contribution",
    "health",
    "remittance",
    "surcharge",
];

/// The outcomes as bytes.
///
/// # Panics
/// If a finding names a table that no policy has.
pub fn write(outcomes: &[Outcome]) -> Vec<u8> {
    let wire: Vec<WireOutcome> = outcomes.iter().map(WireOutcome::of).collect();
    postcard::to_allocvec(&wire).expect("numbers and texts can be written to memory")
}

/// The outcomes that [`write`] made bytes of; `None` if it did not.
pub fn read(bytes: &[u8]) -> Option<Vec<Outcome>> {
    let wire: Vec<WireOutcome> = postcard::from_bytes(bytes).ok()?;
    wire.into_iter().map(WireOutcome::outcome).collect()
}

#[derive(Serialize, Deserialize)]
enum WireOutcome {
    Update {
        key: WireKey,
        finding: Option<WireFinding>,
        cause: Option<WireEvidence>,
    },
    Redelivered {
        topic: u8,
        lane: u16,
        count: i64,
    },
    Conflicting {
        topic: u8,
        position: u64,
    },
    NoConflict {
        topic: u8,
        position: u64,
    },
    Received {
        topic: u8,
        region: u16,
        lane: u16,
        interval: u32,
        date: u32,
        records: i64,
        fen: i128,
    },
    Closed(Close),
    Present(u32),
    Posted(Vec<WirePosting>),
}

impl WireOutcome {
    fn of(outcome: &Outcome) -> WireOutcome {
        match outcome {
            Outcome::Update {
                key,
                finding,
                cause,
            } => WireOutcome::Update {
                key: WireKey::of(key),
                finding: finding.as_ref().map(WireFinding::of),
                cause: cause.as_ref().map(WireEvidence::of),
            },
            Outcome::Redelivered { topic, lane, count } => WireOutcome::Redelivered {
                topic: number(*topic),
                lane: *lane,
                count: *count,
            },
            Outcome::Conflicting { topic, position } => WireOutcome::Conflicting {
                topic: number(*topic),
                position: *position,
            },
            Outcome::NoConflict { topic, position } => WireOutcome::NoConflict {
                topic: number(*topic),
                position: *position,
            },
            Outcome::Received(received) => WireOutcome::Received {
                topic: number(received.topic),
                region: received.region.0,
                lane: received.lane,
                interval: received.interval,
                date: received.date.days(),
                records: received.records,
                fen: received.amount.fen(),
            },
            Outcome::Closed(close) => WireOutcome::Closed(close.clone()),
            Outcome::Present(date) => WireOutcome::Present(date.days()),
            Outcome::Posted(postings) => {
                WireOutcome::Posted(postings.iter().map(WirePosting::of).collect())
            }
        }
    }

    fn outcome(self) -> Option<Outcome> {
        Some(match self {
            WireOutcome::Update {
                key,
                finding,
                cause,
            } => {
                let key = key.key()?;
                Outcome::Update {
                    finding: match finding {
                        Some(finding) => Some(finding.finding(key.clone())?),
                        None => None,
                    },
                    cause: match cause {
                        Some(cause) => Some(cause.evidence()?),
                        None => None,
                    },
                    key,
                }
            }
            WireOutcome::Redelivered { topic, lane, count } => Outcome::Redelivered {
                topic: topic_of(topic)?,
                lane,
                count,
            },
            WireOutcome::Conflicting { topic, position } => Outcome::Conflicting {
                topic: topic_of(topic)?,
                position,
            },
            WireOutcome::NoConflict { topic, position } => Outcome::NoConflict {
                topic: topic_of(topic)?,
                position,
            },
            WireOutcome::Received {
                topic,
                region,
                lane,
                interval,
                date,
                records,
                fen,
            } => Outcome::Received(Received {
                topic: topic_of(topic)?,
                region: RegionId(region),
                lane,
                interval,
                date: BusinessDate::from_days(date),
                records,
                amount: Money::from_fen(fen),
            }),
            WireOutcome::Closed(close) => {
                topic_of(close.topic)?;
                Outcome::Closed(close)
            }
            WireOutcome::Present(days) => Outcome::Present(BusinessDate::from_days(days)),
            WireOutcome::Posted(postings) => Outcome::Posted(
                postings
                    .into_iter()
                    .map(WirePosting::posting)
                    .collect::<Option<_>>()?,
            ),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct WireKey {
    detector: u8,
    subject: WireSubject,
    period: Option<u16>,
    item: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum WireSubject {
    Enterprise(u128),
    Person(u64),
    Region(String),
    Transfer(String),
}

impl WireKey {
    fn of(key: &AlertKey) -> WireKey {
        WireKey {
            detector: key.detector as u8,
            subject: match &key.subject {
                Subject::Enterprise(code) => WireSubject::Enterprise(code.number()),
                Subject::Person(person) => WireSubject::Person(person.number()),
                Subject::Region(code) => WireSubject::Region(code.to_string()),
                Subject::Transfer(id) => WireSubject::Transfer(id.clone()),
            },
            period: key.period.map(Period::months),
            item: key.item.clone(),
        }
    }

    fn key(self) -> Option<AlertKey> {
        Some(AlertKey {
            detector: *Detector::ALL.get(usize::from(self.detector))?,
            subject: match self.subject {
                WireSubject::Enterprise(number) => {
                    Subject::Enterprise(CreditCode::from_number(number))
                }
                WireSubject::Person(number) => Subject::Person(PersonId::from_number(number)),
                WireSubject::Region(code) => Subject::Region(RegionCode::parse(code.as_bytes())?),
                WireSubject::Transfer(id) => Subject::Transfer(id),
            },
            period: self.period.map(Period::from_months),
            item: self.item,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct WireEvidence {
    topic: u8,
    id: String,
}

impl WireEvidence {
    fn of(evidence: &EvidenceId) -> WireEvidence {
        WireEvidence {
            topic: number(evidence.topic),
            id: evidence.id.clone(),
        }
    }

    fn evidence(self) -> Option<EvidenceId> {
        Some(EvidenceId {
            topic: topic_of(self.topic)?,
            id: self.id,
        })
    }
}

/// A finding without its key.
#[derive(Serialize, Deserialize)]
struct WireFinding {
    region: String,
    opened_on: u32,
    cleared_on: Option<u32>,
    amount: i128,
    peak: i128,
    count: u32,
    severity: u8,
    evidence: Vec<WireEvidence>,
    /// The table's number, and the month.
    policy: Option<(u8, u16)>,
    /// JSON: what a detector says there is its own.
    details: String,
}

impl WireFinding {
    fn of(finding: &Finding) -> WireFinding {
        let episode = &finding.episode;
        WireFinding {
            region: finding.region.to_string(),
            opened_on: episode.opened_on.days(),
            cleared_on: episode.cleared_on.map(BusinessDate::days),
            amount: episode.amount.fen(),
            peak: episode.peak.fen(),
            count: episode.count,
            severity: finding.severity as u8,
            evidence: finding.evidence.iter().map(WireEvidence::of).collect(),
            policy: finding.policy.map(|entry| {
                let table = TABLES.iter().position(|table| *table == entry.table);
                let table = table.expect("a table of the policy");
                (table as u8, entry.from.months())
            }),
            details: serde_json::to_string(&finding.details).expect("an object can be written"),
        }
    }

    fn finding(self, key: AlertKey) -> Option<Finding> {
        Some(Finding {
            key,
            region: RegionCode::parse(self.region.as_bytes())?,
            episode: Episode {
                opened_on: BusinessDate::from_days(self.opened_on),
                cleared_on: self.cleared_on.map(BusinessDate::from_days),
                amount: Money::from_fen(self.amount),
                peak: Money::from_fen(self.peak),
                count: self.count,
            },
            severity: *Severity::ALL.get(usize::from(self.severity))?,
            evidence: self
                .evidence
                .into_iter()
                .map(WireEvidence::evidence)
                .collect::<Option<_>>()?,
            policy: match self.policy {
                Some((table, from)) => Some(PolicyEntry {
                    table: TABLES.get(usize::from(table))?,
                    from: Period::from_months(from),
                }),
                None => None,
            },
            details: serde_json::from_str(&self.details).ok()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct WirePosting {
    region: u16,
    entry: WireEntry,
    count: i64,
    fen: i128,
}

/// Months and days as their numbers.
#[derive(Serialize, Deserialize)]
enum WireEntry {
    Flow(WireFlow, u32),
    RemittedFor(u16, u32),
    Subsidy(String, u32),
    ReleasedOf(String, u32),
    Received(u8, u32),
    Closed(u8, u32),
    Close(u8, u32),
    Due(u16, u32),
    PaidOfDue(u16, u32),
    BaseDue(u16, u32),
    BaseDeclared(u16, u32),
    PayoutDueFrom(u16),
    PaidInTime(u16),
}

#[derive(Serialize, Deserialize)]
enum WireFlow {
    Collected,
    CollectionReversed,
    RemittedUp,
    CentralSubsidy,
    ProvincialSubsidy,
    CountySubsidy,
    Released,
    AllocatedDown,
    Advanced,
    PaidOut(u8, u8),
    PayoutReversed(u8),
}

impl WirePosting {
    fn of(posting: &Posting) -> WirePosting {
        WirePosting {
            region: posting.region.0,
            entry: WireEntry::of(&posting.entry),
            count: posting.change.count,
            fen: posting.change.amount.fen(),
        }
    }

    fn posting(self) -> Option<Posting> {
        Some(Posting {
            region: RegionId(self.region),
            entry: self.entry.entry()?,
            change: Sum {
                count: self.count,
                amount: Money::from_fen(self.fen),
            },
        })
    }
}

impl WireEntry {
    fn of(entry: &Entry) -> WireEntry {
        match entry {
            Entry::Flow(flow, day) => WireEntry::Flow(WireFlow::of(*flow), day.days()),
            Entry::RemittedFor(month, day) => WireEntry::RemittedFor(month.months(), day.days()),
            Entry::Subsidy(id, day) => WireEntry::Subsidy(id.clone(), day.days()),
            Entry::ReleasedOf(id, day) => WireEntry::ReleasedOf(id.clone(), day.days()),
            Entry::Received(topic, day) => WireEntry::Received(number(*topic), day.days()),
            Entry::Closed(topic, day) => WireEntry::Closed(number(*topic), day.days()),
            Entry::Close(topic, day) => WireEntry::Close(number(*topic), day.days()),
            Entry::Due(month, day) => WireEntry::Due(month.months(), day.days()),
            Entry::PaidOfDue(month, day) => WireEntry::PaidOfDue(month.months(), day.days()),
            Entry::BaseDue(month, day) => WireEntry::BaseDue(month.months(), day.days()),
            Entry::BaseDeclared(month, day) => WireEntry::BaseDeclared(month.months(), day.days()),
            Entry::PayoutDueFrom(month) => WireEntry::PayoutDueFrom(month.months()),
            Entry::PaidInTime(month) => WireEntry::PaidInTime(month.months()),
        }
    }

    fn entry(self) -> Option<Entry> {
        let (day, month) = (BusinessDate::from_days, Period::from_months);
        Some(match self {
            WireEntry::Flow(flow, on) => Entry::Flow(flow.flow()?, day(on)),
            WireEntry::RemittedFor(of, on) => Entry::RemittedFor(month(of), day(on)),
            WireEntry::Subsidy(id, on) => Entry::Subsidy(id, day(on)),
            WireEntry::ReleasedOf(id, on) => Entry::ReleasedOf(id, day(on)),
            WireEntry::Received(topic, on) => Entry::Received(topic_of(topic)?, day(on)),
            WireEntry::Closed(topic, on) => Entry::Closed(topic_of(topic)?, day(on)),
            WireEntry::Close(topic, on) => Entry::Close(topic_of(topic)?, day(on)),
            WireEntry::Due(of, on) => Entry::Due(month(of), day(on)),
            WireEntry::PaidOfDue(of, on) => Entry::PaidOfDue(month(of), day(on)),
            WireEntry::BaseDue(of, on) => Entry::BaseDue(month(of), day(on)),
            WireEntry::BaseDeclared(of, on) => Entry::BaseDeclared(month(of), day(on)),
            WireEntry::PayoutDueFrom(of) => Entry::PayoutDueFrom(month(of)),
            WireEntry::PaidInTime(of) => Entry::PaidInTime(month(of)),
        })
    }
}

impl WireFlow {
    fn of(flow: Flow) -> WireFlow {
        match flow {
            Flow::Collected => WireFlow::Collected,
            Flow::CollectionReversed => WireFlow::CollectionReversed,
            Flow::RemittedUp => WireFlow::RemittedUp,
            Flow::CentralSubsidy => WireFlow::CentralSubsidy,
            Flow::ProvincialSubsidy => WireFlow::ProvincialSubsidy,
            Flow::CountySubsidy => WireFlow::CountySubsidy,
            Flow::Released => WireFlow::Released,
            Flow::AllocatedDown => WireFlow::AllocatedDown,
            Flow::Advanced => WireFlow::Advanced,
            Flow::PaidOut(nature, class) => WireFlow::PaidOut(nature as u8, class as u8),
            Flow::PayoutReversed(class) => WireFlow::PayoutReversed(class as u8),
        }
    }

    fn flow(self) -> Option<Flow> {
        let class = |class: u8| ItemClass::ALL.get(usize::from(class)).copied();
        Some(match self {
            WireFlow::Collected => Flow::Collected,
            WireFlow::CollectionReversed => Flow::CollectionReversed,
            WireFlow::RemittedUp => Flow::RemittedUp,
            WireFlow::CentralSubsidy => Flow::CentralSubsidy,
            WireFlow::ProvincialSubsidy => Flow::ProvincialSubsidy,
            WireFlow::CountySubsidy => Flow::CountySubsidy,
            WireFlow::Released => Flow::Released,
            WireFlow::AllocatedDown => Flow::AllocatedDown,
            WireFlow::Advanced => Flow::Advanced,
            WireFlow::PaidOut(nature, of) => {
                Flow::PaidOut(*Nature::ALL.get(usize::from(nature))?, class(of)?)
            }
            WireFlow::PayoutReversed(of) => Flow::PayoutReversed(class(of)?),
        })
    }
}

fn number(topic: Topic) -> u8 {
    topic.index() as u8
}

fn topic_of(number: u8) -> Option<Topic> {
    Topic::ALL.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: u32) -> BusinessDate {
        BusinessDate::from_days(days)
    }

    /// One of each kind, and of each kind of subject, entry and flow.
    fn samples() -> Vec<Outcome> {
        let subjects = [
            Subject::Enterprise(CreditCode::parse(b"91341002MA2TEXT08E").unwrap()),
            Subject::Person(PersonId::parse(b"341099194001010008").unwrap()),
            Subject::Region(RegionCode::parse(b"341002").unwrap()),
            Subject::Transfer("上-1".to_owned()),
        ];
        let mut samples = Vec::new();
        for (subject, detector) in subjects.into_iter().zip(Detector::ALL) {
            for (is_found, table) in [(false, "benefit"), (true, "remittance")] {
                let key = AlertKey {
                    detector,
                    subject: subject.clone(),
                    period: is_found.then(|| Period::from_months(1_452)),
                    item: is_found.then(|| "basic_pension".to_owned()),
                };
                let cause = EvidenceId {
                    topic: Topic::TreasuryTransfer,
                    id: "t-1".to_owned(),
                };
                let details = serde_json::json!({"b": "1.00", "a": [1, null], "姓名": {"x": -3}});
                let finding = Finding {
                    key: key.clone(),
                    region: RegionCode::parse(b"341021").unwrap(),
                    episode: Episode {
                        opened_on: day(45_000),
                        cleared_on: is_found.then(|| day(45_001)),
                        amount: Money::from_fen(-7),
                        peak: Money::from_fen(i128::from(i64::MAX) * 3),
                        count: 2,
                    },
                    severity: Severity::Orange,
                    evidence: vec![cause.clone(), cause.clone()],
                    policy: Some(PolicyEntry {
                        table,
                        from: Period::from_months(1_400),
                    }),
                    details: details.as_object().unwrap().clone(),
                };
                samples.push(Outcome::Update {
                    key,
                    finding: is_found.then_some(finding),
                    cause: (!is_found).then_some(cause),
                });
            }
        }
        let topic = Topic::CivilDeath;
        let close = Close {
            topic: 3,
            region: 1,
            position: 1 << 48 | 5,
            id: "c".to_owned(),
            date: 45_000,
            records: 4,
            fen: -1,
        };
        let received = Received {
            topic,
            region: RegionId(2),
            lane: 7,
            interval: 9,
            date: day(45_002),
            records: -1,
            amount: Money::from_fen(-250),
        };
        samples.extend([
            Outcome::Redelivered {
                topic,
                lane: u16::MAX,
                count: i64::MIN,
            },
            Outcome::Conflicting {
                topic,
                position: u64::MAX,
            },
            Outcome::NoConflict { topic, position: 1 },
            Outcome::Received(received),
            Outcome::Closed(close),
            Outcome::Present(day(45_003)),
        ]);
        let month = Period::from_months(1_451);
        let flows = [
            Flow::Collected,
            Flow::CollectionReversed,
            Flow::RemittedUp,
            Flow::CentralSubsidy,
            Flow::ProvincialSubsidy,
            Flow::CountySubsidy,
            Flow::Released,
            Flow::AllocatedDown,
            Flow::Advanced,
            Flow::PaidOut(Nature::ALL[1], ItemClass::Unlisted),
            Flow::PayoutReversed(ItemClass::Unruled),
        ];
        let entries = flows
            .map(|flow| Entry::Flow(flow, day(7)))
            .into_iter()
            .chain([
                Entry::RemittedFor(month, day(1)),
                Entry::Subsidy("s".to_owned(), day(2)),
                Entry::ReleasedOf("s".to_owned(), day(3)),
                Entry::Received(topic, day(4)),
                Entry::Closed(topic, day(5)),
                Entry::Close(topic, day(6)),
                Entry::Due(month, day(7)),
                Entry::PaidOfDue(month, day(8)),
                Entry::BaseDue(month, day(9)),
                Entry::BaseDeclared(month, day(10)),
                Entry::PayoutDueFrom(month),
                Entry::PaidInTime(month),
            ]);
        let postings = (0..).zip(entries).map(|(region, entry)| Posting {
            region: RegionId(region),
            entry,
            change: Sum::one(-1, Money::from_fen(300)),
        });
        samples.push(Outcome::Posted(postings.collect()));
        samples
    }

    #[test]
    fn everything_arrives_as_it_was_sent() {
        let samples = samples();
        assert_eq!(read(&write(&samples)), Some(samples));
        assert_eq!(read(&write(&[])), Some(Vec::new()));
    }

    #[test]
    fn whatever_the_bytes_are_there_is_no_panic() {
        let bytes = write(&samples());
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), None, "cut off at {end}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x55;
            // What it says then does not matter.
            let _ = read(&flipped);
        }
    }
}
