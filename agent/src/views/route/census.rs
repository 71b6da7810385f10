//! How many routes and neighbours are in which state?

use std::collections::BTreeMap;
use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::chip::RouteAction;
use firsthop_model::intent::State;
use firsthop_model::reconcile::Reconciler;
use ipnet::IpNet;

use super::super::status::named;
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

/// A count under way: every route and neighbour is looked at, some at a time. One that comes or goes meanwhile may be counted or not.
#[derive(Debug, Clone, Default)]
pub struct Counting {
    routes: BTreeMap<State, u64>,
    neighbours: BTreeMap<State, u64>,
    in_chip: u64,
    route: Option<(u32, IpNet)>,
    routes_done: bool,
    host: Option<(IfIndex, IpAddr)>,
}

impl Counting {
    /// Looks at so many. True: all are counted, or nobody asks because the kernel routes.
    pub fn step(&mut self, reconciler: &Reconciler, rows: usize) -> bool {
        if !is_in_hardware(reconciler) {
            return true;
        }
        let mut left = rows;
        if !self.routes_done {
            for (table, prefix, way) in reconciler.ways_after(self.route).take(left) {
                let fate = Fate::of(reconciler, table, prefix, way);
                let by_itself =
                    |action| !matches!(action, RouteAction::Ip2me | RouteAction::Trap(_));
                self.in_chip += u64::from(fate.action.is_some_and(by_itself));
                *self.routes.entry(fate.state).or_default() += 1;
                self.route = Some((table, prefix));
                left -= 1;
            }
            self.routes_done = left > 0;
        }
        for host in reconciler.fib().neighbours_after(self.host).take(left) {
            if is_host(host) {
                *self.neighbours.entry(standing(reconciler, host).0).or_default() += 1;
            }
            self.host = Some((host.ifindex, host.ip));
            left -= 1;
        }
        left > 0
    }

    /// What was counted; None where the kernel routes.
    pub fn census(&self, reconciler: &Reconciler) -> Option<Census> {
        is_in_hardware(reconciler).then(|| Census {
            routes: named(&self.routes),
            neighbours: named(&self.neighbours),
            in_chip: self.in_chip,
        })
    }
}
