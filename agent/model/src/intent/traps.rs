//! Which control packets go to the CPU, in which groups, under which policers: mlxsw's profile (spectrum_trap.c) with two
//! changes. VRRP's policer is 1024 packets per second, burst 1024: mlxsw's 256/128 loses half of 255 routers' burst of
//! advertisements every second. `external_delivery` has none: until the chip routes, all transit traffic passes it.

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::chip::{Entry, PolicerId, TrapAction, TrapGroupId, TrapId};

/// A trap group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// devlink's name
    pub name: &'static str,
    /// Hardware group
    pub id: u8,
    /// Priority and CPU traffic class, 0..=7.
    pub priority: u8,
    /// Policer index, packets per second, burst in packets (a power of two).
    pub policer: Option<(u16, u32, u32)>,
}

const fn group(name: &'static str, id: u8, priority: u8, policer: (u16, u32, u32)) -> Group {
    Group { name, id, priority, policer: Some(policer) }
}

const VRRP: &str = "vrrp";

/// The groups by name; policer indices are devlink's ids in mlxsw.
pub const GROUPS: &[Group] = &[
    group("bfd", 24, 5, (8, 20480, 8192)),
    group("bgp", 6, 4, (10, 1024, 512)),
    group("dhcp", 14, 2, (6, 128, 128)),
    group("eapol", 32, 5, (21, 128, 128)),
    Group { name: "external_delivery", id: 12, priority: 1, policer: None },
    group("ipv6", 16, 2, (15, 1024, 512)),
    group("l3_exceptions", 28, 2, (1, 10240, 4096)),
    group("lacp", 3, 5, (3, 128, 128)),
    group("lldp", 4, 5, (4, 128, 128)),
    group("local_delivery", 13, 2, (14, 1024, 512)),
    group("mc_snooping", 5, 3, (5, 16384, 8192)),
    group("multicast", 9, 1, (22, 1024, 128)),
    group("neigh_discovery", 10, 2, (7, 1024, 512)),
    group("ospf", 7, 5, (9, 128, 128)),
    group("pim", 8, 5, (12, 128, 128)),
    group("stp", 2, 5, (2, 128, 128)),
    group("uc_loopback", 17, 0, (13, 128, 128)),
    group(VRRP, 20, 5, (11, 1024, 1024)),
];

/// A packet class of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlTrap {
    /// devlink's name
    pub name: &'static str,
    /// devlink's type: `control` or `exception`.
    pub kind: &'static str,
    /// Name of its group.
    pub group: &'static str,
    /// Hardware trap id
    pub id: u16,
    /// What happens to its packets.
    pub action: TrapAction,
}

const fn control(name: &'static str, group: &'static str, id: u16) -> ControlTrap {
    ControlTrap { name, kind: "control", group, id, action: TrapAction::Trap }
}

const fn mirror(name: &'static str, group: &'static str, id: u16) -> ControlTrap {
    ControlTrap { name, kind: "control", group, id, action: TrapAction::Mirror }
}

const fn exception(name: &'static str, id: u16) -> ControlTrap {
    ControlTrap { name, kind: "exception", group: "l3_exceptions", id, action: TrapAction::Trap }
}

/// Ids that count under the name of another one: the chip tells cases apart that devlink does not.
const SAME_NAME: &[(&str, u16)] = &[("unresolved_neigh", 0x80), ("unresolved_neigh", 0x92)];

/// Routes that refuse packets (mlxsw: RTR_INGRESS1).
pub const REJECT_ROUTE: TrapId = TrapId(0x71);
/// Packets that follow a route to the CPU.
pub const EXTERNAL_ROUTE: TrapId = TrapId(0x70);
/// Multicast that no route matches (mlxsw: ACL1).
pub const MULTICAST: TrapId = TrapId(0x1c1);

