//! From kernel keys to chip rows: which entries an object of Intended comes to.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Allocation, Limits, Object};
use crate::IfIndex;
use crate::applied::Applied;
use crate::chip::{
    Bridging, Entry, Fid, FloodClass, FloodTo, FloodTraffic, PortOrLag, Rif, RifIndex, RifKind,
    RouteAction, Vid,
};
use crate::intent::{
    Domain, EXTERNAL_ROUTE, Lag, Lane, MULTICAST, Members, Policy, Reason, RouterInterface,
    Routing, trap_profile,
};
use crate::topology::StpState;
use crate::types::Family;

/// Global enables, lookup trees and the control-trap profile.
pub fn trap_entries(policy: &Policy, limits: &Limits) -> Vec<Entry> {
    let mut entries = vec![Entry::Router { max_rifs: limits.rifs }];
    for family in [Family::Ipv4, Family::Ipv6] {
        entries.extend([Entry::LpmTree { family }, Entry::LpmTreeShape { family }]);
    }
    if policy.routing == Routing::Hardware {
        entries.push(Entry::Multipath);
    }
    entries.extend(trap_profile(policy).entries);
    entries
}

/// A virtual router: its lookup trees, and everything that no route matches to the CPU.
pub fn vr_entries(
    table: u32,
    limits: &Limits,
    applied: &Applied,
    allocation: &mut Allocation,
) -> Result<Vec<Entry>, Reason> {
    let vr = allocation.take_vr(table, limits, applied)?;
    let default_v4 = IpNet::from(Ipv4Net::default());
    let default_v6 = IpNet::from(Ipv6Net::default());
    let mut entries = Vec::new();
    for (family, prefix) in [(Family::Ipv4, default_v4), (Family::Ipv6, default_v6)] {
        entries.extend([
            Entry::VrTree { vr, family },
            Entry::MulticastDefault { vr, family, trap: MULTICAST },
            Entry::Route { vr, prefix, action: RouteAction::Trap(EXTERNAL_ROUTE) },
        ]);
    }
    Ok(entries)
}

/// Where flood vectors are, and how long a learnt MAC lives (hundredths of a second; 0: as long as the chip can).
pub fn bridging_entries(ageing_time: u32) -> Vec<Entry> {
    let seconds = match ageing_time {
        0 => *AGEING.end(),
        time => time.div_ceil(100).clamp(*AGEING.start(), *AGEING.end()),
    };
    let mut entries = vec![Entry::AgeingTime { seconds }];
    for bridging in [Bridging::Dot1q, Bridging::Dot1d] {
        let table = |traffic| Entry::FloodTable { bridging, traffic };
        entries.extend(FloodTraffic::ALL.map(table));
    }
    entries
}

/// Seconds that the chip can be told (SFDAT.age_time).
const AGEING: std::ops::RangeInclusive<u32> = 10..=1_000_000;

/// A bond or team. A member that takes no part is collected from by name only, so that its control frames are the LAG's.
pub fn lag_entries(
    ifindex: IfIndex,
    members: &Lag,
    limits: &Limits,
    allocation: &mut Allocation,
) -> Result<Vec<Entry>, Reason> {
    let lag = allocation.take_lag(ifindex, limits)?;
    let mut entries = vec![Entry::Lag { lag }];
    for (port, member) in members {
        entries.push(Entry::LagCollector { port: *port, lag });
        if member.active {
            entries.push(Entry::LagCollecting { port: *port, lag });
            entries.push(Entry::LagPort { lag, port: *port });
        }
    }
    Ok(entries)
}

/// A router interface: the anchor, its MACs and the addresses that lead to the CPU. Returns its index as well.
pub fn router_entries(
    object: Object,
    interface: &RouterInterface,
    kind: impl FnOnce(RifIndex) -> RifKind,
    limits: &Limits,
    applied: &Applied,
    allocation: &mut Allocation,
) -> Result<(RifIndex, Vec<Entry>), Reason> {
    let vr = allocation.vr(interface.table).ok_or(Reason::VrTableFull)?;
    let rif = allocation.take_rif(object, limits, applied)?;
    let mac_profile = allocation.take_profile(object, interface.mac, limits, applied)?;
    let kind = kind(rif);
    let fid = kind.fid();
    let mut entries = vec![
        Entry::Rif(Rif {
            rif,
            enabled: true,
            kind,
            vr,
            mtu: interface.mtu,
            mac: interface.mac,
            mac_profile,
            vrrp_ipv4: interface.vrrp_ipv4,
            vrrp_ipv6: interface.vrrp_ipv6,
        }),
        Entry::FidRif { fid, rif },
    ];
    entries.extend(interface.router_macs.keys().map(|mac| Entry::RouterMac { fid, mac: *mac }));
    let destination =
        |prefix: &IpNet| Entry::Route { vr, prefix: *prefix, action: RouteAction::Ip2me };
    entries.extend(interface.destinations.iter().map(destination));
    Ok((rif, entries))
}

/// The ways into and out of a router sub-port. Untagged frames have a VID of their own inside the chip, which maps to the
/// interface's router FID; learning is off, because the router answers for itself (mlxsw_sp_port_vlan_router_join()).
pub fn subport_entries(lane: &Lane, rif: RifIndex) -> Vec<Entry> {
    let fid = Fid::of_subport(rif);
    let vid = lane.vid;
    let mut entries = vec![Entry::Fid { fid }];
    for (&port, &pvid) in &lane.ports {
        entries.extend([
            Entry::EgressVid { rif, port, vid },
            Entry::PortPvid { port, vid: pvid },
            Entry::PortVlan { port, vid, untagged: vid == Vid::UNTAGGED },
            Entry::PortLearning { port, vid, enabled: false },
            Entry::PortStp { port, vid, state: StpState::Forwarding },
            Entry::PortVidFid { port, vid, fid, rif: Some(rif) },
        ]);
    }
    entries
}

/// A bridging domain: its members, how it floods, and with which router interface it ends.
pub fn domain_entries(
    domain: Domain,
    fid: Fid,
    members: &Members,
    rif: Option<RifIndex>,
    allocation: &Allocation,
) -> Vec<Entry> {
    let mut entries = vec![Entry::Fid { fid }];
    if let Some(vid) = domain.vlan {
        entries.push(Entry::VidFid { vid, fid, rif });
    }
    for (&(port, vid), member) in members {
        let at = match member.lag {
            None => PortOrLag::Port(port),
            Some(lag) => match allocation.lag(lag) {
                Some(lag) => PortOrLag::Lag(lag),
                None => continue,
            },
        };
        entries.extend([
            Entry::PortPvid { port, vid: member.pvid },
            Entry::PortVlan { port, vid, untagged: member.untagged },
            Entry::PortStp { port, vid, state: member.state },
            Entry::Learnt { fid, at },
        ]);
        if !member.learning {
            entries.push(Entry::PortLearning { port, vid, enabled: false });
        }
        if domain.vlan.is_none() {
            entries.push(Entry::PortVidFid { port, vid, fid, rif });
        }
        let copy = |class| Entry::FloodPort { fid, class, to: FloodTo::Port(port) };
        entries.extend(FloodClass::ALL.map(copy));
        entries.extend(rif.map(|rif| Entry::EgressVid { rif, port, vid }));
    }
    if rif.is_some() {
        let copy = |class| Entry::FloodPort { fid, class, to: FloodTo::Router };
        entries.extend([FloodClass::Multicast, FloodClass::Broadcast].map(copy));
    }
    entries.sort_by_key(Entry::key);
    entries.dedup();
    entries
}
