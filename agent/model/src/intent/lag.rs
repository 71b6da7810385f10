//! Which ports a bond or team joins, and which of them take part.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Scene;
use crate::topology::{LinkKind, Slave};
use crate::{IfIndex, LocalPort};

/// A port in a LAG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagMember {
    /// It sends and receives; else it only belongs to the LAG, as one does that LACP has not admitted yet.
    pub active: bool,
}

/// What a bond or team comes to: its ports of the chip.
pub type Lag = BTreeMap<LocalPort, LagMember>;

/// Computes what a bond or team comes to; empty for anything else, and for one that the chip can't distribute for.
pub fn lag(scene: &Scene<'_>, ifindex: IfIndex) -> Lag {
    let Some(link) = scene.topology.link(ifindex) else { return Lag::new() };
    if !matches!(link.kind, LinkKind::Bond { .. } | LinkKind::Team) || scene.lane(link).is_err() {
        return Lag::new();
    }
    let members = scene.topology.members(ifindex).filter_map(|member| {
        let port = scene.chip.port_of(member)?;
        let active = match member.slave {
            Slave::BondSlave { active, link_up } => active && link_up,
            // a team says nothing in rtnetlink: a port with carrier takes part
            _ => member.is_up() && member.operstate.passes_traffic(),
        };
        Some((port, LagMember { active }))
    });
    members.collect()
}
