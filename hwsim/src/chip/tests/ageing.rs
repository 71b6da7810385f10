//! How long learnt addresses live, what SFN says of them, and when it says nothing.

use emad::register::{
    Register, Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, Sfdat, Sfdf, SfdfFlush, SfnEvent,
};
use emad::{Mac, Status};

use super::frames::{ethernet, tagged};
use super::lab::{Lab, mac};
use crate::chip::Nanos;

const VID: u16 = 10;

/// Ports 1 and 2 and LAG 0 (ports 3 and 4) in VLAN 10.
fn lab() -> Lab {
    let mut lab = Lab::new("spectrum2");
    lab.flood_tables();
    lab.dot1q(VID, &[(1, false), (2, false), (3, false), (4, false)]);
    lab.lag(0, &[3, 4]);
    lab
}

fn frame(smac: Mac) -> Vec<u8> {
    tagged(&ethernet(mac(0xee), smac, 0x1234, &[0; 46]), VID)
}

fn at(lab: &mut Lab, seconds: u64) {
    lab.now = Nanos(seconds * 1_000_000_000);
    lab.chip.advance(lab.now);
}

fn macs(lab: &Lab) -> Vec<Mac> {
    lab.chip.dump().fdb.iter().map(|record| record.mac).collect()
}

// Would break: hosts that went away keep their records for ever, or those that speak lose theirs.
#[test]
fn what_is_not_seen_for_the_ageing_time_goes() {
    let mut lab = lab();
    assert_eq!(lab.query(Sfdat::default()), Ok(Sfdat::seconds(300).into()), "power-on");
    lab.receive(1, &frame(mac(1)));
    lab.receive(2, &frame(mac(2)));
    lab.receive(3, &frame(mac(3)));
    let mlag = SfdRecord::unicast(SfdPolicy::DynamicMlag, mac(4), VID, 0, SfdAction::Nop, 1);
    let fixed = SfdRecord::unicast(SfdPolicy::Static, mac(5), VID, 0, SfdAction::Nop, 1);
    let written = SfdRecord::unicast(SfdPolicy::Dynamic, mac(6), VID, 0, SfdAction::Nop, 1);
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![mlag, fixed, written]));
    lab.notes();
    at(&mut lab, 299);
    assert_eq!(macs(&lab).len(), 6);
    lab.receive(2, &frame(mac(2)));
    at(&mut lab, 300);
    assert_eq!(macs(&lab), [mac(2), mac(4), mac(5)], "the rest was not seen");
    let notes: Vec<_> = lab.notes().iter().map(|note| (note.mac, note.fid, note.event)).collect();
    let port = SfnEvent::AgedOutMac { sub_port: 0, system_port: 1 };
    let lag = SfnEvent::AgedOutMacLag { sub_port: 0, lag_id: 0 };
    assert_eq!(notes, [(mac(1), VID, port), (mac(3), VID, lag), (mac(6), VID, port)]);
    at(&mut lab, 598);
    assert_eq!(macs(&lab).len(), 3);
    at(&mut lab, 599);
    assert_eq!(macs(&lab), [mac(4), mac(5)]);
    assert!(lab.receive(1, &frame(mac(1))).len() == 2 && macs(&lab).contains(&mac(1)), "again");
}

// Would break: the agent cannot set the ageing time of the bridge, or a wrong one is taken.
#[test]
fn the_ageing_time_is_set_within_its_range() {
    let mut lab = lab();
    for seconds in [0, 9, 1_000_001] {
        assert_eq!(lab.try_write(Sfdat::seconds(seconds)), Err(Status::BadParameter));
    }
    lab.write(Sfdat::seconds(1_000_000));
    lab.write(Sfdat::seconds(10));
    assert_eq!(lab.query(Sfdat::default()), Ok(Sfdat::seconds(10).into()));
    lab.receive(1, &frame(mac(1)));
    at(&mut lab, 10);
    assert!(macs(&lab).is_empty());
}

