//! Which bridge ports must not flood to each other, because the chip has flooded already?
//!
//! A CPU-side netdev cannot tell the kernel's bridge that a frame was flooded by hardware
//! (`offload_fwd_mark`), so the bridge ports that end in them are isolated from each other
//! (`IFLA_BRPORT_ISOLATED`). A bridge port may be such a netdev or stand above some:
//!
//! ```text
//!   br0 ─┬─ swp1                       isolated
//!        ├─ swp2.10 ── swp2            isolated
//!        ├─ bond0 ─┬─ swp3             isolated, also if another member is not the chip's
//!        │         └─ swp4
//!        └─ tap7                       not the chip's: never touched
//! ```
//! Link events go in; out go the changes that are due. What counts is the state seen last: a bridge port
//! of the chip that is seen not isolated is isolated. Leaving a bridge undoes it by itself; a bridge port that
//! stays but is the chip's no longer is set back, if it was isolated here.

use std::collections::{BTreeMap, BTreeSet};

use super::rtnl::Link;

/// More levels than the kernel stacks netdevs (`MAX_NEST_DEV`): ends a circle in a view of two moments.
const MAX_DEPTH: u8 = 10;

/// A netdev, as far as bridging goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Netdev {
    kind: Kind,
    master: Option<u32>,
    /// Whether it is isolated, if it is a bridge port.
    isolated: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A VLAN device, on this one.
    Vlan(Option<u32>),
    /// A bond or a team.
    Aggregate,
    Other,
}

/// Every netdev of the namespace, and the bridge ports that were isolated here.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    netdevs: BTreeMap<u32, Netdev>,
    /// The bridge port and its bridge.
    done: BTreeSet<(u32, u32)>,
    changed: bool,
}

impl Isolation {
    /// A netdev is there, like this.
    pub(super) fn seen(&mut self, link: &Link) {
        let kind = match link.kind.as_str() {
            "vlan" => Kind::Vlan(link.lower),
            "bond" | "team" => Kind::Aggregate,
            _ => Kind::Other,
        };
        let netdev = Netdev { kind, master: link.master, isolated: link.isolated };
        if self.netdevs.get(&link.ifindex) != Some(&netdev) {
            self.netdevs.insert(link.ifindex, netdev);
            self.changed = true;
        }
    }

    /// A netdev was deleted or left the namespace.
    pub(super) fn gone(&mut self, ifindex: u32) {
        self.changed |= self.netdevs.remove(&ifindex).is_some();
    }

    /// Everything that was seen may be wrong; all that exists will be [`Isolation::seen`] again.
    pub(super) fn forget(&mut self) {
        self.netdevs.clear();
        self.changed = true;
    }

