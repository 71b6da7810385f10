//! Routes and hosts for which the chip has no room. They wait in the order of their keys, and one tries again for each that goes.
//!
//! A route that is missing in the chip would let its packets follow a less specific one. So the next less specific one sends all of
//! its packets to the CPU until the route fits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::groups::RouteKey;
use crate::IfIndex;
use crate::types::Family;

/// Others use the tables as well, and what they free is not announced: after so long one tries again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A route for which there was no room.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    /// What the chip said.
    text: String,
    /// The next less specific route.
    below: Option<IpNet>,
    /// It is being tried again.
    tried: bool,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shortage {
    routes: BTreeMap<RouteKey, Refused>,
    /// Routes by the next less specific one.
    covered: BTreeMap<RouteKey, BTreeSet<IpNet>>,
    hosts: BTreeMap<(IfIndex, IpAddr), String>,
    again: Option<Duration>,
}

impl Shortage {
    /// There is none.
    pub(super) fn is_over(&self) -> bool {
        self.routes.is_empty() && self.hosts.is_empty()
    }

    /// What the chip said of a route that waits.
    pub(super) fn of_route(&self, route: &RouteKey) -> Option<&str> {
        self.routes.get(route).filter(|refused| !refused.tried).map(|refused| refused.text.as_str())
    }

    /// What the chip said of a host that waits.
    pub(super) fn of_host(&self, host: &(IfIndex, IpAddr)) -> Option<&str> {
        self.hosts.get(host).map(String::as_str)
    }

    /// A more specific route is missing.
    pub(super) fn is_covering(&self, route: &RouteKey) -> bool {
        self.covered.contains_key(route)
    }

    /// How many routes and hosts wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.routes.len(), self.hosts.len())
    }

    /// When [`Self::expire`] has something to do.
    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.again
    }

    /// There is no room for a route. Returns the less specific one that has to be looked at.
    pub(super) fn refuse_route(
        &mut self,
        route: RouteKey,
        text: &str,
        below: Option<IpNet>,
        now: Duration,
    ) -> Option<RouteKey> {
        self.again.get_or_insert(now + PATIENCE);
        let refused = Refused { text: text.to_owned(), below, tried: false };
        self.routes.insert(route, refused);
        let below = (route.0, below?);
        self.covered.entry(below).or_default().insert(route.1).then_some(below)
    }

    /// There is no room for a host.
    pub(super) fn refuse_host(&mut self, host: (IfIndex, IpAddr), text: &str, now: Duration) {
        self.again.get_or_insert(now + PATIENCE);
        self.hosts.insert(host, text.to_owned());
    }

    /// A route is in the chip, or nobody wants it any more. Returns the less specific one that has to be looked at.
    pub(super) fn settle_route(&mut self, route: &RouteKey) -> Option<RouteKey> {
        let below = (route.0, self.routes.remove(route)?.below?);
        self.uncover(below, &route.1).then_some(below)
    }

    /// A host is in the chip, or nobody wants it any more.
    pub(super) fn settle_host(&mut self, host: &(IfIndex, IpAddr)) {
        self.hosts.remove(host);
    }

    /// A route came into being above `below`: it is the next less specific one of some. Returns those that have to be looked at.
    pub(super) fn divide(&mut self, route: RouteKey, below: Option<IpNet>) -> Vec<RouteKey> {
        let (table, prefix) = route;
        let waiting = self.routes.iter_mut().filter(|((of, refused), refusal)| {
            *of == table && refusal.below == below && *refused != prefix && prefix.contains(refused)
        });
        let mut moved = BTreeSet::new();
        for ((_, refused), refusal) in waiting {
            refusal.below = Some(prefix);
            moved.insert(*refused);
        }
        if moved.is_empty() {
            return Vec::new();
        }
        for refused in &moved {
            if let Some(below) = below {
                self.uncover((table, below), refused);
            }
        }
        self.covered.insert(route, moved);
        below.map(|below| (table, below)).into_iter().chain([route]).collect()
    }

    /// A route goes: those that it was the next less specific one of have `below` now. Returns that, if it has to be looked at.
    pub(super) fn join(&mut self, route: &RouteKey, below: Option<IpNet>) -> Option<RouteKey> {
        let moved = self.covered.remove(route)?;
        for refused in &moved {
            if let Some(refusal) = self.routes.get_mut(&(route.0, *refused)) {
                refusal.below = below;
            }
        }
        let below = (route.0, below?);
        self.covered.entry(below).or_default().extend(moved);
        Some(below)
    }

    /// A route of the family went: another one may try.
    pub(super) fn retry_route(&mut self, family: Family) -> Option<RouteKey> {
        let mut waiting = self.routes.iter_mut();
        let (route, refused) = waiting
            .find(|((_, prefix), refused)| !refused.tried && Family::of(prefix.addr()) == family)?;
        refused.tried = true;
        Some(*route)
    }

    /// A host went: another one may try.
    pub(super) fn retry_host(&mut self) -> Option<(IfIndex, IpAddr)> {
        self.hosts.pop_first().map(|(host, _)| host)
    }

    /// One of each tries again though nothing went, if it is time.
    pub(super) fn expire(&mut self, now: Duration) -> bool {
        let due = self.again.is_some_and(|at| at <= now);
        if due {
            self.again = (!self.is_over()).then_some(now + PATIENCE);
        }
        due
    }

    fn uncover(&mut self, below: RouteKey, refused: &IpNet) -> bool {
        let Some(covered) = self.covered.get_mut(&below) else { return false };
        covered.remove(refused);
        let uncovered = covered.is_empty();
        if uncovered {
            self.covered.remove(&below);
        }
        uncovered
    }
}
