//! Routes, next hops and hosts, on a chip that is as strict as a real one about what leads to what.

mod bench;
mod orders;

use std::net::IpAddr;

use bench::Lab;
use ipnet::IpNet;

use super::*;
use crate::chip::{AdjacencyIndex, RouteAction};
use crate::fib::{FibEvent, FibSnapshot, Neighbour, Placement, Route, RouteKind, Via};
use crate::intent::Routing;
use crate::testbed::{LIMITS, chip, hop, neighbour, route};
use crate::topology::LinkKind;

const TO_CPU: Option<RouteAction> = Some(RouteAction::Trap(crate::intent::EXTERNAL_ROUTE));

// Broken if hosts on a link were not reached by the chip itself, or some that nobody can send to were.
#[test]
fn hosts_on_a_link() {
    let mut lab = Lab::router(16);
    let rif = lab.rif(SWP1);
    assert_eq!(lab.action("192.0.2.0/24"), Some(RouteAction::Local(rif)));
    let host: IpAddr = "192.0.2.9".parse().unwrap();
    lab.fib(neighbour(SWP1, "192.0.2.9", Some(9)));
    lab.fib(neighbour(SWP1, "192.0.2.10", None));
    lab.fib(neighbour(SWP1, "fe80::9", Some(9)));
    lab.fib(neighbour(99, "192.0.2.11", Some(9)));
    let cluster = Mac([3, 0xbf, 192, 0, 2, 12]);
    lab.fib(Neighbour { mac: Some(cluster), ..neighbour(SWP1, "192.0.2.12", None) });
    let mac = Mac([2, 0, 0, 0, 1, 9]);
    assert_eq!(lab.settle(), [Change::Add(Entry::Neighbour { rif, ip: host, mac })]);
    lab.fib(neighbour(SWP1, "192.0.2.9", Some(10)));
    assert!(matches!(lab.settle()[..], [Change::Edit { to: Entry::Neighbour { .. }, .. }]));
    lab.fib(FibEvent::NeighbourGone(IfIndex(SWP1), host));
    assert!(matches!(lab.settle()[..], [Change::Remove(Entry::Neighbour { .. })]));
}

// Broken if a route were written again for what happens to its next hop, or led there before the group was whole.
#[test]
fn a_flap_of_a_next_hop_touches_no_route() {
    let mut lab = Lab::router(2000);
    for n in 0..1000_u32 {
        let [_, _, a, b] = n.to_be_bytes();
        let ways = vec![hop(SWP1, Some("192.0.2.9")), hop(SWP2, Some("198.51.100.9"))];
        lab.fib(route(&format!("10.{a}.{b}.0/24"), ways));
    }
    lab.fib(neighbour(SWP2, "198.51.100.9", Some(2)));
    lab.settle();
    let [one, two] = [1, 2].map(|n| port(n).mac.unwrap());
    let far = Some(Mac([2, 0, 0, 0, 1, 2]));
    assert_eq!(lab.leads_to("10.0.0.0/24"), [(one, None), (two, far)], "the first asks");
    lab.fib(neighbour(SWP1, "192.0.2.9", Some(1)));
    let near = Some(Mac([2, 0, 0, 0, 1, 1]));
    assert_eq!(lab.settle().len(), 2, "the host, and one adjacency");
    assert_eq!(lab.leads_to("10.3.231.0/24"), [(one, near), (two, far)]);
    // the kernel leaves out what is down
    lab.reconciler.fold(link_event(Link { flags: 0, ..port(1) }));
    assert_eq!(lab.settle().len(), 1);
    assert_eq!(lab.leads_to("10.3.231.0/24"), [(two, far), (two, far)]);
    lab.reconciler.fold(link_event(port(1)));
    lab.settle();
    assert_eq!(lab.leads_to("10.0.0.0/24"), [(one, near), (two, far)]);
}

