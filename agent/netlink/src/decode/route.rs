//! What does RTM_NEWROUTE or RTM_DELROUTE say about a route, and where is it among those of its prefix?
//!
//! ```text
//!  struct rtmsg:   0 family   1 dst_len   2 src_len   3 tos   4 table   5 protocol   6 scope   7 type   8 flags   12 attributes …
//!
//!  leads to                         RTA_NH_ID   RTA_MULTIPATH   RTA_OIF, RTA_GATEWAY or RTA_VIA, RTA_ENCAP
//!  a next-hop object                its id      what the object means at present: not looked at
//!  several next hops                –           rtnexthop …     –
//!  one                              –           –               its device, gateway; what is dead: in rtm_flags
//!  nothing (blackhole and its kin)  –           –               IPv6 names `lo`: not looked at
//!
//!  struct rtnexthop:   0 length   2 flags   3 weight - 1   4 ifindex   8 attributes …, padded to 4 octets
//! ```
//!
//! Left out: other families, multicast, routes by source (IPv6 subtrees), and cached exceptions (RTM_F_CLONED).
//!
//! RTM_NEWROUTE of an IPv6 route names all next hops of its prefix and metric that share load, those from before as well
//! (`rt6_fill_node`); an IPv4 message is about one route only. RTM_DELROUTE of IPv6 names one of several next hops, or all
//! (`ip6_route_multipath_del`, `__ip6_del_rt_siblings`). Of the several next hops of an IPv6 route RTM_NEWROUTE names the new one
//! first, a dump the oldest: there they are sorted, so that both say the same.
//!
//! Source: `fib_dump_info` in net/ipv4/fib_semantics.c, `rt6_fill_node` in net/ipv6/route.c, numbers from
//! include/uapi/linux/rtnetlink.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use firsthop_model::fib::{NextHop, Placement, Route, RouteKind, Via};
use ipnet::IpNet;

use super::attributes::{Attribute, Attributes};
use super::{Fault, device};
use crate::message::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_MULTI, NLM_F_REPLACE};

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_NH_ID: u16 = 30;

const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_DEAD: u8 = 1;
const RTNH_F_LINKDOWN: u8 = 16;

const HEADER: usize = 12;
const HOP_HEADER: usize = 8;

/// Where RTM_NEWROUTE puts a route. `fib_table_insert` and `fib6_add_rt2node` say NLM_F_CREATE of every route that was not
/// there; without it, it is one that was there and changed (`fib_alias_hw_flags_set`).
pub(super) const fn placement(flags: u16) -> Placement {
    if flags & (NLM_F_APPEND | NLM_F_MULTI) != 0 && flags & NLM_F_REPLACE == 0 {
        Placement::Append
    } else if flags & NLM_F_CREATE != 0 && flags & NLM_F_REPLACE == 0 {
        Placement::Prepend
    } else {
        Placement::Replace
    }
}

