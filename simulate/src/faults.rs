//! Faults of the feeds themselves: records that nobody can accept, and feeds that fall silent.

use std::io;

use domain::{BusinessDate, Detector, Topic};
use rules::Policy;

use crate::city::City;
use crate::dice::Purpose;
use crate::post::Silence;
use crate::simulation::{Event, Simulation};
use crate::truth::Planted;

/// A bad record: which of [`BAD`], and the how manieth of its reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    reason: usize,
    number: usize,
}

/// One byte more than a record may have.
const TOO_LARGE: usize = 1_048_577;

/// Each reason of contract section 2 but `conflicting-id` (which takes a record before it): a topic,
/// the reason, and a record with exactly that fault. `{id}`, `{region}`, `{date}` and `{month}` are
/// filled in; `{gbk}` becomes a name in the encoding that old systems still send.
const BAD: [(Topic, &str, &str); 14] = [
    (
        Topic::AgencyPayout,
        "too-large",
        r#"{"id":"{id}","type":"payout","region":"{region}","date":"{date}","account":"{filler}"}"#,
    ),
    (
        Topic::TaxCollection,
        "not-utf8",
        r#"{"id":"{id}","type":"enterprise","region":"{region}","date":"{date}","enterprise":"91341099XXXX00019J","name":"{gbk}","status":"active"}"#,
    ),
    (
        Topic::TreasuryTransfer,
        "not-json",
        r#"{"id":"{id}","type":"transfer","region":"{region}","date":"{da"#,
    ),
    (
        Topic::TaxCollection,
        "missing-field",
        r#"{"id":"{id}","type":"payment","region":"{region}","date":"{date}","enterprise":"91341099XXXX00019J","amount":"24000.00"}"#,
    ),
    (
        Topic::TaxCollection,
        "unknown-type",
        r#"{"id":"{id}","type":"refund","region":"{region}","date":"{date}","enterprise":"91341099XXXX00019J","amount":"24000.00"}"#,
    ),
    (
        Topic::AgencyRoster,
        "bad-id",
        r#"{"id":"{id} 2","type":"beneficiary","region":"{region}","date":"{date}","person":"341099194001010008","status":"receiving"}"#,
    ),
    (
        Topic::TreasuryTransfer,
        "unknown-region",
        r#"{"id":"{id}","type":"transfer","region":"341099","date":"{date}","kind":"allocate_down","amount":"1000.00"}"#,
    ),
    (
        Topic::CivilDeath,
        "bad-date",
        r#"{"id":"{id}","type":"death","region":"{region}","date":"{date}","person":"341099194001010008","died_on":"2023-02-30","source":"hospital"}"#,
    ),
    (
        Topic::TaxCollection,
        "bad-period",
        r#"{"id":"{id}","type":"payment","region":"{region}","date":"{date}","enterprise":"91341099XXXX00019J","period":"2024-13","amount":"24000.00"}"#,
    ),
    (
        Topic::AgencyPayout,
        "bad-amount",
        r#"{"id":"{id}","type":"payout","region":"{region}","date":"{date}","person":"341099194001010008","period":"{month}","item":"basic_pension","nature":"regular","amount":"2,800.00"}"#,
    ),
    (
        Topic::TaxCollection,
        "bad-count",
        r#"{"id":"{id}","type":"declaration","region":"{region}","date":"{date}","enterprise":"91341099XXXX00019J","period":"{month}","headcount":12.5,"base":"60000.00"}"#,
    ),
    (
        Topic::CivilDeath,
        "bad-person",
        r#"{"id":"{id}","type":"death","region":"{region}","date":"{date}","person":"341099190401010008","died_on":"{date}","source":"police"}"#,
    ),
    (
        Topic::TaxCollection,
        "bad-enterprise",
        r#"{"id":"{id}","type":"payment","region":"{region}","date":"{date}","enterprise":"91341099XXXX00019L","period":"{month}","amount":"24000.00"}"#,
    ),
    (
        Topic::AgencyRoster,
        "bad-value",
        r#"{"id":"{id}","type":"beneficiary","region":"{region}","date":"{date}","person":"341099194001010008","status":"retired"}"#,
    ),
];

/// 黄山 in GB 18030: no UTF-8.
const GBK: &[u8] = b"\xbb\xc6\xc9\xbd";

