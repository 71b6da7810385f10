//! Which router MACs belong into the forwarding tables of bridges that Linux itself bridges for?
//!
//! Where no router of a chip takes frames (DSA, ocelot, a bridge of plain Ethernet devices), the kernel's bridge does. It does not
//! know the MACs of macvlans on it: it floods frames for them, or sends them to where it last saw such a MAC. An entry of its own
//! (`bridge fdb add MAC dev BRIDGE self local`) ends both; drivers that offload local entries take it for theirs.
//!
//! ```text
//!   bridge without ports of the chip, or of a device whose driver routes by itself:
//!                                       unaware ─▶ (bridge, no VLAN)     aware ─▶ (bridge, its PVID)
//!   VLAN device of one:                unaware ─▶ (bridge, no VLAN)     aware ─▶ (bridge, its VLAN), if the bridge is a member
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::place::Objection;
use super::{Domain, LinuxBridges, Reason, Scene};
use crate::Mac;
use crate::chip::Vid;
use crate::topology::{Link, LinkKind};

/// What the forwarding table of a bridge should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeMacs {
    /// The bridge, and the VLAN of a VLAN-aware one.
    pub domain: Domain,
    /// The MACs that should be its own; also those that are only shown, see [`LinuxBridges`].
    pub macs: BTreeSet<Mac>,
}

impl BridgeMacs {
    pub(super) const fn of(domain: &Domain) -> Self {
        Self { domain: *domain, macs: BTreeSet::new() }
    }
}

impl Scene<'_> {
    /// The forwarding table for MACs over a device; None: it is no such bridge, or nobody wants to hear of it.
    pub(super) fn linux_bridge(&self, link: &Link) -> Option<Result<Domain, Objection>> {
        if self.policy.linux_bridges == LinuxBridges::Ignored {
            return None;
        }
        let (bridge, vlan) = match link.kind {
            LinkKind::Bridge { .. } => (link, None),
            LinkKind::Vlan { vid, .. } => (self.topology.link(link.lower()?)?, Some(vid)),
            _ => return None,
        };
        let LinkKind::Bridge { vlan_filtering, .. } = bridge.kind else { return None };
        if self.stands_on_chip(bridge) || self.stands_on_router(bridge) {
            return None;
        }
        let domain = |vlan: Option<u16>| Domain { bridge: bridge.ifindex, vlan: vlan.map(Vid) };
        let objection = |reason, text| Err(Objection { reason, text });
        Some(match vlan.or_else(|| self.topology.pvid(bridge.ifindex)) {
            _ if !vlan_filtering => Ok(domain(None)),
            None => {
                let text = format!("{} has a PVID (`bridge vlan` shows none)", bridge.ifname);
                objection(Reason::NoPvid, text)
            }
            Some(vid) if self.topology.vlans(bridge.ifindex).any(|(own, _)| own == vid) => {
                Ok(domain(Some(vid)))
            }
            Some(vid) => {
                let text = format!("{} itself is a member of VLAN {vid}", bridge.ifname);
                objection(Reason::VlanNotOnBridge, text)
            }
        })
    }
}
