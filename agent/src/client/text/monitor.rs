//! Lines of `firsthop monitor`.

use super::objects::{flags, rif_line, vmac_line};
use crate::views::{Change, Happening, KernelEvent, Rif, Vmac, Write};

/// A line of `firsthop monitor`
pub(in crate::client) fn change(change: &Change, time: Option<&str>) -> String {
    let time = time.map_or_else(String::new, |time| format!("[{time}] "));
    let event = match (change.object.as_str(), change.event) {
        ("hw", Happening::New) => "add ",
        ("hw", Happening::Change) => "edit ",
        ("hw", Happening::Gone) => "remove ",
        (_, Happening::New) => "new ",
        (_, Happening::Change) => "",
        (_, Happening::Gone) => "gone ",
    };
    let line = match change {
        Change { rif: Some(row), .. } => rif(row),
        Change { vmac: Some(row), .. } => vmac(row),
        Change { kernel: Some(told), .. } => kernel(told),
        Change { hw: Some(told), .. } => write(told),
        _ => String::new(),
    };
    let id = change.event_id.map_or_else(String::new, |id| format!(" event {id}"));
    let gap = change.left_out.map_or_else(String::new, |count| {
        format!("{time}{count} lines left out: this reader is too slow\n")
    });
    format!("{gap}{time}{event}{} {line}{id}\n", change.object)
}

fn reason(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |reason| format!(" reason {reason}"))
}

fn rif(row: &Rif) -> String {
    format!("{}{}", rif_line(row), reason(row.reason.as_ref()))
}

fn vmac(row: &Vmac) -> String {
    let flags = Some(flags(row)).filter(|flags| !flags.is_empty());
    let flags = flags.map_or_else(String::new, |flags| format!(" flags {flags}"));
    format!("{}{}{flags}", vmac_line(row), reason(row.reason.as_ref()))
}

fn kernel(told: &KernelEvent) -> String {
    let KernelEvent { what, ifname, ifindex, text } = told;
    let dev = match (ifname, ifindex) {
        (Some(ifname), _) => format!(" {ifname}"),
        (None, Some(ifindex)) => format!(" if{ifindex}"),
        (None, None) => String::new(),
    };
    format!("{what}{dev}: {text}")
}

fn write(told: &Write) -> String {
    let Write { row, content, result, error, duration_us, .. } = told;
    let content = content.as_ref().map_or_else(String::new, |content| format!(": {content}"));
    let took = duration_us.map_or_else(String::new, |took| format!(" {took}us"));
    let error = error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
    format!("{row}{content} {result}{took}{error}")
}
