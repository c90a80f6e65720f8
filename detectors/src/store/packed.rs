//! A fact in bytes: what workers send each other, and what is kept.
//!
//! | bytes | |
//! |---|---|
//! | 8 | position: greater is later within the topic |
//! | 8 | date (17 bits), amount in fen (47) |
//! | 8 | kind (4), flags (3), a word of the kind's list (3), region (12), period (12), item (24), length of the id less one (6) |
//! | 1..64 | id |
//! | | what else the kind has, texts with their length before them |
//!
//! Two records of one kind and id say the same if and only if all but position and the flag
//! *counted* is equal. An account is kept as a 64-bit fingerprint: it is compared, never shown.

use std::hash::{BuildHasher, Hasher};

use domain::{
    Body, BusinessDate, CreditCode, EnterpriseStatus, Fact, Money, Nature, Period, PersonId,
    RegionId, RosterStatus, Topic, TransferKind,
};
use foldhash::quality::FixedState;

/// What kind of record a packed fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// `enterprise`
    Enterprise,
    /// `declaration`
    Declaration,
    /// `payroll`
    Payroll,
    /// `payment`
    Payment,
    /// `payment_reversal`
    PaymentReversal,
    /// `payout`
    Payout,
    /// `payout_reversal`
    PayoutReversal,
    /// `beneficiary`
    Beneficiary,
    /// `death`
    Death,
    /// `death_cancelled`
    DeathCancelled,
    /// `transfer`
    Transfer,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::Enterprise,
        Kind::Declaration,
        Kind::Payroll,
        Kind::Payment,
        Kind::PaymentReversal,
        Kind::Payout,
        Kind::PayoutReversal,
        Kind::Beneficiary,
        Kind::Death,
        Kind::DeathCancelled,
        Kind::Transfer,
    ];

    /// The topic that records of the kind come on.
    pub const fn topic(self) -> Topic {
        match self {
            Kind::Enterprise
            | Kind::Declaration
            | Kind::Payroll
            | Kind::Payment
            | Kind::PaymentReversal => Topic::TaxCollection,
            Kind::Payout | Kind::PayoutReversal => Topic::AgencyPayout,
            Kind::Beneficiary => Topic::AgencyRoster,
            Kind::Death | Kind::DeathCancelled => Topic::CivilDeath,
            Kind::Transfer => Topic::TreasuryTransfer,
        }
    }

    /// The kind of books that records of this kind belong to.
    pub const fn shelf(self) -> Shelf {
        match self.topic() {
            Topic::TaxCollection => Shelf::Enterprise,
            Topic::TreasuryTransfer => Shelf::Transfer,
            Topic::AgencyPayout | Topic::AgencyRoster | Topic::CivilDeath => Shelf::Person,
        }
    }
}

/// A kind of books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// Keyed by [`CreditCode::number`].
    Enterprise,
    /// Keyed by [`PersonId::number`].
    Person,
    /// Keyed by a hash of the transfer's id: books of two ids that share a hash are one book.
    Transfer,
}

const FLAG_COUNTED: u64 = 1;
/// An amount (beneficiary), an account (payout), or a period (transfer) is there.
const FLAG_FIRST: u64 = 2;
/// A name (beneficiary, death) or a source (transfer) is there.
const FLAG_SECOND: u64 = 4;

const AMOUNT_BITS: u32 = 47;
const KIND_SHIFT: u32 = 60;
const FLAG_SHIFT: u32 = 57;
const WORD_SHIFT: u32 = 54;
const REGION_SHIFT: u32 = 42;
const PERIOD_SHIFT: u32 = 30;
const ITEM_SHIFT: u32 = 6;
const ITEM_MAX: u32 = (1 << 24) - 1;
/// The greatest number of regions of a pool.
pub const REGIONS_MAX: usize = 1 << 12;

/// Bytes before the id.
const HEAD: usize = 24;
/// Bytes before a packed fact on the way between workers: length (4), key (16).
const ENVELOPE: usize = 20;

