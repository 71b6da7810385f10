//! What may happen in the small world, printed like the `ip` command that would do it.

use std::fmt;
use std::net::IpAddr;

use oracle::{Address, Kind, Oper, mac_text};

/// A device of the small world. The number of a device never changes, so that a new one may get the ifindex of an old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dev {
    Port(u16),
    Vmac(u32),
    /// No port of the chip.
    Dummy,
    Master(Master),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Master {
    Bridge,
    VrfA,
    VrfB,
}

/// What a new device is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lower {
    None,
    Port(u16),
    Dummy,
    /// A device in another network namespace that happens to have a port's ifindex.
    Foreign(u16),
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
    Create {
        dev: Dev,
        lower: Lower,
        mac: [u8; 6],
        kind: Kind,
    },
    /// `quietly`: without a message for each address before.
    Delete {
        dev: Dev,
        quietly: bool,
    },
    Up(Dev, bool),
    Oper(Dev, Oper),
    ProtoDown(Dev, bool),
    Mtu(Dev, u32),
    /// To the name that the operator excluded, or back.
    Rename(Dev, bool),
    Enslave(Dev, Option<Master>),
    SetMac(Dev, [u8; 6]),
    AddAddress(Dev, Address),
    DelAddress(Dev, IpAddr),
    /// The kernel's own link-local; `says_so`: with IFA_PROTO. Tentative ones are in dumps only.
    KernelLinkLocal {
        dev: Dev,
        flags: Flags,
        says_so: bool,
    },
    /// Events were lost: the view is replaced by a snapshot.
    Resync,
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

impl Dev {
    pub(crate) fn ifindex(self) -> u32 {
        match self {
            Self::Port(port) => 10 + u32::from(port),
            Self::Vmac(number) => 20 + number,
            Self::Dummy => 30,
            Self::Master(Master::Bridge) => 40,
            Self::Master(Master::VrfA) => 41,
            Self::Master(Master::VrfB) => 42,
        }
    }

    /// The MAC that the device is born with.
    pub(crate) fn own_mac(self) -> [u8; 6] {
        let last = u8::try_from(self.ifindex()).expect("all indices here are small");
        [0x02, 0, 0, 0, 0, last]
    }
}

impl fmt::Display for Dev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "swp{port}"),
            Self::Vmac(number) => write!(f, "vmac{number}"),
            Self::Dummy => f.write_str("dummy0"),
            Self::Master(Master::Bridge) => f.write_str("br0"),
            Self::Master(Master::VrfA) => f.write_str("vrf-a"),
            Self::Master(Master::VrfB) => f.write_str("vrf-b"),
        }
    }
}

impl Action {
    /// The device to which it happens.
    pub(crate) fn dev(&self) -> Option<Dev> {
        match *self {
            Self::Create { dev, .. }
            | Self::Delete { dev, .. }
            | Self::Up(dev, _)
            | Self::Oper(dev, _)
            | Self::ProtoDown(dev, _)
            | Self::Mtu(dev, _)
            | Self::Rename(dev, _)
            | Self::Enslave(dev, _)
            | Self::SetMac(dev, _)
            | Self::AddAddress(dev, _)
            | Self::DelAddress(dev, _)
            | Self::KernelLinkLocal { dev, .. } => Some(dev),
            Self::Resync | Self::Refuse(_) => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |on: &bool| if *on { "on" } else { "off" };
        match self {
            Self::Create { dev, lower, mac, kind } => {
                write!(
                    f,
                    "ip link add {dev} link {lower:?} address {} type {kind:?}",
                    mac_text(*mac)
                )
            }
            Self::Delete { dev, quietly: true } => write!(f, "ip link del {dev} (DELLINK alone)"),
            Self::Delete { dev, quietly: false } => write!(f, "ip link del {dev} (DELADDR first)"),
            Self::Up(dev, up) => write!(f, "ip link set {dev} {}", if *up { "up" } else { "down" }),
            Self::Oper(dev, oper) => write!(f, "ip link set {dev} state {oper:?}"),
            Self::ProtoDown(dev, down) => write!(f, "ip link set {dev} protodown {}", on(down)),
            Self::Mtu(dev, mtu) => write!(f, "ip link set {dev} mtu {mtu}"),
            Self::Rename(dev, true) => {
                write!(f, "ip link set {dev} name {}", crate::world::EXCLUDED)
            }
            Self::Rename(dev, false) => write!(f, "ip link set {dev} name {dev}"),
            Self::Enslave(dev, Some(master)) => {
                write!(f, "ip link set {dev} master {}", Dev::Master(*master))
            }
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
            Self::Resync => f.write_str("events lost: snapshot"),
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
