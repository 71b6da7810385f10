//! The order of routes of one prefix, what a fold touches, and what a dump comes to while routes change.

use proptest::prelude::*;

use super::*;
use crate::testbed::{self, hop};

fn route(prefix: &str, metric: u32, hops: Vec<NextHop>) -> Route {
    Route { metric, ..testbed::route(prefix, hops) }
}

fn first_device(fib: &Fib, prefix: &str) -> Option<u32> {
    match &fib.routes(254, &prefix.parse().unwrap()).first()?.via {
        Via::Hops(hops) => hops.first()?.ifindex.map(|ifindex| ifindex.0),
        Via::Object(_) => None,
    }
}

// Broken if another route than the kernel's counted: one with a higher metric, or a later one of the same metric.
#[test]
fn the_route_that_counts_is_first() {
    let mut fib = Fib::default();
    let net = "10.0.0.0/8";
    let add = |fib: &mut Fib, metric, device, placement| {
        fib.fold(FibEvent::Route(route(net, metric, vec![hop(device, None)]), placement))
    };
    add(&mut fib, 10, 1, Placement::Prepend);
    add(&mut fib, 20, 2, Placement::Prepend);
    assert_eq!(first_device(&fib, net), Some(1));
    add(&mut fib, 10, 3, Placement::Append);
    assert_eq!(first_device(&fib, net), Some(1), "appended");
    add(&mut fib, 10, 4, Placement::Prepend);
    assert_eq!(first_device(&fib, net), Some(4), "prepended");
    add(&mut fib, 10, 5, Placement::Replace);
    assert_eq!(first_device(&fib, net), Some(5), "replaced");
    for (device, next) in [(5, Some(1)), (1, Some(3)), (3, Some(2)), (2, None)] {
        let metric = if device == 2 { 20 } else { 10 };
        fib.fold(FibEvent::RouteGone(route(net, metric, vec![hop(device, None)])));
        assert_eq!(first_device(&fib, net), next);
    }
    assert!(fib.is_empty(), "{fib:?}");
}

// Broken if an event that a dump has told of already made the route twice, so that its removal left one.
#[test]
fn what_is_said_twice_is_there_once() {
    let mut fib = Fib::default();
    let one = || route("10.0.0.0/8", 0, vec![hop(1, Some("192.0.2.1"))]);
    let dump = || {
        let snapshot = FibSnapshot { routes: vec![one()], ..FibSnapshot::default() };
        Merge::new(snapshot, [])
    };
    assert_eq!(dump().step(&mut fib, 10).unwrap().routes.len(), 1);
    assert_eq!(fib.fold(FibEvent::Route(one(), Placement::Append)), Touched::default());
    assert_eq!(dump().step(&mut fib, 10), Some(Touched::default()));
    assert_eq!(fib.fold(FibEvent::RouteGone(one())).routes.len(), 1);
    assert_eq!(fib.len(), 0);
}

// Broken if an IPv6 route with several next hops were several routes, or lost them all with the first.
#[test]
fn ipv6_next_hops_join_and_leave() {
    let mut fib = Fib::default();
    let net = "2001:db8::/32";
    let (a, b) = (hop(1, Some("fe80::1")), hop(2, Some("fe80::2")));
    fib.fold(FibEvent::Route(route(net, 1024, vec![a.clone()]), Placement::Prepend));
    let both = vec![a.clone(), b.clone()];
    fib.fold(FibEvent::Route(route(net, 1024, both.clone()), Placement::Append));
    let found = |fib: &Fib| fib.routes(254, &net.parse().unwrap()).to_vec();
    assert_eq!(found(&fib), [route(net, 1024, both)]);
    // one on the link beside them, as link-locals' are
    fib.fold(FibEvent::Route(route(net, 1024, vec![hop(3, None)]), Placement::Prepend));
    assert_eq!(found(&fib).len(), 2);
    fib.fold(FibEvent::RouteGone(route(net, 1024, vec![a])));
    assert_eq!(found(&fib)[0], route(net, 1024, vec![b.clone()]));
    fib.fold(FibEvent::RouteGone(route(net, 1024, vec![b])));
    assert_eq!(found(&fib), [route(net, 1024, vec![hop(3, None)])]);
}

// Broken if a route went on by a next-hop object, or a group, that has become another.
#[test]
fn objects_touch_the_routes_that_lead_to_them() {
    let mut fib = Fib::default();
    let via = |id, prefix| Route { via: Via::Object(id), ..route(prefix, 0, vec![]) };
    let object = |id, content| FibEvent::NextHop(NextHopObject { id, content });
    fib.fold(FibEvent::Route(via(1, "10.0.0.0/8"), Placement::Append));
    fib.fold(FibEvent::Route(via(9, "11.0.0.0/8"), Placement::Append));
    let group = NextHopContent::Group(vec![(1, 1), (2, 1)]);
    assert_eq!(fib.fold(object(9, group)).routes.len(), 1);
    let hop = NextHopContent::Hop(hop(1, None));
    assert_eq!(fib.fold(object(1, hop.clone())).routes.len(), 2, "itself, and the group");
    assert_eq!(fib.fold(object(1, hop)).routes.len(), 0);
    assert_eq!(fib.fold(FibEvent::NextHopGone(9)).routes.len(), 1);
    assert_eq!(fib.fold(FibEvent::NextHopGone(1)).routes.len(), 1, "no group any more");
}

