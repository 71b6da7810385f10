//! How do VRRP advertisements reach the CPU at ports of a kernel driver that has no trap for them? By tc rules at routed ports,
//! if the operator wants them.
//!
//! ```text
//!   topology ─▶ control_rules ─▶ Book: what each port should have ──Order──▶ Task ─▶ the kernel
//!                                 │  ▲                                        │
//!                         Record ◀┘  └───────────────Answer──────────────────┘
//! ```
//!
//! Each order says all that a port is to have, and the kernel's own list decides what is missing: the same order once more is the
//! audit. Rules stay when the daemon ends; the next one knows its own by prio, handle and cookie, and its clsacts from the record.

pub(super) mod book;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

pub(super) use book::Mode;
use book::{Book, Claims};
use firsthop_asic::kernel::flower::Standing;
use firsthop_model::IfIndex;
use firsthop_model::intent::{ControlRule, ControlRules, Reason, control_rules, kernel_devices};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::{Event, Link};
use firsthop_model::types::Family;
pub(super) use task::Answer;
use task::{Order, Task};

use super::Daemon;
use super::record::Record;
use crate::views::{Difference, VrrpRule, clsact_difference};

/// In the place of a chip's id in the name of the record; no chip has this one.
const RECORD: &str = "tc rules";
/// How old what is shown may be: there is no event for a rule.
const FRESHNESS: Duration = Duration::from_secs(1);

/// Everything about tc rules.
#[derive(Debug)]
pub(super) struct Flower {
    book: Book,
    task: Task,
    record: Option<Record<Claims>>,
    recalled: bool,
    /// Something may want other rules than before.
    stirred: bool,
    /// Whether a device has a trap of its own; None: it has been asked, or could not be.
    devices: BTreeMap<String, Option<bool>>,
    rules: ControlRules,
}

impl Flower {
    /// `blind`: nothing is written, and nothing of an earlier daemon is removed.
    pub(super) fn open(directory: &Path, mode: Mode, blind: bool) -> Self {
        let mut book = Book::new(blind);
        book.set_mode(mode);
        Self {
            book,
            task: Task::open(),
            record: (!blind).then(|| Record::open(directory, RECORD)),
            recalled: false,
            stirred: true,
            devices: BTreeMap::new(),
            rules: ControlRules::default(),
        }
    }

    /// The operator decided anew.
    pub(super) fn set_mode(&mut self, mode: Mode) {
        self.book.set_mode(mode);
        self.stirred = true;
    }

