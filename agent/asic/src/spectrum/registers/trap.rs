//! QPCR, HTGT, HPKT: which packets go to the CPU, in which group, and how many of them.

use emad::Register;
use emad::register::{Hpkt, HpktAction, Htgt, Qpcr, QpcrAction, QpcrScope, RateType};
use firsthop_model::chip::{Entry, PolicerId, TrapAction, TrapGroupId, TrapId};

use super::Row;

/// What the driver gives policers that nobody uses: packets/s and
/// packets. A removed policer gets it.
const UNUSED_RATE: u32 = 1;
const UNUSED_BURST: u32 = 16;

pub(super) fn set_policer(id: PolicerId, rate: u32, burst: u32, clear_counter: bool) -> Register {
    // The low bits of a burst that is no power of two are lost here, which the check in `write` finds.
    let cbs_log2 = u8::try_from(burst.checked_ilog2().unwrap_or(0)).unwrap_or(u8::MAX);
    Qpcr { pid: id.0, cbs_log2, cir: rate, clear_counter, ..Qpcr::default() }.into()
}

pub(super) fn clear_policer(id: PolicerId) -> Register {
    set_policer(id, UNUSED_RATE, UNUSED_BURST, false)
}

pub(super) fn query_policer(id: PolicerId) -> Register {
    Qpcr { pid: id.0, ..Qpcr::default() }.into()
}

/// A policer that was never set up has rate 0. One that was always has a rate.
pub(super) fn read_policer(id: PolicerId, qpcr: &Qpcr) -> Row {
    let usual = (qpcr.g, qpcr.pid) == (QpcrScope::Global, id.0)
        && !qpcr.bytes
        && !qpcr.color_aware
        && qpcr.rate_type == RateType::Single
        && qpcr.violate_action == QpcrAction::Discard;
    if usual && qpcr.cir == 0 {
        return Row::Empty;
    }
    match 1_u32.checked_shl(qpcr.cbs_log2.into()) {
        Some(burst) => Row::holds_if(usual, Entry::Policer { id, rate: qpcr.cir, burst }),
        None => Row::Foreign,
    }
}

pub(super) fn set_group(
    id: TrapGroupId,
    policer: Option<PolicerId>,
    priority: u8,
    tclass: u8,
) -> Register {
    // The register has eight bits for a policer. A larger number is cut here, which the check in `write` finds.
    let policer = policer.map(|policer| policer.0.to_be_bytes()[1]);
    Htgt::new(id.0, policer, priority, tclass).into()
}

/// As at power-on: no policer, lowest priority, first traffic class.
pub(super) fn clear_group(id: TrapGroupId) -> Register {
    set_group(id, None, 0, 0)
}

pub(super) fn query_group(id: TrapGroupId) -> Register {
    Htgt { group: id.0, ..Htgt::default() }.into()
}

/// A group always has a priority, so that the row is never empty. The receive queue is not looked at.
pub(super) fn read_group(id: TrapGroupId, htgt: &Htgt) -> Row {
    let usual = htgt.group == id.0 && htgt.path_type == 0 && htgt.mirror_action == 0;
    let policer = htgt.policer.map(|policer| PolicerId(policer.into()));
    let (priority, tclass) = (htgt.priority, htgt.tclass);
    Row::holds_if(usual, Entry::TrapGroup { id, policer, priority, tclass })
}

pub(super) fn set_trap(id: TrapId, action: TrapAction, group: TrapGroupId) -> Register {
    let action = match action {
        TrapAction::Trap => HpktAction::TrapToCpu,
        TrapAction::Mirror => HpktAction::MirrorToCpu,
        TrapAction::Forward => HpktAction::Forward,
        TrapAction::Discard => HpktAction::Discard,
    };
    hpkt(id, action, group)
}

/// What the firmware does by itself with such packets.
pub(super) fn clear_trap(id: TrapId, group: TrapGroupId) -> Register {
    hpkt(id, HpktAction::SetFwDefault, group)
}

fn hpkt(id: TrapId, action: HpktAction, group: TrapGroupId) -> Register {
    Hpkt { action, trap_group: group.0, trap_id: id.0, ..Hpkt::default() }.into()
}

pub(super) fn query_trap(id: TrapId) -> Register {
    Hpkt { trap_id: id.0, ..Hpkt::default() }.into()
}

/// A chip answers what happens to the packets, also if that is the firmware's default, so that an answer is never empty.
pub(super) fn read_trap(id: TrapId, hpkt: &Hpkt) -> Row {
    if hpkt.trap_id != id.0 {
        return Row::Foreign;
    }
    let action = match hpkt.action {
        HpktAction::TrapToCpu => TrapAction::Trap,
        HpktAction::MirrorToCpu => TrapAction::Mirror,
        HpktAction::Forward => TrapAction::Forward,
        HpktAction::Discard => TrapAction::Discard,
        HpktAction::SetFwDefault => return Row::Empty,
        _ => return Row::Foreign,
    };
    Row::Holds(Entry::Trap { id, action, group: TrapGroupId(hpkt.trap_group) })
}
