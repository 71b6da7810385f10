//! Where is a neighbour? RTM_NEWNEIGH and RTM_DELNEIGH of AF_INET and AF_INET6 go in.
//!
//! ```text
//!  struct ndmsg:   0 family   4 ifindex   8 state   10 flags   12 attributes …
//!
//!  state                                    NDA_LLADDR
//!  PERMANENT, NOARP                         there           ─▶ its MAC; never asked for
//!  REACHABLE, STALE, DELAY, PROBE           there           ─▶ its MAC
//!  NONE, INCOMPLETE, FAILED                 –, or former    ─▶ no MAC
//!  any, of a multicast group or NTF_PROXY                   ─▶ ignored: no neighbour
//! ```
//!
//! Source: `neigh_fill_info` and `pneigh_fill_info` in net/core/neighbour.c, numbers from include/uapi/linux/neighbour.h.

use firsthop_model::Mac;
use firsthop_model::fib::Neighbour;

use super::attributes::Attributes;
use super::neighbour::NUD_PERMANENT;
use super::{Fault, checked_ifindex};

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NTF_PROXY: u8 = 1 << 3;
const NUD_REACHABLE: u16 = 0x02;
const NUD_STALE: u16 = 0x04;
const NUD_DELAY: u16 = 0x08;
const NUD_PROBE: u16 = 0x10;
const NUD_NOARP: u16 = 0x40;
/// include/net/neighbour.h
const NUD_VALID: u16 =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

const HEADER: usize = 12;

/// The neighbour; `None` where the message is about anything else.
pub(super) fn decode(payload: &[u8]) -> Result<Option<Neighbour>, Fault> {
    let cut = Fault::Cut { need: HEADER, have: payload.len() };
    let v6 = match payload.first().map(|family| i32::from(*family)) {
        Some(libc::AF_INET) => false,
        Some(libc::AF_INET6) => true,
        Some(_) => return Ok(None),
        None => return Err(cut),
    };
    let (Some([.., i0, i1, i2, i3, s0, s1, flags, _]), Some(attributes)) =
        (payload.first_chunk::<HEADER>(), payload.get(HEADER..))
    else {
        return Err(cut);
    };
    if flags & NTF_PROXY != 0 {
        return Ok(None);
    }
    let state = u16::from_ne_bytes([*s0, *s1]);
    let ifindex = checked_ifindex("ndm_ifindex", u32::from_ne_bytes([*i0, *i1, *i2, *i3]))?;
    let (mut ip, mut mac) = (None, None);
    for attribute in Attributes(attributes) {
        let attribute = attribute?;
        match attribute.kind {
            NDA_DST => ip = Some(attribute.ip(v6)?),
            // Infiniband and tunnels have addresses of another size.
            NDA_LLADDR => mac = attribute.octets().ok().map(Mac),
            _ => {}
        }
    }
    let ip = ip.ok_or(Fault::Missing { attribute: NDA_DST })?;
    if ip.is_multicast() {
        return Ok(None);
    }
    // Devices without addresses, such as `lo`, have neighbours with zeroes.
    let mac = mac.filter(|mac| state & NUD_VALID != 0 && !mac.is_zero());
    let permanent = state & (NUD_PERMANENT | NUD_NOARP) != 0;
    Ok(Some(Neighbour { ifindex, ip, mac, permanent }))
}
