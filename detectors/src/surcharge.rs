//! The late-payment surcharge (滞纳金).
//!
//! Social Insurance Law (社会保险法) art. 86 from 2011-07-01, before it the Interim Regulations on
//! Collection (社会保险费征缴暂行条例, 1999-01-22): the debt of each day after the due date times that
//! day's rate. The grace that the policy grants before an alert does not stop it.

use domain::{BusinessDate, Money, Rate};
use rules::Policy;

/// Adds up the surcharge of a debt that changes over time.
#[derive(Debug)]
pub(crate) struct Surcharge<'p> {
    policy: &'p Policy,
    /// The first day that bears it.
    first: BusinessDate,
    /// The debt from a day on.
    owed: (BusinessDate, Money),
    /// The sum so far, in fen scaled by [`Rate::SCALE`].
    scaled: i128,
}

impl<'p> Surcharge<'p> {
    /// Nothing owed yet.
    pub fn after(due: BusinessDate, policy: &'p Policy) -> Self {
        Surcharge {
            policy,
            first: due.next(),
            owed: (due.next(), Money::ZERO),
            scaled: 0,
        }
    }

    /// From `day` on the debt is `amount`. Days ascend; those before the due date are left out.
    pub fn owed_from(&mut self, day: BusinessDate, amount: Money) {
        self.add_up_to(day.previous());
        self.owed = (day.max(self.first), amount.at_least_zero());
    }

    /// The surcharge up to and including `as_of`: the one rounding.
    pub fn up_to(mut self, as_of: BusinessDate) -> Money {
        self.add_up_to(as_of);
        Rate::round(self.scaled, Rate::SCALE)
    }

    fn add_up_to(&mut self, last: BusinessDate) {
        let (from, amount) = self.owed;
        if amount.is_positive() && from <= last {
            self.scaled += amount.fen() * self.policy.surcharge_units(from, last);
        }
    }
}
