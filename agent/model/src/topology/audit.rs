//! Is the view what the kernel has? For those who look again although no event was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Address, Link, Snapshot, Topology, VlanFlags, vlan};
use crate::IfIndex;

/// In what a view differs from a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViewFault {
    /// The kernel has a device that the view has not.
    LinkMissing,
    /// The view has a device that the kernel has not.
    LinkLeft,
    /// A device is otherwise than the view says.
    LinkDiffers,
    /// A device has other addresses.
    AddressesDiffer,
    /// A bridge, or a port of one, has other VLANs.
    VlansDiffer,
}

impl ViewFault {
    /// A stable word for counters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LinkMissing => "link_missing",
            Self::LinkLeft => "link_left",
            Self::LinkDiffers => "link_differs",
            Self::AddressesDiffer => "addresses_differ",
            Self::VlansDiffer => "vlans_differ",
        }
    }
}

/// Dumps show link-locals before duplicate-address detection has ended, events those that the kernel made only after it.
fn is_announced(address: &Address) -> bool {
    let tentative = address.is_tentative();
    !tentative || !matches!(address.ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// A device as far as its changes are announced: no message says that one that is down has a carrier (`netdev_state_change`), or
/// that a veth got its peer.
fn told(link: &Link) -> Link {
    Link { carrier: link.carrier && link.is_up(), link: link.lower(), ..link.clone() }
}

impl Topology {
    /// In what this view differs from what the kernel has, by device. Filters are left out: nobody announces them.
    pub fn faults(&self, snapshot: &Snapshot) -> BTreeSet<(IfIndex, ViewFault)> {
        let links: BTreeMap<IfIndex, &Link> =
            snapshot.links.iter().map(|link| (link.ifindex, link)).collect();
        let mut addresses = BTreeMap::<IfIndex, Vec<Address>>::new();
        for address in &snapshot.addresses {
            addresses.entry(address.ifindex).or_default().push(address.clone());
        }
        for list in addresses.values_mut() {
            list.sort_by_key(Address::key);
        }
        let mut vlans = BTreeMap::<IfIndex, BTreeMap<u16, VlanFlags>>::new();
        for range in &snapshot.vlans {
            vlan::put(vlans.entry(range.ifindex).or_default(), range);
        }
        let mut faults = BTreeSet::new();
        for ifindex in links.keys().chain(self.links.keys()).copied() {
            match (self.links.get(&ifindex), links.get(&ifindex)) {
                (None, Some(_)) => _ = faults.insert((ifindex, ViewFault::LinkMissing)),
                (Some(_), None) => _ = faults.insert((ifindex, ViewFault::LinkLeft)),
                (Some(ours), Some(theirs)) if told(ours) != told(theirs) => {
                    faults.insert((ifindex, ViewFault::LinkDiffers));
                }
                _ => {}
            }
        }
        for ifindex in addresses.keys().chain(self.addresses.keys()).copied() {
            let [ours, theirs] = [&self.addresses, &addresses].map(|all| all.get(&ifindex));
            let announced = |list: Option<&Vec<Address>>| -> Vec<Address> {
                list.into_iter()
                    .flatten()
                    .filter(|address| is_announced(address))
                    .cloned()
                    .collect()
            };
            if ours != theirs && announced(ours) != announced(theirs) {
                faults.insert((ifindex, ViewFault::AddressesDiffer));
            }
        }
        for ifindex in vlans.keys().chain(self.vlans.keys()).copied() {
            if self.vlans.get(&ifindex) != vlans.get(&ifindex) {
                faults.insert((ifindex, ViewFault::VlansDiffer));
            }
        }
        faults
    }
}
