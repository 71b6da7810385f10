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
        /// IFLA_IPVLAN_FLAGS has IPVLAN_F_VEPA.
        vepa: bool,
    },
    /// An L3 master device.
    Vrf {
        /// IFLA_VRF_TABLE
        table: u32,
    },
    /// Any other kind, by its name (`bridge`, `vlan`, `bond`, `tun`, …).
    Other {
        /// IFLA_INFO_KIND
        name: String,
    },
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
    /// IFLA_LINKINFO
    pub kind: LinkKind,
}

impl Link {
    /// Administratively up.
    pub const fn is_up(&self) -> bool {
        self.flags & iff::UP != 0
    }

    /// The device below, if it is in the same network namespace.
    /// IFLA_LINK of a veth names its peer, which is beside, not below; a macvlan, ipvlan or VLAN device is stacked.
    pub fn lower(&self) -> Option<IfIndex> {
        let stacked = match &self.kind {
            LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. } => true,
            LinkKind::Other { name } => name == "vlan",
            LinkKind::None | LinkKind::Vrf { .. } => false,
        };
        self.link.filter(|_| stacked && self.link_netnsid.is_none())
    }
}
