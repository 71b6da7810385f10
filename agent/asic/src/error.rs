//! What can go wrong with a chip, and what may be concluded about its state?
//!
//! [`AsicError::class`] is what a caller decides by; the variants say what happened, for people.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use emad::DecodeError;
use firsthop_model::chip::{Change, Key};
use nix::errno::Errno;

/// What a failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Not done; the same request may succeed later.
    Transient,
    /// Not done; a table is full.
    Capacity,
    /// Not done; the same request will fail again.
    Rejected,
    /// It may have been done or not: time-out, or the connection broke after the request was sent.
    Unknown,
    /// Not done; the chip can't be reached.
    Gone,
}

/// What a transaction was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// To write this.
    Write(Change),
    /// To read this row.
    Read(Key),
    /// To read the list of router MACs.
    Dump,
    /// To take what the chip learnt and forgot.
    Notices,
    /// To ask which hosts were used.
    Activity,
}

/// One register access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The register's name, lower case.
    pub register: &'static str,
    /// Transaction id; the same in all its retransmissions. Zero if it was never sent.
    pub tid: u64,
    /// What it was for.
    pub subject: Subject,
}

/// Why a chip did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AsicError {
    /// The chip answered with a status other than "done".
    #[error("Chip refused {transaction}: status 0x{status:02x}{}", Reason(reason.as_ref()))]
    Refused {
        /// What was asked.
        transaction: Box<Transaction>,
        /// Status of the operation TLV, never 0.
        status: u8,
        /// The chip's own words, from the string TLV.
        reason: Option<String>,
        /// An earlier copy of the request may have been executed.
        uncertain: bool,
    },
    /// The chip said "done", but left the record out.
    #[error("Chip did not take {transaction}")]
    NotTaken {
        /// What was asked.
        transaction: Box<Transaction>,
        /// Whether the record was there afterwards could not be read.
        uncertain: bool,
    },
    /// No answer to any of the copies.
    #[error("Chip did not answer {transaction} ({attempts} attempts)")]
    Timeout {
        /// What was asked.
        transaction: Box<Transaction>,
        /// How often it was sent.
        attempts: u32,
    },
    /// The answer's payload is not the register.
    #[error("Answer to {transaction} can't be decoded")]
    Answer {
        /// What was asked.
        transaction: Box<Transaction>,
        /// Why not.
        source: DecodeError,
    },
    /// The connection broke after the request was sent.
    #[error("Connection to the chip broke with {transaction} under way")]
    Lost {
        /// What was asked.
        transaction: Box<Transaction>,
    },
    /// There is no connection; the request was not sent.
    #[error("No connection to the chip: {transaction} was not sent")]
    NotSent {
        /// What was asked.
        transaction: Box<Transaction>,
    },
    /// The change can't be said in a register, e.g. because an index has more bits than the field.
    #[error("{change:?} does not fit register {register}: {why}")]
    Unsayable {
        /// The register's name, lower case.
        register: &'static str,
        /// The change.
        change: Box<Change>,
        /// What does not fit.
        why: &'static str,
    },
    /// The socket can't be connected to.
    #[error("Chip socket {} can't be connected to", path.display())]
    Connect {
        /// Path of the socket.
        path: PathBuf,
        /// What the system said.
        source: Errno,
    },
    /// An operation on the connected socket failed.
    #[error("Chip socket: {operation} failed")]
    Socket {
        /// The system call.
        operation: &'static str,
        /// What the system said.
        source: Errno,
    },
    /// The other side closed the connection.
    #[error("Chip closed the connection")]
    Closed,
    /// A control request was refused or not understood.
    #[error("Control request {request} failed: {reason}")]
    Control {
        /// Name of the request.
        request: &'static str,
        /// The other side's words, or what is wrong with its answer.
        reason: String,
    },
    /// A control request got no answer.
    #[error("Control request {request} got no answer within {patience:?}")]
    ControlTimeout {
        /// Name of the request.
        request: &'static str,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The chip does not say something that Firsthop can't do without.
    #[error("Chip does not say its {name} ({request})")]
    Missing {
        /// What is missing.
        name: &'static str,
        /// The control request whose answer should have it.
        request: &'static str,
    },
    /// Another process owns the chip.
    #[error("Chip of {} is owned by process {}", socket.display(), Pid(*pid))]
    Owned {
        /// The chip's socket.
        socket: PathBuf,
        /// The owner's process id, unless it has not written it yet.
        pid: Option<u32>,
    },
    /// The file of the owner's lock can't be used.
    #[error("Lock file {} can't be used", path.display())]
    Lock {
        /// Path of the file.
        path: PathBuf,
        /// What the system said.
        source: Errno,
    },
    /// Made by [`crate::Faulty`].
    #[error("Injected {class:?} failure of {change:?}")]
    Injected {
        /// The class that was asked for.
        class: Class,
        /// The change that was picked.
        change: Box<Change>,
    },
}

/// Status codes of the operation TLV (`enum mlxsw_emad_op_tlv_status`).
pub(crate) mod status {
    pub(crate) const BUSY: u8 = 1;
    pub(crate) const BAD_PARAMETER: u8 = 7;
    pub(crate) const NO_RESOURCE: u8 = 8;
    pub(crate) const RECEIPT_ACK: u8 = 9;
    pub(crate) const INTERNAL: u8 = 0x70;
}

