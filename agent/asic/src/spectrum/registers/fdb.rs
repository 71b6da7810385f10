//! SFD, SFDF, SFDAT, SFN: the forwarding database.
//!
//! * Router MACs: one record for each, static, with the action "forward to the IP router" and no port.
//! * What the chip learns by itself: how long it lives, how it is forgotten at once, and what is new of it.

use emad::Register;
use emad::register::{
    Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, SfdTarget, Sfdat, Sfdf, SfdfFlush, Sfn, SfnEvent,
    SfnRecord,
};
use firsthop_model::chip::{Entry, Fid, LagId, PortOrLag};
use firsthop_model::{LocalPort, Mac};

use super::Row;
use crate::notices::{Notice, Noticed};

/// Ageing times that a chip takes, seconds (`mlxsw_reg_sfdat_age_time`).
const AGE_TIME: std::ops::RangeInclusive<u32> = 10..=1_000_000;

pub(super) fn set(fid: Fid, mac: Mac) -> Register {
    Sfd::new(SfdOp::WRITE_EDIT, vec![record(fid, mac)]).into()
}

pub(super) fn clear(fid: Fid, mac: Mac) -> Register {
    Sfd::new(SfdOp::WRITE_REMOVE, vec![record(fid, mac)]).into()
}

pub(super) fn query(fid: Fid, mac: Mac) -> Register {
    Sfd::new(SfdOp::QUERY, vec![record(fid, mac)]).into()
}

/// Several writes of one operation as one; none if there is another register or operation among them.
pub(crate) fn batch<'a>(writes: impl IntoIterator<Item = &'a Register>) -> Option<Register> {
    let mut writes = writes.into_iter().map(|register| match register {
        Register::Sfd(sfd) => Some(sfd),
        _ => None,
    });
    let first = writes.next()??;
    let mut records = first.records.clone();
    for sfd in writes {
        let sfd = sfd.filter(|sfd| sfd.op == first.op)?;
        records.extend(&sfd.records);
    }
    (records.len() <= Sfd::MAX_RECORDS).then(|| Sfd::new(first.op, records).into())
}

/// `num_rec` of an answer says how many records were found; what lies behind it is not looked at.
pub(super) fn read(fid: Fid, mac: Mac, sfd: &Sfd) -> Row {
    if sfd.op == SfdOp::WRITE_REMOVE {
        return Row::Empty;
    }
    let entry = Entry::RouterMac { fid, mac };
    // A learned or bridged record of the same MAC is not a router MAC; adding one replaces it.
    if found(sfd).any(|record| router_mac(record).as_ref() == Some(&entry)) {
        Row::Holds(entry)
    } else {
        Row::Empty
    }
}

pub(super) fn list(sfd: &Sfd) -> (Vec<Entry>, Option<u32>) {
    let next = (sfd.record_locator != 0).then_some(sfd.record_locator);
    (found(sfd).filter_map(router_mac).collect(), next)
}

fn record(fid: Fid, mac: Mac) -> SfdRecord {
    SfdRecord::router(emad::Mac(mac.0), fid.0)
}

fn found(sfd: &Sfd) -> impl Iterator<Item = &SfdRecord> {
    sfd.records.iter().take(usize::from(sfd.num_rec))
}

/// The router MAC that a record is, if it is one.
pub(crate) fn router_mac(record: &SfdRecord) -> Option<Entry> {
    let ours = record.policy == SfdPolicy::Static
        && record.action == SfdAction::ForwardIpRouter
        && matches!(record.target, SfdTarget::Unicast { .. });
    ours.then_some(Entry::RouterMac { fid: Fid(record.fid), mac: Mac(record.mac.0) })
}

pub(super) fn set_ageing(seconds: u32) -> Register {
    Sfdat::seconds(seconds).into()
}

/// As at power-on.
pub(super) fn clear_ageing() -> Register {
    Sfdat::seconds(Sfdat::POWER_ON).into()
}

pub(super) fn query_ageing() -> Register {
    Sfdat::default().into()
}

/// A chip always has an ageing time, so that the row is never empty.
pub(super) fn read_ageing(sfdat: &Sfdat) -> Row {
    let seconds = sfdat.age_time;
    Row::holds_if(AGE_TIME.contains(&seconds) && sfdat.swid == 0, Entry::AgeingTime { seconds })
}

/// Forgets what was learnt; static records of the port too, as the driver does, but not those of router MACs, which have
/// no port.
pub(super) fn flush(fid: Fid, at: PortOrLag) -> Register {
    let fid = fid.0;
    Sfdf::new(match at {
        PortOrLag::Port(LocalPort(system_port)) => SfdfFlush::PerPortAndFid { system_port, fid },
        PortOrLag::Lag(LagId(lag_id)) => SfdfFlush::PerLagAndFid { lag_id, fid },
    })
    .into()
}

pub(super) fn read_flush(fid: Fid, at: PortOrLag, sfdf: &Sfdf) -> Row {
    let same = flush(fid, at) == Register::from(sfdf.clone());
    Row::holds_if(same, Entry::Learnt { fid, at })
}

pub(super) fn query_notices() -> Register {
    Sfn::default().into()
}

/// The notices in an answer, and whether it was full, so that there may be more. Of tunnels nothing is told.
pub(super) fn notices(sfn: &Sfn) -> (Vec<Notice>, bool) {
    let told = sfn.records.iter().take(usize::from(sfn.num_rec)).filter_map(notice);
    (told.collect(), usize::from(sfn.num_rec) >= Sfn::MAX_RECORDS)
}

fn notice(record: &SfnRecord) -> Option<Notice> {
    let (what, at) = match record.event {
        SfnEvent::LearnedMac { system_port, .. } => {
            (Noticed::Learnt, PortOrLag::Port(LocalPort(system_port)))
        }
        SfnEvent::LearnedMacLag { lag_id, .. } => (Noticed::Learnt, PortOrLag::Lag(LagId(lag_id))),
        SfnEvent::AgedOutMac { system_port, .. } => {
            (Noticed::Aged, PortOrLag::Port(LocalPort(system_port)))
        }
        SfnEvent::AgedOutMacLag { lag_id, .. } => (Noticed::Aged, PortOrLag::Lag(LagId(lag_id))),
        SfnEvent::Other { .. } => return None,
    };
    Some(Notice { what, mac: Mac(record.mac.0), fid: Fid(record.fid), at })
}
