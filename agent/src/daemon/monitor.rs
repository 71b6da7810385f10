//! Who watches, and what is there to tell? `firsthop monitor`, and the log.
//!
//! ```text
//!   kernel's event 118 ──▶ verdicts ──▶ changes of the chip ──▶ outcomes ──▶ verdicts
//!        kernel           rif, vmac              hw                         rif, vmac
//! ```
//!
//! The number of the kernel's event is at each line that follows from it. Nothing is kept for somebody who may watch later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use firsthop_model::chip::{Change as ChipChange, Entry, Key};
use firsthop_model::intent::{Protocol, Scheme};
use firsthop_model::reconcile::{Reconciler, Ticket};
use firsthop_model::retry::{Failure, FailureClass};
use firsthop_model::topology::Event;
use firsthop_model::{IfIndex, Mac, Vrid};
use serde_json::json;
use tokio::time::Instant;

use super::Daemon;
use crate::api::listener::Replies;
use crate::api::{MonitorFilter, Reply, Told};
use crate::log_retry;
use crate::views::{self, Change, KernelEvent, Scene, Telling, Write};

/// Before somebody who reads slowly is told more.
const CATCH_UP: Duration = Duration::from_millis(20);
/// Steps that are kept for somebody who reads slowly.
const KEPT: usize = 4096;
/// Rows whose write failed once, so that the second failure is told as a warning.
const REMEMBERED: usize = 4096;

/// Somebody who watches.
#[derive(Debug)]
struct Watcher {
    replies: Replies,
    filter: MonitorFilter,
    seen: Scene,
    steps: VecDeque<Change>,
    /// Steps before these that were not kept.
    left_out: u64,
}

impl Watcher {
    /// Keeps the newest steps: what they come to counts more than how it began.
    fn keep(&mut self, step: Change) {
        if self.steps.len() >= KEPT {
            self.steps.pop_front();
            self.left_out += 1;
        }
        self.steps.push_back(step);
    }

    /// False: the client is gone, or has not read the lines before yet.
    fn send(&self, change: &Change) -> bool {
        self.replies.send(Reply::continued(&json!({ "change": change })))
    }

    /// Sends what was kept as far as it goes, the first with the number of those before it that were not. True: nothing is left.
    fn send_steps(&mut self) -> bool {
        while let Some(mut step) = self.steps.pop_front() {
            step.left_out = Some(self.left_out).filter(|count| *count > 0);
            if !self.send(&step) {
                self.steps.push_front(step);
                return false;
            }
            self.left_out = 0;
        }
        true
    }
}

/// A change on its way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    /// The kernel's event that led to it.
    event_id: Option<u64>,
}

/// Everybody who watches, and what it takes to tell them and the log.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    watchers: Vec<Watcher>,
    /// What went to the chip and has no answer yet, but for routes and hosts: there may be very many.
    sent: BTreeMap<u64, Sent>,
    /// Rows whose last write failed.
    failed: BTreeSet<Key>,
}

impl Monitors {
    fn wants(&self, object: Told) -> bool {
        self.watchers.iter().any(|watcher| watcher.filter.has(object))
    }

    fn keep(&mut self, object: Told, step: &Change) {
        for watcher in self.watchers.iter_mut().filter(|watcher| watcher.filter.has(object)) {
            watcher.keep(step.clone());
        }
    }

    /// Nothing is under way, or nothing of it counts any more. What failed and is not tried again is forgotten.
    pub(super) fn settle(&mut self, reconciler: &Reconciler) {
        self.sent.clear();
        self.failed.retain(|key| reconciler.wants(key) || reconciler.applied().get(key).is_some());
    }

    /// True: the row's last write failed as well.
    fn fails_again(&mut self, key: Key) -> bool {
        if self.failed.len() >= REMEMBERED {
            self.failed.contains(&key)
        } else {
            !self.failed.insert(key)
        }
    }
}

impl Daemon {
    /// Somebody begins to watch: what is there is known to them.
    pub(super) fn begin_monitor(&mut self, replies: Replies, filter: MonitorFilter) {
        let seen = self.scene();
        if replies.send(Reply::continued(&json!({}))) {
            let watcher = Watcher { replies, filter, seen, steps: VecDeque::new(), left_out: 0 };
            self.monitors.watchers.push(watcher);
        }
    }

