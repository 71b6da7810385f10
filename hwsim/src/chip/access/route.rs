//! Accesses to routes and neighbours: RALTA, RALST, RALTB, RALUE, RAUHT, RAUHTD, RMFT2.

use std::net::IpAddr;

use emad::register::{
    IrifMask, Protocol, Ralst, Ralta, RaltaOp, Raltb, Ralue, RalueAction, RalueOp, Rauht, RauhtOp,
    Rauhtd, RauhtdEntry, RauhtdOp, RauhtdRecord, Rmft2, TrapAction,
};
use ipnet::IpNet;

use super::{Access, Refusal, ensure};
use crate::chip::multicast;
use crate::chip::neighbour::Neighbour;
use crate::chip::route::{Family, Route, RouteAction, RouteError, RouteTrap, network};
use crate::chip::traps::{self, id};

impl Access<'_> {
    pub(super) fn write_ralta(&mut self, ralta: &Ralta) -> Result<(), Refusal> {
        let (tree, trees) = (ralta.tree_id, self.personality.lpm_trees);
        ensure!((1..=trees).contains(&tree), "Tree {tree} is not in 1..={trees}");
        let family = family(ralta.protocol)?;
        let other = self.tables.routes.tree(tree).is_some_and(|t| t.family != family);
        match ralta.op {
            RaltaOp::Allocate => {
                ensure!(!other, "Tree {tree} is allocated for the other family");
                self.tables.routes.add_tree(tree, family);
            }
            RaltaOp::Deallocate => {
                ensure!(!self.tables.routes.is_bound(tree), "Tree {tree} is bound");
                self.tables.routes.remove_tree(tree);
            }
            RaltaOp::Other(op) => return Err(Refusal::bad(format!("RALTA has no op {op}"))),
        }
        Ok(())
    }

    pub(super) fn query_ralst(&self, ralst: &Ralst) -> Result<Ralst, Refusal> {
        let tree = self.tables.routes.tree(ralst.tree_id);
        let shape = tree.and_then(|tree| tree.shape.clone());
        shape.ok_or_else(|| Refusal::bad(format!("Tree {} has no shape", ralst.tree_id)))
    }

    pub(super) fn write_ralst(&mut self, ralst: &Ralst) -> Result<(), Refusal> {
        let Some(tree) = self.tables.routes.tree_mut(ralst.tree_id) else {
            return Err(Refusal::bad(format!("Tree {} is not allocated", ralst.tree_id)));
        };
        tree.shape = Some(ralst.clone());
        Ok(())
    }

    pub(super) fn query_raltb(&self, mut raltb: Raltb) -> Result<Raltb, Refusal> {
        self.check_vr(raltb.virtual_router)?;
        raltb.tree_id = self.tables.routes.bound(raltb.virtual_router, family(raltb.protocol)?);
        Ok(raltb)
    }

    pub(super) fn write_raltb(&mut self, raltb: &Raltb) -> Result<(), Refusal> {
        self.room_for_vr(raltb.virtual_router)?;
        let family = family(raltb.protocol)?;
        let tree = raltb.tree_id;
        let fits = tree == 0 || self.tables.routes.tree(tree).is_some_and(|t| t.family == family);
        ensure!(fits, "Tree {tree} is not allocated for this family");
        self.tables.routes.bind(raltb.virtual_router, family, tree);
        Ok(())
    }

    fn ralue_prefix(&self, ralue: &Ralue) -> Result<IpNet, Refusal> {
        self.check_vr(ralue.virtual_router)?;
        network(ralue.dip, ralue.prefix_len)
            .ok_or_else(|| Refusal::bad(format!("Prefix length {} is too large", ralue.prefix_len)))
    }

    pub(super) fn query_ralue(&self, mut ralue: Ralue) -> Result<Ralue, Refusal> {
        let prefix = self.ralue_prefix(&ralue)?;
        let Some(route) = self.tables.routes.get(ralue.virtual_router, prefix) else {
            return Err(Refusal::bad(format!("No route to {prefix}")));
        };
        let (trap_action, trap_id) = route_trap_code(route.trap);
        ralue.action = match route.action {
            RouteAction::Remote { adjacency_index, ecmp_size } => {
                RalueAction::Remote { trap_action, trap_id, adjacency_index, ecmp_size }
            }
            RouteAction::Local { erif } => {
                RalueAction::Local { trap_action, trap_id, local_erif: erif }
            }
            RouteAction::Ip2Me => RalueAction::Ip2me { tunnel_ptr: None },
        };
        Ok(ralue)
    }

    pub(super) fn write_ralue(&mut self, ralue: &Ralue) -> Result<(), Refusal> {
        if ralue.op == RalueOp::WRITE_WRITE {
            self.room_for_vr(ralue.virtual_router)?;
        }
        let prefix = self.ralue_prefix(ralue)?;
        let vr = ralue.virtual_router;
        let exists = self.tables.routes.get(vr, prefix).is_some();
        match ralue.op {
            RalueOp::WRITE_WRITE => {}
            RalueOp::WRITE_UPDATE | RalueOp::WRITE_CLEAR | RalueOp::WRITE_DELETE => {
                ensure!(exists, "No route to {prefix}");
            }
            RalueOp(op) => return Err(Refusal::bad(format!("RALUE has no write op {op}"))),
        }
        let outcome = match ralue.op {
            RalueOp::WRITE_DELETE => self.tables.routes.remove(vr, prefix),
            RalueOp::WRITE_CLEAR => Ok(()),
            _ => {
                let route = self.route(&ralue.action)?;
                self.tables.routes.insert(vr, prefix, route)
            }
        };
        outcome.map_err(|error| match error {
            RouteError::Full => Refusal::full("The route table of this family is full"),
            RouteError::Absent => Refusal::bad(format!("No route to {prefix}")),
        })
    }

    fn route(&self, action: &RalueAction) -> Result<Route, Refusal> {
        match *action {
            RalueAction::Remote { trap_action, trap_id, adjacency_index, ecmp_size } => {
                let trap = route_trap(trap_action, trap_id)?;
                // a route that forwards nothing names a group without meaning it, as the driver's do
                if matches!(trap, RouteTrap::Nop | RouteTrap::Mirror(_)) {
                    self.check_adjacency_group(adjacency_index, ecmp_size)?;
                }
                Ok(Route { action: RouteAction::Remote { adjacency_index, ecmp_size }, trap })
            }
            RalueAction::Local { trap_action, trap_id, local_erif } => {
                let trap = route_trap(trap_action, trap_id)?;
                self.check_rif(local_erif)?;
                Ok(Route { action: RouteAction::Local { erif: local_erif }, trap })
            }
            RalueAction::Ip2me { tunnel_ptr: None } => {
                Ok(Route { action: RouteAction::Ip2Me, trap: RouteTrap::Nop })
            }
            RalueAction::Ip2me { tunnel_ptr: Some(_) } => {
                Err(Refusal::bad("Tunnel decapsulation is not modelled"))
            }
            RalueAction::Other { .. } => Err(Refusal::bad("RALUE has no action type 3")),
        }
    }

    pub(super) fn query_rauht(&mut self, mut rauht: Rauht) -> Result<Rauht, Refusal> {
        self.check_rif(rauht.rif)?;
        let Some(neighbour) = self.tables.neighbours.get_mut(rauht.rif, rauht.dip) else {
            return Err(Refusal::bad(format!("No host {} on {}", rauht.dip, rauht.rif)));
        };
        rauht.mac = neighbour.mac;
        rauht.a = neighbour.activity;
        (rauht.trap_action, rauht.trap_id) = match neighbour.trap {
            RouteTrap::Trap(_) => (TrapAction::Trap, 0),
            RouteTrap::Mirror(_) => (TrapAction::MirrorToCpu, 0),
            other => route_trap_code(other),
        };
        if rauht.op == RauhtOp::QUERY_CLEAR_ON_READ {
            neighbour.activity = false;
        }
        Ok(rauht)
    }

    pub(super) fn write_rauht(&mut self, rauht: &Rauht) -> Result<(), Refusal> {
        self.check_rif(rauht.rif)?;
        let (rif, dip) = (rauht.rif, rauht.dip);
        match rauht.op {
            RauhtOp::WRITE_ADD | RauhtOp::WRITE_UPDATE => {
                ensure!(
                    self.tables.rifs.get(rif).is_some(),
                    "Router interface {rif} does not exist"
                );
                ensure!(rauht.trap_id == 0, "Only RTR_EGRESS0 is modelled");
                let trap = route_trap(rauht.trap_action, id::NEXTHOP_MISS)?;
                let old = self.tables.neighbours.get(rif, dip);
                let size = usize::try_from(self.personality.neighbours).unwrap_or(usize::MAX);
                if old.is_none() && self.tables.neighbours.count() >= size {
                    return Err(Refusal::full(format!("All {size} hosts are in use")));
                }
                let keeps = rauht.op == RauhtOp::WRITE_UPDATE;
                let activity = keeps && old.is_some_and(|old| old.activity);
                self.tables.neighbours.write(
                    rif,
                    dip,
                    Neighbour { mac: rauht.mac, trap, activity },
                );
            }
            RauhtOp::WRITE_CLEAR_ACTIVITY => {
                if let Some(neighbour) = self.tables.neighbours.get_mut(rif, dip) {
                    neighbour.activity = false;
                }
            }
            RauhtOp::WRITE_DELETE => self.tables.neighbours.remove(rif, dip),
            RauhtOp::WRITE_DELETE_ALL => self.tables.neighbours.remove_all(rif, dip.into()),
            RauhtOp(op) => return Err(Refusal::bad(format!("RAUHT has no write op {op}"))),
        }
        Ok(())
    }

    /// Hosts that pass the filters. With more than fit, asking again finds the rest only if the filter and
    /// the clearing of activity leave out those already seen, as the driver's query does.
    pub(super) fn query_rauhtd(&mut self, mut rauhtd: Rauhtd) -> Result<Rauhtd, Refusal> {
        let family = family(rauhtd.kind)?;
        let wanted = usize::from(rauhtd.num_rec).min(Rauhtd::MAX_RECORDS);
        let per_record = if family == Family::Ipv4 { Rauhtd::IPV4_PER_RECORD } else { 1 };
        let (by_a, by_rif) = (
            rauhtd.filter_fields & Rauhtd::FILTER_A != 0,
            rauhtd.filter_fields & Rauhtd::FILTER_RIF != 0,
        );
        let mut records: Vec<RauhtdRecord> = Vec::new();
        let neighbours = &mut self.tables.neighbours;
        let hosts = neighbours.iter().filter(|(rif, dip, neighbour)| {
            Family::from(*dip) == family
                && (!by_a || neighbour.activity == rauhtd.entry_a)
                && (!by_rif || *rif == rauhtd.entry_rif)
        });
        let hosts = hosts.map(|(rif, dip, neighbour)| (rif, dip, neighbour.activity));
        let hosts: Vec<_> = hosts.take(wanted * per_record).collect();
        for (rif, dip, a) in hosts {
            if rauhtd.op == RauhtdOp::DumpAndClear
                && let Some(neighbour) = neighbours.get_mut(rif, dip)
            {
                neighbour.activity = false;
            }
            match dip {
                IpAddr::V4(dip) => {
                    let entry = RauhtdEntry { a, rif, dip };
                    match records.last_mut() {
                        Some(RauhtdRecord::Ipv4(entries)) if entries.len() < per_record => {
                            entries.push(entry);
                        }
                        _ => records.push(RauhtdRecord::Ipv4(vec![entry])),
                    }
                }
                IpAddr::V6(dip) => records.push(RauhtdRecord::Ipv6(RauhtdEntry { a, rif, dip })),
            }
        }
        rauhtd.num_rec = u8::try_from(records.len()).unwrap_or(u8::MAX);
        rauhtd.records = records;
        Ok(rauhtd)
    }

    pub(super) fn query_rmft2(&self, rmft2: Rmft2) -> Result<Rmft2, Refusal> {
        let entry = self.tables.multicast.get(multicast::family(&rmft2), rmft2.offset);
        Ok(entry.cloned().unwrap_or(Rmft2 { v: false, ..rmft2 }))
    }

    pub(super) fn write_rmft2(&mut self, rmft2: &Rmft2) -> Result<(), Refusal> {
        let (offset, size) = (rmft2.offset, self.personality.multicast_routes);
        ensure!(u32::from(offset) < size, "Offset {offset} is not in 0..{size}");
        if !rmft2.v {
            self.tables.multicast.remove(multicast::family(rmft2), offset);
            return Ok(());
        }
        self.room_for_vr(rmft2.virtual_router)?;
        if rmft2.irif_mask == IrifMask::Compare {
            self.check_rif(rmft2.irif)?;
        }
        self.tables.multicast.write(rmft2.clone());
        Ok(())
    }
}

