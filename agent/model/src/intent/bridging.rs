//! Which ports a bridge joins to which domains, and which of its members the chip can't bridge.
//!
//! ```text
//!   VLAN-unaware bridge:  each member's lane ─▶ the one domain
//!   VLAN-aware bridge:    each VLAN of each member ─▶ the domain of that VLAN
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::place::is_aware;
use super::{Domain, Lane, Reason, Scene, Verdict};
use crate::chip::Vid;
use crate::topology::{Link, LinkKind, Slave, StpState};
use crate::{IfIndex, LocalPort};

/// A port in a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The bond or team by which it is in.
    pub lag: Option<IfIndex>,
    /// The VID of the port's untagged frames inside the chip.
    pub pvid: Vid,
    /// The domain's frames leave without a tag.
    pub untagged: bool,
    /// Spanning tree
    pub state: StpState,
    /// Source addresses are learnt.
    pub learning: bool,
}

/// The members of a domain by port and VID.
pub type Members = BTreeMap<(LocalPort, Vid), Member>;

/// What a bridge comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bridging {
    /// Domains with their members, by VLAN; None: the only domain of a VLAN-unaware bridge.
    pub domains: BTreeMap<Option<Vid>, Members>,
    /// How long a learnt MAC lives, in hundredths of a second; 0: for ever.
    pub ageing_time: u32,
    /// What becomes of each member that stands on the chip.
    pub verdicts: BTreeMap<IfIndex, Verdict>,
}

impl Bridging {
    /// Nothing to bridge and nothing to say.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.verdicts.is_empty()
    }
}

/// Computes what a bridge comes to; empty for anything else.
pub fn bridging(scene: &Scene<'_>, ifindex: IfIndex) -> Bridging {
    let topology = scene.topology;
    let Some(bridge) = topology.link(ifindex) else { return Bridging::default() };
    let LinkKind::Bridge { ageing_time, .. } = bridge.kind else { return Bridging::default() };
    let mut bridging = Bridging { ageing_time, ..Bridging::default() };
    let offloaded = scene.bridge(bridge);
    for member in topology.members(ifindex).filter(|member| scene.stands_on_chip(member)) {
        let mut verdict = Verdict::default();
        if let Err(objection) = &offloaded
            && objection.reason != Reason::LowerNotAsic
        {
            verdict.ask(false, objection.reason, objection.text.clone());
        }
        if is_aware(bridge) && matches!(member.kind, LinkKind::Vlan { .. }) {
            let text = format!("is not a VLAN device in the VLAN-aware bridge {}", bridge.ifname);
            verdict.ask(false, Reason::VlanInVlanAwareBridge, text);
        }
        match scene.lane(member) {
            Err(objection) => verdict.ask(false, objection.reason, objection.text),
            Ok(lane) => {
                let ways = ways(scene, bridge, member, &lane);
                let taken = bridging.shares_a_port(bridge, &lane);
                let text = format!("no other VLAN of its port is in {}", bridge.ifname);
                verdict.ask(!taken, Reason::VlansOfOnePortBridged, text);
                let text = format!("is bridged by the chip in {} VLANs", ways.len());
                if verdict.admits() {
                    verdict.ask(true, Reason::LowerNotAsic, text);
                    for (vlan, key, way) in ways {
                        bridging.domains.entry(vlan).or_default().insert(key, way);
                    }
                }
            }
        }
        bridging.verdicts.insert(member.ifindex, verdict);
    }
    bridging
}

impl Bridging {
    /// A VLAN-unaware bridge can't tell two VLANs of one port apart.
    fn shares_a_port(&self, bridge: &Link, lane: &Lane) -> bool {
        let mut members = self.domains.values().flatten();
        !is_aware(bridge) && members.any(|((port, _), _)| lane.ports.contains_key(port))
    }

    /// The members of a domain.
    pub fn members(&self, domain: Domain) -> Option<&Members> {
        self.domains.get(&domain.vlan)
    }
}

/// The verdict of a bridge member that is not the chip's, in a bridge that the chip bridges for; None: it is none.
pub fn foreign_member(scene: &Scene<'_>, link: &Link) -> Option<Verdict> {
    let bridge = scene.topology.master(link).filter(|bridge| scene.bridge(bridge).is_ok())?;
    let mut verdict = Verdict::default();
    let text = format!("is the chip's, as the bridge {} is", bridge.ifname);
    verdict.ask(false, Reason::ForeignBridgeMember, text);
    (!scene.stands_on_chip(link)).then_some(verdict)
}

/// The ways by which a member's frames get into domains.
fn ways(
    scene: &Scene<'_>,
    bridge: &Link,
    member: &Link,
    lane: &Lane,
) -> Vec<(Option<Vid>, (LocalPort, Vid), Member)> {
    let (state, learning) = match member.slave {
        Slave::BridgePort { state, learning, .. } => (state, learning),
        // the bridge has not said yet
        _ => (StpState::Discarding, true),
    };
    let mut ways = Vec::new();
    for (port, pvid) in &lane.ports {
        let mut add = |vlan, vid: Vid, untagged| {
            let way = Member { lag: lane.lag, pvid: *pvid, untagged, state, learning };
            ways.push((vlan, (*port, vid), way));
        };
        if is_aware(bridge) {
            for (vid, flags) in scene.topology.vlans(member.ifindex) {
                add(Some(Vid(vid)), Vid(vid), flags.untagged);
            }
        } else {
            add(None, lane.vid, lane.vid == Vid::UNTAGGED);
        }
    }
    ways
}
