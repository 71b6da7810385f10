//! RECR2: by which fields of a packet does a route with several next hops pick one?
//!
//! ```text
//!   outer_header_enables   which kinds of packet: IPv4 or IPv6, with TCP/UDP or not      bit n of the word
//!   outer_fields           which of their fields                                         bit n of 160, from the last byte on
//! ```
//!
//! An address has one bit for each of its bytes, but for the first eight of an IPv6 address, which share one.

use std::collections::BTreeSet;

use crate::bits::{Bits, bit, bits, element};
use crate::field::{read, write};
use crate::layout::{DecodeError, Layout};

/// Router ECMP Configuration register, version 2. The constants are numbers of bits in the sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recr2 {
    /// Holds for one port; the driver writes it for all.
    pub pp: bool,
    /// The hash is the same for both directions of a flow.
    pub sh: bool,
    /// Seed of the hash.
    pub seed: u32,
    /// Kinds of packet of which fields count: [`Recr2::IPV4`] and the like, 0..=31.
    pub outer_header_enables: BTreeSet<u8>,
    /// Fields that count, 0..=159.
    pub outer_fields: BTreeSet<u8>,
    /// As `outer_header_enables`, of the packet inside a tunnel.
    pub inner_header_enables: BTreeSet<u8>,
    /// Fields of that packet, 0..=63; numbered differently.
    pub inner_fields: BTreeSet<u8>,
}

const PP: Bits = bit(0x00, 24);
const SH: Bits = bit(0x00, 8);
const SEED: Bits = bits(0x08, 31, 0);
/// Offset and length of the sets.
const OUTER_HEADERS: (usize, usize) = (0x10, 0x04);
const OUTER_FIELDS: (usize, usize) = (0x14, 0x14);
const INNER_HEADERS: (usize, usize) = (0x2c, 0x04);
const INNER_FIELDS: (usize, usize) = (0x30, 0x08);

impl Recr2 {
    /// IPv4 fields of packets that are neither TCP nor UDP.
    pub const IPV4: u8 = 3;
    /// IPv4 fields of TCP and UDP packets.
    pub const IPV4_TCP_UDP: u8 = 4;
    /// IPv6 fields of packets that are neither TCP nor UDP.
    pub const IPV6: u8 = 5;
    /// IPv6 fields of TCP and UDP packets.
    pub const IPV6_TCP_UDP: u8 = 6;
    /// Ports of TCP and UDP over IPv4.
    pub const PORTS_IPV4: u8 = 7;
    /// Ports of TCP and UDP over IPv6.
    pub const PORTS_IPV6: u8 = 8;

    /// First of the four bytes of an IPv4 source.
    pub const IPV4_SIP: u8 = 9;
    /// First of the four bytes of an IPv4 destination.
    pub const IPV4_DIP: u8 = 13;
    /// IPv4 protocol.
    pub const IPV4_PROTOCOL: u8 = 17;
    /// The first eight bytes of an IPv6 source.
    pub const IPV6_SIP0_7: u8 = 21;
    /// The ninth byte of an IPv6 source; seven more follow.
    pub const IPV6_SIP8: u8 = 29;
    /// The first eight bytes of an IPv6 destination.
    pub const IPV6_DIP0_7: u8 = 37;
    /// The ninth byte of an IPv6 destination; seven more follow.
    pub const IPV6_DIP8: u8 = 45;
    /// IPv6 next header.
    pub const IPV6_NEXT_HEADER: u8 = 53;
    /// IPv6 flow label.
    pub const IPV6_FLOW_LABEL: u8 = 57;
    /// Source port of TCP or UDP.
    pub const SPORT: u8 = 74;
    /// Destination port of TCP or UDP.
    pub const DPORT: u8 = 75;
}

impl Layout for Recr2 {
    const ID: u16 = 0x8025;
    const LEN: usize = 0x38;
    const NAME: &'static str = "recr2";

    fn write(&self, payload: &mut [u8]) {
        write(&self.pp, payload, PP);
        write(&self.sh, payload, SH);
        write(&self.seed, payload, SEED);
        put(&self.outer_header_enables, payload, OUTER_HEADERS);
        put(&self.outer_fields, payload, OUTER_FIELDS);
        put(&self.inner_header_enables, payload, INNER_HEADERS);
        put(&self.inner_fields, payload, INNER_FIELDS);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            pp: read(payload, PP),
            sh: read(payload, SH),
            seed: read(payload, SEED),
            outer_header_enables: get(payload, OUTER_HEADERS),
            outer_fields: get(payload, OUTER_FIELDS),
            inner_header_enables: get(payload, INNER_HEADERS),
            inner_fields: get(payload, INNER_FIELDS),
        })
    }
}

fn put(set: &BTreeSet<u8>, payload: &mut [u8], (offset, len): (usize, usize)) {
    for index in set {
        if let Some(place) = element(offset, len, 1, usize::from(*index)) {
            place.put(payload, 1);
        }
    }
}

fn get(payload: &[u8], (offset, len): (usize, usize)) -> BTreeSet<u8> {
    let is_set = |index: &u8| {
        element(offset, len, 1, usize::from(*index)).is_some_and(|place| place.get(payload) == 1)
    };
    (0..=u8::MAX).filter(is_set).collect()
}
