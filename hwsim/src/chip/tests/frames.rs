//! Frames for the tests, made by etherparse where it can.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use emad::Mac;
use etherparse::{IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header};

pub(super) const HOST: Mac = Mac([0x02, 0xaa, 0, 0, 0, 1]);
pub(super) const BROADCAST: Mac = Mac([0xff; 6]);

/// A frame with any payload.
pub(super) fn ethernet(dmac: Mac, smac: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [dmac.octets(), smac.octets()].concat();
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The same frame with a tag.
pub(super) fn tagged(frame: &[u8], vid: u16) -> Vec<u8> {
    let tag = [[0x81, 0x00], vid.to_be_bytes()].concat();
    [&frame[..12], &tag, &frame[12..]].concat()
}

/// An IP packet of any protocol.
pub(super) fn ip_packet(
    sip: IpAddr,
    dip: IpAddr,
    protocol: u8,
    ttl: u8,
    payload: &[u8],
) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    let mut bytes = match (sip, dip) {
        (IpAddr::V4(sip), IpAddr::V4(dip)) => {
            let header =
                Ipv4Header::new(len, ttl, IpNumber(protocol), sip.octets(), dip.octets()).unwrap();
            let checksum = header.calc_header_checksum();
            Ipv4Header { header_checksum: checksum, ..header }.to_bytes().to_vec()
        }
        (IpAddr::V6(sip), IpAddr::V6(dip)) => Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: len,
            next_header: IpNumber(protocol),
            hop_limit: ttl,
            source: sip.octets(),
            destination: dip.octets(),
        }
        .to_bytes()
        .to_vec(),
        _ => panic!("two families"),
    };
    bytes.extend(payload);
    bytes
}

/// An IP packet in a frame from [`HOST`].
pub(super) fn ip(dmac: Mac, sip: &str, dip: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip_ttl(dmac, sip, dip, protocol, 64, payload)
}

/// The same with another time to live.
pub(super) fn ip_ttl(
    dmac: Mac,
    sip: &str,
    dip: &str,
    protocol: u8,
    ttl: u8,
    payload: &[u8],
) -> Vec<u8> {
    let dip: IpAddr = dip.parse().unwrap();
    let packet = ip_packet(sip.parse().unwrap(), dip, protocol, ttl, payload);
    ethernet(dmac, HOST, if dip.is_ipv4() { 0x0800 } else { 0x86dd }, &packet)
}

/// UDP to a port, from port 4000.
pub(super) fn udp(dmac: Mac, sip: &str, dip: &str, port: u16) -> Vec<u8> {
    let mut payload = 4000_u16.to_be_bytes().to_vec();
    payload.extend(port.to_be_bytes());
    payload.extend([0, 8, 0, 0]);
    ip(dmac, sip, dip, 17, &payload)
}

/// TCP to a port.
pub(super) fn tcp(dmac: Mac, sip: &str, dip: &str, port: u16) -> Vec<u8> {
    let mut payload = 4000_u16.to_be_bytes().to_vec();
    payload.extend(port.to_be_bytes());
    payload.extend([0; 16]);
    ip(dmac, sip, dip, 6, &payload)
}

/// ARP: opcode 1 asks, 2 answers.
pub(super) fn arp(dmac: Mac, opcode: u8) -> Vec<u8> {
    ethernet(dmac, HOST, 0x0806, &[&[0, 1, 8, 0, 6, 4, 0, opcode][..], &[0; 20]].concat())
}

/// The Ethernet address of a group.
pub(super) fn group_mac(group: &str) -> Mac {
    match group.parse().unwrap() {
        IpAddr::V4(ip) => v4_group(ip),
        IpAddr::V6(ip) => v6_group(ip),
    }
}

fn v4_group(ip: Ipv4Addr) -> Mac {
    let [_, b, c, d] = ip.octets();
    Mac([1, 0, 0x5e, b & 0x7f, c, d])
}

fn v6_group(ip: Ipv6Addr) -> Mac {
    let octets = ip.octets();
    Mac([0x33, 0x33, octets[12], octets[13], octets[14], octets[15]])
}

/// A packet to a group, with its MAC.
pub(super) fn to_group(sip: &str, group: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip(group_mac(group), sip, group, protocol, payload)
}

/// A VRRP advertisement.
pub(super) fn vrrp(sip: &str, group: &str) -> Vec<u8> {
    to_group(sip, group, 112, &[0x31, 1, 100, 1, 0, 100, 0, 0])
}
