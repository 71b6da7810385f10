//! The back end against a simulated chip: in memory, and over a socket.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use emad::Register;
use emad::register::{Ritr, RitrType};
use emad::{Frame, Method};
use firsthop_model::chip::{
    Change, Entry, Fid, Key, MacProfile, PolicerId, PortOrLag, Rif, RifIndex, RifKind, RouteAction,
    Tables, TrapAction, TrapGroupId, TrapId, Vid, VrId,
};
use firsthop_model::topology::StpState;
use firsthop_model::types::Family;
use firsthop_model::{LocalPort, Mac, Vrid};
use hwsim::chip::{Chip, Nanos, Personality};

use super::registers::Dialect;
use super::session::{Session, Settings};
use super::synchronous::{read, settle};
use crate::{AsicError, Class, ReadBack, Readability, Ticket, readability};

mod bridges;
mod routes;
mod socket;

pub(super) use bridges::bridges;
pub(super) use routes::routes;

/// Ports of the chip.
const PORTS: u16 = 4;

/// The driver's trap of multicast without a route (ACL1).
const MULTICAST: TrapId = TrapId(0x1c1);

/// A chip in memory with a session to it.
struct Bench {
    chip: Chip,
    session: Session,
    now: Duration,
}

impl Bench {
    fn new(personality: &str) -> Self {
        let personality = Personality::load(personality).unwrap();
        let vlan_rif_has_efid = personality.vlan_rif_has_efid;
        let mut session = Session::new(Settings::default(), 1);
        session.speak(Dialect { ports: PORTS, vlan_rif_has_efid, lag_members: 32 });
        Self {
            chip: Chip::new(personality, PORTS, "0".to_owned(), 1),
            session,
            now: Duration::ZERO,
        }
    }

    fn fault(&mut self, rule: &str) {
        self.chip.faults().inject(serde_json::from_str(rule).unwrap());
    }

    /// The outcome of each change, in the order of changes.
    fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Vec<Result<(), AsicError>> {
        for (ticket, change) in (0..).zip(changes) {
            self.session.submit(Ticket(ticket), change);
        }
        let Self { chip, session, now } = self;
        settle(session, now, |now, frame| exchange(chip, now, frame));
        let mut outcomes = BTreeMap::new();
        while let Some(completion) = session.poll() {
            assert!(outcomes.insert(completion.ticket, completion.result).is_none());
        }
        outcomes.into_values().collect()
    }

    /// Each change after the one before, as stages do.
    fn apply_one_by_one(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            assert_eq!(self.apply([change.clone()]), [Ok(())], "{change:?}");
        }
    }

    fn read_back(&mut self, keys: &[Key]) -> ReadBack {
        let rifs = self.chip.personality().rifs;
        let Self { chip, session, now } = self;
        read(session, now, Some(rifs), keys, |now, frame| exchange(chip, now, frame)).unwrap()
    }

    fn read(&mut self, keys: &[Key]) -> Result<ReadBack, AsicError> {
        let Self { chip, session, now } = self;
        read(session, now, None, keys, |now, frame| exchange(chip, now, frame))
    }
}

fn exchange(chip: &mut Chip, now: Duration, frame: &[u8]) -> Option<Vec<u8>> {
    let now = Nanos(u64::try_from(now.as_nanos()).unwrap());
    chip.emad(now, frame).unwrap()
}

fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

fn router_mac(n: u8) -> Entry {
    Entry::RouterMac { fid: Fid(5120), mac: mac(n) }
}

