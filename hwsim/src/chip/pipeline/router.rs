//! What does the router do with a packet? Interface, enables, checks, control traps, then the routes.

use std::net::IpAddr;

use emad::register::Ritr;

use super::{Flow, Walk, control};
use crate::chip::multicast;
use crate::chip::rif_counter::Passage;
use crate::chip::route::{self, RouteAction, RouteTrap};
use crate::chip::trace::Recorder;
use crate::chip::traps::id;
use crate::packet::{BROADCAST, L3};

/// What the router needs to know of an IP packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) hops: u8,
    pub(super) len: u32,
}

impl<'a, R: Recorder> Walk<'a, R> {
    /// The frame is for the router: its destination is a router MAC, or the router is in the flood vector.
    pub(super) fn route(&mut self) {
        let Some(rif) = self.decision.rif else {
            self.step("router", "svfa", || "irif".into(), || "none".into());
            return self.discard("no_irif");
        };
        let enabled = self.tables.rifs.enabled(rif);
        self.step(
            "router",
            "ritr",
            || format!("rif {rif}"),
            || enabled.map_or("disabled".into(), |ritr| format!("vr {}", ritr.virtual_router)),
        );
        let Some(ritr) = enabled else {
            self.hit(id::IRIF_DISABLED);
            return;
        };
        match self.l3 {
            L3::Arp => self.route_arp(),
            L3::CorruptIpv4 | L3::CorruptIpv6 => {
                let len = self.frame.payload().len().try_into().unwrap_or(u32::MAX);
                self.decision.routed_in = Some(Passage { rif, len, error: true });
                self.hit(id::IP_HEADER_CORRUPTED);
            }
            L3::Ipv4(ip) => {
                let multicast = ip.destination().is_multicast();
                let on = self.tables.router.ipv4_en;
                let accepts = if multicast { ritr.ipv4_mc } else { ritr.ipv4 };
                if !self.is_on(on, accepts) {
                    return;
                }
                let mut failed = Traps::default();
                control::ipv4_checks(&ip, self.frame.dmac(), |id| failed.push(id));
                let mut classes = Traps::default();
                control::ipv4(&ip, |id| classes.push(id));
                let packet = Packet {
                    source: ip.source().into(),
                    destination: ip.destination().into(),
                    hops: ip.ttl(),
                    len: ip.total_len().into(),
                };
                self.route_ip(ritr, &packet, &failed, &classes);
            }
            L3::Ipv6(ip) => {
                let multicast = ip.destination().is_multicast();
                let on = self.tables.router.ipv6_en;
                let accepts = if multicast { ritr.ipv6_mc } else { ritr.ipv6 };
                if !self.is_on(on, accepts) {
                    return;
                }
                let mut failed = Traps::default();
                control::ipv6_checks(&ip, self.frame.dmac(), |id| failed.push(id));
                let mut classes = Traps::default();
                control::ipv6(&ip, |id| classes.push(id));
                let packet = Packet {
                    source: ip.source().into(),
                    destination: ip.destination().into(),
                    hops: ip.hop_limit(),
                    len: ip.total_len(),
                };
                self.route_ip(ritr, &packet, &failed, &classes);
            }
            // copies of flooded frames that are not IP concern the bridge alone
            L3::Other if self.frame.dmac().is_multicast() => {}
            L3::Other => {
                self.hit(id::NON_IP);
            }
        }
    }

    /// Broadcast ARP or ARP to a router MAC, whatever the opcode.
    fn route_arp(&mut self) {
        if self.frame.dmac() == BROADCAST {
            self.hit(id::ARP_REQUEST);
        } else if !self.frame.dmac().is_multicast() {
            self.hit(id::ARP_RESPONSE);
        }
    }

    fn is_on(&mut self, router: bool, interface: bool) -> bool {
        self.step(
            "router",
            "rgcr ritr",
            || "family".into(),
            || (if router && interface { "enabled" } else { "disabled" }).into(),
        );
        if !router {
            self.discard("router_disabled");
        } else if !interface {
            self.discard("rif_family_disabled");
        }
        router && interface
    }

