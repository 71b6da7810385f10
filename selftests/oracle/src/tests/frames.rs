//! What becomes of frames.

use super::shapes::{AWARE, switch, vlan};
use super::*;

const STRANGER: Mac = [2, 0xff, 0, 0, 0, 1];
const BROADCAST: Mac = [0xff; 6];

fn fate(kernel: &Kernel, port: u16, tag: Option<u16>, to: Mac) -> Fate {
    Switch::of(kernel).fate(port, tag, to)
}

/// Bridge 20 with ports 1 (VLAN 1 untagged, 5 tagged) and 2 (VLAN 5 untagged); it has an address in VLAN 5.
fn vlan_aware() -> Kernel {
    let mut kernel = switch();
    kernel.add(20, AWARE, None);
    kernel.vlan(20, 5, true, true);
    kernel.vlan(1, 1, true, true);
    kernel.vlan(1, 5, false, false);
    kernel.vlan(2, 5, true, true);
    kernel.enslave(1, 20);
    kernel.enslave(2, 20);
    kernel
}

fn bridged(bridge: u32, vid: Option<u16>, copies: &[(&[u16], Option<u16>)]) -> Option<Bridged> {
    let copy = |(ports, tag): &(&[u16], Option<u16>)| Copy {
        ports: ports.iter().copied().collect(),
        tag: *tag,
    };
    Some(Bridged { bridge, vid, copies: copies.iter().map(copy).collect() })
}

// Broken if frames in the VLANs of a bridge were routed, bridged or tagged otherwise than the port's VLANs say.
#[test]
fn in_a_vlan_aware_bridge() {
    let kernel = vlan_aware();
    let router = kernel.devices[&20].mac;
    let routed = Fate { routed_by: Some(20), bridged: None };
    assert_eq!(fate(&kernel, 1, Some(5), router), routed);
    assert_eq!(fate(&kernel, 2, None, router), routed);
    assert_eq!(fate(&kernel, 1, None, router).bridged, bridged(20, Some(1), &[]));
    assert_eq!(fate(&kernel, 1, Some(5), STRANGER).bridged, bridged(20, Some(5), &[(&[2], None)]));
    assert_eq!(fate(&kernel, 2, None, STRANGER).bridged, bridged(20, Some(5), &[(&[1], Some(5))]));
    assert_eq!(fate(&kernel, 1, Some(7), router), Fate::default());
    assert_eq!(fate(&kernel, 3, None, router), Fate::default());
    let copied = fate(&kernel, 2, None, BROADCAST);
    assert_eq!(copied.routed_by, Some(20));
    assert_eq!(copied.bridged, bridged(20, Some(5), &[(&[1], Some(5))]));
    let mut blocked = kernel.clone();
    blocked.devices.get_mut(&1).unwrap().stp = Stp::Discarding;
    assert_eq!(fate(&blocked, 1, Some(5), router), Fate::default());
    assert_eq!(fate(&blocked, 2, None, STRANGER).bridged, bridged(20, Some(5), &[]));
}

// Broken if a VLAN of a port, or of a LAG, in a VLAN-unaware bridge took frames with another tag.
#[test]
fn in_a_vlan_unaware_bridge() {
    let mut kernel = switch();
    kernel.add(10, Kind::Bond { hashes: true }, None);
    kernel.enslave(1, 10);
    kernel.enslave(2, 10);
    kernel.add(11, vlan(5), Some(10));
    kernel.add(20, BRIDGE, None);
    kernel.enslave(11, 20);
    kernel.enslave(3, 20);
    let router = kernel.devices[&20].mac;
    for port in [1, 2] {
        assert_eq!(fate(&kernel, port, Some(5), router).routed_by, Some(20));
        assert_eq!(
            fate(&kernel, port, Some(5), STRANGER).bridged,
            bridged(20, None, &[(&[3], None)])
        );
        // The LAG itself has an address as well.
        assert_eq!(fate(&kernel, port, None, router).routed_by, Some(10));
        assert_eq!(fate(&kernel, port, None, STRANGER), Fate::default());
    }
    let copies = fate(&kernel, 3, None, STRANGER).bridged;
    assert_eq!(copies, bridged(20, None, &[(&[1, 2], Some(5))]));
    // A bond says of each member whether it takes part, a team does not.
    let mut team = kernel.clone();
    team.devices.get_mut(&10).unwrap().kind = Kind::Team;
    team.devices.get_mut(&2).unwrap().up = false;
    kernel.devices.get_mut(&2).unwrap().carries = false;
    for kernel in [kernel, team] {
        assert_eq!(fate(&kernel, 2, None, router), Fate::default());
        let copies = fate(&kernel, 3, None, STRANGER).bridged;
        assert_eq!(copies, bridged(20, None, &[(&[1], Some(5))]));
    }
}
