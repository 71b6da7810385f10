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
//! | PortVidFid | SVFA, {port, VID} to FID | valid | not valid |
//! | VidFid | SVFA, VID to FID | valid | not valid |
//! | AgeingTime | SFDAT | the time | 300 s |
//! | Learnt | SFDF, by FID and port or LAG | flush | flush |
//! | FloodTable | SFGC | the table's vectors | vectors that stay empty |
//! | FloodPort | SMID2, one bit in the mask | the bit is 1 | the bit is 0 |
//! | Lag | SLDR | create | destroy |
//! | LagCollector | SLCOR | join, in a place that is free | leave |
//! | LagCollecting | SLCOR | collector on | collector off |
//! | LagPort | SLDR | add port | remove port |
//! | PortPvid | SPVID | the VID | VID 1 |
//! | PortVlan | SPVM | member | no member |
//! | PortLearning | SPVMLR | on or off | on |
//! | PortStp | SPMS | the state | discarding |
//! | LpmTree | RALTA | allocate | free |
//! | LpmTreeShape | RALST | all prefix lengths | the empty prefix only |
//! | VrTree | RALTB | the family's tree | tree 0 |
//! | MulticastDefault | RMFT2 | any group: trap | not valid |
//! | Route | RALUE | write | delete |
//! | Multipath | RECR2 | the fields that count | none counts |
//! | Adjacency | RATR | valid | not valid |
//! | Neighbour | RAUHT | add | delete |
//! | Policer | QPCR | rate and burst; an addition clears the counter | 1 packet/s, 16 packets |
//! | TrapGroup | HTGT | policer, priority, class | no policer, priority 0, class 0 |
//! | Trap | HPKT | action, group | the firmware's default |
//!
//! A write is checked before it is sent: read back from its own bytes, it has to say the same. So an index that has more
//! bits than its field is refused here instead of hitting another row.

use std::net::IpAddr;

use emad::Register;
use emad::register::Protocol;
use firsthop_model::chip::{Change, Entry, Key, RifIndex};
use firsthop_model::topology::StpState;
use firsthop_model::types::Family;

use crate::error::{AsicError, status};
use crate::notices::Notice;

mod adjacency;
mod fdb;
mod fid;
mod flood;
mod host;
mod lag;
mod lpm;
mod multicast;
mod port;
mod router;
mod rows;
#[cfg(test)]
mod tests;
mod trap;

pub(super) use fdb::{batch as router_mac_batch, router_mac};
pub use rows::{Told, rows};

/// In what the same change is said differently to one chip and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Front-panel ports, numbered from 1. In flood vectors the next number is the router's.
    pub ports: u16,
    /// A VLAN's router interface names its egress FID. Else the chip takes that of the VLAN, and wants 0.
    pub vlan_rif_has_efid: bool,
    /// Places in a LAG's list of members.
    pub lag_members: u16,
}

impl Default for Dialect {
    /// That of a chip like Spectrum-2 with no ports: nothing can be flooded.
    fn default() -> Self {
        Self { ports: 0, vlan_rif_has_efid: true, lag_members: 32 }
    }
}

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
pub fn write(change: &Change, dialect: &Dialect) -> Result<Register, AsicError> {
    let (register, entry) = match change {
        Change::Add(entry) => (set(entry, true, dialect), entry),
        Change::Edit { to, .. } => (set(to, false, dialect), to),
        Change::Remove(entry) => (clear(entry, dialect), entry),
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
    if let Change::Edit { from, to: Entry::LagCollector { .. } } = change
        && from != entry
    {
        return Err(unsayable("a port has to leave its LAG before it joins another"));
    }
    // What it would say if it were added: removals are checked by it too, as their fields are the keys among these.
    let added = set(entry, true, dialect);
    let survives = Register::decode(added.id(), &added.encode()).as_ref() == Ok(&added);
    if !survives || read(&entry.key(), &added, dialect) != Row::Holds(entry.clone()) {
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
        Key::VidFid(vid) => fid::query_vid(vid),
        Key::AgeingTime => fdb::query_ageing(),
        Key::FloodTable(bridging, traffic) => flood::query_table(bridging, traffic),
        Key::FloodPort(fid, class, _) => return flood::query_port(fid, class),
        Key::PortPvid(port) => port::query_pvid(port),
        Key::PortStp(port, _) => port::query_stp(port),
        Key::Route(vr, prefix) => lpm::query_route(vr, prefix),
        Key::Adjacency(index) => adjacency::query(index),
        Key::Neighbour(rif, ip) => host::query(rif, ip),
        Key::Policer(id) => trap::query_policer(id),
        Key::TrapGroup(id) => trap::query_group(id),
        Key::Trap(id) => trap::query_trap(id),
        Key::PortVlan(..)
        | Key::PortLearning(..)
        | Key::LpmTree(_)
        | Key::LpmTreeShape(_)
        | Key::VrTree(..)
        | Key::MulticastDefault(..)
        | Key::Multipath
        | Key::Learnt(..)
        | Key::Lag(_)
        | Key::LagPort(..)
        | Key::LagCollector(_)
        | Key::LagCollecting(_) => return None,
    })
}

