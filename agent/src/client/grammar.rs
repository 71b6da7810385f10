//! iproute2's grammar: `firsthop [OPTIONS] OBJECT [VERB] [SELECTOR…]`, every word by an unambiguous prefix.
//!
//! ```text
//!   options ─▶ object ─▶ verb (none: show) ─▶ selectors, in any order
//! ```

mod route;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use words::{Words, keyword, pick, unexpected};

use super::Colour;
use crate::api::interface::state;
use crate::api::{Filter, MonitorFilter, NeighbourFilter, RouteFilter, Told, TrapFilter, Wanted};

/// The options before the object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// One JSON document.
    pub json: bool,
    /// JSON with line feeds.
    pub pretty: bool,
    /// With counters.
    pub stats: bool,
    /// With what is usually left out.
    pub details: bool,
    /// One line an object, in columns.
    pub brief: bool,
    /// `monitor`: the time before each line.
    pub timestamp: bool,
    /// When text has colours.
    pub colour: Colour,
    /// Network namespace whose daemon is asked.
    pub netns: Option<String>,
    /// Socket of the daemon.
    pub socket: Option<PathBuf>,
    /// A saved state that is read instead of asking a daemon.
    pub state: Option<PathBuf>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `rif`
    Rif(Filter),
    /// `vmac`
    Vmac(Filter),
    /// `route`
    Route(RouteFilter),
    /// `route get`
    RouteGet(RouteFilter),
    /// `neigh`
    Neighbour(NeighbourFilter),
    /// `port`
    Port(Filter),
    /// `trap`
    Trap(TrapTable, TrapFilter),
    /// `trap monitor`
    TrapMonitor(TrapFilter),
    /// `resource`
    Resource,
    /// `status`
    Status,
    /// `diff`; with a file: of what it recorded
    Diff(Option<PathBuf>),
    /// `explain DEV`
    Explain(String),
    /// `explain PREFIX`
    ExplainRoute(RouteFilter),
    /// `monitor`
    Monitor(MonitorFilter),
    /// `wait`
    Wait(Wanted, Duration),
    /// `doctor`
    Doctor,
    /// `metrics`
    Metrics,
    /// `check`; with a file: of that
    Check(Option<PathBuf>),
    /// `support`; with a file: into that
    Support(Option<PathBuf>),
}

/// What of a device's traps is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapTable {
    /// `trap [show]`
    Traps,
    /// `trap group [show]`
    Groups,
    /// `trap policer [show]`
    Policers,
}

/// What the command line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Tell how to use this object; None: the program.
    Help(Option<Object>),
    /// Tell the version.
    Version,
    /// Ask the daemon.
    Ask(Options, Question),
}

/// What is wrong with the command line, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(pub String);

/// What can be asked about; the words of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// Router interfaces
    Rif,
    /// Virtual MACs
    Vmac,
    /// Routes
    Route,
    /// Hosts on links
    Neigh,
    /// Packet classes
    Trap,
    /// Front-panel ports
    Port,
    /// Sizes of tables
    Resource,
    /// The agent
    Status,
    /// Where the columns differ
    Diff,
    /// One device, or one route
    Explain,
    /// Changes
    Monitor,
    /// A barrier
    Wait,
    /// A preflight
    Doctor,
    /// Numbers for a monitoring system
    Metrics,
    /// What can't work, or would change
    Check,
    /// An archive for who is asked for help
    Support,
}

/// Objects by the word for them, in the order of the help text.
const OBJECTS: &[(&str, Object)] = &[
    ("rif", Object::Rif),
    ("vmac", Object::Vmac),
    ("route", Object::Route),
    ("neigh", Object::Neigh),
    ("trap", Object::Trap),
    ("port", Object::Port),
    ("resource", Object::Resource),
    ("status", Object::Status),
    ("diff", Object::Diff),
    ("explain", Object::Explain),
    ("monitor", Object::Monitor),
    ("wait", Object::Wait),
    ("doctor", Object::Doctor),
    ("metrics", Object::Metrics),
    ("check", Object::Check),
    ("support", Object::Support),
];

/// How long `wait` waits where nothing is said.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads a command line (without the program's name).
///
/// # Errors
/// It is not understood.
pub fn parse(arguments: &[String]) -> Result<Command, Usage> {
    let mut words = Words { rest: arguments, recording: None };
    let mut options = Options::default();
    while let Some(word) = words.rest.first().filter(|w| w.len() > 1 && w.starts_with('-')) {
        words.rest = &words.rest[1..];
        match option(word, &mut options, &mut words)? {
            Some(Special::Help) => return Ok(Command::Help(None)),
            Some(Special::Version) => return Ok(Command::Version),
            None => {}
        }
    }
    let Some(word) = words.next() else {
        return Err(Usage(
            "What? Say an object, e.g. `firsthop vmac`; `firsthop help` lists them".into(),
        ));
    };
    if word == "help" {
        return Ok(Command::Help(None));
    }
    let object = pick("object", word, OBJECTS)?;
    if words.rest.iter().any(|word| word == "help") {
        return Ok(Command::Help(Some(object)));
    }
    if object == Object::Diff {
        words.recording_after()?;
    } else if words.recording.is_some() {
        return Err(Usage("Option '--emad-pcap' is for `diff` only".into()));
    }
    if let Some(option) = words.rest.iter().find(|word| word.starts_with('-')) {
        return Err(Usage(format!("Option '{option}' must stand before the object")));
    }
    let question = question(object, &mut words)?;
    match words.next() {
        None => Ok(Command::Ask(options, question)),
        Some(word) => Err(unexpected(word)),
    }
}

