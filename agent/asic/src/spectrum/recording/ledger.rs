//! What do rows hold by a recording? The same rows as of a read-back, from registers that somebody sent.
//!
//! A row is *held* (its last content), *empty* (it was removed, or a query found nothing), *foreign* (no entry says what it holds),
//! or was not mentioned at all.

use std::collections::{BTreeMap, BTreeSet};

use emad::Register;
use emad::register::{Protocol, Raleu, RauhtOp};
use firsthop_model::LocalPort;
use firsthop_model::chip::{
    AdjacencyIndex, Entry, Fid, FloodTo, Key, Rif, RifIndex, RifKind, RouteAction, TrapGroupId, Vid,
};
use firsthop_model::topology::StpState;
use serde::{Deserialize, Serialize};

use crate::Capabilities;
use crate::spectrum::registers::{self, Dialect, Row, Told};

/// How registers are read while it is not known what the chip is: more ports than any has, so that the router's bit in a
/// flood vector reads as a port, and egress FIDs as they are. [`Rows::on`] puts both right.
const UNKNOWN: Dialect = Dialect { ports: 1023, vlan_rif_has_efid: true, lag_members: 32 };

/// The rows that a recording mentions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The recording begins with an empty chip: what is not in here is not in the chip.
    pub whole: bool,
    /// Rows that hold something.
    pub held: Vec<Entry>,
    /// Rows that hold nothing; left out where everything else is empty anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty: Vec<Key>,
    /// Rows that hold what no entry says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<Key>,
}

impl Rows {
    /// The rows as this chip means them.
    #[must_use]
    pub fn on(self, chip: &Capabilities) -> Self {
        let dialect = chip.dialect();
        let key = |key| key_on(key, &dialect);
        Self {
            whole: self.whole,
            held: self.held.into_iter().map(|entry| entry_on(entry, &dialect)).collect(),
            empty: self.empty.into_iter().map(key).collect(),
            foreign: self.foreign.into_iter().map(key).collect(),
        }
    }
}

fn to_on(to: FloodTo, dialect: &Dialect) -> FloodTo {
    match to {
        FloodTo::Port(LocalPort(port)) if port > dialect.ports => FloodTo::Router,
        to => to,
    }
}

fn key_on(key: Key, dialect: &Dialect) -> Key {
    match key {
        Key::FloodPort(fid, class, to) => Key::FloodPort(fid, class, to_on(to, dialect)),
        key => key,
    }
}

fn entry_on(entry: Entry, dialect: &Dialect) -> Entry {
    match entry {
        Entry::FloodPort { fid, class, to } => {
            Entry::FloodPort { fid, class, to: to_on(to, dialect) }
        }
        Entry::Rif(rif) => match rif.kind {
            RifKind::Vlan { vid, .. } if !dialect.vlan_rif_has_efid => {
                let kind = RifKind::Vlan { vid, fid: Fid::of_vlan(vid) };
                Entry::Rif(Rif { kind, ..rif })
            }
            _ => Entry::Rif(rif),
        },
        entry => entry,
    }
}

/// What a row holds at power-on, or after its removal, of registers that always hold something: it counts as empty unless it
/// is wanted.
pub fn is_at_rest(entry: &Entry) -> bool {
    match *entry {
        Entry::Policer { rate, burst, .. } => (rate, burst) == (1, 16),
        Entry::TrapGroup { policer, priority, tclass, .. } => {
            (policer, priority, tclass) == (None, 0, 0)
        }
        // Group 0 is what a trap reads that was never given one.
        Entry::Trap { group, .. } => group == TrapGroupId(0),
        Entry::EgressVid { vid, .. } => vid == Vid(0),
        Entry::PortPvid { vid, .. } => vid == Vid::POWER_ON,
        Entry::PortLearning { enabled, .. } => enabled,
        Entry::PortStp { state, .. } => state == StpState::Discarding,
        Entry::AgeingTime { seconds } => seconds == emad::register::Sfdat::POWER_ON,
        _ => false,
    }
}

/// The rows so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    held: BTreeMap<Key, Entry>,
    empty: BTreeSet<Key>,
    foreign: BTreeSet<Key>,
}

impl Ledger {
    /// A write was executed.
    pub(super) fn write(&mut self, register: &Register) {
        match register {
            Register::Raleu(raleu) => self.regroup(raleu),
            Register::Rauht(rauht) if rauht.op == RauhtOp::WRITE_DELETE_ALL => {
                self.forget_hosts(RifIndex(rauht.rif), rauht.dip.is_ipv4());
            }
            _ => {}
        }
        for key in registers::rows(register, Told::Write, &UNKNOWN) {
            let row = registers::read(&key, register, &UNKNOWN);
            self.set(key, row);
        }
    }

