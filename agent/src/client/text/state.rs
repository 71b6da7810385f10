//! Resources, status and differences.

use std::collections::BTreeMap;

use firsthop_asic::spectrum::recording::{Recording, Summary};
use firsthop_model::intent::Reason;

use super::table::{Table, or_dash};
use super::wrapped;
use crate::views::{Difference, Mode, Power, Resource, Status, VrrpPolicer, Watch};

/// `firsthop resource`
pub(in crate::client) fn resources(handle: Option<&str>, rows: &[Resource]) -> String {
    let Some(handle) = handle else { return "No switch chip\n".to_owned() };
    let mut text = format!("{handle}:\n");
    for row in rows {
        let occ = row.occ.map_or_else(String::new, |occ| format!(" occ {occ}"));
        text.push_str(&format!("  name {} size {}{occ}\n", row.name, row.size));
    }
    text
}

/// `firsthop status`
pub(in crate::client) fn status(status: &Status) -> String {
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let device = &status.device;
    let mode = match device.mode {
        Mode::Manage => "manage",
        Mode::Observe => "observe",
    };
    let chip = match &device.handle {
        Some(handle) if device.connected => format!("{handle} connected"),
        Some(handle) => format!("{handle} NOT connected"),
        None => "none".to_owned(),
    };
    let socket = device.socket.as_ref().map_or_else(String::new, |path| format!(" at {path}"));
    let (synced, stale) = (yes(status.synced), yes(status.stale));
    let mut text = format!("synced {synced} stale {stale} generation {}\n", status.generation);
    text.push_str(&wrapped("chip", &format!("{chip}{socket} mode {mode}"), 5));
    let netlink = status.netlink;
    text.push_str(&format!(
        "netlink messages {} dropped {} overruns {} buffer {}\n",
        netlink.messages, netlink.dropped, netlink.overruns, netlink.receive_buffer
    ));
    text.push_str(&counted("resyncs", &status.resyncs));
    text.push_str(&format!("audit rounds {}\n", status.audit.rounds));
    text.push_str(&counted("audit findings", &status.audit.findings));
    let hw = &status.hw;
    text.push_str(&format!(
        "hw writes {} failures {} pending {}\n",
        hw.writes, hw.failures, hw.pending
    ));
    text.extend(hw.unknown.iter().map(|row| wrapped("hw unknown", row, 11)));
    text.push_str(&counted("rifs", &status.rifs));
    text.push_str(&counted("vmacs", &status.vmacs));
    text.push_str(&format!("transit {}\n", status.transit));
    for (name, counts) in [("routes", &status.routes), ("neighbours", &status.neighbours)] {
        if !counts.is_empty() {
            text.push_str(&counted(name, counts));
        }
    }
    text.push_str(&liveness(&status.liveness));
    text.extend(status.policers.iter().map(policer));
    text
}

fn policer(row: &VrrpPolicer) -> String {
    let size = match (row.policer, row.rate, row.burst) {
        (Some(id), Some(rate), Some(burst)) => format!("policer {id} rate {rate} burst {burst}"),
        (Some(id), ..) => format!("policer {id}"),
        (None, ..) => "no policer".to_owned(),
    };
    let need = row.need;
    let dropped = row.dropped.map_or_else(String::new, |dropped| format!(" dropped {dropped}"));
    let reasons = if row.reasons.is_empty() {
        String::new()
    } else {
        format!(" reason {}", row.reasons.join(","))
    };
    let refusal = row.refusal.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
    let text = format!(
        "{} {size}{dropped} routers {} need rate {} burst {}{reasons}{refusal}",
        row.device, need.routers, need.rate, need.burst
    );
    wrapped("vrrp", &text, 5)
}

fn liveness(watch: &Watch) -> String {
    if watch.watch == Power::Off {
        let why = watch.reason.as_deref().unwrap_or("as configured");
        return wrapped("liveness", &format!("off: {why}"), 5);
    }
    let Watch { advertisements, dropped, flags, .. } = watch;
    let told = flags.iter().map(|(flag, count)| format!(" {flag} {count}")).collect::<String>();
    let told = if told.is_empty() { " none" } else { &told };
    let text = format!("on advertisements {advertisements} dropped {dropped} flags{told}");
    wrapped("liveness", &text, 5)
}

fn counted(name: &str, counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return format!("{name} none\n");
    }
    let told: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    wrapped(name, &told.join(" "), 5)
}

/// `firsthop -d diff --emad-pcap FILE`: what was in the file, and how much of each table is left at its end.
pub(in crate::client) fn recording(recording: &Recording) -> String {
    let Recording { summary, tables, .. } = recording;
    let Summary { frames, queries, writes, acknowledged, refused, repeated, .. } = summary;
    let (unanswered, whole) = (summary.unanswered.len(), if summary.whole { "yes" } else { "no" });
    let mut text = format!("recording frames {frames} queries {queries} whole {whole}\n");
    text.push_str(&format!(
        "writes {writes} acknowledged {acknowledged} refused {refused} unanswered {unanswered} repeated {repeated}\n"
    ));
    for lost in &summary.unanswered {
        text.push_str(&format!("  unanswered {lost}\n"));
    }
    let left = [
        ("other frames", summary.other),
        ("malformed", summary.malformed),
        ("answers without request", summary.strays),
        ("other registers", summary.unknown),
        ("resets", summary.resets),
    ];
    for (what, count) in left.into_iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!("{what} {count}\n"));
    }
    let sizes = [
        ("rifs", tables.rifs.len()),
        ("fdb", tables.fdb.len()),
        ("routes", tables.routes.len()),
        ("fids", tables.fids.len()),
        ("lags", tables.lags.len()),
        ("mappings", tables.mappings.len()),
    ];
    let told: Vec<String> = sizes.iter().map(|(what, count)| format!("{what} {count}")).collect();
    text.push_str(&wrapped("tables", &told.join(" "), 5));
    text
}

/// `firsthop diff`
pub(in crate::client) fn differences(rows: &[Difference]) -> String {
    if rows.is_empty() {
        return "No differences\n".to_owned();
    }
    let mut table = Table::new(&["OBJECT", "KERNEL", "INTENDED", "HARDWARE", ""]);
    for row in rows {
        let note = match (&row.reason, &row.change) {
            (Some(reason), _) => format!("<< {reason}"),
            (None, Some(change)) => format!("<< {change}"),
            (None, None) => String::new(),
        };
        table.row([
            row.object.clone(),
            or_dash(row.kernel.as_ref()),
            or_dash(row.intended.as_ref()),
            or_dash(row.hardware.as_ref()),
            note,
        ]);
    }
    let count = rows.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut text = format!("{}{count} difference{plural}\n", table.text());
    let commands: Vec<&str> = rows.iter().filter_map(|row| row.command.as_deref()).collect();
    if !commands.is_empty() {
        text.push_str("As commands:\n");
        text.extend(commands.iter().map(|command| format!("  {command}\n")));
    }
    if rows.iter().any(|row| row.reason.as_deref() == Some(Reason::NotManaged.code())) {
        text.push_str(
            "Not written: `manage = true` in section [device] of firsthop.toml allows it.\n",
        );
    }
    text
}
