//! How many packets a second does the chip's pipeline take, in memory, on one processor?
//!
//! A packet here is a frame of 64 bytes that is handed to `Chip::receive`: parsed, classified (port, VLAN, FID), looked up in the
//! FDB, routed (longest prefix, next hop of a group or neighbour), counted, rewritten (MACs, tag, time to live, checksum), and
//! copied into memory as it would leave. No input or output. support/network.rs says what the tables hold.
//!
//! | row | what happens to each packet |
//! |---|---|
//! | `hwsim_pipeline_routed` | it leaves by a port |
//! | `hwsim_pipeline_metadata` | the same, and its original goes to the CPU with its metadata (`Punt`): a trap mirrors it |
//! | `hwsim_pipeline_traced` | `Chip::trace` says every step in words; nothing leaves |
//! | `…_x10` | routes, hosts, next hops and flows ten times as many |
//! | `…_growth` | exponent of a packet's time over that factor: 0 constant, 1 linear |
//!
//! `--packets N [ROW]` carries N packets once and measures nothing, for instruction counts that do not depend on the machine:
//! `valgrind --tool=callgrind --toggle-collect=pipeline_rate::carry`.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hwsim::chip::{LocalPort, Nanos, Outlet, Punt};
use hwsim::packet::rewrite::Rewritten;

#[path = "support/network.rs"]
mod network;
#[path = "support/report.rs"]
#[expect(dead_code, reason = "shared")]
mod report;

use network::{Network, Size};
use report::{Row, median};

const SIZE: Size = Size { routes: 10_000, hosts: 6_000, next_hops: 2_000 };
const LARGE: Size = Size { routes: 100_000, hosts: 60_000, next_hops: 20_000 };

/// Rounds of a row; the median counts.
const ROUNDS: usize = 7;
/// The least time of a round.
const ROUND: Duration = Duration::from_millis(250);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => bench(),
        ["--packets", count] => once("routed", count.parse()?)?,
        ["--packets", count, row] => once(row, count.parse()?)?,
        _ => return Err("Usage: pipeline-rate [--packets N [routed|metadata|traced]]".into()),
    }
    Ok(())
}

fn once(row: &str, packets: usize) -> Result<(), Box<dyn Error>> {
    let mut network = Network::new(SIZE);
    match row {
        "routed" | "traced" => {}
        "metadata" => network.mirror(),
        other => return Err(format!("No row {other}").into()),
    }
    if row == "traced" {
        trace(&network, packets);
    } else {
        let left = carry(&mut network, packets);
        eprintln!("{packets} packets: {} to wires, {} to the CPU", left.wire, left.cpu);
    }
    Ok(())
}

fn bench() {
    let begun = Instant::now();
    let mut network = Network::new(SIZE);
    let small_writes = network.writes as f64 / begun.elapsed().as_secs_f64();
    let routed = rate(200_000, |packets| carry(&mut network, packets).wire);
    Row::new("hwsim_pipeline_routed", routed, "packets/s").at_least(10e6).print();
    let traced = rate(10_000, |packets| trace(&network, packets));
    Row::new("hwsim_pipeline_traced", traced, "packets/s").print();
    network.mirror();
    let metadata = rate(200_000, |packets| carry(&mut network, packets).cpu);
    Row::new("hwsim_pipeline_metadata", metadata, "packets/s").at_least(3e6).print();
    let begun = Instant::now();
    let mut network = Network::new(LARGE);
    let large_writes = network.writes as f64 / begun.elapsed().as_secs_f64();
    let large = rate(200_000, |packets| carry(&mut network, packets).wire);
    Row::new("hwsim_pipeline_routed_x10", large, "packets/s").print();
    Row::new("hwsim_pipeline_growth", (routed / large).log10(), "exponent").at_most(1.0).print();
    Row::new("hwsim_registers_x10", large_writes, "writes/s").print();
    let growth = 1.0 + (small_writes / large_writes).log10();
    Row::new("hwsim_registers_growth", growth, "exponent").at_most(1.2).print();
}

/// Packets a second, so many in a turn: the median of some rounds of turns.
fn rate(packets: usize, mut turn: impl FnMut(usize) -> usize) -> f64 {
    turn(packets);
    let rates = (0..ROUNDS).map(|_| {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < ROUND {
            let left = turn(packets);
            assert_eq!(left, packets, "each packet leaves once");
            count += left;
        }
        count as f64 / start.elapsed().as_secs_f64()
    });
    median(rates.collect())
}

/// Takes what leaves the chip: copies it into memory, as before a system call, and counts it.
#[derive(Debug, Default)]
struct Left {
    memory: Vec<u8>,
    wire: usize,
    cpu: usize,
}

/// A batch of small frames.
const MEMORY: usize = 16 << 10;

impl Left {
    fn room(&mut self) -> &mut Vec<u8> {
        if self.memory.len() > MEMORY {
            self.memory.clear();
        }
        &mut self.memory
    }
}

impl Outlet for Left {
    fn wire(&mut self, _: LocalPort, frame: &Rewritten<'_>) {
        self.wire += 1;
        frame.append_to(self.room());
    }

    fn cpu(&mut self, _: LocalPort, frame: &[u8], punt: Punt) {
        self.cpu += 1;
        black_box(punt);
        self.room().extend_from_slice(frame);
    }
}

/// Takes packets through the chip, flow after flow.
#[inline(never)]
fn carry(network: &mut Network, packets: usize) -> Left {
    let mut left = Left::default();
    for (flow, time) in network.flows.iter().cycle().take(packets).zip(0..) {
        network.chip.receive(Nanos(time), flow.port, &flow.frame, &mut left);
    }
    left
}

/// Has the chip say what it would do with packets.
#[inline(never)]
fn trace(network: &Network, packets: usize) -> usize {
    let flows = network.flows.iter().cycle().take(packets);
    flows
        .filter(|flow| {
            network.chip.trace(Nanos(0), flow.port, &flow.frame).verdict.outcome == "wire"
        })
        .count()
}
