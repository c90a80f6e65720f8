//! Words of the fund for labels, in both languages, with colours beside them: no colour stands alone.

use domain::{Detector, Severity, Topic};
use serde_json::Value;

use super::grafana::{named, word, word_between};

/// A severity in both languages.
pub fn severity(severity: Severity) -> String {
    format!("{} {}", severity.name_zh(), severity.as_str())
}

/// The colour of a severity, dark enough to be read on white.
pub const fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Red => "#C4162A",
        Severity::Orange => "#D9650A",
        Severity::Yellow => "#B58900",
        Severity::Blue => "#1F60C4",
    }
}

/// From the gravest on.
pub fn severities() -> impl DoubleEndedIterator<Item = Severity> {
    let mut all = Severity::ALL;
    all.sort_unstable();
    all.into_iter().rev()
}

/// Fields named by a severity.
pub fn severity_fields() -> Vec<Value> {
    severities()
        .map(|s| named(s.as_str(), &severity(s), Some(color(s))))
        .collect()
}

/// A colour for each detector, so that it is the same on every board.
const DETECTOR_COLORS: [&str; Detector::ALL.len()] = [
    "#1F60C4", "#8F3BB8", "#C4162A", "#7D7D7D", "#D9650A", "#37872D", "#A3A3A3", "#B58900",
    "#0E7C86", "#5B4B8A", "#E0669B", "#6E9F18",
];

/// Fields named by a detector.
pub fn detector_fields() -> Vec<Value> {
    Detector::ALL
        .into_iter()
        .zip(DETECTOR_COLORS)
        .map(|(detector, color)| named(detector.as_str(), &detector_name(detector), Some(color)))
        .collect()
}

/// A detector in both languages.
fn detector_name(detector: Detector) -> String {
    format!("{} {detector}", detector.name_zh())
}

/// Words for detectors in a column.
pub fn detector_words() -> Vec<Value> {
    Detector::ALL
        .into_iter()
        .map(|detector| word(detector.as_str(), &detector_name(detector), None))
        .collect()
}

/// A feed in both languages.
fn topic_name(topic: Topic) -> String {
    format!("{} {topic}", topic.name_zh())
}

/// Fields named by a feed.
pub fn topic_fields() -> Vec<Value> {
    Topic::ALL
        .into_iter()
        .map(|topic| named(topic.as_str(), &topic_name(topic), None))
        .collect()
}

/// Words for feeds in a column.
pub fn topic_words() -> Vec<Value> {
    Topic::ALL
        .into_iter()
        .map(|topic| word(topic.as_str(), &topic_name(topic), None))
        .collect()
}

/// As what alerts are told.
const KINDS: [(&str, &str, &str); 5] = [
    ("raised", "新发 raised", "#C4162A"),
    ("reopened", "复发 reopened", "#D9650A"),
    ("changed", "变更 changed", "#1F60C4"),
    ("cleared", "解除 cleared", "#37872D"),
    ("withdrawn", "撤回 withdrawn", "#7D7D7D"),
];

/// Fields named by a kind of telling.
pub fn kind_fields() -> Vec<Value> {
    KINDS
        .into_iter()
        .map(|(kind, name, color)| named(kind, name, Some(color)))
        .collect()
}

/// Words for kinds of tellings in a column.
pub fn kind_words() -> Vec<Value> {
    KINDS
        .into_iter()
        .map(|(kind, name, _)| word(kind, name, None))
        .collect()
}

/// What leads out of the store.
const CHANNELS: [(&str, &str); 4] = [
    ("mail", "邮件 mail"),
    ("alerts_topic", "预警主题 alerts topic"),
    ("dead_letter_topic", "死信主题 dead letters"),
    ("webhook", "回调 webhook"),
];

/// Fields named by a channel.
pub fn channel_fields() -> Vec<Value> {
    CHANNELS
        .into_iter()
        .map(|(channel, name)| named(channel, name, None))
        .collect()
}

/// Words for channels in a column.
pub fn channel_words() -> Vec<Value> {
    CHANNELS
        .into_iter()
        .map(|(channel, name)| word(channel, name, None))
        .collect()
}

/// What becomes of a mail.
pub fn mail_fields() -> Vec<Value> {
    vec![
        named("sent", "已发 sent", Some("#37872D")),
        named("retried", "待重试 retried", Some("#B58900")),
        named("failed", "被拒 failed", Some("#C4162A")),
    ]
}

/// What becomes of an attempt to tell a program.
pub fn post_fields() -> Vec<Value> {
    vec![
        named("taken", "已收 taken", Some("#37872D")),
        named("retried", "待重试 retried", Some("#B58900")),
        named("refused", "被拒 refused", Some("#C4162A")),
    ]
}

/// How far a feed is behind the business date, in words. A feed closes each business day: a long holiday is 8 days.
pub fn delay_words() -> Vec<Value> {
    vec![
        word_between(None, Some(4.0), "及时 in time", "#37872D"),
        word_between(Some(4.000_001), Some(10.0), "偏慢 slow", "#B58900"),
        word_between(Some(10.000_001), None, "中断 silent", "#C4162A"),
    ]
}

/// Yes and no.
pub fn yes_no(yes: &str, no: &str) -> Vec<Value> {
    vec![
        word("1", yes, Some("#37872D")),
        word("0", no, Some("#C4162A")),
    ]
}
