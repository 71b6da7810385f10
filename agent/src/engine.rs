//! Every decision of the daemon, as one value without I/O and without a clock.
//!
//! ```text
//!   Input ──take(now)──▶ View, Questions ─▶ Reconciler ◀─ adoption, intent log
//!                                               │
//!   Output ◀──────────────turn(now)─────────────┘
//! ```
//!
//! The same inputs at the same times lead to the same outputs: what a daemon was told can be written down and played again, and a
//! test can let anything happen in any order.

mod adoption;
mod audit;
mod input;
mod questions;
mod routes;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use adoption::Doubts;
use audit::Audit;
use firsthop_model::intent::{Domain, Policy};
use firsthop_model::plan::Limits;
use firsthop_model::reconcile::{Holding, Reconciler, Ticket};
use firsthop_model::retry::FailureClass;
use firsthop_model::topology::{Event, LinkKind, Snapshot, Topology};
use firsthop_model::{IfIndex, Mac};
use questions::Questions;
use routes::Routes;
use view::View;

pub use adoption::Phase;
pub use audit::{Auditing, Finding, Findings};
pub use input::{
    Connected, Dumped, Effect, Former, Found, Heard, HeardRoutes, Input, LogStep, Output, Question,
    Time,
};

use crate::intent_log::IntentLog;

/// Everything that the daemon knows of the kernel and of the chip, and what it wants.
#[derive(Debug, Clone)]
pub struct Engine {
    observe: bool,
    view: View,
    questions: Questions,
    routes: Routes,
    reconciler: Reconciler,
    /// Events folded into reconcilers before this one.
    former_generation: u64,
    routing_devices: BTreeSet<String>,
    phase: Phase,
    doubts: Doubts,
    log: Option<IntentLog>,
    audit: Audit,
    /// The dump that is being audited.
    audit_snapshot: Option<Box<Snapshot>>,
    /// When the chip was last read in full.
    adopted: Option<Time>,
    /// Former MACs that wait for the first snapshot.
    recalled: BTreeSet<Former>,
    writes: u64,
    failures: u64,
    outputs: Vec<Output>,
    /// A device's own MAC changed since the last input.
    mac_changed: bool,
}

impl Engine {
    /// Knows nothing yet. `observe`: what is ready is never written. `seed` spreads the times of snapshots.
    pub fn new(observe: bool, policy: Policy, seed: u64) -> Self {
        let nothing = Limits {
            rifs: 0,
            virtual_routers: 0,
            mac_profiles: 0,
            mac_profile_bits: 48,
            lags: 0,
            adjacencies: 0,
            ecmp_size: 1,
        };
        Self {
            observe,
            view: View::new(seed),
            questions: Questions::default(),
            routes: Routes::default(),
            reconciler: Reconciler::new(policy, Default::default(), nothing),
            former_generation: 0,
            routing_devices: BTreeSet::new(),
            phase: Phase::Away,
            doubts: Doubts::default(),
            log: None,
            audit: Audit::default(),
            audit_snapshot: None,
            adopted: None,
            recalled: BTreeSet::new(),
            writes: 0,
            failures: 0,
            outputs: Vec::new(),
            mac_changed: false,
        }
    }

    /// Takes in what happened. What it leads to is asked for by [`Self::turn`].
    pub fn take(&mut self, input: Input, now: Time) -> Effect {
        let mut effect = Effect::default();
        match input {
            Input::Heard(heard) => self.hear(&heard, now),
            Input::Dumped(dumped) if self.audit.is_dumping() => self.audit_kernel(&dumped, now),
            Input::Dumped(dumped) => {
                effect.snapshot = self.take_dump(dumped, now);
                effect.dumped = true;
            }
            Input::HeardRoutes(heard) => self.hear_routes(heard, now),
            Input::DumpedRoutes(snapshot) => self.take_routes(snapshot, now),
            Input::Answered(question, answer) => {
                for event in self.questions.take_answer(question, answer, now) {
                    self.fold_answer(event, now);
                }
            }
            Input::NoChip => self.view.begin(),
            Input::Connected(connected) => {
                self.audit.give_up(now);
                effect = self.greet(*connected, now);
            }
            Input::Disconnected => {
                self.audit.give_up(now);
                self.part();
            }
            Input::Completed { ticket, result } => {
                match &result {
                    Ok(()) => self.writes += 1,
                    Err(_) => self.failures += 1,
                }
                if let Some(log) = &mut self.log {
                    match &result {
                        Ok(()) => log.acknowledge(ticket),
                        Err(failure) if failure.class == FailureClass::Unknown => {}
                        Err(_) => log.withdraw(ticket),
                    }
                }
                self.reconciler.complete(Ticket(ticket), &result, now);
            }
            Input::Scanned(Ok(found)) if self.audit.is_reading() => self.audit_scan(found, now),
            Input::Rows(Ok(found)) if self.audit.is_reading() => self.audit_rows(found, now),
            Input::Scanned(Err(_)) | Input::Rows(Err(_)) if self.audit.is_reading() => {
                self.audit.give_up(now);
            }
            Input::Scanned(found) => self.take_scan(found, now),
            Input::Rows(found) => effect = self.take_rows(found, now),
            Input::Compute => self.reconciler.recompute(),
            Input::Policy(policy) => self.reconciler.set_policy(*policy),
            Input::VrrpPolicer(size) => self.reconciler.set_vrrp_policer(size),
            Input::Withdrawn(macvlans) => self.reconciler.set_withdrawn(macvlans),
            Input::RoutingDevices(handles) => {
                self.routing_devices.clone_from(&handles);
                self.reconciler.set_routing_devices(handles);
            }
            Input::Recall(former) => self.recall(former),
            Input::Distrust(cause) => self.distrust(&cause),
            Input::Look => self.look(now),
            Input::Auditing(auditing) => self.audit.plan(auditing, now),
            Input::Audit => self.audit.ask(now),
        }
        effect.mac_changed = std::mem::take(&mut self.mac_changed);
        effect
    }