/// The number of an item's name within one worker; the name travels with the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemId(pub u32);

/// A fact on its way: which book it belongs to, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Key of the book on its shelf.
    pub key: u128,
    /// The packed fact, without its item's number.
    pub packed: Packed<'a>,
    /// The item's name (payouts and their reversals), else empty.
    pub item: &'a str,
}

/// A packed fact.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a>(&'a [u8]);

/// The key of a fact's book; day closes have none.
pub fn key(fact: &Fact<'_>) -> Option<u128> {
    Some(match &fact.body {
        Body::Enterprise { enterprise, .. }
        | Body::Declaration { enterprise, .. }
        | Body::Payroll { enterprise, .. }
        | Body::Payment { enterprise, .. }
        | Body::PaymentReversal { enterprise, .. } => enterprise.number(),
        Body::Payout { person, .. }
        | Body::PayoutReversal { person, .. }
        | Body::Beneficiary { person, .. }
        | Body::Death { person, .. }
        | Body::DeathCancelled { person, .. } => u128::from(person.number()),
        Body::Transfer { .. } => u128::from(fingerprint(fact.id)),
        Body::DayClose { .. } => return None,
    })
}

/// A well-mixed number of a text: the same in every process.
pub fn fingerprint(text: &str) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// A well-mixed number of a book's key.
pub fn mix(key: u128) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write_u128(key);
    hasher.finish()
}

/// Appends the fact in its envelope to `out`. A day close is in no book and cannot be packed.
///
/// # Panics
/// If the fact is a day close, or its region's number is not below [`REGIONS_MAX`].
pub fn pack(key: u128, fact: &Fact<'_>, position: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; ENVELOPE + HEAD]);
    out.extend_from_slice(fact.id.as_bytes());
    let parts = Parts::of(&fact.body, out);
    let end = out.len();

    assert!(
        fact.region.index() < REGIONS_MAX,
        "a pool has fewer than {REGIONS_MAX} regions"
    );
    let fen = u64::try_from(parts.amount.fen()).expect("a record's amount is below 10^14 fen");
    let a = u64::from(fact.date.days()) << AMOUNT_BITS | fen;
    let b = (parts.kind as u64) << KIND_SHIFT
        | parts.flags << FLAG_SHIFT
        | parts.word << WORD_SHIFT
        | (fact.region.index() as u64) << REGION_SHIFT
        | u64::from(parts.period.months()) << PERIOD_SHIFT
        | (fact.id.len() as u64 - 1);
    let length = u32::try_from(end - start).expect("a record is smaller than 4 GiB");
    let head = &mut out[start..start + ENVELOPE + HEAD];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..20].copy_from_slice(&key.to_le_bytes());
    head[20..28].copy_from_slice(&position.to_le_bytes());
    head[28..36].copy_from_slice(&a.to_le_bytes());
    head[36..44].copy_from_slice(&b.to_le_bytes());
    out.extend_from_slice(parts.item.as_bytes());
    let item = u8::try_from(parts.item.len()).expect("an item has at most 64 characters");
    out.push(item);
    let whole = u32::try_from(out.len() - start).expect("a record is smaller than 4 GiB");
    // The item's name comes after the packed fact: the envelope's length covers it, too.
    out[start..start + 4].copy_from_slice(&whole.to_le_bytes());
}

/// What of a body goes into the head; the rest is appended.
struct Parts<'a> {
    kind: Kind,
    flags: u64,
    word: u64,
    amount: Money,
    period: Period,
    item: &'a str,
}

