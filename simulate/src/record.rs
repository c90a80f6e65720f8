//! Records as bytes: JSON written by hand into one buffer that is used again and again.
//!
//! Ten million records go through here; a value tree for each would cost more than all the rest.

use domain::{BusinessDate, Period, RegionCode, Topic};

/// A record's id: ASCII, at most 48 bytes, on the stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    // The unused rest is zero and so orders before every character of an id.
    bytes: [u8; 48],
    length: u8,
}

impl Id {
    /// Starts with a word.
    pub(crate) fn new(start: &str) -> Id {
        Id {
            bytes: [0; 48],
            length: 0,
        }
        .word(start)
    }

    /// Appends a word.
    pub(crate) fn word(self, word: &str) -> Id {
        self.append(word.as_bytes())
    }

    /// Appends `YYYYMM`.
    pub(crate) fn month(self, period: Period) -> Id {
        self.number(u64::from(period.year() * 100 + period.month()), 6)
    }

    /// Appends `YYYYMMDD`.
    pub(crate) fn day(self, date: BusinessDate) -> Id {
        let (year, month, day) = date.ymd();
        self.number(u64::from(year * 10_000 + month * 100 + day), 8)
    }

    /// Appends a number of at least `width` digits.
    pub(crate) fn number(self, number: u64, width: usize) -> Id {
        let mut digits = [0; 20];
        let start = digits_of(number, width, &mut digits);
        self.append(&digits[start..])
    }

    /// Appends one character.
    pub(crate) fn letter(self, letter: u8) -> Id {
        self.append(&[letter])
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn append(mut self, more: &[u8]) -> Id {
        let from = usize::from(self.length);
        let to = from + more.len();
        assert!(to <= self.bytes.len(), "an id of more than 48 bytes");
        self.bytes[from..to].copy_from_slice(more);
        self.length = to as u8;
        self
    }
}

/// Writes the decimal digits of a number, padded with zeros to `width`, at the end of `digits`, and
/// says where they begin.
fn digits_of(mut number: u64, width: usize, digits: &mut [u8; 20]) -> usize {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 && digits.len() - at >= width {
            return at;
        }
    }
}

/// The buffer of the record being written, and its amount.
#[derive(Debug, Default)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    fen: Option<i64>,
}

impl Record {
    /// Begins a record with the four fields that all have, in the contract's order.
    pub(crate) fn begin(
        &mut self,
        id: &Id,
        kind: &str,
        region: RegionCode,
        date: BusinessDate,
    ) -> &mut Record {
        self.bytes.clear();
        self.fen = None;
        self.bytes.extend_from_slice(b"{\"id\":\"");
        self.bytes.extend_from_slice(id.bytes());
        self.bytes.extend_from_slice(b"\",\"type\":\"");
        self.bytes.extend_from_slice(kind.as_bytes());
        self.bytes.extend_from_slice(b"\",\"region\":\"");
        self.bytes.extend_from_slice(region.as_str().as_bytes());
        self.bytes.extend_from_slice(b"\",\"date\":\"");
        self.write_date(date);
        self.bytes.push(b'"');
        self
    }

