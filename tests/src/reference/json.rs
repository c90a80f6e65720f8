//! RFC 8259, no more and no less, with what the contract adds: numbers keep their text, a lone surrogate escape is an
//! error wherever it stands, and so is nesting over 64 deep.

/// The deepest nesting that is allowed; the record itself is level 1.
pub const DEPTH_MAX: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A string, its escapes resolved.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order written, repeated keys and all.
    Object(Vec<(String, Json)>),
}

/// The text is not JSON, or not JSON that the contract takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

/// Parses a whole text.
///
/// # Errors
/// [`NotJson`], whatever is wrong.
pub fn parse(text: &str) -> Result<Json, NotJson> {
    let mut parser = Parser {
        rest: text.as_bytes(),
    };
    let value = parser.value(0)?;
    parser.skip_space();
    if parser.rest.is_empty() {
        Ok(value)
    } else {
        Err(NotJson)
    }
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn next(&mut self) -> Result<u8, NotJson> {
        let (first, rest) = self.rest.split_first().ok_or(NotJson)?;
        self.rest = rest;
        Ok(*first)
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes `token` if it comes next.
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), NotJson> {
        if self.take(token) {
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    /// A value inside `depth` arrays and objects.
    fn value(&mut self, depth: usize) -> Result<Json, NotJson> {
        self.skip_space();
        match self.peek().ok_or(NotJson)? {
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string().map(Json::String),
            b'n' => self.expect("null").map(|()| Json::Null),
            b't' => self.expect("true").map(|()| Json::Bool(true)),
            b'f' => self.expect("false").map(|()| Json::Bool(false)),
            _ => self.number().map(Json::Number),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, NotJson> {
        if depth > DEPTH_MAX {
            return Err(NotJson);
        }
        self.expect("{")?;
        let mut members = Vec::new();
        self.skip_space();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.expect(":")?;
            members.push((key, self.value(depth)?));
            self.skip_space();
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            self.expect(",")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, NotJson> {
        if depth > DEPTH_MAX {
            return Err(NotJson);
        }
        self.expect("[")?;
        let mut elements = Vec::new();
        self.skip_space();
        if self.take("]") {
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            self.skip_space();
            if self.take("]") {
                return Ok(Json::Array(elements));
            }
            self.expect(",")?;
        }
    }

    fn string(&mut self) -> Result<String, NotJson> {
        self.expect("\"")?;
        let mut bytes = Vec::new();
        loop {
            match self.next()? {
                b'"' => return String::from_utf8(bytes).map_err(|_| NotJson),
                b'\\' => {
                    let mut buffer = [0; 4];
                    let character = self.escape()?;
                    bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
                control if control < 0x20 => return Err(NotJson),
                byte => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, NotJson> {
        Ok(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(NotJson),
        })
    }

    /// What follows `\u`: four digits, or a high surrogate and `\u` with a low one.
    fn unicode_escape(&mut self) -> Result<char, NotJson> {
        let first = self.four_hex_digits()?;
        match first {
            0xD800..=0xDBFF => {
                self.expect("\\u")?;
                let second = self.four_hex_digits()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(NotJson);
                }
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                char::from_u32(code).ok_or(NotJson)
            }
            // A low surrogate alone is no character.
            _ => char::from_u32(first).ok_or(NotJson),
        }
    }

    fn four_hex_digits(&mut self) -> Result<u32, NotJson> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?).to_digit(16).ok_or(NotJson)?;
            code = code * 16 + digit;
        }
        Ok(code)
    }

    /// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
    fn number(&mut self) -> Result<String, NotJson> {
        let mut text = String::new();
        if self.take("-") {
            text.push('-');
        }
        let whole = self.digits();
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(NotJson);
        }
        text.push_str(&whole);
        if self.take(".") {
            let fraction = self.digits();
            if fraction.is_empty() {
                return Err(NotJson);
            }
            text.push('.');
            text.push_str(&fraction);
        }
        if let Some(e @ (b'e' | b'E')) = self.peek() {
            self.next()?;
            text.push(char::from(e));
            if let Some(sign @ (b'+' | b'-')) = self.peek() {
                self.next()?;
                text.push(char::from(sign));
            }
            let exponent = self.digits();
            if exponent.is_empty() {
                return Err(NotJson);
            }
            text.push_str(&exponent);
        }
        Ok(text)
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            digits.push(char::from(*digit));
            self.rest = rest;
        }
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Json, NotJson>) {
        assert_eq!(parse(text), expected, "{text}");
    }

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn numbers_keep_their_text() {
        for text in ["0", "-0", "1.10", "1e999999", "12345678901234567890.5E-7"] {
            check(text, Ok(Json::Number(text.to_owned())));
        }
        for text in ["01", "+1", ".5", "1.", "1e", "-", "NaN", "Infinity", "0x1"] {
            check(text, Err(NotJson));
        }
    }

    #[test]
    fn strings_resolve_escapes_and_refuse_lone_surrogates() {
        let good = |text: &str| Ok(Json::String(text.to_owned()));
        check(r#""a\u00e9\n\/\"""#, good("a\u{e9}\n/\""));
        check(r#""\ud83d\ude00""#, good("\u{1f600}"));
        for bad in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\u0041""#,
            r#""\x41""#,
            "\"\u{1}\"",
            "\"open",
        ] {
            check(bad, Err(NotJson));
        }
    }

    #[test]
    fn structure_is_strict() {
        check(" [ ] ", Ok(Json::Array(vec![])));
        check("{\"a\":1,\"a\":null}", {
            let one = ("a".to_owned(), Json::Number("1".to_owned()));
            Ok(Json::Object(vec![one, ("a".to_owned(), Json::Null)]))
        });
        for bad in [
            "",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "[] []",
            "nul",
            "\u{feff}{}",
            "{'a':1}",
        ] {
            check(bad, Err(NotJson));
        }
    }

    #[test]
    fn nesting_ends_at_64() {
        assert!(parse(&nested(64)).is_ok());
        assert!(parse(&nested(65)).is_err());
    }
}
