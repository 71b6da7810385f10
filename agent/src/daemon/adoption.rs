//! Taking over what the chip holds: everything after a start, a lost connection or a reset; single rows after a write of
//! unknown outcome.
//!
//! ```text
//!   Away ──Connected──▶ Due ──view is whole──▶ Scanning ──▶ Landmarks ──▶ Reading ──▶ Ready ──a row in doubt──▶ read it ─┐
//!    ▲                   ▲                        │            │             │         ▲                                 │
//!    │                   └── the reading failed ──┴────────────┴─────────────┘         └─────────────────────────────────┘
//!    └── Disconnected
//! ```
//!
//! Landmarks are the rows that say which chip index stands for which device; only then is it known which other rows to read.
//!
//! A row in doubt is fenced by the plan until it was read; the others go on meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use firsthop_asic::{AsicError, Capabilities, ReadBack};
use firsthop_model::chip::{Entry, Key, Tables};
use firsthop_model::intent::ChipIdentity;
use firsthop_model::plan::Limits;
use firsthop_model::reconcile::Reconciler;
use tokio::time::Instant;

use super::Daemon;
use super::chip_link::{Order, Report};
use crate::chain;
use crate::intent_log::IntentLog;

/// Before a failed reading is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// While observing: how old what is shown of the chip may be, as somebody else writes to it.
const FRESHNESS: Duration = Duration::from_secs(1);

/// How far the chip has been taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is no connection.
    Away,
    /// It has to be read, from this time on.
    Due(Instant),
    /// Rows that can be enumerated are being read.
    Scanning,
    /// These rows are being read by key: they say which chip index stands for what.
    Landmarks(BTreeSet<Key>),
    /// These rows are being read by key: all others that matter.
    Reading(BTreeSet<Key>),
    /// Applied is what the chip holds.
    Ready,
}

/// Rows of unknown outcome that are being read.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    asked: BTreeSet<Key>,
    /// After a failed reading: not before this time.
    pub(super) pause: Option<Instant>,
}

impl Phase {
    /// Rows are being read by key to take the chip over.
    const fn is_reading(&self) -> bool {
        matches!(self, Self::Landmarks(_) | Self::Reading(_))
    }

    /// When something has to be tried though nothing happens.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self {
            Self::Due(at) => Some(*at).filter(|at| *at > Instant::now()),
            _ => None,
        }
    }
}

impl Daemon {
    pub(super) fn take_report(&mut self, report: Report) {
        match report {
            Report::Connected(capabilities) => self.greet(capabilities),
            Report::Absent => self.go_without_chip(),
            Report::Scanned(Ok(found)) if self.phase == Phase::Scanning => self.adopt(found),
            Report::Rows(Ok(found)) if self.phase.is_reading() => self.settle_all(found),
            Report::Rows(Ok(found)) => self.settle_doubts(found),
            Report::Scanned(Err(error)) | Report::Rows(Err(error)) => self.postpone(&error),
            Report::Noticed(notices) => self.fdb.learn(&notices, &self.reconciler),
            Report::Disconnected => {
                self.phase = Phase::Away;
                self.listening = false;
                self.doubts = Doubts::default();
                // Nobody knows what the chip holds, or whether it has power.
                self.reconciler.adopt(Tables::new());
            }
            Report::Scanned(Ok(_)) | Report::Completed(_) | Report::Owned(_) => {}
        }
    }

    /// A connection is there. A chip of another shape than the last one gets a reconciler of its own.
    fn greet(&mut self, capabilities: Capabilities) {
        let chip = ChipIdentity::Simulated {
            chip_id: capabilities.chip_id.clone(),
            ports: capabilities.ports.iter().map(|port| port.local_port.0).max().unwrap_or(0),
        };
        let limits = Limits {
            rifs: capabilities.rifs,
            virtual_routers: capabilities.virtual_routers,
            mac_profiles: capabilities.mac_profiles,
            mac_profile_bits: capabilities.mac_profile_prefix_bits,
            lags: capabilities.lags.unwrap_or(u16::MAX),
        };
        tracing::info!(
            chip = capabilities.chip_id,
            personality = capabilities.personality,
            generation = capabilities.generation,
            ports = capabilities.ports.len(),
            "Chip connected"
        );
        if !capabilities.assumed.is_empty() {
            tracing::info!(assumed = ?capabilities.assumed, "The chip does not say all; assuming");
        }
        if *self.reconciler.chip() != chip || *self.reconciler.limits() != limits {
            self.former_generation += self.reconciler.generation();
            self.reconciler = Reconciler::new(self.policy(true), chip, limits);
            self.spare_bridges();
            self.observer.restart();
        }
        if !self.observe {
            let Capabilities { chip_id, generation, .. } = &capabilities;
            self.log = Some(IntentLog::open(&self.directory, chip_id, *generation));
        }
        self.open_record(&capabilities.chip_id);
        self.observer.begin();
        self.capabilities = Some(capabilities);
        self.phase = Phase::Due(Instant::now());
    }

