//! Where in its FID does the frame go? The VRRP slots of the iRIF, the FDB, and flooding.

use std::collections::BTreeSet;

use emad::Mac;
use emad::register::{FloodType, Ritr, SfdAction, SfdTarget, Sfmr};

use super::{Egress, Walk};
use crate::chip::port::StpState;
use crate::chip::trace::Recorder;
use crate::chip::traps::id;
use crate::packet::rewrite::NextHop;
use crate::packet::{BROADCAST, L3};

impl<'a, R: Recorder> Walk<'a, R> {
    /// Decides by the destination MAC.
    pub(super) fn destination(&mut self, fid: &'a Sfmr, vid: u16) {
        let dmac = self.frame.dmac();
        if dmac.is_multicast() {
            self.group_destination(fid, vid, dmac);
        } else if self.is_vrrp_fast_path(dmac) {
            self.decision.vrrp_fast_path = true;
            self.route();
        } else {
            self.unicast_destination(fid, vid, dmac);
        }
    }

    /// Is the MAC in a VRRP slot of the ingress router interface?
    fn is_vrrp_fast_path(&mut self, dmac: Mac) -> bool {
        let Some(rif) = self.decision.rif else { return false };
        let Some(ritr) = self.tables.rifs.enabled(rif) else { return false };
        let holds = holds_slot(ritr, dmac);
        if dmac.octets().starts_with(&[0x00, 0x00, 0x5e, 0x00]) {
            self.step(
                "vrrp_fast_path",
                "ritr",
                || {
                    let (v4, v6) = (ritr.if_vrrp_id_ipv4, ritr.if_vrrp_id_ipv6);
                    format!("rif {rif} mac {dmac} (slots: ipv4 {v4}, ipv6 {v6})")
                },
                || (if holds { "to the router" } else { "not in a slot" }).into(),
            );
        }
        holds
    }

    fn unicast_destination(&mut self, fid: &'a Sfmr, vid: u16, dmac: Mac) {
        self.decision.l2_lookup = true;
        let record = self.tables.fdb.get(fid.fid, dmac).copied();
        self.step(
            "fdb",
            "sfd",
            || format!("fid {} mac {dmac}", fid.fid),
            || record.map_or("no record".into(), |r| format!("{} {:?}", r.action, r.target)),
        );
        let Some(record) = record else {
            // real chips flood to the router port of the sub-port table, whose MAC filter drops it there
            if fid.flood_rsp {
                return self.discard("not_own_mac");
            }
            let ports = self.vector(fid, FloodType::UnknownUnicast);
            // the router's place in this vector does not count: it filters by MAC
            let flooded = self.flood(fid.fid, vid, "unknown unicast", ports);
            if flooded == 0 {
                self.hit(id::PORT_LIST_EMPTY_UC);
            }
            return;
        };
        match record.action {
            SfdAction::ForwardIpRouter => return self.route(),
            SfdAction::DiscardError => return self.discard("fdb_discard"),
            // the record says what to do, so the trap's own action does not count
            SfdAction::Trap => return self.deliver(id::FDB),
            SfdAction::MirrorToCpu => self.deliver(id::FDB),
            SfdAction::Nop => {}
            SfdAction::Other(_) => return self.discard("fdb_action_unknown"),
        }
        match record.target {
            SfdTarget::Unicast { system_port, .. } if system_port == self.port => {
                self.hit(id::PORT_LOOPBACK_FILTER);
            }
            SfdTarget::Unicast { system_port, .. } => {
                if !self.leave(fid.fid, vid, system_port, None) {
                    self.discard("egress_filter");
                }
            }
            _ => self.discard("fdb_target_not_modelled"),
        }
    }

    fn group_destination(&mut self, fid: &'a Sfmr, vid: u16, dmac: Mac) {
        if fid.flood_rsp {
            self.step("flood", "sfmr", || format!("fid {}", fid.fid), || "router only".into());
            return self.route();
        }
        let group = self.tables.fdb.get(fid.fid, dmac).map(|record| record.target);
        let ports = match group {
            Some(SfdTarget::Multicast { mid, .. }) => self.tables.flood.ports(mid),
            _ => self.vector(fid, flood_type(dmac, &self.l3)),
        };
        let flooded = self.flood(fid.fid, vid, "group", ports);
        let router = self.tables.ports.router_port();
        if ports.is_some_and(|ports| ports.contains(&router)) {
            self.route();
        } else if flooded == 0 {
            self.hit(id::PORT_LIST_EMPTY_MC);
        }
    }

