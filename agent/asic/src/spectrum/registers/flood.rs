//! SFGC, SMID2: to which ports a frame goes that has no forwarding record.
//!
//! Each FID that is bridged has three vectors of ports, and each vector a number, the multicast id:
//!
//! ```text
//!   kind of frame ──SFGC──▶ table's first id ┐
//!   FID ──SFMR──▶ offset in every table ─────┴ + ──▶ multicast id ──SMID2──▶ ports, and N + 1, the router
//!
//!                     unicast   multicast   broadcast
//!   802.1Q FIDs             0        4096        8192    + FID
//!   802.1D FIDs         12288       13312       14336    + FID - 4095
//!   nothing             15360                            where a removed table points: vectors that stay empty
//! ```
//!
//! A destination is a row of its own: its write has the bit of that destination alone in its mask. So writes of one
//! vector may be under way at the same time, in any order: each leaves the bits of the others as they are.

use std::collections::BTreeSet;

use emad::Register;
use emad::register::{BridgeType, FloodTable, FloodType, Sfgc, Smid2};
use firsthop_model::LocalPort;
use firsthop_model::chip::{Bridging, Entry, Fid, FloodClass, FloodTo, FloodTraffic, Key};

use super::{Dialect, Row, fid};

/// First of as many multicast ids as an 802.1Q table has, of which none ever gets a port. There is no way to
/// remove a table, and one that points to the vectors of another would flood there.
const NOWHERE: u16 = 15360;

const fn first_mid(bridging: Bridging, class: FloodClass) -> u16 {
    match (bridging, class) {
        (Bridging::Dot1q, FloodClass::Unicast) => 0,
        (Bridging::Dot1q, FloodClass::Multicast) => 4096,
        (Bridging::Dot1q, FloodClass::Broadcast) => 8192,
        (Bridging::Dot1d, FloodClass::Unicast) => 12288,
        (Bridging::Dot1d, FloodClass::Multicast) => 13312,
        (Bridging::Dot1d, FloodClass::Broadcast) => 14336,
    }
}

pub(super) fn set_table(bridging: Bridging, traffic: FloodTraffic) -> Register {
    table(bridging, traffic, first_mid(bridging, traffic.class())).into()
}

pub(super) fn clear_table(bridging: Bridging, traffic: FloodTraffic) -> Register {
    table(bridging, traffic, NOWHERE).into()
}

pub(super) fn query_table(bridging: Bridging, traffic: FloodTraffic) -> Register {
    let (kind, bridge_type) = table_key(bridging, traffic);
    Sfgc { kind, bridge_type, ..Sfgc::default() }.into()
}

/// A chip refuses the query of a table that was never set up, or answers zeros. Counters are somebody else's business.
pub(super) fn read_table(bridging: Bridging, traffic: FloodTraffic, sfgc: &Sfgc) -> Row {
    if (sfgc.kind, sfgc.bridge_type) != table_key(bridging, traffic) {
        return Row::Foreign;
    }
    let found = (sfgc.table_type, sfgc.flood_table, sfgc.mid_base);
    let never_set = (FloodTable::Any, 0, 0);
    let removed = (FloodTable::FidOffset, 0, NOWHERE);
    if found == never_set || found == removed {
        return Row::Empty;
    }
    let wanted = (FloodTable::FidOffset, 0, first_mid(bridging, traffic.class()));
    Row::holds_if(found == wanted, Entry::FloodTable { bridging, traffic })
}

fn table(bridging: Bridging, traffic: FloodTraffic, mid_base: u16) -> Sfgc {
    let (kind, bridge_type) = table_key(bridging, traffic);
    Sfgc { kind, bridge_type, table_type: FloodTable::FidOffset, mid_base, ..Sfgc::default() }
}

const fn table_key(bridging: Bridging, traffic: FloodTraffic) -> (FloodType, BridgeType) {
    let kind = match traffic {
        FloodTraffic::UnknownUnicast => FloodType::UnknownUnicast,
        FloodTraffic::Broadcast => FloodType::Broadcast,
        FloodTraffic::Ipv4LinkLocal => FloodType::Ipv4LinkLocal,
        FloodTraffic::Ipv6AllHosts => FloodType::Ipv6AllHost,
        FloodTraffic::Ipv4Multicast => FloodType::UnregisteredMulticastIpv4,
        FloodTraffic::Ipv6Multicast => FloodType::UnregisteredMulticastIpv6,
        FloodTraffic::NonIpMulticast => FloodType::UnregisteredMulticastNonIp,
    };
    let bridge_type = match bridging {
        Bridging::Dot1q => BridgeType::Type0,
        Bridging::Dot1d => BridgeType::Type1,
    };
    (kind, bridge_type)
}

