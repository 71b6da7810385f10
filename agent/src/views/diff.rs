//! Where do the columns differ? What the kernel has, what should be in the chip, what is in the chip.

use std::collections::BTreeSet;

use firsthop_model::chip::{
    Change, Entry, FloodTo, Key, PortOrLag, Rif, RouteAction, TrapAction, TrapId,
};
use firsthop_model::intent::{CONTROL_TRAPS, GROUPS, State};
use firsthop_model::reconcile::{self, Reconciler};
use firsthop_model::topology::Link;
use firsthop_model::{IfIndex, Mac};
use serde::{Deserialize, Serialize};

use super::name;
use super::object::code;

/// A row in which what should be and what is differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The row in words
    pub object: String,
    /// Name of the device that it belongs to
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifname: Option<String>,
    /// `add`, `edit` or `remove`; None: nothing can be written now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// What the kernel has
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// What should be in the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended: Option<String>,
    /// What is in the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    /// Stable code, where it was refused or failed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What an administrator would type, where there is such a command
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// All of them: rows that would be written, objects that can't be, and rows in doubt.
pub fn differences(reconciler: &Reconciler) -> Vec<Difference> {
    let mut rows = Vec::new();
    let mut told: BTreeSet<IfIndex> = BTreeSet::new();
    for difference in reconciler.differences() {
        if !is_disabling(&difference) {
            rows.push(row(reconciler, &difference, &mut told));
        }
    }
    rows.extend(refused(reconciler, &told));
    let doubtful =
        unknown(reconciler).filter(|row| !rows.iter().any(|told| told.object == row.object));
    rows.extend(doubtful.collect::<Vec<_>>());
    rows
}

/// Rows of which nobody knows what they hold; nothing is written there before that was read.
fn unknown(reconciler: &Reconciler) -> impl Iterator<Item = Difference> {
    reconciler.unknown().map(|(object, key, intended)| {
        let ifindex = reconciler.device_of(object);
        Difference {
            object: describe(reconciler, ifindex, key),
            ifname: ifindex.map(|ifindex| name(reconciler, ifindex)),
            change: None,
            kernel: None,
            intended: intended.map(content),
            hardware: Some("unknown".to_owned()),
            reason: None,
            command: None,
        }
    })
}

/// The names of these rows.
pub fn unknown_rows(reconciler: &Reconciler) -> Vec<String> {
    unknown(reconciler).map(|row| row.object).collect()
}

/// The first of the two steps in which a router interface goes; one is enough to tell.
pub(super) fn is_disabling(difference: &reconcile::Difference) -> bool {
    matches!(&difference.change, Change::Edit { to: Entry::Rif(to), .. } if !to.enabled)
}

pub(super) fn row(
    reconciler: &Reconciler,
    difference: &reconcile::Difference,
    told: &mut BTreeSet<IfIndex>,
) -> Difference {
    let key = difference.change.key();
    let ifindex = reconciler.device_of(difference.object);
    let owners: Vec<&Link> = ifindex.map_or_else(Vec::new, |lower| owners(reconciler, lower, &key));
    told.extend(owners.iter().map(|link| link.ifindex));
    let standing = match key {
        Key::Rif(_) => {
            told.extend(ifindex);
            ifindex.and_then(|ifindex| reconciler.rif_standing(ifindex))
        }
        _ => owners.first().and_then(|link| standing(reconciler, link)),
    };
    let reason = standing.filter(|standing| in_trouble(standing.state)).and_then(|s| code(&s));
    let (change, intended, hardware) = match &difference.change {
        Change::Add(to) => ("add", Some(to), None),
        Change::Edit { from, to } => ("edit", Some(to), Some(from)),
        Change::Remove(from) => ("remove", None, Some(from)),
    };
    Difference {
        object: describe(reconciler, ifindex, &key),
        ifname: ifindex.map(|ifindex| name(reconciler, ifindex)),
        change: Some(change.to_owned()),
        kernel: kernel(reconciler, ifindex, &key, &owners),
        intended: intended.map(content),
        hardware: hardware.map(content),
        reason,
        command: None,
    }
}

