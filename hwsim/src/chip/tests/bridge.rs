//! Ports, VLANs, learning and flooding, without and with a router interface on top.
//!
//! ```text
//!   ports 1, 2, 3 ─ VLAN 10 ─ FID 10 (802.1Q) ─ flood vector 100: 1, 2, 3, router ─ RIF 3
//! ```

use emad::Mac;
use emad::register::{
    FloodType, RalueAction, Rauht, RauhtOp, Register, Ritr, RitrType, Sfd, SfdAction, SfdOp,
    SfdPolicy, SfdRecord, Sfdf, SfdfFlush, Sfgc, Sfmr, Sfn, Smid2, Spms, SpmsState, Spvm, Spvmlr,
    Svfa, TrapAction,
};

use super::frames::{BROADCAST, arp, ethernet, ip, tagged, to_group, vrrp};
use super::lab::{Lab, OWN_IPV4, RIF_MAC, punt_of};
use crate::chip::traps::id;
use crate::chip::{LocalPort, Output};

const BRIDGE_FID: u16 = 10;
const ROUTER_PORT: u16 = 5;

fn bridge() -> Lab {
    let mut lab = Lab::router();
    lab.write(Sfmr { fid: BRIDGE_FID, ..Sfmr::default() });
    for port in 1..=3 {
        lab.write(Spvm::range(port, 10..=10, true, false));
        lab.write(Spms::vlan(port, 10, SpmsState::Forwarding));
    }
    lab.write(Svfa::vid(10, BRIDGE_FID, None));
    for kind in FloodType::NAMED {
        let mid_base = if *kind == FloodType::UnknownUnicast { 200 } else { 100 };
        lab.write(Sfgc { kind: *kind, mid_base, ..Sfgc::default() });
    }
    for port in 1..=3 {
        lab.write(Smid2::member(100, port, true, None));
        lab.write(Smid2::member(200, port, true, None));
    }
    lab
}

/// The bridge with a VLAN interface.
fn routed_bridge() -> Lab {
    let mut lab = bridge();
    let kind = RitrType::VlanIf { vlan_id: 10, efid: BRIDGE_FID };
    lab.write(Ritr { rif: 3, mtu: 1500, if_mac: RIF_MAC, kind, ..Ritr::default() });
    lab.write(Smid2::member(100, ROUTER_PORT, true, None));
    lab.router_mac(BRIDGE_FID, RIF_MAC);
    lab.write(Svfa::vid(10, BRIDGE_FID, Some(3)));
    lab
}

fn frame(dmac: Mac, smac: Mac) -> Vec<u8> {
    tagged(&ethernet(dmac, smac, 0x1234, &[0; 46]), 10)
}

fn mac(last: u8) -> Mac {
    Mac([0x02, 0, 0, 0, 0, last])
}

fn ports(out: &[Output]) -> Vec<u16> {
    let mut ports: Vec<u16> = out
        .iter()
        .filter_map(|output| match output {
            Output::Wire { port, .. } => Some(port.0),
            Output::Cpu { .. } => None,
        })
        .collect();
    ports.sort_unstable();
    ports
}

// Would break: the bridge floods for ever, or sends frames back where they came from.
#[test]
fn unknown_is_flooded_known_is_not_and_never_back() {
    let mut lab = bridge();
    assert_eq!(ports(&lab.receive(1, &frame(mac(2), mac(1)))), [2, 3]);
    assert_eq!(ports(&lab.receive(2, &frame(mac(1), mac(2)))), [1], "learnt from the first");
    assert_eq!(ports(&lab.receive(1, &frame(mac(2), mac(1)))), [2]);
    assert_eq!(ports(&lab.receive(1, &frame(mac(1), mac(9)))), [0_u16; 0], "hairpin");
    assert_eq!(lab.discards("port_loopback_filter"), 1);
    assert_eq!(ports(&lab.receive(3, &frame(BROADCAST, mac(3)))), [1, 2]);
    let learnt: Vec<_> = lab.chip.dump().fdb.iter().map(|r| (r.mac, r.port)).collect();
    assert!(learnt.contains(&(mac(1), Some(1))));
    let Ok(Register::Sfn(sfn)) = lab.query(Sfn { num_rec: 64, ..Sfn::default() }) else { panic!() };
    let noted: Vec<Mac> = sfn.records.iter().map(|record| record.mac).collect();
    assert_eq!(noted, [mac(1), mac(2), mac(9), mac(3)], "SFN tells what was learnt, once");
}

