//! The model kernel's routes: they change by chance, are announced on a socket that may overflow, and dumped by request. At the end a
//! naive reading of them says what the chip has to hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use firsthop::engine::{HeardRoutes, Input};
use firsthop_model::chip::{AdjacencyIndex, Entry, Key, RifIndex, RouteAction, Tables, VrId};
use firsthop_model::fib::{
    FibEvent, FibSnapshot, Neighbour, NextHop, NextHopContent, NextHopObject, Placement, Route,
    RouteKind, Via,
};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::{Link, LinkKind};
use firsthop_model::{IfIndex, Mac};
use ipnet::IpNet;

use super::chance::Chance;
use crate::Outcome;
use crate::why::everything_says_why;
use crate::world::World;

/// Packets to the CPU, as the driver numbers them.
const EXTERNAL_ROUTE: u16 = 0x70;
/// Next-hop objects that there may be.
const OBJECTS: u32 = 2;

/// What the kernel forwards by, and who is told.
#[derive(Debug, Clone, Default)]
pub(super) struct Roads {
    routes: BTreeMap<(u32, IpNet), Route>,
    objects: BTreeMap<u32, NextHop>,
    hosts: BTreeMap<(IfIndex, IpAddr), Mac>,
    queue: VecDeque<FibEvent>,
    loss: bool,
    /// The agent knows of a loss.
    missed: bool,
    /// Routes as they were when a dump of them began.
    asked: Option<Vec<Route>>,
}

impl Roads {
    /// One more thing changes.
    pub(super) fn change(&mut self, world: &World, chance: &mut Chance) {
        let snapshot = world.snapshot();
        let links = &snapshot.links;
        // those with addresses more often: they may be router interfaces
        let routing = |link: &&Link| snapshot.addresses.iter().any(|a| a.ifindex == link.ifindex);
        let routing: Vec<&Link> = links.iter().filter(routing).collect();
        if links.is_empty() {
            return;
        }
        let pick = |chance: &mut Chance| -> Link {
            let any = routing.is_empty() || chance.strikes(200);
            let count = if any { links.len() } else { routing.len() };
            let at = usize::try_from(chance.below(count as u64)).expect("below their number");
            if any { links[at].clone() } else { routing[at].clone() }
        };
        let device = pick(chance).ifindex;
        let last = |chance: &mut Chance| u8::try_from(1 + chance.below(3)).expect("small");
        match chance.below(10) {
            0..3 => {
                let ip = IpAddr::from([192, 168, 0, last(chance)]);
                let mac = chance.strikes(700).then(|| Mac([2, 0, 0, 1, 0, last(chance)]));
                match mac {
                    Some(mac) => _ = self.hosts.insert((device, ip), mac),
                    None => _ = self.hosts.remove(&(device, ip)),
                }
                let host = Neighbour { ifindex: device, ip, mac, permanent: false };
                self.queue.push_back(FibEvent::Neighbour(host));
            }
            3 => {
                let id = 1 + u32::try_from(chance.below(OBJECTS.into())).expect("small");
                let hop = hop(device, Some(IpAddr::from([192, 168, 0, last(chance)])));
                self.objects.insert(id, hop.clone());
                let content = NextHopContent::Hop(hop);
                self.queue.push_back(FibEvent::NextHop(NextHopObject { id, content }));
            }
            _ => {
                let table = match pick(chance).kind {
                    LinkKind::Vrf { table } => table,
                    _ => 254,
                };
                let octets = [10, last(chance), last(chance), 0];
                let length = [0, 8, 16, 24][usize::try_from(chance.below(4)).expect("below 4")];
                let prefix = IpNet::new(octets.into(), length).expect("at most 32").trunc();
                if chance.strikes(300) {
                    if let Some(gone) = self.routes.remove(&(table, prefix)) {
                        self.queue.push_back(FibEvent::RouteGone(gone));
                    }
                    return;
                }
                let gateway = IpAddr::from([192, 168, 0, last(chance)]);
                let (kind, via) = match chance.below(8) {
                    0 => (RouteKind::Blackhole, Via::Hops(Vec::new())),
                    1..3 => (RouteKind::Unicast, Via::Hops(vec![hop(device, None)])),
                    3 => (RouteKind::Unicast, Via::Object(1)),
                    4 => {
                        let other = hop(pick(chance).ifindex, Some(gateway));
                        let weighted = NextHop { weight: 2, ..hop(device, Some(gateway)) };
                        (RouteKind::Unicast, Via::Hops(vec![weighted, other]))
                    }
                    _ => (RouteKind::Unicast, Via::Hops(vec![hop(device, Some(gateway))])),
                };
                let (metric, tos, protocol, source) = (0, 0, 4, None);
                let route = Route { table, prefix, metric, tos, kind, protocol, source, via };
                self.routes.insert((table, prefix), route.clone());
                self.queue.push_back(FibEvent::Route(route, Placement::Replace));
            }
        }
    }

