//! One transaction under way: its bytes, and when it is sent again.
//!
//! ```text
//!   Due(at) ── send ──▶ Waiting(until) ── answer ──▶ gone
//!      ▲                     │
//!      └── busy, time is up ─┘
//! ```

use std::time::Duration;

use emad::Operation;

use super::Bundle;

/// A transaction.
#[derive(Debug)]
pub(super) struct Flight {
    /// What it is for.
    pub(super) tasks: Bundle,
    pub(super) operation: Operation,
    frame: Vec<u8>,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// A copy got no answer in time, so that it may have been executed.
    pub(super) timed_out: bool,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// To be sent at that time.
    Due(Duration),
    /// Sent; has time until then.
    Waiting(Duration),
}

impl Flight {
    pub(super) const fn new(tasks: Bundle, operation: Operation, frame: Vec<u8>) -> Self {
        let state = State::Due(Duration::ZERO);
        Self { tasks, operation, frame, attempts: 0, timed_out: false, state }
    }

    /// The bytes to send; the time for the answer doubles with each copy.
    pub(super) fn send(&mut self, now: Duration, timeout: Duration) -> Vec<u8> {
        let patience = timeout.saturating_mul(2_u32.saturating_pow(self.attempts));
        self.attempts += 1;
        self.state = State::Waiting(now.saturating_add(patience));
        self.frame.clone()
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        matches!(self.state, State::Due(at) if at <= now)
    }

    pub(super) fn is_late(&self, now: Duration) -> bool {
        matches!(self.state, State::Waiting(until) if until <= now)
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    pub(super) const fn deadline(&self) -> Duration {
        match self.state {
            State::Due(at) | State::Waiting(at) => at,
        }
    }

    /// An answer of the same id says the same register and method, unless something is very wrong.
    pub(super) fn is_answered_by(&self, operation: &Operation) -> bool {
        (operation.register_id, operation.method)
            == (self.operation.register_id, self.operation.method)
    }
}
