//! Which policer should VRRP's traps of a device have, and which steps lead there?
//!
//! ```text
//!   Device, Size ─▶ plan ─▶ Standing, steps ─▶ the kernel ─▶ Memory: what was there before, what is ours
//!                     ▲────────────────────────────────────────┘
//! ```
//!
//! A policer that VRRP's group alone uses is made larger; one that it shares with others is left to them, and a free one is
//! sized and bound. Nothing is made smaller than the driver or somebody else had made it. Pure: no I/O.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use firsthop_model::policer::Size;
use serde::{Deserialize, Serialize};

use super::{Device, Policer};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sets a policer; what is None stays.
    Size {
        /// Its number
        policer: u32,
        /// Packets per second
        rate: Option<u64>,
        /// Packets at once
        burst: Option<u64>,
    },
    /// Gives a group a policer, or none.
    Bind {
        /// Its name
        group: String,
        /// Its policer
        policer: Option<u32>,
    },
}

impl Step {
    /// As an administrator would type it.
    pub fn command(&self, device: &str) -> String {
        let part = |name: &str, value: Option<u64>| {
            value.map_or_else(String::new, |value| format!(" {name} {value}"))
        };
        match self {
            Self::Size { policer, rate, burst } => format!(
                "devlink trap policer set {device} policer {policer}{}{}",
                part("rate", *rate),
                part("burst", *burst)
            ),
            Self::Bind { group, policer: Some(policer) } => {
                format!("devlink trap group set {device} group {group} policer {policer}")
            }
            Self::Bind { group, policer: None } => {
                format!("devlink trap group set {device} group {group} nopolicer")
            }
        }
    }
}

/// How things are with VRRP's policer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The device has no trap for VRRP.
    NoTrap,
    /// The traps are in several groups, or in one with others: not to be touched.
    Mixed {
        /// The group
        group: String,
    },
    /// No policer limits them, and there is no free one.
    Unlimited {
        /// The group
        group: String,
    },
    /// Another group uses their policer, and there is no free one.
    Shared {
        /// The group
        group: String,
        /// The policer
        policer: u32,
    },
    /// The policer could not be read.
    Unread {
        /// The group
        group: String,
        /// The policer
        policer: u32,
    },
    /// This policer is theirs alone, or will be.
    Own {
        /// The group
        group: String,
        /// The policer
        policer: u32,
    },
}

/// What was found before anything was set, and what was set last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The group, and the policer that it had; None: nothing was bound.
    pub binding: Option<(String, Option<u32>)>,
    /// Rate and burst of policers before.
    pub sizes: BTreeMap<u32, (u64, u64)>,
    /// What was set.
    pub ours: Option<Ours>,
    /// Reloads of the device at that time: a later one brings the driver's values back.
    pub reloads: u64,
}

/// What was set, and accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ours {
    /// The policer
    pub policer: u32,
    /// Packets per second
    pub rate: u64,
    /// Packets at once
    pub burst: u64,
    /// What it was set for: beyond the device's limits it is less.
    pub wanted: Size,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How things are.
    pub standing: Standing,
    /// What leads on.
    pub steps: Vec<Step>,
    /// Somebody changed what was set here; in words.
    pub drift: Option<String>,
}

/// Compares a device with what it should have. `memory` is of this registration of the device: see [`Memory::renewed`].
pub fn plan(device: &Device, wanted: Size, memory: &Memory) -> Plan {
    let nothing = |standing| Plan { standing, steps: Vec::new(), drift: None };
    let mut names = device.vrrp_traps().map(|(_, trap)| &trap.group);
    let Some(group) = names.next().cloned() else { return nothing(Standing::NoTrap) };
    let alone = names.all(|other| *other == group)
        && device.traps_of(&group).all(|name| device.vrrp_traps().any(|(own, _)| own == name));
    if !alone {
        return nothing(Standing::Mixed { group });
    }
    let bound = device.groups.get(&group).and_then(|group| group.policer);
    let drift = memory.ours.and_then(|ours| drift(device, bound, ours));
    let own = bound.filter(|id| device.groups_of(*id).all(|user| user == group));
    let ours = memory.ours.map(|ours| ours.policer).filter(|id| is_free(device, *id, &group));
    // after somebody bound another policer, the one that was set here is taken again
    let target = ours.or(own).or_else(|| {
        let mut free = device.policers.keys().filter(|id| is_free(device, **id, &group));
        free.next().copied()
    });
    let Some(policer) = target else {
        return nothing(match bound {
            Some(policer) => Standing::Shared { group, policer },
            None => Standing::Unlimited { group },
        });
    };
    let Some(now) = device.policers.get(&policer) else {
        return nothing(Standing::Unread { group, policer });
    };
    let mut steps = Vec::new();
    let (rate, burst) = target_size(now, policer, wanted, memory);
    let rate = Some(rate).filter(|rate| *rate != now.rate);
    let burst = Some(burst).filter(|burst| *burst != now.burst);
    if rate.is_some() || burst.is_some() {
        steps.push(Step::Size { policer, rate, burst });
    }
    if bound != Some(policer) {
        steps.push(Step::Bind { group: group.clone(), policer: Some(policer) });
    }
    Plan { standing: Standing::Own { group, policer }, steps, drift }
}

