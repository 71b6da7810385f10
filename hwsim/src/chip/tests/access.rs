//! Registers: what is refused with which status, what is read back, which answers fail on purpose.

use emad::register::{
    Hpkt, Htgt, Protocol, Qpcr, Ralta, RaltaOp, Raltb, Ralue, RalueAction, RalueOp, Rauht, RauhtOp,
    Rgcr, Ritr, RitrOp, RitrType, Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, Sfmr, SfmrOp, Spvid,
    Svfa, TrapAction,
};
use emad::{Frame, Mac, Method, Operation, Register, Status};

use super::lab::{FID, Lab, RIF_MAC, sub_port_ritr};
use crate::chip::{FaultAction, FaultOp, FaultRule, LocalPort};

const BAD: Status = Status::BadParameter;
const FULL: Status = Status::ResourceNotAvailable;

fn mac(last: u8) -> Mac {
    Mac([0x02, 0, 0, 0, 0x10, last])
}

fn router_records(fid: u16, macs: std::ops::Range<u8>) -> Vec<SfdRecord> {
    macs.map(|last| SfdRecord::router(mac(last), fid)).collect()
}

fn num_rec(register: Register) -> u8 {
    match register {
        Register::Sfd(sfd) => sfd.num_rec,
        other => panic!("{other:?}"),
    }
}

fn rule(register: &str, action: FaultAction) -> FaultRule {
    FaultRule {
        register: register.into(),
        op: FaultOp::Write,
        nth: None,
        share: None,
        seed: 0,
        count: None,
        action,
    }
}

// Would break: an agent with a wrong index believes that the chip took it.
#[test]
fn indices_out_of_range_are_bad_parameters() {
    let mut lab = Lab::router();
    assert_eq!(lab.query(Ritr::query(1000)), Err(BAD));
    assert_eq!(lab.query(Ritr::query(999)), Ok(Ritr::query(999).into()), "unused: enable 0");
    assert_eq!(lab.try_write(sub_port_ritr(1000, 1, FID).removal()), Err(BAD));
    assert_eq!(lab.try_write(sub_port_ritr(5, 9, FID)), Err(BAD), "port");
    assert_eq!(lab.try_write(sub_port_ritr(5, 0, FID)), Err(BAD), "CPU port");
    assert_eq!(lab.try_write(sub_port_ritr(5, 1, 6000)), Err(BAD), "egress FID");
    let group = Ritr { if_mac: Mac([1, 0, 0, 0, 0, 1]), ..sub_port_ritr(5, 1, FID) };
    assert_eq!(lab.try_write(group), Err(BAD), "group address");
    let fid_if = Ritr { kind: RitrType::FidIf { fid: 4095 }, ..sub_port_ritr(5, 1, FID) };
    assert_eq!(lab.try_write(fid_if), Err(BAD), "FID of a FID interface");
    let vlan_if =
        Ritr { kind: RitrType::VlanIf { vlan_id: 4095, efid: FID }, ..sub_port_ritr(5, 1, FID) };
    assert_eq!(lab.try_write(vlan_if), Err(BAD), "VLAN");
    assert_eq!(lab.try_write(Ritr { op: RitrOp::Other(2), ..Ritr::default() }), Err(BAD));
    assert_eq!(lab.try_write(Rgcr { max_router_interfaces: 1001, ..Rgcr::default() }), Err(BAD));
    assert_eq!(lab.try_write(Spvid { local_port: 5, ..Spvid::default() }), Err(BAD));
    assert_eq!(lab.try_write(Sfmr { fid: 0, ..Sfmr::default() }), Err(BAD));
    assert_eq!(lab.try_write(Sfmr { fid: 16384, ..Sfmr::default() }), Err(BAD));
    let ip = [10, 0, 0, 0].into();
    let route = |vr, len| {
        Ralue::new(RalueOp::WRITE_WRITE, vr, ip, len, RalueAction::Ip2me { tunnel_ptr: None })
    };
    assert_eq!(lab.query(route(256, 24)), Err(BAD));
    assert_eq!(lab.try_write(route(0, 33)), Err(BAD));
    assert_eq!(lab.query(Ritr::query(5)), Ok(Ritr::query(5).into()), "nothing was written");
}

