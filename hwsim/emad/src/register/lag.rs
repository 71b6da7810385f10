//! SLDR, SLCR, SLCOR: which ports make up a LAG, which of them send, which receive, and how is a sender chosen?
//!
//! A LAG has two lists. The *distributor* is the set of ports among which the hash picks the one that sends a frame; the
//! *collectors* are the ports whose frames count as received on the LAG.
//!
//! ```text
//!  SLDR   create LAG 3 ──▶ add port 5 to the distributor ──▶ … ──▶ remove port 5 ──▶ destroy LAG 3
//!  SLCOR  port 5 joins LAG 3 (collector off) ──▶ on ──▶ off ──▶ port 5 leaves
//!  SLCR   lag_hash: fields of the frame that the hash looks at
//! ```

use crate::bits::{bit, bits};
use crate::field::LOCAL_PORT;
use crate::layout::{codes, register};

codes! {
    /// What a write to the LAG's descriptor does.
    pub enum SldrOp {
        /// Create the LAG.
        Create = 0 "create",
        /// Destroy it.
        Destroy = 1 "destroy",
        /// The ports listed send for the LAG.
        AddPortList = 2 "add_port_list",
        /// They cease to.
        RemovePortList = 3 "remove_port_list",
    }
}

register! {
    /// Switch LAG Descriptor Register: creates LAGs and says which ports send. As the driver has it, with room for one
    /// port in the list.
    #[derive(Default)]
    pub struct Sldr = (0x2014, 0x0c, "sldr") {
        /// What a write does.
        op: SldrOp = bits(0x00, 31, 29),
        /// The LAG, 0..=1023.
        lag_id: u16 = bits(0x00, 9, 0),
        /// Length of the list: 1 to add or remove a port, else 0.
        num_ports: u8 = bits(0x04, 31, 24),
        /// The port.
        system_port: u16 = bits(0x08, 15, 0),
    }
}

impl Sldr {
    /// The write that creates a LAG.
    #[must_use]
    pub fn create(lag_id: u16) -> Self {
        Self { op: SldrOp::Create, lag_id, ..Self::default() }
    }

    /// The write that destroys it.
    #[must_use]
    pub fn destroy(lag_id: u16) -> Self {
        Self { op: SldrOp::Destroy, lag_id, ..Self::default() }
    }

    /// The write after which `system_port` sends for the LAG.
    #[must_use]
    pub const fn add_port(lag_id: u16, system_port: u16) -> Self {
        Self { op: SldrOp::AddPortList, lag_id, num_ports: 1, system_port }
    }

    /// The write after which it does not.
    #[must_use]
    pub const fn remove_port(lag_id: u16, system_port: u16) -> Self {
        Self { op: SldrOp::RemovePortList, lag_id, num_ports: 1, system_port }
    }
}

codes! {
    /// How the hash is computed.
    pub enum SlcrType {
        /// CRC, the default.
        Crc = 0 "crc",
        /// Exclusive or.
        Xor = 1 "xor",
        /// At random, whatever the frame.
        Random = 2 "random",
    }
}

register! {
    /// Switch LAG Configuration 2 Register: what the hash looks at.
    #[derive(Default)]
    pub struct Slcr = (0x2015, 0x10, "slcr") {
        /// For `local_port` only; else for all ports.
        pp: bool = bit(0x00, 24),
        /// Ingress port, 0..=1023; 0 unless `pp`.
        local_port: u16 = LOCAL_PORT,
        /// How the hash is computed.
        kind: SlcrType = bits(0x00, 3, 0),
        /// The fields that count: a sum of the constants of [`Slcr`].
        lag_hash: u32 = bits(0x04, 19, 0),
        /// Where the hash starts, the same for all ports.
        seed: u32 = bits(0x08, 31, 0),
    }
}

