//! What mlxsw does, what Firsthop does instead, and which test proves it: the table of `docs/conformance.md`, which is made
//! from this one (UPDATE=1). A row whose proof does not exist any more fails.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use Verdict::{Better, Same};

/// How a rule of the driver's is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    /// Deliberately otherwise.
    Better,
}

/// Rule, where it is in Linux 6.12's drivers/net/ethernet/mellanox/mlxsw, what Firsthop does, verdict, `file:test`.
type Row = (&'static str, &'static str, &'static str, Verdict, &'static str);

const SECTIONS: &[(&str, &[Row])] = &[
    (
        "Router interfaces",
        &[
            (
                "The first address of either family makes a router interface, link-locals included; the last one's removal ends it",
                "mlxsw_sp_rif_should_config",
                "the same",
                Same,
                "agent/model/src/intent/tests.rs:a_router_interface_needs_an_address",
            ),
            (
                "Addresses set by SLAAC or after duplicate-address detection never make one: no validator runs for them",
                "mlxsw_sp_inet6addr_valid_event",
                "they count as any other, once they are valid",
                Better,
                "agent/model/src/intent/tests.rs:a_router_interface_needs_an_address",
            ),
            (
                "A VRF slave keeps its router interface without addresses",
                "mlxsw_sp_rif_should_config",
                "the same",
                Same,
                "selftests/rif_kinds.sh:vrf_comes_and_goes",
            ),
            (
                "Leaving a VRF destroys the router interface; it stays away until a new address event",
                "mlxsw_sp_port_vrf_leave",
                "it comes back at once while addresses exist",
                Better,
                "selftests/rif_kinds.sh:vrf_comes_and_goes",
            ),
            (
                "Port: SP_IF with a FID of its own",
                "mlxsw_sp_rif_subport_configure",
                "the same",
                Same,
                "selftests/rif_kinds.sh:port",
            ),
            (
                "LAG: one SP_IF, shared by the members; it goes with the last",
                "mlxsw_sp_port_vlan_router_join",
                "the same",
                Same,
                "selftests/rif_kinds.sh:lag_members_leave",
            ),
            (
                "VLAN of a port or LAG: SP_IF by {port, VID}",
                "mlxsw_sp_inetaddr_port_vlan_event",
                "the same",
                Same,
                "selftests/rif_kinds.sh:vlan_of_bond",
            ),
            (
                "VLAN-unaware bridge: FID_IF in its 802.1D FID",
                "mlxsw_sp_rif_fid_configure",
                "the same",
                Same,
                "selftests/rif_kinds.sh:unaware_bridge",
            ),
            (
                "VLAN-aware bridge: VLAN_IF in the FID of its PVID; none without a PVID",
                "mlxsw_sp_inetaddr_bridge_event",
                "the same; the reason is told (`no_pvid`)",
                Same,
                "selftests/rif_kinds.sh:aware_bridge_on_its_pvid",
            ),
            (
                "VLAN device of a VLAN-aware bridge: VLAN_IF; nothing if the VLAN is the bridge's PVID",
                "mlxsw_sp_inetaddr_vlan_event",
                "the same; told as `vlan_is_pvid`",
                Same,
                "agent/model/src/reconcile/tests/places.rs:the_pvid_moves_the_router_interface",
            ),
            (
                "A moved PVID moves the bridge's router interface, and gives the VLAN device its own back",
                "mlxsw_sp_router_bridge_vlan_add",
                "the same",
                Same,
                "selftests/rif_kinds.sh:pvid_moves",
            ),
            (
                "Membership of ports in the VLAN is not needed",
                "mlxsw_sp_fid_8021q_get",
                "the same",
                Same,
                "agent/model/src/reconcile/tests/places.rs:the_pvid_moves_the_router_interface",
            ),
            (
                "The last chip port that leaves a bridge takes its router interfaces with it, those of its uppers as well",
                "mlxsw_sp_bridge_device_rifs_destroy",
                "the same",
                Same,
                "selftests/rif_kinds.sh:last_port_leaves_the_bridge",
            ),
            (
                "Entering and leaving a bridge or LAG replays addresses",
                "mlxsw_sp_netdevice_enslavement_replay",
                "nothing is replayed: what should be is computed from what is, in any order",
                Better,
                "agent/tests/properties/order.rs:every_order_of_steps_of_even_scenarios",
            ),
            (
                "Virtual router by table; local and default are main; freed when unused",
                "mlxsw_sp_vr_get",
                "the same",
                Same,
                "selftests/tables_full.sh:virtual_routers",
            ),
            (
                "Admin state and carrier do not matter to a router interface",
                "mlxsw_sp_netdevice_event",
                "the same",
                Same,
                "agent/model/src/reconcile/tests.rs:mac_and_mtu_are_edited_in_place",
            ),
            (
                "MAC and MTU are edited in place: old record removed, RITR, new record: no record in between",
                "mlxsw_sp_router_port_change_event",
                "the new record first, the old one last",
                Better,
                "selftests/rif.sh:mac_is_edited_in_place",
            ),
            (
                "A failing table vetoes the address",
                "mlxsw_sp_inetaddr_valid_event",
                "can't veto: `refused`, with the table's name; programmed as soon as a row is freed",
                Better,
                "selftests/tables_full.sh:router_interfaces",
            ),
        ],
    ),
    (
        "MACs of router interfaces",
        &[
            (
                "A profile is shared by MACs with the same prefix (38 bits on Spectrum-1, 36 later)",
                "mlxsw_sp_rif_mac_profile_find",
                "the same",
                Same,
                "selftests/tables_full.sh:mac_profiles",
            ),
            (
                "An unshared profile is edited in place, also when the table is full",
                "mlxsw_sp_rif_mac_profile_replace",
                "the same",
                Same,
                "selftests/tables_full.sh:mac_profile_of_an_incumbent",
            ),
            (
                "A MAC that fits no profile is vetoed",
                "mlxsw_sp_router_port_pre_changeaddr_event",
                "the chip keeps the former MAC (`rif_mac_profiles_full`); tried again when a profile is freed",
                Better,
                "agent/model/src/reconcile/tests.rs:a_mac_without_a_profile_keeps_the_old_one",
            ),
            (
                "Receiving addresses besides the own MAC are not looked at",
                "mlxsw_sp_rif_macvlan_replay",
                "a former MAC that stays in the filters (vrrpd) is accepted, a backup's macvlan in the same filters is not",
                Better,
                "agent/model/src/intent/tests.rs:accept_set",
            ),
        ],
    ),
    (
        "Macvlans",
        &[
            (
                "Any address puts a macvlan's MAC into the chip, whatever its state",
                "mlxsw_sp_inetaddr_macvlan_event",
                "by policy; by default only an active router's (policy `address` is the driver's rule)",
                Better,
                "agent/model/src/intent/tests.rs:active_policy",
            ),
            (
                "A new router interface takes all macvlans above it, without addresses and down ones too",
                "mlxsw_sp_rif_macvlan_replay",
                "only those that are admitted",
                Better,
                "selftests/vmac.sh:address_decides",
            ),
            (
                "Its mode is not looked at",
                "mlxsw_sp_rif_macvlan_add",
                "the same, but passthru has no MAC of its own (`macvlan_passthru`)",
                Same,
                "agent/model/src/intent/tests.rs:macvlans_without_a_lower_here",
            ),
            (
                "A MAC change leaves the old record for ever",
                "mlxsw_sp_rif_macvlan_add",
                "new record, then the old one goes",
                Better,
                "selftests/vmac.sh:mac_change_is_make_before_break",
            ),
            (
                "Two owners of one MAC: the first that goes takes the record with it",
                "mlxsw_sp_rif_macvlan_del",
                "the record goes with the last",
                Better,
                "agent/model/src/reconcile/tests.rs:two_owners_of_one_mac",
            ),
            (
                "Its VRF is ignored",
                "mlxsw_sp_netdevice_vrf_event",
                "another VRF than the lower's is told (`vrf_mismatch`) and not offloaded: it would be looked up in the wrong table",
                Better,
                "agent/tests/properties/steps.rs:every_step_agrees_with_the_oracle",
            ),
            (
                "Router interface goes: records go, up to the first error",
                "mlxsw_sp_rif_macvlan_flush",
                "all go; what fails is tried again",
                Better,
                "agent/tests/properties/failures.rs:failures_heal",
            ),
            (
                "On a bridge, a learnt entry of its MAC is deleted once",
                "mlxsw_sp_rif_vlan_fdb_del",
                "deleted, and not learnt again while it is programmed; learnt as any other while it is not",
                Better,
                "selftests/bridge_fdb.sh:a_router_mac_is_local",
            ),
        ],
    ),
    (
        "VRRP",
        &[
            (
                "One VRRP id per family and router interface; the last one written holds it, any removal clears it",
                "mlxsw_sp_rif_vrrp_op",
                "the lowest VRID holds it; the next takes over; forwarding never depends on it",
                Better,
                "agent/model/src/reconcile/tests.rs:the_slot_goes_to_the_lowest_and_is_promoted",
            ),
            (
                "Advertisements: trapped in group vrrp, 256 packets a second, burst 128",
                "spectrum_trap.c",
                "the same trap and group; 1,024 a second, burst 1,024, so that 510 virtual routers lose none",
                Better,
                "selftests/vrrp_trap.sh:vrrp_policer_has_its_size",
            ),
            (
                "A bridge floods advertisements, and its router's copy is trapped once",
                "spectrum_trap.c, offload_fwd_mark",
                "the same",
                Same,
                "selftests/rif_kinds.sh:floods_once",
            ),
            (
                "HSRP and GLBP have no traps of their own",
                "spectrum_trap.c",
                "the same",
                Same,
                "selftests/vmac_schemes.sh:hsrp_takes_the_multicast_path",
            ),
        ],
    ),
    (
        "Bridging",
        &[
            (
                "VLANs of the VLAN-aware bridge have 802.1Q FIDs, VLAN-unaware bridges 802.1D FIDs",
                "spectrum_fid.c",
                "the same",
                Same,
                "selftests/rif_kinds.sh:vlans_stay_apart",
            ),
            (
                "Learnt MACs are polled every 100 ms and told to the kernel's bridge",
                "mlxsw_sp_fdb_notify_work",
                "the same (extern_learn)",
                Same,
                "selftests/bridge_fdb.sh:learnt_macs_are_mirrored",
            ),
            (
                "A port that leaves a FID has its learnt MACs flushed",
                "mlxsw_sp_bridge_port_fdb_flush",
                "the same",
                Same,
                "selftests/bridge_fdb.sh:a_flushed_port_forgets",
            ),
            (
                "Spanning-tree state of the bridge port, in all its VLANs",
                "mlxsw_sp_port_attr_stp_state_set",
                "the same",
                Same,
                "selftests/rif_kinds.sh:spanning_tree_blocks",
            ),
            (
                "IGMP and MLD reports are trapped and forwarded by software",
                "spectrum_trap.c",
                "the same; the simulator makes the copies, as its ports are isolated in the kernel",
                Same,
                "hwsim/src/chip/tests/groups.rs:copies_of_reports_go_where_the_frame_would_have_gone",
            ),
            (
                "Members of a bridge that are not the chip's: the chip knows nothing of the MACs behind them",
                "spectrum_switchdev.c",
                "the same; told as `foreign_bridge_member`",
                Same,
                "selftests/rif_kinds.sh:a_veth_in_the_bridge",
            ),
            (
                "vlan_filtering of an offloaded bridge can't be changed (-EINVAL)",
                "mlxsw_sp_port_attr_br_vlan_set",
                "it can",
                Better,
                "selftests/rif_kinds.sh:vlan_filtering_toggles",
            ),
            (
                "Unicast IP under a group MAC is flooded, not routed, and counted (uc_dip_over_mc_dmac)",
                "spectrum_trap.c",
                "the same",
                Same,
                "hwsim/src/chip/tests/groups.rs:unicast_under_a_group_address_is_flooded_and_never_routed",
            ),
        ],
    ),
    (
        "What the driver vetoes, and Firsthop says",
        &[
            (
                "Unknown upper device type",
                "mlxsw_sp_netdevice_port_upper_event",
                "`upper_unsupported`; of a macvlan `macvlan_enslaved`",
                Same,
                "selftests/rif_vetoes.sh:upper_unsupported",
            ),
            (
                "LAG device using unsupported Tx type",
                "mlxsw_sp_master_lag_check",
                "`lag_mode_unsupported`",
                Same,
                "selftests/rif_vetoes.sh:lag_mode_unsupported",
            ),
            (
                "Exceeded number of supported LAG devices",
                "mlxsw_sp_lag_index_get",
                "`lag_table_full`",
                Same,
                "selftests/tables_full.sh:link_aggregation_groups",
            ),
            (
                "Master device is a LAG master and this device has a VLAN; Can not put a VLAN on a LAG port",
                "mlxsw_sp_netdevice_port_upper_event",
                "`vlan_on_lag_port`",
                Same,
                "selftests/rif_vetoes.sh:vlan_on_lag_port",
            ),
            (
                "Enslaving a port to a bridge with unknown VLAN protocol",
                "mlxsw_sp_netdevice_port_upper_event",
                "`bridge_protocol_unknown`",
                Same,
                "selftests/oracle/src/tests/shapes.rs:each_reason_against",
            ),
            (
                "802.1ad: address on the bridge, uppers of the bridge, VLANs on its ports",
                "mlxsw_sp_inetaddr_bridge_event",
                "`bridge_8021ad`, `upper_on_8021ad_bridge`, `vlan_on_8021ad_port`",
                Same,
                "selftests/rif_vetoes.sh:bridge_8021ad",
            ),
            (
                "VLAN uppers are only supported with 802.1q VLAN protocol",
                "mlxsw_sp_netdevice_port_upper_event",
                "`vlan_protocol_unsupported`",
                Same,
                "selftests/rif_vetoes.sh:vlan_protocol_unsupported",
            ),
            (
                "VLAN uppers are not supported on a locked port",
                "mlxsw_sp_netdevice_port_upper_event",
                "`vlan_on_locked_port`",
                Same,
                "selftests/rif_vetoes.sh:vlan_on_locked_port",
            ),
            (
                "Only one VLAN-aware bridge is supported",
                "mlxsw_sp_bridge_device_create",
                "`second_vlan_aware_bridge`",
                Same,
                "agent/model/src/reconcile/tests/places.rs:one_aware_bridge",
            ),
            (
                "Can not enslave a VLAN device to a VLAN-aware bridge",
                "mlxsw_sp_bridge_8021q_port_join",
                "`vlan_in_vlan_aware_bridge`",
                Same,
                "selftests/rif_vetoes.sh:vlan_in_vlan_aware_bridge",
            ),
            (
                "Can not bridge VLAN uppers of the same port",
                "mlxsw_sp_port_is_br_member",
                "`vlans_of_one_port_bridged`",
                Same,
                "selftests/rif_vetoes.sh:vlans_of_one_port_bridged",
            ),
            (
                "A VLAN device and the bridge want the same VLAN of a port",
                "mlxsw_sp_port_vlan_create",
                "`vlan_in_bridge`",
                Same,
                "selftests/rif_vetoes.sh:vlan_in_bridge",
            ),
            (
                "A VLAN device of a VLAN-unaware bridge is accepted and does nothing",
                "mlxsw_sp_inetaddr_vlan_event",
                "told: `vlan_of_unaware_bridge`",
                Better,
                "agent/model/src/reconcile/tests/places.rs:vlan_filtering_changes",
            ),
            (
                "An ipvlan is refused",
                "mlxsw_sp_netdevice_port_upper_event",
                "works: it shares the port's MAC; each mode and flag has a verdict",
                Better,
                "selftests/ipvlan.sh:l2_bridge",
            ),
            (
                "More router interfaces, virtual routers or MAC profiles than there are",
                "mlxsw_sp_rif_create",
                "`rif_table_full`, `vr_table_full`, `rif_mac_profiles_full`",
                Same,
                "selftests/tables_full.sh:router_interfaces",
            ),
        ],
    ),
    (
        "Failures and restarts",
        &[
            (
                "Nothing is tried again",
                "spectrum_router.c",
                "each failed write is tried again, with growing pauses",
                Better,
                "agent/tests/properties/failures.rs:failures_heal",
            ),
            (
                "A reload takes everything out of the chip",
                "mlxsw_core_bus_device_unregister",
                "a restart reads the chip back and writes the difference: nothing, where nothing changed",
                Better,
                "selftests/rif_kinds.sh:killed_and_started_again_writes_nothing",
            ),
            (
                "Router interfaces are disabled before what they hang on is unbound",
                "mlxsw_sp_router_rif_gone_sync",
                "the same",
                Same,
                "agent/model/src/reconcile/tests.rs:nothing_stays_behind",
            ),
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The whole page.
fn page() -> String {
    let mut page = String::from(
        "# Conformance with mlxsw\n\n\
         What the Linux driver for Spectrum switches does (6.12), rule by rule, and what Firsthop does on the same chip. *better* is\n\
         deliberately otherwise. Each row names the test that proves it; a test of its own checks that it is there and makes this page.\n",
    );
    for (title, rows) in SECTIONS {
        write!(
            page,
            "\n## {title}\n\n| mlxsw | in | Firsthop | | proof |\n|---|---|---|---|---|\n"
        )
        .unwrap();
        for (rule, place, ours, verdict, proof) in *rows {
            let verdict = if *verdict == Same { "same" } else { "better" };
            let (file, test) = proof.rsplit_once(':').unwrap();
            writeln!(page, "| {rule} | `{place}` | {ours} | {verdict} | [`{test}`](../{file}) |")
                .unwrap();
        }
    }
    page
}

// Broken if a row's proof were renamed or deleted, and the row went on claiming it.
#[test]
fn every_proof_exists() {
    let rows = SECTIONS.iter().flat_map(|(_, rows)| *rows);
    let missing: Vec<&str> = rows
        .map(|row| row.4)
        .filter(|proof| {
            let (file, test) = proof.rsplit_once(':').unwrap();
            let text = fs::read_to_string(root().join(file)).unwrap_or_default();
            !text.contains(&format!("fn {test}()")) && !text.contains(&format!("\n{test}() {{"))
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

// Broken if the page that people read said something else than the table. UPDATE=1 rewrites the page.
#[test]
fn the_page_is_the_table() {
    let path = root().join("docs/conformance.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page()).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap_or_default() == page(), "Run this test with UPDATE=1");
}
