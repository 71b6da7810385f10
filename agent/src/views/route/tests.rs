use std::net::IpAddr;

use firsthop_model::chip::Change;
use firsthop_model::fib::{FibEvent, NextHop, NextHopObject, Placement, RouteKind};
use firsthop_model::intent::Policy;
use firsthop_model::retry::{Failure, FailureClass};
use serde_json::{Value, json};

use super::*;
use crate::views::tests::{Bench, link, macvlan};
use crate::views::transit;

impl Bench {
    pub(crate) fn fib(&mut self, event: FibEvent) {
        self.reconciler.fold_fib(event);
        self.settle();
    }

    /// `prefix kind via gateway dev if` in this table; several with commas between them.
    pub(crate) fn route(&mut self, table: u32, prefix: &str, kind: RouteKind, hops: &str) {
        let hop = |words: &str| {
            let (gateway, dev) = words.split_once(' ').unwrap();
            NextHop {
                ifindex: dev.parse().ok().map(IfIndex),
                gateway: gateway.parse().ok(),
                weight: 1,
                dead: false,
                link_down: false,
                encapsulated: false,
            }
        };
        let hops = hops.split(',').filter(|words| !words.is_empty()).map(hop).collect();
        let (prefix, via) = (prefix.parse().unwrap(), Via::Hops(hops));
        let route =
            fib::Route { table, prefix, metric: 0, tos: 0, kind, protocol: 4, source: None, via };
        self.fib(FibEvent::Route(route, Placement::Append));
    }

    pub(crate) fn host(&mut self, ifindex: u32, ip: &str, mac: Option<&str>) {
        let (ifindex, ip) = (IfIndex(ifindex), ip.parse().unwrap());
        let mac = mac.map(|mac| mac.parse().unwrap());
        self.fib(FibEvent::Neighbour(fib::Neighbour { ifindex, ip, mac, permanent: false }));
    }
}

/// A switch with two routed ports, a management port, and one route of each sort.
pub(crate) fn router() -> Bench {
    router_that(|_| None)
}

fn router_that(refuses: fn(&Change) -> Option<Failure>) -> Bench {
    let mut bench = Bench::refusing(refuses);
    bench.address(2, "192.0.2.1", 24);
    bench.address(3, "198.51.100.1", 24);
    bench.link(link(20, "eth0", "02:00:00:00:00:20", LinkKind::None));
    bench.link(macvlan(10, "vrrp5", 2, "00:00:5e:00:01:05"));
    bench.host(2, "192.0.2.9", Some("02:00:00:00:00:09"));
    bench.host(2, "192.0.2.8", None);
    bench.host(20, "203.0.113.9", Some("02:00:00:00:00:99"));
    bench.host(2, "fe80::9", Some("02:00:00:00:00:09"));
    bench.route(255, "192.0.2.1/32", RouteKind::Local, "- 2");
    bench.route(254, "192.0.2.0/24", RouteKind::Unicast, "- 2");
    bench.route(254, "10.1.0.0/16", RouteKind::Blackhole, "");
    bench.route(254, "10.2.0.0/16", RouteKind::Unicast, "192.0.2.9 2");
    bench.route(254, "10.3.0.0/16", RouteKind::Unicast, "192.0.2.8 2");
    bench.route(254, "10.4.0.0/16", RouteKind::Unicast, "192.0.2.9 2,198.51.100.9 3");
    bench.route(254, "10.5.0.0/16", RouteKind::Unicast, "203.0.113.9 20");
    bench.route(254, "10.6.0.0/16", RouteKind::Unicast, "- 10");
    bench.route(254, "10.7.0.0/16", RouteKind::Prohibit, "");
    bench.route(254, "0.0.0.0/0", RouteKind::Unicast, "192.0.2.9 2");
    bench
}

fn rows(bench: &Bench, mut routes: Routes) -> Vec<Route> {
    let mut all = Vec::new();
    loop {
        let (mut rows, more) = routes.page(&bench.reconciler);
        all.append(&mut rows);
        if !more {
            return all;
        }
    }
}

