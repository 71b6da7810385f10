//! RATRAD: which adjacencies of a group were used since last asked?

use std::collections::BTreeSet;

use crate::bits::bits;
use crate::field::Array;
use crate::layout::{codes, register};

codes! {
    /// What the query does.
    pub enum RatradOp {
        /// Return the activity.
        Read = 0 "read_activity",
        /// Return the activity, and clear it.
        ReadClear = 1 "read_clear_activity",
    }
}

register! {
    /// Router Adjacency Table Activity Dump register.
    #[derive(Default)]
    pub struct Ratrad = (0x8022, 0x210, "ratrad") {
        /// What the query does.
        op: RatradOp = bits(0x00, 31, 30),
        /// How many adjacencies, one after the other, are asked for, 0..=8191.
        ecmp_size: u16 = bits(0x00, 12, 0),
        /// The first of them, 24 bits.
        adjacency_index: u32 = bits(0x04, 23, 0),
        /// Answers: those that were used, counted from the first, 0..=4095.
        activity: BTreeSet<u16> = Array { offset: 0x10, len: 0x200 },
    }
}

impl Ratrad {
    /// The most adjacencies of which one answer tells.
    pub const MOST: u16 = 4096;
}