    /// The bridge ports to be isolated (`true`) or set back, when `own` are the CPU-side netdevs. They count
    /// as done; one that the kernel refuses has changed meanwhile, and an event will tell of that.
    pub(super) fn due(&mut self, own: &BTreeSet<u32>) -> Vec<(u32, bool)> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let ports: Vec<(u32, u32, bool)> = self
            .netdevs
            .iter()
            .filter_map(|(ifindex, netdev)| Some((*ifindex, netdev.master?, netdev.isolated?)))
            .collect();
        let there: BTreeSet<(u32, u32)> =
            ports.iter().map(|(ifindex, bridge, _)| (*ifindex, *bridge)).collect();
        self.done.retain(|place| there.contains(place));
        let mut due = Vec::new();
        for (ifindex, bridge, isolated) in ports {
            let wanted = self.ends_in(ifindex, own, MAX_DEPTH);
            if wanted && !isolated {
                self.done.insert((ifindex, bridge));
            } else if wanted || !self.done.remove(&(ifindex, bridge)) {
                continue;
            }
            if let Some(netdev) = self.netdevs.get_mut(&ifindex) {
                netdev.isolated = Some(wanted);
            }
            due.push((ifindex, wanted));
        }
        due
    }

    /// The bridge ports to be set back at the end, when the CPU-side netdevs are about to go.
    pub(super) fn undo(&mut self, own: &BTreeSet<u32>) -> Vec<u32> {
        let done = std::mem::take(&mut self.done).into_iter();
        done.map(|(ifindex, _)| ifindex).filter(|ifindex| !own.contains(ifindex)).collect()
    }

    /// Whether a netdev is one of `own` or stands on one.
    fn ends_in(&self, ifindex: u32, own: &BTreeSet<u32>, depth: u8) -> bool {
        if own.contains(&ifindex) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        match self.netdevs.get(&ifindex).map(|netdev| &netdev.kind) {
            Some(Kind::Vlan(Some(lower))) => self.ends_in(*lower, own, depth),
            Some(Kind::Aggregate) => self.netdevs.iter().any(|(member, netdev)| {
                netdev.master == Some(ifindex) && self.ends_in(*member, own, depth)
            }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: u32 = 100;
    const BOND: u32 = 50;

    fn link(ifindex: u32, kind: &str, lower: u32, master: u32) -> Link {
        let number = |it: u32| (it != 0).then_some(it);
        Link {
            ifindex,
            kind: kind.into(),
            lower: number(lower),
            master: number(master),
            isolated: (master == BRIDGE).then_some(false),
            ..Link::default()
        }
    }

    fn own() -> BTreeSet<u32> {
        BTreeSet::from([1, 2])
    }

    fn with(links: &[Link]) -> Isolation {
        let mut isolation = Isolation::default();
        links.iter().for_each(|link| isolation.seen(link));
        isolation
    }

    // Fails if a port that leaves a bridge and comes back is flooded to again, or is isolated without end.
    #[test]
    fn every_enslavement_is_isolated_once() {
        let mut isolation = with(&[link(1, "tun", 0, BRIDGE)]);
        assert_eq!(isolation.due(&own()), [(1, true)]);
        assert_eq!(isolation.due(&own()), []);
        isolation.seen(&Link { isolated: Some(true), ..link(1, "tun", 0, BRIDGE) });
        assert_eq!(isolation.due(&own()), []);
        isolation.seen(&link(1, "tun", 0, 0));
        assert_eq!(isolation.due(&own()), []);
        isolation.seen(&link(1, "tun", 0, BRIDGE));
        assert_eq!(isolation.due(&own()), [(1, true)]);
    }

    // Fails if a bridge port above a CPU-side netdev floods again, or a foreign one is touched.
    #[test]
    fn ports_above_the_chip_are_isolated_and_no_others() {
        let mut isolation = with(&[
            link(1, "tun", 0, BOND),
            link(9, "veth", 8, BOND),
            link(BOND, "bond", 0, BRIDGE),
            link(20, "vlan", 2, BRIDGE),
            link(21, "vlan", BOND, BRIDGE),
            link(22, "vlan", 7, BRIDGE),
            link(7, "veth", 1, BRIDGE), // the peer of a veth is not below it
            link(23, "macvlan", 2, 0),
            link(24, "bond", 0, BRIDGE),
        ]);
        assert_eq!(isolation.due(&own()), [(20, true), (21, true), (BOND, true)]);
    }

    // Fails if a bond whose last chip port left keeps the isolation, or loses one that the user set.
    #[test]
    fn a_port_that_is_the_chips_no_longer_is_set_back() {
        let mut isolation = with(&[link(1, "tun", 0, BOND), link(BOND, "bond", 0, BRIDGE)]);
        let foreign = Link { isolated: Some(true), ..link(60, "bond", 0, BRIDGE) };
        isolation.seen(&foreign);
        assert_eq!(isolation.due(&own()), [(BOND, true)]);
        isolation.seen(&link(1, "tun", 0, 0));
        assert_eq!(isolation.due(&own()), [(BOND, false)]);
        assert_eq!(isolation.due(&own()), []);
    }

    // Fails if lost events make it forget what it isolated.
    #[test]
    fn a_view_read_anew_keeps_what_was_done() {
        let links = [link(1, "tun", 0, BOND), link(BOND, "bond", 0, BRIDGE)];
        let mut isolation = with(&links);
        assert_eq!(isolation.due(&own()), [(BOND, true)]);
        isolation.forget();
        isolation.seen(&Link { isolated: Some(true), ..links[1].clone() });
        assert_eq!(isolation.due(&own()), [(BOND, false)]);
        isolation.seen(&links[0]);
        assert_eq!(isolation.due(&own()), [(BOND, true)]);
        isolation.gone(1);
        assert_eq!(isolation.undo(&own()), [BOND]);
    }

    // Fails if netdevs that name each other, as two halves of a dump may, never let it end.
    #[test]
    fn a_circle_ends() {
        let mut isolation = with(&[link(30, "vlan", 31, BRIDGE), link(31, "vlan", 30, 0)]);
        assert_eq!(isolation.due(&own()), []);
    }
}
