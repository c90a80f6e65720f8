//! The pages of an enterprise and of a person, the rule step by step, and raw records: as a browser sees them, without a
//! socket, over facts that the test makes and alerts that the detectors find in them.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use alerting::{AlertIdentity, EpochBatch, FeedAsOf, Routing, Store, Update};
use axum::http::StatusCode;
use casework::{AsOf, Dossier, FactSource, Place, Record, SubjectFacts, Unanswered};
use detectors::dataflow::desk::NoAnswer;
use detectors::store::packed::{key, pack};
use domain::{
    Body as Says, BusinessDate, CreditCode, EnterpriseStatus, EvidenceId, Fact, Money, Nature,
    Period, PersonId, RosterStatus, Subject, Topic,
};
use jiff::Timestamp;
use rules::Policy;

use super::App;
use super::browsing::{Browser, Got, PASSWORD, Site, casebook_in, desk_of, without_second_factor};
use crate::casebook::audit::Kind;
use crate::casebook::{follow, people};
use crate::config::ConsoleConfig;
use crate::rights::{Regions, Role};

const NUMBER: &str = "341002195203100007";

fn day(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).unwrap()
}

fn month(text: &str) -> Period {
    Period::parse(text.as_bytes()).unwrap()
}

fn code() -> CreditCode {
    CreditCode::parse(b"91341002MA2TEXT08E").unwrap()
}

fn pensioner() -> PersonId {
    PersonId::parse(NUMBER.as_bytes()).unwrap()
}

/// Facts by subject, with their place in the list as offset.
struct Scripted {
    packed: BTreeMap<Subject, Vec<u8>>,
    answers: Mutex<Result<(), Unanswered>>,
}

impl Scripted {
    fn new(policy: &Policy) -> Scripted {
        let enterprise = code();
        let declared = |period: &str, yuan| Says::Declaration {
            enterprise,
            period: month(period),
            headcount: 10,
            base: Money::from_yuan(yuan),
        };
        let of_enterprise = [
            (
                "E1",
                "2024-01-02",
                Says::Enterprise {
                    enterprise,
                    name: "歙县<一>厂",
                    status: EnterpriseStatus::Active,
                },
            ),
            ("D1", "2024-02-05", declared("2024-01", 100_000)),
            (
                "P1",
                "2024-02-08",
                Says::Payment {
                    enterprise,
                    period: month("2024-01"),
                    amount: Money::from_yuan(24_000),
                },
            ),
            ("D2", "2024-03-05", declared("2024-02", 100_000)),
            (
                "W2",
                "2024-03-06",
                Says::Payroll {
                    enterprise,
                    period: month("2024-02"),
                    headcount: 10,
                    wages: Money::from_yuan(150_000),
                },
            ),
            ("D3", "2024-04-05", declared("2024-03", 50_000)),
        ];
        let person = pensioner();
        let paid = |period: &str| Says::Payout {
            person,
            period: month(period),
            item: "basic_pension",
            nature: Nature::Regular,
            amount: Money::from_yuan(3000),
            account: None,
        };
        let of_person = [
            (
                "B1",
                "2024-01-02",
                Says::Beneficiary {
                    person,
                    status: RosterStatus::Receiving,
                    amount: Some(Money::from_yuan(3000)),
                    name: Some("王小明"),
                },
            ),
            ("O2", "2024-02-20", paid("2024-02")),
            ("O3", "2024-03-20", paid("2024-03")),
            (
                "M1",
                "2024-03-25",
                Says::Death {
                    person,
                    died_on: day("2024-02-10"),
                    source: "hospital",
                    name: Some("王小明"),
                },
            ),
        ];
        let mut packed = BTreeMap::new();
        packed.insert(
            Subject::Enterprise(enterprise),
            pack_all(policy, of_enterprise),
        );
        packed.insert(Subject::Person(person), pack_all(policy, of_person));
        Scripted {
            packed,
            answers: Mutex::new(Ok(())),
        }
    }
}

