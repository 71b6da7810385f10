//! Which chip index stands for which kernel object. Rebuilt from a read-back; never chosen twice for one object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::applied::Applied;
use crate::chip::{MacProfile, RifIndex, RifKind, VrId};
use crate::intent::{Reason, RouterInterface};
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
}

/// Chip indices by kernel key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Allocation {
    rifs: BTreeMap<IfIndex, RifIndex>,
    profiles: BTreeMap<IfIndex, (MacProfile, Mac)>,
    vrs: BTreeMap<u32, VrId>,
}

impl Allocation {
    /// Takes over the indices under which a chip already holds an interface and its virtual router.
    pub fn claim(&mut self, interface: &RouterInterface, applied: &Applied) {
        let mine = applied.rifs().find(|rif| match rif.kind {
            RifKind::Subport { port, .. } => rif.enabled && port == interface.port,
        });
        let Some(rif) = mine else { return };
        let taken = self.vrs.iter().any(|(table, vr)| *vr == rif.vr && *table != interface.table);
        if !taken && *self.vrs.entry(interface.table).or_insert(rif.vr) == rif.vr {
            self.rifs.insert(interface.ifindex, rif.rif);
            self.profiles.insert(interface.ifindex, (rif.mac_profile, rif.mac));
        }
    }

    /// The router interface of a device.
    pub fn rif(&self, ifindex: IfIndex) -> Option<RifIndex> {
        self.rifs.get(&ifindex).copied()
    }

    /// The virtual router of a table.
    pub fn vr(&self, table: u32) -> Option<VrId> {
        self.vrs.get(&table).copied()
    }

    /// The tables that have a virtual router.
    pub fn tables(&self) -> impl Iterator<Item = u32> {
        self.vrs.keys().copied()
    }

    /// The devices that have a router interface.
    pub fn interfaces(&self) -> impl Iterator<Item = IfIndex> {
        self.rifs.keys().copied()
    }

    /// How many router interfaces, virtual routers and MAC profiles are taken.
    pub fn occupancy(&self) -> (usize, usize, usize) {
        let profiles: std::collections::BTreeSet<_> =
            self.profiles.values().map(|(profile, _)| profile).collect();
        (self.rifs.len(), self.vrs.len(), profiles.len())
    }

    /// The index for a device: its own, or the lowest that neither another device nor the chip uses.
    pub(super) fn take_rif(
        &mut self,
        ifindex: IfIndex,
        limits: &Limits,
        applied: &Applied,
    ) -> Result<RifIndex, Reason> {
        if let Some(rif) = self.rif(ifindex) {
            return Ok(rif);
        }
        let mut used: std::collections::BTreeSet<RifIndex> = self.rifs.values().copied().collect();
        used.extend(applied.rifs().map(|rif| rif.rif));
        let free = (0..limits.rifs).map(RifIndex).find(|rif| !used.contains(rif));
        let rif = free.ok_or(Reason::RifTableFull)?;
        self.rifs.insert(ifindex, rif);
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

    /// The profile for a device's MAC, by the rules of mlxsw_sp_rif_mac_profile_replace(): one with the same prefix; else
    /// the device's own, edited in place, if nobody shares it; else a free one. Router interfaces in the chip that
    /// belong to nobody share and take profiles as well, until they are swept.
    pub(super) fn take_profile(
        &mut self,
        ifindex: IfIndex,
        mac: Mac,
        limits: &Limits,
        applied: &Applied,
    ) -> Result<MacProfile, Reason> {
        let prefix = |mac: Mac| mac.bits() >> (48 - limits.mac_profile_bits.min(48));
        let own = self.profiles.get(&ifindex).copied();
        let ours = self.profiles.iter().filter(|(other, _)| **other != ifindex).map(|(_, p)| *p);
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
        self.profiles.insert(ifindex, (profile, mac));
        Ok(profile)
    }

    /// Nothing of a device is in the chip any more.
    pub fn release_interface(&mut self, ifindex: IfIndex) {
        self.rifs.remove(&ifindex);
        self.profiles.remove(&ifindex);
    }

    /// Nothing of a table is in the chip any more.
    pub fn release_vr(&mut self, table: u32) {
        self.vrs.remove(&table);
    }
}