impl<'a> Parts<'a> {
    fn of(body: &Body<'a>, out: &mut Vec<u8>) -> Parts<'a> {
        let plain = |kind, amount| Parts {
            kind,
            flags: 0,
            word: 0,
            amount,
            period: Period::FIRST,
            item: "",
        };
        match *body {
            Body::Enterprise { name, status, .. } => {
                text(name, out);
                Parts {
                    word: status as u64,
                    ..plain(Kind::Enterprise, Money::ZERO)
                }
            }
            Body::Declaration {
                period,
                headcount,
                base,
                ..
            } => {
                out.extend_from_slice(&headcount.to_le_bytes());
                Parts {
                    period,
                    ..plain(Kind::Declaration, base)
                }
            }
            Body::Payroll {
                period,
                headcount,
                wages,
                ..
            } => {
                out.extend_from_slice(&headcount.to_le_bytes());
                Parts {
                    period,
                    ..plain(Kind::Payroll, wages)
                }
            }
            Body::Payment { period, amount, .. } => Parts {
                period,
                ..plain(Kind::Payment, amount)
            },
            Body::PaymentReversal {
                period,
                reverses,
                amount,
                ..
            } => {
                short_text(reverses, out);
                Parts {
                    period,
                    ..plain(Kind::PaymentReversal, amount)
                }
            }
            Body::Payout {
                period,
                item,
                nature,
                amount,
                account,
                ..
            } => {
                if let Some(account) = account {
                    out.extend_from_slice(&fingerprint(account).to_le_bytes());
                }
                let flags = if account.is_some() { FLAG_FIRST } else { 0 };
                Parts {
                    flags,
                    word: nature as u64,
                    period,
                    item,
                    ..plain(Kind::Payout, amount)
                }
            }
            Body::PayoutReversal {
                period,
                item,
                reverses,
                amount,
                ..
            } => {
                short_text(reverses, out);
                Parts {
                    period,
                    item,
                    ..plain(Kind::PayoutReversal, amount)
                }
            }
            Body::Beneficiary {
                status,
                amount,
                name,
                ..
            } => {
                if let Some(name) = name {
                    text(name, out);
                }
                let flags = if amount.is_some() { FLAG_FIRST } else { 0 }
                    | if name.is_some() { FLAG_SECOND } else { 0 };
                Parts {
                    flags,
                    word: status as u64,
                    ..plain(Kind::Beneficiary, amount.unwrap_or_default())
                }
            }
            Body::Death {
                died_on,
                source,
                name,
                ..
            } => {
                out.extend_from_slice(&died_on.days().to_le_bytes());
                text(source, out);
                if let Some(name) = name {
                    text(name, out);
                }
                let flags = if name.is_some() { FLAG_SECOND } else { 0 };
                Parts {
                    flags,
                    ..plain(Kind::Death, Money::ZERO)
                }
            }
            Body::DeathCancelled { reverses, .. } => {
                short_text(reverses, out);
                plain(Kind::DeathCancelled, Money::ZERO)
            }
            Body::Transfer {
                kind,
                amount,
                period,
                source,
            } => {
                if let Some(source) = source {
                    short_text(source, out);
                }
                let flags = if period.is_some() { FLAG_FIRST } else { 0 }
                    | if source.is_some() { FLAG_SECOND } else { 0 };
                Parts {
                    flags,
                    word: kind as u64,
                    period: period.unwrap_or(Period::FIRST),
                    ..plain(Kind::Transfer, amount)
                }
            }
            Body::DayClose { .. } => panic!("a day close is in no book"),
        }
    }
}

/// An id: at most 64 characters.
fn short_text(id: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(id.len()).expect("an id has at most 64 characters"));
    out.extend_from_slice(id.as_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    let length = u32::try_from(text.len()).expect("a record is smaller than 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Cuts what [`pack`] wrote into single facts in their envelopes, each with the key of its book.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = (u128, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = u32::from_le_bytes(array(rest, 0)) as usize;
        let (this, after) = rest.split_at(whole);
        rest = after;
        Some((u128::from_le_bytes(array(this, 4)), this))
    })
}

/// The feed and the position of one of these [`pieces`].
#[inline]
pub fn origin(piece: &[u8]) -> (Topic, u64) {
    let packed = Packed(&piece[ENVELOPE..]);
    (packed.kind().topic(), packed.position())
}

