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
