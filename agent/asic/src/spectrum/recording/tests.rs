//! Recordings of a simulated chip's life, read back and compared with the chip itself.

use std::net::IpAddr;
use std::time::Duration;

use emad::register::{
    Hpkt, HpktAction, Htgt, Protocol, Qpcr, Raleu, Ralue, RalueAction, RalueOp, Ratr, RatrOp,
    Rauht, RauhtOp, Reiv, Rgcr, Ritr, RitrType, Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, Sfdf,
    SfdfFlush, Sfmr, SfmrOp, Sfn, Slcor, Sldr, Svfa, TrapAction,
};
use emad::{Frame, Method, Register};
use firsthop_model::chip::{Change, Tables as Applied};
use hwsim::chip::{Chip, LocalPort, Nanos, Personality};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::spectrum::registers::Dialect;
use crate::spectrum::session::{Session, Settings};
use crate::spectrum::synchronous::{read, settle};
use crate::spectrum::tests::{bridges, router_port, routes};
use crate::{Capabilities, Ticket};

const PORTS: u16 = 4;

/// A chip whose register traffic is recorded.
struct Life {
    chip: Chip,
    file: Vec<u8>,
    now: u64,
    tid: u64,
}

impl Life {
    fn new() -> Self {
        let mut file = Vec::new();
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            file.extend(word.to_le_bytes());
        }
        let personality = Personality::load("spectrum2").unwrap();
        Self { chip: Chip::new(personality, PORTS, "0".into(), 1), file, now: 0, tid: 0 }
    }

    /// A life that begins as an agent's does.
    fn begun() -> Self {
        let mut life = Self::new();
        let rgcr = Rgcr { ipv4_en: true, max_router_interfaces: 64, ..Rgcr::default() };
        life.write(rgcr);
        life
    }

    fn note(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [0, 0, length, length] {
            self.file.extend(word.to_le_bytes());
        }
        self.file.extend(frame);
    }

    fn exchange(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        self.note(frame);
        let answer = self.chip.emad(Nanos(self.now), frame).unwrap();
        if let Some(answer) = &answer {
            self.note(answer);
        }
        answer
    }

    fn access(&mut self, method: Method, register: impl Into<Register>) -> Option<Frame> {
        self.tid += 1;
        let request = Frame::request(method, self.tid, &register.into());
        self.exchange(&request.encode()).map(|answer| Frame::decode(&answer).unwrap())
    }

    fn write(&mut self, register: impl Into<Register>) -> Option<Frame> {
        self.access(Method::Write, register)
    }

    fn query(&mut self, register: impl Into<Register>) -> Option<Frame> {
        self.access(Method::Query, register)
    }

    fn fault(&mut self, rule: &str) {
        self.chip.faults().inject(serde_json::from_str(rule).unwrap());
    }

    fn recording(&self) -> Recording {
        Recording::read(&self.file).unwrap()
    }

    /// What the chip dumps, without what registers don't tell.
    fn dump(&self) -> Value {
        let mut dump = serde_json::to_value(self.chip.dump()).unwrap();
        let members = dump.as_object_mut().unwrap();
        members.remove("resources");
        members.remove("generation");
        for policer in members["policers"].as_array_mut().unwrap() {
            policer.as_object_mut().unwrap().remove("dropped");
        }
        dump
    }

    #[track_caller]
    fn check(&self) {
        let recorded = serde_json::to_value(self.recording().tables).unwrap();
        assert_eq!(recorded, self.dump());
    }

    /// Changes as the agent sends them.
    fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.tid += 1 << 32;
        let mut session = Session::new(Settings::default(), u32::try_from(self.tid >> 32).unwrap());
        session.speak(DIALECT);
        let mut now = Duration::ZERO;
        for change in changes {
            session.submit(Ticket(0), change);
            settle(&mut session, &mut now, |_, frame| self.exchange(frame));
        }
    }

    /// All that can be found, as an agent reads it when it starts.
    fn scan(&mut self, keys: &[Key]) {
        self.tid += 1 << 32;
        let mut session = Session::new(Settings::default(), u32::try_from(self.tid >> 32).unwrap());
        session.speak(DIALECT);
        let rifs = Some(self.chip.personality().rifs);
        let mut now = Duration::ZERO;
        read(&mut session, &mut now, rifs, keys, |_, frame| self.exchange(frame)).unwrap();
    }
}

