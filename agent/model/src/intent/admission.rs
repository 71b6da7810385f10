//! When a macvlan's MAC belongs into the chip: the admission policies, each clause a condition that `explain` shows.
//!
//! A backup must never attract traffic, and no single attribute tells a backup from an active router for all daemons:
//! keepalived's backup is up without the virtual address, FRR's has the address but is held down by proto_down.
//! `active` is the conjunction that is right for both.

use std::net::IpAddr;

use super::interface::vrf_of;
use super::place::Objection;
use super::{LinuxBridges, Reason, Scene, Verdict, VmacPolicy};
use crate::topology::{
    Address, IpvlanFlag, IpvlanMode, Link, LinkKind, MacvlanMode, OperState, Topology, ifa_proto,
};

/// The device below a macvlan or ipvlan, in this network namespace.
pub(super) struct Below<'a> {
    pub(super) link: &'a Link,
    pub(super) home: Home<'a>,
}

/// Who takes frames for the device below.
#[derive(Clone, Copy)]
pub(super) enum Home<'a> {
    /// The chip, with a router interface.
    Chip {
        /// Why it has no place for the device.
        objection: Option<Reason>,
        has_rif: bool,
    },
    /// A bridge of Linux's own; or why its forwarding table has no place for the device.
    Linux(Result<(), &'a Objection>),
}

