//! LAGs: who may join, where their frames are learnt, by which member they leave.
//!
//! ```text
//!   port 1 ─┬─ LAG 0 ─┐
//!   port 2 ─┘         ├─ VLAN 10 (tagged), FID 10
//!   port 3 ─┬─ LAG 1 ─┤
//!   port 4 ─┘         │
//!   port 5 ───────────┘     port 6: nothing
//! ```

use std::collections::BTreeSet;

use emad::register::{
    RalueAction, Rauht, RauhtOp, Register, Reiv, Ritr, RitrType, Sfd, SfdAction, SfdOp, SfdPolicy,
    SfdRecord, SfdTarget, Sfdf, SfdfFlush, Sfmr, SfnEvent, Slcor, Slcr, SlcrType, Sldr, SldrOp,
    Spms, SpmsState, Spvm, Svfa, TrapAction,
};
use emad::{Mac, Status};

use super::frames::{BROADCAST, HOST, ethernet, ip, tagged};
use super::lab::{Lab, RIF_MAC, mac, punt_of, wires};
use crate::chip::traps::id;
use crate::chip::{LocalPort, Output};

const BAD: Status = Status::BadParameter;
const FULL: Status = Status::ResourceNotAvailable;
const VID: u16 = 10;

fn lab() -> Lab {
    let mut lab = Lab::with_ports("spectrum2", 6);
    lab.flood_tables();
    lab.dot1q(VID, &[(1, false), (2, false), (3, false), (4, false), (5, false)]);
    lab.lag(0, &[1, 2]);
    lab.lag(1, &[3, 4]);
    lab
}

fn frame(dmac: Mac, smac: Mac) -> Vec<u8> {
    tagged(&ethernet(dmac, smac, 0x1234, &[0; 46]), VID)
}

fn ports(out: &[Output]) -> Vec<u16> {
    wires(out).into_iter().map(|(port, _)| port).collect()
}

/// UDP from a port of its own for each flow.
fn flow(dmac: Mac, number: u16) -> Vec<u8> {
    let payload = [&number.to_be_bytes()[..], &[0, 53, 0, 8, 0, 0]].concat();
    tagged(&ip(dmac, "10.0.1.9", "10.0.9.9", 17, &payload), VID)
}

/// By which ports so many flows leave.
fn senders(lab: &mut Lab, ingress: u16, dmac: Mac) -> BTreeSet<u16> {
    (0..64)
        .flat_map(|number| {
            let out = lab.receive(ingress, &flow(dmac, number));
            assert_eq!(out.len(), 1, "one copy: {out:?}");
            ports(&out)
        })
        .collect()
}

fn record_of(lab: &Lab, mac: Mac) -> Option<(Option<u16>, Option<u16>)> {
    lab.chip.dump().fdb.iter().find(|r| r.mac == mac).map(|r| (r.port, r.lag))
}

