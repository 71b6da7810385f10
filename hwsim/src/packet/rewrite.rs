//! The frame that leaves, made from the frame that came: another tag, and for a routed packet other
//! addresses and one hop less.

use emad::Mac;

use super::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, Frame};

/// What the router changes in a frame that it forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// Address of the neighbour.
    pub dmac: Mac,
    /// Address of the egress router interface.
    pub smac: Mac,
}

/// Copies `frame` with the tag that egress wants (`None`: untagged) and, for a routed packet, the rewrite
/// of the router: both addresses, time to live minus one, the IPv4 checksum adapted (RFC 1624).
#[must_use]
pub fn egress(frame: &Frame<'_>, tag: Option<u16>, routed: Option<NextHop>) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.bytes().len() + 4);
    let (dmac, smac) = routed.map_or((frame.dmac(), frame.smac()), |hop| (hop.dmac, hop.smac));
    out.extend_from_slice(&dmac.octets());
    out.extend_from_slice(&smac.octets());
    if let Some(vid) = tag {
        out.extend_from_slice(&ETHERTYPE_VLAN.to_be_bytes());
        out.extend_from_slice(&(vid & 0x0fff).to_be_bytes());
    }
    out.extend_from_slice(&frame.ethertype().to_be_bytes());
    let l3 = out.len();
    out.extend_from_slice(frame.payload());
    if routed.is_some() {
        one_hop_less(frame.ethertype(), &mut out[l3..]);
    }
    out
}

fn one_hop_less(ethertype: u16, packet: &mut [u8]) {
    match ethertype {
        ETHERTYPE_IPV4 if packet.len() >= 20 => {
            packet[8] = packet[8].saturating_sub(1);
            let old = u32::from(u16::from_be_bytes([packet[10], packet[11]]));
            // the time to live is the high byte of its word: the sum falls by 0x0100, so its
            // complement rises by as much, with the carry put back
            let sum = old + 0x0100;
            let folded = (sum & 0xffff) + (sum >> 16);
            let checksum = u16::try_from(folded).expect("folded to 16 bits");
            packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        ETHERTYPE_IPV6 if packet.len() >= 40 => packet[7] = packet[7].saturating_sub(1),
        _ => {}
    }
}
