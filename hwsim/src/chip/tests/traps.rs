//! Which packets are trapped as what, and which trap wins?

use emad::Mac;
use emad::register::{HpktAction, Rmft2, Rmft2Groups};

use super::frames::{
    BROADCAST, HOST, arp, ethernet, group_mac, ip, ip_ttl, tcp, to_group, udp, vrrp,
};
use super::lab::{Lab, OWN_IPV4, OWN_IPV6, RIF_MAC, trap_action_set};
use crate::chip::traps::{TRAPS, TrapClass, id};

const HOST4: &str = "10.0.1.9";
const HOST6: &str = "2001:db8:1::9";

/// Every trap to the CPU, in one group.
fn all_traps() -> Lab {
    let mut lab = Lab::router();
    for trap in TRAPS.iter().filter(|trap| trap.class != TrapClass::Internal) {
        lab.trap(trap.id, 1, 2);
    }
    lab
}

fn icmpv6(kind: u8) -> Vec<u8> {
    vec![kind, 0, 0, 0, 0, 0, 0, 0]
}

fn hop_by_hop(next: u8, payload: &[u8]) -> Vec<u8> {
    [&[next, 0, 5, 2, 0, 0, 1, 0][..], payload].concat()
}

// Would break: a class that the selftest devlink_trap_control.sh feeds is missed or taken for another.
#[test]
fn the_selftests_stimuli_match_their_traps() {
    let mut lab = all_traps();
    let link = |last| Mac([0x01, 0x80, 0xc2, 0, 0, last]);
    let slow = |last, ethertype| ethernet(link(last), HOST, ethertype, &[0; 46]);
    let igmp = |kind| ip(Mac([1, 0, 0x5e, 0, 0, 1]), HOST4, "244.0.0.1", 2, &[kind; 8]);
    let mld = |kind| to_group("fe80::1", "ff02::16", 0, &hop_by_hop(58, &icmpv6(kind)));
    let alert = ip(RIF_MAC, HOST6, OWN_IPV6, 0, &hop_by_hop(17, &[0; 8]));
    for (name, frame) in [
        ("stp", slow(0x00, 0x0026)),
        ("lacp", slow(0x02, 0x8809)),
        ("lldp", slow(0x0e, 0x88cc)),
        ("eapol", slow(0x03, 0x888e)),
        ("igmp_query", igmp(0x11)),
        ("igmp_v1_report", igmp(0x12)),
        ("igmp_v2_report", igmp(0x16)),
        ("igmp_v3_report", igmp(0x22)),
        ("igmp_v2_leave", igmp(0x17)),
        ("mld_query", mld(130)),
        ("mld_v1_report", mld(131)),
        ("mld_v2_report", mld(143)),
        ("mld_v1_done", mld(132)),
        ("ipv4_dhcp", udp(BROADCAST, "0.0.0.0", "255.255.255.255", 67)),
        ("ipv4_dhcp", udp(RIF_MAC, HOST4, OWN_IPV4, 68)),
        ("ipv6_dhcp", udp(group_mac("ff02::1:2"), "fe80::1", "ff02::1:2", 547)),
        ("ipv6_dhcp", udp(group_mac("ff02::1:2"), "fe80::1", "ff02::1:2", 546)),
        ("arp_request", arp(BROADCAST, 1)),
        ("arp_response", arp(RIF_MAC, 2)),
        ("ipv6_neigh_solicit", to_group("fe80::1", "ff02::1:ff00:2", 58, &icmpv6(135))),
        ("ipv6_neigh_advert", ip(RIF_MAC, "fe80::1", "fe80::2", 58, &icmpv6(136))),
        ("ipv4_bfd", udp(RIF_MAC, HOST4, OWN_IPV4, 3784)),
        ("ipv4_bfd", udp(RIF_MAC, HOST4, OWN_IPV4, 3785)),
        ("ipv6_bfd", udp(RIF_MAC, HOST6, OWN_IPV6, 3784)),
        ("ipv4_ospf", to_group(HOST4, "224.0.0.5", 89, &[])),
        ("ipv4_ospf", ip(RIF_MAC, HOST4, OWN_IPV4, 89, &[])),
        ("ipv6_ospf", to_group("fe80::1", "ff02::5", 89, &[])),
        ("ipv6_ospf", ip(RIF_MAC, HOST6, OWN_IPV6, 89, &[])),
        ("ipv4_bgp", tcp(RIF_MAC, HOST4, OWN_IPV4, 179)),
        ("ipv6_bgp", tcp(RIF_MAC, HOST6, OWN_IPV6, 179)),
        ("ipv4_vrrp", to_group(HOST4, "224.0.0.18", 112, &[])),
        ("ipv6_vrrp", to_group("fe80::1", "ff02::12", 112, &[])),
        ("ipv4_pim", to_group(HOST4, "224.0.0.13", 103, &[])),
        ("ipv4_pim", ip(RIF_MAC, HOST4, OWN_IPV4, 103, &[])),
        ("ipv6_pim", to_group("fe80::1", "ff02::d", 103, &[])),
        ("local_route", ip(RIF_MAC, HOST4, OWN_IPV4, 17, &[0; 8])),
        ("local_route", ip(RIF_MAC, HOST6, OWN_IPV6, 17, &[0; 8])),
        ("external_route", ip(RIF_MAC, HOST4, "10.0.2.9", 17, &[0; 8])),
        ("ipv6_uc_dip_link_local_scope", ip(RIF_MAC, HOST6, "fe80:1::2", 17, &[0; 8])),
        ("ipv6_router_alert", alert),
        ("ipv6_dip_all_nodes", to_group("fe80::1", "ff02::1", 17, &[0; 8])),
        ("ipv6_dip_all_routers", to_group("fe80::1", "ff02::2", 17, &[0; 8])),
        ("ipv6_router_solicit", to_group("fe80::1", "ff02::2", 58, &icmpv6(133))),
        ("ipv6_router_advert", to_group("fe80::1", "ff02::1", 58, &icmpv6(134))),
        ("ipv6_redirect", ip(RIF_MAC, "fe80::1", "fe80::2", 58, &icmpv6(137))),
        ("ipv4_lpm_miss", ip(RIF_MAC, HOST4, "192.0.2.1", 17, &[0; 8])),
        ("ipv6_lpm_miss", ip(RIF_MAC, HOST6, "2001:db8:ffff::1", 17, &[0; 8])),
    ] {
        assert_eq!(lab.trapped(1, &frame), Some(name), "{frame:02x?}");
    }
}

