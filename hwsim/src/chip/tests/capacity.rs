//! A full chip says that it is full (status 8), shows it in its resources, and changes nothing.

use emad::Status;
use emad::register::{
    Protocol, Ralta, Raltb, Ralue, RalueAction, RalueOp, Register, Rgcr, Ritr, RitrType, Sfd,
    SfdOp, SfdRecord, Sfmr, Slcor, Sldr,
};

use super::lab::{FID, Lab, RIF_MAC, mac, sub_port_ritr};

const BAD: Status = Status::BadParameter;
const FULL: Status = Status::ResourceNotAvailable;

fn occupied(lab: &Lab, name: &str) -> (u64, u64) {
    let resource = lab.chip.resources()[name];
    (resource.size, resource.occ)
}

fn refused(lab: &mut Lab, register: impl Into<Register>) {
    let (register, before) = (register.into(), lab.chip.dump());
    assert_eq!(lab.try_write(register.clone()), Err(FULL), "{register:?}");
    assert_eq!(lab.chip.dump(), before, "{register:?}");
}

// Would break: an agent on a small chip cannot tell a full table from a mistake of its own.
#[test]
fn every_small_table_fills_up_and_says_so() {
    let mut lab = Lab::new("tiny");
    lab.start_router();
    for fid in FID..FID + 8 {
        lab.write(Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
    }
    assert_eq!(occupied(&lab, "fids"), (8, 8));
    refused(&mut lab, Sfmr { fid: 1, ..Sfmr::default() });

    let rif = |rif| sub_port_ritr(rif, 1, FID + rif);
    for index in 0..4 {
        lab.write(rif(index));
    }
    assert_eq!(occupied(&lab, "rifs"), (4, 4));
    refused(&mut lab, rif(4));
    lab.write(Ritr { mtu: 9000, ..rif(3) });
    lab.write(rif(3).removal());

    assert_eq!(occupied(&lab, "rif_mac_profiles"), (2, 1));
    let profile = |profile| Ritr { if_mac_profile_id: profile, ..rif(3) };
    refused(&mut lab, profile(2));
    lab.write(profile(1));
    assert_eq!(occupied(&lab, "rif_mac_profiles"), (2, 2));
    lab.write(rif(3).removal());

    assert_eq!(occupied(&lab, "virtual_routers"), (2, 1));
    refused(&mut lab, Ritr { virtual_router: 2, ..rif(3) });
    refused(&mut lab, Raltb { virtual_router: 2, protocol: Protocol::Ipv4, tree_id: 1 });
    let own = RalueAction::Ip2me { tunnel_ptr: None };
    let route = |vr| Ralue::new(RalueOp::WRITE_WRITE, vr, [10, 0, 0, 1].into(), 32, own);
    refused(&mut lab, route(2));
    lab.write(Ritr { virtual_router: 1, ..rif(3) });
    assert_eq!(occupied(&lab, "virtual_routers"), (2, 2));

    let records = (0..9).map(|last| SfdRecord::router(mac(last), FID)).collect();
    let Register::Sfd(answer) = lab.write(Sfd::new(SfdOp::WRITE_EDIT, records)) else { panic!() };
    assert_eq!((answer.num_rec, occupied(&lab, "fdb")), (8, (8, 8)), "SFD counts, with status 0");

    lab.lag(0, &[1, 2]);
    lab.lag(1, &[3]);
    assert_eq!(occupied(&lab, "lags"), (2, 2));
    refused(&mut lab, Sldr::create(2));
    refused(&mut lab, Slcor::add_port(4, 0, 1));

    for tree_id in 3..=4 {
        lab.write(Ralta { tree_id, ..Ralta::default() });
    }
    assert_eq!(occupied(&lab, "lpm_trees"), (4, 4));
}

// Would break: frames that are under way in one virtual router or of one type come out in another.
#[test]
fn an_enabled_interface_keeps_its_type_and_virtual_router() {
    let mut lab = Lab::router();
    let rif = sub_port_ritr(0, 1, FID);
    let moved = Ritr { virtual_router: 1, ..rif.clone() };
    let other = Ritr { kind: RitrType::FidIf { fid: FID }, ..rif.clone() };
    for changed in [&moved, &other] {
        let before = lab.chip.dump();
        assert_eq!(lab.try_write(changed.clone()), Err(BAD));
        assert_eq!(lab.chip.dump(), before);
        lab.write(Ritr { enable: false, ..rif.clone() });
        lab.write(changed.clone());
        lab.write(changed.clone().removal());
        lab.write(rif.clone());
    }
    lab.write(Ritr { mtu: 9000, if_vrrp_id_ipv4: 7, if_mac: RIF_MAC, ..rif });
    lab.write(Rgcr { max_router_interfaces: 1000, ..Rgcr::default() });
}
