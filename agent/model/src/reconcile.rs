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
mod claim;
mod dependence;
mod due;
mod forwarding;
mod intended;
mod lag;
mod observed;
mod retries;
mod run;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use book::Book;
use due::Due;
use forwarding::Forwarding;
use run::{Outcome, Run};

use crate::applied::Applied;
use crate::chip::{Change, Entry, Key, Tables};
use crate::fib::Fib;
use crate::intent::{Bridging, ChipIdentity, Domain, Lag, Policy, Reason, Unit};
use crate::plan::{Allocation, Limits, Object, Plan, diff};
use crate::retry::{Failure, Retry, Trouble};
use crate::topology::Topology;
use crate::{IfIndex, Mac};

pub use view::{Difference, Holding, Standing};

/// What stands against an object having everything that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// Nothing.
    None,
    /// Something has to go first; it is looked at again then.
    Moves,
    /// A table is full.
    Full(Reason),
    /// What its trouble says.
    Known,
}

/// A row that the chip did not take, while the rest of its plan went on.
#[derive(Debug, Clone, PartialEq)]
struct Refusal {
    /// The content that it did not take.
    to: Option<Entry>,
    trouble: Trouble,
}

/// How many of the many are written at a time.
const BULK: usize = 64;
/// As [`BULK`], while something that somebody waits for is written: it may need several steps, and each queues behind these.
const BULK_BESIDE: usize = 8;
/// How many of the many that need no write are looked at in a turn: of routes that came and went there may be very many.
const IDLE: usize = 512;

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
    fib: Fib,
    generation: u64,

    changed: BTreeSet<IfIndex>,
    /// The last event that touched a device, as `generation` counted it.
    causes: BTreeMap<IfIndex, u64>,
    aware_bridge: Option<IfIndex>,
    withdrawn: BTreeSet<IfIndex>,
    routing_devices: BTreeSet<String>,
    units: BTreeMap<IfIndex, Unit>,
    /// Macvlans with VRRP's MACs on router interfaces.
    virtual_routers: u32,
    bridges: BTreeMap<IfIndex, Bridging>,
    lags: BTreeMap<IfIndex, Lag>,
    /// The tables that router interfaces use.
    tables: BTreeMap<u32, BTreeSet<IfIndex>>,
    /// The device that routes for a domain.
    routers: BTreeMap<Domain, IfIndex>,
    /// The object that a device's router interface belongs to, or last belonged to.
    seats: BTreeMap<IfIndex, Object>,

    forwarding: Forwarding,

    book: Book,
    allocation: Allocation,
    due: Due,
    /// Not all of the many that are due were looked at.
    goes_on: bool,
    runs: BTreeMap<Object, Run>,
    tickets: BTreeMap<Ticket, (Object, Change)>,
    /// Runs whose next stage may be submitted.
    stepping: BTreeSet<Object>,
    locks: BTreeMap<Key, Object>,
    /// Who is parked until a row is no longer locked.
    fences: BTreeMap<Key, BTreeSet<Object>>,
    last_ticket: u64,

    applied: Applied,
    troubles: BTreeMap<Object, Trouble>,
    refusals: BTreeMap<Key, Refusal>,
    /// What forwarding tables of Linux's bridges have of what they should have.
    holdings: BTreeMap<(Domain, Mac), Holding>,
}

impl Reconciler {
    /// An empty view of a chip of which nothing is known yet.
    pub fn new(policy: Policy, chip: ChipIdentity, limits: Limits) -> Self {
        Self {
            policy,
            chip,
            limits,
            topology: Topology::default(),
            fib: Fib::default(),
            generation: 0,
            changed: BTreeSet::new(),
            causes: BTreeMap::new(),
            aware_bridge: None,
            withdrawn: BTreeSet::new(),
            routing_devices: BTreeSet::new(),
            units: BTreeMap::new(),
            virtual_routers: 0,
            bridges: BTreeMap::new(),
            lags: BTreeMap::new(),
            tables: BTreeMap::new(),
            routers: BTreeMap::new(),
            seats: BTreeMap::new(),
            forwarding: Forwarding::default(),
            book: Book::default(),
            allocation: Allocation::default(),
            due: Due::from_iter([Object::Traps]),
            goes_on: false,
            runs: BTreeMap::new(),
            tickets: BTreeMap::new(),
            stepping: BTreeSet::new(),
            locks: BTreeMap::new(),
            fences: BTreeMap::new(),
            last_ticket: 0,
            applied: Applied::default(),
            troubles: BTreeMap::new(),
            refusals: BTreeMap::new(),
            holdings: BTreeMap::new(),
        }
    }

