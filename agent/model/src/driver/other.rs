//! Drivers that take no macvlan's MAC: prestera, those that only bridge, and netdevsim.
//!
//! ```text
//!                     router interface                    macvlan on a port, LAG or VLAN of one     on a bridge
//!   prestera          plain port with an IPv4 address     refused                                   Linux's
//!   bridging          none                                nobody's                                  Linux's
//!   netdevsim         none                                nobody's                                  Linux's
//! ```
//!
//! A macvlan on a bridge is told of by the bridge ([`BridgeMacs`](crate::intent::BridgeMacs)), not here.

use std::net::IpAddr;

use super::{DeviceAudit, Driver, Evidence, RifAudit, VmacAudit, bases, uppers};
use crate::intent::{Reason, Scene, Verdict, judge, unit};
use crate::topology::{Link, LinkKind};

pub(super) fn audit(scene: &Scene<'_>, driver: Driver, audit: &mut DeviceAudit) {
    let evidence = Evidence::Computed;
    for link in bases(scene) {
        let (verdict, place) = (rif(scene, driver, link), scene.place(link).ok());
        audit.rifs.insert(link.ifindex, RifAudit { verdict, evidence, index: None, place });
        if is_bridge(scene, link) {
            continue;
        }
        let told = unit(scene, link.ifindex).vmacs;
        for upper in uppers(scene, link.ifindex) {
            let Some(policy) = told.get(&upper.ifindex).cloned() else { continue };
            let verdict = match &upper.kind {
                LinkKind::Ipvlan { .. } => policy.clone(),
                _ => vmac(driver, link, &audit.handle),
            };
            let (fast_path, hazards) = (false, Vec::new());
            let vmac = VmacAudit { verdict, evidence, policy, fast_path, hazards };
            audit.vmacs.insert(upper.ifindex, vmac);
        }
    }
}

/// A bridge, or a VLAN device of one.
fn is_bridge(scene: &Scene<'_>, link: &Link) -> bool {
    let below = link.lower().and_then(|lower| scene.topology.link(lower));
    let is = |link: &Link| matches!(link.kind, LinkKind::Bridge { .. });
    is(link) || below.is_some_and(is)
}

fn rif(scene: &Scene<'_>, driver: Driver, link: &Link) -> Verdict {
    if driver == Driver::Prestera && scene.chip.port_of(link).is_some() {
        let mut verdict = judge(scene, link);
        let addresses = scene.topology.addresses(link.ifindex);
        let ipv4 = addresses.iter().any(|address| matches!(address.ip, IpAddr::V4(_)));
        let text = "has an IPv4 address (its driver routes nothing else)";
        verdict.ask(ipv4, Reason::NoAddress, text);
        return verdict;
    }
    let mut verdict = Verdict::default();
    verdict.ask(true, Reason::LowerNotAsic, "is a port of a switch, or stands on one");
    let text = match driver {
        Driver::Prestera => "is a plain port: its driver routes for nothing else",
        _ => "its driver routes",
    };
    verdict.ask(false, Reason::RifUnsupported, text);
    verdict
}

fn vmac(driver: Driver, lower: &Link, handle: &str) -> Verdict {
    let mut verdict = Verdict::default();
    let text = format!("{} is a port of {handle}, or stands on one", lower.ifname);
    verdict.ask(true, Reason::LowerNotAsic, text);
    let text = match driver {
        Driver::Prestera => "its driver takes macvlans (it refuses them on its ports)",
        Driver::Netdevsim => "its driver has a datapath",
        _ => "its driver has a router that can take the MAC",
    };
    verdict.ask(false, Reason::VmacUnsupported, text);
    verdict
}
