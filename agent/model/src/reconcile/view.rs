//! What may be asked of the state: how each router interface and virtual MAC stands, and where the columns differ.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::forwarding::Forwarding;
use super::{Reconciler, Ticket};
use crate::applied::Applied;
use crate::chip::{Change, Entry, Fid, Key, Rif, RifIndex, Vid};
use crate::fib::Fib;
use crate::intent::{
    BridgeMacs, Bridging, Domain, Policy, Reason, RouterInterface, Scheme, State, Unit, Verdict,
};
use crate::plan::{Allocation, Limits, Object, diff};
use crate::retry::{Retry, Trouble};
use crate::topology::{Link, Topology};
use crate::types::Family;
use crate::{IfIndex, Mac, Vrid};

/// Where an object is on its way into the chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// State
    pub state: State,
    /// Stable reason; None where there is nothing to say.
    pub reason: Option<Reason>,
    /// What the chip said, for people.
    pub text: Option<String>,
}

/// A row in which Intended and Applied differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Whose row it is.
    pub object: Object,
    /// What would be written.
    pub change: Change,
}

/// How far a router MAC is on its way into the forwarding table of a bridge of Linux's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holding {
    /// It is there, acknowledged.
    Held,
    /// It is being written or removed.
    Moving,
    /// A static entry of somebody else's holds the MAC.
    Taken,
    /// The kernel said no, with these words.
    Refused(String),
}

impl Standing {
    const fn plain(state: State) -> Self {
        Self { state, reason: None, text: None }
    }

    /// On its way.
    const fn pending() -> Self {
        Self::with(Reason::Unacknowledged)
    }

    const fn with(reason: Reason) -> Self {
        Self { state: reason.state(), reason: Some(reason), text: None }
    }

    fn troubled(trouble: &Trouble) -> Self {
        let text = Some(trouble.text.clone()).filter(|text| !text.is_empty());
        match trouble.retry {
            Retry::Now => Self { text, ..Self::with(Reason::PendingRetry) },
            Retry::At(_) | Retry::OnRelease { .. } => Self { text, ..Self::with(trouble.reason) },
        }
    }
}

impl Reconciler {
    /// The **Observed** column.
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Counts every event and snapshot that was folded in.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The operator's decisions.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The chip's sizes.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Which ports are the chip's.
    pub const fn chip(&self) -> &crate::intent::ChipIdentity {
        &self.chip
    }

    /// The **Intended** column, by device.
    pub fn units(&self) -> impl Iterator<Item = (IfIndex, &Unit)> {
        self.units.iter().map(|(ifindex, unit)| (*ifindex, unit))
    }

    /// What one device comes to.
    pub fn unit(&self, ifindex: IfIndex) -> Option<&Unit> {
        self.units.get(&ifindex)
    }

    /// Macvlans with VRRP's MACs on router interfaces, active ones' and backups'.
    pub const fn virtual_routers(&self) -> u32 {
        self.virtual_routers
    }

    /// The **Applied** column.
    pub const fn applied(&self) -> &Applied {
        &self.applied
    }

    /// Chip indices.
    pub const fn allocation(&self) -> &Allocation {
        &self.allocation
    }

    /// Nothing is due and nothing under way: Applied is Intended, but for what was refused or failed.
    pub fn is_synced(&self) -> bool {
        self.changed.is_empty()
            && !self.has_changed_ways()
            && self.due.is_empty()
            && self.runs.is_empty()
    }

    /// Rows of unknown content: whose they are, and what they should hold.
    pub fn unknown(&self) -> impl Iterator<Item = (Object, &Key, Option<&Entry>)> {
        self.applied.unknown().map(|key| {
            let owner = self.book.owners(key).next().unwrap_or(Object::Leftover);
            (owner, key, self.book.wanted(key))
        })
    }

    /// Somebody wants this row to hold something.
    pub fn wants(&self, key: &Key) -> bool {
        self.book.wanted(key).is_some()
    }

    /// Nothing is due and nothing under way for the router interface of a device.
    pub fn is_settled(&self, ifindex: IfIndex) -> bool {
        let object = self.seat(ifindex);
        !self.changed.contains(&ifindex)
            && !self.due.contains(object)
            && !self.runs.contains_key(&object)
    }

    /// A submitted change without an answer, and what it is for.
    pub fn submitted_change(&self, ticket: Ticket) -> Option<(Object, &Change)> {
        self.tickets.get(&ticket).map(|(object, change)| (*object, change))
    }

    /// The last event that touched a device, as [`Self::generation`] counted it. None: what was computed of it last follows from
    /// something else, as a configuration.
    pub fn cause_of(&self, ifindex: IfIndex) -> Option<u64> {
        self.causes.get(&ifindex).copied()
    }