    /// Routes of one group have another one.
    fn regroup(&mut self, raleu: &Raleu) {
        let group = |first, size| RouteAction::Remote { first: AdjacencyIndex(first), size };
        let from = group(raleu.adjacency_index, raleu.ecmp_size);
        let to = group(raleu.new_adjacency_index, raleu.new_ecmp_size);
        let ipv4 = raleu.protocol == Protocol::Ipv4;
        for entry in self.held.values_mut() {
            if let Entry::Route { vr, prefix, action } = entry
                && (vr.0, prefix.addr().is_ipv4()) == (raleu.virtual_router, ipv4)
                && *action == from
            {
                *action = to;
            }
        }
    }

    /// The hosts of a router interface are deleted, those of one family.
    fn forget_hosts(&mut self, rif: RifIndex, ipv4: bool) {
        let doomed = |key: &&Key| matches!(key, Key::Neighbour(of, ip) if *of == rif && ip.is_ipv4() == ipv4);
        let known = self.held.keys().chain(&self.foreign);
        for key in known.filter(doomed).cloned().collect::<Vec<_>>() {
            self.set(key, Row::Empty);
        }
    }

    /// A query was answered. True: there is something that was neither written nor seen before.
    pub(super) fn read(&mut self, register: &Register) -> bool {
        let mut keys: BTreeSet<Key> =
            registers::rows(register, Told::Answer, &UNKNOWN).into_iter().collect();
        // The answer tells of destinations that are not in it, too.
        if let Register::Smid2(_) = register {
            let told = |key: &&Key| registers::read(key, register, &UNKNOWN) == Row::Empty;
            let destination = |key: &&Key| matches!(key, Key::FloodPort(..));
            keys.extend(self.held.keys().filter(destination).filter(told).cloned());
        }
        let mut unheard = false;
        for key in keys {
            let row = registers::read(&key, register, &UNKNOWN);
            let resting = match &row {
                Row::Holds(entry) => is_at_rest(entry),
                Row::Empty => true,
                // Traps have other actions at power-on than Firsthop's.
                Row::Foreign => matches!(key, Key::Trap(_)),
            };
            // 4096 states of a port say nothing, as a rule.
            if resting && matches!(key, Key::PortStp(..)) && !self.mentions(&key) {
                continue;
            }
            unheard |= !resting && !self.mentions(&key);
            self.set(key, row);
        }
        unheard
    }

    /// A query was refused because there is no such row.
    pub(super) fn absent(&mut self, asked: &Register) {
        for key in registers::rows(asked, Told::Answer, &UNKNOWN) {
            if registers::is_created(&key) {
                self.set(key, Row::Empty);
            }
        }
    }

    /// What a row holds.
    pub(super) fn set(&mut self, key: Key, row: Row) {
        self.held.remove(&key);
        self.empty.remove(&key);
        self.foreign.remove(&key);
        match row {
            Row::Holds(entry) => {
                self.held.insert(key, entry);
            }
            Row::Empty => {
                self.empty.insert(key);
            }
            Row::Foreign => {
                self.foreign.insert(key);
            }
        }
    }

    fn mentions(&self, key: &Key) -> bool {
        self.held.contains_key(key) || self.empty.contains(key) || self.foreign.contains(key)
    }

