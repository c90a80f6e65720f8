//! The nine detectors, in one order, by the book that they read.
//!
//! Detectors of absence are given the as-of of the feeds, the others the present; one that the
//! policy switches off says nothing.

use domain::{BusinessDate, Detector};
use rules::Policy;

use crate::book::{EnterpriseBook, ItemBook, PersonBook, RemittanceBook, SubsidyBook};
use crate::verdict::Verdict;
use crate::{
    arrears, deceased_recipient, duplicate_payout, late_remittance, missed_payout, stalled_subsidy,
    unauthorised_item, undeclared, under_declared_base,
};

type Judge<B> = fn(&B, &Policy, BusinessDate, &mut Verdict);

/// Judges an enterprise: `absence_as_of` is the date up to which its feeds are complete.
pub fn judge_enterprise(
    book: &EnterpriseBook<'_>,
    policy: &Policy,
    absence_as_of: BusinessDate,
    present: BusinessDate,
    verdict: &mut Verdict,
) {
    let detectors: [(Detector, Judge<EnterpriseBook<'_>>); 3] = [
        (Detector::Arrears, arrears::judge),
        (Detector::Undeclared, undeclared::judge),
        (Detector::UnderDeclaredBase, under_declared_base::judge),
    ];
    judge_each(book, &detectors, policy, absence_as_of, present, verdict);
}

/// Judges a person: `absence_as_of` is the date up to which the person's feeds are complete.
pub fn judge_person(
    book: &PersonBook<'_>,
    policy: &Policy,
    absence_as_of: BusinessDate,
    present: BusinessDate,
    verdict: &mut Verdict,
) {
    let detectors: [(Detector, Judge<PersonBook<'_>>); 3] = [
        (Detector::DeceasedRecipient, deceased_recipient::judge),
        (Detector::DuplicatePayout, duplicate_payout::judge),
        (Detector::MissedPayout, missed_payout::judge),
    ];
    judge_each(book, &detectors, policy, absence_as_of, present, verdict);
}

/// Judges a region's month by the date up to which its feeds are complete.
pub fn judge_remittance(
    book: &RemittanceBook<'_>,
    policy: &Policy,
    absence_as_of: BusinessDate,
    verdict: &mut Verdict,
) {
    if policy.detector(Detector::LateRemittance).enabled {
        late_remittance::judge(book, policy, absence_as_of, verdict);
    }
}

/// Judges a subsidy by the date up to which its region's feed is complete.
pub fn judge_subsidy(
    book: &SubsidyBook<'_>,
    policy: &Policy,
    absence_as_of: BusinessDate,
    verdict: &mut Verdict,
) {
    if policy.detector(Detector::StalledSubsidy).enabled {
        stalled_subsidy::judge(book, policy, absence_as_of, verdict);
    }
}

/// Judges a region's payouts of an item for a month by the present.
pub fn judge_item(
    book: &ItemBook<'_>,
    policy: &Policy,
    present: BusinessDate,
    verdict: &mut Verdict,
) {
    if policy.detector(Detector::UnauthorisedItem).enabled {
        unauthorised_item::judge(book, policy, present, verdict);
    }
}

/// Runs the detectors of a book, and keeps apart which as-of each waits for.
fn judge_each<B>(
    book: &B,
    detectors: &[(Detector, Judge<B>)],
    policy: &Policy,
    absence_as_of: BusinessDate,
    present: BusinessDate,
    verdict: &mut Verdict,
) {
    let before = verdict.wake.take();
    (verdict.wake_absence, verdict.wake_present) = (None, None);
    for (detector, judge) in detectors {
        if !policy.detector(*detector).enabled {
            continue;
        }
        let is_of_absence = detector.is_of_absence();
        let as_of = if is_of_absence {
            absence_as_of
        } else {
            present
        };
        judge(book, policy, as_of, verdict);
        if let Some(date) = verdict.wake.take() {
            let wake = if is_of_absence {
                &mut verdict.wake_absence
            } else {
                &mut verdict.wake_present
            };
            *wake = Some(wake.map_or(date, |known| known.min(date)));
        }
    }
    verdict.wake = before;
    verdict.wake_on_any(verdict.wake_absence);
    verdict.wake_on_any(verdict.wake_present);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{
        AlertKey, EnterpriseStatus, Episode, Finding, Money, Nature, Period, RegionId, RosterStatus,
    };

    use super::*;
    use crate::book::{
        Beneficiary, Death, DeathCancelled, Declaration, Payment, PaymentReversal, Payout,
        PayoutReversal, Payroll, StatusRecord,
    };
    use crate::testing::{
        day, enterprise, month, person, policy, sort_enterprise, sort_person, yuan,
    };

    #[test]
    fn each_as_of_is_given_to_its_kind() {
        let book = enterprise(
            "status S1 2024-01-03 active
             declared D1 2024-03-05 2024-02 10 60000
             payroll W1 2024-03-08 2024-02 10 80000",
        );
        let plain = policy(&[], "");
        let mut verdict = Verdict::default();
        // 2024-01 is undeclared; 2024-02 is not yet overdue where the feeds are complete.
        judge_enterprise(
            &book,
            &plain,
            day("2024-03-15"),
            day("2024-03-31"),
            &mut verdict,
        );
        let detectors: Vec<_> = verdict.findings.iter().map(|of| of.key.detector).collect();
        assert_eq!(
            detectors,
            [Detector::Undeclared, Detector::UnderDeclaredBase]
        );
        assert_eq!(verdict.wake_absence, Some(day("2024-03-16")));
        assert_eq!(verdict.wake_present, None);
        assert_eq!(verdict.wake, Some(day("2024-03-16")));
    }

    #[test]
    fn what_is_switched_off_says_nothing() {
        let off = policy(
            &[],
            "[detectors.duplicate-payout]\nenabled = false\n[detectors.missed-payout]\nenabled = \
             false\n",
        );
        let book = person(
            "payout Y1 2024-03-20 2024-03 basic_pension regular 2800
             payout Y2 2024-03-21 2024-03 basic_pension regular 2650.50
             roster B1 2024-01-01 receiving 1000 -",
        );
        let mut verdict = Verdict::default();
        judge_person(
            &book,
            &off,
            day("2024-04-30"),
            day("2024-04-30"),
            &mut verdict,
        );
        assert_eq!((verdict.findings, verdict.wake), (vec![], None));
    }

    /// A small generator with a seed: the same books in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) % bound
        }

        fn pick<T: Copy>(&mut self, from: &[T]) -> T {
            from[self.below(from.len() as u64) as usize]
        }

        fn times(&mut self, most: u64) -> std::ops::Range<u64> {
            0..self.below(most + 1)
        }

        /// A day of the seven months in which all takes place.
        fn day(&mut self) -> BusinessDate {
            day("2023-12-20").plus_days(self.below(190) as u32)
        }

        fn period(&mut self) -> Period {
            self.pick(&["2023-12", "2024-01", "2024-02", "2024-03", "2024-04"].map(month))
        }

        fn id(&mut self) -> &'static str {
            self.pick(&["A", "B", "C", "D", "E", "F", "G", "H"])
        }

        fn region(&mut self) -> RegionId {
            self.pick(&[RegionId(1), RegionId(2)])
        }

        fn amount(&mut self) -> Money {
            self.pick(&["0", "100", "100", "2400", "2400.01", "4800", "10000"].map(yuan))
        }
    }

    /// Of one type, an id names one record.
    fn once<T>(records: &mut Vec<T>, id: impl Fn(&T) -> &'static str) {
        let mut seen = std::collections::BTreeSet::new();
        records.retain(|record| seen.insert(id(record)));
    }

    fn random_enterprise(dice: &mut Dice) -> EnterpriseBook<'static> {
        let mut book = enterprise("");
        for _ in dice.times(3) {
            book.statuses.push(StatusRecord {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                status: dice.pick(EnterpriseStatus::ALL),
            });
        }
        for _ in dice.times(5) {
            book.declarations.push(Declaration {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                period: dice.period(),
                headcount: 1,
                base: dice.amount(),
            });
        }
        for _ in dice.times(3) {
            book.payrolls.push(Payroll {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                period: dice.period(),
                headcount: dice.below(3) as u32,
                wages: dice.amount(),
            });
        }
        for _ in dice.times(5) {
            book.payments.push(Payment {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                period: dice.period(),
                amount: dice.amount(),
            });
        }
        for _ in dice.times(4) {
            let (period, reverses) = match book.payments.is_empty() {
                true => (dice.period(), dice.id()),
                false => {
                    let at = dice.below(book.payments.len() as u64) as usize;
                    (book.payments[at].period, book.payments[at].id)
                }
            };
            book.payment_reversals.push(PaymentReversal {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                period,
                reverses,
                amount: dice.amount(),
            });
        }
        once(&mut book.statuses, |record| record.id);
        once(&mut book.declarations, |record| record.id);
        once(&mut book.payrolls, |record| record.id);
        once(&mut book.payments, |record| record.id);
        once(&mut book.payment_reversals, |record| record.id);
        sort_enterprise(&mut book);
        book
    }

    fn random_person(dice: &mut Dice) -> PersonBook<'static> {
        let mut book = person("");
        for _ in dice.times(7) {
            book.payouts.push(Payout {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                period: dice.period(),
                item: dice.pick(&["basic_pension", "basic_pension", "funeral_grant", "gift"]),
                nature: dice.pick(&[
                    Nature::Regular,
                    Nature::Regular,
                    Nature::BackPay,
                    Nature::LumpSum,
                ]),
                amount: dice.amount(),
            });
        }
        for _ in dice.times(4) {
            let (period, item, reverses) = match book.payouts.is_empty() {
                true => (dice.period(), "gift", dice.id()),
                false => {
                    let payout = &book.payouts[dice.below(book.payouts.len() as u64) as usize];
                    (payout.period, payout.item, payout.id)
                }
            };
            book.payout_reversals.push(PayoutReversal {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                period,
                item,
                reverses,
                amount: dice.amount(),
            });
        }
        for _ in dice.times(4) {
            let amount = dice.amount();
            book.beneficiaries.push(Beneficiary {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                status: dice.pick(&[
                    RosterStatus::Receiving,
                    RosterStatus::Receiving,
                    RosterStatus::Ended,
                ]),
                amount: dice.pick(&[None, Some(amount)]),
                name: dice.pick(&[None, Some(" "), Some("程"), Some("程 ")]),
            });
        }
        for _ in dice.times(3) {
            book.deaths.push(Death {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                died_on: dice.day(),
                source: dice.pick(&["police", "crematorium"]),
                name: dice.pick(&[None, Some("程")]),
            });
        }
        for _ in dice.times(3) {
            book.cancellations.push(DeathCancelled {
                id: dice.id(),
                region: dice.region(),
                date: dice.day(),
                reverses: dice.id(),
            });
        }
        once(&mut book.payouts, |record| record.id);
        once(&mut book.payout_reversals, |record| record.id);
        once(&mut book.beneficiaries, |record| record.id);
        once(&mut book.deaths, |record| record.id);
        once(&mut book.cancellations, |record| record.id);
        sort_person(&mut book);
        book
    }

    /// What a detector says must follow from what it said on each day before, and must stay as it
    /// is until the day for which the verdict asks to be woken.
    fn assert_consistent(judge: impl Fn(BusinessDate, &mut Verdict)) {
        let mut told: Option<Verdict> = None;
        let mut days: BTreeMap<AlertKey, (Episode, Option<Money>)> = BTreeMap::new();
        for n in 0..230 {
            let as_of = day("2023-12-15").plus_days(n);
            let mut verdict = Verdict::default();
            judge(as_of, &mut verdict);
            for finding in &verdict.findings {
                follow(&mut days, finding, as_of);
            }
            assert_eq!(verdict.findings.len(), days.len());
            assert!(verdict.wake.is_none_or(|wake| as_of < wake));
            match told {
                Some(ref before) if before.wake.is_none_or(|wake| as_of < wake) => {
                    assert_eq!(before.findings, verdict.findings, "{as_of}");
                }
                _ => told = Some(verdict),
            }
        }
    }

    /// The episode by days, from what was open on each as-of.
    fn follow(
        days: &mut BTreeMap<AlertKey, (Episode, Option<Money>)>,
        finding: &Finding,
        as_of: BusinessDate,
    ) {
        let open = finding.episode.cleared_on.is_none();
        let amount = finding.episode.amount;
        let (episode, _) = days.entry(finding.key.clone()).or_insert_with(|| {
            assert!(open, "first seen when cleared");
            let none_yet = Episode {
                opened_on: BusinessDate::FIRST,
                cleared_on: Some(as_of),
                amount: Money::ZERO,
                peak: Money::ZERO,
                count: 0,
            };
            (none_yet, None)
        });
        if open && episode.cleared_on.is_some() {
            *episode = Episode {
                opened_on: as_of,
                cleared_on: None,
                amount,
                peak: amount,
                count: episode.count + 1,
            };
        } else if open {
            episode.peak = episode.peak.max(amount);
            episode.amount = amount;
        } else if episode.cleared_on.is_none() {
            episode.cleared_on = Some(as_of);
            episode.amount = Money::ZERO;
        }
        assert_eq!(*episode, finding.episode, "{:?} on {as_of}", finding.key);
    }

    /// The amounts of what is open.
    fn open(verdict: &Verdict) -> plainly::Open {
        let open = verdict
            .findings
            .iter()
            .filter(|finding| finding.episode.cleared_on.is_none());
        open.map(|finding| {
            let key = &finding.key;
            let part = (key.detector, key.period, key.item.clone());
            (part, finding.episode.amount)
        })
        .collect()
    }

    /// The table of contract section 5, a line at a time and a day at a time, as slowly as it reads.
    mod plainly {
        use super::*;

        pub type Open = BTreeMap<(Detector, Option<Period>, Option<String>), Money>;

        /// All months in which anything takes place.
        fn periods() -> impl Iterator<Item = Period> {
            (month("2023-11").months()..month("2024-09").months()).map(Period::from_months)
        }

        fn round(fen: i128, units: i128) -> Money {
            Money::from_fen((fen * units * 2 + 100_000_000) / 200_000_000)
        }

        pub fn enterprise(book: &EnterpriseBook<'_>, policy: &Policy, d: BusinessDate) -> Open {
            let mut open = Open::new();
            for period in periods() {
                let Some(entry) = policy.contribution(period) else {
                    continue;
                };
                let overdue = policy.contribution_due(period).unwrap().deadline < d;
                let both = i128::from(entry.both_rates().units());
                let declaration = |of: Period| {
                    let known = book.declarations.iter();
                    known
                        .filter(|record| record.period == of && record.date <= d)
                        .max_by_key(|record| (record.date, record.id))
                };
                let payroll = book
                    .payrolls
                    .iter()
                    .filter(|record| record.period == period && record.date <= d)
                    .max_by_key(|record| (record.date, record.id));
                let expected = payroll.map(|payroll| {
                    let heads = i128::from(payroll.headcount);
                    let bound = |ratio: domain::Rate| ratio.times(entry.reference_wage) * heads;
                    let wages = payroll.wages.fen() * 100_000_000;
                    wages
                        .max(bound(entry.floor_ratio))
                        .min(bound(entry.ceiling_ratio))
                });
                let settings = |detector| policy.detector(detector);
                let mut add = |detector, amount| {
                    open.insert((detector, Some(period), None), amount);
                };
                if let (Some(declaration), Some(expected)) = (declaration(period), expected) {
                    let missing = expected - declaration.base.fen() * 100_000_000;
                    let settings = settings(Detector::UnderDeclaredBase);
                    let scaled = missing * both * 2 + 10_i128.pow(16);
                    let amount = Money::from_fen(scaled.div_euclid(2 * 10_i128.pow(16)));
                    let ratio = i128::from(settings.tolerance_ratio.units());
                    if missing * 100_000_000 > ratio * expected && amount > settings.tolerance {
                        add(Detector::UnderDeclaredBase, amount);
                    }
                }
                if let Some(declaration) = declaration(period) {
                    let of_key = book.payments.iter();
                    let of_key = of_key.filter(|of| of.period == period && of.date <= d);
                    let paid: Money = of_key
                        .map(|payment| {
                            let back = book.payment_reversals.iter().filter(|back| {
                                back.reverses == payment.id
                                    && back.period == period
                                    && back.date <= d
                            });
                            let back: Money = back.map(|back| back.amount).sum();
                            (payment.amount - back).at_least_zero()
                        })
                        .sum();
                    let amount = round(declaration.base.fen(), both) - paid;
                    if overdue && amount > settings(Detector::Arrears).tolerance {
                        add(Detector::Arrears, amount);
                    }
                } else if overdue {
                    let status = book.statuses.iter();
                    let status = status.filter(|of| of.date <= d.min(period.last_day()));
                    let status = status.max_by_key(|of| (of.date, of.id));
                    let earlier = periods()
                        .filter(|of| *of < period && policy.contribution(*of).is_some())
                        .filter_map(declaration)
                        .last();
                    let amount = match (earlier, expected) {
                        (Some(of), _) => {
                            let rates = policy.contribution(of.period).unwrap().both_rates();
                            let owed = round(of.base.fen(), i128::from(rates.units()));
                            Money::from_fen((owed.fen() * 110 + 50) / 100)
                        }
                        (None, Some(expected)) => Money::from_fen(
                            (expected * both * 2 + 10_i128.pow(16)) / (2 * 10_i128.pow(16)),
                        ),
                        (None, None) => Money::ZERO,
                    };
                    if status.is_some_and(|of| of.status == EnterpriseStatus::Active) {
                        add(Detector::Undeclared, amount);
                    }
                }
            }
            open
        }

        pub fn person(book: &PersonBook<'_>, policy: &Policy, d: BusinessDate) -> Open {
            let mut open = Open::new();
            let net = |payout: &Payout<'_>| {
                let back = book.payout_reversals.iter().filter(|back| {
                    back.reverses == payout.id
                        && (back.period, back.item) == (payout.period, payout.item)
                        && back.date <= d
                });
                let back: Money = back.map(|back| back.amount).sum();
                (payout.amount - back).at_least_zero()
            };
            let left = || {
                let known = book.payouts.iter().filter(|payout| payout.date <= d);
                known.filter(|payout| net(payout).is_positive())
            };
            let died_on = book
                .deaths
                .iter()
                .filter(|death| death.date <= d)
                .filter(|death| {
                    let mut cancelled = book.cancellations.iter();
                    !cancelled.any(|of| of.reverses == death.id && of.date <= d)
                })
                .map(|death| death.died_on)
                .min();
            if let Some(died_on) = died_on {
                let counted = left().filter(|payout| {
                    let entry = policy.benefit(payout.period);
                    died_on.period() < payout.period
                        && entry.is_some_and(|entry| !entry.is_survivor_item(payout.item))
                });
                let amount: Money = counted.map(net).sum();
                if amount.is_positive() {
                    open.insert((Detector::DeceasedRecipient, None, None), amount);
                }
            }
            for period in periods() {
                for item in ["basic_pension", "funeral_grant", "gift"] {
                    let of_key = left().filter(|payout| {
                        (payout.period, payout.item, payout.nature)
                            == (period, item, Nature::Regular)
                    });
                    let amounts: Vec<Money> = of_key.map(net).collect();
                    if amounts.len() > 1 {
                        let sum: Money = amounts.iter().copied().sum();
                        let amount = sum - *amounts.iter().max().unwrap();
                        let key = (
                            Detector::DuplicatePayout,
                            Some(period),
                            Some(item.to_owned()),
                        );
                        open.insert(key, amount);
                    }
                }
                let Some(due) = policy.payout_due(period) else {
                    continue;
                };
                let receives = |day: BusinessDate| {
                    let records = book.beneficiaries.iter();
                    records
                        .filter(|of| of.date <= d.min(day))
                        .max_by_key(|of| (of.date, of.id))
                        .is_some_and(|of| of.status == RosterStatus::Receiving)
                };
                let is_paid = left().any(|of| of.period == period && of.nature != Nature::LumpSum);
                if d <= due.deadline
                    || !receives(period.first_day())
                    || !receives(due.date)
                    || is_paid
                    || died_on.is_some_and(|died_on| died_on < period.first_day())
                {
                    continue;
                }
                let on_roster = book
                    .beneficiaries
                    .iter()
                    .filter(|of| of.date <= due.date && of.amount.is_some())
                    .max_by_key(|of| (of.date, of.id))
                    .and_then(|of| of.amount);
                let earlier = left()
                    .filter(|of| of.period < period && of.nature == Nature::Regular)
                    .max_by_key(|of| (of.period, of.date, of.id))
                    .map(net);
                let amount = on_roster.or(earlier).unwrap_or(Money::ZERO);
                open.insert((Detector::MissedPayout, Some(period), None), amount);
            }
            open
        }
    }

    /// A due day at the start of the month, so that payout dates move into the month before.
    fn policies() -> [Policy; 2] {
        [
            policy(&[], ""),
            policy(
                &[
                    (
                        "payout_day = 20\ngrace_days = 3",
                        "payout_day = 1\ngrace_days = 0",
                    ),
                    (
                        "due_day = 15\ngrace_days = 0",
                        "due_day = 31\ngrace_days = 40",
                    ),
                    ("from = \"2019-05\"", "from = \"2024-01\""),
                ],
                "[detectors.arrears]\ntolerance = \"500.00\"\n\
                 [[contribution]]\nfrom = \"2024-03\"\nemployer_rate = \"0.1\"\n\
                 employee_rate = \"0.05\"\nreference_wage = \"100.00\"\nfloor_ratio = \"0.60\"\n\
                 ceiling_ratio = \"3.00\"\ndue_day = 1\ngrace_days = 0\n",
            ),
        ]
    }

    #[test]
    fn enterprises_are_judged_alike_day_by_day() {
        let mut dice = Dice(1);
        for policy in policies() {
            for _ in 0..150 {
                let book = random_enterprise(&mut dice);
                assert_consistent(|as_of, verdict| {
                    judge_enterprise(&book, &policy, as_of, as_of, verdict);
                    assert_eq!(open(verdict), plainly::enterprise(&book, &policy, as_of));
                });
            }
        }
    }

    #[test]
    fn persons_are_judged_alike_day_by_day() {
        let mut dice = Dice(2);
        for policy in policies() {
            for _ in 0..150 {
                let book = random_person(&mut dice);
                assert_consistent(|as_of, verdict| {
                    judge_person(&book, &policy, as_of, as_of, verdict);
                    assert_eq!(open(verdict), plainly::person(&book, &policy, as_of));
                });
            }
        }
    }
}
