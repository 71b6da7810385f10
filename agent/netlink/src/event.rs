//! What changed, and was anything missed? A read-only socket on the groups of one subject.
//!
//! ```text
//!                 ┌─ datagram ────▶ decode ─▶ events, or Loss::Undecodable
//!  drain: recv ───┼─ MSG_TRUNC ───▶ Loss::Truncated
//!  until EAGAIN   ├─ ENOBUFS ─────▶ Loss::Overrun, and go on: the kernel delivers nothing until the queue was empty
//!  or the limit   ├─ nl_pid ≠ 0 ──▶ another process; counted and dropped
//!                 └─ EAGAIN ──────▶ the end; SO_MEMINFO's drop counter moved ─▶ Loss::DropsCounter
//! ```
//!
//! The drop counter is the second witness: ENOBUFS is said once, and what is dropped while the socket stays congested
//! (`netlink_overrun` in net/netlink/af_netlink.c) moves only the counter.

#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::{fmt, io};

use firsthop_model::fib::FibEvent;
use firsthop_model::topology::Event;
use nix::errno::Errno;

use crate::decode::{Decoded, Undecodable};
use crate::error::OpenError;
use crate::message::messages;
use crate::socket::{Buffers, Received, RouteSocket};
use crate::subject::Subject;

/// How it is known that an event was missed. The answer is always the same: a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The kernel said so by an errno: ENOBUFS when the queue was full or a message could not be allocated.
    Overrun {
        /// The errno, 105 (ENOBUFS) as a rule.
        errno: i32,
    },
    /// The socket's drop counter moved without an errno.
    DropsCounter {
        /// By how many messages.
        dropped: u32,
    },
    /// A message arrived that cannot be decoded.
    Undecodable(Undecodable),
    /// A datagram was larger than the read buffer.
    Truncated {
        /// Octets in the datagram.
        length: usize,
    },
}

impl Loss {
    /// A stable word for counters: `overrun`, `drops_counter`, `undecodable` or `truncated`.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Overrun { .. } => "overrun",
            Self::DropsCounter { .. } => "drops_counter",
            Self::Undecodable(_) => "undecodable",
            Self::Truncated { .. } => "truncated",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overrun { errno } => {
                write!(f, "The event socket overflowed: {}", Errno::from_raw(*errno))
            }
            Self::DropsCounter { dropped } => write!(f, "The kernel dropped {dropped} messages"),
            Self::Undecodable(undecodable) => undecodable.fmt(f),
            Self::Truncated { length } => write!(f, "An event of {length} octets was cut off"),
        }
    }
}

/// What one [`GroupSocket::drain`] took off the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained<E = Event> {
    /// In the order of the kernel.
    pub events: Vec<E>,
    /// The first sign that something was missed, if there was one. Events are still good as hints.
    pub loss: Option<Loss>,
    /// The limit was reached: there may be more, and this drain was no barrier.
    pub more: bool,
    /// Messages from the kernel, ignored and undecodable ones included.
    pub messages: u64,
}

impl<E> Default for Drained<E> {
    fn default() -> Self {
        Self { events: Vec::new(), loss: None, more: false, messages: 0 }
    }
}

/// What a [`GroupSocket`] has seen since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Messages from the kernel.
    pub messages: u64,
    /// Messages that the kernel dropped because the queue was full.
    pub dropped: u64,
    /// Times the kernel said ENOBUFS.
    pub overruns: u64,
    /// Messages that could not be decoded, truncated ones included.
    pub undecodable: u64,
    /// Datagrams from other processes.
    pub foreign: u64,
}

impl Counters {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            dropped: self.dropped + other.dropped,
            overruns: self.overruns + other.overruns,
            undecodable: self.undecodable + other.undecodable,
            foreign: self.foreign + other.foreign,
        }
    }
}

/// What the kernel granted a [`GroupSocket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hearing {
    /// What it hears of.
    pub of: &'static str,
    /// The queue that was asked for, in octets.
    pub asked: usize,
    /// The queue that there is, as the kernel counts: twice what was asked for, or less.
    pub granted: usize,
    /// The groups that it joined: names without RTNLGRP_.
    pub groups: Vec<&'static str>,
    /// The one that the kernel refused: its name, what is not heard, what the kernel said.
    pub refused: Option<String>,
}

/// The socket that hears what exists: devices, addresses, VLANs, MACs.
pub type EventSocket = GroupSocket<Event>;
/// The socket that hears what the kernel forwards by: routes, next-hop objects, neighbours. Not all of it: see
/// [`crate::Dumper::forwarding`].
pub type FibSocket = GroupSocket<FibEvent>;

