use firsthop_model::driver::Readings;
use firsthop_model::liveness::Flag;

use super::*;
use crate::api::Filter;
use crate::client::Options;
use crate::views;
use crate::views::device::tests::{bench, facts};
use crate::views::tests::{Bench, macvlan, switch};

fn plain() -> Options {
    Options::default()
}

// Broken if a line of `rif` or `vmac` looked other than documented, or lost a reason.
#[test]
fn lines() {
    let bench = switch();
    let rows = views::rifs(&bench.reconciler, &Filter::default());
    assert_eq!(
        rifs(&rows, &plain()),
        "2: swp1: rif 0 mac 02:00:5e:10:00:01 vrf default mtu 1500 offload\n"
    );
    let details = Options { details: true, ..plain() };
    assert!(rifs(&rows, &details).ends_with("\n    type subport vr 0 fid 5120\n"));
    let rows = views::vmacs(&bench.reconciler, &Filter::default());
    assert_eq!(
        vmacs(&rows, &plain()),
        "10: vrrp5@swp1: mac 00:00:5e:00:01:05 vrrp ipv4 vrid 5 offload\n\
         11: vrrp6@swp1: mac 00:00:5e:00:01:06 vrrp ipv4 vrid 6 offload\n    \
         reason vrid_conflict: Another VRID of this family holds the router\n        \
         interface's fast-path slot.\n\
         12: backup@swp1: mac 00:00:5e:00:01:07 vrrp ipv4 vrid 7 held reason no_address\n"
    );
    let brief = Options { brief: true, ..plain() };
    assert_eq!(
        vmacs(&rows, &brief),
        "NETDEV  LOWER  VMAC               FAM  VRID  ROLE    STATE    REASON\n\
         vrrp5   swp1   00:00:5e:00:01:05  v4   5     active  offload  -\n\
         vrrp6   swp1   00:00:5e:00:01:06  v4   6     active  offload  vrid_conflict\n\
         backup  swp1   00:00:5e:00:01:07  v4   7     backup  held     no_address\n"
    );
}

