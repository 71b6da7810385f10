//! Router interfaces of every kind, and each reason against one.

use super::*;

/// A small switch: ports 1..3 are swp1..swp3 (ifindex 1..3), up, without addresses.
pub(super) fn switch() -> Kernel {
    let mut kernel = Kernel::default();
    for port in 1..=3_u16 {
        let mac = [2, 0, 0, 0, 0, u8::try_from(port).unwrap()];
        let mut swp = device(&format!("swp{port}"), Kind::Plain, mac, None);
        swp.port = Some(port);
        kernel.devices.insert(u32::from(port), swp);
    }
    kernel
}

pub(super) const AWARE: Kind = Kind::Bridge { filtering: true, protocol: Protocol::Dot1q };

impl Kernel {
    /// A new device with an address.
    pub(super) fn add(&mut self, ifindex: u32, kind: Kind, lower: Option<u32>) {
        let mut new = device(&format!("dev{ifindex}"), kind, [2, 0, 0, 0, 1, 1], lower);
        new.port = None;
        self.devices.insert(ifindex, new);
        self.addresses.insert(ifindex, vec![address("192.0.2.1")]);
    }

    pub(super) fn enslave(&mut self, ifindex: u32, master: u32) {
        self.devices.get_mut(&ifindex).unwrap().master = Some(master);
    }

    pub(super) fn vlan(&mut self, ifindex: u32, vid: u16, pvid: bool, untagged: bool) {
        self.vlans.entry(ifindex).or_default().insert(vid, Vlan { pvid, untagged });
    }
}

pub(super) fn vlan(vid: u16) -> Kind {
    Kind::Vlan { vid, protocol: Protocol::Dot1q }
}

/// Bond 10 of ports 1 and 2, VLAN 100 on it as 11, bridge 20 with port 3, VLAN 100 on it as 21.
fn everything(bridge: Kind) -> Kernel {
    let mut kernel = switch();
    kernel.add(10, Kind::Bond { hashes: true }, None);
    kernel.enslave(1, 10);
    kernel.enslave(2, 10);
    kernel.add(11, vlan(100), Some(10));
    kernel.add(20, bridge, None);
    kernel.enslave(3, 20);
    kernel.add(21, vlan(100), Some(20));
    kernel.vlan(20, 1, true, true);
    kernel
}

// Broken if a kind of device got a router interface of another kind, or elsewhere.
#[test]
fn each_kind_has_its_shape() {
    let kernel = everything(AWARE);
    let lag = |vid| Ok(Shape::Subport { ports: [1, 2].into(), vid });
    assert_eq!(shape(&kernel, 10), lag(None));
    assert_eq!(shape(&kernel, 11), lag(Some(100)));
    assert_eq!(shape(&kernel, 20), Ok(Shape::Vlan { bridge: 20, vid: 1 }));
    assert_eq!(shape(&kernel, 21), Ok(Shape::Vlan { bridge: 20, vid: 100 }));
    assert_eq!(shape(&everything(BRIDGE), 20), Ok(Shape::Fid { bridge: 20 }));
    let mut port = switch();
    port.addresses.insert(1, vec![address("192.0.2.1")]);
    port.add(4, vlan(7), Some(1));
    assert_eq!(shape(&port, 1), Ok(Shape::Subport { ports: [1].into(), vid: None }));
    assert_eq!(shape(&port, 4), Ok(Shape::Subport { ports: [1].into(), vid: Some(7) }));
}

