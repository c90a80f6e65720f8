//! Mails as a reader's program takes them apart, and a server that misbehaves by script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::{Detector, EvidenceId, Finding, PersonId, Severity, Subject, Topic};
use jiff::Timestamp;
use mail_parser::{Message, MessageParser, MimeHeaders};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::letter::compose;
use super::*;
use crate::identity::AlertIdentity;
use crate::metrics::Metrics;
use crate::routing::{Language, Recipient, Routing};
use crate::store::{Channel, Letter, MailQueue, Store};
use crate::test_kit::{
    arrears, at_once, batch, cleared, evidence, finding, gone, now, recipient, routing, update,
};

const PERSON: &str = "341099194001010008";

fn policy() -> Arc<rules::Policy> {
    Arc::new(rules::Policy::huangshan())
}

fn office() -> Office {
    MailConfig::default().office(policy()).unwrap()
}

fn store(folder: &TempDir) -> Store {
    Store::open(&folder.path().join("fund.db"), &AlertIdentity::default()).unwrap()
}

/// The letters that commits of these updates, one an epoch, leave for each of the recipients.
fn letters(steps: Vec<crate::Update>, recipients: Vec<Recipient>) -> Vec<Letter> {
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let routing = routing(recipients);
    let mut all = Vec::new();
    for (epoch, step) in steps.into_iter().enumerate() {
        store
            .commit(&batch(epoch as u64, [step]), &routing, now())
            .unwrap();
        let mut queue = MailQueue::open(store.path()).unwrap();
        queue.plan(&at_once(), now()).unwrap();
        let letters = queue.claim(now(), 100).unwrap();
        let sent: Vec<_> = letters
            .iter()
            .map(|letter| (letter.seq, crate::store::Outcome::Sent))
            .collect();
        queue.settle(&sent, now()).unwrap();
        all.extend(letters);
    }
    all
}

fn in_english(address: &str) -> Recipient {
    Recipient {
        language: Language::En,
        ..recipient(address)
    }
}

fn bytes(letter: &Letter) -> Vec<u8> {
    let from = "基金监测 <watch@fund.example.org>".parse().unwrap();
    compose(letter, &from, &office()).unwrap().bytes
}

/// Subject, text and HTML.
fn parts(letter: &Letter) -> (String, String, String) {
    let bytes = bytes(letter);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    (
        mail.subject().unwrap().to_owned(),
        mail.body_text(0).unwrap().into_owned(),
        mail.body_html(0).unwrap().into_owned(),
    )
}

fn person(detector: Detector, yuan: i64) -> Finding {
    let subject = Subject::Person(PersonId::parse(PERSON.as_bytes()).unwrap());
    finding(detector, subject, yuan)
}

fn match_of(grade: &str) -> Finding {
    let mut finding = person(Detector::DeceasedRecipient, 6_000);
    finding.key.period = None;
    finding.details.insert("match".into(), grade.into());
    finding.evidence = vec![EvidenceId {
        topic: Topic::CivilDeath,
        id: format!("D-{PERSON}"),
    }];
    finding
}

fn header<'a>(mail: &'a Message<'_>, name: &'a str) -> &'a str {
    mail.header_raw(name).unwrap_or("").trim()
}

