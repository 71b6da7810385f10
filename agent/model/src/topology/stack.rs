//! How devices stand on one another, and who has to be looked at again when one of them changes.
//!
//! ```text
//!            macvlan ─▶ vlan ─▶ bridge ◀═ bond ◀═ port          ─▶ IFLA_LINK: stands on      ◀═ IFLA_MASTER: is a member of
//!
//!   a link or its VLANs changed: itself, the device below, and everything above it
//!   an address changed:          itself, the device below (a macvlan's router interface), macvlans on it
//! ```

use std::collections::BTreeSet;

use super::{Link, LinkKind, Topology};
use crate::IfIndex;

impl Topology {
    /// Devices whose IFLA_LINK names this one, in this network namespace, by index.
    pub fn uppers(&self, ifindex: IfIndex) -> impl Iterator<Item = &Link> {
        self.uppers.get(&ifindex).filter_map(|upper| self.links.get(upper))
    }

    /// Devices whose IFLA_MASTER names this one, by index.
    pub fn members(&self, ifindex: IfIndex) -> impl Iterator<Item = &Link> {
        self.members.get(&ifindex).filter_map(|member| self.links.get(member))
    }

    /// The device that this one is a member of.
    pub fn master(&self, link: &Link) -> Option<&Link> {
        self.link(link.master?)
    }

    /// The device itself and everything that stands on it, at any height: by IFLA_LINK and, but for a VRF, by IFLA_MASTER.
    pub(super) fn climb(&self, ifindex: IfIndex, seen: &mut BTreeSet<IfIndex>) {
        if !seen.insert(ifindex) {
            return;
        }
        for upper in self.uppers.get(&ifindex) {
            self.climb(*upper, seen);
        }
        let master = self.links.get(&ifindex).and_then(|link| self.master(link));
        if let Some(master) = master.filter(|master| !matches!(master.kind, LinkKind::Vrf { .. })) {
            self.climb(master.ifindex, seen);
        }
    }

    /// Every known device that a device stands on, at any depth.
    pub fn below(&self, ifindex: IfIndex) -> BTreeSet<IfIndex> {
        let mut below = BTreeSet::new();
        self.descend(ifindex, &mut below);
        below.remove(&ifindex);
        below
    }

    /// The device itself and every known one that it stands on, at any depth: by IFLA_LINK, and the members of bonds and teams.
    pub(super) fn descend(&self, ifindex: IfIndex, seen: &mut BTreeSet<IfIndex>) {
        let Some(link) = self.links.get(&ifindex).filter(|_| seen.insert(ifindex)) else { return };
        if let Some(lower) = link.lower() {
            self.descend(lower, seen);
        }
        if matches!(link.kind, LinkKind::Bond { .. } | LinkKind::Team) {
            for member in self.members.get(&ifindex) {
                self.descend(*member, seen);
            }
        }
    }

    /// Everything that is computed from a device.
    pub(crate) fn concerned(&self, ifindex: IfIndex) -> BTreeSet<IfIndex> {
        let mut concerned = BTreeSet::new();
        self.touch_above(ifindex, &mut concerned);
        for member in self.members(ifindex) {
            self.touch_above(member.ifindex, &mut concerned);
        }
        concerned
    }

    /// The device changed: everything that is computed from it.
    pub(super) fn touch_above(&self, ifindex: IfIndex, touched: &mut BTreeSet<IfIndex>) {
        let mut above = BTreeSet::new();
        self.climb(ifindex, &mut above);
        // what stands on the members of a bridge, bond or team is judged by it
        let master = self.links.get(&ifindex).filter(|l| !matches!(l.kind, LinkKind::Vrf { .. }));
        for member in master.into_iter().flat_map(|_| self.members.get(&ifindex)) {
            self.climb(*member, &mut above);
        }
        for seen in &above {
            let Some(link) = self.links.get(seen) else { continue };
            touched.extend(link.lower());
            if let LinkKind::Vrf { .. } = link.kind {
                for slave in self.members(*seen) {
                    touched.insert(slave.ifindex);
                    touched.extend(slave.lower());
                    touched.extend(self.uppers.get(&slave.ifindex));
                }
            }
        }
        // a member that joins or leaves concerns the ways of its siblings
        let master = self.links.get(&ifindex).and_then(|link| self.master(link));
        let master = master.filter(|master| !matches!(master.kind, LinkKind::Vrf { .. }));
        touched.extend(master.into_iter().flat_map(|m| self.members(m.ifindex)).map(|l| l.ifindex));
        touched.extend(above);
    }

    /// An address or a filter of the device changed.
    pub(super) fn touch_beside(&self, ifindex: IfIndex, touched: &mut BTreeSet<IfIndex>) {
        touched.insert(ifindex);
        touched.extend(self.links.get(&ifindex).and_then(Link::lower));
        touched.extend(self.uppers.get(&ifindex));
    }

    pub(super) fn stack(&mut self, link: &Link) {
        if let Some(lower) = link.lower() {
            self.uppers.insert(lower, link.ifindex);
        }
        if let Some(master) = link.master {
            self.members.insert(master, link.ifindex);
        }
    }

    pub(super) fn unstack(&mut self, ifindex: IfIndex) {
        let Some(link) = self.links.get(&ifindex) else { return };
        let (lower, master) = (link.lower(), link.master);
        for (index, key) in [(&mut self.uppers, lower), (&mut self.members, master)] {
            if let Some(key) = key {
                index.remove(&key, &ifindex);
            }
        }
    }
}
