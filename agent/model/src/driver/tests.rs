use std::collections::BTreeMap;

use super::*;
use crate::intent::{Reason, State, VmacPolicy, VmacRule};
use crate::testbed::{
    SWP1, SWP2, address, bond, bonded, bridge, bridged, kernel_link_local, link_event, macvlan,
    port, vlan, vlan_of,
};
use crate::topology::{DevlinkPort, Event, IpvlanFlag, IpvlanMode, LinkKind, MacvlanMode};
use crate::{LocalPort, Mac};

const HANDLE: &str = "pci/0000:03:00.0";
const V5: &str = "00:00:5e:00:01:05";
const V6: &str = "00:00:5e:00:01:06";

/// Port `n` of the device.
fn front(n: u16) -> Link {
    let devlink = DevlinkPort { device: HANDLE.to_owned(), index: u32::from(n) };
    Link { altnames: vec![], devlink: Some(devlink), ..port(n) }
}

fn topology(events: impl IntoIterator<Item = Event>) -> Topology {
    let mut topology = Topology::default();
    for event in events {
        topology.fold(event);
    }
    topology
}

/// swp1 of the device with an address, and what else there is.
fn world(more: impl IntoIterator<Item = Event>) -> Topology {
    let base = [link_event(front(1)), Event::Address(address(SWP1, "192.0.2.1/24"))];
    topology(base.into_iter().chain(more))
}

fn told(driver: Driver, topology: &Topology, readings: &Readings) -> DeviceAudit {
    audit(topology, &Policy::default(), driver, HANDLE, readings)
}

fn spectrum(topology: &Topology) -> DeviceAudit {
    told(Driver::Spectrum, topology, &Readings::default())
}

fn vmac(audit: &DeviceAudit, ifindex: u32) -> Option<(Option<Reason>, bool)> {
    let vmac = audit.vmacs.get(&IfIndex(ifindex))?;
    Some((vmac.verdict.reason(), vmac.fast_path))
}

fn reason(audit: &DeviceAudit, ifindex: u32) -> Option<Option<Reason>> {
    rif(audit, ifindex).map(|(reason, _)| reason)
}

fn rif(audit: &DeviceAudit, ifindex: u32) -> Option<(Option<Reason>, Evidence)> {
    let rif = audit.rifs.get(&IfIndex(ifindex))?;
    Some((rif.verdict.reason(), rif.evidence))
}

fn hazards(audit: &DeviceAudit) -> Vec<(HazardKind, Option<u32>, bool)> {
    let row = |hazard: &Hazard| (hazard.kind, hazard.about.map(|about| about.0), hazard.certain);
    audit.all_hazards().map(row).collect()
}

fn upper(ifindex: u32, mac: &str) -> Event {
    link_event(macvlan(ifindex, SWP1, mac))
}

fn on(ifindex: u32, text: &str) -> Event {
    Event::Address(address(ifindex, text))
}

// Broken if a driver were taken for another kind of switch than it is, or a NIC for a switch.
#[test]
fn drivers_by_name() {
    for (name, driver) in [
        ("mlxsw_spectrum", Driver::Spectrum),
        ("mlxsw_spectrum4", Driver::Spectrum),
        ("mlxsw_minimal", Driver::Unknown),
        ("Prestera DX", Driver::Prestera),
        ("prestera", Driver::Prestera),
        ("mscc_felix", Driver::Bridging),
        ("ocelot-switch", Driver::Bridging),
        ("mv88e6085", Driver::Bridging),
        ("LAN9303_MDIO", Driver::Bridging),
        ("am65-cpsw-nuss", Driver::Bridging),
        ("netdevsim", Driver::Netdevsim),
        ("mlx5_core", Driver::Unknown),
        ("ice", Driver::Unknown),
        ("", Driver::Unknown),
    ] {
        assert_eq!(Driver::of(name), driver, "{name}");
        assert_eq!(driver.is_switch(), driver != Driver::Unknown);
    }
}

