//! Is the view of the kernel whole, and when is it made anew?
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
use std::time::Duration;

use firsthop_model::topology::{Event, Topology};

use super::input::{Dumped, Heard, Time};

/// Between the beginnings of two dumps, at least; up to a quarter is added, so that agents that were struck together do not dump
/// together.
const PAUSE: Duration = Duration::from_secs(1);
/// Events kept while a dump is under way; beyond, the dump is made again.
const KEPT: usize = 500_000;

/// What is known about how much is known.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Why a snapshot is needed; none: the view is whole.
    stale: Option<String>,
    /// There was a whole snapshot.
    complete: bool,
    dumping: bool,
    kept: Vec<Event>,
    /// Something was missed while the dump was under way.
    spoilt: bool,
    /// The next dump begins no earlier.
    earliest: Time,
    /// Dumps may be taken.
    begun: bool,
    resyncs: BTreeMap<String, u64>,
    random: u64,
}

impl View {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            stale: Some("start".to_owned()),
            complete: false,
            dumping: false,
            kept: Vec::new(),
            spoilt: false,
            earliest: Time::ZERO,
            begun: false,
            resyncs: BTreeMap::new(),
            random: seed,
        }
    }

    /// Keeps what a dump may not have seen, and notes what was missed.
    pub(super) fn hear(&mut self, heard: &Heard) {
        if let Some(cause) = &heard.loss {
            self.distrust(cause);
        }
        if self.dumping {
            if self.kept.len() + heard.events.len() > KEPT {
                self.kept.clear();
                self.distrust("overflow");
            }
            self.kept.extend(heard.events.iter().cloned());
        }
    }

    /// The view can't be trusted any more: a snapshot is due.
    pub(super) fn distrust(&mut self, cause: &str) {
        self.stale.get_or_insert_with(|| cause.to_owned());
        self.spoilt = true;
    }

    /// Something else than links was dumped because events of it were missed.
    pub(super) fn note_resync(&mut self, cause: &str) {
        *self.resyncs.entry(cause.to_owned()).or_default() += 1;
    }

    /// It is known what the view is for: the first dump may be taken.
    pub(super) const fn begin(&mut self) {
        self.begun = true;
    }

    /// A dump has to begin now; it counts as begun.
    pub(super) fn dump_is_due(&mut self, now: Time) -> bool {
        if self.deadline().is_none_or(|at| at > now) {
            return false;
        }
        self.earliest = now + PAUSE + self.jitter();
        self.spoilt = false;
        self.kept.clear();
        self.dumping = true;
        true
    }

    /// When [`Self::dump_is_due`] is true.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.stale.as_ref().filter(|_| self.begun && !self.dumping)?;
        Some(self.earliest)
    }

    /// Takes the outcome of a dump in. What is to be believed of it, and the events to fold in after it.
    pub(super) fn take(&mut self, dumped: Dumped) -> (Dumped, Vec<Event>) {
        self.dumping = false;
        let since = std::mem::take(&mut self.kept);
        match dumped {
            Dumped::Whole(snapshot) => {
                let cause = self.stale.clone().unwrap_or_else(|| "start".to_owned());
                tracing::info!(cause, links = snapshot.links.len(), "Snapshot taken");
                *self.resyncs.entry(cause).or_default() += 1;
                self.complete = true;
                if !self.spoilt {
                    self.stale = None;
                }
                (Dumped::Whole(snapshot), since)
            }
            // Before the first whole snapshot there is no view that something could be added to.
            Dumped::Partial(_) if !self.complete => (Dumped::Failed, since),
            other => (other, since),
        }
    }

    /// The view is given up: a new one starts at once.
    pub(super) fn restart(&mut self) {
        self.stale = Some(if self.begun { "chip" } else { "start" }.to_owned());
        self.spoilt = true;
        self.complete = false;
        self.earliest = Time::ZERO;
    }

    /// Events may have been missed.
    pub(super) const fn is_stale(&self) -> bool {
        self.stale.is_some()
    }

    /// There was a whole snapshot, and none is being taken: never act on a partial view.
    pub(super) const fn may_act(&self) -> bool {
        self.complete && !self.dumping
    }

    /// Snapshots by cause.
    pub(super) const fn resyncs(&self) -> &BTreeMap<String, u64> {
        &self.resyncs
    }

    /// Events that are kept for the dump under way.
    pub(super) const fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Up to a quarter of the pause (splitmix64).
    const fn jitter(&mut self) -> Duration {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_micros((z ^ z >> 31) % 250_000)
    }
}

/// A device that one of these events speaks of as if it were known, and that is not there after them: its own message was missed.
pub(super) fn unheard_of<'a>(events: &'a [Event], known: &Topology) -> Option<&'a Event> {
    let lacks = |ifindex| {
        let gone = |event: &Event| matches!(event, Event::LinkGone(gone) if *gone == ifindex);
        known.link(ifindex).is_none() && !events.iter().any(gone)
    };
    events.iter().find(|event| match event {
        Event::Address(address) => lacks(address.ifindex),
        Event::Link(link) => {
            let still = known.link(link.ifindex) == Some(link);
            still && (link.lower().is_some_and(lacks) || link.master.is_some_and(lacks))
        }
        _ => false,
    })
}
