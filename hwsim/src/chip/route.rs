//! Which route does a destination have? Longest-prefix match in each virtual router (RALUE), and the trees
//! that must be bound for a lookup to happen at all (RALTA, RALST, RALTB).
//!
//! ```text
//!   virtual router ─▶ IPv4: bound tree? ──no──▶ miss      tree 0 is the empty tree: bound to it, nothing
//!                  │        └─yes─▶ longest prefix        is found. The shape of a tree (RALST) is kept
//!                  └▶ IPv6: the same                      but does not restrict prefix lengths.
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::lpm::Lpm;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl From<IpAddr> for Family {
    fn from(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteAction {
    /// To a next hop of the adjacency table.
    Remote {
        /// First entry of the group.
        adjacency_index: u32,
        /// Entries in the group.
        ecmp_size: u16,
    },
    /// To a neighbour on a router interface.
    Local {
        /// The egress router interface.
        erif: u16,
    },
    /// To the CPU: an own address.
    Ip2Me,
}

/// What a route does with a packet before it forwards it (RALUE.trap_action).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteTrap {
    /// Nothing.
    Nop,
    /// To the CPU as that trap id, not forwarded.
    Trap(u16),
    /// A copy to the CPU as that trap id, forwarded.
    Mirror(u16),
    /// Dropped as `blackhole_route`.
    DiscardError,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// Where it leads.
    pub(crate) action: RouteAction,
    /// What it does before.
    pub(crate) trap: RouteTrap,
}

/// A tree that RALTA made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The family it may be bound for.
    pub(crate) family: Family,
    /// RALST as last written; not interpreted.
    pub(crate) shape: Option<emad::register::Ralst>,
}

#[derive(Debug, Clone, Default)]
struct VirtualRouter {
    ipv4: Lpm<u32, Route>,
    ipv6: Lpm<u128, Route>,
    ipv4_tree: u8,
    ipv6_tree: u8,
}

impl VirtualRouter {
    fn get(&self, prefix: IpNet) -> Option<&Route> {
        match prefix {
            IpNet::V4(p) => self.ipv4.get(p.network().to_bits(), p.prefix_len()),
            IpNet::V6(p) => self.ipv6.get(p.network().to_bits(), p.prefix_len()),
        }
    }

    fn insert(&mut self, prefix: IpNet, route: Route) -> Option<Route> {
        match prefix {
            IpNet::V4(p) => self.ipv4.insert(p.network().to_bits(), p.prefix_len(), route),
            IpNet::V6(p) => self.ipv6.insert(p.network().to_bits(), p.prefix_len(), route),
        }
    }

    fn remove(&mut self, prefix: IpNet) -> Option<Route> {
        match prefix {
            IpNet::V4(p) => self.ipv4.remove(p.network().to_bits(), p.prefix_len()),
            IpNet::V6(p) => self.ipv6.remove(p.network().to_bits(), p.prefix_len()),
        }
    }
}

/// The table is full, or the entry to delete is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteError {
    /// No room for another route of this family.
    Full,
    /// There is no such route.
    Absent,
}

/// All virtual routers.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    routers: Vec<VirtualRouter>,
    trees: BTreeMap<u8, Tree>,
    ipv4: u32,
    ipv6: u32,
    size_ipv4: u32,
    size_ipv6: u32,
    /// How many routes have a group of adjacencies: first index, size.
    groups: BTreeMap<Group, u32>,
}

/// A group of adjacencies: first index, size.
type Group = (u32, u16);

/// The group that a route forwards by, if it does.
const fn group(route: Route) -> Option<Group> {
    match (route.action, route.trap) {
        (
            RouteAction::Remote { adjacency_index, ecmp_size },
            RouteTrap::Nop | RouteTrap::Mirror(_),
        ) => Some((adjacency_index, ecmp_size)),
        _ => None,
    }
}

