//! One route, next hop, or neighbour as the kernel describes it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{IfIndex, Mac};

/// `rtm_type` (RTN_*, include/uapi/linux/rtnetlink.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// To a gateway, or to hosts on a link.
    Unicast,
    /// An address of this host.
    Local,
    /// A broadcast address of a link: for this host.
    Broadcast,
    /// An anycast address of this host.
    Anycast,
    /// Multicast; not a route in the sense of this module.
    Multicast,
    /// Dropped silently.
    Blackhole,
    /// Refused with ICMP "host unreachable".
    Unreachable,
    /// Refused with ICMP "administratively prohibited".
    Prohibit,
    /// Continue with the next routing rule.
    Throw,
    /// A kind of a later kernel.
    Other(u8),
}

impl RouteKind {
    /// From `rtm_type`.
    pub const fn from_u8(kind: u8) -> Self {
        match kind {
            1 => Self::Unicast,
            2 => Self::Local,
            3 => Self::Broadcast,
            4 => Self::Anycast,
            5 => Self::Multicast,
            6 => Self::Blackhole,
            7 => Self::Unreachable,
            8 => Self::Prohibit,
            9 => Self::Throw,
            other => Self::Other(other),
        }
    }

    /// The word that `ip route` prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Local => "local",
            Self::Broadcast => "broadcast",
            Self::Anycast => "anycast",
            Self::Multicast => "multicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Throw => "throw",
            Self::Other(_) => "unknown",
        }
    }
}

/// A way out (`struct rtnexthop`, or the attributes of a route that has one).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NextHop {
    /// RTA_OIF; None: a route without a device.
    pub ifindex: Option<IfIndex>,
    /// RTA_GATEWAY, or RTA_VIA: of either family. None: destinations are on the link.
    pub gateway: Option<IpAddr>,
    /// 1..=256 (`rtnh_hops` + 1)
    pub weight: u16,
    /// RTNH_F_DEAD: its device is down.
    pub dead: bool,
    /// RTNH_F_LINKDOWN: its device has no carrier.
    pub link_down: bool,
    /// RTA_ENCAP: packets get another header.
    pub encapsulated: bool,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// These; none for kinds that lead nowhere.
    Hops(Vec<NextHop>),
    /// RTA_NH_ID: a next-hop object.
    Object(u32),
}

/// A route (`fib_dump_info`, `rt6_fill_node`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// RTA_TABLE
    pub table: u32,
    /// RTA_DST and `rtm_dst_len`, without host bits.
    pub prefix: IpNet,
    /// RTA_PRIORITY; the lowest counts.
    pub metric: u32,
    /// `rtm_tos`: it counts for packets with this only. 0: for all, and always so for IPv6.
    pub tos: u8,
    /// `rtm_type`
    pub kind: RouteKind,
    /// `rtm_protocol`: who made it.
    pub protocol: u8,
    /// RTA_PREFSRC of an IPv4 route: it goes with this address, without a word.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Where it leads.
    pub via: Via,
}

/// Where among the routes of its prefix a new one is (`fib_table_insert`, `fib6_add_rt2node`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// NLM_F_REPLACE: in the place of the first of its metric.
    Replace,
    /// NLM_F_APPEND, and rows of a dump: after those of its metric.
    Append,
    /// Before those of its metric.
    Prepend,
}

/// A next-hop object (`nh_fill_node`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHopObject {
    /// NHA_ID
    pub id: u32,
    /// What it is.
    pub content: NextHopContent,
}

/// What a next-hop object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextHopContent {
    /// NHA_BLACKHOLE
    Blackhole,
    /// One way out; its weight is 1.
    Hop(NextHop),
    /// NHA_GROUP: objects with their weights, 1..=65536.
    Group(Vec<(u32, u32)>),
}

/// An entry of the kernel's ARP or neighbour table (`neigh_fill_info`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// `ndm_ifindex`
    pub ifindex: IfIndex,
    /// NDA_DST
    pub ip: IpAddr,
    /// NDA_LLADDR while the entry is usable (NUD_VALID); None: being resolved, or failed.
    pub mac: Option<Mac>,
    /// NUD_PERMANENT or NUD_NOARP: it is not asked for.
    pub permanent: bool,
}

/// A complete view of routes, next-hop objects and neighbours of one network namespace, from dumps that all finished cleanly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FibSnapshot {
    /// Every unicast route of both families, in the kernel's order.
    pub routes: Vec<Route>,
    /// Every next-hop object.
    pub next_hops: Vec<NextHopObject>,
    /// Every neighbour of both families.
    pub neighbours: Vec<Neighbour>,
}

/// One thing that the kernel announced about forwarding. As with [`crate::topology::Event`], only the folded state decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FibEvent {
    /// RTM_NEWROUTE
    Route(Route, Placement),
    /// RTM_DELROUTE; of an IPv6 route with several next hops it may name one.
    RouteGone(Route),
    /// RTM_NEWNEXTHOP
    NextHop(NextHopObject),
    /// RTM_DELNEXTHOP
    NextHopGone(u32),
    /// RTM_NEWNEIGH of AF_INET or AF_INET6
    Neighbour(Neighbour),
    /// RTM_DELNEIGH of AF_INET or AF_INET6
    NeighbourGone(IfIndex, IpAddr),
}