/// Counts the facts in bytes that were kept somewhere else; `None` if they are not what [`pack`]
/// writes of the facts of a pool with so many regions, so that nothing else may be asked of them.
pub fn count_checked(bytes: &[u8], regions: usize) -> Option<u64> {
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        let whole = u32::from_le_bytes(rest.first_chunk().copied()?) as usize;
        let (this, after) = rest.split_at_checked(whole)?;
        rest = after;
        let (item_length, this) = this.split_last()?;
        let (this, item) =
            this.split_at_checked(this.len().checked_sub(usize::from(*item_length))?)?;
        let packed = Packed(this.get(ENVELOPE..)?);
        // The texts of a fact end where it ends, and nothing is left over.
        let is_fact = packed.0.len() > HEAD
            && packed.has_known_words()
            && packed.region().index() < regions
            && packed.date() <= BusinessDate::LAST
            && packed.period() <= Period::LAST
            && packed.checked_length() == Some(packed.0.len())
            && packed.id_bytes().iter().all(u8::is_ascii_graphic)
            && item.iter().all(u8::is_ascii_graphic);
        is_fact.then_some(())?;
        count += 1;
    }
    Some(count)
}

/// Takes the facts out of what [`pack`] wrote, one after the other.
pub struct Envelopes<'a>(&'a [u8]);

impl<'a> Envelopes<'a> {
    /// Of the facts in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Envelopes<'a> {
        Envelopes(bytes)
    }
}

impl<'a> Iterator for Envelopes<'a> {
    type Item = Envelope<'a>;

    #[inline]
    fn next(&mut self) -> Option<Envelope<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let whole = u32::from_le_bytes(array(self.0, 0)) as usize;
        let (this, rest) = self.0.split_at(whole);
        self.0 = rest;
        let item_length = usize::from(this[whole - 1]);
        let item_start = whole - 1 - item_length;
        Some(Envelope {
            key: u128::from_le_bytes(array(this, 4)),
            packed: Packed(&this[ENVELOPE..item_start]),
            item: ascii(&this[item_start..whole - 1]),
        })
    }
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes")
}

/// A text that was checked when it was decoded.
#[inline]
fn ascii(bytes: &[u8]) -> &str {
    debug_assert!(std::str::from_utf8(bytes).is_ok());
    std::str::from_utf8(bytes).expect("packed from a text")
}

impl<'a> Packed<'a> {
    /// Of bytes that were packed.
    pub(crate) fn new(bytes: &'a [u8]) -> Packed<'a> {
        Packed(bytes)
    }

    /// Its bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The bytes as they are kept: with the item's number.
    pub(crate) fn with_item(self, item: ItemId, out: &mut [u8]) {
        assert!(item.0 <= ITEM_MAX, "there are at most {ITEM_MAX} items");
        out.copy_from_slice(self.0);
        let b = self.b() | u64::from(item.0) << ITEM_SHIFT;
        out[16..24].copy_from_slice(&b.to_le_bytes());
    }

    /// Appends a kept fact to `out` as [`pack`] wrote it: in an envelope, without what its keeper noted in it.
    pub(crate) fn seal_again(self, key: u128, item: &str, out: &mut Vec<u8>) {
        let start = out.len();
        let bytes = &self.0[..self.length()];
        let whole = ENVELOPE + bytes.len() + item.len() + 1;
        let whole = u32::try_from(whole).expect("a record is smaller than 4 GiB");
        out.extend_from_slice(&whole.to_le_bytes());
        out.extend_from_slice(&key.to_le_bytes());
        out.extend_from_slice(bytes);
        let noted = FLAG_COUNTED << FLAG_SHIFT | u64::from(ITEM_MAX) << ITEM_SHIFT;
        let b = self.b() & !noted;
        out[start + ENVELOPE + 16..start + ENVELOPE + 24].copy_from_slice(&b.to_le_bytes());
        out.extend_from_slice(item.as_bytes());
        out.push(u8::try_from(item.len()).expect("an item has at most 64 characters"));
    }

    /// Marks kept bytes as counted.
    pub(crate) fn set_counted(bytes: &mut [u8]) {
        let b = u64::from_le_bytes(array(bytes, 16)) | FLAG_COUNTED << FLAG_SHIFT;
        bytes[16..24].copy_from_slice(&b.to_le_bytes());
    }

    /// Where the record came: greater is later within its topic.
    #[inline]
    pub fn position(self) -> u64 {
        u64::from_le_bytes(array(self.0, 0))
    }

    #[inline]
    fn a(self) -> u64 {
        u64::from_le_bytes(array(self.0, 8))
    }

    #[inline]
    fn b(self) -> u64 {
        u64::from_le_bytes(array(self.0, 16))
    }

    #[inline]
    fn flag(self, flag: u64) -> bool {
        self.b() >> FLAG_SHIFT & flag != 0
    }

    #[inline]
    fn word(self) -> usize {
        (self.b() >> WORD_SHIFT & 7) as usize
    }

    /// Whether its acceptance was counted.
    #[inline]
    pub fn is_counted(self) -> bool {
        self.flag(FLAG_COUNTED)
    }

    /// The kind of record.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::ALL[(self.b() >> KIND_SHIFT) as usize]
    }