impl Routes {
    /// Empty virtual routers, none bound to a tree.
    #[must_use]
    pub(crate) fn new(routers: u16, size_ipv4: u32, size_ipv6: u32) -> Self {
        Self {
            routers: vec![VirtualRouter::default(); usize::from(routers)],
            trees: BTreeMap::new(),
            ipv4: 0,
            ipv6: 0,
            size_ipv4,
            size_ipv6,
            groups: BTreeMap::new(),
        }
    }

    /// How many virtual routers there are.
    #[must_use]
    pub(crate) fn routers(&self) -> usize {
        self.routers.len()
    }

    /// How many routes of a family there are in all virtual routers.
    #[must_use]
    pub(crate) fn count(&self, family: Family) -> u32 {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }

    /// Is there a route or a bound tree in the virtual router?
    #[must_use]
    pub(crate) fn in_use(&self, vr: u16) -> bool {
        self.routers.get(usize::from(vr)).is_some_and(|router| {
            router.ipv4_tree != 0
                || router.ipv6_tree != 0
                || !router.ipv4.is_empty()
                || !router.ipv6.is_empty()
        })
    }

    /// Adds or replaces a route. The caller has checked `vr`.
    ///
    /// # Errors
    /// [`RouteError::Full`] for a new prefix without room; [`RouteError::Absent`] without such a router.
    pub(crate) fn insert(
        &mut self,
        vr: u16,
        prefix: IpNet,
        route: Route,
    ) -> Result<(), RouteError> {
        let router = self.routers.get_mut(usize::from(vr)).ok_or(RouteError::Absent)?;
        let (count, size) = match prefix {
            IpNet::V4(_) => (&mut self.ipv4, self.size_ipv4),
            IpNet::V6(_) => (&mut self.ipv6, self.size_ipv6),
        };
        if router.get(prefix).is_none() {
            if *count >= size {
                return Err(RouteError::Full);
            }
            *count += 1;
        }
        let old = router.insert(prefix, route);
        self.count_group(old, Some(route));
        Ok(())
    }

    /// A route has another group than before.
    fn count_group(&mut self, old: Option<Route>, new: Option<Route>) {
        if let Some(group) = new.and_then(group) {
            *self.groups.entry(group).or_default() += 1;
        }
        if let Some(group) = old.and_then(group)
            && let Some(count) = self.groups.get_mut(&group)
        {
            *count -= 1;
            if *count == 0 {
                self.groups.remove(&group);
            }
        }
    }

    /// Is an adjacency in a group by which some route forwards?
    #[must_use]
    pub(crate) fn uses(&self, adjacency: u32) -> bool {
        let first = adjacency.saturating_sub(u16::MAX.into());
        let groups = self.groups.range((first, 0)..=(adjacency, u16::MAX));
        groups.rev().any(|((first, size), _)| adjacency - first < u32::from(*size))
    }

    /// Gives the routes of a virtual router that have a group another one.
    pub(crate) fn regroup(&mut self, vr: u16, family: Family, old: Group, new: Group) {
        let Some(router) = self.routers.get_mut(usize::from(vr)) else { return };
        let mut changed = 0;
        let mut change = |route: &mut Route| {
            if group(*route) == Some(old) {
                let (adjacency_index, ecmp_size) = new;
                route.action = RouteAction::Remote { adjacency_index, ecmp_size };
                changed += 1;
            }
        };
        match family {
            Family::Ipv4 => router.ipv4.values_mut().for_each(&mut change),
            Family::Ipv6 => router.ipv6.values_mut().for_each(&mut change),
        }
        if changed > 0 && old != new {
            *self.groups.entry(new).or_default() += changed;
            if let Some(count) = self.groups.get_mut(&old) {
                *count -= changed;
                if *count == 0 {
                    self.groups.remove(&old);
                }
            }
        }
    }