const DIALECT: Dialect = Dialect { ports: PORTS, vlan_rif_has_efid: true, lag_members: 32 };

fn capabilities() -> Capabilities {
    let port = |port| crate::Port { local_port: firsthop_model::LocalPort(port), ifname: None };
    Capabilities {
        ports: (1..=PORTS).map(port).collect(),
        vlan_rif_has_efid: true,
        ..Capabilities::default()
    }
}

fn mac(last: u8) -> emad::Mac {
    emad::Mac([2, 0, 0, 0, 0, last])
}

fn keyed(rows: Vec<Entry>) -> Applied {
    rows.into_iter().map(|entry| (entry.key(), entry)).collect()
}

// Broken if what the agent programs, changes and removes read back as something else than what the chip dumps, or as other
// rows than the agent's own.
#[test]
fn a_life_reads_back_as_what_the_chip_dumps() {
    let mut life = Life::new();
    let entries: Vec<Entry> = bridges();
    let keys: Vec<Key> = entries.iter().map(Entry::key).collect();
    life.scan(&keys);
    life.apply(entries.iter().cloned().map(Change::Add));
    life.check();
    let frame = [&[0xff; 6][..], &mac(9).octets()[..], &[0x88, 0xb5], &[0; 46]].concat();
    life.chip.link(LocalPort(4), true);
    life.chip.receive(Nanos(life.now), LocalPort(4), &frame, &mut Vec::new());
    life.query(Sfn::default());
    let learnt = |record: &Value| record["policy"] == "dynamic";
    assert!(life.dump()["fdb"].as_array().unwrap().iter().any(learnt));
    life.scan(&keys);
    life.check();

    rows_come_and_go(&mut life, &entries);
}

// The same of routes, next hops and hosts: those that were written, and those that somebody only looked at.
#[test]
fn routes_read_back_as_what_the_chip_dumps() {
    let mut life = Life::new();
    let entries = routes();
    let keys: Vec<Key> = entries.iter().map(Entry::key).collect();
    life.scan(&keys);
    life.apply(entries.iter().cloned().map(Change::Add));
    life.check();
    let written = life.recording();
    life.file.truncate(24);
    life.scan(&keys);
    let read = life.recording();
    assert!(!read.summary.whole);
    assert_eq!(read.tables.routes, written.tables.routes);
    assert_eq!(read.tables.adjacencies, written.tables.adjacencies);
    assert_eq!(read.tables.neighbours, written.tables.neighbours);

    let mut life = Life::new();
    life.apply(entries.iter().cloned().map(Change::Add));
    life.scan(&keys);
    life.check();
    rows_come_and_go(&mut life, &entries);
    life.scan(&keys);
    life.check();
}

