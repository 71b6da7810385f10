//! What can be listened and asked for? Two subjects, each with its groups, its decoder and its tables.
//!
//! ```text
//!  Event      what exists: devices, addresses, VLANs, MACs       EventSocket   Dumper::snapshot      thousands
//!  FibEvent   what is forwarded by: routes, next hops, hosts     FibSocket     Dumper::forwarding    hundred thousands
//! ```
//!
//! On sockets of their own, so that a storm of routes can't push out the word about a device.

use std::fmt::Debug;

use firsthop_model::fib::FibEvent;
use firsthop_model::topology::Event;
use libc::sock_filter;

use crate::decode::{Decoded, decode, decode_fib};
use crate::dump::Table;
use crate::filter;
use crate::message::Message;

/// A kind of event, and where it comes from.
pub trait Subject: Debug + PartialEq + Sized {
    /// What its socket is called.
    const SOCKET: &'static str;
    /// Groups of RTNLGRP_* (include/uapi/linux/rtnetlink.h).
    const GROUPS: &'static [u32];
    /// A group that old kernels do not have, and what is not heard without it.
    const YOUNG_GROUP: (u32, &'static str);
    /// Keeps off the socket what would be ignored.
    const NOISE: &'static [sock_filter];

    /// What a message says.
    fn decode(message: &Message<'_>) -> Decoded<Self>;

    /// Whether it is a row of that table. Without IPv6 in the kernel, AF_INET6 is answered with every family.
    fn is_of(&self, table: Table) -> bool;
}

/// RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR; RTNLGRP_BRVLAN.
impl Subject for Event {
    const SOCKET: &'static str = "EventSocket";
    const GROUPS: &'static [u32] = &[1, 3, 5, 9];
    const YOUNG_GROUP: (u32, &'static str) = (33, "VLANs of bridges: Linux before 5.6");
    const NOISE: &'static [sock_filter] = &filter::NOISE;

    fn decode(message: &Message<'_>) -> Decoded {
        decode(message)
    }

    fn is_of(&self, table: Table) -> bool {
        match (table, self) {
            (Table::Links, Self::Link(_)) => true,
            (Table::Ipv4Addresses, Self::Address(address)) => address.ip.is_ipv4(),
            (Table::Ipv6Addresses, Self::Address(address)) => address.ip.is_ipv6(),
            (Table::Vlans, Self::Vlans(_)) | (Table::MacLists, Self::Receives(..)) => true,
            _ => false,
        }
    }
}

/// RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE; RTNLGRP_NEXTHOP.
impl Subject for FibEvent {
    const SOCKET: &'static str = "FibSocket";
    const GROUPS: &'static [u32] = &[3, 7, 11];
    const YOUNG_GROUP: (u32, &'static str) = (32, "next-hop objects: Linux before 5.3");
    const NOISE: &'static [sock_filter] = &filter::NOT_OF_HOSTS;

    fn decode(message: &Message<'_>) -> Decoded<Self> {
        decode_fib(message)
    }

    fn is_of(&self, table: Table) -> bool {
        match (table, self) {
            (Table::Ipv4Routes, Self::Route(route, _)) => route.prefix.addr().is_ipv4(),
            (Table::Ipv6Routes, Self::Route(route, _)) => route.prefix.addr().is_ipv6(),
            (Table::NextHops, Self::NextHop(_)) => true,
            (Table::Ipv4Neighbours, Self::Neighbour(neighbour)) => neighbour.ip.is_ipv4(),
            (Table::Ipv6Neighbours, Self::Neighbour(neighbour)) => neighbour.ip.is_ipv6(),
            _ => false,
        }
    }
}