    /// Removes a route.
    ///
    /// # Errors
    /// [`RouteError::Absent`].
    pub(crate) fn remove(&mut self, vr: u16, prefix: IpNet) -> Result<(), RouteError> {
        let router = self.routers.get_mut(usize::from(vr)).ok_or(RouteError::Absent)?;
        let removed = router.remove(prefix).ok_or(RouteError::Absent)?;
        match prefix {
            IpNet::V4(_) => self.ipv4 -= 1,
            IpNet::V6(_) => self.ipv6 -= 1,
        }
        self.count_group(Some(removed), None);
        Ok(())
    }

    /// The route of exactly this prefix.
    #[must_use]
    pub(crate) fn get(&self, vr: u16, prefix: IpNet) -> Option<Route> {
        self.routers.get(usize::from(vr))?.get(prefix).copied()
    }

    /// The length of the longest matching prefix and its route; `None` also when no tree is bound.
    #[must_use]
    pub(crate) fn lookup(&self, vr: u16, destination: IpAddr) -> Option<(u8, &Route)> {
        let router = self.routers.get(usize::from(vr))?;
        match destination {
            IpAddr::V4(_) if router.ipv4_tree == 0 => None,
            IpAddr::V6(_) if router.ipv6_tree == 0 => None,
            IpAddr::V4(ip) => router.ipv4.lookup(ip.to_bits()),
            IpAddr::V6(ip) => router.ipv6.lookup(ip.to_bits()),
        }
    }

    /// Makes a tree; one of that id and family may exist already.
    pub(crate) fn add_tree(&mut self, tree: u8, family: Family) {
        self.trees.entry(tree).or_insert(Tree { family, shape: None });
    }

    /// The tree of that id.
    #[must_use]
    pub(crate) fn tree(&self, tree: u8) -> Option<&Tree> {
        self.trees.get(&tree)
    }

    /// The tree of that id, to change it.
    pub(crate) fn tree_mut(&mut self, tree: u8) -> Option<&mut Tree> {
        self.trees.get_mut(&tree)
    }

    /// How many trees there are.
    #[must_use]
    pub(crate) fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Removes a tree; whether it may go is the caller's question.
    pub(crate) fn remove_tree(&mut self, tree: u8) {
        self.trees.remove(&tree);
    }

    /// Is some virtual router bound to the tree?
    #[must_use]
    pub(crate) fn is_bound(&self, tree: u8) -> bool {
        self.routers.iter().any(|r| r.ipv4_tree == tree || r.ipv6_tree == tree)
    }

    /// Binds a virtual router to a tree, 0 for none.
    pub(crate) fn bind(&mut self, vr: u16, family: Family, tree: u8) {
        if let Some(router) = self.routers.get_mut(usize::from(vr)) {
            match family {
                Family::Ipv4 => router.ipv4_tree = tree,
                Family::Ipv6 => router.ipv6_tree = tree,
            }
        }
    }

    /// The tree that a virtual router is bound to, 0 for none.
    #[must_use]
    pub(crate) fn bound(&self, vr: u16, family: Family) -> u8 {
        self.routers.get(usize::from(vr)).map_or(0, |router| match family {
            Family::Ipv4 => router.ipv4_tree,
            Family::Ipv6 => router.ipv6_tree,
        })
    }

    /// All routes by virtual router, family and prefix.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, IpNet, Route)> {
        (0_u16..).zip(&self.routers).flat_map(|(vr, router)| {
            let ipv4 = router.ipv4.iter().filter_map(move |(prefix, length, route)| {
                Some((vr, network(Ipv4Addr::from_bits(prefix).into(), length)?, *route))
            });
            let ipv6 = router.ipv6.iter().filter_map(move |(prefix, length, route)| {
                Some((vr, network(Ipv6Addr::from_bits(prefix).into(), length)?, *route))
            });
            ipv4.chain(ipv6)
        })
    }
}

