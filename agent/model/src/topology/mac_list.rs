//! Which MACs a device receives besides its own, and which of them are its router's.
//!
//! A device's filters hold more than a router may answer for: opening a macvlan, also a backup's, puts its MAC there, without
//! a message. So a MAC of the filters counts only if the device itself had it once (vrrpd keeps the old MAC as a receiving
//! address when it takes the virtual one), or if somebody asked for it by name (`bridge fdb add MAC dev DEV self`), and never
//! if it is a macvlan's on this device, or was one's that moved away.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{IfIndex, Mac};

use super::Topology;

/// The MACs of one device besides IFLA_ADDRESS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MacLists {
    /// In its filters by the last dump.
    listed: BTreeSet<Mac>,
    /// Announced as asked for.
    announced: BTreeSet<Mac>,
    /// Its own at an earlier time.
    former: BTreeSet<Mac>,
    /// Its own until a moment ago: whether they stay in the filters is not known yet.
    recent: BTreeSet<Mac>,
    /// Its own while it had an address, changed since: drivers that program MACs at address events still have them.
    #[serde(default)]
    left_behind: BTreeSet<Mac>,
    /// Of macvlans on it that left this network namespace, or were deleted.
    lent: BTreeSet<Mac>,
}

impl MacLists {
    pub(super) fn was(&mut self, mac: Mac) {
        self.former.insert(mac);
    }

    pub(super) fn was_until_now(&mut self, mac: Mac) {
        self.was(mac);
        self.recent.insert(mac);
    }

    pub(super) fn left_behind(&mut self, mac: Mac) {
        self.left_behind.insert(mac);
    }

    /// What is in the filters now, is all that stays.
    pub(super) fn settle(&mut self) {
        self.recent.clear();
    }

    pub(super) fn lent(&mut self, mac: Mac) {
        self.lent.insert(mac);
    }

    pub(super) fn announce(&mut self, mac: Mac) {
        self.announced.insert(mac);
    }

    pub(super) fn withdraw(&mut self, mac: Mac) {
        self.announced.remove(&mac);
        self.listed.remove(&mac);
    }

    /// A MAC that is not in the filters any more is nobody's.
    pub(super) fn replace_listed(&mut self, listed: BTreeSet<Mac>) {
        self.announced.retain(|mac| listed.contains(mac));
        self.lent.retain(|mac| listed.contains(mac));
        self.listed = listed;
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Topology {
    /// The MACs that a device accepts as a router besides its own: its accept set without IFLA_ADDRESS and without macvlans.
    pub fn receiving_macs(&self, ifindex: IfIndex) -> BTreeSet<Mac> {
        let (Some(link), Some(macs)) = (self.link(ifindex), self.macs.get(&ifindex)) else {
            return BTreeSet::new();
        };
        let children: BTreeSet<Mac> = self.macs_above(ifindex);
        let own = |mac: &Mac| macs.former.contains(mac) || link.perm_mac == Some(*mac);
        let asked = macs.announced.iter().chain(macs.listed.iter().filter(|mac| own(mac)));
        asked
            .filter(|mac| Some(**mac) != link.mac && !mac.is_multicast() && !mac.is_zero())
            .filter(|mac| !children.contains(mac) && !macs.lent.contains(mac))
            .copied()
            .collect()
    }

    /// The MACs that a device had until a moment ago, and that may turn out to stay in its filters.
    pub fn recent_macs(&self, ifindex: IfIndex) -> impl Iterator<Item = Mac> {
        self.macs.get(&ifindex).into_iter().flat_map(|macs| macs.recent.iter().copied())
    }

    /// MACs that a device had while it had an address, and has no more.
    pub fn left_behind(&self, ifindex: IfIndex) -> impl Iterator<Item = Mac> {
        let own = self.link(ifindex).and_then(|link| link.mac);
        let macs = self.macs.get(&ifindex).into_iter().flat_map(|macs| &macs.left_behind).copied();
        macs.filter(move |mac| Some(*mac) != own)
    }

    /// Former MACs of every device, for the record that outlives the daemon.
    pub fn former_macs(&self) -> impl Iterator<Item = (IfIndex, Mac)> {
        self.macs.iter().flat_map(|(ifindex, macs)| macs.former.iter().map(|mac| (*ifindex, *mac)))
    }

    /// A record of an earlier run: the device once had this MAC.
    pub fn remember_former(&mut self, ifindex: IfIndex, mac: Mac) {
        if self.links.contains_key(&ifindex) {
            self.macs.entry(ifindex).or_default().was(mac);
        }
    }

    /// The MACs of all devices stacked on this one, at any height.
    fn macs_above(&self, ifindex: IfIndex) -> BTreeSet<Mac> {
        let mut above = BTreeSet::new();
        self.climb(ifindex, &mut above);
        above.remove(&ifindex);
        above.iter().filter_map(|upper| self.link(*upper)?.mac).collect()
    }
}
