//! Routes and neighbours: what the kernel has, what the chip made of it, and why.
//!
//! ```text
//!   Fib ─▶ the route that counts ─┐
//!   Way, reason ──────────────────┼─▶ Route ─▶ pages ─▶ api
//!   acknowledged rows ────────────┘
//! ```
//!
//! A route has one row for each prefix of a virtual router. There may be a hundred thousand, so that they come in pages.

mod census;
mod explain;
mod neighbour;
#[cfg(test)]
pub(crate) mod tests;
mod walk;

use std::collections::BTreeMap;
use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::chip::{AdjacencyIndex, Entry, Key, RouteAction};
use firsthop_model::fib::{self, Fib, NextHopContent, Via};
use firsthop_model::intent::{REJECT_ROUTE, Reason, Routing, State, Way, deciding_route};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::LinkKind;
use firsthop_model::types::Family;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use census::{Census, Counting};
pub use explain::{Advice, RouteExplanation, explain_route, table_words};
pub use neighbour::Neighbour;
pub use walk::{Neighbours, Routes};

use super::name;

/// What the chip does with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It sends them on.
    Forward,
    /// It hands them to the kernel.
    Cpu,
    /// It drops them.
    Drop,
}

/// One of several ways out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Of either family; None: destinations are on the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Name of the device
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Its share
    pub weight: u32,
}

/// The row of a prefix in the chip, acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// Virtual router
    pub vr: u16,
    /// `ip2me`, `trap`, `discard`, `local` or `remote`
    pub action: String,
    /// Of `local`: the router interface
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rif: Option<u16>,
    /// Of `remote`: the first of the next hops
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjacency: Option<u32>,
    /// Of `remote`: how many places there are
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecmp_size: Option<u16>,
}

/// A prefix of a virtual router; members are those of `ip -j route`, as far as it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The prefix; without a length if it is one address, `default` if it is all of them.
    pub dst: String,
    /// Of the destination
    pub family: Family,
    /// The kernel's table of the route that counts
    pub table: u32,
    /// Name of the VRF; None outside one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrf: Option<String>,
    /// As `ip route` says it
    #[serde(rename = "type")]
    pub kind: String,
    /// None: zero
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// The gateway, where there is one way out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// Name of the device, where there is one way out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Where there are several
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nexthops: Vec<Hop>,
    /// State
    pub state: State,
    /// Stable code
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the chip said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the chip does with packets to it; None: it has no row for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Where it is in the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chip: Option<RouteRow>,
}

/// The chip routes, as far as it can.
pub fn is_in_hardware(reconciler: &Reconciler) -> bool {
    reconciler.policy().routing == Routing::Hardware
}

