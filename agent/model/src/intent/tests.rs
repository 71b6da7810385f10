use super::*;
use crate::chip::Vid;
use crate::testbed::{
    SWP1, SWP2, address, bridge, bridged, chip, kernel_link_local, link_event, macvlan, port, vlan,
    vlan_of,
};
use crate::topology::{
    DevlinkPort, Event, IpvlanFlag, IpvlanMode, Link, LinkKind, MacvlanMode, OperState, Topology,
    ifa_flags,
};

const VMAC: &str = "00:00:5e:00:01:05";
const VMAC6: &str = "00:00:5e:00:02:05";

fn topology(events: impl IntoIterator<Item = Event>) -> Topology {
    let mut topology = Topology::default();
    for event in events {
        topology.fold(event);
    }
    topology
}

fn unit_of(topology: &Topology, ifindex: IfIndex) -> Unit {
    unit_with(&Policy::default(), topology, ifindex)
}

fn unit_with(policy: &Policy, topology: &Topology, ifindex: IfIndex) -> Unit {
    let chip = chip();
    let aware_bridge = aware_bridge(topology, &chip);
    unit(&Scene::alone(topology, policy, &chip, aware_bridge), ifindex)
}

/// swp1 with an address, a macvlan on it, and what `change` makes of the macvlan and its addresses.
fn verdict(upper: &Link, addresses: &[Event]) -> Option<Reason> {
    let base = [
        link_event(port(1)),
        Event::Address(address(SWP1, "192.0.2.1/24")),
        Event::Address(kernel_link_local(SWP1, "fe80::1/64")),
        link_event(upper.clone()),
    ];
    let topology = topology(base.into_iter().chain(addresses.iter().cloned()));
    let unit = unit_of(&topology, IfIndex(SWP1));
    unit.vmacs[&upper.ifindex].reason()
}

/// A bridge without ports of the chip, with what `events` add; what its unit and the verdict of the macvlan 21 are.
fn linux_bridge(
    linux_bridges: LinuxBridges,
    aware: bool,
    lower: u32,
    events: &[Event],
) -> (Option<Domain>, Vec<Mac>, Option<Reason>) {
    let policy = Policy { linux_bridges, ..Policy::default() };
    let upper = macvlan(21, lower, VMAC);
    let base = [
        link_event(bridge(30, aware)),
        link_event(vlan(31, 30, 10)),
        link_event(upper),
        Event::Address(address(21, "192.0.2.254/24")),
    ];
    let topology = topology(base.into_iter().chain(events.iter().cloned()));
    let unit = unit_with(&policy, &topology, IfIndex(lower));
    let reason = unit.vmacs[&IfIndex(21)].reason();
    let macs = unit.bridge_macs;
    let domain = macs.as_ref().map(|macs| macs.domain);
    (domain, macs.into_iter().flat_map(|macs| macs.macs).collect(), reason)
}

