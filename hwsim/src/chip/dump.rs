//! What do the chip's tables say, for people and scripts? The JSON of `hwsim dump`; lists are sorted, absent is
//! not zero.

use std::collections::BTreeMap;
use std::net::IpAddr;

use emad::Mac;
use emad::register::{Ritr, RitrType, SfdAction, SfdPolicy, SfdRecord, SfdTarget};
use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::lag::{Lag, Lags};
use super::route::{Route, RouteAction, RouteTrap};
use super::traps::{self, TrapAction};
use super::{Chip, Resource};

/// The tables: `hwsim dump`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dump {
    /// Router interfaces, disabled ones included.
    pub rifs: Vec<DumpedRif>,
    /// The forwarding database, by FID and MAC.
    pub fdb: Vec<DumpedFdbRecord>,
    /// Routes by virtual router, family and prefix.
    pub routes: Vec<DumpedRoute>,
    /// Neighbours by router interface and address.
    pub neighbours: Vec<DumpedNeighbour>,
    /// Next hops by adjacency index.
    pub adjacencies: Vec<DumpedAdjacency>,
    /// FIDs.
    pub fids: Vec<DumpedFid>,
    /// LAGs.
    pub lags: Vec<DumpedLag>,
    /// {port, VID} and VID to FID.
    pub mappings: Vec<DumpedMapping>,
    /// All traps.
    pub traps: Vec<DumpedTrap>,
    /// Trap groups that were written.
    pub trap_groups: Vec<DumpedTrapGroup>,
    /// Policers that were written.
    pub policers: Vec<DumpedPolicer>,
    /// Table sizes.
    pub resources: BTreeMap<String, Resource>,
    /// Successful register writes since power-on.
    pub writes_total: u64,
    /// Which power-on this is.
    pub generation: u64,
}

/// A router interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedRif {
    /// Its index.
    pub rif: u16,
    /// Does it route?
    pub enabled: bool,
    /// `sp_if`, `vlan_if`, `fid_if` or `loopback`.
    pub r#type: &'static str,
    /// Virtual router.
    pub virtual_router: u16,
    /// MTU in bytes.
    pub mtu: u16,
    /// MAC.
    #[serde(serialize_with = "text")]
    pub mac: Mac,
    /// MAC profile.
    pub mac_profile: u8,
    /// VRRP id of the IPv4 slot, 0 for none.
    pub vrrp_id_ipv4: u8,
    /// VRRP id of the IPv6 slot, 0 for none.
    pub vrrp_id_ipv6: u8,
    /// FID (`fid_if`) or egress FID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fid: Option<u16>,
    /// VLAN (`vlan_if`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vid: Option<u16>,
    /// Local port (`sp_if`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// LAG (`sp_if` on a LAG).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u16>,
}

/// A record of the forwarding database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedFdbRecord {
    /// FID.
    pub fid: u16,
    /// MAC.
    #[serde(serialize_with = "text")]
    pub mac: Mac,
    /// `nop` (bridge), `mirror_to_cpu`, `trap`, `forward_ip_router` or `discard_error`.
    pub action: String,
    /// `static`, `dynamic_mlag` or `dynamic`.
    pub policy: String,
    /// Local port; absent in records of router MACs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// LAG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u16>,
    /// Multicast id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mid: Option<u16>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedRoute {
    /// Virtual router.
    pub vr: u16,
    /// Prefix.
    pub prefix: IpNet,
    /// `ip2me`, `local` or `remote`.
    pub action: &'static str,
    /// The trap under which its packets reach the CPU, or are dropped (`blackhole_route`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trap: Option<&'static str>,
    /// Egress router interface of a `local` route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erif: Option<u16>,
    /// First adjacency of the group of a `remote` route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjacency: Option<u32>,
    /// How many adjacencies are in that group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecmp_size: Option<u16>,
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedNeighbour {
    /// Router interface.
    pub rif: u16,
    /// Address.
    pub address: IpAddr,
    /// MAC.
    #[serde(serialize_with = "text")]
    pub mac: Mac,
}

/// A next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedAdjacency {
    /// Its index.
    pub adjacency: u32,
    /// Router interface by which it is reached.
    pub rif: u16,
    /// MAC.
    #[serde(serialize_with = "text")]
    pub mac: Mac,
    /// The trap under which its packets reach the CPU, or are dropped (`blackhole_nexthop`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trap: Option<&'static str>,
}

