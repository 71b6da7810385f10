//! Router interfaces, virtual MACs and ports: one value for each netdev.

use firsthop_model::chip::{Entry, Key, Rif as ChipRif, RifKind, Vid};
use firsthop_model::driver::Evidence;
use firsthop_model::intent::{ChipIdentity, Reason, Scheme, State, Verdict};
use firsthop_model::reconcile::{Reconciler, Standing};
use firsthop_model::topology::Link;
use firsthop_model::types::Family;
use firsthop_model::{LocalPort, Mac};
use serde::{Deserialize, Serialize};

use super::{Liveness, name, vrf};
use crate::api::Filter;

/// A netdev as a router interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rif {
    /// Name
    pub ifname: String,
    /// Index in the kernel
    pub ifindex: u32,
    /// Index in the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rif: Option<u16>,
    /// `subport`, `vlan` or `fid`
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The chip's; the device's own while it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Name of the VRF, `default` outside one.
    pub vrf: String,
    /// Virtual router in the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vr: Option<u16>,
    /// VLAN; None for untagged frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vid: Option<u16>,
    /// Bridging domain in the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fid: Option<u16>,
    /// Bytes; the chip's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// State
    pub state: State,
    /// Stable code
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How it is known, where a driver in the kernel has it; what a simulated chip has is acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What a router of a redundancy protocol is, as far as its macvlan shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It answers for the virtual addresses.
    Active,
    /// It waits.
    Backup,
    /// The macvlan does not show it.
    Unknown,
}

impl Role {
    /// The word in JSON and text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Backup => "backup",
            Self::Unknown => "unknown",
        }
    }
}

/// A macvlan or ipvlan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmac {
    /// Name
    pub ifname: String,
    /// Index in the kernel
    pub ifindex: u32,
    /// Name of the device below; None where it is in another network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower: Option<String>,
    /// The device's MAC
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// `vrrp`, `hsrp`, `glbp`, `carp` or `other`
    pub protocol: String,
    /// Where the MAC tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// Of VRRP
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrid: Option<u8>,
    /// Role
    pub role: Role,
    /// Admission policy
    pub policy: String,
    /// Router interface that has the MAC, acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rif: Option<u16>,
    /// Bridging domain that has the MAC, acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fid: Option<u16>,
    /// The chip's VRRP slot holds it.
    pub fast_path: bool,
    /// State
    pub state: State,
    /// Stable code
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// As of [`Rif`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What advertisements show; filled in where somebody listens to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
}

/// A front-panel port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name
    pub ifname: String,
    /// Index in the kernel
    pub ifindex: u32,
    /// Handle of the chip or device
    pub device: String,
    /// Its number: of a simulated chip's from 1, else devlink's.
    pub local_port: u16,
    /// The device's MAC
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// IFLA_CARRIER
    pub carrier: bool,
}

pub(super) fn code(standing: &Standing) -> Option<String> {
    standing.reason.map(|reason| reason.code().to_owned())
}

/// Every device with an address, and every router interface, by index.
pub fn rifs(reconciler: &Reconciler, filter: &Filter) -> Vec<Rif> {
    if filter.vrid.is_some() || filter.lower.is_some() {
        return Vec::new();
    }
    let links = reconciler.topology().links();
    let selected = links.filter(|link| is_named(link, filter.dev.as_deref()));
    selected.filter_map(|link| rif(reconciler, link)).collect()
}

/// One device as a router interface; None: there is nothing to say about it.
pub(super) fn rif(reconciler: &Reconciler, link: &Link) -> Option<Rif> {
    let standing = reconciler.rif_standing(link.ifindex)?;
    let chip = reconciler.applied_rif(link.ifindex);
    let fid = chip.map(|rif| rif.kind.fid());
    let vid = chip.and_then(|rif| vid(reconciler, rif));
    Some(Rif {
        ifname: link.ifname.clone(),
        ifindex: link.ifindex.0,
        rif: chip.map(|rif| rif.rif.0),
        kind: chip.map(|rif| match rif.kind {
            RifKind::Subport { .. } => "subport".to_owned(),
            RifKind::Vlan { .. } => "vlan".to_owned(),
            RifKind::Fid { .. } => "fid".to_owned(),
        }),
        mac: chip.map(|rif: &ChipRif| rif.mac).or(link.mac),
        vrf: vrf(reconciler, link),
        vr: chip.map(|rif| rif.vr.0),
        vid,
        fid: fid.map(|fid| fid.0),
        mtu: chip.map(|rif| rif.mtu),
        reason: code(&standing),
        state: standing.state,
        evidence: None,
    })
}

