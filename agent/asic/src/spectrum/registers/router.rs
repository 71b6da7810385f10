//! RGCR, RITR, REIV: the router, its interfaces, and the tags with which their packets leave.

use emad::register::{Reiv, Rgcr, Ritr, RitrCounter, RitrOp, RitrType};
use emad::{Mac, Register};
use firsthop_model::chip::{
    Entry, Fid, LagId, MacProfile, PortOrLag, Rif, RifIndex, RifKind, Vid, VrId,
};
use firsthop_model::{LocalPort, Vrid};

use super::{Dialect, Row};

pub(super) fn set_router(max_rifs: u16) -> Register {
    Rgcr { ipv4_en: true, ipv6_en: true, max_router_interfaces: max_rifs, ..Rgcr::default() }.into()
}

pub(super) fn clear_router() -> Register {
    Rgcr::default().into()
}

pub(super) fn query_router() -> Register {
    Rgcr::default().into()
}

pub(super) fn read_router(rgcr: &Rgcr) -> Row {
    match (rgcr.ipv4_en, rgcr.ipv6_en) {
        (true, true) => Row::Holds(Entry::Router { max_rifs: rgcr.max_router_interfaces }),
        (false, false) => Row::Empty,
        _ => Row::Foreign,
    }
}

/// All enables are set but `enable`, as the driver does (`mlxsw_reg_ritr_pack`).
pub(super) fn set_rif(rif: &Rif, dialect: &Dialect) -> Ritr {
    Ritr {
        enable: rif.enabled,
        rif: rif.rif.0,
        virtual_router: rif.vr.0,
        mtu: rif.mtu,
        if_mac: Mac(rif.mac.0),
        if_mac_profile_id: rif.mac_profile.0,
        if_vrrp_id_ipv4: rif.vrrp_ipv4.map_or(0, Vrid::get),
        if_vrrp_id_ipv6: rif.vrrp_ipv6.map_or(0, Vrid::get),
        kind: set_kind(rif.kind, dialect),
        ..Ritr::default()
    }
}

fn set_kind(kind: RifKind, dialect: &Dialect) -> RitrType {
    match kind {
        // System ports are numbered like local ports. The VID comes from REIV.
        RifKind::Subport { at, fid } => {
            let (lag, system_port) = match at {
                PortOrLag::Port(LocalPort(port)) => (false, port),
                PortOrLag::Lag(LagId(lag)) => (true, lag),
            };
            RitrType::SpIf { lag, system_port, efid: fid.0, vid: 0 }
        }
        RifKind::Vlan { vid, fid } => {
            let efid = if dialect.vlan_rif_has_efid { fid.0 } else { 0 };
            RitrType::VlanIf { vlan_id: vid.0, efid }
        }
        RifKind::Fid { fid } => RitrType::FidIf { fid: fid.0 },
    }
}

/// None for a kind that is not ours.
const fn read_kind(kind: &RitrType, dialect: &Dialect) -> Option<RifKind> {
    Some(match *kind {
        RitrType::SpIf { lag, system_port, efid, vid: 0 } => {
            let at = if lag {
                PortOrLag::Lag(LagId(system_port))
            } else {
                PortOrLag::Port(LocalPort(system_port))
            };
            RifKind::Subport { at, fid: Fid(efid) }
        }
        RitrType::VlanIf { vlan_id, efid } => {
            let vid = Vid(vlan_id);
            let fid = if dialect.vlan_rif_has_efid { Fid(efid) } else { Fid::of_vlan(vid) };
            RifKind::Vlan { vid, fid }
        }
        RitrType::FidIf { fid } => RifKind::Fid { fid: Fid(fid) },
        _ => return None,
    })
}

pub(super) fn clear_rif(rif: &Rif, dialect: &Dialect) -> Register {
    set_rif(rif, dialect).removal().into()
}

pub(super) fn query_rif(rif: RifIndex) -> Register {
    Ritr::query(rif.0).into()
}

pub(super) fn read_rif(index: RifIndex, ritr: &Ritr, dialect: &Dialect) -> Row {
    if ritr.rif != index.0 {
        return Row::Foreign;
    }
    // A disabled interface keeps its other fields; those of a free index are zero.
    if ritr.op == RitrOp::Delete || *ritr == Ritr::query(index.0) {
        return Row::Empty;
    }
    let Some(kind) = read_kind(&ritr.kind, dialect) else { return Row::Foreign };
    let rif = Rif {
        rif: index,
        enabled: ritr.enable,
        kind,
        vr: VrId(ritr.virtual_router),
        mtu: ritr.mtu,
        mac: firsthop_model::Mac(ritr.if_mac.0),
        mac_profile: MacProfile(ritr.if_mac_profile_id),
        vrrp_ipv4: Vrid::try_from(ritr.if_vrrp_id_ipv4).ok(),
        vrrp_ipv6: Vrid::try_from(ritr.if_vrrp_id_ipv6).ok(),
    };
    // Counters are somebody else's business; an enable that is missing is not.
    let counter = RitrCounter::default();
    let rest = Ritr { ingress_counter: counter, egress_counter: counter, ..ritr.clone() };
    let says_the_same = rest == set_rif(&rif, dialect);
    Row::holds_if(says_the_same, Entry::Rif(rif))
}

pub(super) fn set_egress_vid(rif: RifIndex, port: LocalPort, vid: Vid) -> Register {
    Reiv::port(rif.0, port.0, vid.0).into()
}

/// Untagged, as at power-on.
pub(super) fn clear_egress_vid(rif: RifIndex, port: LocalPort) -> Register {
    set_egress_vid(rif, port, Vid(0))
}

pub(super) fn query_egress_vid(rif: RifIndex, port: LocalPort) -> Register {
    let [port_page, _] = port.0.to_be_bytes();
    Reiv { port_page, erif: rif.0, ..Reiv::default() }.into()
}

/// Every record has a value, if only "untagged", so that the row is never empty.
pub(super) fn read_egress_vid(rif: RifIndex, port: LocalPort, reiv: &Reiv) -> Row {
    let [page, slot] = port.0.to_be_bytes();
    let vid = Vid(reiv.records.get(&slot).map_or(0, |record| record.evid));
    Row::holds_if((reiv.port_page, reiv.erif) == (page, rif.0), Entry::EgressVid { rif, port, vid })
}
