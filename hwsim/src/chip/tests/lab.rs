//! A chip on the bench: registers written through EMAD frames, and a router with two sub-port interfaces.
//!
//! ```text
//!   port 1 ─ VID 4095 ─ FID 5120 ─ RIF 0 ─┐             10.0.1.1/32, 2001:db8:1::1/128: own
//!   port 2 ─ VID 4095 ─ FID 5121 ─ RIF 1 ─┴─ VR 0 ───── 10.0.2.0/24: external (trap)
//!   port 3 ─ nothing                                    traps: group by class, policed where a test says
//! ```

use emad::register::{
    Hpkt, HpktAction, Htgt, Qpcr, Ralta, Raltb, Ralue, RalueAction, RalueOp, Register, Rgcr, Ritr,
    RitrType, Sfd, SfdOp, SfdRecord, Sfmr, Spms, SpmsState, Spvid, Spvm, Spvmlr, Svfa, TrapAction,
};
use emad::{Frame, Mac, Method, Operation, Status};

use crate::chip::traps::id;
use crate::chip::{Chip, LocalPort, Nanos, Output, Personality, Punt};

pub(super) const RIF_MAC: Mac = Mac([0x02, 0, 0, 0, 0x10, 0x01]);
pub(super) const OWN_IPV4: &str = "10.0.1.1";
pub(super) const OWN_IPV6: &str = "2001:db8:1::1";
pub(super) const FID: u16 = 5120;

#[derive(Debug)]
pub(super) struct Lab {
    pub(super) chip: Chip,
    tid: u64,
    pub(super) now: Nanos,
}

impl Lab {
    /// A chip with four ports, all with carrier, and nothing else.
    pub(super) fn new(personality: &str) -> Self {
        let personality = Personality::load(personality).unwrap();
        let mut chip = Chip::new(personality, 4, "lab".into(), 1);
        for port in 1..=4 {
            chip.link(LocalPort(port), true);
        }
        Self { chip, tid: 100, now: Nanos(0) }
    }

    /// The router of the picture.
    pub(super) fn router() -> Self {
        let mut lab = Self::new("spectrum2");
        lab.write(Rgcr {
            ipv4_en: true,
            ipv6_en: true,
            max_router_interfaces: 1000,
            ..Rgcr::default()
        });
        for (tree, protocol) in
            [(1, emad::register::Protocol::Ipv4), (2, emad::register::Protocol::Ipv6)]
        {
            lab.write(Ralta { tree_id: tree, protocol, ..Ralta::default() });
            lab.write(Raltb { virtual_router: 0, tree_id: tree, protocol });
        }
        for (rif, port) in [(0, 1), (1, 2)] {
            lab.sub_port(rif, port, FID + rif);
        }
        for (prefix, len) in [(OWN_IPV4, 32), (OWN_IPV6, 128)] {
            lab.route(0, prefix, len, RalueAction::Ip2me { tunnel_ptr: None });
        }
        lab.route(0, "10.0.2.0", 24, trap_route(id::EXTERNAL_ROUTE));
        lab
    }

