//! Which chip index stands for which kernel object. Rebuilt from a read-back; never chosen twice for one object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Object;
use crate::applied::Applied;
use crate::chip::{Fid, LagId, MacProfile, Rif, RifIndex, VrId};
use crate::intent::Reason;
use crate::{IfIndex, Mac};

/// How much of each resource the chip has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Router interfaces
    pub rifs: u16,
    /// Virtual routers
    pub virtual_routers: u16,
    /// MAC profiles of router interfaces, at most 16
    pub mac_profiles: u8,
    /// Leading bits that the MACs of one profile share, 0..=48
    pub mac_profile_bits: u8,
    /// Link aggregation groups
    pub lags: u16,
    /// Next hops
    #[serde(default)]
    pub adjacencies: u32,
    /// Next hops in one group; every size up to it is allowed.
    #[serde(default)]
    pub ecmp_size: u16,
}

/// Chip indices by kernel key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allocation {
    rifs: BTreeMap<Object, RifIndex>,
    profiles: BTreeMap<Object, (MacProfile, Mac)>,
    vrs: BTreeMap<u32, VrId>,
    lags: BTreeMap<IfIndex, LagId>,
    fids: BTreeMap<IfIndex, Fid>,
}

impl Allocation {
    /// Takes over the indices under which a chip already holds a router interface and its virtual router.
    pub fn claim(&mut self, object: Object, table: u32, rif: &Rif) {
        let taken = self.vrs.iter().any(|(other, vr)| *vr == rif.vr && *other != table);
        let rif_taken = self.rifs.values().any(|other| *other == rif.rif);
        if !taken && !rif_taken && *self.vrs.entry(table).or_insert(rif.vr) == rif.vr {
            self.rifs.insert(object, rif.rif);
            self.profiles.insert(object, (rif.mac_profile, rif.mac));
        }
    }

    /// Takes over the index under which a chip already holds a bond or team.
    pub fn claim_lag(&mut self, ifindex: IfIndex, lag: LagId) {
        if !self.lags.values().any(|other| *other == lag) {
            self.lags.entry(ifindex).or_insert(lag);
        }
    }

    /// Takes over the FID under which a chip already holds a VLAN-unaware bridge.
    pub fn claim_fid(&mut self, bridge: IfIndex, fid: Fid) {
        if Fid::DOT1D.contains(&fid.0) && !self.fids.values().any(|other| *other == fid) {
            self.fids.entry(bridge).or_insert(fid);
        }
    }

    /// The router interface of an object.
    pub fn rif(&self, object: Object) -> Option<RifIndex> {
        self.rifs.get(&object).copied()
    }

    /// The LAG of a bond or team.
    pub fn lag(&self, ifindex: IfIndex) -> Option<LagId> {
        self.lags.get(&ifindex).copied()
    }

    /// Bonds and teams that have a LAG.
    pub fn lags(&self) -> impl Iterator<Item = IfIndex> {
        self.lags.keys().copied()
    }

    /// The FID of a VLAN-unaware bridge.
    pub fn fid(&self, bridge: IfIndex) -> Option<Fid> {
        self.fids.get(&bridge).copied()
    }

    /// The virtual router of a table.
    pub fn vr(&self, table: u32) -> Option<VrId> {
        self.vrs.get(&table).copied()
    }

    /// The tables that have a virtual router.
    pub fn tables(&self) -> impl Iterator<Item = u32> {
        self.vrs.keys().copied()
    }

    /// The objects that have a router interface.
    pub fn interfaces(&self) -> impl Iterator<Item = Object> {
        self.rifs.keys().copied()
    }

    /// How many router interfaces, virtual routers and MAC profiles are taken.
    pub fn occupancy(&self) -> (usize, usize, usize) {
        let profiles: std::collections::BTreeSet<_> =
            self.profiles.values().map(|(profile, _)| profile).collect();
        (self.rifs.len(), self.vrs.len(), profiles.len())
    }

    /// The index for an object: its own, or the lowest that neither another object nor the chip uses.
    pub(super) fn take_rif(
        &mut self,
        object: Object,
        limits: &Limits,
        applied: &Applied,
    ) -> Result<RifIndex, Reason> {
        if let Some(rif) = self.rif(object) {
            return Ok(rif);
        }
        let mut used: std::collections::BTreeSet<RifIndex> = self.rifs.values().copied().collect();
        used.extend(applied.rifs().map(|rif| rif.rif));
        let free = || (0..limits.rifs).map(RifIndex).filter(|rif| !used.contains(rif));
        // what a route that nobody wants leads to is no place for another interface
        let rif = free().find(|rif| !applied.leads_to(*rif)).or_else(|| free().next());
        let rif = rif.ok_or(Reason::RifTableFull)?;
        self.rifs.insert(object, rif);
        Ok(rif)
    }

    /// The virtual router for a table: its own, or the lowest free one.
    pub(super) fn take_vr(
        &mut self,
        table: u32,
        limits: &Limits,
        applied: &Applied,
    ) -> Result<VrId, Reason> {
        if let Some(vr) = self.vr(table) {
            return Ok(vr);
        }
        let mut used: std::collections::BTreeSet<VrId> = self.vrs.values().copied().collect();
        used.extend(applied.rifs().map(|rif| rif.vr));
        let free = (0..limits.virtual_routers).map(VrId).find(|vr| !used.contains(vr));
        let vr = free.ok_or(Reason::VrTableFull)?;
        self.vrs.insert(table, vr);
        Ok(vr)
    }

