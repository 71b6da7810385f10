//! Which answer belongs to which request, and how did it end? Frames in, one at a time; out come registers that were written or read.
//!
//! ```text
//!   request 7 ─▶ open ── answer 7, ok ───────────▶ Heard::Written, Heard::Read
//!   request 7 again: a copy      └ bad parameter ─▶ Heard::Absent (of a query)
//!   end of the file: what is open and was a write has an outcome that nobody knows
//! ```
//!
//! An id counts until another request has it: those of one session never come again, but small tools begin at the same one.

use std::collections::BTreeMap;

use emad::{Frame, FrameError, Method, Operation, Register, Status};

use super::Summary;

/// What a frame comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A request, or nothing of use.
    Nothing,
    /// The chip executed this write; what it answered.
    Written(Register, Register),
    /// The chip answered this query with this.
    Read(Register, Register),
    /// The chip refused this query as one of what does not exist.
    Absent(Register),
}

/// A request whose id no other one has had since.
#[derive(Debug)]
struct Request {
    register_id: u16,
    method: Method,
    payload: Vec<u8>,
    /// Copies that were not answered.
    open: u32,
    /// One of its copies was answered for good.
    ended: bool,
}

impl Request {
    fn register(&self) -> Option<Register> {
        Register::decode(self.register_id, &self.payload).ok()
    }

    /// What is lost with it, if its outcome is not known.
    fn lost(&self, tid: u64) -> Option<String> {
        let register = emad::register::name_of(self.register_id)
            .map_or_else(|| format!("register 0x{:04x}", self.register_id), str::to_owned);
        let lost = !self.ended && self.method == Method::Write;
        lost.then(|| format!("{register} (transaction 0x{tid:016x})"))
    }
}

/// Requests and answers so far.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    requests: BTreeMap<u64, Request>,
    /// Writes without an answer, by register.
    open: BTreeMap<u16, usize>,
}

impl Exchanges {
    /// Takes a frame.
    pub(super) fn take(&mut self, bytes: &[u8], summary: &mut Summary) -> Heard {
        summary.frames += 1;
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(FrameError::WrongEtherType { .. }) => {
                summary.other += 1;
                return Heard::Nothing;
            }
            Err(_) => {
                summary.malformed += 1;
                return Heard::Nothing;
            }
        };
        let operation = frame.operation;
        if operation.class != Operation::CLASS_REGISTER
            || !matches!(operation.method, Method::Query | Method::Write)
        {
            summary.other += 1;
            return Heard::Nothing;
        }
        if operation.response {
            self.answer(&frame, summary)
        } else {
            self.request(&frame, summary);
            Heard::Nothing
        }
    }

    /// The end: what was never answered.
    pub(super) fn finish(self, summary: &mut Summary) {
        let lost = self.requests.iter().filter_map(|(tid, request)| request.lost(*tid));
        summary.unanswered.extend(lost);
    }

    /// A write of this register has no answer so far.
    pub(super) fn is_open(&self, register_id: u16) -> bool {
        self.open.get(&register_id).is_some_and(|count| *count > 0)
    }

    fn request(&mut self, frame: &Frame, summary: &mut Summary) {
        let Operation { tid, register_id, method, .. } = frame.operation;
        if let Some(known) = self.requests.get_mut(&tid)
            && (known.register_id, known.method) == (register_id, method)
            && known.payload == frame.payload()
        {
            known.open += 1;
            summary.repeated += 1;
            return;
        }
        let count =
            if method == Method::Write { &mut summary.writes } else { &mut summary.queries };
        *count += 1;
        if method == Method::Write {
            *self.open.entry(register_id).or_default() += 1;
        }
        let payload = frame.payload().to_vec();
        let request = Request { register_id, method, payload, open: 1, ended: false };
        if let Some(former) = self.requests.insert(tid, request) {
            summary.unanswered.extend(former.lost(tid));
        }
    }

    fn answer(&mut self, frame: &Frame, summary: &mut Summary) -> Heard {
        let Operation { tid, register_id, method, status, .. } = frame.operation;
        let asked = self.requests.get_mut(&tid).filter(|request| {
            (request.register_id, request.method) == (register_id, method) && request.open > 0
        });
        let Some(request) = asked else {
            summary.strays += 1;
            return Heard::Nothing;
        };
        request.open -= 1;
        if status.is_transient() {
            return Heard::Nothing;
        }
        let first = !std::mem::replace(&mut request.ended, true);
        if first && method == Method::Write {
            self.open.entry(register_id).and_modify(|count| *count -= 1);
        }
        match (method, status) {
            (Method::Write, Status::Ok) => summary.acknowledged += u64::from(first),
            (Method::Write, _) => summary.refused += u64::from(first),
            _ => {}
        }
        let Some(asked) = request.register() else {
            summary.unknown += u64::from(first);
            return Heard::Nothing;
        };
        match (method, status) {
            (Method::Query, Status::BadParameter) => Heard::Absent(asked),
            (_, Status::Ok) => match frame.register() {
                Ok(answer) if method == Method::Write => Heard::Written(asked, answer),
                Ok(answer) => Heard::Read(asked, answer),
                Err(_) => {
                    summary.malformed += 1;
                    Heard::Nothing
                }
            },
            _ => Heard::Nothing,
        }
    }
}
