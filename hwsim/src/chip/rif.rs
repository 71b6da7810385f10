//! What is behind a router interface: the RIF table (RITR), the MAC profiles that it implies, and the VID
//! with which routed frames leave (REIV).
//!
//! ```text
//!   RIF 7 ─ RITR ─▶ enable, type, virtual router, MTU, MAC, VRRP ids
//!                     └ profile 2 ─▶ high bits of the MAC, shared by all enabled RIFs with profile 2
//! ```

use std::collections::BTreeMap;

use emad::Mac;
use emad::register::{Ritr, RitrType};

use super::keyed::Keyed;

/// All router interfaces that exist, as RITR last wrote them; disabled ones included.
#[derive(Debug, Clone)]
pub(crate) struct Rifs {
    rifs: Vec<Option<Ritr>>,
    count: usize,
    prefix_mask: u64,
}

impl Rifs {
    /// `size` indices, none in use; a MAC profile holds the `prefix_bits` high bits.
    #[must_use]
    pub(crate) fn new(size: u16, prefix_bits: u8) -> Self {
        let free_bits = 48_u32.saturating_sub(prefix_bits.into());
        Self {
            rifs: vec![None; usize::from(size)],
            count: 0,
            prefix_mask: (u64::MAX >> 16) & (u64::MAX << free_bits),
        }
    }

    /// How many indices there are.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.rifs.len()
    }

    /// How many are in use.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The router interface of that index, if it exists.
    #[must_use]
    pub(crate) fn get(&self, rif: u16) -> Option<&Ritr> {
        self.rifs.get(usize::from(rif))?.as_ref()
    }

    /// The router interface, if it exists and is enabled.
    #[must_use]
    pub(crate) fn enabled(&self, rif: u16) -> Option<&Ritr> {
        self.get(rif).filter(|ritr| ritr.enable)
    }

    /// Creates or changes one; an index beyond the table is ignored.
    pub(crate) fn write(&mut self, ritr: Ritr) {
        if let Some(slot) = self.rifs.get_mut(usize::from(ritr.rif)) {
            self.count += usize::from(slot.is_none());
            *slot = Some(ritr);
        }
    }

    /// Deletes one.
    pub(crate) fn remove(&mut self, rif: u16) {
        if let Some(slot) = self.rifs.get_mut(usize::from(rif)) {
            self.count -= usize::from(slot.take().is_some());
        }
    }

    /// Those that exist, by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ritr> {
        self.rifs.iter().flatten()
    }

    /// The high bits of a MAC that a profile holds.
    #[must_use]
    pub(crate) fn prefix(&self, mac: Mac) -> u64 {
        let [a, b, c, d, e, f] = mac.octets();
        u64::from_be_bytes([0, 0, a, b, c, d, e, f]) & self.prefix_mask
    }

    /// The profiles that enabled router interfaces other than `except` use, with their prefixes.
    #[must_use]
    pub(crate) fn profiles(&self, except: Option<u16>) -> BTreeMap<u8, u64> {
        self.iter()
            .filter(|ritr| ritr.enable && has_mac(ritr) && Some(ritr.rif) != except)
            .map(|ritr| (ritr.if_mac_profile_id, self.prefix(ritr.if_mac)))
            .collect()
    }
}

/// Does a router interface of this type have a MAC (loopbacks have none)?
#[must_use]
pub(crate) fn has_mac(ritr: &Ritr) -> bool {
    matches!(ritr.kind, RitrType::VlanIf { .. } | RitrType::FidIf { .. } | RitrType::SpIf { .. })
}

/// The FID that the register names for egress; `None` for loopbacks and where it names none (0).
#[must_use]
pub(crate) fn egress_fid(ritr: &Ritr) -> Option<u16> {
    match ritr.kind {
        RitrType::VlanIf { efid, .. } | RitrType::SpIf { efid, .. } => Some(efid),
        RitrType::FidIf { fid } => Some(fid),
        RitrType::Loopback { .. } | RitrType::Other { .. } => None,
    }
    .filter(|fid| *fid != 0)
}

/// {eRIF, egress port} → VID.
#[derive(Debug, Clone, Default)]
pub(crate) struct EgressVids(Keyed<(u16, u16), u16>);

impl EgressVids {
    /// The VID, 0 for untagged; `None` if it was never written.
    #[must_use]
    pub(crate) fn get(&self, erif: u16, port: u16) -> Option<u16> {
        self.0.get(&(erif, port)).copied()
    }

    /// Sets it.
    pub(crate) fn set(&mut self, erif: u16, port: u16, vid: u16) {
        self.0.insert((erif, port), vid);
    }
}
