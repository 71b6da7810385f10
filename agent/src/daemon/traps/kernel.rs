//! The task that asks devlink and sets policers, one order after the other, and hears that objects came or went.
//!
//! ```text
//!   Order::Read ─▶ every device ─▶ Report::Read
//!   Order::Take ─▶ each step; of what the device refuses, as much as it takes ─▶ Report::Taken
//!   notifications ─▶ Report::Stirred(devices whose traps went)
//! ```
//!
//! Without devlink it tries again with each order: a module may bring it.

use std::collections::BTreeSet;

use firsthop_asic::kernel::policing::Step;
use firsthop_asic::kernel::{Device, Reader, Refusal};
use netlink_packet_devlink::Message;
use netlink_packet_devlink::client::{Event, Monitor};
use nix::errno::Errno;
use tokio::sync::mpsc;

/// Rates are looked for in these steps, packets per second.
const GRAIN: u64 = 128;

/// What the task is to do.
#[derive(Debug)]
pub(super) enum Order {
    Read,
    /// Steps that lead a device on.
    Take {
        device: String,
        steps: Vec<Step>,
    },
}

/// What became of it.
#[derive(Debug)]
pub(in crate::daemon) enum Report {
    Read(Result<Vec<Device>, Refusal>),
    Taken {
        device: String,
        taken: Vec<Taken>,
    },
    /// Something came or went; the counters of these devices began anew. None: notifications were lost.
    Stirred(Option<BTreeSet<String>>),
}

/// A step, as far as it was done.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Taken {
    /// As it was accepted, which may be less than was asked for.
    pub(in crate::daemon) step: Step,
    /// Why it was not done, or less was.
    pub(in crate::daemon) refusal: Option<Refusal>,
    pub(in crate::daemon) done: bool,
}

/// The loop's end of the way to the task.
#[derive(Debug)]
pub(super) struct Kernel {
    orders: mpsc::UnboundedSender<Order>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Kernel {
    pub(super) fn open() -> Self {
        let (order, orders) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        tokio::task::spawn_local(serve(orders, report));
        Self { orders: order, reports }
    }

    pub(super) fn order(&self, order: Order) {
        // The task ends only with the daemon.
        self.orders.send(order).ok();
    }

    /// The next report. Cancel-safe.
    pub(super) async fn report(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }
}

async fn serve(mut orders: mpsc::UnboundedReceiver<Order>, reports: mpsc::UnboundedSender<Report>) {
    let mut way: Option<(Reader, Monitor)> = None;
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            event = next(way.as_mut()) => {
                match event {
                    Some(event) => {
                        if let Some(stirred) = stirred(event) {
                            reports.send(Report::Stirred(stirred)).ok();
                        }
                    }
                    None => way = None,
                }
                continue;
            }
        };
        let Some(order) = order else { return };
        let report = match connected(&mut way).await {
            Ok(reader) => carry_out(reader, order).await,
            Err(refusal) => match order {
                Order::Read => Report::Read(Err(refusal)),
                Order::Take { device, .. } => Report::Taken { device, taken: Vec::new() },
            },
        };
        if matches!(&report, Report::Read(Err(refusal)) if refusal.errno.is_none()) {
            way = None;
        }
        // Nobody listens only when the daemon ends.
        reports.send(report).ok();
    }
}

async fn connected(way: &mut Option<(Reader, Monitor)>) -> Result<&mut Reader, Refusal> {
    if way.is_none() {
        let reader = Reader::connect().await?;
        let monitor = Monitor::open(reader.client())?;
        *way = Some((reader, monitor));
    }
    way.as_mut()
        .map(|(reader, _)| reader)
        .ok_or_else(|| Refusal { errno: None, text: "no way to devlink".to_owned() })
}

/// The next notification; None: the socket failed.
async fn next(way: Option<&mut (Reader, Monitor)>) -> Option<Event> {
    match way {
        Some((_, monitor)) => monitor.next().await.ok(),
        None => std::future::pending().await,
    }
}

/// What a notification is to us; None: nothing.
fn stirred(event: Event) -> Option<Option<BTreeSet<String>>> {
    match event {
        Event::Overrun => Some(None),
        Event::Undecodable(reason) => {
            tracing::debug!(%reason, "A notification of devlink can't be decoded");
            None
        }
        Event::Message(message) => match *message {
            Message::TrapDel(trap) => Some(Some([trap.handle.to_string()].into())),
            Message::TrapPolicerDel(policer) => Some(Some([policer.handle.to_string()].into())),
            Message::DevNew(_)
            | Message::DevDel(_)
            | Message::TrapNew(_)
            | Message::TrapGroupNew(_)
            | Message::TrapGroupDel(_)
            | Message::TrapPolicerNew(_) => Some(Some(BTreeSet::new())),
            _ => None,
        },
    }
}

