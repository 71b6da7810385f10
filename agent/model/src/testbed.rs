//! Short ways to say links and addresses in tests.

use crate::intent::{ChipIdentity, Policy};
use crate::plan::Limits;
use crate::reconcile::Reconciler;
use crate::topology::{
    Address, Event, Link, LinkKind, MacvlanMode, OperState, ifa_flags, ifa_proto, iff,
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
    ChipIdentity { chip_id: "t".to_owned(), ports: 4 }
}

pub(crate) const LIMITS: Limits =
    Limits { rifs: 4, virtual_routers: 2, mac_profiles: 2, mac_profile_bits: 36 };

pub(crate) fn reconciler() -> Reconciler {
    Reconciler::new(Policy::default(), chip(), LIMITS)
}
