//! State and reason of a macvlan or ipvlan: the table of the book, read from top to bottom, first match wins.

use std::net::IpAddr;

use crate::router::{
    exists, fast_path, has_rif, is_enslaved, is_kernel_made, is_link_local, is_unborn, vrf_of,
    vrrp_ids,
};
use crate::{Address, Device, Kernel, Kind, Oper, Proto};

/// State and reason by their stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// `not_offloaded`, `held`, `refused` or `offload`: what it comes to once the chip took everything.
    pub state: &'static str,
    /// None: offloaded, and nothing to say.
    pub reason: Option<&'static str>,
}

/// What a macvlan or ipvlan comes to under the policy `active`, on a chip that is not full; None for other devices.
pub fn verdict(kernel: &Kernel, ifindex: u32) -> Option<Verdict> {
    let verdict = without_fast_path(kernel, ifindex)?;
    if verdict.state == "offload" && loses_fast_path(kernel, ifindex) {
        return Some(Verdict { reason: Some("vrid_conflict"), ..verdict });
    }
    Some(verdict)
}

/// The same without the informational reason, which depends on the siblings.
pub(crate) fn without_fast_path(kernel: &Kernel, ifindex: u32) -> Option<Verdict> {
    let device = kernel.devices.get(&ifindex)?;
    let ipvlan = matches!(device.kind, Kind::Ipvlan | Kind::VepaIpvlan);
    let macvlan = matches!(device.kind, Kind::Macvlan | Kind::PassthruMacvlan);
    if !ipvlan && !macvlan {
        return None;
    }
    let lower_index = device.lower.filter(|_| !device.lower_is_foreign);
    let lower = lower_index.and_then(|lower| kernel.devices.get(&lower));
    let lower_has_rif = lower_index.is_some_and(|lower| has_rif(kernel, lower));
    let own = kernel.addresses_of(ifindex);
    let no_address_qualifies = !own.iter().any(|address| qualifies(kernel, address, device));
    let has_link_local =
        own.iter().any(|address| is_link_local(address.ip) && !is_unborn(address, device));

    let rows: [(&str, &str, bool); 15] = [
        ("not_offloaded", "foreign_netns", device.lower_is_foreign),
        ("not_offloaded", "lower_not_asic", lower.and_then(|lower| lower.port).is_none()),
        ("not_offloaded", "excluded_by_config", kernel.excluded.contains(&device.name)),
        ("not_offloaded", "macvlan_enslaved", macvlan && is_enslaved(kernel, device)),
        ("not_offloaded", "macvlan_passthru", device.kind == Kind::PassthruMacvlan),
        ("not_offloaded", "mac_multicast", macvlan && (is_group(device) || device.mac == [0; 6])),
        ("not_offloaded", "ipvlan_shares_mac", device.kind == Kind::Ipvlan),
        ("not_offloaded", "ipvlan_vepa_reflection", device.kind == Kind::VepaIpvlan),
        ("held", "no_rif", !lower_has_rif),
        ("held", "macvlan_down", !device.up),
        // A device held down by proto_down, or below which all is down, is down itself: the cause is the better reason.
        ("held", "protodown", device.proto_down),
        (
            "held",
            "lower_down",
            !lower.is_some_and(is_running) || device.oper == Oper::LowerLayerDown,
        ),
        ("held", "macvlan_down", !is_running(device)),
        ("held", "no_address", no_address_qualifies && !has_link_local),
        ("held", "linklocal_only", no_address_qualifies),
    ];
    for (state, reason, applies) in rows {
        if applies {
            return Some(Verdict { state, reason: Some(reason) });
        }
    }
    if lower.map(|lower| vrf_of(kernel, lower)) != Some(vrf_of(kernel, device)) {
        return Some(Verdict { state: "refused", reason: Some("vrf_mismatch") });
    }
    Some(Verdict { state: "offload", reason: None })
}

/// Does another VRID hold the fast path of this macvlan's family?
fn loses_fast_path(kernel: &Kernel, ifindex: u32) -> bool {
    let Some(device) = kernel.devices.get(&ifindex) else { return false };
    let Some(lower) = device.lower else { return false };
    let (holder_v4, holder_v6) = fast_path(kernel, lower);
    match vrrp_ids(device.mac) {
        (Some(vrid), _) => holder_v4 != Some(vrid),
        (_, Some(vrid)) => holder_v6 != Some(vrid),
        (None, None) => false,
    }
}

/// IFF_UP, and an operational state that is not one of the three bad ones; unknown counts as up.
fn is_running(device: &Device) -> bool {
    device.up && !matches!(device.oper, Oper::Down | Oper::LowerLayerDown | Oper::NotPresent)
}

fn is_group(device: &Device) -> bool {
    device.mac[0] & 1 == 1
}

/// Does the address show that this router is the active one?
fn qualifies(kernel: &Kernel, address: &Address, device: &Device) -> bool {
    if !exists(address, device) {
        return false;
    }
    let global = matches!(address.ip, IpAddr::V6(_)) && !is_link_local(address.ip);
    if address.ip.is_ipv4() {
        return true;
    }
    if global {
        return address.proto != Proto::RouterAdvertisement;
    }
    if is_kernel_made(address, device) {
        return false;
    }
    // A link-local says something only beside the lower's own.
    let Some(lower) = device.lower.and_then(|lower| kernel.devices.get(&lower)) else {
        return false;
    };
    let lower_addresses = device.lower.map_or(&[][..], |lower| kernel.addresses_of(lower));
    let lowers: Vec<_> = lower_addresses
        .iter()
        .filter(|other| is_link_local(other.ip) && !is_unborn(other, lower))
        .collect();
    let settled = lowers.iter().any(|other| !other.tentative);
    let mirrored = lowers.iter().any(|other| other.ip == address.ip);
    settled && !mirrored
}
