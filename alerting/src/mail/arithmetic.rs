//! How an alert's amount comes about, with its numbers put in: one line a reader can check.
//!
//! The numbers are those that the detector gave as details, the rates those of the policy. A line that
//! does not come out at the alert's amount is not shown: an older alert may lack a number, and a wrong
//! sum is worse than none.

use domain::{Alert, Detector, Money, Period, Rate, State};
use serde_json::Value;

use super::office::Office;
use crate::routing::Language;

/// Hundredths that an undeclared month is put at, of the last one declared.
const UNDECLARED_PERCENT: i128 = 110;

/// The line on an open alert; `None` where there is nothing to calculate, or a number is missing.
pub fn line(alert: &Alert, office: &Office, language: Language) -> Option<String> {
    if alert.state != State::Open {
        return None;
    }
    let sum = Sum {
        alert,
        office,
        language,
    };
    let (text, result) = sum.of(Detector::parse(&alert.detector)?)?;
    let amount = match language {
        Language::Zh => format!("{}元", result.grouped()),
        Language::En => format!("CNY {}", result.grouped()),
    };
    (result == alert.amount).then(|| format!("{text} = {amount}"))
}

struct Sum<'a> {
    alert: &'a Alert,
    office: &'a Office,
    language: Language,
}

impl Sum<'_> {
    fn of(&self, detector: Detector) -> Option<(String, Money)> {
        match detector {
            Detector::UnderDeclaredBase => self.under_declared(),
            Detector::Arrears => self.arrears(),
            Detector::Undeclared => self.undeclared(),
            Detector::DuplicatePayout => self.less(
                ("paid_out", "各笔发放合计", "paid out"),
                &[("largest", "其中最大一笔", "the largest of them")],
            ),
            Detector::LateRemittance => self.less(
                ("paid", "征收", "collected"),
                &[
                    ("reversed", "冲正", "reversed"),
                    ("remitted", "已上划", "remitted"),
                ],
            ),
            Detector::StalledSubsidy => self.less(
                ("arrived", "到账", "arrived"),
                &[("released", "已划出", "released")],
            ),
            Detector::UnauthorisedItem => {
                let count = self.alert.details.get("records")?.as_u64()?;
                let text = match self.language {
                    Language::Zh => format!("{count} 条发放及冲正记录的净额"),
                    Language::En => format!("net of {count} payouts and reversals"),
                };
                Some((text, self.alert.amount))
            }
            Detector::DeceasedRecipient => {
                let count = self.alert.details.get("payouts")?.as_u64()?;
                let after = self.alert.details.get("after")?.as_str()?;
                let after = Period::parse(after.as_bytes())?;
                let text = match self.language {
                    Language::Zh => format!("{after} 之后各月 {count} 笔发放的净额"),
                    Language::En => format!("net of {count} payouts for months after {after}"),
                };
                Some((text, self.alert.amount))
            }
            Detector::MissedPayout
            | Detector::SilentFeed
            | Detector::IncompleteFeed
            | Detector::IndicatorBreach => None,
        }
    }

    /// (expected base − declared base) × both rates
    fn under_declared(&self) -> Option<(String, Money)> {
        let (expected, base) = (self.money("expected")?, self.money("base")?);
        let rate = self.rate(self.alert.period.as_deref()?)?;
        let short = Money::from_fen(expected.fen() - base.fen());
        let text = match self.language {
            Language::Zh => format!(
                "（应申报基数 {} − 申报基数 {}）× 费率 {}",
                expected.grouped(),
                base.grouped(),
                percent(rate)
            ),
            Language::En => format!(
                "(expected base {} − declared base {}) × {}",
                expected.grouped(),
                base.grouped(),
                percent(rate)
            ),
        };
        Some((text, applied(rate, short)))
    }

    /// declared base × both rates − paid
    fn arrears(&self) -> Option<(String, Money)> {
        let (base, paid) = (self.money("base")?, self.money("paid")?);
        let rate = self.rate(self.alert.period.as_deref()?)?;
        let text = match self.language {
            Language::Zh => format!(
                "申报基数 {} × 费率 {} − 已缴 {}",
                base.grouped(),
                percent(rate),
                paid.grouped()
            ),
            Language::En => format!(
                "declared base {} × {} − paid {}",
                base.grouped(),
                percent(rate),
                paid.grouped()
            ),
        };
        let left = applied(rate, base).fen() - paid.fen();
        Some((text, Money::from_fen(left)))
    }

    /// 110% of the last declared month's contribution, or the payroll's contribution
    fn undeclared(&self) -> Option<(String, Money)> {
        let base = self.money("base")?;
        let basis = self.alert.details.get("basis")?.as_str()?;
        let period = self.alert.details.get("basis_period")?.as_str()?;
        let rate = self.rate(period)?;
        let (shown, rate_shown) = (base.grouped(), percent(rate));
        let owed = applied(rate, base);
        match (basis, self.language) {
            ("declaration", language) => {
                let raised = Rate::round(owed.fen() * UNDECLARED_PERCENT, 100);
                let text = match language {
                    Language::Zh => {
                        format!(
                            "{period} 申报基数 {shown} × 费率 {rate_shown} × {UNDECLARED_PERCENT}%"
                        )
                    }
                    Language::En => {
                        format!("base {shown} of {period} × {rate_shown} × {UNDECLARED_PERCENT}%")
                    }
                };
                Some((text, raised))
            }
            ("payroll", Language::Zh) => Some((
                format!("按工资测算的基数 {shown} × 费率 {rate_shown}"),
                owed,
            )),
            ("payroll", Language::En) => {
                Some((format!("base {shown} by the payroll × {rate_shown}"), owed))
            }
            _ => None,
        }
    }

    /// One number less others, each by key, Chinese and English name.
    fn less(
        &self,
        first: (&str, &str, &str),
        others: &[(&str, &str, &str)],
    ) -> Option<(String, Money)> {
        let name = |zh, en| match self.language {
            Language::Zh => zh,
            Language::En => en,
        };
        let amount = self.money(first.0)?;
        let mut text = format!("{} {}", name(first.1, first.2), amount.grouped());
        let mut left = amount.fen();
        for (key, zh, en) in others {
            let amount = self.money(key)?;
            left -= amount.fen();
            text = format!("{text} − {} {}", name(zh, en), amount.grouped());
        }
        Some((text, Money::from_fen(left)))
    }

    fn money(&self, key: &str) -> Option<Money> {
        let value: &Value = self.alert.details.get(key)?;
        serde_json::from_value(value.clone()).ok()
    }

    fn rate(&self, period: &str) -> Option<Rate> {
        self.office.both_rates(Period::parse(period.as_bytes())?)
    }
}

fn applied(rate: Rate, base: Money) -> Money {
    Rate::round(rate.times(base), Rate::SCALE)
}

/// `24%`, `18.5%`.
fn percent(rate: Rate) -> String {
    format!("{}%", Rate::from_units(rate.units() * 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_percent() {
        for (units, text) in [
            (24_000_000, "24%"),
            (18_500_000, "18.5%"),
            (100_000_000, "100%"),
        ] {
            assert_eq!(percent(Rate::from_units(units)), text);
        }
    }
}
