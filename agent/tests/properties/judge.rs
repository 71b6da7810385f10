//! Who says what about the same state, in one vocabulary: the oracle, the acknowledged tables, the chip's own tables, and frames.

mod canonical;
mod fates;
mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::chip::{Entry, Fid, Key, PortOrLag, Rif, RifKind, RouteAction, Tables, Vid};
use oracle::{Kernel, Shape, Switch};

use crate::frames;
use crate::rig::Rig;
use crate::stories::addresses_of_interest;
use crate::world::World;

pub(crate) use canonical::{bare_chip, bare_rows};
pub(crate) use fates::{
    Fates, Way, WayFate, any_way_moves, fates, place_name, place_of, wanted_fates,
};
pub(crate) use room::has_room;

use fates::{fates_agree, ways_of, wired};

const LOCAL_ROUTE: u16 = 0x5f;
const LINK_LOCAL_SCOPE: u16 = 0x61;
const ARP_REQUEST: u16 = 0xe0;
const IPV4_VRRP: u16 = 0x59;
const IPV6_VRRP: u16 = 0x7a;

pub(crate) type MacBytes = [u8; 6];

/// Where a router interface is, in the chip's words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Ports, and the VLAN.
    Subport(BTreeSet<u16>, Option<u16>),
    /// VLAN of the VLAN-aware bridge
    Vlan(u16),
    /// Ports with their VLANs that are in the bridge.
    Fid(BTreeSet<(u16, Option<u16>)>),
}

/// What a device's router interface is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    place: Place,
    table: u32,
    mac: MacBytes,
    mtu: u16,
    vrrp_ipv4: Option<u8>,
    vrrp_ipv6: Option<u8>,
    pub(crate) answers: BTreeSet<MacBytes>,
    served: BTreeSet<IpAddr>,
}

/// Router interfaces by ifindex.
pub(crate) type View = BTreeMap<u32, Said>;

pub(crate) fn by_oracle(kernel: &Kernel, switch: &Switch) -> View {
    let said = |(ifindex, rif): (&u32, &oracle::RouterInterface)| {
        let place = match &rif.shape {
            Shape::Subport { ports, vid } => Place::Subport(ports.clone(), *vid),
            Shape::Vlan { vid, .. } => Place::Vlan(*vid),
            Shape::Fid { bridge } => {
                let members = switch.bridges[bridge].iter();
                let tag = |member: &oracle::Member| member.vlans.values().next().copied().flatten();
                let each = members.flat_map(|m| m.ports.iter().map(move |port| (*port, tag(m))));
                Place::Fid(each.collect())
            }
        };
        let same_table = switch.router_interfaces.values().filter(|o| o.table == rif.table);
        let said = Said {
            place,
            table: rif.table,
            mac: rif.mac,
            mtu: rif.mtu,
            vrrp_ipv4: rif.vrrp_ipv4,
            vrrp_ipv6: rif.vrrp_ipv6,
            answers: rif.answers.keys().copied().collect(),
            served: same_table.flat_map(|other| other.own.clone()).collect(),
        };
        (*ifindex, said)
    };
    debug_assert!(switch.router_interfaces.keys().all(|i| kernel.devices.contains_key(i)));
    switch.router_interfaces.iter().map(said).collect()
}

/// What acknowledged rows come to, followed from the router interfaces of devices.
pub(crate) fn by_tables(rig: &Rig, world: &World) -> Result<View, String> {
    let tables = rig.reconciler.applied().tables();
    let mut view = View::new();
    let mut owned = BTreeSet::new();
    for ifindex in world.kernel.devices.keys() {
        let Some(rif) = rig.reconciler.applied_rif(IfIndex(*ifindex)) else { continue };
        owned.insert(rif.rif);
        let (place, fid) = placed(tables, rif)
            .map_err(|why| format!("{}: {why}", world.kernel.devices[ifindex].name))?;
        let mut said = Said {
            place,
            table: rig.table_of(rif.vr),
            mac: rif.mac.0,
            mtu: rif.mtu,
            vrrp_ipv4: rif.vrrp_ipv4.map(u8::from),
            vrrp_ipv6: rif.vrrp_ipv6.map(u8::from),
            answers: BTreeSet::new(),
            served: BTreeSet::new(),
        };
        for entry in tables.values() {
            match entry {
                Entry::RouterMac { fid: of, mac } if *of == fid => _ = said.answers.insert(mac.0),
                Entry::Route { vr, prefix, action: RouteAction::Ip2me } if *vr == rif.vr => {
                    said.served.insert(prefix.addr());
                }
                _ => {}
            }
        }
        view.insert(*ifindex, said);
    }
    let nobodys = |entry: &&Entry| matches!(entry, Entry::Rif(rif) if !owned.contains(&rif.rif));
    match tables.values().find(nobodys) {
        Some(rif) => Err(format!("A router interface is nobody's: {rif:?}")),
        None => Ok(view),
    }
}

