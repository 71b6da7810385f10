//! SFD: router MACs. One record for each, static, with the action "forward to the IP router" and no port.

use emad::Register;
use emad::register::{Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, SfdTarget};
use firsthop_model::Mac;
use firsthop_model::chip::{Entry, Fid};

use super::Row;

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
fn router_mac(record: &SfdRecord) -> Option<Entry> {
    let ours = record.policy == SfdPolicy::Static
        && record.action == SfdAction::ForwardIpRouter
        && matches!(record.target, SfdTarget::Unicast { .. });
    ours.then_some(Entry::RouterMac { fid: Fid(record.fid), mac: Mac(record.mac.0) })
}
