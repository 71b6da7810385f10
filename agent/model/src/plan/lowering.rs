//! From kernel keys to chip rows: which entries an object of Intended comes to.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Allocation, Limits};
use crate::applied::Applied;
use crate::chip::{Entry, Fid, Rif, RifKind, RouteAction, Vid};
use crate::intent::{EXTERNAL_ROUTE, MULTICAST, Policy, Reason, RouterInterface, trap_profile};
use crate::types::Family;

/// Global enables, lookup trees and the control-trap profile.
pub fn trap_entries(policy: &Policy, limits: &Limits) -> Vec<Entry> {
    let mut entries = vec![Entry::Router { max_rifs: limits.rifs }];
    for family in [Family::Ipv4, Family::Ipv6] {
        entries.extend([Entry::LpmTree { family }, Entry::LpmTreeShape { family }]);
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

/// A router interface on a port. The port's untagged frames get a VID of their own inside the chip, which maps to the
/// interface's router FID; learning is off, because the router answers for itself (mlxsw_sp_port_vlan_router_join()).
pub fn interface_entries(
    interface: &RouterInterface,
    limits: &Limits,
    applied: &Applied,
    allocation: &mut Allocation,
) -> Result<Vec<Entry>, Reason> {
    let vr = allocation.vr(interface.table).ok_or(Reason::VrTableFull)?;
    let rif = allocation.take_rif(interface.ifindex, limits, applied)?;
    let profile = allocation.take_profile(interface.ifindex, interface.mac, limits, applied)?;
    let fid = Fid::of_subport(rif);
    let (port, vid) = (interface.port, Vid::UNTAGGED);
    let mut entries = vec![
        Entry::Fid { fid },
        Entry::Rif(Rif {
            rif,
            enabled: true,
            kind: RifKind::Subport { port, fid },
            vr,
            mtu: interface.mtu,
            mac: interface.mac,
            mac_profile: profile,
            vrrp_ipv4: interface.vrrp_ipv4,
            vrrp_ipv6: interface.vrrp_ipv6,
        }),
        Entry::FidRif { fid, rif },
        Entry::EgressVid { rif, port, vid },
        Entry::PortPvid { port, vid },
        Entry::PortVlan { port, vid, untagged: true },
        Entry::PortLearning { port, vid, enabled: false },
        Entry::PortStp { port, vid, forwarding: true },
        Entry::PortVidFid { port, vid, fid, rif: Some(rif) },
    ];
    entries.extend(interface.router_macs.keys().map(|mac| Entry::RouterMac { fid, mac: *mac }));
    let destination =
        |prefix: &IpNet| Entry::Route { vr, prefix: *prefix, action: RouteAction::Ip2me };
    entries.extend(interface.destinations.iter().map(destination));
    Ok(entries)
}
