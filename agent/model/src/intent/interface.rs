//! Which device gets a router interface (rule: it has an address, or is a VRF slave), and with what content.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::admission::{Below, Home, admit, made_by_kernel};
use super::{
    BridgeMacs, Destinations, Place, Protocol, Reason, RouterInterface, Scene, Scheme, TABLE_MAIN,
    Unit, Verdict, table_of,
};
use crate::topology::{Address, Link, LinkKind, Topology};
use crate::types::Family;
use crate::{IfIndex, Mac};

/// Computes what one device comes to. Empty for a device that is gone, and for one that another unit speaks for.
pub fn unit(scene: &Scene<'_>, ifindex: IfIndex) -> Unit {
    let topology = scene.topology;
    let Some(link) = topology.link(ifindex) else { return Unit::default() };
    if is_virtual(link) {
        return orphan(scene, link);
    }
    let rif = judge(scene, link);
    let admitted = rif.admits();
    let place = scene.place(link);
    let objection = place.as_ref().err().map(|objection| objection.reason);
    let linux = scene.linux_bridge(link);
    let mut bridge_macs =
        linux.as_ref().and_then(|domain| domain.as_ref().ok()).map(BridgeMacs::of);

    let mut vmacs = BTreeMap::new();
    let mut virtual_routers = 0;
    let place = place.ok().filter(|_| admitted);
    let mut interface = place.and_then(|place| describe(topology, link, place));
    let home = match &linux {
        Some(domain) => Home::Linux(domain.as_ref().map(|_| ())),
        None => Home::Chip { objection, has_rif: interface.is_some() },
    };
    let below = Below { link, home };
    for upper in topology.uppers(ifindex).filter(|upper| is_virtual(upper)) {
        let verdict = admit(scene, upper, Some(&below));
        if let Some(interface) = interface.as_mut().filter(|_| verdict.admits()) {
            accept(interface, topology, upper);
        }
        let advertised = interface.is_some() && upper.mac.is_some_and(is_vrrp);
        virtual_routers += u32::from(advertised);
        // what would be written is worth telling
        if let Some(macs) = bridge_macs.as_mut()
            && matches!(verdict.reason(), None | Some(Reason::NotManaged))
        {
            macs.macs.extend(upper.mac);
        }
        vmacs.insert(upper.ifindex, verdict);
    }
    let worth_telling = admitted || !topology.addresses(ifindex).is_empty();
    let rif = worth_telling.then_some(rif);
    Unit { router_interface: interface, bridge_macs, rif, vmacs, virtual_routers }
}

/// The verdict of a device as a router interface, also for one that has no address.
pub fn judge(scene: &Scene<'_>, link: &Link) -> Verdict {
    let topology = scene.topology;
    let mut verdict = Verdict::default();
    let place = scene.place(link);
    let (mut early, mut late) = (None, None);
    match place {
        Ok(place) => verdict.ask(true, Reason::LowerNotAsic, scene.place_text(&place)),
        Err(objection) if objection.reason == Reason::LowerNotAsic => {
            verdict.ask(false, Reason::LowerNotAsic, objection.text);
        }
        Err(objection) if objection.reason.state() == super::State::Held => late = Some(objection),
        Err(objection) => early = Some(objection),
    }
    verdict.ask(
        !scene.policy.exclude.contains(&link.ifname),
        Reason::ExcludedByConfig,
        "is not excluded by the configuration",
    );
    if let Some(objection) = early {
        verdict.ask(false, objection.reason, objection.text);
    }
    let vrf = vrf_of(topology, link);
    verdict.ask(
        link.master.is_none() || vrf.is_some(),
        Reason::PortEnslaved,
        "is not a member of a bridge, bond or team",
    );
    if let Some(objection) = late {
        verdict.ask(false, objection.reason, objection.text);
    }
    let counted = topology.addresses(link.ifindex).iter().filter(|a| counts(a, link)).count();
    let text = match (counted, vrf) {
        (0, None) => "has no address".to_owned(),
        (0, Some(_)) => "has no address but is a VRF slave".to_owned(),
        (1, _) => "has 1 address".to_owned(),
        (n, _) => format!("has {n} addresses"),
    };
    verdict.ask(counted > 0 || vrf.is_some(), Reason::NoAddress, text);
    let mac = link.mac.filter(|mac| !mac.is_multicast() && !mac.is_zero());
    verdict.ask(mac.is_some(), Reason::MacMulticast, "has a unicast MAC");
    verdict
}

