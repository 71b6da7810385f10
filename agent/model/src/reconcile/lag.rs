//! Which ports has a LAG in the chip, and when may one come or go?
//!
//! ```text
//!   port leaves: takes no part any more ─▶ its VLANs are changed ─▶ leaves the LAG
//!   port joins:  its VLANs are changed ─▶ joins the LAG ─▶ takes part ─▶ the LAG's interfaces and bridges use it
//! ```
//!
//! A port that left with the LAG's mappings still in place would be routed, or bridged, as a port of its own.

use super::{Obstacle, Reconciler};
use crate::chip::{Entry, Key, LagId, Vid};
use crate::plan::{Object, lag_entries};
use crate::{IfIndex, LocalPort};

impl Reconciler {
    pub(super) fn want_lag(&mut self, ifindex: IfIndex) -> (Vec<Entry>, Obstacle) {
        // A port that leaves stays until nothing is done with its frames that is the LAG's.
        let kept: Vec<Entry> = self
            .allocation
            .lag(ifindex)
            .into_iter()
            .flat_map(|lag| self.ports_in_lag(lag).map(move |port| (lag, port)))
            .filter(|(_, port)| !self.is_member(ifindex, *port) && !self.is_at_rest(*port))
            .map(|(lag, port)| Entry::LagCollector { port, lag })
            .collect();
        let Some(members) = self.lags.get(&ifindex) else {
            // the LAG goes after its ports, whoever takes them out
            let has_ports = |lag: &LagId| self.ports_in_lag(*lag).next().is_some();
            let lag = self.allocation.lag(ifindex).filter(has_ports);
            let entries = kept.into_iter().chain(lag.map(|lag| Entry::Lag { lag }));
            return (entries.collect(), Obstacle::None);
        };
        match lag_entries(ifindex, members, &self.limits, &mut self.allocation) {
            Ok(mut entries) => {
                // a port leaves one LAG before it joins another, and takes part once it has joined
                entries.retain(|entry| match entry {
                    Entry::LagCollector { port, lag } => match self.collector(*port) {
                        Some(joined) => joined == *lag,
                        None => self.is_at_rest(*port),
                    },
                    Entry::LagCollecting { port, .. } | Entry::LagPort { port, .. } => {
                        self.lag_of_port(*port) == Some(ifindex)
                    }
                    _ => true,
                });
                entries.extend(kept);
                (entries, Obstacle::None)
            }
            Err(reason) => (Vec::new(), Obstacle::Full(reason)),
        }
    }

    /// What the chip has of a LAG is in the LAG's care, also what an earlier run wrote: a port leaves it step by step.
    pub(super) fn keep_ports(&mut self, ifindex: IfIndex) {
        let Some(lag) = self.allocation.lag(ifindex) else { return };
        let sending = Key::LagPort(lag, LocalPort(0))..=Key::LagPort(lag, LocalPort(u16::MAX));
        let sending = self.applied.range(sending).map(|(key, _)| key.clone());
        let ports = self.ports_in_lag(lag);
        let joined = ports.flat_map(|port| [Key::LagCollector(port), Key::LagCollecting(port)]);
        let there: Vec<Key> = sending.chain(joined).filter(|key| self.is_there(key)).collect();
        for key in there {
            if !self.book.has(&key) {
                self.book.take_care(Object::Lag(ifindex), key);
            }
        }
    }

    /// Nothing is about to change in the VLANs of a port: what it does as itself or as part of a LAG is what it should do.
    fn is_at_rest(&self, port: LocalPort) -> bool {
        let vlans = Key::PortVlan(port, Vid(0))..=Key::PortVlan(port, Vid(u16::MAX));
        let mappings = Key::PortVidFid(port, Vid(0))..=Key::PortVidFid(port, Vid(u16::MAX));
        let mut rows = self.applied.range(vlans).chain(self.applied.range(mappings));
        rows.all(|(key, entry)| {
            self.book.owners(key).all(|owner| {
                let differs = self.book.wanted(key) != Some(entry);
                !self.is_busy(owner) && (!differs || self.troubles.contains_key(&owner))
            })
        })
    }

    fn is_member(&self, lag: IfIndex, port: LocalPort) -> bool {
        self.lags.get(&lag).is_some_and(|members| members.contains_key(&port))
    }

    /// The ports that the chip has joined to a LAG.
    fn ports_in_lag(&self, lag: LagId) -> impl Iterator<Item = LocalPort> {
        self.collectors().filter(move |(_, of)| *of == lag).map(|(port, _)| port)
    }

    /// The chip's ports that are in a LAG.
    fn collectors(&self) -> impl Iterator<Item = (LocalPort, LagId)> {
        let all = Key::LagCollector(LocalPort(0))..=Key::LagCollector(LocalPort(u16::MAX));
        self.applied.range(all).filter_map(|(_, entry)| match entry {
            Entry::LagCollector { port, lag } => Some((*port, *lag)),
            _ => None,
        })
    }

    /// The bonds and teams whose ports are not those in the chip.
    pub(super) fn changing_lags(&self) -> impl Iterator<Item = IfIndex> {
        let leave = self.allocation.lags().filter(|ifindex| {
            let lag = self.allocation.lag(*ifindex);
            lag.is_some_and(|lag| {
                self.ports_in_lag(lag).any(|port| !self.is_member(*ifindex, port))
            })
        });
        let join = self.lags.iter().filter(|(ifindex, members)| {
            members.keys().any(|port| self.lag_of_port(*port) != Some(**ifindex))
        });
        leave.chain(join.map(|(ifindex, _)| *ifindex))
    }

    /// The bond or team to whose LAG the chip has joined a port.
    pub(super) fn lag_of_port(&self, port: LocalPort) -> Option<IfIndex> {
        let lag = self.collector(port)?;
        self.allocation.lags().find(|ifindex| self.allocation.lag(*ifindex) == Some(lag))
    }

    /// The LAG to which the chip has joined a port, be it nobody's.
    fn collector(&self, port: LocalPort) -> Option<LagId> {
        match self.applied.get(&Key::LagCollector(port))? {
            Entry::LagCollector { lag, .. } => Some(*lag),
            _ => None,
        }
    }
}