// Broken if mlxsw were thought to look at more than addresses: the state of a macvlan, or Firsthop's policy or exceptions.
#[test]
fn mlxsw_asks_for_an_address_only() {
    let down = |change: fn(&mut Link)| {
        let mut link = macvlan(21, SWP1, V5);
        change(&mut link);
        spectrum(&world([link_event(link), on(21, "192.0.2.254/24")]))
    };
    for change in [
        (|_| {}) as fn(&mut Link),
        |link| link.flags = 0,
        |link| link.proto_down = true,
        |link| link.kind = LinkKind::Macvlan { mode: MacvlanMode::Bridge },
    ] {
        assert_eq!(vmac(&down(change), 21), Some((None, true)));
    }
    // a backup of keepalived's that kept its link-local
    let local = [upper(21, V5), Event::Address(kernel_link_local(21, "fe80::5/64"))];
    assert_eq!(vmac(&spectrum(&world(local)), 21), Some((None, true)));
    assert_eq!(
        vmac(&spectrum(&world([upper(21, V5)])), 21),
        Some((Some(Reason::NoAddress), false))
    );
    let policy =
        Policy { exclude: ["mv21".to_owned(), "swp1".to_owned()].into(), ..Policy::default() };
    let active = world([upper(21, V5), on(21, "192.0.2.254/24")]);
    let audit = audit(&active, &policy, Driver::Spectrum, HANDLE, &Readings::default());
    assert_eq!(
        (vmac(&audit, 21), rif(&audit, SWP1)),
        (Some((None, true)), Some((None, Evidence::Computed)))
    );
}

// Broken if a macvlan that the driver has no place for seemed to be in the chip.
#[test]
fn mlxsw_has_no_place_for_it() {
    let without_address = topology([link_event(front(1)), upper(21, V5), on(21, "192.0.2.254/24")]);
    assert_eq!(vmac(&spectrum(&without_address), 21), Some((Some(Reason::NoRif), false)));
    let ipvlan = LinkKind::Ipvlan { mode: IpvlanMode::L2, flag: IpvlanFlag::Bridge };
    let of = |change: fn(&mut Link, LinkKind), kind: &LinkKind| {
        let mut link = macvlan(21, SWP1, V5);
        change(&mut link, kind.clone());
        let world =
            world([link_event(bridge(30, false)), link_event(link), on(21, "192.0.2.254/24")]);
        spectrum(&world).vmacs[&IfIndex(21)].verdict.reason()
    };
    assert_eq!(of(|link, kind| link.kind = kind, &ipvlan), Some(Reason::IpvlanSharesMac));
    let none = LinkKind::None;
    assert_eq!(of(|link, _| link.master = Some(IfIndex(30)), &none), Some(Reason::MacvlanEnslaved));
    assert_eq!(of(|link, _| link.mac = Some(Mac([0; 6])), &none), Some(Reason::MacMulticast));
}

// Broken if a router interface of the driver's were missed, or one were told that it does not make.
#[test]
fn mlxsw_router_interfaces() {
    let world = world([
        link_event(bonded(front(2), 40)),
        link_event(bond(40)),
        on(40, "198.51.100.1/24"),
        link_event(bridge(30, true)),
        link_event(bridged(front(3), 30)),
        vlan_of(30, 1, true),
        on(30, "203.0.113.1/24"),
        link_event(vlan(31, 30, 10)),
        on(31, "203.0.113.129/25"),
        on(13, "203.0.113.2/24"),
        link_event(front(4)),
        // of another device
        link_event(Link { altnames: vec![], ..port(5) }),
        on(15, "192.0.2.5/24"),
    ]);
    let audit = spectrum(&world);
    let told: Vec<_> =
        audit.rifs.keys().map(|ifindex| (ifindex.0, reason(&audit, ifindex.0))).collect();
    assert_eq!(
        told,
        [
            (11, Some(None)),
            (12, Some(Some(Reason::PortEnslaved))),
            (13, Some(Some(Reason::PortEnslaved))),
            (14, Some(Some(Reason::NoAddress))),
            (30, Some(None)),
            (31, Some(None)),
            (40, Some(None)),
        ]
    );
    let place = audit.rifs[&IfIndex(11)].place.clone();
    assert!(matches!(place, Some(Place::Subport(lane)) if lane.ports.contains_key(&LocalPort(1))));
    assert!(matches!(audit.rifs[&IfIndex(31)].place, Some(Place::Domain(_))));
}

