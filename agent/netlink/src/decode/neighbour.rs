//! Which MAC is a device told to receive? RTM_NEWNEIGH and RTM_DELNEIGH of AF_BRIDGE go in.
//!
//! ```text
//!  struct ndmsg:   0 family   4 ifindex   8 state   10 flags   12 attributes …
//!
//!  of a device                      flags      state       NDA_MASTER
//!  in its unicast or multicast list NTF_SELF   PERMANENT   –             ─▶ the MAC, if it is a unicast one
//!  local on a bridge, by its user   –          PERMANENT   the same      ─▶ the MAC
//!  of a bridge port                 –          any         its bridge    ─▶ ignored
//!  in a table of the device's own   NTF_SELF   other, or with NDA_DST    ─▶ ignored (vxlan, switch drivers)
//! ```
//!
//! `bridge fdb add MAC dev DEV self` makes the first row of any device but a bridge, where it makes the second; up to
//! 6.14 the kernel then says both. A bridge's own MAC is among its local entries.
//!
//! Source: `rtnl_fdb_notify` and `ndo_dflt_fdb_dump` in net/core/rtnetlink.c, `fdb_fill_info` in net/bridge/br_fdb.c,
//! numbers from include/uapi/linux/neighbour.h.

use firsthop_model::{IfIndex, Mac};

use super::attributes::Attributes;
use super::{Fault, checked_ifindex};

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_MASTER: u16 = 9;
pub(crate) const NTF_SELF: u8 = 1 << 1;
const NTF_MASTER: u8 = 1 << 2;
pub(crate) const NUD_PERMANENT: u16 = 0x80;
const NUD_NONE: u16 = 0;

const HEADER: usize = 12;

/// The device and the MAC; `None` where the message is about anything else.
pub(super) fn decode(payload: &[u8]) -> Result<Option<(IfIndex, Mac)>, Fault> {
    let cut = Fault::Cut { need: HEADER, have: payload.len() };
    let family = payload.first().ok_or(cut)?;
    if i32::from(*family) != libc::AF_BRIDGE {
        return Ok(None);
    }
    let (Some([.., i0, i1, i2, i3, s0, s1, flags, _]), Some(attributes)) =
        (payload.first_chunk::<HEADER>(), payload.get(HEADER..))
    else {
        return Err(cut);
    };
    let index = u32::from_ne_bytes([*i0, *i1, *i2, *i3]);
    let state = u16::from_ne_bytes([*s0, *s1]);
    let itself = flags & (NTF_SELF | NTF_MASTER) == NTF_SELF;
    // A request without a state is announced without one.
    if state & NUD_PERMANENT == 0 && !(itself && state == NUD_NONE) {
        return Ok(None);
    }
    let ifindex = checked_ifindex("ndm_ifindex", index)?;
    let (mut mac, mut master, mut remote) = (None, None, false);
    for attribute in Attributes(attributes) {
        let attribute = attribute?;
        match attribute.kind {
            NDA_DST => remote = true,
            // Infiniband has addresses of another size.
            NDA_LLADDR => mac = attribute.octets().ok().map(Mac),
            NDA_MASTER => master = Some(attribute.u32()?),
            _ => {}
        }
    }
    let own = (itself || master == Some(index)) && !remote;
    Ok(mac.filter(|mac| own && !mac.is_multicast() && !mac.is_zero()).map(|mac| (ifindex, mac)))
}
