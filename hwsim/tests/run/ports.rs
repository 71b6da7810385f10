//! Ports as netdevs: what they are when made, and how carriers follow each other.

use std::time::{Duration, Instant};

use hwsim::port::rtnl::{LinkEvent, LinkEvents};
use serde_json::json;

use crate::support::{
    OtherNamespace, Simulator, delete_port, fair, has_carrier, ip, isolated,
    isolated_as_mapped_root, link, netdevs, wait, wait_carrier,
};

// Would break: scripts that find ports by name, the agent that finds them by altname, or hosts
// that are on the network before anybody configured them.
#[test]
fn ports_are_made_as_agreed() {
    isolated("ports::ports_are_made_as_agreed", || {
        let arguments = [
            "--ports",
            "3",
            "--port-prefix",
            "p",
            "--wire-prefix",
            "wire",
            "--base-mac",
            "02:00:00:00:0f:ff",
            "--chip-id",
            "blue",
        ];
        let simulator = Simulator::start(&arguments);
        for (port, last) in [(1, [0x10, 0]), (2, [0x10, 1]), (3, [0x10, 2])] {
            let cpu = link(&format!("p{port}")).unwrap();
            assert_eq!(cpu.mac, Some([2, 0, 0, 0, last[0], last[1]]));
            assert_eq!((cpu.mtu, cpu.up, cpu.carrier), (1500, false, false));
            let by_altname = link(&format!("hwsim-blue-p{port}")).unwrap();
            assert_eq!(by_altname.ifindex, cpu.ifindex);
            let wire = link(&format!("wire{port}")).unwrap();
            assert_eq!((wire.mtu, wire.up, wire.carrier), (1500, false, false));
        }
        assert_eq!(netdevs(), 3 + 3);

        let ports = simulator.ask(&json!({ "request": "ports" }));
        let second = &ports["ports"][1];
        assert_eq!(second["ifname"], "p2");
        assert_eq!(second["device"], "hwsim/blue");
        assert_eq!(second["local_port"], 2);
        assert_eq!(second["mac"], "02:00:00:00:10:01");
        assert_eq!(second["carrier"], false);
        ip("link set p2 name lan");
        wait("the new name", || {
            let ports = simulator.ask(&json!({ "request": "ports" }));
            (ports["ports"][1]["ifname"] == "lan").then_some(())
        });
    });
}

// Would break: nothing could be tested by a developer who is not root.
#[test]
fn all_works_as_mapped_root() {
    isolated_as_mapped_root("ports::all_works_as_mapped_root", || {
        let mut simulator = Simulator::start(&["--ports", "2"]);
        ip("link set swp1 up");
        ip("link set h1 up");
        wait_carrier("swp1", true);
        assert_eq!(simulator.end(nix::sys::signal::Signal::SIGTERM), Some(0));
        assert_eq!(netdevs(), 0);
    });
}

// Would break: a failed host, or a port that is shut, goes unnoticed at the other end of the wire.
#[test]
fn carriers_follow_each_other() {
    isolated("ports::carriers_follow_each_other", || {
        let _simulator = Simulator::start(&["--ports", "2"]);
        ip("link set swp1 up");
        ip("link set h1 up");
        wait_carrier("swp1", true);
        wait_carrier("h1", true);
        assert!(!has_carrier("swp2") && !has_carrier("h2"), "another port is concerned");
        ip("link set h1 down");
        wait_carrier("swp1", false);
        ip("link set h1 up");
        wait_carrier("swp1", true);
        ip("link set swp1 down");
        wait_carrier("h1", false);
        // A host that goes down and comes up behind a port that is down.
        ip("link set h1 down");
        ip("link set h1 up");
        ip("link set swp1 up");
        wait_carrier("swp1", true);
        wait_carrier("h1", true);
    });
}

/// How long after `command` the kernel announces that `netdev` has no carrier: the best of some
/// attempts, because other load on the machine delays single ones.
fn announced_after(command: &str, netdev: &str) -> Duration {
    let index = link(netdev).unwrap().ifindex;
    let attempt = || {
        ip("link set h1 up");
        ip("link set swp1 up");
        wait_carrier("swp1", true);
        wait_carrier("h1", true);
        let mut events = LinkEvents::subscribe().unwrap();
        let start = Instant::now();
        ip(command);
        wait("the event", || {
            let mut heard = Vec::new();
            events.drain(&mut heard).unwrap();
            heard.iter().find(|event| {
                matches!(event, LinkEvent::Present(it) if it.ifindex == index && !it.carrier)
            })?;
            Some(start.elapsed())
        })
    };
    (0..8).map(|_| attempt()).min().unwrap()
}

