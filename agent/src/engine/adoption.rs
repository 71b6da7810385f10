//! Taking over what the chip holds: everything after a start, a lost connection or a reset; single rows after a write of
//! unknown outcome.
//!
//! ```text
//!   Away ──Connected──▶ Due ──view is whole──▶ Scanning ──▶ Landmarks ──▶ Groups ──▶ Reading ──▶ Ready ──a row in doubt─▶ read it ─┐
//!    ▲                   ▲                        │            │            │           │         ▲                               │
//!    │                   └── the reading failed ──┴────────────┴────────────┴───────────┘         └───────────────────────────────┘
//!    └── Disconnected
//! ```
//!
//! Landmarks are the rows that say which chip index stands for which device; only then is it known which other rows to read. Routes
//! with next hops are landmarks of a second order: their keys are known when virtual routers are.
//!
//! A row in doubt is fenced by the plan until it was read; the others go on meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use firsthop_model::chip::{Entry, Key, Tables};
use firsthop_model::reconcile::Reconciler;

use super::Engine;
use super::input::{Connected, Effect, Found, Output, Time};
use crate::intent_log::{IntentLog, Logged};
use crate::log_retry;

/// Before a failed reading is tried again the first time; doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
/// Before a failed reading is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After so many readings of everything a row that the chip does not let read keeps nobody from working any more.
const READINGS: u32 = 5;
/// While observing: how old what is shown of the chip may be, as somebody else writes to it.
const FRESHNESS: Duration = Duration::from_secs(1);

/// How far the chip has been taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// There is no connection.
    Away,
    /// It has to be read, from this time on.
    Due(Time),
    /// Rows that can be enumerated are being read.
    Scanning,
    /// These rows are being read by key: they say which chip index stands for what.
    Landmarks(BTreeSet<Key>),
    /// These rows are being read by key: they say which adjacencies of the chip stand for which next hops.
    Groups(BTreeSet<Key>),
    /// These rows are being read by key: all others that matter.
    Reading(BTreeSet<Key>),
    /// Applied is what the chip holds.
    Ready,
}

/// Rows of unknown outcome that are being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts {
    asked: BTreeSet<Key>,
    /// After a failed reading: not before this time.
    pause: Option<Time>,
    /// Readings that failed, one after the other.
    failures: u32,
}

impl Doubts {
    /// When they are read, if nothing happens before.
    pub(super) fn deadline(&self, now: Time) -> Option<Time> {
        self.pause.filter(|at| *at > now)
    }
}

impl Phase {
    /// Rows are being read by key to take the chip over.
    const fn is_reading(&self) -> bool {
        matches!(self, Self::Landmarks(_) | Self::Groups(_) | Self::Reading(_))
    }

    /// When something has to be tried though nothing happens.
    pub(super) fn deadline(&self, now: Time) -> Option<Time> {
        match self {
            Self::Due(at) => Some(*at).filter(|at| *at > now),
            _ => None,
        }
    }
}

/// What was found, by key.
struct Rows {
    tables: Tables,
    unreadable: BTreeSet<Key>,
    /// Nobody knows what these hold.
    failed: BTreeSet<Key>,
}

impl Rows {
    fn of(found: Found) -> Self {
        for (key, why) in &found.failed {
            tracing::info!(?key, "Row can't be read: {why}");
        }
        let tables = found.entries.into_iter().map(|entry| (entry.key(), entry)).collect();
        let failed = found.failed.into_iter().map(|(key, _)| key).collect();
        Self { tables, unreadable: found.unreadable, failed }
    }
}

/// What is known of a row.
enum Holds {
    /// This.
    Known(Option<Entry>),
    /// This or nothing.
    Presumed(Entry),
}

