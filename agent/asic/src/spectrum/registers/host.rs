//! RAUHT: the MACs of hosts on router interfaces, for routes that lead to a link instead of a gateway. RAUHTD: which were used.

use std::net::IpAddr;

use emad::Register;
use emad::register::{Rauht, RauhtOp, Rauhtd, RauhtdRecord, TrapAction};
use firsthop_model::Mac;
use firsthop_model::chip::{Entry, RifIndex};

use super::Row;

/// An addition replaces what is there.
pub(super) fn set(rif: RifIndex, ip: IpAddr, mac: Mac) -> Register {
    rauht(RauhtOp::WRITE_ADD, rif, ip, mac)
}

pub(super) fn clear(rif: RifIndex, ip: IpAddr, mac: Mac) -> Register {
    rauht(RauhtOp::WRITE_DELETE, rif, ip, mac)
}

pub(super) fn query(rif: RifIndex, ip: IpAddr) -> Register {
    rauht(RauhtOp::QUERY_READ, rif, ip, Mac::default())
}

fn rauht(op: RauhtOp, rif: RifIndex, ip: IpAddr, mac: Mac) -> Register {
    Rauht::new(op, rif.0, emad::Mac(mac.0), ip).into()
}

/// A query of a host that is not there is refused by the chip, so that an answer always is a host.
pub(super) fn read(rif: RifIndex, ip: IpAddr, rauht: &Rauht) -> Row {
    if (rauht.rif, rauht.dip) != (rif.0, ip) {
        return Row::Foreign;
    }
    if rauht.op == RauhtOp::WRITE_DELETE {
        return Row::Empty;
    }
    let neighbour = Entry::Neighbour { rif, ip, mac: Mac(rauht.mac.0) };
    Row::holds_if(rauht.trap_action == TrapAction::Nop, neighbour)
}

/// The hosts of an answer, and whether there may be more: it is full (`mlxsw_sp_router_rauhtd_is_full`).
pub(super) fn active(rauhtd: &Rauhtd) -> (Vec<(RifIndex, IpAddr)>, bool) {
    let hosts = rauhtd.records.iter().flat_map(|record| match record {
        RauhtdRecord::Ipv4(entries) => {
            entries.iter().map(|entry| (RifIndex(entry.rif), entry.dip.into())).collect()
        }
        RauhtdRecord::Ipv6(entry) => vec![(RifIndex(entry.rif), entry.dip.into())],
    });
    (hosts.collect(), rauhtd.records.len() >= Rauhtd::MAX_RECORDS)
}
