//! Router interfaces on LAGs, VLANs and bridges, and the bridging beneath them.

use super::*;
use crate::LocalPort;
use crate::chip::{FloodClass, FloodTo, LagId, PortOrLag, RifKind, Vid};
use crate::intent::Domain;
use crate::testbed::{bond, bonded, bridge, bridged, vlan, vlan_of};
use crate::topology::{LinkKind, StpState};

const BR: u32 = 30;
const BOND: u32 = 40;

fn kind(reconciler: &Reconciler, ifindex: u32) -> Option<RifKind> {
    reconciler.applied_rif(IfIndex(ifindex)).map(|rif| rif.kind)
}

/// Nothing is left to do, and nothing of router interfaces, bridging and LAGs is left in the chip.
fn assert_empty(reconciler: &Reconciler) {
    assert!(reconciler.is_synced(), "{reconciler:?}");
    let global = |key: &&Key| {
        matches!(key, Key::Router | Key::Policer(_) | Key::TrapGroup(_) | Key::Trap(_))
            || matches!(key, Key::LpmTree(_) | Key::LpmTreeShape(_) | Key::Multipath)
    };
    let left: Vec<&Key> = reconciler.applied().tables().keys().filter(|key| !global(key)).collect();
    assert_eq!(left, Vec::<&Key>::new());
}

/// A new reconciler that takes the chip over as the old one left it, with the same view: what it writes.
fn restart(old: &Reconciler, state: &[Event]) -> Vec<Change> {
    restarted(old, state).1
}

fn restarted(old: &Reconciler, state: &[Event]) -> (Reconciler, Vec<Change>) {
    let mut fresh = reconciler();
    fold(&mut fresh, state.iter().cloned());
    fresh.recompute();
    let chip = old.applied().tables().clone();
    let scan = |key: &Key| matches!(key, Key::Rif(_) | Key::RouterMac(..));
    let scanned = chip.clone().into_iter().filter(|(key, _)| scan(key)).collect();
    for key in fresh.adopt(scanned) {
        fresh.settle(&key, chip.get(&key).cloned());
    }
    for key in fresh.claim() {
        fresh.settle(&key, chip.get(&key).cloned());
    }
    let written = settle(&mut fresh);
    (fresh, written)
}

/// A VLAN-aware bridge of swp1 and swp2 with PVID 1, an address, a VLAN device of VLAN 10, and macvlans on both.
fn aware() -> Vec<Event> {
    let mut events = vec![
        link_event(bridge(BR, true)),
        link_event(bridged(port(1), BR)),
        link_event(bridged(port(2), BR)),
        addr(BR, "192.0.2.1/24"),
        link_event(vlan(31, BR, 10)),
        addr(31, "198.51.100.1/24"),
        link_event(macvlan(32, BR, &vmac(5))),
        addr(32, "192.0.2.254/24"),
        link_event(macvlan(33, 31, &vmac(6))),
        addr(33, "198.51.100.254/24"),
        vlan_of(SWP1, 10, false),
    ];
    events.extend([SWP1, SWP2, BR].map(|port| vlan_of(port, 1, true)));
    events
}

// Broken if a bridge had no router interface, or its going left anything in the chip.
#[test]
fn an_unaware_bridge_routes_and_goes() {
    let mut reconciler = reconciler();
    let state = [
        link_event(bridge(BR, false)),
        link_event(bridged(port(1), BR)),
        link_event(bridged(port(2), BR)),
        addr(BR, "192.0.2.1/24"),
    ];
    fold(&mut reconciler, state.clone());
    settle(&mut reconciler);
    let fid = Fid(4095);
    assert_eq!(kind(&reconciler, BR), Some(RifKind::Fid { fid }));
    let floods = |to| reconciler.applied().get(&Key::FloodPort(fid, FloodClass::Broadcast, to));
    assert!(floods(FloodTo::Router).is_some() && floods(FloodTo::Port(LocalPort(2))).is_some());
    assert_eq!(restart(&reconciler, &state), []);
    fold(&mut reconciler, [link_event(port(1)), link_event(port(2)), Event::LinkGone(IfIndex(BR))]);
    settle(&mut reconciler);
    assert_empty(&reconciler);
}

