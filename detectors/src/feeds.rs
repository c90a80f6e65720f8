//! 数据中断 (`silent-feed`) and 数据不全 (`incomplete-feed`): do the feeds themselves hold?
//!
//! Contract section 6. Reads the day closes in the order in which they came, what was accepted
//! between them, and the present. Live only: a replay knows neither clock nor sending order.
//!
//! What a feed says late is late for good: a record that arrives after its day was closed makes an
//! incomplete close whole again (cleared, not withdrawn), unless the next close counts it as its own.
//!
//! A close counts what came since the close before it in its own partition. What a region sends on a topic belongs into one
//! (contract section 2): if it is spread over several, no order between them is known, and what came elsewhere is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{
    AlertKey, BusinessDate, Detector, Episode, EvidenceId, Finding, Money, RegionId, Subject, Topic,
};
use rules::Policy;
use serde_json::{Map, json};

use crate::dataflow::times::Close;
use crate::dataflow::{Outcome, Received, differences};

/// Watches the feeds of all regions.
#[derive(Debug)]
pub struct FeedWatch {
    policy: Arc<Policy>,
    /// Business days within which a feed must close again, by [`Topic::index`].
    close_within: [u32; Topic::ALL.len()],
    present: Option<BusinessDate>,
    feeds: BTreeMap<(Topic, RegionId), Feed>,
    said: BTreeMap<(Topic, RegionId), Vec<Finding>>,
    /// Calendar or times to close within are others than before: every feed is due.
    is_renewed: bool,
}

#[derive(Debug, Default)]
struct Feed {
    /// By partition, in the order in which they came.
    closes: BTreeMap<u16, Vec<Close>>,
    /// The close that came last, of whichever partition.
    newest: Option<EvidenceId>,
    received: BTreeMap<Entry, Counts>,
}

/// Partition, interval (how many closes came before in it), and date.
type Entry = (u16, u32, BusinessDate);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    records: i64,
    amount: Money,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.records += other.records;
        self.amount += other.amount;
    }

    fn less(self, other: Counts) -> Counts {
        Counts {
            records: self.records - other.records,
            amount: self.amount - other.amount,
        }
    }
}

impl FeedWatch {
    /// Watches feeds that must close within so many business days, by [`Topic::index`].
    pub fn new(policy: Arc<Policy>, close_within: [u32; Topic::ALL.len()]) -> FeedWatch {
        FeedWatch {
            policy,
            close_within,
            present: None,
            feeds: BTreeMap::new(),
            said: BTreeMap::new(),
            is_renewed: false,
        }
    }

    /// From now on feeds are watched by another policy and other times to close within.
    pub fn renew(&mut self, policy: Arc<Policy>, close_within: [u32; Topic::ALL.len()]) {
        self.policy = policy;
        self.close_within = close_within;
        self.is_renewed = true;
    }

    /// Takes in what came of an epoch, and adds what is to be said of the feeds.
    pub fn watch(&mut self, outcomes: &mut Vec<Outcome>) {
        let mut touched = BTreeSet::new();
        let mut moved = false;
        for outcome in outcomes.iter() {
            match outcome {
                Outcome::Closed(close) => {
                    let key = (close.topic(), close.region());
                    let feed = self.feeds.entry(key).or_default();
                    feed.newest = Some(evidence(key.0, close));
                    let lane = (close.position >> 48) as u16;
                    feed.closes.entry(lane).or_default().push(close.clone());
                    touched.insert(key);
                }
                Outcome::Received(received) => {
                    self.take(received);
                    touched.insert((received.topic, received.region));
                }
                Outcome::Present(present) => {
                    self.present = self.present.max(Some(*present));
                    moved = true;
                }
                _ => {}
            }
        }
        if moved || std::mem::take(&mut self.is_renewed) {
            touched.extend(self.feeds.keys().copied());
        }
        let Some(present) = self.present else { return };
        for key in touched {
            let Some(feed) = self.feeds.get(&key) else {
                continue;
            };
            let mut findings = Vec::new();
            findings.extend(self.silent(key, feed, present));
            findings.extend(self.incomplete(key, feed, present));
            let cause = feed.newest.clone();
            let before = self.said.insert(key, findings.clone()).unwrap_or_default();
            differences(before, findings, cause.as_ref(), outcomes);
        }
    }

