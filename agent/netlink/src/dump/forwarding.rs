//! What does the kernel forward by? Routes, next-hop objects and neighbours, and what a dump of them may lack.
//!
//! ```text
//!                        goes on after a part            when others come or go meanwhile
//!  next hops             by id                           flagged
//!  IPv4 routes           by address, then by position    a row may be skipped
//!  IPv6 routes           by count, from the root         rows may be skipped, or shown twice
//!  neighbours            by hash bucket and position     rows may be skipped, or shown twice
//! ```
//!
//! The last three are never flagged (`fib_table_dump` with `fn_trie_dump_leaf`, `fib6_dump_table`, `neigh_dump_table`), and a
//! skipped row did not change: its event never comes. Rows are skipped for the sake of others that went away. So another socket
//! listens for removals during a dump: if it heard one, the table is dumped again, and what only the earlier dumps have is added.
//! Rows that went away in between are added too: their events are behind, on the event socket.
//!
//! To wait until two dumps agree, as for MAC lists, would be to wait for ever where routes flap. After five dumps that were all
//! disturbed there may be rows that all of them skipped. IPv6 routes by the thousand that come and go without a pause lead there.

use std::collections::HashMap;
use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::fib::{FibEvent, FibSnapshot};
use firsthop_model::topology::Snapshot;
use ipnet::IpNet;

use super::table::{Only, Table, Trust};
use super::{ATTEMPTS, Dumper, FibReply};
use crate::error::{OpenError, SnapshotError};
use crate::filter;
use crate::message::messages;
use crate::netns::Namespace;
use crate::socket::{Buffers, Received, RouteSocket};
use crate::subject::Subject;

/// Of removals; what does not fit counts as one.
const QUEUE: Buffers = Buffers { receive: 64 << 10, read: 16 << 10 };

/// What a row is about; of a route: its table, prefix, metric and TOS.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place {
    Route(u32, IpNet, u32, u8),
    NextHop(u32),
    Neighbour(IfIndex, IpAddr),
}

impl Place {
    const fn of(row: &FibEvent) -> Option<Self> {
        match row {
            FibEvent::Route(route, _) => {
                Some(Self::Route(route.table, route.prefix, route.metric, route.tos))
            }
            FibEvent::NextHop(object) => Some(Self::NextHop(object.id)),
            FibEvent::Neighbour(neighbour) => {
                Some(Self::Neighbour(neighbour.ifindex, neighbour.ip))
            }
            _ => None,
        }
    }
}

impl Dumper {
    /// Dumps everything that the kernel forwards by: all routes of both families in all tables, all next-hop objects, all
    /// neighbours. Bounded: at most 5 dumps of each table, 5 s each (120 000 routes take a few 100 ms). Yields to the runtime between
    /// parts. Cancel safe.
    ///
    /// The [`crate::FibSocket`] has to be open before, and its events folded behind. It does not hear everything. Without a word
    /// the kernel
    ///
    /// - removes IPv4 routes when their device goes down or away, or an address goes that they need (`fib_sync_down_dev`,
    ///   `fib_flush`);
    /// - removes next-hop objects, and takes them out of groups, when their device loses its carrier, goes down or away
    ///   (`nexthop_flush_dev`), and IPv4 routes with them, or with an object that somebody removes;
    /// - changes RTNH_F_DEAD and RTNH_F_LINKDOWN of next hops.
    ///
    /// Who depends on these has to look, after a link changed or RTM_DELNEXTHOP came.
    ///
    /// # Errors
    /// As [`Self::snapshot`]; [`SnapshotError::partial`] has nothing to offer.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn forwarding(&mut self) -> Result<FibSnapshot, SnapshotError> {
        if Namespace::current() != self.namespace {
            return Err(SnapshotError::OtherNamespace);
        }
        let mut watch = Watch::open()?;
        let mut snapshot = FibSnapshot::default();
        for table in Table::FORWARDING {
            for row in self.rows(table, &mut watch).await? {
                match row {
                    FibEvent::Route(route, _) => snapshot.routes.push(route),
                    FibEvent::NextHop(object) => snapshot.next_hops.push(object),
                    FibEvent::Neighbour(neighbour) => snapshot.neighbours.push(neighbour),
                    _ => {}
                }
            }
        }
        Ok(snapshot)
    }

    async fn rows(
        &mut self,
        table: Table,
        watch: &mut Watch,
    ) -> Result<Vec<FibEvent>, SnapshotError> {
        let mut rows = Vec::new();
        for attempt in 1..=ATTEMPTS {
            watch.heard(table);
            let reply = match self.clean(table).await {
                Err(refusal) if attempt == 1 && table.is_absent(&refusal) => return Ok(rows),
                dumped => dumped?,
            };
            let watched = table.trust() == Trust::Watched && reply.parts > 1;
            rows = completed(table, reply.rows, rows);
            if !(watched && watch.heard(table)) {
                return Ok(rows);
            }
            self.interrupted += 1;
        }
        tracing::warn!(%table, "Some went away during each dump: others may have been skipped");
        Ok(rows)
    }

    /// A dump without a flaw.
    async fn clean(&mut self, table: Table) -> Result<FibReply, SnapshotError> {
        match self.dump(table, Only::All).await? {
            (reply, None) => Ok(reply),
            (_, Some(flaw)) => Err(flaw.into_error(table, Snapshot::default())),
        }
    }
}

/// The socket that hears what goes away while a table is dumped.
struct Watch(RouteSocket);

impl Watch {
    fn open() -> Result<Self, OpenError> {
        let socket = RouteSocket::open(QUEUE)?;
        socket.drop_noise(&filter::REMOVALS);
        socket.join(FibEvent::GROUPS)?;
        Ok(Self(socket))
    }

    /// Whether something may have gone from that table since this was last asked.
    fn heard(&mut self, table: Table) -> bool {
        let mut heard = false;
        loop {
            heard |= match self.0.receive() {
                Received::Empty => return heard,
                Received::Foreign { .. } => false,
                Received::Datagram(datagram) => messages(datagram).any(|message| {
                    message.is_ok_and(|message| table.loses(message.kind, message.payload))
                }),
                Received::Truncated { .. } | Received::Failed(_) => true,
            };
        }
    }
}

/// The later dump, each row once, and what of the earlier one is about something that it does not have.
fn completed(table: Table, later: Vec<FibEvent>, earlier: Vec<FibEvent>) -> Vec<FibEvent> {
    let mut rows: Vec<FibEvent> = Vec::with_capacity(later.len());
    let mut places: HashMap<Place, Vec<usize>> = HashMap::with_capacity(later.len());
    for row in later {
        let Some(place) = Place::of(&row) else { continue };
        let same = places.entry(place).or_default();
        // IPv4 routes that seem to be the same differ in what is not decoded; the kernel shows none of them twice.
        if table == Table::Ipv4Routes || !same.iter().any(|at| rows.get(*at) == Some(&row)) {
            same.push(rows.len());
            rows.push(row);
        }
    }
    let lacking = |row: &FibEvent| Place::of(row).is_some_and(|place| !places.contains_key(&place));
    rows.extend(earlier.into_iter().filter(lacking));
    rows
}

#[cfg(test)]
mod tests;
