//! Why do packets to a prefix go where they go? What the kernel has, each condition for the chip, and what the chip holds.

use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::fib;
use firsthop_model::intent::{Reason, TABLE_MAIN, Way, deciding_route, table_of, tables_of};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::LinkKind;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::super::explain::{Condition, with_name};
use super::super::name;
use super::walk::longest_match;
use super::{Fate, Route, Teller, destination, hops, is_in_hardware};

/// What a reason stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Stable code
    pub reason: String,
    /// What is the case
    pub sentence: String,
    /// What follows for traffic
    pub effect: String,
    /// What to do
    pub fix: String,
}

/// Why packets to a prefix go where they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteExplanation {
    /// The prefix as it stands
    pub route: Route,
    /// The kernel's routes of this prefix in words; the first one counts.
    pub kernel: Vec<String>,
    /// In the order in which they are asked
    pub conditions: Vec<Condition>,
    /// What the chip holds
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What each reason stands for, the one that decides first
    pub reasons: Vec<Advice>,
}

/// Explains the route of a prefix, or of the address if the prefix is one: then of the most specific prefix with it. `table`: one
/// of the kernel's. None: the kernel has no such route, as far as it is known.
pub fn explain_route(
    reconciler: &Reconciler,
    table: Option<u32>,
    prefix: IpNet,
) -> Option<RouteExplanation> {
    let table = table.map_or(TABLE_MAIN, table_of);
    let fib = reconciler.fib();
    let (prefix, way) = match reconciler.way_of(table, &prefix).cloned() {
        Some(way) => (prefix, Some(way)),
        None if deciding_route(fib, table, &prefix).is_some() => (prefix, None),
        None if prefix.prefix_len() == prefix.max_prefix_len() => {
            match longest_match(reconciler, table, prefix.addr()) {
                Some((prefix, way)) => (prefix, Some(way)),
                None => (longest_known(reconciler, table, prefix)?, None),
            }
        }
        None => return None,
    };
    let route = deciding_route(fib, table, &prefix)?;
    let fate = match &way {
        Some(way) => Fate::of(reconciler, table, prefix, way),
        None => {
            let reason = why_not_looked_up(reconciler, table);
            Fate { state: reason.state(), reason: Some((reason, None)), action: None }
        }
    };
    let mut conditions = Conditions { of: Vec::new(), reasons: Vec::new() };
    conditions.reasons.extend(fate.reason.map(|(reason, _)| (reason, None)));
    conditions.ask_everything(reconciler, table, route, way.as_ref(), fate);
    let Conditions { of: mut conditions, reasons } = conditions;
    decide(&mut conditions, fate.reason.map(|(reason, _)| reason));
    let row = Teller::new(reconciler).row(table, route, fate);
    let routes = tables_of(table).flat_map(|table| fib.routes(table, &prefix));
    Some(RouteExplanation {
        kernel: routes.map(|route| kernel_words(reconciler, route)).collect(),
        place: place(&row),
        reasons: reasons
            .iter()
            .map(|(reason, dev)| advice(*reason, dev.as_deref(), &row))
            .collect(),
        route: row,
        conditions,
    })
}

/// Why the chip looks for no route of a prefix that the kernel has a route for.
fn why_not_looked_up(reconciler: &Reconciler, table: u32) -> Reason {
    if !is_in_hardware(reconciler) {
        Reason::RoutedByKernel
    } else if reconciler.allocation().vr(table).is_none() {
        Reason::NoVirtualRouter
    } else {
        Reason::RouteNotLookedUp
    }
}

/// The most specific prefix with an address, that the kernel has a route for.
fn longest_known(reconciler: &Reconciler, table: u32, address: IpNet) -> Option<IpNet> {
    let mut prefix = Some(address);
    while let Some(candidate) = prefix {
        if deciding_route(reconciler.fib(), table, &candidate).is_some() {
            return Some(candidate);
        }
        prefix = candidate.supernet().map(|wider| wider.trunc());
    }
    None
}

/// Conditions, and the reasons that they gave with the device that each is about.
struct Conditions {
    of: Vec<Condition>,
    reasons: Vec<(Reason, Option<String>)>,
}

