//! Routes, next hops and hosts on their way into the chip.
//!
//! ```text
//!   Fib ─▶ ways ─┬─ Link ─────▶ router interface ◀── Neighbour
//!                ├─ Gateways ─▶ group ─▶ router interfaces and MACs
//!                └─ others ───▶ CPU, or nowhere
//! ```
//!
//! Who stands on what: a route waits for its virtual router and its group, and goes to the CPU while the way out is not in the chip.
//! A router interface goes off at once, but stays in the chip until nothing leads to it; so does a group.

mod groups;
mod recognition;
mod room;
mod shortage;
mod standing;
mod view;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use groups::{Groups, RouteKey};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use shortage::Shortage;

use super::Reconciler;
use crate::IfIndex;
use crate::applied::references::References;
use crate::chip::{AdjacencyIndex, RifIndex};
use crate::fib::{Fib, FibEvent, Merge, Touched};
use crate::index::Sets;
use crate::intent::{Reason, Routing, Way, places, table_of, tables_of, way};
use crate::plan::Object;

/// What of the Fib concerns the chip, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Forwarding {
    /// What each prefix of a virtual router's table comes to.
    ways: BTreeMap<RouteKey, Way>,
    /// Prefixes to compute again.
    changed: BTreeSet<RouteKey>,
    /// Tables whose routes are in `ways`.
    tables: BTreeSet<u32>,
    /// Routes to hosts on a device.
    on_link: Sets<IfIndex, RouteKey>,
    groups: Groups,
    /// Router interfaces that routes may lead to.
    rifs: BTreeMap<IfIndex, RifIndex>,
    /// Tables whose virtual routers are in the chip to stay, whoever routes.
    routers: BTreeSet<u32>,
    /// Objects whose router interfaces go when nothing leads to them any more.
    parked: BTreeSet<Object>,
    /// Groups that go, or are to be built anew, when no route leads to them any more.
    idle: BTreeSet<u32>,
    shortage: Shortage,
    /// What plans under way lead to.
    in_flight: References,
    /// Indices are being recognised: none is chosen.
    claiming: bool,
}

/// From which groups routes came to a group; None: from none.
type Moves = BTreeMap<u32, BTreeSet<Option<u32>>>;

impl Reconciler {
    /// What the kernel forwards by.
    pub const fn fib(&self) -> &Fib {
        &self.fib
    }

    /// Folds one event in; nothing is computed until [`Self::recompute`].
    pub fn fold_fib(&mut self, event: FibEvent) {
        let touched = self.fib.fold(event);
        self.touch(touched);
    }

    /// Merges so many prefixes of a dump; nothing is computed until [`Self::recompute`]. False: there was nothing left.
    pub fn merge_fib(&mut self, dump: &mut Merge, prefixes: usize) -> bool {
        let touched = dump.step(&mut self.fib, prefixes);
        let merged = touched.is_some();
        self.touch(touched.unwrap_or_default());
        merged
    }

    fn touch(&mut self, Touched { routes, neighbours }: Touched) {
        // a dump that says nothing new is no event
        if routes.is_empty() && neighbours.is_empty() {
            return;
        }
        self.generation += 1;
        if !self.routes_in_hardware() {
            return;
        }
        let of_router = routes.into_iter().map(|(table, prefix)| (table_of(table), prefix));
        self.forwarding.changed.extend(of_router);
        for (ifindex, ip) in neighbours {
            self.due_host(ifindex, ip);
            let groups = self.forwarding.groups.with(ifindex, ip);
            self.due.extend(groups.map(Object::NextHops));
        }
    }

    pub(super) fn routes_in_hardware(&self) -> bool {
        self.policy.routing == Routing::Hardware
    }

    /// A host is looked at if it may be in the chip, or is.
    fn due_host(&mut self, ifindex: IfIndex, ip: IpAddr) {
        let object = Object::Neighbour(ifindex, ip);
        if self.forwarding.rifs.contains_key(&ifindex) || self.book.rows(object).next().is_some() {
            self.due.insert(object);
        }
    }

    /// The CPU routes from now on, or the chip. At once: what the CPU alone routes is not followed.
    pub(super) fn change_routing(&mut self) {
        self.follow_tables();
        let hosts =
            self.fib.neighbours().filter(|host| self.forwarding.rifs.contains_key(&host.ifindex));
        self.due.extend(hosts.map(|host| Object::Neighbour(host.ifindex, host.ip)));
    }

    pub(super) fn has_changed_ways(&self) -> bool {
        !self.forwarding.changed.is_empty()
    }

    /// Computes what changed prefixes come to; their objects become due. `devices`: those that changed.
    pub(super) fn recompute_ways(&mut self, devices: &BTreeSet<IfIndex>) {
        self.follow_tables();
        let mut moves = Moves::new();
        for route in std::mem::take(&mut self.forwarding.changed) {
            self.recompute_way(route, &mut moves);
        }
        self.hand_over(moves);
        for ifindex in devices {
            self.due.extend(self.forwarding.groups.on(*ifindex).map(Object::NextHops));
        }
    }

