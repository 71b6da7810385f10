//! Frames from the wire: as little as the router needs to tell them apart.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SENDER: [u8; 6] = [2, 0xbb, 0, 0, 0, 1];
const UDP: u8 = 17;
const VRRP: u8 = 112;

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("tests name addresses")
}

/// The same frame in a VLAN.
pub(crate) fn tagged(frame: &[u8], tag: Option<u16>) -> Vec<u8> {
    let Some(vid) = tag else { return frame.to_vec() };
    let (addresses, rest) = frame.split_at(12);
    [addresses, &[0x81, 0x00], &vid.to_be_bytes(), rest].concat()
}

/// A UDP packet of a stranger on the link.
pub(crate) fn udp(to: [u8; 6], destination: IpAddr) -> Vec<u8> {
    let payload = [0x30, 0x39, 0x30, 0x3a, 0, 12, 0, 0, 1, 2, 3, 4];
    match destination {
        IpAddr::V4(ip) => ipv4(to, ip, UDP, 64, &payload),
        IpAddr::V6(ip) => ipv6(to, ip, UDP, 64, &payload),
    }
}

/// An advertisement of VRID 5 to 224.0.0.18.
pub(crate) fn vrrp_v4() -> Vec<u8> {
    let advertisement = [0x31, 5, 100, 1, 0, 100, 0, 0, 10, 0, 1, 1];
    ipv4([1, 0, 0x5e, 0, 0, 0x12], Ipv4Addr::new(224, 0, 0, 18), VRRP, 255, &advertisement)
}

/// An advertisement of VRID 5 to ff02::12.
pub(crate) fn vrrp_v6() -> Vec<u8> {
    let mut advertisement = vec![0x31, 5, 100, 1, 0, 100, 0, 0];
    advertisement.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x51]);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
    ipv6([0x33, 0x33, 0, 0, 0, 0x12], group, VRRP, 255, &advertisement)
}

/// Who has 10.0.1.1?
pub(crate) fn arp_request() -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], 0x0806);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(SENDER);
    frame.extend([10, 0, 1, 200, 0, 0, 0, 0, 0, 0, 10, 0, 1, 1]);
    frame
}

fn ethernet(to: [u8; 6], ethertype: u16) -> Vec<u8> {
    [&to[..], &SENDER, &ethertype.to_be_bytes()].concat()
}

fn ipv4(to: [u8; 6], destination: Ipv4Addr, protocol: u8, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).expect("short payloads");
    let mut header = vec![0x45, 0xc0];
    header.extend(length.to_be_bytes());
    header.extend([0, 0, 0, 0, ttl, protocol, 0, 0, 10, 0, 1, 200]);
    header.extend(destination.octets());
    let sum: u32 =
        header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded to 16 bits");
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    [ethernet(to, 0x0800), header, payload.to_vec()].concat()
}

fn ipv6(to: [u8; 6], destination: Ipv6Addr, next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xbb, 0, 1);
    let length = u16::try_from(payload.len()).expect("short payloads");
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(length.to_be_bytes());
    header.extend([next, hops]);
    header.extend(source.octets());
    header.extend(destination.octets());
    [ethernet(to, 0x86dd), header, payload.to_vec()].concat()
}
