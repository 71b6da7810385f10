//! What does the chip do with this frame? Reads the tables, changes nothing: the outcome is a [`Decision`].
//!
//! ```text
//!   wire ─▶ carrier ─▶ link-local traps ─▶ LAG ─▶ VLAN ─▶ STP ─▶ FID, iRIF ─▶ learning ─▶ snooping ─▶ destination
//!                                                                                     │
//!     VRRP id of the iRIF or FDB record "router" ──────────────────▶ router ◀── copy of flooding
//!     FDB record of a port or LAG ──▶ it                              │
//!     group address ──▶ flood vector                                  ├▶ checks, control traps
//!     unknown ──▶ flood vector; sub-port FID: dropped                 ├▶ routes ─▶ CPU, neighbour or next hop
//! ```
//!
//! A packet may match several traps. It is delivered once, for the one whose group has the highest priority
//! (mlxsw `reg.h`, HTGT.priority); among equals for the first that matched.

mod bridge;
mod control;
mod forward;
mod hash;
mod lag;
mod multipath;
mod router;

use std::net::IpAddr;

use emad::register::Sfmr;

use super::fdb::{Learning, Place};
use super::port::StpState;
use super::rif_counter::Passage;
use super::tables::Tables;
use super::trace::{Recorder, Silent};
use super::traps::{self, TrapAction, id};
use crate::packet::rewrite::NextHop;
use crate::packet::{Frame, L3};

/// At most so many traps of one packet compete; a packet cannot match more.
const MAX_MATCHES: usize = 8;

/// One copy that leaves by a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Egress {
    /// The port.
    pub(crate) port: u16,
    /// The tag.
    pub(crate) tag: Option<u16>,
    /// The router's rewrite.
    pub(crate) hop: Option<NextHop>,
}

/// What becomes of a frame, and which state it changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decision {
    /// What the source address means to the FDB.
    pub(crate) learn: Learning,
    /// The destination was looked up in the FDB.
    pub(crate) l2_lookup: bool,
    /// The destination was the virtual MAC in a VRRP slot of the iRIF.
    pub(crate) vrrp_fast_path: bool,
    /// The neighbour to whom it was routed, unless that was active already.
    pub(crate) neighbour: Option<(u16, IpAddr)>,
    /// The adjacency that it took, unless that was active already.
    pub(crate) adjacency: Option<u32>,
    /// What it was to the router interface by which it came.
    pub(crate) routed_in: Option<Passage>,
    /// The router interface by which it leaves, and its bytes of layer 3.
    pub(crate) routed_out: Option<(u16, u32)>,
    /// The LAG of the ingress port.
    pub(crate) lag: Option<u16>,
    /// The ingress router interface, once it is known.
    pub(crate) rif: Option<u16>,
    /// The VLAN and the FID, once they are known.
    pub(crate) vid: Option<u16>,
    pub(crate) fid: Option<u16>,
    /// Copies that leave.
    pub(crate) egress: Vec<Egress>,
    /// Why it, or a copy of it, was dropped.
    pub(crate) discards: Vec<&'static str>,
    matches: [u16; MAX_MATCHES],
    match_count: usize,
}

impl Decision {
    /// As new, but for the memory.
    fn clear(&mut self) {
        let (mut egress, mut discards) =
            (std::mem::take(&mut self.egress), std::mem::take(&mut self.discards));
        egress.clear();
        discards.clear();
        *self = Self { egress, discards, ..Self::default() };
    }

    /// The trap under which the CPU gets the packet.
    pub(crate) fn punt(&self, tables: &Tables) -> Option<u16> {
        let priority = |id: u16| {
            let group = tables.traps.get(id).and_then(|(_, state)| state.group);
            group.map_or(0, |group| tables.group(group).priority)
        };
        let matches = &self.matches[..self.match_count];
        // max_by_key takes the last of equals; reversed, that is the first
        matches.iter().rev().copied().max_by_key(|id| priority(*id))
    }
}

/// Does forwarding go on after a trap matched?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// It goes on.
    Go,
    /// It has ended; traps that match later still compete for the delivery.
    Stop,
    /// It has ended, and nothing is delivered.
    Dropped,
}

