//! SVFA: to which FID does a frame belong, by VLAN, by port and VLAN, or by VNI?

use crate::bits::{bit, bits};
use crate::field::LOCAL_PORT;
use crate::layout::{codes, register};

codes! {
    /// Which table the entry is in, and so what its key is.
    pub enum SvfaMapping {
        /// Key: `vid`, on every port.
        VidToFid = 0 "vid_to_fid",
        /// Key: `local_port` and `vid`; wins over the other table on ports in virtual-port mode.
        PortVidToFid = 1 "port_vid_to_fid",
        /// Key: `vni`.
        VniToFid = 2 "vni_to_fid",
    }
}

register! {
    /// Switch VID to FID Allocation Register: one entry of a classification table.
    #[derive(Default)]
    pub struct Svfa = (0x201c, 0x18, "svfa") {
        /// Switch partition; the driver uses 0.
        swid: u8 = bits(0x00, 31, 24),
        /// Ingress port, 0..=1023; 0 unless the key has a port.
        local_port: u16 = LOCAL_PORT,
        /// Which table.
        mapping: SvfaMapping = bits(0x00, 10, 8),
        /// Whether there is an entry; `false` deletes it.
        valid: bool = bit(0x00, 0),
        /// The FID.
        fid: u16 = bits(0x04, 31, 16),
        /// VLAN, 0..=4095.
        vid: u16 = bits(0x04, 11, 0),
        /// 0 none, 3 packets and bytes, 5 packets.
        counter_set_type: u8 = bits(0x08, 31, 24),
        /// Flow counter.
        counter_index: u32 = bits(0x08, 23, 0),
        /// VXLAN network identifier, if that is the key.
        vni: u32 = bits(0x10, 23, 0),
        /// Whether `irif` holds.
        irif_v: bool = bit(0x14, 24),
        /// Router interface on which such frames enter the router.
        irif: u16 = bits(0x14, 15, 0),
    }
}

impl Svfa {
    /// `vid` on every port is `fid`.
    #[must_use]
    pub fn vid(vid: u16, fid: u16, irif: Option<u16>) -> Self {
        Self {
            mapping: SvfaMapping::VidToFid,
            valid: true,
            fid,
            vid,
            irif_v: irif.is_some(),
            irif: irif.unwrap_or(0),
            ..Self::default()
        }
    }

    /// `vid` on `local_port` is `fid`.
    #[must_use]
    pub fn port_vid(local_port: u16, vid: u16, fid: u16, irif: Option<u16>) -> Self {
        Self { mapping: SvfaMapping::PortVidToFid, local_port, ..Self::vid(vid, fid, irif) }
    }
}
