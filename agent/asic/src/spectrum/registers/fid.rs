//! SFMR, SVFA: router FIDs, the router interface of a FID, and which frames belong to it.
//!
//! A FID and its router interface share one SFMR entry: adding the FID writes it without a router interface, adding the
//! router interface writes the same entry again with it.

use emad::Register;
use emad::register::{Sfmr, SfmrOp, Svfa, SvfaMapping};
use firsthop_model::LocalPort;
use firsthop_model::chip::{Entry, Fid, RifIndex, Vid};

use super::Row;

/// `flood_rsp` makes it the FID of a router sub-port.
pub(super) fn set(fid: Fid, rif: Option<RifIndex>) -> Register {
    let irif = rif.map_or(0, |rif| rif.0);
    Sfmr { fid: fid.0, flood_rsp: true, irif_v: rif.is_some(), irif, ..Sfmr::default() }.into()
}

pub(super) fn clear(fid: Fid) -> Register {
    Sfmr { op: SfmrOp::Destroy, fid: fid.0, flood_rsp: true, ..Sfmr::default() }.into()
}

pub(super) fn query(fid: Fid) -> Register {
    Sfmr { fid: fid.0, ..Sfmr::default() }.into()
}

/// A FID that does not flood like a router sub-port is absent: no FID of Firsthop looks like that.
pub(super) fn read(fid: Fid, sfmr: &Sfmr) -> Row {
    if sfmr.fid != fid.0 {
        return Row::Foreign;
    }
    if exists(sfmr) { Row::Holds(Entry::Fid { fid }) } else { Row::Empty }
}

pub(super) fn read_rif(fid: Fid, sfmr: &Sfmr) -> Row {
    if sfmr.fid != fid.0 {
        return Row::Foreign;
    }
    if exists(sfmr) && sfmr.irif_v {
        Row::Holds(Entry::FidRif { fid, rif: RifIndex(sfmr.irif) })
    } else {
        Row::Empty
    }
}

fn exists(sfmr: &Sfmr) -> bool {
    sfmr.op != SfmrOp::Destroy && sfmr.flood_rsp
}

pub(super) fn set_port_vid(port: LocalPort, vid: Vid, fid: Fid, rif: Option<RifIndex>) -> Register {
    Svfa::port_vid(port.0, vid.0, fid.0, rif.map(|rif| rif.0)).into()
}

pub(super) fn clear_port_vid(port: LocalPort, vid: Vid, fid: Fid) -> Register {
    Svfa { valid: false, ..Svfa::port_vid(port.0, vid.0, fid.0, None) }.into()
}

pub(super) fn query_port_vid(port: LocalPort, vid: Vid) -> Register {
    let mapping = SvfaMapping::PortVidToFid;
    Svfa { mapping, local_port: port.0, vid: vid.0, ..Svfa::default() }.into()
}

pub(super) fn read_port_vid(port: LocalPort, vid: Vid, svfa: &Svfa) -> Row {
    let key = (SvfaMapping::PortVidToFid, port.0, vid.0);
    if (svfa.mapping, svfa.local_port, svfa.vid) != key {
        return Row::Foreign;
    }
    if !svfa.valid {
        return Row::Empty;
    }
    let rif = svfa.irif_v.then_some(RifIndex(svfa.irif));
    Row::Holds(Entry::PortVidFid { port, vid, fid: Fid(svfa.fid), rif })
}
