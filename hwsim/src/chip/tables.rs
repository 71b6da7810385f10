//! Everything that registers write and frames look up, in one place. `access` changes it, `pipeline` reads it.

use emad::Mac;
use emad::register::{Rgcr, Ricnt, RitrCounter};

use super::Punt;
use super::adjacency::Adjacencies;
use super::cpu::{TrapGroup, TrapTable};
use super::fdb::Fdb;
use super::fid::{Classification, Fids};
use super::flood::Flood;
use super::lag::Lags;
use super::multicast::MulticastRoutes;
use super::multipath::Multipath;
use super::neighbour::Neighbours;
use super::personality::Personality;
use super::pipeline::Decision;
use super::policer::Policers;
use super::port::{LocalPort, Ports};
use super::rif::{EgressVids, Rifs};
use super::rif_counter::{Count, Counted};
use super::route::Routes;
use crate::packet::BROADCAST;

/// The chip's tables.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) ports: Ports,
    pub(crate) lags: Lags,
    pub(crate) fids: Fids,
    pub(crate) classification: Classification,
    pub(crate) fdb: Fdb,
    pub(crate) flood: Flood,
    pub(crate) router: Rgcr,
    pub(crate) rifs: Rifs,
    pub(crate) egress_vids: EgressVids,
    pub(crate) routes: Routes,
    pub(crate) multicast: MulticastRoutes,
    pub(crate) neighbours: Neighbours,
    pub(crate) adjacencies: Adjacencies,
    /// By which fields a packet takes one of several next hops.
    pub(crate) multipath: Multipath,
    pub(crate) counted: Counted,
    pub(crate) traps: TrapTable,
    pub(crate) groups: Vec<TrapGroup>,
    pub(crate) policers: Policers,
}

impl Tables {
    /// As at power-on: no FID, no router interface, the router off for both families.
    pub(crate) fn new(personality: &Personality, ports: u16) -> Self {
        Self {
            ports: Ports::new(ports),
            lags: Lags::new(personality.max_lag, personality.max_lag_members, ports),
            fids: Fids::default(),
            classification: Classification::default(),
            fdb: Fdb::new(personality.fdb),
            flood: Flood::default(),
            router: Rgcr { max_router_interfaces: personality.rifs, ..Rgcr::default() },
            rifs: Rifs::new(personality.rifs, personality.profile_prefix_bits),
            egress_vids: EgressVids::default(),
            routes: Routes::new(
                personality.virtual_routers,
                personality.routes_ipv4,
                personality.routes_ipv6,
            ),
            multicast: MulticastRoutes::default(),
            neighbours: Neighbours::default(),
            adjacencies: Adjacencies::new(personality.adjacencies),
            multipath: Multipath::default(),
            counted: Counted::new(personality.rifs),
            traps: TrapTable::default(),
            groups: vec![TrapGroup::default(); personality.trap_groups.into()],
            policers: Policers::default(),
        }
    }

    /// The trap group of that number; one beyond the table reads as never written.
    pub(crate) fn group(&self, group: u8) -> TrapGroup {
        self.groups.get(usize::from(group)).copied().unwrap_or_default()
    }

    /// How a packet comes to the CPU.
    pub(crate) fn punted(&self, port: LocalPort, trap_id: u16, decision: &Decision) -> Punt {
        let found = self.traps.get(trap_id);
        let group = found.and_then(|(_, state)| state.group).unwrap_or(0);
        let settings = self.group(group);
        Punt {
            ingress_port: port,
            ingress_lag: decision.lag,
            vid: decision.vid,
            fid: decision.fid,
            rif: decision.rif,
            trap_id,
            trap: found.map_or("unknown", |(trap, _)| trap.name),
            group,
            tclass: settings.tclass,
            policer: settings.policer,
            policed: false,
        }
    }

    /// Counts a packet at the router interfaces by which it came and leaves.
    pub(crate) fn count_routed(&mut self, decision: &Decision, dmac: Mac) {
        let set =
            |counter: RitrCounter| (counter.set_type == Ricnt::BASIC).then_some(counter.index);
        let left = decision.egress.iter().any(|egress| egress.hop.is_some());
        if let Some(passage) = decision.routed_in {
            let count = match dmac {
                _ if passage.error => Count::Error,
                _ if !left && decision.punt(self).is_none() => Count::Discard,
                BROADCAST => Count::Broadcast,
                _ if dmac.is_multicast() => Count::Multicast,
                _ => Count::Unicast,
            };
            let bound = self.rifs.get(passage.rif).and_then(|ritr| set(ritr.ingress_counter));
            self.counted.came(passage.rif, bound, count, passage.len);
        }
        if let Some((rif, len)) = decision.routed_out.filter(|_| left) {
            let bound = self.rifs.get(rif).and_then(|ritr| set(ritr.egress_counter));
            self.counted.left(rif, bound, len);
        }
    }

    /// Has the virtual router a router interface, a route, a multicast route or a bound tree?
    pub(crate) fn virtual_router_in_use(&self, vr: u16) -> bool {
        self.routes.in_use(vr)
            || self.multicast.in_use(vr)
            || self.rifs.iter().any(|ritr| ritr.virtual_router == vr)
    }
}