    fn take(&mut self, received: &Received) {
        let feed = self
            .feeds
            .entry((received.topic, received.region))
            .or_default();
        feed.received
            .entry((received.lane, received.interval, received.date))
            .or_default()
            .add(Counts {
                records: received.records,
                amount: received.amount,
            });
    }

    fn finding(
        &self,
        detector: Detector,
        key: (Topic, RegionId),
        item: String,
        episode: Episode,
        close: &Close,
        details: serde_json::Value,
    ) -> Finding {
        let region = self.policy.region(key.1).code;
        let at_stake = if episode.cleared_on.is_some() {
            episode.peak
        } else {
            episode.amount
        };
        Finding {
            key: AlertKey {
                detector,
                subject: Subject::Region(region),
                period: None,
                item: Some(item),
            },
            region,
            severity: self.policy.severity(detector, at_stake),
            episode,
            evidence: vec![evidence(key.0, close)],
            policy: None,
            details: match details {
                serde_json::Value::Object(details) => details,
                _ => Map::new(),
            },
        }
    }

    /// Holds from the day on which the last close is older than allowed, to the next close.
    fn silent(
        &self,
        key: (Topic, RegionId),
        feed: &Feed,
        present: BusinessDate,
    ) -> Option<Finding> {
        if !self.policy.detector(Detector::SilentFeed).enabled {
            return None;
        }
        let within = self.close_within[key.0.index()];
        let calendar = self.policy.calendar();
        let mut closes: Vec<&Close> = feed
            .closes
            .values()
            .flatten()
            .filter(|close| close.date() <= present)
            .collect();
        closes.sort_by_key(|close| (close.date(), close.position));
        let last = *closes.last()?;
        let ends = closes
            .iter()
            .skip(1)
            .map(|next| Some(next.date()))
            .chain([None]);
        let mut episode: Option<Episode> = None;
        for (close, end) in closes.iter().zip(ends) {
            let opened_on = calendar.plus_business_days(close.date(), within).next();
            let ended = end.is_some_and(|end| end <= opened_on);
            if ended || present < opened_on {
                continue;
            }
            episode = Some(Episode {
                opened_on,
                cleared_on: end,
                amount: Money::ZERO,
                peak: Money::ZERO,
                count: episode.map_or(0, |before| before.count) + 1,
            });
        }
        let details = json!({"last_close": last.date(), "close_within_business_days": within});
        episode.map(|episode| {
            self.finding(
                Detector::SilentFeed,
                key,
                key.0.to_string(),
                episode,
                last,
                details,
            )
        })
    }

    /// Holds from the close on, until the missing records arrive.
    fn incomplete(
        &self,
        key: (Topic, RegionId),
        feed: &Feed,
        present: BusinessDate,
    ) -> Vec<Finding> {
        if !self.policy.detector(Detector::IncompleteFeed).enabled {
            return Vec::new();
        }
        let mut claimed: BTreeSet<Entry> = BTreeSet::new();
        let mut findings = Vec::new();
        let closes = feed.closes.iter().flat_map(|(lane, closes)| {
            let numbered = (0..).zip(closes);
            numbered.map(move |(interval, close)| (*lane, interval, close))
        });
        for (lane, interval, close) in closes {
            let expected = Counts {
                records: i64::from(close.records),
                amount: close.amount(),
            };
            let received = feed.sum_of(lane, interval, &claimed);
            if received == expected {
                continue;
            }
            let missing = expected.less(received);
            let late = feed.late_for(close, lane, interval, &claimed);
            let mut arrived = Counts::default();
            late.iter()
                .for_each(|entry| arrived.add(feed.received[entry]));
            let filled = !late.is_empty() && arrived == missing;
            let cleared_on = filled.then(|| {
                let last = late
                    .iter()
                    .map(|(_, interval, _)| *interval)
                    .max()
                    .unwrap_or(interval);
                let closed = feed.close(lane, last).map_or(present, Close::date);
                closed.max(close.date().next())
            });
            if filled {
                claimed.extend(late);
            }
            let difference = if missing.amount < Money::ZERO {
                -missing.amount
            } else {
                missing.amount
            };
            let episode = Episode {
                opened_on: close.date(),
                cleared_on,
                amount: if filled { Money::ZERO } else { difference },
                peak: difference,
                count: 1,
            };
            let details = json!({
                "records_sent": expected.records,
                "records_received": received.records,
                "amount_sent": expected.amount,
                "amount_received": received.amount,
            });
            let item = format!("{}:{}", key.0, close.id);
            findings.push(self.finding(
                Detector::IncompleteFeed,
                key,
                item,
                episode,
                close,
                details,
            ));
        }
        findings
    }
}