impl AsicError {
    /// What may be concluded.
    pub const fn class(&self) -> Class {
        match self {
            Self::Refused { transaction, status, uncertain, .. } => {
                let write = transaction.subject.is_write();
                match *status {
                    _ if *uncertain && write => Class::Unknown,
                    // Received and not finished, or broken in the middle: a write may have happened.
                    status::RECEIPT_ACK | status::INTERNAL if write => Class::Unknown,
                    status::BUSY | status::RECEIPT_ACK | status::INTERNAL => Class::Transient,
                    status::NO_RESOURCE => Class::Capacity,
                    _ => Class::Rejected,
                }
            }
            Self::NotTaken { uncertain: true, .. } => Class::Unknown,
            Self::NotTaken { transaction, .. } => match transaction.subject {
                Subject::Write(Change::Add(_)) => Class::Capacity,
                _ => Class::Rejected,
            },
            Self::Timeout { transaction, .. } => transaction.subject.or(Class::Transient),
            Self::Answer { transaction, .. } => transaction.subject.or(Class::Rejected),
            Self::Lost { transaction } => transaction.subject.or(Class::Gone),
            Self::NotSent { .. } | Self::Connect { .. } | Self::Socket { .. } | Self::Closed => {
                Class::Gone
            }
            Self::ControlTimeout { .. } => Class::Transient,
            Self::Unsayable { .. }
            | Self::Control { .. }
            | Self::Missing { .. }
            | Self::Owned { .. }
            | Self::Lock { .. } => Class::Rejected,
            Self::Injected { class, .. } => *class,
        }
    }

    /// The register access that failed, if it was one.
    pub const fn transaction(&self) -> Option<&Transaction> {
        match self {
            Self::Refused { transaction, .. }
            | Self::NotTaken { transaction, .. }
            | Self::Timeout { transaction, .. }
            | Self::Answer { transaction, .. }
            | Self::Lost { transaction }
            | Self::NotSent { transaction } => Some(transaction),
            _ => None,
        }
    }

    /// The same failure, now that it is known that no copy of the request had an effect.
    pub(crate) fn with_certainty(mut self) -> Self {
        if let Self::Refused { uncertain, .. } | Self::NotTaken { uncertain, .. } = &mut self {
            *uncertain = false;
        }
        self
    }
}

impl Subject {
    const fn is_write(&self) -> bool {
        matches!(self, Self::Write(_))
    }

    /// `Unknown` for a write, whose effect nobody saw; `class` for a read, which has none.
    const fn or(&self, class: Class) -> Class {
        if self.is_write() { Class::Unknown } else { class }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::Capacity => "capacity",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(Change::Add(entry)) => write!(f, "add {entry:?}"),
            Self::Write(Change::Edit { to, .. }) => write!(f, "edit to {to:?}"),
            Self::Write(Change::Remove(entry)) => write!(f, "remove {:?}", entry.key()),
            Self::Read(key) => write!(f, "read {key:?}"),
            Self::Dump => f.write_str("dump"),
            Self::Notices => f.write_str("what was learnt"),
            Self::Activity => f.write_str("hosts that were used"),
        }
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (transaction 0x{:016x}): {}", self.register, self.tid, self.subject)
    }
}

struct Reason<'a>(Option<&'a String>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |reason| write!(f, ", {reason:?}"))
    }
}

struct Pid(Option<u32>);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "{pid}"),
            None => f.write_str("(unknown)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::chip::{Entry, Fid};

    use super::*;

    fn transaction(subject: Subject) -> Box<Transaction> {
        Box::new(Transaction { register: "sfmr", tid: 0x11, subject })
    }

    fn write() -> Box<Transaction> {
        transaction(Subject::Write(Change::Add(Entry::Fid { fid: Fid(5120) })))
    }

    fn refused(transaction: Box<Transaction>, status: u8, uncertain: bool) -> AsicError {
        AsicError::Refused { transaction, status, reason: None, uncertain }
    }

    // Broken if a failure whose effect nobody saw were booked as "not done", or a clean refusal forced a read-back.
    #[test]
    fn class_says_what_is_known() {
        let read = || transaction(Subject::Read(Key::Fid(Fid(5120))));
        for (error, class) in [
            (refused(write(), 1, false), Class::Transient),
            (refused(write(), 1, true), Class::Unknown),
            (refused(write(), 7, false), Class::Rejected),
            (refused(write(), 8, false), Class::Capacity),
            (refused(write(), 9, false), Class::Unknown),
            (refused(write(), 0x70, false), Class::Unknown),
            (refused(read(), 0x70, false), Class::Transient),
            (refused(read(), 9, true), Class::Transient),
            (AsicError::Timeout { transaction: write(), attempts: 6 }, Class::Unknown),
            (AsicError::Timeout { transaction: read(), attempts: 6 }, Class::Transient),
            (AsicError::Lost { transaction: write() }, Class::Unknown),
            (AsicError::Lost { transaction: read() }, Class::Gone),
            (AsicError::NotSent { transaction: write() }, Class::Gone),
            (AsicError::NotTaken { transaction: write(), uncertain: false }, Class::Capacity),
            (AsicError::NotTaken { transaction: write(), uncertain: true }, Class::Unknown),
        ] {
            assert_eq!(error.class(), class, "{error}");
        }
    }

    // Broken if an operator could not find the failed access in a trace of the chip's frames.
    #[test]
    fn text_names_register_status_and_transaction() {
        let error = AsicError::Refused {
            transaction: write(),
            status: 7,
            reason: Some("no such FID".into()),
            uncertain: false,
        };
        let text = error.to_string();
        for part in ["sfmr", "0x0000000000000011", "add Fid", "5120", "0x07", "no such FID"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