/// A FID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedFid {
    /// Its number.
    pub fid: u16,
    /// Is it a router sub-port's?
    pub flood_rsp: bool,
    /// Ingress router interface of frames classified by FID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irif: Option<u16>,
}

/// A LAG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedLag {
    /// Its number.
    pub lag: u16,
    /// Its ports.
    pub members: Vec<u16>,
    /// Those of them whose frames count as received.
    pub collectors: Vec<u16>,
    /// Those of them that send.
    pub distributors: Vec<u16>,
}

/// A classification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedMapping {
    /// The port; absent where the VID counts on every port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// VLAN id.
    pub vid: u16,
    /// FID.
    pub fid: u16,
    /// Ingress router interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irif: Option<u16>,
}

/// A trap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedTrap {
    /// Trap id.
    pub id: u16,
    /// Name.
    pub name: &'static str,
    /// `forward`, `trap`, `mirror`, `discard`, `soft_discard`, `trap_and_soft_discard` or `trap_exception`.
    pub action: &'static str,
    /// Trap group; absent until HPKT names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u8>,
}

/// A trap group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedTrapGroup {
    /// Its number.
    pub group: u8,
    /// Policer; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u16>,
    /// Priority, 0..=7.
    pub priority: u8,
    /// Traffic class towards the CPU.
    pub tclass: u8,
}

/// A policer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedPolicer {
    /// Its number.
    pub pid: u16,
    /// Packets a second.
    pub rate: u32,
    /// Packets.
    pub burst: u64,
    /// Packets dropped.
    pub dropped: u64,
}

impl Chip {
    /// The tables.
    #[must_use]
    pub fn dump(&self) -> Dump {
        let tables = &self.tables;
        let mut fdb: Vec<_> = tables.fdb.iter().map(dumped_record).collect();
        fdb.sort_by_key(|record| (record.fid, record.mac));
        let groups = (0..).zip(&tables.groups).filter(|(_, group)| group.written);
        Dump {
            rifs: tables.rifs.iter().map(dumped_rif).collect(),
            fdb,
            routes: tables.routes.iter().map(|(vr, p, route)| dumped_route(vr, p, route)).collect(),
            neighbours: tables
                .neighbours
                .iter()
                .map(|(rif, address, n)| DumpedNeighbour { rif, address, mac: n.mac })
                .collect(),
            adjacencies: tables
                .adjacencies
                .iter()
                .map(|(adjacency, a)| DumpedAdjacency {
                    adjacency,
                    rif: a.erif,
                    mac: a.mac,
                    trap: trap_name(a.trap, traps::id::BLACKHOLE_NEXTHOP),
                })
                .collect(),
            fids: tables
                .fids
                .iter()
                .map(|sfmr| DumpedFid {
                    fid: sfmr.fid,
                    flood_rsp: sfmr.flood_rsp,
                    irif: sfmr.irif_v.then_some(sfmr.irif),
                })
                .collect(),
            lags: tables
                .lags
                .iter()
                .map(|(number, lag)| dumped_lag(&tables.lags, number, lag))
                .collect(),
            mappings: tables
                .classification
                .iter()
                .map(|(port, vid, m)| DumpedMapping { port, vid, fid: m.fid, irif: m.irif })
                .collect(),
            traps: tables
                .traps
                .iter()
                .map(|(trap, state)| DumpedTrap {
                    id: trap.id,
                    name: trap.name,
                    action: action_name(state.action.unwrap_or(trap.power_on)),
                    group: state.group,
                })
                .collect(),
            trap_groups: groups
                .map(|(number, group)| DumpedTrapGroup {
                    group: number,
                    policer: group.policer,
                    priority: group.priority,
                    tclass: group.tclass,
                })
                .collect(),
            policers: tables
                .policers
                .iter()
                .map(|(pid, policer)| DumpedPolicer {
                    pid,
                    rate: policer.settings().rate,
                    burst: 1_u64 << policer.settings().burst_log2.min(63),
                    dropped: policer.dropped(),
                })
                .collect(),
            resources: self.resources(),
            writes_total: self.writes_total,
            generation: self.generation,
        }
    }
}

