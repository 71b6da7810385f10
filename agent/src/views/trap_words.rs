//! What does a packet trap of devlink mean, and when is it a problem? A table of words for people, in the order of `docs/traps.md`,
//! which a test makes from it.
//!
//! All generic traps of Linux (`include/net/devlink.h`), the one of prestera that carries VRRP, and the one that Firsthop's profile
//! has beside devlink's. Kinds are the kernel's: control
//! packets are for the CPU, exceptions are packets that the chip can't forward by itself, drops are packets that it drops.

/// What is to be said about a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// devlink's name
    pub name: &'static str,
    /// `control`, `exception` or `drop`
    pub kind: &'static str,
    /// Which packets it is about; a sentence of at most 160 characters.
    pub meaning: &'static str,
    /// When it is a problem, and what to do; at most 160 characters.
    pub advice: &'static str,
}

/// The words for a trap; None: its name is a driver's own.
pub fn words(name: &str) -> Option<Words> {
    WORDS.iter().find(|words| words.name == name).copied()
}

const fn control(name: &'static str, meaning: &'static str, advice: &'static str) -> Words {
    Words { name, kind: "control", meaning, advice }
}

const fn exception(name: &'static str, meaning: &'static str, advice: &'static str) -> Words {
    Words { name, kind: "exception", meaning, advice }
}

const fn drop(name: &'static str, meaning: &'static str, advice: &'static str) -> Words {
    Words { name, kind: "drop", meaning, advice }
}

