//! Where in the chip a device is: which ports carry its frames, or which bridging domain it is the router of.
//!
//! ```text
//!   port ──────────────────────────────┐
//!   bond, team ═▶ its ports ───────────┼─▶ Lane { ports, VID } ──▶ router sub-port, or member of a bridge
//!   VLAN of one of these ──────────────┘
//!   VLAN-unaware bridge ───────────────┐
//!   VLAN-aware bridge: its PVID ───────┼─▶ Domain { bridge, VID }
//!   VLAN of a VLAN-aware bridge ───────┘
//! ```
//!
//! What mlxsw refuses when it is configured (its vetoes), is an [`Objection`] here, each with a reason of its own: the kernel
//! has done it already, and all that is left is to say so.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ChipIdentity, Policy, Reason};
use crate::chip::Vid;
use crate::topology::{LagMode, Link, LinkKind, Slave, TagProtocol, Topology};
use crate::{IfIndex, LocalPort};

/// All that intent is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What exists.
    pub topology: &'a Topology,
    /// What the operator decides.
    pub policy: &'a Policy,
    /// Which ports are the chip's.
    pub chip: &'a ChipIdentity,
    /// The VLAN-aware bridge that the chip has room for; see [`aware_bridge`].
    pub aware_bridge: Option<IfIndex>,
    /// Macvlans whose routers are silent, and whose MACs the operator wants withdrawn then.
    pub withdrawn: &'a BTreeSet<IfIndex>,
    /// Devices of the kernel's whose drivers route by themselves (`pci/0000:03:00.0`): nothing is written to their bridges.
    pub routers: &'a BTreeSet<String>,
}

impl<'a> Scene<'a> {
    /// The ports of one device as its driver has them, whatever else there is.
    pub(crate) fn alone(
        topology: &'a Topology,
        policy: &'a Policy,
        chip: &'a ChipIdentity,
        aware_bridge: Option<IfIndex>,
    ) -> Self {
        const NO_MACVLANS: &BTreeSet<IfIndex> = &BTreeSet::new();
        const NO_DEVICES: &BTreeSet<String> = &BTreeSet::new();
        let (withdrawn, routers) = (NO_MACVLANS, NO_DEVICES);
        Self { topology, policy, chip, aware_bridge, withdrawn, routers }
    }
}

/// The ports whose frames with one VID are a device's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Its ports, and for each the VID that the port's untagged frames have inside the chip.
    pub ports: BTreeMap<LocalPort, Vid>,
    /// The bond or team that they are members of.
    pub lag: Option<IfIndex>,
    /// [`Vid::UNTAGGED`], or the VLAN.
    pub vid: Vid,
}

/// A bridging domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Domain {
    /// The bridge.
    pub bridge: IfIndex,
    /// The VLAN of a VLAN-aware bridge; None: a VLAN-unaware one.
    pub vlan: Option<Vid>,
}

/// Where a router interface takes its packets from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A port or LAG, or a VLAN of one.
    Subport(Lane),
    /// A bridge, or a VLAN of one.
    Domain(Domain),
}

/// Why the chip has no place for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Objection {
    pub(super) reason: Reason,
    /// The condition that does not hold.
    pub(super) text: String,
}

impl Objection {
    /// Its code.
    pub(crate) const fn reason(&self) -> Reason {
        self.reason
    }
}

fn objection<T>(reason: Reason, text: impl Into<String>) -> Result<T, Objection> {
    Err(Objection { reason, text: text.into() })
}

/// The one VLAN-aware bridge of a chip: of those that have a port of the chip the one with the lowest index
/// (mlxsw: "Only one VLAN-aware bridge is supported").
pub fn aware_bridge(topology: &Topology, chip: &ChipIdentity) -> Option<IfIndex> {
    let policy = Policy::default();
    let scene = Scene::alone(topology, &policy, chip, None);
    let aware = |link: &&Link| is_aware(link) && is_dot1q(link) && scene.has_lanes(link);
    topology.links().find(aware).map(|link| link.ifindex)
}

/// A bridge that tells VLANs apart.
pub(super) const fn is_aware(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Bridge { vlan_filtering: true, .. })
}

