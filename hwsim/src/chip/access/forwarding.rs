//! Accesses to the bridge: SFDAT, SFD, SFN, SFDF, SFMR, SVFA, SFGC, SMID2.

use emad::register::{
    BridgeType, FloodType, Sfd, SfdAction, SfdOp, SfdRecord, SfdTarget, Sfdat, Sfdf, SfdfFlush,
    Sfgc, Sfmr, SfmrOp, Sfn, Smid2, Svfa, SvfaMapping,
};

use super::{Access, Refusal, ensure};
use crate::chip::fdb::Place;
use crate::chip::fid::{MAX_FID, Mapping};
use crate::chip::rif;

/// Ageing times that the chip takes, in seconds (mlxsw `reg.h`).
const AGE_TIME: std::ops::RangeInclusive<u32> = 10..=1_000_000;

impl Access<'_> {
    pub(super) fn query_sfdat(&self, mut sfdat: Sfdat) -> Sfdat {
        sfdat.age_time = self.tables.fdb.age_time();
        sfdat
    }

    pub(super) fn write_sfdat(&mut self, sfdat: &Sfdat) -> Result<(), Refusal> {
        let seconds = sfdat.age_time;
        ensure!(AGE_TIME.contains(&seconds), "Ageing time {seconds} is not in {AGE_TIME:?}");
        self.tables.fdb.set_age_time(seconds);
        Ok(())
    }

    pub(super) fn query_sfd(&mut self, mut sfd: Sfd) -> Result<Sfd, Refusal> {
        match sfd.op {
            SfdOp::QUERY_DUMP => {
                let wanted = match sfd.num_rec {
                    0 => Sfd::MAX_RECORDS,
                    wanted => usize::from(wanted).min(Sfd::MAX_RECORDS),
                };
                (sfd.records, sfd.record_locator) =
                    self.tables.fdb.page(sfd.record_locator, wanted);
            }
            SfdOp::QUERY | SfdOp::QUERY_AND_CLEAR_ACTIVITY => {
                let clear = sfd.op == SfdOp::QUERY_AND_CLEAR_ACTIVITY;
                let mut found = Vec::new();
                for asked in &sfd.records {
                    let Some(record) = self.tables.fdb.get_mut(asked.fid, asked.mac) else {
                        continue;
                    };
                    found.push(*record);
                    record.a &= !clear;
                }
                sfd.records = found;
            }
            SfdOp(op) => return Err(Refusal::bad(format!("SFD has no query op {op}"))),
        }
        sfd.num_rec = u8::try_from(sfd.records.len()).unwrap_or(u8::MAX);
        Ok(sfd)
    }

    pub(super) fn write_sfd(&mut self, mut sfd: Sfd) -> Result<Sfd, Refusal> {
        let sent = sfd.records.len() - usize::from(self.short && !sfd.records.is_empty());
        let records = sfd.records.iter().take(sent);
        let done = match sfd.op {
            SfdOp::WRITE_TEST => records.filter(|record| self.sfd_fits(record)).count(),
            SfdOp::WRITE_EDIT => records
                .filter(|record| {
                    self.sfd_fits(record) && self.tables.fdb.write(**record, self.now).is_ok()
                })
                .count(),
            SfdOp::WRITE_REMOVE => {
                records.filter(|record| self.tables.fdb.remove(record.fid, record.mac)).count()
            }
            SfdOp(op) => return Err(Refusal::bad(format!("SFD has no write op {op}"))),
        };
        sfd.num_rec = u8::try_from(done).unwrap_or(u8::MAX);
        Ok(sfd)
    }

    /// Would the chip take this record? What it does not take is missing in `num_rec`.
    fn sfd_fits(&self, record: &SfdRecord) -> bool {
        let target = match record.target {
            _ if record.action == SfdAction::ForwardIpRouter => !record.mac.is_multicast(),
            SfdTarget::Unicast { system_port, .. } => {
                !record.mac.is_multicast() && self.tables.ports.get(system_port).is_some()
            }
            SfdTarget::UnicastLag { lag_id, .. } => {
                !record.mac.is_multicast() && self.tables.lags.get(lag_id).is_some()
            }
            SfdTarget::Multicast { .. } => record.mac.is_multicast(),
            SfdTarget::Other { .. } => false,
        };
        let action = !matches!(record.action, SfdAction::Other(_));
        target
            && action
            && self.tables.fids.exists(record.fid)
            && self.tables.fdb.has_room(record.fid, record.mac)
    }

    pub(super) fn query_sfn(&mut self, mut sfn: Sfn) -> Sfn {
        sfn.records = self.tables.fdb.take_notifications(usize::from(sfn.num_rec).min(64));
        sfn.num_rec = u8::try_from(sfn.records.len()).unwrap_or(u8::MAX);
        sfn
    }

    /// Records of router MACs point to no port and survive every flush by port.
    pub(super) fn write_sfdf(&mut self, sfdf: &Sfdf) -> Result<(), Refusal> {
        let flush = &sfdf.flush_type;
        if let SfdfFlush::Other { code, .. } = flush {
            return Err(Refusal::bad(format!("SFDF has no flush type {code}")));
        }
        self.tables.fdb.flush(|of, place, is_static| {
            let at_port = |port| place == Some(Place::Port(port));
            let at_lag = |lag| place == Some(Place::Lag(lag));
            (sfdf.flush_static || !is_static)
                && match *flush {
                    SfdfFlush::PerSwid => true,
                    SfdfFlush::PerFid { fid } => of == fid,
                    SfdfFlush::PerPort { system_port } => at_port(system_port),
                    SfdfFlush::PerPortAndFid { system_port, fid } => {
                        of == fid && at_port(system_port)
                    }
                    SfdfFlush::PerLag { lag_id } => at_lag(lag_id),
                    SfdfFlush::PerLagAndFid { lag_id, fid } => of == fid && at_lag(lag_id),
                    SfdfFlush::PerNve
                    | SfdfFlush::PerNveAndFid { .. }
                    | SfdfFlush::Other { .. } => false,
                }
        });
        Ok(())
    }

    pub(super) fn query_sfmr(&self, sfmr: &Sfmr) -> Result<Sfmr, Refusal> {
        let fid = sfmr.fid;
        let found = self.tables.fids.get(fid).cloned();
        found.ok_or_else(|| Refusal::bad(format!("FID {fid} does not exist")))
    }

    pub(super) fn write_sfmr(&mut self, sfmr: &Sfmr) -> Result<(), Refusal> {
        let fid = sfmr.fid;
        ensure!((1..=MAX_FID).contains(&fid), "FID {fid} is not in 1..={MAX_FID}");
        match sfmr.op {
            SfmrOp::Create => {
                self.check_irif(sfmr.irif_v.then_some(sfmr.irif))?;
                let fids = usize::from(self.personality.fids);
                if !self.tables.fids.exists(fid) && self.tables.fids.count() >= fids {
                    return Err(Refusal::full(format!("All {fids} FIDs are in use")));
                }
                self.tables.fids.write(sfmr.clone());
            }
            SfmrOp::Destroy => {
                let user = self
                    .tables
                    .rifs
                    .iter()
                    .find(|ritr| ritr.enable && rif::egress_fid(ritr) == Some(fid));
                if let Some(ritr) = user {
                    let rif = ritr.rif;
                    return Err(Refusal::bad(format!("Router interface {rif} uses FID {fid}")));
                }
                self.tables.fids.remove(fid);
            }
            SfmrOp::Other(op) => return Err(Refusal::bad(format!("SFMR has no op {op}"))),
        }
        Ok(())
    }

    pub(super) fn query_svfa(&self, mut svfa: Svfa) -> Result<Svfa, Refusal> {
        self.check_svfa_key(&svfa)?;
        let classification = &self.tables.classification;
        let mapping = match svfa.mapping {
            SvfaMapping::PortVidToFid => classification.by_port_vid(svfa.local_port, svfa.vid),
            _ => classification.by_vid(svfa.vid),
        };
        svfa.valid = mapping.is_some();
        svfa.fid = mapping.map_or(0, |m| m.fid);
        let irif = mapping.and_then(|m| m.irif);
        svfa.irif_v = irif.is_some();
        svfa.irif = irif.unwrap_or(0);
        Ok(svfa)
    }

    pub(super) fn write_svfa(&mut self, svfa: &Svfa) -> Result<(), Refusal> {
        self.check_svfa_key(svfa)?;
        let mapping = if svfa.valid {
            let fid = svfa.fid;
            ensure!(self.tables.fids.exists(fid), "FID {fid} does not exist");
            let irif = svfa.irif_v.then_some(svfa.irif);
            self.check_irif(irif)?;
            Some(Mapping { fid, irif })
        } else {
            None
        };
        match svfa.mapping {
            SvfaMapping::PortVidToFid => {
                self.tables.classification.set_port_vid(svfa.local_port, svfa.vid, mapping);
            }
            _ => self.tables.classification.set_vid(svfa.vid, mapping),
        }
        Ok(())
    }

    fn check_svfa_key(&self, svfa: &Svfa) -> Result<(), Refusal> {
        match svfa.mapping {
            SvfaMapping::VidToFid => Ok(()),
            SvfaMapping::PortVidToFid => self.check_port(svfa.local_port),
            other => Err(Refusal::bad(format!("Mapping {other} is not modelled"))),
        }
    }

    pub(super) fn query_sfgc(&self, sfgc: &Sfgc) -> Result<Sfgc, Refusal> {
        let (kind, bridge) = (sfgc.kind, sfgc.bridge_type);
        let found = self.tables.flood.table(kind, bridge).cloned();
        found.ok_or_else(|| Refusal::bad(format!("No flood table for {kind}, type {bridge}")))
    }

    pub(super) fn write_sfgc(&mut self, sfgc: &Sfgc) -> Result<(), Refusal> {
        let (kind, bridge) = (sfgc.kind, sfgc.bridge_type);
        ensure!(!matches!(kind, FloodType::Other(_)), "Flood type {kind} is not known");
        ensure!(!matches!(bridge, BridgeType::Other(_)), "Bridge type {bridge} is not known");
        self.tables.flood.set_table(sfgc.clone());
        Ok(())
    }

    pub(super) fn query_smid2(&self, mut smid2: Smid2) -> Smid2 {
        smid2.port = self.tables.flood.ports(smid2.mid).cloned().unwrap_or_default();
        smid2
    }

    pub(super) fn write_smid2(&mut self, smid2: &Smid2) -> Result<(), Refusal> {
        let router = self.tables.ports.router_port();
        if let Some(port) = smid2.port_mask.iter().find(|port| !(1..=router).contains(*port)) {
            return Err(Refusal::bad(format!("Port {port} is not in 1..={router} (the router)")));
        }
        self.tables.flood.update(smid2.mid, &smid2.port, &smid2.port_mask);
        Ok(())
    }
}
