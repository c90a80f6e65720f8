//! 违规列支 (`unauthorised-item`): did the fund pay a benefit that no list names?
//!
//! Law: items and standards of benefits are set by the state; no region may add any (社会保险法
//! art. 64 and 69; 企业职工基本养老保险待遇项目清理规范).
//! Key: region of the payout, period, item. Reads: payouts of every nature and their reversals of
//! `agency.payout`, the latter of whichever region.
//! Holds while something is left of payouts of an item that is in neither list of the entry of
//! their period. Time alone changes nothing but by facts dated after as-of.
//!
//! A reversal belongs to a person's payout, the key to a region: so each person's book says what it
//! contributes ([`contributions`]), and the sums are judged.

use std::cell::LazyCell;

use domain::{
    AlertKey, BusinessDate, Detector, Episode, EvidenceId, Finding, Money, Period, PolicyEntry,
    RegionId, Subject, Topic,
};
use rules::{Benefit, Policy};

use crate::book::{ItemBook, PersonBook};
use crate::episodes::fold;
use crate::evidence::{details, severity_of};
use crate::net::Net;
use crate::verdict::Verdict;

/// How many records an alert names at most.
const EVIDENCE_MAX: usize = 100;

/// What one payout of an unlisted item adds to the book of its region, period and item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution<'a> {
    /// The payout's region.
    pub region: RegionId,
    /// The month that it is for.
    pub period: Period,
    /// Its item.
    pub item: &'a str,
    /// The changes of its net by day, those of nothing left out. Sorted; a day may come twice.
    pub steps: Vec<(BusinessDate, Money)>,
    /// Its id and those of the reversals that act on it, each with the day from which it counts: a
    /// reversal dated before its payout counts from the payout on.
    pub records: Vec<(BusinessDate, &'a str)>,
}

/// What a person's payouts of unlisted items add to the books of their regions; of all dates,
/// those after as-of too. Nothing if the detector is switched off.
pub fn contributions<'a>(book: &PersonBook<'a>, policy: &Policy) -> Vec<Contribution<'a>> {
    let mut found = Vec::new();
    if !policy.detector(Detector::UnauthorisedItem).enabled {
        return found;
    }
    let net = LazyCell::new(|| Net::new(&book.payouts, &book.payout_reversals));
    // Month after month it is the same item of the same entry: the lists are searched once.
    let mut listed: Option<(&Benefit, &str)> = None;
    for (index, payout) in book.payouts.iter().enumerate() {
        let Some(entry) = policy.benefit(payout.period) else {
            continue;
        };
        if listed.is_some_and(|(of, item)| std::ptr::eq(of, entry) && item == payout.item) {
            continue;
        }
        if entry.is_listed(payout.item) {
            listed = Some((entry, payout.item));
            continue;
        }
        let mut records = vec![(payout.date, payout.id)];
        records.extend(
            net.reversals_of(index)
                .map(|(day, reversal)| (day, reversal.id)),
        );
        found.push(Contribution {
            region: payout.region,
            period: payout.period,
            item: payout.item,
            steps: net
                .steps(index)
                .filter(|(_, change)| *change != Money::ZERO)
                .collect(),
            records,
        });
    }
    found
}

/// Judges the region's payouts of the item for the period.
pub fn judge(book: &ItemBook<'_>, policy: &Policy, as_of: BusinessDate, verdict: &mut Verdict) {
    let Some(entry) = policy.benefit(book.period) else {
        return;
    };
    if entry.is_listed(book.item) {
        return;
    }
    let tolerance = policy.detector(Detector::UnauthorisedItem).tolerance;
    let mut left = Money::ZERO;
    let folded = fold(
        book.steps.clone(),
        as_of,
        &mut left,
        |left, change| *left += *change,
        |left, _| (tolerance < *left).then_some(*left),
    );
    verdict.wake_on_any(folded.next);
    if let Some(episode) = folded.episode {
        let dates = book.records.iter().map(|&(date, _)| date);
        verdict.wake_on_any(dates.filter(|&date| as_of < date).min());
        verdict
            .findings
            .push(finding(book, policy, as_of, episode, entry));
    }
}

fn finding(
    book: &ItemBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
    episode: Episode,
    entry: &Benefit,
) -> Finding {
    let mut ids: Vec<&str> = book
        .records
        .iter()
        .filter(|(date, _)| *date <= as_of)
        .map(|&(_, id)| id)
        .collect();
    // Two persons' records, or a payout and a reversal, may have one id.
    ids.dedup();
    let records = ids.len();
    let evidence = ids
        .into_iter()
        .take(EVIDENCE_MAX)
        .map(|id| EvidenceId {
            topic: Topic::AgencyPayout,
            id: id.to_owned(),
        })
        .collect();
    Finding {
        key: AlertKey {
            detector: Detector::UnauthorisedItem,
            subject: Subject::Region(book.region),
            period: Some(book.period),
            item: Some(book.item.to_owned()),
        },
        region: book.region,
        severity: severity_of(policy, Detector::UnauthorisedItem, &episode),
        episode,
        evidence,
        policy: Some(PolicyEntry {
            table: "benefit",
            from: entry.from,
        }),
        details: details! { "records": records },
    }
}
