//! From a question to the daemon's answer, to what is printed, to the exit code.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::call::{CallError, Conversation};
use super::grammar::{Question, TrapFilter};
use super::text;
use super::{Exit, Options, complain, json, print, recorded};
use crate::api::interface::NAME;
use crate::api::{Reply, Wanted};
use crate::chain;
use crate::views;

/// Asks the daemon and prints what it says.
pub(super) fn answer(options: &Options, question: &Question) -> Exit {
    ask(options, question).unwrap_or_else(|failure| {
        complain(&failure.line);
        failure.exit
    })
}

/// No answer: what to say about it, and how to end.
pub(super) struct Failure {
    pub(super) line: String,
    pub(super) exit: Exit,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let exit = match error {
            CallError::Garbled { .. } => Exit::Refused,
            _ => Exit::Unreachable,
        };
        Self { line: chain(&error), exit }
    }
}

fn ask(options: &Options, question: &Question) -> Result<Exit, Failure> {
    if let Question::Diff(Some(file)) = question {
        return recorded::compare(options, file);
    }
    let mut daemon = Conversation::begin(options)?;
    if *question == Question::Monitor {
        return monitor(options, &mut daemon);
    }
    let (method, parameters) = method(options, question);
    let patience = match question {
        Question::Wait(_, timeout) => *timeout,
        _ => Duration::ZERO,
    };
    let reply = daemon.call(method, parameters, false, Some(patience))?;
    if let Some(error) = &reply.error {
        return Err(refusal(error, &reply, question));
    }
    if reply.parameters.get("stale") == Some(&Value::Bool(true)) {
        complain("note: stale_view: events may have been missed; a new snapshot is under way");
    }
    show(options, question, &reply, &daemon)
}

fn method(options: &Options, question: &Question) -> (&'static str, Map<String, Value>) {
    let (method, parameters) = match question {
        Question::Rif(filter) => ("ListRif", json!(filter)),
        Question::Vmac(filter) => ("ListVmac", json!(filter)),
        Question::Port(filter) => ("ListPort", json!(filter)),
        Question::Trap(_) => ("ListTrap", json!({ "stats": options.stats })),
        Question::Resource => ("ListResource", json!({})),
        Question::Status => ("Status", json!({})),
        Question::Diff(_) => ("Diff", json!({})),
        Question::Explain(dev) => ("Explain", json!({ "dev": dev })),
        Question::Doctor => ("Doctor", json!({})),
        Question::Monitor => ("Monitor", json!({})),
        Question::Wait(wanted, timeout) => {
            let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            (
                "Wait",
                match wanted {
                    Wanted::Synced => json!({ "object": "synced", "timeout_ms": timeout_ms }),
                    Wanted::Object { vmac, dev, state } => json!({
                        "object": if *vmac { "vmac" } else { "rif" },
                        "dev": dev,
                        "state": state.map_or("gone", |state| state.name()),
                        "timeout_ms": timeout_ms,
                    }),
                },
            )
        }
    };
    match parameters {
        Value::Object(members) => (method, members),
        _ => (method, Map::new()),
    }
}