// Broken if what was read did not win over what was computed, or one passed for the other.
#[test]
fn what_was_read_wins() {
    let world = world([
        link_event(front(2)),
        on(SWP2, "198.51.100.1/24"),
        upper(21, V5),
        on(21, "192.0.2.254/24"),
    ]);
    let with = |readings: Readings| told(Driver::Spectrum, &world, &readings);
    let rifs = |occ| Readings { rifs: Some(Occupancy { size: 1000, occ }), ..Readings::default() };
    let erifs = |list: &[(u32, u16)]| Readings {
        erifs: Some(list.iter().map(|(ifindex, index)| (IfIndex(*ifindex), *index)).collect()),
        ..Readings::default()
    };
    // two, and the driver's own
    assert_eq!(rif(&with(rifs(3)), SWP1), Some((None, Evidence::Read)));
    assert_eq!(rif(&with(rifs(2)), SWP1), Some((None, Evidence::Computed)));

    let all = with(erifs(&[(SWP1, 1), (SWP2, 2)]));
    assert_eq!(rif(&all, SWP2), Some((None, Evidence::Read)));
    assert_eq!(all.rifs[&IfIndex(SWP2)].index, Some(2));
    assert_eq!(all.vmacs[&IfIndex(21)].evidence, Evidence::Computed, "nobody can read it");

    let missing = with(erifs(&[(SWP2, 2)]));
    assert_eq!(rif(&missing, SWP1), Some((Some(Reason::RifMissing), Evidence::Read)));
    assert_eq!(
        missing.rifs[&IfIndex(SWP1)].verdict.reason().map(Reason::state),
        Some(State::Failed)
    );
    assert_eq!(vmac(&missing, 21), Some((Some(Reason::NoRif), false)));
    assert_eq!(missing.vmacs[&IfIndex(21)].evidence, Evidence::Read);

    let bare = topology([link_event(front(1))]);
    assert_eq!(reason(&spectrum(&bare), SWP1), Some(Some(Reason::NoAddress)));
    let more = told(Driver::Spectrum, &bare, &erifs(&[(SWP1, 7)]));
    assert_eq!(rif(&more, SWP1), Some((None, Evidence::Read)));
}

// Broken if nobody were told that VRIDs share a slot, or one were told that shares it with nobody.
#[test]
fn second_vrid_slot() {
    let two = |second: &str, address: &str| {
        let more = [upper(21, V5), on(21, "192.0.2.254/24"), upper(22, second), on(22, address)];
        spectrum(&world(more))
    };
    let slot = |ifindex| (HazardKind::SecondVridSlot, Some(ifindex), true);
    let shared = two(V6, "192.0.2.253/24");
    assert_eq!(hazards(&shared), [slot(21), slot(22)]);
    assert_eq!((vmac(&shared, 21), vmac(&shared, 22)), (Some((None, false)), Some((None, false))));
    let families = two("00:00:5e:00:02:06", "fe80::6/64");
    assert!(!hazards(&families).iter().any(|(kind, ..)| *kind == HazardKind::SecondVridSlot));
    assert_eq!(
        (vmac(&families, 21), vmac(&families, 22)),
        (Some((None, true)), Some((None, true)))
    );
    // another router's MAC has no slot
    assert_eq!(hazards(&two("00:07:b4:00:01:01", "192.0.2.253/24")), []);
    assert_eq!(vmac(&two("00:07:b4:00:01:01", "192.0.2.253/24"), 22), Some((None, false)));
}

