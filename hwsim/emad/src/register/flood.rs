//! SFGC, SMID2: to which ports is a frame without a forwarding record flooded?
//!
//! SFGC says, by kind of frame, which flood table applies; an entry of the table is a multicast id, whose ports SMID2
//! holds.

use std::collections::BTreeSet;

use crate::bits::{Bits, bit, bits};
use crate::field::{Array, read, write};
use crate::layout::{DecodeError, Layout, codes, register};

codes! {
    /// Kind of frame.
    pub enum FloodType {
        /// Broadcast.
        Broadcast = 0 "broadcast",
        /// Unicast without a record.
        UnknownUnicast = 1 "unknown_unicast",
        /// IPv4 multicast without a record.
        UnregisteredMulticastIpv4 = 2 "unregistered_multicast_ipv4",
        /// IPv6 multicast without a record.
        UnregisteredMulticastIpv6 = 3 "unregistered_multicast_ipv6",
        /// Other multicast without a record.
        UnregisteredMulticastNonIp = 5 "unregistered_multicast_non_ip",
        /// 224.0.0.0/24.
        Ipv4LinkLocal = 6 "ipv4_link_local",
        /// ff02::1.
        Ipv6AllHost = 7 "ipv6_all_host",
    }
}

codes! {
    /// Which set of flood tables a FID uses.
    pub enum BridgeType {
        /// The first; 802.1Q FIDs.
        Type0 = 0 "0",
        /// The second; 802.1D FIDs.
        Type1 = 1 "1",
    }
}

codes! {
    /// How the entry of a flood table is found.
    pub enum FloodTable {
        /// Any.
        Any = 0 "any",
        /// By VLAN.
        Vid = 1 "vid",
        /// The table has one entry.
        Single = 2 "single",
        /// By the offset of the FID.
        FidOffset = 3 "fid_offset",
        /// By FID.
        Fid = 4 "fid",
    }
}

register! {
    /// Switch Flooding Group Configuration.
    #[derive(Default)]
    pub struct Sfgc = (0x2011, 0x14, "sfgc") {
        /// Kind of frame.
        kind: FloodType = bits(0x00, 3, 0),
        /// Set of flood tables.
        bridge_type: BridgeType = bits(0x04, 26, 24),
        /// How the entry is found.
        table_type: FloodTable = bits(0x04, 18, 16),
        /// Index of the table.
        flood_table: u8 = bits(0x04, 5, 0),
        /// 0 none, 3 packets and bytes, 5 packets.
        counter_set_type: u8 = bits(0x0c, 31, 24),
        /// Flow counter.
        counter_index: u32 = bits(0x0c, 23, 0),
        /// First multicast id of the table.
        mid_base: u16 = bits(0x10, 15, 0),
    }
}

/// Switch Multicast ID register, version 2: the ports of a multicast id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Smid2 {
    /// Switch partition; the driver uses 0.
    pub swid: u8,
    /// The multicast id.
    pub mid: u16,
    /// Whether `smpe` holds.
    pub smpe_valid: bool,
    /// Index into the table of egress VLANs.
    pub smpe: u16,
    /// Member ports, 0..=1023.
    pub port: BTreeSet<u16>,
    /// The ports whose membership a write changes, 0..=1023.
    pub port_mask: BTreeSet<u16>,
}

const SWID: Bits = bits(0x00, 31, 24);
const MID: Bits = bits(0x00, 15, 0);
const SMPE_VALID: Bits = bit(0x08, 20);
const SMPE: Bits = bits(0x08, 15, 0);
const PORT: Array = Array { offset: 0x20, len: 0x80 };
const PORT_MASK: Array = Array { offset: 0xa0, len: 0x80 };

impl Smid2 {
    /// The driver's write: one port joins or leaves.
    #[must_use]
    pub fn member(mid: u16, local_port: u16, set: bool, smpe: Option<u16>) -> Self {
        Self {
            swid: 0,
            mid,
            smpe_valid: smpe.is_some(),
            smpe: smpe.unwrap_or(0),
            port: set.then_some(local_port).into_iter().collect(),
            port_mask: BTreeSet::from([local_port]),
        }
    }
}

impl Layout for Smid2 {
    const ID: u16 = 0x2034;
    const LEN: usize = 0x120;
    const NAME: &'static str = "smid2";

    fn write(&self, payload: &mut [u8]) {
        write(&self.swid, payload, SWID);
        write(&self.mid, payload, MID);
        write(&self.smpe_valid, payload, SMPE_VALID);
        write(&self.smpe, payload, SMPE);
        write(&self.port, payload, PORT);
        write(&self.port_mask, payload, PORT_MASK);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            swid: read(payload, SWID),
            mid: read(payload, MID),
            smpe_valid: read(payload, SMPE_VALID),
            smpe: read(payload, SMPE),
            port: read(payload, PORT),
            port_mask: read(payload, PORT_MASK),
        })
    }
}
