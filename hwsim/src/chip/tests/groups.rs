//! Group frames, tags and reports on 802.1Q and 802.1D FIDs, with and without a router interface.
//!
//! ```text
//!   FID 10 (802.1Q, VLAN 10): ports 1 and 2 tagged, 3 untagged          LAG 0: ports 5 and 6, tagged
//!   FID 4095 (802.1D):        port 1 VLAN 20, port 2 VLAN 21, port 4 untagged (4095)
//! ```

use std::collections::BTreeSet;

use emad::Mac;
use emad::register::{
    HpktAction, RalueAction, Rauht, RauhtOp, Ritr, RitrType, Sfd, SfdAction, SfdOp, SfdRecord,
    Smid2, Spaft, Spms, SpmsState, Spvmlr, Svfa, TrapAction,
};

use super::frames::{BROADCAST, HOST, arp, ethernet, ip, tagged, to_group, vrrp};
use super::lab::{FID, Lab, RIF_MAC, mac, punt_of, wires};
use crate::chip::traps::id;
use crate::chip::{Chip, LocalPort, Output, Punt};

const VID: u16 = 10;
const FID_1D: u16 = 4095;

fn lab() -> Lab {
    let mut lab = Lab::with_ports("spectrum2", 6);
    lab.start_router();
    lab.flood_tables();
    lab.dot1q(VID, &[(1, false), (2, false), (3, true), (5, false), (6, false)]);
    lab.lag(0, &[5, 6]);
    lab.dot1d(FID_1D, &[(1, 20), (2, 21), (4, 4095)]);
    for (trap, group) in [
        (id::IPV4_VRRP, 20),
        (id::IPV6_VRRP, 20),
        (id::ARP_REQUEST, 10),
        (id::LOCAL_ROUTE, 13),
        (id::IPV6_NEIGH_SOLICIT, 10),
    ] {
        lab.trap(trap, group, 3);
    }
    lab
}

fn fid_if(lab: &mut Lab) {
    let kind = RitrType::FidIf { fid: FID_1D };
    lab.write(Ritr { rif: 4, mtu: 1500, if_mac: RIF_MAC, kind, ..Ritr::default() });
    for mid in [13312, 14336] {
        lab.write(Smid2::member(mid, 7, true, None));
    }
    lab.router_mac(FID_1D, RIF_MAC);
    for (port, vid) in [(1, 20), (2, 21), (4, 4095)] {
        lab.write(Svfa::port_vid(port, vid, FID_1D, Some(4)));
    }
}

/// By which ports with which tags, members of the LAG counting as 5; and the trap.
fn outcome(out: &[Output]) -> (Vec<(u16, Option<u16>)>, Option<&'static str>) {
    let punts: Vec<&Punt> = out.iter().filter_map(punt_of).collect();
    assert!(punts.len() <= 1, "delivered twice: {out:?}");
    let wires = wires(out).into_iter().map(|(port, tag)| (port.min(5), tag)).collect();
    (wires, punts.first().map(|punt| punt.trap))
}

const TAGGED: Option<u16> = Some(VID);

// Would break: two routers on one VLAN no longer hear each other, or hear each other twice.
#[test]
fn what_the_router_hears_is_flooded_once_and_trapped_once() {
    let mut lab = lab();
    let frames = [
        (vrrp("10.0.1.2", "224.0.0.18"), "ipv4_vrrp"),
        (vrrp("fe80::2", "ff02::12"), "ipv6_vrrp"),
        (arp(BROADCAST, 1), "arp_request"),
        (to_group("fe80::2", "ff02::1:ff00:1", 58, &[135, 0, 0, 0]), "ipv6_neigh_solicit"),
    ];
    let flooded = vec![(2, TAGGED), (3, None), (5, TAGGED)];
    for (frame, name) in &frames {
        let out = lab.receive(1, &tagged(frame, VID));
        assert_eq!(outcome(&out), (flooded.clone(), None), "{name} without an interface");
    }
    lab.vlan_if(3, VID);
    for (frame, name) in &frames {
        let out = lab.receive(1, &tagged(frame, VID));
        assert_eq!(outcome(&out), (flooded.clone(), Some(*name)));
        let punt = out.iter().find_map(punt_of).unwrap();
        assert_eq!((punt.vid, punt.fid, punt.rif), (TAGGED, Some(VID), Some(3)));
        let out = lab.receive(6, &tagged(frame, VID));
        let expected = vec![(1, TAGGED), (2, TAGGED), (3, None)];
        assert_eq!(outcome(&out), (expected, Some(*name)), "from a member of the LAG");
        let out = lab.receive(3, frame);
        let expected = vec![(1, TAGGED), (2, TAGGED), (5, TAGGED)];
        assert_eq!(outcome(&out), (expected, Some(*name)), "untagged");
    }
}

