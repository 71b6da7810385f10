//! The whole way from events to changes and from acknowledgements to state, as one value without I/O.
//!
//! ```text
//!   fold(event) ─▶ Topology ─▶ units that changed ─▶ objects that are due
//!                                                       │ ready(now)
//!                                                       ▼
//!   complete(ticket, result, now) ◀── back end ◀── (ticket, change)…
//! ```
//!
//! Level-triggered: whatever happened, an object is compared again with what it should have until nothing differs. An object
//! that changes while its plan is under way is planned again afterwards.

mod book;
mod intended;
mod run;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use book::Book;
use run::{Outcome, Run};

use crate::IfIndex;
use crate::applied::Applied;
use crate::chip::{Change, Entry, Fid, Key, Tables, Vid};
use crate::intent::{ChipIdentity, Policy, Unit};
use crate::plan::{Allocation, Limits, Object, Plan, diff};
use crate::retry::{Failure, Retry, Trouble};
use crate::topology::{Event, Snapshot, Topology};

pub use view::{Difference, Standing};

/// Names one submitted change until its answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Observed, Intended and Applied, and what is under way between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconciler {
    policy: Policy,
    chip: ChipIdentity,
    limits: Limits,

    topology: Topology,
    generation: u64,

    changed: BTreeSet<IfIndex>,
    units: BTreeMap<IfIndex, Unit>,
    tables: BTreeMap<u32, BTreeSet<IfIndex>>,

    book: Book,
    allocation: Allocation,
    due: BTreeSet<Object>,
    runs: BTreeMap<Object, Run>,
    tickets: BTreeMap<Ticket, (Object, Change)>,
    locks: BTreeMap<Key, Object>,
    last_ticket: u64,

    applied: Applied,
    troubles: BTreeMap<Object, Trouble>,
    refusals: BTreeMap<Key, Trouble>,
}

impl Reconciler {
    /// An empty view of a chip of which nothing is known yet.
    pub fn new(policy: Policy, chip: ChipIdentity, limits: Limits) -> Self {
        Self {
            policy,
            chip,
            limits,
            topology: Topology::default(),
            generation: 0,
            changed: BTreeSet::new(),
            units: BTreeMap::new(),
            tables: BTreeMap::new(),
            book: Book::default(),
            allocation: Allocation::default(),
            due: BTreeSet::from([Object::Traps]),
            runs: BTreeMap::new(),
            tickets: BTreeMap::new(),
            locks: BTreeMap::new(),
            last_ticket: 0,
            applied: Applied::default(),
            troubles: BTreeMap::new(),
            refusals: BTreeMap::new(),
        }
    }

    // --- Observed -------------------------------------------------------------------------------------------------

    /// Folds one event in; nothing is computed until [`Self::recompute`].
    pub fn fold(&mut self, event: Event) {
        self.generation += 1;
        let touched = self.topology.fold(event);
        self.changed.extend(touched);
    }

    /// Replaces the view by a complete snapshot: the path after a start and after lost events.
    pub fn replace(&mut self, snapshot: Snapshot) {
        self.generation += 1;
        let touched = self.topology.replace(snapshot);
        self.changed.extend(touched);
    }

    // --- Applied --------------------------------------------------------------------------------------------------

    /// Takes over what a scan of the chip found, after a start, a lost connection or a reset of the chip. Everything is due again.
    /// Returns the rows that the scan can't show and that have to be read by key and handed to [`Self::settle`].
    pub fn adopt(&mut self, scanned: Tables) -> BTreeSet<Key> {
        self.runs.clear();
        self.tickets.clear();
        self.locks.clear();
        self.troubles.clear();
        self.refusals.clear();
        self.book = Book::default();
        self.allocation = Allocation::default();
        self.applied = Applied::from_tables(scanned);
        for interface in self.units.values().filter_map(|unit| unit.router_interface.as_ref()) {
            self.allocation.claim(interface, &self.applied);
        }
        self.due = BTreeSet::from([Object::Traps, Object::Leftover]);
        self.due.extend(self.tables.keys().map(|table| Object::VirtualRouter(*table)));
        self.due.extend(self.tables.values().flatten().map(|ifindex| Object::Interface(*ifindex)));
        for object in self.due.clone() {
            self.want(object);
        }
        self.keep_records();
        let scannable = |key: &&Key| matches!(key, Key::Rif(_) | Key::RouterMac(..));
        self.book.keys().filter(|key| !scannable(key)).cloned().collect()
    }

