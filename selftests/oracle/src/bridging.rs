//! Which {port, VID} are bridged by the chip in which bridge and VLAN, and why are the other members not?

use std::collections::{BTreeMap, BTreeSet};

use crate::place::{
    is_aware, is_chip_bridge, is_provider, is_second_aware, is_strange, is_unaware, ports_of,
    way_refusal,
};
use crate::{Kernel, Kind, Stp};

/// One member of a bridge as the chip has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The netdev.
    pub ifindex: u32,
    /// Its front-panel ports: one, or those of a LAG.
    pub ports: BTreeSet<u16>,
    /// STP state
    pub stp: Stp,
    /// By the VLAN inside the bridge (none in a VLAN-unaware one): its frames have this tag on the wire.
    pub vlans: BTreeMap<Option<u16>, Option<u16>>,
    /// The VLAN of untagged frames; the outer none: they are dropped.
    pub untagged: Option<Option<u16>>,
}

/// Does the chip bridge anything for this bridge? None: it does; the reason code otherwise.
pub fn bridge_refusal(kernel: &Kernel, bridge: u32) -> Option<&'static str> {
    let device = kernel.devices.get(&bridge)?;
    let rows = [
        ("lower_not_asic", !is_chip_bridge(kernel, bridge)),
        ("bridge_8021ad", is_provider(device)),
        ("bridge_protocol_unknown", is_strange(device)),
        ("second_vlan_aware_bridge", is_second_aware(kernel, bridge)),
    ];
    rows.into_iter().find(|(_, applies)| *applies).map(|(reason, _)| reason)
}

/// Why the chip does not bridge for a member of a bridge; None: it does, or the device is no member of a bridge.
pub fn member_refusal(kernel: &Kernel, ifindex: u32) -> Option<&'static str> {
    let device = kernel.devices.get(&ifindex)?;
    let bridge_index = device.master?;
    let bridge = kernel.devices.get(&bridge_index)?;
    if !matches!(bridge.kind, Kind::Bridge { .. }) {
        return None;
    }
    let is_vlan = matches!(device.kind, Kind::Vlan { .. });
    let below = kernel.lower_of(device).filter(|_| is_vlan);
    let foundation = if is_vlan { below.map(|(lower, _)| lower) } else { Some(ifindex) };
    if let Some(reason) = bridge_refusal(kernel, bridge_index)
        && reason != "lower_not_asic"
    {
        return Some(reason);
    }
    if is_vlan && is_aware(bridge) {
        return Some("vlan_in_vlan_aware_bridge");
    }
    if let Some(reason) = way_refusal(kernel, ifindex, device) {
        return Some(reason);
    }
    let rivals = kernel.members(bridge_index).filter(|(other, rival)| {
        let on = match rival.kind {
            Kind::Vlan { .. } => kernel.lower_of(rival).map(|(lower, _)| lower),
            _ => Some(*other),
        };
        on == foundation && *other < ifindex && member_refusal(kernel, *other).is_none()
    });
    (is_unaware(bridge) && rivals.count() > 0).then_some("vlans_of_one_port_bridged")
}

/// The members of a bridge as the chip has them.
pub fn members(kernel: &Kernel, bridge: u32) -> Vec<Member> {
    let Some(device) = kernel.devices.get(&bridge) else { return Vec::new() };
    let in_chip = kernel.members(bridge).filter(|(i, _)| member_refusal(kernel, *i).is_none());
    in_chip
        .map(|(ifindex, member)| {
            let lower = kernel.lower_of(member);
            let (ports, vlans, untagged) = match member.kind {
                Kind::Vlan { vid, .. } => {
                    let ports = lower.map(|(lower, _)| ports_of(kernel, lower)).unwrap_or_default();
                    (ports, [(None, Some(vid))].into(), None)
                }
                _ if is_aware(device) => {
                    let tag = |vid: u16, untagged: bool| (!untagged).then_some(vid);
                    let vlans = kernel
                        .vlans_of(ifindex)
                        .into_iter()
                        .map(|(vid, vlan)| (Some(vid), tag(vid, vlan.untagged)))
                        .collect();
                    (ports_of(kernel, ifindex), vlans, kernel.pvid_of(ifindex).map(Some))
                }
                _ => (ports_of(kernel, ifindex), [(None, None)].into(), Some(None)),
            };
            Member { ifindex, ports, stp: member.stp, vlans, untagged }
        })
        .collect()
}
