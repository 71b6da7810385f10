//! The chip without its numbers: indices of router interfaces, FIDs, virtual routers, LAGs, MAC profiles and next hops are replaced
//! by what they stand for, so that two chips can be compared that came to the same state in different ways.
//!
//! ```text
//!   LAG   the ports that are members                  RIF   the {port, VID} that lead to it, or its VLAN
//!   FID   802.1Q its VID; 802.1D the {port, VID} in it, and its RIF; sub-port its RIF
//!   VR    the RIFs in it                              next hop   the routes of its group, and its place in it
//! ```

use std::collections::{BTreeMap, BTreeSet};

use firsthop_model::chip::{
    AdjacencyIndex, Entry, Fid, FidFamily, Key, LagId, MacProfile, PortOrLag, Rif, RifIndex,
    RifKind, RouteAction, Tables, VrId,
};
use hwsim::chip::Dump;

use crate::rig::Rig;

/// What the chip itself says of its tables, as lines of text.
pub(crate) fn bare_chip(rig: &Rig) -> BTreeSet<String> {
    let dump = rig.chip.dump();
    let names = Names::of(&dump);
    let mut lines = BTreeSet::new();
    for rif in &dump.rifs {
        lines.insert(format!(
            "rif {} {} {} mtu {} mac {} vrrp {} {} vr {}",
            names.rif(rif.rif),
            rif.r#type,
            if rif.enabled { "on" } else { "off" },
            rif.mtu,
            rif.mac,
            rif.vrrp_id_ipv4,
            rif.vrrp_id_ipv6,
            names.vr(rif.virtual_router),
        ));
    }
    for record in &dump.fdb {
        let fid = names.fid(record.fid);
        lines.insert(format!("fdb {fid} {} {} {}", record.mac, record.action, record.policy));
    }
    for route in &dump.routes {
        let vr = names.vr(route.vr);
        // A route that does not forward names no router interface, whatever its number is.
        let erif = route.erif.filter(|_| route.trap.is_none()).map(|rif| names.rif(rif));
        let hops = names.group(&dump, route.adjacency, route.ecmp_size);
        lines.insert(format!(
            "route {vr} {} {} {:?} rif {erif:?} next hops {hops:?}",
            route.prefix, route.action, route.trap
        ));
    }
    for neighbour in &dump.neighbours {
        let rif = names.rif(neighbour.rif);
        lines.insert(format!("neighbour {rif} {} {}", neighbour.address, neighbour.mac));
    }
    lines.insert(format!("next hops: {}", dump.adjacencies.len()));
    for fid in &dump.fids {
        let irif = fid.irif.map(|rif| names.rif(rif));
        lines.insert(format!("fid {} rsp {} rif {irif:?}", names.fid(fid.fid), fid.flood_rsp));
    }
    for lag in &dump.lags {
        lines.insert(format!("lag {:?} {:?} {:?}", lag.members, lag.collectors, lag.distributors));
    }
    for mapping in &dump.mappings {
        let irif = mapping.irif.map(|rif| names.rif(rif));
        let fid = names.fid(mapping.fid);
        lines.insert(format!("map {:?} {} fid {fid} rif {irif:?}", mapping.port, mapping.vid));
    }
    lines
}

/// Names of the numbers in a dump.
struct Names {
    rifs: BTreeMap<u16, String>,
    fids: BTreeMap<u16, String>,
    vrs: BTreeMap<u16, String>,
}

