//! Who advertises? The packet socket and the watch that it feeds, and what the watch has to know of the model.
//!
//! ```text
//!   frames ─▶ of a router interface? ─▶ Liveness ─┬─▶ flags: log, answers, monitor
//!   model changed ─▶ Facts, 50 ms later ──────────┘─▶ orphans to withdraw ─▶ Reconciler
//! ```
//!
//! Netlink comes first: a turn reads a bounded number of frames, after all events, and flags wait until both have been read.
//! Without the socket everything else goes on; `status` and `doctor` say why.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io;
use std::time::{Duration, Instant};

use firsthop_model::IfIndex;
use firsthop_model::liveness::wire::{Found, parse};
use firsthop_model::liveness::{Facts, Liveness, Subject, Turn};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::{Address, Link};
use firsthop_netlink::PacketSocket;

use crate::chain;
use crate::config;
use crate::views::{self, Power};

/// Frames that one turn reads.
const FRAMES: usize = 256;
/// Between a change of the model and the watch's knowing it: many changes come together.
const PAUSE: Duration = Duration::from_millis(50);
/// The model is looked at for no more than one part in so many of the time.
const SHARE: u32 = 20;
/// Flags that are logged at once; there may be hundreds.
const TOLD: usize = 20;

/// The watch on advertisements.
#[derive(Debug)]
pub(super) struct Watch {
    socket: Option<PacketSocket>,
    /// Why there is no socket, if it is not the operator's wish.
    trouble: Option<String>,
    live: Liveness,
    /// When the model is looked at.
    facts_due: Option<Duration>,
    /// How long that took last.
    cost: Duration,
    /// All frames and all events were read.
    caught_up: bool,
    /// How withdrawn macvlans looked: whoever changes one is there.
    withdrawn: BTreeMap<IfIndex, (Link, Vec<Address>)>,
    advertisements: u64,
    dropped: u64,
}

impl Watch {
    /// Begins to listen, if the operator wants it.
    pub(super) fn open(wish: config::Liveness, now: Duration) -> Self {
        let mut watch = Self {
            socket: None,
            trouble: None,
            live: Liveness::new(wish.withdraw_orphans, now),
            cost: Duration::ZERO,
            facts_due: Some(now),
            caught_up: false,
            withdrawn: BTreeMap::new(),
            advertisements: 0,
            dropped: 0,
        };
        if wish.watch {
            match PacketSocket::open() {
                Ok(socket) => watch.socket = Some(socket),
                Err(error) => {
                    let text = match error.source.kind() {
                        io::ErrorKind::PermissionDenied => "CAP_NET_RAW is missing".to_owned(),
                        _ => chain(&error),
                    };
                    tracing::warn!("Advertisements are not watched: {text}");
                    watch.trouble = Some(text);
                }
            }
        }
        watch
    }

    /// The operator decided anew.
    pub(super) fn reconfigure(&mut self, wish: config::Liveness, now: Duration) {
        if wish.watch && self.socket.is_some() {
            self.live.set_withdraws(wish.withdraw_orphans, now);
            self.stir(now);
        } else {
            let (advertisements, dropped) = (self.advertisements, self.dropped);
            *self = Self { advertisements, dropped, ..Self::open(wish, now) };
        }
    }

