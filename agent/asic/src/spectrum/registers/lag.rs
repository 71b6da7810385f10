//! SLDR, SLCOR: which ports make up a LAG, which of them send, and which receive.
//!
//! ```text
//!   Lag ─▶ LagCollector ─▶ LagCollecting ─▶ LagPort        the order in which a chip takes them;
//!   SLDR   SLCOR           SLCOR            SLDR           they are removed in the opposite one
//! ```
//!
//! A member has a place in its LAG's list, 0 up to the most members that there can be, less one, and a chip refuses a place
//! that another member has. Places mean nothing to Firsthop and can't be read, so that they are tried: first the one
//! that follows from the port's number, which is free on most chips and the same after a restart, then the others in turn.

use emad::Register;
use emad::register::{Slcor, SlcorCol, Sldr, SldrOp};
use firsthop_model::LocalPort;
use firsthop_model::chip::{Entry, LagId};

use super::{Dialect, Row};

pub(super) fn create(lag: LagId) -> Register {
    Sldr::create(lag.0).into()
}

pub(super) fn destroy(lag: LagId) -> Register {
    Sldr::destroy(lag.0).into()
}

pub(super) fn read(lag: LagId, sldr: &Sldr) -> Row {
    match sldr.op {
        _ if sldr.lag_id != lag.0 => Row::Foreign,
        SldrOp::Create => Row::Holds(Entry::Lag { lag }),
        SldrOp::Destroy => Row::Empty,
        _ => Row::Foreign,
    }
}

/// System ports are numbered like local ports.
pub(super) fn set_port(lag: LagId, port: LocalPort) -> Register {
    Sldr::add_port(lag.0, port.0).into()
}

pub(super) fn clear_port(lag: LagId, port: LocalPort) -> Register {
    Sldr::remove_port(lag.0, port.0).into()
}

pub(super) fn read_port(lag: LagId, port: LocalPort, sldr: &Sldr) -> Row {
    match sldr.op {
        _ if (sldr.lag_id, sldr.num_ports, sldr.system_port) != (lag.0, 1, port.0) => Row::Foreign,
        SldrOp::AddPortList => Row::Holds(Entry::LagPort { lag, port }),
        SldrOp::RemovePortList => Row::Empty,
        _ => Row::Foreign,
    }
}

pub(super) fn join(port: LocalPort, lag: LagId, dialect: &Dialect) -> Register {
    let place = port.0.saturating_sub(1) % dialect.lag_members.max(1);
    Slcor::add_port(port.0, lag.0, place).into()
}

/// The same with the next place, after the last the first; none for a register without a place.
pub(super) fn another_place(register: &Register, dialect: &Dialect) -> Option<Register> {
    match register {
        Register::Slcor(slcor) if slcor.col == SlcorCol::AddPort => {
            let port_index = (slcor.port_index + 1) % dialect.lag_members.max(1);
            Some(Slcor { port_index, ..slcor.clone() }.into())
        }
        _ => None,
    }
}

pub(super) fn leave(port: LocalPort, lag: LagId) -> Register {
    Slcor::remove_port(port.0, lag.0).into()
}

pub(super) fn read_collector(port: LocalPort, slcor: &Slcor) -> Row {
    match slcor.col {
        _ if slcor.local_port != port.0 => Row::Foreign,
        SlcorCol::AddPort => Row::Holds(Entry::LagCollector { port, lag: LagId(slcor.lag_id) }),
        SlcorCol::RemovePort => Row::Empty,
        _ => Row::Foreign,
    }
}

pub(super) fn collect(port: LocalPort, lag: LagId, enabled: bool) -> Register {
    Slcor::collector(port.0, lag.0, enabled).into()
}

pub(super) fn read_collecting(port: LocalPort, slcor: &Slcor) -> Row {
    match slcor.col {
        _ if slcor.local_port != port.0 => Row::Foreign,
        SlcorCol::CollectorEnabled => {
            Row::Holds(Entry::LagCollecting { port, lag: LagId(slcor.lag_id) })
        }
        SlcorCol::CollectorDisabled | SlcorCol::RemovePort => Row::Empty,
        _ => Row::Foreign,
    }
}