// Broken if an entry were made in another VLAN than frames for the macvlan have, or where the bridge does not get them.
#[test]
fn router_macs_of_linux_bridges() {
    use LinuxBridges::{Ignored, Shown, Written};
    let mac: Mac = VMAC.parse().unwrap();
    let domain = |vlan: Option<u16>| Some(Domain { bridge: IfIndex(30), vlan: vlan.map(Vid) });
    let pvid = vlan_of(30, 1, true);
    let member = vlan_of(30, 10, false);

    let of = linux_bridge;
    assert_eq!(of(Ignored, false, 30, &[]), (None, vec![], Some(Reason::LowerNotAsic)));
    assert_eq!(of(Shown, false, 30, &[]), (domain(None), vec![mac], Some(Reason::NotManaged)));
    assert_eq!(of(Written, false, 30, &[]), (domain(None), vec![mac], None));
    assert_eq!(of(Written, false, 31, &[]), (domain(None), vec![mac], None), "no VLANs there");
    let own = std::slice::from_ref(&pvid);
    assert_eq!(of(Written, true, 30, own), (domain(Some(1)), vec![mac], None));
    assert_eq!(of(Written, true, 30, &[]), (None, vec![], Some(Reason::NoPvid)));
    assert_eq!(of(Written, true, 31, own), (None, vec![], Some(Reason::VlanNotOnBridge)));
    assert_eq!(of(Written, true, 31, &[pvid, member]), (domain(Some(10)), vec![mac], None));

    // a backup: nothing to write, and nothing to show
    let down = [link_event(Link { proto_down: true, ..macvlan(21, 30, VMAC) })];
    for policy in [Shown, Written] {
        assert_eq!(of(policy, false, 30, &down), (domain(None), vec![], Some(Reason::Protodown)));
    }
    // with a port of the chip it is the chip's
    let ports = [link_event(bridged(port(1), 30))];
    assert_eq!(of(Written, false, 30, &ports), (None, vec![], Some(Reason::NoRif)));
    // a device whose driver routes takes care of its bridges itself
    let devlink = DevlinkPort { device: "pci/0000:03:00.0".to_owned(), index: 1 };
    let member = bridged(Link { altnames: vec![], devlink: Some(devlink), ..port(1) }, 30);
    let events = [
        link_event(bridge(30, false)),
        link_event(member),
        link_event(vlan(31, 30, 10)),
        link_event(macvlan(21, 31, VMAC)),
        Event::Address(address(21, "192.0.2.254/24")),
    ];
    let world = topology(events);
    let policy = Policy { linux_bridges: Written, ..Policy::default() };
    let chip = chip();
    for (handle, entries) in [("pci/0000:03:00.0", 0), ("pci/0000:04:00.0", 1)] {
        let routers = [handle.to_owned()].into();
        let scene = Scene { routers: &routers, ..Scene::alone(&world, &policy, &chip, None) };
        let macs = unit(&scene, IfIndex(31)).bridge_macs;
        assert_eq!(macs.map_or(0, |macs| macs.macs.len()), entries, "{handle} routes");
    }
    // what stands on no bridge is nobody's
    let elsewhere = [link_event(Link { altnames: vec![], ..port(2) })];
    let (domain, macs, reason) = of(Written, false, SWP2, &elsewhere);
    assert_eq!((domain, macs, reason), (None, vec![], Some(Reason::LowerNotAsic)));
}

fn with(text: &str) -> [Event; 1] {
    [Event::Address(address(21, text))]
}

