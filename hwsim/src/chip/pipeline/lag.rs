//! Which member of a LAG sends this frame? The hash over its headers as it came in, before any rewrite.
//!
//! SLCR says which fields count. They are put one behind the other, and a CRC-32 (that of Ethernet) is taken, which
//! starts at the seed, or the exclusive or of their bytes. The hash modulo the number of members that send and have
//! carrier is the place of the one that does.

use emad::register::{Slcr, SlcrType};

use super::Walk;
use crate::chip::trace::Recorder;
use crate::packet::L3;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Room for all fields: port, two MACs, type, VLAN, two addresses, protocol, flow label, two ports.
const ROOM: usize = 2 + 6 + 6 + 2 + 2 + 16 + 16 + 1 + 3 + 2 + 2;

/// The bytes that count.
struct Key {
    bytes: [u8; ROOM],
    len: usize,
}

impl Key {
    fn put(&mut self, wanted: bool, bytes: &[u8]) {
        if wanted && let Some(place) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

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
        let mut key = Key { bytes: [0; ROOM], len: 0 };
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
        let (bytes, seed) = (&key.bytes[..key.len], self.tables.lags.seed());
        match settings.kind {
            SlcrType::Xor => folded(bytes, seed),
            _ => crc32(bytes, seed),
        }
    }
}

/// The exclusive or of all bytes, those of the seed among them: every bit of every byte counts in any remainder.
fn folded(bytes: &[u8], seed: u32) -> u32 {
    let sum = |start: u8, bytes: &[u8]| bytes.iter().fold(start, |sum, byte| sum ^ byte);
    sum(sum(0, &seed.to_be_bytes()), bytes).into()
}

/// CRC-32 of IEEE 802.3, whose register starts at the inverse of `seed`.
fn crc32(bytes: &[u8], seed: u32) -> u32 {
    !bytes.iter().fold(!seed, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ CRC_TABLE[usize::from(low ^ byte)]
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut value = 0_u32;
    while index < 256 {
        let mut crc = value;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
        value += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{crc32, folded};

    // Would break: the hash is no CRC, and neighbouring flows all take one member.
    #[test]
    fn the_crc_is_that_of_ethernet() {
        assert_eq!(crc32(b"123456789", 0), 0xcbf4_3926);
        assert_ne!(crc32(b"123456789", 1), 0xcbf4_3926, "the seed counts");
        assert_eq!(folded(&[1, 2, 4], 0x0800_0000), 15);
    }
}