/// The profile by name (ids: trap.h of mlxsw).
pub const CONTROL_TRAPS: &[ControlTrap] = &[
    control("arp_request", "neigh_discovery", 0xe0),
    control("arp_response", "neigh_discovery", 0xe1),
    control("eapol", "eapol", 0x12),
    control("external_route", "external_delivery", EXTERNAL_ROUTE.0),
    mirror("igmp_query", "mc_snooping", 0x30),
    control("igmp_v1_report", "mc_snooping", 0x31),
    control("igmp_v2_leave", "mc_snooping", 0x33),
    control("igmp_v2_report", "mc_snooping", 0x32),
    control("igmp_v3_report", "mc_snooping", 0x34),
    control("ipv4_bfd", "bfd", 0xd0),
    control("ipv4_bgp", "bgp", 0x88),
    control("ipv4_dhcp", "dhcp", 0x8f),
    exception("ipv4_lpm_miss", 0x17b),
    control("ipv4_ospf", "ospf", 0x55),
    control("ipv4_pim", "pim", 0x58),
    control("ipv4_router_alert", "local_delivery", 0xd6),
    control("ipv4_vrrp", VRRP, 0x59),
    control("ipv6_bfd", "bfd", 0xd1),
    control("ipv6_bgp", "bgp", 0x89),
    control("ipv6_dhcp", "dhcp", 0x69),
    control("ipv6_dip_all_nodes", "ipv6", 0x63),
    control("ipv6_dip_all_routers", "ipv6", 0x6f),
    exception("ipv6_lpm_miss", 0x17c),
    control("ipv6_neigh_advert", "neigh_discovery", 0x8d),
    control("ipv6_neigh_solicit", "neigh_discovery", 0x8c),
    control("ipv6_ospf", "ospf", 0x64),
    control("ipv6_pim", "pim", 0x79),
    control("ipv6_redirect", "ipv6", 0x8e),
    control("ipv6_router_advert", "ipv6", 0x8b),
    control("ipv6_router_alert", "local_delivery", 0xd7),
    control("ipv6_router_solicit", "ipv6", 0x8a),
    control("ipv6_uc_dip_link_local_scope", "local_delivery", 0x61),
    control("ipv6_vrrp", VRRP, 0x7a),
    control("lacp", "lacp", 0x11),
    control("lldp", "lldp", 0x13),
    control("local_route", "local_delivery", 0x5f),
    mirror("mld_query", "mc_snooping", 0x65),
    control("mld_v1_done", "mc_snooping", 0x67),
    control("mld_v1_report", "mc_snooping", 0x66),
    control("mld_v2_report", "mc_snooping", 0x68),
    exception("mtu_value_is_too_small", 0x52),
    control("multicast", "multicast", MULTICAST.0),
    exception("reject_route", 0x71),
    control("stp", "stp", 0x10),
    exception("ttl_value_is_too_small", 0x53),
    mirror("uc_loopback", "uc_loopback", 0x54),
    exception("unresolved_neigh", 0x90),
];

/// The profile with the operator's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrapProfile {
    /// Policers, then groups, then packet classes: the order in which a chip takes them.
    pub entries: Vec<Entry>,
}

/// The profile of a policy.
pub fn trap_profile(policy: &Policy) -> TrapProfile {
    let mut entries = Vec::new();
    for group in GROUPS {
        if let Some((id, mut rate, mut burst)) = group.policer {
            if group.name == VRRP {
                (rate, burst) = (policy.vrrp_rate, policy.vrrp_burst);
            }
            entries.push(Entry::Policer { id: PolicerId(id), rate, burst });
        }
    }
    entries.extend(GROUPS.iter().map(|group| Entry::TrapGroup {
        id: TrapGroupId(group.id),
        policer: group.policer.map(|(id, ..)| PolicerId(id)),
        priority: group.priority,
        tclass: group.priority,
    }));
    let with_id = |trap: &ControlTrap, id| Entry::Trap {
        id: TrapId(id),
        action: trap.action,
        group: TrapGroupId(group_named(trap.group).id),
    };
    entries.extend(CONTROL_TRAPS.iter().map(|trap| with_id(trap, trap.id)));
    for trap in CONTROL_TRAPS {
        let same = SAME_NAME.iter().filter(|(name, _)| *name == trap.name);
        entries.extend(same.map(|(_, id)| with_id(trap, *id)));
    }
    TrapProfile { entries }
}

/// The group with this name.
pub fn group_named(name: &str) -> &'static Group {
    GROUPS
        .iter()
        .find(|group| group.name == name)
        .expect("the table of traps names groups of the table of groups")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    // Broken if two rows claimed one name, one hardware id or one policer, or a burst were not a power of two.
    #[test]
    fn the_tables_are_consistent() {
        let names: BTreeSet<_> = CONTROL_TRAPS.iter().map(|trap| trap.name).collect();
        let ids: BTreeSet<_> = CONTROL_TRAPS.iter().map(|trap| trap.id).collect();
        assert_eq!((names.len(), ids.len()), (CONTROL_TRAPS.len(), CONTROL_TRAPS.len()));
        let policers: Vec<_> = GROUPS.iter().filter_map(|group| group.policer).collect();
        let distinct: BTreeSet<_> = policers.iter().map(|policer| policer.0).collect();
        assert_eq!(distinct.len(), policers.len());
        assert!(policers.iter().all(|policer| policer.2.is_power_of_two()));
        assert_eq!(
            trap_profile(&Policy::default()).entries.len(),
            policers.len() + GROUPS.len() + ids.len() + SAME_NAME.len()
        );
    }
}