/// Judges a macvlan or ipvlan.
pub(super) fn admit(scene: &Scene<'_>, link: &Link, below: Option<&Below<'_>>) -> Verdict {
    let (topology, policy) = (scene.topology, scene.policy);
    let mut verdict = Verdict::default();
    verdict.ask(
        link.link_netnsid.is_none(),
        Reason::ForeignNetns,
        "its lower device is in this network namespace",
    );
    let lower = below.map(|below| below.link);
    let name = lower.map_or("its lower device", |lower| lower.ifname.as_str());
    let elsewhere = Home::Chip { objection: Some(Reason::LowerNotAsic), has_rif: false };
    let home = below.map_or(elsewhere, |below| below.home);
    let (on_chip, text) = match home {
        Home::Linux(_) => (true, format!("{name} is a bridge of Linux's own, or a VLAN of one")),
        Home::Chip { objection, .. } => (
            objection != Some(Reason::LowerNotAsic),
            format!("{name} is a port of the chip, or stands on one"),
        ),
    };
    verdict.ask(on_chip, Reason::LowerNotAsic, text);
    verdict.ask(
        !policy.exclude.contains(&link.ifname),
        Reason::ExcludedByConfig,
        "is not excluded by the configuration",
    );
    if let LinkKind::Ipvlan { mode, flag } = link.kind {
        ipvlan(&mut verdict, name, mode, flag);
        return verdict;
    }
    if matches!(home, Home::Chip { objection: Some(_), .. })
        && lower.is_some_and(|lower| scene.is_on_8021ad_bridge(lower))
    {
        let text = format!("{name} is no 802.1ad bridge");
        verdict.ask(false, Reason::UpperOn8021adBridge, text);
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
    match home {
        Home::Chip { has_rif, .. } => {
            verdict.ask(has_rif, Reason::NoRif, format!("{name} has a router interface"));
        }
        Home::Linux(Ok(())) => {}
        Home::Linux(Err(objection)) => {
            verdict.ask(false, objection.reason, objection.text.clone());
        }
    }
    match policy.vmac_policy_of(lower.map(|lower| lower.ifname.as_str()), link.mac) {
        VmacPolicy::Active => {
            active(&mut verdict, topology, link, lower);
            if scene.withdrawn.contains(&link.ifindex) {
                let text = "its router has sent advertisements not long ago";
                verdict.ask(false, Reason::BackupPolicy, text);
            }
        }
        VmacPolicy::Address => any_address(&mut verdict, topology, link),
        VmacPolicy::Oper => oper(&mut verdict, link),
        VmacPolicy::Always => {
            verdict.ask(true, Reason::NoAddress, "is always admitted (policy always)");
        }
    }
    match home {
        Home::Chip { .. } => {
            let lower_vrf = lower.and_then(|lower| vrf_of(topology, lower));
            let text = format!("is in the same VRF as {name}");
            verdict.ask(vrf == lower_vrf, Reason::VrfMismatch, text);
        }
        // The table says which frames are delivered upwards, whoever looks them up there.
        Home::Linux(_) => {
            let may_write = policy.linux_bridges == LinuxBridges::Written;
            verdict.ask(may_write, Reason::NotManaged, "Firsthop may write to the bridge's table");
        }
    }
    verdict
}

/// An ipvlan shares its lower's MAC, whatever its mode: what differs is how frames get to it.
fn ipvlan(verdict: &mut Verdict, lower: &str, mode: IpvlanMode, flag: IpvlanFlag) {
    verdict.ask(
        flag != IpvlanFlag::Vepa,
        Reason::IpvlanVepaReflection,
        "does not rely on reflected frames",
    );
    let reached = match mode {
        IpvlanMode::L2 => format!("hosts reach it by ARP at the MAC of {lower} (mode l2)"),
        IpvlanMode::L3 => format!("hosts reach it by a route to {lower}, not by ARP (mode l3)"),
        IpvlanMode::L3s => {
            format!("hosts reach it by a route to {lower}, through its netfilter hooks (mode l3s)")
        }
        IpvlanMode::Other(mode) => format!("its mode {mode} is not known"),
    };
    verdict.ask(true, Reason::IpvlanSharesMac, reached);
    verdict.ask(false, Reason::IpvlanSharesMac, "has a MAC of its own");
}

/// The clauses of the `address` policy.
fn any_address(verdict: &mut Verdict, topology: &Topology, link: &Link) {
    let all = topology.addresses(link.ifindex);
    let counted = all.iter().filter(|a| !a.is_dadfailed() && !hidden(a, link)).count();
    verdict.ask(
        counted > 0,
        Reason::NoAddress,
        format!("has an address (it has {counted}; policy address)"),
    );
}

/// The clauses of the `oper` policy.
fn oper(verdict: &mut Verdict, link: &Link) {
    verdict.ask(!link.proto_down, Reason::Protodown, "is not held down by proto_down");
    let up = link.operstate == OperState::Up;
    let text = format!("its own state is up (it is {}; policy oper)", link.operstate.name());
    verdict.ask(up, state_reason(link), text);
}

/// Whom a state that passes no traffic is to blame on.
fn state_reason(link: &Link) -> Reason {
    if link.operstate == OperState::LowerLayerDown {
        Reason::LowerDown
    } else {
        Reason::MacvlanDown
    }
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
    verdict.ask(link.operstate.passes_traffic(), state_reason(link), oper);
    addresses(verdict, topology, link, lower);
}

/// An address by which the policy `active` tells that the router of a macvlan is active.
pub fn qualifying_address<'a>(topology: &'a Topology, link: &Link) -> Option<&'a Address> {
    let lower = link.lower().and_then(|lower| topology.link(lower));
    let lower_addresses = lower.map_or(&[][..], |lower| topology.addresses(lower.ifindex));
    let mut all = topology.addresses(link.ifindex).iter();
    all.find(|address| objection(address, link, lower, lower_addresses).is_none())
}

/// At least one qualifying address, with a word on each that does not qualify.
fn addresses(verdict: &mut Verdict, topology: &Topology, link: &Link, lower: Option<&Link>) {
    let all = topology.addresses(link.ifindex);
    let lower_addresses = lower.map_or(&[][..], |lower| topology.addresses(lower.ifindex));
    let objection = |address: &Address| objection(address, link, lower, lower_addresses);
    if let Some(address) = qualifying_address(topology, link) {
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