// Broken if a VLAN-aware bridge or its VLAN devices had no router interface, or a restart wrote anything.
#[test]
fn an_aware_bridge_routes_by_vlan() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, aware());
    settle(&mut reconciler);
    let of = |vid| RifKind::Vlan { vid: Vid(vid), fid: Fid(vid) };
    assert_eq!((kind(&reconciler, BR), kind(&reconciler, 31)), (Some(of(1)), Some(of(10))));
    let routed = |fid, mac: &str| Key::RouterMac(Fid(fid), mac.parse().unwrap());
    assert!(reconciler.applied().get(&routed(1, &vmac(5))).is_some());
    assert!(reconciler.applied().get(&routed(10, &vmac(6))).is_some());
    let (mut reconciler, written) = restarted(&reconciler, &aware());
    assert_eq!(written, []);
    fold(&mut reconciler, [31, 32, 33, BR].map(|gone| Event::LinkGone(IfIndex(gone))));
    fold(&mut reconciler, [link_event(port(1)), link_event(port(2))]);
    settle(&mut reconciler);
    assert_empty(&reconciler);
}

// Broken if the router interface of a bridge did not follow its PVID, or a VLAN device did not get its own back.
#[test]
fn the_pvid_moves_the_router_interface() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, aware());
    settle(&mut reconciler);
    fold(&mut reconciler, [vlan_of(BR, 10, true)]);
    settle(&mut reconciler);
    assert_eq!(kind(&reconciler, BR), Some(RifKind::Vlan { vid: Vid(10), fid: Fid(10) }));
    assert_eq!(reconciler.rif_standing(IfIndex(31)).unwrap().reason, Some(Reason::VlanIsPvid));
    fold(&mut reconciler, [vlan_of(BR, 1, true)]);
    settle(&mut reconciler);
    assert_eq!(kind(&reconciler, 31), Some(RifKind::Vlan { vid: Vid(10), fid: Fid(10) }));
    assert_eq!(kind(&reconciler, BR), Some(RifKind::Vlan { vid: Vid(1), fid: Fid(1) }));
}

// Broken if a bond's router interface left with one member, stayed after the last, or came before the LAG.
#[test]
fn a_bond_routes_while_it_has_a_port() {
    let mut reconciler = reconciler();
    let state = [
        link_event(bond(BOND)),
        link_event(bonded(port(1), BOND)),
        link_event(bonded(port(2), BOND)),
        addr(BOND, "192.0.2.1/24"),
        link_event(vlan(41, BOND, 20)),
        addr(41, "198.51.100.1/24"),
    ];
    fold(&mut reconciler, state.clone());
    let changes = settle(&mut reconciler);
    let at = |wanted: fn(&Entry) -> bool| {
        changes.iter().position(|change| change.after().is_some_and(wanted)).unwrap()
    };
    assert!(at(|e| matches!(e, Entry::LagPort { .. })) < at(|e| matches!(e, Entry::Rif(_))));
    let lag = PortOrLag::Lag(LagId(0));
    assert!(matches!(kind(&reconciler, BOND), Some(RifKind::Subport { at, .. }) if at == lag));
    assert!(matches!(kind(&reconciler, 41), Some(RifKind::Subport { at, .. }) if at == lag));
    assert_eq!(restart(&reconciler, &state), []);
    let before = kind(&reconciler, BOND);
    fold(&mut reconciler, [link_event(port(1))]);
    settle(&mut reconciler);
    assert_eq!(kind(&reconciler, BOND), before);
    fold(&mut reconciler, [link_event(port(2))]);
    settle(&mut reconciler);
    assert_empty(&reconciler);
}

// Broken if a port that leaves one bond for another were in both, or in none.
#[test]
fn a_port_changes_its_bond() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, [link_event(bond(BOND)), link_event(bond(43)), addr(43, "192.0.2.1/24")]);
    fold(&mut reconciler, [link_event(bonded(port(1), BOND)), link_event(bonded(port(2), 43))]);
    settle(&mut reconciler);
    fold(&mut reconciler, [link_event(bonded(port(1), 43))]);
    settle(&mut reconciler);
    let lag = reconciler.allocation().lag(IfIndex(43)).unwrap();
    let collector = Entry::LagCollector { port: LocalPort(1), lag };
    assert!(reconciler.applied().holds(&collector));
    assert!(reconciler.applied().holds(&Entry::LagPort { lag, port: LocalPort(1) }));
    assert_eq!(reconciler.allocation().lag(IfIndex(BOND)), None);
    assert!(reconciler.is_synced());
}

