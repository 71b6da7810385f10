//! Routes to next hops and to hosts on a link, as entries and as a simulated chip understands them.

use std::net::IpAddr;

use firsthop_model::chip::AdjacencyIndex;
use hwsim::chip::{LocalPort as Wire, Output};

use super::*;
use crate::spectrum::activity::Activity;

const VR: VrId = VrId(1);
/// Where packets come in.
const INSIDE: RifIndex = RifIndex(0);
/// Where next hops and hosts are.
const OUTSIDE: RifIndex = RifIndex(1);
const OUTSIDE_PORT: LocalPort = LocalPort(2);
/// The driver's trap of next hops without a MAC (RTR_EGRESS0).
const UNRESOLVED: TrapId = TrapId(0x80);
/// That of hosts without a MAC (HOST_MISS_IPV4).
const UNRESOLVED_HOST: TrapId = TrapId(0x90);

fn adjacency(index: u32, mac: Option<Mac>) -> Entry {
    Entry::Adjacency { index: AdjacencyIndex(index), rif: OUTSIDE, mac }
}

fn route(prefix: &str, action: RouteAction) -> Entry {
    Entry::Route { vr: VR, prefix: prefix.parse().unwrap(), action }
}

const fn group(first: u32, size: u16) -> RouteAction {
    RouteAction::Remote { first: AdjacencyIndex(first), size }
}

/// Another router port, and routes of every kind to it, in an order in which the chip takes it all.
pub(in crate::spectrum) fn routes() -> Vec<Entry> {
    let mut entries = router_port();
    let (fid, rif, port) = (Fid(5121), OUTSIDE, OUTSIDE_PORT);
    entries.extend([
        Entry::Trap { id: UNRESOLVED, action: TrapAction::Trap, group: TrapGroupId(20) },
        Entry::Trap { id: UNRESOLVED_HOST, action: TrapAction::Trap, group: TrapGroupId(20) },
        Entry::Multipath,
        Entry::Fid { fid },
        Entry::Rif(Rif {
            rif,
            enabled: true,
            kind: RifKind::Subport { at: PortOrLag::Port(port), fid },
            vr: VR,
            mtu: 1500,
            mac: mac(2),
            mac_profile: MacProfile(0),
            vrrp_ipv4: None,
            vrrp_ipv6: None,
        }),
        Entry::EgressVid { rif, port, vid: Vid(0) },
        Entry::PortVlan { port, vid: Vid::UNTAGGED, untagged: true },
        Entry::PortStp { port, vid: Vid::UNTAGGED, state: StpState::Forwarding },
        adjacency(2, Some(mac(0x22))),
        adjacency(3, Some(mac(0x23))),
        adjacency(5, None),
        Entry::Neighbour { rif, ip: [203, 0, 113, 9].into(), mac: mac(0x29) },
        Entry::Neighbour { rif, ip: "2001:db8:1::9".parse().unwrap(), mac: mac(0x29) },
        route("203.0.113.0/24", RouteAction::Local(rif)),
        route("2001:db8:1::/64", RouteAction::Local(rif)),
        route("198.18.0.0/16", group(2, 2)),
        route("2001:db8:2::/48", group(2, 2)),
        route("198.19.0.0/16", group(5, 1)),
        route("198.19.1.0/24", RouteAction::Discard),
        route("2001:db8:3::/48", RouteAction::Discard),
    ]);
    entries
}

/// A chip with these entries and carrier on every port.
fn routed(entries: Vec<Entry>) -> Bench {
    let mut bench = Bench::new("spectrum2");
    bench.apply_one_by_one(entries.into_iter().map(Change::Add));
    for port in 1..=PORTS {
        bench.chip.link(Wire(port), true);
    }
    bench
}

impl Bench {
    /// Hosts that were used since the last call.
    fn active(&mut self) -> BTreeSet<(RifIndex, IpAddr)> {
        let Self { chip, session, now } = self;
        let mut activity = Activity::start(session);
        loop {
            if let Some(hosts) = activity.poll() {
                return hosts.into_iter().collect();
            }
            settle(session, now, |now, frame| exchange(chip, now, frame));
            while let Some((id, answer)) = session.poll_answer() {
                activity.take(session, id, answer).unwrap();
            }
        }
    }

    /// What becomes of a packet to this address: the port and MAC to which it is sent, or the trap.
    fn forwarded(&mut self, to: [u8; 4]) -> Vec<Result<(u16, Mac), u16>> {
        let mut out = Vec::new();
        let frame = packet(mac(1), to, 17);
        self.chip.receive(Nanos(0), Wire(1), &frame, &mut out);
        let told = out.into_iter().map(|output| match output {
            Output::Cpu { punt, .. } => Err(punt.trap_id),
            Output::Wire { port, frame } => {
                let destination = frame[..6].try_into().unwrap();
                Ok((port.0, Mac(destination)))
            }
        });
        told.collect()
    }
}

