//! VLANs of a bridge port, or of a bridge itself, as RTM_NEWVLAN describes them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::IfIndex;

/// What a VLAN is on a port (BRIDGE_VLAN_INFO_* in include/uapi/linux/if_bridge.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct VlanFlags {
    /// Untagged frames that come in belong to it.
    pub pvid: bool,
    /// Its frames leave without a tag.
    pub untagged: bool,
}

/// VLANs `first..=last` (1..=4094) of one device, all with the same flags; only a single VLAN can have `pvid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanRange {
    /// A bridge port, or a bridge.
    pub ifindex: IfIndex,
    /// The first VID.
    pub first: u16,
    /// The last VID.
    pub last: u16,
    /// Their flags.
    pub flags: VlanFlags,
}

impl VlanRange {
    /// The VIDs.
    pub const fn vids(&self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

/// Adds or changes VLANs. The kernel announces the new PVID only: the former one loses the flag silently
/// (`__vlan_add_pvid` in net/bridge/br_vlan.c).
pub(super) fn put(vlans: &mut BTreeMap<u16, VlanFlags>, range: &VlanRange) {
    if range.flags.pvid {
        vlans.values_mut().for_each(|flags| flags.pvid = false);
    }
    vlans.extend(range.vids().map(|vid| (vid, range.flags)));
}
