//! A reconciler, and a chip that refuses what leaves something in the air.

use super::*;
use crate::fib::Merge;
use crate::types::Family;

/// A chip that refuses what leaves something in the air.
#[derive(Debug, Clone, Default)]
pub(super) struct Chip {
    pub(super) tables: Tables,
    /// Routes that fit.
    pub(super) routes: usize,
}

impl Chip {
    pub(super) fn write(&mut self, change: &Change) -> Result<(), Failure> {
        let refuse = |class, text: String| Err(Failure { class, text });
        let key = change.key();
        if let (Change::Add(Entry::Route { .. }), None) = (change, self.tables.get(&key)) {
            let routes = self.tables.keys().filter(|key| matches!(key, Key::Route(..))).count();
            if routes >= self.routes {
                return refuse(FailureClass::Capacity, "full".to_owned());
            }
        }
        let mut after = self.tables.clone();
        match change.after() {
            Some(entry) => _ = after.insert(key, entry.clone()),
            None => _ = after.remove(&key),
        }
        let has = |key: &Key| after.contains_key(key);
        for entry in after.values() {
            let missing = match entry {
                // a default route stands or falls with its virtual router
                Entry::Route { vr, prefix, .. }
                    if prefix.prefix_len() > 0
                        && !has(&Key::VrTree(*vr, Family::of(prefix.addr()))) =>
                {
                    true
                }
                Entry::Route { action: RouteAction::Local(rif), .. }
                | Entry::Adjacency { rif, .. }
                | Entry::Neighbour { rif, .. } => !has(&Key::Rif(*rif)),
                Entry::Route { action: RouteAction::Remote { first, size }, .. } => {
                    let mut all = first.0..first.0 + u32::from(*size);
                    !all.all(|index| has(&Key::Adjacency(AdjacencyIndex(index))))
                }
                _ => false,
            };
            assert!(!missing, "{change:?} leaves {entry:?} in the air");
        }
        self.tables = after;
        Ok(())
    }
}

/// A reconciler and its chip.
pub(super) struct Lab {
    pub(super) reconciler: Reconciler,
    pub(super) chip: Chip,
}

impl Lab {
    pub(super) fn new(routes: usize) -> Self {
        let limits = Limits { adjacencies: 64, ..LIMITS };
        let reconciler = Reconciler::new(Policy::default(), chip(), limits);
        let mut lab = Self { reconciler, chip: Chip { routes, ..Chip::default() } };
        lab.routing(Routing::Hardware);
        lab
    }

    pub(super) fn routing(&mut self, routing: Routing) {
        self.reconciler.set_policy(Policy { routing, ..Policy::default() });
    }

    /// swp1 with 192.0.2.1/24 and swp2 with 198.51.100.1/24, and what the kernel makes of it.
    pub(super) fn router(routes: usize) -> Self {
        let mut lab = Self::new(routes);
        for n in [1, 2] {
            lab.reconciler.fold(link_event(port(n)));
        }
        lab.reconciler.fold(addr(SWP1, "192.0.2.1/24"));
        lab.reconciler.fold(addr(SWP2, "198.51.100.1/24"));
        lab.fib(route("192.0.2.0/24", vec![hop(SWP1, None)]));
        lab.fib(route("198.51.100.0/24", vec![hop(SWP2, None)]));
        lab.settle();
        lab
    }

    pub(super) fn fib(&mut self, event: impl Into<FibEvent>) {
        self.reconciler.fold_fib(event.into());
    }

    /// The kernel forwards by nothing else.
    pub(super) fn whole_fib(&mut self, snapshot: FibSnapshot) {
        assert!(self.reconciler.merge_fib(&mut Merge::new(snapshot, []), usize::MAX));
    }

    pub(super) fn settle(&mut self) -> Vec<Change> {
        let Self { reconciler, chip } = self;
        let mut made = Vec::new();
        for _ in 0..10_000 {
            reconciler.recompute();
            let submitted = reconciler.ready(ZERO);
            if submitted.is_empty() {
                assert!(reconciler.is_synced(), "{:?}", reconciler.due);
                return made;
            }
            for (ticket, change) in submitted {
                let result = chip.write(&change);
                if result.is_ok() {
                    made.push(change);
                }
                reconciler.complete(ticket, &result, ZERO);
            }
        }
        panic!("no end of changes");
    }

    pub(super) fn action(&self, prefix: &str) -> Option<RouteAction> {
        let prefix: IpNet = prefix.parse().unwrap();
        self.chip.tables.values().find_map(|entry| match entry {
            Entry::Route { prefix: of, action, .. } if *of == prefix => Some(*action),
            _ => None,
        })
    }

    pub(super) fn rif(&self, ifindex: u32) -> RifIndex {
        self.reconciler.applied_rif(IfIndex(ifindex)).unwrap().rif
    }

    /// Where packets to a prefix go: the devices' MACs and the hosts' MACs, by place.
    pub(super) fn leads_to(&self, prefix: &str) -> Vec<(Mac, Option<Mac>)> {
        let Some(RouteAction::Remote { first, size }) = self.action(prefix) else {
            panic!("{prefix} is {:?}", self.action(prefix))
        };
        let own = |rif: RifIndex| match self.chip.tables.get(&Key::Rif(rif)) {
            Some(Entry::Rif(rif)) => rif.mac,
            _ => panic!("no {rif}"),
        };
        let place = |index| match &self.chip.tables[&Key::Adjacency(AdjacencyIndex(index))] {
            Entry::Adjacency { rif, mac, .. } => (own(*rif), *mac),
            other => panic!("{other:?}"),
        };
        (first.0..first.0 + u32::from(size)).map(place).collect()
    }
}

impl From<Route> for FibEvent {
    fn from(route: Route) -> Self {
        Self::Route(route, Placement::Replace)
    }
}

impl From<Neighbour> for FibEvent {
    fn from(neighbour: Neighbour) -> Self {
        Self::Neighbour(neighbour)
    }
}
