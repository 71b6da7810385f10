//! Frames through the whole program: wire, chip, kernel and back.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::router::{arp_request, port_mac, program, udp};
use crate::support::{
    Host, LIMIT, OtherNamespace, Simulator, ip, isolated, skipped, wait, wait_carrier,
};

/// A simulator with a programmed chip and all netdevs up, whose kernel says nothing by itself.
fn lab(ports: u8, arguments: &[&str]) -> Simulator {
    let count = ports.to_string();
    let simulator = Simulator::start(&[&["--ports", &count], arguments].concat());
    program(&mut simulator.connect(), ports);
    for port in 1..=ports {
        for netdev in [format!("swp{port}"), format!("h{port}")] {
            let path = format!("/proc/sys/net/ipv6/conf/{netdev}/disable_ipv6");
            std::fs::write(path, "1").ok(); // a kernel without IPv6 is silent anyway
            ip(&format!("link set {netdev} up"));
        }
        wait_carrier(&format!("swp{port}"), true);
        wait_carrier(&format!("h{port}"), true);
    }
    simulator
}

// Would break: packets for the CPU do not arrive, arrive changed, on another port, or without
// the VLAN tag that says where they belong.
#[test]
fn packets_for_the_cpu_arrive_as_they_were() {
    isolated("frames::packets_for_the_cpu_arrive_as_they_were", || {
        let _simulator = lab(2, &[]);
        let (host, mut cpu, mut other) = (Host::on("h1"), Host::on("swp1"), Host::on("swp2"));
        for frame in [
            arp_request(1, None),
            arp_request(1, Some(100)),
            udp(1, [10, 0, 1, 1], 60),
            udp(1, [192, 0, 2, 1], 1514),
        ] {
            host.send(&frame);
            cpu.wait_for(&frame);
            assert!(!other.has_heard(&frame));
        }
        // What the chip does not hand to the CPU stays outside.
        let stranger = {
            let mut frame = udp(1, [10, 0, 1, 1], 60);
            frame[5] = 0x77;
            frame
        };
        host.send(&stranger);
        host.send(&udp(1, [10, 0, 1, 1], 61));
        cpu.wait_for(&udp(1, [10, 0, 1, 1], 61));
        assert!(!cpu.has_heard(&stranger));
    });
}

// Would break: VRRP advertisements (virtual source MAC), tagged frames or jumbo frames that the
// kernel sends do not reach the host as they are.
#[test]
fn frames_of_the_kernel_leave_unchanged() {
    isolated("frames::frames_of_the_kernel_leave_unchanged", || {
        let _simulator = lab(2, &[]);
        ip("link set swp1 mtu 9000");
        ip("link set h1 mtu 9000");
        let (cpu, mut host, mut other) = (Host::on("swp1"), Host::on("h1"), Host::on("h2"));
        let mut advertisement = udp(1, [224, 0, 0, 18], 60);
        advertisement[..12].copy_from_slice(&[1, 0, 0x5e, 0, 0, 18, 0, 0, 0x5e, 0, 1, 7]);
        let mut twice_tagged = advertisement.clone();
        twice_tagged.splice(12..12, [0x81, 0, 0x60, 5, 0x81, 0, 0, 6]);
        for frame in [advertisement, arp_request(1, Some(100)), twice_tagged, udp(1, [1; 4], 9014)]
        {
            cpu.send(&frame);
            host.wait_for(&frame);
            assert!(!other.has_heard(&frame));
        }
    });
}

// Would break: the kernel's own stack does not live on the ports: it must answer ARP.
#[test]
fn the_kernel_answers_a_host() {
    isolated("frames::the_kernel_answers_a_host", || {
        let _simulator = lab(1, &[]);
        ip("addr add 10.0.1.1/24 dev swp1");
        let mut host = Host::on("h1");
        host.send(&arp_request(1, None));
        wait("an ARP reply", || {
            let reply = |frame: &Vec<u8>| {
                frame[6..12] == port_mac(1) && frame[12..14] == [8, 6] && frame[21] == 2
            };
            host.heard().iter().any(reply).then_some(())
        });
    });
}

// Would break: TCP sessions of the router (BGP) stall: bulk data leaves in frames of many segments, which no wire
// takes.
#[test]
fn bulk_data_of_the_kernel_arrives() {
    const BYTES: usize = 1 << 20;
    isolated("frames::bulk_data_of_the_kernel_arrives", || {
        let simulator = lab(1, &[]);
        ip("addr add 10.0.1.1/24 dev swp1");
        let other = OtherNamespace::new();
        ip(&format!("link set h1 netns {}", other.pid()));
        other.ip("link set h1 up");
        other.ip("addr add 10.0.1.2/24 dev h1");
        wait_carrier("swp1", true);
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", other.pid())).unwrap();
        let (told, ready) = std::sync::mpsc::channel();
        let host = std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let listener = std::net::TcpListener::bind("10.0.1.2:179").unwrap();
            told.send(()).unwrap();
            let mut heard = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut heard).unwrap();
            heard
        });
        ready.recv().unwrap();
        let address = "10.0.1.2:179".parse().unwrap();
        let mut session = std::net::TcpStream::connect_timeout(&address, LIMIT).unwrap();
        session.set_write_timeout(Some(LIMIT)).unwrap();
        session.write_all(&vec![0x5a; BYTES]).unwrap();
        drop(session);
        assert!(host.join().unwrap() == vec![0x5a; BYTES]);
        assert_eq!(simulator.host_counter("unsegmented"), 0);
        assert_eq!(simulator.host_counter("bad_checksum"), 0);
    });
}

