mod packet_route;

use firsthop_model::Mac;
use firsthop_model::topology::{
    Address, Event, Link, LinkKind, MacvlanMode, OperState, Topology, ifa_proto,
};
use proptest::prelude::*;

use super::*;
use crate::message::messages;
use crate::socket::{Buffers, Received, RouteSocket};
use crate::testbed::{in_netns, ip};

const SWP1: IfIndex = IfIndex(3);
const VMAC: IfIndex = IfIndex(4);

/// The recorded messages by name.
fn recorded() -> Vec<(&'static str, Vec<u8>)> {
    let lines = include_str!("../../fixtures/recorded.txt").lines();
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

fn link_of(decoded: Decoded) -> Link {
    match decoded {
        Decoded::Event(Event::Link(link)) => *link,
        other => panic!("{other:?}"),
    }
}

fn address_of(decoded: Decoded) -> Address {
    match decoded {
        Decoded::Event(Event::Address(address)) => address,
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
    assert_eq!(fixture("bridge_port_af_bridge"), Decoded::Ignored);
    assert_eq!(fixture("bridge_leave_af_bridge"), Decoded::Ignored);
    assert_eq!(link_of(fixture("bridge_port")).master, Some(IfIndex(5)));
    assert_eq!(link_of(fixture("bridge")).kind, LinkKind::Other { name: "bridge".into() });
}

// Broken if a device that was deleted or moved to another network namespace stayed.
#[test]
fn gone_is_gone() {
    assert_eq!(fixture("macvlan_del"), Decoded::Event(Event::LinkGone(VMAC)));
    assert_eq!(fixture("moved_to_netns"), Decoded::Event(Event::LinkGone(SWP1)));
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
    let Decoded::Event(removal @ Event::AddressGone(_)) = fixture("addr4_del") else { panic!() };
    view.fold(removal);
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
    let ipvlan =
        |flags: u16| kind("ipvlan", &[attribute(1, &[1, 0]), attribute(2, &flags.to_ne_bytes())]);
    assert_eq!(ipvlan(2), LinkKind::Ipvlan { vepa: true });
    assert_eq!(ipvlan(1), LinkKind::Ipvlan { vepa: false });
    assert_eq!(kind("ipvlan", &[]), LinkKind::Ipvlan { vepa: false }, "before Linux 4.15");
    assert_eq!(
        kind("vrf", &[attribute(1, &1001_u32.to_ne_bytes())]),
        LinkKind::Vrf { table: 1001 }
    );
    assert_eq!(kind("vlan", &[attribute(1, &[10, 0])]), LinkKind::Other { name: "vlan".into() });
    let slave_of_vrf = attribute(18, &attribute(4, b"vrf\0"));
    assert_eq!(link_of(link_with(&[slave_of_vrf])).kind, LinkKind::None);
}

// Broken if a device without an Ethernet address were refused, or got one.
#[test]
fn only_six_octets_are_a_mac() {
    for length in [0, 4, 7, 20] {
        assert_eq!(link_of(link_with(&[attribute(1, &vec![1; length])])).mac, None, "{length}");
    }
    assert_eq!(link_of(link_with(&[attribute(1, &[1; 6])])).mac, Some(Mac([1; 6])));
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
    assert_eq!(fault(kind_of("vrf", &[])), Fault::Missing { attribute: 1 });
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

// Broken if the two decoders read a recorded message differently.
#[test]
fn recorded_messages_mean_the_same_to_netlink_packet_route() {
    for (name, datagram) in recorded() {
        match decoded(&datagram) {
            Decoded::Event(event) => {
                assert_eq!(Some(event), packet_route::event(&datagram), "{name}");
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
        let mut socket = RouteSocket::open(Buffers::default()).unwrap();
        for (kind, family, size, rows) in [(18, 0, 16, 8), (22, 2, 8, 6), (22, 10, 8, 2)] {
            let mut payload = vec![0; size];
            payload[0] = family;
            socket.request(kind, 1, payload).unwrap();
            let mut seen = 0;
            let mut ended = false;
            while !ended {
                let Received::Datagram(part) = socket.receive() else { panic!("no end") };
                for message in messages(part).map(Result::unwrap) {
                    match decode(&message) {
                        Decoded::Event(ours) => {
                            assert_eq!(Some(ours), packet_route::event(&bytes(&message)));
                            seen += 1;
                        }
                        other => assert_eq!((&other, message.kind), (&Decoded::Ignored, 3)),
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
    fn no_payload_leads_to_a_panic(kind in 14_u16..24, payload in prop::collection::vec(any::<u8>(), 0..300)) {
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
        let expected = Decoded::Event(Event::Link(Box::new(link.clone())));
        prop_assert_eq!(decoded(&packet_route::link_message(link)), expected);
    }

    // Broken if an address that netlink-packet-route writes were read differently.
    #[test]
    fn addresses_that_netlink_packet_route_writes(address in any_address()) {
        let expected = Decoded::Event(Event::Address(address.clone()));
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
    let stacked = (index(), prop::option::of(any::<i32>()), index(), any_kind());
    (named, own, stacked).prop_map(|(named, own, (link, link_netnsid, master, kind))| {
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
        }
    })
}

fn any_kind() -> impl Strategy<Value = LinkKind> {
    use MacvlanMode::{Bridge, Other, Passthru, Private, Source, Vepa};
    let mode = prop::sample::select(vec![Private, Vepa, Bridge, Passthru, Source, Other(64)]);
    let name =
        prop::sample::select(vec!["bridge", "vlan", "veth", "bond", "macvtap", "not-invented-yet"]);
    prop_oneof![
        Just(LinkKind::None),
        mode.prop_map(|mode| LinkKind::Macvlan { mode }),
        any::<bool>().prop_map(|vepa| LinkKind::Ipvlan { vepa }),
        any::<u32>().prop_map(|table| LinkKind::Vrf { table }),
        name.prop_map(|name| LinkKind::Other { name: name.to_owned() }),
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
