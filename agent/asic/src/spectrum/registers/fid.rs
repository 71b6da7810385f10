//! SFMR, SVFA: FIDs, the router interface of a FID, and which frames belong to it.
//!
//! A FID and its router interface share one SFMR entry: adding the FID writes it without a router interface, adding the
//! router interface writes the same entry again with it. How a FID floods follows from its number:
//!
//! | FID | flood_rsp | bridge_type | fid_offset |
//! |---|---|---|---|
//! | 1..=4094, a VLAN | 0 | 0 | FID |
//! | 4095..=5118, a VLAN-unaware bridge | 0 | 1 | FID - 4095 |
//! | 5120.., a router sub-port | 1 | 0 | 0 |

use emad::Register;
use emad::register::{Sfmr, SfmrOp, Svfa, SvfaMapping};
use firsthop_model::LocalPort;
use firsthop_model::chip::{Bridging, Entry, Fid, FidFamily, RifIndex, Vid};

use super::Row;

/// Of a FID that is bridged: its family's flood tables, and its place in each of them.
pub(super) fn flood_offset(fid: Fid) -> Option<(Bridging, u16)> {
    match fid.family() {
        FidFamily::Dot1q => Some((Bridging::Dot1q, fid.0)),
        FidFamily::Dot1d => Some((Bridging::Dot1d, fid.0 - Fid::DOT1D.start())),
        FidFamily::Router => None,
    }
}

/// 0 is no FID; the driver's dummy FID between the families (5119) has no place in the flood tables.
pub(super) fn is_usable(fid: Fid) -> bool {
    match fid.family() {
        FidFamily::Dot1q => fid.0 > 0,
        FidFamily::Dot1d => Fid::DOT1D.contains(&fid.0),
        FidFamily::Router => true,
    }
}

pub(super) fn set(fid: Fid, rif: Option<RifIndex>) -> Register {
    let irif = rif.map_or(0, |rif| rif.0);
    Sfmr { irif_v: rif.is_some(), irif, ..plain(fid) }.into()
}

pub(super) fn clear(fid: Fid) -> Register {
    Sfmr { op: SfmrOp::Destroy, ..plain(fid) }.into()
}

pub(super) fn query(fid: Fid) -> Register {
    Sfmr { fid: fid.0, ..Sfmr::default() }.into()
}

fn plain(fid: Fid) -> Sfmr {
    let flooding = match flood_offset(fid) {
        Some((bridging, fid_offset)) => {
            Sfmr { bridge_type: bridging == Bridging::Dot1d, fid_offset, ..Sfmr::default() }
        }
        None => Sfmr { flood_rsp: true, ..Sfmr::default() },
    };
    Sfmr { fid: fid.0, ..flooding }
}

/// One that floods in another way is foreign; one that does not flood in any way is none.
pub(super) fn read(fid: Fid, sfmr: &Sfmr) -> Row {
    if sfmr.fid != fid.0 || !is_usable(fid) {
        return Row::Foreign;
    }
    let nothing = (false, false, 0);
    if sfmr.op == SfmrOp::Destroy || flooding(sfmr) == nothing {
        return Row::Empty;
    }
    Row::holds_if(flooding(sfmr) == flooding(&plain(fid)), Entry::Fid { fid })
}

pub(super) fn read_rif(fid: Fid, sfmr: &Sfmr) -> Row {
    match read(fid, sfmr) {
        Row::Holds(_) if sfmr.irif_v => Row::Holds(Entry::FidRif { fid, rif: RifIndex(sfmr.irif) }),
        Row::Foreign if sfmr.irif_v || sfmr.fid != fid.0 => Row::Foreign,
        _ => Row::Empty,
    }
}

const fn flooding(sfmr: &Sfmr) -> (bool, bool, u16) {
    (sfmr.flood_rsp, sfmr.bridge_type, sfmr.fid_offset)
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
    match mapping(svfa, key) {
        Ok(Some((fid, rif))) => Row::Holds(Entry::PortVidFid { port, vid, fid, rif }),
        Ok(None) => Row::Empty,
        Err(Mistaken) => Row::Foreign,
    }
}

pub(super) fn set_vid(vid: Vid, fid: Fid, rif: Option<RifIndex>) -> Register {
    Svfa::vid(vid.0, fid.0, rif.map(|rif| rif.0)).into()
}

pub(super) fn clear_vid(vid: Vid, fid: Fid) -> Register {
    Svfa { valid: false, ..Svfa::vid(vid.0, fid.0, None) }.into()
}

pub(super) fn query_vid(vid: Vid) -> Register {
    Svfa { mapping: SvfaMapping::VidToFid, vid: vid.0, ..Svfa::default() }.into()
}

pub(super) fn read_vid(vid: Vid, svfa: &Svfa) -> Row {
    match mapping(svfa, (SvfaMapping::VidToFid, 0, vid.0)) {
        Ok(Some((fid, rif))) => Row::Holds(Entry::VidFid { vid, fid, rif }),
        Ok(None) => Row::Empty,
        Err(Mistaken) => Row::Foreign,
    }
}

/// The register is that of another key.
struct Mistaken;

type Target = (Fid, Option<RifIndex>);

fn mapping(svfa: &Svfa, key: (SvfaMapping, u16, u16)) -> Result<Option<Target>, Mistaken> {
    if (svfa.mapping, svfa.local_port, svfa.vid) != key {
        return Err(Mistaken);
    }
    let rif = svfa.irif_v.then_some(RifIndex(svfa.irif));
    Ok(svfa.valid.then_some((Fid(svfa.fid), rif)))
}
