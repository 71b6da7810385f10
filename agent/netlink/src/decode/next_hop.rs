//! What does RTM_NEWNEXTHOP or RTM_DELNEXTHOP say about a next-hop object?
//!
//! ```text
//!  struct nhmsg:   0 family   1 scope   2 protocol   4 flags   8 attributes …
//!
//!  a group       NHA_ID   NHA_GROUP: struct nexthop_grp { 0 id   4 weight - 1, low octet   5 high octet   6 reserved } …
//!  a blackhole   NHA_ID   NHA_BLACKHOLE
//!  a way out     NHA_ID   NHA_OIF, NHA_GATEWAY of either family, NHA_ENCAP; what is dead: in nh_flags
//!  of a vxlan    NHA_ID   NHA_FDB: ignored
//! ```
//!
//! Source: `nh_fill_node` and `nexthop_grp_weight` in net/ipv4/nexthop.c, numbers from include/uapi/linux/nexthop.h. The high
//! octet of a weight was reserved, and zero, before Linux 6.12.

use firsthop_model::fib::{NextHopContent, NextHopObject};

use super::attributes::{Attribute, Attributes};
use super::route::hop;
use super::{Fault, device, word};

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP_TYPE: u16 = 7;
const NHA_ENCAP: u16 = 8;
const NHA_FDB: u16 = 11;

const HEADER: usize = 8;
const MEMBER: usize = 8;

/// The object; `None` where it is for a forwarding table.
pub(super) fn decode(payload: &[u8]) -> Result<Option<NextHopObject>, Fault> {
    let (Some(flags), Some(attributes)) = (word(payload, 4), payload.get(HEADER..)) else {
        return Err(Fault::Cut { need: HEADER, have: payload.len() });
    };
    let [flags, ..] = flags.to_le_bytes();
    let mut own = hop(flags);
    let (mut id, mut members, mut blackhole, mut of_vxlan) = (None, None, false, false);
    for attribute in Attributes(attributes) {
        let attribute = attribute?;
        match attribute.kind {
            NHA_ID => id = Some(attribute.u32()?),
            NHA_GROUP => members = Some(group(attribute)?),
            NHA_BLACKHOLE => blackhole = true,
            NHA_OIF => own.ifindex = device("NHA_OIF", attribute.u32()?)?,
            NHA_GATEWAY => own.gateway = Some(attribute.ip(attribute.value.len() > 4)?),
            NHA_ENCAP_TYPE | NHA_ENCAP => own.encapsulated = true,
            NHA_FDB => of_vxlan = true,
            _ => {}
        }
    }
    let id = id.ok_or(Fault::Missing { attribute: NHA_ID })?;
    let content = match members {
        Some(members) => NextHopContent::Group(members),
        None if blackhole => NextHopContent::Blackhole,
        None => NextHopContent::Hop(own),
    };
    Ok((!of_vxlan).then_some(NextHopObject { id, content }))
}

/// Members and their weights.
fn group(attribute: Attribute<'_>) -> Result<Vec<(u32, u32)>, Fault> {
    let (members, []) = attribute.value.as_chunks::<MEMBER>() else {
        return Err(attribute.wrong_length(attribute.value.len().next_multiple_of(MEMBER)));
    };
    let member = |[i0, i1, i2, i3, low, high, _, _]: &[u8; MEMBER]| {
        let id = u32::from_ne_bytes([*i0, *i1, *i2, *i3]);
        (id, u32::from(u16::from_le_bytes([*low, *high])) + 1)
    };
    Ok(members.iter().map(member).collect())
}
