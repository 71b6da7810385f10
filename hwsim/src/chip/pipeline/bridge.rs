//! Where in its FID does the frame go? The VRRP slots of the iRIF, the FDB, and flooding.

use std::collections::BTreeSet;

use emad::Mac;
use emad::register::{FloodType, Ritr, SfdAction, SfdTarget, Sfmr};

use super::{Egress, Walk};
use crate::chip::fdb::Place;
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
        if !self.take_action(record.action) {
            return;
        }
        match Place::of(&record) {
            Some(Place::Port(port)) if self.is_ingress(port) => {
                self.hit(id::PORT_LOOPBACK_FILTER);
            }
            Some(Place::Lag(lag)) if self.decision.lag == Some(lag) => {
                self.hit(id::PORT_LOOPBACK_FILTER);
            }
            Some(place) => {
                if !self.leave_to(fid.fid, vid, place, None) {
                    self.discard("egress_filter");
                }
            }
            None => self.discard("fdb_target_not_modelled"),
        }
    }

    /// What a record does besides pointing somewhere; says whether the frame goes on to where it points.
    fn take_action(&mut self, action: SfdAction) -> bool {
        match action {
            SfdAction::Nop => return true,
            SfdAction::MirrorToCpu => {
                self.deliver(id::FDB);
                return true;
            }
            SfdAction::ForwardIpRouter => self.route(),
            SfdAction::DiscardError => self.discard("fdb_discard"),
            // the record says what to do, so the trap's own action does not count
            SfdAction::Trap => self.deliver(id::FDB),
            SfdAction::Other(_) => self.discard("fdb_action_unknown"),
        }
        false
    }

    fn group_destination(&mut self, fid: &'a Sfmr, vid: u16, dmac: Mac) {
        if fid.flood_rsp {
            self.step("flood", "sfmr", || format!("fid {}", fid.fid), || "router only".into());
            return self.route();
        }
        let record = self.tables.fdb.get(fid.fid, dmac).copied();
        let (ports, flooded) = match record.map(|record| (record.action, record.target)) {
            Some((action, SfdTarget::Multicast { mid, .. })) => {
                if !self.take_action(action) {
                    return;
                }
                let ports = self.tables.flood.ports(mid);
                (ports, self.flood(fid.fid, vid, "group", ports))
            }
            _ => self.flood_group(fid, vid),
        };
        let router = self.tables.ports.router_port();
        if ports.is_some_and(|ports| ports.contains(&router)) {
            self.route();
        } else if flooded == 0 {
            self.hit(id::PORT_LIST_EMPTY_MC);
        }
    }

    /// Copies a group frame without a record to the flood vector of its kind; says which, and to how many ports.
    pub(super) fn flood_group(
        &mut self,
        fid: &Sfmr,
        vid: u16,
    ) -> (Option<&'a BTreeSet<u16>>, usize) {
        let ports = self.vector(fid, flood_type(self.frame.dmac(), &self.l3));
        (ports, self.flood(fid.fid, vid, "group", ports))
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
        for port in ports.into_iter().flatten() {
            if !self.is_ingress(*port) {
                self.leave_flooded(fid, vid, *port, None);
            }
        }
        self.decision.egress.len() - before
    }

    /// Sends a flooded copy out of a port; of the members of a LAG only the one that the hash picks sends.
    fn leave_flooded(&mut self, fid: u16, vid: u16, port: u16, hop: Option<NextHop>) -> bool {
        match self.tables.lags.of_port(port) {
            Some(member) if self.pick(member.lag) != Some(port) => false,
            _ => self.leave(fid, vid, port, hop),
        }
    }

    /// Sends a copy to where a record points.
    fn leave_to(&mut self, fid: u16, vid: u16, place: Place, hop: Option<NextHop>) -> bool {
        let port = match place {
            Place::Port(port) => Some(port),
            Place::Lag(lag) => self.pick(lag),
        };
        port.is_some_and(|port| self.leave(fid, vid, port, hop))
    }

    /// Sends a copy out of a port, if carrier, VLAN and spanning tree let it.
    fn leave(&mut self, fid: u16, vid: u16, port: u16, hop: Option<NextHop>) -> bool {
        let Some(out) = self.tables.ports.get(port) else { return false };
        let Some(vid) = self.tables.classification.egress_vid(fid, port, vid) else { return false };
        let passes = out.up
            && self.may_leave_by(port, hop.is_some())
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

    /// A routed packet leaves by a bridged egress interface: to the neighbour's port or group, or flooded in the eFID.
    pub(super) fn leave_by_fid(&mut self, fid: u16, vid: u16, hop: NextHop) -> bool {
        let Some(sfmr) = self.tables.fids.get(fid) else { return false };
        let record = self.tables.fdb.get(fid, hop.dmac).copied();
        self.step(
            "egress",
            "sfd",
            || format!("fid {fid} mac {}", hop.dmac),
            || record.map_or("no record".into(), |r| format!("{} {:?}", r.action, r.target)),
        );
        let ports = match record {
            Some(record) => {
                if !matches!(record.action, SfdAction::Nop | SfdAction::MirrorToCpu) {
                    return false;
                }
                if let Some(place) = Place::of(&record) {
                    return self.leave_to(fid, vid, place, Some(hop));
                }
                match record.target {
                    SfdTarget::Multicast { mid, .. } => self.tables.flood.ports(mid),
                    _ => None,
                }
            }
            // the neighbour of a cluster may have a group address
            None if hop.dmac.is_multicast() => self.vector(sfmr, flood_type(hop.dmac, &self.l3)),
            None => self.vector(sfmr, FloodType::UnknownUnicast),
        };
        let mut left = false;
        for port in ports.into_iter().flatten() {
            left |= self.leave_flooded(fid, vid, *port, Some(hop));
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