impl Feed {
    /// The close that ends an interval.
    fn close(&self, lane: u16, interval: u32) -> Option<&Close> {
        self.closes.get(&lane)?.get(interval as usize)
    }

    /// What was received in an interval and is not claimed by an earlier close.
    fn sum_of(&self, lane: u16, interval: u32, claimed: &BTreeSet<Entry>) -> Counts {
        let mut sum = Counts::default();
        let first = (lane, interval, BusinessDate::FIRST);
        self.received
            .range(first..=(lane, interval, BusinessDate::LAST))
            .filter(|(entry, _)| !claimed.contains(entry))
            .for_each(|(_, counts)| sum.add(*counts));
        sum
    }

    /// What came after a close and is dated up to it, of intervals that do not count it as their own.
    fn late_for(
        &self,
        close: &Close,
        lane: u16,
        interval: u32,
        claimed: &BTreeSet<Entry>,
    ) -> Vec<Entry> {
        let is_whole = |later: u32| {
            self.close(lane, later).is_some_and(|next| {
                let counts = Counts {
                    records: i64::from(next.records),
                    amount: next.amount(),
                };
                self.sum_of(lane, later, claimed) == counts
            })
        };
        self.received
            .range((lane, interval + 1, BusinessDate::FIRST)..=(lane, u32::MAX, BusinessDate::LAST))
            .map(|(entry, _)| *entry)
            .filter(|entry| {
                let (_, later, date) = *entry;
                date <= close.date() && !claimed.contains(entry) && !is_whole(later)
            })
            .collect()
    }
}

