//! The policers of VRRP's traps: what is done about those of the kernel's devices, and what is told of all of them.
//!
//! ```text
//!   devices as read ─▶ Keeper ─▶ steps ─┬─ allowed ─▶ Record, then devlink
//!                                       └─ else ────▶ rows of `diff`
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firsthop_asic::kernel::policing::Memory;
use firsthop_model::intent::ChipIdentity;

use super::keeper::{self, Keeper};
use super::kernel::Order;
use super::ledger::{Course, Kind};
use super::{SILENCE, Traps};
use crate::config::Drift;
use crate::daemon::record::Record;
use crate::daemon::{Daemon, sizing};
use crate::views::{self, VrrpPolicer};

/// For how long a drop is worth telling.
const RECENT: Duration = Duration::from_secs(60);

impl Daemon {
    /// Gives VRRP's traps of each device the policer that they need, where that is allowed; else back what they had.
    pub(super) fn keep_policers(&mut self, now: Duration) {
        let managed = self.source.config.manage == Some(true) && !self.observe;
        let interval = self.watch.live().slowest().max(Duration::from_secs(1));
        let Self { traps, engine, source, .. } = self;
        if !self.observe && traps.record.is_none() {
            traps.record = Some(Record::open(&self.directory, "devices"));
        }
        let recorded = traps.record.as_ref().map(|record| record.facts().clone());
        let there: BTreeSet<&String> = traps.devices.iter().map(|device| &device.handle).collect();
        traps.keepers.retain(|handle, _| there.contains(handle));
        let mut orders = Vec::new();
        for device in traps.devices.iter().filter(|device| !device.traps.is_empty()) {
            let handle = &device.handle;
            let registration = traps.registrations.get(handle).copied().unwrap_or(0);
            let keeper = traps.keepers.entry(handle.clone()).or_insert_with(|| {
                let memory = recorded.as_ref().and_then(|recorded| recorded.get(handle));
                Keeper::new(memory.cloned().unwrap_or_default(), registration)
            });
            let chip = ChipIdentity::Device { handle: handle.clone() };
            let routers = keeper::routers(engine.reconciler().topology(), &chip);
            let repairs = managed && traps.care.drift == Drift::Repair;
            let steps = keeper.follow(
                device,
                repairs,
                registration,
                &routers,
                |size| sizing::decided(source.config.policer, size),
                now,
            );
            keeper.listen(device, &traps.ledger, &routers, interval * SILENCE, now);
            let steps = if managed {
                if traps.care.drift == Drift::Report && keeper.has_drifted() {
                    Vec::new()
                } else {
                    steps
                }
            } else {
                keeper.give_back(device)
            };
            if !steps.is_empty() && !self.observe && keeper.begin(device, &steps, managed, now) {
                orders.push(Order::Take { device: handle.clone(), steps });
            }
        }
        // written down before it is done
        traps.write_record();
        for order in orders {
            traps.kernel.order(order);
        }
    }

    /// What is told of devices' policers: rows for `status`, `doctor` and `diff`.
    pub(in crate::daemon) fn vrrp_policers(&self) -> Vec<VrrpPolicer> {
        let now = self.start.elapsed();
        let mut rows: Vec<VrrpPolicer> = self.chip_policer(now).into_iter().collect();
        for device in &self.traps.devices {
            if let Some(keeper) = self.traps.keepers.get(&device.handle) {
                rows.push(keeper.row(device));
            } else if let Some(refusal) = &device.refusal {
                rows.push(VrrpPolicer {
                    device: device.handle.clone(),
                    reasons: vec!["unreadable".to_owned()],
                    refusal: Some(refusal.clone()),
                    ..VrrpPolicer::default()
                });
            }
        }
        rows
    }

    fn chip_policer(&self, now: Duration) -> Option<VrrpPolicer> {
        self.capabilities.as_ref()?;
        let device = views::chip_traps(self.engine.reconciler());
        let group = device.groups.iter().find(|group| group.name == "vrrp")?;
        let policer = device.policers.iter().find(|p| Some(p.policer) == group.policer);
        let need = self.vrrp_need();
        let course = |kind, name: &str| self.traps.ledger.course(&device.handle, kind, name);
        let drops = policer.and_then(|p| course(Kind::Policer, &p.policer.to_string()));
        let mut reasons = Vec::new();
        if drops.is_some_and(|course| was_dropped(course, now)) {
            reasons.push("trap_policed".to_owned());
        }
        if policer.is_some_and(|policer| !need.is_met(policer.rate, policer.burst)) {
            reasons.push("policer_too_small".to_owned());
        }
        let routers =
            keeper::routers(self.engine.reconciler().topology(), self.engine.reconciler().chip());
        let silence = self.watch.live().slowest().max(Duration::from_secs(1)) * SILENCE;
        let silent = routers.iter().filter_map(|router| router.awaits).any(|family| {
            course(Kind::Trap, keeper::trap_of(family))
                .is_some_and(|course| now.saturating_sub(course.moved) >= silence)
        });
        if silent {
            reasons.push("vrrp_silent".to_owned());
        }
        Some(VrrpPolicer {
            device: device.handle.clone(),
            policer: group.policer,
            rate: policer.map(|policer| policer.rate),
            burst: policer.map(|policer| policer.burst),
            need,
            dropped: drops.map(|course| course.count),
            drifts: 0,
            reasons,
            refusal: None,
        })
    }

    /// What would be written to devices, where it may not be.
    pub(in crate::daemon) fn device_differences(&self) -> Vec<views::Difference> {
        let managed = self.source.config.manage == Some(true) && !self.observe;
        let rows = self.traps.devices.iter().filter_map(|device| {
            let keeper = self.traps.keepers.get(&device.handle)?;
            Some(keeper.differences(device, managed))
        });
        rows.flatten().collect()
    }
}

impl Traps {
    pub(super) fn write_record(&mut self) {
        let memories = self.keepers.iter().filter(|(_, keeper)| !keeper.memory().is_empty());
        let memories = memories.map(|(handle, keeper)| (handle.clone(), keeper.memory().clone()));
        let memories: BTreeMap<String, Memory> = memories.collect();
        if let Some(record) = &mut self.record {
            record.write(memories);
        }
    }
}

/// A policer stopped packets lately, before our eyes.
pub(super) fn was_dropped(course: &Course, now: Duration) -> bool {
    course.count > course.base && now.saturating_sub(course.moved) < RECENT
}
