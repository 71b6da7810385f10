//! What are packet classes called, and what becomes of them while nobody has said anything about them?
//!
//! Names are devlink's; classes that devlink does not show have the driver's word in lower case. Numbers are those of the driver
//! (`trap.h`). What happens at power-on is what the simulated chip does (docs/fidelity.md); a test compares the two.

use super::tables::TableTrap;

/// Names by trap id, with the action at power-on.
const TRAPS: &[(u16, &str, &str)] = &[
    (0x01, "fdb", "discard"),
    (0x10, "stp", "discard"),
    (0x11, "lacp", "discard"),
    (0x12, "eapol", "discard"),
    (0x13, "lldp", "discard"),
    (0x28, "ptp_event", "forward"),
    (0x29, "ptp_general", "forward"),
    (0x30, "igmp_query", "forward"),
    (0x31, "igmp_v1_report", "forward"),
    (0x32, "igmp_v2_report", "forward"),
    (0x33, "igmp_v2_leave", "forward"),
    (0x34, "igmp_v3_report", "forward"),
    (0x38, "flow_action_sample", "forward"),
    (0x3d, "fid_miss", "discard"),
    (0x52, "mtu_value_is_too_small", "discard"),
    (0x53, "ttl_value_is_too_small", "discard"),
    (0x54, "uc_loopback", "discard"),
    (0x55, "ipv4_ospf", "forward"),
    (0x58, "ipv4_pim", "forward"),
    (0x59, "ipv4_vrrp", "forward"),
    (0x5c, "mc_reverse_path_forwarding", "discard"),
    (0x5f, "local_route", "discard"),
    (0x60, "ipv6_unspecified_address", "discard"),
    (0x61, "ipv6_uc_dip_link_local_scope", "discard"),
    (0x62, "ipv6_link_local_src", "discard"),
    (0x63, "ipv6_dip_all_nodes", "forward"),
    (0x64, "ipv6_ospf", "forward"),
    (0x65, "mld_query", "forward"),
    (0x66, "mld_v1_report", "forward"),
    (0x67, "mld_v1_done", "forward"),
    (0x68, "mld_v2_report", "forward"),
    (0x69, "ipv6_dhcp", "forward"),
    (0x6f, "ipv6_dip_all_routers", "forward"),
    (0x70, "external_route", "discard"),
    (0x71, "reject_route", "discard"),
    (0x79, "ipv6_pim", "forward"),
    (0x7a, "ipv6_vrrp", "forward"),
    (0x80, "unresolved_neigh", "discard"),
    (0x88, "ipv4_bgp", "forward"),
    (0x89, "ipv6_bgp", "forward"),
    (0x8a, "ipv6_router_solicit", "forward"),
    (0x8b, "ipv6_router_advert", "forward"),
    (0x8c, "ipv6_neigh_solicit", "forward"),
    (0x8d, "ipv6_neigh_advert", "forward"),
    (0x8e, "ipv6_redirect", "forward"),
    (0x8f, "ipv4_dhcp", "forward"),
    (0x90, "unresolved_neigh", "discard"),
    (0x91, "ipv6_mc_link_local_dest", "forward"),
    (0x92, "unresolved_neigh", "discard"),
    (0xb8, "arp_overlay", "forward"),
    (0xd0, "ipv4_bfd", "forward"),
    (0xd1, "ipv6_bfd", "forward"),
    (0xd6, "ipv4_router_alert", "forward"),
    (0xd7, "ipv6_router_alert", "forward"),
    (0xe0, "arp_request", "discard"),
    (0xe1, "arp_response", "discard"),
    (0x11a, "non_routable", "discard"),
    (0x130, "blackhole_route", "discard"),
    (0x131, "blackhole_nexthop", "discard"),
    (0x140, "source_mac_is_multicast", "discard"),
    (0x148, "vlan_tag_mismatch", "discard"),
    (0x149, "ingress_vlan_filter", "discard"),
    (0x14a, "ingress_spanning_tree_filter", "discard"),
    (0x150, "port_list_is_empty", "discard"),
    (0x151, "port_list_is_empty", "discard"),
    (0x152, "port_loopback_filter", "discard"),
    (0x160, "non_ip", "discard"),
    (0x161, "uc_dip_over_mc_dmac", "discard"),
    (0x162, "dip_is_loopback_address", "discard"),
    (0x163, "sip_is_mc", "discard"),
    (0x164, "sip_in_class_e", "forward"),
    (0x165, "sip_is_loopback_address", "discard"),
    (0x167, "ip_header_corrupted", "discard"),
    (0x168, "mc_mac_mismatch", "forward"),
    (0x169, "sip_equal_dip", "forward"),
    (0x16a, "ipv4_sip_is_limited_bc", "discard"),
    (0x16c, "ipv4_dip_link_local", "forward"),
    (0x16d, "ipv4_sip_link_local", "forward"),
    (0x178, "irif_disabled", "discard"),
    (0x179, "erif_disabled", "discard"),
    (0x17b, "ipv4_lpm_miss", "discard"),
    (0x17c, "ipv6_lpm_miss", "discard"),
    (0x1b0, "ipv6_mc_dip_reserved_scope", "discard"),
    (0x1b1, "ipv6_mc_dip_interface_local_scope", "discard"),
    (0x1c0, "flow_action_trap", "discard"),
    (0x1c1, "multicast", "discard"),
    (0x1c2, "multicast_forwarded", "discard"),
];

/// The name of a packet class.
pub(super) fn name(id: u16) -> Option<&'static str> {
    find(id).map(|(_, name, _)| *name)
}

/// What happens to its packets at power-on.
pub(super) fn at_power_on(id: u16) -> Option<&'static str> {
    find(id).map(|(.., action)| *action)
}

/// All of them, as at power-on.
pub(super) fn all() -> impl Iterator<Item = TableTrap> {
    TRAPS.iter().map(|(id, name, action)| TableTrap {
        id: *id,
        name: Some(name),
        action: Some(action),
        group: None,
    })
}

fn find(id: u16) -> Option<&'static (u16, &'static str, &'static str)> {
    TRAPS.iter().find(|(known, ..)| *known == id)
}

#[cfg(test)]
mod tests {
    use hwsim::chip::{Chip, Personality};

    use super::*;

    // Broken if a recording of the simulated chip's life did not come to what it dumps.
    #[test]
    fn the_table_is_that_of_the_simulated_chip() {
        let chip = Chip::new(Personality::load("spectrum2").unwrap(), 1, "0".to_owned(), 1);
        let dumped = serde_json::to_value(chip.dump().traps).unwrap();
        assert_eq!(serde_json::to_value(all().collect::<Vec<_>>()).unwrap(), dumped);
    }
}
