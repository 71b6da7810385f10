//! A chip on the bench: registers written through EMAD frames, and a router with two sub-port interfaces.
//!
//! ```text
//!   port 1 ─ VID 4095 ─ FID 5120 ─ RIF 0 ─┐             10.0.1.1/32, 2001:db8:1::1/128: own
//!   port 2 ─ VID 4095 ─ FID 5121 ─ RIF 1 ─┴─ VR 0 ───── 10.0.2.0/24: external (trap)
//!   port 3 ─ nothing                                    traps: group by class, policed where a test says
//! ```

use emad::register::{
    BridgeType, FloodType, Hpkt, HpktAction, Htgt, Qpcr, Ralta, Raltb, Ralue, RalueAction, RalueOp,
    Register, Rgcr, Ritr, RitrType, Sfd, SfdOp, SfdRecord, Sfgc, Sfmr, Sfn, SfnRecord, Slcor, Sldr,
    Smid2, Spms, SpmsState, Spvid, Spvm, Spvmlr, Svfa, TrapAction,
};
use emad::{Frame, Mac, Method, Operation, Status};

use crate::chip::traps::id;
use crate::chip::{Chip, LocalPort, Nanos, Output, Personality, Punt};

pub(super) const RIF_MAC: Mac = Mac([0x02, 0, 0, 0, 0x10, 0x01]);
pub(super) const OWN_IPV4: &str = "10.0.1.1";
pub(super) const OWN_IPV6: &str = "2001:db8:1::1";
pub(super) const FID: u16 = 5120;

/// First multicast ids of unknown unicast, multicast and broadcast, for 802.1Q and 802.1D FIDs.
const FLOOD_DOT1Q: [u16; 3] = [0, 4096, 8192];
const FLOOD_DOT1D: [u16; 3] = [12288, 13312, 14336];

#[derive(Debug)]
pub(super) struct Lab {
    pub(super) chip: Chip,
    tid: u64,
    pub(super) now: Nanos,
}

impl Lab {
    /// A chip with four ports, all with carrier, and nothing else.
    pub(super) fn new(personality: &str) -> Self {
        Self::with_ports(personality, 4)
    }

    /// The same with another number of ports.
    pub(super) fn with_ports(personality: &str, ports: u16) -> Self {
        let personality = Personality::load(personality).unwrap();
        let mut chip = Chip::new(personality, ports, "lab".into(), 1);
        for port in 1..=ports {
            chip.link(LocalPort(port), true);
        }
        Self { chip, tid: 100, now: Nanos(0) }
    }

    /// Routing on, with a tree for each family in virtual router 0.
    pub(super) fn start_router(&mut self) {
        let max_router_interfaces = self.chip.personality().rifs;
        self.write(Rgcr { ipv4_en: true, ipv6_en: true, max_router_interfaces, ..Rgcr::default() });
        for (tree, protocol) in
            [(1, emad::register::Protocol::Ipv4), (2, emad::register::Protocol::Ipv6)]
        {
            self.write(Ralta { tree_id: tree, protocol, ..Ralta::default() });
            self.write(Raltb { virtual_router: 0, tree_id: tree, protocol });
        }
    }