// Broken if a backup that the driver routes for went unnoticed, or an active router were called one.
#[test]
fn backup_attracts() {
    let one = |certain| vec![(HazardKind::BackupAttracts, Some(21), certain)];
    let of = |link: Link, addresses: &[Event]| {
        let more = [link_event(link)].into_iter().chain(addresses.iter().cloned());
        hazards(&spectrum(&world(more)))
    };
    let vip = [on(21, "192.0.2.254/24")];
    let plain = macvlan(21, SWP1, V5);
    assert_eq!(of(plain.clone(), &vip), []);
    // FRR's
    assert_eq!(of(Link { proto_down: true, ..plain.clone() }, &vip), one(true));
    assert_eq!(of(Link { flags: 0, ..plain.clone() }, &vip), one(true));
    // keepalived's, with a link-local, and without
    assert_eq!(
        of(plain.clone(), &[Event::Address(kernel_link_local(21, "fe80::5/64"))]),
        one(true)
    );
    assert_eq!(of(plain.clone(), &[]), one(false));
    let passthru = LinkKind::Macvlan { mode: MacvlanMode::Passthru };
    assert_eq!(of(Link { kind: passthru, ..plain.clone() }, &[]), []);
    // nothing is routed without a router interface
    assert_eq!(hazards(&spectrum(&topology([link_event(front(1)), link_event(plain)]))), []);
    // who wants it, gets it
    let rule = VmacRule { lower: Some("swp1".to_owned()), mac: None, policy: VmacPolicy::Always };
    let policy = Policy { vmac_rules: vec![rule], ..Policy::default() };
    let world = world([upper(21, V5)]);
    let audit = audit(&world, &policy, Driver::Spectrum, HANDLE, &Readings::default());
    assert_eq!(hazards(&audit), []);
}

// Broken if a record under a former MAC went unnoticed, or a MAC that was set before anything was programmed made one.
#[test]
fn stale_record() {
    let kinds = |topology: &Topology| -> Vec<HazardKind> {
        hazards(&spectrum(topology)).into_iter().map(|(kind, ..)| kind).collect()
    };
    let moved = |events: &[Event]| kinds(&world(events.iter().cloned()));
    let vip = on(21, "192.0.2.254/24");
    let random = "02:00:00:00:00:99";
    assert_eq!(moved(&[upper(21, random), upper(21, V5), vip.clone()]), []);
    let late = [upper(21, random), vip.clone(), upper(21, V5)];
    assert_eq!(moved(&late), [HazardKind::StaleRecord]);
    let back = [upper(21, V5), vip.clone(), upper(21, random), upper(21, V5)];
    assert_eq!(moved(&back), [HazardKind::StaleRecord], "the one in between counts");
    let twice = [upper(21, V5), vip.clone(), upper(21, V5)];
    assert_eq!(moved(&twice), []);
    // also where the change was missed, and only a snapshot shows it
    let mut missed = world([upper(21, random), vip]);
    let addresses = [SWP1, 21].map(|ifindex| missed.addresses(IfIndex(ifindex)).to_vec());
    let links = vec![front(1), macvlan(21, SWP1, V5)];
    missed.replace(crate::topology::Snapshot {
        links,
        addresses: addresses.concat(),
        ..crate::topology::Snapshot::default()
    });
    assert_eq!(kinds(&missed), [HazardKind::StaleRecord]);
}

// Broken if a table or policer were called too small that is not, or one that is were not.
#[test]
fn tables_and_policers() {
    let row = |size, occ| Some(Occupancy { size, occ });
    let of = |readings: Readings| -> Vec<HazardKind> {
        let audit = told(Driver::Spectrum, &Topology::default(), &readings);
        hazards(&audit).into_iter().map(|(kind, ..)| kind).collect()
    };
    let full = vec![HazardKind::TableNearFull];
    assert_eq!(of(Readings { rifs: row(1000, 899), ..Readings::default() }), []);
    assert_eq!(of(Readings { rifs: row(1000, 900), ..Readings::default() }), full);
    assert_eq!(of(Readings { rif_mac_profiles: row(4, 3), ..Readings::default() }), []);
    assert_eq!(of(Readings { rif_mac_profiles: row(4, 4), ..Readings::default() }), full);
    // Spectrum-1
    assert_eq!(of(Readings { rif_mac_profiles: row(1, 1), ..Readings::default() }), []);

    let size = |rate, burst| Some(PolicerSize { rate, burst });
    let policer = |need| {
        of(Readings { vrrp_policer: size(256, 128), vrrp_need: need, ..Readings::default() })
    };
    assert_eq!(policer(None), []);
    assert_eq!(policer(size(256, 128)), []);
    assert_eq!(policer(size(257, 1)), [HazardKind::PolicerTooSmall]);
    assert_eq!(policer(size(1, 129)), [HazardKind::PolicerTooSmall]);
}