enum Special {
    Help,
    Version,
}

fn option(word: &str, options: &mut Options, words: &mut Words) -> Result<Option<Special>, Usage> {
    let (name, value) = match word.trim_start_matches('-').split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word.trim_start_matches('-'), None),
    };
    let mut argument = |what: &str| {
        let value = value.or_else(|| words.next());
        value.map(str::to_owned).ok_or_else(|| Usage(format!("Option {word} needs {what}")))
    };
    match name {
        "j" | "json" => options.json = true,
        "p" | "pretty" => options.pretty = true,
        "s" | "stats" | "statistics" => options.stats = true,
        "d" | "v" | "details" | "verbose" => options.details = true,
        "c" | "color" | "colour" => {
            let colour = value.map_or(Some(Colour::Always), Colour::of);
            options.colour = colour.ok_or_else(|| {
                Usage(format!("Option '{word}': colours are always, auto or never"))
            })?;
            return Ok(None);
        }
        "br" | "brief" => options.brief = true,
        "t" | "timestamp" => options.timestamp = true,
        "n" | "netns" => options.netns = Some(argument("the name of a network namespace")?),
        "socket" => options.socket = Some(argument("a path")?.into()),
        "state" => options.state = Some(argument("a file")?.into()),
        "emad-pcap" => {
            let file = argument("a file")?;
            words.recording = Some(file.into());
        }
        "h" | "help" => return Ok(Some(Special::Help)),
        "V" | "Version" | "version" => return Ok(Some(Special::Version)),
        // `-js` as getopt takes it
        letters if value.is_none() && is_combined(word, letters) => {
            for letter in letters.chars() {
                option(&format!("-{letter}"), options, words)?;
            }
        }
        _ => return Err(Usage(format!("Option '{word}' is unknown; try `firsthop help`"))),
    }
    match value {
        Some(_) if !matches!(name, "n" | "netns" | "socket" | "state" | "emad-pcap") => {
            Err(Usage(format!("Option '{word}' takes no value")))
        }
        _ => Ok(None),
    }
}

/// One dash, and letters of options that take no value.
fn is_combined(word: &str, letters: &str) -> bool {
    !word.starts_with("--")
        && letters.len() > 1
        && letters.chars().all(|letter| "jpsdtvc".contains(letter))
}

fn question(object: Object, words: &mut Words) -> Result<Question, Usage> {
    match object {
        Object::Explain => return route::explain(words),
        Object::Route => return route::route(words),
        Object::Neigh => return route::neighbour(words),
        Object::Wait => return wait(words),
        Object::Monitor => return monitor(words),
        Object::Check => return Ok(Question::Check(words.next().map(PathBuf::from))),
        Object::Support => return Ok(Question::Support(words.next().map(PathBuf::from))),
        Object::Trap => return trap(words),
        _ => {}
    }
    words.verb()?;
    Ok(match object {
        Object::Rif => Question::Rif(filter(words, &["dev"])?),
        Object::Vmac => Question::Vmac(filter(words, &["dev", "lower", "vrid"])?),
        Object::Port => Question::Port(filter(words, &["dev"])?),
        Object::Resource => Question::Resource,
        Object::Status => Question::Status,
        Object::Diff => Question::Diff(words.recording.take()),
        Object::Metrics => Question::Metrics,
        Object::Doctor
        | Object::Explain
        | Object::Route
        | Object::Neigh
        | Object::Wait
        | Object::Monitor
        | Object::Check
        | Object::Support
        | Object::Trap => Question::Doctor,
    })
}

