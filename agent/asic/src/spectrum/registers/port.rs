//! SPVID, SPVM, SPVMLR, SPMS: the VLANs of a port.

use emad::Register;
use emad::register::{Spms, SpmsState, Spvid, Spvm, Spvmlr};
use firsthop_model::LocalPort;
use firsthop_model::chip::{Entry, Vid};
use firsthop_model::topology::StpState;

use super::Row;

/// What a port has at power-on. A removed PVID goes back to it: staying would keep untagged frames in the FID of a VID
/// that nobody wants any more.
const POWER_ON_PVID: Vid = Vid(1);

pub(super) fn set_pvid(port: LocalPort, vid: Vid) -> Register {
    Spvid { local_port: port.0, pvid: vid.0, ..Spvid::default() }.into()
}

pub(super) fn clear_pvid(port: LocalPort) -> Register {
    set_pvid(port, POWER_ON_PVID)
}

pub(super) fn query_pvid(port: LocalPort) -> Register {
    Spvid { local_port: port.0, ..Spvid::default() }.into()
}

/// A port always has a PVID, so that the row is never empty.
pub(super) fn read_pvid(port: LocalPort, spvid: &Spvid) -> Row {
    Row::holds_if(spvid.local_port == port.0, Entry::PortPvid { port, vid: Vid(spvid.pvid) })
}

/// `untagged` is none for a port that is not to be a member.
pub(super) fn set_vlan(port: LocalPort, vid: Vid, untagged: Option<bool>) -> Register {
    let member = untagged.is_some();
    Spvm::range(port.0, vid.0..=vid.0, member, untagged.unwrap_or(false)).into()
}

pub(super) fn read_vlan(port: LocalPort, vid: Vid, spvm: &Spvm) -> Row {
    match spvm.records.iter().find(|record| record.vid == vid.0) {
        Some(record) if spvm.local_port == port.0 => match (record.i, record.e) {
            (true, true) => Row::Holds(Entry::PortVlan { port, vid, untagged: record.u }),
            (false, false) => Row::Empty,
            _ => Row::Foreign,
        },
        _ => Row::Foreign,
    }
}

pub(super) fn set_learning(port: LocalPort, vid: Vid, enabled: bool) -> Register {
    Spvmlr::range(port.0, vid.0..=vid.0, enabled).into()
}

pub(super) fn read_learning(port: LocalPort, vid: Vid, spvmlr: &Spvmlr) -> Row {
    match spvmlr.records.iter().find(|record| record.vid == vid.0) {
        Some(record) if spvmlr.local_port == port.0 => {
            Row::Holds(Entry::PortLearning { port, vid, enabled: record.learn_enable })
        }
        _ => Row::Foreign,
    }
}

pub(super) fn set_stp(port: LocalPort, vid: Vid, state: StpState) -> Register {
    let state = match state {
        StpState::Discarding => SpmsState::Discarding,
        StpState::Learning => SpmsState::Learning,
        StpState::Forwarding => SpmsState::Forwarding,
    };
    Spms::vlan(port.0, vid.0, state).into()
}

pub(super) fn query_stp(port: LocalPort) -> Register {
    Spms { local_port: port.0, ..Spms::default() }.into()
}

/// A VLAN of a port always has a state, so that the row is never empty.
pub(super) fn read_stp(port: LocalPort, vid: Vid, spms: &Spms) -> Row {
    let state = match spms.states.get(vid.0) {
        Some(SpmsState::Discarding) => StpState::Discarding,
        Some(SpmsState::Learning) => StpState::Learning,
        Some(SpmsState::Forwarding) => StpState::Forwarding,
        None => return Row::Foreign,
    };
    Row::holds_if(spms.local_port == port.0, Entry::PortStp { port, vid, state })
}