/// Objects that belong into the chip, and of which no row would be written.
fn refused(reconciler: &Reconciler, told: &BTreeSet<IfIndex>) -> Vec<Difference> {
    let absent =
        |link: &Link, object: String, intended: &str, standing: &reconcile::Standing| Difference {
            object,
            ifname: Some(link.ifname.clone()),
            change: None,
            kernel: Some(presence(link)),
            intended: Some(intended.to_owned()),
            hardware: None,
            reason: code(standing),
            command: None,
        };
    let mut rows = Vec::new();
    for (ifindex, unit) in reconciler.units() {
        let links = reconciler.topology();
        if let Some(link) = links.link(ifindex)
            && !told.contains(&ifindex)
            && let Some(standing) = reconciler.rif_standing(ifindex)
            && in_trouble(standing.state)
        {
            let object = format!("rif {}", link.ifname);
            let mut row = absent(link, object, "router interface", &standing);
            row.hardware = reconciler.applied_rif(ifindex).map(rif);
            rows.push(row);
        }
        for (upper, verdict) in unit.vmacs.iter().filter(|(upper, _)| !told.contains(upper)) {
            if let Some(link) = links.link(*upper) {
                let standing = reconciler.vmac_standing(link, verdict);
                if in_trouble(standing.state) {
                    let mac = link.mac.unwrap_or_default();
                    let object = format!("vmac {} {mac}", name(reconciler, ifindex));
                    rows.push(absent(link, object, "router", &standing));
                }
            }
        }
    }
    rows
}

const fn in_trouble(state: State) -> bool {
    matches!(state, State::Refused | State::Failed)
}

fn standing(reconciler: &Reconciler, link: &Link) -> Option<reconcile::Standing> {
    let verdict = reconciler.unit(link.lower()?)?.vmacs.get(&link.ifindex)?;
    Some(reconciler.vmac_standing(link, verdict))
}

/// The macvlans that want a router MAC.
fn owners<'a>(reconciler: &'a Reconciler, lower: IfIndex, key: &Key) -> Vec<&'a Link> {
    let Key::RouterMac(_, mac) = key else { return Vec::new() };
    let uppers = reconciler.topology().uppers(lower);
    uppers.filter(|link| link.mac == Some(*mac)).collect()
}

fn kernel(
    reconciler: &Reconciler,
    ifindex: Option<IfIndex>,
    key: &Key,
    owners: &[&Link],
) -> Option<String> {
    let link = ifindex.and_then(|ifindex| reconciler.topology().link(ifindex));
    match (key, link) {
        (Key::RouterMac(_, mac), Some(link)) if link.mac == Some(*mac) => Some(presence(link)),
        (Key::RouterMac(..), _) if !owners.is_empty() => {
            let told = owners.iter().map(|link| format!("{} {}", link.ifname, presence(link)));
            Some(told.collect::<Vec<_>>().join(", "))
        }
        (Key::Rif(_), Some(link)) => {
            let count = reconciler.topology().addresses(link.ifindex).len();
            Some(format!(
                "{}, {count} address{}",
                presence(link),
                if count == 1 { "" } else { "es" }
            ))
        }
        _ => None,
    }
}

fn presence(link: &Link) -> String {
    let state = if link.is_up() { link.operstate.name() } else { "admin down" };
    let held = if link.proto_down { ", proto_down" } else { "" };
    format!("{state}{held}")
}

