//! Which devices are router interfaces of which kind, and why are the others not? The table of the rules, row by row.

use std::collections::BTreeSet;

use crate::address::exists;
use crate::place::{
    is_aware, is_bundle, is_odd_bond, is_provider, is_second_aware, is_strange, is_unaware,
    ports_of, stands_on_chip,
};
use crate::{Device, Kernel, Kind, Protocol};

/// The routing table outside any VRF.
pub const MAIN_TABLE: u32 = 254;

/// Where a router interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A port or LAG, or a VLAN of one.
    Subport {
        /// The front-panel ports.
        ports: BTreeSet<u16>,
        /// The VLAN; none: untagged frames.
        vid: Option<u16>,
    },
    /// A VLAN of the VLAN-aware bridge.
    Vlan {
        /// The bridge.
        bridge: u32,
        /// VID
        vid: u16,
    },
    /// A VLAN-unaware bridge.
    Fid {
        /// The bridge.
        bridge: u32,
    },
}

/// The router interface that a device is, or the reason code why it is none. Macvlans and ipvlans, of which [`crate::verdict`]
/// has more to say, never are.
pub fn shape(kernel: &Kernel, ifindex: u32) -> Result<Shape, &'static str> {
    let device = kernel.devices.get(&ifindex).ok_or("lower_not_asic")?;
    let below = kernel.lower_of(device);
    let lower = below.map(|(_, lower)| lower);
    let (vid, protocol) = match device.kind {
        Kind::Vlan { vid, protocol } => (Some(vid), Some(protocol)),
        _ => (None, None),
    };
    let is_vlan = vid.is_some();
    let vlan_on = |what: &dyn Fn(&Device) -> bool| is_vlan && lower.is_some_and(what);
    // The master of the device below a VLAN device.
    let lowers_master = lower.and_then(|lower| kernel.master_of(lower));
    let vlan_on_member_of =
        |what: &dyn Fn(&Device) -> bool| is_vlan && lowers_master.is_some_and(what);
    let lower_has_vid = below
        .is_some_and(|(lower, _)| vid.is_some_and(|vid| kernel.vlans_of(lower).contains_key(&vid)));
    let carries_vlans = |lower: &Device| {
        lower.port.is_some() || is_bundle(lower) || matches!(lower.kind, Kind::Bridge { .. })
    };
    let is_bridge_member = |lower: &Device| {
        kernel.master_of(lower).is_some_and(|m| matches!(m.kind, Kind::Bridge { .. }))
    };
    let second = is_second_aware(kernel, ifindex)
        || is_vlan && below.is_some_and(|(lower, _)| is_second_aware(kernel, lower));
    let pvid = kernel.pvid_of(ifindex);
    let lowers_pvid = below.and_then(|(lower, _)| kernel.pvid_of(lower));
    let has_address = kernel.addresses_of(ifindex).iter().any(|address| exists(address, device));

    let rows: [(&'static str, bool); 20] = [
        ("lower_not_asic", !stands_on_chip(kernel, ifindex)),
        ("excluded_by_config", kernel.excluded.contains(&device.name)),
        ("upper_unsupported", is_child(device.kind) || vlan_on(&|lower| !carries_vlans(lower))),
        ("lag_mode_unsupported", is_odd_bond(device) || vlan_on(&is_odd_bond)),
        ("vlan_protocol_unsupported", is_vlan && protocol != Some(Protocol::Dot1q)),
        ("vlan_on_lag_port", vlan_on_member_of(&is_bundle)),
        ("vlan_on_ovs_port", vlan_on_member_of(&|master| master.kind == Kind::OpenVswitch)),
        ("vlan_on_8021ad_port", vlan_on_member_of(&is_provider)),
        ("vlan_on_locked_port", vlan_on(&|lower| is_bridge_member(lower) && lower.locked)),
        ("vlan_in_bridge", vlan_on_member_of(&is_aware) && lower_has_vid),
        ("bridge_8021ad", is_provider(device)),
        ("upper_on_8021ad_bridge", vlan_on(&is_provider)),
        ("bridge_protocol_unknown", is_strange(device) || vlan_on(&is_strange)),
        ("second_vlan_aware_bridge", second),
        ("vlan_of_unaware_bridge", vlan_on(&is_unaware)),
        ("port_enslaved", is_enslaved(kernel, device)),
        ("no_pvid", is_aware(device) && pvid.is_none()),
        ("vlan_is_pvid", vlan_on(&is_aware) && vid == lowers_pvid),
        ("no_address", !has_address && vrf_of(kernel, device).is_none()),
        ("mac_multicast", device.mac[0] & 1 == 1 || device.mac == [0; 6]),
    ];
    if let Some((reason, _)) = rows.into_iter().find(|(_, applies)| *applies) {
        return Err(reason);
    }
    let lower_index = below.map_or(ifindex, |(lower, _)| lower);
    Ok(match (device.kind, vid) {
        (_, Some(vid)) if vlan_on(&is_aware) => Shape::Vlan { bridge: lower_index, vid },
        (_, Some(_)) => Shape::Subport { ports: ports_of(kernel, lower_index), vid },
        (Kind::Bridge { .. }, None) => match pvid.filter(|_| is_aware(device)) {
            Some(vid) => Shape::Vlan { bridge: ifindex, vid },
            None => Shape::Fid { bridge: ifindex },
        },
        (_, None) => Shape::Subport { ports: ports_of(kernel, ifindex), vid: None },
    })
}

/// A kind of device that is never a router interface of its own.
fn is_child(kind: Kind) -> bool {
    use Kind::{Ipvlan, Macvlan, PassthruMacvlan, Stacked, VepaIpvlan};
    [Ipvlan, Macvlan, PassthruMacvlan, Stacked, VepaIpvlan].contains(&kind)
}

/// Is the device a router interface?
pub(crate) fn has_rif(kernel: &Kernel, ifindex: u32) -> bool {
    shape(kernel, ifindex).is_ok()
}

/// Member of a master that is no VRF, or that nobody has heard of.
pub(crate) fn is_enslaved(kernel: &Kernel, device: &Device) -> bool {
    device.master.is_some() && vrf_of(kernel, device).is_none()
}

/// The routing table of the VRF that a device is in.
pub(crate) fn vrf_of(kernel: &Kernel, device: &Device) -> Option<u32> {
    match kernel.master_of(device)?.kind {
        Kind::Vrf(table) => Some(table),
        _ => None,
    }
}

/// Where the packets of a router interface are looked up; the local and the default table are folded into the main one.
pub(crate) fn table_of(kernel: &Kernel, device: &Device) -> u32 {
    match vrf_of(kernel, device) {
        None | Some(253 | 255) => MAIN_TABLE,
        Some(table) => table,
    }
}
