//! Does what the oracle wants find room in every table of a chip, with room to spare for what comes before what goes?

use std::collections::BTreeSet;

use oracle::{Kind, Shape, Switch};

use super::MacBytes;
use crate::rig::Rig;
use crate::world::World;

pub(crate) fn has_room(rig: &Rig, world: &World) -> bool {
    let chip = rig.personality();
    let switch = Switch::of(&world.kernel);
    let rifs = &switch.router_interfaces;
    let free_bits = 48 - u32::from(chip.profile_prefix_bits);
    let prefix = |mac: MacBytes| {
        mac.iter().fold(0_u64, |all, octet| all << 8 | u64::from(*octet)) >> free_bits
    };
    let profiles: BTreeSet<_> = rifs.values().map(|rif| prefix(rif.mac)).collect();
    // Two router interfaces that share the only profile can't leave it one after the other.
    let outdated = rig.reconciler.applied().rifs();
    let outdated = outdated.filter(|rif| !profiles.contains(&prefix(rif.mac.0))).count();
    let stuck = chip.mac_profiles == 1 && outdated > 1;
    let tables: BTreeSet<_> = rifs.values().map(|rif| rif.table).collect();
    let macs: usize = rifs.values().map(|rif| rif.answers.len()).sum();
    let routes = |ipv4: bool| {
        let own = rifs.values().flat_map(|rif| rif.own.iter().map(move |ip| (rif.table, *ip)));
        own.filter(|(_, ip)| ip.is_ipv4() == ipv4).collect::<BTreeSet<_>>().len() + tables.len()
    };
    // FIDs: of sub-ports, of bridges, and of VLANs with members or a router interface.
    let mut fids: BTreeSet<(u32, Option<u16>)> = BTreeSet::new();
    for (ifindex, rif) in rifs {
        fids.insert(match &rif.shape {
            Shape::Subport { .. } => (*ifindex, Some(9999)),
            Shape::Vlan { bridge, vid } => (*bridge, Some(*vid)),
            Shape::Fid { bridge } => (*bridge, None),
        });
    }
    for (bridge, members) in &switch.bridges {
        fids.extend(members.iter().flat_map(|m| m.vlans.keys().map(|vid| (*bridge, *vid))));
    }
    let devices = &world.kernel.devices;
    let lags = devices.iter().filter(|(_, d)| matches!(d.kind, Kind::Bond { .. } | Kind::Team));
    let ports_in =
        |lag: &u32| devices.values().filter(|d| d.master == Some(*lag) && d.port.is_some()).count();
    let members: Vec<usize> = lags.map(|(i, _)| ports_in(i)).filter(|count| *count > 0).collect();
    let below = |used: usize, size: u64| u64::try_from(used).is_ok_and(|used| used < size);
    let up_to = |used: usize, size: u64| u64::try_from(used).is_ok_and(|used| used <= size);
    up_to(rifs.len(), chip.rifs.into())
        && up_to(fids.len(), chip.fids.into())
        && up_to(tables.len(), chip.virtual_routers.into())
        && below(profiles.len(), u64::from(chip.mac_profiles).max(2))
        && !stuck
        && below(macs, chip.fdb.into())
        && below(routes(true), chip.routes_ipv4.into())
        && below(routes(false), chip.routes_ipv6.into())
        && up_to(members.len(), chip.max_lag.into())
        && members.into_iter().all(|count| up_to(count, chip.max_lag_members.into()))
}
