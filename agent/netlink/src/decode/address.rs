//! What does RTM_NEWADDR or RTM_DELADDR say about an address?
//!
//! ```text
//!  struct ifaddrmsg:   0 family   1 prefixlen   2 flags   3 scope   4 index   8 attributes …
//!
//!                          IFA_LOCAL   IFA_ADDRESS
//!  IPv4                    own         own
//!  IPv4 with a peer        own         peer
//!  IPv6                    –           own
//!  IPv6 with a peer        own         peer
//! ```
//!
//! Source: `inet_fill_ifaddr` in net/ipv4/devinet.c, `inet6_fill_ifaddr` in net/ipv6/addrconf.c, numbers from
//! include/uapi/linux/if_addr.h.

use firsthop_model::topology::Address;

use super::attributes::Attributes;
use super::{Fault, checked_ifindex, word};

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;

const HEADER: usize = 8;

/// The address; `None` where it is neither IPv4 nor IPv6.
pub(super) fn decode(payload: &[u8]) -> Result<Option<Address>, Fault> {
    let cut = Fault::Cut { need: HEADER, have: payload.len() };
    let (Some([family, prefix_len, flags]), Some(index), Some(attributes)) =
        (payload.first_chunk(), word(payload, 4), payload.get(HEADER..))
    else {
        return Err(cut);
    };
    let v6 = match i32::from(*family) {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => return Ok(None),
    };
    let ifindex = checked_ifindex("ifa_index", index)?;
    if *prefix_len > if v6 { 128 } else { 32 } {
        return Err(Fault::Value { field: "ifa_prefixlen", value: (*prefix_len).into() });
    }
    let (mut local, mut far, mut broadcast, mut proto) = (None, None, None, None);
    // The eight bits of the header cannot hold all flags; IFA_FLAGS, where it is there, is the whole.
    let mut flags = u32::from(*flags);
    for attribute in Attributes(attributes) {
        let attribute = attribute?;
        match attribute.kind {
            IFA_ADDRESS => far = Some(attribute.ip(v6)?),
            IFA_LOCAL => local = Some(attribute.ip(v6)?),
            IFA_BROADCAST => broadcast = Some(attribute.ip(v6)?),
            IFA_FLAGS => flags = attribute.u32()?,
            IFA_PROTO => proto = Some(attribute.u8()?),
            _ => {}
        }
    }
    let ip = local.or(far).ok_or(Fault::Missing { attribute: IFA_ADDRESS })?;
    let peer = far.filter(|far| *far != ip);
    Ok(Some(Address { ifindex, ip, prefix_len: *prefix_len, peer, broadcast, flags, proto }))
}
