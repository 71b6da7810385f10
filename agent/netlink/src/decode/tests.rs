mod forwarding;
mod packet_route;

use firsthop_model::Mac;
use firsthop_model::topology::{
    Address, DevlinkPort, Event, IpvlanFlag, IpvlanMode, LagMode, LagModeName, Link, LinkKind,
    MacvlanMode, OperState, Slave, StpState, TagProtocol, Topology, VlanFlags, VlanRange,
    ifa_proto,
};
use proptest::prelude::*;

use super::*;
use crate::message::messages;
use crate::socket::{Buffers, Received, RouteSocket};
use crate::testbed::{in_netns, ip};

const SWP1: IfIndex = IfIndex(3);
const VMAC: IfIndex = IfIndex(4);
const SWP1_UML: IfIndex = IfIndex(21);
const SWP2_UML: IfIndex = IfIndex(23);
const BR0_UML: IfIndex = IfIndex(31);

/// The recorded messages by name.
fn recorded() -> Vec<(&'static str, Vec<u8>)> {
    let files = [
        include_str!("../../fixtures/recorded.txt"),
        include_str!("../../fixtures/recorded-6.12.txt"),
    ];
    let lines = files.into_iter().flat_map(str::lines);
    let named =
        lines.filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').unwrap());
    named.map(|(name, hex)| (name, octets(hex))).collect()
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

fn decoded(datagram: &[u8]) -> Decoded {
    decode(&messages(datagram).next().unwrap().unwrap())
}

fn fixture(name: &str) -> Decoded {
    decoded(&recorded().into_iter().find(|(other, _)| *other == name).unwrap().1)
}

fn one(decoded: Decoded) -> Event {
    match decoded {
        Decoded::Events(mut events) if events.len() == 1 => events.remove(0),
        other => panic!("{other:?}"),
    }
}

fn link_of(decoded: Decoded) -> Link {
    match one(decoded) {
        Event::Link(link) => *link,
        other => panic!("{other:?}"),
    }
}

fn address_of(decoded: Decoded) -> Address {
    match one(decoded) {
        Event::Address(address) => address,
        other => panic!("{other:?}"),
    }
}

fn message(kind: u16, payload: &[u8]) -> Decoded {
    decode(&Message { kind, flags: 0, sequence: 0, port: 0, payload })
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut octets = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// RTM_NEWLINK of device 5, `x`, with an MTU of 1500 and these attributes.
fn link_with(attributes: &[Vec<u8>]) -> Decoded {
    let mut payload = vec![0, 0, 1, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    payload.extend(attribute(3, b"x\0"));
    payload.extend(attribute(4, &1500_u32.to_ne_bytes()));
    attributes.iter().for_each(|attribute| payload.extend(attribute));
    message(RTM_NEWLINK, &payload)
}

fn kind_of(name: &str, data: &[Vec<u8>]) -> Decoded {
    let kind = attribute(1, format!("{name}\0").as_bytes());
    link_with(&[attribute(0x8000 | 18, &[kind, attribute(2, &data.concat())].concat())])
}

fn fault(decoded: Decoded) -> Fault {
    match decoded {
        Decoded::Undecodable(undecodable) => undecodable.fault,
        other => panic!("{other:?}"),
    }
}

// Broken if any field of keepalived's kind of macvlan came out wrong.
#[test]
fn a_macvlan_of_a_real_kernel() {
    let macvlan = link_of(fixture("macvlan"));
    let expected = Link {
        ifindex: VMAC,
        ifname: "vrrp4-5".into(),
        altnames: Vec::new(),
        mac: Some("00:00:5e:00:01:05".parse().unwrap()),
        mtu: 1500,
        flags: 0x1002,
        operstate: OperState::Down,
        carrier: true,
        proto_down: false,
        link: Some(SWP1),
        link_netnsid: None,
        master: None,
        kind: LinkKind::Macvlan { mode: MacvlanMode::Private },
        slave: Slave::None,
        perm_mac: None,
        devlink: None,
    };
    assert_eq!(macvlan, expected);
    let held = link_of(fixture("macvlan_protodown"));
    assert!(held.proto_down && held.is_up() && !held.carrier);
    assert_eq!(held.operstate, OperState::Down);
}

// Broken if a port's altnames, by which ports are mapped, its peer or its kind were lost.
#[test]
fn a_port_of_a_real_kernel() {
    let port = link_of(fixture("veth"));
    assert_eq!((port.ifindex, port.ifname.as_str()), (SWP1, "swp1"));
    assert_eq!(port.altnames, ["hwsim-sw0-p1", "front-panel-1"]);
    assert_eq!(port.mac, Some(Mac([2, 0, 0, 0, 0, 1])));
    assert_eq!(port.link, Some(IfIndex(2)));
    assert_eq!(port.kind, LinkKind::Other { name: "veth".into() });
    assert!(port.is_up() && port.carrier);
}

// Broken if a lower in another network namespace were looked up by its index in this one.
#[test]
fn a_lower_elsewhere_is_marked() {
    let macvlan = link_of(fixture("macvlan_lower_elsewhere"));
    assert!(macvlan.link.is_some() && macvlan.link_netnsid.is_some(), "{macvlan:?}");
    assert_eq!(macvlan.lower(), None);
}

// Broken if a port that left its bridge were taken for a removed device, or a port's bridge got lost.
#[test]
fn bridge_messages_are_not_about_the_device() {
    assert_eq!(fixture("bridge_leave_af_bridge"), Decoded::Ignored);
    assert_eq!(link_of(fixture("bridge_port")).master, Some(IfIndex(5)));
    let former = LinkKind::Bridge {
        vlan_filtering: false,
        protocol: TagProtocol::DOT1Q,
        ageing_time: 30_000,
        default_pvid: 0,
    };
    assert_eq!(link_of(fixture("bridge")).kind, former, "without CONFIG_BRIDGE_VLAN_FILTERING");
}

// Broken if a device that was deleted or moved to another network namespace stayed.
#[test]
fn gone_is_gone() {
    assert_eq!(one(fixture("macvlan_del")), Event::LinkGone(VMAC));
    assert_eq!(one(fixture("moved_to_netns")), Event::LinkGone(SWP1));
}

// Broken if own address and far end were mixed up, or a removal did not name the same address as the addition.
#[test]
fn addresses_of_a_real_kernel() {
    let shown = |name| {
        let a = address_of(fixture(name));
        (
            a.ip.to_string(),
            a.prefix_len,
            a.peer.map(|ip| ip.to_string()),
            a.broadcast.map(|ip| ip.to_string()),
        )
    };
    assert_eq!(shown("addr4"), ("192.0.2.254".into(), 24, None, Some("192.0.2.255".into())));
    assert_eq!(shown("addr4_peer"), ("192.0.2.1".into(), 31, Some("192.0.2.2".into()), None));
    assert_eq!(shown("addr6_peer"), ("2001:db8::1".into(), 127, Some("2001:db8::2".into()), None));
    let made_by_kernel = address_of(fixture("addr6_linklocal"));
    assert_eq!(made_by_kernel.proto, Some(ifa_proto::KERNEL_LL));
    assert_eq!((made_by_kernel.flags, made_by_kernel.ifindex), (0x80, SWP1));

    let mut view = Topology::default();
    view.fold(Event::Address(address_of(fixture("addr4"))));
    view.fold(one(fixture("addr4_del")));
    assert!(view.addresses(VMAC).is_empty());
}

// Broken if IFA_FLAGS were not preferred: DAD failure and others above eight bits exist only there.
#[test]
fn long_flags_override_short_ones() {
    let header = [2, 24, 0x80, 0, 1, 0, 0, 0];
    let local = attribute(2, &[192, 0, 2, 1]);
    let short = [&header[..], &local].concat();
    assert_eq!(address_of(message(RTM_NEWADDR, &short)).flags, 0x80);
    let long = [&short[..], &attribute(8, &0x208_u32.to_ne_bytes())].concat();
    assert_eq!(address_of(message(RTM_NEWADDR, &long)).flags, 0x208);
}

// Broken if a kind's deciding data were read from the wrong attribute. Layouts after include/uapi/linux/if_link.h, for
// kinds that not every kernel has.
#[test]
fn kinds_made_by_hand() {
    let kind = |name, data: &[Vec<u8>]| link_of(kind_of(name, data)).kind;
    for (number, mode) in [
        (1_u32, MacvlanMode::Private),
        (2, MacvlanMode::Vepa),
        (4, MacvlanMode::Bridge),
        (8, MacvlanMode::Passthru),
        (16, MacvlanMode::Source),
        (32, MacvlanMode::Other(32)),
    ] {
        let data = [attribute(2, &[1, 0]), attribute(1, &number.to_ne_bytes())];
        assert_eq!(kind("macvlan", &data), LinkKind::Macvlan { mode });
    }
    for (bits, flag) in
        [(0_u16, IpvlanFlag::Bridge), (1, IpvlanFlag::Private), (2, IpvlanFlag::Vepa)]
    {
        let data = [attribute(1, &[0, 0]), attribute(2, &bits.to_ne_bytes())];
        assert_eq!(kind("ipvlan", &data), LinkKind::Ipvlan { mode: IpvlanMode::L2, flag });
    }
    let old = LinkKind::Ipvlan { mode: IpvlanMode::L3, flag: IpvlanFlag::Bridge };
    assert_eq!(kind("ipvlan", &[attribute(1, &[1, 0])]), old, "before Linux 4.15");
    for (number, mode) in
        [(0, "balance-rr"), (1, "active-backup"), (2, "hash"), (4, "hash"), (9, "unknown")]
    {
        let LinkKind::Bond { mode: read } = kind("bond", &[attribute(1, &[number])]) else {
            panic!()
        };
        assert_eq!(read.name(), mode);
    }
    assert_eq!(
        kind("vrf", &[attribute(1, &1001_u32.to_ne_bytes())]),
        LinkKind::Vrf { table: 1001 }
    );
    assert_eq!(
        kind("vlan", &[attribute(1, &[10, 0])]),
        LinkKind::Vlan { vid: 10, protocol: TagProtocol::DOT1Q },
        "before Linux 3.10"
    );
    let slave = |kind: &[u8], data: &[Vec<u8>]| {
        let nest = [attribute(4, kind), attribute(0x8000 | 5, &data.concat())].concat();
        let link = link_of(link_with(&[attribute(18, &nest)]));
        assert_eq!(link.kind, LinkKind::None);
        link.slave
    };
    assert_eq!(slave(b"vrf\0", &[]), Slave::Other { name: "vrf".into() });
    for (number, state) in [
        (0, StpState::Discarding),
        (1, StpState::Discarding),
        (2, StpState::Learning),
        (3, StpState::Forwarding),
        (4, StpState::Discarding),
    ] {
        let old = Slave::BridgePort { state, learning: true, locked: false };
        assert_eq!(slave(b"bridge\0", &[attribute(1, &[number])]), old, "before Linux 3.11");
    }
    for (status, link_up) in [(0, true), (1, false), (2, false), (3, false)] {
        let data = [attribute(1, &[0]), attribute(2, &[status])];
        assert_eq!(slave(b"bond\0", &data), Slave::BondSlave { active: true, link_up });
    }
}

// Broken if the empty nest of an ordinary device made it a port, or a port were tied to another device.
#[test]
fn devlink_ports() {
    let of = |parts: &[Vec<u8>]| link_of(link_with(&[attribute(62, &parts.concat())])).devlink;
    let names = [attribute(1, b"pci\0"), attribute(2, b"0000:03:00.0\0")];
    let index = attribute(3, &7_u32.to_ne_bytes());
    assert_eq!(of(&[]), None);
    assert_eq!(of(&names), None);
    let [bus, device] = names;
    let port = DevlinkPort { device: "pci/0000:03:00.0".to_owned(), index: 7 };
    assert_eq!(of(&[bus, device, attribute(184, &[0; 4]), index]), Some(port));
}

// Broken if a device without an Ethernet address were refused, or got one.
#[test]
fn only_six_octets_are_a_mac() {
    for length in [0, 4, 7, 20] {
        assert_eq!(link_of(link_with(&[attribute(1, &vec![1; length])])).mac, None, "{length}");
    }
    assert_eq!(link_of(link_with(&[attribute(1, &[1; 6])])).mac, Some(Mac([1; 6])));
    for value in [&[0; 6][..], &[1; 20], &[]] {
        assert_eq!(link_of(link_with(&[attribute(54, value)])).perm_mac, None, "{value:?}");
    }
    assert_eq!(link_of(link_with(&[attribute(54, &[2; 6])])).perm_mac, Some(Mac([2; 6])));
}

// Broken if a wireless event, which has nothing but a name, wiped out what is known about the device.
#[test]
fn wireless_events_are_ignored() {
    let mut payload = vec![0, 0, 1, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    payload.extend(attribute(3, b"wlan0\0"));
    payload.extend(attribute(11, &[0; 8]));
    assert_eq!(message(RTM_NEWLINK, &payload), Decoded::Ignored);
}

// Broken if what later kernels add, or padding, made a message undecodable.
#[test]
fn unknown_attributes_are_skipped() {
    let expected = link_with(&[]);
    assert_eq!(link_with(&[attribute(4000, &[1, 2, 3])]), expected);
    assert_eq!(link_with(&[attribute(0, &[])]), expected);
    assert_eq!(link_with(&[vec![0, 0, 0]]), expected, "fewer octets than a header");
    assert_eq!(link_with(&[attribute(5, &[0; 4])]), expected, "IFLA_LINK of 0 is no device");
}

// Broken if a message that is wrong about something that matters were half believed.
#[test]
fn wrong_messages_are_undecodable() {
    let u32_attributes = [4, 5, 10, 37];
    for kind in u32_attributes {
        for length in [0, 3, 5, 8] {
            let expected = Fault::Length { attribute: kind, need: 4, have: length };
            assert_eq!(fault(link_with(&[attribute(kind, &vec![1; length])])), expected);
        }
    }
    for kind in [16, 33, 39] {
        let expected = Fault::Length { attribute: kind, need: 1, have: 2 };
        assert_eq!(fault(link_with(&[attribute(kind, &[1, 1])])), expected);
    }
    assert_eq!(fault(kind_of("macvlan", &[])), Fault::Missing { attribute: 1 });
    for kind in ["vrf", "vlan", "bond", "ipvlan"] {
        assert_eq!(fault(kind_of(kind, &[])), Fault::Missing { attribute: 1 }, "{kind}");
    }
    for kind in ["bridge", "bond"] {
        let nest = attribute(18, &attribute(4, format!("{kind}\0").as_bytes()));
        assert_eq!(fault(link_with(&[nest])), Fault::Missing { attribute: 1 }, "port of {kind}");
    }
    let beyond = Fault::Overrun { attribute: 9, need: 9, have: 8 };
    assert_eq!(fault(link_with(&[vec![9, 0, 9, 0, 1, 2, 3, 4]])), beyond);
    let below = Fault::Overrun { attribute: 9, need: 3, have: 4 };
    assert_eq!(fault(link_with(&[vec![3, 0, 9, 0]])), below);
    let header = [0, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(fault(message(RTM_NEWLINK, &header)), Fault::Missing { attribute: 3 });
    assert_eq!(fault(message(RTM_DELLINK, &header[..15])), Fault::Cut { need: 16, have: 15 });
    let zero = Fault::Value { field: "ifi_index", value: 0 };
    assert_eq!(fault(message(RTM_DELLINK, &[0; 16])), zero);
    let address = |prefix_len, length: usize| {
        let header = [10, prefix_len, 0, 0, 1, 0, 0, 0];
        message(RTM_NEWADDR, &[&header[..], &attribute(1, &vec![1; length])].concat())
    };
    assert_eq!(fault(address(64, 4)), Fault::Length { attribute: 1, need: 16, have: 4 });
    assert_eq!(fault(address(129, 16)), Fault::Value { field: "ifa_prefixlen", value: 129 });
    assert_eq!(
        fault(message(RTM_DELADDR, &[2, 24, 0, 0, 1, 0, 0, 0])),
        Fault::Missing { attribute: 1 }
    );
}

// Broken if one of the kinds that carry router interfaces lost what decides. Of a kernel that has them all.
#[test]
fn kinds_of_a_real_kernel() {
    let kind = |name| link_of(fixture(name)).kind;
    let protocol = TagProtocol::DOT1AD;
    assert_eq!(kind("vlan_device"), LinkKind::Vlan { vid: 10, protocol });
    assert_eq!(link_of(fixture("vlan_device")).lower(), Some(SWP1_UML));
    assert_eq!(
        kind("bridge_vlan_filtering"),
        LinkKind::Bridge { vlan_filtering: true, protocol, ageing_time: 5000, default_pvid: 1 }
    );
    assert_eq!(kind("bond_lacp"), LinkKind::Bond { mode: LagMode::Hash });
    assert_eq!(kind("bond_xor"), LinkKind::Bond { mode: LagMode::Hash });
    let mode = LagMode::Other(LagModeName::ActiveBackup);
    assert_eq!(kind("bond_active_backup"), LinkKind::Bond { mode });
    assert_eq!(kind("team"), LinkKind::Team);
    assert_eq!(kind("vrf"), LinkKind::Vrf { table: 1001 });
    let ipvlan = |mode, flag| LinkKind::Ipvlan { mode, flag };
    assert_eq!(kind("ipvlan_l2_private"), ipvlan(IpvlanMode::L2, IpvlanFlag::Private));
    assert_eq!(kind("ipvlan_l3s_vepa"), ipvlan(IpvlanMode::L3s, IpvlanFlag::Vepa));
}

// Broken if a member of a bridge or bond counted as forwarding when it is not, or the other way round.
#[test]
fn members_of_a_real_kernel() {
    let slave = |name| link_of(fixture(name)).slave;
    let port = |state, learning, locked| Slave::BridgePort { state, learning, locked };
    assert_eq!(slave("bridge_port_new"), port(StpState::Discarding, true, false));
    assert_eq!(slave("bridge_port_locked"), port(StpState::Forwarding, false, true));
    let told = |name| one(fixture(name));
    let news = |state, learning| Event::Slave(SWP2_UML, port(state, learning, false));
    assert_eq!(told("bridge_port_new_af_bridge"), news(StpState::Discarding, true));
    assert_eq!(told("bridge_port_forwarding_af_bridge"), news(StpState::Forwarding, true));
    assert_eq!(told("bridge_port_learning_off_af_bridge"), news(StpState::Forwarding, false));
    assert_eq!(fixture("bridge_af_bridge"), Decoded::Ignored, "the bridge itself");
    let member = |active, link_up| Slave::BondSlave { active, link_up };
    assert_eq!(slave("bond_slave_active"), member(true, true));
    assert_eq!(slave("bond_slave_backup"), member(false, true));
    assert_eq!(slave("bond_slave_down"), member(true, false));
    assert_eq!(slave("team_port"), Slave::Other { name: "team".into() });
    assert_eq!(slave("vrf_port"), Slave::Other { name: "vrf".into() });
    assert_eq!(slave("vlan_device"), Slave::None);
}

fn vlans(ifindex: IfIndex, first: u16, last: u16, flags: &str) -> VlanRange {
    let flags = VlanFlags { pvid: flags.contains('p'), untagged: flags.contains('u') };
    VlanRange { ifindex, first, last, flags }
}

// Broken if a range lost its end, a flag was read from the wrong bit, or the second entry of a message was dropped.
#[test]
fn vlans_of_a_real_kernel() {
    let added = |name| one(fixture(name));
    assert_eq!(added("vlan_bridge_default"), Event::Vlans(vlans(BR0_UML, 1, 1, "pu")));
    assert_eq!(added("vlans_added"), Event::Vlans(vlans(SWP2_UML, 10, 20, "")));
    assert_eq!(added("vlan_pvid"), Event::Vlans(vlans(SWP2_UML, 15, 15, "pu")));
    assert_eq!(added("vlan_of_bridge"), Event::Vlans(vlans(BR0_UML, 10, 10, "")));
    assert_eq!(added("vlans_deleted"), Event::VlansGone(vlans(SWP2_UML, 12, 14, "")));
    assert_eq!(added("vlans_deleted_by_leaving"), Event::VlansGone(vlans(SWP2_UML, 1, 1, "")));
    assert_eq!(fixture("vlan_global_options"), Decoded::Ignored);
    let rows = [
        vlans(SWP2_UML, 1, 1, "u"),
        vlans(SWP2_UML, 10, 11, ""),
        vlans(SWP2_UML, 15, 15, "pu"),
        vlans(SWP2_UML, 16, 20, ""),
    ];
    assert_eq!(fixture("vlan_row"), Decoded::Events(rows.map(Event::Vlans).to_vec()));
}

// Broken if a message about a VLAN's options changed its membership, or one that lies about VIDs were half believed.
#[test]
fn vlan_messages_made_by_hand() {
    let header = [7, 0, 0, 0, 5, 0, 0, 0];
    let entry = |flags: u16, vid: u16, last: Option<u16>| {
        let info = [flags.to_ne_bytes(), vid.to_ne_bytes()].concat();
        let last = last.map_or(Vec::new(), |last| attribute(2, &last.to_ne_bytes()));
        attribute(0x8001, &[attribute(1, &info), last].concat())
    };
    let vlan =
        |entries: &[Vec<u8>]| message(RTM_NEWVLAN, &[&header[..], &entries.concat()].concat());
    let only_options = entry(64, 10, None);
    assert_eq!(vlan(std::slice::from_ref(&only_options)), Decoded::Ignored);
    let expected = Event::Vlans(vlans(IfIndex(5), 1, 4094, "u"));
    assert_eq!(one(vlan(&[only_options, entry(4, 1, Some(4094))])), expected);
    for (first, last) in [(0, None), (4095, None), (10, Some(9)), (10, Some(4095))] {
        let bad = fault(vlan(&[entry(0, 7, None), entry(0, first, last)]));
        assert!(matches!(bad, Fault::Value { .. }), "{first} {last:?}: {bad:?}");
    }
    assert_eq!(fault(vlan(&[attribute(1, &[])])), Fault::Missing { attribute: 1 });
    let short = Fault::Length { attribute: 1, need: 4, have: 2 };
    assert_eq!(fault(vlan(&[attribute(1, &attribute(1, &[0, 0]))])), short);
    assert_eq!(fault(message(RTM_DELVLAN, &header[..7])), Fault::Cut { need: 8, have: 7 });
    assert_eq!(message(RTM_NEWVLAN, &[0; 8]), Decoded::Ignored, "another family");
}

// Broken if a MAC that a device was told to receive got lost, or one that is behind a port counted as the device's.
#[test]
fn forwarding_entries_of_a_real_kernel() {
    let mac = |last| Mac([2, 0, 0, 0, 0xaa, last]);
    assert_eq!(one(fixture("fdb_self")), Event::Receives(SWP1_UML, mac(1)));
    assert_eq!(one(fixture("fdb_self_del")), Event::ReceivesNoMore(SWP1_UML, mac(1)));
    assert_eq!(one(fixture("fdb_bridge_local")), Event::Receives(BR0_UML, mac(2)));
    assert_eq!(one(fixture("fdb_bridge_self")), Event::Receives(BR0_UML, mac(2)));
    for name in ["fdb_port_static", "fdb_port_permanent", "fdb_port_dynamic", "neighbour4"] {
        assert_eq!(fixture(name), Decoded::Ignored, "{name}");
    }
    assert_eq!(one(fixture("fdb_row")), Event::Receives(SWP1_UML, mac(7)), "SIOCADDMULTI");
    assert_eq!(one(fixture("fdb_row4")), Event::Receives(BR0_UML, mac(2)));
}

// Broken if a tunnel's remote MACs, a driver's table or multicast groups counted as MACs that the device receives.
#[test]
fn forwarding_entries_made_by_hand() {
    let entry = |state: u16, flags: u8, attributes: &[Vec<u8>]| {
        let [s0, s1] = state.to_ne_bytes();
        let header = [7, 0, 0, 0, 5, 0, 0, 0, s0, s1, flags, 0];
        message(RTM_NEWNEIGH, &[&header[..], &attributes.concat()].concat())
    };
    let mac = [2, 0, 0, 0, 0, 1];
    let lladdr = || attribute(2, &mac);
    let receives = Event::Receives(IfIndex(5), Mac(mac));
    assert_eq!(one(entry(0x80, 2, &[lladdr()])), receives);
    assert_eq!(one(entry(0, 2, &[lladdr()])), receives, "asked for without a state");
    assert_eq!(entry(0x40, 2, &[lladdr()]), Decoded::Ignored, "a driver's static entry");
    assert_eq!(entry(0x80, 6, &[lladdr()]), Decoded::Ignored, "NTF_MASTER");
    assert_eq!(entry(0x80, 0, &[lladdr()]), Decoded::Ignored, "neither");
    let remote = attribute(1, &[192, 0, 2, 1]);
    assert_eq!(entry(0x80, 2, &[lladdr(), remote]), Decoded::Ignored, "vxlan");
    let elsewhere = attribute(9, &9_u32.to_ne_bytes());
    assert_eq!(entry(0x80, 0, &[lladdr(), elsewhere]), Decoded::Ignored, "a port's own MAC");
    for other in [&[1, 0, 0x5e, 0, 0, 1][..], &[0; 6], &[2; 20]] {
        assert_eq!(entry(0x80, 2, &[attribute(2, other)]), Decoded::Ignored, "{other:?}");
    }
    assert_eq!(fault(message(RTM_NEWNEIGH, &[7; 11])), Fault::Cut { need: 12, have: 11 });
    assert_eq!(message(RTM_NEWNEIGH, &[2; 11]), Decoded::Ignored, "not looked into");
}

// Broken if the two decoders read a recorded message differently.
#[test]
fn recorded_messages_mean_the_same_to_netlink_packet_route() {
    for (name, datagram) in recorded() {
        match decoded(&datagram) {
            // It does not know messages about VLANs, nor what bridges say about ports.
            Decoded::Events(events)
                if matches!(
                    events[0],
                    Event::Vlans(_) | Event::VlansGone(_) | Event::Slave(..)
                ) => {}
            Decoded::Events(events) => {
                assert_eq!(events, Vec::from_iter(packet_route::event(&datagram)), "{name}");
            }
            other => assert_eq!(other, Decoded::Ignored, "{name}"),
        }
    }
}

// Broken if the two decoders read what this machine's kernel says differently, row by row, of every kind of device that
// it can make.
#[test]
fn a_live_dump_means_the_same_to_netlink_packet_route() {
    in_netns(|| async {
        ip("link set lo up");
        ip("link add swp1 address 02:00:00:00:00:01 type veth peer name h1");
        ip("link set swp1 up");
        ip("link set h1 up");
        ip("link property add dev swp1 altname hwsim-sw0-p1");
        for mode in ["private", "vepa", "bridge", "source"] {
            ip(&format!("link add {mode} link swp1 type macvlan mode {mode}"));
            ip(&format!("address add 192.0.2.1/24 broadcast 192.0.2.255 dev {mode}"));
        }
        ip("link set private up protodown on");
        ip("address add 198.51.100.1 peer 198.51.100.2/31 dev swp1");
        ip("address add 2001:db8::1 peer 2001:db8::2/127 dev swp1");
        ip("link add br0 type bridge");
        ip("link set h1 master br0");
        ip("maddress add 02:00:00:00:00:99 dev swp1");
        ip("maddress add 02:00:00:00:00:99 dev h1");
        let mut socket = RouteSocket::open(Buffers::default()).unwrap();
        for (kind, family, size, rows) in
            [(18, 0, 16, 8), (22, 2, 8, 6), (22, 10, 8, 2), (30, 7, 12, 3)]
        {
            let mut payload = vec![0; size];
            payload[0] = family;
            socket.request(kind, 1, payload).unwrap();
            let mut seen = 0;
            let mut ended = false;
            while !ended {
                let Received::Datagram(part) = socket.receive() else { panic!("no end") };
                for message in messages(part).map(Result::unwrap) {
                    match decode(&message) {
                        Decoded::Events(ours) => {
                            assert_eq!(ours, Vec::from_iter(packet_route::event(&bytes(&message))));
                            seen += 1;
                        }
                        other => {
                            assert!(other == Decoded::Ignored && matches!(message.kind, 3 | 28));
                        }
                    }
                    ended |= message.kind == 3;
                }
            }
            assert!(seen >= rows, "{seen} rows of {kind}");
        }
    });
}

/// The message with its header.
fn bytes(message: &Message<'_>) -> Vec<u8> {
    let length = u32::try_from(16 + message.payload.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(message.kind.to_ne_bytes());
    bytes.extend(message.flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(message.payload);
    bytes
}

proptest! {
    // Broken if any payload of any type could stop the agent.
    #[test]
    fn no_payload_leads_to_a_panic(kind in prop_oneof![14_u16..24, 28..30_u16, 112..115_u16], payload in prop::collection::vec(any::<u8>(), 0..300)) {
        message(kind, &payload);
    }

    // Broken if damage to a real message could stop the agent. Unlike octets by chance, these get past the headers.
    #[test]
    fn no_damaged_message_leads_to_a_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut datagram = which.get(&recorded()).1.clone();
        for (at, octet) in damage {
            let at = at.index(datagram.len());
            datagram[at] = octet;
        }
        datagram.truncate(cut.index(2 * datagram.len()));
        for message in messages(&datagram).flatten() {
            decode(&message);
        }
    }

    // Broken if a link that netlink-packet-route writes were read differently: every field, in every combination.
    #[test]
    fn links_that_netlink_packet_route_writes(link in any_link()) {
        let expected = Decoded::Events(vec![Event::Link(Box::new(link.clone()))]);
        prop_assert_eq!(decoded(&packet_route::link_message(link)), expected);
    }

    // Broken if an entry that netlink-packet-route writes were read differently.
    #[test]
    fn entries_that_netlink_packet_route_writes(index in 1..=0x7fff_ffff_u32, mac: [u8; 6]) {
        let mac = Mac([mac[0] & 0xfe | 2, mac[1], mac[2], mac[3], mac[4], mac[5]]);
        let expected = Decoded::Events(vec![Event::Receives(IfIndex(index), mac)]);
        prop_assert_eq!(decoded(&packet_route::received_message(IfIndex(index), mac)), expected);
    }

    // Broken if an address that netlink-packet-route writes were read differently.
    #[test]
    fn addresses_that_netlink_packet_route_writes(address in any_address()) {
        let expected = Decoded::Events(vec![Event::Address(address.clone())]);
        prop_assert_eq!(decoded(&packet_route::address_message(&address)), expected);
    }
}

fn any_link() -> impl Strategy<Value = Link> {
    let index = || prop::option::of((1..u32::MAX).prop_map(IfIndex));
    let named =
        (1..=0x7fff_ffff_u32, "[a-z0-9.-]{1,15}", prop::collection::vec("[a-z0-9-]{1,127}", 0..3));
    let own = (
        prop::option::of(any::<[u8; 6]>()),
        any::<u32>(),
        any::<u32>(),
        0..7_u8,
        any::<[bool; 2]>(),
    );
    let perm = prop::option::of(
        (1..=255_u8, any::<[u8; 5]>())
            .prop_map(|(first, [b, c, d, e, f])| Mac([first, b, c, d, e, f])),
    );
    let stacked = (index(), prop::option::of(any::<i32>()), index(), any_kind(), any_slave(), perm);
    (named, own, stacked).prop_map(
        |(named, own, (link, link_netnsid, master, kind, slave, perm_mac))| {
            let (ifindex, ifname, altnames) = named;
            let (mac, mtu, flags, operstate, [carrier, proto_down]) = own;
            Link {
                ifindex: IfIndex(ifindex),
                ifname,
                altnames,
                mac: mac.map(Mac),
                mtu,
                flags,
                operstate: OperState::from_u8(operstate),
                carrier,
                proto_down,
                link,
                link_netnsid,
                master,
                kind,
                slave,
                perm_mac,
                devlink: None,
            }
        },
    )
}

fn any_kind() -> impl Strategy<Value = LinkKind> {
    use MacvlanMode::{Bridge, Other, Passthru, Private, Source, Vepa};
    let mode = prop::sample::select(vec![Private, Vepa, Bridge, Passthru, Source, Other(64)]);
    let name = prop::sample::select(vec!["veth", "macvtap", "not-invented-yet"]);
    let ipvlan_mode = prop::sample::select(vec![
        IpvlanMode::L2,
        IpvlanMode::L3,
        IpvlanMode::L3s,
        IpvlanMode::Other(3),
    ]);
    let flag =
        prop::sample::select(vec![IpvlanFlag::Bridge, IpvlanFlag::Private, IpvlanFlag::Vepa]);
    let protocol = || prop::sample::select(vec![TagProtocol::DOT1Q, TagProtocol::DOT1AD]);
    prop_oneof![
        Just(LinkKind::None),
        mode.prop_map(|mode| LinkKind::Macvlan { mode }),
        (ipvlan_mode, flag).prop_map(|(mode, flag)| LinkKind::Ipvlan { mode, flag }),
        any::<u32>().prop_map(|table| LinkKind::Vrf { table }),
        (0..4095_u16, protocol()).prop_map(|(vid, protocol)| LinkKind::Vlan { vid, protocol }),
        (any::<bool>(), protocol(), any::<u32>(), 0..4095_u16).prop_map(
            |(vlan_filtering, protocol, ageing_time, default_pvid)| LinkKind::Bridge {
                vlan_filtering,
                protocol,
                ageing_time,
                default_pvid,
            }
        ),
        (0..8_u8).prop_map(|mode| LinkKind::Bond { mode: LagMode::of_bond(mode) }),
        Just(LinkKind::Team),
        name.prop_map(|name| LinkKind::Other { name: name.to_owned() }),
    ]
}

fn any_slave() -> impl Strategy<Value = Slave> {
    let name = prop::sample::select(vec!["vrf", "team", "not-invented-yet"]);
    prop_oneof![
        Just(Slave::None),
        (0..5_u8, any::<[bool; 2]>()).prop_map(|(state, [learning, locked])| {
            Slave::BridgePort { state: StpState::from_u8(state), learning, locked }
        }),
        any::<[bool; 2]>().prop_map(|[active, link_up]| Slave::BondSlave { active, link_up }),
        name.prop_map(|name| Slave::Other { name: name.to_owned() }),
    ]
}

fn any_address() -> impl Strategy<Value = Address> {
    let v4 = (any::<[[u8; 4]; 2]>(), 0..=32_u8, prop::option::of(any::<[u8; 4]>())).prop_map(
        |([ip, peer], prefix_len, broadcast)| {
            (ip.into(), peer.into(), prefix_len, broadcast.map(Into::into))
        },
    );
    let v6 = (any::<[[u8; 16]; 2]>(), 0..=128_u8)
        .prop_map(|([ip, peer], prefix_len)| (ip.into(), peer.into(), prefix_len, None));
    let rest = (1..=0x7fff_ffff_u32, any::<bool>(), any::<u32>(), prop::option::of(any::<u8>()));
    (prop_oneof![v4, v6], rest).prop_map(|((ip, peer, prefix_len, broadcast), rest)| {
        let (ifindex, has_peer, flags, proto) = rest;
        let ip: std::net::IpAddr = ip;
        let peer = Some(peer).filter(|peer| has_peer && *peer != ip);
        Address { ifindex: IfIndex(ifindex), ip, prefix_len, peer, broadcast, flags, proto }
    })
}