#[test]
fn a_mail_is_what_mail_programs_expect() {
    let finding = arrears(1, 24_000);
    let id = AlertIdentity::default().id(&finding.key);
    let code = finding.key.subject.reveal();
    let mut li = recipient("li@example.org");
    li.name = "李 \"o'\"; x".to_owned();
    let letters = letters(vec![update(finding)], vec![li]);
    let bytes = bytes(&letters[0]);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert!(bytes.is_ascii(), "every server takes it");
    assert_eq!(
        mail.subject().unwrap(),
        format!("[蓝][屯溪区] 欠费 24,000.00元 · #{}", &id[..8])
    );
    assert_eq!(
        mail.from().unwrap().first().unwrap().name(),
        Some("基金监测")
    );
    let to = mail.to().unwrap().first().unwrap();
    assert_eq!(to.address(), Some("li@example.org"));
    assert_eq!(to.name(), Some("李 \"o'\"; x"));
    let message_id = mail.message_id().unwrap();
    assert!(message_id.starts_with(&format!("{id}.1.")));
    assert!(message_id.ends_with("@fund.example.org"));
    let root = format!("<{id}@fund.example.org>");
    assert_eq!(header(&mail, "In-Reply-To"), root);
    assert_eq!(header(&mail, "References"), root);
    assert!(mail.header_raw("Reply-To").is_none());
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&mail, "X-Fundwatch-Severity"), "blue");
    assert_eq!(mail.date().unwrap().to_rfc3339(), "2024-04-01T08:00:00Z");
    let outer = mail.content_type().unwrap();
    assert_eq!(
        (outer.ctype(), outer.subtype()),
        ("multipart", Some("alternative"))
    );
    assert_eq!((mail.text_body_count(), mail.html_body_count()), (1, 1));

    let text = mail.body_text(0).unwrap();
    for wanted in [
        format!("单位 {code} 2024-02 申报的费款到期未足额缴纳，欠缴 24,000.00元（2.40万元）。"),
        "始于: 2024-03-16".to_owned(),
        "区县: 屯溪区（341002）".to_owned(),
        "社会保险法第六十条".to_owned(),
        "责令限期缴纳".to_owned(),
        "- tax.collection/D1".to_owned(),
        format!("预警编号: {id}"),
        "通知类型: 新预警".to_owned(),
    ] {
        assert!(text.contains(&wanted), "{wanted} in\n{text}");
    }
    let html = mail.body_html(0).unwrap();
    assert!(
        html.contains("lang=\"zh-CN\"") && html.contains(&code),
        "{html}"
    );
}

#[test]
fn the_same_row_gives_the_same_bytes() {
    let letters = letters(
        vec![update(arrears(1, 5))],
        vec![recipient("li@example.org")],
    );
    assert_eq!(bytes(&letters[0]), bytes(&letters[0]));
}

#[test]
fn changes_say_from_what_to_what_and_why() {
    let first = arrears(1, 100);
    let mut more = arrears(1, 120_000);
    more.severity = Severity::Orange;
    let mut fewer = arrears(1, 50);
    fewer.episode.count = 2;
    let steps = vec![
        update(first.clone()),
        update(more.clone()),
        update(cleared(more)),
        update(fewer.clone()),
        gone(&fewer),
    ];
    let letters = letters(steps, vec![recipient("li@example.org")]);
    let subjects: Vec<_> = letters.iter().map(|letter| parts(letter).0).collect();
    let id = AlertIdentity::default().id(&first.key);
    let tail = format!(" · #{}", &id[..8]);
    assert_eq!(
        subjects,
        [
            format!("[蓝][屯溪区] 欠费 100.00元{tail}"),
            format!("[橙·加重][屯溪区] 欠费 120,000.00元{tail}"),
            format!("[已解除][屯溪区] 欠费 120,000.00元{tail}"),
            format!("[蓝·再现][屯溪区] 欠费 50.00元{tail}"),
            format!("[已撤回][屯溪区] 欠费{tail}"),
        ]
    );
    let (_, text, html) = parts(&letters[1]);
    assert!(text.contains("- 等级: 蓝 → 橙"), "{text}");
    assert!(text.contains("- 涉及金额: 100.00元 → 120,000.00元（12.00万元）"));
    assert!(text.contains("- 引起变化的记录: tax.collection/D1"));
    assert!(html.contains("<strong>橙</strong>"), "{html}");
    // Each goes under the first, and under the root that all mails on the alert have in common.
    let raw = bytes(&letters[1]);
    let mail = MessageParser::default().parse(&raw).unwrap();
    let first = format!("<{}>", letters[0].message_id);
    assert_eq!(header(&mail, "In-Reply-To"), first);
    let root = format!("<{id}@fund.example.org>");
    let references: Vec<_> = header(&mail, "References").split_whitespace().collect();
    assert_eq!(references, [root.as_str(), first.as_str()]);
    let (_, text, _) = parts(&letters[2]);
    assert!(
        text.contains("预警已解除") && text.contains("解除于: 2024-03-20"),
        "{text}"
    );
    assert!(text.contains("- 状态: 持续中 → 已解除"), "{text}");
    let (_, text, _) = parts(&letters[4]);
    assert!(
        text.contains("本不应发出") && text.contains("tax.collection/P9"),
        "{text}"
    );
}

