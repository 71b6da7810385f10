//! Accesses to the LAGs: SLDR, SLCR, SLCOR.
//!
//! ```text
//!   SLDR create ─▶ SLCOR add ─▶ SLCOR collector on ─▶ SLDR add port          the order of the driver; what
//!   SLDR destroy ◀─ SLCOR remove ◀─ (SLCOR collector off) ◀─ SLDR remove port     skips a step is refused
//! ```

use emad::register::{RitrType, Slcor, SlcorCol, Slcr, SlcrType, Sldr, SldrOp};

use super::{Access, Refusal, ensure};
use crate::chip::lag::{HashSettings, Lag};

impl Access<'_> {
    /// The LAG must exist.
    pub(super) fn check_lag(&self, lag: u16) -> Result<&Lag, Refusal> {
        self.tables.lags.get(lag).ok_or_else(|| Refusal::bad(format!("LAG {lag} does not exist")))
    }

    /// The port must be a member of the LAG.
    fn check_member(&self, lag: u16, port: u16) -> Result<(), Refusal> {
        let member = self.check_lag(lag)?.place(port).is_some();
        ensure!(member, "Port {port} is no member of LAG {lag}");
        Ok(())
    }

    pub(super) fn write_sldr(&mut self, sldr: &Sldr) -> Result<(), Refusal> {
        let (lag, port) = (sldr.lag_id, sldr.system_port);
        match sldr.op {
            SldrOp::Create => {
                let size = self.tables.lags.size();
                if lag >= size {
                    return Err(Refusal::full(format!("LAG {lag} is not in 0..{size}")));
                }
                self.tables.lags.create(lag);
            }
            SldrOp::Destroy => self.destroy_lag(lag)?,
            SldrOp::AddPortList | SldrOp::RemovePortList => {
                let ports = sldr.num_ports;
                ensure!(ports == 1, "The list has room for one port, not {ports}");
                self.check_port(port)?;
                let add = sldr.op == SldrOp::AddPortList;
                if add {
                    self.check_member(lag, port)?;
                }
                self.tables.lags.distribute(lag, port, add);
            }
            SldrOp::Other(op) => return Err(Refusal::bad(format!("SLDR has no op {op}"))),
        }
        Ok(())
    }

    fn destroy_lag(&mut self, lag: u16) -> Result<(), Refusal> {
        if let Some(port) = self.tables.lags.get(lag).and_then(|lag| lag.members().next()) {
            return Err(Refusal::bad(format!("Port {port} is a member of LAG {lag}")));
        }
        let user = self.tables.rifs.iter().find(|ritr| {
            ritr.enable
                && matches!(ritr.kind, RitrType::SpIf { lag: true, system_port, .. } if system_port == lag)
        });
        if let Some(ritr) = user {
            let rif = ritr.rif;
            return Err(Refusal::bad(format!("Router interface {rif} uses LAG {lag}")));
        }
        self.tables.lags.destroy(lag);
        Ok(())
    }

    pub(super) fn write_slcor(&mut self, slcor: &Slcor) -> Result<(), Refusal> {
        let (lag, port) = (slcor.lag_id, slcor.local_port);
        self.check_port(port)?;
        match slcor.col {
            SlcorCol::AddPort => self.join_lag(lag, port, slcor.port_index),
            SlcorCol::CollectorEnabled | SlcorCol::CollectorDisabled => {
                self.check_member(lag, port)?;
                self.tables.lags.collect(port, slcor.col == SlcorCol::CollectorEnabled);
                Ok(())
            }
            SlcorCol::RemovePort => {
                let found = self.tables.lags.get(lag);
                let sends = found.is_some_and(|lag| lag.distributor().contains(&port));
                ensure!(!sends, "Port {port} still sends for LAG {lag}");
                self.tables.lags.leave(lag, port);
                Ok(())
            }
            SlcorCol::Other(col) => Err(Refusal::bad(format!("SLCOR has no col {col}"))),
        }
    }

    fn join_lag(&mut self, lag: u16, port: u16, place: u16) -> Result<(), Refusal> {
        let max = self.tables.lags.max_members();
        let found = self.check_lag(lag)?;
        let member = found.place(port).is_some();
        if !member && found.members().count() >= usize::from(max) {
            return Err(Refusal::full(format!("LAG {lag} has {max} ports")));
        }
        ensure!(place < max, "Place {place} is not in 0..{max}");
        let holder = found.at(place);
        ensure!(
            holder.is_none_or(|holder| holder == port),
            "Place {place} of LAG {lag} is taken by another port"
        );
        let other = self.tables.lags.of_port(port).filter(|other| other.lag != lag);
        if let Some(other) = other {
            let other = other.lag;
            return Err(Refusal::bad(format!("Port {port} is a member of LAG {other}")));
        }
        self.tables.lags.join(lag, port, place);
        Ok(())
    }

    /// The settings of all ports read as those of port 1 (mlxsw `reg.h`).
    pub(super) fn query_slcr(&self, mut slcr: Slcr) -> Result<Slcr, Refusal> {
        let port = if slcr.pp { slcr.local_port } else { 1 };
        self.check_port(port)?;
        let settings = self.tables.lags.hash(port);
        slcr.kind = settings.kind;
        slcr.lag_hash = settings.fields;
        slcr.seed = self.tables.lags.seed();
        Ok(slcr)
    }

    pub(super) fn write_slcr(&mut self, slcr: &Slcr) -> Result<(), Refusal> {
        let kind = slcr.kind;
        ensure!(matches!(kind, SlcrType::Crc | SlcrType::Xor), "Hash type {kind} is not modelled");
        let port = slcr.pp.then_some(slcr.local_port);
        if let Some(port) = port {
            self.check_port(port)?;
        }
        self.tables.lags.set_hash(port, HashSettings { kind, fields: slcr.lag_hash });
        self.tables.lags.set_seed(slcr.seed);
        Ok(())
    }
}