/// One frame on its way.
struct Walk<'a, R> {
    tables: &'a Tables,
    recorder: &'a mut R,
    port: u16,
    frame: Frame<'a>,
    l3: L3<'a>,
    /// The hash that picks members of LAGs, once somebody asked.
    hash: Option<u32>,
    /// The router sends it out of the interface by which it came.
    same_rif: bool,
    decision: &'a mut Decision,
}

/// Takes a frame of so many bytes through the pipeline, `None` if it is too short for one; `decision` becomes what was decided.
pub(crate) fn run<R: Recorder>(
    tables: &Tables,
    port: u16,
    len: usize,
    frame: Option<Frame<'_>>,
    recorder: &mut R,
    decision: &mut Decision,
) {
    decision.clear();
    let Some(frame) = frame else {
        recorder.step("port", "frame", || format!("{len} bytes"), || "too short".into());
        decision.discards.push("runt");
        return;
    };
    Walk::new(tables, recorder, port, frame, decision).ingress();
}

/// To where a frame of the FID that came in on `port` is flooded: the copies of a group membership message that
/// software forwards after the chip trapped it.
pub(crate) fn flooded(
    tables: &Tables,
    port: u16,
    fid: &Sfmr,
    vid: u16,
    bytes: &[u8],
) -> Vec<Egress> {
    let Some(frame) = Frame::parse(bytes) else { return Vec::new() };
    let recorder = &mut Silent;
    let mut decision = Decision::default();
    let mut walk = Walk::new(tables, recorder, port, frame, &mut decision);
    walk.decision.vid = Some(vid);
    walk.flood_group(fid, vid);
    decision.egress
}

impl<'a, R: Recorder> Walk<'a, R> {
    fn new(
        tables: &'a Tables,
        recorder: &'a mut R,
        port: u16,
        frame: Frame<'a>,
        decision: &'a mut Decision,
    ) -> Self {
        decision.lag = tables.lags.of_port(port).map(|member| member.lag);
        Self {
            tables,
            recorder,
            port,
            frame,
            l3: frame.l3(),
            hash: None,
            same_rif: false,
            decision,
        }
    }

    fn step(
        &mut self,
        stage: &'static str,
        table: &'static str,
        key: impl FnOnce() -> String,
        result: impl FnOnce() -> String,
    ) {
        self.recorder.step(stage, table, key, result);
    }

    fn discard(&mut self, reason: &'static str) {
        self.step("drop", "drop", || reason.into(), || "dropped".into());
        self.decision.discards.push(reason);
    }

    /// A trap matched: notes it if it delivers; says whether forwarding goes on.
    fn hit(&mut self, trap_id: u16) -> Flow {
        let action = self.tables.traps.action(trap_id);
        let name = traps::by_id(trap_id).map_or("unknown", |(_, trap)| trap.name);
        self.step("trap", "hpkt", || format!("{name} (0x{trap_id:x})"), || format!("{action:?}"));
        match action {
            TrapAction::Forward => Flow::Go,
            TrapAction::Mirror => {
                self.deliver(trap_id);
                Flow::Go
            }
            TrapAction::Trap | TrapAction::TrapSoftDiscard | TrapAction::TrapException => {
                self.deliver(trap_id);
                Flow::Stop
            }
            TrapAction::SoftDiscard => {
                self.decision.discards.push(name);
                Flow::Stop
            }
            TrapAction::Discard => {
                self.decision.discards.push(name);
                self.decision.match_count = 0;
                Flow::Dropped
            }
        }
    }

    /// A further trap matched: as [`Walk::hit`], but once forwarding has ended only traps that deliver count.
    fn then(&mut self, flow: Flow, trap_id: u16) -> Flow {
        match flow {
            Flow::Go => return self.hit(trap_id),
            Flow::Stop => {}
            Flow::Dropped => return flow,
        }
        match self.tables.traps.action(trap_id) {
            TrapAction::Forward | TrapAction::SoftDiscard | TrapAction::Discard => {}
            _ => _ = self.hit(trap_id),
        }
        flow
    }

    fn deliver(&mut self, trap_id: u16) {
        if let Some(slot) = self.decision.matches.get_mut(self.decision.match_count) {
            *slot = trap_id;
            self.decision.match_count += 1;
        }
    }

