//! 少报缴费基数 (`under-declared-base`): did the enterprise declare less than the wages it paid?
//!
//! Law: Social Insurance Law (社会保险法) art. 12 and 60: contributions are owed on the wage total,
//! declared truthfully and in full. The base of a head lies between the policy's shares of the
//! reference wage (60% and 300%: 劳办发〔1997〕116号).
//! Key: enterprise, period. Reads: declarations and payrolls of `tax.collection`.
//! Holds once both are there and more than the tolerated share of what was expected is missing.
//! Time alone changes nothing but by facts dated after as-of.

use domain::{
    AlertKey, BusinessDate, Detector, Episode, Finding, Money, Period, PolicyEntry, Rate, Subject,
};
use rules::{Contribution, DetectorSettings, Policy};

use crate::book::{Declaration, EnterpriseBook, Payroll};
use crate::episodes::fold;
use crate::evidence::{Evidence, details, severity_of};
use crate::periods::ByPeriod;
use crate::verdict::Verdict;

/// Judges every period for which the enterprise declared and tax was withheld.
pub fn judge(
    book: &EnterpriseBook<'_>,
    policy: &Policy,
    as_of: BusinessDate,
    verdict: &mut Verdict,
) {
    let declarations = ByPeriod::new(&book.declarations);
    let payrolls = ByPeriod::new(&book.payrolls);
    let mut declared = declarations.cursor();
    let mut withheld = payrolls.cursor();
    let mut floor = Floor::default();
    while let Some((period, of_declarations)) = declared.next_group() {
        let of_payrolls = withheld.seek(period);
        if of_payrolls.is_empty() {
            continue;
        }
        let Some(entry) = policy.contribution(period) else {
            continue;
        };
        let key = Key {
            book,
            policy,
            settings: policy.detector(Detector::UnderDeclaredBase),
            period,
            entry,
        };
        if of_declarations.len() == 1 && of_payrolls.len() == 1 {
            let declaration = declarations.get(of_declarations.start);
            let payroll = payrolls.get(of_payrolls.start);
            let is_enough = floor.covers(entry, declaration, payroll)
                || key.shortfall(declaration, payroll).is_none();
            if is_enough {
                continue;
            }
        }
        key.judge(
            declarations.records(of_declarations),
            payrolls.records(of_payrolls),
            as_of,
            verdict,
        );
    }
}

/// The floor per head of the entry that was asked for last, rounded up.
#[derive(Default)]
struct Floor {
    from: Option<Period>,
    fen: i64,
}

impl Floor {
    /// Whether a base is plainly enough: not below the wages, and not below the floor.
    fn covers(
        &mut self,
        entry: &Contribution,
        declaration: &Declaration<'_>,
        payroll: &Payroll<'_>,
    ) -> bool {
        if self.from != Some(entry.from) {
            let scaled = entry.floor_ratio.times(entry.reference_wage);
            self.from = Some(entry.from);
            self.fen = i64::try_from(scaled / Rate::SCALE + 1).unwrap_or(i64::MAX);
        }
        let floor = i128::from(self.fen) * i128::from(payroll.headcount);
        payroll.wages <= declaration.base && floor <= declaration.base.fen()
    }
}

/// What a declared base lacks by a payroll, tolerated or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseGap {
    /// What the base should have been, to the fen.
    pub expected: Money,
    /// The contributions on what is missing; zero if nothing is.
    pub contribution: Money,
}

/// Compares a declared base with a payroll under a policy entry.
pub fn base_gap(
    entry: &Contribution,
    declaration: &Declaration<'_>,
    payroll: &Payroll<'_>,
) -> BaseGap {
    let expected = expected(entry, payroll);
    let missing = (expected - declaration.base.fen() * Rate::SCALE).max(0);
    BaseGap {
        expected: Rate::round(expected, Rate::SCALE),
        contribution: contribution_of(missing, entry.both_rates()),
    }
}

/// What the base should have been by a payroll, in fen scaled by [`Rate::SCALE`]: the wages, but
/// per head not below the floor and not above the ceiling.
pub(crate) fn expected(entry: &Contribution, payroll: &Payroll<'_>) -> i128 {
    let heads = i128::from(payroll.headcount);
    let floor = entry.floor_ratio.times(entry.reference_wage) * heads;
    let ceiling = entry.ceiling_ratio.times(entry.reference_wage) * heads;
    (payroll.wages.fen() * Rate::SCALE).max(floor).min(ceiling)
}

