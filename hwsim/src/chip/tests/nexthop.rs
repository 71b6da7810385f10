//! Routes with next hops: adjacencies, groups of them, and what is counted at router interfaces.

use std::collections::{BTreeMap, BTreeSet};

use emad::register::{
    Protocol, Raleu, RalueAction, Ratr, RatrOp, RatrType, Ratrad, RatradOp, Recr2, Register, Ricnt,
    RicntOp, Ritr, RitrCounter, TrapAction,
};
use emad::{Mac, Status};

use super::frames::{ip, ip_ttl, to_group};
use super::lab::{FID, Lab, OWN_IPV4, RIF_MAC, mac, punt_of, sub_port_ritr};
use crate::chip::Output;
use crate::chip::traps::id;
use crate::packet::Frame;

const UDP: u8 = 17;

/// Three router ports; 10.1.0.0/16 leads to a group of two next hops from index 100 on, behind ports 2 and 3.
fn lab() -> Lab {
    let mut lab = Lab::router();
    lab.sub_port(2, 3, FID + 2);
    lab.write(adjacency(100, 1, mac(1)));
    lab.write(adjacency(101, 2, mac(2)));
    lab.route(0, "10.1.0.0", 16, remote(100, 2));
    for trap in [id::NEXTHOP_MISS, id::BLACKHOLE_NEXTHOP, id::TTL_TOO_SMALL, id::MTU_TOO_SMALL] {
        lab.trap(trap, 1, 2);
    }
    lab
}

fn adjacency(adjacency_index: u32, erif: u16, to: Mac) -> Ratr {
    Ratr {
        op: RatrOp::WRITE_WRITE_ENTRY,
        v: true,
        kind: RatrType::Ethernet,
        adjacency_index,
        egress_router_interface: erif,
        eth_destination_mac: to,
        ..Ratr::default()
    }
}

fn remote(adjacency_index: u32, ecmp_size: u16) -> RalueAction {
    RalueAction::Remote { trap_action: TrapAction::Nop, trap_id: 0, adjacency_index, ecmp_size }
}

/// UDP from a port of its own to 10.1.0.1.
fn flow(source: u16) -> Vec<u8> {
    let ports = [source.to_be_bytes(), 53_u16.to_be_bytes()].concat();
    ip(RIF_MAC, "10.0.1.9", "10.1.0.1", UDP, &[ports, vec![0; 4]].concat())
}

/// The driver's settings for `fib_multipath_hash_policy` 1: addresses, protocol, ports.
fn by_flow() -> Recr2 {
    let addresses = (Recr2::IPV4_SIP..Recr2::IPV4_SIP + 8).chain([Recr2::IPV4_PROTOCOL]);
    Recr2 {
        sh: true,
        seed: 7,
        outer_header_enables: [Recr2::IPV4, Recr2::IPV4_TCP_UDP, Recr2::PORTS_IPV4].into(),
        outer_fields: addresses.chain([Recr2::SPORT, Recr2::DPORT]).collect(),
        ..Recr2::default()
    }
}

/// Port and MAC to which a frame from port 1 goes.
fn leaves(lab: &mut Lab, frame: &[u8]) -> (u16, Mac) {
    let out = lab.receive(1, frame);
    let [Output::Wire { port, frame }] = out.as_slice() else { panic!("{out:?}") };
    let parsed = Frame::parse(frame).unwrap();
    assert_eq!(parsed.smac(), RIF_MAC);
    (port.0, parsed.dmac())
}

// Would break: an agent that does not say by what packets are told apart would see them spread on the simulator, and not on a chip.
#[test]
fn without_settings_every_packet_takes_the_first() {
    let mut lab = lab();
    let taken: BTreeSet<_> = (0..64).map(|port| leaves(&mut lab, &flow(port))).collect();
    assert_eq!(taken, [(2, mac(1))].into());
}

