//! To which FID does a frame belong, and by which router interface does it enter the router?
//!
//! ```text
//!   {port, VID} ──┐ SVFA                        FID ─ SFMR: flood_rsp, flood tables, iRIF of
//!       VID ──────┴─▶ FID, iRIF of the mapping            frames classified by FID (tunnels)
//!                     the port's own mapping wins
//! ```
//!
//! Backwards, the same mappings say with which VID a frame of a FID leaves a port.

use std::collections::BTreeSet;
use std::hash::Hash;

use emad::register::Sfmr;

use super::keyed::{Keyed, Sparse};

/// The highest FID: 802.1Q 1..=4094, 802.1D 4095..=5118, dummy 5119, router sub-ports 5120..=16383.
pub(crate) const MAX_FID: u16 = 16383;

/// All FIDs that exist, as SFMR last wrote them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fids(Sparse<Sfmr>);

impl Fids {
    /// The FID, if it exists.
    #[must_use]
    pub(crate) fn get(&self, fid: u16) -> Option<&Sfmr> {
        self.0.get(fid.into())
    }

    /// Does it exist?
    #[must_use]
    pub(crate) fn exists(&self, fid: u16) -> bool {
        self.get(fid).is_some()
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.0.count()
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sfmr> {
        self.0.iter().map(|(_, sfmr)| sfmr)
    }

    /// Creates or changes one.
    pub(crate) fn write(&mut self, sfmr: Sfmr) {
        self.0.insert(sfmr.fid.into(), sfmr);
    }

    /// Destroys one; its FDB records and mappings stay.
    pub(crate) fn remove(&mut self, fid: u16) {
        self.0.remove(fid.into());
    }
}

/// What a classification entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The FID.
    pub(crate) fid: u16,
    /// The router interface by which such frames enter the router.
    pub(crate) irif: Option<u16>,
}

/// The classification tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classification {
    /// By port · 4096 + VID.
    port_vid: Sparse<Mapping>,
    vid: Sparse<Mapping>,
    vids_of_fid_port: Keyed<(u16, u16), BTreeSet<u16>>,
    vids_of_fid: Keyed<u16, BTreeSet<u16>>,
}

/// How many VLAN ids there are.
const VIDS: usize = 4096;

fn place(port: u16, vid: u16) -> usize {
    usize::from(port) * VIDS + usize::from(vid) % VIDS
}

impl Classification {
    /// Sets or, with `None`, removes the mapping of {port, VID}.
    pub(crate) fn set_port_vid(&mut self, port: u16, vid: u16, mapping: Option<Mapping>) {
        if let Some(old) = self.port_vid.remove(place(port, vid)) {
            forget(&mut self.vids_of_fid_port, &(old.fid, port), vid);
        }
        if let Some(new) = mapping {
            self.port_vid.insert(place(port, vid), new);
            self.vids_of_fid_port.entry((new.fid, port)).or_default().insert(vid);
        }
    }

    /// Sets or, with `None`, removes the mapping of the VID on every port.
    pub(crate) fn set_vid(&mut self, vid: u16, mapping: Option<Mapping>) {
        if let Some(old) = self.vid.remove(vid.into()) {
            forget(&mut self.vids_of_fid, &old.fid, vid);
        }
        if let Some(new) = mapping {
            self.vid.insert(vid.into(), new);
            self.vids_of_fid.entry(new.fid).or_default().insert(vid);
        }
    }

    /// The mapping of {port, VID} alone.
    #[must_use]
    pub(crate) fn by_port_vid(&self, port: u16, vid: u16) -> Option<Mapping> {
        self.port_vid.get(place(port, vid)).copied()
    }

    /// The mapping of the VID alone.
    #[must_use]
    pub(crate) fn by_vid(&self, vid: u16) -> Option<Mapping> {
        self.vid.get(vid.into()).copied()
    }

    /// All mappings: by port and VID, then (port `None`) by VID.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<u16>, u16, Mapping)> {
        let number = |index: usize| u16::try_from(index).expect("ports and VIDs are below 65,536");
        let by_port = self.port_vid.iter();
        let by_port = by_port.map(move |(at, m)| (Some(number(at / VIDS)), number(at % VIDS), *m));
        by_port.chain(self.vid.iter().map(move |(vid, m)| (None, number(vid), *m)))
    }

    /// With which VID a frame of `fid` leaves `port`: `ingress_vid` where that is possible, else the lowest
    /// that is mapped. `None`: the port has no part in the FID.
    #[must_use]
    pub(crate) fn egress_vid(&self, fid: u16, port: u16, ingress_vid: u16) -> Option<u16> {
        let of_port = self.vids_of_fid_port.get(&(fid, port));
        let vids = of_port.or_else(|| self.vids_of_fid.get(&fid))?;
        if vids.contains(&ingress_vid) { Some(ingress_vid) } else { vids.first().copied() }
    }
}

fn forget<K: Hash + Eq>(vids: &mut Keyed<K, BTreeSet<u16>>, key: &K, vid: u16) {
    if let Some(set) = vids.get_mut(key) {
        set.remove(&vid);
        if set.is_empty() {
            vids.remove(key);
        }
    }
}
