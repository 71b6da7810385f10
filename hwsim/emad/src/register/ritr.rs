//! RITR: what is a router interface (RIF): its MAC, MTU, virtual router and the L2 domain below it?
//!
//! ```text
//!  0x00  enable, enables per family, type, op, rif
//!  0x04  forwarding enables per family, lb_en, virtual router
//!  0x08  ┐
//!  0x0C  │ VLAN_IF: VLAN id, eFID    FID_IF: FID    SP_IF: LAG or port, eFID
//!  0x10  │ MAC profile, MAC                                                   loopbacks use all of
//!  0x18  │ SP_IF: VID                                                         0x08..0x34 differently
//!  0x1C  ┘ VRRP ids
//!  0x34  MTU
//!  0x38  ingress counter      0x3C  egress counter
//! ```

use crate::bits::{Bits, bit, bits};
use crate::field::{At, read, write};
use crate::layout::{DecodeError, Layout, codes, fields};
use crate::mac::Mac;

codes! {
    /// What the write does.
    pub enum RitrOp {
        /// Create the interface or change it.
        Create = 0 "create",
        /// Delete it. The driver clears `enable` as well.
        Delete = 1 "delete",
    }
}

fields! {
    /// The counter that one direction of a router interface feeds.
    #[derive(Default, Copy)]
    pub struct RitrCounter {
        /// 0 none, 9 the basic set.
        set_type: u8 = bits(0x00, 31, 24),
        /// Index of the counter.
        index: u32 = bits(0x00, 23, 0),
    }
}

/// What lies below the router interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RitrType {
    /// A VLAN of the 802.1Q bridge.
    VlanIf {
        /// VLAN, 0..=4095.
        vlan_id: u16,
        /// Egress FID (Spectrum-2 on).
        efid: u16,
    },
    /// A FID, e.g. a VLAN-unaware bridge.
    FidIf {
        /// The FID, also on egress.
        fid: u16,
    },
    /// A port or LAG, or a VLAN on one of them.
    SpIf {
        /// Whether `system_port` is the number of a LAG.
        lag: bool,
        /// System port or LAG.
        system_port: u16,
        /// Egress FID.
        efid: u16,
        /// VLAN; the driver writes 0, the VLAN comes from REIV.
        vid: u16,
    },
    /// A tunnel end or the generic loopback: bytes 0x08..0x34 as they are. The fields of [`Ritr`] that lie there
    /// (MAC, profile, VRRP ids) mean nothing then and decode as zero.
    Loopback {
        /// Bytes 0x08..0x34.
        raw: [u8; 0x2c],
    },
    /// A type without a name, 4..=7; otherwise like `Loopback`.
    Other {
        /// The type.
        code: u8,
        /// Bytes 0x08..0x34.
        raw: [u8; 0x2c],
    },
}

/// Router Interface Table Register: one router interface.
///
/// `Default` has what the driver always writes: create, enabled, both families, unicast and multicast, with forwarding,
/// and `lb_en`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ritr {
    /// Whether the interface routes.
    pub enable: bool,
    /// IPv4 unicast packets are accepted.
    pub ipv4: bool,
    /// IPv6 unicast packets are accepted.
    pub ipv6: bool,
    /// IPv4 multicast packets are accepted.
    pub ipv4_mc: bool,
    /// IPv6 multicast packets are accepted.
    pub ipv6_mc: bool,
    /// IPv4 unicast packets are forwarded out of it.
    pub ipv4_fe: bool,
    /// IPv6 unicast packets are forwarded out of it.
    pub ipv6_fe: bool,
    /// IPv4 multicast packets are forwarded out of it.
    pub ipv4_mc_fe: bool,
    /// IPv6 multicast packets are forwarded out of it.
    pub ipv6_mc_fe: bool,
    /// A packet may leave by the interface on which it came; it is trapped as LBERROR then.
    pub lb_en: bool,
    /// What a write does.
    pub op: RitrOp,
    /// Index of the interface.
    pub rif: u16,
    /// Virtual router of packets that come in here.
    pub virtual_router: u16,
    /// Source MAC of packets routed out here.
    pub if_mac: Mac,
    /// MAC profile, 0..=15: which high MAC bits are shared with other interfaces.
    pub if_mac_profile_id: u8,
    /// VRRP group whose IPv4 virtual MAC 00:00:5e:00:01:XX is accepted too; 0 for none.
    pub if_vrrp_id_ipv4: u8,
    /// VRRP group whose IPv6 virtual MAC 00:00:5e:00:02:XX is accepted too; 0 for none.
    pub if_vrrp_id_ipv6: u8,
    /// Largest packet routed out here, bytes from the IP header on.
    pub mtu: u16,
    /// Counter of packets that come in.
    pub ingress_counter: RitrCounter,
    /// Counter of packets that go out.
    pub egress_counter: RitrCounter,
    /// What lies below.
    pub kind: RitrType,
}

