//! Each kind of mail as it goes out, kept in `alerting/golden/` and compared byte for byte: for each
//! detector the life of one alert, and the mails on many or on none, in both languages.
//!
//! `FUNDWATCH_REWRITE_GOLDEN=1` writes them anew; look at what changed before it is committed. The
//! `.txt` has the headers that matter and the plain text; the `.html` can be looked at in a browser.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{Detector, EvidenceId, Finding, Money, PolicyEntry, Severity, Subject, Topic};
use jiff::Timestamp;
use mail_parser::MessageParser;
use rules::Policy;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::letter::compose;
use super::*;
use crate::batch::{FeedAsOf, Update};
use crate::identity::AlertIdentity;
use crate::routing::{Language, Pacing, Recipient, RegionWide, Routing};
use crate::store::{Letter, MailQueue, Outcome, Store};
use crate::test_kit::{
    at_once, batch, cleared, day, enterprise, finding, now, pacing, person, recipient, region,
    routing,
};

const REWRITE: &str = "FUNDWATCH_REWRITE_GOLDEN";
const LANGUAGES: [Language; 2] = [Language::Zh, Language::En];

struct Gallery {
    folder: PathBuf,
    rewrites: bool,
    wrong: Vec<String>,
    kept: BTreeSet<PathBuf>,
}

impl Gallery {
    fn open() -> Gallery {
        Gallery {
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"),
            rewrites: std::env::var(REWRITE).is_ok_and(|value| value == "1"),
            wrong: Vec::new(),
            kept: BTreeSet::new(),
        }
    }

    fn mail(&mut self, name: &str, letter: &Letter) {
        let config = MailConfig {
            link: Some("https://fundwatch.example.org".to_owned()),
            ..MailConfig::default()
        };
        let office = config.office(Arc::new(Policy::huangshan())).unwrap();
        let from = "基金监测 <watch@fund.example.org>".parse().unwrap();
        let bytes = compose(letter, &from, &office).unwrap().bytes;
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let header = |name: &str| {
            mail.header_raw(name)
                .unwrap_or("")
                .trim()
                .replace("\r\n", "")
        };
        let name = format!("{}/{name}", letter.language.as_str());
        let text = format!(
            "Subject: {}\nDate: {}\nMessage-ID: {}\nIn-Reply-To: {}\nReferences: {}\n\n{}",
            mail.subject().unwrap(),
            mail.date().unwrap().to_rfc3339(),
            header("Message-ID"),
            header("In-Reply-To"),
            header("References"),
            mail.body_text(0).unwrap().replace("\r\n", "\n"),
        );
        self.compare(&format!("{name}.txt"), &text);
        let html = mail.body_html(0).unwrap().replace("\r\n", "\n");
        self.compare(&format!("{name}.html"), &html);
    }

    fn compare(&mut self, name: &str, text: &str) {
        let text = format!("{}\n", text.trim_end());
        let path = self.folder.join(name);
        assert!(self.kept.insert(path.clone()), "{name} is made twice");
        if self.rewrites {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        } else if std::fs::read_to_string(&path).ok() != Some(text) {
            self.wrong.push(name.to_owned());
        }
    }

    /// Nothing is kept that is not made any more.
    fn close(mut self) {
        for language in LANGUAGES {
            let folder = self.folder.join(language.as_str());
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                if self.kept.contains(&path) {
                    continue;
                }
                if self.rewrites {
                    std::fs::remove_file(&path).unwrap();
                } else {
                    self.wrong.push(path.display().to_string());
                }
            }
        }
        assert!(
            self.wrong.is_empty(),
            "mails are not as they are kept; look at them with {REWRITE}=1 and `git diff`: {:#?}",
            self.wrong
        );
    }
}

/// A store that is told step by step, and the mails that come of it.
struct Life {
    _folder: TempDir,
    store: Store,
    routing: Routing,
    epoch: u64,
}

impl Life {
    fn begin() -> Life {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("fund.db");
        let mut store = Store::open(&path, &AlertIdentity::default()).unwrap();
        store.name_for_test("golden");
        let recipients = LANGUAGES.map(|language| Recipient {
            language,
            ..recipient(&format!("{}@example.org", language.as_str()))
        });
        let mut routing = routing(recipients);
        let from = RegionWide {
            alerts: 50,
            percent: 5,
        };
        routing.region_wide.insert(Detector::MissedPayout, from);
        Life {
            _folder: folder,
            store,
            routing,
            epoch: 0,
        }
    }

