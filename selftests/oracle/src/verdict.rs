//! State and reason of a macvlan or ipvlan: the table of the book, read from top to bottom, first match wins.

use std::net::IpAddr;

use crate::address::{exists, is_kernel_made, is_link_local, is_unborn};
use crate::place::{is_provider, stands_on_chip};
use crate::rif::{has_rif, is_enslaved, table_of};
use crate::router::{fast_path, vrrp_ids};
use crate::{Address, Device, Kernel, Kind, Oper, Policy, Proto};

/// State and reason by their stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// `not_offloaded`, `held`, `refused` or `offload`: what it comes to once the chip took everything.
    pub state: &'static str,
    /// None: offloaded, and nothing to say.
    pub reason: Option<&'static str>,
}

/// What a macvlan or ipvlan comes to on a chip that is not full; None for other devices.
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
    let below = kernel.lower_of(device);
    let lower = below.map(|(_, lower)| lower);
    let lower_has_rif = below.is_some_and(|(lower, _)| has_rif(kernel, lower));
    // On an 802.1ad bridge, or on a VLAN of one.
    let lowers_lower = lower.and_then(|lower| kernel.lower_of(lower)).map(|(_, lower)| lower);
    let on_provider = lower.is_some_and(is_provider) || lowers_lower.is_some_and(is_provider);

    let rows = [
        ("foreign_netns", device.lower_is_foreign),
        ("lower_not_asic", !below.is_some_and(|(lower, _)| stands_on_chip(kernel, lower))),
        ("excluded_by_config", kernel.excluded.contains(&device.name)),
        ("ipvlan_shares_mac", device.kind == Kind::Ipvlan),
        ("ipvlan_vepa_reflection", device.kind == Kind::VepaIpvlan),
        ("upper_on_8021ad_bridge", on_provider),
        ("macvlan_enslaved", macvlan && is_enslaved(kernel, device)),
        ("macvlan_passthru", device.kind == Kind::PassthruMacvlan),
        ("mac_multicast", macvlan && (is_group(device) || device.mac == [0; 6])),
    ];
    if let Some((reason, _)) = rows.into_iter().find(|(_, applies)| *applies) {
        return Some(Verdict { state: "not_offloaded", reason: Some(reason) });
    }
    let held = if lower_has_rif { objection(kernel, ifindex, device) } else { Some("no_rif") };
    if held.is_some() {
        return Some(Verdict { state: "held", reason: held });
    }
    if lower.map(|lower| table_of(kernel, lower)) != Some(table_of(kernel, device)) {
        return Some(Verdict { state: "refused", reason: Some("vrf_mismatch") });
    }
    Some(Verdict { state: "offload", reason: None })
}

/// What the admission policy has against a macvlan.
fn objection(kernel: &Kernel, ifindex: u32, device: &Device) -> Option<&'static str> {
    let lower = kernel.lower_of(device).map(|(_, lower)| lower);
    let own = kernel.addresses_of(ifindex);
    let no_address_qualifies = !own.iter().any(|address| qualifies(kernel, address, device));
    let has_link_local =
        own.iter().any(|address| is_link_local(address.ip) && !is_unborn(address, device));
    let lower_is_down = !lower.is_some_and(is_running) || device.oper == Oper::LowerLayerDown;
    let rows = match policy_of(kernel, device) {
        Policy::Active => vec![
            ("macvlan_down", !device.up),
            // A device held down by proto_down, or below which all is down, is down itself: the cause is the better reason.
            ("protodown", device.proto_down),
            ("lower_down", lower_is_down),
            ("macvlan_down", !is_running(device)),
            ("no_address", no_address_qualifies && !has_link_local),
            ("linklocal_only", no_address_qualifies),
        ],
        Policy::Address => {
            vec![("no_address", !own.iter().any(|address| exists(address, device)))]
        }
        Policy::Oper => vec![
            ("protodown", device.proto_down),
            ("lower_down", device.oper == Oper::LowerLayerDown),
            ("macvlan_down", device.oper != Oper::Up),
        ],
        Policy::Always => Vec::new(),
    };
    rows.into_iter().find(|(_, applies)| *applies).map(|(reason, _)| reason)
}

/// The policy for a macvlan: that of the first rule that applies, else the one for all.
fn policy_of(kernel: &Kernel, device: &Device) -> Policy {
    let lower = kernel.lower_of(device).map(|(_, lower)| &lower.name);
    for rule in &kernel.admission.rules {
        let over_it = rule.lower.is_none() || rule.lower.as_ref() == lower;
        let has_prefix = rule.mac.as_ref().is_none_or(|octets| device.mac.starts_with(octets));
        if over_it && has_prefix {
            return rule.policy;
        }
    }
    kernel.admission.default
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
pub(crate) fn is_running(device: &Device) -> bool {
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
