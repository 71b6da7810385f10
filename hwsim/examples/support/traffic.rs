//! Frames from one netdev to another: how many arrive, and how soon.

use std::error::Error;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hwsim::port::wire::{Batch, Wire};
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Frames that the sender hands over at once.
const BURST: usize = 32;

/// How long sender and receiver of many frames wait when there is nothing to do.
const PAUSE: Duration = Duration::from_micros(100);

/// How long a receiver waits for the last frames.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where a frame's time stamp is: behind the UDP header.
const STAMP: std::ops::Range<usize> = 42..50;

/// A socket on a netdev of this namespace.
pub(crate) fn open(name: &str) -> Result<Wire, Box<dyn Error>> {
    Ok(Wire::open(if_nametoindex(name)?, false)?)
}

/// Hands every frame that arrives to `each`, until it has been told the end and nothing has come for a while; `idle` waits for more.
fn receive(wire: &Wire, over: &AtomicBool, idle: impl Fn(), mut each: impl FnMut(&[u8])) {
    let (mut batch, mut last) = (Batch::new(), Instant::now());
    while !over.load(Ordering::Relaxed) || last.elapsed() < PATIENCE {
        if wire.receive(&mut batch).is_ok() {
            batch.take().filter_map(Result::ok).for_each(&mut each);
            last = Instant::now();
        } else {
            idle();
        }
    }
}

/// Frames a second that can be had for a while from `from` to `into`, of those that `is_ours` knows. At most `window` are under way:
/// none is lost, and all time is spent on frames that arrive.
pub(crate) fn rate(
    [from, into]: &[Wire; 2],
    frame: &[u8],
    window: u64,
    time: Duration,
    is_ours: impl Fn(&[u8]) -> bool + Sync,
) -> f64 {
    let burst = vec![frame.to_vec(); BURST];
    let (arrived, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let start = Instant::now();
    let seconds = std::thread::scope(|scope| {
        scope.spawn(|| {
            // a wake-up for each frame would cost more than the frame
            receive(
                into,
                &over,
                || sleep(PAUSE),
                |frame| {
                    arrived.fetch_add(u64::from(is_ours(frame)), Ordering::Relaxed);
                },
            );
        });
        let (mut sent, mut progress, mut seen) = (0, start, 0);
        while start.elapsed() < time {
            let now = arrived.load(Ordering::Relaxed);
            if now != seen {
                (progress, seen) = (Instant::now(), now);
            }
            // if one is lost after all, it must not stop the others
            if sent - seen < window || progress.elapsed() > PATIENCE {
                sent += from.send(&burst).frames as u64;
            } else {
                sleep(PAUSE);
            }
        }
        let end = start.elapsed();
        over.store(true, Ordering::Relaxed);
        end.as_secs_f64()
    });
    arrived.into_inner() as f64 / seconds
}

/// How long frames are under way at a moderate rate.
#[derive(Debug)]
pub(crate) struct Latency {
    /// Microseconds, sorted.
    times: Vec<f64>,
    /// The share that never arrived.
    pub(crate) lost: f64,
}

impl Latency {
    /// The time within which so many of a hundred arrived.
    pub(crate) fn share(&self, percent: usize) -> f64 {
        self.times.get(self.times.len() * percent / 100).copied().unwrap_or(f64::NAN)
    }
}

/// Sends `count` frames, one each `interval`, each with the time in it; the receiver is woken by each.
pub(crate) fn latency(
    [from, into]: &[Wire; 2],
    frame: &[u8],
    count: u32,
    interval: Duration,
    is_ours: impl Fn(&[u8]) -> bool + Sync,
) -> Latency {
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let since = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let wait = || {
        let waiting = &mut [PollFd::new(into.as_fd(), PollFlags::POLLIN)];
        poll(waiting, PollTimeout::from(20_u8)).ok();
    };
    let mut times = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut times = Vec::new();
            receive(into, &over, wait, |frame| {
                if let Some(Ok(stamp)) = frame.get(STAMP).map(<[u8; 8]>::try_from)
                    && is_ours(frame)
                {
                    times.push((since() - u64::from_be_bytes(stamp)) as f64 / 1000.0);
                }
            });
            times
        });
        let mut frame = frame.to_vec();
        for number in 0..count {
            sleep((interval * number).saturating_sub(start.elapsed()));
            frame[STAMP].copy_from_slice(&since().to_be_bytes());
            from.send([&frame]);
        }
        over.store(true, Ordering::Relaxed);
        receiver.join().expect("it has nothing to panic on")
    });
    times.sort_by(f64::total_cmp);
    let lost = 1.0 - times.len() as f64 / f64::from(count);
    Latency { times, lost }
}

/// Sends `frame` at a rate of so many a second until told the end.
pub(crate) fn flood(wire: &Wire, frame: &[u8], rate: u64, over: &AtomicBool) {
    let burst = vec![frame.to_vec(); BURST];
    let (start, mut sent) = (Instant::now(), 0);
    while !over.load(Ordering::Relaxed) {
        let due = start.elapsed().as_secs_f64() * rate as f64;
        if (sent as f64) < due {
            sent += wire.send(&burst).frames.max(1);
        } else {
            sleep(PAUSE);
        }
    }
}