    /// A sub-port interface with its FID, MAC and classification of untagged frames.
    pub(super) fn sub_port(&mut self, rif: u16, port: u16, fid: u16) {
        self.write(Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
        self.write(sub_port_ritr(rif, port, fid));
        self.router_mac(fid, RIF_MAC);
        self.write(Spvid { local_port: port, pvid: 4095, ..Spvid::default() });
        self.write(Spvm::range(port, 4095..=4095, true, true));
        self.write(Spms::vlan(port, 4095, SpmsState::Forwarding));
        self.write(Spvmlr::range(port, 4095..=4095, false));
        self.write(Svfa::port_vid(port, 4095, fid, Some(rif)));
    }

    pub(super) fn router_mac(&mut self, fid: u16, mac: Mac) {
        self.write(Sfd::new(SfdOp::WRITE_EDIT, vec![SfdRecord::router(mac, fid)]));
    }

    pub(super) fn route(&mut self, vr: u16, prefix: &str, len: u8, action: RalueAction) {
        let dip = prefix.parse().unwrap();
        self.write(Ralue::new(RalueOp::WRITE_WRITE, vr, dip, len, action));
    }

    /// Sends traps of this id to the CPU, in a group of its own number and priority, without a policer.
    pub(super) fn trap(&mut self, trap_id: u16, group: u8, priority: u8) {
        self.write(Htgt::new(group, None, priority, priority));
        self.trap_action(trap_id, HpktAction::TrapToCpu, group);
    }

    pub(super) fn trap_action(&mut self, trap_id: u16, action: HpktAction, trap_group: u8) {
        self.write(Hpkt { trap_id, action, trap_group, ..Hpkt::default() });
    }

    pub(super) fn policer(&mut self, pid: u16, rate: u32, burst_log2: u8) {
        self.write(Qpcr {
            pid,
            cir: rate,
            cbs_log2: burst_log2,
            clear_counter: true,
            ..Qpcr::default()
        });
    }

    /// Every access is a frame, there and back.
    pub(super) fn access(
        &mut self,
        method: Method,
        register: &Register,
    ) -> Result<Register, Status> {
        self.tid += 1;
        let operation = Operation::request(register.id(), method, self.tid);
        let request = Frame::new(operation, register.encode()).unwrap().encode();
        let answer = self.chip.emad(self.now, &request).unwrap().expect("an answer");
        let answer = Frame::decode(&answer).unwrap();
        assert_eq!(answer.operation.tid, self.tid);
        assert!(answer.operation.response);
        assert_eq!(answer.operation.register_id, register.id());
        match answer.operation.status {
            Status::Ok => Ok(answer.register().unwrap()),
            status => {
                assert!(answer.text().is_some(), "a refusal says why");
                Err(status)
            }
        }
    }

    pub(super) fn try_write(&mut self, register: impl Into<Register>) -> Result<Register, Status> {
        self.access(Method::Write, &register.into())
    }

    pub(super) fn write(&mut self, register: impl Into<Register>) -> Register {
        let register = register.into();
        self.access(Method::Write, &register).unwrap_or_else(|s| panic!("{s} for {register:?}"))
    }

    pub(super) fn query(&mut self, register: impl Into<Register>) -> Result<Register, Status> {
        self.access(Method::Query, &register.into())
    }

    /// A frame from the wire: everything that leaves.
    pub(super) fn receive(&mut self, port: u16, frame: &[u8]) -> Vec<Output> {
        let traced = self.chip.trace(self.now, LocalPort(port), frame);
        let mut out = Vec::new();
        self.chip.receive(self.now, LocalPort(port), frame, &mut out);
        for output in &out {
            let (Output::Wire { port: left, .. } | Output::Cpu { port: left, .. }) = output;
            if matches!(output, Output::Wire { .. }) {
                assert_ne!(left.0, port, "a frame left by the port on which it came");
            }
        }
        // the trace is the same pipeline: it must have said so before
        let wires = out.iter().filter(|o| matches!(o, Output::Wire { .. })).count();
        assert_eq!(traced.verdict.wire.len(), wires);
        let punted = out.iter().find_map(punt_of);
        let expected = traced.verdict.punt.filter(|punt| !punt.policed);
        assert_eq!(expected.as_ref(), punted);
        out
    }

    /// The trap under which the CPU gets the frame; at most one copy.
    pub(super) fn trapped(&mut self, port: u16, frame: &[u8]) -> Option<&'static str> {
        let out = self.receive(port, frame);
        let mut punts = out.iter().filter_map(punt_of);
        let first = punts.next().map(|punt| punt.trap);
        assert!(punts.next().is_none(), "delivered twice");
        first
    }

    pub(super) fn discards(&self, reason: &str) -> u64 {
        self.chip.counters().discards.get(reason).copied().unwrap_or(0)
    }

    /// (`l2_lookups`, `vrrp_fast_path`)
    pub(super) fn lookups(&self) -> (u64, u64) {
        let counters = self.chip.counters();
        (counters.l2_lookups, counters.vrrp_fast_path)
    }
}

pub(super) fn punt_of(output: &Output) -> Option<&Punt> {
    match output {
        Output::Cpu { punt, .. } => Some(punt),
        Output::Wire { .. } => None,
    }
}

pub(super) fn sub_port_ritr(rif: u16, port: u16, fid: u16) -> Ritr {
    Ritr {
        rif,
        mtu: 1500,
        if_mac: RIF_MAC,
        kind: RitrType::SpIf { lag: false, system_port: port, efid: fid, vid: 0 },
        ..Ritr::default()
    }
}

/// Flexible actions of a multicast route that sends every packet to the CPU, as the driver writes them.
pub(super) fn trap_action_set(trap_id: u16) -> emad::register::FlexActions {
    let mut set = Box::new([0; 0xa8]);
    set[..4].copy_from_slice(&[3, 0, 0, 0]);
    set[4..8].copy_from_slice(&[2, 0, 0, 3]);
    set[8..12].copy_from_slice(&u32::from(trap_id).to_be_bytes());
    set
}

pub(super) fn trap_route(trap_id: u16) -> RalueAction {
    RalueAction::Local { trap_action: TrapAction::Trap, trap_id, local_erif: 0 }
}
