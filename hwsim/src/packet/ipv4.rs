//! The IPv4 header as the router stage sees it.
//!
//! A header is refused (the chip calls it corrupted) when it is truncated, its version is not 4, its
//! header length is below 20 bytes or beyond the total length, or its checksum is wrong: the checks that
//! the selftest devlink_trap_l3_drops.sh feeds. A total length beyond the frame is not refused.

use std::net::Ipv4Addr;

use super::be16;

/// An IPv4 header that is sound.
#[derive(Debug, Clone, Copy)]
pub struct Ipv4<'a> {
    header: &'a [u8; 20],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Reads the header at the start of `bytes`; `None` if it is corrupted (see the head of this file).
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<20>()?;
        let header_len = usize::from(header[0] & 0x0f) * 4;
        if header[0] >> 4 != 4 || header_len < 20 {
            return None;
        }
        let (options, rest) = rest.split_at_checked(header_len - 20)?;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if total < header_len || folded(sum(header) + sum(options)) != 0 {
            return None;
        }
        let payload = &rest[..rest.len().min(total - header_len)];
        Some(Self { header, options, payload })
    }

    /// Source address.
    #[must_use]
    pub fn source(&self) -> Ipv4Addr {
        Ipv4Addr::from([self.header[12], self.header[13], self.header[14], self.header[15]])
    }

    /// Destination address.
    #[must_use]
    pub fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from([self.header[16], self.header[17], self.header[18], self.header[19]])
    }

    /// Protocol number of the payload.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.header[9]
    }

    /// Time to live.
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.header[8]
    }

    /// Total length in bytes, as the header says.
    #[must_use]
    pub fn total_len(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// Is this a fragment other than the first? It has no transport header.
    #[must_use]
    pub fn is_later_fragment(&self) -> bool {
        u16::from_be_bytes([self.header[6], self.header[7]]) & 0x1fff != 0
    }

    /// Does the header carry the router-alert option (0x94)?
    #[must_use]
    pub fn router_alert(&self) -> bool {
        let mut options = self.options;
        while let [kind, rest @ ..] = options {
            match (kind, rest) {
                (0x94, _) => return true,
                (0, _) => return false,
                (1, _) => options = rest,
                (_, [len, ..]) if *len >= 2 => {
                    options = options.get(usize::from(*len)..).unwrap_or_default();
                }
                _ => return false,
            }
        }
        false
    }

    /// What follows the header, at most as much as the total length says.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Destination port of UDP or TCP; `None` in later fragments.
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        if self.is_later_fragment() {
            return None;
        }
        be16(self.payload, 2)
    }
}

/// The Internet checksum (RFC 1071) over `bytes`; 0 over a header with a right checksum.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    folded(sum(bytes))
}

/// Adds up words of 32 bits: each is two of 16, and where they are added does not count.
#[inline]
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let words = words.iter().map(|word| u64::from(u32::from_be_bytes(*word)));
    let rest = rest.iter().zip([24, 16, 8]).map(|(byte, shift)| u64::from(*byte) << shift);
    words.sum::<u64>() + rest.sum::<u64>()
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}
