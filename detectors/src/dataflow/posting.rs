//! Accepted facts, as the ledger is told of them.

use std::sync::Arc;

use domain::{BusinessDate, Money, RegionId, TransferKind};
use ledger::{Entry, Flow, ItemClass, Posting, Postings, Sum, is_advance};
use rules::Policy;

use super::times::Close;
use crate::book::{EnterpriseBook, PersonBook};
use crate::statement::{post_enterprise, post_person};
use crate::store::packed::{Kind, Packed};

/// Makes the postings of an epoch.
pub(super) struct Poster {
    policy: Arc<Policy>,
    postings: Postings,
}

impl Poster {
    pub(super) fn new(policy: &Arc<Policy>) -> Poster {
        Poster {
            policy: Arc::clone(policy),
            postings: Postings::default(),
        }
    }

    /// Adds what another has posted.
    pub(super) fn absorb(&mut self, other: Poster) {
        for Posting {
            region,
            entry,
            change,
        } in other.into_list()
        {
            self.postings.post(region, entry, change);
        }
    }

    /// Everything posted, in order.
    pub(super) fn into_list(self) -> Vec<Posting> {
        self.postings.into_list()
    }

    /// A fact was accepted or, with a sign of -1, is so no longer.
    #[inline]
    pub(super) fn post(&mut self, fact: Packed<'_>, item: &str, sign: i64) {
        let (region, day, kind) = (fact.region(), fact.date(), fact.kind());
        let received = Sum::one(sign, fact.amount_field().unwrap_or_default());
        self.postings
            .post(region, Entry::Received(kind.topic(), day), received);
        let flow = match kind {
            Kind::Payment => Flow::Collected,
            Kind::PaymentReversal => Flow::CollectionReversed,
            Kind::Payout => {
                let class = ItemClass::of(&self.policy, fact.period(), item);
                Flow::PaidOut(fact.nature(), class)
            }
            Kind::PayoutReversal => {
                Flow::PayoutReversed(ItemClass::of(&self.policy, fact.period(), item))
            }
            Kind::Transfer => {
                self.post_transfer(fact, received);
                Flow::of_transfer(fact.transfer_kind())
            }
            _ => return,
        };
        self.postings.post(region, Entry::Flow(flow, day), received);
    }

    /// What there is to say of a transfer beside its flow.
    fn post_transfer(&mut self, fact: Packed<'_>, sum: Sum) {
        let (region, day) = (fact.region(), fact.date());
        let entry = match (
            fact.transfer_kind(),
            fact.transfer_period(),
            fact.transfer_source(),
        ) {
            (TransferKind::RemitUp, Some(month), _) => Entry::RemittedFor(month, day),
            (TransferKind::CentralSubsidy | TransferKind::ProvincialSubsidy, ..) => {
                Entry::Subsidy(fact.id().to_owned(), day)
            }
            (TransferKind::TreasuryRelease, _, Some(source)) => {
                Entry::ReleasedOf(source.to_owned(), day)
            }
            (TransferKind::AllocateDown, ..) if is_advance(&self.policy, day, fact.id()) => {
                Entry::Flow(Flow::Advanced, day)
            }
            _ => return,
        };
        self.postings.post(region, entry, sum);
    }

    /// A day close was accepted.
    pub(super) fn post_close(&mut self, close: &Close) {
        let (topic, region, day): (_, RegionId, BusinessDate) =
            (close.topic(), close.region(), close.date());
        let said = Sum {
            count: i64::from(close.records),
            amount: close.amount(),
        };
        self.postings.post(region, Entry::Closed(topic, day), said);
        self.postings
            .post(region, Entry::Close(topic, day), Sum::one(1, Money::ZERO));
    }

    /// What an enterprise's book adds, or with a sign of -1 added before.
    pub(super) fn post_enterprise(&mut self, book: &EnterpriseBook<'_>, sign: i64) {
        post_enterprise(book, &self.policy, sign, &mut self.postings);
    }

    /// What a person's book adds, or with a sign of -1 added before.
    pub(super) fn post_person(&mut self, book: &PersonBook<'_>, sign: i64) {
        post_person(book, &self.policy, sign, &mut self.postings);
    }
}