    /// The record's date.
    #[inline]
    pub fn date(self) -> BusinessDate {
        BusinessDate::from_days((self.a() >> AMOUNT_BITS) as u32)
    }

    /// Amount, base or wages; zero if the kind or the record has none.
    #[inline]
    pub fn amount(self) -> Money {
        Money::from_fen(i128::from(self.a() & ((1 << AMOUNT_BITS) - 1)))
    }

    /// The record's region.
    #[inline]
    pub fn region(self) -> RegionId {
        RegionId((self.b() >> REGION_SHIFT) as u16 & (REGIONS_MAX as u16 - 1))
    }

    /// The record's period; meaningless for kinds without one.
    #[inline]
    pub fn period(self) -> Period {
        Period::from_months((self.b() >> PERIOD_SHIFT) as u16 & 0xFFF)
    }

    /// The number of its item.
    #[inline]
    pub fn item(self) -> ItemId {
        ItemId((self.b() >> ITEM_SHIFT) as u32 & ITEM_MAX)
    }

    /// The record's id.
    #[inline]
    pub fn id(self) -> &'a str {
        ascii(self.id_bytes())
    }

    /// The record's id in bytes.
    #[inline]
    pub fn id_bytes(self) -> &'a [u8] {
        &self.0[HEAD..HEAD + self.id_length()]
    }

    #[inline]
    fn id_length(self) -> usize {
        (self.b() & 63) as usize + 1
    }

    /// What comes after the id, and whatever is kept after this fact.
    #[inline]
    fn rest(self) -> &'a [u8] {
        &self.0[HEAD + self.id_length()..]
    }

    /// How many bytes the fact has.
    fn length(self) -> usize {
        self.checked_length()
            .expect("a packed fact has the bytes that it speaks of")
    }

    /// How many bytes the fact has; `None` if there are not so many, or a text is none.
    fn checked_length(self) -> Option<usize> {
        let rest = self.0.get(HEAD + self.id_length()..)?;
        let short = |rest: &[u8]| {
            let length = 1 + usize::from(*rest.first()?);
            rest.get(1..length)?.is_ascii().then_some(length)
        };
        let long = |rest: &[u8]| {
            let length = 4 + u32::from_le_bytes(rest.first_chunk().copied()?) as usize;
            std::str::from_utf8(rest.get(4..length)?).ok()?;
            Some(length)
        };
        let fixed = |length: usize| rest.get(..length).map(|_| length);
        let tail = match self.kind() {
            Kind::Payment => 0,
            Kind::Declaration | Kind::Payroll => fixed(4)?,
            Kind::Payout if self.flag(FLAG_FIRST) => fixed(8)?,
            Kind::PaymentReversal | Kind::PayoutReversal | Kind::DeathCancelled => short(rest)?,
            Kind::Transfer if self.flag(FLAG_SECOND) => short(rest)?,
            Kind::Enterprise => long(rest)?,
            Kind::Beneficiary if self.flag(FLAG_SECOND) => long(rest)?,
            Kind::Death => {
                let died_on = u32::from_le_bytes(rest.first_chunk().copied()?);
                (died_on <= BusinessDate::LAST.days()).then_some(())?;
                let source = 4 + long(&rest[4..])?;
                source
                    + if self.flag(FLAG_SECOND) {
                        long(&rest[source..])?
                    } else {
                        0
                    }
            }
            Kind::Payout | Kind::Transfer | Kind::Beneficiary => 0,
        };
        Some(HEAD + self.id_length() + tail)
    }

    /// Whether kind and word are of their lists, and nothing is set that [`pack`] leaves clear.
    fn has_known_words(self) -> bool {
        let Some(kind) = Kind::ALL.get((self.b() >> KIND_SHIFT) as usize) else {
            return false;
        };
        let words = match kind {
            Kind::Enterprise => EnterpriseStatus::ALL.len(),
            Kind::Payout => Nature::ALL.len(),
            Kind::Beneficiary => RosterStatus::ALL.len(),
            Kind::Transfer => TransferKind::ALL.len(),
            _ => 1,
        };
        self.word() < words && !self.is_counted() && self.item() == ItemId(0)
    }

    /// Whether both say the same, position and counting aside.
    pub fn says_the_same(self, other: Packed<'_>) -> bool {
        let uncounted = |packed: Packed<'_>| packed.b() & !(FLAG_COUNTED << FLAG_SHIFT);
        self.a() == other.a()
            && uncounted(self) == uncounted(other)
            && self.0[HEAD..self.length()] == other.0[HEAD..other.length()]
    }

    /// People declared or paid (declaration, payroll).
    pub fn headcount(self) -> u32 {
        u32::from_le_bytes(array(self.rest(), 0))
    }

    /// The id that is reversed (reversals, cancellations).
    pub fn reverses(self) -> &'a str {
        ascii(split_short(self.rest()))
    }

    /// A transfer's source.
    pub fn transfer_source(self) -> Option<&'a str> {
        self.flag(FLAG_SECOND)
            .then(|| ascii(split_short(self.rest())))
    }

    /// A transfer's period.
    pub fn transfer_period(self) -> Option<Period> {
        self.flag(FLAG_FIRST).then(|| self.period())
    }

    /// A beneficiary's amount.
    pub fn beneficiary_amount(self) -> Option<Money> {
        self.flag(FLAG_FIRST).then(|| self.amount())
    }

    /// A beneficiary's name.
    pub fn beneficiary_name(self) -> Option<&'a str> {
        self.flag(FLAG_SECOND).then(|| split_text(self.rest()).0)
    }

    /// Day, source and name of a death.
    pub fn death(self) -> (BusinessDate, &'a str, Option<&'a str>) {
        let rest = self.rest();
        let died_on = BusinessDate::from_days(u32::from_le_bytes(array(rest, 0)));
        let (source, rest) = split_text(&rest[4..]);
        (
            died_on,
            source,
            self.flag(FLAG_SECOND).then(|| split_text(rest).0),
        )
    }

    /// An enterprise's name, as the record has it.
    pub fn enterprise_name(self) -> &'a str {
        split_text(self.rest()).0
    }

    /// An enterprise's status.
    pub fn enterprise_status(self) -> EnterpriseStatus {
        EnterpriseStatus::ALL[self.word()]
    }

    /// A beneficiary's status.
    pub fn roster_status(self) -> RosterStatus {
        RosterStatus::ALL[self.word()]
    }

    /// A payout's nature.
    #[inline]
    pub fn nature(self) -> Nature {
        Nature::ALL[self.word()]
    }

    /// A transfer's kind.
    pub fn transfer_kind(self) -> TransferKind {
        TransferKind::ALL[self.word()]
    }

    /// The record's field named `amount`, if its type has one.
    pub fn amount_field(self) -> Option<Money> {
        match self.kind() {
            Kind::Payment
            | Kind::PaymentReversal
            | Kind::Payout
            | Kind::PayoutReversal
            | Kind::Transfer => Some(self.amount()),
            Kind::Beneficiary => self.beneficiary_amount(),
            Kind::Enterprise
            | Kind::Declaration
            | Kind::Payroll
            | Kind::Death
            | Kind::DeathCancelled => None,
        }
    }
}