fn all(bench: &Bench) -> Vec<Route> {
    rows(bench, Routes::default())
}

fn of(bench: &Bench, dst: &str) -> Value {
    json!(all(bench).into_iter().find(|route| route.dst == dst).expect(dst))
}

// Broken if a member of `route` were renamed, or a prefix were said to be forwarded that goes to the CPU, or the other way round.
#[test]
fn route_rows() {
    let bench = router();
    let main = |dst: &str, members: Value| {
        let mut row = json!({"dst": dst, "family": "ipv4", "table": 254, "type": "unicast",
                             "state": "offload", "action": "forward"});
        row.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        row
    };
    for row in [
        main(
            "192.0.2.1",
            json!({"table": 255, "type": "local", "dev": "swp1", "action": "cpu",
                                 "chip": {"vr": 0, "action": "ip2me"}}),
        ),
        main(
            "192.0.2.0/24",
            json!({"dev": "swp1", "chip": {"vr": 0, "action": "local", "rif": 0}}),
        ),
        main(
            "10.1.0.0/16",
            json!({"type": "blackhole", "action": "drop",
                                   "chip": {"vr": 0, "action": "discard"}}),
        ),
        main(
            "10.2.0.0/16",
            json!({"via": "192.0.2.9", "dev": "swp1",
                                   "chip": {"vr": 0, "action": "remote", "adjacency": 0, "ecmp_size": 1}}),
        ),
        // the chip has its next hop, which sends packets to the CPU
        main(
            "10.3.0.0/16",
            json!({"via": "192.0.2.8", "dev": "swp1", "action": "cpu",
                                   "state": "held", "reason": "next_hop_unresolved",
                                   "chip": {"vr": 0, "action": "remote", "adjacency": 1, "ecmp_size": 1}}),
        ),
        main(
            "10.4.0.0/16",
            json!({"nexthops": [{"gateway": "192.0.2.9", "dev": "swp1", "weight": 1},
                                                {"gateway": "198.51.100.9", "dev": "swp2", "weight": 1}],
                                   "state": "held", "reason": "next_hop_unresolved",
                                   "chip": {"vr": 0, "action": "remote", "adjacency": 2, "ecmp_size": 2}}),
        ),
        main(
            "10.5.0.0/16",
            json!({"via": "203.0.113.9", "dev": "eth0", "action": "cpu",
                                   "state": "not_offloaded", "reason": "next_hop_no_rif",
                                   "chip": {"vr": 0, "action": "trap"}}),
        ),
        main(
            "10.6.0.0/16",
            json!({"dev": "vrrp5", "action": "cpu", "state": "not_offloaded",
                                   "reason": "next_hop_macvlan", "chip": {"vr": 0, "action": "trap"}}),
        ),
        main(
            "10.7.0.0/16",
            json!({"type": "prohibit", "action": "cpu",
                                   "chip": {"vr": 0, "action": "trap"}}),
        ),
        main(
            "default",
            json!({"via": "192.0.2.9", "dev": "swp1",
                               "chip": {"vr": 0, "action": "remote", "adjacency": 0, "ecmp_size": 1}}),
        ),
    ] {
        assert_eq!(of(&bench, row["dst"].as_str().unwrap()), row);
    }
    assert_eq!(all(&bench).len(), 10);
}

// Broken if what the chip refused, or has not acknowledged, were said to be there.
#[test]
fn what_is_not_in_the_chip() {
    let full = |change: &Change| match change.after() {
        Some(Entry::Route { prefix, .. }) if prefix.to_string() == "10.2.0.0/16" => {
            let class = FailureClass::Capacity;
            Some(Failure { class, text: "status 0x07".into() })
        }
        _ => None,
    };
    let mut bench = router_that(full);
    let refused = of(&bench, "10.2.0.0/16");
    assert_eq!(refused["reason"], json!("route_table_full"));
    assert_eq!((&refused["state"], &refused["text"]), (&json!("refused"), &json!("status 0x07")));
    assert!(refused.get("action").is_none() && refused.get("chip").is_none(), "{refused}");
    let wider = of(&bench, "default");
    assert_eq!(
        (&wider["reason"], &wider["action"]),
        (&json!("route_covers_refused"), &json!("cpu"))
    );
    let key = Key::Route(firsthop_model::chip::VrId(0), "192.0.2.0/24".parse().unwrap());
    bench.reconciler.doubt(&key);
    assert_eq!(of(&bench, "192.0.2.0/24")["state"], json!("pending"));
}