// Broken if a port whose leaving nobody answered were taken to have left, or to be still there for certain: it leaves again, even if
// it is to come back.
#[test]
fn a_port_in_doubt_leaves_before_it_joins() {
    for comes_back in [false, true] {
        let mut reconciler = reconciler();
        let bonds = [link_event(bond(BOND)), link_event(bond(43)), addr(43, "192.0.2.1/24")];
        fold(&mut reconciler, bonds);
        fold(
            &mut reconciler,
            [link_event(bonded(port(1), BOND)), link_event(bonded(port(2), BOND))],
        );
        settle(&mut reconciler);
        let former = reconciler.allocation().lag(IfIndex(BOND)).unwrap();
        let collector = |lag| Entry::LagCollector { port: LocalPort(1), lag };
        fold(&mut reconciler, [link_event(bonded(port(1), 43))]);
        let leaving = Change::Remove(collector(former));
        drive(&mut reconciler, Duration::ZERO, |change| {
            (*change == leaving).then_some(FailureClass::Unknown)
        });
        assert!(reconciler.applied().is_unknown(&Key::LagCollector(LocalPort(1))));
        reconciler.presume(collector(former));
        assert!(!reconciler.applied().holds(&collector(former)));
        if comes_back {
            fold(&mut reconciler, [link_event(bonded(port(1), BOND))]);
        }
        let at = reconciler.deadline().unwrap_or_default();
        let made = drive(&mut reconciler, at, |_| None);
        let of_port = |change: &&Change| change.key() == Key::LagCollector(LocalPort(1));
        let made: Vec<Change> = made.iter().filter(of_port).cloned().collect();
        let lag = reconciler.allocation().lag(IfIndex(if comes_back { BOND } else { 43 })).unwrap();
        let joining = Change::Add(collector(lag));
        assert_eq!(made, if comes_back { vec![joining] } else { vec![leaving, joining] });
        assert!(reconciler.applied().holds(&collector(lag)) && reconciler.is_synced());
    }
}

// Broken if a VLAN-aware bridge that came later took the place of the first, or none took it when the first went.
#[test]
fn one_aware_bridge() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, aware());
    fold(
        &mut reconciler,
        [
            link_event(bridge(50, true)),
            link_event(bridged(port(3), 50)),
            vlan_of(13, 1, true),
            vlan_of(50, 1, true),
            addr(50, "203.0.113.1/24"),
        ],
    );
    settle(&mut reconciler);
    let second = |reconciler: &Reconciler| reconciler.rif_standing(IfIndex(50)).unwrap();
    assert_eq!(second(&reconciler).reason, Some(Reason::SecondVlanAwareBridge));
    fold(&mut reconciler, [link_event(port(1)), link_event(port(2))]);
    settle(&mut reconciler);
    assert_eq!(second(&reconciler).state, State::Offload);
    let stp = reconciler.applied().get(&Key::PortStp(LocalPort(3), Vid(1)));
    assert!(matches!(stp, Some(Entry::PortStp { state: StpState::Forwarding, .. })));
}

// Broken if a router interface that the chip refuses took the bridging of its ports with it.
#[test]
fn ports_are_bridged_without_a_router_interface() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, aware());
    let refuse = |change: &Change| match change {
        Change::Add(Entry::Rif(_)) => Some(FailureClass::Rejected),
        _ => None,
    };
    drive(&mut reconciler, ZERO, refuse);
    assert_eq!(reconciler.rif_standing(IfIndex(BR)).unwrap().reason, Some(Reason::HwError));
    let vid = Vid(1);
    let mapping = Entry::VidFid { vid, fid: Fid(1), rif: None };
    assert!(reconciler.applied().holds(&mapping));
    drive(&mut reconciler, Duration::from_secs(1), |_| None);
    assert!(kind(&reconciler, BR).is_some());
    assert!(!reconciler.applied().holds(&mapping));
}

