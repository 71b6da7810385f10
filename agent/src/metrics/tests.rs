use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::api::description::{Interface, Type};
use crate::api::interface::DESCRIPTION;

fn answers() -> Answers {
    serde_json::from_value(json!({
        "status": {
            "synced": true, "stale": false, "generation": 42,
            "netlink": { "messages": 118, "dropped": 3, "overruns": 11, "receive_buffer": 33554432 },
            "resyncs": { "start": 12, "overrun": 13 },
            "audit": { "rounds": 14, "findings": { "row_missing": 15 }, "last": [] },
            "hw": { "writes": 96, "failures": 16, "pending": 17, "unknown": ["vmac vrrp5 00:00:5e:00:01:05"] },
            "rifs": { "offload": 18 }, "vmacs": { "offload": 19, "held": 20 },
            "routes": { "offload": 24, "refused": 25 }, "neighbours": { "offload": 26 },
            "transit": "hardware (24 routes)",
            "liveness": { "watch": "on", "advertisements": 21, "dropped": 22, "flags": { "orphan": 23 } },
            "device": { "handle": "hwsim/0", "connected": true, "mode": "manage" },
            "policers": [{ "device": "hwsim/0", "need": { "routers": 2, "rate": 40, "burst": 24 },
                           "drifts": 5, "reasons": [] }],
        },
        "rifs": [],
        "vmacs": [{ "ifname": "vrrp5", "ifindex": 9, "protocol": "vrrp", "role": "backup", "policy": "active",
                    "fast_path": false, "state": "held", "reason": "backup_policy" }],
        "devices": [{
            "handle": "hwsim/0",
            "traps": [{ "name": "ipv4_vrrp", "type": "control", "generic": true, "group": "vrrp", "policer": 11,
                        "action": "trap", "metadata": [],
                        "stats": { "rx": { "packets": 7, "bytes": 420 } } }],
            "groups": [{ "name": "vrrp", "generic": true, "policer": 11, "traps": ["ipv4_vrrp"] }],
            "policers": [{ "policer": 11, "rate": 1024, "burst": 512, "groups": ["vrrp"], "traps": ["ipv4_vrrp"],
                           "stats": { "rx": { "dropped": 9 } } }],
        }],
        "resources": [{ "name": "rifs", "size": 1000, "occ": 1 }, { "name": "fdb", "size": 10 }],
    }))
    .unwrap()
}

/// Every leaf of a document, as text.
fn leaves(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => members.values().for_each(|it| leaves(it, found)),
        serde_json::Value::Array(items) => items.iter().for_each(|it| leaves(it, found)),
        serde_json::Value::Null => {}
        other => found.push(other.to_string()),
    }
}