/// By kind, then by name.
pub const WORDS: &[Words] = &[
    control(
        "arp_overlay",
        "ARP inside a tunnel, for the router that ends it.",
        "As ARP elsewhere; steady floods come from hosts behind the remote end.",
    ),
    control(
        "arp_request",
        "Somebody asks who has an IPv4 address.",
        "Thousands a second are a scan or a loop; if the policer drops, hosts can't find the virtual address.",
    ),
    control(
        "arp_response",
        "Somebody answers who has an IPv4 address; also the announcements after a failover.",
        "Bursts at failovers are normal; if the policer drops, the kernel keeps old neighbours.",
    ),
    control(
        "eapol",
        "Stations that authenticate at their port (802.1X).",
        "Normal when stations come up; if the policer drops, they can't get in.",
    ),
    control(
        "external_route",
        "Packets that follow a route which the chip can't serve, so that the kernel has to.",
        "With much traffic a bottleneck: see which routes lead to devices that are not switch ports.",
    ),
    control(
        "flow_action_sample",
        "Packets that a filter takes samples of.",
        "As configured: raise the sampling ratio if there are too many for the CPU.",
    ),
    control(
        "flow_action_trap",
        "Packets that a filter sends to the CPU.",
        "As configured: `tc -s filter show dev DEV ingress` counts which rule.",
    ),
    control(
        "igmp_query",
        "A querier asks which IPv4 groups are wanted.",
        "Normal every two minutes. None: without a querier, snooping switches forget groups.",
    ),
    control(
        "igmp_v1_report",
        "A host wants an IPv4 group (IGMP version 1).",
        "Normal but old: look why a host still speaks version 1.",
    ),
    control(
        "igmp_v2_leave",
        "A host does not want an IPv4 group any more (IGMP version 2).",
        "Normal when receivers stop.",
    ),
    control(
        "igmp_v2_report",
        "A host wants an IPv4 group (IGMP version 2).",
        "Normal after each query; a flood of them is a faulty host.",
    ),
    control(
        "igmp_v3_report",
        "A host wants IPv4 groups, perhaps of certain sources (IGMP version 3).",
        "Normal after each query; a flood of them is a faulty host.",
    ),
    control(
        "ipv4_bfd",
        "IPv4 messages by which two routers watch each other many times a second.",
        "If the policer drops any, sessions flap: raise its rate to that of all sessions together.",
    ),
    control(
        "ipv4_bgp",
        "BGP over IPv4.",
        "Bursts when a session starts are normal; if the policer drops, tables load slowly.",
    ),
    control(
        "ipv4_dhcp",
        "DHCP between clients, relays and servers.",
        "Bursts after a power cut are normal; if the policer drops, clients wait long for addresses.",
    ),
    control(
        "ipv4_ospf",
        "OSPF version 2 of neighbours.",
        "If the policer drops, adjacencies are lost when many routes change at once.",
    ),
    control(
        "ipv4_pim",
        "PIM of IPv4 multicast routers.",
        "Normal every 30 s for each neighbour; if it stays away, multicast stops after some minutes.",
    ),
    control(
        "ipv4_router_alert",
        "IPv4 packets that ask every router on the way to look at them.",
        "Normal for RSVP and IGMP; many from outside are suspicious.",
    ),
    control(
        "ipv4_vrrp",
        "VRRP advertisements over IPv4.",
        "If the policer drops any, a backup may become active beside the master: raise rate and burst.",
    ),
    control(
        "ipv6_bfd",
        "IPv6 messages by which two routers watch each other many times a second.",
        "If the policer drops any, sessions flap: raise its rate to that of all sessions together.",
    ),
    control(
        "ipv6_bgp",
        "BGP over IPv6.",
        "Bursts when a session starts are normal; if the policer drops, tables load slowly.",
    ),
    control(
        "ipv6_dhcp",
        "DHCPv6 between clients, relays and servers.",
        "Bursts after a power cut are normal; if the policer drops, clients wait long for addresses.",
    ),
    control(
        "ipv6_dip_all_nodes",
        "Packets to all IPv6 nodes of a link (ff02::1).",
        "Normal: router advertisements and announcements; a flood is a loop.",
    ),
    control(
        "ipv6_dip_all_routers",
        "Packets to all IPv6 routers of a link (ff02::2).",
        "Normal: router solicitations of hosts that come up.",
    ),
    control(
        "ipv6_neigh_advert",
        "Somebody answers who has an IPv6 address; also the announcements after a failover.",
        "Bursts at failovers are normal; if the policer drops, the kernel keeps old neighbours.",
    ),
    control(
        "ipv6_neigh_solicit",
        "Somebody asks who has an IPv6 address, or whether it is free.",
        "Thousands a second are a scan; if the policer drops, hosts can't find the virtual address.",
    ),
    control(
        "ipv6_ospf",
        "OSPF version 3 of neighbours.",
        "If the policer drops, adjacencies are lost when many routes change at once.",
    ),
    control(
        "ipv6_pim",
        "PIM of IPv6 multicast routers.",
        "Normal every 30 s for each neighbour; if it stays away, multicast stops after some minutes.",
    ),
    control(
        "ipv6_redirect",
        "A router tells of a better first hop.",
        "Rare; from an unknown source it may be an attack.",
    ),
    control(
        "ipv6_router_advert",
        "A router offers itself to hosts.",
        "If it is none of yours, somebody plays router: find it by its source MAC.",
    ),
    control(
        "ipv6_router_alert",
        "IPv6 packets that ask every router on the way to look at them.",
        "Normal for MLD and RSVP; many from outside are suspicious.",
    ),
    control(
        "ipv6_router_solicit",
        "A host asks for a router.",
        "Normal when hosts come up; if the policer drops, they wait for the next advertisement.",
    ),
    control(
        "ipv6_uc_dip_link_local_scope",
        "Packets to a link-local IPv6 address of the router.",
        "Normal: routing protocols and neighbour discovery use it.",
    ),
    control(
        "ipv6_vrrp",
        "VRRP advertisements over IPv6.",
        "If the policer drops any, a backup may become active beside the master: raise rate and burst.",
    ),
    control(
        "lacp",
        "Messages by which both ends of a link aggregation agree.",
        "One a second or one in 30 s for each member is normal; if they stay away, the member leaves the bond.",
    ),
    control(
        "lldp",
        "Neighbours that tell who they are.",
        "Normal every 30 s; none is no problem for traffic.",
    ),
    control(
        "local_route",
        "Packets to one of the router's own IPv4 or IPv6 addresses.",
        "Management and pings. If the policer drops, logins and pings to virtual addresses suffer; routed traffic does not.",
    ),
    control(
        "mld_query",
        "A querier asks which IPv6 groups are wanted.",
        "Normal every two minutes. None: without a querier, snooping switches forget groups.",
    ),
    control(
        "mld_v1_done",
        "A host does not want an IPv6 group any more (MLD version 1).",
        "Normal when receivers stop.",
    ),
    control(
        "mld_v1_report",
        "A host wants an IPv6 group (MLD version 1).",
        "Normal, also for each new IPv6 address.",
    ),
    control(
        "mld_v2_report",
        "A host wants IPv6 groups, perhaps of certain sources (MLD version 2).",
        "Normal, also for each new IPv6 address.",
    ),
    control(
        "multicast",
        "Multicast to which no multicast route leads (Firsthop's name; devlink has none).",
        "Normal for groups that hosts announce; streams that nobody routes cost the CPU up to the policer's rate.",
    ),
    control(
        "ptp_event",
        "Precision time messages that need a time stamp.",
        "Normal at the clock's rate; if the policer drops, clocks drift.",
    ),
    control(
        "ptp_general",
        "Precision time messages without a time stamp.",
        "Normal at the clock's rate; if the policer drops, clocks drift.",
    ),
    control(
        "stp",
        "Spanning-tree messages of neighbours.",
        "None while the bridge runs STP with neighbours: the tree will break. Many per second: flapping.",
    ),
    control(
        "uc_loopback",
        "A packet would be routed out of the interface where it came in.",
        "Normal with several networks on one link; the kernel may send a redirect. Much of it: fix the sender's gateway.",
    ),
    control(
        "vrrp",
        "VRRP advertisements, of either IP version (prestera's own name).",
        "If the policer drops any, a backup may become active beside the master: raise rate and burst.",
    ),
    exception(
        "decap_error",
        "A tunnelled packet could not be unpacked.",
        "Compare both ends of the tunnel: flags, checksums and the marking of congestion (ECN) must agree.",
    ),
    exception(
        "ipv4_lpm_miss",
        "No IPv4 route matches the destination.",
        "Add a route, or a default route if there should be one; scans cause some on every router.",
    ),
    exception(
        "ipv6_lpm_miss",
        "No IPv6 route matches the destination.",
        "Add a route, or a default route if there should be one; scans cause some on every router.",
    ),
    exception(
        "mc_reverse_path_forwarding",
        "A multicast packet came in by another interface than the one towards its source.",
        "Normal for a moment after a change; otherwise unicast and multicast routing disagree about the way back.",
    ),
    exception(
        "mtu_value_is_too_small",
        "The packet is larger than the interface it has to leave by.",
        "The kernel fragments or answers \"too big\"; much of it is slow. Make MTUs on the way equal.",
    ),
    exception(
        "reject_route",
        "A route says unreachable or prohibited, and the sender is told.",
        "As configured, or a daemon's answer to lost routes: `ip route get ADDRESS`.",
    ),
    exception(
        "ttl_value_is_too_small",
        "The packet's TTL or hop limit ran out here.",
        "Traceroute does it on purpose; many mean a routing loop: `ip route get`, then the same on the next router.",
    ),
    exception(
        "unresolved_neigh",
        "The next hop's MAC is not known yet, and the kernel has to ask for it.",
        "A few are normal. Steady ones mean a dead next hop: `ip neigh` shows FAILED.",
    ),
    drop(
        "arp_parsing",
        "An ARP packet is cut or makes no sense.",
        "Find the sender: neighbours are not resolved by such packets.",
    ),
    drop(
        "blackhole_nexthop",
        "The route's next hop says that packets are to be dropped.",
        "As configured: `ip nexthop` shows which; daemons do it to reject traffic on purpose.",
    ),
    drop(
        "blackhole_route",
        "A route says that packets to this destination are to be dropped.",
        "Look for it with `ip route get ADDRESS`; it is as configured, or a summary route without a more specific one.",
    ),
    drop(
        "dccp_parsing",
        "A DCCP header is cut or makes no sense.",
        "Look at the sender; hardly anything uses DCCP.",
    ),
    drop(
        "dip_is_loopback_address",
        "The packet is to a loopback address, which must not be on a network.",
        "Misconfigured or hostile sender; drop it at its port if it goes on.",
    ),
    drop(
        "dmac_filter",
        "The frame is for another MAC than the port accepts.",
        "Normal where a neighbour floods; if it is a virtual MAC, `firsthop explain DEV` says why it is not accepted.",
    ),
    drop(
        "early_drop",
        "A queue dropped at random before it was full, so that senders slow down.",
        "Normal under load with RED; if links are not busy, its thresholds are too low.",
    ),
    drop(
        "egress_flow_action_drop",
        "A filter on the way out says drop.",
        "As configured: `tc -s filter show dev DEV egress` counts which rule.",
    ),
    drop(
        "esp_parsing",
        "An ESP header is cut or makes no sense.",
        "Look at both ends of the IPsec connection and at MTUs between.",
    ),
    drop(
        "gre_parsing",
        "A GRE header is cut or makes no sense.",
        "Compare the options of both tunnel ends.",
    ),
    drop(
        "gtp_parsing",
        "A GTP header is cut or makes no sense.",
        "Look at the mobile core's node that sends it.",
    ),
    drop(
        "ingress_flow_action_drop",
        "A filter on the way in says drop.",
        "As configured: `tc -s filter show dev DEV ingress` counts which rule.",
    ),
    drop(
        "ingress_spanning_tree_filter",
        "The port's spanning-tree state does not let frames of this VLAN in.",
        "Normal on blocked ports; if the port should forward, look at `bridge link` and at who the root bridge is.",
    ),
    drop(
        "ingress_vlan_filter",
        "The frame's VLAN is not allowed on the port where it came in.",
        "Add the VLAN to the bridge port (`bridge vlan add`), or take it off the neighbour's trunk.",
    ),
    drop(
        "ip_1_parsing",
        "The outer, or only, IP header is cut or makes no sense.",
        "Look at error counters of the port, then at the sender.",
    ),
    drop(
        "ip_header_corrupted",
        "The IP header's version, length or checksum is wrong.",
        "A few come from bad cables or adapters; look at error counters of the port and of the neighbour.",
    ),
    drop(
        "ip_n_parsing",
        "An inner IP header is cut or makes no sense.",
        "Look at the host behind the tunnel and at MTUs on its way.",
    ),
    drop(
        "ipsec_parsing",
        "An IPsec header is cut or makes no sense.",
        "Look at both ends of the IPsec connection and at MTUs between.",
    ),
    drop(
        "ipv4_sip_is_limited_bc",
        "The packet's source is 255.255.255.255.",
        "Misconfigured or hostile sender; find it by its source MAC.",
    ),
    drop(
        "ipv6_mc_dip_interface_local_scope",
        "The IPv6 multicast destination is for the sender's own host only (scope 1).",
        "A faulty sender; no router passes such packets.",
    ),
    drop(
        "ipv6_mc_dip_reserved_scope",
        "The IPv6 multicast destination has the reserved scope 0.",
        "A faulty sender; no router passes such packets.",
    ),
    drop(
        "llc_snap_parsing",
        "An LLC or SNAP header is cut or makes no sense.",
        "Find the sender; few protocols use these headers today.",
    ),
    drop(
        "locked_port",
        "The sender's MAC is not authorised on a locked port.",
        "Let the station authenticate (802.1X), or add a static entry for its MAC.",
    ),
    drop(
        "mpls_parsing",
        "An MPLS label stack is cut, too deep or makes no sense.",
        "Look at the neighbour's label stack and at the depth that the chip can read.",
    ),
    drop(
        "non_ip",
        "A frame for a router's MAC is neither IPv4, IPv6 nor a protocol that the router handles.",
        "Find the sender: it takes the router for a host of another protocol. Harmless to routing.",
    ),
    drop(
        "non_routable_packet",
        "The packet came to the router and the rules of IP forbid to route it.",
        "Find sender and destination with a trapped copy; link-local destinations are the usual cause.",
    ),
    drop(
        "overlay_smac_is_mc",
        "The frame inside a tunnel has a group address as its source.",
        "Find the station behind the remote tunnel end that sends it.",
    ),
    drop(
        "port_list_is_empty",
        "The frame was to be flooded, and no other port of the VLAN can take it.",
        "Normal while other ports are down; otherwise the VLAN has no second member.",
    ),
    drop(
        "port_loopback_filter",
        "The frame would have to leave by the port where it came in.",
        "A few are normal after a station moved; many mean that the neighbour floods, or that MACs are learnt on the wrong port.",
    ),
    drop(
        "pppoe_ppp_parsing",
        "A PPPoE or PPP header is cut or makes no sense.",
        "Look at the PPPoE client or server on that port.",
    ),
    drop(
        "sctp_parsing",
        "An SCTP header is cut or makes no sense.",
        "Look at the sender; a few may be scans.",
    ),
    drop(
        "sip_is_loopback_address",
        "The packet's source is a loopback address.",
        "Misconfigured or hostile sender; find it by its source MAC.",
    ),
    drop(
        "sip_is_mc",
        "The packet's source is a multicast address, which nobody can have.",
        "Misconfigured or hostile sender; find it by its source MAC.",
    ),
    drop(
        "source_mac_is_multicast",
        "The frame's source address is a group address, which no station may have.",
        "Rare and harmless; if it goes on, find the sender by its port's counters: its driver or a loop damages frames.",
    ),
    drop(
        "tail_drop",
        "A queue towards a port was full.",
        "The port gets more than it can send: look for congestion, speed mismatch or bursts, and at buffer sizes.",
    ),
    drop(
        "tcp_parsing",
        "A TCP header is cut or makes no sense.",
        "Look at the sender; a few may be scans.",
    ),
    drop(
        "uc_dip_over_mc_dmac",
        "The packet has a unicast IP destination in a frame to a group MAC.",
        "A sender floods unicast by mistake; see whether a load balancer uses multicast MACs.",
    ),
    drop(
        "udp_parsing",
        "A UDP header is cut or makes no sense.",
        "Look at the sender; a few may be scans.",
    ),
    drop(
        "vlan_parsing",
        "A VLAN header is cut or makes no sense.",
        "Look at the neighbour's tagging and at the cable.",
    ),
    drop(
        "vlan_tag_mismatch",
        "The frame's tag is of a kind that the port does not accept, such as none on a port without a PVID.",
        "Compare the port's PVID and the neighbour's tagging: `bridge vlan show dev DEV`.",
    ),
    drop(
        "vxlan_parsing",
        "A VXLAN header is cut or makes no sense.",
        "Look at the remote tunnel end, and at MTUs between.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use firsthop_model::intent::CONTROL_TRAPS;

    use super::*;

    // Broken if a trap had two entries, none of the profile's traps had one, or a text did not fit a line or was no sentence.
    #[test]
    fn every_trap_of_the_profile_has_words() {
        let names: BTreeSet<&str> = WORDS.iter().map(|words| words.name).collect();
        assert_eq!(names.len(), WORDS.len(), "a name stands twice");
        for trap in CONTROL_TRAPS {
            let found = words(trap.name).unwrap_or_else(|| panic!("{} has no words", trap.name));
            assert_eq!(found.kind, trap.kind, "{}", trap.name);
        }
        for Words { name, meaning, advice, .. } in WORDS {
            for text in [meaning, advice] {
                let length = text.chars().count();
                assert!((10..=160).contains(&length) && text.ends_with('.'), "{name}: {text}");
            }
        }
        let kinds = ["control", "exception", "drop"];
        let order = |words: &Words| (kinds.iter().position(|kind| *kind == words.kind), words.name);
        assert!(WORDS.is_sorted_by_key(order), "out of order");
        assert_eq!(words("nothing"), None);
    }

    // Broken if docs/traps.md says something else than the programs.
    #[test]
    fn docs_agree() {
        let mut page = String::from(
            "# Packet traps\n\nWhat the packet traps of devlink mean, and when they are a problem. Names are those of \
             `devlink trap` and `firsthop trap`;\n`-s` counts packets. Control packets and exceptions always go to the CPU; \
             of drops, `devlink trap set` decides whether a copy does.\n",
        );
        let mut kind = "";
        for words in WORDS {
            if words.kind != kind {
                kind = words.kind;
                let text = match kind {
                    "control" => "Packets that the CPU wants, such as those of routing protocols.",
                    "exception" => "Packets that the chip can't forward by itself.",
                    _ => {
                        "Packets that the chip drops; a copy goes to the CPU if the trap's action is `trap`."
                    }
                };
                write!(
                    page,
                    "\n## {kind}\n\n{text}\n\n| trap | meaning | what to do |\n|---|---|---|\n"
                )
                .unwrap();
            }
            writeln!(page, "| `{}` | {} | {} |", words.name, words.meaning, words.advice).unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/traps.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap() == page, "Run this test with UPDATE=1");
    }
}
