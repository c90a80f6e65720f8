//! 延迟上划 (`late-remittance`): did the region remit to the city what it collected in a month?
//!
//! Law: contributions go to the fund's special account in full and on time; none may be withheld
//! or diverted (社会保险法 art. 64, 65; 社会保险基金财务制度, 财社〔2017〕144号).
//! Key: region, period, the month collected in. Reads: payments and reversals of `tax.collection`
//! by their own region and date, summed by day; `remit_up` of `treasury.transfer`.
//! Holds from the day after due date and grace on, while less was remitted than collected. Wakes
//! on that day.

use domain::{
    AlertKey, BusinessDate, Detector, Episode, EvidenceId, Finding, Money, PolicyEntry, Subject,
    Topic,
};
use rules::Policy;

use crate::book::RemittanceBook;
use crate::episodes::fold;
use crate::evidence::{details, severity_of};
use crate::verdict::Verdict;

/// Judges the month of the region.
pub fn judge(
    book: &RemittanceBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
    verdict: &mut Verdict,
) {
    let (Some(entry), Some(due)) = (
        policy.remittance(book.period),
        policy.remittance_due(book.period),
    ) else {
        return;
    };
    if !book.remits {
        return;
    }
    let start = due.deadline.next();
    let mut events = vec![(start, Money::ZERO)];
    let receipts = book.receipts.iter();
    events.extend(receipts.map(|day| (day.date, day.paid - day.reversed)));
    let remittances = book.remittances.iter();
    events.extend(remittances.map(|remitted| (remitted.date, -remitted.amount)));

    let tolerance = policy.detector(Detector::LateRemittance).tolerance;
    let mut withheld = Money::ZERO;
    let folded = fold(
        events,
        as_of,
        &mut withheld,
        |withheld, change| *withheld += *change,
        |withheld, day| (start <= day && tolerance < *withheld).then_some(*withheld),
    );
    verdict.wake_on_any(folded.next);
    if let Some(episode) = folded.episode {
        let entry = PolicyEntry {
            table: "remittance",
            from: entry.from,
        };
        verdict
            .findings
            .push(finding(book, policy, as_of, episode, entry));
    }
}

fn finding(
    book: &RemittanceBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
    episode: Episode,
    entry: PolicyEntry,
) -> Finding {
    let receipts = || book.receipts.iter().filter(|day| day.date <= as_of);
    let remittances = || book.remittances.iter().filter(|of| of.date <= as_of);
    let sum = |amounts: &mut dyn Iterator<Item = Money>| amounts.sum::<Money>().to_string();
    let mut evidence: Vec<EvidenceId> = remittances()
        .map(|remitted| EvidenceId {
            topic: Topic::TreasuryTransfer,
            id: remitted.id.to_owned(),
        })
        .collect();
    evidence.sort_unstable();
    evidence.dedup();
    Finding {
        key: AlertKey {
            detector: Detector::LateRemittance,
            subject: Subject::Region(book.region),
            period: Some(book.period),
            item: None,
        },
        region: book.region,
        severity: severity_of(policy, Detector::LateRemittance, &episode),
        episode,
        evidence,
        policy: Some(entry),
        details: details! {
            "payments": receipts().map(|day| day.payments).sum::<u64>(),
            "paid": sum(&mut receipts().map(|day| day.paid)),
            "reversals": receipts().map(|day| day.reversals).sum::<u64>(),
            "reversed": sum(&mut receipts().map(|day| day.reversed)),
            "remitted": sum(&mut remittances().map(|remitted| remitted.amount)),
        },
    }
}
