use std::collections::{BTreeMap, HashSet};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use firsthop_model::fib::{
    Neighbour, NextHop, NextHopContent, NextHopObject, Placement, Route, RouteKind, Via,
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::*;
use crate::message::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, RTM_NEWNEIGH, RTM_NEWNEXTHOP};
use crate::testbed::{in_netns, ip, ip_batch, true_links};
use crate::{Buffers, FibSocket};

const ALL: usize = usize::MAX;
const MAIN: u32 = 254;

/// What a listener knows: routes of the main table by prefix, next-hop objects, neighbours.
#[derive(Debug, Default, PartialEq)]
struct View {
    routes: BTreeMap<IpNet, Vec<Route>>,
    next_hops: BTreeMap<u32, NextHopContent>,
    neighbours: BTreeMap<(IfIndex, IpAddr), Neighbour>,
}

impl View {
    fn fold(&mut self, event: FibEvent) {
        match event {
            FibEvent::Route(route, placement) if route.table == MAIN => {
                self.put(route, placement);
            }
            FibEvent::RouteGone(route) if route.table == MAIN => self.remove(&route),
            FibEvent::NextHop(object) => drop(self.next_hops.insert(object.id, object.content)),
            FibEvent::NextHopGone(id) => drop(self.next_hops.remove(&id)),
            FibEvent::Neighbour(neighbour) => {
                self.neighbours.insert((neighbour.ifindex, neighbour.ip), neighbour);
            }
            FibEvent::NeighbourGone(ifindex, ip) => drop(self.neighbours.remove(&(ifindex, ip))),
            _ => {}
        }
    }

    fn put(&mut self, route: Route, placement: Placement) {
        let routes = self.routes.entry(route.prefix).or_default();
        let first = routes.iter().position(|other| other.metric >= route.metric);
        let first = first.unwrap_or(routes.len());
        let after = routes.iter().position(|other| other.metric > route.metric);
        let after = after.unwrap_or(routes.len());
        // RTM_NEWROUTE of IPv6 names all next hops.
        if first < after && (placement == Placement::Replace || route.prefix.addr().is_ipv6()) {
            routes[first] = route;
        } else if placement == Placement::Append {
            routes.insert(after, route);
        } else {
            routes.insert(first, route);
        }
    }

    fn remove(&mut self, gone: &Route) {
        let Some(routes) = self.routes.get_mut(&gone.prefix) else { panic!("{gone:?}") };
        if let Some(at) = routes.iter().position(|route| route == gone) {
            routes.remove(at);
        } else {
            let route = routes.iter_mut().find(|route| route.metric == gone.metric).unwrap();
            let (Via::Hops(hops), Via::Hops(gone)) = (&mut route.via, &gone.via) else { panic!() };
            let before = hops.len();
            // A single one is named without its weight.
            hops.retain(|hop| gone.iter().all(|gone| gone.gateway != hop.gateway));
            assert_eq!(hops.len() + gone.len(), before);
            let survivors = hops.len();
            if survivors == 1 {
                hops[0].weight = 1;
            }
        }
        self.routes.retain(|_, routes| !routes.is_empty());
    }

    fn of(snapshot: FibSnapshot) -> Self {
        let mut view = Self::default();
        for route in snapshot.routes.into_iter().filter(|route| route.table == MAIN) {
            view.routes.entry(route.prefix).or_default().push(route);
        }
        for object in snapshot.next_hops {
            assert_eq!(view.next_hops.insert(object.id, object.content), None);
        }
        for neighbour in snapshot.neighbours {
            view.neighbours.insert((neighbour.ifindex, neighbour.ip), neighbour);
        }
        view
    }

    /// The routes of one prefix.
    fn via(&self, prefix: &str) -> Vec<Via> {
        let routes = self.routes.get(&prefix.parse().unwrap());
        routes.into_iter().flatten().map(|route| route.via.clone()).collect()
    }
}

/// Two ports that are up, and without IPv6 addresses of the kernel's own.
fn ports() -> [IfIndex; 2] {
    // Blackholes go through it.
    ip("link set lo up");
    for n in [1, 2] {
        ip(&format!("link add swp{n} type veth peer name h{n}"));
        ip(&format!("link set swp{n} addrgenmode none"));
        ip(&format!("link set h{n} addrgenmode none"));
        ip(&format!("link set swp{n} up"));
        ip(&format!("link set h{n} up"));
        ip(&format!("address add 192.0.{n}.1/24 dev swp{n}"));
        ip(&format!("address add 2001:db8:{n}::1/64 dev swp{n} nodad"));
    }
    ["swp1", "swp2"]
        .map(|name| true_links().into_iter().find(|(_, other)| other == name).expect("a port").0)
}

