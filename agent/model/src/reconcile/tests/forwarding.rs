//! Routes, next hops and hosts, on a chip that is as strict as a real one about what leads to what.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::chip::RouteAction;
use crate::fib::{FibEvent, FibSnapshot, Neighbour, NextHop, Placement, Route, RouteKind, Via};
use crate::intent::Routing;
use crate::testbed::{LIMITS, chip};
use crate::topology::LinkKind;

/// A chip that refuses what leaves something in the air.
#[derive(Debug, Clone, Default)]
struct Chip {
    tables: Tables,
    /// Routes that fit.
    routes: usize,
    writes: usize,
}

impl Chip {
    fn write(&mut self, change: &Change) -> Result<(), Failure> {
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
                Entry::Route { action: RouteAction::Local(rif), .. }
                | Entry::Adjacency { rif, .. }
                | Entry::Neighbour { rif, .. } => !has(&Key::Rif(*rif)),
                Entry::Route { action: RouteAction::Remote { first, size }, .. } => {
                    let mut all = first.0..first.0 + u32::from(*size);
                    !all.all(|index| has(&Key::Adjacency(crate::chip::AdjacencyIndex(index))))
                }
                _ => false,
            };
            assert!(!missing, "{change:?} leaves {entry:?} in the air");
        }
        self.tables = after;
        self.writes += 1;
        Ok(())
    }
}

/// A reconciler and its chip.
struct Lab {
    reconciler: Reconciler,
    chip: Chip,
}

impl Lab {
    fn new(routes: usize) -> Self {
        let policy = Policy { routing: Routing::Hardware, ..Policy::default() };
        let limits = Limits { adjacencies: 64, ..LIMITS };
        let reconciler = Reconciler::new(policy, chip(), limits);
        Self { reconciler, chip: Chip { routes, ..Chip::default() } }
    }