// Would break: a VLAN-unaware bridge leaks frames into the VLANs of its ports, or mixes up their tags.
#[test]
fn a_dot1d_bridge_translates_tags_and_the_router_hears_it() {
    let mut lab = lab();
    let advert = vrrp("10.0.1.2", "224.0.0.18");
    let from_4 = vec![(1, Some(20)), (2, Some(21))];
    assert_eq!(outcome(&lab.receive(4, &advert)), (from_4.clone(), None));
    fid_if(&mut lab);
    assert_eq!(outcome(&lab.receive(4, &advert)), (from_4, Some("ipv4_vrrp")));
    let out = lab.receive(1, &tagged(&arp(BROADCAST, 1), 20));
    assert_eq!(outcome(&out), (vec![(2, Some(21)), (4, None)], Some("arp_request")));
    assert_eq!(out.iter().find_map(punt_of).unwrap().rif, Some(4));
    // learnt by FID: the answer finds its way with the tag of its port
    let answer = ethernet(HOST, mac(2), 0x1234, &[0; 46]);
    assert_eq!(outcome(&lab.receive(4, &answer)), (vec![(1, Some(20))], None));
    assert_eq!(
        outcome(&lab.receive(2, &tagged(&answer, 20))).0,
        [],
        "VLAN 20 of port 2 is nobody's"
    );
    assert_eq!(lab.discards("ingress_spanning_tree_filter"), 1);
}

// Would break: unicast packets under a group address are routed, as many times as there are routers.
#[test]
fn unicast_under_a_group_address_is_flooded_and_never_routed() {
    let mut lab = lab();
    lab.vlan_if(3, VID);
    let action = RalueAction::Local { trap_action: TrapAction::Nop, trap_id: 0, local_erif: 3 };
    lab.route(0, "10.0.9.0", 24, action);
    lab.write(Rauht::new(RauhtOp::WRITE_ADD, 3, mac(9), [10, 0, 9, 9].into()));
    lab.trap_action(id::UC_LOOPBACK, HpktAction::Forward, 17);
    let group = Mac([0x03, 0xbf, 0x0a, 0, 0, 1]);
    let packet = tagged(&ip(group, "10.0.1.9", "10.0.9.9", 17, &[0; 8]), VID);
    let everywhere = vec![(2, TAGGED), (3, None), (5, TAGGED)];
    assert_eq!(outcome(&lab.receive(1, &packet)), (everywhere.clone(), None));
    assert_eq!(lab.discards("uc_dip_over_mc_dmac"), 1);
    lab.trap_action(id::UC_DIP_OVER_MC_DMAC, HpktAction::TrapExceptionToCpu, 2);
    assert_eq!(
        outcome(&lab.receive(1, &packet)),
        (everywhere.clone(), Some("uc_dip_over_mc_dmac"))
    );
    lab.trap_action(id::UC_DIP_OVER_MC_DMAC, HpktAction::Forward, 2);
    assert_eq!(outcome(&lab.receive(1, &packet)), (everywhere, None), "flooded, not routed");
    // a static group record says where the cluster's nodes are
    for port in [2, 6] {
        lab.write(Smid2::member(20000, port, true, None));
    }
    lab.write(Smid2::member(20000, 5, true, None));
    let record = |action| SfdRecord::multicast(group, VID, action, 20000);
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![record(SfdAction::Nop)]));
    assert_eq!(outcome(&lab.receive(1, &packet)), (vec![(2, TAGGED), (5, TAGGED)], None));
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![record(SfdAction::MirrorToCpu)]));
    assert_eq!(outcome(&lab.receive(1, &packet)), (vec![(2, TAGGED), (5, TAGGED)], Some("fdb")));
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![record(SfdAction::DiscardError)]));
    assert_eq!(outcome(&lab.receive(1, &packet)), (vec![], None));
    assert_eq!(lab.discards("fdb_discard"), 1);
}

// Would break: clusters behind a router with one unicast address and a group MAC (NLB) get nothing.
#[test]
fn a_neighbour_with_a_group_address_is_reached_by_its_record_or_by_flooding() {
    let mut lab = lab();
    lab.vlan_if(3, VID);
    fid_if(&mut lab);
    let group = Mac([0x03, 0xbf, 0x0a, 0, 3, 9]);
    let action = RalueAction::Local { trap_action: TrapAction::Nop, trap_id: 0, local_erif: 3 };
    lab.route(0, "10.0.3.0", 24, action);
    lab.write(Rauht::new(RauhtOp::WRITE_ADD, 3, group, [10, 0, 3, 9].into()));
    // the flood vector of unknown unicast has nothing to do with it
    lab.write(Smid2::member(VID, 2, false, None));
    let packet = ip(RIF_MAC, "10.0.4.9", "10.0.3.9", 17, &[0; 8]);
    let everywhere = vec![(1, TAGGED), (2, TAGGED), (3, None), (5, TAGGED)];
    assert_eq!(outcome(&lab.receive(4, &packet)), (everywhere, None));
    lab.write(Smid2::member(20000, 3, true, None));
    let record = SfdRecord::multicast(group, VID, SfdAction::Nop, 20000);
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![record]));
    let out = lab.receive(4, &packet);
    assert_eq!(outcome(&out), (vec![(3, None)], None));
    let Output::Wire { frame, .. } = &out[0] else { panic!("{out:?}") };
    assert_eq!(frame[..6], group.octets());
}