/// What the daemon's error means for the person who asked.
pub(super) fn refusal(error: &str, reply: &Reply, question: &Question) -> Failure {
    let detail = |name: &str| {
        reply.parameters.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let own = error.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.'));
    let (line, exit) = match own {
        Some("NoSuchDevice") => (
            format!("Device '{}' does not exist; `ip link` lists devices", detail("dev")),
            Exit::Refused,
        ),
        Some("TimedOut") => {
            let timeout = match question {
                Question::Wait(_, timeout) => timeout.as_secs_f64(),
                _ => 0.0,
            };
            (format!("Not within {timeout} s: {}", detail("standing")), Exit::TimedOut)
        }
        Some("NoChip") => (
            "The daemon knows no switch chip, so that nothing should be in one".to_owned(),
            Exit::Refused,
        ),
        Some("ChipFailed") => (format!("The chip failed: {}", detail("reason")), Exit::Refused),
        _ => (
            format!("The daemon refused: {error} {}", Value::Object(reply.parameters.clone())),
            Exit::Refused,
        ),
    };
    Failure { line, exit }
}

fn show(
    options: &Options,
    question: &Question,
    reply: &Reply,
    daemon: &Conversation,
) -> Result<Exit, Failure> {
    let failed = |what: &str| Failure {
        line: format!(
            "The answer of the daemon at {} has no usable {what}; is it of another version?",
            daemon.path().display()
        ),
        exit: Exit::Refused,
    };
    match question {
        Question::Rif(_) => {
            let rows: Vec<views::Rif> = member(reply, "rifs").ok_or_else(|| failed("rifs"))?;
            out(options, &rows, |rows| text::rifs(rows, options));
        }
        Question::Vmac(_) => {
            let rows: Vec<views::Vmac> = member(reply, "vmacs").ok_or_else(|| failed("vmacs"))?;
            out(options, &rows, |rows| text::vmacs(rows, options));
        }
        Question::Port(_) => {
            let rows: Vec<views::Port> = member(reply, "ports").ok_or_else(|| failed("ports"))?;
            out(options, &rows, |rows| text::ports(rows, options));
        }
        Question::Trap(filter) => {
            let rows: Vec<views::Trap> = member(reply, "traps").ok_or_else(|| failed("traps"))?;
            let handle: Option<String> = member(reply, "handle");
            let rows = select(rows, handle.as_deref(), filter);
            let nested = json::by_handle("trap", handle.as_deref(), &rows);
            out(options, &nested, |_| text::traps(handle.as_deref(), &rows, options));
        }
        Question::Resource => {
            let rows: Vec<views::Resource> =
                member(reply, "resources").ok_or_else(|| failed("resources"))?;
            let handle: Option<String> = member(reply, "handle");
            let nested = json::by_handle("resources", handle.as_deref(), &rows);
            out(options, &nested, |_| text::resources(handle.as_deref(), &rows));
        }
        Question::Status => {
            let status: views::Status = member(reply, "status").ok_or_else(|| failed("status"))?;
            out(options, &status, text::status);
        }
        Question::Diff(_) => {
            let rows: Vec<views::Difference> =
                member(reply, "differences").ok_or_else(|| failed("differences"))?;
            out(options, &rows, |rows| text::differences(rows));
            return Ok(if rows.is_empty() { Exit::Ok } else { Exit::Differs });
        }
        Question::Explain(_) => {
            let explanation: views::Explanation =
                member(reply, "explanation").ok_or_else(|| failed("explanation"))?;
            out(options, &explanation, text::explanation);
            let missing = views::should_be_in_chip(explanation.state);
            return Ok(if missing { Exit::Differs } else { Exit::Ok });
        }
        Question::Doctor => {
            let checks: Vec<views::Check> =
                member(reply, "checks").ok_or_else(|| failed("checks"))?;
            out(options, &checks, |checks| text::checks(checks));
            let bad = checks.iter().any(|check| check.result == views::CheckResult::Failure);
            return Ok(if bad { Exit::Differs } else { Exit::Ok });
        }
        Question::Wait(..) | Question::Monitor => {}
    }
    Ok(Exit::Ok)
}

/// One member of a reply; None: it is missing, or of another type.
pub(super) fn member<T: DeserializeOwned>(reply: &Reply, name: &str) -> Option<T> {
    serde_json::from_value(reply.parameters.get(name)?.clone()).ok()
}

fn out<T: Serialize>(options: &Options, value: &T, text: impl FnOnce(&T) -> String) {
    let document = if options.json { json::document(value, options.pretty) } else { text(value) };
    print(&document);
}

fn select(rows: Vec<views::Trap>, handle: Option<&str>, filter: &TrapFilter) -> Vec<views::Trap> {
    let mut rows = rows;
    rows.retain(|row| {
        filter.dev.as_deref().is_none_or(|dev| Some(dev) == handle)
            && filter.trap.as_deref().is_none_or(|name| row.name == name)
            && filter.group.as_deref().is_none_or(|group| row.group == group)
    });
    rows
}

/// Prints changes until the daemon ends or nobody reads any more.
fn monitor(options: &Options, daemon: &mut Conversation) -> Result<Exit, Failure> {
    let mut reply = daemon.call("Monitor", Map::new(), true, None)?;
    loop {
        if let Some(error) = &reply.error {
            return Err(refusal(error, &reply, &Question::Monitor));
        }
        if let Some(change) = member::<views::Change>(&reply, "change") {
            let time = options.timestamp.then(now);
            let line = if options.json {
                json::change(&change, time.as_deref())
            } else {
                text::change(&change, time.as_deref())
            };
            let mut out = io::stdout();
            if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                return Ok(Exit::Ok);
            }
        }
        reply = daemon.next_reply()?;
    }
}

/// The time of day as iproute2's short time stamps have it, in UTC: 2026-11-20T15:26:25.104233.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    stamp(since)
}

fn stamp(since: Duration) -> String {
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = since.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}")
}

/// The date of a day since 1970 in the Gregorian calendar, by eras of 400 years that begin on 1 March.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if `monitor -t` told a wrong time around leap days and ends of years.
    #[test]
    fn time_stamps() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000"),
            (951_782_399, "2000-02-28T23:59:59.000000"),
            (951_782_400, "2000-02-29T00:00:00.000000"),
            (1_735_689_599, "2024-12-31T23:59:59.000000"),
            (1_795_188_385, "2026-11-20T15:26:25.000000"),
        ] {
            assert_eq!(stamp(Duration::from_secs(seconds)), text);
        }
    }
}