// Would break: one of two next hops gets everything, a flow changes its path, or weights mean nothing.
#[test]
fn flows_are_spread_by_weight_and_stay_on_their_path() {
    let mut lab = lab();
    lab.write(by_flow());
    lab.write(adjacency(102, 2, mac(2)));
    lab.write(adjacency(103, 2, mac(2)));
    lab.route(0, "10.1.0.0", 16, remote(100, 4));
    let mut taken: BTreeMap<(u16, Mac), u32> = BTreeMap::new();
    for port in 0..1000 {
        let path = leaves(&mut lab, &flow(port));
        assert_eq!(leaves(&mut lab, &flow(port)), path);
        *taken.entry(path).or_default() += 1;
    }
    assert!((200..300).contains(&taken[&(2, mac(1))]), "{taken:?}");
    assert!((700..800).contains(&taken[&(3, mac(2))]), "{taken:?}");
    // Fields that are off do not count.
    lab.write(Recr2 { outer_fields: [Recr2::IPV4_PROTOCOL].into(), ..by_flow() });
    let taken: BTreeSet<_> = (0..64).map(|port| leaves(&mut lab, &flow(port))).collect();
    assert_eq!(taken.len(), 1);
}

// Would break: a symmetric hash sends the two directions of a flow over different switches.
#[test]
fn a_symmetric_hash_has_no_direction() {
    let mut lab = lab();
    lab.write(by_flow());
    lab.route(0, "10.0.1.0", 24, remote(100, 2));
    let there = |sip: &str, dip: &str, from: u16, to: u16| {
        let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
        ip(RIF_MAC, sip, dip, UDP, &[ports, vec![0; 4]].concat())
    };
    let mut differs = 0;
    for port in 0..50 {
        let back = there("10.1.0.1", "10.0.1.9", 53, port);
        let one = leaves(&mut lab, &flow(port));
        assert_eq!(one, leaves(&mut lab, &back));
        lab.write(Recr2 { sh: false, ..by_flow() });
        differs += u32::from(leaves(&mut lab, &flow(port)) != leaves(&mut lab, &back));
        lab.write(by_flow());
    }
    assert!(differs > 10, "{differs}");
}

// Would break: a next hop that is not resolved, or that drops, forwards; or the CPU does not hear of what it has to answer.
#[test]
fn next_hops_trap_and_drop() {
    let mut lab = lab();
    let to = |adjacency: Ratr, lab: &mut Lab| {
        lab.write(adjacency);
        lab.trapped(1, &flow(1))
    };
    let first = adjacency(100, 1, mac(1));
    let trap = Ratr { trap_action: TrapAction::Trap, trap_id: 0x80, ..first.clone() };
    assert_eq!(to(trap, &mut lab), Some("unresolved_neigh"));
    let drop = Ratr { trap_action: TrapAction::DiscardError, ..first.clone() };
    assert_eq!(to(drop, &mut lab), Some("blackhole_nexthop"));
    assert_eq!(to(first, &mut lab), None);
    let old = ip_ttl(RIF_MAC, "10.0.1.9", "10.1.0.1", UDP, 1, &[0; 8]);
    assert_eq!(lab.trapped(1, &old), Some("ttl_value_is_too_small"));
    let large = ip(RIF_MAC, "10.0.1.9", "10.1.0.1", UDP, &[0; 1490]);
    assert_eq!(lab.trapped(1, &large), Some("mtu_value_is_too_small"));
}