    /// The next answer of the kernel. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Answer {
        self.task.answer().await
    }

    pub(super) fn take_answer(&mut self, answer: Answer, now: Duration) {
        self.stirred = true;
        match answer {
            Answer::Port(wish, result) => self.book.done(&wish, result, now),
            Answer::Device(device, Ok(has_trap)) => {
                tracing::info!(device, has_trap, "Asked for a trap for VRRP");
                self.devices.insert(device, Some(has_trap));
            }
            Answer::Device(device, Err(error)) => {
                tracing::warn!(device, "No tc rules: its traps can't be listed: {error}");
            }
        }
    }

    /// Looks at an event: does it decide about rules?
    pub(super) const fn notice(&mut self, event: &Event) {
        let decides = matches!(
            event,
            Event::Link(_)
                | Event::LinkGone(_)
                | Event::Address(_)
                | Event::AddressGone(_)
                | Event::Vlans(_)
                | Event::VlansGone(_)
        );
        self.stirred |= decides;
    }

    /// The view was replaced.
    pub(super) const fn stir(&mut self) {
        self.stirred = true;
    }

    /// Compares, writes down, and orders what is next. The view is whole.
    fn tend(&mut self, reconciler: &Reconciler, now: Duration) {
        let topology = reconciler.topology();
        let name = |port: IfIndex| topology.link(port).map(|link| link.ifname.clone());
        if !std::mem::replace(&mut self.recalled, true)
            && let Some(record) = &self.record
        {
            for claim in record.facts().ports.clone() {
                if name(claim.ifindex).as_ref() == Some(&claim.name) {
                    self.book.recall(claim);
                }
            }
        }
        if self.book.audit(now, None) {
            self.devices.retain(|_, has_trap| has_trap.is_some());
            self.stirred = true;
        }
        if std::mem::take(&mut self.stirred) {
            self.rules = match self.book.mode() {
                Mode::Off => ControlRules::default(),
                Mode::Shown | Mode::Written => {
                    let devices = kernel_devices(topology);
                    self.devices.retain(|device, _| devices.contains(device));
                    let trapless =
                        |device: &&String| self.devices.get(*device) == Some(&Some(false));
                    let trapless: BTreeSet<String> =
                        devices.iter().filter(trapless).cloned().collect();
                    self.ask(devices);
                    control_rules(topology, reconciler.policy(), &trapless)
                }
            };
            self.book.want(self.rules.wanted.keys().copied(), name);
        }
        if let Some(record) = &mut self.record {
            record.write(self.book.claims());
        }
        if !self.task.is_busy()
            && let Some(wish) = self.book.next(now)
        {
            self.task.order(Order::Port(wish));
        }
    }

    /// Asks one device that is not known yet.
    fn ask(&mut self, devices: BTreeSet<String>) {
        let unknown = devices.into_iter().find(|device| !self.devices.contains_key(device));
        if let Some(device) = unknown.filter(|_| !self.task.is_busy()) {
            self.devices.insert(device.clone(), None);
            self.task.order(Order::Device(device));
        }
    }

    /// Nothing is under way.
    pub(super) fn is_settled(&self) -> bool {
        !self.stirred && !self.task.is_busy() && self.book.is_settled()
    }

    /// Rules are made, not only shown.
    pub(super) fn writes(&self) -> bool {
        self.book.mode() == Mode::Written
    }

    /// When something has to be done though nothing happens.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.book.deadline()
    }

    /// Somebody wants to see how things are.
    pub(super) fn refresh(&mut self, now: Duration) {
        self.book.audit(now, Some(FRESHNESS));
    }

    /// The rules at a port, or for a router interface.
    pub(super) fn rules_of(&self, reconciler: &Reconciler, link: &Link) -> Vec<VrrpRule> {
        let about = |(rule, interfaces): &(&ControlRule, &BTreeSet<IfIndex>)| {
            rule.port == link.ifindex || interfaces.contains(&link.ifindex)
        };
        let wanted = self.rules.wanted.iter().filter(about);
        let mut rows: Vec<VrrpRule> = wanted.map(|(rule, _)| self.row(reconciler, *rule)).collect();
        if let Some(bridged) = self.rules.needs_copy.get(&link.ifindex) {
            for family in [Family::Ipv4, Family::Ipv6] {
                let rule = ControlRule { port: *bridged, vlan: None, family };
                rows.push(VrrpRule {
                    reason: Some(Reason::TrapNeedsCopy.code().to_owned()),
                    ..VrrpRule::new(reconciler, rule)
                });
            }
        }
        rows
    }

    /// What is missing, and the commands that would bring it.
    pub(super) fn differences(&self, reconciler: &Reconciler) -> Vec<Difference> {
        let rows = self.rules.wanted.keys().map(|rule| (*rule, self.row(reconciler, *rule)));
        let missing: Vec<(ControlRule, VrrpRule)> = rows.filter(|(_, row)| !row.in_hw).collect();
        let mut differences = Vec::new();
        for (port, has_clsact) in self.book.clsacts() {
            let of_port = missing.iter().filter(|(rule, _)| rule.port == port);
            let mut of_port = of_port.map(|(_, row)| row).peekable();
            let shown = |row: &&VrrpRule| row.reason.as_deref() == Some(Reason::NotManaged.code());
            if let Some(row) = of_port.peek().filter(|row| !has_clsact && shown(row)) {
                differences.push(clsact_difference(row));
            }
            differences.extend(of_port.map(VrrpRule::difference));
        }
        differences
    }

    fn row(&self, reconciler: &Reconciler, rule: ControlRule) -> VrrpRule {
        let mut row = VrrpRule::new(reconciler, rule);
        let shown = || Some(Reason::NotManaged).filter(|_| self.book.mode() == Mode::Shown);
        let reason = match self.book.found(rule) {
            Some(Standing::Ours | Standing::Theirs) => {
                row.in_hw = true;
                None
            }
            Some(Standing::Refused(text)) => {
                row.text = Some(text.clone());
                Some(Reason::TrapUnsupported)
            }
            Some(Standing::Absent) | None => shown(),
        };
        row.reason = reason.map(|reason| reason.code().to_owned());
        row
    }
}

impl Daemon {
    /// Brings the tc rules in step. First of all that a turn does with events: a port that joined a bridge must lose its rules.
    pub(super) fn tend_flower(&mut self, drained: bool) {
        if drained && self.engine.may_act() {
            self.flower.tend(self.engine.reconciler(), self.start.elapsed());
        }
    }
}
