//! What became different since the last look: the lines of `monitor`.

use std::collections::BTreeMap;

use firsthop_model::reconcile::Reconciler;
use serde::{Deserialize, Serialize};

use super::object::{Rif, Vmac};
use super::story::{KernelEvent, Write};
use super::{Devices, Liveness};
use crate::api::Filter;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It was not there.
    New,
    /// Its members differ.
    Change,
    /// It is not there any more; the members are its last.
    Gone,
}

/// One line of `monitor`: a change of a router interface or virtual MAC, or a step on the way there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `rif`, `vmac`, `kernel` or `hw`
    pub object: String,
    /// What happened
    pub event: Happening,
    /// The kernel's event that it is or follows from; missing where it follows from something else, as the configuration
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<u64>,
    /// The router interface
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rif: Option<Rif>,
    /// The virtual MAC
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmac: Option<Vmac>,
    /// What the kernel said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelEvent>,
    /// What was written to the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hw: Option<Write>,
    /// Steps before this one that were left out, because the reader is too slow
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
}

impl Change {
    fn new(object: &str, event: Happening, event_id: Option<u64>) -> Self {
        Self {
            object: object.to_owned(),
            event,
            event_id,
            rif: None,
            vmac: None,
            kernel: None,
            hw: None,
            left_out: None,
        }
    }

    /// What the kernel said.
    pub fn of_kernel(event: Happening, event_id: u64, told: KernelEvent) -> Self {
        Self { kernel: Some(told), ..Self::new("kernel", event, Some(event_id)) }
    }

    /// What was written to the chip.
    pub fn of_chip(event: Happening, event_id: Option<u64>, told: Write) -> Self {
        Self { hw: Some(told), ..Self::new("hw", event, event_id) }
    }
}

/// Everything that is watched, by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    rifs: BTreeMap<u32, Rif>,
    vmacs: BTreeMap<u32, Vmac>,
}

impl Scene {
    /// As it is now.
    pub fn of(reconciler: &Reconciler, devices: &Devices) -> Self {
        let all = Filter::default();
        let (rifs, vmacs) = (devices.rifs(reconciler, &all), devices.vmacs(reconciler, &all));
        Self {
            rifs: rifs.into_iter().map(|row| (row.ifindex, row)).collect(),
            vmacs: vmacs.into_iter().map(|row| (row.ifindex, row)).collect(),
        }
    }

    /// With the flags that macvlans have by now.
    pub fn with_flags(mut self, flags: impl Fn(u32) -> Option<Liveness>) -> Self {
        for (ifindex, row) in &mut self.vmacs {
            row.liveness = flags(*ifindex);
        }
        self
    }

    /// Takes over one change.
    pub fn apply(&mut self, change: Change) {
        let gone = change.event == Happening::Gone;
        match (change.rif, change.vmac) {
            (Some(row), _) if gone => drop(self.rifs.remove(&row.ifindex)),
            (Some(row), _) => drop(self.rifs.insert(row.ifindex, row)),
            (None, Some(row)) if gone => drop(self.vmacs.remove(&row.ifindex)),
            (None, Some(row)) => drop(self.vmacs.insert(row.ifindex, row)),
            (None, None) => {}
        }
    }

    /// What leads from the scene before to this one.
    pub fn changes_since(&self, before: &Self) -> Vec<Change> {
        let rif =
            |event, row: &Rif| Change { rif: Some(row.clone()), ..Change::new("rif", event, None) };
        let vmac = |event, row: &Vmac| Change {
            vmac: Some(row.clone()),
            ..Change::new("vmac", event, None)
        };
        let mut changes = compare(&before.rifs, &self.rifs, rif);
        changes.extend(compare(&before.vmacs, &self.vmacs, vmac));
        changes
    }
}

fn compare<T: PartialEq>(
    before: &BTreeMap<u32, T>,
    after: &BTreeMap<u32, T>,
    change: impl Fn(Happening, &T) -> Change,
) -> Vec<Change> {
    let gone = before.iter().filter(|(key, _)| !after.contains_key(key));
    let mut changes: Vec<Change> = gone.map(|(_, row)| change(Happening::Gone, row)).collect();
    for (key, row) in after {
        match before.get(key) {
            None => changes.push(change(Happening::New, row)),
            Some(old) if old != row => changes.push(change(Happening::Change, row)),
            Some(_) => {}
        }
    }
    changes
}