// Broken if an explanation did not show which condition decided, or what to do.
#[test]
fn explanation_of_a_backup() {
    let bench = switch();
    let link = bench.reconciler.topology().link_by_name("backup").unwrap();
    let text = explanation(&views::explain(&bench.reconciler, link));
    for line in [
        "backup (ifindex 12, macvlan private over swp1) is held: rightly not in the chip\n",
        "  [ok]   is administratively up\n",
        "  [FAIL] has a qualifying address (it has none): no_address\n",
        "  [ok]   is in the same VRF as swp1\n",
        "  reason : no_address: The device has no address that counts.\n",
        "  fix    : Nothing on a backup; otherwise add the virtual address (`ip addr add\n",
        "           ADDR dev backup`).\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

// Broken if a condition that fails after the first looked as if it had decided.
#[test]
fn later_failures_are_marked() {
    let mut bench = Bench::new();
    let mut down = macvlan(10, "vrrp5", 2, "00:00:5e:00:01:05");
    down.flags = 0;
    bench.link(down);
    let link = bench.reconciler.topology().link_by_name("vrrp5").unwrap();
    let text = explanation(&views::explain(&bench.reconciler, link));
    assert!(text.contains("  [FAIL] swp1 has a router interface: no_rif\n"), "{text}");
    assert!(text.contains("  [--]   is administratively up: macvlan_down as well\n"), "{text}");
    assert_eq!(text.matches("[FAIL]").count(), 1, "{text}");
}

// Broken if lines of the text output ran over 80 columns without need, or words were cut.
#[test]
fn long_texts_are_wrapped_between_words() {
    let text = wrapped("  fix    :", &"word ".repeat(40), 11);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.lines().skip(1).all(|line| line.starts_with("           word")), "{text}");
    assert_eq!(text.matches("word").count(), 40);
    let long = "x".repeat(100);
    assert_eq!(wrapped("a", &long, 2), format!("a\n  {long}\n"));
}

// Broken if a line hid that nobody acknowledged what it says, or an explanation its device or hazards.
#[test]
fn what_a_driver_has() {
    let (bench, facts) = (bench(), facts("mlxsw_spectrum2", Readings::default()));
    let devices = views::Devices::of(&bench.reconciler, &facts);
    let rows = devices.rifs(&bench.reconciler, &Filter::default());
    let line =
        "50: sw1: rif - mac 02:00:5e:20:00:01 vrf default mtu 1500 offload evidence computed\n";
    assert!(rifs(&rows, &plain()).ends_with(line), "{}", rifs(&rows, &plain()));
    let rows = devices.vmacs(&bench.reconciler, &Filter::default());
    let line = "52: v9@sw1: mac 00:00:5e:00:01:09 vrrp ipv4 vrid 9 offload evidence computed\n";
    assert!(vmacs(&rows, &plain()).ends_with(line), "{}", vmacs(&rows, &plain()));
    let explained = |devices: &views::Devices| {
        let link = bench.reconciler.topology().link_by_name("v9").unwrap();
        explanation(&devices.explain(&bench.reconciler, link))
    };
    let text = explained(&devices);
    for line in [
        "  [ok]   in the chip: mlxsw_spectrum2 has it, by its rules\n",
        "  device : pci/0000:03:00.0: mlxsw_spectrum2 routes by itself; audited, never\n           written\n",
        "  hazard : backup_attracts, computed: v9 has 1 address, but it is a backup:\n",
        "           fix: Take the addresses off the macvlan while this router is a backup\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert_eq!(text.matches("[FAIL]").count(), 0, "{text}");
    let unknown = explained(&views::Devices::default());
    assert!(unknown.contains("pci/0000:03:00.0: its driver is not known yet"), "{unknown}");
}

/// As a router sees itself after its daemon was killed, and a peer took over.
fn orphan() -> views::Liveness {
    let advertiser = |source: &str, priority, age_ms| views::Advertiser {
        source: source.parse().unwrap(),
        mac: "00:00:5e:00:01:05".parse().unwrap(),
        version: 3,
        priority,
        interval_ms: 100,
        age_ms,
    };
    let evidence = ["two_actives: 192.0.2.2 has advertised", "orphan: nothing was sent here"];
    views::Liveness {
        own: Some(advertiser("192.0.2.1", 200, 5120)),
        heard: vec![advertiser("192.0.2.2", 100, 30)],
        flags: vec![Flag::TwoActives, Flag::Orphan],
        evidence: evidence.map(str::to_owned).into(),
    }
}

// Broken if a flag were not seen in a listing, an explanation or a change, or what it was told from not with details.
#[test]
fn flags_and_their_evidence() {
    let bench = switch();
    let mut rows = views::vmacs(&bench.reconciler, &Filter::default());
    rows.truncate(1);
    rows[0].liveness = Some(orphan());
    let line = "10: vrrp5@swp1: mac 00:00:5e:00:01:05 vrrp ipv4 vrid 5 offload\n    \
                flags two_actives,orphan\n";
    assert_eq!(vmacs(&rows, &plain()), line);
    let details = Options { details: true, ..plain() };
    let seen = "    sent 192.0.2.1 priority 200 every 0.1 s, 5.1 s ago (version 3)\n    \
                heard 192.0.2.2 priority 100 every 0.1 s, 0.03 s ago (version 3)\n    \
                two_actives: 192.0.2.2 has advertised\n    \
                orphan: nothing was sent here\n";
    assert_eq!(
        vmacs(&rows, &details),
        format!("{line}    role active policy active rif 0 fid 5120 path vrrp slot\n{seen}")
    );
    let link = bench.reconciler.topology().link_by_name("vrrp5").unwrap();
    let mut told = views::explain(&bench.reconciler, link);
    told.liveness = Some(orphan());
    let text = explanation(&told);
    for line in [
        "  sent   : 192.0.2.1 priority 200 every 0.1 s, 5.1 s ago (version 3)\n",
        "  heard  : 192.0.2.2 priority 100 every 0.1 s, 0.03 s ago (version 3)\n",
        "  flag   : two_actives: 192.0.2.2 has advertised\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let happened = views::Change {
        object: "vmac".into(),
        event: views::Happening::Change,
        rif: None,
        vmac: rows.pop(),
    };
    assert!(change(&happened, None).ends_with(" offload flags two_actives,orphan\n"));
}
