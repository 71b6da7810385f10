//! One netdev as RTM_NEWLINK describes it: the attributes that decide about router interfaces and virtual MACs.

use serde::{Deserialize, Serialize};

use crate::{IfIndex, Mac};

/// `ifi_flags` bits that matter here (include/uapi/linux/if.h).
pub mod iff {
    /// Administratively up.
    pub const UP: u32 = 0x1;
    /// A loopback device.
    pub const LOOPBACK: u32 = 0x8;
}

/// IFLA_OPERSTATE (RFC 2863 section 3.1.14; include/uapi/linux/if.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum OperState {
    /// The driver does not say; counts as up.
    #[default]
    Unknown,
    /// A component is missing.
    NotPresent,
    /// Down.
    Down,
    /// The device below has no carrier.
    LowerLayerDown,
    /// In a test mode.
    Testing,
    /// Waits for an external event such as 802.1X.
    Dormant,
    /// Up.
    Up,
}

impl OperState {
    /// From IFLA_OPERSTATE; values of later kernels read as unknown.
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            _ => Self::Unknown,
        }
    }

    /// Not down, not lower-layer-down, not missing: the list of the `active` admission policy.
    pub const fn passes_traffic(self) -> bool {
        !matches!(self, Self::Down | Self::LowerLayerDown | Self::NotPresent)
    }

    /// The word that `ip link` prints, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotPresent => "notpresent",
            Self::Down => "down",
            Self::LowerLayerDown => "lowerlayerdown",
            Self::Testing => "testing",
            Self::Dormant => "dormant",
            Self::Up => "up",
        }
    }
}

/// IFLA_MACVLAN_MODE (include/uapi/linux/if_link.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// No traffic between macvlans of one lower; keepalived's choice.
    Private,
    /// The kernel's default.
    Vepa,
    /// FRR's choice.
    Bridge,
    /// The macvlan takes over the lower's own MAC.
    Passthru,
    /// Accepts by source MAC.
    Source,
    /// A mode of a later kernel.
    Other(u32),
}

/// IFLA_IPVLAN_MODE (include/uapi/linux/if_link.h); belongs to the lower device, so that all its ipvlans share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// Answers ARP with the lower's MAC; multicast reaches it.
    L2,
    /// Routed: no ARP, no multicast. The kernel's default.
    L3,
    /// As l3, through the lower's netfilter hooks.
    L3s,
    /// A mode of a later kernel.
    Other(u16),
}

/// IFLA_IPVLAN_FLAGS (include/uapi/linux/if_link.h); belongs to the lower device as the mode does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanFlag {
    /// Siblings talk to one another inside the kernel.
    Bridge,
    /// Siblings do not talk to one another.
    Private,
    /// Frames between siblings leave the device and have to be reflected.
    Vepa,
}

/// The tag protocol of a VLAN device or a bridge (802.1Q, 802.1ad), as an Ethernet type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagProtocol(pub u16);

impl TagProtocol {
    /// Customer tags.
    pub const DOT1Q: Self = Self(0x8100);
    /// Service tags.
    pub const DOT1AD: Self = Self(0x88a8);
}

/// How a bond or team distributes frames, as far as it decides whether a chip can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LagMode {
    /// By a hash of the frame: bond balance-xor and 802.3ad.
    Hash,
    /// Another one, by the kernel's name of it.
    Other(LagModeName),
}

/// Modes that a chip has no counterpart for (IFLA_BOND_MODE, include/uapi/linux/if_bonding.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LagModeName {
    /// 0
    BalanceRr,
    /// 1
    ActiveBackup,
    /// 3
    Broadcast,
    /// 5
    BalanceTlb,
    /// 6
    BalanceAlb,
    /// A mode of a later kernel.
    Unknown,
}

impl LagMode {
    /// From IFLA_BOND_MODE.
    pub const fn of_bond(mode: u8) -> Self {
        match mode {
            2 | 4 => Self::Hash,
            0 => Self::Other(LagModeName::BalanceRr),
            1 => Self::Other(LagModeName::ActiveBackup),
            3 => Self::Other(LagModeName::Broadcast),
            5 => Self::Other(LagModeName::BalanceTlb),
            6 => Self::Other(LagModeName::BalanceAlb),
            _ => Self::Other(LagModeName::Unknown),
        }
    }

    /// The word that `ip link` uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Other(LagModeName::BalanceRr) => "balance-rr",
            Self::Other(LagModeName::ActiveBackup) => "active-backup",
            Self::Other(LagModeName::Broadcast) => "broadcast",
            Self::Other(LagModeName::BalanceTlb) => "balance-tlb",
            Self::Other(LagModeName::BalanceAlb) => "balance-alb",
            Self::Other(LagModeName::Unknown) => "unknown",
        }
    }
}

