//! What did the kernel say, and was anything missed?
//!
//! ```text
//!   fresh ──loss──▶ stale ──▶ dump under way ──whole──▶ replace, then the events since it began ──▶ fresh
//!                     ▲            └──not whole──▶ add what was seen ──┐
//!                     └────────── at least a second later ─────────────┘
//! ```
//!
//! Events go on while a dump is under way. A dump may show a device as it was before an event that was already taken off the
//! socket; so the events since its beginning are kept, and folded in again after it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use firsthop_model::topology::{Event, Snapshot};
use firsthop_netlink::{Buffers, Counters, Dumper, EventSocket, OpenError, SnapshotError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::chain;

/// Between the beginnings of two dumps.
const PAUSE: Duration = Duration::from_secs(1);
/// Events taken off the socket at once.
const BATCH: usize = 1024;
/// Batches in a turn; beyond, others have to get a turn as well.
const BATCHES: usize = 64;
/// Events kept while a dump is under way; beyond, the dump is made again.
const KEPT: usize = 500_000;

/// A finished dump.
pub(super) type Dumped = (Dumper, Result<Snapshot, SnapshotError>);

/// What was taken off the event socket.
pub(super) struct Heard {
    pub(super) events: Vec<Event>,
    /// Nothing more was queued: everything that the kernel acknowledged before is in `events`.
    pub(super) complete: bool,
}

/// Whether a snapshot has everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

/// What a dump brought.
pub(super) struct News {
    pub(super) snapshot: Option<(Snapshot, Whole)>,
    /// Events since the dump began, to be folded in after it.
    pub(super) since: Vec<Event>,
}

/// The event socket, and the dumps that repair what it missed.
#[derive(Debug)]
pub(super) struct Observer {
    events: EventSocket,
    /// None: a dump is under way.
    dumper: Option<Dumper>,
    done: mpsc::UnboundedSender<Dumped>,
    /// Why a snapshot is needed; None: the view is whole.
    stale: Option<&'static str>,
    /// There was a whole snapshot.
    complete: bool,
    kept: Vec<Event>,
    /// Something was missed while the dump was under way.
    spoilt: bool,
    last: Option<Instant>,
    /// Dumps may be taken.
    begun: bool,
    resyncs: BTreeMap<String, u64>,
}

impl Observer {
    /// Begins to listen, with a queue of so many octets where `receive_buffer` says so; the first dump is due after [`Self::begin`]. Dumps come out of the receiver, and go to [`Self::take_dump`].
    pub(super) fn open(
        receive_buffer: Option<usize>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Dumped>), OpenError> {
        let usual = Buffers::default();
        let buffers = Buffers { receive: receive_buffer.unwrap_or(usual.receive), ..usual };
        let (done, dumps) = mpsc::unbounded_channel();
        let observer = Self {
            events: EventSocket::open_with(buffers)?,
            dumper: Some(Dumper::open()?),
            done,
            stale: Some("start"),
            complete: false,
            kept: Vec::new(),
            spoilt: false,
            last: None,
            begun: false,
            resyncs: BTreeMap::new(),
        };
        Ok((observer, dumps))
    }

    /// Waits until there is something to drain. Cancel-safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.events.readable().await
    }

    /// Takes what is queued.
    pub(super) fn drain(&mut self) -> Heard {
        let mut events = Vec::new();
        let mut complete = false;
        for _ in 0..BATCHES {
            let drained = self.events.drain(BATCH);
            events.extend(drained.events);
            if let Some(loss) = drained.loss {
                tracing::warn!(%loss, "Events were missed; a new snapshot is due");
                self.stale.get_or_insert(loss.cause());
                self.spoilt = true;
            }
            if !drained.more {
                complete = true;
                break;
            }
        }
        if self.dumper.is_none() {
            if self.kept.len() + events.len() > KEPT {
                self.kept.clear();
                self.spoilt = true;
            }
            self.kept.extend(events.iter().cloned());
        }
        Heard { events, complete }
    }

    /// It is known what the view is for: the first dump may be taken.
    pub(super) const fn begin(&mut self) {
        self.begun = true;
    }

    /// Begins a dump if one is needed and none is under way.
    pub(super) fn dump_if_due(&mut self) {
        if self.next_dump().is_none_or(|at| at > Instant::now()) {
            return;
        }
        let Some(mut dumper) = self.dumper.take() else { return };
        self.last = Some(Instant::now());
        self.spoilt = false;
        self.kept.clear();
        let done = self.done.clone();
        tokio::task::spawn_local(async move {
            let result = dumper.snapshot().await;
            // Nobody listens only when the daemon ends.
            done.send((dumper, result)).ok();
        });
    }

    /// When [`Self::dump_if_due`] has something to do.
    pub(super) fn next_dump(&self) -> Option<Instant> {
        self.stale.filter(|_| self.begun && self.dumper.is_some())?;
        Some(self.last.map_or_else(Instant::now, |last| last + PAUSE))
    }

    /// Takes the outcome of a dump.
    pub(super) fn take_dump(&mut self, (dumper, result): Dumped) -> News {
        self.dumper = Some(dumper);
        let since = std::mem::take(&mut self.kept);
        let snapshot = match result {
            Ok(snapshot) => {
                let cause = self.stale.unwrap_or("start");
                *self.resyncs.entry(cause.to_owned()).or_default() += 1;
                self.complete = true;
                if !self.spoilt {
                    self.stale = None;
                }
                tracing::info!(cause, links = snapshot.links.len(), "Snapshot taken");
                Some((snapshot, Whole::Yes))
            }
            Err(error) => {
                tracing::warn!("{}; trying again", chain(&error));
                // Before the first whole snapshot there is no view that something could be added to.
                let partial = error.partial().filter(|_| self.complete).cloned();
                partial.map(|partial| (partial, Whole::No))
            }
        };
        News { snapshot, since }
    }

    /// The view is given up: a new one starts at once.
    pub(super) const fn restart(&mut self) {
        self.stale = Some(if self.begun { "chip" } else { "start" });
        self.spoilt = true;
        self.complete = false;
        self.last = None;
    }

    /// Events may have been missed.
    pub(super) const fn is_stale(&self) -> bool {
        self.stale.is_some()
    }

    /// There was a whole snapshot, and none is being taken: never act on a partial view.
    pub(super) const fn may_act(&self) -> bool {
        self.complete && self.dumper.is_some()
    }

    /// Snapshots by cause.
    pub(super) const fn resyncs(&self) -> &BTreeMap<String, u64> {
        &self.resyncs
    }

    /// What the event socket has seen.
    pub(super) const fn counters(&self) -> Counters {
        self.events.counters()
    }

    /// Octets that the kernel may queue for the event socket, as it counts.
    pub(super) const fn receive_buffer(&self) -> usize {
        self.events.receive_buffer()
    }
}
