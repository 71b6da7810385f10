//! Which switches have a driver in the kernel, and what did it make of the netdevs over their ports?
//!
//! ```text
//!   devlink ──set_drivers──▶ DeviceFacts ─┬─▶ bridges that are left alone
//!                                         └─▶ Devices, for each answer anew
//! ```

use std::collections::{BTreeMap, BTreeSet};

use firsthop_model::driver::{DeviceFacts, Driver};

use super::Daemon;
use crate::views::Devices;

impl Daemon {
    /// What devlink says of devices, by handle: all of them, each time. What was read of a device has to be newer than the events
    /// that were folded in.
    pub(super) fn set_drivers(&mut self, drivers: BTreeMap<String, DeviceFacts>) {
        self.drivers = drivers;
        self.spare_bridges();
    }

    /// Leaves bridges alone that a driver in the kernel takes care of.
    pub(super) fn spare_bridges(&mut self) {
        let owners =
            self.drivers.iter().filter(|(_, facts)| Driver::of(&facts.driver).owns_bridges());
        let owners: BTreeSet<String> = owners.map(|(handle, _)| handle.clone()).collect();
        self.reconciler.set_routing_devices(owners);
        self.fdb.stir();
    }

    /// The devices as they are now.
    pub(super) fn devices(&self) -> Devices {
        Devices::of(&self.reconciler, &self.drivers)
    }
}
