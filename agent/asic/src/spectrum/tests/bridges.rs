//! Bridges, their VLANs and LAGs, as entries and as a simulated chip understands them.

use firsthop_model::chip::{Bridging, FloodClass, FloodTo, FloodTraffic, LagId};
use hwsim::chip::{LocalPort as Wire, Output};

use super::*;
use crate::{Notice, Noticed, Notices};

const LAG: LagId = LagId(1);
/// The VLAN of the VLAN-aware bridge, on port 1 and the LAG.
const VLAN: Vid = Vid(10);
const VLAN_FID: Fid = Fid(10);
/// The VLAN-unaware bridge, on port 4.
const BRIDGE_FID: Fid = Fid(4095);
/// Members of the LAG.
const MEMBERS: [LocalPort; 2] = [LocalPort(2), LocalPort(3)];
const TO_CPU: TrapId = TrapId(0x5f);

/// A VLAN-aware bridge over port 1 and a LAG with a router interface for one VLAN, a VLAN-unaware bridge with another one,
/// and one on another VLAN of the LAG, in an order in which the chip takes it all.
pub(in crate::spectrum) fn bridges() -> Vec<Entry> {
    let (vr, group) = (VrId(1), TrapGroupId(20));
    let mut entries = vec![
        Entry::Router { max_rifs: 4 },
        Entry::TrapGroup { id: group, policer: None, priority: 5, tclass: 5 },
        Entry::Trap { id: TO_CPU, action: TrapAction::Trap, group },
        Entry::LpmTree { family: Family::Ipv4 },
        Entry::LpmTreeShape { family: Family::Ipv4 },
        Entry::VrTree { vr, family: Family::Ipv4 },
        Entry::Route { vr, prefix: "192.0.2.1/32".parse().unwrap(), action: RouteAction::Ip2me },
        Entry::AgeingTime { seconds: 600 },
    ];
    for bridging in [Bridging::Dot1q, Bridging::Dot1d] {
        let table = |traffic| Entry::FloodTable { bridging, traffic };
        entries.extend(FloodTraffic::ALL.map(table));
    }
    entries.push(Entry::Lag { lag: LAG });
    for port in MEMBERS {
        entries.extend([
            Entry::LagCollector { port, lag: LAG },
            Entry::LagCollecting { port, lag: LAG },
            Entry::LagPort { lag: LAG, port },
        ]);
    }
    let routed_fid = Fid(5122);
    let kinds = [
        RifKind::Vlan { vid: VLAN, fid: VLAN_FID },
        RifKind::Fid { fid: BRIDGE_FID },
        RifKind::Subport { at: PortOrLag::Lag(LAG), fid: routed_fid },
    ];
    for (n, kind) in (0..).zip(kinds) {
        let (rif, fid) = (RifIndex(n), kind.fid());
        let rif_entry = Rif {
            rif,
            enabled: true,
            kind,
            vr,
            mtu: 1500,
            mac: mac(1),
            mac_profile: MacProfile(0),
            vrrp_ipv4: None,
            vrrp_ipv6: None,
        };
        entries.extend([
            Entry::Fid { fid },
            Entry::Rif(rif_entry),
            Entry::RouterMac { fid, mac: mac(1) },
            Entry::FidRif { fid, rif },
        ]);
    }
    entries.push(Entry::VidFid { vid: VLAN, fid: VLAN_FID, rif: Some(RifIndex(0)) });
    for port in [LocalPort(1), MEMBERS[0], MEMBERS[1]] {
        let untagged = port == LocalPort(1);
        entries.extend([
            Entry::PortVlan { port, vid: VLAN, untagged },
            Entry::PortStp { port, vid: VLAN, state: StpState::Forwarding },
            Entry::PortLearning { port, vid: VLAN, enabled: true },
        ]);
    }
    entries.push(Entry::PortPvid { port: LocalPort(1), vid: VLAN });
    for port in MEMBERS {
        let (vid, rif) = (Vid(20), RifIndex(2));
        entries.extend([
            Entry::EgressVid { rif, port, vid },
            Entry::PortVlan { port, vid, untagged: false },
            Entry::PortLearning { port, vid, enabled: false },
            Entry::PortStp { port, vid, state: StpState::Forwarding },
            Entry::PortVidFid { port, vid, fid: routed_fid, rif: Some(rif) },
        ]);
    }
    let (port, vid, rif) = (LocalPort(4), Vid::UNTAGGED, Some(RifIndex(1)));
    entries.extend([
        Entry::PortPvid { port, vid },
        Entry::PortStp { port, vid, state: StpState::Learning },
        Entry::PortVidFid { port, vid, fid: BRIDGE_FID, rif },
    ]);
    for (fid, ports) in [(VLAN_FID, &[1, 2, 3][..]), (BRIDGE_FID, &[4])] {
        for class in FloodClass::ALL {
            let port = |port: &u16| FloodTo::Port(LocalPort(*port));
            let router = (class != FloodClass::Unicast).then_some(FloodTo::Router);
            let destinations = ports.iter().map(port).chain(router);
            entries.extend(destinations.map(|to| Entry::FloodPort { fid, class, to }));
        }
    }
    let learnt = [(VLAN_FID, PortOrLag::Port(LocalPort(1))), (VLAN_FID, PortOrLag::Lag(LAG))];
    entries.extend(learnt.map(|(fid, at)| Entry::Learnt { fid, at }));
    entries
}

