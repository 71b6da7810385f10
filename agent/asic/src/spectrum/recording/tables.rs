//! The tables in the shape of `hwsim dump -j`, so that the two can be compared value for value. Left out is what registers do not
//! tell: sizes of tables, the generation, what a policer dropped.

use std::collections::BTreeMap;
use std::net::IpAddr;

use emad::Mac;
use emad::register::{
    HpktAction, Ralue, RalueAction, Ritr, RitrType, SfdAction, SfdRecord, SfdTarget, TrapAction,
};
use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::state::{Lag, State, Trap};
use super::traps;

/// The chip's tables. Lists are sorted; absent is not zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tables {
    /// Router interfaces, disabled ones included.
    pub rifs: Vec<TableRif>,
    /// The forwarding database, by FID and MAC.
    pub fdb: Vec<TableRecord>,
    /// Routes by virtual router, family and prefix.
    pub routes: Vec<TableRoute>,
    /// Neighbours by router interface and address.
    pub neighbours: Vec<TableNeighbour>,
    /// Next hops by adjacency index.
    pub adjacencies: Vec<TableAdjacency>,
    /// FIDs.
    pub fids: Vec<TableFid>,
    /// LAGs.
    pub lags: Vec<TableLag>,
    /// {port, VID} and VID to FID.
    pub mappings: Vec<TableMapping>,
    /// All traps; of a recording that begins late those that it mentions.
    pub traps: Vec<TableTrap>,
    /// Trap groups that were written.
    pub trap_groups: Vec<TableGroup>,
    /// Policers that were written.
    pub policers: Vec<TablePolicer>,
    /// Writes that the chip executed since power-on; None: the recording begins late, or the chip was reset in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes_total: Option<u64>,
}