// Would break: a host that moves is unreachable, or a static record is stolen by a forged frame.
#[test]
fn learning_follows_moves_and_never_touches_static_records() {
    let mut lab = bridge();
    lab.receive(1, &frame(mac(9), mac(1)));
    lab.receive(3, &frame(mac(9), mac(1)));
    assert_eq!(ports(&lab.receive(2, &frame(mac(1), mac(2)))), [3]);
    let fixed = SfdRecord::unicast(SfdPolicy::Static, mac(7), BRIDGE_FID, 0, SfdAction::Nop, 1);
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![fixed]));
    lab.receive(3, &frame(mac(9), mac(7)));
    assert_eq!(ports(&lab.receive(2, &frame(mac(7), mac(2)))), [1]);
    lab.write(Spvmlr::range(2, 10..=10, false));
    lab.receive(2, &frame(mac(9), mac(20)));
    assert_eq!(ports(&lab.receive(1, &frame(mac(20), mac(1)))), [2, 3], "not learnt: flooded");
}

// Would break: ports outside of a VLAN, without carrier or blocked by spanning tree take part.
#[test]
fn membership_carrier_and_spanning_tree_are_kept() {
    let mut lab = bridge();
    let broadcast = frame(BROADCAST, mac(1));
    lab.write(Spvm::range(2, 10..=10, false, false));
    assert_eq!(ports(&lab.receive(1, &broadcast)), [3], "egress filter");
    assert_eq!(ports(&lab.receive(2, &broadcast)), [0_u16; 0], "ingress filter");
    assert_eq!(lab.discards("ingress_vlan_filter"), 1);
    lab.write(Spvm::range(2, 10..=10, true, true));
    lab.write(Spms::vlan(3, 10, SpmsState::Learning));
    let out = lab.receive(1, &broadcast);
    assert_eq!(ports(&out), [2]);
    let Some(Output::Wire { frame: untagged, .. }) = out.first() else { panic!("{out:?}") };
    assert_eq!(untagged[12..14], [0x12, 0x34], "untagged on port 2");
    assert_eq!(ports(&lab.receive(3, &frame(BROADCAST, mac(3)))), [0_u16; 0]);
    assert_eq!(lab.discards("ingress_spanning_tree_filter"), 1);
    assert!(lab.chip.dump().fdb.iter().any(|r| r.mac == mac(3)), "learning state learns");
    lab.write(Spms::vlan(3, 10, SpmsState::Discarding));
    lab.receive(3, &frame(BROADCAST, mac(4)));
    assert!(!lab.chip.dump().fdb.iter().any(|r| r.mac == mac(4)));
    lab.chip.link(LocalPort(2), false);
    assert_eq!(ports(&lab.receive(1, &broadcast)), [0_u16; 0]);
    assert_eq!(lab.discards("port_list_is_empty"), 1);
    lab.chip.link(LocalPort(1), false);
    assert_eq!(ports(&lab.receive(1, &broadcast)), [0_u16; 0]);
    assert_eq!(lab.discards("port_down"), 1);
}