// Would break: advertisements that a daemon must judge never reach it, or others' packets do.
#[test]
fn vrrp_is_a_key_of_address_and_protocol() {
    let mut lab = Lab::router();
    lab.trap(id::IPV4_VRRP, 20, 5);
    lab.trap(id::IPV6_VRRP, 20, 5);
    let advert = vrrp("10.0.1.2", "224.0.0.18");
    let group = group_mac("224.0.0.18");
    let mut other_dscp = advert.clone();
    other_dscp[15] = 0xc0;
    let checksum = crate::packet::ipv4::checksum(&{
        let mut header = other_dscp[14..34].to_vec();
        header[10..12].fill(0);
        header
    });
    other_dscp[24..26].copy_from_slice(&checksum.to_be_bytes());
    let mut other_mac = advert.clone();
    other_mac[..6].copy_from_slice(&[1, 0, 0x5e, 0, 0, 5]);
    for (why, frame) in [
        ("plain", advert.clone()),
        ("TTL 1", ip_ttl(group, "10.0.1.2", "224.0.0.18", 112, 1, &[0x21; 8])),
        ("DSCP", other_dscp),
        ("any group MAC", other_mac),
        ("CARP", to_group("10.0.1.2", "224.0.0.18", 112, &[0x21; 36])),
        ("tagged with VID 0", super::frames::tagged(&advert, 0)),
    ] {
        assert_eq!(lab.trapped(1, &frame), Some("ipv4_vrrp"), "{why}");
    }
    assert_eq!(lab.trapped(1, &vrrp("fe80::1", "ff02::12")), Some("ipv6_vrrp"));
    for (why, frame) in [
        ("PIM to the group", to_group("10.0.1.2", "224.0.0.18", 103, &[0; 8])),
        ("AH", to_group("10.0.1.2", "224.0.0.18", 51, &[0; 24])),
        ("another group", to_group("10.0.1.2", "224.0.0.19", 112, &[0; 8])),
        ("unicast", ip(RIF_MAC, "10.0.1.2", OWN_IPV4, 112, &[0; 8])),
        ("IPv6 behind hop-by-hop", to_group("fe80::1", "ff02::12", 0, &hop_by_hop(112, &[0; 8]))),
    ] {
        assert_eq!(lab.trapped(1, &frame), None, "{why}");
    }
    let mut options = advert;
    // a longer header: IHL 6 with a no-operation word, total length and checksum adapted
    options[14] = 0x46;
    let total = u16::from_be_bytes([options[16], options[17]]) + 4;
    options[16..18].copy_from_slice(&total.to_be_bytes());
    options.splice(34..34, [1, 1, 1, 1]);
    options[24..26].fill(0);
    let checksum = crate::packet::ipv4::checksum(&options[14..38]);
    options[24..26].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(lab.trapped(1, &options), Some("ipv4_vrrp"), "IP options");
}