const ENABLE: Bits = bit(0x00, 31);
const IPV4: Bits = bit(0x00, 29);
const IPV6: Bits = bit(0x00, 28);
const IPV4_MC: Bits = bit(0x00, 27);
const IPV6_MC: Bits = bit(0x00, 26);
const TYPE: Bits = bits(0x00, 25, 23);
const OP: Bits = bits(0x00, 21, 20);
const RIF: Bits = bits(0x00, 15, 0);
const IPV4_FE: Bits = bit(0x04, 29);
const IPV6_FE: Bits = bit(0x04, 28);
const IPV4_MC_FE: Bits = bit(0x04, 27);
const IPV6_MC_FE: Bits = bit(0x04, 26);
const LB_EN: Bits = bit(0x04, 24);
const VIRTUAL_ROUTER: Bits = bits(0x04, 15, 0);
const RAW: At = At(0x08);
const VLAN_IF_VLAN_ID: Bits = bits(0x08, 11, 0);
const VLAN_IF_EFID: Bits = bits(0x0c, 15, 0);
const FID_IF_FID: Bits = bits(0x08, 15, 0);
const SP_IF_LAG: Bits = bit(0x08, 24);
const SP_IF_SYSTEM_PORT: Bits = bits(0x08, 15, 0);
const SP_IF_EFID: Bits = bits(0x0c, 15, 0);
const SP_IF_VID: Bits = bits(0x18, 11, 0);
const IF_MAC_PROFILE_ID: Bits = bits(0x10, 19, 16);
const IF_MAC: At = At(0x12);
const IF_VRRP_ID_IPV6: Bits = bits(0x1c, 15, 8);
const IF_VRRP_ID_IPV4: Bits = bits(0x1c, 7, 0);
const MTU: Bits = bits(0x34, 15, 0);
const INGRESS_COUNTER: usize = 0x38;
const EGRESS_COUNTER: usize = 0x3c;

impl Default for Ritr {
    fn default() -> Self {
        Self {
            enable: true,
            ipv4: true,
            ipv6: true,
            ipv4_mc: true,
            ipv6_mc: true,
            ipv4_fe: true,
            ipv6_fe: true,
            ipv4_mc_fe: true,
            ipv6_mc_fe: true,
            lb_en: true,
            op: RitrOp::Create,
            rif: 0,
            virtual_router: 0,
            if_mac: Mac::ZERO,
            if_mac_profile_id: 0,
            if_vrrp_id_ipv4: 0,
            if_vrrp_id_ipv6: 0,
            mtu: 0,
            ingress_counter: RitrCounter::default(),
            egress_counter: RitrCounter::default(),
            kind: RitrType::FidIf { fid: 0 },
        }
    }
}

impl Ritr {
    /// All zero but the index: the request of a query, and the answer for an index that is not in use.
    #[must_use]
    pub fn query(rif: u16) -> Self {
        Self {
            enable: false,
            ipv4: false,
            ipv6: false,
            ipv4_mc: false,
            ipv6_mc: false,
            ipv4_fe: false,
            ipv6_fe: false,
            ipv4_mc_fe: false,
            ipv6_mc_fe: false,
            lb_en: false,
            rif,
            kind: RitrType::VlanIf { vlan_id: 0, efid: 0 },
            ..Self::default()
        }
    }

    /// The write that deletes this interface: the driver repeats the other fields.
    #[must_use]
    pub fn removal(self) -> Self {
        Self { enable: false, op: RitrOp::Delete, ..self }
    }
}

