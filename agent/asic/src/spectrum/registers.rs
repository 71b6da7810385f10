//! Which register says this change, and what does a register say about a row?
//!
//! ```text
//!   Change ── write ──▶ Register ──▶ chip          one change is one register write
//!   Key ───── query ──▶ Register ──▶ chip ──▶ Register ── read(key) ──▶ Row
//! ```
//!
//! | key | register | added or edited | removed |
//! |---|---|---|---|
//! | Router | RGCR | both families on | both off |
//! | Rif | RITR | create | delete, enable 0 |
//! | EgressVid | REIV | record of the port | untagged |
//! | RouterMac | SFD | edit | remove |
//! | Fid | SFMR | create, no RIF | destroy |
//! | FidRif | SFMR | the RIF | no RIF |
//! | PortVidFid | SVFA | valid | not valid |
//! | PortPvid | SPVID | the VID | VID 1 |
//! | PortVlan | SPVM | member | no member |
//! | PortLearning | SPVMLR | on or off | on |
//! | PortStp | SPMS | forwarding or discarding | discarding |
//! | LpmTree | RALTA | allocate | free |
//! | LpmTreeShape | RALST | all prefix lengths | the empty prefix only |
//! | VrTree | RALTB | the family's tree | tree 0 |
//! | MulticastDefault | RMFT2 | any group: trap | not valid |
//! | Route | RALUE | write | delete |
//! | Policer | QPCR | rate and burst; an addition clears the counter | 1 packet/s, 16 packets |
//! | TrapGroup | HTGT | policer, priority, class | no policer, priority 0, class 0 |
//! | Trap | HPKT | action, group | the firmware's default |
//!
//! A write is checked before it is sent: read back from its own bytes, it has to say the same. So an index that has more
//! bits than its field is refused here instead of hitting another row.

use emad::Register;
use firsthop_model::chip::{Change, Entry, Key};

use crate::error::{AsicError, status};

mod fdb;
mod fid;
mod lpm;
mod multicast;
mod port;
mod router;
#[cfg(test)]
mod tests;
mod trap;

pub(super) use fdb::batch as router_mac_batch;

/// What a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Nothing.
    Empty,
    /// This.
    Holds(Entry),
    /// Something that no entry says.
    Foreign,
}

impl Row {
    fn holds_if(condition: bool, entry: Entry) -> Self {
        if condition { Self::Holds(entry) } else { Self::Foreign }
    }
}

/// The register write that says a change.
///
/// # Errors
/// [`AsicError::Unsayable`]: a value does not fit its field, or an edit is from one row to another.
pub fn write(change: &Change) -> Result<Register, AsicError> {
    let (register, entry) = match change {
        Change::Add(entry) => (set(entry, true), entry),
        Change::Edit { to, .. } => (set(to, false), to),
        Change::Remove(entry) => (clear(entry), entry),
    };
    let unsayable = |why| AsicError::Unsayable {
        register: register.name(),
        change: Box::new(change.clone()),
        why,
    };
    if let Change::Edit { from, to } = change
        && from.key() != to.key()
    {
        return Err(unsayable("an edit has to stay in its row"));
    }
    // What it would say if it were added: removals are checked by it too, as their fields are the keys among these.
    let added = set(entry, true);
    let survives = Register::decode(added.id(), &added.encode()).as_ref() == Ok(&added);
    if !survives || read(&entry.key(), &added) != Row::Holds(entry.clone()) {
        return Err(unsayable("a value is out of its field's range"));
    }
    Ok(register)
}

