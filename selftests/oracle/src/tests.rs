//! The oracle against the text of the rules: one line of text, one line here.

mod bridging;
mod filters;
mod frames;
mod policies;
mod shapes;

use std::net::IpAddr;

use crate::*;

const PORT: u32 = 2;
const VMAC: u32 = 7;

const BRIDGE: Kind = Kind::Bridge { filtering: false, protocol: Protocol::Dot1q };

const PORT_MAC: Mac = [0x02, 0, 0, 0, 0, 0x01];
const VRRP_5: Mac = [0, 0, 0x5e, 0, 1, 5];
const VRRP6_5: Mac = [0, 0, 0x5e, 0, 2, 5];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str) -> Address {
    Address {
        ip: ip(text),
        prefix_len: if text.contains(':') { 64 } else { 24 },
        broadcast: None,
        tentative: false,
        dad_failed: false,
        proto: Proto::Unspecified,
    }
}

fn device(name: &str, kind: Kind, mac: Mac, lower: Option<u32>) -> Device {
    Device {
        name: name.into(),
        kind,
        port: (kind == Kind::Plain).then_some(1),
        mac,
        permanent_mac: None,
        mtu: 1500,
        up: true,
        oper: Oper::Up,
        proto_down: false,
        master: None,
        lower,
        lower_is_foreign: false,
        stp: Stp::Forwarding,
        locked: false,
        carries: true,
    }
}

/// Port 1 with an address of each family and an active VRRP macvlan on it.
fn active() -> Kernel {
    Kernel {
        devices: [
            (PORT, device("swp1", Kind::Plain, PORT_MAC, None)),
            (VMAC, device("vrrp.5", Kind::Macvlan, VRRP_5, Some(PORT))),
        ]
        .into(),
        addresses: [
            (PORT, vec![address("192.0.2.2"), address("fe80::2")]),
            (VMAC, vec![address("192.0.2.1")]),
        ]
        .into(),
        excluded: ["mgmt".to_owned()].into(),
        ..Kernel::default()
    }
}

fn with(change: impl FnOnce(&mut Kernel)) -> Kernel {
    let mut kernel = active();
    change(&mut kernel);
    kernel
}

fn with_vmac(change: impl FnOnce(&mut Device)) -> Kernel {
    with(|kernel| change(kernel.devices.get_mut(&VMAC).unwrap()))
}

fn with_port(change: impl FnOnce(&mut Device)) -> Kernel {
    with(|kernel| change(kernel.devices.get_mut(&PORT).unwrap()))
}

fn with_vmac_address(address: Address) -> Kernel {
    with(|kernel| {
        kernel.addresses.insert(VMAC, vec![address]);
    })
}

fn reason(kernel: &Kernel) -> &'static str {
    verdict(kernel, VMAC).unwrap().reason.unwrap_or("-")
}

// Broken if the oracle gave another reason than the table of states and reasons.
#[test]
fn reasons() {
    let with_address_of_port = |addresses: Vec<Address>| {
        with(|kernel| {
            kernel.addresses.insert(PORT, addresses);
        })
    };
    let bridged = |ifindex: u32| {
        with(|kernel| {
            kernel.devices.insert(9, device("br0", BRIDGE, [2, 0, 0, 0, 0, 9], None));
            kernel.devices.get_mut(&9).unwrap().port = None;
            kernel.devices.get_mut(&ifindex).unwrap().master = Some(9);
        })
    };
    let in_vrf = |ifindex: u32| {
        let mut kernel = bridged(ifindex);
        kernel.devices.get_mut(&9).unwrap().kind = Kind::Vrf(10);
        kernel
    };
    let table = [
        ("-", active()),
        ("foreign_netns", with_vmac(|vmac| vmac.lower_is_foreign = true)),
        ("lower_not_asic", with_port(|port| port.port = None)),
        ("lower_not_asic", with_vmac(|vmac| vmac.lower = Some(99))),
        ("excluded_by_config", with_vmac(|vmac| vmac.name = "mgmt".into())),
        ("macvlan_enslaved", bridged(VMAC)),
        ("macvlan_passthru", with_vmac(|vmac| vmac.kind = Kind::PassthruMacvlan)),
        ("mac_multicast", with_vmac(|vmac| vmac.mac = [1, 0, 0x5e, 0, 0, 1])),
        ("mac_multicast", with_vmac(|vmac| vmac.mac = [0; 6])),
        ("ipvlan_shares_mac", with_vmac(|vmac| vmac.kind = Kind::Ipvlan)),
        ("ipvlan_vepa_reflection", with_vmac(|vmac| vmac.kind = Kind::VepaIpvlan)),
        ("no_rif", with_address_of_port(vec![])),
        ("no_rif", with_port(|port| port.name = "mgmt".into())),
        ("no_rif", bridged(PORT)),
        ("macvlan_down", with_vmac(|vmac| vmac.up = false)),
        ("macvlan_down", with_vmac(|vmac| vmac.oper = Oper::Down)),
        ("protodown", with_vmac(|vmac| (vmac.proto_down, vmac.oper) = (true, Oper::Down))),
        ("lower_down", with_port(|port| port.up = false)),
        ("lower_down", with_port(|port| port.oper = Oper::NotPresent)),
        ("lower_down", with_vmac(|vmac| vmac.oper = Oper::LowerLayerDown)),
        ("-", with_vmac(|vmac| vmac.oper = Oper::Unknown)),
        ("-", with_vmac(|vmac| vmac.oper = Oper::Dormant)),
        ("no_address", with(|kernel| drop(kernel.addresses.remove(&VMAC)))),
        ("vrf_mismatch", in_vrf(VMAC)),
        ("vrf_mismatch", in_vrf(PORT)),
    ];
    for (expected, kernel) in table {
        assert_eq!(reason(&kernel), expected, "{kernel:#?}");
    }
}