    /// Begins to read the chip when it is due and possible.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        let due = matches!(self.phase, Phase::Due(at) if at <= now);
        if due && self.observer.may_act() {
            self.phase = Phase::Scanning;
            self.chip.order(Order::Scan);
        }
        let idle = self.doubts.asked.is_empty() && self.doubts.pause.is_none_or(|at| at <= now);
        if self.phase == Phase::Ready && idle && self.reconciler.needs_read_back() {
            self.doubts.asked = self.reconciler.applied().unknown().cloned().collect();
            tracing::info!(
                rows = self.doubts.asked.len(),
                "Outcome of a write is unknown; reading"
            );
            self.chip.order(Order::Read(self.doubts.asked.iter().cloned().collect()));
        }
    }

    /// While observing, what others wrote is only seen by reading again.
    pub(super) fn refresh(&mut self) {
        let old = self.adopted.is_none_or(|at| at.elapsed() > FRESHNESS);
        if self.observe && self.phase == Phase::Ready && old {
            self.phase = Phase::Due(Instant::now());
        }
    }

    fn adopt(&mut self, found: ReadBack) {
        let keys = self.reconciler.adopt(found.tables);
        self.chip.order(Order::Read(keys.iter().cloned().collect()));
        self.phase = Phase::Landmarks(keys);
    }

    /// Every row that was asked for is known now, or as good as.
    fn settle_all(&mut self, mut found: ReadBack) {
        let phase = std::mem::replace(&mut self.phase, Phase::Ready);
        let (Phase::Landmarks(keys) | Phase::Reading(keys)) = &phase else { return };
        for key in keys {
            let entry = self.judge(key, &mut found);
            self.reconciler.settle(key, entry);
        }
        if matches!(phase, Phase::Landmarks(_)) {
            let wanted = self.reconciler.claim();
            let logged = self.log.iter().flat_map(IntentLog::rows).map(|(key, _)| key.clone());
            let keys: BTreeSet<Key> = wanted.into_iter().chain(logged).collect();
            self.chip.order(Order::Read(keys.iter().cloned().collect()));
            self.phase = Phase::Reading(keys);
            return;
        }
        if let Some(log) = &mut self.log {
            log.restart(self.reconciler.applied().tables().values());
        }
        self.adopted = Some(Instant::now());
        self.take_over_policer();
        self.fdb.forget();
        self.fdb.stir();
    }

    fn settle_doubts(&mut self, mut found: ReadBack) {
        for key in std::mem::take(&mut self.doubts.asked) {
            let entry = self.judge(&key, &mut found);
            if let Some(log) = &mut self.log {
                log.correct(&key, entry.as_ref());
            }
            self.reconciler.settle(&key, entry);
        }
        self.fdb.stir();
    }

    /// What a row holds: what was read; where that can't be, what the log says. A write whose answer is not known is made
    /// again, and a removal as well: both are harmless.
    fn judge(&self, key: &Key, found: &mut ReadBack) -> Option<Entry> {
        if let Some(error) = found.failed.get(key) {
            tracing::warn!(?key, "Row can't be read: {}", chain(error));
        }
        if let Some(entry) = found.tables.remove(key) {
            return Some(entry);
        }
        let logged = self.log.as_ref()?.get(key).filter(|_| found.unreadable.contains(key))?;
        match &logged.doubtful {
            None => logged.acknowledged.clone(),
            Some(_) if self.reconciler.wants(key) => None,
            Some(doubtful) => Some(doubtful.clone()),
        }
    }

    fn postpone(&mut self, error: &AsicError) {
        if self.phase == Phase::Scanning || self.phase.is_reading() {
            tracing::warn!("Chip can't be read: {}; trying again", chain(error));
            self.phase = Phase::Due(Instant::now() + PAUSE);
        } else {
            self.doubts = Doubts { asked: BTreeSet::new(), pause: Some(Instant::now() + PAUSE) };
        }
    }
}
