//! Macvlans whose routers fell silent: what the watch on advertisements sees of them, and what becomes of their MACs.

use std::collections::BTreeSet;

use super::*;
use crate::intent::{Policy, VmacPolicy};
use crate::liveness::{Facts, Scope, Vmac};

/// An active router, and a backup beside it.
fn two_macvlans() -> Reconciler {
    let mut r = router();
    let up = |ifindex, vrid| link_event(macvlan(ifindex, SWP1, &vmac(vrid)));
    fold(&mut r, [up(21, 5), up(22, 6), addr(21, "192.0.2.254/24")]);
    settle(&mut r);
    r
}

fn standing(r: &Reconciler) -> (State, Option<Reason>) {
    let verdict = &r.unit(IfIndex(SWP1)).unwrap().vmacs[&IfIndex(21)];
    let standing = r.vmac_standing(r.topology().link(IfIndex(21)).unwrap(), verdict);
    (standing.state, standing.reason)
}

// Broken if a withdrawn MAC stayed in the chip or on the fast path, its addresses stayed local, or it did not come back.
#[test]
fn a_silent_router_is_withdrawn() {
    let mut r = two_macvlans();
    r.set_withdrawn(BTreeSet::from([IfIndex(21)]));
    settle(&mut r);
    assert_eq!((routes_mac(&r, &vmac(5)), slot(&r)), (false, None));
    assert_eq!(standing(&r), (State::Held, Some(Reason::BackupPolicy)));
    let destinations = |r: &Reconciler| {
        r.unit(IfIndex(SWP1)).unwrap().router_interface.clone().unwrap().destinations
    };
    assert!(!destinations(&r).contains(&"192.0.2.254/32".parse().unwrap()));
    r.set_withdrawn(BTreeSet::new());
    settle(&mut r);
    assert_eq!((routes_mac(&r, &vmac(5)), slot(&r)), (true, Some(5)));
    assert_eq!(standing(&r), (State::Offload, None));
}

// Broken if an anycast gateway were withdrawn, or a reason before this one were hidden by it.
#[test]
fn only_the_policy_active_withdraws() {
    let mut r = two_macvlans();
    r.set_withdrawn(BTreeSet::from([IfIndex(21)]));
    r.set_policy(Policy { vmac_policy: VmacPolicy::Always, ..Policy::default() });
    settle(&mut r);
    assert_eq!(standing(&r), (State::Offload, None));
    r.set_policy(Policy::default());
    fold(&mut r, [Event::AddressGone(address(21, "192.0.2.254/24"))]);
    settle(&mut r);
    assert_eq!(standing(&r), (State::Held, Some(Reason::NoAddress)));
}

// Broken if the watch took a backup's MAC for one in the chip, or a virtual address for one of this router's own.
#[test]
fn facts() {
    let r = two_macvlans();
    let vmac_of = |ifindex, programmed| Vmac {
        ifindex: IfIndex(ifindex),
        policy: VmacPolicy::Active,
        programmed,
        addressed: programmed,
    };
    let facts = Facts::of(&r);
    assert_eq!(facts.interfaces, BTreeMap::from([(IfIndex(SWP1), 254)]));
    let expected =
        [(5, vmac_of(21, true)), (6, vmac_of(22, false))].map(|(vrid, of)| (mac(&vmac(vrid)), of));
    let vmacs: Vec<_> = facts.vmacs.into_iter().map(|((_, mac), of)| (mac, of)).collect();
    assert_eq!(vmacs, expected);
    assert_eq!(
        facts.addresses,
        BTreeSet::from([(Scope::Table(254), "192.0.2.1".parse().unwrap())])
    );
    assert_eq!(facts.policer, (1024, 1024));
}