    /// Some of what is queued is lost, and the socket says so.
    pub(super) fn lose(&mut self, chance: &mut Chance) {
        let keep = chance.below(self.queue.len() as u64 + 1);
        self.queue.truncate(usize::try_from(keep).expect("less than its length"));
        self.loss = true;
    }

    pub(super) fn has_news(&self) -> bool {
        !self.queue.is_empty() || self.loss
    }

    pub(super) const fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Asked after a loss, the agent opens its socket anew: what was queued is older.
    pub(super) fn ask(&mut self) {
        if std::mem::take(&mut self.missed) {
            self.queue.clear();
            self.loss = false;
        }
        self.asked = Some(self.routes.values().cloned().collect());
    }

    /// The agent is another one: its sockets are new.
    pub(super) fn reopen(&mut self) {
        self.queue.clear();
        (self.loss, self.missed, self.asked) = (false, false, None);
    }

    /// What a drain finds: a part of what is queued.
    pub(super) fn drain(&mut self, chance: &mut Chance) -> Input {
        let count = usize::try_from(1 + chance.below(8)).expect("small").min(self.queue.len());
        let events = self.queue.drain(..count).collect();
        self.missed |= self.loss;
        let loss = std::mem::take(&mut self.loss).then(|| "overrun".to_owned());
        Input::HeardRoutes(HeardRoutes { events, loss })
    }

    /// The answer to a dump: some rows are older than what was announced meanwhile.
    pub(super) fn answer(&mut self, chance: &mut Chance, trouble: bool) -> Input {
        let routes = self.asked.take().unwrap_or_default();
        if trouble && chance.strikes(100) {
            return Input::DumpedRoutes(None);
        }
        let objects = self.objects.iter();
        let next_hops = objects
            .map(|(id, hop)| NextHopObject { id: *id, content: NextHopContent::Hop(hop.clone()) });
        let host = |((ifindex, ip), mac): (&(IfIndex, IpAddr), &Mac)| Neighbour {
            ifindex: *ifindex,
            ip: *ip,
            mac: Some(*mac),
            permanent: false,
        };
        Input::DumpedRoutes(Some(Box::new(FibSnapshot {
            routes,
            next_hops: next_hops.collect(),
            neighbours: self.hosts.iter().map(host).collect(),
        })))
    }

