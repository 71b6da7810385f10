//! Which MACs in a device's filters are its router's? vrrpd keeps the old MAC there when it takes the virtual one; but macvlans
//! put theirs there as well, backups too.

use std::collections::BTreeSet;

use crate::{Kernel, Kind, Mac};

/// The MACs that a router interface answers besides its own and those of macvlans.
pub fn accept_set(kernel: &Kernel, ifindex: u32) -> BTreeSet<Mac> {
    let Some(device) = kernel.devices.get(&ifindex) else { return BTreeSet::new() };
    let Some(filters) = kernel.filters.get(&ifindex) else { return BTreeSet::new() };
    let mut accepted = BTreeSet::new();
    for mac in &filters.listed {
        let was_own = filters.former.contains(mac) || device.permanent_mac == Some(*mac);
        if was_own || filters.announced.contains(mac) {
            accepted.insert(*mac);
        }
    }
    let above = macs_above(kernel, ifindex, 0);
    accepted.retain(|mac| mac[0] & 1 == 0 && *mac != [0; 6]);
    accepted
        .retain(|mac| *mac != device.mac && !above.contains(mac) && !filters.lent.contains(mac));
    accepted
}

/// The MACs of everything that stands on a device, at any height; masters stand on their members, but for VRFs.
fn macs_above(kernel: &Kernel, ifindex: u32, height: u32) -> BTreeSet<Mac> {
    let mut macs = BTreeSet::new();
    if height > 8 {
        return macs;
    }
    for (upper, device) in &kernel.devices {
        let stands_here = kernel.lower_of(device).is_some_and(|(lower, _)| lower == ifindex);
        let has_member = !matches!(device.kind, Kind::Vrf(_))
            && kernel.devices.get(&ifindex).is_some_and(|below| below.master == Some(*upper));
        if stands_here || has_member {
            macs.insert(device.mac);
            macs.extend(macs_above(kernel, *upper, height + 1));
        }
    }
    macs
}
