//! Which ports of the kernel's bridges are isolated: those above the chip's ports, and no others.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::{Simulator, ip, isolated, skipped, wait};

/// Makes a netdev, if the kernel has the kind.
fn made(test: &str, arguments: &str) -> bool {
    let status = Command::new("ip").args(["link", "add"]).args(arguments.split(' ')).status();
    let made = status.unwrap().success();
    if !made {
        skipped(&format!("{test}: no {arguments} here"));
    }
    made
}

fn is_isolated(netdev: &str) -> bool {
    let output = Command::new("ip").args(["-d", "link", "show", "dev", netdev]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("isolated on")
}

fn wait_isolated(netdev: &str, isolated: bool) {
    wait(&format!("isolation {isolated} of {netdev}"), || {
        (is_isolated(netdev) == isolated).then_some(())
    });
}

// Would break: the kernel's bridge floods again what the chip flooded already.
#[test]
fn a_bridged_port_is_isolated() {
    const NAME: &str = "isolation::a_bridged_port_is_isolated";
    isolated(NAME, || {
        let _simulator = Simulator::start(&["--ports", "1"]);
        if !made(NAME, "br0 type bridge") {
            return;
        }
        ip("link add name foreign type veth peer name far");
        ip("link set foreign master br0");
        for _ in 0..2 {
            ip("link set swp1 master br0");
            wait_isolated("swp1", true);
            ip("link set swp1 nomaster");
        }
        ip("link set swp1 master br0");
        wait_isolated("swp1", true);
        assert!(!is_isolated("foreign"));
    });
}

// Would break: the same for a port that was in a bridge before somebody renamed it, or that went from one bridge
// to another.
#[test]
fn a_port_that_changes_its_bridge_stays_isolated() {
    const NAME: &str = "isolation::a_port_that_changes_its_bridge_stays_isolated";
    isolated(NAME, || {
        let _simulator = Simulator::start(&["--ports", "1"]);
        if !made(NAME, "br0 type bridge") {
            return;
        }
        ip("link add br1 type bridge");
        ip("link set swp1 name lan");
        for _ in 0..3 {
            for bridge in ["br0", "br1"] {
                ip(&format!("link set lan master {bridge}"));
                wait_isolated("lan", true);
            }
        }
    });
}

// Would break: VLAN devices of the chip's ports, in a bridge, flood what the chip flooded.
#[test]
fn vlan_devices_are_isolated() {
    const NAME: &str = "isolation::vlan_devices_are_isolated";
    isolated(NAME, || {
        let _simulator = Simulator::start(&["--ports", "2"]);
        if !made(NAME, "link swp1 name swp1.10 type vlan id 10") {
            return;
        }
        ip("link add br0 type bridge");
        ip("link add name foreign type veth peer name far");
        ip("link add link foreign name foreign.10 type vlan id 10");
        for netdev in ["swp1.10", "swp2", "foreign.10"] {
            ip(&format!("link set {netdev} master br0"));
        }
        wait_isolated("swp1.10", true);
        wait_isolated("swp2", true);
        assert!(!is_isolated("foreign.10"));
    });
}

// Would break: a bond of the chip's ports floods what the chip flooded; or a bridge port that is no longer the
// chip's stays cut off from the others, also after the simulator's end.
#[test]
fn a_bond_is_isolated_as_long_as_it_has_a_port_of_the_chip() {
    const NAME: &str = "isolation::a_bond_is_isolated_as_long_as_it_has_a_port_of_the_chip";
    isolated(NAME, || {
        let mut simulator = Simulator::start(&["--ports", "2"]);
        if !made(NAME, "bond0 type bond mode active-backup") {
            return;
        }
        ip("link add br0 type bridge");
        ip("link set bond0 master br0");
        ip("link add name foreign type veth peer name far");
        ip("link set foreign master bond0");
        assert!(!is_isolated("bond0"));
        for port in ["swp1", "swp2"] {
            ip(&format!("link set {port} master bond0"));
        }
        wait_isolated("bond0", true);
        ip("link add link bond0 name bond0.10 type vlan id 10");
        ip("link add br1 type bridge");
        ip("link set bond0.10 master br1");
        wait_isolated("bond0.10", true);
        ip("link set swp1 nomaster");
        assert!(is_isolated("bond0"), "swp2 is still in it");
        ip("link set swp2 nomaster");
        wait_isolated("bond0", false);
        wait_isolated("bond0.10", false);
        ip("link set swp2 master bond0");
        wait_isolated("bond0", true);
        assert_eq!(simulator.end(Signal::SIGTERM), Some(0));
        assert!(!is_isolated("bond0"));
    });
}
