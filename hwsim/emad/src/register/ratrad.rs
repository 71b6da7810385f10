//! RATRAD: which adjacencies of a group were used since last asked?

use std::collections::BTreeSet;

use crate::bits::{Bits, bits, element};
use crate::field::{read, write};
use crate::layout::{DecodeError, Layout, codes};

codes! {
    /// What the query does.
    pub enum RatradOp {
        /// Return the activity.
        Read = 0 "read_activity",
        /// Return the activity, and clear it.
        ReadClear = 1 "read_clear_activity",
    }
}

/// Router Adjacency Table Activity Dump register.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ratrad {
    /// What the query does.
    pub op: RatradOp,
    /// How many adjacencies, one after the other, are asked for, 0..=8191.
    pub ecmp_size: u16,
    /// The first of them, 24 bits.
    pub adjacency_index: u32,
    /// Answers: those that were used, counted from the first, 0..=4095.
    pub activity: BTreeSet<u16>,
}

const OP: Bits = bits(0x00, 31, 30);
const ECMP_SIZE: Bits = bits(0x00, 12, 0);
const ADJACENCY_INDEX: Bits = bits(0x04, 23, 0);
const ACTIVITY: usize = 0x10;
const ACTIVITY_LEN: usize = 0x200;

impl Ratrad {
    /// The most adjacencies of which one answer tells.
    pub const MOST: u16 = 4096;
}

impl Layout for Ratrad {
    const ID: u16 = 0x8022;
    const LEN: usize = 0x210;
    const NAME: &'static str = "ratrad";

    fn write(&self, payload: &mut [u8]) {
        write(&self.op, payload, OP);
        write(&self.ecmp_size, payload, ECMP_SIZE);
        write(&self.adjacency_index, payload, ADJACENCY_INDEX);
        for index in &self.activity {
            if let Some(place) = element(ACTIVITY, ACTIVITY_LEN, 1, usize::from(*index)) {
                place.put(payload, 1);
            }
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let active = |index: &u16| {
            element(ACTIVITY, ACTIVITY_LEN, 1, usize::from(*index))
                .is_some_and(|place| place.get(payload) == 1)
        };
        Ok(Self {
            op: read(payload, OP),
            ecmp_size: read(payload, ECMP_SIZE),
            adjacency_index: read(payload, ADJACENCY_INDEX),
            activity: (0..Self::MOST).filter(active).collect(),
        })
    }
}
