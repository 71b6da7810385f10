//! What goes to the CPU: traps, their groups and policers, of simulated chips and of the kernel's devices alike.

mod resource;

use std::collections::BTreeMap;

use firsthop_asic::kernel::{self, Device};
use firsthop_model::chip::{Entry, Key, PolicerId, TrapAction, TrapGroupId, TrapId};
use firsthop_model::intent::{CONTROL_TRAPS, GROUPS, group_named};
use firsthop_model::policer::Need;
use firsthop_model::reconcile::Reconciler;
use serde::{Deserialize, Serialize};

pub use resource::{Resource, Sizes, resources};

/// Packets as devlink counts them; what is not counted is None.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Reached the CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Their octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Stopped by the policer, or dropped by the trap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

/// As devlink nests it, and what a counter alone does not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrapStats {
    /// Received by the CPU
    pub rx: Counters,
    /// RFC 3339; since then the counter was watched. It began there at 0 if it was reset before the agent's eyes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What it was then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_count: Option<u64>,
    /// Times that it began anew before the agent's eyes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets: Option<u64>,
    /// Packets a second between the last two readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// A class of packets that goes to the CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trap {
    /// devlink's name
    pub name: String,
    /// `control`, `exception` or `drop`
    #[serde(rename = "type")]
    pub kind: String,
    /// Named alike by every driver.
    pub generic: bool,
    /// devlink's name
    pub group: String,
    /// Number of the group's policer; None: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u32>,
    /// devlink's word; of a chip, what it acknowledged. None: nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What comes with a trapped packet.
    pub metadata: Vec<String>,
    /// `trap_policed` or `vrrp_silent`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Counters, as far as there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<TrapStats>,
}

/// Traps that share a policer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrapGroup {
    /// devlink's name
    pub name: String,
    /// Named alike by every driver.
    pub generic: bool,
    /// Number of its policer; None: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u32>,
    /// Its traps
    pub traps: Vec<String>,
    /// Counters, as far as there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<TrapStats>,
}

/// A limit of packets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrapPolicer {
    /// Its number
    pub policer: u32,
    /// Packets per second
    pub rate: u64,
    /// Packets at once
    pub burst: u64,
    /// The groups that it limits
    pub groups: Vec<String>,
    /// Their traps: a drop was of one of these.
    pub traps: Vec<String>,
    /// Counters, as far as there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<TrapStats>,
}

/// Everything that a device sends to the CPU.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrapDevice {
    /// `BUS/DEVICE`
    pub handle: String,
    /// Name of the kernel's driver
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// By name
    pub traps: Vec<Trap>,
    /// By name
    pub groups: Vec<TrapGroup>,
    /// By number
    pub policers: Vec<TrapPolicer>,
}

/// What a reading of the counters showed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrapEvent {
    /// `BUS/DEVICE`
    pub handle: String,
    /// `trap` or `policer`
    pub object: String,
    /// Its name; a policer's number
    pub name: String,
    /// `packets`, `drops`, `reset`, or a reason of [`VrrpPolicer`]
    pub event: String,
    /// All packets; of a policer those that it stopped
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many more than at the last reading
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<u64>,
    /// A second
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Group of the trap
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Policer of the trap
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u32>,
    /// Traps of the policer: one of these it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traps: Vec<String>,
    /// What the kernel said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// How things are with the policer of VRRP's traps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VrrpPolicer {
    /// `BUS/DEVICE`
    pub device: String,
    /// Its number; None: nothing limits them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u32>,
    /// Packets per second
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// Packets at once
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// What the virtual routers need.
    pub need: Need,
    /// Packets that it stopped, since its counter began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
    /// Changes by somebody else that were found.
    pub drifts: u64,
    /// What is worth knowing, by code: `trap_policed`, `policer_too_small`, `policer_shared`, `vrrp_silent`, `drift`, …
    pub reasons: Vec<String>,
    /// The last that the kernel refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// The profile by name, with what the chip acknowledged of it. Counters come with the ledger.
