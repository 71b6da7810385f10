//! Groups of next hops: which routes share one, and which adjacencies of the chip it has.
//!
//! ```text
//!   route ─▶ [gateway, weight] ─▶ group ─▶ block of adjacencies: one for each place of each next hop
//! ```
//!
//! How many places a next hop has depends on weights alone, not on what is known of it: that a MAC becomes known, changes, or that a
//! device goes down, is a write to adjacencies, whatever the number of routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::IfIndex;
use crate::chip::AdjacencyIndex;
use crate::index::Sets;
use crate::intent::Gateway;

/// By table and prefix.
pub(super) type RouteKey = (u32, IpNet);

/// Next hops that some route has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) gateways: Vec<Gateway>,
    pub(super) users: BTreeSet<RouteKey>,
    /// Its first adjacency, and how many there are.
    pub(super) block: Option<(AdjacencyIndex, u16)>,
    /// The adjacencies are in the chip: routes may lead to them.
    pub(super) is_there: bool,
}

/// All groups, by a number that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Groups {
    numbers: BTreeMap<Vec<Gateway>, u32>,
    all: BTreeMap<u32, Group>,
    blocks: BTreeMap<AdjacencyIndex, (u16, u32)>,
    by_device: Sets<IfIndex, u32>,
    last: u32,
}

