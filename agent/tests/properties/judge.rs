//! Who says what about the same state, in one vocabulary: the oracle, the acknowledged tables, the chip's own tables, and frames.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::chip::{
    Entry, Fid, Key, MacProfile, Rif, RifIndex, RifKind, RouteAction, Tables, Vid, VrId,
};
use firsthop_model::intent::TABLE_MAIN;
use oracle::Kernel;

use crate::frames;
use crate::rig::{Fate, Rig};
use crate::stories::{addresses_of_interest, macs_of_interest};
use crate::world::{PORTS, World};

const EXTERNAL_ROUTE: u16 = 0x70;
const IPV4_LPM_MISS: u16 = 0x17b;
const LOCAL_ROUTE: u16 = 0x5f;
const LINK_LOCAL_SCOPE: u16 = 0x61;
const ARP_REQUEST: u16 = 0xe0;
const IPV4_VRRP: u16 = 0x59;
const IPV6_VRRP: u16 = 0x7a;

type MacBytes = [u8; 6];

/// What a port's router interface is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    mac: MacBytes,
    mtu: u16,
    vrrp_ipv4: Option<u8>,
    vrrp_ipv6: Option<u8>,
    answers: BTreeSet<MacBytes>,
    served: BTreeSet<IpAddr>,
}

/// Router interfaces by port.
pub(crate) type View = BTreeMap<u16, Said>;

/// MACs that are answered, by port.
pub(crate) type Answers = BTreeMap<u16, BTreeSet<MacBytes>>;

pub(crate) fn by_oracle(kernel: &Kernel) -> View {
    let said = |(port, rif): (u16, oracle::RouterPort)| {
        let said = Said {
            mac: rif.mac,
            mtu: rif.mtu,
            vrrp_ipv4: rif.vrrp_ipv4,
            vrrp_ipv6: rif.vrrp_ipv6,
            answers: rif.answers.into_keys().collect(),
            served: oracle::served_addresses(kernel, port),
        };
        (port, said)
    };
    oracle::router_ports(kernel).into_iter().map(said).collect()
}

/// What acknowledged rows come to, followed from the port on like a frame.
pub(crate) fn by_tables(tables: &Tables) -> View {
    let mut view = View::new();
    for port in 1..=PORTS {
        let port_key = firsthop_model::LocalPort(port);
        let Some(Entry::PortVidFid { fid, rif: Some(rif), .. }) =
            tables.get(&Key::PortVidFid(port_key, Vid::UNTAGGED))
        else {
            continue;
        };
        let Some(Entry::Rif(rif)) = tables.get(&Key::Rif(*rif)) else { continue };
        let mut said = Said {
            mac: rif.mac.0,
            mtu: rif.mtu,
            vrrp_ipv4: rif.vrrp_ipv4.map(u8::from),
            vrrp_ipv6: rif.vrrp_ipv6.map(u8::from),
            answers: BTreeSet::new(),
            served: BTreeSet::new(),
        };
        for entry in tables.values() {
            match entry {
                Entry::RouterMac { fid: of, mac } if of == fid => {
                    said.answers.insert(mac.0);
                }
                Entry::Route { vr, prefix, action: RouteAction::Ip2me } if *vr == rif.vr => {
                    said.served.insert(prefix.addr());
                }
                _ => {}
            }
        }
        view.insert(port, said);
    }
    view
}

/// What the chip does with frames; MAC, MTU and slots, which no single frame shows, from its dump.
pub(crate) fn by_frames(rig: &mut Rig) -> Result<View, String> {
    let answers = answers(rig)?;
    let mut view = View::new();
    for rif in rig.chip.dump().rifs {
        let Some(port) = rif.port.filter(|_| rif.enabled) else { continue };
        let mac = rif.mac.octets();
        let slot = |vrid: u8| (vrid != 0).then_some(vrid);
        let mut said = Said {
            mac,
            mtu: rif.mtu,
            vrrp_ipv4: slot(rif.vrrp_id_ipv4),
            vrrp_ipv6: slot(rif.vrrp_id_ipv6),
            answers: answers[&port].clone(),
            served: BTreeSet::new(),
        };
        for ip in addresses_of_interest() {
            match rig.receive(port, &frames::udp(mac, ip)) {
                Fate::Trapped(LOCAL_ROUTE) => drop(said.served.insert(ip)),
                Fate::Trapped(EXTERNAL_ROUTE) => {}
                fate => return Err(format!("A packet to {ip} on port {port} was {fate:?}")),
            }
        }
        for (what, frame, trap) in [
            (
                "packet to a link-local",
                frames::udp(mac, frames::ip("fe80::abcd")),
                LINK_LOCAL_SCOPE,
            ),
            ("ARP request", frames::arp_request(), ARP_REQUEST),
            ("IPv4 advertisement", frames::vrrp_v4(), IPV4_VRRP),
            ("IPv6 advertisement", frames::vrrp_v6(), IPV6_VRRP),
        ] {
            let fate = rig.receive(port, &frame);
            if fate != Fate::Trapped(trap) {
                return Err(format!(
                    "A {what} on port {port} was {fate:?}, not trapped as {trap:#x}"
                ));
            }
        }
        if view.insert(port, said).is_some() {
            return Err(format!("Port {port} has two router interfaces"));
        }
    }
    for (port, macs) in &answers {
        if !macs.is_empty() && !view.contains_key(port) {
            return Err(format!("Port {port} has no router interface and answers {macs:x?}"));
        }
    }
    Ok(view)
}