impl Names {
    fn of(dump: &Dump) -> Self {
        let ways = |wanted: &dyn Fn(&hwsim::chip::dump::DumpedMapping) -> bool| {
            let found = dump.mappings.iter().filter(|mapping| wanted(mapping));
            let ways: BTreeSet<_> = found.map(|mapping| (mapping.port, mapping.vid)).collect();
            format!("{ways:?}")
        };
        let rifs = dump.rifs.iter().map(|rif| {
            let name = match rif.r#type {
                "vlan_if" => format!("vlan {:?}", rif.vid),
                "fid_if" => format!("bridge {}", ways(&|mapping| Some(mapping.fid) == rif.fid)),
                _ => format!("sub-port {}", ways(&|mapping| mapping.irif == Some(rif.rif))),
            };
            (rif.rif, name)
        });
        let rifs: BTreeMap<_, _> = rifs.collect();
        let mut vrs = BTreeMap::<u16, BTreeSet<&String>>::new();
        for rif in &dump.rifs {
            vrs.entry(rif.virtual_router).or_default().insert(&rifs[&rif.rif]);
        }
        let vrs = vrs.into_iter().map(|(vr, rifs)| (vr, format!("{rifs:?}"))).collect();
        let fids = dump.fids.iter().map(|fid| {
            let name = match fid.fid {
                0..4095 => format!("{}", fid.fid),
                4095..5120 => ways(&|mapping| mapping.fid == fid.fid),
                _ => format!("of {}", fid.irif.map_or("nobody", |rif| rifs[&rif].as_str())),
            };
            (fid.fid, name)
        });
        Self { fids: fids.collect(), vrs, rifs }
    }

    fn rif(&self, rif: u16) -> &str {
        self.rifs.get(&rif).map_or("dangling", String::as_str)
    }

    fn fid(&self, fid: u16) -> &str {
        self.fids.get(&fid).map_or("dangling", String::as_str)
    }

    /// Where the next hops of a route lead.
    fn group(&self, dump: &Dump, first: Option<u32>, size: Option<u16>) -> Vec<String> {
        let Some((first, size)) = first.zip(size) else { return Vec::new() };
        let indices = first..first.saturating_add(size.into());
        let hops = dump.adjacencies.iter().filter(|hop| indices.contains(&hop.adjacency));
        hops.map(|hop| format!("{} {} {:?}", self.rif(hop.rif), hop.mac, hop.trap)).collect()
    }

    fn vr(&self, vr: u16) -> &str {
        self.vrs.get(&vr).map_or("empty", String::as_str)
    }
}

/// The acknowledged rows, with numbers that follow from what they stand for.
pub(crate) fn bare_rows(rig: &Rig) -> Tables {
    let tables = rig.reconciler.applied().tables();
    let numbers = Numbers::of(rig, tables);
    let mut plain = Tables::new();
    for entry in tables.values() {
        let entry = numbers.applied(rig, entry.clone());
        plain.insert(entry.key(), entry);
    }
    plain
}

struct Numbers {
    rifs: BTreeMap<RifIndex, RifIndex>,
    lags: BTreeMap<LagId, LagId>,
    fids: BTreeMap<Fid, Fid>,
    adjacencies: BTreeMap<AdjacencyIndex, AdjacencyIndex>,
}

impl Numbers {
    fn of(rig: &Rig, tables: &Tables) -> Self {
        let mut in_lag = BTreeMap::<LagId, BTreeSet<u16>>::new();
        let mut in_fid = BTreeMap::<Fid, BTreeSet<(u16, u16)>>::new();
        let mut in_group = BTreeMap::<(AdjacencyIndex, u16), BTreeSet<Key>>::new();
        let mut rifs = BTreeMap::new();
        for entry in tables.values() {
            match entry {
                Entry::Route { vr, prefix, action: RouteAction::Remote { first, size } } => {
                    let routes = in_group.entry((*first, *size)).or_default();
                    routes.insert(Key::Route(table(rig, *vr), *prefix));
                }
                Entry::Lag { lag } => _ = in_lag.entry(*lag).or_default(),
                Entry::LagCollector { lag, port } => {
                    in_lag.entry(*lag).or_default().insert(port.0);
                }
                Entry::Fid { fid } if fid.family() == FidFamily::Dot1d => {
                    in_fid.entry(*fid).or_default();
                }
                Entry::PortVidFid { port, vid, fid, .. } if fid.family() == FidFamily::Dot1d => {
                    in_fid.entry(*fid).or_default().insert((port.0, vid.0));
                }
                Entry::Rif(rif) => {
                    let place = rig.place_of(rif.rif.0).and_then(|place| u16::try_from(place).ok());
                    rifs.insert(rif.rif, RifIndex(place.unwrap_or(u16::MAX)));
                }
                _ => {}
            }
        }
        Self {
            rifs,
            lags: ranked(in_lag).into_iter().map(|(lag, rank)| (lag, LagId(rank))).collect(),
            fids: ranked(in_fid).into_iter().map(|(fid, rank)| (fid, Fid(4095 + rank))).collect(),
            adjacencies: adjacencies(in_group),
        }
    }

    fn rif(&self, rif: RifIndex) -> RifIndex {
        self.rifs.get(&rif).copied().unwrap_or(RifIndex(u16::MAX))
    }

    fn lag(&self, lag: LagId) -> LagId {
        self.lags.get(&lag).copied().unwrap_or(LagId(u16::MAX))
    }

    fn fid(&self, fid: Fid) -> Fid {
        match fid.family() {
            FidFamily::Dot1q => fid,
            FidFamily::Dot1d => self.fids.get(&fid).copied().unwrap_or(fid),
            FidFamily::Router => Fid::of_subport(self.rif(RifIndex(fid.0 - Fid::ROUTER_BASE))),
        }
    }

