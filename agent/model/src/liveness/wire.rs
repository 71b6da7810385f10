//! What does a frame to the VRRP group say? Bytes in, an [`Advertisement`] out (RFC 9568 section 5; RFC 3768 for version 2).
//!
//! ```text
//!   Ethernet 14 │ IPv4 20.. (options) │ 0x21 0x31 │ VRID │ priority │ count │ …
//!               │ IPv6 40             │
//!                                       version 2: │ auth type │ interval, s │ checksum │ IPv4 addresses │ 8 octets of text
//!                                       version 3: │ 4 bits, interval in 1/100 s │ checksum │ addresses of the family
//! ```
//!
//! What a daemon would ignore is ignored here: another hop limit than 255 on the group, fragments, VRID 0, interval 0. A checksum
//! is never a reason: who is active does not depend on it here, and implementations differ about what it covers.
//!
//! No input leads to a panic.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::types::Family;
use crate::{Mac, Vrid};

/// 224.0.0.18 (RFC 9568 section 5.1.1.2).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// ff02::12 (RFC 9568 section 5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// The IP protocol.
pub const VRRP: u8 = 112;
/// IGMP version 2 reports the membership of a group to the group itself (RFC 2236 section 3).
const IGMP: u8 = 2;

const ETHERNET: usize = 14;
const HEADER: usize = 8;
/// CARP has a counter of 8 and a digest of 20 octets behind its header, and says 7 words where VRRP counts addresses.
const CARP: (u8, usize) = (7, 36);

/// What a checksum covers, by which sum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checksum {
    /// The VRRP message alone: version 2; RFC 9568 section 5.2.8 for version 3 over IPv4.
    Message,
    /// The message and a pseudo-header: version 3 over IPv6; keepalived and FRR over IPv4 as well.
    PseudoHeader,
    /// Neither. Nothing follows from it.
    Neither,
}

/// A VRRP advertisement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertisement {
    /// Ethernet source
    pub mac: Mac,
    /// IP source
    pub source: IpAddr,
    /// The one router that it was sent to, as in clouds; None: to a group.
    pub peer: Option<IpAddr>,
    /// By the IP version
    pub family: Family,
    /// 2 or 3
    pub version: u8,
    /// Virtual router
    pub vrid: Vrid,
    /// 0: it resigns; 255: it owns the addresses.
    pub priority: u8,
    /// Between two advertisements
    pub interval: Duration,
    /// Virtual addresses; their order does not matter.
    pub addresses: BTreeSet<IpAddr>,
    /// Which sum is right.
    pub checksum: Checksum,
}

/// What was found in a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// A VRRP advertisement.
    Advertisement(Advertisement),
    /// CARP of the BSDs or ucarp, which uses VRRP's protocol number and group.
    Carp,
    /// Something else was sent to 224.0.0.18, such as RFC 2338's authentication header.
    Foreign {
        /// IP protocol
        protocol: u8,
        /// IP source
        source: IpAddr,
    },
    /// Nothing that concerns VRRP.
    Nothing,
}

/// Why a frame to the VRRP group says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A length in it is more than there is.
    #[error("It ends in the {0}")]
    Short(&'static str),
    /// The header's own length is impossible.
    #[error("The IP header is wrong")]
    Header,
    /// A part of a packet.
    #[error("It is a fragment")]
    Fragment,
    /// A router has forwarded it, or nobody near has sent it.
    #[error("The hop limit is {0}, not 255")]
    HopLimit(u8),
    /// Neither 0x21 nor 0x31, or version 2 over IPv6.
    #[error("Version and type are {0:#04x}")]
    Version(u8),
    /// VRID 0 is reserved.
    #[error("The VRID is 0")]
    Vrid,
    /// Nobody advertises without a pause.
    #[error("The interval is 0")]
    Interval,
}

/// An IP packet, as far as it matters here.
struct Packet<'a> {
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    protocol: u8,
    payload: &'a [u8],
}

/// Reads a frame from its Ethernet header on, without a VLAN tag.
///
/// # Errors
/// It is for VRRP, and not as it should be.
pub fn parse(frame: &[u8]) -> Result<Found, Malformed> {
    let mac = Mac(octets(frame, 6).ok_or(Malformed::Short("Ethernet header"))?);
    let kind: [u8; 2] = octets(frame, 12).ok_or(Malformed::Short("Ethernet header"))?;
    let body = frame.get(ETHERNET..).unwrap_or_default();
    let packet = match u16::from_be_bytes(kind) {
        0x0800 => ipv4(body)?,
        0x86dd => ipv6(body)?,
        _ => return Ok(Found::Nothing),
    };
    if packet.protocol != VRRP {
        let told = packet.destination == GROUP_V4 && packet.protocol != IGMP;
        return Ok(if told {
            Found::Foreign { protocol: packet.protocol, source: packet.source }
        } else {
            Found::Nothing
        });
    }
    // To a single router, as in clouds, it may take more than a hop.
    if packet.destination.is_multicast() && packet.hop_limit != 255 {
        return Err(Malformed::HopLimit(packet.hop_limit));
    }
    message(mac, &packet)
}