fn pack_all<const N: usize>(policy: &Policy, facts: [(&str, &str, Says<'_>); N]) -> Vec<u8> {
    let region = policy.region_id(b"341002").unwrap();
    let mut packed = Vec::new();
    for (offset, (id, date, body)) in (0..).zip(facts) {
        let fact = Fact {
            id,
            region,
            date: day(date),
            body,
        };
        pack(key(&fact).unwrap(), &fact, 3 << 48 | offset, &mut packed);
    }
    packed
}

impl FactSource for Scripted {
    fn facts(&self, subject: &Subject) -> Result<SubjectFacts, Unanswered> {
        self.answers.lock().unwrap().clone()?;
        let packed = self.packed.get(subject).map_or(&[][..], Vec::as_slice);
        let locate = Arc::new(Place::of_position);
        Ok(SubjectFacts::new(subject.clone(), packed, locate))
    }

    fn records(&self, _wanted: &[EvidenceId]) -> Result<Vec<Record>, Unanswered> {
        Ok(Vec::new())
    }

    fn raw(&self, place: &Place) -> Result<Option<Vec<u8>>, Unanswered> {
        let Place::Partition { topic, offset, .. } = place else {
            return Ok(None);
        };
        // The broker has deleted what came by the roster's topic.
        let raw = format!(r#"{{"offset":{offset},"person":"{NUMBER}","name":"王小明 <b>"}}"#);
        Ok((*topic != Topic::AgencyRoster).then(|| raw.into_bytes()))
    }
}

/// A console over the alerts that the facts make, with people of two regions.
struct Stage {
    site: Site,
    facts: Arc<Scripted>,
}

impl Deref for Stage {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Stage {
    fn new(config: ConsoleConfig, knows_facts: bool) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let policy = Arc::new(Policy::huangshan());
        let now: Timestamp = "2024-04-30T02:00:00Z".parse().unwrap();
        let desk = desk_of(&policy, move || now);
        let facts = Arc::new(Scripted::new(&policy));
        let path = folder.path().join("fundwatch.sqlite");
        let mut store = Store::open(&path, &AlertIdentity::default()).unwrap();
        store
            .commit(&found_in(&facts, &policy), &Routing::none(), now)
            .unwrap();
        let casebook = casebook_in(folder.path(), &config);
        follow::take(&casebook, &path, &desk).unwrap();
        let app = App::new(config, casebook, path, desk.clone());
        let app = if knows_facts {
            app.with_facts(Arc::clone(&facts) as Arc<dyn FactSource>)
        } else {
            app
        };
        let stage = Stage {
            site: Site::new(app, desk, folder),
            facts,
        };
        let hash = people::hash_password(PASSWORD).unwrap();
        let she = Regions::parse("341021");
        for (login, role, regions) in [
            ("viewer", Role::Viewer, &Regions::All),
            ("reviewer", Role::Reviewer, &Regions::All),
            ("auditor", Role::Auditor, &Regions::All),
            ("she-reviewer", Role::Reviewer, &she),
        ] {
            stage.add(login, role, regions, &hash);
        }
        stage
    }

    fn usual() -> Stage {
        Stage::new(without_second_factor(), true)
    }

    /// The id of the alert of a detector.
    fn alert(&self, detector: &str) -> String {
        let reader = alerting::Reader::open(&self.app.store).unwrap();
        let rows = reader
            .alerts(&alerting::store::AlertFilter::default())
            .unwrap();
        let row = rows.into_iter().find(|row| row.alert.detector == detector);
        row.unwrap().alert.id
    }

    async fn log_in(&self, login: &str, language: &str) -> Browser {
        let mut browser = Browser::default();
        browser
            .cookies
            .insert("lang".to_owned(), language.to_owned());
        self.log_in_with(browser, login).await
    }
}

/// What the detectors find in the facts, as an epoch.
fn found_in(facts: &Scripted, policy: &Policy) -> EpochBatch {
    let complete = day("2024-04-30");
    let closed = |topic| FeedAsOf {
        topic,
        region: policy.region(policy.region_id(b"341002").unwrap()).code,
        closed: complete,
    };
    let closes: Vec<FeedAsOf> = Topic::ALL.into_iter().map(closed).collect();
    let mut updates = Vec::new();
    for subject in facts.packed.keys() {
        let mut of = facts.facts(subject).unwrap();
        let dossier = Dossier::of(&mut of, policy, &closes, complete).unwrap();
        assert_eq!(dossier.as_of(), AsOf::on(complete));
        updates.extend(dossier.findings().iter().map(|finding| Update {
            key: finding.key.clone(),
            finding: Some(finding.clone()),
            cause: None,
        }));
    }
    EpochBatch {
        epoch: 1,
        updates,
        as_of: closes,
        present: Some(complete),
        ..EpochBatch::default()
    }
}

/// What no page may have: names, numbers, and what is not ours.
fn assert_clean(got: &Got, what: &str) {
    assert_eq!(got.status, StatusCode::OK, "{what}: {}", got.text);
    assert!(!got.text.contains('\u{fffd}'), "{what} is no UTF-8");
    for secret in [NUMBER, "19520310", "小明"] {
        assert!(!got.text.contains(secret), "{what} shows {secret}");
    }
    for attribute in ["src=\"", "href=\""] {
        for part in got.text.split(attribute).skip(1) {
            let place = part.split('"').next().unwrap();
            let is_ours = place.starts_with('/') || place.starts_with('#');
            assert!(is_ours, "{what}: {attribute}{place}");
        }
    }
    assert!(
        !got.text.contains("<script>") && !got.text.contains("style="),
        "{what}"
    );
    assert!(
        got.headers.contains_key("content-security-policy"),
        "{what}"
    );
}

#[tokio::test]
async fn an_enterprise_with_its_figures() {
    let stage = Stage::usual();
    let alert = stage.alert("arrears");
    let path = format!("/alerts/{alert}/subject");
    for (language, words) in [
        (
            "zh",
            ["单位", "按所属期", "正常参保", "屡次出现", "数据完整至"],
        ),
        (
            "en",
            [
                "Enterprise",
                "By period",
                "active since",
                "Repeatedly",
                "Complete to",
            ],
        ),
    ] {
        let mut viewer = stage.log_in("viewer", language).await;
        let got = stage.get(&mut viewer, &path).await;
        assert_clean(&got, &path);
        for word in words {
            assert!(got.text.contains(word), "{language}: {word}");
        }
        // What a source wrote is text, not markup.
        assert!(
            got.text.contains("歙县&#60;一&#62;厂"),
            "{language}: the name"
        );
        // 2024-02: 100,000 x 24%, nothing paid. Due on Friday 03-15; 46 days from 03-16 to 04-30 at 0.0005.
        for figure in ["24,000.00", "552.00"] {
            assert!(got.text.contains(figure), "{language}: {figure}");
        }
        // 2024-03: 50,000 x 24% = 12,000, due on Monday 04-15; 15 days: 90.00. Together 36,000 and 642.
        for figure in ["12,000.00", "90.00", "36,000.00", "642.00"] {
            assert!(got.text.contains(figure), "{language}: {figure}");
        }
        // 2024-02: (150,000 - 100,000) x 24%.
        assert!(got.text.contains("150,000.00"), "{language}: the wages");
        assert!(
            got.text.contains("tax.collection:3:3"),
            "{language}: the place"
        );
        assert!(got.text.contains("id=\"months-table\"") && got.text.contains("data-line"));
    }
    // It names nobody: that it was looked at is no personal data read.
    assert!(stage.trail(Kind::Read).is_empty());
}

#[tokio::test]
async fn a_person_is_masked_until_a_reason_is_given() {
    let stage = Stage::usual();
    let alert = stage.alert("deceased-recipient");
    let path = format!("/alerts/{alert}/subject");
    for (language, words) in [
        ("zh", ["个人", "死亡登记", "登记死亡月份之后", "领取中"]),
        (
            "en",
            [
                "Person",
                "Death records",
                "After the month of a reported death",
                "receiving",
            ],
        ),
    ] {
        let mut viewer = stage.log_in("viewer", language).await;
        let got = stage.get(&mut viewer, &path).await;
        assert_clean(&got, &path);
        for word in words
            .into_iter()
            .chain(["王**", "341002********0007", "3,000.00"])
        {
            assert!(got.text.contains(word), "{language}: {word}");
        }
        // A viewer is offered nothing that he may not do.
        assert!(!got.text.contains("/subject/reveal"));
        let reveal = format!("{path}/reveal");
        let got = stage.post(&mut viewer, &reveal, &[("reason", "x")]).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(stage.trail(Kind::Read).len(), 2);
    assert!(stage.trail(Kind::Revealed).is_empty());

    let reveal = format!("{path}/reveal");
    let mut reviewer = stage.log_in("reviewer", "zh").await;
    let got = stage.post(&mut reviewer, &reveal, &[("reason", " ")]).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    let got = stage
        .post(&mut reviewer, &reveal, &[("reason", "家属来函核对")])
        .await;
    assert_eq!(got.status, StatusCode::OK);
    assert!(got.text.contains(NUMBER) && got.text.contains("王小明"));
    let trail = stage.trail(Kind::Revealed);
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (trail[0].ok, trail[0].note.as_str()),
        (true, "家属来函核对")
    );
    assert_eq!(trail[0].target, alert);
    // It is shown once.
    let got = stage.get(&mut reviewer, &path).await;
    assert_clean(&got, &path);
}

#[tokio::test]
async fn a_foreign_region_has_no_subject_page() {
    let stage = Stage::usual();
    let mut reviewer = stage.log_in("she-reviewer", "zh").await;
    for detector in ["arrears", "deceased-recipient"] {
        let path = format!("/alerts/{}/subject", stage.alert(detector));
        assert_eq!(
            stage.get(&mut reviewer, &path).await.status,
            StatusCode::NOT_FOUND
        );
        let sent = [("reason", "x"), ("record", "0")];
        let raw = format!("/alerts/{}/raw", stage.alert(detector));
        let got = stage.post(&mut reviewer, &raw, &sent).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND);
        let reveal = format!("{path}/reveal");
        let got = stage.post(&mut reviewer, &reveal, &sent[..1]).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND);
    }
    assert!(stage.trail(Kind::Revealed).is_empty() && stage.trail(Kind::Read).is_empty());
}

#[tokio::test]
async fn the_rule_step_by_step() {
    let stage = Stage::usual();
    for (language, words) in [
        ("zh", ["逐步计算", "逾期自", "按现有记录重新计算，结果一致"]),
        (
            "en",
            [
                "Step by step",
                "late from",
                "judged again, come to the same",
            ],
        ),
    ] {
        let mut viewer = stage.log_in("viewer", language).await;
        for detector in ["arrears", "under-declared-base", "deceased-recipient"] {
            let got = stage
                .get(&mut viewer, &format!("/alerts/{}", stage.alert(detector)))
                .await;
            assert_clean(&got, detector);
            assert!(
                got.text.contains(words[0]) && got.text.contains(words[2]),
                "{detector}"
            );
            assert_eq!(
                got.text.contains(words[1]),
                detector == "arrears",
                "{detector}"
            );
            assert!(
                got.text.contains("/subject\""),
                "{detector} leads to its subject"
            );
        }
    }
}

#[tokio::test]
async fn a_raw_record_needs_right_reason_and_leaves_a_trace() {
    let stage = Stage::new(
        ConsoleConfig {
            second_factor: false,
            reveals_per_hour: 2,
            ..ConsoleConfig::default()
        },
        true,
    );
    let alert = stage.alert("deceased-recipient");
    let path = format!("/alerts/{alert}/raw");
    let mut auditor = stage.log_in("auditor", "zh").await;
    let got = stage
        .post(&mut auditor, &path, &[("record", "0"), ("reason", "x")])
        .await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);

    let mut reviewer = stage.log_in("reviewer", "en").await;
    for (record, why, status) in [
        ("0", "", StatusCode::UNPROCESSABLE_ENTITY),
        ("x", "check", StatusCode::BAD_REQUEST),
        ("99", "check", StatusCode::NOT_FOUND),
    ] {
        let got = stage
            .post(&mut reviewer, &path, &[("record", record), ("reason", why)])
            .await;
        assert_eq!(got.status, status, "{record} {why}");
    }
    assert!(stage.trail(Kind::Revealed).is_empty());
    let got = stage
        .post(
            &mut reviewer,
            &path,
            &[("record", "0"), ("reason", "check")],
        )
        .await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    // As the source wrote it, and not as markup.
    assert!(
        got.text.contains(NUMBER) && got.text.contains("王小明 &#60;b&#62;"),
        "{}",
        got.text
    );
    let trail = stage.trail(Kind::Revealed);
    assert_eq!((trail.len(), trail[0].target.as_str()), (1, alert.as_str()));
    assert_eq!(trail[0].note, "agency.payout/O3: check");
    // The page itself has nothing of it.
    let got = stage.get(&mut reviewer, &format!("/alerts/{alert}")).await;
    assert_clean(&got, "the alert");

    let again = [("record", "0"), ("reason", "again")];
    assert_eq!(
        stage.post(&mut reviewer, &path, &again).await.status,
        StatusCode::OK
    );
    let got = stage.post(&mut reviewer, &path, &again).await;
    assert_eq!(got.status, StatusCode::TOO_MANY_REQUESTS);
    let mut trail = stage.trail(Kind::Revealed);
    trail.sort_by_key(|entry| entry.n);
    let ok: Vec<bool> = trail.iter().map(|entry| entry.ok).collect();
    assert_eq!(ok, [true, true, false]);
}