    fn step(
        &mut self,
        updates: impl IntoIterator<Item = Update>,
        committed: Timestamp,
        planned: Timestamp,
        pacing: &Pacing,
    ) -> Vec<Letter> {
        self.epoch += 1;
        let mut batch = batch(self.epoch, updates);
        batch.as_of = Topic::ALL
            .map(|topic| FeedAsOf {
                topic,
                region: region("341002"),
                closed: day("2024-03-29"),
            })
            .to_vec();
        self.store.commit(&batch, &self.routing, committed).unwrap();
        let mut queue = MailQueue::open(self.store.path()).unwrap();
        queue.plan(pacing, planned).unwrap();
        let letters = queue.claim(planned, 100).unwrap();
        let sent = letters.iter().map(|letter| (letter.seq, Outcome::Sent));
        queue.settle(&sent.collect::<Vec<_>>(), planned).unwrap();
        letters
    }
}

/// One open finding of a detector, with all that a mail may show, and the same grown worse.
fn example(detector: Detector, grade: &str) -> (Finding, Finding) {
    let code = Subject::Enterprise(enterprise(7));
    let someone = Subject::Person(person(8));
    let here = Subject::Region(region("341002"));
    let (subject, period, item, amounts): (_, Option<&str>, Option<&str>, [i64; 2]) = match detector
    {
        Detector::Arrears => (code, Some("2024-02"), None, [8_000, 120_000]),
        Detector::DeceasedRecipient => (someone, None, None, [6_000, 9_000]),
        Detector::DuplicatePayout => (
            someone,
            Some("2024-02"),
            Some("basic_pension"),
            [2_800, 5_600],
        ),
        Detector::IncompleteFeed => (here, None, Some("agency.payout:C0329"), [250, 12_250]),
        Detector::IndicatorBreach => (here, None, Some("reserve-months"), [0, 0]),
        Detector::LateRemittance => (here, Some("2024-02"), None, [480_000, 1_480_000]),
        Detector::MissedPayout => (someone, Some("2024-02"), None, [3_000, 3_100]),
        Detector::SilentFeed => (here, None, Some("tax.collection"), [0, 0]),
        Detector::StalledSubsidy => (
            Subject::Transfer("CZ-2024-0117".to_owned()),
            None,
            None,
            [2_000_000, 12_000_000],
        ),
        Detector::UnauthorisedItem => (
            here,
            Some("2024-02"),
            Some("heating_allowance"),
            [41_600, 166_400],
        ),
        Detector::Undeclared => (code, Some("2024-02"), None, [13_200, 26_400]),
        Detector::UnderDeclaredBase => (code, Some("2024-02"), None, [24_000, 48_000]),
    };
    let make = |yuan: i64, step: usize| {
        let mut finding = finding(detector, subject.clone(), yuan);
        finding.key.period = period.map(|text| domain::Period::parse(text.as_bytes()).unwrap());
        finding.key.item = item.map(str::to_owned);
        finding.severity = severity(detector, grade, step);
        finding.evidence = evidence(detector, step);
        finding.policy = policy_entry(detector);
        if let Value::Object(details) = details(detector, grade, step) {
            finding.details = details;
        }
        finding
    };
    (make(amounts[0], 0), make(amounts[1], 1))
}

fn severity(detector: Detector, grade: &str, step: usize) -> Severity {
    let [first, worse] = match detector {
        Detector::LateRemittance | Detector::StalledSubsidy => [Severity::Orange, Severity::Red],
        Detector::UnauthorisedItem | Detector::Arrears => [Severity::Yellow, Severity::Orange],
        Detector::SilentFeed => [Severity::Blue, Severity::Yellow],
        Detector::DeceasedRecipient if grade == "C" => [Severity::Blue, Severity::Yellow],
        _ => [Severity::Blue, Severity::Blue],
    };
    [first, worse][step]
}

fn policy_entry(detector: Detector) -> Option<PolicyEntry> {
    let table = match detector {
        Detector::Arrears | Detector::Undeclared | Detector::UnderDeclaredBase => "contribution",
        Detector::MissedPayout | Detector::UnauthorisedItem => "benefit",
        Detector::LateRemittance | Detector::StalledSubsidy => "remittance",
        _ => return None,
    };
    Some(PolicyEntry {
        table,
        from: domain::Period::from_ym(2019, 5).unwrap(),
    })
}

