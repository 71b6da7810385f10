//! A chip that routes and bridges: what frames of the pipeline's target meet.
//!
//! ```text
//!   port 1 ─ untagged ─ FID 5120 ─ RIF 0 ─┐              10.0.1.1, 2001:db8:1::1: own
//!   port 2 ─ untagged ─ FID 5121 ─ RIF 1 ─┼─ VR 0 ────── 10.0.2.0/24: external (trap)
//!   ports 3, 4 ─ VLAN 10 (untagged on 3) ─┤              neighbour 10.0.1.2 on RIF 0
//!               ─ VLAN 20, tagged ────────┘ RIF 2        fast path: VRID 5 on RIF 0
//!   ports 5, 6 ─ LAG 0 ─ VLAN 10, tagged
//! ```

use emad::register::{
    BridgeType, FloodType, Hpkt, HpktAction, Htgt, Qpcr, Ralta, Raltb, Ralue, RalueAction, RalueOp,
    Register, Rgcr, Ritr, RitrType, Sfd, SfdOp, SfdRecord, Sfgc, Sfmr, Slcor, Sldr, Smid2, Spms,
    SpmsState, Spvid, Spvm, Svfa, TrapAction,
};
use emad::{Frame, Mac, Method, Operation, Status};
use hwsim::chip::traps::{TRAPS, id};
use hwsim::chip::{Chip, LocalPort, Nanos, Personality};

/// Front-panel ports.
pub(crate) const PORTS: u16 = 6;
const MAC: Mac = Mac([2, 0, 0, 0, 0x10, 1]);
const VMAC: Mac = Mac([0, 0, 0x5e, 0, 1, 5]);
/// First multicast ids of unknown unicast, multicast and broadcast.
const FLOOD: [u16; 3] = [0, 4096, 8192];

thread_local! {
    static READY: Chip = ready();
}

/// The chip of the picture, all carriers up.
pub(crate) fn chip() -> Chip {
    READY.with(Chip::clone)
}

fn ready() -> Chip {
    let personality = Personality::load("spectrum2").expect("it is built in");
    let mut chip = Chip::new(personality, PORTS, "fuzz".into(), 1);
    for port in 1..=PORTS {
        chip.link(LocalPort(port), true);
    }
    router(&mut chip);
    for (rif, port) in [(0, 1), (1, 2)] {
        sub_port(&mut chip, rif, port);
    }
    bridge(&mut chip);
    routes(&mut chip);
    traps(&mut chip);
    chip
}

fn write(chip: &mut Chip, register: impl Into<Register>) {
    let register = register.into();
    let request =
        Frame::new(Operation::request(register.id(), Method::Write, 1), register.encode());
    let request = request.expect("every register fits a frame").encode();
    let answer = chip.emad(Nanos(0), &request).expect("it is a request").expect("no faults");
    let answer = Frame::decode(&answer).expect("it is an answer");
    assert_eq!(answer.operation.status, Status::Ok, "{register:?}: {:?}", answer.text());
}

fn router(chip: &mut Chip) {
    let max_router_interfaces = chip.personality().rifs;
    write(chip, Rgcr { ipv4_en: true, ipv6_en: true, max_router_interfaces, ..Rgcr::default() });
    for (tree_id, protocol) in
        [(1, emad::register::Protocol::Ipv4), (2, emad::register::Protocol::Ipv6)]
    {
        write(chip, Ralta { tree_id, protocol, ..Ralta::default() });
        write(chip, Raltb { virtual_router: 0, tree_id, protocol });
    }
}

fn sub_port(chip: &mut Chip, rif: u16, port: u16) {
    let fid = 5120 + rif;
    let kind = RitrType::SpIf { lag: false, system_port: port, efid: fid, vid: 0 };
    write(chip, Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
    write(chip, Ritr { rif, mtu: 1500, if_mac: MAC, kind, if_vrrp_id_ipv4: 5, ..Ritr::default() });
    write(
        chip,
        Sfd::new(
            SfdOp::WRITE_EDIT,
            vec![SfdRecord::router(MAC, fid), SfdRecord::router(VMAC, fid)],
        ),
    );
    write(chip, Spvid { local_port: port, pvid: 4095, ..Spvid::default() });
    write(chip, Spvm::range(port, 4095..=4095, true, true));
    write(chip, Spms::vlan(port, 4095, SpmsState::Forwarding));
    write(chip, Svfa::port_vid(port, 4095, fid, Some(rif)));
}

fn bridge(chip: &mut Chip) {
    for kind in FloodType::NAMED {
        let mid_base = match kind {
            FloodType::UnknownUnicast => FLOOD[0],
            FloodType::Broadcast => FLOOD[2],
            _ => FLOOD[1],
        };
        let bridge_type = BridgeType::Type0;
        write(chip, Sfgc { kind: *kind, bridge_type, mid_base, ..Sfgc::default() });
    }
    write(chip, Sldr::create(0));
    for (place, port) in [(0, 5), (1, 6)] {
        write(chip, Slcor::add_port(port, 0, place));
        write(chip, Slcor::collector(port, 0, true));
        write(chip, Sldr::add_port(0, port));
    }
    for vid in [10, 20] {
        write(chip, Sfmr { fid: vid, fid_offset: vid, ..Sfmr::default() });
        write(chip, Svfa::vid(vid, vid, None));
        for port in 3..=PORTS {
            let untagged = (vid, port) == (10, 3);
            write(chip, Spvm::range(port, vid..=vid, true, untagged));
            write(chip, Spms::vlan(port, vid, SpmsState::Forwarding));
            for base in FLOOD {
                write(chip, Smid2::member(base + vid, port, true, None));
            }
        }
    }
    write(chip, Spvid { local_port: 3, pvid: 10, ..Spvid::default() });
    let kind = RitrType::VlanIf { vlan_id: 20, efid: 20 };
    write(chip, Ritr { rif: 2, mtu: 1500, if_mac: MAC, kind, ..Ritr::default() });
    for base in &FLOOD[1..] {
        write(chip, Smid2::member(base + 20, PORTS + 1, true, None));
    }
    write(chip, Sfd::new(SfdOp::WRITE_EDIT, vec![SfdRecord::router(MAC, 20)]));
    write(chip, Svfa::vid(20, 20, Some(2)));
}

fn routes(chip: &mut Chip) {
    let trap =
        |trap_id| RalueAction::Local { trap_action: TrapAction::Trap, trap_id, local_erif: 0 };
    for (prefix, length, action) in [
        ("10.0.1.1", 32, RalueAction::Ip2me { tunnel_ptr: None }),
        ("2001:db8:1::1", 128, RalueAction::Ip2me { tunnel_ptr: None }),
        ("10.0.2.0", 24, trap(id::EXTERNAL_ROUTE)),
        (
            "10.0.3.0",
            24,
            RalueAction::Local { trap_action: TrapAction::Nop, trap_id: 0, local_erif: 2 },
        ),
    ] {
        let prefix = prefix.parse().expect("an address");
        write(chip, Ralue::new(RalueOp::WRITE_WRITE, 0, prefix, length, action));
    }
}

fn traps(chip: &mut Chip) {
    write(chip, Qpcr { pid: 3, cir: 100, cbs_log2: 4, ..Qpcr::default() });
    write(chip, Htgt::new(1, Some(3), 3, 3));
    for trap in TRAPS {
        let action = HpktAction::TrapToCpu;
        write(chip, Hpkt { trap_id: trap.id, action, trap_group: 1, ..Hpkt::default() });
    }
}
