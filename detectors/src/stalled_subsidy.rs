//! 补助滞留 (`stalled-subsidy`): did a subsidy leave the region's treasury in time?
//!
//! Law: central and provincial subsidies are moved to the fund's special account in time
//! (社会保险基金财务制度, 财社〔2017〕144号); the days allowed are the policy's.
//! Key: the subsidy's id. Reads: `central_subsidy`, `provincial_subsidy` and the `treasury_release`
//! that name it, of `treasury.transfer`, of whichever region.
//! Holds from the day after the last allowed business day on, while something of it is left. Wakes
//! on that day.

use domain::{
    AlertKey, BusinessDate, Detector, Episode, EvidenceId, Finding, Money, PolicyEntry, Subject,
    Topic,
};
use rules::Policy;

use crate::book::SubsidyBook;
use crate::episodes::fold;
use crate::evidence::{details, severity_of};
use crate::verdict::Verdict;

/// Judges the subsidy.
pub fn judge(book: &SubsidyBook<'_>, policy: &Policy, as_of: BusinessDate, verdict: &mut Verdict) {
    let (Some(entry), Some(deadline)) = (
        policy.remittance(book.date.period()),
        policy.release_deadline(book.date),
    ) else {
        return;
    };
    let start = deadline.next();
    let mut events = vec![(start, Money::ZERO), (book.date, book.amount)];
    let releases = book.releases.iter();
    // A release that is dated before its subsidy acts from the subsidy on.
    events.extend(releases.map(|of| (of.date.max(book.date), -of.amount)));

    let tolerance = policy.detector(Detector::StalledSubsidy).tolerance;
    let mut left = Money::ZERO;
    let folded = fold(
        events,
        as_of,
        &mut left,
        |left, change| *left += *change,
        |left, day| (start <= day && tolerance < *left).then_some(*left),
    );
    verdict.wake_on_any(folded.next);
    if let Some(episode) = folded.episode {
        let entry = PolicyEntry {
            table: "remittance",
            from: entry.from,
        };
        verdict
            .findings
            .push(finding(book, policy, as_of, episode, entry, deadline));
    }
}

fn finding(
    book: &SubsidyBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
    episode: Episode,
    entry: PolicyEntry,
    deadline: BusinessDate,
) -> Finding {
    let releases = || book.releases.iter().filter(|of| of.date <= as_of);
    let released: Money = releases().map(|of| of.amount).sum();
    let mut evidence: Vec<EvidenceId> = std::iter::once(book.id)
        .chain(releases().map(|of| of.id))
        .map(|id| EvidenceId {
            topic: Topic::TreasuryTransfer,
            id: id.to_owned(),
        })
        .collect();
    evidence.sort_unstable();
    evidence.dedup();
    Finding {
        key: AlertKey {
            detector: Detector::StalledSubsidy,
            subject: Subject::Transfer(book.id.to_owned()),
            period: None,
            item: None,
        },
        region: book.region,
        severity: severity_of(policy, Detector::StalledSubsidy, &episode),
        episode,
        evidence,
        policy: Some(entry),
        details: details! {
            "arrived": book.amount.to_string(),
            "release_by": deadline.to_string(),
            "released": released.to_string(),
        },
    }
}
