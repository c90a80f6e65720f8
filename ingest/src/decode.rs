//! One record's bytes to a fact, or to the first reason why not, in the order of the contract.

use domain::{
    Body, BusinessDate, CreditCode, EnterpriseStatus, Fact, Money, Nature, Period, PersonId,
    RegionCode, RegionId, RosterStatus, Topic, TransferKind,
};

use crate::fields::Field;
use crate::json::{self, Order, Slot, Slots};
use crate::reason::{Reason, Reject};

/// The greatest size of a record in bytes; a larger one is `too-large`.
pub const RECORD_BYTES_MAX: usize = 1_048_576;
/// The greatest length of an id, and of an item.
const ID_LENGTH_MAX: usize = 64;

/// The regions that a record may name, in the policy's order.
#[derive(Clone, Debug)]
pub struct Regions(Vec<[u8; 8]>);

impl Regions {
    /// From the policy's list; a region's place in it is its [`RegionId`].
    pub fn new(codes: impl IntoIterator<Item = RegionCode>) -> Regions {
        Regions(
            codes
                .into_iter()
                .map(|code| padded(code.as_str().as_bytes()))
                .collect(),
        )
    }

    /// The region of a code of exactly six characters.
    fn find(&self, code: &[u8]) -> Option<RegionId> {
        if code.len() != 6 {
            return None;
        }
        let code = u64::from_le_bytes(padded(code));
        let at = self
            .0
            .iter()
            .position(|known| u64::from_le_bytes(*known) == code)?;
        u16::try_from(at).ok().map(RegionId)
    }
}

fn padded(code: &[u8]) -> [u8; 8] {
    let mut padded = [0; 8];
    padded[..6].copy_from_slice(code);
    padded
}

/// Decodes records one after the other, reusing what it needs for one.
#[derive(Debug)]
pub struct Decoder {
    regions: Regions,
    slots: Slots,
    order: Order,
    scratch: Vec<u8>,
}

impl Decoder {
    /// A decoder for a pool with these regions.
    pub fn new(regions: Regions) -> Decoder {
        Decoder {
            regions,
            slots: [Slot::Absent; Field::COUNT],
            order: [Field::Type; 12],
            scratch: Vec::new(),
        }
    }

    /// The fact that `record`, sent on `topic`, says. Texts are borrowed from the record, or from
    /// the decoder where they had escapes.
    ///
    /// # Errors
    /// The first reason that applies, and the field at fault.
    pub fn decode<'a>(&'a mut self, topic: Topic, record: &'a [u8]) -> Result<Fact<'a>, Reject> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(Reason::TooLarge.into());
        }
        let scanned = json::scan(record, &mut self.slots, &mut self.order, &mut self.scratch);
        // Most records are ASCII, and the scanner has seen that: the others are looked at once more.
        if !matches!(scanned, Ok(true)) && std::str::from_utf8(record).is_err() {
            return Err(Reason::NotUtf8.into());
        }
        scanned.map_err(|_| Reject::from(Reason::NotJson))?;
        Record {
            slots: &self.slots,
            record,
            scratch: &self.scratch,
            regions: &self.regions,
        }
        .fact(topic)
    }
}

/// A scanned record: its fields are read one by one, and each says what is wrong with it.
#[derive(Clone, Copy)]
struct Record<'a> {
    slots: &'a Slots,
    /// UTF-8, as is what was unescaped from it.
    record: &'a [u8],
    scratch: &'a [u8],
    regions: &'a Regions,
}

/// The record types of each topic, the commonest first.
#[derive(Clone, Copy)]
enum Type {
    Enterprise,
    Declaration,
    Payroll,
    Payment,
    PaymentReversal,
    Payout,
    PayoutReversal,
    Beneficiary,
    Death,
    DeathCancelled,
    Transfer,
    DayClose,
}

fn type_of(topic: Topic, word: &[u8]) -> Option<Type> {
    let kind = match (topic, word) {
        (Topic::AgencyPayout, b"payout") => Type::Payout,
        (Topic::AgencyPayout, b"payout_reversal") => Type::PayoutReversal,
        (Topic::TaxCollection, b"payment") => Type::Payment,
        (Topic::TaxCollection, b"declaration") => Type::Declaration,
        (Topic::TaxCollection, b"payroll") => Type::Payroll,
        (Topic::TaxCollection, b"enterprise") => Type::Enterprise,
        (Topic::TaxCollection, b"payment_reversal") => Type::PaymentReversal,
        (Topic::AgencyRoster, b"beneficiary") => Type::Beneficiary,
        (Topic::CivilDeath, b"death") => Type::Death,
        (Topic::CivilDeath, b"death_cancelled") => Type::DeathCancelled,
        (Topic::TreasuryTransfer, b"transfer") => Type::Transfer,
        (_, b"day_close") => Type::DayClose,
        _ => return None,
    };
    Some(kind)
}