// Broken if a number of `status`, of a trap or of a table were told nowhere, under another name, or as another kind.
#[test]
fn numbers_are_told() {
    let page = render(Some(&answers()));
    for line in [
        "# TYPE firsthop_build info",
        "firsthop_build_info{version=\"0.1.0\"} 1",
        "firsthop_up 1",
        "# TYPE firsthop_synced gauge",
        "firsthop_synced 1",
        "firsthop_stale 0",
        "# TYPE firsthop_events counter",
        "firsthop_events_total 42",
        "firsthop_netlink_messages_total 118",
        "firsthop_netlink_dropped_messages_total 3",
        "firsthop_netlink_overruns_total 11",
        "firsthop_netlink_receive_buffer_bytes 33554432",
        "firsthop_resyncs_total{cause=\"overrun\"} 13",
        "firsthop_audits_total 14",
        "firsthop_audit_findings_total{class=\"row_missing\"} 15",
        "firsthop_hw_operations_total 96",
        "firsthop_hw_operation_failures_total 16",
        "firsthop_hw_pending_objects 17",
        "firsthop_hw_unknown_rows 1",
        "firsthop_hw_connected 1",
        "firsthop_rifs{state=\"offload\"} 18",
        "firsthop_vmacs{state=\"held\"} 20",
        "firsthop_routes{state=\"refused\"} 25",
        "firsthop_neighbours{state=\"offload\"} 26",
        "firsthop_vmac_reasons{reason=\"backup_policy\"} 1",
        "firsthop_liveness_watch 1",
        "firsthop_liveness_advertisements_total 21",
        "firsthop_liveness_flags{flag=\"orphan\"} 23",
        "firsthop_vrrp_policer_needed_rate_packets{device=\"hwsim/0\"} 40",
        "firsthop_vrrp_policer_drifts_total{device=\"hwsim/0\"} 5",
        "firsthop_resource_used{device=\"hwsim/0\",resource=\"rifs\"} 1",
        "firsthop_resource_capacity{device=\"hwsim/0\",resource=\"fdb\"} 10",
        "firsthop_devlink_trap_info{device=\"hwsim/0\",trap=\"ipv4_vrrp\",group=\"vrrp\",kind=\"control\",action=\"trap\"} 1",
        "firsthop_devlink_trap_received_packets_total{device=\"hwsim/0\",trap=\"ipv4_vrrp\"} 7",
        "firsthop_devlink_trap_received_bytes_total{device=\"hwsim/0\",trap=\"ipv4_vrrp\"} 420",
        "firsthop_devlink_trap_group_info{device=\"hwsim/0\",group=\"vrrp\",policer=\"11\"} 1",
        "firsthop_devlink_trap_policer_rate_packets{device=\"hwsim/0\",policer=\"11\"} 1024",
        "firsthop_devlink_trap_policer_dropped_packets_total{device=\"hwsim/0\",policer=\"11\"} 9",
    ] {
        assert!(page.lines().any(|there| there == line), "{line} is not in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
    // Where the kernel routes there are none, which is not the same as zero.
    let mut by_kernel = answers();
    (by_kernel.status.routes, by_kernel.status.neighbours) = Default::default();
    assert!(!render(Some(&by_kernel)).contains("firsthop_routes"));
    // What does not count is not zero.
    assert!(!page.contains("trap_dropped_packets_total{device=\"hwsim/0\",trap"));
    assert!(!page.contains("resource_used{device=\"hwsim/0\",resource=\"fdb\"}"));
}

// Broken if a number of `status` were forgotten when one is added: each is told, or named here as left out.
#[test]
fn nothing_of_status_is_forgotten() {
    let mut status = serde_json::to_value(answers().status).unwrap();
    // Words are for people; how many routers stand behind a policer's need, the need itself says.
    status["policers"][0]["need"]["routers"] = json!(null);
    let page = render(Some(&answers()));
    let mut found = Vec::new();
    leaves(&status, &mut found);
    let numbers = found.iter().filter(|leaf| leaf.parse::<u64>().is_ok());
    for number in numbers.filter(|number| !["0", "1"].contains(&number.as_str())) {
        let told = page.lines().any(|line| line.ends_with(&format!(" {number}")));
        assert!(told, "{number} of {status} is not in\n{page}");
    }
}

// Broken if a daemon that is not there were told as one in which all is well.
#[test]
fn without_a_daemon_only_that_is_told() {
    let page = render(None);
    assert!(page.contains("firsthop_up 0\n") && page.contains("firsthop_build_info"));
    assert_eq!(page.lines().filter(|line| !line.starts_with('#')).count(), 2, "{page}");
}

// Broken if names had two meanings, or a name of the operator's choice made series without end.
#[test]
fn names_keep_the_rules() {
    let page = render(Some(&answers()));
    let mut families = Vec::new();
    for line in page.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap();
            assert!(name.starts_with("firsthop_") && !name.ends_with("_total"), "{line}");
            assert!(["gauge", "counter", "info"].contains(&kind), "{line}");
            families.push(name.to_owned());
        }
    }
    let documented = include_str!("../../../docs/metrics.md");
    let told = |name: &str| documented.contains(&format!("`{name}`"));
    for family in &families {
        assert!(told(family), "{family} is not in docs/metrics.md");
    }
    let rows = documented.lines().filter(|line| line.starts_with("| `firsthop_"));
    let names = rows.flat_map(|row| row.split('`').filter(|word| word.starts_with("firsthop_")));
    for name in names {
        // families without a row in this scene
        let empty = ["firsthop_rif_reasons", "firsthop_devlink_trap_dropped_packets"];
        assert!(families.iter().any(|it| it == name) || empty.contains(&name), "{name}");
    }
    let mut distinct = families.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), families.len());
    for secret in ["vrrp5", "00:00:5e"] {
        assert!(!page.contains(secret), "{secret}");
    }
}

