//! Accesses to the router as such: RGCR, RITR, RICNT, REIV.

use emad::register::{Reiv, ReivRecord, Rgcr, Ricnt, RicntOp, Ritr, RitrOp, RitrType};

use super::{Access, Refusal, ensure};
use crate::chip::rif;

/// Highest VLAN id of a VLAN interface.
const MAX_VID: u16 = 4094;

impl Access<'_> {
    pub(super) fn write_rgcr(&mut self, rgcr: &Rgcr) -> Result<(), Refusal> {
        let (asked, rifs) = (rgcr.max_router_interfaces, self.personality.rifs);
        ensure!(asked <= rifs, "{asked} router interfaces are more than {rifs}");
        self.tables.router = rgcr.clone();
        Ok(())
    }

    pub(super) fn query_ritr(&self, ritr: &Ritr) -> Result<Ritr, Refusal> {
        self.check_rif(ritr.rif)?;
        Ok(self.tables.rifs.get(ritr.rif).cloned().unwrap_or_else(|| Ritr::query(ritr.rif)))
    }

    pub(super) fn write_ritr(&mut self, ritr: &Ritr) -> Result<(), Refusal> {
        let rif = ritr.rif;
        match ritr.op {
            RitrOp::Create => {}
            RitrOp::Delete => {
                self.check_rif(rif)?;
                self.tables.rifs.remove(rif);
                self.tables.counted.forget(rif);
                return Ok(());
            }
            RitrOp::Other(op) => return Err(Refusal::bad(format!("RITR has no op {op}"))),
        }
        let rifs = self.tables.rifs.size();
        if usize::from(rif) >= rifs {
            return Err(Refusal::full(format!("Router interface {rif} is not in 0..{rifs}")));
        }
        self.room_for_vr(ritr.virtual_router)?;
        if let RitrType::Other { code, .. } = ritr.kind {
            return Err(Refusal::bad(format!("Router interface type {code} is not known")));
        }
        self.check_in_place(ritr)?;
        ensure!(!loopback_has_vrrp(ritr), "A loopback router interface has no VRRP ids");
        if rif::has_mac(ritr) {
            let (profile, profiles) = (ritr.if_mac_profile_id, self.personality.mac_profiles);
            if profile >= profiles {
                let text = format!("MAC profile {profile} is not in 0..{profiles}");
                return Err(Refusal::full(text));
            }
            ensure!(!ritr.if_mac.is_multicast(), "MAC {} is a group address", ritr.if_mac);
        }
        let counters = self.personality.rif_counters;
        for counter in [ritr.ingress_counter, ritr.egress_counter] {
            if counter.set_type == Ricnt::BASIC && counter.index >= counters {
                let text = format!("Counter {} is not in 0..{counters}", counter.index);
                return Err(Refusal::full(text));
            }
        }
        if ritr.enable {
            self.check_below(ritr)?;
            self.check_profile(ritr)?;
        }
        let (in_use, max) = (self.tables.rifs.count(), self.tables.router.max_router_interfaces);
        if self.tables.rifs.get(rif).is_none() && in_use >= usize::from(max) {
            return Err(Refusal::full(format!("{max} router interfaces are in use")));
        }
        self.tables.rifs.write(ritr.clone());
        Ok(())
    }

    /// An enabled router interface keeps its type and virtual router: the driver deletes it and creates another
    /// (`mlxsw_sp_rif_destroy`, `mlxsw_sp_rif_create`), and edits MAC, MTU and VRRP ids alone.
    fn check_in_place(&self, ritr: &Ritr) -> Result<(), Refusal> {
        let Some(old) = self.tables.rifs.enabled(ritr.rif) else { return Ok(()) };
        let (rif, vr) = (ritr.rif, old.virtual_router);
        ensure!(
            ritr.kind.code() == old.kind.code(),
            "Router interface {rif} is enabled and keeps its type"
        );
        ensure!(
            ritr.virtual_router == vr,
            "Router interface {rif} is enabled and stays in virtual router {vr}"
        );
        Ok(())
    }

    /// What lies below an enabled router interface must exist.
    fn check_below(&self, ritr: &Ritr) -> Result<(), Refusal> {
        match ritr.kind {
            RitrType::VlanIf { vlan_id, efid } => {
                ensure!((1..=MAX_VID).contains(&vlan_id), "VLAN {vlan_id} is not in 1..={MAX_VID}");
                if !self.personality.vlan_rif_has_efid {
                    ensure!(efid == 0, "This chip derives the egress FID, {efid} is not 0");
                    return Ok(());
                }
            }
            RitrType::SpIf { lag: false, system_port, .. } => self.check_port(system_port)?,
            RitrType::SpIf { system_port, .. } => _ = self.check_lag(system_port)?,
            RitrType::FidIf { .. } => {}
            RitrType::Loopback { .. } | RitrType::Other { .. } => return Ok(()),
        }
        let fid = rif::egress_fid(ritr).unwrap_or(0);
        ensure!(self.tables.fids.exists(fid), "FID {fid} does not exist");
        Ok(())
    }

    /// A profile's prefix may not move under another enabled router interface.
    fn check_profile(&self, ritr: &Ritr) -> Result<(), Refusal> {
        if !rif::has_mac(ritr) {
            return Ok(());
        }
        let (profile, mac) = (ritr.if_mac_profile_id, ritr.if_mac);
        let others = self.tables.rifs.profiles(Some(ritr.rif));
        let held = others.get(&profile);
        ensure!(
            held.is_none_or(|prefix| *prefix == self.tables.rifs.prefix(mac)),
            "MAC profile {profile} holds another prefix than that of {mac} for other interfaces"
        );
        Ok(())
    }

    pub(super) fn query_ricnt(&mut self, ricnt: &Ricnt) -> Result<Ricnt, Refusal> {
        let (index, counters) = (ricnt.counter_index, self.personality.rif_counters);
        ensure!(index < counters, "Counter {index} is not in 0..{counters}");
        let set_type = ricnt.counter_set_type;
        ensure!(set_type == Ricnt::BASIC, "Router interfaces have no counters of type {set_type}");
        let set = self.tables.counted.set(index);
        match ricnt.op {
            RicntOp::Nop => {}
            RicntOp::Clear => self.tables.counted.clear(index),
            RicntOp::Other(op) => return Err(Refusal::bad(format!("RICNT has no op {op}"))),
        }
        let (op, counter_set_type) = (ricnt.op, set_type);
        Ok(Ricnt { op, counter_set_type, counter_index: index, ..set })
    }

    pub(super) fn query_reiv(&self, mut reiv: Reiv) -> Result<Reiv, Refusal> {
        self.check_rif(reiv.erif)?;
        reiv.records = (0..=u8::MAX)
            .filter_map(|slot| {
                let port = u16::from(reiv.port_page) * 256 + u16::from(slot);
                let evid = self.tables.egress_vids.get(reiv.erif, port)?;
                Some((slot, ReivRecord { update: false, evid }))
            })
            .collect();
        Ok(reiv)
    }

    pub(super) fn write_reiv(&mut self, reiv: &Reiv) -> Result<(), Refusal> {
        self.check_rif(reiv.erif)?;
        let updates = || {
            reiv.records.iter().filter(|(_, record)| record.update).map(|(slot, record)| {
                (u16::from(reiv.port_page) * 256 + u16::from(*slot), record.evid)
            })
        };
        for (port, _) in updates() {
            self.check_port(port)?;
        }
        for (port, evid) in updates() {
            self.tables.egress_vids.set(reiv.erif, port, evid);
        }
        Ok(())
    }
}

/// The word of the VRRP ids is reserved in loopbacks; those of IPv6 tunnels have their address there.
fn loopback_has_vrrp(ritr: &Ritr) -> bool {
    const IPIP_IPV6: u8 = 1;
    match &ritr.kind {
        RitrType::Loopback { raw } => {
            raw[0] >> 4 != IPIP_IPV6 && (raw[0x16] != 0 || raw[0x17] != 0)
        }
        _ => false,
    }
}
