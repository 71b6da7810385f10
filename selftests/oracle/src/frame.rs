//! What becomes of a frame that enters a port: routed, bridged or dropped?

use std::collections::{BTreeMap, BTreeSet};

use crate::bridging::{Member, members};
use crate::rif::Shape;
use crate::router::{RouterInterface, router_interfaces};
use crate::verdict::is_running;
use crate::{Device, Kernel, Kind, Mac, Stp};

/// Everything that a switch does, in one kernel state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// By ifindex.
    pub router_interfaces: BTreeMap<u32, RouterInterface>,
    /// The members that the chip bridges, by the ifindex of the bridge.
    pub bridges: BTreeMap<u32, Vec<Member>>,
    /// Ports whose frames count, and by which frames leave: all but those members of a bond that carry no traffic, and those
    /// members of a team that are down.
    carrying: BTreeSet<u16>,
}

/// What becomes of a frame. Nothing at all: it is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fate {
    /// The device whose router interface takes it.
    pub routed_by: Option<u32>,
    /// Where it is bridged.
    pub bridged: Option<Bridged>,
}

/// A frame in a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridged {
    /// The bridge.
    pub bridge: u32,
    /// Its VLAN, in a VLAN-aware bridge.
    pub vid: Option<u16>,
    /// Where copies go, while nobody knows where the destination is.
    pub copies: Vec<Copy>,
}

/// A copy leaves by one of these ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// One port, or those of a LAG.
    pub ports: BTreeSet<u16>,
    /// The tag with which it leaves.
    pub tag: Option<u16>,
}

impl Switch {
    /// What the rules say of a kernel state.
    pub fn of(kernel: &Kernel) -> Self {
        let is_bridge = |ifindex: &u32| matches!(kernel.devices[ifindex].kind, Kind::Bridge { .. });
        let bridges = kernel.devices.keys().copied().filter(is_bridge);
        let carries = |device: &&Device| match kernel.master_of(device).map(|master| master.kind) {
            Some(Kind::Bond { .. }) => device.carries,
            Some(Kind::Team) => is_running(device),
            _ => true,
        };
        let carrying = kernel.devices.values().filter(carries);
        Self {
            router_interfaces: router_interfaces(kernel),
            bridges: bridges.map(|bridge| (bridge, members(kernel, bridge))).collect(),
            carrying: carrying.filter_map(|device| device.port).collect(),
        }
    }

    /// What becomes of a frame to this MAC that enters a front-panel port, tagged or not.
    pub fn fate(&self, port: u16, tag: Option<u16>, to: Mac) -> Fate {
        let dropped = Fate::default();
        if !self.carrying.contains(&port) {
            return dropped;
        }
        let group = to[0] & 1 == 1;
        let takes = |rif: &u32| group || self.router_interfaces[rif].answers.contains_key(&to);
        let subport = self.router_interface(|shape| match shape {
            Shape::Subport { ports, vid } => ports.contains(&port) && *vid == tag,
            Shape::Vlan { .. } | Shape::Fid { .. } => false,
        });
        if let Some(rif) = subport {
            return Fate { routed_by: Some(rif).filter(takes), bridged: None };
        }
        let Some((bridge, vid, member)) = self.bridge_of(port, tag) else { return dropped };
        if member.stp != Stp::Forwarding {
            return dropped;
        }
        let rif = self.router_interface(|shape| match shape {
            Shape::Fid { bridge: of } => *of == bridge,
            Shape::Vlan { bridge: of, vid: of_vid } => *of == bridge && Some(*of_vid) == vid,
            Shape::Subport { .. } => false,
        });
        let routed_by = rif.filter(takes);
        if routed_by.is_some() && !group {
            return Fate { routed_by, bridged: None };
        }
        let copies = self.copies(bridge, vid, member);
        Fate { routed_by, bridged: Some(Bridged { bridge, vid, copies }) }
    }

    fn router_interface(&self, is_it: impl Fn(&Shape) -> bool) -> Option<u32> {
        let mut all = self.router_interfaces.iter();
        all.find(|(_, rif)| is_it(&rif.shape)).map(|(ifindex, _)| *ifindex)
    }

    /// To every other member in the VLAN that forwards.
    fn copies(&self, bridge: u32, vid: Option<u16>, from: &Member) -> Vec<Copy> {
        let mut copies = Vec::new();
        for member in &self.bridges[&bridge] {
            if member.ifindex == from.ifindex || member.stp != Stp::Forwarding {
                continue;
            }
            let ports: BTreeSet<u16> = member.ports.intersection(&self.carrying).copied().collect();
            if let Some(tag) = member.vlans.get(&vid)
                && !ports.is_empty()
            {
                copies.push(Copy { ports, tag: *tag });
            }
        }
        copies
    }

    /// The bridge, the VLAN in it, and the member by which a frame comes in.
    fn bridge_of(&self, port: u16, tag: Option<u16>) -> Option<(u32, Option<u16>, &Member)> {
        for (bridge, members) in &self.bridges {
            for member in members.iter().filter(|member| member.ports.contains(&port)) {
                let found = match tag {
                    None => member.untagged,
                    Some(vid) if member.vlans.contains_key(&Some(vid)) => Some(Some(vid)),
                    // A VLAN device takes the frames with its tag.
                    Some(vid) if member.vlans.get(&None) == Some(&Some(vid)) => Some(None),
                    Some(_) => None,
                };
                if let Some(vid) = found {
                    return Some((*bridge, vid, member));
                }
            }
        }
        None
    }
}