/// The route; `None` where it is left out.
pub(super) fn decode(payload: &[u8]) -> Result<Option<Route>, Fault> {
    let (Some(header), Some(attributes)) = (payload.first_chunk::<HEADER>(), payload.get(HEADER..))
    else {
        return Err(Fault::Cut { need: HEADER, have: payload.len() });
    };
    let [family, dst_len, src_len, tos, table, protocol, _, kind, f0, f1, f2, f3] = *header;
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let v6 = match i32::from(family) {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => return Ok(None),
    };
    let kind = RouteKind::from_u8(kind);
    if flags & RTM_F_CLONED != 0 || src_len != 0 || kind == RouteKind::Multicast {
        return Ok(None);
    }
    let mut destination =
        if v6 { Ipv6Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv4Addr::UNSPECIFIED) };
    let (mut table, mut metric) = (table.into(), 0);
    let (mut object, mut several, mut source) = (None, None, None);
    let [own_flags, ..] = flags.to_le_bytes();
    let mut own = hop(own_flags);
    for attribute in Attributes(attributes) {
        let attribute = attribute?;
        match attribute.kind {
            RTA_DST => destination = attribute.ip(v6)?,
            RTA_OIF => own.ifindex = device("RTA_OIF", attribute.u32()?)?,
            RTA_PRIORITY => metric = attribute.u32()?,
            // an IPv6 route loses its source, and stays (`rt6_remove_prefsrc`)
            RTA_PREFSRC if !v6 => source = Some(attribute.ip(v6)?),
            RTA_MULTIPATH => several = Some(hops(attribute.value, v6)?),
            RTA_TABLE => table = attribute.u32()?,
            RTA_NH_ID => object = Some(attribute.u32()?),
            _ => lead(&mut own, attribute, v6)?,
        }
    }
    let prefix = IpNet::new(destination, dst_len)
        .map_err(|_| Fault::Value { field: "rtm_dst_len", value: dst_len.into() })?
        .trunc();
    if let Some(several) = several.as_mut().filter(|_| v6) {
        several.sort();
    }
    let via = match (kind, object, several) {
        (
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Throw,
            None,
            _,
        ) => Via::Hops(Vec::new()),
        (_, Some(id), _) => Via::Object(id),
        (_, None, Some(several)) => Via::Hops(several),
        (_, None, None) => Via::Hops(vec![own]),
    };
    let tos = if v6 { 0 } else { tos };
    Ok(Some(Route { table, prefix, metric, tos, kind, protocol, source, via }))
}

/// RTA_MULTIPATH
fn hops(mut rest: &[u8], v6: bool) -> Result<Vec<NextHop>, Fault> {
    let mut hops = Vec::new();
    while !rest.is_empty() {
        let have = rest.len();
        let overrun = |need| Fault::Overrun { attribute: RTA_MULTIPATH, need, have };
        let [l0, l1, flags, weight, index @ ..] =
            *rest.first_chunk::<HOP_HEADER>().ok_or_else(|| overrun(HOP_HEADER))?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let attributes = rest.get(HOP_HEADER..length).ok_or_else(|| overrun(length))?;
        let mut hop = hop(flags);
        hop.ifindex = device("rtnh_ifindex", u32::from_ne_bytes(index))?;
        hop.weight = u16::from(weight) + 1;
        for attribute in Attributes(attributes) {
            lead(&mut hop, attribute?, v6)?;
        }
        hops.push(hop);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(hops)
}

/// A next hop without attributes.
pub(super) const fn hop(flags: u8) -> NextHop {
    NextHop {
        ifindex: None,
        gateway: None,
        weight: 1,
        dead: flags & RTNH_F_DEAD != 0,
        link_down: flags & RTNH_F_LINKDOWN != 0,
        encapsulated: false,
    }
}

/// What an attribute says about a next hop, if anything.
fn lead(hop: &mut NextHop, attribute: Attribute<'_>, v6: bool) -> Result<(), Fault> {
    match attribute.kind {
        RTA_GATEWAY => hop.gateway = Some(attribute.ip(v6)?),
        RTA_VIA => hop.gateway = Some(via(attribute)?),
        RTA_ENCAP_TYPE | RTA_ENCAP => hop.encapsulated = true,
        _ => {}
    }
    Ok(())
}

/// `struct rtvia`: a family in host byte order, and an address.
fn via(attribute: Attribute<'_>) -> Result<IpAddr, Fault> {
    let Some((family, address)) = attribute.value.split_first_chunk() else {
        return Err(attribute.wrong_length(2));
    };
    let family = u16::from_ne_bytes(*family);
    match i32::from(family) {
        libc::AF_INET => address
            .try_into()
            .map(|octets: [u8; 4]| octets.into())
            .map_err(|_| attribute.wrong_length(6)),
        libc::AF_INET6 => address
            .try_into()
            .map(|octets: [u8; 16]| octets.into())
            .map_err(|_| attribute.wrong_length(18)),
        _ => Err(Fault::Value { field: "rtvia_family", value: family.into() }),
    }
}
