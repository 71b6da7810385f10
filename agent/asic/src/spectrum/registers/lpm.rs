//! RALTA, RALST, RALTB, RALUE: unicast routes, and the tree by which they are found.
//!
//! There is one tree for each family, used by all virtual routers, with every prefix length in it, so that no route ever
//! asks for another shape:
//!
//! ```text
//!   root 32 ── miss ──▶ 31 ── miss ──▶ 30 ── … ──▶ 1 ── miss ──▶ 0        (IPv6: from 128)
//! ```

use std::collections::BTreeMap;

use emad::Register;
use emad::register::{
    Protocol, Ralst, RalstBin, Ralta, RaltaOp, Raltb, Ralue, RalueAction, RalueEntry, RalueOp,
    TrapAction,
};
use firsthop_model::chip::{AdjacencyIndex, Entry, RifIndex, RouteAction, TrapId, VrId};
use firsthop_model::types::Family;
use ipnet::IpNet;

use super::Row;

/// To this tree every virtual router is bound at power-on; it has no routes.
const EMPTY_TREE: u8 = 0;

/// The tree of a family; the driver's first two (`MLXSW_SP_LPM_TREE_MIN` is 1).
pub(super) const fn tree(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 2,
    }
}

pub(super) const fn protocol(family: Family) -> Protocol {
    match family {
        Family::Ipv4 => Protocol::Ipv4,
        Family::Ipv6 => Protocol::Ipv6,
    }
}

pub(super) fn set_tree(family: Family) -> Register {
    Ralta { op: RaltaOp::Allocate, protocol: protocol(family), tree_id: tree(family) }.into()
}

pub(super) fn clear_tree(family: Family) -> Register {
    Ralta { op: RaltaOp::Deallocate, protocol: protocol(family), tree_id: tree(family) }.into()
}

pub(super) fn read_tree(family: Family, ralta: &Ralta) -> Row {
    if (ralta.protocol, ralta.tree_id) != (protocol(family), tree(family)) {
        return Row::Foreign;
    }
    match ralta.op {
        RaltaOp::Allocate => Row::Holds(Entry::LpmTree { family }),
        _ => Row::Empty,
    }
}

pub(super) fn set_shape(family: Family) -> Register {
    shape(family).into()
}

fn shape(family: Family) -> Ralst {
    let longest: u8 = match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    let next = |bin| RalstBin { left_child_bin: bin - 1, right_child_bin: Ralst::NO_CHILD };
    let bins = (1..=longest).map(|bin| (bin, next(bin))).collect();
    Ralst { root_bin: longest, tree_id: tree(family), bins }
}

/// The default route alone.
pub(super) fn clear_shape(family: Family) -> Register {
    Ralst { root_bin: 0, tree_id: tree(family), bins: BTreeMap::new() }.into()
}

pub(super) fn read_shape(family: Family, ralst: &Ralst) -> Row {
    if ralst.tree_id == tree(family) && ralst.root_bin == 0 && ralst.bins.is_empty() {
        return Row::Empty;
    }
    Row::holds_if(*ralst == shape(family), Entry::LpmTreeShape { family })
}

pub(super) fn set_binding(vr: VrId, family: Family) -> Register {
    binding(vr, family, tree(family))
}

pub(super) fn clear_binding(vr: VrId, family: Family) -> Register {
    binding(vr, family, EMPTY_TREE)
}

fn binding(vr: VrId, family: Family, tree_id: u8) -> Register {
    Raltb { virtual_router: vr.0, protocol: protocol(family), tree_id }.into()
}

pub(super) fn read_binding(vr: VrId, family: Family, raltb: &Raltb) -> Row {
    if (raltb.virtual_router, raltb.protocol) != (vr.0, protocol(family)) {
        return Row::Foreign;
    }
    if raltb.tree_id == EMPTY_TREE {
        return Row::Empty;
    }
    Row::holds_if(raltb.tree_id == tree(family), Entry::VrTree { vr, family })
}

pub(super) fn set_route(vr: VrId, prefix: IpNet, action: RouteAction) -> Register {
    ralue(RalueOp::WRITE_WRITE, vr, prefix, action)
}

pub(super) fn clear_route(vr: VrId, prefix: IpNet, action: RouteAction) -> Register {
    ralue(RalueOp::WRITE_DELETE, vr, prefix, action)
}

pub(super) fn query_route(vr: VrId, prefix: IpNet) -> Register {
    ralue(RalueOp::QUERY_READ, vr, prefix, RouteAction::Ip2me)
}

fn ralue(op: RalueOp, vr: VrId, prefix: IpNet, action: RouteAction) -> Register {
    let action = match action {
        RouteAction::Ip2me => RalueAction::Ip2me { tunnel_ptr: None },
        // As the driver says routes whose packets only the CPU can deal with (`mlxsw_sp_fib_entry_op_local`).
        RouteAction::Trap(id) => local(TrapAction::Trap, id.0, 0),
        // `mlxsw_sp_fib_entry_op_blackhole`
        RouteAction::Discard => local(TrapAction::DiscardError, 0, 0),
        RouteAction::Local(rif) => local(TrapAction::Nop, 0, rif.0),
        RouteAction::Remote { first, size } => RalueAction::Remote {
            trap_action: TrapAction::Nop,
            trap_id: 0,
            adjacency_index: first.0,
            ecmp_size: size,
        },
    };
    Ralue::new(op, vr.0, prefix.addr(), prefix.prefix_len(), action).into()
}

const fn local(trap_action: TrapAction, trap_id: u16, local_erif: u16) -> RalueAction {
    RalueAction::Local { trap_action, trap_id, local_erif }
}

/// A query of a route that is not there is refused by the chip, so that an answer always is a route.
pub(super) fn read_route(vr: VrId, prefix: IpNet, ralue: &Ralue) -> Row {
    let key = (vr.0, prefix.addr(), prefix.prefix_len());
    // With host bits the same route would have many keys.
    if (ralue.virtual_router, ralue.dip, ralue.prefix_len) != key || prefix != prefix.trunc() {
        return Row::Foreign;
    }
    if ralue.op == RalueOp::WRITE_DELETE {
        return Row::Empty;
    }
    let action = match ralue.action {
        RalueAction::Ip2me { tunnel_ptr: None } => RouteAction::Ip2me,
        RalueAction::Local { trap_action: TrapAction::Trap, trap_id, .. } => {
            RouteAction::Trap(TrapId(trap_id))
        }
        RalueAction::Local { trap_action: TrapAction::DiscardError, .. } => RouteAction::Discard,
        RalueAction::Local { trap_action: TrapAction::Nop, local_erif, .. } => {
            RouteAction::Local(RifIndex(local_erif))
        }
        // A group of none leads nowhere.
        RalueAction::Remote {
            trap_action: TrapAction::Nop,
            adjacency_index,
            ecmp_size: size @ 1..,
            ..
        } => RouteAction::Remote { first: AdjacencyIndex(adjacency_index), size },
        _ => return Row::Foreign,
    };
    let route = matches!(ralue.entry_type, RalueEntry::Route | RalueEntry::MarkerAndRoute);
    Row::holds_if(route, Entry::Route { vr, prefix, action })
}