fn dumped_rif(ritr: &Ritr) -> DumpedRif {
    let (r#type, fid, vid, port, lag) = match ritr.kind {
        RitrType::VlanIf { vlan_id, efid } => {
            ("vlan_if", (efid != 0).then_some(efid), Some(vlan_id), None, None)
        }
        RitrType::FidIf { fid } => ("fid_if", Some(fid), None, None, None),
        RitrType::SpIf { lag: false, system_port, efid, .. } => {
            ("sp_if", Some(efid), None, Some(system_port), None)
        }
        RitrType::SpIf { system_port, efid, .. } => {
            ("sp_if", Some(efid), None, None, Some(system_port))
        }
        RitrType::Loopback { .. } | RitrType::Other { .. } => ("loopback", None, None, None, None),
    };
    DumpedRif {
        rif: ritr.rif,
        enabled: ritr.enable,
        r#type,
        virtual_router: ritr.virtual_router,
        mtu: ritr.mtu,
        mac: ritr.if_mac,
        mac_profile: ritr.if_mac_profile_id,
        vrrp_id_ipv4: ritr.if_vrrp_id_ipv4,
        vrrp_id_ipv6: ritr.if_vrrp_id_ipv6,
        fid,
        vid,
        port,
        lag,
    }
}

fn dumped_lag(lags: &Lags, number: u16, lag: &Lag) -> DumpedLag {
    let sorted = |ports: &mut dyn Iterator<Item = u16>| {
        let mut ports: Vec<_> = ports.collect();
        ports.sort_unstable();
        ports
    };
    let collects = |port: &u16| lags.of_port(*port).is_some_and(|member| member.collects);
    DumpedLag {
        lag: number,
        members: sorted(&mut lag.members()),
        collectors: sorted(&mut lag.members().filter(collects)),
        distributors: sorted(&mut lag.distributor().iter().copied()),
    }
}

fn dumped_record(record: &SfdRecord) -> DumpedFdbRecord {
    let router = record.action == SfdAction::ForwardIpRouter;
    let (port, lag, mid) = match record.target {
        SfdTarget::Unicast { system_port, .. } if !router => (Some(system_port), None, None),
        SfdTarget::UnicastLag { lag_id, .. } if !router => (None, Some(lag_id), None),
        SfdTarget::Multicast { mid, .. } => (None, None, Some(mid)),
        _ => (None, None, None),
    };
    DumpedFdbRecord {
        fid: record.fid,
        mac: record.mac,
        action: record.action.to_string(),
        policy: SfdPolicy::to_string(&record.policy),
        port,
        lag,
        mid,
    }
}

fn dumped_route(vr: u16, prefix: IpNet, route: Route) -> DumpedRoute {
    let (action, erif, group) = match route.action {
        RouteAction::Remote { adjacency_index, ecmp_size } => {
            ("remote", None, Some((adjacency_index, ecmp_size)))
        }
        RouteAction::Local { erif } => ("local", Some(erif), None),
        RouteAction::Ip2Me => ("ip2me", None, None),
    };
    let trap = match route.action {
        RouteAction::Ip2Me => trap_name(RouteTrap::Trap(traps::id::LOCAL_ROUTE), 0),
        _ => trap_name(route.trap, traps::id::BLACKHOLE_ROUTE),
    };
    let (adjacency, ecmp_size) = group.unzip();
    DumpedRoute { vr, prefix, action, trap, erif, adjacency, ecmp_size }
}

fn trap_name(trap: RouteTrap, discard: u16) -> Option<&'static str> {
    let trap_id = match trap {
        RouteTrap::Trap(trap_id) | RouteTrap::Mirror(trap_id) => trap_id,
        RouteTrap::DiscardError => discard,
        RouteTrap::Nop => return None,
    };
    traps::by_id(trap_id).map(|(_, trap)| trap.name)
}

fn action_name(action: TrapAction) -> &'static str {
    match action {
        TrapAction::Forward => "forward",
        TrapAction::Trap => "trap",
        TrapAction::Mirror => "mirror",
        TrapAction::Discard => "discard",
        TrapAction::SoftDiscard => "soft_discard",
        TrapAction::TrapSoftDiscard => "trap_and_soft_discard",
        TrapAction::TrapException => "trap_exception",
    }
}

fn text<S: Serializer>(value: &Mac, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