impl Groups {
    pub(super) fn get(&self, number: u32) -> Option<&Group> {
        self.all.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Group> {
        self.all.get_mut(&number)
    }

    pub(super) fn number(&self, gateways: &[Gateway]) -> Option<u32> {
        self.numbers.get(gateways).copied()
    }

    /// How many there were so far.
    pub(super) const fn made(&self) -> u32 {
        self.last
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Group> {
        self.all.values()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.all.keys().copied()
    }

    /// Groups with a next hop on the device.
    pub(super) fn on(&self, ifindex: IfIndex) -> impl Iterator<Item = u32> {
        self.by_device.get(&ifindex).copied()
    }

    /// Groups with this next hop.
    pub(super) fn with(&self, ifindex: IfIndex, ip: IpAddr) -> impl Iterator<Item = u32> {
        self.on(ifindex).filter(move |number| {
            let group = self.all.get(number);
            group.is_some_and(|group| {
                group.gateways.iter().any(|hop| (hop.ifindex, hop.ip) == (ifindex, ip))
            })
        })
    }

    /// A route has these next hops now. Returns the group's number.
    pub(super) fn join(&mut self, gateways: &[Gateway], route: RouteKey) -> u32 {
        let number = self.number(gateways).unwrap_or_else(|| self.add(gateways));
        if let Some(group) = self.all.get_mut(&number) {
            group.users.insert(route);
        }
        number
    }

    fn add(&mut self, gateways: &[Gateway]) -> u32 {
        self.last += 1;
        let number = self.last;
        let gateways = gateways.to_vec();
        self.link(&gateways, number);
        let group = Group { gateways, users: BTreeSet::new(), block: None, is_there: false };
        self.all.insert(number, group);
        number
    }

    /// A route has other next hops now. Returns the group's number.
    pub(super) fn leave(&mut self, gateways: &[Gateway], route: &RouteKey) -> Option<u32> {
        let number = self.number(gateways)?;
        self.all.get_mut(&number)?.users.remove(route);
        Some(number)
    }

    /// Nothing of a group without users is in the chip any more.
    pub(super) fn remove(&mut self, number: u32) {
        self.release(number);
        let Some(group) = self.all.remove(&number) else { return };
        self.unlink(&group.gateways, number);
    }

    fn link(&mut self, gateways: &[Gateway], number: u32) {
        self.numbers.insert(gateways.to_vec(), number);
        for hop in gateways {
            self.by_device.insert(hop.ifindex, number);
        }
    }

    fn unlink(&mut self, gateways: &[Gateway], number: u32) {
        self.numbers.remove(gateways);
        for hop in gateways {
            self.by_device.remove(&hop.ifindex, &number);
        }
    }

    /// A group without users becomes another one, which has no adjacencies yet and ceases to be.
    pub(super) fn rename(&mut self, former: u32, new: u32) {
        let Some(Group { gateways, users, .. }) = self.all.remove(&new) else { return };
        let Some(group) = self.all.get_mut(&former) else { return };
        let before = std::mem::replace(&mut group.gateways, gateways.clone());
        group.users = users;
        self.unlink(&before, former);
        self.unlink(&gateways, new);
        self.link(&gateways, former);
    }

    /// Gives a group the first free adjacencies of the chip, unless it has some. `foreign`: the last of so many places that
    /// holds a row of nobody's.
    pub(super) fn take(
        &mut self,
        number: u32,
        size: u16,
        total: u32,
        foreign: impl Fn(AdjacencyIndex, u16) -> Option<AdjacencyIndex>,
    ) -> Option<(AdjacencyIndex, u16)> {
        let group = self.all.get(&number)?;
        if group.block.is_some() {
            return group.block;
        }
        let mut first = 0_u32;
        let mut blocks =
            self.blocks.iter().map(|(at, (size, _))| (at.0, u32::from(*size))).peekable();
        let found = loop {
            let end = first.checked_add(size.into()).filter(|end| *end <= total)?;
            if let Some((at, taken)) = blocks.peek().copied()
                && at < end
            {
                first = first.max(at + taken);
                blocks.next();
                continue;
            }
            match foreign(AdjacencyIndex(first), size) {
                None => break AdjacencyIndex(first),
                // a row that nobody has claimed yet
                Some(taken) => first = taken.0 + 1,
            }
        };
        self.claim(number, found, size);
        Some((found, size))
    }

    /// The group has these adjacencies, unless it has some or another group has.
    pub(super) fn claim(&mut self, number: u32, first: AdjacencyIndex, size: u16) {
        let end = AdjacencyIndex(first.0.saturating_add(size.into()));
        let before = self.blocks.range(..end).next_back();
        let taken = before.is_some_and(|(at, (size, _))| at.0 + u32::from(*size) > first.0);
        if let Some(group) = self.all.get_mut(&number)
            && group.block.is_none()
            && !taken
        {
            group.block = Some((first, size));
            self.blocks.insert(first, (size, number));
        }
    }

    /// Nothing of a group is in the chip any more.
    pub(super) fn release(&mut self, number: u32) {
        let Some(group) = self.all.get_mut(&number) else { return };
        group.is_there = false;
        if let Some((first, _)) = group.block.take() {
            self.blocks.remove(&first);
        }
    }

    /// Nobody knows what the chip has.
    pub(super) fn forget_blocks(&mut self) {
        self.blocks.clear();
        for group in self.all.values_mut() {
            group.block = None;
            group.is_there = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateways(last: u8) -> Vec<Gateway> {
        vec![Gateway { ifindex: IfIndex(1), ip: [10, 0, 0, last].into(), weight: 1 }]
    }

    fn key(last: u8) -> RouteKey {
        (254, IpNet::from(IpAddr::from([192, 0, 2, last])))
    }

    // Broken if two groups shared an adjacency, a gap were not found again, or rows of nobody were overwritten.
    #[test]
    fn blocks_never_overlap() {
        let mut groups = Groups::default();
        let numbers: Vec<u32> = (1..=4).map(|n| groups.join(&gateways(n), key(n))).collect();
        let foreign = |first: AdjacencyIndex, size: u16| {
            (first.0..first.0 + u32::from(size)).rev().find(|at| *at == 1).map(AdjacencyIndex)
        };
        let mut take = |number: u32, size| groups.take(number, size, 8, foreign).map(|b| b.0.0);
        assert_eq!(take(numbers[0], 2), Some(2), "0 and 1 are not free together");
        assert_eq!(take(numbers[1], 2), Some(4));
        assert_eq!(take(numbers[2], 1), Some(0));
        assert_eq!(take(numbers[3], 3), None, "6 and 7 are two");
        groups.leave(&gateways(1), &key(1));
        groups.remove(numbers[0]);
        assert_eq!(groups.take(numbers[3], 2, 8, foreign).map(|b| b.0.0), Some(2));
        let number = groups.join(&gateways(5), key(5));
        groups.claim(number, AdjacencyIndex(5), 2);
        assert_eq!(groups.get(number).and_then(|group| group.block), None, "5 is taken");
        groups.claim(number, AdjacencyIndex(6), 2);
        assert!(groups.get(number).is_some_and(|group| group.block.is_some()));
    }
}