/// The VLAN of a router interface; the chip's internal one of untagged frames is none.
fn vid(reconciler: &Reconciler, rif: &ChipRif) -> Option<u16> {
    let vid = match rif.kind {
        RifKind::Vlan { vid, .. } => Some(vid),
        RifKind::Fid { .. } => None,
        // all ports of a sub-port interface have the same
        RifKind::Subport { .. } => {
            let first = Key::EgressVid(rif.rif, LocalPort(0));
            let (_, entry) = reconciler.applied().tables().range(first..).next()?;
            match entry {
                Entry::EgressVid { rif: of, vid, .. } if *of == rif.rif => Some(*vid),
                _ => None,
            }
        }
    };
    vid.filter(|vid| *vid != Vid::UNTAGGED).map(|vid| vid.0)
}

/// Every macvlan and ipvlan, by index.
pub fn vmacs(reconciler: &Reconciler, filter: &Filter) -> Vec<Vmac> {
    let mut rows: Vec<Vmac> = reconciler
        .units()
        .flat_map(|(_, unit)| &unit.vmacs)
        .filter_map(|(ifindex, verdict)| {
            let link = reconciler.topology().link(*ifindex)?;
            is_named(link, filter.dev.as_deref()).then(|| vmac(reconciler, link, verdict))
        })
        .filter(|vmac| filter.lower.is_none() || vmac.lower == filter.lower)
        .filter(|vmac| filter.vrid.is_none() || vmac.vrid == filter.vrid)
        .collect();
    rows.sort_by_key(|vmac| vmac.ifindex);
    rows
}

pub(super) fn vmac(reconciler: &Reconciler, link: &Link, verdict: &Verdict) -> Vmac {
    let standing = reconciler.vmac_standing(link, verdict);
    let scheme = link.mac.map(Scheme::of);
    let lower = link.lower().and_then(|lower| reconciler.topology().link(lower));
    let place = reconciler.place_of(link).filter(|(_, fid)| {
        let row = link.mac.map(|mac| Key::RouterMac(*fid, mac));
        row.is_some_and(|row| reconciler.applied().get(&row).is_some())
    });
    Vmac {
        ifname: link.ifname.clone(),
        ifindex: link.ifindex.0,
        lower: link.lower().map(|lower| name(reconciler, lower)),
        mac: link.mac,
        protocol: scheme.map_or("other", |scheme| scheme.protocol.name()).to_owned(),
        family: scheme.and_then(|scheme| scheme.family),
        vrid: scheme.and_then(|scheme| scheme.vrid).map(firsthop_model::Vrid::get),
        role: role(scheme, verdict),
        policy: reconciler
            .policy()
            .vmac_policy_of(lower.map(|lower| lower.ifname.as_str()), link.mac)
            .name()
            .to_owned(),
        rif: place.map(|(rif, _)| rif.0),
        fid: place.map(|(_, fid)| fid.0),
        fast_path: place.is_some() && reconciler.fast_path(link) == Some(true),
        reason: code(&standing),
        state: standing.state,
        evidence: None,
        liveness: None,
    }
}

/// A daemon shows its role by the state and the addresses of its macvlan: the conditions of the admission policy.
pub(super) fn role(scheme: Option<Scheme>, verdict: &Verdict) -> Role {
    let known = scheme.is_some_and(|s| s.protocol != firsthop_model::intent::Protocol::Other);
    match verdict.reason() {
        _ if !known => Role::Unknown,
        None | Some(Reason::VrfMismatch | Reason::FdbConflict | Reason::MacDuplicate) => {
            Role::Active
        }
        Some(
            Reason::MacvlanDown
            | Reason::Protodown
            | Reason::NoAddress
            | Reason::LinklocalOnly
            | Reason::BackupPolicy,
        ) => Role::Backup,
        Some(_) => Role::Unknown,
    }
}

/// A chip's ports that exist as netdevs, by number.
pub fn ports(reconciler: &Reconciler, chip: &ChipIdentity, filter: &Filter) -> Vec<Port> {
    let mut rows: Vec<Port> = reconciler
        .topology()
        .links()
        .filter(|link| is_named(link, filter.dev.as_deref()))
        .filter_map(|link| {
            Some(Port {
                local_port: chip.port_of(link)?.0,
                ifname: link.ifname.clone(),
                ifindex: link.ifindex.0,
                device: chip.handle(),
                mac: link.mac,
                carrier: link.carrier,
            })
        })
        .collect();
    rows.sort_by_key(|port| port.local_port);
    rows
}

/// The device is meant by this name; every device is meant by none.
pub(super) fn is_named(link: &Link, name: Option<&str>) -> bool {
    name.is_none_or(|name| link.ifname == name || link.altnames.iter().any(|alt| alt == name))
}
