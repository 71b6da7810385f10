//! What exists: netdevs, how they are stacked, their addresses, VLANs and MAC lists. This is the **Observed** column.
//!
//! Events fold in, in any order; each fold says which netdevs a later stage has to look at again.
//! An address may arrive before its link and a macvlan before its lower: both are kept by ifindex until the other shows up.
//!
//! ```text
//!   links:      ifindex ─▶ Link
//!   addresses:  ifindex ─▶ [Address], ordered by (ip, prefix length, peer)
//!   vlans:      ifindex of a bridge or bridge port ─▶ VID ─▶ pvid, untagged
//!   macs:       ifindex ─▶ which MACs it receives, was, or lent to a macvlan that left
//!   uppers:     ifindex ─▶ { ifindex of each device whose IFLA_LINK names it }        (derived)
//!   members:    ifindex ─▶ { ifindex of each device whose IFLA_MASTER names it }      (derived)
//! ```

mod address;
mod audit;
mod link;
mod mac_list;
mod stack;
#[cfg(test)]
mod tests;
mod vlan;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use address::{Address, ifa_flags, ifa_proto};
pub use audit::ViewFault;
pub use link::{
    DevlinkPort, IpvlanFlag, IpvlanMode, LagMode, LagModeName, Link, LinkKind, MacvlanMode,
    OperState, Slave, StpState, TagProtocol, iff,
};
pub use mac_list::MacLists;
pub use vlan::{VlanFlags, VlanRange};

use crate::index::Sets;
use crate::{IfIndex, Mac};

/// One thing that the kernel announced. An event is a hint: only the folded state decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// RTM_NEWLINK: the device as it is now.
    Link(Box<Link>),
    /// RTM_DELLINK: removed, or moved to another network namespace.
    LinkGone(IfIndex),
    /// RTM_NEWLINK of AF_BRIDGE: what a bridge port is to its bridge, as it is now. Spanning trees, and ports that come
    /// up, say so in no other way.
    Slave(IfIndex, Slave),
    /// RTM_NEWADDR: the address as it is now.
    Address(Address),
    /// RTM_DELADDR
    AddressGone(Address),
    /// RTM_NEWVLAN: VLANs of a bridge port, or of the bridge itself.
    Vlans(VlanRange),
    /// RTM_DELVLAN
    VlansGone(VlanRange),
    /// A dump of VLANs (RTM_GETVLAN): there are no others.
    AllVlans(Vec<VlanRange>),
    /// RTM_NEWNEIGH of AF_BRIDGE with NTF_SELF: somebody told the device to receive this MAC. Macvlans do so silently.
    Receives(IfIndex, Mac),
    /// RTM_DELNEIGH of the same kind.
    ReceivesNoMore(IfIndex, Mac),
    /// A dump of the device's unicast and multicast filters (RTM_GETNEIGH of AF_BRIDGE, NTF_SELF), unicast MACs only.
    MacList(IfIndex, BTreeSet<Mac>),
    /// The last dump after a change of the device's own MAC: a former MAC that is not in the filters now, does not stay.
    FiltersSettled(IfIndex),
}

/// A complete view of one network namespace, from dumps that all finished cleanly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Every device.
    pub links: Vec<Link>,
    /// Every address of both families.
    pub addresses: Vec<Address>,
    /// The VLANs of every bridge and bridge port.
    #[serde(default)]
    pub vlans: Vec<VlanRange>,
    /// The unicast MACs in each device's filters.
    #[serde(default)]
    pub mac_lists: BTreeMap<IfIndex, BTreeSet<Mac>>,
}

/// The kernel's devices and addresses as far as they were announced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Topology {
    links: BTreeMap<IfIndex, Link>,
    addresses: BTreeMap<IfIndex, Vec<Address>>,
    vlans: BTreeMap<IfIndex, BTreeMap<u16, VlanFlags>>,
    macs: BTreeMap<IfIndex, MacLists>,
    uppers: Sets<IfIndex, IfIndex>,
    members: Sets<IfIndex, IfIndex>,
}

impl Topology {
    /// The device with this index.
    pub fn link(&self, ifindex: IfIndex) -> Option<&Link> {
        self.links.get(&ifindex)
    }

