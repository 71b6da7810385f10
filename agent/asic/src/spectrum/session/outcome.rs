//! What does an answer, or its absence, mean for the changes in a transaction?
//!
//! ```text
//!   done ────────────────────────────────────▶ Ok
//!   done, fewer records ─▶ look ─┬ as wanted ─▶ Ok
//!   no, but perhaps done before ─┘ else ──────▶ the failure
//!   no, but it can be said otherwise ─────────▶ again, in other words
//!   no ───────────────────────────────────────▶ Refused
//!   busy ─▶ again later, at last ─────────────▶ Refused
//!   nothing ─▶ again, at last ────────────────▶ Timeout
//! ```

use std::time::Duration;

use emad::register::Sfd;
use emad::{Frame, Layout as _, Method, Operation, Register};
use firsthop_model::chip::Change;

use super::flight::{Flight, State};
use super::task::Task;
use super::{Question, Sequence, Session};
use crate::error::{AsicError, Transaction, status};
use crate::spectrum::registers::{self, Dialect};
use crate::{Completion, Notices, Ticket};

impl Session {
    /// The chip said "done".
    pub(super) fn succeed(&mut self, flight: Flight, frame: &Frame) {
        // Of a write the status says all, but where records are counted: the rest is the request again.
        let Operation { register_id, method, .. } = flight.operation;
        if method == Method::Write && register_id != Sfd::ID {
            for (_, task) in flight.tasks {
                self.done(&task);
            }
            return;
        }
        let answer = match frame.register() {
            Ok(register) => register,
            Err(source) => {
                return self.fail(flight, |transaction| AsicError::Answer {
                    transaction,
                    source: source.clone(),
                });
            }
        };
        // One count for all records, so that each has to be looked at.
        let short = match &answer {
            Register::Sfd(sfd) => usize::from(sfd.num_rec) < flight.tasks.len(),
            _ => false,
        };
        for (sequence, task) in flight.tasks {
            match task {
                Task::Notices { .. } => {
                    let (list, more) = registers::notices(&answer);
                    // An earlier copy may have been answered with others.
                    let notices = Notices { list, more, lost: flight.timed_out };
                    self.question = Question::Answered(Ok(notices));
                }
                Task::Write { .. } if short => {
                    let transaction = task.transaction(flight.operation.tid);
                    let failure = AsicError::NotTaken { transaction, uncertain: true };
                    self.verify(sequence, task, failure);
                }
                Task::Write { .. } => self.done(&task),
                Task::Verify { .. } | Task::Query { .. } => return self.end(task, Ok(answer)),
            }
        }
    }

    /// A write was done.
    fn done(&mut self, task: &Task) {
        if let Task::Write { ticket, change, .. } = task {
            self.finish(*ticket, change, Ok(()));
        }
    }

    /// The chip said "not now".
    pub(super) fn postpone(&mut self, mut flight: Flight, frame: &Frame, now: Duration) {
        if flight.attempts > self.settings.retries {
            return self.refuse(flight, frame);
        }
        // A second answer "busy" while the next copy is held back changes nothing.
        if flight.is_waiting() {
            let pause =
                self.settings.pause.saturating_mul(2_u32.saturating_pow(flight.attempts - 1));
            flight.state = State::Due(now.saturating_add(pause));
        }
        self.flights.insert(flight.operation.tid, flight);
    }

    /// The chip said "no".
    pub(super) fn refuse(&mut self, flight: Flight, frame: &Frame) {
        let status = frame.operation.status;
        // An earlier copy, or a part of the records, may have been written.
        let uncertain = flight.timed_out || flight.tasks.len() > 1;
        let bad = status.code() == status::BAD_PARAMETER;
        for (sequence, task) in flight.tasks {
            let refused = AsicError::Refused {
                transaction: task.transaction(flight.operation.tid),
                status: status.code(),
                reason: frame.text().map(ToOwned::to_owned),
                uncertain,
            };
            match task {
                Task::Write { ticket, change, register, mut refusals }
                    if bad
                        && let Some(register) = registers::rephrase(&register, &self.dialect) =>
                {
                    refusals.push(refused);
                    if refusals.len() < usize::from(registers::phrasings(&self.dialect)) {
                        let task = Task::Write { ticket, change, register, refusals };
                        self.make_ready(sequence, task);
                    } else {
                        // The words that are tried first are the likeliest to be right but for the reason told.
                        self.finish(ticket, &change, Err(refusals.swap_remove(0)));
                    }
                }
                Task::Write { ticket, change: change @ Change::Remove(_), .. }
                    if bad && registers::is_absent_if_refused(&change.key()) =>
                {
                    self.finish(ticket, &change, Ok(()));
                }
                // What is not there can't be removed, and need not be.
                Task::Write { change: Change::Remove(_), .. } if !status.is_transient() => {
                    self.verify(sequence, task, refused);
                }
                Task::Write { .. } if uncertain => self.verify(sequence, task, refused),
                task => self.end(task, Err(refused)),
            }
        }
    }

    /// Ends all tasks of a transaction with an error.
    pub(super) fn fail(&mut self, flight: Flight, error: impl Fn(Box<Transaction>) -> AsicError) {
        for (_, task) in flight.tasks {
            let error = error(task.transaction(flight.operation.tid));
            self.end(task, Err(error));
        }
    }

    /// Looks at the row of a change that failed. If it can't be read, the failure stands.
    fn verify(&mut self, sequence: Sequence, task: Task, failure: AsicError) {
        match task {
            Task::Write { ticket, change, .. } => match registers::query(&change.key()) {
                Some(register) => {
                    self.make_ready(sequence, Task::Verify { ticket, change, register, failure });
                }
                None => self.finish(ticket, &change, Err(failure)),
            },
            task => self.end(task, Err(failure)),
        }
    }

    /// A task's last transaction ended.
    pub(super) fn end(&mut self, task: Task, result: Result<Register, AsicError>) {
        match task {
            Task::Write { ticket, change, .. } => self.finish(ticket, &change, result.map(drop)),
            Task::Verify { ticket, change, failure, .. } => {
                let result = verdict(&change, result, failure, &self.dialect);
                self.finish(ticket, &change, result);
            }
            Task::Query { id, subject, .. } => {
                self.answers.push_back((id, result));
                if let Some(lane) = super::lane_of(&subject) {
                    self.release(&lane);
                }
            }
            Task::Notices { .. } => {
                self.question = Question::Answered(result.map(|_| Notices::default()));
            }
        }
    }

    fn finish(&mut self, ticket: Ticket, change: &Change, result: Result<(), AsicError>) {
        self.completions.push_back(Completion { ticket, result });
        self.release(&registers::lane(&change.key()));
    }
}

/// Whether the row holds what the change was to bring about; if that can't be told, the failure stands.
fn verdict(
    change: &Change,
    answer: Result<Register, AsicError>,
    failure: AsicError,
    dialect: &Dialect,
) -> Result<(), AsicError> {
    let key = change.key();
    let Ok(found) = registers::row(&key, answer, dialect) else { return Err(failure) };
    match registers::write(change, dialect) {
        Ok(register) if registers::read(&key, &register, dialect) == found => Ok(()),
        _ => Err(failure.with_certainty()),
    }
}