    fn route_ip(&mut self, ritr: &'a Ritr, packet: &Packet, failed: &Traps, classes: &Traps) {
        self.decision.routed_in = Some(Passage { rif: ritr.rif, len: packet.len, error: false });
        for check in failed.iter() {
            if self.hit(check) != Flow::Go {
                return;
            }
        }
        let mut flow = Flow::Go;
        for class in classes.iter() {
            flow = self.then(flow, class);
        }
        if packet.destination.is_multicast() {
            self.route_multicast(ritr, packet, flow);
        } else {
            self.route_unicast(ritr, packet, flow);
        }
    }

    fn route_multicast(&mut self, ritr: &'a Ritr, packet: &Packet, flow: Flow) {
        let (vr, irif) = (ritr.virtual_router, ritr.rif);
        let entry = self.tables.multicast.lookup(vr, irif, packet.source, packet.destination);
        let trap = entry.and_then(multicast::trap_id);
        self.step(
            "multicast",
            "rmft2",
            || format!("vr {vr} irif {irif} {} -> {}", packet.source, packet.destination),
            || match entry {
                Some(entry) => format!("entry {} trap {trap:x?}", entry.offset),
                None => "no entry".into(),
            },
        );
        match trap {
            Some(trap) => _ = self.then(flow, trap),
            None if flow == Flow::Go => self.discard("multicast_not_routed"),
            None => {}
        }
    }

    fn route_unicast(&mut self, ritr: &'a Ritr, packet: &Packet, mut flow: Flow) {
        let link_local = match packet.destination {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        if link_local {
            flow = self.then(flow, id::IPV6_LINK_LOCAL_DIP);
            if flow != Flow::Go {
                return;
            }
        }

        let vr = ritr.virtual_router;
        let found = self.tables.routes.lookup(vr, packet.destination);
        self.step(
            "route",
            "ralue",
            || format!("vr {vr} {}", packet.destination),
            || {
                found.map_or("no route".into(), |(length, route)| {
                    let prefix = route::network(packet.destination, length);
                    format!("{} {route:?}", prefix.expect("found by it"))
                })
            },
        );
        let Some((_, route)) = found else {
            if flow == Flow::Go {
                let miss = if packet.destination.is_ipv4() {
                    id::IPV4_LPM_MISS
                } else {
                    id::IPV6_LPM_MISS
                };
                self.hit(miss);
            }
            return;
        };
        match (route.action, route.trap) {
            (RouteAction::Ip2Me, _) => {
                let class = control::own_address(&self.l3);
                for trap in class.into_iter().chain([id::LOCAL_ROUTE]) {
                    flow = self.then(flow, trap);
                }
            }
            (_, RouteTrap::Trap(trap)) => _ = self.then(flow, trap),
            (_, _) if flow != Flow::Go => {}
            (_, RouteTrap::DiscardError) => {
                self.hit(id::BLACKHOLE_ROUTE);
            }
            (action, RouteTrap::Mirror(trap)) => {
                if self.hit(trap) == Flow::Go {
                    self.take(ritr, packet, action);
                }
            }
            (action, RouteTrap::Nop) => self.take(ritr, packet, action),
        }
    }

    fn take(&mut self, ritr: &'a Ritr, packet: &Packet, action: RouteAction) {
        match action {
            RouteAction::Remote { adjacency_index, ecmp_size } => {
                self.forward_by_group(ritr, packet, adjacency_index, ecmp_size);
            }
            RouteAction::Local { erif } => self.forward(ritr, packet, erif, None),
            RouteAction::Ip2Me => {}
        }
    }
}

/// A few trap ids, in order.
#[derive(Debug, Default)]
struct Traps {
    ids: [u16; 8],
    count: usize,
}

impl Traps {
    fn push(&mut self, id: u16) {
        if let Some(slot) = self.ids.get_mut(self.count) {
            *slot = id;
            self.count += 1;
        }
    }

    fn iter(&self) -> impl Iterator<Item = u16> {
        self.ids[..self.count].iter().copied()
    }
}