// Would break: an agent that skips a step, or takes a port that is not free, believes that the chip followed.
#[test]
fn wrong_steps_are_refused_and_repeated_ones_are_not() {
    let mut lab = lab();
    for (refused, why) in [
        (Register::from(Slcor::add_port(6, 7, 0)), "no such LAG"),
        (Slcor::add_port(7, 0, 2).into(), "no such port"),
        (Slcor::add_port(0, 0, 2).into(), "the CPU port"),
        (Slcor::add_port(6, 0, 1).into(), "place of port 2"),
        (Slcor::add_port(6, 0, 32).into(), "no such place"),
        (Slcor::add_port(3, 0, 2).into(), "in LAG 1"),
        (Slcor::collector(6, 0, true).into(), "no member"),
        (Slcor::collector(3, 0, true).into(), "member of another"),
        (Slcor::remove_port(1, 0).into(), "still sends"),
        (Sldr::add_port(0, 6).into(), "no member"),
        (Sldr::add_port(7, 6).into(), "no such LAG"),
        (Sldr::destroy(0).into(), "has members"),
        (Sldr { num_ports: 2, ..Sldr::add_port(0, 1) }.into(), "a list of two"),
        (Sldr { op: SldrOp::Other(5), ..Sldr::create(0) }.into(), "no such op"),
        (Slcr { kind: SlcrType::Random, ..Slcr::default() }.into(), "not modelled"),
        (Slcr { pp: true, local_port: 9, ..Slcr::default() }.into(), "no such port"),
    ] {
        let before = lab.chip.dump();
        assert_eq!(lab.try_write(refused.clone()), Err(BAD), "{why}: {refused:?}");
        assert_eq!(lab.chip.dump(), before, "{why}");
    }
    assert_eq!(lab.query(Sldr::create(0)), Err(Status::MethodNotSupported));
    assert_eq!(lab.query(Slcor::add_port(1, 0, 0)), Err(Status::MethodNotSupported));

    // a write whose answer got lost is sent again
    let lags = lab.chip.dump().lags;
    lab.lag(0, &[1, 2]);
    assert_eq!(lab.chip.dump().lags, lags);
    lab.write(Slcor::add_port(1, 0, 0));
    assert_eq!(lab.chip.dump().lags, lags, "the collector of a member stays on");

    for port in [1, 2] {
        for register in [
            Register::from(Sldr::remove_port(0, port)),
            Slcor::collector(port, 0, false).into(),
            Slcor::remove_port(port, 0).into(),
        ] {
            lab.write(register);
        }
        lab.write(Sldr::remove_port(0, port));
        lab.write(Slcor::remove_port(port, 0));
    }
    lab.write(Sldr::destroy(0));
    lab.write(Sldr::destroy(0));
    assert_eq!(lab.chip.resources()["lags"].occ, 1);
    lab.write(Slcor::add_port(1, 1, 2));
    assert_eq!(lab.chip.dump().lags[0].members, [1, 3, 4], "the port is free again");
}

// Would break: scripts cannot see who is in a LAG, or take members for senders.
#[test]
fn the_dump_shows_members_collectors_and_distributors() {
    let mut lab = lab();
    lab.write(Slcor::collector(2, 0, false));
    lab.write(Sldr::remove_port(0, 1));
    assert_eq!(
        serde_json::to_value(&lab.chip.dump().lags).unwrap(),
        serde_json::json!([
            {"lag": 0, "members": [1, 2], "collectors": [1], "distributors": [2]},
            {"lag": 1, "members": [3, 4], "collectors": [3, 4], "distributors": [3, 4]},
        ])
    );
}

// Would break: small chips take more LAGs or members than they have room for.
#[test]
fn full_lag_tables_say_so() {
    let mut lab = Lab::new("tiny");
    lab.lag(0, &[1, 2]);
    lab.write(Sldr::create(1));
    assert_eq!(lab.try_write(Sldr::create(2)), Err(FULL));
    assert_eq!(lab.try_write(Slcor::add_port(3, 0, 1)), Err(FULL));
    assert_eq!(lab.try_write(Slcor::add_port(3, 0, 2)), Err(FULL));
    lab.write(Slcor::add_port(3, 1, 0));
    let lags = lab.chip.resources()["lags"];
    assert_eq!((lags.size, lags.occ), (2, 2));
}

// Would break: a host behind a LAG is learnt on a member, and its frames go nowhere when that one fails.
#[test]
fn frames_of_members_are_learnt_on_the_lag() {
    let mut lab = lab();
    lab.receive(1, &frame(mac(9), mac(1)));
    assert_eq!(record_of(&lab, mac(1)), Some((None, Some(0))));
    let event = SfnEvent::LearnedMacLag { sub_port: 0, lag_id: 0 };
    assert_eq!(
        lab.notes().iter().map(|note| (note.mac, note.event)).collect::<Vec<_>>(),
        [(mac(1), event)]
    );
    lab.receive(2, &frame(mac(9), mac(1)));
    assert!(lab.notes().is_empty(), "the other member is the same place");
    lab.receive(5, &frame(mac(9), mac(1)));
    assert_eq!(record_of(&lab, mac(1)), Some((Some(5), None)), "moved to a port");
    lab.receive(4, &frame(mac(9), mac(1)));
    assert_eq!(record_of(&lab, mac(1)), Some((None, Some(1))), "moved to a LAG");
    let events: Vec<_> = lab.notes().iter().map(|note| note.event).collect();
    assert_eq!(
        events,
        [
            SfnEvent::LearnedMac { sub_port: 0, system_port: 5 },
            SfnEvent::LearnedMacLag { sub_port: 0, lag_id: 1 }
        ]
    );
    // the driver confirms what was learnt, with its own VLAN
    let confirmed = SfdRecord::unicast_lag(SfdPolicy::Dynamic, mac(1), VID, 10, SfdAction::Nop, 1);
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![confirmed]));
    lab.receive(3, &frame(mac(9), mac(1)));
    assert!(lab.notes().is_empty(), "no move");
}

