//! Accesses to traps, trap groups and policers: HPKT, HTGT, QPCR.

use emad::register::{Hpkt, HpktAction, HpktCtrl, Htgt, Qpcr, QpcrAction, QpcrScope, RateType};

use super::{Access, Refusal, ensure};
use crate::chip::cpu::TrapGroup;
use crate::chip::policer::PolicerSettings;
use crate::chip::traps::TrapAction;

impl Access<'_> {
    fn check_group(&self, group: u8) -> Result<(), Refusal> {
        let groups = self.personality.trap_groups;
        ensure!(group < groups, "Trap group {group} is not in 0..{groups}");
        Ok(())
    }

    pub(super) fn query_hpkt(&self, mut hpkt: Hpkt) -> Result<Hpkt, Refusal> {
        let trap_id = hpkt.trap_id;
        let Some((_, state)) = self.tables.traps.get(trap_id) else {
            return Err(Refusal::bad(format!("Trap id 0x{trap_id:x} is not known")));
        };
        hpkt.action = match self.tables.traps.action(trap_id) {
            TrapAction::Forward => HpktAction::Forward,
            TrapAction::Trap => HpktAction::TrapToCpu,
            TrapAction::Mirror => HpktAction::MirrorToCpu,
            TrapAction::Discard => HpktAction::Discard,
            TrapAction::SoftDiscard => HpktAction::SoftDiscard,
            TrapAction::TrapSoftDiscard => HpktAction::TrapAndSoftDiscard,
            TrapAction::TrapException => HpktAction::TrapExceptionToCpu,
        };
        hpkt.trap_group = state.group.unwrap_or(0);
        hpkt.ctrl = HpktCtrl::from_code(state.ctrl);
        Ok(hpkt)
    }

    pub(super) fn write_hpkt(&mut self, hpkt: &Hpkt) -> Result<(), Refusal> {
        self.check_group(hpkt.trap_group)?;
        let action = match hpkt.action {
            HpktAction::Forward => Some(TrapAction::Forward),
            HpktAction::TrapToCpu => Some(TrapAction::Trap),
            HpktAction::MirrorToCpu => Some(TrapAction::Mirror),
            HpktAction::Discard => Some(TrapAction::Discard),
            HpktAction::SoftDiscard => Some(TrapAction::SoftDiscard),
            HpktAction::TrapAndSoftDiscard => Some(TrapAction::TrapSoftDiscard),
            HpktAction::TrapExceptionToCpu => Some(TrapAction::TrapException),
            HpktAction::SetFwDefault => None,
            HpktAction::Other(code) => {
                return Err(Refusal::bad(format!("HPKT has no action {code}")));
            }
        };
        let Some(state) = self.tables.traps.get_mut(hpkt.trap_id) else {
            return Err(Refusal::bad(format!("Trap id 0x{:x} is not known", hpkt.trap_id)));
        };
        state.action = action;
        state.group = Some(hpkt.trap_group);
        state.ctrl = hpkt.ctrl.code();
        Ok(())
    }

    pub(super) fn query_htgt(&self, mut htgt: Htgt) -> Result<Htgt, Refusal> {
        self.check_group(htgt.group)?;
        let group = self.tables.group(htgt.group);
        htgt.policer = group.policer.and_then(|pid| u8::try_from(pid).ok());
        htgt.priority = group.priority;
        htgt.tclass = group.tclass;
        htgt.rdq = group.rdq;
        Ok(htgt)
    }

    pub(super) fn write_htgt(&mut self, htgt: &Htgt) -> Result<(), Refusal> {
        self.check_group(htgt.group)?;
        ensure!(htgt.path_type == 0, "Only the path to the CPU is modelled");
        ensure!(htgt.priority <= 7, "Priority {} is not in 0..=7", htgt.priority);
        if let Some(pid) = htgt.policer {
            let known = self.tables.policers.get(pid.into()).is_some();
            ensure!(known, "Policer {pid} was never set up");
        }
        if let Some(group) = self.tables.groups.get_mut(usize::from(htgt.group)) {
            *group = TrapGroup {
                written: true,
                policer: htgt.policer.map(u16::from),
                priority: htgt.priority,
                tclass: htgt.tclass,
                rdq: htgt.rdq,
            };
        }
        Ok(())
    }

    fn check_policer(&self, qpcr: &Qpcr) -> Result<(), Refusal> {
        let (pid, policers) = (qpcr.pid, self.personality.policers);
        ensure!(qpcr.g == QpcrScope::Global, "Only global policers are modelled");
        ensure!(pid < policers, "Policer {pid} is not in 0..{policers}");
        Ok(())
    }

    /// A policer that was never set up reads as rate 0.
    pub(super) fn query_qpcr(&self, mut qpcr: Qpcr) -> Result<Qpcr, Refusal> {
        self.check_policer(&qpcr)?;
        let policer = self.tables.policers.get(qpcr.pid);
        qpcr.cir = policer.map_or(0, |policer| policer.settings().rate);
        qpcr.cbs_log2 = policer.map_or(0, |policer| policer.settings().burst_log2);
        qpcr.violate_count = policer.map_or(0, |policer| policer.dropped());
        qpcr.rate_type = RateType::Single;
        qpcr.violate_action = QpcrAction::Discard;
        Ok(qpcr)
    }

    pub(super) fn write_qpcr(&mut self, qpcr: &Qpcr) -> Result<(), Refusal> {
        self.check_policer(qpcr)?;
        ensure!(!qpcr.bytes, "Only policers of packets are modelled");
        ensure!(qpcr.rate_type == RateType::Single, "Only single-rate policers are modelled");
        ensure!(qpcr.violate_action == QpcrAction::Discard, "A policer that drops nothing");
        let (low, high) = self.personality.policer_rate;
        ensure!((low..=high).contains(&qpcr.cir), "Rate {} is not in {low}..={high}", qpcr.cir);
        let (low, high) = self.personality.policer_burst_log2;
        let burst = qpcr.cbs_log2;
        ensure!((low..=high).contains(&burst), "Burst 2^{burst} is not in 2^{low}..=2^{high}");
        let settings = PolicerSettings { rate: qpcr.cir, burst_log2: burst };
        self.tables.policers.set(qpcr.pid, settings, qpcr.clear_counter, self.now);
        Ok(())
    }
}
