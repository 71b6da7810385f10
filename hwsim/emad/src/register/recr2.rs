//! RECR2: by which fields of a packet does a route with several next hops pick one?
//!
//! ```text
//!   outer_header_enables   which kinds of packet: IPv4 or IPv6, with TCP/UDP or not      bit n of the word
//!   outer_fields           which of their fields                                         bit n of 160, from the last byte on
//! ```
//!
//! An address has one bit for each of its bytes, but for the first eight of an IPv6 address, which share one.

use std::collections::BTreeSet;

use crate::bits::{bit, bits};
use crate::field::Array;
use crate::layout::register;

register! {
    /// Router ECMP Configuration register, version 2. The constants are numbers of bits in the sets.
    #[derive(Default)]
    pub struct Recr2 = (0x8025, 0x38, "recr2") {
        /// Holds for one port; the driver writes it for all.
        pp: bool = bit(0x00, 24),
        /// The hash is the same for both directions of a flow.
        sh: bool = bit(0x00, 8),
        /// Seed of the hash.
        seed: u32 = bits(0x08, 31, 0),
        /// Kinds of packet of which fields count: [`Recr2::IPV4`] and the like, 0..=31.
        outer_header_enables: BTreeSet<u8> = Array { offset: 0x10, len: 0x04 },
        /// Fields that count, 0..=159.
        outer_fields: BTreeSet<u8> = Array { offset: 0x14, len: 0x14 },
        /// As `outer_header_enables`, of the packet inside a tunnel.
        inner_header_enables: BTreeSet<u8> = Array { offset: 0x2c, len: 0x04 },
        /// Fields of that packet, 0..=63; numbered differently.
        inner_fields: BTreeSet<u8> = Array { offset: 0x30, len: 0x08 },
    }
}

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