    /// The router of the picture.
    pub(super) fn router() -> Self {
        let mut lab = Self::new("spectrum2");
        lab.start_router();
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

    /// The flood tables of both bridge types: unknown unicast, multicast, broadcast.
    pub(super) fn flood_tables(&mut self) {
        for (bridge_type, bases) in
            [(BridgeType::Type0, FLOOD_DOT1Q), (BridgeType::Type1, FLOOD_DOT1D)]
        {
            for kind in FloodType::NAMED {
                let mid_base = match kind {
                    FloodType::UnknownUnicast => bases[0],
                    FloodType::Broadcast => bases[2],
                    _ => bases[1],
                };
                self.write(Sfgc { kind: *kind, bridge_type, mid_base, ..Sfgc::default() });
            }
        }
    }

    /// A VLAN of the VLAN-aware bridge, FID = VID, with its ports: (port, untagged).
    pub(super) fn dot1q(&mut self, vid: u16, ports: &[(u16, bool)]) {
        self.write(Sfmr { fid: vid, fid_offset: vid, ..Sfmr::default() });
        self.write(Svfa::vid(vid, vid, None));
        for (port, untagged) in ports {
            self.write(Spvm::range(*port, vid..=vid, true, *untagged));
            self.write(Spms::vlan(*port, vid, SpmsState::Forwarding));
            if *untagged {
                self.write(Spvid { local_port: *port, pvid: vid, ..Spvid::default() });
            }
            for base in FLOOD_DOT1Q {
                self.write(Smid2::member(base + vid, *port, true, None));
            }
        }
    }

    /// A VLAN-unaware bridge with its ports: (port, VID), 4095 for untagged.
    pub(super) fn dot1d(&mut self, fid: u16, ports: &[(u16, u16)]) {
        let offset = fid - 4095;
        self.write(Sfmr { fid, bridge_type: true, fid_offset: offset, ..Sfmr::default() });
        for (port, vid) in ports {
            self.write(Svfa::port_vid(*port, *vid, fid, None));
            self.write(Spvm::range(*port, *vid..=*vid, true, *vid == 4095));
            self.write(Spms::vlan(*port, *vid, SpmsState::Forwarding));
            if *vid == 4095 {
                self.write(Spvid { local_port: *port, pvid: 4095, ..Spvid::default() });
            }
            for base in FLOOD_DOT1D {
                self.write(Smid2::member(base + offset, *port, true, None));
            }
        }
    }

    /// A VLAN interface on a VLAN of [`Lab::dot1q`].
    pub(super) fn vlan_if(&mut self, rif: u16, vid: u16) {
        let kind = RitrType::VlanIf { vlan_id: vid, efid: vid };
        self.write(Ritr { rif, mtu: 1500, if_mac: RIF_MAC, kind, ..Ritr::default() });
        let router = self.chip.port_count() + 1;
        for base in &FLOOD_DOT1Q[1..] {
            self.write(Smid2::member(base + vid, router, true, None));
        }
        self.router_mac(vid, RIF_MAC);
        self.write(Svfa::vid(vid, vid, Some(rif)));
    }

    /// A LAG of these ports, all of which send and receive.
    pub(super) fn lag(&mut self, lag: u16, ports: &[u16]) {
        self.write(Sldr::create(lag));
        for (place, port) in (0..).zip(ports) {
            self.write(Slcor::add_port(*port, lag, place));
            self.write(Slcor::collector(*port, lag, true));
            self.write(Sldr::add_port(lag, *port));
        }
    }

    /// Everything that SFN has to say.
    pub(super) fn notes(&mut self) -> Vec<SfnRecord> {
        let Ok(Register::Sfn(sfn)) = self.query(Sfn::default()) else { panic!("SFN is readable") };
        sfn.records
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
        // the trace is the same pipeline: it must have said so before
        let wires = out.iter().filter_map(|output| match output {
            Output::Wire { port, .. } => Some(*port),
            Output::Cpu { .. } => None,
        });
        assert!(traced.verdict.wire.iter().map(|egress| egress.port).eq(wires));
        for egress in &traced.verdict.wire {
            assert!(egress.routed || egress.port.0 != port, "bridged back to where it came from");
        }
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

/// The ports by which copies left, in order, with the VLAN of their tag.
pub(super) fn wires(out: &[Output]) -> Vec<(u16, Option<u16>)> {
    let mut wires: Vec<_> = out
        .iter()
        .filter_map(|output| match output {
            Output::Wire { port, frame } => {
                Some((port.0, crate::packet::Frame::parse(frame).unwrap().vid()))
            }
            Output::Cpu { .. } => None,
        })
        .collect();
    wires.sort_unstable();
    wires
}

/// A locally administered MAC.
pub(super) fn mac(last: u8) -> Mac {
    Mac([0x02, 0, 0, 0, 0, last])
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