#[test]
fn what_was_over_before_it_was_told_says_so() {
    let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
    let letters = letters(vec![update(cleared(arrears(1, 100)))], both);
    let (_, zh, _) = parts(&letters[0]);
    assert!(zh.contains("曾经出现、现已解除，出现时未曾通知"), "{zh}");
    let (subject, en, _) = parts(&letters[1]);
    assert!(en.contains("it was not told while it lasted"), "{en}");
    assert!(
        subject.starts_with("[cleared][屯溪区] arrears CNY 100.00"),
        "{subject}"
    );
}

#[test]
fn a_match_of_numbers_alone_says_nothing_of_death() {
    let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
    let steps = vec![update(match_of("C")), gone(&match_of("C"))];
    for letter in letters(steps, both) {
        let raw = String::from_utf8(bytes(&letter)).unwrap();
        assert!(!raw.to_lowercase().contains("deceased"), "{raw}");
        let (subject, text, html) = parts(&letter);
        for part in [&subject, &text, &html] {
            let lower = part.to_lowercase();
            // The record is called what it is; of the person nothing is said.
            let rest = lower.replace("death record", "").replace("civil.death", "");
            let rest = rest.replace("死亡登记相同", "");
            for word in ["死", "亡", "冒领", "dead", "died", "death", "deceased"] {
                assert!(!rest.contains(word), "{word} in\n{part}");
            }
        }
        let warns = [
            "先核实身份",
            "verify identity first",
            "本不应发出",
            "never due",
        ]
        .iter()
        .any(|words| text.contains(words));
        assert!(warns, "{text}");
    }
    let letters = letters(
        vec![update(match_of("B"))],
        vec![recipient("li@example.org")],
    );
    assert!(parts(&letters[0]).0.contains("死亡冒领"));
}

#[test]
fn no_full_number_of_a_person_leaves() {
    let mut finding = person(Detector::DuplicatePayout, 500);
    finding.key.item = Some(format!("item_{PERSON}"));
    finding.evidence = (0..15)
        .map(|n| EvidenceId {
            topic: Topic::AgencyPayout,
            id: format!("P.{PERSON}.{n}"),
        })
        .collect();
    finding.details.insert("payouts".into(), 2.into());
    finding.details.insert(
        "note".into(),
        format!("card 6222021234567890128 {PERSON}").into(),
    );
    let mut step = update(finding);
    step.cause = Some(evidence(&format!("P.{PERSON}.1")));
    let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
    for letter in letters(vec![step], both) {
        let (subject, text, html) = parts(&letter);
        for part in [&subject, &text, &html] {
            assert!(!part.contains(PERSON), "{part}");
            assert!(!part.contains("6222021234567890128"), "{part}");
        }
        assert!(!String::from_utf8(bytes(&letter)).unwrap().contains(PERSON));
        assert!(text.contains("341099********0008"), "{text}");
        // Ten facts are shown of fifteen.
        assert_eq!(text.matches("- agency.payout/P.341099").count(), 10);
        assert!(
            text.contains("另有 5 条未列出") || text.contains("and 5 more"),
            "{text}"
        );
    }
}