    /// The records of a claimed router interface are in its care, wanted or not: one that is still its MAC in the chip must
    /// not be swept before the interface was edited.
    fn keep_records(&mut self) {
        let owners: BTreeMap<Fid, IfIndex> = self
            .allocation
            .interfaces()
            .filter_map(|ifindex| Some((Fid::of_subport(self.allocation.rif(ifindex)?), ifindex)))
            .collect();
        for key in self.applied.tables().keys() {
            if let Key::RouterMac(fid, _) = key
                && let Some(ifindex) = owners.get(fid)
                && !self.book.has(key)
            {
                self.book.take_care(Object::Interface(*ifindex), key.clone());
            }
        }
    }

    /// What a row was found to hold when it was read by key. Its owners are compared again.
    pub fn settle(&mut self, key: &Key, found: Option<Entry>) {
        self.applied.settle(key, found.filter(|entry| !is_default(entry)));
        self.due.extend(self.book.owners(key));
    }

    // --- Plan and apply -------------------------------------------------------------------------------------------

    /// The changes to submit now. Each answer goes to [`Self::complete`].
    pub fn ready(&mut self, now: Duration) -> Vec<(Ticket, Change)> {
        self.expire(now);
        // Again while it leads on: an object that settles may unblock or wake another.
        loop {
            let due = self.due.clone();
            for object in &due {
                if !self.runs.contains_key(object) && !self.is_blocked(*object) {
                    self.start(*object);
                }
            }
            if self.due == due {
                break;
            }
        }
        let mut submitted = Vec::new();
        for (object, run) in &mut self.runs {
            for change in run.submit() {
                self.last_ticket += 1;
                let ticket = Ticket(self.last_ticket);
                self.tickets.insert(ticket, (*object, change.clone()));
                submitted.push((ticket, change));
            }
        }
        submitted
    }

    /// The chip's answer to a submitted change; an answer to an unknown ticket is ignored.
    pub fn complete(&mut self, ticket: Ticket, result: &Result<(), Failure>, now: Duration) {
        let Some((object, change)) = self.tickets.remove(&ticket) else { return };
        let Some(run) = self.runs.get_mut(&object) else { return };
        let key = change.key();
        match run.answer(&change, result.as_ref().map(|&()| ())) {
            Outcome::Done => {
                self.refusals.remove(&key);
                self.applied.acknowledge(&change);
                // An edited router interface may have left a MAC profile.
                if matches!(change, Change::Remove(_) | Change::Edit { to: Entry::Rif(_), .. }) {
                    self.wake_waiting();
                }
            }
            Outcome::Skipped => {
                if let Err(failure) = result {
                    let trouble = Trouble::after(&change, failure, self.refusals.get(&key), now);
                    self.refusals.insert(key, trouble);
                }
            }
            Outcome::Doubtful => self.applied.doubt(&change),
            Outcome::Failed => {}
        }
        if self.runs.get(&object).is_some_and(Run::is_done) {
            self.finish(object, now);
        }
    }

    /// When [`Self::ready`] has to be asked again though nothing happened.
    pub fn deadline(&self) -> Option<Duration> {
        let troubles = self.troubles.values().chain(self.refusals.values());
        troubles.filter_map(|trouble| trouble.retry.time()).min()
    }

    /// Rows in doubt: the chip has to be read back.
    pub fn needs_read_back(&self) -> bool {
        self.applied.unknown().next().is_some()
    }

    /// An object waits until what it stands on is there, and a virtual router until nothing stands on it.
    fn is_blocked(&self, object: Object) -> bool {
        let busy = |object: &Object| self.due.contains(object) || self.runs.contains_key(object);
        match object {
            Object::Traps => false,
            Object::VirtualRouter(table) => {
                let leaving = !self.tables.contains_key(&table);
                let vr = self.allocation.vr(table);
                let in_use = || {
                    let interfaces = self.allocation.interfaces();
                    interfaces.filter_map(|i| self.applied_rif(i)).any(|rif| Some(rif.vr) == vr)
                };
                busy(&Object::Traps) || leaving && in_use()
            }
            Object::Interface(ifindex) => {
                let unit = self.units.get(&ifindex).and_then(|unit| unit.router_interface.as_ref());
                busy(&Object::Traps)
                    || unit.is_some_and(|interface| busy(&Object::VirtualRouter(interface.table)))
            }
            Object::Leftover => self.due.len() > 1 || !self.runs.is_empty(),
        }
    }

