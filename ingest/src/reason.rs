//! Why a record cannot be accepted (contract section 2).

use std::fmt;

/// The reason of a rejection, in the order in which the contract applies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Over 1,048,576 bytes.
    TooLarge,
    /// Not UTF-8.
    NotUtf8,
    /// No JSON, or JSON but no object, a lone surrogate escape, or nesting over 64 deep.
    NotJson,
    /// A field is absent or null.
    MissingField,
    /// No record type of this topic.
    UnknownType,
    /// No record id.
    BadId,
    /// No region of the policy.
    UnknownRegion,
    /// No calendar date of the years 1900 to 2199.
    BadDate,
    /// No month of these years.
    BadPeriod,
    /// No amount.
    BadAmount,
    /// No count.
    BadCount,
    /// No resident ID number.
    BadPerson,
    /// No credit code.
    BadEnterprise,
    /// No word of the field's list, or no text where a text belongs.
    BadValue,
    /// An id that was accepted before with another content.
    ConflictingId,
}

impl Reason {
    /// All of them, in order.
    pub const ALL: [Reason; 15] = [
        Reason::TooLarge,
        Reason::NotUtf8,
        Reason::NotJson,
        Reason::MissingField,
        Reason::UnknownType,
        Reason::BadId,
        Reason::UnknownRegion,
        Reason::BadDate,
        Reason::BadPeriod,
        Reason::BadAmount,
        Reason::BadCount,
        Reason::BadPerson,
        Reason::BadEnterprise,
        Reason::BadValue,
        Reason::ConflictingId,
    ];

    /// The word in the dead letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::TooLarge => "too-large",
            Reason::NotUtf8 => "not-utf8",
            Reason::NotJson => "not-json",
            Reason::MissingField => "missing-field",
            Reason::UnknownType => "unknown-type",
            Reason::BadId => "bad-id",
            Reason::UnknownRegion => "unknown-region",
            Reason::BadDate => "bad-date",
            Reason::BadPeriod => "bad-period",
            Reason::BadAmount => "bad-amount",
            Reason::BadCount => "bad-count",
            Reason::BadPerson => "bad-person",
            Reason::BadEnterprise => "bad-enterprise",
            Reason::BadValue => "bad-value",
            Reason::ConflictingId => "conflicting-id",
        }
    }

    /// Its place in [`Reason::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A record that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: Reason,
    /// The field at fault; `None` where the fault is of no field.
    pub field: Option<&'static str>,
}

impl From<Reason> for Reject {
    fn from(reason: Reason) -> Reject {
        Reject {
            reason,
            field: None,
        }
    }
}
