//! Which next hop of a group does a packet take? A hash over its headers as it came in.
//!
//! RECR2 says which fields count; as long as it was not written none does, and every packet takes the first. The hash modulo the
//! size of the group is counted from the group's first index. A symmetric hash (`sh`) puts the two ends of a flow in the order of
//! their bytes, so that both directions have one hash.

use emad::register::Recr2;

use super::Walk;
use super::hash::{Key, TCP, UDP, crc32};
use crate::chip::trace::Recorder;
use crate::packet::L3;

impl<R: Recorder> Walk<'_, R> {
    /// The index of the next hop in a group.
    pub(super) fn pick_adjacency(&self, first: u32, size: u16) -> u32 {
        match size {
            0 | 1 => first,
            _ => first.saturating_add(self.multipath_hash() % u32::from(size)),
        }
    }

    fn multipath_hash(&self) -> u32 {
        let settings = &self.tables.multipath;
        let header = |number: u8| settings.header(number);
        let field = |number: u8| settings.field(number);
        let (mut from, mut to, mut both) = (Key::new(), Key::new(), Key::new());
        let (protocol, transport, ports) = match self.l3 {
            L3::Ipv4(ip) => {
                let has_ports = matches!(ip.protocol(), TCP | UDP);
                let counts = header(if has_ports { Recr2::IPV4_TCP_UDP } else { Recr2::IPV4 });
                if counts {
                    from.put_some(settings.fields(Recr2::IPV4_SIP, 4), &ip.source().octets());
                    to.put_some(settings.fields(Recr2::IPV4_DIP, 4), &ip.destination().octets());
                }
                both.put(counts && field(Recr2::IPV4_PROTOCOL), &[ip.protocol()]);
                let transport = if ip.is_later_fragment() { &[][..] } else { ip.payload() };
                (ip.protocol(), transport, header(Recr2::PORTS_IPV4))
            }
            L3::Ipv6(ip) => {
                let has_ports = matches!(ip.protocol(), TCP | UDP);
                let counts = header(if has_ports { Recr2::IPV6_TCP_UDP } else { Recr2::IPV6 });
                for (key, address, first, rest) in [
                    (&mut from, ip.source(), Recr2::IPV6_SIP0_7, Recr2::IPV6_SIP8),
                    (&mut to, ip.destination(), Recr2::IPV6_DIP0_7, Recr2::IPV6_DIP8),
                ] {
                    let octets = address.octets();
                    let (high, low) = octets.split_at(8);
                    key.put(counts && field(first), high);
                    if counts {
                        key.put_some(settings.fields(rest, 8), low);
                    }
                }
                both.put(counts && field(Recr2::IPV6_NEXT_HEADER), &[ip.protocol()]);
                if let Some(&[high, middle, low]) = self.frame.payload().get(1..4) {
                    both.put(counts && field(Recr2::IPV6_FLOW_LABEL), &[high & 0x0f, middle, low]);
                }
                (ip.protocol(), ip.payload(), header(Recr2::PORTS_IPV6))
            }
            _ => return 0,
        };
        if let (TCP | UDP, [s0, s1, d0, d1, ..]) = (protocol, transport) {
            from.put(ports && field(Recr2::SPORT), &[*s0, *s1]);
            to.put(ports && field(Recr2::DPORT), &[*d0, *d1]);
        }
        let ends = (from.bytes(), to.bytes());
        let (first, second) =
            if settings.is_symmetric() && ends.0 > ends.1 { (ends.1, ends.0) } else { ends };
        if first.is_empty() && second.is_empty() && both.bytes().is_empty() {
            return 0;
        }
        let mut hash = crc32(first, settings.seed());
        hash = crc32(second, hash);
        crc32(both.bytes(), hash)
    }
}