/// Once IPv6's work queues have done what they had to, nothing more changes by itself.
async fn settled(dumper: &mut Dumper) -> View {
    let start = Instant::now();
    loop {
        let view = View::of(dumper.forwarding().await.unwrap());
        let connected = ["2001:db8:1::/64", "2001:db8:2::/64"];
        let ready = connected.iter().all(|prefix| match &view.via(prefix)[..] {
            [Via::Hops(hops)] => hops.iter().all(|hop| !hop.link_down && !hop.dead),
            _ => false,
        });
        if ready {
            return view;
        }
        assert!(start.elapsed().as_secs() < 10, "{view:?}");
        tokio::task::yield_now().await;
    }
}

fn hop(ifindex: IfIndex, gateway: &str, weight: u16) -> NextHop {
    NextHop {
        ifindex: Some(ifindex),
        gateway: Some(gateway.parse().unwrap()),
        weight,
        dead: false,
        link_down: false,
        encapsulated: false,
    }
}

// Broken if the view that events make of routes, next hops or neighbours differed from the one that a dump makes, or either
// from what was asked for.
#[test]
fn events_and_dump_agree() {
    in_netns(|| async {
        let mut socket = FibSocket::open().unwrap();
        let mut dumper = Dumper::open().unwrap();
        let [swp1, swp2] = ports();
        let mut view = settled(&mut dumper).await;
        socket.drain(ALL);
        let hops = |hops: &[NextHop]| vec![Via::Hops(hops.to_vec())];
        let to = |hop: &NextHop| hops(std::slice::from_ref(hop));
        let several = [hop(swp1, "192.0.1.2", 3), hop(swp2, "192.0.2.2", 5)];
        let several6 = [hop(swp1, "2001:db8:1::2", 2), hop(swp2, "2001:db8:2::2", 1)];
        let [one, two] = ["192.0.1.2", "192.0.1.3"].map(|gateway| hop(swp1, gateway, 1));
        for (command, prefix, expected) in [
            ("route add 10.1.0.0/16 via 192.0.1.2", "10.1.0.0/16", to(&one)),
            (
                "route add 10.2.0.0/16 nexthop via 192.0.1.2 weight 3 nexthop via 192.0.2.2 weight 5",
                "10.2.0.0/16",
                hops(&several),
            ),
            ("route add blackhole 10.3.0.0/16", "10.3.0.0/16", hops(&[])),
            ("route add unreachable 2001:db8:a3::/48", "2001:db8:a3::/48", hops(&[])),
            ("nexthop add id 1 via 192.0.1.3 dev swp1", "10.4.0.0/16", vec![]),
            ("nexthop add id 2 via 192.0.2.3 dev swp2", "10.4.0.0/16", vec![]),
            ("nexthop add id 3 blackhole", "10.4.0.0/16", vec![]),
            ("nexthop add id 10 group 1/2,7", "10.4.0.0/16", vec![]),
            ("route add 10.4.0.0/16 nhid 10", "10.4.0.0/16", vec![Via::Object(10)]),
            ("nexthop replace id 2 via 192.0.2.9 dev swp2", "10.4.0.0/16", vec![Via::Object(10)]),
            (
                "route add 10.5.0.0/16 via inet6 2001:db8:1::9 dev swp1",
                "10.5.0.0/16",
                hops(&[hop(swp1, "2001:db8:1::9", 1)]),
            ),
            (
                "route add 2001:db8:a6::/48 nexthop via 2001:db8:1::2 weight 2 nexthop via 2001:db8:2::2",
                "2001:db8:a6::/48",
                hops(&several6),
            ),
            (
                "route append 2001:db8:a6::/48 via 2001:db8:1::7",
                "2001:db8:a6::/48",
                hops(&[several6[0].clone(), hop(swp1, "2001:db8:1::7", 1), several6[1].clone()]),
            ),
            (
                "route del 2001:db8:a6::/48 via 2001:db8:1::2",
                "2001:db8:a6::/48",
                hops(&[hop(swp1, "2001:db8:1::7", 1), several6[1].clone()]),
            ),
            ("route replace 10.1.0.0/16 via 192.0.1.3", "10.1.0.0/16", to(&two)),
            (
                "route append 10.1.0.0/16 via 192.0.1.2",
                "10.1.0.0/16",
                [to(&two), to(&one)].concat(),
            ),
            (
                "route prepend 10.1.0.0/16 via 192.0.1.4",
                "10.1.0.0/16",
                [hops(&[hop(swp1, "192.0.1.4", 1)]), to(&two), to(&one)].concat(),
            ),
            (
                "route add 10.1.0.0/16 via 192.0.1.5 metric 7",
                "10.1.0.0/16",
                [
                    hops(&[hop(swp1, "192.0.1.4", 1)]),
                    hops(&[hop(swp1, "192.0.1.3", 1)]),
                    to(&one),
                    hops(&[hop(swp1, "192.0.1.5", 1)]),
                ]
                .concat(),
            ),
            (
                "route del 10.1.0.0/16 via 192.0.1.3",
                "10.1.0.0/16",
                [hops(&[hop(swp1, "192.0.1.4", 1)]), to(&one), hops(&[hop(swp1, "192.0.1.5", 1)])]
                    .concat(),
            ),
            ("route del 10.2.0.0/16", "10.2.0.0/16", vec![]),
            (
                "route replace 2001:db8:a6::/48 via 2001:db8:1::8",
                "2001:db8:a6::/48",
                hops(&[hop(swp1, "2001:db8:1::8", 1)]),
            ),
            ("route del 2001:db8:a6::/48", "2001:db8:a6::/48", vec![]),
            ("route add 0.0.0.0/0 via 192.0.2.2", "0.0.0.0/0", hops(&[hop(swp2, "192.0.2.2", 1)])),
            (
                "neighbour add 192.0.1.77 lladdr 02:00:00:00:aa:01 dev swp1 nud permanent",
                "10.2.0.0/16",
                vec![],
            ),
            (
                "neighbour add 2001:db8:2::77 lladdr 02:00:00:00:aa:02 dev swp2 nud permanent",
                "10.2.0.0/16",
                vec![],
            ),
            (
                "neighbour replace 192.0.1.78 lladdr 02:00:00:00:aa:03 dev swp1 nud stale",
                "10.2.0.0/16",
                vec![],
            ),
            ("neighbour add proxy 192.0.1.79 dev swp1", "10.2.0.0/16", vec![]),
            ("neighbour del 192.0.1.77 dev swp1", "10.2.0.0/16", vec![]),
            ("route del 10.4.0.0/16", "10.4.0.0/16", vec![]),
            ("nexthop del id 10", "10.4.0.0/16", vec![]),
        ] {
            ip(command);
            let drained = socket.drain(ALL);
            assert_eq!((drained.loss, drained.more), (None, false), "{command}");
            drained.events.into_iter().for_each(|event| view.fold(event));
            let whole = View::of(dumper.forwarding().await.unwrap());
            assert_eq!(view, whole, "{command}");
            assert_eq!(whole.via(prefix), expected, "{command}");
        }
        let known = |ip: &str, of| view.neighbours.get(&(of, ip.parse().unwrap())).cloned();
        let permanent = known("2001:db8:2::77", swp2).unwrap();
        assert!(permanent.permanent && permanent.mac == "02:00:00:00:aa:02".parse().ok());
        let stale = known("192.0.1.78", swp1).unwrap();
        assert!(!stale.permanent && stale.mac == "02:00:00:00:aa:03".parse().ok());
        assert_eq!(known("192.0.1.77", swp1), None);
        let [second, third] = [2, 3].map(|id| view.next_hops[&id].clone());
        assert_eq!(second, NextHopContent::Hop(hop(swp2, "192.0.2.9", 1)));
        assert_eq!(third, NextHopContent::Blackhole);
        assert_eq!(view.next_hops.len(), 3);
    });
}

