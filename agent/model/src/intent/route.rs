//! What a route comes to, as mlxsw maps routes (`mlxsw_sp_fib4_entry_type_set`, `mlxsw_sp_fib_entry_op`).
//!
//! ```text
//!   local, broadcast, anycast ─▶ Own        to the CPU, as an address of its own
//!   blackhole                 ─▶ Discard
//!   unreachable, prohibit     ─▶ Reject     to the CPU, which says so to the sender
//!   unicast on a link         ─▶ Link       to the host of that address
//!   unicast with gateways     ─▶ Gateways   to one of the next hops
//!   anything else             ─▶ Cpu        the kernel does what the chip can't, and a longest-prefix match still is one
//! ```
//!
//! The kernel looks the local table up first, then main, then default; all three are one in the chip. Only for the same prefix the
//! table decides: a route in main that is longer than one of the local table wins here, and would not in the kernel. Other
//! routing rules are not looked at.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Reason, TABLE_MAIN};
use crate::IfIndex;
use crate::fib::{Fib, NextHop, NextHopContent, Route, RouteKind, Via};

/// A next hop with a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gateway {
    /// The device
    pub ifindex: IfIndex,
    /// The gateway's address, of either family.
    pub ip: IpAddr,
    /// At least 1.
    pub weight: u32,
}

/// What a prefix comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The CPU is the destination.
    Own,
    /// Refused by the CPU.
    Reject,
    /// Dropped.
    Discard,
    /// The host of that address on this device.
    Link(IfIndex),
    /// One of these, at least one.
    Gateways(Vec<Gateway>),
    /// To the CPU, for this reason.
    Cpu(Reason),
}

/// The virtual router's table for a table of the kernel's: local and default tables are looked up with the main one
/// (`mlxsw_sp_fix_tb_id`).
pub const fn table_of(table: u32) -> u32 {
    match table {
        253 | 255 => TABLE_MAIN,
        table => table,
    }
}

/// The kernel's tables that a virtual router looks up, in this order.
pub fn tables_of(table: u32) -> impl Iterator<Item = u32> + Clone {
    let all = if table == TABLE_MAIN { &[255, 254, 253][..] } else { &[] };
    all.iter().copied().chain((table != TABLE_MAIN).then_some(table))
}

/// What a prefix of a virtual router comes to; None: there is no route, or none that a chip would be told.
pub fn way(fib: &Fib, table: u32, prefix: &IpNet) -> Option<Way> {
    if is_by_itself(prefix) {
        return None;
    }
    if routes(fib, table, prefix).any(is_conditional) {
        return Some(Way::Cpu(Reason::RouteUnsupported));
    }
    deciding_route(fib, table, prefix).map(|route| follow(fib, route))
}

/// The route that counts for a prefix of a virtual router.
pub fn deciding_route<'a>(fib: &'a Fib, table: u32, prefix: &IpNet) -> Option<&'a Route> {
    let sure = routes(fib, table, prefix).find(|route| !is_conditional(route));
    sure.or_else(|| routes(fib, table, prefix).next())
}

fn routes<'a>(fib: &'a Fib, table: u32, prefix: &IpNet) -> impl Iterator<Item = &'a Route> {
    tables_of(table).flat_map(|table| fib.routes(table, prefix))
}

/// Some packets only, or the table that the kernel looks up next.
fn is_conditional(route: &Route) -> bool {
    route.tos != 0 || route.kind == RouteKind::Throw
}

/// A chip may have a row for a host: not for groups, nor for IPv6 link-locals, which it traps before it looks for hosts.
pub const fn is_programmable(ip: IpAddr) -> bool {
    let special = match ip {
        IpAddr::V4(ip) => ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !special && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback()
}

/// What chips deal with before they look for a route: loopback addresses are dropped, link-locals trapped.
fn is_by_itself(prefix: &IpNet) -> bool {
    match prefix.network() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_multicast(),
        IpAddr::V6(ip) => {
            prefix.prefix_len() >= 8
                && (ip.is_loopback() || ip.is_multicast() || ip.is_unicast_link_local())
        }
    }
}

