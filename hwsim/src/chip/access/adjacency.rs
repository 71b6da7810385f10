//! Accesses to next hops: RATR, RATRAD, RALEU, RECR2.

use emad::register::{Raleu, Ratr, RatrOp, RatrType, Ratrad, RatradOp, Recr2};

use super::route::{family, route_trap, route_trap_code};
use super::{Access, Refusal, ensure};
use crate::chip::adjacency::Adjacency;
use crate::chip::route::RouteTrap;
use crate::chip::traps::id;

impl Access<'_> {
    pub(super) fn query_ratr(&mut self, mut ratr: Ratr) -> Result<Ratr, Refusal> {
        self.check_adjacency(ratr.adjacency_index)?;
        let clear = match ratr.op {
            RatrOp::QUERY_READ => false,
            RatrOp::QUERY_READ_CLEAR => true,
            RatrOp(op) => return Err(Refusal::bad(format!("RATR has no query op {op}"))),
        };
        let Some(adjacency) = self.tables.adjacencies.get_mut(ratr.adjacency_index) else {
            return Ok(Ratr {
                op: ratr.op,
                adjacency_index: ratr.adjacency_index,
                ..Ratr::default()
            });
        };
        ratr.v = true;
        ratr.a = adjacency.activity;
        ratr.kind = RatrType::Ethernet;
        ratr.egress_router_interface = adjacency.erif;
        ratr.eth_destination_mac = adjacency.mac;
        (ratr.trap_action, _) = route_trap_code(adjacency.trap);
        ratr.trap_id = 0;
        adjacency.activity &= !clear;
        Ok(ratr)
    }

    pub(super) fn write_ratr(&mut self, ratr: &Ratr) -> Result<(), Refusal> {
        let (index, size) = (ratr.adjacency_index, self.tables.adjacencies.size());
        if index >= size {
            return Err(Refusal::full(format!("Adjacency {index} is not in 0..{size}")));
        }
        let unless_active = match ratr.op {
            RatrOp::WRITE_WRITE_ENTRY => false,
            RatrOp::WRITE_WRITE_ENTRY_ON_ACTIVITY => true,
            RatrOp(op) => return Err(Refusal::bad(format!("RATR has no write op {op}"))),
        };
        if !ratr.v {
            let used = self.tables.routes.uses(index);
            ensure!(!used, "Adjacency {index} is in a group that a route has");
            self.tables.adjacencies.remove(index);
            return Ok(());
        }
        let (kind, erif) = (ratr.kind, ratr.egress_router_interface);
        ensure!(kind == RatrType::Ethernet, "Adjacencies of type {kind} are not modelled");
        self.check_rif(erif)?;
        ensure!(self.tables.rifs.get(erif).is_some(), "Router interface {erif} does not exist");
        // `reg.h` has 0 for RTR_EGRESS0, the driver writes the id of that trap
        let trap_id = ratr.trap_id;
        let egress0 = trap_id == 0 || u16::from(trap_id) == id::NEXTHOP_MISS;
        ensure!(egress0, "Only RTR_EGRESS0 is modelled");
        let trap = route_trap(ratr.trap_action, id::NEXTHOP_MISS)?;
        let old = self.tables.adjacencies.get(index);
        if unless_active && old.is_some_and(|old| old.activity) {
            return Ok(());
        }
        let adjacency = Adjacency { erif, mac: ratr.eth_destination_mac, trap, activity: true };
        if trap == RouteTrap::Nop {
            ensure!(!adjacency.mac.is_multicast(), "MAC {} is a group address", adjacency.mac);
        }
        self.tables.adjacencies.write(index, adjacency);
        Ok(())
    }

    pub(super) fn query_ratrad(&mut self, mut ratrad: Ratrad) -> Result<Ratrad, Refusal> {
        let (first, size) = (ratrad.adjacency_index, ratrad.ecmp_size);
        self.check_adjacency(first)?;
        ensure!(size <= Ratrad::MOST, "One answer tells of {} adjacencies", Ratrad::MOST);
        let clear = match ratrad.op {
            RatradOp::Read => false,
            RatradOp::ReadClear => true,
            RatradOp::Other(op) => return Err(Refusal::bad(format!("RATRAD has no op {op}"))),
        };
        ratrad.activity.clear();
        for place in 0..size {
            let index = first.saturating_add(place.into());
            let Some(adjacency) = self.tables.adjacencies.get_mut(index) else { continue };
            if adjacency.activity {
                ratrad.activity.insert(place);
            }
            adjacency.activity &= !clear;
        }
        Ok(ratrad)
    }

    pub(super) fn write_raleu(&mut self, raleu: &Raleu) -> Result<(), Refusal> {
        self.check_vr(raleu.virtual_router)?;
        let family = family(raleu.protocol)?;
        let new = (raleu.new_adjacency_index, raleu.new_ecmp_size);
        self.check_adjacency_group(new.0, new.1)?;
        let old = (raleu.adjacency_index, raleu.ecmp_size);
        self.tables.routes.regroup(raleu.virtual_router, family, old, new);
        Ok(())
    }

    pub(super) fn write_recr2(&mut self, recr2: &Recr2) -> Result<(), Refusal> {
        ensure!(!recr2.pp, "Settings of one port are not modelled");
        let inner = recr2.inner_header_enables.len() + recr2.inner_fields.len();
        ensure!(inner == 0, "Packets inside tunnels are not modelled");
        self.tables.multipath.write(recr2.clone());
        Ok(())
    }

    fn check_adjacency(&self, index: u32) -> Result<(), Refusal> {
        let size = self.tables.adjacencies.size();
        ensure!(index < size, "Adjacency {index} is not in 0..{size}");
        Ok(())
    }

    /// A route may have this group: of a size that the chip can divide by, and nothing in it is missing.
    pub(super) fn check_adjacency_group(&self, first: u32, size: u16) -> Result<(), Refusal> {
        let sizes = &self.personality.ecmp_sizes;
        let fits = sizes.iter().any(|(low, high)| (*low..=*high).contains(&size));
        ensure!(fits, "A group of {size} adjacencies is none of {sizes:?}");
        let whole = self.tables.adjacencies.has_group(first, size);
        ensure!(whole, "Not all of the {size} adjacencies from {first} on are valid");
        Ok(())
    }
}