// Broken if a reason were missing, or came before one that the rules ask for first.
#[test]
fn each_reason_against() {
    let with = |bridge: Kind, change: &dyn Fn(&mut Kernel)| {
        let mut kernel = everything(bridge);
        change(&mut kernel);
        kernel
    };
    let provider = Kind::Bridge { filtering: true, protocol: Protocol::Dot1ad };
    let strange = Kind::Bridge { filtering: true, protocol: Protocol::Other };
    let vlan_on_port_3 = |kernel: &mut Kernel| kernel.add(30, vlan(100), Some(3));
    let odd = |kernel: &mut Kernel| {
        kernel.devices.get_mut(&10).unwrap().kind = Kind::Bond { hashes: false };
    };
    let table: [(&str, u32, Kernel); 24] = [
        ("lower_not_asic", 20, with(AWARE, &|k| k.devices.get_mut(&3).unwrap().master = None)),
        ("lower_not_asic", 21, with(AWARE, &|k| k.devices.get_mut(&3).unwrap().master = None)),
        (
            "lower_not_asic",
            10,
            with(AWARE, &|k| drop((k.devices.remove(&1), k.devices.remove(&2)))),
        ),
        ("excluded_by_config", 21, with(AWARE, &|k| _ = k.excluded.insert("dev21".into()))),
        ("upper_unsupported", 12, with(AWARE, &|k| k.add(12, vlan(5), Some(11)))),
        ("upper_unsupported", 12, with(AWARE, &|k| k.add(12, Kind::Stacked, Some(10)))),
        ("lag_mode_unsupported", 10, with(AWARE, &odd)),
        ("lag_mode_unsupported", 11, with(AWARE, &odd)),
        (
            "vlan_protocol_unsupported",
            12,
            with(AWARE, &|k| {
                k.add(12, Kind::Vlan { vid: 9, protocol: Protocol::Dot1ad }, Some(10));
            }),
        ),
        ("vlan_on_lag_port", 12, with(AWARE, &|k| k.add(12, vlan(9), Some(1)))),
        (
            "vlan_on_ovs_port",
            30,
            with(AWARE, &|k| {
                vlan_on_port_3(k);
                k.add(40, Kind::OpenVswitch, None);
                k.enslave(3, 40);
            }),
        ),
        ("vlan_on_8021ad_port", 30, with(provider, &vlan_on_port_3)),
        (
            "vlan_on_locked_port",
            30,
            with(AWARE, &|k| {
                vlan_on_port_3(k);
                k.devices.get_mut(&3).unwrap().locked = true;
            }),
        ),
        (
            "vlan_in_bridge",
            30,
            with(AWARE, &|k| {
                vlan_on_port_3(k);
                k.vlan(3, 100, false, false);
            }),
        ),
        ("bridge_8021ad", 20, everything(provider)),
        ("upper_on_8021ad_bridge", 21, everything(provider)),
        ("bridge_protocol_unknown", 20, everything(strange)),
        (
            "second_vlan_aware_bridge",
            50,
            with(AWARE, &|k| {
                k.add(50, AWARE, None);
                k.enslave(10, 50);
            }),
        ),
        ("vlan_of_unaware_bridge", 21, everything(BRIDGE)),
        ("port_enslaved", 10, with(BRIDGE, &|k| k.enslave(10, 20))),
        ("no_pvid", 20, with(AWARE, &|k| drop(k.vlans.remove(&20)))),
        ("vlan_is_pvid", 21, with(AWARE, &|k| drop(k.vlans.insert(20, [(100, PVID)].into())))),
        ("no_address", 11, with(AWARE, &|k| drop(k.addresses.remove(&11)))),
        ("mac_multicast", 11, with(AWARE, &|k| k.devices.get_mut(&11).unwrap().mac = [0; 6])),
    ];
    for (expected, ifindex, kernel) in table {
        assert_eq!(shape(&kernel, ifindex), Err(expected), "{kernel:#?}");
    }
}

const PVID: Vlan = Vlan { pvid: true, untagged: true };

// Broken if a device without addresses in a VRF had no router interface, or were looked up in another table.
#[test]
fn vrf_slaves() {
    let mut kernel = everything(AWARE);
    kernel.add(60, Kind::Vrf(10), None);
    kernel.addresses.clear();
    kernel.enslave(11, 60);
    let found = router_interfaces(&kernel);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&11]);
    assert_eq!(found[&11].table, 10);
    kernel.devices.get_mut(&60).unwrap().kind = Kind::Vrf(255);
    assert_eq!(router_interfaces(&kernel)[&11].table, MAIN_TABLE);
}