// Broken if the daemon looked for routes that went without a word whenever an address goes.
#[test]
fn the_kernels_own_routes_go_with_a_word() {
    let mut fib = Fib::default();
    let source: IpAddr = "192.0.2.1".parse().unwrap();
    let on_link = route("192.0.2.0/24", 0, vec![hop(1, None)]);
    let on_link = Route { protocol: KERNEL, source: Some(source), ..on_link };
    fib.fold(FibEvent::Route(on_link.clone(), Placement::Append));
    assert!(!fib.prefers(source));
    let other = Route { protocol: 4, metric: 1, ..on_link };
    fib.fold(FibEvent::Route(other.clone(), Placement::Append));
    assert!(fib.prefers(source));
    fib.fold(FibEvent::RouteGone(other));
    assert!(!fib.prefers(source));
}

/// What somebody does in the kernel.
#[derive(Debug, Clone)]
enum Deed {
    Put(u8, u32, u32),
    Remove(u8, u32),
    Object(u32, u32),
    NoObject(u32),
    Host(u8, u8),
    NoHost(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0..6_u8, 0..2_u32, 1..4_u32).prop_map(|(net, metric, way)| Deed::Put(net, metric, way)),
        4 => (0..6_u8, 0..2_u32).prop_map(|(net, metric)| Deed::Remove(net, metric)),
        1 => (1..3_u32, 1..4_u32).prop_map(|(id, device)| Deed::Object(id, device)),
        1 => (1..3_u32).prop_map(Deed::NoObject),
        1 => (0..3_u8, 0..3_u8).prop_map(|(host, mac)| Deed::Host(host, mac)),
        1 => (0..3_u8).prop_map(Deed::NoHost),
    ]
}

/// What the kernel says of it, if it does anything.
fn said(kernel: &Fib, deed: &Deed) -> Option<FibEvent> {
    let net = |net: u8| format!("10.{net}.0.0/16");
    let there = |n: u8, metric| {
        let prefix = net(n).parse().unwrap();
        kernel.routes(254, &prefix).iter().find(|route| route.metric == metric).cloned()
    };
    let host = |n: u8| format!("192.0.2.{n}");
    Some(match *deed {
        Deed::Put(n, metric, way) => {
            let via = match way {
                3 => Via::Object(1),
                _ => Via::Hops(vec![hop(way, None)]),
            };
            let new = Route { via, ..route(&net(n), metric, vec![]) };
            match there(n, metric) {
                Some(old) if old == new => return None,
                Some(_) => FibEvent::Route(new, Placement::Replace),
                None => FibEvent::Route(new, Placement::Prepend),
            }
        }
        Deed::Remove(n, metric) => FibEvent::RouteGone(there(n, metric)?),
        Deed::Object(id, device) => {
            FibEvent::NextHop(NextHopObject { id, content: NextHopContent::Hop(hop(device, None)) })
        }
        Deed::NoObject(id) => FibEvent::NextHopGone(id),
        Deed::Host(n, mac) => FibEvent::Neighbour(testbed::neighbour(1, &host(n), Some(mac))),
        Deed::NoHost(n) => FibEvent::NeighbourGone(IfIndex(1), host(n).parse().unwrap()),
    })
}

fn dump(kernel: &Fib) -> FibSnapshot {
    let object = |(id, content): (&u32, &NextHopContent)| NextHopObject {
        id: *id,
        content: content.clone(),
    };
    FibSnapshot {
        // in an order of the kernel's
        routes: kernel
            .prefixes(254)
            .rev()
            .flat_map(|net| kernel.routes(254, net))
            .cloned()
            .collect(),
        next_hops: kernel.next_hops.iter().map(object).collect(),
        neighbours: kernel.neighbours().cloned().collect(),
    }
}

proptest! {
    // Broken if something that happens while a dump is made or merged were lost, or something that was gone came back, or if a
    // route were seen for a moment as the dump has it though the kernel said better before.
    #[test]
    fn a_dump_is_merged_while_routes_change(
        deeds in proptest::collection::vec((deed(), any::<bool>()), 0..60),
        began in 0..40_usize, read in 0..10_usize, ended in 0..10_usize, part in 1..4_usize,
    ) {
        let (mut kernel, mut fib) = (Fib::default(), Fib::default());
        let (mut snapshot, mut kept, mut merge) = (None, Vec::new(), None::<Merge>);
        for (at, (deed, missed)) in deeds.iter().enumerate() {
            if let Some(event) = said(&kernel, deed) {
                kernel.fold(event.clone());
                // what was missed led to the dump
                if at >= began || !missed {
                    fib.fold(event.clone());
                }
                if let Some(merge) = &mut merge {
                    merge.hear(&event);
                } else if at >= began {
                    kept.push(event);
                }
            }
            if at == began + read {
                snapshot = Some(dump(&kernel));
            }
            if at == began + read + ended {
                merge = snapshot.take().map(|snapshot| Merge::new(snapshot, std::mem::take(&mut kept)));
            }
            if let Some(merge) = &mut merge {
                let before = fib.clone();
                merge.step(&mut fib, part);
                for net in fib.prefixes(254).chain(before.prefixes(254)) {
                    let now = fib.routes(254, net);
                    prop_assert!(now == before.routes(254, net) || now == kernel.routes(254, net));
                }
            }
        }
        let dumped = snapshot.unwrap_or_else(|| dump(&kernel));
        let mut merge = merge.unwrap_or_else(|| Merge::new(dumped, kept));
        while merge.step(&mut fib, part).is_some() {}
        prop_assert_eq!(fib, kernel);
    }
}
