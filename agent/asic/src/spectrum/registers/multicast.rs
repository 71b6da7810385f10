//! RMFT2: what happens to multicast that no route matches.
//!
//! One entry for each virtual router and family, that matches any group and source and traps. Firsthop has no other
//! multicast routes, so that the virtual router's number serves as the entry's place in the family's table.
//!
//! The action is a flexible action set, as ACL rules have it (`core_acl_flex_actions.c` of the driver):
//!
//! ```text
//!   0x00  action 1   0x00 type [29:24] = 3, trap or discard
//!                    0x04 trap action [27:24] = 2, to the CPU     forward action [3:0] = 3, discard
//!                    0x08 trap id
//!   0x20 … 0x80  four more, none
//!   0xA0  what comes after the set: type [31:28] = 1, go to
//!   0xA4  g [29] = 1, binding command [26:24] = 4, the end
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use emad::Register;
use emad::bits::{Bits, bit, bits};
use emad::register::{FlexActions, IrifMask, Rmft2, Rmft2Groups};
use firsthop_model::chip::{Entry, TrapId, VrId};
use firsthop_model::types::Family;

use super::Row;

const ACTION_TYPE: Bits = bits(0x00, 29, 24);
const ACTION_TYPE_TRAP: u32 = 3;
const TRAP_ACTION: Bits = bits(0x04, 27, 24);
const TRAP_ACTION_TRAP: u32 = 2;
const FORWARD_ACTION: Bits = bits(0x04, 3, 0);
const FORWARD_ACTION_DISCARD: u32 = 3;
const TRAP_ID: Bits = bits(0x08, 8, 0);
const SET_TYPE: Bits = bits(0xa0, 31, 28);
const SET_TYPE_GOTO: u32 = 1;
const GOTO_G: Bits = bit(0xa4, 29);
const GOTO_COMMAND: Bits = bits(0xa4, 26, 24);
const GOTO_COMMAND_END: u32 = 4;

pub(super) fn set(vr: VrId, family: Family, trap: TrapId) -> Register {
    let mut entry = Rmft2::new(vr.0, vr.0, any(family));
    entry.flexible_action_set = trap_set(trap);
    entry.into()
}

pub(super) fn clear(vr: VrId, family: Family, trap: TrapId) -> Register {
    let mut entry = Rmft2::new(vr.0, vr.0, any(family));
    entry.flexible_action_set = trap_set(trap);
    Rmft2 { v: false, ..entry }.into()
}

pub(super) fn read(vr: VrId, family: Family, rmft2: &Rmft2) -> Row {
    if (rmft2.virtual_router, rmft2.offset) != (vr.0, vr.0) {
        return Row::Foreign;
    }
    if !rmft2.v {
        return Row::Empty;
    }
    let trap = TrapId(u16::try_from(TRAP_ID.get(&*rmft2.flexible_action_set)).unwrap_or(u16::MAX));
    Row::holds_if(
        rmft2.groups == any(family)
            && rmft2.irif_mask == IrifMask::Ignore
            && rmft2.flexible_action_set == trap_set(trap),
        Entry::MulticastDefault { vr, family, trap },
    )
}

fn trap_set(trap: TrapId) -> FlexActions {
    let mut set = Box::new([0; 0xa8]);
    for (place, value) in [
        (ACTION_TYPE, ACTION_TYPE_TRAP),
        (TRAP_ACTION, TRAP_ACTION_TRAP),
        (FORWARD_ACTION, FORWARD_ACTION_DISCARD),
        (TRAP_ID, trap.0.into()),
        (SET_TYPE, SET_TYPE_GOTO),
        (GOTO_G, 1),
        (GOTO_COMMAND, GOTO_COMMAND_END),
    ] {
        place.put(&mut *set, value);
    }
    set
}

/// Any destination, any source.
const fn any(family: Family) -> Rmft2Groups {
    match family {
        Family::Ipv4 => {
            let zero = Ipv4Addr::UNSPECIFIED;
            Rmft2Groups::Ipv4 { dip: zero, dip_mask: zero, sip: zero, sip_mask: zero }
        }
        Family::Ipv6 => {
            let zero = Ipv6Addr::UNSPECIFIED;
            Rmft2Groups::Ipv6 { dip: zero, dip_mask: zero, sip: zero, sip_mask: zero }
        }
    }
}