// Would break: the agent and VRRP daemons, which see kernel events, react a second late: the
// kernel delays carrier events of netdevs like TAP unless it is asked for their link.
#[test]
fn a_lost_carrier_is_announced_within_50_ms() {
    isolated("ports::a_lost_carrier_is_announced_within_50_ms", || {
        let _simulator = Simulator::start(&["--ports", "1"]);
        for (command, netdev) in [("link set h1 down", "swp1"), ("link set swp1 down", "h1")] {
            let best = announced_after(command, netdev);
            assert!(best < fair(Duration::from_millis(50)), "{command}: {best:?}");
        }
    });
}

// Would break: hosts in their own namespaces, which is how every topology is built.
#[test]
fn a_wire_can_be_moved_to_another_namespace_and_vanish_there() {
    isolated("ports::a_wire_can_be_moved_to_another_namespace_and_vanish_there", || {
        let simulator = Simulator::start(&["--ports", "2"]);
        let host = OtherNamespace::new();
        ip("link set swp1 up");
        ip("link set swp2 up");
        ip(&format!("link set h1 netns {}", host.pid()));
        host.ip("link set h1 up");
        wait_carrier("swp1", true);
        host.ip("link set h1 down");
        wait_carrier("swp1", false);
        host.ip("link set h1 up");
        wait_carrier("swp1", true);
        drop(host);
        wait_carrier("swp1", false);
        // The port stays, and the others work on.
        ip("link set h2 up");
        wait_carrier("swp2", true);
        let ports = simulator.ask(&json!({ "request": "ports" }));
        assert_eq!(ports["ports"][0]["carrier"], false);
        assert_eq!(ports["ports"][0]["present"], true);
    });
}

/// Processor time that the simulator has used.
fn used(simulator: &Simulator) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", simulator.pid())).unwrap();
    let after_name = text.rsplit_once(')').unwrap().1;
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

// Would break: a deleted netdev takes the simulator with it, or leaves it spinning.
#[test]
fn a_deleted_port_is_dead_and_costs_nothing() {
    isolated("ports::a_deleted_port_is_dead_and_costs_nothing", || {
        let simulator = Simulator::start(&["--ports", "2"]);
        for netdev in ["swp1", "h1", "swp2", "h2"] {
            ip(&format!("link set {netdev} up"));
        }
        wait_carrier("swp1", true);
        wait_carrier("swp2", true);
        delete_port("swp1");
        wait_carrier("h1", false);
        wait("the port's death", || {
            let ports = simulator.ask(&json!({ "request": "ports" }));
            (ports["ports"][0]["present"] == false).then_some(())
        });
        ip("link del h2");
        wait_carrier("swp2", false);
        let (before, start) = (used(&simulator), Instant::now());
        // Requests keep it turning; idle turns would show as processor time.
        wait("half a second", || {
            simulator.ask(&json!({ "request": "hello" }));
            std::thread::sleep(Duration::from_millis(20));
            (start.elapsed() > Duration::from_millis(500)).then_some(())
        });
        let share = (used(&simulator) - before).as_secs_f64() / start.elapsed().as_secs_f64();
        assert!(share < 0.1, "{share} of a processor while idle");
    });
}

// Would break: lab set-ups that connect the switch to netdevs of their own.
#[test]
fn an_existing_netdev_can_be_a_wire() {
    isolated("ports::an_existing_netdev_can_be_a_wire", || {
        ip("link add name mine type veth peer name far");
        ip("link set far up");
        let _simulator = Simulator::start(&["--ports", "2", "--wire", "mine"]);
        assert!(link("h1").is_none() && link("h2").is_some());
        assert!(!has_carrier("far"), "the port is down");
        ip("link set swp1 up");
        wait_carrier("swp1", true);
        wait_carrier("far", true);
        ip("link set swp1 down");
        wait_carrier("far", false);
        ip("link set swp1 up");
        wait_carrier("swp1", true);
        ip("link del mine");
        wait_carrier("swp1", false);
    });
}

// Would break: a port that is moved away and back stays dead, or another netdev is taken for it.
#[test]
fn a_port_that_comes_back_works_again() {
    isolated("ports::a_port_that_comes_back_works_again", || {
        let _simulator = Simulator::start(&["--ports", "1"]);
        let other = OtherNamespace::new();
        ip("link set swp1 up");
        ip("link set h1 up");
        wait_carrier("swp1", true);
        ip(&format!("link set swp1 netns {}", other.pid()));
        wait_carrier("h1", false);
        let own = std::process::id();
        other.ip(&format!("link set swp1 netns {own}"));
        ip("link set swp1 up");
        wait_carrier("swp1", true);
        wait_carrier("h1", true);
    });
}
