//! Which member of a LAG sends this frame? The hash over its headers as it came in, before any rewrite.
//!
//! SLCR says which fields count. The hash modulo the number of members that send and have
//! carrier is the place of the one that does.

use emad::register::{Slcr, SlcrType};

use super::Walk;
use super::hash::{Key, TCP, UDP, crc32, folded};
use crate::chip::trace::Recorder;
use crate::packet::L3;

impl<R: Recorder> Walk<'_, R> {
    /// The member of the LAG by which this frame leaves; `None` if none sends and has carrier.
    pub(super) fn pick(&mut self, lag: u16) -> Option<u16> {
        let hash = match self.hash {
            Some(hash) => hash,
            None => *self.hash.insert(self.frame_hash()),
        };
        let tables = self.tables;
        let up = |port| tables.ports.get(port).is_some_and(|port| port.up);
        let picked = tables.lags.pick(lag, hash, up);
        self.step(
            "lag",
            "sldr slcr",
            || format!("lag {lag} hash {hash:08x}"),
            || picked.map_or("no member sends".into(), |port| format!("port {port}")),
        );
        picked
    }

    fn frame_hash(&self) -> u32 {
        let settings = self.tables.lags.hash(self.port);
        let is_ip = matches!(self.l3, L3::Ipv4(_) | L3::Ipv6(_));
        let wants = |field: u32| settings.fields & field != 0;
        let of = |ip: u32, other: u32| wants(if is_ip { ip } else { other });
        let mut key = Key::new();
        key.put(wants(Slcr::IN_PORT), &self.port.to_be_bytes());
        key.put(of(Slcr::SMAC_IP, Slcr::SMAC_NONIP), &self.frame.smac().octets());
        key.put(of(Slcr::DMAC_IP, Slcr::DMAC_NONIP), &self.frame.dmac().octets());
        let ethertype = self.frame.ethertype().to_be_bytes();
        key.put(of(Slcr::ETHERTYPE_IP, Slcr::ETHERTYPE_NONIP), &ethertype);
        let vid = self.decision.vid.unwrap_or(0).to_be_bytes();
        key.put(of(Slcr::VLANID_IP, Slcr::VLANID_NONIP), &vid);
        let (protocol, transport) = match self.l3 {
            L3::Ipv4(ip) => {
                key.put(wants(Slcr::SIP), &ip.source().octets());
                key.put(wants(Slcr::DIP), &ip.destination().octets());
                (ip.protocol(), if ip.is_later_fragment() { &[][..] } else { ip.payload() })
            }
            L3::Ipv6(ip) => {
                key.put(wants(Slcr::SIP), &ip.source().octets());
                key.put(wants(Slcr::DIP), &ip.destination().octets());
                let label = self.frame.payload().get(1..4).unwrap_or_default();
                if let &[high, middle, low] = label {
                    key.put(wants(Slcr::FLOWLABEL), &[high & 0x0f, middle, low]);
                }
                (ip.protocol(), ip.payload())
            }
            _ => (0, &[][..]),
        };
        if is_ip {
            key.put(wants(Slcr::IPPROTO), &[protocol]);
        }
        if let (TCP | UDP, [s0, s1, d0, d1, ..]) = (protocol, transport) {
            key.put(wants(Slcr::SPORT), &[*s0, *s1]);
            key.put(wants(Slcr::DPORT), &[*d0, *d1]);
        }
        let (bytes, seed) = (key.bytes(), self.tables.lags.seed());
        match settings.kind {
            SlcrType::Xor => folded(bytes, seed),
            _ => crc32(bytes, seed),
        }
    }
}
