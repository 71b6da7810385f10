//! From the view to what each object should have: units whose devices changed, and the rows that their objects want.

use crate::IfIndex;
use crate::chip::{Entry, Key, Rif, RifKind};
use crate::intent::{Reason, RouterInterface, unit};
use crate::plan::{Object, interface_entries, trap_entries, vr_entries};

use super::Reconciler;

impl Reconciler {
    /// Computes the units whose devices changed; their objects become due.
    pub fn recompute(&mut self) {
        for ifindex in std::mem::take(&mut self.changed) {
            let fresh = unit(&self.topology, ifindex, &self.policy, &self.chip);
            let former = self.units.get(&ifindex).and_then(|unit| unit.router_interface.as_ref());
            if former != fresh.router_interface.as_ref() {
                let table = |interface: &RouterInterface| interface.table;
                let (from, to) = (former.map(table), fresh.router_interface.as_ref().map(table));
                self.due.insert(Object::Interface(ifindex));
                self.move_table(ifindex, from, to);
            }
            if fresh.is_empty() {
                self.units.remove(&ifindex);
            } else {
                self.units.insert(ifindex, fresh);
            }
        }
    }

    fn move_table(&mut self, ifindex: IfIndex, from: Option<u32>, to: Option<u32>) {
        if from == to {
            return;
        }
        if let Some(table) = from
            && let Some(users) = self.tables.get_mut(&table)
        {
            users.remove(&ifindex);
            if users.is_empty() {
                self.tables.remove(&table);
                self.due.insert(Object::VirtualRouter(table));
            }
        }
        if let Some(table) = to
            && self.tables.entry(table).or_default().insert(ifindex)
        {
            self.due.insert(Object::VirtualRouter(table));
        }
    }

    /// Books what an object should have; returns what stands against having it all.
    pub(super) fn want(&mut self, object: Object) -> Option<Reason> {
        let (entries, refusal) = match object {
            Object::Traps => (trap_entries(&self.policy, &self.limits), None),
            Object::VirtualRouter(table) if self.tables.contains_key(&table) => {
                match vr_entries(table, &self.limits, &self.applied, &mut self.allocation) {
                    Ok(entries) => (entries, None),
                    Err(reason) => (Vec::new(), Some(reason)),
                }
            }
            Object::VirtualRouter(_) | Object::Leftover => (Vec::new(), None),
            Object::Interface(ifindex) => self.want_interface(ifindex),
        };
        let applied = &self.applied;
        self.book.put(object, entries, |key| applied.get(key).is_some() || applied.is_unknown(key));
        if object == Object::Leftover {
            for key in applied.tables().keys() {
                if !self.book.has(key) {
                    self.book.take_care(object, key.clone());
                }
            }
        }
        refusal
    }

    fn want_interface(&mut self, ifindex: IfIndex) -> (Vec<Entry>, Option<Reason>) {
        let wanted = self.units.get(&ifindex).and_then(|unit| unit.router_interface.as_ref());
        let Some(interface) = wanted else { return (Vec::new(), None) };
        let there = self.allocation.rif(ifindex).and_then(|rif| {
            match self.applied.get(&Key::Rif(rif))? {
                Entry::Rif(rif) => Some(rif.clone()),
                _ => None,
            }
        });
        if there.as_ref().is_some_and(|rif| self.is_elsewhere(rif, interface)) {
            return (Vec::new(), None);
        }
        let table = Object::VirtualRouter(interface.table);
        if there.is_none()
            && let Some(trouble) = self.troubles.get(&table)
        {
            let reason = trouble.reason;
            self.allocation.release_interface(ifindex);
            return (Vec::new(), Some(reason));
        }
        let mut lower = |interface: &RouterInterface| {
            interface_entries(interface, &self.limits, &self.applied, &mut self.allocation)
        };
        match (lower(interface), there) {
            (Ok(entries), _) => (entries, None),
            (Err(reason), Some(rif)) => {
                // No profile for the new MAC: the interface goes on with the one it has.
                let mut former = interface.clone();
                let owners = former.router_macs.remove(&interface.mac).unwrap_or_default();
                former.mac = rif.mac;
                former.router_macs.entry(rif.mac).or_default().extend(owners);
                (lower(&former).unwrap_or_default(), Some(reason))
            }
            (Err(reason), None) => {
                self.allocation.release_interface(ifindex);
                (Vec::new(), Some(reason))
            }
        }
    }

    /// A router interface can't move to another virtual router or port: it goes, and comes again.
    fn is_elsewhere(&self, rif: &Rif, interface: &RouterInterface) -> bool {
        let RifKind::Subport { port, .. } = rif.kind;
        port != interface.port || self.allocation.vr(interface.table) != Some(rif.vr)
    }
}
