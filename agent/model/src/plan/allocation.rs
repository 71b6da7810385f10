//! Which chip index stands for which kernel object. Rebuilt from a read-back; never chosen twice for one object.

mod indices;

use std::collections::{BTreeMap, BTreeSet};

use indices::Indices;
use serde::{Deserialize, Serialize};

use super::Object;
use crate::applied::Applied;
use crate::chip::{Fid, Key, LagId, MacProfile, Rif, RifIndex, VrId};
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
    rifs: Indices<Object>,
    profiles: BTreeMap<Object, (MacProfile, Mac)>,
    /// How many of `profiles` have that MAC in that profile.
    sharers: BTreeMap<(MacProfile, Mac), u32>,
    vrs: Indices<u32>,
    lags: Indices<IfIndex>,
    fids: Indices<IfIndex>,
}

impl Allocation {
    /// Takes over the indices under which a chip already holds a router interface and its virtual router.
    pub fn claim(&mut self, object: Object, table: u32, rif: &Rif) {
        if self.rifs.is_used(rif.rif.0) {
            return;
        }
        self.vrs.claim(table, rif.vr.0);
        if self.vr(table) == Some(rif.vr) {
            self.rifs.claim(object, rif.rif.0);
            if self.rif(object) == Some(rif.rif) {
                self.set_profile(object, Some((rif.mac_profile, rif.mac)));
            }
        }
    }

    /// Takes over the index under which a chip already holds a bond or team.
    pub fn claim_lag(&mut self, ifindex: IfIndex, lag: LagId) {
        self.lags.claim(ifindex, lag.0);
    }

    /// Takes over the FID under which a chip already holds a VLAN-unaware bridge.
    pub fn claim_fid(&mut self, bridge: IfIndex, fid: Fid) {
        if Fid::DOT1D.contains(&fid.0) {
            self.fids.claim(bridge, fid.0);
        }
    }

    /// The router interface of an object.
    pub fn rif(&self, object: Object) -> Option<RifIndex> {
        self.rifs.get(&object).map(RifIndex)
    }

    /// The LAG of a bond or team.
    pub fn lag(&self, ifindex: IfIndex) -> Option<LagId> {
        self.lags.get(&ifindex).map(LagId)
    }

    /// Bonds and teams that have a LAG.
    pub fn lags(&self) -> impl Iterator<Item = IfIndex> {
        self.lags.keys()
    }

    /// The FID of a VLAN-unaware bridge.
    pub fn fid(&self, bridge: IfIndex) -> Option<Fid> {
        self.fids.get(&bridge).map(Fid)
    }

    /// The virtual router of a table.
    pub fn vr(&self, table: u32) -> Option<VrId> {
        self.vrs.get(&table).map(VrId)
    }

    /// The tables that have a virtual router.
    pub fn tables(&self) -> impl Iterator<Item = u32> {
        self.vrs.keys()
    }

    /// The objects that have a router interface.
    pub fn interfaces(&self) -> impl Iterator<Item = Object> {
        self.rifs.keys()
    }

    /// How many router interfaces, virtual routers and MAC profiles are taken.
    pub fn occupancy(&self) -> (usize, usize, usize) {
        let profiles: BTreeSet<_> = self.sharers.keys().map(|(profile, _)| profile).collect();
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
        let free = || {
            let free = self.rifs.free(0..limits.rifs).map(RifIndex);
            free.filter(|rif| applied.get(&Key::Rif(*rif)).is_none())
        };
        // what a route that nobody wants leads to is no place for another interface
        let rif = free().find(|rif| !applied.leads_to(*rif)).or_else(|| free().next());
        let rif = rif.ok_or(Reason::RifTableFull)?;
        self.rifs.claim(object, rif.0);
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
        let is_unused = |vr: &VrId| !applied.rifs().any(|rif| rif.vr == *vr);
        let unused = self.vrs.free(0..limits.virtual_routers).map(VrId).find(is_unused);
        let vr = unused.ok_or(Reason::VrTableFull)?;
        self.vrs.claim(table, vr.0);
        Ok(vr)
    }

    /// The LAG for a bond or team: its own, or the lowest free one.
    pub(super) fn take_lag(&mut self, ifindex: IfIndex, limits: &Limits) -> Result<LagId, Reason> {
        if let Some(lag) = self.lag(ifindex) {
            return Ok(lag);
        }
        let lag = self.lags.free(0..limits.lags).next().ok_or(Reason::LagTableFull)?;
        self.lags.claim(ifindex, lag);
        Ok(LagId(lag))
    }

