//! Who stands on what: what waits, what is woken, and what goes last.

use super::groups::{Group, RouteKey};
use super::prefix_range;
use crate::IfIndex;
use crate::chip::{AdjacencyIndex, Entry, Key, Rif, RifIndex};
use crate::intent::{Reason, Way};
use crate::plan::Object;
use crate::reconcile::Reconciler;
use crate::reconcile::run::Run;

impl Reconciler {
    /// See [`Reconciler::is_blocked`]. Whoever waits here is woken, so that it need not stay due.
    pub(in crate::reconcile) fn is_bulk_blocked(&self, object: Object) -> bool {
        match object {
            Object::Route(table, prefix) => {
                // one write instead of two; but what is in the chip may have to leave a router interface first
                let is_new = self.book.rows(object).next().is_none();
                match self.forwarding.ways.get(&(table, prefix)) {
                    None => false,
                    Some(_) if !self.forwarding.routers.contains(&table) => true,
                    Some(Way::Link(ifindex)) => is_new && self.rif_may_come(*ifindex),
                    Some(Way::Gateways(hops)) => {
                        self.group_of(hops).is_some_and(|(number, group)| {
                            let rif_comes =
                                || hops.iter().any(|hop| self.rif_may_come(hop.ifindex));
                            !group.is_there
                                && (self.may_come(number, group) || is_new && rif_comes())
                        })
                    }
                    Some(_) => false,
                }
            }
            Object::NextHops(number) => self.forwarding.groups.get(number).is_some_and(|group| {
                let used = group.block.is_some_and(|(first, _)| self.uses_group(first));
                group.users.is_empty() && used
            }),
            _ => false,
        }
    }

    /// The router interface of a device is being built.
    pub(super) fn rif_may_come(&self, ifindex: IfIndex) -> bool {
        let unit = self.units.get(&ifindex).and_then(|unit| unit.router_interface.as_ref());
        !self.forwarding.rifs.contains_key(&ifindex)
            && unit.is_some_and(|interface| {
                let object = interface.object();
                self.is_busy(object) && !self.troubles.contains_key(&object)
            })
    }

    /// A group is being built.
    pub(super) fn may_come(&self, number: u32, group: &Group) -> bool {
        !self.troubles.contains_key(&Object::NextHops(number))
            && group.gateways.iter().any(|hop| self.forwarding.rifs.contains_key(&hop.ifindex))
    }

    /// Routes of a table are in some object's care.
    pub(in crate::reconcile) fn has_routes(&self, table: u32) -> bool {
        let [first, last] = prefix_range();
        self.book.has_any(Object::Route(table, first)..=Object::Route(table, last))
    }

    /// An object has everything that it should: what stands on it may come.
    pub(in crate::reconcile) fn publish(&mut self, object: Object) {
        match object {
            Object::VirtualRouter(table) => {
                let stays = self.tables.contains_key(&table);
                if stays && self.is_complete(object) && self.forwarding.routers.insert(table) {
                    let routes: Vec<RouteKey> = self.ways_of(table).collect();
                    self.due.extend(
                        routes.into_iter().map(|(table, prefix)| Object::Route(table, prefix)),
                    );
                }
            }
            Object::Interface(_) | Object::Domain(_) => {
                let stays = |rif: &&Rif| {
                    let wanted = self.book.wanted(&Key::Rif(rif.rif));
                    matches!(wanted, Some(Entry::Rif(wanted)) if wanted.enabled)
                };
                let rif = self.applied_rif_of(object).filter(stays).map(|rif| rif.rif);
                self.publish_rif(object, rif);
            }
            Object::NextHops(number) => self.publish_group(number),
            _ => {}
        }
    }

    /// The device whose router interface belongs to an object.
    pub(super) fn router_device(&self, object: Object) -> Option<IfIndex> {
        match object {
            Object::Interface(ifindex) => Some(ifindex),
            Object::Domain(domain) => self.routers.get(&domain).copied(),
            _ => None,
        }
    }

    pub(super) fn publish_rif(&mut self, object: Object, rif: Option<RifIndex>) {
        let enabled = self.applied_rif_of(object).is_some_and(|rif| rif.enabled);
        if let Some(rif) = rif.filter(|_| enabled && self.wants_router(object))
            && let Some(ifindex) = self.router_device(object)
            && self.forwarding.rifs.insert(ifindex, rif) != Some(rif)
        {
            self.wake_users(ifindex);
        }
    }

    /// The virtual router of a table goes, and its routes before it.
    pub(in crate::reconcile) fn withdraw_virtual_router(&mut self, table: u32) {
        self.forwarding.routers.remove(&table);
    }

    /// Nothing may lead to the router interface of a device any more.
    pub(in crate::reconcile) fn withdraw_rif(&mut self, ifindex: IfIndex) {
        if self.forwarding.rifs.remove(&ifindex).is_some() {
            self.wake_users(ifindex);
        }
    }