/// A chip with all of it and carrier on every port.
fn bridged() -> Bench {
    let mut bench = Bench::new("spectrum2");
    bench.apply_one_by_one(bridges().into_iter().map(Change::Add));
    for port in 1..=PORTS {
        bench.chip.link(Wire(port), true);
    }
    bench
}

impl Bench {
    /// Ports by which copies of a frame leave, and traps under which it goes to the CPU.
    fn receive(&mut self, port: LocalPort, frame: &[u8]) -> (Vec<u16>, Vec<u16>) {
        let now = Nanos(u64::try_from(self.now.as_nanos()).unwrap());
        let mut out = Vec::new();
        self.chip.receive(now, Wire(port.0), frame, &mut out);
        let (mut ports, mut traps) = (Vec::new(), Vec::new());
        for output in out {
            match output {
                Output::Wire { port, .. } => ports.push(port.0),
                Output::Cpu { punt, .. } => traps.push(punt.trap_id),
            }
        }
        (ports, traps)
    }

    fn notices(&mut self) -> Result<Notices, AsicError> {
        self.session.ask_notices();
        let Self { chip, session, now } = self;
        settle(session, now, |now, frame| exchange(chip, now, frame));
        session.poll_notices().unwrap()
    }
}

fn tagged(frame: &[u8], vid: Vid) -> Vec<u8> {
    let [high, low] = vid.0.to_be_bytes();
    [&frame[..12], &[0x81, 0, high, low], &frame[12..]].concat()
}

/// To `destination`, from the MAC that ends with this.
fn between(destination: Mac, source: u8) -> Vec<u8> {
    let mut frame = packet(destination, [192, 0, 2, 1], 17);
    frame[11] = source;
    frame
}

// Broken if what reads back right were not what makes the chip bridge and route: a flood table of another family, a vector
// without the router, a LAG that sends twice.
#[test]
fn frames_go_where_the_bridges_say() {
    let mut bench = bridged();
    let one = LocalPort(1);
    let broadcast = Mac([0xff; 6]);
    // One member of the LAG.
    let sends = |ports: &[u16]| matches!(ports, [2] | [3]);

    let (ports, traps) = bench.receive(one, &between(mac(9), 0x10));
    assert!(sends(&ports) && traps.is_empty(), "unknown unicast: {ports:?} {traps:?}");
    let (ports, traps) = bench.receive(one, &between(broadcast, 0x10));
    assert!(sends(&ports), "broadcast: {ports:?}");
    assert_eq!(traps, [TO_CPU.0], "broadcast to the router's address");
    let (ports, traps) = bench.receive(one, &between(mac(1), 0x10));
    assert_eq!((ports, traps), (vec![], vec![TO_CPU.0]), "to the router");

    // From a LAG never back into it.
    let from_lag = tagged(&between(broadcast, 0x20), VLAN);
    let (ports, traps) = bench.receive(MEMBERS[1], &from_lag);
    assert_eq!((ports, traps), (vec![1], vec![TO_CPU.0]), "broadcast from the LAG");
    let routed = tagged(&between(mac(1), 0x20), Vid(20));
    assert_eq!(bench.receive(MEMBERS[0], &routed), (vec![], vec![TO_CPU.0]), "sub-port of the LAG");

    // In the state "learning" nothing passes.
    let four = LocalPort(4);
    assert_eq!(bench.receive(four, &between(mac(1), 0x30)), (vec![], vec![]));
    bench.apply_one_by_one([Change::Add(Entry::PortStp {
        port: four,
        vid: Vid::UNTAGGED,
        state: StpState::Forwarding,
    })]);
    let (ports, traps) = bench.receive(four, &between(mac(1), 0x30));
    assert_eq!((ports, traps), (vec![], vec![TO_CPU.0]), "VLAN-unaware bridge");
    assert_eq!(bench.receive(four, &between(broadcast, 0x30)), (vec![], vec![TO_CPU.0]));
}

