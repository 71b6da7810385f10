//! Of which rows does a register tell? The way back from a register to keys, for registers that somebody else sent.
//!
//! Not for the forwarding database (SFD, SFN, SFDF), which has rows that nobody wrote.

use emad::Register;
use emad::register::{RatrOp, RauhtOp, Rmft2Groups, SlcorCol, SldrOp, SvfaMapping};
use firsthop_model::LocalPort;
use firsthop_model::chip::{
    AdjacencyIndex, Fid, Key, LagId, PolicerId, RifIndex, TrapGroupId, TrapId, Vid, VrId,
};
use firsthop_model::types::Family;
use ipnet::IpNet;

use super::{Dialect, flood, lpm};

/// What a register says about rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It wrote them.
    Write,
    /// It is the answer to a query.
    Answer,
}

/// The rows that a register tells of, as far as there are keys for them. A row that it leaves alone, such as a port that is
/// not in the mask, is none of them.
pub fn rows(register: &Register, told: Told, dialect: &Dialect) -> Vec<Key> {
    match register {
        Register::Rgcr(_) => vec![Key::Router],
        Register::Ritr(ritr) => vec![Key::Rif(RifIndex(ritr.rif))],
        Register::Reiv(reiv) => {
            let records = reiv.records.iter();
            let told = records.filter(|(_, record)| told == Told::Answer || record.update);
            let port = |slot| LocalPort(u16::from_be_bytes([reiv.port_page, slot]));
            told.map(|(slot, _)| Key::EgressVid(RifIndex(reiv.erif), port(*slot))).collect()
        }
        Register::Sfmr(sfmr) => vec![Key::Fid(Fid(sfmr.fid)), Key::FidRif(Fid(sfmr.fid))],
        Register::Svfa(svfa) => match svfa.mapping {
            SvfaMapping::PortVidToFid => {
                vec![Key::PortVidFid(LocalPort(svfa.local_port), Vid(svfa.vid))]
            }
            SvfaMapping::VidToFid => vec![Key::VidFid(Vid(svfa.vid))],
            _ => Vec::new(),
        },
        Register::Sfdat(_) => vec![Key::AgeingTime],
        Register::Sfgc(sfgc) => flood::table_of(sfgc).into_iter().collect(),
        Register::Smid2(smid2) => {
            let numbers = if told == Told::Write { &smid2.port_mask } else { &smid2.port };
            flood::destinations(smid2.mid, numbers, dialect)
        }
        Register::Sldr(sldr) => {
            let lag = LagId(sldr.lag_id);
            match sldr.op {
                SldrOp::Create | SldrOp::Destroy => vec![Key::Lag(lag)],
                _ => vec![Key::LagPort(lag, LocalPort(sldr.system_port))],
            }
        }
        Register::Slcor(slcor) => {
            let port = LocalPort(slcor.local_port);
            match slcor.col {
                SlcorCol::AddPort => vec![Key::LagCollector(port)],
                SlcorCol::RemovePort => vec![Key::LagCollector(port), Key::LagCollecting(port)],
                _ => vec![Key::LagCollecting(port)],
            }
        }
        Register::Spvid(spvid) => vec![Key::PortPvid(LocalPort(spvid.local_port))],
        Register::Spvm(spvm) => {
            let port = LocalPort(spvm.local_port);
            spvm.records.iter().map(|record| Key::PortVlan(port, Vid(record.vid))).collect()
        }
        Register::Spvmlr(spvmlr) => {
            let port = LocalPort(spvmlr.local_port);
            spvmlr.records.iter().map(|record| Key::PortLearning(port, Vid(record.vid))).collect()
        }
        Register::Spms(spms) => {
            let port = LocalPort(spms.local_port);
            spms.states.iter().map(|(vid, _)| Key::PortStp(port, Vid(vid))).collect()
        }
        Register::Ralta(ralta) => {
            families(|family| lpm::tree(family) == ralta.tree_id).map(Key::LpmTree).collect()
        }
        Register::Ralst(ralst) => {
            families(|family| lpm::tree(family) == ralst.tree_id).map(Key::LpmTreeShape).collect()
        }
        Register::Raltb(raltb) => families(|family| lpm::protocol(family) == raltb.protocol)
            .map(|family| Key::VrTree(VrId(raltb.virtual_router), family))
            .collect(),
        Register::Ralue(ralue) => {
            let prefix = IpNet::new(ralue.dip, ralue.prefix_len).map(|prefix| prefix.trunc());
            prefix
                .map(|prefix| Key::Route(VrId(ralue.virtual_router), prefix))
                .into_iter()
                .collect()
        }
        Register::Recr2(_) => vec![Key::Multipath],
        // Whether a write that spares what is in use was made, no answer says.
        Register::Ratr(ratr)
            if told == Told::Answer || ratr.op != RatrOp::WRITE_WRITE_ENTRY_ON_ACTIVITY =>
        {
            vec![Key::Adjacency(AdjacencyIndex(ratr.adjacency_index))]
        }
        Register::Rauht(rauht)
            if told == Told::Answer
                || matches!(
                    rauht.op,
                    RauhtOp::WRITE_ADD | RauhtOp::WRITE_UPDATE | RauhtOp::WRITE_DELETE
                ) =>
        {
            vec![Key::Neighbour(RifIndex(rauht.rif), rauht.dip)]
        }
        // The place says for which virtual router the entry is.
        Register::Rmft2(rmft2) if rmft2.offset == rmft2.virtual_router => {
            let family = match rmft2.groups {
                Rmft2Groups::Ipv4 { .. } => Family::Ipv4,
                Rmft2Groups::Ipv6 { .. } => Family::Ipv6,
            };
            vec![Key::MulticastDefault(VrId(rmft2.virtual_router), family)]
        }
        Register::Qpcr(qpcr) => vec![Key::Policer(PolicerId(qpcr.pid))],
        Register::Htgt(htgt) => vec![Key::TrapGroup(TrapGroupId(htgt.group))],
        Register::Hpkt(hpkt) => vec![Key::Trap(TrapId(hpkt.trap_id))],
        Register::Rmft2(_)
        | Register::Sfd(_)
        | Register::Sfn(_)
        | Register::Sfdf(_)
        | Register::Spaft(_)
        | Register::Slcr(_)
        | Register::Ratr(_)
        | Register::Ratrad(_)
        | Register::Raleu(_)
        | Register::Ricnt(_)
        | Register::Rauht(_)
        | Register::Rauhtd(_) => Vec::new(),
    }
}

fn families(wanted: impl Fn(Family) -> bool) -> impl Iterator<Item = Family> {
    [Family::Ipv4, Family::Ipv6].into_iter().filter(move |family| wanted(*family))
}