// Would break: a member that LACP has not let in yet receives twice what the others do.
#[test]
fn a_member_that_does_not_collect_hears_control_frames_alone() {
    let mut lab = lab();
    lab.trap(id::LACP, 1, 5);
    lab.write(Slcor::collector(2, 0, false));
    assert!(lab.receive(2, &frame(BROADCAST, mac(1))).is_empty());
    assert_eq!(lab.discards("lag_not_collecting"), 1);
    assert_eq!(record_of(&lab, mac(1)), None, "nothing is learnt");
    let lacp = ethernet(Mac([1, 0x80, 0xc2, 0, 0, 2]), HOST, 0x8809, &[1; 110]);
    let out = lab.receive(2, &lacp);
    let punt = punt_of(&out[0]).unwrap();
    assert_eq!((punt.trap, punt.ingress_port, punt.ingress_lag), ("lacp", LocalPort(2), Some(0)));
    lab.write(Slcor::collector(2, 0, true));
    assert_eq!(lab.receive(2, &frame(BROADCAST, mac(1))).len(), 2);
}

// Would break: hosts behind LAGs get each broadcast as often as they have links, or their own frames back.
#[test]
fn flooding_takes_one_member_of_each_lag_and_none_of_the_ingress() {
    let mut lab = lab();
    for ingress in [1, 2] {
        let out = ports(&lab.receive(ingress, &frame(BROADCAST, mac(1))));
        assert!(out == [3, 5] || out == [4, 5], "{out:?}");
    }
    let out = ports(&lab.receive(5, &frame(BROADCAST, mac(5))));
    assert_eq!(out.len(), 2);
    assert!(out[0] <= 2 && out[1] >= 3, "one of each LAG: {out:?}");
    lab.write(Sldr::remove_port(1, 3));
    lab.write(Sldr::remove_port(1, 4));
    assert_eq!(ports(&lab.receive(1, &frame(BROADCAST, mac(1)))), [5], "nobody sends for LAG 1");
}

// Would break: one link carries everything, frames of one flow overtake each other, or leave by a dead link.
#[test]
fn the_hash_spreads_flows_over_members_that_send_and_have_carrier() {
    let mut lab = lab();
    lab.receive(3, &frame(mac(9), mac(3)));
    assert_eq!(senders(&mut lab, 5, mac(3)).len(), 1, "at power-on ports do not count");
    lab.write(Slcr::global(Slcr::DRIVER, 0));
    assert_eq!(senders(&mut lab, 5, mac(3)), BTreeSet::from([3, 4]));
    let first = ports(&lab.receive(5, &flow(mac(3), 7)));
    assert!((0..8).all(|_| ports(&lab.receive(5, &flow(mac(3), 7))) == first), "a flow stays");
    let by_seed: BTreeSet<_> = (0..16)
        .map(|seed| {
            lab.write(Slcr::global(Slcr::DRIVER, seed));
            ports(&lab.receive(5, &flow(mac(3), 7)))
        })
        .collect();
    assert_eq!(by_seed.len(), 2, "the seed counts");
    lab.write(Slcr { kind: SlcrType::Xor, ..Slcr::global(Slcr::DRIVER, 0) });
    assert_eq!(senders(&mut lab, 5, mac(3)), BTreeSet::from([3, 4]), "the other hash spreads too");
    lab.chip.link(LocalPort(4), false);
    assert_eq!(senders(&mut lab, 5, mac(3)), BTreeSet::from([3]), "carrier");
    lab.chip.link(LocalPort(4), true);
    lab.write(Sldr::remove_port(1, 3));
    assert_eq!(senders(&mut lab, 5, mac(3)), BTreeSet::from([4]), "distributor");
    // back to where it came from: never, by whichever member
    lab.receive(1, &frame(mac(9), mac(1)));
    assert!(lab.receive(2, &frame(mac(1), mac(8))).is_empty());
    assert_eq!(lab.discards("port_loopback_filter"), 1);
}