// Broken if a chip that nobody bridged with yet seemed to hold something, or a restart could not read that it holds nothing.
#[test]
fn fresh_chip_holds_no_bridge() {
    let mut bench = Bench::new("spectrum2");
    let found = bench.read_back(&keys(&bridges()));
    assert_eq!((&found.failed, &found.foreign), (&BTreeMap::new(), &BTreeSet::new()));
    let bridge = |key: &&Key| {
        matches!(key, Key::FloodTable(..) | Key::FloodPort(..) | Key::VidFid(_) | Key::Fid(_))
    };
    assert_eq!(found.tables.keys().find(bridge), None);
    assert_eq!(found.tables[&Key::AgeingTime], Entry::AgeingTime { seconds: 300 });
}

// Broken if removed rows still flooded: to a port that left, by a table that was taken back, or from a LAG member that
// does not collect any more.
#[test]
fn removed_rows_flood_nothing() {
    let mut bench = bridged();
    let frame = between(mac(9), 0x10);
    let from_lag = tagged(&between(mac(9), 0x20), VLAN);
    let (fid, class) = (VLAN_FID, FloodClass::Unicast);
    let to = |port| FloodTo::Port(port);
    let leave = |to| Change::Remove(Entry::FloodPort { fid, class, to });
    bench.apply_one_by_one([leave(to(MEMBERS[0])), leave(to(MEMBERS[1]))]);
    assert_eq!(bench.receive(LocalPort(1), &frame).0, [0; 0]);
    assert_eq!(bench.receive(MEMBERS[0], &from_lag).0, [1]);
    let collecting = Entry::LagCollecting { port: MEMBERS[0], lag: LAG };
    bench.apply_one_by_one([Change::Remove(collecting)]);
    assert_eq!(bench.receive(MEMBERS[0], &from_lag).0, [0; 0]);
    assert_eq!(bench.receive(MEMBERS[1], &from_lag).0, [1]);
    let (bridging, traffic) = (Bridging::Dot1q, FloodTraffic::UnknownUnicast);
    bench.apply_one_by_one([Change::Remove(Entry::FloodTable { bridging, traffic })]);
    assert_eq!(bench.receive(MEMBERS[1], &from_lag).0, [0; 0]);
}

// Broken if destinations of one vector that are written at the same time, and some of them twice, undid each other.
#[test]
fn destinations_of_a_vector_do_not_disturb_each_other() {
    for seed in 0..8 {
        let mut bench = bridged();
        for action in ["drop_reply", "drop_request"] {
            bench.fault(&format!(
                r#"{{"register":"smid2","op":"write","share":300,"seed":{seed},"action":"{action}"}}"#
            ));
        }
        let (fid, class) = (VLAN_FID, FloodClass::Multicast);
        let entry = |to| Entry::FloodPort { fid, class, to };
        let to = |port| FloodTo::Port(LocalPort(port));
        let changes = [
            Change::Remove(entry(to(1))),
            Change::Add(entry(to(4))),
            Change::Remove(entry(FloodTo::Router)),
            Change::Remove(entry(to(3))),
            Change::Add(entry(to(1))),
            Change::Remove(entry(to(4))),
            Change::Add(entry(to(3))),
            Change::Remove(entry(to(1))),
        ];
        assert!(bench.apply(changes).iter().all(Result::is_ok));
        bench.chip.faults().clear();
        let all = [to(1), to(2), to(3), to(4), FloodTo::Router].map(|to| entry(to).key());
        let found = bench.read(&all).unwrap().tables;
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [&all[1], &all[2]].map(Clone::clone));
    }
}

// Broken if a LAG could not get its members because the places that follow from their numbers are taken or not there, or a
// restart, which knows no places, moved a member out of a place that it needs.
#[test]
fn members_find_a_place_in_their_lag() {
    let join = |port| Change::Add(Entry::LagCollector { port: LocalPort(port), lag: LAG });
    let leave = |port| Change::Remove(Entry::LagCollector { port: LocalPort(port), lag: LAG });
    // Two places; the ports' own would be 2 and 3.
    let mut bench = Bench::new("tiny");
    bench.apply_one_by_one([Change::Add(Entry::Lag { lag: LAG }), join(3), join(4)]);
    bench.apply_one_by_one([join(4), join(3), leave(3), join(1), join(4), join(1)]);
    assert_eq!(bench.apply([join(3), join(4)]).iter().filter(|done| done.is_ok()).count(), 1);
    let outcomes = bench.apply([join(2)]);
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!(error.class(), Class::Capacity, "{error}");
    assert!(error.to_string().contains("LAG 1 has 2 ports"), "{error}");
    // Both at once, each with the other's first place.
    bench.apply_one_by_one([leave(1), leave(4)]);
    assert_eq!(bench.apply([join(2), join(1)]), [Ok(()), Ok(())]);
}

