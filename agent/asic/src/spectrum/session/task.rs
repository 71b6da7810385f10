//! What a session has to do for a change or a question, and how it is said in errors.

use emad::{Method, Register};
use firsthop_model::chip::Change;

use super::QueryId;
use crate::Ticket;
use crate::error::{AsicError, Subject, Transaction};
use crate::spectrum::registers;

/// What has to be done, in one transaction.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// A change.
    Write {
        ticket: Ticket,
        change: Change,
        register: Register,
        /// How it was refused in other words.
        refusals: Vec<AsicError>,
    },
    /// A look at the row of a change that failed, to know whether it did.
    Verify { ticket: Ticket, change: Change, register: Register, failure: AsicError },
    /// A question of the caller.
    Query { id: QueryId, subject: Subject, register: Register },
    /// What did the chip learn?
    Notices { register: Register },
}

impl Task {
    pub(super) fn notices() -> Self {
        Self::Notices { register: registers::query_notices() }
    }

    pub(super) const fn register(&self) -> &Register {
        match self {
            Self::Write { register, .. }
            | Self::Verify { register, .. }
            | Self::Query { register, .. }
            | Self::Notices { register } => register,
        }
    }

    pub(super) const fn method(&self) -> Method {
        match self {
            Self::Write { .. } => Method::Write,
            Self::Verify { .. } | Self::Query { .. } | Self::Notices { .. } => Method::Query,
        }
    }

    /// For errors: this task in the transaction with that id.
    pub(super) fn transaction(&self, tid: u64) -> Box<Transaction> {
        let subject = match self {
            Self::Write { change, .. } => Subject::Write(change.clone()),
            Self::Verify { change, .. } => Subject::Read(change.key()),
            Self::Query { subject, .. } => subject.clone(),
            Self::Notices { .. } => Subject::Notices,
        };
        Box::new(Transaction { register: self.register().name(), tid, subject })
    }
}
