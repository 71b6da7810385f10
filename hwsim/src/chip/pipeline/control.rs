//! Which trap class does a packet belong to? Pure functions from headers to trap ids.
//!
//! The stimuli of the selftest devlink_trap_control.sh are the public specification of the classes; what it
//! leaves open (docs/fidelity.md) is decided here.

use std::net::{Ipv4Addr, Ipv6Addr};

use emad::Mac;

use crate::chip::traps::id;
use crate::packet::{Frame, Ipv4, Ipv6, L3};

const ICMPV6: u8 = 58;
const IGMP: u8 = 2;
const OSPF: u8 = 89;
const PIM: u8 = 103;
const TCP: u8 = 6;
const UDP: u8 = 17;
const VRRP: u8 = 112;

const ETHERTYPE_SLOW: u16 = 0x8809;
const ETHERTYPE_LLDP: u16 = 0x88cc;
const ETHERTYPE_EAPOL: u16 = 0x888e;

/// Link-local control frames, by destination and EtherType; trapped before anything else is asked.
pub(super) fn link_local(frame: &Frame<'_>) -> Option<u16> {
    let Mac([0x01, 0x80, 0xc2, 0x00, 0x00, last]) = frame.dmac() else { return None };
    match (last, frame.ethertype()) {
        (0x00 | 0x03 | 0x0e, ETHERTYPE_LLDP) => Some(id::LLDP),
        (0x02, ETHERTYPE_SLOW) => Some(id::LACP),
        (0x03, ETHERTYPE_EAPOL) => Some(id::EAPOL),
        (0x00, _) => Some(id::STP),
        _ => None,
    }
}

/// Group membership messages, by type alone: the selftest's reports do not go to a group address.
pub(super) fn snooping(l3: &L3<'_>) -> Option<u16> {
    match l3 {
        L3::Ipv4(ip) if ip.protocol() == IGMP && !ip.is_later_fragment() => {
            match ip.payload().first()? {
                0x11 => Some(id::IGMP_QUERY),
                0x12 => Some(id::IGMP_V1_REPORT),
                0x16 => Some(id::IGMP_V2_REPORT),
                0x17 => Some(id::IGMP_V2_LEAVE),
                0x22 => Some(id::IGMP_V3_REPORT),
                _ => None,
            }
        }
        L3::Ipv6(ip) if ip.protocol() == ICMPV6 => match ip.payload().first()? {
            130 => Some(id::MLD_QUERY),
            131 => Some(id::MLD_V1_REPORT),
            132 => Some(id::MLD_V1_DONE),
            143 => Some(id::MLD_V2_REPORT),
            _ => None,
        },
        _ => None,
    }
}

/// Classes of a packet in the router that do not depend on its route. VRRP is an L3 key alone: whatever the
/// TTL, the DSCP, the header length or the MAC (RFC 5798 5.1 leaves the judgement to the receiver).
pub(super) fn ipv4(ip: &Ipv4<'_>, mut class: impl FnMut(u16)) {
    match (ip.destination().octets(), ip.protocol()) {
        ([224, 0, 0, 18], VRRP) => class(id::IPV4_VRRP),
        ([224, 0, 0, 5 | 6], OSPF) => class(id::IPV4_OSPF),
        ([224, 0, 0, 13], PIM) => class(id::IPV4_PIM),
        _ => {}
    }
    if ip.protocol() == UDP && matches!(ip.destination_port(), Some(67 | 68)) {
        class(id::IPV4_DHCP);
    }
    if ip.router_alert() {
        class(id::IPV4_ROUTER_ALERT);
    }
}

/// The same for IPv6. VRRP is looked for directly behind the fixed header.
pub(super) fn ipv6(ip: &Ipv6<'_>, mut class: impl FnMut(u16)) {
    match (ip.destination().segments(), ip.protocol()) {
        ([0xff02, 0, 0, 0, 0, 0, 0, 0x12], _) if ip.next_header() == VRRP => class(id::IPV6_VRRP),
        ([0xff02, 0, 0, 0, 0, 0, 0, 5 | 6], OSPF) => class(id::IPV6_OSPF),
        ([0xff02, 0, 0, 0, 0, 0, 0, 0xd], PIM) => class(id::IPV6_PIM),
        _ => {}
    }
    if ip.protocol() == UDP && matches!(ip.destination_port(), Some(546 | 547)) {
        class(id::IPV6_DHCP);
    }
    if ip.protocol() == ICMPV6 {
        match ip.payload().first() {
            Some(133) => class(id::IPV6_ROUTER_SOLICIT),
            Some(134) => class(id::IPV6_ROUTER_ADVERT),
            Some(135) => class(id::IPV6_NEIGH_SOLICIT),
            Some(136) => class(id::IPV6_NEIGH_ADVERT),
            Some(137) => class(id::IPV6_REDIRECT),
            _ => {}
        }
    }
    if ip.router_alert() {
        class(id::IPV6_ROUTER_ALERT);
    }
    match ip.destination().segments() {
        [0xff02, 0, 0, 0, 0, 0, 0, 1] => class(id::IPV6_ALL_NODES),
        [0xff02, 0, 0, 0, 0, 0, 0, 2] => class(id::IPV6_ALL_ROUTERS),
        _ => {}
    }
    if ip.destination().segments()[0] & 0xff0f == 0xff02 {
        class(id::IPV6_MC_LINK_LOCAL_DIP);
    }
}

