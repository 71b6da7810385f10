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

/// A multicast group: its number, and its name without RTNLGRP_.
pub(crate) type Group = (u32, &'static str);

/// A kind of event, and where it comes from.
pub trait Subject: Debug + PartialEq + Sized {
    /// What its socket is called.
    const SOCKET: &'static str;
    /// What its socket hears of.
    const HEARS_OF: &'static str;
    /// Groups of RTNLGRP_* (include/uapi/linux/rtnetlink.h).
    const GROUPS: &'static [Group];
    /// A group that old kernels do not have, and what is not heard without it.
    const YOUNG_GROUP: (Group, &'static str);
    /// Keeps off the socket what would be ignored.
    const NOISE: &'static [sock_filter];

    /// What a message says.
    fn decode(message: &Message<'_>) -> Decoded<Self>;

    /// Whether it is a row of that table. Without IPv6 in the kernel, AF_INET6 is answered with every family.
    fn is_of(&self, table: Table) -> bool;
}

impl Subject for Event {
    const SOCKET: &'static str = "EventSocket";
    const HEARS_OF: &'static str = "devices";
    const GROUPS: &'static [Group] =
        &[(1, "LINK"), (3, "NEIGH"), (5, "IPV4_IFADDR"), (9, "IPV6_IFADDR")];
    const YOUNG_GROUP: (Group, &'static str) =
        ((33, "BRVLAN"), "VLANs of bridges: Linux before 5.6");
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

impl Subject for FibEvent {
    const SOCKET: &'static str = "FibSocket";
    const HEARS_OF: &'static str = "routes";
    const GROUPS: &'static [Group] = &[(3, "NEIGH"), (7, "IPV4_ROUTE"), (11, "IPV6_ROUTE")];
    const YOUNG_GROUP: (Group, &'static str) =
        ((32, "NEXTHOP"), "next-hop objects: Linux before 5.3");
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
