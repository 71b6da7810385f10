//! What exists: netdevs, how they are stacked, and their addresses. This is the **Observed** column.
//!
//! Events fold in, in any order; each fold says which netdevs a later stage has to look at again.
//! An address may arrive before its link and a macvlan before its lower: both are kept by ifindex until the other shows up.
//!
//! ```text
//!   links:      ifindex ─▶ Link
//!   addresses:  ifindex ─▶ [Address], ordered by (ip, prefix length, peer)
//!   uppers:     ifindex ─▶ { ifindex of each device whose IFLA_LINK names it }        (derived)
//! ```

mod address;
mod link;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use address::{Address, ifa_flags, ifa_proto};
pub use link::{Link, LinkKind, MacvlanMode, OperState, iff};

use crate::IfIndex;

/// One thing that the kernel announced. An event is a hint: only the folded state decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// RTM_NEWLINK: the device as it is now.
    Link(Box<Link>),
    /// RTM_DELLINK: removed, or moved to another network namespace.
    LinkGone(IfIndex),
    /// RTM_NEWADDR: the address as it is now.
    Address(Address),
    /// RTM_DELADDR
    AddressGone(Address),
}

/// A complete view of one network namespace, from dumps that all finished cleanly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Every device.
    pub links: Vec<Link>,
    /// Every address of both families.
    pub addresses: Vec<Address>,
}

/// The kernel's devices and addresses as far as they were announced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Topology {
    links: BTreeMap<IfIndex, Link>,
    addresses: BTreeMap<IfIndex, Vec<Address>>,
    uppers: BTreeMap<IfIndex, BTreeSet<IfIndex>>,
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

    /// Devices whose IFLA_LINK names this one, in this network namespace, by index.
    pub fn uppers(&self, ifindex: IfIndex) -> impl Iterator<Item = &Link> {
        self.uppers.get(&ifindex).into_iter().flatten().filter_map(|upper| self.links.get(upper))
    }

    /// Folds one event in; returns the devices whose router interface or verdict may have changed.
    pub fn fold(&mut self, event: Event) -> BTreeSet<IfIndex> {
        let mut touched = BTreeSet::new();
        match event {
            Event::Link(link) => self.put_link(*link, &mut touched),
            Event::LinkGone(ifindex) => self.remove_link(ifindex, &mut touched),
            Event::Address(address) => {
                self.touch(address.ifindex, &mut touched);
                let kept = self.addresses.entry(address.ifindex).or_default();
                match kept.binary_search_by(|other| other.key().cmp(&address.key())) {
                    Ok(at) => kept[at] = address,
                    Err(at) => kept.insert(at, address),
                }
            }
            Event::AddressGone(address) => {
                self.touch(address.ifindex, &mut touched);
                if let Some(kept) = self.addresses.get_mut(&address.ifindex) {
                    kept.retain(|other| other.key() != address.key());
                    if kept.is_empty() {
                        self.addresses.remove(&address.ifindex);
                    }
                }
            }
        }
        touched
    }

    /// Replaces everything by a complete snapshot; returns the devices that differ, gone ones included.
    pub fn replace(&mut self, snapshot: Snapshot) -> BTreeSet<IfIndex> {
        let mut fresh = Self::default();
        let mut unused = BTreeSet::new();
        for link in snapshot.links {
            fresh.put_link(link, &mut unused);
        }
        for address in snapshot.addresses {
            fresh.fold(Event::Address(address));
        }
        let everything: BTreeSet<IfIndex> = [&*self, &fresh]
            .into_iter()
            .flat_map(|view| view.links.keys().chain(view.addresses.keys()))
            .copied()
            .collect();
        let mut touched = BTreeSet::new();
        for ifindex in everything {
            let same = self.links.get(&ifindex) == fresh.links.get(&ifindex)
                && self.addresses(ifindex) == fresh.addresses(ifindex);
            if !same {
                self.touch(ifindex, &mut touched);
                fresh.touch(ifindex, &mut touched);
            }
        }
        *self = fresh;
        touched
    }

    /// A device, the one it is stacked on and the VRF it is in: whoever is computed from it.
    fn touch(&self, ifindex: IfIndex, touched: &mut BTreeSet<IfIndex>) {
        touched.insert(ifindex);
        if let Some(link) = self.links.get(&ifindex) {
            touched.extend(link.lower());
            if matches!(link.kind, LinkKind::Vrf { .. }) {
                let slaves = self.links.values().filter(|slave| slave.master == Some(ifindex));
                touched.extend(
                    slaves.flat_map(|slave| [Some(slave.ifindex), slave.lower()]).flatten(),
                );
            }
        }
        touched.extend(self.uppers.get(&ifindex).into_iter().flatten());
    }

    fn put_link(&mut self, link: Link, touched: &mut BTreeSet<IfIndex>) {
        let ifindex = link.ifindex;
        if self.links.get(&ifindex) == Some(&link) {
            return;
        }
        self.touch(ifindex, touched);
        self.unstack(ifindex);
        if let Some(lower) = link.lower() {
            self.uppers.entry(lower).or_default().insert(ifindex);
        }
        self.links.insert(ifindex, link);
        self.touch(ifindex, touched);
    }

    fn remove_link(&mut self, ifindex: IfIndex, touched: &mut BTreeSet<IfIndex>) {
        self.touch(ifindex, touched);
        self.unstack(ifindex);
        self.links.remove(&ifindex);
        self.addresses.remove(&ifindex);
    }

    fn unstack(&mut self, ifindex: IfIndex) {
        let Some(lower) = self.links.get(&ifindex).and_then(Link::lower) else { return };
        if let Some(siblings) = self.uppers.get_mut(&lower) {
            siblings.remove(&ifindex);
            if siblings.is_empty() {
                self.uppers.remove(&lower);
            }
        }
    }
}