// Broken if what the kernel takes away without a word began to be announced, so that the advice to look were wrong, or if a
// dump still showed it.
#[test]
fn what_goes_without_a_word() {
    in_netns(|| async {
        let mut socket = FibSocket::open().unwrap();
        let mut dumper = Dumper::open().unwrap();
        ports();
        settled(&mut dumper).await;
        ip("route add 10.1.0.0/16 via 192.0.2.2");
        ip("nexthop add id 1 via 192.0.1.2 dev swp1");
        ip("nexthop add id 2 via 192.0.2.2 dev swp2");
        ip("route add 10.2.0.0/16 nhid 1");
        let before = View::of(dumper.forwarding().await.unwrap());
        assert_eq!(before.via("10.1.0.0/16").len() + before.via("10.2.0.0/16").len(), 2);
        socket.drain(ALL);
        ip("nexthop del id 1");
        let said = socket.drain(ALL).events;
        assert_eq!(said, [FibEvent::NextHopGone(1)], "not a word about the route");
        ip("link set swp2 down");
        let said = socket.drain(ALL).events;
        let about_ipv4 = |event: &FibEvent| match event {
            FibEvent::RouteGone(route) => route.prefix.addr().is_ipv4(),
            FibEvent::NextHopGone(_) => true,
            _ => false,
        };
        assert!(!said.iter().any(about_ipv4), "{said:?}");
        let after = View::of(dumper.forwarding().await.unwrap());
        assert_eq!((after.via("10.1.0.0/16"), after.via("10.2.0.0/16")), (vec![], vec![]));
        assert_eq!(after.next_hops, BTreeMap::new());
    });
}