fn follow(fib: &Fib, route: &Route) -> Way {
    match route.kind {
        RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast => Way::Own,
        RouteKind::Blackhole => Way::Discard,
        RouteKind::Unreachable | RouteKind::Prohibit => Way::Reject,
        RouteKind::Unicast => match &route.via {
            Via::Hops(hops) => by_hops(hops.iter().map(|hop| (hop, u32::from(hop.weight)))),
            Via::Object(id) => by_object(fib, *id),
        },
        RouteKind::Multicast | RouteKind::Throw | RouteKind::Other(_) => {
            Way::Cpu(Reason::RouteUnsupported)
        }
    }
}

fn by_object(fib: &Fib, id: u32) -> Way {
    match fib.next_hop(id) {
        None => Way::Cpu(Reason::NextHopMissing),
        Some(NextHopContent::Blackhole) => Way::Discard,
        Some(NextHopContent::Hop(hop)) => by_hops([(hop, 1)].into_iter()),
        Some(NextHopContent::Group(members)) => {
            let hops: Option<Vec<_>> = members
                .iter()
                .map(|(member, weight)| match fib.next_hop(*member) {
                    Some(NextHopContent::Hop(hop)) => Some((hop, *weight)),
                    _ => None,
                })
                .collect();
            match hops.filter(|hops| !hops.is_empty()) {
                Some(hops) => by_hops(hops.into_iter()),
                None => Way::Cpu(Reason::NextHopMissing),
            }
        }
    }
}

fn by_hops<'a>(hops: impl Iterator<Item = (&'a NextHop, u32)> + Clone) -> Way {
    if hops.clone().any(|(hop, _)| hop.encapsulated) {
        return Way::Cpu(Reason::RouteUnsupported);
    }
    let gateway = |(hop, weight): (&NextHop, u32)| {
        let (ifindex, ip) = (hop.ifindex?, hop.gateway?);
        Some(Gateway { ifindex, ip, weight: weight.max(1) })
    };
    let gateways: Option<Vec<Gateway>> = hops.clone().map(gateway).collect();
    if let Some(gateways) = gateways.filter(|gateways| !gateways.is_empty()) {
        return Way::Gateways(gateways);
    }
    let mut links = hops.map(|(hop, _)| hop.ifindex.filter(|_| hop.gateway.is_none()));
    match (links.next(), links.next()) {
        (Some(Some(ifindex)), None) => Way::Link(ifindex),
        _ => Way::Cpu(Reason::RouteUnsupported),
    }
}

