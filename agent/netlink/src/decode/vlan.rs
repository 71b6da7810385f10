//! What does RTM_NEWVLAN or RTM_DELVLAN say about the VLANs of a bridge port, or of a bridge?
//!
//! ```text
//!  struct br_vlan_msg:   0 family   4 ifindex   8 attributes …
//!
//!  BRIDGE_VLANDB_ENTRY ─┬─ INFO { flags, vid }     one entry, one range
//!                       └─ RANGE last vid          only where there are several, never with the PVID
//!  BRIDGE_VLANDB_GLOBAL_OPTIONS                    about multicast and spanning trees: ignored
//! ```
//!
//! Of a bridge's own VLANs the kernel shows only those that the bridge device itself belongs to (`br_vlan_should_use`);
//! what it keeps for the sake of its ports never gets here, so BRIDGE_VLAN_INFO_BRENTRY is neither sent nor needed.
//!
//! Source: `br_vlan_notify`, `br_vlan_dump_dev` and `br_vlan_fill_vids` in net/bridge/br_vlan.c, numbers from
//! include/uapi/linux/if_bridge.h.

use firsthop_model::IfIndex;
use firsthop_model::topology::{VlanFlags, VlanRange};

use super::attributes::Attributes;
use super::{Fault, checked_ifindex, word};

const BRIDGE_VLANDB_ENTRY: u16 = 1;
const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
const BRIDGE_VLANDB_ENTRY_RANGE: u16 = 2;
const BRIDGE_VLAN_INFO_PVID: u16 = 1 << 1;
const BRIDGE_VLAN_INFO_UNTAGGED: u16 = 1 << 2;
const BRIDGE_VLAN_INFO_ONLY_OPTS: u16 = 1 << 6;

const HEADER: usize = 8;
const VIDS: std::ops::RangeInclusive<u16> = 1..=4094;

/// The ranges, in the order of the message.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<VlanRange>, Fault> {
    let cut = Fault::Cut { need: HEADER, have: payload.len() };
    let (Some(family), Some(index), Some(attributes)) =
        (payload.first(), word(payload, 4), payload.get(HEADER..))
    else {
        return Err(cut);
    };
    if i32::from(*family) != libc::AF_BRIDGE {
        return Ok(Vec::new());
    }
    let ifindex = checked_ifindex("ifindex", index)?;
    let mut ranges = Vec::new();
    for attribute in Attributes(attributes) {
        let attribute = attribute?;
        if attribute.kind == BRIDGE_VLANDB_ENTRY {
            ranges.extend(range(ifindex, attribute.nested())?);
        }
    }
    Ok(ranges)
}

/// One entry; `None` where it speaks of a VLAN's options alone.
fn range(ifindex: IfIndex, entry: Attributes<'_>) -> Result<Option<VlanRange>, Fault> {
    let (mut info, mut last) = (None, None);
    for attribute in entry {
        let attribute = attribute?;
        match attribute.kind {
            BRIDGE_VLANDB_ENTRY_INFO => info = Some(attribute.octets()?),
            BRIDGE_VLANDB_ENTRY_RANGE => last = Some(attribute.u16()?),
            _ => {}
        }
    }
    let [f0, f1, v0, v1] = info.ok_or(Fault::Missing { attribute: BRIDGE_VLANDB_ENTRY_INFO })?;
    let flags = u16::from_ne_bytes([f0, f1]);
    let first = u16::from_ne_bytes([v0, v1]);
    let last = last.unwrap_or(first);
    if flags & BRIDGE_VLAN_INFO_ONLY_OPTS != 0 {
        return Ok(None);
    }
    for (field, vid) in [("vid", first), ("range", last)] {
        if !VIDS.contains(&vid) || vid < first {
            return Err(Fault::Value { field, value: vid.into() });
        }
    }
    let flags = VlanFlags {
        pvid: flags & BRIDGE_VLAN_INFO_PVID != 0,
        untagged: flags & BRIDGE_VLAN_INFO_UNTAGGED != 0,
    };
    Ok(Some(VlanRange { ifindex, first, last, flags }))
}