    /// The chip forwards by these, and by nothing else.
    pub(super) fn judge(&self, world: &World, reconciler: &Reconciler, chip: &Tables) -> Outcome {
        everything_says_why(reconciler)?;
        let up: BTreeSet<IfIndex> =
            world.snapshot().links.iter().filter(|link| link.is_up()).map(|l| l.ifindex).collect();
        let rif = |ifindex: IfIndex| reconciler.applied_rif(ifindex).map(|rif| rif.rif);
        let mut expected = BTreeMap::<(VrId, IpNet), String>::new();
        for ((table, prefix), route) in &self.routes {
            let Some(vr) = reconciler.allocation().vr(*table) else { continue };
            let hops = match &route.via {
                Via::Hops(hops) => hops.clone(),
                Via::Object(id) => self.objects.get(id).cloned().into_iter().collect(),
            };
            let way = match (&route.kind, hops.as_slice()) {
                (RouteKind::Blackhole, _) => "drop".to_owned(),
                (_, [NextHop { ifindex: Some(ifindex), gateway: None, .. }]) => {
                    rif(*ifindex).map_or("cpu".to_owned(), |rif| format!("rif {rif}"))
                }
                (_, hops) => {
                    let known = |hop: &NextHop| rif(hop.ifindex.unwrap_or_default());
                    if hops.iter().any(|hop| known(hop).is_some()) {
                        let mut shares = BTreeMap::<String, u32>::new();
                        for hop in hops {
                            let (ifindex, ip) = (hop.ifindex.unwrap_or_default(), hop.gateway);
                            let mac = ip.and_then(|ip| self.hosts.get(&(ifindex, ip)));
                            let way = match (known(hop), mac) {
                                (Some(rif), Some(mac)) => format!("{rif} {mac}"),
                                _ => "cpu".to_owned(),
                            };
                            if up.contains(&ifindex) {
                                *shares.entry(way).or_default() += u32::from(hop.weight);
                            }
                        }
                        let all_up =
                            hops.iter().all(|hop| up.contains(&hop.ifindex.unwrap_or_default()));
                        told(shares, all_up)
                    } else {
                        "cpu".to_owned()
                    }
                }
            };
            expected.insert((vr, *prefix), way);
        }
        let mut in_use = BTreeSet::new();
        let mut found = BTreeMap::new();
        for entry in chip.values() {
            let Entry::Route { vr, prefix, action } = entry else { continue };
            let way = match action {
                RouteAction::Ip2me => continue,
                RouteAction::Trap(id) if id.0 == EXTERNAL_ROUTE => "cpu".to_owned(),
                RouteAction::Trap(id) => format!("trap {id}"),
                RouteAction::Discard => "drop".to_owned(),
                RouteAction::Local(rif) => format!("rif {rif}"),
                RouteAction::Remote { first, size } => {
                    let group: Vec<u32> = (first.0..first.0 + u32::from(*size)).collect();
                    in_use.extend(group.iter().copied());
                    let mut shares = BTreeMap::<String, u32>::new();
                    for index in group {
                        let way = match chip.get(&Key::Adjacency(AdjacencyIndex(index))) {
                            Some(Entry::Adjacency { rif, mac: Some(mac), .. }) => {
                                format!("{rif} {mac}")
                            }
                            Some(Entry::Adjacency { mac: None, .. }) => "cpu".to_owned(),
                            other => return Err(format!("{prefix} leads to {other:?}")),
                        };
                        *shares.entry(way).or_default() += 1;
                    }
                    let whole =
                        expected.get(&(*vr, *prefix)).is_none_or(|way| !way.starts_with("among"));
                    told(shares, whole)
                }
            };
            // the default of a virtual router, where the kernel has none
            let is_default = prefix.prefix_len() == 0 && way == "cpu";
            if !is_default || expected.contains_key(&(*vr, *prefix)) {
                found.insert((*vr, *prefix), way);
            }
        }
        if found != expected {
            return Err(format!("The chip's routes are {found:#?}\ninstead of {expected:#?}"));
        }
        let adjacencies = chip.keys().filter_map(|key| match key {
            Key::Adjacency(index) => Some(index.0),
            _ => None,
        });
        let adjacencies: BTreeSet<u32> = adjacencies.collect();
        if adjacencies != in_use {
            return Err(format!("Next hops {adjacencies:?}, of which routes use {in_use:?}"));
        }
        let hosts: BTreeSet<(RifIndex, IpAddr, Mac)> = self
            .hosts
            .iter()
            .filter_map(|((ifindex, ip), mac)| Some((rif(*ifindex)?, *ip, *mac)))
            .collect();
        let held = chip.values().filter_map(|entry| match entry {
            Entry::Neighbour { rif, ip, mac } => Some((*rif, *ip, *mac)),
            _ => None,
        });
        let held: BTreeSet<_> = held.collect();
        if held == hosts { Ok(()) } else { Err(format!("Hosts {held:?} instead of {hosts:?}")) }
    }
}

/// Shares in the smallest numbers. Where a next hop is down its share goes to the others, in whatever way.
fn told(shares: BTreeMap<String, u32>, whole: bool) -> String {
    if shares.is_empty() {
        return "among cpu".to_owned();
    }
    if !whole {
        return format!("among {}", shares.into_keys().collect::<Vec<_>>().join(", "));
    }
    let least = shares.values().copied().min().unwrap_or(1);
    let divisor = (1..=least).rev().find(|n| shares.values().all(|share| share % n == 0));
    let told = shares.iter().map(|(way, share)| format!("{way} x{}", share / divisor.unwrap_or(1)));
    told.collect::<Vec<_>>().join(", ")
}

const fn hop(ifindex: IfIndex, gateway: Option<IpAddr>) -> NextHop {
    NextHop {
        ifindex: Some(ifindex),
        gateway,
        weight: 1,
        dead: false,
        link_down: false,
        encapsulated: false,
    }
}

/// What leads to a router interface that is not there.
pub(super) fn in_the_air(tables: &Tables) -> impl Iterator<Item = &Entry> {
    tables.values().filter(|entry| {
        let leads_to = match entry {
            Entry::Route { action: RouteAction::Local(rif), .. }
            | Entry::Adjacency { rif, .. }
            | Entry::Neighbour { rif, .. } => Some(*rif),
            _ => None,
        };
        leads_to.is_some_and(|rif| !tables.contains_key(&Key::Rif(rif)))
    })
}
