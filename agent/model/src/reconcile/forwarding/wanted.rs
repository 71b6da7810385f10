//! What each route, group and host should have in the chip.

use std::net::IpAddr;

use ipnet::IpNet;

use super::adjacencies;
use super::groups::{Group, RouteKey};
use crate::chip::{Entry, Key, RifIndex, RouteAction, VrId};
use crate::intent::{EXTERNAL_ROUTE, Gateway, REJECT_ROUTE, Reason, Way, is_programmable, places};
use crate::plan::Object;
use crate::reconcile::{Obstacle, Reconciler};
use crate::topology::Link;
use crate::{IfIndex, Mac};

impl Reconciler {
    pub(in crate::reconcile) fn want_route(&self, route: RouteKey) -> Vec<Entry> {
        let (table, prefix) = route;
        let to_cpu = RouteAction::Trap(EXTERNAL_ROUTE);
        let Some(vr) = self.allocation.vr(table) else { return Vec::new() };
        let Some(way) = self.forwarding.ways.get(&route) else {
            return self.want_default(vr, prefix).into_iter().collect();
        };
        if self.forwarding.shortage.of_route(&route).is_some() {
            return Vec::new();
        }
        let action = match way {
            Way::Own => RouteAction::Ip2me,
            Way::Reject => RouteAction::Trap(REJECT_ROUTE),
            _ if self.forwarding.shortage.is_covering(&route) => to_cpu,
            Way::Discard => RouteAction::Discard,
            Way::Cpu(_) => to_cpu,
            Way::Link(ifindex) => {
                self.forwarding.rifs.get(ifindex).map_or(to_cpu, |rif| RouteAction::Local(*rif))
            }
            Way::Gateways(hops) => match self.group_of(hops) {
                Some((_, &Group { block: Some((first, size)), is_there: true, .. })) => {
                    RouteAction::Remote { first, size }
                }
                _ => to_cpu,
            },
        };
        vec![Entry::Route { vr, prefix, action }]
    }

    /// A virtual router's own default route, which is there before and after all others, may not lead anywhere when that is to go: what
    /// led elsewhere is taken back by whoever led it.
    fn want_default(&self, vr: VrId, prefix: IpNet) -> Option<Entry> {
        let entry = Entry::Route { vr, prefix, action: RouteAction::Trap(EXTERNAL_ROUTE) };
        let key = entry.key();
        let differs = self.applied.get(&key).is_some_and(|there| *there != entry);
        (prefix.prefix_len() == 0 && (differs || self.applied.is_unknown(&key))).then_some(entry)
    }

    pub(super) fn group_of(&self, hops: &[Gateway]) -> Option<(u32, &Group)> {
        let number = self.forwarding.groups.number(hops)?;
        Some((number, self.forwarding.groups.get(number)?))
    }

    pub(in crate::reconcile) fn want_neighbour(&self, ifindex: IfIndex, ip: IpAddr) -> Vec<Entry> {
        let host = (ifindex, ip);
        let rif = self.forwarding.rifs.get(&ifindex).filter(|_| self.routes_in_hardware());
        let mac = self.usable_mac(ifindex, ip).filter(|_| is_programmable(ip));
        let waits = self.forwarding.shortage.of_host(&host).is_some();
        match (rif, mac) {
            (Some(rif), Some(mac)) if !waits => vec![Entry::Neighbour { rif: *rif, ip, mac }],
            _ => Vec::new(),
        }
    }

    /// The MAC of a host, if a chip can send to it.
    pub(super) fn usable_mac(&self, ifindex: IfIndex, ip: IpAddr) -> Option<Mac> {
        self.fib.neighbour(ifindex, ip)?.mac.filter(|mac| !mac.is_multicast() && !mac.is_zero())
    }