impl RitrType {
    /// The type as the register has it.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::VlanIf { .. } => 0,
            Self::FidIf { .. } => 1,
            Self::SpIf { .. } => 2,
            Self::Loopback { .. } => 3,
            Self::Other { code, .. } => *code,
        }
    }

    /// Whether the bytes in which MAC, MAC profile and VRRP ids lie hold something else.
    const fn is_raw(&self) -> bool {
        matches!(self, Self::Loopback { .. } | Self::Other { .. })
    }

    fn read_from(payload: &[u8]) -> Self {
        match read(payload, TYPE) {
            0u8 => Self::VlanIf {
                vlan_id: read(payload, VLAN_IF_VLAN_ID),
                efid: read(payload, VLAN_IF_EFID),
            },
            1 => Self::FidIf { fid: read(payload, FID_IF_FID) },
            2 => Self::SpIf {
                lag: read(payload, SP_IF_LAG),
                system_port: read(payload, SP_IF_SYSTEM_PORT),
                efid: read(payload, SP_IF_EFID),
                vid: read(payload, SP_IF_VID),
            },
            3 => Self::Loopback { raw: read(payload, RAW) },
            code => Self::Other { code, raw: read(payload, RAW) },
        }
    }

    fn write_to(&self, payload: &mut [u8]) {
        write(&self.code(), payload, TYPE);
        match self {
            Self::VlanIf { vlan_id, efid } => {
                write(vlan_id, payload, VLAN_IF_VLAN_ID);
                write(efid, payload, VLAN_IF_EFID);
            }
            Self::FidIf { fid } => write(fid, payload, FID_IF_FID),
            Self::SpIf { lag, system_port, efid, vid } => {
                write(lag, payload, SP_IF_LAG);
                write(system_port, payload, SP_IF_SYSTEM_PORT);
                write(efid, payload, SP_IF_EFID);
                write(vid, payload, SP_IF_VID);
            }
            Self::Loopback { raw } | Self::Other { raw, .. } => write(raw, payload, RAW),
        }
    }
}

impl Layout for Ritr {
    const ID: u16 = 0x8002;
    const LEN: usize = 0x40;
    const NAME: &'static str = "ritr";

    fn write(&self, payload: &mut [u8]) {
        write(&self.enable, payload, ENABLE);
        write(&self.ipv4, payload, IPV4);
        write(&self.ipv6, payload, IPV6);
        write(&self.ipv4_mc, payload, IPV4_MC);
        write(&self.ipv6_mc, payload, IPV6_MC);
        write(&self.op, payload, OP);
        write(&self.rif, payload, RIF);
        write(&self.ipv4_fe, payload, IPV4_FE);
        write(&self.ipv6_fe, payload, IPV6_FE);
        write(&self.ipv4_mc_fe, payload, IPV4_MC_FE);
        write(&self.ipv6_mc_fe, payload, IPV6_MC_FE);
        write(&self.lb_en, payload, LB_EN);
        write(&self.virtual_router, payload, VIRTUAL_ROUTER);
        if !self.kind.is_raw() {
            write(&self.if_mac, payload, IF_MAC);
            write(&self.if_mac_profile_id, payload, IF_MAC_PROFILE_ID);
            write(&self.if_vrrp_id_ipv4, payload, IF_VRRP_ID_IPV4);
            write(&self.if_vrrp_id_ipv6, payload, IF_VRRP_ID_IPV6);
        }
        self.kind.write_to(payload);
        write(&self.mtu, payload, MTU);
        self.ingress_counter.write_to(payload.get_mut(INGRESS_COUNTER..).unwrap_or_default());
        self.egress_counter.write_to(payload.get_mut(EGRESS_COUNTER..).unwrap_or_default());
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let kind = RitrType::read_from(payload);
        let mut ritr = Self {
            enable: read(payload, ENABLE),
            ipv4: read(payload, IPV4),
            ipv6: read(payload, IPV6),
            ipv4_mc: read(payload, IPV4_MC),
            ipv6_mc: read(payload, IPV6_MC),
            ipv4_fe: read(payload, IPV4_FE),
            ipv6_fe: read(payload, IPV6_FE),
            ipv4_mc_fe: read(payload, IPV4_MC_FE),
            ipv6_mc_fe: read(payload, IPV6_MC_FE),
            lb_en: read(payload, LB_EN),
            op: read(payload, OP),
            rif: read(payload, RIF),
            virtual_router: read(payload, VIRTUAL_ROUTER),
            mtu: read(payload, MTU),
            ingress_counter: RitrCounter::read_from(
                payload.get(INGRESS_COUNTER..).unwrap_or_default(),
            ),
            egress_counter: RitrCounter::read_from(
                payload.get(EGRESS_COUNTER..).unwrap_or_default(),
            ),
            ..Self::default()
        };
        if !kind.is_raw() {
            ritr.if_mac = read(payload, IF_MAC);
            ritr.if_mac_profile_id = read(payload, IF_MAC_PROFILE_ID);
            ritr.if_vrrp_id_ipv4 = read(payload, IF_VRRP_ID_IPV4);
            ritr.if_vrrp_id_ipv6 = read(payload, IF_VRRP_ID_IPV6);
        }
        ritr.kind = kind;
        Ok(ritr)
    }
}
