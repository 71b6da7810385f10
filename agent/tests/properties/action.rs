//! What may happen in the small world, printed like the `ip` or `bridge` command that would do it.

use std::fmt;
use std::net::IpAddr;

use oracle::{Address, Kind, Oper, Protocol, Stp, mac_text};

/// A device of the small world, by its ifindex. It never changes, so that a new device may get the index of an old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dev(pub(crate) u32);

/// Names in the small world, and the first ifindex of each.
const NAMES: [(&str, u32, u32); 10] = [
    ("swp", 11, 4),
    ("vmac", 20, 8),
    ("dummy", 30, 1),
    ("veth", 31, 1),
    ("vlan", 32, 6),
    ("br", 40, 2),
    ("vrf", 45, 2),
    ("bond", 50, 2),
    ("ovs", 55, 1),
    ("macsec", 56, 1),
];

impl Dev {
    pub(crate) const DUMMY: Self = Self(30);
    pub(crate) const VETH: Self = Self(31);
    pub(crate) const OVS: Self = Self(55);
    pub(crate) const MACSEC: Self = Self(56);

    /// A front-panel port, from 1.
    pub(crate) const fn port(port: u16) -> Self {
        Self(10 + port as u32)
    }

    pub(crate) const fn vmac(number: u32) -> Self {
        Self(20 + number)
    }

    pub(crate) const fn vlan(number: u32) -> Self {
        Self(32 + number)
    }

    pub(crate) const fn bridge(number: u32) -> Self {
        Self(40 + number)
    }

    pub(crate) const fn vrf(number: u32) -> Self {
        Self(45 + number)
    }

    pub(crate) const fn bond(number: u32) -> Self {
        Self(50 + number)
    }

    /// By its name; indices that no table above has are for stories with many devices.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let digits = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let stem = name.strip_suffix(digits)?;
        let number: u32 = digits.parse().ok()?;
        let (_, first, count) = NAMES.into_iter().find(|(known, ..)| *known == stem)?;
        let number = if stem == "swp" { number.checked_sub(1)? } else { number };
        (number < count).then_some(Self(first + number))
    }

    /// The front-panel port that it is.
    pub(crate) fn port_number(self) -> Option<u16> {
        (11..=14).contains(&self.0).then(|| u16::try_from(self.0 - 10).expect("at most 4"))
    }

    /// The MAC that the device is born with.
    pub(crate) fn own_mac(self) -> [u8; 6] {
        let [.., high, low] = self.0.to_be_bytes();
        [0x02, 0, 0, 0, high, low]
    }
}

impl fmt::Display for Dev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            NAMES.iter().find(|(_, first, count)| (*first..first + count).contains(&self.0));
        match named {
            Some(("swp", ..)) => write!(f, "swp{}", self.0 - 10),
            Some((stem, first, _)) => write!(f, "{stem}{}", self.0 - first),
            None => write!(f, "dev{}", self.0),
        }
    }
}

/// What a new device is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lower {
    None,
    On(Dev),
    /// A device in another network namespace that happens to have this one's ifindex.
    Foreign(Dev),
}

/// State of duplicate-address detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flags {
    None,
    Tentative,
    DadFailed,
}

