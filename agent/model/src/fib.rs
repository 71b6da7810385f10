//! What the kernel forwards by: routes, next-hop objects, neighbours. A part of the **Observed** column of its own, because it
//! changes by the hundred thousand and no device depends on it.
//!
//! ```text
//!   routes:      table ─▶ prefix ─▶ [Route], the one that counts first
//!   next hops:   id ─▶ blackhole, way out, or group of ids
//!   neighbours:  (ifindex, address) ─▶ Neighbour
//! ```
//!
//! Events fold in, in any order, and each fold says what has to be looked at again. What the kernel never says has to be asked
//! for by a dump, which is merged (`merge.rs`): IPv4 routes go without a word when their device goes down or an address leaves that
//! they prefer as source (`fib_flush`), those of IPv6 with several next hops lose and regain some of these (`fib6_ifdown`,
//! `fib6_ifup`).

mod merge;
mod route;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use merge::Merge;
pub use route::{
    FibEvent, FibSnapshot, Neighbour, NextHop, NextHopContent, NextHopObject, Placement, Route,
    RouteKind, Via,
};

use crate::IfIndex;
use crate::index::{Counts, Sets};

/// RTPROT_KERNEL: who made a route.
const KERNEL: u8 = 2;

/// Routes, next-hop objects and neighbours as far as they were announced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fib {
    routes: BTreeMap<u32, BTreeMap<IpNet, Vec<Route>>>,
    next_hops: BTreeMap<u32, NextHopContent>,
    neighbours: BTreeMap<(IfIndex, IpAddr), Neighbour>,
    /// Prefixes with a route that names the object.
    users: Sets<u32, (u32, IpNet)>,
    /// Groups that name the object.
    groups: Sets<u32, u32>,
    /// How many routes and objects lead out of a device.
    leaving: Counts<IfIndex>,
    /// How many routes prefer an address as source, but for those that the kernel made for it.
    sources: Counts<IpAddr>,
}

/// What a fold touched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// By table and prefix.
    pub routes: BTreeSet<(u32, IpNet)>,
    /// By device and address.
    pub neighbours: BTreeSet<(IfIndex, IpAddr)>,
}

impl Touched {
    fn extend(&mut self, more: Self) {
        self.routes.extend(more.routes);
        self.neighbours.extend(more.neighbours);
    }
}

impl Fib {
    /// The routes of a prefix; the first is the one that counts.
    pub fn routes(&self, table: u32, prefix: &IpNet) -> &[Route] {
        self.routes.get(&table).and_then(|table| table.get(prefix)).map_or(&[], Vec::as_slice)
    }

    /// The prefixes of a table.
    pub fn prefixes(&self, table: u32) -> impl DoubleEndedIterator<Item = &IpNet> {
        self.routes.get(&table).into_iter().flat_map(BTreeMap::keys)
    }

    /// How many prefixes all tables have.
    pub fn len(&self) -> usize {
        self.routes.values().map(BTreeMap::len).sum()
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.next_hops.is_empty() && self.neighbours.is_empty()
    }

    /// A next-hop object.
    pub fn next_hop(&self, id: u32) -> Option<&NextHopContent> {
        self.next_hops.get(&id)
    }

    /// What is known of a host on a device.
    pub fn neighbour(&self, ifindex: IfIndex, ip: IpAddr) -> Option<&Neighbour> {
        self.neighbours.get(&(ifindex, ip))
    }

    /// All neighbours.
    pub fn neighbours(&self) -> impl Iterator<Item = &Neighbour> {
        self.neighbours.values()
    }