    /// Is the port the one on which the frame came, or another of the same LAG?
    fn is_ingress(&self, port: u16) -> bool {
        let lag = || self.tables.lags.of_port(port).map(|member| member.lag);
        port == self.port || self.decision.lag.is_some() && lag() == self.decision.lag
    }

    /// May the frame leave by this port? Where it came in only if the router sends it out of another interface.
    fn may_leave_by(&self, port: u16, routed: bool) -> bool {
        routed && !self.same_rif || !self.is_ingress(port)
    }

    /// Carrier, LAG, VLAN, spanning tree, FID, learning, link-layer traps; then the destination.
    fn ingress(&mut self) {
        let number = self.port;
        let Some(port) = self.tables.ports.get(number).filter(|port| port.up) else {
            return self.discard("port_down");
        };
        let smac = self.frame.smac();
        if smac.is_multicast() && self.hit(id::SMAC_MULTICAST) != Flow::Go {
            return;
        }
        // link-local control frames do not belong to a VLAN and pass every spanning-tree state
        if let Some(trap) = control::link_local(&self.frame)
            && self.hit(trap) != Flow::Go
        {
            return;
        }

        if let Some(member) = self.tables.lags.of_port(number) {
            self.step(
                "lag",
                "slcor",
                || format!("port {number}"),
                || {
                    let state = if member.collects { "collects" } else { "does not collect" };
                    format!("lag {} {state}", member.lag)
                },
            );
            if !member.collects {
                return self.discard("lag_not_collecting");
            }
        }
        if !port.admitted.admits(self.frame.vid()) && self.hit(id::VLAN_TAG_MISMATCH) != Flow::Go {
            return;
        }

        let tag = self.frame.vid().filter(|vid| *vid != 0);
        let vid = tag.unwrap_or(port.pvid);
        self.decision.vid = Some(vid);
        // 4095 is reserved on the wire; inside it is where the driver puts untagged frames
        let member = port.lets_in(vid) && tag != Some(4095);
        self.step(
            "vlan",
            if tag.is_some() { "spvm" } else { "spvid" },
            || format!("port {number} vid {vid}"),
            || (if member { "member" } else { "not a member" }).into(),
        );
        if !member && self.hit(id::INGRESS_VLAN_FILTER) != Flow::Go {
            return;
        }

        let stp = port.stp(vid);
        self.step("stp", "spms", || format!("port {number} vid {vid}"), || format!("{stp:?}"));
        if stp == StpState::Discarding {
            self.hit(id::INGRESS_STP_FILTER);
            return;
        }

        let by_port = self.tables.classification.by_port_vid(self.port, vid);
        let mapping = by_port.or_else(|| self.tables.classification.by_vid(vid));
        let fid = mapping.and_then(|mapping| self.tables.fids.get(mapping.fid));
        self.step(
            "fid",
            if by_port.is_some() { "svfa port_vid" } else { "svfa vid" },
            || format!("port {number} vid {vid}"),
            || match mapping {
                Some(m) if fid.is_some() => format!("fid {} irif {:?}", m.fid, m.irif),
                Some(m) => format!("fid {} does not exist", m.fid),
                None => "no mapping".into(),
            },
        );
        let (Some(mapping), Some(fid)) = (mapping, fid) else {
            self.hit(id::FID_MISS);
            return;
        };
        self.decision.fid = Some(mapping.fid);
        self.decision.rif = mapping.irif;

        if port.learns(vid) && !smac.is_multicast() {
            let place = self.decision.lag.map_or(Place::Port(self.port), Place::Lag);
            self.decision.learn = self.tables.fdb.learnt(mapping.fid, smac, place);
            let new = matches!(self.decision.learn, Learning::New(_));
            self.step(
                "learning",
                "sfd",
                || format!("fid {} mac {smac}", mapping.fid),
                || (if new { "learnt" } else { "nothing to learn" }).into(),
            );
        }
        if stp == StpState::Learning {
            self.hit(id::INGRESS_STP_FILTER);
            return;
        }

        if let Some(trap) = control::snooping(&self.l3)
            && self.hit(trap) != Flow::Go
        {
            return;
        }
        self.destination(fid, vid);
    }
}