    /// Something that somebody waits for is being written: not a route, next hop or host.
    pub fn is_urgent(&self) -> bool {
        self.runs.keys().any(|object| !object.is_bulk())
    }

    /// Submitted changes without an answer.
    pub fn in_flight(&self) -> usize {
        self.tickets.len()
    }

    /// Objects that are due or under way.
    pub fn pending(&self) -> usize {
        let running = self.runs.keys().filter(|object| !self.due.contains(**object));
        self.due.len() + running.count()
    }

    /// The object that the router interface of a device belongs to.
    pub fn seat(&self, ifindex: IfIndex) -> Object {
        self.seats.get(&ifindex).copied().unwrap_or(Object::Interface(ifindex))
    }

    /// The device that an object's rows are told by.
    pub fn device_of(&self, object: Object) -> Option<IfIndex> {
        match object {
            Object::Interface(ifindex) | Object::Lag(ifindex) | Object::Neighbour(ifindex, _) => {
                Some(ifindex)
            }
            Object::Domain(domain) => {
                Some(self.routers.get(&domain).copied().unwrap_or(domain.bridge))
            }
            Object::Traps
            | Object::Bridging
            | Object::Route(..)
            | Object::VirtualRouter(_)
            | Object::NextHops(_)
            | Object::Leftover => None,
        }
    }

    /// The router interface of a device, as the chip acknowledged it.
    pub fn applied_rif(&self, ifindex: IfIndex) -> Option<&Rif> {
        let seat = self.seat(ifindex);
        let own = match seat {
            Object::Domain(domain) => {
                // what another device has taken over is not this one's any more
                self.routers.get(&domain).is_none_or(|router| *router == ifindex)
            }
            _ => true,
        };
        self.applied_rif_of(seat).filter(|_| own)
    }

    /// The router interface of an object, as the chip acknowledged it.
    pub(super) fn applied_rif_of(&self, object: Object) -> Option<&Rif> {
        match self.applied.get(&Key::Rif(self.allocation.rif(object)?))? {
            Entry::Rif(rif) => Some(rif),
            _ => None,
        }
    }

    /// What each bridge with ports of the chip comes to.
    pub const fn bridges(&self) -> &BTreeMap<IfIndex, Bridging> {
        &self.bridges
    }

    /// How a device stands as a router interface; None: there is nothing to say about it.
    pub fn rif_standing(&self, ifindex: IfIndex) -> Option<Standing> {
        let object = self.seat(ifindex);
        let verdict = self.units.get(&ifindex).and_then(|unit| unit.rif.as_ref());
        let moving = self.due.contains(object) || self.runs.contains_key(&object);
        let Some(verdict) = verdict else {
            return self.applied_rif(ifindex).map(|_| Standing::pending());
        };
        if let Some(trouble) = self.troubles.get(&object) {
            return Some(Standing::troubled(trouble));
        }
        if let Some(trouble) = self.refused_row(ifindex) {
            return Some(Standing::troubled(trouble));
        }
        let there = self.applied_rif(ifindex).is_some();
        Some(match verdict.reason() {
            _ if moving => Standing::pending(),
            Some(reason) => Standing::with(reason),
            None if there => Standing::plain(State::Offload),
            None => self.virtual_router_standing(ifindex),
        })
    }

    /// How a member of a bridge stands, by its verdict.
    pub fn member_standing(&self, bridge: IfIndex, verdict: &Verdict) -> Standing {
        let of_bridge =
            |object: &&Object| matches!(object, Object::Domain(d) if d.bridge == bridge);
        match verdict.reason() {
            Some(reason) => Standing::with(reason),
            None if self.due.iter().chain(self.runs.keys().copied()).any(|o| of_bridge(&&o)) => {
                Standing::pending()
            }
            None => {
                let mut troubles = self.troubles.iter().filter(|(object, _)| of_bridge(object));
                let trouble = troubles.find(|(_, trouble)| !trouble.of_router);
                trouble.map_or(Standing::plain(State::Offload), |(_, t)| Standing::troubled(t))
            }
        }
    }

