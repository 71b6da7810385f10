//! Which switches have a driver in the kernel, and what did it make of the netdevs over their ports?
//!
//! ```text
//!   devlink ──set_drivers──▶ DeviceFacts ─┬─▶ bridges that are left alone
//!                                         └─▶ Devices, for each answer anew
//! ```

use std::collections::{BTreeMap, BTreeSet};

use firsthop_model::driver::{DeviceFacts, Driver, Readings};

use super::Daemon;
use crate::engine::Input;
use crate::views::Devices;

/// What devlink said of devices.
#[derive(Debug, Default)]
pub(super) struct Drivers {
    /// By handle.
    pub(super) facts: BTreeMap<String, DeviceFacts>,
    /// Events that had been folded in when it was asked.
    pub(super) generation: u64,
}

impl Daemon {
    /// What devlink says of devices, by handle: all of them, each time.
    pub(super) fn set_drivers(&mut self, drivers: Drivers) {
        let same = self.drivers.facts.keys().eq(drivers.facts.keys());
        self.drivers = drivers;
        if !same {
            self.spare_bridges();
        }
    }

    /// Leaves bridges alone that a driver in the kernel takes care of.
    pub(super) fn spare_bridges(&mut self) {
        let owners =
            self.drivers.facts.iter().filter(|(_, facts)| Driver::of(&facts.driver).owns_bridges());
        let owners: BTreeSet<String> = owners.map(|(handle, _)| handle.clone()).collect();
        self.tell(Input::RoutingDevices(owners));
        self.fdb.stir();
    }

    /// There are devices of which tables are read.
    pub(super) fn audits(&self) -> bool {
        self.drivers.facts.values().any(|facts| Driver::of(&facts.driver).owns_bridges())
    }

    /// The devices as they are now. Tables that were read before the last event tell of another time.
    pub(super) fn devices(&self) -> Devices {
        let generation = self.engine.generation();
        if self.drivers.generation == generation {
            return Devices::of(self.engine.reconciler(), &self.drivers.facts);
        }
        let mut facts = self.drivers.facts.clone();
        for facts in facts.values_mut() {
            let Readings { vrrp_policer, vrrp_need, .. } = facts.readings;
            facts.readings = Readings { vrrp_policer, vrrp_need, ..Readings::default() };
        }
        Devices::of(self.engine.reconciler(), &facts)
    }
}