/// `dev NAME`, `lower NAME`, `vrid N`, as far as the object has them.
fn filter(words: &mut Words, known: &[&'static str]) -> Result<Filter, Usage> {
    let mut filter = Filter::default();
    while let Some(word) = words.next() {
        match keyword("selector", word, known)? {
            "dev" => filter.dev = Some(words.argument("dev", "a device")?),
            "lower" => filter.lower = Some(words.argument("lower", "a device")?),
            _ => filter.vrid = Some(vrid(&words.argument("vrid", "a number")?)?),
        }
    }
    Ok(filter)
}

fn vrid(word: &str) -> Result<u8, Usage> {
    word.parse()
        .ok()
        .filter(|vrid| *vrid > 0)
        .ok_or_else(|| Usage(format!("VRID '{word}' is not in 1..255")))
}

/// As devlink: `trap [show]`, `trap group [show]`, `trap policer [show]`, each with `[DEV] [trap NAME] [group NAME] [policer N]`;
/// `trap monitor`.
fn trap(words: &mut Words) -> Result<Question, Usage> {
    let table = match words.rest {
        [first, ..] if first == "monitor" => None,
        [first] if first == "group" => Some(TrapTable::Groups),
        [first] if first == "policer" => Some(TrapTable::Policers),
        // `trap group vrrp` are the traps of the group vrrp
        [first, second, ..] if first == "group" && !is_value(second) => Some(TrapTable::Groups),
        [first, second, ..] if first == "policer" && !is_value(second) => Some(TrapTable::Policers),
        _ => {
            words.verb()?;
            return Ok(Question::Trap(TrapTable::Traps, trap_filter(words)?));
        }
    };
    words.next();
    Ok(match table {
        Some(table) => {
            words.verb()?;
            Question::Trap(table, trap_filter(words)?)
        }
        None => Question::TrapMonitor(trap_filter(words)?),
    })
}

/// Of a selector, and not the next word of the command.
fn is_value(word: &str) -> bool {
    !word.contains('/') && !["show", "list", "dev", "group", "policer"].contains(&word)
}

fn trap_filter(words: &mut Words) -> Result<TrapFilter, Usage> {
    let mut filter = TrapFilter::default();
    while let Some(word) = words.next() {
        if word.contains('/') {
            filter.dev = Some(word.to_owned());
            continue;
        }
        match keyword("selector", word, &["dev", "trap", "group", "policer"])? {
            "dev" => filter.dev = Some(words.argument("dev", "a handle")?),
            "trap" => filter.trap = Some(words.argument("trap", "a name")?),
            "group" => filter.group = Some(words.argument("group", "a name")?),
            _ => {
                let number = words.argument("policer", "a number")?;
                let policer = number
                    .parse()
                    .map_err(|_| Usage(format!("Policer '{number}' is not a number")))?;
                filter.policer = Some(policer);
            }
        }
    }
    Ok(filter)
}

/// `all`, or a list of objects, as with `ip monitor`.
fn monitor(words: &mut Words) -> Result<Question, Usage> {
    const ALL: [Told; 4] = [Told::Kernel, Told::Rif, Told::Vmac, Told::Hw];
    let known = [
        ("all", None),
        ("kernel", Some(ALL[0])),
        ("rif", Some(ALL[1])),
        ("vmac", Some(ALL[2])),
        ("hw", Some(ALL[3])),
    ];
    let mut objects = BTreeSet::new();
    while let Some(word) = words.next() {
        match pick("object", word, &known)? {
            Some(object) => drop(objects.insert(object)),
            None => objects.extend(ALL),
        }
    }
    let objects = Some(objects).filter(|objects| !objects.is_empty());
    Ok(Question::Monitor(MonitorFilter { objects }))
}

/// `synced`, `audited`, or `vmac|rif dev NAME state STATE|gone`; then `timeout S`.
fn wait(words: &mut Words) -> Result<Question, Usage> {
    let for_what = "Wait for what? `synced`, `audited`, or `vmac|rif dev NAME state STATE|gone`";
    let word = words.next().ok_or_else(|| Usage(for_what.into()))?;
    let object = keyword("thing to wait for", word, &["synced", "audited", "vmac", "rif"])?;
    let (mut dev, mut wanted, mut timeout) = (None, None, PATIENCE);
    let known: &[&str] = if matches!(object, "synced" | "audited") {
        &["timeout"]
    } else {
        &["dev", "state", "gone", "timeout"]
    };
    while let Some(word) = words.next() {
        match keyword("selector", word, known)? {
            "dev" => dev = Some(words.argument("dev", "a device")?),
            "gone" => wanted = Some(None),
            "state" => match words.argument("state", "a state")?.as_str() {
                "gone" => wanted = Some(None),
                word => wanted = Some(Some(state(word).ok_or_else(|| no_state(word))?)),
            },
            _ => timeout = seconds(&words.argument("timeout", "seconds")?)?,
        }
    }
    match object {
        "synced" => return Ok(Question::Wait(Wanted::Synced, timeout)),
        "audited" => return Ok(Question::Wait(Wanted::Audited, timeout)),
        _ => {}
    }
    let (Some(dev), Some(state)) = (dev, wanted) else {
        return Err(Usage(format!("`wait {object}` needs `dev NAME` and `state STATE` or `gone`")));
    };
    Ok(Question::Wait(Wanted::Object { vmac: object == "vmac", dev, state }, timeout))
}

fn no_state(word: &str) -> Usage {
    Usage(format!(
        "State '{word}' is unknown: offload, pending, failed, refused, held, not_offloaded, gone"
    ))
}

fn seconds(word: &str) -> Result<Duration, Usage> {
    let valid = word.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    valid
        .map(Duration::from_secs_f64)
        .ok_or_else(|| Usage(format!("Timeout '{word}' is not a number of seconds up to 86400")))
}