// Would break: two routers on one bridge no longer hear each other's advertisements.
#[test]
fn the_router_gets_a_copy_of_flooding_and_the_others_still_theirs() {
    let mut lab = routed_bridge();
    lab.trap(id::IPV4_VRRP, 20, 5);
    lab.trap(id::ARP_REQUEST, 10, 2);
    let out = lab.receive(1, &tagged(&vrrp("10.0.1.2", "224.0.0.18"), 10));
    assert_eq!(ports(&out), [2, 3]);
    assert_eq!(
        out.iter().find_map(punt_of).map(|punt| (punt.trap, punt.rif)),
        Some(("ipv4_vrrp", Some(3)))
    );
    let out = lab.receive(1, &tagged(&arp(BROADCAST, 1), 10));
    assert_eq!(ports(&out), [2, 3]);
    assert_eq!(out.iter().find_map(punt_of).map(|punt| punt.trap), Some("arp_request"));
    // without the trap the bridge floods as before
    lab.trap_action(id::ARP_REQUEST, emad::register::HpktAction::SetFwDefault, 10);
    assert_eq!(ports(&lab.receive(1, &tagged(&arp(BROADCAST, 1), 10))), [2, 3]);
    // and without the router port in the vector the router hears nothing
    lab.write(Smid2::member(100, ROUTER_PORT, false, None));
    let out = lab.receive(1, &tagged(&vrrp("10.0.1.2", "224.0.0.18"), 10));
    assert_eq!((ports(&out), out.iter().find_map(punt_of)), (vec![2, 3], None));
}

// Would break: on a bridge with a router interface, other hosts' traffic is routed or trapped.
#[test]
fn bridged_unicast_does_not_concern_the_router() {
    let mut lab = routed_bridge();
    lab.trap(id::LOCAL_ROUTE, 13, 2);
    lab.write(Smid2::member(200, ROUTER_PORT, true, None));
    let ping = |dmac| tagged(&ip(dmac, "10.0.1.9", OWN_IPV4, 1, &[8; 8]), 10);
    let out = lab.receive(1, &ping(mac(2)));
    assert_eq!((ports(&out), out.iter().find_map(punt_of)), (vec![2, 3], None));
    assert_eq!(lab.trapped(1, &ping(RIF_MAC)), Some("local_route"));
}

// Would break: a packet routed within one interface goes back to the port where it came from, or one routed between
// two interfaces of one port is lost.
#[test]
fn routing_over_the_bridge_leaves_by_the_neighbours_port() {
    let mut lab = routed_bridge();
    let local = RalueAction::Local { trap_action: TrapAction::Nop, trap_id: 0, local_erif: 3 };
    lab.route(0, "10.0.4.0", 24, local);
    lab.trap_action(id::UC_LOOPBACK, emad::register::HpktAction::Forward, 0);
    lab.write(Rauht::new(RauhtOp::WRITE_ADD, 3, mac(2), [10, 0, 4, 2].into()));
    let packet = tagged(&ip(RIF_MAC, "10.0.4.9", "10.0.4.2", 17, &[0; 8]), 10);
    assert_eq!(ports(&lab.receive(1, &packet)), [2, 3], "the neighbour's port is not known");
    lab.receive(2, &frame(BROADCAST, mac(2)));
    assert_eq!(ports(&lab.receive(1, &packet)), [2]);
    assert_eq!(ports(&lab.receive(2, &packet)), [0_u16; 0], "the neighbour is where it came from");
    // from a sub-port the packet changes its tag
    let out = lab.receive(4, &packet);
    assert!(out.is_empty(), "port 4 has no part in the bridge");
    let out = lab.receive(2, &ip(RIF_MAC, "10.0.1.9", "10.0.4.2", 17, &[0; 8]));
    let [Output::Wire { port, frame }] = out.as_slice() else { panic!("{out:?}") };
    let tag = &[0x81, 0, 0, 10][..];
    assert_eq!((port.0, &frame[12..16]), (2, tag), "routed from RIF 1 to RIF 3, both on port 2");
    let out = lab.receive(1, &ip(RIF_MAC, "10.0.1.9", "10.0.4.2", 17, &[0; 8]));
    let [Output::Wire { port, frame }] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!((port.0, &frame[12..16]), (2, &[0x81, 0, 0, 10][..]));
}