    /// Tells watchers what happened, and what is different, since they were last told. One that reads slowly is told less often.
    pub(super) fn tell_watchers(&mut self) {
        if self.monitors.watchers.is_empty() {
            return;
        }
        let looks = self.monitors.wants(Told::Rif) || self.monitors.wants(Told::Vmac);
        let scene = looks.then(|| self.scene());
        let (engine, mut behind) = (&self.engine, false);
        let cause = |change: &Change| match (&change.rif, &change.vmac) {
            (Some(rif), _) => engine.cause_of(IfIndex(rif.ifindex)),
            (None, Some(vmac)) => {
                let lower = vmac.lower.as_deref();
                let lower = lower.and_then(|it| engine.reconciler().topology().link_by_name(it));
                let lower = lower.and_then(|lower| engine.cause_of(lower.ifindex));
                engine.cause_of(IfIndex(vmac.ifindex)).max(lower)
            }
            (None, None) => None,
        };
        self.monitors.watchers.retain_mut(|watcher| {
            let mut sent = watcher.send_steps();
            if sent {
                let changes = scene.iter().flat_map(|scene| scene.changes_since(&watcher.seen));
                for mut change in changes.collect::<Vec<_>>() {
                    change.event_id = cause(&change);
                    let object = if change.rif.is_some() { Told::Rif } else { Told::Vmac };
                    sent = !watcher.filter.has(object) || watcher.send(&change);
                    if !sent {
                        break;
                    }
                    watcher.seen.apply(change);
                }
            }
            behind |= !sent;
            !watcher.replies.is_closed()
        });
        if behind {
            self.desk.wake_at(Instant::now() + CATCH_UP);
        }
    }

    fn scene(&self) -> Scene {
        let topology = self.engine.reconciler().topology();
        let flags = |ifindex: u32| {
            views::Liveness::flags_of(self.watch.live(), topology.link(IfIndex(ifindex))?)
        };
        Scene::of(self.engine.reconciler(), &self.devices()).with_flags(flags)
    }

    /// The kernel said this; it is about to be folded in.
    pub(super) fn tell_events(&mut self, events: &[Event], loss: Option<&str>) {
        let (logs, watched) =
            (tracing::enabled!(tracing::Level::DEBUG), self.monitors.wants(Told::Kernel));
        if !logs && !watched {
            return;
        }
        let mut telling = Telling::new(self.engine.reconciler().topology());
        let mut id = self.engine.generation();
        let mut steps = Vec::new();
        for event in events {
            id += 1;
            if let Some((happening, told)) = telling.tell(event) {
                let KernelEvent { what, ifname, text, .. } = &told;
                tracing::debug!(event_id = id, what, ifname, "Kernel: {text}");
                steps.push(Change::of_kernel(happening, id, told));
            }
        }
        steps.extend(
            loss.map(|cause| {
                Change::of_kernel(views::Happening::New, id, KernelEvent::loss(cause))
            }),
        );
        for step in steps {
            self.monitors.keep(Told::Kernel, &step);
        }
    }

    /// Everything was asked for, and replaced the view.
    pub(super) fn tell_snapshot(&mut self, id: u64) {
        if self.monitors.wants(Told::Kernel) {
            let told = KernelEvent::snapshot(self.engine.reconciler().topology());
            let step = Change::of_kernel(views::Happening::New, id, told);
            self.monitors.keep(Told::Kernel, &step);
        }
    }

    /// Changes go to the chip.
    pub(super) fn note_sent(&mut self, changes: &[(u64, ChipChange)]) {
        let Self { engine, monitors, .. } = self;
        let (reconciler, at) = (engine.reconciler(), Instant::now());
        let few = changes.iter().filter(|(_, change)| !change.key().is_bulk());
        monitors.sent.extend(few.map(|(ticket, _)| {
            let object = reconciler.submitted_change(Ticket(*ticket)).map(|(object, _)| object);
            let device = object.and_then(|object| reconciler.device_of(object));
            let event_id = device.and_then(|device| engine.cause_of(device));
            (*ticket, Sent { at, event_id })
        }));
    }

