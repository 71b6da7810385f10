//! What exists? Dumps links and addresses on a socket of its own, and says so only if every dump finished cleanly.
//!
//! ```text
//!  for links, IPv4 addresses, IPv6 addresses:
//!      request ─▶ parts … DONE ─┬─ clean ─────────────────────────▶ next table
//!         ▲                     ├─ NLM_F_DUMP_INTR on any part ───▶ again
//!         └──── up to 5 times ──┴─ ENOBUFS ───────────────────────▶ again, on a fresh socket
//!                               └─ errno, undecodable row, time out ─▶ no snapshot
//! ```
//!
//! The kernel takes RTNL for each part of a dump, not for the whole, and raises NLM_F_DUMP_INTR when devices came or
//! went in between (`nl_dump_check_consistent`). Attributes that change during a dump are not flagged; their events
//! are, so the event socket has to be open before the first request.

mod reply;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use firsthop_model::topology::{Event, Snapshot};
use tokio::time::timeout;

use crate::decode::Undecodable;
use crate::error::{OpenError, SnapshotError};
use crate::message::{RTM_GETADDR, RTM_GETLINK};
use crate::netns::Namespace;
use crate::socket::{Buffers, Received, RouteSocket};
use reply::Reply;

/// Dumps of one table until it counts as changing too fast.
const ATTEMPTS: u32 = 5;
/// How long one dump may take; 2000 links take some 10 ms.
const LIMIT: Duration = Duration::from_secs(5);

/// IFLA_EXT_MASK, and RTEXT_FILTER_SKIP_STATS: a third of a link's row is counters.
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// One of the kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// RTM_GETLINK
    Links,
    /// RTM_GETADDR of AF_INET
    Ipv4Addresses,
    /// RTM_GETADDR of AF_INET6
    Ipv6Addresses,
}

impl Table {
    const ALL: [Self; 3] = [Self::Links, Self::Ipv4Addresses, Self::Ipv6Addresses];

    /// Message type and payload of the request: the full header that strict checking wants, then attributes.
    fn request(self) -> (u16, Vec<u8>) {
        let address = |family| (RTM_GETADDR, [&[family], &[0; 7][..]].concat());
        match self {
            Self::Links => {
                let mut payload = vec![0; 16];
                payload.extend(8_u16.to_ne_bytes());
                payload.extend(IFLA_EXT_MASK.to_ne_bytes());
                payload.extend(RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
                (RTM_GETLINK, payload)
            }
            Self::Ipv4Addresses => address(AF_INET),
            Self::Ipv6Addresses => address(AF_INET6),
        }
    }

    /// Whether a row belongs to this table. Without IPv6 in the kernel, AF_INET6 is answered with every family.
    fn has(self, event: &Event) -> bool {
        match (self, event) {
            (Self::Links, Event::Link(_)) => true,
            (Self::Ipv4Addresses, Event::Address(address)) => address.ip.is_ipv4(),
            (Self::Ipv6Addresses, Event::Address(address)) => address.ip.is_ipv6(),
            _ => false,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Links => "links",
            Self::Ipv4Addresses => "IPv4 addresses",
            Self::Ipv6Addresses => "IPv6 addresses",
        })
    }
}

/// Why the rows of one table are not all there is.
enum Flaw {
    Interrupted,
    Undecodable(Undecodable),
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
            let (rows, flaw) = self.dump(table).await?;
            for row in rows {
                match row {
                    Event::Link(link) => snapshot.links.push(*link),
                    Event::Address(address) => snapshot.addresses.push(address),
                    Event::LinkGone(_) | Event::AddressGone(_) => {}
                }
            }
            unclean = unclean.or(flaw.map(|flaw| (table, flaw)));
        }
        let Some((table, flaw)) = unclean else { return Ok(snapshot) };
        let partial = Box::new(snapshot);
        Err(match flaw {
            Flaw::Interrupted => SnapshotError::Interrupted { table, attempts: ATTEMPTS, partial },
            Flaw::Undecodable(source) => SnapshotError::Undecodable { table, source, partial },
        })
    }

    /// One table, dumped until it held still.
    async fn dump(&mut self, table: Table) -> Result<(Vec<Event>, Option<Flaw>), SnapshotError> {
        let mut rows = Vec::new();
        for attempt in 1..=ATTEMPTS {
            let asked = timeout(self.limit, self.ask(table)).await;
            let reply = match asked {
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
            rows = reply.rows;
            if let Some(undecodable) = reply.undecodable {
                return Ok((rows, Some(Flaw::Undecodable(undecodable))));
            }
            if !reply.interrupted {
                return Ok((rows, None));
            }
            self.interrupted += 1;
        }
        Ok((rows, Some(Flaw::Interrupted)))
    }

    /// One dump. The socket is put back only when the dump ended: after an error, a time-out or a cancellation it is
    /// closed, because an unfinished dump cannot be called off.
    async fn ask(&mut self, table: Table) -> Result<Reply, SnapshotError> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None if Namespace::current() != self.namespace => {
                return Err(SnapshotError::OtherNamespace);
            }
            None => open(self.buffers)?,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let (kind, payload) = table.request();
        socket
            .request(kind, self.sequence, payload)
            .map_err(|source| SnapshotError::Send { table, source })?;
        let mut reply = Reply::new(table, self.sequence, socket.port());
        let buffer = socket.read_buffer();
        loop {
            match socket.receive() {
                Received::Datagram(datagram) => {
                    let ended = reply
                        .take(datagram)
                        .map_err(|source| SnapshotError::Refused { table, source })?;
                    if ended {
                        self.socket = Some(socket);
                        return Ok(reply);
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
