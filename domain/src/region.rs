//! Regions: the units of account of the pool (区县, 市本级).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A six-digit region code, GB/T 2260 where one exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionCode([u8; 6]);

impl RegionCode {
    /// Reads six ASCII digits.
    pub fn parse(text: &[u8]) -> Option<RegionCode> {
        let code: [u8; 6] = text.try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_digit)
            .then_some(RegionCode(code))
    }

    /// The six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RegionCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RegionCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RegionCode, D::Error> {
        let text = String::deserialize(deserializer)?;
        RegionCode::parse(text.as_bytes()).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no region code of six digits"))
        })
    }
}

/// A region by its place in the policy's list: what packed facts carry instead of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u16);

impl RegionId {
    /// The place in the policy's list.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
