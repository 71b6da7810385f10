//! What may be asked of routes and hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;

use ipnet::IpNet;

use crate::IfIndex;
use crate::chip::{Entry, Key, RifIndex};
use crate::intent::{Gateway, Reason, Way};
use crate::plan::{Object, diff};
use crate::reconcile::{Difference, Reconciler};

impl Reconciler {
    /// What would be written of routes, next hops and neighbours.
    pub(in crate::reconcile) fn bulk_differences(&self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let leaving = self.book.objects().filter(Object::is_bulk);
        let objects: BTreeSet<Object> = leaving.chain(self.bulk_objects()).collect();
        for object in objects {
            let wanted: Vec<Entry> = match object {
                Object::Route(table, prefix) => self.want_route((table, prefix)),
                Object::Neighbour(ifindex, ip) => self.want_neighbour(ifindex, ip),
                // their places are chosen when they are planned
                _ => {
                    let rows = self.book.rows(object).filter_map(|key| self.book.wanted(key));
                    rows.cloned().collect()
                }
            };
            let wanted = wanted.iter().map(|entry| (entry.key(), entry));
            let wanted: BTreeMap<Key, &Entry> = wanted.collect();
            let gone = self
                .book
                .rows(object)
                .filter(|key| !wanted.contains_key(*key) && self.book.wanted(key).is_none());
            let rows = wanted.iter().map(|(key, entry)| (key, Some(*entry)));
            let plan = diff(&self.applied, rows.chain(gone.map(|key| (key, None))));
            let changes = plan.changes().cloned();
            differences.extend(changes.map(|change| Difference { object, change }));
        }
        differences
    }

    /// What prefixes of virtual routers come to, by the virtual router's table and prefix.
    pub fn ways(&self) -> impl Iterator<Item = (u32, IpNet, &Way)> {
        self.forwarding.ways.iter().map(|((table, prefix), way)| (*table, *prefix, way))
    }

