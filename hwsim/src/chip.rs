//! The chip: tables, registers that write them, a pipeline that reads them, counters. A pure, deterministic
//! library: no I/O, no clock, no threads; the same calls with the same times give the same outcome.
//!
//! ```text
//!   EMAD frame ──▶ access ──▶ ┌────────┐
//!   carrier ────────────────▶ │ tables │ ◀── pipeline ◀── frame from the wire (receive, trace)
//!                             └────────┘         │
//!                                                └──▶ Decision ──▶ learning, counters, policer ──▶ Output
//! ```
//!
//! What each table is stands at the head of its file; docs/fidelity.md says which behaviour is known of real
//! chips and which is assumed.

mod access;
mod adjacency;
mod counters;
mod cpu;
pub mod dump;
pub mod fault;
mod fdb;
mod fid;
mod flood;
mod keyed;
mod lag;
mod lpm;
mod multicast;
mod multipath;
mod neighbour;
pub mod personality;
mod pipeline;
mod policer;
mod port;
mod rif;
mod rif_counter;
mod route;
mod tables;
pub mod time;
pub mod trace;
pub mod traps;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use counters::{Counters, PolicerCounters, Resource, TrapCounters};
pub use dump::Dump;
pub use fault::{FaultAction, FaultOp, FaultRule, Faults};
pub use personality::{Personality, PersonalityError};
pub use port::LocalPort;
pub use rif_counter::RifCounters;
pub use time::Nanos;
pub use trace::{Step, Trace, TraceVerdict, TracedEgress};

use pipeline::Decision;
use tables::Tables;
use trace::{Silent, Steps};

use crate::packet::rewrite::Rewritten;
use crate::packet::{Frame, rewrite};

/// Who takes what leaves the chip. A vector keeps it.
pub trait Outlet {
    /// A frame on the wire of a front-panel port.
    fn wire(&mut self, port: LocalPort, frame: &Rewritten<'_>);
    /// A packet for the CPU, as it came in on `port`.
    fn cpu(&mut self, port: LocalPort, frame: &[u8], punt: Punt);
}

impl Outlet for Vec<Output> {
    fn wire(&mut self, port: LocalPort, frame: &Rewritten<'_>) {
        self.push(Output::Wire { port, frame: frame.to_vec() });
    }

    fn cpu(&mut self, port: LocalPort, frame: &[u8], punt: Punt) {
        self.push(Output::Cpu { port, frame: frame.to_vec(), punt });
    }
}

/// What leaves the chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A frame on the wire of a front-panel port.
    Wire {
        /// The port.
        port: LocalPort,
        /// Ethernet, without FCS.
        frame: Vec<u8>,
    },
    /// A packet for the CPU, as it came in on `port`.
    Cpu {
        /// The ingress port.
        port: LocalPort,
        /// Ethernet, without FCS.
        frame: Vec<u8>,
        /// How it came to the CPU.
        punt: Punt,
    },
}

/// How a packet came to the CPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Punt {
    /// The port on which it came in.
    pub ingress_port: LocalPort,
    /// The LAG to which that port belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_lag: Option<u16>,
    /// VLAN id, once classified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vid: Option<u16>,
    /// FID, once classified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fid: Option<u16>,
    /// The ingress router interface, if its mapping has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rif: Option<u16>,
    /// The trap.
    pub trap_id: u16,
    /// Its name.
    pub trap: &'static str,
    /// Its trap group; 0 if HPKT never named one.
    pub group: u8,
    /// Traffic class of the group.
    pub tclass: u8,
    /// The policer that it passed; absent if the group has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u16>,
    /// Did the policer drop it? Never true in an [`Output`], only in a trace.
    pub policed: bool,
}

/// Frames and bytes through a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PortCounters {
    /// Frames from the wire.
    pub rx_packets: u64,
    /// Their bytes, without FCS.
    pub rx_bytes: u64,
    /// Frames onto the wire.
    pub tx_packets: u64,
    /// Their bytes, without FCS.
    pub tx_bytes: u64,
    /// Frames from the CPU that found no carrier.
    pub tx_dropped: u64,
}

/// The chip.
#[derive(Debug, Clone)]
pub struct Chip {
    personality: Personality,
    chip_id: String,
    generation: u64,
    tables: Tables,
    faults: Faults,
    writes_total: u64,
    port_counters: Vec<PortCounters>,
    discards: BTreeMap<&'static str, u64>,
    l2_lookups: u64,
    vrrp_fast_path: u64,
    /// What the pipeline decided last; here for its memory.
    decision: Decision,
}

