//! The nine rows of the contract's table, one file each, in the words of the table.

pub mod arrears;
pub mod deceased_recipient;
pub mod duplicate_payout;
pub mod late_remittance;
pub mod missed_payout;
pub mod stalled_subsidy;
pub mod unauthorised_item;
pub mod undeclared;
pub mod under_declared_base;

use super::alert::Detector;

/// All nine.
#[must_use]
pub fn all() -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(under_declared_base::UnderDeclaredBase),
        Box::new(arrears::Arrears),
        Box::new(undeclared::Undeclared),
        Box::new(duplicate_payout::DuplicatePayout),
        Box::new(deceased_recipient::DeceasedRecipient),
        Box::new(late_remittance::LateRemittance),
        Box::new(unauthorised_item::UnauthorisedItem),
        Box::new(stalled_subsidy::StalledSubsidy),
        Box::new(missed_payout::MissedPayout),
    ]
}