    /// As [`Self::ways`], behind one.
    pub fn ways_after(
        &self,
        after: Option<(u32, IpNet)>,
    ) -> impl Iterator<Item = (u32, IpNet, &Way)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ways = self.forwarding.ways.range((from, Bound::Unbounded));
        ways.map(|((table, prefix), way)| (*table, *prefix, way))
    }

    /// What a prefix of a virtual router comes to, by the virtual router's table.
    pub fn way_of(&self, table: u32, prefix: &IpNet) -> Option<&Way> {
        self.forwarding.ways.get(&(table, *prefix))
    }

    /// Routes and hosts that wait for room.
    pub fn waiting_for_room(&self) -> (usize, usize) {
        self.forwarding.shortage.waiting()
    }

    /// Why packets to a prefix go to the CPU although its route would forward or drop them, or why it is not in the chip; None: it
    /// is as it should be. With what the chip said.
    pub fn route_reason(&self, table: u32, prefix: IpNet) -> Option<(Reason, Option<&str>)> {
        self.reason_of_way(table, prefix, self.forwarding.ways.get(&(table, prefix))?)
    }

    /// As [`Self::route_reason`], by what the prefix comes to.
    pub fn reason_of_way(
        &self,
        table: u32,
        prefix: IpNet,
        way: &Way,
    ) -> Option<(Reason, Option<&str>)> {
        let route = (table, prefix);
        if let Some(text) = self.forwarding.shortage.of_route(&route) {
            return Some((Reason::RouteTableFull, Some(text)));
        }
        let object = Object::Route(table, prefix);
        // as a rule there are none, and very many routes
        if !self.refusals.is_empty()
            && let Some(refusal) = self.book.rows(object).find_map(|key| self.refusals.get(key))
        {
            return Some((refusal.trouble.reason, Some(&refusal.trouble.text)));
        }
        match way {
            Way::Own | Way::Reject => None,
            _ if self.forwarding.shortage.is_covering(&route) => {
                Some((Reason::RouteCoversRefused, None))
            }
            Way::Discard => None,
            Way::Cpu(reason) => Some((*reason, None)),
            Way::Link(ifindex) => self.no_rif(*ifindex).map(|reason| (reason, None)),
            Way::Gateways(hops) => self.group_reason(hops),
        }
    }

    /// Why a device is no way out for the chip.
    pub(super) fn no_rif(&self, ifindex: IfIndex) -> Option<Reason> {
        if self.forwarding.rifs.contains_key(&ifindex) {
            return None;
        }
        let is_macvlan = self.topology.link(ifindex).is_some_and(crate::intent::is_virtual);
        Some(if is_macvlan { Reason::NextHopMacvlan } else { Reason::NextHopNoRif })
    }

    pub(super) fn group_reason(&self, hops: &[Gateway]) -> Option<(Reason, Option<&str>)> {
        let (number, _) = self.group_of(hops)?;
        if let Some(trouble) = self.troubles.get(&Object::NextHops(number)) {
            let text = Some(trouble.text.as_str()).filter(|text| !text.is_empty());
            return Some((trouble.reason, text));
        }
        let unusable = |hop: &Gateway| {
            self.no_rif(hop.ifindex).or_else(|| {
                let known = self.usable_mac(hop.ifindex, hop.ip).is_some();
                (!known).then_some(Reason::NextHopUnresolved)
            })
        };
        hops.iter().find_map(unusable).map(|reason| (reason, None))
    }

    /// Why a neighbour is not in the chip; None: it is, or it belongs to no router interface.
    pub fn neighbour_reason(&self, ifindex: IfIndex, ip: IpAddr) -> Option<(Reason, Option<&str>)> {
        if let Some(text) = self.forwarding.shortage.of_host(&(ifindex, ip)) {
            return Some((Reason::NeighbourTableFull, Some(text)));
        }
        let object = Object::Neighbour(ifindex, ip);
        if let Some(refusal) = self.book.rows(object).find_map(|key| self.refusals.get(key)) {
            return Some((refusal.trouble.reason, Some(&refusal.trouble.text)));
        }
        let mac = self.fib.neighbour(ifindex, ip)?.mac;
        if let Some(reason) = self.no_rif(ifindex) {
            return Some((reason, None));
        }
        match mac {
            None => Some((Reason::NextHopUnresolved, None)),
            Some(mac) if mac.is_multicast() => Some((Reason::NeighbourMulticast, None)),
            Some(_) => None,
        }
    }

    /// Devices and their router interfaces that routes may lead to.
    pub fn forwarding_rifs(&self) -> impl Iterator<Item = (IfIndex, RifIndex)> {
        self.forwarding.rifs.iter().map(|(ifindex, rif)| (*ifindex, *rif))
    }

    /// Next hops with a gateway that routes of the chip's virtual routers have, out of its router interfaces; some more than once.
    pub fn next_hops(&self) -> impl Iterator<Item = (IfIndex, IpAddr)> {
        let used = self.forwarding.groups.all().filter(|group| !group.users.is_empty());
        let hops = used.flat_map(|group| &group.gateways).map(|hop| (hop.ifindex, hop.ip));
        hops.filter(|(ifindex, _)| self.forwarding.rifs.contains_key(ifindex))
    }

    /// Nobody knows the next hop's MAC.
    pub fn is_unresolved(&self, (ifindex, ip): (IfIndex, IpAddr)) -> bool {
        self.usable_mac(ifindex, ip).is_none()
    }

    /// Differs when a route has next hops that none had before.
    pub const fn next_hops_generation(&self) -> u32 {
        self.forwarding.groups.made()
    }

    /// The router interface that routes out of a device lead to.
    pub fn forwarding_rif(&self, ifindex: IfIndex) -> Option<RifIndex> {
        self.forwarding.rifs.get(&ifindex).copied()
    }
}
