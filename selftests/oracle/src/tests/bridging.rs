//! Which members of bridges the chip bridges.

use super::shapes::{AWARE, switch, vlan};
use super::*;

// Broken if a member that the chip can't bridge counted as bridged, or for another reason.
#[test]
fn refused_members() {
    let bridged = |kind: Kind, change: &dyn Fn(&mut Kernel)| {
        let mut kernel = switch();
        kernel.add(20, kind, None);
        kernel.enslave(3, 20);
        change(&mut kernel);
        kernel
    };
    let join = |kernel: &mut Kernel, ifindex, kind, lower| {
        kernel.add(ifindex, kind, lower);
        kernel.enslave(ifindex, 20);
    };
    let provider = Kind::Bridge { filtering: true, protocol: Protocol::Dot1ad };
    let table: [(Option<&str>, u32, Kernel); 9] = [
        (None, 3, bridged(BRIDGE, &|_| {})),
        (None, 12, bridged(BRIDGE, &|k| join(k, 12, vlan(5), Some(1)))),
        (Some("lower_not_asic"), 12, bridged(BRIDGE, &|k| join(k, 12, Kind::Plain, None))),
        (
            Some("lag_mode_unsupported"),
            12,
            bridged(BRIDGE, &|k| {
                join(k, 12, Kind::Bond { hashes: false }, None);
                k.enslave(1, 12);
            }),
        ),
        (Some("vlan_in_vlan_aware_bridge"), 12, bridged(AWARE, &|k| join(k, 12, vlan(5), Some(1)))),
        (
            Some("vlans_of_one_port_bridged"),
            12,
            bridged(BRIDGE, &|k| join(k, 12, vlan(5), Some(3))),
        ),
        (Some("bridge_8021ad"), 3, bridged(provider, &|_| {})),
        (
            Some("second_vlan_aware_bridge"),
            3,
            bridged(AWARE, &|k| {
                k.add(9, AWARE, None);
                k.enslave(1, 9);
            }),
        ),
        (
            Some("vlan_on_locked_port"),
            12,
            bridged(BRIDGE, &|k| {
                k.add(9, AWARE, None);
                k.enslave(1, 9);
                k.devices.get_mut(&1).unwrap().locked = true;
                join(k, 12, vlan(5), Some(1));
            }),
        ),
    ];
    for (expected, ifindex, kernel) in table {
        assert_eq!(member_refusal(&kernel, ifindex), expected, "{kernel:#?}");
    }
}

// Broken if the second VLAN of one port were bridged, or the lowest ifindex were not.
#[test]
fn one_vlan_of_a_port() {
    let mut kernel = switch();
    kernel.add(20, BRIDGE, None);
    for (ifindex, vid) in [(31, 5), (30, 6)] {
        kernel.add(ifindex, vlan(vid), Some(1));
        kernel.enslave(ifindex, 20);
    }
    assert_eq!(member_refusal(&kernel, 30), None);
    assert_eq!(member_refusal(&kernel, 31), Some("vlans_of_one_port_bridged"));
    let members = members(&kernel, 20);
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].vlans, [(None, Some(6))].into());
}
