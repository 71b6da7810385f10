//! How much came through, and how full is the chip? The JSON of `hwsim counters` and `resources`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::route::Family;
use super::{Chip, PortCounters, RifCounters};

/// Size of a table and how much of it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Entries that fit.
    pub size: u64,
    /// Entries in use.
    pub occ: u64,
}

/// The counters: `hwsim counters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// By local port.
    pub ports: BTreeMap<u16, PortCounters>,
    /// By router interface.
    pub rifs: BTreeMap<u16, RifCounters>,
    /// By trap name; ids that share a name are added up.
    pub traps: BTreeMap<&'static str, TrapCounters>,
    /// By policer id.
    pub policers: BTreeMap<u16, PolicerCounters>,
    /// Unicast destinations looked up in the FDB.
    pub l2_lookups: u64,
    /// Destinations that were the virtual MAC in a VRRP slot: no lookup.
    pub vrrp_fast_path: u64,
    /// Dropped frames, or dropped copies of them, by reason.
    pub discards: BTreeMap<&'static str, u64>,
}

/// Packets of a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TrapCounters {
    /// Packets that reached the CPU.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets dropped by the policer of the group.
    pub policed: u64,
}

/// Packets of a policer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PolicerCounters {
    /// Packets dropped.
    pub dropped: u64,
}

impl Chip {
    /// Table sizes by name: devlink's where devlink has one.
    #[must_use]
    pub fn resources(&self) -> BTreeMap<String, Resource> {
        let (tables, sizes) = (&self.tables, &self.personality);
        let vrs = (0..sizes.virtual_routers).filter(|vr| tables.virtual_router_in_use(*vr)).count();
        let groups = tables.groups.iter().filter(|group| group.written).count();
        let ports = tables.ports.count();
        // of one LAG: the longest says how near the limit is
        let members = tables.lags.iter().map(|(_, lag)| lag.members().count());
        let longest = members.max().unwrap_or(0);
        [
            ("rifs", sizes.rifs.into(), number(tables.rifs.count())),
            (
                "rif_mac_profiles",
                sizes.mac_profiles.into(),
                number(tables.rifs.profiles(None).len()),
            ),
            ("fdb", sizes.fdb.into(), number(tables.fdb.count())),
            ("virtual_routers", sizes.virtual_routers.into(), number(vrs)),
            ("fids", sizes.fids.into(), number(tables.fids.count())),
            ("lags", sizes.max_lag.into(), number(tables.lags.count())),
            ("lag_members", sizes.max_lag_members.into(), number(longest)),
            ("global_policers", sizes.policers.into(), number(tables.policers.iter().count())),
            ("trap_groups", sizes.trap_groups.into(), number(groups)),
            ("routes_ipv4", sizes.routes_ipv4.into(), tables.routes.count(Family::Ipv4).into()),
            ("routes_ipv6", sizes.routes_ipv6.into(), tables.routes.count(Family::Ipv6).into()),
            ("neighbours", sizes.neighbours.into(), number(tables.neighbours.count())),
            ("adjacencies", sizes.adjacencies.into(), number(tables.adjacencies.count())),
            ("rif_counters", sizes.rif_counters.into(), number(tables.counted.sets())),
            ("lpm_trees", sizes.lpm_trees.into(), number(tables.routes.trees())),
            ("physical_ports", ports.into(), ports.into()),
        ]
        .into_iter()
        .map(|(name, size, occ)| (name.to_owned(), Resource { size, occ }))
        .collect()
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut traps: BTreeMap<&'static str, TrapCounters> = BTreeMap::new();
        for (trap, state) in self.tables.traps.iter() {
            let sum = traps.entry(trap.name).or_default();
            sum.packets += state.packets;
            sum.bytes += state.bytes;
            sum.policed += state.policed;
        }
        let policers = self.tables.policers.iter();
        Counters {
            ports: (1..).zip(self.port_counters.iter().copied()).collect(),
            rifs: self
                .tables
                .rifs
                .iter()
                .map(|ritr| (ritr.rif, self.tables.counted.of(ritr.rif)))
                .collect(),
            traps,
            policers: policers
                .map(|(pid, policer)| (pid, PolicerCounters { dropped: policer.dropped() }))
                .collect(),
            l2_lookups: self.l2_lookups,
            vrrp_fast_path: self.vrrp_fast_path,
            discards: self.discards.clone(),
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