    /// Waits until there is something to read. Cancel-safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match &self.socket {
            Some(socket) => socket.readable().await,
            None => pending().await,
        }
    }

    /// The model changed.
    pub(super) fn stir(&mut self, now: Duration) {
        self.facts_due.get_or_insert(now + PAUSE.max(self.cost * SHARE));
    }

    /// When [`Self::listen`] has something to do though nothing comes.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.socket.as_ref()?;
        self.live.deadline().into_iter().chain(self.facts_due).min()
    }

    /// Reads frames, and computes flags if their time has come. `drained`: every event was folded in. Macvlans to withdraw, if
    /// there are others than before.
    pub(super) fn listen(
        &mut self,
        reconciler: &Reconciler,
        drained: bool,
        now: Duration,
    ) -> Option<BTreeSet<IfIndex>> {
        let read = self.read(reconciler, now);
        self.caught_up = read && drained;
        self.compare_withdrawn(reconciler, now);
        if self.caught_up && self.socket.is_some() {
            if self.facts_due.is_some_and(|at| at <= now) {
                self.learn(reconciler, now);
            }
            if self.live.deadline().is_some_and(|at| at <= now) {
                self.evaluate(reconciler, now);
            }
        }
        self.withdraw(reconciler)
    }

    /// Makes answers as true as they can be; returns as [`Self::listen`].
    pub(super) fn refresh(
        &mut self,
        reconciler: &Reconciler,
        now: Duration,
    ) -> Option<BTreeSet<IfIndex>> {
        if !self.caught_up || self.socket.is_none() {
            return None;
        }
        self.learn(reconciler, now);
        self.evaluate(reconciler, now);
        self.withdraw(reconciler)
    }

    /// The socket failed.
    pub(super) fn fail(&mut self, error: &io::Error, now: Duration) {
        tracing::warn!(%error, "Advertisements are watched no more");
        self.socket = None;
        self.trouble = Some(error.to_string());
        self.live = Liveness::new(false, now);
    }

    /// True: nothing more is queued.
    fn read(&mut self, reconciler: &Reconciler, now: Duration) -> bool {
        let Self { socket, live, advertisements, .. } = self;
        let Some(socket) = socket else { return true };
        let routes =
            |ifindex| reconciler.unit(ifindex).is_some_and(|unit| unit.router_interface.is_some());
        let batch = socket.drain(FRAMES, |frame| {
            if !routes(frame.ifindex) {
                return;
            }
            match parse(frame.octets) {
                Ok(found) => {
                    *advertisements += u64::from(matches!(found, Found::Advertisement(_)));
                    live.take(frame.ifindex, frame.way, &found, now);
                }
                Err(error) => tracing::debug!(ifindex = frame.ifindex.0, %error, "Not VRRP"),
            }
        });
        match batch {
            Ok(batch) => {
                if batch.dropped > 0 {
                    self.dropped += u64::from(batch.dropped);
                    self.live.missed(now);
                    tracing::debug!(dropped = batch.dropped, "Advertisements were not seen");
                }
                !batch.more
            }
            Err(error) => {
                self.fail(&error, now);
                true
            }
        }
    }

    fn learn(&mut self, reconciler: &Reconciler, now: Duration) {
        self.facts_due = None;
        let begun = Instant::now();
        self.live.update(Facts::of(reconciler), now);
        self.cost = begun.elapsed();
    }

    fn evaluate(&mut self, reconciler: &Reconciler, now: Duration) {
        let turns = self.live.evaluate(now);
        for turn in turns.iter().take(TOLD) {
            log(reconciler, turn);
        }
        if turns.len() > TOLD {
            tracing::warn!("{} more flags appeared or went", turns.len() - TOLD);
        }
    }

    /// A macvlan that looks otherwise than when it was withdrawn is given another chance.
    fn compare_withdrawn(&mut self, reconciler: &Reconciler, now: Duration) {
        let topology = reconciler.topology();
        for (ifindex, (link, addresses)) in &self.withdrawn {
            let same = topology.link(*ifindex) == Some(link)
                && topology.addresses(*ifindex) == addresses.as_slice();
            if !same {
                self.live.release(*ifindex, now);
            }
        }
    }

    /// The orphans of the watch, if the reconciler has others.
    fn withdraw(&mut self, reconciler: &Reconciler) -> Option<BTreeSet<IfIndex>> {
        let wanted = self.live.withdrawn();
        if reconciler.withdrawn() == wanted {
            return None;
        }
        self.withdrawn.retain(|ifindex, _| wanted.contains(ifindex));
        for ifindex in wanted {
            if let Some(link) = reconciler.topology().link(*ifindex) {
                let looks = || (link.clone(), reconciler.topology().addresses(*ifindex).to_vec());
                self.withdrawn.entry(*ifindex).or_insert_with(looks);
            }
        }
        Some(wanted.clone())
    }
}

/// What is seen of it.
impl Watch {
    pub(super) const fn live(&self) -> &Liveness {
        &self.live
    }

    /// For `status`.
    pub(super) fn status(&self) -> views::Watch {
        let counts = self.live.counts();
        views::Watch {
            watch: if self.socket.is_some() { Power::On } else { Power::Off },
            reason: self.trouble.clone(),
            advertisements: self.advertisements,
            dropped: self.dropped,
            flags: counts.into_iter().map(|(f, count)| (f.name().to_owned(), count)).collect(),
        }
    }
}

fn log(reconciler: &Reconciler, turn: &Turn) {
    let name = |ifindex: IfIndex| {
        let link = reconciler.topology().link(ifindex);
        link.map_or_else(|| format!("if{ifindex}"), |link| link.ifname.clone())
    };
    let whose = match turn.subject {
        Subject::Router(id) => format!("{} VRID {} {}", name(id.interface), id.vrid, id.family),
        Subject::Interface(ifindex) => name(ifindex),
        Subject::Switch => "switch".to_owned(),
    };
    match &turn.evidence {
        Some(evidence) => tracing::warn!("{whose}: {}: {evidence}", turn.flag.name()),
        None => tracing::info!("{whose}: {} no more", turn.flag.name()),
    }
}