    /// What became of the entries of [`Unit::bridge_macs`](crate::intent::Unit::bridge_macs): those that are there, were refused,
    /// or are on their way. The others are not there.
    pub fn set_holdings(&mut self, holdings: BTreeMap<(Domain, Mac), Holding>) {
        self.holdings = holdings;
    }

    // --- Applied --------------------------------------------------------------------------------------------------

    /// Takes over what a scan of the chip found, after a start, a lost connection or a reset of the chip. Everything is due again.
    /// Returns the rows that say which chip index stands for what: they have to be read by key and handed to [`Self::settle`];
    /// then [`Self::claim`] says which more.
    pub fn adopt(&mut self, scanned: Tables) -> BTreeSet<Key> {
        self.runs.clear();
        self.tickets.clear();
        self.stepping.clear();
        self.locks.clear();
        self.fences.clear();
        self.troubles.clear();
        self.refusals.clear();
        self.book = Book::default();
        self.allocation = Allocation::default();
        self.applied = Applied::from_tables(scanned);
        self.forget_forwarding();
        self.due = self.objects().into_iter().collect();
        self.landmarks()
    }

    /// Recognises router interfaces and virtual routers in the chip. Returns the rows that say which adjacencies stand for what,
    /// now that their keys are known: they have to be read as well, before [`Self::claim`].
    pub fn claim_interfaces(&mut self) -> BTreeSet<Key> {
        self.claim_indices();
        self.landmarks_of_groups()
    }

    /// Recognises in the chip what should be there. Returns the other rows that the scan can't show and that have to be read by
    /// key and handed to [`Self::settle`].
    pub fn claim(&mut self) -> BTreeSet<Key> {
        self.claim_indices();
        self.claim_forwarding();
        self.set_claiming(true);
        for object in self.due.iter().collect::<Vec<_>>() {
            self.want(object);
        }
        self.set_claiming(false);
        self.keep_records();
        let mut read = self.landmarks();
        read.extend(self.landmarks_of_groups());
        let scannable = |key: &&Key| matches!(key, Key::Rif(_) | Key::RouterMac(..));
        let unread = self.book.keys().filter(|key| !scannable(key) && !read.contains(*key));
        unread.cloned().collect()
    }

    /// What a row was found to hold when it was read by key. Its owners are compared again; those whose write was not made wait as
    /// after any failure. What is nobody's goes.
    pub fn settle(&mut self, key: &Key, found: Option<Entry>) {
        let wanted = self.book.wanted(key);
        let counts = |entry: &Entry| !entry.is_neutral() || wanted == Some(entry);
        let found = found.filter(counts);
        let made = found.as_ref() == wanted;
        self.applied.settle(key, found);
        self.reconsider(key, made);
    }

    /// As [`Self::settle`], of a row that can't be read: it holds this or nothing.
    pub fn presume(&mut self, entry: Entry) {
        let key = entry.key();
        if entry.is_neutral() && self.book.wanted(&key) != Some(&entry) {
            return self.settle(&key, None);
        }
        self.applied.presume(entry);
        self.reconsider(&key, false);
    }

    /// A row is known again: its owners are compared, but for those that wait after a failure that was none (`made`: it holds
    /// what is wanted).
    fn reconsider(&mut self, key: &Key, made: bool) {
        let waits = |owner: &Object| {
            let trouble = self.troubles.get(owner);
            !made && trouble.is_some_and(|trouble| matches!(trouble.retry, Retry::At(_)))
        };
        let nobodys = self.book.owners(key).next().is_none() && self.applied.get(key).is_some();
        let owners = self.book.owners(key);
        let due: Vec<Object> =
            owners.filter(|owner| !waits(owner) || self.router_waits(*owner)).collect();
        self.due.extend(due);
        self.due.extend(nobodys.then_some(Object::Leftover));
    }

