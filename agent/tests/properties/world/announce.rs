//! The messages in which the kernel tells its state.

use std::collections::BTreeSet;

use firsthop_model::topology::{
    self, Event, IpvlanFlag, IpvlanMode, LagMode, LagModeName, LinkKind, MacvlanMode, OperState,
    Slave, StpState, TagProtocol,
};
use firsthop_model::{IfIndex, Mac};
use oracle::{Address, Device, Kernel, Kind, Oper, Proto, Protocol, Stp};

use super::CHIP_ID;

/// RTM_NEWLINK of a device that is there.
pub(super) fn link_event(kernel: &Kernel, ifindex: u32) -> Option<Event> {
    link_message(kernel, ifindex).map(|link| Event::Link(Box::new(link)))
}

pub(super) fn link_message(kernel: &Kernel, ifindex: u32) -> Option<topology::Link> {
    kernel.devices.get(&ifindex).map(|device| link(kernel, ifindex, device))
}

pub(super) fn macs(macs: &BTreeSet<[u8; 6]>) -> BTreeSet<Mac> {
    macs.iter().copied().map(Mac).collect()
}

/// RTM_NEWLINK
pub(super) fn link(kernel: &Kernel, ifindex: u32, device: &Device) -> topology::Link {
    topology::Link {
        ifindex: IfIndex(ifindex),
        ifname: device.name.clone(),
        altnames: device.port.map(|port| format!("hwsim-{CHIP_ID}-p{port}")).into_iter().collect(),
        mac: Some(Mac(device.mac)),
        mtu: device.mtu,
        flags: if device.up { topology::iff::UP } else { 0 },
        operstate: match device.oper {
            Oper::Unknown => OperState::Unknown,
            Oper::NotPresent => OperState::NotPresent,
            Oper::Down => OperState::Down,
            Oper::LowerLayerDown => OperState::LowerLayerDown,
            Oper::Testing => OperState::Testing,
            Oper::Dormant => OperState::Dormant,
            Oper::Up => OperState::Up,
        },
        carrier: true,
        proto_down: device.proto_down,
        link: device.lower.map(IfIndex),
        link_netnsid: device.lower_is_foreign.then_some(0),
        master: device.master.map(IfIndex),
        kind: kind(device.kind),
        slave: slave(kernel, ifindex, device),
        perm_mac: device.permanent_mac.map(Mac),
        devlink: None,
    }
}

fn kind(kind: Kind) -> LinkKind {
    let other = |name: &str| LinkKind::Other { name: name.to_owned() };
    let tags = |protocol| match protocol {
        Protocol::Dot1q => TagProtocol::DOT1Q,
        Protocol::Dot1ad => TagProtocol::DOT1AD,
        Protocol::Other => TagProtocol(0x9100),
    };
    let ipvlan = |flag| LinkKind::Ipvlan { mode: IpvlanMode::L2, flag };
    match kind {
        Kind::Plain => LinkKind::None,
        Kind::Macvlan => LinkKind::Macvlan { mode: MacvlanMode::Private },
        Kind::PassthruMacvlan => LinkKind::Macvlan { mode: MacvlanMode::Passthru },
        Kind::Ipvlan => ipvlan(IpvlanFlag::Bridge),
        Kind::VepaIpvlan => ipvlan(IpvlanFlag::Vepa),
        Kind::Vlan { vid, protocol } => LinkKind::Vlan { vid, protocol: tags(protocol) },
        Kind::Stacked => other("macsec"),
        Kind::Bridge { filtering, protocol } => LinkKind::Bridge {
            vlan_filtering: filtering,
            protocol: tags(protocol),
            ageing_time: 30_000,
            default_pvid: 1,
        },
        Kind::Bond { hashes: true } => LinkKind::Bond { mode: LagMode::Hash },
        Kind::Bond { hashes: false } => {
            LinkKind::Bond { mode: LagMode::Other(LagModeName::ActiveBackup) }
        }
        Kind::Team => LinkKind::Team,
        Kind::OpenVswitch => other("openvswitch"),
        Kind::Vrf(table) => LinkKind::Vrf { table },
    }
}

fn slave(kernel: &Kernel, ifindex: u32, device: &Device) -> Slave {
    let master = device.master.and_then(|master| kernel.devices.get(&master));
    match master.map(|master| master.kind) {
        Some(Kind::Bridge { .. }) => Slave::BridgePort {
            state: match device.stp {
                Stp::Discarding => StpState::Discarding,
                Stp::Learning => StpState::Learning,
                Stp::Forwarding => StpState::Forwarding,
            },
            learning: true,
            locked: device.locked,
        },
        // One that carries no traffic is a backup, or has no link.
        Some(Kind::Bond { .. }) => Slave::BondSlave {
            active: device.carries || ifindex.is_multiple_of(2),
            link_up: device.carries || ifindex % 2 == 1,
        },
        Some(Kind::Vrf(_)) => Slave::Other { name: "vrf".to_owned() },
        _ => Slave::None,
    }
}

/// RTM_NEWADDR
pub(super) fn model_address(ifindex: u32, address: &Address) -> topology::Address {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    topology::Address {
        ifindex: IfIndex(ifindex),
        ip: address.ip,
        prefix_len: address.prefix_len,
        peer: None,
        broadcast: address.broadcast,
        flags: flag(address.tentative, topology::ifa_flags::TENTATIVE)
            | flag(address.dad_failed, topology::ifa_flags::DADFAILED),
        proto: match address.proto {
            Proto::Missing => None,
            Proto::Unspecified => Some(0),
            Proto::RouterAdvertisement => Some(topology::ifa_proto::KERNEL_RA),
            Proto::KernelLinkLocal => Some(topology::ifa_proto::KERNEL_LL),
        },
    }
}
