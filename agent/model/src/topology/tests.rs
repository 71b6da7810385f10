use super::*;

fn link(ifindex: u32, ifname: &str) -> Link {
    Link {
        ifindex: IfIndex(ifindex),
        ifname: ifname.to_owned(),
        altnames: Vec::new(),
        mac: None,
        mtu: 1500,
        flags: 0,
        operstate: OperState::Unknown,
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

fn macvlan(ifindex: u32, lower: u32) -> Link {
    Link {
        link: Some(IfIndex(lower)),
        kind: LinkKind::Macvlan { mode: MacvlanMode::Private },
        ..link(ifindex, "mv")
    }
}

fn address(ifindex: u32, ip: &str) -> Address {
    Address {
        ifindex: IfIndex(ifindex),
        ip: ip.parse().unwrap(),
        prefix_len: 24,
        peer: None,
        broadcast: None,
        flags: ifa_flags::PERMANENT,
        proto: None,
    }
}

fn set(ids: &[u32]) -> BTreeSet<IfIndex> {
    ids.iter().copied().map(IfIndex).collect()
}

// Broken if a macvlan announced before its lower, or an address before its link, were lost.
#[test]
fn order_of_announcements_does_not_matter() {
    let events = [
        Event::Link(Box::new(macvlan(3, 2))),
        Event::Address(address(3, "192.0.2.254")),
        Event::Link(Box::new(link(2, "swp1"))),
    ];
    let mut forward = Topology::default();
    let mut backward = Topology::default();
    events.iter().for_each(|event| drop(forward.fold(event.clone())));
    events.iter().rev().for_each(|event| drop(backward.fold(event.clone())));
    assert_eq!(forward, backward);
    assert_eq!(forward.uppers(IfIndex(2)).count(), 1);
    assert_eq!(forward.addresses(IfIndex(3)).len(), 1);
}

// Broken if a change of a macvlan did not lead to its lower's router interface being computed again.
#[test]
fn a_macvlan_touches_its_lower() {
    let mut topology = Topology::default();
    topology.fold(Event::Link(Box::new(link(2, "swp1"))));
    assert_eq!(topology.fold(Event::Link(Box::new(macvlan(3, 2)))), set(&[2, 3]));
    assert_eq!(topology.fold(Event::Address(address(3, "192.0.2.254"))), set(&[2, 3]));
    assert_eq!(topology.fold(Event::Link(Box::new(macvlan(3, 2)))), set(&[]), "nothing changed");
    assert_eq!(topology.fold(Event::LinkGone(IfIndex(3))), set(&[2, 3]));
    assert_eq!(topology.uppers(IfIndex(2)).count(), 0);
}

// Broken if devices that vanished while events were lost stayed, or unchanged ones were computed again.
#[test]
fn replace_touches_only_differences() {
    let mut topology = Topology::default();
    for event in [link(1, "lo"), link(2, "swp1"), macvlan(3, 2)] {
        topology.fold(Event::Link(Box::new(event)));
    }
    topology.fold(Event::Address(address(2, "192.0.2.1")));
    let snapshot = Snapshot {
        links: vec![link(1, "lo"), link(2, "swp1")],
        addresses: vec![address(2, "192.0.2.1")],
        ..Snapshot::default()
    };
    assert_eq!(topology.replace(snapshot.clone()), set(&[2, 3]));
    assert_eq!(topology.replace(snapshot), set(&[]));
}

// Broken if IFLA_LINK of a veth, which names the peer, were taken for the device below.
#[test]
fn veth_peers_are_not_stacked() {
    let veth = Link {
        link: Some(IfIndex(9)),
        kind: LinkKind::Other { name: "veth".into() },
        ..link(2, "v")
    };
    assert_eq!(veth.lower(), None);
    assert_eq!(Link { link_netnsid: Some(0), ..macvlan(3, 2) }.lower(), None);
}