/// The query that reads a row; none if its register can't be read.
pub fn query(key: &Key) -> Option<Register> {
    Some(match *key {
        Key::Router => router::query_router(),
        Key::Rif(rif) => router::query_rif(rif),
        Key::EgressVid(rif, port) => router::query_egress_vid(rif, port),
        Key::RouterMac(fid, mac) => fdb::query(fid, mac),
        Key::Fid(fid) | Key::FidRif(fid) => fid::query(fid),
        Key::PortVidFid(port, vid) => fid::query_port_vid(port, vid),
        Key::PortPvid(port) => port::query_pvid(port),
        Key::PortStp(port, _) => port::query_stp(port),
        Key::Route(vr, prefix) => lpm::query_route(vr, prefix),
        Key::Policer(id) => trap::query_policer(id),
        Key::TrapGroup(id) => trap::query_group(id),
        Key::Trap(id) => trap::query_trap(id),
        Key::PortVlan(..)
        | Key::PortLearning(..)
        | Key::LpmTree(_)
        | Key::LpmTreeShape(_)
        | Key::VrTree(..)
        | Key::MulticastDefault(..) => return None,
    })
}

/// What the row of `key` holds by this register: the answer to its query, or a write that was done.
///
/// A register of another kind, or of another row, says nothing about it and reads as [`Row::Foreign`].
pub fn read(key: &Key, register: &Register) -> Row {
    match (key, register) {
        (Key::Router, Register::Rgcr(rgcr)) => router::read_router(rgcr),
        (Key::Rif(rif), Register::Ritr(ritr)) => router::read_rif(*rif, ritr),
        (Key::EgressVid(rif, port), Register::Reiv(reiv)) => {
            router::read_egress_vid(*rif, *port, reiv)
        }
        (Key::RouterMac(fid, mac), Register::Sfd(sfd)) => fdb::read(*fid, *mac, sfd),
        (Key::Fid(fid), Register::Sfmr(sfmr)) => fid::read(*fid, sfmr),
        (Key::FidRif(fid), Register::Sfmr(sfmr)) => fid::read_rif(*fid, sfmr),
        (Key::PortVidFid(port, vid), Register::Svfa(svfa)) => fid::read_port_vid(*port, *vid, svfa),
        (Key::PortPvid(port), Register::Spvid(spvid)) => port::read_pvid(*port, spvid),
        (Key::PortVlan(port, vid), Register::Spvm(spvm)) => port::read_vlan(*port, *vid, spvm),
        (Key::PortLearning(port, vid), Register::Spvmlr(spvmlr)) => {
            port::read_learning(*port, *vid, spvmlr)
        }
        (Key::PortStp(port, vid), Register::Spms(spms)) => port::read_stp(*port, *vid, spms),
        (Key::LpmTree(family), Register::Ralta(ralta)) => lpm::read_tree(*family, ralta),
        (Key::LpmTreeShape(family), Register::Ralst(ralst)) => lpm::read_shape(*family, ralst),
        (Key::VrTree(vr, family), Register::Raltb(raltb)) => lpm::read_binding(*vr, *family, raltb),
        (Key::MulticastDefault(vr, family), Register::Rmft2(rmft2)) => {
            multicast::read(*vr, *family, rmft2)
        }
        (Key::Route(vr, prefix), Register::Ralue(ralue)) => lpm::read_route(*vr, *prefix, ralue),
        (Key::Policer(id), Register::Qpcr(qpcr)) => trap::read_policer(*id, qpcr),
        (Key::TrapGroup(id), Register::Htgt(htgt)) => trap::read_group(*id, htgt),
        (Key::Trap(id), Register::Hpkt(hpkt)) => trap::read_trap(*id, hpkt),
        _ => Row::Foreign,
    }
}

/// What the row of `key` holds by the outcome of its query.
///
/// # Errors
/// The query's, unless it says that there is no such row.
pub fn row(key: &Key, answer: Result<Register, AsicError>) -> Result<Row, AsicError> {
    match answer {
        Ok(register) => Ok(read(key, &register)),
        Err(AsicError::Refused { status: status::BAD_PARAMETER, .. }) if is_created(key) => {
            Ok(Row::Empty)
        }
        Err(error) => Err(error),
    }
}

/// Whether a chip refuses to read the row while it does not exist.
const fn is_created(key: &Key) -> bool {
    matches!(key, Key::Fid(_) | Key::FidRif(_) | Key::Route(..))
}

/// The query of the list of all records from `locator` on; [`router_macs`] understands the answer.
pub fn query_router_macs(locator: u32) -> Register {
    emad::register::Sfd::dump(locator).into()
}

