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

use crate::book::{ItemBook, Payout, PersonBook};
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
    let mut listed: Option<Listed<'_>> = None;
    for (index, payout) in book.payouts.iter().enumerate() {
        if listed.as_ref().is_some_and(|known| known.covers(payout)) {
            continue;
        }
        let Some(entry) = policy.benefit(payout.period) else {
            continue;
        };
        if entry.is_listed(payout.item) {
            listed = Some(Listed::new(policy, entry, payout.item));
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

/// An item that an entry lists, and the months of the entry.
struct Listed<'a> {
    from: Period,
    until: Option<Period>,
    item: &'a str,
}

impl<'a> Listed<'a> {
    fn new(policy: &Policy, entry: &Benefit, item: &'a str) -> Self {
        let later = policy.benefits().iter().map(|later| later.from);
        Listed {
            from: entry.from,
            until: later.filter(|&from| entry.from < from).min(),
            item,
        }
    }

    fn covers(&self, payout: &Payout<'_>) -> bool {
        let is_same = std::ptr::eq(self.item, payout.item) || self.item == payout.item;
        self.from <= payout.period
            && self.until.is_none_or(|until| payout.period < until)
            && is_same
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, day, month, person, policy, yuan};

    /// The heating allowance is struck off the list from 2024-03 on.
    fn without_heating() -> Policy {
        policy(
            &[(
                "[[benefit]]\nfrom = \"2019-05\"",
                "[[benefit]]\nfrom = \"2023-01\"\nitems = [\"basic_pension\", \
                 \"heating_allowance\"]\nsurvivor_items = [\"funeral_grant\"]\npayout_day = 20\n\
                 grace_days = 3\n[[benefit]]\nfrom = \"2024-03\"",
            )],
            "",
        )
    }

    #[test]
    fn contributions_are_those_of_unlisted_items() {
        let book = person(
            "payout Y0 2022-12-20 2022-12 heating_allowance regular 7
             payout Y1 2024-02-20 2024-02 heating_allowance regular 100
             payout Y2 2024-03-20 2024-03 heating_allowance regular 120
             payout Y5 2024-03-23 2024-02 heating_allowance back_pay 30
             payout Y6 2024-03-23 2024-03 funeral_grant regular 900
             payout Y7 2024-03-24 2024-03 heating_allowance lump_sum 5 @2
             back V1 2024-03-25 2024-03 heating_allowance Y2 100 @2
             back V0 2024-03-01 2024-03 heating_allowance Y2 50 @2",
        );
        let march =
            |region, steps: &[(&str, i128)], records: &[(&str, &'static str)]| Contribution {
                region: RegionId(region),
                period: month("2024-03"),
                item: "heating_allowance",
                steps: steps
                    .iter()
                    .map(|&(date, change)| (day(date), Money::from_fen(change * 100)))
                    .collect(),
                records: records.iter().map(|&(date, id)| (day(date), id)).collect(),
            };
        let expected = [
            march(
                1,
                &[
                    ("2024-03-20", 120),
                    ("2024-03-20", -50),
                    ("2024-03-25", -70),
                ],
                &[
                    ("2024-03-20", "Y2"),
                    ("2024-03-20", "V0"),
                    ("2024-03-25", "V1"),
                ],
            ),
            march(2, &[("2024-03-24", 5)], &[("2024-03-24", "Y7")]),
        ];
        assert_eq!(contributions(&book, &without_heating()), expected);
        let off = policy(&[], "[detectors.unauthorised-item]\nenabled = false\n");
        assert_eq!(contributions(&book, &off), []);
    }

    fn book<'a>(steps: &[(&str, i128)], records: &[(&str, &'a str)]) -> ItemBook<'a> {
        ItemBook {
            region: domain::RegionCode::parse(b"341002").unwrap(),
            period: month("2024-03"),
            item: "heating_allowance",
            steps: steps
                .iter()
                .map(|&(date, change)| (day(date), Money::from_fen(change * 100)))
                .collect(),
            records: records.iter().map(|&(date, id)| (day(date), id)).collect(),
        }
    }

    #[test]
    fn the_sum_of_the_region() {
        let book = book(
            &[
                ("2024-03-20", 120),
                ("2024-03-21", 80),
                ("2024-03-25", -120),
                ("2024-04-05", 5),
            ],
            &[
                ("2024-03-25", "V1"),
                ("2024-03-20", "Y2"),
                ("2024-03-21", "Y3"),
                ("2024-04-05", "Y7"),
                ("2024-04-08", "Y8"),
            ],
        );
        let open = "2024-03 heating_allowance 2024-03-20.. 85.00 peak 200.00 x1 blue 341002 \
            benefit@2024-03 [agency.payout/V1 agency.payout/Y2 agency.payout/Y3 agency.payout/Y7] \
            {\"records\":4}";
        let wake = check(judge, &book, &without_heating(), "2024-04-07", &[open]);
        assert_eq!(wake, Some(day("2024-04-08")));
    }

    #[test]
    fn severity_is_from_a_threshold_on_and_by_the_peak_once_cleared() {
        let thresholds = policy(
            &[],
            "[detectors.unauthorised-item]\nyellow = \"100.00\"\norange = \"200.00\"\nred = \
             \"300.00\"\n",
        );
        let severity = |steps: &[(&str, &str)]| {
            let mut left = Money::ZERO;
            let steps = steps
                .iter()
                .map(|(date, total)| {
                    let change = yuan(total) - left;
                    left += change;
                    (day(date), change)
                })
                .collect();
            let book = ItemBook {
                steps,
                ..book(&[], &[("2024-03-20", "Y1")])
            };
            let mut verdict = Verdict::default();
            judge(&book, &thresholds, day("2024-03-31"), &mut verdict);
            verdict.findings[0].severity.as_str()
        };
        assert_eq!(severity(&[("2024-03-20", "99.99")]), "blue");
        assert_eq!(severity(&[("2024-03-20", "100")]), "yellow");
        assert_eq!(severity(&[("2024-03-20", "200")]), "orange");
        assert_eq!(severity(&[("2024-03-20", "300")]), "red");
        let cleared = [("2024-03-20", "250"), ("2024-03-22", "0")];
        assert_eq!(severity(&cleared), "orange");
        let lower = [("2024-03-20", "250"), ("2024-03-22", "99.99")];
        assert_eq!(severity(&lower), "blue");
    }

    #[test]
    fn evidence_is_the_first_hundred_and_none_twice() {
        let ids: Vec<String> = (0..150).map(|id| format!("Y{id:03}")).collect();
        let mut records: Vec<(&str, &str)> =
            ids.iter().map(|id| ("2024-03-20", id.as_str())).collect();
        // Another person's record of the same id.
        records.insert(1, ("2024-03-19", "Y000"));
        let book = book(&[("2024-03-20", 150)], &records);
        let mut verdict = Verdict::default();
        judge(&book, &without_heating(), day("2024-03-31"), &mut verdict);
        let evidence = &verdict.findings[0].evidence;
        assert_eq!(evidence.len(), EVIDENCE_MAX);
        assert!(evidence.is_sorted_by(|a, b| a < b));
        assert_eq!(evidence[99].id, "Y099");
    }

    #[test]
    fn listed_or_without_entry_is_authorised() {
        let february = ItemBook {
            period: month("2024-02"),
            ..book(&[("2024-02-20", 120)], &[("2024-02-20", "Y1")])
        };
        check(judge, &february, &without_heating(), "2024-03-31", &[]);
        let before = ItemBook {
            period: month("2022-12"),
            ..book(&[("2024-02-20", 120)], &[("2024-02-20", "Y1")])
        };
        check(judge, &before, &without_heating(), "2024-03-31", &[]);
    }
}