/// Which MACs are answered, by a frame to each on each port.
pub(crate) fn answers(rig: &mut Rig) -> Result<Answers, String> {
    let mut answers = Answers::new();
    for port in 1..=PORTS {
        let mut answered = BTreeSet::new();
        for mac in macs_of_interest() {
            match rig.receive(port, &frames::udp(mac, frames::ip("203.0.113.77"))) {
                // Routed; in a virtual router without its default route too.
                Fate::Trapped(EXTERNAL_ROUTE | IPV4_LPM_MISS) => drop(answered.insert(mac)),
                Fate::Dropped => {}
                fate => return Err(format!("A frame to {mac:x?} on port {port} was {fate:?}")),
            }
        }
        answers.insert(port, answered);
    }
    Ok(answers)
}

/// The MACs that the oracle wants answered.
pub(crate) fn wanted_answers(kernel: &Kernel) -> Answers {
    let view = by_oracle(kernel);
    (1..=PORTS)
        .map(|port| (port, view.get(&port).map(|said| said.answers.clone()).unwrap_or_default()))
        .collect()
}

/// Rows with chip indices replaced by what they stand for: ports and tables.
pub(crate) fn unnumbered(rig: &Rig) -> Tables {
    let tables = rig.reconciler.applied().tables();
    let port_of = |index: RifIndex| match tables.get(&Key::Rif(index)) {
        Some(Entry::Rif(Rif { kind: RifKind::Subport { port, .. }, .. })) => RifIndex(port.0),
        _ => RifIndex(u16::MAX),
    };
    let fid_of = |fid: Fid| Fid::of_subport(port_of(RifIndex(fid.0 - Fid::ROUTER_BASE)));
    let allocation = rig.reconciler.allocation();
    let table_of = |vr: VrId| {
        let table = allocation.tables().find(|table| allocation.vr(*table) == Some(vr));
        VrId(table.and_then(|table| u16::try_from(table).ok()).unwrap_or(u16::MAX))
    };
    let mut plain = Tables::new();
    for entry in tables.values() {
        let mut entry = entry.clone();
        match &mut entry {
            Entry::Rif(rif) => {
                let RifKind::Subport { fid, .. } = &mut rif.kind;
                (rif.rif, *fid) = (port_of(rif.rif), fid_of(*fid));
                (rif.vr, rif.mac_profile) = (table_of(rif.vr), MacProfile(0));
            }
            Entry::VrTree { vr, .. }
            | Entry::MulticastDefault { vr, .. }
            | Entry::Route { vr, .. } => *vr = table_of(*vr),
            Entry::Fid { fid } | Entry::RouterMac { fid, .. } => *fid = fid_of(*fid),
            Entry::FidRif { fid, rif } => (*fid, *rif) = (fid_of(*fid), port_of(*rif)),
            Entry::EgressVid { rif, .. } => *rif = port_of(*rif),
            Entry::PortVidFid { fid, rif, .. } => {
                (*fid, *rif) = (fid_of(*fid), rif.map(port_of));
            }
            Entry::Router { .. }
            | Entry::Policer { .. }
            | Entry::TrapGroup { .. }
            | Entry::Trap { .. }
            | Entry::LpmTree { .. }
            | Entry::LpmTreeShape { .. }
            | Entry::PortPvid { .. }
            | Entry::PortVlan { .. }
            | Entry::PortLearning { .. }
            | Entry::PortStp { .. } => {}
        }
        plain.insert(entry.key(), entry);
    }
    plain
}