    /// What became of the entries of Linux's bridges, for those who look; nothing is decided by it.
    pub fn set_holdings(&mut self, holdings: BTreeMap<(Domain, Mac), Holding>) {
        self.reconciler.set_holdings(holdings);
    }

    /// What is to be done now, in this order.
    pub fn turn(&mut self, now: Time) -> Vec<Output> {
        if !self.audit.is_dumping() && self.view.dump_is_due(now) {
            self.outputs.push(Output::Dump);
        }
        self.dump_routes_if_due(now);
        self.merge_routes();
        self.reconciler.recompute();
        // a reading of the audit has no name: no other is ordered meanwhile
        if !self.audit.is_reading() {
            self.advance(now);
        }
        self.submit(now);
        self.audit_if_due(now);
        if let Some(question) = self.questions.ask_if_due(now) {
            self.outputs.push(Output::Ask(question));
        }
        self.write_log();
        std::mem::take(&mut self.outputs)
    }

    /// When [`Self::turn`] has to be called though nothing happens.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let retry = self.reconciler.deadline().filter(|_| self.may_write());
        let times = [
            retry,
            self.view.deadline().filter(|_| !self.audit.is_dumping()),
            self.questions.deadline(),
            self.phase.deadline(now),
            self.doubts.deadline(now),
            self.audit.deadline(now),
            self.routes_deadline(),
        ];
        times.into_iter().flatten().min()
    }

    // --- What is known --------------------------------------------------------------------------------------------

    /// Observed, Intended and Applied.
    pub const fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// How far the chip has been taken over.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Applied is what the chip holds.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// There is no connection to a chip.
    pub fn is_away(&self) -> bool {
        self.phase == Phase::Away
    }

    /// Events may have been missed.
    pub const fn is_stale(&self) -> bool {
        self.view.is_stale()
    }

    /// There was a whole snapshot, and none is being taken: never act on a partial view.
    pub const fn may_act(&self) -> bool {
        self.view.may_act()
    }

    /// Nothing that the kernel does not announce is being asked.
    pub fn knows_links(&self) -> bool {
        !self.questions.are_links_open()
    }

    /// Snapshots by cause.
    pub const fn resyncs(&self) -> &BTreeMap<String, u64> {
        self.view.resyncs()
    }

    /// Events folded in since the start.
    pub const fn generation(&self) -> u64 {
        self.former_generation + self.reconciler.generation()
    }

    /// The number among all events of one that the reconciler counted.
    pub const fn event_id(&self, counted: u64) -> u64 {
        self.former_generation + counted
    }

    /// The last event that touched a device; see [`Reconciler::cause_of`].
    pub fn cause_of(&self, ifindex: IfIndex) -> Option<u64> {
        self.reconciler.cause_of(ifindex).map(|cause| self.event_id(cause))
    }

    /// Changes that the chip acknowledged.
    pub const fn writes(&self) -> u64 {
        self.writes
    }

    /// Changes that failed, or whose outcome is unknown.
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// Everything known was acted upon: not stale, nothing pending, nothing in doubt.
    pub fn is_settled(&self) -> bool {
        self.is_ready()
            && self.reconciler.is_synced()
            && !self.reconciler.needs_read_back()
            && !self.is_stale()
            && self.knows_links()
            && self.knows_routes()
    }

    /// What audits found.
    pub const fn findings(&self) -> &Findings {
        self.audit.findings()
    }

    /// The number of rounds of [`Self::findings`] when an audit that is asked for now has ended.
    pub fn next_round(&self) -> u64 {
        self.audit.next_round()
    }

    /// Things that are kept until something else happens: events for a dump.
    pub const fn backlog(&self) -> usize {
        self.view.kept()
    }

    // --- The kernel -----------------------------------------------------------------------------------------------

    fn hear(&mut self, heard: &Heard, now: Time) {
        self.view.hear(heard);
        if heard.loss.is_some() {
            self.questions.distrust();
        }
        for event in &heard.events {
            self.fold(event.clone(), now);
        }
        if self.view.may_act()
            && let Some(event) = view::unheard_of(&heard.events, self.reconciler.topology())
        {
            tracing::info!(?event, "The kernel speaks of a device that it did not announce");
            self.distrust("unknown_device");
        }
    }

    fn distrust(&mut self, cause: &str) {
        self.view.distrust(cause);
        self.questions.distrust();
    }

    /// The number of the event that a whole snapshot is.
    fn take_dump(&mut self, dumped: Dumped, now: Time) -> Option<u64> {
        self.questions.distrust();
        let (believed, since) = self.view.take(dumped);
        let mut id = None;
        match believed {
            Dumped::Whole(snapshot) => id = Some(self.replace(*snapshot, now)),
            Dumped::Partial(snapshot) => {
                for link in snapshot.links {
                    self.fold(Event::Link(Box::new(link)), now);
                }
                for address in snapshot.addresses {
                    self.fold(Event::Address(address), now);
                }
                for range in snapshot.vlans {
                    self.fold(Event::Vlans(range), now);
                }
            }
            Dumped::Failed => {}
        }
        for event in since {
            self.fold(event, now);
        }
        id
    }

    /// Folds an event in.
    fn fold(&mut self, event: Event, now: Time) {
        self.questions.notice(&event, self.reconciler.topology(), now);
        self.fold_answer(event, now);
    }

    /// As [`Self::fold`], for an event that was asked for.
    fn fold_answer(&mut self, event: Event, now: Time) {
        self.suspect_routes(&event, now);
        let topology = self.reconciler.topology();
        let mut changed = BTreeSet::new();
        match &event {
            Event::Link(link) => {
                let former = topology.link(link.ifindex);
                if former.is_some_and(|former| former.mac != link.mac) {
                    changed.insert(link.ifindex);
                    changed.extend(filtered_by(topology, link.ifindex));
                }
            }
            Event::LinkGone(ifindex) => changed.extend(filtered_by(topology, *ifindex)),
            _ => {}
        }
        self.reconciler.fold(event);
        self.changed_mac(changed, now);
    }

    /// Replaces the view, as an event with this number; what an earlier run remembered is taken over with the first one.
    fn replace(&mut self, snapshot: Snapshot, now: Time) -> u64 {
        let topology = self.reconciler.topology();
        let changed = snapshot.links.iter().filter(|link| {
            topology.link(link.ifindex).is_some_and(|former| former.mac != link.mac)
        });
        let changed: Vec<IfIndex> = changed.map(|link| link.ifindex).collect();
        let mut lists = snapshot.mac_lists.clone();
        // what was heard before the first view was looked at then
        let is_first = topology.links().next().is_none();
        self.reconciler.replace(snapshot);
        let id = self.generation();
        if !is_first {
            self.suspect_all_routes(now);
        }
        self.changed_mac(changed, now);
        for Former { ifindex, name, mac } in std::mem::take(&mut self.recalled) {
            let link = self.reconciler.topology().link(ifindex);
            let same = link.is_some_and(|link| link.ifname == name);
            if same && lists.entry(ifindex).or_default().contains(&mac) {
                self.reconciler.remember_former(ifindex, mac);
            }
        }
        id
    }

    fn recall(&mut self, former: BTreeSet<Former>) {
        self.recalled = former;
    }

    /// The filters of these devices may hold something new. They are asked for whatever the device is: it may become a router
    /// interface later.
    fn changed_mac(&mut self, changed: impl IntoIterator<Item = IfIndex>, now: Time) {
        for ifindex in changed {
            if self.reconciler.topology().link(ifindex).is_some() {
                self.mac_changed = true;
                self.questions.mac_changed(ifindex, now);
            }
        }
    }

    // --- The chip -------------------------------------------------------------------------------------------------

    fn may_write(&self) -> bool {
        self.is_ready() && self.view.may_act()
    }

    /// Sends the changes whose time has come.
    fn submit(&mut self, now: Time) {
        if !self.may_write() {
            return;
        }
        let changes = self.reconciler.ready(now);
        if self.observe || changes.is_empty() {
            return;
        }
        if let Some(log) = &mut self.log {
            for (ticket, change) in &changes {
                tracing::debug!(ticket = ticket.0, ?change, "Sent to the chip");
                log.announce(ticket.0, change);
            }
        }
        self.write_log();
        let changes = changes.into_iter().map(|(ticket, change)| (ticket.0, change)).collect();
        self.outputs.push(Output::Write(changes));
    }

    fn write_log(&mut self) {
        self.outputs.extend(self.log.as_mut().and_then(IntentLog::flush).map(Output::Log));
    }
}

/// The devices whose filters a VLAN device's MACs are in: all that it stands on. A macvlan's MAC is told by the macvlan.
fn filtered_by(topology: &Topology, ifindex: IfIndex) -> BTreeSet<IfIndex> {
    match topology.link(ifindex).map(|link| &link.kind) {
        Some(LinkKind::Vlan { .. }) => topology.below(ifindex),
        _ => BTreeSet::new(),
    }
}
