//! A chip whose tables are as full as those of a router in use, and packets that spread over all of them.
//!
//! ```text
//!   64 ports ┬ 936 VLANs on ports ── a sub-port RIF each ──┐            connected: a /24 a RIF, its hosts in RAUHT
//!            └  64 VLANs of a bridge ─ a VLAN RIF each ────┴─ VR 0 ──── remote: /8 to /32, groups of 1, 2 or 4 next hops
//!               two ports each, hosts in the FDB                        every route and every host has a flow
//! ```

use std::net::{IpAddr, Ipv4Addr};

use emad::register::{
    Hpkt, HpktAction, Htgt, Protocol, Ralta, Raltb, Ralue, RalueAction, RalueOp, Ratr, RatrOp,
    Rauht, RauhtOp, Recr2, Register, Reiv, Rgcr, Ritr, RitrType, Sfd, SfdAction, SfdOp, SfdPolicy,
    SfdRecord, Sfmr, Spms, SpmsState, Spvm, Spvmlr, Svfa, TrapAction,
};
use emad::{Frame, Mac, Method, Operation, Status};
use hwsim::chip::traps::id;
use hwsim::chip::{Chip, LocalPort, Nanos, Personality};

const PORTS: u16 = 64;
const SUB_PORTS: u16 = 936;
const VLANS: u16 = 64;
const RIFS: u16 = SUB_PORTS + VLANS;
/// The first of them lead to the next hops of remote routes.
const UPLINKS: u16 = 200;
const RIF_MAC: Mac = Mac([0x02, 0, 0, 0, 0x10, 0x01]);
/// Lengths of a hundred remote prefixes, much as on the Internet: mostly 24.
const LENGTHS: [(u8, u32); 12] = [
    (8, 1),
    (12, 1),
    (14, 1),
    (16, 4),
    (18, 2),
    (19, 4),
    (20, 6),
    (21, 5),
    (22, 10),
    (23, 8),
    (24, 53),
    (32, 5),
];

/// How much is in the tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) routes: u32,
    pub(crate) hosts: u32,
    pub(crate) next_hops: u32,
}

/// A flow's frame and where it comes in.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) port: LocalPort,
    pub(crate) frame: [u8; 64],
}

/// The chip, and a flow for each of its routes and hosts in random order.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) chip: Chip,
    pub(crate) flows: Vec<Flow>,
    /// Register writes that made it.
    pub(crate) writes: u64,
}

/// A router interface as its packets see it.
#[derive(Debug, Clone, Copy)]
struct Interface {
    rif: u16,
    port: u16,
    vid: u16,
}

fn interface(rif: u16) -> Interface {
    let vid = if rif < SUB_PORTS { 100 + rif / PORTS } else { 2000 + rif };
    Interface { rif, port: 1 + rif % PORTS, vid }
}

fn host_mac(number: u32) -> Mac {
    let [a, b, c, d] = number.to_be_bytes();
    Mac([0x02, 0x01, a, b, c, d])
}

/// xorshift64*: the same numbers in every run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let roll = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        u32::try_from((roll * u64::from(limit)) >> 32).expect("below the limit")
    }
}

impl Network {
    /// Makes it.
    pub(crate) fn new(size: Size) -> Network {
        let personality = Personality::load("spectrum2").expect("built in");
        let mut chip = Chip::new(personality, PORTS, "bench".into(), 1);
        for port in 1..=PORTS {
            chip.link(LocalPort(port), true);
        }
        let mut network = Network { chip, flows: Vec::new(), writes: 0 };
        network.start_router();
        for rif in 0..RIFS {
            network.interface(interface(rif));
        }
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        network.hosts(size, &mut dice);
        network.routes(size, &mut dice);
        for at in (1..network.flows.len()).rev() {
            let other = dice.below(u32::try_from(at + 1).expect("few flows"));
            network.flows.swap(at, other as usize);
        }
        network
    }