impl Chip {
    /// A chip as at power-on, with `ports` front-panel ports (at most 1023) without carrier.
    #[must_use]
    pub fn new(personality: Personality, ports: u16, chip_id: String, generation: u64) -> Self {
        let ports = ports.min(1023);
        Self {
            tables: Tables::new(&personality, ports),
            personality,
            chip_id,
            generation,
            faults: Faults::default(),
            writes_total: 0,
            port_counters: vec![PortCounters::default(); ports.into()],
            discards: BTreeMap::new(),
            l2_lookups: 0,
            vrrp_fast_path: 0,
            decision: Decision::default(),
        }
    }

    /// Power off and on: every table and counter as new, under another generation. Carrier belongs to the
    /// wires and fault rules to the tester: both stay.
    pub fn reset(&mut self, generation: u64) {
        let ports = self.tables.ports.count();
        let mut chip = Self::new(
            self.personality.clone(),
            ports,
            std::mem::take(&mut self.chip_id),
            generation,
        );
        for (port, old) in self.tables.ports.iter() {
            chip.link(LocalPort(port), old.up);
        }
        chip.faults = std::mem::take(&mut self.faults);
        *self = chip;
    }

    /// Which power-on this is.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The name by which agents find the chip's ports.
    #[must_use]
    pub fn chip_id(&self) -> &str {
        &self.chip_id
    }

    /// Sizes and limits.
    #[must_use]
    pub fn personality(&self) -> &Personality {
        &self.personality
    }

    /// How many front-panel ports there are.
    #[must_use]
    pub fn port_count(&self) -> u16 {
        self.tables.ports.count()
    }

    /// The fault rules.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Carrier of a front-panel port. A port without it neither receives nor sends.
    pub fn link(&mut self, port: LocalPort, up: bool) {
        if let Some(port) = self.tables.ports.get_mut(port.0) {
            port.up = up;
        }
    }

    /// A frame from the wire of `port`. What leaves the chip because of it goes to `out`.
    pub fn receive(&mut self, now: Nanos, port: LocalPort, frame: &[u8], out: &mut dyn Outlet) {
        if let Some(counters) = counters_of(&mut self.port_counters, port.0) {
            counters.rx_packets += 1;
            counters.rx_bytes += len(frame.len());
        }
        self.advance(now);
        let parsed = Frame::parse(frame);
        let decision = &mut self.decision;
        pipeline::run(&self.tables, port.0, frame.len(), parsed, &mut Silent, decision);
        self.apply(now, port, parsed, out);
    }

    /// The CPU transmits on `port`: out of the wire as it is, whatever its source. Nothing is learnt.
    pub fn transmit(&mut self, _: Nanos, port: LocalPort, frame: &[u8], out: &mut dyn Outlet) {
        let up = self.tables.ports.get(port.0).is_some_and(|port| port.up);
        let Some(counters) = counters_of(&mut self.port_counters, port.0) else { return };
        if up {
            counters.tx_packets += 1;
            counters.tx_bytes += len(frame.len());
            out.wire(port, &Rewritten::unchanged(frame));
        } else {
            counters.tx_dropped += 1;
        }
    }

    /// Time has passed: learnt addresses that were not seen for the ageing time (SFDAT) go, and SFN says so. Frames and
    /// accesses bring their own time; call this about once a second when there are none.
    pub fn advance(&mut self, now: Nanos) {
        self.tables.fdb.age(now);
    }

    /// The copies of a group membership message that software owes the bridge after the chip trapped it (IGMP and MLD
    /// reports, which the chip does not forward): for each port of the FID but those on which the message came, the
    /// frame with the tag that the port wants, ready for [`Chip::transmit`]. Of a LAG only one member gets one.
    ///
    /// Empty for anything else: see [`Chip::owes_copies`], and for packets whose FID is gone.
    #[must_use]
    pub fn copies_of_report(&self, punt: &Punt, frame: &[u8]) -> Vec<(LocalPort, Vec<u8>)> {
        let (Some(fid), Some(vid)) = (punt.fid.and_then(|fid| self.tables.fids.get(fid)), punt.vid)
        else {
            return Vec::new();
        };
        let parsed = Frame::parse(frame).filter(|_| Self::owes_copies(punt.trap_id));
        let Some(parsed) = parsed.filter(|_| !fid.flood_rsp) else { return Vec::new() };
        pipeline::flooded(&self.tables, punt.ingress_port.0, fid, vid, frame)
            .into_iter()
            .map(|copy| (LocalPort(copy.port), rewrite::egress(&parsed, copy.tag, None).to_vec()))
            .collect()
    }