async fn carry_out(reader: &mut Reader, order: Order) -> Report {
    match order {
        Order::Read => Report::Read(reader.devices().await),
        Order::Take { device, steps } => {
            let mut taken = Vec::new();
            for step in steps {
                taken.push(take(reader, &device, step).await);
            }
            Report::Taken { device, taken }
        }
    }
}

async fn take(reader: &Reader, device: &str, step: Step) -> Taken {
    match step {
        Step::Bind { group, policer } => {
            let refusal = reader.bind(device, &group, policer).await.err();
            Taken { step: Step::Bind { group, policer }, done: refusal.is_none(), refusal }
        }
        Step::Size { policer, rate, burst } => {
            let mut refusal = None;
            let rate = match rate {
                Some(wanted) => {
                    let set =
                        async |rate| reader.set_policer(device, policer, Some(rate), None).await;
                    largest_rate(wanted, set, &mut refusal).await
                }
                None => None,
            };
            let burst = match burst {
                Some(wanted) => {
                    let set =
                        async |burst| reader.set_policer(device, policer, None, Some(burst)).await;
                    largest_burst(wanted, set, &mut refusal).await
                }
                None => None,
            };
            let done = rate.is_some() || burst.is_some();
            Taken { step: Step::Size { policer, rate, burst }, refusal, done }
        }
    }
}

/// Sets a rate, or the largest one below it that the device takes: nobody says its limits.
async fn largest_rate(
    wanted: u64,
    set: impl AsyncFn(u64) -> Result<(), Refusal>,
    refused: &mut Option<Refusal>,
) -> Option<u64> {
    match set(wanted).await {
        Ok(()) => return Some(wanted),
        Err(refusal) => {
            let beyond = refusal.errno == Some(Errno::EINVAL);
            *refused = Some(refusal);
            if !beyond {
                return None;
            }
        }
    }
    let (mut taken, mut too_much) = (0, wanted);
    while too_much - taken > GRAIN {
        let between = taken + (too_much - taken) / 2;
        match set(between).await {
            Ok(()) => taken = between,
            Err(refusal) if refusal.errno == Some(Errno::EINVAL) => too_much = between,
            Err(_) => break,
        }
    }
    Some(taken).filter(|rate| *rate > 0)
}

/// The same for bursts, which are powers of two.
async fn largest_burst(
    wanted: u64,
    set: impl AsyncFn(u64) -> Result<(), Refusal>,
    refused: &mut Option<Refusal>,
) -> Option<u64> {
    let mut burst = wanted;
    while burst > 0 {
        match set(burst).await {
            Ok(()) => return Some(burst),
            Err(refusal) => {
                let beyond = refusal.errno == Some(Errno::EINVAL);
                refused.get_or_insert(refusal);
                if !beyond {
                    return None;
                }
            }
        }
        burst /= 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn within(limit: u64, value: u64) -> Result<(), Refusal> {
        let beyond = Refusal { errno: Some(Errno::EINVAL), text: "higher than limit".to_owned() };
        if (1..=limit).contains(&value) { Ok(()) } else { Err(beyond) }
    }

    // Broken if a device with lower limits got nothing at all, or a refusal of another kind were asked again and again.
    #[tokio::test]
    async fn as_much_as_the_device_takes() {
        let mut refusal = None;
        let rate = largest_rate(10_240, async |rate| within(8000, rate).await, &mut refusal).await;
        assert!(rate.is_some_and(|rate| (8000 - GRAIN..=8000).contains(&rate)), "{rate:?}");
        assert!(refusal.is_some());
        let mut refusal = None;
        let burst = largest_burst(4096, async |burst| within(600, burst).await, &mut refusal).await;
        assert_eq!((burst, refusal.is_some()), (Some(512), true));
        let denied = async |_| Err(Refusal { errno: Some(Errno::EPERM), text: String::new() });
        assert_eq!(largest_rate(1024, denied, &mut None).await, None);
        assert_eq!(largest_burst(1024, denied, &mut None).await, None);
        assert_eq!(largest_rate(1024, async |rate| within(0, rate).await, &mut None).await, None);
    }
}