/// The router MACs in a part of the list, and where it goes on; none at its end.
pub fn router_macs(register: &Register) -> (Vec<Entry>, Option<u32>) {
    match register {
        Register::Sfd(sfd) => fdb::list(sfd),
        _ => (Vec::new(), None),
    }
}

/// The key of what must not be written at the same time: rows that share a register entry share it.
pub fn lane(key: &Key) -> Key {
    match key {
        Key::FidRif(fid) => Key::Fid(*fid),
        key => key.clone(),
    }
}

fn set(entry: &Entry, added: bool) -> Register {
    match entry {
        Entry::Router { max_rifs } => router::set_router(*max_rifs),
        Entry::Rif(rif) => router::set_rif(rif).into(),
        Entry::EgressVid { rif, port, vid } => router::set_egress_vid(*rif, *port, *vid),
        Entry::RouterMac { fid, mac } => fdb::set(*fid, *mac),
        Entry::Fid { fid } => fid::set(*fid, None),
        Entry::FidRif { fid, rif } => fid::set(*fid, Some(*rif)),
        Entry::PortVidFid { port, vid, fid, rif } => fid::set_port_vid(*port, *vid, *fid, *rif),
        Entry::PortPvid { port, vid } => port::set_pvid(*port, *vid),
        Entry::PortVlan { port, vid, untagged } => port::set_vlan(*port, *vid, Some(*untagged)),
        Entry::PortLearning { port, vid, enabled } => port::set_learning(*port, *vid, *enabled),
        Entry::PortStp { port, vid, forwarding } => port::set_stp(*port, *vid, *forwarding),
        Entry::LpmTree { family } => lpm::set_tree(*family),
        Entry::LpmTreeShape { family } => lpm::set_shape(*family),
        Entry::VrTree { vr, family } => lpm::set_binding(*vr, *family),
        Entry::MulticastDefault { vr, family, trap } => multicast::set(*vr, *family, *trap),
        Entry::Route { vr, prefix, action } => lpm::set_route(*vr, *prefix, *action),
        Entry::Policer { id, rate, burst } => trap::set_policer(*id, *rate, *burst, added),
        Entry::TrapGroup { id, policer, priority, tclass } => {
            trap::set_group(*id, *policer, *priority, *tclass)
        }
        Entry::Trap { id, action, group } => trap::set_trap(*id, *action, *group),
    }
}

fn clear(entry: &Entry) -> Register {
    match entry {
        Entry::Router { .. } => router::clear_router(),
        Entry::Rif(rif) => router::clear_rif(rif),
        Entry::EgressVid { rif, port, .. } => router::clear_egress_vid(*rif, *port),
        Entry::RouterMac { fid, mac } => fdb::clear(*fid, *mac),
        Entry::Fid { fid } => fid::clear(*fid),
        Entry::FidRif { fid, .. } => fid::set(*fid, None),
        Entry::PortVidFid { port, vid, fid, .. } => fid::clear_port_vid(*port, *vid, *fid),
        Entry::PortPvid { port, .. } => port::clear_pvid(*port),
        Entry::PortVlan { port, vid, .. } => port::set_vlan(*port, *vid, None),
        Entry::PortLearning { port, vid, .. } => port::set_learning(*port, *vid, true),
        Entry::PortStp { port, vid, .. } => port::set_stp(*port, *vid, false),
        Entry::LpmTree { family } => lpm::clear_tree(*family),
        Entry::LpmTreeShape { family } => lpm::clear_shape(*family),
        Entry::VrTree { vr, family } => lpm::clear_binding(*vr, *family),
        Entry::MulticastDefault { vr, family, trap } => multicast::clear(*vr, *family, *trap),
        Entry::Route { vr, prefix, action } => lpm::clear_route(*vr, *prefix, *action),
        Entry::Policer { id, .. } => trap::clear_policer(*id),
        Entry::TrapGroup { id, .. } => trap::clear_group(*id),
        Entry::Trap { id, group, .. } => trap::clear_trap(*id, *group),
    }
}