/// How many places each next hop has in a group of at most `largest`: by its weight, and at least one. None: they are too many.
pub fn places(gateways: &[Gateway], largest: u16) -> Option<Vec<u16>> {
    let largest = u64::from(largest);
    if gateways.len() as u64 > largest {
        return None;
    }
    let divisor = gateways.iter().fold(0, |divisor, hop| gcd(divisor, hop.weight.into())).max(1);
    let weights: Vec<u64> = gateways.iter().map(|hop| u64::from(hop.weight) / divisor).collect();
    let sum: u64 = weights.iter().sum();
    let mut places: Vec<u64> = if sum <= largest {
        weights
    } else {
        weights.iter().map(|weight| (weight * largest / sum).max(1)).collect()
    };
    // those that have one although they should have less take it from the largest
    while places.iter().sum::<u64>() > largest {
        *places.iter_mut().max()? -= 1;
    }
    places.into_iter().map(|places| u16::try_from(places).ok()).collect()
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fib::{FibEvent, Placement};
    use crate::testbed::{self, hop};

    fn route(table: u32, kind: RouteKind, hops: Vec<NextHop>) -> Route {
        Route { table, kind, ..testbed::route("192.0.2.0/24", hops) }
    }

    fn way_of(routes: impl IntoIterator<Item = Route>) -> Option<Way> {
        let mut fib = Fib::default();
        for route in routes {
            fib.fold(FibEvent::Route(route, Placement::Append));
        }
        way(&fib, TABLE_MAIN, &"192.0.2.0/24".parse().unwrap())
    }

    // Broken if a kind of route were forwarded that the kernel does not forward, or the other way round.
    #[test]
    fn kinds() {
        let of = |kind| way_of([route(254, kind, vec![])]);
        assert_eq!(of(RouteKind::Local), Some(Way::Own));
        assert_eq!(of(RouteKind::Broadcast), Some(Way::Own));
        assert_eq!(of(RouteKind::Blackhole), Some(Way::Discard));
        assert_eq!(of(RouteKind::Unreachable), Some(Way::Reject));
        assert_eq!(of(RouteKind::Prohibit), Some(Way::Reject));
        assert_eq!(of(RouteKind::Throw), Some(Way::Cpu(Reason::RouteUnsupported)));
        assert_eq!(of(RouteKind::Unicast), Some(Way::Cpu(Reason::RouteUnsupported)), "no way out");
        let unicast = |hops| way_of([route(254, RouteKind::Unicast, hops)]);
        assert_eq!(unicast(vec![hop(3, None)]), Some(Way::Link(IfIndex(3))));
        let gateway = |ifindex, ip: &str| Gateway {
            ifindex: IfIndex(ifindex),
            ip: ip.parse().unwrap(),
            weight: 1,
        };
        let both = vec![hop(3, Some("10.0.0.1")), hop(4, Some("fe80::1"))];
        let expected = vec![gateway(3, "10.0.0.1"), gateway(4, "fe80::1")];
        assert_eq!(unicast(both), Some(Way::Gateways(expected)));
        for odd in [
            vec![hop(3, None), hop(4, Some("10.0.0.1"))],
            vec![hop(3, None), hop(4, None)],
            vec![NextHop { encapsulated: true, ..hop(3, Some("10.0.0.1")) }],
        ] {
            assert_eq!(unicast(odd), Some(Way::Cpu(Reason::RouteUnsupported)));
        }
    }

    // Broken if a route of main took packets away from this host, or one for a type of service all packets.
    #[test]
    fn the_local_table_comes_first() {
        let main = || route(254, RouteKind::Unicast, vec![hop(3, None)]);
        let local = route(255, RouteKind::Local, vec![hop(1, None)]);
        assert_eq!(way_of([main(), local]), Some(Way::Own));
        let special = Route { tos: 0x10, ..main() };
        assert_eq!(way_of([main(), special]), Some(Way::Cpu(Reason::RouteUnsupported)));
        assert_eq!(way_of([route(7, RouteKind::Local, vec![])]), None, "another table");
    }

    // Broken if a group were larger than the chip's, a next hop had no place in it, or weights became others than asked for.
    #[test]
    fn places_follow_weights() {
        let of = |weights: &[u32], largest| {
            let gateway =
                |weight: &u32| Gateway { ifindex: IfIndex(1), ip: [0; 4].into(), weight: *weight };
            places(&weights.iter().map(gateway).collect::<Vec<_>>(), largest)
        };
        assert_eq!(of(&[1, 1], 64), Some(vec![1, 1]));
        assert_eq!(of(&[100, 50], 64), Some(vec![2, 1]));
        assert_eq!(of(&[1, 1000], 64), Some(vec![1, 63]));
        assert_eq!(of(&[1; 64], 64).map(|places| places.len()), Some(64));
        assert_eq!(of(&[1; 65], 64), None);
        assert_eq!(of(&[u32::MAX, 1, 1], 4), Some(vec![2, 1, 1]));
        assert_eq!(of(&[3, 3, 3], 64), Some(vec![1, 1, 1]));
    }
}