pub fn chip_traps(reconciler: &Reconciler) -> TrapDevice {
    let applied = reconciler.applied();
    let traps = CONTROL_TRAPS.iter().map(|trap| {
        let action = applied.get(&Key::Trap(TrapId(trap.id))).and_then(|entry| match entry {
            Entry::Trap { action, .. } => Some(word(*action).to_owned()),
            _ => None,
        });
        Trap {
            name: trap.name.to_owned(),
            kind: trap.kind.to_owned(),
            // mlxsw has no name for what no multicast route matches
            generic: trap.name != "multicast",
            group: trap.group.to_owned(),
            policer: group_named(trap.group).policer.map(|(id, ..)| id.into()),
            action,
            metadata: vec!["input_port".to_owned()],
            reason: None,
            stats: None,
        }
    });
    let groups = GROUPS.iter().map(|group| {
        let applied = applied.get(&Key::TrapGroup(TrapGroupId(group.id)));
        let policer = applied.and_then(|entry| match entry {
            Entry::TrapGroup { policer, .. } => policer.map(|id| id.0.into()),
            _ => None,
        });
        let traps = CONTROL_TRAPS.iter().filter(|trap| trap.group == group.name);
        TrapGroup {
            name: group.name.to_owned(),
            generic: group.name != "multicast",
            policer,
            traps: traps.map(|trap| trap.name.to_owned()).collect(),
            stats: None,
        }
    });
    let mut policers: Vec<TrapPolicer> = Vec::new();
    for group in GROUPS {
        let Some((id, ..)) = group.policer else { continue };
        if let Some(Entry::Policer { rate, burst, .. }) = applied.get(&Key::Policer(PolicerId(id)))
        {
            let traps = CONTROL_TRAPS.iter().filter(|trap| trap.group == group.name);
            policers.push(TrapPolicer {
                policer: id.into(),
                rate: (*rate).into(),
                burst: (*burst).into(),
                groups: vec![group.name.to_owned()],
                traps: traps.map(|trap| trap.name.to_owned()).collect(),
                stats: None,
            });
        }
    }
    policers.sort_by_key(|policer| policer.policer);
    TrapDevice {
        handle: reconciler.chip().handle(),
        driver: None,
        traps: traps.collect(),
        groups: groups.collect(),
        policers,
    }
}

/// Adds what the chip counted; a group's count is that of its traps.
pub fn count(
    device: &mut TrapDevice,
    traps: &BTreeMap<String, Counters>,
    policers: &BTreeMap<u32, u64>,
) {
    for trap in &mut device.traps {
        trap.stats = traps.get(&trap.name).map(|rx| TrapStats::from(*rx));
    }
    for group in &mut device.groups {
        let counted = group.traps.iter().filter_map(|name| traps.get(name));
        let sum = |of: fn(&Counters) -> Option<u64>| counted.clone().filter_map(of).sum::<u64>();
        let rx = Counters {
            packets: Some(sum(|rx| rx.packets)),
            bytes: Some(sum(|rx| rx.bytes)),
            dropped: None,
        };
        group.stats = Some(rx.into());
    }
    for policer in &mut device.policers {
        policer.stats = policers
            .get(&policer.policer)
            .map(|dropped| Counters { dropped: Some(*dropped), ..Counters::default() }.into());
    }
}

/// A device of the kernel as it was read last.
pub fn device_traps(device: &Device) -> TrapDevice {
    let rx = |rx: Option<kernel::Rx>| {
        rx.map(|kernel::Rx { packets, bytes, dropped }| Counters { packets, bytes, dropped }.into())
    };
    let traps = device.traps.iter().map(|(name, trap)| Trap {
        name: name.clone(),
        kind: trap.kind.clone(),
        generic: trap.generic,
        group: trap.group.clone(),
        policer: device.groups.get(&trap.group).and_then(|group| group.policer),
        action: Some(trap.action.clone()),
        metadata: trap.metadata.clone(),
        reason: None,
        stats: rx(trap.rx),
    });
    let groups = device.groups.iter().map(|(name, group)| TrapGroup {
        name: name.clone(),
        generic: group.generic,
        policer: group.policer,
        traps: device.traps_of(name).map(str::to_owned).collect(),
        stats: rx(group.rx),
    });
    let policers = device.policers.iter().map(|(id, policer)| TrapPolicer {
        policer: *id,
        rate: policer.rate,
        burst: policer.burst,
        groups: device.groups_of(*id).map(str::to_owned).collect(),
        traps: device
            .groups_of(*id)
            .flat_map(|group| device.traps_of(group))
            .map(str::to_owned)
            .collect(),
        stats: policer
            .dropped
            .map(|dropped| Counters { dropped: Some(dropped), ..Counters::default() }.into()),
    });
    TrapDevice {
        handle: device.handle.clone(),
        driver: device.driver.clone(),
        traps: traps.collect(),
        groups: groups.collect(),
        policers: policers.collect(),
    }
}

/// Counters of which no course is known.
impl From<Counters> for TrapStats {
    fn from(rx: Counters) -> Self {
        Self { rx, since: None, since_count: None, resets: None, rate: None }
    }
}

const fn word(action: TrapAction) -> &'static str {
    match action {
        TrapAction::Trap => "trap",
        TrapAction::Mirror => "mirror",
        TrapAction::Forward => "forward",
        TrapAction::Discard => "drop",
    }
}