impl<'a> Record<'a> {
    fn fact(self, topic: Topic) -> Result<Fact<'a>, Reject> {
        let kind = self.read(Field::Type, Reason::UnknownType, |word| {
            type_of(topic, word)
        })?;
        let id = self.id(Field::Id)?;
        let region = self.read(Field::Region, Reason::UnknownRegion, |code| {
            self.regions.find(code)
        })?;
        let date = self.date(Field::Date)?;
        let body = self.body(topic, kind)?;
        Ok(Fact {
            id,
            region,
            date,
            body,
        })
    }

    /// The further fields, in the contract's order: the order of evaluation is that of the fields.
    fn body(self, topic: Topic, kind: Type) -> Result<Body<'a>, Reject> {
        let body = match kind {
            Type::Payout => Body::Payout {
                person: self.person()?,
                period: self.period()?,
                item: self.item()?,
                nature: self.read(Field::Nature, Reason::BadValue, Nature::parse)?,
                amount: self.amount(Field::Amount)?,
                account: self.optional(Field::Account, Self::text)?,
            },
            Type::PayoutReversal => Body::PayoutReversal {
                person: self.person()?,
                period: self.period()?,
                item: self.item()?,
                reverses: self.id(Field::Reverses)?,
                amount: self.amount(Field::Amount)?,
            },
            Type::Enterprise => Body::Enterprise {
                enterprise: self.enterprise()?,
                name: self.text(Field::Name)?,
                status: self.read(Field::Status, Reason::BadValue, EnterpriseStatus::parse)?,
            },
            Type::Declaration => Body::Declaration {
                enterprise: self.enterprise()?,
                period: self.period()?,
                headcount: self.count(Field::Headcount)?,
                base: self.amount(Field::Base)?,
            },
            Type::Payroll => Body::Payroll {
                enterprise: self.enterprise()?,
                period: self.period()?,
                headcount: self.count(Field::Headcount)?,
                wages: self.amount(Field::Wages)?,
            },
            Type::Payment => Body::Payment {
                enterprise: self.enterprise()?,
                period: self.period()?,
                amount: self.amount(Field::Amount)?,
            },
            Type::PaymentReversal => Body::PaymentReversal {
                enterprise: self.enterprise()?,
                period: self.period()?,
                reverses: self.id(Field::Reverses)?,
                amount: self.amount(Field::Amount)?,
            },
            Type::Beneficiary => Body::Beneficiary {
                person: self.person()?,
                status: self.read(Field::Status, Reason::BadValue, RosterStatus::parse)?,
                amount: self.optional(Field::Amount, Self::amount)?,
                name: self.optional(Field::Name, Self::text)?,
            },
            Type::Death => Body::Death {
                person: self.person()?,
                died_on: self.date(Field::DiedOn)?,
                source: self.text(Field::Source)?,
                name: self.optional(Field::Name, Self::text)?,
            },
            Type::DeathCancelled => Body::DeathCancelled {
                person: self.person()?,
                reverses: self.id(Field::Reverses)?,
            },
            Type::Transfer => self.transfer()?,
            Type::DayClose => Body::DayClose {
                topic,
                records: self.count(Field::Records)?,
                amount: self.amount(Field::Amount)?,
            },
        };
        Ok(body)
    }

    fn transfer(self) -> Result<Body<'a>, Reject> {
        let kind = self.read(Field::Kind, Reason::BadValue, TransferKind::parse)?;
        let amount = self.amount(Field::Amount)?;
        let period = match kind {
            TransferKind::RemitUp => Some(self.period()?),
            _ => self.optional(Field::Period, |record, _| record.period())?,
        };
        let source = match kind {
            TransferKind::TreasuryRelease => Some(self.id(Field::Source)?),
            _ => self.optional(Field::Source, Self::id)?,
        };
        Ok(Body::Transfer {
            kind,
            amount,
            period,
            source,
        })
    }

    /// A string field that `parse` must understand.
    #[inline]
    fn read<T>(
        self,
        field: Field,
        reason: Reason,
        parse: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<T, Reject> {
        let text = match self.slots[field as usize] {
            Slot::Text(start, end) => &self.record[start as usize..end as usize],
            Slot::Unescaped(start, end) => &self.scratch[start as usize..end as usize],
            Slot::Absent => return Err(reject(Reason::MissingField, field)),
            Slot::Number(..) | Slot::Other => return Err(reject(reason, field)),
        };
        parse(text).ok_or_else(|| reject(reason, field))
    }

    /// A field that may be absent.
    fn optional<T>(
        self,
        field: Field,
        read: impl FnOnce(Self, Field) -> Result<T, Reject>,
    ) -> Result<Option<T>, Reject> {
        match self.slots[field as usize] {
            Slot::Absent => Ok(None),
            _ => read(self, field).map(Some),
        }
    }

    fn text(self, field: Field) -> Result<&'a str, Reject> {
        match self.slots[field as usize] {
            Slot::Text(start, end) => Ok(utf8(&self.record[start as usize..end as usize])),
            Slot::Unescaped(start, end) => Ok(utf8(&self.scratch[start as usize..end as usize])),
            Slot::Absent => Err(reject(Reason::MissingField, field)),
            Slot::Number(..) | Slot::Other => Err(reject(Reason::BadValue, field)),
        }
    }

    fn id(self, field: Field) -> Result<&'a str, Reject> {
        self.read(field, Reason::BadId, |id| ascii_name(id, &ID_CHARACTERS))
    }

    fn item(self) -> Result<&'a str, Reject> {
        self.read(Field::Item, Reason::BadValue, |item| {
            ascii_name(item, &ITEM_CHARACTERS)
        })
    }

    fn date(self, field: Field) -> Result<BusinessDate, Reject> {
        self.read(field, Reason::BadDate, BusinessDate::parse)
    }

    fn period(self) -> Result<Period, Reject> {
        self.read(Field::Period, Reason::BadPeriod, Period::parse)
    }

    fn person(self) -> Result<PersonId, Reject> {
        self.read(Field::Person, Reason::BadPerson, PersonId::parse)
    }

    fn enterprise(self) -> Result<CreditCode, Reject> {
        self.read(Field::Enterprise, Reason::BadEnterprise, CreditCode::parse)
    }

    /// A string, or the literal text of a number.
    fn amount(self, field: Field) -> Result<Money, Reject> {
        match self.slots[field as usize] {
            Slot::Number(start, end) => Money::parse(&self.record[start as usize..end as usize])
                .ok_or_else(|| reject(Reason::BadAmount, field)),
            _ => self.read(field, Reason::BadAmount, Money::parse),
        }
    }

    /// A number of one to nine digits; a string is none.
    fn count(self, field: Field) -> Result<u32, Reject> {
        match self.slots[field as usize] {
            Slot::Number(start, end) => {
                let digits = utf8(&self.record[start as usize..end as usize]);
                let count = if digits.len() <= 9 {
                    digits.parse().ok()
                } else {
                    None
                };
                count.ok_or_else(|| reject(Reason::BadCount, field))
            }
            Slot::Absent => Err(reject(Reason::MissingField, field)),
            _ => Err(reject(Reason::BadCount, field)),
        }
    }
}