/// Rows of the page's table: members, and what tells them.
fn decisions() -> Vec<(Vec<&'static str>, &'static str)> {
    let page = include_str!("../../../docs/metrics.md");
    let (_, table) = page.split_once("| member | told by |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let [members, told] = row.trim_matches('|').split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        (members.split('`').skip(1).step_by(2).collect(), told.trim())
    })
    .collect()
}

// Broken if a member of an answer were neither told by a metric nor left out for a reason that the page shows.
#[test]
fn every_member_is_decided_upon() {
    let interface = Interface::of(DESCRIPTION);
    let mut leaves = BTreeSet::new();
    for (object, name) in [
        ("status", "Status"),
        ("rif", "Rif"),
        ("vmac", "Vmac"),
        ("route", "Route"),
        ("neigh", "Neighbour"),
        ("port", "Port"),
        ("trap", "TrapDevice"),
        ("resource", "Resource"),
        ("doctor", "Check"),
    ] {
        interface.leaves(&Type::Named(name.to_owned()), object, &mut leaves);
    }
    assert!(leaves.len() > 100, "{leaves:?}");
    let decisions = decisions();
    let is_below = |leaf: &str, member: &str| {
        leaf.strip_prefix(member).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut used = BTreeSet::new();
    for leaf in &leaves {
        let members = decisions.iter().flat_map(|(members, _)| members);
        let closest = members.filter(|member| is_below(leaf, member)).max_by_key(|m| m.len());
        used.insert(*closest.unwrap_or_else(|| panic!("{leaf} is not in docs/metrics.md")));
    }
    let families = include_str!("../../../docs/metrics.md").lines();
    let families: Vec<&str> = families.filter(|line| line.starts_with("| `firsthop_")).collect();
    let mut seen = BTreeSet::new();
    for (members, told) in decisions {
        for member in members {
            assert!(seen.insert(member), "{member} is decided upon twice");
            assert!(used.contains(member), "{member} is no member of an answer");
        }
        let family = told.trim_matches('`');
        let is_told = families.iter().any(|row| row.contains(&format!("`{family}`")));
        assert!(is_told || told.starts_with("left out: "), "{told}");
    }
}

// Broken if the man page said something else than the table of docs/metrics.md. UPDATE=1 rewrites the page.
#[test]
fn the_man_page_is_the_table() {
    let documented = include_str!("../../../docs/metrics.md");
    let mut page = String::from(
        ".Dd November 23, 2026\n.Dt FIRSTHOP-METRICS 7\n.Os Firsthop\n.Sh NAME\n.Nm firsthop-metrics\n\
         .Nd what Firsthop counts, for Prometheus\n.Sh DESCRIPTION\n\
         .Xr firsthop-exporter 8\nand\n.Ic firsthop metrics\ntell these families as OpenMetrics text.\n\
         Names of counters end in\n.Li _total ,\nthose of infos in\n.Li _info .\n.Bl -tag -width Ds\n",
    );
    for row in documented.lines().filter(|line| line.starts_with("| `firsthop_")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [names, kind, labels, text] = cells.as_slice() else { panic!("{row}") };
        let names = names.split('`').filter(|name| name.starts_with("firsthop_"));
        for name in names {
            page.push_str(&format!(".Tg {name}\n.It Li {name}\n"));
        }
        let labels = if labels.is_empty() { String::new() } else { format!(" by {labels}") };
        page.push_str(&format!("({kind}{labels}) {}.\n", plain(text)));
    }
    page.push_str(".El\n.Sh SEE ALSO\n.Xr firsthop 1 ,\n.Xr firsthop-exporter 8\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/man/firsthop-metrics.7");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == page, "Run this test with UPDATE=1: {path}");
}

/// A cell without Markdown: of a link its words.
fn plain(cell: &str) -> String {
    let mut text = String::new();
    for part in cell.split('[') {
        let after = part.split_once("](").and_then(|(words, rest)| {
            let (_, after) = rest.split_once(')')?;
            Some(format!("{words}{after}"))
        });
        text.push_str(&after.unwrap_or_else(|| part.to_owned()));
    }
    text.replace('`', "")
}
