//! Feeds written by hand: records in sending order, and day closes that say the truth about them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stage::{Stage, TOPICS};

/// What the sources have sent of late, and what is to be sent at once.
#[derive(Default)]
pub struct Feeds {
    /// Since the last close of a topic and region: records, and the fen in them.
    since_close: BTreeMap<(&'static str, &'static str), (u64, u64)>,
    batch: Vec<(&'static str, &'static str, Vec<u8>)>,
    next: u32,
}

impl Feeds {
    /// A record of a region's feed; its `id`, its `region` and an `amount` in fen are put in.
    pub fn record(
        &mut self,
        topic: &'static str,
        region: &'static str,
        fen: Option<u64>,
        record: Value,
    ) -> String {
        let (records, sum) = self.since_close.entry((topic, region)).or_default();
        *records += 1;
        *sum += fen.unwrap_or(0);
        self.put(topic, region, fen, record)
    }

    /// A region's feed is complete up to the date.
    pub fn close(&mut self, topic: &'static str, region: &'static str, date: &str) {
        let (records, fen) = self
            .since_close
            .remove(&(topic, region))
            .unwrap_or_default();
        let close = json!({"type": "day_close", "date": date, "records": records});
        self.put(topic, region, Some(fen), close);
    }

    /// All feeds of the regions are complete up to the date, but for some.
    pub fn close_all_but(&mut self, silent: &[(&str, &str)], regions: &[&'static str], date: &str) {
        for region in regions {
            for topic in TOPICS {
                if !silent.contains(&(topic, region)) {
                    self.close(topic, region, date);
                }
            }
        }
    }

    /// Bytes as they are; they count for no close.
    pub fn raw(&mut self, topic: &'static str, region: &'static str, bytes: &[u8]) {
        self.batch.push((topic, region, bytes.to_vec()));
    }

    /// Sends what has gathered.
    pub fn send(&mut self, stage: &Stage) {
        let batch: Vec<(String, &str, Vec<u8>)> = std::mem::take(&mut self.batch)
            .into_iter()
            .map(|(topic, region, bytes)| (stage.topic(topic), region, bytes))
            .collect();
        let records: Vec<(&str, &str, &[u8])> = batch
            .iter()
            .map(|(topic, region, bytes)| (topic.as_str(), *region, bytes.as_slice()))
            .collect();
        stage
            .broker
            .send(&records)
            .expect("the broker takes records");
    }

    fn put(
        &mut self,
        topic: &'static str,
        region: &'static str,
        fen: Option<u64>,
        mut record: Value,
    ) -> String {
        self.next += 1;
        let id = format!("R{}", self.next);
        record["id"] = json!(id);
        record["region"] = json!(region);
        if let Some(fen) = fen {
            record["amount"] = json!(yuan(fen));
        }
        self.batch
            .push((topic, region, record.to_string().into_bytes()));
        id
    }
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}
