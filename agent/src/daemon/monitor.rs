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
    left_out: u64,
}

impl Watcher {
    fn keep(&mut self, mut step: Change) {
        if self.steps.len() >= KEPT {
            self.left_out += 1;
            return;
        }
        step.left_out = Some(std::mem::take(&mut self.left_out)).filter(|count| *count > 0);
        self.steps.push_back(step);
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
        self.failed.contains(&key) || (self.failed.len() < REMEMBERED && !self.failed.insert(key))
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
            let Watcher { replies, filter, seen, steps, .. } = watcher;
            let mut send = |change: &Change| {
                let sent = replies.send(Reply::continued(&json!({ "change": change })));
                behind |= !sent;
                sent
            };
            while let Some(step) = steps.front()
                && send(step)
            {
                steps.pop_front();
            }
            if steps.is_empty() {
                let changes = scene.iter().flat_map(|scene| scene.changes_since(seen));
                for mut change in changes.collect::<Vec<_>>() {
                    change.event_id = cause(&change);
                    let object = if change.rif.is_some() { Told::Rif } else { Told::Vmac };
                    if filter.has(object) && !send(&change) {
                        break;
                    }
                    seen.apply(change);
                }
            }
            !replies.is_closed()
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

    /// Everything was asked for, and folded in.
    pub(super) fn tell_snapshot(&mut self) {
        if self.monitors.wants(Told::Kernel) {
            let told = KernelEvent::snapshot(self.engine.reconciler().topology());
            let step = Change::of_kernel(views::Happening::New, self.engine.generation(), told);
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