// Broken if what reads back right were not what makes the chip forward: to the wrong next hop, without asking for a MAC, or
// packets that should go nowhere.
#[test]
fn packets_take_their_route() {
    let mut bench = routed(routes());
    let port = OUTSIDE_PORT.0;
    assert_eq!(bench.forwarded([203, 0, 113, 9]), [Ok((port, mac(0x29)))]);
    assert_eq!(bench.forwarded([203, 0, 113, 10]), [Err(UNRESOLVED_HOST.0)]);
    assert_eq!(bench.forwarded([198, 19, 0, 1]), [Err(UNRESOLVED.0)]);
    assert_eq!(bench.forwarded([198, 19, 1, 1]), []);
    let mut taken = BTreeSet::new();
    for last in 0..=255 {
        taken.extend(bench.forwarded([198, 18, 0, last]));
    }
    assert_eq!(taken, BTreeSet::from([Ok((port, mac(0x22))), Ok((port, mac(0x23)))]));

    // The MAC becomes known: nothing else has to change.
    let edit = Change::Edit { from: adjacency(5, None), to: adjacency(5, Some(mac(0x25))) };
    bench.apply_one_by_one([edit]);
    assert_eq!(bench.forwarded([198, 19, 0, 1]), [Ok((port, mac(0x25)))]);
}

// Broken if a host that packets went to were not told, told for ever, or only as far as one answer goes.
#[test]
fn hosts_that_were_used_are_told_once() {
    let mut bench = routed(routes());
    let ip = |last: u8| IpAddr::from([203, 0, 113, last]);
    bench.apply_one_by_one(
        (20..170).map(|last| {
            Change::Add(Entry::Neighbour { rif: OUTSIDE, ip: ip(last), mac: mac(last) })
        }),
    );
    assert_eq!(bench.active(), BTreeSet::new());
    bench.forwarded([203, 0, 113, 9]);
    // to nobody's MAC, by a next hop, and to nowhere: no host of the table
    for to in [[203, 0, 113, 10], [198, 18, 0, 1], [198, 19, 1, 1]] {
        bench.forwarded(to);
    }
    assert_eq!(bench.active(), BTreeSet::from([(OUTSIDE, ip(9))]));
    assert_eq!(bench.active(), BTreeSet::new());
    // one answer has room for 32 records of 4
    for last in 20..170 {
        bench.forwarded([203, 0, 113, last]);
    }
    assert_eq!(bench.active(), (20..170).map(|last| (OUTSIDE, ip(last))).collect());
}

// Broken if a route with a hole in its group passed for written, or a next hop that a route needs were removed from under it.
#[test]
fn a_group_is_whole_before_its_route_and_until_after_it() {
    let mut bench = routed(routes());
    let rejected = |outcomes: Vec<Result<(), AsicError>>, text: &str| {
        let [Err(error)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(error.class(), Class::Rejected, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    let missing = route("192.88.99.0/24", group(2, 3));
    rejected(bench.apply([Change::Add(missing.clone())]), "Not all of the 3 adjacencies");
    let used = adjacency(3, Some(mac(0x23)));
    rejected(bench.apply([Change::Remove(used.clone())]), "Adjacency 3 is in a group");
    let keys = [missing.key(), used.key()];
    assert_eq!(bench.read(&keys).unwrap().tables, readable(&[used]).0);

    let fourth = adjacency(4, None);
    bench.apply_one_by_one([Change::Add(fourth), Change::Add(missing.clone())]);
    assert_eq!(bench.read(&keys[..1]).unwrap().tables, readable(&[missing]).0);
}

// Broken if a full table were taken for a refusal that stays, or the chip's number of next hops in a group for any.
#[test]
fn full_tables_of_routes_are_told() {
    let mut bench = Bench::new("tiny");
    bench.apply_one_by_one(routes().into_iter().map(Change::Add));
    let mut classes = |entries: Vec<Entry>| -> Vec<Option<Class>> {
        let outcomes = bench.apply(entries.into_iter().map(Change::Add));
        outcomes.iter().map(|outcome| outcome.as_ref().err().map(AsicError::class)).collect()
    };
    let full = Some(Class::Capacity);
    let hosts = (1..4).map(|last| Entry::Neighbour {
        rif: INSIDE,
        ip: [192, 0, 2, last].into(),
        mac: mac(last),
    });
    assert_eq!(classes(hosts.collect()), [None, None, full]);
    assert_eq!(classes((6..9).map(|n| adjacency(n, None)).collect()), [None, None, full]);
    let nets = (0..12).map(|n| route(&format!("10.{n}.0.0/16"), RouteAction::Discard));
    let told = classes(nets.collect());
    assert_eq!((told[0], told[11]), (None, full));
    let group = [adjacency(4, None), route("192.88.99.0/24", group(2, 5))];
    assert_eq!(classes(group[..1].to_vec()), [None]);
    assert!(classes(group[1..].to_vec())[0].is_some());
}
