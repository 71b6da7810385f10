//! Why could something not be seen?

use std::io;
use std::time::Duration;

use firsthop_model::topology::Snapshot;
use thiserror::Error;

use crate::decode::Undecodable;
use crate::dump::Table;

/// A socket could not be made ready.
#[derive(Debug, Error)]
#[error("Cannot open a socket: {step} failed")]
pub struct OpenError {
    /// The system call or option.
    pub step: &'static str,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

/// There is no whole snapshot. The view stays as it is, and stale; trying again later is always allowed.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The socket could not be opened again after a failure.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The caller moved to another network namespace after [`crate::Dumper::open`].
    #[error(
        "The calling thread is no longer in the network namespace that the socket was opened in"
    )]
    OtherNamespace,
    /// The request could not be sent.
    #[error("Cannot ask for {table}")]
    Send {
        /// What was asked for.
        table: Table,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The reply could not be read.
    #[error("Cannot read {table}")]
    Receive {
        /// What was asked for.
        table: Table,
        /// What the kernel said: ENOBUFS after several attempts, or with what it ended a dump that had begun.
        #[source]
        source: io::Error,
    },
    /// The kernel refused the dump before it showed a row.
    #[error("The kernel did not dump {table}")]
    Refused {
        /// What was asked for.
        table: Table,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A part of the reply is larger than the read buffer.
    #[error("A part of {table} has {length} octets, more than the buffer of {buffer}")]
    Truncated {
        /// What was asked for.
        table: Table,
        /// Octets in the datagram.
        length: usize,
        /// Octets of the buffer.
        buffer: usize,
    },
    /// The reply did not end in time.
    #[error("No complete answer about {table} within {limit:?}")]
    TimedOut {
        /// What was asked for.
        table: Table,
        /// How long one dump may take.
        limit: Duration,
    },
    /// The table changed during each attempt.
    #[error("The kernel's {table} changed during each of {attempts} dumps")]
    Interrupted {
        /// What was asked for.
        table: Table,
        /// Dumps of this table.
        attempts: u32,
        /// See [`SnapshotError::partial`].
        partial: Box<Snapshot>,
    },
    /// A row could not be decoded.
    #[error("The dump of {table} is not whole")]
    Undecodable {
        /// What was asked for.
        table: Table,
        /// The first such row.
        #[source]
        source: Undecodable,
        /// See [`SnapshotError::partial`].
        partial: Box<Snapshot>,
    },
}

impl SnapshotError {
    /// What was seen nevertheless. Everything in it exists or did a moment ago, so it may be added to a view; but what
    /// is not in it may exist as well, so nothing may be removed because of it.
    pub fn partial(&self) -> Option<&Snapshot> {
        match self {
            Self::Interrupted { partial, .. } | Self::Undecodable { partial, .. } => Some(partial),
            _ => None,
        }
    }
}