    /// Makes every flow DHCP, of which the CPU gets copies from now on.
    pub(crate) fn mirror(&mut self) {
        self.write(Htgt::new(1, None, 1, 1));
        let (trap_id, action) = (id::IPV4_DHCP, HpktAction::MirrorToCpu);
        self.write(Hpkt { trap_id, action, trap_group: 1, ..Hpkt::default() });
        for flow in &mut self.flows {
            flow.frame[40..42].copy_from_slice(&67_u16.to_be_bytes());
        }
    }

    fn write(&mut self, register: impl Into<Register>) {
        let register = register.into();
        let operation = Operation::request(register.id(), Method::Write, self.writes);
        let request = Frame::new(operation, register.encode()).expect("fits").encode();
        let answer = self.chip.emad(Nanos(0), &request).expect("an EMAD").expect("an answer");
        let answer = Frame::decode(&answer).expect("an EMAD");
        assert_eq!(answer.operation.status, Status::Ok, "{register:?}: {:?}", answer.text());
        self.writes += 1;
    }

    fn start_router(&mut self) {
        let rgcr = Rgcr { ipv4_en: true, max_router_interfaces: RIFS, ..Rgcr::default() };
        self.write(rgcr);
        let protocol = Protocol::Ipv4;
        self.write(Ralta { tree_id: 1, protocol, ..Ralta::default() });
        self.write(Raltb { virtual_router: 0, tree_id: 1, protocol });
        // layer 3 and 4, as the driver writes it for fib_multipath_hash_policy = 1
        let headers = [Recr2::IPV4_TCP_UDP, Recr2::PORTS_IPV4];
        let fields = (Recr2::IPV4_SIP..=Recr2::IPV4_PROTOCOL).chain([Recr2::SPORT, Recr2::DPORT]);
        self.write(Recr2 {
            seed: 0x5eed,
            outer_header_enables: headers.into(),
            outer_fields: fields.collect(),
            ..Recr2::default()
        });
    }