    pub(in crate::reconcile) fn want_next_hops(&mut self, number: u32) -> (Vec<Entry>, Obstacle) {
        let Some(group) = self.forwarding.groups.get(number) else {
            return (Vec::new(), Obstacle::None);
        };
        let sizes = places(&group.gateways, self.limits.ecmp_size);
        let Some(sizes) = sizes.filter(|_| !group.users.is_empty()) else {
            self.withdraw_group(number);
            return (Vec::new(), Obstacle::None);
        };
        let some_rif = group.gateways.iter().find_map(|hop| self.forwarding.rifs.get(&hop.ifindex));
        let Some(some_rif) = some_rif.copied() else {
            // its routes go to the CPU, and then it goes
            let block = group.block;
            self.withdraw_group(number);
            self.wake_group_users(number);
            let rows = block.into_iter().flat_map(adjacencies);
            let kept = rows.filter_map(|index| self.applied.get(&Key::Adjacency(index)).cloned());
            let kept: Vec<Entry> =
                kept.filter(|_| block.is_some_and(|(first, _)| self.uses_group(first))).collect();
            if !kept.is_empty() {
                self.forwarding.idle.insert(number);
            }
            return (kept, Obstacle::None);
        };
        // one that took over another's adjacencies may have more than it needs
        let natural = sizes.iter().sum::<u16>().max(1);
        let factor = group.block.map_or(1, |(_, size)| (size / natural).max(1));
        let sizes: Vec<u16> = sizes.iter().map(|size| size.saturating_mul(factor)).collect();
        let slots = self.slots(group, &sizes, some_rif);
        self.forwarding.idle.remove(&number);
        let Ok(size) = u16::try_from(slots.len()) else { return (Vec::new(), Obstacle::None) };
        let block = if self.forwarding.claiming {
            self.forwarding.groups.get(number).and_then(|group| group.block)
        } else {
            let applied = &self.applied;
            let foreign = |first, size| {
                let mut rows = adjacencies((first, size)).rev();
                rows.find(|index| {
                    let key = Key::Adjacency(*index);
                    applied.get(&key).is_some() || applied.is_unknown(&key)
                })
            };
            let total = self.limits.adjacencies;
            let block = self.forwarding.groups.take(number, size, total, foreign);
            if block.is_none() {
                return (Vec::new(), Obstacle::Full(Reason::AdjacencyTableFull));
            }
            block
        };
        let rows = block.into_iter().flat_map(adjacencies).zip(slots);
        let entry = |(index, (rif, mac))| Entry::Adjacency { index, rif, mac };
        (rows.map(entry).collect(), Obstacle::None)
    }

    /// What each place of a group holds. A next hop whose device is down has none, as in the kernel (`fib_select_multipath`); one
    /// whose MAC is not known, or that the chip can't reach, has its share of packets go to the CPU.
    pub(super) fn slots(
        &self,
        group: &Group,
        sizes: &[u16],
        some_rif: RifIndex,
    ) -> Vec<(RifIndex, Option<Mac>)> {
        let slot = |hop: &Gateway| {
            let up = self.topology.link(hop.ifindex).is_some_and(Link::is_up);
            up.then(|| match self.forwarding.rifs.get(&hop.ifindex) {
                Some(rif) => (*rif, self.usable_mac(hop.ifindex, hop.ip)),
                None => (some_rif, None),
            })
        };
        let slots = group.gateways.iter().zip(sizes);
        let slots = slots.flat_map(|(hop, size)| std::iter::repeat_n(slot(hop), (*size).into()));
        let slots: Vec<Option<(RifIndex, Option<Mac>)>> = slots.collect();
        let mut live = slots.iter().flatten().cycle();
        let fill =
            |slot: &Option<_>| slot.or_else(|| live.next().copied()).unwrap_or((some_rif, None));
        slots.iter().map(fill).collect()
    }

    /// Routes may not lead to a group any more.
    pub(super) fn withdraw_group(&mut self, number: u32) {
        let Some(group) = self.forwarding.groups.get_mut(number) else { return };
        if std::mem::take(&mut group.is_there) {
            self.due
                .extend(group.users.iter().map(|(table, prefix)| Object::Route(*table, *prefix)));
        }
    }
}