/// A row in words.
pub(super) fn describe(reconciler: &Reconciler, ifindex: Option<IfIndex>, key: &Key) -> String {
    let dev = || ifindex.map_or_else(|| "(unknown)".to_owned(), |i| name(reconciler, i));
    let own = |mac: &Mac| {
        let link = ifindex.and_then(|ifindex| reconciler.topology().link(ifindex));
        link.is_some_and(|link| link.mac == Some(*mac))
    };
    let port = |port: &firsthop_model::LocalPort| {
        format!("port {} of {}", port.0, reconciler.chip().handle())
    };
    match key {
        Key::Router => "router".to_owned(),
        Key::Policer(id) => format!("policer {id}"),
        Key::TrapGroup(id) => {
            let group = GROUPS.iter().find(|group| group.id == id.0);
            group.map_or_else(|| format!("trap group {id}"), |g| format!("trap group {}", g.name))
        }
        Key::Trap(id) => format!("trap {}", trap(*id)),
        Key::LpmTree(family) => format!("lookup tree {family}"),
        Key::LpmTreeShape(family) => format!("lookup tree shape {family}"),
        Key::VrTree(vr, family) => format!("virtual router {vr} tree {family}"),
        Key::MulticastDefault(vr, family) => format!("virtual router {vr} multicast {family}"),
        Key::Route(vr, prefix) => format!("route vr {vr} {prefix}"),
        Key::Multipath => "multipath".to_owned(),
        Key::Adjacency(index) => format!("next hop {index}"),
        Key::Neighbour(rif, ip) => format!("neighbour rif {rif} {ip}"),
        Key::Fid(fid) => format!("fid {fid} ({})", dev()),
        Key::Rif(rif) if ifindex.is_none() => format!("rif {rif}"),
        Key::Rif(_) => format!("rif {}", dev()),
        Key::RouterMac(fid, mac) if ifindex.is_none() => format!("mac fid {fid} {mac}"),
        Key::RouterMac(_, mac) if own(mac) => format!("mac {} {mac}", dev()),
        Key::RouterMac(_, mac) => format!("vmac {} {mac}", dev()),
        Key::FidRif(fid) => format!("fid {fid} rif ({})", dev()),
        Key::EgressVid(rif, _) => format!("rif {rif} egress vid ({})", dev()),
        Key::PortPvid(at) => format!("{} pvid", port(at)),
        Key::PortVlan(at, vid) => format!("{} vlan {vid}", port(at)),
        Key::PortLearning(at, vid) => format!("{} vlan {vid} learning", port(at)),
        Key::PortStp(at, vid) => format!("{} vlan {vid} stp", port(at)),
        Key::PortVidFid(at, vid) => format!("{} vlan {vid} fid", port(at)),
        Key::VidFid(vid) => format!("vlan {vid} fid ({})", dev()),
        Key::AgeingTime => "ageing time".to_owned(),
        Key::FloodTable(bridging, traffic) => {
            format!("flood table {} {}", word(bridging), word(traffic))
        }
        Key::FloodPort(fid, class, to) => format!("fid {fid} flood {} {}", word(class), flood(*to)),
        Key::Learnt(fid, PortOrLag::Port(at)) => format!("fid {fid} learnt at {}", port(at)),
        Key::Learnt(fid, PortOrLag::Lag(lag)) => format!("fid {fid} learnt at lag {lag}"),
        Key::Lag(lag) => format!("lag {lag} ({})", dev()),
        Key::LagPort(lag, at) => format!("lag {lag} distributes to {}", port(at)),
        Key::LagCollector(at) => format!("{} lag", port(at)),
        Key::LagCollecting(at) => format!("{} collects", port(at)),
    }
}

