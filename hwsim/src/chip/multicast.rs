//! What happens to a multicast packet in a virtual router? The entries of RMFT2, of which the chip knows the
//! trap action alone: forwarding to several interfaces is not modelled.
//!
//! The action set is that of the driver's flexible actions (`core_acl_flex_actions.c`): five actions of 32
//! bytes, type in bits 29..24 of the first word; type 3 is trap/discard: trap action in bits 27..24 and
//! forward action in bits 3..0 of the second word, trap id in bits 8..0 of the third.

use std::collections::BTreeMap;
use std::net::IpAddr;

use emad::bits::{Bits, bits};
use emad::register::{IrifMask, Rmft2, Rmft2Groups};

use super::route::Family;

const ACTION_LEN: usize = 0x20;
const ACTIONS: usize = 5;
const ACTION_TYPE: Bits = bits(0x00, 29, 24);
const TRAP_DISCARD: u32 = 3;
const TRAP_ACTION: Bits = bits(0x04, 27, 24);
const TRAP: u32 = 2;
const TRAP_ID: Bits = bits(0x08, 8, 0);

/// The multicast routes of both families, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub(crate) struct MulticastRoutes(BTreeMap<(Family, u16), Rmft2>);

impl MulticastRoutes {
    /// Is there one in the virtual router?
    #[must_use]
    pub(crate) fn in_use(&self, vr: u16) -> bool {
        self.0.values().any(|entry| entry.virtual_router == vr)
    }

    /// The entry at that place.
    #[must_use]
    pub(crate) fn get(&self, family: Family, offset: u16) -> Option<&Rmft2> {
        self.0.get(&(family, offset))
    }

    /// Sets an entry.
    pub(crate) fn write(&mut self, entry: Rmft2) {
        self.0.insert((family(&entry), entry.offset), entry);
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, family: Family, offset: u16) {
        self.0.remove(&(family, offset));
    }

    /// The first entry that matches.
    #[must_use]
    pub(crate) fn lookup(
        &self,
        vr: u16,
        irif: u16,
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<&Rmft2> {
        let family = Family::from(destination);
        self.0.range((family, 0)..=(family, u16::MAX)).map(|(_, entry)| entry).find(|entry| {
            entry.virtual_router == vr
                && (entry.irif_mask != IrifMask::Compare || entry.irif == irif)
                && matches(&entry.groups, source, destination)
        })
    }
}

/// The family of an entry.
#[must_use]
pub(crate) fn family(entry: &Rmft2) -> Family {
    match entry.groups {
        Rmft2Groups::Ipv4 { .. } => Family::Ipv4,
        Rmft2Groups::Ipv6 { .. } => Family::Ipv6,
    }
}

/// The trap id under which the entry sends packets to the CPU, if it does.
#[must_use]
pub(crate) fn trap_id(entry: &Rmft2) -> Option<u16> {
    let set = entry.flexible_action_set.as_slice();
    set.chunks_exact(ACTION_LEN)
        .take(ACTIONS)
        .find(|action| ACTION_TYPE.get(action) == TRAP_DISCARD && TRAP_ACTION.get(action) == TRAP)
        .and_then(|action| u16::try_from(TRAP_ID.get(action)).ok())
}

fn matches(groups: &Rmft2Groups, source: IpAddr, destination: IpAddr) -> bool {
    match (groups, source, destination) {
        (Rmft2Groups::Ipv4 { dip, dip_mask, sip, sip_mask }, IpAddr::V4(s), IpAddr::V4(d)) => {
            d & dip_mask == dip & dip_mask && s & sip_mask == sip & sip_mask
        }
        (Rmft2Groups::Ipv6 { dip, dip_mask, sip, sip_mask }, IpAddr::V6(s), IpAddr::V6(d)) => {
            d & dip_mask == dip & dip_mask && s & sip_mask == sip & sip_mask
        }
        _ => false,
    }
}