/// Frames that a netdev has received since it was made.
fn received(netdev: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let prefix = format!("{netdev}:");
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(&prefix)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

// Would break: hosts hear noise of the simulator's own network namespace: every capture and every
// count of frames would be wrong.
#[test]
fn the_wire_is_silent_by_itself() {
    isolated("frames::the_wire_is_silent_by_itself", || {
        let simulator = lab(1, &[]);
        // Address detection, router solicitation and group reports would come within two seconds
        // of the start; what h1 has counted since it was made tells of the first as well.
        let start = Instant::now();
        wait("two seconds", || {
            assert_eq!(received("h1"), 0, "after {:?}", start.elapsed());
            (start.elapsed() > Duration::from_secs(2)).then_some(())
        });
        assert_eq!(simulator.host_counter("wire_in"), 0);
    });
}

// Would break: hosts whose checksums are left to a "device" are not heard, or heard with wrong
// checksums.
#[test]
fn a_host_with_checksum_offload_is_heard_right() {
    isolated("frames::a_host_with_checksum_offload_is_heard_right", || {
        ip("link add name mine type veth peer name far");
        let simulator = Simulator::start(&["--ports", "1", "--wire", "mine"]);
        program(&mut simulator.connect(), 1);
        for netdev in ["far", "swp1"] {
            ip(&format!("link set {netdev} up"));
        }
        wait_carrier("swp1", true);
        ip("addr add 10.0.1.2/24 dev far");
        ip("neigh replace 10.0.1.1 lladdr 02:00:5e:10:00:01 dev far");
        let mut cpu = Host::on("swp1");
        let socket = std::net::UdpSocket::bind("10.0.1.2:4000").unwrap();
        socket.send_to(b"hello", "10.0.1.1:5000").unwrap();
        let packet = wait("the packet", || {
            cpu.heard().iter().find(|frame| frame.ends_with(b"hello")).cloned()
        });
        // UDP 10.0.1.2:4000 > 10.0.1.1:5000, length 13: the sum over all with the pseudo header.
        let udp = &packet[34..];
        let mut sum: u32 = 0x0a00 + 0x0102 + 0x0a00 + 0x0101 + 17 + 13;
        for pair in udp.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        }
        sum = (sum & 0xffff) + (sum >> 16);
        assert_eq!(sum, 0xffff, "{udp:02x?}");
    });
}

/// Ends a thread's work.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// Would break: a flood through the CPU keeps pings to the router's own address from arriving.
#[test]
fn a_flood_does_not_cost_packets_of_a_higher_class() {
    isolated("frames::a_flood_does_not_cost_packets_of_a_higher_class", || {
        let simulator = lab(2, &[]);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let flooder = Host::on("h1");
                let flood = vec![udp(1, [192, 0, 2, 1], 60); 64];
                while !stop.load(Ordering::Relaxed) {
                    flooder.send_all(&flood);
                }
            });
            let _end = SetOnDrop(&stop); // also when an assertion fails: the scope waits
            let (host, mut cpu) = (Host::on("h2"), Host::on("swp2"));
            // More than the kernel's stack takes: only then does the order of classes matter.
            let dropped = || {
                let counters = simulator.ask(&serde_json::json!({ "request": "counters" }));
                counters["host"]["cpu_queue_dropped"]["1"].as_u64()
            };
            wait("the overload", dropped);
            for length in 60..260 {
                let ping = udp(2, [10, 0, 2, 1], length);
                host.send(&ping);
                cpu.wait_for(&ping);
            }
        });
    });
}

// Would break: captures that users send us cannot be read, or miss or misplace frames.
#[test]
fn recordings_hold_every_frame() {
    isolated("frames::recordings_hold_every_frame", || {
        let mut simulator = lab(1, &["--pcap", "all.pcapng", "--emad-pcap", "emad.pcap"]);
        let (host, mut cpu) = (Host::on("h1"), Host::on("swp1"));
        let frame = udp(1, [10, 0, 1, 1], 77);
        host.send(&frame);
        cpu.wait_for(&frame);
        let read = |name: &str| std::fs::read(simulator.directory.path().join(name)).unwrap();
        // While it runs, without a signal: records are whole and there.
        wait("the records", || {
            let all = read("all.pcapng");
            let frames = hwsim::record::read::frames(&all).unwrap();
            let here = frames.iter().filter(|it| **it == frame).count();
            (here == 2).then_some(()) // once on h1, once on swp1
        });
        let emads = read("emad.pcap");
        let emads = hwsim::record::read::frames(&emads).unwrap();
        assert!(emads.len() > 20 && emads.len().is_multiple_of(2));
        for pair in emads.chunks(2) {
            let request = emad::Frame::decode(pair[0]).unwrap().operation;
            let answer = emad::Frame::decode(pair[1]).unwrap().operation;
            assert!(!request.response && answer.response);
            assert_eq!(request.register_id, answer.register_id);
        }
        simulator.end(nix::sys::signal::Signal::SIGTERM);
        for (file, frame) in [("all.pcapng", "length 77"), ("emad.pcap", "0x8932")] {
            let path = simulator.directory.path().join(file);
            match std::process::Command::new("tcpdump").arg("-enr").arg(path).output() {
                Ok(output) => {
                    let text = String::from_utf8_lossy(&output.stdout);
                    assert!(output.status.success() && text.contains(frame), "{file}: {text}");
                }
                Err(_) => skipped(&format!("tcpdump of {file}: it is not installed")),
            }
        }
    });
}
