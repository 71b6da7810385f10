//! Neighbours that the chip uses: the kernel sees none of their packets, so it is told, and asks them whether they are still there.
//!
//! ```text
//!   every 5 s ─▶ Order::Activity ─▶ hosts that a packet went to ─┬─▶ RTM_NEWNEIGH with NTF_USE ─▶ ARP, neighbour discovery
//!                                   next hops of routes ─────────┘
//! ```
//!
//! As mlxsw does it (`mlxsw_sp_router_neighs_update_work`, `mlxsw_sp_router_probe_unresolved_nexthops`). So next hops are known before
//! the first packet wants to go there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use firsthop_model::IfIndex;
use firsthop_model::chip::RifIndex;
use firsthop_model::intent::Routing;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::sync::mpsc;

use super::Daemon;
use super::chip_link::Order;
use super::neighbour_table::{NeighbourTable, Refusal};
use crate::log_retry;
use crate::telemetry::Streak;

/// Between two questions to the chip: DELAY_PROBE_TIME of a kernel that nobody told otherwise.
const INTERVAL: Duration = Duration::from_secs(5);
/// Next hops that come meanwhile are asked for so soon, and no more often.
const PAUSE: Duration = Duration::from_millis(100);

/// A neighbour.
type Host = (IfIndex, IpAddr);

/// Why it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Packets went to it: the kernel has an entry, or it does not know it any more.
    Host,
    /// Packets may go there at any time, so that the kernel is to know it.
    NextHop,
}

type Used = BTreeMap<Host, Kind>;

/// When the chip is asked, and the way to the task that tells the kernel.
#[derive(Debug)]
pub(super) struct Neighbours {
    /// The chip is asked; None: it does not route.
    due: Option<Duration>,
    /// [`Reconciler::next_hops_generation`](firsthop_model::reconcile::Reconciler::next_hops_generation) when new next hops were looked
    /// for.
    seen: u32,
    /// From when on they may be looked for again.
    quiet: Duration,
    used: mpsc::Sender<Used>,
}

impl Neighbours {
    /// Starts the task; it opens its socket when there is something to tell.
    pub(super) fn open() -> Self {
        // one round at a time: another one that finds the task busy is left out
        let (used, rounds) = mpsc::channel(1);
        tokio::task::spawn_local(tell(rounds));
        Self { due: None, seen: 0, quiet: Duration::ZERO, used }
    }

    fn tell(&self, used: Used) {
        if !used.is_empty() {
            self.used.try_send(used).ok();
        }
    }

    /// When there is something to do next, with next hops of this generation.
    pub(super) fn deadline(&self, generation: u32) -> Option<Duration> {
        self.due.map(|due| if self.seen == generation { due } else { due.min(self.quiet) })
    }
}

impl Daemon {
    /// Asks the chip which hosts it used, and the kernel for new next hops, if the chip routes and the time has come.
    pub(super) fn tend_neighbours(&mut self) {
        let routes = self.engine.reconciler().policy().routing == Routing::Hardware;
        if self.observe || !routes || self.capabilities.is_none() {
            self.neighbours.due = None;
            return;
        }
        let now = self.now();
        // at once after the start: next hops are to be known
        if self.neighbours.due.is_none_or(|due| due <= now) {
            self.neighbours.due = Some(now + INTERVAL);
            self.chip.order(Order::Activity);
        }
        let reconciler = self.engine.reconciler();
        let generation = reconciler.next_hops_generation();
        if self.neighbours.seen != generation && self.neighbours.quiet <= now {
            let unresolved = reconciler.next_hops().filter(|host| reconciler.is_unresolved(*host));
            self.neighbours.tell(unresolved.map(|host| (host, Kind::NextHop)).collect());
            self.neighbours.seen = generation;
            self.neighbours.quiet = now + PAUSE;
        }
    }

    /// Tells the kernel which neighbours the chip uses: these, and the next hops of routes.
    pub(super) fn keep_neighbours(&self, active: &[(RifIndex, IpAddr)]) {
        let reconciler = self.engine.reconciler();
        let devices: BTreeMap<RifIndex, IfIndex> =
            reconciler.forwarding_rifs().map(|(ifindex, rif)| (rif, ifindex)).collect();
        let active = active.iter().filter_map(|(rif, ip)| Some((*devices.get(rif)?, *ip)));
        let active = active.map(|host| (host, Kind::Host));
        let next_hops = reconciler.next_hops().map(|host| (host, Kind::NextHop));
        self.neighbours.tell(active.chain(next_hops).collect());
    }
}

async fn tell(mut rounds: mpsc::Receiver<Used>) {
    let mut kernel = NeighbourTable::default();
    let mut refused = Streak::default();
    while let Some(used) = rounds.recv().await {
        for (host, kind) in used {
            match probe(&mut kernel, host, kind).await {
                Ok(()) => refused.over(),
                Err(refusal @ (Refusal::Forbidden | Refusal::Silence)) => {
                    let again = refused.again();
                    if !refused.is_old() {
                        log_retry!(
                            again,
                            "The kernel can't be told which neighbours are in use: {refusal}"
                        );
                    }
                    break;
                }
                // the entry or the device went, or is down; the kernel knows better
                Err(refusal) => tracing::debug!(ip = %host.1, "Neighbour not probed: {refusal}"),
            }
        }
    }
}

/// As `ip neigh replace ADDRESS dev DEVICE use nud none`, for an entry that the kernel does not trust any more.
///
/// It looks first, because the kernel takes a permanent entry for any other when it is told of its use (`__neigh_update` with
/// NEIGH_UPDATE_F_USE), and it has to create an entry only where there is none.
async fn probe(kernel: &mut NeighbourTable, host: Host, kind: Kind) -> Result<(), Refusal> {
    let mut state = None;
    let look = RouteNetlinkMessage::GetNeighbour(entry(host));
    let looked = kernel.ask(look, 0, |answer| state = Some(answer.header.state)).await;
    if !matches!(looked, Ok(()) | Err(Refusal::Absent)) {
        return looked;
    }
    let flags = match state {
        Some(NeighbourState::Stale | NeighbourState::Failed | NeighbourState::None) => 0,
        None if kind == Kind::NextHop => NLM_F_CREATE | NLM_F_EXCL,
        _ => return Ok(()),
    };
    let mut message = entry(host);
    message.header.flags = NeighbourFlags::Use;
    kernel.ask(RouteNetlinkMessage::NewNeighbour(message), flags | NLM_F_ACK, drop).await
}

fn entry((ifindex, ip): Host) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    let (family, destination) = match ip {
        IpAddr::V4(ip) => (AddressFamily::Inet, NeighbourAddress::Inet(ip)),
        IpAddr::V6(ip) => (AddressFamily::Inet6, NeighbourAddress::Inet6(ip)),
    };
    message.header.family = family;
    message.header.ifindex = ifindex.0;
    message.attributes.push(NeighbourAttribute::Destination(destination));
    message
}