// Would break: without frames of their own to trigger it, records age only when the program asks.
#[test]
fn frames_and_accesses_bring_their_own_time() {
    let mut lab = lab();
    lab.receive(1, &frame(mac(1)));
    lab.now = Nanos(400_000_000_000);
    lab.receive(2, &frame(mac(2)));
    assert_eq!(macs(&lab), [mac(2)]);
    lab.now = Nanos(800_000_000_000);
    let Ok(Register::Sfd(sfd)) = lab.query(Sfd::dump(0)) else { panic!() };
    assert!(sfd.records.is_empty());
}

// Would break: software hears of addresses that it has just removed, and adds them again.
#[test]
fn removed_and_flushed_records_are_not_spoken_of() {
    let mut lab = lab();
    let learn = |lab: &mut Lab| {
        lab.receive(1, &frame(mac(1)));
        lab.receive(3, &frame(mac(3)));
    };
    learn(&mut lab);
    lab.write(Sfdf::new(SfdfFlush::PerPortAndFid { system_port: 1, fid: VID }));
    let left: Vec<_> = lab.notes().iter().map(|note| note.mac).collect();
    assert_eq!(left, [mac(3)], "the note of what was flushed went with it, no other came");
    learn(&mut lab);
    let record = |last, port| {
        SfdRecord::unicast(SfdPolicy::Dynamic, mac(last), VID, 0, SfdAction::Nop, port)
    };
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![record(1, 1)]));
    assert!(lab.notes().is_empty(), "an edit answers the note");
    at(&mut lab, 300);
    lab.write(Sfd::new(SfdOp::WRITE_REMOVE, vec![record(1, 1)]));
    let left: Vec<_> = lab.notes().iter().map(|note| note.mac).collect();
    assert_eq!(left, [mac(3)], "removing answers the note of ageing");
    learn(&mut lab);
    lab.write(Sfdf::new(SfdfFlush::PerLag { lag_id: 0 }));
    lab.write(Sfdf::new(SfdfFlush::PerFid { fid: VID }));
    assert!(lab.notes().is_empty());
}

// Would break: a MAC that the router has just taken is learnt away from it, or never learnt again when it is free.
#[test]
fn a_router_mac_replaces_what_was_learnt_and_inhibits_learning_while_it_is_there() {
    let mut lab = lab();
    let vmac = Mac([0, 0, 0x5e, 0, 1, 10]);
    lab.receive(1, &frame(vmac));
    assert_eq!(lab.receive(2, &tagged(&ethernet(vmac, mac(2), 0x1234, &[0; 46]), VID)).len(), 1);
    lab.notes();
    lab.router_mac(VID, vmac);
    for port in [1, 2, 3] {
        lab.receive(port, &frame(vmac));
    }
    assert!(lab.notes().is_empty(), "not learnt");
    let action = |lab: &Lab| {
        let fdb = lab.chip.dump().fdb;
        fdb.iter().find(|record| record.mac == vmac).map(|r| (r.action.clone(), r.port))
    };
    assert_eq!(action(&lab), Some(("forward_ip_router".into(), None)));
    at(&mut lab, 1000);
    assert!(action(&lab).is_some(), "it does not age");
    lab.write(Sfd::new(SfdOp::WRITE_REMOVE, vec![SfdRecord::router(vmac, VID)]));
    assert_eq!(action(&lab), None);
    lab.receive(2, &frame(vmac));
    assert_eq!(action(&lab), Some(("nop".into(), Some(2))), "learnt again at once");
}

// Would break: activity of static records is never seen, or never fades.
#[test]
fn activity_is_set_by_source_addresses_and_cleared_on_request() {
    let mut lab = lab();
    let fixed = SfdRecord::unicast(SfdPolicy::Static, mac(5), VID, 0, SfdAction::Nop, 1);
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![fixed]));
    let mut read = || {
        let query = Sfd::new(SfdOp::QUERY_AND_CLEAR_ACTIVITY, vec![fixed]);
        let Ok(Register::Sfd(sfd)) = lab.query(query) else { panic!() };
        let active = sfd.records[0].a;
        lab.receive(2, &frame(mac(9)));
        active
    };
    assert_eq!((read(), read()), (true, false), "new, then quiet");
    lab.receive(1, &frame(mac(5)));
    let Ok(Register::Sfd(sfd)) = lab.query(Sfd::new(SfdOp::QUERY, vec![fixed])) else { panic!() };
    assert!(sfd.records[0].a);
}