#[test]
fn nothing_from_the_feeds_forges_a_header_or_turns_a_line() {
    let evil = "x\r\nBcc: thief@example.net\r\n\r\n.\r\n<script>alert(1)</script>\u{202e}";
    let mut finding = finding(Detector::StalledSubsidy, Subject::Transfer(evil.into()), 5);
    finding.key.item = Some(evil.to_owned());
    finding.details.insert(evil.to_owned(), evil.into());
    finding.evidence = vec![evidence(evil)];
    let mut step = update(finding);
    step.cause = Some(evidence(evil));
    // The configuration is checked, but a name in the store might be older than the check.
    let mut thief = recipient("li@example.org");
    thief.name = evil.to_owned();
    let letters = letters(vec![step], vec![thief]);
    let bytes = bytes(&letters[0]);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert!(mail.bcc().is_none());
    let head = String::from_utf8(bytes.clone()).unwrap();
    let head = head.split("\r\n\r\n").next().unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert_eq!(mail.to().unwrap().iter().count(), 1);
    for part in [mail.body_text(0).unwrap(), mail.body_html(0).unwrap()] {
        assert!(!part.contains('\u{202e}'));
        assert!(
            !part
                .lines()
                .any(|line| line.starts_with("Bcc") || line == ".")
        );
    }
    assert!(!mail.body_html(0).unwrap().contains("<script"));
}

#[test]
fn a_digest_lists_fifty_and_counts_the_rest() {
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let updates = (1..=60).map(|n| update(arrears(n, i64::from(n) * 1_000)));
    let both = routing([recipient("li@example.org"), in_english("jo@example.org")]);
    store.commit(&batch(1, updates), &both, now()).unwrap();
    let mut queue = MailQueue::open(store.path()).unwrap();
    queue.plan(&at_once(), now()).unwrap();
    let letters = queue.claim(now(), 9).unwrap();
    assert_eq!(letters.len(), 2);
    let (subject, text, html) = parts(&letters[0]);
    assert_eq!(subject, "[汇总] 60 条预警通知：蓝 60");
    assert!(text.contains("1. [蓝] 屯溪区 · 欠费 · "), "{text}");
    assert!(
        text.contains("60,000.00") && !text.contains(" · 10,000.00"),
        "{text}"
    );
    assert!(text.contains("另有 10 条未列出"), "{text}");
    assert_eq!(html.matches("<strong>蓝</strong>").count(), 50);
    assert!(text.contains("其中持续中: 60"), "{text}");
    assert!(text.contains("新出现:"), "{text}");
    let (subject, text, _) = parts(&letters[1]);
    assert_eq!(subject, "[digest] 60 notices: BLUE 60");
    assert!(text.contains("10 more are not listed"), "{text}");
    let raw = bytes(&letters[1]);
    let mail = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(header(&mail, "Precedence"), "bulk");
}

#[test]
fn every_detector_has_words_in_both_languages() {
    for detector in Detector::ALL {
        let mut some = finding(detector, Subject::Transfer("T1".into()), 7);
        some.key.item = Some("basic_pension".into());
        some.details.insert("match".into(), "A".into());
        let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
        for letter in letters(vec![update(some)], both) {
            let (subject, text, html) = parts(&letter);
            assert!(subject.chars().count() <= 70, "{subject}");
            for part in [&text, &html] {
                assert!(!part.contains('{') && !part.contains('}'), "{part}");
            }
        }
    }
}

/// Its code is that of the city level, too, which is not meant.
#[test]
fn an_indicator_of_the_pool_is_the_pools() {
    let city = crate::test_kit::region("341000");
    let mut some = finding(Detector::IndicatorBreach, Subject::Region(city), 5_000_000);
    some.region = city;
    some.key.period = None;
    some.key.item = Some("pool.collection-rate".into());
    for (key, value) in [
        ("measure", "ratio"),
        ("month", "2024-03"),
        ("threshold", "0.95"),
        ("value", "0.8567"),
        ("worse", "below"),
    ] {
        some.details.insert(key.into(), value.into());
    }
    let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
    let letters = letters(vec![update(some)], both);
    let (subject, text, _) = parts(&letters[0]);
    assert!(
        subject.contains("[黄山市] 指标越限 征缴率 85.67% · #"),
        "{subject}"
    );
    let lead = "黄山市的征缴率在 2024-03 月末为 85.67%，低于警戒线 95%。";
    assert_eq!(text.lines().next(), Some(lead));
    // The money that is missing up to the threshold.
    assert!(text.contains("涉及金额: 5,000,000.00元"), "{text}");
    assert!(
        !text.contains("市本级") && !text.contains("pool."),
        "{text}"
    );
    let (_, text, _) = parts(&letters[1]);
    let lead = "At the end of 2024-03 the collection rate of 黄山市 was 85.67%, which is below the threshold of 95%.";
    assert_eq!(text.lines().next(), Some(lead));
}

