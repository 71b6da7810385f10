//! Routes, virtual routers, neighbours, and what leaves.

use emad::Mac;
use emad::register::{
    HpktAction, Protocol, Raltb, RalueAction, Rauht, RauhtOp, Rauhtd, RauhtdRecord, Register, Reiv,
    Rgcr, Ritr, TrapAction,
};

use super::frames::{BROADCAST, HOST, ip, ip_ttl, udp, vrrp};
use super::lab::{FID, Lab, OWN_IPV4, RIF_MAC, punt_of, sub_port_ritr, trap_route};
use crate::chip::Output;
use crate::chip::traps::id;
use crate::packet::{Frame, Ipv4, L3};

const NEIGHBOUR: Mac = Mac([0x02, 0xbb, 0, 0, 0, 1]);

/// 10.0.3.0/24 on RIF 1 (port 2), with a neighbour 10.0.3.5.
fn lab() -> Lab {
    let mut lab = Lab::router();
    lab.route(0, "10.0.3.0", 24, local(1));
    lab.write(Rauht::new(RauhtOp::WRITE_ADD, 1, NEIGHBOUR, [10, 0, 3, 5].into()));
    for trap in [
        id::LOCAL_ROUTE,
        id::EXTERNAL_ROUTE,
        id::HOST_MISS_IPV4,
        id::NEXTHOP_MISS,
        id::TTL_TOO_SMALL,
        id::MTU_TOO_SMALL,
        id::ERIF_DISABLED,
        id::IPV4_LPM_MISS,
        id::UC_LOOPBACK,
        id::BLACKHOLE_ROUTE,
        id::REJECT_ROUTE,
    ] {
        lab.trap(trap, 1, 2);
    }
    lab
}

fn local(erif: u16) -> RalueAction {
    RalueAction::Local { trap_action: TrapAction::Nop, trap_id: 0, local_erif: erif }
}

fn transit(dip: &str) -> Vec<u8> {
    udp(RIF_MAC, "10.0.1.9", dip, 53)
}

// Would break: routed packets leave with the wrong addresses, hop count or checksum.
#[test]
fn a_packet_to_a_known_neighbour_is_forwarded() {
    let mut lab = lab();
    let out = lab.receive(1, &transit("10.0.3.5"));
    let [Output::Wire { port, frame }] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(port.0, 2);
    let parsed = Frame::parse(frame).unwrap();
    assert_eq!((parsed.dmac(), parsed.smac(), parsed.vid()), (NEIGHBOUR, RIF_MAC, None));
    let L3::Ipv4(ip) = parsed.l3() else { panic!("the checksum is wrong") };
    assert_eq!(ip.ttl(), 63);
    lab.write(Reiv::port(1, 2, 30));
    let out = lab.receive(1, &transit("10.0.3.5"));
    let [Output::Wire { frame, .. }] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(Frame::parse(frame).unwrap().vid(), Some(30));
    assert!(Ipv4::parse(&frame[18..]).is_some());
}

// Would break: the kernel never learns what it must resolve, answer or report.
#[test]
fn what_the_chip_cannot_forward_goes_to_the_cpu() {
    let mut lab = lab();
    lab.route(0, "10.2.0.0", 16, trap_route(id::REJECT_ROUTE));
    lab.route(
        0,
        "10.3.0.0",
        16,
        RalueAction::Remote {
            trap_action: TrapAction::DiscardError,
            trap_id: 0,
            adjacency_index: 0,
            ecmp_size: 0,
        },
    );
    let large = ip(RIF_MAC, "10.0.1.9", "10.0.3.5", 17, &[0; 1490]);
    for (name, frame) in [
        ("unresolved_neigh", transit("10.0.3.6")),
        ("reject_route", transit("10.2.0.1")),
        ("blackhole_route", transit("10.3.0.1")),
        ("ipv4_lpm_miss", transit("10.9.0.1")),
        ("ttl_value_is_too_small", ip_ttl(RIF_MAC, "10.0.1.9", "10.0.3.5", 17, 1, &[0; 8])),
        ("mtu_value_is_too_small", large),
        ("local_route", ip_ttl(RIF_MAC, "10.0.1.9", OWN_IPV4, 1, 1, &[8; 8])),
    ] {
        assert_eq!(lab.trapped(1, &frame), Some(name));
    }
    lab.write(Ritr { enable: false, ..sub_port_ritr(1, 2, FID + 1) });
    assert_eq!(lab.trapped(1, &transit("10.0.3.5")), Some("erif_disabled"));
}

// Would break: a packet circles between host and switch.
#[test]
fn nothing_leaves_by_its_ingress_port() {
    let mut lab = lab();
    lab.write(Rauht::new(RauhtOp::WRITE_ADD, 0, NEIGHBOUR, [10, 0, 4, 5].into()));
    lab.route(0, "10.0.4.0", 24, local(0));
    assert_eq!(lab.trapped(1, &transit("10.0.4.5")), Some("uc_loopback"), "trapped");
    lab.trap_action(id::UC_LOOPBACK, HpktAction::MirrorToCpu, 1);
    let out = lab.receive(1, &transit("10.0.4.5"));
    assert_eq!(out.len(), 1, "mirrored, and the wire sees nothing: {out:?}");
    assert_eq!(punt_of(&out[0]).unwrap().trap, "uc_loopback");
    lab.trap_action(id::UC_LOOPBACK, HpktAction::Forward, 1);
    assert!(lab.receive(1, &transit("10.0.4.5")).is_empty());
    assert_eq!(lab.receive(2, &transit("10.0.4.5")).len(), 1, "from another port it leaves");
}

