//! Chip indices as distinct types, so that a RIF index can't be passed where a FID is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

index!(
    /// Router interface, 0..the chip's `rifs` resource.
    RifIndex(u16)
);
index!(
    /// Filtering identifier: 1..=4094 802.1Q, 4095..=5118 802.1D, 5120.. router sub-ports.
    Fid(u16)
);
index!(
    /// Link aggregation group, 0..the chip's `lags` resource.
    LagId(u16)
);
index!(
    /// Virtual router, 0..the chip's `virtual_routers` resource.
    VrId(u16)
);
index!(
    /// Router-interface MAC profile, 0..the chip's `rif_mac_profiles` resource, at most 16.
    MacProfile(u8)
);
index!(
    /// VLAN id, 0..=4095. 4095 is what untagged frames of a router port carry inside the chip.
    Vid(u16)
);
index!(
    /// Packet policer.
    PolicerId(u16)
);
index!(
    /// Trap group, 0..=63.
    TrapGroupId(u8)
);
index!(
    /// Packet class, 0..=1023.
    TrapId(u16)
);

index!(
    /// Next hop, 0..the chip's `adjacencies` resource.
    AdjacencyIndex(u32)
);

/// What a FID's number makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FidFamily {
    /// A VLAN of the VLAN-aware bridge; the number is the VID.
    Dot1q,
    /// A VLAN-unaware bridge.
    Dot1d,
    /// A router sub-port, whose broadcast and multicast go to the router.
    Router,
}

impl Fid {
    /// FIDs of VLAN-unaware bridges.
    pub const DOT1D: std::ops::RangeInclusive<u16> = 4095..=5118;

    /// The FID of a VLAN of the VLAN-aware bridge.
    pub const fn of_vlan(vid: Vid) -> Self {
        Self(vid.0)
    }

    /// What it is.
    pub const fn family(self) -> FidFamily {
        match self.0 {
            0..=4094 => FidFamily::Dot1q,
            4095..=5119 => FidFamily::Dot1d,
            _ => FidFamily::Router,
        }
    }

    /// First FID of router sub-ports: a sub-port RIF uses this plus its index.
    pub const ROUTER_BASE: u16 = 5120;

    /// The FID that belongs to a sub-port router interface.
    pub const fn of_subport(rif: RifIndex) -> Self {
        Self(Self::ROUTER_BASE.saturating_add(rif.0))
    }
}

impl Vid {
    /// Untagged frames of a router port inside the chip.
    pub const UNTAGGED: Self = Self(4095);
    /// Untagged frames of a port that nobody has configured.
    pub const POWER_ON: Self = Self(1);
}
