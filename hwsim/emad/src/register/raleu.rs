//! RALEU: which routes of a virtual router move from one group of adjacencies to another, all at once?

use crate::bits::bits;
use crate::layout::register;
use crate::register::Protocol;

register! {
    /// Router Algorithmic LPM ECMP Update register: every remote route of a virtual router and family that has the one group
    /// gets the other.
    #[derive(Default)]
    pub struct Raleu = (0x8015, 0x28, "raleu") {
        /// The family of the routes.
        protocol: Protocol = bits(0x00, 27, 24),
        /// Their virtual router.
        virtual_router: u16 = bits(0x00, 15, 0),
        /// First adjacency of the group that they have, 24 bits.
        adjacency_index: u32 = bits(0x10, 23, 0),
        /// Adjacencies in it, 0..=8191.
        ecmp_size: u16 = bits(0x14, 12, 0),
        /// First adjacency of the group that they get, 24 bits.
        new_adjacency_index: u32 = bits(0x20, 23, 0),
        /// Adjacencies in it, 0..=8191.
        new_ecmp_size: u16 = bits(0x24, 12, 0),
    }
}
