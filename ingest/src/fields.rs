//! The names of the fields of all record types.

/// A known field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Field {
    Type,
    Id,
    Region,
    Date,
    Enterprise,
    Name,
    Status,
    Period,
    Headcount,
    Base,
    Wages,
    Amount,
    Reverses,
    Person,
    Item,
    Nature,
    Account,
    DiedOn,
    Source,
    Kind,
    Records,
}

impl Field {
    /// How many there are.
    pub(crate) const COUNT: usize = 21;

    const ALL: [Field; Field::COUNT] = [
        Field::Type,
        Field::Id,
        Field::Region,
        Field::Date,
        Field::Enterprise,
        Field::Name,
        Field::Status,
        Field::Period,
        Field::Headcount,
        Field::Base,
        Field::Wages,
        Field::Amount,
        Field::Reverses,
        Field::Person,
        Field::Item,
        Field::Nature,
        Field::Account,
        Field::DiedOn,
        Field::Source,
        Field::Kind,
        Field::Records,
    ];

    /// The key in a record.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Field::Type => "type",
            Field::Id => "id",
            Field::Region => "region",
            Field::Date => "date",
            Field::Enterprise => "enterprise",
            Field::Name => "name",
            Field::Status => "status",
            Field::Period => "period",
            Field::Headcount => "headcount",
            Field::Base => "base",
            Field::Wages => "wages",
            Field::Amount => "amount",
            Field::Reverses => "reverses",
            Field::Person => "person",
            Field::Item => "item",
            Field::Nature => "nature",
            Field::Account => "account",
            Field::DiedOn => "died_on",
            Field::Source => "source",
            Field::Kind => "kind",
            Field::Records => "records",
        }
    }

    /// The key between its quotes as a number of sixteen bytes, and which of them count.
    #[inline]
    pub(crate) fn quoted(self) -> (u128, u128) {
        QUOTED[self as usize]
    }

    /// The field of a key: one table look-up and one comparison.
    #[inline]
    pub(crate) fn of(key: &[u8]) -> Option<Field> {
        let field = Field::ALL.get(usize::from(TABLE[hash(key)]))?;
        // Byte by byte: a call to compare so few costs more than comparing them.
        let name = field.as_str().as_bytes();
        let same = name.len() == key.len() && name.iter().zip(key).all(|(a, b)| a == b);
        same.then_some(*field)
    }
}

static QUOTED: [(u128, u128); Field::COUNT] = quoted();

const fn quoted() -> [(u128, u128); Field::COUNT] {
    let mut table = [(0, 0); Field::COUNT];
    let mut at = 0;
    while at < Field::COUNT {
        let name = Field::ALL[at].as_str().as_bytes();
        let mut bytes = [0; 16];
        let mut mask = [0; 16];
        let mut place = 0;
        while place < name.len() + 2 {
            bytes[place] = if 0 < place && place <= name.len() {
                name[place - 1]
            } else {
                b'"'
            };
            mask[place] = 0xFF;
            place += 1;
        }
        table[at] = (u128::from_le_bytes(bytes), u128::from_le_bytes(mask));
        at += 1;
    }
    table
}

const TABLE_SIZE: usize = 64;
const NONE: u8 = u8::MAX;

/// Length, first and last character tell the keys apart; that they do is proved when compiling.
#[inline]
const fn hash(key: &[u8]) -> usize {
    if key.is_empty() {
        return 0;
    }
    let (first, last) = (key[0] as usize, key[key.len() - 1] as usize);
    (first + last + key.len() * 15) % TABLE_SIZE
}

static TABLE: [u8; TABLE_SIZE] = table();

const fn table() -> [u8; TABLE_SIZE] {
    let mut table = [NONE; TABLE_SIZE];
    let mut at = 0;
    while at < Field::COUNT {
        let slot = hash(Field::ALL[at].as_str().as_bytes());
        assert!(
            table[slot] == NONE,
            "two field names share a slot: choose other factors"
        );
        table[slot] = at as u8;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_key_and_nothing_else() {
        for (at, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(field as usize, at);
            assert_eq!(Field::of(field.as_str().as_bytes()), Some(field));
        }
        for key in ["", "x", "Id", "amounts", "memo", "basf"] {
            assert_eq!(Field::of(key.as_bytes()), None, "{key}");
        }
    }
}
