//! Everything that registers write and frames look up, in one place. `access` changes it, `pipeline` reads it.

use emad::register::Rgcr;

use super::cpu::{TrapGroup, TrapTable};
use super::fdb::Fdb;
use super::fid::{Classification, Fids};
use super::flood::Flood;
use super::lag::Lags;
use super::multicast::MulticastRoutes;
use super::neighbour::Neighbours;
use super::personality::Personality;
use super::policer::Policers;
use super::port::Ports;
use super::rif::{EgressVids, Rifs};
use super::route::Routes;

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
            traps: TrapTable::default(),
            groups: vec![TrapGroup::default(); personality.trap_groups.into()],
            policers: Policers::default(),
        }
    }

    /// The trap group of that number; one beyond the table reads as never written.
    pub(crate) fn group(&self, group: u8) -> TrapGroup {
        self.groups.get(usize::from(group)).copied().unwrap_or_default()
    }

    /// Has the virtual router a router interface, a route, a multicast route or a bound tree?
    pub(crate) fn virtual_router_in_use(&self, vr: u16) -> bool {
        self.routes.in_use(vr)
            || self.multicast.in_use(vr)
            || self.rifs.iter().any(|ritr| ritr.virtual_router == vr)
    }
}