fn evidence(detector: Detector, step: usize) -> Vec<EvidenceId> {
    let topic = match detector {
        Detector::DeceasedRecipient => Topic::CivilDeath,
        Detector::DuplicatePayout | Detector::UnauthorisedItem => Topic::AgencyPayout,
        Detector::MissedPayout => Topic::AgencyRoster,
        Detector::LateRemittance | Detector::StalledSubsidy => Topic::TreasuryTransfer,
        _ => Topic::TaxCollection,
    };
    // More than are shown, of the one that has many.
    let count = match detector {
        Detector::UnauthorisedItem => 14,
        _ => 2 + step,
    };
    (1..=count)
        .map(|n| EvidenceId {
            topic,
            id: format!("R-2024-{n:05}"),
        })
        .collect()
}

/// What the detectors give; the sums come out at the amounts above.
fn details(detector: Detector, grade: &str, step: usize) -> Value {
    let pick = |values: [&'static str; 2]| values[step];
    match detector {
        // 24% of the base, less what was paid.
        Detector::Arrears => json!({
            "base": pick(["50000.00", "500000.00"]),
            "paid": pick(["4000.00", "0.00"]),
            "surcharge": pick(["64.00", "960.00"]),
        }),
        Detector::DeceasedRecipient => {
            json!({"after": "2023-12", "match": grade, "payouts": 2 + step})
        }
        Detector::DuplicatePayout => json!({
            "largest": "2800.00",
            "paid_out": pick(["5600.00", "8400.00"]),
            "payouts": 2 + step,
            "regions": ["341002", "341021"],
        }),
        Detector::IncompleteFeed => json!({
            "records_sent": 120, "records_received": 119,
            "amount_sent": "360250.00",
            "amount_received": pick(["360000.00", "348000.00"]),
        }),
        Detector::IndicatorBreach => json!({
            "indicator": "reserve-months", "month": "2024-03", "name_zh": "可支付月数",
            "name_en": "reserve months", "measure": "months", "threshold": "6", "worse": "below",
            "value": pick(["5.8", "2.9"]),
        }),
        Detector::LateRemittance => json!({
            "payments": 240, "paid": "1500000.00", "reversals": 1, "reversed": "20000.00",
            "remitted": pick(["1000000.00", "0.00"]),
        }),
        Detector::MissedPayout => json!({"basis": "roster", "payout_date": "2024-02-20"}),
        Detector::SilentFeed => {
            json!({"last_close": "2024-03-13", "close_within_business_days": 1})
        }
        Detector::StalledSubsidy => json!({
            "arrived": "12000000.00", "release_by": "2024-03-15",
            "released": pick(["10000000.00", "0.00"]),
        }),
        Detector::UnauthorisedItem => json!({"records": 14}),
        // 110% of 24% of the base.
        Detector::Undeclared => json!({
            "base": pick(["50000.00", "100000.00"]), "basis": "declaration",
            "basis_period": "2024-01",
        }),
        // 24% of what is missing.
        Detector::UnderDeclaredBase => json!({
            "base": pick(["200000.00", "100000.00"]), "expected": "300000.00", "headcount": 40,
            "wages": "300000.00",
        }),
    }
}

fn step(finding: &Finding, cause: &str) -> Update {
    Update {
        key: finding.key.clone(),
        finding: Some(finding.clone()),
        cause: Some(EvidenceId {
            topic: finding.evidence[0].topic,
            id: cause.to_owned(),
        }),
    }
}

#[test]
fn mails_are_as_they_are_kept() {
    let mut gallery = Gallery::open();
    let topics = Detector::ALL.map(|detector| (detector, detector.as_str(), "A"));
    let weak = (Detector::DeceasedRecipient, "deceased-recipient-C", "C");
    for (detector, name, grade) in topics.into_iter().chain([weak]) {
        life_of_one(&mut gallery, detector, name, grade);
    }
    on_many(&mut gallery);
    gallery.close();
}

fn life_of_one(gallery: &mut Gallery, detector: Detector, name: &str, grade: &str) {
    let (first, mut worse) = example(detector, grade);
    if first.episode.amount == worse.episode.amount && first.severity == worse.severity {
        worse.severity = Severity::Yellow;
    }
    let over = cleared(worse.clone());
    let gone = Update {
        finding: None,
        ..step(&first, "R-2024-00099")
    };
    let mut life = Life::begin();
    for (event, update) in [
        ("raised", step(&first, "R-2024-00001")),
        ("worse", step(&worse, "R-2024-00003")),
        ("cleared", step(&over, "R-2024-00042")),
        ("withdrawn", gone),
    ] {
        let letters = life.step([update], now(), now(), &at_once());
        assert_eq!(letters.len(), 2, "{name} {event}");
        for letter in &letters {
            gallery.mail(&format!("{name}.{event}"), letter);
        }
    }
}

fn on_many(gallery: &mut Gallery) {
    let addresses = LANGUAGES.map(|language| format!("{}@example.org", language.as_str()));
    let mut pacing = pacing();
    pacing.addresses.extend(addresses);
    let all = |step: usize| -> Vec<Finding> {
        let both = Detector::ALL.map(|detector| example(detector, "A"));
        let pick = |(first, worse): (Finding, Finding)| [first, worse].into_iter().nth(step);
        both.into_iter().filter_map(pick).collect()
    };
    let morning: Timestamp = "2024-04-02T00:30:00Z".parse().unwrap();
    let mut keep = |name: &str, letters: Vec<Letter>| {
        assert_eq!(letters.len(), 2, "{name}");
        for letter in &letters {
            gallery.mail(name, letter);
        }
    };

    // A digest of what is new, then of what came of it.
    let mut life = Life::begin();
    let told = all(0).into_iter().map(|mut finding| {
        finding.severity = finding.severity.min(Severity::Yellow);
        step(&finding, "R-2024-00001")
    });
    keep("digest", life.step(told, now(), morning, &pacing));
    let next: Timestamp = "2024-04-03T00:30:00Z".parse().unwrap();
    let told = all(1).into_iter().enumerate().map(|(n, mut finding)| {
        finding.severity = finding.severity.min(Severity::Yellow);
        match n % 4 {
            0 => step(&cleared(finding), "R-2024-00042"),
            1 => Update {
                finding: None,
                ..step(&finding, "R-2024-00099")
            },
            2 => step(&finding, "R-2024-00003"),
            _ => {
                finding.episode.amount = Money::from_yuan(1);
                step(&finding, "R-2024-00003")
            }
        }
    });
    keep("digest-of-changes", life.step(told, morning, next, &pacing));
    let monday: Timestamp = "2024-04-08T00:30:00Z".parse().unwrap();
    keep("life", life.step([], next, monday, &pacing));

    // A group, its reminder, a batch, and what exceeds the hour.
    let mut life = Life::begin();
    let many = |severity, count: u32, first: u32| {
        (first..first + count).map(move |n| {
            let mut finding = example(Detector::Arrears, "A").1;
            finding.key.subject = Subject::Enterprise(enterprise(n));
            finding.severity = severity;
            step(&finding, "R-2024-00001")
        })
    };
    let later = |seconds| now() + jiff::SignedDuration::from_secs(seconds);
    let group = many(Severity::Orange, 12, 1);
    keep("group", life.step(group, now(), later(30), &pacing));
    keep(
        "reminder",
        life.step([], later(30), later(30 + 4 * 3_600), &pacing),
    );
    let red = many(Severity::Red, 21, 100);
    let at = later(5 * 3_600);
    keep("batch", life.step(red, at, at, &pacing));
    // The reminder, the batch, and this one.
    pacing.per_hour_max = 3;
    let red = many(Severity::Red, 3, 200);
    keep("overflow", life.step(red, at, at, &pacing));

    // A whole region was not paid, and then it was.
    let mut life = Life::begin();
    let missed = |n| {
        let mut finding = example(Detector::MissedPayout, "A").0;
        finding.key.subject = Subject::Person(person(n));
        finding
    };
    let told = (0..400).map(|n| step(&missed(n), "R-2024-00001"));
    keep(
        "region-wide.raised",
        life.step(told, now(), later(30), &pacing),
    );
    let paid = (0..400).map(|n| step(&cleared(missed(n)), "R-2024-00042"));
    keep(
        "region-wide.cleared",
        life.step(paid, later(3_600), later(3_630), &pacing),
    );
}