pub(super) fn family(protocol: Protocol) -> Result<Family, Refusal> {
    match protocol {
        Protocol::Ipv4 => Ok(Family::Ipv4),
        Protocol::Ipv6 => Ok(Family::Ipv6),
        Protocol::Other(code) => Err(Refusal::bad(format!("Protocol {code} is not known"))),
    }
}

pub(super) fn route_trap(action: TrapAction, trap_id: u16) -> Result<RouteTrap, Refusal> {
    let known = || match traps::by_id(trap_id) {
        Some(_) => Ok(trap_id),
        None => Err(Refusal::bad(format!("Trap id 0x{trap_id:x} is not known"))),
    };
    match action {
        TrapAction::Nop => Ok(RouteTrap::Nop),
        TrapAction::Trap => Ok(RouteTrap::Trap(known()?)),
        TrapAction::MirrorToCpu => Ok(RouteTrap::Mirror(known()?)),
        TrapAction::DiscardError => Ok(RouteTrap::DiscardError),
        TrapAction::Mirror | TrapAction::Other(_) => {
            Err(Refusal::bad(format!("Trap action {action} is not modelled")))
        }
    }
}

pub(super) fn route_trap_code(trap: RouteTrap) -> (TrapAction, u16) {
    match trap {
        RouteTrap::Nop => (TrapAction::Nop, 0),
        RouteTrap::Trap(trap_id) => (TrapAction::Trap, trap_id),
        RouteTrap::Mirror(trap_id) => (TrapAction::MirrorToCpu, trap_id),
        RouteTrap::DiscardError => (TrapAction::DiscardError, 0),
    }
}
