//! The frame that leaves, made from the frame that came: another tag, and for a routed packet other
//! addresses and one hop less.
//!
//! ```text
//!   as it came:   │ DMAC SMAC │ [8100 tci] │ type │ packet …
//!   as it leaves: │ DMAC SMAC │ [8100 tci] │ type │ 12 bytes │ the rest of it, borrowed …
//!                 └──────────────── head ────────────────────┘
//! ```

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

/// The bytes of a packet in which the router changes something: the time to live and what is before it, and IPv4's checksum.
const CHANGED: usize = 12;

/// Addresses, a tag, the type, and what the router changes.
const HEAD: usize = 18 + CHANGED;

/// A frame that leaves.
#[derive(Debug, Clone, Copy)]
pub struct Rewritten<'a> {
    head: [u8; HEAD],
    head_len: usize,
    rest: &'a [u8],
}

impl<'a> Rewritten<'a> {
    /// A frame as it is.
    #[must_use]
    pub const fn unchanged(frame: &'a [u8]) -> Self {
        Self { head: [0; HEAD], head_len: 0, rest: frame }
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.head_len + self.rest.len()
    }

    /// Is there nothing in it?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends it to a buffer.
    #[inline]
    pub fn append_to(&self, buffer: &mut Vec<u8>) {
        // a whole head is copied faster than part of one
        let begin = buffer.len();
        buffer.extend_from_slice(&self.head);
        buffer.truncate(begin + self.head_len);
        buffer.extend_from_slice(self.rest);
    }

    /// It alone.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        self.append_to(&mut frame);
        frame
    }
}

/// `frame` with the tag that egress wants (`None`: untagged) and, for a routed packet, the rewrite
/// of the router: both addresses, time to live minus one, the IPv4 checksum adapted (RFC 1624).
#[inline]
#[must_use]
pub fn egress<'a>(frame: &Frame<'a>, tag: Option<u16>, routed: Option<NextHop>) -> Rewritten<'a> {
    let mut head = [0; HEAD];
    let (dmac, smac) = routed.map_or((frame.dmac(), frame.smac()), |hop| (hop.dmac, hop.smac));
    head[..6].copy_from_slice(&dmac.octets());
    head[6..12].copy_from_slice(&smac.octets());
    let ethertype = frame.ethertype().to_be_bytes();
    let at = if let Some(vid) = tag {
        head[12..14].copy_from_slice(&ETHERTYPE_VLAN.to_be_bytes());
        head[14..16].copy_from_slice(&(vid & 0x0fff).to_be_bytes());
        head[16..18].copy_from_slice(&ethertype);
        18
    } else {
        head[12..14].copy_from_slice(&ethertype);
        14
    };
    match (routed, frame.payload().split_first_chunk::<CHANGED>()) {
        (Some(_), Some((start, rest))) => {
            let changed = one_hop_less(frame.ethertype(), *start);
            head[at..at + CHANGED].copy_from_slice(&changed);
            Rewritten { head, head_len: at + CHANGED, rest }
        }
        _ => Rewritten { head, head_len: at, rest: frame.payload() },
    }
}

fn one_hop_less(ethertype: u16, mut packet: [u8; CHANGED]) -> [u8; CHANGED] {
    match ethertype {
        ETHERTYPE_IPV4 => {
            packet[8] = packet[8].saturating_sub(1);
            let old = u32::from(u16::from_be_bytes([packet[10], packet[11]]));
            // the time to live is the high byte of its word: the sum falls by 0x0100, so its
            // complement rises by as much, with the carry put back
            let sum = old + 0x0100;
            let folded = (sum & 0xffff) + (sum >> 16);
            let checksum = u16::try_from(folded).expect("folded to 16 bits");
            packet[10..].copy_from_slice(&checksum.to_be_bytes());
        }
        ETHERTYPE_IPV6 => packet[7] = packet[7].saturating_sub(1),
        _ => {}
    }
    packet
}
