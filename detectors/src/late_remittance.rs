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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{DayReceipts, Moved};
    use crate::testing::{check, day, month, policy, yuan};

    /// Receipts `(day, payments, paid, reversals, reversed)`, remittances `(id, day, amount)`.
    fn book(
        receipts: &[(&str, u64, &str, u64, &str)],
        remittances: &[(&'static str, &str, &str)],
    ) -> RemittanceBook<'static> {
        RemittanceBook {
            region: domain::RegionCode::parse(b"341002").unwrap(),
            remits: true,
            period: month("2024-02"),
            receipts: receipts
                .iter()
                .map(|&(date, payments, paid, reversals, reversed)| DayReceipts {
                    date: day(date),
                    payments,
                    paid: yuan(paid),
                    reversals,
                    reversed: yuan(reversed),
                })
                .collect(),
            remittances: remittances
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
    fn short_at_the_deadline_and_complete_later() {
        let book = book(
            &[
                ("2024-02-08", 1, "10000", 0, "0"),
                ("2024-02-20", 2, "7000", 1, "2000"),
            ],
            &[
                ("T1", "2024-03-05", "4000"),
                ("T2", "2024-03-11", "6000"),
                ("T3", "2024-03-14", "3000"),
                ("T4", "2024-03-20", "2000"),
            ],
        );
        // 03-10 is a Sunday: due 03-11. 15000 - 10000, then 2000 from 03-14.
        let plain = policy(&[], "");
        let wake = check(judge, &book, &plain, "2024-03-11", &[]);
        assert_eq!(wake, Some(day("2024-03-12")));
        let open = "2024-02 - 2024-03-12.. 2000.00 peak 5000.00 x1 blue 341002 remittance@2019-05 \
            [treasury.transfer/T1 treasury.transfer/T2 treasury.transfer/T3] \
            {\"paid\":\"17000.00\",\"payments\":3,\"remitted\":\"13000.00\",\"reversals\":1,\
            \"reversed\":\"2000.00\"}";
        let wake = check(judge, &book, &plain, "2024-03-19", &[open]);
        assert_eq!(wake, Some(day("2024-03-20")));
        let cleared = "2024-02 - 2024-03-12..2024-03-20 0.00 peak 5000.00 x1 blue 341002 \
            remittance@2019-05 [treasury.transfer/T1 treasury.transfer/T2 treasury.transfer/T3 \
            treasury.transfer/T4] {\"paid\":\"17000.00\",\"payments\":3,\"remitted\":\"15000.00\",\
            \"reversals\":1,\"reversed\":\"2000.00\"}";
        check(judge, &book, &plain, "2024-03-31", &[cleared]);
    }

    #[test]
    fn nothing_remitted_has_no_evidence() {
        let book = book(&[("2024-02-08", 1, "10000", 0, "0")], &[]);
        let open = "2024-02 - 2024-03-12.. 10000.00 peak 10000.00 x1 yellow 341002 \
            remittance@2019-05 [] {\"paid\":\"10000.00\",\"payments\":1,\"remitted\":\"0.00\",\
            \"reversals\":0,\"reversed\":\"0.00\"}";
        check(judge, &book, &policy(&[], ""), "2024-03-31", &[open]);
    }

    #[test]
    fn who_need_not_remit_is_not_late() {
        let exempt = RemittanceBook {
            remits: false,
            ..book(&[("2024-02-08", 1, "10000", 0, "0")], &[])
        };
        check(judge, &exempt, &policy(&[], ""), "2024-03-31", &[]);
    }

    #[test]
    fn day_and_grace_of_the_month_and_the_tolerance() {
        let changed = policy(
            &[(
                "remit_day = 10\ngrace_days = 0",
                "remit_day = 30\ngrace_days = 2",
            )],
            "[detectors.late-remittance]\ntolerance = \"1.00\"\n",
        );
        // Day 30 of March 2024 is a Saturday: due Monday 04-01, two days of grace.
        let short = |remitted| {
            let book = book(
                &[("2024-02-10", 1, "900", 0, "0")],
                &[("T1", "2024-03-10", remitted)],
            );
            let mut verdict = Verdict::default();
            judge(&book, &changed, day("2024-04-30"), &mut verdict);
            verdict
                .findings
                .first()
                .map(|found| found.episode.opened_on)
        };
        assert_eq!(short("899"), None);
        assert_eq!(short("898.99"), Some(day("2024-04-04")));
    }
}
