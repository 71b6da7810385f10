//! Is what is known of routes whole, and when is the kernel asked for all of them?
//!
//! ```text
//!   not wanted ──routing in hardware──▶ due ──▶ dump under way ──▶ known ──┬─ events were missed ──────────────▶ due
//!       ▲                                                                 └─ a link, address or object went ──▶ due
//!       └── routing by the CPU
//! ```
//!
//! They have a socket and a dump of their own: a flood of routes delays nobody else, and what was missed of it costs no snapshot of
//! links. What is known goes on being used while a dump is under way, as events go on; only what was in the chip before the first
//! dump has to wait for it.
//!
//! The kernel takes routes away without a word when a device goes down or an address goes (`fib_sync_down_dev`,
//! `fib_sync_down_addr`), and when a next-hop object goes (`__remove_nexthop_fib`); what they leave has to be asked for.

use std::net::IpAddr;
use std::time::Duration;

use firsthop_model::fib::{FibEvent, FibSnapshot, Merge};
use firsthop_model::intent::Routing;
use firsthop_model::topology::{Event, Link};

use super::Engine;
use super::input::{HeardRoutes, Output, Time};

/// The kernel has done what it does without a word so long after it said what led to it.
const SILENCE: Duration = Duration::from_millis(50);
/// Between the beginnings of two dumps, at least.
const PAUSE: Duration = Duration::from_millis(250);
/// After one that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Events kept while a dump is under way; beyond, the dump is made again.
const KEPT: usize = 500_000;
/// Prefixes of a dump that are merged in a turn.
const MERGED: usize = 1024;

/// How much is known of routes.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    /// There was a whole dump.
    known: bool,
    /// Events may have been missed.
    stale: bool,
    /// When a dump is to begin.
    due: Option<Time>,
    dumping: bool,
    /// Something was missed while the dump was under way.
    spoilt: bool,
    /// Addresses that went: routes that prefer them as source go a little later, without a word.
    former_sources: Vec<(Time, IpAddr)>,
    /// What was said since the dump began.
    kept: Vec<FibEvent>,
    /// A dump that ended.
    merge: Option<Merge>,
    /// The next dump begins no earlier.
    earliest: Time,
    dumps: u64,
}

impl Routes {
    /// A dump is needed, at this time or later.
    fn plan(&mut self, at: Time) {
        let at = at.max(self.earliest);
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
        self.spoilt = true;
    }

    /// A dump has to begin now; it counts as begun.
    fn begin(&mut self, now: Time) -> bool {
        if self.dumping || self.due.is_none_or(|at| at > now) {
            return false;
        }
        self.due = None;
        self.earliest = now + PAUSE;
        self.dumping = true;
        self.spoilt = false;
        self.kept.clear();
        true
    }
}

impl Engine {
    fn wants_routes(&self) -> bool {
        self.reconciler.policy().routing == Routing::Hardware && !self.is_away()
    }

    /// The chip may be taken over: it is known which routes belong into it.
    pub(super) fn has_routes(&self) -> bool {
        !self.wants_routes() || self.routes.known
    }

    /// Nothing that concerns routes was missed, and nothing is being asked.
    pub fn knows_routes(&self) -> bool {
        let routes = &self.routes;
        let open = routes.due.is_some() || routes.dumping || !routes.former_sources.is_empty();
        !self.wants_routes() || routes.known && !routes.stale && !open
    }

    /// Dumps of routes since the start.
    pub const fn route_dumps(&self) -> u64 {
        self.routes.dumps
    }

    /// The reconciler is another one, or routes are wanted again: nothing is known.
    pub(super) fn forget_routes(&mut self) {
        let dumps = self.routes.dumps;
        self.routes = Routes { dumps, ..Routes::default() };
    }

    pub(super) fn hear_routes(&mut self, heard: HeardRoutes, now: Time) {
        if heard.loss.is_some() {
            self.routes.stale = true;
            self.routes.plan(now);
        }
        let dumping = self.routes.dumping && self.routes.merge.is_none();
        if dumping {
            if self.routes.kept.len() + heard.events.len() > KEPT {
                self.routes.kept.clear();
                self.routes.stale = true;
                self.routes.plan(now);
            }
            self.routes.kept.extend(heard.events.iter().cloned());
        }
        for event in heard.events {
            if matches!(event, FibEvent::NextHopGone(_)) {
                self.routes.plan(now + SILENCE);
            }
            if let Some(merge) = &mut self.routes.merge {
                merge.hear(&event);
            }
            // before the first dump there is nothing that could be added to
            if self.routes.known || self.routes.merge.is_some() {
                self.reconciler.fold_fib(event);
            }
        }
    }

