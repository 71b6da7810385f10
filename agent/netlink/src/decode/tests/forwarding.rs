//! Messages about routes, next-hop objects and neighbours, octet by octet.

use std::net::IpAddr;

use firsthop_model::fib::{Neighbour, NextHop, NextHopContent, Placement, Route, RouteKind, Via};

use super::*;
use crate::message::{
    NLM_F_APPEND, NLM_F_CREATE, NLM_F_MULTI, NLM_F_REPLACE, RTM_DELNEXTHOP, RTM_DELROUTE,
    RTM_NEWNEXTHOP, RTM_NEWROUTE,
};

const V4: u8 = 2;
const V6: u8 = 10;
const EXCL: u16 = 0x200;
const UNICAST: u8 = 1;

fn said(kind: u16, flags: u16, payload: &[u8]) -> Decoded<FibEvent> {
    decode_fib(&Message { kind, flags, sequence: 0, port: 0, payload })
}

fn one(decoded: Decoded<FibEvent>) -> FibEvent {
    match decoded {
        Decoded::Events(mut events) if events.len() == 1 => events.remove(0),
        other => panic!("{other:?}"),
    }
}

fn fault(decoded: Decoded<FibEvent>) -> Fault {
    match decoded {
        Decoded::Undecodable(undecodable) => undecodable.fault,
        other => panic!("{other:?}"),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(kind: u16, text: &str) -> Vec<u8> {
    match ip(text) {
        IpAddr::V4(ip) => attribute(kind, &ip.octets()),
        IpAddr::V6(ip) => attribute(kind, &ip.octets()),
    }
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_ne_bytes())
}

/// `struct rtmsg` of table 254 and protocol 4 (static), and attributes.
fn rtmsg(family: u8, dst_len: u8, kind: u8, flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = vec![family, dst_len, 0, 0, 254, 4, 0, kind];
    payload.extend(flags.to_ne_bytes());
    attributes.iter().for_each(|attribute| payload.extend(attribute));
    payload
}

/// `struct rtnexthop`
fn rtnexthop(flags: u8, hops: u8, ifindex: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes = attributes.concat();
    let mut octets = u16::try_from(8 + attributes.len()).unwrap().to_ne_bytes().to_vec();
    octets.extend([flags, hops]);
    octets.extend(ifindex.to_ne_bytes());
    octets.extend(attributes);
    octets
}

/// What RTM_NEWROUTE says.
fn route(payload: &[u8]) -> Route {
    match one(said(RTM_NEWROUTE, NLM_F_CREATE, payload)) {
        FibEvent::Route(route, _) => route,
        other => panic!("{other:?}"),
    }
}

fn hop(ifindex: u32, gateway: Option<&str>) -> NextHop {
    NextHop {
        ifindex: (ifindex != 0).then_some(IfIndex(ifindex)),
        gateway: gateway.map(ip),
        weight: 1,
        dead: false,
        link_down: false,
        encapsulated: false,
    }
}

fn hops(route: &Route) -> &[NextHop] {
    match &route.via {
        Via::Hops(hops) => hops,
        Via::Object(id) => panic!("object {id}"),
    }
}

// Broken if any field of a route came out wrong.
#[test]
fn a_route_with_one_next_hop() {
    let mut payload = rtmsg(
        V4,
        24,
        UNICAST,
        0,
        &[
            number(15, 1001),
            address(1, "198.51.100.77"),
            number(6, 20),
            address(5, "192.0.2.2"),
            number(4, 7),
        ],
    );
    payload[3] = 0x10;
    let expected = Route {
        table: 1001,
        prefix: "198.51.100.0/24".parse().unwrap(),
        metric: 20,
        tos: 0x10,
        source: None,
        kind: RouteKind::Unicast,
        protocol: 4,
        via: Via::Hops(vec![hop(7, Some("192.0.2.2"))]),
    };
    assert_eq!(route(&payload), expected);
    assert_eq!(one(said(RTM_DELROUTE, 0, &payload)), FibEvent::RouteGone(expected));

    let mut payload = rtmsg(V6, 0, UNICAST, 0, &[number(4, 7), address(5, "fe80::1")]);
    payload[3] = 0x10;
    let default = route(&payload);
    assert_eq!((default.prefix.to_string(), default.table), ("::/0".into(), 254));
    assert_eq!((default.tos, default.metric), (0, 0), "IPv6 has no routes by TOS");
    assert_eq!(hops(&default), [hop(7, Some("fe80::1"))]);
    let default = route(&rtmsg(V4, 0, UNICAST, 0, &[number(4, 7)]));
    assert_eq!(default.prefix.to_string(), "0.0.0.0/0");
    assert_eq!(hops(&default), [hop(7, None)]);
}

// Broken if weights, dead next hops or gateways of the other family of a route with several were lost or mixed up.
#[test]
fn a_route_with_several_next_hops() {
    let via = |family: u16, ip: &str| {
        let octets = match self::ip(ip) {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        attribute(18, &[&family.to_ne_bytes()[..], &octets].concat())
    };
    let several = [
        rtnexthop(0, 2, 7, &[address(5, "192.0.2.2")]),
        rtnexthop(1 | 16, 255, 8, &[via(10, "2001:db8::9")]),
        rtnexthop(16, 0, 9, &[via(2, "192.0.2.9"), attribute(21, &[1, 0]), attribute(22, &[])]),
        rtnexthop(0, 0, 0, &[]),
    ];
    let multipath = attribute(9, &several.concat());
    // Flags of the whole say nothing about a part.
    let payload = rtmsg(V4, 16, UNICAST, 1, &[address(1, "10.1.0.0"), multipath]);
    let expected = [
        NextHop { weight: 3, ..hop(7, Some("192.0.2.2")) },
        NextHop { weight: 256, dead: true, link_down: true, ..hop(8, Some("2001:db8::9")) },
        NextHop { link_down: true, encapsulated: true, ..hop(9, Some("192.0.2.9")) },
        hop(0, None),
    ];
    assert_eq!(hops(&route(&payload)), expected);

    let single = rtmsg(V4, 0, UNICAST, 1 | 16, &[number(4, 7), via(10, "fe80::1")]);
    let expected = NextHop { dead: true, link_down: true, ..hop(7, Some("fe80::1")) };
    assert_eq!(hops(&route(&single)), [expected]);
    for encapsulation in [attribute(21, &[1, 0]), attribute(0x8000 | 22, &[])] {
        let single = rtmsg(V6, 0, UNICAST, 0, &[number(4, 7), encapsulation]);
        assert!(hops(&route(&single))[0].encapsulated);
    }
}

// Broken if an IPv6 route seemed to change whenever it is dumped, because the kernel announces its next hops in another order.
#[test]
fn next_hops_of_ipv6_have_no_order() {
    let via = |ifindex, gateway| rtnexthop(0, 0, ifindex, &[address(5, gateway)]);
    let [one, two] = [via(7, "2001:db8::1"), via(7, "2001:db8::2")];
    let of =
        |order: [&[u8]; 2]| route(&rtmsg(V6, 0, UNICAST, 0, &[attribute(9, &order.concat())])).via;
    assert_eq!(of([&one, &two]), of([&two, &one]));
}

// Broken if a route through a next-hop object were pinned to what the object means at present.
#[test]
fn an_object_is_more_than_its_expansion() {
    let expansion = [
        attribute(9, &rtnexthop(0, 0, 7, &[address(5, "2001:db8::2")])),
        number(4, 7),
        number(30, 4711),
    ];
    for family in [V4, V6] {
        let payload = rtmsg(family, 0, UNICAST, 0, &expansion[1..]);
        assert_eq!(route(&payload).via, Via::Object(4711));
    }
    assert_eq!(route(&rtmsg(V6, 0, UNICAST, 0, &expansion)).via, Via::Object(4711));
}

// Broken if what is to be dropped went to the device `lo`, which IPv6 names, or what is for this host went nowhere.
#[test]
fn kinds_that_lead_nowhere() {
    use RouteKind::{Anycast, Blackhole, Broadcast, Local, Prohibit, Throw, Unreachable};
    for (number_of, kind) in [(6, Blackhole), (7, Unreachable), (8, Prohibit), (9, Throw)] {
        let seen = route(&rtmsg(V6, 0, number_of, 0, &[number(4, 1)]));
        assert_eq!((seen.kind, seen.via), (kind, Via::Hops(Vec::new())));
    }
    for (number_of, kind) in [(2, Local), (3, Broadcast), (4, Anycast), (77, RouteKind::Other(77))]
    {
        let seen = route(&rtmsg(V4, 0, number_of, 0, &[number(4, 1)]));
        assert_eq!((seen.kind, seen.via), (kind, Via::Hops(vec![hop(1, None)])));
    }
}

// Broken if caches, multicast, routes by source or other families were taken for routes.
#[test]
fn routes_that_are_left_out() {
    let oif = [number(4, 7)];
    let mut by_source = rtmsg(V6, 0, UNICAST, 0, &oif);
    by_source[2] = 64;
    for (what, payload) in [
        ("cached", rtmsg(V4, 0, UNICAST, 0x200, &oif)),
        ("multicast", rtmsg(V6, 8, 5, 0, &oif)),
        ("by source", by_source),
        ("multicast routing", rtmsg(128, 0, UNICAST, 0, &oif)),
        ("MPLS", rtmsg(28, 20, UNICAST, 0, &oif)),
    ] {
        for kind in [RTM_NEWROUTE, RTM_DELROUTE] {
            assert_eq!(said(kind, 0, &payload), Decoded::Ignored, "{what}");
        }
    }
    assert_eq!(said(26, 0, &rtmsg(V4, 0, UNICAST, 0, &oif)), Decoded::Ignored, "a request");
    assert_eq!(message(RTM_NEWROUTE, &[]), Decoded::Ignored, "another subject");
}

// Broken if a route took the wrong place among those of its prefix.
#[test]
fn flags_tell_the_place() {
    let payload = rtmsg(V4, 0, UNICAST, 0, &[number(4, 7)]);
    for (flags, expected) in [
        (NLM_F_REPLACE, Placement::Replace),
        (NLM_F_CREATE | EXCL, Placement::Prepend),
        (NLM_F_CREATE, Placement::Prepend),
        (NLM_F_CREATE | NLM_F_APPEND, Placement::Append),
        (NLM_F_APPEND | EXCL | NLM_F_CREATE, Placement::Append),
        (NLM_F_REPLACE | NLM_F_APPEND, Placement::Replace),
        (NLM_F_MULTI, Placement::Append),
        (0, Placement::Replace),
    ] {
        let FibEvent::Route(_, placement) = one(said(RTM_NEWROUTE, flags, &payload)) else {
            panic!("{flags:#x}")
        };
        assert_eq!(placement, expected, "{flags:#x}");
    }
}

// Broken if a route that contradicts itself were half believed.
#[test]
fn routes_that_are_wrong() {
    let with = |family, attribute| {
        fault(said(RTM_NEWROUTE, 0, &rtmsg(family, 0, UNICAST, 0, &[attribute])))
    };
    let length = |attribute, need, have| Fault::Length { attribute, need, have };
    assert_eq!(with(V4, address(1, "::1")), length(1, 4, 16));
    assert_eq!(with(V6, address(5, "192.0.2.1")), length(5, 16, 4));
    assert_eq!(with(V4, attribute(15, &[1, 2])), length(15, 4, 2));
    assert_eq!(with(V4, attribute(18, &[2])), length(18, 2, 1));
    assert_eq!(
        with(V4, attribute(18, &[&2_u16.to_ne_bytes()[..], &[1, 2, 3]].concat())),
        length(18, 6, 5)
    );
    assert_eq!(
        with(V4, attribute(18, &[&10_u16.to_ne_bytes()[..], &[1; 4]].concat())),
        length(18, 18, 6)
    );
    let value = |field, value| Fault::Value { field, value };
    assert_eq!(with(V4, attribute(18, &28_u16.to_ne_bytes())), value("rtvia_family", 28));
    assert_eq!(with(V4, number(4, u32::MAX)), value("RTA_OIF", u32::MAX.into()));
    assert_eq!(
        with(V4, attribute(9, &rtnexthop(0, 0, u32::MAX, &[]))),
        value("rtnh_ifindex", u32::MAX.into())
    );
    for (family, dst_len) in [(V4, 33), (V6, 129)] {
        let payload = rtmsg(family, dst_len, UNICAST, 0, &[]);
        assert_eq!(fault(said(RTM_NEWROUTE, 0, &payload)), value("rtm_dst_len", dst_len.into()));
    }
    for lie in [0_u16, 7, 9, 200] {
        let mut hop = rtnexthop(0, 0, 7, &[]);
        hop[..2].copy_from_slice(&lie.to_ne_bytes());
        let need = usize::from(lie);
        assert_eq!(with(V4, attribute(9, &hop)), Fault::Overrun { attribute: 9, need, have: 8 });
    }
    let tail = [rtnexthop(0, 0, 7, &[]), vec![0; 4]].concat();
    assert_eq!(with(V4, attribute(9, &tail)), Fault::Overrun { attribute: 9, need: 8, have: 4 });
    let Decoded::Undecodable(seen) = said(RTM_NEWROUTE, 0, &rtmsg(V4, 33, UNICAST, 0, &[])) else {
        panic!()
    };
    assert_eq!((seen.kind, seen.ifindex), (RTM_NEWROUTE, 0), "the second word is no index");
}

/// `struct nhmsg` and attributes.
fn nhmsg(flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = vec![V4, 0, 0, 0];
    payload.extend(flags.to_ne_bytes());
    attributes.iter().for_each(|attribute| payload.extend(attribute));
    payload
}

/// `struct nexthop_grp`
fn member(id: u32, weight: u8, weight_high: u8) -> Vec<u8> {
    [&id.to_ne_bytes()[..], &[weight, weight_high, 0, 0]].concat()
}

// Broken if a next-hop object meant something else than the kernel's.
#[test]
fn next_hop_objects() {
    let content = |payload: &[u8]| {
        let FibEvent::NextHop(object) = one(said(RTM_NEWNEXTHOP, 0, payload)) else { panic!() };
        assert_eq!(object.id, 4711);
        let gone = one(said(RTM_DELNEXTHOP, 0, payload));
        assert_eq!(gone, FibEvent::NextHopGone(4711));
        object.content
    };
    let id = || number(1, 4711);
    let v4 = content(&nhmsg(0, &[id(), number(5, 7), address(6, "192.0.2.2")]));
    assert_eq!(v4, NextHopContent::Hop(hop(7, Some("192.0.2.2"))));
    let v6 =
        content(&nhmsg(1 | 16, &[id(), number(5, 7), address(6, "fe80::1"), attribute(8, &[])]));
    let expected =
        NextHop { dead: true, link_down: true, encapsulated: true, ..hop(7, Some("fe80::1")) };
    assert_eq!(v6, NextHopContent::Hop(expected));
    let on_link = content(&nhmsg(0, &[id(), number(5, 7)]));
    assert_eq!(on_link, NextHopContent::Hop(hop(7, None)));
    assert_eq!(content(&nhmsg(0, &[id(), attribute(4, &[])])), NextHopContent::Blackhole);
    let members = [member(1, 0, 0), member(2, 6, 0), member(3, 255, 0), member(4, 255, 255)];
    let group = content(&nhmsg(0, &[id(), attribute(2, &members.concat()), attribute(3, &[0, 0])]));
    assert_eq!(group, NextHopContent::Group(vec![(1, 1), (2, 7), (3, 256), (4, 65536)]));
    assert_eq!(
        content(&nhmsg(0, &[id(), attribute(2, &member(1, 0, 2))])),
        NextHopContent::Group(vec![(1, 513)])
    );
}

// Broken if a vxlan's remote end were taken for a router, or an object that contradicts itself half believed.
#[test]
fn next_hop_objects_that_are_left_out_or_wrong() {
    let of_vxlan = nhmsg(0, &[number(1, 5), address(6, "192.0.2.2"), attribute(11, &[])]);
    assert_eq!(said(RTM_NEWNEXTHOP, 0, &of_vxlan), Decoded::Ignored);
    assert_eq!(said(RTM_DELNEXTHOP, 0, &of_vxlan), Decoded::Ignored);
    let wrong = |attributes: &[Vec<u8>]| fault(said(RTM_NEWNEXTHOP, 0, &nhmsg(0, attributes)));
    let length = |attribute, need, have| Fault::Length { attribute, need, have };
    assert_eq!(wrong(&[number(5, 7)]), Fault::Missing { attribute: 1 });
    assert_eq!(wrong(&[attribute(1, &[1])]), length(1, 4, 1));
    assert_eq!(wrong(&[attribute(2, &[0; 12])]), length(2, 16, 12));
    assert_eq!(wrong(&[attribute(6, &[0; 3])]), length(6, 4, 3));
    assert_eq!(wrong(&[attribute(6, &[0; 5])]), length(6, 16, 5));
    assert_eq!(
        wrong(&[number(5, 0x8000_0000)]),
        Fault::Value { field: "NHA_OIF", value: 0x8000_0000 }
    );
}

/// `struct ndmsg` of device 7, and attributes.
fn ndmsg(family: u8, state: u16, flags: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = vec![family, 0, 0, 0, 7, 0, 0, 0];
    payload[4..].copy_from_slice(&7_u32.to_ne_bytes());
    payload.extend(state.to_ne_bytes());
    payload.extend([flags, 1]);
    attributes.iter().for_each(|attribute| payload.extend(attribute));
    payload
}

// Broken if packets went to the MAC of a neighbour that does not answer, or did not go to that of one that does.
#[test]
fn neighbours_in_all_states() {
    let mac = [2, 0, 0, 0, 0, 9];
    for (state, usable, permanent) in [
        (0, false, false),
        (0x01, false, false),
        (0x02, true, false),
        (0x04, true, false),
        (0x08, true, false),
        (0x10, true, false),
        (0x20, false, false),
        (0x40, true, true),
        (0x80, true, true),
    ] {
        for (family, host) in [(V4, "192.0.2.9"), (V6, "fe80::9")] {
            let payload = ndmsg(family, state, 0, &[address(1, host), attribute(2, &mac)]);
            let expected = Neighbour {
                ifindex: IfIndex(7),
                ip: ip(host),
                mac: usable.then_some(Mac(mac)),
                permanent,
            };
            assert_eq!(one(said(RTM_NEWNEIGH, 0, &payload)), FibEvent::Neighbour(expected));
            let gone = FibEvent::NeighbourGone(IfIndex(7), ip(host));
            assert_eq!(one(said(RTM_DELNEIGH, 0, &payload)), gone);
        }
    }
    for lladdr in [attribute(2, &[0; 6]), attribute(2, &[1; 20]), attribute(2, &[])] {
        let payload = ndmsg(V4, 0x40, 0, &[address(1, "192.0.2.9"), lladdr]);
        let seen = one(said(RTM_NEWNEIGH, 0, &payload));
        assert!(matches!(seen, FibEvent::Neighbour(Neighbour { mac: None, .. })), "{seen:?}");
    }
}

// Broken if groups, addresses that are answered for, or bridges' entries were taken for neighbours.
#[test]
fn neighbours_that_are_left_out_or_wrong() {
    let mac = || attribute(2, &[2, 0, 0, 0, 0, 9]);
    for (what, payload) in [
        ("IPv6 group", ndmsg(V6, 0x40, 0, &[address(1, "ff02::1"), mac()])),
        ("IPv4 group", ndmsg(V4, 0x40, 0, &[address(1, "224.0.0.18"), mac()])),
        ("proxy", ndmsg(V4, 0, 8, &[address(1, "192.0.2.9")])),
        ("bridge", ndmsg(7, 0x80, 2, &[mac()])),
    ] {
        for kind in [RTM_NEWNEIGH, RTM_DELNEIGH] {
            assert_eq!(said(kind, 0, &payload), Decoded::Ignored, "{what}");
        }
    }
    let wrong = |payload: &[u8]| fault(said(RTM_NEWNEIGH, 0, payload));
    assert_eq!(wrong(&ndmsg(V4, 2, 0, &[mac()])), Fault::Missing { attribute: 1 });
    let length = Fault::Length { attribute: 1, need: 16, have: 4 };
    assert_eq!(wrong(&ndmsg(V6, 2, 0, &[address(1, "192.0.2.9")])), length);
    let mut nowhere = ndmsg(V4, 2, 0, &[address(1, "192.0.2.9")]);
    nowhere[4..8].fill(0);
    assert_eq!(wrong(&nowhere), Fault::Value { field: "ndm_ifindex", value: 0 });
}

// Broken if a message that ends early, at any octet, were believed as far as it goes where it lacks what it announces, or led
// to a panic.
#[test]
fn cut_off_at_every_octet() {
    let several = [
        rtnexthop(0, 2, 7, &[address(5, "192.0.2.2")]),
        rtnexthop(0, 0, 8, &[attribute(18, &[&10_u16.to_ne_bytes()[..], &[1; 16]].concat())]),
    ];
    let members = [member(1, 0, 0), member(2, 6, 0)].concat();
    let whole = [
        (
            RTM_NEWROUTE,
            12,
            rtmsg(V4, 24, UNICAST, 0, &[attribute(9, &several.concat()), number(15, 9)]),
        ),
        (RTM_NEWNEXTHOP, 8, nhmsg(0, &[number(1, 9), attribute(2, &members)])),
        (RTM_NEWNEIGH, 12, ndmsg(V6, 2, 0, &[address(1, "fe80::9"), attribute(2, &[2; 6])])),
    ];
    for (kind, header, payload) in whole {
        assert!(matches!(said(kind, 0, &payload), Decoded::Events(_)));
        for length in 0..payload.len() {
            let seen = said(kind, 0, &payload[..length]);
            if length < header {
                let cut = Fault::Cut { need: header, have: length };
                assert_eq!(fault(seen), cut, "{kind}, {length} octets");
                continue;
            }
            // Where an attribute ends, or fewer octets than a header of one follow, the message might be a whole one.
            let mut ends = vec![header];
            while let Some([l0, l1]) =
                payload.get(ends[ends.len() - 1]..).and_then(<[u8]>::first_chunk)
            {
                let attribute = usize::from(u16::from_ne_bytes([*l0, *l1]));
                ends.push(ends[ends.len() - 1] + attribute.next_multiple_of(4));
            }
            let within = ends.iter().all(|end| !(*end..*end + 4).contains(&length));
            let padding = kind == RTM_NEWNEIGH && length >= payload.len() - 2;
            if within && !padding {
                assert!(matches!(fault(seen), Fault::Overrun { .. }), "{kind}, {length} octets");
            }
        }
    }
    // Within the list of next hops, whose attribute then has an honest length.
    let list = several.concat();
    for length in (1..list.len()).filter(|length| *length != several[0].len()) {
        let payload = rtmsg(V4, 24, UNICAST, 0, &[attribute(9, &list[..length])]);
        assert!(matches!(said(RTM_NEWROUTE, 0, &payload), Decoded::Undecodable(_)), "{length}");
    }
}

proptest! {
    // Broken if any octets from the socket could stop the agent.
    #[test]
    fn no_octets_lead_to_a_panic(
        kind in prop::sample::select(vec![24_u16, 25, 28, 29, 104, 105]),
        family in prop::sample::select(vec![V4, V6]), flags: u16,
        mut payload in prop::collection::vec(any::<u8>(), 0..120),
        attribute in 0_u16..31, length in 4_u16..80,
    ) {
        if let Some(first) = payload.first_mut() {
            *first = family;
        }
        if let Some(header) = payload.get_mut(12..16) {
            header[..2].copy_from_slice(&length.to_ne_bytes());
            header[2..].copy_from_slice(&attribute.to_ne_bytes());
        }
        let _ = said(kind, flags, &payload);
    }

    // Broken if a route that netlink-packet-route writes were read differently.
    #[test]
    fn routes_that_netlink_packet_route_writes(route in any_route()) {
        let datagram = packet_route::route_message(&route);
        let message = messages(&datagram).next().unwrap().unwrap();
        prop_assert_eq!(one(decode_fib(&message)), FibEvent::Route(route, Placement::Replace));
    }

    // Broken if a neighbour that netlink-packet-route writes were read differently.
    #[test]
    fn neighbours_that_netlink_packet_route_writes(
        index in 1..=0x7fff_ffff_u32, ip in any_ip(), mac in prop::option::of(any::<[u8; 6]>()), permanent: bool,
    ) {
        let mac = mac.filter(|mac| *mac != [0; 6]).map(Mac);
        let neighbour = Neighbour { ifindex: IfIndex(index), ip, mac, permanent };
        let datagram = packet_route::neighbour_message(&neighbour);
        let message = messages(&datagram).next().unwrap().unwrap();
        let expected = match decode_fib(&message) {
            Decoded::Ignored if ip.is_multicast() => return Ok(()),
            other => one(other),
        };
        prop_assert_eq!(expected, FibEvent::Neighbour(neighbour));
    }
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn any_hop(v6: bool) -> impl Strategy<Value = NextHop> {
    let gateway =
        prop::option::of(any_ip()).prop_map(move |ip| ip.filter(|ip| ip.is_ipv6() || !v6));
    let ifindex = prop::option::of((1..=0x7fff_ffff_u32).prop_map(IfIndex));
    (ifindex, gateway, 1..=256_u16, any::<[bool; 2]>()).prop_map(
        |(ifindex, gateway, weight, [dead, link_down])| NextHop {
            ifindex,
            gateway,
            weight,
            dead,
            link_down,
            encapsulated: false,
        },
    )
}

fn any_route() -> impl Strategy<Value = Route> {
    let own = (any::<[u32; 2]>(), any::<[u8; 2]>(), any_ip(), 0..=128_u8);
    own.prop_flat_map(|([table, metric], [tos, protocol], ip, length)| {
        let v6 = ip.is_ipv6();
        let length = if v6 { length } else { length % 33 };
        let prefix = ipnet::IpNet::new(ip, length).unwrap().trunc();
        let via = prop_oneof![
            (1..u32::MAX).prop_map(Via::Object),
            prop::collection::vec(any_hop(v6), 2..5).prop_map(move |mut hops| {
                if v6 {
                    hops.sort();
                }
                Via::Hops(hops)
            }),
            any_hop(v6).prop_map(|hop| Via::Hops(vec![NextHop { weight: 1, ..hop }])),
        ];
        let kind = prop::sample::select(vec![RouteKind::Unicast, RouteKind::Local]);
        (via, kind).prop_map(move |(via, kind)| Route {
            table,
            prefix,
            metric,
            tos: if v6 { 0 } else { tos },
            source: None,
            kind,
            protocol,
            via,
        })
    })
}