// Would break: a packet of two classes is delivered twice, or under the less urgent of them.
#[test]
fn the_group_with_the_highest_priority_delivers_once() {
    let mut lab = Lab::router();
    let ospf = ip(RIF_MAC, HOST4, OWN_IPV4, 89, &[]);
    lab.trap(id::IPV4_OSPF, 7, 5);
    lab.trap(id::LOCAL_ROUTE, 13, 2);
    assert_eq!(lab.trapped(1, &ospf), Some("ipv4_ospf"));
    lab.trap(id::LOCAL_ROUTE, 13, 6);
    assert_eq!(lab.trapped(1, &ospf), Some("local_route"));
    lab.trap(id::IPV4_OSPF, 7, 6);
    assert_eq!(lab.trapped(1, &ospf), Some("ipv4_ospf"), "among equals the first that matched");
    let punt = lab.chip.trace(lab.now, crate::chip::LocalPort(1), &ospf).verdict.punt.unwrap();
    assert_eq!((punt.group, punt.tclass, punt.rif, punt.fid), (7, 6, Some(0), Some(5120)));

    // a multicast packet whose control trap and catch-all route both deliver
    let zero = std::net::Ipv4Addr::UNSPECIFIED;
    let groups = Rmft2Groups::Ipv4 { dip: zero, dip_mask: zero, sip: zero, sip_mask: zero };
    let mut catch_all = Rmft2::new(0, 0, groups);
    catch_all.flexible_action_set = trap_action_set(id::MULTICAST);
    lab.write(catch_all);
    lab.trap(id::MULTICAST, 9, 1);
    lab.trap(id::IPV4_VRRP, 20, 5);
    assert_eq!(lab.trapped(1, &vrrp("10.0.1.2", "224.0.0.18")), Some("ipv4_vrrp"));
    assert_eq!(lab.trapped(1, &to_group(HOST4, "239.1.1.1", 17, &[0; 8])), Some("multicast"));
}

// Would break: HPKT actions that end, copy or drop do something else.
#[test]
fn actions_do_what_they_say() {
    let mut lab = Lab::router();
    lab.trap(id::LOCAL_ROUTE, 13, 2);
    let ospf = ip(RIF_MAC, HOST4, OWN_IPV4, 89, &[]);
    for (action, expected) in [
        (HpktAction::Forward, Some("local_route")),
        (HpktAction::TrapToCpu, Some("ipv4_ospf")),
        (HpktAction::MirrorToCpu, Some("ipv4_ospf")),
        (HpktAction::Discard, None),
        (HpktAction::SoftDiscard, Some("local_route")),
        (HpktAction::TrapAndSoftDiscard, Some("ipv4_ospf")),
        (HpktAction::TrapExceptionToCpu, Some("ipv4_ospf")),
        (HpktAction::SetFwDefault, Some("local_route")),
    ] {
        lab.write(emad::register::Htgt::new(7, None, 5, 5));
        lab.trap_action(id::IPV4_OSPF, action, 7);
        assert_eq!(lab.trapped(1, &ospf), expected, "{action}");
    }
    // a copy was already on its way when the packet is dropped for all traps
    let dhcp = udp(RIF_MAC, HOST4, "192.0.2.1", 67);
    lab.trap_action(id::IPV4_DHCP, HpktAction::MirrorToCpu, 7);
    lab.trap_action(id::IPV4_LPM_MISS, HpktAction::SoftDiscard, 7);
    assert_eq!(lab.trapped(1, &dhcp), Some("ipv4_dhcp"));
    lab.trap_action(id::IPV4_LPM_MISS, HpktAction::Discard, 7);
    assert_eq!(lab.trapped(1, &dhcp), None);
}

