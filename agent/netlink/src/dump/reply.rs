//! Is a dump over, and was it clean? Datagrams go in; rows and the flaws of the dump come out. No I/O.
//!
//! ```text
//!  part: NEWLINK NEWLINK …   part: NEWLINK … DONE errno        every message: sequence and port of the request,
//!                                                              any flags & NLM_F_DUMP_INTR ─▶ interrupted
//! ```

use std::io;

use firsthop_model::fib::FibEvent;
use firsthop_model::topology::Event;

use super::Table;
use crate::decode::{Decoded, Undecodable};
use crate::message::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, messages};
use crate::subject::Subject;

/// The reply to a request for what exists.
pub type Reply = Rows<Event>;
/// The reply to a request for what the kernel forwards by.
pub type FibReply = Rows<FibEvent>;

/// The reply to one dump request, as far as it arrived.
#[derive(Debug)]
pub struct Rows<E> {
    table: Table,
    sequence: u32,
    port: u32,
    /// What the table holds.
    pub rows: Vec<E>,
    /// Datagrams with rows.
    pub parts: u32,
    /// The table changed meanwhile.
    pub interrupted: bool,
    /// The first row that could not be decoded.
    pub undecodable: Option<Undecodable>,
}

impl<E: Subject> Rows<E> {
    /// No datagram has come yet. `sequence` is that of the request, `port` the netlink port of the socket that sent it.
    pub const fn new(table: Table, sequence: u32, port: u32) -> Self {
        Self {
            table,
            sequence,
            port,
            rows: Vec::new(),
            parts: 0,
            interrupted: false,
            undecodable: None,
        }
    }

    /// The kernel showed a row, or tried to.
    pub(super) const fn has_begun(&self) -> bool {
        !self.rows.is_empty() || self.parts > 0 || self.undecodable.is_some()
    }

    /// Takes one datagram in; true when the dump is over.
    ///
    /// # Errors
    /// The errno of a refusal, or of DONE.
    pub fn take(&mut self, datagram: &[u8]) -> io::Result<bool> {
        let mut rows = false;
        for message in messages(datagram) {
            let message = match message {
                Ok(message) => message,
                Err(undecodable) => {
                    self.undecodable.get_or_insert(undecodable);
                    continue;
                }
            };
            if message.sequence != self.sequence || message.port != self.port {
                continue;
            }
            self.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_NOOP => {}
                NLMSG_DONE | NLMSG_ERROR => {
                    let code = message.payload.first_chunk();
                    match code.map_or(0, |code| i32::from_ne_bytes(*code)) {
                        // Old kernels end some dumps with a DONE that is empty.
                        0 if message.kind == NLMSG_DONE => {
                            self.parts += u32::from(rows);
                            return Ok(true);
                        }
                        // An acknowledgement, which is no end.
                        0 => {}
                        code => return Err(io::Error::from_raw_os_error(code.saturating_neg())),
                    }
                }
                _ => {
                    rows = true;
                    match E::decode(&message) {
                        Decoded::Events(events) => {
                            self.rows
                                .extend(events.into_iter().filter(|row| row.is_of(self.table)));
                        }
                        Decoded::Ignored => {}
                        Decoded::Undecodable(undecodable) => {
                            self.undecodable.get_or_insert(undecodable);
                        }
                    }
                }
            }
        }
        self.parts += u32::from(rows);
        Ok(false)
    }
}