fn ipv4(body: &[u8]) -> Result<Packet<'_>, Malformed> {
    const SHORT: Malformed = Malformed::Short("IPv4 header");
    let fixed: [u8; 20] = octets(body, 0).ok_or(SHORT)?;
    let header = usize::from(fixed[0] & 0xf) * 4;
    let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if fixed[0] >> 4 != 4 || header < 20 || total < header {
        return Err(Malformed::Header);
    }
    let address = |at: usize| {
        octets::<4>(body, at).map(|octets| IpAddr::from(Ipv4Addr::from(octets))).ok_or(SHORT)
    };
    let (source, destination) = (address(12)?, address(16)?);
    // more fragments, or not the first
    if u16::from_be_bytes([fixed[6], fixed[7]]) & 0x3fff != 0 {
        return Err(Malformed::Fragment);
    }
    let payload = body.get(header..total).ok_or(Malformed::Short("IPv4 packet"))?;
    Ok(Packet { source, destination, hop_limit: fixed[8], protocol: fixed[9], payload })
}

fn ipv6(body: &[u8]) -> Result<Packet<'_>, Malformed> {
    const SHORT: Malformed = Malformed::Short("IPv6 header");
    let fixed: [u8; 8] = octets(body, 0).ok_or(SHORT)?;
    if fixed[0] >> 4 != 6 {
        return Err(Malformed::Header);
    }
    let address = |at: usize| {
        octets::<16>(body, at).map(|octets| IpAddr::from(Ipv6Addr::from(octets))).ok_or(SHORT)
    };
    let (source, destination) = (address(8)?, address(24)?);
    let length = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let payload = body.get(40..).and_then(|rest| rest.get(..length));
    let payload = payload.ok_or(Malformed::Short("IPv6 packet"))?;
    Ok(Packet { source, destination, hop_limit: fixed[7], protocol: fixed[6], payload })
}

fn message(mac: Mac, packet: &Packet<'_>) -> Result<Found, Malformed> {
    const SHORT: Malformed = Malformed::Short("VRRP message");
    let payload = packet.payload;
    let header: [u8; HEADER] = octets(payload, 0).ok_or(SHORT)?;
    let [kind, vrid, priority, count, fourth, fifth, ..] = header;
    let family = Family::of(packet.source);
    let version = match (kind, family) {
        (0x21, _) if (count, payload.len()) == CARP => return Ok(Found::Carp),
        (0x21, Family::Ipv4) => 2,
        (0x31, _) => 3,
        _ => return Err(Malformed::Version(kind)),
    };
    let vrid = Vrid::try_from(vrid).map_err(|_| Malformed::Vrid)?;
    let interval = match version {
        2 => Duration::from_secs(u64::from(fifth)),
        _ => Duration::from_millis(u64::from(u16::from_be_bytes([fourth & 0xf, fifth])) * 10),
    };
    if interval.is_zero() {
        return Err(Malformed::Interval);
    }
    let addresses = addresses(payload, family, usize::from(count)).ok_or(SHORT)?;
    let checksum = checksum(packet, version, family);
    Ok(Found::Advertisement(Advertisement {
        mac,
        source: packet.source,
        peer: Some(packet.destination).filter(|ip| !ip.is_multicast()),
        family,
        version,
        vrid,
        priority,
        interval,
        addresses,
        checksum,
    }))
}

fn addresses(payload: &[u8], family: Family, count: usize) -> Option<BTreeSet<IpAddr>> {
    (0..count)
        .map(|at| match family {
            Family::Ipv4 => octets::<4>(payload, HEADER + at * 4).map(IpAddr::from),
            Family::Ipv6 => octets::<16>(payload, HEADER + at * 16).map(IpAddr::from),
        })
        .collect()
}

fn checksum(packet: &Packet<'_>, version: u8, family: Family) -> Checksum {
    let message = sum(packet.payload);
    let whole = message + pseudo_header(packet);
    // Sums that are right come to all ones.
    let right = |sum: u64| fold(sum) == 0xffff;
    match (version, family) {
        (2, _) | (_, Family::Ipv4) if right(message) => Checksum::Message,
        (3, _) if right(whole) => Checksum::PseudoHeader,
        _ => Checksum::Neither,
    }
}

fn pseudo_header(packet: &Packet<'_>) -> u64 {
    let address = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => sum(&ip.octets()),
        IpAddr::V6(ip) => sum(&ip.octets()),
    };
    let length = u64::try_from(packet.payload.len()).unwrap_or(0);
    address(packet.source) + address(packet.destination) + length + u64::from(VRRP)
}

/// The sum of 16-bit words; an odd octet counts as the upper one (RFC 1071).
fn sum(octets: &[u8]) -> u64 {
    let word = |pair: &[u8]| {
        let [upper, lower] = [pair.first(), pair.get(1)].map(|octet| octet.copied().unwrap_or(0));
        u64::from(u16::from_be_bytes([upper, lower]))
    };
    octets.chunks(2).map(word).sum()
}

const fn fold(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// `N` octets from `at` on, if they are there.
fn octets<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
