//! The least that a chip needs to be told to hand packets to the CPU, and frames to send to it.
//!
//! ```text
//!   port N ─ untagged ─ FID 5120+N ─ RIF N    ── 10.0.N.1/32: own, class 2
//!          └ VID 100  ─ FID 5220+N ─ RIF 50+N    0.0.0.0/0: external, class 1
//!                                                ARP: class 3
//! ```

use emad::register::{
    Hpkt, HpktAction, Htgt, Ralta, Raltb, Ralue, RalueAction, RalueOp, Register, Rgcr, Ritr,
    RitrType, Sfd, SfdOp, SfdRecord, Sfmr, Spms, SpmsState, Spvid, Spvm, Spvmlr, Svfa, TrapAction,
};
use emad::{Frame, Mac, Method, Operation, Status};
use hwsim::chip::traps::id;
use hwsim::client::Connection;

/// The default base address of the simulator.
const BASE_MAC: [u8; 5] = [0x02, 0x00, 0x5e, 0x10, 0x00];

/// The address of a port's CPU side and router interface.
pub(crate) fn port_mac(port: u8) -> [u8; 6] {
    let [a, b, c, d, e] = BASE_MAC;
    [a, b, c, d, e, port]
}

/// One write, acknowledged.
pub(crate) fn write(connection: &mut Connection, register: impl Into<Register>) {
    let register = register.into();
    let operation = Operation::request(register.id(), Method::Write, 1);
    let request = Frame::new(operation, register.encode()).unwrap().encode();
    connection.send(&request).unwrap();
    let answer = Frame::decode(&connection.receive().unwrap()).unwrap();
    assert_eq!(answer.operation.status, Status::Ok, "{register:?}: {:?}", answer.text());
}

/// Makes the chip the router of the picture, with ports 1 to `ports`.
pub(crate) fn program(chip: &mut Connection, ports: u8) {
    let ipv4 = emad::register::Protocol::Ipv4;
    write(
        chip,
        Rgcr { ipv4_en: true, ipv6_en: true, max_router_interfaces: 100, ..Rgcr::default() },
    );
    write(chip, Ralta { tree_id: 1, protocol: ipv4, ..Ralta::default() });
    write(chip, Raltb { virtual_router: 0, tree_id: 1, protocol: ipv4 });
    let traps = [
        (id::EXTERNAL_ROUTE, 1),
        (id::LOCAL_ROUTE, 2),
        (id::ARP_REQUEST, 3),
        (id::ARP_RESPONSE, 3),
    ];
    for (trap_id, group) in traps {
        write(chip, Htgt::new(group, None, group, group));
        let action = HpktAction::TrapToCpu;
        write(chip, Hpkt { trap_id, action, trap_group: group, ..Hpkt::default() });
    }
    for port in 1..=ports {
        interface(chip, port);
        let own = RalueAction::Ip2me { tunnel_ptr: None };
        route(chip, &format!("10.0.{port}.1"), 32, own);
    }
    let external = RalueAction::Local {
        trap_action: TrapAction::Trap,
        trap_id: id::EXTERNAL_ROUTE,
        local_erif: 0,
    };
    route(chip, "0.0.0.0", 0, external);
}

fn route(chip: &mut Connection, prefix: &str, length: u8, action: RalueAction) {
    let prefix = prefix.parse().unwrap();
    write(chip, Ralue::new(RalueOp::WRITE_WRITE, 0, prefix, length, action));
}

fn interface(chip: &mut Connection, port: u8) {
    let local_port = u16::from(port);
    let mac = Mac(port_mac(port));
    for (rif, fid, vid, tag) in
        [(local_port, 5120 + local_port, 4095, 0), (50 + local_port, 5220 + local_port, 100, 100)]
    {
        write(chip, Sfmr { fid, flood_rsp: true, ..Sfmr::default() });
        let kind = RitrType::SpIf { lag: false, system_port: local_port, efid: fid, vid: tag };
        write(chip, Ritr { rif, mtu: 1500, if_mac: mac, kind, ..Ritr::default() });
        write(chip, Sfd::new(SfdOp::WRITE_EDIT, vec![SfdRecord::router(mac, fid)]));
        write(chip, Spvm::range(local_port, vid..=vid, true, tag == 0));
        write(chip, Spms::vlan(local_port, vid, SpmsState::Forwarding));
        write(chip, Spvmlr::range(local_port, vid..=vid, false));
        write(chip, Svfa::port_vid(local_port, vid, fid, Some(rif)));
    }
    write(chip, Spvid { local_port, pvid: 4095, ..Spvid::default() });
}

/// An ARP request of a host on `port` for the router's address there.
pub(crate) fn arp_request(port: u8, tag: Option<u16>) -> Vec<u8> {
    let host = [0x02, 0, 0, 0, 9, port];
    let mut frame = vec![0xff; 6];
    frame.extend(host);
    if let Some(vid) = tag {
        frame.extend([0x81, 0x00]);
        frame.extend(vid.to_be_bytes());
    }
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(host);
    frame.extend([10, 0, port, 2]);
    frame.extend([0; 6]);
    frame.extend([10, 0, port, 1]);
    frame.resize(60, 0);
    frame
}

/// A UDP packet from a host on `port` to the router's address there, or through it.
pub(crate) fn udp(port: u8, destination: [u8; 4], length: usize) -> Vec<u8> {
    let mut frame = port_mac(port).to_vec();
    frame.extend([0x02, 0, 0, 0, 9, port, 0x08, 0x00]);
    let total = u16::try_from(length - 14).unwrap();
    let mut header = vec![0x45, 0];
    header.extend(total.to_be_bytes());
    header.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, port, 2]);
    header.extend(destination);
    let mut sum: u32 =
        header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(header);
    frame.extend([0, 9, 0, 9]);
    frame.extend((total - 20).to_be_bytes());
    frame.extend([0, 0]);
    frame.resize(length, 0x5a);
    frame
}
