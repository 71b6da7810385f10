//! What the kernel has: devices, addresses, VLANs and filters, as plain data without any conclusions; and what the operator
//! decided.

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
    /// Of a bridge or bridge port, by ifindex and VID.
    pub vlans: BTreeMap<u32, BTreeMap<u16, Vlan>>,
    /// By ifindex.
    pub filters: BTreeMap<u32, Filters>,
    /// Names of devices that the operator excluded.
    pub excluded: BTreeSet<String>,
    /// When a macvlan's MAC is programmed.
    pub admission: Admission,
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
    /// IFLA_PERM_ADDRESS
    pub permanent_mac: Option<Mac>,
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
    /// IFLA_BRPORT_STATE, for members of a bridge.
    pub stp: Stp,
    /// IFLA_BRPORT_LOCKED
    pub locked: bool,
    /// IFLA_BOND_SLAVE_STATE and IFLA_BOND_SLAVE_MII_STATUS of a bond's member: may it send and receive?
    pub carries: bool,
}

/// Kinds of netdevs, as far as the rules tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A physical device, or one that stands on nothing (dummy, veth).
    Plain,
    /// A macvlan in mode private, vepa, bridge or source.
    Macvlan,
    /// A macvlan in mode passthru.
    PassthruMacvlan,
    /// An ipvlan in bridge or private mode.
    Ipvlan,
    /// An ipvlan in vepa mode.
    VepaIpvlan,
    /// A VLAN device.
    Vlan {
        /// VID
        vid: u16,
        /// With the tags of 802.1Q or another protocol.
        protocol: Protocol,
    },
    /// Another device that stands on one (macsec, ipvtap).
    Stacked,
    /// A bridge.
    Bridge {
        /// IFLA_BR_VLAN_FILTERING
        filtering: bool,
        /// IFLA_BR_VLAN_PROTOCOL
        protocol: Protocol,
    },
    /// A bond.
    Bond {
        /// Mode balance-xor or 802.3ad.
        hashes: bool,
    },
    /// A team.
    Team,
    /// The `ovs-system` device, master of Open vSwitch ports.
    OpenVswitch,
    /// A VRF and its routing table.
    Vrf(u32),
}

/// A tag protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// 0x8100, customer tags
    Dot1q,
    /// 0x88a8, service tags
    Dot1ad,
    /// Another one.
    Other,
}

/// What a VLAN is on a bridge or bridge port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vlan {
    /// Untagged frames belong to it.
    pub pvid: bool,
    /// Its frames leave without a tag.
    pub untagged: bool,
}

/// The unicast MACs in a device's filters besides its own, and what is known of how they got there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// In the filters now, whoever put them there: macvlans that are up do, also backups.
    pub listed: BTreeSet<Mac>,
    /// Asked for by name (`bridge fdb add MAC dev DEV self`).
    pub announced: BTreeSet<Mac>,
    /// The device's own at an earlier time.
    pub former: BTreeSet<Mac>,
    /// Of macvlans that were on the device, and left while the MAC stayed in the filters.
    pub lent: BTreeSet<Mac>,
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

/// IFLA_BRPORT_STATE
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stp {
    /// Disabled, listening or blocking.
    Discarding,
    /// Learns, but forwards nothing.
    Learning,
    /// Forwards.
    Forwarding,
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

/// Rules by which macvlans' MACs are programmed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// Where no rule applies.
    pub default: Policy,
    /// The first that applies counts.
    pub rules: Vec<Rule>,
}

/// Another policy for some macvlans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Only over the device of this name.
    pub lower: Option<String>,
    /// Only with a MAC that starts with these octets.
    pub mac: Option<Vec<u8>>,
    /// What counts for them.
    pub policy: Policy,
}

/// When a macvlan's MAC is programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Up, not held down, its lower up, and an address that only the active router has.
    #[default]
    Active,
    /// Any address, whatever the link state.
    Address,
    /// Its operational state is up and it is not held down.
    Oper,
    /// Whenever the lower device has a router interface.
    Always,
}

impl Kernel {
    /// The addresses of a device.
    pub fn addresses_of(&self, ifindex: u32) -> &[Address] {
        self.addresses.get(&ifindex).map_or(&[], Vec::as_slice)
    }

    /// The devices whose master is this one.
    pub(crate) fn members(&self, master: u32) -> impl Iterator<Item = (u32, &Device)> {
        let is_member = move |device: &&Device| device.master == Some(master);
        self.devices.iter().map(|(i, device)| (*i, device)).filter(move |(_, d)| is_member(d))
    }

    /// The device that this one is a member of.
    pub(crate) fn master_of(&self, device: &Device) -> Option<&Device> {
        self.devices.get(&device.master?)
    }

    /// The device below, if it is here.
    pub(crate) fn lower_of(&self, device: &Device) -> Option<(u32, &Device)> {
        let lower = device.lower.filter(|_| !device.lower_is_foreign)?;
        Some((lower, self.devices.get(&lower)?))
    }

    /// The VLANs of a bridge or bridge port.
    pub(crate) fn vlans_of(&self, ifindex: u32) -> BTreeMap<u16, Vlan> {
        self.vlans.get(&ifindex).cloned().unwrap_or_default()
    }

    /// The VLAN of untagged frames of a bridge or bridge port.
    pub(crate) fn pvid_of(&self, ifindex: u32) -> Option<u16> {
        self.vlans_of(ifindex).into_iter().find(|(_, vlan)| vlan.pvid).map(|(vid, _)| vid)
    }
}