// Would break: VRFs leak into each other, or an agent that forgets to bind a tree is not found out.
#[test]
fn virtual_routers_have_their_own_routes_and_trees() {
    let mut lab = lab();
    let in_vr_7 = Ritr { virtual_router: 7, ..sub_port_ritr(1, 2, FID + 1) };
    lab.write(in_vr_7.clone().removal());
    lab.write(in_vr_7);
    lab.route(7, "10.0.7.1", 32, RalueAction::Ip2me { tunnel_ptr: None });
    assert_eq!(lab.trapped(2, &transit("10.0.7.1")), Some("ipv4_lpm_miss"), "no tree");
    lab.write(Raltb { virtual_router: 7, protocol: Protocol::Ipv4, tree_id: 1 });
    assert_eq!(lab.trapped(2, &transit("10.0.7.1")), Some("local_route"));
    assert_eq!(lab.trapped(2, &transit(OWN_IPV4)), Some("ipv4_lpm_miss"), "VR 0's address");
    assert_eq!(lab.trapped(1, &transit("10.0.7.1")), Some("ipv4_lpm_miss"), "VR 7's address");
    assert_eq!(lab.chip.resources()["virtual_routers"].occ, 2);
}

// Would break: DHCP and neighbour broadcasts to the router are lost, or broadcasts are routed on.
#[test]
fn broadcasts_are_own_addresses_or_nothing() {
    let mut lab = lab();
    lab.trap(id::UC_DIP_OVER_MC_DMAC, 2, 0);
    let own = RalueAction::Ip2me { tunnel_ptr: None };
    let broadcast = |dip| udp(BROADCAST, "10.0.1.9", dip, 53);
    assert_eq!(lab.trapped(1, &broadcast("255.255.255.255")), Some("ipv4_lpm_miss"));
    lab.route(0, "255.255.255.255", 32, own);
    lab.route(0, "10.0.1.255", 32, own);
    assert_eq!(lab.trapped(1, &broadcast("255.255.255.255")), Some("local_route"));
    assert_eq!(lab.trapped(1, &broadcast("10.0.1.255")), Some("local_route"));
    assert_eq!(lab.trapped(1, &broadcast("10.0.3.5")), Some("uc_dip_over_mc_dmac"), "not routed");
}

// Would break: a family that is switched off is routed all the same.
#[test]
fn enables_of_router_and_interface_are_kept() {
    let mut lab = lab();
    lab.trap(id::IPV4_VRRP, 20, 5);
    let advert = vrrp("10.0.1.2", "224.0.0.18");
    lab.write(Ritr { ipv4: false, ..sub_port_ritr(0, 1, FID) });
    assert_eq!(lab.trapped(1, &transit(OWN_IPV4)), None);
    assert_eq!(lab.trapped(1, &advert), Some("ipv4_vrrp"), "unicast alone is off");
    lab.write(Ritr { ipv4_mc: false, ..sub_port_ritr(0, 1, FID) });
    assert_eq!(lab.trapped(1, &transit(OWN_IPV4)), Some("local_route"));
    assert_eq!(lab.trapped(1, &advert), None);
    lab.write(sub_port_ritr(0, 1, FID));
    lab.write(Rgcr { ipv6_en: true, max_router_interfaces: 1000, ..Rgcr::default() });
    assert_eq!(lab.trapped(1, &transit(OWN_IPV4)), None);
    assert_eq!(lab.discards("router_disabled"), 1);
    assert_eq!(lab.discards("rif_family_disabled"), 2);
}

// Would break: neighbour activity is never seen, so that the kernel lets used neighbours expire.
#[test]
fn used_neighbours_are_active_once() {
    let mut lab = lab();
    let active = |lab: &mut Lab| {
        let Ok(Register::Rauhtd(dump)) = lab.query(Rauhtd::query(Protocol::Ipv4)) else { panic!() };
        dump.records
    };
    assert_eq!(active(&mut lab), []);
    lab.receive(1, &transit("10.0.3.5"));
    let records = active(&mut lab);
    let [RauhtdRecord::Ipv4(hosts)] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((hosts.len(), hosts[0].rif, hosts[0].a), (1, 1, true));
    assert_eq!(active(&mut lab), [], "the dump cleared it");
    lab.write(Rauht::new(RauhtOp::WRITE_DELETE_ALL, 1, HOST, [0, 0, 0, 0].into()));
    assert_eq!(lab.trapped(1, &transit("10.0.3.5")), Some("unresolved_neigh"));
}

// Would break: `hwsim trace` explains something else than what happens, or changes the chip.
#[test]
fn a_trace_tells_every_step_and_changes_nothing() {
    let lab = lab();
    let before = (lab.chip.dump(), lab.chip.counters());
    let trace = lab.chip.trace(lab.now, crate::chip::LocalPort(1), &transit(OWN_IPV4));
    let stages: Vec<_> = trace.steps.iter().map(|step| step.stage).collect();
    let mut rest = stages.iter();
    for stage in ["vlan", "stp", "fid", "fdb", "router", "route", "trap"] {
        assert!(rest.any(|seen| *seen == stage), "{stage} is missing in {stages:?}");
    }
    assert_eq!(trace.verdict.outcome, "cpu");
    let json = serde_json::to_value(&trace).unwrap();
    assert_eq!(json["verdict"]["punt"]["trap"], "local_route");
    assert_eq!((lab.chip.dump(), lab.chip.counters()), before);
}