/// IFLA_INFO_KIND with the data that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum LinkKind {
    /// No IFLA_LINKINFO: a physical device, or `lo`.
    #[default]
    None,
    /// A second MAC on the lower device.
    Macvlan {
        /// IFLA_MACVLAN_MODE
        mode: MacvlanMode,
    },
    /// A device that shares the lower's MAC.
    Ipvlan {
        /// IFLA_IPVLAN_MODE
        mode: IpvlanMode,
        /// IFLA_IPVLAN_FLAGS
        flag: IpvlanFlag,
    },
    /// An L3 master device.
    Vrf {
        /// IFLA_VRF_TABLE
        table: u32,
    },
    /// A VLAN of the lower device.
    Vlan {
        /// IFLA_VLAN_ID, 0..=4094
        vid: u16,
        /// IFLA_VLAN_PROTOCOL
        protocol: TagProtocol,
    },
    /// A bridge.
    Bridge {
        /// IFLA_BR_VLAN_FILTERING
        vlan_filtering: bool,
        /// IFLA_BR_VLAN_PROTOCOL
        protocol: TagProtocol,
        /// IFLA_BR_AGEING_TIME in hundredths of a second; 0: entries do not age
        ageing_time: u32,
        /// IFLA_BR_VLAN_DEFAULT_PVID, 0..=4094: the PVID of ports that join; 0 is none. A change moves the PVID of the bridge and
        /// its ports, and is announced as this only (`br_vlan_set_default_pvid` in net/bridge/br_vlan.c).
        default_pvid: u16,
    },
    /// A bond.
    Bond {
        /// IFLA_BOND_MODE
        mode: LagMode,
    },
    /// A team; its mode is not in rtnetlink.
    Team,
    /// Any other kind, by its name (`tun`, `veth`, `dummy`, `vxlan`, …).
    Other {
        /// IFLA_INFO_KIND
        name: String,
    },
}

impl LinkKind {
    /// Forwards what its members receive: a bridge, bond or team. A VRF's slaves are no members in this sense.
    pub const fn has_members(&self) -> bool {
        matches!(self, Self::Bond { .. } | Self::Team | Self::Bridge { .. })
    }
}

/// What a device is to its master: IFLA_INFO_SLAVE_KIND with the data that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Slave {
    /// It has no master, or one that says nothing about its members (team, Open vSwitch).
    #[default]
    None,
    /// A bridge port.
    BridgePort {
        /// IFLA_BRPORT_STATE
        state: StpState,
        /// IFLA_BRPORT_LEARNING
        learning: bool,
        /// IFLA_BRPORT_LOCKED
        locked: bool,
    },
    /// A member of a bond.
    BondSlave {
        /// IFLA_BOND_SLAVE_STATE: it may send and receive.
        active: bool,
        /// IFLA_BOND_SLAVE_MII_STATUS: its link is up.
        link_up: bool,
    },
    /// A member of any other kind of master, by its name (`vrf`, …).
    Other {
        /// IFLA_INFO_SLAVE_KIND
        name: String,
    },
}

/// IFLA_BRPORT_STATE (BR_STATE_* in include/uapi/linux/if_bridge.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StpState {
    /// Disabled, blocking or listening: nothing passes, nothing is learnt.
    Discarding,
    /// Nothing passes, addresses are learnt.
    Learning,
    /// Everything passes.
    Forwarding,
}

impl StpState {
    /// From IFLA_BRPORT_STATE; values of later kernels discard.
    pub const fn from_u8(state: u8) -> Self {
        match state {
            2 => Self::Learning,
            3 => Self::Forwarding,
            _ => Self::Discarding,
        }
    }
}

/// A netdev.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `ifi_index`
    pub ifindex: IfIndex,
    /// IFLA_IFNAME; never a key.
    pub ifname: String,
    /// IFLA_PROP_LIST: IFLA_ALT_IFNAME, in the kernel's order.
    pub altnames: Vec<String>,
    /// IFLA_ADDRESS, where it is six octets long.
    pub mac: Option<Mac>,
    /// IFLA_MTU in bytes.
    pub mtu: u32,
    /// `ifi_flags`, see [`iff`].
    pub flags: u32,
    /// IFLA_OPERSTATE
    pub operstate: OperState,
    /// IFLA_CARRIER
    pub carrier: bool,
    /// IFLA_PROTO_DOWN
    pub proto_down: bool,
    /// IFLA_LINK: the device below.
    pub link: Option<IfIndex>,
    /// IFLA_LINK_NETNSID: the device below is in another network namespace, and `link` counts there.
    pub link_netnsid: Option<i32>,
    /// IFLA_MASTER
    pub master: Option<IfIndex>,
    /// IFLA_LINKINFO: IFLA_INFO_KIND
    pub kind: LinkKind,
    /// IFLA_LINKINFO: IFLA_INFO_SLAVE_KIND
    pub slave: Slave,
    /// IFLA_PERM_ADDRESS: the MAC that the hardware came with.
    pub perm_mac: Option<Mac>,
    /// IFLA_DEVLINK_PORT: the port of a device that the netdev is; old kernels do not say it.
    #[serde(default)]
    pub devlink: Option<DevlinkPort>,
}

/// A port of a device, as devlink names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DevlinkPort {
    /// `BUS/DEVICE`: `pci/0000:03:00.0`
    pub device: String,
    /// DEVLINK_ATTR_PORT_INDEX
    pub index: u32,
}

/// Kinds that are stacked on a device although nothing is offloaded for them.
const STACKED: [&str; 4] = ["macvtap", "ipvtap", "macsec", "hsr"];

impl Link {
    /// Administratively up.
    pub const fn is_up(&self) -> bool {
        self.flags & iff::UP != 0
    }

    /// The device below, if it is in the same network namespace.
    /// IFLA_LINK of a veth names its peer, which is beside, not below; a macvlan, ipvlan or VLAN device is stacked.
    pub fn lower(&self) -> Option<IfIndex> {
        let stacked = match &self.kind {
            LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. } | LinkKind::Vlan { .. } => true,
            // The data of a macvtap is that of a macvlan; other stacked kinds have no place over a switch port.
            LinkKind::Other { name } => STACKED.contains(&name.as_str()),
            LinkKind::None
            | LinkKind::Vrf { .. }
            | LinkKind::Bridge { .. }
            | LinkKind::Bond { .. }
            | LinkKind::Team => false,
        };
        self.link.filter(|_| stacked && self.link_netnsid.is_none())
    }
}