// Would break: a backup's virtual MAC floods the VLAN, or the master's frames enter the wrong switch's router.
#[test]
fn the_virtual_mac_of_a_backup_is_an_ordinary_host() {
    let mut lab = lab();
    lab.vlan_if(3, VID);
    let vmac = Mac([0, 0, 0x5e, 0, 1, 10]);
    let to_vmac = tagged(&ip(vmac, "10.0.1.9", "10.0.2.1", 17, &[0; 8]), VID);
    assert_eq!(outcome(&lab.receive(1, &to_vmac)).0.len(), 3, "unknown");
    let mut advert = vrrp("10.0.1.2", "224.0.0.18");
    advert[6..12].copy_from_slice(&vmac.octets());
    lab.receive(2, &tagged(&advert, VID));
    assert_eq!(outcome(&lab.receive(1, &to_vmac)), (vec![(2, TAGGED)], None));
    lab.router_mac(VID, vmac);
    let own = RalueAction::Ip2me { tunnel_ptr: None };
    lab.route(0, "10.0.2.1", 32, own);
    assert_eq!(outcome(&lab.receive(1, &to_vmac)), (vec![], Some("local_route")));
}

// Would break: ports learn or forward while spanning tree says not to, or in a VLAN for which learning is off.
#[test]
fn learning_and_forwarding_go_by_port_and_vlan() {
    let mut lab = lab();
    let learnt = |lab: &Lab, last| lab.chip.dump().fdb.iter().any(|r| r.mac == mac(last));
    let frame = |last| ethernet(BROADCAST, mac(last), 0x1234, &[0; 46]);
    for (state, last, learns, forwards) in [
        (SpmsState::Discarding, 1, false, false),
        (SpmsState::Learning, 2, true, false),
        (SpmsState::Forwarding, 3, true, true),
    ] {
        lab.write(Spms::vlan(1, VID, state));
        let out = lab.receive(1, &tagged(&frame(last), VID));
        assert_eq!((learnt(&lab, last), !out.is_empty()), (learns, forwards), "{state:?}");
        let out = wires(&lab.receive(2, &tagged(&frame(0x20), VID)));
        assert_eq!(out.contains(&(1, TAGGED)), forwards, "out of port 1, {state:?}");
    }
    lab.write(Spms::vlan(1, VID, SpmsState::Discarding));
    lab.receive(1, &tagged(&frame(4), 20));
    assert!(learnt(&lab, 4), "VLAN 20 of the same port is another matter");
    lab.write(Spvmlr::range(1, 20..=20, false));
    assert!(!lab.receive(1, &tagged(&frame(5), 20)).is_empty());
    assert!(!learnt(&lab, 5));
    lab.write(Spvmlr::range(1, 20..=20, true));
    lab.receive(1, &tagged(&frame(5), 20));
    assert!(learnt(&lab, 5));
}

// Would break: a bridge port without a PVID lets untagged frames into whatever VLAN it had before.
#[test]
fn a_port_admits_the_tags_that_it_is_told_to() {
    let mut lab = lab();
    let plain = ethernet(BROADCAST, mac(1), 0x1234, &[0; 46]);
    lab.write(Spaft::untagged(3, false));
    assert_eq!(
        lab.query(Spaft { local_port: 3, ..Spaft::default() }),
        Ok(Spaft::untagged(3, false).into())
    );
    assert!(lab.receive(3, &plain).is_empty());
    assert_eq!(lab.discards("vlan_tag_mismatch"), 1);
    assert!(!lab.receive(3, &tagged(&plain, 0)).is_empty(), "priority-tagged");
    assert!(!lab.receive(3, &tagged(&plain, VID)).is_empty(), "tagged");
    lab.write(Spaft { local_port: 3, allow_untagged: true, ..Spaft::default() });
    assert!(!lab.receive(3, &plain).is_empty());
    assert!(lab.receive(3, &tagged(&plain, 0)).is_empty());
    assert!(lab.receive(3, &tagged(&plain, VID)).is_empty());
    assert_eq!(lab.discards("vlan_tag_mismatch"), 3);
}

