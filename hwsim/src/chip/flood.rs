//! To which ports goes a frame that nobody has asked for in particular? Flood tables (SFGC) and port
//! vectors (SMID2).
//!
//! ```text
//!   kind of frame, bridge type of the FID ──SFGC──▶ first multicast id + offset of the FID (SFMR)
//!                                                    └──SMID2──▶ ports; N + 1 is the router
//! ```

use std::collections::{BTreeMap, BTreeSet};

use emad::register::{BridgeType, FloodType, Sfgc, Sfmr};

/// Flood tables and port vectors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flood {
    tables: BTreeMap<(FloodType, BridgeType), Sfgc>,
    vectors: BTreeMap<u16, BTreeSet<u16>>,
}

impl Flood {
    /// The flood table for a kind of frame.
    #[must_use]
    pub(crate) fn table(&self, kind: FloodType, bridge_type: BridgeType) -> Option<&Sfgc> {
        self.tables.get(&(kind, bridge_type))
    }

    /// Sets a flood table.
    pub(crate) fn set_table(&mut self, sfgc: Sfgc) {
        self.tables.insert((sfgc.kind, sfgc.bridge_type), sfgc);
    }

    /// The ports of a multicast id, `None` if it has none.
    #[must_use]
    pub(crate) fn ports(&self, mid: u16) -> Option<&BTreeSet<u16>> {
        self.vectors.get(&mid)
    }

    /// Sets the membership of the ports in `mask`: those in `members` join, the others leave.
    pub(crate) fn update(&mut self, mid: u16, members: &BTreeSet<u16>, mask: &BTreeSet<u16>) {
        let vector = self.vectors.entry(mid).or_default();
        for port in mask {
            if members.contains(port) {
                vector.insert(*port);
            } else {
                vector.remove(port);
            }
        }
        if vector.is_empty() {
            self.vectors.remove(&mid);
        }
    }

    /// The multicast id by which a FID floods this kind of frame; `None` without a flood table.
    #[must_use]
    pub(crate) fn mid(&self, fid: &Sfmr, kind: FloodType) -> Option<u16> {
        let bridge_type = BridgeType::from_code(fid.bridge_type.into());
        self.table(kind, bridge_type)?.mid_base.checked_add(fid.fid_offset)
    }
}