/// The network of an address, host bits cleared; `None` if the length is too large for the family.
#[must_use]
pub(crate) fn network(address: IpAddr, prefix_len: u8) -> Option<IpNet> {
    Some(IpNet::new(address, prefix_len).ok()?.trunc())
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    use super::*;

    fn ip2me() -> Route {
        Route { action: RouteAction::Ip2Me, trap: RouteTrap::Nop }
    }

    proptest! {
        // Would break: packets take another route than the longest prefix that was written, or routes leak
        // from one virtual router into another.
        #[test]
        fn lookup_agrees_with_a_linear_search(
            steps in prop::collection::vec((any::<bool>(), 0..2_u16, 0..8_u32, 0..=32_u8), 1..80),
            asked in prop::collection::vec((0..2_u16, 0..16_u32), 20),
        ) {
            let mut routes = Routes::new(2, 20, 20);
            for vr in 0..2 { routes.bind(vr, Family::Ipv4, 1); }
            let mut naive: BTreeMap<(u16, Ipv4Net), u16> = BTreeMap::new();
            let spread = |n: u32| Ipv4Addr::from(n << 29 | n << 14 | n);
            for (n, (add, vr, base, len)) in steps.into_iter().enumerate() {
                let prefix = network(spread(base).into(), len).unwrap();
                let IpNet::V4(v4) = prefix else { unreachable!() };
                let erif = u16::try_from(n).unwrap();
                let route = Route { action: RouteAction::Local { erif }, trap: RouteTrap::Nop };
                if add {
                    let room = naive.len() < 20 || naive.contains_key(&(vr, v4));
                    prop_assert_eq!(routes.insert(vr, prefix, route).is_ok(), room);
                    if room { naive.insert((vr, v4), erif); }
                } else {
                    prop_assert_eq!(routes.remove(vr, prefix).is_ok(), naive.remove(&(vr, v4)).is_some());
                }
            }
            prop_assert_eq!(routes.iter().count(), naive.len());
            for (vr, n) in asked {
                let ip = spread(n);
                let want = naive.iter()
                    .filter(|((v, p), _)| *v == vr && p.contains(&ip))
                    .max_by_key(|((_, p), _)| p.prefix_len())
                    .map(|((_, p), erif)| (p.prefix_len(), *erif));
                let got = routes.lookup(vr, ip.into()).map(|(p, route)| match route.action {
                    RouteAction::Local { erif } => (p, erif),
                    other => unreachable!("{other:?}"),
                });
                prop_assert_eq!(got, want);
            }
        }
    }

    // Would break: an agent that forgets to bind a tree would not notice on the simulator.
    #[test]
    fn without_a_bound_tree_nothing_is_found() {
        let mut routes = Routes::new(1, 4, 4);
        let prefix = network(IpAddr::from([10, 0, 0, 1]), 32).unwrap();
        routes.insert(0, prefix, ip2me()).unwrap();
        assert_eq!(routes.lookup(0, IpAddr::from([10, 0, 0, 1])), None);
        routes.bind(0, Family::Ipv6, 1);
        assert_eq!(routes.lookup(0, IpAddr::from([10, 0, 0, 1])), None);
        routes.bind(0, Family::Ipv4, 1);
        assert_eq!(routes.lookup(0, IpAddr::from([10, 0, 0, 1])), Some((32, &ip2me())));
    }

    // Would break: 255.255.255.255 or a default route would panic or be lost at the ends of the number space.
    #[test]
    fn the_ends_of_the_number_space_work() {
        let mut routes = Routes::new(1, 4, 4);
        routes.bind(0, Family::Ipv6, 1);
        for (ip, len) in [("::", 0), ("::", 128), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128)]
        {
            let prefix = network(ip.parse().unwrap(), len).unwrap();
            routes.insert(0, prefix, ip2me()).unwrap();
            assert_eq!(routes.lookup(0, ip.parse().unwrap()).unwrap().0, prefix.prefix_len());
        }
        assert_eq!(network(IpAddr::from([0, 0, 0, 0]), 33), None);
    }
}