// Would break: settings for one ingress port change the others, or cannot be read.
#[test]
fn the_hash_is_set_for_all_ports_or_one() {
    let mut lab = lab();
    let asked = |local_port| Slcr { pp: true, local_port, ..Slcr::default() };
    let power_on = Slcr { lag_hash: Slcr::POWER_ON, ..asked(5) };
    assert_eq!(lab.query(asked(5)), Ok(power_on.into()));
    lab.receive(3, &frame(mac(9), mac(3)));
    lab.write(Slcr { pp: true, local_port: 5, ..Slcr::global(Slcr::SPORT, 3) });
    assert_eq!(senders(&mut lab, 5, mac(3)).len(), 2);
    assert_eq!(senders(&mut lab, 1, mac(3)).len(), 1, "port 1 still hashes MACs");
    let Ok(Register::Slcr(global)) = lab.query(Slcr::default()) else { panic!() };
    assert_eq!((global.lag_hash, global.seed), (Slcr::POWER_ON, 3), "port 1's, and the one seed");
    lab.write(Slcr::global(Slcr::IN_PORT, 0));
    assert_eq!(senders(&mut lab, 5, mac(3)).len(), 1);
    assert_eq!(lab.query(asked(5)), Ok(Slcr { lag_hash: Slcr::IN_PORT, ..asked(5) }.into()));
}

// Would break: records written for a LAG lead nowhere, stay when the LAG is flushed, or take others along.
#[test]
fn records_point_to_lags_and_are_flushed_by_lag() {
    let mut lab = lab();
    let fixed = |last, lag| {
        SfdRecord::unicast_lag(SfdPolicy::Static, mac(last), VID, 0, SfdAction::Nop, lag)
    };
    let Register::Sfd(answer) =
        lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![fixed(1, 0), fixed(2, 1), fixed(3, 9)]))
    else {
        panic!()
    };
    assert_eq!(answer.num_rec, 2, "LAG 9 does not exist");
    let out = ports(&lab.receive(5, &frame(mac(2), mac(5))));
    assert!(out == [3] || out == [4]);
    lab.receive(1, &frame(mac(9), mac(7)));
    lab.write(Sfdf::new(SfdfFlush::PerLagAndFid { lag_id: 0, fid: 11 }));
    assert!(record_of(&lab, mac(1)).is_some(), "another FID");
    lab.write(Sfdf { flush_static: false, ..Sfdf::new(SfdfFlush::PerLag { lag_id: 0 }) });
    assert_eq!((record_of(&lab, mac(1)).is_some(), record_of(&lab, mac(7))), (true, None));
    lab.write(Sfdf::new(SfdfFlush::PerLagAndFid { lag_id: 0, fid: VID }));
    assert_eq!(record_of(&lab, mac(1)), None);
    // a LAG that goes leaves its records behind: they lead nowhere
    for port in [3, 4] {
        lab.write(Sldr::remove_port(1, port));
        lab.write(Slcor::remove_port(port, 1));
    }
    lab.write(Sldr::destroy(1));
    assert_eq!(record_of(&lab, mac(2)), Some((None, Some(1))));
    assert!(lab.receive(5, &frame(mac(2), mac(5))).is_empty());
    assert_eq!(lab.discards("egress_filter"), 1);
    let Ok(Register::Sfd(sfd)) = lab.query(Sfd::dump(0)) else { panic!() };
    let target = sfd.records.iter().find(|record| record.mac == mac(2)).unwrap().target;
    assert!(matches!(target, SfdTarget::UnicastLag { lag_id: 1, .. }), "{target:?}");
}