// Broken if a removal during a dump went unheard, or if each one cost another dump of every table.
#[test]
fn removals_are_heard_by_table() {
    in_netns(|| async {
        ports();
        let mut watch = Watch::open().unwrap();
        let tables = Table::FORWARDING;
        for (add, removal, table) in [
            ("route add blackhole 10.1.0.0/16", "route del 10.1.0.0/16", Table::Ipv4Routes),
            (
                "route add unreachable 2001:db8:a::/48",
                "route del 2001:db8:a::/48",
                Table::Ipv6Routes,
            ),
            (
                "neighbour add 192.0.1.9 lladdr 02:00:00:00:aa:01 dev swp1",
                "neighbour del 192.0.1.9 dev swp1",
                Table::Ipv4Neighbours,
            ),
            (
                "neighbour add 2001:db8:1::9 lladdr 02:00:00:00:aa:01 dev swp1",
                "neighbour del 2001:db8:1::9 dev swp1",
                Table::Ipv6Neighbours,
            ),
        ] {
            for other in tables {
                ip(add);
                assert!(!watch.heard(table), "{add}");
                ip(removal);
                assert_eq!(watch.heard(other), other == table, "{removal}: {other}");
            }
        }
        ip_batch((0..400).map(|n| format!("route add blackhole 10.1.{}.{}/32", n >> 8, n & 0xff)));
        assert!(!watch.heard(Table::Ipv4Routes));
        ip_batch((0..400).map(|n| format!("route del 10.1.{}.{}/32", n >> 8, n & 0xff)));
        assert!(
            watch.heard(Table::NextHops),
            "it overflowed: whose removals got lost is not known"
        );
    });
}

// Broken if a full table could not be dumped in time, or lost or repeated a route.
#[test]
fn a_full_table_in_time() {
    in_netns(|| async {
        let mut dumper = Dumper::open().unwrap();
        ports();
        ip_batch((0..60_000_u32).flat_map(|n| {
            let (high, low) = (n >> 8, n & 0xff);
            [
                format!("route add 10.{high}.{low}.0/24 via 192.0.1.2"),
                format!("route add 2001:db8:{high:x}:{low:x}00::/56 via 2001:db8:1::2 dev swp1"),
            ]
        }));
        let start = Instant::now();
        let snapshot = dumper.forwarding().await.unwrap();
        let took = start.elapsed();
        let all: HashMap<_, usize> =
            snapshot.routes.iter().fold(HashMap::new(), |mut all, route| {
                *all.entry((route.table, route.prefix)).or_default() += 1;
                all
            });
        let of = |v6: bool, length| {
            all.keys()
                .filter(|(_, net)| net.prefix_len() == length && net.addr().is_ipv6() == v6)
                .count()
        };
        assert_eq!((of(false, 24), of(true, 56)), (60_002, 60_000));
        println!("120 000 routes: {took:?}");
        assert!(took.as_secs() < 5, "{took:?}");
    });
}

