//! SFMR: which FIDs exist, and how are they flooded?

use crate::bits::{bit, bits};
use crate::layout::{codes, register};

codes! {
    /// What a write does.
    pub enum SfmrOp {
        /// Create the FID or change it.
        Create = 0 "create",
        /// Destroy it.
        Destroy = 1 "destroy",
    }
}

register! {
    /// Switch FID Management Register: one FID.
    #[derive(Default)]
    pub struct Sfmr = (0x201f, 0x30, "sfmr") {
        /// What a write does.
        op: SfmrOp = bits(0x00, 27, 24),
        /// The FID.
        fid: u16 = bits(0x00, 15, 0),
        /// FID of a router subport: routed packets leave by the port of the RIF, not by flooding.
        flood_rsp: bool = bit(0x08, 31),
        /// Which set of flood tables applies: 0 or 1. `flood_bridge_type` in the driver.
        bridge_type: bool = bit(0x08, 28),
        /// Offset of the FID in its flood table.
        fid_offset: u16 = bits(0x08, 15, 0),
        /// Whether `nve_tunnel_flood_ptr` holds.
        vtfp: bool = bit(0x0c, 31),
        /// Where flooding into tunnels goes on.
        nve_tunnel_flood_ptr: u32 = bits(0x0c, 23, 0),
        /// Whether `vni` holds.
        vv: bool = bit(0x10, 31),
        /// VXLAN network identifier.
        vni: u32 = bits(0x10, 23, 0),
        /// Whether `irif` holds.
        irif_v: bool = bit(0x14, 24),
        /// Router interface on which frames of this FID enter the router.
        irif: u16 = bits(0x14, 15, 0),
        /// First flood vector, in the compressed flood mode.
        cff_mid_base: u16 = bits(0x20, 15, 0),
        /// Flood profile of tunnels.
        nve_flood_prf_id: u8 = bits(0x24, 9, 8),
        /// Flood profile, in the compressed flood mode.
        cff_prf_id: u8 = bits(0x24, 1, 0),
        /// Whether `smpe` holds.
        smpe_valid: bool = bit(0x28, 20),
        /// Index into the table of egress VLANs of flooded frames.
        smpe: u16 = bits(0x28, 15, 0),
    }
}