    /// The outcome of a change; it is about to be taken in.
    pub(super) fn tell_outcome(&mut self, ticket: u64, result: Result<(), &Failure>) {
        let Self { engine, monitors, .. } = self;
        let sent = monitors.sent.remove(&ticket);
        let reconciler = engine.reconciler();
        let Some((_, change)) = reconciler.submitted_change(Ticket(ticket)) else { return };
        let key = change.key();
        let mac = virtual_mac(change);
        let watched = monitors.wants(Told::Hw);
        let logged = result.is_err() || mac.is_some() || tracing::enabled!(tracing::Level::DEBUG);
        if result.is_ok() {
            monitors.failed.remove(&key);
        }
        if !watched && !logged {
            return;
        }
        let Some((happening, mut told)) = Write::of(reconciler, Ticket(ticket), result) else {
            return;
        };
        let event_id = sent.and_then(|sent| sent.event_id);
        told.duration_us = sent.and_then(|sent| u64::try_from(sent.at.elapsed().as_micros()).ok());
        let Write { row, ifname, content, .. } = &told;
        match (result, mac) {
            (Ok(()), Some(mac)) => {
                let what = if content.is_some() { "is in" } else { "left" };
                let vrid = Scheme::of(mac).vrid.map(Vrid::get);
                tracing::info!(lower = ifname, %mac, vrid, event_id, "Virtual MAC {what} the chip");
            }
            (Ok(()), None) => tracing::debug!(row, content, event_id, "Written"),
            // routes for which there is no room may be very many: their number is told instead
            (Err(failure), _) if key.is_bulk() && failure.class == FailureClass::Capacity => {
                tracing::debug!(row, content, "{}", failure.text);
            }
            (Err(failure), _) => {
                let again = failure.class == FailureClass::Capacity || monitors.fails_again(key);
                let result = &told.result;
                log_retry!(again, row, content, result, event_id, "{}", failure.text);
            }
        }
        if watched {
            monitors.keep(Told::Hw, &Change::of_chip(happening, event_id, told));
        }
    }
}

/// The virtual router's MAC that comes or goes.
fn virtual_mac(change: &ChipChange) -> Option<Mac> {
    let (ChipChange::Add(Entry::RouterMac { mac, .. })
    | ChipChange::Remove(Entry::RouterMac { mac, .. })) = change
    else {
        return None;
    };
    Some(*mac).filter(|mac| Scheme::of(*mac).protocol != Protocol::Other)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn step(id: u64) -> Change {
        Change::of_kernel(views::Happening::New, id, KernelEvent::loss("test"))
    }

    // Broken if a slow reader were not told how much it missed although nothing follows, were told it twice, or missed the end.
    #[test]
    fn the_newest_steps_are_kept() {
        let (sender, mut answers) = mpsc::channel(2);
        let mut watcher = Watcher {
            replies: Replies::of(sender),
            filter: MonitorFilter::default(),
            seen: Scene::default(),
            steps: VecDeque::new(),
            left_out: 0,
        };
        let kept = u64::try_from(KEPT).unwrap();
        for id in 1..=kept + 3 {
            watcher.keep(step(id));
        }
        let mut told = Vec::new();
        loop {
            let all = watcher.send_steps();
            while let Ok(Reply { parameters, .. }) = answers.try_recv() {
                let change = &parameters["change"];
                told.push((change["event_id"].as_u64(), change["left_out"].as_u64()));
            }
            if all {
                break;
            }
            // two lines went: what does not find room now has no place
            if told.len() == 2 {
                (0..3).for_each(|more| watcher.keep(step(kept + 4 + more)));
            }
        }
        assert_eq!(told[0], (Some(4), Some(3)));
        assert_eq!(told[1], (Some(5), None));
        assert_eq!(told[2], (Some(7), Some(1)));
        assert_eq!(told.last(), Some(&(Some(kept + 6), None)));
        assert_eq!(told.iter().filter_map(|(_, left_out)| *left_out).sum::<u64>(), 4);
    }
}