// Would break: SFMR and SVFA point frames to a router interface that does not route (mlxsw reg.h forbids it).
#[test]
fn an_ingress_interface_must_be_enabled() {
    let mut lab = Lab::router();
    let sfmr = |rif| Sfmr { fid: FID, flood_rsp: true, irif_v: true, irif: rif, ..Sfmr::default() };
    assert_eq!(lab.try_write(sfmr(7)), Err(BAD));
    assert_eq!(lab.try_write(Svfa::port_vid(1, 10, FID, Some(7))), Err(BAD));
    lab.write(sfmr(0));
    lab.write(Svfa::port_vid(1, 10, FID, Some(0)));
    lab.write(Ritr { enable: false, ..sub_port_ritr(0, 1, FID) });
    assert_eq!(lab.try_write(sfmr(0)), Err(BAD), "disabled");
    assert_eq!(lab.try_write(Svfa::port_vid(1, 10, FID, Some(0))), Err(BAD), "disabled");
    assert_eq!(lab.try_write(Svfa::port_vid(1, 10, 6000, None)), Err(BAD), "FID");
    lab.write(Svfa::port_vid(1, 10, FID, None));
}

// Would break: RIF 1's router MAC silently changes its prefix under it.
#[test]
fn a_profile_prefix_does_not_move_under_others() {
    let mut lab = Lab::router();
    let moved = Ritr { if_mac: Mac([0x02, 0, 0, 0, 0x20, 1]), ..sub_port_ritr(0, 1, FID) };
    assert_eq!(lab.try_write(moved.clone()), Err(BAD), "RIF 1 holds profile 0");
    let same_prefix = Ritr { if_mac: Mac([0x02, 0, 0, 0, 0x1f, 0xff]), ..moved.clone() };
    lab.write(same_prefix);
    lab.write(Ritr { if_mac_profile_id: 1, ..moved.clone() });
    let profiles = |lab: &Lab| lab.chip.resources()["rif_mac_profiles"].occ;
    assert_eq!(profiles(&lab), 2);
    lab.write(Ritr { enable: false, ..sub_port_ritr(1, 2, FID + 1) });
    lab.write(Ritr { if_mac_profile_id: 0, ..moved });
    assert_eq!(profiles(&lab), 1, "a disabled interface holds no profile");
    // coming back with the old prefix would move it again
    assert_eq!(lab.try_write(sub_port_ritr(1, 2, FID + 1)), Err(BAD));
}

