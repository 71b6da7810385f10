//! What may be asked of the watch: who advertises, which flags there are, which macvlan belongs to which virtual router.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::facts::Since;
use super::flag::Clock;
use super::{Finding, Flag, Instance, Liveness, Subject, VirtualRouter, Vmac};
use crate::intent::Scheme;
use crate::policer::Need;
use crate::types::Family;
use crate::{IfIndex, Mac};

impl Liveness {
    /// Macvlans whose MACs are to be withdrawn.
    pub const fn withdrawn(&self) -> &BTreeSet<IfIndex> {
        &self.withdrawn
    }

    /// What the advertisements that are heard need of the policer, as computed last.
    pub const fn need(&self) -> Need {
        self.need
    }

    /// The longest interval of those that were heard; zero: nobody was.
    pub fn slowest(&self) -> Duration {
        let instances = self.interfaces.values().flat_map(|i| i.instances.values());
        let sources = instances.flat_map(Instance::sources);
        sources.map(|source| source.interval).max().unwrap_or_default()
    }

    /// How many virtual routers, interfaces or switches have each flag, as computed last.
    pub fn counts(&self) -> BTreeMap<Flag, u64> {
        let mut counts = BTreeMap::new();
        for flag in self.flags.values().flatten() {
            *counts.entry(*flag).or_default() += 1;
        }
        counts
    }

    /// Who advertises a virtual router.
    pub fn instance(&self, id: VirtualRouter) -> Option<&Instance> {
        self.interfaces.get(&id.interface)?.instances.get(&(id.family, id.vrid))
    }

    /// The virtual router that a macvlan belongs to: by the source MAC of what this router sends, or by the MAC's range.
    pub fn router_of(&self, interface: IfIndex, mac: Mac) -> Option<VirtualRouter> {
        let scheme = Scheme::of(mac).vrrp();
        let named = scheme.map(|(family, vrid)| VirtualRouter { interface, family, vrid });
        let sends = |instance: &Instance| instance.own.as_ref().is_some_and(|o| o.mac == mac);
        if named.and_then(|id| self.instance(id)).is_some_and(|i| i.own.is_some()) {
            return named;
        }
        let known = &self.interfaces.get(&interface);
        let mut instances = known.iter().flat_map(|interface| &interface.instances);
        let ((family, vrid), _) = match instances.find(|(_, instance)| sends(instance)) {
            Some(found) => found,
            None => return named,
        };
        Some(VirtualRouter { interface, family: *family, vrid: *vrid })
    }

    /// What is wrong now with a virtual router, its router interface and the switch.
    pub fn ask(&self, id: VirtualRouter, now: Duration) -> Vec<Finding> {
        let mut found = self.judge(id, now, &mut Clock::default());
        let foreign = self.interfaces.get(&id.interface).and_then(|i| i.foreign.as_ref());
        found.extend(foreign.and_then(|foreign| foreign.finding(now)));
        found.extend(self.switch.clone());
        found.sort_by_key(|finding| finding.flag);
        found
    }

    /// What is wrong now on a router interface, by virtual router.
    pub fn ask_interface(&self, interface: IfIndex, now: Duration) -> Vec<(Subject, Finding)> {
        let all = self.findings(now, &mut Clock::default());
        let mine = all.into_iter().filter(|(subject, _)| match subject {
            Subject::Router(id) => id.interface == interface,
            Subject::Interface(ifindex) => *ifindex == interface,
            Subject::Switch => false,
        });
        mine.flat_map(|(subject, found)| found.into_iter().map(move |f| (subject, f))).collect()
    }

    /// The flags of a virtual router, its router interface and the switch, as computed last.
    pub fn flags(&self, id: VirtualRouter) -> BTreeSet<Flag> {
        let subjects = [Subject::Router(id), Subject::Interface(id.interface), Subject::Switch];
        let flags = subjects.iter().filter_map(|subject| self.flags.get(subject));
        flags.flatten().copied().collect()
    }

    /// Every virtual router of which something is known, or whose MAC a macvlan has.
    pub(super) fn routers(&self) -> BTreeSet<VirtualRouter> {
        let heard = self.interfaces.iter().flat_map(|(interface, known)| {
            known.instances.keys().map(|(family, vrid)| VirtualRouter {
                interface: *interface,
                family: *family,
                vrid: *vrid,
            })
        });
        let named = self.facts.vmacs.keys().filter_map(|(interface, mac)| {
            let (family, vrid) = Scheme::of(*mac).vrrp()?;
            Some(VirtualRouter { interface: *interface, family, vrid })
        });
        heard.chain(named).collect()
    }

    /// The macvlan of a virtual router, and since when it is as it is.
    pub(super) fn vmac_of(&self, id: VirtualRouter) -> Option<(&Vmac, &Since)> {
        let at = |mac: Mac| {
            let key = (id.interface, mac);
            self.facts.vmacs.get(&key).zip(self.since.get(&key))
        };
        let sent = || at(self.instance(id)?.own.as_ref()?.mac);
        sent().or_else(|| at(id.mac()))
    }
}

impl VirtualRouter {
    /// The MAC of RFC 9568 section 7.3.
    pub fn mac(self) -> Mac {
        let family = match self.family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        };
        Mac([0, 0, 0x5e, 0, family, self.vrid.get()])
    }
}