    /// A field of text that needs no escapes: simulated texts hold neither quotes nor backslashes.
    pub(crate) fn text(&mut self, key: &str, value: &[u8]) -> &mut Record {
        debug_assert!(!value.iter().any(|&b| b == b'"' || b == b'\\' || b < 0x20));
        self.key(key);
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'"');
        self
    }

    /// The field `amount`, in fen; it is what a day close adds up.
    pub(crate) fn amount(&mut self, fen: i64) -> &mut Record {
        self.fen = Some(fen);
        self.money("amount", fen)
    }

    /// A field of money other than `amount`.
    pub(crate) fn money(&mut self, key: &str, fen: i64) -> &mut Record {
        self.large_money(key, i128::from(fen))
    }

    /// A sum, which may exceed what one record's amount may be.
    pub(crate) fn large_money(&mut self, key: &str, fen: i128) -> &mut Record {
        assert!(fen >= 0, "the feeds know no negative amounts");
        let yuan = u64::try_from(fen / 100).expect("a simulated sum stays below 2^64 yuan");
        self.key(key);
        self.bytes.push(b'"');
        self.write_number(yuan, 1);
        self.bytes.push(b'.');
        self.write_number((fen % 100) as u64, 2);
        self.bytes.push(b'"');
        self
    }

    /// A count, as a JSON number.
    pub(crate) fn count(&mut self, key: &str, count: u64) -> &mut Record {
        self.key(key);
        self.write_number(count, 1);
        self
    }

    /// A number as text, e.g. of an account.
    pub(crate) fn digits(&mut self, key: &str, number: u64) -> &mut Record {
        self.key(key);
        self.bytes.push(b'"');
        self.write_number(number, 1);
        self.bytes.push(b'"');
        self
    }

    /// A field of a period.
    pub(crate) fn period(&mut self, key: &str, period: Period) -> &mut Record {
        self.key(key);
        self.bytes.push(b'"');
        self.write_number(u64::from(period.year()), 4);
        self.bytes.push(b'-');
        self.write_number(u64::from(period.month()), 2);
        self.bytes.push(b'"');
        self
    }

    /// A field of a date.
    pub(crate) fn date(&mut self, key: &str, date: BusinessDate) -> &mut Record {
        self.key(key);
        self.bytes.push(b'"');
        self.write_date(date);
        self.bytes.push(b'"');
        self
    }

    /// Ends the record: its bytes without line end, and its amount in fen if it has one.
    pub(crate) fn end(&mut self) -> (&[u8], Option<i64>) {
        self.bytes.push(b'}');
        (&self.bytes, self.fen)
    }

    fn key(&mut self, key: &str) {
        self.bytes.extend_from_slice(b",\"");
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    fn write_date(&mut self, date: BusinessDate) {
        let (year, month, day) = date.ymd();
        self.write_number(u64::from(year), 4);
        self.bytes.push(b'-');
        self.write_number(u64::from(month), 2);
        self.bytes.push(b'-');
        self.write_number(u64::from(day), 2);
    }

    fn write_number(&mut self, number: u64, width: usize) {
        let mut digits = [0; 20];
        let start = digits_of(number, width, &mut digits);
        self.bytes.extend_from_slice(&digits[start..]);
    }
}

/// One line of a feed, in the order in which it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The feed that it belongs to.
    pub topic: Topic,
    /// The region that sends it: the key on Kafka, also where the record itself names no region.
    pub region: RegionCode,
    /// The day on which it is sent. A late record's own date is earlier.
    pub date: BusinessDate,
    /// The record's bytes, without line end. Not always JSON, nor UTF-8: bad records are planted too.
    pub json: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_in_order_and_exactly() {
        let region = RegionCode::parse(b"341002").unwrap();
        let date = BusinessDate::from_ymd(2024, 3, 5).unwrap();
        let period = Period::from_ym(2024, 2).unwrap();
        let id = Id::new("D").word("341002").letter(b'-').month(period);
        let mut record = Record::default();
        let (bytes, fen) = record
            .begin(&id, "declaration", region, date)
            .period("period", period)
            .count("headcount", 10)
            .money("base", 6_000_005)
            .amount(7)
            .end();
        assert_eq!(
            std::str::from_utf8(bytes).unwrap(),
            r#"{"id":"D341002-202402","type":"declaration","region":"341002","date":"2024-03-05","period":"2024-02","headcount":10,"base":"60000.05","amount":"0.07"}"#
        );
        assert_eq!(fen, Some(7));
    }

    #[test]
    fn ids_order_as_their_bytes_do() {
        let (short, long) = (Id::new("P1"), Id::new("P10"));
        assert!(short < long && long < Id::new("P2"));
        assert_eq!(Id::new("x").number(42, 7).bytes(), b"x0000042");
        assert_eq!(Id::new("x").number(12_345, 3).bytes(), b"x12345");
    }
}
