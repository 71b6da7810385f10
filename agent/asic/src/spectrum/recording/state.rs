//! What do the chip's tables hold by a recording, as its registers have them? Writes that the chip executed, and what queries
//! found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use emad::register::{
    Hpkt, HpktAction, Htgt, Protocol, Qpcr, Raleu, Ralue, RalueAction, RalueOp, Ratr, RatrOp,
    Rauht, RauhtOp, Ritr, RitrOp, Sfmr, SfmrOp, Slcor, SlcorCol, Sldr, SldrOp, Svfa, SvfaMapping,
    TrapAction,
};
use emad::{Mac, Register};
use ipnet::IpNet;

use super::fdb::Fdb;

/// A LAG and its ports.
#[derive(Debug, Clone, Default)]
pub(super) struct Lag {
    pub(super) members: BTreeSet<u16>,
    pub(super) collectors: BTreeSet<u16>,
    pub(super) distributors: BTreeSet<u16>,
}

/// What becomes of a packet class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trap {
    pub(super) action: HpktAction,
    /// None: no write named one.
    pub(super) group: Option<u8>,
}

/// The tables.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) rifs: BTreeMap<u16, Ritr>,
    pub(super) fdb: Fdb,
    pub(super) routes: BTreeMap<(u16, IpNet), Ralue>,
    pub(super) neighbours: BTreeMap<(u16, IpAddr), Mac>,
    /// By index.
    pub(super) adjacencies: BTreeMap<u32, Ratr>,
    pub(super) fids: BTreeMap<u16, Sfmr>,
    pub(super) lags: BTreeMap<u16, Lag>,
    /// By port and VID.
    pub(super) port_vids: BTreeMap<(u16, u16), Svfa>,
    pub(super) vids: BTreeMap<u16, Svfa>,
    pub(super) traps: BTreeMap<u16, Trap>,
    pub(super) groups: BTreeMap<u8, Htgt>,
    pub(super) policers: BTreeMap<u16, Qpcr>,
}

impl State {
    /// A write was executed, with this answer. Returns how many rows have an outcome that is not known.
    pub(super) fn write(&mut self, asked: &Register, answer: &Register) -> usize {
        match asked {
            Register::Sfd(sfd) => {
                if let Register::Sfd(answer) = answer {
                    return self.fdb.write(sfd, answer);
                }
            }
            Register::Sfdf(sfdf) => self.fdb.flush(sfdf),
            Register::Ritr(ritr) => self.write_rif(ritr),
            Register::Sfmr(sfmr) => self.write_fid(sfmr),
            Register::Svfa(svfa) => self.set_mapping(svfa),
            Register::Ralue(ralue) => self.write_route(ralue),
            Register::Rauht(rauht) => self.write_neighbour(rauht),
            Register::Ratr(ratr) => return self.write_adjacency(ratr),
            Register::Raleu(raleu) => self.regroup(raleu),
            Register::Sldr(sldr) => self.write_lag(sldr),
            Register::Slcor(slcor) => self.write_collector(slcor),
            Register::Hpkt(Hpkt { trap_id, action, trap_group, .. }) => {
                let trap = Trap { action: *action, group: Some(*trap_group) };
                self.traps.insert(*trap_id, trap);
            }
            Register::Htgt(htgt) => {
                self.groups.insert(htgt.group, htgt.clone());
            }
            Register::Qpcr(qpcr) => {
                self.policers.insert(qpcr.pid, qpcr.clone());
            }
            _ => {}
        }
        0
    }