/// What a row holds, in words.
pub(super) fn content(entry: &Entry) -> String {
    match entry {
        Entry::Router { max_rifs } => format!("on, {max_rifs} rifs"),
        Entry::Policer { rate, burst, .. } => format!("rate {rate} burst {burst}"),
        Entry::TrapGroup { policer, priority, tclass, .. } => {
            let policer = policer.map_or_else(|| "none".to_owned(), |policer| policer.to_string());
            format!("policer {policer} priority {priority} tclass {tclass}")
        }
        Entry::Trap { action, group, .. } => format!("{} group {group}", action_word(*action)),
        Entry::LpmTree { .. }
        | Entry::LpmTreeShape { .. }
        | Entry::VrTree { .. }
        | Entry::Fid { .. }
        | Entry::FloodTable { .. }
        | Entry::Lag { .. }
        | Entry::LagPort { .. } => "set".to_owned(),
        Entry::MulticastDefault { trap: id, .. } => format!("cpu ({})", trap(*id)),
        Entry::Route { action, .. } => route(*action),
        Entry::Multipath => "by addresses, protocol and ports".to_owned(),
        Entry::Adjacency { rif, mac: Some(mac), .. } => format!("rif {rif} {mac}"),
        Entry::Adjacency { mac: None, .. } => "cpu (unresolved_neigh)".to_owned(),
        Entry::Neighbour { mac, .. } => mac.to_string(),
        Entry::Rif(rif) => self::rif(rif),
        Entry::RouterMac { .. } => "router".to_owned(),
        Entry::FidRif { rif, .. } => format!("rif {rif}"),
        Entry::EgressVid { vid, .. } | Entry::PortPvid { vid, .. } => format!("vid {vid}"),
        Entry::PortVlan { untagged, .. } => {
            if *untagged { "untagged" } else { "tagged" }.to_owned()
        }
        Entry::PortLearning { enabled, .. } => if *enabled { "on" } else { "off" }.to_owned(),
        Entry::PortStp { state, .. } => word(state),
        Entry::AgeingTime { seconds } => format!("{seconds} s"),
        Entry::FloodPort { .. } => "member".to_owned(),
        Entry::Learnt { .. } => "flushed".to_owned(),
        Entry::LagCollector { lag, .. } | Entry::LagCollecting { lag, .. } => format!("lag {lag}"),
        Entry::PortVidFid { fid, rif, .. } | Entry::VidFid { fid, rif, .. } => {
            let rif = rif.map_or_else(|| "none".to_owned(), |rif| rif.to_string());
            format!("fid {fid} rif {rif}")
        }
    }
}

/// Where a route leads: of a group its first next hop and how many there are.
fn route(action: RouteAction) -> String {
    match action {
        RouteAction::Ip2me => "cpu (ip2me)".to_owned(),
        RouteAction::Trap(id) => format!("cpu ({})", trap(id)),
        RouteAction::Discard => "drop (blackhole_route)".to_owned(),
        RouteAction::Local(rif) => format!("rif {rif}"),
        RouteAction::Remote { first, size } => format!("adjacency {first} +{size}"),
    }
}

/// A value as it is serialised: one word.
fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().replace('_', " ")
}

fn flood(to: FloodTo) -> String {
    match to {
        FloodTo::Port(port) => format!("port {}", port.0),
        FloodTo::Router => "router".to_owned(),
    }
}

fn rif(rif: &Rif) -> String {
    let slot = |name: &str, vrid: Option<firsthop_model::Vrid>| {
        vrid.map_or_else(String::new, |vrid| format!(" {name} {vrid}"))
    };
    let slots = [slot("vrrp4", rif.vrrp_ipv4), slot("vrrp6", rif.vrrp_ipv6)].concat();
    format!("rif {} mac {} mtu {}{slots}", rif.rif, rif.mac, rif.mtu)
}

fn trap(id: TrapId) -> String {
    let trap = CONTROL_TRAPS.iter().find(|trap| trap.id == id.0);
    trap.map_or_else(|| format!("0x{:x}", id.0), |trap| trap.name.to_owned())
}

const fn action_word(action: TrapAction) -> &'static str {
    match action {
        TrapAction::Trap => "trap",
        TrapAction::Mirror => "mirror",
        TrapAction::Forward => "forward",
        TrapAction::Discard => "drop",
    }
}