    /// How a macvlan or ipvlan stands.
    pub fn vmac_standing(&self, link: &Link, verdict: &Verdict) -> Standing {
        let lower = link.lower();
        let unit = lower.and_then(|lower| self.units.get(&lower));
        if let Some(macs) = unit.and_then(|unit| unit.bridge_macs.as_ref()) {
            return self.bridge_standing(macs, link, verdict);
        }
        let object = lower.map(|lower| self.seat(lower));
        let moving = object.is_some_and(|o| self.due.contains(o) || self.runs.contains_key(&o));
        let row = lower.and_then(|lower| self.row_of(lower, link));
        let programmed = row.as_ref().is_some_and(|row| self.applied.get(row).is_some());
        if let Some(reason) = verdict.reason() {
            let leaving = moving && programmed && !self.accepts(lower, link.mac);
            return if leaving { Standing::pending() } else { Standing::with(reason) };
        }
        if let Some(refusal) = row.as_ref().and_then(|row| self.refusals.get(row)) {
            return Standing::troubled(&refusal.trouble);
        }
        if programmed && lower.is_some_and(|lower| self.slots_are_settled(lower)) {
            return match self.fast_path(link) {
                Some(false) => Standing::with(Reason::VridConflict),
                _ => Standing::plain(State::Offload),
            };
        }
        let blamed = object.and_then(|object| self.troubles.get(&object));
        blamed.map_or(Standing::pending(), Standing::troubled)
    }

    /// How a macvlan stands over a bridge of Linux's own.
    fn bridge_standing(&self, macs: &BridgeMacs, link: &Link, verdict: &Verdict) -> Standing {
        let holding = link.mac.and_then(|mac| self.holding(macs.domain, mac));
        // by this macvlan or another one; VLAN devices of an unaware bridge share its table
        let wanted = || {
            let mut tables = self.units.values().filter_map(|unit| unit.bridge_macs.as_ref());
            let mac = link.mac.unwrap_or_default();
            tables.any(|table| table.domain == macs.domain && table.macs.contains(&mac))
        };
        let refused = |text: &str| Standing {
            text: Some(text.to_owned()),
            ..Standing::with(Reason::BridgeRefused)
        };
        match (verdict.reason(), holding) {
            (None, Some(Holding::Held)) => Standing::plain(State::Offload),
            (None, Some(Holding::Taken)) => Standing::with(Reason::FdbConflict),
            (None, Some(Holding::Refused(text))) => refused(text),
            (None, Some(Holding::Moving) | None) => Standing::pending(),
            // It leaves, or can't be removed.
            (Some(_), Some(Holding::Held | Holding::Moving)) if !wanted() => Standing::pending(),
            (Some(_), Some(Holding::Refused(text))) if !wanted() => refused(text),
            (Some(reason), _) => Standing::with(reason),
        }
    }

    /// What became of a router MAC in the forwarding table of a bridge of Linux's own; None: it is not there.
    pub fn holding(&self, domain: Domain, mac: Mac) -> Option<&Holding> {
        self.holdings.get(&(domain, mac))
    }

    /// Whether the chip's fast path serves a virtual MAC; None: it is no VRRP MAC, or there is no router interface.
    pub fn fast_path(&self, link: &Link) -> Option<bool> {
        let (family, vrid) = Scheme::of(link.mac?).vrrp()?;
        let rif = self.applied_rif(link.lower()?)?;
        Some(slot(rif, family) == Some(vrid))
    }

    /// Chip indices of the router interface below a virtual MAC.
    pub fn place_of(&self, link: &Link) -> Option<(RifIndex, Fid)> {
        let rif = self.applied_rif(link.lower()?)?;
        Some((rif.rif, rif.kind.fid()))
    }

    /// What would be written now, without writing it: Intended against Applied.
    pub fn differences(&self) -> Vec<Difference> {
        let mut trial = self.without_bulk();
        let mut differences = self.bulk_differences();
        // of routes that share a row with another object the book knows what they want of it
        for object in trial.objects().into_iter().filter(|object| !object.is_bulk()) {
            trial.want(object);
            let plan = diff(&trial.applied, trial.book.wants(object));
            differences.extend(plan.changes().map(|c| Difference { object, change: c.clone() }));
        }
        differences
    }

    /// Everything but routes, next hops and neighbours, to try something on: of these there may be very many.
    pub(super) fn without_bulk(&self) -> Self {
        let book = self.book.without_bulk();
        let keys: BTreeSet<&Key> = book.keys().filter(|key| key.is_bulk()).collect();
        let applied = self.applied.without_bulk(keys.into_iter());
        Self {
            policy: self.policy.clone(),
            chip: self.chip.clone(),
            limits: self.limits,
            topology: self.topology.clone(),
            fib: Fib::default(),
            generation: self.generation,
            changed: self.changed.clone(),
            causes: self.causes.clone(),
            aware_bridge: self.aware_bridge,
            withdrawn: self.withdrawn.clone(),
            routing_devices: self.routing_devices.clone(),
            units: self.units.clone(),
            virtual_routers: self.virtual_routers,
            bridges: self.bridges.clone(),
            lags: self.lags.clone(),
            tables: self.tables.clone(),
            routers: self.routers.clone(),
            seats: self.seats.clone(),
            forwarding: Forwarding::default(),
            book,
            allocation: self.allocation.clone(),
            due: Due::default(),
            goes_on: false,
            runs: self.runs.clone(),
            tickets: self.tickets.clone(),
            stepping: self.stepping.clone(),
            locks: self.locks.clone(),
            fences: self.fences.clone(),
            last_ticket: self.last_ticket,
            applied,
            troubles: self.troubles.clone(),
            refusals: self.refusals.clone(),
            holdings: self.holdings.clone(),
        }
    }

