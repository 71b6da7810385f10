//! What a device told of itself, by devlink.

use std::collections::BTreeMap;

use crate::IfIndex;

/// A device: its driver, and what was read of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceFacts {
    /// DEVLINK_ATTR_INFO_DRIVER_NAME
    pub driver: String,
    /// What was read.
    pub readings: Readings,
}

/// How full a table is: a resource of devlink's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// DEVLINK_ATTR_RESOURCE_SIZE in rows
    pub size: u64,
    /// DEVLINK_ATTR_RESOURCE_OCC in rows
    pub occ: u64,
}

impl Occupancy {
    /// Nine tenths are taken. A table of one row, as Spectrum-1 has for MAC profiles, is full whenever it is used.
    pub const fn is_near_full(self) -> bool {
        self.size > 1 && self.occ.saturating_mul(10) >= self.size.saturating_mul(9)
    }
}

/// What a policer lets pass, or has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicerSize {
    /// Packets per second
    pub rate: u64,
    /// Packets at once
    pub burst: u64,
}

/// What was read of a device, each where it could be. The audit takes it for newer than the topology: what was read before the
/// last change has to be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readings {
    /// Resource `rifs`: mlxsw counts its own loopback interface, so that 1 is taken at least.
    pub rifs: Option<Occupancy>,
    /// Resource `rif_mac_profiles`
    pub rif_mac_profiles: Option<Occupancy>,
    /// The dpipe table `mlxsw_erif`: index in the chip by netdev.
    pub erifs: Option<BTreeMap<IfIndex, u16>>,
    /// The policer that the trap group `vrrp` is bound to.
    pub vrrp_policer: Option<PolicerSize>,
    /// What the virtual routers need of it.
    pub vrrp_need: Option<PolicerSize>,
}
