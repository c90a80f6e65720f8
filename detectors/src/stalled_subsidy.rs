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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Moved;
    use crate::testing::{check, day, policy, yuan};

    fn book(
        arrived: &str,
        amount: &str,
        releases: &[(&'static str, &str, &str)],
    ) -> SubsidyBook<'static> {
        SubsidyBook {
            id: "S1",
            region: domain::RegionCode::parse(b"341021").unwrap(),
            date: day(arrived),
            amount: yuan(amount),
            releases: releases
                .iter()
                .map(|&(id, date, amount)| Moved {
                    id,
                    date: day(date),
                    amount: yuan(amount),
                })
                .collect(),
        }
    }

    #[test]
    fn released_in_parts_over_a_holiday_week() {
        let calendar = policy(
            &[
                (
                    "holidays = []",
                    "holidays = [\"2024-02-12\", \"2024-02-13\", \"2024-02-14\", \"2024-02-15\", \
                     \"2024-02-16\"]",
                ),
                (
                    "workdays = []",
                    "workdays = [\"2024-02-04\", \"2024-02-18\"]",
                ),
            ],
            "",
        );
        let book = book(
            "2024-02-05",
            "1000000",
            &[
                ("F1", "2024-02-20", "600000"),
                ("F2", "2024-02-28", "300000"),
                ("F3", "2024-03-05", "100000"),
            ],
        );
        // 6, 7, 8, 9, 18 (a worked Sunday), 19, 20, 21, 22, 23 February are the ten.
        let cleared = "- - 2024-02-24..2024-03-05 0.00 peak 400000.00 x1 orange 341021 \
            remittance@2019-05 [treasury.transfer/F1 treasury.transfer/F2 treasury.transfer/F3 \
            treasury.transfer/S1] {\"arrived\":\"1000000.00\",\"release_by\":\"2024-02-23\",\
            \"released\":\"1000000.00\"}";
        assert_eq!(
            check(judge, &book, &calendar, "2024-03-20", &[cleared]),
            None
        );
        let wake = check(judge, &book, &calendar, "2024-02-23", &[]);
        assert_eq!(wake, Some(day("2024-02-24")));
    }

    #[test]
    fn arrived_on_a_saturday() {
        let book = book("2024-03-02", "50000", &[]);
        // 4 to 8 and 11 to 15 March are the ten; it holds from Saturday 03-16.
        let open = "- - 2024-03-16.. 50000.00 peak 50000.00 x1 yellow 341021 remittance@2019-05 \
            [treasury.transfer/S1] {\"arrived\":\"50000.00\",\"release_by\":\"2024-03-15\",\
            \"released\":\"0.00\"}";
        check(judge, &book, &policy(&[], ""), "2024-03-20", &[open]);
    }

    #[test]
    fn released_before_it_arrived() {
        let book = book("2024-03-02", "50000", &[("F1", "2024-03-01", "50000")]);
        check(judge, &book, &policy(&[], ""), "2024-03-20", &[]);
    }

    #[test]
    fn a_month_without_entry_takes_no_part() {
        let book = book("2019-04-30", "50000", &[]);
        check(judge, &book, &policy(&[], ""), "2024-03-20", &[]);
    }
}