    /// swp1 with 192.0.2.1/24 and swp2 with 198.51.100.1/24, and what the kernel makes of it.
    fn router(routes: usize) -> Self {
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

    fn fib(&mut self, event: impl Into<FibEvent>) {
        self.reconciler.fold_fib(event.into());
    }

    fn settle(&mut self) -> Vec<Change> {
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

    fn action(&self, prefix: &str) -> Option<RouteAction> {
        let prefix: IpNet = prefix.parse().unwrap();
        self.chip.tables.values().find_map(|entry| match entry {
            Entry::Route { prefix: of, action, .. } if *of == prefix => Some(*action),
            _ => None,
        })
    }

    fn rif(&self, ifindex: u32) -> RifIndex {
        self.reconciler.applied_rif(IfIndex(ifindex)).unwrap().rif
    }

    /// Where packets to a prefix go: the devices' MACs and the hosts' MACs, by place.
    fn leads_to(&self, prefix: &str) -> Vec<(Mac, Option<Mac>)> {
        let Some(RouteAction::Remote { first, size }) = self.action(prefix) else {
            panic!("{prefix} is {:?}", self.action(prefix))
        };
        let own = |rif: RifIndex| match self.chip.tables.get(&Key::Rif(rif)) {
            Some(Entry::Rif(rif)) => rif.mac,
            _ => panic!("no {rif}"),
        };
        let place =
            |index| match &self.chip.tables[&Key::Adjacency(crate::chip::AdjacencyIndex(index))] {
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

fn hop(ifindex: u32, gateway: Option<&str>) -> NextHop {
    NextHop {
        ifindex: Some(IfIndex(ifindex)),
        gateway: gateway.map(|ip| ip.parse().unwrap()),
        weight: 1,
        dead: false,
        link_down: false,
        encapsulated: false,
    }
}

fn route(prefix: &str, hops: Vec<NextHop>) -> Route {
    let (kind, via) = (RouteKind::Unicast, Via::Hops(hops));
    let prefix = prefix.parse().unwrap();
    Route { table: 254, prefix, metric: 0, tos: 0, kind, protocol: 4, source: None, via }
}

fn neighbour(ifindex: u32, ip: &str, mac: Option<u8>) -> Neighbour {
    let mac = mac.map(|last| Mac([2, 0, 0, 0, 1, last]));
    Neighbour { ifindex: IfIndex(ifindex), ip: ip.parse().unwrap(), mac, permanent: false }
}

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
    lab.fib(FibEvent::RouteGone(route("0.0.0.0/0", vec![hop(SWP2, Some("198.51.100.9"))])));
    lab.settle();
    assert_eq!(lab.action("0.0.0.0/0"), TO_CPU);
    let policy = Policy::default();
    lab.reconciler.set_policy(policy);
    lab.settle();
    let mut left = lab.chip.tables.values().filter(|entry| {
        matches!(entry, Entry::Route { action, .. } if *action != RouteAction::Ip2me && Some(*action) != TO_CPU)
    });
    assert_eq!(left.next(), None, "the CPU routes");
    assert!(lab.reconciler.differences().is_empty());
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
    fresh.fib(FibEvent::All(Box::new(snapshot)));
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

/// One thing that may happen.
#[derive(Debug, Clone)]
enum Step {
    Fib(FibEvent),
    Link(u16, bool),
    Address(u16, bool),
    Vrf(u16, bool),
    /// The chip answers so many writes; some of them with a failure.
    Answer(usize, Option<FailureClass>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let port = || prop_oneof![Just(1_u16), Just(2)];
    let prefix = (0..4_u8, 0..3_u8).prop_map(|(n, len)| {
        let [a, b] = [n / 2, n % 2];
        ["10.0.0.0/8".to_owned(), format!("10.{a}.0.0/16"), format!("10.{a}.{b}.0/24")]
            [usize::from(len)]
        .clone()
    });
    let table = prop_oneof![3 => Just(254_u32), 1 => Just(10)];
    let hops = prop::collection::vec((port(), prop::option::weighted(0.8, 1..3_u8)), 1..3)
        .prop_map(|hops| {
            let hop = |(port, gateway): (u16, Option<u8>)| {
                let ip = gateway.map(|last| format!("192.0.{port}.{last}"));
                hop(10 + u32::from(port), ip.as_deref())
            };
            hops.into_iter().map(hop).collect::<Vec<_>>()
        });
    let kind = prop_oneof![6 => Just(RouteKind::Unicast), 1 => Just(RouteKind::Blackhole)];
    let routes = (prefix, table, hops, kind, any::<bool>()).prop_map(
        |(prefix, table, hops, kind, there)| {
            let route = Route { table, kind, ..route(&prefix, hops) };
            Step::Fib(if there {
                FibEvent::Route(route, Placement::Replace)
            } else {
                FibEvent::RouteGone(route)
            })
        },
    );
    let hosts = (port(), 1..3_u8, prop::option::of(0..3_u8)).prop_map(|(port, last, mac)| {
        let ip = format!("192.0.{port}.{last}");
        Step::Fib(neighbour(10 + u32::from(port), &ip, mac).into())
    });
    let failure = prop_oneof![
        12 => Just(None),
        1 => Just(Some(FailureClass::Transient)),
        1 => Just(Some(FailureClass::Unknown)),
    ];
    let step = prop_oneof![
        8 => routes,
        3 => hosts,
        2 => (port(), any::<bool>()).prop_map(|(port, up)| Step::Link(port, up)),
        2 => (port(), any::<bool>()).prop_map(|(port, there)| Step::Address(port, there)),
        1 => (port(), any::<bool>()).prop_map(|(port, inside)| Step::Vrf(port, inside)),
        8 => (0..9_usize, failure).prop_map(|(count, class)| Step::Answer(count, class)),
    ];
    prop::collection::vec(step, 20..150)
}

/// What share of packets goes where, in the smallest numbers: a group that took over another's adjacencies may have more than it needs.
fn shares(lab: &Lab, first: crate::chip::AdjacencyIndex, size: u16) -> String {
    let mut shares = BTreeMap::<String, u32>::new();
    for index in first.0..first.0 + u32::from(size) {
        let entry = &lab.chip.tables[&Key::Adjacency(crate::chip::AdjacencyIndex(index))];
        let Entry::Adjacency { rif, mac, .. } = entry else { panic!("{entry:?}") };
        let Some(Entry::Rif(rif)) = lab.chip.tables.get(&Key::Rif(*rif)) else { panic!("{rif}") };
        *shares.entry(format!("{} {} {mac:?}", rif.mac, rif.enabled)).or_default() += 1;
    }
    let least = shares.values().copied().min().unwrap_or(1);
    let divisor = (1..=least).rev().find(|n| shares.values().all(|share| share % n == 0));
    shares.values_mut().for_each(|share| *share /= divisor.unwrap_or(1));
    format!("{shares:?}")
}

/// What packets to each prefix come to, without the numbers of the chip.
fn meaning(lab: &Lab) -> BTreeMap<(u32, IpNet), String> {
    let tables: BTreeMap<_, u32> = [254, 10]
        .into_iter()
        .filter_map(|table| Some((lab.reconciler.allocation().vr(table)?, table)))
        .collect();
    let own = |rif: &RifIndex| match lab.chip.tables.get(&Key::Rif(*rif)) {
        Some(Entry::Rif(rif)) => format!("{} {}", rif.mac, rif.enabled),
        other => panic!("{other:?}"),
    };
    let mut meaning = BTreeMap::new();
    for entry in lab.chip.tables.values() {
        let (key, text) = match entry {
            Entry::Route { vr, prefix, action } => {
                let text = match action {
                    RouteAction::Local(rif) => own(rif),
                    RouteAction::Remote { first, size } => shares(lab, *first, *size),
                    other => format!("{other:?}"),
                };
                ((tables[vr], *prefix), text)
            }
            Entry::Neighbour { rif, ip, mac } => {
                ((0, IpNet::from(*ip)), format!("{} {mac}", own(rif)))
            }
            _ => continue,
        };
        meaning.insert(key, text);
    }
    meaning
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    // Broken if any order of events and answers left something in the air (the chip checks it at each write), or ended in another
    // state than a fresh start with the same view.
    #[test]
    fn any_order_ends_in_the_same_state(steps in steps()) {
        let mut lab = Lab::new(100);
        let vrf = Link { kind: LinkKind::Vrf { table: 10 }, altnames: vec![], ..port(3) };
        lab.reconciler.fold(link_event(vrf.clone()));
        let mut links = BTreeMap::from([(1, port(1)), (2, port(2))]);
        let mut addresses = BTreeSet::from([1, 2]);
        let text = |port: u16| format!("192.0.{port}.254/24");
        for (port, link) in &links {
            lab.reconciler.fold(link_event(link.clone()));
            lab.reconciler.fold(addr(10 + u32::from(*port), &text(*port)));
        }
        lab.settle();
        let mut pending: Vec<(Ticket, Change)> = Vec::new();
        let mut now = ZERO;
        for step in steps {
            match step {
                Step::Fib(event) => lab.reconciler.fold_fib(event),
                Step::Link(port, up) => {
                    let link = links.get_mut(&port).unwrap();
                    link.flags = u32::from(up);
                    lab.reconciler.fold(link_event(link.clone()));
                }
                Step::Vrf(port, inside) => {
                    let link = links.get_mut(&port).unwrap();
                    link.master = inside.then_some(vrf.ifindex);
                    lab.reconciler.fold(link_event(link.clone()));
                }
                Step::Address(port, there) => {
                    let of = address(10 + u32::from(port), &text(port));
                    if there {
                        addresses.insert(port);
                        lab.reconciler.fold(Event::Address(of));
                    } else {
                        addresses.remove(&port);
                        lab.reconciler.fold(Event::AddressGone(of));
                    }
                }
                Step::Answer(count, class) => {
                    lab.reconciler.recompute();
                    pending.extend(lab.reconciler.ready(now));
                    for _ in 0..count.min(pending.len()) {
                        let (ticket, change) = pending.remove(pending.len() / 2);
                        let result = match class {
                            Some(class) => Err(Failure { class, text: "no".to_owned() }),
                            None => lab.chip.write(&change),
                        };
                        lab.reconciler.complete(ticket, &result, now);
                    }
                    let doubtful: Vec<Key> = lab.reconciler.applied().unknown().cloned().collect();
                    if class.is_none() {
                        for key in doubtful {
                            let found = lab.chip.tables.get(&key).cloned();
                            lab.reconciler.settle(&key, found);
                        }
                    }
                }
            }
        }
        for _ in 0..1000 {
            lab.reconciler.recompute();
            pending.extend(lab.reconciler.ready(now));
            for (ticket, change) in std::mem::take(&mut pending) {
                let result = lab.chip.write(&change);
                lab.reconciler.complete(ticket, &result, now);
            }
            let doubtful: Vec<Key> = lab.reconciler.applied().unknown().cloned().collect();
            for key in doubtful {
                let found = lab.chip.tables.get(&key).cloned();
                lab.reconciler.settle(&key, found);
            }
            now += Duration::from_secs(61);
            if lab.reconciler.is_synced() && lab.reconciler.deadline().is_none() {
                break;
            }
        }
        prop_assert!(lab.reconciler.is_synced(), "{:?}", lab.reconciler.due);
        prop_assert_eq!(lab.reconciler.applied().tables(), &lab.chip.tables);

        let mut fresh = Lab::new(100);
        fresh.reconciler.fold(link_event(vrf));
        for (port, link) in &links {
            fresh.reconciler.fold(link_event(link.clone()));
            if addresses.contains(port) {
                fresh.reconciler.fold(addr(10 + u32::from(*port), &text(*port)));
            }
        }
        let fib = lab.reconciler.fib();
        let routes = [254, 10].iter().flat_map(|t| fib.prefixes(*t).flat_map(|p| fib.routes(*t, p)));
        let (routes, neighbours) = (routes.cloned().collect(), fib.neighbours().cloned().collect());
        let snapshot = FibSnapshot { routes, next_hops: Vec::new(), neighbours };
        fresh.fib(FibEvent::All(Box::new(snapshot)));
        fresh.settle();
        prop_assert_eq!(meaning(&lab), meaning(&fresh));
        prop_assert_eq!(lab.reconciler.differences(), vec![]);
        // nothing is left of what went
        let count = |lab: &Lab| lab.chip.tables.keys().filter(|key| matches!(key, Key::Rif(_))).count();
        prop_assert_eq!(count(&lab), count(&fresh));
        let in_use: BTreeSet<u32> = lab
            .chip
            .tables
            .values()
            .filter_map(|entry| match entry {
                Entry::Route { action: RouteAction::Remote { first, size }, .. } => {
                    Some(first.0..first.0 + u32::from(*size))
                }
                _ => None,
            })
            .flatten()
            .collect();
        let adjacencies = lab.chip.tables.keys().filter_map(|key| match key {
            Key::Adjacency(index) => Some(index.0),
            _ => None,
        });
        prop_assert_eq!(adjacencies.collect::<BTreeSet<_>>(), in_use);
    }
}