/// The prefix as `ip route` says it.
fn destination(prefix: &IpNet) -> String {
    if prefix.prefix_len() == 0 {
        "default".to_owned()
    } else if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

/// The table of a VRF of this name.
pub fn table_of_vrf(reconciler: &Reconciler, name: &str) -> Option<u32> {
    match reconciler.topology().link_by_name(name)?.kind {
        LinkKind::Vrf { table } => Some(table),
        _ => None,
    }
}

/// How a route is on its way into the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate<'a> {
    state: State,
    reason: Option<(Reason, Option<&'a str>)>,
    action: Option<RouteAction>,
}

impl<'a> Fate<'a> {
    /// How a prefix of a virtual router stands that comes to this.
    fn of(reconciler: &'a Reconciler, table: u32, prefix: IpNet, way: &Way) -> Self {
        let key = reconciler.allocation().vr(table).map(|vr| Key::Route(vr, prefix));
        let applied = reconciler.applied();
        let action = key.as_ref().and_then(|key| match applied.get(key)? {
            Entry::Route { action, .. } => Some(*action),
            _ => None,
        });
        let is_sure = key.is_some_and(|key| !applied.is_presumed(&key));
        let reason = reconciler.reason_of_way(table, prefix, way);
        let state = match (reason, action) {
            (Some((reason, _)), _) => reason.state(),
            (None, Some(action)) if is_sure && is_right(reconciler, way, action) => State::Offload,
            (None, _) => State::Pending,
        };
        let unsaid = (state == State::Pending).then_some((Reason::Unacknowledged, None));
        Self { state, reason: reason.or(unsaid), action }
    }
}

/// The chip does what a way says.
fn is_right(reconciler: &Reconciler, way: &Way, action: RouteAction) -> bool {
    match (way, action) {
        (Way::Own, RouteAction::Ip2me)
        | (Way::Discard, RouteAction::Discard)
        | (Way::Gateways(_), RouteAction::Remote { .. }) => true,
        (Way::Reject, RouteAction::Trap(trap)) => trap == REJECT_ROUTE,
        (Way::Link(ifindex), RouteAction::Local(rif)) => {
            reconciler.forwarding_rif(*ifindex) == Some(rif)
        }
        _ => false,
    }
}

/// What becomes of packets. Next hops without a MAC have their share go to the CPU.
fn outcome(reconciler: &Reconciler, action: RouteAction) -> Action {
    match action {
        RouteAction::Ip2me | RouteAction::Trap(_) => Action::Cpu,
        RouteAction::Discard => Action::Drop,
        RouteAction::Local(_) => Action::Forward,
        RouteAction::Remote { first, size } => {
            let sends = |index| {
                let row = reconciler.applied().get(&Key::Adjacency(AdjacencyIndex(index)));
                matches!(row, Some(Entry::Adjacency { mac: Some(_), .. }))
            };
            let mut places = first.0..first.0.saturating_add(size.into());
            if places.any(sends) { Action::Forward } else { Action::Cpu }
        }
    }
}

fn row(vr: u16, action: RouteAction) -> RouteRow {
    let (word, rif, adjacency, ecmp_size) = match action {
        RouteAction::Ip2me => ("ip2me", None, None, None),
        RouteAction::Trap(_) => ("trap", None, None, None),
        RouteAction::Discard => ("discard", None, None, None),
        RouteAction::Local(rif) => ("local", Some(rif.0), None, None),
        RouteAction::Remote { first, size } => ("remote", None, Some(first.0), Some(size)),
    };
    RouteRow { vr, action: word.to_owned(), rif, adjacency, ecmp_size }
}

/// The ways out of a route, through next-hop objects as well: gateway, device, weight.
fn hops(fib: &Fib, route: &fib::Route) -> Vec<(Option<IpAddr>, Option<IfIndex>, u32)> {
    let plain = |hop: &fib::NextHop, weight: u32| (hop.gateway, hop.ifindex, weight);
    let of_object = |id: u32, weight: u32| match fib.next_hop(id) {
        Some(NextHopContent::Hop(hop)) => Some(plain(hop, weight)),
        _ => None,
    };
    match &route.via {
        Via::Hops(hops) => hops.iter().map(|hop| plain(hop, hop.weight.into())).collect(),
        Via::Object(id) => match fib.next_hop(*id) {
            Some(NextHopContent::Group(members)) => {
                members.iter().filter_map(|(id, weight)| of_object(*id, *weight)).collect()
            }
            _ => of_object(*id, 1).into_iter().collect(),
        },
    }
}

/// Makes rows; names of VRFs are looked up once.
#[derive(Debug)]
struct Teller<'a> {
    reconciler: &'a Reconciler,
    vrfs: BTreeMap<u32, &'a str>,
}

impl<'a> Teller<'a> {
    fn new(reconciler: &'a Reconciler) -> Self {
        let vrf = |link: &'a firsthop_model::topology::Link| match link.kind {
            LinkKind::Vrf { table } => Some((table, link.ifname.as_str())),
            _ => None,
        };
        Self { reconciler, vrfs: reconciler.topology().links().filter_map(vrf).collect() }
    }

    /// The row of a prefix of a virtual router; None: the kernel has no route for it any more.
    fn route(&self, table: u32, prefix: IpNet, way: &Way) -> Option<Route> {
        let route = deciding_route(self.reconciler.fib(), table, &prefix)?;
        let fate = Fate::of(self.reconciler, table, prefix, way);
        Some(self.row(table, route, fate))
    }

    fn row(&self, table: u32, route: &fib::Route, fate: Fate<'_>) -> Route {
        let reconciler = self.reconciler;
        let dev = |ifindex: Option<IfIndex>| ifindex.map(|ifindex| name(reconciler, ifindex));
        let hops = hops(reconciler.fib(), route);
        let (via, single, nexthops) = match hops.as_slice() {
            [] => (None, None, Vec::new()),
            [(gateway, ifindex, _)] => (*gateway, dev(*ifindex), Vec::new()),
            several => {
                let hop = |(gateway, ifindex, weight): &(Option<IpAddr>, Option<IfIndex>, u32)| {
                    Hop { gateway: *gateway, dev: dev(*ifindex), weight: *weight }
                };
                (None, None, several.iter().map(hop).collect())
            }
        };
        let vr = reconciler.allocation().vr(table);
        Route {
            dst: destination(&route.prefix),
            family: Family::of(route.prefix.addr()),
            table: route.table,
            vrf: self.vrfs.get(&table).map(|vrf| (*vrf).to_owned()),
            kind: route.kind.name().to_owned(),
            metric: Some(route.metric).filter(|metric| *metric > 0),
            via,
            dev: single,
            nexthops,
            state: fate.state,
            reason: fate.reason.map(|(reason, _)| reason.code().to_owned()),
            text: said(fate.reason),
            action: fate.action.map(|action| outcome(reconciler, action)),
            chip: vr.zip(fate.action).map(|(vr, action)| row(vr.0, action)),
        }
    }
}

/// What the chip said.
fn said(reason: Option<(Reason, Option<&str>)>) -> Option<String> {
    let (_, text) = reason?;
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}
