//! What the kernel has: devices and addresses, as plain data without any conclusions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Six octets.
pub type Mac = [u8; 6];

/// `00:00:5e:00:01:05`
pub fn mac_text(mac: Mac) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// One network namespace, and what the operator decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    /// By ifindex.
    pub devices: BTreeMap<u32, Device>,
    /// By ifindex; also of devices that are not known (yet).
    pub addresses: BTreeMap<u32, Vec<Address>>,
    /// Names of devices that the operator excluded.
    pub excluded: BTreeSet<String>,
}

/// A netdev.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name now.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The chip's front-panel port that it is.
    pub port: Option<u16>,
    /// Link-layer address.
    pub mac: Mac,
    /// Bytes
    pub mtu: u32,
    /// IFF_UP
    pub up: bool,
    /// IFLA_OPERSTATE
    pub oper: Oper,
    /// IFLA_PROTO_DOWN
    pub proto_down: bool,
    /// IFLA_MASTER
    pub master: Option<u32>,
    /// IFLA_LINK
    pub lower: Option<u32>,
    /// The lower device is in another network namespace.
    pub lower_is_foreign: bool,
}

/// Kinds of netdevs, as far as the rules tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A physical or dummy device.
    Plain,
    /// A macvlan in mode private, vepa, bridge or source.
    Macvlan,
    /// A macvlan in mode passthru.
    PassthruMacvlan,
    /// An ipvlan in bridge or private mode.
    Ipvlan,
    /// An ipvlan in vepa mode.
    VepaIpvlan,
    /// A bridge, or any other master that is no VRF.
    Bridge,
    /// A VRF and its routing table.
    Vrf(u32),
}

/// IFLA_OPERSTATE
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's words, IF_OPER_*")]
pub enum Oper {
    Unknown,
    NotPresent,
    Down,
    LowerLayerDown,
    Testing,
    Dormant,
    Up,
}

/// IFA_PROTO
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proto {
    /// A kernel before 5.18 says nothing.
    Missing,
    /// 0: added by somebody who says nothing about it.
    Unspecified,
    /// 2: from a router advertisement.
    RouterAdvertisement,
    /// 3: the link-local that the kernel makes.
    KernelLinkLocal,
}

/// An address on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Length of the prefix.
    pub prefix_len: u8,
    /// IFA_BROADCAST
    pub broadcast: Option<IpAddr>,
    /// IFA_F_TENTATIVE
    pub tentative: bool,
    /// IFA_F_DADFAILED
    pub dad_failed: bool,
    /// IFA_PROTO
    pub proto: Proto,
}

impl Kernel {
    /// The addresses of a device.
    pub fn addresses_of(&self, ifindex: u32) -> &[Address] {
        self.addresses.get(&ifindex).map_or(&[], Vec::as_slice)
    }
}