// Broken if a filter let through what it should not, or a lookup found another route than the kernel's.
#[test]
fn filters() {
    let mut bench = router();
    bench.link(link(30, "red", "02:00:00:00:00:30", LinkKind::Vrf { table: 7 }));
    bench.route(7, "10.2.0.0/16", RouteKind::Blackhole, "");
    let dst = |routes| rows(&bench, routes).into_iter().map(|row| row.dst).collect::<Vec<_>>();
    let none = Routes::default;
    let dev = |dev| Routes::of(Some(IfIndex(dev)), None, None, None);
    assert_eq!(dst(dev(3)), ["10.4.0.0/16"]);
    assert_eq!(dst(dev(20)), ["10.5.0.0/16"]);
    let table = |table| Routes::of(None, Some(table), None, None);
    assert_eq!((dst(table(255)), dst(table(254)).len()), (vec!["192.0.2.1".to_owned()], 9));
    assert_eq!(dst(table(7)), [""; 0], "no virtual router looks there");
    let prefix = |text: &str| Routes::of(None, None, text.parse().ok(), None);
    assert_eq!(dst(prefix("10.2.0.0/16")), ["10.2.0.0/16"]);
    assert_eq!(dst(prefix("10.2.0.0/17")), [""; 0]);
    assert_eq!(dst(none()).len(), 10);
    let to = |table, ip: &str| dst(Routes::of(None, table, None, ip.parse().ok()));
    for (ip, expected) in [
        ("10.2.3.4", "10.2.0.0/16"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.77", "192.0.2.0/24"),
        ("10.99.0.1", "default"),
    ] {
        assert_eq!(to(None, ip), [expected], "{ip}");
    }
    assert_eq!((to(None, "2001:db8::1"), to(Some(7), "10.2.0.1")), (vec![], vec![]));
    assert_eq!(to(Some(255), "10.2.3.4"), ["10.2.0.0/16"], "one table in the chip");
    assert_eq!(table_of_vrf(&bench.reconciler, "red"), Some(7));
    assert_eq!(table_of_vrf(&bench.reconciler, "swp1"), None);
}

// Broken if next-hop objects hid where a route leads.
#[test]
fn next_hop_objects() {
    let mut bench = router();
    let hop = |id, ip: &str| {
        let hop = NextHop {
            ifindex: Some(IfIndex(2)),
            gateway: ip.parse().ok(),
            weight: 1,
            dead: false,
            link_down: false,
            encapsulated: false,
        };
        FibEvent::NextHop(NextHopObject { id, content: NextHopContent::Hop(hop) })
    };
    bench.fib(hop(1, "192.0.2.9"));
    bench.fib(hop(2, "192.0.2.8"));
    let content = NextHopContent::Group(vec![(1, 3), (2, 1)]);
    bench.fib(FibEvent::NextHop(NextHopObject { id: 9, content }));
    let prefix = "10.8.0.0/16".parse().unwrap();
    let (kind, via) = (RouteKind::Unicast, Via::Object(9));
    let route =
        fib::Route { table: 254, prefix, metric: 20, tos: 0, kind, protocol: 4, source: None, via };
    bench.fib(FibEvent::Route(route, Placement::Append));
    let row = of(&bench, "10.8.0.0/16");
    assert_eq!(row["nexthops"][0], json!({"gateway": "192.0.2.9", "dev": "swp1", "weight": 3}));
    assert_eq!((&row["metric"], &row["chip"]["ecmp_size"]), (&json!(20), &json!(4)));
    let told = explain_route(&bench.reconciler, None, prefix).unwrap();
    let words = "10.8.0.0/16 nhid 9 nexthop via 192.0.2.9 dev swp1 weight 3 \
                 nexthop via 192.0.2.8 dev swp1 weight 1 table main metric 20";
    assert_eq!(told.kernel, [words]);
}

// Broken if a member of `neigh` were renamed, or a host were said to be there that the chip does not know.
#[test]
fn neighbour_rows() {
    let mut bench = router();
    let page = |bench: &Bench, mut hosts: Neighbours| json!(hosts.page(&bench.reconciler).0);
    let known = json!({"dst": "192.0.2.9", "dev": "swp1", "lladdr": "02:00:00:00:00:09", "rif": 0,
                       "state": "offload"});
    let asked = json!({"dst": "192.0.2.8", "dev": "swp1", "state": "held", "reason": "next_hop_unresolved"});
    let other = json!({"dst": "203.0.113.9", "dev": "eth0", "lladdr": "02:00:00:00:00:99",
                       "state": "not_offloaded", "reason": "next_hop_no_rif"});
    assert_eq!(page(&bench, Neighbours::default()), json!([asked, known, other]));
    assert_eq!(page(&bench, Neighbours::of(Some(IfIndex(20)), None)), json!([other]));
    let address = |ip: &str| Neighbours::of(None, Some(ip.parse::<IpAddr>().unwrap()));
    assert_eq!(page(&bench, address("192.0.2.9")), json!([known]));
    bench.host(2, "192.0.2.9", Some("03:00:00:00:00:09"));
    let group = page(&bench, address("192.0.2.9"));
    assert_eq!(group[0]["reason"], json!("neighbour_multicast"));
}

// Broken if a row were told twice or not at all because it stands at the border of a page, or pages had no end.
#[test]
fn pages() {
    let mut bench = router();
    for host in 0..200_u32 {
        bench.route(254, &format!("172.16.{host}.0/24"), RouteKind::Blackhole, "");
        bench.host(2, &format!("192.0.2.{host}"), Some("02:00:00:00:00:09"));
    }
    assert_eq!(all(&bench).len(), 210, "each once");
    let mut routes = Routes::default();
    let (first, more) = routes.page(&bench.reconciler);
    assert!(more && first.len() < 210);
    // gone before the next page is made
    let prefix: IpNet = first.last().unwrap().dst.parse().unwrap();
    let gone = bench.reconciler.fib().routes(254, &prefix)[0].clone();
    bench.fib(FibEvent::RouteGone(gone));
    let rest = rows(&bench, routes);
    let mut dst: Vec<String> = first.into_iter().chain(rest).map(|row| row.dst).collect();
    assert_eq!(dst.len(), 210);
    dst.sort();
    dst.dedup();
    assert_eq!(dst.len(), 210);
    let mut hosts = Neighbours::default();
    let (first, more) = hosts.page(&bench.reconciler);
    let (rest, end) = hosts.page(&bench.reconciler);
    assert!(more && !end);
    assert_eq!(first.len() + rest.len(), 201);
}

// Broken if `status` counted other states than `route` shows, or the kernel's routes as the chip's.
#[test]
fn counts() {
    let bench = router();
    let count = |rows| {
        let mut counting = Counting::default();
        let steps = (1..).find(|_| counting.step(&bench.reconciler, rows)).unwrap();
        (counting.census(&bench.reconciler).unwrap(), steps)
    };
    let (census, _) = count(1000);
    let (in_parts, steps) = count(1);
    // ten routes, four neighbours, and the end
    assert_eq!((&in_parts, steps), (&census, 15));
    let expected = json!({"offload": 6, "held": 2, "not_offloaded": 2});
    assert_eq!(json!(census.routes), expected);
    assert_eq!(json!(census.neighbours), json!({"offload": 1, "held": 1, "not_offloaded": 1}));
    let states = all(&bench).into_iter().map(|route| route.state);
    assert_eq!(crate::views::count_states(states), census.routes);
    assert_eq!(transit(Some(&census)), "hardware (6 routes)");
    let mut bench = Bench::new();
    bench.reconciler.set_policy(Policy { routing: Routing::Cpu, ..Policy::default() });
    let mut counting = Counting::default();
    assert!(counting.step(&bench.reconciler, 1));
    assert_eq!((counting.census(&bench.reconciler), transit(None)), (None, "cpu".to_owned()));
}

fn explained(bench: &Bench, text: &str) -> RouteExplanation {
    let prefix = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).unwrap();
    explain_route(&bench.reconciler, None, prefix).unwrap()
}