    /// Nobody knows what a row holds: it is left alone until [`Self::settle`].
    pub fn doubt(&mut self, key: &Key) {
        self.applied.doubt(key);
    }

    // --- Plan and apply -------------------------------------------------------------------------------------------

    /// The changes to submit now. Each answer goes to [`Self::complete`].
    pub fn ready(&mut self, now: Duration) -> Vec<(Ticket, Change)> {
        self.expire(now);
        self.release();
        // Again while it leads on: an object that settles may unblock or wake another.
        loop {
            let due = self.due.urgent().clone();
            for object in &due {
                if !self.runs.contains_key(object) && !self.is_blocked(*object) {
                    self.start(*object);
                }
            }
            self.start_bulk();
            if *self.due.urgent() == due {
                break;
            }
        }
        let mut steps: Vec<(Object, Change)> = Vec::new();
        for object in std::mem::take(&mut self.stepping) {
            let stage = self.runs.get_mut(&object).map(Run::submit).unwrap_or_default();
            steps.extend(stage.into_iter().map(|change| (object, change)));
        }
        steps.sort_by_key(|(object, _)| object.is_bulk());
        let mut submitted = Vec::new();
        for (object, change) in steps {
            self.last_ticket += 1;
            let ticket = Ticket(self.last_ticket);
            self.tickets.insert(ticket, (object, change.clone()));
            submitted.push((ticket, change));
        }
        submitted
    }

    /// Starts some of the many, so that what comes meanwhile has to wait for these few only.
    fn start_bulk(&mut self) {
        let mut running = self.runs.keys().filter(|object| object.is_bulk()).count();
        let most = if running < self.runs.len() { BULK_BESIDE } else { BULK };
        let (mut last, mut left) = (None, IDLE);
        while running < most
            && left > 0
            && let Some(object) = self.due.bulk_after(last)
        {
            last = Some(object);
            if self.runs.contains_key(&object) {
                continue;
            }
            if self.is_blocked(object) {
                self.due.remove(object);
                self.keep_idle(object);
                left -= 1;
                continue;
            }
            self.start(object);
            running += usize::from(self.runs.contains_key(&object));
            left -= usize::from(!self.runs.contains_key(&object) && !self.due.contains(object));
        }
        self.goes_on = left == 0;
    }

    /// The chip's answer to a submitted change; an answer to an unknown ticket is ignored.
    pub fn complete(&mut self, ticket: Ticket, result: &Result<(), Failure>, now: Duration) {
        let Some((object, change)) = self.tickets.remove(&ticket) else { return };
        let Some(run) = self.runs.get_mut(&object) else { return };
        let key = change.key();
        let undo = run.goes_back();
        match run.answer(&change, result.as_ref().map(|&()| ())) {
            Outcome::Done => {
                self.refusals.remove(&key);
                self.applied.acknowledge(&change);
                self.note_bulk(object, &change);
                // An edited router interface may have left a MAC profile.
                let frees =
                    matches!(change, Change::Remove(_) | Change::Edit { to: Entry::Rif(_), .. });
                // What an undo frees, was free before.
                if frees && !undo {
                    if object.is_bulk() {
                        self.wake_rows();
                    } else {
                        self.wake_waiting();
                    }
                }
                if matches!(key, Key::LagCollector(_)) {
                    self.wake_dependents(object);
                }
                // A port that left one LAG may join another, and the LAG that it left may go.
                if matches!(change, Change::Remove(Entry::LagCollector { .. })) {
                    self.due.extend(self.leaving());
                }
            }
            Outcome::Skipped => {
                if let Err(failure) = result
                    && !self.waits_for_room(object, &change, failure, now)
                {
                    let before = self.refusals.get(&key).map(|refusal| &refusal.trouble);
                    let trouble = Trouble::after(&change, failure, before, now);
                    let to = change.after().cloned();
                    self.refusals.insert(key, Refusal { to, trouble });
                }
            }
            Outcome::Doubtful => self.applied.doubt(&key),
            Outcome::Failed => {}
        }
        match self.runs.get(&object) {
            Some(run) if run.is_done() => self.finish(object, now),
            Some(run) if run.may_go_on() => {
                self.stepping.insert(object);
            }
            _ => {}
        }
    }

