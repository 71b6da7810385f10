//! From a question to the daemon's answer, to what is printed, to the exit code.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::call::{CallError, Conversation};
use super::grammar::{Question, TrapTable};
use super::text;
use super::{Exit, Options, complain, json, listing, print, recorded, support};
use crate::api::interface::NAME;
use crate::api::{Reply, TrapFilter, Wanted};
use crate::chain;
use crate::clock;
use crate::config::Config;
use crate::metrics;
use crate::views::{self, TrapDevice, TrapStats};

/// Asks the daemon and prints what it says.
pub(super) fn answer(options: &Options, question: &Question) -> Exit {
    ask(options, question).unwrap_or_else(|failure| {
        complain(&failure.line);
        failure.exit
    })
}

/// No answer: what to say about it, and how to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people
    pub line: String,
    /// How the program ends
    pub exit: Exit,
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
    if *question == Question::Metrics {
        print(&metrics::render(Some(&gather(options)?)));
        return Ok(Exit::Ok);
    }
    if let Question::Support(file) = question {
        return support::collect(options, file.as_deref());
    }
    let config = match question {
        Question::Check(Some(file)) => Some(configuration(file)?),
        _ => None,
    };
    let mut daemon = Conversation::begin(options)?;
    match question {
        Question::Monitor(_) => {
            return follow(options, question, "change", text::change, &mut daemon);
        }
        Question::TrapMonitor(_) => {
            complain(
                "note: packets are counted each second, not captured; drop monitor (NET_DM) is not \
                 opened, control traps never reach it",
            );
            return follow(options, question, "event", text::trap_event, &mut daemon);
        }
        Question::Route(filter) => return listing::routes(options, filter, &mut daemon),
        Question::RouteGet(filter) => return listing::route_to(options, filter, &mut daemon),
        Question::Neighbour(filter) => return listing::neighbours(options, filter, &mut daemon),
        _ => {}
    }
    let (method, mut parameters) = method(question);
    parameters.extend(config.map(|text| ("config".to_owned(), Value::String(text))));
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
    let (document, exit) = show(options, question, &reply, daemon.path())?;
    print(&document);
    Ok(exit)
}

/// The text of a configuration file that is valid as far as it goes without a daemon.
fn configuration(file: &Path) -> Result<String, Failure> {
    let unusable = |line: String| Failure { line, exit: Exit::Usage };
    Config::load(Some(file)).map_err(|error| unusable(chain(&error)))?;
    fs::read_to_string(file).map_err(|error| unusable(format!("{}: {error}", file.display())))
}

