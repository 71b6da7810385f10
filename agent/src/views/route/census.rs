//! How many routes and neighbours are in which state?

use std::collections::BTreeMap;

use firsthop_model::chip::{Entry, Key, RouteAction};
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
    let ways = reconciler.ways();
    let routes = ways.map(|(table, prefix, way)| Fate::of(reconciler, table, prefix, way).state);
    let hosts = reconciler.fib().neighbours().filter(|host| is_host(host));
    let by_itself = |(table, prefix, _): &(u32, ipnet::IpNet, _)| {
        let key = reconciler.allocation().vr(*table).map(|vr| Key::Route(vr, *prefix));
        let entry = key.and_then(|key| reconciler.applied().get(&key));
        let action = match entry {
            Some(Entry::Route { action, .. }) => action,
            _ => return false,
        };
        !matches!(action, RouteAction::Ip2me | RouteAction::Trap(_))
    };
    let in_chip = reconciler.ways().filter(by_itself).count();
    Some(Census {
        routes: count_states(routes),
        neighbours: count_states(hosts.map(|host| standing(reconciler, host).0)),
        in_chip: u64::try_from(in_chip).unwrap_or(u64::MAX),
    })
}