// Broken if a route that nobody touched, or a neighbour, vanished from the view because others came and went between two parts of a dump,
// of which the kernel says nothing.
#[test]
fn what_stays_is_dumped_under_churn() {
    in_netns(|| async {
        // Small parts, so that a dump takes many and changes fall between them.
        let mut dumper =
            Dumper::open_with(Buffers { read: 8 << 10, ..Buffers::default() }).unwrap();
        ports();
        let route = |what: &str, n: u32| {
            format!("route {what} 2001:db8:{n:x}::/48 via 2001:db8:1::2 dev swp1")
        };
        let host = |what: &str, n: u32| {
            let [_, _, high, low] = n.to_be_bytes();
            format!(
                "neighbour {what} 10.0.{high}.{low} lladdr 02:00:00:00:00:01 dev swp1 nud permanent"
            )
        };
        let gone = |n| format!("neighbour del 10.0.0.{n} dev swp1");
        ip_batch((0x100..0x1000).map(|n| route("add", n)));
        ip_batch((0x100..0x500).map(|n| host("replace", n)));
        let stop = Arc::new(AtomicBool::new(false));
        let churn = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let n = 0x10..0x50;
                    ip_batch(n.clone().map(|n| route("replace", n)));
                    ip_batch(n.clone().map(|n| host("replace", n)));
                    ip_batch(n.clone().map(gone));
                    ip_batch(n.map(|n| route("del", n)));
                }
            }
        });
        let whole = |snapshot: &FibSnapshot| {
            let routes: HashSet<_> = snapshot.routes.iter().map(|route| route.prefix).collect();
            let stay = (0x100..0x1000)
                .filter(|n| routes.contains(&format!("2001:db8:{n:x}::/48").parse().unwrap()));
            let hosts = snapshot.neighbours.iter();
            let hosts = hosts.filter(|n| (ip_of(0x100)..ip_of(0x500)).contains(&n.ip));
            (stay.count(), hosts.count())
        };
        let start = Instant::now();
        while dumper.interrupted() < 30 && start.elapsed() < Duration::from_secs(30) {
            let before = dumper.interrupted();
            let snapshot = dumper.forwarding().await.unwrap();
            // Otherwise all dumps of a table may have been disturbed.
            if dumper.interrupted() - before < u64::from(ATTEMPTS) {
                assert_eq!(whole(&snapshot), (0xf00, 0x400));
            }
        }
        stop.store(true, Ordering::Relaxed);
        churn.join().unwrap();
        assert!(dumper.interrupted() >= 30, "{} disturbed", dumper.interrupted());
        let before = dumper.interrupted();
        let snapshot = dumper.forwarding().await.unwrap();
        assert_eq!((whole(&snapshot), dumper.interrupted()), ((0xf00, 0x400), before));
    });
}

fn ip_of(n: u32) -> IpAddr {
    (0x0a00_0000 + n).to_be_bytes().into()
}

/// What the kernel answers: messages of a type, flags and payload.
type Answer = Vec<(u16, u16, Vec<u8>)>;

/// A dump from a kernel that answers the n-th request, counted from 0, with `answer(n)`, and how many were repeated.
fn played(
    answer: impl Fn(usize) -> Answer + Send + 'static,
) -> (Result<FibSnapshot, SnapshotError>, u64) {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (result, repeated, kernel) = runtime.block_on(async {
        let mut dumper = Dumper::open().unwrap();
        let socket = RouteSocket::over(&ours, Buffers::default()).unwrap();
        drop(ours);
        let port = socket.port();
        dumper.socket = Some(socket);
        let kernel = std::thread::spawn(move || {
            let mut stream = UnixStream::from(theirs);
            let (mut request, mut times) = ([0; 256], 0);
            while let Ok(16..) = stream.read(&mut request) {
                for (kind, flags, payload) in answer(times) {
                    let length = u32::try_from(16 + payload.len()).unwrap();
                    let mut message = length.to_ne_bytes().to_vec();
                    message.extend(kind.to_ne_bytes());
                    message.extend(flags.to_ne_bytes());
                    message.extend(&request[8..12]);
                    message.extend(port.to_ne_bytes());
                    message.extend(payload);
                    // Our end is closed after an error.
                    let _ = stream.write_all(&message);
                }
                times += 1;
            }
        });
        (dumper.forwarding().await, dumper.interrupted(), kernel)
    });
    drop(runtime);
    kernel.join().unwrap();
    (result, repeated)
}

fn done() -> (u16, u16, Vec<u8>) {
    (NLMSG_DONE, 0, vec![0; 4])
}

fn refusal(errno: i32) -> (u16, u16, Vec<u8>) {
    (NLMSG_ERROR, 0, (-errno).to_ne_bytes().to_vec())
}

/// Next-hop object 9, a blackhole.
fn blackhole(flags: u16) -> (u16, u16, Vec<u8>) {
    let attributes = [[8, 0, 1, 0, 9, 0, 0, 0], [4, 0, 4, 0, 4, 0, 99, 0]].concat();
    (RTM_NEWNEXTHOP, flags, [vec![0; 8], attributes].concat())
}