// Broken if a backup attracted traffic or an active router did not: one row per clause of the `active` policy.
#[test]
fn active_policy() {
    use Reason::*;
    let mv = || macvlan(21, SWP1, VMAC);
    let vip = with("192.0.2.254/24");
    let ll = |flags, proto, text| [Event::Address(Address { flags, proto, ..address(21, text) })];
    use crate::topology::Address;
    let rows: Vec<(&str, Option<Reason>, Link, Vec<Event>)> = vec![
        ("active", None, mv(), vip.to_vec()),
        ("down", Some(MacvlanDown), Link { flags: 0, ..mv() }, vip.to_vec()),
        (
            "frr backup",
            Some(Protodown),
            Link { proto_down: true, operstate: OperState::Down, ..mv() },
            vip.to_vec(),
        ),
        (
            "frr backup after a flap of the lower",
            Some(Protodown),
            Link { proto_down: true, ..mv() },
            vip.to_vec(),
        ),
        (
            "down before proto_down",
            Some(MacvlanDown),
            Link { flags: 0, proto_down: true, ..mv() },
            vip.to_vec(),
        ),
        (
            "no carrier below",
            Some(LowerDown),
            Link { operstate: OperState::LowerLayerDown, ..mv() },
            vip.to_vec(),
        ),
        ("oper down", Some(MacvlanDown), Link { operstate: OperState::Down, ..mv() }, vip.to_vec()),
        (
            "oper unknown counts as up",
            None,
            Link { operstate: OperState::Unknown, ..mv() },
            vip.to_vec(),
        ),
        (
            "dormant counts as up",
            None,
            Link { operstate: OperState::Dormant, ..mv() },
            vip.to_vec(),
        ),
        ("keepalived backup", Some(NoAddress), mv(), vec![]),
        ("global", None, mv(), with("2001:db8::254/64").to_vec()),
        (
            "tentative of someone's",
            None,
            mv(),
            ll(ifa_flags::TENTATIVE | ifa_flags::PERMANENT, None, "2001:db8::254/64").to_vec(),
        ),
        (
            "from a router advertisement",
            Some(NoAddress),
            mv(),
            ll(0, Some(2), "2001:db8::9/64").to_vec(),
        ),
        (
            "failed detection",
            Some(NoAddress),
            mv(),
            ll(ifa_flags::DADFAILED, None, "2001:db8::254/64").to_vec(),
        ),
        (
            "made by the kernel",
            Some(LinklocalOnly),
            mv(),
            ll(ifa_flags::PERMANENT, Some(3), "fe80::9/64").to_vec(),
        ),
        (
            "made by the kernel, by EUI-64",
            Some(LinklocalOnly),
            mv(),
            with("fe80::200:5eff:fe00:105/64").to_vec(),
        ),
        (
            "tentative of the kernel's is seen in dumps only",
            Some(NoAddress),
            mv(),
            ll(ifa_flags::TENTATIVE, Some(3), "fe80::9/64").to_vec(),
        ),
        ("mirrored from the lower", Some(LinklocalOnly), mv(), with("fe80::1/64").to_vec()),
        ("link-local VIP", None, mv(), with("fe80::51/128").to_vec()),
        (
            "passthru",
            Some(MacvlanPassthru),
            Link { kind: LinkKind::Macvlan { mode: MacvlanMode::Passthru }, ..mv() },
            vip.to_vec(),
        ),
        ("group address", Some(MacMulticast), macvlan(21, SWP1, "01:00:5e:00:01:05"), vip.to_vec()),
        (
            "enslaved",
            Some(MacvlanEnslaved),
            Link { master: Some(IfIndex(99)), ..mv() },
            vip.to_vec(),
        ),
        (
            "ipvlan",
            Some(IpvlanSharesMac),
            Link {
                kind: LinkKind::Ipvlan { mode: IpvlanMode::L2, flag: IpvlanFlag::Bridge },
                ..mv()
            },
            vip.to_vec(),
        ),
        (
            "vepa ipvlan",
            Some(IpvlanVepaReflection),
            Link {
                kind: LinkKind::Ipvlan { mode: IpvlanMode::L3s, flag: IpvlanFlag::Vepa },
                ..mv()
            },
            vip.to_vec(),
        ),
    ];
    for (name, expected, upper, addresses) in rows {
        assert_eq!(verdict(&upper, &addresses), expected, "{name}");
    }
}

// Broken if keepalived's mirrored link-local, which is there before the parent's own is announced, made a backup active.
#[test]
fn a_link_local_waits_for_the_lowers() {
    let events = |lower_ll: Option<&str>| {
        let mut events = vec![
            link_event(port(1)),
            Event::Address(address(SWP1, "192.0.2.1/24")),
            link_event(macvlan(21, SWP1, VMAC6)),
            Event::Address(address(21, "fe80::51/128")),
        ];
        events.extend(lower_ll.map(|ll| Event::Address(kernel_link_local(SWP1, ll))));
        topology(events)
    };
    let reason =
        |topology: &Topology| unit_of(topology, IfIndex(SWP1)).vmacs[&IfIndex(21)].reason();
    assert_eq!(reason(&events(None)), Some(Reason::LinklocalOnly));
    assert_eq!(reason(&events(Some("fe80::51/64"))), Some(Reason::LinklocalOnly));
    assert_eq!(reason(&events(Some("fe80::1/64"))), None);
}