// Broken if toggling vlan_filtering left rows of the other kind of bridge behind.
#[test]
fn vlan_filtering_changes() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, aware());
    settle(&mut reconciler);
    fold(&mut reconciler, [link_event(bridge(BR, false))]);
    settle(&mut reconciler);
    assert!(matches!(kind(&reconciler, BR), Some(RifKind::Fid { .. })));
    assert_eq!(
        reconciler.rif_standing(IfIndex(31)).unwrap().reason,
        Some(Reason::VlanOfUnawareBridge)
    );
    let of_vlans = |key: &Key| matches!(key, Key::VidFid(_));
    assert!(!reconciler.applied().tables().keys().any(of_vlans));
    fold(&mut reconciler, [link_event(bridge(BR, true))]);
    settle(&mut reconciler);
    let domain = Object::Domain(Domain { bridge: IfIndex(BR), vlan: Some(Vid(1)) });
    assert_eq!(reconciler.seat(IfIndex(BR)), domain);
    assert_eq!(reconciler.allocation().fid(IfIndex(BR)), None);
    assert!(matches!(
        reconciler.topology().link(IfIndex(BR)).unwrap().kind,
        LinkKind::Bridge { .. }
    ));
}

// Broken if a LAG with more ports than the chip has places had none, never came to rest, or its last port got no place that
// became free.
#[test]
fn a_lag_with_too_many_ports() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, [link_event(bond(BOND)), addr(BOND, "192.0.2.1/24")]);
    fold(&mut reconciler, [1, 2, 3].map(|n| link_event(bonded(port(n), BOND))));
    let third = |change: &Change| match change {
        Change::Add(Entry::LagCollector { port: LocalPort(3), .. }) => Some(FailureClass::Capacity),
        _ => None,
    };
    drive(&mut reconciler, ZERO, third);
    let standing = reconciler.rif_standing(IfIndex(BOND)).unwrap();
    assert_eq!(standing.reason, Some(Reason::LagTableFull));
    let lag = reconciler.allocation().lag(IfIndex(BOND)).unwrap();
    let distributes = |reconciler: &Reconciler, n| {
        let entry = Entry::LagPort { lag, port: LocalPort(n) };
        let way = Key::PortVidFid(LocalPort(n), Vid::UNTAGGED);
        (reconciler.applied().holds(&entry), reconciler.applied().get(&way).is_some())
    };
    assert_eq!([1, 2, 3].map(|n| distributes(&reconciler, n).0), [true, true, false]);
    assert_eq!([1, 2, 3].map(|n| distributes(&reconciler, n).1), [true, true, false]);
    fold(&mut reconciler, [link_event(port(1))]);
    settle(&mut reconciler);
    assert_eq!([1, 2, 3].map(|n| distributes(&reconciler, n).0), [false, true, true]);
    assert_eq!(reconciler.rif_standing(IfIndex(BOND)).unwrap().state, State::Offload);
}

// Broken if rows that went from one object to another stayed as differences of the first.
#[test]
fn a_port_goes_from_a_bond_to_a_bridge() {
    let mut reconciler = reconciler();
    fold(&mut reconciler, [link_event(bond(BOND)), addr(BOND, "192.0.2.1/24")]);
    fold(&mut reconciler, [1, 2].map(|n| link_event(bonded(port(n), BOND))));
    fold(&mut reconciler, [link_event(bridge(BR, false)), addr(BR, "198.51.100.1/24")]);
    settle(&mut reconciler);
    fold(&mut reconciler, [link_event(bridged(port(1), BR))]);
    settle(&mut reconciler);
    assert_eq!(reconciler.differences(), []);
    assert!(kind(&reconciler, BR).is_some() && kind(&reconciler, BOND).is_some());
    fold(&mut reconciler, [link_event(port(1)), Event::LinkGone(IfIndex(BR)), link_event(port(2))]);
    settle(&mut reconciler);
    assert_eq!(reconciler.differences(), []);
    assert_empty(&reconciler);
}
