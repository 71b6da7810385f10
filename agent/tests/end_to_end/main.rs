//! Does the daemon do its job against a real kernel and the simulated chip? Each test has a network namespace of its own.
//!
//! ```text
//!   ip(8) ─▶ kernel ─▶ firsthopd ─▶ hwsim ◀─ asked for its tables
//!                          ▲
//!                      firsthop
//! ```

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod stage;

use stage::{Stage, on_stage};

/// The simulator as a process of its own, when a stage starts it.
#[test]
#[ignore = "a stage runs it"]
fn simulator() {
    stage::simulate();
}

// Broken if an address did not become a router interface, a macvlan no router MAC, or the slot's holder another than the lowest.
#[test]
fn plain_ip_commands_program_the_chip() {
    on_stage(|stage: &mut Stage| {
        stage.daemon(&[]);
        stage.ip("addr add 192.0.2.1/24 dev swp1");
        stage.ask(0, "wait rif dev swp1 state offload timeout 5");
        let dump = stage.dump();
        assert_eq!(dump["rifs"][0]["mac"], "02:00:5e:10:00:01");
        assert_eq!(dump["rifs"][0]["mtu"], 1500);
        for (vrid, ip) in [("06", "192.0.2.253"), ("05", "192.0.2.254")] {
            stage.macvlan(&format!("vrrp{vrid}"), &format!("00:00:5e:00:01:{vrid}"));
            stage.ip(&format!("addr add {ip}/32 dev vrrp{vrid}"));
            stage.ask(0, &format!("wait vmac dev vrrp{vrid} state offload timeout 5"));
        }
        assert_eq!(stage.dump()["rifs"][0]["vrrp_id_ipv4"], 5);
        assert_eq!(stage.router_macs().len(), 3);
        stage.ip("link del vrrp05");
        stage.ask(0, "wait vmac dev vrrp05 gone timeout 5");
        assert_eq!(stage.dump()["rifs"][0]["vrrp_id_ipv4"], 6);
        assert_eq!(stage.router_macs(), ["00:00:5e:00:01:06", "02:00:5e:10:00:01"]);
        stage.ask(0, "diff");
        stage.ask(0, "explain vrrp06");
    });
}

// Broken if a backup attracted traffic, or nobody said why it is not in the chip.
#[test]
fn a_backup_is_held() {
    on_stage(|stage: &mut Stage| {
        stage.daemon(&[]);
        stage.ip("addr add 192.0.2.1/24 dev swp1");
        stage.macvlan("backup", "00:00:5e:00:01:07");
        stage.ask(0, "wait vmac dev backup state held timeout 5");
        assert!(stage.ask(0, "explain backup").contains("no_address"));
        assert_eq!(stage.router_macs(), ["02:00:5e:10:00:01"]);
    });
}

// Broken if a restart wrote what is already there, or did not write what changed meanwhile.
#[test]
fn a_restart_is_a_read_back() {
    on_stage(|stage: &mut Stage| {
        // Without IPv6 nothing happens by itself between two looks.
        stage.daemon(&[]);
        stage.ip("addr add 192.0.2.1/24 dev swp1");
        stage.macvlan("vrrp5", "00:00:5e:00:01:05");
        stage.ip("addr add 192.0.2.254/32 dev vrrp5");
        stage.ask(0, "wait synced timeout 5");
        let writes = stage.dump()["writes_total"].clone();
        stage.kill_daemon();
        stage.daemon(&[]);
        stage.ask(0, "wait synced timeout 5");
        assert_eq!(stage.dump()["writes_total"], writes);

        stage.kill_daemon();
        stage.ip("link del vrrp5");
        stage.daemon(&[]);
        stage.ask(0, "wait synced timeout 5");
        assert_eq!(stage.router_macs(), ["02:00:5e:10:00:01"]);
        assert_eq!(stage.dump()["rifs"][0]["vrrp_id_ipv4"], 0);
    });
}

// Broken if an observing daemon wrote, or did not say what it would write.
#[test]
fn observing_writes_nothing() {
    on_stage(|stage: &mut Stage| {
        stage.daemon(&["--observe"]);
        stage.ip("addr add 192.0.2.1/24 dev swp1");
        let text = stage.ask(3, "diff");
        assert!(text.contains("rif swp1"), "{text}");
        assert_eq!(stage.dump()["writes_total"], 0);
        stage.ask(3, "explain swp1");
        stage.ask(5, "wait rif dev swp1 state offload timeout 0.2");
    });
}

// Broken if a chip that lost its tables, or went away and came back, stayed empty.
#[test]
fn a_chip_that_comes_back_is_programmed_in_full() {
    on_stage(|stage: &mut Stage| {
        stage.daemon(&[]);
        stage.ip("addr add 192.0.2.1/24 dev swp1");
        stage.ask(0, "wait rif dev swp1 state offload timeout 5");
        stage.reset_chip();
        stage.eventually("the RIF is back", |stage| stage.router_macs().len() == 1);
        stage.restart_chip();
        stage.ip("addr add 192.0.2.1/24 dev swp1");
        stage.eventually("the RIF is back", |stage| stage.router_macs().len() == 1);
        stage.ask(0, "wait synced timeout 5");
        stage.ask(0, "diff");
    });
}

// Broken if two daemons shared a chip or a socket, or an exit code were another than scripts rely on.
#[test]
fn exit_codes() {
    on_stage(|stage: &mut Stage| {
        stage.ask(4, "status");
        stage.daemon(&[]);
        let owner = stage.daemon_pid();
        let other = stage.path("other.sock");
        for arguments in [&[][..], &["--socket", other.as_str()]] {
            let (code, text) = stage.daemon_output(arguments);
            assert_eq!(code, Some(2), "{text}");
            assert!(text.contains(&owner), "{owner} is not in {text}");
        }
        stage.ask(1, "nonsense");
        stage.ask(1, "--nonsense rif");
        stage.ask(2, "explain nosuchdev");
        stage.ask(2, "rif dev nosuchdev");
        stage.ask(5, "wait vmac dev nosuchdev state offload timeout 0.1");
        stage.ask(0, "wait vmac dev nosuchdev gone timeout 1");
        for object in ["rif", "vmac", "port", "trap", "resource", "status", "diff", "doctor"] {
            let text = stage.ask(0, &format!("-j {object}"));
            serde_json::from_str::<serde_json::Value>(&text).expect("one JSON document");
        }
        assert_eq!(stage.stop_daemon(), Some(0));
        assert!(!stage.socket_exists());
    });
}
