//! RATR, RECR2: next hops, and by which fields of a packet one of several is taken.
//!
//! ```text
//!   route ─▶ first adjacency, how many ──hash of the packet──▶ adjacency ─▶ router interface, MAC
//!                                            RECR2               RATR
//! ```

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use emad::Register;
use emad::register::{Ratr, RatrOp, RatrType, Recr2, TrapAction};
use firsthop_model::Mac;
use firsthop_model::chip::{AdjacencyIndex, Entry, RifIndex};

use super::Row;

/// `RTR_EGRESS0`: the next hop's MAC is not known. The register has two codes for its trap ids, of which this is 0; the driver
/// writes the number of the packet class (`__mlxsw_sp_nexthop_eth_update`), and that works.
const UNRESOLVED: u8 = 0x80;
/// The same by the register's own code, as it may be read.
const UNRESOLVED_CODE: u8 = 0;

/// Where the hash starts: any number will do. It is the same on every chip and after every restart, so that a flow keeps its
/// next hop.
const SEED: u32 = 0x4669_7273;

const HEADERS: [u8; 6] = [
    Recr2::IPV4,
    Recr2::IPV4_TCP_UDP,
    Recr2::IPV6,
    Recr2::IPV6_TCP_UDP,
    Recr2::PORTS_IPV4,
    Recr2::PORTS_IPV6,
];

/// As the driver does for `fib_multipath_hash_policy` 1 (`mlxsw_sp_mp4_hash_init`, `mlxsw_sp_mp6_hash_init`).
const FIELDS: [RangeInclusive<u8>; 10] = [
    Recr2::IPV4_SIP..=Recr2::IPV4_SIP + 3,
    Recr2::IPV4_DIP..=Recr2::IPV4_DIP + 3,
    Recr2::IPV4_PROTOCOL..=Recr2::IPV4_PROTOCOL,
    Recr2::IPV6_SIP0_7..=Recr2::IPV6_SIP0_7,
    Recr2::IPV6_SIP8..=Recr2::IPV6_SIP8 + 7,
    Recr2::IPV6_DIP0_7..=Recr2::IPV6_DIP0_7,
    Recr2::IPV6_DIP8..=Recr2::IPV6_DIP8 + 7,
    Recr2::IPV6_NEXT_HEADER..=Recr2::IPV6_NEXT_HEADER,
    Recr2::SPORT..=Recr2::SPORT,
    Recr2::DPORT..=Recr2::DPORT,
];

pub(super) fn set_multipath() -> Register {
    multipath().into()
}

fn multipath() -> Recr2 {
    Recr2 {
        seed: SEED,
        outer_header_enables: BTreeSet::from(HEADERS),
        outer_fields: FIELDS.into_iter().flatten().collect(),
        ..Recr2::default()
    }
}

/// No field counts.
pub(super) fn clear_multipath() -> Register {
    Recr2::default().into()
}

pub(super) fn read_multipath(recr2: &Recr2) -> Row {
    if *recr2 == Recr2::default() {
        return Row::Empty;
    }
    Row::holds_if(*recr2 == multipath(), Entry::Multipath)
}

pub(super) fn set(index: AdjacencyIndex, rif: RifIndex, mac: Option<Mac>) -> Register {
    let (trap_action, trap_id) =
        if mac.is_some() { (TrapAction::Nop, 0) } else { (TrapAction::Trap, UNRESOLVED) };
    Ratr {
        v: true,
        kind: RatrType::Ethernet,
        egress_router_interface: rif.0,
        trap_action,
        trap_id,
        eth_destination_mac: emad::Mac(mac.unwrap_or_default().0),
        ..ratr(RatrOp::WRITE_WRITE_ENTRY, index)
    }
    .into()
}

pub(super) fn clear(index: AdjacencyIndex) -> Register {
    ratr(RatrOp::WRITE_WRITE_ENTRY, index).into()
}

/// Leaves the activity as it is.
pub(super) fn query(index: AdjacencyIndex) -> Register {
    ratr(RatrOp::QUERY_READ, index).into()
}

fn ratr(op: RatrOp, index: AdjacencyIndex) -> Ratr {
    Ratr { op, adjacency_index: index.0, ..Ratr::default() }
}

/// Whether it is used, and how often, is no part of it.
pub(super) fn read(index: AdjacencyIndex, ratr: &Ratr) -> Row {
    if ratr.adjacency_index != index.0 {
        return Row::Foreign;
    }
    if !ratr.v {
        return Row::Empty;
    }
    let mac = match (ratr.trap_action, ratr.trap_id) {
        (TrapAction::Nop, _) => Some(Mac(ratr.eth_destination_mac.0)),
        // Its MAC has no meaning.
        (TrapAction::Trap, UNRESOLVED | UNRESOLVED_CODE) => None,
        _ => return Row::Foreign,
    };
    let rif = RifIndex(ratr.egress_router_interface);
    Row::holds_if(ratr.kind == RatrType::Ethernet, Entry::Adjacency { index, rif, mac })
}