// Broken if a port that can't join were tried for ever, or the reason that is told were that of another place.
#[test]
fn port_that_cannot_join_is_told_why() {
    // Most places are not there, which is not why.
    let mut bench = Bench::new("tiny");
    let join = |lag| Change::Add(Entry::LagCollector { port: LocalPort(1), lag: LagId(lag) });
    let lags = [0, 1].map(|lag| Change::Add(Entry::Lag { lag: LagId(lag) }));
    bench.apply_one_by_one(lags.into_iter().chain([join(0)]));
    for (lag, why) in [(1, "Port 1 is a member of LAG 0"), (2, "LAG 2 does not exist")] {
        let outcomes = bench.apply([join(lag)]);
        let error = outcomes[0].as_ref().unwrap_err();
        assert_eq!(error.class(), Class::Rejected, "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

// Broken if the collector of a port that left its LAG were a row that can never be removed.
#[test]
fn collector_goes_with_the_membership() {
    let mut bench = bridged();
    let (port, lag) = (MEMBERS[0], LAG);
    let collecting = Change::Remove(Entry::LagCollecting { port, lag });
    bench.apply_one_by_one([
        Change::Remove(Entry::LagPort { lag, port }),
        Change::Remove(Entry::LagCollector { port, lag }),
        collecting.clone(),
        collecting,
    ]);
    // But a port that sends stays.
    let outcomes = bench.apply([Change::Remove(Entry::LagCollector { port: MEMBERS[1], lag })]);
    assert!(outcomes[0].as_ref().unwrap_err().to_string().contains("still sends"));
}

/// What the chip is to tell of the MAC that ends with this.
fn notice(what: Noticed, source: u8, at: PortOrLag) -> Notice {
    let mac = between(mac(9), source)[6..12].try_into().map(Mac).unwrap();
    Notice { what, mac, fid: VLAN_FID, at }
}

// Broken if the kernel's bridge could not be told where a station is: on which port or LAG, and that it is gone.
#[test]
fn learnt_and_aged_macs_are_told_once() {
    let mut bench = bridged();
    assert_eq!(bench.notices(), Ok(Notices::default()));
    let (port, lag) = (PortOrLag::Port(LocalPort(1)), PortOrLag::Lag(LAG));
    bench.receive(LocalPort(1), &between(mac(9), 0x10));
    bench.receive(MEMBERS[1], &tagged(&between(mac(9), 0x20), VLAN));
    bench.receive(MEMBERS[0], &tagged(&between(mac(9), 0x20), VLAN));
    let learnt = [notice(Noticed::Learnt, 0x10, port), notice(Noticed::Learnt, 0x20, lag)];
    let told = |list: &[Notice]| Ok(Notices { list: list.to_vec(), more: false, lost: false });
    assert_eq!(bench.notices(), told(&learnt));
    assert_eq!(bench.notices(), told(&[]));

    bench.now += Duration::from_secs(599);
    bench.receive(LocalPort(1), &between(mac(9), 0x10));
    bench.now += Duration::from_secs(2);
    assert_eq!(bench.notices(), told(&[notice(Noticed::Aged, 0x20, lag)]));
}

// Broken if a flush left MACs behind, or took a router MAC or those of another port with it.
#[test]
fn flush_forgets_what_was_learnt_there() {
    let mut bench = bridged();
    let dump = |bench: &Bench| bench.chip.dump().fdb.len();
    let router_macs = dump(&bench);
    bench.receive(LocalPort(1), &between(mac(9), 0x10));
    bench.receive(MEMBERS[0], &tagged(&between(mac(9), 0x20), VLAN));
    assert_eq!(dump(&bench), router_macs + 2);
    let at = |at| Entry::Learnt { fid: VLAN_FID, at };
    bench.apply_one_by_one([Change::Add(at(PortOrLag::Lag(LAG)))]);
    assert_eq!(dump(&bench), router_macs + 1);
    bench.apply_one_by_one([Change::Remove(at(PortOrLag::Port(LocalPort(1))))]);
    assert_eq!(dump(&bench), router_macs);
}

// Broken if notices that went down with a lost answer were not told to be lost, or there were thought to be no more of them.
#[test]
fn lost_notices_are_told() {
    let mut bench = bridged();
    // Not the router's own.
    for source in 2..202 {
        bench.receive(LocalPort(1), &between(mac(9), source));
    }
    bench.fault(r#"{"register":"sfn","op":"query","action":"drop_reply"}"#);
    let tell = |notices: Result<Notices, AsicError>| {
        let Notices { list, more, lost } = notices.unwrap();
        (list.len(), more, lost)
    };
    assert_eq!(tell(bench.notices()), (64, true, true));
    assert_eq!(tell(bench.notices()), (64, true, false));
    assert_eq!(tell(bench.notices()), (8, false, false));

    bench.fault(r#"{"register":"sfn","op":"query","count":100,"action":"drop_reply"}"#);
    let error = bench.notices().unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    assert!(error.to_string().contains("sfn"), "{error}");
    bench.chip.faults().clear();
    assert_eq!(tell(bench.notices()), (0, false, false));
}
