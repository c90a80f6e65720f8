//! Packed facts one after the other in segments that never move, each with the address of the one
//! before it in the same book.

use memmap2::MmapMut;

use super::packed::{ItemId, Packed};

/// A segment holds any record: the greatest is a little over 1 MiB. Its memory is taken from the
/// system as it is used.
const SEGMENT_BYTES: usize = 64 << 20;
/// Facts begin at multiples of this, so that 32 bits address 16 GiB.
const ALIGN: usize = 4;
/// Bytes before a packed fact: the address of the one before it in its book.
const LINK: usize = 4;

/// Where a fact is; zero is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address(u32);

impl Address {
    /// The end of a chain.
    pub const NONE: Address = Address(0);

    /// Whether it is the end of a chain.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// All facts of one worker, in the order in which they came.
#[derive(Debug, Default)]
pub struct FactLog {
    segments: Vec<MmapMut>,
    /// Bytes used of the last segment.
    used: usize,
}

impl FactLog {
    /// Appends a fact behind `before` and returns its address.
    ///
    /// # Panics
    /// Past 16 GiB of facts in one worker.
    #[inline]
    pub fn append(&mut self, before: Address, packed: Packed<'_>, item: ItemId) -> Address {
        let length = packed.bytes().len();
        let needed = LINK + length;
        if self.segments.is_empty() || self.used + needed > SEGMENT_BYTES {
            // The first word of all is left free: address zero is nowhere.
            self.used = if self.segments.is_empty() { ALIGN } else { 0 };
            self.segments.push(segment());
        }
        let at = self.used;
        let segment = self.segments.len() - 1;
        let bytes = &mut self.segments[segment][at..at + needed];
        bytes[..LINK].copy_from_slice(&before.0.to_le_bytes());
        packed.with_item(item, &mut bytes[LINK..]);
        self.used = (at + needed).next_multiple_of(ALIGN).min(SEGMENT_BYTES);
        let words = segment * (SEGMENT_BYTES / ALIGN) + at / ALIGN;
        Address(u32::try_from(words).expect("a worker holds at most 16 GiB of facts"))
    }

    /// The address before a fact in its book.
    #[inline]
    pub fn before(&self, address: Address) -> Address {
        let bytes = self.bytes_from(address);
        Address(u32::from_le_bytes(
            bytes[..LINK].try_into().expect("four bytes"),
        ))
    }

    /// The fact at an address. Its bytes may run on into the next fact: the length of a packed fact
    /// follows from what is in it.
    #[inline]
    pub fn get(&self, address: Address) -> Packed<'_> {
        Packed::new(&self.bytes_from(address)[LINK..])
    }

    /// Puts another chain behind a fact.
    pub fn relink(&mut self, address: Address, before: Address) {
        self.bytes_from_mut(address)[..LINK].copy_from_slice(&before.0.to_le_bytes());
    }

    /// Marks a fact as counted.
    pub fn set_counted(&mut self, address: Address) {
        Packed::set_counted(&mut self.bytes_from_mut(address)[LINK..]);
    }

    #[inline]
    fn bytes_from(&self, address: Address) -> &[u8] {
        let (segment, at) = split(address);
        &self.segments[segment][at..]
    }

    fn bytes_from_mut(&mut self, address: Address) -> &mut [u8] {
        let (segment, at) = split(address);
        &mut self.segments[segment][at..]
    }
}

fn segment() -> MmapMut {
    let segment = MmapMut::map_anon(SEGMENT_BYTES).expect("the system gives address space");
    // Large pages: a first touch is then dear once in 2 MiB and not in 4 KiB. A system without
    // them goes on with small ones.
    #[cfg(target_os = "linux")]
    let _ = segment.advise(memmap2::Advice::HugePage);
    segment
}

#[inline]
fn split(address: Address) -> (usize, usize) {
    let words = address.0 as usize;
    let per_segment = SEGMENT_BYTES / ALIGN;
    (words / per_segment, words % per_segment * ALIGN)
}
