use firsthop_model::driver::Readings;
use firsthop_model::liveness::Flag;

use serde_json::json;

use super::*;
use crate::api::Filter;
use crate::client::Options;
use crate::views;
use crate::views::device::tests::{bench, facts};
use crate::views::route::tests::router;
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
    let happened = json!({ "object": "vmac", "event": "change", "vmac": rows.pop() });
    let happened: views::Change = serde_json::from_value(happened).unwrap();
    assert!(change(&happened, None).ends_with(" offload flags two_actives,orphan\n"));
}

// Broken if what the kernel said and what was written could not be told from each other, lost their number, or an error went untold.
#[test]
fn steps_of_monitor() {
    for (told, line) in [
        (
            json!({ "object": "kernel", "event": "new", "event_id": 118,
                    "kernel": { "what": "address", "ifname": "vrrp5", "ifindex": 9, "text": "192.0.2.254/24" } }),
            "new kernel address vrrp5: 192.0.2.254/24 event 118\n",
        ),
        (
            json!({ "object": "kernel", "event": "gone", "event_id": 119,
                    "kernel": { "what": "link", "ifindex": 9, "text": "removed" } }),
            "gone kernel link if9: removed event 119\n",
        ),
        (
            json!({ "object": "hw", "event": "new", "event_id": 118,
                    "hw": { "row": "vmac swp1 00:00:5e:00:01:05", "content": "fid 5120 router", "result": "ok",
                            "duration_us": 412 } }),
            "add hw vmac swp1 00:00:5e:00:01:05: fid 5120 router ok 412us event 118\n",
        ),
        (
            json!({ "object": "hw", "event": "gone", "left_out": 7,
                    "hw": { "row": "rif swp1", "result": "transient", "error": "RITR: busy" } }),
            "7 lines left out: this reader is too slow\nremove hw rif swp1 transient (RITR: busy)\n",
        ),
    ] {
        let told: views::Change = serde_json::from_value(told).unwrap();
        assert_eq!(change(&told, None), line);
    }
}

// Broken if a line of `route` or `neigh` looked other than `ip` has it, or did not end with what the chip does and why.
#[test]
fn lines_of_routes() {
    let mut bench = router();
    let vrf = firsthop_model::topology::LinkKind::Vrf { table: 7 };
    bench.link(crate::views::tests::link(30, "red", "02:00:00:00:00:30", vrf));
    let (rows, _) = views::Routes::default().page(&bench.reconciler);
    let text: String = rows.iter().map(route).collect();
    assert_eq!(
        text,
        "default via 192.0.2.9 dev swp1 offload\n\
         blackhole 10.1.0.0/16 offload\n\
         10.2.0.0/16 via 192.0.2.9 dev swp1 offload\n\
         10.3.0.0/16 via 192.0.2.8 dev swp1 trap next_hop_unresolved\n\
         10.4.0.0/16 nexthop via 192.0.2.9 dev swp1 weight 1 \
         nexthop via 198.51.100.9 dev swp2 weight 1 held next_hop_unresolved\n\
         10.5.0.0/16 via 203.0.113.9 dev eth0 trap next_hop_no_rif\n\
         10.6.0.0/16 dev vrrp5 trap next_hop_macvlan\n\
         prohibit 10.7.0.0/16 trap\n\
         192.0.2.0/24 dev swp1 offload\n\
         local 192.0.2.1 dev swp1 table local trap\n"
    );
    let other = views::Route {
        vrf: Some("red".into()),
        table: 7,
        metric: Some(20),
        action: None,
        state: firsthop_model::intent::State::Refused,
        reason: Some("route_table_full".into()),
        ..rows[2].clone()
    };
    let line = "10.2.0.0/16 via 192.0.2.9 dev swp1 vrf red metric 20 refused route_table_full\n";
    assert_eq!(route(&other), line);
    let (rows, _) = views::Neighbours::default().page(&bench.reconciler);
    assert_eq!(
        rows.iter().map(neighbour).collect::<String>(),
        "192.0.2.8 dev swp1 held next_hop_unresolved\n\
         192.0.2.9 dev swp1 lladdr 02:00:00:00:00:09 offload\n\
         203.0.113.9 dev eth0 lladdr 02:00:00:00:00:99 not_offloaded next_hop_no_rif\n"
    );
}

// Broken if an explanation of a route did not show what the kernel has, what failed, or what to do.
#[test]
fn explanation_of_a_route() {
    let bench = router();
    let told = |prefix: &str| {
        let told = views::explain_route(&bench.reconciler, None, prefix.parse().unwrap());
        route_explanation(&told.unwrap())
    };
    assert_eq!(
        told("10.5.0.0/16"),
        "10.5.0.0/16 via 203.0.113.9 dev eth0 goes to the CPU\n  \
         kernel : 10.5.0.0/16 via 203.0.113.9 dev eth0 table main metric 0\n  \
         [ok]   the chip routes (`routing` is \"hardware\")\n  \
         [ok]   its table is that of a virtual router (0)\n  \
         [ok]   the chip has routes of this kind (unicast)\n  \
         [FAIL] eth0 has a router interface: next_hop_no_rif\n  \
         [ok]   the chip took it, and all that it stands on\n  \
         chip   : 10.5.0.0/16 in virtual router 0: to the CPU\n  \
         reason : next_hop_no_rif: The route leads out of a device without a router\n           \
         interface in the chip.\n  \
         effect : Packets to it go to the CPU, and the kernel routes them.\n  \
         fix    : Nothing, unless the device should be one of the chip's: `firsthop\n           \
         explain eth0` says why it is not.\n"
    );
    let good = told("10.2.0.0/16");
    assert!(good.starts_with("10.2.0.0/16 via 192.0.2.9 dev swp1 is offloaded\n"), "{good}");
    assert!(!good.contains("FAIL") && !good.contains("reason"), "{good}");
}

// Broken if the summary of a router ran over 80 columns, or did not say how many routes the chip goes by.
#[test]
fn status_of_a_router() {
    let counts =
        |offload| [("offload".to_owned(), offload), ("not_offloaded".to_owned(), 4)].into();
    let mut of: views::Status = serde_json::from_value(serde_json::json!({
        "synced": true, "stale": false, "generation": 1,
        "netlink": { "messages": 1, "dropped": 0, "overruns": 0, "receive_buffer": 1 },
        "resyncs": {}, "hw": { "writes": 1, "failures": 0, "pending": 0 }, "rifs": {}, "vmacs": {},
        "transit": "hardware (119996 routes)",
        "liveness": { "watch": "off", "advertisements": 0, "dropped": 0, "flags": {} },
        "device": { "connected": true, "mode": "manage" },
    }))
    .unwrap();
    (of.routes, of.neighbours) = (counts(120_000), counts(8000));
    let text = status(&of);
    let lines = "\ntransit hardware (119996 routes)\n\
                 routes not_offloaded 4 offload 120000\n\
                 neighbours not_offloaded 4 offload 8000\n";
    assert!(text.contains(lines), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    (of.routes, of.neighbours, of.transit) = (Default::default(), Default::default(), "cpu".into());
    assert!(status(&of).contains("\ntransit cpu\nliveness "), "{}", status(&of));
}
