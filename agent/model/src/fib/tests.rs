//! The order of routes of one prefix, and what a fold touches.

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
    let snapshot = FibSnapshot { routes: vec![one()], ..FibSnapshot::default() };
    assert_eq!(fib.fold(FibEvent::All(Box::new(snapshot.clone()))).routes.len(), 1);
    assert_eq!(fib.fold(FibEvent::Route(one(), Placement::Append)), Touched::default());
    assert_eq!(fib.fold(FibEvent::All(Box::new(snapshot))), Touched::default());
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
