//! From the view to what each object should have: devices that changed, and the rows that their objects want.

use super::{Obstacle, Reconciler};
use crate::IfIndex;
use crate::chip::{Entry, Fid, Key, PortOrLag, Rif, RifIndex, RifKind};
use crate::intent::{
    Domain, Lane, Members, Place, Reason, RouterInterface, Scene, aware_bridge, bridging, lag, unit,
};
use crate::plan::{
    Object, bridging_entries, domain_entries, router_entries, subport_entries, trap_entries,
    vr_entries,
};
use crate::retry::{Retry, Trouble};
use crate::topology::{Link, LinkKind};

impl Reconciler {
    /// What intent is computed from.
    pub const fn scene(&self) -> Scene<'_> {
        Scene {
            topology: &self.topology,
            policy: &self.policy,
            chip: &self.chip,
            aware_bridge: self.aware_bridge,
            withdrawn: &self.withdrawn,
            routers: &self.routing_devices,
        }
    }

    /// Computes what changed devices come to; their objects become due.
    pub fn recompute(&mut self) {
        self.elect_aware_bridge();
        let changed = std::mem::take(&mut self.changed);
        for ifindex in &changed {
            self.recompute_unit(*ifindex);
            self.recompute_lag(*ifindex);
            self.recompute_bridge(*ifindex);
        }
        self.recompute_ways(&changed);
    }

    /// Another VLAN-aware bridge than before, or none: every bridge and what stands on it is looked at again.
    fn elect_aware_bridge(&mut self) {
        let concerns = |ifindex: &IfIndex| {
            self.aware_bridge == Some(*ifindex)
                || self.topology.link(*ifindex).is_some_and(is_bridge)
        };
        if !self.changed.iter().any(concerns) {
            return;
        }
        let elected = aware_bridge(&self.topology, &self.chip);
        if elected != self.aware_bridge {
            self.aware_bridge = elected;
            for bridge in self.topology.links().filter(|link| is_bridge(link)) {
                self.changed.extend(self.topology.concerned(bridge.ifindex));
            }
        }
    }

    fn recompute_unit(&mut self, ifindex: IfIndex) {
        let fresh = unit(&self.scene(), ifindex);
        let former = self.units.get(&ifindex).and_then(|unit| unit.router_interface.as_ref());
        let interface = fresh.router_interface.as_ref();
        if former != interface {
            let table = |interface: &RouterInterface| interface.table;
            let tables = (former.map(table), interface.map(table));
            let seats =
                (former.map(RouterInterface::object), interface.map(RouterInterface::object));
            self.due.extend(seats.0.into_iter().chain(seats.1));
            self.move_table(ifindex, tables.0, tables.1);
            self.move_seat(ifindex, seats.0, seats.1);
            if seats.0 != seats.1 {
                self.withdraw_rif(ifindex);
                // those that waited for one that does not come
                self.wake_users(ifindex);
            }
        }
        self.virtual_routers += fresh.virtual_routers;
        let former = if fresh.is_empty() {
            self.units.remove(&ifindex)
        } else {
            self.units.insert(ifindex, fresh)
        };
        self.virtual_routers -= former.map_or(0, |unit| unit.virtual_routers);
        if self.topology.link(ifindex).is_none() {
            self.seats.remove(&ifindex);
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
                self.withdraw_virtual_router(table);
                self.due.insert(Object::VirtualRouter(table));
            }
        }
        if let Some(table) = to
            && self.tables.entry(table).or_default().insert(ifindex)
        {
            self.due.insert(Object::VirtualRouter(table));
        }
    }

    fn move_seat(&mut self, ifindex: IfIndex, from: Option<Object>, to: Option<Object>) {
        if let Some(Object::Domain(domain)) = from
            && self.routers.get(&domain) == Some(&ifindex)
        {
            self.routers.remove(&domain);
        }
        if let Some(Object::Domain(domain)) = to {
            self.routers.insert(domain, ifindex);
        }
        if let Some(to) = to {
            self.seats.insert(ifindex, to);
        }
        self.due.insert(Object::Bridging);
    }

    fn recompute_lag(&mut self, ifindex: IfIndex) {
        let fresh = lag(&self.scene(), ifindex);
        if self.lags.get(&ifindex).is_some_and(|former| *former == fresh) {
            return;
        }
        let former = if fresh.is_empty() {
            self.lags.remove(&ifindex)
        } else {
            self.lags.insert(ifindex, fresh)
        };
        if former.is_some() || self.lags.contains_key(&ifindex) {
            self.due.insert(Object::Lag(ifindex));
        }
    }

    fn recompute_bridge(&mut self, ifindex: IfIndex) {
        let fresh = bridging(&self.scene(), ifindex);
        let former = self.bridges.remove(&ifindex).unwrap_or_default();
        if former != fresh {
            let vlans = former.domains.keys().chain(fresh.domains.keys());
            let changed =
                vlans.filter(|vlan| former.domains.get(*vlan) != fresh.domains.get(*vlan));
            let domain = |vlan| Object::Domain(Domain { bridge: ifindex, vlan });
            self.due.extend(changed.map(|vlan| domain(*vlan)));
            self.due.insert(Object::Bridging);
        }
        if !fresh.is_empty() {
            self.bridges.insert(ifindex, fresh);
        }
    }

    /// Books what an object should have; returns what stands against having it all.
    pub(super) fn want(&mut self, object: Object) -> Obstacle {
        let (mut entries, obstacle) = match object {
            Object::Traps => (trap_entries(&self.policy, &self.limits), Obstacle::None),
            Object::Bridging => (self.want_bridging(), Obstacle::None),
            Object::VirtualRouter(table) if self.tables.contains_key(&table) => {
                match vr_entries(table, &self.limits, &self.applied, &mut self.allocation) {
                    Ok(entries) => (entries, Obstacle::None),
                    Err(reason) => (Vec::new(), Obstacle::Full(reason)),
                }
            }
            Object::VirtualRouter(_) | Object::Leftover => (Vec::new(), Obstacle::None),
            Object::Lag(ifindex) => self.want_lag(ifindex),
            Object::Interface(ifindex) => self.want_interface(ifindex),
            Object::Domain(domain) => self.want_domain(domain),
            Object::Route(table, prefix) => (self.want_route((table, prefix)), Obstacle::None),
            Object::NextHops(number) => self.want_next_hops(number),
            Object::Neighbour(ifindex, ip) => (self.want_neighbour(ifindex, ip), Obstacle::None),
        };
        if matches!(object, Object::Interface(_) | Object::Domain(_)) {
            self.park(object, &mut entries);
        }
        let applied = &self.applied;
        let in_chip = |key: &Key| applied.tables().contains_key(key) || applied.is_unknown(key);
        // a row that two want is the one's until that lets go of it
        for key in self.book.put(object, entries, in_chip) {
            if applied.get(&key) != self.book.wanted(&key) || applied.is_presumed(&key) {
                self.due.extend(self.book.owners(&key));
            }
        }
        match object {
            Object::Lag(ifindex) => self.keep_ports(ifindex),
            Object::Leftover => {
                for key in applied.tables().keys() {
                    if !self.book.has(key) {
                        self.book.take_care(object, key.clone());
                    }
                }
            }
            _ => {}
        }
        obstacle
    }

    pub(super) fn want_bridging(&self) -> Vec<Entry> {
        let bridges = self.bridges.values().filter(|bridging| !bridging.domains.is_empty());
        match bridges.map(|bridging| bridging.ageing_time).min() {
            None if self.routers.is_empty() => Vec::new(),
            ageing_time => bridging_entries(ageing_time.unwrap_or(0)),
        }
    }

    fn want_interface(&mut self, ifindex: IfIndex) -> (Vec<Entry>, Obstacle) {
        let object = Object::Interface(ifindex);
        let wanted = self.units.get(&ifindex).and_then(|unit| unit.router_interface.clone());
        let Some(interface) = wanted else { return (Vec::new(), Obstacle::None) };
        let Place::Subport(mut lane) = interface.place.clone() else {
            return (Vec::new(), Obstacle::None);
        };
        if let Some(lag) = lane.lag {
            lane.ports.retain(|port, _| self.lag_of_port(*port) == Some(lag));
        }
        let at = match self.port_or_lag(&lane) {
            Ok(at) => at,
            Err(reason) => {
                self.give_up_rif(object);
                return (Vec::new(), Obstacle::Full(reason));
            }
        };
        let kind = |rif| RifKind::Subport { at, fid: Fid::of_subport(rif) };
        let (router, obstacle) = self.want_router(object, &interface, kind);
        let Some((rif, mut entries)) = router else { return (Vec::new(), obstacle) };
        entries.extend(subport_entries(&lane, rif));
        (entries, obstacle)
    }

    fn want_domain(&mut self, domain: Domain) -> (Vec<Entry>, Obstacle) {
        let object = Object::Domain(domain);
        let members = self.members(domain);
        let router = self.routers.get(&domain).and_then(|ifindex| self.units.get(ifindex));
        let router = router.and_then(|unit| unit.router_interface.clone());
        if members.is_empty() && router.is_none() {
            return (Vec::new(), Obstacle::None);
        }
        let fid = match domain.vlan {
            Some(vid) => Fid::of_vlan(vid),
            None => match self.allocation.take_fid(domain.bridge, &self.applied) {
                Ok(fid) => fid,
                Err(reason) => return (Vec::new(), Obstacle::Full(reason)),
            },
        };
        let kind = |_| match domain.vlan {
            Some(vid) => RifKind::Vlan { vid, fid },
            None => RifKind::Fid { fid },
        };
        let (router, obstacle) = match &router {
            // what failed alone must not keep the ports from being bridged
            Some(_) if self.router_waits(object) => (None, Obstacle::Known),
            Some(interface) => self.want_router(object, interface, kind),
            None => (None, Obstacle::None),
        };
        let (rif, mut entries) = match router {
            Some((rif, entries)) => (Some(rif), entries),
            None => (None, Vec::new()),
        };
        entries.extend(domain_entries(domain, fid, &members, rif, &self.allocation));
        (entries, obstacle)
    }

    /// The members of a domain, but for ports of a LAG that the chip does not have (yet): alone they would make a loop.
    fn members(&self, domain: Domain) -> Members {
        let members = self.bridges.get(&domain.bridge).and_then(|bridge| bridge.members(domain));
        let mut members = members.cloned().unwrap_or_default();
        members.retain(|(port, _), member| {
            member.lag.is_none_or(|lag| self.lag_of_port(*port).is_some_and(|own| own == lag))
        });
        members
    }

    /// The router interface of a domain was refused and its time has not come.
    pub(super) fn router_waits(&self, object: Object) -> bool {
        let there = self.allocation.rif(object).is_some_and(|rif| self.is_there(&Key::Rif(rif)));
        let refused = |trouble: &Trouble| trouble.of_router && trouble.retry != Retry::Now;
        matches!(object, Object::Domain(_))
            && !there
            && self.troubles.get(&object).is_some_and(refused)
    }

    /// Where a sub-port is, once its LAG is there.
    fn port_or_lag(&self, lane: &Lane) -> Result<PortOrLag, Reason> {
        let Some(lag) = lane.lag else {
            // a lane without a LAG has exactly one port
            let port = lane.ports.keys().next();
            return port.copied().map(PortOrLag::Port).ok_or(Reason::LowerNotAsic);
        };
        let trouble = self.troubles.get(&Object::Lag(lag)).map(|trouble| trouble.reason);
        let there = lane.ports.keys().any(|port| self.lag_of_port(*port) == Some(lag));
        let index = self.allocation.lag(lag).filter(|_| there);
        index.map(PortOrLag::Lag).ok_or(trouble.unwrap_or(Reason::LagTableFull))
    }

    /// The rows of a router interface; None: it is refused, or has to go before it can come.
    fn want_router(
        &mut self,
        object: Object,
        interface: &RouterInterface,
        kind: impl Fn(RifIndex) -> RifKind + Copy,
    ) -> (Option<(RifIndex, Vec<Entry>)>, Obstacle) {
        let there =
            self.allocation.rif(object).and_then(|rif| match self.applied.get(&Key::Rif(rif))? {
                Entry::Rif(rif) => Some(rif.clone()),
                _ => None,
            });
        if let Some(rif) = &there
            && self.is_elsewhere(rif, interface, kind(rif.rif))
        {
            return (None, Obstacle::Moves);
        }
        let table = Object::VirtualRouter(interface.table);
        if there.is_none()
            && let Some(trouble) = self.troubles.get(&table)
        {
            let reason = trouble.reason;
            self.give_up_rif(object);
            return (None, Obstacle::Full(reason));
        }
        let mut lower = |interface: &RouterInterface| {
            let allocation = &mut self.allocation;
            router_entries(object, interface, kind, &self.limits, &self.applied, allocation)
        };
        match (lower(interface), there) {
            (Ok(entries), _) => (Some(entries), Obstacle::None),
            (Err(reason), Some(rif)) => {
                // No profile for the new MAC: the interface goes on with the one it has.
                let mut former = interface.clone();
                let owners = former.router_macs.remove(&interface.mac).unwrap_or_default();
                former.mac = rif.mac;
                former.router_macs.entry(rif.mac).or_default().extend(owners);
                (lower(&former).ok(), Obstacle::Full(reason))
            }
            (Err(reason), None) => {
                self.give_up_rif(object);
                (None, Obstacle::Full(reason))
            }
        }
    }

    /// No router interface can come for an object. One that is in the chip, or may be, keeps its index until it has gone.
    fn give_up_rif(&mut self, object: Object) {
        let there = self.allocation.rif(object).is_some_and(|rif| self.is_there(&Key::Rif(rif)));
        if !there {
            self.allocation.release_interface(object);
        }
    }

    /// A router interface can't move to another virtual router, port or LAG: it goes, and comes again.
    fn is_elsewhere(&self, rif: &Rif, interface: &RouterInterface, kind: RifKind) -> bool {
        rif.kind != kind || self.allocation.vr(interface.table) != Some(rif.vr)
    }
}

const fn is_bridge(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Bridge { .. })
}
