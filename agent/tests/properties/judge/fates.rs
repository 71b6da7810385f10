//! What becomes of frames: every port, every tag, every MAC, against what the oracle says.

use std::collections::{BTreeMap, BTreeSet};

use oracle::{Shape, Switch};

use super::MacBytes;
use crate::frames;
use crate::rig::Rig;
use crate::stories::{STRANGER, VIDS, macs_of_interest};
use crate::world::PORTS;

const EXTERNAL_ROUTE: u16 = 0x70;
const IPV4_LPM_MISS: u16 = 0x17b;
const BROADCAST: MacBytes = [0xff; 6];

/// By which port and with which tag a frame comes in.
pub(crate) type Way = (u16, Option<u16>);

/// What becomes of frames that come in by one way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct WayFate {
    /// The MACs whose frames are routed.
    pub(crate) routed: BTreeSet<MacBytes>,
    /// Router interfaces that route them, by the name of their place; none where it is nobody's.
    pub(crate) by: BTreeSet<Option<u32>>,
    /// Where a frame to a stranger goes: one of these ports, with this tag.
    pub(crate) copies: BTreeSet<(BTreeSet<u16>, Option<u16>)>,
}

/// By way.
pub(crate) type Fates = BTreeMap<Way, WayFate>;

/// A name for the place of a router interface: the ifindex of its device, or one made of the VLAN of the VLAN-aware bridge,
/// which one device takes over from another when the PVID moves.
pub(crate) fn place_name(ifindex: u32, vlan: Option<u16>) -> u32 {
    vlan.map_or(ifindex, |vid| 10_000 + u32::from(vid))
}

pub(crate) fn place_of(switch: &Switch, ifindex: u32) -> u32 {
    match switch.router_interfaces[&ifindex].shape {
        Shape::Subport { .. } | Shape::Fid { .. } => ifindex,
        Shape::Vlan { vid, .. } => place_name(ifindex, Some(vid)),
    }
}

/// Every way into the switch.
fn ways() -> impl Iterator<Item = Way> {
    let tags = [None].into_iter().chain(VIDS.map(Some));
    (1..=PORTS).flat_map(move |port| tags.clone().map(move |tag| (port, tag)))
}

/// What the oracle says. A frame to nobody's MAC is never routed.
pub(crate) fn wanted_fates(switch: &Switch) -> Fates {
    ways().map(|way| (way, wanted_fate(switch, way))).collect()
}

fn wanted_fate(switch: &Switch, (port, tag): Way) -> WayFate {
    let mut fate = WayFate::default();
    for mac in macs_of_interest() {
        if let Some(rif) = switch.fate(port, tag, mac).routed_by {
            fate.routed.insert(mac);
            fate.by.insert(Some(place_of(switch, rif)));
        }
    }
    let bridged = switch.fate(port, tag, STRANGER).bridged;
    let copies = bridged.into_iter().flat_map(|bridged| bridged.copies);
    fate.copies = copies.map(|copy| (copy.ports, copy.tag)).collect();
    fate
}

/// Some way leads into another bridging domain than before.
pub(crate) fn any_way_moves(before: &Switch, after: &Switch) -> bool {
    let domain = |switch: &Switch, (port, tag): Way| {
        let bridged = switch.fate(port, tag, STRANGER).bridged;
        bridged.map(|bridged| (bridged.bridge, bridged.vid))
    };
    ways().any(|way| {
        let (from, to) = (domain(before, way), domain(after, way));
        from.is_some() && to.is_some() && from != to
    })
}

/// The ways to the router interface of a device.
pub(super) fn ways_of(switch: &Switch, ifindex: u32) -> Vec<Way> {
    let mac = switch.router_interfaces[&ifindex].mac;
    ways().filter(|(port, tag)| switch.fate(*port, *tag, mac).routed_by == Some(ifindex)).collect()
}

/// What the chip does; each copy by the one port by which it leaves.
pub(crate) fn fates(rig: &mut Rig) -> Fates {
    fates_of(rig, &macs_of_interest())
}

pub(crate) fn fates_of(rig: &mut Rig, macs: &[MacBytes]) -> Fates {
    let mut fates = Fates::new();
    for way in ways() {
        let mut fate = WayFate::default();
        for mac in macs {
            let frame = frames::udp(*mac, frames::ip("203.0.113.77"));
            let trace = rig.trace(way, &frame);
            match &trace.punt {
                // In a virtual router without its default route too.
                Some(punt) if matches!(punt.trap_id, EXTERNAL_ROUTE | IPV4_LPM_MISS) => {
                    fate.routed.insert(*mac);
                    fate.by.insert(punt.rif.and_then(|rif| rig.place_of(rif)));
                }
                _ => {}
            }
            if *mac == STRANGER {
                let copies =
                    trace.wire.iter().map(|copy| (BTreeSet::from([copy.port.0]), copy.vid));
                fate.copies = copies.collect();
            }
        }
        fates.insert(way, fate);
    }
    fates
}

/// The chip does with every frame what the oracle says.
pub(crate) fn fates_agree(rig: &mut Rig, switch: &Switch) -> Result<(), String> {
    let wanted = wanted_fates(switch);
    for (way, fate) in fates(rig) {
        let wanted = &wanted[&way];
        let same = fate.routed == wanted.routed && fate.by == wanted.by;
        if !same || !covers(&wanted.copies, &fate.copies) {
            return Err(format!(
                "Frames by {way:?}: the chip does\n  {fate:x?}, the oracle says\n  {wanted:x?}"
            ));
        }
    }
    Ok(())
}

/// One copy for each that should be, and no other.
fn covers(
    wanted: &BTreeSet<(BTreeSet<u16>, Option<u16>)>,
    copies: &BTreeSet<(BTreeSet<u16>, Option<u16>)>,
) -> bool {
    let fits = |wanted: &(BTreeSet<u16>, Option<u16>), copy: &(BTreeSet<u16>, Option<u16>)| {
        copy.0.is_subset(&wanted.0) && copy.1 == wanted.1
    };
    wanted.len() == copies.len()
        && wanted.iter().all(|one| copies.iter().filter(|copy| fits(one, copy)).count() == 1)
}

/// Broadcasts reach the router and every other member.
pub(super) fn wired(rig: &mut Rig, switch: &Switch) -> Result<(), String> {
    for way in ways() {
        let wanted = switch.fate(way.0, way.1, BROADCAST);
        let wanted_by = wanted.routed_by.map(|rif| place_of(switch, rif));
        let trace = rig.trace(way, &frames::arp_request());
        let to_router = trace.punt.as_ref().is_some_and(|punt| punt.trap_id == super::ARP_REQUEST);
        let by = trace.punt.as_ref().and_then(|punt| punt.rif).and_then(|rif| rig.place_of(rif));
        let routed = to_router.then_some(by).flatten();
        let wanted_copies: BTreeSet<_> = wanted
            .bridged
            .iter()
            .flat_map(|b| &b.copies)
            .map(|copy| (copy.ports.clone(), copy.tag))
            .collect();
        let copies =
            trace.wire.iter().map(|copy| (BTreeSet::from([copy.port.0]), copy.vid)).collect();
        if routed != wanted_by || !covers(&wanted_copies, &copies) {
            return Err(format!(
                "A broadcast by {way:?}: router {routed:?} and {copies:?}; the oracle says {wanted:?}"
            ));
        }
    }
    Ok(())
}