// Broken if a kernel without next-hop objects never got its routes dumped, or one that refuses routes seemed to have none.
#[test]
fn only_next_hops_may_be_refused() {
    for errno in [libc::EOPNOTSUPP, libc::EINVAL] {
        for refused in 0..5 {
            let (result, _) =
                played(move |n| vec![if n == refused { refusal(errno) } else { done() }]);
            if refused == 0 {
                assert_eq!(result.unwrap(), FibSnapshot::default());
            } else {
                assert!(
                    matches!(result, Err(SnapshotError::Refused { .. })),
                    "{refused}: {result:?}"
                );
            }
        }
    }
    let (result, _) = played(|_| vec![refusal(libc::EPERM)]);
    assert!(matches!(result, Err(SnapshotError::Refused { .. })), "{result:?}");
    let (result, _) = played(|_| vec![blackhole(0), refusal(libc::EINVAL)]);
    assert!(matches!(result, Err(SnapshotError::Receive { .. })), "it had begun: {result:?}");
}

// Broken if a dump with a flaw passed for whole.
#[test]
fn flaws_are_errors() {
    let (result, repeated) =
        played(|n| if n == 0 { vec![blackhole(0), done()] } else { vec![done()] });
    assert_eq!((result.unwrap().next_hops.len(), repeated), (1, 0));
    let flagged = || vec![blackhole(NLM_F_DUMP_INTR), done()];
    let (result, repeated) = played(move |n| if n == 0 { flagged() } else { vec![done()] });
    assert_eq!((result.unwrap(), repeated), (FibSnapshot::default(), 1));
    let (result, _) = played(move |_| flagged());
    assert!(
        matches!(result, Err(SnapshotError::Interrupted { table: Table::NextHops, .. })),
        "{result:?}"
    );
    let half = |n| if n == 3 { vec![(RTM_NEWNEIGH, 0, vec![2; 9]), done()] } else { vec![done()] };
    let (result, _) = played(half);
    let of_table = Table::Ipv4Neighbours;
    assert!(
        matches!(result, Err(SnapshotError::Undecodable { table, .. }) if table == of_table),
        "{result:?}"
    );
}

fn row(prefix: &str, metric: u32, gateway: &str) -> FibEvent {
    let route = Route {
        table: MAIN,
        prefix: prefix.parse().unwrap(),
        metric,
        tos: 0,
        source: None,
        kind: RouteKind::Unicast,
        protocol: 4,
        via: Via::Hops(vec![hop(IfIndex(7), gateway, 1)]),
    };
    FibEvent::Route(route, Placement::Append)
}

// Broken if a row that the second dump skipped were lost, one that changed came back, or one that was shown twice stayed so.
#[test]
fn two_dumps_make_one() {
    let [a, b, c] = ["2001:db8:a::/48", "2001:db8:b::/48", "2001:db8:c::/48"];
    let earlier = vec![row(a, 1, "fe80::1"), row(b, 1, "fe80::1"), row(c, 1, "fe80::1")];
    let later = vec![
        row(a, 1, "fe80::1"),
        row(c, 1, "fe80::2"),
        row(c, 1, "fe80::3"),
        row(a, 1, "fe80::1"),
        row(a, 2, "fe80::1"),
    ];
    let expected = vec![
        row(a, 1, "fe80::1"),
        row(c, 1, "fe80::2"),
        row(c, 1, "fe80::3"),
        row(a, 2, "fe80::1"),
        row(b, 1, "fe80::1"),
    ];
    assert_eq!(completed(Table::Ipv6Routes, later, earlier), expected);
    let twice = || vec![row("10.0.0.0/8", 1, "192.0.2.1"), row("10.0.0.0/8", 1, "192.0.2.1")];
    assert_eq!(completed(Table::Ipv4Routes, twice(), Vec::new()), twice(), "two routes");
    let host = |last: u8, mac| {
        let ip = [192, 0, 2, last].into();
        FibEvent::Neighbour(Neighbour { ifindex: IfIndex(7), ip, mac, permanent: false })
    };
    let mac = "02:00:00:00:aa:01".parse().ok();
    assert_eq!(
        completed(Table::Ipv4Neighbours, vec![host(1, None)], vec![host(1, mac), host(2, mac)]),
        [host(1, None), host(2, mac)]
    );
    let object = |id| FibEvent::NextHop(NextHopObject { id, content: NextHopContent::Blackhole });
    assert_eq!(
        completed(Table::NextHops, vec![object(1)], vec![object(2)]),
        [object(1), object(2)]
    );
}