/// The words of accusations and demands: what a mail on a closed matter must not hold.
const DEMANDS: [&str; 38] = [
    "分子、分母",
    "its inputs",
    "欠缴",
    "责令",
    "催报",
    "补足",
    "追回",
    "停发",
    "补发",
    "补报",
    "补齐",
    "归还",
    "足额缴纳，欠",
    "未足额",
    "仍有待遇",
    "多发",
    "少缴",
    "应缴",
    "未上划",
    "应发约",
    "滞留原因",
    "支付依据",
    "已超过规定时限",
    "is overdue",
    "is missing",
    "is stalled",
    "is due",
    "too much",
    " short.",
    "has not",
    "has fallen silent",
    "remit the rest",
    "order payment",
    "recover what",
    "pay soon",
    "Ask the source",
    "Let the",
    "demand",
];

#[test]
fn what_is_over_or_was_never_due_demands_nothing() {
    let topics = Detector::ALL.map(|detector| (detector, "A"));
    let weak = [(Detector::DeceasedRecipient, "C")];
    for (detector, grade) in topics.into_iter().chain(weak) {
        let subject = if detector == Detector::DeceasedRecipient {
            Subject::Person(PersonId::parse(PERSON.as_bytes()).unwrap())
        } else {
            Subject::Transfer("T1".into())
        };
        let mut open = finding(detector, subject, 7_000);
        open.severity = Severity::Red;
        open.key.item = Some("basic_pension".into());
        open.details.insert("match".into(), grade.into());
        let steps = vec![
            update(open.clone()),
            update(cleared(open.clone())),
            gone(&open),
        ];
        let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
        let letters = letters(steps, both);
        assert_eq!(letters.len(), 6);
        let money = !matches!(detector, Detector::SilentFeed | Detector::IncompleteFeed);
        // An indicator's sentence tells its value; the money that is missing stands below.
        let in_lead = money && detector != Detector::IndicatorBreach;
        for letter in &letters {
            let (subject, text, html) = parts(letter);
            let lead = text.lines().next().unwrap();
            assert!(html.contains(&lead[..9]), "{html}");
            let (kind, zh) = match &letter.content {
                crate::store::Content::Single(telling) => {
                    (telling.kind, letter.language == Language::Zh)
                }
                _ => panic!("one alert makes no digest"),
            };
            let words = DEMANDS.iter().filter(|word| text.contains(**word));
            let words: Vec<_> = words.collect();
            match kind {
                crate::life::EventKind::Cleared => {
                    let over = if zh {
                        "已于 2024-03-20 解除"
                    } else {
                        "Over since 2024-03-20: "
                    };
                    assert!(lead.contains(over), "{lead}");
                    assert_eq!(lead.contains("7,000.00"), in_lead, "{lead}");
                    let close = if zh {
                        "本事项无需再处理"
                    } else {
                        "Nothing but to close"
                    };
                    assert!(text.contains(close), "{text}");
                    let surcharge = text.contains("滞纳金（见明细）")
                        || text.contains("late-payment surcharge remains");
                    assert_eq!(surcharge, detector == Detector::Arrears, "{text}");
                }
                crate::life::EventKind::Withdrawn => {
                    let start = if zh {
                        "预警撤回：记录 "
                    } else {
                        "Withdrawn: the alert "
                    };
                    assert!(lead.starts_with(start), "{lead}");
                    assert!(lead.contains("tax.collection/P9"), "{lead}");
                    assert!(
                        !lead.contains("7,000") && !subject.contains("7,000"),
                        "{subject}"
                    );
                    let told = if zh {
                        "曾通知金额: 7,000.00元"
                    } else {
                        "Had been told: CNY 7,000.00"
                    };
                    assert_eq!(text.contains(told), money, "{text}");
                    assert_eq!(
                        text.matches("7,000.00").count(),
                        usize::from(money),
                        "{text}"
                    );
                    for part in [&subject, &text, &html] {
                        for level in ["RED", "\n等级", "Severity", "红", "#c62828", "#fdecea"] {
                            assert!(!part.contains(level), "{level} in\n{part}");
                        }
                    }
                    let stop = if zh {
                        "请中止据此采取的一切措施"
                    } else {
                        "Stop any step taken on it"
                    };
                    assert!(text.contains(stop), "{text}");
                }
                _ => {
                    // The list bites: what is open is told by these words.
                    assert!(!words.is_empty() || grade == "C", "{text}");
                    continue;
                }
            }
            // What a rule of law says in general is no demand; it stands in its own line.
            let rule = if zh { "依据: " } else { "Rule: " };
            let rest: Vec<_> = text
                .lines()
                .filter(|line| !line.starts_with(rule))
                .collect();
            for word in DEMANDS {
                assert!(!rest.join("\n").contains(word), "{word} in\n{text}");
            }
        }
    }
}

