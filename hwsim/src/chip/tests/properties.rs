//! Random registers and frames: no panic, the same twice, and the FDB as a plain map sees it.

use std::collections::BTreeMap;

use emad::register::{REGISTERS, Sfd, SfdOp, SfdRecord, Sfmr};
use emad::{Frame, Mac, Method, Operation, Register};
use proptest::prelude::*;

use super::frames::{ip, udp};
use super::lab::{FID, Lab, OWN_IPV4, RIF_MAC};
use crate::chip::traps::id;
use crate::chip::{LocalPort, Nanos};

/// A register frame: any register, any bytes, small numbers more often than large ones.
fn any_access() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(0_u8), 2 => 0..8_u8, 1 => any::<u8>()];
    (0..REGISTERS.len(), any::<bool>(), prop::collection::vec(byte, 64)).prop_map(
        |(index, write, head)| {
            let (_, register, len) = REGISTERS[index];
            let mut payload = vec![0; len];
            let n = head.len().min(len);
            payload[..n].copy_from_slice(&head[..n]);
            let method = if write { Method::Write } else { Method::Query };
            Frame::new(Operation::request(register, method, 1), payload).unwrap().encode()
        },
    )
}

/// A wire frame: half of them nearly right, the rest noise.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(vec![
        udp(RIF_MAC, "10.0.1.9", OWN_IPV4, 67),
        ip(RIF_MAC, "2001:db8::9", "fe80::1", 58, &[135, 0, 0, 0]),
        super::frames::vrrp("10.0.1.2", "224.0.0.18"),
        super::frames::arp(Mac([0xff; 6]), 1),
    ]);
    let bent = (good, any::<prop::sample::Index>(), any::<u8>(), 0..100_usize).prop_map(
        |(mut frame, at, value, cut)| {
            let at = at.index(frame.len());
            frame[at] = value;
            frame.truncate(frame.len().saturating_sub(cut % 40));
            frame
        },
    );
    prop_oneof![bent, prop::collection::vec(any::<u8>(), 0..80)]
}

#[derive(Debug, Clone)]
enum Event {
    Access(Vec<u8>),
    Frame(u16, Vec<u8>),
    Link(u16, bool),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any_access().prop_map(Event::Access),
        (0..7_u16, any_frame()).prop_map(|(port, frame)| Event::Frame(port, frame)),
        (0..7_u16, any::<bool>()).prop_map(|(port, up)| Event::Link(port, up)),
    ]
}

fn run(lab: &mut Lab, events: &[Event]) -> String {
    let mut log = String::new();
    for (n, event) in events.iter().enumerate() {
        let now = Nanos(n as u64 * 1_000_000);
        match event {
            Event::Access(frame) => log += &format!("{:?}\n", lab.chip.emad(now, frame)),
            Event::Frame(port, frame) => {
                let mut out = Vec::new();
                let trace = lab.chip.trace(now, LocalPort(*port), frame);
                lab.chip.receive(now, LocalPort(*port), frame, &mut out);
                log += &format!("{:?}\n{out:?}\n", trace.verdict);
            }
            Event::Link(port, up) => lab.chip.link(LocalPort(*port), *up),
        }
    }
    log += &serde_json::to_string(&lab.chip.dump()).unwrap();
    log += &serde_json::to_string(&lab.chip.counters()).unwrap();
    log
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    // Would break: a hostile or broken agent, or a hostile wire, stops the chip; or two runs differ.
    #[test]
    fn anything_goes_and_goes_the_same_way_twice(
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let first = run(&mut Lab::router(), &events);
        prop_assert_eq!(first, run(&mut Lab::router(), &events));
    }

    // Would break: noise that happens to carry the right EtherType stops the chip.
    #[test]
    fn broken_frames_are_survived(mut frame in any_access(), at in any::<prop::sample::Index>(), value: u8) {
        let at = at.index(frame.len());
        frame[at] = value;
        let mut lab = Lab::router();
        let _ = lab.chip.emad(Nanos(0), &frame);
        let _ = lab.chip.emad(Nanos(0), &frame[..at]);
    }

    // Would break: a frame is answered for a (FID, MAC) that was not admitted, or not for one that was.
    #[test]
    fn exactly_the_admitted_macs_are_routed(
        writes in prop::collection::vec((any::<bool>(), 0..2_u16, prop::collection::vec(0..6_u8, 1..4)), 0..40),
    ) {
        let mut lab = Lab::router();
        lab.trap(id::LOCAL_ROUTE, 13, 2);
        let mac = |last| Mac([0, 0, 0x5e, 0, 1, last]);
        let mut naive: BTreeMap<(u16, u8), ()> = BTreeMap::new();
        for (add, port, macs) in writes {
            let records = macs.iter().map(|last| SfdRecord::router(mac(*last), FID + port)).collect();
            let op = if add { SfdOp::WRITE_EDIT } else { SfdOp::WRITE_REMOVE };
            let Register::Sfd(answer) = lab.write(Sfd::new(op, records)) else { unreachable!() };
            let mut done = 0;
            for last in macs {
                let key = (port, last);
                let counts = if add { naive.insert(key, ()); true } else { naive.remove(&key).is_some() };
                done += u8::from(counts);
            }
            prop_assert_eq!(answer.num_rec, done);
        }
        for port in 0..2 {
            for last in 0..6 {
                let frame = udp(mac(last), "10.0.1.9", OWN_IPV4, 53);
                let expected = naive.contains_key(&(port, last)).then_some("local_route");
                prop_assert_eq!(lab.trapped(port + 1, &frame), expected);
            }
        }
    }
}

// Would break: an EMAD frame of the largest register does not fit, or its answer does not.
#[test]
fn the_largest_registers_are_answered() {
    let mut lab = Lab::router();
    for (_, register, len) in REGISTERS {
        let operation = Operation::request(*register, Method::Query, 1);
        let frame = Frame::new(operation, vec![0; *len]).unwrap().encode();
        let answer = lab.chip.emad(Nanos(0), &frame).unwrap().unwrap();
        assert!(answer.len() <= 1518, "register {register:x}: {} bytes", answer.len());
    }
    lab.write(Sfmr { fid: 1, ..Sfmr::default() });
}