// Broken if all routes were written because their next-hop object was replaced, or their packets went somewhere else meanwhile.
#[test]
fn a_replaced_object_touches_no_route() {
    use crate::fib::{NextHopContent, NextHopObject};
    let mut lab = Lab::router(2000);
    let object = |id, content| FibEvent::NextHop(NextHopObject { id, content });
    let one = || NextHopContent::Hop(hop(SWP1, Some("192.0.2.9")));
    let two = || NextHopContent::Hop(hop(SWP2, Some("198.51.100.9")));
    lab.fib(object(1, one()));
    lab.fib(object(2, two()));
    lab.fib(object(10, NextHopContent::Group(vec![(1, 1), (2, 3)])));
    for n in 0..200_u8 {
        let prefix = format!("10.0.{n}.0/24");
        lab.fib(Route { via: Via::Object(10), ..route(&prefix, vec![]) });
    }
    lab.fib(neighbour(SWP1, "192.0.2.9", Some(1)));
    lab.fib(neighbour(SWP2, "198.51.100.9", Some(2)));
    lab.settle();
    let [near, far] = [1, 2]
        .map(|n| (port(n).mac.unwrap(), Some(Mac([2, 0, 0, 0, 1, u8::try_from(n).unwrap()]))));
    assert_eq!(lab.leads_to("10.0.7.0/24"), [near, far, far, far]);
    lab.fib(object(2, one()));
    assert_eq!(lab.settle().len(), 3, "three adjacencies");
    assert_eq!(lab.leads_to("10.0.7.0/24"), [near; 4]);
    lab.fib(object(2, two()));
    lab.fib(object(10, NextHopContent::Group(vec![(2, 1)])));
    assert_eq!(lab.settle().len(), 4, "four adjacencies where one would do");
    assert_eq!(lab.leads_to("10.0.7.0/24"), [far; 4]);
    // four places are no multiple of three
    lab.fib(object(10, NextHopContent::Group(vec![(1, 1), (2, 2)])));
    assert!(lab.settle().len() >= 200);
    assert_eq!(lab.leads_to("10.0.7.0/24"), [near, far, far]);
    assert!(lab.reconciler.differences().is_empty());
}

// Broken if a router interface went while routes led to it, stayed when they had left, or did not come back to them.
#[test]
fn a_router_interface_goes_after_its_routes() {
    let mut lab = Lab::router(16);
    lab.fib(route("10.0.0.0/8", vec![hop(SWP1, Some("192.0.2.9"))]));
    lab.fib(neighbour(SWP1, "192.0.2.9", Some(1)));
    lab.settle();
    let index = lab.rif(SWP1);
    lab.reconciler.fold(Event::AddressGone(address(SWP1, "192.0.2.1/24")));
    let made = lab.settle();
    assert_eq!((lab.action("10.0.0.0/8"), lab.action("192.0.2.0/24")), (TO_CPU, TO_CPU));
    assert_eq!(lab.chip.tables.get(&Key::Rif(index)), None);
    let position = |wanted: &dyn Fn(&Change) -> bool| made.iter().position(wanted).unwrap();
    let off = position(&|c| matches!(c, Change::Edit { to: Entry::Rif(rif), .. } if !rif.enabled));
    let moved = position(&|c| matches!(c, Change::Edit { to: Entry::Route { .. }, .. }));
    let removed = position(&|c| matches!(c, Change::Remove(Entry::Rif(_))));
    assert!(off < moved && moved < removed, "{made:#?}");
    let left = lab.chip.tables.keys().any(|k| matches!(k, Key::Adjacency(_) | Key::Neighbour(..)));
    assert!(!left, "{:#?}", lab.chip.tables);
    let reason = |lab: &Lab| {
        lab.reconciler.route_reason(254, "10.0.0.0/8".parse().unwrap()).map(|(reason, _)| reason)
    };
    assert_eq!(reason(&lab), Some(Reason::NextHopNoRif));
    lab.reconciler.fold(addr(SWP1, "192.0.2.1/24"));
    lab.settle();
    assert_eq!((lab.leads_to("10.0.0.0/8").len(), reason(&lab)), (1, None));
    // and the virtual router after them, its default route too
    lab.fib(route("0.0.0.0/0", vec![hop(SWP2, None)]));
    lab.settle();
    assert_eq!(lab.action("0.0.0.0/0"), Some(RouteAction::Local(lab.rif(SWP2))));
    lab.reconciler.fold(Event::AddressGone(address(SWP1, "192.0.2.1/24")));
    lab.reconciler.fold(Event::AddressGone(address(SWP2, "198.51.100.1/24")));
    lab.settle();
    let left = |key: &&Key| matches!(key, Key::Rif(_) | Key::VrTree(..) | Key::Route(..));
    assert_eq!(lab.chip.tables.keys().find(left), None);
}