/// A router port with VRRP, everything it needs, in an order in which the chip takes it.
pub(super) fn router_port() -> Vec<Entry> {
    let (vr, rif, fid, port) = (VrId(1), RifIndex(0), Fid(5120), LocalPort(1));
    let (policer, group, trap) = (PolicerId(13), TrapGroupId(20), TrapId(0x59));
    let mut entries = vec![
        Entry::Router { max_rifs: 4 },
        Entry::Policer { id: policer, rate: 256, burst: 128 },
        Entry::TrapGroup { id: group, policer: Some(policer), priority: 5, tclass: 5 },
        Entry::Trap { id: trap, action: TrapAction::Trap, group },
        Entry::Trap { id: MULTICAST, action: TrapAction::Trap, group },
        Entry::Trap { id: TrapId(0x5f), action: TrapAction::Trap, group },
        Entry::Trap { id: TrapId(0x70), action: TrapAction::Trap, group },
    ];
    for family in [Family::Ipv4, Family::Ipv6] {
        entries.extend([
            Entry::LpmTree { family },
            Entry::LpmTreeShape { family },
            Entry::VrTree { vr, family },
            Entry::MulticastDefault { vr, family, trap: MULTICAST },
        ]);
    }
    for prefix in ["192.0.2.1/32", "2001:db8::1/128"] {
        let prefix = prefix.parse().unwrap();
        entries.push(Entry::Route { vr, prefix, action: RouteAction::Ip2me });
    }
    let action = RouteAction::Trap(TrapId(0x70));
    entries.extend([
        Entry::Route { vr, prefix: "0.0.0.0/0".parse().unwrap(), action },
        Entry::Fid { fid },
        Entry::Rif(Rif {
            rif,
            enabled: true,
            kind: RifKind::Subport { at: PortOrLag::Port(port), fid },
            vr,
            mtu: 1500,
            mac: mac(1),
            mac_profile: MacProfile(0),
            vrrp_ipv4: Some(Vrid::try_from(10).unwrap()),
            vrrp_ipv6: None,
        }),
        router_mac(1),
        Entry::RouterMac { fid, mac: "00:00:5e:00:01:0a".parse().unwrap() },
        Entry::FidRif { fid, rif },
        Entry::EgressVid { rif, port, vid: Vid(0) },
        Entry::PortPvid { port, vid: Vid::UNTAGGED },
        Entry::PortVlan { port, vid: Vid::UNTAGGED, untagged: true },
        Entry::PortLearning { port, vid: Vid::UNTAGGED, enabled: false },
        Entry::PortStp { port, vid: Vid::UNTAGGED, state: StpState::Forwarding },
        Entry::PortVidFid { port, vid: Vid::UNTAGGED, fid, rif: Some(rif) },
    ]);
    entries
}

fn keys(entries: &[Entry]) -> Vec<Key> {
    entries.iter().map(Entry::key).collect()
}

/// What can be read of these entries, and the keys of what can't.
fn readable(entries: &[Entry]) -> (Tables, BTreeSet<Key>) {
    let (unreadable, tables): (Vec<_>, Vec<_>) = entries
        .iter()
        .map(|entry| (entry.key(), entry.clone()))
        .partition(|(key, _)| readability(key) == Readability::Unreadable);
    (tables.into_iter().collect(), unreadable.into_iter().map(|(key, _)| key).collect())
}

/// Removals in the order in which the chip takes them: the router interface is unbound first.
fn removals(entries: &[Entry]) -> impl Iterator<Item = Change> {
    entries.iter().rev().cloned().map(Change::Remove)
}