#[tokio::test]
async fn what_is_not_to_be_had_is_said() {
    let stage = Stage::usual();
    let alert = stage.alert("arrears");
    for (why, zh, en) in [
        (NoAnswer::Loading, "记录正在载入", "still being loaded"),
        (
            NoAnswer::Elsewhere,
            "集群中另一进程",
            "another process of the cluster",
        ),
        (NoAnswer::Late, "查询超时", "did not answer in time"),
    ] {
        *stage.facts.answers.lock().unwrap() = Err(Unanswered::Books(why));
        for (language, words) in [("zh", zh), ("en", en)] {
            let mut viewer = stage.log_in("viewer", language).await;
            for path in [
                format!("/alerts/{alert}"),
                format!("/alerts/{alert}/subject"),
            ] {
                let got = stage.get(&mut viewer, &path).await;
                assert_clean(&got, &path);
                assert!(got.text.contains(words), "{path}: {words}");
            }
        }
    }
    let without = Stage::new(
        ConsoleConfig {
            second_factor: false,
            ..ConsoleConfig::default()
        },
        false,
    );
    let mut viewer = without.log_in("viewer", "zh").await;
    let got = without
        .get(&mut viewer, &format!("/alerts/{alert}/subject"))
        .await;
    assert_clean(&got, "without facts");
    assert!(got.text.contains("未连接记录来源"));
    // The findings are there all the same.
    assert!(got.text.contains("少报缴费基数"));
}
