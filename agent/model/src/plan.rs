//! Which changes, in which stages, lead from Applied to what an object should have.
//!
//! An [`Object`] is what is planned, written and undone together. Its changes are made stage by stage: a stage starts when
//! every change of the one before is acknowledged. Within a stage the order does not matter.
//!
//! ```text
//!   build up                                       take down
//!   FID ─▶ RIF ─▶ router MACs, routes ─▶ RIF edit  RIF disabled ─▶ routes ─▶ port out ─▶ router MACs ─▶ RIF ─▶ FID
//!        ─▶ members, flooding ─▶ FID bound to RIF              ─▶ FID not bound ─▶ members, flooding
//! ```
//!
//! The RIF is the anchor: a read-back finds RIFs by scanning, so what hangs on one is written after it and removed before it.
//! New MACs are written before a RIF's edit and old ones removed after it (make before break); the fast-path slots are part of
//! the RIF, so a slot is cleared before its record goes.

mod allocation;
mod lowering;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use allocation::{Allocation, Limits};
pub use lowering::{
    bridging_entries, domain_entries, lag_entries, router_entries, subport_entries, trap_entries,
    vr_entries,
};

use crate::IfIndex;
use crate::applied::Applied;
use crate::chip::{Change, Entry, Key, Rif};
use crate::intent::Domain;

/// What is planned together. The order is the order in which objects are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// The router's global state and the control-trap profile.
    Traps,
    /// Where flood vectors are, and how long learnt MACs live.
    Bridging,
    /// A group of next hops, by a number of our own.
    NextHops(u32),
    /// A host on a router interface.
    Neighbour(IfIndex, IpAddr),
    /// A route of the kernel's, by table and prefix. Where a router interface or virtual router has other plans with the row, the
    /// route's count.
    Route(u32, IpNet),
    /// The virtual router of a routing table.
    VirtualRouter(u32),
    /// A bond or team with its members.
    Lag(IfIndex),
    /// A router interface on a port or LAG, or on a VLAN of one, with its MACs and destinations.
    Interface(IfIndex),
    /// A bridging domain with its members, and its router interface where it has one.
    Domain(Domain),
    /// Rows in the chip that nothing intends.
    Leftover,
}

impl Object {
    /// One of very many, for which nobody waits: the others go before it.
    pub const fn is_bulk(&self) -> bool {
        matches!(self, Self::NextHops(_) | Self::Neighbour(..) | Self::Route(..))
    }
}

/// Changes of one object, in stages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Made one after the other.
    pub stages: Vec<Vec<Change>>,
}

impl Plan {
    /// No change at all.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// All changes in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.stages.iter().flatten()
    }
}

/// The plan that gives each row its wanted content; None means that the row shall be empty.
/// Rows of unknown content are left out: they are read back first. Presumed ones are written again.
pub fn diff<'a>(
    applied: &Applied,
    wanted: impl IntoIterator<Item = (&'a Key, Option<&'a Entry>)>,
) -> Plan {
    let mut stages: BTreeMap<u8, Vec<Change>> = BTreeMap::new();
    for (key, to) in wanted {
        if applied.is_unknown(key) {
            continue;
        }
        let change = match (applied.get(key), to) {
            (None, Some(to)) => Change::Add(to.clone()),
            (Some(from), Some(to)) if from != to => {
                Change::Edit { from: from.clone(), to: to.clone() }
            }
            (Some(_), Some(to)) if applied.is_presumed(key) => Change::Add(to.clone()),
            (Some(from), None) => Change::Remove(from.clone()),
            (Some(_), Some(_)) | (None, None) => continue,
        };
        if let Change::Remove(Entry::Rif(rif)) = &change {
            let off = Entry::Rif(Rif { enabled: false, ..rif.clone() });
            let disable = Change::Edit { from: Entry::Rif(rif.clone()), to: off.clone() };
            if rif.enabled {
                stages.entry(RIF_OFF).or_default().push(disable);
            }
            stages.entry(stage(&change)).or_default().push(Change::Remove(off));
        } else {
            stages.entry(stage(&change)).or_default().push(change);
        }
    }
    Plan { stages: stages.into_values().collect() }
}

/// Where in a plan RIFs that go are disabled: before anything that hangs on them is removed.
const RIF_OFF: u8 = 20;

/// The stage of a change; see the picture in the file's head.
const fn stage(change: &Change) -> u8 {
    match change {
        Change::Add(entry) => match entry {
            Entry::Router { .. }
            | Entry::Policer { .. }
            | Entry::LpmTree { .. }
            | Entry::Lag { .. }
            | Entry::AgeingTime { .. }
            | Entry::FloodTable { .. }
            | Entry::Multipath => 0,
            Entry::TrapGroup { .. }
            | Entry::LpmTreeShape { .. }
            | Entry::Fid { .. }
            | Entry::LagCollector { .. } => 1,
            Entry::Trap { .. }
            | Entry::VrTree { .. }
            | Entry::Rif(_)
            | Entry::LagCollecting { .. } => 2,
            Entry::RouterMac { .. }
            | Entry::Route { .. }
            | Entry::Adjacency { .. }
            | Entry::Neighbour { .. }
            | Entry::MulticastDefault { .. }
            | Entry::Learnt { .. }
            | Entry::LagPort { .. } => 3,
            Entry::FidRif { .. }
            | Entry::EgressVid { .. }
            | Entry::PortPvid { .. }
            | Entry::PortVlan { .. }
            | Entry::PortLearning { .. }
            | Entry::FloodPort { .. } => 5,
            Entry::PortVidFid { .. } | Entry::VidFid { .. } => 6,
            Entry::PortStp { .. } => 7,
        },
        Change::Edit { to: Entry::Rif(_), .. } => 4,
        // a mapping that lets go of its router interface: after that was disabled
        Change::Edit {
            from: Entry::PortVidFid { rif: Some(_), .. } | Entry::VidFid { rif: Some(_), .. },
            to: Entry::PortVidFid { rif: None, .. } | Entry::VidFid { rif: None, .. },
        } => 22,
        Change::Edit { .. } => 5,
        Change::Remove(entry) => match entry {
            Entry::Route { .. } | Entry::MulticastDefault { .. } | Entry::PortStp { .. } => 21,
            Entry::Adjacency { .. }
            | Entry::Neighbour { .. }
            | Entry::PortVidFid { .. }
            | Entry::VidFid { .. }
            | Entry::FidRif { .. }
            | Entry::EgressVid { .. } => 22,
            Entry::RouterMac { .. }
            | Entry::PortLearning { .. }
            | Entry::PortVlan { .. }
            | Entry::PortPvid { .. }
            | Entry::FloodPort { .. }
            | Entry::LagPort { .. } => 23,
            Entry::Rif(_)
            | Entry::Trap { .. }
            | Entry::VrTree { .. }
            | Entry::Learnt { .. }
            | Entry::LagCollecting { .. } => 24,
            Entry::Fid { .. }
            | Entry::TrapGroup { .. }
            | Entry::LpmTreeShape { .. }
            | Entry::LagCollector { .. } => 25,
            Entry::Router { .. }
            | Entry::Policer { .. }
            | Entry::LpmTree { .. }
            | Entry::Lag { .. }
            | Entry::AgeingTime { .. }
            | Entry::FloodTable { .. }
            | Entry::Multipath => 26,
        },
    }
}
