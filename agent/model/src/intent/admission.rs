//! When a macvlan's MAC belongs into the chip: the admission policies, each clause a condition that `explain` shows.
//!
//! A backup must never attract traffic, and no single attribute tells a backup from an active router for all daemons:
//! keepalived's backup is up without the virtual address, FRR's has the address but is held down by proto_down.
//! `active` is the conjunction that is right for both.

use std::net::IpAddr;

use super::interface::vrf_of;
use super::{Policy, Reason, Verdict};
use crate::topology::{Address, Link, LinkKind, MacvlanMode, Topology, ifa_proto};

/// Judges a macvlan or ipvlan. `lower` is the device below if it is in this network namespace and known.
pub(super) fn admit(
    topology: &Topology,
    link: &Link,
    lower: Option<&Link>,
    lower_is_port: bool,
    lower_has_rif: bool,
    policy: &Policy,
) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.ask(
        link.link_netnsid.is_none(),
        Reason::ForeignNetns,
        "its lower device is in this network namespace",
    );
    let below = lower.map_or("its lower device", |lower| lower.ifname.as_str());
    verdict.ask(lower_is_port, Reason::LowerNotAsic, format!("{below} is a port of the chip"));
    verdict.ask(
        !policy.exclude.contains(&link.ifname),
        Reason::ExcludedByConfig,
        "is not excluded by the configuration",
    );
    if let LinkKind::Ipvlan { vepa } = link.kind {
        verdict.ask(!vepa, Reason::IpvlanVepaReflection, "does not rely on reflected frames");
        verdict.ask(false, Reason::IpvlanSharesMac, "has a MAC of its own");
        return verdict;
    }
    let vrf = vrf_of(topology, link);
    verdict.ask(
        link.master.is_none() || vrf.is_some(),
        Reason::MacvlanEnslaved,
        "is not a member of a bridge, bond or team",
    );
    verdict.ask(
        link.kind != LinkKind::Macvlan { mode: MacvlanMode::Passthru },
        Reason::MacvlanPassthru,
        "is not in mode passthru",
    );
    verdict.ask(
        link.mac.is_some_and(|mac| !mac.is_multicast() && !mac.is_zero()),
        Reason::MacMulticast,
        "has a unicast MAC",
    );
    verdict.ask(lower_has_rif, Reason::NoRif, format!("{below} has a router interface"));
    active(&mut verdict, topology, link, lower);
    let lower_vrf = lower.and_then(|lower| vrf_of(topology, lower));
    verdict.ask(vrf == lower_vrf, Reason::VrfMismatch, format!("is in the same VRF as {below}"));
    verdict
}

/// The clauses of the `active` policy.
fn active(verdict: &mut Verdict, topology: &Topology, link: &Link, lower: Option<&Link>) {
    verdict.ask(link.is_up(), Reason::MacvlanDown, "is administratively up");
    verdict.ask(!link.proto_down, Reason::Protodown, "is not held down by proto_down");
    // A lower's admin-down sends no message for the macvlan, so the lower is asked itself.
    let lower_up = lower.is_some_and(|lower| lower.is_up() && lower.operstate.passes_traffic());
    let state = lower.map_or("absent", |lower| {
        if lower.is_up() { lower.operstate.name() } else { "administratively down" }
    });
    verdict.ask(lower_up, Reason::LowerDown, format!("its lower device is up (it is {state})"));
    let oper = format!("its own state passes traffic (it is {})", link.operstate.name());
    let blame = if link.operstate == crate::topology::OperState::LowerLayerDown {
        Reason::LowerDown
    } else {
        Reason::MacvlanDown
    };
    verdict.ask(link.operstate.passes_traffic(), blame, oper);
    addresses(verdict, topology, link, lower);
}

/// At least one qualifying address, with a word on each that does not qualify.
fn addresses(verdict: &mut Verdict, topology: &Topology, link: &Link, lower: Option<&Link>) {
    let all = topology.addresses(link.ifindex);
    let lower_addresses = lower.map_or(&[][..], |lower| topology.addresses(lower.ifindex));
    let objection = |address: &Address| objection(address, link, lower, lower_addresses);
    if let Some(address) = all.iter().find(|address| objection(address).is_none()) {
        let text = format!("has a qualifying address ({}/{})", address.ip, address.prefix_len);
        return verdict.ask(true, Reason::NoAddress, text);
    }
    let told: Vec<String> = all
        .iter()
        .filter(|address| !hidden(address, link))
        .filter_map(|address| Some(format!("{} {}", address.ip, objection(address)?)))
        .collect();
    let link_local = all.iter().any(|a| a.is_link_local_v6() && !hidden(a, link));
    let reason = if link_local { Reason::LinklocalOnly } else { Reason::NoAddress };
    let text = if told.is_empty() {
        "has a qualifying address (it has none)".to_owned()
    } else {
        format!("has a qualifying address ({})", told.join(", "))
    };
    verdict.ask(false, reason, text);
}

/// Why an address does not show that this router is active; None: it does.
fn objection(
    address: &Address,
    link: &Link,
    lower: Option<&Link>,
    lower_addresses: &[Address],
) -> Option<&'static str> {
    if address.is_dadfailed() {
        return Some("failed duplicate-address detection");
    }
    let IpAddr::V6(ip) = address.ip else { return None };
    if address.proto == Some(ifa_proto::KERNEL_RA) {
        return Some("comes from a router advertisement");
    }
    if !ip.is_unicast_link_local() {
        return None;
    }
    if made_by_kernel(address, link) {
        return Some("was made by the kernel");
    }
    // keepalived mirrors the parent's link-local onto a backup's macvlan, also before the parent's own is announced.
    let lower = lower?;
    let mut announced =
        lower_addresses.iter().filter(|a| a.is_link_local_v6() && !hidden(a, lower)).peekable();
    if !announced.clone().any(|a| !a.is_tentative()) {
        return Some("can't be told from the lower's, which is not announced yet");
    }
    if announced.any(|a| a.ip == address.ip) {
        return Some("is the lower's");
    }
    None
}

/// A link-local that the kernel generated: by IFA_PROTO, or where that is missing by the EUI-64 of the MAC.
pub(super) fn made_by_kernel(address: &Address, link: &Link) -> bool {
    address.is_link_local_v6()
        && match address.proto {
            Some(proto) => proto == ifa_proto::KERNEL_LL,
            None => link.mac.is_some_and(|mac| address.ip == IpAddr::V6(mac.link_local())),
        }
}

/// Dumps show these, events do not: they count nowhere, so that both ways lead to the same state.
fn hidden(address: &Address, link: &Link) -> bool {
    address.is_tentative() && made_by_kernel(address, link)
}
