//! Traps, their groups and policers, as devlink prints them.

use super::table::{Table, or_dash};
use super::wrapped;
use crate::client::Options;
use crate::views::trap_words;
use crate::views::{TrapDevice, TrapEvent, TrapStats};

const NOBODY: &str = "No device with traps\n";

/// `firsthop trap`
pub(in crate::client) fn traps(devices: &[TrapDevice], options: &Options) -> String {
    if options.brief {
        let mut table = Table::new(&["TRAP", "TYPE", "GROUP", "POLICER", "ACTION", "DEVICE"]);
        for (device, row) in devices.iter().flat_map(|d| d.traps.iter().map(move |t| (d, t))) {
            table.row([
                row.name.clone(),
                row.kind.clone(),
                row.group.clone(),
                or_dash(row.policer),
                or_dash(row.action.as_ref()),
                device.handle.clone(),
            ]);
        }
        return table.text();
    }
    by_device(devices, |device| {
        let mut text = String::new();
        for row in &device.traps {
            let mut line = format!("  name {} type {}", row.name, row.kind);
            line.push_str(&format!(" action {} group {}", or_dash(row.action.as_ref()), row.group));
            line.extend(row.policer.map(|id| format!(" policer {id}")));
            line.extend(row.reason.as_ref().map(|reason| format!(" reason {reason}")));
            text.push_str(&format!("{line}\n"));
            if options.details {
                let generic = if row.generic { "generic" } else { "the driver's own" };
                let metadata = row.metadata.join(" ");
                text.push_str(&format!("    {generic} metadata {metadata}\n"));
                if let Some(words) = trap_words::words(&row.name) {
                    text.push_str(&wrapped("    means:", words.meaning, 6));
                    text.push_str(&wrapped("    advice:", words.advice, 6));
                }
            }
            text.extend(row.stats.iter().map(stats));
        }
        text
    })
}

/// `firsthop trap group`
pub(in crate::client) fn trap_groups(devices: &[TrapDevice]) -> String {
    by_device(devices, |device| {
        let mut text = String::new();
        for row in &device.groups {
            let policer = row.policer.map_or_else(|| "none".to_owned(), |id| id.to_string());
            text.push_str(&format!("  name {} policer {policer}\n", row.name));
            text.push_str(&wrapped("    traps", &row.traps.join(" "), 6));
            text.extend(row.stats.iter().map(stats));
        }
        text
    })
}

/// `firsthop trap policer`
pub(in crate::client) fn trap_policers(devices: &[TrapDevice]) -> String {
    by_device(devices, |device| {
        let mut text = String::new();
        for row in &device.policers {
            let groups =
                if row.groups.is_empty() { "none".to_owned() } else { row.groups.join(",") };
            let (id, rate, burst) = (row.policer, row.rate, row.burst);
            text.push_str(&format!("  policer {id} rate {rate} burst {burst} groups {groups}\n"));
            if !row.traps.is_empty() {
                text.push_str(&wrapped("    traps", &row.traps.join(" "), 6));
            }
            text.extend(row.stats.iter().map(stats));
        }
        text
    })
}

fn by_device(devices: &[TrapDevice], rows: impl Fn(&TrapDevice) -> String) -> String {
    if devices.is_empty() {
        return NOBODY.to_owned();
    }
    let head = |device: &TrapDevice| {
        let driver = device.driver.as_ref().map_or_else(String::new, |d| format!(" driver {d}"));
        format!("{}:{driver}\n{}", device.handle, rows(device))
    };
    devices.iter().map(head).collect()
}

fn stats(stats: &TrapStats) -> String {
    let rx = stats.rx;
    let part = |name: &str, n: Option<u64>| n.map_or_else(String::new, |n| format!(" {name} {n}"));
    let mut text = format!(
        "    stats: rx:{}{}{}",
        part("bytes", rx.bytes),
        part("packets", rx.packets),
        part("dropped", rx.dropped)
    );
    text.extend(stats.rate.map(|rate| format!(" rate {rate}/s")));
    if let (Some(since), Some(count)) = (&stats.since, stats.since_count) {
        let count = if count == 0 { String::new() } else { format!(" at {count}") };
        text.push_str(&format!("\n      since {since}{count}"));
    }
    text.extend(stats.resets.filter(|resets| *resets > 0).map(|n| format!(" resets {n}")));
    text.push('\n');
    text
}

/// A line of `firsthop trap monitor`
pub(in crate::client) fn trap_event(event: &TrapEvent, time: Option<&str>) -> String {
    let time = time.map_or_else(String::new, |time| format!("[{time}] "));
    let mut line =
        format!("{time}{} {} {} {}", event.handle, event.object, event.name, event.event);
    line.extend(event.more.map(|more| format!(" +{more}")));
    line.extend(event.rate.map(|rate| format!(" {rate}/s")));
    line.extend(event.count.map(|count| format!(" total {count}")));
    if !event.traps.is_empty() {
        line.push_str(&format!(" of {}", event.traps.join(",")));
    }
    line.extend(event.text.as_ref().map(|text| format!(": {text}")));
    line.push('\n');
    line
}