/// Where the rows put a router interface; the ways in and the ways out have to agree.
fn placed(tables: &Tables, rif: &Rif) -> Result<(Place, Fid), String> {
    let fid = rif.kind.fid();
    let mut ways = BTreeSet::new();
    for entry in tables.values() {
        if let Entry::PortVidFid { port, vid, fid: of, rif: irif } = entry
            && *of == fid
        {
            ways.insert((port.0, (*vid != Vid::UNTAGGED).then_some(vid.0)));
            if *irif != Some(rif.rif) {
                return Err(format!("{entry:?} does not lead to {rif:?}"));
            }
        }
    }
    match tables.get(&Key::FidRif(fid)) {
        Some(Entry::FidRif { rif: of, .. }) if *of == rif.rif => {}
        other => return Err(format!("The FID of {rif:?} leads to {other:?}")),
    }
    let place = match rif.kind {
        RifKind::Subport { at, .. } => {
            let ports: BTreeSet<u16> = ways.iter().map(|(port, _)| *port).collect();
            let vids: BTreeSet<_> = ways.iter().map(|(_, vid)| *vid).collect();
            let [vid] = vids.into_iter().collect::<Vec<_>>()[..] else {
                return Err(format!("{rif:?} has the ways {ways:?}"));
            };
            let is_at = match at {
                PortOrLag::Port(port) => ports == BTreeSet::from([port.0]),
                PortOrLag::Lag(lag) => ports.iter().all(|port| {
                    let key = Key::LagCollector(firsthop_model::LocalPort(*port));
                    matches!(tables.get(&key), Some(Entry::LagCollector { lag: of, .. }) if *of == lag)
                }),
            };
            if !is_at {
                return Err(format!("{rif:?} is not at the ports {ports:?}"));
            }
            Place::Subport(ports, vid)
        }
        RifKind::Vlan { vid, fid } => {
            match tables.get(&Key::VidFid(vid)) {
                Some(Entry::VidFid { fid: of, rif: Some(irif), .. })
                    if *of == fid && *irif == rif.rif => {}
                other => return Err(format!("The VLAN of {rif:?} leads to {other:?}")),
            }
            Place::Vlan(vid.0)
        }
        RifKind::Fid { .. } => Place::Fid(ways),
    };
    Ok((place, fid))
}

/// What no single frame shows, from the chip's dump; and, by frames, which destinations and control packets reach the CPU.
fn by_frames(rig: &mut Rig, switch: &Switch, oracle: &View) -> Result<(), String> {
    let mut seen = 0;
    for rif in rig.chip.dump().rifs.into_iter().filter(|rif| rif.enabled) {
        let owner = rig.device_of(rif.rif).ok_or_else(|| format!("{rif:?} is nobody's"))?;
        let wanted = oracle.get(&owner).ok_or_else(|| format!("{rif:?} is unwanted"))?;
        seen += 1;
        let slot = |vrid: u8| (vrid != 0).then_some(vrid);
        let said = (rif.mac.octets(), rif.mtu, slot(rif.vrrp_id_ipv4), slot(rif.vrrp_id_ipv6));
        if said != (wanted.mac, wanted.mtu, wanted.vrrp_ipv4, wanted.vrrp_ipv6) {
            return Err(format!("The chip has {rif:x?}, the oracle wants {wanted:x?}"));
        }
        // One way to it is enough here: `fates_agree` looks at all.
        let Some(way) = ways_of(switch, owner).into_iter().next() else { continue };
        let mut served = BTreeSet::new();
        for ip in addresses_of_interest() {
            if rig.trap_of(way, &frames::udp(wanted.mac, ip)) == Some(LOCAL_ROUTE) {
                served.insert(ip);
            }
        }
        let of_interest: BTreeSet<_> = addresses_of_interest().into_iter().collect();
        let wanted_served: BTreeSet<_> =
            wanted.served.intersection(&of_interest).copied().collect();
        if served != wanted_served {
            return Err(format!("By {way:?} the chip serves {served:?}, not {wanted_served:?}"));
        }
        for (what, frame, trap) in [
            ("link-local", frames::udp(wanted.mac, frames::ip("fe80::abcd")), LINK_LOCAL_SCOPE),
            ("ARP request", frames::arp_request(), ARP_REQUEST),
            ("IPv4 advertisement", frames::vrrp_v4(), IPV4_VRRP),
            ("IPv6 advertisement", frames::vrrp_v6(), IPV6_VRRP),
        ] {
            let got = rig.trap_of(way, &frame);
            if got != Some(trap) {
                return Err(format!("A {what} by {way:?} was trapped as {got:x?}, not {trap:#x}"));
            }
        }
    }
    if seen == oracle.len() { Ok(()) } else { Err("A router interface is missing".to_owned()) }
}