/// A bridge whose VLANs have 802.1Q tags.
const fn is_dot1q(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Bridge { protocol: TagProtocol::DOT1Q, .. })
}

/// Does a device stand on a port of this chip, however high?
pub fn stands_on(topology: &Topology, chip: &ChipIdentity, link: &Link) -> bool {
    Scene::alone(topology, &Policy::default(), chip, None).stands_on_chip(link)
}

impl Scene<'_> {
    /// The place of a device as a router interface.
    pub(crate) fn place(&self, link: &Link) -> Result<Place, Objection> {
        let domain =
            |bridge: &Link, vlan| Ok(Place::Domain(Domain { bridge: bridge.ifindex, vlan }));
        match (&link.kind, link.lower().and_then(|lower| self.topology.link(lower))) {
            (LinkKind::Bridge { vlan_filtering, .. }, _) => {
                self.bridge(link)?;
                match (vlan_filtering, self.topology.pvid(link.ifindex)) {
                    (false, _) => domain(link, None),
                    (true, Some(pvid)) => domain(link, Some(Vid(pvid))),
                    (true, None) => {
                        objection(Reason::NoPvid, "has a PVID (`bridge vlan` shows none)")
                    }
                }
            }
            (LinkKind::Vlan { vid, protocol }, Some(bridge))
                if matches!(bridge.kind, LinkKind::Bridge { .. }) =>
            {
                if *protocol != TagProtocol::DOT1Q && self.has_lanes(bridge) {
                    return objection(Reason::VlanProtocolUnsupported, "its tags are 802.1Q tags");
                }
                self.bridge(bridge).map_err(|objection| match objection.reason {
                    Reason::Bridge8021ad => Objection {
                        reason: Reason::UpperOn8021adBridge,
                        text: format!("{} is no 802.1ad bridge", bridge.ifname),
                    },
                    _ => objection,
                })?;
                if !is_aware(bridge) {
                    let text = format!("{} tells VLANs apart (vlan_filtering)", bridge.ifname);
                    return objection(Reason::VlanOfUnawareBridge, text);
                }
                if self.topology.pvid(bridge.ifindex) == Some(*vid) {
                    let text = format!("VLAN {vid} is not the PVID of {}", bridge.ifname);
                    return objection(Reason::VlanIsPvid, text);
                }
                domain(bridge, Some(Vid(*vid)))
            }
            _ => self.lane(link).map(Place::Subport),
        }
    }

    /// The ports and the VID of a port, LAG, or VLAN of one.
    pub(super) fn lane(&self, link: &Link) -> Result<Lane, Objection> {
        if let Some(port) = self.chip.port_of(link) {
            let ports = [(port, self.pvid_inside(link))].into();
            return Ok(Lane { ports, lag: None, vid: Vid::UNTAGGED });
        }
        match &link.kind {
            LinkKind::Bond { .. } | LinkKind::Team => self.lag(link),
            LinkKind::Vlan { vid, protocol } => {
                let lower = link.lower().and_then(|lower| self.topology.link(lower));
                match lower {
                    Some(lower) => self.vlan_of(lower, *vid, *protocol),
                    None => objection(Reason::LowerNotAsic, "stands on a port of the chip"),
                }
            }
            _ => match link.lower().and_then(|lower| self.topology.link(lower)) {
                Some(lower) if self.stands_on_place(lower) => objection(
                    Reason::UpperUnsupported,
                    format!("is a kind of device that the chip has over {}", lower.ifname),
                ),
                _ => objection(Reason::LowerNotAsic, "is a port of the chip, or stands on one"),
            },
        }
    }

    fn lag(&self, link: &Link) -> Result<Lane, Objection> {
        let ports: BTreeSet<LocalPort> = self.ports_of_lag(link.ifindex).collect();
        if ports.is_empty() {
            return objection(Reason::LowerNotAsic, "has a port of the chip among its members");
        }
        if let LinkKind::Bond { mode: mode @ LagMode::Other(_) } = link.kind {
            let text = format!("distributes by a hash (its mode is {})", mode.name());
            return objection(Reason::LagModeUnsupported, text);
        }
        let pvid = self.pvid_inside(link);
        let ports = ports.into_iter().map(|port| (port, pvid)).collect();
        Ok(Lane { ports, lag: Some(link.ifindex), vid: Vid::UNTAGGED })
    }

    /// The chip's ports among the members of a bond or team.
    pub(super) fn ports_of_lag(&self, lag: IfIndex) -> impl Iterator<Item = LocalPort> {
        self.topology.members(lag).filter_map(|member| self.chip.port_of(member))
    }

    fn vlan_of(&self, lower: &Link, vid: u16, protocol: TagProtocol) -> Result<Lane, Objection> {
        let lane = match &lower.kind {
            LinkKind::Vlan { .. } | LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. }
                if self.stands_on_place(lower) =>
            {
                let text = format!("{} is a port of the chip or a LAG of them", lower.ifname);
                return objection(Reason::UpperUnsupported, text);
            }
            _ => self.lane(lower)?,
        };
        if protocol != TagProtocol::DOT1Q {
            return objection(Reason::VlanProtocolUnsupported, "its tags are 802.1Q tags");
        }
        if let Some(master) = self.topology.master(lower) {
            let name = &lower.ifname;
            match &master.kind {
                LinkKind::Bond { .. } | LinkKind::Team => {
                    let text = format!("{name} is not a member of {}", master.ifname);
                    return objection(Reason::VlanOnLagPort, text);
                }
                LinkKind::Other { name: kind } if kind == "openvswitch" => {
                    let text = format!("{name} is not a port of Open vSwitch");
                    return objection(Reason::VlanOnOvsPort, text);
                }
                LinkKind::Bridge {
                    vlan_filtering: true, protocol: TagProtocol::DOT1AD, ..
                } => {
                    let text = format!("{name} is not a port of an 802.1ad bridge");
                    return objection(Reason::VlanOn8021adPort, text);
                }
                LinkKind::Bridge { vlan_filtering: true, protocol: TagProtocol::DOT1Q, .. } => {
                    self.check_lock(lower)?;
                    if self.topology.vlans(lower.ifindex).any(|(own, _)| own == vid) {
                        let text =
                            format!("VLAN {vid} of {name} is not bridged by {}", master.ifname);
                        return objection(Reason::VlanInBridge, text);
                    }
                }
                _ => {}
            }
            self.check_lock(lower)?;
        }
        Ok(Lane { vid: Vid(vid), ..lane })
    }

    /// Frames of a VLAN device would pass the lock of the port below.
    fn check_lock(&self, lower: &Link) -> Result<(), Objection> {
        match lower.slave {
            Slave::BridgePort { locked: true, .. } => {
                let text = format!("{} is not a locked bridge port", lower.ifname);
                objection(Reason::VlanOnLockedPort, text)
            }
            _ => Ok(()),
        }
    }

    /// May the chip bridge for this bridge?
    pub(super) fn bridge(&self, bridge: &Link) -> Result<(), Objection> {
        let LinkKind::Bridge { vlan_filtering, protocol, .. } = bridge.kind else {
            return objection(Reason::LowerNotAsic, "is a bridge");
        };
        if !self.has_lanes(bridge) {
            let text = format!("{} has a port of the chip among its members", bridge.ifname);
            return objection(Reason::LowerNotAsic, text);
        }
        if !vlan_filtering {
            return Ok(());
        }
        match protocol {
            TagProtocol::DOT1Q => {}
            TagProtocol::DOT1AD => {
                let text = format!("{} is no 802.1ad bridge", bridge.ifname);
                return objection(Reason::Bridge8021ad, text);
            }
            TagProtocol(other) => {
                let text =
                    format!("{} has a VLAN protocol known here (0x{other:04x})", bridge.ifname);
                return objection(Reason::BridgeProtocolUnknown, text);
            }
        }
        match self.aware_bridge.filter(|holder| *holder != bridge.ifindex) {
            Some(holder) => {
                let holder = self.topology.link(holder).map_or("another", |link| &link.ifname);
                let text = format!("is the chip's only VLAN-aware bridge ({holder} is)");
                objection(Reason::SecondVlanAwareBridge, text)
            }
            None => Ok(()),
        }
    }

    /// An 802.1ad bridge, or a device directly on one.
    pub(super) fn is_on_8021ad_bridge(&self, link: &Link) -> bool {
        let is_one = |link: &Link| {
            is_aware(link)
                && matches!(link.kind, LinkKind::Bridge { protocol: TagProtocol::DOT1AD, .. })
        };
        let lower = link.lower().and_then(|lower| self.topology.link(lower));
        is_one(link) || lower.is_some_and(is_one)
    }

    /// Has a bridge a member that the chip could bridge?
    fn has_lanes(&self, bridge: &Link) -> bool {
        let takes_vlans = !(is_aware(bridge) && is_dot1q(bridge));
        self.topology.members(bridge.ifindex).any(|member| {
            let vlan = matches!(member.kind, LinkKind::Vlan { .. });
            (takes_vlans || !vlan) && self.lane(member).is_ok()
        })
    }

    /// Is it, or does it stand on, what the chip could have: a port, a LAG of ports, or a bridge with a member that it could bridge?
    fn stands_on_place(&self, link: &Link) -> bool {
        let own = match link.kind {
            LinkKind::Bridge { .. } => self.has_lanes(link),
            LinkKind::Bond { .. } | LinkKind::Team => {
                self.ports_of_lag(link.ifindex).next().is_some()
            }
            _ => self.chip.port_of(link).is_some(),
        };
        let lower = link.lower().and_then(|lower| self.topology.link(lower));
        own || lower.is_some_and(|lower| self.stands_on_place(lower))
    }

    /// Is there a port of the chip anywhere below?
    pub(crate) fn stands_on_chip(&self, link: &Link) -> bool {
        self.stands_on(link, &|port| self.chip.port_of(port).is_some())
    }

    /// Is there a port anywhere below whose device has a driver that routes by itself?
    pub(super) fn stands_on_router(&self, link: &Link) -> bool {
        !self.routers.is_empty()
            && self.stands_on(link, &|port| {
                port.devlink.as_ref().is_some_and(|port| self.routers.contains(&port.device))
            })
    }

    fn stands_on(&self, link: &Link, is_port: &impl Fn(&Link) -> bool) -> bool {
        is_port(link)
            || if link.kind.has_members() {
                self.topology.members(link.ifindex).any(|link| self.stands_on(link, is_port))
            } else {
                let lower = link.lower().and_then(|lower| self.topology.link(lower));
                lower.is_some_and(|lower| self.stands_on(lower, is_port))
            }
    }

    /// The VID that untagged frames of a port or LAG have inside the chip: its PVID in the VLAN-aware bridge, else a VID of
    /// their own, as mlxsw does it.
    fn pvid_inside(&self, base: &Link) -> Vid {
        let base = match self.topology.master(base) {
            Some(lag) if matches!(lag.kind, LinkKind::Bond { .. } | LinkKind::Team) => lag,
            _ => base,
        };
        let bridged = base.master.filter(|master| Some(*master) == self.aware_bridge);
        bridged.and_then(|_| self.topology.pvid(base.ifindex)).map_or(Vid::UNTAGGED, Vid)
    }

    /// In which words a place is told.
    pub(crate) fn place_text(&self, place: &Place) -> String {
        match place {
            Place::Subport(lane) => {
                let ports: Vec<String> = lane.ports.keys().map(|port| port.0.to_string()).collect();
                let ports = match (ports.as_slice(), lane.lag) {
                    ([port], None) => format!("port {port}"),
                    (_, _) => format!("the LAG of ports {}", ports.join(", ")),
                };
                match lane.vid {
                    Vid::UNTAGGED => format!("is {ports} of the chip"),
                    vid => format!("is VLAN {vid} of {ports} of the chip"),
                }
            }
            Place::Domain(Domain { bridge, vlan }) => {
                let name = self.topology.link(*bridge).map_or("a bridge", |link| &link.ifname);
                match vlan {
                    None => format!("is the VLAN-unaware bridge {name}"),
                    Some(vid) => format!("is VLAN {vid} of the VLAN-aware bridge {name}"),
                }
            }
        }
    }
}