    fn vector(&self, fid: &Sfmr, kind: FloodType) -> Option<&'a BTreeSet<u16>> {
        self.tables.flood.ports(self.tables.flood.mid(fid, kind)?)
    }

    /// Copies the frame to the front-panel ports of a vector; says to how many.
    fn flood(
        &mut self,
        fid: u16,
        vid: u16,
        what: &'static str,
        ports: Option<&BTreeSet<u16>>,
    ) -> usize {
        self.step(
            "flood",
            "sfgc smid2",
            || format!("fid {fid} {what}"),
            || ports.map_or("no ports".into(), |ports| format!("ports {ports:?}")),
        );
        let before = self.decision.egress.len();
        let ingress = self.port;
        for port in ports.into_iter().flatten().filter(|port| **port != ingress) {
            self.leave(fid, vid, *port, None);
        }
        self.decision.egress.len() - before
    }

    /// Sends a copy out of a port, if carrier, VLAN and spanning tree let it; never out of the ingress port.
    pub(super) fn leave(&mut self, fid: u16, vid: u16, port: u16, hop: Option<NextHop>) -> bool {
        let Some(out) = self.tables.ports.get(port) else { return false };
        let Some(vid) = self.tables.classification.egress_vid(fid, port, vid) else { return false };
        let passes = out.up
            && port != self.port
            && out.lets_out(vid)
            && out.stp(vid) == StpState::Forwarding;
        self.step(
            "egress",
            "svfa spvm spms",
            || format!("port {port} vid {vid}"),
            || (if passes { "leaves" } else { "filtered" }).into(),
        );
        if passes {
            // the driver's internal VID for untagged frames never shows on the wire
            let tag = (!out.is_untagged(vid) && vid != 4095).then_some(vid);
            self.decision.egress.push(Egress { port, tag, hop });
        }
        passes
    }

    /// A routed packet leaves by a bridged egress interface: to the neighbour's port, or flooded in the eFID.
    pub(super) fn leave_by_fid(&mut self, fid: u16, vid: u16, hop: NextHop) -> bool {
        let Some(sfmr) = self.tables.fids.get(fid) else { return false };
        let record = self.tables.fdb.get(fid, hop.dmac).copied();
        self.step(
            "egress",
            "sfd",
            || format!("fid {fid} mac {}", hop.dmac),
            || record.map_or("no record".into(), |r| format!("{} {:?}", r.action, r.target)),
        );
        let vector = self.vector(sfmr, FloodType::UnknownUnicast);
        let mut left = false;
        match record.map(|record| (record.action, record.target)) {
            Some((
                SfdAction::Nop | SfdAction::MirrorToCpu,
                SfdTarget::Unicast { system_port, .. },
            )) => {
                left = self.leave(fid, vid, system_port, Some(hop));
            }
            Some(_) => {}
            None => {
                for port in vector.into_iter().flatten() {
                    left |= self.leave(fid, vid, *port, Some(hop));
                }
            }
        }
        left
    }
}

/// Is this the virtual MAC of a VRRP id that the router interface holds?
fn holds_slot(ritr: &Ritr, dmac: Mac) -> bool {
    match dmac.octets() {
        [0x00, 0x00, 0x5e, 0x00, 0x01, vrid] => vrid != 0 && vrid == ritr.if_vrrp_id_ipv4,
        [0x00, 0x00, 0x5e, 0x00, 0x02, vrid] => vrid != 0 && vrid == ritr.if_vrrp_id_ipv6,
        _ => false,
    }
}

/// The kind of a group frame, by which SFGC chooses the flood table.
fn flood_type(dmac: Mac, l3: &L3<'_>) -> FloodType {
    match l3 {
        _ if dmac == BROADCAST => FloodType::Broadcast,
        L3::Ipv4(ip) if ip.destination().octets().starts_with(&[224, 0, 0]) => {
            FloodType::Ipv4LinkLocal
        }
        L3::Ipv6(ip) if ip.destination().segments() == [0xff02, 0, 0, 0, 0, 0, 0, 1] => {
            FloodType::Ipv6AllHost
        }
        L3::Ipv4(_) => FloodType::UnregisteredMulticastIpv4,
        L3::Ipv6(_) => FloodType::UnregisteredMulticastIpv6,
        _ => FloodType::UnregisteredMulticastNonIp,
    }
}
