//! What is the case, as others say it: the kernel by its events, the operator by the policy, advertisements by their silence. Nothing is
//! computed here; each notes what has to be, and the last event that touched a device, so that what follows can be traced to it.

use std::collections::BTreeSet;

use super::Reconciler;
use crate::IfIndex;
use crate::intent::Policy;
use crate::plan::Object;
use crate::policer::Size;
use crate::topology::{Event, Link, Snapshot};

impl Reconciler {
    /// The operator decided anew: everything is computed again.
    pub fn set_policy(&mut self, policy: Policy) {
        if self.policy == policy {
            return;
        }
        let routing = self.policy.routing;
        self.policy = policy;
        if self.policy.routing != routing {
            self.change_routing();
        }
        self.changed.extend(self.topology.links().map(|link| link.ifindex));
        self.causes.clear();
        self.due.insert(Object::Traps);
    }

    /// The VRRP policer gets another size; nothing else is computed again.
    pub fn set_vrrp_policer(&mut self, Size { rate, burst }: Size) {
        if (self.policy.vrrp_rate, self.policy.vrrp_burst) != (rate, burst) {
            (self.policy.vrrp_rate, self.policy.vrrp_burst) = (rate, burst);
            self.due.insert(Object::Traps);
        }
    }

    /// Macvlans whose MACs are withdrawn although their devices look active: their routers are silent.
    pub fn set_withdrawn(&mut self, withdrawn: BTreeSet<IfIndex>) {
        for ifindex in withdrawn.symmetric_difference(&self.withdrawn) {
            let lower = self.topology.link(*ifindex).and_then(Link::lower);
            self.changed.extend(lower);
            for ifindex in lower.into_iter().chain([*ifindex]) {
                self.causes.remove(&ifindex);
            }
        }
        self.withdrawn = withdrawn;
    }

    /// Devices whose drivers route by themselves, by devlink's handle: bridges with their ports are left alone.
    pub fn set_routing_devices(&mut self, handles: BTreeSet<String>) {
        if self.routing_devices != handles {
            self.routing_devices = handles;
            self.changed.extend(self.topology.links().map(|link| link.ifindex));
        }
    }

    /// Folds one event in; nothing is computed until [`Self::recompute`].
    pub fn fold(&mut self, event: Event) {
        let gone = match &event {
            Event::LinkGone(ifindex) => Some(*ifindex),
            _ => None,
        };
        let touched = self.topology.fold(event);
        self.note(touched);
        if let Some(ifindex) = gone {
            self.causes.remove(&ifindex);
        }
    }

    /// Replaces the view by a complete snapshot: the path after a start and after lost events.
    pub fn replace(&mut self, snapshot: Snapshot) {
        let touched = self.topology.replace(snapshot);
        self.note(touched);
        let Self { causes, topology, .. } = self;
        causes.retain(|ifindex, _| topology.link(*ifindex).is_some());
    }

    /// The next event touched these devices.
    fn note(&mut self, touched: BTreeSet<IfIndex>) {
        self.generation += 1;
        self.causes.extend(touched.iter().map(|ifindex| (*ifindex, self.generation)));
        self.changed.extend(touched);
    }

    /// Everything is computed again, as if all had changed.
    pub fn compute_anew(&mut self) {
        self.changed.extend(self.topology.links().map(|link| link.ifindex));
    }

    /// As this would be under another policy, but for routes, next hops and neighbours. Nothing of it goes to the chip.
    #[must_use]
    pub fn under(&self, policy: Policy) -> Self {
        let mut other = self.without_bulk();
        other.set_policy(policy);
        other.recompute();
        other
    }

    /// Devices for which something else would be computed now, though nothing changed: there are none.
    pub fn stale_units(&self) -> BTreeSet<IfIndex> {
        let mut anew = self.without_bulk();
        anew.compute_anew();
        anew.recompute();
        let units = self.units.keys().chain(anew.units.keys());
        let units = units.filter(|ifindex| self.units.get(ifindex) != anew.units.get(ifindex));
        let bridges = self.bridges.keys().chain(anew.bridges.keys());
        let bridges =
            bridges.filter(|ifindex| self.bridges.get(ifindex) != anew.bridges.get(ifindex));
        let lags = self.lags.keys().chain(anew.lags.keys());
        let lags = lags.filter(|ifindex| self.lags.get(ifindex) != anew.lags.get(ifindex));
        units.chain(bridges).chain(lags).copied().collect()
    }
}
