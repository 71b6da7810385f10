//! What can be asked for, and how far is the answer to be trusted?

use std::fmt;

use firsthop_model::IfIndex;

use crate::error::SnapshotError;
use crate::message::{
    RTM_DELNEIGH, RTM_DELROUTE, RTM_GETADDR, RTM_GETLINK, RTM_GETNEIGH, RTM_GETNEXTHOP,
    RTM_GETROUTE, RTM_GETVLAN,
};

/// IFLA_EXT_MASK, and RTEXT_FILTER_SKIP_STATS: a third of a link's row is counters.
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_BRIDGE: u8 = 7;
pub(super) const AF_INET6: u8 = 10;

/// One of the kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// RTM_GETLINK
    Links,
    /// RTM_GETADDR of AF_INET
    Ipv4Addresses,
    /// RTM_GETADDR of AF_INET6
    Ipv6Addresses,
    /// RTM_GETVLAN of AF_BRIDGE
    Vlans,
    /// RTM_GETNEIGH of AF_BRIDGE: unicast and multicast lists, and every bridge's forwarding table, which is left out.
    MacLists,
    /// RTM_GETROUTE of AF_INET: all routing tables.
    Ipv4Routes,
    /// RTM_GETROUTE of AF_INET6: all routing tables.
    Ipv6Routes,
    /// RTM_GETNEXTHOP
    NextHops,
    /// RTM_GETNEIGH of AF_INET
    Ipv4Neighbours,
    /// RTM_GETNEIGH of AF_INET6
    Ipv6Neighbours,
}

/// When a dump that the kernel ended cleanly has every row that was there all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Unless it is flagged.
    Flagged,
    /// It took one part, or the next one says the same.
    Repeated,
    /// It took one part, or nothing went away meanwhile.
    Watched,
}

impl Table {
    pub(super) const ALL: [Self; 5] =
        [Self::Links, Self::Ipv4Addresses, Self::Ipv6Addresses, Self::Vlans, Self::MacLists];

    /// Next hops first: routes name them, and may come before their next hop is announced.
    pub(super) const FORWARDING: [Self; 5] = [
        Self::NextHops,
        Self::Ipv4Routes,
        Self::Ipv6Routes,
        Self::Ipv4Neighbours,
        Self::Ipv6Neighbours,
    ];

    /// Message type and payload of the request: the full header that strict checking wants, then attributes. The kernel
    /// may show more than was asked for: without strict checking all MAC lists, and all links for a kind it does not have.
    pub(super) fn request(self, only: Only) -> (u16, Vec<u8>) {
        let of = |kind, family, length| {
            let mut payload = vec![0; length];
            payload[0] = family;
            (kind, payload)
        };
        match self {
            Self::Links => {
                (RTM_GETLINK, links_request((only == Only::Ipvlans).then_some("ipvlan")))
            }
            Self::Ipv4Addresses => of(RTM_GETADDR, AF_INET, 8),
            Self::Ipv6Addresses => of(RTM_GETADDR, AF_INET6, 8),
            Self::Vlans => of(RTM_GETVLAN, AF_BRIDGE, 8),
            Self::MacLists => {
                let index =
                    if let Only::Device(ifindex) = only { ifindex.0 } else { 0 }.to_ne_bytes();
                (RTM_GETNEIGH, [&[AF_BRIDGE, 0, 0, 0], &index[..], &[0; 4]].concat())
            }
            Self::Ipv4Routes => of(RTM_GETROUTE, AF_INET, 12),
            Self::Ipv6Routes => of(RTM_GETROUTE, AF_INET6, 12),
            Self::NextHops => of(RTM_GETNEXTHOP, 0, 8),
            Self::Ipv4Neighbours => of(RTM_GETNEIGH, AF_INET, 12),
            Self::Ipv6Neighbours => of(RTM_GETNEIGH, AF_INET6, 12),
        }
    }

    /// Where the kernel goes on after a part. By an identity, as in the IPv4 trie (`fib_table_dump`) and among next hops
    /// (`rtm_dump_walk_nexthops`), nothing is skipped for the sake of another; by position something is.
    pub(super) const fn trust(self) -> Trust {
        match self {
            Self::Links | Self::Ipv4Addresses | Self::Ipv6Addresses | Self::NextHops => {
                Trust::Flagged
            }
            Self::Vlans | Self::MacLists => Trust::Repeated,
            Self::Ipv4Routes | Self::Ipv6Routes | Self::Ipv4Neighbours | Self::Ipv6Neighbours => {
                Trust::Watched
            }
        }
    }

    /// Whether a message is about a row of this table that went away, where removals matter.
    pub(super) fn loses(self, kind: u16, payload: &[u8]) -> bool {
        let (removal, family) = match self {
            Self::Ipv4Routes => (RTM_DELROUTE, AF_INET),
            Self::Ipv6Routes => (RTM_DELROUTE, AF_INET6),
            Self::Ipv4Neighbours => (RTM_DELNEIGH, AF_INET),
            Self::Ipv6Neighbours => (RTM_DELNEIGH, AF_INET6),
            _ => return false,
        };
        kind == removal && payload.first() == Some(&family)
    }

    /// A refusal that means that there is nothing: a kernel without bridges, or without VLANs on them, or without next-hop
    /// objects.
    pub(super) fn is_absent(self, refusal: &SnapshotError) -> bool {
        let SnapshotError::Refused { source, .. } = refusal else { return false };
        match source.raw_os_error() {
            Some(libc::EOPNOTSUPP) => matches!(self, Self::Vlans | Self::NextHops),
            Some(libc::EINVAL) => self == Self::NextHops,
            _ => false,
        }
    }
}

/// The payload of a request for links; for those of one kind, or for all of them where the kernel does not know that kind.
pub(crate) fn links_request(kind: Option<&str>) -> Vec<u8> {
    let attribute = |number: u16, value: &[u8]| {
        let length = u16::try_from(4 + value.len()).expect("a mask, or a short name");
        let mut bytes = [length.to_ne_bytes(), number.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let mut payload = vec![0; 16];
    payload.extend(attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes()));
    if let Some(kind) = kind {
        let name = [kind.as_bytes(), &[0]].concat();
        payload.extend(attribute(IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, &name)));
    }
    payload
}

/// Which rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    All,
    /// Those of one device.
    Device(IfIndex),
    /// Links of that kind.
    Ipvlans,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Links => "links",
            Self::Ipv4Addresses => "IPv4 addresses",
            Self::Ipv6Addresses => "IPv6 addresses",
            Self::Vlans => "VLANs of bridges",
            Self::MacLists => "MAC lists",
            Self::Ipv4Routes => "IPv4 routes",
            Self::Ipv6Routes => "IPv6 routes",
            Self::NextHops => "next-hop objects",
            Self::Ipv4Neighbours => "IPv4 neighbours",
            Self::Ipv6Neighbours => "IPv6 neighbours",
        })
    }
}