/// What the row of `key` holds by this register: the answer to its query, or a write that was done.
///
/// A register of another kind, or of another row, says nothing about it and reads as [`Row::Foreign`].
pub fn read(key: &Key, register: &Register, dialect: &Dialect) -> Row {
    match (key, register) {
        (Key::Router, Register::Rgcr(rgcr)) => router::read_router(rgcr),
        (Key::Rif(rif), Register::Ritr(ritr)) => router::read_rif(*rif, ritr, dialect),
        (Key::EgressVid(rif, port), Register::Reiv(reiv)) => {
            router::read_egress_vid(*rif, *port, reiv)
        }
        (Key::RouterMac(fid, mac), Register::Sfd(sfd)) => fdb::read(*fid, *mac, sfd),
        (Key::Fid(fid), Register::Sfmr(sfmr)) => fid::read(*fid, sfmr),
        (Key::FidRif(fid), Register::Sfmr(sfmr)) => fid::read_rif(*fid, sfmr),
        (Key::PortVidFid(port, vid), Register::Svfa(svfa)) => fid::read_port_vid(*port, *vid, svfa),
        (Key::VidFid(vid), Register::Svfa(svfa)) => fid::read_vid(*vid, svfa),
        (Key::AgeingTime, Register::Sfdat(sfdat)) => fdb::read_ageing(sfdat),
        (Key::Learnt(fid, at), Register::Sfdf(sfdf)) => fdb::read_flush(*fid, *at, sfdf),
        (Key::FloodTable(bridging, traffic), Register::Sfgc(sfgc)) => {
            flood::read_table(*bridging, *traffic, sfgc)
        }
        (Key::FloodPort(fid, class, to), Register::Smid2(smid2)) => {
            flood::read_port(*fid, *class, *to, smid2, dialect)
        }
        (Key::Lag(lag), Register::Sldr(sldr)) => lag::read(*lag, sldr),
        (Key::LagPort(lag, port), Register::Sldr(sldr)) => lag::read_port(*lag, *port, sldr),
        (Key::LagCollector(port), Register::Slcor(slcor)) => lag::read_collector(*port, slcor),
        (Key::LagCollecting(port), Register::Slcor(slcor)) => lag::read_collecting(*port, slcor),
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
        (Key::Multipath, Register::Recr2(recr2)) => adjacency::read_multipath(recr2),
        (Key::Adjacency(index), Register::Ratr(ratr)) => adjacency::read(*index, ratr),
        (Key::Neighbour(rif, ip), Register::Rauht(rauht)) => host::read(*rif, *ip, rauht),
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
pub fn row(
    key: &Key,
    answer: Result<Register, AsicError>,
    dialect: &Dialect,
) -> Result<Row, AsicError> {
    match answer {
        Ok(register) => Ok(read(key, &register, dialect)),
        Err(AsicError::Refused { status: status::BAD_PARAMETER, .. }) if is_created(key) => {
            Ok(Row::Empty)
        }
        Err(error) => Err(error),
    }
}

/// Whether a chip refuses to read the row while it does not exist.
pub(super) const fn is_created(key: &Key) -> bool {
    matches!(
        key,
        Key::Fid(_) | Key::FidRif(_) | Key::Route(..) | Key::Neighbour(..) | Key::FloodTable(..)
    )
}

/// Whether a refusal to remove the row means that there is none: only a member of a LAG has a collector.
pub(super) const fn is_absent_if_refused(key: &Key) -> bool {
    matches!(key, Key::LagCollecting(_))
}

/// The same write in other words, for one that was refused: with another place in a LAG. None: there are no other words.
pub(super) fn rephrase(register: &Register, dialect: &Dialect) -> Option<Register> {
    lag::another_place(register, dialect)
}

/// How many phrasings there are of what [`rephrase`] rephrases.
pub(super) const fn phrasings(dialect: &Dialect) -> u16 {
    dialect.lag_members
}

/// The query of what the chip learnt and forgot since the last one. It takes it away from the chip.
pub fn query_notices() -> Register {
    fdb::query_notices()
}

/// What the answer to [`query_notices`] says, and whether there may be more of it.
pub fn notices(register: &Register) -> (Vec<Notice>, bool) {
    match register {
        Register::Sfn(sfn) => fdb::notices(sfn),
        _ => (Vec::new(), false),
    }
}

/// The query of hosts of the family that were used since the last one, with which that begins anew.
pub fn query_activity(family: Family) -> Register {
    emad::register::Rauhtd::query(match family {
        Family::Ipv4 => Protocol::Ipv4,
        Family::Ipv6 => Protocol::Ipv6,
    })
    .into()
}

/// The hosts in the answer to [`query_activity`], and whether there may be more.
pub fn activity(register: &Register) -> (Vec<(RifIndex, IpAddr)>, bool) {
    match register {
        Register::Rauhtd(rauhtd) => host::active(rauhtd),
        _ => (Vec::new(), false),
    }
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
///
/// Not so the destinations of one flood vector: each write has a mask with its own bit alone, so that those of others may be
/// executed before or after it, or again.
pub fn lane(key: &Key) -> Key {
    match key {
        Key::FidRif(fid) => Key::Fid(*fid),
        Key::LagPort(lag, _) => Key::Lag(*lag),
        Key::LagCollecting(port) => Key::LagCollector(*port),
        key => key.clone(),
    }
}

fn set(entry: &Entry, added: bool, dialect: &Dialect) -> Register {
    match entry {
        Entry::Router { max_rifs } => router::set_router(*max_rifs),
        Entry::Rif(rif) => router::set_rif(rif, dialect).into(),
        Entry::EgressVid { rif, port, vid } => router::set_egress_vid(*rif, *port, *vid),
        Entry::RouterMac { fid, mac } => fdb::set(*fid, *mac),
        Entry::Fid { fid } => fid::set(*fid, None),
        Entry::FidRif { fid, rif } => fid::set(*fid, Some(*rif)),
        Entry::PortVidFid { port, vid, fid, rif } => fid::set_port_vid(*port, *vid, *fid, *rif),
        Entry::VidFid { vid, fid, rif } => fid::set_vid(*vid, *fid, *rif),
        Entry::AgeingTime { seconds } => fdb::set_ageing(*seconds),
        Entry::Learnt { fid, at } => fdb::flush(*fid, *at),
        Entry::FloodTable { bridging, traffic } => flood::set_table(*bridging, *traffic),
        Entry::FloodPort { fid, class, to } => flood::set_port(*fid, *class, *to, true, dialect),
        Entry::Lag { lag } => lag::create(*lag),
        Entry::LagPort { lag, port } => lag::set_port(*lag, *port),
        Entry::LagCollector { port, lag } => lag::join(*port, *lag, dialect),
        Entry::LagCollecting { port, lag } => lag::collect(*port, *lag, true),
        Entry::PortPvid { port, vid } => port::set_pvid(*port, *vid),
        Entry::PortVlan { port, vid, untagged } => port::set_vlan(*port, *vid, Some(*untagged)),
        Entry::PortLearning { port, vid, enabled } => port::set_learning(*port, *vid, *enabled),
        Entry::PortStp { port, vid, state } => port::set_stp(*port, *vid, *state),
        Entry::LpmTree { family } => lpm::set_tree(*family),
        Entry::LpmTreeShape { family } => lpm::set_shape(*family),
        Entry::VrTree { vr, family } => lpm::set_binding(*vr, *family),
        Entry::MulticastDefault { vr, family, trap } => multicast::set(*vr, *family, *trap),
        Entry::Route { vr, prefix, action } => lpm::set_route(*vr, *prefix, *action),
        Entry::Multipath => adjacency::set_multipath(),
        Entry::Adjacency { index, rif, mac } => adjacency::set(*index, *rif, *mac),
        Entry::Neighbour { rif, ip, mac } => host::set(*rif, *ip, *mac),
        Entry::Policer { id, rate, burst } => trap::set_policer(*id, *rate, *burst, added),
        Entry::TrapGroup { id, policer, priority, tclass } => {
            trap::set_group(*id, *policer, *priority, *tclass)
        }
        Entry::Trap { id, action, group } => trap::set_trap(*id, *action, *group),
    }
}

fn clear(entry: &Entry, dialect: &Dialect) -> Register {
    match entry {
        Entry::Router { .. } => router::clear_router(),
        Entry::Rif(rif) => router::clear_rif(rif, dialect),
        Entry::EgressVid { rif, port, .. } => router::clear_egress_vid(*rif, *port),
        Entry::RouterMac { fid, mac } => fdb::clear(*fid, *mac),
        Entry::Fid { fid } => fid::clear(*fid),
        Entry::FidRif { fid, .. } => fid::set(*fid, None),
        Entry::PortVidFid { port, vid, fid, .. } => fid::clear_port_vid(*port, *vid, *fid),
        Entry::VidFid { vid, fid, .. } => fid::clear_vid(*vid, *fid),
        Entry::AgeingTime { .. } => fdb::clear_ageing(),
        Entry::Learnt { fid, at } => fdb::flush(*fid, *at),
        Entry::FloodTable { bridging, traffic } => flood::clear_table(*bridging, *traffic),
        Entry::FloodPort { fid, class, to } => flood::set_port(*fid, *class, *to, false, dialect),
        Entry::Lag { lag } => lag::destroy(*lag),
        Entry::LagPort { lag, port } => lag::clear_port(*lag, *port),
        Entry::LagCollector { port, lag } => lag::leave(*port, *lag),
        Entry::LagCollecting { port, lag } => lag::collect(*port, *lag, false),
        Entry::PortPvid { port, .. } => port::clear_pvid(*port),
        Entry::PortVlan { port, vid, .. } => port::set_vlan(*port, *vid, None),
        Entry::PortLearning { port, vid, .. } => port::set_learning(*port, *vid, true),
        Entry::PortStp { port, vid, .. } => port::set_stp(*port, *vid, StpState::Discarding),
        Entry::LpmTree { family } => lpm::clear_tree(*family),
        Entry::LpmTreeShape { family } => lpm::clear_shape(*family),
        Entry::VrTree { vr, family } => lpm::clear_binding(*vr, *family),
        Entry::MulticastDefault { vr, family, trap } => multicast::clear(*vr, *family, *trap),
        Entry::Route { vr, prefix, action } => lpm::clear_route(*vr, *prefix, *action),
        Entry::Multipath => adjacency::clear_multipath(),
        Entry::Adjacency { index, .. } => adjacency::clear(*index),
        Entry::Neighbour { rif, ip, mac } => host::clear(*rif, *ip, *mac),
        Entry::Policer { id, .. } => trap::clear_policer(*id),
        Entry::TrapGroup { id, .. } => trap::clear_group(*id),
        Entry::Trap { id, group, .. } => trap::clear_trap(*id, *group),
    }
}