// Would break: at power-on the CPU is flooded with packets that nobody asked for.
#[test]
fn without_hpkt_nothing_reaches_the_cpu() {
    let mut lab = Lab::router();
    for frame in [
        vrrp("10.0.1.2", "224.0.0.18"),
        arp(BROADCAST, 1),
        arp(RIF_MAC, 2),
        ip(RIF_MAC, HOST4, OWN_IPV4, 1, &[8; 8]),
        ip(RIF_MAC, HOST4, "10.0.2.9", 17, &[0; 8]),
        ethernet(Mac([0x01, 0x80, 0xc2, 0, 0, 0]), HOST, 0x26, &[0; 46]),
    ] {
        assert_eq!(lab.trapped(1, &frame), None);
    }
}

// Would break: packets that must not be routed are, or the drop has another name than devlink's.
#[test]
fn the_router_checks_its_packets() {
    let mut lab = all_traps();
    let stray = Mac([1, 2, 3, 4, 5, 6]);
    let mut corrupted = ip(RIF_MAC, HOST4, OWN_IPV4, 17, &[0; 8]);
    corrupted[24] ^= 0xff;
    let mut version = ip(RIF_MAC, HOST6, OWN_IPV6, 17, &[0; 8]);
    version[14] = 0x50;
    for (name, frame) in [
        ("non_ip", ethernet(RIF_MAC, HOST, 0, &[0; 46])),
        ("uc_dip_over_mc_dmac", udp(stray, HOST4, OWN_IPV4, 53)),
        ("uc_dip_over_mc_dmac", udp(stray, HOST6, OWN_IPV6, 53)),
        ("dip_is_loopback_address", udp(RIF_MAC, HOST4, "127.0.0.1", 53)),
        ("dip_is_loopback_address", udp(RIF_MAC, HOST6, "::1", 53)),
        ("sip_is_mc", udp(RIF_MAC, "239.1.1.1", OWN_IPV4, 53)),
        ("sip_is_mc", udp(RIF_MAC, "ff02::2", OWN_IPV6, 53)),
        ("sip_is_loopback_address", udp(RIF_MAC, "127.0.0.1", OWN_IPV4, 53)),
        ("sip_is_loopback_address", udp(RIF_MAC, "::1", OWN_IPV6, 53)),
        ("ip_header_corrupted", corrupted.clone()),
        ("ip_header_corrupted", version),
        ("ipv4_sip_is_limited_bc", udp(RIF_MAC, "255.255.255.255", OWN_IPV4, 53)),
        ("ipv6_mc_dip_reserved_scope", to_group(HOST6, "ff00::1", 17, &[0; 8])),
        ("ipv6_mc_dip_interface_local_scope", to_group(HOST6, "ff01::1", 17, &[0; 8])),
        ("source_mac_is_multicast", {
            let mut frame = udp(RIF_MAC, HOST4, OWN_IPV4, 53);
            frame[6] |= 1;
            frame
        }),
    ] {
        assert_eq!(lab.trapped(1, &frame), Some(name));
    }
    // forced to forward by the driver, and forwarded here from the start
    for frame in [
        udp(RIF_MAC, "240.0.0.1", OWN_IPV4, 53),
        udp(RIF_MAC, OWN_IPV4, OWN_IPV4, 53),
        udp(RIF_MAC, "169.254.0.1", OWN_IPV4, 53),
    ] {
        assert_eq!(lab.trapped(1, &frame), Some("local_route"));
    }
    lab.trap_action(id::IP_HEADER_CORRUPTED, HpktAction::SetFwDefault, 1);
    assert_eq!(lab.trapped(1, &corrupted), None, "drops are dropped until somebody asks");
    assert_eq!(lab.discards("ip_header_corrupted"), 1);
}

// Would break: transit BGP or BFD is stolen from its real destination.
#[test]
fn session_protocols_are_trapped_only_at_an_own_address() {
    let mut lab = all_traps();
    assert_eq!(lab.trapped(1, &tcp(RIF_MAC, HOST4, "10.0.2.9", 179)), Some("external_route"));
    assert_eq!(lab.trapped(1, &udp(RIF_MAC, HOST4, "10.0.2.9", 3784)), Some("external_route"));
}

// Would break: link-local control frames are lost where they are needed most: on a blocked port.
#[test]
fn link_local_frames_pass_every_state() {
    let mut lab = Lab::new("spectrum2");
    lab.trap(id::LACP, 3, 5);
    let frame = ethernet(Mac([0x01, 0x80, 0xc2, 0, 0, 2]), HOST, 0x8809, &[1; 46]);
    assert_eq!(lab.trapped(1, &frame), Some("lacp"), "no VLAN, no FID, STP discarding");
}