/// The feeds that fall silent: deaths of the last region for good, after two thirds of the time, and the
/// roster of the second for six business days, after half of it.
pub(crate) fn silences(city: &City, policy: &Policy) -> Vec<Silence> {
    let regions = city.regions.len();
    if regions < 2 {
        return Vec::new();
    }
    let first = city.from.first_day();
    let last = city.period(city.size.months - 1).last_day();
    let days = last.days_since(first);
    let calendar = policy.calendar();
    let half = calendar.on_or_after(first.plus_days(days / 2));
    vec![
        Silence {
            topic: Topic::CivilDeath,
            region: regions - 1,
            from: calendar.on_or_after(first.plus_days(days / 3 * 2)),
            until: None,
        },
        Silence {
            topic: Topic::AgencyRoster,
            region: 1,
            from: half,
            until: Some(calendar.plus_business_days(half, 6)),
        },
    ]
}

impl Simulation<'_> {
    /// Puts the bad records of the whole time on the agenda, and notes the silences.
    pub(crate) fn plan_faults(&mut self, a_year: u32) {
        self.plan_silences();
        if a_year == 0 {
            return;
        }
        let days = self.business_days(self.city.from.first_day(), self.end);
        let a_reason = (a_year as usize * self.city.size.months as usize / 12).max(1);
        for (reason, (_, name, _)) in BAD.iter().enumerate() {
            // One of the largest is enough.
            let count = if *name == "too-large" { 1 } else { a_reason };
            for number in 0..count {
                let draw = self
                    .city
                    .dice
                    .roll2(Purpose::Fault, reason as u64, number as u64);
                let day = days[draw.place(days.len())];
                self.at(day, Event::Fault(Fault { reason, number }));
            }
        }
    }

    fn plan_silences(&mut self) {
        for silence in self.silences.clone() {
            let code = self.city.regions[silence.region].code;
            let planted = Planted {
                topic: Some(silence.topic),
                item: Some(silence.topic.to_string()),
                planted_on: silence.from,
                opened_on: Some(silence.from),
                cleared_on: silence.until,
                ..self.planted(
                    "silent-feed",
                    Some(Detector::SilentFeed),
                    code.to_string(),
                    silence.region,
                    0,
                    "the feed sent nothing, not even closes",
                )
            };
            self.plant(planted);
        }
    }

    /// Sends a bad record.
    pub(crate) fn fault(&mut self, fault: Fault) -> io::Result<()> {
        let (topic, reason, _) = BAD[fault.reason];
        let draw = self.city.dice.roll2(
            Purpose::Fault,
            fault.reason as u64 + 100,
            fault.number as u64,
        );
        let region = draw.place(self.city.regions.len());
        if self.silences.iter().any(|silence| {
            silence.topic == topic && silence.region == region && silence.from <= self.today
        }) {
            return Ok(());
        }
        let id = format!("X{}-{:04}", reason, fault.number);
        let bytes = bad_record(
            fault.reason,
            &id,
            self.city.regions[region].code.as_str(),
            self.today,
        );
        *self.rejected.entry((topic, reason)).or_default() += 1;
        let planted = Planted {
            topic: Some(topic),
            reason: Some(reason),
            ..self.planted(
                "bad-record",
                None,
                id,
                region,
                0,
                "a record that cannot be accepted",
            )
        };
        self.plant(planted);
        self.post.send_junk(topic, region, &bytes)
    }
}

fn bad_record(reason: usize, id: &str, region: &str, date: BusinessDate) -> Vec<u8> {
    let (_, _, template) = BAD[reason];
    let text = template
        .replace("{id}", id)
        .replace("{region}", region)
        .replace("{date}", &date.to_string())
        .replace("{month}", &date.period().to_string());
    let text = if text.contains("{filler}") {
        let rest = TOO_LARGE - (text.len() - "{filler}".len());
        text.replace("{filler}", &"0".repeat(rest))
    } else {
        text
    };
    match text.split_once("{gbk}") {
        Some((before, after)) => [before.as_bytes(), GBK, after.as_bytes()].concat(),
        None => text.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_record_is_bad_in_its_way() {
        let date = BusinessDate::from_ymd(2024, 3, 5).unwrap();
        for (reason, (_, name, _)) in BAD.iter().enumerate() {
            let bytes = bad_record(reason, "X1", "341002", date);
            let is_json = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
            match *name {
                "too-large" => assert_eq!(bytes.len(), TOO_LARGE),
                "not-utf8" => assert!(std::str::from_utf8(&bytes).is_err()),
                "not-json" => assert!(!is_json),
                _ => assert!(is_json, "{name}"),
            }
            assert!(!bytes.contains(&b'\n'));
        }
    }

    #[test]
    fn reasons_differ() {
        let reasons: std::collections::BTreeSet<_> = BAD.iter().map(|(_, name, _)| name).collect();
        assert_eq!(reasons.len(), BAD.len());
    }
}
