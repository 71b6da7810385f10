//! How macvlans stand over bridges that no chip bridges for.

use super::*;
use crate::intent::{Domain, LinuxBridges, Policy};
use crate::testbed::{bridge, vlan};

const DOMAIN: Domain = Domain { bridge: IfIndex(30), vlan: None };

/// The bridge 30 with the macvlan 21, whose router is active.
fn stage() -> Reconciler {
    let mut reconciler = reconciler();
    reconciler.set_policy(Policy { linux_bridges: LinuxBridges::Written, ..Policy::default() });
    let events = [link_event(bridge(30, false)), link_event(macvlan(21, 30, &vmac(5)))];
    fold(&mut reconciler, events.into_iter().chain([addr(21, "192.0.2.254/24")]));
    settle(&mut reconciler);
    reconciler
}

fn standing(reconciler: &Reconciler) -> (State, Option<Reason>) {
    let link = reconciler.topology().link(IfIndex(21)).unwrap();
    let verdict = &reconciler.unit(IfIndex(30)).unwrap().vmacs[&IfIndex(21)];
    let standing = reconciler.vmac_standing(link, verdict);
    (standing.state, standing.reason)
}

fn hold(reconciler: &mut Reconciler, holding: Option<Holding>) {
    let holdings = holding.map(|holding| ((DOMAIN, mac(&vmac(5))), holding));
    reconciler.set_holdings(holdings.into_iter().collect());
}

// Broken if a MAC were called offloaded before the kernel acknowledged its entry, or a backup held while its entry still draws
// frames.
#[test]
fn a_macvlan_is_what_its_entry_is() {
    let refused = || Holding::Refused("no".into());
    let mut reconciler = stage();
    for (holding, state, reason) in [
        (None, State::Pending, Some(Reason::Unacknowledged)),
        (Some(Holding::Moving), State::Pending, Some(Reason::Unacknowledged)),
        (Some(Holding::Held), State::Offload, None),
        (Some(Holding::Taken), State::Refused, Some(Reason::FdbConflict)),
        (Some(refused()), State::Failed, Some(Reason::BridgeRefused)),
    ] {
        hold(&mut reconciler, holding);
        assert_eq!(standing(&reconciler), (state, reason), "active");
    }

    let backup = Link { proto_down: true, ..macvlan(21, 30, &vmac(5)) };
    fold(&mut reconciler, [link_event(backup)]);
    settle(&mut reconciler);
    let held = (State::Held, Some(Reason::Protodown));
    let leaving = (State::Pending, Some(Reason::Unacknowledged));
    for (holding, expected) in [
        (Some(Holding::Held), leaving),
        (Some(Holding::Moving), leaving),
        (Some(refused()), (State::Failed, Some(Reason::BridgeRefused))),
        (Some(Holding::Taken), held),
        (None, held),
    ] {
        hold(&mut reconciler, holding);
        assert_eq!(standing(&reconciler), expected, "backup");
    }
}

// Broken if a second macvlan with the same MAC, as a backup, were called on its way while the first one needs the entry; also on a
// VLAN device, where the bridge does not tell VLANs apart.
#[test]
fn two_macvlans_with_one_mac() {
    for lower in [30, 31] {
        let mut reconciler = stage();
        let backup = Link { proto_down: true, ..macvlan(22, lower, &vmac(5)) };
        fold(&mut reconciler, [link_event(vlan(31, 30, 10)), link_event(backup)]);
        settle(&mut reconciler);
        hold(&mut reconciler, Some(Holding::Held));
        let link = reconciler.topology().link(IfIndex(22)).unwrap();
        let verdict = &reconciler.unit(IfIndex(lower)).unwrap().vmacs[&IfIndex(22)];
        assert_eq!(reconciler.vmac_standing(link, verdict).reason, Some(Reason::Protodown));
        assert_eq!(standing(&reconciler).0, State::Offload);
    }
}
