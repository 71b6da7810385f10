//! What exists? Dumps every table on a socket of its own, and says so only if every dump finished cleanly.
//!
//! ```text
//!  for links, IPv4 addresses, IPv6 addresses, VLANs, MAC lists:
//!      request ─▶ parts … DONE ─┬─ clean ─────────────────────────▶ next table
//!         ▲                     ├─ NLM_F_DUMP_INTR on any part ───▶ again
//!         └──── up to 5 times ──┴─ ENOBUFS ───────────────────────▶ again, on a fresh socket
//!                               └─ errno, undecodable row, time out ─▶ no snapshot
//! ```
//!
//! The kernel takes RTNL for each part of a dump, not for the whole, and raises NLM_F_DUMP_INTR when devices came or
//! went in between (`nl_dump_check_consistent`). Attributes that change during a dump are not flagged; their events
//! are, so the event socket has to be open before the first request.
//!
//! Dumps of VLANs and MAC lists are never flagged (`br_vlan_rtm_dump`, `rtnl_fdb_dump`): between two parts they go on by
//! position, so that a removal makes them skip a row that did not change and whose event never comes. One that took
//! several parts is therefore believed only when the next one says the same. What the kernel forwards by is another matter:
//! see `forwarding`.

mod forwarding;
mod reply;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use firsthop_model::topology::{Event, Link, LinkKind, Snapshot, VlanRange};
use firsthop_model::{IfIndex, Mac};
use tokio::time::timeout;

use crate::decode::Undecodable;
use crate::error::{OpenError, SnapshotError};
use crate::netns::Namespace;
use crate::socket::{Buffers, Received, RouteSocket};
use crate::subject::Subject;
pub use reply::{FibReply, Reply, Rows};
pub use table::Table;
pub(crate) use table::links_request;
use table::{Only, Trust};

/// Dumps of one table until it counts as changing too fast.
const ATTEMPTS: u32 = 5;
/// How long one dump may take; 2000 links take some 10 ms.
const LIMIT: Duration = Duration::from_secs(5);

/// Why the rows of one table are not all there is.
enum Flaw {
    Interrupted,
    Undecodable(Undecodable),
}

impl Flaw {
    fn into_error(self, table: Table, partial: Snapshot) -> SnapshotError {
        let partial = Box::new(partial);
        match self {
            Self::Interrupted => SnapshotError::Interrupted { table, attempts: ATTEMPTS, partial },
            Self::Undecodable(source) => SnapshotError::Undecodable { table, source, partial },
        }
    }
}

/// The socket that asks what exists, in one network namespace.
pub struct Dumper {
    /// Absent after a failure: an unfinished dump cannot be called off, only closed.
    socket: Option<RouteSocket>,
    buffers: Buffers,
    namespace: Option<Namespace>,
    sequence: u32,
    interrupted: u64,
    limit: Duration,
}