    /// Does software have to forward packets of this trap to the other ports, because the chip did not? True of IGMP
    /// and MLD reports: the driver trusts that all others were flooded where they had to be (`spectrum_trap.c`, marks).
    #[must_use]
    pub const fn owes_copies(trap_id: u16) -> bool {
        use traps::id;
        matches!(
            trap_id,
            id::IGMP_V1_REPORT
                | id::IGMP_V2_REPORT
                | id::IGMP_V2_LEAVE
                | id::IGMP_V3_REPORT
                | id::MLD_V1_REPORT
                | id::MLD_V1_DONE
                | id::MLD_V2_REPORT
        )
    }

    /// What `receive` would do, with every step; changes nothing, and takes no policer token.
    #[must_use]
    pub fn trace(&self, now: Nanos, port: LocalPort, frame: &[u8]) -> Trace {
        let mut steps = Steps::default();
        let mut decision = Decision::default();
        let parsed = Frame::parse(frame);
        pipeline::run(&self.tables, port.0, frame.len(), parsed, &mut steps, &mut decision);
        let punt = decision.punt(&self.tables).map(|trap_id| {
            let mut punt = self.tables.punted(port, trap_id, &decision);
            let policer = punt.policer.and_then(|pid| self.tables.policers.get(pid));
            punt.policed = policer.is_some_and(|policer| !policer.would_pass(now));
            punt
        });
        let wire: Vec<_> = decision
            .egress
            .iter()
            .map(|egress| TracedEgress {
                port: LocalPort(egress.port),
                vid: egress.tag,
                routed: egress.hop.is_some(),
            })
            .collect();
        let outcome = match (&punt, wire.is_empty()) {
            (Some(punt), true) if punt.policed => "policed",
            (Some(punt), false) if punt.policed => "wire",
            (Some(_), true) => "cpu",
            (Some(_), false) => "cpu+wire",
            (None, false) => "wire",
            (None, true) => "dropped",
        };
        let verdict = TraceVerdict { outcome, punt, wire, discards: decision.discards };
        Trace { port, steps: steps.0, verdict }
    }

    /// Carries out what the pipeline decided.
    fn apply(
        &mut self,
        now: Nanos,
        port: LocalPort,
        frame: Option<Frame<'_>>,
        out: &mut dyn Outlet,
    ) {
        let Self { tables, decision, .. } = self;
        tables.fdb.learn(&decision.learn, now);
        self.l2_lookups += u64::from(decision.l2_lookup);
        self.vrrp_fast_path += u64::from(decision.vrrp_fast_path);
        for reason in &decision.discards {
            *self.discards.entry(reason).or_default() += 1;
        }
        if let Some((rif, address)) = decision.neighbour
            && let Some(neighbour) = tables.neighbours.get_mut(rif, address)
        {
            neighbour.activity = true;
        }
        if let Some(index) = decision.adjacency
            && let Some(adjacency) = tables.adjacencies.get_mut(index)
        {
            adjacency.activity = true;
        }
        let Some(frame) = frame else { return };
        tables.count_routed(decision, frame.dmac());
        for egress in &decision.egress {
            let frame = rewrite::egress(&frame, egress.tag, egress.hop);
            if let Some(counters) = counters_of(&mut self.port_counters, egress.port) {
                counters.tx_packets += 1;
                counters.tx_bytes += len(frame.len());
            }
            out.wire(LocalPort(egress.port), &frame);
        }
        if let Some(trap_id) = decision.punt(tables) {
            self.deliver(now, port, frame.bytes(), trap_id, out);
        }
    }

    /// Sends a packet to the CPU, if the policer of its group lets it through.
    fn deliver(
        &mut self,
        now: Nanos,
        port: LocalPort,
        bytes: &[u8],
        trap_id: u16,
        out: &mut dyn Outlet,
    ) {
        let punt = self.tables.punted(port, trap_id, &self.decision);
        let passes = punt.policer.is_none_or(|pid| self.tables.policers.pass(pid, now));
        if let Some(state) = self.tables.traps.get_mut(trap_id) {
            if passes {
                state.packets += 1;
                state.bytes += len(bytes.len());
            } else {
                state.policed += 1;
            }
        }
        if passes {
            out.cpu(port, bytes, punt);
        }
    }
}

fn counters_of(counters: &mut [PortCounters], port: u16) -> Option<&mut PortCounters> {
    counters.get_mut(usize::from(port).checked_sub(1)?)
}

fn len(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
