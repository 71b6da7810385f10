//! How many frames a second pass from wire to wire through the CPU, and do pings survive them?
//!
//! ```text
//!   sender ─ h1 ─▶ chip ─▶ swp1 ─ the kernel routes ─ swp2 ─▶ chip ─▶ h2 ─ receiver
//!                                                            ping ─ h2 ─▶ chip ─▶ swp2, and back
//! ```
//! Needs root (or `unshare --user --map-root-user`), a release build of `hwsim` beside it, and two
//! idle processors. Arguments: rates to try, frames a second. One JSON object a line: `name`,
//! `value`, `unit`.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hwsim::port::wire::{Batch, Wire};
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};

#[path = "support/report.rs"]
#[expect(dead_code, reason = "shared")]
mod report;
#[expect(clippy::unwrap_used, dead_code, reason = "made for the tests, shared with them")]
#[path = "../tests/run/router.rs"]
mod router;
#[path = "support/simulator.rs"]
#[expect(dead_code, reason = "shared")]
mod simulator;

use report::Row;
use simulator::Simulator;

/// Frames that the sender hands over at once.
const BURST: usize = 16;

/// How long one rate is tried.
const TRIAL: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let directory = tempfile::tempdir()?;
    let simulator = Simulator::start(directory.path())?;
    router::program(&mut simulator.connect()?, 2);
    simulator.set_up_ports()?;
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;

    let mut best = 0;
    let mut rates: Vec<u64> =
        std::env::args().skip(1).map(|rate| rate.parse()).collect::<Result<_, _>>()?;
    if rates.is_empty() {
        rates = vec![50_000, 75_000, 100_000, 125_000, 150_000, 200_000, 300_000];
    }
    for rate in rates {
        let before = simulator.processor_time()?;
        let trial = Trial::run(rate)?;
        let busy = (simulator.processor_time()? - before) / TRIAL.as_secs_f64();
        let lost = trial.sent.saturating_sub(trial.received);
        eprintln!("{rate}/s: {trial:?}, lost {lost}, {busy:.2} processors busy in hwsim");
        if rate == 100_000 {
            Row::new("hwsim_cpu_at_100k_transit", busy, "processors").print();
            Row::new("hwsim_ping_lost_at_100k_transit", trial.ping_loss(), "share").print();
        }
        if lost * 1000 <= trial.sent && trial.sent * 100 >= rate * TRIAL.as_secs() * 95 {
            best = best.max(trial.received / TRIAL.as_secs());
        }
    }
    Row::new("hwsim_wire_cpu_wire", best as f64, "frames/s").print();
    let trial = Trial::run(u64::MAX)?;
    eprintln!("flood: {trial:?}");
    Row::new("hwsim_ping_lost_under_flood", trial.ping_loss(), "share").print();
    Ok(())
}

#[derive(Debug)]
struct Trial {
    sent: u64,
    received: u64,
    pings: u64,
    answers: u64,
}

impl Trial {
    /// Sends at a rate for a while; counts what arrives, and pings every 10 ms meanwhile.
    fn run(rate: u64) -> Result<Trial, Box<dyn Error>> {
        let out = Wire::open(if_nametoindex("h1")?, false)?;
        let into = Wire::open(if_nametoindex("h2")?, false)?;
        let pinger = Wire::open(if_nametoindex("h2")?, false)?;
        let burst = vec![router::udp(1, [10, 0, 2, 2], 60); BURST];
        let (received, answers) = (AtomicU64::new(0), AtomicU64::new(0));
        let over = AtomicBool::new(false);
        let (mut sent, mut pings) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| count(&into, &received, &answers, &over));
            let start = Instant::now();
            while start.elapsed() < TRIAL {
                let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                if pings * 10_000_000 < nanos {
                    pings += pinger.send(&[echo_request()]).frames as u64;
                }
                if sent
                    < u64::try_from(u128::from(nanos) * u128::from(rate) / 1_000_000_000)
                        .unwrap_or(u64::MAX)
                {
                    sent += out.send(&burst).frames as u64;
                } else {
                    std::thread::sleep(Duration::from_micros(50));
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        let [received, answers] = [received, answers].map(AtomicU64::into_inner);
        Ok(Trial { sent, received, pings, answers })
    }

    fn ping_loss(&self) -> f64 {
        self.pings.saturating_sub(self.answers) as f64 / self.pings.max(1) as f64
    }
}

/// Counts transit frames and echo replies until nothing has come for a while after the end.
fn count(wire: &Wire, transit: &AtomicU64, answers: &AtomicU64, over: &AtomicBool) {
    let mut batch = Batch::new();
    let mut last = Instant::now();
    while !over.load(Ordering::Relaxed) || last.elapsed() < Duration::from_millis(300) {
        if wire.receive(&mut batch).is_err() {
            std::thread::sleep(Duration::from_micros(500));
            continue;
        }
        for frame in batch.take().filter_map(Result::ok).filter(|frame| frame.len() > 34) {
            last = Instant::now();
            match (frame[23], &frame[30..34]) {
                (17, [10, 0, 2, 2]) => transit.fetch_add(1, Ordering::Relaxed),
                (1, [10, 0, 2, 2]) => answers.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
        }
    }
}

/// An ICMP echo request from the host on port 2 to the router's address there.
fn echo_request() -> Vec<u8> {
    let mut frame = router::udp(2, [10, 0, 2, 1], 60);
    frame[23] = 1;
    // UDP became ICMP: 16 more in the header's checksum.
    let sum = u16::from_be_bytes([frame[24], frame[25]]);
    frame[24..26].copy_from_slice(&sum.checked_add(16).unwrap_or(sum - 0xffef).to_be_bytes());
    frame.truncate(34);
    frame.extend([8, 0, 0xf7, 0xff]);
    frame.resize(60, 0);
    frame
}