// Broken if the chip understood any change otherwise than it is meant, or a restart could not find it again.
#[test]
fn everything_is_written_read_back_and_removed() {
    for (personality, entries) in ["spectrum2", "spectrum1", "tiny"]
        .into_iter()
        .flat_map(|personality| [router_port(), bridges(), routes()].map(|of| (personality, of)))
    {
        let mut bench = Bench::new(personality);
        bench.apply_one_by_one(entries.iter().cloned().map(Change::Add));
        let (tables, unreadable) = readable(&entries);
        let expected = ReadBack { tables, unreadable, ..ReadBack::default() };
        assert_eq!(bench.read_back(&keys(&entries)), expected);

        // What can be enumerated is found without being asked for.
        let found = bench.read_back(&[]).tables;
        let enumerable =
            expected.tables.iter().filter(|(key, _)| readability(key) == Readability::Enumerable);
        assert_eq!(found, enumerable.map(|(k, e)| (k.clone(), e.clone())).collect());

        bench.apply_one_by_one(removals(&entries));
        let left = bench.read_back(&keys(&entries));
        let always = |key: &Key| {
            matches!(
                key,
                Key::Policer(_)
                    | Key::TrapGroup(_)
                    | Key::Trap(_)
                    | Key::EgressVid(..)
                    | Key::PortPvid(_)
                    | Key::PortStp(..)
                    | Key::AgeingTime
            )
        };
        assert!(left.tables.keys().all(always), "{left:?}");
        assert_eq!((left.foreign, left.failed), Default::default());
        let dump = bench.chip.dump();
        assert!(dump.rifs.is_empty() && dump.fdb.is_empty() && dump.routes.is_empty());
        assert!(dump.adjacencies.is_empty() && dump.neighbours.is_empty());
    }
}

