//! What devlink says of one device, by name.

use std::collections::BTreeMap;

use netlink_packet_devlink::dpipe::DpipeEntry;
use netlink_packet_devlink::trap::{
    Trap as RawTrap, TrapGroup, TrapMetadata, TrapPolicer, TrapStats,
};

/// A device with what it traps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// `BUS/DEVICE`
    pub handle: String,
    /// Name of its driver; None: the kernel did not say.
    pub driver: Option<String>,
    /// Times that it was reloaded since it was registered: all counters began anew.
    pub reloads: u64,
    /// The last reload failed: it has no ports and no traps until one succeeds.
    pub reload_failed: bool,
    /// Traps by name.
    pub traps: BTreeMap<String, Trap>,
    /// Trap groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Policers by number.
    pub policers: BTreeMap<u32, Policer>,
    /// Its tables.
    pub resources: Vec<Resource>,
    /// Why its traps can't be read; None: they could, or it has none.
    pub refusal: Option<String>,
    /// mlxsw's router interfaces (dpipe table `mlxsw_erif`): index in the chip by ifindex; None: the driver has no such table.
    pub erifs: Option<BTreeMap<u32, u16>>,
}

/// Packets; what the driver does not count is None.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rx {
    /// Reached the CPU.
    pub packets: Option<u64>,
    /// Their octets.
    pub bytes: Option<u64>,
    /// Dropped by the device.
    pub dropped: Option<u64>,
}

/// A packet trap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trap {
    /// `control`, `exception` or `drop`
    pub kind: String,
    /// Named alike by every driver.
    pub generic: bool,
    /// `trap`, `mirror` or `drop`
    pub action: String,
    /// Name of its group.
    pub group: String,
    /// What comes with a trapped packet, as the `devlink` program names it.
    pub metadata: Vec<String>,
    /// How many; None: the kernel could not say.
    pub rx: Option<Rx>,
}

/// Traps that share a policer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Named alike by every driver.
    pub generic: bool,
    /// Number of its policer; None: its packets are not limited.
    pub policer: Option<u32>,
    /// How many.
    pub rx: Option<Rx>,
}

/// A limit of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policer {
    /// Packets per second
    pub rate: u64,
    /// Packets at once
    pub burst: u64,
    /// Packets over it; None: the driver does not count them.
    pub dropped: Option<u64>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// The driver's name of it; those of parts have their parents' before a `/`.
    pub name: String,
    /// Rows
    pub size: u64,
    /// Rows taken; None: the driver does not say.
    pub occ: Option<u64>,
}

impl Device {
    /// Traps of VRRP: every driver names them alike, but for prestera (`vrrp`, prestera_trap_items_arr).
    pub fn vrrp_traps(&self) -> impl Iterator<Item = (&str, &Trap)> {
        let names = ["ipv4_vrrp", "ipv6_vrrp", "vrrp"];
        names.into_iter().filter_map(|name| Some((name, self.traps.get(name)?)))
    }

    /// The traps of a group.
    pub fn traps_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        let of = self.traps.iter().filter(move |(_, trap)| trap.group == group);
        of.map(|(name, _)| name.as_str())
    }

    /// The groups that a policer limits.
    pub fn groups_of(&self, policer: u32) -> impl Iterator<Item = &str> {
        let of = self.groups.iter().filter(move |(_, group)| group.policer == Some(policer));
        of.map(|(name, _)| name.as_str())
    }
}

impl From<TrapStats> for Rx {
    fn from(stats: TrapStats) -> Self {
        Self { packets: stats.rx_packets, bytes: stats.rx_bytes, dropped: stats.rx_dropped }
    }
}

/// A trap with its name; None: the message names none.
pub(super) fn trap(raw: RawTrap) -> Option<(String, Trap)> {
    let word = |what: Option<String>| what.unwrap_or_default();
    let trap = Trap {
        kind: word(raw.trap_type.map(|kind| kind.to_string())),
        generic: raw.generic,
        action: word(raw.action.map(|action| action.to_string())),
        group: word(raw.group),
        metadata: raw.metadata.map_or_else(Vec::new, |metadata| names(&metadata)),
        rx: raw.stats.map(Rx::from),
    };
    Some((raw.name?, trap))
}

/// pr_out_trap_metadata of iproute2's devlink has these words.
fn names(metadata: &TrapMetadata) -> Vec<String> {
    let known = [(metadata.in_port, "input_port"), (metadata.fa_cookie, "flow_action_cookie")];
    known.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.to_owned()).collect()
}

/// mlxsw names the netdev by the mapping of the field, and the index by its value (mlxsw_sp_erif_entry_prepare).
pub(super) fn erif(entry: DpipeEntry) -> Option<(u32, u16)> {
    let value = entry.matches?.values.into_iter().find(|value| value.mapping.is_some())?;
    let octets: [u8; 4] = value.value?.0.try_into().ok()?;
    Some((value.mapping?, u16::try_from(u32::from_ne_bytes(octets)).ok()?))
}

pub(super) fn group(raw: TrapGroup) -> Option<(String, Group)> {
    let group = Group {
        generic: raw.generic,
        policer: raw.policer.filter(|policer| *policer != 0),
        rx: raw.stats.map(Rx::from),
    };
    Some((raw.name?, group))
}

pub(super) fn policer(raw: &TrapPolicer) -> Option<(u32, Policer)> {
    let dropped = raw.stats.as_ref().and_then(|stats| stats.rx_dropped);
    Some((raw.id?, Policer { rate: raw.rate?, burst: raw.burst?, dropped }))
}

#[cfg(test)]
mod tests {
    use netlink_packet_devlink::Octets;
    use netlink_packet_devlink::dpipe::{DpipeMatchValue, DpipeMatchValueList};

    use super::*;

    // Broken if an interface of the chip were taken for another netdev's, or an entry without a netdev for one.
    #[test]
    fn router_interfaces_of_mlxsw() {
        let entry = |value: &[u8], mapping| DpipeEntry {
            matches: Some(DpipeMatchValueList {
                values: vec![DpipeMatchValue {
                    value: Some(Octets(value.to_vec())),
                    mapping,
                    ..DpipeMatchValue::default()
                }],
                ..DpipeMatchValueList::default()
            }),
            ..DpipeEntry::default()
        };
        assert_eq!(erif(entry(&3_u32.to_ne_bytes(), Some(17))), Some((17, 3)));
        assert_eq!(erif(entry(&3_u32.to_ne_bytes(), None)), None);
        assert_eq!(erif(entry(&[3], Some(17))), None);
        assert_eq!(erif(DpipeEntry::default()), None);
    }
}