    /// The neighbours behind one.
    pub fn neighbours_after(
        &self,
        after: Option<(IfIndex, IpAddr)>,
    ) -> impl Iterator<Item = &Neighbour> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.neighbours.range((from, Bound::Unbounded)).map(|(_, neighbour)| neighbour)
    }

    /// The neighbours on a device.
    pub fn neighbours_on(&self, ifindex: IfIndex) -> impl Iterator<Item = &Neighbour> {
        let (first, last) = (IpAddr::from([0; 4]), IpAddr::from([0xff; 16]));
        self.neighbours.range((ifindex, first)..=(ifindex, last)).map(|(_, neighbour)| neighbour)
    }

    /// Some route or next-hop object leads out of the device.
    pub fn leaves_by(&self, ifindex: IfIndex) -> bool {
        self.leaving.contains(&ifindex)
    }

    /// Some route goes with this address without a word. Those that the kernel made for it go with one (`fib_del_ifaddr`).
    pub fn prefers(&self, source: IpAddr) -> bool {
        self.sources.contains(&source)
    }

    /// Folds one event in.
    pub fn fold(&mut self, event: FibEvent) -> Touched {
        let mut touched = Touched::default();
        match event {
            FibEvent::Route(route, placement) => {
                let at = (route.table, route.prefix);
                self.edit(at, |routes| place(routes, route, placement), &mut touched);
            }
            FibEvent::RouteGone(route) => {
                let at = (route.table, route.prefix);
                self.edit(at, |routes| remove(routes, &route), &mut touched);
            }
            FibEvent::NextHop(object) => self.put_next_hop(object, &mut touched),
            FibEvent::NextHopGone(id) => self.remove_next_hop(id, &mut touched),
            FibEvent::Neighbour(neighbour) => {
                let key = (neighbour.ifindex, neighbour.ip);
                if self.neighbours.get(&key) != Some(&neighbour) {
                    touched.neighbours.insert(key);
                    self.neighbours.insert(key, neighbour);
                }
            }
            FibEvent::NeighbourGone(ifindex, ip) => {
                if self.neighbours.remove(&(ifindex, ip)).is_some() {
                    touched.neighbours.insert((ifindex, ip));
                }
            }
        }
        touched
    }

    fn edit(
        &mut self,
        (table, prefix): (u32, IpNet),
        edit: impl FnOnce(&mut Vec<Route>) -> bool,
        touched: &mut Touched,
    ) {
        let prefixes = self.routes.entry(table).or_default();
        let routes = prefixes.entry(prefix).or_default();
        let former = objects(routes);
        for route in &*routes {
            self.leaving.remove(devices(route));
            self.sources.remove(source(route));
        }
        if edit(routes) {
            touched.routes.insert((table, prefix));
        }
        for route in &*routes {
            self.leaving.add(devices(route));
            self.sources.add(source(route));
        }
        let now = objects(routes);
        if routes.is_empty() {
            prefixes.remove(&prefix);
        }
        if prefixes.is_empty() {
            self.routes.remove(&table);
        }
        for id in former.difference(&now) {
            self.users.remove(id, &(table, prefix));
        }
        for id in now.difference(&former) {
            self.users.insert(*id, (table, prefix));
        }
    }

    fn put_next_hop(&mut self, object: NextHopObject, touched: &mut Touched) {
        let NextHopObject { id, content } = object;
        if self.next_hops.get(&id) == Some(&content) {
            return;
        }
        self.forget_members(id);
        if let NextHopContent::Hop(hop) = &content {
            self.leaving.add(hop.ifindex);
        }
        if let NextHopContent::Group(members) = &content {
            for (member, _) in members {
                self.groups.insert(*member, id);
            }
        }
        self.next_hops.insert(id, content);
        self.touch_users(id, touched);
    }

    fn remove_next_hop(&mut self, id: u32, touched: &mut Touched) {
        self.touch_users(id, touched);
        self.forget_members(id);
        self.next_hops.remove(&id);
    }

    fn forget_members(&mut self, id: u32) {
        if let Some(NextHopContent::Hop(hop)) = self.next_hops.get(&id) {
            self.leaving.remove(hop.ifindex);
        }
        if let Some(NextHopContent::Group(members)) = self.next_hops.get(&id) {
            for (member, _) in members {
                self.groups.remove(member, &id);
            }
        }
    }

    /// Routes that lead to an object, or to a group with it.
    fn touch_users(&self, id: u32, touched: &mut Touched) {
        let groups = self.groups.get(&id);
        for object in groups.chain([&id]) {
            touched.routes.extend(self.users.get(object));
        }
    }
}

/// The devices that a route leads out of by itself.
fn devices(route: &Route) -> impl Iterator<Item = IfIndex> {
    let hops = match &route.via {
        Via::Hops(hops) => hops.as_slice(),
        Via::Object(_) => &[],
    };
    hops.iter().filter_map(|hop| hop.ifindex)
}

