//! How many routes and neighbours are in which state?

use std::collections::BTreeMap;

use firsthop_model::chip::RouteAction;
use firsthop_model::reconcile::Reconciler;

use super::super::count_states;
use super::neighbour::{is_host, standing};
use super::{Fate, is_in_hardware};

/// Counts of what is routed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Routes by state; states without any are missing.
    pub routes: BTreeMap<String, u64>,
    /// Neighbours by state
    pub neighbours: BTreeMap<String, u64>,
    /// Routes by which the chip forwards or drops by itself
    pub in_chip: u64,
}

/// Counts; None where the kernel routes. It looks at every route: nobody but [`Status`](super::super::Status) may ask.
pub fn census(reconciler: &Reconciler) -> Option<Census> {
    if !is_in_hardware(reconciler) {
        return None;
    }
    let fates =
        reconciler.ways().map(|(table, prefix, way)| Fate::of(reconciler, table, prefix, way));
    let mut in_chip = 0;
    let routes = count_states(fates.map(|fate| {
        let by_itself = |action| !matches!(action, RouteAction::Ip2me | RouteAction::Trap(_));
        in_chip += u64::from(fate.action.is_some_and(by_itself));
        fate.state
    }));
    let hosts = reconciler.fib().neighbours().filter(|host| is_host(host));
    Some(Census {
        routes,
        neighbours: count_states(hosts.map(|host| standing(reconciler, host).0)),
        in_chip,
    })
}
