//! How fast do packets get from a wire to the CPU, and does a flood of others that a policer drops hold them up?
//!
//! ```text
//!   sender ─ h1 ═ w1 ─▶ hwsim: external_route, group 1 ─▶ swp1 ─ packet socket        peer: sender ─ p1 ═ p2 ─ packet socket
//!   flood  ─ h2 ═ w2 ─▶ hwsim: arp_request, group 3 ─▶ policer: 1,000/s
//! ```
//!
//! | row | |
//! |---|---|
//! | `hwsim_punt` | packets a second, of which at most 512 are under way |
//! | `hwsim_punt_p50`, `_p99` | from the sender to the reader at 5,000 a second |
//! | `hwsim_punt_flooded…` | the same while 50,000 ARP requests a second reach the policer; the peer beside the same flood |
//!
//! Needs what forward-rate.rs needs. One JSON object a line.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use emad::register::{Htgt, Qpcr};
use hwsim::port::wire::Wire;
use nix::sched::{CloneFlags, unshare};

#[path = "support/report.rs"]
#[expect(dead_code, reason = "shared")]
mod report;
#[expect(clippy::unwrap_used, reason = "made for the tests, shared with them")]
#[path = "../tests/run/router.rs"]
mod router;
#[path = "support/simulator.rs"]
#[expect(dead_code, reason = "shared")]
mod simulator;
#[path = "support/traffic.rs"]
mod traffic;

use report::{Row, median};
use simulator::{Simulator, ip};
use traffic::{flood, latency, open, rate};

const WINDOW: u64 = 512;
const TURN: Duration = Duration::from_millis(300);
const TURNS: usize = 5;
const INTERVAL: Duration = Duration::from_micros(200);
const PACKETS: u32 = 10_000;
const FLOOD: u64 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let directory = tempfile::tempdir()?;
    let simulator = Simulator::start(directory.path())?;
    let chip = &mut simulator.connect()?;
    router::program(chip, 2);
    router::write(chip, Qpcr { pid: 1, cir: 1000, cbs_log2: 7, ..Qpcr::default() });
    router::write(chip, Htgt::new(3, Some(1), 3, 3));
    simulator.set_up_ports()?;
    ip("link add p1 type veth peer name p2")?;
    ip("link set p1 up")?;
    ip("link set p2 up")?;
    let (punted, peer) = ([open("h1")?, open("swp1")?], [open("p1")?, open("p2")?]);

    rows("hwsim_punt", &punted, &peer);
    let (other, over) = (open("h2")?, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| flood(&other, &router::arp_request(2, None), FLOOD, &over));
        rows("hwsim_punt_flooded", &punted, &peer);
        over.store(true, Ordering::Relaxed);
    });
    let counters = chip.ask(&serde_json::json!({ "request": "counters" }))?;
    let policed = counters["traps"]["arp_request"]["policed"].as_u64();
    eprintln!("the policer dropped {policed:?} ARP requests");
    if policed.is_some_and(|policed| policed > 0) { Ok(()) } else { Err("No flood".into()) }
}

fn rows(name: &str, punted: &[Wire; 2], peer: &[Wire; 2]) {
    const VETH: &str = "linux veth";
    let frame = router::udp(1, [192, 0, 2, 1], 60);
    let is_ours = |frame: &[u8]| frame.get(30..34) == Some(&[192, 0, 2, 1]);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(rate(punted, &frame, WINDOW, TURN, is_ours));
        theirs.push(rate(peer, &frame, WINDOW, TURN, is_ours));
    }
    Row::new(name, median(ours), "packets/s").beside(VETH, median(theirs)).print();
    let ours = latency(punted, &frame, PACKETS, INTERVAL, is_ours);
    let theirs = latency(peer, &frame, PACKETS, INTERVAL, is_ours);
    for percent in [50, 99] {
        Row::new(&format!("{name}_p{percent}"), ours.share(percent), "us")
            .beside(VETH, theirs.share(percent))
            .print();
    }
    Row::new(&format!("{name}_lost"), ours.lost, "share").beside(VETH, theirs.lost).print();
}
