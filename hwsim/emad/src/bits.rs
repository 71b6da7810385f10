//! Where in a payload is a bit field, and how is it read and written?
//!
//! Data sheets and the driver name a field by the byte offset of a big-endian 32-bit word and the bits in it:
//! `0x04[31:30]`. [`bits`] is that name as a value.
//!
//! ```text
//!   offset     0x04      0x05      0x06      0x07
//!          ┌─────────┬─────────┬─────────┬─────────┐
//!     bit  │31 ... 24│23 ... 16│15 ... 08│07 ... 00│     bits(0x04, 15, 0) is the last two bytes
//!          └─────────┴─────────┴─────────┴─────────┘
//! ```
//!
//! Reading past the end of a payload gives zero and writing there does nothing, so that no field access can panic;
//! [`crate::Layout::decode`] refuses short payloads before any field is read.

/// Bits `high` down to `low` of the big-endian 32-bit word at byte `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// Byte offset of the word.
    pub offset: usize,
    /// Most significant bit of the field, 0..=31.
    pub high: u8,
    /// Least significant bit of the field, 0..=`high`.
    pub low: u8,
}

/// The field `offset[high:low]`.
///
/// # Panics
/// If `low > high` or `high > 31`; layouts are constants, so that this happens when the program is compiled.
#[must_use]
pub const fn bits(offset: usize, high: u8, low: u8) -> Bits {
    assert!(low <= high && high < 32);
    Bits { offset, high, low }
}

/// The single bit `offset[bit]`.
#[must_use]
pub const fn bit(offset: usize, bit: u8) -> Bits {
    bits(offset, bit, bit)
}

impl Bits {
    /// The largest value that the field holds.
    #[must_use]
    pub const fn max(self) -> u32 {
        u32::MAX >> (31 - (self.high - self.low))
    }

    /// The value of the field.
    #[must_use]
    pub fn get(self, payload: &[u8]) -> u32 {
        (u32::from_be_bytes(get_bytes(payload, self.offset)) >> self.low) & self.max()
    }

    /// Sets the field to the low bits of `value`; neighbouring fields stay as they are.
    pub fn put(self, payload: &mut [u8], value: u32) {
        let mask = self.max() << self.low;
        let word = u32::from_be_bytes(get_bytes(payload, self.offset));
        let word = (word & !mask) | ((value << self.low) & mask);
        put_bytes(payload, self.offset, word.to_be_bytes());
    }
}

/// `N` bytes at `offset`; zeros if the payload ends before that.
#[must_use]
pub fn get_bytes<const N: usize>(payload: &[u8], offset: usize) -> [u8; N] {
    payload.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

/// Writes `N` bytes at `offset`; nothing if the payload ends before that.
pub fn put_bytes<const N: usize>(payload: &mut [u8], offset: usize, bytes: [u8; N]) {
    if let Some(place) = payload.get_mut(offset..).and_then(|rest| rest.first_chunk_mut()) {
        *place = bytes;
    }
}

/// Where element `index` of an array of small elements lies: the driver counts such arrays from the **last** byte, low
/// bits first (`MLXSW_ITEM_BIT_ARRAY`), e.g. port 0 of a port bitmap is bit 0 of its last byte.
///
/// `offset` and `len` say where the array is, in bytes; `width` is the bits per element: 1, 2, 4 or 8. `None` if
/// the array has no such element.
#[must_use]
pub const fn element(offset: usize, len: usize, width: u8, index: usize) -> Option<Bits> {
    let per_byte = 8 / width as usize;
    let from_end = index / per_byte;
    if from_end >= len {
        return None;
    }
    let byte = offset + len - 1 - from_end;
    // As bits of the aligned word around that byte.
    let word = byte & !3;
    #[expect(clippy::cast_possible_truncation, reason = "both summands are below 32")]
    let low = ((3 - (byte - word)) * 8 + (index % per_byte) * width as usize) as u8;
    Some(bits(word, low + width - 1, low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Would break: every register, as bit 31 would no longer be the first bit on the wire.
    #[test]
    fn bits_count_from_the_right_of_a_big_endian_word() {
        let payload = [0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78];
        assert_eq!(bits(4, 31, 0).get(&payload), 0x1234_5678);
        assert_eq!(bits(4, 31, 28).get(&payload), 1);
        assert_eq!(bits(4, 15, 0).get(&payload), 0x5678);
        assert_eq!(bit(4, 3).get(&payload), 1);
        assert_eq!(bit(4, 2).get(&payload), 0);
    }

    // Would break: a field beyond the payload panics instead of reading as zero.
    #[test]
    fn outside_the_payload_nothing_happens() {
        let mut payload = [0xff; 6];
        assert_eq!(bits(4, 31, 0).get(&payload), 0);
        bits(4, 31, 0).put(&mut payload, 0);
        bits(usize::MAX, 31, 0).put(&mut payload, 0);
        assert_eq!(payload, [0xff; 6]);
    }

    // Would break: port bitmaps and spanning-tree states would name other ports and VLANs than the driver's.
    #[test]
    fn elements_count_from_the_last_byte() {
        assert_eq!(element(0x20, 0x80, 1, 0), Some(bit(0x9c, 0)));
        assert_eq!(element(0x20, 0x80, 1, 9), Some(bit(0x9c, 9)));
        assert_eq!(element(0x20, 0x80, 1, 1023), Some(bit(0x20, 31)));
        assert_eq!(element(0x20, 0x80, 1, 1024), None);
        assert_eq!(element(0x04, 0x400, 2, 1), Some(bits(0x400, 3, 2)));
        assert_eq!(element(0x04, 0x400, 2, 4095), Some(bits(0x04, 31, 30)));
    }

    proptest! {
        // Would break: a value that is too large, or the write of any field, spoils its neighbours.
        #[test]
        fn a_write_changes_its_own_bits_only(
            before in any::<[u8; 12]>(), value in any::<u32>(), word in 0usize..3, a in 0u8..32, b in 0u8..32,
        ) {
            let field = bits(word * 4, a.max(b), a.min(b));
            let mut after = before;
            field.put(&mut after, value);
            prop_assert_eq!(field.get(&after), value & field.max());
            field.put(&mut after, field.get(&before));
            prop_assert_eq!(after, before);
        }
    }
}