// Would break: snooping loses reports, or a bridge leaks them to hosts although a trap took them.
#[test]
fn membership_messages_are_trapped_in_the_bridge() {
    let mut lab = bridge();
    let report = tagged(&to_group("10.0.1.9", "224.0.0.22", 2, &[0x22, 0, 0, 0, 0, 0, 0, 0]), 10);
    assert_eq!(ports(&lab.receive(1, &report)), [2, 3], "not trapped: flooded");
    lab.trap(id::IGMP_V3_REPORT, 5, 3);
    let out = lab.receive(1, &report);
    assert_eq!((ports(&out), out.len()), (vec![], 1));
    lab.write(emad::register::Htgt::new(5, None, 3, 3));
    lab.trap_action(id::IGMP_QUERY, emad::register::HpktAction::MirrorToCpu, 5);
    let query = tagged(&to_group("10.0.1.9", "224.0.0.1", 2, &[0x11, 0, 0, 0, 0, 0, 0, 0]), 10);
    let out = lab.receive(1, &query);
    assert_eq!((ports(&out), out.len()), (vec![2, 3], 3), "mirrored: a copy, and flooded");
}

// Would break: multicast groups of the MDB flood everywhere; router records vanish with a port.
#[test]
fn groups_have_vectors_of_their_own_and_flushes_spare_the_router() {
    let mut lab = routed_bridge();
    let group = Mac([1, 0, 0x5e, 1, 1, 1]);
    lab.write(Smid2::member(300, 3, true, None));
    lab.write(Sfd::new(
        SfdOp::WRITE_EDIT,
        vec![SfdRecord::multicast(group, BRIDGE_FID, SfdAction::Nop, 300)],
    ));
    assert_eq!(
        ports(&lab.receive(1, &tagged(&to_group("10.0.1.9", "239.1.1.1", 17, &[0; 8]), 10))),
        [3]
    );
    lab.receive(1, &frame(mac(2), mac(1)));
    let count = |lab: &Lab| lab.chip.dump().fdb.iter().filter(|r| r.fid == BRIDGE_FID).count();
    let before = count(&lab);
    let flush = SfdfFlush::PerPortAndFid { system_port: 1, fid: BRIDGE_FID };
    lab.write(Sfdf::new(flush));
    assert_eq!(count(&lab), before - 2, "the two hosts learnt on port 1");
    lab.write(Sfdf::new(SfdfFlush::PerPort { system_port: 0 }));
    assert!(lab.chip.dump().fdb.iter().any(|r| r.action == "forward_ip_router"));
}

// Would break: what the CPU sends changes, is learnt, or leaves by a port without carrier.
#[test]
fn the_cpu_transmits_unchanged_and_unlearnt() {
    let mut lab = bridge();
    let mut advert = vrrp("10.0.1.1", "224.0.0.18");
    advert[6..12].copy_from_slice(&[0, 0, 0x5e, 0, 1, 10]);
    let records = lab.chip.dump().fdb;
    let mut out = Vec::new();
    lab.chip.transmit(lab.now, LocalPort(2), &advert, &mut out);
    assert_eq!(out, [Output::Wire { port: LocalPort(2), frame: advert.clone() }]);
    assert_eq!(lab.chip.dump().fdb, records);
    out.clear();
    lab.chip.link(LocalPort(2), false);
    lab.chip.transmit(lab.now, LocalPort(2), &advert, &mut out);
    lab.chip.transmit(lab.now, LocalPort(99), &advert, &mut out);
    assert!(out.is_empty());
    let counters = lab.chip.counters().ports[&2];
    assert_eq!((counters.tx_packets, counters.tx_dropped), (1, 1));
}