/// A virtual router's MAC of RFC 9568.
fn is_vrrp(mac: Mac) -> bool {
    Scheme::of(mac).vrrp().is_some()
}

/// A macvlan or ipvlan: spoken for by the device below it.
pub(crate) const fn is_virtual(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. })
}

/// The table of the VRF that a device is a slave of.
pub(super) fn vrf_of(topology: &Topology, link: &Link) -> Option<u32> {
    match topology.link(link.master?)?.kind {
        LinkKind::Vrf { table } => Some(table),
        _ => None,
    }
}

/// A macvlan whose lower is elsewhere, or not announced yet: nobody else speaks for it.
fn orphan(scene: &Scene<'_>, link: &Link) -> Unit {
    if link.lower().is_some_and(|lower| scene.topology.link(lower).is_some()) {
        return Unit::default();
    }
    let verdict = admit(scene, link, None);
    Unit { vmacs: [(link.ifindex, verdict)].into(), ..Unit::default() }
}

/// An address that makes a router interface. Link-locals count, as in mlxsw_sp_rif_should_config(); a failed one
/// never does, and a tentative one of the kernel's own is in dumps but not in events.
fn counts(address: &Address, link: &Link) -> bool {
    !(address.is_dadfailed() || address.is_tentative() && made_by_kernel(address, link))
}

fn describe(topology: &Topology, link: &Link, place: Place) -> Option<RouterInterface> {
    let mac = link.mac?;
    let own = BTreeSet::from([link.ifindex]);
    let mut accepted = topology.receiving_macs(link.ifindex);
    // vrrpd takes a virtual MAC first, and keeps the former one by a second call: it is not withdrawn in between
    let is_virtual = |mac: Mac| Scheme::of(mac).protocol != Protocol::Other;
    if is_virtual(mac) {
        accepted.extend(topology.recent_macs(link.ifindex).filter(|mac| !is_virtual(*mac)));
    }
    let mut destinations = BTreeSet::new();
    extend(&mut destinations, topology, link);
    Some(RouterInterface {
        ifindex: link.ifindex,
        place,
        table: vrf_of(topology, link).map_or(TABLE_MAIN, table_of),
        mac,
        mtu: u16::try_from(link.mtu).unwrap_or(u16::MAX),
        router_macs: accepted.into_iter().chain([mac]).map(|mac| (mac, own.clone())).collect(),
        vrrp_ipv4: None,
        vrrp_ipv6: None,
        destinations,
    })
}

/// Adds an admitted macvlan to the interface below it.
fn accept(interface: &mut RouterInterface, topology: &Topology, upper: &Link) {
    let Some(mac) = upper.mac else { return };
    interface.router_macs.entry(mac).or_default().insert(upper.ifindex);
    extend(&mut interface.destinations, topology, upper);
    if let Some((family, vrid)) = Scheme::of(mac).vrrp() {
        let slot = match family {
            Family::Ipv4 => &mut interface.vrrp_ipv4,
            Family::Ipv6 => &mut interface.vrrp_ipv6,
        };
        *slot = Some(slot.map_or(vrid, |holder| holder.min(vrid)));
    }
}

/// The addresses that the kernel itself serves, as mlxsw maps RTN_LOCAL and RTN_BROADCAST. Unicast link-locals need
/// no route: the chip traps that scope by itself (trap ipv6_uc_dip_link_local_scope).
fn extend(destinations: &mut Destinations, topology: &Topology, link: &Link) {
    for address in topology.addresses(link.ifindex).iter().filter(|a| counts(a, link)) {
        if address.is_link_local_v6() {
            continue;
        }
        destinations.insert(IpNet::from(address.ip));
        if let IpAddr::V4(ip) = address.ip
            && let Ok(net) = Ipv4Net::new(ip, address.prefix_len)
            && address.prefix_len < 31
        {
            destinations.insert(IpNet::from(IpAddr::V4(net.broadcast())));
        }
        destinations.extend(address.broadcast.map(IpNet::from));
    }
}