impl Slcr {
    /// Ingress port.
    pub const IN_PORT: u32 = 1 << 0;
    /// Source MAC of IP packets.
    pub const SMAC_IP: u32 = 1 << 1;
    /// Source MAC of other frames.
    pub const SMAC_NONIP: u32 = 1 << 2;
    /// Destination MAC of IP packets.
    pub const DMAC_IP: u32 = 1 << 3;
    /// Destination MAC of other frames.
    pub const DMAC_NONIP: u32 = 1 << 4;
    /// EtherType of IP packets.
    pub const ETHERTYPE_IP: u32 = 1 << 5;
    /// EtherType of other frames.
    pub const ETHERTYPE_NONIP: u32 = 1 << 6;
    /// VLAN of IP packets.
    pub const VLANID_IP: u32 = 1 << 7;
    /// VLAN of other frames.
    pub const VLANID_NONIP: u32 = 1 << 8;
    /// Source IP address.
    pub const SIP: u32 = 1 << 9;
    /// Destination IP address.
    pub const DIP: u32 = 1 << 10;
    /// Source port of TCP and UDP.
    pub const SPORT: u32 = 1 << 11;
    /// Destination port of TCP and UDP.
    pub const DPORT: u32 = 1 << 12;
    /// Protocol of IPv4, next header of IPv6.
    pub const IPPROTO: u32 = 1 << 13;
    /// Flow label of IPv6.
    pub const FLOWLABEL: u32 = 1 << 14;

    /// What counts at power-on: both MACs, EtherType and VLAN of all frames.
    pub const POWER_ON: u32 = Self::SMAC_IP
        | Self::SMAC_NONIP
        | Self::DMAC_IP
        | Self::DMAC_NONIP
        | Self::ETHERTYPE_IP
        | Self::ETHERTYPE_NONIP
        | Self::VLANID_IP
        | Self::VLANID_NONIP;

    /// What the driver makes count (`mlxsw_sp_lag_init`): besides, addresses, protocol and ports.
    pub const DRIVER: u32 =
        Self::POWER_ON | Self::SIP | Self::DIP | Self::SPORT | Self::DPORT | Self::IPPROTO;

    /// The driver's write: for all ports, by CRC.
    #[must_use]
    pub fn global(lag_hash: u32, seed: u32) -> Self {
        Self { lag_hash, seed, ..Self::default() }
    }
}

codes! {
    /// What a write to the collector does.
    pub enum SlcorCol {
        /// The port joins the LAG, with its collector disabled.
        AddPort = 0 "add_port",
        /// Its frames count as received on the LAG.
        CollectorEnabled = 1 "collector_enabled",
        /// They are dropped.
        CollectorDisabled = 2 "collector_disabled",
        /// The port leaves the LAG.
        RemovePort = 3 "remove_port",
    }
}

register! {
    /// Switch LAG Collector Register: membership of a port in a LAG, and whether it receives.
    #[derive(Default)]
    pub struct Slcor = (0x2016, 0x10, "slcor") {
        /// What a write does.
        col: SlcorCol = bits(0x00, 31, 30),
        /// The port, 0..=1023.
        local_port: u16 = LOCAL_PORT,
        /// The LAG, 0..=1023.
        lag_id: u16 = bits(0x00, 9, 0),
        /// Place of the port in the LAG's list, when it joins: 0 up to the most members that a LAG can have, less one.
        port_index: u16 = bits(0x04, 9, 0),
    }
}

impl Slcor {
    /// The write with which a port joins.
    #[must_use]
    pub const fn add_port(local_port: u16, lag_id: u16, port_index: u16) -> Self {
        Self { col: SlcorCol::AddPort, local_port, lag_id, port_index }
    }

    /// The write that turns its collector on or off.
    #[must_use]
    pub const fn collector(local_port: u16, lag_id: u16, enabled: bool) -> Self {
        let col = if enabled { SlcorCol::CollectorEnabled } else { SlcorCol::CollectorDisabled };
        Self { col, local_port, lag_id, port_index: 0 }
    }

    /// The write with which it leaves.
    #[must_use]
    pub const fn remove_port(local_port: u16, lag_id: u16) -> Self {
        Self { col: SlcorCol::RemovePort, local_port, lag_id, port_index: 0 }
    }
}
