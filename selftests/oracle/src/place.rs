//! Where in the chip is a device? Ports, LAGs, VLANs of them, bridges: the definitions of the rules, word by word.
//!
//! ```text
//!   chip port   a netdev that is a front-panel port
//!   LAG         a bond or team with at least one chip port as member
//!   bridge      in the chip if the chip can bridge for a member: a chip port, a LAG or an 802.1Q VLAN device of one of these
//!   aware       vlan_filtering 1 with protocol 802.1Q
//! ```

use std::collections::BTreeSet;

use crate::{Device, Kernel, Kind, Protocol};

/// A bond or team with a chip port in it.
pub(crate) fn is_lag(kernel: &Kernel, ifindex: u32) -> bool {
    let Some(device) = kernel.devices.get(&ifindex) else { return false };
    is_bundle(device) && kernel.members(ifindex).any(|(_, member)| member.port.is_some())
}

/// A bond or team, whatever is in it.
pub(crate) fn is_bundle(device: &Device) -> bool {
    matches!(device.kind, Kind::Bond { .. } | Kind::Team)
}

/// A bond whose mode no chip has.
pub(crate) fn is_odd_bond(device: &Device) -> bool {
    device.kind == Kind::Bond { hashes: false }
}

/// A chip port or a LAG.
pub(crate) fn is_port_or_lag(kernel: &Kernel, ifindex: u32) -> bool {
    kernel.devices.get(&ifindex).is_some_and(|device| device.port.is_some())
        || is_lag(kernel, ifindex)
}

/// The front-panel ports that a chip port or a LAG consists of.
pub(crate) fn ports_of(kernel: &Kernel, ifindex: u32) -> BTreeSet<u16> {
    let Some(device) = kernel.devices.get(&ifindex) else { return BTreeSet::new() };
    if is_bundle(device) {
        kernel.members(ifindex).filter_map(|(_, member)| member.port).collect()
    } else {
        device.port.into_iter().collect()
    }
}

/// Does a bridge have a member that the chip could bridge?
pub(crate) fn is_chip_bridge(kernel: &Kernel, ifindex: u32) -> bool {
    let Some(device) = kernel.devices.get(&ifindex) else { return false };
    matches!(device.kind, Kind::Bridge { .. })
        && kernel.members(ifindex).any(|(index, member)| {
            let vlan_in_vlans = matches!(member.kind, Kind::Vlan { .. }) && is_aware(device);
            !vlan_in_vlans && way_refusal(kernel, index, member).is_none()
        })
}

/// Why a port, a LAG or a VLAN device of one can't be bridged, whatever the bridge.
pub(crate) fn way_refusal(kernel: &Kernel, ifindex: u32, device: &Device) -> Option<&'static str> {
    let Kind::Vlan { vid, protocol } = device.kind else {
        let rows = [
            ("lower_not_asic", !is_port_or_lag(kernel, ifindex)),
            ("lag_mode_unsupported", is_odd_bond(device)),
        ];
        return rows.into_iter().find(|(_, applies)| *applies).map(|(reason, _)| reason);
    };
    let Some((below, lower)) = kernel.lower_of(device) else { return Some("lower_not_asic") };
    let master = kernel.master_of(lower);
    let of = |what: &dyn Fn(&Device) -> bool| master.is_some_and(what);
    let in_bridge = of(&|master| matches!(master.kind, Kind::Bridge { .. }));
    let rows = [
        ("lower_not_asic", !is_port_or_lag(kernel, below)),
        ("lag_mode_unsupported", is_odd_bond(lower)),
        ("vlan_protocol_unsupported", protocol != Protocol::Dot1q),
        ("vlan_on_lag_port", of(&is_bundle)),
        ("vlan_on_ovs_port", of(&|master| master.kind == Kind::OpenVswitch)),
        ("vlan_on_8021ad_port", of(&is_provider)),
        ("vlan_on_locked_port", in_bridge && lower.locked),
        ("vlan_in_bridge", of(&is_aware) && kernel.vlans_of(below).contains_key(&vid)),
    ];
    rows.into_iter().find(|(_, applies)| *applies).map(|(reason, _)| reason)
}

/// Is anything of the chip below?
pub(crate) fn stands_on_chip(kernel: &Kernel, ifindex: u32) -> bool {
    let Some(device) = kernel.devices.get(&ifindex) else { return false };
    is_port_or_lag(kernel, ifindex)
        || is_chip_bridge(kernel, ifindex)
        || kernel.lower_of(device).is_some_and(|(lower, _)| stands_on_chip(kernel, lower))
}

/// vlan_filtering 1, protocol 802.1Q
pub(crate) fn is_aware(device: &Device) -> bool {
    device.kind == Kind::Bridge { filtering: true, protocol: Protocol::Dot1q }
}

/// vlan_filtering 0
pub(crate) fn is_unaware(device: &Device) -> bool {
    matches!(device.kind, Kind::Bridge { filtering: false, .. })
}

/// vlan_filtering 1, protocol 802.1ad
pub(crate) fn is_provider(device: &Device) -> bool {
    device.kind == Kind::Bridge { filtering: true, protocol: Protocol::Dot1ad }
}

/// vlan_filtering 1 with a protocol that nobody knows
pub(crate) fn is_strange(device: &Device) -> bool {
    device.kind == Kind::Bridge { filtering: true, protocol: Protocol::Other }
}

/// Of the VLAN-aware bridges in the chip only the one with the lowest ifindex is offloaded.
pub(crate) fn is_second_aware(kernel: &Kernel, ifindex: u32) -> bool {
    let aware = |other: &u32| {
        kernel.devices.get(other).is_some_and(is_aware) && is_chip_bridge(kernel, *other)
    };
    aware(&ifindex) && kernel.devices.keys().any(|other| *other < ifindex && aware(other))
}