    /// Changes that were submitted since the start.
    pub const fn submitted(&self) -> u64 {
        self.last_ticket
    }

    /// Rows in doubt: the chip has to be read back.
    pub fn needs_read_back(&self) -> bool {
        self.applied.unknown().next().is_some()
    }

    /// Plans an object; a plan with changes becomes a run.
    fn start(&mut self, object: Object) {
        let refused = |key: &&Key| self.refusals.contains_key(*key);
        let mut refused: Vec<Key> = self.book.rows(object).filter(refused).cloned().collect();
        let obstacle = self.want(object);
        if let Some(key) = self.book.rows(object).find(|key| self.locks.contains_key(*key)) {
            self.fences.entry(key.clone()).or_default().insert(object);
            return self.due.park(object);
        }
        // what hangs on a row in doubt waits until that was read back
        if self.book.rows(object).any(|key| self.applied.is_unknown(key)) {
            return;
        }
        self.due.remove(object);
        if !self.refusals.is_empty() {
            refused.extend(self.book.rows(object).cloned());
        }
        // what was refused says nothing of another content
        for key in refused {
            let wanted = self.book.wanted(&key);
            let missing = self.applied.get(&key) != wanted || self.applied.is_presumed(&key);
            let same = self.refusals.get(&key).is_some_and(|refusal| refusal.to.as_ref() == wanted);
            if !(missing && same) {
                self.refusals.remove(&key);
            }
        }
        let plan = self.plan(object);
        match obstacle {
            Obstacle::Full(reason) => {
                self.troubles.insert(object, Trouble::waiting(reason));
                self.wake_dependents(object);
            }
            Obstacle::None if plan.is_empty() => {
                if self.troubles.remove(&object).is_some() {
                    self.wake_dependents(object);
                }
            }
            Obstacle::None | Obstacle::Moves | Obstacle::Known => {}
        }
        if plan.is_empty() {
            self.settle_object(object);
            return;
        }
        for key in plan.changes().map(Change::key) {
            self.locks.insert(key, object);
        }
        let run = Run::new(plan);
        self.note_begun(&run);
        self.runs.insert(object, run);
        self.stepping.insert(object);
    }

    /// What leads to the booked content, without the rows that wait for a retry.
    fn plan(&self, object: Object) -> Plan {
        let refused = |refusal: &Refusal| refusal.trouble.retry != Retry::Now;
        let waits = |key: &Key| self.refusals.get(key).is_some_and(refused);
        diff(&self.applied, self.book.wants(object).filter(|(key, _)| !waits(key)))
    }

    /// A run ended: the object is compared once more, so that nothing that changed meanwhile is missed.
    fn finish(&mut self, object: Object, now: Duration) {
        let Some(run) = self.runs.remove(&object) else { return };
        self.note_ended(&run);
        for key in run.keys() {
            self.locks.remove(&key);
            let waiting = self.fences.remove(&key).unwrap_or_default();
            let waiting = waiting.into_iter().filter(|object| self.due.is_parked(*object));
            self.due.extend(waiting.collect::<Vec<_>>());
        }
        match run.into_failure() {
            Some((change, failure)) => {
                let before = self.troubles.get(&object);
                let trouble = Trouble::after(&change, &failure, before, now);
                self.troubles.insert(object, trouble);
                // the ports of a domain are bridged without its router interface meanwhile
                if self.router_waits(object) {
                    self.due.insert(object);
                }
                self.wake_dependents(object);
                self.due.extend(self.leaving());
            }
            None => {
                self.due.insert(object);
            }
        }
    }
}