#[test]
fn a_withdrawal_by_no_one_record_says_so() {
    let mut step = gone(&arrears(1, 100));
    step.cause = None;
    let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
    let letters = letters(vec![update(arrears(1, 100)), step], both);
    let leads: Vec<_> = letters[2..]
        .iter()
        .map(|letter| parts(letter).1.lines().next().unwrap().to_owned())
        .collect();
    let code = crate::test_kit::enterprise(1);
    let code = Subject::Enterprise(code).reveal();
    let zh = format!(
        "预警撤回：按现有全部记录重新计算的结果表明，关于 {code}（屯溪区，2024-02）的“欠费”预警本不应发出。"
    );
    let en = format!(
        "Withdrawn: the alert \"arrears\" on {code} (屯溪区, 2024-02) was never due, as a new reading \
         of all records shows."
    );
    assert_eq!(leads, [zh, en]);
}

/// What the server does with the next mail that begins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Accept,
    /// Answers the recipient with this.
    Recipient(&'static str),
    /// Answers the message with this.
    Message(&'static str),
    /// Answers the sender with this.
    Sender(&'static str),
    /// Takes the message, and ends without an answer.
    CloseAfterData,
    /// Never answers the recipient.
    Hang,
}

/// A server that does as it is told, and keeps what it took.
struct Peer {
    at: SocketAddr,
    script: Arc<Mutex<VecDeque<Act>>>,
    /// Recipient and message, also of those that were not acknowledged.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Peer {
    async fn start(script: impl IntoIterator<Item = Act>) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer {
            at: listener.local_addr().unwrap(),
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            seen: Arc::default(),
        };
        let (script, seen) = (Arc::clone(&peer.script), Arc::clone(&peer.seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        peer
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }
}

async fn talk(
    stream: TcpStream,
    script: Arc<Mutex<VecDeque<Act>>>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 peer\r\n").await.ok()?;
    let (mut act, mut to) = (Act::Accept, String::new());
    while let Some(line) = lines.next_line().await.ok()? {
        let verb = line.get(..4).unwrap_or("").to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-peer\r\n250 8BITMIME",
            "MAIL" => {
                act = script.lock().unwrap().pop_front().unwrap_or(Act::Accept);
                match act {
                    Act::Sender(answer) => answer,
                    _ => "250 ok",
                }
            }
            "RCPT" => {
                to = line;
                match act {
                    Act::Recipient(answer) => answer,
                    Act::Hang => std::future::pending().await,
                    _ => "250 ok",
                }
            }
            "DATA" => {
                write.write_all(b"354 go\r\n").await.ok()?;
                let mut message = String::new();
                while let Some(line) = lines.next_line().await.ok()? {
                    if line == "." {
                        break;
                    }
                    message.push_str(line.strip_prefix('.').unwrap_or(&line));
                    message.push_str("\r\n");
                }
                seen.lock().unwrap().push((to.clone(), message));
                match act {
                    Act::CloseAfterData => return None,
                    Act::Message(answer) => answer,
                    _ => "250 taken",
                }
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "250 ok",
        };
        write.write_all(answer.as_bytes()).await.ok()?;
        write.write_all(b"\r\n").await.ok()?;
    }
    None
}

/// A sender that is under way.
struct Running {
    store: Store,
    routing: Routing,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), crate::StoreError>>,
    folder: TempDir,
}

impl Running {
    fn start(config: &str, recipients: Vec<Recipient>) -> Running {
        let folder = TempDir::new().unwrap();
        let store = store(&folder);
        let config: MailConfig = toml::from_str(config).unwrap();
        let queue = MailQueue::open(store.path()).unwrap();
        let metrics = Arc::new(Metrics::new("0", "0"));
        // Ten minutes pass in a second, so that a test need not wait for a back-off.
        let start = Instant::now();
        let clock: Clock = Arc::new(move || -> Timestamp { now() + start.elapsed() * 600 });
        let sender = Sender::new(&config, policy(), queue, metrics, clock)
            .unwrap()
            .unwrap();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(sender.run(store.wakers().mail, stopped));
        Running {
            store,
            routing: routing(recipients),
            stop,
            task,
            folder,
        }
    }

    fn raise(&mut self, n: u32) {
        let batch = batch(u64::from(n), [update(arrears(n, 100))]);
        self.store.commit(&batch, &self.routing, now()).unwrap();
    }

    /// Until nothing is pending; returns how many mails were given up.
    async fn drained(&self) -> u64 {
        let reader = self.store.reader().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            // In this order: what is a notice no more is a mail already.
            let notices = reader.notices().unwrap();
            let outbox = reader.outbox(Channel::Mail).unwrap();
            if notices + outbox.pending == 0 {
                return outbox.failed;
            }
            assert!(Instant::now() < deadline, "{outbox:?}");
            // The sender sleeps by the real clock, which is slower than that of the test.
            self.store.wakers().mail.notify_one();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the sender; the folder is there until its owner drops it.
    async fn end(self) -> TempDir {
        self.stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        self.folder
    }
}

const AT_ONCE: &str = "pace = { blue = \"at-once\", life_on = \"never\" }";

fn smtp(peer: &Peer, connections: usize) -> String {
    format!(
        "transport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n\
         from = \"watch@fund.example.org\"\nmax_connections = {connections}\ntimeout_seconds = 1\n{AT_ONCE}",
        peer.at.port()
    )
}

fn message_ids(seen: &[(String, String)]) -> Vec<String> {
    seen.iter()
        .map(|(_, message)| {
            let mail = MessageParser::default().parse(message.as_bytes()).unwrap();
            mail.message_id().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again_as_the_same_mail() {
    for act in [
        Act::Recipient("451 greylisted"),
        Act::Message("452 no room"),
        Act::Sender("550 we do not know you: to be mended, not the mail's fault"),
        Act::CloseAfterData,
        Act::Hang,
    ] {
        let peer = Peer::start([act]).await;
        let mut running = Running::start(&smtp(&peer, 1), vec![recipient("li@example.org")]);
        running.raise(1);
        assert_eq!(running.drained().await, 0, "{act:?}");
        let ids = message_ids(&peer.seen());
        let repeats = matches!(act, Act::CloseAfterData | Act::Message(_));
        assert_eq!(ids.len(), 1 + usize::from(repeats), "{act:?}");
        assert!(ids.iter().all(|id| *id == ids[0]), "{act:?}");
        running.end().await;
    }
}

#[tokio::test]
async fn a_recipient_refused_for_good_costs_the_others_nothing() {
    for refusal in [Act::Recipient("550 no such user"), Act::Message("554 spam")] {
        let peer = Peer::start([refusal]).await;
        let recipients = ["gone@example.org", "li@example.org", "wu@example.org"];
        let recipients = recipients.map(recipient).to_vec();
        let mut running = Running::start(&smtp(&peer, 1), recipients);
        running.raise(1);
        assert_eq!(running.drained().await, 1);
        let taken: Vec<_> = peer.seen().into_iter().map(|(to, _)| to).collect();
        let taken = &taken[taken.len() - 2..];
        assert_eq!(
            taken,
            ["RCPT TO:<li@example.org>", "RCPT TO:<wu@example.org>"]
        );
        // The next alert is another try.
        running.raise(2);
        assert_eq!(running.drained().await, 1);
        running.end().await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_neither_others_nor_the_store() {
    let peer = Peer::start([Act::Hang, Act::Hang]).await;
    let mut running = Running::start(&smtp(&peer, 3), vec![recipient("li@example.org")]);
    running.raise(1);
    running.raise(2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    running.raise(3);
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "a commit waited"
    );
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        peer.seen().len(),
        1,
        "the third went past the two that hang"
    );
    assert_eq!(running.drained().await, 0);
    assert_eq!(peer.seen().len(), 3);
    running.end().await;
}

#[tokio::test]
async fn a_stop_loses_nothing() {
    let peer = Peer::start([Act::Hang; 8]).await;
    let mut running = Running::start(&smtp(&peer, 1), vec![recipient("li@example.org")]);
    for n in 1..=5 {
        running.raise(n);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let reader = running.store.reader().unwrap();
    let _folder = running.end().await;
    let waiting = reader.notices().unwrap() + reader.outbox(Channel::Mail).unwrap().pending;
    assert_eq!(waiting, 5);
}

#[tokio::test]
async fn a_folder_holds_one_file_a_mail() {
    let target = TempDir::new().unwrap();
    let config = format!(
        "transport = \"eml-folder\"\nfolder = {:?}\nfrom = \"watch@fund.example.org\"\n{AT_ONCE}",
        target.path().join("mail")
    );
    let both = vec![recipient("li@example.org"), in_english("jo@example.org")];
    let mut running = Running::start(&config, both);
    running.raise(1);
    running.raise(2);
    assert_eq!(running.drained().await, 0);
    running.end().await;
    let mut files: Vec<_> = std::fs::read_dir(target.path().join("mail"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 4);
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert_eq!(mail.message_id().unwrap(), name);
    }
}

#[tokio::test]
async fn operators_are_told_what_became_of_a_changed_configuration() {
    let peer = Peer::start([]).await;
    let text = format!(
        "{}\n[[operators]]\naddress = \"ops@fund.example.org\"\nlanguage = \"en\"\n\
         [[operators]]\naddress = \"yun@fund.example.org\"\nname = \"值班\"\n",
        smtp(&peer, 1)
    );
    let config: MailConfig = toml::from_str(&text).unwrap();
    let clock: Clock = Arc::new(now);
    let operators = Operators::new(&config, clock).unwrap().unwrap();
    let (news, received) = tokio::sync::mpsc::channel(4);
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(operators.run(received, stopped));
    let faults = "policy.toml:3: from: no month\nfundwatch.toml: id 341099194001010008".to_owned();
    news.send(Dispatch {
        news: News::Refused { faults },
        to: config.operators.clone(),
        pool: "黄山市".to_owned(),
    })
    .await
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while peer.seen().len() < 2 {
        assert!(Instant::now() < deadline, "{:?}", peer.seen());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send(true).unwrap();
    task.await.unwrap();
    let mut seen = peer.seen();
    seen.sort();
    let parsed = |at: usize| {
        MessageParser::default()
            .parse(seen[at].1.as_bytes())
            .unwrap()
            .into_owned()
    };
    let (english, chinese) = (parsed(0), parsed(1));
    assert_eq!(
        english.subject(),
        Some("[fund monitor] 黄山市: the changed configuration is refused, all stays as it was")
    );
    assert_eq!(
        chinese.subject(),
        Some("[基金监测] 黄山市：新配置有误，未生效，一切照旧")
    );
    for mail in [&english, &chinese] {
        let body = mail.body_text(0).unwrap();
        assert!(body.contains("policy.toml:3: from: no month"), "{body}");
        assert!(
            !body.contains(PERSON) && body.contains("341099********0008"),
            "{body}"
        );
    }
    assert_ne!(english.message_id(), chinese.message_id());
}
