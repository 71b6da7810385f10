//! The kernel's voice: what exists, what changed, and whether anything was missed.
//!
//! ```text
//!                   groups LINK, IPV4_IFADDR, IPV6_IFADDR, BRVLAN, NEIGH (filtered)
//!  kernel ──────────────────────────────▶ EventSocket ──drain()──▶ Drained { events, loss, more }
//!    │ │                                      │ read only                       │
//!    │ │  IPV4_ROUTE, IPV6_ROUTE, NEXTHOP,    ▼                                 ▼
//!    │ │  NEIGH (filtered)                decode: one tolerant decoder      Topology::fold
//!    │ └─────────────────────────▶ FibSocket ─▶ decode_fib ─▶ FibEvent          ▲
//!    │                                        ▲                                 │
//!    │  RTM_GETLINK, _ADDR, _VLAN, _NEIGH     │                                 │
//!    ◀────────────────────────────────── Dumper ────snapshot()────▶ Snapshot, or why it is not whole
//!    ◀──────────────────────────────────    │   ────forwarding()──▶ FibSnapshot, or why it is not whole
//!    │  RTM_GETROUTE, _NEXTHOP, _NEIGH        │
//!    ─────────────────────────────────▶  (a socket of its own)
//! ```
//!
//! Two subjects that never share a socket: what exists ([`EventSocket`], [`Dumper::snapshot`]), some thousand things that
//! everything depends on, and what the kernel forwards by ([`FibSocket`], [`Dumper::forwarding`]), hundred thousands. What follows is
//! said of the first and holds for the second, but for this: what a link's change does to routes and next-hop objects is never
//! announced, or only in part.
//!
//! The order that misses nothing, at the start and after every [`Loss`]: open the [`EventSocket`], take a
//! [`Dumper::snapshot`], replace the view by it, then fold what [`EventSocket::drain`] returns. Events older than the
//! snapshot may make the view regress for a moment; every change has its own message, so it converges.
//!
//! A drain is also a barrier. The kernel queues a link's or an address's message on every listening socket before it
//! acknowledges the request that caused it (`rtmsg_ifinfo`, `__inet_insert_ifa` and `inet6_addr_add` run under RTNL), so
//! whatever was acknowledged before `drain` was called is in its answer. Two things come later, from work queues: the
//! operational state that link watch sets, and IPv6 addresses added with IFA_F_NODAD or IFA_F_OPTIMISTIC
//! (`inet6_addr_add` leaves their message to `addrconf_dad_work`). A [`Dumper::snapshot`] has them at once. One thing is
//! never announced: MACs that SIOCADDMULTI, or a macvlan, puts into a device's filters; see [`Dumper::mac_list`].
//!
//! Beside it a [`PacketSocket`] hears what routers say: VRRP advertisements of all devices, sent and received.
//!
//! Two netlink sockets, always: replies on a socket that joined a group cannot be told from other processes' notifications,
//! which carry the sequence number of their requester. Sockets open in the network namespace of the calling thread, and
//! need a tokio runtime with I/O and time enabled.

pub mod decode;
mod dump;
mod error;
mod event;
mod filter;
mod inquiry;
mod message;
mod netns;
mod packet;
mod socket;
mod subject;
mod sys;
#[cfg(test)]
mod testbed;

pub use decode::{Decoded, Fault, Undecodable};
pub use dump::{Dumper, FibReply, Reply, Rows, Table};
pub use error::{OpenError, SnapshotError};
pub use event::{Counters, Drained, EventSocket, FibSocket, GroupSocket, Hearing, Loss};
pub use inquiry::{has_kind, promiscuity};
pub use message::{Message, messages};
pub use netns::netns_name;
pub use packet::{Batch, Frame, PacketSocket};
pub use socket::Buffers;