// Broken if a host were still shown after somebody looked, and it was gone.
#[test]
fn a_look_at_an_absent_host_settles_it() {
    let mut life = Life::begun();
    let host = |op| Rauht::new(op, 1, mac(9), [192, 0, 2, 9].into());
    let fid = Sfmr { fid: 5121, flood_rsp: true, ..Sfmr::default() };
    life.write(fid).unwrap();
    let kind = RitrType::SpIf { lag: false, system_port: 2, efid: 5121, vid: 0 };
    life.write(Ritr { enable: true, rif: 1, kind, mtu: 1500, ..Ritr::default() }).unwrap();
    life.write(host(RauhtOp::WRITE_ADD)).unwrap();
    assert_eq!(life.recording().tables.neighbours.len(), 1);
    life.fault(r#"{"register":"rauht","action":"drop_reply"}"#);
    assert!(life.write(host(RauhtOp::WRITE_DELETE)).is_none());
    life.query(host(RauhtOp::QUERY_READ)).unwrap();
    let Recording { tables, rows, .. } = life.recording();
    assert_eq!(tables.neighbours, []);
    assert!(!rows.held.iter().any(|entry| matches!(entry, Entry::Neighbour { .. })));
}

/// The rows of a life so far are these, and none is left when they are removed.
fn rows_come_and_go(life: &mut Life, entries: &[Entry]) {
    let recording = life.recording();
    assert!(recording.summary.whole && recording.summary.notes().is_empty());
    let lasting = |entry: &Entry| !matches!(entry, Entry::Learnt { .. });
    let wanted = keyed(entries.iter().filter(|entry| lasting(entry)).cloned().collect());
    let mut held = keyed(recording.rows.on(&capabilities()).held);
    held.retain(|key, entry| wanted.contains_key(key) || !is_at_rest(entry));
    assert_eq!(held, wanted);

    life.apply(entries.iter().rev().cloned().map(Change::Remove));
    life.check();
    let mut held = keyed(life.recording().rows.held);
    held.retain(|_, entry| !is_at_rest(entry));
    assert_eq!(held, Applied::new());
}

// Broken if a write that the chip refused, or whose answer was lost, counted; or one that was sent twice counted twice.
#[test]
fn what_the_chip_did_not_acknowledge_does_not_count() {
    let mut life = Life::begun();
    let sfmr = |fid| Sfmr { fid, flood_rsp: true, ..Sfmr::default() };
    life.fault(r#"{"register":"sfmr","action":{"status":7}}"#);
    life.write(sfmr(6000)).unwrap();
    life.fault(r#"{"register":"sfmr","action":"drop_reply"}"#);
    assert!(life.write(sfmr(6001)).is_none());
    let recording = life.recording();
    assert_eq!(recording.tables.fids, []);
    let Summary { writes, acknowledged, refused, unanswered, .. } = recording.summary;
    assert_eq!((writes, acknowledged, refused), (3, 1, 1));
    assert_eq!(unanswered, ["sfmr (transaction 0x0000000000000003)"]);

    // The same again, under the same id.
    life.tid -= 1;
    life.write(sfmr(6001)).unwrap();
    life.tid -= 1;
    life.write(sfmr(6001)).unwrap();
    let Recording { summary, tables, .. } = life.recording();
    assert_eq!((summary.writes, summary.acknowledged, summary.repeated), (3, 2, 2));
    assert_eq!(summary.unanswered, [""; 0]);
    assert_eq!(serde_json::to_value(tables.fids).unwrap(), life.dump()["fids"]);
}

// Broken if a write of unknown outcome stayed unknown after somebody looked.
#[test]
fn a_query_settles_what_became_of_a_write() {
    let mut life = Life::begun();
    life.write(Sfmr { fid: 6000, flood_rsp: true, ..Sfmr::default() }).unwrap();
    life.fault(r#"{"register":"svfa","action":"drop_reply"}"#);
    life.fault(r#"{"register":"sfmr","action":"drop_reply"}"#);
    assert!(life.write(Svfa::vid(5, 6000, None)).is_none());
    assert!(life.write(Sfmr { op: SfmrOp::Destroy, fid: 6000, ..Sfmr::default() }).is_none());
    life.query(Svfa::vid(5, 0, None)).unwrap();
    life.query(Sfmr { fid: 6000, ..Sfmr::default() }).unwrap();
    let Recording { summary, tables, .. } = life.recording();
    assert!(summary.whole, "the open write explains what was found");
    assert_eq!(tables.mappings.len(), 1);
    assert_eq!(serde_json::to_value(tables.mappings).unwrap(), life.dump()["mappings"]);
    assert_eq!(tables.fids, []);
}

// Broken if a trap lost its group, or got one, when somebody only looked.
#[test]
fn a_look_at_a_trap_leaves_its_group() {
    let mut life = Life::begun();
    let action = HpktAction::MirrorToCpu;
    life.write(Hpkt { trap_id: 0x59, action, trap_group: 0, ..Hpkt::default() }).unwrap();
    for trap_id in [0x59, 0x7a] {
        life.query(Hpkt { trap_id, ..Hpkt::default() }).unwrap();
    }
    life.check();
}

// Broken if a recording that begins late were taken for a whole life.
#[test]
fn a_late_beginning_shows() {
    let mut life = Life::begun();
    let sfmr = |fid| Sfmr { fid, flood_rsp: true, ..Sfmr::default() };
    life.write(sfmr(6000)).unwrap();
    let head = life.file[..24].to_vec();
    life.file = head.clone();
    life.write(sfmr(6001)).unwrap();
    let recording = life.recording();
    assert!(!recording.summary.whole);
    assert_eq!((recording.tables.traps, recording.tables.writes_total), (Vec::new(), None));
    assert_eq!(recording.tables.fids.len(), 1);

    // Even if somebody switches the router on again.
    life.write(Rgcr { ipv4_en: true, ..Rgcr::default() }).unwrap();
    assert!(life.recording().summary.whole, "nothing tells of the FID before");
    life.query(sfmr(6000)).unwrap();
    let recording = life.recording();
    assert!(!recording.summary.whole && recording.summary.notes()[0].contains("begins after"));
    assert_eq!(recording.tables.fids.len(), 2);
    life.query(sfmr(6002)).unwrap();
    assert!(life.recording().rows.empty.contains(&Key::Fid(Fid(6002))));

    life.file = head;
    let recording = life.recording();
    assert!(!recording.summary.whole, "an empty file tells nothing");
    assert_eq!(recording.rows, Rows::default());
}

// Broken if rows from before a reset counted after it.
#[test]
fn a_reset_empties_everything() {
    let mut life = Life::begun();
    life.apply(router_port().into_iter().map(Change::Add));
    life.chip.reset(2);
    life.scan(&[]);
    life.apply(router_port().into_iter().take(4).map(Change::Add));
    let Recording { summary, tables, .. } = life.recording();
    assert_eq!((summary.resets, tables.writes_total), (1, None));
    let mut dump = life.dump();
    dump.as_object_mut().unwrap().remove("writes_total");
    assert_eq!(serde_json::to_value(tables).unwrap(), dump);
}

// Broken if other traffic were taken for a chip without tables, or foreign frames among ours were in the way.
#[test]
fn other_frames_are_counted() {
    let mut life = Life::new();
    life.note(&[0x5a; 60]);
    assert_eq!(Recording::read(&life.file), Err(RecordingError::NoEmad { frames: 1 }));
    life.write(Rgcr::default()).unwrap();
    let mut cut = Frame::request(Method::Write, 9, &Register::from(Rgcr::default())).encode();
    cut.truncate(40);
    life.note(&cut);
    let answer = Frame::request(Method::Write, 10, &Register::from(Rgcr::default()));
    life.note(&answer.answer(&Register::from(Rgcr::default())).encode());
    let Summary { frames, other, malformed, strays, writes, .. } = life.recording().summary;
    assert_eq!((frames, other, malformed, strays, writes), (5, 1, 1, 1, 1));
}

/// Writes of small numbers, so that they meet: most are taken, the others refused.
fn register() -> impl Strategy<Value = Register> {
    let fid = || prop_oneof![Just(1_u16), Just(4095), Just(5120), Just(5121)];
    let rif = || 0_u16..3;
    let port = || 1_u16..=PORTS;
    let irif = || prop::option::of(0_u16..3);
    let prefix =
        || (0_u8..4, 30_u8..=32).prop_map(|(ip, len)| (IpAddr::from([192, 0, 2, ip]), len));
    prop_oneof![
        (fid(), any::<bool>(), irif(), 0..4).prop_map(|(fid, flood_rsp, irif, op)| {
            let op = if op == 0 { SfmrOp::Destroy } else { SfmrOp::Create };
            let (irif_v, irif) = (irif.is_some(), irif.unwrap_or(0));
            Sfmr { op, fid, flood_rsp, irif_v, irif, ..Sfmr::default() }.into()
        }),
        (port(), 1_u16..4, fid(), irif(), any::<bool>()).prop_map(
            |(port, vid, fid, irif, valid)| {
                Svfa { valid, ..Svfa::port_vid(port, vid, fid, irif) }.into()
            }
        ),
        (1_u16..4, fid(), irif(), any::<bool>()).prop_map(|(vid, fid, irif, valid)| Svfa {
            valid,
            ..Svfa::vid(vid, fid, irif)
        }
        .into()),
        (rif(), fid(), 0..3, any::<bool>(), 0_u8..3, port()).prop_map(
            |(rif, fid, kind, enable, last, port)| {
                let kind = match kind {
                    0 => RitrType::VlanIf { vlan_id: fid, efid: fid },
                    1 => RitrType::FidIf { fid },
                    _ => RitrType::SpIf { lag: fid == 1, system_port: port, efid: fid, vid: 0 },
                };
                let mtu = 1500 + u16::from(last);
                Ritr { enable, rif, kind, if_mac: mac(last), mtu, ..Ritr::default() }.into()
            }
        ),
        rif().prop_map(|rif| Ritr { rif, ..Ritr::default() }.removal().into()),
        (fid(), 0_u8..4, 0..3).prop_map(|(fid, last, op)| {
            let op = if op == 0 { SfdOp::WRITE_REMOVE } else { SfdOp::WRITE_EDIT };
            Sfd::new(op, vec![SfdRecord::router(mac(last), fid)]).into()
        }),
        (fid(), 0_u8..4, port(), any::<bool>()).prop_map(|(fid, last, port, fixed)| {
            let policy = if fixed { SfdPolicy::Static } else { SfdPolicy::Dynamic };
            let record = SfdRecord::unicast(policy, mac(last), fid, 0, SfdAction::Nop, port);
            Sfd::new(SfdOp::WRITE_EDIT, vec![record]).into()
        }),
        (fid(), port(), 0..5, any::<bool>()).prop_map(|(fid, system_port, kind, flush_static)| {
            let flush_type = match kind {
                0 => SfdfFlush::PerSwid,
                1 => SfdfFlush::PerFid { fid },
                2 => SfdfFlush::PerPort { system_port },
                3 => SfdfFlush::PerPortAndFid { system_port, fid },
                _ => SfdfFlush::PerLagAndFid { lag_id: system_port, fid },
            };
            Sfdf { flush_static, ..Sfdf::new(flush_type) }.into()
        }),
        (0_u16..2, prefix(), 0..6, rif()).prop_map(|(vr, (ip, len), kind, local_erif)| {
            let (trap_action, trap_id) = match kind {
                1 => (TrapAction::DiscardError, 0),
                5 => (TrapAction::Nop, 0),
                _ => (TrapAction::Trap, 0x70),
            };
            let op = if kind == 0 { RalueOp::WRITE_DELETE } else { RalueOp::WRITE_WRITE };
            let (adjacency_index, ecmp_size) = (1, 1);
            let action = match kind {
                0 => RalueAction::Ip2me { tunnel_ptr: None },
                1..=3 => RalueAction::Local { trap_action, trap_id, local_erif },
                _ => RalueAction::Remote { trap_action, trap_id, adjacency_index, ecmp_size },
            };
            Ralue::new(op, vr, ip, len, action).into()
        }),
        (0_u32..4, rif(), 0_u8..4, 0_usize..3).prop_map(|(adjacency_index, rif, last, kind)| {
            let trap = [TrapAction::Nop, TrapAction::Trap, TrapAction::DiscardError];
            Ratr {
                op: RatrOp::WRITE_WRITE_ENTRY,
                v: last > 0,
                adjacency_index,
                egress_router_interface: rif,
                trap_action: trap[kind],
                eth_destination_mac: mac(last),
                ..Ratr::default()
            }
            .into()
        }),
        (0_u16..2, 0_u32..3, 1_u16..3, 0_u32..3, 1_u16..3).prop_map(
            |(virtual_router, adjacency_index, ecmp_size, new_adjacency_index, new_ecmp_size)| {
                Raleu {
                    protocol: Protocol::Ipv4,
                    virtual_router,
                    adjacency_index,
                    ecmp_size,
                    new_adjacency_index,
                    new_ecmp_size,
                }
                .into()
            }
        ),
        (rif(), 0_u8..3, 0_usize..3).prop_map(|(rif, last, op)| {
            let op = [RauhtOp::WRITE_ADD, RauhtOp::WRITE_DELETE, RauhtOp::WRITE_DELETE_ALL][op];
            Rauht::new(op, rif, mac(last), IpAddr::from([192, 0, 2, last])).into()
        }),
        (prop::sample::select(vec![0x10_u16, 0x59, 0x7a, 0x3ff]), 0_u8..9, 0_u8..3).prop_map(
            |(trap_id, action, trap_group)| {
                let action = HpktAction::from_code(action.min(7));
                Hpkt { trap_id, action, trap_group, ..Hpkt::default() }.into()
            }
        ),
        (0_u8..3, prop::option::of(0_u8..3), 0_u8..9)
            .prop_map(|(group, policer, priority)| Htgt::new(group, policer, priority, 1).into()),
        (0_u16..3, 1_u32..3, 4_u8..8).prop_map(|(pid, rate, cbs_log2)| {
            Qpcr { pid, cir: rate * 1000, cbs_log2, ..Qpcr::default() }.into()
        }),
        (1_u16..3, 0..2).prop_map(|(lag, op)| match op {
            0 => Sldr::create(lag).into(),
            _ => Sldr::destroy(lag).into(),
        }),
        (1_u16..3, port(), 0..6).prop_map(|(lag, port, op)| match op {
            0 => Slcor::add_port(port, lag, port - 1).into(),
            1 => Slcor::remove_port(port, lag).into(),
            2 => Slcor::collector(port, lag, true).into(),
            3 => Slcor::collector(port, lag, false).into(),
            4 => Sldr::add_port(lag, port).into(),
            _ => Sldr::remove_port(lag, port).into(),
        }),
        (rif(), port()).prop_map(|(rif, port)| Reiv::port(rif, port, 7).into()),
    ]
}

proptest! {
    // A look is a thousand queries.
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Broken if some sequence of writes, taken or refused, read back as other tables than the chip has.
    #[test]
    fn any_writes_read_back_as_the_chip_has_them(
        writes in prop::collection::vec(register(), 1..80),
        looks in prop::collection::vec(0_usize..80, 0..3),
    ) {
        let mut life = Life::begun();
        for lag in 1..3 {
            life.write(Sldr::create(lag));
        }
        for (n, register) in writes.into_iter().enumerate() {
            life.write(register);
            if looks.contains(&n) {
                life.scan(&[]);
            }
        }
        let recorded = serde_json::to_value(life.recording().tables).unwrap();
        prop_assert_eq!(recorded, life.dump());
    }

    // Broken if some file made the reader panic.
    #[test]
    fn any_frames_are_read(
        frames in prop::collection::vec((register(), any::<bool>(), 0_usize..80, any::<u8>()), 0..12),
    ) {
        let mut life = Life::new();
        for (tid, (register, answer, at, octet)) in (0..).zip(frames) {
            let request = Frame::request(Method::Write, tid / 2, &register);
            let mut bytes = if answer { request.answer(&register) } else { request }.encode();
            if let Some(place) = bytes.get_mut(at) {
                *place = octet;
            }
            life.note(&bytes);
        }
        Recording::read(&life.file).ok();
    }
}