/// Part of a record that was looked through, cut at characters.
fn utf8(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("a record is UTF-8 when its fields are read")
}

fn reject(reason: Reason, field: Field) -> Reject {
    Reject {
        reason,
        field: Some(field.as_str()),
    }
}

const ID_CHARACTERS: [bool; 256] = characters(b"._:-");
const ITEM_CHARACTERS: [bool; 256] = characters(b"_.-");

const fn characters(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 128 {
        table[b] = (b as u8).is_ascii_alphanumeric();
        b += 1;
    }
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    table
}

/// 1 to 64 of the characters.
fn ascii_name<'a>(text: &'a [u8], characters: &[bool; 256]) -> Option<&'a str> {
    let right = !text.is_empty()
        && text.len() <= ID_LENGTH_MAX
        && text.iter().all(|&b| characters[usize::from(b)]);
    if right {
        std::str::from_utf8(text).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder() -> Decoder {
        Decoder::new(Regions::new(
            [b"341000", b"341002"].map(|code| RegionCode::parse(code).unwrap()),
        ))
    }

    #[track_caller]
    fn rejected(topic: Topic, record: &[u8], reason: Reason, field: Option<&str>) {
        let mut decoder = decoder();
        let reject = decoder.decode(topic, record).expect_err("is rejected");
        assert_eq!(
            (reject.reason, reject.field),
            (reason, field),
            "{}",
            String::from_utf8_lossy(record)
        );
    }

    fn payment(rest: &str) -> Vec<u8> {
        format!(r#"{{"id":"P1","type":"payment","region":"341002","date":"2024-03-05","enterprise":"91341002MA2TEXT08E","period":"2024-02"{rest}}}"#).into_bytes()
    }

    #[test]
    fn a_payment_in_any_spelling() {
        let plain = payment(r#","amount":"10.50""#);
        let odd = r#" { "amount" :10.5,"memo":[{"a":[null,true,-1e5]}],"period":"2024-02","period":"2024-0\u0032",
            "enter\u0070rise":"91341002ma2text08e","\u0064ate":"2024-03-05","region":"341002","type":"payment","id":"P\u0031"}"#;
        let mut decoder = decoder();
        let expected = decoder.decode(Topic::TaxCollection, &plain).unwrap();
        assert_eq!(expected.id, "P1");
        assert_eq!(expected.region, RegionId(1));
        let Body::Payment {
            enterprise,
            period,
            amount,
        } = expected.body
        else {
            panic!("a payment")
        };
        assert_eq!(enterprise.as_str(), "91341002MA2TEXT08E");
        assert_eq!(period.to_string(), "2024-02");
        assert_eq!(amount, Money::from_fen(1_050));
        let mut other = super::tests::decoder();
        let odd = other.decode(Topic::TaxCollection, odd.as_bytes()).unwrap();
        assert_eq!(odd.id, "P1");
        assert_eq!(
            odd.body,
            Body::Payment {
                enterprise,
                period,
                amount
            }
        );
    }

    #[test]
    fn what_is_no_json_object() {
        for record in [
            &b"{"[..],
            b"[1]",
            b"\"a\"",
            b"{} {}",
            b"{}x",
            b"",
            b"\xEF\xBB\xBF{}",
            b"{'id':1}",
            b"{\"a\":NaN}",
            b"{\"a\":01}",
            b"{\"a\":1.}",
            b"{\"a\":.5}",
            b"{\"a\":+1}",
            b"{\"a\":1e}",
            b"{\"a\":tru}",
            b"{\"a\":1,}",
            b"{,}",
            b"{\"a\" 1}",
            b"{\"a\":\"\\x\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\ud800\\u0041\"}",
            b"{\"a\":\"\\udc00\"}",
            b"{\"a\":\"\t\"}",
            b"{\"a\":\"12345678\x01\"}",
            b"{\"a\":[\"\\udfff\"]}",
            b"{\"a\":\"\\u12\"}",
            b"{\"a\":\"open}",
        ] {
            rejected(Topic::TaxCollection, record, Reason::NotJson, None);
        }
        rejected(
            Topic::TaxCollection,
            b"{\"a\":\"\xFF\"",
            Reason::NotUtf8,
            None,
        );
        rejected(
            Topic::TaxCollection,
            &vec![b'x'; RECORD_BYTES_MAX + 1],
            Reason::TooLarge,
            None,
        );
        rejected(
            Topic::TaxCollection,
            &vec![b' '; RECORD_BYTES_MAX],
            Reason::NotJson,
            None,
        );
    }

    #[test]
    fn nesting_to_64_levels() {
        let nested = |depth: usize| {
            payment(&format!(
                ",\"amount\":\"1\",\"memo\":{}1{}",
                "[".repeat(depth),
                "]".repeat(depth)
            ))
        };
        assert!(decoder().decode(Topic::TaxCollection, &nested(63)).is_ok());
        rejected(Topic::TaxCollection, &nested(64), Reason::NotJson, None);
    }

    #[test]
    fn the_first_fault_in_the_order_of_fields_counts() {
        let tax = Topic::TaxCollection;
        rejected(tax, b"{}", Reason::MissingField, Some("type"));
        rejected(
            tax,
            br#"{"type":"payout","id":"a b"}"#,
            Reason::UnknownType,
            Some("type"),
        );
        rejected(tax, br#"{"type":7}"#, Reason::UnknownType, Some("type"));
        rejected(
            tax,
            br#"{"type":"payment","id":null,"region":"x"}"#,
            Reason::MissingField,
            Some("id"),
        );
        rejected(
            tax,
            br#"{"type":"payment","id":"a b","region":"x"}"#,
            Reason::BadId,
            Some("id"),
        );
        rejected(
            tax,
            br#"{"type":"payment","id":"a","region":"341099","date":"x"}"#,
            Reason::UnknownRegion,
            Some("region"),
        );
        rejected(
            tax,
            br#"{"type":"payment","id":"a","region":341002,"date":"x"}"#,
            Reason::UnknownRegion,
            Some("region"),
        );
        rejected(
            tax,
            br#"{"type":"payment","id":"a","region":"341002","date":20240305}"#,
            Reason::BadDate,
            Some("date"),
        );
        rejected(tax, &payment(""), Reason::MissingField, Some("amount"));
        rejected(
            tax,
            &payment(r#","amount":null"#),
            Reason::MissingField,
            Some("amount"),
        );
        rejected(
            tax,
            &payment(r#","amount":true"#),
            Reason::BadAmount,
            Some("amount"),
        );
        rejected(
            tax,
            &payment(r#","amount":-0.01"#),
            Reason::BadAmount,
            Some("amount"),
        );
        rejected(
            tax,
            &payment(r#","amount":1e2"#),
            Reason::BadAmount,
            Some("amount"),
        );
        rejected(
            tax,
            &payment(r#","amount":"1","period":"2024-13""#),
            Reason::BadPeriod,
            Some("period"),
        );
        let transfer = |rest: &str| {
            format!(
                r#"{{"id":"T1","type":"transfer","region":"341002","date":"2024-03-05"{rest}}}"#
            )
            .into_bytes()
        };
        let treasury = Topic::TreasuryTransfer;
        rejected(
            treasury,
            &transfer(r#","kind":"gift""#),
            Reason::BadValue,
            Some("kind"),
        );
        rejected(
            treasury,
            &transfer(r#","kind":"remit_up","amount":"1""#),
            Reason::MissingField,
            Some("period"),
        );
        rejected(
            treasury,
            &transfer(r#","kind":"treasury_release","amount":"1""#),
            Reason::MissingField,
            Some("source"),
        );
        rejected(
            treasury,
            &transfer(r#","kind":"county_subsidy","amount":"1","source":"a b""#),
            Reason::BadId,
            Some("source"),
        );
        let close = |rest: &str| {
            format!(
                r#"{{"id":"Q","type":"day_close","region":"341002","date":"2024-03-05"{rest}}}"#
            )
            .into_bytes()
        };
        rejected(
            treasury,
            &close(r#","records":"1","amount":"1""#),
            Reason::BadCount,
            Some("records"),
        );
        rejected(
            treasury,
            &close(r#","records":1234567890,"amount":"1""#),
            Reason::BadCount,
            Some("records"),
        );
        assert!(
            decoder()
                .decode(treasury, &close(r#","records":123456789,"amount":1"#))
                .is_ok()
        );
    }

    #[test]
    fn optional_fields_are_read_when_there() {
        let record = |rest: &str| {
            format!(r#"{{"id":"B","type":"beneficiary","region":"341002","date":"2024-03-05","person":"341002195203100007","status":"ended"{rest}}}"#).into_bytes()
        };
        let roster = Topic::AgencyRoster;
        let mut decoder = decoder();
        for (rest, amount, name) in [
            ("", None, None),
            (r#","amount":null,"name":null"#, None, None),
            (
                r#","amount":"1","name":"""#,
                Some(Money::from_yuan(1)),
                Some(""),
            ),
        ] {
            let record = record(rest);
            let fact = decoder.decode(roster, &record).unwrap();
            let Body::Beneficiary {
                amount: a, name: n, ..
            } = fact.body
            else {
                panic!("a beneficiary")
            };
            assert_eq!((a, n), (amount, name));
        }
        rejected(
            roster,
            &record(r#","amount":"x""#),
            Reason::BadAmount,
            Some("amount"),
        );
        rejected(
            roster,
            &record(r#","name":1"#),
            Reason::BadValue,
            Some("name"),
        );
    }
}