// Would break: a route is written before its next hops, or a next hop is taken away under a route, and nobody notices.
#[test]
fn groups_are_whole_as_long_as_a_route_has_them() {
    let mut lab = lab();
    let bad = Err(Status::BadParameter);
    let ralue = |action| {
        let prefix = [10, 2, 0, 0].into();
        emad::register::Ralue::new(emad::register::RalueOp::WRITE_WRITE, 0, prefix, 16, action)
    };
    assert_eq!(lab.try_write(ralue(remote(101, 2))), bad, "102 is not valid");
    assert_eq!(lab.try_write(ralue(remote(100, 0))), bad);
    for index in 200..400 {
        lab.write(adjacency(index, 1, mac(1)));
    }
    assert_eq!(lab.try_write(ralue(remote(200, 129))), bad, "no chip can divide by that");
    lab.write(ralue(remote(200, 128)));
    let invalid = |index| Ratr { v: false, ..adjacency(index, 0, Mac::ZERO) };
    for index in [100, 101, 200, 327] {
        assert_eq!(lab.try_write(invalid(index)), bad);
    }
    lab.write(invalid(328));
    // A route that traps names a group without having it.
    let trap = RalueAction::Remote {
        trap_action: TrapAction::Trap,
        trap_id: id::EXTERNAL_ROUTE,
        adjacency_index: 0,
        ecmp_size: 0,
    };
    lab.write(ralue(trap));
    lab.write(invalid(200));
    assert_eq!(lab.try_write(adjacency(1 << 20, 1, mac(1))), Err(Status::ResourceNotAvailable));
    assert_eq!(lab.try_write(adjacency(5, 9, mac(1))), bad, "no such router interface");
    assert_eq!(lab.try_write(adjacency(5, 1, Mac([1; 6]))), bad, "a group address");
    let routes = lab.chip.dump().routes;
    let route = routes.iter().find(|route| route.prefix.to_string() == "10.1.0.0/16").unwrap();
    assert_eq!((route.action, route.adjacency, route.ecmp_size), ("remote", Some(100), Some(2)));
    assert_eq!(lab.chip.resources()["adjacencies"].occ, 200);
}

// Would break: a group that is replaced for all its routes at once is replaced for some of them, or for those of another VRF.
#[test]
fn routes_change_their_group_together() {
    let mut lab = lab();
    lab.route(0, "10.2.0.0", 16, remote(100, 2));
    lab.route(0, "10.3.0.0", 16, remote(100, 1));
    lab.route(1, "10.1.0.0", 16, remote(100, 2));
    lab.write(adjacency(300, 2, mac(3)));
    lab.write(Raleu {
        protocol: Protocol::Ipv4,
        adjacency_index: 100,
        ecmp_size: 2,
        new_adjacency_index: 300,
        new_ecmp_size: 1,
        ..Raleu::default()
    });
    let groups: Vec<_> = lab
        .chip
        .dump()
        .routes
        .iter()
        .filter(|route| route.action == "remote")
        .map(|route| (route.vr, route.prefix.to_string(), route.adjacency, route.ecmp_size))
        .collect();
    let group = |vr, prefix: &str, first, size| (vr, prefix.to_owned(), Some(first), Some(size));
    let expected = [
        group(0, "10.1.0.0/16", 300, 1),
        group(0, "10.2.0.0/16", 300, 1),
        group(0, "10.3.0.0/16", 100, 1),
        group(1, "10.1.0.0/16", 100, 2),
    ];
    assert_eq!(groups, expected);
    assert_eq!(leaves(&mut lab, &flow(1)), (3, mac(3)));
    let invalid = |index| Ratr { v: false, ..adjacency(index, 0, Mac::ZERO) };
    assert_eq!(lab.try_write(invalid(300)), Err(Status::BadParameter));
    assert_eq!(lab.try_write(invalid(100)), Err(Status::BadParameter), "10.3.0.0/16 has it");
}

