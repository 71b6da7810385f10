//! A dump on its way into what is known: a part at a time, so that nobody has to wait for a full table.
//!
//! ```text
//!   next hops, neighbours   replaced at once, by the first part
//!   routes                  in the order of tables and prefixes:   …merged │ next │ as they were known…
//! ```
//!
//! A dump is older than what was said since it began. What was said of a prefix is therefore folded in again together with the
//! dump's rows, so that nobody ever sees these alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::take;
use std::ops::Bound;

use ipnet::IpNet;

use super::{Fib, FibEvent, FibSnapshot, Neighbour, NextHopObject, Placement, Route, Touched};
use super::{place, remove};

/// A prefix, behind its table.
type Place = (u32, IpNet);

/// A dump, as far as it is not merged.
#[derive(Debug, Clone)]
pub struct Merge {
    /// In the order of their prefixes; those of one in the kernel's order.
    routes: VecDeque<Route>,
    hosts: Option<(Vec<NextHopObject>, Vec<Neighbour>)>,
    /// What was said since the dump began, of prefixes that are not merged yet.
    since: BTreeMap<Place, Vec<FibEvent>>,
    /// Of next hops and neighbours.
    since_hosts: Vec<FibEvent>,
    /// The last prefix that is merged.
    last: Option<Place>,
}

impl Merge {
    /// Of a dump, and what was said since it began.
    pub fn new(mut snapshot: FibSnapshot, since: impl IntoIterator<Item = FibEvent>) -> Self {
        snapshot.sort();
        let mut merge = Self {
            routes: snapshot.routes.into(),
            hosts: Some((snapshot.next_hops, snapshot.neighbours)),
            since: BTreeMap::new(),
            since_hosts: Vec::new(),
            last: None,
        };
        for event in since {
            merge.hear(&event);
        }
        merge
    }

    /// Something was said while it goes on; it has to be folded in as well.
    pub fn hear(&mut self, event: &FibEvent) {
        match event {
            FibEvent::Route(route, _) | FibEvent::RouteGone(route) => {
                let at = (route.table, route.prefix);
                if self.last.is_none_or(|last| last < at) {
                    self.since.entry(at).or_default().push(event.clone());
                }
            }
            _ if self.hosts.is_some() => self.since_hosts.push(event.clone()),
            _ => {}
        }
    }

    /// Merges so many prefixes. None: there was nothing left.
    pub(crate) fn step(&mut self, fib: &mut Fib, prefixes: usize) -> Option<Touched> {
        let mut touched = Touched::default();
        if let Some((next_hops, neighbours)) = self.hosts.take() {
            fib.replace_next_hops(next_hops, &mut touched);
            fib.replace_neighbours(neighbours, &mut touched);
            for event in take(&mut self.since_hosts) {
                touched.extend(fib.fold(event));
            }
        } else if self.next(fib).is_none() {
            return None;
        }
        for _ in 0..prefixes {
            let Some(at) = self.next(fib) else { break };
            self.last = Some(at);
            let since = self.since.remove(&at).unwrap_or_default();
            let of_it = |route: &&Route| (route.table, route.prefix) == at;
            let rows = self.routes.iter().take_while(of_it).count();
            // the usual case, without a copy
            if since.is_empty() && self.routes.range(..rows).eq(fib.routes(at.0, &at.1)) {
                self.routes.drain(..rows);
                continue;
            }
            let rows: Vec<Route> = self.routes.drain(..rows).collect();
            let edit = |routes: &mut Vec<Route>| {
                let former = take(routes);
                // in the kernel's order: that of duplicates is not ours to decide
                for row in rows {
                    place(routes, row, Placement::Append);
                }
                for event in since {
                    match event {
                        FibEvent::Route(route, placement) => place(routes, route, placement),
                        FibEvent::RouteGone(route) => remove(routes, &route),
                        _ => false,
                    };
                }
                *routes != former
            };
            fib.edit(at, edit, &mut touched);
        }
        Some(touched)
    }

    /// The first prefix behind the last that anybody knows of.
    fn next(&self, fib: &Fib) -> Option<Place> {
        let known = fib.place_after(self.last);
        let dumped = self.routes.front().map(|route| (route.table, route.prefix));
        let said = self.since.keys().next().copied();
        [known, dumped, said].into_iter().flatten().min()
    }
}

impl FibSnapshot {
    /// Puts routes into the order of their tables and prefixes; those of one prefix stay in the kernel's.
    pub fn sort(&mut self) {
        self.routes.sort_by_key(|route| (route.table, route.prefix));
    }
}

impl Fib {
    fn place_after(&self, last: Option<Place>) -> Option<Place> {
        let (table, behind) = match last {
            Some((table, prefix)) => (table, Bound::Excluded(prefix)),
            None => (0, Bound::Unbounded),
        };
        let rest = self.routes.get(&table).and_then(|prefixes| {
            prefixes.range((behind, Bound::Unbounded)).next().map(|(prefix, _)| (table, *prefix))
        });
        rest.or_else(|| {
            let (table, prefixes) =
                self.routes.range((Bound::Excluded(table), Bound::Unbounded)).next()?;
            prefixes.keys().next().map(|prefix| (*table, *prefix))
        })
    }

    fn replace_next_hops(&mut self, dumped: Vec<NextHopObject>, touched: &mut Touched) {
        let there: BTreeSet<u32> = dumped.iter().map(|object| object.id).collect();
        let gone = self.next_hops.keys().filter(|id| !there.contains(id));
        for id in gone.copied().collect::<Vec<_>>() {
            self.remove_next_hop(id, touched);
        }
        for object in dumped {
            self.put_next_hop(object, touched);
        }
    }

    fn replace_neighbours(&mut self, dumped: Vec<Neighbour>, touched: &mut Touched) {
        let dumped =
            dumped.into_iter().map(|neighbour| ((neighbour.ifindex, neighbour.ip), neighbour));
        let fresh: BTreeMap<_, _> = dumped.collect();
        let changed = self.neighbours.keys().chain(fresh.keys());
        let changed = changed.filter(|key| self.neighbours.get(*key) != fresh.get(*key));
        touched.neighbours.extend(changed.copied());
        self.neighbours = fresh;
    }
}