/// No other group than this one uses the policer.
fn is_free(device: &Device, policer: u32, group: &str) -> bool {
    device.policers.contains_key(&policer) && device.groups_of(policer).all(|user| user == group)
}

/// What a policer should have: what is wanted, but no less than it had before; of what the device refused, what it took.
fn target_size(now: &Policer, policer: u32, wanted: Size, memory: &Memory) -> (u64, u64) {
    let before = memory.sizes.get(&policer).copied().unwrap_or((now.rate, now.burst));
    match memory.ours.filter(|ours| ours.policer == policer && ours.wanted == wanted) {
        Some(ours) => (ours.rate, ours.burst),
        None => (before.0.max(wanted.rate.into()), before.1.max(wanted.burst.into())),
    }
}

fn drift(device: &Device, bound: Option<u32>, ours: Ours) -> Option<String> {
    let Ours { policer, rate, burst, .. } = ours;
    if bound != Some(policer) {
        let bound = bound.map_or_else(|| "no policer".to_owned(), |id| format!("policer {id}"));
        return Some(format!("the group has {bound} and not policer {policer}"));
    }
    let now = device.policers.get(&policer)?;
    (now.rate != rate || now.burst != burst).then(|| {
        let Policer { rate: is, burst: at_once, .. } = now;
        format!("policer {policer} has rate {is} burst {at_once} and not rate {rate} burst {burst}")
    })
}

impl Memory {
    /// The memory of this registration of the device: after a reload the driver's values are back, and count as before.
    #[must_use]
    pub fn renewed(&self, reloads: u64) -> Self {
        if self.reloads == reloads {
            return self.clone();
        }
        Self { reloads, ..Self::default() }
    }

    /// Writes down what these steps will change, as far as it is not known.
    pub fn note(&mut self, device: &Device, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Size { policer, .. } => {
                    if let Some(now) = device.policers.get(policer) {
                        self.sizes.entry(*policer).or_insert((now.rate, now.burst));
                    }
                }
                Step::Bind { group, .. } if self.binding.is_none() => {
                    let bound = device.groups.get(group).and_then(|group| group.policer);
                    self.binding = Some((group.clone(), bound));
                }
                Step::Bind { .. } => {}
            }
        }
    }

    /// Nothing was changed here.
    pub fn is_empty(&self) -> bool {
        self.binding.is_none() && self.sizes.is_empty()
    }

    /// The way back: of what is still as it was set here.
    pub fn undo(&self, device: &Device) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(ours) = self.ours.filter(|_| self.reloads == device.reloads) else {
            return steps;
        };
        if let Some((group, before)) = &self.binding
            && device.groups.get(group).is_some_and(|now| now.policer == Some(ours.policer))
        {
            steps.push(Step::Bind { group: group.clone(), policer: *before });
        }
        if let Some((rate, burst)) = self.sizes.get(&ours.policer)
            && let Some(now) = device.policers.get(&ours.policer)
            && (now.rate, now.burst) == (ours.rate, ours.burst)
        {
            let rate = Some(*rate).filter(|rate| *rate != now.rate);
            let burst = Some(*burst).filter(|burst| *burst != now.burst);
            if rate.is_some() || burst.is_some() {
                steps.push(Step::Size { policer: ours.policer, rate, burst });
            }
        }
        steps
    }
}
