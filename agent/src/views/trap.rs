//! What goes to the CPU, and how full the chip is.

use std::collections::BTreeMap;

use firsthop_model::chip::{Entry, Key, TrapAction, TrapId};
use firsthop_model::intent::{CONTROL_TRAPS, group_named};
use firsthop_model::reconcile::Reconciler;
use serde::{Deserialize, Serialize};

/// Packets of one class, as the chip counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Passed the policer.
    pub packets: u64,
    /// Their octets.
    pub bytes: u64,
    /// Stopped by the policer; None: the chip does not count them by class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

/// As devlink nests it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapStats {
    /// Received by the CPU
    pub rx: Counters,
}

/// A class of packets that goes to the CPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// devlink's name
    pub name: String,
    /// `control` or `exception`
    #[serde(rename = "type")]
    pub kind: String,
    /// devlink's name
    pub group: String,
    /// Index of the group's policer; None: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u16>,
    /// devlink's word for what the chip acknowledged; None: nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Counters, where they were asked for and the chip has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<TrapStats>,
}

/// How much of a table is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// devlink's name, or the chip's own.
    pub name: String,
    /// Rows
    pub size: u64,
    /// Rows taken; None: the chip does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occ: Option<u64>,
}

/// The profile by name, with what the chip acknowledged of it.
pub fn traps(reconciler: &Reconciler, counters: &BTreeMap<String, Counters>) -> Vec<Trap> {
    CONTROL_TRAPS
        .iter()
        .map(|trap| {
            let applied = reconciler.applied().get(&Key::Trap(TrapId(trap.id)));
            let action = applied.and_then(|entry| match entry {
                Entry::Trap { action, .. } => Some(word(*action).to_owned()),
                _ => None,
            });
            Trap {
                name: trap.name.to_owned(),
                kind: trap.kind.to_owned(),
                group: trap.group.to_owned(),
                policer: group_named(trap.group).policer.map(|(id, ..)| id),
                action,
                stats: counters.get(trap.name).map(|rx| TrapStats { rx: *rx }),
            }
        })
        .collect()
}

const fn word(action: TrapAction) -> &'static str {
    match action {
        TrapAction::Trap => "trap",
        TrapAction::Mirror => "mirror",
        TrapAction::Forward => "forward",
        TrapAction::Discard => "drop",
    }
}

/// The sizes of tables that a chip need not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Records of the forwarding database
    pub fdb: Option<u64>,
    /// Bridging domains and router sub-ports
    pub fids: Option<u64>,
    /// Link aggregation groups
    pub lags: Option<u64>,
}

/// The chip's tables, as far as Firsthop fills them.
pub fn resources(reconciler: &Reconciler, sizes: Sizes) -> Vec<Resource> {
    let limits = reconciler.limits();
    let applied = reconciler.applied();
    let (_, virtual_routers, profiles) = reconciler.allocation().occupancy();
    let rows = |ours: fn(&Key) -> bool| Some(count(applied.tables().keys().filter(|k| ours(k))));
    let resource = |name: &str, size: u64, occ| Resource { name: name.to_owned(), size, occ };
    let mut found = vec![
        resource("rif_mac_profiles", limits.mac_profiles.into(), u64::try_from(profiles).ok()),
        resource("rifs", limits.rifs.into(), Some(count(applied.rifs()))),
        resource(
            "virtual_routers",
            limits.virtual_routers.into(),
            u64::try_from(virtual_routers).ok(),
        ),
    ];
    if let Some(size) = sizes.fdb {
        found.push(resource("fdb", size, rows(|key| matches!(key, Key::RouterMac(..)))));
    }
    if let Some(size) = sizes.fids {
        found.push(resource("fids", size, rows(|key| matches!(key, Key::Fid(_)))));
    }
    if let Some(size) = sizes.lags {
        found.push(resource("lags", size, rows(|key| matches!(key, Key::Lag(_)))));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn count<T>(rows: impl Iterator<Item = T>) -> u64 {
    rows.fold(0, |count, _| count + 1)
}
