//! Which adjacencies of a chip that is taken over are whose.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::Group;
use super::shortage::Shortage;
use crate::applied::references::References;
use crate::chip::{AdjacencyIndex, Entry, Key, RouteAction};
use crate::intent::places;
use crate::plan::Object;
use crate::reconcile::Reconciler;

impl Reconciler {
    /// Nobody knows what the chip has.
    pub(in crate::reconcile) fn forget_forwarding(&mut self) {
        let forwarding = &mut self.forwarding;
        forwarding.groups.forget_blocks();
        forwarding.rifs.clear();
        forwarding.routers.clear();
        forwarding.parked.clear();
        forwarding.idle.clear();
        forwarding.shortage = Shortage::default();
        forwarding.in_flight = References::default();
    }

    /// Every route, group and host that may have rows.
    pub(in crate::reconcile) fn bulk_objects(&self) -> Vec<Object> {
        let routes =
            self.forwarding.ways.keys().map(|(table, prefix)| Object::Route(*table, *prefix));
        let groups = self.forwarding.groups.numbers().map(Object::NextHops);
        let hosts = self.fib.neighbours().filter(|_| self.routes_in_hardware());
        let hosts = hosts.filter(|host| self.forwarding.rifs.contains_key(&host.ifindex));
        routes
            .chain(groups)
            .chain(hosts.map(|host| Object::Neighbour(host.ifindex, host.ip)))
            .collect()
    }

    /// Rows that say which adjacencies a group has: a route of each. To be read when virtual routers have been recognised.
    pub(in crate::reconcile) fn landmarks_of_groups(&self) -> BTreeSet<Key> {
        let groups = &self.forwarding.groups;
        let users = groups.numbers().filter_map(|number| groups.get(number)).flat_map(|g| &g.users);
        users
            .filter_map(|(table, prefix)| Some(Key::Route(self.allocation.vr(*table)?, *prefix)))
            .collect()
    }

    /// Takes over the router interfaces and adjacencies that the chip has.
    pub(in crate::reconcile) fn claim_forwarding(&mut self) {
        let interfaces: Vec<Object> = self.allocation.interfaces().collect();
        for object in interfaces {
            self.publish_rif(object, self.allocation.rif(object));
        }
        for (number, first, size) in self.recognised_blocks() {
            self.forwarding.groups.claim(number, first, size);
        }
    }

    /// Groups of which everything was found in the chip are there, without a plan for them: for who compares and does not write.
    pub fn recognise_groups(&mut self) {
        let numbers: Vec<u32> = self.forwarding.groups.numbers().collect();
        for number in numbers {
            self.publish_group(number);
        }
    }

    /// Which adjacencies are a group's: those to which more than half of the routes that lead there are its own. A route that has
    /// another group by now still leads to that of its former one.
    pub(super) fn recognised_blocks(&self) -> Vec<(u32, AdjacencyIndex, u16)> {
        let groups = &self.forwarding.groups;
        let mut votes = BTreeMap::<(AdjacencyIndex, u16), BTreeMap<u32, usize>>::new();
        for number in groups.numbers() {
            for (table, prefix) in groups.get(number).into_iter().flat_map(|group| &group.users) {
                let Some(vr) = self.allocation.vr(*table) else { continue };
                if let Some(Entry::Route { action: RouteAction::Remote { first, size }, .. }) =
                    self.applied.get(&Key::Route(vr, *prefix))
                {
                    *votes.entry((*first, *size)).or_default().entry(number).or_default() += 1;
                }
            }
        }
        let mut best = BTreeMap::<u32, (usize, AdjacencyIndex, u16)>::new();
        for ((first, size), votes) in votes {
            let all: usize = votes.values().sum();
            let Some((number, count)) = votes.into_iter().find(|(_, count)| count * 2 > all) else {
                continue;
            };
            let places = groups.get(number).and_then(|group| self.natural_size(group));
            let fits = places.is_some_and(|places| size >= places && size % places == 0);
            let known = best.get(&number).map_or(0, |(count, ..)| *count);
            if fits && count > known {
                best.insert(number, (count, first, size));
            }
        }
        best.into_iter().map(|(number, (_, first, size))| (number, first, size)).collect()
    }

    /// How many adjacencies a group has at least.
    pub(super) fn natural_size(&self, group: &Group) -> Option<u16> {
        let sizes = places(&group.gateways, self.limits.ecmp_size)?;
        sizes.iter().try_fold(0_u16, |sum, size| sum.checked_add(*size)).filter(|sum| *sum > 0)
    }

    /// While indices are recognised none is chosen.
    pub(in crate::reconcile) const fn set_claiming(&mut self, claiming: bool) {
        self.forwarding.claiming = claiming;
    }
}