    /// A query was answered. True: there are records in the forwarding database that nobody is known to have written.
    pub(super) fn read(&mut self, asked: &Register, answer: &Register) -> bool {
        match (asked, answer) {
            (Register::Sfd(asked), Register::Sfd(answer)) => return self.fdb.read(asked, answer),
            (_, Register::Sfn(sfn)) => self.fdb.notices(sfn),
            (_, Register::Ritr(ritr)) => self.read_rif(ritr),
            (_, Register::Sfmr(sfmr)) => self.write_fid(sfmr),
            (_, Register::Svfa(svfa)) => self.set_mapping(svfa),
            (_, Register::Ralue(ralue)) => self.set_route(ralue),
            (_, Register::Ratr(ratr)) => self.set_adjacency(ratr),
            (_, Register::Rauht(rauht)) => {
                self.neighbours.insert((rauht.rif, rauht.dip), rauht.mac);
            }
            (_, Register::Hpkt(hpkt)) => self.read_trap(hpkt),
            // A group that was never written reads as one without policer and priority.
            (_, Register::Htgt(htgt))
                if self.groups.contains_key(&htgt.group)
                    || (htgt.policer, htgt.priority, htgt.tclass) != (None, 0, 0) =>
            {
                self.groups.insert(htgt.group, htgt.clone());
            }
            (_, Register::Qpcr(qpcr)) if qpcr.cir == 0 => {
                self.policers.remove(&qpcr.pid);
            }
            (_, Register::Qpcr(qpcr)) => {
                self.policers.insert(qpcr.pid, qpcr.clone());
            }
            _ => {}
        }
        false
    }

    /// A query was refused because there is no such row.
    pub(super) fn absent(&mut self, asked: &Register) {
        match asked {
            Register::Sfmr(sfmr) => {
                self.fids.remove(&sfmr.fid);
            }
            Register::Ralue(ralue) => {
                if let Some(key) = route(ralue) {
                    self.routes.remove(&key);
                }
            }
            Register::Rauht(rauht) => {
                self.neighbours.remove(&(rauht.rif, rauht.dip));
            }
            _ => {}
        }
    }

    /// By this answer the router interface is free though it was enabled.
    pub(super) fn contradicts(&self, answer: &Register) -> bool {
        let Register::Ritr(ritr) = answer else { return false };
        let enabled = self.rifs.get(&ritr.rif).is_some_and(|known| known.enable);
        enabled && *ritr == Ritr::query(ritr.rif)
    }

    fn write_rif(&mut self, ritr: &Ritr) {
        match ritr.op {
            RitrOp::Delete => self.rifs.remove(&ritr.rif),
            _ => self.rifs.insert(ritr.rif, ritr.clone()),
        };
    }

    /// The fields of a free index are zero.
    fn read_rif(&mut self, ritr: &Ritr) {
        if *ritr == Ritr::query(ritr.rif) {
            self.rifs.remove(&ritr.rif);
        } else {
            self.rifs.insert(ritr.rif, ritr.clone());
        }
    }

    fn write_fid(&mut self, sfmr: &Sfmr) {
        match sfmr.op {
            SfmrOp::Destroy => self.fids.remove(&sfmr.fid),
            _ => self.fids.insert(sfmr.fid, sfmr.clone()),
        };
    }

    fn set_mapping(&mut self, svfa: &Svfa) {
        let valid = svfa.valid.then(|| svfa.clone());
        match (svfa.mapping, valid) {
            (SvfaMapping::PortVidToFid, Some(svfa)) => {
                self.port_vids.insert((svfa.local_port, svfa.vid), svfa);
            }
            (SvfaMapping::PortVidToFid, None) => {
                self.port_vids.remove(&(svfa.local_port, svfa.vid));
            }
            (SvfaMapping::VidToFid, Some(svfa)) => {
                self.vids.insert(svfa.vid, svfa);
            }
            (SvfaMapping::VidToFid, None) => {
                self.vids.remove(&svfa.vid);
            }
            _ => {}
        }
    }

    fn write_route(&mut self, ralue: &Ralue) {
        match ralue.op {
            RalueOp::WRITE_CLEAR => {}
            RalueOp::WRITE_DELETE => {
                if let Some(key) = route(ralue) {
                    self.routes.remove(&key);
                }
            }
            _ => self.set_route(ralue),
        }
    }

    fn set_route(&mut self, ralue: &Ralue) {
        if let Some(key) = route(ralue) {
            self.routes.insert(key, ralue.clone());
        }
    }