// Broken if a lower's admin-down, which sends no message for the macvlan, left the MAC in the chip.
#[test]
fn a_lower_that_is_down_holds_its_macvlans() {
    let topology = topology([
        link_event(Link { flags: 0, operstate: OperState::Down, ..port(1) }),
        Event::Address(address(SWP1, "192.0.2.1/24")),
        link_event(macvlan(21, SWP1, VMAC)),
        Event::Address(address(21, "192.0.2.254/24")),
    ]);
    let unit = unit_of(&topology, IfIndex(SWP1));
    assert_eq!(unit.vmacs[&IfIndex(21)].reason(), Some(Reason::LowerDown));
    assert!(unit.router_interface.is_some(), "the interface itself does not depend on its state");
}

// Broken if a router interface came or went by another rule than its addresses.
#[test]
fn a_router_interface_needs_an_address() {
    use crate::topology::Address;
    let rif = |link: Link, address: Option<Address>| {
        let events = [Some(link_event(link)), address.map(Event::Address)];
        let topology = topology(events.into_iter().flatten());
        let unit = unit_of(&topology, IfIndex(SWP1));
        (unit.router_interface.is_some(), unit.rif.map(|verdict| verdict.reason()))
    };
    let v4 = || Some(address(SWP1, "192.0.2.1/24"));
    assert_eq!(rif(port(1), None), (false, None), "nothing to say");
    assert_eq!(rif(port(1), v4()), (true, Some(None)));
    assert_eq!(rif(port(1), Some(kernel_link_local(SWP1, "fe80::1/64"))), (true, Some(None)));
    let tentative =
        Address { flags: ifa_flags::TENTATIVE, ..kernel_link_local(SWP1, "fe80::1/64") };
    assert_eq!(rif(port(1), Some(tentative)), (false, Some(Some(Reason::NoAddress))));
    let failed = Address { flags: ifa_flags::DADFAILED, ..address(SWP1, "2001:db8::1/64") };
    assert_eq!(rif(port(1), Some(failed)), (false, Some(Some(Reason::NoAddress))));
    let enslaved = Link { master: Some(IfIndex(99)), ..port(1) };
    assert_eq!(rif(enslaved, v4()), (false, Some(Some(Reason::PortEnslaved))));
    let foreign = Link { altnames: vec!["hwsim-other-p1".into()], ..port(1) };
    assert_eq!(rif(foreign, v4()), (false, Some(Some(Reason::LowerNotAsic))));
    let beyond = Link { altnames: vec!["hwsim-t-p5".into()], ..port(1) };
    assert_eq!(rif(beyond, v4()), (false, Some(Some(Reason::LowerNotAsic))));
}

// Broken if a device's port were taken for another device's, or the first one were none.
#[test]
fn ports_of_a_device_are_those_that_the_kernel_says() {
    let chip = ChipIdentity::Device { handle: "pci/0000:03:00.0".to_owned() };
    let of = |device: &str, index| {
        let devlink = Some(DevlinkPort { device: device.to_owned(), index });
        chip.port_of(&Link { devlink, altnames: vec![], ..port(1) })
    };
    assert_eq!(of("pci/0000:03:00.0", 0), Some(LocalPort(0)));
    assert_eq!(of("pci/0000:03:00.1", 1), None);
    assert_eq!(of("pci/0000:03:00.0", 70_000), None);
    assert_eq!(chip.port_of(&port(1)), None);
}