/// *round* of a contribution: a base in fen scaled by [`Rate::SCALE`] and not negative, times both
/// rates. In two steps, as the product with the largest bases that a policy allows passes 128 bits.
pub(crate) fn contribution_of(scaled_base: i128, both_rates: Rate) -> Money {
    let (fen, rest) = (scaled_base / Rate::SCALE, scaled_base % Rate::SCALE);
    let exact = both_rates.scaled(fen);
    let remainder = (exact % Rate::SCALE) * Rate::SCALE + both_rates.scaled(rest);
    Money::from_fen(exact / Rate::SCALE) + Rate::round(remainder, Rate::SCALE * Rate::SCALE)
}

/// A period of an enterprise with what applies to it.
struct Key<'b, 'a> {
    book: &'b EnterpriseBook<'a>,
    policy: &'b Policy,
    settings: &'b DetectorSettings,
    period: Period,
    entry: &'b Contribution,
}

/// What is the latest on a day.
#[derive(Default)]
struct Latest<'b, 'a> {
    declaration: Option<&'b Declaration<'a>>,
    payroll: Option<&'b Payroll<'a>>,
}

enum Event<'b, 'a> {
    Declared(&'b Declaration<'a>),
    Withheld(&'b Payroll<'a>),
}

impl<'b, 'a> Key<'b, 'a> {
    /// The contributions on what is missing, if the condition holds.
    fn shortfall(&self, declaration: &Declaration<'_>, payroll: &Payroll<'_>) -> Option<Money> {
        let expected = expected(self.entry, payroll);
        let missing = expected - declaration.base.fen() * Rate::SCALE;
        let tolerated = self.settings.tolerance_ratio.scaled(expected);
        if missing <= 0 || missing * Rate::SCALE <= tolerated {
            return None;
        }
        let amount = contribution_of(missing, self.entry.both_rates());
        (amount > self.settings.tolerance).then_some(amount)
    }

    fn judge(
        &self,
        declarations: impl Iterator<Item = &'b Declaration<'a>>,
        payrolls: impl Iterator<Item = &'b Payroll<'a>>,
        as_of: BusinessDate,
        verdict: &mut Verdict,
    ) {
        let events = declarations
            .map(|declaration| (declaration.date, Event::Declared(declaration)))
            .chain(payrolls.map(|payroll| (payroll.date, Event::Withheld(payroll))))
            .collect();
        let mut latest = Latest::default();
        let folded = fold(
            events,
            as_of,
            &mut latest,
            |latest, event| match event {
                Event::Declared(declaration) => latest.declaration = Some(declaration),
                Event::Withheld(payroll) => latest.payroll = Some(payroll),
            },
            |latest, _| self.shortfall(latest.declaration?, latest.payroll?),
        );
        verdict.wake_on_any(folded.next);
        if let (Some(episode), Some(declaration), Some(payroll)) =
            (folded.episode, latest.declaration, latest.payroll)
        {
            verdict
                .findings
                .push(self.finding(episode, declaration, payroll));
        }
    }

    fn finding(
        &self,
        episode: Episode,
        declaration: &Declaration<'_>,
        payroll: &Payroll<'_>,
    ) -> Finding {
        let mut evidence = Evidence::default();
        evidence.add(declaration);
        evidence.add(payroll);
        let expected = Rate::round(expected(self.entry, payroll), Rate::SCALE);
        Finding {
            key: AlertKey {
                detector: Detector::UnderDeclaredBase,
                subject: Subject::Enterprise(self.book.enterprise),
                period: Some(self.period),
                item: None,
            },
            region: evidence.region(self.policy),
            severity: severity_of(self.policy, Detector::UnderDeclaredBase, &episode),
            episode,
            evidence: evidence.ids(),
            policy: Some(PolicyEntry {
                table: "contribution",
                from: self.entry.from,
            }),
            details: details! {
                "base": declaration.base.to_string(),
                "expected": expected.to_string(),
                "headcount": payroll.headcount,
                "wages": payroll.wages.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, enterprise, policy, yuan};

    #[test]
    fn holds_once_both_records_are_there() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 10 60000
             payroll W1 2024-03-08 2024-02 10 80000 @2",
        );
        let plain = policy(&[], "");
        check(judge, &book, &plain, "2024-03-07", &[]);
        // Floor 36000, ceiling 180000: 20000 of 80000 are missing, times 0.24. The payroll is later.
        let open = "2024-02 - 2024-03-08.. 4800.00 peak 4800.00 x1 blue 341021 \
            contribution@2019-05 [tax.collection/D1 tax.collection/W1] \
            {\"base\":\"60000.00\",\"expected\":\"80000.00\",\"headcount\":10,\"wages\":\"80000.00\"}";
        let wake = check(judge, &book, &plain, "2024-03-12", &[open]);
        assert_eq!(wake, None);
    }

