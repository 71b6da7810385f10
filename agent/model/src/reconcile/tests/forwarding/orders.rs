//! Any order of events and answers.

use std::collections::BTreeMap;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

/// One thing that may happen.
#[derive(Debug, Clone)]
enum Step {
    Fib(FibEvent),
    Link(u16, bool),
    Address(u16, bool),
    Vrf(u16, bool),
    Routing(Routing),
    /// The chip answers so many writes; some of them with a failure.
    Answer(usize, Option<FailureClass>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let port = || prop_oneof![Just(1_u16), Just(2)];
    let prefix = (0..4_u8, 0..4_u8).prop_map(|(n, kind)| {
        let [a, b] = [n / 2, n % 2];
        match kind {
            0 => "0.0.0.0/0".to_owned(),
            1 => "10.0.0.0/8".to_owned(),
            2 => format!("10.{a}.0.0/16"),
            _ => format!("10.{a}.{b}.0/24"),
        }
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
        1 => prop_oneof![Just(Routing::Cpu), Just(Routing::Hardware)].prop_map(Step::Routing),
        8 => (0..9_usize, failure).prop_map(|(count, class)| Step::Answer(count, class)),
    ];
    prop::collection::vec(step, 20..150)
}

/// What share of packets goes where, in the smallest numbers: a group that took over another's adjacencies may have more than it needs.
fn shares(lab: &Lab, first: AdjacencyIndex, size: u16) -> String {
    let mut shares = BTreeMap::<String, u32>::new();
    for index in first.0..first.0 + u32::from(size) {
        let entry = &lab.chip.tables[&Key::Adjacency(AdjacencyIndex(index))];
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
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

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
                Step::Routing(routing) => lab.routing(routing),
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
        lab.routing(Routing::Hardware);
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
        fresh.whole_fib(snapshot);
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
