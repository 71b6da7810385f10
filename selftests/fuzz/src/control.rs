//! What somebody asks of the simulated chip: JSON requests, one a line, and what a client makes of the answers.

use hwsim::chip::{Chip, LocalPort, Nanos, Personality};
use hwsim::control::{Core, HostCounters, answer};
use hwsim::port::Port;
use hwsim::protocol::{Assembly, Datagram, datagrams};
use serde_json::Value;

/// The target.
pub fn run(data: &[u8]) {
    let personality = Personality::load("tiny").expect("it is built in");
    let mut chip = Chip::new(personality, 2, "fuzz".into(), 1);
    chip.link(LocalPort(1), true);
    let mut core = Core { chip, host: HostCounters::default() };
    let ports = [port(1), port(2)];
    let mut assembly = Assembly::default();
    for (line, now) in data.split(|byte| *byte == b'\n').zip((0..).step_by(1_000_000)) {
        Datagram::of(line);
        // As the answer of another simulator.
        assembly.take(line).ok();
        let answer = answer(&mut core, &ports, Nanos(now), line);
        let document: Value = serde_json::from_str(&answer).expect("an answer is JSON");
        let ok = document.get("ok").and_then(Value::as_bool).expect("it says whether it is one");
        assert_eq!(!ok, document.get("error").is_some_and(Value::is_string));
        let mut whole = Assembly::default();
        let mut taken = datagrams(answer).into_iter().map(|part| whole.take(&part));
        let last = taken.next_back().expect("at least one").expect("parts fit together");
        assert_eq!(last, Some(document));
    }
}

fn port(number: u16) -> Port {
    Port {
        local: LocalPort(number),
        ifname: format!("swp{number}"),
        ifindex: u32::from(number),
        altname: format!("hwsim-fuzz-p{number}"),
        mac: [2, 0, 0, 0, 0, 1],
        wire_name: format!("h{number}"),
        cpu: None,
        wire: None,
        link: false,
    }
}
