//! What comes from the wires: frames on the ports of a chip that routes and bridges.
//!
//! Input: frames behind their length; a byte before each says where and when. A trace says before what happens then.

use hwsim::chip::{Chip, LocalPort, Nanos, Output};
use hwsim::packet::Frame;

use crate::input::Input;
use crate::lab;

/// Frames of one input.
const FRAMES: usize = 16;
/// Bytes that a tag adds.
const TAG: usize = 4;

/// The target.
pub fn run(data: &[u8]) {
    let mut chip = lab::chip();
    let mut input = Input(data);
    let mut now = 0_u64;
    for _ in 0..FRAMES {
        if input.is_empty() {
            break;
        }
        let how = input.byte();
        now += u64::from(how >> 3) * 20_000_000;
        inject(&mut chip, Nanos(now), LocalPort(u16::from(how & 7)), input.chunk());
    }
    // These cost more than all frames.
    if data.len().is_multiple_of(16) {
        serde_json::to_string(&chip.counters()).expect("counters are plain data");
        serde_json::to_string(&chip.dump()).expect("a dump is plain data");
    }
}

fn inject(chip: &mut Chip, now: Nanos, port: LocalPort, frame: &[u8]) {
    let told = chip.trace(now, port, frame).verdict;
    let mut out = Vec::new();
    chip.receive(now, port, frame, &mut out);
    let wires = out.iter().filter_map(|output| match output {
        Output::Wire { port, .. } => Some(*port),
        Output::Cpu { .. } => None,
    });
    assert!(told.wire.iter().map(|egress| egress.port).eq(wires), "the trace told otherwise");
    let mut punts = 0;
    for output in &out {
        match output {
            Output::Wire { port: egress, frame: sent } => {
                assert!((1..=lab::PORTS).contains(&egress.0));
                assert!(sent.len() <= frame.len() + TAG && Frame::parse(sent).is_some());
            }
            Output::Cpu { frame: seen, punt, port: ingress } => {
                punts += 1;
                assert_eq!((seen.as_slice(), *ingress), (frame, port));
                assert_eq!(told.punt.as_ref(), Some(punt));
                for (egress, copy) in chip.copies_of_report(punt, frame) {
                    assert!(egress != port && Frame::parse(&copy).is_some());
                    chip.transmit(now, egress, &copy, &mut Vec::new());
                }
            }
        }
    }
    let passed = told.punt.is_some_and(|punt| !punt.policed);
    assert_eq!(punts, usize::from(passed), "once to the CPU, if at all");
}