    /// Takes the end of a dump in; None: it failed.
    pub(super) fn take_routes(&mut self, snapshot: Option<Box<FibSnapshot>>, now: Time) {
        let since = std::mem::take(&mut self.routes.kept);
        let Some(snapshot) = snapshot else {
            self.routes.dumping = false;
            self.routes.plan(now + AFTER_FAILURE);
            return;
        };
        tracing::debug!(routes = snapshot.routes.len(), "Routes dumped");
        self.routes.merge = Some(Merge::new(*snapshot, since));
    }

    /// Merges a part of the dump that ended.
    pub(super) fn merge_routes(&mut self) {
        let Some(merge) = &mut self.routes.merge else { return };
        if self.reconciler.merge_fib(merge, MERGED) {
            return;
        }
        self.routes.merge = None;
        self.routes.dumping = false;
        self.routes.dumps += 1;
        self.routes.known = true;
        if self.routes.stale && !self.routes.spoilt {
            self.routes.stale = false;
            self.view.note_resync("routes");
        }
    }

    /// Looks at an event before it is folded into what was known: what does it do to routes without a word?
    pub(super) fn suspect_routes(&mut self, event: &Event, now: Time) {
        if !self.routes.known {
            // the first dump is under way: nobody can tell what it had read by then
            let takes =
                matches!(event, Event::Link(_) | Event::LinkGone(_) | Event::AddressGone(_));
            if self.routes.dumping && takes {
                self.routes.plan(now + SILENCE);
            }
            return;
        }
        let fib = self.reconciler.fib();
        let silent = match event {
            Event::Link(link) => {
                let state = |link: &Link| (link.is_up(), link.carrier, link.master);
                let former = self.reconciler.topology().link(link.ifindex);
                former.is_none_or(|former| state(former) != state(link))
                    && fib.leaves_by(link.ifindex)
            }
            Event::LinkGone(ifindex) => fib.leaves_by(*ifindex),
            Event::AddressGone(address) if fib.prefers(address.ip) => {
                // the routes that the kernel made for it go with a word
                self.routes.former_sources.push((now + SILENCE, address.ip));
                false
            }
            _ => false,
        };
        if silent {
            self.routes.plan(now + SILENCE);
        }
    }

    /// Addresses that went a little while ago: is there a route left that went with them?
    fn look_for_sources(&mut self, now: Time) {
        let former = std::mem::take(&mut self.routes.former_sources);
        let (due, later): (Vec<_>, Vec<_>) = former.into_iter().partition(|(at, _)| *at <= now);
        self.routes.former_sources = later;
        let topology = self.reconciler.topology();
        let is_there = |ip: IpAddr| {
            topology.links().any(|link| topology.addresses(link.ifindex).iter().any(|a| a.ip == ip))
        };
        if due.into_iter().any(|(_, ip)| self.reconciler.fib().prefers(ip) && !is_there(ip)) {
            self.routes.plan(now);
        }
    }

    /// The whole view of links was replaced: who knows what went without a word.
    pub(super) fn suspect_all_routes(&mut self, now: Time) {
        if self.routes.known {
            self.routes.plan(now + SILENCE);
        }
    }

    /// Orders a dump of routes if it is time.
    pub(super) fn dump_routes_if_due(&mut self, now: Time) {
        if !self.wants_routes() {
            if self.routes.known || self.routes.due.is_some() {
                self.forget_routes();
            }
            return;
        }
        self.look_for_sources(now);
        if !self.routes.known && self.routes.due.is_none() && !self.routes.dumping {
            self.routes.plan(now);
        }
        if self.routes.begin(now) {
            self.outputs.push(Output::DumpRoutes);
        }
    }

    /// When a dump of routes begins, or goes on to be merged, though nothing happens.
    pub(super) fn routes_deadline(&self) -> Option<Time> {
        if self.routes.merge.is_some() {
            return Some(Time::ZERO);
        }
        let dump = self.routes.due.filter(|_| !self.routes.dumping);
        let sources = self.routes.former_sources.iter().map(|(at, _)| *at);
        sources.chain(dump).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a dump began while one was under way, right after another, or never for what happened meanwhile.
    #[test]
    fn one_dump_at_a_time() {
        let ms = Duration::from_millis;
        let mut routes = Routes::default();
        assert!(!routes.begin(ms(0)));
        routes.plan(ms(10));
        assert!(!routes.begin(ms(9)));
        assert!(routes.begin(ms(10)));
        routes.plan(ms(20));
        assert!(!routes.begin(ms(2000)), "one is under way");
        assert!(routes.spoilt);
        routes.dumping = false;
        assert!(!routes.begin(ms(259)));
        assert!(routes.begin(ms(260)), "not sooner than the pause allows");
    }
}
