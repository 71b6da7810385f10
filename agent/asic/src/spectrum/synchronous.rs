//! A session against a chip that answers at once: for tests and tools that have the chip in their own memory.
//!
//! Time passes only while nothing else can happen: it jumps to the next deadline.

use std::time::Duration;

use firsthop_model::chip::Key;

use super::reading::Reading;
use super::session::Session;
use crate::{AsicError, ReadBack};

/// Sends what there is to send, and waits for what there is to wait for, until no transaction is left. `exchange` gets the
/// time and a frame, and has the answer, or none if it was lost. Outcomes are in [`Session::poll`] and
/// [`Session::poll_answer`] then.
pub fn settle(
    session: &mut Session,
    now: &mut Duration,
    mut exchange: impl FnMut(Duration, &[u8]) -> Option<Vec<u8>>,
) {
    while !session.is_idle() {
        while let Some(frame) = session.transmit(*now) {
            if let Some(answer) = exchange(*now, &frame) {
                session.receive(&answer, *now);
            }
        }
        if let Some(deadline) = session.deadline() {
            *now = deadline.max(*now);
            session.expire(*now);
        }
    }
}

/// Reads `keys`, and with `enumerate` (the number of router interfaces that the chip has room for) everything that can be
/// enumerated.
///
/// # Errors
/// The chip did not answer.
pub fn read(
    session: &mut Session,
    now: &mut Duration,
    enumerate: Option<u16>,
    keys: &[Key],
    mut exchange: impl FnMut(Duration, &[u8]) -> Option<Vec<u8>>,
) -> Result<ReadBack, AsicError> {
    let mut reading = Reading::start(session, enumerate, keys);
    loop {
        if let Some(found) = reading.poll() {
            return Ok(found);
        }
        settle(session, now, &mut exchange);
        while let Some((id, answer)) = session.poll_answer() {
            reading.take(session, id, answer)?;
        }
    }
}