fn evidence(topic: Topic, close: &Close) -> EvidenceId {
    EvidenceId {
        topic,
        id: close.id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGION: RegionId = RegionId(1);
    const TOPIC: Topic = Topic::AgencyPayout;

    fn date(text: &str) -> BusinessDate {
        BusinessDate::parse(text.as_bytes()).unwrap()
    }

    fn close(id: &str, day: &str, records: u32, yuan: i64) -> Outcome {
        close_in(0, id, day, records, yuan)
    }

    fn close_in(lane: u64, id: &str, day: &str, records: u32, yuan: i64) -> Outcome {
        Outcome::Closed(Close {
            topic: TOPIC.index() as u8,
            region: REGION.0,
            position: lane << 48,
            id: id.to_owned(),
            date: date(day).days(),
            records,
            fen: Money::from_yuan(yuan).fen(),
        })
    }

    fn received(interval: u32, day: &str, records: i64, yuan: i64) -> Outcome {
        received_in(0, interval, day, records, yuan)
    }

    fn received_in(lane: u16, interval: u32, day: &str, records: i64, yuan: i64) -> Outcome {
        Outcome::Received(Received {
            topic: TOPIC,
            region: REGION,
            lane,
            interval,
            date: date(day),
            records,
            amount: Money::from_yuan(yuan),
        })
    }

    fn present(day: &str) -> Outcome {
        Outcome::Present(date(day))
    }

    /// What is said in each epoch, a line a finding.
    fn said(epochs: Vec<Vec<Outcome>>) -> Vec<Vec<String>> {
        let policy = Arc::new(Policy::huangshan());
        let mut watch = FeedWatch::new(policy, [1; 5]);
        epochs
            .into_iter()
            .map(|mut outcomes| {
                let known = outcomes.len();
                watch.watch(&mut outcomes);
                outcomes[known..]
                    .iter()
                    .map(|outcome| match outcome {
                        Outcome::Update {
                            key, finding: None, ..
                        } => format!("{} gone", key.item.as_deref().unwrap_or("")),
                        Outcome::Update {
                            key,
                            finding: Some(finding),
                            ..
                        } => format!(
                            "{} {} {} {} {}",
                            key.detector,
                            key.item.as_deref().unwrap_or(""),
                            finding.episode.opened_on,
                            finding
                                .episode
                                .cleared_on
                                .map_or("open".to_owned(), |day| day.to_string()),
                            finding.episode.peak,
                        ),
                        other => panic!("{other:?}"),
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_feed_is_silent_from_the_day_its_close_is_too_old() {
        // Friday 2024-03-01 closes; Monday is one business day later, so Tuesday is too late.
        let epochs = vec![
            vec![close("Q1", "2024-03-01", 0, 0), present("2024-03-01")],
            vec![present("2024-03-04")],
            vec![present("2024-03-05")],
            vec![close("Q2", "2024-03-06", 0, 0), present("2024-03-06")],
        ];
        let expected: Vec<Vec<String>> = vec![
            vec![],
            vec![],
            vec!["silent-feed agency.payout 2024-03-05 open 0.00".to_owned()],
            vec!["silent-feed agency.payout 2024-03-05 2024-03-06 0.00".to_owned()],
        ];
        assert_eq!(said(epochs), expected);
    }

    /// Against the contract a region is spread over two partitions. Live one of them came first; a start reads them in the
    /// order of their numbers, and once told of two closes more than the daemon that had seen them come.
    #[test]
    fn the_order_between_partitions_changes_nothing() {
        let first = vec![
            received_in(0, 0, "2024-03-01", 2, 20),
            close_in(0, "Q1", "2024-03-01", 2, 20),
        ];
        let second = vec![
            received_in(1, 0, "2024-03-04", 1, 10),
            close_in(1, "Q2", "2024-03-04", 1, 10),
            received_in(1, 1, "2024-03-05", 7, 70),
            close_in(1, "Q3", "2024-03-05", 8, 90),
        ];
        let now = || vec![present("2024-03-05")];
        let expected = ["incomplete-feed agency.payout:Q3 2024-03-05 open 20.00".to_owned()];
        for order in [[first.clone(), second.clone()], [second, first]] {
            let [one, other] = order;
            let told = said(vec![one, other, now()]).concat();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn an_incomplete_close_is_filled_by_what_arrives_late() {
        let epochs = vec![
            vec![
                received(0, "2024-03-01", 2, 20),
                close("Q1", "2024-03-01", 3, 30),
                present("2024-03-01"),
            ],
            vec![received(1, "2024-03-01", 1, 10)],
            vec![
                received(1, "2024-03-04", 5, 50),
                close("Q2", "2024-03-04", 5, 50),
                present("2024-03-04"),
            ],
        ];
        let expected: Vec<Vec<String>> = vec![
            vec!["incomplete-feed agency.payout:Q1 2024-03-01 open 10.00".to_owned()],
            vec!["incomplete-feed agency.payout:Q1 2024-03-01 2024-03-02 10.00".to_owned()],
            vec!["incomplete-feed agency.payout:Q1 2024-03-01 2024-03-04 10.00".to_owned()],
        ];
        assert_eq!(said(epochs), expected);
    }

    #[test]
    fn a_late_fact_that_the_next_close_counts_is_its_own() {
        let epochs = vec![
            vec![
                received(0, "2024-03-01", 2, 20),
                close("Q1", "2024-03-01", 2, 20),
                received(1, "2024-03-01", 1, 10),
                received(1, "2024-03-04", 5, 50),
                close("Q2", "2024-03-04", 6, 60),
                present("2024-03-04"),
            ],
            vec![
                received(2, "2024-03-05", 1, 1),
                close("Q3", "2024-03-05", 1, 2),
                present("2024-03-05"),
            ],
        ];
        let expected: Vec<Vec<String>> = vec![
            vec![],
            vec!["incomplete-feed agency.payout:Q3 2024-03-05 open 1.00".to_owned()],
        ];
        assert_eq!(said(epochs), expected);
    }
}
