//! An explanation for a terminal.

use std::fmt::Display;

use alerting::Language;
use alerting::life::Standing;
use casework::explain::{Explanation, Recheck};
use casework::words::{self, severity};
use comfy_table::{Table, presets};

use super::Raw;
use crate::failure::{Failure, say};

/// The headings and sentences of the page.
struct Words {
    law: &'static str,
    working: &'static str,
    entry: &'static str,
    entry_is_another: &'static str,
    does_not_come_out: &'static str,
    recheck: [&'static str; 4],
    to_do: &'static str,
    evidence: &'static str,
    no_evidence: &'static str,
    not_found: &'static str,
    gone: &'static str,
    unreadable: &'static str,
    raw_more: &'static str,
    unanswered: &'static str,
    damage: &'static str,
    history: &'static str,
    cause: &'static str,
    nobody: &'static str,
    mail_states: [(&'static str, &'static str); 4],
    related: &'static str,
    none: &'static str,
    standings: [&'static str; 3],
}

static ZH: Words = Words {
    law: "依据",
    working: "计算",
    entry: "适用政策条目",
    entry_is_another: "注意：现在的政策文件对该所属期适用另一条目，预警生成之后政策文件有改动。",
    does_not_come_out: "注意：以上各步的结果与预警金额不符，预警生成之后政策文件有改动。",
    recheck: [
        "按现有记录重新计算：结果一致。",
        "按现有记录重新计算：结果不同，预警随后会更新。",
        "按现有记录重新计算：条件不成立，预警随后会更新。",
        "未重新计算。",
    ],
    to_do: "建议处理",
    evidence: "证据",
    no_evidence: "没有单条记录可列：它说的是没有发生的事。",
    not_found: "未查到所在位置",
    gone: "来源已不再保存该记录",
    unreadable: "无法读取：",
    raw_more: "只读取前 100 条原始记录。",
    unanswered: "未能查到记录：",
    damage: "注意：盘上数据不完整，可能缺少记录：",
    history: "经过",
    cause: "引起变化的记录",
    nobody: "未以邮件告知任何人",
    mail_states: [
        ("pending", "待发送"),
        ("sending", "发送中"),
        ("sent", "已发送"),
        ("failed", "被拒收"),
    ],
    related: "同一对象的其他预警",
    none: "没有。",
    standings: ["持续中", "已解除", "已撤回"],
};

static EN: Words = Words {
    law: "Rule",
    working: "Step by step",
    entry: "Policy entry",
    entry_is_another: "Note: the policy file now has another entry for the period; it was changed after the alert was made.",
    does_not_come_out: "Note: the steps do not come out at the alert's amount; the policy file was changed after it was made.",
    recheck: [
        "The facts, judged again: the same.",
        "The facts, judged again: not the same; the alert will follow.",
        "The facts, judged again: it holds no more; the alert will follow.",
        "Not judged again.",
    ],
    to_do: "What to do",
    evidence: "Evidence",
    no_evidence: "No single record: it speaks of what did not happen.",
    not_found: "not found where it stands",
    gone: "its feed does not have the record any more",
    unreadable: "cannot be read: ",
    raw_more: "Of raw records the first 100 are read.",
    unanswered: "The records could not be looked up: ",
    damage: "Note: the state on disk is not whole, records may be missing: ",
    history: "History",
    cause: "record that did it",
    nobody: "nobody was told by mail",
    mail_states: [
        ("pending", "to be sent"),
        ("sending", "being sent"),
        ("sent", "sent"),
        ("failed", "refused"),
    ],
    related: "Other alerts on the same subject",
    none: "None.",
    standings: ["open", "cleared", "withdrawn"],
};

/// Prints an explanation.
pub(super) fn print(
    explanation: &Explanation,
    raw: Option<&[Raw]>,
    damage: Option<&str>,
    language: Language,
) -> Result<(), Failure> {
    let words = match language {
        Language::Zh => &ZH,
        Language::En => &EN,
    };
    head(explanation, words, language)?;
    rule(explanation, words)?;
    evidence(explanation, raw, damage, words)?;
    history(explanation, words)?;
    related(explanation, words, language)
}

fn head(explanation: &Explanation, words: &Words, language: Language) -> Result<(), Failure> {
    let standing = match explanation.state {
        "open" => words.standings[0],
        "cleared" => words.standings[1],
        _ => words.standings[2],
    };
    say(format_args!(
        "[{} · {standing}] {}  #{}",
        severity(explanation.severity, language),
        explanation.name,
        explanation.id
    ))?;
    say(&explanation.sentence)?;
    say("")?;
    let facts = explanation.facts.iter();
    rows(facts.map(|(label, value)| vec![label.clone(), value.clone()]))
}

fn rule(explanation: &Explanation, words: &Words) -> Result<(), Failure> {
    if let Some(law) = &explanation.law {
        title(words.law)?;
        say(format_args!("  {law}"))?;
    }
    let rule = &explanation.rule;
    if !rule.steps.is_empty() {
        title(words.working)?;
        if let Some(entry) = &rule.entry {
            say(format_args!("  {}  {entry}", words.entry))?;
        }
        let steps = rule.steps.iter();
        rows(steps.map(|step| vec![step.what.clone(), step.how.clone(), step.result.clone()]))?;
        if rule.entry_is_another {
            say(format_args!("  {}", words.entry_is_another))?;
        }
        if rule.comes_out == Some(false) {
            say(format_args!("  {}", words.does_not_come_out))?;
        }
    }
    let recheck = match explanation.recheck {
        Recheck::Same => words.recheck[0],
        Recheck::Different => words.recheck[1],
        Recheck::Gone => words.recheck[2],
        Recheck::NotDone => words.recheck[3],
    };
    say(format_args!("  {recheck}"))?;
    title(words.to_do)?;
    say(format_args!("  {}", explanation.action))
}

fn evidence(
    explanation: &Explanation,
    raw: Option<&[Raw]>,
    damage: Option<&str>,
    words: &Words,
) -> Result<(), Failure> {
    title(words.evidence)?;
    if let Some(why) = &explanation.unanswered {
        say(format_args!("  {}{why}", words.unanswered))?;
    }
    if let Some(damage) = damage {
        say(format_args!("  {}{damage}", words.damage))?;
    }
    if explanation.evidence.is_empty() {
        return say(format_args!("  {}", words.no_evidence));
    }
    let records = explanation.evidence.iter();
    rows(records.map(|record| {
        let place = record
            .place
            .as_ref()
            .map_or_else(|| words.not_found.to_owned(), ToString::to_string);
        vec![
            record.id.clone(),
            record.date.clone().unwrap_or_default(),
            record.kind.unwrap_or_default().to_owned(),
            record.says.clone().unwrap_or_default(),
            place,
        ]
    }))?;
    let Some(raw) = raw else { return Ok(()) };
    for (record, raw) in explanation.evidence.iter().zip(raw) {
        match raw {
            Raw::Record(text) => say(format_args!("  {}  {text}", record.id))?,
            Raw::Gone => say(format_args!("  {}  {}", record.id, words.gone))?,
            Raw::Unreadable(why) => {
                say(format_args!("  {}  {}{why}", record.id, words.unreadable))?;
            }
            Raw::Unknown => say(format_args!("  {}  {}", record.id, words.not_found))?,
        }
    }
    if raw.len() < explanation.evidence.len() {
        say(format_args!("  {}", words.raw_more))?;
    }
    Ok(())
}

fn history(explanation: &Explanation, words: &Words) -> Result<(), Failure> {
    title(words.history)?;
    for told in &explanation.history {
        say(format_args!(
            "  {}  {}  {}",
            told.revision, told.at, told.event
        ))?;
        for (label, was, is) in &told.changes {
            say(format_args!("     {label}: {was} → {is}"))?;
        }
        if let Some(cause) = &told.cause {
            say(format_args!("     {}: {cause}", words.cause))?;
        }
        if told.mails.is_empty() {
            say(format_args!("     {}", words.nobody))?;
        }
        for mail in &told.mails {
            let state = words.mail_states.iter().find(|(of, _)| *of == mail.state);
            let state = state.map_or(mail.state.as_str(), |(_, word)| word);
            let at = mail.at.as_deref().unwrap_or_default();
            say(format_args!("     → {}  {state} {at}", mail.to))?;
        }
    }
    Ok(())
}

fn related(explanation: &Explanation, words: &Words, language: Language) -> Result<(), Failure> {
    title(words.related)?;
    if explanation.related.is_empty() {
        return say(format_args!("  {}", words.none));
    }
    let others = explanation.related.iter();
    rows(others.map(|other| {
        let standing = match other.state {
            Standing::Open => words.standings[0],
            Standing::Cleared => words.standings[1],
            Standing::Withdrawn => words.standings[2],
        };
        vec![
            other.opened_on.to_string(),
            other.name.clone(),
            other.period.clone().unwrap_or_default(),
            other.item.clone().unwrap_or_default(),
            severity(other.severity, language).to_owned(),
            standing.to_owned(),
            words::money(other.amount, language),
            format!("#{}", other.id),
        ]
    }))
}

fn title(text: impl Display) -> Result<(), Failure> {
    say("")?;
    say(text)
}

/// Lines of cells, in columns.
fn rows(lines: impl Iterator<Item = Vec<String>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for line in lines {
        table.add_row(line);
    }
    for line in table.lines() {
        say(format_args!(" {}", line.trim_end()))?;
    }
    Ok(())
}
