//! RALTA, RALST, RALTB: by which search tree does a virtual router find the longest prefix?
//!
//! RALTA allocates a tree, RALST says in which order it tries prefix lengths ("bins"), RALTB binds it to a virtual
//! router and family.
//!
//! ```text
//!          bin 24            root_bin 24, bins { 24: (16, none), 16: (8, none) }
//!         ╱                  the driver uses left chains only
//!      bin 16
//!     ╱
//!  bin 8
//! ```

use std::collections::BTreeMap;

use crate::bits::{Bits, bits};
use crate::field::{read, write};
use crate::layout::{DecodeError, Layout, codes, register};
use crate::register::Protocol;

codes! {
    /// What a write does.
    pub enum RaltaOp {
        /// Allocate the tree.
        Allocate = 0 "allocate",
        /// Free it.
        Deallocate = 1 "deallocate",
    }
}

register! {
    /// Router Algorithmic LPM Tree Allocation.
    #[derive(Default)]
    pub struct Ralta = (0x8010, 0x04, "ralta") {
        /// What a write does.
        op: RaltaOp = bits(0x00, 29, 28),
        /// Address family.
        protocol: Protocol = bits(0x00, 27, 24),
        /// The tree.
        tree_id: u8 = bits(0x00, 7, 0),
    }
}

register! {
    /// Router Algorithmic LPM Tree Binding.
    #[derive(Default)]
    pub struct Raltb = (0x8012, 0x04, "raltb") {
        /// The virtual router.
        virtual_router: u16 = bits(0x00, 31, 16),
        /// Address family.
        protocol: Protocol = bits(0x00, 15, 12),
        /// The tree.
        tree_id: u8 = bits(0x00, 7, 0),
    }
}

/// The children of a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RalstBin {
    /// Bin tried next after a miss; [`Ralst::NO_CHILD`] for none.
    pub left_child_bin: u8,
    /// Bin tried next after a hit; [`Ralst::NO_CHILD`] for none.
    pub right_child_bin: u8,
}

/// Router Algorithmic LPM Structure Tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ralst {
    /// Prefix length that is tried first.
    pub root_bin: u8,
    /// The tree.
    pub tree_id: u8,
    /// Children by bin, 1..=128. Bins without children are left out.
    pub bins: BTreeMap<u8, RalstBin>,
}

const ROOT_BIN: Bits = bits(0x00, 23, 16);
const TREE_ID: Bits = bits(0x00, 7, 0);
const BINS: usize = 0x04;

impl Ralst {
    /// In place of a child: there is none.
    pub const NO_CHILD: u8 = 0xff;
}

impl RalstBin {
    const CHILDLESS: Self =
        Self { left_child_bin: Ralst::NO_CHILD, right_child_bin: Ralst::NO_CHILD };
}

impl Layout for Ralst {
    const ID: u16 = 0x8011;
    const LEN: usize = 0x104;
    const NAME: &'static str = "ralst";

    fn write(&self, payload: &mut [u8]) {
        write(&self.root_bin, payload, ROOT_BIN);
        write(&self.tree_id, payload, TREE_ID);
        let (slots, _) = payload.get_mut(BINS..).unwrap_or_default().as_chunks_mut::<2>();
        for (bin, slot) in (1..).zip(slots) {
            let children = self.bins.get(&bin).unwrap_or(&RalstBin::CHILDLESS);
            *slot = [children.left_child_bin, children.right_child_bin];
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let (slots, _) = payload.get(BINS..).unwrap_or_default().as_chunks::<2>();
        let bins = (1..=128).zip(slots).map(|(bin, &[left_child_bin, right_child_bin])| {
            (bin, RalstBin { left_child_bin, right_child_bin })
        });
        Ok(Self {
            root_bin: read(payload, ROOT_BIN),
            tree_id: read(payload, TREE_ID),
            bins: bins.filter(|(_, children)| *children != RalstBin::CHILDLESS).collect(),
        })
    }
}