impl Dumper {
    /// Opens in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel refused.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn open() -> Result<Self, OpenError> {
        Self::open_with(Buffers::default())
    }

    /// As [`Dumper::open`], with other buffers.
    ///
    /// # Errors
    /// As [`Dumper::open`].
    pub fn open_with(buffers: Buffers) -> Result<Self, OpenError> {
        let namespace = Namespace::current();
        let socket = Some(open(buffers)?);
        Ok(Self { socket, buffers, namespace, sequence: 0, interrupted: 0, limit: LIMIT })
    }

    /// Dumps that were repeated because the table changed meanwhile, since this was opened.
    pub const fn interrupted(&self) -> u64 {
        self.interrupted
    }

    /// The unicast MACs in the filters of one device; empty for one that does not exist. Changes by SIOCADDMULTI and
    /// SIOCDELMULTI, and by macvlans on the device, are never announced: who depends on them has to look. Bounded and
    /// cancel safe as [`Self::snapshot`].
    ///
    /// # Errors
    /// Whenever a MAC may be missing.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn mac_list(&mut self, ifindex: IfIndex) -> Result<BTreeSet<Mac>, SnapshotError> {
        let (reply, flaw) = self.dump(Table::MacLists, Only::Device(ifindex)).await?;
        if let Some(flaw) = flaw {
            return Err(flaw.into_error(Table::MacLists, Snapshot::default()));
        }
        let mac = |row| match row {
            Event::Receives(at, mac) if at == ifindex => Some(mac),
            _ => None,
        };
        Ok(reply.rows.into_iter().filter_map(mac).collect())
    }

    /// The VLANs of all bridges and their ports. A change of `vlan_default_pvid` takes some away without a word. Bounded and
    /// cancel safe as [`Self::snapshot`].
    ///
    /// # Errors
    /// Whenever one may be missing.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn vlans(&mut self) -> Result<Vec<VlanRange>, SnapshotError> {
        let (reply, flaw): (Reply, _) = match self.dump(Table::Vlans, Only::All).await {
            Err(refusal) if Table::Vlans.is_absent(&refusal) => return Ok(Vec::new()),
            dumped => dumped?,
        };
        if let Some(flaw) = flaw {
            return Err(flaw.into_error(Table::Vlans, Snapshot::default()));
        }
        let range = |row| if let Event::Vlans(range) = row { Some(range) } else { None };
        Ok(reply.rows.into_iter().filter_map(range).collect())
    }

    /// All ipvlans. Mode and flags belong to the device below them, but the kernel announces a change for one of them only,
    /// and the others with what was before. Bounded and cancel safe as [`Self::snapshot`].
    ///
    /// # Errors
    /// Whenever one may be missing.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn ipvlans(&mut self) -> Result<Vec<Link>, SnapshotError> {
        let (reply, flaw) = self.dump(Table::Links, Only::Ipvlans).await?;
        if let Some(flaw) = flaw {
            return Err(flaw.into_error(Table::Links, Snapshot::default()));
        }
        let ipvlan = |row| match row {
            Event::Link(link) if matches!(link.kind, LinkKind::Ipvlan { .. }) => Some(*link),
            _ => None,
        };
        Ok(reply.rows.into_iter().filter_map(ipvlan).collect())
    }

    /// Dumps everything. Bounded: at most 5 dumps of each table, 5 s each. Yields to the runtime between parts. Cancel
    /// safe.
    ///
    /// # Errors
    /// Whenever a row may be missing; [`SnapshotError::partial`] has what is known nevertheless.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        let mut snapshot = Snapshot::default();
        let mut unclean = None;
        for table in Table::ALL {
            let (reply, flaw): (Reply, _) = match self.dump(table, Only::All).await {
                Err(refusal) if table.is_absent(&refusal) => continue,
                dumped => dumped?,
            };
            for row in reply.rows {
                match row {
                    Event::Link(link) => snapshot.links.push(*link),
                    Event::Address(address) => snapshot.addresses.push(address),
                    Event::Vlans(range) => snapshot.vlans.push(range),
                    Event::Receives(ifindex, mac) => {
                        snapshot.mac_lists.entry(ifindex).or_default().insert(mac);
                    }
                    _ => {}
                }
            }
            unclean = unclean.or(flaw.map(|flaw| (table, flaw)));
        }
        match unclean {
            None => Ok(snapshot),
            Some((table, flaw)) => Err(flaw.into_error(table, snapshot)),
        }
    }

    /// One table, dumped until it held still as far as the kernel tells.
    async fn dump<E: Subject>(
        &mut self,
        table: Table,
        only: Only,
    ) -> Result<(Rows<E>, Option<Flaw>), SnapshotError> {
        let mut former: Option<Rows<E>> = None;
        for attempt in 1..=ATTEMPTS {
            let asked = timeout(self.limit, self.ask(table, only)).await;
            let reply: Rows<E> = match asked {
                Ok(Ok(reply)) => reply,
                // The kernel had no memory for the next part.
                Ok(Err(SnapshotError::Receive { source, .. }))
                    if attempt < ATTEMPTS && source.raw_os_error() == Some(libc::ENOBUFS) =>
                {
                    continue;
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(SnapshotError::TimedOut { table, limit: self.limit }),
            };
            if let Some(undecodable) = reply.undecodable {
                return Ok((reply, Some(Flaw::Undecodable(undecodable))));
            }
            let proven = table.trust() != Trust::Repeated || reply.parts < 2;
            let confirmed = former.as_ref().is_some_and(|former| former.rows == reply.rows);
            if !reply.interrupted && (proven || confirmed) {
                return Ok((reply, None));
            }
            // The first of a pair is no repetition yet.
            self.interrupted += u64::from(reply.interrupted || former.is_some());
            former = Some(reply);
        }
        let last = former.unwrap_or_else(|| Rows::new(table, self.sequence, 0));
        Ok((last, Some(Flaw::Interrupted)))
    }

    /// One dump. The socket is put back only when the dump ended, also if by a refusal: after any other error, a time-out
    /// or a cancellation it is closed, because an unfinished dump cannot be called off.
    async fn ask<E: Subject>(
        &mut self,
        table: Table,
        only: Only,
    ) -> Result<Rows<E>, SnapshotError> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None if Namespace::current() != self.namespace => {
                return Err(SnapshotError::OtherNamespace);
            }
            None => open(self.buffers)?,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let (kind, payload) = table.request(only);
        socket
            .request(kind, self.sequence, payload)
            .map_err(|source| SnapshotError::Send { table, source })?;
        let mut reply = Rows::new(table, self.sequence, socket.port());
        let buffer = socket.read_buffer();
        loop {
            match socket.receive() {
                Received::Datagram(datagram) => {
                    let ended = reply.take(datagram);
                    if !matches!(ended, Ok(false)) {
                        // A refusal is an end as well.
                        self.socket = Some(socket);
                        return match ended {
                            Ok(_) => Ok(reply),
                            // It had begun, so the kernel has that table, whatever the errno.
                            Err(source) if reply.has_begun() => {
                                Err(SnapshotError::Receive { table, source })
                            }
                            Err(source) => Err(SnapshotError::Refused { table, source }),
                        };
                    }
                    tokio::task::yield_now().await;
                }
                Received::Empty => socket
                    .readable()
                    .await
                    .map_err(|source| SnapshotError::Receive { table, source })?,
                Received::Foreign { port } => {
                    tracing::debug!(port, "Ignored a message that is not from the kernel");
                }
                Received::Truncated { length } => {
                    return Err(SnapshotError::Truncated { table, length, buffer });
                }
                Received::Failed(errno) => {
                    return Err(SnapshotError::Receive { table, source: errno.into() });
                }
            }
        }
    }
}

fn open(buffers: Buffers) -> Result<RouteSocket, OpenError> {
    let socket = RouteSocket::open(buffers)?;
    socket.check_strictly();
    Ok(socket)
}

impl fmt::Debug for Dumper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dumper")
            .field("sequence", &self.sequence)
            .field("interrupted", &self.interrupted)
            .finish_non_exhaustive()
    }
}