    fn interface(&mut self, Interface { rif, port, vid }: Interface) {
        let (fid, kind, ports) = if rif < SUB_PORTS {
            let fid = 5120 + rif;
            let kind = RitrType::SpIf { lag: false, system_port: port, efid: fid, vid: 0 };
            self.write(Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
            (fid, kind, vec![port])
        } else {
            self.write(Sfmr { fid: vid, fid_offset: vid, ..Sfmr::default() });
            (vid, RitrType::VlanIf { vlan_id: vid, efid: vid }, vec![port, 1 + port % PORTS])
        };
        self.write(Ritr { rif, mtu: 1500, if_mac: RIF_MAC, kind, ..Ritr::default() });
        self.write(Sfd::new(SfdOp::WRITE_EDIT, vec![SfdRecord::router(RIF_MAC, fid)]));
        for port in ports {
            self.write(Spvm::range(port, vid..=vid, true, false));
            self.write(Spms::vlan(port, vid, SpmsState::Forwarding));
            self.write(Spvmlr::range(port, vid..=vid, rif >= SUB_PORTS));
        }
        if rif < SUB_PORTS {
            self.write(Svfa::port_vid(port, vid, fid, Some(rif)));
            self.write(Reiv::port(rif, port, vid));
        } else {
            self.write(Svfa::vid(vid, fid, Some(rif)));
        }
        let [high, low] = rif.to_be_bytes();
        self.route([10, high, low, 1].into(), 32, RalueAction::Ip2me { tunnel_ptr: None });
        let trap_action = TrapAction::Nop;
        let connected = RalueAction::Local { trap_action, trap_id: 0, local_erif: rif };
        self.route([10, high, low, 0].into(), 24, connected);
    }

    fn route(&mut self, prefix: Ipv4Addr, length: u8, action: RalueAction) {
        self.write(Ralue::new(RalueOp::WRITE_WRITE, 0, prefix.into(), length, action));
    }

    /// The hosts of the connected networks, with a flow to each.
    fn hosts(&mut self, size: Size, dice: &mut Dice) {
        for number in 0..size.hosts {
            let rif = u16::try_from(number % u32::from(RIFS)).expect("below RIFS");
            let [high, low] = rif.to_be_bytes();
            let last = u8::try_from(2 + number / u32::from(RIFS)).expect("at most 254 a network");
            let (dip, mac) = (Ipv4Addr::from([10, high, low, last]), host_mac(number));
            self.write(Rauht::new(RauhtOp::WRITE_ADD, rif, mac, IpAddr::V4(dip)));
            let Interface { port, vid, .. } = interface(rif);
            if rif >= SUB_PORTS {
                let (policy, action) = (SfdPolicy::Dynamic, SfdAction::Nop);
                let record = SfdRecord::unicast(policy, mac, vid, vid, action, port);
                self.write(Sfd::new(SfdOp::WRITE_EDIT, vec![record]));
            }
            let other = u16::try_from(dice.below((RIFS - 1).into())).expect("below RIFS");
            self.flow((rif + 1 + other) % RIFS, dip, dice);
        }
    }

    /// The remote routes, with a flow to each.
    fn routes(&mut self, size: Size, dice: &mut Dice) {
        for adjacency_index in 0..size.next_hops {
            let rif = u16::try_from(dice.below(UPLINKS.into())).expect("below RIFS");
            self.write(Ratr {
                op: RatrOp::WRITE_WRITE_ENTRY,
                v: true,
                adjacency_index,
                egress_router_interface: rif,
                eth_destination_mac: host_mac(0x8000_0000 | adjacency_index),
                ..Ratr::default()
            });
        }
        for _ in 0..size.routes {
            let mut percent = dice.below(100);
            let of = |&&(_, share): &&(u8, u32)| {
                let here = percent < share;
                percent = percent.wrapping_sub(share);
                here
            };
            let length = LENGTHS.iter().find(of).map_or(24, |(length, _)| *length);
            let (base, host) = (16 << 24, dice.below(u32::MAX));
            let mask = u32::MAX << (32 - length);
            // 16.0.0.0 to 111.255.255.255
            let prefix = (base + dice.below(96 << 24)) & mask;
            let ecmp_size = [1, 1, 2, 4][dice.below(4) as usize];
            let adjacency_index = dice.below(size.next_hops - 3);
            let trap_action = TrapAction::Nop;
            let action =
                RalueAction::Remote { trap_action, trap_id: 0, adjacency_index, ecmp_size };
            self.route(prefix.into(), length, action);
            let rif = u16::try_from(dice.below((RIFS - UPLINKS).into())).expect("below RIFS");
            self.flow(UPLINKS + rif, (prefix | (host & !mask)).into(), dice);
        }
    }

    /// A UDP packet of 46 bytes that comes in on the interface.
    fn flow(&mut self, rif: u16, destination: Ipv4Addr, dice: &mut Dice) {
        let Interface { port, vid, .. } = interface(rif);
        let [high, low] = rif.to_be_bytes();
        let mut frame = RIF_MAC.octets().to_vec();
        frame.extend(host_mac(0xc000_0000 | u32::from(rif)).octets());
        frame.extend([0x81, 0x00]);
        frame.extend(vid.to_be_bytes());
        frame.extend([0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, high, low, 200]);
        frame.extend(destination.octets());
        let checksum = hwsim::packet::ipv4::checksum(&frame[18..38]);
        frame[28..30].copy_from_slice(&checksum.to_be_bytes());
        let source_port = u16::try_from(1024 + dice.below(60_000)).expect("below 65,536");
        frame.extend(source_port.to_be_bytes());
        frame.extend([0, 53, 0, 26, 0, 0]);
        frame.resize(64, 0x5a);
        let frame = frame.try_into().expect("64 bytes");
        self.flows.push(Flow { port: LocalPort(port), frame });
    }
}