// Broken if what the kernel does not forward were forwarded, or went another way than to the CPU or nowhere.
#[test]
fn other_kinds_of_routes() {
    let mut lab = Lab::router(32);
    let kind = |prefix: &str, kind| Route { kind, ..route(prefix, vec![]) };
    lab.fib(kind("10.1.0.0/16", RouteKind::Blackhole));
    lab.fib(kind("10.2.0.0/16", RouteKind::Unreachable));
    lab.fib(Route { table: 255, ..kind("10.3.0.1/32", RouteKind::Local) });
    lab.fib(kind("10.4.0.0/16", RouteKind::Throw));
    lab.fib(route("10.5.0.0/16", vec![hop(99, None)]));
    lab.fib(Route { table: 7, ..route("10.6.0.0/16", vec![hop(SWP1, None)]) });
    lab.fib(route("0.0.0.0/0", vec![hop(SWP2, Some("198.51.100.9"))]));
    lab.settle();
    assert_eq!(lab.action("10.1.0.0/16"), Some(RouteAction::Discard));
    let reject = RouteAction::Trap(crate::intent::REJECT_ROUTE);
    assert_eq!(lab.action("10.2.0.0/16"), Some(reject));
    assert_eq!(lab.action("10.3.0.1/32"), Some(RouteAction::Ip2me));
    assert_eq!((lab.action("10.4.0.0/16"), lab.action("10.5.0.0/16")), (TO_CPU, TO_CPU));
    assert_eq!(lab.action("10.6.0.0/16"), None, "no virtual router has this table");
    assert_eq!(
        lab.leads_to("0.0.0.0/0").len(),
        1,
        "the kernel's default, not the virtual router's"
    );
    assert_eq!(lab.reconciler.differences(), [], "nor is it missed");
    lab.fib(FibEvent::RouteGone(route("0.0.0.0/0", vec![hop(SWP2, Some("198.51.100.9"))])));
    lab.settle();
    assert_eq!(lab.action("0.0.0.0/0"), TO_CPU);
    assert!(lab.reconciler.differences().is_empty());
}

// Broken if the operator's word did not hold until a restart: routes that stayed, came too early, or never.
#[test]
fn who_routes_may_change() {
    let mut lab = Lab::router(32);
    lab.fib(route("10.0.0.0/8", vec![hop(SWP2, Some("198.51.100.9"))]));
    lab.fib(neighbour(SWP2, "198.51.100.9", Some(2)));
    lab.settle();
    let whole = lab.chip.tables.clone();
    lab.routing(Routing::Cpu);
    lab.settle();
    let routed = |entry: &&Entry| match entry {
        Entry::Route { action, .. } => *action != RouteAction::Ip2me && Some(*action) != TO_CPU,
        entry => matches!(entry, Entry::Adjacency { .. } | Entry::Neighbour { .. }),
    };
    assert_eq!(lab.chip.tables.values().find(routed), None, "the CPU routes");
    assert!(lab.reconciler.differences().is_empty());
    // what comes meanwhile is not lost
    lab.fib(neighbour(SWP2, "198.51.100.10", Some(3)));
    lab.fib(FibEvent::NeighbourGone(IfIndex(SWP2), "198.51.100.10".parse().unwrap()));
    lab.routing(Routing::Hardware);
    lab.settle();
    assert_eq!(lab.chip.tables, whole);

    // a daemon that starts with the CPU routing
    let mut lab = Lab::new(32);
    lab.routing(Routing::Cpu);
    let vrf = Link { kind: LinkKind::Vrf { table: 10 }, altnames: vec![], ..port(3) };
    let inside =
        |inside: bool| link_event(Link { master: inside.then_some(vrf.ifindex), ..port(1) });
    lab.reconciler.fold(link_event(vrf.clone()));
    lab.reconciler.fold(inside(true));
    lab.reconciler.fold(addr(SWP1, "192.0.2.1/24"));
    lab.fib(Route { table: 10, ..route("192.0.2.0/24", vec![hop(SWP1, None)]) });
    lab.settle();
    lab.routing(Routing::Hardware);
    lab.settle();
    let local = |lab: &Lab| Some(RouteAction::Local(lab.rif(SWP1)));
    assert_eq!(lab.action("192.0.2.0/24"), local(&lab));
    // and a virtual router that goes meanwhile: the chip wants it before its routes
    lab.routing(Routing::Cpu);
    lab.reconciler.fold(inside(false));
    lab.settle();
    lab.routing(Routing::Hardware);
    lab.reconciler.fold(inside(true));
    lab.settle();
    assert_eq!(lab.action("192.0.2.0/24"), local(&lab));
}

