//! Which packets can the chip send to the CPU, and what becomes of them when nobody has asked for them?
//!
//! The table below is data: one line for each trap id that the chip knows. Names are devlink's; ids that
//! devlink does not show (class `Internal`) have the driver's word in lower case. Sources: mlxsw `trap.h`,
//! `spectrum_trap.c`; the power-on actions are assumed (docs/fidelity.md), except that drops start dropping.
//!
//! What a packet must look like for each id is in `pipeline`: link-layer classes in `pipeline/control.rs`,
//! checks and drops in `pipeline/router.rs`.

/// What a trap is for; decides what an agent may do with it, not what the chip does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapClass {
    /// Control packets that the CPU needs.
    Control,
    /// Packets that the chip cannot forward by itself.
    Exception,
    /// Packets that the chip drops.
    Drop,
    /// Not shown by devlink.
    Internal,
}

/// What the chip does with a packet that matches (HPKT.action).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapAction {
    /// 0: as if the trap did not exist.
    Forward,
    /// 1: to the CPU, forwarding ends.
    Trap,
    /// 2: a copy to the CPU, forwarding goes on.
    Mirror,
    /// 3: dropped, also for every other trap that matches.
    Discard,
    /// 4: forwarding ends, other traps that match still deliver.
    SoftDiscard,
    /// 5: to the CPU, forwarding ends; as 1, others may still win by priority.
    TrapSoftDiscard,
    /// 6: to the CPU as an exception, forwarding ends.
    TrapException,
}

/// One trap id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trap {
    /// HPKT.trap_id.
    pub id: u16,
    /// The name; several ids may share one.
    pub name: &'static str,
    /// What it is for.
    pub class: TrapClass,
    /// Its action until HPKT is written, and after HPKT.action = 7 or 15.
    pub power_on: TrapAction,
}

/// The trap of that id, with its place in [`TRAPS`].
#[must_use]
pub fn by_id(id: u16) -> Option<(usize, &'static Trap)> {
    let place = usize::from(*PLACES.get(usize::from(id))?).checked_sub(1)?;
    Some((place, &TRAPS[place]))
}

/// Ids are below this (ten bits in HPKT).
const IDS: usize = 0x400;

/// The place of each id in [`TRAPS`], and one more; 0 for none.
static PLACES: [u8; IDS] = {
    let mut places = [0; IDS];
    let mut place = 0;
    let mut next = 1_u8;
    while place < TRAPS.len() {
        places[TRAPS[place].id as usize] = next;
        place += 1;
        next += 1;
    }
    places
};

/// Declares the ids as constants and the table.
macro_rules! traps {
    ($($constant:ident = $id:literal $name:literal $class:ident $power_on:ident;)*) => {
        /// Trap ids by name.
        pub mod id {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: u16 = $id;
            )*
        }

        /// Every trap that the chip knows, by rising id.
        pub const TRAPS: &[Trap] = &[$(
            Trap {
                id: $id,
                name: $name,
                class: TrapClass::$class,
                power_on: TrapAction::$power_on,
            },
        )*];
    };
}