// Broken if a driver without a router seemed to have one, or nobody said that it takes no second MAC.
#[test]
fn drivers_without_a_router() {
    let world = world([
        upper(21, V5),
        on(21, "192.0.2.254/24"),
        link_event(bridge(30, false)),
        link_event(bridged(front(2), 30)),
        on(30, "198.51.100.1/24"),
        link_event(macvlan(22, 30, V6)),
    ]);
    for driver in [Driver::Bridging, Driver::Netdevsim] {
        let audit = told(driver, &world, &Readings::default());
        let unsupported = Some((Some(Reason::RifUnsupported), Evidence::Computed));
        assert_eq!((rif(&audit, SWP1), rif(&audit, 30)), (unsupported, unsupported));
        assert_eq!(rif(&audit, SWP2), unsupported);
        assert_eq!(vmac(&audit, 21), Some((Some(Reason::VmacUnsupported), false)));
        assert_eq!(vmac(&audit, 22), None, "the bridge speaks for it");
        assert_eq!(hazards(&audit), []);
    }
    let audit = told(Driver::Unknown, &world, &Readings::default());
    assert_eq!((audit.rifs.len(), audit.vmacs.len()), (0, 0));
}

// Broken if prestera seemed to route more than plain ports, or more than IPv4, or to take a macvlan's MAC.
#[test]
fn prestera() {
    let world = world([
        upper(21, V5),
        on(21, "192.0.2.254/24"),
        link_event(front(2)),
        on(SWP2, "2001:db8::1/64"),
        link_event(vlan(31, SWP1, 10)),
        on(31, "198.51.100.1/24"),
        link_event(bridge(30, false)),
        link_event(bridged(front(3), 30)),
        on(13, "203.0.113.1/24"),
    ]);
    let audit = told(Driver::Prestera, &world, &Readings::default());
    let reason = |ifindex| reason(&audit, ifindex);
    assert_eq!(reason(SWP1), Some(None));
    assert_eq!(reason(SWP2), Some(Some(Reason::NoAddress)));
    assert_eq!(reason(31), Some(Some(Reason::RifUnsupported)));
    assert_eq!(reason(13), Some(Some(Reason::PortEnslaved)));
    assert_eq!(vmac(&audit, 21), Some((Some(Reason::VmacUnsupported), false)));
}

// Broken if ports of a simulated chip, which may be netdevsim's, were audited as netdevsim's.
#[test]
fn a_simulated_chip_keeps_its_ports() {
    let simulated = Link { altnames: port(1).altnames, ..front(1) };
    let world = topology([link_event(simulated), on(SWP1, "192.0.2.1/24"), upper(21, V5)]);
    let audit = told(Driver::Netdevsim, &world, &Readings::default());
    assert_eq!((audit.rifs, audit.vmacs), (BTreeMap::new(), BTreeMap::new()));
    let below = |topology: &Topology| {
        port_below(topology, topology.link(IfIndex(21))?).map(|port| port.index)
    };
    assert_eq!(below(&world), None);
    assert_eq!(below(&super::tests::world([upper(21, V5)])), Some(1));
}

// Broken if a code, a sentence or a fix were missing, or two hazards had one code.
#[test]
fn hazards_have_words() {
    let mut codes = std::collections::BTreeSet::new();
    for kind in HazardKind::ALL {
        assert!(codes.insert(kind.code()));
        assert!(!kind.sentence().is_empty() && !kind.fix().is_empty());
        assert!(!kind.sentence().contains("  "), "{}", kind.sentence());
    }
}
