//! Which MACs does the router answer, and what becomes of frames to all others?

use emad::Mac;
use emad::register::{Ritr, Sfd, SfdOp, SfdRecord, Sfmr, SfmrOp, Svfa};

use super::frames::{HOST, arp, ip, ip_packet, tagged, udp, vrrp};
use super::lab::{FID, Lab, OWN_IPV4, OWN_IPV6, RIF_MAC, sub_port_ritr};
use crate::chip::traps::id;

fn vmac(family: u8, vrid: u8) -> Mac {
    Mac([0, 0, 0x5e, 0, family, vrid])
}

fn lab() -> Lab {
    let mut lab = Lab::router();
    lab.trap(id::LOCAL_ROUTE, 13, 2);
    lab.trap(id::EXTERNAL_ROUTE, 12, 1);
    lab.trap(id::ARP_REQUEST, 10, 2);
    lab.trap(id::ARP_RESPONSE, 10, 2);
    lab.trap(id::IPV4_VRRP, 20, 5);
    lab
}

fn ping(dmac: Mac) -> Vec<u8> {
    ip(dmac, "10.0.1.9", OWN_IPV4, 1, &[8, 0, 0, 0])
}

// Would break: the simulator routes what a switch would not, and the agent's work is never needed.
#[test]
fn a_mac_that_was_not_admitted_is_neither_routed_nor_trapped() {
    let mut lab = lab();
    for dmac in [vmac(1, 10), vmac(2, 10), Mac([2, 0, 0, 0, 0x10, 2]), HOST] {
        for frame in [ping(dmac), udp(dmac, "10.0.1.9", "10.0.2.5", 53), arp(dmac, 2)] {
            assert!(lab.receive(1, &frame).is_empty(), "{dmac}");
        }
    }
    assert_eq!(lab.discards("not_own_mac"), 12);
    assert_eq!(lab.lookups(), (12, 0));
    assert_eq!(lab.trapped(1, &ping(RIF_MAC)), Some("local_route"), "the interface's own is");
}

// Would break: removed virtual MACs go on being answered, or those of one interface are answered on another.
#[test]
fn a_virtual_mac_is_answered_in_its_fid_while_its_record_is_there() {
    let mut lab = lab();
    let record = SfdRecord::router(vmac(1, 10), FID);
    lab.write(Sfd::new(SfdOp::WRITE_EDIT, vec![record]));
    assert_eq!(lab.trapped(1, &ping(vmac(1, 10))), Some("local_route"));
    assert_eq!(
        lab.trapped(1, &udp(vmac(1, 10), "10.0.1.9", "10.0.2.5", 53)),
        Some("external_route")
    );
    assert_eq!(lab.trapped(1, &arp(vmac(1, 10), 2)), Some("arp_response"));
    assert_eq!(lab.trapped(2, &ping(vmac(1, 10))), None, "RIF 1 has another FID");
    assert_eq!(lab.trapped(1, &ping(vmac(1, 11))), None);
    lab.write(Sfd::new(SfdOp::WRITE_REMOVE, vec![record]));
    assert_eq!(lab.trapped(1, &ping(vmac(1, 10))), None);
}

// Would break: nobody can tell whether the fast-path slot is used, or forwarding depends on it.
#[test]
fn the_slot_holder_costs_no_lookup_and_others_do() {
    let mut lab = lab();
    for mac in [vmac(1, 10), vmac(1, 11), vmac(2, 10)] {
        lab.router_mac(FID, mac);
    }
    lab.write(Ritr { if_vrrp_id_ipv4: 10, if_vrrp_id_ipv6: 20, ..sub_port_ritr(0, 1, FID) });
    let mut counted = |frame: &[u8]| {
        let before = lab.lookups();
        assert_eq!(lab.trapped(1, frame), Some("local_route"));
        (lab.lookups().0 - before.0, lab.lookups().1 - before.1)
    };
    assert_eq!(counted(&ping(vmac(1, 10))), (0, 1), "the holder");
    assert_eq!(counted(&ping(vmac(1, 11))), (1, 0), "another virtual MAC");
    assert_eq!(counted(&ping(vmac(2, 10))), (1, 0), "the other family's slot holds 20");
    assert_eq!(counted(&ping(RIF_MAC)), (1, 0), "the interface's own");
    // the IPv6 slot holds 20, which has no record: the slot alone admits it
    let frame = ip(vmac(2, 20), "2001:db8:1::9", OWN_IPV6, 58, &[128, 0, 0, 0]);
    assert_eq!(counted(&frame), (0, 1));
}

