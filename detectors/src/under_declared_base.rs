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
        let single = of_declarations.len() == 1 && of_payrolls.len() == 1;
        if single
            && key
                .shortfall(
                    declarations.get(of_declarations.start),
                    payrolls.get(of_payrolls.start),
                )
                .is_none()
        {
            continue;
        }
        key.judge(
            declarations.records(of_declarations),
            payrolls.records(of_payrolls),
            as_of,
            verdict,
        );
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