/// The row of a table, if it is one of ours.
pub(super) fn table_of(sfgc: &Sfgc) -> Option<Key> {
    let mut keys = [Bridging::Dot1q, Bridging::Dot1d]
        .into_iter()
        .flat_map(|bridging| FloodTraffic::ALL.map(|traffic| (bridging, traffic)));
    keys.find(|(bridging, traffic)| table_key(*bridging, *traffic) == (sfgc.kind, sfgc.bridge_type))
        .map(|(bridging, traffic)| Key::FloodTable(bridging, traffic))
}

/// The rows of these bits of a vector; none if it is no vector of ours.
pub(super) fn destinations(mid: u16, numbers: &BTreeSet<u16>, dialect: &Dialect) -> Vec<Key> {
    let Some((fid, class)) = vector(mid) else { return Vec::new() };
    let ports = numbers.iter().map(|number| match *number {
        port if port <= dialect.ports => FloodTo::Port(LocalPort(port)),
        _ => FloodTo::Router,
    });
    ports.map(|to| Key::FloodPort(fid, class, to)).collect()
}

/// Whose vector a multicast id is.
fn vector(mid: u16) -> Option<(Fid, FloodClass)> {
    let (bridging, class) = [Bridging::Dot1q, Bridging::Dot1d]
        .into_iter()
        .flat_map(|bridging| FloodClass::ALL.map(|class| (bridging, class)))
        .filter(|(bridging, class)| first_mid(*bridging, *class) <= mid)
        .max_by_key(|(bridging, class)| first_mid(*bridging, *class))?;
    let offset = mid - first_mid(bridging, class);
    let fid = Fid(match bridging {
        Bridging::Dot1q => offset,
        Bridging::Dot1d => Fid::DOT1D.start() + offset,
    });
    (self::mid(fid, class) == Some(mid)).then_some((fid, class))
}

/// A destination joins or leaves. What can't be said has an empty mask, which the check in `write` finds.
pub(super) fn set_port(
    fid: Fid,
    class: FloodClass,
    to: FloodTo,
    member: bool,
    dialect: &Dialect,
) -> Register {
    match (mid(fid, class), number(to, dialect)) {
        (Some(mid), Some(number)) => Smid2::member(mid, number, member, None).into(),
        _ => Smid2::default().into(),
    }
}

/// None for a FID without vectors.
pub(super) fn query_port(fid: Fid, class: FloodClass) -> Option<Register> {
    Some(Smid2 { mid: mid(fid, class)?, ..Smid2::default() }.into())
}

/// A write tells of the destinations in its mask. The answer to a query, which has no mask, tells of all.
pub(super) fn read_port(
    fid: Fid,
    class: FloodClass,
    to: FloodTo,
    smid2: &Smid2,
    dialect: &Dialect,
) -> Row {
    let (Some(mid), Some(number)) = (mid(fid, class), number(to, dialect)) else {
        return Row::Foreign;
    };
    let told = smid2.port_mask.is_empty() || smid2.port_mask.contains(&number);
    if smid2.mid != mid || !told {
        return Row::Foreign;
    }
    if smid2.port.contains(&number) {
        Row::Holds(Entry::FloodPort { fid, class, to })
    } else {
        Row::Empty
    }
}

fn mid(fid: Fid, class: FloodClass) -> Option<u16> {
    let (bridging, offset) = fid::flood_offset(fid).filter(|_| fid::is_usable(fid))?;
    Some(first_mid(bridging, class) + offset)
}

/// A destination's bit in a vector; none for a port that the chip does not have: the next one is the router.
fn number(to: FloodTo, dialect: &Dialect) -> Option<u16> {
    match to {
        FloodTo::Port(LocalPort(port)) => (1..=dialect.ports).contains(&port).then_some(port),
        FloodTo::Router => (dialect.ports > 0).then(|| dialect.ports.saturating_add(1)),
    }
}
