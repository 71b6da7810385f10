//! Who advertises which virtual router, and does it fit what the chip does? A watch that listens and says so; it decides nothing,
//! but for the withdrawal of orphans where the operator wants it.
//!
//! ```text
//!   frames ─▶ wire::parse ─▶ take(interface, sent or received, …) ─┐
//!   Reconciler ─▶ Facts ─▶ update(…) ──────────────────────────────┼─▶ evaluate(now) ─▶ flags that came or went, orphans
//!   loss of frames ─▶ missed(now) ─────────────────────────────────┘      ▲
//!                                                                         └── deadline()
//! ```
//!
//! Time is an argument. An advertisement costs the same however many routers there are; flags are computed when their time comes,
//! or when somebody asks. What can be learnt is bounded: whoever sends to the group cannot fill the memory.

mod ask;
mod evaluate;
mod facts;
mod flag;
mod source;
#[cfg(test)]
mod tests;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use facts::Since;
pub use facts::{Facts, Scope, Vmac};
pub use flag::{Finding, Flag, seconds};
use serde::{Deserialize, Serialize};
use source::is_recent;
pub use source::{Addresses, Source};
use wire::{Advertisement, Found};

use crate::intent::VmacPolicy;
use crate::policer::Need;
use crate::types::Family;
use crate::{IfIndex, Mac, Vrid};

/// Other routers that are remembered for a virtual router.
const HEARD: usize = 8;
/// Other routers that are remembered at all.
const HEARD_IN_ALL: usize = 16_384;
/// Between two computations of flags, and after something new.
const PAUSE: Duration = Duration::from_millis(20);
/// Added for each router that was heard, so that many cannot keep the daemon busy.
const PAUSE_EACH: Duration = Duration::from_micros(100);

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// This router sent it.
    Sent,
    /// It came from the network.
    Received,
}

/// A virtual router on a router interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VirtualRouter {
    /// The router interface's device
    pub interface: IfIndex,
    /// IPv4 and IPv6 have VRIDs of their own.
    pub family: Family,
    /// VRID
    pub vrid: Vrid,
}

/// What a flag is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// A virtual router
    Router(VirtualRouter),
    /// A router interface
    Interface(IfIndex),
    /// The switch
    Switch,
}

/// A flag appeared or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Whose
    pub subject: Subject,
    /// Which
    pub flag: Flag,
    /// What it was told from; None: it went.
    pub evidence: Option<String>,
}

/// Who advertises one virtual router.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Instance {
    /// This router, now or once
    pub own: Option<Source>,
    /// Others, by their first advertisement
    pub heard: Vec<Source>,
}

impl Instance {
    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.own.iter().chain(&self.heard)
    }
}

/// What was sent to the group and is not VRRP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Foreign {
    count: u64,
    protocol: u8,
    source: IpAddr,
    last: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Interface {
    instances: BTreeMap<(Family, Vrid), Instance>,
    foreign: Option<Foreign>,
}

/// All that was learnt from advertisements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Liveness {
    /// Since when everything was seen.
    begun: Duration,
    /// Orphans are withdrawn.
    withdraws: bool,
    interfaces: BTreeMap<IfIndex, Interface>,
    heard: usize,
    facts: Facts,
    since: BTreeMap<(IfIndex, Mac), Since>,
    withdrawn: BTreeSet<IfIndex>,
    /// What this router's advertisements come from.
    sources: BTreeSet<(Option<Scope>, IpAddr)>,
    flags: BTreeMap<Subject, BTreeSet<Flag>>,
    /// What is wrong with the switch, as computed last.
    switch: Option<Finding>,
    next: Option<Duration>,
    /// What the advertisements that are heard need of the policer, as computed last.
    need: Need,
}

impl Liveness {
    /// A watch that begins now.
    pub fn new(withdraws: bool, now: Duration) -> Self {
        Self { begun: now, withdraws, next: Some(now), ..Self::default() }
    }

    /// The operator decided anew whether orphans are withdrawn.
    pub fn set_withdraws(&mut self, withdraws: bool, now: Duration) {
        self.withdraws = withdraws;
        if !withdraws {
            self.withdrawn.clear();
        }
        self.stir(now);
    }

    /// Frames were missed: silence counts from now.
    pub fn missed(&mut self, now: Duration) {
        self.begun = now;
    }

    /// One frame of a router interface.
    pub fn take(&mut self, interface: IfIndex, way: Direction, found: &Found, now: Duration) {
        match found {
            Found::Advertisement(said) if self.is_transit(interface, way, said) => {}
            Found::Advertisement(said) => match way {
                Direction::Sent => self.sent(interface, said, now),
                Direction::Received if !self.is_loop(interface, said) => {
                    self.received(interface, said, now);
                }
                Direction::Received => {}
            },
            Found::Foreign { protocol, source } => {
                let foreign = &mut self.interfaces.entry(interface).or_default().foreign;
                let before = foreign.as_ref().filter(|foreign| is_recent(foreign.last, now));
                let (known, count) = (before.is_some(), before.map_or(0, |foreign| foreign.count));
                let (count, protocol, source) = (count + 1, *protocol, *source);
                *foreign = Some(Foreign { count, protocol, source, last: now });
                if !known {
                    self.stir(now);
                }
            }
            Found::Carp | Found::Nothing => {}
        }
    }