    /// The device with this name (IFLA_IFNAME or an alternative name).
    pub fn link_by_name(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.ifname == name).or_else(|| {
            self.links.values().find(|link| link.altnames.iter().any(|alt| alt == name))
        })
    }

    /// All devices by index.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The addresses of a device, ordered.
    pub fn addresses(&self, ifindex: IfIndex) -> &[Address] {
        self.addresses.get(&ifindex).map_or(&[], Vec::as_slice)
    }

    /// The VLANs of a bridge port, or of a bridge itself, by VID.
    pub fn vlans(&self, ifindex: IfIndex) -> impl Iterator<Item = (u16, VlanFlags)> {
        self.vlans.get(&ifindex).into_iter().flatten().map(|(vid, flags)| (*vid, *flags))
    }

    /// The VLAN of untagged frames of a bridge port, or of a bridge itself.
    pub fn pvid(&self, ifindex: IfIndex) -> Option<u16> {
        self.vlans(ifindex).find(|(_, flags)| flags.pvid).map(|(vid, _)| vid)
    }

    /// Folds one event in; returns the devices whose router interface or verdict may have changed.
    pub fn fold(&mut self, event: Event) -> BTreeSet<IfIndex> {
        let mut touched = BTreeSet::new();
        match event {
            Event::Link(link) => self.put_link(*link, &mut touched),
            Event::LinkGone(ifindex) => self.remove_link(ifindex, &mut touched),
            Event::Slave(ifindex, slave) => {
                // a port that is not known yet, or that left, is described whole later
                if let Some(link) = self.links.get(&ifindex)
                    && link.slave != Slave::None
                {
                    self.put_link(Link { slave, ..link.clone() }, &mut touched);
                }
            }
            Event::Address(address) => {
                self.touch_beside(address.ifindex, &mut touched);
                let kept = self.addresses.entry(address.ifindex).or_default();
                match kept.binary_search_by(|other| other.key().cmp(&address.key())) {
                    Ok(at) => kept[at] = address,
                    Err(at) => kept.insert(at, address),
                }
            }
            Event::AddressGone(address) => {
                self.touch_beside(address.ifindex, &mut touched);
                if let Some(kept) = self.addresses.get_mut(&address.ifindex) {
                    kept.retain(|other| other.key() != address.key());
                    if kept.is_empty() {
                        self.addresses.remove(&address.ifindex);
                    }
                }
            }
            Event::Vlans(range) => {
                self.touch_above(range.ifindex, &mut touched);
                vlan::put(self.vlans.entry(range.ifindex).or_default(), &range);
            }
            Event::VlansGone(range) => {
                self.touch_above(range.ifindex, &mut touched);
                if let Some(vlans) = self.vlans.get_mut(&range.ifindex) {
                    vlans.retain(|vid, _| !range.vids().contains(vid));
                    if vlans.is_empty() {
                        self.vlans.remove(&range.ifindex);
                    }
                }
            }
            Event::AllVlans(ranges) => {
                let mut vlans = BTreeMap::<IfIndex, BTreeMap<u16, VlanFlags>>::new();
                for range in &ranges {
                    vlan::put(vlans.entry(range.ifindex).or_default(), range);
                }
                let devices: BTreeSet<IfIndex> =
                    self.vlans.keys().chain(vlans.keys()).copied().collect();
                for ifindex in devices {
                    if self.vlans.get(&ifindex) != vlans.get(&ifindex) {
                        self.touch_above(ifindex, &mut touched);
                    }
                }
                self.vlans = vlans;
            }
            Event::Receives(ifindex, mac) => {
                self.edit_macs(ifindex, |macs| macs.announce(mac), &mut touched);
            }
            Event::ReceivesNoMore(ifindex, mac) => {
                self.edit_macs(ifindex, |macs| macs.withdraw(mac), &mut touched);
            }
            Event::FiltersSettled(ifindex) => {
                self.edit_macs(ifindex, MacLists::settle, &mut touched);
            }
            Event::MacList(ifindex, listed) => {
                self.edit_macs(ifindex, |macs| macs.replace_listed(listed), &mut touched);
            }
        }
        touched
    }

    /// Replaces everything by a complete snapshot; returns the devices that differ, gone ones included. What a snapshot
    /// can't show is kept for devices that still exist: their former MACs, and who asked for a MAC in their filters.
    pub fn replace(&mut self, snapshot: Snapshot) -> BTreeSet<IfIndex> {
        let mut fresh = Self::default();
        let mut unused = BTreeSet::new();
        let present: BTreeSet<IfIndex> = snapshot.links.iter().map(|link| link.ifindex).collect();
        let gone = self.links.keys().filter(|ifindex| !present.contains(ifindex)).copied();
        for ifindex in gone.collect::<Vec<_>>() {
            self.lend(ifindex);
        }
        for link in snapshot.links {
            if let Some(macs) = self.macs.get(&link.ifindex) {
                fresh.macs.insert(link.ifindex, macs.clone());
            }
            // what the device was called by before counts as a former MAC of it
            let former = self.links.get(&link.ifindex).and_then(|former| former.mac);
            if let Some(former) = former.filter(|former| Some(*former) != link.mac) {
                let macs = fresh.macs.entry(link.ifindex).or_default();
                macs.was(former);
                if self.addresses.contains_key(&link.ifindex) {
                    macs.left_behind(former);
                }
            }
            fresh.put_link(link, &mut unused);
        }
        for address in snapshot.addresses {
            fresh.fold(Event::Address(address));
        }
        for range in snapshot.vlans {
            fresh.fold(Event::Vlans(range));
        }
        let lists = snapshot.mac_lists;
        for ifindex in fresh.links.keys().copied().collect::<Vec<_>>() {
            let listed = lists.get(&ifindex).cloned().unwrap_or_default();
            fresh.fold(Event::MacList(ifindex, listed));
        }
        let everything: BTreeSet<IfIndex> = [&*self, &fresh]
            .into_iter()
            .flat_map(|view| {
                view.links.keys().chain(view.addresses.keys()).chain(view.vlans.keys())
            })
            .copied()
            .collect();
        let mut touched = BTreeSet::new();
        for ifindex in everything {
            let same = self.links.get(&ifindex) == fresh.links.get(&ifindex)
                && self.addresses(ifindex) == fresh.addresses(ifindex)
                && self.vlans.get(&ifindex) == fresh.vlans.get(&ifindex)
                && self.macs.get(&ifindex) == fresh.macs.get(&ifindex);
            if !same {
                self.touch_above(ifindex, &mut touched);
                fresh.touch_above(ifindex, &mut touched);
            }
        }
        *self = fresh;
        touched
    }

    fn put_link(&mut self, link: Link, touched: &mut BTreeSet<IfIndex>) {
        let ifindex = link.ifindex;
        let former = self.links.get(&ifindex);
        if former == Some(&link) {
            return;
        }
        if let Some(mac) = former.and_then(|former| former.mac).filter(|mac| Some(*mac) != link.mac)
        {
            let had_address = self.addresses.contains_key(&ifindex);
            let macs = self.macs.entry(ifindex).or_default();
            macs.was_until_now(mac);
            if had_address {
                macs.left_behind(mac);
            }
        }
        self.touch_above(ifindex, touched);
        self.unstack(ifindex);
        self.stack(&link);
        self.links.insert(ifindex, link);
        self.touch_above(ifindex, touched);
    }

    fn remove_link(&mut self, ifindex: IfIndex, touched: &mut BTreeSet<IfIndex>) {
        self.touch_above(ifindex, touched);
        self.lend(ifindex);
        self.unstack(ifindex);
        self.links.remove(&ifindex);
        self.addresses.remove(&ifindex);
        self.vlans.remove(&ifindex);
        self.macs.remove(&ifindex);
    }

    /// A macvlan that moved to another network namespace leaves its MAC in the filters of the devices below.
    fn lend(&mut self, ifindex: IfIndex) {
        let Some(link) = self.links.get(&ifindex) else { return };
        let (LinkKind::Macvlan { .. }, Some(mac)) = (&link.kind, link.mac) else { return };
        let mut below = BTreeSet::new();
        self.descend(ifindex, &mut below);
        below.remove(&ifindex);
        for lower in below {
            self.macs.entry(lower).or_default().lent(mac);
        }
    }

    fn edit_macs(
        &mut self,
        ifindex: IfIndex,
        edit: impl FnOnce(&mut MacLists),
        touched: &mut BTreeSet<IfIndex>,
    ) {
        let mut macs = self.macs.get(&ifindex).cloned().unwrap_or_default();
        edit(&mut macs);
        if self.macs.get(&ifindex).unwrap_or(&MacLists::default()) != &macs {
            self.touch_beside(ifindex, touched);
        }
        if macs.is_empty() {
            self.macs.remove(&ifindex);
        } else {
            self.macs.insert(ifindex, macs);
        }
    }
}
