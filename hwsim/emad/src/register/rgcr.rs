//! RGCR: is the router on at all?

use crate::bits::{bit, bits};
use crate::layout::register;

register! {
    /// Router General Configuration Register.
    #[derive(Default)]
    pub struct Rgcr = (0x8001, 0x28, "rgcr") {
        /// IPv4 unicast routing.
        ipv4_en: bool = bit(0x00, 31),
        /// IPv6 unicast routing.
        ipv6_en: bool = bit(0x00, 30),
        /// Router interfaces to make room for.
        max_router_interfaces: u16 = bits(0x10, 15, 0),
        /// Update the switch priority of routed packets from their DSCP.
        usp: bool = bit(0x18, 20),
        /// How the PCP of routed packets is rewritten.
        pcp_rw: u8 = bits(0x18, 17, 16),
        /// Tables whose activity is not recorded, one bit each.
        activity_dis: u8 = bits(0x20, 7, 0),
    }
}
