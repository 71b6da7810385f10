//! The parser against etherparse, another implementation, and against nonsense.

use etherparse::{Ethernet2Header, IpNumber, Ipv4Header, PacketBuilder, SlicedPacket};
use proptest::prelude::*;

use super::*;
use crate::packet::rewrite::NextHop;

fn udp_frame(vid: Option<u16>, ttl: u8) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut frame = Vec::new();
    match vid {
        Some(vid) => builder
            .single_vlan(vid.try_into().unwrap())
            .ipv4([10, 0, 0, 1], [10, 0, 1, 1], ttl)
            .udp(1000, 2000)
            .write(&mut frame, b"payload")
            .unwrap(),
        None => builder
            .ipv4([10, 0, 0, 1], [10, 0, 1, 1], ttl)
            .udp(1000, 2000)
            .write(&mut frame, b"payload")
            .unwrap(),
    }
    frame
}

// Would break: addresses, ports and tags are read from the wrong place.
#[test]
fn fields_are_where_another_library_writes_them() {
    for vid in [None, Some(0), Some(100)] {
        let bytes = udp_frame(vid, 64);
        let frame = Frame::parse(&bytes).unwrap();
        assert_eq!(frame.vid(), vid);
        assert_eq!(frame.smac(), Mac([2, 0, 0, 0, 0, 1]));
        assert_eq!(frame.dmac(), Mac([2, 0, 0, 0, 0, 2]));
        let L3::Ipv4(ip) = frame.l3() else { panic!("not IPv4: {:?}", frame.l3()) };
        assert_eq!(ip.source().to_string(), "10.0.0.1");
        assert_eq!(ip.destination().to_string(), "10.0.1.1");
        assert_eq!((ip.protocol(), ip.ttl(), ip.destination_port()), (17, 64, Some(2000)));
        assert_eq!(ip.total_len(), 20 + 8 + 7);
    }
}

// Would break: broken headers are routed, or sound ones with options are called broken.
#[test]
fn ipv4_headers_are_judged_by_version_length_and_checksum() {
    let bytes = udp_frame(None, 64);
    let broken = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[14 + at] = value;
        matches!(Frame::parse(&bytes).unwrap().l3(), L3::CorruptIpv4)
    };
    assert!(broken(0, 0x55), "version 5");
    assert!(broken(0, 0x44), "header length 16");
    assert!(broken(0, 0x4f), "header length beyond the checksum's reach");
    assert!(broken(10, bytes[24] ^ 1), "checksum");
    assert!(!broken(20, 0xff), "the payload is nobody's business here");
    assert!(Ipv4::parse(&bytes[14..30]).is_none(), "truncated");

    let mut header = Ipv4Header::new(0, 1, IpNumber(112), [10, 0, 0, 1], [224, 0, 0, 18]).unwrap();
    header.options = [0x94, 4, 0, 0][..].try_into().unwrap();
    header.set_payload_len(0).unwrap();
    header.header_checksum = header.calc_header_checksum();
    let bytes = header.to_bytes();
    let ip = Ipv4::parse(&bytes).unwrap();
    assert!(ip.router_alert());
    assert_eq!(ip.protocol(), 112);
}

// Would break: MLD is not recognised, or VRRP is found behind headers where chips do not look.
#[test]
fn ipv6_reads_one_hop_by_hop_header() {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 16, 0, 1];
    bytes.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16]);
    bytes.extend([58, 0, 5, 2, 0, 0, 1, 0]);
    bytes.extend([143, 0, 0, 0, 0, 0, 0, 0]);
    let ip = Ipv6::parse(&bytes).unwrap();
    assert_eq!((ip.next_header(), ip.protocol()), (0, 58));
    assert_eq!(ip.payload().first(), Some(&143));
    assert!(ip.router_alert());
    bytes[0] = 0x50;
    assert!(Ipv6::parse(&bytes).is_none(), "version 5");
}

// Would break: forwarded packets carry a wrong checksum and are dropped by the next router.
#[test]
fn a_routed_frame_is_sound_for_another_library() {
    let hop = NextHop { dmac: Mac([4; 6]), smac: Mac([6; 6]) };
    for ttl in 2..=255 {
        let bytes = udp_frame(Some(7), ttl);
        let frame = Frame::parse(&bytes).unwrap();
        let out = rewrite::egress(&frame, None, Some(hop)).to_vec();
        let (ethernet, rest) = Ethernet2Header::from_slice(&out).unwrap();
        assert_eq!((ethernet.destination, ethernet.source), ([4; 6], [6; 6]));
        let (header, _) = Ipv4Header::from_slice(rest).unwrap();
        assert_eq!(header.time_to_live, ttl - 1);
        assert_eq!(header.header_checksum, header.calc_header_checksum(), "ttl {ttl}");
        let tagged = rewrite::egress(&frame, Some(9), Some(hop)).to_vec();
        let sliced = SlicedPacket::from_ethernet(&tagged).unwrap();
        assert_eq!(sliced.vlan_ids()[0].value(), 9);
    }
}

// Would break: a bridged frame is changed on its way.
#[test]
fn a_bridged_frame_keeps_everything_but_its_tag() {
    let tagged = udp_frame(Some(7), 64);
    let plain = udp_frame(None, 64);
    let frame = Frame::parse(&tagged).unwrap();
    assert_eq!(rewrite::egress(&frame, None, None).to_vec(), plain);
    assert_eq!(rewrite::egress(&frame, Some(7), None).to_vec(), tagged);
}

proptest! {
    // Would break: a hostile frame stops the chip.
    #[test]
    fn nonsense_is_parsed_without_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        kind in prop::sample::select(vec![0x0800_u16, 0x86dd, 0x0806, 0x8100, 0x0000]),
    ) {
        if bytes.len() > 14 {
            bytes[12..14].copy_from_slice(&kind.to_be_bytes());
        }
        if let Some(frame) = Frame::parse(&bytes) {
            let read = match frame.l3() {
                L3::Ipv4(ip) => (ip.router_alert(), ip.destination_port()),
                L3::Ipv6(ip) => (ip.router_alert(), ip.destination_port()),
                _ => (false, None),
            };
            prop_assert!(read.1.is_none() || bytes.len() > 34);
            let hop = NextHop { dmac: Mac([4; 6]), smac: Mac([6; 6]) };
            let tagged = rewrite::egress(&frame, Some(1), Some(hop)).to_vec();
            prop_assert_eq!(Frame::parse(&tagged).unwrap().vid(), Some(1));
        }
    }
}