// Broken if the content of a router interface missed a MAC, a slot or a destination.
#[test]
fn content_of_a_router_interface() {
    let topology = topology([
        link_event(port(1)),
        Event::Address(address(SWP1, "192.0.2.1/24")),
        Event::Address(address(SWP1, "198.51.100.1/31")),
        Event::Address(kernel_link_local(SWP1, "fe80::1/64")),
        link_event(macvlan(21, SWP1, "00:00:5e:00:01:07")),
        Event::Address(address(21, "192.0.2.254/24")),
        link_event(macvlan(22, SWP1, VMAC)),
        Event::Address(address(22, "192.0.2.253/32")),
        link_event(macvlan(23, SWP1, VMAC6)),
        Event::Address(address(23, "2001:db8::254/64")),
        link_event(macvlan(24, SWP1, "00:00:5e:00:01:01")),
        link_event(macvlan(25, SWP1, VMAC)),
        Event::Address(address(25, "192.0.2.252/32")),
    ]);
    let unit = unit_of(&topology, IfIndex(SWP1));
    let interface = unit.router_interface.unwrap();
    let vrid = |id: u8| Vrid::try_from(id).ok();
    assert_eq!(
        (interface.vrrp_ipv4, interface.vrrp_ipv6),
        (vrid(5), vrid(5)),
        "the lowest admitted"
    );
    let owners = |mac: &str| interface.router_macs[&mac.parse().unwrap()].clone();
    assert_eq!(owners(VMAC), BTreeSet::from([IfIndex(22), IfIndex(25)]));
    assert_eq!(interface.router_macs.len(), 4, "own, two of IPv4, one of IPv6");
    let destinations: Vec<String> =
        interface.destinations.iter().map(ToString::to_string).collect();
    assert_eq!(
        destinations,
        [
            "192.0.2.1/32",
            "192.0.2.252/32",
            "192.0.2.253/32",
            "192.0.2.254/32",
            "192.0.2.255/32",
            "198.51.100.1/32",
            "2001:db8::254/128"
        ]
    );
}

// Broken if a macvlan whose lower is elsewhere had no verdict.
#[test]
fn macvlans_without_a_lower_here() {
    let foreign = Link { link_netnsid: Some(0), ..macvlan(21, SWP1, VMAC) };
    let early = macvlan(22, SWP1, VMAC);
    let topology = topology([link_event(foreign), link_event(early)]);
    let reason = |ifindex| unit_of(&topology, IfIndex(ifindex)).vmacs[&IfIndex(ifindex)].reason();
    assert_eq!(reason(21), Some(Reason::ForeignNetns));
    assert_eq!(reason(22), Some(Reason::LowerNotAsic));
}

// Broken if vrrpd's former MAC were withdrawn before it could be kept as a receiving address, stayed without being kept, or a
// virtual MAC that was given back went on attracting traffic.
#[test]
fn accept_set() {
    let own = port(1);
    let with = |mac: &str| Link { mac: Some(mac.parse().unwrap()), ..own.clone() };
    let mut topology = topology([
        link_event(own.clone()),
        Event::Address(address(SWP1, "192.0.2.1/24")),
        link_event(with(VMAC)),
    ]);
    let accepted = |topology: &Topology| -> Vec<String> {
        let unit = unit_of(topology, IfIndex(SWP1));
        unit.router_interface.unwrap().router_macs.keys().map(ToString::to_string).collect()
    };
    let former = own.mac.unwrap();
    assert_eq!(accepted(&topology), [VMAC, &former.to_string()]);
    topology.fold(Event::MacList(IfIndex(SWP1), [former].into()));
    topology.fold(Event::FiltersSettled(IfIndex(SWP1)));
    assert_eq!(accepted(&topology), [VMAC, &former.to_string()], "it is in the filters");
    topology.fold(Event::MacList(IfIndex(SWP1), [].into()));
    assert_eq!(accepted(&topology), [VMAC]);
    topology.fold(link_event(own.clone()));
    assert_eq!(accepted(&topology), [former.to_string()], "a backup at once");
    // a backup's macvlan is in the filters as well, and so is one that moved away
    topology.fold(link_event(macvlan(21, SWP1, VMAC)));
    topology.fold(Event::MacList(IfIndex(SWP1), [VMAC.parse().unwrap()].into()));
    assert_eq!(accepted(&topology), [former.to_string()]);
    topology.fold(Event::LinkGone(IfIndex(21)));
    assert_eq!(accepted(&topology), [former.to_string()]);
    // what somebody asks for by name is accepted
    topology.fold(Event::Receives(IfIndex(SWP1), "02:00:00:00:00:77".parse().unwrap()));
    assert_eq!(accepted(&topology), [former.to_string(), "02:00:00:00:00:77".to_owned()]);
}