/// The address with which a route goes without a word.
fn source(route: &Route) -> Option<IpAddr> {
    let gateways = match &route.via {
        Via::Hops(hops) => hops.iter().any(|hop| hop.gateway.is_some()),
        Via::Object(_) => true,
    };
    route.source.filter(|_| gateways || route.protocol != KERNEL)
}

fn objects(routes: &[Route]) -> BTreeSet<u32> {
    let object = |route: &Route| match route.via {
        Via::Object(id) => Some(id),
        Via::Hops(_) => None,
    };
    routes.iter().filter_map(object).collect()
}

/// Where a route stands among those of its prefix: the most specific type of service first, then the lowest metric.
fn rank(route: &Route) -> (std::cmp::Reverse<u8>, u32) {
    (std::cmp::Reverse(route.tos), route.metric)
}

/// IPv6 routes to gateways are one with those of the same metric (`rt6_qualify_for_ecmp`).
fn joins_others(route: &Route) -> bool {
    match &route.via {
        Via::Hops(hops) => {
            route.prefix.addr().is_ipv6()
                && !hops.is_empty()
                && hops.iter().all(|hop| hop.gateway.is_some())
        }
        Via::Object(_) => false,
    }
}

/// The same route, whatever is known of its next hops' state.
fn is_same(one: &Route, other: &Route) -> bool {
    is_same_but_weights(one, other, true)
}

/// As [`is_same`]; the weight of an IPv6 next hop changes without a word when its siblings go.
fn is_same_but_weights(one: &Route, other: &Route, weights: bool) -> bool {
    let is_same_hop = |one: &NextHop, other: &NextHop| {
        (one.ifindex, one.gateway) == (other.ifindex, other.gateway)
            && (!weights || one.weight == other.weight)
    };
    let ways = match (&one.via, &other.via) {
        (Via::Hops(one), Via::Hops(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same_hop(a, b))
        }
        (one, other) => one == other,
    };
    ways && rank(one) == rank(other)
        && (one.kind, one.protocol, one.source) == (other.kind, other.protocol, other.source)
}

/// True: something changed.
fn place(routes: &mut Vec<Route>, route: Route, placement: Placement) -> bool {
    let equal = |there: &Route| rank(there) == rank(&route);
    let same_sort = |there: &Route| equal(there) && joins_others(there) == joins_others(&route);
    let first = || routes.iter().position(same_sort).or_else(|| routes.iter().position(equal));
    // said twice: by a dump, and by an event that is older
    if let Some(at) = routes.iter().position(|there| is_same(there, &route)) {
        let replaced = first().filter(|first| placement == Placement::Replace && *first < at);
        let changed = replaced.is_some() || routes[at] != route;
        if replaced.is_some() {
            routes.remove(at);
        }
        routes[replaced.unwrap_or(at)] = route;
        return changed;
    }
    let replaced = if placement == Placement::Replace {
        first()
    } else if joins_others(&route) {
        routes.iter().position(same_sort)
    } else {
        None
    };
    if let Some(at) = replaced {
        routes[at] = route;
        return true;
    }
    let before_equals = placement == Placement::Prepend && route.prefix.addr().is_ipv4();
    let at = routes.partition_point(|there| {
        if before_equals { rank(there) < rank(&route) } else { rank(there) <= rank(&route) }
    });
    routes.insert(at, route);
    true
}

/// True: something changed.
fn remove(routes: &mut Vec<Route>, route: &Route) -> bool {
    let exactly = routes.iter().position(|there| is_same(there, route));
    let but_weights = || routes.iter().position(|there| is_same_but_weights(there, route, false));
    if let Some(at) = exactly.or_else(but_weights) {
        routes.remove(at);
        return true;
    }
    // some of the next hops of an IPv6 route
    let joined = |there: &Route| joins_others(there) && rank(there) == rank(route);
    let (Some(at), Via::Hops(gone)) = (routes.iter().position(joined), &route.via) else {
        return false;
    };
    let Via::Hops(hops) = &mut routes[at].via else { return false };
    let before = hops.len();
    hops.retain(|hop| {
        !gone.iter().any(|gone| (gone.ifindex, gone.gateway) == (hop.ifindex, hop.gateway))
    });
    let changed = hops.len() != before;
    if hops.is_empty() {
        routes.remove(at);
    }
    changed
}