/// A router interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableRif {
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
pub struct TableRecord {
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
pub struct TableRoute {
    /// Virtual router.
    pub vr: u16,
    /// Prefix.
    pub prefix: IpNet,
    /// `ip2me`, `local` or `remote`.
    pub action: &'static str,
    /// The trap under which its packets reach the CPU, or are dropped.
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

/// A next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableAdjacency {
    /// Its index.
    pub adjacency: u32,
    /// Router interface by which it is reached.
    pub rif: u16,
    /// MAC.
    #[serde(serialize_with = "text")]
    pub mac: Mac,
    /// The trap under which its packets reach the CPU, or are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trap: Option<&'static str>,
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableNeighbour {
    /// Router interface.
    pub rif: u16,
    /// Address.
    pub address: IpAddr,
    /// MAC.
    #[serde(serialize_with = "text")]
    pub mac: Mac,
}

/// A FID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableFid {
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
pub struct TableLag {
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
pub struct TableMapping {
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

/// A packet class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableTrap {
    /// Trap id.
    pub id: u16,
    /// Name; absent where the number has none here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// `forward`, `trap`, `mirror`, `discard`, `soft_discard`, `trap_and_soft_discard` or `trap_exception`; absent where it is the
    /// firmware's default and that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// Trap group; absent until a write names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u8>,
}

/// A trap group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableGroup {
    /// Its number.
    pub group: u8,
    /// Policer; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u8>,
    /// Priority, 0..=7.
    pub priority: u8,
    /// Traffic class towards the CPU.
    pub tclass: u8,
}

/// A policer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TablePolicer {
    /// Its number.
    pub pid: u16,
    /// Packets a second.
    pub rate: u32,
    /// Packets.
    pub burst: u64,
}

impl Tables {
    /// The tables of this state; with every trap if nothing was before the recording.
    pub(super) fn of(state: &State, whole: bool) -> Self {
        let mut classes: BTreeMap<u16, TableTrap> = BTreeMap::new();
        if whole {
            classes.extend(traps::all().map(|trap| (trap.id, trap)));
        }
        classes.extend(state.traps.iter().map(|(id, trap)| (*id, table_trap(*id, *trap))));
        let mapping = |port, vid, svfa: &emad::register::Svfa| TableMapping {
            port,
            vid,
            fid: svfa.fid,
            irif: svfa.irif_v.then_some(svfa.irif),
        };
        let port_vids =
            state.port_vids.iter().map(|((port, vid), m)| mapping(Some(*port), *vid, m));
        Self {
            rifs: state.rifs.values().map(table_rif).collect(),
            fdb: state.fdb.records().map(table_record).collect(),
            routes: state
                .routes
                .iter()
                .map(|((vr, p), ralue)| table_route(*vr, *p, ralue))
                .collect(),
            neighbours: state
                .neighbours
                .iter()
                .map(|((rif, address), mac)| TableNeighbour {
                    rif: *rif,
                    address: *address,
                    mac: *mac,
                })
                .collect(),
            adjacencies: state
                .adjacencies
                .iter()
                .map(|(adjacency, ratr)| TableAdjacency {
                    adjacency: *adjacency,
                    rif: ratr.egress_router_interface,
                    mac: ratr.eth_destination_mac,
                    trap: match ratr.trap_action {
                        TrapAction::Trap | TrapAction::MirrorToCpu => Some("unresolved_neigh"),
                        TrapAction::DiscardError => Some("blackhole_nexthop"),
                        _ => None,
                    },
                })
                .collect(),
            fids: state
                .fids
                .values()
                .map(|sfmr| TableFid {
                    fid: sfmr.fid,
                    flood_rsp: sfmr.flood_rsp,
                    irif: sfmr.irif_v.then_some(sfmr.irif),
                })
                .collect(),
            lags: state.lags.iter().map(|(lag, ports)| table_lag(*lag, ports)).collect(),
            mappings: port_vids
                .chain(state.vids.iter().map(|(vid, svfa)| mapping(None, *vid, svfa)))
                .collect(),
            traps: classes.into_values().collect(),
            trap_groups: state
                .groups
                .values()
                .map(|htgt| TableGroup {
                    group: htgt.group,
                    policer: htgt.policer,
                    priority: htgt.priority,
                    tclass: htgt.tclass,
                })
                .collect(),
            policers: state
                .policers
                .values()
                .map(|qpcr| TablePolicer {
                    pid: qpcr.pid,
                    rate: qpcr.cir,
                    burst: 1_u64 << qpcr.cbs_log2.min(63),
                })
                .collect(),
            writes_total: None,
        }
    }
}

fn table_rif(ritr: &Ritr) -> TableRif {
    let (r#type, fid, vid, port, lag) = match ritr.kind {
        // 0: the chip takes the FID of the VLAN.
        RitrType::VlanIf { vlan_id, efid } => {
            ("vlan_if", (efid != 0).then_some(efid), Some(vlan_id), None, None)
        }
        RitrType::FidIf { fid } => ("fid_if", Some(fid), None, None, None),
        RitrType::SpIf { lag: false, system_port, efid, .. } => {
            ("sp_if", Some(efid), None, Some(system_port), None)
        }
        RitrType::SpIf { lag: true, system_port, efid, .. } => {
            ("sp_if", Some(efid), None, None, Some(system_port))
        }
        RitrType::Loopback { .. } | RitrType::Other { .. } => ("loopback", None, None, None, None),
    };
    TableRif {
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

fn table_record(record: &SfdRecord) -> TableRecord {
    let router = record.action == SfdAction::ForwardIpRouter;
    let (port, lag, mid) = match record.target {
        SfdTarget::Unicast { system_port, .. } if !router => (Some(system_port), None, None),
        SfdTarget::UnicastLag { lag_id, .. } if !router => (None, Some(lag_id), None),
        SfdTarget::Multicast { mid, .. } => (None, None, Some(mid)),
        _ => (None, None, None),
    };
    TableRecord {
        fid: record.fid,
        mac: record.mac,
        action: record.action.to_string(),
        policy: record.policy.to_string(),
        port,
        lag,
        mid,
    }
}

fn table_route(vr: u16, prefix: IpNet, ralue: &Ralue) -> TableRoute {
    let trapped = |action, id| match action {
        TrapAction::Trap | TrapAction::MirrorToCpu => traps::name(id),
        TrapAction::DiscardError => Some("blackhole_route"),
        _ => None,
    };
    let (action, trap, erif, group) = match ralue.action {
        RalueAction::Remote { trap_action, trap_id, adjacency_index, ecmp_size } => {
            let group = Some((adjacency_index, ecmp_size));
            ("remote", trapped(trap_action, trap_id), None, group)
        }
        RalueAction::Local { trap_action, trap_id, local_erif } => {
            ("local", trapped(trap_action, trap_id), Some(local_erif), None)
        }
        RalueAction::Ip2me { .. } => ("ip2me", Some("local_route"), None, None),
        RalueAction::Other { .. } => ("other", None, None, None),
    };
    let (adjacency, ecmp_size) = group.unzip();
    TableRoute { vr, prefix, action, trap, erif, adjacency, ecmp_size }
}

fn table_lag(lag: u16, ports: &Lag) -> TableLag {
    TableLag {
        lag,
        members: ports.members.iter().copied().collect(),
        collectors: ports.collectors.iter().copied().collect(),
        distributors: ports.distributors.iter().copied().collect(),
    }
}

fn table_trap(id: u16, trap: Trap) -> TableTrap {
    let action = match trap.action {
        HpktAction::Forward => Some("forward"),
        HpktAction::TrapToCpu => Some("trap"),
        HpktAction::MirrorToCpu => Some("mirror"),
        HpktAction::Discard => Some("discard"),
        HpktAction::SoftDiscard => Some("soft_discard"),
        HpktAction::TrapAndSoftDiscard => Some("trap_and_soft_discard"),
        HpktAction::TrapExceptionToCpu => Some("trap_exception"),
        HpktAction::SetFwDefault => traps::at_power_on(id),
        HpktAction::Other(_) => None,
    };
    TableTrap { id, name: traps::name(id), action, group: trap.group }
}

fn text<S: Serializer>(value: &Mac, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
