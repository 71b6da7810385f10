//! The hashes by which a LAG picks a member and a route with several next hops picks one.
//!
//! Fields that count are put one behind the other, and a CRC-32 (that of Ethernet) is taken, which starts at the seed, or the
//! exclusive or of their bytes.

/// Protocols that have ports.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// Room for all fields: port, two MACs, type, VLAN, two addresses, protocol, flow label, two ports.
const ROOM: usize = 2 + 6 + 6 + 2 + 2 + 16 + 16 + 1 + 3 + 2 + 2;

/// The bytes that count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    bytes: [u8; ROOM],
    len: usize,
}

impl Key {
    /// None.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; ROOM], len: 0 }
    }

    /// Appends these if they count.
    pub(super) fn put(&mut self, wanted: bool, bytes: &[u8]) {
        if wanted && let Some(place) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    /// Appends those bytes that count, of which `wanted` has a bit each, the lowest for the first.
    pub(super) fn put_some(&mut self, wanted: u8, bytes: &[u8]) {
        if u32::from(wanted).count_ones() as usize == bytes.len() {
            return self.put(true, bytes);
        }
        for (place, byte) in bytes.iter().enumerate() {
            self.put(wanted >> place & 1 == 1, &[*byte]);
        }
    }

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The exclusive or of all bytes, those of the seed among them: every bit of every byte counts in any remainder.
pub(super) fn folded(bytes: &[u8], seed: u32) -> u32 {
    let sum = |start: u8, bytes: &[u8]| bytes.iter().fold(start, |sum, byte| sum ^ byte);
    sum(sum(0, &seed.to_be_bytes()), bytes).into()
}

/// CRC-32 of IEEE 802.3, whose register starts at the inverse of `seed`.
pub(super) fn crc32(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let crc = words.iter().fold(!seed, |crc, word| {
        let [a, b, c, d] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes().map(usize::from);
        CRC_TABLES[3][a] ^ CRC_TABLES[2][b] ^ CRC_TABLES[1][c] ^ CRC_TABLES[0][d]
    });
    !rest.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ CRC_TABLES[0][usize::from(low ^ byte)]
    })
}

/// What a byte does to the register, and what it does with one, two and three more bytes behind it.
static CRC_TABLES: [[u32; 256]; 4] = {
    let mut tables = [[0; 256]; 4];
    let mut index = 0;
    let mut value = 0_u32;
    while index < 256 {
        let mut crc = value;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][index] = crc;
        index += 1;
        value += 1;
    }
    let mut behind = 1;
    while behind < 4 {
        let mut index = 0;
        while index < 256 {
            let crc: u32 = tables[behind - 1][index];
            tables[behind][index] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            index += 1;
        }
        behind += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::{crc32, folded};

    // Would break: the hash is no CRC, and neighbouring flows all take one member.
    #[test]
    fn the_crc_is_that_of_ethernet() {
        assert_eq!(crc32(b"123456789", 0), 0xcbf4_3926);
        assert_ne!(crc32(b"123456789", 1), 0xcbf4_3926, "the seed counts");
        assert_eq!(folded(&[1, 2, 4], 0x0800_0000), 15);
    }
}