    #[test]
    fn a_correction_clears_it_and_another_reopens_it() {
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 10 60000
             payroll W1 2024-03-08 2024-02 10 80000
             declared D2 2024-03-20 2024-02 10 80000
             declared D3 2024-04-02 2024-02 10 70000",
        );
        let plain = policy(&[], "");
        let reopened = "2024-02 - 2024-04-02.. 2400.00 peak 2400.00 x2 blue 341002 \
            contribution@2019-05 [tax.collection/D3 tax.collection/W1] \
            {\"base\":\"70000.00\",\"expected\":\"80000.00\",\"headcount\":10,\"wages\":\"80000.00\"}";
        check(judge, &book, &plain, "2024-04-05", &[reopened]);
        let cleared = "2024-02 - 2024-03-08..2024-03-20 0.00 peak 4800.00 x1 blue 341002 \
            contribution@2019-05 [tax.collection/D2 tax.collection/W1] \
            {\"base\":\"80000.00\",\"expected\":\"80000.00\",\"headcount\":10,\"wages\":\"80000.00\"}";
        let wake = check(judge, &book, &plain, "2024-03-25", &[cleared]);
        assert_eq!(wake, Some(crate::testing::day("2024-04-02")));
    }

    #[test]
    fn latest_is_by_date_then_id() {
        // Of one date: W2 is later than W10, byte by byte.
        let book = enterprise(
            "declared D1 2024-03-05 2024-02 1 10000
             payroll W10 2024-03-08 2024-02 1 18000
             payroll W2 2024-03-08 2024-02 1 10000",
        );
        check(judge, &book, &policy(&[], ""), "2024-04-05", &[]);
    }

    #[test]
    fn tolerance_and_ratio_are_exceeded_strictly() {
        let tight = policy(
            &[],
            "[detectors.under-declared-base]\ntolerance = \"24.00\"\ntolerance_ratio = \"0.01\"\n",
        );
        let payroll = |base| {
            let book = EnterpriseBook {
                declarations: vec![Declaration {
                    base: yuan(base),
                    ..enterprise("declared D1 2024-03-05 2024-02 1 0").declarations[0].clone()
                }],
                ..enterprise("payroll W1 2024-03-06 2024-02 1 10000")
            };
            let mut verdict = Verdict::default();
            judge(
                &book,
                &tight,
                crate::testing::day("2024-03-10"),
                &mut verdict,
            );
            verdict.findings.first().map(|found| found.episode.amount)
        };
        assert_eq!(payroll("9900"), None);
        assert_eq!(payroll("9899.99"), None); // 100.01 x 0.24 = 24.0024, not above 24.00
        assert_eq!(payroll("9899.95"), Some(yuan("24.01"))); // 24.012
    }

    #[test]
    fn wages_count_between_floor_and_ceiling() {
        let plain = policy(&[], "");
        let entry = plain
            .contribution(crate::testing::month("2024-02"))
            .unwrap();
        let expected_of = |line| {
            let book = enterprise(line);
            Rate::round(expected(entry, &book.payrolls[0]), Rate::SCALE).to_string()
        };
        assert_eq!(
            expected_of("payroll W 2024-03-06 2024-02 2 7199.99"),
            "7200.00"
        );
        assert_eq!(
            expected_of("payroll W 2024-03-06 2024-02 2 9000"),
            "9000.00"
        );
        assert_eq!(
            expected_of("payroll W 2024-03-06 2024-02 2 36000.01"),
            "36000.00"
        );
        assert_eq!(expected_of("payroll W 2024-03-06 2024-02 0 5000"), "0.00");
    }

    #[test]
    fn a_period_without_entry_takes_no_part() {
        let book = enterprise(
            "declared D1 2019-05-05 2019-04 10 1
             payroll W1 2019-05-08 2019-04 10 80000",
        );
        check(judge, &book, &policy(&[], ""), "2024-04-05", &[]);
    }

    #[test]
    fn the_largest_product_that_a_policy_allows_is_exact() {
        // 10^30 units of base times both rates of 1: beyond 128 bits in one step.
        let base = 10_i128.pow(30);
        let both = Rate::from_units(200_000_000);
        assert_eq!(contribution_of(base, both).fen(), 2 * 10_i128.pow(22));
        let half_a_fen = Rate::from_units(50_000_000);
        assert_eq!(contribution_of(Rate::SCALE, half_a_fen).fen(), 1);
        assert_eq!(contribution_of(Rate::SCALE - 1, half_a_fen).fen(), 0);
    }
}