    /// The FID for a VLAN-unaware bridge: its own, or the lowest that neither another bridge nor a router interface of the
    /// chip has.
    pub fn take_fid(&mut self, bridge: IfIndex, applied: &Applied) -> Result<Fid, Reason> {
        if let Some(fid) = self.fid(bridge) {
            return Ok(fid);
        }
        let range = *Fid::DOT1D.start()..Fid::DOT1D.end() + 1;
        let is_unused = |fid: &Fid| !applied.rifs().any(|rif| rif.kind.fid() == *fid);
        let unused = self.fids.free(range).map(Fid).find(is_unused);
        let fid = unused.ok_or(Reason::FidTableFull)?;
        self.fids.claim(bridge, fid.0);
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
        let rest = 48 - limits.mac_profile_bits.min(48);
        let prefix = |mac: Mac| mac.bits() >> rest;
        let own = self.profiles.get(&object).copied();
        let first = Mac::from_bits(prefix(mac) << rest);
        let last = Mac::from_bits(prefix(mac) << rest | ((1 << rest) - 1));
        let shares =
            |id: &MacProfile| self.sharers.range((*id, first)..=(*id, last)).next().is_some();
        let all = || (0..limits.mac_profiles).map(MacProfile);
        let ours = own.filter(|(_, own)| prefix(*own) == prefix(mac)).map(|(id, _)| id);
        let profile = match ours.or_else(|| all().find(shares)) {
            Some(profile) => profile,
            None => self.new_profile(own, |other| prefix(other) == prefix(mac), all(), applied)?,
        };
        self.set_profile(object, Some((profile, mac)));
        Ok(profile)
    }

    /// A profile for a MAC whose prefix none of ours has: that of a stranger in the chip that has it, `own` if nobody else is in it, or
    /// a free one of `all`.
    fn new_profile(
        &self,
        own: Option<(MacProfile, Mac)>,
        has_prefix: impl Fn(Mac) -> bool,
        mut all: impl Iterator<Item = MacProfile>,
        applied: &Applied,
    ) -> Result<MacProfile, Reason> {
        let strangers = applied.rifs().filter(|rif| rif.enabled && !self.rifs.is_used(rif.rif.0));
        let strangers: Vec<(MacProfile, Mac)> =
            strangers.map(|rif| (rif.mac_profile, rif.mac)).collect();
        let theirs = |id: MacProfile| strangers.iter().any(|(other, _)| *other == id);
        let sharers = |id: MacProfile| -> u32 {
            let all = (id, Mac::from_bits(0))..=(id, Mac::from_bits((1 << 48) - 1));
            self.sharers.range(all).map(|(_, count)| count).sum()
        };
        let same = strangers.iter().find(|(_, mac)| has_prefix(*mac)).map(|(id, _)| *id);
        let unshared = own.map(|(id, _)| id).filter(|id| sharers(*id) == 1 && !theirs(*id));
        let free = || all.find(|id| sharers(*id) == 0 && !theirs(*id));
        same.or(unshared).or_else(free).ok_or(Reason::RifMacProfilesFull)
    }

    fn set_profile(&mut self, object: Object, to: Option<(MacProfile, Mac)>) {
        let former = match to {
            Some(to) => self.profiles.insert(object, to),
            None => self.profiles.remove(&object),
        };
        if let Some(to) = to {
            *self.sharers.entry(to).or_default() += 1;
        }
        if let Some(former) = former
            && let Some(count) = self.sharers.get_mut(&former)
        {
            *count -= 1;
            if *count == 0 {
                self.sharers.remove(&former);
            }
        }
    }

    /// No router interface of an object is in the chip any more.
    pub fn release_interface(&mut self, object: Object) {
        self.rifs.release(&object);
        self.set_profile(object, None);
    }

    /// Nothing of a bond or team is in the chip any more.
    pub fn release_lag(&mut self, ifindex: IfIndex) {
        self.lags.release(&ifindex);
    }

    /// Nothing of a VLAN-unaware bridge is in the chip any more.
    pub fn release_fid(&mut self, bridge: IfIndex) {
        self.fids.release(&bridge);
    }

    /// Nothing of a table is in the chip any more.
    pub fn release_vr(&mut self, table: u32) {
        self.vrs.release(&table);
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
