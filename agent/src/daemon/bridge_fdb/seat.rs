//! Where do things of the chip stand in the kernel's bridges: a FID with a port or LAG, and the MACs of router interfaces?
//!
//! ```text
//!   FID 1..4094:      the VLAN-aware bridge that has that VLAN    port, LAG ─▶ the member
//!   FID 4095..5118:   the bridge that has it                      port, LAG ─▶ the member, or the VLAN device of it that is one
//! ```

use std::collections::BTreeSet;

use firsthop_model::chip::{Fid, FidFamily, Key, PortOrLag, Vid};
use firsthop_model::intent::{Domain, LinuxBridges, Place};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::{Link, LinkKind, Topology};
use firsthop_model::{IfIndex, Mac};

use super::mirror::Seat;
use super::row::Row;

/// The bridges that the chip bridges for.
pub(super) fn offloaded(reconciler: &Reconciler) -> impl Iterator<Item = IfIndex> {
    let bridges = reconciler.bridges().iter();
    bridges.filter(|(_, bridging)| !bridging.domains.is_empty()).map(|(ifindex, _)| *ifindex)
}

/// The bridge member behind which the chip sees something in a FID.
pub(super) fn seat(reconciler: &Reconciler, fid: Fid, at: PortOrLag) -> Option<Seat> {
    let (bridge, vlan) = match fid.family() {
        FidFamily::Dot1q => {
            let domain = Some(Vid(fid.0));
            let mut aware = reconciler.bridges().iter();
            let (bridge, _) = aware.find(|(_, bridging)| bridging.domains.contains_key(&domain))?;
            (*bridge, Some(fid.0))
        }
        FidFamily::Dot1d => {
            let has = |bridge: &IfIndex| reconciler.allocation().fid(*bridge) == Some(fid);
            (offloaded(reconciler).find(has)?, None)
        }
        FidFamily::Router => return None,
    };
    let topology = reconciler.topology();
    let mut members = topology.members(bridge).filter(|member| {
        is_seated(reconciler, bridge, member.ifindex) && stands_at(reconciler, member, at)
    });
    members.next().map(|member| Seat { bridge, vlan, member: member.ifindex })
}

/// The chip bridges for this member.
pub(super) fn is_seated(reconciler: &Reconciler, bridge: IfIndex, member: IfIndex) -> bool {
    let verdict = reconciler.bridges().get(&bridge).and_then(|b| b.verdicts.get(&member));
    verdict.is_some_and(|verdict| verdict.admits())
}

/// A member is this port or LAG, or a VLAN device of it.
fn stands_at(reconciler: &Reconciler, member: &Link, at: PortOrLag) -> bool {
    let lower = match member.kind {
        LinkKind::Vlan { .. } => member.lower().and_then(|lower| reconciler.topology().link(lower)),
        _ => None,
    };
    let base = lower.unwrap_or(member);
    match at {
        PortOrLag::Port(port) => reconciler.chip().port_of(base) == Some(port),
        PortOrLag::Lag(lag) => reconciler.allocation().lag(base.ifindex) == Some(lag),
    }
}

/// The rows that bridges of Linux's own should have, and may get.
pub(super) fn own_bridges(reconciler: &Reconciler) -> BTreeSet<Row> {
    if reconciler.policy().linux_bridges != LinuxBridges::Written {
        return BTreeSet::new();
    }
    let topology = reconciler.topology();
    let mut rows = BTreeSet::new();
    for macs in reconciler.units().filter_map(|(_, unit)| unit.bridge_macs.as_ref()) {
        let own = own_macs(topology, macs.domain.bridge);
        let Domain { bridge, vlan } = macs.domain;
        let row = |mac: &Mac| Row { bridge, vlan: vlan.map(|vid| vid.0), mac: *mac };
        rows.extend(macs.macs.difference(&own).map(row));
    }
    rows
}

/// The rows of macvlans' MACs that the chip routes for on bridges. `programmed` has the last word; it is told whether the chip
/// acknowledged the MAC.
pub(super) fn router_macs(
    reconciler: &Reconciler,
    programmed: impl Fn(Row, bool) -> bool,
) -> BTreeSet<Row> {
    let topology = reconciler.topology();
    let mut rows = BTreeSet::new();
    if reconciler.bridges().is_empty() {
        return rows;
    }
    for interface in reconciler.units().filter_map(|(_, unit)| unit.router_interface.as_ref()) {
        let Place::Domain(domain) = &interface.place else { continue };
        let fid = match domain.vlan {
            Some(vid) => Some(Fid::of_vlan(vid)),
            None => reconciler.allocation().fid(domain.bridge),
        };
        let vlan = domain.vlan.map(|vid| vid.0);
        // the kernel takes no entry in a VLAN that the bridge itself is not in, and delivers nothing from there
        let has_vlan = |vid| topology.vlans(domain.bridge).any(|(own, _)| own == vid);
        if !vlan.is_none_or(has_vlan) {
            continue;
        }
        let own = own_macs(topology, domain.bridge);
        for (mac, owners) in &interface.router_macs {
            let row = Row { bridge: domain.bridge, vlan, mac: *mac };
            let of_macvlan = owners.iter().any(|owner| *owner != interface.ifindex);
            let acknowledged = fid
                .is_some_and(|fid| reconciler.applied().get(&Key::RouterMac(fid, *mac)).is_some());
            if of_macvlan && !own.contains(mac) && programmed(row, acknowledged) {
                rows.insert(row);
            }
        }
    }
    rows
}

/// The MACs of a bridge and its members: the kernel itself has them as local ones.
pub(super) fn own_macs(topology: &Topology, bridge: IfIndex) -> BTreeSet<Mac> {
    let members = topology.members(bridge).filter_map(|member| member.mac);
    members.chain(topology.link(bridge).and_then(|link| link.mac)).collect()
}

pub(super) const fn is_bridge(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Bridge { .. })
}