/// One step of a story.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Action {
    /// Without a MAC: its own, or for a VLAN device that of the device below, which it follows.
    Create {
        dev: Dev,
        lower: Lower,
        mac: Option<[u8; 6]>,
        kind: Kind,
    },
    /// `quietly`: without a message for each address before, and before what happens to its members is told.
    Delete {
        dev: Dev,
        quietly: bool,
    },
    /// To another network namespace, where it is opened again.
    MoveAway(Dev),
    /// All devices over this one that were moved away are deleted there.
    AwayGone(Dev),
    Up(Dev, bool),
    Oper(Dev, Oper),
    ProtoDown(Dev, bool),
    Mtu(Dev, u32),
    /// To the name that the operator excluded, or back.
    Rename(Dev, bool),
    Enslave(Dev, Option<Dev>),
    SetMac(Dev, [u8; 6]),
    AddAddress(Dev, Address),
    DelAddress(Dev, IpAddr),
    /// The kernel's own link-local; `says_so`: with IFA_PROTO. Tentative ones are in dumps only.
    KernelLinkLocal {
        dev: Dev,
        flags: Flags,
        says_so: bool,
    },
    /// vlan_filtering and vlan_protocol of a bridge.
    Filtering(Dev, bool, Protocol),
    /// vlan_default_pvid 1 or 0; only while the bridge does not filter.
    DefaultPvid(Dev, bool),
    VlanAdd {
        dev: Dev,
        vid: u16,
        pvid: bool,
        untagged: bool,
    },
    VlanDel(Dev, u16),
    Stp(Dev, Stp),
    Locked(Dev, bool),
    /// Whether a bond's member carries traffic.
    Carries(Dev, bool),
    /// `bridge fdb add|del MAC dev DEV self`
    Receive(Dev, [u8; 6], bool),
    /// SIOCADDMULTI and SIOCDELMULTI, which nobody announces.
    ReceiveSilently(Dev, [u8; 6], bool),
    /// sysctl keep_addr_on_down
    KeepAddresses(bool),
    /// A snapshot replaces the view.
    Resync,
    /// The events of the next action are lost; a snapshot follows.
    Overrun,
    /// The chip refuses one of the next writes.
    Refuse(Refusal),
}

/// Which write fails, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Refusal {
    /// Counted from 1.
    pub(crate) nth: u32,
    pub(crate) how: Failing,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Failing {
    Transient,
    Capacity,
    Rejected,
    /// Executed, but nobody knows.
    UnknownDone,
    /// Not executed, but nobody knows.
    UnknownNotDone,
}

impl Action {
    /// The device to which it happens.
    pub(crate) const fn dev(&self) -> Option<Dev> {
        match *self {
            Self::Create { dev, .. }
            | Self::Delete { dev, .. }
            | Self::MoveAway(dev)
            | Self::AwayGone(dev)
            | Self::Up(dev, _)
            | Self::Oper(dev, _)
            | Self::ProtoDown(dev, _)
            | Self::Mtu(dev, _)
            | Self::Rename(dev, _)
            | Self::Enslave(dev, _)
            | Self::SetMac(dev, _)
            | Self::AddAddress(dev, _)
            | Self::DelAddress(dev, _)
            | Self::KernelLinkLocal { dev, .. }
            | Self::Filtering(dev, ..)
            | Self::DefaultPvid(dev, _)
            | Self::VlanAdd { dev, .. }
            | Self::VlanDel(dev, _)
            | Self::Stp(dev, _)
            | Self::Locked(dev, _)
            | Self::Carries(dev, _)
            | Self::Receive(dev, ..)
            | Self::ReceiveSilently(dev, ..) => Some(dev),
            Self::KeepAddresses(_) | Self::Resync | Self::Overrun | Self::Refuse(_) => None,
        }
    }
}

fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::Vlan { vid, protocol } => {
            format!("vlan id {vid} protocol {}", protocol_text(protocol))
        }
        Kind::Bridge { filtering, protocol } => format!(
            "bridge vlan_filtering {} vlan_protocol {}",
            u8::from(filtering),
            protocol_text(protocol)
        ),
        Kind::Bond { hashes: true } => "bond mode balance-xor".to_owned(),
        Kind::Bond { hashes: false } => "bond mode active-backup".to_owned(),
        Kind::Vrf(table) => format!("vrf table {table}"),
        other => format!("{other:?}"),
    }
}