    fn sent(&mut self, interface: IfIndex, said: &Advertisement, now: Duration) {
        let id = VirtualRouter { interface, family: said.family, vrid: said.vrid };
        self.sources.insert((self.scope(interface, said.source), said.source));
        let own = &mut self.entry(id).own;
        let news = match own {
            Some(own) => own.hear(said, now),
            None => {
                *own = Some(Source::new(said, now));
                true
            }
        };
        if let Some((vmac, _)) = self.vmac_of(id) {
            let ifindex = vmac.ifindex;
            self.withdrawn.remove(&ifindex);
        }
        if news {
            self.stir(now);
        }
    }

    fn received(&mut self, interface: IfIndex, said: &Advertisement, now: Duration) {
        let id = VirtualRouter { interface, family: said.family, vrid: said.vrid };
        let room = self.heard < HEARD_IN_ALL;
        let heard = &mut self.entry(id).heard;
        let known = heard.iter_mut().find(|source| source.source == said.source);
        let news = match known {
            Some(source) => source.hear(said, now),
            None => {
                if heard.len() >= HEARD {
                    let oldest = (0..heard.len()).min_by_key(|at| heard[*at].last);
                    oldest.map(|at| heard.remove(at));
                    self.heard = self.heard.saturating_sub(1);
                } else if !room {
                    return;
                }
                self.entry(id).heard.push(Source::new(said, now));
                self.heard += 1;
                true
            }
        };
        if news {
            self.stir(now);
        }
    }

    /// Our own advertisement came back, or came to another port of ours on the same network.
    fn is_loop(&self, interface: IfIndex, said: &Advertisement) -> bool {
        self.facts.is_own(interface, said.source)
            || self.sources.contains(&(self.scope(interface, said.source), said.source))
    }

    /// Two other routers talk to one another, and this one only forwards.
    fn is_transit(&self, interface: IfIndex, way: Direction, said: &Advertisement) -> bool {
        said.peer.is_some_and(|peer| {
            let ours = if way == Direction::Sent { said.source } else { peer };
            !self.facts.is_own(interface, ours)
        })
    }

    /// A link-local of ours is known on all networks: two ports may be on one.
    fn scope(&self, interface: IfIndex, ip: IpAddr) -> Option<Scope> {
        let link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        self.facts.table(interface).filter(|_| !link_local)
    }

    /// How things are now.
    pub fn update(&mut self, facts: Facts, now: Duration) {
        let follow = |(key, vmac): (&(IfIndex, Mac), &Vmac)| {
            let same = self.facts.vmacs.get(key).is_some_and(|old| old.ifindex == vmac.ifindex);
            let before = self.since.get(key).filter(|_| same);
            (*key, Since::follow(before, vmac, now))
        };
        let since = facts.vmacs.iter().map(follow).collect();
        let news = since != self.since || facts.policer != self.facts.policer;
        self.since = since;
        let stays = |ifindex: &IfIndex| {
            facts
                .vmacs
                .values()
                .any(|vmac| vmac.ifindex == *ifindex && vmac.policy == VmacPolicy::Active)
        };
        self.withdrawn.retain(stays);
        self.interfaces.retain(|interface, _| facts.interfaces.contains_key(interface));
        self.facts = facts;
        if news {
            self.stir(now);
        }
    }

    /// A withdrawn macvlan or its addresses changed: somebody is there. It gets as long as a new one to advertise.
    pub fn release(&mut self, vmac: IfIndex, now: Duration) {
        if self.withdrawn.remove(&vmac) {
            let mine = self.facts.vmacs.iter().filter(|(_, known)| known.ifindex == vmac);
            for (key, _) in mine {
                if let Some(since) = self.since.get_mut(key) {
                    since.programmed = since.programmed.map(|_| now);
                }
            }
            self.stir(now);
        }
    }

    /// Something is new: flags are computed soon, but not for each of many.
    fn stir(&mut self, now: Duration) {
        let soon = now + self.pause();
        self.next = Some(self.next.map_or(soon, |next| next.min(soon)));
    }

    fn pause(&self) -> Duration {
        PAUSE + PAUSE_EACH * u32::try_from(self.heard).unwrap_or(u32::MAX)
    }

    fn entry(&mut self, id: VirtualRouter) -> &mut Instance {
        let interface = self.interfaces.entry(id.interface).or_default();
        interface.instances.entry((id.family, id.vrid)).or_default()
    }
}