// Would break: next hops that are used look idle, so that the kernel forgets them.
#[test]
fn use_is_seen_and_cleared() {
    let mut lab = lab();
    let asked = |op| Ratrad { op, ecmp_size: 2, adjacency_index: 100, ..Ratrad::default() };
    let active = |lab: &mut Lab, op| {
        let Ok(Register::Ratrad(ratrad)) = lab.query(asked(op)) else { panic!() };
        ratrad.activity
    };
    assert_eq!(active(&mut lab, RatradOp::ReadClear), [0, 1].into(), "new ones count as used");
    assert_eq!(active(&mut lab, RatradOp::Read), [].into());
    leaves(&mut lab, &flow(1));
    assert_eq!(active(&mut lab, RatradOp::Read), [0].into());
    // Only what is not in use is written over.
    let over =
        |index, to| Ratr { op: RatrOp::WRITE_WRITE_ENTRY_ON_ACTIVITY, ..adjacency(index, 1, to) };
    lab.write(over(100, mac(7)));
    lab.write(over(101, mac(8)));
    let macs: Vec<_> = lab.chip.dump().adjacencies.iter().map(|a| a.mac).collect();
    assert_eq!(macs, [mac(1), mac(8)]);
    let query = |op, index| Ratr { op, adjacency_index: index, ..Ratr::default() };
    let Ok(Register::Ratr(read)) = lab.query(query(RatrOp::QUERY_READ_CLEAR, 100)) else {
        panic!()
    };
    assert!(read.v && read.a && read.eth_destination_mac == mac(1));
    let Ok(Register::Ratr(read)) = lab.query(query(RatrOp::QUERY_READ, 100)) else { panic!() };
    assert!(read.v && !read.a);
    let Ok(Register::Ratr(read)) = lab.query(query(RatrOp::QUERY_READ, 99)) else { panic!() };
    assert!(!read.v);
}

// Would break: operators who look at a router interface's counters see nothing of what the hardware routes.
#[test]
fn router_interfaces_count() {
    let mut lab = lab();
    let counter = |index| RitrCounter { set_type: Ricnt::BASIC, index };
    let bound = |rif, port, fid| Ritr {
        ingress_counter: counter(10 + u32::from(rif)),
        egress_counter: counter(20 + u32::from(rif)),
        ..sub_port_ritr(rif, port, fid)
    };
    lab.write(bound(0, 1, FID));
    lab.write(bound(1, 2, FID + 1));
    lab.trap(id::LOCAL_ROUTE, 1, 2);
    leaves(&mut lab, &flow(1));
    assert!(
        punt_of(&lab.receive(1, &ip(RIF_MAC, "10.0.1.9", OWN_IPV4, UDP, &[0; 8]))[0]).is_some()
    );
    assert!(lab.receive(1, &to_group("10.0.1.9", "239.1.1.1", UDP, &[0; 8])).is_empty());
    let mut damaged = flow(1);
    damaged[24] ^= 1;
    lab.receive(1, &damaged);
    let set = |lab: &mut Lab, counter_index, op| {
        let asked = Ricnt { op, counter_set_type: Ricnt::BASIC, counter_index, ..Ricnt::default() };
        let Ok(Register::Ricnt(set)) = lab.query(asked) else { panic!() };
        set
    };
    let came = set(&mut lab, 10, RicntOp::Nop);
    assert_eq!((came.good_unicast_packets, came.good_unicast_bytes), (2, 28 + 28));
    assert_eq!((came.error_packets, came.good_multicast_packets), (1, 0));
    let left = set(&mut lab, 21, RicntOp::Clear);
    assert_eq!((left.good_unicast_packets, left.good_unicast_bytes), (1, 28));
    assert_eq!(set(&mut lab, 21, RicntOp::Nop).good_unicast_packets, 0, "cleared");
    let rifs = lab.chip.counters().rifs;
    assert_eq!((rifs[&0].rx_packets, rifs[&0].rx_errors, rifs[&0].tx_packets), (2, 1, 0));
    assert_eq!((rifs[&1].tx_packets, rifs[&1].tx_bytes, rifs[&2].tx_packets), (1, 28, 0));
    let beyond = RitrCounter { set_type: Ricnt::BASIC, index: 1 << 20 };
    let ritr = Ritr { ingress_counter: beyond, ..sub_port_ritr(0, 1, FID) };
    assert_eq!(lab.try_write(ritr), Err(Status::ResourceNotAvailable));
}