    /// Routes of tables that virtual routers have or had, since the last look, are computed again.
    fn follow_tables(&mut self) {
        let hardware = self.routes_in_hardware();
        let now = || self.tables.keys().filter(|_| hardware);
        if now().eq(&self.forwarding.tables) {
            return;
        }
        let now: BTreeSet<u32> = now().copied().collect();
        let former = std::mem::replace(&mut self.forwarding.tables, now.clone());
        for table in former.symmetric_difference(&now) {
            self.change_table(*table);
        }
    }

    fn change_table(&mut self, table: u32) {
        let all =
            tables_of(table).flat_map(|of| self.fib.prefixes(of)).map(|prefix| (table, *prefix));
        let all: Vec<RouteKey> = all.chain(self.ways_of(table)).collect();
        self.forwarding.changed.extend(all);
    }

    fn ways_of(&self, table: u32) -> impl Iterator<Item = RouteKey> {
        let [first, last] = prefix_range();
        let ways = self.forwarding.ways.range((table, first)..=(table, last));
        ways.map(|(route, _)| *route)
    }

    /// Routes that went from one group to a new one all together, as when a next-hop object is replaced: the new group takes over the
    /// adjacencies of the former one, and no route is written.
    fn hand_over(&mut self, moves: Moves) {
        for (number, from) in moves {
            let [Some(former)] = from.iter().copied().collect::<Vec<_>>()[..] else { continue };
            let groups = &self.forwarding.groups;
            let (Some(new), Some(old)) = (groups.get(number), groups.get(former)) else { continue };
            let Some((_, size)) = old.block.filter(|_| old.users.is_empty()) else { continue };
            let fits =
                self.natural_size(new).is_some_and(|places| size >= places && size % places == 0);
            if fits && new.block.is_none() {
                self.forwarding.groups.rename(former, number);
                self.forwarding.idle.remove(&former);
                self.due.remove(Object::NextHops(number));
                self.due.insert(Object::NextHops(former));
            }
        }
    }

    fn recompute_way(&mut self, route: RouteKey, moves: &mut Moves) {
        let (table, prefix) = route;
        let known = self.forwarding.tables.contains(&table);
        let fresh = known.then(|| way(&self.fib, table, &prefix)).flatten().map(|way| match way {
            Way::Gateways(hops) if places(&hops, self.limits.ecmp_size).is_none() => {
                Way::Cpu(Reason::GroupTooLarge)
            }
            way => way,
        });
        if self.forwarding.ways.get(&route) == fresh.as_ref() {
            return;
        }
        let is_new = !self.forwarding.ways.contains_key(&route);
        let mut former = None;
        match self.forwarding.ways.remove(&route) {
            Some(Way::Link(ifindex)) => {
                self.forwarding.on_link.remove(&ifindex, &route);
            }
            Some(Way::Gateways(hops)) => {
                former = self.forwarding.groups.leave(&hops, &route);
                self.due.extend(former.map(Object::NextHops));
            }
            _ => {}
        }
        match &fresh {
            Some(Way::Link(ifindex)) => {
                self.forwarding.on_link.insert(*ifindex, route);
            }
            Some(Way::Gateways(hops)) => {
                let number = self.forwarding.groups.join(hops, route);
                moves.entry(number).or_default().insert(former);
                let is_there =
                    self.forwarding.groups.get(number).is_some_and(|group| group.is_there);
                // one that was about to go may have missed that its way out went
                if !is_there || self.forwarding.idle.contains(&number) {
                    self.due.insert(Object::NextHops(number));
                }
            }
            _ => {}
        }
        let gone = fresh.is_none();
        if let Some(way) = fresh {
            self.forwarding.ways.insert(route, way);
        }
        self.due.insert(Object::Route(table, prefix));
        if !self.forwarding.shortage.is_over() {
            let below = self.less_specific(&route);
            let shortage = &mut self.forwarding.shortage;
            let mut concerned = Vec::new();
            if gone {
                concerned.extend(shortage.settle_route(&route));
                concerned.extend(shortage.join(&route, below));
            } else if is_new {
                concerned = shortage.divide(route, below);
            }
            self.due
                .extend(concerned.into_iter().map(|(table, prefix)| Object::Route(table, prefix)));
        }
    }

    /// The next less specific prefix with a route.
    fn less_specific(&self, (table, prefix): &RouteKey) -> Option<IpNet> {
        let mut wider = prefix.supernet();
        while let Some(candidate) = wider {
            if self.forwarding.ways.contains_key(&(*table, candidate)) {
                return Some(candidate);
            }
            wider = candidate.supernet();
        }
        None
    }
}

/// The first and the last prefix that there can be.
pub(super) fn prefix_range() -> [IpNet; 2] {
    let last = Ipv6Net::from(Ipv6Addr::from([0xff; 16]));
    [IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)), IpNet::V6(last)]
}

fn adjacencies(
    (first, size): (AdjacencyIndex, u16),
) -> impl DoubleEndedIterator<Item = AdjacencyIndex> {
    (first.0..first.0.saturating_add(size.into())).map(AdjacencyIndex)
}