/// VLANs 20 and 30 of LAG 0 are router interfaces 1 and 2.
fn routed() -> Lab {
    let mut lab = lab();
    lab.start_router();
    for (rif, vid) in [(1, 20), (2, 30)] {
        let fid = 5120 + rif;
        lab.write(Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
        let kind = RitrType::SpIf { lag: true, system_port: 0, efid: fid, vid: 0 };
        lab.write(Ritr { rif, mtu: 1500, if_mac: RIF_MAC, kind, ..Ritr::default() });
        lab.router_mac(fid, RIF_MAC);
        for port in [1, 2] {
            lab.write(Spvm::range(port, vid..=vid, true, false));
            lab.write(Spms::vlan(port, vid, SpmsState::Forwarding));
            lab.write(Svfa::port_vid(port, vid, fid, Some(rif)));
            lab.write(Reiv::port(rif, port, vid));
        }
        let subnet = format!("10.0.{vid}.0");
        let action =
            RalueAction::Local { trap_action: TrapAction::Nop, trap_id: 0, local_erif: rif };
        lab.route(0, &subnet, 24, action);
        let host = [10, 0, u8::try_from(vid).unwrap(), 9].into();
        lab.write(Rauht::new(RauhtOp::WRITE_ADD, rif, mac(0x77), host));
    }
    lab
}

// Would break: a router interface on a LAG routes by one link only, without its VLAN tag, or not between its VLANs.
#[test]
fn router_interfaces_on_a_lag_route_by_the_member_that_the_hash_picks() {
    let mut lab = routed();
    lab.write(Slcr::global(Slcr::DRIVER, 0));
    let packet = |number: u16| {
        let payload = [&number.to_be_bytes()[..], &[0, 53, 0, 8, 0, 0]].concat();
        tagged(&ip(RIF_MAC, "10.0.20.5", "10.0.30.9", 17, &payload), 20)
    };
    let left: BTreeSet<_> =
        (0..64).flat_map(|number| wires(&lab.receive(1, &packet(number)))).collect();
    assert_eq!(
        left,
        BTreeSet::from([(1, Some(30)), (2, Some(30))]),
        "by both members, the ingress port too: the interfaces differ"
    );
    // the same interface: never back into the LAG
    lab.trap_action(id::UC_LOOPBACK, emad::register::HpktAction::Forward, 0);
    let same = tagged(&ip(RIF_MAC, "10.0.20.5", "10.0.20.9", 17, &[0; 8]), 20);
    assert!(lab.receive(1, &same).is_empty());
    assert_eq!(lab.discards("egress_filter"), 1);
    // the LAG cannot go while the interface is there
    for port in [1, 2] {
        lab.write(Sldr::remove_port(0, port));
        lab.write(Slcor::remove_port(port, 0));
    }
    assert_eq!(lab.try_write(Sldr::destroy(0)), Err(BAD));
    let dumped = lab.chip.dump().rifs;
    assert_eq!((dumped[0].lag, dumped[0].port), (Some(0), None));
    let kind = RitrType::SpIf { lag: true, system_port: 7, efid: 5121, vid: 0 };
    let absent = Ritr { rif: 9, mtu: 1500, if_mac: RIF_MAC, kind, ..Ritr::default() };
    assert_eq!(lab.try_write(absent), Err(BAD), "no such LAG");
}

// Would break: a VLAN interface above a LAG in a bridge reaches its hosts twice, or not at all.
#[test]
fn packets_routed_into_a_bridge_reach_the_lag_once() {
    let mut lab = routed();
    lab.vlan_if(3, VID);
    let action = RalueAction::Local { trap_action: TrapAction::Nop, trap_id: 0, local_erif: 3 };
    lab.route(0, "10.0.10.0", 24, action);
    lab.write(Rauht::new(RauhtOp::WRITE_ADD, 3, mac(3), [10, 0, 10, 9].into()));
    let packet = tagged(&ip(RIF_MAC, "10.0.20.5", "10.0.10.9", 17, &[0; 8]), 20);
    let flooded = ports(&lab.receive(1, &packet));
    assert_eq!(flooded.len(), 3, "one of each LAG and port 5: {flooded:?}");
    lab.receive(4, &frame(BROADCAST, mac(3)));
    let known = wires(&lab.receive(1, &packet));
    assert!(known == [(3, Some(VID))] || known == [(4, Some(VID))], "{known:?}");
}
