//! What is in this frame? Borrowing views of the headers a switch chip looks at.
//!
//! In: the bytes of an Ethernet frame without FCS, an 802.1Q tag in band. Out: [`Frame`] and, on request,
//! its network header as [`L3`]. Nothing is copied and nothing is checked beyond what a field needs:
//! judging a packet is the pipeline's business.
//!
//! ```text
//!  0        6        12              (16)
//!  | DMAC   | SMAC   | [8100 tci]    | type | payload …
//! ```

pub mod ipv4;
pub mod ipv6;
pub mod rewrite;

#[cfg(test)]
mod tests;

use emad::Mac;
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;

/// EtherType of an 802.1Q tag. A service tag (0x88a8) is not interpreted: it is payload.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// An Ethernet frame whose header is complete.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    addresses: &'a [u8; 12],
    vid: Option<u16>,
    ethertype: u16,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the Ethernet header and at most one 802.1Q tag; `None` if the frame ends within them.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (addresses, rest) = bytes.split_first_chunk()?;
        let outer = be16(rest, 0)?;
        if outer != ETHERTYPE_VLAN {
            let payload = &rest[2..];
            return Some(Self { bytes, addresses, vid: None, ethertype: outer, payload });
        }
        let vid = Some(be16(rest, 2)? & 0x0fff);
        let ethertype = be16(rest, 4)?;
        Some(Self { bytes, addresses, vid, ethertype, payload: &rest[6..] })
    }

    /// The whole frame.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Destination address.
    #[must_use]
    pub fn dmac(&self) -> Mac {
        Mac(*self.addresses.first_chunk().expect("12 bytes"))
    }

    /// Source address.
    #[must_use]
    pub fn smac(&self) -> Mac {
        Mac(*self.addresses.last_chunk().expect("12 bytes"))
    }

    /// The VLAN id of the tag, 0..=4095; 0 is a priority tag. `None` without a tag.
    #[must_use]
    pub fn vid(&self) -> Option<u16> {
        self.vid
    }

    /// The EtherType behind the tag; below 0x0600 it is an 802.3 length.
    #[must_use]
    pub fn ethertype(&self) -> u16 {
        self.ethertype
    }

    /// What follows the EtherType.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The network header.
    #[must_use]
    pub fn l3(&self) -> L3<'a> {
        match self.ethertype {
            ETHERTYPE_IPV4 => Ipv4::parse(self.payload()).map_or(L3::CorruptIpv4, L3::Ipv4),
            ETHERTYPE_IPV6 => Ipv6::parse(self.payload()).map_or(L3::CorruptIpv6, L3::Ipv6),
            ETHERTYPE_ARP => L3::Arp,
            _ => L3::Other,
        }
    }
}

/// The network header of a frame.
#[derive(Debug, Clone, Copy)]
pub enum L3<'a> {
    /// An IPv4 header that passes [`Ipv4::parse`].
    Ipv4(Ipv4<'a>),
    /// The EtherType says IPv4, the header cannot be trusted.
    CorruptIpv4,
    /// An IPv6 header that passes [`Ipv6::parse`].
    Ipv6(Ipv6<'a>),
    /// The EtherType says IPv6, the header cannot be trusted.
    CorruptIpv6,
    /// ARP.
    Arp,
    /// Anything else.
    Other,
}

/// ff:ff:ff:ff:ff:ff.
pub const BROADCAST: Mac = Mac([0xff; 6]);

/// The 16-bit big-endian number at `at`, `None` beyond the end.
fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}