/// At rest and with nothing refused: the oracle, the acknowledged tables, the frames and the verdicts say the same.
pub(crate) fn all_agree(rig: &mut Rig, world: &World) -> Result<(), String> {
    let switch = Switch::of(&world.kernel);
    let oracle = by_oracle(&world.kernel, &switch);
    same(world, "acknowledged tables", &by_tables(rig, world)?, &oracle)?;
    by_frames(rig, &switch, &oracle)?;
    fates_agree(rig, &switch)?;
    wired(rig, &switch)?;
    verdicts_agree(rig, world)?;
    at_rest(rig)
}

fn same(world: &World, who: &str, said: &View, oracle: &View) -> Result<(), String> {
    for ifindex in said.keys().chain(oracle.keys()) {
        let (said, wanted) = (said.get(ifindex), oracle.get(ifindex));
        if said != wanted {
            let name = world.kernel.devices.get(ifindex).map_or("?", |device| &device.name);
            return Err(format!(
                "{name}: the {who} say\n  {said:x?}, the oracle says\n  {wanted:x?}"
            ));
        }
    }
    Ok(())
}

/// State and reason of every macvlan, and the reason of everything else.
fn verdicts_agree(rig: &Rig, world: &World) -> Result<(), String> {
    for (ifindex, device) in &world.kernel.devices {
        let Some(wanted) = oracle::verdict(&world.kernel, *ifindex) else { continue };
        let topology = rig.reconciler.topology();
        let link = topology.link(IfIndex(*ifindex)).ok_or("A device is unknown to the agent")?;
        let verdict = rig.reconciler.units().find_map(|(_, unit)| unit.vmacs.get(&link.ifindex));
        let verdict = verdict.ok_or_else(|| format!("No unit speaks for {}", device.name))?;
        let standing = rig.reconciler.vmac_standing(link, verdict);
        let said =
            (standing.state.name(), standing.reason.map(firsthop_model::intent::Reason::code));
        if said != (wanted.state, wanted.reason) {
            return Err(format!("{}: the agent says {said:?}, the oracle {wanted:?}", device.name));
        }
    }
    for (ifindex, device) in &world.kernel.devices {
        let wanted = oracle::shape(&world.kernel, *ifindex).err();
        let unit = rig.reconciler.unit(IfIndex(*ifindex));
        let Some(verdict) = unit.and_then(|unit| unit.rif.as_ref()) else { continue };
        let said = verdict.reason().map(firsthop_model::intent::Reason::code);
        if said != wanted {
            return Err(format!("{}: the agent says {said:?}, the oracle {wanted:?}", device.name));
        }
    }
    Ok(())
}

/// Nothing is due, nothing differs, nothing would be written.
pub(crate) fn at_rest(rig: &mut Rig) -> Result<(), String> {
    let differences = rig.reconciler.differences();
    if !differences.is_empty() {
        let lines = differences.iter().take(8).map(|one| format!("\n    {one:?}"));
        let (count, lines) = (differences.len(), lines.collect::<String>());
        return Err(format!("At rest, but Intended and Applied differ in {count} rows:{lines}"));
    }
    if !rig.reconciler.is_synced() {
        return Err("At rest, but not synced".to_owned());
    }
    match rig.step() {
        None => Ok(()),
        Some(more) => Err(format!("A second pass writes {more:?}")),
    }
}

/// In a chip that is too small, what is answered is still only what should be, or what a device refused a new MAC had.
pub(crate) fn nothing_foreign(
    rig: &mut Rig,
    world: &World,
    device_macs: &BTreeSet<MacBytes>,
) -> Result<(), String> {
    let wanted = wanted_fates(&Switch::of(&world.kernel));
    for (way, fate) in fates(rig) {
        for mac in fate.routed {
            let asked = wanted.get(&way).is_some_and(|wanted| wanted.routed.contains(&mac));
            if !asked && !device_macs.contains(&mac) {
                return Err(format!("{way:?} answers {mac:x?}, which nobody wants"));
            }
        }
    }
    Ok(())
}

/// Every router interface that can be entered has records for its own MAC and for the holders of its fast path, but for those
/// that the chip had no room for.
pub(crate) fn anchored(rig: &Rig) -> Result<(), String> {
    let tables = rig.reconciler.applied().tables();
    for entry in tables.values() {
        let Entry::Rif(rif) = entry else { continue };
        let fid = rif.kind.fid();
        // the FID may still belong to the one that it replaces
        let of_fid = Entry::FidRif { fid, rif: rif.rif };
        if !rif.enabled || tables.get(&Key::FidRif(fid)) != Some(&of_fid) {
            continue;
        }
        let slots = [(1, rif.vrrp_ipv4), (2, rif.vrrp_ipv6)];
        let held = slots
            .iter()
            .filter_map(|(family, vrid)| Some([0, 0, 0x5e, 0, *family, u8::from((*vrid)?)]));
        for mac in held.chain([rif.mac.0]) {
            let record = Key::RouterMac(fid, firsthop_model::Mac(mac));
            if !tables.contains_key(&record) && !rig.without_room.contains(&record) {
                return Err(format!("There is no record of {mac:x?} for {rif:x?}"));
            }
        }
    }
    Ok(())
}