const fn protocol_text(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Dot1q => "802.1Q",
        Protocol::Dot1ad => "802.1ad",
        Protocol::Other => "0x9100",
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |on: &bool| if *on { "on" } else { "off" };
        let verb = |add: &bool| if *add { "add" } else { "del" };
        match self {
            Self::Create { dev, lower, mac, kind } => {
                write!(f, "ip link add {dev}")?;
                match lower {
                    Lower::None => {}
                    Lower::On(lower) => write!(f, " link {lower}")?,
                    Lower::Foreign(lower) => write!(f, " link-netns other link {lower}")?,
                }
                if let Some(mac) = mac {
                    write!(f, " address {}", mac_text(*mac))?;
                }
                write!(f, " up type {}", kind_text(*kind))
            }
            Self::Delete { dev, quietly: true } => write!(f, "ip link del {dev} (DELLINK first)"),
            Self::Delete { dev, quietly: false } => write!(f, "ip link del {dev}"),
            Self::MoveAway(dev) => write!(f, "ip link set {dev} netns other"),
            Self::AwayGone(dev) => write!(f, "ip -n other link del everything over {dev}"),
            Self::Up(dev, up) => write!(f, "ip link set {dev} {}", if *up { "up" } else { "down" }),
            Self::Oper(dev, oper) => write!(f, "ip link set {dev} state {oper:?}"),
            Self::ProtoDown(dev, down) => write!(f, "ip link set {dev} protodown {}", on(down)),
            Self::Mtu(dev, mtu) => write!(f, "ip link set {dev} mtu {mtu}"),
            Self::Rename(dev, true) => {
                write!(f, "ip link set {dev} name {}", crate::world::EXCLUDED)
            }
            Self::Rename(dev, false) => write!(f, "ip link set {dev} name {dev}"),
            Self::Enslave(dev, Some(master)) => write!(f, "ip link set {dev} master {master}"),
            Self::Enslave(dev, None) => write!(f, "ip link set {dev} nomaster"),
            Self::SetMac(dev, mac) => write!(f, "ip link set {dev} address {}", mac_text(*mac)),
            Self::AddAddress(dev, address) => {
                write!(f, "ip addr replace {}/{} dev {dev}", address.ip, address.prefix_len)?;
                write!(f, " proto {:?}", address.proto)?;
                if let Some(broadcast) = address.broadcast {
                    write!(f, " broadcast {broadcast}")?;
                }
                let flag = |set, word| if set { word } else { "" };
                f.write_str(flag(address.tentative, " tentative"))?;
                f.write_str(flag(address.dad_failed, " dadfailed"))
            }
            Self::DelAddress(dev, ip) => write!(f, "ip addr del {ip} dev {dev}"),
            Self::KernelLinkLocal { dev, flags, says_so } => {
                let proto = if *says_so { "kernel_ll" } else { "missing" };
                write!(f, "kernel makes link-local on {dev}: {flags:?}, proto {proto}")
            }
            Self::Filtering(dev, filtering, protocol) => write!(
                f,
                "ip link set {dev} type bridge vlan_filtering {} vlan_protocol {}",
                u8::from(*filtering),
                protocol_text(*protocol)
            ),
            Self::DefaultPvid(dev, one) => {
                write!(f, "ip link set {dev} type bridge vlan_default_pvid {}", u8::from(*one))
            }
            Self::VlanAdd { dev, vid, pvid, untagged } => {
                write!(f, "bridge vlan add dev {dev} vid {vid}")?;
                f.write_str(if *pvid { " pvid" } else { "" })?;
                f.write_str(if *untagged { " untagged" } else { "" })
            }
            Self::VlanDel(dev, vid) => write!(f, "bridge vlan del dev {dev} vid {vid}"),
            Self::Stp(dev, state) => write!(f, "bridge link set dev {dev} state {state:?}"),
            Self::Locked(dev, locked) => {
                write!(f, "bridge link set dev {dev} locked {}", on(locked))
            }
            Self::Carries(dev, carries) => write!(f, "bond member {dev} active {}", on(carries)),
            Self::Receive(dev, mac, add) => {
                write!(f, "bridge fdb {} {} dev {dev} self", verb(add), mac_text(*mac))
            }
            Self::ReceiveSilently(dev, mac, add) => {
                write!(f, "ip maddr {} {} dev {dev}", verb(add), mac_text(*mac))
            }
            Self::KeepAddresses(keep) => write!(f, "sysctl keep_addr_on_down={}", u8::from(*keep)),
            Self::Resync => f.write_str("snapshot"),
            Self::Overrun => f.write_str("the next events are lost, and a snapshot follows"),
            Self::Refuse(Refusal { nth, how }) => write!(f, "write {nth} from here fails: {how:?}"),
        }
    }
}

/// A story; prints as a numbered list.
#[derive(Clone, PartialEq)]
pub(crate) struct Story(pub(crate) Vec<Action>);

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for (number, action) in self.0.iter().enumerate() {
            writeln!(f, "  {number:3}  {action}")?;
        }
        Ok(())
    }
}
