//! RATR: which next hop does an adjacency index stand for?

use crate::bits::{bit, bits};
use crate::field::{At, Split};
use crate::layout::{codes, operations, register};
use crate::mac::Mac;
use crate::register::TrapAction;

operations! {
    /// What the access does.
    pub struct RatrOp {
        /// Query: read.
        QUERY_READ = 0 "query_read",
        /// Query: read, and clear the activity bit.
        QUERY_READ_CLEAR = 2 "query_read_clear",
        /// Write: set the entry.
        WRITE_WRITE_ENTRY = 1 "write_write_entry",
        /// Write: set the entry unless it was active.
        WRITE_WRITE_ENTRY_ON_ACTIVITY = 3 "write_write_entry_on_activity",
    }
}

codes! {
    /// What the packet is sent as.
    pub enum RatrType {
        /// An Ethernet frame.
        Ethernet = 0 "ethernet",
        /// InfiniBand unicast.
        IpoibUc = 1 "ipoib_uc",
        /// InfiniBand unicast with a global route header.
        IpoibUcWithGrh = 2 "ipoib_uc_w_grh",
        /// InfiniBand multicast.
        IpoibMc = 3 "ipoib_mc",
        /// MPLS.
        Mpls = 4 "mpls",
        /// A tunnel; its fields are not modelled.
        Ipip = 5 "ipip",
    }
}

register! {
    /// Router Adjacency Table Register: one next hop.
    #[derive(Default)]
    pub struct Ratr = (0x8008, 0x2c, "ratr") {
        /// What the access does.
        op: RatrOp = bits(0x00, 31, 28),
        /// The entry is valid.
        v: bool = bit(0x00, 24),
        /// Activity: the entry was used. Read only.
        a: bool = bit(0x00, 16),
        /// What the packet is sent as.
        kind: RatrType = bits(0x04, 31, 28),
        /// Index of the entry, 24 bits.
        adjacency_index: u32 = Split { high: bits(0x0c, 23, 16), low: bits(0x04, 15, 0) },
        /// Router interface by which the packet leaves.
        egress_router_interface: u16 = bits(0x08, 15, 0),
        /// What happens besides forwarding.
        trap_action: TrapAction = bits(0x0c, 31, 28),
        /// 0 RTR_EGRESS0, 1 RTR_EGRESS1.
        trap_id: u8 = bits(0x0c, 7, 0),
        /// Destination MAC of the frame.
        eth_destination_mac: Mac = At(0x12),
        /// 0 none, 3 packets and bytes, 5 packets.
        counter_set_type: u8 = bits(0x28, 31, 24),
        /// Flow counter.
        counter_index: u32 = bits(0x28, 23, 0),
    }
}