// Broken if packets took a wider route's way because theirs did not fit, an incumbent went, or nobody tried again.
#[test]
fn what_does_not_fit_takes_no_wrong_way() {
    // two own addresses and two broadcasts, two links, two defaults, and two more
    let mut lab = Lab::router(10);
    let via = |prefix: &str| route(prefix, vec![hop(SWP2, Some("198.51.100.9"))]);
    lab.fib(via("10.0.0.0/8"));
    lab.fib(via("10.1.0.0/16"));
    lab.settle();
    assert_eq!(lab.leads_to("10.1.0.0/16").len(), 1);
    lab.fib(via("10.2.0.0/16"));
    lab.fib(via("10.2.3.0/24"));
    lab.settle();
    let reason = |lab: &Lab, prefix: &str| {
        lab.reconciler.route_reason(254, prefix.parse().unwrap()).map(|(reason, _)| reason)
    };
    assert_eq!(lab.action("10.2.0.0/16"), None);
    assert_eq!(reason(&lab, "10.2.0.0/16"), Some(Reason::RouteTableFull));
    assert_eq!(lab.action("10.0.0.0/8"), TO_CPU, "its packets must not go the wider route's way");
    assert_eq!(reason(&lab, "10.0.0.0/8"), Some(Reason::RouteCoversRefused));
    assert_eq!(lab.leads_to("10.1.0.0/16").len(), 1, "an incumbent");
    assert_eq!(lab.reconciler.waiting_for_room().0, 2);
    // one goes: the first that waits takes its place
    lab.fib(FibEvent::RouteGone(via("10.1.0.0/16")));
    lab.settle();
    assert_eq!((lab.action("10.2.0.0/16"), lab.action("10.2.3.0/24")), (TO_CPU, None));
    assert_eq!(lab.leads_to("10.0.0.0/8").len(), 1, "nothing wider is missing");
    // the other is not wanted any more
    lab.fib(FibEvent::RouteGone(via("10.2.3.0/24")));
    lab.settle();
    assert_eq!(lab.leads_to("10.2.0.0/16").len(), 1);
    assert_eq!(lab.reconciler.waiting_for_room().0, 0);
}

// Broken if everybody had to wait until thousands of routes that came and went were looked at, or if the last were not.
#[test]
fn what_came_and_went_is_looked_at_in_parts() {
    let mut lab = Lab::router(10_000);
    let all = || (0..2000).map(|n| route(&format!("10.{}.{}.0/24", n >> 8, n & 255), vec![]));
    let all = || all().map(|route| Route { kind: RouteKind::Blackhole, ..route });
    all().for_each(|route| lab.fib(route));
    lab.reconciler.recompute();
    all().for_each(|route| lab.fib(FibEvent::RouteGone(route)));
    lab.reconciler.recompute();
    assert_eq!(lab.reconciler.pending(), 2000);
    assert!(lab.reconciler.ready(ZERO).is_empty());
    assert!(lab.reconciler.pending() > 1000, "{}", lab.reconciler.pending());
    while !lab.reconciler.is_synced() {
        assert_eq!(lab.reconciler.deadline(), Some(ZERO), "nobody would come again");
        assert!(lab.reconciler.ready(ZERO).is_empty());
    }
    assert_eq!(lab.reconciler.deadline(), None);
}

// Broken if a restart wrote what is there already, or took a group's adjacencies for another's.
#[test]
fn a_restart_writes_nothing() {
    let mut lab = Lab::router(64);
    for n in 0..4_u8 {
        let gateway = format!("192.0.2.{}", 9 + n % 3);
        lab.fib(route(&format!("10.{n}.0.0/16"), vec![hop(SWP1, Some(&gateway))]));
        lab.fib(neighbour(SWP1, &gateway, (n != 1).then_some(n)));
    }
    lab.settle();
    let fib = lab.reconciler.fib().clone();
    let topology = lab.reconciler.topology().clone();
    let mut fresh = Lab::new(64);
    fresh.chip = lab.chip;
    for link in topology.links() {
        fresh.reconciler.fold(link_event(link.clone()));
        for address in topology.addresses(link.ifindex) {
            fresh.reconciler.fold(Event::Address(address.clone()));
        }
    }
    let routes = [254].iter().flat_map(|t| fib.prefixes(*t).flat_map(|p| fib.routes(*t, p)));
    let mut routes: Vec<Route> = routes.cloned().collect();
    // groups get other numbers
    routes.reverse();
    let neighbours = fib.neighbours().cloned().collect();
    let snapshot = FibSnapshot { routes, next_hops: Vec::new(), neighbours };
    fresh.whole_fib(snapshot);
    fresh.reconciler.recompute();
    let read = |lab: &mut Lab, keys: BTreeSet<Key>| {
        for key in keys {
            let found = lab.chip.tables.get(&key).cloned();
            lab.reconciler.settle(&key, found);
        }
    };
    let scanned = fresh.chip.tables.clone().into_iter();
    let scanned: Tables =
        scanned.filter(|(key, _)| matches!(key, Key::Rif(_) | Key::RouterMac(..))).collect();
    let landmarks = fresh.reconciler.adopt(scanned);
    read(&mut fresh, landmarks);
    let more = fresh.reconciler.claim_interfaces();
    assert!(!more.is_empty());
    read(&mut fresh, more);
    let rest = fresh.reconciler.claim();
    // and what a log names
    let all: BTreeSet<Key> = fresh.chip.tables.keys().cloned().chain(rest).collect();
    read(&mut fresh, all);
    assert_eq!(fresh.settle(), []);
    assert!(fresh.reconciler.differences().is_empty());
}
