//! Is what is believed true although nothing was lost? Now and then the kernel is dumped, everything is computed again, and the
//! chip is read, and each is compared with what is held.
//!
//! ```text
//!   Idle ──due──▶ Dumping ──▶ Scanning ──▶ Reading ──▶ differences? ──none──────────────▶ Idle
//!    ▲                                                     └─some: once more, a second later
//!    └── those that were there both times are findings: counted by class, told, and mended or not ◀─┘
//! ```
//!
//! A look counts only if nothing happened meanwhile: no event came, and no change was sent. Otherwise it is made again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firsthop_asic::{Readability, readability};
use firsthop_model::chip::{Entry, Key};
use firsthop_model::topology::{Link, Snapshot, ViewFault};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::input::{Dumped, Found, Output, Time};

/// Before a look is made again.
const AGAIN: Duration = Duration::from_secs(1);
/// Findings that are kept, the last ones.
const KEPT: usize = 100;

/// How often, and what follows from a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditing {
    /// Between audits; none: only when somebody asks.
    pub interval: Option<Duration>,
    /// The chip gets back what it should hold; else it is told only.
    pub repair: bool,
}

impl Default for Auditing {
    fn default() -> Self {
        Self { interval: None, repair: true }
    }
}

/// One difference that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// A stable word: `link_missing`, `link_left`, `link_differs`, `addresses_differ`, `vlans_differ` (the view of the kernel);
    /// `intended_stale` (what was computed from it); `row_missing`, `row_differs`, `row_foreign` (the chip).
    pub class: String,
    /// The device, or the row with what is believed and what is there.
    pub what: String,
}

/// What was found so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Audits that came to an end.
    pub rounds: u64,
    /// Findings by class since the start.
    pub classes: BTreeMap<String, u64>,
    /// The last ones, at most 100.
    pub last: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Idle,
    /// The kernel is being dumped.
    Dumping,
    /// The chip is being read.
    Scanning,
    /// These rows of the chip are being read, after those that were found.
    Reading(Found, BTreeSet<Key>),
}

/// What may not change while one looks: events, and changes that were sent.
type Era = (u64, u64);

#[derive(Debug, Clone, Default)]
pub(super) struct Audit {
    auditing: Auditing,
    stage: Stage,
    era: Era,
    /// When the next look begins.
    due: Option<Time>,
    /// Somebody asked while one was under way.
    once_more: bool,
    seen: BTreeSet<Finding>,
    /// Differences of the look before; none: this is the first.
    before: Option<BTreeSet<Finding>>,
    findings: Findings,
}

impl Audit {
    pub(super) const fn is_dumping(&self) -> bool {
        matches!(self.stage, Stage::Dumping)
    }

    pub(super) const fn is_reading(&self) -> bool {
        matches!(self.stage, Stage::Scanning | Stage::Reading(..))
    }

    pub(super) const fn findings(&self) -> &Findings {
        &self.findings
    }

    /// When a look begins though nothing happens.
    pub(super) fn deadline(&self, now: Time) -> Option<Time> {
        self.due.filter(|at| *at > now && self.stage == Stage::Idle)
    }

    /// Another plan, which begins to count now.
    pub(super) fn plan(&mut self, auditing: Auditing, now: Time) {
        self.auditing = auditing;
        self.due = auditing.interval.map(|interval| now + interval);
    }

    /// Somebody asks for an audit that begins now or later.
    pub(super) fn ask(&mut self, now: Time) {
        if self.is_under_way() {
            self.once_more = true;
        } else {
            self.due = Some(now);
        }
    }

    fn is_under_way(&self) -> bool {
        self.stage != Stage::Idle || self.before.is_some()
    }

    /// The number of rounds when one that begins now has ended.
    pub(super) fn next_round(&self) -> u64 {
        self.findings.rounds + 1 + u64::from(self.is_under_way())
    }

    /// The chip is gone, or read for other reasons.
    pub(super) fn give_up(&mut self, now: Time) {
        if self.is_reading() {
            self.again(now);
        }
    }

    fn again(&mut self, now: Time) {
        self.stage = Stage::Idle;
        self.seen.clear();
        self.due = Some(now + AGAIN);
    }
}