// Broken if one lost answer, of whatever register, made a change fail or be done twice with another effect.
#[test]
fn every_change_survives_a_lost_answer() {
    let changes: Vec<Change> = [router_port(), bridges(), routes()]
        .iter()
        .flat_map(|entries| entries.iter().cloned().map(Change::Add).chain(removals(entries)))
        .collect();
    for lost in ["drop_reply", "drop_request"] {
        let mut bench = Bench::new("spectrum2");
        for change in &changes {
            bench.fault(&format!(r#"{{"register":"*","action":"{lost}"}}"#));
            assert_eq!(bench.apply([change.clone()]), [Ok(())], "{lost} {change:?}");
        }
        assert!(bench.now >= Duration::from_millis(200) * u32::try_from(changes.len()).unwrap());
    }
}

// Broken if a second removal were refused: a restart removes what a crashed daemon may have removed already.
#[test]
fn everything_can_be_removed_twice() {
    for entries in [router_port(), bridges(), routes()] {
        let mut bench = Bench::new("spectrum2");
        bench.apply_one_by_one(entries.iter().cloned().map(Change::Add));
        for change in removals(&entries) {
            // The shape of a tree goes with the tree.
            let needs_tree = matches!(change.key(), Key::LpmTreeShape(_));
            bench.apply_one_by_one(std::iter::repeat_n(change, if needs_tree { 1 } else { 2 }));
        }
    }
}

// Broken if full tables were not told from refusals, or a full one kept earlier MACs out.
#[test]
fn full_tables_are_told() {
    let mut bench = Bench::new("tiny");
    bench.apply_one_by_one([Change::Add(Entry::Fid { fid: Fid(5120) })]);
    let outcomes = bench.apply((0..10).map(|n| Change::Add(router_mac(n))));
    let classes: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().err().map(AsicError::class)).collect();
    assert_eq!(classes[..8], [None; 8]);
    assert_eq!(classes[8..], [Some(Class::Capacity); 2]);

    let outcomes = bench.apply((1..10).map(|n| Change::Add(Entry::Fid { fid: Fid(n) })));
    let full = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect::<Vec<_>>();
    assert_eq!(full.len(), 2);
    assert!(full.iter().all(|error| error.class() == Class::Capacity), "{full:?}");
    assert!(full[0].to_string().contains("All 8 FIDs are in use"), "{}", full[0]);
}

// Broken if a refusal did not carry the chip's own words, or were taken for something that passes.
#[test]
fn refusal_says_why() {
    let mut bench = Bench::new("tiny");
    let rif = Entry::FidRif { fid: Fid(5120), rif: RifIndex(3) };
    let outcomes = bench.apply([Change::Add(rif)]);
    let Err(error) = &outcomes[0] else { panic!() };
    assert_eq!(error.class(), Class::Rejected);
    assert!(error.to_string().contains("router interface 3 is not enabled"), "{error}");
}

// Broken if more router MACs than one answer holds were found in part, or some twice.
#[test]
fn long_lists_are_read_to_their_end() {
    let mut bench = Bench::new("spectrum2");
    bench.apply_one_by_one([Change::Add(Entry::Fid { fid: Fid(5120) })]);
    let macs: Vec<Entry> = (0..=200).map(router_mac).collect();
    let outcomes = bench.apply(macs.iter().cloned().map(Change::Add));
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(bench.read_back(&[]).tables, readable(&macs).0);
}

// Broken if a chip whose list never ends kept a restart reading for ever.
#[test]
fn endless_list_is_given_up() {
    let mut bench = Bench::new("spectrum2");
    let mut pages = 0;
    let found = read(&mut bench.session, &mut bench.now, Some(0), &[], |_, frame| {
        pages += 1;
        let request = Frame::decode(frame).unwrap();
        let mut sfd = emad::register::Sfd::dump(5);
        sfd.num_rec = 0;
        Some(request.answer(&sfd).encode())
    });
    assert!(matches!(found, Err(AsicError::Answer { .. })), "{found:?}");
    assert_eq!(pages, 2);
}

// Broken if a record that the chip left out of a batch were booked as programmed.
#[test]
fn record_left_out_is_noticed() {
    let mut bench = Bench::new("spectrum2");
    bench.apply_one_by_one([Change::Add(Entry::Fid { fid: Fid(5120) })]);
    bench.fault(r#"{"register":"sfd","action":"short_num_rec"}"#);
    let outcomes = bench.apply((0..3).map(|n| Change::Add(router_mac(n))));
    assert!(outcomes[..2].iter().all(Result::is_ok));
    assert_eq!(outcomes[2].as_ref().map_err(AsicError::class), Err(Class::Capacity));
    let found = bench.read_back(&[]).tables;
    assert_eq!(found.into_keys().collect::<Vec<_>>(), keys(&[router_mac(0), router_mac(1)]));
}

// Broken if somebody else's router interface were claimed, or hidden from the sweep.
#[test]
fn foreign_router_interface_is_told() {
    let mut bench = Bench::new("spectrum2");
    let ritr =
        Ritr { rif: 7, mtu: 1500, kind: RitrType::Loopback { raw: [0; 0x2c] }, ..Ritr::default() };
    let frame = Frame::request(Method::Write, 1, &ritr).encode();
    let answer = exchange(&mut bench.chip, Duration::ZERO, &frame).unwrap();
    assert_eq!(Frame::decode(&answer).unwrap().register(), Ok(Register::Ritr(ritr)));
    let found = bench.read_back(&[]);
    assert_eq!(found.foreign, BTreeSet::from([Key::Rif(RifIndex(7))]));
    assert!(found.tables.is_empty());
}

// Broken if a row that the chip refuses to read spoiled the whole read-back, or a silent chip passed for an empty one.
#[test]
fn refused_rows_are_named_and_silence_is_an_error() {
    let mut bench = Bench::new("spectrum2");
    let port = |n| Key::PortPvid(LocalPort(n));
    let found = bench.read(&[port(1), port(9)]).unwrap();
    assert_eq!(found.tables.keys().collect::<Vec<_>>(), [&port(1)]);
    assert_eq!(found.failed.keys().collect::<Vec<_>>(), [&port(9)]);

    bench.fault(r#"{"register":"*","op":"query","count":100,"action":"drop_request"}"#);
    let error = bench.read(&[port(1), port(2)]).unwrap_err();
    assert!(matches!(error, AsicError::Timeout { .. }), "{error}");
    assert_eq!(error.class(), Class::Transient);
}

// Broken if an outcome lied under loss: what is told as done has to be there, what is told as not done must not.
#[test]
fn outcomes_hold_under_heavy_loss() {
    for seed in 0..8 {
        let mut bench = Bench::new("spectrum2");
        bench.apply_one_by_one([Change::Add(Entry::Fid { fid: Fid(5120) })]);
        for (op, action) in [
            ("write", r#""drop_reply""#),
            ("write", r#""drop_request""#),
            ("write", r#""short_num_rec""#),
            ("write", r#"{"status":1}"#),
            ("write", r#"{"status":112}"#),
            ("query", r#""drop_request""#),
        ] {
            bench.fault(&format!(
                r#"{{"register":"*","op":"{op}","share":250,"seed":{seed},"action":{action}}}"#
            ));
        }
        let entries: Vec<Entry> =
            (0..30).map(router_mac).chain((1..30).map(|n| Entry::Fid { fid: Fid(n) })).collect();
        let added = bench.apply(entries.iter().cloned().map(Change::Add));
        let removed = bench.apply(entries[..15].iter().cloned().map(Change::Remove));
        bench.chip.faults().clear();
        let there = bench.read_back(&keys(&entries)).tables;
        for (n, entry) in entries.iter().enumerate() {
            let last = removed.get(n).map(|outcome| (outcome, false));
            let (outcome, wanted) = last.unwrap_or((&added[n], true));
            let there = there.contains_key(&entry.key());
            match outcome.as_ref().map_err(AsicError::class) {
                Ok(()) => assert_eq!(there, wanted, "seed {seed}: {entry:?}"),
                Err(Class::Unknown) => {}
                // A removal that failed leaves what the addition made.
                Err(_) if !wanted => {}
                Err(class) => assert!(!there, "seed {seed}: {entry:?} {class}"),
            }
        }
    }
}

/// An IPv4 packet without payload, from 198.51.100.1.
fn packet(destination_mac: Mac, destination: [u8; 4], protocol: u8) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 255, protocol, 0, 0, 198, 51, 100, 1];
    ip.extend(destination);
    let sum: u32 = ip.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    [&destination_mac.0[..], &[2, 0, 0, 0, 0, 0xaa, 8, 0], &ip, &[0; 26]].concat()
}

// Broken if what reads back right were not what makes the chip route: a wrong action, an untied FID, a multicast trap that
// the chip does not understand.
#[test]
fn frames_go_where_the_entries_say() {
    let mut bench = Bench::new("spectrum2");
    bench.apply_one_by_one(router_port().into_iter().map(Change::Add));
    let (port, now) = (hwsim::chip::LocalPort(1), Nanos(0));
    bench.chip.link(port, true);
    let virtual_mac = "00:00:5e:00:01:0a".parse().unwrap();
    let group = |last| Mac([1, 0, 0x5e, 0, 0, last]);
    for (name, frame, trap) in [
        ("to the router", packet(mac(1), [192, 0, 2, 1], 17), Some(0x5f)),
        ("to the virtual router", packet(virtual_mac, [192, 0, 2, 1], 17), Some(0x5f)),
        ("through the router", packet(virtual_mac, [203, 0, 113, 1], 17), Some(0x70)),
        ("to somebody else", packet(mac(9), [192, 0, 2, 1], 17), None),
        ("VRRP", packet(group(18), [224, 0, 0, 18], 112), Some(0x59)),
        ("multicast", packet(Mac([1, 0, 0x5e, 1, 1, 1]), [239, 1, 1, 1], 17), Some(MULTICAST.0)),
    ] {
        let mut out = Vec::new();
        bench.chip.receive(now, port, &frame, &mut out);
        let traps: Vec<u16> = out
            .iter()
            .map(|output| match output {
                hwsim::chip::Output::Cpu { punt, .. } => punt.trap_id,
                wire => panic!("{name}: {wire:?}"),
            })
            .collect();
        let trace = bench.chip.trace(now, port, &frame);
        assert_eq!(traps, Vec::from_iter(trap), "{name}: {trace:#?}");
    }
}