traps! {
    FDB = 0x01 "fdb" Internal Discard;
    STP = 0x10 "stp" Control Discard;
    LACP = 0x11 "lacp" Control Discard;
    EAPOL = 0x12 "eapol" Control Discard;
    LLDP = 0x13 "lldp" Control Discard;
    PTP_EVENT = 0x28 "ptp_event" Control Forward;
    PTP_GENERAL = 0x29 "ptp_general" Control Forward;
    IGMP_QUERY = 0x30 "igmp_query" Control Forward;
    IGMP_V1_REPORT = 0x31 "igmp_v1_report" Control Forward;
    IGMP_V2_REPORT = 0x32 "igmp_v2_report" Control Forward;
    IGMP_V2_LEAVE = 0x33 "igmp_v2_leave" Control Forward;
    IGMP_V3_REPORT = 0x34 "igmp_v3_report" Control Forward;
    FLOW_ACTION_SAMPLE = 0x38 "flow_action_sample" Control Forward;
    FID_MISS = 0x3d "fid_miss" Internal Discard;
    MTU_TOO_SMALL = 0x52 "mtu_value_is_too_small" Exception Discard;
    TTL_TOO_SMALL = 0x53 "ttl_value_is_too_small" Exception Discard;
    UC_LOOPBACK = 0x54 "uc_loopback" Control Discard;
    IPV4_OSPF = 0x55 "ipv4_ospf" Control Forward;
    IPV4_PIM = 0x58 "ipv4_pim" Control Forward;
    IPV4_VRRP = 0x59 "ipv4_vrrp" Control Forward;
    MC_REVERSE_PATH = 0x5c "mc_reverse_path_forwarding" Exception Discard;
    LOCAL_ROUTE = 0x5f "local_route" Control Discard;
    IPV6_UNSPECIFIED_SIP = 0x60 "ipv6_unspecified_address" Internal Discard;
    IPV6_LINK_LOCAL_DIP = 0x61 "ipv6_uc_dip_link_local_scope" Control Discard;
    IPV6_LINK_LOCAL_SIP = 0x62 "ipv6_link_local_src" Internal Discard;
    IPV6_ALL_NODES = 0x63 "ipv6_dip_all_nodes" Control Forward;
    IPV6_OSPF = 0x64 "ipv6_ospf" Control Forward;
    MLD_QUERY = 0x65 "mld_query" Control Forward;
    MLD_V1_REPORT = 0x66 "mld_v1_report" Control Forward;
    MLD_V1_DONE = 0x67 "mld_v1_done" Control Forward;
    MLD_V2_REPORT = 0x68 "mld_v2_report" Control Forward;
    IPV6_DHCP = 0x69 "ipv6_dhcp" Control Forward;
    IPV6_ALL_ROUTERS = 0x6f "ipv6_dip_all_routers" Control Forward;
    EXTERNAL_ROUTE = 0x70 "external_route" Control Discard;
    REJECT_ROUTE = 0x71 "reject_route" Exception Discard;
    IPV6_PIM = 0x79 "ipv6_pim" Control Forward;
    IPV6_VRRP = 0x7a "ipv6_vrrp" Control Forward;
    NEXTHOP_MISS = 0x80 "unresolved_neigh" Exception Discard;
    IPV4_BGP = 0x88 "ipv4_bgp" Control Forward;
    IPV6_BGP = 0x89 "ipv6_bgp" Control Forward;
    IPV6_ROUTER_SOLICIT = 0x8a "ipv6_router_solicit" Control Forward;
    IPV6_ROUTER_ADVERT = 0x8b "ipv6_router_advert" Control Forward;
    IPV6_NEIGH_SOLICIT = 0x8c "ipv6_neigh_solicit" Control Forward;
    IPV6_NEIGH_ADVERT = 0x8d "ipv6_neigh_advert" Control Forward;
    IPV6_REDIRECT = 0x8e "ipv6_redirect" Control Forward;
    IPV4_DHCP = 0x8f "ipv4_dhcp" Control Forward;
    HOST_MISS_IPV4 = 0x90 "unresolved_neigh" Exception Discard;
    IPV6_MC_LINK_LOCAL_DIP = 0x91 "ipv6_mc_link_local_dest" Internal Forward;
    HOST_MISS_IPV6 = 0x92 "unresolved_neigh" Exception Discard;
    ARP_OVERLAY = 0xb8 "arp_overlay" Control Forward;
    IPV4_BFD = 0xd0 "ipv4_bfd" Control Forward;
    IPV6_BFD = 0xd1 "ipv6_bfd" Control Forward;
    IPV4_ROUTER_ALERT = 0xd6 "ipv4_router_alert" Control Forward;
    IPV6_ROUTER_ALERT = 0xd7 "ipv6_router_alert" Control Forward;
    ARP_REQUEST = 0xe0 "arp_request" Control Discard;
    ARP_RESPONSE = 0xe1 "arp_response" Control Discard;
    NON_ROUTABLE = 0x11a "non_routable" Drop Discard;
    BLACKHOLE_ROUTE = 0x130 "blackhole_route" Drop Discard;
    BLACKHOLE_NEXTHOP = 0x131 "blackhole_nexthop" Drop Discard;
    SMAC_MULTICAST = 0x140 "source_mac_is_multicast" Drop Discard;
    VLAN_TAG_MISMATCH = 0x148 "vlan_tag_mismatch" Drop Discard;
    INGRESS_VLAN_FILTER = 0x149 "ingress_vlan_filter" Drop Discard;
    INGRESS_STP_FILTER = 0x14a "ingress_spanning_tree_filter" Drop Discard;
    PORT_LIST_EMPTY_UC = 0x150 "port_list_is_empty" Drop Discard;
    PORT_LIST_EMPTY_MC = 0x151 "port_list_is_empty" Drop Discard;
    PORT_LOOPBACK_FILTER = 0x152 "port_loopback_filter" Drop Discard;
    NON_IP = 0x160 "non_ip" Drop Discard;
    UC_DIP_OVER_MC_DMAC = 0x161 "uc_dip_over_mc_dmac" Drop Discard;
    DIP_LOOPBACK = 0x162 "dip_is_loopback_address" Drop Discard;
    SIP_MULTICAST = 0x163 "sip_is_mc" Drop Discard;
    SIP_CLASS_E = 0x164 "sip_in_class_e" Internal Forward;
    SIP_LOOPBACK = 0x165 "sip_is_loopback_address" Drop Discard;
    IP_HEADER_CORRUPTED = 0x167 "ip_header_corrupted" Drop Discard;
    MC_DMAC_MISMATCH = 0x168 "mc_mac_mismatch" Internal Forward;
    SIP_EQUALS_DIP = 0x169 "sip_equal_dip" Internal Forward;
    IPV4_SIP_LIMITED_BC = 0x16a "ipv4_sip_is_limited_bc" Drop Discard;
    IPV4_DIP_LINK_LOCAL = 0x16c "ipv4_dip_link_local" Internal Forward;
    IPV4_SIP_LINK_LOCAL = 0x16d "ipv4_sip_link_local" Internal Forward;
    IRIF_DISABLED = 0x178 "irif_disabled" Drop Discard;
    ERIF_DISABLED = 0x179 "erif_disabled" Drop Discard;
    IPV4_LPM_MISS = 0x17b "ipv4_lpm_miss" Exception Discard;
    IPV6_LPM_MISS = 0x17c "ipv6_lpm_miss" Exception Discard;
    IPV6_MC_RESERVED_SCOPE = 0x1b0 "ipv6_mc_dip_reserved_scope" Drop Discard;
    IPV6_MC_INTERFACE_LOCAL = 0x1b1 "ipv6_mc_dip_interface_local_scope" Drop Discard;
    FLOW_ACTION_TRAP = 0x1c0 "flow_action_trap" Control Discard;
    MULTICAST = 0x1c1 "multicast" Internal Discard;
    MULTICAST_FORWARDED = 0x1c2 "multicast_forwarded" Internal Discard;
}

#[cfg(test)]
mod tests {
    use super::*;

    // Would break: ids are missed, so HPKT refuses traps that exist.
    #[test]
    fn ids_rise() {
        assert!(TRAPS.windows(2).all(|pair| pair[0].id < pair[1].id));
        for trap in TRAPS {
            assert_eq!(by_id(trap.id).unwrap().1, trap);
        }
        assert!(by_id(0x02).is_none());
    }

    // Would break: the agent's trap names and ids (devlink's) do not exist on the chip.
    #[test]
    fn devlink_names_have_the_drivers_ids() {
        for (name, id) in [
            ("ipv4_vrrp", 0x59),
            ("ipv6_vrrp", 0x7a),
            ("arp_request", 0xe0),
            ("arp_response", 0xe1),
            ("ipv6_neigh_solicit", 0x8c),
            ("ipv6_neigh_advert", 0x8d),
            ("local_route", 0x5f),
            ("external_route", 0x70),
            ("ipv4_dhcp", 0x8f),
            ("mtu_value_is_too_small", 0x52),
            ("irif_disabled", 0x178),
        ] {
            assert_eq!(by_id(id).unwrap().1.name, name);
        }
    }
}
