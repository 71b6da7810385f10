//! Do the random stories come by everything that the rules speak of?

use std::cell::RefCell;
use std::collections::BTreeMap;

use oracle::{Shape, Switch};

use crate::check;
use crate::judge::has_room;
use crate::rig::Rig;
use crate::stories::{action, story};
use crate::world::World;

// Broken if stories no longer came by some verdict, shape or shortage, so that the other properties would judge nothing.
#[test]
fn stories_reach_everything() {
    let seen = RefCell::new(BTreeMap::<String, u32>::new());
    check(400, 1, story(action(), 30), |story| {
        let mut seen = seen.borrow_mut();
        let mut note = |what: String| *seen.entry(what).or_default() += 1;
        let mut world = World::new();
        let tiny = Rig::new("tiny", 0);
        for action in &story.0 {
            world.act(action);
            let kernel = &world.kernel;
            for ifindex in kernel.devices.keys() {
                if let Some(verdict) = oracle::verdict(kernel, *ifindex) {
                    note(format!("{} {}", verdict.state, verdict.reason.unwrap_or("-")));
                } else if let Err(reason) = oracle::shape(kernel, *ifindex) {
                    note(format!("no rif {reason}"));
                }
                if let Some(reason) = oracle::member_refusal(kernel, *ifindex) {
                    note(format!("not bridged {reason}"));
                }
                if !oracle::accept_set(kernel, *ifindex).is_empty() {
                    note("accept set".to_owned());
                }
            }
            let switch = Switch::of(kernel);
            note(format!("room {}", has_room(&tiny, &world)));
            for rif in switch.router_interfaces.values() {
                note(match &rif.shape {
                    Shape::Subport { ports, vid } => {
                        format!("sub-port of {} ports, vlan {}", ports.len().min(2), vid.is_some())
                    }
                    Shape::Vlan { .. } => "vlan rif".to_owned(),
                    Shape::Fid { .. } => "fid rif".to_owned(),
                });
                if rif.answers.values().any(|owners| owners.len() > 1) {
                    note("two owners of one MAC".to_owned());
                }
                if rif.vrrp_ipv4.is_some() && rif.vrrp_ipv6.is_some() {
                    note("both slots held".to_owned());
                }
            }
        }
        Ok(())
    });
    let seen = seen.into_inner();
    let missing: Vec<_> =
        EVERYTHING.iter().filter(|what| seen.get(**what).is_none_or(|times| *times < 3)).collect();
    assert!(missing.is_empty(), "Too rare: {missing:#?} of {seen:#?}");
}

const EVERYTHING: [&str; 57] = [
    "not_offloaded foreign_netns",
    "not_offloaded lower_not_asic",
    "not_offloaded excluded_by_config",
    "not_offloaded macvlan_enslaved",
    "not_offloaded macvlan_passthru",
    "not_offloaded mac_multicast",
    "not_offloaded ipvlan_shares_mac",
    "not_offloaded ipvlan_vepa_reflection",
    "not_offloaded upper_on_8021ad_bridge",
    "held no_rif",
    "held macvlan_down",
    "held protodown",
    "held lower_down",
    "held no_address",
    "held linklocal_only",
    "refused vrf_mismatch",
    "offload -",
    "offload vrid_conflict",
    "no rif lower_not_asic",
    "no rif excluded_by_config",
    "no rif upper_unsupported",
    "no rif lag_mode_unsupported",
    "no rif vlan_protocol_unsupported",
    "no rif vlan_on_lag_port",
    "no rif vlan_on_ovs_port",
    "no rif vlan_on_8021ad_port",
    "no rif vlan_on_locked_port",
    "no rif vlan_in_bridge",
    "no rif bridge_8021ad",
    "no rif upper_on_8021ad_bridge",
    "no rif bridge_protocol_unknown",
    "no rif second_vlan_aware_bridge",
    "no rif vlan_of_unaware_bridge",
    "no rif port_enslaved",
    "no rif no_pvid",
    "no rif vlan_is_pvid",
    "no rif no_address",
    "not bridged lower_not_asic",
    "not bridged lag_mode_unsupported",
    "not bridged vlan_in_vlan_aware_bridge",
    "not bridged vlans_of_one_port_bridged",
    "not bridged bridge_8021ad",
    "not bridged second_vlan_aware_bridge",
    "not bridged vlan_on_lag_port",
    "not bridged vlan_protocol_unsupported",
    "sub-port of 1 ports, vlan false",
    "sub-port of 1 ports, vlan true",
    "sub-port of 2 ports, vlan false",
    "sub-port of 2 ports, vlan true",
    "vlan rif",
    "fid rif",
    "accept set",
    "two owners of one MAC",
    "both slots held",
    "room true",
    "room false",
    "not bridged bridge_protocol_unknown",
];