/// Doubles with each failure.
fn pause(failures: u32) -> Duration {
    PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

impl Engine {
    /// A connection is there. A chip of another shape than the last one gets a reconciler of its own.
    pub(super) fn greet(&mut self, connected: Connected, now: Time) -> Effect {
        let Connected { chip, limits, generation, log } = connected;
        let renewed = *self.reconciler.chip() != chip || *self.reconciler.limits() != limits;
        if !self.observe {
            self.log = Some(IntentLog::open(log.as_deref(), &chip.handle(), generation));
        }
        if renewed {
            self.former_generation += self.reconciler.generation();
            let policy = self.reconciler.policy().clone();
            self.reconciler = Reconciler::new(policy, chip, limits);
            self.reconciler.set_routing_devices(self.routing_devices.clone());
            self.view.restart();
            self.forget_routes();
        } else {
            // Its ports may be new, and that they are its ports is not announced while they are down (`rtnl_linkprop`).
            self.distrust("chip");
        }
        self.view.begin();
        self.phase = Phase::Due(now);
        Effect { renewed, ..Effect::default() }
    }

    /// The connection is gone: nobody knows what the chip holds, or whether it has power.
    pub(super) fn part(&mut self) {
        self.phase = Phase::Away;
        self.doubts = Doubts::default();
        self.reconciler.adopt(Tables::new());
    }

    /// Begins to read the chip when it is due and possible.
    pub(super) fn advance(&mut self, now: Time) {
        let due = matches!(self.phase, Phase::Due(at) if at <= now);
        if due && self.view.may_act() && self.has_routes() {
            self.phase = Phase::Scanning;
            self.outputs.push(Output::Scan);
        }
        let idle = self.doubts.asked.is_empty() && self.doubts.pause.is_none_or(|at| at <= now);
        if self.phase == Phase::Ready && idle && self.reconciler.needs_read_back() {
            self.doubts.asked = self.reconciler.applied().unknown().cloned().collect();
            let rows = self.doubts.asked.len();
            tracing::info!(rows, "Outcome of a write is unknown; reading");
            self.outputs.push(Output::Read(self.doubts.asked.iter().cloned().collect()));
        }
    }

    /// While observing, what others wrote is only seen by reading again.
    pub(super) fn look(&mut self, now: Time) {
        let old = self.adopted.is_none_or(|at| now.saturating_sub(at) > FRESHNESS);
        if self.observe && self.phase == Phase::Ready && old {
            self.phase = Phase::Due(now);
        }
    }

    /// Takes over what a scan found, if one is wanted.
    pub(super) fn take_scan(&mut self, found: Result<Found, String>, now: Time) {
        match found {
            Ok(found) if self.phase == Phase::Scanning => {
                let rows = Rows::of(found);
                if self.is_patient(&rows, now) {
                    return;
                }
                let keys = self.reconciler.adopt(rows.tables);
                self.outputs.push(Output::Read(keys.iter().cloned().collect()));
                self.phase = Phase::Landmarks(keys);
            }
            Ok(_) => {}
            Err(why) => self.postpone(&why, now),
        }
    }

    /// Takes over rows that were asked for.
    pub(super) fn take_rows(&mut self, found: Result<Found, String>, now: Time) -> Effect {
        match found {
            Ok(found) if self.phase.is_reading() => self.settle_all(found, now),
            Ok(found) => self.settle_doubts(found, now),
            Err(why) => {
                self.postpone(&why, now);
                Effect::default()
            }
        }
    }

    /// Rows can't be read: everything is read again a little later, but not for ever.
    fn is_patient(&mut self, rows: &Rows, now: Time) -> bool {
        let patient = !rows.failed.is_empty() && self.doubts.failures < READINGS;
        if patient {
            self.postpone("Some rows can't be read", now);
        }
        patient
    }

    /// Every row that was asked for is known now, or as good as.
    fn settle_all(&mut self, found: Found, now: Time) -> Effect {
        let mut rows = Rows::of(found);
        if self.is_patient(&rows, now) {
            return Effect::default();
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Ready);
        let (Phase::Landmarks(keys) | Phase::Groups(keys) | Phase::Reading(keys)) = &phase else {
            return Effect::default();
        };
        for key in keys {
            match self.judge(key, &mut rows) {
                _ if rows.failed.contains(key) => self.reconciler.doubt(key),
                Holds::Known(entry) => self.reconciler.settle(key, entry),
                Holds::Presumed(entry) => self.reconciler.presume(entry),
            }
        }
        if matches!(phase, Phase::Landmarks(_)) {
            let keys = self.reconciler.claim_interfaces();
            if !keys.is_empty() {
                self.outputs.push(Output::Read(keys.iter().cloned().collect()));
                self.phase = Phase::Groups(keys);
                return Effect::default();
            }
        }
        if !matches!(phase, Phase::Reading(_)) {
            let wanted = self.reconciler.claim();
            let logged = self.log.iter().flat_map(IntentLog::rows).map(|(key, _)| key.clone());
            let keys: BTreeSet<Key> = wanted.into_iter().chain(logged).collect();
            self.outputs.push(Output::Read(keys.iter().cloned().collect()));
            self.phase = Phase::Reading(keys);
            return Effect::default();
        }
        if let Some(log) = &mut self.log {
            log.restart(self.reconciler.applied());
        }
        self.adopted = Some(now);
        self.doubts = Doubts::default();
        Effect { adopted: true, ..Effect::default() }
    }

    fn settle_doubts(&mut self, found: Found, now: Time) -> Effect {
        let mut rows = Rows::of(found);
        for key in std::mem::take(&mut self.doubts.asked) {
            if rows.failed.contains(&key) {
                continue;
            }
            match self.judge(&key, &mut rows) {
                Holds::Known(entry) => {
                    if let Some(log) = &mut self.log {
                        log.correct(&key, entry.as_ref());
                    }
                    self.reconciler.settle(&key, entry);
                }
                // the log has it as it is: a change without an answer
                Holds::Presumed(entry) => self.reconciler.presume(entry),
            }
        }
        if rows.failed.is_empty() {
            self.doubts = Doubts::default();
        } else {
            self.postpone("Some rows can't be read", now);
        }
        Effect { settled: true, ..Effect::default() }
    }

    /// What a row holds: what was read; where that can't be, what the log says. A write whose answer is not known is made
    /// again, and a removal as well: both are harmless.
    fn judge(&self, key: &Key, rows: &mut Rows) -> Holds {
        if let Some(entry) = rows.tables.remove(key) {
            return Holds::Known(Some(entry));
        }
        let logged = self.log.as_ref().and_then(|log| log.get(key));
        match logged.filter(|_| rows.unreadable.contains(key)) {
            None => Holds::Known(None),
            Some(Logged { doubtful: Some(doubtful), .. }) => Holds::Presumed(doubtful.clone()),
            Some(Logged { acknowledged, .. }) => Holds::Known(acknowledged.clone()),
        }
    }

    fn postpone(&mut self, why: &str, now: Time) {
        let failures = self.doubts.failures.saturating_add(1);
        let later = now + pause(failures);
        self.doubts = Doubts { asked: BTreeSet::new(), pause: Some(later), failures };
        if self.phase == Phase::Scanning || self.phase.is_reading() {
            log_retry!(failures > 1, "Chip can't be read: {why}; trying again");
            self.phase = Phase::Due(later);
        }
    }
}
