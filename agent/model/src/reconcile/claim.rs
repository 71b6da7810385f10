//! Which of the chip's rows are whose, after a scan: chip indices are recognised by the rows that name them.
//!
//! ```text
//!   {port, VID} ──▶ FID ──▶ RIF              sub-port, VLAN-unaware bridge
//!   VLAN ──▶ FID of that number ──▶ RIF      VLAN-aware bridge
//!   port ──▶ LAG                             bond, team
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::Reconciler;
use crate::applied::Applied;
use crate::chip::{Entry, Fid, Key, PortOrLag, RifKind};
use crate::intent::{Members, Place};
use crate::plan::Object;

impl Reconciler {
    /// Rows that say which chip index stands for which object: read first after a scan.
    pub(super) fn landmarks(&self) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        for unit in self.units.values() {
            if let Some(Place::Subport(lane)) = unit.router_interface.as_ref().map(|i| &i.place) {
                keys.extend(lane.ports.keys().map(|port| Key::PortVidFid(*port, lane.vid)));
            }
        }
        for members in self.bridges.values().filter_map(|bridge| bridge.domains.get(&None)) {
            keys.extend(members.keys().map(|(port, vid)| Key::PortVidFid(*port, *vid)));
        }
        for lag in self.lags.values() {
            keys.extend(lag.keys().map(|port| Key::LagCollector(*port)));
        }
        keys
    }

    /// Takes over the indices that the landmarks show.
    pub(super) fn claim_indices(&mut self) {
        let fid_at = |applied: &Applied, key: &Key| match applied.get(key) {
            Some(Entry::PortVidFid { fid, .. }) => Some(*fid),
            _ => None,
        };
        for (ifindex, lag) in &self.lags {
            for port in lag.keys() {
                if let Some(Entry::LagCollector { lag, .. }) =
                    self.applied.get(&Key::LagCollector(*port))
                {
                    self.allocation.claim_lag(*ifindex, *lag);
                }
            }
        }
        for (ifindex, bridge) in &self.bridges {
            for (port, vid) in bridge.domains.get(&None).into_iter().flat_map(Members::keys) {
                if let Some(fid) = fid_at(&self.applied, &Key::PortVidFid(*port, *vid)) {
                    self.allocation.claim_fid(*ifindex, fid);
                }
            }
        }
        let mut rifs = BTreeMap::new();
        for rif in self.applied.rifs().filter(|rif| rif.enabled) {
            rifs.entry(rif.kind.fid()).or_insert(rif);
        }
        for interface in self.units.values().filter_map(|unit| unit.router_interface.as_ref()) {
            let object = interface.object();
            let rif_in = |fid| rifs.get(&fid).copied();
            let found = match &interface.place {
                Place::Subport(lane) => lane.ports.keys().find_map(|port| {
                    rif_in(fid_at(&self.applied, &Key::PortVidFid(*port, lane.vid))?)
                }),
                Place::Domain(domain) => {
                    let vlan = domain.vlan.map(Fid::of_vlan);
                    vlan.or_else(|| self.allocation.fid(domain.bridge)).and_then(rif_in)
                }
            };
            let Some(rif) = found else { continue };
            if let Place::Subport(lane) = &interface.place {
                // a port that was in a bridge shows the bridge's router interface: that one is swept
                let RifKind::Subport { at, .. } = rif.kind else { continue };
                if let (Some(ifindex), PortOrLag::Lag(lag)) = (lane.lag, at) {
                    self.allocation.claim_lag(ifindex, lag);
                }
                let wanted = match lane.lag {
                    Some(ifindex) => self.allocation.lag(ifindex).map(PortOrLag::Lag),
                    None => lane.ports.keys().next().copied().map(PortOrLag::Port),
                };
                // where the port was before: that one goes
                if wanted != Some(at) {
                    continue;
                }
            }
            self.allocation.claim(object, interface.table, rif);
        }
    }

    /// The records of a claimed router interface are in its care, wanted or not: one that is still its MAC in the chip must
    /// not be swept before the interface was edited.
    pub(super) fn keep_records(&mut self) {
        let owners: BTreeMap<Fid, Object> = self
            .allocation
            .interfaces()
            .filter_map(|object| Some((self.applied_rif_of(object)?.kind.fid(), object)))
            .collect();
        for key in self.applied.tables().keys() {
            if let Key::RouterMac(fid, _) = key
                && let Some(object) = owners.get(fid)
                && !self.book.has(key)
            {
                self.book.take_care(*object, key.clone());
            }
        }
    }
}
