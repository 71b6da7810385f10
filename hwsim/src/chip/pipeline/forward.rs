//! How does a routed packet leave? Egress interface, neighbour or next hop, hops, MTU, and the VLAN on the port.

use std::net::IpAddr;

use emad::Mac;
use emad::register::{Ritr, RitrType};

use super::router::Packet;
use super::{Egress, Flow, Walk};
use crate::chip::neighbour::Neighbour;
use crate::chip::rif;
use crate::chip::route::RouteTrap;
use crate::chip::trace::Recorder;
use crate::chip::traps::id;
use crate::packet::rewrite::NextHop;

impl<'a, R: Recorder> Walk<'a, R> {
    /// Forwards a packet to the next hop of a group, or says why not.
    pub(super) fn forward_by_group(
        &mut self,
        irif: &'a Ritr,
        packet: &Packet,
        first: u32,
        size: u16,
    ) {
        let index = self.pick_adjacency(first, size);
        let adjacency = self.tables.adjacencies.get(index).copied();
        self.step(
            "adjacency",
            "ratr recr2",
            || format!("{first} + {} of {size}", index - first),
            || {
                adjacency
                    .map_or("invalid".into(), |a| format!("rif {} {} {:?}", a.erif, a.mac, a.trap))
            },
        );
        let Some(adjacency) = adjacency else {
            self.hit(id::NEXTHOP_MISS);
            return;
        };
        self.decision.adjacency = (!adjacency.activity).then_some(index);
        if self.diverted(adjacency.trap, id::BLACKHOLE_NEXTHOP) == Flow::Go {
            self.forward(irif, packet, adjacency.erif, Some(adjacency.mac));
        }
    }

    /// What a neighbour or next hop does with packets besides forwarding them.
    fn diverted(&mut self, trap: RouteTrap, discard: u16) -> Flow {
        match trap {
            RouteTrap::Nop => Flow::Go,
            RouteTrap::Trap(trap) => {
                self.hit(trap);
                Flow::Stop
            }
            RouteTrap::Mirror(trap) => self.hit(trap),
            RouteTrap::DiscardError => {
                self.hit(discard);
                Flow::Stop
            }
        }
    }

    /// Forwards a packet out of `erif`, to the MAC of its next hop, or to the neighbour whose address it has; or says why not.
    pub(super) fn forward(
        &mut self,
        irif: &'a Ritr,
        packet: &Packet,
        erif: u16,
        next_hop: Option<Mac>,
    ) {
        // unicast under a group address is never routed, whatever became of the check before the route
        if self.frame.dmac().is_multicast() {
            self.hit(id::UC_DIP_OVER_MC_DMAC);
            return;
        }
        if let IpAddr::V6(source) = packet.source {
            let scope = if source.is_unspecified() {
                Some(id::IPV6_UNSPECIFIED_SIP)
            } else if source.is_unicast_link_local() {
                Some(id::IPV6_LINK_LOCAL_SIP)
            } else {
                None
            };
            if scope.is_some_and(|trap| self.hit(trap) != Flow::Go) {
                return;
            }
        }
        let Some(egress) = self.tables.rifs.enabled(erif) else {
            self.hit(id::ERIF_DISABLED);
            return;
        };
        let forwards = if packet.source.is_ipv4() { egress.ipv4_fe } else { egress.ipv6_fe };
        if !forwards {
            self.hit(id::NON_ROUTABLE);
            return;
        }
        if erif == irif.rif && egress.lb_en && self.hit(id::UC_LOOPBACK) != Flow::Go {
            return;
        }

        let (dmac, awakes) = match next_hop {
            Some(mac) => (mac, false),
            None => match self.neighbour(packet, erif) {
                Some(neighbour) => (neighbour.mac, !neighbour.activity),
                None => return,
            },
        };
        if packet.hops <= 1 {
            self.hit(id::TTL_TOO_SMALL);
            return;
        }
        if packet.len > u32::from(egress.mtu) {
            self.hit(id::MTU_TOO_SMALL);
            return;
        }
        self.same_rif = erif == irif.rif;
        self.decision.routed_out = Some((erif, packet.len));
        if awakes {
            self.decision.neighbour = Some((erif, packet.destination));
        }
        self.leave_by(egress, NextHop { dmac, smac: egress.if_mac });
    }

    /// The neighbour that a packet is for; `None`: there is none, or it has other plans with it.
    fn neighbour(&mut self, packet: &Packet, erif: u16) -> Option<Neighbour> {
        let neighbour = self.tables.neighbours.get(erif, packet.destination).copied();
        self.step(
            "neighbour",
            "rauht",
            || format!("rif {erif} {}", packet.destination),
            || neighbour.map_or("unknown".into(), |n| format!("{} {:?}", n.mac, n.trap)),
        );
        let Some(neighbour) = neighbour else {
            let v4 = packet.destination.is_ipv4();
            self.hit(if v4 { id::HOST_MISS_IPV4 } else { id::HOST_MISS_IPV6 });
            return None;
        };
        if neighbour.trap == RouteTrap::DiscardError {
            self.discard("neighbour_discard");
            return None;
        }
        (self.diverted(neighbour.trap, id::NEXTHOP_MISS) == Flow::Go).then_some(neighbour)
    }

    fn leave_by(&mut self, egress: &'a Ritr, hop: NextHop) {
        let left = match egress.kind {
            RitrType::SpIf { lag, system_port, vid, .. } => {
                let port = if lag { self.pick(system_port) } else { Some(system_port) };
                port.is_some_and(|port| {
                    let vid = self.tables.egress_vids.get(egress.rif, port).unwrap_or(vid);
                    self.leave_by_port(port, vid, hop)
                })
            }
            RitrType::VlanIf { vlan_id, .. } => {
                // Spectrum-1 derives the egress FID from the VLAN
                let derived = self.tables.classification.by_vid(vlan_id).map(|m| m.fid);
                let fid = rif::egress_fid(egress).or(derived);
                fid.is_some_and(|fid| self.leave_by_fid(fid, vlan_id, hop))
            }
            RitrType::FidIf { fid } => self.leave_by_fid(fid, 0, hop),
            RitrType::Loopback { .. } | RitrType::Other { .. } => false,
        };
        if !left {
            self.discard("egress_filter");
        }
    }

    /// Out of a sub-port interface; `vid` 0 is untagged.
    fn leave_by_port(&mut self, port: u16, vid: u16, hop: NextHop) -> bool {
        let Some(out) = self.tables.ports.get(port) else { return false };
        let passes = out.up && self.may_leave_by(port, true);
        self.step(
            "egress",
            "reiv",
            || format!("port {port} vid {vid}"),
            || (if passes { "leaves" } else { "filtered" }).into(),
        );
        if passes {
            let untagged = matches!(vid, 0 | 4095) || out.is_untagged(vid);
            self.decision.egress.push(Egress {
                port,
                tag: (!untagged).then_some(vid),
                hop: Some(hop),
            });
        }
        passes
    }
}