    /// Plans an object; a plan with changes becomes a run.
    fn start(&mut self, object: Object) {
        let refusal = self.want(object);
        if self.book.rows(object).any(|key| self.locks.contains_key(key)) {
            return;
        }
        self.due.remove(&object);
        let (book, applied) = (&self.book, &self.applied);
        self.refusals.retain(|key, _| applied.get(key) != book.wanted(key));
        let plan = self.plan(object);
        match refusal {
            Some(reason) => {
                self.troubles.insert(object, Trouble::waiting(reason));
            }
            None if plan.is_empty() => {
                let healed = self.troubles.remove(&object).is_some();
                if let (true, Object::VirtualRouter(table)) = (healed, object) {
                    let users = self.tables.get(&table).into_iter().flatten();
                    self.due.extend(users.map(|ifindex| Object::Interface(*ifindex)));
                }
            }
            None => {}
        }
        if plan.is_empty() {
            self.settle_object(object);
            return;
        }
        for key in plan.changes().map(Change::key) {
            self.locks.insert(key, object);
        }
        self.runs.insert(object, Run::new(plan));
    }

    /// What leads to the booked content, without the rows that wait for a retry.
    fn plan(&self, object: Object) -> Plan {
        let waits = |key: &&Key| self.refusals.get(key).is_some_and(|t| t.retry != Retry::Now);
        let rows = self.book.rows(object).filter(|key| !waits(key));
        diff(&self.applied, rows.map(|key| (key, self.book.wanted(key))))
    }

    /// A run ended: the object is compared once more, so that nothing that changed meanwhile is missed.
    fn finish(&mut self, object: Object, now: Duration) {
        let Some(run) = self.runs.remove(&object) else { return };
        self.locks.retain(|_, holder| *holder != object);
        match run.into_failure() {
            Some((change, failure)) => {
                let before = self.troubles.get(&object);
                let trouble = Trouble::after(&change, &failure, before, now);
                self.troubles.insert(object, trouble);
            }
            None => {
                self.due.insert(object);
            }
        }
    }

    /// Nothing differs any more: what is gone from the chip gives its indices back.
    fn settle_object(&mut self, object: Object) {
        match object {
            Object::Interface(ifindex) => {
                let wanted = self.units.get(&ifindex).is_some_and(|u| u.router_interface.is_some());
                let there = self.allocation.rif(ifindex).is_some_and(|rif| {
                    self.applied.tables().contains_key(&Key::Rif(rif))
                        || self.applied.is_unknown(&Key::Rif(rif))
                });
                if !there && self.allocation.rif(ifindex).is_some() {
                    self.allocation.release_interface(ifindex);
                    self.wake_waiting();
                    self.due.extend(wanted.then_some(object));
                }
                self.due.extend(self.leaving_tables());
            }
            Object::VirtualRouter(table) if !self.tables.contains_key(&table) => {
                if self.allocation.vr(table).is_some() {
                    self.allocation.release_vr(table);
                    self.wake_waiting();
                }
            }
            Object::Traps | Object::VirtualRouter(_) | Object::Leftover => {}
        }
    }

    /// Virtual routers that nobody intends but that still have indices.
    fn leaving_tables(&self) -> Vec<Object> {
        let leaving = self.allocation.tables().filter(|table| !self.tables.contains_key(table));
        leaving.map(Object::VirtualRouter).collect()
    }

    /// Retries whose time has come become due.
    fn expire(&mut self, now: Duration) {
        self.retry(|trouble| trouble.retry.time().is_some_and(|at| at <= now));
    }

    /// A row was freed: whatever waits for one may try again.
    fn wake_waiting(&mut self) {
        self.retry(|trouble| matches!(trouble.retry, Retry::OnRelease { .. }));
    }

    fn retry(&mut self, ripe: impl Fn(&Trouble) -> bool) {
        for (object, trouble) in self.troubles.iter_mut().filter(|(_, trouble)| ripe(trouble)) {
            trouble.retry = Retry::Now;
            self.due.insert(*object);
        }
        for (key, trouble) in self.refusals.iter_mut().filter(|(_, trouble)| ripe(trouble)) {
            trouble.retry = Retry::Now;
            self.due.extend(self.book.owners(key));
        }
    }
}

/// The content that a row has without anybody's doing: it counts as empty.
fn is_default(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::PortStp { forwarding: false, .. } | Entry::PortLearning { enabled: true, .. }
    ) || matches!(entry, Entry::PortPvid { vid, .. } if *vid != Vid::UNTAGGED)
}
