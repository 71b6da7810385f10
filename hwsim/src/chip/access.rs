//! What does a register access do? One EMAD frame in, one out: decoded, checked as a chip would, executed.
//!
//! ```text
//!   frame ─▶ class, method, register known? ─▶ faults ─▶ one module per family ─▶ answer: same tid, r = 1
//!              └ no: status 4, 5, 6, 7          query: the register as it is; write: the request back,
//!                                               in SFD with the number of records that took effect
//! ```
//!
//! Every write is idempotent but RALUE's delete, which fails when the route is gone: a device may see a
//! request again when its answer got lost. The statuses of refused writes are listed in docs/fidelity.md.

mod adjacency;
mod forwarding;
mod lag;
mod port;
mod route;
mod router;
mod trap;

use emad::register::Register;
use emad::{DecodeError, Frame, FrameError, Method, Operation, Status};

use super::Chip;
use super::fault::{FaultAction, FaultOp};
use super::personality::Personality;
use super::tables::Tables;
use super::time::Nanos;

/// Why an access was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: Status,
    text: String,
}

impl Refusal {
    /// An index out of range, or a value that contradicts the state (status 7).
    fn bad(text: impl Into<String>) -> Self {
        Self { status: Status::BadParameter, text: text.into() }
    }

    /// A table is full (status 8).
    fn full(text: impl Into<String>) -> Self {
        Self { status: Status::ResourceNotAvailable, text: text.into() }
    }

    /// The register has no such method (status 6).
    fn method(text: impl Into<String>) -> Self {
        Self { status: Status::MethodNotSupported, text: text.into() }
    }
}

/// Fails with [`Refusal::bad`] unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err($crate::chip::access::Refusal::bad(format!($($text)*)));
        }
    };
}
use ensure;

/// What an access works on.
#[derive(Debug)]
struct Access<'a> {
    tables: &'a mut Tables,
    personality: &'a Personality,
    now: Nanos,
    /// An injected fault leaves out the last SFD record.
    short: bool,
}

type Answer = Result<Register, Refusal>;

impl Access<'_> {
    fn query(&mut self, register: Register) -> Answer {
        match register {
            Register::Sfdat(r) => Ok(self.query_sfdat(r).into()),
            Register::Sfd(r) => self.query_sfd(r).map(Into::into),
            Register::Sfn(r) => Ok(self.query_sfn(r).into()),
            Register::Sfmr(r) => self.query_sfmr(&r).map(Into::into),
            Register::Svfa(r) => self.query_svfa(r).map(Into::into),
            Register::Sfgc(r) => self.query_sfgc(&r).map(Into::into),
            Register::Smid2(r) => Ok(self.query_smid2(r).into()),
            Register::Spvid(r) => self.query_spvid(r).map(Into::into),
            Register::Spaft(r) => self.query_spaft(r).map(Into::into),
            Register::Slcr(r) => self.query_slcr(r).map(Into::into),
            Register::Spvm(r) => self.query_spvm(r).map(Into::into),
            Register::Spvmlr(r) => self.query_spvmlr(r).map(Into::into),
            Register::Spms(r) => self.query_spms(r).map(Into::into),
            Register::Rgcr(_) => Ok(self.tables.router.clone().into()),
            Register::Ritr(r) => self.query_ritr(&r).map(Into::into),
            Register::Reiv(r) => self.query_reiv(r).map(Into::into),
            Register::Ralst(r) => self.query_ralst(&r).map(Into::into),
            Register::Raltb(r) => self.query_raltb(r).map(Into::into),
            Register::Ralue(r) => self.query_ralue(r).map(Into::into),
            Register::Rauht(r) => self.query_rauht(r).map(Into::into),
            Register::Rauhtd(r) => self.query_rauhtd(r).map(Into::into),
            Register::Rmft2(r) => self.query_rmft2(r).map(Into::into),
            Register::Ratr(r) => self.query_ratr(r).map(Into::into),
            Register::Ratrad(r) => self.query_ratrad(r).map(Into::into),
            Register::Recr2(_) => Ok(self.tables.multipath.register().clone().into()),
            Register::Ricnt(r) => self.query_ricnt(&r).map(Into::into),
            Register::Hpkt(r) => self.query_hpkt(r).map(Into::into),
            Register::Htgt(r) => self.query_htgt(r).map(Into::into),
            Register::Qpcr(r) => self.query_qpcr(r).map(Into::into),
            Register::Sfdf(_)
            | Register::Ralta(_)
            | Register::Raleu(_)
            | Register::Sldr(_)
            | Register::Slcor(_) => {
                Err(Refusal::method(format!("Register {} has no query", register.name())))
            }
        }
    }

    /// Executes a write; the answer's register is the request, but for SFD's `num_rec`.
    fn write(&mut self, register: Register) -> Answer {
        match &register {
            Register::Sfd(r) => return self.write_sfd(r.clone()).map(Into::into),
            Register::Sfdat(r) => self.write_sfdat(r),
            Register::Sldr(r) => self.write_sldr(r),
            Register::Slcr(r) => self.write_slcr(r),
            Register::Slcor(r) => self.write_slcor(r),
            Register::Spaft(r) => self.write_spaft(r),
            Register::Sfdf(r) => self.write_sfdf(r),
            Register::Sfmr(r) => self.write_sfmr(r),
            Register::Svfa(r) => self.write_svfa(r),
            Register::Sfgc(r) => self.write_sfgc(r),
            Register::Smid2(r) => self.write_smid2(r),
            Register::Spvid(r) => self.write_spvid(r),
            Register::Spvm(r) => self.write_spvm(r),
            Register::Spvmlr(r) => self.write_spvmlr(r),
            Register::Spms(r) => self.write_spms(r),
            Register::Rgcr(r) => self.write_rgcr(r),
            Register::Ritr(r) => self.write_ritr(r),
            Register::Reiv(r) => self.write_reiv(r),
            Register::Ralta(r) => self.write_ralta(r),
            Register::Ralst(r) => self.write_ralst(r),
            Register::Raltb(r) => self.write_raltb(r),
            Register::Ralue(r) => self.write_ralue(r),
            Register::Rauht(r) => self.write_rauht(r),
            Register::Rmft2(r) => self.write_rmft2(r),
            Register::Ratr(r) => self.write_ratr(r),
            Register::Raleu(r) => self.write_raleu(r),
            Register::Recr2(r) => self.write_recr2(r),
            Register::Hpkt(r) => self.write_hpkt(r),
            Register::Htgt(r) => self.write_htgt(r),
            Register::Qpcr(r) => self.write_qpcr(r),
            Register::Sfn(_) | Register::Rauhtd(_) | Register::Ratrad(_) | Register::Ricnt(_) => {
                Err(Refusal::method(format!("Register {} has no write", register.name())))
            }
        }?;
        Ok(register)
    }

    /// The port must exist.
    fn check_port(&self, port: u16) -> Result<(), Refusal> {
        let ports = self.tables.ports.count();
        ensure!((1..=ports).contains(&port), "Local port {port} is not in 1..={ports}");
        Ok(())
    }

    /// The virtual router must exist.
    fn check_vr(&self, vr: u16) -> Result<(), Refusal> {
        let routers = self.tables.routes.routers();
        ensure!(usize::from(vr) < routers, "Virtual router {vr} is not in 0..{routers}");
        Ok(())
    }

    /// The same for writes that put something into it: without room for it, the chip is full.
    fn room_for_vr(&self, vr: u16) -> Result<(), Refusal> {
        self.check_vr(vr).map_err(|refusal| Refusal::full(refusal.text))
    }

    /// The router-interface index must exist, in use or not.
    fn check_rif(&self, rif: u16) -> Result<(), Refusal> {
        let rifs = self.tables.rifs.size();
        ensure!(usize::from(rif) < rifs, "Router interface {rif} is not in 0..{rifs}");
        Ok(())
    }

    /// The ingress router interface of a mapping must be enabled (mlxsw `reg.h`, SFMR and SVFA).
    fn check_irif(&self, irif: Option<u16>) -> Result<(), Refusal> {
        if let Some(rif) = irif {
            let enabled = self.tables.rifs.enabled(rif).is_some();
            ensure!(enabled, "Ingress router interface {rif} is not enabled");
        }
        Ok(())
    }
}

