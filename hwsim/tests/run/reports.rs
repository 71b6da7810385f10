//! Membership reports in a bridge: the kernel cannot forward what the chip traps, so the simulator does.
//!
//! ```text
//!   h1, h2: tagged 10 ─┐
//!   h3:     untagged ──┴─ VLAN 10 ─ FID 10 (802.1Q): floods to 1, 2, 3
//!   h4: nothing
//! ```

use emad::register::{
    FloodType, Hpkt, HpktAction, Htgt, Sfgc, Sfmr, Smid2, Spms, SpmsState, Spvid, Spvm, Svfa,
};
use hwsim::chip::traps::id;
use hwsim::client::Connection;

use crate::router::write;
use crate::support::{Host, Simulator, ip, isolated, wait_carrier};

fn bridge(chip: &mut Connection) {
    write(chip, Sfmr { fid: 10, fid_offset: 10, ..Sfmr::default() });
    write(chip, Svfa::vid(10, 10, None));
    for port in 1..=3 {
        write(chip, Spvm::range(port, 10..=10, true, port == 3));
        write(chip, Spms::vlan(port, 10, SpmsState::Forwarding));
        write(chip, Smid2::member(4096 + 10, port, true, None));
    }
    write(chip, Spvid { local_port: 3, pvid: 10, ..Spvid::default() });
    for kind in FloodType::NAMED {
        write(chip, Sfgc { kind: *kind, mid_base: 4096, ..Sfgc::default() });
    }
    write(chip, Htgt::new(1, None, 1, 1));
}

/// An IGMPv2 report (type 0x16) or, with 0x11, a query; each is told from others by its last bytes.
fn igmp(kind: u8, number: u8, tag: bool) -> Vec<u8> {
    let mut frame = vec![0x01, 0x00, 0x5e, 0x01, 0x01, 0x01, 0x02, 0, 0, 0, 9, 1];
    if tag {
        frame.extend([0x81, 0x00, 0x00, 10]);
    }
    frame.extend([0x08, 0x00, 0x46, 0xc0, 0, 32, 0, 0, 0, 0, 1, 2, 0x2a, 0x14, 10, 0, 0, 2]);
    frame.extend([239, 1, 1, 1, 0x94, 4, 0, 0, kind, 0, 0, 0, 239, 1, 1, 1]);
    frame.resize(if tag { 64 } else { 60 }, number);
    frame
}

// Would break: a snooping switch or router behind another port never learns who listens; or it hears everything
// twice, or in the wrong VLAN.
#[test]
fn trapped_reports_reach_the_other_ports_once() {
    isolated("reports::trapped_reports_reach_the_other_ports_once", || {
        let simulator = Simulator::start(&["--ports", "4"]);
        let mut chip = simulator.connect();
        bridge(&mut chip);
        for port in 1..=4 {
            for netdev in [format!("swp{port}"), format!("h{port}")] {
                std::fs::write(format!("/proc/sys/net/ipv6/conf/{netdev}/disable_ipv6"), "1").ok();
                ip(&format!("link set {netdev} up"));
            }
            wait_carrier(&format!("swp{port}"), true);
        }
        let mut hosts: Vec<Host> = (1..=4).map(|port| Host::on(&format!("h{port}"))).collect();
        let mut cpu = Host::on("swp1");
        let mut action = |trap_id, action| {
            write(&mut chip, Hpkt { trap_id, action, trap_group: 1, ..Hpkt::default() });
        };

        action(id::IGMP_V2_REPORT, HpktAction::TrapToCpu);
        hosts[0].send(&igmp(0x16, 1, true));
        cpu.wait_for(&igmp(0x16, 1, true));
        hosts[1].wait_for(&igmp(0x16, 1, true));
        hosts[2].wait_for(&igmp(0x16, 1, false));

        // Flooded by the chip: never a second time.
        action(id::IGMP_V2_REPORT, HpktAction::Forward);
        hosts[0].send(&igmp(0x16, 2, true));
        hosts[2].wait_for(&igmp(0x16, 2, false));
        action(id::IGMP_V2_REPORT, HpktAction::MirrorToCpu);
        hosts[0].send(&igmp(0x16, 3, true));
        cpu.wait_for(&igmp(0x16, 3, true));
        hosts[2].wait_for(&igmp(0x16, 3, false));
        // A query is marked: what traps it takes it from all others.
        action(id::IGMP_QUERY, HpktAction::TrapToCpu);
        hosts[0].send(&igmp(0x11, 4, true));
        cpu.wait_for(&igmp(0x11, 4, true));

        action(id::IGMP_V2_REPORT, HpktAction::TrapToCpu);
        hosts[0].send(&igmp(0x16, 5, true));
        hosts[1].wait_for(&igmp(0x16, 5, true));
        hosts[2].wait_for(&igmp(0x16, 5, false));
        let numbers = |host: &mut Host| -> Vec<u8> {
            host.heard().iter().map(|frame| frame[frame.len() - 1]).collect()
        };
        assert_eq!(numbers(&mut cpu), [1, 3, 4, 5]);
        assert_eq!(numbers(&mut hosts[1]), [1, 2, 3, 5]);
        assert_eq!(numbers(&mut hosts[2]), [1, 2, 3, 5]);
        assert_eq!(numbers(&mut hosts[0]), [0_u8; 0], "back to the sender");
        assert_eq!(numbers(&mut hosts[3]), [0_u8; 0], "out of the VLAN");
    });
}
