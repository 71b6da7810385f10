//! How many frames a second does the chip route from wire to wire, and how many the kernel beside it?
//!
//! ```text
//!   sender ─ h1 ═ w1 ─▶ hwsim: the chip routes ─▶ w2 ═ h2 ─ receiver
//!   sender ─ k1 ═ r1 ─▶ a namespace: the kernel routes ─▶ r2 ═ k2 ─ receiver
//! ```
//! Sender and receiver are the same; the sender has at most 8,192 frames under way. Both take turns. Needs root (or
//! `unshare --user --map-root-user`), a release build of `hwsim` beside it, and two idle processors. Argument: turns of each
//! (9). One JSON object a line.

use std::error::Error;
use std::time::Duration;

use emad::Mac;
use emad::register::{Ralue, RalueAction, RalueOp, Rauht, RauhtOp, TrapAction};
use nix::sched::{CloneFlags, unshare};

#[path = "support/report.rs"]
#[expect(dead_code, reason = "shared")]
mod report;
#[expect(clippy::unwrap_used, dead_code, reason = "made for the tests, shared with them")]
#[path = "../tests/run/router.rs"]
mod router;
#[path = "support/simulator.rs"]
mod simulator;
#[path = "support/traffic.rs"]
#[expect(dead_code, reason = "shared")]
mod traffic;

use report::{Row, median};
use simulator::{KernelRouter, Simulator};
use traffic::{open, rate};

/// How long a turn takes.
const TURN: Duration = Duration::from_millis(400);
/// Frames under way at most.
const WINDOW: u64 = 8192;

fn main() -> Result<(), Box<dyn Error>> {
    let turns = std::env::args().nth(1).map_or(Ok(9), |turns| turns.parse())?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let directory = tempfile::tempdir()?;
    let simulator = Simulator::start(directory.path())?;
    let chip = &mut simulator.connect()?;
    router::program(chip, 2);
    for port in 1..=2 {
        let trap_action = TrapAction::Nop;
        let connected = RalueAction::Local { trap_action, trap_id: 0, local_erif: port.into() };
        let prefix = [10, 0, port, 0].into();
        router::write(chip, Ralue::new(RalueOp::WRITE_WRITE, 0, prefix, 24, connected));
        let (mac, host) = (Mac([2, 0, 0, 0, 9, port]), [10, 0, port, 2].into());
        router::write(chip, Rauht::new(RauhtOp::WRITE_ADD, port.into(), mac, host));
    }
    simulator.set_up_ports()?;
    let kernel = KernelRouter::start([router::port_mac(1), router::port_mac(2)])?;

    let frame = router::udp(1, [10, 0, 2, 2], 60);
    // one hop less, and from host to host
    let routed = |frame: &[u8]| {
        frame.get(22..24) == Some(&[63, 17])
            && frame.get(26..34) == Some(&[10, 0, 1, 2, 10, 0, 2, 2])
    };
    let (chip, kernel_wires) = ([open("h1")?, open("h2")?], [open("k1")?, open("k2")?]);
    let (mut by_chip, mut by_kernel) = (Vec::new(), Vec::new());
    let busy = simulator.processor_time()?;
    for turn in 0..turns {
        let ours = rate(&chip, &frame, WINDOW, TURN, routed);
        let theirs = rate(&kernel_wires, &frame, WINDOW, TURN, routed);
        eprintln!("turn {turn}: chip {ours:.0}, kernel {theirs:.0} frames/s");
        by_chip.push(ours);
        by_kernel.push(theirs);
    }
    let busy = (simulator.processor_time()? - busy) / (TURN.as_secs_f64() * f64::from(turns));
    drop(kernel);
    let (ours, theirs) = (median(by_chip), median(by_kernel));
    Row::new("hwsim_wire_chip_wire", ours, "frames/s")
        .beside("linux veth to veth", theirs)
        .at_least(theirs)
        .print();
    Row::new("hwsim_cpu_wire_chip_wire", busy, "processors").print();
    Ok(())
}