    fn write_neighbour(&mut self, rauht: &Rauht) {
        match rauht.op {
            RauhtOp::WRITE_ADD | RauhtOp::WRITE_UPDATE => {
                self.neighbours.insert((rauht.rif, rauht.dip), rauht.mac);
            }
            RauhtOp::WRITE_DELETE => {
                self.neighbours.remove(&(rauht.rif, rauht.dip));
            }
            RauhtOp::WRITE_DELETE_ALL => {
                let doomed = |rif: u16, dip: IpAddr| {
                    rif == rauht.rif && dip.is_ipv4() == rauht.dip.is_ipv4()
                };
                self.neighbours.retain(|(rif, dip), _| !doomed(*rif, *dip));
            }
            _ => {}
        }
    }

    /// Whether a write that spares what is in use was made, no answer says.
    fn write_adjacency(&mut self, ratr: &Ratr) -> usize {
        let spares = ratr.op == RatrOp::WRITE_WRITE_ENTRY_ON_ACTIVITY;
        if spares && self.adjacencies.contains_key(&ratr.adjacency_index) {
            return 1;
        }
        self.set_adjacency(ratr);
        0
    }

    fn set_adjacency(&mut self, ratr: &Ratr) {
        if ratr.v {
            self.adjacencies.insert(ratr.adjacency_index, ratr.clone());
        } else {
            self.adjacencies.remove(&ratr.adjacency_index);
        }
    }

    fn regroup(&mut self, raleu: &Raleu) {
        let old = (raleu.adjacency_index, raleu.ecmp_size);
        for ralue in self.routes.values_mut() {
            let vr = ralue.virtual_router;
            let ipv4 = raleu.protocol == Protocol::Ipv4;
            if let RalueAction::Remote { trap_action, adjacency_index, ecmp_size, .. } =
                &mut ralue.action
                && (*adjacency_index, *ecmp_size) == old
                && matches!(trap_action, TrapAction::Nop | TrapAction::MirrorToCpu)
                && (vr, ralue.dip.is_ipv4()) == (raleu.virtual_router, ipv4)
            {
                (*adjacency_index, *ecmp_size) = (raleu.new_adjacency_index, raleu.new_ecmp_size);
            }
        }
    }

    fn write_lag(&mut self, sldr: &Sldr) {
        match sldr.op {
            SldrOp::Create => {
                self.lags.entry(sldr.lag_id).or_default();
            }
            SldrOp::Destroy => {
                self.lags.remove(&sldr.lag_id);
            }
            SldrOp::AddPortList => {
                let lag = self.lags.entry(sldr.lag_id).or_default();
                lag.distributors.insert(sldr.system_port);
            }
            SldrOp::RemovePortList => {
                if let Some(lag) = self.lags.get_mut(&sldr.lag_id) {
                    lag.distributors.remove(&sldr.system_port);
                }
            }
            SldrOp::Other(_) => {}
        }
    }

    fn write_collector(&mut self, slcor: &Slcor) {
        let port = slcor.local_port;
        match slcor.col {
            SlcorCol::AddPort => {
                self.lags.entry(slcor.lag_id).or_default().members.insert(port);
            }
            SlcorCol::CollectorEnabled => {
                self.lags.entry(slcor.lag_id).or_default().collectors.insert(port);
            }
            SlcorCol::CollectorDisabled => {
                if let Some(lag) = self.lags.get_mut(&slcor.lag_id) {
                    lag.collectors.remove(&port);
                }
            }
            SlcorCol::RemovePort => {
                if let Some(lag) = self.lags.get_mut(&slcor.lag_id) {
                    lag.members.remove(&port);
                    lag.collectors.remove(&port);
                }
            }
            SlcorCol::Other(_) => {}
        }
    }

    /// Group 0 is also the answer where no write named a group.
    fn read_trap(&mut self, hpkt: &Hpkt) {
        let known = self.traps.get(&hpkt.trap_id).and_then(|trap| trap.group);
        let group = known.or_else(|| (hpkt.trap_group != 0).then_some(hpkt.trap_group));
        let group = group.map(|_| hpkt.trap_group);
        self.traps.insert(hpkt.trap_id, Trap { action: hpkt.action, group });
    }
}

fn route(ralue: &Ralue) -> Option<(u16, IpNet)> {
    let prefix = IpNet::new(ralue.dip, ralue.prefix_len).ok()?;
    Some((ralue.virtual_router, prefix.trunc()))
}