/// In what a device is otherwise than it is believed to be.
fn changes(here: &Link, there: &Link) -> String {
    let members = |link| match serde_json::to_value(link) {
        Ok(serde_json::Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (here, there, name) = (members(here), members(there), &here.ifname);
    let differs = here.iter().filter(|(member, value)| there.get(*member) != Some(value));
    let nothing = serde_json::Value::Null;
    let told = differs.map(|(member, value)| {
        format!(" {member} {} instead of {value}", there.get(member).unwrap_or(&nothing))
    });
    format!("{name}:{}", told.collect::<Vec<_>>().join(","))
}

impl Engine {
    /// Begins a look if it is time and nothing else is under way.
    pub(super) fn audit_if_due(&mut self, now: Time) {
        let due = self.audit.due.is_some_and(|at| at <= now);
        let knows = self.knows_links() && self.knows_routes();
        let quiet = !self.is_stale() && self.view.may_act() && knows;
        if due && quiet && self.may_look() && self.audit.stage == Stage::Idle {
            self.audit.due = None;
            self.audit.stage = Stage::Dumping;
            self.audit.era = self.era();
            self.audit.seen.clear();
            self.outputs.push(Output::Dump);
        }
    }

    /// Only the kernel is looked at: there is no chip, or others write to it.
    fn has_no_chip(&self) -> bool {
        self.observe || self.is_away()
    }

    /// Applied is settled, and no change is under way.
    fn may_look(&self) -> bool {
        let synced = self.reconciler.is_synced() && !self.reconciler.needs_read_back();
        self.has_no_chip() || self.is_ready() && synced
    }

    fn era(&self) -> Era {
        (self.generation(), self.reconciler.submitted())
    }

    /// Takes the dump in, if it is the audit's.
    pub(super) fn audit_kernel(&mut self, dumped: &Dumped, now: Time) {
        let Dumped::Whole(snapshot) = dumped else { return self.audit.again(now) };
        if self.era() != self.audit.era || self.is_stale() || !self.may_look() {
            return self.audit.again(now);
        }
        let mut seen = BTreeSet::new();
        let topology = self.reconciler.topology();
        for (ifindex, fault) in topology.faults(snapshot) {
            let here = topology.link(ifindex);
            let there = snapshot.links.iter().find(|link| link.ifindex == ifindex);
            let what = match (here, there) {
                (Some(here), Some(there)) if fault == ViewFault::LinkDiffers => {
                    changes(here, there)
                }
                (Some(link), _) | (None, Some(link)) => link.ifname.clone(),
                (None, None) => format!("ifindex {}", ifindex.0),
            };
            seen.insert(Finding { class: fault.code().to_owned(), what });
        }
        for ifindex in self.reconciler.stale_units() {
            let what = topology.link(ifindex).map_or_else(String::new, |link| link.ifname.clone());
            seen.insert(Finding { class: "intended_stale".to_owned(), what });
        }
        self.audit.seen = seen;
        if self.has_no_chip() {
            return self.conclude(Some(snapshot), now);
        }
        self.audit_snapshot = Some(snapshot.clone());
        self.audit.stage = Stage::Scanning;
        self.outputs.push(Output::Scan);
    }

    /// Takes what a scan found, if it is the audit's.
    pub(super) fn audit_scan(&mut self, found: Found, now: Time) {
        if self.era() != self.audit.era {
            return self.audit.again(now);
        }
        let applied = self.reconciler.applied();
        let by_key = |key: &&Key| readability(key) == Readability::ByKey;
        let keys: BTreeSet<Key> = applied.tables().keys().filter(by_key).cloned().collect();
        self.outputs.push(Output::Read(keys.iter().cloned().collect()));
        self.audit.stage = Stage::Reading(found, keys);
    }

    /// Takes rows of the audit: compares what is believed with all that was found.
    pub(super) fn audit_rows(&mut self, rows: Found, now: Time) {
        let stage = std::mem::take(&mut self.audit.stage);
        let Stage::Reading(scanned, keys) = stage else { return };
        if self.era() != self.audit.era || !rows.failed.is_empty() || !scanned.failed.is_empty() {
            return self.audit.again(now);
        }
        let applied = self.reconciler.applied();
        let entries = scanned.entries.into_iter().chain(rows.entries);
        let found: BTreeMap<Key, Entry> = entries.map(|entry| (entry.key(), entry)).collect();
        let scannable = |key: &&Key| readability(key) == Readability::Enumerable;
        let believed = applied.tables().keys().filter(scannable);
        let all: BTreeSet<&Key> = keys.iter().chain(believed).chain(found.keys()).collect();
        let mut wrong = Vec::new();
        for key in all {
            let (believed, holds) = (applied.get(key), found.get(key));
            let class = match (believed, holds) {
                _ if believed == holds => continue,
                (Some(believed), None) if believed.is_neutral() => continue,
                (Some(_), None) => "row_missing",
                (None, Some(_)) => "row_foreign",
                _ => "row_differs",
            };
            let text = |entry: Option<&Entry>| {
                entry.map_or_else(|| "nothing".to_owned(), |entry| format!("{entry:?}"))
            };
            let what = format!("{key:?}: {} instead of {}", text(holds), text(believed));
            self.audit.seen.insert(Finding { class: class.to_owned(), what });
            wrong.push((key.clone(), holds.cloned()));
        }
        if self.audit.before.is_some() && self.audit.auditing.repair {
            for (key, holds) in wrong {
                if let Some(log) = &mut self.log {
                    log.correct(&key, holds.as_ref());
                }
                self.reconciler.settle(&key, holds);
            }
        }
        let snapshot = self.audit_snapshot.take();
        self.conclude(snapshot.as_deref(), now);
    }

    /// What was seen twice is found.
    fn conclude(&mut self, snapshot: Option<&Snapshot>, now: Time) {
        let audit = &mut self.audit;
        audit.stage = Stage::Idle;
        let seen = std::mem::take(&mut audit.seen);
        let Some(before) = audit.before.take() else {
            if seen.is_empty() {
                return self.end_audit(now);
            }
            audit.before = Some(seen);
            audit.due = Some(now + AGAIN);
            return;
        };
        for finding in seen.intersection(&before) {
            tracing::error!(class = finding.class, "Found by an audit: {}", finding.what);
            *audit.findings.classes.entry(finding.class.clone()).or_default() += 1;
            audit.findings.last.push(finding.clone());
        }
        let surplus = audit.findings.last.len().saturating_sub(KEPT);
        audit.findings.last.drain(..surplus);
        let wrong_view = seen.iter().any(|finding| !finding.class.starts_with("row_"));
        if let Some(snapshot) = snapshot.filter(|_| wrong_view) {
            self.replace(snapshot.clone(), now);
            self.reconciler.compute_anew();
        }
        self.end_audit(now);
    }

    fn end_audit(&mut self, now: Time) {
        self.audit.findings.rounds += 1;
        // routes are not compared, but taken anew
        self.suspect_all_routes(now);
        let interval = self.audit.auditing.interval.map(|interval| now + interval);
        let once_more = std::mem::take(&mut self.audit.once_more);
        self.audit.due = if once_more { Some(now) } else { interval };
    }
}