    pub(in crate::reconcile) fn wake_users(&mut self, ifindex: IfIndex) {
        if !self.routes_in_hardware() {
            return;
        }
        let routes = self.forwarding.on_link.get(&ifindex);
        self.due.extend(routes.map(|(table, prefix)| Object::Route(*table, *prefix)));
        let groups: Vec<u32> = self.forwarding.groups.on(ifindex).collect();
        for number in groups {
            self.due.insert(Object::NextHops(number));
            self.wake_group_users(number);
        }
        let hosts = self.fib.neighbours_on(ifindex);
        self.due.extend(hosts.map(|host| Object::Neighbour(ifindex, host.ip)));
    }

    /// Routes that wait for a group, or have to go another way without it.
    pub(in crate::reconcile) fn wake_group_users(&mut self, number: u32) {
        let group = self.forwarding.groups.get(number).filter(|group| !group.is_there);
        let users = group.into_iter().flat_map(|group| &group.users);
        self.due.extend(users.map(|(table, prefix)| Object::Route(*table, *prefix)));
    }

    pub(super) fn publish_group(&mut self, number: u32) {
        let object = Object::NextHops(number);
        let Some(group) = self.forwarding.groups.get(number) else { return };
        if self.book.rows(object).next().is_none() {
            let frees = group.block.is_some();
            if group.users.is_empty() {
                self.forwarding.groups.remove(number);
            } else {
                self.forwarding.groups.release(number);
            }
            if frees {
                self.wake_for_adjacencies();
            }
            return;
        }
        let complete = self.is_complete(object) && !self.forwarding.idle.contains(&number);
        if complete && !group.is_there && !group.users.is_empty() {
            self.wake_group_users(number);
            if let Some(group) = self.forwarding.groups.get_mut(number) {
                group.is_there = true;
            }
        }
    }

    /// The chip has everything of an object, and there is something.
    pub(super) fn is_complete(&self, object: Object) -> bool {
        let mut rows = self.book.wants(object).peekable();
        let held = |(_, wanted): (&Key, Option<&Entry>)| {
            wanted.is_some_and(|wanted| self.applied.holds(wanted))
        };
        rows.peek().is_some() && rows.all(held)
    }

    /// Adjacencies were freed: groups that found the table full may try again.
    pub(super) fn wake_for_adjacencies(&mut self) {
        let full = self.troubles.iter().filter(|(object, trouble)| {
            matches!(object, Object::NextHops(_)) && trouble.reason == Reason::AdjacencyTableFull
        });
        self.due.extend(full.map(|(object, _)| *object));
    }

    /// A router interface that something leads to goes off, and goes when that has left.
    pub(in crate::reconcile) fn park(&mut self, object: Object, entries: &mut Vec<Entry>) {
        if entries.iter().any(|entry| matches!(entry, Entry::Rif(_))) {
            self.forwarding.parked.remove(&object);
            return;
        }
        if let Some(ifindex) = self.router_device(object) {
            self.withdraw_rif(ifindex);
        }
        let there = self.applied_rif_of(object).filter(|rif| self.uses_rif(rif.rif)).cloned();
        let Some(rif) = there else {
            self.forwarding.parked.remove(&object);
            return;
        };
        let fid = Entry::Fid { fid: rif.kind.fid() };
        if !entries.contains(&fid) {
            entries.push(fid);
        }
        entries.push(Entry::Rif(Rif { enabled: false, ..rif }));
        self.forwarding.parked.insert(object);
    }

    /// Something leads to a router interface, may, or is about to.
    pub(super) fn uses_rif(&self, rif: RifIndex) -> bool {
        self.applied.uses_rif(rif) || self.forwarding.in_flight.to_rif(rif)
    }

    /// As [`Self::uses_rif`], of a group.
    pub(super) fn uses_group(&self, first: AdjacencyIndex) -> bool {
        self.applied.uses_group(first) || self.forwarding.in_flight.to_group(first)
    }

    /// A plan is to be carried out, and may be taken back.
    pub(in crate::reconcile) fn note_begun(&mut self, run: &Run) {
        for entry in run.contents() {
            self.forwarding.in_flight.add(entry);
        }
    }

    /// A plan was carried out, or taken back.
    pub(in crate::reconcile) fn note_ended(&mut self, run: &Run) {
        for entry in run.contents() {
            self.forwarding.in_flight.remove(entry);
        }
    }

    /// Nothing leads any more to what goes then.
    pub(in crate::reconcile) fn release(&mut self) {
        let parked = self.forwarding.parked.iter().filter(|object| {
            self.applied_rif_of(**object).is_none_or(|rif| !self.uses_rif(rif.rif))
        });
        let parked: Vec<Object> = parked.copied().collect();
        for object in parked {
            self.forwarding.parked.remove(&object);
            self.due.insert(object);
        }
        let groups = &self.forwarding.groups;
        let idle = self.forwarding.idle.iter().filter(|number| {
            let block = groups.get(**number).and_then(|group| group.block);
            block.is_none_or(|(first, _)| !self.uses_group(first))
        });
        let idle: Vec<u32> = idle.copied().collect();
        for number in idle {
            self.forwarding.idle.remove(&number);
            self.due.insert(Object::NextHops(number));
        }
    }

    /// A group waits until no route leads to it.
    pub(in crate::reconcile) fn keep_idle(&mut self, object: Object) {
        if let Object::NextHops(number) = object {
            self.forwarding.idle.insert(number);
        }
    }
}