// Broken if the oracle's idea of a qualifying address were not the one of the admission policy `active`.
#[test]
fn qualifying_addresses() {
    let global = address("2001:db8::1");
    let mirrored = address("fe80::2");
    let own = address("fe80::51");
    let eui64 = address("fe80::200:5eff:fe00:105");
    let table = [
        ("-", global),
        ("-", Address { tentative: true, ..global }),
        ("no_address", Address { dad_failed: true, ..global }),
        ("no_address", Address { proto: Proto::RouterAdvertisement, ..global }),
        ("-", own),
        ("-", Address { tentative: true, ..own }),
        ("linklocal_only", Address { dad_failed: true, ..own }),
        ("linklocal_only", mirrored),
        ("linklocal_only", Address { proto: Proto::KernelLinkLocal, ..own }),
        ("no_address", Address { proto: Proto::KernelLinkLocal, tentative: true, ..own }),
        ("-", eui64),
        ("linklocal_only", Address { proto: Proto::Missing, ..eui64 }),
        ("no_address", Address { proto: Proto::Missing, tentative: true, ..eui64 }),
    ];
    for (expected, address) in table {
        assert_eq!(reason(&with_vmac_address(address)), expected, "{address:?}");
    }
    // Not before the lower's own is announced and settled.
    for lowers in [vec![], vec![Address { tentative: true, ..address("fe80::9") }]] {
        let mut kernel = with_vmac_address(own);
        kernel.addresses.insert(PORT, [vec![address("192.0.2.2")], lowers].concat());
        assert_eq!(reason(&kernel), "linklocal_only");
    }
}

// Broken if the oracle saw router interfaces where the rule sees none, or missed one.
#[test]
fn which_ports_are_router_interfaces() {
    let port_with = |address: Address| {
        with(|kernel| {
            kernel.addresses.insert(PORT, vec![address]);
        })
    };
    let made = Address { proto: Proto::KernelLinkLocal, ..address("fe80::ff:fe00:1") };
    let table = [
        (true, port_with(address("fe80::2"))),
        (true, port_with(made)),
        (false, port_with(Address { tentative: true, ..made })),
        (false, port_with(Address { tentative: true, proto: Proto::Missing, ..made })),
        (true, port_with(Address { tentative: true, ..address("fe80::2") })),
        (false, port_with(Address { dad_failed: true, ..address("2001:db8::2") })),
        (true, with_port(|port| (port.up, port.oper) = (false, Oper::Down))),
    ];
    for (expected, kernel) in table {
        assert_eq!(router_interfaces(&kernel).contains_key(&PORT), expected, "{kernel:#?}");
    }
}

// Broken if MACs, owners, fast-path holders or destinations were computed otherwise than the rules say.
#[test]
fn what_a_router_interface_answers() {
    let kernel = with(|kernel| {
        for (ifindex, mac) in
            [(8, VRRP_5), (9, [0, 0, 0x5e, 0, 1, 3]), (10, VRRP6_5), (11, PORT_MAC)]
        {
            kernel.devices.insert(ifindex, device("other", Kind::Macvlan, mac, Some(PORT)));
            kernel.addresses.insert(ifindex, vec![address("198.51.100.7")]);
        }
        // A backup below the others' VRID, which must not count.
        kernel
            .devices
            .insert(12, device("backup", Kind::Macvlan, [0, 0, 0x5e, 0, 1, 1], Some(PORT)));
    });
    let port = &router_interfaces(&kernel)[&PORT];
    assert_eq!((port.vrrp_ipv4, port.vrrp_ipv6), (Some(3), Some(5)));
    assert_eq!(port.answers[&VRRP_5], [VMAC, 8].into());
    assert_eq!(port.answers[&PORT_MAC], [PORT, 11].into());
    assert_eq!(port.answers.len(), 4);
    assert_eq!(reason(&kernel), "vrid_conflict");
    let own = ["192.0.2.1", "192.0.2.2", "192.0.2.255", "198.51.100.7", "198.51.100.255"];
    assert_eq!(served_addresses(&kernel, PORT), own.map(ip).into());
}

// Broken if two ports in different VRFs served each other's addresses, or two in one did not.
#[test]
fn destinations_by_vrf() {
    let mut kernel = with(|kernel| {
        let mut other = device("swp2", Kind::Plain, [2, 0, 0, 0, 0, 2], None);
        other.port = Some(2);
        kernel.devices.insert(3, other);
        kernel.addresses.insert(3, vec![Address { prefix_len: 32, ..address("203.0.113.1") }]);
    });
    assert!(served_addresses(&kernel, PORT).contains(&ip("203.0.113.1")));
    let mut vrf = device("vrf-a", Kind::Vrf(10), [2, 0, 0, 0, 0, 9], None);
    vrf.port = None;
    kernel.devices.insert(9, vrf);
    kernel.devices.get_mut(&3).unwrap().master = Some(9);
    assert_eq!(served_addresses(&kernel, 3), [ip("203.0.113.1")].into());
    assert!(!served_addresses(&kernel, PORT).contains(&ip("203.0.113.1")));
}