// Broken if an explanation blamed the wrong condition, left out a reason, or named another device than the next hop's.
#[test]
fn explanations() {
    let mut bench = router();
    let good = explained(&bench, "10.2.0.0/16");
    assert!(good.conditions.iter().all(|condition| condition.holds), "{good:?}");
    assert_eq!(good.kernel, ["10.2.0.0/16 via 192.0.2.9 dev swp1 table main metric 0"]);
    assert_eq!(
        good.place.as_deref(),
        Some("10.2.0.0/16 in virtual router 0: to the next hop at 0")
    );
    assert_eq!(good.reasons, []);

    let no_rif = explained(&bench, "10.5.6.7");
    assert_eq!(no_rif.route.dst, "10.5.0.0/16", "the route that packets to the address take");
    let failing: Vec<_> = no_rif.conditions.iter().filter(|condition| !condition.holds).collect();
    assert_eq!(failing.len(), 1);
    assert_eq!(
        (failing[0].text.as_str(), failing[0].decides),
        ("eth0 has a router interface", true)
    );
    assert_eq!(no_rif.reasons.len(), 1);
    assert!(no_rif.reasons[0].fix.contains("firsthop explain eth0"), "{:?}", no_rif.reasons);

    bench.route(254, "10.9.0.0/16", RouteKind::Unicast, "192.0.2.8 2,203.0.113.9 20");
    let both = explained(&bench, "10.9.0.0/16");
    let codes: Vec<_> = both.reasons.iter().map(|advice| advice.reason.as_str()).collect();
    assert_eq!(codes, ["next_hop_unresolved", "next_hop_no_rif"]);
    assert_eq!(both.conditions.iter().filter(|condition| condition.decides).count(), 1);
    let fixes: Vec<_> = both.reasons.iter().map(|advice| advice.fix.as_str()).collect();
    assert!(fixes[0].contains("ip neigh show dev swp1") && fixes[1].contains("explain eth0"));

    bench.route(7, "10.0.0.0/8", RouteKind::Unicast, "192.0.2.9 2");
    let elsewhere =
        explain_route(&bench.reconciler, Some(7), "10.0.0.0/8".parse().unwrap()).unwrap();
    assert_eq!((elsewhere.route.state, elsewhere.place), (State::NotOffloaded, None));
    assert!(elsewhere.conditions[1].decides && !elsewhere.conditions[1].holds);
    for none in ["10.0.0.0/9", "2001:db8::/32", "2001:db8::1/128"] {
        assert_eq!(explain_route(&bench.reconciler, None, none.parse().unwrap()), None, "{none}");
    }
}

// Broken if a daemon that leaves routes to the kernel listed them as the chip's, or could not say why they are not there.
#[test]
fn by_the_kernel() {
    let mut bench = router();
    bench.reconciler.set_policy(Policy { routing: Routing::Cpu, ..Policy::default() });
    bench.settle();
    assert_eq!(all(&bench), []);
    assert_eq!(Neighbours::default().page(&bench.reconciler), (vec![], false));
    let told = explained(&bench, "10.2.0.0/16");
    assert_eq!(told.route.reason.as_deref(), Some("routed_by_kernel"));
    assert_eq!(told.route.state, State::NotOffloaded);
    assert!(told.reasons[0].fix.contains("systemctl reload firsthopd"));
    assert!(told.conditions[0].decides && told.conditions[0].text.contains("\"cpu\""));
}
