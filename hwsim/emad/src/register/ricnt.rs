//! RICNT: how much came through one direction of a router interface?

use crate::bits::bits;
use crate::field::At;
use crate::layout::{codes, register};

codes! {
    /// What the query does besides.
    pub enum RicntOp {
        /// Nothing.
        Nop = 0 "nop",
        /// Clears the counter.
        Clear = 8 "clear",
    }
}

register! {
    /// Router Interface Counter register: a set of counters, to which RITR points. Bytes are those of layer 3.
    #[derive(Default)]
    pub struct Ricnt = (0x800b, 0x100, "ricnt") {
        /// What the query does besides.
        op: RicntOp = bits(0x00, 31, 28),
        /// 0 none, 9 the basic set.
        counter_set_type: u8 = bits(0x04, 31, 24),
        /// Index of the counter, 24 bits.
        counter_index: u32 = bits(0x04, 23, 0),
        /// Unicast packets that passed.
        good_unicast_packets: u64 = At(0x08),
        /// Multicast packets that passed.
        good_multicast_packets: u64 = At(0x10),
        /// Broadcast packets that passed.
        good_broadcast_packets: u64 = At(0x18),
        /// Bytes of `good_unicast_packets`.
        good_unicast_bytes: u64 = At(0x20),
        /// Bytes of `good_multicast_packets`.
        good_multicast_bytes: u64 = At(0x28),
        /// Bytes of `good_broadcast_packets`.
        good_broadcast_bytes: u64 = At(0x30),
        /// Packets with errors, which did not pass the router's checks.
        error_packets: u64 = At(0x38),
        /// Packets without errors that did not pass them.
        discard_packets: u64 = At(0x40),
        /// Bytes of `error_packets`.
        error_bytes: u64 = At(0x48),
        /// Bytes of `discard_packets`.
        discard_bytes: u64 = At(0x50),
    }
}

impl Ricnt {
    /// The set of counters that router interfaces have (`counter_set_type`).
    pub const BASIC: u8 = 9;
}