// Would break: spectrum1 and spectrum2 share the wrong number of bits.
#[test]
fn prefix_lengths_differ_by_chip() {
    for (personality, same, other) in [("spectrum2", 0x1f_u8, 0x20_u8), ("spectrum1", 0x13, 0x14)] {
        let mut lab = Lab::new(personality);
        for fid in [FID, FID + 1] {
            lab.write(Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
        }
        lab.write(sub_port_ritr(0, 1, FID));
        let second = |byte| Ritr {
            if_mac: Mac([0x02, 0, 0, 0, byte, 0xff]),
            ..sub_port_ritr(1, 2, FID + 1)
        };
        lab.write(second(same));
        assert_eq!(lab.try_write(second(other)), Err(BAD), "{personality}");
    }
}

// Would break: agents cannot tell "no such route yet" from success, or VRRP ids land in a tunnel's address.
#[test]
fn routes_trees_and_loopbacks_are_checked() {
    let mut lab = Lab::router();
    let ip = [10, 9, 0, 0].into();
    let ip2me = RalueAction::Ip2me { tunnel_ptr: None };
    let delete = Ralue::new(RalueOp::WRITE_DELETE, 0, ip, 16, ip2me);
    assert_eq!(lab.try_write(delete.clone()), Err(BAD), "absent");
    lab.write(Ralue { op: RalueOp::WRITE_WRITE, ..delete.clone() });
    assert_eq!(
        lab.query(Ralue { op: RalueOp::QUERY_READ, ..delete.clone() }),
        Ok(Ralue { op: RalueOp::QUERY_READ, ..delete.clone() }.into())
    );
    lab.write(delete.clone());
    assert_eq!(lab.query(Ralue { op: RalueOp::QUERY_READ, ..delete }), Err(BAD));
    let unknown = RalueAction::Local { trap_action: TrapAction::Trap, trap_id: 2, local_erif: 0 };
    assert_eq!(lab.try_write(Ralue::new(RalueOp::WRITE_WRITE, 0, ip, 16, unknown)), Err(BAD));

    let ralta = |tree_id, op| Ralta { tree_id, op, protocol: Protocol::Ipv4 };
    assert_eq!(lab.try_write(ralta(0, RaltaOp::Allocate)), Err(BAD), "tree 0 is always there");
    assert_eq!(lab.try_write(ralta(23, RaltaOp::Allocate)), Err(BAD));
    assert_eq!(lab.try_write(ralta(1, RaltaOp::Deallocate)), Err(BAD), "bound");
    lab.write(ralta(1, RaltaOp::Allocate));
    let raltb = |tree_id, protocol| Raltb { virtual_router: 0, protocol, tree_id };
    assert_eq!(lab.try_write(raltb(2, Protocol::Ipv4)), Err(BAD), "the other family's");
    assert_eq!(lab.try_write(raltb(3, Protocol::Ipv4)), Err(BAD), "not allocated");
    lab.write(raltb(0, Protocol::Ipv4));
    lab.write(ralta(1, RaltaOp::Deallocate));

    let mut raw = [0; 0x2c];
    raw[0] = 2 << 4;
    let loopback = |raw| Ritr { rif: 9, kind: RitrType::Loopback { raw }, ..Ritr::default() };
    lab.write(loopback(raw));
    raw[0x17] = 5;
    assert_eq!(lab.try_write(loopback(raw)), Err(BAD), "a VRRP id");
}

// Would break: trap settings that no chip has are accepted, and the agent never notices.
#[test]
fn traps_groups_and_policers_are_checked() {
    let mut lab = Lab::router();
    let hpkt = |trap_id, trap_group| Hpkt { trap_id, trap_group, ..Hpkt::default() };
    assert_eq!(lab.try_write(hpkt(0x02, 1)), Err(BAD), "trap id");
    assert_eq!(lab.query(hpkt(0x3ff, 0)), Err(BAD), "trap id");
    assert_eq!(lab.try_write(Htgt::new(64, None, 0, 0)), Err(BAD), "group");
    assert_eq!(lab.try_write(Htgt::new(1, None, 8, 0)), Err(BAD), "priority");
    assert_eq!(lab.try_write(Htgt::new(1, Some(3), 0, 0)), Err(BAD), "policer was never set up");
    let qpcr = |pid, cir, cbs_log2| Qpcr { pid, cir, cbs_log2, ..Qpcr::default() };
    for refused in [
        qpcr(1000, 100, 7),
        qpcr(3, 0, 7),
        qpcr(3, 2_000_000_001, 7),
        qpcr(3, 100, 3),
        qpcr(3, 100, 25),
        Qpcr { bytes: true, ..qpcr(3, 100, 7) },
    ] {
        assert_eq!(lab.try_write(refused.clone()), Err(BAD), "{refused:?}");
    }
    for taken in [qpcr(3, 1, 4), qpcr(3, 2_000_000_000, 24)] {
        lab.write(taken.clone());
        assert_eq!(lab.query(Qpcr { pid: 3, ..Qpcr::default() }), Ok(taken.into()));
    }
    lab.write(Htgt::new(1, Some(3), 7, 7));
    assert_eq!(
        lab.query(Htgt { group: 1, ..Htgt::default() }),
        Ok(Htgt::new(1, Some(3), 7, 7).into())
    );
}

// Would break: read-back finds other values than were written, so that every restart reprograms the chip.
#[test]
fn what_was_written_is_read_back() {
    let mut lab = Lab::router();
    let ritr = Ritr {
        if_vrrp_id_ipv4: 7,
        if_vrrp_id_ipv6: 9,
        mtu: 9000,
        if_mac: mac(0x44),
        ..sub_port_ritr(0, 1, FID)
    };
    lab.write(ritr.clone());
    assert_eq!(lab.query(Ritr::query(0)), Ok(ritr.clone().into()));
    lab.write(Ritr { enable: false, ..ritr.clone() });
    assert_eq!(lab.query(Ritr::query(0)), Ok(Ritr { enable: false, ..ritr.clone() }.into()));
    lab.write(ritr.removal());
    assert_eq!(lab.query(Ritr::query(0)), Ok(Ritr::query(0).into()));
    let svfa = Svfa::port_vid(2, 4095, FID + 1, Some(1));
    let asked = Svfa { valid: false, fid: 0, irif_v: false, irif: 0, ..svfa.clone() };
    assert_eq!(lab.query(asked.clone()), Ok(svfa.into()));
    assert_eq!(lab.query(Svfa { vid: 7, ..asked.clone() }), Ok(Svfa { vid: 7, ..asked }.into()));
    assert_eq!(lab.query(Sfmr { fid: 9, ..Sfmr::default() }), Err(BAD), "no such FID");
}

// Would break: the agent believes that MACs are programmed for which the table had no room.
#[test]
fn num_rec_says_how_many_records_took_effect() {
    let mut lab = Lab::new("tiny");
    lab.write(Sfmr { fid: FID, flood_rsp: true, ..Sfmr::default() });
    let edit = |records| Sfd::new(SfdOp::WRITE_EDIT, records);
    let remove = |records| Sfd::new(SfdOp::WRITE_REMOVE, records);
    assert_eq!(num_rec(lab.write(edit(router_records(FID, 0..6)))), 6);
    assert_eq!(num_rec(lab.write(edit(router_records(FID, 0..6)))), 6, "again: idempotent");
    assert_eq!(lab.chip.resources()["fdb"].occ, 6);
    assert_eq!(num_rec(lab.write(edit(router_records(FID, 4..12)))), 4, "two there, two fit");
    assert_eq!(num_rec(lab.write(edit(router_records(9, 0..1)))), 0, "no such FID");
    let test = Sfd::new(SfdOp::WRITE_TEST, router_records(FID, 7..9));
    assert_eq!(num_rec(lab.write(test)), 1, "one is there, the other would not fit");
    assert_eq!(num_rec(lab.write(remove(router_records(FID, 6..12)))), 2, "absent ones count 0");
    assert_eq!(num_rec(lab.write(remove(router_records(FID, 6..12)))), 0);
    assert_eq!(lab.chip.resources()["fdb"].occ, 6);
    let group = SfdRecord::router(Mac([1, 0, 0x5e, 0, 0, 1]), FID);
    assert_eq!(num_rec(lab.write(edit(vec![group]))), 0, "a group address is no router MAC");
    let port = SfdRecord::unicast(SfdPolicy::Static, mac(9), FID, 0, SfdAction::Nop, 77);
    assert_eq!(num_rec(lab.write(edit(vec![port]))), 0, "no such port");
}

// Would break: read-back of the FDB loses records at page boundaries.
#[test]
fn the_fdb_is_dumped_in_pages() {
    let mut lab = Lab::router();
    for start in (0..200).step_by(50) {
        lab.write(Sfd::new(SfdOp::WRITE_EDIT, router_records(FID, start..start + 50)));
    }
    let mut seen = Vec::new();
    let (mut locator, mut pages) = (0, 0);
    loop {
        let Ok(Register::Sfd(page)) = lab.query(Sfd::dump(locator)) else { panic!("no page") };
        assert_eq!(usize::from(page.num_rec), page.records.len());
        seen.extend(page.records.iter().map(|record| (record.fid, record.mac)));
        pages += 1;
        locator = page.record_locator;
        if locator == 0 {
            break;
        }
    }
    seen.sort_unstable();
    let dumped: Vec<_> = lab.chip.dump().fdb.iter().map(|r| (r.fid, r.mac)).collect();
    assert_eq!(seen, dumped);
    assert_eq!((seen.len(), pages), (201, 4), "200, of which RIF 0's own is one, and RIF 1's");
}

// Would break: a full table looks like a success, or like a broken request.
#[test]
fn full_tables_say_so() {
    let mut lab = Lab::new("tiny");
    for fid in FID..FID + 8 {
        lab.write(Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
    }
    assert_eq!(lab.try_write(Sfmr { fid: FID + 8, ..Sfmr::default() }), Err(FULL));
    lab.write(Sfmr { fid: FID, flood_rsp: true, ..Sfmr::default() });
    assert_eq!(lab.try_write(sub_port_ritr(4, 1, FID)), Err(FULL), "four indices: 0..=3");
    lab.write(Rgcr { max_router_interfaces: 2, ..Rgcr::default() });
    for rif in 0..2 {
        lab.write(sub_port_ritr(rif, 1, FID + rif));
    }
    assert_eq!(lab.try_write(sub_port_ritr(2, 1, FID + 2)), Err(FULL), "RGCR said two");
    let route = |n: u8| {
        let action = RalueAction::Ip2me { tunnel_ptr: None };
        Ralue::new(RalueOp::WRITE_WRITE, 0, [10, 0, 0, n].into(), 32, action)
    };
    for n in 0..16 {
        lab.write(route(n));
    }
    assert_eq!(lab.try_write(route(16)), Err(FULL));
    lab.write(route(3));
    for n in 0..4 {
        lab.write(Rauht::new(RauhtOp::WRITE_ADD, 0, mac(n), [10, 1, 0, n].into()));
    }
    let fifth = Rauht::new(RauhtOp::WRITE_ADD, 0, mac(4), [10, 1, 0, 4].into());
    assert_eq!(lab.try_write(fifth), Err(FULL));
}

// Would break: a FID disappears under a router interface, and its packets with it.
#[test]
fn a_fid_in_use_stays() {
    let mut lab = Lab::router();
    let destroy = |fid| Sfmr { op: SfmrOp::Destroy, fid, ..Sfmr::default() };
    assert_eq!(lab.try_write(destroy(FID)), Err(BAD));
    lab.write(sub_port_ritr(0, 1, FID).removal());
    lab.write(destroy(FID));
    lab.write(destroy(FID));
    assert_eq!(lab.chip.resources()["rifs"].occ, 1);
    let left = lab.chip.dump().fdb.iter().filter(|record| record.fid == FID).count();
    assert_eq!(left, 1, "records of a FID are the driver's business");
}

// Would break: errors of the protocol itself look like errors of a register.
#[test]
fn class_method_and_register_have_statuses_of_their_own() {
    let mut lab = Lab::router();
    let request =
        |operation: Operation, payload: Vec<u8>| Frame::new(operation, payload).unwrap().encode();
    let mut status = |frame: Vec<u8>| {
        let answer = lab.chip.emad(lab.now, &frame).unwrap().unwrap();
        Frame::decode(&answer).unwrap().operation.status
    };
    let query = Operation::request(0x8002, Method::Query, 1);
    let payload = Register::from(Ritr::query(0)).encode();
    assert_eq!(status(request(query, payload.clone())), Status::Ok);
    let class = Operation { class: 2, ..query };
    assert_eq!(status(request(class, payload.clone())), Status::ClassNotSupported);
    let method = Operation { method: Method::Send, ..query };
    assert_eq!(status(request(method, payload.clone())), Status::MethodNotSupported);
    let unknown = Operation { register_id: 0x7fff, ..query };
    assert_eq!(status(request(unknown, payload.clone())), Status::RegisterNotSupported);
    assert_eq!(status(request(query, payload[..32].to_vec())), BAD, "short payload");
    let answer = Operation { response: true, ..query };
    assert_eq!(status(request(answer, payload)), BAD);
    assert!(lab.chip.emad(lab.now, &[0; 40]).is_err(), "no EMAD frame: nobody to answer");
}

// Would break: scripts that count hardware writes count refused ones, or lose retransmitted ones.
#[test]
fn writes_total_counts_executed_writes() {
    let mut lab = Lab::router();
    let before = lab.chip.dump().writes_total;
    let frame = Frame::request(Method::Write, 7, &Sfmr { fid: 7, ..Sfmr::default() }).encode();
    for _ in 0..3 {
        lab.chip.emad(lab.now, &frame).unwrap();
    }
    assert_eq!(lab.chip.dump().writes_total, before + 3, "a retransmission is executed again");
    lab.try_write(Sfmr { fid: 0, ..Sfmr::default() }).unwrap_err();
    lab.query(Ritr::query(0)).unwrap();
    assert_eq!(lab.chip.dump().writes_total, before + 3);
}

// Would break: the agent's failure handling is tested with failures that do not happen that way.
#[test]
fn faults_refuse_lose_and_shorten() {
    let mut lab = Lab::router();
    let sfd = || Sfd::new(SfdOp::WRITE_EDIT, router_records(FID, 10..13));
    let write = |lab: &mut Lab| {
        let frame = Frame::request(Method::Write, 9, &sfd()).encode();
        lab.chip.emad(lab.now, &frame).unwrap()
    };
    let occ = |lab: &Lab| lab.chip.resources()["fdb"].occ;
    assert_eq!(occ(&lab), 2);
    lab.chip.faults().inject(rule("sfd", FaultAction::Status(8)));
    assert_eq!(lab.try_write(sfd()), Err(FULL));
    lab.chip.faults().inject(rule("*", FaultAction::DropRequest));
    assert!(write(&mut lab).is_none());
    assert_eq!(occ(&lab), 2, "refused and lost on the way: not executed");
    lab.chip.faults().inject(rule("sfd", FaultAction::ShortNumRec));
    assert_eq!(num_rec(lab.write(sfd())), 2);
    assert_eq!(occ(&lab), 4);
    lab.chip.faults().inject(rule("sfd", FaultAction::DropReply));
    assert!(write(&mut lab).is_none());
    assert_eq!(occ(&lab), 5, "executed, the answer was lost");
    assert_eq!(num_rec(lab.write(sfd())), 3, "each rule struck once");
}

// Would break: after a chip reset the agent finds old entries, or carrier is lost for good.
#[test]
fn a_reset_is_a_power_on() {
    let mut lab = Lab::router();
    lab.chip.reset(2);
    let fresh = Lab::new("spectrum2");
    assert_eq!(lab.chip.generation(), 2);
    let dump = lab.chip.dump();
    assert_eq!(crate::chip::Dump { generation: 1, ..dump }, fresh.chip.dump());
    let mut out = Vec::new();
    lab.chip.transmit(lab.now, LocalPort(1), &[0; 60], &mut out);
    assert_eq!(out.len(), 1, "carrier belongs to the wire");
}

// Would break: `hwsim dump -j` is no longer what scripts read.
#[test]
fn the_dump_has_the_contract_shape() {
    let mut lab = Lab::router();
    lab.write(Ritr { if_vrrp_id_ipv4: 10, ..sub_port_ritr(0, 1, FID) });
    lab.policer(3, 1024, 10);
    lab.write(Htgt::new(20, Some(3), 5, 5));
    lab.trap_action(0x59, emad::register::HpktAction::TrapToCpu, 20);
    let dump = serde_json::to_value(lab.chip.dump()).unwrap();
    assert_eq!(
        dump["rifs"][0],
        serde_json::json!({
            "rif": 0, "enabled": true, "type": "sp_if", "virtual_router": 0, "mtu": 1500,
            "mac": "02:00:00:00:10:01", "mac_profile": 0, "vrrp_id_ipv4": 10, "vrrp_id_ipv6": 0,
            "fid": 5120, "port": 1
        })
    );
    assert_eq!(
        dump["fdb"][0],
        serde_json::json!({
            "fid": 5120, "mac": "02:00:00:00:10:01", "action": "forward_ip_router",
            "policy": "static"
        })
    );
    assert_eq!(
        dump["routes"],
        serde_json::json!([
            {"vr": 0, "prefix": "10.0.1.1/32", "action": "ip2me", "trap": "local_route"},
            {"vr": 0, "prefix": "10.0.2.0/24", "action": "local", "trap": "external_route", "erif": 0},
            {"vr": 0, "prefix": "2001:db8:1::1/128", "action": "ip2me", "trap": "local_route"}
        ])
    );
    assert_eq!(
        dump["trap_groups"],
        serde_json::json!([{"group": 20, "policer": 3, "priority": 5, "tclass": 5}])
    );
    assert_eq!(
        dump["policers"],
        serde_json::json!([{"pid": 3, "rate": 1024, "burst": 1024, "dropped": 0}])
    );
    let traps = dump["traps"].as_array().unwrap();
    let vrrp = traps.iter().find(|trap| trap["name"] == "ipv4_vrrp").unwrap();
    assert_eq!(
        *vrrp,
        serde_json::json!({"id": 0x59, "name": "ipv4_vrrp", "action": "trap", "group": 20})
    );
    assert_eq!(dump["resources"]["rif_mac_profiles"], serde_json::json!({"size": 4, "occ": 1}));
    assert_eq!(dump["resources"]["virtual_routers"]["occ"], 1);
    let counters = serde_json::to_value(lab.chip.counters()).unwrap();
    assert_eq!(counters["ports"]["1"]["rx_packets"], 0);
    assert_eq!(
        counters["traps"]["ipv4_vrrp"],
        serde_json::json!({"packets": 0, "bytes": 0, "policed": 0})
    );
    assert_eq!(counters["policers"]["3"]["dropped"], 0);
    assert_eq!((&counters["l2_lookups"], &counters["vrrp_fast_path"]), (&0.into(), &0.into()));
    assert_eq!(RIF_MAC.to_string(), "02:00:00:00:10:01");
}