// Would break: a slot keeps attracting traffic after the interface or the id is gone.
#[test]
fn an_empty_slot_or_a_disabled_interface_admits_nothing() {
    let mut lab = lab();
    assert_eq!(lab.trapped(1, &ping(vmac(1, 0))), None, "VRID 0 is no slot");
    lab.write(Ritr { if_vrrp_id_ipv4: 10, ..sub_port_ritr(0, 1, FID) });
    assert_eq!(lab.trapped(1, &ping(vmac(1, 10))), Some("local_route"));
    assert_eq!(lab.trapped(2, &ping(vmac(1, 10))), None, "another interface");
    let hits = lab.lookups().1;
    lab.write(Ritr { enable: false, if_vrrp_id_ipv4: 10, ..sub_port_ritr(0, 1, FID) });
    assert_eq!(lab.trapped(1, &ping(vmac(1, 10))), None);
    assert_eq!(lab.lookups().1, hits, "a disabled interface has no slots");
    lab.write(sub_port_ritr(0, 1, FID));
    assert_eq!(lab.trapped(1, &ping(vmac(1, 10))), None);
}

// Would break: with two masters neither sees the other, and split brain is for ever.
#[test]
fn frames_from_an_own_router_mac_are_accepted() {
    let mut lab = lab();
    lab.router_mac(FID, vmac(1, 10));
    lab.write(Ritr { if_vrrp_id_ipv4: 10, ..sub_port_ritr(0, 1, FID) });
    let mut advert = vrrp("10.0.1.2", "224.0.0.18");
    advert[6..12].copy_from_slice(&vmac(1, 10).octets());
    assert_eq!(lab.trapped(1, &advert), Some("ipv4_vrrp"));
    let mut garp = arp(Mac([0xff; 6]), 1);
    garp[6..12].copy_from_slice(&vmac(1, 10).octets());
    assert_eq!(lab.trapped(1, &garp), Some("arp_request"));
    // and the record stays the router's
    assert_eq!(lab.trapped(1, &ping(vmac(1, 10))), Some("local_route"));
}

// Would break: frames without a FID, or in one whose interface is gone, are routed.
#[test]
fn without_classification_or_interface_there_is_no_router() {
    let mut lab = lab();
    lab.write(Svfa::port_vid(1, 4095, FID, None));
    assert_eq!(lab.trapped(1, &ping(RIF_MAC)), None);
    assert_eq!(lab.discards("no_irif"), 1);
    lab.write(Svfa::port_vid(1, 4095, FID, Some(0)));
    lab.trap(id::IRIF_DISABLED, 27, 0);
    lab.write(sub_port_ritr(0, 1, FID).removal());
    assert_eq!(lab.trapped(1, &ping(RIF_MAC)), Some("irif_disabled"));
    lab.write(Sfmr { op: SfmrOp::Destroy, fid: FID, ..Sfmr::default() });
    assert_eq!(lab.trapped(1, &ping(RIF_MAC)), None);
    assert_eq!(lab.discards("fid_miss"), 1);
}

// Would break: router MACs of an untagged port answer in its VLANs, or the reverse.
#[test]
fn sub_ports_of_one_port_are_kept_apart() {
    let mut lab = lab();
    lab.write(Sfmr { fid: 6000, flood_rsp: true, ..Sfmr::default() });
    lab.write(sub_port_ritr(5, 1, 6000));
    lab.router_mac(6000, vmac(1, 7));
    lab.write(emad::register::Spms::vlan(1, 100, emad::register::SpmsState::Forwarding));
    lab.write(Svfa::port_vid(1, 100, 6000, Some(5)));
    assert_eq!(lab.trapped(1, &tagged(&ping(vmac(1, 7)), 100)), Some("local_route"));
    assert_eq!(lab.trapped(1, &ping(vmac(1, 7))), None);
    assert_eq!(lab.trapped(1, &tagged(&ping(RIF_MAC), 100)), None);
    assert_eq!(lab.trapped(1, &tagged(&ping(RIF_MAC), 0)), Some("local_route"), "priority tag");
    assert_eq!(lab.trapped(1, &tagged(&ping(RIF_MAC), 4095)), None, "reserved on the wire");
}

// Would break: a packet is taken for the router's because its payload looks like it.
#[test]
fn only_ip_and_arp_are_routed() {
    let mut lab = lab();
    lab.trap(id::NON_IP, 27, 0);
    let packet = ip_packet("10.0.1.9".parse().unwrap(), OWN_IPV4.parse().unwrap(), 1, 64, &[8; 8]);
    let frame = super::frames::ethernet(RIF_MAC, HOST, 0x0000, &packet);
    assert_eq!(lab.trapped(1, &frame), Some("non_ip"));
    let double = tagged(&tagged(&ping(RIF_MAC), 5), 0);
    assert_eq!(lab.trapped(1, &double), Some("non_ip"), "a second tag is payload");
}