    /// All rows.
    pub(super) fn rows(self, whole: bool) -> Rows {
        let empty = if whole { BTreeSet::new() } else { self.empty };
        Rows {
            whole,
            held: self.held.into_values().collect(),
            empty: empty.into_iter().collect(),
            foreign: self.foreign.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use emad::register::{Qpcr, Rauht, Ritr, RitrType, Smid2};
    use firsthop_model::Mac;
    use firsthop_model::chip::{Change, FloodClass, PolicerId, VrId};

    use super::*;

    const PORTS: u16 = 4;
    const DIALECT: Dialect = Dialect { ports: PORTS, vlan_rif_has_efid: false, lag_members: 32 };

    // Broken if the router's bit in a flood vector were taken for a port, or the other way round.
    #[test]
    fn the_routers_bit_is_told_by_the_number_of_ports() {
        let mut ledger = Ledger::default();
        for number in [PORTS, PORTS + 1] {
            ledger.write(&Smid2::member(8192 + 7, number, true, None).into());
        }
        let found = ledger.held.into_values().map(|entry| entry_on(entry, &DIALECT));
        let to = |to| Entry::FloodPort { fid: Fid(7), class: FloodClass::Broadcast, to };
        assert!(found.eq([to(FloodTo::Port(LocalPort(PORTS))), to(FloodTo::Router)]));
    }

    // Broken if the VLANs of a chip that derives egress FIDs were found to have none.
    #[test]
    fn a_derived_egress_fid_is_that_of_the_vlan() {
        let mut ledger = Ledger::default();
        let kind = RitrType::VlanIf { vlan_id: 10, efid: 0 };
        ledger.write(&Ritr { rif: 3, kind, ..Ritr::default() }.into());
        let found = entry_on(ledger.held.into_values().next().unwrap(), &DIALECT);
        let Entry::Rif(rif) = found else { panic!("{found:?}") };
        assert_eq!(rif.kind, RifKind::Vlan { vid: Vid(10), fid: Fid(10) });
    }

    // Broken if a destination that left a vector unseen were still there after somebody looked.
    #[test]
    fn an_answer_tells_of_destinations_that_are_not_in_it() {
        let mut ledger = Ledger::default();
        ledger.write(&Smid2::member(7, 1, true, None).into());
        ledger.write(&Smid2::member(7, 2, true, None).into());
        let answer = Smid2 { mid: 7, port: [2, 3].into(), ..Smid2::default() };
        assert!(ledger.read(&answer.into()), "port 3 was never written");
        assert_eq!(ledger.held.len(), 2);
        assert_eq!(ledger.empty.len(), 1);
    }

    // Broken if a register that changes many rows at once left those that it means, or took others.
    #[test]
    fn sweeping_writes_are_of_one_router_interface_or_group() {
        let mut ledger = Ledger::default();
        let mut write = |entry: Entry| {
            let register = registers::write(&Change::Add(entry), &UNKNOWN).unwrap();
            ledger.write(&register);
        };
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let host = |rif, ip: &str| (RifIndex(rif), ip.parse().unwrap());
        let hosts = [host(1, "192.0.2.1"), host(1, "2001:db8::1"), host(2, "192.0.2.1")];
        for (rif, ip) in hosts {
            write(Entry::Neighbour { rif, ip, mac });
        }
        let group = |first, size| RouteAction::Remote { first: AdjacencyIndex(first), size };
        let routes = [
            (1, "192.0.2.0/24", group(10, 2)),
            (1, "198.51.100.0/24", group(10, 1)),
            (1, "2001:db8::/32", group(10, 2)),
            (2, "192.0.2.0/24", group(10, 2)),
        ];
        let route = |(vr, prefix, action): (u16, &str, RouteAction)| Entry::Route {
            vr: VrId(vr),
            prefix: prefix.parse().unwrap(),
            action,
        };
        for of in routes {
            write(route(of));
        }
        let all = Rauht::new(RauhtOp::WRITE_DELETE_ALL, 1, emad::Mac(mac.0), hosts[0].1);
        ledger.write(&all.into());
        let (adjacency_index, ecmp_size) = (10, 2);
        let (new_adjacency_index, new_ecmp_size) = (20, 3);
        let protocol = Protocol::Ipv4;
        let raleu = Raleu {
            protocol,
            virtual_router: 1,
            adjacency_index,
            ecmp_size,
            new_adjacency_index,
            new_ecmp_size,
        };
        ledger.write(&raleu.into());

        assert_eq!(ledger.empty, BTreeSet::from([Key::Neighbour(hosts[0].0, hosts[0].1)]));
        let moved = (1, "192.0.2.0/24", group(20, 3));
        let mut expected = vec![route(moved)];
        expected.extend(routes[1..].iter().copied().map(route));
        let left = hosts[1..].iter().map(|(rif, ip)| Entry::Neighbour { rif: *rif, ip: *ip, mac });
        expected.extend(left);
        let expected = expected.into_iter().map(|entry| (entry.key(), entry));
        assert_eq!(ledger.held, expected.collect());
    }

    // Broken if a policer that was never set up, or one that was removed, were shown as one in use.
    #[test]
    fn what_rests_is_no_news() {
        let mut ledger = Ledger::default();
        assert!(!ledger.read(&Qpcr { pid: 3, ..Qpcr::default() }.into()));
        assert!(ledger.read(&Qpcr { pid: 4, cir: 100, cbs_log2: 5, ..Qpcr::default() }.into()));
        let policer = |rate| Entry::Policer { id: PolicerId(4), rate, burst: 16 };
        assert!(is_at_rest(&policer(1)) && !is_at_rest(&policer(2)));
    }
}