/// Classes of a packet to an own address, besides `local_route`.
pub(super) fn own_address(l3: &L3<'_>) -> Option<u16> {
    let (protocol, port, v4) = match l3 {
        L3::Ipv4(ip) => (ip.protocol(), ip.destination_port(), true),
        L3::Ipv6(ip) => (ip.protocol(), ip.destination_port(), false),
        _ => return None,
    };
    let (ipv4, ipv6) = match (protocol, port) {
        (UDP, Some(3784 | 3785)) => (id::IPV4_BFD, id::IPV6_BFD),
        (TCP, Some(179)) => (id::IPV4_BGP, id::IPV6_BGP),
        (OSPF, _) => (id::IPV4_OSPF, id::IPV6_OSPF),
        (PIM, _) => (id::IPV4_PIM, id::IPV6_PIM),
        _ => return None,
    };
    Some(if v4 { ipv4 } else { ipv6 })
}

/// The checks of an IPv4 packet in the router, in order: the trap ids of those that it fails.
pub(super) fn ipv4_checks(ip: &Ipv4<'_>, dmac: Mac, mut fails: impl FnMut(u16)) {
    let (sip, dip) = (ip.source(), ip.destination());
    let mapped = |dip: Ipv4Addr| {
        let [_, b, c, d] = dip.octets();
        Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    };
    // a broadcast MAC is judged after the route: the packet may be for an own broadcast address
    if !dip.is_multicast() && dmac.is_multicast() && dmac != crate::packet::BROADCAST {
        fails(id::UC_DIP_OVER_MC_DMAC);
    }
    if dip.is_loopback() {
        fails(id::DIP_LOOPBACK);
    }
    if sip.is_multicast() {
        fails(id::SIP_MULTICAST);
    }
    if sip.octets()[0] >= 240 && !sip.is_broadcast() {
        fails(id::SIP_CLASS_E);
    }
    if sip.is_loopback() {
        fails(id::SIP_LOOPBACK);
    }
    if dip.is_multicast() && dmac != mapped(dip) {
        fails(id::MC_DMAC_MISMATCH);
    }
    if sip == dip {
        fails(id::SIP_EQUALS_DIP);
    }
    if sip.is_broadcast() {
        fails(id::IPV4_SIP_LIMITED_BC);
    }
    if dip.is_link_local() {
        fails(id::IPV4_DIP_LINK_LOCAL);
    }
    if sip.is_link_local() {
        fails(id::IPV4_SIP_LINK_LOCAL);
    }
}

/// The checks of an IPv6 packet in the router.
pub(super) fn ipv6_checks(ip: &Ipv6<'_>, dmac: Mac, mut fails: impl FnMut(u16)) {
    let (sip, dip) = (ip.source(), ip.destination());
    let mapped = |dip: Ipv6Addr| {
        let octets = dip.octets();
        Mac([0x33, 0x33, octets[12], octets[13], octets[14], octets[15]])
    };
    if !dip.is_multicast() && dmac.is_multicast() {
        fails(id::UC_DIP_OVER_MC_DMAC);
    }
    if dip.is_loopback() {
        fails(id::DIP_LOOPBACK);
    }
    if sip.is_multicast() {
        fails(id::SIP_MULTICAST);
    }
    if sip.is_loopback() {
        fails(id::SIP_LOOPBACK);
    }
    if dip.is_multicast() && dmac != mapped(dip) {
        fails(id::MC_DMAC_MISMATCH);
    }
    if sip == dip {
        fails(id::SIP_EQUALS_DIP);
    }
    match dip.segments()[0] & 0xff0f {
        0xff00 => fails(id::IPV6_MC_RESERVED_SCOPE),
        0xff01 => fails(id::IPV6_MC_INTERFACE_LOCAL),
        _ => {}
    }
}