/// The socket that hears about every change of one subject in one network namespace.
pub struct GroupSocket<E> {
    socket: RouteSocket,
    counters: Counters,
    drops: u32,
    asked: usize,
    /// The group that the kernel does not have, and what it said.
    deaf_to: Option<String>,
    subject: PhantomData<fn() -> E>,
}

impl<E: Subject> GroupSocket<E> {
    /// Opens and joins, in the calling thread's network namespace, with a queue of 16 MiB.
    ///
    /// # Errors
    /// What the kernel refused. Too small a queue is no error: see [`Self::receive_buffer`].
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn open() -> Result<Self, OpenError> {
        Self::open_with(Buffers::default())
    }

    /// As [`Self::open`], with other buffers.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(buffers: Buffers) -> Result<Self, OpenError> {
        let socket = RouteSocket::open(buffers)?;
        let drops = socket.drops().unwrap_or(0);
        socket.drop_noise(E::NOISE);
        socket.join(E::GROUPS)?;
        let (group, of) = E::YOUNG_GROUP;
        let deaf_to = socket.join(&[group]).err().map(|error| {
            tracing::warn!(%error, "No word about {of}");
            format!("{} ({of}): {}", group.1, error.source)
        });
        if socket.receive_buffer() < buffers.receive {
            tracing::warn!(
                effective = socket.receive_buffer(),
                wanted = buffers.receive,
                "The event socket's queue is small: bursts of events will cost a new snapshot \
                 (grant CAP_NET_ADMIN or raise net.core.rmem_max)"
            );
        }
        let asked = buffers.receive;
        let counters = Counters::default();
        Ok(Self { socket, counters, drops, asked, deaf_to, subject: PhantomData })
    }

    /// What the kernel granted.
    pub fn hearing(&self) -> Hearing {
        let young = self.deaf_to.is_none().then_some(&E::YOUNG_GROUP.0);
        Hearing {
            of: E::HEARS_OF,
            asked: self.asked,
            granted: self.receive_buffer(),
            groups: E::GROUPS.iter().chain(young).map(|(_, name)| *name).collect(),
            refused: self.deaf_to.clone(),
        }
    }

    /// What the kernel may queue here, as it counts (twice what was asked for where nothing limits it).
    pub const fn receive_buffer(&self) -> usize {
        self.socket.receive_buffer()
    }

    /// Totals since the socket was opened.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Waits until a drain would find something. Cancel safe; takes nothing off the socket.
    ///
    /// # Errors
    /// When the runtime shuts down, or poll(2) fails.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Reads until nothing is queued, but at most `limit` datagrams (an rtnetlink event is one). Never waits.
    pub fn drain(&mut self, limit: usize) -> Drained<E> {
        let mut drained = Drained { more: true, ..Drained::default() };
        for _ in 0..limit {
            let loss = match self.socket.receive() {
                Received::Empty => {
                    drained.more = false;
                    break;
                }
                Received::Datagram(datagram) => take(datagram, &mut drained, &mut self.counters),
                Received::Foreign { port } => {
                    self.counters.foreign += 1;
                    tracing::debug!(port, "Ignored a message that is not from the kernel");
                    None
                }
                Received::Truncated { length } => {
                    drained.messages += 1;
                    self.counters.undecodable += 1;
                    Some(Loss::Truncated { length })
                }
                Received::Failed(errno) => {
                    self.counters.overruns += u64::from(errno == Errno::ENOBUFS);
                    Some(Loss::Overrun { errno: errno as i32 })
                }
            };
            drained.loss = drained.loss.or(loss);
        }
        let dropped = self.newly_dropped();
        self.counters.messages += drained.messages;
        self.counters.dropped += u64::from(dropped);
        drained.loss = drained.loss.or((dropped > 0).then_some(Loss::DropsCounter { dropped }));
        drained
    }

    fn newly_dropped(&mut self) -> u32 {
        let Some(now) = self.socket.drops() else { return 0 };
        let dropped = now.wrapping_sub(self.drops);
        self.drops = now;
        dropped
    }
}

fn take<E: Subject>(
    datagram: &[u8],
    drained: &mut Drained<E>,
    counters: &mut Counters,
) -> Option<Loss> {
    let mut loss = None;
    for message in messages(datagram) {
        drained.messages += 1;
        let undecodable = match message.map(|message| E::decode(&message)) {
            Ok(Decoded::Events(events)) => {
                drained.events.extend(events);
                continue;
            }
            Ok(Decoded::Ignored) => continue,
            Ok(Decoded::Undecodable(undecodable)) | Err(undecodable) => undecodable,
        };
        counters.undecodable += 1;
        loss = loss.or(Some(Loss::Undecodable(undecodable)));
    }
    loss
}

impl<E: Subject> fmt::Debug for GroupSocket<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(E::SOCKET)
            .field("receive_buffer", &self.receive_buffer())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
