//! Accesses to the ports: SPVID, SPAFT, SPVM, SPVMLR, SPMS.

use emad::register::{Spaft, Spms, SpmsState, Spvid, Spvm, Spvmlr};

use super::{Access, Refusal, ensure};
use crate::chip::port::{Admitted, Port, StpState};

impl Access<'_> {
    fn port(&self, port: u16) -> Result<&Port, Refusal> {
        self.check_port(port)?;
        self.tables.ports.get(port).ok_or_else(|| Refusal::bad("No such port"))
    }

    fn port_mut(&mut self, port: u16) -> Result<&mut Port, Refusal> {
        self.check_port(port)?;
        self.tables.ports.get_mut(port).ok_or_else(|| Refusal::bad("No such port"))
    }

    pub(super) fn query_spvid(&self, mut spvid: Spvid) -> Result<Spvid, Refusal> {
        spvid.pvid = self.port(spvid.local_port)?.pvid;
        Ok(spvid)
    }

    pub(super) fn write_spvid(&mut self, spvid: &Spvid) -> Result<(), Refusal> {
        ensure!(!spvid.tport, "Tunnel ports are not modelled");
        self.port_mut(spvid.local_port)?.pvid = spvid.pvid;
        Ok(())
    }

    pub(super) fn query_spaft(&self, mut spaft: Spaft) -> Result<Spaft, Refusal> {
        let admitted = self.port(spaft.local_port)?.admitted;
        spaft.allow_untagged = admitted.untagged;
        spaft.allow_prio_tagged = admitted.prio_tagged;
        spaft.allow_tagged = admitted.tagged;
        Ok(spaft)
    }

    pub(super) fn write_spaft(&mut self, spaft: &Spaft) -> Result<(), Refusal> {
        self.port_mut(spaft.local_port)?.admitted = Admitted {
            untagged: spaft.allow_untagged,
            prio_tagged: spaft.allow_prio_tagged,
            tagged: spaft.allow_tagged,
        };
        Ok(())
    }

    pub(super) fn query_spvm(&self, mut spvm: Spvm) -> Result<Spvm, Refusal> {
        let port = self.port(spvm.local_port)?;
        for record in &mut spvm.records {
            record.i = port.lets_in(record.vid);
            record.e = port.lets_out(record.vid);
            record.u = port.is_untagged(record.vid);
        }
        Ok(spvm)
    }

    pub(super) fn write_spvm(&mut self, spvm: &Spvm) -> Result<(), Refusal> {
        let port = self.port_mut(spvm.local_port)?;
        for record in &spvm.records {
            port.set_member(record.vid, record.i, record.e, record.u);
        }
        Ok(())
    }

    pub(super) fn query_spvmlr(&self, mut spvmlr: Spvmlr) -> Result<Spvmlr, Refusal> {
        let port = self.port(spvmlr.local_port)?;
        for record in &mut spvmlr.records {
            record.learn_enable = port.learns(record.vid);
        }
        Ok(spvmlr)
    }

    pub(super) fn write_spvmlr(&mut self, spvmlr: &Spvmlr) -> Result<(), Refusal> {
        let port = self.port_mut(spvmlr.local_port)?;
        for record in &spvmlr.records {
            port.set_learning(record.vid, record.learn_enable);
        }
        Ok(())
    }

    pub(super) fn query_spms(&self, mut spms: Spms) -> Result<Spms, Refusal> {
        let port = self.port(spms.local_port)?;
        let state = |vid| match port.stp(vid) {
            StpState::Discarding => SpmsState::Discarding,
            StpState::Learning => SpmsState::Learning,
            StpState::Forwarding => SpmsState::Forwarding,
        };
        spms.states = (0..4096).map(|vid| (vid, state(vid))).collect();
        Ok(spms)
    }

    pub(super) fn write_spms(&mut self, spms: &Spms) -> Result<(), Refusal> {
        let port = self.port_mut(spms.local_port)?;
        for (vid, state) in spms.states.iter() {
            let state = match state {
                SpmsState::Discarding => StpState::Discarding,
                SpmsState::Learning => StpState::Learning,
                SpmsState::Forwarding => StpState::Forwarding,
            };
            port.set_stp(vid, state);
        }
        Ok(())
    }
}