    /// The LAG for a bond or team: its own, or the lowest free one.
    pub(super) fn take_lag(&mut self, ifindex: IfIndex, limits: &Limits) -> Result<LagId, Reason> {
        if let Some(lag) = self.lag(ifindex) {
            return Ok(lag);
        }
        let taken = |lag: &LagId| self.lags.values().any(|other| other == lag);
        let free = (0..limits.lags).map(LagId).find(|lag| !taken(lag));
        let lag = free.ok_or(Reason::LagTableFull)?;
        self.lags.insert(ifindex, lag);
        Ok(lag)
    }

    /// The FID for a VLAN-unaware bridge: its own, or the lowest that neither another bridge nor a router interface of the
    /// chip has.
    pub fn take_fid(&mut self, bridge: IfIndex, applied: &Applied) -> Result<Fid, Reason> {
        if let Some(fid) = self.fid(bridge) {
            return Ok(fid);
        }
        let mut used: std::collections::BTreeSet<Fid> = self.fids.values().copied().collect();
        used.extend(applied.rifs().map(|rif| rif.kind.fid()));
        let free = Fid::DOT1D.map(Fid).find(|fid| !used.contains(fid));
        let fid = free.ok_or(Reason::FidTableFull)?;
        self.fids.insert(bridge, fid);
        Ok(fid)
    }

    /// The profile for a device's MAC, by the rules of mlxsw_sp_rif_mac_profile_replace(): one with the same prefix; else
    /// the device's own, edited in place, if nobody shares it; else a free one. Router interfaces in the chip that
    /// belong to nobody share and take profiles as well, until they are swept.
    pub(super) fn take_profile(
        &mut self,
        object: Object,
        mac: Mac,
        limits: &Limits,
        applied: &Applied,
    ) -> Result<MacProfile, Reason> {
        let prefix = |mac: Mac| mac.bits() >> (48 - limits.mac_profile_bits.min(48));
        let own = self.profiles.get(&object).copied();
        let ours = self.profiles.iter().filter(|(other, _)| **other != object).map(|(_, p)| *p);
        let is_ours = |index: RifIndex| self.rifs.values().any(|ours| *ours == index);
        let foreign = applied.rifs().filter(|rif| rif.enabled && !is_ours(rif.rif));
        let others: Vec<(MacProfile, Mac)> =
            ours.chain(foreign.map(|rif| (rif.mac_profile, rif.mac))).collect();

        let same = own
            .filter(|(_, own)| prefix(*own) == prefix(mac))
            .or_else(|| others.iter().copied().find(|(_, other)| prefix(*other) == prefix(mac)));
        let unshared = own.filter(|(own, _)| others.iter().all(|(other, _)| other != own));
        let taken = |id: &MacProfile| own.iter().chain(&others).any(|(used, _)| used == id);
        let free = || (0..limits.mac_profiles).map(MacProfile).find(|id| !taken(id));
        let profile =
            same.or(unshared).map(|(id, _)| id).or_else(free).ok_or(Reason::RifMacProfilesFull)?;
        self.profiles.insert(object, (profile, mac));
        Ok(profile)
    }

    /// No router interface of an object is in the chip any more.
    pub fn release_interface(&mut self, object: Object) {
        self.rifs.remove(&object);
        self.profiles.remove(&object);
    }

    /// Nothing of a bond or team is in the chip any more.
    pub fn release_lag(&mut self, ifindex: IfIndex) {
        self.lags.remove(&ifindex);
    }

    /// Nothing of a VLAN-unaware bridge is in the chip any more.
    pub fn release_fid(&mut self, bridge: IfIndex) {
        self.fids.remove(&bridge);
    }

    /// Nothing of a table is in the chip any more.
    pub fn release_vr(&mut self, table: u32) {
        self.vrs.remove(&table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::{Entry, RouteAction, VrId};
    use crate::testbed::LIMITS;
    use crate::types::IfIndex;

    // Broken if packets went out of another interface because of a route that somebody left in the chip, or if there were none at all
    // because of it.
    #[test]
    fn what_a_stray_route_leads_to_comes_last() {
        let route = |n: u16| {
            let prefix = format!("10.{n}.0.0/16").parse().unwrap();
            Entry::Route { vr: VrId(0), prefix, action: RouteAction::Local(RifIndex(n)) }
        };
        let tables = [route(0), route(1)].map(|entry| (entry.key(), entry));
        let applied = Applied::from_tables(tables.into_iter().collect());
        let mut allocation = Allocation::default();
        let limits = Limits { rifs: 3, ..LIMITS };
        let mut take = |n| allocation.take_rif(Object::Interface(IfIndex(n)), &limits, &applied);
        assert_eq!([take(1), take(2), take(3)], [2, 0, 1].map(|rif| Ok(RifIndex(rif))));
        assert_eq!(take(4), Err(Reason::RifTableFull));
    }
}
