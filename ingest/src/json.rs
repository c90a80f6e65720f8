//! A strict scanner of one JSON object that knows the fields it looks for.
//!
//! It checks the whole text against RFC 8259, nesting and surrogates included, but keeps only where
//! the values of known fields are: nothing is allocated unless a text has escapes in it. The last
//! of repeated keys counts.

use crate::fields::Field;

/// The record itself is level 1; values may nest to this level.
const DEPTH_MAX: u32 = 64;

/// Where the value of a known field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The key does not occur, or its value is null.
    #[default]
    Absent,
    /// A string without escapes, at these bytes of the record.
    Text(u32, u32),
    /// A string with escapes, at these bytes of the scratch.
    Unescaped(u32, u32),
    /// A number, its literal text at these bytes of the record.
    Number(u32, u32),
    /// A boolean, an array or an object: never right.
    Other,
}

/// The known fields of one record.
pub(crate) type Slots = [Slot; Field::COUNT];

/// The known fields in the order in which they came last.
pub(crate) type Order = [Field; 12];

/// Not the JSON that the contract accepts.
#[derive(Debug)]
pub(crate) struct NotJson;

/// Scans `record`, which must be one object with white space around it at most.
///
/// Says whether all of it is ASCII. The input need not be UTF-8: bytes above ASCII are taken as they
/// are within strings, and are wrong everywhere else.
pub(crate) fn scan(
    record: &[u8],
    slots: &mut Slots,
    order: &mut Order,
    scratch: &mut Vec<u8>,
) -> Result<bool, NotJson> {
    *slots = [Slot::Absent; Field::COUNT];
    scratch.clear();
    let mut scanner = Scanner {
        text: record,
        at: 0,
        high_bits: 0,
        scratch,
    };
    scanner.space();
    scanner.expect(b'{')?;
    scanner.record(slots, order)?;
    scanner.space();
    if scanner.at == record.len() {
        Ok(scanner.high_bits & HIGHS == 0)
    } else {
        Err(NotJson)
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// The bytes of all strings, one upon the other: whether one is above ASCII.
    high_bits: u64,
    scratch: &'a mut Vec<u8>,
}

impl Scanner<'_> {
    fn peek(&self) -> Result<u8, NotJson> {
        self.text.get(self.at).copied().ok_or(NotJson)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.peek()? != byte {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    /// The rest of the record, after its brace: known fields are kept.
    fn record(&mut self, slots: &mut Slots, order: &mut Order) -> Result<(), NotJson> {
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        for nth in 0.. {
            let field = self.key(order.get_mut(nth))?;
            self.space();
            self.expect(b':')?;
            self.space();
            let value = self.value(1)?;
            if let Some(field) = field {
                slots[field as usize] = value;
            }
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(NotJson),
            }
            self.space();
        }
        Err(NotJson)
    }

    /// A key of the record. A source writes its keys in one order: the field that stood here in the
    /// record before is tried first, and costs one comparison.
    #[inline]
    fn key(&mut self, expected: Option<&mut Field>) -> Result<Option<Field>, NotJson> {
        if let (Some(expected), Some(start)) =
            (expected.as_deref(), self.text.get(self.at..self.at + 16))
        {
            let start = u128::from_le_bytes(start.try_into().expect("sixteen bytes"));
            let (quoted, mask) = expected.quoted();
            if start & mask == quoted {
                self.at += expected.as_str().len() + 2;
                return Ok(Some(*expected));
            }
        }
        let key = self.string()?;
        let field = Field::of(self.bytes(key));
        if let (Some(expected), Some(field)) = (expected, field) {
            *expected = field;
        }
        Ok(field)
    }

    /// The rest of an object within the record, after its brace.
    fn object(&mut self, depth: u32) -> Result<(), NotJson> {
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            self.value(depth)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(NotJson),
            }
            self.space();
        }
    }

    fn array(&mut self, depth: u32) -> Result<(), NotJson> {
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(NotJson),
            }
            self.space();
        }
    }

    fn value(&mut self, depth: u32) -> Result<Slot, NotJson> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' if depth < DEPTH_MAX => {
                self.at += 1;
                self.object(depth + 1)?;
                Ok(Slot::Other)
            }
            b'[' if depth < DEPTH_MAX => {
                self.at += 1;
                self.array(depth + 1)?;
                Ok(Slot::Other)
            }
            b'n' => self.word(b"null", Slot::Absent),
            b't' => self.word(b"true", Slot::Other),
            b'f' => self.word(b"false", Slot::Other),
            _ => Err(NotJson),
        }
    }

    fn word(&mut self, word: &[u8], slot: Slot) -> Result<Slot, NotJson> {
        if !self.text[self.at..].starts_with(word) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(slot)
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        if self.at == start {
            Err(NotJson)
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<Slot, NotJson> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if let Some(b'.') = self.text.get(self.at) {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Slot::Number(offset(start), offset(self.at)))
    }

    fn bytes(&self, slot: Slot) -> &[u8] {
        match slot {
            Slot::Text(start, end) => &self.text[start as usize..end as usize],
            Slot::Unescaped(start, end) => &self.scratch[start as usize..end as usize],
            _ => &[],
        }
    }

    fn string(&mut self) -> Result<Slot, NotJson> {
        self.expect(b'"')?;
        let start = self.at;
        self.plain();
        match self.peek()? {
            b'"' => {
                let slot = Slot::Text(offset(start), offset(self.at));
                self.at += 1;
                Ok(slot)
            }
            b'\\' => self.unescape(start),
            _ => Err(NotJson),
        }
    }

    /// Moves to the next quote, backslash or control character, eight bytes at a time.
    #[inline]
    fn plain(&mut self) {
        while let Some(chunk) = self.text.get(self.at..self.at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
            self.high_bits |= word;
            // The lowest high bit set is exact; bits above it may be borrows.
            let zeros = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
            let found = zeros(word ^ (ONES * u64::from(b'"')))
                | zeros(word ^ (ONES * u64::from(b'\\')))
                | control;
            if found != 0 {
                self.at += (found.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while let Some(&b) = self.text.get(self.at) {
            if b == b'"' || b == b'\\' || b < 0x20 {
                return;
            }
            self.high_bits |= u64::from(b);
            self.at += 1;
        }
    }

    /// The rest of a string that has an escape at the present byte and began at `start`.
    #[cold]
    fn unescape(&mut self, start: usize) -> Result<Slot, NotJson> {
        let scratch_start = self.scratch.len();
        self.scratch.extend_from_slice(&self.text[start..self.at]);
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(Slot::Unescaped(
                        offset(scratch_start),
                        offset(self.scratch.len()),
                    ));
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => return Err(NotJson),
                _ => {
                    let start = self.at;
                    self.plain();
                    self.scratch.extend_from_slice(&self.text[start..self.at]);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        let escape = self.peek()?;
        self.at += 1;
        let plain = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(),
            _ => return Err(NotJson),
        };
        self.scratch.push(plain);
        Ok(())
    }

    fn unicode(&mut self) -> Result<(), NotJson> {
        let unit = self.hex()?;
        let code = match unit {
            0xD800..0xDC00 => {
                self.expect(b'\\')?;
                self.expect(b'u')?;
                match self.hex()? {
                    low @ 0xDC00..0xE000 => 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00),
                    _ => return Err(NotJson),
                }
            }
            _ => unit,
        };
        // A low surrogate alone is no character either.
        let character = char::from_u32(code).ok_or(NotJson)?;
        self.scratch
            .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, NotJson> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(NotJson)?;
        self.at += 4;
        digits
            .iter()
            .try_fold(0, |sum, &b| {
                char::from(b).to_digit(16).map(|digit| sum * 16 + digit)
            })
            .ok_or(NotJson)
    }
}

/// A record is at most 1 MiB, and what is unescaped is never longer.
fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a record is smaller than 4 GiB")
}