// Would break: hosts behind one port but in two VLANs cannot reach each other through the router.
#[test]
fn the_router_sends_between_vlans_of_one_port() {
    let mut lab = lab();
    lab.vlan_if(3, VID);
    fid_if(&mut lab);
    for (erif, subnet, host, last) in
        [(3, "10.0.3.0", [10, 0, 3, 9], 0x31), (4, "10.0.4.0", [10, 0, 4, 9], 0x41)]
    {
        let trap_action = TrapAction::Nop;
        let action = RalueAction::Local { trap_action, trap_id: 0, local_erif: erif };
        lab.route(0, subnet, 24, action);
        lab.write(Rauht::new(RauhtOp::WRITE_ADD, erif, mac(last), host.into()));
    }
    // both hosts are behind port 1: VLAN 10 of FID 10, VLAN 20 of FID 4095
    lab.receive(1, &tagged(&ethernet(BROADCAST, mac(0x31), 0x1234, &[0; 46]), VID));
    lab.receive(1, &tagged(&ethernet(BROADCAST, mac(0x41), 0x1234, &[0; 46]), 20));
    let there = tagged(&ip(RIF_MAC, "10.0.3.9", "10.0.4.9", 17, &[0; 8]), VID);
    assert_eq!(outcome(&lab.receive(1, &there)), (vec![(1, Some(20))], None));
    let back = tagged(&ip(RIF_MAC, "10.0.4.9", "10.0.3.9", 17, &[0; 8]), 20);
    assert_eq!(outcome(&lab.receive(1, &back)), (vec![(1, TAGGED)], None));
    // within one interface: a matter of uc_loopback, and never back out of the port
    let same = tagged(&ip(RIF_MAC, "10.0.3.8", "10.0.3.9", 17, &[0; 8]), VID);
    lab.trap_action(id::UC_LOOPBACK, HpktAction::MirrorToCpu, 17);
    assert_eq!(outcome(&lab.receive(1, &same)), (vec![], Some("uc_loopback")));
    assert_eq!(outcome(&lab.receive(2, &same)), (vec![(1, TAGGED)], Some("uc_loopback")));
}

/// An IGMPv3 report.
fn report() -> Vec<u8> {
    to_group("10.0.1.9", "224.0.0.22", 2, &[0x22, 0, 0, 0, 0, 0, 0, 0])
}

// Would break: routers and snooping switches behind other ports lose the members of groups.
#[test]
fn copies_of_reports_go_where_the_frame_would_have_gone() {
    let mut lab = lab();
    let frames =
        [(1, tagged(&report(), VID)), (3, report()), (5, tagged(&report(), VID)), (4, report())];
    let flooded: Vec<_> = frames.iter().map(|(port, frame)| lab.receive(*port, frame)).collect();
    lab.trap(id::IGMP_V3_REPORT, 5, 3);
    for ((port, frame), flooded) in frames.iter().zip(flooded) {
        let out = lab.receive(*port, frame);
        let [Output::Cpu { frame, punt, .. }] = out.as_slice() else { panic!("{out:?}") };
        assert_eq!(punt.ingress_port, LocalPort(*port));
        let copies = lab.chip.copies_of_report(punt, frame);
        let flooded: Vec<_> = flooded
            .into_iter()
            .map(|output| match output {
                Output::Wire { port, frame } => (port, frame),
                Output::Cpu { .. } => panic!("not trapped yet"),
            })
            .collect();
        assert!(flooded.len() >= 2);
        assert_eq!(copies, flooded, "from port {port}");
    }
    let ports: BTreeSet<_> = [id::IGMP_QUERY, id::MLD_QUERY, id::IPV4_VRRP, id::ARP_REQUEST]
        .into_iter()
        .filter(|trap| Chip::owes_copies(*trap))
        .collect();
    assert!(ports.is_empty(), "the chip floods these itself");
    // a packet of another trap, or of a router port, is nobody else's business
    lab.vlan_if(3, VID);
    let out = lab.receive(1, &tagged(&vrrp("10.0.1.2", "224.0.0.18"), VID));
    let Some(Output::Cpu { frame, punt, .. }) = out.last() else { panic!("{out:?}") };
    assert!(lab.chip.copies_of_report(punt, frame).is_empty());
    let mut routed = Lab::router();
    routed.trap(id::IGMP_V3_REPORT, 5, 3);
    // even if flood tables and mappings would let it out of port 3
    routed.flood_tables();
    routed.write(Smid2::member(4096, 3, true, None));
    routed.write(Svfa::port_vid(3, 4095, FID, None));
    routed.write(Spms::vlan(3, 4095, SpmsState::Forwarding));
    let out = routed.receive(1, &report());
    let [Output::Cpu { frame, punt, .. }] = out.as_slice() else { panic!("{out:?}") };
    assert!(routed.chip.copies_of_report(punt, frame).is_empty());
}
