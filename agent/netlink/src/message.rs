//! Where does one netlink message end and the next begin? A datagram goes in, its messages come out, borrowed.
//!
//! ```text
//!  0        4      6      8          12         16
//!  | length | type | flags | sequence | port     | payload …, padded to 4 octets | next header …
//! ```
//!
//! Source: `struct nlmsghdr` in include/uapi/linux/netlink.h; host byte order throughout.

use crate::decode::{Fault, Undecodable};

/// Nothing; skipped.
pub(crate) const NLMSG_NOOP: u16 = 1;
/// An acknowledgement (errno 0) or a refusal.
pub(crate) const NLMSG_ERROR: u16 = 2;
/// The end of a dump, with an errno.
pub(crate) const NLMSG_DONE: u16 = 3;
/// A device as it is now.
pub(crate) const RTM_NEWLINK: u16 = 16;
/// A device that went away.
pub(crate) const RTM_DELLINK: u16 = 17;
/// Asks for devices.
pub(crate) const RTM_GETLINK: u16 = 18;
/// An address as it is now.
pub(crate) const RTM_NEWADDR: u16 = 20;
/// An address that went away.
pub(crate) const RTM_DELADDR: u16 = 21;
/// Asks for addresses.
pub(crate) const RTM_GETADDR: u16 = 22;
/// A route as it is now.
pub(crate) const RTM_NEWROUTE: u16 = 24;
/// A route that went away.
pub(crate) const RTM_DELROUTE: u16 = 25;
/// Asks for routes.
pub(crate) const RTM_GETROUTE: u16 = 26;
/// An entry of a forwarding or neighbour table as it is now.
pub(crate) const RTM_NEWNEIGH: u16 = 28;
/// An entry of a forwarding or neighbour table that went away.
pub(crate) const RTM_DELNEIGH: u16 = 29;
/// Asks for forwarding or neighbour tables.
pub(crate) const RTM_GETNEIGH: u16 = 30;
/// A next-hop object as it is now.
pub(crate) const RTM_NEWNEXTHOP: u16 = 104;
/// A next-hop object that went away.
pub(crate) const RTM_DELNEXTHOP: u16 = 105;
/// Asks for next-hop objects.
pub(crate) const RTM_GETNEXTHOP: u16 = 106;
/// VLANs of a bridge or bridge port as they are now.
pub(crate) const RTM_NEWVLAN: u16 = 112;
/// VLANs of a bridge or bridge port that went away.
pub(crate) const RTM_DELVLAN: u16 = 113;
/// Asks for VLANs of bridges and bridge ports.
pub(crate) const RTM_GETVLAN: u16 = 114;

/// A row of a dump.
pub(crate) const NLM_F_MULTI: u16 = 0x2;
/// In a notification: what is new took the place of what there was.
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
/// In a notification: what is new was not there before.
pub(crate) const NLM_F_CREATE: u16 = 0x400;
/// In a notification: what is new is after what there was.
pub(crate) const NLM_F_APPEND: u16 = 0x800;
/// The table changed while it was dumped: rows may be missing or stale.
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;

const HEADER: usize = 16;

/// One netlink message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`
    pub kind: u16,
    /// `nlmsg_flags`
    pub flags: u16,
    /// `nlmsg_seq`: of the request, where this is a reply.
    pub sequence: u32,
    /// `nlmsg_pid`: the port of the requester; it does not say who sent this.
    pub port: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// The messages of one datagram. Ends after the first header that does not fit, which is returned as undecodable.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Undecodable>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let split = split(rest);
        rest = split.as_ref().map_or(&[], |(_, rest)| rest);
        Some(split.map(|(message, _)| message))
    })
}

fn split(rest: &[u8]) -> Result<(Message<'_>, &[u8]), Undecodable> {
    let have = rest.len();
    let fault = |kind, need| Undecodable { kind, ifindex: 0, fault: Fault::Cut { need, have } };
    let header: &[u8; HEADER] = rest.first_chunk().ok_or_else(|| fault(0, HEADER))?;
    let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3] = *header;
    let kind = u16::from_ne_bytes([k0, k1]);
    let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let payload = rest.get(HEADER..length).ok_or_else(|| fault(kind, length.max(HEADER)))?;
    let message = Message {
        kind,
        flags: u16::from_ne_bytes([f0, f1]),
        sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
        port: u32::from_ne_bytes([p0, p1, p2, p3]),
        payload,
    };
    Ok((message, rest.get(length.next_multiple_of(4)..).unwrap_or(&[])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u32, kind: u16) -> Vec<u8> {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes
    }

    // Broken if a message after one with an unaligned length were lost or read from the wrong offset.
    #[test]
    fn messages_are_aligned_to_four_octets() {
        let mut datagram = header(17, 16);
        datagram.extend([0xaa, 0, 0, 0]);
        datagram.extend(header(16, 17));
        let seen: Vec<_> =
            messages(&datagram).map(|m| m.map(|m| (m.kind, m.payload.len()))).collect();
        assert_eq!(seen, [Ok((16, 1)), Ok((17, 0))]);
    }

    // Broken if a header that lies about its length led to a panic, an endless loop or silence.
    #[test]
    fn lying_headers_are_reported_once() {
        for (length, size) in [(0, 16), (15, 16), (17, 16), (u32::MAX, 64), (16, 15)] {
            let mut datagram = header(length, 16);
            datagram.resize(size, 0);
            let seen: Vec<_> = messages(&datagram).collect();
            assert_eq!(seen.len(), 1, "length {length}");
            assert!(seen[0].is_err(), "length {length}");
        }
    }
}