    /// Every object that may have rows.
    pub(super) fn objects(&self) -> Vec<Object> {
        let mut objects = vec![Object::Traps, Object::Bridging, Object::Leftover];
        let tables = self.tables.keys().copied().chain(self.allocation.tables());
        objects.extend(tables.map(Object::VirtualRouter));
        let lags = self.lags.keys().copied().chain(self.allocation.lags());
        objects.extend(lags.map(Object::Lag));
        let interfaces = self.units.values().filter_map(|unit| unit.router_interface.as_ref());
        objects.extend(interfaces.map(RouterInterface::object));
        objects.extend(self.allocation.interfaces());
        objects.extend(self.book.objects());
        objects.extend(self.bulk_objects());
        for (bridge, bridging) in &self.bridges {
            let domain = |vlan: &Option<Vid>| Domain { bridge: *bridge, vlan: *vlan };
            objects.extend(bridging.domains.keys().map(domain).map(Object::Domain));
        }
        objects.sort();
        objects.dedup();
        objects
    }

    fn virtual_router_standing(&self, ifindex: IfIndex) -> Standing {
        let interface = self.units.get(&ifindex).and_then(|unit| unit.router_interface.as_ref());
        let table = interface.map(|interface: &RouterInterface| interface.table);
        let trouble = table.and_then(|table| self.troubles.get(&Object::VirtualRouter(table)));
        trouble.map_or(Standing::pending(), Standing::troubled)
    }

    /// A row of the interface's own that the chip refused: its MAC's record or a destination, but not a virtual MAC.
    fn refused_row(&self, ifindex: IfIndex) -> Option<&Trouble> {
        let own = self.applied_rif(ifindex).map(|rif| rif.mac);
        let mine = |key: &Key| match key {
            Key::RouterMac(_, mac) => Some(*mac) == own,
            _ => true,
        };
        let unit = self.units.get(&ifindex).and_then(|unit| unit.router_interface.as_ref());
        let lag = unit.and_then(RouterInterface::lag).map(Object::Lag);
        let seat = self.seat(ifindex);
        let is_owner = |key: &Key| self.book.owners(key).any(|o| o == seat || Some(o) == lag);
        let mut refusals = self.refusals.iter();
        refusals.find(|(key, _)| mine(key) && is_owner(key)).map(|(_, refusal)| &refusal.trouble)
    }

    /// The router interface of a device is to take frames for a MAC, for whichever owner.
    fn accepts(&self, lower: Option<IfIndex>, mac: Option<Mac>) -> bool {
        let unit = lower.and_then(|lower| self.units.get(&lower));
        let interface = unit.and_then(|unit| unit.router_interface.as_ref());
        interface.zip(mac).is_some_and(|(interface, mac)| interface.router_macs.contains_key(&mac))
    }

    /// The fast-path slots hold what they should.
    fn slots_are_settled(&self, lower: IfIndex) -> bool {
        let Some(rif) = self.applied_rif(lower) else { return false };
        let slots = |rif: &Rif| (rif.vrrp_ipv4, rif.vrrp_ipv6);
        match self.book.wanted(&Key::Rif(rif.rif)) {
            Some(Entry::Rif(wanted)) => slots(wanted) == slots(rif),
            _ => false,
        }
    }

    /// The row of a macvlan's MAC in the router interface below it.
    fn row_of(&self, lower: IfIndex, link: &Link) -> Option<Key> {
        Some(Key::RouterMac(self.applied_rif(lower)?.kind.fid(), link.mac?))
    }
}

/// The holder of a fast-path slot.
const fn slot(rif: &Rif, family: Family) -> Option<Vrid> {
    match family {
        Family::Ipv4 => rif.vrrp_ipv4,
        Family::Ipv6 => rif.vrrp_ipv6,
    }
}

impl Reconciler {
    /// See [`Self::set_withdrawn`].
    pub const fn withdrawn(&self) -> &BTreeSet<IfIndex> {
        &self.withdrawn
    }

    /// A record of an earlier run: the device once had this MAC.
    pub fn remember_former(&mut self, ifindex: IfIndex, mac: Mac) {
        self.generation += 1;
        self.topology.remember_former(ifindex, mac);
        self.changed.insert(ifindex);
    }
}
