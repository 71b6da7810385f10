//! The IPv6 header as the router stage sees it: the fixed header, and a hop-by-hop header when it comes first.
//!
//! Refused (corrupted): truncated, or the version is not 6. Other extension headers are beyond the depth
//! of the parser, so a protocol behind them is not seen; VRRP is looked for directly behind the fixed header.

use std::net::Ipv6Addr;

use super::be16;

const HOP_BY_HOP: u8 = 0;
const OPTION_PAD1: u8 = 0;
const OPTION_ROUTER_ALERT: u8 = 5;

/// An IPv6 header that is sound.
#[derive(Debug, Clone, Copy)]
pub struct Ipv6<'a> {
    header: &'a [u8; 40],
    hop_by_hop: &'a [u8],
    protocol: u8,
    payload: &'a [u8],
}

impl<'a> Ipv6<'a> {
    /// Reads the header at the start of `bytes`; `None` if it is corrupted (see the head of this file).
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<40>()?;
        if header[0] >> 4 != 6 {
            return None;
        }
        let mut packet = Self { header, hop_by_hop: &[], protocol: header[6], payload: rest };
        if let (HOP_BY_HOP, [next, len, ..]) = (header[6], rest) {
            let end = (usize::from(*len) + 1) * 8;
            if let Some(payload) = rest.get(end..) {
                packet.hop_by_hop = &rest[2..end];
                packet.protocol = *next;
                packet.payload = payload;
            }
        }
        Some(packet)
    }

    /// Source address.
    #[must_use]
    pub fn source(&self) -> Ipv6Addr {
        address_at(self.header, 8)
    }

    /// Destination address.
    #[must_use]
    pub fn destination(&self) -> Ipv6Addr {
        address_at(self.header, 24)
    }

    /// The next-header field of the fixed header.
    #[must_use]
    pub fn next_header(&self) -> u8 {
        self.header[6]
    }

    /// The protocol behind a hop-by-hop header, else the same as [`Ipv6::next_header`].
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Hop limit.
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.header[7]
    }

    /// Length of the packet in bytes, with the fixed header.
    #[must_use]
    pub fn total_len(&self) -> u32 {
        u32::from(u16::from_be_bytes([self.header[4], self.header[5]])) + 40
    }

    /// Does a leading hop-by-hop header carry the router-alert option?
    #[must_use]
    pub fn router_alert(&self) -> bool {
        let mut options = self.hop_by_hop;
        while let [kind, rest @ ..] = options {
            match (*kind, rest) {
                (OPTION_ROUTER_ALERT, _) => return true,
                (OPTION_PAD1, _) => options = rest,
                (_, [len, ..]) => {
                    options = options.get(usize::from(*len) + 2..).unwrap_or_default();
                }
                _ => return false,
            }
        }
        false
    }

    /// What follows the headers that were read.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Destination port of UDP or TCP.
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        be16(self.payload, 2)
    }
}

fn address_at(header: &[u8; 40], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[at..at + 16]);
    Ipv6Addr::from(octets)
}