    fn adjacency(&self, index: AdjacencyIndex) -> AdjacencyIndex {
        self.adjacencies.get(&index).copied().unwrap_or(index)
    }

    fn at(&self, at: PortOrLag) -> PortOrLag {
        match at {
            PortOrLag::Port(_) => at,
            PortOrLag::Lag(lag) => PortOrLag::Lag(self.lag(lag)),
        }
    }

    fn rif_row(&self, rig: &Rig, rif: &Rif) -> Rif {
        let kind = match rif.kind {
            RifKind::Subport { at, fid } => {
                RifKind::Subport { at: self.at(at), fid: self.fid(fid) }
            }
            RifKind::Vlan { vid, fid } => RifKind::Vlan { vid, fid: self.fid(fid) },
            RifKind::Fid { fid } => RifKind::Fid { fid: self.fid(fid) },
        };
        let (vr, mac_profile) = (table(rig, rif.vr), MacProfile(0));
        Rif { rif: self.rif(rif.rif), kind, vr, mac_profile, ..rif.clone() }
    }

    fn applied(&self, rig: &Rig, mut entry: Entry) -> Entry {
        match &mut entry {
            Entry::Rif(rif) => *rif = self.rif_row(rig, rif),
            Entry::VrTree { vr, .. } | Entry::MulticastDefault { vr, .. } => *vr = table(rig, *vr),
            Entry::Route { vr, action, .. } => {
                *vr = table(rig, *vr);
                match action {
                    RouteAction::Local(rif) => *rif = self.rif(*rif),
                    RouteAction::Remote { first, .. } => *first = self.adjacency(*first),
                    RouteAction::Ip2me | RouteAction::Trap(_) | RouteAction::Discard => {}
                }
            }
            Entry::Adjacency { index, rif, .. } => {
                (*index, *rif) = (self.adjacency(*index), self.rif(*rif));
            }
            Entry::Neighbour { rif, .. } => *rif = self.rif(*rif),
            Entry::Fid { fid } | Entry::RouterMac { fid, .. } => *fid = self.fid(*fid),
            Entry::FidRif { fid, rif } => (*fid, *rif) = (self.fid(*fid), self.rif(*rif)),
            Entry::EgressVid { rif, .. } => *rif = self.rif(*rif),
            Entry::PortVidFid { fid, rif, .. } | Entry::VidFid { fid, rif, .. } => {
                (*fid, *rif) = (self.fid(*fid), rif.map(|rif| self.rif(rif)));
            }
            Entry::FloodPort { fid, .. } => *fid = self.fid(*fid),
            Entry::Learnt { fid, at } => (*fid, *at) = (self.fid(*fid), self.at(*at)),
            Entry::Lag { lag }
            | Entry::LagPort { lag, .. }
            | Entry::LagCollector { lag, .. }
            | Entry::LagCollecting { lag, .. } => *lag = self.lag(*lag),
            Entry::Router { .. }
            | Entry::Policer { .. }
            | Entry::TrapGroup { .. }
            | Entry::Trap { .. }
            | Entry::LpmTree { .. }
            | Entry::LpmTreeShape { .. }
            | Entry::Multipath
            | Entry::PortPvid { .. }
            | Entry::PortVlan { .. }
            | Entry::PortLearning { .. }
            | Entry::AgeingTime { .. }
            | Entry::FloodTable { .. }
            | Entry::PortStp { .. } => {}
        }
        entry
    }
}

fn table(rig: &Rig, vr: VrId) -> VrId {
    VrId(u16::try_from(rig.table_of(vr)).unwrap_or(u16::MAX))
}

/// Next hops one after the other, far from those that have no route and keep their number.
fn adjacencies(
    in_group: BTreeMap<(AdjacencyIndex, u16), BTreeSet<Key>>,
) -> BTreeMap<AdjacencyIndex, AdjacencyIndex> {
    let ranks = ranked(in_group).into_iter().map(|(group, rank)| (rank, group));
    let groups: BTreeMap<_, _> = ranks.collect();
    let places = groups
        .into_values()
        .flat_map(|(first, size)| (0..u32::from(size)).map(move |n| first.0 + n));
    places.map(AdjacencyIndex).zip((1 << 24..).map(AdjacencyIndex)).collect()
}

/// Numbers by what they stand for, in order.
fn ranked<K: Ord + Copy, V: Ord>(stands_for: BTreeMap<K, V>) -> BTreeMap<K, u16> {
    let mut order: Vec<_> = stands_for.into_iter().collect();
    order.sort_by(|one, other| one.1.cmp(&other.1));
    order.into_iter().map(|(key, _)| key).zip(0..).collect()
}