fn method(question: &Question) -> (&'static str, Map<String, Value>) {
    let (method, parameters) = match question {
        Question::Rif(filter) => ("ListRif", json!(filter)),
        Question::Vmac(filter) => ("ListVmac", json!(filter)),
        Question::Port(filter) => ("ListPort", json!(filter)),
        Question::Route(filter) | Question::RouteGet(filter) => ("ListRoute", json!(filter)),
        Question::Neighbour(filter) => ("ListNeighbour", json!(filter)),
        Question::Trap(..) => ("ListTrap", json!({})),
        Question::TrapMonitor(filter) => ("MonitorTrap", json!(filter)),
        Question::Resource => ("ListResource", json!({})),
        Question::Status | Question::Metrics | Question::Support(_) => ("Status", json!({})),
        Question::Diff(_) => ("Diff", json!({})),
        Question::Explain(dev) => ("Explain", json!({ "dev": dev })),
        Question::ExplainRoute(filter) => ("ExplainRoute", json!(filter)),
        Question::Doctor => ("Doctor", json!({})),
        Question::Check(_) => ("Check", json!({})),
        Question::Monitor(filter) => ("Monitor", json!(filter)),
        Question::Wait(wanted, timeout) => {
            let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            (
                "Wait",
                match wanted {
                    Wanted::Synced => json!({ "object": "synced", "timeout_ms": timeout_ms }),
                    Wanted::Audited => json!({ "object": "audited", "timeout_ms": timeout_ms }),
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
pub fn refusal(error: &str, reply: &Reply, question: &Question) -> Failure {
    let detail = |name: &str| {
        reply.parameters.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let own = error.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.'));
    let (line, exit) = match own {
        Some("NoSuchDevice") => (
            format!("Device '{}' does not exist; `ip link` lists devices", detail("dev")),
            Exit::Refused,
        ),
        Some("NoSuchRoute") => (
            format!("The kernel has no route {}; `ip route` lists routes", detail("prefix")),
            Exit::Refused,
        ),
        Some("TimedOut") => {
            let timeout = match question {
                Question::Wait(_, timeout) => timeout.as_secs_f64(),
                _ => 0.0,
            };
            (format!("Not within {timeout} s: {}", detail("standing")), Exit::TimedOut)
        }
        Some("InvalidConfiguration") => (detail("reason"), Exit::Usage),
        Some("NotSaved") => {
            ("A saved state does not have this; ask the daemon".to_owned(), Exit::Refused)
        }
        Some("NoChip") => (
            "The daemon knows no switch chip, so that nothing should be in one".to_owned(),
            Exit::Refused,
        ),
        Some("TooMany") => (
            format!(
                "The daemon is busy with {} {} already; try again",
                reply.parameters.get("limit").unwrap_or(&Value::Null),
                detail("what")
            ),
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

/// What is printed of an answer, and how the program ends. `path` is where the daemon listens, for messages.
///
/// # Errors
/// The answer is not what the interface promises, or has no such device.
pub fn show(
    options: &Options,
    question: &Question,
    reply: &Reply,
    path: &Path,
) -> Result<(String, Exit), Failure> {
    let failed = |what: &str| Failure {
        line: format!(
            "The answer of the daemon at {} has no usable {what}; is it of another version?",
            path.display()
        ),
        exit: Exit::Refused,
    };
    let mut exit = Exit::Ok;
    let document = match question {
        Question::Rif(_) => {
            let rows: Vec<views::Rif> = member(reply, "rifs").ok_or_else(|| failed("rifs"))?;
            out(options, &rows, |rows| text::rifs(rows, options))
        }
        Question::Vmac(_) => {
            let rows: Vec<views::Vmac> = member(reply, "vmacs").ok_or_else(|| failed("vmacs"))?;
            out(options, &rows, |rows| text::vmacs(rows, options))
        }
        Question::Port(_) => {
            let rows: Vec<views::Port> = member(reply, "ports").ok_or_else(|| failed("ports"))?;
            out(options, &rows, |rows| text::ports(rows, options))
        }
        Question::Trap(table, filter) => {
            let devices: Vec<TrapDevice> =
                member(reply, "devices").ok_or_else(|| failed("devices"))?;
            traps(options, *table, filter, devices)?
        }
        Question::Resource => {
            let rows: Vec<views::Resource> =
                member(reply, "resources").ok_or_else(|| failed("resources"))?;
            let handle: Option<String> = member(reply, "handle");
            let nested = json::by_handle("resources", handle.as_deref(), &rows);
            out(options, &nested, |_| text::resources(handle.as_deref(), &rows))
        }
        Question::Status => {
            let status: views::Status = member(reply, "status").ok_or_else(|| failed("status"))?;
            out(options, &status, text::status)
        }
        Question::Diff(_) => {
            let rows: Vec<views::Difference> =
                member(reply, "differences").ok_or_else(|| failed("differences"))?;
            if !rows.is_empty() {
                exit = Exit::Differs;
            }
            out(options, &rows, |rows| text::differences(rows))
        }
        Question::Explain(_) => {
            let explanation: views::Explanation =
                member(reply, "explanation").ok_or_else(|| failed("explanation"))?;
            if views::should_be_in_chip(explanation.state) {
                exit = Exit::Differs;
            }
            out(options, &explanation, text::explanation)
        }
        Question::ExplainRoute(_) => {
            let explanation: views::RouteExplanation =
                member(reply, "explanation").ok_or_else(|| failed("explanation"))?;
            if views::should_be_in_chip(explanation.route.state) {
                exit = Exit::Differs;
            }
            out(options, &explanation, text::route_explanation)
        }
        Question::Doctor => {
            let checks: Vec<views::Check> =
                member(reply, "checks").ok_or_else(|| failed("checks"))?;
            if checks.iter().any(|check| check.result == views::CheckResult::Failure) {
                exit = Exit::Differs;
            }
            out(options, &checks, |checks| text::checks(checks))
        }
        Question::Check(file) => {
            let findings: Vec<views::Remark> =
                member(reply, "findings").ok_or_else(|| failed("findings"))?;
            if !findings.is_empty() {
                exit = Exit::Differs;
            }
            out(options, &findings, |findings| text::findings(findings, file.is_some()))
        }
        // they come in several answers, or are not shown
        Question::Wait(..)
        | Question::Monitor(_)
        | Question::TrapMonitor(_)
        | Question::Metrics
        | Question::Support(_)
        | Question::Route(_)
        | Question::RouteGet(_)
        | Question::Neighbour(_) => String::new(),
    };
    Ok((document, exit))
}

/// Asks for everything that metrics are made of.
///
/// # Errors
/// The daemon can't be reached, refuses, or answers something else.
pub fn gather(options: &Options) -> Result<metrics::Answers, Failure> {
    let mut daemon = Conversation::begin(options)?;
    let mut answers = Map::new();
    for method in ["Status", "ListRif", "ListVmac", "ListTrap", "ListResource"] {
        let reply = daemon.call(method, Map::new(), false, Some(Duration::ZERO))?;
        if let Some(error) = &reply.error {
            return Err(refusal(error, &reply, &Question::Metrics));
        }
        answers.extend(reply.parameters);
    }
    serde_json::from_value(Value::Object(answers)).map_err(|error| Failure {
        line: format!(
            "The answer of the daemon at {} is not understood: {error}",
            daemon.path().display()
        ),
        exit: Exit::Refused,
    })
}

/// One member of a reply; None: it is missing, or of another type.
pub(super) fn member<T: DeserializeOwned>(reply: &Reply, name: &str) -> Option<T> {
    serde_json::from_value(reply.parameters.get(name)?.clone()).ok()
}

fn out<T: Serialize>(options: &Options, value: &T, text: impl FnOnce(&T) -> String) -> String {
    if options.json {
        json::document(value, options.pretty)
    } else {
        options.colour.paint(text(value))
    }
}

/// One of the three tables of the devices that are asked for.
fn traps(
    options: &Options,
    table: TrapTable,
    filter: &TrapFilter,
    mut devices: Vec<TrapDevice>,
) -> Result<String, Failure> {
    if let Some(dev) = &filter.dev
        && !devices.iter().any(|device| device.handle == *dev)
    {
        let line = format!("There is no device {dev} with traps; `firsthop trap` lists devices");
        return Err(Failure { line, exit: Exit::Refused });
    }
    devices.retain(|device| filter.takes_device(&device.handle));
    for device in &mut devices {
        device.traps.retain(|trap| filter.takes_trap(trap));
        device.groups.retain(|group| {
            filter.group.as_ref().is_none_or(|name| group.name == *name)
                && filter.policer.is_none_or(|policer| group.policer == Some(policer))
        });
        device.policers.retain(|p| filter.policer.is_none_or(|policer| p.policer == policer));
        let forget =
            |stats: &mut Option<TrapStats>| *stats = stats.take().filter(|_| options.stats);
        device.traps.iter_mut().for_each(|trap| forget(&mut trap.stats));
        device.groups.iter_mut().for_each(|group| forget(&mut group.stats));
        device.policers.iter_mut().for_each(|policer| forget(&mut policer.stats));
    }
    Ok(match table {
        TrapTable::Traps => {
            let rows = devices.iter().map(|device| (device.handle.clone(), device.traps.clone()));
            out(options, &json::by_handles("trap", rows.collect()), |_| {
                text::traps(&devices, options)
            })
        }
        TrapTable::Groups => {
            let rows = devices.iter().map(|device| (device.handle.clone(), device.groups.clone()));
            out(options, &json::by_handles("trap_group", rows.collect()), |_| {
                text::trap_groups(&devices)
            })
        }
        TrapTable::Policers => {
            let rows =
                devices.iter().map(|device| (device.handle.clone(), device.policers.clone()));
            out(options, &json::by_handles("trap_policer", rows.collect()), |_| {
                text::trap_policers(&devices)
            })
        }
    })
}

/// Prints one member of each answer until the daemon ends or nobody reads any more. `text` makes a line for people of it.
fn follow<T: Serialize + DeserializeOwned>(
    options: &Options,
    question: &Question,
    name: &str,
    text: fn(&T, Option<&str>) -> String,
    daemon: &mut Conversation,
) -> Result<Exit, Failure> {
    let (method, parameters) = method(question);
    let mut reply = daemon.call(method, parameters, true, None)?;
    loop {
        if let Some(error) = &reply.error {
            return Err(refusal(error, &reply, question));
        }
        if let Some(told) = member::<T>(&reply, name) {
            let time = options.timestamp.then(|| clock::stamp(clock::now()));
            let line = if options.json {
                json::line(&told, time.as_deref())
            } else {
                options.colour.paint(text(&told, time.as_deref()))
            };
            let mut out = io::stdout();
            if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                return Ok(Exit::Ok);
            }
        }
        reply = daemon.next_reply()?;
    }
}