impl Chip {
    /// Executes one EMAD request and answers it; `None` when an injected fault swallows the answer.
    ///
    /// # Errors
    /// Not an EMAD frame whose operation can be read: nothing was done, and there is nobody to answer.
    pub fn emad(&mut self, now: Nanos, frame: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        self.advance(now);
        let operation = Operation::peek(frame)?;
        let outcome = match Frame::decode(frame) {
            Ok(request) => self.execute(now, &operation, &request),
            Err(error) => {
                Outcome::Refused(Refusal { status: error.status(), text: error.to_string() })
            }
        };
        match outcome {
            Outcome::Lost => Ok(None),
            Outcome::Done(register) => {
                let answer = Frame::new(operation.answer(Status::Ok), register.encode())?;
                Ok(Some(answer.encode()))
            }
            Outcome::Refused(refusal) => {
                let payload = Frame::decode(frame).map_or(Vec::new(), |f| f.payload().to_vec());
                let answer = Frame::new(operation.answer(refusal.status), payload)?;
                Ok(Some(answer.with_text(&refusal.text).encode()))
            }
        }
    }

    fn execute(&mut self, now: Nanos, operation: &Operation, request: &Frame) -> Outcome {
        if operation.class != Operation::CLASS_REGISTER {
            let text = format!("Class {} is not register access", operation.class);
            return Outcome::Refused(Refusal { status: Status::ClassNotSupported, text });
        }
        let op = match operation.method {
            Method::Query => FaultOp::Query,
            Method::Write => FaultOp::Write,
            other => return Outcome::Refused(Refusal::method(format!("Method {other}"))),
        };
        if operation.response {
            return Outcome::Refused(Refusal::bad("The frame is itself an answer"));
        }
        let register = match request.register() {
            Ok(register) => register,
            Err(error) => {
                let text = error.to_string();
                let status = match error {
                    DecodeError::UnknownRegister { .. } => Status::RegisterNotSupported,
                    _ => Status::BadParameter,
                };
                return Outcome::Refused(Refusal { status, text });
            }
        };

        let fault = self.faults.strike(register.name(), op);
        match fault {
            Some(FaultAction::DropRequest) => return Outcome::Lost,
            Some(FaultAction::Status(code)) => {
                let status = Status::from_code(code & 0x7f);
                return Outcome::Refused(Refusal { status, text: "Injected fault".into() });
            }
            Some(FaultAction::DropReply | FaultAction::ShortNumRec) | None => {}
        }
        let mut access = Access {
            tables: &mut self.tables,
            personality: &self.personality,
            now,
            short: fault == Some(FaultAction::ShortNumRec),
        };
        let answer = match op {
            FaultOp::Query => access.query(register),
            FaultOp::Write => access.write(register),
        };
        if op == FaultOp::Write && answer.is_ok() {
            self.writes_total += 1;
        }
        match answer {
            _ if fault == Some(FaultAction::DropReply) => Outcome::Lost,
            Ok(register) => Outcome::Done(register),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }
}

/// How an access ended.
#[derive(Debug)]
enum Outcome {
    Done(Register),
    Refused(Refusal),
    Lost,
}