/// At rest and with nothing refused: the oracle, the acknowledged tables, the frames and the verdicts say the same.
pub(crate) fn all_agree(rig: &mut Rig, world: &World) -> Result<(), String> {
    let oracle = by_oracle(&world.kernel);
    same("acknowledged tables", &by_tables(rig.reconciler.applied().tables()), &oracle)?;
    same("frames through the chip", &by_frames(rig)?, &oracle)?;
    verdicts_agree(rig, world)?;
    at_rest(rig)
}

fn same(who: &str, said: &View, oracle: &View) -> Result<(), String> {
    if said == oracle {
        return Ok(());
    }
    for port in 1..=PORTS {
        let (said, wanted) = (said.get(&port), oracle.get(&port));
        if said != wanted {
            return Err(format!(
                "Port {port}: the {who} say {said:x?}, the oracle says {wanted:x?}"
            ));
        }
    }
    Err(format!("The {who} know ports that do not exist"))
}

/// State and reason of every macvlan.
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
    Ok(())
}

/// Nothing is due, nothing differs, nothing would be written.
pub(crate) fn at_rest(rig: &mut Rig) -> Result<(), String> {
    let differences = rig.reconciler.differences();
    if !differences.is_empty() {
        return Err(format!("At rest, but Intended and Applied differ: {differences:#?}"));
    }
    if !rig.reconciler.is_synced() {
        return Err("At rest, but not synced".to_owned());
    }
    match rig.step() {
        None => Ok(()),
        Some(more) => Err(format!("A second pass writes {more:?}")),
    }
}

/// Does what the oracle wants find room in every table, with room to spare for what comes before what goes?
pub(crate) fn has_room(rig: &Rig, world: &World) -> bool {
    let chip = rig.personality();
    let view = oracle::router_ports(&world.kernel);
    let free_bits = 48 - u32::from(chip.profile_prefix_bits);
    let prefix = |mac: MacBytes| {
        mac.iter().fold(0_u64, |all, octet| all << 8 | u64::from(*octet)) >> free_bits
    };
    let profiles: BTreeSet<_> = view.values().map(|rif| prefix(rif.mac)).collect();
    let tables: BTreeSet<_> = view.values().map(|rif| rif.vrf.unwrap_or(TABLE_MAIN)).collect();
    let macs: usize = view.values().map(|rif| rif.answers.len()).sum();
    let routes = |ipv4: bool| {
        let own = view.values().flat_map(|rif| rif.own.iter().map(move |ip| (rif.vrf, *ip)));
        own.filter(|(_, ip)| ip.is_ipv4() == ipv4).collect::<BTreeSet<_>>().len() + tables.len()
    };
    let below = |used: usize, size: u64| u64::try_from(used).is_ok_and(|used| used < size);
    let up_to = |used: usize, size: u64| u64::try_from(used).is_ok_and(|used| used <= size);
    up_to(view.len(), chip.rifs.into())
        && up_to(view.len(), chip.fids.into())
        && up_to(tables.len(), chip.virtual_routers.into())
        && below(profiles.len(), chip.mac_profiles.into())
        && below(macs, chip.fdb.into())
        && below(routes(true), chip.routes_ipv4.into())
        && below(routes(false), chip.routes_ipv6.into())
}

/// In a chip that is too small, what is answered is still only what should be, or what a port refused a new MAC had.
pub(crate) fn nothing_foreign(
    rig: &mut Rig,
    world: &World,
    port_macs: &BTreeSet<MacBytes>,
) -> Result<(), String> {
    let wanted = wanted_answers(&world.kernel);
    for (port, macs) in answers(rig)? {
        for mac in macs {
            if !wanted[&port].contains(&mac) && !port_macs.contains(&mac) {
                return Err(format!("Port {port} answers {mac:x?}, which nobody wants"));
            }
        }
    }
    Ok(())
}

/// Every bound router interface has records for its own MAC and for the holders of its fast path.
pub(crate) fn anchored(tables: &Tables) -> Result<(), String> {
    for (port, said) in by_tables(tables) {
        let slots = [(1, said.vrrp_ipv4), (2, said.vrrp_ipv6)];
        let held =
            slots.iter().filter_map(|(family, vrid)| Some([0, 0, 0x5e, 0, *family, (*vrid)?]));
        for mac in held.chain([said.mac]) {
            if !said.answers.contains(&mac) {
                return Err(format!("Port {port} has no record of {mac:x?}: {said:x?}"));
            }
        }
    }
    Ok(())
}