fn split_short(bytes: &[u8]) -> &[u8] {
    &bytes[1..1 + usize::from(bytes[0])]
}

fn split_text(bytes: &[u8]) -> (&str, &[u8]) {
    let length = u32::from_le_bytes(array(bytes, 0)) as usize;
    (ascii(&bytes[4..4 + length]), &bytes[4 + length..])
}

/// The subject that a book's key stands for.
pub fn person(key: u64) -> PersonId {
    PersonId::from_number(key)
}

/// The subject that a book's key stands for.
pub fn enterprise(key: u128) -> CreditCode {
    CreditCode::from_number(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINTS: [u64; 3] = [
        14_969_013_734_810_404_427,
        6_950_509_025_786_374_896,
        7_668_776_620_456_148_349,
    ];

    fn round_trip(fact: &Fact<'_>, check: impl FnOnce(Packed<'_>, &str)) {
        let mut bytes = Vec::new();
        let key = key(fact).unwrap();
        pack(key, fact, 7, &mut bytes);
        pack(key, fact, 8, &mut bytes);
        let envelopes: Vec<_> = Envelopes::new(&bytes).collect();
        assert_eq!(envelopes.len(), 2);
        assert_eq!(envelopes[0].key, key);
        assert!(envelopes[0].packed.says_the_same(envelopes[1].packed));
        let packed = envelopes[0].packed;
        assert_eq!(
            (
                packed.position(),
                packed.id(),
                packed.date(),
                packed.region()
            ),
            (7, fact.id, fact.date, fact.region)
        );
        check(packed, envelopes[0].item);
    }

    fn fact<'a>(body: Body<'a>) -> Fact<'a> {
        Fact {
            id: "P341002-1",
            region: RegionId(4095),
            date: BusinessDate::LAST,
            body,
        }
    }

    #[test]
    fn a_fingerprint_is_for_ever() {
        // It stands in files: if this fails, the format of the state on disk needs a new number.
        let prints = ["", "S341002-2024-1", "6217000000000000000"].map(fingerprint);
        assert_eq!(prints, FINGERPRINTS);
    }

    #[test]
    fn what_is_no_fact_is_seen() {
        let amount = Money::from_fen(1);
        let mut bytes = Vec::new();
        for (source, name) in [("crematorium", Some("程")), ("", None)] {
            let death = fact(Body::Death {
                person: PersonId::parse(b"341099194001010008").unwrap(),
                died_on: BusinessDate::FIRST,
                source,
                name,
            });
            pack(key(&death).unwrap(), &death, 1, &mut bytes);
        }
        let transfer = fact(Body::Transfer {
            kind: TransferKind::TreasuryRelease,
            amount,
            period: Some(Period::LAST),
            source: Some("S1"),
        });
        pack(key(&transfer).unwrap(), &transfer, 2, &mut bytes);
        assert_eq!(count_checked(&bytes, 4096), Some(3));
        assert_eq!(count_checked(&bytes, 4095), None, "there is no such region");
        for end in 0..bytes.len() {
            let count = count_checked(&bytes[..end], 4096);
            assert!(count.is_none_or(|count| count < 3), "{end}");
        }
        // Whatever passes can be read without a panic.
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                if count_checked(&bytes, 4096).is_some() {
                    for envelope in Envelopes::new(&bytes) {
                        let packed = envelope.packed;
                        let _ = (packed.id(), packed.kind(), packed.says_the_same(packed));
                        if packed.kind() == Kind::Death {
                            let _ = packed.death();
                        }
                    }
                    assert_eq!(pieces(&bytes).count(), Envelopes::new(&bytes).count());
                }
                bytes[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn every_kind_survives_packing() {
        let person = PersonId::parse(b"341099194001010008").unwrap();
        let enterprise = CreditCode::parse(b"91341002MA2TEXT08E").unwrap();
        let period = Period::LAST;
        let amount = Money::from_fen(99_999_999_999_999);
        let payout = |account| {
            fact(Body::Payout {
                person,
                period,
                item: "basic_pension",
                nature: Nature::LumpSum,
                amount,
                account,
            })
        };
        round_trip(&payout(Some("6217")), |packed, item| {
            assert_eq!(
                (
                    packed.kind(),
                    packed.amount(),
                    packed.period(),
                    packed.nature()
                ),
                (Kind::Payout, amount, period, Nature::LumpSum)
            );
            assert_eq!(item, "basic_pension");
            let mut other = Vec::new();
            for (account, same) in [(Some("6217"), true), (Some(""), false), (None, false)] {
                other.clear();
                pack(0, &payout(account), 9, &mut other);
                let other = Envelopes::new(&other).next().unwrap();
                assert_eq!(packed.says_the_same(other.packed), same, "{account:?}");
            }
        });
        round_trip(
            &fact(Body::PayoutReversal {
                person,
                period,
                item: "x",
                reverses: "P1",
                amount,
            }),
            |packed, item| {
                assert_eq!(
                    (packed.kind(), packed.reverses(), item),
                    (Kind::PayoutReversal, "P1", "x")
                );
            },
        );
        round_trip(
            &fact(Body::Enterprise {
                enterprise,
                name: "黄山",
                status: EnterpriseStatus::Deregistered,
            }),
            |packed, _| {
                assert_eq!(packed.enterprise_status(), EnterpriseStatus::Deregistered);
            },
        );
        round_trip(
            &fact(Body::Declaration {
                enterprise,
                period,
                headcount: 999_999_999,
                base: amount,
            }),
            |packed, _| {
                assert_eq!((packed.headcount(), packed.amount()), (999_999_999, amount));
            },
        );
        round_trip(
            &fact(Body::Beneficiary {
                person,
                status: RosterStatus::Ended,
                amount: None,
                name: Some("程建国"),
            }),
            |packed, _| {
                assert_eq!(
                    (
                        packed.roster_status(),
                        packed.beneficiary_amount(),
                        packed.beneficiary_name()
                    ),
                    (RosterStatus::Ended, None, Some("程建国"))
                );
            },
        );
        round_trip(
            &fact(Body::Death {
                person,
                died_on: BusinessDate::FIRST,
                source: "crematorium",
                name: Some("程"),
            }),
            |packed, _| {
                assert_eq!(
                    packed.death(),
                    (BusinessDate::FIRST, "crematorium", Some("程"))
                );
            },
        );
        round_trip(
            &fact(Body::DeathCancelled {
                person,
                reverses: "C1",
            }),
            |packed, _| assert_eq!(packed.reverses(), "C1"),
        );
        round_trip(
            &fact(Body::Transfer {
                kind: TransferKind::CountySubsidy,
                amount,
                period: None,
                source: Some("S1"),
            }),
            |packed, _| {
                assert_eq!(
                    (
                        packed.transfer_kind(),
                        packed.transfer_period(),
                        packed.transfer_source()
                    ),
                    (TransferKind::CountySubsidy, None, Some("S1"))
                );
            },
        );
    }
}
