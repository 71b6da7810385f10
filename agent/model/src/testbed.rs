//! Short ways to say links, addresses and routes in tests.

use crate::fib::{Neighbour, NextHop, Route, RouteKind, Via};
use crate::intent::{ChipIdentity, Policy};
use crate::plan::Limits;
use crate::reconcile::Reconciler;
use crate::topology::{
    Address, Event, LagMode, Link, LinkKind, MacvlanMode, OperState, Slave, StpState, TagProtocol,
    VlanFlags, VlanRange, ifa_flags, ifa_proto, iff,
};
use crate::{IfIndex, Mac};

pub(crate) const SWP1: u32 = 11;
pub(crate) const SWP2: u32 = 12;

/// Port `n` of chip `t`, up, with ifindex 10 + n and MAC 02:00:00:00:00:0n.
pub(crate) fn port(n: u16) -> Link {
    Link {
        ifindex: IfIndex(10 + u32::from(n)),
        ifname: format!("swp{n}"),
        altnames: vec![format!("hwsim-t-p{n}")],
        mac: Some(Mac([2, 0, 0, 0, 0, u8::try_from(n).unwrap()])),
        mtu: 1500,
        flags: iff::UP,
        operstate: OperState::Up,
        carrier: true,
        proto_down: false,
        link: None,
        link_netnsid: None,
        master: None,
        kind: LinkKind::None,
        slave: Slave::None,
        perm_mac: None,
        devlink: None,
    }
}

/// An up, private macvlan.
pub(crate) fn macvlan(ifindex: u32, lower: u32, mac: &str) -> Link {
    Link {
        ifindex: IfIndex(ifindex),
        ifname: format!("mv{ifindex}"),
        altnames: Vec::new(),
        mac: Some(mac.parse().unwrap()),
        link: Some(IfIndex(lower)),
        kind: LinkKind::Macvlan { mode: MacvlanMode::Private },
        ..port(1)
    }
}

/// An up bridge; `aware`: it tells VLANs apart.
pub(crate) fn bridge(ifindex: u32, aware: bool) -> Link {
    let kind = LinkKind::Bridge {
        vlan_filtering: aware,
        protocol: TagProtocol::DOT1Q,
        ageing_time: 30_000,
        default_pvid: 1,
    };
    Link {
        ifindex: IfIndex(ifindex),
        ifname: format!("br{ifindex}"),
        altnames: vec![],
        kind,
        ..port(9)
    }
}

/// An up bond that distributes by a hash.
pub(crate) fn bond(ifindex: u32) -> Link {
    let kind = LinkKind::Bond { mode: LagMode::Hash };
    Link {
        ifindex: IfIndex(ifindex),
        ifname: format!("bond{ifindex}"),
        altnames: vec![],
        kind,
        ..port(8)
    }
}

/// An up VLAN device.
pub(crate) fn vlan(ifindex: u32, lower: u32, vid: u16) -> Link {
    Link {
        ifindex: IfIndex(ifindex),
        ifname: format!("vlan{ifindex}"),
        altnames: vec![],
        link: Some(IfIndex(lower)),
        kind: LinkKind::Vlan { vid, protocol: TagProtocol::DOT1Q },
        ..port(7)
    }
}

/// The same device as a forwarding port of a bridge.
pub(crate) fn bridged(link: Link, bridge: u32) -> Link {
    let slave = Slave::BridgePort { state: StpState::Forwarding, learning: true, locked: false };
    Link { master: Some(IfIndex(bridge)), slave, ..link }
}

/// The same device as an active member of a bond.
pub(crate) fn bonded(link: Link, bond: u32) -> Link {
    let slave = Slave::BondSlave { active: true, link_up: true };
    Link { master: Some(IfIndex(bond)), slave, ..link }
}

/// A VLAN of a bridge port, or of a bridge.
pub(crate) fn vlan_of(ifindex: u32, vid: u16, pvid: bool) -> Event {
    let flags = VlanFlags { pvid, untagged: pvid };
    Event::Vlans(VlanRange { ifindex: IfIndex(ifindex), first: vid, last: vid, flags })
}

/// `ip/prefix length` as an administrator or daemon adds it.
pub(crate) fn address(ifindex: u32, text: &str) -> Address {
    let net: ipnet::IpNet = text.parse().unwrap();
    Address {
        ifindex: IfIndex(ifindex),
        ip: net.addr(),
        prefix_len: net.prefix_len(),
        peer: None,
        broadcast: None,
        flags: ifa_flags::PERMANENT,
        proto: None,
    }
}

/// A link-local that the kernel made, after duplicate-address detection.
pub(crate) fn kernel_link_local(ifindex: u32, text: &str) -> Address {
    Address { proto: Some(ifa_proto::KERNEL_LL), ..address(ifindex, text) }
}

pub(crate) fn link_event(link: Link) -> Event {
    Event::Link(Box::new(link))
}

pub(crate) fn chip() -> ChipIdentity {
    ChipIdentity::Simulated { chip_id: "t".to_owned(), ports: 4 }
}

pub(crate) const LIMITS: Limits = Limits {
    rifs: 4,
    virtual_routers: 2,
    mac_profiles: 2,
    mac_profile_bits: 36,
    lags: 2,
    adjacencies: 8,
    ecmp_size: 4,
};

pub(crate) fn reconciler() -> Reconciler {
    Reconciler::new(Policy::default(), chip(), LIMITS)
}

/// A next hop of weight 1 that works.
pub(crate) fn hop(ifindex: u32, gateway: Option<&str>) -> NextHop {
    NextHop {
        ifindex: Some(IfIndex(ifindex)),
        gateway: gateway.map(|ip| ip.parse().unwrap()),
        weight: 1,
        dead: false,
        link_down: false,
        encapsulated: false,
    }
}

/// A unicast route in the main table.
pub(crate) fn route(prefix: &str, hops: Vec<NextHop>) -> Route {
    Route {
        table: 254,
        prefix: prefix.parse().unwrap(),
        metric: 0,
        tos: 0,
        source: None,
        kind: RouteKind::Unicast,
        protocol: 4,
        via: Via::Hops(hops),
    }
}

/// A neighbour with MAC 02:00:00:00:01:`mac`.
pub(crate) fn neighbour(ifindex: u32, ip: &str, mac: Option<u8>) -> Neighbour {
    let mac = mac.map(|last| Mac([2, 0, 0, 0, 1, last]));
    Neighbour { ifindex: IfIndex(ifindex), ip: ip.parse().unwrap(), mac, permanent: false }
}