impl Conditions {
    fn ask(&mut self, text: String, unmet: Option<Reason>, dev: Option<&str>) {
        self.told(text, unmet.is_none(), unmet);
        let Some(reason) = unmet else { return };
        match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, known)) => {
                known.get_or_insert_with(|| dev.unwrap_or("DEV").to_owned());
            }
            None => self.reasons.push((reason, dev.map(str::to_owned))),
        }
    }

    fn told(&mut self, text: String, holds: bool, reason: Option<Reason>) {
        let reason = reason.map(|reason| reason.code().to_owned());
        self.of.push(Condition { text, holds, reason, decides: false });
    }

    fn ask_everything(
        &mut self,
        reconciler: &Reconciler,
        table: u32,
        route: &fib::Route,
        way: Option<&Way>,
        fate: Fate<'_>,
    ) {
        let on = is_in_hardware(reconciler);
        let word = if on { "hardware" } else { "cpu" };
        let why =
            |reason: Reason| fate.reason.filter(|(given, _)| *given == reason).map(|_| reason);
        let text = format!("the chip routes (`routing` is \"{word}\")");
        self.told(text, on, why(Reason::RoutedByKernel));
        let vr = reconciler.allocation().vr(table);
        let text = match vr {
            Some(vr) => format!("its table is that of a virtual router ({})", vr.0),
            None => "its table is that of a virtual router: a device in it has a router interface"
                .to_owned(),
        };
        self.told(text, vr.is_some(), why(Reason::NoVirtualRouter));
        let Some(way) = way else {
            if on && vr.is_some() {
                let text = "the chip looks for a route of its destination".to_owned();
                self.told(text, false, why(Reason::RouteNotLookedUp));
            }
            return;
        };
        let kind = match way {
            Way::Cpu(reason) => Some(*reason),
            _ => None,
        };
        let what = route.kind.name();
        self.ask(format!("the chip has routes of this kind ({what})"), kind, None);
        for (gateway, ifindex, _) in hops(reconciler.fib(), route) {
            let Some(ifindex) = ifindex.filter(|_| route.kind == fib::RouteKind::Unicast) else {
                continue;
            };
            self.ask_hop(reconciler, gateway, ifindex);
        }
        let room = fate.reason.map(|(reason, _)| reason).filter(|reason| {
            !self.of.iter().any(|condition| condition.reason.as_deref() == Some(reason.code()))
        });
        self.ask("the chip took it, and all that it stands on".to_owned(), room, None);
    }

    fn ask_hop(&mut self, reconciler: &Reconciler, gateway: Option<IpAddr>, ifindex: IfIndex) {
        let dev = name(reconciler, ifindex);
        let link = reconciler.topology().link(ifindex);
        let virtual_device = link.is_some_and(|link| {
            matches!(link.kind, LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. })
        });
        let (text, unmet) = match reconciler.forwarding_rif(ifindex) {
            Some(rif) => (format!("{dev} has router interface {}", rif.0), None),
            None if virtual_device => {
                (format!("{dev} has a router interface"), Some(Reason::NextHopMacvlan))
            }
            None => (format!("{dev} has a router interface"), Some(Reason::NextHopNoRif)),
        };
        self.ask(text, unmet, Some(&dev));
        let Some(gateway) = gateway.filter(|_| unmet.is_none()) else { return };
        let mac = reconciler.fib().neighbour(ifindex, gateway).and_then(|host| host.mac);
        match mac {
            Some(mac) if !mac.is_multicast() && !mac.is_zero() => {
                self.ask(format!("the MAC of {gateway} on {dev} is known ({mac})"), None, None);
            }
            _ => {
                let text = format!("the MAC of {gateway} on {dev} is known");
                self.ask(text, Some(Reason::NextHopUnresolved), Some(&dev));
            }
        }
    }
}

/// Marks the condition that gave the reason; without a reason, the first that does not hold.
fn decide(conditions: &mut [Condition], reason: Option<Reason>) {
    let code = reason.map(Reason::code);
    let gave = |condition: &Condition| code.is_some() && condition.reason.as_deref() == code;
    let at = conditions.iter().position(gave);
    let at = at.or_else(|| conditions.iter().position(|condition| !condition.holds));
    if let Some(condition) = at.and_then(|at| conditions.get_mut(at)) {
        condition.decides = true;
    }
}

/// The advice with the names in it, ready to be copied.
fn advice(reason: Reason, dev: Option<&str>, route: &Route) -> Advice {
    let fix = dev.map_or_else(|| reason.fix().to_owned(), |dev| with_name(reason.fix(), dev));
    Advice {
        reason: reason.code().to_owned(),
        sentence: reason.sentence().to_owned(),
        effect: reason.effect().to_owned(),
        fix: fix.replace("PREFIX", &route.dst),
    }
}

/// What the chip holds, in words.
fn place(route: &Route) -> Option<String> {
    let row = route.chip.as_ref()?;
    let does = match (row.action.as_str(), row.rif, row.adjacency, row.ecmp_size) {
        ("ip2me", ..) => "to the CPU, as one of the router's own addresses".to_owned(),
        ("discard", ..) => "dropped".to_owned(),
        ("local", Some(rif), ..) => format!("to the host itself on router interface {rif}"),
        ("remote", _, Some(first), Some(1)) => format!("to the next hop at {first}"),
        ("remote", _, Some(first), Some(size)) => {
            format!("to one of {size} places for next hops from {first} on")
        }
        _ => "to the CPU".to_owned(),
    };
    Some(format!("{} in virtual router {}: {does}", route.dst, row.vr))
}

/// A route of the kernel's as `ip route` says it.
fn kernel_words(reconciler: &Reconciler, route: &fib::Route) -> String {
    let mut words = match route.kind {
        fib::RouteKind::Unicast => destination(&route.prefix),
        kind => format!("{} {}", kind.name(), destination(&route.prefix)),
    };
    if let fib::Via::Object(id) = route.via {
        words.push_str(&format!(" nhid {id}"));
    }
    let hops = hops(reconciler.fib(), route);
    let several = hops.len() > 1;
    for (gateway, ifindex, weight) in hops {
        if several {
            words.push_str(" nexthop");
        }
        words.extend(gateway.map(|gateway| format!(" via {gateway}")));
        words.extend(ifindex.map(|ifindex| format!(" dev {}", name(reconciler, ifindex))));
        if several {
            words.push_str(&format!(" weight {weight}"));
        }
    }
    words.push_str(&format!(" table {}", table_words(route.table)));
    if route.tos != 0 {
        words.push_str(&format!(" tos {:#04x}", route.tos));
    }
    words.push_str(&format!(" metric {}", route.metric));
    words
}

/// The name of a table, where `ip route` has one.
pub fn table_words(table: u32) -> String {
    match table {
        253 => "default".to_owned(),
        254 => "main".to_owned(),
        255 => "local".to_owned(),
        number => number.to_string(),
    }
}
